/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
#ifndef MANOMETER_BPF_GC_BLOCKED_H
#define MANOMETER_BPF_GC_BLOCKED_H
/* Threads that wait together, and how long. */

#include <linux/types.h>

/*
 * One thread's place in gc_process.blocked, so that a look at it has threads and times of the same moment: how many in
 * the low bits, above them the sum of when they began, of which only differences are of use.
 */
#define GC_BLOCKED_BITS 16
static inline __u64 gc_blocked(__u64 began_ns) {
  return began_ns << GC_BLOCKED_BITS | 1;
}
static inline __u64 gc_blocked_threads(__u64 blocked) {
  return blocked & ((1ULL << GC_BLOCKED_BITS) - 1);
}
/* How long they wait in all, up to 39 hours; 0 if they seem to have begun after now. */
static inline __u64 gc_blocked_ns(__u64 blocked, __u64 now_ns) {
  __u64 ns = (gc_blocked_threads(blocked) * now_ns << GC_BLOCKED_BITS) - (blocked & ~0ULL << GC_BLOCKED_BITS);
  return ns >> 63 ? 0 : ns >> GC_BLOCKED_BITS;
}

#endif
