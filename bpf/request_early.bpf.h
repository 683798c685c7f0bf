/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_REQUEST_EARLY_BPF_H
#define MANOMETER_BPF_REQUEST_EARLY_BPF_H
/*
 * A request that comes with the handshake's last packet: always where the server has TCP_DEFER_ACCEPT, and from clients
 * that save the packet of its own (HAProxy). The connection does not exist yet then: the packet is seen by the socket
 * that listens. What is found in it is kept until the same packet, on the same CPU, has made the connection.
 */

#include "request_socket.bpf.h"
#include "request_stream.bpf.h"

struct request_early {
  struct request_socket socket;
  __u32 seq; /* of the request's first byte */
  __u32 there;
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct request_early);
} request_early_data SEC(".maps");

static __always_inline struct request_early* early_data(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&request_early_data, &zero);
}

static __always_inline void begin_early(struct request_early* early, const struct request_socket* listener,
                                        const struct segment* segment) {
  early->socket = *listener;
  early->seq = segment->seq;
  early->there = 1;
  start_at(&early->socket.in, segment->seq);
}

/* A connection that has just been made. */
static __always_inline void adopt_early(struct sock* sk) {
  struct request_early* early = early_data();
  if (!early || !early->there) return;
  struct request_socket* socket = bpf_sk_storage_get(&request_sockets, sk, NULL, 0);
  struct tcp_sock* tcp = bpf_skc_to_tcp_sock(sk);
  if (!socket || !tcp || tcp->rcv_nxt != early->seq || socket->target_id != early->socket.target_id) return;
  *socket = early->socket;
  early->there = 0;
}

#endif
