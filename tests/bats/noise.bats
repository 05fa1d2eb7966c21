#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Slow compressors: what looks like noise is stored as it is, the rest is not.

load helpers

# kinds IMAGE PATH: of its extents, each once
kinds() {
  "$MICA" dump --json --extents "$1" "$2" |
    python3 -c 'import json, sys
print(*sorted({x["kind"] for x in json.load(sys.stdin)["extents"]}))'
}

@test "noise is stored plain, but not what only looks like it" {
  mkdir src
  noise 900000 1 >src/noise
  # the second half repeats the first one, further away than lz4 sees
  noise 200000 2 >part
  cat part part >src/repeats
  # every value is as frequent as any other
  python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 2000)' >src/values
  noise 400000 3 | base64 -w 0 >src/base64
  local z
  for z in zstd:19 zstd:3 lzma:6 deflate:9 lz4hc:12; do
    mkimage --compat 6.15 -z $z -C 512K --fragments=off image src
    "$MICA" fsck --quiet image
    [ "$(kinds image /noise)" = plain ] || fail "$z: $(kinds image /noise)"
    case $z in
    lz4hc*) ;;
    deflate*) [ "$(kinds image /base64)" = encoded ] ;;
    *)
      [ "$(kinds image /repeats)" = encoded ] || fail "$z: $(kinds image /repeats)"
      [ "$(kinds image /base64)" = encoded ]
      ;;
    esac
    [ "$(kinds image /values)" = encoded ]
    shown image
    same_tree src mnt
  done
}

@test "noise is not compressed in earnest, nor what it shares a cluster with badly" {
  mkdir src
  local i z fast slow
  for i in {1..40}; do
    noise $((60000 + i * 1111)) $i >src/$i
  done
  # before 6.15 most segments of the packed inode cannot be plain
  mkimage --compat 6.12 -z zstd:1 fast src
  mkimage --compat 6.12 -z zstd:19 slow src
  fast=$(stat -c %s fast) slow=$(stat -c %s slow)
  [ "$slow" -le $((fast + 8192)) ] || fail "zstd:1 $fast bytes, zstd:19 $slow"
  "$MICA" fsck --quiet slow
  shown slow
  same_tree src mnt
}
