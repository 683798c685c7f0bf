/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_MEMORY_KILLS_BPF_H
#define MANOMETER_BPF_MEMORY_KILLS_BPF_H
/* Processes that the OOM killer ends, each counted once for its cgroup. */

#include <stdbool.h>

#include "memory_cgroup.bpf.h"

#define SIGKILL 9
#define SIGNAL_MASK 0x7f /* of an exit code */
#define EEXIST 17

#define MAX_VICTIMS 1024 /* that have not ended yet */
#define MAX_KILLED 4096  /* of late; the kernel gives every CPU some of them */

struct process {
  __u64 start_boottime;
  __u64 tgid;
};

/* Threads by pid. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MAX_VICTIMS);
  __type(key, __u32);
  __type(value, __u32);
} memory_victims SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, MAX_KILLED);
  __type(key, struct process);
  __type(value, __u32);
} memory_killed SEC(".maps");

__u64 memory_victims_left = 0;

/* Every thread of the victim that wants memory meanwhile is marked as well. */
static void count_kill(struct task_struct* victim) {
  // So is one of a process that ends of its own accord.
  if ((BPF_CORE_READ(victim, signal, group_exit_code) & SIGNAL_MASK) != SIGKILL) return;
  const __u64 cgroup = memory_cgroup_of(victim);
  struct memory_counts* counts = bpf_map_lookup_elem(&memory_cgroups, &cgroup);
  if (!counts) return;
  const struct process process = {BPF_CORE_READ(victim, group_leader, start_boottime), BPF_CORE_READ(victim, tgid)};
  const __u32 once = 1;
  const long failure = bpf_map_update_elem(&memory_killed, &process, &once, BPF_NOEXIST);
  if (failure == 0) {
    __sync_fetch_and_add(&counts->oom_kills, 1);
  } else if (failure != -EEXIST) {
    count_loss();
  }
}

/* Where the kernel tells no more than its pid: its cgroup is known when it ends, which it cannot before it is marked.
 */
static void await_end(__u32 pid) {
  const __u32 marked = 1;
  if (bpf_map_update_elem(&memory_victims, &pid, &marked, BPF_NOEXIST) == 0) {
    __sync_fetch_and_add(&memory_victims_left, 1);
  } else {
    count_loss();
  }
}

static bool has_ended(__u32 pid) {
  if (memory_victims_left == 0 || bpf_map_delete_elem(&memory_victims, &pid) != 0) return false;
  __sync_fetch_and_add(&memory_victims_left, -1);
  return true;
}

#endif
