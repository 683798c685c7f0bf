// How the programs for packets come to a cgroup.

#include <cstdint>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include "agent/probes/request_probe.h"
#include "tests/bpf/unified_cgroup.h"

namespace manometer::test {
namespace {

/// The kernel counts ids up.
uint32_t id_of(const bpf_link* link) {
  bpf_link_info info{};
  __u32 size = sizeof(info);
  EXPECT_EQ(::bpf_obj_get_info_by_fd(::bpf_link__fd(link), &info, &size), 0);
  return info.id;
}

// Between the two a request would be seen whose response was not: it would be in flight as long as its connection.
TEST(RequestProbe, SeesResponsesBeforeItSeesRequests) {
  const UnifiedCgroup cgroup("attach");
  const auto probe = probes::RequestProbe::open({});
  ASSERT_TRUE(probe.ok()) << probe.error().message();
  const auto attachment = (*probe)->attach(cgroup.fd());
  ASSERT_TRUE(attachment.ok()) << attachment.error().message();
  EXPECT_LT(id_of(attachment->out.get()), id_of(attachment->in.get()));
}

}  // namespace
}  // namespace manometer::test
