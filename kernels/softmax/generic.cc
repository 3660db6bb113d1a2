// SPDX-License-Identifier: Apache-2.0
#define FOVEA_ISA generic
#include "kernels/softmax/softmax_rows.h"
