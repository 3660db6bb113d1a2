// SPDX-License-Identifier: Apache-2.0
#define FOVEA_ISA avx512
#include "kernels/attention/attention_tile.h"
