// SPDX-License-Identifier: Apache-2.0
#include "fuzz/mutate.h"

#include <algorithm>
#include <iterator>

namespace fovea::fuzz {
namespace {

// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
class Random {
 public:
  explicit Random(std::uint64_t state) : state_(state) {}

  // From 0 to bound - 1; bound >= 1.
  std::size_t below(std::size_t bound) {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return static_cast<std::size_t>((z ^ (z >> 31)) % bound);
  }

 private:
  std::uint64_t state_;
};

constexpr std::size_t kLongestPiece = 64;

struct Piece {
  std::size_t begin, size;
};

Piece piece_of(std::string_view file, Random& random) {
  const std::size_t begin = random.below(file.size());
  return {begin, 1 + random.below(std::min(kLongestPiece, file.size() - begin))};
}

// Numbers at which sums and products go wrong, in either order of bytes.
void replace_number(std::string& file, Random& random) {
  constexpr std::uint64_t kNumbers[] = {0,      1,          0x7F,       0x80,        0xFF,
                                        0x7FFF, 0xFFFF,     0x7FFFFFFF, 0x80000000u, 0xFFFFFFFFu,
                                        ~0ull,  ~0ull >> 1, 1ull << 63};
  const std::uint64_t number = kNumbers[random.below(std::size(kNumbers))];
  const std::size_t size = std::size_t{1} << random.below(4);
  const bool big = random.below(2) == 1;
  const std::size_t begin = random.below(file.size());
  for (std::size_t i = 0; i < size && begin + i < file.size(); ++i) {
    file[begin + i] = static_cast<char>(number >> (8 * (big ? size - 1 - i : i)));
  }
}

void change(std::string& file, std::string_view other, Random& random) {
  if (file.empty()) file.assign(1, '\0');
  switch (random.below(6)) {
    case 0:
      file[random.below(file.size())] ^= static_cast<char>(1 << random.below(8));
      return;
    case 1:
      file[random.below(file.size())] = static_cast<char>(random.below(256));
      return;
    case 2:
      return replace_number(file, random);
    case 3: {
      const Piece piece = piece_of(file, random);
      file.erase(piece.begin, piece.size);
      return;
    }
    case 4: {
      const Piece piece = piece_of(file, random);
      const std::string copy = file.substr(piece.begin, piece.size);
      file.insert(random.below(file.size() + 1), copy);
      return;
    }
    default: {
      if (other.empty()) return;
      const Piece piece = piece_of(other, random);
      const std::size_t at = random.below(file.size());
      file.replace(at, std::min(piece.size, file.size() - at),
                   other.substr(piece.begin, piece.size));
      return;
    }
  }
}

}  // namespace

std::string mutated(std::string_view file, std::string_view other, std::uint64_t number) {
  Random random(number);
  std::string changed(file);
  for (std::size_t changes = 1 + random.below(4); changes > 0; --changes) {
    change(changed, other, random);
  }
  return changed;
}

}  // namespace fovea::fuzz
