// Populate: enters a mapping's pages, which exist, into the page table of this
// process ahead of their first use.
//
// What it does was chosen by measurement. us until all of a mapping is entered
// and 8 bytes of each 4 KiB are written (AMD EPYC VM, 2 cores, other work on
// one of them, in the second table on both; Linux 6.18, tmpfs, the kernel's
// fault-around at its default of 64 KiB):
//
//   4 KiB pages, written before          256 KiB   2 MiB  16 MiB  64 MiB    1
//   GiB first use enters them                     94     789    7182   28050
//   426657 MAP_POPULATE                              24     164    1357    6548
//   89183 MADV_POPULATE_WRITE of all                62     632    4091   18929
//   251900 a byte read of every 64 KiB               16     107     871    5457
//   62221 MADV_POPULATE_READ of a page of these     18     165     980    5545
//   64139 the same by two threads                  108     224     793    3489
//   37729
//
//   4 KiB pages, reserved (fallocate)
//   first use enters and clears them         126    1213   12671   55986
//   1345745 MAP_POPULATE                             132    1288   14383 46850
//   909728 MADV_POPULATE_WRITE of all                81     860   11103   30766
//   700848 MADV_POPULATE_READ of a page of 64 KiB   122    1127   13811   48576
//   882597
//
//   2 MiB pages
//   first use enters them                              9      61     226 5419
//   MADV_POPULATE_READ of all                         12      49     186 4444
//   MADV_POPULATE_READ of a page of 64 KiB            28     255    1030 16174
//
// So: where pages are small and were written, a page of each fault-around, for
// one fault enters them all. It is asked for by madvise, since to read a byte
// of a file that somebody truncates meanwhile is a SIGBUS, and this an error.
// Writes do not fault again: a tmpfs has no need to be told of them. A fault
// for reading enters no page that has yet to be cleared but its own, so those
// that are reserved only are populated one by one, for writing. Huge pages are
// entered all at once. A second thread costs 80 us and pays from some 10 MiB of
// small pages; huge ones are too few to.
#ifndef WARMPOOL_CORE_MEMORY_PAGES_POPULATE_H_
#define WARMPOOL_CORE_MEMORY_PAGES_POPULATE_H_

#include <cstddef>

#include "core/memory/kernel/system_calls.h"
#include "core/memory/segment.h"

namespace warmpool {

// From here on small pages are entered by as many threads as there are
// processors, but no more than kMaxPopulateThreads: enough to be sure of a gain
// where other processors are busy.
inline constexpr size_t kManyThreadsBytes = 32 * kMiB;
inline constexpr size_t kMaxPopulateThreads = 4;

// What became of a segment's pages so far, unless they are huge.
enum class PageState {
  // They are the file's (fallocate), and have yet to be cleared.
  kReserved,
  kWritten,
};

// For a mapped segment, whose page_bytes() and `state` tell what to expect:
// should they be wrong it takes longer, or something is left to first use, no
// more. Whatever fails is left to first use, all of it before Linux 5.14.
// Thread-safe.
void Populate(SystemCalls& calls, const Segment& segment, bool writable,
              PageState state);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_PAGES_POPULATE_H_
