// SPDX-License-Identifier: Apache-2.0
#define FOVEA_ISA avx512
#include "kernels/probe/probe_chains.h"
