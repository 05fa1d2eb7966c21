#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Images whose data lie in other files, which their device table lists: read by
# every verb as the kernel reads them.

load helpers
load footer

setup_file() {
  command -v mkfs.erofs >/dev/null && [ "$(id -u)" = 0 ] || return 0
  cd "$BATS_FILE_TMPDIR" || return
  mkdir tree
  text 300000 >tree/text
  noise 100001 >tree/noise
  cp tree/noise tree/copy
  truncate -s 200000 tree/hole
  printf end >>tree/hole
  find tree -depth -exec touch -hd '2024-05-06 07:08:09' {} + # newer ones cut times
  mkfs.erofs --quiet --chunksize=4096 -Eforce-chunk-indexes --blobdev=blob image tree >mkfs.out
}

setup() {
  require_root
  require_command mkfs.erofs
  mkdir "$BATS_TEST_TMPDIR/work" && cd "$BATS_TEST_TMPDIR/work" || return
  ln -s "$BATS_FILE_TMPDIR"/{image,blob} .
  TREE=$BATS_FILE_TMPDIR/tree
}

@test "the kernel" {
  require_erofs
  require_kernel 6.12
  kernel_mount image mnt "device=$PWD/blob"
  same_tree "$TREE" mnt
}

@test "mount --device and -o device=" {
  require_fuse
  fuse_mount image mnt --device blob
  same_tree "$TREE" mnt
  unmount mnt
  fuse_mount image mnt -o device=blob
  same_tree "$TREE" mnt
}

@test "mount.mica, as mount(8) calls it" {
  require_fuse
  mkdir mnt
  ln -s "$MICA" mount.mica
  ./mount.mica "$PWD/image" "$PWD/mnt" -o "rw,device=$PWD/blob"
  echo mnt >>"$(mounts_file)"
  same_tree "$TREE" mnt
}

@test "fsck, dump and extract" {
  run "$MICA" fsck --device blob image
  assert_status 0
  run "$MICA" dump --device blob --extents image /noise
  assert_status 0
  assert_has "device=1"
  "$MICA" extract --device blob -C out image
  same_tree "$TREE" out
}

@test "dump shows the table" {
  run "$MICA" dump --json image
  assert_status 1 # the statistics need what is in the blob
  [[ $output == *'"devices": [{"tag": "", '* ]] || fail "$output"
}

@test "without the devices: what cannot be read is named" {
  run "$MICA" fsck image
  assert_status 8
  assert_has "extent /noise"
  assert_has "device 1 of 1 is another file, which was not given"
}

@test "too many, missing, or of the wrong kind" {
  run "$MICA" fsck --device blob --device blob image
  assert_status 8
  assert_has "2 devices are given, the image has 1"
  run "$MICA" extract --device absent image
  assert_status 1
  assert_has "absent: open: No such file or directory"
  run "$MICA" dump --device . image
  assert_status 1
  assert_has "neither a regular file nor a block device"
  run "$MICA" fsck --device blob image image
  assert_status 16
  assert_has "--device goes with one IMAGE only"
  mkimage plain "$TREE"
  run "$MICA" mount --device blob plain .
  [ "$status" != 0 ]
  assert_has "1 devices are given, the image has 0"
}

@test "a device that ends too early" {
  head -c 8192 blob >short
  run "$MICA" fsck --device short image
  [ "$status" != 0 ]
  # mkfs.erofs 1.5 leaves the size in the table 0
  [[ $output == *"it has 8192 bytes, fewer than"* || $output == *"reach over the end of short"* ]] ||
    fail "$output"
}

# behind_its_device FILE: the blob, the image, and a footer in one file
behind_its_device() {
  cp blob "$1"
  truncate -s %512 "$1"
  local at
  at=$(stat -c %s "$1")
  cat image >>"$1"
  add_footer "$1" "$at" "$(stat -L -c %s image)" "$at"
}

@test "an image behind its device, in one file" {
  require_fuse
  behind_its_device joined
  fuse_mount joined mnt
  same_tree "$TREE" mnt
  "$MICA" fsck joined
  "$MICA" extract -C out joined
  same_tree "$TREE" out
  run "$MICA" dump joined
  assert_status 0
  # the caller may know better
  run "$MICA" fsck --device image joined
  assert_status 4
  assert_has "reach over the end of image at "
  run "$MICA" fsck --offset 512 joined
  assert_status 4
}

@test "a tar with an index behind it is a tar" {
  tar -C "$TREE" -cf tree.tar .
  "$MICA" mkimage --quiet alone tree.tar
  local at
  at=$(stat -c %s tree.tar)
  cat tree.tar image >both
  add_footer both "$at" "$(stat -L -c %s image)" "$at"
  "$MICA" mkimage --quiet again both
  cmp alone again
  # without the footer it is something unknown, and in a pipe nothing can be known of it
  head -c -64 both >bare
  run "$MICA" mkimage again bare
  assert_status 0
  assert_has 'warning: bare: what follows the end of the archive, from byte '
  cmp alone again
  run bash -c 'cat both | "$1" mkimage again -' - "$MICA"
  assert_status 0
  assert_has 'warning: standard input: what follows the end of the archive, from byte '
  cmp alone again
  # so it is where others may follow
  "$MICA" mkimage --quiet --ignore-zeros again both
  cmp alone again
  run "$MICA" mkimage --ignore-zeros other bare
  assert_status 1
  assert_has 'wrong checksum'
}

@test "a footer that says what cannot be" {
  cp blob joined
  add_footer joined 512 100000000 512
  run "$MICA" fsck joined
  assert_status 8
  assert_has "joined: footer at 0x"
  assert_has "image of 100000000 bytes at 512 behind a device of 512, in a file of "
}

@test "an image behind something else, without devices" {
  require_fuse
  "$MICA" mkimage --quiet alone "$TREE"
  head -c 512000 /dev/zero >joined
  cat alone >>joined
  add_footer joined 512000 "$(stat -c %s alone)" 0
  fuse_mount joined mnt
  same_tree "$TREE" mnt
  "$MICA" fsck joined
}
