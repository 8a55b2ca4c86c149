#include "client/load/framed_message.h"

#include <unistd.h>

#include <vector>

#include "client/load/client_event.pb.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(FramedMessageTest, MessagesArePutTogetherFromAnyPieces) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  load::ClientEvent event;
  event.mutable_ready();
  ASSERT_TRUE(WriteFramed(ends[1], event));
  event.mutable_progress()->set_leases(17);
  ASSERT_TRUE(WriteFramed(ends[1], event));
  close(ends[1]);

  FrameParser parser;
  std::vector<load::ClientEvent> events;
  char byte;
  while (read(ends[0], &byte, 1) == 1) {
    parser.Append({&byte, 1});
    while (parser.Next(&event)) events.push_back(event);
  }
  close(ends[0]);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_TRUE(events[0].has_ready());
  EXPECT_EQ(events[1].progress().leases(), 17u);
}

TEST(FramedMessageTest, SeveralMessagesMayComeAtOnce) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  load::ClientEvent event;
  event.mutable_ready();
  ASSERT_TRUE(WriteFramed(ends[1], event));
  ASSERT_TRUE(WriteFramed(ends[1], event));
  char bytes[100];
  const ssize_t count = read(ends[0], bytes, sizeof(bytes));
  close(ends[0]);
  close(ends[1]);
  FrameParser parser;
  parser.Append({bytes, static_cast<size_t>(count)});
  EXPECT_TRUE(parser.Next(&event));
  EXPECT_TRUE(parser.Next(&event));
  EXPECT_FALSE(parser.Next(&event));
}

}  // namespace
}  // namespace warmpool
