/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_HISTOGRAM_BPF_H
#define MANOMETER_BPF_HISTOGRAM_BPF_H
/* Counts durations. */

#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "histogram.h"

/* Inclusive upper bounds of a histogram's slots. */
const volatile __u64 slot_bounds[HISTOGRAM_BOUNDS] = {};

static __always_inline void add(__u64* counter, __u64 number) {
  __sync_fetch_and_add(counter, number);
}

static __always_inline void count(__u64* counter) {
  add(counter, 1);
}

/* The first slot whose bound is not below ns. */
static __always_inline __u32 slot_of(__u64 ns) {
  __u32 slot = 0;
#pragma unroll
  for (__u32 step = HISTOGRAM_BOUNDS / 2; step > 0; step /= 2) {
    if (slot_bounds[(slot + step - 1) & (HISTOGRAM_BOUNDS - 1)] < ns) slot += step;
  }
  return slot;
}

static __always_inline void observe_in(struct latency_histogram* histogram, __u64 ns) {
  if ((__s64)ns < 0) ns = 0; /* of two clock readings on two CPUs the first may be counted last */
  __u32 slot = slot_of(ns);
  if (slot >= HISTOGRAM_SLOTS) return;
  count(&histogram->counts[slot]);
  add(&histogram->sum_ns, ns);
}

#endif
