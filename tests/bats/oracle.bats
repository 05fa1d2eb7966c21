#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The kernel is the oracle: what mica builds, for every algorithm, oldest kernel
# and kind of source, must come back equal from the kernel, from mica's own
# mount and from extraction.

load helpers

setup_file() {
  cd "$BATS_FILE_TMPDIR" || return
  sample_tree tar
  tar_of tar tar.tar
  cp -a tar directory
  sample_more directory
}

# image ALG COMPAT KIND: builds it once, leaves its path in $image
image() {
  local source=$BATS_FILE_TMPDIR/$3
  image=$BATS_FILE_TMPDIR/$1.$2.$3
  [ "$3" = directory ] || source=$source.tar
  [ -f "$image" ] || mkimage -z "$1" --compat "$2" "$image" "$source"
}

by_kernel() {
  require_erofs
  require_kernel "$2"
  kernel_reads "$1" || skip "this kernel was built without $1"
  image "$@"
  kernel_mount "$image" mnt
  same_tree "$BATS_FILE_TMPDIR/$3" mnt --d-ino --random-reads
}

by_fuse() {
  require_root
  require_fuse
  image "$@"
  fuse_mount "$image" mnt
  same_tree "$BATS_FILE_TMPDIR/$3" mnt --d-ino --random-reads
}

by_extraction() {
  require_root
  image "$@"
  "$MICA" extract "$image" -C out
  same_tree "$BATS_FILE_TMPDIR/$3" out
}

# Nothing in the image that the oldest kernel does not know.
by_fsck() {
  local known
  image "$@"
  run "$MICA" fsck "$image"
  assert_status 0
  case $2 in
  5.15) known=0x07 ;; # zero padding, big pclusters, chunks
  6.1) known=0x3f ;;
  6.12) known=0x7f ;;
  6.15) known=0xff ;;
  6.17) known=0x1ff ;;
  esac
  [ $(($(feature_incompat "$image") & ~known)) = 0 ] ||
    fail "features $(feature_incompat "$image") are more than Linux $2 knows"
  run "$MICA" dump --json "$image"
  assert_status 0
  oldest=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["oldest_kernel"])' <<<"$output")
  [ "$(version_number "$oldest")" -le "$(version_number "$2")" ] ||
    fail "dump says that Linux $oldest is needed, asked for was $2"
}

refused() {
  run "$MICA" mkimage -z "$1" --compat "$2" image "$BATS_FILE_TMPDIR/$3"
  assert_status 1
  assert_has "$1 needs Linux $4"
  [ ! -e image ]
}

@test "kernel: none, 5.15, tar" { by_kernel none 5.15 tar; }
@test "fuse: none, 5.15, tar" { by_fuse none 5.15 tar; }
@test "extraction: none, 5.15, tar" { by_extraction none 5.15 tar; }
@test "fsck: none, 5.15, tar" { by_fsck none 5.15 tar; }
@test "kernel: none, 5.15, directory" { by_kernel none 5.15 directory; }
@test "fuse: none, 5.15, directory" { by_fuse none 5.15 directory; }
@test "extraction: none, 5.15, directory" { by_extraction none 5.15 directory; }
@test "fsck: none, 5.15, directory" { by_fsck none 5.15 directory; }
@test "kernel: none, 6.1, tar" { by_kernel none 6.1 tar; }
@test "fuse: none, 6.1, tar" { by_fuse none 6.1 tar; }
@test "extraction: none, 6.1, tar" { by_extraction none 6.1 tar; }
@test "fsck: none, 6.1, tar" { by_fsck none 6.1 tar; }
@test "kernel: none, 6.1, directory" { by_kernel none 6.1 directory; }
@test "fuse: none, 6.1, directory" { by_fuse none 6.1 directory; }
@test "extraction: none, 6.1, directory" { by_extraction none 6.1 directory; }
@test "fsck: none, 6.1, directory" { by_fsck none 6.1 directory; }
@test "kernel: none, 6.12, tar" { by_kernel none 6.12 tar; }
@test "fuse: none, 6.12, tar" { by_fuse none 6.12 tar; }
@test "extraction: none, 6.12, tar" { by_extraction none 6.12 tar; }
@test "fsck: none, 6.12, tar" { by_fsck none 6.12 tar; }
@test "kernel: none, 6.12, directory" { by_kernel none 6.12 directory; }
@test "fuse: none, 6.12, directory" { by_fuse none 6.12 directory; }
@test "extraction: none, 6.12, directory" { by_extraction none 6.12 directory; }
@test "fsck: none, 6.12, directory" { by_fsck none 6.12 directory; }
@test "kernel: none, 6.15, tar" { by_kernel none 6.15 tar; }
@test "fuse: none, 6.15, tar" { by_fuse none 6.15 tar; }
@test "extraction: none, 6.15, tar" { by_extraction none 6.15 tar; }
@test "fsck: none, 6.15, tar" { by_fsck none 6.15 tar; }
@test "kernel: none, 6.15, directory" { by_kernel none 6.15 directory; }
@test "fuse: none, 6.15, directory" { by_fuse none 6.15 directory; }
@test "extraction: none, 6.15, directory" { by_extraction none 6.15 directory; }
@test "fsck: none, 6.15, directory" { by_fsck none 6.15 directory; }
@test "kernel: none, 6.17, tar" { by_kernel none 6.17 tar; }
@test "fuse: none, 6.17, tar" { by_fuse none 6.17 tar; }
@test "extraction: none, 6.17, tar" { by_extraction none 6.17 tar; }
@test "fsck: none, 6.17, tar" { by_fsck none 6.17 tar; }
@test "kernel: none, 6.17, directory" { by_kernel none 6.17 directory; }
@test "fuse: none, 6.17, directory" { by_fuse none 6.17 directory; }
@test "extraction: none, 6.17, directory" { by_extraction none 6.17 directory; }
@test "fsck: none, 6.17, directory" { by_fsck none 6.17 directory; }
@test "kernel: lz4, 5.15, tar" { by_kernel lz4 5.15 tar; }
@test "fuse: lz4, 5.15, tar" { by_fuse lz4 5.15 tar; }
@test "extraction: lz4, 5.15, tar" { by_extraction lz4 5.15 tar; }
@test "fsck: lz4, 5.15, tar" { by_fsck lz4 5.15 tar; }
@test "kernel: lz4, 5.15, directory" { by_kernel lz4 5.15 directory; }
@test "fuse: lz4, 5.15, directory" { by_fuse lz4 5.15 directory; }
@test "extraction: lz4, 5.15, directory" { by_extraction lz4 5.15 directory; }
@test "fsck: lz4, 5.15, directory" { by_fsck lz4 5.15 directory; }
@test "kernel: lz4, 6.1, tar" { by_kernel lz4 6.1 tar; }
@test "fuse: lz4, 6.1, tar" { by_fuse lz4 6.1 tar; }
@test "extraction: lz4, 6.1, tar" { by_extraction lz4 6.1 tar; }
@test "fsck: lz4, 6.1, tar" { by_fsck lz4 6.1 tar; }
@test "kernel: lz4, 6.1, directory" { by_kernel lz4 6.1 directory; }
@test "fuse: lz4, 6.1, directory" { by_fuse lz4 6.1 directory; }
@test "extraction: lz4, 6.1, directory" { by_extraction lz4 6.1 directory; }
@test "fsck: lz4, 6.1, directory" { by_fsck lz4 6.1 directory; }
@test "kernel: lz4, 6.12, tar" { by_kernel lz4 6.12 tar; }
@test "fuse: lz4, 6.12, tar" { by_fuse lz4 6.12 tar; }
@test "extraction: lz4, 6.12, tar" { by_extraction lz4 6.12 tar; }
@test "fsck: lz4, 6.12, tar" { by_fsck lz4 6.12 tar; }
@test "kernel: lz4, 6.12, directory" { by_kernel lz4 6.12 directory; }
@test "fuse: lz4, 6.12, directory" { by_fuse lz4 6.12 directory; }
@test "extraction: lz4, 6.12, directory" { by_extraction lz4 6.12 directory; }
@test "fsck: lz4, 6.12, directory" { by_fsck lz4 6.12 directory; }
@test "kernel: lz4, 6.15, tar" { by_kernel lz4 6.15 tar; }
@test "fuse: lz4, 6.15, tar" { by_fuse lz4 6.15 tar; }
@test "extraction: lz4, 6.15, tar" { by_extraction lz4 6.15 tar; }
@test "fsck: lz4, 6.15, tar" { by_fsck lz4 6.15 tar; }
@test "kernel: lz4, 6.15, directory" { by_kernel lz4 6.15 directory; }
@test "fuse: lz4, 6.15, directory" { by_fuse lz4 6.15 directory; }
@test "extraction: lz4, 6.15, directory" { by_extraction lz4 6.15 directory; }
@test "fsck: lz4, 6.15, directory" { by_fsck lz4 6.15 directory; }
@test "kernel: lz4, 6.17, tar" { by_kernel lz4 6.17 tar; }
@test "fuse: lz4, 6.17, tar" { by_fuse lz4 6.17 tar; }
@test "extraction: lz4, 6.17, tar" { by_extraction lz4 6.17 tar; }
@test "fsck: lz4, 6.17, tar" { by_fsck lz4 6.17 tar; }
@test "kernel: lz4, 6.17, directory" { by_kernel lz4 6.17 directory; }
@test "fuse: lz4, 6.17, directory" { by_fuse lz4 6.17 directory; }
@test "extraction: lz4, 6.17, directory" { by_extraction lz4 6.17 directory; }
@test "fsck: lz4, 6.17, directory" { by_fsck lz4 6.17 directory; }
@test "refused: lzma, 5.15, tar" { refused lzma 5.15 tar.tar 5.16; }
@test "refused: lzma, 5.15, directory" { refused lzma 5.15 directory 5.16; }
@test "kernel: lzma:1, 6.1, tar" { by_kernel lzma:1 6.1 tar; }
@test "fuse: lzma:1, 6.1, tar" { by_fuse lzma:1 6.1 tar; }
@test "extraction: lzma:1, 6.1, tar" { by_extraction lzma:1 6.1 tar; }
@test "fsck: lzma:1, 6.1, tar" { by_fsck lzma:1 6.1 tar; }
@test "kernel: lzma:1, 6.1, directory" { by_kernel lzma:1 6.1 directory; }
@test "fuse: lzma:1, 6.1, directory" { by_fuse lzma:1 6.1 directory; }
@test "extraction: lzma:1, 6.1, directory" { by_extraction lzma:1 6.1 directory; }
@test "fsck: lzma:1, 6.1, directory" { by_fsck lzma:1 6.1 directory; }
@test "kernel: lzma:1, 6.12, tar" { by_kernel lzma:1 6.12 tar; }
@test "fuse: lzma:1, 6.12, tar" { by_fuse lzma:1 6.12 tar; }
@test "extraction: lzma:1, 6.12, tar" { by_extraction lzma:1 6.12 tar; }
@test "fsck: lzma:1, 6.12, tar" { by_fsck lzma:1 6.12 tar; }
@test "kernel: lzma:1, 6.12, directory" { by_kernel lzma:1 6.12 directory; }
@test "fuse: lzma:1, 6.12, directory" { by_fuse lzma:1 6.12 directory; }
@test "extraction: lzma:1, 6.12, directory" { by_extraction lzma:1 6.12 directory; }
@test "fsck: lzma:1, 6.12, directory" { by_fsck lzma:1 6.12 directory; }
@test "kernel: lzma:1, 6.15, tar" { by_kernel lzma:1 6.15 tar; }
@test "fuse: lzma:1, 6.15, tar" { by_fuse lzma:1 6.15 tar; }
@test "extraction: lzma:1, 6.15, tar" { by_extraction lzma:1 6.15 tar; }
@test "fsck: lzma:1, 6.15, tar" { by_fsck lzma:1 6.15 tar; }
@test "kernel: lzma:1, 6.15, directory" { by_kernel lzma:1 6.15 directory; }
@test "fuse: lzma:1, 6.15, directory" { by_fuse lzma:1 6.15 directory; }
@test "extraction: lzma:1, 6.15, directory" { by_extraction lzma:1 6.15 directory; }
@test "fsck: lzma:1, 6.15, directory" { by_fsck lzma:1 6.15 directory; }
@test "kernel: lzma:1, 6.17, tar" { by_kernel lzma:1 6.17 tar; }
@test "fuse: lzma:1, 6.17, tar" { by_fuse lzma:1 6.17 tar; }
@test "extraction: lzma:1, 6.17, tar" { by_extraction lzma:1 6.17 tar; }
@test "fsck: lzma:1, 6.17, tar" { by_fsck lzma:1 6.17 tar; }
@test "kernel: lzma:1, 6.17, directory" { by_kernel lzma:1 6.17 directory; }
@test "fuse: lzma:1, 6.17, directory" { by_fuse lzma:1 6.17 directory; }
@test "extraction: lzma:1, 6.17, directory" { by_extraction lzma:1 6.17 directory; }
@test "fsck: lzma:1, 6.17, directory" { by_fsck lzma:1 6.17 directory; }
@test "refused: deflate, 5.15, tar" { refused deflate 5.15 tar.tar 6.6; }
@test "refused: deflate, 5.15, directory" { refused deflate 5.15 directory 6.6; }
@test "refused: deflate, 6.1, tar" { refused deflate 6.1 tar.tar 6.6; }
@test "refused: deflate, 6.1, directory" { refused deflate 6.1 directory 6.6; }
@test "kernel: deflate, 6.12, tar" { by_kernel deflate 6.12 tar; }
@test "fuse: deflate, 6.12, tar" { by_fuse deflate 6.12 tar; }
@test "extraction: deflate, 6.12, tar" { by_extraction deflate 6.12 tar; }
@test "fsck: deflate, 6.12, tar" { by_fsck deflate 6.12 tar; }
@test "kernel: deflate, 6.12, directory" { by_kernel deflate 6.12 directory; }
@test "fuse: deflate, 6.12, directory" { by_fuse deflate 6.12 directory; }
@test "extraction: deflate, 6.12, directory" { by_extraction deflate 6.12 directory; }
@test "fsck: deflate, 6.12, directory" { by_fsck deflate 6.12 directory; }
@test "kernel: deflate, 6.15, tar" { by_kernel deflate 6.15 tar; }
@test "fuse: deflate, 6.15, tar" { by_fuse deflate 6.15 tar; }
@test "extraction: deflate, 6.15, tar" { by_extraction deflate 6.15 tar; }
@test "fsck: deflate, 6.15, tar" { by_fsck deflate 6.15 tar; }
@test "kernel: deflate, 6.15, directory" { by_kernel deflate 6.15 directory; }
@test "fuse: deflate, 6.15, directory" { by_fuse deflate 6.15 directory; }
@test "extraction: deflate, 6.15, directory" { by_extraction deflate 6.15 directory; }
@test "fsck: deflate, 6.15, directory" { by_fsck deflate 6.15 directory; }
@test "kernel: deflate, 6.17, tar" { by_kernel deflate 6.17 tar; }
@test "fuse: deflate, 6.17, tar" { by_fuse deflate 6.17 tar; }
@test "extraction: deflate, 6.17, tar" { by_extraction deflate 6.17 tar; }
@test "fsck: deflate, 6.17, tar" { by_fsck deflate 6.17 tar; }
@test "kernel: deflate, 6.17, directory" { by_kernel deflate 6.17 directory; }
@test "fuse: deflate, 6.17, directory" { by_fuse deflate 6.17 directory; }
@test "extraction: deflate, 6.17, directory" { by_extraction deflate 6.17 directory; }
@test "fsck: deflate, 6.17, directory" { by_fsck deflate 6.17 directory; }
@test "refused: zstd, 5.15, tar" { refused zstd 5.15 tar.tar 6.10; }
@test "refused: zstd, 5.15, directory" { refused zstd 5.15 directory 6.10; }
@test "refused: zstd, 6.1, tar" { refused zstd 6.1 tar.tar 6.10; }
@test "refused: zstd, 6.1, directory" { refused zstd 6.1 directory 6.10; }
@test "kernel: zstd, 6.12, tar" { by_kernel zstd 6.12 tar; }
@test "fuse: zstd, 6.12, tar" { by_fuse zstd 6.12 tar; }
@test "extraction: zstd, 6.12, tar" { by_extraction zstd 6.12 tar; }
@test "fsck: zstd, 6.12, tar" { by_fsck zstd 6.12 tar; }
@test "kernel: zstd, 6.12, directory" { by_kernel zstd 6.12 directory; }
@test "fuse: zstd, 6.12, directory" { by_fuse zstd 6.12 directory; }
@test "extraction: zstd, 6.12, directory" { by_extraction zstd 6.12 directory; }
@test "fsck: zstd, 6.12, directory" { by_fsck zstd 6.12 directory; }
@test "kernel: zstd, 6.15, tar" { by_kernel zstd 6.15 tar; }
@test "fuse: zstd, 6.15, tar" { by_fuse zstd 6.15 tar; }
@test "extraction: zstd, 6.15, tar" { by_extraction zstd 6.15 tar; }
@test "fsck: zstd, 6.15, tar" { by_fsck zstd 6.15 tar; }
@test "kernel: zstd, 6.15, directory" { by_kernel zstd 6.15 directory; }
@test "fuse: zstd, 6.15, directory" { by_fuse zstd 6.15 directory; }
@test "extraction: zstd, 6.15, directory" { by_extraction zstd 6.15 directory; }
@test "fsck: zstd, 6.15, directory" { by_fsck zstd 6.15 directory; }
@test "kernel: zstd, 6.17, tar" { by_kernel zstd 6.17 tar; }
@test "fuse: zstd, 6.17, tar" { by_fuse zstd 6.17 tar; }
@test "extraction: zstd, 6.17, tar" { by_extraction zstd 6.17 tar; }
@test "fsck: zstd, 6.17, tar" { by_fsck zstd 6.17 tar; }
@test "kernel: zstd, 6.17, directory" { by_kernel zstd 6.17 directory; }
@test "fuse: zstd, 6.17, directory" { by_fuse zstd 6.17 directory; }
@test "extraction: zstd, 6.17, directory" { by_extraction zstd 6.17 directory; }
@test "fsck: zstd, 6.17, directory" { by_fsck zstd 6.17 directory; }

@test "an image for an older kernel mounts as well: default level of each algorithm" {
  require_erofs
  require_kernel 6.12
  for alg in lz4hc zstd:1 zstd:19 lz4hc:1 lz4hc:12 deflate:1 deflate:12 lzma lzma:9e; do
    kernel_reads $alg || continue
    mkimage -z $alg image "$BATS_FILE_TMPDIR/tar.tar"
    kernel_mount image mnt
    same_tree "$BATS_FILE_TMPDIR/tar" mnt
    unmount mnt
  done
}

@test "every cluster size" {
  require_erofs
  require_kernel 6.12
  for size in 4K 8K 16K 32K 64K 128K 512K 1M; do
    mkimage -C $size image "$BATS_FILE_TMPDIR/tar.tar"
    kernel_mount image mnt
    same_tree "$BATS_FILE_TMPDIR/tar" mnt --random-reads
    unmount mnt
    "$MICA" fsck image
  done
}

@test "every cluster size, lz4 for Linux 5.15 and encoded extents" {
  require_erofs
  require_kernel 6.15
  for size in 4K 16K 64K 1M; do
    for compat in 5.15 6.15; do
      mkimage -z lz4 --compat $compat -C $size image "$BATS_FILE_TMPDIR/tar.tar"
      kernel_mount image mnt
      same_tree "$BATS_FILE_TMPDIR/tar" mnt --random-reads
      unmount mnt
    done
  done
}

@test "every cluster size of metadata" {
  require_erofs
  require_kernel 6.17
  for options in '-z zstd:1' '-z lz4'; do
    for size in 4K 16K 64K 1M; do
      # shellcheck disable=SC2086 # words
      mkimage $options --compat 6.17 --metadata-cluster $size image "$BATS_FILE_TMPDIR/tar.tar"
      [ $(($(feature_incompat image) & 0x100)) = $((0x100)) ]
      kernel_mount image mnt
      same_tree "$BATS_FILE_TMPDIR/tar" mnt --random-reads
      unmount mnt
      "$MICA" fsck image
      mkdir -p out
      "$MICA" extract image -C out
      same_tree "$BATS_FILE_TMPDIR/tar" out
      rm -r out
    done
  done
}

@test "metadata that is not compressed" {
  mkimage --compat 6.17 --metadata-cluster none image "$BATS_FILE_TMPDIR/tar.tar"
  mkimage --compat 6.15 image2 "$BATS_FILE_TMPDIR/tar.tar"
  cmp image image2
}

# Linux refuses a deflate extent that ends in the first bytes of a page. Of as many
# short extents as here some would, were they left where they fall.
@test "encoded extents of every algorithm, many and short" {
  require_erofs
  require_kernel 6.15
  mkdir src
  # three quarters of a page each
  noise 24000000 1 | base64 -w0 >src/text
  for alg in deflate lzma:0 lz4 lz4hc:1 zstd:1; do
    kernel_reads $alg || continue
    mkimage -z $alg --compat 6.15 -C 4K image src
    kernel_mount image mnt
    same_tree src mnt
    unmount mnt
    "$MICA" fsck image
  done
}

@test "by way of a loop device" {
  require_erofs
  mkdir mnt
  for options in '-z lz4 --compat 5.15' '-z zstd:1 --compat 6.17'; do
    [[ $options != *6.17* ]] || kernel_is 6.17 || continue
    # shellcheck disable=SC2086 # words
    mkimage $options image "$BATS_FILE_TMPDIR/tar.tar"
    mount -t erofs -o ro,loop image mnt
    echo mnt >>"$(mounts_file)"
    same_tree "$BATS_FILE_TMPDIR/tar" mnt --random-reads
    unmount mnt
  done
}

# erofs-utils 1.5 of Debian 12 is older than many features.
fsck_erofs() {
  require_command fsck.erofs
  image "$@"
  [ $(($(feature_incompat "$image") & ~0x1f)) = 0 ] || skip "fsck.erofs 1.5 does not know the features"
  run fsck.erofs -d3 --extract "$image"
  assert_status 0
  assert_has 'No errors found'
  # version 1.5 forgets holes in chunks when it writes files out
  [ "$1" != none ] || return 0
  fsck.erofs --extract=out "$image"
  same_tree "$BATS_FILE_TMPDIR/$3" out --ignore mode,nlink,links,xattrs
}

@test "fsck.erofs accepts none, 5.15" { fsck_erofs none 5.15 tar; }
@test "fsck.erofs accepts none, 6.1" { fsck_erofs none 6.1 tar; }
@test "fsck.erofs accepts none, 6.12" { fsck_erofs none 6.12 tar; }
@test "fsck.erofs accepts lz4, 5.15" { fsck_erofs lz4 5.15 tar; }
@test "fsck.erofs accepts lz4, 6.1" { fsck_erofs lz4 6.1 tar; }

# No kernel before 6.1 runs here: that images for 5.15 hold nothing it lacks is
# shown by their features and layouts alone.
audit_515() {
  image "$1" 5.15 tar
  "$MICA" dump --json "$image" >dump.json
  python3 - "$1" <<'P'
import json, sys
d = json.load(open("dump.json"))
assert d["block_size"] == 4096, d["block_size"]
assert set(d["algorithms"]) <= {"lz4"}, d["algorithms"]
assert d["extra_devices"] == 0 and "packed_nid" not in d and "metabox_nid" not in d
assert d["xattr_prefix_count"] == 0
P
  local path
  for path in text noise mixed zeros sparse deep/x/duplicate deep/x/shifted text.{1,4095,4097,65537,262145}; do
    "$MICA" dump --json "$image" "$path" >inode.json
    "$MICA" dump --json --extents "$image" "$path" >extents.json
    python3 - "$path" <<'P'
import json, sys
i, e = json.load(open("inode.json")), json.load(open("extents.json"))
# flat, full index, flat inline, compact index, chunks
assert i["layout"] in (0, 1, 2, 3, 4), i["layout"]
if i["layout"] in (1, 3):
    # compacted 2B and big pclusters; no inline pcluster (5.17), interlaced or fragment (6.1)
    assert i["advise"] & ~0x7 == 0, i["advise"]
    assert i["layout"] == 3 or not i["advise"] & 1, "encoded extents"
    last = 0
    for x in e["extents"]:
        # shared parts of pclusters came with 6.1
        assert not x["partial"] and not x["in_metabox"], x
        assert x.get("device", 0) == 0, x
        if x["kind"] == "encoded":
            assert x["algorithm"] in (None, "lz4"), x
            assert x["stored"] <= 1 << 20, x
P
  done
}

@test "audit: none, 5.15" { audit_515 none; }
@test "audit: lz4, 5.15" { audit_515 lz4; }
@test "audit: lz4hc, 5.15" { audit_515 lz4hc; }
