// SPDX-License-Identifier: Apache-2.0
#define FOVEA_ISA generic
#include "kernels/attention/attention_tile.h"
