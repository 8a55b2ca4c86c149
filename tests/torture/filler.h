// Filler: a file that takes all that a filesystem has left.
#ifndef WARMPOOL_TESTS_TORTURE_FILLER_H_
#define WARMPOOL_TESTS_TORTURE_FILLER_H_

#include <string>
#include <utility>

namespace warmpool::torture {

class Filler {
 public:
  explicit Filler(std::string path) : path_(std::move(path)) {}
  ~Filler() { Free(); }
  Filler(const Filler&) = delete;
  Filler& operator=(const Filler&) = delete;

  // Takes what is free at this moment. Again: also what became free since.
  void Fill();
  void Free();
  bool full() const { return fd_ >= 0; }

 private:
  const std::string path_;
  int fd_ = -1;
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_FILLER_H_
