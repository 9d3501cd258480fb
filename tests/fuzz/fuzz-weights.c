/* SPDX-License-Identifier: MPL-2.0
 * fuzz-weights.c - damaged model files: every one is accepted or refused with a sentence.
 *
 * fuzz-weights [--runs N] [--seed S] FILE-OR-FOLDER...
 *
 * Mutates the seeds (bit flips, other bytes, truncation, splices, edited lengths and digits) and
 * gives them to the parsers in memory, N runs for each container.  Build with ASan and UBSan.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/blocks.h"
#include "weights/gguf.h"
#include "weights/parts.h"
#include "weights/pickle.h"
#include "weights/quantised.h"
#include "weights/recognise.h"
#include "weights/refuse.h"
#include "weights/safetensors.h"
#include "weights/token-pieces.h"

enum
{
  MAX_SEEDS = 256,
  MAX_SEED_BYTES = 256 << 10, /* larger ones only slow the runs down */
  HOT_BYTES = 12 << 10,       /* headers and directories lie within this of either end */
  MAX_MUTATIONS = 6
};

typedef enum
{
  SAFETENSORS,
  PICKLE,
  GGUF,
  N_CONTAINERS
} Container;

typedef struct
{
  char name[256];
  uint8_t *data;
  size_t size;
  Container container;
} Seed;

static Seed seeds[MAX_SEEDS];
static size_t n_seeds;
static uint64_t random_state;

static uint64_t
next_random (void)
{
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

static size_t
below (size_t n)
{
  return n ? (size_t) (next_random () % n) : 0;
}

/* ---- seeds ---- */

static void
add_seed (const char *path)
{
  FILE *file = fopen (path, "rb");
  if (!file || n_seeds == MAX_SEEDS)
    {
      if (file)
        fclose (file);
      return;
    }
  Seed *s = &seeds[n_seeds];
  s->data = malloc (MAX_SEED_BYTES + 1);
  s->size = fread (s->data, 1, MAX_SEED_BYTES + 1, file);
  fclose (file);
  bool is_pickle = pickle_sniff (s->data, s->size) != PICKLE_NOT;
  bool is_gguf = gguf_sniff (s->data, s->size);
  s->container = is_pickle ? PICKLE : is_gguf ? GGUF : SAFETENSORS;
  if (s->size > MAX_SEED_BYTES || (!is_pickle && !is_gguf && !safetensors_sniff (s->data, s->size)))
    {
      free (s->data);
      return;
    }
  snprintf (s->name, sizeof s->name, "%s", path);
  n_seeds++;
}

static void
add_seeds (const char *path)
{
  DIR *dir = opendir (path);
  if (!dir)
    {
      add_seed (path);
      return;
    }
  struct dirent **entries;
  int n = scandir (path, &entries, NULL, alphasort);
  for (int i = 0; i < n; i++)
    {
      char inner[1024];
      snprintf (inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
      if (entries[i]->d_name[0] != '.')
        add_seeds (inner);
      free (entries[i]);
    }
  if (n >= 0)
    free (entries);
  closedir (dir);
}

/* ---- mutations ---- */

/* Mostly where lengths and names are, sometimes anywhere. */
static size_t
pick_place (size_t size)
{
  size_t hot = size < HOT_BYTES ? size : HOT_BYTES;
  switch (below (8))
    {
    case 0:
      return below (size);
    case 1:
    case 2:
      return size - 1 - below (hot);
    case 3:
      return below (size < 24 ? size : 24);
    default:
      return below (hot);
    }
}

static uint64_t
pick_length (size_t size)
{
  static const uint64_t interesting[] = { 0,
                                          1,
                                          2,
                                          7,
                                          8,
                                          0x7f,
                                          0x80,
                                          0xff,
                                          0x7fff,
                                          0xffff,
                                          0x7fffffff,
                                          0x80000000u,
                                          0xffffffffu,
                                          0x7fffffffffffffff,
                                          0x8000000000000000u,
                                          UINT64_MAX };
  size_t n = sizeof interesting / sizeof *interesting;
  size_t i = below (n + 2);
  return i < n ? interesting[i] : size + below (32) - 16;
}

static void
edit_length (uint8_t *data, size_t size)
{
  size_t at = pick_place (size), n = (size_t) 1 << below (4);
  uint64_t v = pick_length (size);
  for (size_t i = 0; i < n && at + i < size; i++)
    data[at + i] = (uint8_t) (v >> 8 * i);
}

static void
edit_digit (uint8_t *data, size_t size)
{
  size_t at = pick_place (size);
  while (at < size && (data[at] < '0' || data[at] > '9'))
    at++;
  if (at < size)
    data[at] = (uint8_t) ("0123456789-.e\"[]{},"[below (19)]);
}

static void
splice (uint8_t *data, size_t size)
{
  const Seed *other = &seeds[below (n_seeds)];
  size_t from = pick_place (other->size), to = pick_place (size), n = 1 + below (64);
  for (size_t i = 0; i < n && from + i < other->size && to + i < size; i++)
    data[to + i] = other->data[from + i];
}

/* Moves a piece of the file onto another place in it. */
static void
repeat_piece (uint8_t *data, size_t size)
{
  size_t from = pick_place (size), to = pick_place (size), n = 1 + below (128);
  n = from + n > size ? size - from : n;
  n = to + n > size ? size - to : n;
  memmove (data + to, data + from, n);
}

static size_t
mutate (uint8_t *data, size_t size)
{
  size_t n = 1 + below (MAX_MUTATIONS);
  for (size_t i = 0; i < n && size; i++)
    switch (below (7))
      {
      case 0:
        data[pick_place (size)] ^= (uint8_t) (1 << below (8));
        break;
      case 1:
        data[pick_place (size)] = (uint8_t) next_random ();
        break;
      case 2:
        edit_length (data, size);
        break;
      case 3:
        edit_digit (data, size);
        break;
      case 4:
        splice (data, size);
        break;
      case 5:
        repeat_piece (data, size);
        break;
      default:
        if (below (4) == 0)
          size = pick_place (size);
        break;
      }
  return size;
}

/* ---- one run ---- */

static bool
parse (TensorTable *table,
       const uint8_t *data,
       size_t size,
       Container container,
       bool header_only,
       Status *status)
{
  const TokenPieces *pieces;
  switch (container)
    {
    case PICKLE:
      return pickle_parse (table, data, size, header_only, "fuzzed", status);
    case GGUF:
      return gguf_parse (table, data, size, "fuzzed", status) &&
             token_pieces_read (&pieces, table, "fuzzed", status);
    case SAFETENSORS:
    case N_CONTAINERS:
      break;
    }
  return safetensors_parse (table, data, size, "fuzzed", status);
}

/* Decodes the first and the last elements: every byte that a tensor claims must be readable. */
static float
touch (const FileTensor *t)
{
  enum
  {
    MOST = 300
  };
  float values[MOST];
  uint64_t n;
  if (!t->data || !dtype_is_weight (t->dtype) || !shape_elements (t->ne, t->rank, &n) || !n)
    return 0;
  bool is_code = t->dtype == DTYPE_NF4 || t->dtype == DTYPE_FP4;
  if (is_code && !t->quant)
    return 0;
  Param p = { .data = t->data, .dtype = t->dtype, .quant = t->quant };
  int64_t count = n < MOST ? (int64_t) n : MOST;
  param_to_f32 (values, &p, 0, count);
  float sum = values[0];
  param_to_f32 (values, &p, (int64_t) n - count, count);
  return sum + values[count - 1];
}

/* Every stage that a file goes through once it is mapped. */
static bool
open_bytes (const uint8_t *data, size_t size, Container container, bool header_only, Status *status)
{
  WeightSet *set = weights_new (status);
  TensorTable table;
  table_init (&table, &set->pool);
  UnknownList unknown = { 0 };
  PartList list;
  ModelConfig config;
  bool ok = parse (&table, data, size, container, header_only, status) &&
            quantised_resolve (&table, "fuzzed", status);
  volatile float sum = 0;
  for (size_t i = 0; ok && i < table.n_items; i++)
    sum = sum + touch (&table.items[i]);
  ok = ok && refuse_known (&table, "fuzzed", status);
  if (ok)
    parts_find (&list, &table, PART_COUNT);
  ok = ok && (list.n_parts || refuse_rest (&table, "fuzzed", status)) &&
       parts_load (set, &list, &table, header_only, &unknown, "fuzzed", status) &&
       recognise_config (&config, set, "fuzzed", status);
  for (int i = 0; ok && i < weights_count (set); i++)
    {
      const Weight *w = weights_at (set, i);
      int64_t n = 1;
      float last;
      Param p = weight_param (w);
      for (int d = 0; d < w->rank; d++)
        n *= w->ne[d];
      if (w->data && n)
        param_to_f32 (&last, &p, n - 1, 1);
      sum = sum + (w->data && n ? last : 0);
    }
  table_clear (&table);
  weights_free (set);
  return ok;
}

/* Returns: 1 accepted, 0 refused, -1 refused without a sentence */
static int
run_one (const Seed *seed)
{
  uint8_t *copy = malloc (seed->size ? seed->size : 1);
  memcpy (copy, seed->data, seed->size);
  size_t size = mutate (copy, seed->size);
  uint8_t *exact = malloc (size ? size : 1); /* so that ASan sees a read behind the end */
  memcpy (exact, copy, size);
  free (copy);
  Status status = { 0 };
  bool ok = open_bytes (exact, size, seed->container, below (4) == 0, &status);
  free (exact);
  if (ok == status_ok (&status) && (ok || status.message[0]))
    return ok;
  printf ("%s: %s but status %s, message \"%s\"\n", seed->name, ok ? "accepted" : "refused",
          status_code_name (status.code), status.message);
  return -1;
}

static const Seed *
pick_seed (Container container)
{
  for (;;)
    {
      const Seed *s = &seeds[below (n_seeds)];
      if (s->container == container)
        return s;
    }
}

static bool
run_container (Container container, const char *name, long n_runs)
{
  long count[2] = { 0 };
  size_t n = 0;
  for (size_t i = 0; i < n_seeds; i++)
    n += seeds[i].container == container;
  if (!n)
    {
      printf ("%s: no seeds\n", name);
      return false;
    }
  for (long i = 0; i < n_runs; i++)
    {
      uint64_t before = random_state;
      int result = run_one (pick_seed (container));
      if (result < 0)
        {
          printf ("%s: run %ld fails, state %" PRIu64 "\n", name, i, before);
          return false;
        }
      count[result]++;
    }
  printf ("%s: %ld runs, %ld accepted, %ld refused\n", name, n_runs, count[1], count[0]);
  return true;
}

int
main (int argc, char **argv)
{
  long n_runs = 10000;
  random_state = 1;
  for (int i = 1; i < argc; i++)
    if (strcmp (argv[i], "--runs") == 0 && i + 1 < argc)
      n_runs = strtol (argv[++i], NULL, 10);
    else if (strcmp (argv[i], "--seed") == 0 && i + 1 < argc)
      random_state = strtoull (argv[++i], NULL, 10);
    else
      add_seeds (argv[i]);
  random_state = random_state * 0x9e3779b97f4a7c15u + 1;
  bool ok = run_container (SAFETENSORS, "safetensors", n_runs) &
            run_container (PICKLE, "pickle", n_runs) & run_container (GGUF, "GGUF", n_runs);
  for (size_t i = 0; i < n_seeds; i++)
    free (seeds[i].data);
  return ok ? 0 : 1;
}
