// SPDX-License-Identifier: Apache-2.0
//
// A network out of Fovea's blocks: a MetaFormer (arXiv:2111.11418) that mixes tokens by pooling, by
// a mixer written here and by attention in shifted windows. It runs on generated weights.

#include <cstdio>

#include "fovea/fovea.h"

using namespace fovea;

class GatedConv final : public nn::Mixer {  // our own: proj(conv(x) * sigmoid(gate(x)))
 public:
  GatedConv(const Params& p, int c)
      : backend_(p.backend()),
        conv_(p / "conv", c, c, 7, Conv2dSpec::square(1, 3, c)),
        gate_(p / "gate", c, c),
        proj_(p / "proj", c, c) {}

  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const override {
    const Workspace::Scope scope(ctx.workspace());
    const MapF t = ctx.workspace().map_like(x), gate = ctx.workspace().map_like(x);
    conv_.forward(x, t, ctx);
    gate_.forward(x, gate, ctx, {.act = Activation::Kind::sigmoid});
    backend_.multiply(t, gate, t, ctx);
    proj_.forward(t, y, ctx, epilogue);
  }

 private:
  const Backend& backend_;
  nn::Conv2d conv_;
  nn::Linear gate_, proj_;
};

class Stage {  // x = down(x); x += mixer(norm1(x)); x += mlp(norm2(x))
 public:
  Stage(const Params& p, int in, int c, std::unique_ptr<nn::Mixer> mixer)
      : down_(p / "down", in, c, 3, Conv2dSpec::square(2, 1)),
        norm1_(p / "norm1", c, 1e-5f),
        norm2_(p / "norm2", c, 1e-5f),
        mixer_(std::move(mixer)),
        mlp_(p / "mlp", c, 4 * c) {}

  MapF forward(CMapF image, Context& ctx) const {
    const MapF x = down_.output_map(image, ctx);  // outlives the scope, which is for the rest
    down_.forward(image, x, ctx);
    const Workspace::Scope scope(ctx.workspace());
    const MapF t = ctx.workspace().map_like(x);
    norm1_.forward(x, t, ctx);
    mixer_->forward(t, x, ctx, {.residual = x});
    norm2_.forward(x, t, ctx);
    mlp_.forward(t, x, ctx, {.residual = x});
    return x;
  }

 private:
  nn::Conv2d down_;
  nn::GroupNorm1 norm1_, norm2_;
  std::unique_ptr<nn::Mixer> mixer_;
  nn::Mlp mlp_;
};

class ThreeMixers {
 public:
  ThreeMixers(const Params& p, int classes)
      : backend_(p.backend()),
        pool_(p / 0, 3, 32, std::make_unique<nn::Pooling>(p / 0 / "mixer")),
        conv_(p / 1, 32, 64, std::make_unique<GatedConv>(p / 1 / "mixer", 64)),
        attn_(p / 2, 64, 96, std::make_unique<nn::WindowAttention>(p / 2 / "mixer", 96, kWindows)),
        head_(p / "head", 96, classes) {}

  // image (n, h, w, 3) -> logits (n, 1, 1, classes).
  void forward(CMapF image, MapF logits, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF x = attn_.forward(conv_.forward(pool_.forward(image, ctx), ctx), ctx);
    const MapF pooled = ctx.workspace().map(x.n, 1, 1, x.c);
    backend_.global_average(x, pooled, ctx);
    head_.forward(pooled, logits, ctx);
  }

 private:
  static constexpr nn::WindowOptions kWindows{.heads = 3, .shift_h = 3, .shift_w = 3};
  const Backend& backend_;
  Stage pool_, conv_, attn_;
  nn::Linear head_;
};

int main() {
  const auto backend = make_backend();
  ParamLog wanted, log;
  ThreeMixers(Params(nullptr, *backend, wanted), 10);  // without weights: lists what it asks for
  GeneratedSource weights;
  for (const auto& [name, shape] : wanted.requested) weights.add(name, shape, -0.1, 0.1);
  const ThreeMixers net(Params(&weights, *backend, log), 10);
  Context ctx;
  std::vector<float> image(224 * 224 * 3, 0.5f), logits(10);
  net.forward({image.data(), 1, 224, 224, 3}, {logits.data(), 1, 1, 1, 10}, ctx);
  for (const float v : logits) std::printf("%.4f\n", static_cast<double>(v));
}
