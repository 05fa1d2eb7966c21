#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2030,SC2031 # each test runs in a subshell of its own
# Each word of -o that a stack takes has the effect that the page says.

load helpers
load stacks

@test "options: ro with an upper directory shows it, and takes nothing" {
  sample
  mkdir mu
  echo upper >mu/new
  stack mu m -o ro
  assert_equal "$(cat m/new)" upper
  run ! touch m/other
  assert_has "Read-only file system"
  # nothing is gathered there, so holes are told
  truncate -s 1M mu/hole
  assert_equal "$(python3 -c 'import os
print(os.lseek(os.open("m/hole", os.O_RDONLY), 0, os.SEEK_HOLE))')" 0
}

@test "options: nosuid, nodev, noexec and noatime are the kernel's" {
  sample
  mkdir mu m
  "$MICA" mount --quiet low m --upper mu -o noexec,noatime
  echo m >>"$(mounts_file)"
  local words
  words=$(findmnt -no VFS-OPTIONS m)
  for word in nosuid nodev noexec noatime; do
    [[ ,$words, == *,$word,* ]] || fail "$word is not in $words"
  done
  unmount m
  "$MICA" mount --quiet low m --upper mu -o suid,dev,exec
  echo m >>"$(mounts_file)"
  words=$(findmnt -no VFS-OPTIONS m)
  [[ ,$words, != *,nosuid,* && ,$words, != *,nodev,* && ,$words, != *,noexec,* ]]
}

# synced UPPER: the calls by which the server of an upper directory syncs, while FILE is written,
# synced and copied up
synced() {
  require_command strace
  strace -qq -f -e trace=fsync,fdatasync,syncfs,sync -o calls -p "$(server_of "$1")" &
  local tracer=$!
  for _ in $(seq 100); do
    ! grep -q "TracerPid:[[:space:]]*$tracer" "/proc/$(server_of "$1")/status" || break
    sleep 0.1
  done
  echo more >>m/dir/text
  sync m/dir/text
  echo new >m/fresh
  sync m/fresh m
  kill "$tracer"
  wait "$tracer" || true
}

@test "options: volatile and fsync=0 sync nothing" {
  sample
  local word
  for word in volatile fsync=0; do
    stack mu m -o "$word"
    synced mu
    assert_equal "$(grep -c sync calls || true)" 0
    unmount m
    rm -r mu mu.work
  done
  stack mu m -o fsync=1
  synced mu
  [ "$(grep -c 'f.*sync(.*= 0' calls)" -ge 3 ]
}

@test "options: static_nlink, noxattrs and noacl" {
  sample
  mkdir -p mu/own/sub
  stack mu m
  assert_equal "$(stat -c %h m/own)" 3
  getfattr -n user.colour m/dir/text
  unmount m
  stack mu m -o static_nlink
  assert_equal "$(stat -c %h m/own)" 1
  assert_equal "$(stat -c %h m/dir/hard1)" 3
  unmount m
  stack mu m -o noxattrs=1
  run ! getfattr -n user.colour m/dir/text
  assert_has "Operation not supported"
  run ! setfattr -n user.new -v 1 m/dir/text
  assert_has "Operation not supported"
  # overlayfs' own are written all the same, and the user's are copied up
  echo more >>m/dir/text
  mv m/deep m/deeper
  [ -d m/deeper/er ]
  unmount m
  assert_equal "$(getfattr --only-values -n user.colour mu/dir/text)" grey
  assert_equal "$(getfattr --only-values -n trusted.overlay.redirect mu/deeper)" /deep
  # an image alone
  "$MICA" mount --quiet -o noxattrs=1,static_nlink base.erofs m
  echo m >>"$(mounts_file)"
  run ! getfattr -n user.colour m/dir/text
  assert_equal "$(stat -c %h m/dir)" 1
  unmount m
  # access control lists are enforced, or only shown
  chmod 0700 low/plain
  setfacl -m u:1234:rx low/plain
  stack mu m
  setpriv --reuid=1234 --regid=1234 --clear-groups ls m/plain
  unmount m
  stack mu m -o noacl
  run ! setpriv --reuid=1234 --regid=1234 --clear-groups ls m/plain
  getfacl m/plain | grep -q user:1234:r-x
}

@test "options: timeout says how long the kernel keeps what it knows" {
  sample
  stack mu m
  [ ! -e m/low ] && [ -e m/dir/lowest ]
  chmod 0640 low/dir/lowest
  assert_equal "$(stat -c %a m/dir/lowest)" 644
  unmount m
  stack mu m -o timeout=0
  assert_equal "$(stat -c %a m/dir/lowest)" 640
  [ ! -e m/later ]
  # from outside, which is for the curious alone
  chmod 0600 low/dir/lowest
  echo later >low/later
  assert_equal "$(stat -c %a m/dir/lowest)" 600
  assert_equal "$(cat m/later)" later
  unmount m
  stack mu m -o timeout=1.5
  unmount m
  local wrong
  for wrong in -1 x 1e10 1s nan; do
    run -1 "$MICA" mount -o "timeout=$wrong" low m
    assert_has "'$wrong' is not a number of seconds up to 1e+09"
  done
}

@test "options: threaded=0 serves with one thread" {
  sample
  stack mu m -o threaded=0
  python3 "$BATS_TEST_DIRNAME/overlay_stress.py" m 1 >/dev/null
  [ "$(find "/proc/$(server_of mu)/task" -mindepth 1 -maxdepth 1 | wc -l)" -le 2 ]
  run -1 "$MICA" mount -o threaded=2 low m
  assert_has "threaded"
}

@test "options: squashed owners" {
  sample
  chown 11:12 low/plain/file
  stack mu m -o squash_to_root
  assert_equal "$(stat -c %u:%g m/plain/file)" 0:0
  unmount m
  stack mu m -o squash_to_uid=41,squash_to_gid=42
  assert_equal "$(stat -c %u:%g m/plain/file)" 41:42
  # it is kept as it is, and what is made is the server's
  chmod 0600 m/plain/file
  assert_equal "$(stat -c %u:%g mu/plain/file)" 11:12
  setpriv --reuid=41 --regid=42 --clear-groups sh -c 'cd m && chmod 0777 dir' || true
  : >m/made
  assert_equal "$(stat -c %u:%g m/made mu/made)" "41:42
0:0"
}
