#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# mica mkimage when the machine fails it: whatever call fails or whenever it is
# killed, the target is absent (or what it was before), or whole.

load helpers

# Everything happens in target/, so that what is left over shows.
setup() {
  mkdir "$BATS_TEST_TMPDIR/work" && cd "$BATS_TEST_TMPDIR/work" || return
  mkdir target
  # leaks cannot be looked for in a traced process
  export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
}

# Two layers that use the spool for all that it is for: tails, maps, xattr
# values, hidden content that a hard link may still show.
sample_layers() {
  mkdir -p low/dir high/dir
  text "${1:-300000}" >low/dir/text
  noise "${2:-5000}" >low/dir/noise
  seq 1 800 >low/hidden
  ln low/hidden low/shown
  setfattr -n user.long -v "$(text 3000 | tr -d '\0\n')" low/dir/text
  text 70000 >high/hidden
  tar --format=pax --sort=name --xattrs -C low -cf low.tar .
  tar --format=pax --sort=name -C high -cf high.tar .
  "$MICA" mkimage --quiet whole low.tar high.tar
}

# whole_or_none [--old]: the target is the image or, with --old, the older one;
# there is nothing else. Prints which.
whole_or_none() {
  local found old=${1:-}
  found=$(ls -A target)
  if [ "$found" = "${old:+image}" ] && { [ -z "$old" ] || [ "$(cat target/image)" = old ]; }; then
    echo none
  elif [ "$found" = image ] && cmp -s whole target/image; then
    echo whole
  else
    fail "in target: $(ls -lA target)"
  fi
}

# traced OPTION...: a build of the sample under strace, which says what it did in `log`
traced() {
  strace -f -qq -o log "$@" "$MICA" mkimage --quiet target/image low.tar high.tar
}

require_strace() {
  require_command strace
  strace -o /dev/null true 2>/dev/null || skip "needs ptrace(2)"
}

@test "no file is made but beside the target" {
  require_strace
  sample_layers 2000000
  zstd -q low.tar
  mkdir tmp
  export TMPDIR=$PWD/tmp
  strace -f -qq -o log -e trace=%file,memfd_create,openat2 \
    "$MICA" mkimage --quiet target/image low.tar.zst high
  # a sanitizer makes sure that the folder of its reports is there
  sed -i '/ = -1 EEXIST/d' log
  # the image and the spool; the name of the image, which is the only one to be made
  assert_equal "$(grep -cE 'open(at)?\(.*"target", .*O_TMPFILE' log)" 2
  run grep -E 'O_CREAT|O_TMPFILE|^[0-9]+ +(creat|mk[a-z]+|symlink[a-z]*|link|linkat|rename[a-z0-9]*|memfd_create)\(' log
  assert_equal "$(grep -vcE '"target", .*O_TMPFILE|linkat\(.*"target/image"' <<<"$output")" 0
  run grep -E 'O_WRONLY|O_RDWR' log
  assert_equal "$(grep -vcE '"target", .*O_TMPFILE|"/dev/(null|tty)"' <<<"$output")" 0
  assert_equal "$(ls -A tmp)" ''
}

# fails_everywhere CALL ERROR: CALL fails with ERROR at its first, second, ... time
fails_everywhere() {
  local call=$1 error=$2 n=0 old
  for old in '' --old; do
    for ((n = 1; n < 100; n++)); do
      rm -f target/image
      [ -z "$old" ] || echo old >target/image
      run traced -e "trace=$call" -e "inject=$call:error=$error:when=$n"
      grep -q INJECTED log || break
      [ "$status" = 1 ] || fail "$call number $n failed, but the status is $status" "$(cat log)"
      assert_has 'mica mkimage: '
      if [[ $output == *'whole and in place'* ]]; then
        assert_equal "$(whole_or_none "$old")" whole
      else
        assert_equal "$(whole_or_none "$old")" none
      fi
    done
    # it was there, and behind its last time all is well
    assert_status 0
    [ $n -gt 1 ] || fail "$call is not called"
  done
  cmp whole target/image
}

@test "an error of any write, sync or renaming" {
  require_strace
  sample_layers
  fails_everywhere pwrite64 EIO
  fails_everywhere pwrite64 ENOSPC
  fails_everywhere sync_file_range EIO
  fails_everywhere ftruncate EIO
  fails_everywhere fsync EIO
  fails_everywhere fsync ENOSPC
  fails_everywhere linkat EIO
}

@test "an error of rename, which takes an older image" {
  require_strace
  sample_layers
  echo old >target/image
  run traced -e inject=rename:error=EIO
  assert_status 1
  assert_has 'target/image: rename from target/.mica-'
  assert_equal "$(whole_or_none --old)" none
}

@test "an error of reading back what waited in the spool" {
  require_strace
  # tails, more of them than the spool's buffer holds
  python_tar tails.tar <<'P'
import random
random.seed(1)
for i in range(400):
    add(f"file{i}", data=random.randbytes(1500))
P
  local n met=0 # the first ones are the dynamic linker's
  for ((n = 20; n < 2000; n += 60)); do
    run strace -f -qq -o log -e trace=pread64 -e "inject=pread64:error=EIO:when=$n" \
      "$MICA" mkimage --quiet --fragments=off target/image tails.tar
    grep -q INJECTED log || break
    assert_status 1
    assert_has 'target/image: read back from the spool: Input/output error'
    assert_equal "$(ls -A target)" ''
    met=$((met + 1))
  done
  assert_status 0
  [ $met -gt 5 ]
}

@test "file systems of every size that is too small" {
  require_root
  sample_layers 100000
  local size need last=''
  need=$(($(stat -c %s whole) / 1024))
  for ((size = 4; size < 2 * need + 64; size += 12)); do
    mount -t tmpfs -o size=${size}k tmpfs target
    echo target >>"$(mounts_file)"
    run "$MICA" mkimage --quiet target/image low.tar high.tar
    if [ "$status" = 0 ]; then
      assert_equal "$(whole_or_none)" whole
    else
      assert_has 'target/image: '
      assert_has 'No space left on device'
      assert_equal "$(whole_or_none)" none
      assert_equal "$(df --output=used target | tail -1 | tr -d ' ')" 0
    fi
    last=$status
    unmount target
  done
  assert_equal "$last" 0
}

# disk SIZE-OF-THE-STORE: target is an ext4 of 64 MiB on a device whose store holds only that
disk() {
  mkdir store
  mount -t tmpfs -o "size=$1" tmpfs store
  echo store >>"$(mounts_file)"
  truncate -s 64M store/disk
  mkfs.ext4 -q -O ^has_journal -E nodiscard,lazy_itable_init=1 store/disk
  mount -o loop store/disk target || skip "needs loop devices and ext4"
  echo target >>"$(mounts_file)"
  rmdir target/lost+found
}

@test "a full disk that notices late" {
  require_root
  require_command mkfs.ext4
  sample_layers 1000 200000
  disk 80M
  dd if=/dev/zero of=target/filler bs=64k status=none || true
  truncate -s -40k target/filler
  sync -f target
  run "$MICA" mkimage target/image low.tar high.tar
  assert_status 1
  assert_has 'No space left on device'
  rm target/filler
  assert_equal "$(whole_or_none)" none
}

@test "a thin disk that runs full behind the file system's back" {
  require_root
  require_command mkfs.ext4
  mkdir src
  noise 12000000 >src/file
  disk 6M
  run "$MICA" mkimage target/image src
  assert_status 1
  assert_has 'target/image: '
  assert_equal "$(ls -A target)" ''
}

@test "a disk that fails in the middle" {
  require_root
  require_command mkfs.ext4
  sample_layers 3000000
  disk 80M
  run python3 - "$MICA" <<'P'
import fcntl, os, struct, subprocess, sys, time
p = subprocess.Popen([sys.argv[1], "mkimage", "target/image", "-"], stdin=subprocess.PIPE)
tar = open("low.tar", "rb").read()
p.stdin.write(tar[:1000000])
p.stdin.flush()
time.sleep(0.1)
# EXT4_IOC_SHUTDOWN, nothing written back: from here on all calls are answered EIO
fcntl.ioctl(os.open("target", os.O_RDONLY), 0x8004587d, struct.pack("I", 2))
try:
    p.stdin.write(tar[1000000:])
    p.stdin.close()
except BrokenPipeError:
    pass
sys.exit(p.wait())
P
  assert_status 1
  assert_has 'mica mkimage: target/image: '
  assert_has 'Input/output error'
  unmount target
  mount -o loop store/disk target
  echo target >>"$(mounts_file)"
  assert_equal "$(ls -A target)" ''
}

# killed_everywhere SIGNAL STEP [--old [OPTION]]: a build is killed at each STEP-th
# system call of its main thread, and at each of the last ones; --old: over an
# older image; with an option of strace
killed_everywhere() {
  local signal=$1 step=$2 old=${3:-} option=${4:-} n calls results=''
  local build=("$MICA" mkimage --quiet -j 1 target/image low.tar high.tar)
  strace -qq -o log "${build[@]}"
  calls=$(grep -vc '^[+-]' log)
  [ "$calls" -gt 100 ]
  for ((n = 20; n <= calls; n += n + 30 < calls ? step : 1)); do
    rm -f target/image
    [ -z "$old" ] || echo old >target/image
    strace -qq -o log -e "inject=all:signal=$signal:when=$n" ${option:+"$option"} \
      "${build[@]}" 2>/dev/null || true
    # SIGKILL between the two calls that put an image in an older one's place
    if [ -n "$old" ] && [ "$signal" = KILL ] && ! grep -q '^rename(.*= 0' log; then
      rm -f target/.mica-*.tmp
    fi
    results+=" $(whole_or_none "$old")" || return
  done
  # both came about
  [[ $results == *none*whole* ]] || fail "$results"
}

@test "kill -9 at any call" {
  require_strace
  sample_layers 20000
  killed_everywhere KILL 9
  killed_everywhere KILL 29 --old
}

@test "Ctrl-C at any call" {
  require_strace
  sample_layers 20000
  killed_everywhere INT 19
  killed_everywhere TERM 19 --old
}

# The file has a temporary name from the start.
@test "Ctrl-C at any call, on a file system without nameless files" {
  require_strace
  sample_layers 20000
  strace -qq -o log -e trace=openat "$MICA" mkimage --quiet -j 1 target/image low.tar high.tar
  local at
  at=$(grep -n -m 1 'O_TMPFILE, 0666' log | cut -d: -f1)
  at=--inject=openat:error=EOPNOTSUPP:when=$at
  strace -qq -o log "$at" "$MICA" mkimage --quiet -j 1 target/image low.tar high.tar
  grep -q 'rename("target/.mica-' log
  killed_everywhere INT 19 '' "$at"
  killed_everywhere TERM 19 --old "$at"
}

@test "signals at random moments" {
  sample_layers 3000000
  python3 - "$MICA" <<'P'
import os, random, signal, subprocess, sys, time
random.seed(1)
whole = open("whole", "rb").read()
build = [sys.argv[1], "mkimage", "--quiet", "target/image", "low.tar", "high.tar"]
start = time.time()
subprocess.run(build, check=True)
span = time.time() - start
seen = set()
for sig in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
    for i in range(12):
        if os.path.exists("target/image"):
            os.unlink("target/image")
        p = subprocess.Popen(build)
        time.sleep(random.random() * span * 1.1)
        p.send_signal(sig)
        p.wait()
        left = os.listdir("target")
        assert left in ([], ["image"]), left
        assert not left or open("target/image", "rb").read() == whole
        seen.add(bool(left))
assert len(seen) == 2, seen
P
}
