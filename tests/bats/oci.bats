#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Container images as sources: OCI layouts (oci:, oci-archive:) and docker
# archives. An image gives the bytes that its layers give as plain tars; which
# image of a layout is meant is said by tag, place and platform.

load helpers

# Two layers as tars, and what they make: base.tar, top.tar, plain.img
two_layers() {
  python_layout <<'P'
open("base.tar", "wb").write(tar(etc=None, etc__old="OLD" * 40000, etc__kept="kept"))
open("top.tar", "wb").write(tar(**{"etc__.wh.old": "", "etc__new": "new"}))
P
  mkimage plain.img base.tar top.tar
}

# same_as_plain OPERAND...: they give plain.img
same_as_plain() {
  local operand
  for operand; do
    mkimage out.img "$operand"
    cmp plain.img out.img || fail "$operand gives another image than its layers"
  done
}

# marks IMAGE: the content of the file "mark" in it
marks() {
  "$MICA" extract "$1" -C "$1.out" mark
  cat "$1.out/mark"
}

# marked OPERAND [OPTION...]: which image that is
marked() {
  local operand=$1
  shift
  rm -rf out.img out.img.out
  mkimage "$@" out.img "$operand"
  marks out.img
}

@test "the layers of a layout are those of its tars, in every compression" {
  two_layers
  python_layout <<'P'
base, top = open("base.tar", "rb").read(), open("top.tar", "rb").read()
for name, hows in [("gz", ["gzip", "gzip"]), ("zst", ["zstd", "zstd"]), ("tar", ["", ""]),
                   ("mixed", ["zstd", "gzip"])]:
    l = Layout(name)
    l.add(l.manifest([l.layer(base, hows[0]), l.layer(top, hows[1])]), "latest")
l = Layout("sha512")
l.add(l.manifest([l.layer(base, alg="sha512"), l.layer(top, alg="sha512")]))
# docker's names for the same things
l = Layout("docker")
types = DOCKER + "image.rootfs.diff.tar"
l.add(l.manifest([l.layer(base, "gzip", types + ".gzip"), l.layer(top, "", types)],
                 config_type=DOCKER + "container.image.v1+json",
                 manifest={"mediaType": DOCKER + "distribution.manifest.v2+json"}))
P
  same_as_plain oci:gz oci:gz:latest oci:zst oci:tar oci:mixed:latest oci:sha512 oci:docker
  "$MICA" extract plain.img -C out
  assert_equal "$(cat out/etc/kept out/etc/new)" "keptnew"
  [ ! -e out/etc/old ]
  # hidden by the upper layer: read for its digest, but not stored
  mkimage -z none out.img oci:gz
  run ! grep -q OLDOLD out.img
}

@test "an image among other sources, and several images" {
  python_layout <<'P'
l = Layout("a")
l.add(l.manifest([l.layer(tar(a="a", mark="a"))]))
l = Layout("b")
l.add(l.manifest([l.layer(tar(b="b", mark="b")), l.layer(tar(c="c"))]))
open("top.tar", "wb").write(tar(**{"top": "top", ".wh.b": ""}))
P
  mkimage x.img oci:a oci:b top.tar
  "$MICA" extract x.img -C out
  assert_equal "$(cd out && echo *)" "a c mark top"
  assert_equal "$(cat out/mark)" b
}

@test "layouts in archives" {
  two_layers
  python_layout <<'P'
base, top = open("base.tar", "rb").read(), open("top.tar", "rb").read()
l = Layout()
l.add(l.manifest([l.layer(base), l.layer(top, "zstd")]), "v1")
P
  tar -C lay -cf plain.tar .
  tar -C lay -cf bare.tar blobs index.json oci-layout
  # a member that comes twice: the last one counts
  cp bare.tar twice.tar
  echo '{}' >index.json
  tar -cf twice.tar index.json
  tar -C lay -rf twice.tar oci-layout index.json blobs
  same_as_plain oci-archive:plain.tar oci-archive:bare.tar:v1 oci-archive:twice.tar
}

@test "archives that are compressed, or come through a pipe" {
  two_layers
  python_layout <<'P'
base, top = open("base.tar", "rb").read(), open("top.tar", "rb").read()
l = Layout()
l.add(l.manifest([l.layer(base), l.layer(top, "zstd")]), "v1")
d = Docker()
d.image([base, top], ["app:v1"])
d.end()
P
  tar -C lay -cf oci.tar .
  local file
  for file in docker.tar oci.tar; do
    gzip -k $file
    zstd -q $file
    xz -k $file
    same_as_plain ${file%.tar}-archive:$file.gz ${file%.tar}-archive:$file.zst ${file%.tar}-archive:$file.xz
    # a file, a file from its middle, a pipe, a compressed pipe
    same_as_plain ${file%.tar}-archive:- <$file
    { head -c 512 /dev/zero; cat $file; } >longer
    { dd bs=512 count=1 status=none of=/dev/null; mkimage out.img ${file%.tar}-archive:-; } <longer
    cmp plain.img out.img
    cat $file | { same_as_plain ${file%.tar}-archive:-; }
  done
  cat oci.tar.gz | { same_as_plain oci-archive:-:v1; }
  cat docker.tar.zst | { same_as_plain docker-archive:-:app:v1; }
  run "$MICA" mkimage x.img docker-archive:- - <docker.tar
  assert_status 1
  assert_has 'standard input (-) is named 2 times'
  # nothing is left of the scratch file
  [ -z "$(find . -name '.mica*')" ]
}

@test "skopeo's and umoci's layouts" {
  require_command skopeo umoci
  two_layers
  umoci init --layout lay
  umoci new --image lay:one
  umoci raw add-layer --image lay:one base.tar
  umoci raw add-layer --image lay:one top.tar
  skopeo copy -q oci:lay:one docker-archive:docker.tar:example/one:v2
  skopeo copy -q oci:lay:one oci-archive:archive.tar:one
  skopeo copy -q --format v2s2 oci:lay:one dir:dir
  skopeo copy -q --dest-compress-format zstd oci:lay:one oci:zstd:one
  same_as_plain oci:lay oci:lay:one docker-archive:docker.tar docker-archive:docker.tar:example/one:v2 \
    oci-archive:archive.tar:one oci:zstd:one
}

@test "an image without layers is an empty directory" {
  python_layout <<'P'
l = Layout()
l.add(l.manifest([]))
P
  mkimage x.img oci:lay
  "$MICA" fsck x.img
  mkdir empty
  "$MICA" extract x.img -C out
  assert_equal "$(ls -A out)" ""
}

@test "tags and places choose among the images of a layout" {
  python_layout <<'P'
l = Layout()
for mark in "one", "two":
    l.add(l.manifest([l.layer(tar(mark=mark))]), mark)
l.add(l.manifest([l.layer(tar(mark="three"))]))
# a tag as long as a name, with colons
l.add(l.manifest([l.layer(tar(mark="four"))]), "registry.example:5000/four:v4")
l.add(l.manifest([l.layer(tar(mark="five"))],
                 desc={"annotations": {"io.containerd.image.name": "docker.io/library/five:v5"}}), "v5")
P
  assert_equal "$(marked oci:lay:one)" one
  assert_equal "$(marked oci:lay:two)" two
  assert_equal "$(marked oci:lay:@2)" three
  assert_equal "$(marked oci:lay:@0)" one
  assert_equal "$(marked oci:lay:registry.example:5000/four:v4)" four
  assert_equal "$(marked oci:lay:v5)" five
  assert_equal "$(marked oci:lay:docker.io/library/five:v5)" five
  run "$MICA" mkimage x.img oci:lay
  assert_status 1
  assert_has 'oci:lay: has several images; say which, behind a colon: one, two, @2, registry.example:5000/four:v4, docker.io/library/five:v5'
  run "$MICA" mkimage x.img oci:lay:three
  assert_status 1
  assert_has "has no image 'three'; it has: one, two, @2"
  run "$MICA" mkimage x.img oci:lay:@5
  assert_status 1
  assert_has "'@5': the layout has 5 images"
  run "$MICA" mkimage x.img oci:lay:@
  assert_status 1
  run "$MICA" mkimage x.img oci:lay:@99999999999999999999999
  assert_status 1
  assert_has 'the layout has 5 images'
  [ ! -e x.img ]
}

@test "the platform chooses among the images of an index" {
  python_layout <<'P'
l = Layout()
images = [l.platform([l.layer(tar(mark=arch + (variant or "")))], arch, variant)
          for arch, variant in [("amd64", None), ("amd64", "v3"), ("arm64", "v8"), ("arm", "v6"),
                                ("arm", "v7"), ("s390x", None)]]
attest = l.platform([l.layer(tar(mark="attestation"))], "unknown", os="unknown")
attest["annotations"] = {"vnd.docker.reference.type": "attestation-manifest"}
l.add(l.index([attest] + images + [attest]), "all")
# the same without an index of their own
flat = Layout("flat")
for i in [l.platform([flat.layer(tar(mark=a))], a) for a in ("amd64", "arm64")]:
    for d in os.listdir(l.path + "/blobs/sha256"):
        flat.file("blobs/sha256/" + d, open(l.path + "/blobs/sha256/" + d, "rb").read())
    flat.add(i, "flat")
P
  assert_equal "$(marked oci:lay:all --platform linux/amd64)" amd64
  assert_equal "$(marked oci:lay --platform linux/amd64/v2)" amd64
  assert_equal "$(marked oci:lay --platform linux/amd64/v4)" amd64v3
  assert_equal "$(marked oci:lay --platform linux/arm64)" arm64v8
  assert_equal "$(marked oci:lay --platform linux/arm64/v8)" arm64v8
  assert_equal "$(marked oci:lay --platform linux/arm)" armv7
  assert_equal "$(marked oci:lay --platform linux/arm/v6)" armv6
  assert_equal "$(marked oci:flat --platform linux/arm64)" arm64
  assert_equal "$(marked oci:flat:flat --platform linux/amd64)" amd64
  case $(uname -m) in
  x86_64) assert_equal "$(marked oci:lay)" amd64 ;;
  aarch64) assert_equal "$(marked oci:lay)" arm64v8 ;;
  esac
  local platform
  for platform in linux/arm/v5 windows/amd64 linux/mips; do
    run "$MICA" mkimage --platform $platform x.img oci:lay
    assert_status 1
    assert_has "has no image for $platform (see --platform); it has: linux/amd64, linux/amd64/v3, linux/arm64/v8, linux/arm/v6, linux/arm/v7, linux/s390x"
  done
  for platform in linux amd64 linux/ /amd64 linux/arm/v7/x linux//v7 '' linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; do
    run "$MICA" mkimage --platform "$platform" x.img oci:lay
    assert_status 1
    assert_has 'is not OS/ARCH or OS/ARCH/VARIANT'
  done
}

@test "a lone image is taken whatever it is for, unless a platform is asked for" {
  python_layout <<'P'
l = Layout()
l.add(l.manifest([l.layer(tar(mark="s390x"))], "s390x"))
P
  assert_equal "$(marked oci:lay)" s390x
  assert_equal "$(marked oci:lay --platform linux/s390x)" s390x
  run "$MICA" mkimage --platform linux/amd64 x.img oci:lay
  assert_status 1
  assert_has 'the image is for linux/s390x, not for linux/amd64'
}

@test "docker archives: the names of docker, podman, kaniko and of old" {
  two_layers
  python_layout <<'P'
base, top = open("base.tar", "rb").read(), open("top.tar", "rb").read()
d = Docker()
d.image([base, top], ["example/app:v1", "app:latest"])
d.end()
# a layer that was saved before is a symlink in old ones
d = Docker("links.tar")
d.member("aaa/layer.tar", base)
d.member("bbb/layer.tar", b"", type=tarfile.SYMTYPE, linkname="../aaa/layer.tar")
d.member("./ccc/layer.tar", b"", type=tarfile.SYMTYPE, linkname="./../bbb/layer.tar")
d.member("ddd/layer.tar", top)
d.image([base, top], names=["ccc/layer.tar", "./ddd//layer.tar"], config="config.json")
d.end()
# blobs as in an OCI layout, compressed
d = Docker("blobs.tar")
names = []
for data in (base, top):
    data = pack(data, "gzip")
    names.append("blobs/sha256/" + sha(data)[7:])
    d.member(names[-1], data)
d.image([base, top], names=names)
d.end()
d = Docker("several.tar")
d.image([base, top], ["docker.io/library/busybox:latest"])
d.image([base], ["localhost:5000/other:1"])
d.image([top])
d.end()
P
  same_as_plain docker-archive:docker.tar docker-archive:docker.tar:app docker-archive:docker.tar:app:latest \
    docker-archive:docker.tar:docker.io/example/app:v1 docker-archive:links.tar docker-archive:blobs.tar \
    docker-archive:several.tar:busybox docker-archive:several.tar:library/busybox:latest docker-archive:several.tar:@0
  run "$MICA" mkimage x.img docker-archive:several.tar
  assert_status 1
  assert_has 'has several images; say which, behind a colon: docker.io/library/busybox:latest, localhost:5000/other:1, @2'
  run "$MICA" mkimage x.img docker-archive:several.tar:other
  assert_status 1
  assert_has "has no image 'other'; it has: docker.io"
  run "$MICA" mkimage --platform linux/arm64 x.img docker-archive:docker.tar
  assert_status 1
  assert_has 'the image is for linux/amd64, not for linux/arm64'
}

@test "files with members and frames behind one another: estargz, zstd:chunked" {
  two_layers
  python_layout <<'P'
import struct
base, top = open("base.tar", "rb").read(), open("top.tar", "rb").read()
l = Layout()
cuts = [0, 512, 1024, 5000, len(base)]
gz = b"".join(gzip.compress(base[a:b]) for a, b in zip(cuts, cuts[1:])) + gzip.compress(b"")
zs = pack(top[:700], "zstd") + struct.pack("<II", 0x184D2A50, 3) + b"abc" + pack(top[700:], "zstd")
zs += struct.pack("<II", 0x184D2A50, 100) + b"x" * 100
a, b = l.blob(gz, LAYER + "+gzip"), l.blob(zs, LAYER + "+zstd")
a["_diff_id"], b["_diff_id"] = sha(base), sha(top)
l.add(l.manifest([a, b]))
P
  same_as_plain oci:lay
}

@test "a path that only looks like a layout is named with ./" {
  python_layout <<'P'
open("oci:x.tar", "wb").write(tar(mark="plain"))
P
  assert_equal "$(marked ./oci:x.tar)" plain
}

@test "blobs may be links inside of the layout, and blobs of other images may lack" {
  python_layout <<'P'
l = Layout()
layer = l.layer(tar(mark="here"))
m = l.add(l.manifest([layer]), "here")
gone = l.layer(tar(mark="gone"))
l.add(l.manifest([gone]), "gone")
os.remove(l.blob_path(gone))
os.mkdir("lay/pool")
os.rename(l.blob_path(layer), "lay/pool/layer")
os.symlink("../../pool/layer", l.blob_path(layer))
P
  assert_equal "$(marked oci:lay:here)" here
  ln -s lay elsewhere
  assert_equal "$(marked oci:elsewhere:here)" here
}

@test "many layers, read ahead: the same bytes with any number of jobs" {
  python_layout <<'P'
import random
rand = random.Random(1)
l, layers = Layout(), []
for i in range(20):
    files = {"dir%d__file%d" % (rand.randrange(9), rand.randrange(30)):
             rand.randbytes(rand.choice([10, 1000, 300000])) + bytes(rand.choice([0, 0, 1000000]))
             for _ in range(6)}
    files["dir%d__.wh.file%d" % (rand.randrange(9), rand.randrange(30))] = ""
    open("layer%02d.tar" % i, "wb").write(tar(**files))
    layers.append(l.layer(tar(**files), rand.choice(["gzip", "zstd", ""])))
l.add(l.manifest(layers))
P
  local jobs
  mkimage plain.img layer*.tar
  for jobs in 1 2 7; do
    mkimage -j $jobs out.img oci:lay
    cmp plain.img out.img || fail "another image with $jobs jobs"
  done
  # files and pipes are read ahead as well, or not, as they come
  gzip layer*.tar
  mkfifo pipe
  zcat layer19.tar.gz >pipe &
  mkimage out.img layer0*.tar.gz layer1[0-8].tar.gz pipe
  cmp plain.img out.img
}
