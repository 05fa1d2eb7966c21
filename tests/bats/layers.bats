#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Several sources are the layers of one image, bottom first: whiteouts, opaque
# directories, replacements and hard links across them. What is hidden is not
# stored.

load helpers

# layer NAME: NAME.tar from the directory NAME, with times that do not vary
layer() {
  find "$1" -exec touch -hd '2022-01-01 00:00:00' {} +
  tar --sort=name --format=pax --xattrs --acls -C "$1" -cf "$1.tar" .
}

# layers NAME...: builds the image from layers and unpacks it into out
layers() {
  local name tars=()
  for name; do
    layer "$name"
    tars+=("$name.tar")
  done
  mkimage -z none image "${tars[@]}"
  "$MICA" fsck image
  rm -rf out
  "$MICA" extract image -C out
}

listing() {
  (cd out && find . -mindepth 1 | LC_ALL=C sort | xargs)
}

# marker NAME: 100,000 bytes that show up in an uncompressed image if stored
marker() {
  yes "MARKER-$1" | head -c 100000
}

stored() {
  grep -aq "MARKER-$1" image || fail "the image lacks what is visible: $1"
}

not_stored() {
  ! grep -aq "MARKER-$1" image || fail "the image stores what cannot be seen: $1"
}

@test "a whiteout hides a file below, and its data is not stored" {
  mkdir -p lower/dir upper/dir
  marker hidden >lower/dir/file
  marker kept >lower/dir/other
  touch upper/dir/.wh.file
  layers lower upper
  assert_equal "$(listing)" "./dir ./dir/other"
  stored kept
  not_stored hidden
  [ "$(stat -c %s image)" -lt 120000 ]
}

@test "a whiteout hides a directory with all that is in it" {
  mkdir -p lower/dir/a/b lower/dir2 upper
  marker hidden >lower/dir/a/b/file
  touch lower/dir/x lower/dir2/y upper/.wh.dir
  layers lower upper
  assert_equal "$(listing)" "./dir2 ./dir2/y"
  not_stored hidden
}

@test "a whiteout hides nothing of its own layer, nor of those above" {
  mkdir lower middle upper
  echo lower >lower/file
  echo lower >lower/other
  echo middle >middle/file
  touch middle/.wh.file middle/.wh.other
  echo upper >upper/other
  layers lower middle upper
  assert_equal "$(cat out/file out/other | xargs)" "middle upper"
  # in whatever order the tar has them
  tar -C middle -cf middle.tar ./file ./.wh.file ./.wh.other
  mkimage a lower.tar middle.tar upper.tar
  tar -C middle -cf middle.tar ./.wh.other ./.wh.file ./file
  mkimage b lower.tar middle.tar upper.tar
  "$MICA" extract a -C a.out
  "$MICA" extract b -C b.out
  same_tree a.out b.out --ignore mtime
  assert_equal "$(cat a.out/file a.out/other | xargs)" "middle upper"
}

@test "an opaque directory hides what lower layers have in it" {
  mkdir -p lower/dir/sub upper/dir/sub
  marker hidden >lower/dir/file
  marker hidden >lower/dir/sub/file
  echo new >upper/dir/new
  echo new >upper/dir/sub/new
  touch upper/dir/.wh..wh..opq
  layers lower upper
  assert_equal "$(listing)" "./dir ./dir/new ./dir/sub ./dir/sub/new"
  not_stored hidden
}

@test "an opaque mark counts wherever it stands in its tar" {
  mkdir -p lower/dir upper/dir
  echo old >lower/dir/old
  echo new >upper/dir/a
  echo new >upper/dir/z
  layer lower
  for order in './dir ./dir/a ./dir/.wh..wh..opq ./dir/z' './dir/.wh..wh..opq ./dir/a ./dir/z' \
    './dir/a ./dir/z ./dir/.wh..wh..opq'; do
    touch upper/dir/.wh..wh..opq
    # shellcheck disable=SC2086 # several words
    tar -C upper --no-recursion -cf upper.tar $order
    mkimage image lower.tar upper.tar
    rm -rf out
    "$MICA" extract image -C out
    assert_equal "$(listing)" "./dir ./dir/a ./dir/z"
  done
}

@test "an opaque root hides everything below" {
  mkdir lower upper
  marker hidden >lower/file
  echo new >upper/new
  touch upper/.wh..wh..opq
  layers lower upper
  assert_equal "$(listing)" "./new"
  not_stored hidden
}

@test "a file replaces a file, a directory and a symlink, and the other way round" {
  mkdir -p lower/dir-file upper/file-dir lower/dir-link
  marker hidden >lower/file
  marker hidden >lower/dir-file/inside
  marker hidden >lower/file-dir
  ln -s file lower/link-file
  touch lower/dir-link/inside
  echo new >upper/file
  echo new >upper/dir-file
  echo new >upper/file-dir/inside
  echo new >upper/link-file
  ln -s file upper/dir-link
  layers lower upper
  assert_equal "$(listing)" "./dir-file ./dir-link ./file ./file-dir ./file-dir/inside ./link-file"
  assert_equal "$(cat out/file out/dir-file out/file-dir/inside out/link-file | xargs)" "new new new new"
  assert_equal "$(readlink out/dir-link)" file
  not_stored hidden
}

@test "a symlink in a lower layer does not lead an upper layer's files astray" {
  mkdir -p lower/real upper/link
  ln -s real lower/link
  echo new >upper/link/file
  layers lower upper
  assert_equal "$(listing)" "./link ./link/file ./real"
  [ ! -L out/link ]
}

@test "directories merge; the uppermost layer that names one gives its attributes" {
  require_root
  mkdir -p a/dir b/dir c/dir
  touch a/dir/a b/dir/b c/dir/c
  chmod 700 a/dir
  chmod 711 b/dir
  chown 3:4 b/dir
  setfattr -n user.layer -v a a/dir
  setfattr -n user.layer -v b b/dir
  layer a
  layer b
  # the topmost says nothing of the directory itself
  tar -C c -cf c.tar ./dir/c
  mkimage image a.tar b.tar c.tar
  "$MICA" extract image -C out
  assert_equal "$(listing)" "./dir ./dir/a ./dir/b ./dir/c"
  assert_equal "$(stat -c '%a %u %g' out/dir)" "711 3 4"
  assert_equal "$(getfattr --only-values -n user.layer out/dir)" b
}

@test "what was hidden stays hidden when a name comes back" {
  mkdir -p a/dir b c/dir
  marker hidden >a/dir/old
  touch b/.wh.dir
  echo new >c/dir/new
  layers a b c
  assert_equal "$(listing)" "./dir ./dir/new"
  not_stored hidden
}

@test "a whiteout below a directory that is not in the lower layer" {
  mkdir -p lower upper/no/such
  echo 1 >lower/file
  touch upper/no/such/.wh.thing upper/.wh.nothing
  layers lower upper
  assert_equal "$(listing)" "./file ./no ./no/such"
}

@test "whiteouts in the lowest layer leave no trace" {
  mkdir -p only/dir
  touch only/.wh.gone only/dir/.wh..wh..opq only/dir/file
  layers only
  assert_equal "$(listing)" "./dir ./dir/file"
}

@test "a hard link to a file of a lower layer" {
  mkdir lower upper
  marker shared >lower/target
  layer lower
  python_tar upper.tar <<'P'
add("link", type=tarfile.LNKTYPE, link="target")
add("dir/second", type=tarfile.LNKTYPE, link="./target")
P
  mkimage -z none image lower.tar upper.tar
  "$MICA" fsck image
  "$MICA" extract image -C out
  assert_equal "$(listing)" "./dir ./dir/second ./link ./target"
  assert_equal "$(stat -c %h out/target out/link out/dir/second | xargs)" "3 3 3"
  assert_equal "$(stat -c %i out/target out/link out/dir/second | sort -u | wc -l)" 1
  [ "$(stat -c %s image)" -lt 120000 ]
}

@test "a hard link outlives its target in other layers" {
  mkdir a c d
  marker kept >a/target
  layer a
  python_tar b.tar <<'P'
add("link", type=tarfile.LNKTYPE, link="target")
P
  touch c/.wh.target
  layer c
  mkimage -z none image a.tar b.tar c.tar
  "$MICA" fsck image
  "$MICA" extract image -C out
  assert_equal "$(listing)" "./link"
  assert_equal "$(stat -c '%h %s' out/link)" "1 100000"
  cmp <(marker kept) out/link
  # replaced instead of hidden
  echo new >d/target
  layer d
  mkimage -z none image a.tar b.tar d.tar
  rm -rf out
  "$MICA" extract image -C out
  assert_equal "$(stat -c '%h %s' out/link out/target | xargs)" "1 100000 1 4"
}

@test "hard links inside of a lower layer of which one name is hidden" {
  mkdir lower upper
  marker kept >lower/a
  ln lower/a lower/b
  ln lower/a lower/c
  touch upper/.wh.a
  layers lower upper
  assert_equal "$(listing)" "./b ./c"
  assert_equal "$(stat -c '%h %s' out/b)" "2 100000"
  touch upper/.wh.b upper/.wh.c
  layers lower upper
  assert_equal "$(listing)" ""
  not_stored kept
}

@test "a hard link to what its own layer does not have and lower ones hid" {
  mkdir a b
  echo 1 >a/target
  touch b/.wh.target
  layer a
  layer b
  python_tar c.tar <<'P'
add("link", type=tarfile.LNKTYPE, link="target")
P
  run "$MICA" mkimage image a.tar b.tar c.tar
  assert_status 1
  assert_has link
  assert_has target
  [ ! -e image ]
}

@test "a hard link to its own name changes nothing" {
  mkdir a
  echo 1 >a/self
  layer a
  python_tar b.tar <<'P'
add("other", data=b"22")
add("other", type=tarfile.LNKTYPE, link="other")
add("self", type=tarfile.LNKTYPE, link="self")
P
  mkimage image a.tar b.tar
  "$MICA" fsck image
  "$MICA" extract image -C out
  assert_equal "$(cat out/self out/other)" $'1\n22'
  assert_equal "$(stat -c %h out/self out/other | xargs)" "1 1"
}

@test "a hundred layers" {
  local i tars=()
  mkdir l
  for i in {1..100}; do
    rm -rf l/*
    echo "$i" >"l/file-$i"
    echo "$i" >l/last
    [ "$i" = 1 ] || touch "l/.wh.file-$((i - 1))"
    layer l
    mv l.tar "$i.tar"
    rm -f l/.wh.*
    tars+=("$i.tar")
  done
  mkimage image "${tars[@]}"
  "$MICA" extract image -C out
  assert_equal "$(listing)" "./file-100 ./last"
  assert_equal "$(cat out/last)" 100
}

@test "tars and directories as layers of one image" {
  mkdir -p a b/dir c
  echo a >a/file
  echo b >b/dir/file
  touch b/.wh.file
  echo c >c/file
  layer a
  layer c
  mkimage image a.tar b - <c.tar
  "$MICA" extract image -C out
  assert_equal "$(listing)" "./dir ./dir/file ./file"
  assert_equal "$(cat out/file)" c
}

@test "the kernel shows the stack of layers as its overlayfs does" {
  require_erofs
  require_kernel 6.12
  local name
  mkdir -p l1/{dir,opaque,both/x} l2/{dir,opaque,both/y} mnt work up
  text 100000 1 >l1/dir/text
  echo 1 >l1/opaque/old
  echo 1 >l1/both/x/file
  ln l1/both/x/file l1/both/hard
  echo 2 >l2/opaque/new
  echo 2 >l2/both/y/file
  setfattr -n user.a -v b l2/both
  layer l1
  layer l2
  # as kernel overlayfs says it
  cp -a l2 k2
  mknod k2/dir/text c 0 0
  setfattr -n trusted.overlay.opaque -v y k2/opaque
  touch -r l2/dir k2/dir
  mount -t overlay -o lowerdir=k2:l1 overlay mnt
  echo mnt >>"$(mounts_file)"
  # as a tar says it
  touch l2/dir/.wh.text l2/opaque/.wh..wh..opq
  layer l2
  mkimage image l1.tar l2.tar
  kernel_mount image image.mnt
  # overlayfs does not count the links of merged directories
  find mnt -mindepth 1 | LC_ALL=C sort >expected
  same_tree mnt image.mnt --ignore nlink
  [ "$(wc -l <expected)" -gt 8 ]
}

# --- overlay xattrs and 0:0 devices ------------------------------------------

overlay_tar() {
  python_tar overlay.tar <<'P'
add("opaque", type=tarfile.DIRTYPE, pax={"SCHILY.xattr.trusted.overlay.opaque": "y"})
add("opaque/new", data=b"new")
add("file", data=b"1", pax={"SCHILY.xattr.user.overlay.metacopy": "", "SCHILY.xattr.user.other": "x"})
P
}

opaque_tar() {
  python_tar overlay.tar <<'P'
add("opaque", type=tarfile.DIRTYPE, pax={"SCHILY.xattr.trusted.overlay.opaque": "y"})
add("opaque/new", data=b"new")
P
}

@test "overlay xattrs of a source are escaped" {
  require_root
  overlay_tar
  mkdir -p lower/opaque
  echo old >lower/opaque/old
  layer lower
  mkimage image lower.tar overlay.tar
  fuse_mount image mnt
  # they are data, not marks
  assert_equal "$(echo mnt/opaque/*)" "mnt/opaque/new mnt/opaque/old"
  assert_equal "$(getfattr --only-values -n trusted.overlay.overlay.opaque mnt/opaque)" y
  run getfattr -n trusted.overlay.opaque mnt/opaque
  assert_status 1
  getfattr -n user.overlay.overlay.metacopy mnt/file
  getfattr -n user.other mnt/file
}

@test "with --overlay-input they are meant" {
  require_root
  opaque_tar
  mkdir -p lower/opaque
  echo old >lower/opaque/old
  layer lower
  mkimage --overlay-input image lower.tar overlay.tar
  "$MICA" extract image -C out
  assert_equal "$(echo out/opaque/*)" out/opaque/new
}

@test "with --overlay-input half a file is refused" {
  overlay_tar
  run "$MICA" mkimage --overlay-input image overlay.tar
  assert_status 1
  assert_has 'user.overlay.metacopy'
  assert_has file
  [ ! -e image ]
}

@test "0:0 devices are refused, with --overlay-input they are whiteouts" {
  require_root
  python_tar upper.tar <<'P'
add("dir/file", type=tarfile.CHRTYPE, major=0, minor=0)
add("dir/other", data=b"1")
P
  mkdir -p lower/dir
  echo hidden >lower/dir/file
  layer lower
  run "$MICA" mkimage image lower.tar upper.tar
  assert_status 1
  assert_has dir/file
  assert_has --overlay-input
  [ ! -e image ]
  mkimage --overlay-input image lower.tar upper.tar
  "$MICA" extract image -C out
  assert_equal "$(listing)" "./dir ./dir/other"
}

# --- random layers -----------------------------------------------------------

# change SEED DIR: changes some 30 names of a tree in every way that a layer knows
change() {
  local names name i=0
  mapfile -d '' names < <(cd "$2" && find . -mindepth 1 -print0 | LC_ALL=C sort -z |
    shuf -z --random-source=<(openssl enc -aes-128-ctr -nosalt -pass "pass:$1" -iter 1 </dev/zero 2>/dev/null))
  for name in "${names[@]:0:30}"; do
    # there is no .wh. form of the longest names
    [ "$(printf %s "${name##*/}" | wc -c)" -le 251 ] || continue
    name=$2/$name
    i=$((i + 1))
    [ -e "$name" ] || [ -L "$name" ] || continue
    case $((i % 7)) in
    0 | 1) rm -rf "$name" ;;
    2) rm -rf "$name" && text $((i * 1000)) "$i" >"$name" ;;
    3) rm -rf "$name" && mkdir "$name" && echo "$i" >"$name/new" ;;
    4) [ -L "$name" ] || chmod 751 "$name" ;;
    5) [ ! -f "$name" ] || [ -L "$name" ] || echo "$i" >>"$name" ;;
    6) touch -h -d "2020-01-01 00:00:$i" "$name" ;;
    esac
  done
}

# upper_tar DIR FILE: an upper directory of overlayfs as a layer's tar
upper_tar() {
  local path paths
  mapfile -d '' paths < <(find "$1" -type c -print0)
  for path in "${paths[@]}"; do
    [ "$(stat -c %t:%T "$path")" = 0:0 ] || continue
    rm "$path"
    touch "${path%/*}/.wh.${path##*/}"
  done
  mapfile -d '' paths < <(find "$1" -type d -print0)
  for path in "${paths[@]}"; do
    ! getfattr -n trusted.overlay.opaque "$path" >/dev/null 2>&1 || touch "$path/.wh..wh..opq"
  done
  tar --format=pax --xattrs --xattrs-exclude='trusted.overlay.*' --acls -C "$1" -cf "$2" .
}

@test "random changes on the kernel's overlayfs, as a layer" {
  require_erofs
  require_kernel 6.12
  local seed
  for seed in {1..8}; do
    mkdir lower upper work merged
    "$TOOLS/randtree" --tar --max-file 100000 "$seed" lower
    mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work,index=off,xino=off,metacopy=off \
      overlay merged
    echo merged >>"$(mounts_file)"
    change "$seed" merged
    # what overlayfs itself says of the upper directory
    mkimage --overlay-input a lower upper
    "$MICA" fsck a
    kernel_mount a image
    # a file that was copied up is no hard link any more
    same_tree merged image --ignore nlink,links
    unmount image
    # the upper directory's times must survive the marks
    cp -a upper marked
    upper_tar marked upper.tar
    tar_of lower lower.tar
    mkimage b lower.tar upper.tar
    kernel_mount b image
    same_tree merged image --ignore nlink,links,mtime
    unmount image
    unmount merged
    rm -rf lower upper work merged marked
  done
}
