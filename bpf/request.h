/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
#ifndef MANOMETER_BPF_REQUEST_H
#define MANOMETER_BPF_REQUEST_H
/*
 * What request.bpf.c and the agent share. Times are CLOCK_MONOTONIC in nanoseconds, sequence numbers are TCP's.
 *
 * Every watched process is a target with an array of entries of its own: entry 0 says who it is, then one histogram for
 * each stage, then those of the duration, one for each series, the last of them for what found no series left.
 */

#include "histogram.h"

#define REQUEST_TARGETS 1024 /* watched processes at most, unless the agent says otherwise */
#define REQUEST_SERIES 256   /* series of the duration at most, for one target */
#define REQUEST_PENDING 8    /* requests of one connection that wait for their responses, pipelined */
#define REQUEST_LINE 32      /* bytes of a line that are looked at: "Transfer-Encoding: chunked", a 15-digit length */
#define REQUEST_TEXT 128     /* bytes of a segment that are loaded at once, to look at their lines */
#define REQUEST_PATH 64      /* bytes of a path that routes can tell apart */

#define REQUEST_LISTENS_SOME_PID 0 /* a listener's process cannot be told */

enum request_stage {
  REQUEST_QUEUE,      /* arrival to first read */
  REQUEST_PROCESSING, /* first read to first byte out */
  REQUEST_TRANSFER,   /* first to last byte out */
  REQUEST_STAGES,
};

enum request_entry_index {
  REQUEST_ENTRY_TARGET = 0,
  REQUEST_ENTRY_STAGES = 1,
  REQUEST_ENTRY_DURATIONS = REQUEST_ENTRY_STAGES + REQUEST_STAGES,
};

enum request_method {
  REQUEST_OTHER,
  REQUEST_GET,
  REQUEST_HEAD,
  REQUEST_POST,
  REQUEST_PUT,
  REQUEST_DELETE,
  REQUEST_CONNECT,
  REQUEST_OPTIONS,
  REQUEST_TRACE,
  REQUEST_PATCH,
  REQUEST_METHODS,
};

/* Why a request has no duration. Each request is counted once: as observed, or under one of these. */
enum request_unmatched {
  REQUEST_NOT_HTTP,      /* a connection whose client does not begin as HTTP/1 does; counted once for each */
  REQUEST_BEFORE_AGENT,  /* on a connection older than the agent, before its first response was seen */
  REQUEST_PIPELINE_FULL, /* came behind REQUEST_PENDING others; counted when it is answered or given up */
  REQUEST_OUT_OF_ORDER,  /* lost sight of in segments that came out of order */
  REQUEST_TOO_COMPLEX,   /* lost sight of in a segment with more lines than a program may look at */
  REQUEST_CLIENT_RESET,  /* the client reset the connection before the last byte was out */
  REQUEST_SERVER_CLOSED, /* the server closed before its response was whole */
  REQUEST_TIMED_OUT,     /* the connection timed out */
  REQUEST_BAD_RESPONSE,  /* what was sent back is not HTTP/1 */
  REQUEST_UNMATCHED_REASONS,
};

/* Entry 0 of a target. */
struct request_target {
  __u64 id;         /* never used again; 0: none */
  __u64 other;      /* durations that found no series left */
  __u64 no_request; /* responses to no request that was seen, for instance a server's 408 to an idle client */
  __u64 unmatched[REQUEST_UNMATCHED_REASONS];
  __u32 series[REQUEST_SERIES]; /* request_series_key() of each; 0: free */
};

union request_entry {
  struct request_target target;
  struct latency_histogram histogram;
};

/* code: 100 to 999; route: 0 for none. Never 0. */
static inline __u32 request_series_key(__u32 method, __u32 code, __u32 route) {
  return route << 16 | method << 10 | code;
}

static inline __u32 request_method_of(__u32 key) {
  return key >> 10 & 0x3f;
}
static inline __u32 request_code_of(__u32 key) {
  return key & 0x3ff;
}
static inline __u32 request_route_of(__u32 key) {
  return key >> 16;
}

enum request_stream_state {
  STREAM_NEW,     /* nothing seen yet */
  STREAM_FIRST,   /* before or in the first line of a message */
  STREAM_HEADER,  /* before or in a header line */
  STREAM_BODY,    /* `left` bytes of it are to come */
  STREAM_CHUNK,   /* before or in a line with the size of a chunk */
  STREAM_DATA,    /* `left` bytes of a chunk and its line end are to come */
  STREAM_TRAILER, /* before or in a line after the last chunk */
  STREAM_CLOSES,  /* a response that ends with the connection, or with the next response */
  STREAM_LOST,    /* until a segment begins with a first line */
  STREAM_OPAQUE,  /* not HTTP, or no longer */
};

/* One direction of a connection. */
struct request_stream {
  __u64 left;   /* in STREAM_FIRST: when the message's first byte came */
  __u32 seq;    /* of the next byte to look at */
  __u32 end;    /* of the segment that is looked at */
  __u32 base;   /* the byte with sequence number n is at base + n in its packet */
  __u8 state;   /* enum request_stream_state */
  __u8 in_line; /* the line's start was looked at, its end is still to come */
  __u8 held;    /* bytes in `text`: the start of a line that goes on in the next segment */
  __u8 chunked;
  __u8 has_length; /* then `left` is the length */
  __u8 text_at;    /* of the next byte in `text` to look at; those that are held are its first */
  __u8 text_end;
  __u8 pad[5];
  __u8 text[REQUEST_TEXT + REQUEST_LINE]; /* what is looked at, and room for a window that begins in it */
};

/* Of connections older than their mark. */
enum request_before_agent {
  REQUEST_CONNECTION_KNOWN_LATE = 1,
  REQUEST_RESPONSE_UNDER_WAY = 2, /* perhaps: what arrives before a response was seen cannot be matched */
};

struct request_pending {
  __u64 arrival_ns;
  __u64 read_ns; /* 0: not read yet */
  __u32 seq;     /* of its first byte */
  __u32 number;  /* counted up on its connection: tells a slot that belongs to another */
  __u8 method;
  __u8 route;
  __u8 pad[6];
};

/* A watched socket. A listening one has only the first two fields; its connections begin as copies of it. */
struct request_socket {
  __u64 target_id;
  __u32 target;      /* index in `targets` */
  __u32 arrived;     /* requests that came in; written by ingress */
  __u32 read;        /* of these, seen by the application; written by the read */
  __u32 answered;    /* of these, answered; written by egress */
  __u16 code;        /* of the response that goes out; 0: none does */
  __u16 series;      /* that the last duration went to */
  __u8 before_agent; /* enum request_before_agent; 0: seen from its beginning */
  __u8 kept;         /* of a mark, where connections are kept by cookie: this one was */
  __u8 pad[2];
  __u64 heads;         /* bit n: that the last request with this number, modulo 64, was a HEAD */
  __u64 first_byte_ns; /* of the response that goes out */
  __u64 last_byte_ns;  /* its last so far, where only the end of the connection tells which is the last */
  struct request_stream in;
  struct request_stream out;
  struct request_pending pending[REQUEST_PENDING];
};

struct request_watched {
  __u64 target_id;
  __u32 target;
  __u32 pad;
};

/* Of one target, as the iterator found it. */
struct request_gauges {
  __u64 scan; /* number of the scan that wrote it */
  __u64 target_id;
  __u64 oldest_unread_ns; /* its arrival; 0: none */
  __u32 in_flight;
  __u32 connections;
};

/* One listening socket, written by the iterator. */
struct request_listener {
  __u64 target_id;
  __u32 target;
  __u32 length; /* connections that wait to be accepted */
  __u32 limit;
  __u16 port;
  __u16 pad;
};

struct request_route_key {
  __u32 bits;
  __u8 path[REQUEST_PATH];
};

#ifdef __cplusplus
static_assert(sizeof(request_target) <= sizeof(latency_histogram));
static_assert(sizeof(request_entry) == 1600);
static_assert(sizeof(request_socket) == 696);
static_assert(sizeof(request_gauges) == 32);
static_assert(sizeof(request_listener) == 24);
#else
_Static_assert(sizeof(union request_entry) == 1600, "same on both sides");
_Static_assert(sizeof(struct request_socket) == 696, "same on both sides");
_Static_assert(sizeof(struct request_gauges) == 32, "same on both sides");
_Static_assert(sizeof(struct request_listener) == 24, "same on both sides");
#endif

#endif
