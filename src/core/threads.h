// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace fovea {

// More than this is a mistake rather than a machine.
inline constexpr int kMaxThreads = 1024;

// The number that OMP_NUM_THREADS asks for: its first entry, when that is a positive number.
std::optional<int> threads_from_environment(std::string_view omp_num_threads);

// Processors, rounded up, that the CPU quotas of this process's control group and of the groups
// around it allow; nullopt without a quota. `self` is /proc/self/cgroup, `root` /sys/fs/cgroup;
// versions 1 and 2 are read.
std::optional<int> cgroup_cpus(const std::filesystem::path& self,
                               const std::filesystem::path& root);

// Distinct cores among the processors `cpus`. `root` is /sys/devices/system/cpu; a processor that
// it does not describe counts as a core of its own.
int physical_cores(const std::vector<int>& cpus, const std::filesystem::path& root);

}  // namespace fovea
