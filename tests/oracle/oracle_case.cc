// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/oracle_case.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

namespace fovea::oracle {
namespace {

using Json = nlohmann::json;

TensorRecord read_record(const std::string& name, const Json& j) {
  return {name, j.at("shape").get<Shape>(), j.at("mean"), j.at("rms"),
          j.at("samples").get<std::vector<double>>()};
}

Case parse(const std::filesystem::path& path, const Json& j) {
  Case c;
  c.path = path;
  c.name = j.at("case");
  c.family = j.at("family");
  Json config = j.at("config");
  if (config.contains("architecture")) {
    c.architecture = config["architecture"];
    config.erase("architecture");
  } else if (config.empty()) {
    c.architecture = c.name;
  }
  c.args = parse_model_args(config.dump());
  if (j.at("single").is_number()) c.single = j["single"];
  const Json& input = j.at("input").at(0);
  c.input_name = input.at("name");
  c.input_shape = input.at("shape").get<Shape>();
  c.input_lo = input.at("lo");
  c.input_hi = input.at("hi");
  // Further inputs are weights that the reference takes from elsewhere than its checkpoint.
  for (std::size_t i = 1; i < j["input"].size(); ++i) {
    const Json& extra = j["input"][i];
    c.weights.add(extra.at("name"), extra.at("shape").get<Shape>(), extra.at("lo"), extra.at("hi"));
  }
  for (const Json& p : j.at("parameters")) {
    c.parameters.push_back({p.at(0), p.at(1).get<Shape>()});
    c.weights.add(p.at(0), p.at(1).get<Shape>(), p.at(2), p.at(3));
  }
  for (const Json& b : j.at("buffers")) c.buffers.push_back(b.at(0));
  for (const auto& [name, record] : j.at("outputs").items()) {
    c.outputs.push_back(read_record(name, record));
  }
  for (const auto& [name, record] : j.at("taps").items()) {
    c.taps.push_back(read_record(name, record));
  }
  return c;
}

// A map's values in one of the reference's layouts, by flat index.
enum class Layout { nchw, nhwc };

double value_at(CMapF m, Layout layout, std::int64_t flat) {
  if (layout == Layout::nhwc) return static_cast<double>(m.row(flat / m.c)[flat % m.c]);
  const std::int64_t plane = static_cast<std::int64_t>(m.h) * m.w;
  const std::int64_t image = flat / (plane * m.c);
  const std::int64_t channel = flat / plane % m.c;
  return static_cast<double>(m.row(image * plane + flat % plane)[channel]);
}

// Relative L2 over the samples; the statistics keep the values between the samples honest.
double compare(CMapF m, Layout layout, const TensorRecord& want) {
  const std::int64_t count = m.rows() * m.c;
  const auto samples = static_cast<std::int64_t>(want.samples.size());
  double difference = 0, norm = 0;
  for (std::int64_t k = 0; k < samples; ++k) {
    const double position =
        (static_cast<double>(k) + 0.5) * static_cast<double>(count) / static_cast<double>(samples);
    const double expected = want.samples[static_cast<std::size_t>(k)];
    const double d = value_at(m, layout, static_cast<std::int64_t>(position)) - expected;
    difference += d * d;
    norm += expected * expected;
  }
  double sum = 0, squares = 0;
  for (std::int64_t r = 0; r < m.rows(); ++r) {
    for (int i = 0; i < m.c; ++i) {
      const auto v = static_cast<double>(m.row(r)[i]);
      sum += v;
      squares += v * v;
    }
  }
  const double n = static_cast<double>(count);
  // std::max drops a NaN on one side only, so add up: a NaN anywhere stays one.
  const double by_samples = std::sqrt(difference / norm);
  const double by_rms = std::abs(std::sqrt(squares / n) - want.rms) / want.rms;
  const double by_mean = std::abs(sum / n - want.mean) / want.rms;
  if (!std::isfinite(by_samples + by_rms + by_mean)) return HUGE_VAL;
  return std::max({by_samples, by_rms, by_mean});
}

// Layouts in which the map has the record's shape.
std::vector<Layout> possible_layouts(CMapF m, const Shape& shape) {
  std::vector<Layout> layouts;
  const std::int64_t tokens = static_cast<std::int64_t>(m.h) * m.w;
  if (shape == Shape{m.n, m.c, m.h, m.w} || (tokens == 1 && shape == Shape{m.n, m.c})) {
    layouts.push_back(Layout::nchw);
  }
  if (shape == Shape{m.n, m.h, m.w, m.c} || shape == Shape{m.n, tokens, m.c}) {
    layouts.push_back(Layout::nhwc);
  }
  return layouts;
}

class TapComparison final : public Tap {
 public:
  TapComparison(const std::vector<TensorRecord>& records, std::vector<OutputError>& errors)
      : errors_(errors) {
    for (const TensorRecord& r : records) records_[r.name] = &r;
  }
  void record(std::string_view path, CMapF value) override {
    const auto it = records_.find(path);
    if (it == records_.end()) return;
    double best = HUGE_VAL;
    for (const Layout layout : possible_layouts(value, it->second->shape)) {
      best = std::min(best, compare(value, layout, *it->second));
    }
    errors_.push_back({std::string(path), best});
  }

 private:
  std::map<std::string, const TensorRecord*, std::less<>> records_;
  std::vector<OutputError>& errors_;
};

// The generated image, from the reference's NCHW to NHWC.
void fill_input(const Case& c, MapF image) {
  const std::uint64_t state = fnv1a(c.input_name);
  std::uint64_t flat = 0;
  for (int n = 0; n < image.n; ++n) {
    for (int ch = 0; ch < image.c; ++ch) {
      for (int y = 0; y < image.h; ++y) {
        for (int x = 0; x < image.w; ++x) {
          image.pixel(n, y, x)[ch] = generated_value(state, flat++, c.input_lo, c.input_hi);
        }
      }
    }
  }
}

void check_parameters(const Case& c, const ModelSpec& spec, std::vector<std::string>& problems) {
  std::map<std::string, Shape> ours;
  for (const ParamLog::Entry& e : list_parameters(spec)) ours[e.name] = e.shape;
  for (const ParamLog::Entry& want : c.parameters) {
    const auto it = ours.find(want.name);
    if (it == ours.end()) {
      problems.push_back("parameter " + want.name + " is not asked for");
      continue;
    }
    if (it->second != want.shape) {
      problems.push_back("parameter " + want.name + ": the checkpoint has " +
                         to_string(want.shape) + ", the network asks for " + to_string(it->second));
    }
    ours.erase(it);
  }
  for (const auto& [name, shape] : ours) {
    problems.push_back("parameter " + name + " " + to_string(shape) + " is in no checkpoint");
  }
}

MapF input_map(const Case& c, float* data) {
  const auto size = [&](std::size_t i) { return static_cast<int>(c.input_shape.at(i)); };
  return {data, size(0), size(2), size(3), size(1)};
}

}  // namespace

double Case::tolerance() const { return std::max(2e-6, 20 * single); }

Case read_case(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw Error(Error::Kind::file, path.string() + ": cannot be read");
  try {
    return parse(path, Json::parse(file));
  } catch (const Json::exception& e) {
    throw Error(Error::Kind::file, path.string() + ": not an oracle: " + e.what());
  }
}

bool Result::passed() const { return problems.empty() && !outputs.empty() && worst() <= tolerance; }

ModelSpec find_spec(const Case& c) {
  const ModelFamily& family = find_family(c.family);
  if (c.architecture.empty()) return {&family, nullptr, c.args};
  for (const ModelInfo& info : family.models) {
    if (info.name == c.architecture) return {&family, &info, c.args};
  }
  throw Error(Error::Kind::argument,
              "family " + c.family + " has no network named \"" + c.architecture + "\"");
}

std::int64_t count_macs(const Case& c, const Backend& backend) {
  const BuiltModel built = build_shape_only(find_spec(c), backend);
  Context ctx(1);
  ctx.set_dry_run(true);
  const MapF image = input_map(c, nullptr);
  built.backbone->features(
      image, [](int, CMapF) {}, ctx);
  return ctx.macs();
}

Result run_case(const Case& c, const Backend& backend, Context& ctx, bool with_taps) {
  Result result;
  result.tolerance = c.tolerance();
  const ModelSpec spec = find_spec(c);
  check_parameters(c, spec, result.problems);
  const BuiltModel built = build_model(spec, c.weights, backend, c.buffers);
  const Backbone& net = *built.backbone;

  FloatBuffer input(static_cast<std::size_t>(numel(c.input_shape)));
  const MapF image = input_map(c, input.data());
  fill_input(c, image);

  std::map<std::string, const TensorRecord*> wanted;
  for (const TensorRecord& r : c.outputs) wanted[r.name] = &r;
  const auto take = [&](const std::string& name, CMapF value) {
    const auto it = wanted.find(name);
    if (it == wanted.end()) return;
    const TensorRecord& want = *it->second;
    wanted.erase(it);
    // Sequences are (n, tokens, c), everything else is channels first.
    const bool sequence = want.shape.size() == 3;
    const Shape shape = sequence ? Shape{value.n, std::int64_t{value.h} * value.w, value.c}
                                 : Shape{value.n, value.c, value.h, value.w};
    const bool vector =
        want.shape.size() == 2 && want.shape == Shape{value.n, value.c} && value.h * value.w == 1;
    if (!vector && want.shape != shape) {
      result.problems.push_back(name + ": wanted shape " + to_string(want.shape) + ", found " +
                                shape_string(value) + " (NHWC)");
      return;
    }
    const Layout layout = sequence ? Layout::nhwc : Layout::nchw;
    result.outputs.push_back({name, compare(value, layout, want)});
  };

  // Of networks without a pyramid the trunk's output is recorded, with its class tokens.
  if (const auto it = wanted.find("features.0");
      it != wanted.end() && it->second->shape.size() == 3) {
    const Workspace::Scope scope(ctx.workspace());
    take("features.0", net.forward_features(image, ctx, nullptr));
  }

  TapComparison taps(c.taps, result.taps);
  if (with_taps) ctx.set_tap(&taps);
  const FeatureSink sink = [&](int level, CMapF value) {
    take("features." + std::to_string(level), value);
    take("output." + std::to_string(level), value);
  };
  if (wanted.contains("logits")) {
    FloatBuffer out(static_cast<std::size_t>(image.n * net.num_outputs()));
    const MapF logits{out.data(), image.n, 1, 1, net.num_outputs()};
    net.logits(image, logits, ctx, &sink);
    take("logits", logits);
  } else {
    net.features(image, sink, ctx);
  }
  ctx.set_tap(nullptr);

  for (const auto& [name, record] : wanted) {
    result.problems.push_back(name + " was not computed");
  }
  std::stable_sort(result.outputs.begin(), result.outputs.end(),
                   [](const OutputError& a, const OutputError& b) { return a.error > b.error; });
  return result;
}

}  // namespace fovea::oracle
