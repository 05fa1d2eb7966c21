# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # whoever reads this uses them
# What the parts of the full tier share: cases in TAP.

number=0 failed=0

# check NAME COMMAND...: one case
check() {
  local name=$1 output
  shift
  number=$((number + 1))
  if output=$("$@" 2>&1); then
    echo "ok $number $name"
  else
    failed=1
    echo "not ok $number $name"
    head -c 4000 <<<"$output" | sed 's/^/# /'
  fi
}
