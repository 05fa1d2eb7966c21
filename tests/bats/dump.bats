#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154

load checktree

setup_file() {
  cd "$BATS_FILE_TMPDIR" || return 1
  tree_make src
  mkfs.erofs --quiet -U 01234567-89ab-cdef-0123-456789abcdef plain.img src
  mkfs.erofs --quiet -zlz4hc -C65536 lz4.img src
  mkfs.erofs --quiet --chunksize=4096 chunk.img src
}

setup() {
  cd "$BATS_FILE_TMPDIR" || return 1
}

# field LABEL: its value in $output
field() {
  sed -n "s/^$1: *//p" <<<"$output"
}

@test "dump: superblock and statistics" {
  run -0 "$MICA" dump plain.img
  [ "$(field UUID)" = 01234567-89ab-cdef-0123-456789abcdef ]
  [ "$(field 'Block size')" = 4096 ]
  [ "$(field 'Image bytes')" = "$(stat -c %s plain.img)" ]
  [[ $(field 'Compatible features') == *sb_chksum* ]]
  [ "$(field 'Incompatible features')" = none ]
  [ "$(field 'Oldest kernel')" = 5.4 ]
  [ "$(field Names)" = "$(find src -printf x | wc -c)" ]
  [ "$(field 'Inodes found')" = "$(find src -printf '%i\n' | sort -u | wc -l)" ]
  [ "$(field Symlinks)" = 2 ]
  [ "$(field Directories)" = "$(find src -type d | wc -l)" ]
  [ "$(field 'Layout compact index')" = 0 ]
}

@test "dump: features, algorithms and kernels of compressed and chunked images" {
  run -0 "$MICA" dump lz4.img
  [[ $(field 'Incompatible features') == *zero_padding*compr_cfgs* ]]
  [[ $(field 'Algorithm lz4') == "max distance "*"max pcluster 16 blocks" ]]
  [ "$(field 'Oldest kernel')" = 5.13 ]
  [ "$(field 'Layout compact index')" -gt 0 ]
  run -0 "$MICA" dump chunk.img
  [[ $(field 'Incompatible features') == *chunked_file* ]]
  [ "$(field 'Oldest kernel')" = 5.15 ]
  "$BADIMAGE" make good good.img
  run -0 "$MICA" dump good.img
  [ "$(field 'Oldest kernel')" = 6.15 ]
  [ "$(field 'Bytes in holes')" = 4096 ]
  [ "$(field 'Bytes in fragments')" = 200 ]
}

@test "dump: compressed metadata" {
  "$BADIMAGE" make boxed boxed.img
  run -0 "$MICA" dump boxed.img
  [ "$(field 'Oldest kernel')" = 6.17 ]
  [[ $(field 'Incompatible features') == *metabox* ]]
  [ "$(field 'Metabox nid')" = 136 ]
  [ "$(field 'Superblock bytes')" = 144 ]
  [ "$(field 'Metabox decoded')" = 768 ]
  [ "$(field 'Metabox stored')" = 768 ]
  run -0 "$MICA" dump boxed.img sub/box/file
  [ "$(field 'Offset in metabox')" = 0x100 ]
  "$MICA" mkimage --quiet --compat 6.17 metabox.img src
  run -0 "$MICA" dump metabox.img
  [[ $(field 'Compatible features') == *shared_ea_in_metabox* ]]
  [ "$(field 'Metabox stored')" -lt "$(field 'Metabox decoded')" ]
}

@test "dump: what a read has to decode" {
  mkdir big
  seq 1000000 | head -c 1M >big/one
  cp big/one big/same
  "$MICA" mkimage --quiet -z lz4 -C 64K --compat 6.0 big.img big
  run -0 "$MICA" dump big.img
  [ "$(field Clusters)" = 16 ]
  [ "$(field 'Cluster mean decoded')" = 65536 ]
  [ "$(field 'Read mean decoded')" = 65536 ]
  # one part in nine is read as it is, a block at a time
  head -c 256K /dev/urandom >big/plain
  "$MICA" mkimage --quiet -z lz4 -C 64K --compat 6.0 big.img big
  run -0 "$MICA" dump big.img
  [ "$(field Clusters)" = 16 ]
  [ "$(field 'Read mean decoded')" = $(((8 * 65536 + 4096) / 9)) ]
}

@test "dump --json says the same" {
  command -v jq >/dev/null || skip "needs jq"
  "$MICA" dump --json lz4.img >j
  [ "$(jq -r .oldest_kernel j)" = 5.13 ]
  [ "$(jq .statistics.names j)" = "$(find src -printf x | wc -c)" ]
  [ "$(jq -r '.feature_incompat | join(" ")' j)" = "zero_padding compr_cfgs+big_pcluster" ]
  [ "$(jq -r '.algorithms | keys[]' j)" = lz4 ]
}

@test "dump: an inode with its xattrs" {
  run -0 "$MICA" dump plain.img /text
  [ "$(field Size)" = "$(stat -c %s src/text)" ]
  [ "$(field Type)" = file ]
  [ "$(field Links)" = 3 ]
  [ "$(field Modified)" = "2001-02-03 04:05:06.123456789" ]
  grep -q '^  user.one="1"' <<<"$output"
  run -0 "$MICA" dump plain.img dir
  grep -q '^  user.bin=0x00ff10' <<<"$output"
  run -0 "$MICA" dump plain.img dir/up
  [ "$(field Target)" = ../text ]
  run -0 "$MICA" dump plain.img empty
  [ "$(field Modified)" = "1969-12-31 23:59:58.500000000" ]
}

@test "dump: devices and owners" {
  need_root
  run -0 "$MICA" dump plain.img block
  [ "$(field Major)" = 259 ]
  [ "$(field Minor)" = 70000 ]
  run -0 "$MICA" dump plain.img text
  [ "$(field Uid)" = 70000 ]
  [ "$(field Mode)" = "104711 (-rws--x--x)" ]
}

@test "dump --json of an inode" {
  command -v jq >/dev/null || skip "needs jq"
  "$MICA" dump --json plain.img text >j
  [ "$(jq .size j)" = "$(stat -c %s src/text)" ]
  [ "$(jq -r '.xattrs[] | select(.name == "user.one") | .text' j)" = 1 ]
  "$MICA" dump --json plain.img dir >j
  [ "$(jq -r '.xattrs[] | select(.name == "user.bin") | .hex' j)" = 00ff10 ]
}

@test "dump --ls lists a directory, -R everything" {
  run -0 "$MICA" dump --ls plain.img
  [ "${#lines[@]}" = "$(($(find src -maxdepth 1 -printf x | wc -c) + 1))" ]
  grep -qx 'l.* link -> nowhere' <<<"$output"
  grep -qF 'a\x0ab\\c\x01\xff' <<<"$output"
  grep -qx 'drwxr.*  \.\.' <<<"${output// ./  .}"
  run -0 "$MICA" dump --ls plain.img dir/up
  [[ $output == lrwxrwxrwx*"dir/up -> ../text" ]]
  run -0 "$MICA" dump --ls -R plain.img
  [ "${#lines[@]}" = "$(find src -printf x | wc -c)" ]
  run -0 "$MICA" dump --ls -R plain.img dir
  [ "${#lines[@]}" = "$(find src/dir -printf x | wc -c)" ]
  grep -q ' dir/sub/short$' <<<"$output"
}

@test "dump --extents shows the block map" {
  "$BADIMAGE" make good good.img
  run -0 "$MICA" dump --extents good.img chunk
  [ "$(tr -s ' ' <<<"${lines[1]}")" = " 0 8192 28672 8192 plain -" ]
  [ "$(tr -s ' ' <<<"${lines[2]}")" = " 8192 4096 - - hole -" ]
  run -0 "$MICA" dump --extents good.img frag
  [ "$(tr -s ' ' <<<"${lines[1]}")" = " 0 200 100 200 fragment -" ]
  run -0 "$MICA" dump --extents lz4.img dir/runs
  [[ ${lines[1]} == *" encoded "*lz4* ]]
  # the last extent ends at the file's size
  run -0 "$MICA" dump --extents plain.img random
  [ "$(awk 'NR > 1 { n += $2 } END { print n }' <<<"$output")" = 300000 ]
  # a plain extent is where its bytes are
  read -r _ len at _ < <(sed -n 2p <<<"$output")
  cmp <(tail -c +$((at + 1)) plain.img | head -c "$len") <(head -c "$len" src/random)
}

@test "dump --extents --json" {
  command -v jq >/dev/null || skip "needs jq"
  "$MICA" dump --json --extents lz4.img dir/runs >j
  [ "$(jq '[.extents[].length] | add' j)" = 70000 ]
  [ "$(jq -r '.extents[0].algorithm' j)" = lz4 ]
}

@test "dump: errors" {
  run -1 "$MICA" dump
  run -1 "$MICA" dump nothing.img
  [[ $output == "mica dump: nothing.img: "* ]]
  run -1 "$MICA" dump plain.img no/such/file
  [[ $output == *"no"* ]]
  run -1 "$MICA" dump --extents plain.img
  run -1 "$MICA" dump --extents --ls plain.img /
  run -1 "$MICA" dump -R plain.img /
  run -1 "$MICA" dump --extents plain.img fifo
  run -1 "$MICA" dump src/text
  [[ $output == "mica dump: src/text: "* ]]
}

@test "dump: of a broken image what can be read, and the error" {
  "$BADIMAGE" make checksum bad.img
  run -1 --separate-stderr "$MICA" dump bad.img
  [ "$(field 'Volume name')" = bood ]
  [[ $stderr == "mica dump: bad.img: "*checksum* ]]
  "$BADIMAGE" make root-nid bad.img
  run -1 --separate-stderr "$MICA" dump --json bad.img
  [ "$(jq -r .volume_name <<<"$output")" = good ]
  "$BADIMAGE" make dir-slash bad.img
  run -1 --separate-stderr "$MICA" dump --json --ls bad.img
  [ "$(jq -r .path <<<"$output")" = / ]
  "$BADIMAGE" make magic bad.img
  run -1 --separate-stderr "$MICA" dump bad.img
  [ -z "$output" ]
}

@test "dump: image at an offset" {
  (head -c 4096 /dev/zero && cat plain.img) >shifted
  run -1 "$MICA" dump shifted
  run -0 "$MICA" dump --offset=4096 shifted
  [ "$(field UUID)" = 01234567-89ab-cdef-0123-456789abcdef ]
}
