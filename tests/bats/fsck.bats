#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154

load checktree

setup_file() {
  cd "$BATS_FILE_TMPDIR" || return 1
  tree_make src
  mkfs.erofs --quiet plain.img src
  mkfs.erofs --quiet -zlz4 -C65536 lz4.img src
  mkfs.erofs --quiet -zlz4 -Elegacy-compress full.img src
  mkfs.erofs --quiet -zlz4hc -Eztailpacking tail.img src
  mkfs.erofs --quiet -zlz4hc -C65536 -Efragments,dedupe dedupe.img src
  mkfs.erofs --quiet --chunksize=4096 chunk.img src
  mkfs.erofs --quiet -Enoinline_data,force-inode-extended noinline.img src
}

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  F=$BATS_FILE_TMPDIR
}

@test "fsck: images of every kind are clean" {
  for img in "$F"/*.img; do
    run -0 "$MICA" fsck "$img"
    [[ ${lines[0]} == "$img: clean: "* ]]
    [[ $output == *"Proved: superblock checksum right; metadata consistent; every file decodes"* ]]
    [[ $output == *"Not proved: contents"* ]]
  done
}

@test "fsck: a flipped byte anywhere in an image of mica is found by its seal" {
  "$MICA" mkimage --quiet sealed.img "$F/src"
  run -0 "$MICA" fsck sealed.img
  [[ $output == *"Proved by the seal"* && $output != *"Not proved"* ]]
  "$MICA" fsck --json sealed.img | grep -q '"sealed": true'
  size=$(stat -c %s sealed.img)
  # the seal, the superblock, the first data, the middle, an mtime of the root, the end
  root=$("$MICA" dump --json sealed.img / | python3 -c 'import json, sys; print(json.load(sys.stdin)["offset"])')
  for at in 976 984 1100 4095 4096 $((size / 2)) $((root + 12)) $((size - 1)); do
    cp sealed.img flipped.img
    python3 -c 'import sys
f = open("flipped.img", "r+b")
f.seek(int(sys.argv[1]))
b = f.read(1)[0]
f.seek(int(sys.argv[1]))
f.write(bytes([b ^ 16]))' "$at"
    run -4 "$MICA" fsck flipped.img
    [[ $at -lt 984 || $output == *"seal at 0x3c0: the image's checksum is "*"a byte has changed"* ]]
  done
  # nothing but the structure is looked at on request
  run -0 "$MICA" fsck --no-data flipped.img
  head -c 960 /dev/urandom | dd of=sealed.img conv=notrunc status=none
  run -0 "$MICA" fsck sealed.img # a boot loader may live there
}

# kernel_reads IMAGE: and sees what mica sees
kernel_reads() {
  [ "$(id -u)" = 0 ] || return 0
  mkdir m
  mount -t erofs -o ro "$1" m || skip "this kernel does not know all features of $1"
  (cd m && find . -print0 | sort -z) >names
  (cd m && find . -type f -print0 | sort -z | xargs -0 cat) | sha256sum >kernel
  umount m
  "$MICA" extract "$1" -C x
  (cd x && find . -print0 | sort -z) | cmp - names
  (cd x && find . -type f -print0 | sort -z | xargs -0 cat) | sha256sum | cmp - kernel
}

@test "fsck: the good image made by hand is clean, to the kernel as well" {
  "$BADIMAGE" make good good.img
  run -0 "$MICA" fsck good.img
  [[ $output == *": clean: 15 inodes (11 files, 2 directories, 1 symlinks, 1 others), 16 names; 3 pclusters"* ]]
  kernel_reads good.img
}

@test "fsck: the same with a metabox" {
  "$BADIMAGE" make boxed boxed.img
  run -0 "$MICA" fsck boxed.img
  [[ $output == *": clean: 17 inodes (12 files, 3 directories, 1 symlinks, 1 others), 18 names; 3 pclusters"* ]]
  kernel_reads boxed.img
}

@test "fsck: each bad image is found, named and graded" {
  failed=0
  count=0
  while IFS=$'\t' read -r name want message; do
    "$BADIMAGE" make "$name" bad.img
    run timeout 20 "$MICA" fsck bad.img
    count=$((count + 1))
    if [ "$status" != "$want" ] || [[ $output != *"$message"* ]]; then
      printf '%s: status %s, not %s; not "%s" in:\n%s\n' "$name" "$status" "$want" "$message" \
        "$output"
      failed=$((failed + 1))
    fi
  done < <("$BADIMAGE" list)
  [ "$count" -ge 30 ]
  [ "$failed" = 0 ]
}

@test "fsck: bad images crash no verb" {
  while IFS=$'\t' read -r name _; do
    "$BADIMAGE" make "$name" bad.img
    for verb in dump "dump --ls -R" "extract -C out" "extract --tar"; do
      # shellcheck disable=SC2086
      run timeout 20 "$MICA" ${verb%% *} bad.img ${verb#* }
      [ "$status" -le 1 ] || { echo "$name $verb $status" && return 1; }
    done
    rm -rf out
  done < <("$BADIMAGE" list)
}

@test "fsck: a flipped bit anywhere in the superblock's block is found" {
  for at in $(seq 1024 97 4095) 1024 1028 1036; do
    cp "$F/plain.img" flip.img
    byte=$(od -An -tu1 -j"$at" -N1 flip.img)
    poke flip.img "$at" "$(printf %02x $((byte ^ 16)))"
    run "$MICA" fsck --no-data flip.img
    [ $((status & 12)) != 0 ]
  done
}

@test "fsck: what is clean in spite of a flipped bit, everybody can read" {
  RANDOM=1
  clean=0
  mkdir m
  for _ in $(seq 60); do
    cp "$F/full.img" flip.img
    poke flip.img 1032 02000000 # no superblock checksum
    at=$((1152 + (RANDOM * 32768 + RANDOM) % 60000))
    byte=$(od -An -tu1 -j$at -N1 flip.img)
    poke flip.img $at "$(printf %02x $((byte ^ 1 << RANDOM % 8)))"
    run "$MICA" fsck flip.img
    [ "$status" = 0 ] || [ "$status" = 4 ]
    [ "$status" = 0 ] || continue
    clean=$((clean + 1))
    "$MICA" extract --tar flip.img >t.tar
    [ "$(id -u)" = 0 ] && grep -qw erofs /proc/filesystems || continue
    mount -t erofs -o ro flip.img m
    read=good
    find m -type f -exec cat {} + >/dev/null && getfattr -h -R -d -m - m >/dev/null || read=bad
    umount m
    [ $read = good ]
  done
  [ $clean -gt 5 ]
  [ $clean -lt 60 ]
}

@test "fsck: truncated images are found" {
  size=$(stat -c %s "$F/lz4.img")
  for len in $((size - 1)) $((size - 4096)) $((size / 2)) 8192 4096 1100 1024 100 0; do
    head -c "$len" "$F/lz4.img" >cut.img
    run "$MICA" fsck cut.img
    [ "$status" = 4 ]
    [[ $output == "mica fsck: cut.img: superblock at 0x400: "* ]]
    [[ $output != *"cut.img: cut.img: "* ]]
  done
}

@test "fsck: exit status of several images is the or of theirs" {
  head -c 8192 "$F/lz4.img" >cut.img
  run -0 "$MICA" fsck -a -p -n -y "$F/plain.img" "$F/lz4.img"
  [ "$(grep -c ': clean: ' <<<"$output")" = 2 ]
  run -4 "$MICA" fsck "$F/plain.img" cut.img
  run -8 "$MICA" fsck nothing.img "$F/plain.img"
  run -12 "$MICA" fsck cut.img nothing.img
  run -8 "$MICA" fsck .
  run -16 "$MICA" fsck
  run -16 "$MICA" fsck --no-such "$F/plain.img"
  run -16 "$MICA" fsck -j 0 "$F/plain.img"
}

@test "fsck --quiet says nothing of a clean image" {
  run -0 "$MICA" fsck -q "$F/plain.img"
  [ -z "$output" ]
}

@test "fsck --json" {
  command -v jq >/dev/null || skip "needs jq"
  "$BADIMAGE" make nlink bad.img
  run -4 --separate-stderr "$MICA" fsck --json "$F/plain.img" bad.img
  [ -z "$stderr" ]
  [ "${#lines[@]}" = 2 ]
  [ "$(jq -r .ok <<<"${lines[0]}")" = true ]
  [ "$(jq -r .counts.names <<<"${lines[0]}")" = "$(find "$F/src" -printf x | wc -c)" ]
  [ "$(jq -r .bytes.image <<<"${lines[0]}")" = "$(stat -c %s "$F/plain.img")" ]
  [ "$(jq -r .ok <<<"${lines[1]}")" = false ]
  [ "$(jq -r '.errors[0] | .structure + .path' <<<"${lines[1]}")" = inode/hard1 ]
}

@test "fsck: data that does not decode is found, unless not looked at" {
  cp "$F/lz4.img" bad.img
  at=$("$MICA" dump --extents bad.img text | awk 'NR == 2 { print $3 }')
  dd if=/dev/zero of=bad.img bs=4096 count=1 seek=$((at / 4096)) conv=notrunc status=none
  run -4 "$MICA" fsck bad.img
  [[ ${lines[0]} == "mica fsck: bad.img: data /"*"(nid "*") at 0x"* ]]
  [ "${#lines[@]}" = 1 ]
  run -0 "$MICA" fsck --no-data bad.img
  [[ $output == *"file data not looked at"* ]]
}

@test "fsck: an inline pcluster that does not decode is found" {
  mkdir s
  seq 1 900 >s/file
  mkfs.erofs --quiet -zlz4hc -Eztailpacking s.img s
  run -0 "$MICA" fsck s.img
  [[ $output == *"; 1 pclusters decoded to 3492 bytes"* ]]
  at=$("$MICA" dump --extents s.img file | awk '$5 == "inline-encoded" { print $3 }')
  poke s.img "$at" 000000000000
  run -4 "$MICA" fsck s.img
  [[ $output == "mica fsck: s.img: data /file (nid "* ]]
}

# In the good image the first extent of /extents is 8192 bytes in a pcluster of 4096.
share() { # share BLOCK [PARTIAL]
  "$BADIMAGE" make good share.img
  record=$((4096 + 10 * 256 + 32 + 16))
  poke share.img $((record + 4)) "00$(printf %02x $(($1 * 16)))0000"
  [ -z "${2-}" ] || poke share.img $((record + 3)) 18
}

@test "fsck: a shared pcluster is decoded once, and complained of once" {
  share 10
  run -0 "$MICA" fsck share.img
  [[ $output == *"; 2 pclusters decoded to 20480 bytes"* ]]
  dd if=/dev/zero of=share.img bs=4096 count=1 seek=10 conv=notrunc status=none
  run -4 "$MICA" fsck share.img
  [ "${#lines[@]}" = 1 ]
}

@test "fsck: a part of a pcluster may be shared when the extent says so" {
  share 9 partial
  run -0 "$MICA" fsck share.img
  [[ $output == *"; 2 pclusters decoded to 20480 bytes"* ]]
  share 9
  run -4 "$MICA" fsck share.img
  [[ $output == *"pcluster decodes to 8192 bytes, for nid 64 to 12288"* ]]
  # more than there is
  "$BADIMAGE" make z-share share.img
  run -4 "$MICA" fsck share.img
}

# assert_byte FILE AT HEX
assert_byte() {
  [ "$(od -An -tx1 -j"$2" -N1 "$1")" = " $3" ]
}

@test "fsck: an accident to the seal itself, or one that looks like news, is found" {
  mkdir s
  echo data >s/file
  "$MICA" mkimage --quiet good.img s
  run -0 "$MICA" fsck good.img
  [[ $output == *"Proved by the seal"* ]]
  # magic, version, reserved bytes, length, sum, reserved bytes
  for at in 960 967 968 972 976 984 1023; do
    cp good.img bad.img
    byte=$(od -An -tu1 -j$at -N1 bad.img)
    poke bad.img $at "$(printf %02x $((byte ^ 4)))"
    run -4 "$MICA" fsck bad.img
    [[ $output == *" seal at 0x3c0: "* ]]
  done
  # whether there are xattrs is said there
  assert_byte good.img 972 01
  setfattr -n user.x -v 1 s/file
  "$MICA" mkimage --quiet xattr.img s
  assert_byte xattr.img 972 00
  run -0 "$MICA" fsck xattr.img
  poke xattr.img 972 01
  run -4 "$MICA" fsck xattr.img
  [[ $output == *"there are some, but the seal says that no inode has any"* ]]
  [[ $output == *" seal at 0x3c0: the image's checksum is "* ]]
  poke good.img 972 00
  run -4 "$MICA" fsck good.img
  [[ $output == *" seal at 0x3c0: the image's checksum is "* ]]
  poke good.img 972 01
  # other bytes there are somebody else's
  cp good.img bad.img
  dd if=/dev/zero bs=64 count=1 seek=15 conv=notrunc status=none of=bad.img
  run -0 "$MICA" fsck bad.img
  [[ $output == *"Not proved: "* ]]
  poke bad.img 968 01
  run -0 "$MICA" fsck bad.img
  # bits of the root's format that no kernel knows yet
  cp good.img bad.img
  at=$("$MICA" dump good.img / | sed -n 's/^Offset: *//p')
  poke bad.img $((at + 1)) 20
  run -4 "$MICA" fsck bad.img
  [[ $output == *" has unknown bits 0x2000"* ]]
}

@test "fsck: any number of threads finds the same" {
  "$BADIMAGE" make lz4-full bad.img
  for j in 1 2 8; do
    run -4 "$MICA" fsck -j "$j" bad.img
    echo "$output" >"$j"
  done
  cmp 1 2
  cmp 1 8
}

@test "fsck: fields of the 48-bit layout in an image without it" {
  mkdir s
  echo x >s/file
  mkfs.erofs --quiet -T0 -Eforce-inode-compact s.img s
  run -0 "$MICA" fsck s.img
  run -0 "$MICA" dump s.img file
  at=$(sed -n 's/^Offset: *//p' <<<"$output")
  cp s.img bad.img
  poke bad.img $((at + 12)) 05
  run -4 "$MICA" fsck bad.img
  [[ $output == *": inode /file (nid "*": mtime 5 in a compact inode without the 48-bit layout"* ]]
  cp s.img bad.img
  byte=$(od -An -tu1 -j$((at)) -N1 bad.img)
  poke bad.img $((at)) "$(printf %02x $((byte | 16)))"
  run -4 "$MICA" fsck bad.img
  [[ $output == *"has bit 4 without the 48-bit layout"* ]]
}

@test "fsck: a hundred errors are shown, the rest is counted" {
  cp "$F/plain.img" many.img
  # every name of the directory gets the type of a symlink
  at=$("$MICA" dump --extents many.img many | awk '$5 ~ /plain|inline/ && NR == 2 { print $3 }')
  for i in $(seq 2 200); do
    poke many.img $((at + 12 * i + 10)) 07
  done
  run -4 "$MICA" fsck many.img
  [ "${#lines[@]}" = 101 ]
  [[ ${lines[100]} == *": and 99 errors more" ]]
  [[ ${lines[0]} == *": directory /many (nid "* ]]
}

@test "fsck: image at an offset" {
  (head -c 4096 /dev/zero && cat "$F/lz4.img") >shifted
  run -4 "$MICA" fsck shifted
  run -0 "$MICA" fsck --offset=4096 shifted
}
