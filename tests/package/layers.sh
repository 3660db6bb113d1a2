#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# layers.sh SOURCE: files include only their own floor and those below it, and each library that
# Fovea uses is known to one folder only.
set -euo pipefail
cd "$1"
failures=0

# includes FOLDER...: file:line:included for every include directive below the folders.
includes() {
  find "$@" \( -name '*.h' -o -name '*.cc' -o -name '*.inc' \) -print0 |
    xargs -0 grep -HnE '^[[:space:]]*#[[:space:]]*include' |
    sed -E 's/^([^:]*:[0-9]+):[^<"]*([<"][^>"]*).*/\1:\2/'
}

report() {
  [[ -z $1 ]] || {
    printf '%s:\n%s\n' "$2" "$1" >&2
    failures=1
  }
}

# floor FOLDER REGEX: files of ours that FOLDER may include.
floor() {
  [[ -e $1 ]] || {
    report "$1" "a folder of the rules is gone"
    return
  }
  report "$(includes "$1" | grep -F ':"' | grep -vE ":\"($2)" || true)" \
    "$1 may include $2 and nothing else of ours"
}

floor kernels 'kernels/'
floor include/fovea/core 'fovea/core/'
floor include/fovea/backend 'fovea/(core|backend)/'
floor include/fovea/nn 'fovea/(core|backend|nn)/'
floor include/fovea/models 'fovea/(core|backend|models)/'
floor include/fovea/io 'fovea/(core|io)/|fovea/models/model_args\.h'
floor include/fovea/model.h 'fovea/'
floor src/core 'fovea/core/|src/core/|fovea/backend/backend\.h'
floor src/backend 'fovea/(core|backend)/|src/(core|backend)/|src/isa\.h|kernels/'
floor src/nn 'fovea/(core|backend|nn)/|src/nn/'
floor src/models 'fovea/(core|backend|models)/|src/models/|models/families\.h'
floor src/io 'fovea/(core|io)/|fovea/models/model_args\.h|src/(core|io)/|src/isa\.h|kernels/table\.h'
floor models 'fovea/(core|backend|nn|models)/|models/'
floor fuzz 'fovea/|src/(core|io)/|fuzz/|tests/io/'
floor examples/fovea 'fovea/|[a-z_]+\.h'
for backend in reference eigen onednn portable; do
  report "$(includes "src/backend/$backend" | grep -F ':"kernels/' || true)" \
    "only the native backend knows kernels"
done

# only REGEX FOLDERS: library headers that match are included below these folders only.
only() {
  report "$(includes include src kernels models examples tests bench fuzz | grep -E ":[<\"]($1)" |
    grep -vE "^($2)" || true)" "$1 belongs to $2"
}

only '(oneapi/)?dnnl' 'src/backend/onednn/'
only 'Eigen/' 'src/backend/eigen/'
only 'jpeglib|jerror|png\.h|stb|turbojpeg|webp/' 'src/io/|tests/|bench/pictures/'
only 'nlohmann/' 'src/io/|examples/fovea/|tests/'
only 'CLI/' 'examples/fovea/|tests/'
only '(imm|x86|avx|xmm|emm)[a-z0-9]*intrin' 'kernels/simd/|tests/'
only 'gtest/|gmock/' 'tests/'
only 'benchmark/' 'bench/'

# The examples that teach the library know its umbrella header only.
for example in examples/*.cc; do
  report "$(includes "$example" | grep -F ':"' | grep -vF ':"fovea/fovea.h' || true)" \
    "$example may include fovea/fovea.h only"
done

# Rules that find nothing because grep is broken would pass; this one must find something.
[[ -n $(includes src/backend/native | grep -F ':"kernels/') ]] || report "none" "kernels are unused"
exit "$failures"
