#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# format.sh SOURCE: every C++ file is as .clang-format says, opens with the licence, has no line over
# 100 columns.  Exit code 77 (skipped) without clang-format 14, whose taste this is.
set -euo pipefail
cd "$1"
mapfile -d '' files < <(find include src kernels models tests examples bench fuzz \
  \( -name '*.h' -o -name '*.cc' -o -name '*.inc' \) -print0)
failures=0
for file in "${files[@]}"; do
  [[ $(head -n 1 "$file") == "// SPDX-License-Identifier: Apache-2.0" ]] || {
    echo "$file: the first line is not the licence" >&2
    failures=1
  }
done
((failures == 0)) || exit 1
clang-format --version 2>/dev/null | grep -q 'version 14\.' || exit 77
printf '%s\0' "${files[@]}" | xargs -0 clang-format --dry-run -Werror
