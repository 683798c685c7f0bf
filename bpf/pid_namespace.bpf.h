/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_PID_NAMESPACE_BPF_H
#define MANOMETER_BPF_PID_NAMESPACE_BPF_H
/* Pids as the agent sees them. */

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define MAX_PID_NAMESPACE_LEVEL 32 /* the kernel's own limit, include/linux/pid_namespace.h */

/* Inode of the agent's pid namespace; 0: it is the initial one, where tgid is the pid to report. */
const volatile __u32 agent_pid_namespace = 0;

/* The pid of task's process as the agent's namespace numbers it, 0 if it is not in there. For programs of all types. */
static __u32 agent_pid_of(struct task_struct* task) {
  if (agent_pid_namespace == 0) return BPF_CORE_READ(task, tgid);
  struct pid* pid = BPF_CORE_READ(task, group_leader, thread_pid);
  unsigned int level = BPF_CORE_READ(pid, level);
  char* numbers = (char*)__builtin_preserve_access_index(&pid->numbers);
  for (unsigned int i = 0; i < MAX_PID_NAMESPACE_LEVEL && i <= level; ++i) {
    struct upid* number = (struct upid*)(numbers + i * bpf_core_type_size(struct upid));
    if (BPF_CORE_READ(number, ns, ns.inum) == agent_pid_namespace) return BPF_CORE_READ(number, nr);
  }
  return 0;
}

#endif
