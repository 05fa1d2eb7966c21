#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # run sets stderr
# Where mica mkimage --order puts what.

load helpers

# Small files alike and unlike, and large ones; and an order of some of them.
ordered_tree() {
  local i
  mkdir -p src/small
  for i in {100..219}; do
    { noise $((500 + i * 7)) $((i % 9)) | base64 -w 0; echo "$i"; } >"src/small/$i"
  done
  for i in 1 2 3 4; do
    { noise 200000 "large$i"; text 900000 "$i"; } >"src/large$i"
  done
  find src -exec touch -hd '2021-02-03 04:05:06' {} +
  {
    echo '# mica trace 1'
    echo large3
    printf 'small/%s\n' {210..190..2}
    printf 'large1\t131072+131072\n'
    echo small/101
    printf 'large3\t0+1\n'
    echo small/210
  } >order
}

# The files of the order, each once.
in_order() {
  echo large3
  printf 'small/%s\n' {210..190..2}
  echo large1
  echo small/101
}

# place IMAGE PATH: where its first extent begins, in the image or the packed inode
place() {
  "$MICA" dump --extents "$1" "$2" | awk 'NR == 2 { print $3 }'
}

# places IMAGE PATH...: one a line
places() {
  local image=$1 path
  shift
  for path; do place "$image" "$path"; done
}

# is_ordered IMAGE: large and small files of the order lie in its order, behind all others
is_ordered() {
  local small large others
  mapfile -t small < <(in_order | grep small)
  mapfile -t large < <(in_order | grep large)
  mapfile -t others < <(cd src && printf '%s\n' large* small/* | grep -vxFf <(in_order))
  places "$1" "${large[@]}" >large.places
  sort -nc large.places
  places "$1" large2 large4 | sort -n | tail -1 >large.last
  [ "$(head -1 large.places)" -gt "$(cat large.last)" ]
  # others lie with their inodes
  "$MICA" dump --extents "$1" small/100 | grep -q fragment || return 0
  places "$1" "${small[@]}" >small.places
  sort -nc small.places
  places "$1" "${others[@]/large*/small/100}" | sort -n | tail -1 >small.last
  [ "$(head -1 small.places)" -gt "$(cat small.last)" ]
}

# holds IMAGE DIR: all of its files
holds() {
  "$MICA" fsck --quiet "$1"
  rm -rf out
  mkdir out
  "$MICA" extract "$1" -C out
  diff -r "$2" out
}

@test "files of the order lie in it, behind all others, whatever they are stored as" {
  local options
  ordered_tree
  for options in '' '-z none' '-z lz4 -C 64K --compat 5.15' '-z lz4 --compat 6.1' '--compat 6.12' \
    '--fragments=tails' '--fragments=off' '-C 64K' '-C 128K --compat 6.15'; do
    # shellcheck disable=SC2086 # several words
    mkimage $options --verify --order order image src
    is_ordered image
    holds image src
  done
}

@test "--best and large clusters: the same" {
  local options
  ordered_tree
  for options in --best '-C 4M' '-C 4M --compat 6.12'; do
    # shellcheck disable=SC2086
    mkimage $options --verify --order order image src
    # all of them are in the packed inode
    mapfile -t files < <(in_order)
    places image "${files[@]}" >found
    sort -nc found
    mapfile -t others < <(cd src && printf '%s\n' large* small/* | grep -vxFf <(in_order))
    [ "$(head -1 found)" -gt "$(places image "${others[@]}" | sort -n | tail -1)" ]
    holds image src
  done
}

@test "the kernel reads what is in order" {
  require_erofs
  require_kernel 6.12
  ordered_tree
  mkimage --compat 6.12 --order order image src
  kernel_mount image mnt
  diff -r src mnt
}

@test "the same input and the same order give the same bytes" {
  ordered_tree
  tar_of src src.tar
  mkimage -j 1 --order order base src
  mkimage -j 8 --order order image src
  cmp base image
  mkimage --order order image src.tar
  cmp base image
  mkimage --order order image - <src.tar
  cmp base image
  # nothing but the names counts, as any program may write them
  in_order | sed 's,^,/./,' >names
  mkimage --order names image src
  cmp base image
  tac names >backwards
  mkimage --order backwards image src
  run ! cmp -s base image
  holds image src
  # an order of nothing is none
  : >empty
  mkimage base src
  mkimage --order empty image src
  cmp base image
}

@test "layers: a file has the place of its name, wherever it comes from" {
  ordered_tree
  mkdir top
  text 3000 over >top/.wh.large4
  text 700000 top >top/large1
  tar_of src src.tar
  tar_of top top.tar
  printf '%s\n' small/150 large1 small/100 large4 >order
  run -0 --separate-stderr "$MICA" mkimage --quiet --order order image src.tar top.tar
  [[ $stderr == *'order: 1 of 4 names are not there, the first is large4' ]]
  [ "$(place image large1)" -gt "$(place image large3)" ]
  [ "$(place image small/150)" -gt "$(place image small/219)" ]
  [ "$(place image small/100)" -gt "$(place image small/150)" ]
  rm -rf merged
  cp -r src merged
  rm merged/large4
  cp top/large1 merged
  holds image merged
}

@test "each image of --per-layer has its part of the order; names are missed once" {
  ordered_tree
  mkdir top
  text 700 top >top/a
  text 900 other >top/b
  printf '%s\n' small/150 b small/100 a nowhere/at/all >order
  tar_of src src.tar
  tar_of top top.tar
  run -0 --separate-stderr "$MICA" mkimage --quiet --per-layer --order order out%n src.tar top.tar
  [ "$stderr" = 'mica mkimage: warning: order: 1 of 5 names are not there, the first is nowhere/at/all' ]
  [ "$(place out000 small/100)" -gt "$(place out000 small/150)" ]
  holds out000 src
}

@test "names of what is no file with content are there, and mean nothing" {
  ordered_tree
  : >src/nothing
  ln src/small/100 src/small/also
  ln -s large1 src/link
  truncate -s 20M src/holes
  printf '%s\n' / small nothing small/100 small/also link holes 'odd\x0aname' >order
  printf odd >$'src/odd\nname'
  run -0 --separate-stderr "$MICA" mkimage --quiet --order order image src
  [ -z "$stderr" ]
  holds image src
}

@test "content that another file has, too, is stored once" {
  ordered_tree
  cp src/large2 src/zwilling
  cp src/small/100 src/small/twin
  printf '%s\n' zwilling small/twin small/101 >order
  mkimage --order order image src
  mkimage plain src
  [ "$(place image zwilling)" = "$(place image large2)" ]
  [ "$(place image small/twin)" = "$(place image small/100)" ]
  [ $(($(stat -c %s image) - $(stat -c %s plain))) -lt 8192 ]
  holds image src
}

@test "what --order cannot be" {
  ordered_tree
  tar_of src src.tar
  run -1 --separate-stderr "$MICA" mkimage --quiet --order nowhere image src
  [[ $stderr == *'--order: nowhere: open: No such file or directory' ]]
  printf 'a\tx\n' >bad
  run -1 --separate-stderr "$MICA" mkimage --quiet --order bad image src
  [[ $stderr == *"--order: bad: line 1: 'x' is not OFFSET+LENGTH" ]]
  run -1 --separate-stderr "$MICA" mkimage --quiet --order order --order order image src
  [[ $stderr == *'there is one already'* ]]
  run -1 --separate-stderr "$MICA" mkimage --quiet --tar-index --order order image src.tar
  [[ $stderr == *'--tar-index leaves contents where they are'* ]]
  [ ! -e image ]
}

@test "a trace of a mount is an order" {
  require_fuse
  ordered_tree
  mkimage image src
  fuse_mount image mnt --quiet --trace trace
  cat mnt/small/150 mnt/large2 mnt/small/140 mnt/small/120 >/dev/null
  unmount mnt
  # the server writes the last of it when it ends
  for _ in {1..600}; do
    grep -q small/120 trace && break
    sleep 0.1
  done
  mkimage --order trace ordered src
  [ "$(place ordered large2)" -gt "$(place ordered large4)" ]
  places ordered small/219 small/150 small/140 small/120 | sort -nc
}
