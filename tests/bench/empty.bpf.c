// SPDX-License-Identifier: GPL-2.0
// Programs that do nothing, where those of the agent do their work: what they cost, they all cost. For the bench only.

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("cgroup_skb/ingress")
int empty_in(struct __sk_buff* skb) {
  return 1; /* lets the packet pass */
}

SEC("cgroup_skb/egress")
int empty_out(struct __sk_buff* skb) {
  return 1;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int empty_read(void* context) {
  return 0;
}
