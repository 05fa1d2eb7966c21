#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# mica mkimage --per-layer: an image for each layer. The kernel's overlayfs makes
# of them what a single image of all layers shows.

load helpers

# stack IMAGE...: mounts them, the bottom one first, at m/NUMBER, and overlayfs of all at all
stack() {
  require_erofs
  local image number=0 lower=
  for image; do
    number=$((number + 1))
    kernel_mount "$image" "m/$number"
    lower=m/$number${lower:+:$lower}
  done
  mkdir -p all m/none
  mount -t overlay -o "ro,lowerdir=$lower:m/none$STACK_OPTIONS" overlay all || return
  echo all >>"$(mounts_file)"
}

layout() {
  python_layout <<'P'
l = Layout()
base = tar(etc=None, etc__old="old", etc__kept="kept" * 30000, usr=None, usr__a="a", opaque=None, opaque__x="x")
top = tar(**{"etc__.wh.old": "", "etc__new": "new", "opaque__.wh..wh..opq": "", "opaque__y": "y",
             ".wh.usr": "", "usr__b": "b", "etc__.wh.nothing": ""})
l.add(l.manifest([l.layer(base), l.layer(top, "zstd")]))
digests = [layer["digest"][7:19] for layer in json.load(open(l.blob_path(l.entries[0])))["layers"]]
open("names", "w").write("".join("%03d-%s.erofs\n" % (i, d) for i, d in enumerate(digests)))
open("base.tar", "wb").write(base)
open("top.tar", "wb").write(top)
P
}

@test "the images of a container image's layers are named after number and digest" {
  layout
  run "$MICA" mkimage --per-layer out oci:lay
  assert_status 0
  assert_equal "$(ls out)" "$(cat names)"
  assert_has "out/$(head -1 names): 4 files, "
  assert_has "out/$(tail -1 names): 3 files, "
  "$MICA" fsck out/*
  # a directory that is there, with older images in it
  touch out/other
  mkimage --per-layer out/ oci:lay
  assert_equal "$(ls out)" "$(cat names)"$'\n'other
}

@test "patterns give other names" {
  layout
  mkdir out
  mkimage --per-layer out/layer-%n oci:lay
  assert_equal "$(echo out/*)" "out/layer-000 out/layer-001"
  rm out/*
  mkimage --per-layer 'out/%d%%.img' oci:lay
  assert_equal "$(ls out | sort)" "$(sed 's/....//; s/.erofs/%.img/' names | sort)"
  mkimage --per-layer tars base.tar top.tar
  assert_equal "$(ls tars)" $'000.erofs\n001.erofs'
}

@test "--json lists the images" {
  layout
  "$MICA" mkimage --quiet --json --per-layer out oci:lay >json
  python3 - <<'P'
import json
j = json.load(open("json"))
names = ["out/" + n for n in open("names").read().split()]
assert [i["image"] for i in j["images"]] == names, j
for i, image in enumerate(j["images"]):
    assert image["image"][8:20] == image["digest"][7:19]
    assert image["diff_id"].startswith("sha256:")
    assert image["source"].startswith("oci:lay: layers[%d] sha256:" % i)
    assert image["files"] == [4, 3][i] and len(image["uuid"]) == 36
    import os
    assert image["bytes_out"] == os.stat(image["image"]).st_size
assert j["seconds"] > 0 and j["warnings"] == 0 and j["verified"] is False
P
  "$MICA" mkimage --quiet --json --per-layer --verify tars base.tar top.tar >json
  python3 -c 'import json; j = json.load(open("json")); assert j["verified"] and j["images"][0]["digest"] is None'
}

@test "overlayfs stacks them to what one image of all shows" {
  layout
  mkimage --per-layer out oci:lay
  mkimage one.img oci:lay
  stack out/*
  kernel_mount one.img one
  same_tree one all --ignore nlink
  assert_equal "$(cat all/etc/new all/opaque/y all/usr/b)" newyb
  assert_equal "$(cd all && echo etc/* opaque/* usr/*)" "etc/kept etc/new opaque/y usr/b"
  # what has to be in the images for it; a whiteout that hides nothing is not
  assert_equal "$(stat -c '%F %t:%T' m/2/etc/old)" "character special file 0:0"
  [ ! -e m/2/etc/nothing ]
  getfattr -n trusted.overlay.opaque --only-values m/2/opaque | grep -qx y
  getfattr -n trusted.overlay.opaque --only-values m/2/usr | grep -qx y
}

@test "--whiteouts=user is for mounts with userxattr" {
  layout
  mkimage --per-layer --whiteouts=user out oci:lay
  mkimage one.img oci:lay
  STACK_OPTIONS=,userxattr stack out/*
  kernel_mount one.img one
  same_tree one all --ignore nlink
  getfattr -n user.overlay.opaque --only-values m/2/opaque | grep -qx y
  run ! getfattr -n trusted.overlay.opaque m/2/opaque
}

@test "mica merge makes of them what one image of all shows" {
  layout
  mkimage --per-layer out oci:lay
  mkimage one.img oci:lay
  "$MICA" merge --quiet --flat merged.img out/*
  "$MICA" extract merged.img -C a
  "$MICA" extract one.img -C b
  same_tree a b
}

@test "directories without an entry have the attributes of those below" {
  require_root
  python_tar base.tar <<'P'
add(".", tarfile.DIRTYPE, mode=0o711, mtime=77)
add("a", tarfile.DIRTYPE, mode=0o750, mtime=88, uid=5, gid=6, pax={"SCHILY.xattr.user.x": "y"})
add("a/b", tarfile.DIRTYPE, mode=0o701)
add("gone", tarfile.DIRTYPE, mode=0o700)
P
  python_tar middle.tar <<'P'
add("a/b/c/d", data=b"1")
add(".wh.gone")
P
  python_tar top.tar <<'P'
add("a/b/e", data=b"2")
add("gone/x", data=b"3")
add("a/b/c/.wh..wh..opq")
P
  mkimage --per-layer out base.tar middle.tar top.tar
  mkimage one.img base.tar middle.tar top.tar
  stack out/*
  kernel_mount one.img one
  same_tree one all --ignore nlink
  assert_equal "$(stat -c '%a %u %g %Y' all/a)" "750 5 6 88"
  assert_equal "$(stat -c '%a %Y' m/3 m/3/a/b m/3/gone | xargs)" "711 77 701 1000000000 755 0"
  assert_equal "$(getfattr --only-values -n user.x m/2/a)" y
}

@test "an opaque root hides all that is below" {
  python_layout <<'P'
open("a.tar", "wb").write(tar(dir=None, dir__x="x", both=None, both__low="low", file="f", link="l"))
open("b.tar", "wb").write(tar(**{".wh.link": "", "more": "m"}))
open("c.tar", "wb").write(tar(**{".wh..wh..opq": "", "both": None, "both__high": "high", "file": "new"}))
open("d.tar", "wb").write(tar(**{"dir": None, "dir__y": "y"}))
P
  mkimage --per-layer out a.tar b.tar c.tar d.tar
  mkimage one.img a.tar b.tar c.tar d.tar
  stack out/*
  kernel_mount one.img one
  same_tree one all --ignore nlink
  assert_equal "$(cd all && find . | sort | xargs)" ". ./both ./both/high ./dir ./dir/y ./file"
  # names that are hidden already need nothing
  [ ! -e m/3/link ]
}

@test "random layers, stacked by overlayfs and merged, are what a model makes of them" {
  require_erofs
  require_command python3
  python3 -B "$BATS_TEST_DIRNAME/per_layer_model.py" "$MICA" 1 15
}

@test "umoci unpacks what overlayfs shows" {
  require_root
  require_command umoci
  layout
  python_layout <<'P'
l = Layout("tagged")
l.add(l.manifest([l.layer(open(f, "rb").read()) for f in ("base.tar", "top.tar")]), "v1")
P
  umoci unpack --image tagged:v1 bundle
  mkimage --per-layer out oci:lay
  stack out/*
  same_tree bundle/rootfs all --ignore mtime,nlink
}

@test "the same bytes with any number of jobs" {
  layout
  local jobs
  mkimage --per-layer -j 1 one oci:lay
  for jobs in 2 3 8; do
    mkimage --per-layer -j $jobs many oci:lay
    diff -r one many
  done
}

@test "memory of all builds together stays within its bound" {
  [ -z "${SANITIZED:-}" ] || skip "a sanitizer needs memory of its own"
  # six layers with 60 MB each that do not repeat, compressed: read ahead, and built at once
  cat >feed.py <<'P'
import io, random, sys, tarfile
n = int(sys.argv[1])
base = random.Random(n).randbytes(1 << 20)
t = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
for i in range(3000):
    info = tarfile.TarInfo(f"directory-{i % 100}/file-{n}-{i}")
    data = i.to_bytes(8, "little") + base[i * 300:i * 300 + 20000]
    info.size = len(data)
    t.addfile(info, io.BytesIO(data))
t.close()
P
  local n kib memory
  for n in 1 2 3 4 5 6; do
    python3 feed.py $n | zstd -q -1 -o $n.tar.zst
  done
  for memory in 64 128 256; do
    rm -rf out used
    "$TOOLS/measure" used "$MICA" mkimage --quiet -j 2 -z zstd:1 --memory=${memory}M --per-layer out [1-6].tar.zst
    kib=$(cut -d' ' -f3 used)
    [ "$kib" -lt $((memory * 1024 + 18000 * 290 / 1024)) ] || fail "used $kib KiB of $memory MiB"
    echo "$kib KiB"
  done
}

@test "a hundred layers" {
  python_layout <<'P'
l = Layout()
l.add(l.manifest([l.layer(tar(**{"file%d" % i: str(i), "dir__%d" % i: "x" * i, "dir__.wh.%d" % (i - 3): ""}))
                  for i in range(100)]))
P
  (ulimit -n 512; mkimage --per-layer -j 4 out oci:lay)
  mkimage one.img oci:lay
  "$MICA" merge --quiet --flat merged.img out/*
  "$MICA" extract merged.img -C a
  "$MICA" extract one.img -C b
  same_tree a b
  assert_equal "$(cd a/dir && echo *)" "97 98 99"
}

# refused TEXT ARGUMENT...: and nothing is left of it
refused() {
  local text=$1
  shift
  run "$MICA" mkimage --per-layer "$@"
  assert_status 1
  assert_has "$text"
}

@test "an error in one layer leaves no image of any" {
  layout
  head -c 20000 base.tar >short.tar
  mkdir there
  echo old >there/000.erofs
  refused 'short.tar: ' there base.tar short.tar top.tar
  assert_equal "$(ls -A there) $(cat there/000.erofs)" "000.erofs old"
  refused 'short.tar: ' new base.tar top.tar short.tar
  [ ! -e new ]
  # the lowest that fails is told, whoever is first
  for jobs in 1 2 8; do
    refused 'short.tar: ' -j $jobs new base.tar short.tar missing.tar
  done
  # nor when the target cannot be made
  refused 'No such file or directory' no/such/%n base.tar
}

@test "a signal leaves nothing behind" {
  layout
  mkfifo pipe
  "$MICA" mkimage --per-layer out base.tar pipe top.tar &
  local pid=$!
  exec 7>pipe
  sleep 0.3
  kill -TERM $pid
  wait $pid || status=$?
  exec 7>&-
  assert_equal "$status" 143
  assert_equal "$(ls -A out)" ""
}

@test "what --per-layer does not take" {
  layout
  touch file
  refused "file: neither a directory nor a pattern with %n or %d" file base.tar
  refused "'%x' is none of %n, %d and %%" out/%x base.tar
  refused "'%' is none of" out/% base.tar
  refused "base.tar has no digest" out/%d base.tar
  refused "would be the name of several images" out/%% base.tar top.tar
  refused "--uuid does not go with --per-layer" -U 01234567-89ab-cdef-0123-456789abcdef out base.tar
  refused "is an image to be made and a source" %nbase.tar "$(cp base.tar 000base.tar && echo 000base.tar)"
  mkdir dir
  refused "dir/new/000.erofs: lies in dir, which is a source" dir/new dir
  refused "neither trusted nor user" --whiteouts=other out base.tar
  run "$MICA" mkimage --whiteouts=user x.img base.tar
  assert_status 1
  assert_has '--whiteouts goes with --per-layer only'
  [ ! -e out ]
}

@test "a hard link to a file of a lower layer brings the file along" {
  python_tar base.tar <<'P'
add("dir", tarfile.DIRTYPE, mode=0o700)
add("dir/file", data=b"content" * 1000, mode=0o640, uid=7)
add("dir/other", tarfile.LNKTYPE, link="dir/file")
add("dir/gone", data=b"gone")
P
  python_tar middle.tar <<'P'
add("middle", data=b"m" * 100000)
P
  python_tar top.tar <<'P'
add("link", tarfile.LNKTYPE, link="dir/file")
add("dir/again", tarfile.LNKTYPE, link="dir/gone")
add("dir/.wh.gone")
add("small", tarfile.LNKTYPE, link="middle")
P
  mkimage --per-layer -z none out base.tar middle.tar top.tar
  mkimage one.img base.tar middle.tar top.tar
  stack out/*
  kernel_mount one.img one
  same_tree one all --ignore nlink,links
  # the two names are one file, as after a copy-up; what is hidden is not brought
  assert_equal "$(cd m/3 && find . -type f | sort | xargs)" "./dir/again ./dir/file ./link ./middle ./small"
  assert_equal "$(stat -c '%i %h' m/3/link)" "$(stat -c '%i %h' m/3/dir/file)"
  assert_equal "$(stat -c '%h %u %a' m/3/link m/3/dir/again | xargs)" "2 7 640 1 0 644"
  assert_equal "$(stat -c '%a' m/3/dir)" 700
}

@test "hard links that lead nowhere, or to what is read once" {
  python_tar base.tar <<'P'
add("file", data=b"x")
add("dir", tarfile.DIRTYPE)
P
  python_tar gone.tar <<'P'
add(".wh.file")
P
  python_tar top.tar <<'P'
add("link", tarfile.LNKTYPE, link="file")
P
  python_tar nowhere.tar <<'P'
add("link", tarfile.LNKTYPE, link="no/such")
P
  python_tar dir.tar <<'P'
add("link", tarfile.LNKTYPE, link="dir")
P
  refused "nowhere.tar: 'link': hard link to 'no/such', which is neither" out base.tar nowhere.tar
  refused "dir.tar: 'link': hard link to 'dir', which is a directory" out base.tar dir.tar
  refused "top.tar: 'link': hard link to 'file', which a layer below removes" out base.tar gone.tar top.tar
  refused "top.tar: has hard links to files of other layers, but - can be read only once" out - top.tar <base.tar
  [ ! -e out ]
}

@test "warnings name their layer" {
  python_tar a.tar <<'P'
add("x" * 300)
P
  cp a.tar b.tar
  run "$MICA" mkimage --per-layer out a.tar b.tar
  assert_status 0
  assert_has 'warning: a.tar: xxx'
  assert_has 'warning: b.tar: xxx'
  # but not twice
  cat a.tar a.tar >c.tar
  run "$MICA" mkimage --per-layer out b.tar c.tar
  assert_has 'warning: c.tar: what follows the end'
}
