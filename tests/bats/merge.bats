#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# mica merge: one image over layer images must show what overlayfs shows of them, by
# the kernel and by mica, and what an image shows that was built from the same layers.

load helpers

setup_file() {
  [ "$(id -u)" = 0 ] || return 0
  cd "$BATS_FILE_TMPDIR" || return
  sample_tree lower
  sample_more lower
  # mkfs.erofs 1.5 takes neither
  rm -f lower/wide/nnnnnnnnnnnnnnnnnnnnnnnn* lower/deep/longlink
  mkdir -p upper/{deep/a,wide,empty,new} top
  # what overlayfs leaves of a stack: whiteouts, an opaque directory, replaced files
  mknod upper/text c 0 0
  ln upper/text upper/wide/hard
  mknod upper/deep/x c 0 0
  setfattr -n trusted.overlay.opaque -v y upper/deep/a
  text 200000 7 >upper/deep/a/text
  noise 70000 7 >upper/noise
  text 100 >upper/empty/no-more
  ln upper/noise upper/new/linked
  { noise 4000 1; text 9000 1; } >upper/new/mixed
  head -c 300000 /dev/zero >upper/new/zeros
  text 5000 8 >top/mixed
  ln -s mixed top/nothing
  find upper top -depth -exec touch -hd '2024-05-06 07:08:09' {} +
}

setup() {
  require_root
  mkdir "$BATS_TEST_TMPDIR/work" && cd "$BATS_TEST_TMPDIR/work" || return
  LAYERS=$BATS_FILE_TMPDIR
}

# layers MKFS-OPTION...: the layers by mkfs.erofs
layers() {
  local name
  require_command mkfs.erofs
  for name in lower upper top; do
    # every layer has its own UUID; 1.5 knows -Eforce-inode-extended for exact times
    mkfs.erofs --quiet -Eforce-inode-extended "$@" $name.erofs "$LAYERS/$name" >mkfs.out 2>&1 ||
      skip "this mkfs.erofs does not know $*"
  done
}

# mica_layers MKIMAGE-OPTION...: those of them that mica makes as well; upper has whiteouts
mica_layers() {
  layers -zlz4
  mkimage "$@" lower.erofs "$LAYERS/lower"
  mkimage "$@" top.erofs "$LAYERS/top"
}

# overlay DIR: the kernel's overlayfs over the layers
overlay() {
  local name
  for name in lower upper top; do
    kernel_mount $name.erofs $name
  done
  mkdir "$1"
  mount -t overlay -o lowerdir=top:upper:lower overlay "$1"
  echo "$1" >>"$(mounts_file)"
}

devices() { echo "device=$PWD/lower.erofs,device=$PWD/upper.erofs,device=$PWD/top.erofs"; }

# merged MERGE-OPTION...: merges, and compares the result in every way
merged() {
  require_erofs
  require_kernel 6.12
  "$MICA" merge --quiet "$@" image lower.erofs upper.erofs top.erofs
  overlay overlay
  # overlayfs does not count a directory's subdirectories, and hard links lose each other
  kernel_mount image kernel "$(devices)"
  same_tree overlay kernel -i nlink,links
  "$MICA" fsck --quiet --device lower.erofs --device upper.erofs --device top.erofs image
  require_fuse
  fuse_mount image fuse --device lower.erofs --device upper.erofs --device top.erofs
  same_tree kernel fuse --random-reads
  "$MICA" merge --quiet --flat "$@" flat lower.erofs upper.erofs top.erofs
  kernel_mount flat joined
  same_tree kernel joined
  "$MICA" fsck --quiet flat
}

@test "layers of mica, uncompressed" { mica_layers -z none && merged; }
@test "layers of mica, lz4, for Linux 5.15" { mica_layers -z lz4 --compat 5.15 && merged; }
@test "layers of mica, lz4hc, for Linux 6.1" { mica_layers -z lz4hc -C 64K --compat 6.1 && merged --compat 6.1; }
@test "layers of mica, zstd" { mica_layers -z zstd && merged; }
@test "layers of mica, zstd, encoded extents" { mica_layers -z zstd --compat 6.15 && merged; }
@test "layers of mkfs.erofs: flat" { layers && merged; }
@test "layers of mkfs.erofs: flat without inline tails" { layers -Enoinline_data && merged; }
@test "layers of mkfs.erofs: chunks" { layers --chunksize=4096 && merged; }
@test "layers of mkfs.erofs: chunks with indexes" { layers --chunksize=65536 -Eforce-chunk-indexes && merged; }
@test "layers of mkfs.erofs: lz4" { layers -zlz4 && merged; }
@test "layers of mkfs.erofs: lz4 in full indexes, without padding" { layers -zlz4 -Elegacy-compress && merged; }
@test "layers of mkfs.erofs: lz4hc, big and inline pclusters" { layers -zlz4hc -C65536 -Eztailpacking && merged; }
@test "layers of mkfs.erofs: fragments" { layers -zlz4hc -C65536 -Efragments && merged; }
@test "layers of mkfs.erofs: whole files as fragments, shared extents" { layers -zlz4 -Eall-fragments,dedupe && merged; }
@test "layers of mkfs.erofs: zstd, encoded extents" { layers -zzstd -C65536 -E48bit && merged; }

@test "the image is that of the layers' sources, in names, links and contents" {
  mica_layers -z zstd
  "$MICA" merge --quiet image lower.erofs upper.erofs top.erofs
  mkimage --overlay-input single "$LAYERS"/{lower,upper,top}
  fuse_mount image merged --device lower.erofs --device upper.erofs --device top.erofs
  fuse_mount single single.mnt
  same_tree single.mnt merged
}

@test "every layer in another form and with another algorithm" {
  layers
  mkimage -z zstd --compat 6.15 lower.erofs "$LAYERS/lower"
  mkfs.erofs --quiet -Eforce-inode-extended -zlz4hc -C16384 upper.erofs "$LAYERS/upper" >mkfs.out
  mkimage -z none top.erofs "$LAYERS/top"
  merged
  run "$MICA" dump image
  assert_has "Algorithm lz4: "
  assert_has "Algorithm zstd: "
}

@test "the largest window and the largest pcluster of all layers hold" {
  mica_layers -z none
  mkimage -z zstd -C 1M lower.erofs "$LAYERS/lower"
  mkimage -z zstd -C 64K top.erofs "$LAYERS/top"
  mkfs.erofs --quiet -zlz4hc -C65536 upper.erofs "$LAYERS/upper" >mkfs.out
  "$MICA" merge --quiet image lower.erofs upper.erofs top.erofs
  run "$MICA" dump image
  assert_has "window 2^20 bytes"
  assert_has "max pcluster 16 blocks"
}

@test "nothing but metadata is written; layers stay as they are" {
  mica_layers -z none
  sha256sum ./*.erofs >before
  run "$MICA" merge --json image lower.erofs upper.erofs top.erofs
  assert_status 0
  sha256sum --quiet -c before
  python3 - "$output" <<'PY'
import json, os, sys
j = json.loads(sys.argv[1])
assert j["bytes_in"] == 0, j # nothing was copied
assert j["bytes_referred"] > 3000000, j
assert j["bytes_out"] == os.stat("image").st_size < 400000, j
PY
}

# copied: bytes of content that the last `run` of merge --json had to copy
copied() {
  python3 -c 'import json, sys; print(json.load(sys.stdin)["bytes_in"])' <<<"$output"
}

@test "fragments and shared extents stay in the layers as well" {
  mica_layers -z zstd
  run "$MICA" merge --json image lower.erofs upper.erofs top.erofs
  assert_status 0
  assert_equal "$(copied)" 0
  # packed inodes and extents that are shared
  [ $(($(feature_incompat image) & 32)) = 32 ]
}

@test "fragments in three algorithms: two before Linux 6.15, all from then on" {
  layers
  mkimage -z lz4 lower.erofs "$LAYERS/lower"
  mkimage -z deflate --overlay-input upper.erofs "$LAYERS/upper"
  mkimage -z zstd top.erofs "$LAYERS/top"
  run "$MICA" merge --json image lower.erofs upper.erofs top.erofs
  assert_status 0
  [ "$(copied)" -gt 100000 ]
  merged
  unmount_all
  rmdir overlay
  run "$MICA" merge --json --compat 6.15 image lower.erofs upper.erofs top.erofs
  assert_status 0
  assert_equal "$(copied)" 0
  merged --compat 6.15
}

@test "the same layers give the same bytes, wherever they lie" {
  mica_layers -z zstd
  "$MICA" merge --quiet one lower.erofs upper.erofs top.erofs
  mkdir elsewhere
  cp ./*.erofs elsewhere
  "$MICA" merge --quiet two elsewhere/{lower,upper,top}.erofs
  cmp one two
  "$MICA" merge --quiet three upper.erofs lower.erofs top.erofs
  ! cmp -s one three
}

@test "an image and its layers, one behind the other in a file" {
  mica_layers -z zstd
  "$MICA" merge --quiet image lower.erofs upper.erofs top.erofs
  cat image lower.erofs upper.erofs top.erofs >joined
  "$MICA" fsck --quiet joined
  require_erofs
  require_kernel 6.12
  kernel_mount joined mnt
  kernel_mount image devices "$(devices)"
  same_tree devices mnt
}

@test "--flat shares the layers' blocks where the file system can" {
  require_command mkfs.xfs
  grep -qw xfs /proc/filesystems || modprobe xfs 2>/dev/null || skip "this kernel has no XFS"
  truncate -s 400M fs
  mkfs.xfs -q -m reflink=1 fs
  mkdir xfs
  mount -o loop fs xfs
  echo xfs >>"$(mounts_file)"
  mkdir tree
  noise 60000000 >tree/noise
  mkimage -z none xfs/lower.erofs tree
  mkimage -z none xfs/upper.erofs "$LAYERS/top"
  sync -f xfs
  before=$(df --output=used -B1 xfs | tail -1)
  "$MICA" merge --quiet --flat xfs/flat xfs/{lower,upper}.erofs
  sync -f xfs
  after=$(df --output=used -B1 xfs | tail -1)
  [ "$(stat -c %s xfs/flat)" -gt 60000000 ]
  [ $((after - before)) -lt 8000000 ] || fail "$((after - before)) bytes more are in use"
  "$MICA" fsck --quiet xfs/flat
}

@test "--flat needs neither devices nor a kernel that knows them" {
  mica_layers -z lz4 --compat 5.15
  layers -zlz4
  "$MICA" merge --quiet --flat --compat 5.15 flat lower.erofs upper.erofs top.erofs
  [ $(($(feature_incompat flat) & 8)) = 0 ]
  run "$MICA" fsck flat
  assert_status 0
  assert_has "Not proved: the same of what it refers to in its layers"
}

@test "a hundred layers" {
  require_erofs
  require_kernel 6.12
  local i names=() args=() options=
  mkdir expected
  for i in {001..100}; do
    mkdir "l$i"
    text 5000 "$i" >"l$i/same"
    text 6000 "$i" >"l$i/own.$i"
    cp "l$i"/* expected
    mkimage -z lz4 "l$i.erofs" "l$i"
    names+=("l$i.erofs")
    args+=(--device "l$i.erofs")
    options+=,device=$PWD/l$i.erofs
  done
  touch -r l100 expected
  "$MICA" merge --quiet image "${names[@]}"
  "$MICA" fsck --quiet "${args[@]}" image
  kernel_mount image mnt "${options#,}"
  same_tree expected mnt -i mtime
  "$MICA" extract "${args[@]}" -C out image
  same_tree expected out -i mtime
  "$MICA" merge --quiet --flat flat "${names[@]}"
  "$MICA" extract -C flat.out flat
  same_tree expected flat.out -i mtime
}

@test "the tag of a device is its layer's UUID, and no other layer is taken" {
  mica_layers -z zstd
  "$MICA" merge --quiet image lower.erofs upper.erofs top.erofs
  run "$MICA" dump image --device lower.erofs --device upper.erofs --device top.erofs
  assert_status 0
  for layer in lower upper top; do
    assert_has "$(blkid -p -o value -s UUID $layer.erofs)"
  done
  mkimage --timestamp 1 other "$LAYERS/lower"
  run "$MICA" fsck --device other --device upper.erofs --device top.erofs image
  assert_status 8
  assert_has "device 1 of 3: other: its UUID is"
  run "$MICA" mount --device upper.erofs --device lower.erofs --device top.erofs image .
  [ "$status" != 0 ]
  assert_has "device 1 of 3: upper.erofs: "
  run "$MICA" extract --device lower.erofs --device upper.erofs image
  assert_status 1
  assert_has "2 devices are given, the image has 3"
  run "$MICA" fsck image
  assert_status 8
  assert_has "device 1 of 3, $(blkid -p -o value -s UUID lower.erofs) is another file"
}

# refused MESSAGE -- ARGUMENT...
refused() {
  local message=$1
  shift 2
  run "$MICA" merge target "$@"
  assert_status 1
  assert_has "$message"
  [ ! -e target ] || fail "target is there"
  [ -z "$(find . -name '.target*')" ]
}

@test "what cannot be merged" {
  mica_layers -z zstd --compat 6.15
  refused "an IMAGE and at least one LAYER are needed" --
  refused "absent: open: No such file" -- lower.erofs absent
  tar_of "$LAYERS/top" top.tar
  refused "top.tar: superblock at 1024: magic" -- lower.erofs top.tar
  refused "lower.erofs needs Linux 6.15, but the image must mount on 6.12" -- --compat 6.12 lower.erofs
  refused "over several devices needs Linux 5.16, but it must mount on 5.15" -- --compat 5.15 upper.erofs
  head -c 5000 lower.erofs >short
  refused "short: " -- short upper.erofs
  if mkfs.erofs --quiet -b512 small.erofs "$LAYERS/top" >mkfs.out 2>&1; then
    refused "small.erofs: has blocks of 512 bytes; layers are merged in blocks of 4096" -- lower.erofs small.erofs
  fi
  cp top.erofs target
  run "$MICA" merge target lower.erofs target
  assert_status 1
  assert_has "target: is the image to be made and a source"
  cmp top.erofs target
}
