// BoundedServer: an httplib::Server that nobody can keep busy. httplib waits as
// long for each byte as for the first, and takes as many as come; here a connection
// has one deadline and one budget of bytes, and all of them end when the server
// does.
#ifndef WARMPOOL_SERVER_HTTP_BOUNDED_SERVER_H_
#define WARMPOOL_SERVER_HTTP_BOUNDED_SERVER_H_

#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "httplib.h"

namespace warmpool {

class BoundedServer final : public httplib::Server {
 public:
  // Of a connection, from when a thread takes it up to its end: requests and
  // answers are small, and those who wait for them near.
  static constexpr absl::Duration kPatience = absl::Seconds(5);
  static constexpr size_t kMostReadBytes = 16 << 10;

  // `clock` must outlive this.
  explicit BoundedServer(const Clock* clock) : clock_(*clock) {}

  // Cuts off all connections, and whichever come later. stop() is to be called
  // too.
  void CutOff();

 private:
  bool process_and_close_socket(socket_t socket) override;

  const Clock& clock_;
  Mutex mutex_;
  bool cut_off_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_set<socket_t> open_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_HTTP_BOUNDED_SERVER_H_
