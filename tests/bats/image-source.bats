#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# EROFS images as sources of mica mkimage: what is in the image must be what the
# directory or tar that it was made from would have given.

load helpers

BADIMAGE=${BADIMAGE:-$(dirname "$MICA")/tests/bad/badimage}

setup_file() {
  [ "$(id -u)" = 0 ] || return 0
  cd "$BATS_FILE_TMPDIR" || return
  sample_tree tree
  sample_more tree
  # a compressed image does not know where its zeros were holes
  cp --sparse=never tree/sparse tree/sparse.full
  touch -r tree/sparse tree/sparse.full
  mv tree/sparse.full tree/sparse
  mkimage image tree
}

setup() {
  require_root
  mkdir "$BATS_TEST_TMPDIR/work" && cd "$BATS_TEST_TMPDIR/work" || return
  TREE=$BATS_FILE_TMPDIR/tree
  IMAGE=$BATS_FILE_TMPDIR/image
}

# again MKFS-OPTION...: the image of an image is the image of the tree
again() {
  require_command mkfs.erofs
  cp -a "$TREE" tree
  rm -f tree/wide/nnnnnnnnnnnnnnnnnnnnnnnn* tree/deep/longlink # mkfs.erofs 1.5 takes neither
  touch -r "$TREE/wide" tree/wide
  touch -r "$TREE/deep" tree/deep
  mkfs.erofs --quiet -Eforce-inode-extended "$@" theirs tree >mkfs.out 2>&1 ||
    skip "this mkfs.erofs does not know $*"
  mkimage ours theirs
  shown ours
  same_tree tree mnt
}

@test "an image of an image of mica, of every layout, has the same bytes" {
  local options
  for options in '-z none' '-z lz4 --compat 5.15' '-z zstd -C 64K' '-z lz4hc --compat 6.15'; do
    # shellcheck disable=SC2086 # several words
    mkimage $options first "$TREE"
    mkimage second first
    cmp "$IMAGE" second
  done
}

@test "images of mkfs.erofs: flat" { again; }
@test "images of mkfs.erofs: chunks" { again --chunksize=4096; }
@test "images of mkfs.erofs: lz4hc, inline pclusters" { again -zlz4hc -C65536 -Eztailpacking; }
@test "images of mkfs.erofs: whole files as fragments" { again -zlz4 -Eall-fragments; }
@test "images of mkfs.erofs: blocks of 512 bytes" { again -b512; }

@test "holes of an uncompressed image stay holes" {
  mkdir tree
  truncate -s 100M tree/sparse
  printf end >>tree/sparse
  mkimage -z none first tree
  mkimage -z none second first
  cmp first second
  [ "$(stat -c %s second)" -lt 100000 ]
}

@test "hard links to everything but directories" {
  mkdir tree
  mkfifo tree/fifo
  mknod tree/null c 1 3
  ln -s target tree/link
  echo content >tree/file
  local f
  for f in fifo null link file; do ln "tree/$f" "tree/$f.2"; done
  # a directory source gives devices and FIFOs no links, a tar does
  tar_of tree tree.tar
  mkimage first tree.tar
  mkimage second first
  cmp first second
}

@test "a layer that is an image: whiteouts and opaque directories of overlayfs" {
  mkdir -p lower/{gone,hidden,kept} upper/hidden
  touch lower/{gone,hidden,kept}/one lower/removed
  mknod upper/gone c 0 0
  ln upper/gone upper/removed # overlayfs links its whiteouts
  setfattr -n trusted.overlay.opaque -v y upper/hidden
  touch upper/hidden/two
  mkimage --overlay-input lower.erofs lower
  mkfs.erofs --quiet upper.erofs upper >mkfs.out
  run "$MICA" mkimage image lower.erofs upper.erofs
  assert_status 1
  assert_has "upper.erofs: 'gone': a device 0:0 would hide files under overlayfs"
  mkimage --overlay-input image lower.erofs upper.erofs
  shown image
  (cd mnt && find . | sort) >found
  printf '%s\n' . ./hidden ./hidden/two ./kept ./kept/one | cmp - found
}

@test "the image that is made is no source" {
  cp "$IMAGE" image
  run "$MICA" mkimage image image
  assert_status 1
  assert_has "image: is the image to be made and a source"
  cmp "$IMAGE" image
}

@test "errors name the image once, the place and the limit" {
  head -c 100000 "$IMAGE" >short
  run --separate-stderr "$MICA" mkimage image short
  assert_status 1
  # shellcheck disable=SC2154
  [[ $stderr == "mica mkimage: short: "*"truncated: "* ]] || fail "$stderr"
  [ ! -e image ]
  run --separate-stderr "$MICA" mkimage image - <short
  assert_status 1
  assert_has "standard input: "
}

@test "broken images: refused or read as far as they make sense, nothing left behind" {
  local name
  "$BADIMAGE" list | cut -f1 >names
  while read -r name; do
    "$BADIMAGE" make "$name" bad
    run "$MICA" mkimage --quiet --overlay-input image bad
    [ "$status" -le 1 ] || fail "$name: status $status: $output"
    [ "$status" = 0 ] || { [ ! -e image ] && [ -n "$output" ]; } || fail "$name: $output"
    rm -f image
  done <names
  mkdir tree
  touch $'tree/x\e[31m'
  mkimage -z none --compat 5.15 good tree
  # the file's inode gets a format that there is not
  offset=$("$MICA" dump --json good $'/x\e[31m' | python3 -c 'import json, sys; print(json.load(sys.stdin)["offset"])')
  printf '\xff' | dd of=good bs=1 seek=$((offset + 1)) conv=notrunc status=none
  run "$MICA" mkimage image good
  assert_status 1
  assert_has "/x?[31m: inode "
  "$BADIMAGE" make dir-loop bad
  run "$MICA" mkimage image bad
  assert_status 1
  assert_has "directory nid 8 has a second name"
}
