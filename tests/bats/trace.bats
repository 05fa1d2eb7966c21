#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # run sets stderr
# What is read first: recorded by mica mount --trace, and what becomes of it.

load helpers

# note_mount DIR: to be unmounted, whatever becomes of the test
note_mount() {
  echo "$1" >>"$(mounts_file)"
}

# serve LAYERS... WORDS: mounts on mnt; for unserve
serve() {
  mkdir -p mnt
  note_mount "$PWD/mnt"
  "$MICA" mount --quiet "$@"
}

unserve() {
  "$MICA" umount mnt
}

# lines FILE: without comments
lines() {
  grep -v '^#' "$1"
}

tree() {
  mkdir -p tree/dir
  echo one >tree/one
  echo two >tree/dir/two
  echo three >tree/dir/three
  head -c 400000 /dev/urandom >tree/large
}

@test "files are recorded in the order in which they are read first" {
  require_fuse
  tree
  printf odd >$'tree/dir/odd\nname\t\\'
  printf hash >'tree/#hash'
  "$MICA" mkimage --quiet tree.img tree
  serve --trace trace tree.img mnt
  cat mnt/dir/two >/dev/null
  cat mnt/one mnt/dir/two >/dev/null
  cat mnt/dir/odd* 'mnt/#hash' >/dev/null
  dd if=mnt/large of=/dev/null bs=4096 skip=90 count=1 status=none
  stat mnt/dir/three
  unserve
  [ "$(head -1 trace)" = '# mica trace 1' ]
  diff <(printf '%s\n' dir/two one 'dir/odd\x0aname\x09\x5c' '\x23hash') <(lines trace | head -4)
  [[ $(lines trace | sed -n 5p) == $'large\t262144+'* ]]
  [ "$(lines trace | wc -l)" = 5 ]
}

@test "files that would be handed out ahead are recorded, too" {
  require_fuse
  mkdir tree
  for i in {100..299}; do echo "$i" >"tree/$i"; done
  "$MICA" mkimage --quiet tree.img tree
  serve --trace trace tree.img mnt
  ls -l mnt >/dev/null
  cat mnt/* >/dev/null
  unserve
  diff <(printf '%s\n' {100..299}) <(lines trace)
}

@test "another mount adds to a trace; a signal does not lose it" {
  require_fuse
  tree
  "$MICA" mkimage --quiet tree.img tree
  serve -o trace=trace tree.img mnt
  cat mnt/dir/two >/dev/null
  unserve
  note_mount "$PWD/mnt"
  "$MICA" mount --quiet -f --trace trace tree.img mnt &
  pid=$!
  for _ in {1..600}; do
    mountpoint -q mnt && break
    sleep 0.1
  done
  cat mnt/one >/dev/null
  kill -TERM "$pid"
  wait "$pid"
  diff <(printf '%s\n' dir/two one) <(lines trace)
  [ "$(grep -c '^#' trace)" = 1 ]
}

@test "a stack is recorded by the names that it shows" {
  require_root
  require_fuse
  tree
  mkdir top changes
  echo over >top/one
  "$MICA" mkimage --quiet tree.img tree
  serve --trace trace tree.img top mnt --upper changes
  [ "$(cat mnt/one)" = over ]
  echo new >mnt/new
  mv mnt/dir mnt/moved
  cat mnt/moved/three >/dev/null
  unserve
  diff <(printf '%s\n' one moved/three) <(lines trace)
}

@test "a trace that cannot be written is an error, before and after" {
  require_fuse
  tree
  "$MICA" mkimage --quiet tree.img tree
  mkdir mnt
  run -32 --separate-stderr "$MICA" mount --trace no/such tree.img mnt
  [[ $stderr == 'mica mount: --trace no/such: open: No such file or directory' ]]
  run -32 --separate-stderr "$MICA" mount --trace mnt tree.img mnt
  [[ $stderr == 'mica mount: --trace mnt: open: Is a directory' ]]
  # later: one line, and the mount goes on
  note_mount "$PWD/mnt"
  (
    ulimit -f 1
    head -c 1024 /dev/zero | tr '\0' '#' >trace
    exec "$MICA" mount --quiet -f --trace trace tree.img mnt 2>log
  ) &
  pid=$!
  for _ in {1..600}; do
    mountpoint -q mnt && break
    sleep 0.1
  done
  [ "$(cat mnt/one)" = one ]
  kill -TERM "$pid"
  wait "$pid"
  [ "$(cat log)" = 'mica: --trace trace: File too large; no more is recorded' ]
}

# used: bytes of decoded data that the server at mnt has
used() {
  "$MICA" status --json mnt | python3 -c 'import json, sys; print(json.load(sys.stdin)["cache_used"])'
}

# becomes_used BYTES: at most a minute until there are so many, though nobody reads
becomes_used() {
  for _ in {1..600}; do
    [ "$(used)" -lt "$1" ] || return 0
    sleep 0.1
  done
  return 1
}

@test "--prefetch: what a trace names is decoded before anybody reads it" {
  require_root
  require_fuse
  tree
  text 3000000 1 >tree/text
  text 2000000 2 >tree/other
  "$MICA" mkimage --quiet -C 64K tree.img tree
  printf '%s\n' nowhere dir text $'large\t131072+131072' other >trace
  serve --prefetch trace tree.img mnt
  becomes_used 5000000
  diff -r tree mnt
  unserve
  # a part is no more than that
  printf 'text\t0+131072\n' >trace
  serve -o prefetch=trace tree.img mnt
  becomes_used 131072
  [ "$(used)" -lt 400000 ]
  diff -r tree mnt
  unserve
  # and without any nothing is
  serve tree.img mnt
  [ "$(used)" = 0 ]
  unserve
}

@test "--prefetch stays within the cache, and ends when the mount does" {
  require_root
  require_fuse
  mkdir tree
  for i in {1..20}; do text 2000000 "$i" >"tree/$i"; done
  "$MICA" mkimage --quiet -C 64K tree.img tree
  (cd tree && ls) >trace
  serve --cache 2M --prefetch trace tree.img mnt
  becomes_used 1500000
  [ "$(used)" -le 2097152 ]
  diff -r tree mnt
  unserve
  for _ in {1..10}; do
    serve --prefetch trace tree.img mnt
    unserve
  done
}

@test "--prefetch of a stack: the topmost image that has a path" {
  require_root
  require_fuse
  tree
  text 3000000 1 >tree/text
  mkdir top changes
  text 500000 2 >top/text
  "$MICA" mkimage --quiet -C 64K tree.img tree
  "$MICA" mkimage --quiet -C 64K top.img top
  echo text >trace
  mkdir plain
  serve --prefetch trace tree.img top.img plain mnt --upper changes
  becomes_used 500000
  [ "$(used)" -lt 1000000 ]
  cmp mnt/text top/text
  unserve
}

@test "what --prefetch and --trace cannot be" {
  require_fuse
  tree
  "$MICA" mkimage --quiet tree.img tree
  mkdir mnt
  run -32 --separate-stderr "$MICA" mount --prefetch nowhere tree.img mnt
  [[ $stderr == 'mica mount: --prefetch: nowhere: open: No such file or directory' ]]
  printf 'a\\b\n' >bad
  run -32 --separate-stderr "$MICA" mount --prefetch bad tree.img mnt
  [[ $stderr == 'mica mount: --prefetch: bad: line 1: a backslash is not followed by x and two digits' ]]
  run -1 --separate-stderr "$MICA" mount --trace trace -o passthrough tree.img mnt
  [[ $stderr == *'(-o passthrough)' ]]
  [ ! -e trace ]
}
