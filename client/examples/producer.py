# Fills a frame and hands it to a consumer of any language, by name.
import mmap
import os
import sys

import grpc
import numpy as np
from google.protobuf import duration_pb2

import frames_pb2
import frames_pb2_grpc
from warmpool.v1 import warmpool_pb2, warmpool_pb2_grpc

pool = warmpool_pb2_grpc.MemoryPoolStub(grpc.insecure_channel(sys.argv[1]))
consumer = frames_pb2_grpc.FramesStub(grpc.insecure_channel(sys.argv[2]))

lease = pool.Lease(warmpool_pb2.LeaseRequest(
    request_id=os.urandom(16),  # the same again gets the same lease, if an answer is lost
    size_bytes=1920 * 1080 * 3,
    name=f"frames/{os.getpid()}",
    ttl=duration_pb2.Duration(),  # as long as this process lives: nobody renews it
), timeout=10).lease

with open(lease.path, "r+b", buffering=0) as segment:
    mapping = mmap.mmap(segment.fileno(), lease.mapped_bytes)
frame = np.frombuffer(mapping, np.uint8, count=lease.size_bytes).reshape(1080, 1920, 3)
frame[...] = np.arange(1080 * 1920 * 3).reshape(frame.shape) % 251
total = int(frame.sum())

# Sealed is what nobody has mapped for writing: the views go first, then the mapping.
# np.frombuffer has it that close() raises BufferError while a view is left; of an
# np.ndarray(buffer=mapping) the mapping knows nothing, and the next access is a crash.
del frame
mapping.close()
ref = warmpool_pb2.LeaseRef(lease_id=lease.lease_id, generation=lease.generation)
pool.Seal(warmpool_pb2.SealRequest(lease=ref), timeout=10)

shown = consumer.Show(frames_pb2.Frame(buffer_name=lease.buffer_name),
                      timeout=10, wait_for_ready=True)
assert (shown.size_bytes, shown.sum) == (lease.size_bytes, total), shown
pool.Release(warmpool_pb2.ReleaseRequest(leases=[ref]), timeout=10)
print(f"{lease.buffer_name}: {shown.size_bytes} bytes, their sum is {shown.sum}")
