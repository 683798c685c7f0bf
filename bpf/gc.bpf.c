// SPDX-License-Identifier: GPL-2.0
// Measures how long threads of a JVM wait for its collector to free memory: what no counter of the JVM tells. Attached
// to functions of libjvm, at their entries only: a return probe changes the stack of somebody else's process.

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "gc.h"
#include "pid_namespace.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* By the pid that the agent knows it by. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, GC_PROCESSES);
  __type(key, __u32);
  __type(value, struct gc_process);
} gc_processes SEC(".maps");

/* By the thread's pid and its process's in the initial namespace. What a killed thread leaves, the agent deletes. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, GC_THREADS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __type(value, struct gc_wait);
} gc_waits SEC(".maps");

__u64 gc_waits_lost = 0;

SEC("uprobe")
int gc_stall_begin(void* context) {
  struct gc_wait wait = {.pid = agent_pid_of((struct task_struct*)bpf_get_current_task())};
  if (!bpf_map_lookup_elem(&gc_processes, &wait.pid)) return 0;
  __u64 thread = bpf_get_current_pid_tgid();
  wait.began_ns = bpf_ktime_get_ns();
  if (bpf_map_update_elem(&gc_waits, &thread, &wait, BPF_ANY) != 0) __sync_fetch_and_add(&gc_waits_lost, 1);
  return 0;
}

/* Also runs at the end of waits for other reasons: those did not begin with ours. */
SEC("uprobe")
int gc_stall_end(void* context) {
  __u64 thread = bpf_get_current_pid_tgid();
  struct gc_wait* found = bpf_map_lookup_elem(&gc_waits, &thread);
  if (!found) return 0;
  struct gc_wait wait = *found;
  bpf_map_delete_elem(&gc_waits, &thread);
  struct gc_process* process = bpf_map_lookup_elem(&gc_processes, &wait.pid);
  if (!process) return 0;
  __sync_fetch_and_add(&process->stall_ns, bpf_ktime_get_ns() - wait.began_ns);
  __sync_fetch_and_add(&process->stalls, 1);
  return 0;
}
