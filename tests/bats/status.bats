#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2030,SC2031 # each test runs in a subshell of its own
# mica status: what is in force, as the process that serves a mount says.

load helpers

# member NAME: of the JSON on standard input
member() {
  python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

# a_mount [OPTION...]: an image of one file at mnt
# shellcheck disable=SC2120
a_mount() {
  require_root
  require_fuse
  mkdir -p src mnt
  noise 300000 1 | base64 -w0 >src/file
  mkimage -C 64K image src
  "$MICA" mount --quiet --cache 5M "$@" image mnt
  echo mnt >>"$(mounts_file)"
}

@test "status: one image, in text and in JSON" {
  a_mount
  run -0 "$MICA" status mnt
  assert_has "$PWD/mnt: FUSE, profile lean, served by process "
  assert_has "changes:  none, read-only"
  assert_has "0.0 MiB of decoded data, 5.0 at most"
  assert_has "    $PWD/image"
  assert_has " no_open, no_opendir, readdirplus"
  "$MICA" status --json mnt >json
  assert_equal "$(wc -l <json)" 1
  assert_equal "$(member mountpoint <json)" "$PWD/mnt"
  assert_equal "$(member sources <json)" "['$PWD/image']"
  assert_equal "$(member writable <json) $(member upper <json)" "False None"
  assert_equal "$(member cache_bytes <json) $(member cache_used <json)" "5242880 0"
  grep -q mica "/proc/$(member pid <json)/cmdline"
  assert_equal "$(member version <json)" "$("$MICA" --version | sed 's/^mica //')"
}

@test "status: it changes with what is done" {
  a_mount
  # the first small read of a cluster decodes a part of it, past the cache
  for _ in 1 2; do
    dd if=mnt/file iflag=direct bs=4K skip=20 count=1 status=none >/dev/null
  done
  "$MICA" status --json mnt >json
  [ "$(member cache_used <json)" -gt 60000 ]
  "$MICA" umount mnt
  mkdir upper
  "$MICA" mount --quiet image mnt --upper upper
  "$MICA" status --json mnt >json
  assert_equal "$(member writable <json) $(member upper <json)" "True $PWD/upper"
  [[ $(member features <json)  == *writeback_cache* ]]
  run -0 "$MICA" status mnt
  assert_has "changes:  go to $PWD/upper"
  "$MICA" umount mnt
  "$MICA" mount --quiet -o ro,writeback=0 image mnt --upper upper
  "$MICA" status --json mnt >json
  assert_equal "$(member writable <json)" False
  [[ $(member features <json) != *writeback_cache* ]]
}

@test "status: io_uring is in force, or it says why not" {
  a_mount -o io_uring
  local said=false uring=/sys/module/fuse/parameters/enable_uring
  case $("$MICA" status --json mnt | member io_uring) in
  'in force') grep -q Y $uring && said=true ;;
  'not in this libfuse, which is older than 3.18')
    [[ $("$MICA" status --json mnt | member libfuse) == 3.?(1)[0-7].* ]] && said=true
    ;;
  'not in this kernel, or off in '*) ! grep -q Y $uring 2>/dev/null && said=true ;;
  esac
  $said || fail "$("$MICA" status mnt)"
  same_tree src mnt
  "$MICA" umount mnt
  "$MICA" mount --quiet image mnt
  assert_equal "$("$MICA" status --json mnt | member io_uring)" 'not asked for'
}

@test "status: of all mounts, and of those that are none" {
  a_mount
  mkdir other
  "$MICA" mount --quiet image other
  echo other >>"$(mounts_file)"
  # other tests may have left dead ones for a moment
  "$MICA" status >all || [ $? = 2 ]
  grep -q "^$PWD/mnt: FUSE" all
  grep -q "^$PWD/other: FUSE" all
  { "$MICA" status --json || true; } | python3 -c 'import json, sys
assert {json.loads(line)["mountpoint"] for line in sys.stdin} >= set(sys.argv[1:])' \
    "$PWD/mnt" "$PWD/other"
  run -2 "$MICA" status src mnt /nowhere image
  assert_has "mica status: $PWD/src: not a mount of mica"
  assert_has "mica status: /nowhere: No such file or directory"
  assert_has "mica status: $PWD/image: not a mount of mica"
  assert_has "$PWD/mnt: FUSE"
  # inside of a mount is as good as its root; a dead one is said to be dead
  run -0 "$MICA" status mnt/.
  kill -9 "$("$MICA" status --json other | member pid)"
  run -2 "$MICA" status other
  assert_has "$PWD/other is a dead mount, its server is gone: run 'mica umount $PWD/other'"
  run -2 "$MICA" status
  assert_has "$PWD/mnt: FUSE"
  assert_has "dead mount"
}

@test "mount: the kernel asks once for xattrs of an image that has none" {
  a_mount
  local pid i tracer
  for i in {1..40}; do echo "$i" >"src/$i"; done
  setfacl -b src/1
  mkimage none src
  setfattr -n user.a -v b src/1
  mkimage some src
  for i in none some; do
    "$MICA" umount mnt
    "$MICA" mount --quiet $i mnt
    stat mnt/* >/dev/null
    run getfattr -n user.a mnt/1
    if [ $i = none ]; then assert_has "Operation not supported"; else assert_status 0; fi
    pid=$("$MICA" status --json mnt | member pid)
    strace -f -qq -p "$pid" -e trace=writev -o log.$i &
    tracer=$!
    for _ in {1..50}; do
      grep -q "State:.*\(tracing\|S\)" "/proc/$pid/status" && grep -q 'TracerPid:\s*[1-9]' "/proc/$pid/status" && break
      sleep 0.1
    done
    getfattr -n user.c mnt/* &>/dev/null || true
    kill "$tracer"
    wait
    # no file of it has one
    assert_equal "$(getfattr -d -m - mnt/2)" ""
  done
  # answers that are an error; somebody may have emptied the kernel's caches
  assert_equal "$(grep -c '377.377.377.*iov_len=16}\], 1)' log.none)" 0
  [ "$(grep -c '377.377.377.*iov_len=16}\], 1)' log.some)" -ge 40 ]
}

@test "status: other users are not told the host's paths" {
  a_mount
  chmod a+rx . "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" || true
  run setpriv --reuid 65534 --regid 65534 --clear-groups "$MICA" status mnt
  assert_status 2
  assert_has "mnt: Operation not permitted"
  assert_lacks "image"
}

@test "status: as many layers as there may be" {
  require_root
  require_fuse
  local layers=() i
  mkdir mnt
  for i in {1..490}; do
    mkdir -p "a_layer_with_a_name_that_is_not_short_at_all_$i"
    layers+=("a_layer_with_a_name_that_is_not_short_at_all_$i")
  done
  "$MICA" mount --quiet "${layers[@]}" mnt
  echo mnt >>"$(mounts_file)"
  "$MICA" status --json mnt >json
  python3 -c 'import json
s = json.load(open("json"))
assert s["sources_left_out"] and len(s["sources"]) + s["sources_left_out"] == 490, s
assert s["sources"][1].endswith("_2")'
  run -0 "$MICA" status mnt
  [[ $output =~ 'and '[0-9]+' more' ]]
}
