// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "fovea/nn/linear.h"

namespace fovea::nn {

struct SwiGluNames {
  std::string_view gate = "w1", value = "w2", out = "w3";
};

// out(silu(gate(x)) * value(x)) (arXiv:2002.05202). Binds three linear layers under the given
// names.
class SwiGlu {
 public:
  SwiGlu(const Params& p, int c, int hidden, bool bias, const SwiGluNames& names = {})
      : backend_(&p.backend()),
        gate_(p / names.gate, c, hidden, bias),
        value_(p / names.value, c, hidden, bias),
        out_(p / names.out, hidden, c, bias) {}

  // x, y (n, h, w, c); the epilogue's residual may be y.
  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue = {}) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF gate = ctx.workspace().map(x.n, x.h, x.w, gate_.out());
    const MapF value = ctx.workspace().map_like(gate);
    gate_.forward(x, gate, ctx, {.act = Activation::Kind::silu});
    value_.forward(x, value, ctx);
    backend_->multiply(gate, value, gate, ctx);
    out_.forward(gate, y, ctx, epilogue);
  }

 private:
  const Backend* backend_;
  Linear gate_, value_, out_;
};

// The same without biases, gate and value in one layer, the gate first. Binds the two names.
class PackedSwiGlu {
 public:
  PackedSwiGlu(const Params& p, int c, int hidden, std::string_view in, std::string_view out)
      : backend_(&p.backend()),
        in_(p / in, c, 2 * hidden, false),
        out_(p / out, hidden, c, false) {}

  // x, y (n, h, w, c); the epilogue's residual may be y.
  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue = {}) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF both = ctx.workspace().map(x.n, x.h, x.w, in_.out());
    in_.forward(x, both, ctx);
    const MapF gate = both.channels(0, out_.in()), value = both.channels(out_.in(), out_.in());
    backend_->multiply(value, gate, value, ctx, Activation::Kind::silu);
    out_.forward(value, y, ctx, epilogue);
  }

 private:
  const Backend* backend_;
  Linear in_, out_;
};

}  // namespace fovea::nn
