/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
#ifndef MANOMETER_BPF_PROCESS_H
#define MANOMETER_BPF_PROCESS_H
/* What process.bpf.c tells the agent. Shared by both sides. */

#ifdef __cplusplus
#include <linux/types.h>
#endif

enum process_event_kind {
  PROCESS_EXEC = 1,
  PROCESS_EXIT = 2, /* the whole process, not one of its threads */
};

struct process_event {
  __u64 start_boottime_ns; /* of the thread group leader: what /proc/<pid>/stat gives in ticks */
  __u32 pid;               /* in the agent's pid namespace */
  __u32 kind;              /* enum process_event_kind */
};

#ifdef __cplusplus
static_assert(sizeof(process_event) == 16);
#else
_Static_assert(sizeof(struct process_event) == 16, "same on both sides");
#endif

#endif
