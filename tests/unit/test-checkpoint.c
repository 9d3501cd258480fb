/* SPDX-License-Identifier: MPL-2.0
 * test-checkpoint.c - files and folders of whole models.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "weights/checkpoint.h"

/* ---- exported tiny models ---- */

static char *
fixture (const char *name)
{
  return g_build_filename (g_getenv ("GESSO_SOURCE"), "tests/golden/fixtures", name, NULL);
}

static Checkpoint *
open_fixture (const char *name, bool header_only)
{
  char *path = fixture (name);
  Status status = { 0 };
  Checkpoint *c = checkpoint_open (path, header_only, &status);
  g_assert_cmpstr (status.message, ==, "");
  g_assert_nonnull (c);
  g_assert_cmpint (c->n_unknown, ==, 0);
  g_free (path);
  return c;
}

static void
assert_same_weights (const WeightSet *a, const WeightSet *b)
{
  g_assert_cmpint (weights_count (a), ==, weights_count (b));
  for (int i = 0; i < weights_count (a); i++)
    {
      const Weight *x = weights_at (a, i), *y = weights_find (b, x->name);
      size_t n = dtype_size (x->dtype);
      g_test_message ("%s", x->name);
      g_assert_nonnull (y);
      g_assert_cmpint (x->dtype, ==, y->dtype);
      g_assert_cmpint (x->rank, ==, y->rank);
      for (int d = 0; d < x->rank; d++)
        {
          g_assert_cmpint (x->ne[d], ==, y->ne[d]);
          n *= (size_t) x->ne[d];
        }
      if (memcmp (x->data, y->data, n) != 0)
        g_error ("%s differs", x->name);
    }
}

static void
test_layouts_agree (void)
{
  static const char *const pairs[][2] = {
    { "sd15-tiny", "sd15-tiny-ldm.safetensors" },
    { "sdxl-tiny", "sdxl-tiny-ldm.safetensors" },
    { "taesd-tiny", "taesd-tiny-original.safetensors" },
    { "taesd-tiny", "taesd-tiny-sharded" },
    { "taesd-tiny", "taesd-tiny-sharded/diffusion_pytorch_model-00001-of-00002.safetensors" },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (pairs); i++)
    {
      Checkpoint *a = open_fixture (pairs[i][0], false), *b = open_fixture (pairs[i][1], false);
      assert_same_weights (a->weights, b->weights);
      g_assert_cmpint (a->config.family, ==, b->config.family);
      checkpoint_free (a);
      checkpoint_free (b);
    }
}

static void
test_folder_configs_win (void)
{
  Checkpoint *c = open_fixture ("sdxl-tiny", true);
  g_assert_cmpint (c->layout, ==, LAYOUT_DIFFUSERS);
  g_assert_true (c->config.is_diffusers_folder);
  g_assert_cmpint (c->config.unet.norm_groups, ==, 8); /* shapes cannot tell */
  g_assert_cmpint (c->config.unet.heads[1], ==, 4);
  g_assert_cmpint (c->config.unet.depth_up[0], ==, 2);
  g_assert_cmpint (c->config.clip[1].n_heads, ==, 3);
  g_assert_cmpint (c->config.clip[1].pad_id, ==, 0);
  g_assert_cmpint (c->config.clip[0].pad_id, ==, c->config.clip[0].eos_id);
  g_assert_true (g_str_has_suffix (c->tokenizer_dir[1], "tokenizer_2"));
  checkpoint_free (c);
}

/* A folder of links with a gesso.json of its own: what its maker means the model for. */
static Checkpoint *
open_with_suggestions (const char *json, Status *status)
{
  static const char *const parts[] = {
    "model_index.json", "scheduler",   "text_encoder", "text_encoder_2",
    "tokenizer",        "tokenizer_2", "unet",         "vae"
  };
  g_autofree char *dir = g_dir_make_tmp ("gesso-XXXXXX", NULL);
  g_autofree char *own = g_build_filename (dir, "gesso.json", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      g_autofree char *name = g_build_filename ("sdxl-tiny", parts[i], NULL);
      g_autofree char *target = fixture (name), *link = g_build_filename (dir, parts[i], NULL);
      g_assert_cmpint (symlink (target, link), ==, 0);
    }
  g_assert_true (g_file_set_contents (own, json, -1, NULL));
  Checkpoint *c = checkpoint_open (dir, true, status);
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      g_autofree char *link = g_build_filename (dir, parts[i], NULL);
      g_unlink (link);
    }
  g_unlink (own);
  g_rmdir (dir);
  return c;
}

static void
test_folder_says_what_it_is_meant_for (void)
{
  Status status = { 0 };
  Checkpoint *c = open_with_suggestions ("{\"guidance_scale\": 3.5}", &status);
  g_assert_cmpstr (status.message, ==, "");
  g_assert_cmpfloat (c->config.guidance_scale, ==, 3.5);
  g_assert_cmpint (c->config.steps, ==, 0); /* left to the family */
  checkpoint_free (c);
  static const char *const bad[] = { "{\"guidance_scale\": -1}", "{\"guidance_scale\": 1e9}",
                                     "{\"steps\": -3}", "{\"steps\": 1001}", "4" };
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      Status refused = { 0 };
      g_assert_null (open_with_suggestions (bad[i], &refused));
      g_assert_cmpint (refused.code, ==, STATUS_FORMAT);
      g_assert_nonnull (strstr (refused.message, "gesso.json"));
    }
}

/* ---- adding parts ---- */

static void
test_add_parts (void)
{
  Status status = { 0 };
  Checkpoint *c = open_fixture ("sd15-tiny-ldm.safetensors", false);
  int n_before = weights_count (c->weights);
  char *vae = fixture ("sd15-tiny/vae"), *taesd = fixture ("taesd-tiny-original.safetensors");
  char *decoder = fixture ("taesd-tiny-decoder-legacy.pt"), *nothing = fixture ("tokenizer");
  const void *old = weights_find (c->weights, "vae.decoder.conv_in.weight")->data;
  g_assert_true (checkpoint_add (c, vae, "vae.", &status));
  g_assert_true (weights_find (c->weights, "vae.decoder.conv_in.weight")->data != old);
  g_assert_cmpint (weights_count (c->weights), ==, n_before);
  g_assert_cmpint (c->config.vae.norm_groups, ==, 8);
  g_assert_true (checkpoint_add (c, taesd, "tiny.", &status));
  g_assert_true (checkpoint_add (c, decoder, "tiny.", &status)); /* the encoder stays */
  g_assert_cmpint (weights_count (c->weights), ==, n_before + 72);
  g_assert_true (c->config.has_tiny);
  g_assert_false (checkpoint_add (c, nothing, "vae.", &status));
  g_assert_cmpint (status.code, ==, STATUS_NOT_FOUND);
  status = (Status){ 0 };
  g_assert_false (checkpoint_add (c, taesd, "vae.", &status));
  g_assert_cmpint (status.code, ==, STATUS_UNSUPPORTED);
  status = (Status){ 0 };
  g_assert_false (checkpoint_add (c, taesd, "other.", &status));
  g_assert_cmpint (status.code, ==, STATUS_ARGUMENT);
  g_assert_cmpint (weights_count (c->weights), ==, n_before + 72);
  checkpoint_free (c);
  g_free (vae);
  g_free (taesd);
  g_free (decoder);
  g_free (nothing);
}

/* ---- what else users have ---- */

static void
assert_refused (const char *content, size_t n, StatusCode code, const char *sentence)
{
  char *dir = g_dir_make_tmp ("gesso-XXXXXX", NULL);
  char *path = g_build_filename (dir, "model.ckpt", NULL);
  Status status = { 0 };
  g_assert_true (g_file_set_contents (path, content, (gssize) n, NULL));
  g_assert_null (checkpoint_open (path, true, &status));
  g_test_message ("%s", status.message);
  g_assert_cmpint (status.code, ==, code);
  g_assert_nonnull (strstr (status.message, sentence));
  g_unlink (path);
  g_rmdir (dir);
  g_free (path);
  g_free (dir);
}

static void
test_open_says_what_a_file_is (void)
{
  assert_refused ("", 0, STATUS_FORMAT, "empty");
  assert_refused ("GGUF\3\0\0\0", 8, STATUS_FORMAT, "cut short");
  assert_refused ("<!DOCTYPE html>", 15, STATUS_UNSUPPORTED, "web page");
  assert_refused ("version https://git-lfs.github.com/spec/v1\n", 43, STATUS_UNSUPPORTED, "LFS");
  assert_refused ("nonsense, really", 16, STATUS_FORMAT, "neither");
  assert_refused ("PK\3\4 and then nothing more here", 31, STATUS_FORMAT, "cut short");
  Status status = { 0 };
  g_assert_null (checkpoint_open ("/nonexistent/model.safetensors", true, &status));
  g_assert_cmpint (status.code, ==, STATUS_NOT_FOUND);
}

static void
copy_file (const char *from, const char *to, size_t cut)
{
  g_autofree char *bytes = NULL;
  gsize n;
  g_assert_true (g_file_get_contents (from, &bytes, &n, NULL));
  g_assert_true (g_file_set_contents (to, bytes, (gssize) (n - cut), NULL));
}

/* One of several files ends early: the sentence names it. */
static void
test_open_names_a_truncated_shard (void)
{
  g_autofree char *from = fixture ("taesd-tiny-sharded");
  g_autofree char *dir = g_dir_make_tmp ("gesso-XXXXXX", NULL);
  GDir *files = g_dir_open (from, 0, NULL);
  g_assert_nonnull (files);
  Status status = { 0 };
  g_autofree char *index = NULL;
  for (const char *name; (name = g_dir_read_name (files));)
    {
      g_autofree char *a = g_build_filename (from, name, NULL);
      g_autofree char *b = g_build_filename (dir, name, NULL);
      copy_file (a, b, strstr (name, "00002-of") ? 100 : 0);
      if (g_str_has_suffix (name, ".index.json"))
        index = g_strdup (b);
    }
  g_dir_close (files);
  g_assert_nonnull (index);
  g_assert_null (checkpoint_open (index, false, &status));
  g_test_message ("%s", status.message);
  g_assert_cmpint (status.code, ==, STATUS_FORMAT);
  g_assert_nonnull (strstr (status.message, "00002-of"));
  g_assert_nonnull (strstr (status.message, "cut short"));
  files = g_dir_open (dir, 0, NULL);
  for (const char *name; (name = g_dir_read_name (files));)
    {
      g_autofree char *path = g_build_filename (dir, name, NULL);
      g_unlink (path);
    }
  g_dir_close (files);
  g_rmdir (dir);
}

/* Hugging Face's cache: links from a snapshot into blobs. */
static void
test_open_finds_the_snapshot (void)
{
  char *dir = g_dir_make_tmp ("gesso-XXXXXX", NULL), *target = fixture ("taesd-tiny");
  char *refs = g_build_filename (dir, "refs", NULL),
       *snaps = g_build_filename (dir, "snapshots", NULL);
  char *head = g_build_filename (refs, "main", NULL),
       *link = g_build_filename (snaps, "abc123", NULL);
  Status status = { 0 };
  g_assert_cmpint (g_mkdir (refs, 0700) | g_mkdir (snaps, 0700), ==, 0);
  g_assert_true (g_file_set_contents (head, "abc123\n", -1, NULL));
  g_assert_cmpint (symlink (target, link), ==, 0);
  Checkpoint *c = checkpoint_open (dir, true, &status);
  g_assert_cmpstr (status.message, ==, "");
  g_assert_cmpint (weights_count (c->weights), ==, 72);
  checkpoint_free (c);
  g_unlink (link);
  g_unlink (head);
  g_rmdir (refs);
  g_rmdir (snaps);
  g_rmdir (dir);
  g_free (dir);
  g_free (target);
  g_free (refs);
  g_free (snaps);
  g_free (head);
  g_free (link);
}

/* A component folder with the exported weights under another name. */
static void
assert_component_opens (const char *weights, const char *as, int n_expected)
{
  char *dir = g_dir_make_tmp ("gesso-XXXXXX", NULL), *target = fixture (weights);
  char *config = fixture ("taesd-tiny/config.json");
  char *link = g_build_filename (dir, as, NULL), *own = g_build_filename (dir, "config.json", NULL);
  Status status = { 0 };
  g_assert_cmpint (symlink (target, link) | symlink (config, own), ==, 0);
  Checkpoint *c = checkpoint_open (dir, true, &status);
  g_assert_cmpstr (status.message, ==, "");
  g_assert_cmpint (weights_count (c->weights), ==, n_expected);
  checkpoint_free (c);
  g_unlink (link);
  g_unlink (own);
  g_rmdir (dir);
  g_free (dir);
  g_free (target);
  g_free (config);
  g_free (link);
  g_free (own);
}

static void
test_folder_takes_every_form (void)
{
  const char *safe = "taesd-tiny/diffusion_pytorch_model.safetensors";
  assert_component_opens (safe, "diffusion_pytorch_model.safetensors", 72);
  assert_component_opens (safe, "diffusion_pytorch_model.fp16.safetensors", 72);
  assert_component_opens ("taesd-tiny-decoder-legacy.pt", "diffusion_pytorch_model.bin", 36);
}

static void
test_shards_are_checked (void)
{
  static const struct
  {
    const char *index, *sentence;
  } cases[] = {
    { "{\"weight_map\":{\"a\":\"../x.safetensors\"}}", "outside of its folder" },
    { "{\"weight_map\":{\"a\":1}}", "has no shard" },
    { "{\"weight_map\":{\"a\":\"gone.safetensors\"}}", "no file" },
    { "{\"weight_map\":{}}", "names no tensors" },
    { "{\"map\":{}}", "no weight_map" },
    { "{\"weight_map\":{\"a\":\"one.safetensors\"}}", "not in the shard" },
  };
  static const char one[] = "\x39\0\0\0\0\0\0\0"
                            "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}      "
                            "       ";
  char *dir = g_dir_make_tmp ("gesso-XXXXXX", NULL);
  char *path = g_build_filename (dir, "m.safetensors.index.json", NULL);
  char *shard = g_build_filename (dir, "one.safetensors", NULL);
  g_assert_true (g_file_set_contents (shard, one, sizeof one, NULL));
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Status status = { 0 };
      g_assert_true (g_file_set_contents (path, cases[i].index, -1, NULL));
      g_assert_null (checkpoint_open (path, true, &status));
      g_test_message ("%s", status.message);
      g_assert_nonnull (strstr (status.message, cases[i].sentence));
    }
  g_unlink (path);
  g_unlink (shard);
  g_rmdir (dir);
  g_free (path);
  g_free (shard);
  g_free (dir);
}

/* ---- out of memory at every allocation ---- */

static void
test_open_survives_each_failed_allocation (void)
{
  static const char *const names[] = { "sd15-tiny", "sdxl-tiny-ldm.safetensors",
                                       "taesd-tiny-decoder-legacy.pt", "taesd-tiny-sharded" };
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    {
      char *path = fixture (names[i]);
      Checkpoint *c = NULL;
      for (int64_t nth = 1; !c; nth++)
        {
          Status status = { 0 };
          mem_fail_at (nth);
          c = checkpoint_open (path, false, &status);
          g_assert_cmpint (status.code, ==, c ? STATUS_OK : STATUS_NO_MEMORY);
          g_assert_cmpint (nth, <, 10000);
        }
      mem_fail_at (0);
      checkpoint_free (c);
      g_free (path);
    }
}

static void
test_add_survives_each_failed_allocation (void)
{
  char *path = fixture ("taesd-tiny-original.safetensors");
  Checkpoint *c = open_fixture ("sd15-tiny", true);
  int n = weights_count (c->weights);
  bool done = false;
  for (int64_t nth = 1; !done; nth++)
    {
      Status status = { 0 };
      mem_fail_at (nth);
      done = checkpoint_add (c, path, "tiny.", &status);
      g_assert_cmpint (status.code, ==, done ? STATUS_OK : STATUS_NO_MEMORY);
      g_assert_cmpint (weights_count (c->weights), ==, done ? n + 72 : n);
    }
  mem_fail_at (0);
  checkpoint_free (c);
  g_free (path);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/weights/checkpoint/layouts-agree", test_layouts_agree);
  g_test_add_func ("/weights/checkpoint/configs-win", test_folder_configs_win);
  g_test_add_func ("/weights/checkpoint/meant-for", test_folder_says_what_it_is_meant_for);
  g_test_add_func ("/weights/checkpoint/add", test_add_parts);
  g_test_add_func ("/weights/checkpoint/says-what-a-file-is", test_open_says_what_a_file_is);
  g_test_add_func ("/weights/checkpoint/truncated-shard", test_open_names_a_truncated_shard);
  g_test_add_func ("/weights/checkpoint/snapshot", test_open_finds_the_snapshot);
  g_test_add_func ("/weights/checkpoint/every-form", test_folder_takes_every_form);
  g_test_add_func ("/weights/checkpoint/shards", test_shards_are_checked);
  g_test_add_func ("/weights/checkpoint/no-memory", test_open_survives_each_failed_allocation);
  g_test_add_func ("/weights/checkpoint/add-no-memory", test_add_survives_each_failed_allocation);
  return g_test_run ();
}
