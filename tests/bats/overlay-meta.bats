#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2030,SC2031 # each test runs in a subshell of its own
# Changes that copy a file's metadata alone, and what they leave in the upper directory.

load helpers
load stacks

KERNEL_META=redirect_dir=on,index=on,metacopy=on

# meta_stack UPPER DIR: mica's stack, that copies metadata alone where it can
meta_stack() {
  stack "$1" "$2" -o metacopy=on
}

# is_meta FILE...: files in an upper directory have the mark, and no data
is_meta() {
  local file
  for file; do
    getfattr -n trusted.overlay.metacopy "$file" >/dev/null 2>&1 || fail "$file is whole"
    cmp "$file" <(head -c "$(stat -c %s "$file")" /dev/zero)
  done
}

# is_whole FILE...: they lack it
is_whole() {
  local file
  for file; do
    [ -f "$file" ] || fail "$file is not there"
    run ! getfattr -n trusted.overlay.metacopy "$file"
  done
}

# small_changes DIR: of attributes and names, of files with data below
small_changes() {
  (
    cd "$1" || exit
    chmod 0600 dir/text
    chown 5:6 dir/lowest
    touch -h -d @1500000000.25 sparse
    setfattr -n user.colour -v blue dir/text
    setcap cap_chown=ep plain/file
    mv sparse dir/moved
    mv dir deeper
    mv deeper/moved deeper/again
    ln plain/file third
    mv plain/file deeper/file
    setfattr -n trusted.mine -v 1 hard2
    ln hard2 fourth
    rm hard2
    touch -h -d @1500000000.25 . deeper plain
  )
}

# data_changes DIR: afterwards, of the data of some of these
data_changes() {
  (
    cd "$1" || exit
    echo more >>deeper/text
    truncate -s 5 deeper/lowest
    echo one >>fourth
    printf x | dd of=deeper/again conv=notrunc bs=1 seek=1000000 status=none
  )
}

@test "metacopy: a change of attributes copies no data, and a write does" {
  sample
  meta_stack mu m
  local below
  below=$(sha256sum <m/dir/text)
  local blocks
  blocks=$(stat -c %b m/dir/text)
  setfacl -m u:77:r m/dir/text
  chmod 0640 m/dir/text
  chown 7:8 m/dir/text
  setfattr -n user.new -v 1 m/dir/text
  touch -d @1400000000.125 m/dir/text
  is_meta mu/dir/text
  # it looks whole: size, room, data, through all that reads
  assert_equal "$(stat -c '%a %u:%g %s %b %.Y' m/dir/text)" \
    "640 7:8 300000 $blocks 1400000000.125000000"
  assert_equal "$(sha256sum <m/dir/text)" "$below"
  sync m/dir/text
  python3 -c 'import mmap; f = open("m/dir/text", "rb")
assert mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)[:2] == b"1 "'
  # neither a reader nor a writer that writes nothing brings the data
  exec 7<>m/dir/text
  is_meta mu/dir/text
  printf X >&7
  exec 7>&-
  sync m/dir/text
  is_whole mu/dir/text
  cmp m/dir/text <(printf X && tail -c +2 base/dir/text)
  assert_equal "$(stat -c '%a %u:%g %s' m/dir/text)" "640 7:8 300000"
  assert_equal "$(getfattr --only-values -n user.new m/dir/text)" 1
  cmp mu/dir/text m/dir/text
}

@test "metacopy: what is read while the data comes stays right" {
  sample
  truncate -s 3M low/holes
  echo data >>low/holes
  meta_stack mu m
  chmod 0600 m/dir/text m/holes
  is_meta mu/dir/text mu/holes
  exec 7<m/dir/text
  assert_equal "$(head -c 2 <&7)" "1 "
  echo end >>m/dir/text
  cmp <(cat /proc/self/fd/7) <(cat base/dir/text && echo end)
  exec 7<&-
  # holes stay holes, and a truncation copies what is left
  echo end >>m/holes
  sync m/holes
  [ "$(stat -c %b mu/holes)" -lt 100 ]
  cmp m/holes <(cat low/holes && echo end)
  chmod 0600 m/dir/below
  truncate -s 3 m/dir/below
  is_whole mu/dir/below
  assert_equal "$(od -An -c m/dir/below | tr -d ' ')" abo
  # allocated and copied ranges bring it as well
  chmod 0600 m/dir/lowest
  fallocate -l 100 m/dir/lowest
  is_whole mu/dir/lowest
  cmp -n 7 m/dir/lowest low/dir/lowest
  assert_equal "$(stat -c %s m/dir/lowest)" 100
}

@test "metacopy: an upper directory of mica's is the kernel's, and the other way round" {
  sample
  kernel_stack ku k "$KERNEL_META"
  meta_stack mu m
  small_changes k
  small_changes m
  is_meta ku/deeper/{text,again,lowest,file} ku/third ku/fourth
  is_meta mu/deeper/{text,again,lowest,file} mu/third mu/fourth
  alike k m
  cp -a m m.copy
  unmount k && unmount m
  kernel_stack mu k "$KERNEL_META"
  meta_stack ku m
  alike m.copy k --ignore nlink
  alike m.copy m --ignore nlink
  alike k m
  # each copies the data up that the other one left below
  data_changes k
  data_changes m
  is_whole ku/deeper/{text,again,lowest} ku/fourth
  is_whole mu/deeper/{text,again,lowest} mu/fourth
  alike k m --ignore mtime
  unmount k && unmount m
  kernel_stack ku k "$KERNEL_META"
  meta_stack mu m
  alike k m --ignore mtime
}

@test "metacopy: names of one file share its data, wherever that is" {
  sample
  meta_stack mu m
  chmod 0751 m/hard2
  assert_equal "$(stat -c '%a %h' m/dir/hard1)" "751 3"
  ln m/hard2 m/third
  rm m/hard2
  mv m/dir/hard1 m/moved
  is_meta mu/third mu/moved
  unmount m
  meta_stack mu m
  cmp m/third base/hard2
  echo more >>m/moved
  assert_equal "$(tail -1 m/third)" more
  sync m/third
  is_whole mu/third mu/moved
  # without a name, while it is open
  chmod 0700 m/plain/file
  exec 7<>m/plain/file
  rm m/plain/file
  assert_equal "$(cat /proc/self/fd/7)" plain
  echo later >&7
  assert_equal "$(cat /proc/self/fd/7)" later
  exec 7>&-
}

@test "metacopy: layers below may have files without data, too" {
  sample
  kernel_stack ku k "$KERNEL_META"
  small_changes k
  unmount k
  # the upper directory becomes a layer, as a directory and as an image
  mkdir k2 m
  "$MICA" mount --quiet -o metacopy=on low base.erofs top.erofs ku m
  echo m >>"$(mounts_file)"
  mount -t overlay overlay k2 -o ro,lowerdir=ku:k.top:k.base:low,redirect_dir=on,metacopy=on
  echo k2 >>"$(mounts_file)"
  alike k2 m
  assert_equal "$(stat -c %b m/deeper/text)" "$(stat -c %b k2/deeper/text)"
  unmount m && unmount k2
  mkfs.erofs ku.erofs ku
  kernel_mount ku.erofs k.ku
  mkdir -p ku3 ku3.work k3 mu3 m3
  mount -t overlay overlay k3 \
    -o "lowerdir=k.ku:k.top:k.base:low,upperdir=ku3,workdir=ku3.work,$KERNEL_META"
  echo k3 >>"$(mounts_file)"
  "$MICA" mount --quiet -o metacopy=on,suid,dev low base.erofs top.erofs ku.erofs m3 --upper mu3
  echo m3 >>"$(mounts_file)"
  touch -d @1500000000 k3 m3
  alike k3 m3
  # renamed once more, without data in either of the upper two; then with it
  for at in k3 m3; do
    mv $at/deeper/again $at/there
    chmod 0711 $at/deeper/text
  done
  is_meta mu3/there mu3/deeper/text
  alike k3 m3 --ignore mtime
  unmount m3
  "$MICA" mount --quiet -o metacopy=on,suid,dev low base.erofs top.erofs ku.erofs m3 --upper mu3
  echo m3 >>"$(mounts_file)"
  for at in k3 m3; do
    data_changes $at || true
    echo end >>$at/there
  done
  alike k3 m3 --ignore mtime
}

@test "metacopy: without the option such files are refused, and none is made" {
  sample
  meta_stack mu m
  chmod 0600 m/dir/text
  is_meta mu/dir/text
  unmount m
  stack mu m
  run ! cat m/dir/text
  assert_has "Operation not permitted"
  chmod 0600 m/dir/lowest
  is_whole mu/dir/lowest
  unmount m
  # data that is nowhere is an error, not zeros
  : >mu/lost
  truncate -s 100 mu/lost
  setfattr -n trusted.overlay.metacopy mu/lost
  mv mu/dir/text mu/dir/other
  setfattr -n trusted.overlay.redirect -v /plain mu/dir/other
  meta_stack mu m
  run ! cat m/lost
  assert_has "Input/output error"
  run ! cat m/dir/other
  assert_has "Input/output error"
  unmount m
  run -1 "$MICA" mount -o metacopy=on,redirect_dir=off low m --upper mu
  assert_has "metacopy=on needs redirect_dir=on"
  run -1 "$MICA" mount -o metacopy=yes low m --upper mu
  assert_has "'yes' is neither on nor off"
}

@test "metacopy: an empty file has no data below, whatever the kernel says of it" {
  sample
  : >low/empty
  kernel_stack ku k "$KERNEL_META"
  chmod 0600 k/empty
  getfattr -n trusted.overlay.metacopy ku/empty
  unmount k
  stack ku m
  echo filled >m/empty
  unmount m
  is_whole ku/empty
  kernel_stack ku k "$KERNEL_META"
  assert_equal "$(cat k/empty)" filled
}

@test "metacopy: a disk that is full while the data comes, and the data stays below" {
  sample
  mkdir small
  mount -t tmpfs -o size=200k tmpfs small
  echo small >>"$(mounts_file)"
  mkdir m small/up small/work
  "$MICA" mount --quiet -o metacopy=on low base.erofs m --upper small/up --work small/work
  echo m >>"$(mounts_file)"
  chmod 0600 m/dir/text
  is_meta small/up/dir/text
  run ! sh -c 'echo more >>m/dir/text && sync m/dir/text'
  assert_has "No space left on device"
  getfattr -n trusted.overlay.metacopy small/up/dir/text
  unmount m
  "$MICA" mount --quiet -o metacopy=on low base.erofs m --upper small/up --work small/work
  echo m >>"$(mounts_file)"
  cmp -n 300000 m/dir/text base/dir/text
}

@test "metacopy: random operations, the kernel's overlayfs as the model" {
  sample
  local seed
  for seed in $(seq "${OVERLAY_SEEDS:-1}" "$((${OVERLAY_SEEDS:-1} + ${OVERLAY_RUNS:-4} - 1))"); do
    rm -rf ku ku.work mu mu.work
    kernel_stack ku k "$KERNEL_META"
    meta_stack mu m
    local part
    for part in 1 2 3; do
      python3 "$BATS_TEST_DIRNAME/overlay_ops.py" "$seed.$part" 100 k >k.log
      python3 "$BATS_TEST_DIRNAME/overlay_ops.py" "$seed.$part" 100 m >m.log
      diff k.log m.log || fail "seed $seed.$part"
      alike k m --ignore mtime || fail "seed $seed.$part"
      unmount k && unmount m
      # the next part goes on with what the other one wrote
      mv ku x && mv mu ku && mv x mu
      mv ku.work x && mv mu.work ku.work && mv x mu.work
      kernel_stack ku k "$KERNEL_META"
      meta_stack mu m
      alike k m --ignore mtime || fail "seed $seed.$part, upper directories exchanged"
    done
    unmount k && unmount m
  done
}
