// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>

#include "fovea/models/backbone.h"
#include "fovea/nn/conv2d.h"
#include "fovea/nn/position_embedding.h"
#include "models/vit_variants.h"

namespace fovea::models {

// The arguments that every network of this plan has.
inline void read_vit_sizes(const ModelArgs& args, VitConfig& c) {
  args.read("img_size", c.img_size);
  args.read("patch_size", c.patch_size, 1, 1024);
  args.read("in_chans", c.in_chans, 1);
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  args.read("embed_dim", c.embed_dim, 1);
  args.read("depth", c.depth, 0, 1024);
  args.read("num_heads", c.num_heads, 1);
  args.read("mlp_ratio", c.mlp_ratio);
  args.read("qkv_bias", c.qkv_bias);
}

// Images to token sequences: class, distillation and register tokens, then the patches, all with
// their positions.
class VitEmbedding {
 public:
  VitEmbedding(const Params& p, const VitConfig& c)
      : backend_(&p.backend()),
        patch_(c.patch_size),
        pad_(c.dynamic_img_pad),
        antialias_(c.pos_embed_antialias),
        grid_{c.img_size.h / c.patch_size.h, c.img_size.w / c.patch_size.w},
        prefix_tokens_((c.class_token ? 1 : 0) + (c.distilled ? 1 : 0) + c.reg_tokens),
        dim_(c.embed_dim),
        proj_(p / "patch_embed" / "proj", c.in_chans, dim_, patch_.h, patch_.w,
              Conv2dSpec{patch_.h, patch_.w}, !c.pre_norm),
        prefix_(static_cast<std::size_t>(prefix_tokens_) * static_cast<std::size_t>(dim_)) {
    float* row = prefix_.data();
    const auto append = [&](const char* name, int count) {
      const FloatBuffer tokens = p.floats(name, {1, count, dim_});
      row = std::copy(tokens.begin(), tokens.end(), row);
    };
    if (c.class_token) append("cls_token", 1);
    if (c.distilled) append("dist_token", 1);
    if (c.reg_tokens > 0) append("reg_token", c.reg_tokens);
    if (c.pos_embed) bind_positions(p, c);
  }

  int prefix_tokens() const { return prefix_tokens_; }
  // Patches of an image.
  Size2d grid(Size2d image) const {
    const int more_h = pad_ ? patch_.h - 1 : 0, more_w = pad_ ? patch_.w - 1 : 0;
    return {(image.h + more_h) / patch_.h, (image.w + more_w) / patch_.w};
  }

  // image (n, h, w, in_chans) -> (n, 1, prefix_tokens() + patches, dim), in the workspace.
  MapF forward(CMapF image, Context& ctx) const {
    const Size2d grid = this->grid({image.h, image.w});
    const int patches = grid.h * grid.w;
    const MapF x = ctx.workspace().map(image.n, 1, prefix_tokens_ + patches, dim_);
    const Workspace::Scope scope(ctx.workspace());
    FloatBuffer resized;
    if (!positions_.empty() && grid != grid_) {
      resized =
          nn::resize_grid(positions_.data(), grid_.h, grid_.w, dim_, grid.h, grid.w, antialias_);
    }
    const float* positions = resized.empty() ? positions_.data() : resized.data();
    if (pad_) image = padded(image, grid, ctx);
    for (int i = 0; i < image.n; ++i) {
      if (prefix_tokens_ > 0) {
        backend_->apply(CMapF(prefix_.data(), 1, 1, prefix_tokens_, dim_), {},
                        x.image(i).token_range(0, prefix_tokens_), ctx);
      }
      proj_.forward(image.image(i),
                    x.image(i).token_range(prefix_tokens_, patches).reshaped(1, grid.h, grid.w),
                    ctx, {.residual = CMapF(positions, 1, grid.h, grid.w, dim_)});
    }
    return x;
  }

  // The patches among x's tokens as a map again; of several images, copied together.
  void emit(int level, CMapF x, Size2d grid, const FeatureSink& sink, Context& ctx) const {
    const int patches = grid.h * grid.w;
    if (prefix_tokens_ == 0 || x.n == 1) {
      CMapF map = x;
      map.data = x.row(prefix_tokens_);
      sink(level, map.reshaped(x.n, grid.h, grid.w));
      return;
    }
    const Workspace::Scope scope(ctx.workspace());
    const MapF y = ctx.workspace().map(x.n, grid.h, grid.w, x.c);
    for (int i = 0; i < x.n; ++i) {
      backend_->apply(x.image(i).token_range(prefix_tokens_, patches), {}, y.tokens().image(i),
                      ctx);
    }
    sink(level, y);
  }

 private:
  // Adds the positions of class, distillation and register tokens to them, keeps the patches'.
  void bind_positions(const Params& p, const VitConfig& c) {
    const int patches = grid_.h * grid_.w;
    int prefix = c.no_embed_class ? 0 : prefix_tokens_;
    Size2d grid = grid_;
    int length = prefix + patches;
    if (const std::optional<Shape> found = p.shape("pos_embed");
        found && found->size() == 3 && (*found)[1] != length && (*found)[1] <= 1 << 20) {
      const int there = static_cast<int>((*found)[1]);
      // DINOv2's own checkpoints with registers have a position for the class token nevertheless.
      const bool class_position = prefix == 0 && c.class_token && is_square(there - 1);
      if (class_position) prefix = 1;
      if (is_square(there - prefix)) {
        length = there;
        grid.h = grid.w = side_of_square(there - prefix);
      }
    }
    const Tensor tensor = p.get("pos_embed", {1, length, dim_});
    const FloatBuffer values = tensor.to_floats();
    const float* at = values.data();
    for (std::size_t i = 0; i < static_cast<std::size_t>(prefix) * static_cast<std::size_t>(dim_);
         ++i)
      prefix_[i] += *at++;
    if (grid != grid_) {
      positions_ = nn::resize_grid(at, grid.h, grid.w, dim_, grid_.h, grid_.w, antialias_);
    } else {
      positions_ = FloatBuffer(static_cast<std::size_t>(patches) * static_cast<std::size_t>(dim_));
      std::copy_n(at, positions_.size(), positions_.begin());
    }
  }

  static int side_of_square(int area) {
    return static_cast<int>(std::lround(std::sqrt(static_cast<double>(area))));
  }
  static bool is_square(int area) {
    return area > 0 && side_of_square(area) * side_of_square(area) == area;
  }

  // The image with zeros at the bottom and right, up to whole patches.
  CMapF padded(CMapF image, Size2d grid, Context& ctx) const {
    const int h = grid.h * patch_.h, w = grid.w * patch_.w;
    if (h == image.h && w == image.w) return image;
    const MapF y = ctx.workspace().map(image.n, h, w, image.c);
    if (!ctx.dry_run()) std::fill_n(y.data, y.rows() * y.c, 0.0f);
    for (int i = 0; i < image.n; ++i) {
      for (int r = 0; r < image.h; ++r) {
        backend_->apply(CMapF(image.pixel(i, r, 0), 1, 1, image.w, image.c, image.ld), {},
                        MapF(y.pixel(i, r, 0), 1, 1, image.w, y.c), ctx);
      }
    }
    return y;
  }

  const Backend* backend_;
  Size2d patch_;
  bool pad_;
  bool antialias_;
  Size2d grid_;  // the positions'
  int prefix_tokens_;
  int dim_;
  nn::Conv2d proj_;
  FloatBuffer prefix_;     // (prefix_tokens_, dim_)
  FloatBuffer positions_;  // (grid_.h, grid_.w, dim_), or empty
};

}  // namespace fovea::models
