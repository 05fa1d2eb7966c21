#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# mkimage --tar-index, --append and --prepend: images whose contents stay in a tar.
# What they show is what GNU tar unpacks.

load helpers
load footer

setup_file() {
  [ "$(id -u)" = 0 ] || return 0
  cd "$BATS_FILE_TMPDIR" || return
  mkdir tree ref
  sample_tree tree
  tar_of tree tree.tar
  tar --xattrs --xattrs-include='*' --acls -C ref -xpf tree.tar
  "$MICA" mkimage --quiet --tar-index index tree.tar
  "$MICA" mkimage --json --append appended tree.tar >appended.json
  "$MICA" mkimage --quiet --prepend prepended tree.tar
}

setup() {
  require_root
  mkdir "$BATS_TEST_TMPDIR/work" && cd "$BATS_TEST_TMPDIR/work" || return
  TAR=$BATS_FILE_TMPDIR/tree.tar REF=$BATS_FILE_TMPDIR/ref
  ln -s "$BATS_FILE_TMPDIR"/{index,appended,prepended} .
}

# offset_of JSON-FILE: where the image begins
offset_of() {
  sed -n 's/.*"offset": *\([0-9]*\).*/\1/p' "$1"
}

# shown_by_all INDEX TAR REFERENCE: by the kernel, by FUSE, and unpacked
shown_by_all() {
  if kernel_is 6.12; then
    kernel_mount "$1" mnt "device=$(realpath "$2")"
    same_tree "$3" mnt --random-reads
    unmount mnt
  fi
  fuse_mount "$1" mnt --device "$2"
  same_tree "$3" mnt --random-reads
  unmount mnt
  "$MICA" extract --device "$2" -C out "$1"
  same_tree "$3" out
  rm -rf out
  "$MICA" fsck --quiet --device "$2" "$1"
}

@test "the index beside its tar" {
  require_erofs
  require_fuse
  shown_by_all index "$TAR" "$REF"
  # of all that it names it has nothing
  [ $(($(stat -L -c %s index) * 20)) -lt "$(stat -c %s "$TAR")" ]
}

@test "the index behind its tar" {
  require_fuse
  if kernel_is 6.16; then
    local at
    at=$(offset_of "$BATS_FILE_TMPDIR/appended.json")
    kernel_mount appended mnt "fsoffset=$at,device=$(realpath appended)"
    same_tree "$REF" mnt --random-reads
    unmount mnt
  fi
  fuse_mount appended mnt
  same_tree "$REF" mnt --random-reads
  unmount mnt
  "$MICA" extract -C out appended
  same_tree "$REF" out
  "$MICA" fsck --quiet appended
}

@test "the index in front of its tar" {
  require_erofs
  require_fuse
  kernel_mount prepended mnt
  same_tree "$REF" mnt --random-reads
  unmount mnt
  # mount(8), that is a loop device
  mount -t erofs -o ro,loop prepended mnt
  echo mnt >>"$(mounts_file)"
  same_tree "$REF" mnt
  unmount mnt
  fuse_mount prepended mnt
  same_tree "$REF" mnt
  unmount mnt
  "$MICA" fsck --quiet prepended
}

@test "every level of --compat that has small blocks" {
  require_erofs
  require_fuse
  local level
  for level in 6.4 6.15 6.17; do
    kernel_is $level || continue
    mkimage --compat $level --tar-index --verify image "$TAR"
    shown_by_all image "$TAR" "$REF"
  done
}

@test "it is one image in all three places" {
  local size at
  size=$(stat -L -c %s index)
  at=$(offset_of "$BATS_FILE_TMPDIR/appended.json")
  cmp -n "$size" index prepended
  cmp -n "$size" -i "0:$at" index appended
  cmp -n "$(stat -c %s "$TAR")" "$TAR" appended
  cmp -n "$(stat -c %s "$TAR")" -i "0:$size" "$TAR" prepended
  # joined by hand
  cat index "$TAR" >joined
  "$MICA" fsck --quiet joined
  # again, and with other threads: the same
  mkimage -j 1 --tar-index again "$TAR"
  cmp index again
}

@test "what has an index behind it is still a tar" {
  tar -tvf appended >list
  tar -tvf "$TAR" | cmp - list
  tar --xattrs --xattrs-include='*' --acls -df appended -C "$REF"
  mkdir out
  tar --xattrs --xattrs-include='*' --acls -C out -xpf appended
  same_tree "$REF" out
  # it has its own mind about names that are no UTF-8
  bsdtar -tf appended >list || true
  bsdtar -tf "$TAR" | cmp - list
  [ "$(wc -l <list)" -gt 1000 ]
  python3 - appended "$TAR" <<'P'
import sys, tarfile
names = [[m.name for m in tarfile.open(f)] for f in sys.argv[1:]]
assert names[0] == names[1] and len(names[0]) > 1000
P
  # and a source
  mkimage one appended
  mkimage two "$TAR"
  cmp one two
}

@test "--verify reads through the tar" {
  mkimage --verify --tar-index one "$TAR"
  cmp index one
  mkimage --verify --append two "$TAR"
  cmp appended two
  mkimage --verify --prepend three "$TAR"
  cmp prepended three
}

@test "the device's tag is the digest of the tar" {
  run "$MICA" dump --device "$TAR" index
  assert_has "$(sha256sum <"$TAR" | cut -d' ' -f1)"
}

@test "--append in place" {
  cp "$TAR" both.tar
  mkimage --append both.tar both.tar
  cmp appended both.tar
  # an index that is there already is replaced
  mkimage --append both.tar both.tar
  cmp appended both.tar
  # what fails leaves the tar as it was
  head -c 100000 "$TAR" >short.tar
  cp short.tar before.tar
  run "$MICA" mkimage --append short.tar short.tar
  assert_status 1
  cmp before.tar short.tar
  # elsewhere the image is not the tar
  for option in --tar-index --prepend; do
    run "$MICA" mkimage $option both.tar both.tar
    assert_status 1
    assert_has 'is the image to be made and a source'
  done
}

@test "archives in GNU's and in the oldest format" {
  require_fuse
  local format sparse
  mkdir src
  noise 70000 >src/noise
  text 1000 >src/text
  touch src/nothing
  truncate -s 3M src/sparse
  noise 9000 | dd of=src/sparse bs=4096 seek=100 conv=notrunc status=none
  ln src/text src/hard
  ln -s text src/link
  for format in gnu oldgnu ustar v7 posix; do
    rm -rf src/d*
    sparse=()
    case $format in
    *gnu | posix)
      sparse=(-S)
      mkdir "src/$(printf 'd%.0s' {1..200})"
      ;;
    esac
    find src -depth -exec touch -hd '2024-05-06 07:08:09' {} +
    tar --format=$format --sort=name "${sparse[@]}" -C src -cf x.tar .
    mkdir ref
    tar -C ref -xpf x.tar
    mkimage --verify --tar-index x.index x.tar
    shown_by_all x.index x.tar ref
    rm -rf ref
  done
}

@test "holes" {
  require_erofs
  require_fuse
  mkdir src ref
  truncate -s 60M src/large
  for at in 0 16 1000 5000 14000; do
    noise 6000 $at | dd of=src/large bs=4096 seek=$at conv=notrunc status=none
  done
  truncate -s 100M src/none
  truncate -s 12345 src/end
  noise 5000 | dd of=src/end conv=notrunc status=none
  tar --format=posix --sparse-version=0.0 -S -C src -cf zero.tar .
  tar --format=posix --sparse-version=0.1 -S -C src -cf one.tar .
  tar --format=posix -S -C src -cf two.tar .
  tar -C ref -xpf two.tar
  for tar in zero one two; do
    mkimage --tar-index image $tar.tar
    shown_by_all image $tar.tar ref
  done
  [ "$(stat -c %s image)" -lt 300000 ]
  mkimage --verify --tar-index image two.tar
}

# Data that no block boundary meets are copied.
@test "holes that are not made of blocks" {
  require_fuse
  python_tar odd.tar <<'P'
def sparse(name, size, *runs):
    data = b"".join(bytes((i * 7 + k) % 251 + 1 for k in range(n)) for i, (_, n) in enumerate(runs))
    add(name, data=data, pax={
        "GNU.sparse.size": str(size),
        "GNU.sparse.numblocks": str(len(runs)),
        "GNU.sparse.map": ",".join(f"{off},{n}" for off, n in runs)})
sparse("middle", 100000, (5, 10), (5000, 3), (60000, 20000))
sparse("begin", 3000, (512, 100), (1024, 512))
sparse("fits", 3000, (512, 512), (1536, 1464))
sparse("dense", 1 << 20, *[(i * 1024, 512) for i in range(1024)])
sparse("fine", 40 << 20, (512, 512), (39 << 20, 512))
P
  # GNU tar makes no such maps, and reads them in its own way
  mkimage plain odd.tar
  "$MICA" extract -C ref plain
  mkimage --verify --tar-index image odd.tar
  shown_by_all image odd.tar ref
  run "$MICA" dump --device odd.tar --extents image /fits
  assert_has "device=1"
  run "$MICA" dump --device odd.tar --extents image /begin
  assert_lacks "device=1"
}

@test "layers' rules hold for the one layer" {
  python_tar layer.tar <<'P'
add("d", type=tarfile.DIRTYPE)
add("d/gone", data=b"old")
add("d/.wh.lower")
add("e", type=tarfile.DIRTYPE)
add("e/.wh..wh..opq")
add("twice", data=b"first")
add("twice", data=b"second")
add("hidden/file", data=b"kept by its link" * 1000)
add("link", type=tarfile.LNKTYPE, link="hidden/file")
add("overlay", data=b"x", pax={"SCHILY.xattr.trusted.overlay.opaque": "y"})
P
  mkimage --exclude hidden plain layer.tar 2>/dev/null
  mkimage --exclude hidden --verify --tar-index image layer.tar 2>/dev/null
  "$MICA" extract -C one plain
  "$MICA" extract --device layer.tar -C two image
  same_tree one two
  [ "$(cat two/twice)" = second ]
  [ "$(stat -c %s two/link)" = 16000 ]
  [ ! -e two/hidden ] && [ -z "$(find two -name '.wh.*')" ]
  # uid, time and the like
  mkimage --all-root --timestamp 5 --label name --tar-index image layer.tar 2>/dev/null
  run "$MICA" dump --device layer.tar image /twice
  assert_has '1970-01-01 00:00:05'
}

@test "long symlinks, wide directories, many attributes: metadata beyond one small block" {
  require_erofs
  require_fuse
  mkdir src ref
  local i
  for i in 1 100 400 446 447 448 449 479 480 481 511 512 513 1000 2048 4095; do
    ln -s "$(printf 't%.0s' $(seq "$i"))" "src/link.$i"
    mkdir "src/dir.$i"
    (cd "src/dir.$i" && seq -f "$(printf 'n%.0s' $(seq $((i % 200 + 1))))%g" $((i % 37)) | xargs -r touch)
  done
  touch src/many
  for i in {1..20}; do
    setfattr -n "user.number.$i" -v "$(printf 'v%.0s' $(seq $((i * 7))))" src/many
  done
  tar_of src x.tar
  tar --xattrs --xattrs-include='*' -C ref -xpf x.tar
  mkimage --verify --tar-index image x.tar
  shown_by_all image x.tar ref
}

@test "an archive without an end gets one" {
  mkdir src
  noise 3072 >src/file
  tar --format=ustar -b 1 -C src -cf whole.tar .
  head -c -1024 whole.tar >x.tar
  run "$MICA" mkimage --append both x.tar
  assert_status 0
  assert_has 'no end mark'
  run tar -tvf both
  assert_status 0
  [ "${#lines[@]}" = 2 ]
  "$MICA" extract -C out both
  cmp src/file out/file
}

@test "what cannot be" {
  mkdir dir
  mkfifo fifo
  gzip -c "$TAR" >x.tar.gz
  zstd -q "$TAR" -o x.tar.zst
  local option
  no() {
    local text=$1
    shift
    run "$MICA" mkimage "$@"
    assert_status 1
    assert_has "$text"
    [ ! -e image ]
  }
  for option in --tar-index --append --prepend; do
    no 'x.tar.gz: is compressed (gzip), but an index points into plain data' $option image x.tar.gz
    no 'x.tar.zst: is compressed (zstd)' $option image x.tar.zst
    no 'dir: an index points into a tar file, which this is not' $option image dir
    no 'fifo: an index points into a tar file' $option image fifo
    no 'prepended: ' $option image prepended
    no 'No such file or directory' $option image missing.tar
    no "$option takes one tar, by the name of its file" $option image "$TAR" "$TAR"
    no "$option takes one tar, by the name of its file" $option image -
    no "$option makes blocks of 512 bytes, which need Linux 6.4" --compat 6.1 $option image "$TAR"
    no "$option and --per-layer exclude each other" --per-layer $option image "$TAR"
    no "$option compresses nothing" -z zstd $option image "$TAR"
    no "$option compresses nothing" $option -C 64K image "$TAR"
  done
  no 'the index goes to one end of the tar' --append --prepend image "$TAR"
  head -c 100000 "$TAR" >short.tar
  no 'short.tar' --tar-index image short.tar
  # --tar-index beside the others changes nothing
  mkimage --tar-index --append image "$TAR"
  cmp appended image
}

# The kernel and mica would take the file for another image.
@test "a tar that looks like an image" {
  python_tar x.tar <<'P'
add("file", data=b"\0" * 512 + b"\xe2\xe1\xf5\xe0" + b"\0" * 1000)
P
  run "$MICA" mkimage --append image x.tar
  assert_status 1
  assert_has 'looks like the superblock of an image'
  [ ! -e image ]
}

@test "a footer that cuts the tar short" {
  local at size
  at=$(offset_of "$BATS_FILE_TMPDIR/appended.json")
  size=$(stat -L -c %s index)
  python_tar zeros.tar <<'P'
add("zeros", data=b"\0" * 6000)
P
  cut_short() { # cut_short TAR-BYTES: appended, whose footer has these
    head -c -64 appended >both
    add_footer both "$at" "$size" "$1"
    cp both before
    run "$MICA" mkimage --append both both
    assert_status 1
    cmp before both
    assert_has "both: the footer says that a tar of $1 bytes has its index at byte $at, but"
  }
  cut_short 512
  cut_short $((at - 8192 - 512))
  # zeros are missing that are not padding: those of a file
  { head -c 8192 zeros.tar && cat index; } >joined
  add_footer joined 8192 "$size" 6144
  run "$MICA" mkimage --append image joined
  assert_status 1
  assert_has "'zeros': its 6000 bytes of data at byte 512 go beyond byte 6144"
  [ ! -e image ]
}
