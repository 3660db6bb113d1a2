// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fovea/backend/backend.h"
#include "tests/backend/maps.h"

namespace fovea::test {

using Kind = Activation::Kind;

// Every operator of every backend against the reference backend.
class Operators : public testing::TestWithParam<std::string> {
 protected:
  // Runs one operator on the tested backend and on the reference, on equal copies of y, and
  // compares the copies. k: the number of products behind one output.
  using Run = std::function<void(const Backend&, MapF y, Context&)>;
  void compare(const Run& run, const TestMap& y, std::ptrdiff_t k, const std::string& what) {
    const TestMap found(y), wanted(y);
    run(*backend_, found, context_);
    run(*reference_, wanted, reference_context_);
    expect_close(found, wanted, operator_l2_bound(k), what);
    EXPECT_TRUE(found.gaps_intact()) << what << ": wrote between the rows";
  }

  static std::shared_ptr<const Backend> make_tested(const std::string& name) {
    const std::size_t cut = name.find('_');
    if (cut == std::string::npos) return make_backend(name);
    return make_backend(name.substr(0, cut), {.isa = name.substr(cut + 1)});
  }

  std::shared_ptr<const Backend> backend_ = make_tested(GetParam());
  std::shared_ptr<const Backend> reference_ = make_backend("reference");
  Context context_{2};
  Context reference_context_{1};
};

inline const Activation kActivations[] = {Kind::none,
                                          Kind::relu,
                                          Kind::gelu,
                                          Kind::gelu_tanh,
                                          Kind::quick_gelu,
                                          Kind::silu,
                                          Activation(Kind::star_relu, 0.9f, -0.4f),
                                          Kind::sigmoid,
                                          Kind::tanh};

// Every form of an epilogue over c channels. A residual is `apart`, or y itself.
struct Epilogues {
  Epilogues(int c, std::uint64_t seed)
      : bias(random_floats(c, seed)),
        scale(random_floats(c, seed + 1)),
        residual_scale(random_floats(c, seed + 2)) {}

  template <class Body>
  void for_each(const CMapF& apart, const Body& body) const {
    for (const Activation& act : kActivations) {
      for (int parts = 0; parts < 16; ++parts) {
        // All combinations once, and every activation with nothing and with everything.
        if (act.kind != Kind::gelu && parts != 0 && parts != 15) continue;
        Epilogue e;
        e.act = act;
        if (parts & 1) e.bias = bias.data();
        if (parts & 2) e.scale = scale.data();
        if (parts & 4) e.residual = apart;
        if (parts & 8) e.residual_scale = residual_scale.data();
        body(e, false,
             "activation " + std::to_string(static_cast<int>(act.kind)) + ", parts " +
                 std::to_string(parts));
        if (parts & 4) body(e, true, "residual in y, parts " + std::to_string(parts));
      }
    }
  }

  std::vector<float> bias, scale, residual_scale;
};

inline Epilogue with_residual(Epilogue e, bool in_y, const MapF& y) {
  if (in_y) e.residual = y;
  return e;
}

}  // namespace fovea::test
