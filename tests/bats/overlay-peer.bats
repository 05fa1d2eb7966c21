#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2030,SC2031 # each test runs in a subshell of its own
# Upper directories that fuse-overlayfs and mica take turns with.

load helpers
load stacks

# the one that is in PATH, or PEER
PEER=${PEER:-fuse-overlayfs}

# peer_stack UPPER DIR: fuse-overlayfs' stack, over the same layers as mica's
peer_stack() {
  require_command "$PEER"
  local at
  for at in base top; do
    mountpoint -q "k.$at" || kernel_mount "$at.erofs" "k.$at"
  done
  mkdir -p "$1" "$1.work" "$2"
  "$PEER" -o "lowerdir=k.top:k.base:low,upperdir=$1,workdir=$1.work,suid,dev" "$2" || return
  echo "$2" >>"$(mounts_file)"
}

# peer_changes DIR: whatever both keep in one form; directories move by a copy
peer_changes() {
  (
    cd "$1" || exit
    echo more >>dir/text
    echo fresh >dir/fresh
    rm dir/below
    rm -r dir/sub
    mkdir dir/sub
    echo other >dir/sub/other
    mv dir/fresh dir/moved
    mv deep deeper
    echo in >deeper/er/in
    mv link link2
    mv plain/file plain/file2
    chmod 0700 deeper
    chown 5:6 dir/moved
    setfattr -n user.colour -v blue dir/text
    setfattr -n user.mine -v 1 plain
    setfacl -m u:99:r plain/file2
    truncate -s 1000 sparse
    rm fifo
    mkdir fifo
    mkfifo pipe
    mkdir -p a/b/c
    mv a plain
    rm -r plain
    mkdir plain
    echo again >plain/file
    touch -h -d @1500000000.25 dir/moved dir plain link2
  )
}

@test "peer: an upper directory of mica's is fuse-overlayfs', and the other way round" {
  sample
  peer_stack pu p
  stack mu m -o redirect_dir=off,dot_whiteouts
  peer_changes p
  peer_changes m
  # what mica wrote, under the peer; what the peer wrote, under mica
  cp -a m m.copy
  unmount p && unmount m
  peer_stack mu p
  stack pu m -o redirect_dir=off,dot_whiteouts
  # fuse-overlayfs lists no "." and "..", and tears names of a file apart
  cp -a p p.copy
  alike m.copy p.copy --ignore mtime,nlink,links
  alike m.copy m --ignore mtime,nlink,links
  # each goes on in what the other one left
  local at
  for at in p m; do
    rm $at/plain/file $at/dir/sub/other
    rm -r $at/deeper
    mkdir $at/deeper
    mv $at/link2 $at/link
    echo below >$at/dir/below
  done
  cp -a m m.copy2
  unmount p && unmount m
  peer_stack pu p
  stack mu m -o redirect_dir=off,dot_whiteouts
  cp -a p p.copy2
  alike m.copy2 p.copy2 --ignore mtime,nlink,links
  alike m.copy2 m --ignore mtime,nlink,links
}

@test "peer: names that hide others go with them, and cannot be given" {
  sample
  mkdir -p mu/plain
  # as the peer writes where it can make no devices
  : >mu/plain/.wh.file
  : >mu/.wh.deep
  stack mu m -o dot_whiteouts
  [ ! -e m/plain/file ] && [ ! -e m/deep ]
  echo made >m/plain/file
  mkdir m/deep
  : >m/other
  rm m/plain/file
  ln m/other m/plain/file
  : >mu/plain/.wh.file2
  mv m/other m/plain/file2
  assert_equal "$(find mu -name '.wh.*')" ""
  for change in "touch m/.wh.dir" "mkdir m/.wh.dir" "ln m/plain/file m/.wh.dir" \
    "mv m/plain/file m/.wh.dir" "ln -s x m/.wh.dir"; do
    # shellcheck disable=SC2086
    run ! $change
    assert_has "Operation not permitted"
  done
  [ -d m/dir ]
  unmount m
  peer_stack mu p
  assert_equal "$(ls -A p/deep)" ""
  [ -e p/plain/file ] && [ -e p/dir/text ]
  unmount p
  # to others these are names as any
  stack mu m
  touch m/.wh.dir
  [ -d m/dir ] && [ -e m/.wh.dir ]
}

# rootless SCRIPT: as a user who may do nothing outside of a name space of his own, in a directory
# that is his, with mica, the kernel's overlayfs and fuse-overlayfs
rootless() {
  require_root
  require_fuse
  require_command "$PEER" setpriv unshare
  setpriv --reuid=4321 --regid=4321 --clear-groups unshare -Urm true ||
    skip "needs name spaces of users"
  OPEN=$(mktemp -d)
  chmod 0755 "$OPEN"
  mkdir "$OPEN/w"
  cp "$MICA" "$(dirname "$MICA")"/mica-*.so "$TOOLS/treecmp" "$OPEN"
  {
    printf 'set -e\ncd %q/w\n' "$OPEN"
    declare -f rootless_changes
    cat
  } >"$OPEN/script"
  chown -R 4321:4321 "$OPEN/w"
  # the device may be for root alone
  mknod -m 0666 "$OPEN/fuse" c 10 229
  # shellcheck disable=SC2016 # the inner shell expands it
  PEER=$PEER OPEN=$OPEN run unshare -m sh -c 'mount --bind "$OPEN/fuse" /dev/fuse &&
    exec setpriv --reuid=4321 --regid=4321 --clear-groups unshare -Urm bash -x "$OPEN/script"'
  rm -rf "$OPEN"
  [ "$status" = 0 ] || fail "$output"
}

rootless_changes() {
  (
    cd "$1" || exit
    echo more >>dir/text
    echo fresh >dir/fresh
    rm dir/below
    rm -r dir/sub
    mkdir dir/sub
    echo other >dir/sub/other
    mv dir/fresh dir/moved
    mv deep deeper
    echo in >deeper/er/in
    mv link link2
    mv plain/file plain/file2
    chmod 0700 deeper
    setfattr -n user.colour -v blue dir/text
    rm fifo
    mkdir fifo
    rm -r plain
    mkdir plain
    echo again >plain/file
    mkdir -p a/b/c
    mv a plain
  )
}

@test "peer: what a user without rights writes, under each of the three" {
  rootless <<'E'
mkdir -p low/dir/sub low/plain low/deep/er m p k mu pu ku mw pw kw
seq 1 20000 >low/dir/text
echo below >low/dir/below
echo hidden >low/dir/sub/old
echo plain >low/plain/file
echo deep >low/deep/er/file
mkfifo low/fifo
ln -s dir low/link

mica() { "$OPEN/mica" mount --quiet low m --upper "$1" --work "$2" "${@:3}"; }
peer() { "$PEER" -o "lowerdir=low,upperdir=$1,workdir=$2" p; }
kernel() { mount -t overlay overlay k -o "lowerdir=low,upperdir=$1,workdir=$2,userxattr"; }
alike() { "$OPEN/treecmp" --ignore mtime,nlink "$1" "$2"; }

kernel ku kw
mica mu mw
peer pu pw
for at in k m p; do rootless_changes "$at"; done
alike k m
cp -a k k.copy
cp -a p p.copy
alike k.copy p.copy
umount k m p

# mica's under the other two, one after the other
kernel mu mw
alike k.copy k
umount k
peer mu mw
rm -r p.copy && cp -a p p.copy
alike k.copy p.copy
umount p
# theirs under mica
mica ku kw
alike k.copy m
umount m
mica pu pw -o dot_whiteouts
alike k.copy m
umount m
E
}

# owners_stack UPPER, owners_peer UPPER: over low, on m and p
owners_stack() {
  "$MICA" mount --quiet low m --upper "$1" -o dot_whiteouts,xattr_permissions=2
  echo m >>"$(mounts_file)"
}
owners_peer() {
  mkdir -p "$1.work"
  "$PEER" -o "lowerdir=low,upperdir=$1,workdir=$1.work,xattr_permissions=2" p
  echo p >>"$(mounts_file)"
}

# owners_list DIR: owners, modes and contents
owners_list() {
  (cd "$1" && find . -printf '%p %y %m %U:%G\n' | sort && find . -type f -exec sha256sum {} + | sort)
}

owners_change() {
  (
    cd "$1" || exit
    chown 5:7 two
    chmod 0640 two
    chown 11:12 three
    mkdir -m 2750 made
    echo in >made/in
    chmod 4711 made/in
    chown 3:70000 made
    chmod 0311 dir
    echo more >>dir/one
    chmod 0755 .
  )
}

@test "peer: owners and modes that are kept in an xattr" {
  require_root
  require_fuse
  require_command "$PEER"
  mkdir -p low/dir m p mu pu
  echo one >low/dir/one
  echo two >low/two
  echo three >low/three
  chmod 0600 low/two
  setfattr -n user.colour -v grey low/two
  # the older of two names, which all versions of the peer know
  setfattr -n user.fuseoverlayfs.override_stat -v 0:0:555 mu
  owners_stack mu
  owners_peer pu
  owners_change m
  # the peer does not keep all of it, so what it shows itself is what counts
  owners_change p
  assert_equal "$(stat -c '%a %u:%g' m/two m/three m/made m/made/in)" "640 5:7
644 11:12
2750 3:70000
4711 0:0"
  # the host has none of it, and users do not get at it
  assert_equal "$(stat -c '%a %u:%g' mu/two mu/made/in)" "755 0:0
755 0:0"
  assert_equal "$(getfattr --only-values -n user.fuseoverlayfs.override_stat mu/two)" 5:7:640
  run -0 getfattr -d -m - m/two
  assert_has colour
  assert_lacks override
  run ! setfattr -n user.containers.override_stat -v 0:0:4777 m/two
  run ! getfattr -n user.containers.override_stat m/two
  # a change of owner takes privileges, but not from directories
  chown 0:0 m/made/in m/made
  assert_equal "$(stat -c %a m/made/in m/made)" "711
2750"
  owners_list m >m.list
  owners_list p >p.list
  unmount m && unmount p
  # each under the other
  owners_stack pu
  owners_peer mu
  diff m.list <(owners_list p)
  diff p.list <(owners_list m)
  unmount m && unmount p
  # a layer that is kept so, below
  mkdir upper2
  "$MICA" mount --quiet low mu m --upper upper2 -o dot_whiteouts,xattr_permissions=2
  echo m >>"$(mounts_file)"
  assert_equal "$(stat -c '%a %u:%g' m/two)" "640 5:7"
  echo more >>m/two
  assert_equal "$(getfattr --only-values -n user.containers.override_stat upper2/two)" 5:7:640
  assert_equal "$(stat -c '%a %u:%g' m/two)" "640 5:7"
}
