// The contract only ever grows: whatever a released client or daemon says still
// means the same. released.binpb is the last release's contract, made by
//   protoc --descriptor_set_out=released.binpb proto/warmpool/v1/warmpool.proto
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/duration.pb.h>

#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {
namespace {

namespace pb = google::protobuf;

constexpr char kReleased[] = "tests/proto/warmpool/v1/released.binpb";

class ContractTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file(kReleased, std::ios::binary);
    pb::FileDescriptorSet released;
    ASSERT_TRUE(released.ParseFromIstream(&file));
    ASSERT_EQ(released.file_size(), 1);
    pb::FileDescriptorProto duration;
    pb::Duration::descriptor()->file()->CopyTo(&duration);
    ASSERT_NE(pool_.BuildFile(duration), nullptr);
    released_ = pool_.BuildFile(released.file(0));
    ASSERT_NE(released_, nullptr);
  }

  // Name, type, label, and whether it may be absent.
  static std::string TermsOf(const pb::FieldDescriptor& field) {
    pb::FieldDescriptorProto terms;
    field.CopyTo(&terms);
    // There may be more of them by now.
    terms.clear_oneof_index();
    terms.clear_json_name();
    return terms.DebugString();
  }
  static void ExpectKept(const pb::Descriptor& released,
                         const pb::Descriptor* present) {
    ASSERT_NE(present, nullptr) << released.full_name();
    for (int i = 0; i < released.field_count(); ++i) {
      const pb::FieldDescriptor& field = *released.field(i);
      const pb::FieldDescriptor* const kept =
          present->FindFieldByNumber(field.number());
      ASSERT_NE(kept, nullptr) << field.full_name();
      EXPECT_EQ(TermsOf(*kept), TermsOf(field));
      EXPECT_EQ(kept->containing_oneof() == nullptr,
                field.containing_oneof() == nullptr)
          << field.full_name();
    }
    for (int i = 0; i < released.nested_type_count(); ++i) {
      const pb::Descriptor& nested = *released.nested_type(i);
      ExpectKept(nested, present->FindNestedTypeByName(nested.name()));
    }
    for (int i = 0; i < released.enum_type_count(); ++i) {
      const pb::EnumDescriptor& nested = *released.enum_type(i);
      ExpectKept(nested, present->FindEnumTypeByName(nested.name()));
    }
  }
  static void ExpectKept(const pb::EnumDescriptor& released,
                         const pb::EnumDescriptor* present) {
    ASSERT_NE(present, nullptr) << released.full_name();
    for (int i = 0; i < released.value_count(); ++i) {
      const pb::EnumValueDescriptor* const kept =
          present->FindValueByNumber(released.value(i)->number());
      ASSERT_NE(kept, nullptr) << released.value(i)->full_name();
      EXPECT_EQ(kept->name(), released.value(i)->name());
    }
  }

  pb::DescriptorPool pool_;
  const pb::FileDescriptor* released_ = nullptr;
  const pb::FileDescriptor* const present_ =
      v1::LeaseRequest::descriptor()->file();
};

TEST_F(ContractTest, MessagesKeepTheirFieldsAndEnumerationsTheirValues) {
  EXPECT_GT(released_->message_type_count(), 40);
  for (int i = 0; i < released_->message_type_count(); ++i) {
    const pb::Descriptor& message = *released_->message_type(i);
    ExpectKept(message, present_->FindMessageTypeByName(message.name()));
  }
  for (int i = 0; i < released_->enum_type_count(); ++i) {
    const pb::EnumDescriptor& values = *released_->enum_type(i);
    ExpectKept(values, present_->FindEnumTypeByName(values.name()));
  }
}

TEST_F(ContractTest, TheServiceKeepsItsMethods) {
  const pb::ServiceDescriptor& released = *released_->service(0);
  const pb::ServiceDescriptor* const present =
      present_->FindServiceByName(released.name());
  ASSERT_NE(present, nullptr);
  EXPECT_EQ(present->full_name(), released.full_name());
  for (int i = 0; i < released.method_count(); ++i) {
    const pb::MethodDescriptor* const kept =
        present->FindMethodByName(released.method(i)->name());
    ASSERT_NE(kept, nullptr) << released.method(i)->name();
    EXPECT_EQ(kept->DebugString(), released.method(i)->DebugString());
  }
}

}  // namespace
}  // namespace warmpool
