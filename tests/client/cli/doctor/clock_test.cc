#include "client/cli/doctor/clock.h"

#include "gtest/gtest.h"
#include "tests/client/cli/doctor/verdicts.h"
#include "tests/core/memory/fake_cgroups.h"

namespace warmpool::doctor {
namespace {

TEST(ClockTest, AFastSourceIsOk) {
  const Check check = CheckClock({.source = "tsc", .nanoseconds_each = 17});
  EXPECT_THAT(check, IsOk());
  EXPECT_EQ(check.value, "tsc, 17 ns a reading");
}

TEST(ClockTest, ASlowSourceWarnsAndNamesAFastOneThatIsThere) {
  EXPECT_THAT(
      CheckClock({.source = "hpet",
                  .available_sources = "tsc hpet acpi_pm",
                  .nanoseconds_each = 900}),
      Warns("hpet, 900 ns", "echo tsc > /sys/devices/system/clocksource"));
  EXPECT_THAT(CheckClock({.source = "acpi_pm",
                          .available_sources = "acpi_pm",
                          .nanoseconds_each = 900}),
              Warns("acpi_pm", "clocksource=tsc"));
}

TEST(ClockTest, TheSourceIsReadAndMeasured) {
  FakeCgroups files("/");
  files.Write(
      "/sys/devices/system/clocksource/clocksource0/current_clocksource",
      "kvm-clock\n");
  files.Write(
      "/sys/devices/system/clocksource/clocksource0/available_clocksource",
      "kvm-clock tsc acpi_pm \n");
  const ClockReadings readings = ReadClock(files.root());
  EXPECT_EQ(readings.source, "kvm-clock");
  EXPECT_EQ(readings.available_sources, "kvm-clock tsc acpi_pm");
  EXPECT_GT(readings.nanoseconds_each, 0);
  EXPECT_LT(readings.nanoseconds_each, 1e6);
}

TEST(ClockTest, WithoutSysTheMeasurementCounts) {
  EXPECT_THAT(CheckClock({.source = "", .nanoseconds_each = 30}), IsOk());
}

}  // namespace
}  // namespace warmpool::doctor
