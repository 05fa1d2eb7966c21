#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh [OPTIONS]: builds and reads images with mica and with its peers, in turns
# on the same machine, and prints medians and ratios as Markdown. Needs root. The
# inputs are made from Debian packages and from the npm registry.
#
#   --runs N          rounds of every measurement (default 3; what takes minutes
#                     is done once)
#   --quick           leave out what takes minutes
#   --only PART,...   build, random, read, start, overlay, layers, jobs,
#                     instructions or large
#   --corpus NAME,... root, linux or nm (default: all)
#   --rows TEXT       only rows with this text in their names; may be repeated
#   --tar FILE        measure with this tar in place of the Debian root
#   --large [GB]      also build from a stream of 20 GB, for the memory bound
#   --peers DIR       also measure the mkfs.erofs, mksquashfs, mkdwarfs, erofsfuse,
#                     squashfuse_ll and dwarfs of DIR, such as newer versions
#   --cache DIR       where the inputs are kept (default: mica-corpora in $TMPDIR)
#   --statistic WHAT  median (default), or min for a machine that others use, too
#   --output FILE     write the table there as well, a chart beside it as .svg, and
#                     everything that was measured as .json
#   --report JSON     measure nothing, report what an earlier run wrote
#   --no-install      do not install packages
#
# MICA and TOOLS in the environment name a build to use instead of a release build
# of its own.
set -euo pipefail

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
options=() install=true measure=true
for option; do
  case $option in
  --help)
    sed -n '3,/^# of its own/s/^# \?//p' "$0"
    exit 0
    ;;
  --no-install) install=false ;;
  --report) measure=false options+=("$option") ;;
  *) options+=("$option") ;;
  esac
done

if $measure; then
  if $install; then
    targets=(bench)
    command -v npm >/dev/null || targets+=(npm)
    "$ROOT/tests/install.sh" "${targets[@]}" >&2
  fi
  if [ -n "${MICA:-}" ]; then
    TOOLS=${TOOLS:-$ROOT/build/test-gcc/tests/tools}
  else
    build=$ROOT/build/bench
    [ -f "$build/build.ninja" ] || meson setup "$build" "$ROOT" --buildtype=release >/dev/null
    meson compile -C "$build" >/dev/null
    MICA=$build/mica TOOLS=$build/tests/tools
  fi
  export MICA TOOLS
fi
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
exec python3 "$ROOT/tests/bench/bench.py" "${options[@]}"
