// SPDX-License-Identifier: Apache-2.0
#define FOVEA_ISA generic
#include "kernels/gemm/gemm_tile.h"
