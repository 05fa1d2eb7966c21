#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The first command of the README, on a small tarball and with the build at hand.

load helpers

# With TMPDIR in an empty directory, in which nothing may be left.
quickstart() {
  mkdir -p scratch
  run --separate-stderr env BUILD="$(dirname "$MICA")" TMPDIR="$PWD/scratch" \
    "$ROOT/examples/quickstart.sh" "$@"
  rmdir scratch
}

make_tarball() {
  mkdir -p tree/bin tree/empty
  text 200000 >tree/bin/tool
  noise 5000 >tree/bin/noise
  chmod 4711 tree/bin/tool
  ln tree/bin/tool tree/bin/again
  ln -s tool tree/bin/alias
  setfattr -n user.colour -v green tree/bin/noise
  chown -R 12345:54321 tree/bin
  tar_of tree layer.tar
}

@test "quickstart: in a clone, where nothing was built" {
  require_root
  require_fuse
  [ -z "${SANITIZED:-}" ] || skip "the build is not the one that is tested"
  make_tarball
  mkdir clone scratch
  (cd "$ROOT" && git -c safe.directory='*' ls-files -z | tar --null -T - -cf -) | tar -C clone -xf -
  run --separate-stderr env -u BUILD TMPDIR="$PWD/scratch" clone/examples/quickstart.sh layer.tar
  rmdir scratch
  assert_status 0
  assert_has "the FUSE mount equals the source"
}

@test "quickstart: a tarball is built, mounted by FUSE and by the kernel, compared, cleaned up" {
  require_root
  require_fuse
  require_erofs
  make_tarball
  quickstart layer.tar
  assert_status 0
  assert_has "the FUSE mount equals the source"
  assert_has "the kernel's mount equals the source"
  assert_has "read every file, kernel"
  [[ $output =~ image\ +0\.[0-9]\ MB ]] || fail "$output"
  assert_lacks "$PWD" "$(cat /proc/mounts)"
}

@test "quickstart: a compressed layer with whiteouts and without its parent directories" {
  require_root
  require_fuse
  make_tarball
  touch tree/bin/.wh.old tree/empty/.wh..wh..opq
  tar -C tree --xattrs -czf layer.tar.gz bin/tool bin/noise bin/.wh.old empty/.wh..wh..opq
  quickstart layer.tar.gz
  assert_status 0
  assert_has "the FUSE mount equals the source"
}

@test "quickstart: a layer of aufs, whose symlinks have modes" {
  require_root
  require_fuse
  python_tar layer.tar <<'P'
add(".", type=tarfile.DIRTYPE)
add("file", data=b"1")
add("link", type=tarfile.SYMTYPE, link="file", mode=0o644)
add(".wh..wh.plnk", type=tarfile.DIRTYPE)
add(".wh..wh.plnk/12.34", data=b"2")
P
  quickstart layer.tar
  assert_status 0
  assert_has "the FUSE mount equals the source"
}

@test "quickstart: what it cannot do it says, and leaves nothing behind" {
  require_root
  quickstart missing.tar
  assert_status 1
  assert_has "missing.tar: no such file" "$stderr"
  echo "no archive" >bad.tar
  quickstart bad.tar
  [ "$status" -ne 0 ]
  [ -n "$stderr" ]
  quickstart --help
  assert_has "usage: sudo ./examples/quickstart.sh [TARBALL]" "$stderr"
}

@test "quickstart: without root it says so" {
  require_root
  require_command setpriv
  run setpriv --reuid 65534 --regid 65534 --clear-groups "$ROOT/examples/quickstart.sh"
  assert_status 1
  assert_has "needs root"
}

# A build directory that pretends: nothing to build, kernel release $1, which wants a loop device.
pretend_kernel() {
  mkdir -p bin pretended/tests/tools
  touch pretended/build.ninja
  ln -s "$MICA" pretended/mica
  ln -s "$TOOLS/treecmp" pretended/tests/tools/
  printf '#!/bin/sh\nexit 3\n' >pretended/tests/tools/kmount
  printf '#!/bin/sh\n' >bin/ninja
  printf '#!/bin/sh\necho %s\n' "$1" >bin/uname
  chmod +x bin/* pretended/tests/tools/kmount
}

@test "quickstart: on Debian 12's own kernel by loop device and without zstd" {
  require_root
  require_fuse
  require_erofs
  make_tarball
  pretend_kernel 6.1.0-18-amd64
  MICA=$PWD/pretended/mica PATH=$PWD/bin:$PATH quickstart layer.tar
  assert_status 0
  assert_has "--compat 6.1"
  assert_has "mounted through a loop device"
  assert_has "the kernel's mount equals the source"
  assert_lacks "$PWD" "$(losetup -l -n -O BACK-FILE)"
}

@test "quickstart: on a kernel before 5.15 by FUSE only" {
  require_root
  require_fuse
  make_tarball
  pretend_kernel 5.10.0-28-amd64
  MICA=$PWD/pretended/mica PATH=$PWD/bin:$PATH quickstart layer.tar
  assert_status 0
  assert_has "FUSE only"
  assert_has "the FUSE mount equals the source"
  assert_lacks "the kernel's mount"
}
