// SPDX-License-Identifier: Apache-2.0
#define FOVEA_ISA avx2
#include "kernels/features/feature_rows.h"
