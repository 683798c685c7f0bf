/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_GC_STOPS_BPF_H
#define MANOMETER_BPF_GC_STOPS_BPF_H
/* Stops of all threads of a JVM, and which of them are for a collection. */

#include "kernel_types.h"

#include <bpf/bpf_helpers.h>

#include "gc.h"
#include "histogram.bpf.h"
#include "pid_namespace.bpf.h"

/* By the pid that the agent knows it by. The agent says how many. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct gc_process);
} gc_processes SEC(".maps");

/* The agent says how many. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, struct gc_histogram_key);
  __type(value, struct latency_histogram);
} gc_histograms SEC(".maps");

const struct latency_histogram no_pauses = {};

#define UNREAD (~0ULL) /* there is no such word, or its page is away */

__u64 gc_pauses_lost = 0;

static __always_inline struct gc_process* current_process(__u32* pid) {
  *pid = agent_pid_of((struct task_struct*)bpf_get_current_task());
  return bpf_map_lookup_elem(&gc_processes, pid);
}

/* What the JVM says is the cause of the collection that runs or, between two, of the last one. */
static __always_inline __u32 cause_of(const struct gc_process* process) {
  char text[GC_CAUSE + 1] = {};
  if (process->words.cause == 0) return 0;
  bpf_probe_read_user_str(text, sizeof(text), (const void*)process->words.cause);
  __u32 running = gc_hash(text);
  if (running != gc_hash("No GC")) return running;
  bpf_probe_read_user_str(text, sizeof(text), (const void*)process->words.last_cause);
  return gc_hash(text);
}

/* The last of the JVM's collectors that has run since the stop began; GC_COLLECTORS: none did. */
static __always_inline __u32 collector_of(const struct gc_process* process) {
  __u32 collector = GC_COLLECTORS;
  for (__u32 i = 0; i < GC_COLLECTORS; ++i) {
    __u64 runs = 0;
    if (process->runs[i] == UNREAD) continue;
    if (bpf_probe_read_user(&runs, sizeof(runs), (const void*)process->words.runs[i]) != 0) continue;
    if (runs != process->runs[i]) collector = i;
  }
  return collector;
}

/* Only the one thread of a JVM that stops all others comes here. */
static __always_inline __u32 series_of(struct gc_process* process, __u32 key) {
  __u32 i = 0;
  while (i < GC_SERIES && process->series[i] != key && process->series[i] != 0) ++i;
  if (i < GC_SERIES) process->series[i] = key;
  return i;
}

static __always_inline void add_pause(__u32 pid, __u32 index, __u64 ns) {
  struct gc_histogram_key key = {.pid = pid, .index = index};
  struct latency_histogram* histogram = bpf_map_lookup_elem(&gc_histograms, &key);
  if (!histogram) {
    bpf_map_update_elem(&gc_histograms, &key, &no_pauses, BPF_NOEXIST);
    histogram = bpf_map_lookup_elem(&gc_histograms, &key);
  }
  if (histogram) {
    observe_in(histogram, ns);
  } else {
    count(&gc_pauses_lost);
  }
}

static __always_inline int safepoint_begin(void) {
  __u32 pid = 0;
  struct gc_process* process = current_process(&pid);
  if (!process) return 0;
  process->collects = 0;
  for (__u32 i = 0; i < GC_COLLECTORS; ++i) {
    const void* word = (const void*)process->words.runs[i];
    if (bpf_probe_read_user(&process->runs[i], sizeof(process->runs[i]), word) != 0) process->runs[i] = UNREAD;
  }
  process->began_ns = bpf_ktime_get_ns();
  return 0;
}

/* Some collections say so, of some only a counter tells. */
static __always_inline int collects(void) {
  __u32 pid = 0;
  struct gc_process* process = current_process(&pid);
  if (process) process->collects = 1;
  return 0;
}

static __always_inline int safepoint_end(void) {
  __u64 now = bpf_ktime_get_ns();
  __u32 pid = 0;
  struct gc_process* process = current_process(&pid);
  if (!process || process->began_ns == 0) return 0;
  __u64 ns = now - process->began_ns;
  process->began_ns = 0;
  count(&process->safepoints);
  add(&process->safepoint_ns, ns);
  __u32 collector = collector_of(process);
  if (!process->collects && collector == GC_COLLECTORS) return 0;
  add(&process->collect_ns, ns);
  add_pause(pid, series_of(process, gc_series_key(cause_of(process), collector)), ns);
  return 0;
}

#endif
