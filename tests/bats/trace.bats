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
