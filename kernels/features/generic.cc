// SPDX-License-Identifier: Apache-2.0
#define FOVEA_ISA generic
#include "kernels/features/feature_rows.h"
