/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_REQUEST_LISTEN_BPF_H
#define MANOMETER_BPF_REQUEST_LISTEN_BPF_H
/* Marks what watched processes listen on, so that connections are watched from their beginning. */

#include "pid_namespace.bpf.h"
#include "request_socket.bpf.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, REQUEST_TARGETS);
  __type(key, __u32); /* pid, in the agent's namespace */
  __type(value, struct request_watched);
} request_processes SEC(".maps");

/* Pids of watched processes that began to listen, where their sockets are marked by the agent. */
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 16); /* one page, as large as there are any */
} request_listens SEC(".maps");

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

#endif
