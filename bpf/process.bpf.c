// SPDX-License-Identifier: GPL-2.0
// Tells the agent which processes began (exec) and ended, so that a JVM is known within milliseconds.

#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "pid_namespace.bpf.h"
#include "process.h"

char LICENSE[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);  // 43,000 events: a second's worth of the fastest fork loop
} process_events SEC(".maps");

__u64 process_events_lost = 0;

static void report(struct task_struct* task, enum process_event_kind kind) {
  __u32 pid = agent_pid_of(task);
  if (pid == 0) return;
  struct process_event* event = bpf_ringbuf_reserve(&process_events, sizeof(*event), 0);
  if (!event) {
    __sync_fetch_and_add(&process_events_lost, 1);
    return;
  }
  event->start_boottime_ns = task->group_leader->start_boottime;
  event->pid = pid;
  event->kind = kind;
  bpf_ringbuf_submit(event, 0);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct* task, int old_pid, struct linux_binprm* bprm) {
  report(task, PROCESS_EXEC);
  return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct* task) {
  if (task->signal->live.counter == 0) report(task, PROCESS_EXIT);
  return 0;
}
