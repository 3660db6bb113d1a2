// SPDX-License-Identifier: Apache-2.0
// Blocks at the sizes of real networks, for every backend that could be fast and number of threads.
#include <tuple>
#include <utility>

#include "bench/blocks/block_bench.h"

namespace fovea::bench {
namespace {

// Generated weights for whatever names the block asks for.
GeneratedSource weights_of(const Make& make, const Backend& backend) {
  ParamLog log;
  make(Params(nullptr, backend, log));
  GeneratedSource source;
  for (const ParamLog::Entry& entry : log.requested) {
    source.add(entry.name, entry.shape, -0.1, 0.1);
  }
  return source;
}

void run_block(benchmark::State& state, const Block& block, const std::string& backend_name,
               int threads) {
  const auto backend = make_backend(backend_name);
  const GeneratedSource source = weights_of(block.make, *backend);
  ParamLog log;
  const Forward forward = block.make(Params(&source, *backend, log));
  const FloatBuffer x = values(block.in.h * block.in.w, block.in.c);
  FloatBuffer y = values(block.out.h * block.out.w, block.out.c);
  const CMapF in(x.data(), 1, block.in.h, block.in.w, block.in.c);
  const MapF out(y.data(), 1, block.out.h, block.out.w, block.out.c);
  Context ctx(threads);
  forward(in, out, ctx);
  const auto macs = static_cast<double>(ctx.macs());
  // The first forward has measured the workspace, another one touches its final memory.
  forward(in, out, ctx);
  const double seconds = timed(state, CLOCK_MONOTONIC, [&] { forward(in, out, ctx); });
  if (macs > 0) {
    report_flops(state, seconds, 2 * macs, threads);
  } else {
    report_bytes(state, seconds, bytes_of(x) + bytes_of(y), threads);
  }
}

// Depthwise 7 x 7, LayerNorm, MLP with the input added: ConvNeXt (arXiv:2201.03545).
Make convnext_block(int c) {
  return [c](const Params& p) -> Forward {
    struct Parts {
      Parts(const Params& q, int n)
          : conv(q / "conv_dw", n, n, 7, Conv2dSpec::square(1, 3, n)),
            norm(q / "norm", n, 1e-6f),
            mlp(q / "mlp", n, 4 * n) {}
      nn::Conv2d conv;
      nn::LayerNorm norm;
      nn::Mlp mlp;
    };
    auto parts = std::make_shared<const Parts>(p, c);
    return [parts](CMapF x, MapF y, Context& ctx) {
      const Workspace::Scope scope(ctx.workspace());
      const MapF mixed = ctx.workspace().map_like(x);
      parts->conv.forward(x, mixed, ctx);
      parts->norm.forward(mixed, mixed, ctx);
      Epilogue add;
      add.residual = x;
      parts->mlp.forward(mixed, y, ctx, add);
    };
  };
}

std::vector<Block> blocks() {
  std::vector<Block> all;
  for (const GemmShape& s : kGemms) {
    if (std::string(s.name).find("fc1") == std::string::npos) continue;
    const MapShape in{"", 1, s.m, s.k}, out{"", 1, s.m, s.n};
    all.push_back({std::string("linear/") + s.name, in, out, block<nn::Linear>(s.k, s.n)});
    all.push_back({std::string("mlp/") + s.name, in, in, block<nn::Mlp>(s.k, s.n)});
  }
  for (const auto& [name, c, heads] : {std::tuple("vit_base", 768, 12), {"deit_small", 384, 6}}) {
    const MapShape map{"", 1, 197, c};
    nn::AttentionOptions options;
    options.heads = heads;
    all.push_back({std::string("attention/") + name, map, map, block<nn::Attention>(c, options)});
  }
  for (const int level : {0, 1, 2, 3}) {
    const MapShape map{"", 56 >> level, 56 >> level, 96 << level};
    nn::WindowOptions options;
    options.heads = 3 << level;
    const std::string name = "window_attention/swin_tiny/" + std::to_string(level);
    all.push_back({name, map, map, block<nn::WindowAttention>(map.c, options)});
    if (level == 3) continue;  // one window only
    options.shift_h = options.shift_w = 3;
    all.push_back({name + "/shifted", map, map, block<nn::WindowAttention>(map.c, options)});
  }
  for (const MapShape& s : kMaps) {
    if (s.h == 1) continue;
    all.push_back({std::string("convnext_block/") + s.name, s, s, convnext_block(s.c)});
    all.push_back({std::string("pooling/") + s.name, s, s, block<nn::Pooling>(3)});
  }
  const MapShape image{"", 224, 224, 3};
  all.push_back({"patch_embed/vit_base",
                 image,
                 {"", 14, 14, 768},
                 block<nn::Conv2d>(3, 768, 16, Conv2dSpec::square(16, 0))});
  all.push_back({"patch_embed/swin_tiny",
                 image,
                 {"", 56, 56, 96},
                 block<nn::Conv2d>(3, 96, 4, Conv2dSpec::square(4, 0))});
  all.push_back({"patch_embed/poolformer_s12",
                 image,
                 {"", 56, 56, 64},
                 block<nn::Conv2d>(3, 64, 7, Conv2dSpec::square(4, 2))});
  return all;
}

}  // namespace
}  // namespace fovea::bench

int main(int argc, char** argv) {
  namespace bench = fovea::bench;
  std::vector<bench::Block> all = bench::blocks();
  for (const bench::Block& block : bench::growth_blocks()) all.push_back(block);
  for (const bench::Block& block : all) {
    for (const std::string_view backend : fovea::backend_names()) {
      if (backend == "reference") continue;
      if (block.native_only && backend != "native") continue;
      for (const int threads : bench::thread_counts()) {
        if (block.native_only && threads > 1) continue;
        const std::string who(backend);
        auto* const added =
            bench::add(block.name + "/" + who + "/threads:" + std::to_string(threads),
                       [block, who, threads](benchmark::State& state) {
                         bench::run_block(state, block, who, threads);
                       })
                ->UseRealTime()
                ->Unit(benchmark::kMicrosecond);
        if (block.repetitions > 0) added->Repetitions(block.repetitions);
      }
    }
  }
  return bench::run(argc, argv);
}
