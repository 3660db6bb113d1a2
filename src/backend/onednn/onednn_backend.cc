// SPDX-License-Identifier: Apache-2.0
// Linear layers, convolutions, layer normalisation and softmax by oneDNN's primitives, the products
// inside of attention by its sgemm, everything else portable.
#include <algorithm>
#include <limits>

#include "src/backend/backends.h"
#include "src/backend/float_packed.h"
#include "src/backend/onednn/plans.h"
#include "src/backend/portable/portable_backend.h"

namespace fovea {
namespace onednn {
namespace {

using Memory = dnnl::memory;
using Desc = Memory::desc;
using Tag = Memory::format_tag;
constexpr auto kFloat = Memory::data_type::f32;
constexpr auto kInference = dnnl::prop_kind::forward_inference;

// Weights as the checkpoint has them, and once more in every layout that a primitive asked for.
struct Weights final : FloatPacked {
  Weights(FloatBuffer w, Desc plain_desc) : FloatPacked(std::move(w)), plain(plain_desc) {}

  std::size_t bytes() const override {
    const std::lock_guard lock(mutex);
    std::size_t total = FloatPacked::bytes();
    for (const auto& memory : packed) total += memory->get_desc().get_size();
    return total;
  }

  // These values in the layout `wanted`.
  const Memory* in_layout(const Desc& wanted, const dnnl::engine& engine) const {
    const std::lock_guard lock(mutex);
    for (const auto& memory : packed) {
      if (memory->get_desc() == wanted) return memory.get();
    }
    Memory source(plain, engine, const_cast<float*>(float_values(*this)));
    auto result = std::make_unique<Memory>(wanted, engine);
    dnnl::stream stream(engine);
    dnnl::reorder(source, *result).execute(stream, source, *result);
    stream.wait();
    packed.push_back(std::move(result));
    return packed.back().get();
  }

  Desc plain;
  mutable PlanCache plans;
  mutable std::mutex mutex;
  mutable std::vector<std::unique_ptr<Memory>> packed;
};

const Weights& weights_of(const Packed& w) { return static_cast<const Weights&>(w); }

// The activations that oneDNN has too; false for the others.
bool append_activation(const Activation& act, dnnl::post_ops& ops) {
  using Kind = Activation::Kind;
  switch (act.kind) {
    case Kind::none:
      return true;
    case Kind::relu:
      append_eltwise(ops, dnnl::algorithm::eltwise_relu, 0.0f);
      return true;
    case Kind::gelu:
      append_eltwise(ops, dnnl::algorithm::eltwise_gelu_erf, 0.0f);
      return true;
    case Kind::gelu_tanh:
      append_eltwise(ops, dnnl::algorithm::eltwise_gelu_tanh, 0.0f);
      return true;
    case Kind::quick_gelu:
      append_eltwise(ops, dnnl::algorithm::eltwise_swish, 1.702f);
      return true;
    case Kind::silu:
      append_eltwise(ops, dnnl::algorithm::eltwise_swish, 1.0f);
      return true;
    case Kind::sigmoid:
      append_eltwise(ops, dnnl::algorithm::eltwise_logistic, 0.0f);
      return true;
    case Kind::tanh:
      append_eltwise(ops, dnnl::algorithm::eltwise_tanh, 0.0f);
      return true;
    case Kind::star_relu:
      return false;
  }
  return false;
}

// What the primitive does of an epilogue, and what apply() does after it.
struct Split {
  explicit Split(const Epilogue& e) : rest(e) {
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    dnnl::post_ops ops;
    if (append_activation(e.act, ops)) {
      fused = e.act.kind;
      rest.act = {};
      attr.set_post_ops(ops);
    }
    rest.bias = nullptr;
  }
  bool complete() const {
    return rest.act.kind == Activation::Kind::none && rest.scale == nullptr &&
           rest.residual.empty();
  }

  dnnl::primitive_attr attr;
  Activation::Kind fused = Activation::Kind::none;
  Epilogue rest;
};

Desc rows_desc(std::ptrdiff_t rows, int c, std::ptrdiff_t ld) {
  return Desc({rows, c}, kFloat, Memory::dims{ld, 1});
}

Desc image_desc(const CMapF& x) { return Desc({x.n, x.c, x.h, x.w}, kFloat, Tag::nhwc); }

class OneDnnBackend final : public PortableBackend {
 public:
  std::string_view name() const override { return "onednn"; }

 protected:
  std::unique_ptr<Packed> do_pack_linear(const Tensor& w, const PackTools&) const override {
    return translated("pack_linear", [&] {
      return std::make_unique<Weights>(w.to_floats(),
                                       Desc({w.shape()[1], w.shape()[0]}, kFloat, Tag::ba));
    });
  }

  std::unique_ptr<Packed> do_pack_conv2d(const Tensor& w, const Conv2dSpec& spec,
                                         const PackTools&) const override {
    return translated("pack_conv2d", [&] {
      return std::make_unique<Weights>(w.to_floats(), conv_weights(w.shape(), spec, true));
    });
  }

  void do_linear(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                 Context& ctx) const override {
    translated("linear", [&] {
      const OpenMpThreads threads(ctx.threads());
      compute(epilogue, y, ctx, [&](const Split& split, const MapF& to) {
        const Weights& weights = weights_of(w);
        const PlanKey key{
            x.rows(),     x.ld, to.ld, static_cast<int>(split.fused), epilogue.bias != nullptr,
            ctx.threads()};
        const Plan& plan = weights.plans.find(
            key, [&] { return plan_linear(x, weights, split, epilogue.bias != nullptr, to); });
        run_layer(plan, x.data, epilogue.bias, to.data, ctx);
      });
    });
  }

  void do_conv2d(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                 Context& ctx) const override {
    translated("conv2d", [&] {
      const OpenMpThreads threads(ctx.threads());
      const Workspace::Scope scope(ctx.workspace());
      const CMapF in = x.ld == x.c ? x : copied(x, ctx);
      // Its convolutions want dense maps: others are slow references or absent.
      const MapF out = y.ld == y.c ? y : ctx.workspace().map_like(y);
      const auto convolve = [&](const Split& split, const MapF& to) {
        const Weights& weights = weights_of(w);
        const PlanKey key{
            in.n,         in.h, in.w, static_cast<int>(split.fused), epilogue.bias != nullptr,
            ctx.threads()};
        const Plan& plan = weights.plans.find(
            key, [&] { return plan_conv2d(in, weights, split, epilogue.bias != nullptr, to); });
        run_layer(plan, in.data, epilogue.bias, to.data, ctx);
      };
      if (y.ld == y.c) {
        compute(epilogue, y, ctx, convolve);
      } else {
        const Split split(epilogue);
        convolve(split, out);
        do_apply(out, split.rest, y, ctx);
      }
    });
  }

  void do_layer_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const override {
    if (x.ld != x.c || y.ld != y.c) return PortableBackend::do_layer_norm(x, norm, y, ctx);
    translated("layer_norm", [&] {
      const bool scale = norm.weight != nullptr, shift = norm.bias != nullptr;
      const PlanKey key{1,     x.rows(), x.c,          __builtin_bit_cast(std::int32_t, norm.eps),
                        scale, shift,    ctx.threads()};
      const OpenMpThreads threads(ctx.threads());
      const Plan& plan = plans_.find(key, [&] {
        auto flags = dnnl::normalization_flags::none;
        if (scale) flags = flags | dnnl::normalization_flags::use_scale;
        if (shift) flags = flags | dnnl::normalization_flags::use_shift;
        const auto pd = describe_layer_norm(engine_, Split({}).attr, rows_desc(x.rows(), x.c, x.c),
                                            norm.eps, flags);
        const Desc vector({x.c}, kFloat, Tag::a);
        return Plan{dnnl::layer_normalization_forward(pd),
                    pd.src_desc(),
                    vector,
                    vector,
                    pd.dst_desc(),
                    pd.scratchpad_desc(),
                    nullptr};
      });
      std::unordered_map<int, Memory> args;
      if (scale) args.emplace(DNNL_ARG_SCALE, memory(plan.weights, norm.weight));
      if (shift) args.emplace(DNNL_ARG_SHIFT, memory(plan.bias, norm.bias));
      run(plan, std::move(args), x.data, y.data, ctx);
    });
  }

  void do_softmax(CMapF x, MapF y, Context& ctx) const override {
    if (x.ld != x.c || y.ld != y.c) return PortableBackend::do_softmax(x, y, ctx);
    translated("softmax", [&] {
      const PlanKey key{2, x.rows(), x.c, ctx.threads()};
      const OpenMpThreads threads(ctx.threads());
      const Plan& plan = plans_.find(key, [&] {
        const Desc rows = rows_desc(x.rows(), x.c, x.c);
        const auto pd =
            describe<Softmax>(engine_, Split({}).attr, kInference,
                              dnnl::algorithm::softmax_accurate, rows, rows, /*axis=*/1);
        return Plan{Softmax(pd),   pd.src_desc(),        {},     {},
                    pd.dst_desc(), pd.scratchpad_desc(), nullptr};
      });
      run(plan, {}, x.data, y.data, ctx);
    });
  }

  void matmul(int m, int n, int k, float alpha, const float* a, std::ptrdiff_t lda, const float* b,
              std::ptrdiff_t ldb, bool transposed, float* c, std::ptrdiff_t ldc) const override {
    const OpenMpThreads alone(1);
    const dnnl_status_t status =
        dnnl_sgemm('N', transposed ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, 0.0f, c, ldc);
    if (status == dnnl_success) return;
    // Out of memory, inside a region that must not throw: let nobody take this for a result.
    for (int i = 0; i < m; ++i)
      std::fill_n(c + i * ldc, n, std::numeric_limits<float>::quiet_NaN());
  }

 private:
  Memory memory(const Desc& desc, const float* data) const {
    return Memory(desc, engine_, const_cast<float*>(data));
  }

  CMapF copied(const CMapF& x, Context& ctx) const {
    const MapF dense = ctx.workspace().map_like(x);
    do_apply(x, {}, dense, ctx);
    return dense;
  }

  // run(split, to) puts the primitive's part of the epilogue into `to`; apply() does the rest.
  template <class Run>
  void compute(const Epilogue& epilogue, const MapF& y, Context& ctx, const Run& run) const {
    const Split split(epilogue);
    const Workspace::Scope scope(ctx.workspace());
    // A residual in y is still needed when the primitive has written its part.
    const bool apart = !epilogue.residual.empty() && epilogue.residual.data == y.data;
    const MapF to = apart ? ctx.workspace().map_like(y) : y;
    run(split, to);
    if (!split.complete()) do_apply(to, split.rest, y, ctx);
  }

  // Plans are made under the number of threads that will execute them: it sizes their scratchpad.
  Plan plan_linear(const CMapF& x, const Weights& w, const Split& split, bool bias,
                   const MapF& y) const {
    const Desc src = rows_desc(x.rows(), x.c, x.ld), dst = rows_desc(y.rows(), y.c, y.ld);
    const Desc any({x.c, y.c}, kFloat, Tag::any);
    const Desc bias_desc({1, y.c}, kFloat, Tag::ab);
    const auto pd = bias ? describe<dnnl::matmul>(engine_, split.attr, src, any, bias_desc, dst)
                         : describe<dnnl::matmul>(engine_, split.attr, src, any, dst);
    return {dnnl::matmul(pd),
            src,
            pd.weights_desc(),
            bias_desc,
            dst,
            pd.scratchpad_desc(),
            w.in_layout(pd.weights_desc(), engine_)};
  }

  // (out, in, kernel_h, kernel_w), with the groups in front when there are several.
  static Desc conv_weights(const Shape& s, const Conv2dSpec& spec, bool plain) {
    if (spec.groups == 1) return Desc(s, kFloat, plain ? Tag::oihw : Tag::any);
    return Desc({spec.groups, s[0] / spec.groups, s[1], s[2], s[3]}, kFloat,
                plain ? Tag::goihw : Tag::any);
  }

  Plan plan_conv2d(const CMapF& x, const Weights& w, const Split& split, bool bias,
                   const MapF& y) const {
    const Conv2dSpec& s = w.conv;
    const Desc any =
        conv_weights({w.out, w.in / s.groups, w.kernel_h, w.kernel_w}, s, /*plain=*/false);
    const Desc bias_desc({y.c}, kFloat, Tag::a);
    const Memory::dims strides{s.stride_h, s.stride_w}, pad{s.pad_h, s.pad_w};
    const Memory::dims dilates{s.dilation_h - 1, s.dilation_w - 1};  // oneDNN counts from 0
    // Direct: Winograd's transforms lose digits.
    constexpr auto kDirect = dnnl::algorithm::convolution_direct;
    using Convolution = dnnl::convolution_forward;
    const auto pd =
        bias ? describe<Convolution>(engine_, split.attr, kInference, kDirect, image_desc(x), any,
                                     bias_desc, image_desc(y), strides, dilates, pad, pad)
             : describe<Convolution>(engine_, split.attr, kInference, kDirect, image_desc(x), any,
                                     image_desc(y), strides, dilates, pad, pad);
    return {Convolution(pd),
            pd.src_desc(),
            pd.weights_desc(),
            bias_desc,
            pd.dst_desc(),
            pd.scratchpad_desc(),
            w.in_layout(pd.weights_desc(), engine_)};
  }

  void run_layer(const Plan& plan, const float* x, const float* bias, float* y,
                 Context& ctx) const {
    std::unordered_map<int, Memory> args{{DNNL_ARG_WEIGHTS, *plan.packed}};
    if (bias != nullptr) args.emplace(DNNL_ARG_BIAS, memory(plan.bias, bias));
    run(plan, std::move(args), x, y, ctx);
  }

  void run(const Plan& plan, std::unordered_map<int, Memory> args, const float* x, float* y,
           Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    args.emplace(DNNL_ARG_SRC, memory(plan.src, x));
    args.emplace(DNNL_ARG_DST, memory(plan.dst, y));
    if (plan.scratchpad.get_size() > 0) {
      args.emplace(DNNL_ARG_SCRATCHPAD, Memory(plan.scratchpad, engine_,
                                               ctx.workspace().bytes(plan.scratchpad.get_size())));
    }
    dnnl::stream stream(engine_);
    plan.primitive.execute(stream, args);
    stream.wait();
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  mutable PlanCache plans_;  // of what has no weights of its own to keep them
};

}  // namespace
}  // namespace onednn

std::shared_ptr<const Backend> make_onednn_backend() {
  return onednn::translated("engine", [] { return std::make_shared<onednn::OneDnnBackend>(); });
}

}  // namespace fovea
