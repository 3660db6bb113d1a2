// SPDX-License-Identifier: Apache-2.0
// Arguments come from strangers' files: whatever number one of them is, a network is refused with
// an Error or built, and then it runs.
#include <sys/resource.h>

#include <algorithm>
#include <limits>

#include "tests/models/specs.h"
#include "tests/models/tiny_networks.h"

namespace fovea {
namespace {

// Tables that an argument alone makes large fail the test rather than fill the machine.
#ifdef FOVEA_LIMIT_MEMORY
constexpr rlim_t kMostMemory = rlim_t{6} << 30;
[[maybe_unused]] const bool limited = [] {
  const rlimit limit = {kMostMemory, kMostMemory};
  return setrlimit(RLIMIT_AS, &limit) == 0;
}();
#endif

// Those that the family asks for, from its own message.
std::vector<std::string> known_arguments(ModelSpec spec) {
  spec.args.set("~", {std::int64_t{1}});
  std::string text;
  try {
    list_parameters(spec);
  } catch (const Error& e) {
    text = e.what();
  }
  const std::string before = "the known ones are ";
  const std::size_t at = text.find(before);
  EXPECT_NE(at, std::string::npos) << text;
  std::vector<std::string> names;
  for (std::size_t i = at == std::string::npos ? text.size() : at + before.size();
       i < text.size();) {
    const std::size_t end = std::min(text.find(", ", i), text.size());
    names.push_back(text.substr(i, end - i));
    i = end + 2;
  }
  return names;
}

const std::vector<ArgValue>& hostile_values() {
  using Limits = std::numeric_limits<double>;
  static const std::vector<ArgValue> values = {
      {std::int64_t{0}},
      {std::int64_t{-1}},
      {std::int64_t{1}},
      {std::int64_t{1} << 20},
      {std::int64_t{1} << 30},
      {std::int64_t{2147483647}},
      {std::numeric_limits<std::int64_t>::max()},
      {std::numeric_limits<std::int64_t>::min()},
      {1e-30},
      {-0.5},
      {1e30},
      {1e300},
      {Limits::infinity()},
      {Limits::quiet_NaN()},
  };
  return values;
}

// The value alone, and where there is a list, in place of each of its members.
std::vector<ArgValue> perturbed(const ModelArgs& args, const std::string& name,
                                const ArgValue& hostile) {
  std::vector<ArgValue> all = {hostile};
  for (const auto& [key, value] : args) {
    const auto* list = std::get_if<ArgValue::Array>(&value.value);
    if (key != name || list == nullptr) continue;
    for (std::size_t i = 0; i < list->size(); ++i) {
      ArgValue::Array changed = *list;
      changed[i] = hostile;
      all.push_back({changed});
    }
  }
  return all;
}

class HostileArguments : public testing::TestWithParam<std::string> {
 protected:
  // Builds a network, unless it is too large for a test, and runs it on what it takes.
  void build_and_run(const ModelSpec& spec, Size2d size) const {
    constexpr std::int64_t kMostNumbers = 1 << 20;
    std::int64_t numbers = 0;
    GeneratedSource weights;
    for (const ParamLog::Entry& e : list_parameters(spec)) {
      numbers += numel(e.shape);
      weights.add(e.name, e.shape, -0.1, 0.1);
    }
    if (numbers > kMostNumbers) return;
    const BuiltModel built = build_model(spec, weights, *backend_);
    const Backbone& net = *built.backbone;
    net.check_size(size);
    Context ctx(1);
    const test::TestMap image(1, size.h, size.w, 3, 0, 1);
    net.features(
        image, [](int, CMapF) {}, ctx);
  }

  std::shared_ptr<const Backend> backend_ = make_backend("native");
};

INSTANTIATE_TEST_SUITE_P(TinyNetworks, HostileArguments, testing::ValuesIn(tiny_cases()),
                         tiny_case_name);

TEST_P(HostileArguments, AreRefusedOrRun) {
  const oracle::Case c =
      oracle::read_case(std::filesystem::path(FOVEA_TEST_ORACLES) / (GetParam() + ".json"));
  const ModelSpec spec = oracle::find_spec(c);
  const Size2d size = {static_cast<int>(c.input_shape.at(2)),
                       static_cast<int>(c.input_shape.at(3))};
  EXPECT_NO_THROW(build_and_run(spec, size));
  for (const std::string& name : known_arguments(spec)) {
    for (const ArgValue& hostile : hostile_values()) {
      for (const ArgValue& value : perturbed(spec.args, name, hostile)) {
        ModelSpec changed = spec;
        changed.args.set(name, value);
        try {
          build_and_run(changed, size);
        } catch (const Error& e) {
          EXPECT_STRNE(e.what(), "");
        } catch (const std::exception& e) {
          ADD_FAILURE() << name << " = " << to_string(value) << ": " << e.what();
        }
      }
    }
  }
}

}  // namespace
}  // namespace fovea
