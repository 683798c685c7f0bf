/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_REQUEST_STREAM_BPF_H
#define MANOMETER_BPF_REQUEST_STREAM_BPF_H
/*
 * Finds the messages in one direction of a connection (RFC 9112): where each begins, what its first line says and where
 * it ends. Bodies are skipped by their length, headers are looked at line by line through a window of REQUEST_LINE
 * bytes. Every function takes `response` as a constant and is compiled once for each direction.
 */

#include "kernel_types.h"

#include "request_message.bpf.h"

/* Lines, windows and bodies in one run of a program; then it calls itself, up to 33 times. Of more the verifiers
 * of 5.10 and 6.1 would look at too many instructions. */
#define REQUEST_STEPS 16
#define RESPONSE_STEPS 8

static __always_inline void start_at(struct request_stream* stream, __u32 seq) {
  stream->seq = seq;
  stream->state = STREAM_FIRST;
  stream->in_line = 0;
  stream->held = 0;
}

/* Loads what is next of the segment behind what the stream holds. False: the packet is shorter than it says. */
static __always_inline bool load_text(struct __sk_buff* skb, struct request_stream* stream, __u32 rest) {
  __u32 held = stream->held & (REQUEST_LINE - 1);
  __u32 size = rest < REQUEST_TEXT - held ? rest : REQUEST_TEXT - held;
  if (!load(skb, stream->base + stream->seq, &stream->text[held], size, REQUEST_TEXT)) return false;
  stream->text_at = 0;
  stream->text_end = held + size;
  return true;
}

/* Looks at the next window of a line. True if the message ends with it. */
static __always_inline bool look_at_line(struct __sk_buff* skb, struct request_socket* socket, __u64 now_ns,
                                         bool response) {
  struct request_stream* stream = response ? &socket->out : &socket->in;
  __u32 rest = stream->end - stream->seq;
  __u32 held = stream->held;
  if (stream->state == STREAM_FIRST && held == 0) stream->left = now_ns;
  __u32 there = stream->text_end - stream->text_at;
  if (there < REQUEST_LINE && there - held < rest) {
    if (!load_text(skb, stream, rest)) {
      stream->state = STREAM_OPAQUE;
      return false;
    }
    there = stream->text_end;
  }
  const struct window w = *(struct window*)&stream->text[stream->text_at & (REQUEST_TEXT - 1)];
  __u32 newline = first_newline(w.w0, w.w1, w.w2, w.w3);
  __u32 size = there < REQUEST_LINE ? there : REQUEST_LINE; /* what follows in the window is of another segment */
  bool ends = newline < size;
  bool message_ends = false;
  if (!stream->in_line) {
    if (!ends && size < REQUEST_LINE) {
      *(struct window*)stream->text = w;
      stream->held = there;
      stream->seq += there - held;
      return false;
    }
    message_ends = line_begins(skb, socket, &w, newline, response);
  }
  if (ends) size = newline + 1;
  stream->in_line = !ends;
  stream->held = 0;
  stream->seq += size - held;
  stream->text_at += size;
  return message_ends;
}

/* Skips what is left of a body or chunk, as far as it is in the segment. True if the message ends with it. */
static __always_inline bool skip_body(struct request_stream* stream, __u32 rest) {
  __u32 size = stream->left < rest ? stream->left : rest;
  stream->seq += size;
  stream->left -= size;
  stream->text_end = stream->text_at; /* what was loaded of it and behind it is not kept */
  if (stream->left > 0) return false;
  bool ends = stream->state == STREAM_BODY;
  stream->state = ends ? STREAM_FIRST : STREAM_CHUNK;
  return ends;
}

enum progress {
  SEGMENT_DONE,
  MESSAGE_ENDS,
  RUN_ENDS, /* after as much as one run may look at */
};

/* Follows one direction through a segment. Of requests the end does not matter. */
static __always_inline enum progress follow(struct __sk_buff* skb, struct request_socket* socket,
                                            struct segment* segment, bool response) {
  struct request_stream* stream = response ? &socket->out : &socket->in;
  stream->text_at = 0;
  stream->text_end = stream->held;
  stream->end = segment->seq + segment->length;
  stream->base = segment->offset - segment->seq;
  for (__u32 i = 0; i < (response ? RESPONSE_STEPS : REQUEST_STEPS); ++i) {
    __u32 seq = stream->seq;
    if (!after(stream->end, seq)) return SEGMENT_DONE;
    if (stream->state >= STREAM_CLOSES) {
      stream->seq = stream->end;
      return SEGMENT_DONE;
    }
    bool skips = !stream->in_line && (stream->state == STREAM_BODY || stream->state == STREAM_DATA);
    bool ends = skips ? skip_body(stream, stream->end - seq) : look_at_line(skb, socket, segment->now_ns, response);
    if (response && ends) return MESSAGE_ENDS;
  }
  return RUN_ENDS;
}

#endif
