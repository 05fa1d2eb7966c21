#!/bin/bash
# SPDX-License-Identifier: MIT
# containers.sh: images that podman makes, saved in each of its formats: mica's
# image of them, and its images of their layers stacked by overlayfs, are what
# podman's own mount shows. Nothing is pulled. Prints TAP.
set -uo pipefail

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
MICA=${MICA:-$ROOT/build/test-gcc/mica}
TOOLS=${TOOLS:-$ROOT/build/test-gcc/tests/tools}
work=$(mktemp -d)
# shellcheck source=tests/full/lib.sh
. "$ROOT/tests/full/lib.sh"

leave() {
  local dir
  podman rm -af >/dev/null 2>&1
  for dir in "$work/all" "$work"/mnt*; do
    mountpoint -q "$dir" && umount -l "$dir"
  done
  rm -rf --one-file-system "$work"
}
trap leave EXIT
cd "$work" || exit 1

# a store of its own, which needs no overlayfs and no network
cat >storage.conf <<E
[storage]
driver = "vfs"
graphroot = "$work/graph"
runroot = "$work/run"
E
export CONTAINERS_STORAGE_CONF=$work/storage.conf

# A base of the machine's own files, and a layer that changes, removes and links.
make_images() {
  local root
  mkdir -p context/data/dir && cp -a /usr/share/zoneinfo context/data/zone || return
  seq 100000 >context/data/dir/numbers
  ln context/data/dir/numbers context/data/numbers
  cat >context/Containerfile <<'E'
FROM scratch
COPY data /data
COPY data/dir /second
COPY data/zone /data/zone2
E
  podman build -q -t base context || return
  podman create --name change localhost/base /none || return
  root=$(podman mount change) || return
  rm -r "$root/data/zone/Europe" "$root/data/numbers" || return
  rm -r "$root/second" && ln -s data "$root/second" || return
  rm -r "$root/data/zone2/Asia" && mkdir -m 2750 "$root/data/zone2/Asia" || return
  mkdir -p "$root/new/deep"
  seq 5000 >"$root/new/deep/file"
  ln "$root/new/deep/file" "$root/new/link"
  setfattr -n user.mica -v yes "$root/new" || return
  chown 1000:100000 "$root/new/deep"
  chmod 4711 "$root/data/dir/numbers"
  podman umount change && podman commit -q change changed
}

saved() { # saved FORMAT FILE
  podman save -q --format "$1" -o "$2" localhost/changed
}

# The root's own attributes are podman's.
same_as_podman() { # same_as_podman DIR IGNORE
  local root dir
  root=$(podman image mount localhost/changed) || return
  [ "$(ls "$1")" = "$(ls "$root")" ] && [ "$(readlink "$1/second")" = data ] || return
  for dir in data new; do
    "$TOOLS/treecmp" ${2:+--ignore "$2"} "$root/$dir" "$1/$dir" || return
  done
}

whole() { # whole SOURCE
  mkdir -p mnt
  "$MICA" mkimage --quiet image "$1" && "$TOOLS/kmount" image mnt || return
  same_as_podman mnt '' || return
  umount mnt
}

layers() { # layers SOURCE
  local image lower='' dir number=0
  rm -rf layers
  "$MICA" mkimage --quiet --per-layer layers "$1" || return
  for image in layers/*; do
    dir=mnt$((number++))
    mkdir -p $dir all
    mount -t erofs -o ro,loop "$image" $dir || return
    lower=$dir${lower:+:$lower}
  done
  mount -t overlay -o "ro,lowerdir=$lower" overlay all || return
  same_as_podman all nlink || return
  umount all && umount mnt?
}

check 'podman builds and changes an image' make_images
check 'podman save: docker-archive' saved docker-archive docker.tar
check 'podman save: oci-archive' saved oci-archive oci.tar
check 'podman save: oci-dir' saved oci-dir oci
check 'gzip of an archive' gzip -k docker.tar
check 'skopeo copy: zstd' skopeo copy -q --dest-compress-format zstd oci:oci oci:zstd:tag
for source in docker-archive:docker.tar docker-archive:docker.tar:localhost/changed docker-archive:docker.tar.gz \
  oci-archive:oci.tar oci:oci oci:zstd:tag; do
  check "$source: one image" whole "$source"
  check "$source: an image for each layer" layers "$source"
done
echo "1..$number"
exit $failed
