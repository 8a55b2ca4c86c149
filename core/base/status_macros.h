// RETURN_IF_ERROR and ASSIGN_OR_RETURN hand a failed status on to the caller.
//
// For .cc files only: a header would give these names to all who include it.
#ifndef WARMPOOL_CORE_BASE_STATUS_MACROS_H_
#define WARMPOOL_CORE_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"

// Returns from the enclosing function with the value of `expression`, an
// absl::Status, unless it is OK.
#define RETURN_IF_ERROR(expression)                                           \
  do {                                                                        \
    if (absl::Status warmpool_status = (expression); !warmpool_status.ok()) { \
      return warmpool_status;                                                 \
    }                                                                         \
  } while (false)

// Assigns the value of `expression`, an absl::StatusOr, to `target`, which may
// declare a variable; returns from the enclosing function with its status if
// there is no value. Parentheses are needed around a target with a comma. It is
// more than one statement: not for the body of an `if` without braces.
#define ASSIGN_OR_RETURN(target, expression) \
  WARMPOOL_ASSIGN_OR_RETURN(                 \
      WARMPOOL_STATUS_NAME(warmpool_status_or_, __LINE__), target, expression)

#define WARMPOOL_ASSIGN_OR_RETURN(result, target, expression) \
  auto result = (expression);                                 \
  if (!result.ok()) return std::move(result).status();        \
  target = *std::move(result)

#define WARMPOOL_STATUS_NAME(prefix, line) WARMPOOL_STATUS_NAME_OF(prefix, line)
#define WARMPOOL_STATUS_NAME_OF(prefix, line) prefix##line

#endif  // WARMPOOL_CORE_BASE_STATUS_MACROS_H_
