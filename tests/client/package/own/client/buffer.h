// A header of the consumer's own. Warmpool has one of this name inside.
#ifndef CONSUMER_CLIENT_BUFFER_H_
#define CONSUMER_CLIENT_BUFFER_H_

namespace consumer {

constexpr int kOwnBuffer = 1;

}  // namespace consumer

#endif  // CONSUMER_CLIENT_BUFFER_H_
