/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_REQUEST_GAUGES_BPF_H
#define MANOMETER_BPF_REQUEST_GAUGES_BPF_H
/* What the watched sockets are like at the time of a scan. */

#include "request_socket.bpf.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, REQUEST_TARGETS);
  __type(key, __u32);
  __type(value, struct request_gauges);
} request_gauges SEC(".maps");

__u64 gauges_scan = 0; /* number of the scan that goes on */

/* A connection as it is now. */
static __always_inline void add_to_gauges(struct request_gauges* gauges, const struct request_socket* socket) {
  __u32 unread = socket->arrived - socket->read;
  gauges->in_flight += socket->arrived - socket->answered;
  if ((__s32)unread <= 0) return; /* below 0: it is just being read */
  const struct request_pending* oldest = &socket->pending[socket->read % REQUEST_PENDING];
  if (oldest->number != socket->read) return;
  if (gauges->oldest_unread_ns == 0 || oldest->arrival_ns < gauges->oldest_unread_ns) {
    gauges->oldest_unread_ns = oldest->arrival_ns;
  }
}

static __always_inline void scan_listener(struct seq_file* out, const struct sock* sk,
                                          const struct request_socket* mark) {
  struct request_listener listener = {
      .target_id = mark->target_id,
      .target = mark->target,
      .length = sk->sk_ack_backlog,
      .limit = sk->sk_max_ack_backlog,
      .port = sk->__sk_common.skc_num,
  };
  bpf_seq_write(out, &listener, sizeof(listener));
}

static __always_inline void scan_connection(struct sock* sk, const struct request_socket* mark) {
  __u32 index = mark->target;
  /* Its process is gone, and another may have its index. */
  if (!target_of(mark)) return;
  struct request_socket* socket = connection_of_sock(sk); /* the mark has no room for indexes */
  struct request_gauges* gauges = bpf_map_lookup_elem(&request_gauges, &index);
  if (!gauges) return;
  if (gauges->scan != gauges_scan) {
    __builtin_memset(gauges, 0, sizeof(*gauges));
    gauges->scan = gauges_scan;
    gauges->target_id = mark->target_id;
  }
  ++gauges->connections;
  if (socket) add_to_gauges(gauges, socket); /* by cookie nothing is known of it before its first packet */
}

#endif
