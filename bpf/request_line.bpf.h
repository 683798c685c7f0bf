/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MANOMETER_BPF_REQUEST_LINE_BPF_H
#define MANOMETER_BPF_REQUEST_LINE_BPF_H
/*
 * What the first REQUEST_LINE bytes of an HTTP/1 line say (RFC 9112). They come as four little-endian words. The
 * functions are global, so that the verifier looks at each once and not at each call.
 */

#include <stdbool.h>

#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "request.h"

#define EACH_BYTE 0x0101010101010101ULL
#define LOWER_CASE 0x2020202020202020ULL
#define NO_NUMBER (~0ULL)
#define MAX_DIGITS 15 /* of a content-length: more do not fit a line's window, and are a petabyte */

enum line_kind {
  LINE_OTHER,
  LINE_CONTENT_LENGTH,
  LINE_CHUNKED,
};

static __always_inline __u64 text_word(const char* text, __u32 length) {
  __u64 word = 0;
  for (__u32 i = 0; i < length; ++i) word |= (__u64)(__u8)text[i] << (8 * i);
  return word;
}
#define TEXT(text) text_word(text, sizeof(text) - 1)
#define TEXT_MASK(text) (~0ULL >> (8 * (8 - (sizeof(text) - 1))))
#define BEGINS(word, text) (((word)&TEXT_MASK(text)) == TEXT(text))

static __always_inline __u8 byte_of(__u64 w0, __u64 w1, __u64 w2, __u64 w3, __u32 i) {
  __u64 word = i < 8 ? w0 : i < 16 ? w1 : i < 24 ? w2 : w3;
  return word >> (8 * (i % 8));
}

/* Index of the first newline, REQUEST_LINE if there is none. */
__noinline __u32 first_newline(__u64 w0, __u64 w1, __u64 w2, __u64 w3) {
  __u64 words[] = {w0, w1, w2, w3};
#pragma unroll
  for (__u32 i = 0; i < 4; ++i) {
    __u64 x = words[i] ^ (EACH_BYTE * '\n');
    __u64 zero = (x - EACH_BYTE) & ~x & (EACH_BYTE << 7); /* its lowest bit is that of the first zero byte */
    if (zero) return 8 * i + ((((zero & -zero) >> 7) * 0x0001020304050607ULL) >> 56);
  }
  return REQUEST_LINE;
}

static __always_inline bool is_letter(__u8 c) {
  return (__u8)((c | 0x20) - 'a') < 26;
}

/* A method we do not know: letters and dashes, then what a request's target begins with: '/', '*' or "http". The 'h'
   alone would take "EHLO host" for a request. */
static __always_inline bool is_other_method(__u64 w0, __u64 w1, __u64 w2) {
  bool ended = false;
  for (__u32 i = 0; i < 20; ++i) {
    __u8 c = byte_of(w0, w1, w2, 0, i);
    if (ended) return c == '/' || c == '*' || (c == 'h' && byte_of(w0, w1, w2, 0, i + 1) == 't');
    ended = c == ' ' && i > 0;
    if (!ended && !is_letter(c) && c != '-') return false;
  }
  return false;
}

/* enum request_method, -1 if it is not the first line of a request. */
__noinline int method_of(__u64 w0, __u64 w1, __u64 w2) {
  if (BEGINS(w0, "GET ")) return REQUEST_GET;
  if (BEGINS(w0, "POST ")) return REQUEST_POST;
  if (BEGINS(w0, "HEAD ")) return REQUEST_HEAD;
  if (BEGINS(w0, "PUT ")) return REQUEST_PUT;
  if (BEGINS(w0, "DELETE ")) return REQUEST_DELETE;
  if (BEGINS(w0, "PATCH ")) return REQUEST_PATCH;
  if (BEGINS(w0, "OPTIONS ")) return REQUEST_OPTIONS;
  if (BEGINS(w0, "CONNECT ")) return REQUEST_CONNECT;
  if (BEGINS(w0, "TRACE ")) return REQUEST_TRACE;
  if (BEGINS(w0, "PRI * HT")) return -1; /* HTTP/2 */
  return is_other_method(w0, w1, w2) ? REQUEST_OTHER : -1;
}

/* Status code, 100 to 999, of "HTTP/1.1 200 OK"; 0 if it is not that. */
static __always_inline __u32 status_of(__u64 w0, __u64 w1) {
  __u32 hundreds = (__u8)(w1 >> 8) - '0';
  __u32 tens = (__u8)(w1 >> 16) - '0';
  __u32 ones = (__u8)(w1 >> 24) - '0';
  __u32 minor = (__u8)(w0 >> 56) - '0';
  if (!BEGINS(w0, "HTTP/1.") || minor > 9 || (__u8)w1 != ' ') return 0;
  if (hundreds - 1 > 8 || tens > 9 || ones > 9) return 0;
  return hundreds * 100 + tens * 10 + ones;
}

/* enum line_kind. A transfer coding other than identity is taken to be, or to end in, chunked: all others are dead. */
__noinline int header_line_of(__u64 w0, __u64 w1, __u64 w2) {
  w0 |= LOWER_CASE;
  w1 |= LOWER_CASE;
  w2 |= LOWER_CASE;
  if (w0 == TEXT("content-") && BEGINS(w1, "length:")) return LINE_CONTENT_LENGTH;
  if (w0 != TEXT("transfer") || w1 != TEXT("-encodin") || !BEGINS(w2, "g:")) return LINE_OTHER;
  return BEGINS(w2 >> 16, " ident") || BEGINS(w2 >> 16, "identi") ? LINE_OTHER : LINE_CHUNKED;
}

/* The number after "Content-Length:", NO_NUMBER if it is malformed or too long. */
__noinline __u64 content_length_of(__u64 w1, __u64 w2, __u64 w3) {
  __u64 length = 0;
  __u32 digits = 0;
  bool ended = false;
  for (__u32 i = 15; i < REQUEST_LINE; ++i) {
    __u8 c = byte_of(0, w1, w2, w3, i);
    __u8 digit = c - '0';
    if (digit <= 9) {
      length = length * 10 + digit;
      if (ended || ++digits > MAX_DIGITS) return NO_NUMBER;
    } else if (c == ' ' || c == '\t') {
      ended = digits > 0;
    } else {
      return digits > 0 && (c == '\r' || c == '\n') ? length : NO_NUMBER;
    }
  }
  return NO_NUMBER;
}

/* The number that a chunk's line begins with, NO_NUMBER if there is none. */
__noinline __u64 chunk_size_of(__u64 w0, __u64 w1) {
  __u64 size = 0;
  for (__u32 i = 0; i < MAX_DIGITS; ++i) {
    __u8 c = byte_of(w0, w1, 0, 0, i);
    __u8 digit = c - '0';
    __u8 letter = (c | 0x20) - 'a';
    if (digit > 9 && letter > 5) return i > 0 && (c == '\r' || c == '\n' || c == ';' || c == ' ') ? size : NO_NUMBER;
    size = size << 4 | (digit <= 9 ? digit : letter + 10);
  }
  return NO_NUMBER;
}

#endif
