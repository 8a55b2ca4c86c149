#include "client/cli/event_text.h"

#include <string>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

const absl::Time kTime = absl::FromUnixMillis(1'700'000'000'123);

v1::BufferEvent Sealed() {
  v1::BufferEvent event;
  event.set_kind(v1::BufferEvent::KIND_SEALED);
  event.set_name("camera/0");
  event.set_uid(1000);
  event.set_generation(9);
  event.set_size_bytes(2 << 20);
  return event;
}

TEST(EventTextTest, ALineHasTimeKindSizeAndName) {
  EXPECT_EQ(EventLine(Sealed(), kTime, absl::UTCTimeZone()),
            "22:13:20.123  sealed        2 MiB  camera/0\n");
}

TEST(EventTextTest, AResyncSaysWhereToLook) {
  v1::BufferEvent event;
  event.set_kind(v1::BufferEvent::KIND_RESYNC);
  EXPECT_EQ(EventLine(event, kTime, absl::UTCTimeZone()),
            "22:13:20.123  resync   what was before: warmpool list\n");
}

TEST(EventTextTest, ForProgramsThereIsAllOfIt) {
  const cli::BufferEvent event = MakeEvent(Sealed(), kTime);
  EXPECT_EQ(event.time(), "2023-11-14T22:13:20.123000Z");
  EXPECT_EQ(event.kind(), "sealed");
  EXPECT_EQ(event.name(), "camera/0");
  EXPECT_EQ(event.uid(), 1000u);
  EXPECT_EQ(event.generation(), 9u);
  EXPECT_EQ(event.size_bytes(), 2u << 20);
}

}  // namespace
}  // namespace warmpool
