#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The same input gives the same bytes: whatever the threads, the machine, the
# order of directories, the way in which a tar arrives.

load helpers

setup_file() {
  cd "$BATS_FILE_TMPDIR" || return
  sample_tree src
  tar_of src src.tar
  mkimage base src.tar
}

setup() {
  mkdir "$BATS_TEST_TMPDIR/work" && cd "$BATS_TEST_TMPDIR/work" || return
  SRC=$BATS_FILE_TMPDIR/src
  TAR=$SRC.tar
  BASE=$BATS_FILE_TMPDIR/base
}

# same_as_base IMAGE
same_as_base() {
  cmp "$BASE" "$1"
}

uuid_of() {
  blkid -p -o value -s UUID "$1"
}

@test "any number of threads" {
  for j in 1 2 3 8; do
    mkimage -j $j image "$TAR"
    same_as_base image
  done
}

@test "any number of threads, every algorithm and layout" {
  for options in '-z none' '-z lz4 --compat 5.15' '-z lz4hc --compat 6.1' '-z lz4 --compat 6.15' \
    '-z zstd:1 --compat 6.15 -C 64K' '-z zstd:1 --compat 6.17' '-z zstd:9 -C 4K' '-z none --compat 5.15'; do
    # shellcheck disable=SC2086 # several words
    mkimage $options -j 1 one "$TAR"
    # shellcheck disable=SC2086
    mkimage $options -j 8 eight "$TAR"
    cmp one eight
  done
}

@test "a tar as a file, on standard input and through a pipe" {
  mkimage file "$TAR"
  mkimage input - <"$TAR"
  dd if="$TAR" bs=1M status=none | mkimage pipe -
  # pieces of odd sizes: what one read(2) gives must not matter
  dd if="$TAR" bs=7777 status=none | mkimage pieces -
  for image in file input pipe pieces; do same_as_base $image; done
}

@test "a tar in every compression" {
  for program in gzip bzip2 xz zstd lz4; do
    $program -c <"$TAR" >packed
    mkimage image packed
    same_as_base image
    mkimage image - <packed
    same_as_base image
  done
}

@test "a directory and its tar" {
  mkimage image "$SRC"
  same_as_base image
  for options in '-z none' '-z lz4 --compat 5.15' '--compat 6.15'; do
    # shellcheck disable=SC2086
    mkimage $options a "$SRC"
    # shellcheck disable=SC2086
    mkimage $options b "$TAR"
    cmp a b
  done
}

@test "a directory whose files were made in another order, on another file system" {
  require_root
  mkdir memory
  mount -t tmpfs -o size=200m tmpfs memory
  echo memory >>"$(mounts_file)"
  mkdir memory/copy
  (cd "$SRC" && find . -print0 | shuf -z --random-source=<(yes) |
    tar --null -T - --no-recursion --format=posix --xattrs --acls -S -cf -) |
    tar -C memory/copy -P --delay-directory-restore --xattrs --xattrs-include='*' --acls -S -xpf - \
      --warning=no-timestamp
  same_tree "$SRC" memory/copy
  mkimage image memory/copy
  same_as_base image
}

@test "time zone, umask, locale, working directory, names" {
  (
    umask 0777
    export TZ=Asia/Kathmandu LC_ALL=C LANG=tr_TR.UTF-8 TMPDIR=/nonexistent HOME=/nonexistent
    mkimage image "$SRC"
  )
  chmod 600 image
  same_as_base image
  (
    image=$PWD/other\ name
    cd "$SRC"
    TZ=America/St_Johns mkimage "$image" .
  )
  same_as_base 'other name'
  (third=$PWD/third && cd / && mkimage "$third" ".$SRC/")
  same_as_base third
}

@test "the image's mode follows the umask" {
  (umask 022 && mkimage a "$TAR")
  (umask 077 && mkimage b "$TAR")
  assert_equal "$(stat -c %a a)" 644
  assert_equal "$(stat -c %a b)" 600
}

@test "layers: the same however they arrive" {
  mkdir -p upper/deep upper/wide
  text 50000 7 >upper/text
  touch upper/deep/.wh.link upper/wide/.wh..wh..opq
  touch -d 2024-01-01 upper/text upper/deep upper/wide upper
  tar_of upper upper.tar
  mkimage a "$TAR" upper.tar
  mkimage -j 1 b "$SRC" upper
  gzip -k upper.tar
  mkimage c - upper.tar.gz <"$TAR"
  cmp a b
  cmp a c
}

@test "the UUID follows from the content" {
  mkdir one two
  echo content >one/file
  echo content >two/file
  touch -d 2020-01-01 {one,two}/file one two
  mkimage a one
  mkimage b two
  cmp a b
  [ -n "$(uuid_of a)" ]
  # version and variant of a name-based UUID, so that nobody takes it for random
  [[ $(uuid_of a) =~ ^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$ ]]
  echo Content >two/file
  touch -d 2020-01-01 two/file
  mkimage c two
  [ "$(uuid_of a)" != "$(uuid_of c)" ]
  touch -d 2020-01-02 one/file
  mkimage d one
  [ "$(uuid_of a)" != "$(uuid_of d)" ]
  [ "$(uuid_of c)" != "$(uuid_of d)" ]
}

@test "SOURCE_DATE_EPOCH is the newest time in the image" {
  mkdir one
  echo 1 >one/new
  echo 2 >one/old
  touch -d @1000000000 one/old
  SOURCE_DATE_EPOCH=1500000000 mkimage a one
  touch one/new one
  touch -d @1000000000 one/old
  SOURCE_DATE_EPOCH=1500000000 mkimage b one
  cmp a b
  "$MICA" extract a -C out
  assert_equal "$(stat -c %Y out/new out/old out | xargs)" "1500000000 1000000000 1500000000"
}

@test "two builds at different times" {
  mkimage a "$TAR"
  sleep 1.1
  mkimage b "$TAR"
  cmp a b
}
