// SPDX-License-Identifier: Apache-2.0
// fovea benchmark: its rows, files and profile. Nothing here depends on how fast anything is.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "tests/cli/tool.h"

namespace fovea::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// One thread and few forwards of the networks, on small pictures.
std::vector<std::string> quick(std::vector<std::string> args) {
  args.insert(args.begin(), "benchmark");
  args.insert(args.end(), {"--num-warm-iter", "1", "--num-bench-iter", "3", "--min-time", "0",
                           "--threads", "1"});
  return args;
}

double sum(const json& list, const char* key) {
  double total = 0;
  for (const json& entry : list) total += entry.at(key).get<double>();
  return total;
}

TEST(Benchmark, RowsHaveTimmsColumnsAndAgreeWithThemselves) {
  const Outcome run = fovea_tool(quick({demo_model("convnext"), "--batch", "2", "--json"}));
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.err, "");
  ASSERT_EQ(run.json().size(), 1u);
  const json row = run.json().at(0);
  const json info = fovea_tool({"info", demo_model("convnext"), "--json"}).json();
  EXPECT_EQ(row.at("model"), demo_model("convnext"));
  EXPECT_EQ(row.at("infer_batch_size"), 2);
  EXPECT_EQ(row.at("infer_img_size"), info.at("input_size").at(0));
  EXPECT_NEAR(row.at("infer_gmacs").get<double>(), info.at("gmacs").get<double>(), 1e-4);
  EXPECT_NEAR(row.at("param_count").get<double>(), info.at("parameters").get<double>() * 1e-6,
              0.01);
  EXPECT_EQ(row.at("threads"), 1);
  EXPECT_EQ(row.at("backend"), "native");
  EXPECT_EQ(row.at("isa"), info.at("isa"));
  const double step = row.at("infer_step_time");
  const double per_second = row.at("infer_samples_per_sec");
  ASSERT_GT(step, 0);
  EXPECT_NEAR(per_second * step, 2 * 1e3, 0.01 * 2 * 1e3);
  EXPECT_GE(row.at("p90").get<double>(), step);
  EXPECT_GE(row.at("p99").get<double>(), row.at("p90").get<double>());
  const double peak = row.at("peak_gflops");
  ASSERT_GT(peak, 0);
  const double percent = 100 * 2 * row.at("infer_gmacs").get<double>() * per_second / peak;
  EXPECT_NEAR(row.at("percent_of_peak").get<double>(), percent, 0.02 * percent + 0.01);
  EXPECT_FALSE(row.contains("profile"));
}

TEST(Benchmark, PatternsNamesAndFoldersMakeOneTable) {
  const TemporaryFolder folder;
  const Outcome run = fovea_tool(quick(
      {"convnext_att?", demo_model("swin"), "--img-size", "64", "--csv", folder / "rows.csv"}));
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("convnext_atto"));
  EXPECT_THAT(run.out, HasSubstr("% of peak"));
  std::istringstream csv(read_file(folder / "rows.csv"));
  std::string header, atto, swin, end;
  std::getline(csv, header);
  std::getline(csv, atto);
  std::getline(csv, swin);
  EXPECT_EQ(header,
            "model,infer_samples_per_sec,infer_step_time,infer_batch_size,infer_img_size,"
            "param_count,infer_gmacs,percent_of_peak,p90,p99,threads,backend,isa,peak_gflops");
  EXPECT_EQ(atto.rfind("convnext_atto,", 0), 0u) << atto;
  EXPECT_EQ(swin.rfind(demo_model("swin") + ",", 0), 0u) << swin;
  EXPECT_FALSE(std::getline(csv, end)) << end;
}

TEST(Benchmark, ProfileAddsUpToItsForward) {
  const Outcome run = fovea_tool(quick({demo_model("swin"), "--profile", "--json"}));
  ASSERT_EQ(run.code, 0) << run.err;
  const json row = run.json().at(0);
  const json profile = row.at("profile");
  const double total = profile.at("milliseconds");
  const json& operators = profile.at("operators");
  EXPECT_NEAR(sum(operators, "milliseconds"), total, 1e-9 * total);
  EXPECT_NEAR(sum(operators, "percent_of_time"), 100, 1e-6);
  const double between = operators.back().at("milliseconds");
  EXPECT_GE(between, 0);
  for (const char* list : {"operators", "shapes", "modules"}) {
    SCOPED_TRACE(list);
    EXPECT_NEAR(sum(profile.at(list), "gmacs"), row.at("infer_gmacs").get<double>(), 1e-4);
  }
  for (const char* list : {"shapes", "modules"}) {
    SCOPED_TRACE(list);
    EXPECT_NEAR(sum(profile.at(list), "milliseconds"), total - between, 1e-6 * total);
    EXPECT_EQ(sum(profile.at(list), "calls"), sum(operators, "calls"));
  }
  std::set<std::string> names;
  for (const json& one : operators) names.insert(one.at("name"));
  EXPECT_TRUE(names.contains("window_attention"));
  names.clear();
  for (const json& one : profile.at("modules")) names.insert(one.at("name"));
  EXPECT_TRUE(names.contains("layers.0.blocks.0"));
  EXPECT_TRUE(names.contains("(head)"));
}

TEST(Benchmark, TraceHoldsOperatorsInsideTheirModules) {
  const TemporaryFolder folder;
  const Outcome run = fovea_tool(
      quick({demo_model("poolformer"), demo_model("convnext"), "--trace", folder / "trace.json"}));
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.out.find("operator and output"), std::string::npos);  // no --profile
  const json events = json::parse(read_file(folder / "trace.json")).at("traceEvents");
  std::set<int> processes;
  int operators = 0;
  json module;
  for (const json& event : events) {
    processes.insert(event.at("pid").get<int>());
    if (event.at("ph") == "M") continue;
    EXPECT_EQ(event.at("ph"), "X");
    EXPECT_GE(event.at("dur").get<double>(), 0);
    if (event.at("cat") == "module") {
      module = event;
      continue;
    }
    ++operators;
    EXPECT_EQ(event.at("pid"), module.at("pid"));
    const double begin = event.at("ts");
    const double end = begin + event.at("dur").get<double>();
    EXPECT_GE(begin, module.at("ts").get<double>());
    EXPECT_LE(end, module.at("ts").get<double>() + module.at("dur").get<double>() + 1e-6);
    EXPECT_EQ(event.at("args").at("output").get<std::string>().front(), '(');
  }
  EXPECT_EQ(processes, (std::set<int>{1, 2}));
  EXPECT_GT(operators, 40);
}

TEST(Benchmark, RefusesWhatItCannotMeasure) {
  const auto refuses = [](const std::vector<std::string>& args, int code, const char* message) {
    const Outcome run = fovea_tool(quick(args));
    EXPECT_EQ(run.code, code);
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(run.err, HasSubstr(message));
  };
  refuses({"nothing_like_*"}, 2, "no network's name matches \"nothing_like_*\"");
  refuses({"swin_tny_patch4_window7_224"}, 2, "swin_tiny_patch4_window7_224");
  refuses({"convnext_*", "--weights", "some.safetensors"}, 2, "--weights goes with one network");
  refuses({demo_model("swin"), "--csv", "/no/such/folder/rows.csv"}, 3, "/no/such/folder/rows.csv");
}

}  // namespace
}  // namespace fovea::test
