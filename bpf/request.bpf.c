// SPDX-License-Identifier: GPL-2.0
// Measures HTTP/1 requests on the server sockets of watched processes: arrival, first read, first and last byte out.

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "pid_namespace.bpf.h"
#include "request_early.bpf.h"
#include "request_stream.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define ECONNRESET 104
#define EPIPE 32
#define ETIMEDOUT 110

#define PASS 1 /* of a cgroup_skb program; 0 would drop a customer's packet */

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, REQUEST_TARGETS);
  __type(key, __u32); /* pid, in the agent's namespace */
  __type(value, struct request_watched);
} request_processes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, REQUEST_TARGETS);
  __type(key, __u32);
  __type(value, struct request_gauges);
} request_gauges SEC(".maps");

/* Pids of watched processes that began to listen, where their sockets are marked by the agent. */
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 16); /* one page, as large as there are any */
} request_listens SEC(".maps");

__u64 gauges_scan = 0; /* number of the scan that goes on */

static __always_inline bool after(__u32 a, __u32 b) {
  return (__s32)(a - b) > 0;
}

/* Passes over requests that found no place. What did is at most REQUEST_PENDING behind the last that was answered. */
static __always_inline void pass_without_place(struct request_socket* socket) {
  socket->read = after(socket->answered, socket->read) ? socket->answered : socket->read + 1;
}

/* The first program to be loaded, so before any other is named: kernels before 5.11 refuse it, and so the agent need
 * not wait for the larger ones. */
SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(request_read, struct sock* sk) {
  struct request_socket* socket = connection_of_sock(sk);
  if (!socket || socket->read == socket->arrived) return 0;
  struct tcp_sock* tcp = bpf_skc_to_tcp_sock(sk);
  if (!tcp) return 0;
  __u64 now_ns = bpf_ktime_get_ns();
  for (__u32 i = 0; i < 2 * REQUEST_PENDING && socket->read != socket->arrived; ++i) {
    struct request_pending* pending = &socket->pending[socket->read % REQUEST_PENDING];
    if (pending->number != socket->read) {
      pass_without_place(socket);
      continue;
    }
    if (!after(tcp->copied_seq, pending->seq)) break;
    bool is_counted = pending->read_ns != 0; /* it was given up before */
    pending->read_ns = now_ns;
    if (!is_counted && target_of(socket))
      observe(socket->target, REQUEST_ENTRY_STAGES + REQUEST_QUEUE, now_ns - pending->arrival_ns);
    ++socket->read;
  }
  return 0;
}

int request_in(struct __sk_buff* skb);
int request_early(struct __sk_buff* skb);
int request_out(struct __sk_buff* skb);

/* For a segment with more lines than one run may look at. */
struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(__u32));
  __array(values, int(void*));
} request_in_again SEC(".maps") = {.values = {(void*)&request_in}},
                   request_early_again SEC(".maps") = {.values = {(void*)&request_early}},
                   request_out_again SEC(".maps") = {.values = {(void*)&request_out}};

/* A connection as it is now. */
static __always_inline void add_to_gauges(struct request_gauges* gauges, const struct request_socket* socket) {
  __u32 unread = socket->arrived - socket->read;
  gauges->in_flight += socket->arrived - socket->answered;
  if (unread == 0 || unread > REQUEST_PENDING) return;
  gauges->unread += unread;
  const struct request_pending* oldest = &socket->pending[socket->read % REQUEST_PENDING];
  if (oldest->number != socket->read) return;
  if (gauges->oldest_unread_ns == 0 || oldest->arrival_ns < gauges->oldest_unread_ns) {
    gauges->oldest_unread_ns = oldest->arrival_ns;
  }
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
  for (__u32 i = 0; i < MAX_STEPS; ++i) {
    __u32 done = stream->seq - segment->seq;
    if (done >= segment->length) return SEGMENT_DONE;
    if (stream->state >= STREAM_CLOSES) {
      stream->seq = segment->seq + segment->length;
      return SEGMENT_DONE;
    }
    bool skips = !stream->in_line && (stream->state == STREAM_BODY || stream->state == STREAM_DATA);
    bool ends = skips ? skip_body(stream, segment->length - done) : look_at_line(skb, socket, segment, response);
    if (response && ends) return MESSAGE_ENDS;
  }
  return RUN_ENDS;
}

/* Whether a segment begins with the first line of a message. */
static __always_inline bool begins_message(struct __sk_buff* skb, struct segment* segment, bool response) {
  struct window w = {};
  __u32 size = segment->length < sizeof(w) ? segment->length : sizeof(w);
  if (!load(skb, segment->offset, &w, size, sizeof(w))) return false;
  return response ? status_of(w.w0, w.w1) != 0 : method_of(w.w0, w.w1, w.w2) >= 0;
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
  if (!begins_message(skb, segment, false)) return true; /* which is then passed over */
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

/* There is more in the segment than can be looked at. */
static __always_inline void lose_request(struct request_socket* socket, const struct segment* segment) {
  if (socket->in.state == STREAM_FIRST) count_unmatched(socket, REQUEST_TOO_COMPLEX);
  socket->in.state = STREAM_LOST;
  socket->in.seq = segment->seq + segment->length;
}

SEC("cgroup_skb/ingress")
int request_in(struct __sk_buff* skb) {
  struct bpf_sock* sk = NULL;
  struct segment segment;
  struct request_socket* socket = connection_of_packet(skb, &sk);
  if (!socket && sk && !by_cookie) bpf_tail_call(skb, &request_early_again, 0);
  if (!socket || !find_segment(skb, &segment) || segment.length == 0) return PASS;
  if (!find_request(skb, socket, &segment, sk)) return PASS;
  if (follow(skb, socket, &segment, false) == SEGMENT_DONE) return PASS;
  bpf_tail_call(skb, &request_in_again, 0);
  lose_request(socket, &segment);
  return PASS;
}

/* What request_in is for connections, for the packet that makes one. */
SEC("cgroup_skb/ingress")
int request_early(struct __sk_buff* skb) {
  struct segment segment;
  struct request_socket* listener = listener_of_packet(skb);
  struct request_early* early = early_data();
  if (!listener || !early || !find_segment(skb, &segment) || segment.length == 0) return PASS;
  if (skb->cb[0] == 0) begin_early(early, listener, &segment);
  skb->cb[0] = 1; /* not the first run */
  if (follow(skb, &early->socket, &segment, false) == SEGMENT_DONE) return PASS;
  bpf_tail_call(skb, &request_early_again, 0);
  lose_request(&early->socket, &segment);
  return PASS;
}

/* The server sends no more: what has no end but this one has it now, what is not answered will not be. */
static __always_inline void server_closes(struct request_socket* socket, __u64 now_ns) {
  if (socket->out.state == STREAM_CLOSES) finish_response(socket, socket->last_byte_ns);
  socket->out.state = STREAM_OPAQUE;
  give_up_pending(socket, now_ns, REQUEST_SERVER_CLOSED);
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

SEC("cgroup_skb/egress")
int request_out(struct __sk_buff* skb) {
  struct bpf_sock* sk;
  struct segment segment;
  struct request_socket* socket = connection_of_packet(skb, &sk);
  if (!socket || !find_segment(skb, &segment)) return PASS;
  if (segment.length > 0 && find_response(skb, socket, &segment)) {
    enum progress progress = follow(skb, socket, &segment, true);
    if (progress == MESSAGE_ENDS) finish_response(socket, segment.now_ns);
    if (socket->out.seq != segment.seq + segment.length) {
      bpf_tail_call(skb, &request_out_again, 0);
      lose_response(socket, &segment, progress);
    }
    socket->last_byte_ns = segment.now_ns;
  }
  if (socket->out.state == STREAM_OPAQUE) give_up_pending(socket, segment.now_ns, REQUEST_BAD_RESPONSE);
  if (segment.fin) server_closes(socket, segment.now_ns);
  return PASS;
}

static __always_inline void mark_listener(struct sock* sk) {
  __u32 pid = agent_pid_of(bpf_get_current_task_btf());
  struct request_watched* watched = bpf_map_lookup_elem(&request_processes, &pid);
  if (!watched) return;
  struct request_socket* socket = bpf_sk_storage_get(&request_sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
  if (!socket) return;
  socket->target_id = watched->target_id;
  socket->target = watched->target;
}

/* For the agent to mark what the process listens on: here it cannot be done before 5.11. */
static __always_inline void report_listener(void) {
  __u32 pid = agent_pid_namespace == 0 ? bpf_get_current_pid_tgid() >> 32 : REQUEST_LISTENS_SOME_PID;
  if (pid != REQUEST_LISTENS_SOME_PID && !bpf_map_lookup_elem(&request_processes, &pid)) return;
  bpf_ringbuf_output(&request_listens, &pid, sizeof(pid), 0); /* if it is lost, the next scan finds the socket */
}

static __always_inline enum request_unmatched reason_of(int error) {
  if (error == ECONNRESET || error == EPIPE) return REQUEST_CLIENT_RESET;
  return error == ETIMEDOUT ? REQUEST_TIMED_OUT : REQUEST_SERVER_CLOSED;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(request_state, struct sock* sk, int before, int now) {
  if (now == BPF_TCP_LISTEN) {
    if (by_cookie) {
      report_listener();
    } else {
      mark_listener(sk);
    }
  }
  if (now == BPF_TCP_ESTABLISHED && before == BPF_TCP_SYN_RECV && !by_cookie) adopt_early(sk);
  if (now != BPF_TCP_CLOSE || before == BPF_TCP_LISTEN) return 0;
  struct request_socket* socket = connection_of_sock(sk);
  if (socket) give_up_pending(socket, bpf_ktime_get_ns(), reason_of(sk->sk_err));
  if (by_cookie) {
    __u64 cookie = sk->__sk_common.skc_cookie.counter;
    bpf_map_delete_elem(&request_sockets_by_cookie, &cookie);
  }
  return 0;
}

SEC("iter/bpf_sk_storage_map")
int request_scan(struct bpf_iter__bpf_sk_storage_map* context) {
  struct sock* sk = context->sk;
  struct request_socket* mark = context->value;
  if (!sk || !mark) return 0;
  __u32 index = mark->target;
  if (sk->__sk_common.skc_state == BPF_TCP_LISTEN) {
    struct request_listener listener = {
        .target_id = mark->target_id,
        .target = index,
        .length = sk->sk_ack_backlog,
        .limit = sk->sk_max_ack_backlog,
        .port = sk->__sk_common.skc_num,
    };
    bpf_seq_write(context->meta->seq, &listener, sizeof(listener));
    return 0;
  }
  /* Its process is gone, and another may have its index. */
  if (!target_of(mark)) return 0;
  struct request_socket* socket = connection_of_sock(sk); /* context->value has no room for indexes */
  struct request_gauges* gauges = bpf_map_lookup_elem(&request_gauges, &index);
  if (!gauges) return 0;
  if (gauges->scan != gauges_scan) {
    __builtin_memset(gauges, 0, sizeof(*gauges));
    gauges->scan = gauges_scan;
    gauges->target_id = mark->target_id;
  }
  ++gauges->connections;
  if (socket) add_to_gauges(gauges, socket); /* by cookie nothing is known of it before its first packet */
  return 0;
}
