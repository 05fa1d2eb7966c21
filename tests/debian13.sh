#!/bin/bash
# SPDX-License-Identifier: MIT
# debian13.sh [DIR]: builds mica in a Debian 13 root, whose libfuse is newer, and runs there the
# tests of what depends on that. The root is made in DIR (default: build/debian13) with
# debootstrap from the mirror that apt uses, and kept for the next time. Prints TAP.
set -uo pipefail

cd "$(dirname "$0")/.." || exit 1
SOURCE=$PWD
DIR=$(realpath -m "${1:-build/debian13}")
MIRROR=$(grep -ohE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
  head -1)
MIRROR=${MIRROR:-http://deb.debian.org/debian}
# `umount -l` of a name space of our own is the kernel's business when we end
if [ -z "${DEBIAN13_INSIDE:-}" ]; then
  DEBIAN13_INSIDE=1 exec unshare --mount --propagation private "$0" "$DIR"
fi

say_failed() {
  echo "not ok 1 $1"
  sed 's/^/# /' "$DIR.log" | tail -n 40
  exit 1
}

# Its own build and test programs; no compiler but gcc, and nothing that only CI looks at.
root_make() {
  [ -f "$DIR/.complete" ] && return
  rm -rf --one-file-system "$DIR"
  mkdir -p "$DIR"
  debootstrap --variant=minbase trixie "$DIR" "${MIRROR%% *}" || return
  mounts_make || return
  # shellcheck disable=SC2046 # a list of packages
  chroot "$DIR" apt-get install -qq -y --no-install-recommends \
    $(tests/install.sh --list build) acl attr bats e2fsprogs erofs-utils fuse3 libarchive-tools \
    libcap2-bin libcmocka-dev openssl perl procps python3 strace zstd >/dev/null || return
  ln -sf ../proc/self/mounts "$DIR/etc/mtab" || return
  touch "$DIR/.complete"
}

mounts_make() {
  mountpoint -q "$DIR/proc" && return
  # name spaces below want a root that is a mount
  mount --bind "$DIR" "$DIR" || return
  local at
  for at in proc sys dev; do
    mount --rbind --make-rslave "/$at" "$DIR/$at" || return
  done
  mkdir -p "$DIR/source" "$DIR/build"
  mount --bind -o ro "$SOURCE" "$DIR/source"
}

inside() {
  chroot "$DIR" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    MICA=/build/mica TOOLS=/build/tests/tools "$@"
}

build() {
  [ -f "$DIR/build/build.ninja" ] || inside meson setup -Dwerror=true /build /source || return
  inside meson compile -C /build
}

root_make >"$DIR.log" 2>&1 || say_failed 'a Debian 13 root'
mounts_make >"$DIR.log" 2>&1 || say_failed 'what a root needs mounted'
build >"$DIR.log" 2>&1 || say_failed 'a build in it has no warning'
echo "ok 1 build with libfuse $(inside pkg-config --modversion fuse3)"
for name in status mount overlay overlay-passthrough; do
  inside timeout -k 10 1200 bats --tap "/source/tests/bats/$name.bats"
done
inside STACK_WORDS=passthrough timeout -k 10 1200 bats --tap /source/tests/bats/overlay.bats
