#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Random layers against a model that applies them from the bottom up.

load helpers

@test "random layers become what a model makes of them" {
  require_root
  require_command python3
  python3 "$BATS_TEST_DIRNAME/layers_model.py" "$MICA" 1 100
}
