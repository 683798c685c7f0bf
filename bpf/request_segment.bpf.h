/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_REQUEST_SEGMENT_BPF_H
#define MANOMETER_BPF_REQUEST_SEGMENT_BPF_H
/* The TCP segment in a packet. */

#include "kernel_types.h"

#include <stdbool.h>

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86DD

struct segment {
  __u32 offset; /* of its payload in the packet */
  __u32 length; /* of its payload */
  __u32 seq;    /* of its payload's first byte */
  bool fin;
  __u64 now_ns;
};

/* Offset of the TCP header, 0 if there is none. IPv6's extension headers are not looked behind. */
static __always_inline __u32 tcp_offset(struct __sk_buff* skb) {
  void* data = (void*)(long)skb->data;
  void* end = (void*)(long)skb->data_end;
  if (skb->protocol == bpf_htons(ETHERTYPE_IPV4)) {
    struct iphdr* ip = data;
    if ((void*)(ip + 1) > end || ip->protocol != IPPROTO_TCP) return 0;
    return ip->ihl * 4;
  }
  struct ipv6hdr* ip = data;
  if (skb->protocol != bpf_htons(ETHERTYPE_IPV6) || (void*)(ip + 1) > end || ip->nexthdr != IPPROTO_TCP) return 0;
  return sizeof(*ip);
}

/* False: it carries nothing and ends nothing. The clock is then not read: that takes as long as all the rest. */
static __always_inline bool find_segment(struct __sk_buff* skb, struct segment* segment) {
  __u32 offset = tcp_offset(skb);
  if (offset < sizeof(struct iphdr) || offset > 60) return false;
  struct tcphdr* tcp = (void*)(long)skb->data + offset;
  if ((void*)(tcp + 1) > (void*)(long)skb->data_end) return false;
  segment->offset = offset + tcp->doff * 4;
  segment->length = skb->len > segment->offset ? skb->len - segment->offset : 0;
  segment->seq = bpf_ntohl(tcp->seq) + tcp->syn;
  segment->fin = tcp->fin;
  if ((segment->length | segment->fin) == 0) return false; /* one test: two would double what the verifier looks at */
  segment->now_ns = bpf_ktime_get_ns();
  return true;
}

/* Copies size bytes, at most `most`, out of a packet. False: they are not there. */
static __always_inline bool load(struct __sk_buff* skb, __u32 offset, void* to, __u32 size, const __u32 most) {
  __u32 size_but_one = size - 1;
  asm volatile("" : "+r"(size_but_one)); /* what the compiler knows of it, the verifier has to see */
  return size_but_one < most && bpf_skb_load_bytes(skb, offset, to, size_but_one + 1) == 0;
}

#endif
