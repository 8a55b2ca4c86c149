// A header of the consumer's own. Warmpool has one of this name inside.
#ifndef CONSUMER_CORE_BASE_CLOCK_H_
#define CONSUMER_CORE_BASE_CLOCK_H_

namespace consumer {

constexpr int kOwnClock = 2;

}  // namespace consumer

#endif  // CONSUMER_CORE_BASE_CLOCK_H_
