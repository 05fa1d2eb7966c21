# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A tree with one of everything that an image can hold, and how trees are compared.

bats_require_minimum_version 1.5.0

MICA=${MICA:-$BATS_TEST_DIRNAME/../../build/mica}
BADIMAGE=${BADIMAGE:-$(dirname "$MICA")/tests/bad/badimage}

# Absolute, so that tests may change directory.
MICA=$(realpath "$MICA")
BADIMAGE=$(realpath "$BADIMAGE")

need_root() {
  [ "$(id -u)" = 0 ] || skip "needs root"
}

tree_special() {
  mkfifo -m 0640 "$1/fifo"
  mknod -m 0600 "$1/char" c 1 3
  mknod -m 0660 "$1/block" b 259 70000
  chown 1000:100000 "$1/fifo"
  chown 70000:2 "$1/text"
  chmod 4711 "$1/text"
  setfattr -n trusted.mica -v hidden "$1/dir"
  setfattr -h -n trusted.link -v onlink "$1/link"
  setfacl -m u:1234:rwx,g:70001:r "$1/dir/acl"
  setfacl -d -m u:1234:rx "$1/dir/sub"
  setcap cap_net_raw=ep "$1/dir/cap"
}

# tree_make DIR
tree_make() {
  local d=$1
  mkdir -p "$d/dir/sub" "$d/sticky" "$d/many"
  seq 1 3000 >"$d/text"
  : >"$d/empty"
  head -c 300000 /dev/urandom >"$d/random"
  head -c 70000 /dev/zero | tr '\0' 'x' >"$d/dir/runs"
  truncate -s 2M "$d/sparse"
  printf start | dd of="$d/sparse" conv=notrunc status=none
  printf middle | dd of="$d/sparse" bs=1 seek=1000000 conv=notrunc status=none
  echo short >"$d/dir/sub/short"
  echo acl >"$d/dir/acl"
  echo cap >"$d/dir/cap"
  ln -s ../text "$d/dir/up"
  ln -s nowhere "$d/link"
  ln "$d/text" "$d/dir/hard"
  ln "$d/text" "$d/zhard"
  echo odd >"$d/$(printf 'a\nb\\c\001\377')"
  echo utf >"$d/größe"
  echo long >"$d/$(printf 'n%.0s' {1..254})" # mkfs.erofs 1.5 takes no 255
  (cd "$d/many" && seq 1 700 | xargs touch)
  chmod 1777 "$d/sticky"
  chmod 0555 "$d/dir/sub"
  chmod 0400 "$d/dir/runs"
  setfattr -n user.one -v 1 "$d/text"
  setfattr -n user.two -v "$(printf 'x%.0s' {1..300})" "$d/text"
  setfattr -n user.one -v 1 "$d/dir/sub/short"
  setfattr -n user.one -v 1 "$d/empty"
  setfattr -n user.bin -v 0x00ff10 "$d/dir"
  [ "$(id -u)" != 0 ] || tree_special "$d"
  touch -h -d '2001-02-03 04:05:06.123456789 UTC' "$d/link" "$d/text" "$d/random"
  touch -d '1969-12-31 23:59:58.5 UTC' "$d/empty"
  touch -d '2021-01-01 00:00:00.25 UTC' "$d/dir/sub" "$d/dir" "$d"
}

# Every name with its metadata; sizes of directories differ between file systems.
tree_list() {
  (
    cd "$1" || exit 1
    find . -type d -printf '%P\t%y %m %U:%G %T@\n' -o -printf '%P\t%y %m %U:%G %T@ %n %s %l\n' |
      LC_ALL=C sort
    find . \( -type b -o -type c \) -exec stat -c '%n %t:%T' {} + | LC_ALL=C sort
    find . -type f -exec sha256sum {} + | LC_ALL=C sort
    find . -printf '%P\0' | LC_ALL=C sort -z | xargs -0 getfattr -h -d -m - -e hex -- 2>/dev/null
  )
}

# tree_same A B
tree_same() {
  diff <(tree_list "$1") <(tree_list "$2")
}

# poke FILE OFFSET HEXBYTES
poke() {
  # shellcheck disable=SC2059
  printf "$(sed 's/../\\x&/g' <<<"$3")" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
