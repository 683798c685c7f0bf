/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_REQUEST_SOCKET_BPF_H
#define MANOMETER_BPF_REQUEST_SOCKET_BPF_H
/* What is known of a watched socket and of the requests on it. */

#include "kernel_types.h"

#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "request.h"
#include "request_counts.bpf.h"

/*
 * Before 5.11 a tracing program cannot reach a socket's storage. There the state of a connection is kept by its cookie,
 * which every program can tell; the socket's storage then only marks it.
 */
const volatile __u8 by_cookie = 0;

struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE); /* what is accepted inherits from what listens */
  __type(key, int);
  __type(value, struct request_socket);
} request_sockets SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1); /* the agent makes it larger where it is used */
  __type(key, __u64);
  __type(value, struct request_socket);
} request_sockets_by_cookie SEC(".maps");

__u64 request_connections_lost = 0; /* forgotten for others */

/* Entry 0 of the socket's target; NULL if that is not watched any more. */
static __always_inline struct request_target* target_of(const struct request_socket* socket) {
  union request_entry* entry = entry_of(socket->target, REQUEST_ENTRY_TARGET);
  return entry && entry->target.id == socket->target_id ? &entry->target : NULL;
}

static __always_inline void count_unmatched(const struct request_socket* socket, enum request_unmatched reason) {
  struct request_target* target = target_of(socket);
  if (target) count(&target->unmatched[reason]);
}

static __always_inline __u32 series_of(struct request_socket* socket, struct request_target* target, __u32 key) {
  __u32 last = socket->series;
  if (last < max_series && last < REQUEST_SERIES && target->series[last] == key) return last;
  last = find_series(socket->target, key);
  socket->series = last;
  return last;
}

/* Made from the mark if it is not there; but what a closed socket still sends must not bring back what was deleted. */
static __always_inline struct request_socket* socket_by_cookie(__u64 cookie, struct request_socket* mark, __u32 state) {
  struct request_socket* socket = bpf_map_lookup_elem(&request_sockets_by_cookie, &cookie);
  if (socket || !mark || state == BPF_TCP_CLOSE) return socket;
  if (mark->kept) count(&request_connections_lost);
  mark->kept = 1;
  bpf_map_update_elem(&request_sockets_by_cookie, &cookie, mark, BPF_NOEXIST);
  return bpf_map_lookup_elem(&request_sockets_by_cookie, &cookie);
}

/* NULL: not a watched connection; then `full` is set if it is a socket that listens for those. */
static __always_inline struct request_socket* connection_of_packet(struct __sk_buff* skb, struct bpf_sock** full) {
  struct bpf_sock* sk = skb->sk;
  if (!sk) return NULL;
  sk = bpf_sk_fullsock(sk);
  if (!sk) return NULL;
  struct request_socket* socket = bpf_sk_storage_get(&request_sockets, sk, NULL, 0);
  if (!socket) return NULL;
  *full = sk;
  if (sk->state == BPF_TCP_LISTEN) return NULL;
  return by_cookie ? socket_by_cookie(bpf_get_socket_cookie(skb), socket, sk->state) : socket;
}

static __always_inline struct request_socket* listener_of_packet(struct __sk_buff* skb) {
  struct bpf_sock* sk = skb->sk;
  if (!sk) return NULL;
  sk = bpf_sk_fullsock(sk);
  return sk ? bpf_sk_storage_get(&request_sockets, sk, NULL, 0) : NULL;
}

/* The connection of a tracing program's socket; NULL also for a connection that no packet was seen of. */
static __always_inline struct request_socket* connection_of_sock(struct sock* sk) {
  if (by_cookie) return socket_by_cookie(sk->__sk_common.skc_cookie.counter, NULL, 0);
  return bpf_sk_storage_get(&request_sockets, sk, NULL, 0);
}

static __always_inline bool after(__u32 a, __u32 b) {
  return (__s32)(a - b) > 0;
}

#endif
