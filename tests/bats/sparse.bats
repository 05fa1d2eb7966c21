#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Files that are nearly all hole: what they cost follows their data, not the size
# that they claim; where the format cannot do that, they are refused.

load helpers

# sparse_tar FILE [NAME SIZE RUN[,RUN...]]...: each RUN is OFFSET+LENGTH, of letters
sparse_tar() {
  local file=$1
  shift
  { printf 'words = """%s""".split()\n' "$*" && cat <<'P'; } | python_tar "$file"
for name, size, text in zip(*[iter(words)] * 3):
    runs = [tuple(map(int, r.split("+"))) for r in text.split(",") if r != "-"]
    data = b"".join((chr(97 + i) * length).encode() for i, (_, length) in enumerate(runs))
    add(name, data=data, pax={
        "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": name,
        "GNU.sparse.map": ",".join("%d,%d" % r for r in runs) or "0,0",
        "GNU.sparse.size": size})
P
}

# file_has FILE SIZE [OFFSET+LENGTH]...: these runs of letters, zeros around them
file_has() {
  python3 - "$@" <<'P'
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
size = int(sys.argv[2])
assert os.fstat(fd).st_size == size, os.fstat(fd).st_size
runs = [tuple(map(int, r.split("+"))) for r in sys.argv[3:]]
def want(off, length):
    out = bytearray(length)
    for i, (at, n) in enumerate(runs):
        for k in range(max(at, off), min(at + n, off + length)):
            out[k - off] = 97 + i
    return bytes(out)
places = [0, size // 2, size // 3, max(size - 5000, 0)]
places += [max(at + d, 0) for at, n in runs for d in (-3000, 0, n - 100)]
for off in places:
    length = min(6000, size - off)
    assert os.pread(fd, length, off) == want(off, length), off
P
}

EiB=$((1 << 60)) TiB=$((1 << 40))
MOST=$(((1 << 63) - 1))

@test "the largest hole there is" {
  local compat
  sparse_tar t.tar hole $MOST - one $TiB -
  for compat in 5.15 6.1 6.12 6.15 6.17; do
    mkimage --compat $compat a.img t.tar
    [ "$(stat -c %s a.img)" -le $((5 << 20)) ]
    "$MICA" fsck --quiet a.img
    fuse_mount a.img mnt
    file_has mnt/hole $MOST
    file_has mnt/one $TiB
    unmount mnt
  done
  # one extent, where there are extents
  [ "$(stat -c %s a.img)" -le 12288 ]
}

@test "the largest hole there is, by the kernel" {
  require_erofs
  require_kernel 6.17
  local compat
  sparse_tar t.tar hole $MOST - one $TiB -
  for compat in 5.15 6.12 6.15 6.17; do
    mkimage --compat $compat a.img t.tar
    kernel_mount a.img mnt
    file_has mnt/hole $MOST
    file_has mnt/one $TiB
    unmount mnt
  done
}

# few_bytes MOUNT: a few bytes of data in enormous files
few_bytes() {
  local compat far=$((4 * EiB)) middle=$((3 * EiB + 1536))
  sparse_tar t.tar first $MOST 0+512 middle $MOST $middle+700 last $((far + 4096)) $far+4096 \
    both $MOST 0+10,$((MOST - 5000))+5000
  for compat in 6.15 6.17; do
    mkimage --compat $compat --verify a.img t.tar
    [ "$(stat -c %s a.img)" -le 32768 ]
    "$MICA" fsck --quiet a.img
    "$1" a.img mnt
    file_has mnt/first $MOST 0+512
    file_has mnt/middle $MOST $middle+700
    file_has mnt/last $((far + 4096)) $far+4096
    file_has mnt/both $MOST 0+10 $((MOST - 5000))+5000
    unmount mnt
  done
  # chunks: of one that begins where the last chunk does, the map is short
  sparse_tar t.tar last $((far + 4096)) $far+4096 one $TiB 5000+100
  for compat in 5.15 6.12; do
    mkimage --compat $compat --verify a.img t.tar
    [ "$(stat -c %s a.img)" -le $((8 << 20)) ]
    "$1" a.img mnt
    file_has mnt/last $((far + 4096)) $far+4096
    file_has mnt/one $TiB 5000+100
    unmount mnt
  done
}

@test "a few bytes in enormous files" {
  require_fuse
  few_bytes fuse_mount
}

@test "a few bytes in enormous files, by the kernel" {
  require_erofs
  require_kernel 6.17
  few_bytes kernel_mount
}

# refused NAME ARGUMENT...: nothing but an error
refused() {
  local name=$1
  shift
  run "$MICA" mkimage "$@" target/a.img t.tar
  assert_status 1
  assert_has "t.tar: '$name': its holes would take"
  assert_has 'the limit is 10737'
  [ -z "$(ls -A target)" ]
}

@test "what would fill the disk with a map is refused" {
  mkdir target
  local size options
  for size in $MOST $EiB $((131072 * TiB)); do
    sparse_tar t.tar small 100 0+100 large "$size" 1048576+512
    [ "$(stat -c %s t.tar)" -le 10240 ]
    for options in '--compat 5.15' '--compat 6.1' '--compat 6.12' '-z none' \
      '--compat 6.15 -z none' '--compat 6.12 --tar-index'; do
      # shellcheck disable=SC2086 # several words
      refused large $options
    done
    mkimage --compat 6.15 a.img t.tar
  done
}

@test "so are many such files that would be let pass one by one" {
  mkdir target
  local words=() i
  for i in {1..20}; do words+=("f$i" $((256 * TiB)) $((i * 100000))+512); done
  sparse_tar t.tar "${words[@]}"
  refused f17 --compat 6.12
}

@test "a hole that is as long as a power of two" {
  require_erofs
  local compat
  mkdir src
  truncate -s 1G src/a
  printf end >>src/a
  truncate -s 40G src/b
  text 9000 >>src/b
  truncate -s 40G src/c
  for compat in 6.12 6.15 6.17; do
    mkimage --compat $compat a.img src
    "$MICA" fsck --quiet a.img
    [ "$(stat -c %s a.img)" -le $((4 << 20)) ]
    fuse_mount a.img mnt
    same_sparse
    if kernel_is $compat; then
      kernel_mount a.img mnt
      same_sparse
    fi
  done
}

# same_sparse: at mnt, without reading all zeros
same_sparse() {
  local name
  for name in a b c; do
    assert_equal "$(stat -c %s mnt/$name)" "$(stat -c %s src/$name)"
    cmp <(tail -c 100000 mnt/$name) <(tail -c 100000 src/$name)
    cmp <(head -c 100000 mnt/$name) <(head -c 100000 src/$name)
  done
  unmount mnt
}
