// SPDX-License-Identifier: Apache-2.0
#define FOVEA_ISA avx2
#include "kernels/attention/attention_tile.h"
