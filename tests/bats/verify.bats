#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# mica mkimage --verify: the finished image is read back and compared before it
# gets its name. What it finds in an image that was changed byte by byte is in
# tests/unit/verify_test.c.

load helpers

@test "--verify changes nothing in the image" {
  require_root
  mkdir low high
  sample_tree low
  echo new >high/text
  mkdir high/deep
  touch high/deep/.wh.a high/.wh.hidden
  tar_of low low.tar
  tar_of high high.tar
  local options
  for options in '' '-z lz4 --compat 5.15' '--compat 6.15' '-z none'; do
    # shellcheck disable=SC2086 # several words
    for sources in low 'low.tar high.tar'; do
      mkimage $options plain $sources 2>/dev/null
      run "$MICA" mkimage $options --verify checked $sources
      assert_status 0
      assert_has ', verified, '
      cmp plain checked
    done
  done
  "$MICA" mkimage --verify --json image low 2>/dev/null | grep -q '"verified": *true'
  "$MICA" mkimage --json image low 2>/dev/null | grep -q '"verified": *false'
}

require_strace() {
  require_command strace
  strace -o /dev/null true 2>/dev/null || skip "needs ptrace(2)"
  # leaks cannot be looked for in a traced process
  export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
}

# lost N LENGTH [-f]: the N-th write of the main thread, with -f of any, is not made,
# but says that it was
lost() {
  run strace ${3:+"$3"} -qq -o log -e trace=pwrite64 -e "inject=pwrite64:retval=$2:when=$1" \
    "$MICA" mkimage --quiet --verify -z none -j 1 target/image src
  grep -q INJECTED log || fail "there is no write number $1"
  assert_status 1
  assert_has 'mica mkimage: target/image: '
  assert_equal "$(ls -A target)" ''
}

@test "a write that the disk forgets is found" {
  require_strace
  mkdir src target
  noise 6000000 >src/noise
  strace -qq -o log -e trace=pwrite64 "$MICA" mkimage --quiet -z none -j 1 target/image src
  rm target/image
  # the end of the metadata and the superblock
  mapfile -t lengths < <(sed -n 's/^pwrite64(.* = //p' log)
  [ ${#lengths[@]} -ge 2 ]
  local n
  for n in "${!lengths[@]}"; do
    lost $((n + 1)) "${lengths[n]}"
  done
  # data
  for n in 3 4 5; do
    lost $n 262144 -f
    assert_has "verify: 'noise': the content is not that of the source"
  done
}

@test "an image that cannot be read back gets no name" {
  require_strace
  mkdir src target
  noise 3000000 >src/noise
  tar -C src -cf src.tar .
  strace -f -qq -o log -e trace=pread64 "$MICA" mkimage --quiet -j 1 target/image src.tar
  local before n
  before=$(grep -c 'pread64(' log)
  rm target/image
  for n in 1 2 4 8; do
    run strace -f -qq -o log -e trace=pread64 -e "inject=pread64:error=EIO:when=$((before + n))+" \
      "$MICA" mkimage --quiet --verify -j 1 target/image src.tar
    assert_status 1
    assert_has 'target/image: verify: '
    assert_has 'Input/output error'
    assert_equal "$(ls -A target)" ''
  done
}
