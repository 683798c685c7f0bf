// SPDX-License-Identifier: GPL-2.0
// Measures how long a JVM stands still for its collector, how long its threads wait until that has freed memory, and
// what it leaves in use.
// Attached to places in libjvm, and to entries of functions only: a return probe changes the stack of somebody else's
// process.

#include "kernel_types.h"

#include <bpf/bpf_helpers.h>

#include "gc.h"
#include "gc_pools.bpf.h"
#include "gc_stalls.bpf.h"
#include "gc_stops.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* One link for all places in a library, whose cookie tells which this is: each link takes its time to go. */
SEC("uprobe")
int gc_any(struct pt_regs* context) {
  switch (bpf_get_attach_cookie(context)) {
    case GC_STALL_BEGIN:
      return stall_begin();
    case GC_STALL_END:
      return stall_end();
    case GC_STALL_NONE:
      return stall_none();
    case GC_SAFEPOINT_BEGIN:
      return safepoint_begin();
    case GC_COLLECTS:
      return collects();
    case GC_SAFEPOINT_END:
      return safepoint_end();
    case GC_BLOCK:
      return block();
    case GC_BLOCK_IF:
      return block_if(context);
    case GC_UNBLOCK:
      return unblock();
    case GC_ABREAST:
      return abreast();
    case GC_POOL_END:
      return pool_end(context);
  }
  return 0;
}

/* The same one by one, for kernels before 6.6. */
SEC("uprobe")
int gc_stall_begin(void* context) {
  return stall_begin();
}

SEC("uprobe")
int gc_stall_end(void* context) {
  return stall_end();
}

SEC("uprobe")
int gc_stall_none(void* context) {
  return stall_none();
}

SEC("uprobe")
int gc_safepoint_begin(void* context) {
  return safepoint_begin();
}

SEC("uprobe")
int gc_collects(void* context) {
  return collects();
}

SEC("uprobe")
int gc_safepoint_end(void* context) {
  return safepoint_end();
}

SEC("uprobe")
int gc_block(void* context) {
  return block();
}

SEC("uprobe")
int gc_block_if(struct pt_regs* context) {
  return block_if(context);
}

SEC("uprobe")
int gc_unblock(void* context) {
  return unblock();
}

SEC("uprobe")
int gc_abreast(void* context) {
  return abreast();
}

SEC("uprobe")
int gc_pool_end(void* context) {
  return pool_end(context);
}
