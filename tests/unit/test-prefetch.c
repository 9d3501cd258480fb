/* SPDX-License-Identifier: MPL-2.0
 * test-prefetch.c - weights read ahead: all of them, no more than allowed, none that are not there.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/blocks.h"
#include "support/sparse.h"
#include "weights/checkpoint.h"
#include "weights/prefetch.h"

enum
{
  SIDE = 2048,
  N_BLOCKS = 3,
  LAYER_BYTES = SIDE * SIDE * 2,
  PIECE_BYTES = 4 << 20
};

static const int blocks[N_BLOCKS] = { 10, 0, 2 }; /* as they lie in the file */

static char *
own_name (const char *canonical)
{
  return g_strdup (canonical + strlen ("transformer."));
}

typedef struct
{
  char *path;
  Checkpoint *checkpoint;
} Model;

/* Not a network, but named like one: two layers that decide on what it is, and one a block. */
static void
model_open (Model *m)
{
  Status status = { 0 };
  int64_t ne[] = { SIDE, SIDE };
  WeightSet *set = weights_new_declared (&status);
  for (int i = 0; i < N_BLOCKS; i++)
    weights_bind (set, 2, ne, "transformer.blocks.%d.attn1.to_q.weight", blocks[i]);
  weights_bind (set, 2, ne, "transformer.patch_embedding.weight");
  weights_bind (set, 2, ne, "transformer.proj_out.weight");
  weights_bind (set, 2, ne, "transformer.blocks.0.ffn.net.0.proj.weight");
  weights_bind (set, 2, ne, "transformer.condition_embedder.text_embedder.linear_1.weight");
  weights_bind (set, 2, ne, "transformer.condition_embedder.time_embedder.linear_1.weight");
  int fd = g_file_open_tmp ("gesso-prefetch-XXXXXX.safetensors", &m->path, NULL);
  close (fd);
  sparse_safetensors (m->path, set, own_name, sparse_own_shape, NULL, 0, 1);
  weights_free (set);
  m->checkpoint = checkpoint_open (m->path, false, &status);
  g_assert_cmpstr (status.message, ==, "");
}

static void
model_close (Model *m)
{
  checkpoint_free (m->checkpoint);
  g_unlink (m->path);
  g_free (m->path);
}

static const char *const all[] = { "transformer.", NULL }, *const none[] = { "expert.", NULL };
static const gsize all_bytes = (gsize) (N_BLOCKS + 5) * LAYER_BYTES;

static gsize
read_ahead (Model *m, const char *prefix, gsize most_bytes)
{
  const char *prefixes[] = { prefix, NULL };
  Prefetch *p = prefetch_start (m->checkpoint->weights, prefixes, most_bytes);
  if (p)
    prefetch_wait (p);
  return prefetch_stop (p);
}

static void
test_prefetch_reads_all_that_may_be_read (void)
{
  Model m;
  model_open (&m);
  g_assert_cmpuint (read_ahead (&m, "transformer.", G_MAXSIZE / 2), ==, all_bytes);
  g_assert_cmpuint (read_ahead (&m, "transformer.blocks.10.", G_MAXSIZE / 2), ==, LAYER_BYTES);
  g_assert_cmpuint (read_ahead (&m, "transformer.", all_bytes / 2), ==, all_bytes / 2);
  g_assert_cmpuint (read_ahead (&m, "transformer.", PIECE_BYTES + 1), ==, PIECE_BYTES);
  model_close (&m);
}

static gsize
bytes_in_memory (Model *m, int block)
{
  const gsize page = (gsize) sysconf (_SC_PAGESIZE);
  g_autofree char *name = g_strdup_printf ("transformer.blocks.%d.attn1.to_q.weight", block);
  const Weight *w = weights_find (m->checkpoint->weights, name);
  Param param = weight_param (w);
  const char *begin = (const char *) ((guintptr) param_at (&param, 0) / page * page);
  unsigned char in_memory[LAYER_BYTES / 1024];
  gsize n = 0;
  g_assert_cmpint (mincore ((void *) begin, LAYER_BYTES, in_memory), ==, 0);
  for (gsize i = 0; i < LAYER_BYTES / page; i++)
    n += in_memory[i] & 1;
  return n * page;
}

/* Numbers count, not digits; the system reads on from where the header was. */
static void
test_prefetch_goes_in_the_order_of_use (void)
{
  Model m;
  model_open (&m);
  g_assert_cmpuint (read_ahead (&m, "transformer.", all_bytes - LAYER_BYTES), ==,
                    all_bytes - LAYER_BYTES);
  g_assert_cmpuint (bytes_in_memory (&m, 0), ==, LAYER_BYTES);
  g_assert_cmpuint (bytes_in_memory (&m, 2), ==, LAYER_BYTES);
  g_assert_cmpuint (bytes_in_memory (&m, 10), <, LAYER_BYTES);
  model_close (&m);
}

static void
test_prefetch_without_room_or_weights_is_none (void)
{
  Model m;
  model_open (&m);
  g_assert_null (prefetch_start (m.checkpoint->weights, all, 0));
  g_assert_null (prefetch_start (m.checkpoint->weights, none, G_MAXSIZE / 2));
  g_assert_cmpuint (prefetch_stop (NULL), ==, 0);
  model_close (&m);
}

static void
test_prefetch_stops_when_told (void)
{
  Model m;
  model_open (&m);
  Prefetch *p = prefetch_start (m.checkpoint->weights, all, G_MAXSIZE / 2);
  g_assert_nonnull (p);
  g_assert_cmpuint (prefetch_stop (p), <=, all_bytes);
  model_close (&m);
}

/* Another program may shorten the file; whoever computes with it is told then. */
static void
test_prefetch_of_a_shortened_file_ends_quietly (void)
{
  Model m;
  model_open (&m);
  g_assert_cmpint (truncate (m.path, LAYER_BYTES), ==, 0);
  g_assert_cmpuint (read_ahead (&m, "transformer.", G_MAXSIZE / 2), <, all_bytes);
  model_close (&m);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/prefetch/reads-all-that-may-be-read",
                   test_prefetch_reads_all_that_may_be_read);
  g_test_add_func ("/prefetch/goes-in-the-order-of-use", test_prefetch_goes_in_the_order_of_use);
  g_test_add_func ("/prefetch/without-room-or-weights-is-none",
                   test_prefetch_without_room_or_weights_is_none);
  g_test_add_func ("/prefetch/stops-when-told", test_prefetch_stops_when_told);
  g_test_add_func ("/prefetch/of-a-shortened-file-ends-quietly",
                   test_prefetch_of_a_shortened_file_ends_quietly);
  return g_test_run ();
}
