// SPDX-License-Identifier: Apache-2.0
//
// What libFuzzer calls, for the target that FOVEA_FUZZ_NAME names.

#include <cstdint>

#include "fuzz/targets.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fovea::fuzz::FOVEA_FUZZ_NAME(std::as_bytes(std::span(data, size)));
  return 0;
}

#ifdef FOVEA_FUZZ_REPAIR
// Most mutations are repaired; some are not, because checksums can be wrong, too.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  const std::size_t mutated = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0) {
    fovea::fuzz::FOVEA_FUZZ_REPAIR(std::as_writable_bytes(std::span(data, mutated)));
  }
  return mutated;
}
#endif
