#!/bin/bash
# SPDX-License-Identifier: MIT
# install.sh [--list] TARGET...: installs the Debian packages that a target needs
# and the machine lacks, or lists all that it needs. Targets: build (mica itself),
# quickstart, test, full (test --full), bench, npm.
set -euo pipefail

declare -A packages=(
  [build]='gcc libc6-dev meson ninja-build pkg-config libzstd-dev liblz4-dev liblzma-dev
    libdeflate-dev zlib1g-dev libarchive-dev libssl-dev libfuse3-dev libxxhash-dev libjansson-dev
    scdoc'
  [quickstart]='bzip2 kmod mount xz-utils zstd'
  [test]='abigail-tools acl attr bats bzip2 clang clang-format debootstrap e2fsprogs erofs-utils fuse-overlayfs fuse3 git
    libarchive-tools libcap2-bin libcmocka-dev lz4 man-db openssl python3 shellcheck strace universal-ctags xfsprogs
    xz-utils zstd'
  [full]='busybox-static cpio crun kmod podman qemu-system-x86 runc skopeo umoci'
  [bench]='erofs-utils mmdebstrap python3 squashfs-tools squashfuse valgrind xz-utils zstd'
  [npm]='npm'
)
declare -A needs=([build]='build' [quickstart]='build quickstart' [test]='build test'
  [full]='build test full' [bench]='build bench' [npm]='npm')

list=false missing=() seen=' '
if [ "${1:-}" = --list ]; then
  list=true
  shift
fi
for target; do
  [ -n "${needs[$target]:-}" ] || {
    echo "install.sh: '$target' is none of: ${!needs[*]}" >&2
    exit 2
  }
  for group in ${needs[$target]}; do
    for package in ${packages[$group]}; do
      [[ $seen != *" $package "* ]] || continue
      seen+="$package "
      if $list; then
        echo "$package"
        continue
      fi
      dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
        missing+=("$package")
    done
  done
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "install.sh: needs root and apt-get to install: ${missing[*]}" >&2
  exit 1
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq </dev/null
apt-get install -qq -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null
