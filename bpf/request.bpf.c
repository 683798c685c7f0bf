// SPDX-License-Identifier: GPL-2.0
// Measures HTTP/1 requests on the server sockets of watched processes: arrival, first read, first and last byte out.

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "request_early.bpf.h"
#include "request_find.bpf.h"
#include "request_gauges.bpf.h"
#include "request_life.bpf.h"
#include "request_listen.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define PASS 1 /* of a cgroup_skb program; 0 would drop a customer's packet */

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
  if (segment.fin) {
    server_closes(socket, segment.now_ns);
  } else if (socket->out.state == STREAM_OPAQUE) {
    give_up_pending(socket, segment.now_ns, REQUEST_BAD_RESPONSE);
  }
  return PASS;
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
  if (sk->__sk_common.skc_state == BPF_TCP_LISTEN) {
    scan_listener(context->meta->seq, sk, mark);
  } else {
    scan_connection(sk, mark);
  }
  return 0;
}
