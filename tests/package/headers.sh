#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# headers.sh SOURCE BUILD CXX: every public header compiles alone, twice in a row, without a warning.
set -euo pipefail
source=$1 build=$2 cxx=$3

check() {
  local header=$1
  printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
    "$cxx" -std=c++20 -fsyntax-only -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror \
      -I "$source/include" -I "$build/include" -x c++ - || {
    echo "$header does not compile alone" >&2
    return 1
  }
}
export -f check
export source build cxx

headers=$(cd "$source/include" && find fovea -name '*.h' | sort)
[[ -n $headers ]]
xargs -n 1 -P "$(nproc)" bash -c 'check "$0"' <<<"$headers"
echo "$(wc -l <<<"$headers") headers"
