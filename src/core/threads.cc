// SPDX-License-Identifier: Apache-2.0
#include "src/core/threads.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "fovea/core/thread_pool.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace fovea {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// A positive number at the start of `text`; what follows it does not matter.
std::optional<std::int64_t> positive_number(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value <= 0) return std::nullopt;
  return value;
}

// Quota and period, both in microseconds, as processors.
std::optional<int> processors(std::string_view quota, std::string_view period) {
  const auto q = positive_number(quota);  // "max" and -1 stand for no quota
  const auto p = positive_number(period);
  if (!q || !p) return std::nullopt;
  return static_cast<int>(std::min<std::int64_t>((*q - 1) / *p + 1, kMaxThreads));
}

std::optional<int> quota_v2(const fs::path& group) {
  const std::string line = first_line(group / "cpu.max");  // "150000 100000"
  const std::size_t space = line.find(' ');
  if (space == std::string::npos) return std::nullopt;
  return processors(std::string_view(line).substr(0, space),
                    std::string_view(line).substr(space + 1));
}

std::optional<int> quota_v1(const fs::path& group) {
  return processors(first_line(group / "cpu.cfs_quota_us"),
                    first_line(group / "cpu.cfs_period_us"));
}

// The smallest quota of `group` and of every group around it up to `root`. A container sees its own
// group as the root, whatever path the kernel reports: groups that do not exist have no quota.
template <class Quota>
std::optional<int> smallest_quota(const fs::path& root, const fs::path& group, Quota quota) {
  std::optional<int> smallest = quota(root);
  fs::path place = root;
  for (const fs::path& part : group.relative_path()) {
    if (part.empty() || part == "..") continue;
    place /= part;
    const auto here = quota(place);
    if (here && (!smallest || *here < *smallest)) smallest = here;
  }
  return smallest;
}

bool names_cpu(std::string_view controllers) {
  for (std::size_t begin = 0; begin <= controllers.size();) {
    const std::size_t end = std::min(controllers.find(',', begin), controllers.size());
    if (controllers.substr(begin, end - begin) == "cpu") return true;
    begin = end + 1;
  }
  return false;
}

// Processors that this thread may run on; empty when the system does not tell.
std::vector<int> affinity() {
  std::vector<int> cpus;
#if defined(__linux__)
  // The kernel refuses a mask smaller than its own, whose size it does not tell.
  for (int size = 1024; size <= 1 << 20; size *= 2) {
    cpu_set_t* mask = CPU_ALLOC(size);
    if (mask == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(size);
    const bool known = sched_getaffinity(0, bytes, mask) == 0;
    for (int cpu = 0; known && cpu < size; ++cpu) {
      if (CPU_ISSET_S(cpu, bytes, mask)) cpus.push_back(cpu);
    }
    CPU_FREE(mask);
    if (known) break;
  }
#endif
  return cpus;
}

}  // namespace

std::optional<int> threads_from_environment(std::string_view omp_num_threads) {
  const std::string_view first = omp_num_threads.substr(0, omp_num_threads.find(','));
  const auto number = positive_number(first);
  if (!number || first.find_first_not_of(" \t0123456789+") != std::string_view::npos) {
    return std::nullopt;
  }
  return static_cast<int>(std::min<std::int64_t>(*number, kMaxThreads));
}

std::optional<int> cgroup_cpus(const fs::path& self, const fs::path& root) {
  std::optional<int> smallest;
  std::ifstream file(self);
  for (std::string line; std::getline(file, line);) {  // "0::/a/b" or "4:cpu,cpuacct:/a/b"
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path group = line.substr(second + 1);
    std::optional<int> here;
    if (controllers.empty()) {
      here = smallest_quota(root, group, quota_v2);
    } else if (names_cpu(controllers)) {
      here = smallest_quota(root / "cpu", group, quota_v1);
    }
    if (here && (!smallest || *here < *smallest)) smallest = here;
  }
  return smallest;
}

int physical_cores(const std::vector<int>& cpus, const fs::path& root) {
  std::set<std::string> cores;
  for (const int cpu : cpus) {
    const std::string name = "cpu" + std::to_string(cpu);
    const std::string siblings = first_line(root / name / "topology" / "thread_siblings_list");
    cores.insert(siblings.empty() ? name : siblings);
  }
  return static_cast<int>(cores.size());
}

int default_threads() {
  if (const char* wish = std::getenv("OMP_NUM_THREADS"); wish != nullptr) {
    if (const auto threads = threads_from_environment(wish)) return *threads;
  }
  const std::vector<int> cpus = affinity();
  int threads = cpus.empty() ? static_cast<int>(std::thread::hardware_concurrency())
                             : physical_cores(cpus, "/sys/devices/system/cpu");
  if (const auto quota = cgroup_cpus("/proc/self/cgroup", "/sys/fs/cgroup")) {
    threads = std::min(threads, *quota);
  }
  return std::clamp(threads, 1, kMaxThreads);
}

}  // namespace fovea
