/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
#ifndef MANOMETER_BPF_MEMORY_H
#define MANOMETER_BPF_MEMORY_H
/* What memory.bpf.c counts for the agent. Shared by both sides. */

#ifdef __cplusplus
#include <linux/types.h>
#endif

#define MEMORY_CGROUPS 4096 /* those that have a JVM, and those that had one a while ago: 0.4 MB */

/* Of the tasks in one memory cgroup, those in the cgroups below it left out. */
struct memory_counts {
  __u64 reclaim_ns;    /* in which they reclaimed memory before they could go on, each by itself */
  __u64 compaction_ns; /* the same, compacting */
  __u64 oom_kills;     /* processes */
};

#ifdef __cplusplus
static_assert(sizeof(memory_counts) == 24);
#else
_Static_assert(sizeof(struct memory_counts) == 24, "same on both sides");
#endif

#endif
