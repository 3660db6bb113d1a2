#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# symbols.sh BUILD: the library neither prints nor ends the process.
set -euo pipefail
build=$1

# Builds that other tests make inside this one are of other types, with assertions.
mapfile -t objects < <(find "$build" -path "$build/tests/package" -prune -o \
  -name '*.cc.o' '(' -path '*/fovea.dir/*' -o -path '*/fovea_kernels.dir/*' ')' -print)
((${#objects[@]} > 20)) || {
  echo "symbols.sh: found ${#objects[@]} object files of the library in $build" >&2
  exit 1
}

banned='abort|exit|_exit|_Exit|quick_exit|__assert_fail|__assert|perror|puts|putchar|fputs|fputc'
banned+='|(__)?v?f?printf(_chk)?|fwrite|stdout|stderr|_ZSt4cout|_ZSt4cerr|_ZSt4clog'
used=$(nm -A -u "${objects[@]}" | grep -E " ($banned)(@.*)?$" || true)
if [[ -n $used ]]; then
  printf 'the library refers to functions that print or end the process:\n%s\n' "$used" >&2
  exit 1
fi
echo "${#objects[@]} object files"
