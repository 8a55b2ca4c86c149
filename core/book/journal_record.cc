#include "core/book/journal_record.h"

namespace warmpool {

LeaseRecord RecordOf(const LeaseTable::Lease& lease,
                     const LeaseTable::Buffer& buffer, const Holder& holder) {
  LeaseRecord record;
  record.id = lease.id;
  record.request_id = lease.request_id;
  record.client_id = lease.client_id;
  // The maker of a lease that no process has; it need not be recognisable.
  const Process process =
      lease.maker == nullptr ? holder.process() : *lease.maker;
  record.holder_pid = process.pid;
  record.holder_uid = process.uid;
  record.holder_instance = lease.maker == nullptr ? holder.instance : 0;
  record.holder_command = process.command;
  record.file_name = buffer.segment.file_name();
  record.buffer_name = buffer.name;
  record.owner = buffer.uid;
  record.bytes = buffer.bytes;
  record.segment_bytes = buffer.segment.bytes();
  record.page_bytes = buffer.segment.page_bytes();
  record.generation = buffer.generation;
  record.kind = lease.kind;
  record.access = lease.access;
  record.warmth = lease.warmth;
  record.zeroed = lease.zeroed;
  record.sealed = buffer.sealed;
  record.linger = lease.linger;
  record.share_with = buffer.share_with;
  record.ttl = lease.ttl;
  record.granted_at = lease.granted_at;
  return record;
}

}  // namespace warmpool
