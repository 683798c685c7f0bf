// SPDX-License-Identifier: GPL-2.0
// Counts for the cgroups that the agent names how long their tasks had to look for free memory, and their OOM kills.

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "memory_cgroup.bpf.h"
#include "memory_kills.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define PF_KTHREAD 0x00200000

#define MAX_STALLED_TASKS 8192 /* at the same time */

/* What stalls a task. The first two are one thing to it. */
enum stall {
  DIRECT_RECLAIM,
  MEMCG_RECLAIM,
  COMPACTION,
};

struct stalled {
  __u64 pid_tgid;
  __u64 compacts;
};

struct since {
  __u64 ns;
  __u64 cgroup;
  __u64 stall;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MAX_STALLED_TASKS);
  __type(key, struct stalled);
  __type(value, struct since);
} memory_stalled SEC(".maps");

static int begin(enum stall stall) {
  struct task_struct* task = (struct task_struct*)bpf_get_current_task();
  const struct since now = {bpf_ktime_get_ns(), memory_cgroup_of(task), stall};
  if (!bpf_map_lookup_elem(&memory_cgroups, &now.cgroup)) return 0;
  if (BPF_CORE_READ(task, flags) & PF_KTHREAD) return 0;
  const struct stalled stalled = {bpf_get_current_pid_tgid(), stall == COMPACTION};
  const struct since* outer = bpf_map_lookup_elem(&memory_stalled, &stalled);
  if (outer && outer->stall != stall) return 0;
  // The same stall in itself does not occur: that one's end went by unseen.
  if (bpf_map_update_elem(&memory_stalled, &stalled, &now, BPF_ANY) != 0) count_loss();
  return 0;
}

static int end(enum stall stall) {
  const struct stalled stalled = {bpf_get_current_pid_tgid(), stall == COMPACTION};
  const struct since* since = bpf_map_lookup_elem(&memory_stalled, &stalled);
  if (!since || since->stall != stall) return 0;
  const __u64 elapsed_ns = bpf_ktime_get_ns() - since->ns;
  struct memory_counts* counts = bpf_map_lookup_elem(&memory_cgroups, &since->cgroup);
  if (counts) __sync_fetch_and_add(stall == COMPACTION ? &counts->compaction_ns : &counts->reclaim_ns, elapsed_ns);
  bpf_map_delete_elem(&memory_stalled, &stalled);
  return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int direct_begin(void* context) {
  return begin(DIRECT_RECLAIM);
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int direct_end(void* context) {
  return end(DIRECT_RECLAIM);
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int memcg_begin(void* context) {
  return begin(MEMCG_RECLAIM);
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int memcg_end(void* context) {
  return end(MEMCG_RECLAIM);
}

SEC("tp_btf/mm_compaction_begin")
int compact_begin(void* context) {
  return begin(COMPACTION);
}

SEC("tp_btf/mm_compaction_end")
int compact_end(void* context) {
  return end(COMPACTION);
}

SEC("tp_btf/mark_victim")
int mark_victim(__u64* context) {
  if (bpf_core_field_exists(((struct trace_event_raw_mark_victim*)0)->total_vm)) {
    // From 6.16 on a thread may end, as the tracepoint has it, before it is marked.
    count_kill((struct task_struct*)context[0]);
    return 0;
  }
  await_end(context[0]);
  return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(victim_exit, struct task_struct* task) {
  if (has_ended(task->pid)) count_kill(task);
  return 0;
}
