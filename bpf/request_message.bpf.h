/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_REQUEST_MESSAGE_BPF_H
#define MANOMETER_BPF_REQUEST_MESSAGE_BPF_H
/* What the lines of a message mean. As in request_stream.bpf.h, `response` is a constant wherever it is passed. */

#include "kernel_types.h"

#include "request_life.bpf.h"
#include "request_line.bpf.h"
#include "request_segment.bpf.h"

const volatile __u8 has_routes = 0;

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 64);
  __type(key, struct request_route_key);
  __type(value, __u32);
} request_routes SEC(".maps");

/* Route of the request whose first line begins at offset, 0 for none. */
static __always_inline __u8 route_of(struct __sk_buff* skb, __u32 offset, __u32 length, __u64 w0) {
  struct request_route_key key = {.bits = 8 * REQUEST_PATH};
  __u32 method = first_newline(w0 ^ (EACH_BYTE * (' ' ^ '\n')), 0, 0, 0) + 1; /* its length and the blank */
  if (method > 8 || length <= method) return 0;
  __u32 size = length - method;
  if (size > REQUEST_PATH) size = REQUEST_PATH;
  if (!load(skb, offset + method, key.path, size, REQUEST_PATH)) return 0;
  __u32* route = bpf_map_lookup_elem(&request_routes, &key);
  return route ? *route : 0;
}

static __always_inline bool is_tunnel(const struct request_socket* socket, const struct request_pending* pending) {
  bool connected = pending && pending->method == REQUEST_CONNECT && socket->code >= 200 && socket->code < 300;
  return socket->code == 101 || connected;
}

static __always_inline bool has_no_body(const struct request_socket* socket) {
  bool head = socket->heads >> (socket->answered % 64) & 1;
  return head || socket->code < 200 || socket->code == 204 || socket->code == 304;
}

/* After the blank line that ends a header. True if the message ends with it. */
static __always_inline bool header_ends(struct request_socket* socket, struct request_stream* stream, bool response) {
  if (response) {
    struct request_pending* pending = first_pending(socket);
    if (is_tunnel(socket, pending)) {
      stream->state = STREAM_OPAQUE;
      socket->in.state = STREAM_OPAQUE;
      return true;
    }
    if (has_no_body(socket)) {
      stream->state = STREAM_FIRST;
      return socket->code >= 200;
    }
  }
  if (stream->chunked) {
    stream->state = STREAM_CHUNK;
  } else if (stream->has_length && stream->left > 0) {
    stream->state = STREAM_BODY;
  } else if (response && !stream->has_length) {
    stream->state = STREAM_CLOSES;
  } else {
    stream->state = STREAM_FIRST;
    return true;
  }
  return false;
}

/* The line that a chunk begins with. */
static __always_inline void chunk_begins(struct request_stream* stream, __u64 w0, __u64 w1, bool response) {
  __u64 size = chunk_size_of(w0, w1);
  stream->state = size == 0 ? STREAM_TRAILER : STREAM_DATA;
  if (size == NO_NUMBER) stream->state = response ? STREAM_CLOSES : STREAM_LOST;
  stream->left = size + 2; /* and the end of its last line */
}

static __always_inline void header_line(struct request_stream* stream, __u64 w0, __u64 w1, __u64 w2, __u64 w3,
                                        bool response) {
  int kind = header_line_of(w0, w1, w2);
  if (kind == LINE_CHUNKED) stream->chunked = 1;
  if (kind != LINE_CONTENT_LENGTH) return;
  stream->left = content_length_of(w1, w2, w3);
  stream->has_length = 1;
  if (stream->left == NO_NUMBER) stream->state = response ? STREAM_CLOSES : STREAM_LOST;
}

/* A window's words. In a stream's text it lies at any byte, which x86-64 and arm64 take as it is. */
struct window {
  __u64 w0, w1, w2, w3;
};

/* The first line of a request, or a blank one before it. */
static __always_inline void request_line(struct __sk_buff* skb, struct request_socket* socket, const struct window* w) {
  struct request_stream* stream = &socket->in;
  int method = method_of(w->w0, w->w1, w->w2);
  if (method < 0) {
    stream->state = STREAM_OPAQUE;
    if (socket->answered == socket->arrived) socket->out.state = STREAM_OPAQUE;
    count_unmatched(socket, REQUEST_NOT_HTTP);
    return;
  }
  __u8 route = 0;
  // Of a path that comes in pieces the rest is not here to compare.
  if (has_routes && stream->held == 0)
    route = route_of(skb, stream->base + stream->seq, stream->end - stream->seq, w->w0);
  request_begins(socket, stream->seq - stream->held, method, route);
  stream->state = STREAM_HEADER;
}

static __always_inline void response_line(struct request_socket* socket, const struct window* w) {
  __u16 code = status_of(w->w0, w->w1);
  if (code == 0) {
    socket->out.state = STREAM_OPAQUE;
    return;
  }
  response_begins(socket, code);
  socket->out.state = STREAM_HEADER;
}

/* The beginning of a line, of which the window has all that matters. True if the message ends with it. */
static __always_inline bool line_begins(struct __sk_buff* skb, struct request_socket* socket, const struct window* w,
                                        __u32 newline, bool response) {
  struct request_stream* stream = response ? &socket->out : &socket->in;
  bool blank = newline == 0 || (newline == 1 && (__u8)w->w0 == '\r');
  if (stream->state == STREAM_HEADER) {
    if (blank) return header_ends(socket, stream, response);
    header_line(stream, w->w0, w->w1, w->w2, w->w3, response);
  } else if (stream->state == STREAM_CHUNK) {
    chunk_begins(stream, w->w0, w->w1, response);
  } else if (stream->state == STREAM_FIRST && !blank) {
    if (response) {
      response_line(socket, w);
    } else {
      request_line(skb, socket, w);
    }
    stream->chunked = 0;
    stream->has_length = 0;
    stream->left = 0;
  } else if (stream->state == STREAM_TRAILER && blank) {
    stream->state = STREAM_FIRST;
    return true;
  }
  return false;
}

#endif
