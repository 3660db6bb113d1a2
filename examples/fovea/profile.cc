// SPDX-License-Identifier: Apache-2.0
#include "profile.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iomanip>
#include <sstream>
#include <string_view>

namespace fovea::tool {
namespace {

using Clock = std::chrono::steady_clock;

// Notes operators; a module's output, which its tap announces, claims those since the tap before.
class Recorder final : public OperatorObserver, public Tap {
 public:
  explicit Recorder(std::size_t calls) {
    calls_.reserve(calls);
    start_ = Clock::now();
  }

  void begin(std::string_view op) override {
    calls_.emplace_back();
    calls_.back().op = op;
    calls_.back().begin = now();
  }
  void output(CMapF y) override { calls_.back().output = y; }
  void end(std::int64_t macs) override {
    calls_.back().end = now();
    calls_.back().gmacs = static_cast<double>(macs) * 1e-9;
  }
  void record(std::string_view path, CMapF) override { claim(path); }

  Profile finish() {
    Profile profile;
    profile.milliseconds = now();
    claim("(head)");
    profile.calls = std::move(calls_);
    return profile;
  }

 private:
  double now() const {
    return std::chrono::duration<double, std::milli>(Clock::now() - start_).count();
  }
  void claim(std::string_view path) {
    for (; claimed_ < calls_.size(); ++claimed_) calls_[claimed_].module = path;
  }

  Clock::time_point start_;
  std::vector<OperatorCall> calls_;
  std::size_t claimed_ = 0;
};

template <class Same>
void add_to(std::vector<Profile::Group>& groups, const Profile::Group& one, const Same& same) {
  const auto found = std::find_if(groups.begin(), groups.end(), same);
  if (found == groups.end()) {
    groups.push_back(one);
    return;
  }
  found->calls += one.calls;
  found->milliseconds += one.milliseconds;
  found->gmacs += one.gmacs;
}

// Groups of the calls that `label` gives the same name and output.
template <class Label>
std::vector<Profile::Group> grouped(const Profile& profile, const Label& label) {
  std::vector<Profile::Group> groups;
  for (const OperatorCall& call : profile.calls) {
    Profile::Group one = label(call);
    one.calls = 1;
    one.milliseconds = call.milliseconds();
    one.gmacs = call.gmacs;
    add_to(groups, one, [&one](const Profile::Group& g) {
      return g.name == one.name && g.output == one.output;
    });
  }
  return groups;
}

double peak_share(const Profile::Group& group, const Profile& profile) {
  if (group.milliseconds <= 0) return 0;
  return percent_of_peak(group.gmacs, group.milliseconds, profile.peak_gflops);
}

double time_share(const Profile::Group& group, const Profile& profile) {
  return 100.0 * group.milliseconds / profile.milliseconds;
}

Json to_json(const std::vector<Profile::Group>& groups, const Profile& profile) {
  Json list = Json::array();
  for (const Profile::Group& g : groups) {
    Json entry = {{"name", g.name}};
    if (!g.output.empty()) entry["output"] = g.output;
    entry.update({{"calls", g.calls},
                  {"milliseconds", g.milliseconds},
                  {"percent_of_time", time_share(g, profile)},
                  {"gmacs", g.gmacs},
                  {"percent_of_peak", peak_share(g, profile)}});
    list.push_back(std::move(entry));
  }
  return list;
}

void print(std::ostringstream& out, const char* title, const std::vector<Profile::Group>& groups,
           const Profile& profile) {
  std::size_t width = std::string_view(title).size();
  for (const Profile::Group& g : groups) {
    width = std::max(width, g.name.size() + g.output.size() + 1);
  }
  const int column = static_cast<int>(width) + 4;
  out << "\n    " << std::left << std::setw(column) << title << std::right
      << " calls        ms   % time    GMACs  % of peak\n";
  for (const Profile::Group& g : groups) {
    out << "    " << std::left << std::setw(column) << g.name + " " + g.output << std::right
        << std::fixed << std::setw(6) << g.calls << std::setprecision(3) << std::setw(10)
        << g.milliseconds << std::setprecision(1) << std::setw(9) << time_share(g, profile)
        << std::setprecision(3) << std::setw(9) << g.gmacs << std::setprecision(1) << std::setw(11)
        << peak_share(g, profile) << "\n";
  }
}

Json event(std::string_view name, const char* category, double begin, double end, int process) {
  return {{"name", name},
          {"cat", category},
          {"ph", "X"},
          {"ts", begin * 1e3},
          {"dur", (end - begin) * 1e3},
          {"pid", process},
          {"tid", 1}};
}

}  // namespace

std::vector<Profile::Group> Profile::operators() const {
  std::vector<Group> groups = grouped(*this, [](const OperatorCall& c) {
    return Group{std::string(c.op), "", 0, 0, 0};
  });
  double inside = 0;
  for (const Group& g : groups) inside += g.milliseconds;
  groups.push_back({"(between operators)", "", 0, milliseconds - inside, 0});
  return groups;
}

std::vector<Profile::Group> Profile::shapes() const {
  return grouped(*this, [](const OperatorCall& c) {
    return Group{std::string(c.op), shape_string(c.output), 0, 0, 0};
  });
}

std::vector<Profile::Group> Profile::modules() const {
  return grouped(*this, [](const OperatorCall& c) { return Group{c.module, "", 0, 0, 0}; });
}

Profile profile(Workload& workload, int forwards, double peak_gflops) {
  std::vector<Profile> all;
  for (int i = 0; i < forwards; ++i) {
    Recorder recorder(all.empty() ? 0 : all.back().calls.size());
    workload.context().set_observer(&recorder);
    workload.context().set_tap(&recorder);
    workload.forward();
    workload.context().set_observer(nullptr);
    workload.context().set_tap(nullptr);
    all.push_back(recorder.finish());
  }
  const auto middle = all.begin() + forwards / 2;
  std::nth_element(all.begin(), middle, all.end(), [](const Profile& a, const Profile& b) {
    return a.milliseconds < b.milliseconds;
  });
  middle->peak_gflops = peak_gflops;
  return std::move(*middle);
}

Json to_json(const Profile& profile) {
  return {{"milliseconds", profile.milliseconds},
          {"operators", to_json(profile.operators(), profile)},
          {"shapes", to_json(profile.shapes(), profile)},
          {"modules", to_json(profile.modules(), profile)}};
}

std::string to_text(const Profile& profile) {
  std::ostringstream out;
  print(out, "operator", profile.operators(), profile);
  print(out, "operator and output", profile.shapes(), profile);
  print(out, "module", profile.modules(), profile);
  out << '\n';
  return out.str();
}

void add_trace(const Profile& profile, const std::string& model, Json& events) {
  int process = 1;  // one for each network
  for (const Json& e : events) process += e.at("ph") == "M" ? 1 : 0;
  events.push_back(
      {{"name", "process_name"}, {"ph", "M"}, {"pid", process}, {"args", {{"name", model}}}});
  for (std::size_t i = 0; i < profile.calls.size();) {
    std::size_t next = i;
    while (next < profile.calls.size() && profile.calls[next].module == profile.calls[i].module) {
      ++next;
    }
    events.push_back(event(profile.calls[i].module, "module", profile.calls[i].begin,
                           profile.calls[next - 1].end, process));
    for (; i < next; ++i) {
      const OperatorCall& call = profile.calls[i];
      Json e = event(call.op, "operator", call.begin, call.end, process);
      e["args"] = {{"output", shape_string(call.output)},
                   {"gmacs", call.gmacs},
                   {"percent_of_peak",
                    percent_of_peak(call.gmacs, call.milliseconds(), profile.peak_gflops)}};
      events.push_back(std::move(e));
    }
  }
}

}  // namespace fovea::tool
