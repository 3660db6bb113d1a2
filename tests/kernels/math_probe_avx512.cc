// SPDX-License-Identifier: Apache-2.0
#define FOVEA_ISA avx512
#include "tests/kernels/math_probe_rows.h"
