#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The benchmark itself, on a tar so small that its numbers mean nothing: what it says
# is what was measured, and what it judges is right.

load helpers

bench() { # bench OPTION...
  TMPDIR=$PWD "$ROOT/tests/bench/run.sh" --no-install "$@"
}

# cell TABLE_ROW NUMBER: of the report in $output
cell() {
  awk -F ' *[|] *' -v name="$1" -v at="$2" '$2 == name { print $(at + 2); exit }' <<<"$output"
}

# value NAME EXPRESSION: of the row b that is called NAME in report.json
value() {
  python3 -c 'import json, sys
b = next(b for b in json.load(open("report.json"))["builds"] if b["name"] == sys.argv[1])
print(eval(sys.argv[2]))' "$@"
}

@test "bench: builds, reads small pieces, and reports what it found" {
  require_root
  [ -w /proc/sys/vm/drop_caches ] || skip "needs a writable /proc/sys/vm/drop_caches"
  mkdir -p tree/usr/lib
  text 300000 >tree/usr/lib/one
  text 200000 2 >tree/usr/lib/two
  tar_of tree small.tar
  bench --tar small.tar --corpus root --rows 'mica zstd:3, 6.12' --rows 'mica none' --runs 2 \
    --only build,random --output report.md >out 2>err || fail "$(cat err)"
  output=$(cat report.md)
  "$MICA" mkimage --quiet -z zstd:3 --compat 6.12 same.img small.tar
  [ "$(value 'mica zstd:3, 6.12' 'b["image"]')" = "$(stat -c %s same.img)" ]
  [ "$(value 'mica zstd:3, 6.12' 'len(b["cpu"])')" = 2 ]
  grep -q 'not mounted here' report.md ||
    [ "$(value 'mica none, 6.12' 'len(b["random"])')" = 2 ]
  [ "$(cell 'mica none, 6.12' 1)" = "$(value 'mica none, 6.12' 'format(b["image"] / 1e6, ".1f")')" ]
  python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' report.svg
  grep -q 'mica none, 6.12' report.svg
  ! ls -d mica-bench.* || fail "the work directory stays"
}

@test "bench: ratios and goals are computed from what was measured" {
  cat >given.json <<'E2'
{"facts": {"machine": "M", "versions": {}, "runs": 3, "statistic": "median", "memory_option": true},
 "corpora": {"root": {"bytes": 1000000, "entries": 10, "name_bytes": 90}},
 "builds": [
  {"corpus": "root", "name": "mica zstd:3, 6.12", "program": "mica", "mount": "erofs",
   "image": 960000, "cpu": [9.0, 1.0, 2.0], "wall": [1.0, 1.0, 1.0], "peak": [1048576]},
  {"corpus": "root", "name": "mksquashfs zstd:3", "program": "mksquashfs", "mount": "squashfs",
   "image": 1000000, "cpu": [2.0, 2.0, 2.0], "wall": [2.0, 2.0, 2.0], "peak": [1048576]}],
 "large": {"bytes": 20e9, "entries": 4096, "name_bytes": 0, "wall": 1, "cpu": 1,
  "peak": 537919489, "image": 5}}
E2
  run -0 bench --report given.json
  [ "$(cell 'mica zstd:3, 6.12' 2)" = 0.960 ]
  [ "$(cell 'mica zstd:3, 6.12' 4)" = 1.00 ]
  [ "$(cell 'root: image, mica zstd:3, 6.12 / mksquashfs zstd:3' 3)" = yes ]
  [ "$(cell 'root: cpu, mica zstd:3, 6.12 / mksquashfs zstd:3' 2)" = 1.000 ]
  [ "$(cell 'root: cpu, mica zstd:3, 6.12 / mksquashfs zstd:3' 3)" = '**no**' ]
  [ "$(cell 'root: wall, mica zstd:3, 6.12 / mksquashfs zstd:3' 3)" = yes ]
  [ "$(cell 'a stream of 20 GB: peak memory' 1)" = '<= 513 MiB' ] ||
    fail "$(cell 'a stream of 20 GB: peak memory' 1)"
  # by one byte
  [ "$(cell 'a stream of 20 GB: peak memory' 3)" = '**no**' ]
  [ "$(cell 'two workers against one' 2)" = 'not measured' ]
  sed -i 's/"statistic": "median"/"statistic": "min"/' given.json
  run -0 bench --report given.json
  [ "$(cell 'root: cpu, mica zstd:3, 6.12 / mksquashfs zstd:3' 2)" = 0.500 ]
}

@test "bench: a start is recorded, laid out in order, decoded ahead, and measured" {
  require_root
  require_fuse
  [ -w /proc/sys/vm/drop_caches ] || skip "needs a writable /proc/sys/vm/drop_caches"
  mkdir -p tree/usr/lib tree/etc
  seq 1000 >tree/usr/lib/one
  echo two >tree/etc/two
  tar_of tree small.tar
  bench --tar small.tar --corpus root --runs 2 --only start --output report.md >out 2>err ||
    fail "$(cat err)"
  output=$(cat report.md)
  grep -q '^## A start: 2 files of root' report.md
  for row in mica 'mica, prefetch' 'mica, order' 'mica, order and prefetch'; do
    [[ $(cell "$row" 1) =~ ^[0-9.]+$ ]] || fail "row $row: $(cell "$row" 1)"
  done
  [ "$(cell mica 2)" = 1.00 ]
  ! grep -q "$PWD/mica-bench" /proc/mounts || fail "something stays mounted"
}

@test "bench: stacks are mounted, read, written and emptied, and judged by what was measured" {
  require_root
  require_fuse
  [ -w /proc/sys/vm/drop_caches ] || skip "needs a writable /proc/sys/vm/drop_caches"
  mkdir -p tree/usr/lib tree/etc
  seq 1000 >tree/usr/lib/one
  echo two >tree/etc/two
  tar_of tree small.tar
  bench --tar small.tar --corpus root --runs 2 --only overlay --output report.md >out 2>err ||
    fail "$(cat err)"
  output=$(cat report.md)
  # 5 entries in the tree, 2 below usr; the row of mica has a number in each column
  grep -q '| unpack 5 files | remove 2 below |' report.md
  for column in 1 2 3 4 5 6 7; do
    [[ $(cell mica $column) =~ ^[0-9.]+$ ]] || fail "column $column: $(cell mica $column)"
  done
  ! grep -q "$PWD/mica-bench" /proc/mounts || fail "something stays mounted"
  cat >given.json <<'E3'
{"facts": {"machine": "M", "versions": {}, "runs": 1, "statistic": "median", "memory_option": true},
 "corpora": {"root": {"bytes": 1000000, "entries": 10, "name_bytes": 90}},
 "overlay": [{"corpus": "root", "files": 5, "removed": 2}],
 "stacks": [
  {"corpus": "root", "name": "mica", "walk": [1.0], "unpack": [2.0], "remove": [1.0]},
  {"corpus": "root", "name": "fuse-overlayfs over a directory", "walk": [9.0], "unpack": [7.0]},
  {"corpus": "root", "name": "newer fuse-overlayfs over a directory", "walk": [0.5],
   "unpack": [8.0], "remove": [4.0]}]}
E3
  run -0 bench --report given.json
  local goal="mica / fuse-overlayfs over a directory"
  [ "$(cell "root, stacked: stat walk, cold, $goal" 2)" = 2.000 ]
  [ "$(cell "root, stacked: unpacking small files, $goal" 2)" = 0.286 ]
  [ "$(cell "root, stacked: unpacking small files, $goal" 3)" = '**no**' ]
  [ "$(cell "root, stacked: removing what lies below, $goal" 3)" = yes ]
}
