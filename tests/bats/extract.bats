#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154

load checktree

setup_file() {
  cd "$BATS_FILE_TMPDIR" || return 1
  tree_make src
  mkfs.erofs --quiet plain.img src
  mkfs.erofs --quiet -zlz4hc -C65536 lz4.img src
  mkfs.erofs --quiet --chunksize=4096 chunk.img src
}

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  F=$BATS_FILE_TMPDIR
}

@test "extract: everything comes out equal" {
  need_root
  for kind in plain lz4 chunk; do
    run -0 "$MICA" extract "$F/$kind.img" -C $kind
    [ -z "$output" ]
    tree_same "$F/src" $kind
  done
}

@test "extract: holes stay holes" {
  "$BADIMAGE" make good good.img
  "$MICA" extract good.img -C out chunk
  [ "$(stat -c '%s %b' out/chunk)" = "12288 16" ]
  cmp out/chunk <(head -c 8192 /dev/zero | tr '\0' c && head -c 4096 /dev/zero)
}

@test "extract: the image of what was extracted is the same image" {
  need_root
  "$MICA" mkimage --quiet a.img "$F/src"
  "$MICA" extract a.img -C out
  "$MICA" mkimage --quiet b.img out
  cmp a.img b.img
  "$MICA" extract --tar a.img >t.tar
  "$MICA" mkimage --quiet c.img t.tar
  cmp a.img c.img
}

@test "extract: a sparse file of an image made by mica" {
  "$MICA" mkimage --quiet -z none a.img "$F/src"
  "$MICA" extract a.img -C out sparse
  cmp out/sparse "$F/src/sparse"
  [ "$(stat -c %b out/sparse)" = 16 ]
  [ "$("$MICA" extract --tar a.img sparse | wc -c)" -lt 40000 ]
  "$MICA" extract --tar a.img sparse | tar -xf -
  cmp sparse "$F/src/sparse"
}

@test "extract: only the given paths, parents made with them, the destination untouched" {
  need_root
  mkdir -m 0712 out
  touch -d 2000-01-01 out
  before=$(stat -c '%a' out)
  "$MICA" extract -v "$F/plain.img" -C out dir/sub /text >names
  [ "$(cd out && find . | LC_ALL=C sort | tr '\n' ' ')" = ". ./dir ./dir/sub ./dir/sub/short ./text " ]
  [ "$(LC_ALL=C sort names | tr '\n' ' ')" = "dir/sub dir/sub/short text " ]
  [ "$(stat -c '%a' out)" = "$before" ]
  [ "$(stat -c %Y out/dir)" = "$(stat -c %Y "$F/src/dir")" ]
}

@test "extract: an existing parent on the way keeps its metadata" {
  mkdir -p out/dir
  chmod 0701 out/dir
  "$MICA" extract "$F/plain.img" -C out dir/sub
  [ "$(stat -c %a out/dir)" = 701 ]
  [ "$(stat -c %a out/dir/sub)" = 555 ]
}

@test "extract: an existing parent without rights for its owner is as before" {
  need_root
  mkdir -p out/dir/sub
  chmod 0501 out/dir
  chmod 0 out/dir/sub
  chown -R 4321:4321 out
  open=$(mktemp -d)
  chmod 0755 "$open"
  cp "$F/plain.img" "$MICA" "$(dirname "$MICA")"/mica-*.so "$open"
  mv out "$open"
  as_user=(setpriv --reuid=4321 --regid=4321 --clear-groups "$open/mica" extract
    "$open/plain.img" -C "$open/out")
  run "${as_user[@]}" dir/sub/short
  assert_done=$status modes=$(stat -c %a "$open/out/dir" "$open/out/dir/sub")
  same=$(cmp "$open/out/dir/sub/short" "$F/src/dir/sub/short" && echo same)
  # also when it fails in there
  rm "$open/out/dir/sub/short"
  mkdir -p "$open/out/dir/sub/short/full"
  chmod 0 "$open/out/dir/sub"
  run "${as_user[@]}" dir/sub/short
  modes+=" $(stat -c %a "$open/out/dir" "$open/out/dir/sub")"
  failed=$status
  rm -rf "$open"
  [ "$assert_done" = 0 ]
  [ "$same" = same ]
  [ "$failed" = 1 ]
  [ "$(echo $modes)" = "501 0 501 0" ]
}

@test "extract: what the file system cannot hold is said once" {
  need_root
  mkdir disk
  truncate -s 8M ext4
  mkfs.ext4 -q -b 1024 -I 256 ext4
  mount -o loop ext4 disk
  python3 - <<'P'
import io, tarfile
t = tarfile.open("x.tar", "w", format=tarfile.PAX_FORMAT)
def add(name, mtime, pax):
    info = tarfile.TarInfo(name)
    info.mtime, info.size, info.pax_headers = mtime, 4, pax
    t.addfile(info, io.BytesIO(b"data"))
add("far", 1 << 40, {})
add("long ago", -(1 << 40), {})
add("many", 1, {f"SCHILY.xattr.user.{i}": "v" * 90 for i in range(50)})
add("plain", 1, {"SCHILY.xattr.user.one": "1"})
t.close()
P
  "$MICA" mkimage --quiet x.img x.tar
  run "$MICA" extract x.img -C disk/out
  files=$(cd disk/out && cat far long* many plain) one=$(getfattr --only-values -n user.one disk/out/plain)
  umount disk
  [ "$status" = 0 ]
  [ "$files" = datadatadatadata ]
  [ "$one" = 1 ]
  [[ $output == *"times of 2 inodes cut off"* ]]
  [[ $output == *" xattrs not restored, the first of them user."*": No space left on device" ]]
}

# ext4 has two places for them; which one has room for the last depends on the order.
@test "extract: xattrs that a file system holds in one order only" {
  need_root
  mkdir disk
  truncate -s 8M ext4
  mkfs.ext4 -q -b 1024 -I 256 ext4
  mount -o loop ext4 disk
  python3 - <<'P'
import os
sizes = {"aaa": 901, "bbb": 6, "cc": 52}
def put(path, names):
    open(path, "w").close()
    for name in names:
        os.setxattr(path, "user." + name, b"x" * sizes[name])
os.mkdir("disk/src")
put("disk/src/file", ["aaa", "cc", "bbb"])
try:
    put("disk/other", ["aaa", "bbb", "cc"])
    print("any order fits")
except OSError:
    pass
P
  "$MICA" mkimage --quiet x.img disk/src
  run "$MICA" extract x.img -C disk/out
  want=$(getfattr -d disk/src/file | sed 1d) got=$(getfattr -d disk/out/file | sed 1d)
  umount disk
  [ "$status" = 0 ]
  [ -z "$output" ]
  [ -n "$want" ]
  [ "$got" = "$want" ]
}

@test "extract: a path that is not there is an error before anything is written" {
  run -1 "$MICA" extract "$F/plain.img" -C out text no/such
  [[ $output == "mica extract: $F/plain.img: "*no* ]]
  [ ! -e out ]
  run -1 "$MICA" extract "$F/plain.img" -C out dir/../text
  [[ $output == *"'..'"* ]]
}

@test "extract: a symlink planted in the destination is replaced, not followed" {
  mkdir -p out outside
  echo keep >outside/text
  ln -s ../outside out/dir
  ln -s ../outside/text out/text
  ln -s "$PWD/outside" out/many
  "$MICA" extract "$F/plain.img" -C out
  [ ! -L out/dir ] && [ -d out/dir/sub ]
  [ ! -L out/many ]
  [ ! -L out/text ]
  cmp out/text "$F/src/text"
  [ "$(ls outside)" = text ]
  [ "$(cat outside/text)" = keep ]
}

@test "extract: a symlink in the image is not followed by later names" {
  # hard1 becomes a symlink to ../o, hard2 a directory of the same name
  "$BADIMAGE" make good evil.img
  dirs=$((4 * 4096))
  poke evil.img $((4096 + 5 * 256 + 32)) "$(printf ../o | od -An -tx1 | tr -d " \n")"
  poke evil.img $((dirs + 10 * 12)) 2800
  poke evil.img $((dirs + 10 * 12 + 10)) 07
  poke evil.img $((dirs + 11 * 12)) 1000
  poke evil.img $((dirs + 11 * 12 + 10)) 02
  name=$(grep -abo hard2 evil.img | cut -d: -f1)
  poke evil.img $((name + 4)) 31
  poke evil.img $((1024 + 8)) 06000000 # no superblock checksum
  mkdir o out
  run "$MICA" extract evil.img -C out hard1
  [ -z "$(ls o)" ]
  [ ! -L out/hard1 ]
  [ -e out/hard1/inner ]
}

@test "extract: what is put in the place of a new symlink keeps its own attributes" {
  need_root
  strace -o /dev/null true 2>/dev/null || skip "needs strace"
  # the leak sanitizer does not work under strace
  export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
  mkdir s outside out
  ln -s nowhere s/link
  chown -h 4321:4321 s/link
  "$MICA" mkimage --quiet s.img s
  ln -s elsewhere outside/link
  strace -o /dev/null -e trace=symlinkat -e inject=symlinkat:delay_exit=5s "$MICA" extract s.img -C out 2>err &
  pid=$!
  for _ in {1..600}; do
    [ ! -L out/link ] || break
    sleep 0.1
  done
  ln -P outside/link out/other
  mv out/other out/link
  if wait $pid; then return 1; fi
  grep -q "'link' was replaced in the destination while it was made" err
  [ "$(stat -c %u outside/link)" = 0 ]
}

@test "extract: names with '/' or '..' are refused" {
  for name in 2f626d 2e2e2f; do
    "$BADIMAGE" make good evil.img
    poke evil.img $((1024 + 8)) 06000000
    at=$(grep -abo blockmap evil.img | cut -d: -f1)
    poke evil.img "$at" $name
    mkdir -p deep/out
    run -1 "$MICA" extract evil.img -C deep/out
    [[ $output == *"'/'"* ]]
    [ -z "$(find deep -name 'bm*' -o -name 'ckmap')" ]
    rm -rf deep
  done
}

@test "extract: what is in the way is replaced, a FIFO does not hang" {
  mkdir -p out/empty out/link
  mkfifo out/text out/dir
  echo file >out/many
  timeout 20 "$MICA" extract "$F/plain.img" -C out
  cmp out/text "$F/src/text"
  [ -d out/dir/sub ] && [ -f out/empty ] && [ -L out/link ] && [ -d out/many ]
  # once more over the result
  timeout 20 "$MICA" extract "$F/plain.img" -C out
  cmp out/text "$F/src/text"
  [ "$(stat -c %h out/text)" = 3 ]
}

@test "extract: a directory that is not empty is not replaced by a file" {
  mkdir -p out/text/full
  run -1 "$MICA" extract "$F/plain.img" -C out
  [[ $output == *"cannot replace 'text'"*"not empty"* ]]
}

@test "extract: without privileges owners are said once, setuid is left off" {
  need_root
  # where any user gets to
  open=$(mktemp -d)
  chmod 0755 "$open"
  cp "$F/plain.img" "$MICA" "$(dirname "$MICA")"/mica-*.so "$open"
  mkdir "$open/out"
  chown 4321:4321 "$open/out"
  as_user=(setpriv --reuid=4321 --regid=4321 --clear-groups "$open/mica" extract
    "$open/plain.img" -C "$open/out")
  run -0 "${as_user[@]}"
  [[ $output == *"owners of "*" inodes not restored"* ]]
  [[ $output == *"2 device nodes not made"* ]]
  [[ $output == *"setuid or setgid bits of 1 files left off"* ]]
  [[ $output == *"3 xattrs not restored"* ]]
  [ "${#lines[@]}" = 4 ]
  [ "$(stat -c '%a %u' "$open/out/text")" = "711 4321" ]
  [ "$(stat -c %a "$open/out/dir/sub")" = 555 ]
  [ "$(getfattr --only-values -n user.bin "$open/out/dir" | od -An -tx1 | tr -d ' \n')" = 00ff10 ]
  cmp "$open/out/dir/runs" "$F/src/dir/runs"
  # over its own result: directories without write permission
  run -0 "${as_user[@]}"
  cmp "$open/out/dir/sub/short" "$F/src/dir/sub/short"
  rm -rf "$open"
}

@test "extract: a device with several names, without the right to make it" {
  need_root
  open=$(mktemp -d)
  chmod 0755 "$open"
  cp "$MICA" "$(dirname "$MICA")"/mica-*.so "$open"
  install -d -o 4321 -g 4321 "$open/out"
  python3 - >t.tar <<'P'
import sys, tarfile
t = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
for name, kind, target in (("a", tarfile.CHRTYPE, ""), ("dir/b", tarfile.LNKTYPE, "a"),
                           ("f", tarfile.FIFOTYPE, ""), ("g", tarfile.LNKTYPE, "f")):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.devmajor, info.devminor = kind, target, 1, 3
    t.addfile(info)
t.close()
P
  "$MICA" mkimage --quiet "$open/image" t.tar
  run -0 setpriv --reuid=4321 --regid=4321 --clear-groups "$open/mica" extract "$open/image" \
    -C "$open/out"
  [[ $output == *"2 device nodes not made"* ]]
  [ "$(cd "$open/out" && find . | sort | xargs)" = ". ./dir ./f ./g" ]
  [ "$open/out/f" -ef "$open/out/g" ]
  "$MICA" extract "$open/image" -C "$open/all"
  [ "$open/all/a" -ef "$open/all/dir/b" ]
  rm -rf "$open"
}

@test "extract: an id that no file can have is not passed over in silence" {
  need_root
  python3 - >t.tar <<'P'
import sys, tarfile
t = tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.PAX_FORMAT)
for name, uid, gid in (("a", 4294967295, 7), ("b", 8, 4294967295), ("c", 4294967294, 9)):
    info = tarfile.TarInfo(name)
    info.uid, info.gid = uid, gid
    t.addfile(info)
t.close()
P
  "$MICA" mkimage --quiet image t.tar
  run -0 "$MICA" extract image -C out
  [[ $output == *"owners of 2 inodes not restored: no permission, or no such id here" ]]
  [ "$(stat -c %u:%g out/* | xargs)" = "0:7 8:0 4294967294:9" ]
}

@test "extract: a default ACL of the destination does not stick" {
  need_root
  mkdir out
  setfacl -d -m u:4242:rwx out
  "$MICA" extract "$F/plain.img" -C out dir random
  [ -z "$(getfattr -d -m posix_acl out/random)" ]
  [ -z "$(getfattr -d -m posix_acl out/dir)" ]
  getfattr -d -m posix_acl out/dir/acl | grep -q posix_acl_access
}

@test "extract: deep trees and long paths" {
  name=$(printf 'd%.0s' {1..200})
  mkdir deep
  (
    cd deep || exit 1
    for i in $(seq 1 100); do
      mkdir "$name" && cd "$name" || exit 1
      echo "$i" >file
    done
  )
  mkfs.erofs --quiet deep.img deep 2>/dev/null || skip "mkfs.erofs cannot"
  (ulimit -n 100 && "$MICA" extract deep.img -C out)
  (
    cd out || exit 1
    for i in $(seq 1 100); do
      cd "$name" || exit 1
      [ "$(cat file)" = "$i" ] || exit 1
    done
  )
}

@test "extract --tar: GNU tar and bsdtar restore the same tree" {
  need_root
  "$MICA" extract --tar "$F/plain.img" >t.tar
  mkdir gnu bsd
  tar -C gnu --xattrs --xattrs-include='*' --acls --same-owner -xpf t.tar
  tree_same "$F/src" gnu
  # bsdtar takes -1.5 s for -0.5 s, and leaves the directory alone that it works in
  bsdtar -C bsd -xpf t.tar
  touch -r "$F/src" bsd
  touch -d '1969-12-31 23:59:58.5 UTC' bsd/empty
  tree_same "$F/src" bsd
}

@test "extract --tar: order, names, hard links" {
  need_root
  "$MICA" extract --tar "$F/plain.img" >t.tar
  tar tf t.tar >names
  [ "$(head -n1 names)" = ./ ]
  grep -q '^\./.' names && return 1
  [ "$(grep -nx dir/ names | cut -d: -f1)" -lt "$(grep -nx dir/sub/ names | cut -d: -f1)" ]
  tar tvf t.tar zhard | grep -q 'zhard link to '
}

@test "extract --tar: holes" {
  "$BADIMAGE" make good good.img
  "$MICA" extract --tar good.img chunk >t.tar
  "$MICA" extract good.img chunk
  grep -aq GNU.sparse.map t.tar || grep -aq GNU.sparse.major=1 t.tar
  mkdir gnu bsd
  tar -C gnu -xf t.tar
  cmp gnu/chunk chunk
  [ "$(stat -c %b gnu/chunk)" = 16 ]
  bsdtar -C bsd -xf t.tar
  cmp bsd/chunk chunk
}

@test "extract --tar: times before 1970" {
  mkdir e gnu
  touch -d '1969-12-31 23:59:58.5 UTC' e/a
  touch -d '1969-12-31 23:59:59.25 UTC' e/b
  touch -d '1950-01-01 00:00:00 UTC' e/c
  mkfs.erofs --quiet e.img e
  run -0 --separate-stderr "$MICA" extract --tar e.img a
  [ -z "$stderr" ]
  run -0 --separate-stderr "$MICA" extract --tar e.img b
  [[ $stderr == "mica extract: /b: a tar cannot hold the time -0.75 s"* ]]
  "$MICA" extract --tar e.img 2>/dev/null | tar --warning=no-timestamp -C gnu -xf -
  [ "$(stat -c %.Y gnu/a)" = "$(stat -c %.Y e/a)" ]
  [ "$(stat -c %Y gnu/b)" = -1 ]
  [ "$(stat -c %Y gnu/c)" = "$(stat -c %Y e/c)" ]
}

@test "extract --tar: names that are not UTF-8 come without complaint" {
  run -0 --separate-stderr "$MICA" extract --tar "$F/plain.img"
  [ -z "$stderr" ]
}

@test "extract --tar: only the given paths; sockets are named and left out" {
  command -v python3 >/dev/null || skip "needs python3"
  mkdir -p s/d
  (cd s && python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("d/sock")')
  echo x >s/d/file
  mkfs.erofs --quiet s.img s
  run -0 --separate-stderr "$MICA" extract --tar s.img d
  [ "$stderr" = "mica extract: /d/sock: a tar cannot hold a socket, left out" ]
  "$MICA" extract --tar s.img d 2>/dev/null | tar tf - >names
  [ "$(tr '\n' ' ' <names)" = "d/ d/file " ]
  "$MICA" extract s.img -C out
  [ -S out/d/sock ]
}

@test "extract --tar: a broken image gives no whole archive" {
  "$BADIMAGE" make good bad.img
  poke bad.img $((9 * 4096 + 4080)) ffffffffffffffffffffffffffffffff
  "$MICA" extract --tar bad.img >t.tar 2>err && return 1
  grep -q 'mica extract: bad.img: /full: ' err
  tar tf t.tar >/dev/null 2>&1 && return 1
  return 0
}

@test "extract: image at an offset" {
  (head -c 8192 /dev/zero && cat "$F/plain.img") >shifted
  run -1 "$MICA" extract shifted -C out
  "$MICA" extract --offset=8192 shifted -C out text
  cmp out/text "$F/src/text"
  "$MICA" extract --offset=8K shifted -C out dir/sub/short
  cmp out/dir/sub/short "$F/src/dir/sub/short"
}
