/* SPDX-License-Identifier: MPL-2.0
 * test-full-size.c - every tensor of the synthetic checkpoints finds the weight that it was made
 * from, by the name maps that real files go through.
 */
#include <glib.h>
#include <string.h>

#include "tools/full-size.h"
#include "weights/names.h"

static const struct
{
  const char *prefix;
  NameScheme scheme;
  const char *canonical;
} parts[] = {
  { "model.diffusion_model.", NAMES_UNET_LDM, "unet." },
  { "first_stage_model.", NAMES_VAE_LDM, "vae." },
  { "cond_stage_model.transformer.", NAMES_CLIP_HF, "text_encoder." },
  { "conditioner.embedders.0.transformer.", NAMES_CLIP_HF, "text_encoder." },
  { "conditioner.embedders.1.model.", NAMES_CLIP_OPENCLIP, "text_encoder_2." },
};

static int64_t
elements (int rank, const int64_t *ne)
{
  int64_t n = 1;
  for (int i = 0; i < rank; i++)
    n *= ne[i];
  return n;
}

static void
fill_table (TensorTable *table, const FullSize *model, const WeightSet *set)
{
  Status status = { 0 };
  for (int i = 0; i < weights_count (set); i++)
    {
      StoredTensor t;
      if (!ldm_tensor (model, set, weights_at (set, i), &t))
        continue;
      const FileTensor in_file = { .name = pool_strdup (table->pool, t.name, &status),
                                   .rank = t.rank };
      g_assert_true (table_add (table, &in_file, "test", &status)); /* no name twice */
    }
}

static void
check_mapped (const BlockMap *map, size_t part, const StoredTensor *t)
{
  NameMatch match;
  g_assert_true (
      names_map (parts[part].scheme, map, t->name + strlen (parts[part].prefix), &match));
  g_assert_cmpint (match.action == NAME_TRANSPOSE, ==, t->transpose);
  g_assert_cmpint (match.action == NAME_SPLIT, ==, t->n_sources == FUSED_MAX);
  int64_t n = 0;
  for (int s = 0; s < t->n_sources; s++)
    {
      g_autofree char *rule = g_strconcat (parts[part].canonical, match.name, NULL);
      g_auto (GStrv) around = g_strsplit_set (rule, "{}", 3);
      g_auto (GStrv) names = g_strsplit (around[1] ? around[1] : "", "|", 0);
      g_autofree char *name =
          around[1] ? g_strconcat (around[0], names[s], around[2], NULL) : g_strdup (rule);
      g_assert_nonnull (t->source[s]);
      g_assert_cmpstr (name, ==, t->source[s]->name);
      n += elements (t->source[s]->rank, t->source[s]->ne);
    }
  g_assert_cmpint (n, ==, elements (t->rank, t->ne));
}

static void
check_family (const char *family, size_t n_tensors, int64_t n_unet)
{
  Status status = { 0 };
  const FullSize *model = full_size_find (family);
  WeightSet *set = full_size_declare (model, &status);
  Pool pool = { 0 };
  TensorTable table;
  table_init (&table, &pool);
  fill_table (&table, model, set);
  g_assert_cmpuint (table.n_items, ==, n_tensors);
  g_assert_cmpint (weights_parameters (set, "unet."), ==, n_unet);
  for (size_t part = 0; part < G_N_ELEMENTS (parts); part++)
    {
      BlockMap map;
      names_block_map (&map, &table, parts[part].prefix);
      for (int i = 0; i < weights_count (set); i++)
        {
          StoredTensor t;
          if (ldm_tensor (model, set, weights_at (set, i), &t) &&
              g_str_has_prefix (t.name, parts[part].prefix))
            check_mapped (&map, part, &t);
        }
    }
  table_clear (&table);
  pool_clear (&pool);
  weights_free (set);
}

/* Counts: the published files, less the buffers that are no weights. */
static void
test_full_size_sd15 (void)
{
  check_family ("sd15", 1130, 859520964);
}

static void
test_full_size_sdxl (void)
{
  check_family ("sdxl", 2513, 2567463684);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tools/full-size/sd15", test_full_size_sd15);
  g_test_add_func ("/tools/full-size/sdxl", test_full_size_sdxl);
  return g_test_run ();
}
