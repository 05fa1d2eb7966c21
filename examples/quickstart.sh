#!/bin/bash
# SPDX-License-Identifier: MIT
# From a fresh Debian 12 to a mounted image, in one command:
#
#   sudo ./examples/quickstart.sh [TARBALL]
#
# Installs the packages that are missing, builds mica, turns TARBALL (without
# one: a tarball of this machine's /usr/share and /usr/bin) into an image for
# the running kernel, mounts it by FUSE and by the kernel, compares both trees
# with what GNU tar unpacks, prints sizes and times, and cleans up.
#
# BUILD=DIR uses another build directory than ./build, TMPDIR=DIR another place
# than /var/tmp for the tarball, the unpacked tree and the image.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$top/build}
table=()
work=
kernel_how=

say() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
fail() {
  printf 'quickstart: %s\n' "$*" >&2
  exit 1
}

cleanup() {
  local dir

  [[ -n $work ]] || return 0
  for dir in "$work/fuse" "$work/kernel"; do
    if mountpoint -q "$dir"; then
      umount "$dir" || umount -l "$dir"
    fi
  done
  rm -rf "$work"
}

# time_of NAME COMMAND...: runs it and adds its wall time to the table.
time_of() {
  local name=$1 start=${EPOCHREALTIME/[.,]/} ms
  shift

  "$@"
  ms=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
  table+=("$(printf '%-34s %6d.%03d s' "$name" $((ms / 1000)) $((ms % 1000)))")
}

size_of() {
  local bytes
  bytes=$(stat -Lc %s "$2")
  table+=("$(printf '%-34s %8d.%d MB' "$1" $((bytes / 1000000)) $((bytes / 100000 % 10)))")
}

build_mica() {
  if [[ ! -f $build/build.ninja ]]; then
    meson setup "$build" "$top" >"$work/setup.log" || {
      cat "$work/setup.log" >&2
      fail "meson setup failed"
    }
  fi
  ninja -C "$build" mica tests/tools/treecmp tests/tools/kmount >"$work/build.log" || {
    cat "$work/build.log" >&2
    fail "the build failed"
  }
  # A build directory in somebody's own tree stays theirs.
  if [[ -n ${SUDO_UID:-} && -z ${BUILD:-} ]]; then
    chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$build"
  fi
}

# The --compat level for the kernel release $1: "6.1.0-18-amd64" gives 6.1; nothing below 5.15.
compat_of() {
  local major minor

  IFS=. read -r major minor _ <<<"$1"
  minor=${minor%%[!0-9]*}
  if ((major * 1000 + minor >= 5015)); then
    echo "$major.$minor"
  fi
}

# Like "tar DIR", of this machine's own files; status 1 means that some changed meanwhile.
make_tarball() {
  tar -C /usr --sort=name --format=posix --xattrs --acls -S -cf "$1" \
    --no-recursion . --recursion ./share ./bin || [[ $? -eq 1 ]]
}

# What the image must equal. The whiteouts of a single layer hide nothing and are not in the
# image. Directories that the archive only implies have the time of now here, and 0 there.
unpack_tarball() {
  local how=(--xattrs --xattrs-include='*' --acls --numeric-owner -p)

  mkdir "$work/source"
  touch "$work/now"
  sleep 0.05 # a tick of the clock that files get their times from
  tar -C "$work/source" -xf "$1" --wildcards '.wh.*' '*/.wh.*' 2>/dev/null || true
  find "$work/source" -name '.wh.*' -prune -exec rm -rf {} +
  tar -C "$work/source" "${how[@]}" --exclude='.wh.*' -xf "$1"
  find "$work/source" -depth -type d -newer "$work/now" -exec chown 0:0 {} + \
    -exec chmod 0755 {} + -exec touch -d @0 {} +
}

read_all() {
  tar -C "$1" --one-file-system -cf - . | cat >/dev/null
}

# A symlink's mode, which means nothing, is in the image as the archive has it; Linux makes it 0777.
compare_with_source() {
  "$build/tests/tools/treecmp" -v --ignore linkmode "$work/source" "$1" ||
    fail "the tree under $1 differs from what tar unpacks"
}

mount_fuse() {
  [[ -c /dev/fuse ]] || modprobe fuse 2>/dev/null || true
  [[ -c /dev/fuse ]] || fail "this machine has no /dev/fuse"
  mkdir "$work/fuse"
  time_of "mount by FUSE" "$build/mica" mount "$work/image" "$work/fuse"
  time_of "read every file, FUSE" read_all "$work/fuse"
  compare_with_source "$work/fuse"
  note "the FUSE mount equals the source"
}

kernel_has_erofs() {
  grep -qw erofs /proc/filesystems && return
  modprobe erofs 2>/dev/null && grep -qw erofs /proc/filesystems
}

# From 6.12 on the kernel takes the file as it is; before, it wants a block device.
mount_kernel_any() {
  local status=0

  "$build/tests/tools/kmount" "$work/image" "$work/kernel" || status=$?
  case $status in
    0) kernel_how="the file itself" ;;
    3)
      [[ -e /dev/loop-control ]] || modprobe loop 2>/dev/null || true
      mount -t erofs -o ro,loop "$work/image" "$work/kernel"
      kernel_how="a loop device"
      ;;
    *) fail "the kernel refused the image" ;;
  esac
}

mount_kernel() {
  if ! kernel_has_erofs; then
    note "this kernel has no EROFS: FUSE only"
    return
  fi
  mkdir "$work/kernel"
  time_of "mount by the kernel" mount_kernel_any
  note "mounted through $kernel_how"
  time_of "read every file, kernel" read_all "$work/kernel"
  compare_with_source "$work/kernel"
  note "the kernel's mount equals the source"
}

main() {
  local tarball=${1:-} compat

  [[ $# -le 1 && ${1:-} != -* ]] || fail "usage: sudo ./examples/quickstart.sh [TARBALL]"
  [[ $EUID -eq 0 ]] || fail "needs root, to install packages and to mount: sudo $0 $*"
  [[ -z $tarball || -r $tarball ]] || fail "$tarball: no such file"
  work=$(mktemp -d "${TMPDIR:-/var/tmp}/mica-quickstart.XXXXXX")
  trap cleanup EXIT
  trap 'exit 130' INT TERM HUP

  say "Installing packages that are missing"
  "$top/tests/install.sh" quickstart
  say "Building mica in $build"
  time_of "build" build_mica

  if [[ -z $tarball ]]; then
    tarball=$work/usr.tar
    say "Making a tarball of /usr/share and /usr/bin"
    time_of "make the tarball" make_tarball "$tarball"
  fi
  say "Unpacking the tarball with GNU tar, for the comparison"
  time_of "unpack with GNU tar" unpack_tarball "$tarball"

  compat=$(compat_of "$(uname -r)")
  say "Building an image for kernel $(uname -r): --compat ${compat:-5.15}"
  [[ -n $compat ]] || note "older than 5.15: FUSE only"
  time_of "build the image" "$build/mica" mkimage --compat "${compat:-5.15}" \
    "$work/image" "$tarball"

  say "Mounting by FUSE"
  mount_fuse
  if [[ -n $compat ]]; then
    say "Mounting by the kernel"
    mount_kernel
  fi

  say "Unmounting"
  time_of "unmount" "$build/mica" umount "$work/fuse"
  [[ -z $kernel_how ]] || umount "$work/kernel"

  size_of "tarball" "$tarball"
  size_of "image" "$work/image"
  say "Sizes and times"
  printf '   %s\n' "${table[@]}"
}

main "$@"
