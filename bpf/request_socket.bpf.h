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
static __always_inline struct request_socket* socket_by_cookie(__u64 cookie, const struct request_socket* mark,
                                                               __u32 state) {
  struct request_socket* socket = bpf_map_lookup_elem(&request_sockets_by_cookie, &cookie);
  if (socket || !mark || state == BPF_TCP_CLOSE) return socket;
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

/* Passes over requests that found no place. What did is at most REQUEST_PENDING behind the last that was answered. */
static __always_inline void pass_without_place(struct request_socket* socket) {
  socket->read = after(socket->answered, socket->read) ? socket->answered : socket->read + 1;
}

/* The request that the next response answers; NULL if there is none, or it found no place. */
static __always_inline struct request_pending* first_pending(struct request_socket* socket) {
  if (socket->answered == socket->arrived) return NULL;
  struct request_pending* pending = &socket->pending[socket->answered % REQUEST_PENDING];
  return pending->number == socket->answered ? pending : NULL;
}

/* Counts the response as whole at end_ns and its request as answered. */
static __always_inline void finish_response(struct request_socket* socket, __u64 end_ns) {
  struct request_pending* pending = first_pending(socket);
  struct request_target* target = target_of(socket);
  if (pending && target) {
    __u32 series = series_of(socket, target, request_series_key(pending->method, socket->code, pending->route));
    if (series >= max_series) count(&target->other);
    observe(socket->target, REQUEST_ENTRY_DURATIONS + series, end_ns - pending->arrival_ns);
    observe(socket->target, REQUEST_ENTRY_STAGES + REQUEST_TRANSFER, end_ns - socket->first_byte_ns);
  } else if (target && socket->answered != socket->arrived) {
    count(&target->unmatched[REQUEST_PIPELINE_FULL]);
  }
  socket->code = 0;
  if (socket->answered != socket->arrived) ++socket->answered;
}

/* Whether it is one of the requests from `answered` to before `arrived`. */
static __always_inline bool waits(const struct request_pending* pending, __u32 answered, __u32 arrived) {
  return pending->arrival_ns != 0 && pending->number - answered < arrived - answered;
}

/* Counts what will not be answered. What nobody has read has waited until now for it. */
static __always_inline void give_up_pending(struct request_socket* socket, __u64 now_ns,
                                            enum request_unmatched reason) {
  struct request_target* target = target_of(socket);
  __u32 answered = socket->answered;
  __u32 arrived = *(volatile __u32*)&socket->arrived; /* once: on another CPU another may arrive meanwhile */
  __u32 without_place = arrived - answered;
  if (without_place == 0) return;
  for (__u32 i = 0; i < REQUEST_PENDING && target; ++i) {
    struct request_pending* pending = &socket->pending[i];
    if (!waits(pending, answered, arrived)) continue;
    if (pending->read_ns == 0) {
      observe(socket->target, REQUEST_ENTRY_STAGES + REQUEST_QUEUE, now_ns - pending->arrival_ns);
      pending->read_ns = now_ns;
    }
    count(&target->unmatched[reason]);
    --without_place;
  }
  if (target && without_place > 0) add(&target->unmatched[REQUEST_PIPELINE_FULL], without_place);
  socket->answered = arrived;
}

#endif
