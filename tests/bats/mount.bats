#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2030,SC2031 # each test runs in a subshell of its own
# mica mount and mica umount: what they show, and how they begin and end.
# The oracles are the source tree and the kernel's own mount of the same image.

bats_require_minimum_version 1.5.0

MICA=${MICA:-$BATS_TEST_DIRNAME/../../build/mica}
MICA=$(realpath "$MICA")

setup_file() {
  SRC=$BATS_FILE_TMPDIR/src
  export SRC
  source_tree "$SRC"
  mkfs.erofs "$BATS_FILE_TMPDIR/plain.img" "$SRC" >/dev/null
  mkfs.erofs -zlz4hc -C65536 "$BATS_FILE_TMPDIR/lz4.img" "$SRC" >/dev/null
  # others than root must reach what is mounted below
  chmod a+x "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR"
}

setup() {
  [ "$(id -u)" = 0 ] || skip "needs root"
  [ -c /dev/fuse ] || skip "needs /dev/fuse"
  cd "$BATS_TEST_TMPDIR" || return 1
  chmod a+x "$BATS_TEST_TMPDIR" "$(dirname "$BATS_TEST_TMPDIR")"
  PLAIN=$BATS_FILE_TMPDIR/plain.img
  LZ4=$BATS_FILE_TMPDIR/lz4.img
  mkdir mnt kernel
}

teardown() {
  local path
  awk -v top="$BATS_TEST_TMPDIR/" 'index($5, top) == 1 { print $5 }' /proc/self/mountinfo | tac |
    while read -r path; do
      umount -l "$(printf %b "$path")"
    done
  [ -z "${SERVER:-}" ] || kill "$SERVER" 2>/dev/null || true
}

# --- helpers -----------------------------------------------------------------

# text BYTES SEED
text() {
  yes "thin, clear sheets of mica $2" | awk '{ print NR, $0 }' | head -c "$1"
}

# noise BYTES SEED
noise() {
  head -c "$1" /dev/zero | openssl enc -aes-128-ctr -nosalt -pass "pass:$2" -iter 1 2>/dev/null
}

source_tree() {
  local i
  mkdir -p "$1"/{empty,deep/a/b/c,types,meta}
  text 3000000 1 >"$1/text"
  noise 700001 1 >"$1/noise"
  { noise 100000 2; text 400000 2; head -c 300000 /dev/zero; noise 5000 3; } >"$1/mixed"
  cp "$1/mixed" "$1/deep/copy"
  { echo shifted; cat "$1/mixed"; } >"$1/deep/shifted"
  : >"$1/nothing"
  for i in 1 31 4031 4095 4096 4097 65535 65536 65537 131073; do
    text "$i" "$i" >"$1/text.$i"
    noise "$i" "$i" >"$1/noise.$i"
  done
  truncate -s 4M "$1/sparse"
  text 9000 4 | dd of="$1/sparse" bs=1M seek=2 conv=notrunc status=none
  ln -s ../text "$1/deep/link"
  ln -s "$(printf 't%.0s' $(seq 3000))" "$1/deep/longlink"
  ln "$1/text.4097" "$1/deep/a/hard"
  ln "$1/text.4097" "$1/deep/a/b/hard"
  touch "$1/$(printf 'n%.0s' $(seq 254))" "$1/"$'odd\xff\x01\n\t\\ name'
  mkfifo "$1/types/fifo"
  mknod "$1/types/null" c 1 3
  mknod "$1/types/wide" b 4095 1048575
  for i in 4755 2755 1777 0000 0640; do
    echo "$i" >"$1/meta/mode.$i"
    chmod "$i" "$1/meta/mode.$i"
  done
  source_attributes "$1/meta"
  find "$1" -depth -exec touch -hd '2024-05-06 07:08:09.123456789' {} +
  touch -d '@-1.5' "$1/text.1"
}

source_attributes() {
  local i
  touch "$1"/{owned,xattr,acl,denied,many} "$1"/label.{1..4}
  chown 65536:4294967294 "$1/owned"
  setfattr -n user.one -v 1 "$1/xattr"
  setfattr -n user.empty "$1/xattr"
  setfattr -n trusted.two -v 0x0001fe00 "$1/xattr"
  for i in {1..20}; do
    setfattr -n "user.number.$i" -v "value $i" "$1/many"
  done
  for i in {1..4}; do
    setfattr -n security.mica.label -v shared "$1/label.$i"
  done
  echo for nobody >"$1/acl"
  chmod 600 "$1/acl"
  setfacl -m u:65534:r "$1/acl"
  echo not for nobody >"$1/denied"
  chmod 644 "$1/denied"
  setfacl -m u:65534:- "$1/denied"
}

fail() {
  printf '%s\n' "$@" >&2
  return 1
}

# mount_mica ARGUMENT...: must succeed
mount_mica() {
  "$MICA" mount --quiet "$@"
}

# What both the source and a mount must say: everything but sizes of directories
facts() {
  (
    cd "$1" || exit
    find . \( -type d -printf '%P d %m %U:%G %n %T@\0' \) -o \
      -printf '%P %y %m %U:%G %n %T@ %s %l\0' | LC_ALL=C sort -z | tr '\0' '\n'
    find . \( -type b -o -type c \) -print0 | LC_ALL=C sort -z | xargs -0r stat -c '%n %t:%T'
    find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    find . -print0 | LC_ALL=C sort -z | xargs -0 getfattr -hd -m - 2>/dev/null
  )
}

# What only a mount can be held against: numbers that the image has and the source has not
numbers() {
  (cd "$1" && find . -printf '%P %i %n %s %b %t\0' | LC_ALL=C sort -z | tr '\0' '\n')
}

same() {
  cmp -s "$1" "$2" || {
    diff -a "$1" "$2" | head -20 >&2
    fail "$1 and $2 differ"
  }
}

# check_image IMAGE: our mount equals the source and the kernel's mount
check_image() {
  mount_mica "$1" mnt
  facts "$SRC" >source.facts
  facts mnt >mnt.facts
  [ -n "${NO_TIMES:-}" ] || same source.facts mnt.facts
  if mount -t erofs -o ro "$1" kernel 2>/dev/null || mount -t erofs -o ro,loop "$1" kernel; then
    facts kernel >kernel.facts
    same kernel.facts mnt.facts
    numbers kernel >kernel.numbers
    numbers mnt >mnt.numbers
    same kernel.numbers mnt.numbers
  fi
}

# check_layout MKFS-OPTION...
check_layout() {
  mkfs.erofs "$@" layout.img "$SRC" >/dev/null 2>mkfs.err || {
    cat mkfs.err
    skip "this mkfs.erofs does not know $*"
  }
  check_image layout.img
}

# check_mkimage OPTION...: the same of an image of our own
check_mkimage() {
  "$MICA" mkimage --quiet "$@" layout.img "$SRC"
  check_image layout.img
}

# The processes that have FILE open
openers() {
  find /proc/[0-9]*/fd -lname "$(realpath "$1")" 2>/dev/null | cut -d/ -f3 | sort -u
}

mount_options() {
  findmnt -no VFS-OPTIONS,FS-OPTIONS "$1"
}

# as_nobody COMMAND...
as_nobody() {
  setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

# --- what is shown -----------------------------------------------------------

@test "uncompressed" { check_layout -Eforce-inode-extended; }
@test "uncompressed, compact inodes" { NO_TIMES=1 check_layout -T1234567890; }
@test "uncompressed, tails not inline" { check_layout -Enoinline_data; }
@test "chunks" { check_layout --chunksize=4096; }
@test "chunks of 64 KiB with indexes" { check_layout --chunksize=65536 -Eforce-chunk-indexes; }
@test "lz4" { check_layout -zlz4; }
@test "lz4hc" { check_layout -zlz4hc; }
@test "lz4 in clusters of 64 KiB" { check_layout -zlz4 -C65536; }
@test "lz4, legacy indexes" { check_layout -zlz4 -Elegacy-compress; }
@test "lz4 with tail packing" { check_layout -zlz4 -C16384 -Eztailpacking; }
@test "lz4 with fragments" { check_layout -zlz4 -C16384 -Efragments; }
@test "lz4, all in fragments" { check_layout -zlz4 -C65536 -Eall-fragments; }
@test "lz4 with dedupe" { check_layout -zlz4 -C16384 -Ededupe; }
@test "lz4 with dedupe and fragments" { check_layout -zlz4 -C65536 -Ededupe,fragments; }

@test "mica's own: zstd" { check_mkimage; }
@test "mica's own: zstd, encoded extents" { check_mkimage --compat=6.15; }
@test "mica's own: zstd, compressed metadata" { check_mkimage --compat=6.17; }
@test "mica's own: lz4hc in clusters of 16 KiB" { check_mkimage -zlz4hc -C16K --compat=6.1; }
@test "mica's own: uncompressed" { check_mkimage -znone --compat=5.15; }

@test "an image at an offset" {
  { noise 8192 5; cat "$LZ4"; } >bundle
  mount_mica -o offset=8192 bundle mnt
  diff -r --no-dereference "$SRC/deep" mnt/deep
  "$MICA" umount mnt
  mount_mica --offset=8K bundle mnt
  diff -r --no-dereference "$SRC/deep" mnt/deep
  "$MICA" umount mnt
  run "$MICA" mount bundle mnt
  [ "$status" = 32 ]
  run "$MICA" mount --offset=1T bundle mnt
  [ "$status" != 0 ]
  [[ $output == *"behind the end"* ]]
}

@test "names that are not there, and too long ones" {
  mount_mica "$PLAIN" mnt
  for _ in 1 2; do
    run stat mnt/absent
    [ "$status" != 0 ]
    [[ $output == *"No such file"* ]]
  done
  run stat "mnt/$(printf 'n%.0s' $(seq 256))"
  [[ $output == *"name too long"* ]]
  stat "mnt/$(printf 'n%.0s' $(seq 254))"
}

@test "the tree cannot be written to" {
  mount_mica "$PLAIN" mnt
  run touch mnt/new
  [[ $output == *"Read-only file system"* ]]
  run rm -f mnt/text
  [[ $output == *"Read-only file system"* ]]
}

@test "size and name of the file system" {
  mount_mica "$PLAIN" mnt
  mount -t erofs -o ro "$PLAIN" kernel || mount -t erofs -o ro,loop "$PLAIN" kernel
  [ "$(stat -fc '%s %S %b %f %a %l' mnt)" = "$(stat -fc '%s %S %b %f %a %l' kernel)" ]
  [ "$(findmnt -no SOURCE,FSTYPE mnt | xargs)" = "$PLAIN fuse.mica" ]
}

@test "holes are found where the kernel finds them" {
  local alg
  for alg in none zstd; do
    "$MICA" mkimage --quiet -z$alg holes.img "$SRC"
    mount_mica holes.img mnt
    mount -t erofs -o ro holes.img kernel || mount -t erofs -o ro,loop holes.img kernel
    holes mnt/sparse >mnt.holes
    holes kernel/sparse >kernel.holes
    same kernel.holes mnt.holes
    # a compressed file may hold its zeros as data
    [ $alg = zstd ] || grep -q hole mnt.holes
    run holes_behind_end mnt/sparse
    [ "$output" = "No such device or address" ]
    "$MICA" umount mnt
    umount kernel
  done
}

# The file's data and holes, by lseek with SEEK_DATA (3) and SEEK_HOLE (4)
holes() {
  perl -e 'open F, "<", $ARGV[0] or die; my $p = 0;
    while (defined(my $d = sysseek F, $p, 3)) {
      $d += 0; print "hole $p $d\n" if $d > $p; $p = sysseek(F, $d, 4) + 0; print "data $d $p\n"; }
    print "hole $p ", -s F, "\n" if $p < -s F;' "$1"
}

holes_behind_end() {
  perl -e 'open F, "<", $ARGV[0] or die; sysseek F, -s F, 3 or print $!;' "$1"
}

# --- ways to read ------------------------------------------------------------

@test "reads by sendfile, mmap, splice and O_DIRECT" {
  mount_mica "$LZ4" mnt
  perl -e 'my %nr = (x86_64 => 40, aarch64 => 71); my $nr = $nr{qx(uname -m) =~ s/\n//r} or exit;
    open my $in, "<", $ARGV[0] or die; open my $out, ">", $ARGV[1] or die;
    while ((my $n = syscall $nr, fileno $out, fileno $in, 0, 1 << 20) != 0) { die if $n < 0 }' \
    mnt/text sendfile
  [ ! -e sendfile ] || cmp sendfile "$SRC/text"
  perl -e 'open F, "<:mmap", $ARGV[0] or die; local $/; print <F>' mnt/mixed | cmp - "$SRC/mixed"
  dd if=mnt/noise iflag=direct bs=64K status=none | cmp - "$SRC/noise"
  dd if=mnt/text iflag=direct bs=1000K status=none | cmp - "$SRC/text"
  cp mnt/mixed copied
  cmp copied "$SRC/mixed"
  cat mnt/text | cmp - "$SRC/text"
}

@test "reads at any offset and length" {
  mount_mica "$LZ4" mnt
  perl -e 'my ($a, $b) = map { open my $f, "<", $_ or die; $f } @ARGV; srand 1;
    for (1 .. 500) {
      my ($o, $n) = (int rand 810000, 1 + int rand 200000);
      sysseek $_, $o, 0 for $a, $b; sysread $a, my $x, $n; sysread $b, my $y, $n;
      die "differ at $o+$n" if $x ne $y; }' mnt/mixed "$SRC/mixed"
}

@test "single blocks, from clusters that were touched before and not" {
  local block image round
  "$MICA" mkimage --quiet --compat=6.15 zstd.img "$SRC"
  for image in "$LZ4" zstd.img; do
    mount_mica "$image" mnt
    for round in 1 2; do
      for block in 100 3 700 41 42 0 500 333 12 650; do
        cmp <(dd if=mnt/text iflag=direct bs=4K skip=$block count=1 status=none) \
          <(dd if="$SRC/text" bs=4K skip=$block count=1 status=none) ||
          fail "block $block, round $round of $image"
      done
    done
    "$MICA" umount mnt
  done
}

@test "programs run from the mount" {
  mkdir tree
  cp "$(command -v cat)" tree/cat
  mkfs.erofs -zlz4hc -C65536 tree.img tree >/dev/null
  mount_mica tree.img mnt
  [ "$(echo alive | mnt/cat)" = alive ]
}

@test "many readers at once" {
  local i pids=()
  mount_mica --cache=1M "$LZ4" mnt
  (cd "$SRC" && find . -type f -exec sha256sum {} +) >sums
  for i in {1..8}; do
    (cd mnt && shuf "$OLDPWD/sums" | sha256sum -c --quiet) &
    pids+=($!)
  done
  for i in "${pids[@]}"; do
    wait "$i"
  done
}

@test "a directory of 50,000 entries" {
  mkdir -p tree/many
  (cd tree/many && seq -f 'entry-number-%06g' 50000 | xargs touch)
  mkfs.erofs tree.img tree >/dev/null
  mount_mica tree.img mnt
  LC_ALL=C ls -U mnt/many | LC_ALL=C sort >listed
  seq -f 'entry-number-%06g' 50000 | cmp - listed
  # the same from the kernel's cache of it
  LC_ALL=C ls -U mnt/many | LC_ALL=C sort | cmp - listed
  [ "$(find mnt/many -type f -size 0 | wc -l)" = 50000 ]
  perl -e 'opendir my $d, $ARGV[0] or die; my (@at, @names);
    for (;;) { my $p = telldir $d; my $n = readdir $d; last if !defined $n;
      push @at, $p; push @names, $n }
    die "names: " . @names if @names != 50002; srand 2;
    for (1 .. 300) { my $i = int rand @names; seekdir $d, $at[$i];
      die "at $i" if readdir $d ne $names[$i] or $i < $#names && readdir $d ne $names[$i + 1] }
    rewinddir $d; die if readdir $d ne $names[0]' mnt/many
}

@test "file handles outlive the kernel's memory of a node" {
  mount_mica "$PLAIN" mnt
  command -v python3 >/dev/null || skip "needs python3"
  run python3 - mnt mnt/deep/a/hard <<'PYTHON'
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
class Handle(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_char * 128)]
h, mount_id = Handle(bytes=128), ctypes.c_int()
top = os.open(sys.argv[1], os.O_RDONLY)
if libc.name_to_handle_at(-100, sys.argv[2].encode(), ctypes.byref(h), ctypes.byref(mount_id), 0):
    sys.exit(os.strerror(ctypes.get_errno()))
open("/proc/sys/vm/drop_caches", "w").write("2")
fd = libc.open_by_handle_at(top, ctypes.byref(h), os.O_RDONLY)
if fd < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print(len(os.read(fd, 10000)))
PYTHON
  [ "$status" = 0 ] || fail "$output"
  [ "$output" = 4097 ]
}

# --- who may read ------------------------------------------------------------

@test "root's mount is for all, with modes and ACLs enforced as the kernel does" {
  mount_mica "$PLAIN" mnt
  as_nobody cat mnt/text.31 | cmp - "$SRC/text.31"
  run as_nobody cat mnt/meta/mode.0640
  [[ $output == *"Permission denied"* ]]
  run as_nobody cat mnt/meta/acl
  [ "$output" = "for nobody" ]
  run as_nobody cat mnt/meta/denied
  [[ $output == *"Permission denied"* ]]
  # trusted.* is not for everybody to know
  run as_nobody getfattr -d -m - mnt/meta/xattr
  [[ $output == *user.one* && $output != *trusted* ]]
}

@test "-o noacl shows ACLs but does not enforce them" {
  mount_mica -o noacl "$PLAIN" mnt
  run as_nobody cat mnt/meta/denied
  [ "$output" = "not for nobody" ]
  getfacl -cp mnt/meta/denied | grep -q '^user:nobody:---'
}

# with_fuse MODE SCRIPT: runs SCRIPT where /dev/fuse has MODE, and puts nothing at risk
with_fuse() {
  mknod fuse c 10 229
  chmod "$1" fuse
  export -f as_nobody openers
  export MICA SRC
  unshare -m --propagation private bash -eu -c "mount --bind fuse /dev/fuse; $2"
}

@test "an ordinary user mounts, reads and unmounts" {
  command -v fusermount3 >/dev/null || skip "needs fusermount3"
  chown 65534 mnt
  cp "$LZ4" image
  chmod a+r image
  # shellcheck disable=SC2016 # expanded by the shell that with_fuse starts
  with_fuse 666 '
    as_nobody "$MICA" mount --quiet image mnt
    as_nobody diff -r --no-dereference mnt/deep "$SRC/deep"
    # the mount of a user is for that user alone, not even for root
    ! ls mnt 2>denied
    grep -q "Permission denied" denied
    status=0
    as_nobody "$MICA" mount -o allow_other image kernel || status=$?
    [ "$status" = 32 ]
    as_nobody "$MICA" umount mnt
    [ -z "$(openers image)" ]
    # and root can end it
    as_nobody "$MICA" mount --quiet image mnt
    "$MICA" umount mnt'
}

@test "a user without access to /dev/fuse is told so" {
  chown 65534 mnt
  cp "$PLAIN" image
  # shellcheck disable=SC2016
  run with_fuse 600 'as_nobody "$MICA" mount image mnt'
  [ "$status" = 32 ]
  [[ $output == *"/dev/fuse"*"Permission denied"* ]]
}

# --- options -----------------------------------------------------------------

@test "mounts are nosuid and nodev unless asked" {
  mount_mica "$PLAIN" mnt
  [[ $(mount_options mnt) == *nosuid,nodev*default_permissions,allow_other* ]]
  [[ $(mount_options mnt) == ro,* ]]
  run cat mnt/types/null
  [ "$status" != 0 ]
  "$MICA" umount mnt
  mount_mica -o suid -o dev,noexec,noatime "$PLAIN" mnt
  [[ $(mount_options mnt) != *nosuid* && $(mount_options mnt) != *nodev* ]]
  [[ $(mount_options mnt) == *noexec* && $(mount_options mnt) == *noatime* ]]
  cat mnt/types/null
  "$MICA" umount mnt
  # the last word counts
  mount_mica -o dev,nodev,noexec,exec "$PLAIN" mnt
  [[ $(mount_options mnt) == *nodev* && $(mount_options mnt) != *noexec* ]]
}

@test "fsname and subtype" {
  mount_mica -o 'fsname=a\,b c,subtype=other' "$PLAIN" mnt
  [ "$(findmnt -no SOURCE mnt)" = "a,b c" ]
  [ "$(findmnt -no FSTYPE mnt)" = fuse.other ]
  run "$MICA" umount mnt
  [ "$status" = 32 ]
  [[ $output == *"fuse.other"* ]]
  umount mnt
  run "$MICA" mount -o subtype=a.b "$PLAIN" mnt
  [ "$status" = 1 ]
}

@test "wrong options are refused by name, and nothing is mounted" {
  local words
  for words in bogus rw offset=x offset ro=1 cache=2; do
    run "$MICA" mount -o "noatime,$words" "$PLAIN" mnt
    [ "$status" = 1 ]
    [[ $output == "mica mount: "*"${words%%=*}"* ]]
  done
  run "$MICA" mount -o rw "$PLAIN" mnt
  [[ $output == *"read-only"* ]]
  run "$MICA" mount --cache=12 "$PLAIN" mnt
  [[ $output == *"--cache"* ]]
  run "$MICA" mount -j0 "$PLAIN" mnt
  [[ $output == *"-j"* ]]
  run "$MICA" mount "$PLAIN"
  [ "$status" = 1 ]
  run ! mountpoint -q mnt
}

@test "-j limits the threads" {
  mount_mica -j2 "$LZ4" mnt
  find mnt -type f -print0 | xargs -0 -P8 -n4 cat >/dev/null
  pid=$(openers "$LZ4")
  # shellcheck disable=SC2012 # the names are numbers
  [ "$(ls "/proc/$pid/task" | wc -l)" -le 5 ]
}

@test "fstab's words are ignored, as -o and from mount(8)" {
  mount_mica -o defaults,noauto,user,_netdev,x-systemd.automount,,nofail,comment=x "$PLAIN" mnt
  "$MICA" umount mnt
  ln -s "$MICA" mount.mica
  ./mount.mica "$PLAIN" mnt -o rw,defaults,nofail -n -v >out
  grep -q "mounted on" out
  umount mnt
  # -f: everything but the mount
  ./mount.mica "$PLAIN" mnt -f
  run ! mountpoint -q mnt
  run ./mount.mica /dev/null mnt -f
  [ "$status" = 32 ]
  run ./mount.mica "$PLAIN" mnt -o bogus
  [ "$status" = 1 ]
  ./mount.mica "$PLAIN" mnt -s -o bogus
  mountpoint -q mnt
}

@test "mount -t mica" {
  mkdir up work
  # in a name space of its own, so that the machine's /sbin stays as it is
  # shellcheck disable=SC2016 # for the inner shell
  unshare -m sh -ec '
    sbin=$(realpath /sbin)
    ln -s "$1" up/mount.mica
    mount -t overlay -o "lowerdir=$sbin,upperdir=$PWD/up,workdir=$PWD/work" overlay "$sbin"
    mount -t mica -o noatime "$2" mnt
    cmp mnt/text "$3/text"
    umount mnt
    echo "$2 $PWD/mnt mica noauto,nofail,offset=0 0 0" >fstab
    mount -T fstab mnt
    cmp mnt/text "$3/text"
    umount mnt' sh "$MICA" "$PLAIN" "$SRC"
}

# --- beginning and end -------------------------------------------------------

@test "in the background: live on return, one line, nobody's output held open" {
  # a command substitution ends when the last writer is gone, so the server must let go
  out=$(timeout 20 "$MICA" mount "$PLAIN" mnt 2>&1)
  [ "$out" = "mica: $PLAIN mounted on mnt by FUSE" ]
  mountpoint -q mnt
  cmp mnt/text "$SRC/text"
  [ -n "$(openers "$PLAIN")" ]
  "$MICA" umount mnt
  [ -z "$(openers "$PLAIN")" ]
  run ! mountpoint -q mnt
  [ -z "$("$MICA" mount --quiet "$PLAIN" mnt)" ]
}

@test "in the background: live is live, though nobody can be told" {
  local how
  for how in '>/dev/full' '>&-' '>&- 2>&- <&-'; do
    bash -c '"$0" mount "$@" '"$how" "$MICA" "$PLAIN" mnt
    cmp mnt/text "$SRC/text"
    "$MICA" umount mnt
  done
}

@test "in the foreground: SIGTERM and SIGINT unmount" {
  local signal
  for signal in TERM INT; do
    # INT is ignored in what a shell runs with &, unless it is taken back
    perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$MICA" mount -f "$PLAIN" mnt >out 2>err &
    SERVER=$!
    wait_for mountpoint -q mnt
    wait_for grep -q "mounted on mnt by FUSE" out
    cmp mnt/text "$SRC/text"
    kill -s $signal $SERVER
    wait $SERVER
    SERVER=
    run ! mountpoint -q mnt
    [ ! -s err ]
  done
}

# wait_for COMMAND...: at most a minute
wait_for() {
  for _ in {1..600}; do
    "$@" && return
    sleep 0.1
  done
  fail "never: $*"
}

@test "SIGTERM ends a mount in the background" {
  mount_mica "$PLAIN" mnt
  kill "$(openers "$PLAIN")"
  wait_for eval '! mountpoint -q mnt'
  wait_for eval '[ -z "$(openers "$PLAIN")" ]'
}

@test "a server that is ended while it mounts leaves no mount" {
  local signal
  strace -o /dev/null true 2>/dev/null || skip "needs strace"
  # the leak sanitizer does not work under strace
  export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
  for signal in KILL TERM; do
    # libfuse answers the kernel's first request with the first writev
    run strace -f -qq -o /dev/null -e trace=writev -e "inject=writev:signal=$signal:when=1" \
      "$MICA" mount "$PLAIN" mnt
    [ "$status" != 0 ]
    [[ $output == *"mica mount: "* ]]
    run ! mountpoint -q mnt
    [ -z "$(openers "$PLAIN")" ]
  done
  run strace -f -qq -o /dev/null -e trace=mount -e inject=mount:error=EINVAL \
    "$MICA" mount "$PLAIN" mnt
  [ "$status" = 32 ]
  [[ $output == "mica mount: mount on $PWD/mnt failed: "*"Invalid argument" ]]
}

@test "what is no image is refused, and nothing is left" {
  head -c 100000 /dev/zero >zeros
  : >nothing
  for bad in zeros nothing; do
    run "$MICA" mount $bad mnt
    [ "$status" = 32 ]
    [[ $output == "mica mount: $bad"* ]]
    [ -z "$(openers $bad)" ]
  done
  run "$MICA" mount absent mnt
  [ "$status" = 32 ]
  [[ $output == "mica mount: absent: "*"No such file"* ]]
  run "$MICA" mount /dev/null mnt
  [[ $output == *"neither a regular file nor a block device"* ]]
  cp "$PLAIN" flipped
  printf '\xff' | dd of=flipped bs=1 seek=1050 conv=notrunc status=none
  run "$MICA" mount flipped mnt
  [ "$status" = 32 ]
  [[ $output == *checksum* ]]
  run "$MICA" mount -f zeros mnt
  [ "$status" = 32 ]
  run ! mountpoint -q mnt
}

@test "what is no mountpoint is refused" {
  run "$MICA" mount "$PLAIN" absent
  [ "$status" = 32 ]
  [[ $output == *"absent: No such file"* ]]
  touch file
  run "$MICA" mount "$PLAIN" file
  [ "$status" = 32 ]
  [[ $output == *"file: not a directory"* ]]
}

@test "odd names of image and mountpoint" {
  mkdir 'a, b\c'
  cp "$PLAIN" $'im,a\\ge \n x'
  mount_mica $'im,a\\ge \n x' 'a, b\c'
  cmp 'a, b\c/text' "$SRC/text"
  run "$MICA" umount 'a, b\c/'
  [ "$status" = 0 ]
  run ! mountpoint -q 'a, b\c'
  ln -s mnt link
  mount_mica "$PLAIN" link/
  "$MICA" umount link
  run ! mountpoint -q mnt
}

@test "only mica's mounts are unmounted" {
  mount -t tmpfs none mnt
  run "$MICA" umount mnt
  [ "$status" = 32 ]
  [[ $output == *"mnt is a mount of type tmpfs"* ]]
  mountpoint -q mnt
  run "$MICA" umount kernel
  [ "$status" = 32 ]
  [[ $output == *"nothing is mounted there"* ]]
  mount_mica "$PLAIN" kernel
  mount -t tmpfs none kernel
  run "$MICA" umount kernel
  [[ $output == *"type tmpfs"* ]]
  umount kernel
  # a directory inside a mount is no mount
  run "$MICA" umount kernel/deep
  [ "$status" = 32 ]
  run "$MICA" umount
  [ "$status" = 1 ]
  "$MICA" umount kernel
}

@test "a mount in use is busy, unless -l" {
  mount_mica "$PLAIN" mnt
  exec 7<mnt/text
  run "$MICA" umount mnt
  [ "$status" = 32 ]
  [[ $output == *"mnt is busy"* ]]
  cmp mnt/noise "$SRC/noise"
  "$MICA" umount -l mnt
  run ! mountpoint -q mnt
  # what is open can still be read
  cmp "$SRC/text" <&7
  [ -n "$(openers "$PLAIN")" ]
  exec 7<&-
  wait_for eval '[ -z "$(openers "$PLAIN")" ]'
}

@test "a dead mount is named as such, and can be unmounted" {
  mount_mica "$PLAIN" mnt
  kill -9 "$(openers "$PLAIN")"
  wait_for eval '[ -z "$(openers "$PLAIN")" ]'
  run "$MICA" mount "$PLAIN" mnt
  [ "$status" = 32 ]
  [[ $output == *"dead mount"*"mica umount mnt"* ]]
  "$MICA" umount mnt
  run ! mountpoint -q mnt
  mount_mica "$PLAIN" mnt
  cmp mnt/text "$SRC/text"
}

@test "a second mount on top of the first" {
  mount_mica "$PLAIN" mnt
  mount_mica "$LZ4" mnt
  cmp mnt/text "$SRC/text"
  "$MICA" umount mnt
  [ -z "$(openers "$LZ4")" ]
  [ -n "$(openers "$PLAIN")" ]
  "$MICA" umount mnt
  run ! mountpoint -q mnt
}

# --- broken images -----------------------------------------------------------

@test "a truncated image: EIO, and one line for each failure" {
  mkdir tree
  noise 299008 6 >tree/a
  noise 3145728 7 >tree/b
  mkfs.erofs tree.img tree >/dev/null
  truncate -s 1M tree.img
  "$MICA" mount -f tree.img mnt >out 2>err &
  SERVER=$!
  wait_for mountpoint -q mnt
  cmp mnt/a tree/a
  for _ in 1 2 3; do
    run dd if=mnt/b iflag=direct bs=64K skip=40 count=1 of=/dev/null
    [ "$status" != 0 ]
    [[ $output == *"Input/output error"* ]]
  done
  # what lies before the end can still be read
  dd if=mnt/a iflag=direct bs=64K status=none | cmp - tree/a
  kill $SERVER
  wait $SERVER
  SERVER=
  cat err
  [ "$(wc -l <err)" = 1 ]
  [[ $(<err) == "mica: read data of nid "*"over the end"* ]]
}
