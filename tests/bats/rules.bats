#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --compress-rule: files that are compressed in ways of their own.

load helpers

rules_tree() {
  local i
  mkdir -p src/lib/deep src/doc
  for i in 1 2 3; do
    text 300000 $i >src/lib/$i.so
    text 400000 $((i + 10)) >src/doc/$i.txt
    text 9000 $((i + 20)) >src/lib/deep/$i.so
    text 8000 $((i + 30)) >src/doc/small$i
  done
  noise 200000 1 >src/doc/noise
  truncate -s 3M src/lib/holes.so
  text 500000 50 >>src/lib/holes.so
  find src -exec touch -hd '2021-02-03 04:05:06' {} +
}

# algorithms IMAGE PATH: those of its compressed extents, each once
algorithms() {
  "$MICA" dump --json --extents "$1" "$2" |
    python3 -c 'import json, sys
print(*sorted({x["algorithm"] for x in json.load(sys.stdin)["extents"] if x["algorithm"]}))'
}

# longest IMAGE PATH: bytes of its longest encoded extent
longest() {
  "$MICA" dump --json --extents "$1" "$2" |
    python3 -c 'import json, sys
print(max(x["length"] for x in json.load(sys.stdin)["extents"] if x["kind"] == "encoded"))'
}

@test "--compress-rule: each file as its rule says, the same tree for every reader" {
  require_root
  require_fuse
  rules_tree
  local compat usual other
  for compat in 5.15 6.1 6.12 6.15 6.17; do
    kernel_is $compat || continue
    usual=zstd other=lzma
    case $compat in
    5.15) usual=lz4 other=lz4hc ;;
    6.1) usual=lz4 ;;
    esac
    mkimage --compat $compat -z $usual -C 256K --compress-rule "*.so=$other,cluster=64K" \
      --compress-rule '/doc/noise=none' --compress-rule 'lib/**/2.so=none' --verify image src
    "$MICA" fsck --quiet image
    [ "$(algorithms image /doc/1.txt)" = $usual ]
    [ "$(algorithms image /lib/1.so)" = "${other%hc}" ]
    [ "$(longest image /lib/1.so)" -le $((65536 + 4096)) ]
    [ "$(longest image /doc/1.txt)" -gt 100000 ]
    [ -z "$(algorithms image /lib/2.so)$(algorithms image /lib/deep/2.so)" ]
    fuse_mount image fuse
    same_tree src fuse --random-reads
    unmount fuse
    kernel_mount image mnt
    same_tree src mnt --random-reads
    unmount mnt
  done
}

@test "--compress-rule: the last rule that matches, and what -z none leaves" {
  rules_tree
  mkimage -z none -C 64K --compress-rule '*.txt=zstd' --compress-rule 'doc=lz4' \
    --compress-rule '3.txt=zstd:19' image src
  "$MICA" fsck --quiet image
  [ "$(algorithms image /doc/1.txt)" = lz4 ]
  [ "$(algorithms image /doc/3.txt)" = zstd ]
  [ -z "$(algorithms image /lib/1.so)" ]
  shown image
  same_tree src mnt
  # any number of threads, a tar: the same bytes
  tar_of src src.tar
  mkimage -j 1 -z none -C 64K --compress-rule '*.txt=zstd' --compress-rule 'doc=lz4' \
    --compress-rule '3.txt=zstd:19' again src.tar
  cmp image again
}

@test "--compress-rule: layers that are built one by one, and merged" {
  require_root
  rules_tree
  mkdir -p upper/doc
  text 350000 99 >upper/doc/more.txt
  tar_of src src.tar
  tar_of upper upper.tar
  mkdir layers
  mkimage --per-layer -C 64K --compress-rule '*.txt=lz4' layers src.tar upper.tar
  "$MICA" merge merged layers/*
  [ "$(algorithms layers/001.erofs /doc/more.txt)" = lz4 ]
  cp -a src both
  cp -a upper/. both
  fuse_mount merged fuse -o device=layers/000.erofs -o device=layers/001.erofs
  diff -r both fuse
}

@test "--compress-rule: what it does not take" {
  mkdir src
  refused() { # MESSAGE OPTION...
    run -1 --separate-stderr "$MICA" mkimage "${@:2}" image src
    assert_has "$1"
    [ ! -e image ]
  }
  refused "'x': not of the form GLOB=ALG[:LEVEL][,cluster=SIZE]" --compress-rule x
  refused "'*=fast': 'fast' is not a compression" --compress-rule '*=fast'
  refused "'=lz4': an empty pattern matches nothing" --compress-rule =lz4
  refused "zstd needs Linux 6.10, but the image must mount on 6.1" --compat 6.1 \
    --compress-rule '*=zstd'
  refused "cluster: 5000 is not a multiple of 4096 bytes" --compress-rule '*=lz4,cluster=5000'
  # what is taken for a part of the glob
  mkimage --compress-rule 'a=b,cluster=1=lz4' image src
}

@test "clusters of any number of blocks" {
  require_root
  rules_tree
  local compat cluster z fragments
  for compat in 5.15 6.1 6.12 6.15; do
    kernel_is $compat || continue
    z=zstd
    case $compat in 5.15 | 6.1) z=lz4 ;; esac
    for cluster in 12K 68K 100K 196K; do
      for fragments in off tails small; do
        [ "$compat $fragments" != "5.15 off" ] && [ $compat = 5.15 ] && continue
        mkimage --compat $compat -z $z -C $cluster --fragments=$fragments image src
        "$MICA" fsck --quiet image
        shown image
        same_tree src mnt --random-reads
        unmount mnt
      done
    done
    mkimage --compat $compat -z none -C 12K image src
    shown image
    same_tree src mnt
    unmount mnt
  done
}
