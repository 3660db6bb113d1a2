// SPDX-License-Identifier: Apache-2.0
#include "src/core/threads.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "fovea/core/thread_pool.h"
#include "tests/temporary_folder.h"

namespace fovea {
namespace {

// Sets OMP_NUM_THREADS and gives back what it was.
class Environment {
 public:
  explicit Environment(const char* value) {
    if (const char* before = std::getenv(kName)) before_ = before;
    value == nullptr ? unsetenv(kName) : setenv(kName, value, 1);
  }
  ~Environment() { before_.empty() ? unsetenv(kName) : setenv(kName, before_.c_str(), 1); }

 private:
  static constexpr const char* kName = "OMP_NUM_THREADS";
  std::string before_;
};

TEST(Threads, AreAsManyAsTheEnvironmentSays) {
  const Environment environment("7");
  EXPECT_EQ(default_threads(), 7);
  EXPECT_EQ(ThreadPool().threads(), 7);
}

TEST(Threads, AreAtLeastOneWhateverTheEnvironmentSays) {
  int unset = 0;
  {
    const Environment environment(nullptr);
    unset = default_threads();
    EXPECT_GE(unset, 1);
  }
  for (const char* value : {"", "0", "-4", "many", "4x", "99999999999999999999"}) {
    const Environment environment(value);
    EXPECT_EQ(default_threads(), unset) << value;
  }
}

TEST(Threads, TakeTheFirstEntryOfAList) {
  EXPECT_EQ(threads_from_environment("4,2"), 4);
  EXPECT_EQ(threads_from_environment(" 4 "), 4);
  EXPECT_EQ(threads_from_environment("1000000"), kMaxThreads);
  EXPECT_EQ(threads_from_environment(",2"), std::nullopt);
}

TEST(Threads, RoundAQuotaUp) {
  const TemporaryFolder folder;
  folder.write("self", "0::/a/b\n");
  EXPECT_EQ(cgroup_cpus(folder / "self", folder / "cgroup"), std::nullopt);
  folder.write("cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroup_cpus(folder / "self", folder / "cgroup"), std::nullopt);
  folder.write("cgroup/a/b/cpu.max", "250000 100000\n");
  EXPECT_EQ(cgroup_cpus(folder / "self", folder / "cgroup"), 3);
  folder.write("cgroup/a/b/cpu.max", "1000 100000\n");
  EXPECT_EQ(cgroup_cpus(folder / "self", folder / "cgroup"), 1);
}

TEST(Threads, ObeyTheQuotasOfOuterGroups) {
  const TemporaryFolder folder;
  folder.write("self", "0::/a/b\n");
  folder.write("cgroup/a/b/cpu.max", "800000 100000\n");
  folder.write("cgroup/a/cpu.max", "200000 100000\n");
  EXPECT_EQ(cgroup_cpus(folder / "self", folder / "cgroup"), 2);
}

TEST(Threads, ReadQuotasOfTheFirstVersion) {
  const TemporaryFolder folder;
  folder.write("self", "5:memory:/m\n4:cpu,cpuacct:/a\n");
  folder.write("cgroup/cpu/a/cpu.cfs_quota_us", "-1\n");
  folder.write("cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_cpus(folder / "self", folder / "cgroup"), std::nullopt);
  folder.write("cgroup/cpu/a/cpu.cfs_quota_us", "150000\n");
  EXPECT_EQ(cgroup_cpus(folder / "self", folder / "cgroup"), 2);
}

TEST(Threads, CountSiblingsAsOneCore) {
  const TemporaryFolder folder;
  for (const char* cpu : {"cpu0", "cpu2"}) {
    folder.write(std::string(cpu) + "/topology/thread_siblings_list", "0,2\n");
  }
  folder.write("cpu1/topology/thread_siblings_list", "1,3\n");
  EXPECT_EQ(physical_cores({0, 1, 2}, folder.path()), 2);
  EXPECT_EQ(physical_cores({0, 1, 2, 9, 10}, folder.path()), 4);  // two of which nothing is known
}

}  // namespace
}  // namespace fovea
