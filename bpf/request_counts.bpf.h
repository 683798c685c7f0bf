/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_REQUEST_COUNTS_BPF_H
#define MANOMETER_BPF_REQUEST_COUNTS_BPF_H
/* Where the requests of a target are counted. */

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "histogram.bpf.h"
#include "request.h"

/* Series of the duration that a target may have, at most REQUEST_SERIES; one more follows, for the rest. */
const volatile __u32 max_series = 24;

/* Entries of each target. The agent makes one array for each, as long as max_series wants it. */
struct request_entries {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(union request_entry));
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, REQUEST_TARGETS);
  __type(key, __u32);
  __array(values, struct request_entries);
} request_targets SEC(".maps");

struct request_lock {
  struct bpf_spin_lock lock;
};

/* Held to take a series that is free. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct request_lock);
} request_series_lock SEC(".maps");

/* An entry of a target, for as long as it is watched. */
static __always_inline union request_entry* entry_of(__u32 target, __u32 index) {
  void* entries = bpf_map_lookup_elem(&request_targets, &target);
  return entries ? bpf_map_lookup_elem(entries, &index) : NULL;
}

/* Global, as those below, so that the verifier looks at it once and not at each call. */
__noinline int observe(__u32 target, __u32 index, __u64 ns) {
  union request_entry* entry = entry_of(target, index);
  if (entry) observe_in(&entry->histogram, ns);
  return 0;
}

/* Index of the series with this key or, with take, of a free one that then has it; max_series if there is none. */
static __always_inline __u32 look_for_series(struct request_target* target, __u32 key, bool take) {
  for (__u32 i = 0; i < REQUEST_SERIES && i < max_series; ++i) {
    if (target->series[i] == key) return i;
    if (target->series[i] != 0) continue;
    if (!take) return max_series;
    target->series[i] = key;
    return i;
  }
  return max_series;
}

__noinline int find_series(__u32 index, __u32 key) {
  __u32 zero = 0;
  union request_entry* entry = entry_of(index, REQUEST_ENTRY_TARGET);
  struct request_lock* guard = bpf_map_lookup_elem(&request_series_lock, &zero);
  if (!entry || !guard) return max_series;
  __u32 series = look_for_series(&entry->target, key, false);
  if (series < max_series) return series;
  bpf_spin_lock(&guard->lock);
  series = look_for_series(&entry->target, key, true);
  bpf_spin_unlock(&guard->lock);
  return series;
}

#endif
