#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh [OPTIONS]: builds and reads images with mica and with its peers from
# Debian's packages, in turns on the same machine, and prints medians and ratios
# as Markdown. Needs root, and about 6 GB in $TMPDIR.
#
#   --runs N        rounds of every measurement (default 5)
#   --tar FILE      real files to measure with (default: 600 MB of /usr)
#   --output FILE   write the table there as well
#   --only PART     build or read
#   --no-install    do not install packages
#
# erofsfuse is no package of Debian 12: it is measured when it is on PATH.
set -euo pipefail

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
runs=5 tar='' output='' only='' install=true
while [ $# -gt 0 ]; do
  case $1 in
  --runs) runs=$2 && shift ;;
  --tar) tar=$(realpath "$2") && shift ;;
  --output) output=$2 && shift ;;
  --only) only=$2 && shift ;;
  --no-install) install=false ;;
  *)
    sed -n '3,13s/^# \?//p' "$0"
    [ "$1" = --help ] && exit 0
    exit 2
    ;;
  esac
  shift
done
[ "$(id -u)" = 0 ] || {
  echo 'run.sh: needs root to mount and to drop caches' >&2
  exit 2
}

say() { echo "bench: $*" >&2; }

if $install; then "$ROOT/tests/install.sh" bench >&2; fi
build=$ROOT/build/bench
if [ -n "${MICA:-}" ]; then
  TOOLS=${TOOLS:-$ROOT/build/test-gcc/tests/tools}
else
  say 'building'
  [ -f "$build/build.ninja" ] || meson setup "$build" "$ROOT" --buildtype=release >/dev/null
  meson compile -C "$build" >/dev/null
  MICA=$build/mica TOOLS=$build/tests/tools
fi

export LC_ALL=C.UTF-8
work=$(mktemp -d "${TMPDIR:-/var/tmp}/mica-bench.XXXXXX")
leave() {
  for dir in "$work"/mnt.*; do
    mountpoint -q "$dir" && umount -l "$dir"
  done
  rm -rf --one-file-system "$work"
}
trap leave EXIT
mkdir "$work/times"

# --- corpora -----------------------------------------------------------------

corpora=(root modules)
say 'making the corpora'
if [ -n "$tar" ]; then
  ln -s "$tar" "$work/root.tar"
else
  python3 "$ROOT/tests/bench/corpus.py" files /usr 600 |
    tar --no-recursion --null -T - --format=pax -cf "$work/root.tar" 2>/dev/null
fi
python3 "$ROOT/tests/bench/corpus.py" modules >"$work/modules.tar"
for corpus in "${corpora[@]}"; do
  mkdir "$work/$corpus"
  tar -C "$work/$corpus" -xf "$work/$corpus.tar"
done

# --- building ----------------------------------------------------------------

# One line for each measurement: corpus|name|command, with %T the tar, %D the
# directory, %O the image. Standard input is the tar.
builds() {
  cat <<'B'
root|mica zstd:3, 6.12|mica mkimage --quiet -z zstd:3 --compat 6.12 %O %T
root|mica zstd:3, 6.15|mica mkimage --quiet -z zstd:3 --compat 6.15 %O %T
root|mica zstd:3, 6.12, directory|mica mkimage --quiet -z zstd:3 --compat 6.12 %O %D
root|mica lz4, 6.12|mica mkimage --quiet -z lz4 --compat 6.12 %O %T
root|mica none, 6.12|mica mkimage --quiet -z none --compat 6.12 %O %T
root|mksquashfs zstd 3|mksquashfs - %O -tar -comp zstd -Xcompression-level 3 -noappend -no-progress -quiet
root|mksquashfs zstd 3, directory|mksquashfs %D %O -comp zstd -Xcompression-level 3 -noappend -no-progress -quiet
root|mksquashfs lz4|mksquashfs - %O -tar -comp lz4 -noappend -no-progress -quiet
root|mkfs.erofs lz4, directory|mkfs.erofs -zlz4 %O %D
modules|mica zstd:3, 6.12|mica mkimage --quiet -z zstd:3 --compat 6.12 %O %T
modules|mica zstd:3, 6.15|mica mkimage --quiet -z zstd:3 --compat 6.15 %O %T
modules|mica lz4, 6.12|mica mkimage --quiet -z lz4 --compat 6.12 %O %T
modules|mksquashfs zstd 3|mksquashfs - %O -tar -comp zstd -Xcompression-level 3 -noappend -no-progress -quiet
modules|mkfs.erofs lz4, directory|mkfs.erofs -zlz4 %O %D
B
}

# build_one CORPUS NAME COMMAND: one run
build_one() {
  local corpus=$1 name=$2 image="$work/$1-${2//[ :,\/]/_}.img" word command=()
  for word in $3; do
    case $word in
    mica) word=$MICA ;;
    %T) word=$work/$corpus.tar ;;
    %D) word=$work/$corpus ;;
    %O) word=$image ;;
    esac
    command+=("$word")
  done
  rm -f "$image"
  "$TOOLS/measure" "$work/times/build|$corpus|$name" "${command[@]}" <"$work/$corpus.tar" >/dev/null
  stat -c %s "$image" >"$work/times/size|$corpus|$name"
}

build_all() {
  local round corpus name command
  for ((round = 1; round <= runs; round++)); do
    say "building, round $round of $runs"
    cat "$work"/*.tar >/dev/null
    while IFS='|' read -r corpus name command; do
      build_one "$corpus" "$name" "$command"
    done < <(builds)
  done
}

# --- reading -----------------------------------------------------------------

# corpus|name|image built as|how it is mounted
reads() {
  cat <<'R'
C|mica zstd:3, mounted by mica|mica zstd:3, 6.12|mica
C|mica zstd:3, mounted by the kernel|mica zstd:3, 6.12|kernel
C|mica lz4, mounted by mica|mica lz4, 6.12|mica
C|mica lz4, mounted by the kernel|mica lz4, 6.12|kernel
C|mkfs.erofs lz4, erofsfuse|mkfs.erofs lz4, directory|erofsfuse
C|mkfs.erofs lz4, mounted by mica|mkfs.erofs lz4, directory|mica
C|mkfs.erofs lz4, mounted by the kernel|mkfs.erofs lz4, directory|kernel
C|mksquashfs zstd 3, squashfuse_ll|mksquashfs zstd 3|squashfuse_ll
C|mksquashfs zstd 3, mounted by the kernel|mksquashfs zstd 3|squashfs
R
}

# mount_by HOW IMAGE DIR; 1: not possible here
mount_by() {
  case $1 in
  mica) "$MICA" mount "$2" "$3" >"$work/message" 2>&1 || { cat "$work/message" >&2 && exit 1; } ;;
  kernel) "$TOOLS/kmount" "$2" "$3" 2>/dev/null || mount -t erofs -o ro,loop "$2" "$3" 2>/dev/null ;;
  squashfs) mount -t squashfs -o ro,loop "$2" "$3" 2>/dev/null ;;
  *) command -v "$1" >/dev/null && "$1" "$2" "$3" >/dev/null 2>&1 ;;
  esac
}

read_one() {
  local corpus=$1 name=$2 image="$work/$1-${3//[ :,\/]/_}.img" how=$4 dir="$work/mnt.read"
  mkdir -p "$dir"
  sync
  echo 3 >/proc/sys/vm/drop_caches
  mount_by "$how" "$image" "$dir" || return 0
  "$TOOLS/measure" "$work/times/walk|$corpus|$name" find "$dir" -newermt 2100-01-01
  echo 3 >/proc/sys/vm/drop_caches
  # shellcheck disable=SC2016
  "$TOOLS/measure" "$work/times/cold|$corpus|$name" sh -c \
    'find "$1" -type f -print0 | xargs -0 cat >/dev/null' - "$dir"
  # shellcheck disable=SC2016
  "$TOOLS/measure" "$work/times/warm|$corpus|$name" sh -c \
    'find "$1" -type f -print0 | xargs -0 cat >/dev/null' - "$dir"
  umount "$dir"
}

read_all() {
  local round corpus name image how
  for ((round = 1; round <= runs; round++)); do
    say "reading, round $round of $runs"
    for corpus in "${corpora[@]}"; do
      while IFS='|' read -r _ name image how; do
        read_one "$corpus" "$name" "$image" "$how"
      done < <(reads)
    done
  done
}

# --- the run -----------------------------------------------------------------

if [ "$only" = read ]; then
  keep=$runs runs=1
  build_all
  runs=$keep
else
  build_all
fi
if [ "$only" != build ]; then read_all; fi
{
  echo "machine|$(nproc) CPUs, $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -1), Linux $(uname -r)"
  echo "versions|$("$MICA" --version), $(mksquashfs -version 2>/dev/null | sed -n '1s/ (.*//p'), erofs-utils $(dpkg-query -W -f '${Version}' erofs-utils)"
  echo "runs|$runs"
  builds | sed 's/^\([^|]*|[^|]*\)|.*/order|\1/'
  reads | sed 's/^C|\([^|]*\)|.*/order|all|\1/'
  for corpus in "${corpora[@]}"; do
    echo "corpus|$corpus|$(stat -Lc %s "$work/$corpus.tar")|$(tar -tf "$work/$corpus.tar" | awk '{ n += length($0); } END { print NR "|" n }')"
  done
} >"$work/facts"
python3 "$ROOT/tests/bench/report.py" "$work" >"$work/report.md"
cat "$work/report.md"
[ -z "$output" ] || cp "$work/report.md" "$output"
