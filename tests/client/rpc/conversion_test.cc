#include "client/rpc/conversion.h"

#include <cstdint>
#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(ConversionTest, EveryGrpcCodeIsTheAbslCodeOfTheSameName) {
  const struct {
    grpc::StatusCode grpc;
    absl::StatusCode absl;
  } pairs[] = {
      {grpc::StatusCode::CANCELLED, absl::StatusCode::kCancelled},
      {grpc::StatusCode::UNKNOWN, absl::StatusCode::kUnknown},
      {grpc::StatusCode::INVALID_ARGUMENT, absl::StatusCode::kInvalidArgument},
      {grpc::StatusCode::DEADLINE_EXCEEDED,
       absl::StatusCode::kDeadlineExceeded},
      {grpc::StatusCode::NOT_FOUND, absl::StatusCode::kNotFound},
      {grpc::StatusCode::ALREADY_EXISTS, absl::StatusCode::kAlreadyExists},
      {grpc::StatusCode::PERMISSION_DENIED,
       absl::StatusCode::kPermissionDenied},
      {grpc::StatusCode::RESOURCE_EXHAUSTED,
       absl::StatusCode::kResourceExhausted},
      {grpc::StatusCode::FAILED_PRECONDITION,
       absl::StatusCode::kFailedPrecondition},
      {grpc::StatusCode::ABORTED, absl::StatusCode::kAborted},
      {grpc::StatusCode::OUT_OF_RANGE, absl::StatusCode::kOutOfRange},
      {grpc::StatusCode::UNIMPLEMENTED, absl::StatusCode::kUnimplemented},
      {grpc::StatusCode::INTERNAL, absl::StatusCode::kInternal},
      {grpc::StatusCode::UNAVAILABLE, absl::StatusCode::kUnavailable},
      {grpc::StatusCode::DATA_LOSS, absl::StatusCode::kDataLoss},
      {grpc::StatusCode::UNAUTHENTICATED, absl::StatusCode::kUnauthenticated},
  };
  for (const auto& pair : pairs) {
    EXPECT_EQ(StatusFromGrpc(grpc::Status(pair.grpc, "why")),
              absl::Status(pair.absl, "why"));
    v1::Result result;
    result.set_code(pair.grpc);
    result.set_message("why");
    EXPECT_EQ(StatusFromResult(result), absl::Status(pair.absl, "why"));
  }
  EXPECT_TRUE(StatusFromGrpc(grpc::Status::OK).ok());
  EXPECT_TRUE(StatusFromResult(v1::Result()).ok());
}

TEST(ConversionTest, ACodeThatNobodyKnowsIsAnError) {
  v1::Result result;
  result.set_code(4711);
  EXPECT_EQ(StatusFromResult(result).code(), absl::StatusCode::kUnknown);
}

TEST(ConversionTest, AnAnswerGrantsATimeToLiveOrSaysWhyNot) {
  v1::RenewResponse::Renewed answer;
  answer.mutable_ttl()->set_seconds(5);
  EXPECT_EQ(*TtlFromAnswer(answer, absl::Seconds(60)), absl::Seconds(5));
  answer.mutable_ttl()->set_seconds(0);
  EXPECT_EQ(*TtlFromAnswer(answer, absl::Seconds(60)), absl::ZeroDuration())
      << "as long as its holder lives";
  answer.mutable_result()->set_code(grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(TtlFromAnswer(answer, absl::Seconds(60)).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(ConversionTest, AnOkThatDoesNotSayForHowLongIsAnError) {
  const v1::RenewResponse::Renewed empty;
  EXPECT_EQ(TtlFromAnswer(empty, absl::Seconds(60)).status().code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(*TtlFromAnswer(empty, absl::ZeroDuration()), absl::ZeroDuration())
      << "it needs no renewal";
  v1::AssertResponse::Asserted negative;
  negative.mutable_ttl()->set_nanos(-1);
  EXPECT_EQ(TtlFromAnswer(negative, absl::ZeroDuration()).status().code(),
            absl::StatusCode::kInternal);
}

TEST(ConversionTest, DurationsComeBackAsTheyWent) {
  for (const absl::Duration duration :
       {absl::ZeroDuration(), absl::Nanoseconds(1), absl::Seconds(60),
        absl::Milliseconds(1500), -absl::Milliseconds(1500),
        absl::Hours(24 * 365)}) {
    const google::protobuf::Duration wire = DurationToWire(duration);
    EXPECT_EQ(DurationFromWire(wire), duration) << duration;
    // google.protobuf.Duration wants both parts of one sign.
    EXPECT_GE(wire.seconds() * wire.nanos(), 0) << duration;
  }
}

TEST(ConversionTest, DurationsTooLongForTheWireBecomeTheLongest) {
  EXPECT_EQ(DurationToWire(absl::InfiniteDuration()).seconds(),
            315'576'000'000);
  EXPECT_EQ(DurationToWire(-absl::InfiniteDuration()).seconds(),
            -315'576'000'000);
}

}  // namespace
}  // namespace warmpool
