#!/bin/bash
# SPDX-License-Identifier: MIT
# make.sh MKFS TOOLS: makes images.tar.xz and tree.list again, with a mkfs.erofs
# of erofs-utils 1.9.3 or later and the project's tools. Needs root and a kernel
# that mounts all of them (6.17), since it is what says that they are right.
set -eu

mkfs=$(realpath "$1") tools=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'umount "$work/mnt" 2>/dev/null; rm -rf "$work"' EXIT
. "$here/../bats/trees.bash"
cd "$work"
mkdir tree images mnt
{
  cd tree
  mkdir -p many deep/er meta shift
  text 200000 >text
  noise 5000 >noise
  { text 30000 1; noise 3000 1; text 50000 2; head -c 20000 /dev/zero; text 1234 3; } >mixed
  # several files of the same text, each a bit further on
  for i in 1 100 4095 4097; do
    { noise "$i" "$i"; text 60000 4; } >"shift/$i"
  done
  cp mixed deep/duplicate
  for i in $(seq 150); do text $((i * 29)) "$i" >"many/file-with-a-longish-name-$i"; done
  truncate -s 400000 sparse
  text 5000 5 | dd of=sparse bs=1 seek=200000 conv=notrunc status=none
  : >nothing
  ln -s ../text deep/er/link
  ln text deep/hard
  mkfifo meta/fifo
  mknod meta/null c 1 3
  for i in $(seq 12); do
    echo "$i" >"meta/$i"
    setfattr -n "user.overlay.number.$((i % 5))" -v "value $i" "meta/$i"
    setfattr -n trusted.overlay.opaque -v y "meta/$i"
    setfattr -n security.ima -v 0x0102 "meta/$i"
  done
  setfacl -m u:1000:rx,g:70000:rwx meta/1
  chown 65536:70000 meta/2
  chmod 4755 meta/3
  find . -depth -exec touch -hd '2024-05-06 07:08:09 UTC' {} +
  touch -d '2001-02-03 04:05:06 UTC' noise many
  cd ..
}
tar --format=pax --sort=name --xattrs --acls -cf tree.tar -C tree .

# image NAME MKFS-OPTION...
image() {
  local name=$1
  shift
  SOURCE_DATE_EPOCH=1715000000 "$mkfs" --quiet -U 00000000-0000-4000-8000-000000000000 "$@" \
    "images/$name" tree
}

# block-addressed
image lz4-tails -zlz4 -C65536 -Eztailpacking
image lzma-dedupe-fragments -zlzma,level=6 -C16384 -Ededupe,fragments
image lzma-tails -zlzma,level=1 -Eztailpacking
image deflate-fragments -zdeflate,level=9 -C65536 -Efragments
image libdeflate-tails -zlibdeflate,level=6 -C65536 -Eztailpacking
image zstd-all-fragments -zzstd -C65536 -Eall-fragments
image zstd-dedupe -zzstd -C16384 -Ededupe,all-fragments
image zstd-directories -zzstd -C65536 --zD=0 -Eall-fragments
image lz4-512 -b512 -zlz4hc -C4096 -Eall-fragments
image zstd-1024 -b1024 -zzstd -C16384 -Eztailpacking
# encoded extents
image zstd-48bit -zzstd -C65536 -E48bit,dot-omitted
image zstd-48bit-dedupe -zzstd -C65536 -E48bit,dedupe,fragments
image lzma-48bit -zlzma,level=1 -C65536 -E48bit,all-fragments --max-extent-bytes=-16384
image libdeflate-48bit -b2048 -zlibdeflate,level=6 -C32768 -E48bit,fragments
# metabox; the kernel does not find shared xattrs outside of it
image metabox-lz4 -zlz4 -C65536 -m4096 -x100
image metabox-zstd -zzstd -C65536 -m65536 -x100 -Eall-fragments --zD=0
image metabox-prefixes -zlzma,level=1 -C65536 -m8192:zstd -x100 --xattr-prefix=user.overlay.number. --xattr-prefix=trusted.overlay.
# xattrs
image prefixes-packed -zzstd -C65536 -Eall-fragments --xattr-prefix=user.overlay.number. --xattr-prefix=trusted.overlay.
image prefixes-plain -zlz4 --xattr-prefix=user.overlay.number. -Eplain-xattr-prefixes -x0
image digests --xattr-inode-digest -zzstd -C65536 -Eall-fragments
# chunks and devices
image chunks-48bit --chunksize=4096 -E48bit,force-chunk-indexes
image chunks-device --chunksize=16384 --blobdev=images/chunks-device.blob
# the archive itself is the device, behind the image
"$mkfs" --quiet -U 00000000-0000-4000-8000-000000000000 --tar=i images/tar-index tree.tar
cat tree.tar >>images/tar-index

"$tools/treelist" tree >tree.list
for path in images/*; do
  name=${path##*/}
  [[ $name != *.blob ]] || continue
  options=()
  [ ! -f "$path.blob" ] || options=("device=$PWD/$path.blob")
  "$tools/kmount" "$path" mnt "${options[@]}"
  "$tools/treelist" mnt | cmp - tree.list || { echo "$name is not the tree" >&2; exit 1; }
  umount mnt
done
tar --sort=name --owner=0 --group=0 --mtime=@1715000000 -C images -c . | xz -9e >"$here/images.tar.xz"
cp tree.list "$here/tree.list"
ls -l images "$here"
