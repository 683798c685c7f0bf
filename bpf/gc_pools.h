/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
#ifndef MANOMETER_BPF_GC_POOLS_H
#define MANOMETER_BPF_GC_POOLS_H
/* What gc.bpf.c and the agent share of pools of memory. */

#include <linux/types.h>

#define GC_POOLS 12   /* of memory, those of code among them: a JVM has 9 at most */
#define GC_MANAGERS 4 /* of memory, each of them one way to collect */
#define GC_NAME 4     /* words of a name: the longest of a pool, "CodeHeap 'non-profiled nmethods'", just fits */

/* What is told at GC_POOL_END, by its number there. */
enum gc_pool_argument {
  GC_MANAGER,
  GC_MANAGER_BYTES,
  GC_POOL,
  GC_POOL_BYTES,
  GC_POOL_INITIAL, /* of no interest */
  GC_POOL_USED,
  GC_POOL_COMMITTED,
  GC_POOL_MAX,
  GC_POOL_ARGUMENTS,
};

/* How to come by a value of 64 bits: a register's, if there is one, plus a number; or what is in memory there. */
struct gc_argument {
  __s64 number;
  __u16 register_offset; /* in pt_regs */
  __u8 has_register;
  __u8 in_memory;
  __u32 pad;
};

/* Not terminated. */
struct gc_name {
  __u64 words[GC_NAME];
};

/* A pool of memory as the last collection left it. */
struct gc_pool {
  __u64 ends[GC_MANAGERS]; /* of collections, by what collected */
  __u64 ended_ns[GC_MANAGERS];
  __u64 left[GC_MANAGERS]; /* behind those: who sees that a collection has ended sees what it left in use */
  __u64 used;              /* the same of the last of all */
  __u64 committed;
  __u64 max; /* all bits set: it has none */
};

/* All pools of one JVM. Names are taken in the order in which they come; all 0: free. */
struct gc_pools {
  struct gc_argument arguments[GC_POOL_ARGUMENTS];
  struct gc_name managers[GC_MANAGERS];
  struct gc_name names[GC_POOLS];
  struct gc_pool pools[GC_POOLS];
};

#ifdef __cplusplus
static_assert(sizeof(gc_argument) == 16);
static_assert(sizeof(gc_pools) == 2080);
#else
_Static_assert(sizeof(struct gc_argument) == 16, "same on both sides");
_Static_assert(sizeof(struct gc_pools) == 2080, "same on both sides");
#endif

#endif
