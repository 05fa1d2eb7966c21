#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Broken and hostile image layouts and docker archives: the error says what is
# wrong, nothing outside of the layout is read, no image is left.

load helpers

setup() {
  mkdir "$BATS_TEST_TMPDIR/work" && cd "$BATS_TEST_TMPDIR/work" || return
  mkdir target
}

# refused OPERAND TEXT...: no image comes of it, and each TEXT is said
refused() {
  local operand=$1 text
  shift
  run timeout 20 "$MICA" mkimage target/image "$operand"
  assert_status 1
  for text; do assert_has "$text"; done
  assert_has "mica mkimage: "
  [ -z "$(ls -A target)" ] || fail "left over: $(ls -lA target)"
}

# The traps of a Python program: each `trap(name, text...)` says what must be said of oci:NAME.
# It finds layout() for a fresh one and good(l) for the layers of a right one.
traps() {
  local name texts
  {
    cat <<'P'
traps = open("traps", "w")


def layout(name, *texts, kind="oci"):
    traps.write("\t".join([kind + ":" + name, *texts]) + "\n")
    return Layout(name)


def good(l):
    return l.layer(tar(file="content"))


P
    cat
  } | { cat "$BATS_TEST_DIRNAME/layout.py" -; } | python3 -
  while IFS=$'\t' read -r -a texts; do
    name=${texts[0]}
    refused "$name" "${texts[@]:1}"
  done <traps
  [ -s traps ]
}

@test "blobs that are not what their digest says" {
  traps <<'P'
def flip(path, at):
    d = bytearray(open(path, "rb").read())
    d[at] ^= 1
    open(path, "wb").write(d)

# at the front, in the middle, in the end: in headers, data, checksums, padding
files = {"f%d" % i: os.urandom(3000) for i in range(20)}
for how in "", "gzip", "zstd":
    n = 0
    for part in 0.0, 0.01, 0.3, 0.6, 0.99, 1:
        n += 1
        l = layout("flip%s%d" % (how, n))
        layer = l.layer(tar(**files), how)
        l.add(l.manifest([good(l), layer, good(l)]))
        flip(l.blob_path(layer), int(part * (layer["size"] - 1)))
        got = sha(open(l.blob_path(layer), "rb").read())
        traps.seek(traps.tell() - 1)
        traps.write("\tlayers[1] %s\texpected %s, got %s\n" % (layer["digest"], layer["digest"], got))
P
}

@test "documents that are not what their digest says" {
  traps <<'P'
l = layout("manifest", "wrong digest: expected sha256:", "blobs/sha256/")
m = l.manifest([good(l)])
l.add(m)
open(l.blob_path(m), "r+").write(" ")

l = layout("index", "wrong digest")
m = l.index([l.manifest([good(l)])])
l.add(m)
open(l.blob_path(m), "r+").write(" ")

l = layout("config", "config: ", "wrong digest")
m = l.manifest([good(l)])
l.add(m)
c = json.load(open(l.blob_path(m)))["config"]
open(l.blob_path(c), "r+").write(" ")
P
}

@test "sizes that are not those of the descriptor" {
  traps <<'P'
for name, size in ("less", -1), ("more", 1):
    l = layout("layer-" + name, "bytes, its descriptor says", "layers[0]")
    layer = good(l)
    layer["size"] += size
    l.add(l.manifest([layer]))
    l = layout("manifest-" + name, "bytes, its descriptor says", "blobs/sha256/")
    m = l.manifest([good(l)])
    m["size"] += size
    l.add(m)
for name, size, text in [("negative", -1, "-1 is negative"), ("text", "7", "'size' is no whole number"),
                         ("float", 7.5, "'size' is no whole number"), ("none", None, "'size' is missing"),
                         ("large", 2**63, "too big integer"), ("list", [], "'size' is no whole number")]:
    l = layout("size-" + name, text, "layers[0]" if name != "large" else "JSON")
    layer = good(l)
    layer["size"] = size
    l.add(l.manifest([layer]))
P
}

@test "diff_ids" {
  traps <<'P'
l = layout("wrong", "decompressed layer (diff_id): wrong digest: expected sha256:" + "0" * 64)
layer = good(l)
layer["_diff_id"] = "sha256:" + "0" * 64
l.add(l.manifest([layer]))

l = layout("wrong-plain", "decompressed layer (diff_id): wrong digest")
layer = l.layer(tar(f="x"), "")
layer["_diff_id"] = "sha256:" + "0" * 64
l.add(l.manifest([layer]))

for name, ids, text in [("few", [], "0 diff_ids for 1 layers"), ("many", [sha(b"")] * 2, "2 diff_ids for 1"),
                        ("number", [1], "diff_ids[0]: is no text"), ("bad", ["sha256:x"], "diff_ids[0]: digest"),
                        ("object", {}, "'diff_ids' is no list")]:
    l = layout("ids-" + name, "config: ", text)
    l.add(l.manifest([good(l)], config={"rootfs": {"type": "layers", "diff_ids": ids}}))
l = layout("no-rootfs", "config: 'rootfs' is missing")
l.add(l.manifest([good(l)], config={"rootfs": None}))
P
}

@test "digests that are no digests, or paths" {
  mkdir -p outside/sha256
  traps <<'P'
secret = tar(secret="secret")
open("outside/sha256/" + sha(secret)[7:], "wb").write(secret)
hex64 = sha(secret)[7:]
for i, (digest, text) in enumerate([
    ("sha256:../../../outside/sha256/" + hex64, "digits behind 'sha256:', not 64"),
    ("../../outside/sha256:" + hex64, "neither 'sha256:' nor 'sha512:'"),
    ("sha256:" + "../" * 21 + "x", "digit 0 behind 'sha256:' is not 0-9 or a-f"),
    ("sha256:" + "/etc/passwd" + "0" * 53, "digit 0 behind"),
    ("sha256:" + hex64.upper(), "behind 'sha256:' is not 0-9 or a-f"),
    ("sha256:" + hex64[:-1], "63 digits behind 'sha256:', not 64"),
    ("sha256:" + hex64 + "0", "65 digits"),
    ("sha256:", "0 digits"), ("sha256", "neither"), ("", "neither"), (":", "neither"),
    ("md5:" + "0" * 32, "neither 'sha256:' nor 'sha512:'"), ("SHA256:" + hex64, "neither"),
    ("sha512:" + hex64, "64 digits behind 'sha512:', not 128"),
    (None, "'digest' is missing"), (7, "'digest' is no text")]):
    l = layout("layer%d" % i, "layers[0]: ", text)
    layer = l.layer(secret, "")
    layer["digest"] = digest
    l.add(l.manifest([layer]))
    l = layout("entry%d" % i, "manifests[0]: ", text)
    m = l.manifest([good(l)])
    m["digest"] = digest
    l.add(m)
P
}

@test "blobs that are missing, elsewhere, or no files" {
  traps <<'P'
def without(name, *texts):
    l = layout(name, *texts)
    layer = l.layer(tar(secret="secret"), "")
    l.add(l.manifest([layer]))
    path = l.blob_path(layer)
    os.rename(path, name + ".blob")
    return l, layer, path

without("missing", "layers[0]: 'blobs/sha256/", "there is no such file")
l, layer, path = without("absolute", "leads out of the directory")
os.symlink(os.path.abspath("absolute.blob"), path)
l, layer, path = without("relative", "leads out of the directory")
os.symlink("../../../relative.blob", path)
l, layer, path = without("directory", "not a regular file")
os.mkdir(path)
l, layer, path = without("fifo", "not a regular file")
os.mkfifo(path)
l, layer, path = without("loop", "symbolic links")
os.symlink(os.path.basename(path), path)
l, layer, path = without("proc", "open: Too many levels of symbolic links")
os.symlink("../../../../../../../../../../../proc/self/fd/0", path)
traps.seek(traps.tell() - len("\topen: Too many levels of symbolic links\n"))
traps.write("\tleads out of the directory\n")
traps.truncate()
l, layer, path = without("sha256-elsewhere", "leads out of the directory")
os.rename("sha256-elsewhere/blobs/sha256", "elsewhere")
os.symlink("../../elsewhere", "sha256-elsewhere/blobs/sha256")

l = layout("index-missing", "'index.json': there is no such file")
l = layout("index-link", "'index.json': leads out of the directory")
l.add(l.manifest([good(l)]))
os.rename("index-link/index.json", "index.json")
os.symlink("../index.json", "index-link/index.json")
l = layout("manifest-missing", "there is no such file")
m = l.add(l.manifest([good(l)]))
os.remove(l.blob_path(m))
P
}

@test "what is no layout" {
  mkdir empty
  refused oci:empty "oci:empty: is no OCI image layout: 'oci-layout': there is no such file"
  refused oci:nowhere 'oci:nowhere: open: No such file or directory'
  refused oci: "no path behind 'oci:'"
  refused oci::x "no path behind 'oci:'"
  refused oci:empty: "no tag behind 'empty'"
  echo text >text
  refused oci:text 'Not a directory'
  refused oci-archive:text 'not a tar archive'
  refused oci-archive:empty 'is a directory, not an archive'
  refused docker-archive:text 'not a tar archive'
  tar -cf nothing.tar text
  refused oci-archive:nothing.tar "is no OCI image layout: 'oci-layout': there is no such member"
  refused docker-archive:nothing.tar "is no archive of docker save: 'manifest.json': there is no such member"
  traps <<'P'
for name, data, text in [("v2", '{"imageLayoutVersion":"2.0.0"}', "version '2.0.0', only 1.x is read"),
                         ("none", "{}", "version 'none'"), ("json", "{", "'oci-layout': JSON: line 1"),
                         ("list", "[]", "no object"), ("empty", "", "JSON: line 1")]:
    l = layout("layout-" + name, text)
    l.add(l.manifest([good(l)]))
    l.file("oci-layout", data)
P
}

@test "an index.json that is no JSON, or too much of it" {
  traps <<'P'
for i, (data, text) in enumerate([
    ("", "'index.json': JSON: line 1, column 0: "),
    ("{", "JSON: "), ("nonsense", "JSON: "), ("{} {}", "end of file expected"),
    ("null", "JSON: "), ("7", "JSON: "), ('"x"', "JSON: "),
    ('{"a":1,"a":2}', "duplicate object key"),
    ('{"a":"\\u0000"}', "\\u0000 is not allowed"), ('{"a":"\\ud800"}', "invalid Unicode"),
    (b'{"a":"\xff"}', "unable to decode byte 0xff"), (b'{"a":"\xc0\x80"}', "unable to decode byte"),
    (b'\xef\xbb\xbf{}', "JSON: "), ('{"a":"\x1b[2J"}', "control character 0x1b"),
    ("{\x1b[2J", "JSON: "),
    ("[" * 100000, "maximum parsing depth"), ('{"a":' * 90000, "maximum parsing depth"),
    ("[" * 3000000, "objects and lists exceed 100000"),
    ("[" + "{}," * 200000 + "{}]", "objects and lists exceed 100000"),
    (" " * (4 << 20) + "{}", "'index.json': 4194306 bytes exceed 4194304"),
    ('{"a":1e999}', "real number overflow"), ('{"a":' + "9" * 1000 + "}", "too big"),
    ("{}", "'schemaVersion' is missing"), ("[]", "no object"),
    ('{"schemaVersion":1,"manifests":[]}', "schemaVersion 1, only 2 is read"),
    ('{"schemaVersion":2}', "has neither 'layers' nor 'manifests'"),
    ('{"schemaVersion":2,"manifests":{}}', "'manifests' is no list"),
    ('{"schemaVersion":2,"manifests":[]}', "has no image"),
    ('{"schemaVersion":2,"manifests":[7]}', "manifests[0]: 'digest': what should have it is no object"),
    ('{"schemaVersion":2,"manifests":[[]]}', "manifests[0]: "),
    ('{"schemaVersion":2,"manifests":[],"layers":[]}', "has both 'layers' and 'manifests'"),
    ('{"schemaVersion":2,"layers":[]}', "'index.json' is no index"),
    ('{"schemaVersion":2,"mediaType":7,"manifests":[]}', "'mediaType' is no text"),
]):
    l = layout("index%d" % i, text)
    l.file("index.json", data)
P
  # what it quotes does not reach the terminal
  run ! grep -q $'\x1b' <<<"$output"
}

@test "documents that are taken for something else" {
  traps <<'P'
l = layout("both", "has both 'layers' and 'manifests'")
l.add(l.manifest([good(l)], manifest={"manifests": []}))
l = layout("other-type", "mediaType is '" + DOCKER, "the descriptor says '" + MANIFEST)
l.add({**l.manifest([good(l)], manifest={"mediaType": DOCKER + "distribution.manifest.v2+json"}),
       "mediaType": MANIFEST})
l = layout("index-as-manifest", "does not fit its members")
l.add({**l.blob({"schemaVersion": 2, "manifests": []}, MANIFEST)})
l = layout("manifest-as-index", "does not fit its members")
l.add({**l.manifest([good(l)], manifest={"mediaType": None}), "mediaType": INDEX})
l = layout("schema1", "is neither an image manifest nor an index")
l.add({**l.manifest([good(l)]), "mediaType": DOCKER + "distribution.manifest.v1+prettyjws"})
l = layout("helm", "config: media type 'application/vnd.cncf.helm.config.v1+json' is not that of an image")
l.add(l.manifest([good(l)], config_type="application/vnd.cncf.helm.config.v1+json"))
l = layout("no-config", "'config' is missing")
l.add(l.manifest([good(l)], manifest={"config": None}))
l = layout("layers-object", "'layers' is no list")
l.add(l.manifest([good(l)], manifest={"layers": {}}))
l = layout("nested", "indexes are nested more than 8 deep")
d = l.manifest([good(l)])
for i in range(8):
    d = l.index([d])
l.add(d)
l = layout("config-text", "config: ")
l.add(l.manifest([good(l)], manifest={"config": l.blob(b"text", CONFIG)}))
for name, type, text in [("encrypted", LAYER + "+gzip+encrypted", "is an encrypted layer"),
                         ("foreign", OCI + "layer.nondistributable.v1.tar+gzip", "is a foreign layer"),
                         ("foreign-docker", DOCKER + "image.rootfs.foreign.diff.tar.gzip", "is a foreign layer"),
                         ("unknown", "application/x-tar", "is no kind of tar layer"),
                         ("empty", "", "is no kind of tar layer"),
                         ("escape", "\x1b[2J", "media type '\\033[2J'")]:
    l = layout("type-" + name, "layers[0]: media type", text)
    l.add(l.manifest([l.layer(tar(f="x"), "gzip", type)]))
l = layout("type-none", "layers[0]: 'mediaType' is missing")
layer = good(l)
del layer["mediaType"]
l.add(l.manifest([layer]))
P
}

@test "layers whose digest is right and whose content is not" {
  traps <<'P'
def layer_of(name, data, *texts, diff=None, type=LAYER + "+gzip"):
    l = layout(name, "layers[0] sha256:", *texts)
    d = l.blob(data, type)
    d["_diff_id"] = sha(diff if diff is not None else data)
    l.add(l.manifest([d]))

t = tar(f="x" * 5000)
layer_of("zip", b"PK\3\4" + bytes(2000), "not a tar archive")
layer_of("text", b"text" * 1000, "not a tar archive")
layer_of("short-gzip", gzip.compress(t)[:-20], "gzip", diff=t)
layer_of("short-zstd", pack(t, "zstd")[:-5], "zstd", diff=t, type=LAYER + "+zstd")
layer_of("short-tar", t[:2000], "truncated: the archive ends at byte 2000")
layer_of("text-gzip", gzip.compress(b"text" * 1000), "not a tar archive inside gzip")
# what others would not unpack is not unpacked here
layer_of("xz", pack(t, "xz"), "not a tar archive")
layer_of("bzip2", pack(t, "bzip2"), "not a tar archive")
layer_of("twice", gzip.compress(gzip.compress(t)), "not a tar archive inside gzip", diff=gzip.compress(t))
layer_of("gzip-garbage", gzip.compress(t) + b"garbage", "gzip", diff=t)
layer_of("zstd-garbage", pack(t, "zstd") + b"\0\0garbage", "zstd: data follows the end", diff=t)
layer_of("window", bytes.fromhex("28b52ffd0090" + "010000"), "a window of 268435456 bytes exceeds", diff=b"")
layer_of("outside", gzip.compress(tar(**{"..__..__etc__passwd": "x"})), "contains '..'", diff=tar(**{"..__..__etc__passwd": "x"}))
P
}

# What a whiteout may be, where, and what it may not: the lower layer has dir/a, dir/b, link -> dir
# and other; each trap is what the upper one has, and what is said of it.
@test "whiteouts that are none, or in strange places" {
  traps <<'P'
low = io.BytesIO()
with tarfile.open(fileobj=low, mode="w") as t:
    for name, type, link in [("dir", tarfile.DIRTYPE, ""), ("dir/a", tarfile.REGTYPE, ""),
                             ("dir/b", tarfile.REGTYPE, ""), ("other", tarfile.REGTYPE, ""),
                             ("link", tarfile.SYMTYPE, "dir")]:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = type, link
        t.addfile(info)

def upper(name, entries, *texts):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for path, type, link in entries:
            info = tarfile.TarInfo(path)
            info.type, info.linkname = type, link
            t.addfile(info)
    l = layout(name, "layers[1] sha256:", *texts)
    l.add(l.manifest([l.layer(low.getvalue()), l.layer(out.getvalue())]))

F, D, L, S, C = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE
# names that are none
upper("empty", [(".wh.", F, "")], "of no valid name")
upper("empty-below", [("dir/.wh.", F, "")], "'dir/.wh.'", "of no valid name")
upper("dot", [(".wh..", F, "")], "of no valid name")
upper("dot-dot", [("dir/.wh...", F, "")], "'dir/.wh...'", "of no valid name")
upper("up", [("../.wh.other", F, "")], "contains '..'")
upper("up-inside", [("dir/../.wh.other", F, "")], "contains '..'")
# of a wrong kind
upper("directory", [(".wh.other", D, "")], "'.wh.other'", "that is a directory")
upper("opaque-directory", [("dir/.wh..wh..opq", D, "")], "that is a directory")
upper("below", [(".wh.other/file", F, "")], "'.wh.other/file'")
upper("link-to", [("new", L, ".wh.other"), (".wh.other", F, "")], "'new'", "hard link to '.wh.other'")
upper("link-to-hidden", [("dir/.wh.a", F, ""), ("new", L, "dir/c")], "'new'", "hard link to 'dir/c'")
upper("link-to-directory", [("new", L, "dir")], "'new'", "which is a directory")
upper("link-to-itself", [("new", L, "new")], "'new'")
upper("links-in-a-ring", [("x", L, "y"), ("y", L, "x")], "hard link to")
upper("link-up", [("new", L, "../other")], "contains '..'")
upper("device", [("dir/a", C, "")], "'dir/a'", "--overlay-input")
upper("root", [(".", F, "")], "the root is not a directory")
upper("root-link", [(".", S, "dir")], "the root is not a directory")
P
}

# The same lower layer; what is odd, but what others take as well, with the names that are left.
@test "whiteouts that are odd but valid" {
  python_layout <<'P'
F, D, L, S, P = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE
cases = open("cases", "w")

def layer(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for path, *kind in entries:
            info = tarfile.TarInfo(path)
            info.type, info.linkname = kind or (F, "")
            t.addfile(info)
    return out.getvalue()

low = layer([("dir", D, ""), ("dir/a",), ("dir/b",), ("other",), ("link", S, "dir")])

def odd(name, left, *entries):
    l = Layout(name)
    l.add(l.manifest([l.layer(low), l.layer(layer(entries))]))
    cases.write(name + "\t" + left + "\n")

odd("of-nothing", "dir dir/a dir/b link other", (".wh.nothing",))
odd("twice", "dir dir/a dir/b link", (".wh.other",), (".wh.other",))
odd("dot-slash", "dir dir/b link other", ("./dir/./.wh.a",))
odd("slashes", "dir dir/b link other", ("//dir//.wh.a",))
odd("symlink", "dir dir/a dir/b link", (".wh.other", S, "/etc/passwd"))
odd("fifo", "dir dir/a dir/b link", (".wh.other", P, ""))
odd("hard-link", "dir dir/a link", (".wh.other",), ("dir/.wh.b", L, ".wh.other"))
odd("capitals", ".WH.other dir dir/a dir/b link other", (".WH.other",))
odd("not-in-front", "dir dir/a dir/b link other x.wh.other", ("x.wh.other",))
odd("whiteout-of-whiteout", "dir dir/a dir/b link other", (".wh..wh.other",))
odd("own-before", "dir dir/a dir/b link other", ("other",), (".wh.other",))
odd("own-after", "dir dir/a dir/b link other", (".wh.other",), ("other",))
odd("dir-comes-back", "dir dir/new link other", ("dir/new",), (".wh.dir",))
odd("opaque-last", "dir dir/new link other", ("dir/new",), ("dir/.wh..wh..opq",))
odd("opaque-first", "dir dir/new link other", ("dir/.wh..wh..opq",), ("dir/new",))
odd("opaque-and-a-file", "dir link other", (".wh.dir",), ("dir/.wh..wh..opq",), ("dir", F, ""), (".wh.dir",))
odd("opaque-root", "", (".wh..wh..opq",))
odd("opaque-root-and-file", "new", ("new",), ("./.wh..wh..opq",))
odd("through-a-link", "dir dir/a dir/b link other", ("link/.wh.a",))
odd("in-no-directory", "dir dir/a dir/b link no no/such other", ("no/such/.wh.a",))
odd("below-a-file", "dir dir/a dir/b link other", ("other/.wh.a",))
odd("books", "dir dir/a dir/b link other", (".wh..wh.plnk/1.2",), (".wh..wh.orph", D, ""), (".wh..wh.aufs",))
odd("below-opaque", "dir dir/a dir/b link other", ("dir/.wh..wh..opq/file",))
P
  local name left got
  while IFS=$'\t' read -r name left; do
    "$MICA" mkimage --quiet image "oci:$name" 2>warnings
    rm -rf out
    "$MICA" extract image -C out
    got=$(cd out && find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort | xargs)
    [ "$got" = "$left" ] || echo "$name: '$got', expected '$left'" >>wrong
  done <cases
  [ ! -e wrong ] || fail "$(<wrong)"
}

@test "tags and platforms of a hostile index" {
  traps <<'P'
l = layout("escape", "has several images; say which, behind a colon: a\\033[2Jb, c")
l.add(l.manifest([good(l)]), "a\x1b[2Jb")
l.add(l.manifest([good(l)]), "c")
l = layout("many", "colon: image0, image1, image2", ", ...")
d = l.manifest([good(l)])
for i in range(1000):
    l.entries.append({**d, "annotations": {TAG: "image%d" % i}})
l.write()
l = layout("long", "has several images", "...")
for c in "ab":
    l.add(l.manifest([good(l)]), c * 100000)
for name, more, text in [("notes", {"annotations": []}, "'annotations' is no object"),
                         ("note", {"annotations": {TAG: 7}}, "is no text"),
                         ("platform", {"platform": "linux/amd64"}, "'platform' is no object"),
                         ("os", {"platform": {"os": 1, "architecture": "amd64"}}, "'os' is no text")]:
    l = layout("entry-" + name, "manifests[0]: ", text)
    l.add({**l.manifest([good(l)]), **more})
l = layout("silent", "has several images; say which, behind a colon: @0, @1")
l.add(l.manifest([good(l)]))
l.add(l.manifest([l.layer(tar(other="other"))]))
l = layout("platform-names", "has no image for", "it has: linux/plan9?[2J")
l.add(l.index([l.platform([good(l)], "plan9\x1b[2J")]))
l = layout("attestations", "has no image")
l.add({**l.manifest([good(l)]), "annotations": {"vnd.docker.reference.type": "attestation-manifest"}})
P
}

@test "broken docker archives" {
  python_layout <<'P'
t, other = tar(f="x" * 2000), tar(g="y")
secret = tar(secret="secret")
open("secret.tar", "wb").write(secret)

def archive(name, layers=None, names=None, config=None, **more):
    d = Docker(name + ".tar")
    d.image(layers if layers is not None else [t], names=names, config=config)
    return d

d = archive("diff-id", [t], ["layer.tar"]); d.member("layer.tar", other); d.end()
d = archive("up", [secret], ["../secret.tar"]); d.end()
d = archive("absolute", [secret], [os.path.abspath("secret.tar")]); d.end()
d = archive("link-up", [secret], ["a/layer.tar"])
d.member("a/layer.tar", b"", type=tarfile.SYMTYPE, linkname="../../secret.tar"); d.end()
d = archive("link-absolute", [secret], ["layer.tar"])
d.member("layer.tar", b"", type=tarfile.SYMTYPE, linkname=os.path.abspath("secret.tar")); d.end()
d = archive("link-loop", [secret], ["a"])
d.member("a", b"", type=tarfile.SYMTYPE, linkname="b")
d.member("b", b"", type=tarfile.SYMTYPE, linkname="a"); d.end()
d = archive("missing", [secret], ["layer.tar"]); d.end()
d = archive("directory", [secret], ["layer.tar"])
d.member("layer.tar", b"", type=tarfile.DIRTYPE); d.end()
d = archive("config-digest", config="0" * 64 + ".json"); d.end()
d = archive("config-missing"); d.images[0]["Config"] = "x.json"; d.end()
d = archive("config-none"); d.images[0]["Config"] = None; d.end()
d = archive("config-up"); d.images[0]["Config"] = "../x.json"; d.end()
d = archive("layer-number"); d.images[0]["Layers"] = [7]; d.end()
d = archive("layers-object"); d.images[0]["Layers"] = {}; d.end()
d = archive("layers-more"); d.images[0]["Layers"] *= 2; d.end()
d = archive("tags-number"); d.images[0]["RepoTags"] = [7]; d.end()
d = archive("tags-text"); d.images[0]["RepoTags"] = "x"; d.end()
d = archive("blob", [t], ["blobs/sha256/" + "0" * 64]); d.member("blobs/sha256/" + "0" * 64, t); d.end()
d = Docker("no-image.tar"); d.end()
d = Docker("object.tar"); d.images = {}; d.end()
d = Docker("list.tar"); d.images = [[]]; d.end()
archive("whole").end()
data = open("whole.tar", "rb").read()
open("short.tar", "wb").write(data[:2600])
open("packed.tar", "wb").write(gzip.compress(data)[:-100])
P
  refused docker-archive:diff-id.tar 'Layers[0] sha256:' 'wrong digest: expected sha256:'
  refused docker-archive:up.tar "a layer '../secret.tar' contains '..'"
  refused docker-archive:absolute.tar 'there is no such member'
  refused docker-archive:link-up.tar "'a/layer.tar': there is no such member"
  refused docker-archive:link-absolute.tar 'there is no such member'
  refused docker-archive:link-loop.tar 'is a link through more than 8 links'
  refused docker-archive:missing.tar 'Layers[0]: ' 'there is no such member'
  refused docker-archive:directory.tar 'there is no such member'
  refused docker-archive:config-digest.tar "'0000" 'config: wrong digest'
  refused docker-archive:config-missing.tar "'x.json': there is no such member"
  refused docker-archive:config-none.tar 'Config is missing'
  refused docker-archive:config-up.tar "contains '..'"
  refused docker-archive:layer-number.tar 'Layers[0]: ' 'a layer is missing'
  refused docker-archive:layers-object.tar "'Layers' is no list"
  refused docker-archive:layers-more.tar '1 diff_ids for 2 layers'
  refused docker-archive:tags-number.tar 'RepoTags[0] is no text'
  refused docker-archive:tags-text.tar "'RepoTags' is no list"
  refused docker-archive:blob.tar 'wrong digest: expected sha256:0000'
  refused docker-archive:no-image.tar "'manifest.json' lists no image"
  refused docker-archive:object.tar "'manifest.json' lists no image"
  refused docker-archive:list.tar 'no object'
  refused docker-archive:short.tar 'truncated'
  refused docker-archive:packed.tar 'gzip: truncated'
  # a sparse member lies there in pieces
  truncate -s 1M sparse
  echo x >>sparse
  tar -S -cf sparse.tar sparse
  refused docker-archive:sparse.tar "'sparse': is stored sparse"
}

@test "the image to be made is not its own source" {
  python_layout <<'P'
l = Layout()
l.add(l.manifest([l.layer(tar(f="x"))]))
d = Docker("docker.tar")
d.image([tar(f="x")])
d.end()
P
  local blob
  blob=$(find lay/blobs -type f -size +0 -exec sh -c 'zcat -t "$1" >/dev/null 2>&1 && echo "$1"' _ {} \;)
  cp -a lay before
  run "$MICA" mkimage "$blob" oci:lay
  assert_status 1
  assert_has 'is the image to be made and a source'
  diff -r lay before
  run "$MICA" mkimage docker.tar docker-archive:docker.tar
  assert_status 1
  assert_has 'is the image to be made and a source'
}
