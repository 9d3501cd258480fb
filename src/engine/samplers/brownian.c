/* SPDX-License-Identifier: MPL-2.0
 * brownian.c - see brownian.h.
 *
 * The construction is torchsde's BrownianInterval with halfway_tree (Kidger et al. 2021, "Efficient
 * and Accurate Gradients for Neural SDEs"): W over the whole interval is normal; a node that is
 * halved draws its left half's W from the Brownian bridge, the right half gets the rest.  Times are
 * multiples of 1e-6, and halving goes on until the wanted time is a boundary.
 */
#include "samplers/brownian.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/mem.h"

enum
{
  POOL_WORDS = 24, /* of SeedSequence, as BrownianTree asks for */
  KEY_WORDS = 3,   /* of a spawn key: two for the place in its level, one for the level */
  MAX_LEVELS = 52,
  CHUNK = 512, /* values of one sweep over the levels, to stay in the first cache */
};

static const double TICKS = 1e6; /* a unit of sigma, in steps of torchsde's tolerance */

typedef enum
{
  TURN_LEFT,
  TURN_RIGHT,
  TURN_STOP /* the middle is where we go */
} Turn;

/* A node that is halved, and where the way goes from there. */
typedef struct
{
  double start, middle, end;
  uint64_t place; /* 0 .. 2^level - 1 from the left */
  Turn turn;
} Branch;

/* The way from the root to a time inside of it; none to the root's own ends. */
typedef struct
{
  Branch branches[MAX_LEVELS];
  int n;
} Way;

struct Brownian
{
  RngKind kind;
  uint64_t seed;
  double start, end; /* multiples of a tick */
  int n_pictures;
  int64_t n_values; /* of a picture */
  int64_t n_all;    /* of the batch */
  int n_levels;     /* that left has room for */
  Way way;          /* whose W left holds */
  float *total;     /* (n_all) W over the whole path */
  float *left;      /* (n_levels, n_all) W over the left half of each node on the way */
};

/* ---- seeds: numpy.random.SeedSequence (O'Neill's seed_seq, "C++ seeding surprises") ---- */

static uint32_t
hash_word (uint32_t value, uint32_t *constant)
{
  value ^= *constant;
  *constant *= 0x931e8875u;
  value *= *constant;
  return value ^ value >> 16;
}

static uint32_t
mix_words (uint32_t x, uint32_t y)
{
  uint32_t result = 0xca01f9ddu * x - 0x4973f715u * y;
  return result ^ result >> 16;
}

/* First word of SeedSequence (seed, spawn_key=(place, level), pool_size=24).generate_state ();
 * @level < 0: without a spawn key.  Numbers go in as words of 32 bits, lowest first and without
 * leading zeros; with a key the seed is filled up with zeros to the size of the pool, without one
 * the pool itself is, which is the same. */
static uint32_t
node_seed (uint64_t seed, uint64_t place, int level)
{
  uint32_t pool[POOL_WORDS] = { (uint32_t) seed, (uint32_t) (seed >> 32) };
  uint32_t key[KEY_WORDS];
  int n_key = 0;
  if (level >= 0)
    {
      key[n_key++] = (uint32_t) place;
      if (place >> 32 != 0)
        key[n_key++] = (uint32_t) (place >> 32);
      key[n_key++] = (uint32_t) level;
    }
  uint32_t constant = 0x43b0d7e5u;
  for (int i = 0; i < POOL_WORDS; i++)
    pool[i] = hash_word (pool[i], &constant);
  for (int from = 0; from < POOL_WORDS; from++)
    for (int to = 0; to < POOL_WORDS; to++)
      if (from != to)
        pool[to] = mix_words (pool[to], hash_word (pool[from], &constant));
  for (int i = 0; i < n_key; i++)
    for (int to = 0; to < POOL_WORDS; to++)
      pool[to] = mix_words (pool[to], hash_word (key[i], &constant));
  uint32_t word = (pool[0] ^ 0x8b51f9ddu) * (0x8b51f9ddu * 0x58f38dedu);
  return word ^ word >> 16;
}

/* ---- times ---- */

/* Python's round (x, 6): to the nearest multiple, decided exactly, halves to even. */
static double
round_to_tick (double x)
{
  double ticks = x * TICKS, error = fma (x, TICKS, -ticks);
  double whole = floor (ticks), rest = ticks - whole - 0.5;
  bool odd = fmod (whole, 2) != 0;
  bool up = rest + error > 0 || (rest + error == 0 && odd);
  return (whole + up) / TICKS;
}

static Branch
branch_at (double start, double end, uint64_t place, double time)
{
  double middle = round_to_tick (0.5 * (end + start));
  Turn turn = time < middle ? TURN_LEFT : time > middle ? TURN_RIGHT : TURN_STOP;
  return (Branch){ start, middle, end, place, turn };
}

/* @time: a multiple of a tick within the path */
static void
find_way (const Brownian *b, double time, Way *way)
{
  double start = b->start, end = b->end;
  uint64_t place = 0;
  way->n = 0;
  while (time > start && time < end)
    {
      assert (way->n < b->n_levels);
      Branch branch = branch_at (start, end, place, time);
      way->branches[way->n++] = branch;
      if (branch.turn == TURN_STOP)
        break;
      bool right = branch.turn == TURN_RIGHT;
      *(right ? &start : &end) = branch.middle;
      place = 2 * place + right;
    }
}

/* Leading nodes that two ways have in common; on the last of them they part, or one stops. */
static int
count_common (const Way *a, const Way *b)
{
  int most = a->n < b->n ? a->n : b->n, n = 0;
  while (n < most && (n == 0 || a->branches[n - 1].turn == b->branches[n - 1].turn))
    n++;
  return n;
}

/* A node is halved only while it is two ticks or more, and halving leaves at most half a tick more
 * than half: so a node on level d is at most span / 2^d + 1 ticks, and on level log2 (span) + 1
 * below two. */
static int
levels_needed (double start, double end)
{
  double span = (end - start) * TICKS;
  int levels = 1;
  for (; span >= 1; span /= 2)
    levels++;
  return levels;
}

/* ---- values ---- */

/* Standard normals of a node, for every picture its own. */
static void
draw_node (const Brownian *b, uint64_t place, int level, float *out)
{
  Rng rng;
  for (int i = 0; i < b->n_pictures; i++)
    {
      rng_init (&rng, b->kind, node_seed (b->seed + (uint64_t) i, place, level));
      rng_normal (&rng, out + i * b->n_values, b->n_values);
    }
}

static int64_t
chunk_at (const Brownian *b, int64_t at)
{
  return b->n_all - at < CHUNK ? b->n_all - at : CHUNK;
}

/* Normals in @left become the left half's W, given the node's: each product rounded to f32, as
 * torch computes it. */
static void
bridge (const Branch *branch, const float *w, float *left, int64_t n)
{
  double whole = 1 / (branch->end - branch->start);
  double to_left = branch->middle - branch->start, to_right = branch->end - branch->middle;
  const float share = (float) to_left, per_whole = (float) whole;
  const float deviation = (float) sqrt (to_left * to_right * whole);
  for (int64_t i = 0; i < n; i++)
    {
      float mean = share * w[i];
      mean *= per_whole;
      left[i] = mean + deviation * left[i];
    }
}

/* From a node's W to that of the half the way goes to. */
static void
descend (const Branch *branch, float *w, const float *left, int64_t n)
{
  if (branch->turn == TURN_RIGHT)
    for (int64_t i = 0; i < n; i++)
      w[i] -= left[i];
  else
    memcpy (w, left, (size_t) n * sizeof *w);
}

/* Makes @way the one that left belongs to. */
static void
take_way (Brownian *b, const Way *way)
{
  int kept = count_common (&b->way, way);
  for (int d = kept; d < way->n; d++)
    draw_node (b, way->branches[d].place, d, b->left + d * b->n_all);
  for (int64_t at = 0; at < b->n_all && kept < way->n; at += CHUNK)
    {
      float w[CHUNK];
      int64_t n = chunk_at (b, at);
      memcpy (w, b->total + at, (size_t) n * sizeof *w);
      for (int d = 0; d < way->n; d++)
        {
          float *left = b->left + d * b->n_all + at;
          if (d >= kept)
            bridge (&way->branches[d], w, left, n);
          descend (&way->branches[d], w, left, n);
        }
    }
  b->way = *way;
}

/* Adds W from the end of node @from's parent half up to the way's time: its left siblings. */
static void
add_before (const Brownian *b, int from, float *out)
{
  for (int d = from; d < b->way.n; d++)
    if (b->way.branches[d].turn != TURN_LEFT)
      for (int64_t i = 0; i < b->n_all; i++)
        out[i] += b->left[d * b->n_all + i];
}

/* Adds W from the way's time up to the end of node @from: its right siblings. */
static void
add_after (const Brownian *b, int from, float *out)
{
  for (int64_t at = 0; at < b->n_all && from < b->way.n; at += CHUNK)
    {
      float w[CHUNK];
      int64_t n = chunk_at (b, at);
      memcpy (w, b->total + at, (size_t) n * sizeof *w);
      for (int d = 0; d < b->way.n; d++)
        {
          const float *left = b->left + d * b->n_all + at;
          if (d >= from && b->way.branches[d].turn != TURN_RIGHT)
            for (int64_t i = 0; i < n; i++)
              out[at + i] += w[i] - left[i];
          descend (&b->way.branches[d], w, left, n);
        }
    }
}

/* @out: (n_all) W over [low, high], low < high: on the node where the ways part, what lies right
 * of its middle belongs to the way to @high and the rest to that to @low. */
static void
increment (Brownian *b, double low, double high, float *out)
{
  Way to_low, to_high;
  find_way (b, low, &to_low);
  find_way (b, high, &to_high);
  int from = count_common (&to_low, &to_high);
  memset (out, 0, (size_t) b->n_all * sizeof *out);
  if (low <= b->start && high >= b->end)
    memcpy (out, b->total, (size_t) b->n_all * sizeof *out);
  if (high < b->end)
    {
      take_way (b, &to_high);
      add_before (b, from, out);
    }
  if (low > b->start)
    {
      take_way (b, &to_low);
      add_after (b, from, out);
    }
}

static bool
check_new (double start, double end, int n_pictures, int64_t n_values, Status *status)
{
  if (!(start >= 0 && start <= end && isfinite (end) && levels_needed (start, end) <= MAX_LEVELS))
    return status_fail (status, STATUS_ARGUMENT,
                        "Noise was asked for between the levels %g and %g; choose another "
                        "schedule.",
                        start, end);
  if (n_pictures < 1 || n_values < 1)
    return status_fail (status, STATUS_ARGUMENT, "The latent has no values.");
  return true;
}

Brownian *
brownian_new (RngKind kind,
              uint64_t seed,
              double start,
              double end,
              int n_pictures,
              int64_t n_values,
              Status *status)
{
  if (!check_new (start, end, n_pictures, n_values, status))
    return NULL;
  int64_t n_all;
  bool fits = !__builtin_mul_overflow ((int64_t) n_pictures, n_values, &n_all);
  Brownian *b = fits ? mem_calloc (1, sizeof *b) : NULL;
  if (b != NULL)
    {
      *b = (Brownian){ .kind = kind,
                       .seed = seed,
                       .start = round_to_tick (start),
                       .end = round_to_tick (end),
                       .n_pictures = n_pictures,
                       .n_values = n_values,
                       .n_all = n_all,
                       .n_levels = levels_needed (start, end) };
      b->total = mem_calloc ((size_t) b->n_all, sizeof *b->total);
      b->left = mem_calloc ((size_t) b->n_all, (size_t) b->n_levels * sizeof *b->left);
    }
  if (b == NULL || b->total == NULL || b->left == NULL)
    {
      brownian_free (b);
      status_fail (status, STATUS_NO_MEMORY,
                   "There is no memory for the sampler's noise; choose a smaller picture or "
                   "batch.");
      return NULL;
    }
  draw_node (b, 0, -1, b->total);
  const float deviation = (float) sqrt (end - start);
  for (int64_t i = 0; i < b->n_all; i++)
    b->total[i] *= deviation;
  return b;
}

void
brownian_free (Brownian *brownian)
{
  if (brownian == NULL)
    return;
  mem_free (brownian->total);
  mem_free (brownian->left);
  mem_free (brownian);
}

void
brownian_normal (void *brownian, double sigma, double sigma_next, float *out, int64_t n)
{
  Brownian *b = brownian;
  assert (n == b->n_all && sigma >= sigma_next);
  double high = round_to_tick (fmax (b->start, fmin (b->end, sigma)));
  double low = round_to_tick (fmax (b->start, fmin (b->end, sigma_next)));
  const float scale = -sqrtf ((float) sigma - (float) sigma_next);
  if (low < high)
    increment (b, low, high, out);
  for (int64_t i = 0; i < n; i++)
    out[i] = low < high ? out[i] / scale : 0;
}
