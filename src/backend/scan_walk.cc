// SPDX-License-Identifier: Apache-2.0
#include "fovea/backend/sequence_ops.h"

namespace fovea {

int scan_runs(const ScanWalk& walk, int h, int w) {
  switch (walk.along) {
    case ScanWalk::Along::rows:
      return 1;  // lines join
    case ScanWalk::Along::snake_rows:
      return h;
    case ScanWalk::Along::columns:
    case ScanWalk::Along::snake_columns:
      return w;
  }
  return 1;
}

ScanRun scan_run(const ScanWalk& walk, int h, int w, int i) {
  if (walk.reversed) i = scan_runs(walk, h, w) - 1 - i;
  ScanRun run;
  switch (walk.along) {
    case ScanWalk::Along::rows:
      run = {0, 1, h * w};
      break;
    case ScanWalk::Along::snake_rows:
      run = {i * w, 1, w};
      break;
    case ScanWalk::Along::columns:
    case ScanWalk::Along::snake_columns:
      run = {i, w, h};
      break;
  }
  const bool snake =
      walk.along == ScanWalk::Along::snake_rows || walk.along == ScanWalk::Along::snake_columns;
  if ((snake && i % 2 == 1) != walk.reversed) {
    run.start += (run.count - 1) * run.stride;
    run.stride = -run.stride;
  }
  return run;
}

}  // namespace fovea
