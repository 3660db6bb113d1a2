// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "fovea/core/params.h"
#include "src/io/pickle_document.h"

namespace fovea {

struct StateDict {
  PickleId dict = 0;
  CheckpointSummary summary;  // but for the format
};

// The dict of tensors that a checkpoint is about. With an empty `key`, the first of these that has
// tensors: state_dict_ema, model_ema, ema, state_dict, model - as timm looks for them, within each
// other too; the top; the only place that has any. Otherwise the dict that `key` names.
// Throws Error (file) when there is none, Error (argument) when it is not where `key` says.
StateDict find_state_dict(const PickleDocument& document, const std::string& key,
                          const std::string& file);

}  // namespace fovea
