# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154 # bats sets status, output, stderr
# What the bats files share. A file says `load helpers`; each test then starts
# in an empty directory of its own, and what it mounts is unmounted behind it.

bats_require_minimum_version 1.5.0

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
MICA=${MICA:-$ROOT/build/test-gcc/mica}
TOOLS=${TOOLS:-$ROOT/build/test-gcc/tests/tools}
export ROOT MICA TOOLS
# shellcheck source=tests/bats/trees.bash
. "$BATS_TEST_DIRNAME/trees.bash"

setup() {
  # not the directory itself: bats keeps files of its own there
  mkdir "$BATS_TEST_TMPDIR/work" && cd "$BATS_TEST_TMPDIR/work" || return 1
}

teardown() {
  unmount_all
}

# --- what a test needs -------------------------------------------------------

require_root() {
  [ "$(id -u)" = 0 ] || skip "needs root"
}

# version_number 6.12 -> 6012
version_number() {
  local major=${1%%.*} rest=${1#*.}
  echo $((major * 1000 + ${rest%%[!0-9]*}))
}

# kernel_is VERSION: the running kernel is at least that
kernel_is() {
  [ "$(version_number "$(uname -r)")" -ge "$(version_number "$1")" ]
}

require_kernel() {
  kernel_is "$1" || skip "needs Linux $1, this is $(uname -r)"
}

require_command() {
  local name
  for name; do
    command -v "$name" >/dev/null || skip "needs $name"
  done
}

require_fuse() {
  [ -c /dev/fuse ] || skip "needs /dev/fuse"
}

# kernel_reads ALG[:LEVEL]...: the running kernel is not known to lack it
kernel_reads() {
  local alg config
  config=$({ zcat /proc/config.gz || cat "/boot/config-$(uname -r)"; } 2>/dev/null) || return 0
  for alg; do
    case $alg in
    lzma* | deflate* | zstd*)
      alg=${alg%%:*}
      [[ $config != *"# CONFIG_EROFS_FS_ZIP_${alg^^} is not set"* ]] || return
      ;;
    esac
  done
}

require_erofs() {
  require_root
  grep -qw erofs /proc/filesystems || modprobe erofs 2>/dev/null || skip "this kernel has no EROFS"
}

# --- mounts ------------------------------------------------------------------

# Every mount point of the test, newest last; a file, since `run` uses subshells.
mounts_file() {
  echo "${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/.mounts"
}

# kernel_mount IMAGE DIR [OPTIONS]: as a file where the kernel can, else by loop
kernel_mount() {
  local status=0
  mkdir -p "$2"
  "$TOOLS/kmount" "$1" "$2" ${3:+"$3"} || status=$?
  if [ $status = 3 ]; then
    status=0
    mount -t erofs -o "ro,loop${3:+,$3}" "$1" "$2" || status=$?
  fi
  [ $status != 0 ] || echo "$2" >>"$(mounts_file)"
  return $status
}

# fuse_mount IMAGE DIR [OPTION...]
fuse_mount() {
  local image=$1 dir=$2
  shift 2
  mkdir -p "$dir"
  "$MICA" mount "$@" "$image" "$dir" || return
  echo "$dir" >>"$(mounts_file)"
  mountpoint -q "$dir"
}

# unmount DIR
unmount() {
  umount "$1" || return
  sed -i "\\|^$1\$|d" "$(mounts_file)"
}

unmount_all() {
  local dir
  [ -f "$(mounts_file)" ] || return 0
  tac "$(mounts_file)" | while read -r dir; do
    mountpoint -q "$dir" && { umount "$dir" || umount -l "$dir"; }
  done
  rm -f "$(mounts_file)"
}

# --- what a test says --------------------------------------------------------

fail() {
  printf '%s\n' "$@" >&2
  return 1
}

# assert_status N: of the last `run`
assert_status() {
  [ "$status" -eq "$1" ] || fail "exit status $status, expected $1" "output: $output" "${stderr:-}"
}

# assert_has TEXT [IN]: the output of the last `run` (or IN) contains TEXT
assert_has() {
  local in=${2-$output${stderr:+$'\n'$stderr}}
  [[ $in == *"$1"* ]] || fail "not found: $1" "in: $in"
}

assert_lacks() {
  local in=${2-$output${stderr:+$'\n'$stderr}}
  [[ $in != *"$1"* ]] || fail "found: $1" "in: $in"
}

assert_equal() {
  [ "$1" = "$2" ] || fail "got:      $1" "expected: $2"
}

# same_tree A B [treecmp options]: B is A, in everything but what is ignored
same_tree() {
  local a=$1 b=$2
  shift 2
  "$TOOLS/treecmp" "$@" "$a" "$b" >treecmp.out || {
    head -20 treecmp.out >&2
    fail "the trees $a and $b differ"
  }
}

# without_proc COMMAND...: runs it where /proc has nothing but the environment, from which
# sanitizers take their options. LeakSanitizer cannot work there.
without_proc() {
  # shellcheck disable=SC2016 # the inner shell expands it
  ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" unshare -m sh -ec '
    cat /proc/self/environ >"$BATS_TEST_TMPDIR/environ"
    mount -t tmpfs none /proc
    mkdir /proc/self
    mv "$BATS_TEST_TMPDIR/environ" /proc/self
    exec "$@"' - "$@"
}

# --- input -------------------------------------------------------------------

# le32_at FILE OFFSET: a little-endian number of the file, in decimal
le32_at() {
  od -An -v -tu4 --endian=little -j "$2" -N 4 "$1" | tr -d ' '
}

# feature_incompat IMAGE: the superblock's bits, read without mica
feature_incompat() {
  le32_at "$1" $((1024 + 80))
}

# tar_of DIR FILE: the tar that counts as the same input as the directory
tar_of() {
  tar --sort=name --format=posix --xattrs --acls -S -C "$1" -cf "$2" .
}

# python_tar FILE: runs the Python on standard input, which fills `t`
python_tar() {
  { cat "$BATS_TEST_DIRNAME/tarball.py"; cat; } | python3 - "$1"
}

# python_layout: runs the Python on standard input, with layout.py in front of it
python_layout() {
  { cat "$BATS_TEST_DIRNAME/layout.py"; cat; } | python3 -
}

# shown IMAGE: mounts it at mnt, by the kernel where it can
shown() {
  [ ! -d mnt ] || ! mountpoint -q mnt || unmount mnt
  if [ "$(id -u)" = 0 ] && kernel_is 6.12; then kernel_mount "$1" mnt; else fuse_mount "$1" mnt; fi
}

# mkimage ARGUMENT...: must succeed
mkimage() {
  "$MICA" mkimage --quiet "$@"
}
