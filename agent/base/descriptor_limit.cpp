#include "agent/base/descriptor_limit.h"

#include <sys/resource.h>

namespace manometer {

Result<size_t> raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return Error::from_errno("read the limit of open files");
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return Error::from_errno("raise the limit of open files");
  return limit.rlim_max;
}

}  // namespace manometer
