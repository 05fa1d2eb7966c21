#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh [--full] [--no-install] [--only PART...]: builds mica, runs its tests
# and ends with one line "N passed, N failed, N skipped". Needs root.
#
# Parts: build lint unit bats random debian13 asan tsan full, or the name of a bats file. The
# part "asan" is unit, bats and random again with a sanitizer build.
# SEEDS=FIRST-LAST chooses the random trees, JOBS=N how many parts run at once,
# LOGS=DIR where their output is kept.
set -uo pipefail

cd "$(dirname "$0")/.." || exit 1
# what would change what the tools below do
unset SOURCE_DATE_EPOCH TAR_OPTIONS GZIP XZ_OPT XZ_DEFAULTS ZSTD_CLEVEL ZSTD_NBTHREADS
umask 022
ROOT=$PWD
LOGS=${LOGS:-$ROOT/build/test-logs}
JOBS=${JOBS:-$(nproc)}
full=false install=true only=()
passed=0 failed=0 skipped=0
running=0

usage() {
  sed -n '3,9s/^# \?//p' "$0"
}

while [ $# -gt 0 ]; do
  case $1 in
  --full) full=true ;;
  --no-install) install=false ;;
  --only)
    shift
    while [ $# -gt 0 ] && [[ $1 != --* ]]; do
      only+=("$1")
      shift
    done
    continue
    ;;
  --help | -h)
    usage
    exit 0
    ;;
  *)
    usage >&2
    exit 2
    ;;
  esac
  shift
done
for name in "${only[@]}"; do
  case $name in
  build | lint | unit | bats | random | debian13 | asan | tsan | full) ;;
  *)
    [ -f "tests/bats/$name.bats" ] || {
      echo "run.sh: there is no part '$name'" >&2
      exit 2
    }
    ;;
  esac
done
if [ "$(id -u)" != 0 ]; then
  echo 'run.sh: the tests mount images and make devices: run them as root' >&2
  exit 2
fi
if $full; then SEEDS=${SEEDS:-1-2000}; else SEEDS=${SEEDS:-1-200}; fi

# wanted PART: no --only, or it names the part
wanted() {
  local name
  [ ${#only[@]} = 0 ] && return 0
  for name in "${only[@]}"; do
    [ "$name" = "$1" ] && return 0
  done
  return 1
}

# --- counting ----------------------------------------------------------------

# part_count NAME: prints and sums up what the part's log holds
part_count() {
  local log=$LOGS/$1.tap status seconds good bad skip
  read -r status seconds <"$LOGS/$1.status"
  read -r good bad skip < <(awk -v status="$status" -f tests/tap.awk "$log")
  passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skip))
  printf '== %-22s %5d passed, %d failed, %d skipped (%d s)\n' "$1" "$good" "$bad" "$skip" "$seconds"
  grep -iE '^ok .*# *skip' "$log" | sed -E 's/^ok [0-9]+ (- )?/     skipped: /'
  if [ "$bad" -gt 0 ]; then
    # each failed case with the comments that explain it
    awk '/^not ok/ { show = 1; print; next } /^(ok|[0-9]+\.\.)/ { show = 0 } show' "$log" |
      head -n 150 | sed 's/^/     /'
    grep -q '^not ok' "$log" || tail -n 40 "$log" | sed 's/^/     /'
    [ "$status" = 0 ] || echo "     exit status $status, all output in $log"
  fi
}

part_run() {
  local name=$1 status=0 start=$SECONDS
  shift
  "$@" >"$LOGS/$name.tap" 2>&1 </dev/null || status=$?
  echo "$status $((SECONDS - start))" >"$LOGS/$name.status"
}

# part NAME COMMAND...: runs a part beside others and counts it when it is done
part() {
  local name=$1
  if [ "$running" -ge "$JOBS" ]; then part_wait; fi
  echo "-- $name"
  part_run "$@" &
  names[$!]=$name
  running=$((running + 1))
}

declare -A names=()

part_wait() {
  local pid
  wait -n -p pid
  [ -n "${pid:-}" ] || return 0
  running=$((running - 1))
  part_count "${names[$pid]}"
  unset "names[$pid]"
}

parts_wait() {
  while [ "$running" -gt 0 ]; do part_wait; done
}

# part_now NAME COMMAND...: a part that others wait for; fails as the command does
part_now() {
  echo "-- $1"
  part_run "$@"
  part_count "$1"
  [ "$(cut -d' ' -f1 "$LOGS/$1.status")" = 0 ]
}

# --- parts -------------------------------------------------------------------

# build_tap DIR OPTION...: a build in which a warning is an error
build_tap() {
  local dir=$ROOT/build/$1
  shift
  if [ -f "$dir/build.ninja" ]; then
    meson configure "$dir" "$@" || return
  else
    rm -rf "$dir"
    meson setup "$dir" -Dwerror=true "$@" || return
  fi
  meson compile -C "$dir" || return
  echo "ok 1 build/${dir##*/} has no warning"
}

clang_tap() {
  CC=clang build_tap test-clang
}

# unit_tap DIR: every test that meson knows, in DIR
unit_tap() {
  local name command output status
  export CMOCKA_MESSAGE_OUTPUT=TAP
  while IFS=$'\t' read -r name command; do
    status=0
    output=$(cd "$1" && eval "timeout 600 $command" 2>&1) || status=$?
    if grep -qE '^(not )?ok' <<<"$output"; then
      # cases carry the name of their program
      sed -E "s/^((not )?ok [0-9]+)( -)?/\\1 $name:/" <<<"$output"
      [ $status = 0 ] || echo "not ok $name: exit status $status"
    elif [ $status = 0 ]; then
      echo "ok $name"
    else
      echo "not ok $name: exit status $status"
      sed 's/^/# /' <<<"$output"
    fi
  done < <(meson introspect --tests "$1" | python3 -c '
import json, shlex, sys
for t in json.load(sys.stdin):
    env = " ".join(f"{k}={shlex.quote(v)}" for k, v in t["env"].items())
    print(t["name"], f"env {env} " + shlex.join(t["cmd"]), sep="\t")')
}

bats_tap() {
  timeout -k 10 1800 bats --tap "$1"
}

# tests_start PREFIX BUILD: unit tests, bats files and random trees of one build
tests_start() {
  local file name
  export MICA=$ROOT/build/$2/mica
  if wanted unit || [ -n "$1" ]; then part "$1unit" unit_tap "build/$2"; fi
  if wanted random || [ -n "$1" ]; then part "$1random" tests/random.sh "$SEEDS"; fi
  for file in tests/bats/*.bats; do
    name=$(basename "$file" .bats)
    if wanted bats || wanted "$name" || [ -n "$1" ]; then part "$1$name" bats_tap "$file"; fi
  done
}

# What sanitizers wrote, also those of a daemon that nobody listened to.
reports_tap() {
  local report number=0
  for report in "$LOGS"/sanitizer/*; do
    [ -f "$report" ] || continue
    number=$((number + 1))
    echo "not ok $number sanitizer report ${report##*/}"
    head -40 "$report" | sed 's/^/# /'
  done
  [ $number != 0 ] || echo 'ok 1 no report of a sanitizer'
}

asan_start() {
  rm -rf "$LOGS/sanitizer"
  mkdir -p "$LOGS/sanitizer"
  export SANITIZED=1
  # A report must not pass for an ordinary failure of the program: status 99.
  export ASAN_OPTIONS="exitcode=99:detect_leaks=1:log_path=$LOGS/sanitizer/asan"
  export UBSAN_OPTIONS="exitcode=99:halt_on_error=1:print_stacktrace=1:log_path=$LOGS/sanitizer/ubsan"
  tests_start asan- test-asan
}

# Threads on the reader, in a build of that alone.
tsan_tap() {
  local dir=$ROOT/build/test-tsan images=$TMPDIR/tsan output status alg
  [ -f "$dir/build.ninja" ] ||
    meson setup "$dir" -Dwerror=true -Db_sanitize=thread -Db_lundef=false || return
  meson compile -C "$dir" api_threads prefetch_test || return
  mkdir "$images"
  for alg in none lz4 zstd; do
    build/test-gcc/mica mkimage --quiet -z $alg -C 32K "$images/$alg" lib || return
  done
  status=0
  output=$(TSAN_OPTIONS=exitcode=99 "$dir/tests/unit/api_threads" -t 6 "$images"/* 2>&1) ||
    status=$?
  [ $status = 0 ] && echo "ok 1 api_threads: $output" || {
    echo 'not ok 1 api_threads'
    sed 's/^/# /' <<<"$output"
  }
  TSAN_OPTIONS=exitcode=99 CMOCKA_MESSAGE_OUTPUT=TAP "$dir/tests/unit/prefetch_test" 2>&1
}

full_start() {
  local file
  for file in tests/full/*.sh; do
    [[ $file == */lib.sh ]] || part "full-$(basename "$file" .sh)" "$file"
  done
}

tree_state() {
  git -c safe.directory='*' status --porcelain 2>/dev/null
}

clean_tap() {
  local left
  echo 1..2
  if [ "$state" = "$(tree_state)" ]; then
    echo 'ok 1 the source tree is as it was'
  else
    echo 'not ok 1 the source tree is as it was'
    diff <(echo "$state") <(tree_state) | sed 's/^/# /'
  fi
  left=$(grep -F " $TMPDIR" /proc/mounts)
  if [ -z "$left" ]; then
    echo 'ok 2 nothing is left mounted'
  else
    echo 'not ok 2 nothing is left mounted'
    sed 's/^/# /' <<<"$left"
  fi
}

leave() {
  local dir
  grep -F " $TMPDIR" /proc/mounts | cut -d' ' -f2 | tac | while read -r dir; do
    umount -l "$(printf '%b' "$dir")"
  done
  rm -rf --one-file-system "$TMPDIR"
}

# --- the run -----------------------------------------------------------------

if $install; then
  tests/install.sh test || exit 1
  if $full || { [ ${#only[@]} -gt 0 ] && wanted full; }; then tests/install.sh full || exit 1; fi
fi
rm -rf "$LOGS"
mkdir -p "$LOGS"
state=$(tree_state)
TMPDIR=$(mktemp -d "${TMPDIR:-/var/tmp}/mica-test.XXXXXX") || exit 1
chmod 755 "$TMPDIR" # tests that become another user look into it
export TMPDIR TOOLS=$ROOT/build/test-gcc/tests/tools LC_ALL=C.UTF-8
trap leave EXIT

if part_now build-gcc build_tap test-gcc; then
  if wanted build; then part build-clang clang_tap; fi
  if wanted lint; then part lint tests/lint.sh build/test-gcc; fi
  if wanted tsan; then part tsan tsan_tap; fi
  if wanted debian13; then part debian13 tests/debian13.sh; fi
  tests_start '' test-gcc
  if $full || { [ ${#only[@]} -gt 0 ] && wanted full; }; then full_start; fi
  parts_wait
  if wanted asan; then
    if part_now build-asan build_tap test-asan -Db_sanitize=address,undefined -Db_lundef=false \
      -Doptimization=1; then
      asan_start
      parts_wait
      part_now asan-reports reports_tap
    fi
  fi
fi
part_now clean clean_tap
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
