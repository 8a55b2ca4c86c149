// The structs of warmpool/admin.h, from and to the messages of the protocol.
//
// Functions without state. Numbers that this library does not know (a newer
// daemon's) become the value that the struct has by default.
#ifndef WARMPOOL_CLIENT_ADMIN_CONVERSION_H_
#define WARMPOOL_CLIENT_ADMIN_CONVERSION_H_

#include <optional>

#include "proto/warmpool/v1/warmpool.pb.h"
#include "warmpool/admin.h"

namespace warmpool {

DaemonStats FromWire(const v1::GetStatsResponse& stats);
ListedBuffer FromWire(const v1::Buffer& buffer);
HolderListing FromWire(const v1::ListHoldersResponse& holders);
BufferEvent FromWire(const v1::BufferEvent& event);
TrimResult FromWire(const v1::TrimResponse& response);
ShutdownResult FromWire(const v1::ShutdownResponse& response);
LogLevel FromWire(v1::LogLevel level);

v1::ListBuffersRequest ToWire(const ListFilter& filter);
// nullopt: UNSPECIFIED.
v1::LogLevel ToWire(std::optional<LogLevel> level);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_ADMIN_CONVERSION_H_
