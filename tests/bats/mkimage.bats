#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # bats sets stderr
# mica mkimage: what goes into an image and what its options do. Layers are in
# layers.bats, bad input is in mkimage-errors.bats.

load helpers

# --- kinds of tar ------------------------------------------------------------

# What GNU tar unpacks is what the image shows.
same_as_tar() {
  rm -rf ref
  mkdir ref
  tar -C ref -P --warning=no-timestamp --xattrs --xattrs-include='*' --acls -xpf "$1"
  mkimage image "$1"
  shown image
  same_tree ref mnt
}

plain_tree() {
  mkdir -p src/dir/sub
  text 100000 >src/text
  noise 5000 >src/dir/noise
  : >src/dir/sub/empty
  ln src/text src/dir/sub/hard
  ln -s ../text src/dir/link
  mkfifo src/fifo
  [ "$(id -u)" != 0 ] || { mknod src/chr c 4 64; mknod src/blk b 8 200; }
  chmod 4750 src/dir/noise
  find src -exec touch -hd '2021-02-03 04:05:06' {} +
}

@test "v7, ustar, GNU and pax" {
  require_root
  plain_tree
  for format in ustar gnu oldgnu pax; do
    tar --format=$format -C src -cf $format.tar .
    same_as_tar $format.tar
    rm -rf mnt.out
  done
  rm src/fifo src/chr src/blk
  tar --format=v7 -C src -cf v7.tar .
  same_as_tar v7.tar
}

@test "names longer than a header holds, in every format that has them" {
  require_root
  local long
  long=$(printf 'x%.0s' {1..99})
  mkdir -p "src/$long/$long"
  echo 1 >"src/$long/$long/$long.txt"
  ln -s "$long/$long/$long.txt" "src/link"
  ln "src/$long/$long/$long.txt" src/hard
  for format in gnu pax; do
    tar --format=$format -C src -cf $format.tar .
    same_as_tar $format.tar
  done
}

@test "sparse files in every format that has them" {
  require_root
  mkdir src
  truncate -s 3M src/holes
  text 10000 | dd of=src/holes bs=1000 seek=1234 conv=notrunc status=none
  text 10 | dd of=src/holes bs=1 seek=3100000 conv=notrunc status=none
  truncate -s 1M src/hole-only
  { text 5000; head -c 100000 /dev/zero; } >src/tail
  touch -d 2020-01-01 src/* src
  tar --format=gnu -S -C src -cf gnu.tar .
  same_as_tar gnu.tar
  for version in 0.0 0.1 1.0; do
    tar --format=pax --sparse-version=$version -S -C src -cf pax.tar .
    same_as_tar pax.tar
  done
  tar --format=pax -C src -cf dense.tar .
  mkimage dense dense.tar
  mkimage sparse pax.tar
  cmp dense sparse
  # holes take no room
  [ "$(stat -c %s sparse)" -lt 65536 ]
}

@test "bsdtar's tars: xattrs in both forms, ACLs, flags" {
  require_root
  require_command bsdtar
  mkdir -p src/dir
  echo 1 >src/file
  setfattr -n user.plain -v value src/file
  setfattr -n user.binary -v 0x00ff0a3d src/dir
  setfattr -n trusted.t -v 1 src/file
  setcap cap_chown=ep src/file
  setfacl -m u:1234:rw src/file
  setfacl -d -m g:70000:rx src/dir
  touch -d '2020-01-01 00:00:00.123456789' src/file src/dir src
  bsdtar --format=pax --xattrs --acls -C src -cf both.tar .
  grep -aq LIBARCHIVE.xattr both.tar
  grep -aq SCHILY.xattr both.tar
  mkimage image both.tar
  shown image
  same_tree src mnt
  # LIBARCHIVE's form alone: base64, and names in the encoding of URLs. (bsdtar
  # encodes SCHILY's names as well, which nobody decodes.)
  setfattr -n 'user.odd name%=x' -v v src/file
  bsdtar --format=pax --xattrs --acls -C src -cf both.tar .
  sed 's/SCHILY\.xattr/NOSUCH.xattr/g' both.tar >libarchive.tar
  mkimage image libarchive.tar
  shown image
  same_tree src mnt
}

@test "owners and groups beyond 16 bits" {
  require_root
  mkdir src
  touch src/{a,b,c,d}
  chown 65535:65536 src/a
  chown 65536:65535 src/b
  chown 4294967294:2147483648 src/c
  chown -h 100000:100000 src
  for format in gnu pax; do
    tar --format=$format --numeric-owner -C src -cf $format.tar .
    mkimage image $format.tar
    shown image
    same_tree src mnt --ignore mtime
  done
}

@test "times: nanoseconds, before 1970, after 2038 and 2106" {
  python_tar times.tar <<'P'
times = {"ns": 1.123456789, "before": -1, "before-ns": -1.5, "1901": -2147483649, "2038": 2147483648,
         "2106": 4294967296, "far": 200000000000, "zero": 0}
for name, time in times.items():
    add(name, mtime=0, pax={"mtime": str(time)})
P
  mkimage image times.tar
  "$MICA" dump --json image /far | grep -q 200000000000
  require_root
  shown image
  assert_equal "$(cd mnt && stat -c %.Y ns before before-ns 1901 2038 2106 far zero | xargs)" \
    "1.123456789 -1.000000000 -1.500000000 -2147483649.000000000 2147483648.000000000 4294967296.000000000 200000000000.000000000 0.000000000"
}

@test "xattrs, ACLs and capabilities of a GNU tar" {
  require_root
  mkdir src
  sample_attributes src
  touch -d 2020-01-01 src/* src
  tar --format=pax --xattrs --acls -C src -cf x.tar .
  same_as_tar x.tar
  same_tree src mnt
  assert_equal "$(getcap mnt/capability)" 'mnt/capability cap_net_raw,cap_sys_admin=ep'
  assert_has 'group:70000:rwx' "$(getfacl -n mnt/acl 2>/dev/null)"
  assert_has 'default:group:5:-w-' "$(getfacl -n mnt/dir 2>/dev/null)"
}

@test "names of any bytes, up to 255" {
  require_root
  mkdir src
  touch "src/$(printf 'n%.0s' {1..255})" src/$'new\nline' src/$'\xff\xfe' src/' ' src/$'\\' src/'*' \
    src/-rf src/... src/$'\x7f'
  mkdir "src/$(printf 'ü%.0s' {1..127})"
  touch -d 2020-01-01 src/* src
  tar --format=pax -C src -cf x.tar .
  mkimage image x.tar
  shown image
  same_tree src mnt
  mkimage image src
  shown image
  same_tree src mnt
}

@test "all 255 bytes that a name may be made of, each alone" {
  python_tar bytes.tar <<'P'
for b in range(1, 256):
    if b not in (0x2e, 0x2f):
        add(bytes([b]).decode("utf-8", "surrogateescape"), data=bytes([b]))
P
  mkimage image bytes.tar
  "$MICA" extract image -C out
  [ "$(find out -type f -printf x | wc -c)" = 253 ]
  assert_equal "$(od -An -tx1 <"out/"$'\xfe' | tr -d ' ')" fe
}

@test "entries without parents get directories" {
  python_tar x.tar <<'P'
add("a/b/c/file", data=b"deep")
add("a/b2", data=b"shallow", mode=0o600)
add("x/y", type=tarfile.DIRTYPE, mode=0o700)
P
  mkimage image x.tar
  "$MICA" extract image -C out
  assert_equal "$(cat out/a/b/c/file out/a/b2)" deepshallow
  assert_equal "$(cd out && stat -c %a a a/b a/b/c x x/y a/b2 | xargs)" "755 755 755 755 700 600"
}

@test "a directory's entry may follow its content" {
  python_tar x.tar <<'P'
add("dir/file", data=b"1")
add("dir", type=tarfile.DIRTYPE, mode=0o711, mtime=77, uid=5)
add(".", type=tarfile.DIRTYPE, mode=0o750, mtime=78)
P
  require_root
  mkimage image x.tar
  "$MICA" extract image -C out
  assert_equal "$(stat -c '%a %Y %u' out/dir out | xargs)" "711 77 5 750 78 0"
}

@test "of duplicates in a tar the last wins" {
  python_tar x.tar <<'P'
add("file", data=b"FIRST" * 1000, mode=0o600)
add("dir", type=tarfile.DIRTYPE, mode=0o700)
add("dir/inside", data=b"kept")
add("was-dir", type=tarfile.DIRTYPE)
add("was-dir/gone", data=b"gone")
add("was-file", data=b"gone")
add("was-link", type=tarfile.SYMTYPE, link="nowhere")
add("hard", type=tarfile.LNKTYPE, link="file")
add("file", data=b"second", mode=0o644)
add("dir", type=tarfile.DIRTYPE, mode=0o755)
add("was-dir", data=b"file now")
add("was-file", type=tarfile.DIRTYPE)
add("was-link", data=b"file too")
P
  mkimage image x.tar
  "$MICA" fsck image
  "$MICA" extract image -C out
  assert_equal "$(cat out/file)" second
  assert_equal "$(stat -c %a out/file out/dir | xargs)" "644 755"
  assert_equal "$(cat out/dir/inside)" kept
  assert_equal "$(cat out/was-dir out/was-link)" "file nowfile too"
  [ -d out/was-file ]
  # the link was made to the first one
  assert_equal "$(head -c 5 out/hard) $(stat -c '%h %s' out/hard)" "FIRST 1 5000"
}

@test "odd spellings of paths" {
  python_tar x.tar <<'P'
add("/absolute", data=b"1")
add("./dotted", data=b"2")
add("a//b/./c", data=b"3")
add("dir/", type=tarfile.DIRTYPE)
add("././dir//x", data=b"4")
add("./hard", type=tarfile.LNKTYPE, link="/a/b/c")
P
  mkimage image x.tar
  "$MICA" extract image -C out
  assert_equal "$(cat out/absolute out/dotted out/a/b/c out/dir/x out/hard)" 12343
  assert_equal "$(stat -c %h out/hard)" 2
}

@test "files over 4 GiB" {
  require_root
  mkdir src
  truncate -s 5G src/big
  echo end | dd of=src/big bs=1 seek=$((5 * 1024 * 1024 * 1024 - 4)) conv=notrunc status=none
  text 100000 | dd of=src/big bs=4096 seek=1100000 conv=notrunc status=none
  tar --format=pax -S -C src -cf x.tar .
  for options in '-z none' '-z lz4 --compat 5.15' '-z zstd' '-z zstd --compat 6.15' '-z zstd --compat 6.17'; do
    [[ $options != *6.1[57]* ]] || kernel_is "${options##* }" || continue
    # shellcheck disable=SC2086 # several words
    mkimage $options image x.tar
    [ "$(stat -c %s image)" -lt 1000000 ]
    shown image
    assert_equal "$(stat -c %s mnt/big)" 5368709120
    assert_equal "$(tail -c 4 mnt/big)" end
    cmp <(text 100000) <(tail -c +$((4096 * 1100000 + 1)) mnt/big | head -c 100000)
    cmp -n 100000 src/big mnt/big
    unmount mnt
  done
}

# joined_by OPTIONS-OF-TAR OPTIONS-OF-MKIMAGE FILE: mica sees what GNU tar sees
# shellcheck disable=SC2086 # no option, or one
joined_by() {
  rm -rf want && mkdir want
  tar --numeric-owner -p -C want $1 -xf "$3" 2>/dev/null
  "$MICA" mkimage $2 image "$3" 2>err
  shown image
  same_tree want mnt
}

@test "archives one behind the other" {
  require_root
  require_fuse
  mkdir a b
  text 30000 >a/file
  echo a >a/both
  echo b >b/both
  noise 5000 >b/other
  touch -d @1000000000 a b a/* b/*
  tar -C a -b 20 -cf a.tar .
  tar -C b -b 1 -cf b.tar .
  cat a.tar b.tar >ab.tar
  { cat b.tar; head -c 1000000 /dev/zero; } >zeros.tar
  { cat b.tar; head -c 1000 /dev/zero; noise 3000; } >noise.tar
  # one end mark of one block
  { head -c -512 b.tar; cat a.tar; } >lone.tar
  { head -c -1024 b.tar; cat a.tar; } >none.tar
  local at file

  joined_by '' '' ab.tar
  at=$(stat -c %s a.tar)
  assert_equal "$(<err)" "mica mkimage: warning: ab.tar: what follows the end of the archive, from byte $at on, is left out (see --ignore-zeros)"
  joined_by -i --ignore-zeros ab.tar
  assert_equal "$(<err)" ''
  assert_equal "$(cat mnt/both)" b
  joined_by -i -i lone.tar
  joined_by '' '' lone.tar
  assert_has 'is left out' "$(<err)"
  joined_by '' '' noise.tar
  assert_has 'is left out' "$(<err)"
  for file in zeros none a; do
    joined_by '' '' $file.tar
    cp image once
    joined_by -i -i $file.tar
    cmp once image
    assert_equal "$(<err)" ''
  done

  # compressed, and through a pipe, each by itself or both together
  joined_by -i -i ab.tar
  gzip -k a.tar b.tar ab.tar
  cat a.tar.gz b.tar.gz >members.gz
  for file in ab.tar.gz members.gz; do
    "$MICA" mkimage --quiet -i again $file
    cmp image again
    "$MICA" mkimage --quiet -i again - <$file
    cmp image again
  done
  dd if=ab.tar status=none | "$MICA" mkimage --quiet -i again -
  cmp image again
  # an index can point into both
  "$MICA" mkimage --quiet -i --append joined ab.tar
  unmount mnt
  fuse_mount joined mnt
  same_tree want mnt
  "$MICA" mkimage --quiet -i again joined
  cmp image again

  run "$MICA" mkimage -i image noise.tar
  assert_status 1
  assert_has 'wrong checksum'
}

@test "an empty archive" {
  tar -cf empty.tar -T /dev/null
  mkimage image empty.tar
  "$MICA" fsck image
  "$MICA" extract image -C out
  [ -z "$(ls -A out)" ]
  require_root
  shown image
  assert_equal "$(stat -c '%h %F' mnt)" "2 directory"
}

@test "an empty directory" {
  mkdir src
  mkimage image src
  "$MICA" extract image -C out
  [ -z "$(ls -A out)" ]
}

@test "sockets and every other type from a directory" {
  require_root
  mkdir src
  sample_more src
  touch -d 2020-01-01 src/* src
  mkimage image src
  shown image
  same_tree src mnt
  [ -S mnt/more/socket ]
}

@test "a symlink as long as the kernel takes, and one that is longer" {
  python_tar x.tar <<'P'
add("longest", type=tarfile.SYMTYPE, link="t" * 4095)
add("short", type=tarfile.SYMTYPE, link="t")
P
  mkimage image x.tar
  "$MICA" extract image -C out
  assert_equal "$(readlink out/longest | wc -c)" 4096
}

@test "what EROFS cannot hold is named" {
  python_tar x.tar <<'P'
add("file", data=b"1", pax={"SCHILY.xattr.unknown.name": "x", "SCHILY.xattr.user.kept": "y"})
add("n" * 256, data=b"too long")
add("link", type=tarfile.SYMTYPE, link="t" * 5000)
add("big", data=b"1", pax={"SCHILY.xattr.user.big": "v" * 70000})
P
  run "$MICA" mkimage image x.tar
  assert_has 'unknown.name'
  assert_has 'file'
  assert_has 'nnnnnnnnnnnn'
  assert_has 'link'
  assert_has 'user.big'
}

# --- layouts -----------------------------------------------------------------

@test "the name filter is set" {
  mkdir src
  touch src/file
  setfattr -n user.a -v b src/file
  mkimage image src
  # feature_compat: checksum, mtime, xattr filter
  [ $(($(le32_at image 1032) & 7)) = 7 ]
}

@test "shared and inline xattrs" {
  require_root
  mkdir src
  for i in {1..50}; do
    echo "$i" >"src/$i"
    setfattr -n security.mica.label -v "$(text 300)" "src/$i"
    setfattr -n user.own -v "$i" "src/$i"
  done
  mkimage image src
  # 50 copies of the label would take 15,000 bytes
  [ "$(stat -c %s image)" -lt 16384 ]
  [ "$(grep -ac 'sheet 0' image)" -le 10 ]
  shown image
  same_tree src mnt
}

@test "more xattrs than a file system of this machine gives a file" {
  require_root
  python_tar x.tar <<'P'
many = {f"SCHILY.xattr.trusted.{i}": f"value {i}" for i in range(1000)}
add("a", data=b"a" * 3500, pax=many)
add("dir", type=tarfile.DIRTYPE, pax=dict(list(many.items())[:300]))
add("dir/b", data=b"b" * 5000, pax=dict(list(many.items())[:300]))
P
  for compat in 5.15 6.15; do
    mkimage --verify --compat $compat image x.tar
    "$MICA" fsck image
    "$MICA" extract --tar image >again.tar
    mkimage --compat $compat again again.tar
    cmp image again
    kernel_is $compat || continue
    shown image
    assert_equal "$(getfattr -dm- --absolute-names mnt/a | grep -c '^trusted\.[0-9]*="value [0-9]*"')" 1000
    assert_equal "$(getfattr -dm- --absolute-names mnt/dir | grep -c '^trusted\.')" 300
    assert_equal "$(getfattr --only-values -n trusted.299 mnt/dir/b)" "value 299"
    assert_equal "$(cat mnt/a mnt/dir/b | wc -c)" 8500
  done
}

@test "small files and tails lie with their inodes" {
  mkdir src
  for i in {1..100}; do noise 100 "$i" >"src/$i"; done
  mkimage -z none image src
  [ "$(stat -c %s image)" -lt 40000 ]
  for i in {1..100}; do noise 4100 "$i" >"src/$i"; done
  mkimage -z none image src
  [ "$(stat -c %s image)" -lt 480000 ]
}

@test "equal files are stored once" {
  mkdir src
  for i in {1..20}; do noise 200000 >"src/$i"; done
  for options in '-z none' '-z zstd' '-z lz4 --compat 5.15' '-z zstd --compat 6.15' '-z zstd --compat 6.17'; do
    [[ $options != *6.1[57]* ]] || kernel_is "${options##* }" || continue
    # shellcheck disable=SC2086 # several words
    mkimage $options image src
    [ "$(stat -c %s image)" -lt 300000 ] || fail "$options: $(stat -c %s image) bytes"
    "$MICA" fsck image
  done
  require_root
  shown image
  same_tree src mnt
}

@test "compression compresses, and stores plain what does not" {
  mkdir src
  text 2000000 >src/text
  mkimage -z none none src
  mkimage -z lz4 lz4 src
  mkimage -z zstd zstd src
  [ "$(stat -c %s none)" -gt 2000000 ]
  [ "$(stat -c %s lz4)" -lt 700000 ]
  [ "$(stat -c %s zstd)" -lt "$(stat -c %s lz4)" ]
  noise 2000000 >src/text
  mkimage -z zstd zstd src
  [ "$(stat -c %s zstd)" -lt 2020000 ]
}

@test "memory stays within its bound" {
  [ -z "${SANITIZED:-}" ] || skip "a sanitizer needs memory of its own"
  # 600 MB of 30,000 files that do not repeat, through a pipe
  cat >feed.py <<'P'
import io, random, sys, tarfile
r = random.Random(1)
t = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
base = r.randbytes(1 << 20)
for i in range(30000):
    info = tarfile.TarInfo(f"directory-{i % 100}/file-{i}")
    data = i.to_bytes(8, "little") + base[i:i + 20000]
    info.size = len(data)
    t.addfile(info, io.BytesIO(data))
t.close()
P
  python3 feed.py | "$TOOLS/measure" used "$MICA" mkimage --quiet -z zstd:1 image -
  local kib
  kib=$(cut -d' ' -f3 used)
  [ "$kib" -lt $((262144 + 30000 * 290 / 1024)) ] || fail "used $kib KiB"
}

# --- options -----------------------------------------------------------------

small_source() {
  mkdir -p src/dir
  echo content >src/file
  echo more >src/dir/file.o
  chmod 600 src/file
  touch -d 2020-01-01 src/dir/file.o src/dir src/file src
}

@test "-L and -U" {
  small_source
  mkimage -L sheets -U 01234567-89ab-cdef-0123-456789abcdef image src
  assert_equal "$(blkid -p -o value -s LABEL image)" sheets
  assert_equal "$(blkid -p -o value -s UUID image)" 01234567-89ab-cdef-0123-456789abcdef
  mkimage --label=0123456789abcdef image src
  assert_has 0123456789abcdef "$("$MICA" dump image)"
  run "$MICA" mkimage -L 0123456789abcdefg image src
  assert_status 1
  assert_has "'0123456789abcdefg' is longer than 16 bytes"
  run "$MICA" mkimage -U 01234567 image src
  assert_status 1
  assert_has "'01234567' is not a UUID"
}

@test "--timestamp" {
  small_source
  mkimage --timestamp 12345 image src
  "$MICA" extract image -C out
  assert_equal "$(find out -printf '%Ts\n' | sort -u)" 12345
  mkimage --timestamp -5 image src
  rm -rf out
  "$MICA" extract image -C out
  assert_equal "$(find out -printf '%Ts\n' | sort -u)" -5
  run "$MICA" mkimage --timestamp soon image src
  assert_status 1
  assert_has soon
}

@test "SOURCE_DATE_EPOCH" {
  small_source
  SOURCE_DATE_EPOCH=1000 mkimage image src
  "$MICA" extract image -C out
  assert_equal "$(find out -printf '%Ts\n' | sort -u)" 1000
  # --timestamp is the stronger one
  SOURCE_DATE_EPOCH=1000 mkimage --timestamp 7 image src
  rm -rf out
  "$MICA" extract image -C out
  assert_equal "$(find out -printf '%Ts\n' | sort -u)" 7
  SOURCE_DATE_EPOCH=junk run "$MICA" mkimage image src
  assert_status 1
  assert_has SOURCE_DATE_EPOCH
  assert_has junk
}

@test "--all-root, --force-uid, --force-gid" {
  require_root
  small_source
  chown -R 1234:5678 src
  owners() {
    rm -rf out
    "$MICA" extract image -C out
    find out -printf '%U:%G\n' | sort -u
  }
  mkimage --all-root image src
  assert_equal "$(owners)" 0:0
  mkimage --force-uid 70000 image src
  assert_equal "$(owners)" 70000:5678
  mkimage --force-gid 9 image src
  assert_equal "$(owners)" 1234:9
  mkimage --force-uid 1 --force-gid 2 image src
  assert_equal "$(owners)" 1:2
  run "$MICA" mkimage --force-uid -1 image src
  assert_status 1
  assert_has force-uid
}

@test "--exclude" {
  mkdir -p src/keep/sub src/drop/sub src/deep/cache
  touch src/keep/{a.o,a.c} src/drop/sub/x src/deep/cache/y src/keep/sub/b.o src/keep/cache
  listing() {
    rm -rf out
    "$MICA" extract image -C out
    (cd out && find . -mindepth 1 | LC_ALL=C sort | xargs)
  }
  mkimage --exclude '*.o' --exclude drop image src
  assert_equal "$(listing)" "./deep ./deep/cache ./deep/cache/y ./keep ./keep/a.c ./keep/cache ./keep/sub"
  mkimage --exclude deep/cache --exclude 'drop/*' image src
  assert_equal "$(listing)" \
    "./deep ./drop ./keep ./keep/a.c ./keep/a.o ./keep/cache ./keep/sub ./keep/sub/b.o"
  tar -C src -cf src.tar .
  mkimage --exclude '*.o' --exclude drop image src.tar
  assert_equal "$(listing)" "./deep ./deep/cache ./deep/cache/y ./keep ./keep/a.c ./keep/cache ./keep/sub"
}

@test "summary, --quiet and --progress" {
  small_source
  run --separate-stderr "$MICA" mkimage image src
  assert_status 0
  assert_has 'image: 2 files' "$output"
  assert_equal "$stderr" ''
  run --separate-stderr "$MICA" mkimage --quiet image src
  assert_equal "$output$stderr" ''
  run --separate-stderr "$MICA" mkimage --quiet --progress=never image src
  assert_equal "$output$stderr" ''
  # standard error is no terminal here
  run --separate-stderr "$MICA" mkimage --progress=auto image src
  assert_equal "$stderr" ''
  tar -cf src.tar src
  run --separate-stderr "$MICA" mkimage --progress=always image src.tar
  assert_has 'source 1 of 1' "$stderr"
  run "$MICA" mkimage --progress=maybe image src
  assert_status 1
  assert_has "'maybe' is not auto, always or never"
}

@test "progress on a terminal" {
  require_command script
  small_source
  script -qec "'$MICA' mkimage image src" typescript </dev/null
  grep -q 'source 1 of 1' typescript
  script -qec "'$MICA' mkimage --quiet image src" typescript </dev/null
  run grep -q 'source 1 of 1' typescript
  assert_status 1
}

@test "--json" {
  small_source
  ln -s target src/link
  ln src/file src/hard
  mkfifo src/fifo
  run --separate-stderr "$MICA" mkimage --json image src
  assert_status 0
  python3 - "$output" "$(stat -c %s image)" "$(blkid -p -o value -s UUID image)" <<'P'
import json, sys
j = json.loads(sys.argv[1])
assert j["files"] == 2 and j["directories"] == 2 and j["symlinks"] == 1 and j["others"] == 1, j
assert j["bytes_in"] == 13, j
assert j["bytes_out"] == int(sys.argv[2]), j
assert abs(j["ratio"] - j["bytes_out"] / j["bytes_in"]) < 0.01 * j["ratio"], j
assert 0 <= j["seconds"] < 60, j
assert j["warnings"] == 0 and j["uuid"] == sys.argv[3], j
P
}

@test "mkfs.mica is mkimage" {
  small_source
  ln -s "$MICA" mkfs.mica
  ./mkfs.mica --quiet a src
  mkimage b src
  cmp a b
}

@test "a value or a level that makes no sense" {
  small_source
  local option
  while IFS='|' read -r option text; do
    # shellcheck disable=SC2086 # an option and its value
    run "$MICA" mkimage $option image src
    [ "$status" = 1 ] || fail "$option: status $status" "$output"
    [[ $output == *"$text"* ]] || fail "$option: no '$text' in: $output"
    [ ! -e image ] || fail "$option: image made"
  done <<'T'
-z brotli|brotli
-z zstd:99|99
-z zstd:x|x
-z lz4:5|lz4
-C 5000|5000
-C 2K|2K
-C 9M|9M
-C 8Q|8Q
-j 0|0
-j many|many
--compat 4.19|4.19
--compat 6|'6' is not a kernel version
--compat six|'six' is not a kernel version
--compat 6.1 -z zstd|zstd needs Linux 6.10, but the image must mount on 6.1
--no-such-option|no-such-option
-Q|Q
T
}

@test "operands are missing" {
  for arguments in '' image; do
    # shellcheck disable=SC2086
    run "$MICA" mkimage $arguments
    assert_status 1
    assert_has 'an IMAGE and at least one SOURCE are needed'
  done
}

# The image is no part of itself, neither as it was nor as it is being written.
@test "an image inside of its source" {
  require_root
  mkdir src
  text 5000 >src/text
  touch -d 2021-01-01 src
  mkimage --timestamp 1 out src
  mkimage --timestamp 1 src/image src
  cmp out src/image
  run --separate-stderr "$MICA" mkimage --timestamp 1 src/image src
  assert_status 0
  assert_has 'image: left out: it is the image that is made' "$stderr"
  cmp out src/image
  # without /proc the image has a temporary name while it is written
  rm src/image
  without_proc "$MICA" mkimage --timestamp 1 src/image src
  cmp out src/image
}
