// SPDX-License-Identifier: Apache-2.0
#define FOVEA_ISA generic
#include "kernels/scan/scan_steps.h"
