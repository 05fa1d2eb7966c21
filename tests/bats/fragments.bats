#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What files share: the packed inode (--fragments), extents of large files, and
# how much memory that may take (--memory).

load helpers

# Small files alike, twins, tails, and large files that differ a little.
shared_tree() {
  local i
  mkdir -p src/small src/large
  for i in {1..60}; do
    { noise $((2000 + i * 97)) $((i % 6)) | base64 -w 0; echo "$i"; } >"src/small/$i"
  done
  cp src/small/7 src/small/twin
  noise 5000 1 >src/small/noise
  head -c 9000 /dev/zero >src/small/zeros
  { noise 300000 2; text 700000 2; } >src/large/first
  { echo "some bytes in front"; cat src/large/first; } >src/large/shifted
  { cat src/large/first; noise 3000 3; } >src/large/longer
  { head -c 500000 src/large/first; text 100000 9; tail -c 300000 src/large/first; } >src/large/middle
  truncate -s 800000 src/large/longer.holes
  cat src/large/first >>src/large/longer.holes
  find src -exec touch -hd '2021-02-03 04:05:06' {} +
}

# seen_as_source IMAGE: by fsck, extract, FUSE, and the kernel
seen_as_source() {
  "$MICA" fsck --quiet "$1"
  rm -rf out
  mkdir out
  "$MICA" extract "$1" -C out
  same_tree src out
  fuse_mount "$1" fuse
  same_tree src fuse --d-ino --random-reads
  unmount fuse
  if [ "$(id -u)" = 0 ] && kernel_is 6.12; then
    kernel_mount "$1" mnt
    same_tree src mnt --d-ino --random-reads
    unmount mnt
  fi
}

@test "--fragments=off, tails and small: the same tree for every reader" {
  require_root
  require_fuse
  shared_tree
  local fragments compat
  for fragments in off tails small; do
    for compat in 6.1 6.12 6.15; do
      kernel_is $compat || continue
      mkimage --compat $compat -z lz4 -C 64K --fragments=$fragments image src
      seen_as_source image
    done
  done
}

@test "--fragments makes the image smaller; off has no packed inode" {
  shared_tree
  local fragments
  for fragments in off tails small; do
    mkimage -z zstd -C 64K --compat 6.12 --fragments=$fragments $fragments src
  done
  # its number in the superblock
  [ "$(le32_at off $((1024 + 96)))" = 0 ]
  [ "$(le32_at small $((1024 + 96)))" != 0 ]
  [ "$(le32_at tails $((1024 + 96)))" != 0 ]
  [ "$(stat -c %s small)" -lt "$(stat -c %s off)" ]
  ! cmp -s small tails || fail "tails are as small is"
  mkimage -z zstd -C 64K --compat 6.12 default src
  cmp default small
}

@test "--fragments: what it does not take" {
  mkdir src
  run -1 --separate-stderr "$MICA" mkimage --fragments=all image src
  assert_has all
  run -1 --separate-stderr "$MICA" mkimage --compat 5.15 --fragments=small image src
  assert_has "--fragments needs Linux 6.1, but the image must mount on 5.15"
  [ ! -e image ]
  mkimage --compat 5.15 --fragments=off image src
}

@test "large files that differ a little share what they have in common" {
  mkdir src
  noise 6000000 1 | base64 -w 0 >src/first
  mkimage -z zstd first src
  { echo front; head -c 3000000 src/first; echo middle; tail -c +3000001 src/first; } >src/second
  mkimage -z zstd both src
  local one two
  one=$(stat -c %s first) two=$(stat -c %s both)
  # two places differ: a few clusters of 512 KiB
  [ $((two - one)) -lt $((one / 3)) ] || fail "$one bytes alone, $two with its like"
  rm -rf out
  mkdir out
  "$MICA" extract both -C out
  same_tree src out
}

# A short chunk of new bytes before those of another file: before 6.15 two extents
# must not begin in one block.
@test "new bytes shorter than a block before shared ones" {
  require_root
  mkdir src
  python3 - <<'P'
import random
r = random.Random(1)
words = [bytes(r.choice(b"abcdefghijklmnop") for _ in range(r.randint(2, 9))) + b" " for _ in range(5000)]
text = b"".join(r.choice(words) for _ in range(60000))
# of so many lengths some end where the content is cut
for n in range(2048, 4096, 16):
    start = r.randrange(0, 4000)
    open(f"src/{n}", "wb").write(text[start:start + n] + text[:100000])
open("src/0", "wb").write(text[:200000])
P
  local cluster
  for cluster in 64K 128K; do
    mkimage --compat 6.12 -z zstd -C $cluster image src
    "$MICA" fsck --quiet image
    shown image
    same_tree src mnt
  done
}

@test "--memory: what it does not take" {
  mkdir src
  run -1 --separate-stderr "$MICA" mkimage --memory=63M image src
  assert_has --memory
  run -1 --separate-stderr "$MICA" mkimage --memory=much image src
  assert_has much
  mkimage --memory=64M image src
  mkimage --memory=1T image src
}

@test "--memory: less of it is a larger image of the same files" {
  mkdir src
  # 24 MB of small files: more than the hoards of 64M hold; likes are far apart
  python3 - <<'P'
import base64, random
r = random.Random(1)
base = [base64.b64encode(r.randbytes(30000)) for _ in range(300)]
for i in range(600):
    open(f"src/{i:04}", "wb").write(b"%d" % i + base[i % 300])
P
  find src -exec touch -hd '2021-02-03 04:05:06' {} +
  mkimage -z zstd --memory=64M little src
  mkimage -z zstd --memory=512M much src
  mkimage -z zstd much2 src
  cmp much much2
  [ "$(stat -c %s much)" -lt $(($(stat -c %s little) * 3 / 4)) ] ||
    fail "$(stat -c %s much) bytes with much, $(stat -c %s little) with little"
  "$MICA" fsck --quiet little
  mkdir out
  "$MICA" extract little -C out
  same_tree src out
}

# The parts of the packed inode lie apart in the image, with large files between them.
@test "the packed inode has a compact index before 6.15" {
  require_root
  mkdir src
  python3 - <<'P'
import base64, random
r = random.Random(1)
for i in range(600):
    data = r.randbytes(30000)
    # some that cannot be compressed, some that can, large ones that begin like another one
    open(f"src/{i:04}", "wb").write(data if i % 3 else base64.b64encode(data))
    if i % 60 == 0:
        large = (r.randbytes(300000) + bytes(400000)) * 3
        open(f"src/{i:04}.large", "wb").write(large)
        open(f"src/{i:04}.again", "wb").write(large[:1400000] + data)
P
  find src -exec touch -hd '2021-02-03 04:05:06' {} +
  local compat packed format
  for compat in 6.1 6.12; do
    kernel_is $compat || continue
    mkimage --compat $compat -z lz4 --memory=64M image src
    packed=$(($(le32_at image $((1024 + 40))) * 4096 + $(le32_at image $((1024 + 96))) * 32))
    format=$(($(le32_at image $packed) & 65535))
    [ $((format >> 1 & 7)) = 3 ] || fail "--compat $compat: inode format $format"
    "$MICA" fsck --quiet image
    shown image
    same_tree src mnt
    unmount mnt
  done
}

# Where a part of the packed inode ends, its last segment may be full but for some bytes.
@test "small clusters, and parts of the packed inode that end anywhere" {
  mkdir src
  python3 - <<'P'
import random
r = random.Random(1)
for i in range(3000):
    open(f"src/{i:04}", "wb").write((b"%d " % i) * r.randrange(10, 2500) + r.randbytes(40))
P
  local cluster
  for cluster in 8K 12K 64K; do
    mkimage --compat 6.12 -z zstd:1 --memory=64M -C $cluster image src
    "$MICA" fsck --quiet image
    shown image
    same_tree src mnt
    unmount mnt
  done
}

@test "a tar, its directory and any number of threads: the same bytes" {
  shared_tree
  tar_of src src.tar
  local fragments
  for fragments in off tails small; do
    for compat in 6.12 6.15; do
      mkimage --compat $compat -C 64K --fragments=$fragments --memory=64M -j 1 one src
      mkimage --compat $compat -C 64K --fragments=$fragments --memory=64M -j 7 seven src.tar
      mkimage --compat $compat -C 64K --fragments=$fragments --memory=64M -j 3 pipe - <src.tar
      cmp one seven
      cmp one pipe
    done
  done
}

# grown FILE: bytes that one more file in src adds to the image without compression
grown() {
  rm -rf one two
  mkimage --compat 5.15 -z none one src
  cp "$1" src/zz
  mkimage --compat 5.15 -z none -j 1 two src
  mkimage --compat 5.15 -z none --verify -j 3 again src
  cmp two again
  "$MICA" fsck --quiet two
  shown two
  same_tree src mnt --random-reads
  # chunks may be shared anywhere: nothing that 5.15 does not know
  run "$MICA" dump two
  [[ $output =~ 'Oldest kernel:          5.'(15|4)$'\n' ]] || fail "$output"
  GROWN=$(($(stat -c %s two) - $(stat -c %s one)))
}

@test "without compression, blocks that are stored already are shared" {
  require_root
  mkdir src
  noise 3000000 1 >src/a
  noise 2000000 2 >src/b
  # the beginning of a file, and a tail that needs a block
  { head -c 200704 src/a && text 100; } >file
  grown file
  [ "$GROWN" -le 8192 ] || fail "$GROWN"
  # blocks of two files around new ones
  { tail -c +4097 src/a | head -c 409600; noise 8192 3; head -c 1048576 src/b; text 100; } >file
  grown file
  [ "$GROWN" -le 20480 ] || fail "$GROWN"
  assert_equal "$(stat -c %s mnt/zz)" 1466468
  # with holes
  { head -c 65536 src/b; head -c 1048576 /dev/zero; head -c 65536 src/a; } >file
  grown file
  [ "$GROWN" -le 8192 ] || fail "$GROWN"
  # more than one cluster, of which only the end differs; and the same file once more
  { cat src/a | head -c 2998272; noise 50000 4; } >file
  grown file
  [ "$GROWN" -le 65536 ] || fail "$GROWN"
  cp file src/z
  grown file
  [ "$GROWN" -le 4096 ] || fail "$GROWN"
  # shifted by a byte nothing is the same
  { echo && head -c 100000 src/a; } >file
  grown file
  [ "$GROWN" -ge 98304 ] || fail "$GROWN"
}

@test "one shared block does not pay for the map of a long file" {
  require_root
  mkdir src
  noise 40000 1 >src/a
  # 4096 bytes saved; a map of 4 bytes for each of 1200 blocks
  { noise 1228800 2; head -c 4096 src/a; noise 3686400 3; } >file
  grown file
  [ "$GROWN" -ge 4919296 ] || fail "$GROWN"
  run -0 "$MICA" dump two
  assert_lacks chunked_file
}

# One file that would be larger than a cluster of 1M, and noise that is stored plain.
best_tree() {
  shared_tree
  { cat src/large/first; noise 1200000 5; text 2500000 6; } >src/large/mixed
  cp src/large/mixed src/large/mixed.twin
  truncate -s 100M src/large/sparse
  printf end >>src/large/sparse
  find src -exec touch -hd '2021-02-03 04:05:06' {} +
}

@test "--best: the same tree for every reader, the same bytes with any number of jobs" {
  require_root
  require_fuse
  best_tree
  local compat
  for compat in 6.12 6.17; do
    mkimage --best --compat $compat -j8 --memory 4G $compat src
    kernel_is $compat || continue
    seen_as_source $compat
  done
  mkimage --best -j1 --memory 4G one src
  cmp one 6.17
}

@test "--best: files with a common part far from their beginning lie side by side" {
  mkdir src
  local i
  for i in {10..29}; do
    { noise 15000 "$i"; noise 225000 $((i % 10)); } | base64 -w0 >"src/$i"
  done
  mkimage --best image src
  # half of it is there twice, too far apart for the kernel's clusters when stored by name
  [ "$(stat -c %s image)" -lt 3300000 ]
}

@test "long runs that came before, far away, are not stored again" {
  require_root
  require_fuse
  mkdir src
  noise 3000000 1 | base64 -w0 >shared
  { noise 700000 2 | base64 -w0; cat shared; } >src/a
  { noise 3000000 3 | base64 -w0; } >src/b
  # all of it, behind other bytes; a part of it; what was shared, again, and from its middle
  { noise 900001 4 | base64 -w0; cat shared; noise 100000 5 | base64 -w0; } >src/c
  { tail -c +1000003 shared | head -c 800000; noise 900000 6 | base64 -w0; } >src/d
  { noise 400000 7; head -c 1500000 shared; tail -c +2000001 shared; } >src/e
  find src -exec touch -hd '2021-02-03 04:05:06' {} +
  mkimage -z zstd:3 -C 4M --compat 6.15 -j1 image src
  mkimage -z zstd:3 -C 4M --compat 6.15 -j8 --memory 4G eight src
  cmp image eight
  seen_as_source image
  mkimage -z zstd:3 -C 4M --compat 6.12 index src
  # base64 takes 3/4: 6,000,000 bytes are of all files' own, and 3,000,000 are shared
  [ "$(stat -c %s image)" -lt 9400000 ] || fail "$(stat -c %s image)"
  [ "$(stat -c %s index)" -gt 11000000 ] || fail "$(stat -c %s index)"
}

@test "-C of more than 1M: extents decode to more, and encode to no more than a kernel takes" {
  best_tree
  mkimage -z zstd:3 -C 4M --compat 6.15 four src
  mkimage -z zstd:3 -C 1M --compat 6.15 one src
  seen_as_source four
  [ "$(stat -c %s four)" -lt "$(stat -c %s one)" ]
}
