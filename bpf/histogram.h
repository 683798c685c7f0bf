/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
#ifndef MANOMETER_BPF_HISTOGRAM_H
#define MANOMETER_BPF_HISTOGRAM_H
/* Durations as the programs count them and the agent reads them. */

#ifdef __cplusplus
#include <linux/types.h>
#endif

#define HISTOGRAM_SLOTS 199  /* 161 bounds of the native schema, at most 32 classic ones, one slot above: 194 */
#define HISTOGRAM_BOUNDS 256 /* for a binary search; what is not used is 2^64 - 1 */

struct latency_histogram {
  __u64 sum_ns;
  __u64 counts[HISTOGRAM_SLOTS];
};

#ifdef __cplusplus
static_assert(sizeof(latency_histogram) == 1600);
#else
_Static_assert(sizeof(struct latency_histogram) == 1600, "same on both sides");
#endif

#endif
