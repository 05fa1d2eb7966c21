#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2030,SC2031 # each test runs in a subshell of its own
# -o passthrough: files that the kernel reads and writes by itself, and what is done where it
# cannot. overlay.bats with STACK_WORDS=passthrough is the other half.

load helpers
load stacks

# in_force: how mica status says that it is
in_force() {
  "$MICA" status --json "$1" | python3 -c 'import json, sys
s = json.load(sys.stdin)
print(s["profile"], s["passthrough"], sep=": ")'
}

# require_passthrough: of libfuse and of the kernel; the mount at m has asked for it
require_passthrough() {
  local said
  said=$(in_force m)
  [ "$said" = 'passthrough: in force' ] || skip "passthrough is $said"
}

a_stack() {
  require_root
  require_fuse
  mkdir -p low m upper
  head -c 3000000 /dev/urandom >low/file
  echo low >low/other
  "$MICA" mount --quiet low m "$@" -o passthrough
  echo m >>"$(mounts_file)"
}

@test "passthrough: in force, or status says why not" {
  a_stack --upper upper
  case $(in_force m) in
  'passthrough: in force')
    kernel_is 6.9
    [[ $("$MICA" status m) != *no_open,* ]]
    ;;
  'lean: not in this libfuse, which is older than 3.17')
    [[ $("$MICA" status m) == *no_open,*writeback_cache* ]]
    ;;
  'lean: not in this kernel, which is older than 6.9') ! kernel_is 6.9 ;;
  'lean: not permitted'*) [ "$(awk '{ print $3 }' /proc/self/uid_map)" != 4294967295 ] ;;
  *) fail "$(in_force m)" ;;
  esac
  # what it shows and takes is the same
  cmp low/file m/file
  echo more >>m/other
  assert_equal "$(cat m/other)" $'low\nmore'
  assert_equal "$(cat low/other)" low
  "$MICA" umount m
  mkimage image low
  "$MICA" mount --quiet -o passthrough image m
  assert_equal "$(in_force m)" 'lean: of no use for one image'
}

@test "passthrough: no request for the data of an upper file, or of a directory's" {
  a_stack --upper upper
  require_passthrough
  cp m/file m/copy
  local pid tracer
  pid=$("$MICA" status --json m | python3 -c 'import json, sys; print(json.load(sys.stdin)["pid"])')
  strace -f -qq -p "$pid" -e trace=pread64,pwrite64,preadv,pwritev -o log &
  tracer=$!
  sleep 1
  cat m/copy >/dev/null
  dd if=/dev/zero of=m/copy bs=64K count=3 conv=notrunc status=none
  cmp -n 196608 m/copy /dev/zero
  kill "$tracer"
  wait
  assert_equal "$(grep -c 'pread\|pwrite' log)" 0
  cmp m/copy upper/copy
}

@test "passthrough: readers of a lower file stay with it, writers get the upper one" {
  a_stack --upper upper
  # open for reading, then copied up: both go by requests, and see each other's
  exec 7<m/other
  echo one >>m/other
  exec 8<>m/other
  assert_equal "$(cat <&8)" $'low\none'
  echo two >&8
  assert_equal "$(cat <&7)" $'low\none\ntwo'
  exec 7<&- 8<&-
  # from now on by the file itself
  exec 7<m/other 8>>m/other
  echo three >&8
  assert_equal "$(cat <&7)" $'low\none\ntwo\nthree'
  exec 7<&- 8<&-
  assert_equal "$(stat -c %s m/other)" 18
  cmp m/other upper/other
  assert_equal "$(cat low/other)" low
}

@test "passthrough: mapped, cut, removed while it is open" {
  a_stack --upper upper
  cp m/file m/new
  python3 - <<'P'
import mmap, os
with open("m/new", "r+b") as f:
    view = mmap.mmap(f.fileno(), 0)
    view[4096:4101] = b"HELLO"
    view.flush()
    other = open("m/new", "rb")
    other.seek(4096)
    assert other.read(5) == b"HELLO"
    view.close()
    os.truncate("m/new", 4098)
    assert os.fstat(f.fileno()).st_size == 4098
    os.unlink("m/new")
    f.seek(4096)
    assert f.read() == b"HE"
    f.write(b"LP")
    f.seek(4096)
    assert f.read() == b"HELP"
assert not os.path.exists("m/new") and not os.path.exists("upper/new")
P
}

@test "passthrough: read-only stacks, of directories and of images" {
  require_root
  require_fuse
  mkdir low src m
  echo directory >low/a
  text 200000 >src/b
  mkimage image src
  "$MICA" mount --quiet low image m -o passthrough
  echo m >>"$(mounts_file)"
  assert_equal "$(cat m/a)" directory
  cmp m/b src/b
  # both ways at once
  exec 7<m/a 8<m/b 9<m/b
  assert_equal "$(cat <&7)" directory
  cmp src/b - <&8
  cmp src/b - <&9
}
