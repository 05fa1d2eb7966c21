#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2030,SC2031 # each test runs in a subshell of its own
# mica mkimage and what goes wrong: the error names the file or the offset, what
# was found and what was allowed; the exit status is 1 (unless a signal ended
# the program); no partial image and no temporary file is left.

load helpers

# Everything happens in target/, so that what is left over shows.
setup() {
  mkdir "$BATS_TEST_TMPDIR/work" && cd "$BATS_TEST_TMPDIR/work" || return
  mkdir target
}

# fails TEXT... -- ARGUMENT...: mkimage target/image ARGUMENT... says each TEXT
fails() {
  local texts=()
  while [ "$1" != -- ]; do
    texts+=("$1")
    shift
  done
  shift
  run "$MICA" mkimage target/image "$@"
  [ "$status" = 1 ] || fail "exit status $status" "$output"
  local text
  for text in "${texts[@]}"; do
    [[ $output == *"$text"* ]] || fail "not found: $text" "in: $output"
  done
  # one line, from this program
  [ "$(grep -c '^mica mkimage: ' <<<"$output")" -ge 1 ] || fail "$output"
  nothing_left
}

nothing_left() {
  [ -z "$(ls -A target)" ] || fail "left over: $(ls -lA target)"
}

sample_tar() {
  mkdir -p src/dir
  text 300000 >src/dir/text
  noise 300000 >src/noise
  touch -d 2020-01-01 src/dir/text src/noise src/dir src
  tar --format=pax --sort=name -C src -cf good.tar .
}

@test "a source that does not exist" {
  fails no/such/source 'No such file or directory' -- no/such/source
  sample_tar
  fails missing.tar 'No such file or directory' -- good.tar missing.tar
}

@test "a source that may not be read" {
  require_root
  sample_tar
  mkdir closed
  chmod 0 closed good.tar
  chmod 777 . target
  run setpriv --reuid 65534 --clear-groups "$MICA" mkimage target/image good.tar
  [ "$status" = 1 ] || skip "another user cannot run $MICA"
  assert_has good.tar
  assert_has 'Permission denied'
  nothing_left
  run setpriv --reuid 65534 --clear-groups "$MICA" mkimage target/image closed
  assert_status 1
  assert_has closed
  assert_has 'Permission denied'
  nothing_left
}

@test "a source of the wrong kind" {
  python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("a-socket")'
  fails a-socket -- a-socket
}

@test "garbage" {
  noise 100000 >garbage
  fails garbage -- garbage
  text 100000 >words
  fails words -- words
  echo >newline
  fails newline -- newline
  fails 'standard input' -- - <garbage
}

@test "a tar that ends early" {
  sample_tar
  local size
  # in a header, in data, in padding, between entries
  for size in 100 700 1500 100000 301000 500000; do
    head -c $size good.tar >short.tar
    fails short.tar -- short.tar
  done
  head -c 100000 good.tar >short.tar
  fails "mica mkimage: short.tar: 'dir/text': truncated" -- short.tar
}

@test "a compressed tar that ends early or is damaged" {
  sample_tar
  local program
  for program in gzip zstd xz bzip2; do
    $program -c good.tar >packed
    head -c 200000 packed >short
    fails short -- short
    cp packed damaged
    printf '\377' | dd of=damaged bs=1 seek=150000 conv=notrunc status=none
    if cmp -s packed damaged; then printf '\0' | dd of=damaged bs=1 seek=150000 conv=notrunc status=none; fi
    fails damaged -- damaged
  done
}

@test "an error does not wait for the rest of a pipe" {
  sample_tar
  mkfifo pipe
  # headers whose checksums are wrong, and a deflate block of the type that does not exist
  head -c 300000 good.tar | tr 'e' 'X' >bad.tar
  { head -c 200000 good.tar | gzip -c; printf '\37\213\10\0\0\0\0\0\0\3\7'; noise 300000; } >bad.tar.gz
  local file
  for file in bad.tar bad.tar.gz; do
    # damage in what came (256 KiB are read at once), and nothing behind it for a long time
    { cat "$file"; exec sleep 600; } >pipe &
    run timeout 20 "$MICA" mkimage target/image - <pipe
    kill $!
    assert_status 1
    [ "$file" != bad.tar.gz ] || assert_has "gzip: invalid block type"
    nothing_left
  done
}

@test "a damaged header in the middle" {
  sample_tar
  cp good.tar bad.tar
  # the last entry's header: the name changes, its checksum does not
  local at
  at=$(grep -abo '\./noise' good.tar | tail -1 | cut -d: -f1)
  printf 'X' | dd of=bad.tar bs=1 seek=$((at + 2)) conv=notrunc status=none
  fails bad.tar -- bad.tar
}

@test "numbers in a header that are none" {
  python_tar x.tar <<'P'
add("file", data=b"12345")
P
  local at
  at=$(grep -abo file x.tar | head -1 | cut -d: -f1)
  cp x.tar bad.tar
  # size field, with the checksum made right again
  python3 - "$at" <<'P'
import sys
at = int(sys.argv[1])
d = bytearray(open("bad.tar", "rb").read())
d[at + 124:at + 136] = b"9999999999z\0"
d[at + 148:at + 156] = b" " * 8
d[at + 148:at + 156] = b"%06o\0 " % sum(d[at:at + 512])
open("bad.tar", "wb").write(d)
P
  fails bad.tar -- bad.tar
}

@test "a hard link that leads nowhere" {
  python_tar x.tar <<'P'
add("dir/link", type=tarfile.LNKTYPE, link="no/such/file")
P
  fails "x.tar: 'dir/link'" no/such/file -- x.tar
  # with several layers it is the one that has the link
  sample_tar
  fails "x.tar: 'dir/link'" no/such/file -- good.tar x.tar good.tar
}

@test "hard links to themselves, to each other, to a directory" {
  python_tar self.tar <<'P'
add("self", type=tarfile.LNKTYPE, link="self")
P
  fails self -- self.tar
  python_tar ring.tar <<'P'
add("a", type=tarfile.LNKTYPE, link="b")
add("b", type=tarfile.LNKTYPE, link="a")
P
  fails "'a': hard link to 'b'" -- ring.tar
  python_tar dir.tar <<'P'
add("dir", type=tarfile.DIRTYPE)
add("link", type=tarfile.LNKTYPE, link="dir")
P
  fails link -- dir.tar
}

@test "paths that lead out of the tree" {
  local name
  for name in ../escape dir/../../escape a/../b; do
    NAME=$name python_tar x.tar <<'P'
import os
add(os.environ["NAME"], data=b"1")
P
    run "$MICA" mkimage target/image x.tar
    # refused, or kept inside: never above the root
    if [ "$status" = 0 ]; then
      "$MICA" fsck target/image
      rm target/image
    else
      assert_has "$name"
    fi
    nothing_left
  done
}

@test "a target that cannot be written" {
  sample_tar
  run "$MICA" mkimage no/such/dir/image good.tar
  assert_status 1
  assert_has no/such/dir
  assert_has 'No such file or directory'
  run "$MICA" mkimage target good.tar
  assert_status 1
  assert_has target
  nothing_left
  run "$MICA" mkimage good.tar/image good.tar
  assert_status 1
  assert_has 'Not a directory'
  [ -s good.tar ]
}

@test "a target that is a symlink" {
  sample_tar
  mkdir images
  ln -s ../images/new target/link
  mkimage target/link good.tar
  [ -L target/link ]
  "$MICA" fsck images/new
  # again, over the image that is there now
  mkimage target/link src
  [ -L target/link ]
  assert_equal "$(find target images -mindepth 1 | sort | paste -sd" ")" "images/new target/link"
  # as /dev/stdout is one
  ln -s /proc/self/fd/1 stdout
  "$MICA" mkimage --quiet stdout good.tar >redirected
  [ -L stdout ]
  "$MICA" fsck redirected
  ln -sf loop target/loop
  run "$MICA" mkimage target/loop good.tar
  assert_status 1
  assert_has 'Too many levels of symbolic links'
}

@test "a target that is no file" {
  sample_tar
  run "$MICA" mkimage - good.tar
  assert_status 1
  assert_has 'cannot go to standard output'
  [ ! -e - ]
  ln -s /proc/self/fd/1 stdout
  run bash -c '"$0" mkimage stdout good.tar | cat' "$MICA"
  assert_has 'not a regular file'
  [ -L stdout ]
  mkfifo target/fifo
  run "$MICA" mkimage target/fifo good.tar
  assert_status 1
  assert_has 'not a regular file'
}

@test "a target on a read-only file system" {
  require_root
  sample_tar
  mount -t tmpfs -o ro tmpfs target
  echo target >>"$(mounts_file)"
  fails target 'Read-only file system' -- good.tar
}

@test "no space left" {
  require_root
  sample_tar
  mount -t tmpfs -o size=256k tmpfs target
  echo target >>"$(mounts_file)"
  fails target 'No space left on device' -- good.tar
  # nor is any space held
  assert_equal "$(df --output=used target | tail -1 | tr -d ' ')" 0
  # in the metadata, too
  mkdir many
  (cd many && seq -f 'a-name-that-takes-some-room-%05g' 6000 | xargs touch)
  fails 'No space left on device' -- many
}

@test "no space for inodes or more than a quota of file size allows" {
  sample_tar
  run bash -c 'ulimit -f 100; exec "$1" mkimage target/image good.tar' - "$MICA"
  assert_status 1
  assert_has 'target/image: write '
  assert_has 'File too large'
  nothing_left
}

@test "an existing image stays as it is when a build fails" {
  sample_tar
  echo 'the old image' >target/image
  head -c 400000 good.tar >short.tar
  run "$MICA" mkimage target/image short.tar
  assert_status 1
  assert_equal "$(cat target/image)" 'the old image'
  assert_equal "$(ls -A target)" image
  mkimage target/image good.tar
  "$MICA" fsck target/image
  assert_equal "$(ls -A target)" image
}

# interrupted SIGNAL: a build from a pipe that stays open meets the signal; prints
# how it ended
interrupted() {
  python3 - "$1" "$MICA" <<'P'
import signal, subprocess, sys, time
p = subprocess.Popen([sys.argv[2], "mkimage", "target/image", "-"], stdin=subprocess.PIPE)
# more than the pipe holds: most of it has been read when write() returns
p.stdin.write(open("good.tar", "rb").read(400000))
p.stdin.flush()
time.sleep(0.2)
p.send_signal(getattr(signal, "SIG" + sys.argv[1]))
print(p.wait())
P
}

@test "a signal leaves nothing behind" {
  sample_tar
  assert_equal "$(interrupted TERM)" -15
  nothing_left
  assert_equal "$(interrupted INT)" -2
  nothing_left
  assert_equal "$(interrupted HUP)" -1
  nothing_left
}

@test "a signal that is ignored stays so" {
  sample_tar
  run python3 - "$MICA" <<'P'
import signal, subprocess, sys, time
signal.signal(signal.SIGHUP, signal.SIG_IGN)
p = subprocess.Popen([sys.argv[1], "mkimage", "target/image", "-"], stdin=subprocess.PIPE)
tar = open("good.tar", "rb").read()
p.stdin.write(tar[:400000])
p.stdin.flush()
time.sleep(0.2)
p.send_signal(signal.SIGHUP)
time.sleep(0.1)
p.stdin.write(tar[400000:])
p.stdin.close()
sys.exit(p.wait())
P
  assert_status 0
  "$MICA" fsck target/image
}

@test "kill -9 leaves no image" {
  sample_tar
  assert_equal "$(interrupted KILL)" -9
  [ ! -e target/image ]
  # and nothing in the way of the next run
  mkimage target/image good.tar
  "$MICA" fsck target/image
}

@test "standard output that is full" {
  sample_tar
  run bash -c '"$1" mkimage --json target/image good.tar >/dev/full' - "$MICA"
  assert_status 1
  assert_has 'No space left on device'
}

# A closed stream's number must not become that of the image.
@test "standard streams that are closed" {
  mkdir src
  noise 4000000 >src/noise
  tar --format=ustar -C src -cf many.tar .
  python3 - <<'PY'
import io, tarfile
with tarfile.open("many.tar", "a", format=tarfile.USTAR_FORMAT) as tar:
    for i in range(300):
        info = tarfile.TarInfo(f"no-target-{i}")
        info.type = tarfile.SYMTYPE
        tar.addfile(info)
PY
  "$MICA" mkimage -z none whole many.tar 2>/dev/null
  bash -c '"$1" mkimage -z none target/image many.tar 2>&-' - "$MICA"
  cmp whole target/image
  bash -c '"$1" mkimage -z none target/image many.tar <&- >&- 2>&-' - "$MICA"
  cmp whole target/image
  rm target/image
  run bash -c '"$1" mkimage target/image - <&-' - "$MICA"
  assert_status 1
  assert_has 'standard input'
  assert_has 'Bad file descriptor'
  nothing_left
}

# shellcheck disable=SC2094 # what is read is not what is written
@test "standard input named twice" {
  sample_tar
  fails 'standard input (-) is named 2 times' -- - good.tar - <good.tar
}

# shellcheck disable=SC2094 # nothing is written
@test "a source that is the image" {
  sample_tar
  cp good.tar target/image
  ln -s target/image other
  for source in target/image other -; do
    run "$MICA" mkimage target/image good.tar $source <target/image
    assert_status 1
    assert_has 'is the image to be made and a source'
    cmp good.tar target/image
  done
}

@test "an error of one layer names the layer" {
  require_root
  sample_tar
  mknod src/whiteout c 0 0
  tar -C src -cf white.tar .
  fails "white.tar: 'whiteout': a device 0:0" -- good.tar white.tar good.tar
}

# Attributes of what cannot be opened are reached through /proc.
@test "a directory without /proc" {
  require_root
  mkdir src
  mkfifo src/fifo
  run without_proc "$MICA" mkimage target/image src
  assert_status 1
  assert_has "src: 'fifo': list xattrs"
  assert_has 'which takes /proc'
  nothing_left
}

@test "a file that shrinks or a directory that goes while it is read" {
  sample_tar
  # /proc has files whose size is not what can be read from them
  run "$MICA" mkimage target/image /proc/self/attr
  [ "$status" = 0 ] || [ "$status" = 1 ]
  [ "$status" = 0 ] || nothing_left
}

@test "the same error with one thread and with many" {
  sample_tar
  head -c 400000 good.tar >short.tar
  run "$MICA" mkimage -j 1 target/image short.tar
  local one=$output
  run "$MICA" mkimage -j 8 target/image short.tar
  assert_equal "$output" "$one"
}
