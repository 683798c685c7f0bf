// SPDX-License-Identifier: GPL-2.0
// For BPF_PROG_TEST_RUN, which gives every packet a new socket that nobody watches: makes it a watched connection in
// the state that the test wants, and goes on as the agent's own program.

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_helpers.h>

#include "request.h"

char LICENSE[] SEC("license") = "GPL";

#define NOT_RUN 0 /* the agent's programs return 1 */

/* The agent's own map takes the place of this one. */
struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
  __type(key, int);
  __type(value, struct request_socket);
} request_sockets SEC(".maps");

/* Also the agent's own. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1);
  __type(key, __u64);
  __type(value, struct request_socket);
} request_sockets_by_cookie SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct request_socket);
} state_before SEC(".maps");

/* One for each direction: from 6.18 on all programs in one have to be of the same direction. */
struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u32));
} program_in SEC(".maps"), program_out SEC(".maps");

__u64 cookie = 0; /* of the last packet's socket */

static __always_inline bool mark(struct __sk_buff* skb) {
  __u32 zero = 0;
  struct bpf_sock* sk = skb->sk;
  struct request_socket* before = bpf_map_lookup_elem(&state_before, &zero);
  if (!sk || !before) return false;
  sk = bpf_sk_fullsock(sk);
  if (!sk || !bpf_sk_storage_get(&request_sockets, sk, before, BPF_SK_STORAGE_GET_F_CREATE)) return false;
  __u64 its_cookie = bpf_get_socket_cookie(skb);
  cookie = its_cookie;
  return bpf_map_update_elem(&request_sockets_by_cookie, &its_cookie, before, BPF_ANY) == 0;
}

SEC("cgroup_skb/ingress")
int marked_in(struct __sk_buff* skb) {
  if (mark(skb)) bpf_tail_call(skb, &program_in, 0);
  return NOT_RUN;
}

SEC("cgroup_skb/egress")
int marked_out(struct __sk_buff* skb) {
  if (mark(skb)) bpf_tail_call(skb, &program_out, 0);
  return NOT_RUN;
}
