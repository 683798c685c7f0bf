/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0) */
#ifndef MANOMETER_BPF_KERNEL_TYPES_H
#define MANOMETER_BPF_KERNEL_TYPES_H
/*
 * The kernel's types as far as our programs touch them. CO-RE relocates every access against the BTF of the kernel they
 * are loaded into, so only names matter here, not order or size, and a build needs no kernel of its own.
 */

#include <linux/bpf.h>
#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
  int counter;
} atomic_t;

struct signal_struct {
  atomic_t live; /* threads that have not begun to exit */
  int group_exit_code;
};

struct ns_common {
  unsigned int inum;
};

struct pid_namespace {
  struct ns_common ns;
};

struct upid {
  int nr;
  struct pid_namespace* ns;
};

struct pid {
  unsigned int level;
  struct upid numbers[1]; /* level + 1 of them, the initial namespace's first */
};

struct kernfs_node {
  __u64 id;
};

struct cgroup {
  struct kernfs_node* kn;
};

struct cgroup_subsys_state {
  struct cgroup* cgroup;
};

enum cgroup_subsys_id {
  memory_cgrp_id, /* another number in every kernel */
};

struct css_set {
  struct cgroup_subsys_state* subsys[1]; /* one for each controller */
};

struct task_struct {
  unsigned int flags;
  int pid;
  int tgid;
  struct task_struct* group_leader;
  struct signal_struct* signal;
  struct pid* thread_pid;
  struct css_set* cgroups;
  __u64 start_boottime;
};

struct trace_event_raw_mark_victim {
  unsigned long total_vm; /* since 6.9 and in what took it from there */
};

struct linux_binprm;

struct sock_common {
  unsigned short skc_num; /* local port */
  unsigned char skc_state;
  struct {
    long long counter;
  } skc_cookie;
};

struct sock {
  struct sock_common __sk_common;
  __u32 sk_ack_backlog;
  __u32 sk_max_ack_backlog;
  int sk_err;
};

struct tcp_sock {
  __u32 copied_seq;
  __u32 rcv_nxt;
};

struct seq_file;

struct bpf_iter_meta {
  struct seq_file* seq;
};

struct bpf_iter__bpf_sk_storage_map {
  struct bpf_iter_meta* meta;
  struct sock* sk;
  void* value;
};

#pragma clang attribute pop

#endif
