// Capabilities that a test's process gives up.
#ifndef WARMPOOL_TESTS_CORE_MEMORY_CAPABILITIES_H_
#define WARMPOOL_TESTS_CORE_MEMORY_CAPABILITIES_H_

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <initializer_list>

namespace warmpool {

// This process, root's, goes on without them, for good. Tells whether it
// worked.
inline bool DropCapabilities(std::initializer_list<int> capabilities) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data) < 0) return false;
  for (const int capability : capabilities) {
    const uint32_t bit = uint32_t{1} << (capability % 32);
    __user_cap_data_struct& word = data[capability / 32];
    word.effective &= ~bit;
    word.permitted &= ~bit;
    word.inheritable &= ~bit;
  }
  return syscall(SYS_capset, &header, data) == 0;
}

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_MEMORY_CAPABILITIES_H_
