#!/bin/bash
# SPDX-License-Identifier: MIT
# large.sh: images of real size: files of the machine's /usr and a tar like a
# node_modules tree. Built in several ways, within the memory that mica
# promises, and compared with their source in every way. Prints TAP.
set -uo pipefail

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
MICA=${MICA:-$ROOT/build/test-gcc/mica}
TOOLS=${TOOLS:-$ROOT/build/test-gcc/tests/tools}
work=$(mktemp -d)
# shellcheck source=tests/full/lib.sh
. "$ROOT/tests/full/lib.sh"

leave() {
  mountpoint -q "$work/mnt" && umount -l "$work/mnt"
  rm -rf --one-file-system "$work"
}
trap leave EXIT
mkdir "$work/mnt"

build() { # build CORPUS OPTION...: within the memory bound
  local name=$1 kib limit
  shift
  rm -f "$work/used"
  "$TOOLS/measure" "$work/used" "$MICA" mkimage --quiet "$@" "$work/image" "$work/$name.tar" || return
  [ -z "${SANITIZED:-}" ] || return 0
  kib=$(cut -d' ' -f3 "$work/used")
  limit=$((262144 + ($(cat "$work/$name.entries") * 256 + $(cat "$work/$name.names")) / 1024))
  [ "$kib" -le "$limit" ] || {
    echo "used $kib KiB, the limit is $limit"
    return 1
  }
}

by_kernel() {
  "$TOOLS/kmount" "$work/image" "$work/mnt" || return
  "$TOOLS/treecmp" --d-ino --random-reads "$work/$1" "$work/mnt" || return
  umount "$work/mnt"
}

by_fuse() {
  "$MICA" mount "$work/image" "$work/mnt" || return
  "$TOOLS/treecmp" --d-ino --random-reads "$work/$1" "$work/mnt" || return
  "$MICA" umount "$work/mnt"
}

by_extraction() {
  rm -rf "$work/out"
  "$MICA" extract "$work/image" -C "$work/out" || return
  "$TOOLS/treecmp" "$work/$1" "$work/out" || return
  rm -rf "$work/out"
}

same_from_directory() {
  local source=$work/$1
  shift
  "$MICA" mkimage --quiet -j 1 "$@" "$work/image2" "$source" || return
  cmp "$work/image" "$work/image2"
}

python3 "$ROOT/tests/full/corpus.py" files /usr 1000 |
  tar --no-recursion --null -T - --format=pax --xattrs --acls -S -cf "$work/usr.raw" 2>/dev/null
python3 "$ROOT/tests/full/corpus.py" modules >"$work/modules.raw"
for corpus in usr modules; do
  mkdir "$work/$corpus"
  tar -C "$work/$corpus" --xattrs --xattrs-include='*' --acls -xpf "$work/$corpus.raw" || exit 1
  rm "$work/$corpus.raw"
  tar --sort=name --format=posix --xattrs --acls -S -C "$work/$corpus" -cf "$work/$corpus.tar" .
  tar -tf "$work/$corpus.tar" | wc -l >"$work/$corpus.entries"
  find "$work/$corpus" -printf %f | wc -c >"$work/$corpus.names"
  for options in '-z zstd:3' '-z zstd:3 --compat 6.15' '-z lz4 --compat 5.15' '-z lz4hc --compat 6.1' \
    '-z none' '-z zstd:1 -C 1M' '-z lz4 -C 4K --compat 6.15'; do
    # shellcheck disable=SC2086 # several words
    check "$corpus, $options: build" build "$corpus" $options
    check "$corpus, $options: fsck" "$MICA" fsck "$work/image"
    check "$corpus, $options: kernel" by_kernel "$corpus"
    check "$corpus, $options: FUSE" by_fuse "$corpus"
    check "$corpus, $options: extraction" by_extraction "$corpus"
  done
  # shellcheck disable=SC2086
  check "$corpus, $options: the same from the directory" same_from_directory "$corpus" $options
done
echo "1..$number"
exit $failed
