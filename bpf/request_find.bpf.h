/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_REQUEST_FIND_BPF_H
#define MANOMETER_BPF_REQUEST_FIND_BPF_H
/* How a segment goes on with what was seen of its connection: as expected, sent before, behind a gap, or from an end
   that could not be seen. */

#include "request_stream.bpf.h"

/* Whether a segment begins with the first line of a message. Methods we do not know do not tell: text of a body looks
   like one. */
static __always_inline bool begins_message(struct __sk_buff* skb, struct segment* segment, bool response) {
  struct window w = {};
  __u32 size = segment->length < sizeof(w) ? segment->length : sizeof(w);
  if (!load(skb, segment->offset, &w, size, sizeof(w))) return false;
  return response ? status_of(w.w0, w.w1) != 0 : method_of(w.w0, w.w1, w.w2) > REQUEST_OTHER;
}

/* What lies between what was seen and this segment came, or will come, out of order. False: wait for it. */
static __always_inline bool bridge_gap(struct request_socket* socket, struct segment* segment, struct bpf_sock* sk) {
  struct request_stream* stream = &socket->in;
  __u32 gap = segment->seq - stream->seq;
  bool skips = !stream->in_line && (stream->state == STREAM_BODY || stream->state == STREAM_DATA);
  if (skips && stream->left >= gap) {
    skip_body(stream, gap);
    return true;
  }
  struct bpf_tcp_sock* tcp = bpf_tcp_sock(sk);
  if (!tcp || !after(tcp->rcv_nxt, stream->seq)) return false;
  if (stream->state < STREAM_CLOSES) {
    if (stream->state == STREAM_FIRST) count_unmatched(socket, REQUEST_OUT_OF_ORDER);
    stream->state = STREAM_LOST;
  }
  stream->seq = segment->seq;
  return true;
}

/* True if there is something to look at in the segment. */
static __always_inline bool find_request(struct __sk_buff* skb, struct request_socket* socket, struct segment* segment,
                                         struct bpf_sock* sk) {
  struct request_stream* stream = &socket->in;
  if (stream->state == STREAM_OPAQUE) return false;
  if (stream->state == STREAM_NEW) {
    struct bpf_tcp_sock* tcp = bpf_tcp_sock(sk);
    if (!tcp) return false;
    start_at(stream, tcp->rcv_nxt);
    if (socket->before_agent) stream->state = STREAM_LOST;
  }
  if (after(segment->seq, stream->seq) && !bridge_gap(socket, segment, sk)) return false;
  if (stream->state != STREAM_LOST || segment->seq != stream->seq) return true;
  /* Else it is passed over: the body of a request that is not answered yet may look like another request. */
  if (socket->arrived != socket->answered || !begins_message(skb, segment, false)) return true;
  if (socket->before_agent == REQUEST_RESPONSE_UNDER_WAY) {
    count_unmatched(socket, REQUEST_BEFORE_AGENT);
  } else {
    start_at(stream, segment->seq);
  }
  return true;
}

/* False: what is sent was sent before. Else where a response may begin, although the one before has no end that could
   be seen, or none was expected, is noted. */
static __always_inline bool find_response(struct __sk_buff* skb, struct request_socket* socket,
                                          struct segment* segment) {
  struct request_stream* stream = &socket->out;
  __u32 outstanding = socket->arrived - socket->answered;
  if (stream->state == STREAM_OPAQUE) return false;
  if (stream->state == STREAM_NEW) {
    start_at(stream, segment->seq);
    if (socket->before_agent) stream->state = STREAM_LOST;
  }
  if (!after(segment->seq + segment->length, stream->seq)) return false;
  if (after(segment->seq, stream->seq)) {
    start_at(stream, segment->seq);
    stream->state = STREAM_LOST;
  }
  if (stream->state == STREAM_FIRST && stream->held == 0 && outstanding == 0) stream->state = STREAM_LOST;
  if (stream->state == STREAM_CLOSES) {
    if (outstanding < 2 || segment->seq != stream->seq || !begins_message(skb, segment, true)) return true;
    finish_response(socket, socket->last_byte_ns);
    start_at(stream, segment->seq);
  } else if (stream->state == STREAM_LOST && segment->seq == stream->seq && begins_message(skb, segment, true)) {
    if (socket->before_agent == REQUEST_RESPONSE_UNDER_WAY) {
      socket->before_agent = REQUEST_CONNECTION_KNOWN_LATE;
    } else if (outstanding > 0) {
      start_at(stream, segment->seq);
    } else {
      struct request_target* target = target_of(socket);
      if (target) count(&target->no_request);
    }
  }
  return true;
}

/* There is more in the segment than can be looked at, or just as much. */
static __always_inline void lose_request(struct request_socket* socket, const struct segment* segment) {
  if (socket->in.seq == segment->seq + segment->length) return;
  if (socket->in.state == STREAM_FIRST) count_unmatched(socket, REQUEST_TOO_COMPLEX);
  socket->in.state = STREAM_LOST;
  socket->in.seq = segment->seq + segment->length;
}

/* There is more in the segment than can be looked at. The end of one response is seen later, by the beginning of the
   next one; of several responses it is not known how many there were. */
static __always_inline void lose_response(struct request_socket* socket, struct segment* segment,
                                          enum progress progress) {
  socket->out.state = STREAM_CLOSES;
  if (progress == MESSAGE_ENDS) {
    socket->out.state = STREAM_LOST;
    give_up_pending(socket, segment->now_ns, REQUEST_TOO_COMPLEX);
  }
  socket->out.seq = segment->seq + segment->length;
}

#endif
