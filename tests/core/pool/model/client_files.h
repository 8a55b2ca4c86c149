// ClientFiles: what client processes do to the files of their buffers.
#ifndef WARMPOOL_TESTS_CORE_POOL_MODEL_CLIENT_FILES_H_
#define WARMPOOL_TESTS_CORE_POOL_MODEL_CLIENT_FILES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace warmpool {

// The name of the file at `path`.
std::string FileNameOf(const std::string& path);

// A client writes this into its buffer first, and expects to find it there.
void WriteMark(const std::string& path, uint64_t mark);
void ExpectMark(const std::string& path, uint64_t mark);

void ExpectAllZero(const std::string& path, uint64_t bytes);
// Expects a file of so many bytes with all its pages: none of them can cost a
// client a SIGBUS.
void ExpectWhole(const std::string& path, uint64_t bytes);
// Whether the file's mode lets anybody write to it.
bool HasWritableMode(const std::string& path);

// Takes pages of the file away, whatever its mode.
void TruncateFile(const std::string& path, uint64_t bytes);

// Descriptors of clients.
class ClientFiles {
 public:
  ClientFiles() = default;
  ~ClientFiles();
  ClientFiles(const ClientFiles&) = delete;
  ClientFiles& operator=(const ClientFiles&) = delete;

  // A client opens the file: 0, or errno.
  int Open(const std::string& path, bool for_writing);
  // The client closes the one with this index.
  void Close(size_t index);
  size_t count() const { return descriptors_.size(); }

  // Whether some client has the file open. REQUIRES: the file exists.
  bool HasOpen(const std::string& path) const;
  bool HasOpenForWriting(const std::string& path) const;

 private:
  std::vector<int> descriptors_;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_MODEL_CLIENT_FILES_H_
