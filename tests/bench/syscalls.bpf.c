// SPDX-License-Identifier: GPL-2.0
// The yardstick: requests as agents measure them that look at system calls. The clock runs from the end of the read
// that brings a request to the write that begins its response. For the bench only.

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define SLOTS 512 /* eight for each octave of nanoseconds */

/* Of the tracepoints syscalls:sys_enter_* and sys_exit_*: their format files. */
struct enter {
  __u64 common;
  __u64 number;
  __u64 arguments[6];
};
struct leave {
  __u64 common;
  __u64 number;
  __s64 result;
};

struct read_call {
  __u64 fd;
  const void* buffer;
};

struct connection {
  __u32 pid;
  __u32 fd;
};

/* The processes that are looked at, as those agents keep them: there may be many. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u32);
  __type(value, __u32);
} processes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 10240);
  __type(key, __u64); /* thread */
  __type(value, struct read_call);
} reads SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 65536);
  __type(key, struct connection);
  __type(value, __u64); /* when its request was read */
} requests SEC(".maps");

__u64 durations[SLOTS] = {};

/* As the second argument of recvmsg and sendmsg points to it. */
struct message {
  void* name;
  __u64 name_length;
  const void** parts;
};

static __always_inline bool is_watched(__u64 thread) {
  __u32 pid = thread >> 32;
  return bpf_map_lookup_elem(&processes, &pid) != NULL;
}

static __always_inline __u32 first_word(const void* buffer) {
  __u32 word = 0;
  bpf_probe_read_user(&word, sizeof(word), buffer);
  return word;
}

/* "GET ", "POST", "PUT ", "HEAD", "DELE", "PATC", "OPTI" */
static __always_inline bool is_request(__u32 word) {
  return word == 0x20544547 || word == 0x54534f50 || word == 0x20545550 || word == 0x44414548 || word == 0x454c4544 ||
         word == 0x43544150 || word == 0x4954504f;
}

static __always_inline bool is_response(__u32 word) {
  return word == 0x50545448; /* "HTTP" */
}

/* What a system call's second argument points to. */
enum memory { BUFFER, PARTS, MESSAGE };

static __always_inline const void* follow(const void* pointer) {
  const void* to = NULL;
  bpf_probe_read_user(&to, sizeof(to), pointer);
  return to;
}

/* The first buffer of a call. */
static __always_inline const void* buffer_of(const struct enter* call, enum memory memory) {
  const void* pointer = (const void*)call->arguments[1];
  if (memory == MESSAGE) pointer = follow(pointer + offsetof(struct message, parts));
  return memory == BUFFER ? pointer : follow(pointer);
}

static __always_inline __u32 slot_of(__u64 ns) {
  __u32 octave = 0;
#pragma unroll
  for (__u32 bits = 32; bits > 0; bits /= 2) {
    if (ns >> octave >> bits) octave += bits;
  }
  __u32 eighth = octave < 3 ? 0 : ns >> (octave - 3) & 7;
  return (octave * 8 + eighth) & (SLOTS - 1);
}

static __always_inline int read_begins(const struct enter* call, enum memory memory) {
  __u64 thread = bpf_get_current_pid_tgid();
  if (!is_watched(thread)) return 0;
  struct read_call read = {call->arguments[0], buffer_of(call, memory)};
  bpf_map_update_elem(&reads, &thread, &read, BPF_ANY);
  return 0;
}

static __always_inline int read_ends(__s64 size) {
  __u64 thread = bpf_get_current_pid_tgid();
  if (!is_watched(thread)) return 0;
  struct read_call* call = bpf_map_lookup_elem(&reads, &thread);
  if (!call) return 0;
  struct connection connection = {thread >> 32, call->fd};
  bool request = size >= 4 && is_request(first_word(call->buffer));
  bpf_map_delete_elem(&reads, &thread);
  if (!request) return 0;
  __u64 now = bpf_ktime_get_ns();
  bpf_map_update_elem(&requests, &connection, &now, BPF_ANY);
  return 0;
}

static __always_inline int write_begins(const struct enter* call, enum memory memory) {
  __u64 thread = bpf_get_current_pid_tgid();
  if (!is_watched(thread)) return 0;
  struct connection connection = {thread >> 32, call->arguments[0]};
  __u64* read = bpf_map_lookup_elem(&requests, &connection);
  if (!read || !is_response(first_word(buffer_of(call, memory)))) return 0;
  __sync_fetch_and_add(&durations[slot_of(bpf_ktime_get_ns() - *read)], 1);
  bpf_map_delete_elem(&requests, &connection);
  return 0;
}

SEC("tracepoint/syscalls/sys_enter_read")
int enter_read(struct enter* call) {
  return read_begins(call, BUFFER);
}
SEC("tracepoint/syscalls/sys_exit_read")
int exit_read(struct leave* call) {
  return read_ends(call->result);
}
SEC("tracepoint/syscalls/sys_enter_recvfrom")
int enter_recvfrom(struct enter* call) {
  return read_begins(call, BUFFER);
}
SEC("tracepoint/syscalls/sys_exit_recvfrom")
int exit_recvfrom(struct leave* call) {
  return read_ends(call->result);
}
SEC("tracepoint/syscalls/sys_enter_readv")
int enter_readv(struct enter* call) {
  return read_begins(call, PARTS);
}
SEC("tracepoint/syscalls/sys_exit_readv")
int exit_readv(struct leave* call) {
  return read_ends(call->result);
}
SEC("tracepoint/syscalls/sys_enter_recvmsg")
int enter_recvmsg(struct enter* call) {
  return read_begins(call, MESSAGE);
}
SEC("tracepoint/syscalls/sys_exit_recvmsg")
int exit_recvmsg(struct leave* call) {
  return read_ends(call->result);
}

SEC("tracepoint/syscalls/sys_enter_write")
int enter_write(struct enter* call) {
  return write_begins(call, BUFFER);
}
SEC("tracepoint/syscalls/sys_enter_sendto")
int enter_sendto(struct enter* call) {
  return write_begins(call, BUFFER);
}
SEC("tracepoint/syscalls/sys_enter_writev")
int enter_writev(struct enter* call) {
  return write_begins(call, PARTS);
}
SEC("tracepoint/syscalls/sys_enter_sendmsg")
int enter_sendmsg(struct enter* call) {
  return write_begins(call, MESSAGE);
}

SEC("tracepoint/syscalls/sys_enter_close")
int enter_close(struct enter* call) {
  __u64 thread = bpf_get_current_pid_tgid();
  struct connection connection = {thread >> 32, call->arguments[0]};
  if (is_watched(thread)) bpf_map_delete_elem(&requests, &connection);
  return 0;
}
