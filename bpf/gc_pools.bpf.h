/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_GC_POOLS_BPF_H
#define MANOMETER_BPF_GC_POOLS_BPF_H
/* What a collection leaves in the pools of memory of JVMs that do not tell it themselves. */

#include "kernel_types.h"

#include <bpf/bpf_helpers.h>

#include "gc_pools.h"
#include "histogram.bpf.h"
#include "pid_namespace.bpf.h"

/*
 * By the pid that the agent knows it by: only JVMs that do not tell it themselves. What its library says of where the
 * values are is with each JVM, as before Linux 5.15 no program is told at which place it runs. The agent says how many.
 */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct gc_pools);
} gc_pools SEC(".maps");

__u64 gc_pools_lost = 0;

struct gc_pool_end {
  struct gc_name manager;
  struct gc_name name;
  __u64 used;
  __u64 committed;
  __u64 max;
};

/* Not 0: it cannot be read. */
static __always_inline long read_value(__u64* value, const struct gc_argument* argument, const void* registers) {
  *value = 0;
  if (argument->has_register)
    bpf_probe_read_kernel(value, sizeof(*value), (const char*)registers + argument->register_offset);
  *value += argument->number;
  return argument->in_memory ? bpf_probe_read_user(value, sizeof(*value), (const void*)*value) : 0;
}

/* bytes: the argument that tells how long it is. */
static __always_inline long read_name(struct gc_name* name, const struct gc_argument* address,
                                      const struct gc_argument* bytes, const void* registers) {
  __u64 begin = 0;
  __u64 length = 0;
  if (read_value(&begin, address, registers) || read_value(&length, bytes, registers)) return -1;
  if (length > sizeof(*name)) length = sizeof(*name);
  return bpf_probe_read_user(name, length, (const void*)begin);
}

static __always_inline __u8 is_same(const struct gc_name* one, const struct gc_name* other) {
  __u64 differ = 0;
  for (__u32 i = 0; i < GC_NAME; ++i) differ |= one->words[i] ^ other->words[i];
  return differ == 0;
}

/* Its place among the names, a free one if it is new; most: there is none left, or the name could not be read. */
static __always_inline __u32 place_of(struct gc_name* names, __u32 most, const struct gc_name* name) {
  if (name->words[0] == 0) return most;
  __u32 i = 0;
  while (i < most && names[i].words[0] != 0 && !is_same(&names[i], name)) ++i;
  if (i < most) names[i] = *name;
  return i;
}

/* What the JVM says there. Not 0: it cannot be read. */
static __always_inline long read_pool(struct gc_pool_end* end, const struct gc_argument* arguments,
                                      const void* registers) {
  return read_name(&end->manager, &arguments[GC_MANAGER], &arguments[GC_MANAGER_BYTES], registers) ||
         read_name(&end->name, &arguments[GC_POOL], &arguments[GC_POOL_BYTES], registers) ||
         read_value(&end->used, &arguments[GC_POOL_USED], registers) ||
         read_value(&end->committed, &arguments[GC_POOL_COMMITTED], registers) ||
         read_value(&end->max, &arguments[GC_POOL_MAX], registers);
}

static __always_inline int pool_end(const void* registers) {
  __u32 pid = agent_pid_of((struct task_struct*)bpf_get_current_task());
  struct gc_pools* pools = bpf_map_lookup_elem(&gc_pools, &pid);
  if (!pools) return 0;
  struct gc_pool_end end = {};
  if (read_pool(&end, pools->arguments, registers) != 0) {
    count(&gc_pools_lost);
    return 0;
  }
  __u32 by = place_of(pools->managers, GC_MANAGERS, &end.manager);
  __u32 which = place_of(pools->names, GC_POOLS, &end.name);
  if (by >= GC_MANAGERS || which >= GC_POOLS) {
    count(&gc_pools_lost);
    return 0;
  }
  struct gc_pool* pool = &pools->pools[which];
  pool->left[by] = pool->used = end.used;
  pool->committed = end.committed;
  pool->max = end.max;
  pool->ended_ns[by] = bpf_ktime_get_ns();
  count(&pool->ends[by]);
  return 0;
}

#endif
