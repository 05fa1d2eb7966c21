# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Layers, and stacks of them below an upper directory: mica's and the kernel's.

# sample: base.erofs and top.erofs, images of two layers; low, a directory
sample() {
  require_root
  require_fuse
  mkdir -p base/dir/sub base/gone base/deep/er top/dir/sub low/dir low/plain
  text 300000 >base/dir/text
  seq 1 9 >base/dir/below
  ln base/dir/below base/dir/hard1
  ln base/dir/below base/hard2
  echo hidden >base/dir/sub/old
  echo x >base/gone/file
  ln -s dir/text base/link
  mkfifo base/fifo
  mknod base/null c 1 3
  setfattr -n user.colour -v grey base/dir/text
  setfacl -m u:1234:rw base/dir/text
  setcap cap_net_raw=ep base/dir/below
  chmod 2750 base/deep
  chown 1000:70000 base/deep/er
  truncate -s 3M base/sparse
  echo end >>base/sparse
  echo above >top/dir/below
  echo new >top/dir/sub/new
  : >top/.wh.gone
  : >top/dir/sub/.wh.old
  echo plain >low/plain/file
  echo lowest >low/dir/lowest
  tar --sort=name --format=posix --xattrs --acls -S -C base -cf base.tar .
  tar --sort=name --format=posix --xattrs -C top -cf top.tar .
  "$MICA" mkimage --quiet --per-layer layers base.tar top.tar
  mv layers/000.erofs base.erofs
  mv layers/001.erofs top.erofs
}

# text BYTES
text() {
  yes "thin, clear sheets of mica" | awk '{ print NR, $0 }' | head -c "$1"
}

# stack UPPER DIR [OPTION...]: mica's, over low, base.erofs and top.erofs. STACK_WORDS: words
# of -o for all of them, so that the same tests try another profile
stack() {
  local upper=$1 dir=$2
  shift 2
  mkdir -p "$upper" "$dir"
  "$MICA" mount --quiet "$@" low base.erofs top.erofs "$dir" --upper "$upper" \
    -o "suid,dev${STACK_WORDS:+,$STACK_WORDS}" || return
  echo "$dir" >>"$(mounts_file)"
}

# kernel_stack UPPER DIR [WORDS]: the kernel's, over the same
kernel_stack() {
  grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || skip "needs overlayfs"
  local at
  for at in base top; do
    mountpoint -q "k.$at" || kernel_mount "$at.erofs" "k.$at"
  done
  mkdir -p "$1" "$1.work" "$2"
  mount -t overlay overlay "$2" \
    -o "lowerdir=k.top:k.base:low,upperdir=$1,workdir=$1.work,${3:-redirect_dir=on,index=on}" || return
  echo "$2" >>"$(mounts_file)"
}

# server_of UPPER: the process that serves its stack
server_of() {
  find /proc/[0-9]*/fd -lname "$PWD/$1" 2>/dev/null | cut -d/ -f3 | sort -u | head -1
}

# alike A B: trees that overlayfs and mica show; links of merged directories apart
alike() {
  same_tree "$1" "$2" "${@:3}"
}

# changes DIR: what a user may do to the sample
changes() {
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
    ln hard2 dir/hard3
    echo both >>dir/hard3
    chmod 0700 deeper
    chown 5:6 null
    setfattr -n user.colour -v blue dir/text
    setfattr -x user.colour dir/text
    setfattr -n trusted.mine -v 1 plain
    truncate -s 1000 sparse
    rm fifo
    mkdir fifo
    mkfifo pipe
    mkdir -p a/b/c
    mv a plain
    touch -h -d @1500000000.25 dir/moved dir plain link2
  )
}
