// What this machine says of huge pages in files of shared memory: why there are
// none, and whether a mount gives them of itself.
#ifndef WARMPOOL_CORE_MEMORY_PAGES_HUGE_PAGE_SUPPORT_H_
#define WARMPOOL_CORE_MEMORY_PAGES_HUGE_PAGE_SUPPORT_H_

#include <string>

namespace warmpool {

// Whether the filesystem of an open file is a tmpfs mounted with huge=always or
// huge=within_size.
bool MountGivesHugePages(int fd);

// Why the kernel refused to fill an open file with huge pages, with `error`,
// and what to do about it.
std::string WhyNoHugePages(int error, int fd);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_PAGES_HUGE_PAGE_SUPPORT_H_
