// How segments are sealed, and unsealed once nobody has them.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "core/memory/directory/segment_directory.h"
#include "core/memory/kernel/retry.h"
#include "core/memory/pages/reopen.h"

namespace warmpool {

absl::Status SegmentDirectory::Seal(Segment* segment, const Sharing& sharing) {
  if (!sharing.empty() && !serves_other_uids_) {
    return absl::FailedPreconditionError(
        "can't share with other uids: this daemon serves its own uid alone; "
        "run "
        "it as root, with --allow_uid or --allow_gid");
  }
  // One that is sealed already may be so by halves, after a seal whose undoing
  // failed.
  const absl::Status kept = KeepAs(/*sealed=*/true, sharing, segment);
  if (!kept.ok()) return kept;
  bool keep = false;
  const int fd = OpenToProve(*segment, &keep);
  const uid_t prover = ProverOf(*segment);
  const int taken = fd < 0 ? fd : RetryOnInterrupt([&] {
    return calls_.SetFileLease(fd, F_RDLCK, prover);
  });
  absl::Status whole;
  if (taken >= 0) {
    RetryOnInterrupt([&] { return calls_.SetFileLease(fd, F_UNLCK, prover); });
    whole = CheckPages(*segment, fd, /*for_others=*/!sharing.empty());
  }
  if (fd >= 0) PutBack(*segment, fd, keep);
  if (taken >= 0 && whole.ok()) return absl::OkStatus();
  const absl::Status undone = KeepAs(/*sealed=*/false, sharing, segment);
  if (!undone.ok()) return undone;
  if (!whole.ok()) return whole;
  if (taken == -EAGAIN) {
    return absl::FailedPreconditionError(
        absl::StrCat("segment ", segment->file_name(),
                     " can't be sealed: a process has it open or mapped for "
                     "writing, and must "
                     "unmap and close it first"));
  }
  return absl::ErrnoToStatus(
      -taken, absl::StrCat("can't seal segment ", PathOf(*segment)));
}

absl::Status SegmentDirectory::CheckPages(const Segment& segment, int fd,
                                          bool for_others) {
  FileState state;
  const auto look = [&] {
    return RetryOnInterrupt([&] { return calls_.State(fd, &state); });
  };
  int done = look();
  // Other uids must not trust the owner: pages beyond the end, which would make
  // up for holes in the count, go first. Nobody but this daemon can write to
  // the file by then.
  if (done >= 0 && for_others && state.size_bytes == segment.bytes()) {
    done =
        OpenWithRoom([&] { return Reopen(calls_, segment.parts(), O_RDWR); });
    if (const int writable = done; writable >= 0) {
      done = RetryOnInterrupt(
          [&] { return calls_.Resize(writable, segment.bytes()); });
      calls_.Close(writable);
    }
    if (done >= 0) done = look();
  }
  if (done < 0) {
    return absl::ErrnoToStatus(
        -done, absl::StrCat("can't look at segment ", PathOf(segment)));
  }
  if (state.size_bytes == segment.bytes() &&
      state.allocated_bytes >= segment.bytes()) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "segment ", segment.file_name(), " can't be sealed: it has ",
      state.size_bytes, " bytes, ", state.allocated_bytes,
      " of them in memory, instead of ", segment.bytes(),
      ": a process truncated it or punched holes into it; lease another"));
}

Verdict SegmentDirectory::Unseal(Segment* segment) {
  if (!segment->sealed()) return Verdict::kFree;
  // What can't be leased again, for whatever reason, is to be ended.
  if (!KeepAs(/*sealed=*/false, {}, segment).ok()) return Verdict::kUnfit;
  return Prove(*segment);
}

int SegmentDirectory::Permit(bool sealed, const Sharing& sharing, int fd,
                             const Segment& segment) {
  const auto give = [&](uid_t owner) {
    return RetryOnInterrupt([&] { return calls_.ChangeOwner(fd, owner); });
  };
  const auto permit = [&](const std::string& acl) {
    return RetryOnInterrupt([&] { return calls_.SetAcl(fd, acl); });
  };
  if (sealed && !sharing.empty()) {
    // Its uid may not change what others may do from that moment on.
    const int done = give(geteuid());
    return done < 0 ? done : permit(ReadersAcl(segment.owner(), sharing));
  }
  FileState state;
  int done = RetryOnInterrupt([&] { return calls_.State(fd, &state); });
  if (done < 0) return done;
  // It was shared, or was about to be.
  if (state.owner != ProverOf(segment)) {
    done = permit(OwnersAcl());
    const int given = give(ProverOf(segment));
    // There may be no lists on this filesystem.
    if (done >= 0 || done == -EOPNOTSUPP) done = given;
  }
  const int changed = RetryOnInterrupt([&] {
    return calls_.ChangeMode(fd, sealed ? kSealedMode : kSegmentMode);
  });
  return done < 0 ? done : changed;
}

absl::Status SegmentDirectory::KeepAs(bool sealed, const Sharing& sharing,
                                      Segment* segment) {
  const auto error = [&](int result) {
    return absl::ErrnoToStatus(
        -result, absl::StrCat("can't ", sealed ? "seal" : "unseal", " segment ",
                              PathOf(*segment)));
  };
  bool keep = false;
  const int before = OpenToProve(*segment, &keep);
  if (before < 0) return error(before);
  const int changed = Permit(sealed, sharing, before, *segment);
  const int after = changed < 0 ? changed : OpenWithRoom([&] {
    return Reopen(calls_, segment->parts(), sealed ? O_RDONLY : O_RDWR);
  });
  if (after < 0) {
    Permit(!sealed, sharing, before, *segment);
    PutBack(*segment, before, keep);
    return error(after);
  }
  calls_.Close(before);
  segment->set_sealed(sealed);
  PutBack(*segment, after, keep);
  return absl::OkStatus();
}

void SegmentDirectory::PutBack(const Segment& segment, int fd, bool keep) {
  if (keep) {
    descriptors_.Put(segment.parts().descriptor_key, fd);
  } else {
    calls_.Close(fd);
  }
}

}  // namespace warmpool
