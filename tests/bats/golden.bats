#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Images made by a newer mkfs.erofs than the tests can install, one for each
# layout that Linux 6.18 reads (tests/golden/make.sh): the reader, fsck and the
# running kernel must all see the one tree that they were made from.

load helpers

GOLDEN=$ROOT/tests/golden

setup_file() {
  tar -xJf "$GOLDEN/images.tar.xz" -C "$BATS_FILE_TMPDIR"
}

# lists DIR: DIR holds the tree
lists() {
  "$TOOLS/treelist" "$1" >list
  diff "$GOLDEN/tree.list" list >difference || fail "$1 differs:" "$(head -c 2000 difference)"
}

# golden NAME KERNEL: read by mica, and by the kernel when it is KERNEL or later
golden() {
  local image=$BATS_FILE_TMPDIR/$1 options=() mount_option=
  require_root
  if [ -f "$image.blob" ]; then
    options=(--device "$image.blob")
    mount_option=device=$image.blob
  fi
  run "$MICA" fsck "${options[@]}" "$image"
  assert_status 0
  "$MICA" extract "${options[@]}" "$image" -C out
  lists out
  if [ -c /dev/fuse ]; then
    fuse_mount "$image" fuse "${options[@]}"
    lists fuse
  fi
  if kernel_is "$2" && kernel_reads lzma deflate zstd && grep -qw erofs /proc/filesystems; then
    kernel_mount "$image" kernel "$mount_option"
    lists kernel
  fi
}

@test "lz4-tails" { golden lz4-tails 5.17; }
@test "lzma-dedupe-fragments" { golden lzma-dedupe-fragments 6.1; }
@test "lzma-tails" { golden lzma-tails 5.17; }
@test "deflate-fragments" { golden deflate-fragments 6.6; }
@test "libdeflate-tails" { golden libdeflate-tails 6.6; }
@test "zstd-all-fragments" { golden zstd-all-fragments 6.10; }
@test "zstd-dedupe" { golden zstd-dedupe 6.10; }
@test "zstd-directories" { golden zstd-directories 6.10; }
@test "lz4-512" { golden lz4-512 6.8; }
@test "zstd-1024" { golden zstd-1024 6.10; }
@test "zstd-48bit" { golden zstd-48bit 6.15; }
@test "zstd-48bit-dedupe" { golden zstd-48bit-dedupe 6.15; }
@test "lzma-48bit" { golden lzma-48bit 6.15; }
@test "libdeflate-48bit" { golden libdeflate-48bit 6.15; }
@test "metabox-lz4" { golden metabox-lz4 6.17; }
@test "metabox-zstd" { golden metabox-zstd 6.17; }
@test "metabox-prefixes" { golden metabox-prefixes 6.17; }
@test "prefixes-packed" { golden prefixes-packed 6.10; }
@test "prefixes-plain" { golden prefixes-plain 6.17; }
@test "digests" { golden digests 6.10; }
@test "chunks-48bit" { golden chunks-48bit 6.15; }
@test "chunks-device" { golden chunks-device 5.16; }
@test "tar-index" { golden tar-index 6.4; }
