/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
#ifndef MANOMETER_BPF_GC_H
#define MANOMETER_BPF_GC_H
/* What gc.bpf.c and the agent share. */

#include "histogram.h"

#define GC_THREADS 8192  /* threads that wait for memory at once, of all JVMs */
#define GC_BLOCKS 2048   /* the same of Shenandoah, where it only matters if one waits twice in short */
#define GC_MEAN_SERIES 4 /* histograms of one JVM for which there is room if all have as many */
#define GC_COLLECTORS 3  /* that a JVM has at most */
#define GC_SERIES 12     /* histograms of one JVM; one more follows, for the rest */
#define GC_CAUSE 40      /* bytes of a cause that tell it from others */

/* Places in a libjvm. */
enum gc_place {
  GC_STALL_BEGIN,
  GC_STALL_END,
  GC_STALL_NONE, /* what began was none */
  GC_SAFEPOINT_BEGIN,
  GC_COLLECTS,
  GC_SAFEPOINT_END,
  GC_BLOCK,    /* a thread waits for memory, until GC_UNBLOCK */
  GC_BLOCK_IF, /* the same if its third argument says so */
  GC_UNBLOCK,  /* all those go on */
  GC_ABREAST,  /* a collection has ended in time: nobody waits so */
  GC_POOL_END, /* a collection has ended, and this is what it left in one of the pools */
};

/* Where in the JVM's own memory it keeps count, 0: nowhere. */
struct gc_words {
  __u64 cause;               /* text of the collection that runs, or "No GC" */
  __u64 last_cause;          /* of the one before */
  __u64 runs[GC_COLLECTORS]; /* collections of each collector, counted as they begin */
};

/* One JVM, and what happened in it since it is watched. */
struct gc_process {
  struct gc_words words;
  __u64 stalls; /* waits of threads for memory that ended */
  __u64 stall_ns;
  __u64 safepoints; /* times all threads were stopped, for whatever reason */
  __u64 safepoint_ns;
  __u64 collect_ns; /* of them, those for a collection */
  __u64 began_ns;   /* of the stop that lasts; 0: none does */
  __u64 blocked;    /* gc_blocked() of the threads that wait until GC_UNBLOCK, added up */
  __u64 runs[GC_COLLECTORS];
  __u32 collects;          /* the stop that lasts is known to be for a collection */
  __u32 series[GC_SERIES]; /* gc_series_key() of each; 0: free */
  __u32 unblocks;          /* times that those who waited so long went on */
};

/* A thread that waits. */
struct gc_wait {
  __u64 began_ns;
  __u32 pid;      /* of its process, as the agent knows it */
  __u32 unblocks; /* of gc_process, as it began */
};

struct gc_histogram_key {
  __u32 pid;
  __u32 index; /* in gc_process.series; GC_SERIES: the rest */
};

/* A text is known by this alone. FNV-1a, from http://www.isthe.com/chongo/tech/comp/fnv/. */
static inline __u32 gc_hash(const char* text) {
  __u32 hash = 2166136261U;
  for (__u32 i = 0; i < GC_CAUSE && text[i] != 0; ++i) hash = (hash ^ (__u8)text[i]) * 16777619U;
  return hash;
}

/* collector: GC_COLLECTORS for none. Never 0. */
static inline __u32 gc_series_key(__u32 cause, __u32 collector) {
  return cause << 3 | collector << 1 | 1;
}

/* What is left of the cause in a key. */
static inline __u32 gc_cause_of(__u32 key) {
  return key >> 3;
}
static inline __u32 gc_collector_of(__u32 key) {
  return key >> 1 & 3;
}

#ifdef __cplusplus
static_assert(sizeof(gc_process) == 176);
static_assert(sizeof(gc_wait) == 16);
#else
_Static_assert(sizeof(struct gc_process) == 176, "same on both sides");
_Static_assert(sizeof(struct gc_wait) == 16, "same on both sides");
#endif

#endif
