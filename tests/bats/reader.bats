#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The reader against images of mkfs.erofs and of mica: every name, attribute and
# byte, by every way to read them, from several threads. mkfs.erofs 1.5 ignores
# fragments and dedupe, later ones know them; what it refuses is skipped.

load helpers

UNIT=${UNIT:-$TOOLS/../unit}

setup_file() {
  cd "$BATS_FILE_TMPDIR" || return
  sample_tree tree
  sample_more tree
  # mkfs.erofs 1.5 takes neither
  rm -f tree/wide/nnnnnnnnnnnnnnnnnnnnnnnn* tree/deep/longlink
  mkdir tree/rotated # several files of the same text, each a bit further on
  local i
  for i in 1 100 4095 4097; do
    { noise "$i" "$i"; text 100000; } >"tree/rotated/$i"
  done
}

# reads MKFS-OPTION...: what mkfs.erofs makes with them is read as the source is
reads() {
  require_root
  require_command mkfs.erofs
  mkfs.erofs --quiet "$@" image "$BATS_FILE_TMPDIR/tree" >mkfs.out 2>&1 ||
    skip "this mkfs.erofs does not know $*"
  "$UNIT/image_compare" -T 2 image "$BATS_FILE_TMPDIR/tree"
}

@test "flat files with inline tails" { reads; }
@test "flat files without inline tails" { reads -Enoinline_data; }
@test "extended inodes" { reads -Eforce-inode-extended; }
@test "chunks with a block map" { reads --chunksize=4096 -Eforce-inode-blockmap; }
@test "chunks with indexes" { reads --chunksize=4096 -Eforce-chunk-indexes; }
@test "chunks of 64K" { reads --chunksize=65536; }
@test "lz4" { reads -zlz4; }
@test "lz4 in full indexes, without padding" { reads -zlz4 -Elegacy-compress; }
@test "lz4hc, big pclusters" { reads -zlz4hc -C65536; }
@test "lz4hc, big pclusters of 1M" { reads -zlz4hc -C1048576; }
@test "lz4 with short extents" { reads -zlz4 -C65536 --max-extent-bytes=8192; }
@test "inline pclusters" { reads -zlz4 -Eztailpacking; }
@test "inline pclusters beside big ones" { reads -zlz4hc -C65536 -Eztailpacking; }
@test "xattrs that are all shared" { reads -x0; }
@test "fragments" { reads -zlz4hc -C65536 -Efragments; }
@test "whole files as fragments" { reads -zlz4 -Eall-fragments; }
@test "shared extents" { reads -zlz4hc -C16384 -Ededupe; }
@test "shared extents and fragments" { reads -zlz4 -Ededupe,all-fragments; }
@test "blocks of 512 bytes" { reads -b512 -zlz4; }

@test "images of mica, with a cache for almost nothing" {
  require_root
  local z
  for z in none lz4 zstd; do
    for compat in 6.12 6.15 6.17; do
      mkimage -z "$z" -C 64K --compat "$compat" --overlay-input image "$BATS_FILE_TMPDIR/tree"
      "$UNIT/image_compare" -T 3 -c 100000 image "$BATS_FILE_TMPDIR/tree"
    done
  done
}

# le32 NUMBER: as four bytes
le32() {
  # shellcheck disable=SC2059 # the inner one makes the format
  printf "$(printf '\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24)))"
}

@test "an extra device behind the image is found, elsewhere it is named" {
  require_root
  require_command mkfs.erofs
  local slot end
  mkfs.erofs --quiet -Enosbcrc --chunksize=4096 --blobdev=blob image "$BATS_FILE_TMPDIR/tree" \
    >mkfs.out 2>&1 || skip "this mkfs.erofs has no extra devices"
  run "$UNIT/image_compare" image "$BATS_FILE_TMPDIR/tree"
  assert_status 1
  assert_has 'device 1 of 1 is another file, which was not given'
  assert_lacks 'not in the directory'
  # the slot's unified address: the first block behind the image
  slot=$(($(od -An -tu2 -j 1112 -N 2 image) * 128))
  end=$(($(stat -c %s image) / 4096))
  le32 "$end" | dd of=image bs=1 seek=$((slot + 68)) conv=notrunc status=none
  cat blob >>image
  "$UNIT/image_compare" image "$BATS_FILE_TMPDIR/tree"
}

@test "broken images are refused and never crash the reader" {
  require_root
  mkdir small
  text 100000 >small/text
  noise 20000 >small/noise
  { text 9000; noise 9000; text 9000; } >small/mixed
  ln -s text small/link
  setfattr -n user.one -v 1 small/text
  mkdir small/dir
  (cd small/dir && seq -f 'entry-%05g' 300 | xargs touch)
  local i=0 options
  for options in '-z none' '-z lz4 --compat 5.15 -C 16K' '-z lz4 --compat 6.1' \
    '-z zstd --compat 6.12 -C 16K' '-z zstd --compat 6.15 -C 16K' \
    '-z zstd --compat 6.17 -C 16K --metadata-cluster 8K'; do
    # shellcheck disable=SC2086 # several words
    mkimage $options "image.$((i += 1))" small
  done
  for options in -zlz4 -zlz4hc\ -C65536 --chunksize=4096; do
    # shellcheck disable=SC2086
    mkfs.erofs --quiet $options "image.$((i += 1))" small >/dev/null 2>&1 || true
  done
  run "$UNIT/image_mutate" -s "$RANDOM" -n 150 image.*
  assert_status 0
  assert_lacks 'runtime error'
}
