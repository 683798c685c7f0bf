/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_MEMORY_CGROUP_BPF_H
#define MANOMETER_BPF_MEMORY_CGROUP_BPF_H
/* Which memory cgroup a task is in, and what is counted for it. */

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "memory.h"

/* By the cgroup's id, which is its directory's inode. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MEMORY_CGROUPS);
  __type(key, __u64);
  __type(value, struct memory_counts);
} memory_cgroups SEC(".maps");

__u64 memory_events_lost = 0;

static void count_loss(void) {
  __sync_fetch_and_add(&memory_events_lost, 1);
}

static __u64 memory_cgroup_of(struct task_struct* task) {
  struct css_set* set = BPF_CORE_READ(task, cgroups);
  char* states = (char*)__builtin_preserve_access_index(&set->subsys);
  struct cgroup_subsys_state* state = 0;
  const __u64 at = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id) * sizeof(state);
  bpf_probe_read_kernel(&state, sizeof(state), states + at);
  return BPF_CORE_READ(state, cgroup, kn, id);
}

#endif
