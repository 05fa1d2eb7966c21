#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# libmica, the reader as a library: what it shows is what is in the image, from the build
# directory and as installed, by many threads, and its interface stays what it was.

load helpers

BUILD=$(dirname "$MICA")
UNIT=${UNIT:-$TOOLS/../unit}
EMBED=$BUILD/examples/embed

setup_file() {
  cd "$BATS_FILE_TMPDIR" || return
  mkdir tree tree/dir tree/empty
  text 900000 >tree/text
  noise 300000 >tree/noise
  head -c 100000 /dev/zero >tree/zeros
  { text 70000; noise 70000; } >tree/dir/mixed
  ln -s dir/mixed tree/link
  for i in {1..40}; do text $((i * 53)) "$i" >"tree/dir/small.$i"; done
  local n=0 options
  for options in '-z none' '-z lz4 --compat 5.15 -C 16K' '-z zstd' '-z zstd --compat 6.17' \
    '-z lzma' '-z deflate'; do
    # shellcheck disable=SC2086 # several words
    "$MICA" mkimage --quiet $options "image.$((n += 1))" tree
  done
}

# embed_shows EMBED [OPTION...] IMAGE: all files of the tree, names and a link; there may be
# a file "more"
embed_shows() {
  local file
  for file in text noise zeros dir/mixed dir/small.{1..40}; do
    "$@" "$file" 2>>copied | cmp - "$BATS_FILE_TMPDIR/tree/$file" ||
      fail "$* $file"
  done
  assert_equal "$("$@" link)" '-> dir/mixed'
  assert_equal "$("$@" dir | cut -d' ' -f2- | sort)" \
    "$(find "$BATS_FILE_TMPDIR/tree/dir" -type f -printf '%s %f\n' | sort)"
  assert_equal "$("$@" | cut -d' ' -f1,3 | grep -v ' more$' | sort)" \
    "$(find "$BATS_FILE_TMPDIR/tree" -mindepth 1 -maxdepth 1 -printf '%m %y %f\n' |
      sed 's/^\([0-7]*\) d/040\1/; s/^\([0-7]*\) f/100\1/; s/^\([0-7]*\) l/120\1/' | sort)"
}

@test "the example shows what is in images of all kinds, from a path and by functions of its own" {
  local image

  for image in "$BATS_FILE_TMPDIR"/image.*; do
    embed_shows "$EMBED" "$image"
    embed_shows "$EMBED" -c "$image"
  done
}

@test "what is not compressed is mapped, what is compressed is not" {
  run "$EMBED" "$BATS_FILE_TMPDIR/image.1" text
  assert_has '0 bytes copied, 900000 not'
  run "$EMBED" -c "$BATS_FILE_TMPDIR/image.1" text
  assert_has '900000 bytes copied, 0 not'
  run "$EMBED" "$BATS_FILE_TMPDIR/image.3" text
  assert_has '900000 bytes copied, 0 not'
  # what does not get smaller is not compressed
  mkdir tree
  noise 300000 >tree/noise
  "$MICA" mkimage --quiet -z zstd image.erofs tree
  "$EMBED" image.erofs noise 2>copied | cmp - tree/noise
  assert_equal "$(cat copied)" '0 bytes copied, 300000 not'
}

@test "an image behind its tar, and one with devices" {
  tar_of "$BATS_FILE_TMPDIR/tree" base.tar
  "$MICA" mkimage --quiet --append both.tar base.tar
  embed_shows "$EMBED" both.tar
  embed_shows "$EMBED" -c both.tar
  cp -a "$BATS_FILE_TMPDIR/tree" more
  text 5000 x >more/more
  "$MICA" mkimage --quiet --base "$BATS_FILE_TMPDIR/image.3" next.erofs more
  embed_shows "$EMBED" -d "$BATS_FILE_TMPDIR/image.3" next.erofs
  embed_shows "$EMBED" -c -d "$BATS_FILE_TMPDIR/image.3" next.erofs
  run "$EMBED" -d "$BATS_FILE_TMPDIR/image.1" next.erofs more
  assert_status 1
  assert_has 'its UUID is'
  run "$EMBED" next.erofs noise
  assert_status 1
  assert_has 'is another file, which was not given'
}

@test "errors are returned and named" {
  run "$EMBED" absent
  assert_status 1
  assert_has 'absent: open: No such file'
  run "$EMBED" "$BATS_FILE_TMPDIR/image.3" dir/none
  assert_status 1
  assert_has "no 'dir/none' in the image"
  head -c 6000 "$BATS_FILE_TMPDIR/image.3" >short
  run "$EMBED" short
  assert_status 1
  assert_has 'reach over the end'
}

@test "many threads read the same and different images" {
  run "$UNIT/api_threads" -t 8 "$BATS_FILE_TMPDIR"/image.*
  assert_status 0
  assert_has '8 threads, 12 images, 528 files'
  assert_has 'mapped some: 0 wrong'
}

installed() {
  require_command meson pkg-config
  [ -z "${SANITIZED:-}" ] || skip "a program without the sanitizer cannot use a library with it"
  meson install --no-rebuild --quiet -C "$BUILD" --destdir "$PWD/dest" >install.log ||
    fail "$(cat install.log)"
  local file
  file=$(find "$PWD/dest" -name mica.pc)
  export PKG_CONFIG_PATH=${file%/*} PKG_CONFIG_SYSROOT_DIR=$PWD/dest
  LIBRARY=$(dirname "${file%/*}")
}

@test "meson install: the example builds outside of the tree, with the shared and the static library" {
  local flags

  installed
  read -ra flags < <(pkg-config --cflags --libs mica)
  cp "$ROOT/examples/embed/embed.c" .
  cc -std=c99 -pedantic -Wall -Wextra -Werror -D_GNU_SOURCE -o shared embed.c "${flags[@]}"
  assert_has libmica.so.0 "$(LD_LIBRARY_PATH=$LIBRARY ldd shared)"
  LD_LIBRARY_PATH=$LIBRARY embed_shows ./shared "$BATS_FILE_TMPDIR/image.3"
  # what the system's own .pc files say is not below the sysroot
  read -ra flags < <(PKG_CONFIG_SYSROOT_DIR='' pkg-config --libs --static mica)
  rm "$LIBRARY"/libmica.so*
  cc -D_GNU_SOURCE -I"$LIBRARY/../../include" -I"$LIBRARY/../include" -o static embed.c \
    -L"$LIBRARY" "${flags[@]}"
  assert_lacks libmica "$(ldd static)"
  embed_shows ./static "$BATS_FILE_TMPDIR/image.3"
}

@test "the header is good for C++ as well" {
  command -v c++ >/dev/null || command -v clang++ >/dev/null || skip "needs a C++ compiler"
  printf '#include "mica.h"\nint main() { return mica_version_number() != MICA_VERSION_NUMBER; }\n' >p.cc
  "$(command -v c++ || command -v clang++)" -Wall -Wextra -Werror -I"$ROOT/lib" -fsyntax-only p.cc
}

@test "the example of libmica(3) builds and runs" {
  local flags

  installed
  read -ra flags < <(pkg-config --cflags --libs mica)
  awk '/^; c$/ { wanted = 1; next } /^```/ { if (wanted) inside = !inside; next } inside' \
    "$ROOT/docs/man/libmica.3.scd" | sed 's/\\\\/\\/g' >print.c
  [ -s print.c ]
  cc -Wall -Werror -o print print.c "${flags[@]}"
  LD_LIBRARY_PATH=$LIBRARY ./print "$BATS_FILE_TMPDIR/image.3" dir/mixed |
    cmp - "$BATS_FILE_TMPDIR/tree/dir/mixed"
  run env LD_LIBRARY_PATH="$LIBRARY" ./print "$BATS_FILE_TMPDIR/image.3" dir
  assert_status 1
  assert_has 'is not a regular file'
}

@test "the library shows the functions of mica.h and no other symbol" {
  assert_equal \
    "$(nm -D --defined-only "$BUILD/lib/libmica.so" | sed -n 's/.* T \(.*\)@@LIBMICA_0$/\1/p' | sort)" \
    "$(sed -n 's/^MICA_API .*[ *]\(mica_[a-z_]*\)(.*/\1/p' "$ROOT/lib/mica.h" | sort)"
  assert_equal "$(nm -D --defined-only "$BUILD/lib/libmica.so" | grep -vc '@@LIBMICA_0$')" 1
}

@test "every function of mica.h is in libmica(3)" {
  local name

  for name in $(sed -n 's/^MICA_API .*[ *]\(mica_[a-z_]*\)(.*/\1/p' "$ROOT/lib/mica.h"); do
    grep -q "\*$name\*()" "$ROOT/docs/man/libmica.3.scd" || fail "$name"
  done
}

@test "the binary interface is the one that is written down in tests/abi" {
  require_command abidiff
  [ -z "${SANITIZED:-}" ] || skip "a sanitizer changes what is in a library"
  [ "$(uname -m)" = x86_64 ] || skip "it is written down for x86-64"
  differs() {
    run abidiff "$1" "$BUILD/lib/libmica.so"
    [ "$status" != 0 ]
  }
  ! differs "$ROOT/tests/abi/libmica.abi" ||
    fail "$output" "if this is meant: tests/abi/update.sh BUILD_DIR"
  # and a difference would be seen: a struct that has grown, a function that is gone
  sed "/name='mica_stat' size-in-bits/s/832/768/" "$ROOT/tests/abi/libmica.abi" >other.abi
  grep -q "name='mica_stat' size-in-bits='768'" other.abi
  differs other.abi
  sed "s/'mica_seek'/'mica_gone'/" "$ROOT/tests/abi/libmica.abi" >other.abi
  differs other.abi
}
