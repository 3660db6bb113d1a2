#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# subdirectory.sh SOURCE WORK CXX [LAUNCHER]: another project takes Fovea in by add_subdirectory and
# builds it as a shared library, without optimisation; the program runs, then what that build
# installs is used too.
set -euo pipefail
source=$1 work=$2 cxx=$3 launcher=${4:-}
here=$source/tests/package

cmake -S "$here/consumer" -B "$work" -G Ninja -DFOVEA_SOURCE="$source" -DBUILD_SHARED_LIBS=ON \
  -DFOVEA_INSTALL=ON -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 \
  -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher"
cmake --build "$work"
"$work/consumer" "$source/examples/models/swin" "$source/examples/images/ship.jpg" | grep ship
# Unoptimised object files are where inline functions survive as weak symbols.
kernels=$(find "$work" -path '*/fovea_kernels.dir/*.cc.o' | paste -sd,)
cmake -DNM=nm -DOBJECTS="$kernels" -P "$source/tests/kernels/weak_symbols.cmake"
"$here/installed.sh" "$source" "$work" "$work/installed" "$cxx"
