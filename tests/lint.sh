#!/bin/bash
# SPDX-License-Identifier: MIT
# lint.sh BUILD_DIR: the rules of the house that a program can check, as TAP.
# BUILD_DIR holds a plain (not sanitized) build.
set -uo pipefail
shopt -s inherit_errexit

build=$(realpath "${1:?usage: lint.sh BUILD_DIR}")
cd "$(dirname "$0")/.." || exit 1
mapfile -t files < <(git -c safe.directory='*' ls-files --cached --others --exclude-standard)
number=0

# only 'GLOB'...: those of the project's files that match
only() {
  local file glob
  for file in "${files[@]}"; do
    for glob; do
      # shellcheck disable=SC2053 # a glob is what is wanted
      [[ -f $file && $file == $glob ]] && { echo "$file"; break; }
    done
  done
}

# check NAME FUNCTION: passes when FUNCTION prints nothing
check() {
  local found
  number=$((number + 1))
  found=$("$2" 2>&1)
  if [ -z "$found" ]; then
    echo "ok $number $1"
  else
    echo "not ok $number $1"
    head -40 <<<"$found" | sed 's/^/# /'
  fi
}

c_files() { only '*.c' '*.h'; }

scripts() {
  only '*.sh' '*.bats' '*.bash'
  only '*' | while read -r file; do
    [[ $file != *.* || $file == .ci/* ]] && head -c 2 "$file" | grep -q '#!' && echo "$file"
  done
}

spdx() {
  { c_files; scripts; } | sort -u | while read -r file; do
    head -2 "$file" | grep -q 'SPDX-License-Identifier: MIT' || echo "$file has no SPDX line"
  done
}

format() {
  c_files | xargs -r -d '\n' clang-format --dry-run -Werror 2>&1 | grep -E 'error:' | head -20
}

# Arrows point downwards only: formats <- lib <- mkimage, fsck, mount.
layers() {
  local dir allowed file to
  for dir in formats lib mkimage fsck mount; do
    case $dir in
    formats) allowed='formats' ;;
    lib) allowed='lib|formats' ;;
    *) allowed="$dir|lib|formats" ;;
    esac
    only "$dir/*.c" "$dir/*.h" | while read -r file; do
      sed -n 's/^#include "\(.*\)"/\1/p' "$file" | while read -r to; do
        to=$(realpath -m --relative-to=. "$(dirname "$file")/$to")
        [[ $to =~ ^($allowed)/ ]] || echo "$file includes $to"
      done
    done
  done
}

archives() { echo "$build"/lib/libmica-{reader,core}.a "$build/formats/libformats.a"; }

silent() {
  # shellcheck disable=SC2046 # several words
  nm -A --undefined-only $(archives) 2>/dev/null | sed 's/.*\.a[:/]//' |
    grep -wE '(_*v?d?printf(_chk)?|puts|putchar|perror|exit|_exit|_Exit|abort|v?errx?|v?warnx?|error|stdout|stderr)$'
}

no_globals() {
  # shellcheck disable=SC2046
  nm -A --defined-only $(archives) 2>/dev/null | grep -E ' [bBcCsSG] ' | sed 's/.*\.a[:/]//'
  # a "d" or "D" is constant where it lies in .data.rel.ro
  # shellcheck disable=SC2046
  objdump -t $(archives) 2>/dev/null | grep -E '\s(\.data|\.bss|\.tdata|\.tbss)\s' |
    grep -vE '\s(\.data|\.bss|\.tdata|\.tbss)\s+0000000000000000 (\.data|\.bss|\.tdata|\.tbss)$'
}

prefixes() {
  # shellcheck disable=SC2046
  nm -A --defined-only --extern-only $(archives) 2>/dev/null | sed 's/.*\.a[:/]//' |
    grep -vE ' [A-Z] (mica|erofs)_'
}

function_lengths() {
  # 100 lines for one function, and 60 for 95 of 100
  c_files | ctags -L - -x --kinds-C=f --_xformat='%{line} %{end} %{name} %{input}' 2>/dev/null |
    awk '{
        n = $2 - $1 + 1; all++
        if (n > 60) { long++; names = names " " $3 }
        if (n > 100) print $4 ": " $3 " has " n " lines, the limit is 100"
      }
      END {
        if (all == 0) print "no function found"
        if (long * 20 > all) print long " of " all " functions have more than 60 lines:" names
      }'
}

file_lengths() {
  { c_files; scripts; } | sort -u | while read -r file; do
    [ "$(wc -l <"$file")" -le 800 ] || echo "$file has $(wc -l <"$file") lines, the limit is 800"
  done
}

shells() {
  scripts | xargs -r -d '\n' shellcheck -x -P SCRIPTDIR -S warning -f gcc
}

whitespace() {
  only '*.c' '*.h' '*.sh' '*.bats' '*.bash' '*.build' '*.md' '.ci/*' | xargs -r -d '\n' grep -nE '[ 	]+$'
  c_files | xargs -r -d '\n' grep -nE '^ +[^ *\\]'
}

leftovers() {
  { c_files; scripts; } | grep -v '^tests/lint.sh$' | xargs -r -d '\n' grep -nwE 'TODO|FIXME|XXX'
}

# Relative links in the documents lead somewhere.
links() {
  local file to
  only '*.md' | while read -r file; do
    grep -oE '\]\([^)# ]+' "$file" | sed 's/^](//' | grep -v '^https\?:' | while read -r to; do
      [ -e "$(dirname "$file")/$to" ] || echo "$file: no such file: $to"
    done
  done
}

echo 1..12
check 'every file names its licence' spdx
check 'clang-format has nothing to change' format
check 'includes point downwards only' layers
check 'lib and formats neither print nor exit' silent
check 'lib and formats have no mutable globals' no_globals
check 'symbols of lib and formats have a prefix' prefixes
check 'functions fit a screen' function_lengths
check 'files are short' file_lengths
check 'shellcheck is content' shells
check 'no stray white space' whitespace
check 'no leftovers' leftovers
check 'links in documents lead somewhere' links
