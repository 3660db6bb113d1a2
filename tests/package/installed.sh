#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# installed.sh SOURCE BUILD WORK CXX: installs the build tree, moves what was installed to another
# place, and uses it from there: by find_package, by pkg-config, and by its program.
set -euo pipefail
source=$1 build=$2 work=$3 cxx=$4
model=$source/examples/models/swin picture=$source/examples/images/ship.jpg

fail() {
  echo "installed.sh: $*" >&2
  exit 1
}

expect_ship() {
  local said
  said=$("$@" "$model" "$picture") || fail "$1 failed"
  [[ $said == "ship says Fovea "* ]] || fail "$1: wanted a ship, found: $said"
}

rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --prefix "$work/first" >"$work/install.log"
mv "$work/first" "$work/moved"
prefix=$work/moved

# Nothing in there may remember where it was made.
packages=$(find "$prefix" -name '*.cmake' -o -name '*.pc')
[[ -n $packages ]] || fail "neither a CMake package nor a pkg-config file was installed"
# shellcheck disable=SC2086
if grep -nF -e "$source" -e "$build" -e "$work/first" $packages; then
  fail "the packages contain paths of the build"
fi

cmake -S "$source/tests/package/consumer" -B "$work/by_cmake" -G Ninja \
  -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$cxx" >"$work/configure.log"
cmake --build "$work/by_cmake" >"$work/build.log" || fail "$(cat "$work/build.log")"
expect_ship "$work/by_cmake/consumer"

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name fovea.pc)")
export PKG_CONFIG_PATH
read -ra flags <<<"$(pkg-config --cflags --libs fovea)"
"$cxx" -std=c++20 "$source/tests/package/consumer/main.cc" "${flags[@]}" \
  -Wl,-rpath,"$(pkg-config --variable=libdir fovea)" -o "$work/by_pkg_config"
expect_ship "$work/by_pkg_config"

if [[ -f $build/fovea ]]; then
  "$prefix/bin/fovea" classify --model "$model" "$picture" | grep -q ship ||
    fail "the installed fovea does not recognise a ship"
fi
