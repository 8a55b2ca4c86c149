// HttpPort: serves a listening socket, one request for each connection, and all
// connections on one thread. So nobody waits for another's client: one that
// says nothing, that sends or reads byte by byte, or that opens connections
// without end, holds no thread.
//
// Each connection has a deadline and a budget of bytes. Where there are too
// many, the eldest of whichever address has most gives way to the next.
#ifndef WARMPOOL_SERVER_HTTP_HTTP_PORT_H_
#define WARMPOOL_SERVER_HTTP_HTTP_PORT_H_

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/thread.h"
#include "core/base/unique_fd.h"

namespace warmpool {

class HttpPort {
 public:
  // Of a connection, from its begin to its end.
  static constexpr absl::Duration kPatience = absl::Seconds(5);
  static constexpr size_t kMostReadBytes = 16 << 10;
  // Each takes one of the daemon's descriptors.
  static constexpr size_t kMostConnections = 24;
  // A younger connection gives way to none: its request is on its way.
  static constexpr absl::Duration kSettled = absl::Milliseconds(50);

  // Given a request up to the end of its header, returns all of the response.
  // Called on the port's thread.
  using Answer = std::function<std::string(const std::string& request)>;

  // Serves from before this returns. `clock` must outlive it.
  static absl::StatusOr<std::unique_ptr<HttpPort>> Serve(UniqueFd listening,
                                                         const Clock* clock,
                                                         Answer answer);
  // Ends all connections.
  ~HttpPort();

 private:
  struct Connection {
    enum class Phase {
      kReading,
      kWriting,
      // All is sent; what still comes is thrown away until the client closes. A
      // socket that is closed before could take the answer with it.
      kDraining,
    };
    UniqueFd fd;
    // Without the port.
    std::string address;
    absl::Time begun;
    Phase phase = Phase::kReading;
    // The request, and then the response from `sent` on.
    std::string bytes = "";
    size_t sent = 0;
    size_t received = 0;
  };
  using Connections = std::list<Connection>;

  HttpPort(UniqueFd listening, UniqueFd stop, const Clock* clock,
           Answer answer);

  void Main();
  // False: it is to stop.
  bool Poll();
  int PollTimeout() const;
  void Accept();
  // False: nobody is to give way as yet.
  bool MakeRoom();
  void EndOverdue();
  // What a connection is ready for. False: it is over.
  bool Advance(Connection* connection);
  bool Read(Connection* connection);
  bool Write(Connection* connection);

  const UniqueFd listening_;
  const UniqueFd stop_;
  const Clock& clock_;
  const Answer answer_;
  // Used by the thread alone; the eldest first.
  Connections connections_;
  // Nobody is accepted before.
  absl::Time accept_at_ = absl::InfinitePast();
  bool complained_ = false;
  Thread thread_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_HTTP_HTTP_PORT_H_
