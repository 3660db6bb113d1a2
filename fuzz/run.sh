#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD SECONDS [TARGET...]: runs the libFuzzer programs of a build, as many at a time as there
# are cores, each for its share of SECONDS of wall time; without targets, all. Corpora stay in
# BUILD/corpus from run to run. Prints a table; fails on a finding and says where the file is that
# shows it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1 seconds=$2
shift 2

mapfile -t targets < <(sed -nE 's/^FOVEA_FUZZ_TARGET\(([a-z0-9_]+)\)$/\1/p' "$here/targets.inc")
if (($#)); then
  for target in "$@"; do
    [[ " ${targets[*]} " == *" $target "* ]] || {
      echo "there is no target \"$target\"; there are: ${targets[*]}" >&2
      exit 2
    }
  done
  targets=("$@")
fi
jobs=$(nproc)
rounds=$(((${#targets[@]} + jobs - 1) / jobs))
share=$((seconds / rounds > 0 ? seconds / rounds : 1))

# fuzz TARGET: one program, its messages in BUILD/logs/TARGET.
fuzz() {
  local target=$1 dictionary length=4096
  case $target in
    safetensors) dictionary=safetensors ;;
    jpeg*) dictionary=jpeg ;;
    png*) dictionary=png ;;
    torch*) dictionary=pickle ;;
    webp | bmp | pnm) dictionary=picture ;;
    exif) dictionary=exif length=512 ;;
    *) dictionary=json length=2048 ;;
  esac
  mkdir -p "$build/corpus/$target" "$build/seeds/$target" "$build/findings/$target"
  "$build/fuzz/fuzz_replay" --seeds "$target" "$build/seeds/$target"
  local folders=("$build/corpus/$target" "$build/seeds/$target")
  [[ ! -d $here/../tests/data/fuzz/$target ]] || folders+=("$here/../tests/data/fuzz/$target")
  # Where blocks come from is recorded to two levels: it costs more than the readers themselves.
  export ASAN_OPTIONS=malloc_context_size=2:quarantine_size_mb=16
  # Targets that read from a folder write their input there first.
  [[ ! -w /dev/shm ]] || export TMPDIR=/dev/shm
  # A file of 4 kB justifies no allocation near 64 MB: see the multiples in the readers' headers.
  "$build/fuzz/fuzz_$target" "${folders[@]}" -dict="$here/$dictionary.dict" -max_len="$length" \
    -max_total_time="$share" -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=64 \
    -artifact_prefix="$build/findings/$target/" -print_final_stats=1 -verbosity=1 \
    >"$build/logs/$target" 2>&1 || true
}
export -f fuzz
export build share here
mkdir -p "$build/logs"
printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I {} bash -c 'fuzz {}'

# last LOG REGEX: what the last match of REGEX in LOG captures.
last() {
  sed -nE "s/.*$2.*/\1/p" "$1" | tail -n 1
}

printf '%-14s %12s %9s %9s %9s\n' target executions exec/s coverage findings
total=0 failures=0
for target in "${targets[@]}"; do
  log=$build/logs/$target
  executions=$(last "$log" 'stat::number_of_executed_units: ([0-9]+)')
  rate=$(last "$log" 'stat::average_exec_per_sec: +([0-9]+)')
  findings=$(find "$build/findings/$target" -type f | wc -l)
  if ! grep -q '^Done ' "$log" || ((findings)); then failures=$((failures + 1)); fi
  printf '%-14s %12s %9s %9s %9s\n' "$target" "${executions:--}" "${rate:--}" \
    "$(last "$log" 'cov: ([0-9]+)')" "$findings"
  total=$((total + ${executions:-0}))
done
printf '%-14s %12s\n' total "$total"
((failures == 0)) || {
  echo "findings:" >&2
  find "$build/findings" -type f >&2
  for target in "${targets[@]}"; do
    grep -q '^Done ' "$build/logs/$target" || echo "$target ended early: $build/logs/$target" >&2
  done
  exit 1
}
