// What people write without a daemon: a file in the shared-memory directory, as
// shm_open makes it, sized, mapped and touched; later unmapped and unlinked.
#ifndef WARMPOOL_TESTS_BENCH_SEGMENTS_BY_HAND_H_
#define WARMPOOL_TESTS_BENCH_SEGMENTS_BY_HAND_H_

#include <cstddef>
#include <string>
#include <utility>

namespace warmpool::bench {

// Writes 8 bytes of each 4 KiB: what every arm does with what it got.
void Touch(std::byte* data, size_t bytes);

// Ends the program where the system refuses: there is nothing to measure then.
class ByHand {
 public:
  enum class Pages {
    // Whatever a touch brings.
    kAsTheyCome,
    // An aligned mapping and MADV_COLLAPSE, by somebody who knows of it.
    kCollapsed,
  };

  // A path that no other object of this process has.
  static std::string PathIn(const std::string& directory);

  explicit ByHand(std::string path) : path_(std::move(path)) {}
  ~ByHand() { End(); }
  ByHand(const ByHand&) = delete;
  ByHand& operator=(const ByHand&) = delete;

  // Creates, sizes and maps; a collapsed one has all its pages then.
  void Make(size_t bytes, Pages pages = Pages::kAsTheyCome);
  // Opens and maps a file that somebody else has made and will unlink.
  void Attach(size_t bytes);
  // Unmaps, unlinks what this made, closes. Does nothing if there is nothing.
  void End();

  std::byte* data() { return data_; }

 private:
  void Map(size_t bytes);
  void MapAligned(size_t bytes);

  const std::string path_;
  int fd_ = -1;
  bool made_ = false;
  std::byte* data_ = nullptr;
  // What is to be unmapped, with the slack that aligned it.
  void* reservation_ = nullptr;
  size_t reservation_bytes_ = 0;
};

}  // namespace warmpool::bench

#endif  // WARMPOOL_TESTS_BENCH_SEGMENTS_BY_HAND_H_
