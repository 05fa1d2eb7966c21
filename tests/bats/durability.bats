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
  builds mkimage --quiet -j 1 target/image low.tar high.tar
}

# builds ARGUMENT...: what is tested from here on, and what comes of it
builds() {
  BUILD=("$MICA" "$@")
  "${BUILD[@]}"
  rm -rf whole
  if [ -e target/image ]; then mv target/image whole; else cp -r target whole && rm -r target/*; fi
}

# The layers of the sample as images of their own, for mica merge.
sample_images() {
  sample_layers 100000 20000
  mkimage low.erofs low.tar
  mkimage high.erofs high.tar
}

# whole_or_none [--old]: the target is the image or, with --old, the older one;
# there is nothing else. Prints which. Of several images there are all or none.
whole_or_none() {
  local found old=${1:-}
  found=$(ls -A target)
  if [ -d whole ]; then
    if [ -z "$found" ]; then
      echo none
    else
      diff -r whole target >&2 || fail "in target: $(ls -lA target)"
      echo whole
    fi
  elif [ "$found" = "${old:+image}" ] && { [ -z "$old" ] || [ "$(cat target/image)" = old ]; }; then
    echo none
  elif [ "$found" = image ] && cmp -s whole target/image; then
    echo whole
  else
    fail "in target: $(ls -lA target)"
  fi
}

# traced OPTION...: a build under strace, which says what it did in `log`
traced() {
  strace -f -qq -o log "$@" "${BUILD[@]}"
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

# fails_everywhere CALL ERROR [--old|'']: CALL fails with ERROR at its first, second, ... time;
# also over an older image
fails_everywhere() {
  local call=$1 error=$2 n=0 old
  for old in '' ${3---old}; do
    for ((n = 1; n < 100; n++)); do
      rm -f target/*
      [ -z "$old" ] || echo old >target/image
      run traced -e "trace=$call" -e "inject=$call:error=$error:when=$n"
      grep -q INJECTED log || break
      [ "$status" = 1 ] || fail "$call number $n failed, but the status is $status" "$(cat log)"
      assert_has "mica ${BUILD[1]}: "
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
  assert_equal "$(whole_or_none)" whole
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

@test "an error of a sync while the image is being written" {
  require_strace
  mkdir -p high target
  noise 150000000 1 >high/noise
  BUILD=("$MICA" mkimage --quiet target/image high)
  "${BUILD[@]}"
  mv target/image whole
  # it would not be told again: neither by the next one nor by the one at the end
  fails_everywhere fdatasync EIO ''
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

@test "an error of any call that a merge makes" {
  require_strace
  sample_images
  local flat
  for flat in '' --flat; do
    rm -f target/*
    builds merge --quiet $flat target/image low.erofs high.erofs
    fails_everywhere pwrite64 ENOSPC ''
    fails_everywhere ftruncate EIO ''
    fails_everywhere fsync EIO
    fails_everywhere linkat EIO ''
  done
  # how the layers' blocks come: shared, copied by the kernel, or read and written
  fails_everywhere copy_file_range EIO ''
  fails_everywhere copy_file_range ENOSPC
  traced -e inject=copy_file_range:error=EXDEV
  assert_equal "$(whole_or_none)" whole
}

@test "an error of any call that --per-layer makes" {
  require_strace
  sample_layers 100000 20000
  builds mkimage --quiet -j 2 --per-layer target low.tar high.tar
  assert_equal "$(ls whole | wc -l)" 2
  fails_everywhere pwrite64 EIO ''
  fails_everywhere ftruncate ENOSPC ''
  fails_everywhere fsync EIO ''
  fails_everywhere linkat EIO ''
  # what took an older image's place stays, what is new goes
  echo old >target/000.erofs
  rm -f target/001.erofs
  run traced -e inject=linkat:error=EIO:when=3
  assert_status 1
  assert_equal "$(ls -A target)" 000.erofs
  cmp target/000.erofs whole/000.erofs
}

# too_small STEP: the build on file systems of every STEP-th KiB, up to one that is enough
too_small() {
  local size need last='' step=$1
  need=$(du -sk --apparent-size whole | cut -f1)
  for ((size = 4; size < 2 * need + 64; size += step)); do
    mount -t tmpfs -o size=${size}k tmpfs target
    echo target >>"$(mounts_file)"
    run "${BUILD[@]}"
    if [ "$status" = 0 ]; then
      assert_equal "$(whole_or_none)" whole
    else
      assert_has ': target/'
      assert_has 'No space left on device'
      assert_equal "$(whole_or_none)" none
      assert_equal "$(df --output=used target | tail -1 | tr -d ' ')" 0
    fi
    last=$status
    unmount target
  done
  assert_equal "$last" 0
}

@test "file systems of every size that is too small" {
  require_root
  sample_layers 100000
  too_small 12
  builds mkimage --quiet --per-layer target low.tar high.tar
  too_small 20
}

@test "file systems of every size that is too small for a merge" {
  require_root
  sample_images
  builds merge --quiet --flat target/image low.erofs high.erofs
  too_small 12
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
  local signal=$1 step=$2 old=${3:-} option=${4:-} n name time results='' calls killed=0
  rm -f target/*
  strace -qq -o log ${option:+"$option"} "${BUILD[@]}"
  # strace counts the calls of each name by themselves
  awk -F'(' '/^[a-z]/ { print $1, ++n[$1] }' log >calls
  calls=$(wc -l <calls)
  [ "$calls" -gt 100 ]
  n=0
  while read -r name time; do
    n=$((n + 1))
    [ $((n % step)) = 0 ] || [ $((calls - n)) -lt 30 ] || continue
    # not the call that the option is for, nor those whose number varies
    [[ $name != exit_group && $name != futex && $option != *"=$name:"* ]] || continue
    rm -f target/*
    [ -z "$old" ] || echo old >target/image
    strace -qq -o log -e "inject=$name:signal=$signal:when=$time" ${option:+"$option"} \
      "${BUILD[@]}" 2>/dev/null || true
    ! grep -q 'killed by SIG' log || killed=$((killed + 1))
    # SIGKILL between the two calls that put an image in an older one's place
    if [ -n "$old" ] && [ "$signal" = KILL ] && ! grep -q '^rename(.*= 0' log; then
      rm -f target/.mica-*.tmp
    fi
    results+=" $(whole_or_none "$old")" || return
  done <calls
  # both came about, and by signals
  [ "$killed" -gt 20 ] || fail "killed $killed times only"
  [[ $results == *none*whole* ]] || fail "$results"
}

@test "kill -9 at any call" {
  require_strace
  sample_layers 20000
  killed_everywhere KILL 19
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

@test "signals at any call of a merge" {
  require_strace
  sample_images
  builds merge --quiet --flat target/image low.erofs high.erofs
  killed_everywhere KILL 19
  killed_everywhere INT 29 --old
}

# Here only SIGKILL can come between the names of two images.
@test "signals at any call of --per-layer" {
  require_strace
  sample_layers 20000
  builds mkimage --quiet -j 1 --per-layer target/%n low.tar high.tar
  killed_everywhere INT 9
  killed_everywhere TERM 29
  # nor is a directory left that was made for them
  builds mkimage --quiet -j 1 --per-layer target/new low.tar high.tar
  mv whole/new whole.new
  local name time made
  strace -qq -o log "${BUILD[@]}"
  awk -F'(' '/^[a-z]/ { print $1, ++n[$1] } /^mkdir/ { from = NR } END { print from }' log >calls
  made=$(tail -1 calls)
  tail -n +"$((made - 5))" calls | grep -v '^[0-9]\|exit_group' >some
  while read -r name time; do
    rm -rf target/new
    strace -qq -o log -e "inject=$name:signal=INT:when=$time" "${BUILD[@]}" || true
    [ ! -e target/new ] || diff -r whole.new target/new
  done <some
}

# random_moments IMAGE...: the build is killed KILLS (12) times by each signal; then there are all
# of these images or none, but that SIGKILL may come between them
random_moments() {
  KILLS=${KILLS:-12} python3 - "${BUILD[@]}" -- "$@" <<'P'
import os, random, signal, subprocess, sys, time
random.seed(1)
at = sys.argv.index("--")
build, names = sys.argv[1:at], sorted(sys.argv[at + 1:])
whole = {n: open("whole/" + n if os.path.isdir("whole") else "whole", "rb").read() for n in names}
start = time.time()
subprocess.run(build, check=True)
span = time.time() - start
seen = set()
for sig in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
    kills = int(os.environ["KILLS"])
    for i in range(kills):
        for n in os.listdir("target"):
            os.unlink("target/" + n)
        p = subprocess.Popen(build)
        # one of them at once, one when all is done, whatever else this machine does
        if i == kills - 1:
            p.communicate()
        elif i:
            time.sleep(random.random() * span * 1.1)
        p.send_signal(sig)
        p.wait()
        left = sorted(os.listdir("target"))
        assert left in ([], names) or sig == signal.SIGKILL and set(left) < set(names), left
        for n in left:
            assert open("target/" + n, "rb").read() == whole[n], n
        seen.add(bool(left))
assert len(seen) == 2, seen
for n in os.listdir("target"):
    os.unlink("target/" + n)
P
}

@test "signals at random moments" {
  sample_layers 3000000
  builds mkimage --quiet target/image low.tar high.tar
  random_moments image
  builds mkimage --quiet -j 3 --per-layer target low.tar high.tar low.tar
  random_moments 00{0,1,2}.erofs
}
