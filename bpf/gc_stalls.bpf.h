/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_GC_STALLS_BPF_H
#define MANOMETER_BPF_GC_STALLS_BPF_H
/* Threads of a JVM that wait until its collector has freed memory. */

#include "kernel_types.h"

#include <asm/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "gc.h"
#include "gc_blocked.h"
#include "gc_stops.bpf.h"
#include "histogram.bpf.h"
#include "pid_namespace.bpf.h"

/*
 * By the thread's pid and its process's in the initial namespace. What a killed thread leaves, the agent deletes.
 * Allocated at once: kernels before 6.1 warn of a map that programs like ours have to allocate for.
 */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, GC_THREADS);
  __type(key, __u64);
  __type(value, struct gc_wait);
} gc_waits SEC(".maps");

__u64 gc_waits_lost = 0;

static __always_inline int stall_begin(void) {
  struct gc_wait wait = {.pid = agent_pid_of((struct task_struct*)bpf_get_current_task())};
  if (!bpf_map_lookup_elem(&gc_processes, &wait.pid)) return 0;
  __u64 thread = bpf_get_current_pid_tgid();
  wait.began_ns = bpf_ktime_get_ns();
  if (bpf_map_update_elem(&gc_waits, &thread, &wait, BPF_ANY) != 0) __sync_fetch_and_add(&gc_waits_lost, 1);
  return 0;
}

/* Also runs at the end of waits for other reasons: those did not begin with ours. */
static __always_inline int stall_end(void) {
  __u64 thread = bpf_get_current_pid_tgid();
  struct gc_wait* found = bpf_map_lookup_elem(&gc_waits, &thread);
  if (!found) return 0;
  struct gc_wait wait = *found;
  bpf_map_delete_elem(&gc_waits, &thread);
  struct gc_process* process = bpf_map_lookup_elem(&gc_processes, &wait.pid);
  if (!process) return 0;
  __sync_fetch_and_add(&process->stall_ns, bpf_ktime_get_ns() - wait.began_ns);
  __sync_fetch_and_add(&process->stalls, 1);
  return 0;
}

static __always_inline int stall_none(void) {
  __u64 thread = bpf_get_current_pid_tgid();
  bpf_map_delete_elem(&gc_waits, &thread);
  return 0;
}

/* The last wait of each thread of Shenandoah, by its pid and its process's in the initial namespace. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, GC_BLOCKS);
  __type(key, __u64);
  __type(value, struct gc_wait);
} gc_blocks SEC(".maps");

static __always_inline void end_blocked(struct gc_process* process, __u64 blocked) {
  add(&process->blocked, -blocked);
  add(&process->stalls, gc_blocked_threads(blocked));
}

/*
 * Shenandoah's threads wait in a function without a call at its end, until its control thread, which has collected,
 * wakes them all. One that came so late that it did not have to wait can be back before the others are woken.
 */
static __always_inline int block(void) {
  __u32 pid = 0;
  struct gc_process* process = current_process(&pid);
  if (!process) return 0;
  __u64 thread = bpf_get_current_pid_tgid();
  struct gc_wait wait = {.began_ns = bpf_ktime_get_ns(), .pid = pid, .unblocks = process->unblocks};
  const struct gc_wait* last = bpf_map_lookup_elem(&gc_blocks, &thread);
  if (last && last->pid == pid && last->unblocks == wait.unblocks) {
    end_blocked(process, gc_blocked(last->began_ns));
    add(&process->stall_ns, wait.began_ns - last->began_ns);
  }
  bpf_map_update_elem(&gc_blocks, &thread, &wait, BPF_ANY);
  add(&process->blocked, gc_blocked(wait.began_ns));
  return 0;
}

static __always_inline int block_if(const struct pt_regs* registers) {
  return (__u8)PT_REGS_PARM3(registers) ? block() : 0;
}

static __always_inline int unblock(void) {
  __u32 pid = 0;
  struct gc_process* process = current_process(&pid);
  if (!process) return 0;
  ++process->unblocks;
  __u64 blocked = process->blocked;
  end_blocked(process, blocked);
  add(&process->stall_ns, gc_blocked_ns(blocked, bpf_ktime_get_ns()));
  return 0;
}

/* Who still seems to wait came too late to be woken, and did not have to wait. */
static __always_inline int abreast(void) {
  __u32 pid = 0;
  struct gc_process* process = current_process(&pid);
  if (!process || process->blocked == 0) return 0;
  ++process->unblocks;
  end_blocked(process, process->blocked);
  return 0;
}

#endif
