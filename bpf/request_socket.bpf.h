/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_REQUEST_SOCKET_BPF_H
#define MANOMETER_BPF_REQUEST_SOCKET_BPF_H
/* What is known of a watched socket, and where its requests are counted. */

#include "kernel_types.h"

#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "request.h"

/*
 * Before 5.11 a tracing program cannot reach a socket's storage. There the state of a connection is kept by its cookie,
 * which every program can tell; the socket's storage then only marks it.
 */
const volatile __u8 by_cookie = 0;

/* Inclusive upper bounds of a histogram's slots. */
const volatile __u64 slot_bounds[REQUEST_BOUNDS] = {};

/* Series of the duration that a target may have, at most REQUEST_SERIES; one more follows, for the rest. */
const volatile __u32 max_series = 24;

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

/* Entries of each target. The agent makes one array for each, as long as max_series wants it. */
struct request_entries {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(union request_entry));
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, REQUEST_TARGETS);
  __type(key, __u32);
  __array(values, struct request_entries);
} request_targets SEC(".maps");

struct request_lock {
  struct bpf_spin_lock lock;
};

/* Held to take a series that is free. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct request_lock);
} request_series_lock SEC(".maps");

/* An entry of a target, for as long as it is watched. */
static __always_inline union request_entry* entry_of(__u32 target, __u32 index) {
  void* entries = bpf_map_lookup_elem(&request_targets, &target);
  return entries ? bpf_map_lookup_elem(entries, &index) : NULL;
}

/* Entry 0 of the socket's target; NULL if that is not watched any more. */
static __always_inline struct request_target* target_of(const struct request_socket* socket) {
  union request_entry* entry = entry_of(socket->target, REQUEST_ENTRY_TARGET);
  return entry && entry->target.id == socket->target_id ? &entry->target : NULL;
}

static __always_inline void add(__u64* counter, __u64 number) {
  __sync_fetch_and_add(counter, number);
}

static __always_inline void count(__u64* counter) {
  add(counter, 1);
}

static __always_inline void count_unmatched(const struct request_socket* socket, enum request_unmatched reason) {
  struct request_target* target = target_of(socket);
  if (target) count(&target->unmatched[reason]);
}

/* The first slot whose bound is not below ns. */
static __always_inline __u32 slot_of(__u64 ns) {
  __u32 slot = 0;
#pragma unroll
  for (__u32 step = REQUEST_BOUNDS / 2; step > 0; step /= 2) {
    if (slot_bounds[(slot + step - 1) & (REQUEST_BOUNDS - 1)] < ns) slot += step;
  }
  return slot;
}

/* Global, as those below, so that the verifier looks at it once and not at each call. */
__noinline int observe(__u32 target, __u32 index, __u64 ns) {
  union request_entry* entry = entry_of(target, index);
  __u32 slot = slot_of(ns);
  if (!entry || slot >= REQUEST_SLOTS) return 0;
  count(&entry->histogram.counts[slot]);
  __sync_fetch_and_add(&entry->histogram.sum_ns, ns);
  return 0;
}

/* Index of the series with this key or, with take, of the next free one made to have it; max_series if there is none.
 */
static __always_inline __u32 look_for_series(struct request_target* target, __u32 key, bool take) {
  for (__u32 i = 0; i < REQUEST_SERIES && i < max_series; ++i) {
    if (target->series[i] == key) return i;
    if (target->series[i] != 0) continue;
    if (!take) return max_series;
    target->series[i] = key;
    return i;
  }
  return max_series;
}

__noinline int find_series(__u32 index, __u32 key) {
  __u32 zero = 0;
  union request_entry* entry = entry_of(index, REQUEST_ENTRY_TARGET);
  struct request_lock* guard = bpf_map_lookup_elem(&request_series_lock, &zero);
  if (!entry || !guard) return max_series;
  __u32 series = look_for_series(&entry->target, key, false);
  if (series < max_series) return series;
  bpf_spin_lock(&guard->lock);
  series = look_for_series(&entry->target, key, true);
  bpf_spin_unlock(&guard->lock);
  return series;
}

static __always_inline __u32 series_of(struct request_socket* socket, struct request_target* target, __u32 key) {
  __u32 last = socket->series;
  if (last < max_series && last < REQUEST_SERIES && target->series[last] == key) return last;
  last = find_series(socket->target, key);
  socket->series = last;
  return last;
}

static __always_inline struct request_socket* socket_by_cookie(__u64 cookie, const struct request_socket* mark) {
  struct request_socket* socket = bpf_map_lookup_elem(&request_sockets_by_cookie, &cookie);
  if (socket || !mark) return socket;
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
  return by_cookie ? socket_by_cookie(bpf_get_socket_cookie(skb), socket) : socket;
}

static __always_inline struct request_socket* listener_of_packet(struct __sk_buff* skb) {
  struct bpf_sock* sk = skb->sk;
  if (!sk) return NULL;
  sk = bpf_sk_fullsock(sk);
  return sk ? bpf_sk_storage_get(&request_sockets, sk, NULL, 0) : NULL;
}

/* The connection of a tracing program's socket; NULL also for a connection that no packet was seen of. */
static __always_inline struct request_socket* connection_of_sock(struct sock* sk) {
  if (by_cookie) return socket_by_cookie(sk->__sk_common.skc_cookie.counter, NULL);
  return bpf_sk_storage_get(&request_sockets, sk, NULL, 0);
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

/* Whether it is one of the requests that wait for a response. */
static __always_inline bool waits(const struct request_socket* socket, const struct request_pending* pending) {
  return pending->arrival_ns != 0 && pending->number - socket->answered < socket->arrived - socket->answered;
}

/* Counts what will not be answered. What nobody has read has waited until now for it. */
static __always_inline void give_up_pending(struct request_socket* socket, __u64 now_ns,
                                            enum request_unmatched reason) {
  struct request_target* target = target_of(socket);
  __u32 without_place = socket->arrived - socket->answered;
  if (without_place == 0) return;
  for (__u32 i = 0; i < REQUEST_PENDING && target; ++i) {
    struct request_pending* pending = &socket->pending[i];
    if (!waits(socket, pending)) continue;
    if (pending->read_ns == 0) {
      observe(socket->target, REQUEST_ENTRY_STAGES + REQUEST_QUEUE, now_ns - pending->arrival_ns);
      pending->read_ns = now_ns;
    }
    count(&target->unmatched[reason]);
    --without_place;
  }
  if (target && without_place > 0) add(&target->unmatched[REQUEST_PIPELINE_FULL], without_place);
  socket->answered = socket->arrived;
}

#endif
