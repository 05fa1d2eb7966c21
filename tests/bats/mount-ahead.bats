#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2030,SC2031 # each test runs in a subshell of its own
# What mica mount does ahead of its readers, and what memory it takes.

bats_require_minimum_version 1.5.0

MICA=${MICA:-$BATS_TEST_DIRNAME/../../build/mica}
MICA=$(realpath "$MICA")

setup() {
  [ "$(id -u)" = 0 ] || skip "needs root"
  [ -c /dev/fuse ] || skip "needs /dev/fuse"
  cd "$BATS_TEST_TMPDIR" || return 1
  mkdir mnt
}

teardown() {
  if mountpoint -q mnt; then
    umount -l mnt
  fi
}

# text BYTES SEED
text() {
  yes "thin, clear sheets of mica $2" | awk '{ print NR, $0 }' | head -c "$1"
}

# noise BYTES SEED
noise() {
  head -c "$1" /dev/zero | openssl enc -aes-128-ctr -nosalt -pass "pass:$2" -iter 1 2>/dev/null
}

mount_mica() {
  "$MICA" mount --quiet "$@"
}

openers() {
  find /proc/[0-9]*/fd -lname "$(realpath "$1")" 2>/dev/null | cut -d/ -f3 | sort -u
}

# ended IMAGE: at most a minute until nobody has it open
ended() {
  for _ in {1..600}; do
    [ -n "$(openers "$1")" ] || return 0
    sleep 0.1
  done
  return 1
}

# tree_of_files: small files in some directories, one of them large
tree_of_files() {
  mkdir tree
  text 3000000 7 | split -b 1500 -a 4 --additional-suffix=.c - tree/part.
  mkdir tree/{a,b}
  mv tree/part.a[ab]* tree/a
  mv tree/part.ac* tree/b
  noise 2000000 1 >tree/b/large
}

# reads that the process has made so far: those of requests are among them
reads_of() {
  awk '/^syscr/ { print $2 }' "/proc/$1/io"
}

# few_reads: reads all of mnt in order of names into found; whether fewer requests came
# than there are files
few_reads() {
  local before
  pid=$(openers files.img)
  (cd mnt && find . -type f -print0 | sort -z >../names)
  before=$(reads_of "$pid")
  (cd mnt && xargs -0 sha256sum <../names) >found
  [ $(($(reads_of "$pid") - before)) -lt 1200 ]
}

@test "who reads a tree through gets small files before asking for them" {
  local options ahead try
  tree_of_files
  "$MICA" mkimage --quiet files.img tree
  for options in "" "-j1" "--cache=1M"; do
    echo "options: $options"
    # on a machine with other work the reader can be faster than the threads ahead of it
    ahead=false
    for try in {1..10}; do
      # shellcheck disable=SC2086 # none or one
      mount_mica $options files.img mnt
      ! few_reads || ahead=true
      "$MICA" umount mnt
      (cd tree && xargs -0 sha256sum <../names) | cmp - found
      ! $ahead || break
      echo "try $try: too many requests"
    done
    $ahead
    # and as many at a time
    # shellcheck disable=SC2086
    mount_mica $options files.img mnt
    (cd mnt && xargs -0 -n50 -P4 sha256sum <../names) | sort >found.4
    sort found | cmp - found.4
    "$MICA" umount mnt
  done
}

@test "a server that is told to stop while it is read through stops" {
  local signal
  tree_of_files
  "$MICA" mkimage --quiet files.img tree
  for signal in TERM KILL; do
    mount_mica files.img mnt
    pid=$(openers files.img)
    find mnt -type f -print0 2>/dev/null | xargs -0 -n20 -P2 cat >/dev/null 2>&1 &
    sleep 0.2
    kill -s $signal "$pid"
    ended files.img
    wait || true
    umount -l mnt 2>/dev/null || true
  done
}

@test "--cache bounds memory" {
  local kb
  [[ -z ${ASAN_OPTIONS:-} ]] || skip "a sanitizer has memory of its own"
  mkdir tree
  for i in {1..40}; do
    { noise 800000 "$i" && text 2000000 "$i"; } >"tree/$i"
  done
  "$MICA" mkimage --quiet -C1M big.img tree
  mount_mica --cache=8M big.img mnt
  pid=$(openers big.img)
  printf '%s\0' mnt/* | xargs -0 -n1 -P8 cat >/dev/null
  kb=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status")
  echo "$kb kB"
  [ "$kb" -lt $(((8 + 32) * 1024)) ]
}
