#!/bin/bash
# SPDX-License-Identifier: MIT
# random.sh FIRST-LAST: for each seed a random tree and random options; the
# tree must come back equal from the kernel, from FUSE and from extraction, and
# fsck must find nothing. Prints TAP, one case for each seed.
set -uo pipefail

ROOT=$(cd "$(dirname "$0")/.." && pwd)
MICA=${MICA:-$ROOT/build/test-gcc/mica}
TOOLS=${TOOLS:-$ROOT/build/test-gcc/tests/tools}
range=${1:?usage: random.sh FIRST-LAST}
first=${range%-*} last=${range#*-}
kernel=$(uname -r)
kernel=$((${kernel%%.*} * 1000 + $(cut -d. -f2 <<<"$kernel" | tr -dc 0-9)))

work=$(mktemp -d)
leave() {
  local dir
  for dir in "$work"/*/{kernel,fuse} "$work"/memory; do
    mountpoint -q "$dir" && umount -l "$dir"
  done
  rm -rf --one-file-system "$work"
}
trap leave EXIT
mkdir "$work"/{disk,memory}
mount -t tmpfs -o size=1g tmpfs "$work/memory" || exit 1

alg='' compat='' cluster='' metadata='' jobs=1 kind='' both='' form='' fragments='' memory='' # chosen from the seed
options_choose() {
  state=$1
  choose compat 5.15 6.1 6.12 6.15 6.17
  choose alg none zstd zstd:1 lz4 lz4 zstd:9 default deflate lzma:1
  choose cluster default default 4K 16K 64K 128K 512K 1M
  choose metadata default default 4K 16K 256K none
  choose jobs 1 2 3 4
  choose kind directory tar
  choose both no no yes
  choose fragments default default off tails small
  choose memory default 64M 1G
  choose form image image image index append prepend
  while [ $((${compat%.*} * 1000 + ${compat#*.})) -gt "$kernel" ] && [ "$compat" != 5.15 ]; do
    case $compat in 6.17) compat=6.15 ;; 6.15) compat=6.12 ;; 6.12) compat=6.1 ;; 6.1) compat=5.15 ;; esac
  done
  [ "$compat" != 5.15 ] || fragments=default
  case $alg:$compat in
  zstd*:5.15 | zstd*:6.1 | deflate:5.15 | deflate:6.1 | lzma:1:5.15) alg=lz4 ;;
  esac
  # the index of a tar, which compresses nothing
  case $kind:$compat in
  directory:* | tar:5.15 | tar:6.1) form=image ;;
  esac
  if [ $form = append ] && [ "$kernel" -lt 6016 ]; then form=prepend; fi
  if [ $form != image ]; then alg=default cluster=default metadata=default fragments=default both=no; fi
}

choose() { # choose VARIABLE WORD...
  local name=$1
  shift
  state=$(((state * 1103515245 + 12345) % 2147483648))
  shift $(((state >> 8) % $#))
  printf -v "$name" %s "$1"
}

build() { # build KIND JOBS IMAGE
  local options=(--quiet --compat "$compat" -j "$2")
  [ "$alg" = default ] || options+=(-z "$alg")
  [ "$cluster" = default ] || options+=(-C "$cluster")
  [ "$fragments" = default ] || options+=("--fragments=$fragments")
  [ "$memory" = default ] || options+=("--memory=$memory")
  if [ "$compat" = 6.17 ] && [ "$metadata" != default ] && [ "$alg" != none ]; then
    options+=(--metadata-cluster "$metadata")
  fi
  case $form in
  index) options+=(--tar-index) ;;
  append | prepend) options+=("--$form") ;;
  esac
  if [ "$1" = tar ]; then
    tar --sort=name --format=posix --xattrs --acls -S -C source -cf source.tar . || return
    "$MICA" mkimage "${options[@]}" "$3" source.tar
  else
    "$MICA" mkimage "${options[@]}" "$3" source
  fi
}

equal() {
  "$TOOLS/treecmp" "$@" >differences || {
    cat differences
    echo "$*: trees differ"
    return 1
  }
}

# Where the image is the index of a tar: the file that its device is, and where it begins itself.
device='' device_option=() offset=0
devices_find() {
  device='' device_option=() offset=0
  case $form in
  index)
    device=$PWD/source.tar
    device_option=(--device source.tar)
    ;;
  append)
    # behind the tar in whole blocks of 4096 bytes, with room for an end mark
    device=$PWD/image
    offset=$(stat -c %s source.tar)
    offset=$(((offset + 4095) / 4096 * 4096))
    [ $((offset - $(stat -c %s source.tar))) -ge 1024 ] || offset=$((offset + 4096))
    ;;
  esac
}

loops=() # by_loop() has made them
by_loop() {
  local words=ro
  loops=("$(losetup -r -f --show -o "$offset" image)") || return
  if [ -n "$device" ]; then
    loops+=("$(losetup -r -f --show "$device")") || return
    words+=,device=${loops[1]}
  fi
  mount -t erofs -o "$words" "${loops[0]}" kernel
}

loops_drop() {
  [ ${#loops[@]} = 0 ] || losetup -d "${loops[@]}"
  loops=()
}

by_kernel() {
  local words=''
  [ "$offset" = 0 ] || words=,fsoffset=$offset
  [ -z "$device" ] || words+=,device=$device
  "$TOOLS/kmount" image kernel ${words:+"${words#,}"} 2>message
  case $? in
  0) ;;
  3) by_loop || return ;;
  *) cat message && return 1 ;;
  esac
  equal --d-ino --random-reads source kernel || return
  umount kernel && loops_drop
}

by_fuse() {
  "$MICA" mount "${device_option[@]}" image fuse || return
  equal --d-ino --random-reads source fuse || return
  "$MICA" umount fuse
}

by_extraction() {
  mkdir out
  "$MICA" extract "${device_option[@]}" image -C out || return
  equal source out
}

# The same image from the other kind of source, and with other threads.
twice() {
  local other=tar
  [ "$kind" = directory ] || other=directory
  build $other $((5 - jobs)) image2 || return
  cmp image image2 || return
}

seed_test() {
  local only=()
  if [ "$kind" = tar ] || [ "$both" = yes ]; then only=(--tar); fi
  mkdir source kernel fuse
  "$TOOLS/randtree" "${only[@]}" "$1" source || return
  build "$kind" "$jobs" image || return
  devices_find
  "$MICA" fsck "${device_option[@]}" image || return
  by_kernel || return
  by_fuse || return
  by_extraction || return
  [ "$both" = no ] || twice
}

echo "1..$((last - first + 1))"
number=0 failed=0
for ((seed = first; seed <= last; seed++)); do
  number=$((number + 1))
  options_choose "$seed"
  # ext4 (or whatever TMPDIR is) and tmpfs hold different attributes
  place=$work/disk
  [ $((seed % 2)) = 0 ] || place=$work/memory
  mkdir "$place/tree"
  name="seed $seed: $alg, compat $compat, cluster $cluster, fragments $fragments, memory $memory, -j $jobs, $kind, $form"
  if output=$(cd "$place/tree" && seed_test "$seed" 2>&1); then
    echo "ok $number $name"
  else
    failed=1
    echo "not ok $number $name"
    head -c 4000 <<<"$output" | sed 's/^/# /'
    for dir in kernel fuse; do
      mountpoint -q "$place/tree/$dir" && umount -l "$place/tree/$dir"
    done
    losetup -n -O NAME,BACK-FILE | awk -v tree="$place/tree/" 'index($2, tree) { print $1 }' |
      xargs -r losetup -d
  fi
  rm -rf --one-file-system "$place/tree"
done
exit $failed
