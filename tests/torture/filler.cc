#include "tests/torture/filler.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/check.h"

namespace warmpool::torture {

void Filler::Fill() {
  if (fd_ < 0) {
    fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    WARMPOOL_CHECK(fd_ >= 0, "no file to fill the filesystem with");
  }
  struct stat file;
  WARMPOOL_CHECK(fstat(fd_, &file) == 0, "fstat");
  off_t size = file.st_size;
  // An allocation that fails takes nothing: smaller and smaller ones.
  for (off_t step = off_t{16} << 20; step >= 4096;) {
    if (fallocate(fd_, 0, size, step) == 0) {
      size += step;
    } else {
      step /= 2;
    }
  }
}

void Filler::Free() {
  if (fd_ < 0) return;
  unlink(path_.c_str());
  close(std::exchange(fd_, -1));
}

}  // namespace warmpool::torture
