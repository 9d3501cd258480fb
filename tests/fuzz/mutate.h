/* SPDX-License-Identifier: MPL-2.0
 * mutate.h - small changes to bytes, repeatable from a seed; shared by the fuzz programs.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct
{
  uint64_t state;
} FuzzRandom;

/* SplitMix64. */
static inline uint64_t
fuzz_next (FuzzRandom *r)
{
  uint64_t z = r->state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

static inline size_t
fuzz_below (FuzzRandom *r, size_t n)
{
  return n ? (size_t) (fuzz_next (r) % n) : 0;
}

/* Inserts @n_piece bytes at @at of the @n bytes in @data.  Returns: the new length, at most @room.
 */
static inline size_t
fuzz_insert (uint8_t *data, size_t n, size_t room, size_t at, const void *piece, size_t n_piece)
{
  if (n_piece > room - n)
    n_piece = room - n;
  memmove (data + at + n_piece, data + at, n - at);
  memcpy (data + at, piece, n_piece);
  return n + n_piece;
}

/* One change: flip a bit, set a byte, cut a part out, double a part, cut the end off, insert a
 * word. Returns: the new length, at most @room. */
static inline size_t
fuzz_mutate (
    FuzzRandom *r, uint8_t *data, size_t n, size_t room, const char *const *words, size_t n_words)
{
  static const uint8_t edges[] = {
    0, 1, 0x7f, 0x80, 0xff, '"', '\\', '\n', '[', '{', '(', ',', ':'
  };
  size_t at = fuzz_below (r, n), length = 1 + fuzz_below (r, n - at < 64 ? n - at : 64);
  uint8_t part[64];
  if (n == 0)
    return fuzz_insert (data, 0, room, 0, "x", 1);
  length = length > n - at ? n - at : length;
  switch (fuzz_below (r, 7))
    {
    case 0:
      data[at] ^= (uint8_t) (1 << fuzz_below (r, 8));
      return n;
    case 1:
      data[at] = edges[fuzz_below (r, sizeof edges)];
      return n;
    case 2:
      memmove (data + at, data + at + length, n - at - length);
      return n - length;
    case 3:
      memcpy (part, data + at, length);
      return fuzz_insert (data, n, room, fuzz_below (r, n), part, length);
    case 4:
      return fuzz_below (r, 4) ? n : at;
    default:
      if (n_words)
        {
          const char *word = words[fuzz_below (r, n_words)];
          return fuzz_insert (data, n, room, at, word, strlen (word));
        }
      data[at] = (uint8_t) fuzz_next (r);
      return n;
    }
}

typedef struct
{
  long runs;
  uint64_t seed;
} FuzzOptions;

/* Reads --runs N and --seed S.  Returns: 0 when the command line is understood. */
static inline int
fuzz_options (FuzzOptions *options, int argc, char **argv)
{
  *options = (FuzzOptions){ 10000, 1 };
  for (int i = 1; i < argc; i += 2)
    if (i + 1 < argc && strcmp (argv[i], "--runs") == 0)
      options->runs = strtol (argv[i + 1], NULL, 10);
    else if (i + 1 < argc && strcmp (argv[i], "--seed") == 0)
      options->seed = strtoull (argv[i + 1], NULL, 10);
    else
      {
        fprintf (stderr, "usage: %s [--runs N] [--seed S]\n", argv[0]);
        return 2;
      }
  return 0;
}
