/* SPDX-License-Identifier: MPL-2.0
 * unigram-path.c - the pieces of a text whose scores have the greatest sum.
 *
 * Source: Viterbi's algorithm over pieces as SentencePiece runs it, ties included: of two paths of
 * one sum the one found first stays, and found first is the one whose last piece began first.
 */
#include <string.h>

#include "core/mem.h"
#include "core/utf8.h"
#include "text/unigram-private.h"

static const double UNKNOWN_PENALTY = 10;
static const double USER_DEFINED_PENALTY = 0.1; /* their score is made up: length * most - this */

/* Pieces that begin alike. */
typedef struct
{
  int lo, hi;
} Range;

/* Byte @depth of a piece; -1 behind its end. */
static int
byte_of (const Unigram *u, int at, size_t depth)
{
  size_t n;
  const char *name = unigram_name (u, u->sorted[at], &n);
  return depth < n ? (uint8_t) name[depth] : -1;
}

static int
lower_bound (const Unigram *u, Range r, size_t depth, int byte)
{
  while (r.lo < r.hi)
    {
      int middle = r.lo + (r.hi - r.lo) / 2;
      if (byte_of (u, middle, depth) < byte)
        r.lo = middle + 1;
      else
        r.hi = middle;
    }
  return r.lo;
}

/* Of @r, which agree in @depth bytes, those that have @byte next. */
static Range
narrow (const Unigram *u, Range r, size_t depth, uint8_t byte)
{
  if (depth == 0)
    return (Range){ u->first[byte], u->first[byte + 1] };
  int lo = lower_bound (u, r, depth, byte);
  return (Range){ lo, lower_bound (u, (Range){ lo, r.hi }, depth, byte + 1) };
}

/* The piece that has just these @depth bytes: shorter ones sort first. */
static int32_t
exact_piece (const Unigram *u, Range r, size_t depth)
{
  return r.lo < r.hi && byte_of (u, r.lo, depth) < 0 ? u->sorted[r.lo] : UNIGRAM_NO_ID;
}

size_t
unigram_longest_user_defined (const Unigram *u, const char *p, const char *end)
{
  size_t longest = 0;
  Range r = { 0, u->n_sorted };
  for (size_t d = 0; p + d < end; d++)
    {
      r = narrow (u, r, d, (uint8_t) p[d]);
      if (r.lo >= r.hi)
        break;
      int32_t id = exact_piece (u, r, d + 1);
      if (id >= 0 && u->kinds[id] == PIECE_USER_DEFINED)
        longest = d + 1;
    }
  return longest;
}

/* Sums are as wide as those of the program whose file this is. */
static void
reach (const Unigram *u, PathNode *node, size_t start, int32_t id, double score)
{
  if (!u->rules.is_fast)
    score = (double) (float) score;
  if (node->reached && !(score > node->score))
    return;
  node->reached = true;
  node->score = score;
  node->start = start;
  node->id = id;
}

static double
score_of (const Unigram *u, int32_t id, size_t length)
{
  return u->kinds[id] == PIECE_USER_DEFINED
             ? (double) (float) ((double) length * u->most) - USER_DEFINED_PENALTY
             : u->scores[id];
}

static size_t
char_bytes (const char *p, const char *end)
{
  uint32_t code;
  int n = utf8_next (p, (size_t) (end - p), &code);
  return n > 0 ? (size_t) n : 1;
}

/* Every piece that begins at @start, and the unknown one where no piece is a single character. */
static void
extend (const Unigram *u, PathNode *nodes, const char *text, const char *end, size_t start)
{
  const char *p = text + start;
  size_t n_char = char_bytes (p, end);
  bool has_single = false;
  Range r = { 0, u->n_sorted };
  for (size_t d = 0; p + d < end; d++)
    {
      r = narrow (u, r, d, (uint8_t) p[d]);
      if (r.lo >= r.hi)
        break;
      int32_t id = exact_piece (u, r, d + 1);
      if (id < 0 || u->kinds[id] == PIECE_UNUSED)
        continue;
      reach (u, &nodes[start + d + 1], start, id, score_of (u, id, d + 1) + nodes[start].score);
      has_single |= d + 1 == n_char;
    }
  if (has_single)
    return;
  double unknown = u->least - UNKNOWN_PENALTY, sum = unknown + nodes[start].score;
  if (!u->rules.is_fast)
    sum = (double) ((float) unknown + (float) nodes[start].score);
  reach (u, &nodes[start + n_char], start, u->unk, sum);
}

static bool
add_id (TokenIds *ids, int32_t id, Status *status)
{
  if (!mem_grow (&ids->items, &ids->capacity, ids->n + 1, sizeof *ids->items, status))
    return false;
  ids->items[ids->n++] = id;
  return true;
}

static bool
add_bytes (const Unigram *u, const char *p, size_t n, TokenIds *ids, Status *status)
{
  for (size_t i = 0; i < n; i++)
    if (!add_id (ids, u->byte_ids[(uint8_t) p[i]], status))
      return false;
  return true;
}

/* Nodes hold how they are reached best; from here on, those of the best path hold what follows. */
static void
turn_round (PathNode *nodes, size_t n)
{
  PathNode node = nodes[n];
  size_t end = n;
  for (;;)
    {
      PathNode before = nodes[node.start];
      nodes[node.start].start = end;
      nodes[node.start].id = node.id;
      if (node.start == 0)
        return;
      end = node.start;
      node = before;
    }
}

bool
unigram_path (const Unigram *u,
              const char *p,
              const char *end,
              PathSpace *space,
              TokenIds *ids,
              Status *status)
{
  size_t n = (size_t) (end - p);
  if (n == 0)
    return true;
  if (!mem_grow (&space->nodes, &space->capacity, n + 1, sizeof *space->nodes, status))
    return false;
  PathNode *nodes = space->nodes;
  memset (nodes, 0, (n + 1) * sizeof *nodes);
  for (size_t at = 0; at < n; at += char_bytes (p + at, end))
    extend (u, nodes, p, end, at);
  turn_round (nodes, n);
  bool after_unknown = false;
  for (size_t at = 0; at < n; at = nodes[at].start)
    {
      bool unknown = nodes[at].id == u->unk, ok = true;
      if (unknown && u->rules.byte_fallback)
        ok = add_bytes (u, p + at, nodes[at].start - at, ids, status);
      else if (!unknown || !after_unknown) /* a run of unknown characters is one */
        ok = add_id (ids, nodes[at].id, status);
      if (!ok)
        return false;
      after_unknown = unknown;
    }
  return true;
}
