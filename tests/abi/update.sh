#!/bin/bash
# SPDX-License-Identifier: MIT
# update.sh BUILD_DIR: writes down what the library of a build shows (x86-64), as the
# interface that tests/bats/api.bats compares later builds with. What differs is to be
# seen in the change of libmica.abi: additions are fine; anything else needs another
# soname (lib/meson.build) and a line in NEWS.md.
set -euo pipefail

build=$(realpath "${1:?usage: update.sh BUILD_DIR}")
cd "$(dirname "$0")"
headers=$(mktemp -d)
trap 'rm -r "$headers"' EXIT
cp ../../lib/mica.h "$headers"
abidw --headers-dir "$headers" --drop-private-types --exported-interfaces-only \
  --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed \
  "$build/lib/libmica.so" >libmica.abi
