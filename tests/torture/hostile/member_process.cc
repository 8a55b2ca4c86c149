#include "tests/torture/hostile/member_process.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/base/check.h"

namespace warmpool::torture {
namespace {

constexpr int kPipeBytes = 1 << 20;

}  // namespace

MemberProcess::Pipes::Pipes() {
  WARMPOOL_CHECK(pipe2(input, O_CLOEXEC) == 0, "no pipe for a process");
  WARMPOOL_CHECK(pipe2(output, O_CLOEXEC) == 0, "no pipe for a process");
  fcntl(output[0], F_SETFL, O_NONBLOCK);
  fcntl(output[0], F_SETPIPE_SZ, kPipeBytes);
}

MemberProcess::MemberProcess(const std::vector<std::string>& arguments)
    : MemberProcess(arguments, Pipes()) {}

MemberProcess::MemberProcess(const std::vector<std::string>& arguments,
                             const Pipes& pipes)
    : process_(arguments, {.input = pipes.input[0], .output = pipes.output[1]}),
      input_(pipes.input[1]),
      output_(pipes.output[0]) {
  close(pipes.input[0]);
  close(pipes.output[1]);
}

MemberProcess::~MemberProcess() {
  process_.Kill();
  CloseInput();
  close(output_);
}

void MemberProcess::CloseInput() {
  if (input_ >= 0) close(std::exchange(input_, -1));
}

void MemberProcess::ReadLines(const OnLine& on_line) {
  char bytes[16 * 1024];
  for (;;) {
    const ssize_t count = read(output_, bytes, sizeof(bytes));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    unread_.append(bytes, static_cast<size_t>(count));
    size_t begin = 0;
    for (size_t end; (end = unread_.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      on_line(absl::string_view(unread_.data() + begin, end - begin));
    }
    unread_.erase(0, begin);
  }
}

}  // namespace warmpool::torture
