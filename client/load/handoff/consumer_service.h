// ConsumerService: the consumer of a pair: takes the bytes of each round in
// whatever way they come, checks every page, and gives them back.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_CONSUMER_SERVICE_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_CONSUMER_SERVICE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "client/load/handoff/handoff.grpc.pb.h"
#include "client/load/handoff/handoff_options.h"
#include "client/load/handoff/pattern.h"
#include "core/base/clock.h"
#include "warmpool/warmpool.h"

namespace warmpool {

// Thread-safe.
class ConsumerService final
    : public load::Handoff::WithRawCallbackMethod_Chunks<
          load::Handoff::Service> {
 public:
  // Null: the ways that use the pool are UNIMPLEMENTED. All must outlive this.
  ConsumerService(const HandoffOptions* options, const Clock* clock,
                  Client* client, const std::string& channel);

  grpc::Status Echo(grpc::ServerContext*, const load::EchoMessage*,
                    load::EchoMessage*) override {
    return grpc::Status::OK;
  }
  grpc::Status Whole(grpc::ServerContext* context,
                     const load::HandoffData* request,
                     load::HandoffReceipt* receipt) override;
  grpc::ServerReadReactor<grpc::ByteBuffer>* Chunks(
      grpc::CallbackServerContext* context, grpc::ByteBuffer* answer) override;
  grpc::Status ByTicket(grpc::ServerContext* context,
                        const load::HandoffTicket* request,
                        load::HandoffReceipt* receipt) override;
  grpc::Status ByChannel(grpc::ServerContext* context,
                         const load::HandoffToken* request,
                         load::HandoffReceipt* receipt) override;
  grpc::Status ByName(
      grpc::ServerContext* context, const load::HandoffNames* request,
      grpc::ServerWriter<load::HandoffReceipt>* writer) override;

 private:
  absl::Status ReadBuffers(const load::HandoffNames& names,
                           grpc::ServerWriter<load::HandoffReceipt>& writer);
  absl::Status ConsumeBuffer(Buffer& buffer, uint64_t round,
                             load::HandoffReceipt* receipt) const;
  // Reads what has just arrived, then gives it back.
  absl::Status Consume(const ConstPieces& pieces, uint64_t round,
                       const std::function<absl::Status()>& give_back,
                       load::HandoffReceipt* receipt) const;

  const HandoffOptions& options_;
  const Clock& clock_;
  Client* const client_;
  // If there is a client.
  std::optional<Channel> channel_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_CONSUMER_SERVICE_H_
