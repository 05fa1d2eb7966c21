#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# mica mkimage --base: what a base has is referred to, what it lacks is stored, and
# the result is the tree, by the kernel, by mica, in every form of both images.

load helpers

setup_file() {
  [ "$(id -u)" = 0 ] || return 0
  cd "$BATS_FILE_TMPDIR" || return
  local i
  sample_tree old
  # mkfs.erofs 1.5 takes neither
  rm -f old/wide/nnnnnnnnnnnnnnnnnnnnnnnn* old/deep/longlink
  # text that differs everywhere, long enough for extents
  seq 700000 | awk '{ print $1 * 7919 % 1000003, "line", $1 }' >old/long
  noise 3000000 5 >old/dense
  # noise in something else: it is cut as that is, though as an extent it looks dense
  { seq 100000; noise 1100000 7; seq 90000; } >old/mixed
  for i in {1..300}; do text $((i * 37)) "$i" >"old/small.$i"; done
  cp -a old new
  rm -r new/deep/a new/small.1??
  cp old/long new/long.copy
  { echo "a line more"; cat old/long; } >new/long
  noise 200000 6 >new/noise.more
  text 40000 700 >new/text.more
  for i in {1..20}; do text $((i * 41)) "n$i" >"new/more.$i"; done
  find new -depth -exec touch -hd '2024-05-07 07:08:09' {} +
}

setup() {
  require_root
  mkdir "$BATS_TEST_TMPDIR/work" && cd "$BATS_TEST_TMPDIR/work" || return
  OLD=$BATS_FILE_TMPDIR/old
  NEW=$BATS_FILE_TMPDIR/new
}

# smaller_than A PERCENT B: image A takes at most so many percent of B
smaller_than() {
  local a b
  a=$(stat -c %s "$1") b=$(stat -c %s "$3")
  [ $((a * 100)) -le $((b * $2)) ] || fail "$1 has $a bytes, $3 has $b: more than $2%"
}

# based OPTION...: the new tree over ./base, checked and shown by everybody
based() {
  mkimage --verify "$@" --base base image "$NEW"
  "$MICA" fsck --quiet --device base image
  require_erofs
  require_kernel 6.12
  kernel_mount image kernel "device=$PWD/base"
  same_tree "$NEW" kernel --random-reads
  require_fuse
  fuse_mount image fuse --device base
  same_tree "$NEW" fuse
  unmount kernel
  unmount fuse
}

# both PERCENT OPTION...: base and image with the same options; what is new is a small part
both() {
  local percent=$1
  shift
  mkimage "$@" base "$OLD"
  based "$@"
  mkimage "$@" alone "$NEW"
  smaller_than image "$percent" alone
}

@test "uncompressed" { both 40 -z none; }
@test "Linux 5.16: whole files" { both 80 --compat 5.16; }
@test "Linux 6.1: extents and fragments in indexes" { both 25 --compat 6.1; }
@test "zstd" { both 25; }
@test "zstd, encoded extents" { both 25 --compat 6.15; }
@test "zstd, compressed metadata" { both 25 --compat 6.17; }
@test "without fragments" { both 80 --fragments off -C 64K; }
@test "tails in the packed inode" { both 60 --fragments tails; }

@test "another algorithm than the base" {
  mkimage -z lz4 base "$OLD"
  based
  smaller_than image 25 base
  run "$MICA" dump --device base image
  assert_has "Algorithm lz4: "
  assert_has "Algorithm zstd: "
}

@test "a base for a newer kernel: the image is for that one, too" {
  mkimage --compat 6.15 base "$OLD"
  based
  run "$MICA" mkimage --compat 6.12 --base base other "$NEW"
  assert_status 1
  assert_has "base needs Linux 6.15, but the image must mount on 6.12"
  [ ! -e other ]
}

# over MKFS-OPTION...: a base by mkfs.erofs
over() {
  require_command mkfs.erofs
  mkfs.erofs --quiet "$@" base "$OLD" >mkfs.out 2>&1 || skip "this mkfs.erofs does not know $*"
  based
  based --compat 6.15
  based -z none
}

@test "a base of mkfs.erofs: flat" { over; }
@test "a base of mkfs.erofs: chunks" { over --chunksize=4096; }
@test "a base of mkfs.erofs: lz4hc, inline pclusters" { over -zlz4hc -C65536 -Eztailpacking; }
@test "a base of mkfs.erofs: fragments and shared extents" { over -zlz4 -Eall-fragments,dedupe; }
@test "a base of mkfs.erofs: without padding" { over -zlz4 -Elegacy-compress; }

@test "several bases" {
  mkdir part
  cp -a "$OLD/long" "$OLD/mixed" part
  mkimage one part
  mkimage -z lz4 two "$OLD"
  mkimage --verify --base one --base two image "$NEW"
  "$MICA" fsck --quiet --device one --device two image
  require_erofs
  require_kernel 6.12
  kernel_mount image mnt "device=$PWD/one,device=$PWD/two"
  same_tree "$NEW" mnt
  smaller_than image 30 two
}

@test "an image of nothing new is metadata alone" {
  mkimage base "$OLD"
  mkimage --verify --base base image "$OLD"
  fuse_mount image mnt --device base
  same_tree "$OLD" mnt
  # files that lie behind their inodes, directories
  smaller_than image 3 base
}

@test "without its base, or with one that changed, it is refused" {
  local uuid
  mkimage base "$OLD"
  uuid=$(blkid -p -o value -s UUID base)
  mkimage --base base image "$NEW"
  run "$MICA" dump image
  assert_has "$uuid"
  run "$MICA" fsck image
  assert_status 8
  assert_has "device 1 of 1, $uuid is another file, which was not given"
  # the same size, one bit of content more
  cp -a "$OLD" changed
  printf x | dd of=changed/dense bs=1 seek=70000 conv=notrunc status=none
  mkimage base changed
  run "$MICA" fsck --device base image
  assert_status 8
  assert_has "device 1 of 1: base: its UUID is"
  assert_has "$uuid"
  run "$MICA" mount --device base image "$BATS_TEST_TMPDIR"
  [ "$status" != 0 ]
  assert_has "device 1 of 1: base: its UUID is"
}

@test "rules of compression: files of a base are told by theirs" {
  mkimage -C 64K --compress-rule '*/long*=zstd:9,cluster=256K' base "$OLD"
  based -C 64K --compress-rule '*/long*=zstd:9,cluster=256K'
  smaller_than image 25 base
}

@test "the same bytes for any number of threads, from the directory and its tar" {
  mkimage base "$OLD"
  mkimage -j 1 --base base one "$NEW"
  mkimage -j 8 --base base eight "$NEW"
  cmp one eight
  tar_of "$NEW" new.tar
  mkimage --base base tar new.tar
  # the text of sockets apart, of which there are none here
  cmp one tar
}

# Work follows what is stored: holes of 4 TiB are not read.
@test "a base with files that are nearly all hole" {
  mkdir src
  truncate -s 4T src/hole
  echo x | dd of=src/hole bs=1 seek=$((1 << 40)) conv=notrunc status=none
  # zeros at clusters' ends, in their middle, and as long as one
  { noise 300000 1; head -c 2000000 /dev/zero; noise 5000 2; } >src/zeros
  cp src/zeros src/holes
  fallocate -d src/holes
  noise 900000 3 >src/noise
  local compat z
  for compat in 6.12 6.15; do
    for z in none zstd; do
      mkimage --compat $compat -z $z base src
      timeout 60 "$MICA" mkimage --quiet --compat $compat -z none --base base image src
      "$MICA" fsck --quiet --device base image
      # what is no hole is shared with a base that has it in the same form
      mkimage --compat $compat -z none alone src
      [ "$z" != none ] || [ "$(stat -c %s image)" -lt $(($(stat -c %s alone) - 1000000)) ] ||
        fail "$(stat -c %s image) bytes, without a base $(stat -c %s alone)"
      fuse_mount image fuse --device base
      cmp src/zeros fuse/zeros
      cmp src/holes fuse/holes
      cmp src/noise fuse/noise
      [ "$(stat -c %s fuse/hole)" = $((1 << 42)) ]
      [ "$(tail -c +$(((1 << 40) + 1)) fuse/hole | head -c 1)" = x ]
      unmount fuse
    done
  done
}

@test "what --base does not go with" {
  mkimage base "$OLD"
  run "$MICA" mkimage --compat 5.15 --base base image "$NEW"
  assert_status 1
  assert_has "over several devices needs Linux 5.16, but it must mount on 5.15"
  run "$MICA" mkimage --base "$NEW/text" image "$NEW"
  assert_status 1
  assert_has "text: superblock at 1024"
  mkdir out
  run "$MICA" mkimage --per-layer --base base out "$NEW"
  assert_status 1
  assert_has "--base does not go with --per-layer"
  mkimage --base base second "$NEW"
  run "$MICA" mkimage --base second third "$NEW"
  assert_status 1
  assert_has "second: refers to devices itself"
  cp base copy
  run "$MICA" mkimage --base copy copy "$NEW"
  assert_status 1
  assert_has "copy: is the image to be made and a base"
  cmp base copy
}
