#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2030,SC2031 # each test runs in a subshell of its own
# Stacks of layers below an upper directory, with the kernel's overlayfs as the judge.

load helpers
load stacks

# --- what shows --------------------------------------------------------------

@test "overlay: layers alone, read-only, as the kernel stacks them" {
  sample
  kernel_mount base.erofs k.base
  kernel_mount top.erofs k.top
  mkdir k m
  mount -t overlay overlay k -o lowerdir=k.top:k.base:low
  echo k >>"$(mounts_file)"
  "$MICA" mount --quiet low base.erofs top.erofs m
  echo m >>"$(mounts_file)"
  alike k m
  run ! touch m/new
  assert_has "Read-only file system"
  [ ! -e m/gone ] && [ "$(cat m/dir/below)" = above ] && [ "$(cat m/dir/lowest)" = lowest ]
}

@test "overlay: the same changes here and on the kernel's" {
  sample
  sha256sum base.erofs top.erofs >before
  find low -type f -exec sha256sum {} + >>before
  kernel_stack ku k
  stack mu m
  changes k
  changes m
  alike k m --ignore mtime
  [ "$(stat -c %Y.%y m/dir/moved)" = "$(stat -c %Y.%y k/dir/moved)" ]
  assert_equal "$(stat -c %Y m/dir/moved m/dir m/plain m/link2 | uniq)" 1500000000
  # and after both were unmounted
  unmount k && unmount m
  kernel_stack ku k
  stack mu m
  alike k m --ignore mtime
  # no layer is changed by a byte
  sha256sum --quiet -c before
}

@test "overlay: an upper directory of mica's is the kernel's, and the other way round" {
  sample
  kernel_stack ku k
  stack mu m
  changes k
  changes m
  cp -a m m.copy
  unmount k && unmount m
  # what mica wrote, under the kernel; what the kernel wrote, under mica
  kernel_stack mu k
  stack ku m
  alike m.copy k --ignore mtime,nlink
  alike m.copy m --ignore mtime,nlink
  unmount k && unmount m
  # without an index the kernel tears the names of a file apart, of the one as of the other
  kernel_stack mu k redirect_dir=on
  kernel_stack ku k2 redirect_dir=on
  alike k2 k --ignore mtime
}

@test "overlay: whiteouts and opaque directories are as the kernel makes them" {
  sample
  stack mu m
  rm m/dir/below
  rm -r m/dir/sub
  mkdir m/dir/sub
  assert_equal "$(stat -c '%F %t:%T' mu/dir/below)" "character special file 0:0"
  assert_equal "$(getfattr --only-values -n trusted.overlay.opaque mu/dir/sub)" y
  mv m/deep m/deeper
  assert_equal "$(getfattr --only-values -n trusted.overlay.redirect mu/deeper)" /deep
  # none of it shows, and what a user sets is the user's
  run -0 getfattr -d -m - m/deeper
  assert_lacks overlay
  setfattr -n trusted.overlay.opaque -v mine m/dir/text
  assert_equal "$(getfattr --only-values -n trusted.overlay.opaque m/dir/text)" mine
  assert_equal "$(getfattr --only-values -n trusted.overlay.overlay.opaque mu/dir/text)" mine
}

@test "overlay: inode numbers stay, over copy-up and remount" {
  sample
  stack mu m
  numbers() { (cd m && find . -name new.made -o -printf '%i %P\n' | sort -k 2); }
  numbers >first
  echo more >>m/dir/text
  chmod 0755 m/deep
  echo more >>m/hard2
  : >m/new.made
  numbers >second
  cmp first second
  unmount m
  stack mu m
  numbers >third
  cmp first third
  # what readdir says is what stat says
  run -0 "$TOOLS/treecmp" --d-ino m m
}

@test "overlay: the names of a lower file stay one file" {
  sample
  stack mu m
  assert_equal "$(stat -c %h m/hard2)" 3
  ln m/hard2 m/third
  rm m/dir/hard1
  assert_equal "$(stat -c %h m/hard2)" 3
  echo more >>m/hard2
  assert_equal "$(stat -c '%h %i' m/hard2)" "$(stat -c '3 %i' m/third)"
  [ "$(tail -1 m/third)" = more ]
  unmount m
  stack mu m
  [ "$(tail -1 m/hard2)" = more ]
  [ m/hard2 -ef m/third ]
  rm m/third
  mv m/hard2 m/dir/elsewhere
  [ "$(tail -1 m/dir/elsewhere)" = more ]
  rm m/dir/elsewhere
  [ "$(find mu.work/index -type f | wc -l)" -le 1 ]
}

@test "overlay: files without a name live on while they are open" {
  sample
  stack mu m
  exec 7<>m/dir/text 8<m/dir/lowest 9<>m/made
  rm m/dir/text m/dir/lowest m/made
  echo written >&7
  echo written >&9
  assert_equal "$(head -c 6 <&8)" lowest
  assert_equal "$(head -c 7 /proc/self/fd/7)" written
  assert_equal "$(cat /proc/self/fd/9)" written
  exec 7>&- 8>&- 9>&-
  [ ! -e m/dir/text ]
  assert_equal "$(find mu.work/work -type f | wc -l)" 0
}

@test "overlay: to remove what lies below copies nothing" {
  sample
  stack mu m
  local written
  written="/proc/$(server_of mu)/io"
  local before after
  before=$(awk '/^wchar/ { print $2 }' "$written")
  rm -r m/dir
  after=$(awk '/^wchar/ { print $2 }' "$written")
  # answers to requests are written, too; dir/text alone has 300,000 bytes
  [ $((after - before)) -lt 100000 ] || fail "$((after - before)) bytes written"
  [ ! -e m/dir ]
  [ -c mu/dir ]
}

@test "overlay: a directory is read on while it shrinks and grows" {
  require_root
  require_fuse
  mkdir low m up
  (cd low && mkdir many && seq 1 3000 | sed 's|^|many/f|' | xargs touch)
  "$MICA" mount --quiet low m --upper up
  echo m >>"$(mounts_file)"
  seq 1 3000 | sed 's|^|m/many/g|' | xargs touch
  # each name that is there all the time comes once
  python3 - <<'P'
import os
seen, removed = [], set()
with os.scandir("m/many") as entries:
    for i, e in enumerate(entries):
        seen.append(e.name)
        if i % 3 == 0:
            os.unlink("m/many/" + e.name)
            removed.add(e.name)
        if i % 500 == 0:
            open(f"m/many/late{i}", "w").close()
old = [n for n in seen if not n.startswith("late")]
assert len(old) == len(set(old)) == 6000, (len(old), len(set(old)))
left = set(os.listdir("m/many"))
assert left == ({f"{c}{i}" for c in "fg" for i in range(1, 3001)} - removed |
                {f"late{i}" for i in range(0, len(seen), 500)}), len(left)
P
  rm -r m/many
  assert_equal "$(ls m)" ""
  assert_equal "$(stat -c '%t:%T' up/many)" 0:0
}

@test "overlay: what is made has the owner, group, mode and ACL that the kernel would give it" {
  sample
  stack mu m
  kernel_stack ku k
  local dir
  for dir in m k; do
    (
      cd "$dir"
      umask 027
      mkdir plain/made && touch plain/made/before
      setfacl -d -m u:1234:rw plain/made
      touch plain/made/with && mkdir plain/made/dir && touch plain/made/dir/below
      ln -s with plain/made/link
      setfacl -k plain/made
      touch plain/made/after
      # the group of the directory, for root and for others
      mkdir -m 2777 shared && chgrp 4321 shared
      touch shared/root && mkdir shared/dir
      python3 - <<'P'
import os

os.setgroups([])
os.setgid(1001)
os.setuid(1001)
os.close(os.open("shared/user", os.O_CREAT | os.O_WRONLY, 0o666))
os.mkdir("shared/users")
os.mkfifo("shared/users/fifo")
os.symlink("user", "shared/link")
P
      mknod device c 1 5
      ! mknod whiteout c 0 0 2>&1
    ) >"$dir.log"
  done
  diff k.log m.log
  assert_has "Operation not permitted" "$(cat m.log)"
  diff <(list_access k) <(list_access m)
}

# list_access DIR: owners, modes and ACLs of what the test above makes
list_access() {
  (
    cd "$1" || exit
    find plain shared device -printf '%p %y %m %U %G\n' | sort
    find plain shared device ! -type l | sort | xargs getfacl
  )
}

@test "overlay: what hides is seen among many attributes, and with none beside it" {
  sample
  stack mu m
  rm -r m/dir m/deep
  mkdir m/dir m/deep
  local i name
  for i in $(seq 12); do
    name=$(printf 'user.%0200d' "$i")
    setfattr -n "$name" -v "$i" m/dir
  done
  unmount m
  stack mu m
  assert_equal "$(ls m/dir m/deep)" "$(printf 'm/deep:\n\nm/dir:')"
  assert_equal "$(getfattr --absolute-names m/dir | grep -c user)" 12
  assert_equal "$(getfattr --absolute-names m/deep)" ""
}

@test "overlay: more directories than descriptors" {
  sample
  mkdir -p mu m
  (ulimit -n 80 && exec "$MICA" mount --quiet base.erofs m --upper mu)
  echo m >>"$(mounts_file)"
  mkdir m/many
  for i in $(seq 200); do
    mkdir -p "m/many/$i/sub"
    echo "$i" >"m/many/$i/sub/file"
  done
  for i in $(seq 200); do
    assert_equal "$(cat "m/many/$i/sub/file")" "$i"
    mv "m/many/$i/sub" "m/many/$i/moved"
    chmod 600 "m/many/$i/moved/file"
  done
  assert_equal "$(find m/many -type f -perm 600 -path '*/moved/file' | wc -l)" 200
  rm -r m/many
  [ ! -e mu/many ]
}

@test "overlay: trees deeper than a path is long" {
  require_root
  require_fuse
  mkdir low m up
  "$MICA" mount --quiet low m --upper up
  echo m >>"$(mounts_file)"
  python3 - <<'P'
import os
name, top = "n" * 250, os.getcwd()
os.chdir("m")
for i in range(40):
    os.mkdir(name)
    os.chdir(name)
open("file", "w").write("deep down")
os.rename("file", "moved")
os.chmod("moved", 0o600)
assert open("moved").read() == "deep down"
os.setxattr("moved", "user.a", b"1")
assert os.listxattr("moved") == ["user.a"]
os.unlink("moved")
P
  rm -r m/n*
  assert_equal "$(find up | wc -l)" 1
}

# --- data --------------------------------------------------------------------

@test "overlay: a copy of a file that is being written has all of it" {
  sample
  truncate -s 1M low/hole
  stack mu m
  # what was written is in the kernel yet, while the file is open
  python3 - <<'E' &
import os, time
made = os.open("m/made", os.O_RDWR | os.O_CREAT)
os.write(made, b"x" * 100000)
hole = os.open("m/hole", os.O_RDWR)
os.pwrite(hole, b"y" * 100000, 500000)
open("written", "w").close()
for _ in range(600):
    if os.path.exists("copied"):
        break
    time.sleep(0.1)
E
  local writer=$!
  for _ in $(seq 600); do
    [ ! -e written ] || break
    sleep 0.1
  done
  cp m/made made
  cp m/hole hole
  touch copied
  wait "$writer"
  cmp m/made made
  cmp m/hole hole
  assert_equal "$(head -c 1 made)" x
}

# data_of OPTION...: what overlay_data.py finds on the kernel's stack and on mica's
data_of() {
  require_root
  require_fuse
  rm -rf low ku ku.work mu mu.work
  mkdir -p low k m ku ku.work mu
  head -c 100000 /dev/urandom >low/plain
  echo old >low/target
  local at
  for at in 1048576 2162688; do
    head -c 64K /dev/urandom |
      dd of=low/holes bs=64K seek="$at" oflag=seek_bytes conv=notrunc status=none
  done
  mount -t overlay overlay k -o "lowerdir=low,upperdir=ku,workdir=ku.work"
  echo k >>"$(mounts_file)"
  "$MICA" mount --quiet low m --upper mu "$@"
  echo m >>"$(mounts_file)"
  python3 "$BATS_TEST_DIRNAME/overlay_data.py" k >k.log
  python3 "$BATS_TEST_DIRNAME/overlay_data.py" m >m.log
}

@test "overlay: holes, allocation and copied ranges, as on the kernel's" {
  data_of -o writeback=0
  diff k.log m.log
  grep -qF "holes [(1048576, 1114112), (2162688, 2228224)]" m.log
  alike k m --ignore mtime
  unmount k && unmount m
  # with a kernel that gathers writes all is data, and the rest as before
  data_of
  diff <(grep -v "^punched\|^[a-z]* seek\|\[(" k.log) <(grep -v "^punched\|^[a-z]* seek\|\[(" m.log)
  grep -qF "holes [(0, 2228224)]" m.log
  alike k m --ignore mtime
}

@test "overlay: files that begin without a name, and may get one" {
  sample
  mkdir low/shared low/acl
  chgrp 77 low/shared
  chmod 2775 low/shared
  setfacl -d -m u:99:rw low/acl
  stack mu m
  kernel_stack ku k
  cat >nameless.py <<'E'
import errno, os, sys
os.chdir(sys.argv[1])
root = os.open("/", os.O_PATH)
os.umask(0o027)

def link(fd, name):
    # with a directory it is linkat(2), which follows
    os.link(f"/proc/self/fd/{fd}", name, src_dir_fd=root, follow_symlinks=True)

for where, mode in ("plain", 0o666), ("shared", 0o664), ("acl", 0o666), ("deep/er", 0o4711):
    try:
        fd = os.open(where, os.O_TMPFILE | os.O_RDWR, mode)
    except OSError as e:
        assert e.errno == errno.EOPNOTSUPP
        sys.exit("no requests for that")
    os.write(fd, b"begins without " * 9000)
    st = os.fstat(fd)
    print(where, oct(st.st_mode), st.st_uid, st.st_gid, st.st_nlink, st.st_size)
    assert "nameless" not in os.listdir(where)
    link(fd, where + "/named")
    os.write(fd, b"and gets one")
    assert os.fstat(fd).st_nlink == 1
    assert os.fstat(fd).st_ino == os.stat(where + "/named").st_ino
    os.rename(where + "/named", where + "/renamed")
    os.link(where + "/renamed", where + "/second")
    os.close(fd)
    print(os.stat(where + "/second").st_nlink, len(open(where + "/renamed").read()))
# one that stays without, and one that may not get a name
fd = os.open("plain", os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o600)
os.write(fd, b"gone")
try:
    link(fd, "plain/never")
except OSError as e:
    print(errno.errorcode[e.errno])
os.ftruncate(fd, 2)
print(os.pread(fd, 9, 0), os.listdir("plain"))
E
  run python3 nameless.py m
  [[ $output != *"no requests for that"* ]] || skip "needs libfuse 3.17"
  assert_equal "$status" 0
  echo "$output" >m.log
  python3 nameless.py k >k.log
  diff k.log m.log
  alike k m --ignore mtime
  unmount m
  stack mu m
  alike k m --ignore mtime
  assert_equal "$(find mu.work/work -type f | wc -l)" 0
}

# --- random operations -------------------------------------------------------

@test "overlay: random operations, the kernel's overlayfs as the model" {
  sample
  local seed
  for seed in $(seq "${OVERLAY_SEEDS:-1}" "$((${OVERLAY_SEEDS:-1} + ${OVERLAY_RUNS:-4} - 1))"); do
    rm -rf ku ku.work mu mu.work
    kernel_stack ku k
    stack mu m
    local part
    for part in 1 2; do
      python3 "$BATS_TEST_DIRNAME/overlay_ops.py" "$seed.$part" 150 k >k.log
      python3 "$BATS_TEST_DIRNAME/overlay_ops.py" "$seed.$part" 150 m >m.log
      diff k.log m.log || fail "seed $seed.$part"
      alike k m --ignore mtime || fail "seed $seed.$part"
      unmount k && unmount m
      kernel_stack ku k
      stack mu m
      alike k m --ignore mtime || fail "seed $seed.$part, mounted again"
    done
    # each under the other
    unmount k && unmount m
    kernel_stack mu k
    stack ku m
    alike k m --ignore mtime || fail "seed $seed, upper directories exchanged"
    unmount k && unmount m
  done
}

@test "overlay: many at the same time, and then the kernel sees what they left" {
  sample
  stack mu m
  local changes
  changes=$(python3 "$BATS_TEST_DIRNAME/overlay_stress.py" m 5)
  [ "$changes" -gt 1000 ]
  # but for times: see docs/overlay.md
  "$TOOLS/treelist" m | sed 's/ mtime=[0-9.]*//' >here
  unmount m
  kernel_stack mu k
  "$TOOLS/treelist" k | sed 's/ mtime=[0-9.]*//' >there
  cmp here there
}

# --- trouble -----------------------------------------------------------------

@test "overlay: a request that waits does not hold up the others" {
  sample
  mkdir slow mu m
  "$MICA" mount --quiet top.erofs slow
  echo slow >>"$(mounts_file)"
  "$MICA" mount --quiet low slow m --upper mu
  echo m >>"$(mounts_file)"
  echo own >m/own
  local pid status=0 i
  pid=$(find /proc/[0-9]*/fd -lname "$PWD/top.erofs" 2>/dev/null | cut -d/ -f3 | sort -u | head -1)
  kill -STOP "$pid"
  # as many as wait: each takes a thread
  for i in 1 2 3; do
    stat "m/dir/unknown$i" >"stat.$i" 2>&1 &
  done
  timeout 60 setfattr -n user.said -v yes m/own || status=$?
  kill -CONT "$pid"
  wait
  assert_equal "$status" 0
  assert_has "No such file" "$(cat stat.3)"
  assert_equal "$(getfattr --only-values -n user.said m/own)" yes
}

@test "overlay: one upper directory, one mount" {
  sample
  stack mu m
  mkdir m2
  run ! "$MICA" mount low m2 --upper mu
  assert_has "work directory mu.work is in use by another mount"
  unmount m
  # umount(8) does not wait for the server to go
  flock mu.work sleep 0.7 &
  sleep 0.2
  stack mu m
  wait
}

@test "overlay: what a killed server had not finished is cleaned up" {
  sample
  stack mu m
  echo kept >m/kept
  sync m/kept
  kill -9 "$(server_of mu)"
  umount -l m
  sed -i '/^m$/d' "$(mounts_file)"
  echo half >"mu.work/work/#5"
  mkdir "mu.work/work/#6"
  mknod "mu.work/work/#6/x" c 0 0
  stack mu m
  assert_equal "$(ls mu.work/work)" ""
  assert_equal "$(cat m/kept)" kept
}

@test "overlay: a full upper directory is ENOSPC, and nothing is lost" {
  sample
  mkdir small
  mount -t tmpfs -o size=200k tmpfs small
  echo small >>"$(mounts_file)"
  mkdir m small/up small/work
  "$MICA" mount --quiet low base.erofs m --upper small/up --work small/work
  echo m >>"$(mounts_file)"
  run ! sh -c 'echo more >>m/dir/text && sync m/dir/text'
  assert_has "No space left on device"
  echo fits >m/small
  assert_equal "$(cat m/small)" fits
  [ ! -e small/up/dir/text ]
  assert_equal "$(find small/work/work -type f | wc -l)" 0
  unmount m
  "$MICA" mount --quiet low base.erofs m --upper small/up --work small/work
  echo m >>"$(mounts_file)"
  cmp m/dir/text base/dir/text
  assert_equal "$(cat m/small)" fits
}

@test "overlay: wrong options are said" {
  sample
  mkdir -p m other
  run -1 "$MICA" mount m
  assert_has "an image and a mountpoint are needed"
  run -1 "$MICA" mount low m --work w
  assert_has "a work directory is of use with an upper directory only"
  run -1 "$MICA" mount -o rw low m
  assert_has "without an upper directory (--upper) everything is read-only"
  run -32 "$MICA" mount low m --upper none
  assert_has "upper directory none: No such file or directory"
  run -32 "$MICA" mount missing low m
  assert_has "missing: No such file or directory"
  mkdir tmp
  mount -t tmpfs tmpfs tmp
  echo tmp >>"$(mounts_file)"
  run -32 "$MICA" mount low m --upper other --work tmp
  assert_has "upper directory other and work directory tmp are not on one file system"
  run ! mountpoint -q m
}

@test "overlay: in place of fuse-overlayfs" {
  sample
  mkdir up work m bin low2
  ln -s "$MICA" bin/fuse-overlayfs
  echo 2 >low2/two
  bin/fuse-overlayfs -o "lowerdir=low2:low,upperdir=up,workdir=work,,volatile,private" m
  echo m >>"$(mounts_file)"
  assert_equal "$(cat m/two m/plain/file)" "2
plain"
  assert_equal "$(findmnt -no FSTYPE m)" fuse.fuse-overlayfs
  # its own form of whiteouts is understood
  unmount m
  : >up/.wh.two
  mkdir up/plain
  : >up/plain/.wh..wh..opq
  bin/fuse-overlayfs -o lowerdir=low2:low,upperdir=up,workdir=work m
  echo m >>"$(mounts_file)"
  [ ! -e m/two ]
  assert_equal "$(ls -A m/plain)" ""
  assert_equal "$(ls -A m)" "dir
plain"
  unmount m
  # owners are shifted: root here is 100000 there
  rm -rf up work && mkdir up work
  bin/fuse-overlayfs -o "lowerdir=low,upperdir=up,workdir=work,uidmapping=:0:100000:65536,gidmapping=:0:100000:65536" m
  echo m >>"$(mounts_file)"
  assert_equal "$(stat -c %u:%g m/plain/file)" 100000:100000
  setpriv --reuid=100000 --regid=100000 --clear-groups touch m/plain/made
  assert_equal "$(stat -c %u:%g up/plain/made)" 0:0
  chown 100007:100008 m/plain/made
  assert_equal "$(stat -c %u:%g up/plain/made)" 7:8
  run ! chown 5 m/plain/made
}
