// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/models/registry.h"

namespace fovea::models {

// Each is defined in the file of its name.
extern const ModelFamily kAdventurer;
extern const ModelFamily kAgentCswin;
extern const ModelFamily kAgentDeit;
extern const ModelFamily kAgentPvt;
extern const ModelFamily kAgentSwin;
extern const ModelFamily kConvNeXt;
extern const ModelFamily kConvNeXtTorchvision;  // names that timm has too
extern const ModelFamily kMambaOut;
extern const ModelFamily kMetaFormer;
extern const ModelFamily kMsVMamba;
extern const ModelFamily kMsVMambaV2;
extern const ModelFamily kPlainMamba;
extern const ModelFamily kPoolFormer;  // the authors' own checkpoints and head
extern const ModelFamily kRavlt;
extern const ModelFamily kResVMamba;
extern const ModelFamily kSlab;
extern const ModelFamily kSwin;
extern const ModelFamily kSwinV2;
extern const ModelFamily kVMamba;
extern const ModelFamily kVig;
extern const ModelFamily kVigH;
extern const ModelFamily kVit;
extern const ModelFamily kVssd;

}  // namespace fovea::models
