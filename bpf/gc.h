/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
#ifndef MANOMETER_BPF_GC_H
#define MANOMETER_BPF_GC_H
/* What gc.bpf.c and the agent share. */

#ifdef __cplusplus
#include <linux/types.h>
#endif

#define GC_PROCESSES 1024 /* watched JVMs at most */
#define GC_THREADS 16384  /* threads that wait for memory at once, of all JVMs */

/* What happened in one JVM since it is watched. */
struct gc_process {
  __u64 stalls; /* waits of threads for memory that ended */
  __u64 stall_ns;
};

/* A thread that waits. */
struct gc_wait {
  __u64 began_ns;
  __u32 pid; /* of its process, as the agent knows it */
  __u32 pad;
};

#ifdef __cplusplus
static_assert(sizeof(gc_process) == 16);
static_assert(sizeof(gc_wait) == 16);
#else
_Static_assert(sizeof(struct gc_process) == 16, "same on both sides");
_Static_assert(sizeof(struct gc_wait) == 16, "same on both sides");
#endif

#endif
