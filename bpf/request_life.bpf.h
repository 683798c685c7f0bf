/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_REQUEST_LIFE_BPF_H
#define MANOMETER_BPF_REQUEST_LIFE_BPF_H
/* A request from its beginning to its end, by a response or without one. */

#include "request_socket.bpf.h"

#define EPIPE 32
#define ECONNABORTED 103
#define ECONNRESET 104

/* The request that the next response answers; NULL if there is none, or it found no place. */
static __always_inline struct request_pending* first_pending(struct request_socket* socket) {
  if (socket->answered == socket->arrived) return NULL;
  struct request_pending* pending = &socket->pending[socket->answered % REQUEST_PENDING];
  return pending->number == socket->answered ? pending : NULL;
}

/* A request whose first line was seen; seq: of its first byte. */
static __always_inline void request_begins(struct request_socket* socket, __u32 seq, __u8 method, __u8 route) {
  __u32 number = socket->arrived;
  __u64 head = method == REQUEST_HEAD;
  struct request_pending* pending = &socket->pending[number % REQUEST_PENDING];
  if (number - socket->answered < REQUEST_PENDING) {
    pending->arrival_ns = socket->in.left;
    pending->read_ns = 0;
    pending->seq = seq;
    pending->number = number;
    pending->method = method;
    pending->route = route;
  }
  socket->heads = (socket->heads & ~(1ULL << (number % 64))) | head << (number % 64);
  socket->arrived = number + 1;
}

static __always_inline void response_begins(struct request_socket* socket, __u16 code) {
  bool final = code >= 200 || code == 101;
  struct request_pending* pending = first_pending(socket);
  socket->code = code;
  socket->first_byte_ns = socket->out.left;
  if (!final || !pending || pending->read_ns == 0 || !target_of(socket)) return;
  observe(socket->target, REQUEST_ENTRY_STAGES + REQUEST_PROCESSING, socket->first_byte_ns - pending->read_ns);
}

/* Passes over requests that found no place. What did is at most REQUEST_PENDING behind the last that was answered. */
static __always_inline void pass_without_place(struct request_socket* socket) {
  socket->read = after(socket->answered, socket->read) ? socket->answered : socket->read + 1;
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

/* The server sends no more: what has no end but this one has it now, what is not answered will not be. */
static __always_inline void server_closes(struct request_socket* socket, __u64 now_ns) {
  if (socket->out.state == STREAM_CLOSES) finish_response(socket, socket->last_byte_ns);
  socket->out.state = STREAM_OPAQUE;
  give_up_pending(socket, now_ns, REQUEST_SERVER_CLOSED);
}

/* Of a connection that has ended, by the error of its socket. */
static __always_inline enum request_unmatched reason_of(int error) {
  if (error == 0 || error == ECONNABORTED) return REQUEST_SERVER_CLOSED;
  if (error == ECONNRESET || error == EPIPE) return REQUEST_CLIENT_RESET;
  return REQUEST_TIMED_OUT; /* or why nothing got through until then: EHOSTUNREACH and its like */
}

#endif
