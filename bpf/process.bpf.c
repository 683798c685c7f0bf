// SPDX-License-Identifier: GPL-2.0
// Tells the agent which processes began (exec) and ended, so that a JVM is known within milliseconds.

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "process.h"

char LICENSE[] SEC("license") = "GPL";

#define MAX_PID_NAMESPACE_LEVEL 32  // the kernel's own limit, include/linux/pid_namespace.h

// Inode of the agent's pid namespace; 0: it is the initial one, where tgid is the pid to report.
const volatile __u32 agent_pid_namespace = 0;

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);  // 43,000 events: a second's worth of the fastest fork loop
} process_events SEC(".maps");

__u64 process_events_lost = 0;

// The pid of task's process as the agent's namespace numbers it, 0 if it is not in there.
static __u32 agent_pid_of(struct task_struct* task) {
  if (agent_pid_namespace == 0) return task->tgid;
  struct pid* pid = task->group_leader->thread_pid;
  unsigned int level = BPF_CORE_READ(pid, level);
  char* numbers = (char*)__builtin_preserve_access_index(&pid->numbers);
  for (unsigned int i = 0; i < MAX_PID_NAMESPACE_LEVEL && i <= level; ++i) {
    struct upid* number = (struct upid*)(numbers + i * bpf_core_type_size(struct upid));
    if (BPF_CORE_READ(number, ns, ns.inum) == agent_pid_namespace) return BPF_CORE_READ(number, nr);
  }
  return 0;
}

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
