// WatchBuffers against a real daemon.
#include <unistd.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;

class WatchBuffersTest : public ::testing::Test {
 protected:
  // A stream of one connection's.
  struct Stream {
    explicit Stream(RawClient& client, const std::string& prefix = "") {
      RawClient::SetDeadline(&context);
      v1::WatchBuffersRequest request;
      request.set_name_prefix(prefix);
      reader = client.stub().WatchBuffers(&context, request);
    }
    // The next event, which must come.
    v1::BufferEvent Next() {
      v1::BufferEvent event;
      EXPECT_TRUE(reader->Read(&event));
      return event;
    }
    // Nothing is missing from its return on.
    void AwaitResync() {
      EXPECT_EQ(Next().kind(), v1::BufferEvent::KIND_RESYNC);
    }

    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::BufferEvent>> reader;
  };

  v1::GrantedLease LeaseNamed(const std::string& name) {
    v1::LeaseRequest request = RawClient::LeaseOf(5000);
    request.set_name(name);
    return client_.MustLease(request);
  }

  void Release(const v1::GrantedLease& lease) {
    EXPECT_EQ(client_.Release(RawClient::ReleaseOf(lease)).code(), 0);
  }

  DaemonProcess daemon_;
  RawClient client_{daemon_.target()};
};

TEST_F(WatchBuffersTest, EventsComeAsBuffersComeAndGo) {
  Stream stream(client_, "columns/");
  stream.AwaitResync();
  LeaseNamed("other");
  const v1::GrantedLease lease = LeaseNamed("columns/7");
  const v1::BufferEvent created = stream.Next();
  EXPECT_EQ(created.kind(), v1::BufferEvent::KIND_CREATED);
  EXPECT_EQ(created.name(), "columns/7");
  EXPECT_EQ(created.uid(), getuid());
  EXPECT_EQ(created.generation(), lease.generation());
  EXPECT_EQ(created.size_bytes(), 5000u);
  Release(lease);
  const v1::BufferEvent ended = stream.Next();
  EXPECT_EQ(ended.kind(), v1::BufferEvent::KIND_ENDED);
  EXPECT_EQ(ended.name(), "columns/7");
  EXPECT_EQ(ended.generation(), lease.generation());
}

TEST_F(WatchBuffersTest, ExpiryIsToldWithoutAnybodysCall) {
  Stream stream(client_);
  stream.AwaitResync();
  v1::LeaseRequest request = RawClient::LeaseOf(5000);
  request.set_name("brief");
  request.mutable_ttl()->set_nanos(50'000'000);
  client_.MustLease(request);
  EXPECT_EQ(stream.Next().kind(), v1::BufferEvent::KIND_CREATED);
  EXPECT_EQ(stream.Next().kind(), v1::BufferEvent::KIND_ENDED);
}

TEST_F(WatchBuffersTest, ManyWatchersAllSeeTheSame) {
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 20; ++i) {
    streams.push_back(std::make_unique<Stream>(client_));
    streams.back()->AwaitResync();
  }
  for (int i = 0; i < 10; ++i) Release(LeaseNamed(absl::StrCat("n/", i)));
  for (const auto& stream : streams) {
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(stream->Next().kind(), v1::BufferEvent::KIND_CREATED);
      const v1::BufferEvent ended = stream->Next();
      EXPECT_EQ(ended.kind(), v1::BufferEvent::KIND_ENDED);
      EXPECT_EQ(ended.name(), absl::StrCat("n/", i));
    }
  }
}

TEST_F(WatchBuffersTest, AReaderThatDoesNotReadIsTold) {
  // gRPC may hold little of what was not read.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 4096);
  RawClient slow_client(daemon_.target(), arguments);
  Stream slow(slow_client);
  slow.AwaitResync();
  // Long names, so that fewer events fill what the connection holds.
  const std::string padding(100, 'x');
  std::set<std::string> there;
  for (int i = 0; i < 2000; ++i) {
    const std::string name = absl::StrCat(padding, i);
    const v1::GrantedLease lease = LeaseNamed(name);
    if (i % 100 == 0) {
      there.insert(name);
    } else {
      Release(lease);
    }
  }
  LeaseNamed("last");
  there.insert("last");

  int events = 0;
  int resyncs = 0;
  std::set<std::string> followed;
  for (;;) {
    const v1::BufferEvent event = slow.Next();
    if (event.kind() == v1::BufferEvent::KIND_UNSPECIFIED) break;
    ++events;
    if (event.kind() == v1::BufferEvent::KIND_RESYNC) {
      ++resyncs;
      followed.clear();
    } else if (event.kind() == v1::BufferEvent::KIND_CREATED) {
      EXPECT_TRUE(followed.insert(event.name()).second) << event.name();
    } else {
      followed.erase(event.name());
    }
    if (event.name() == "last") break;
  }
  EXPECT_GE(resyncs, 1) << events;
  EXPECT_LT(events, 4000);
  // What came after the last resync is all there.
  for (const std::string& name : followed) EXPECT_TRUE(there.contains(name));
  EXPECT_TRUE(followed.contains("last"));
}

TEST_F(WatchBuffersTest, TheDaemonsStopEndsTheStream) {
  Stream stream(client_);
  stream.AwaitResync();
  EXPECT_EQ(daemon_.Terminate(), 0);
  v1::BufferEvent event;
  EXPECT_FALSE(stream.reader->Read(&event));
  EXPECT_FALSE(stream.reader->Finish().ok());
}

TEST_F(WatchBuffersTest, StreamsAreCancelledWhileEventsCome) {
  // Some of them while they wait, some while they are woken or written to. More
  // than a uid may have: each must be gone for the next ones to begin.
  for (int i = 0; i < 300; ++i) {
    Stream stream(client_);
    stream.AwaitResync();
    const v1::GrantedLease lease = LeaseNamed(absl::StrCat("n/", i));
    stream.context.TryCancel();
    Release(lease);
    v1::BufferEvent event;
    while (stream.reader->Read(&event)) {
    }
    EXPECT_EQ(stream.reader->Finish().error_code(),
              grpc::StatusCode::CANCELLED);
  }
  EXPECT_EQ(client_.Stats().leases().live_leases(), 0u);
}

TEST_F(WatchBuffersTest, AUidThatWatchesTooOftenIsRefusedUntilOneEnds) {
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 256; ++i) {
    streams.push_back(std::make_unique<Stream>(client_));
    streams.back()->AwaitResync();
  }
  {
    Stream more(client_);
    v1::BufferEvent event;
    EXPECT_FALSE(more.reader->Read(&event));
    const grpc::Status status = more.reader->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_THAT(status.error_message(), HasSubstr("256"));
  }
  streams.back()->context.TryCancel();
  EXPECT_TRUE(Eventually([this] {
    Stream again(client_);
    v1::BufferEvent event;
    return again.reader->Read(&event);
  }));
}

TEST_F(WatchBuffersTest, APrefixLongerThanAnyNameIsRefusedByValue) {
  Stream stream(client_, std::string(129, 'x'));
  v1::BufferEvent event;
  EXPECT_FALSE(stream.reader->Read(&event));
  const grpc::Status status = stream.reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("129 bytes"));
}

}  // namespace
}  // namespace warmpool::testing
