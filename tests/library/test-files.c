/* SPDX-License-Identifier: MPL-2.0
 * test-files.c - what files are recognised as, where other programs keep them, and the parts that
 * work on files without a library: trash, thumbnails, lists' differences.
 *
 * Run alone: build/tests/library/test-files
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "library/gesso-layouts.h"
#include "library/gesso-list-diff.h"
#include "library/gesso-picture-query.h"
#include "library/gesso-picture-reader.h"
#include "library/gesso-recognise.h"
#include "library/gesso-thumbnails.h"
#include "library/gesso-trash.h"
#include "library/gesso-walk.h"
#include "media/webp.h"
#include "tree.h"

typedef struct
{
  char *dir;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->dir = tree_new ();
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  tree_remove (f->dir);
}

/* -- recognition */

static void
check (char *path, GessoFileKind kind, const char *family, const char *format)
{
  GessoRecognised r;
  gesso_recognise (&r, path, GESSO_FILE_UNKNOWN);
  g_test_message ("%s: %s, %s, %s, %s", path, gesso_file_kind_nick (r.kind), r.family, r.format,
                  r.problem);
  g_assert_cmpint (r.kind, ==, kind);
  g_assert_cmpstr (r.family, ==, family);
  g_assert_cmpstr (r.format, ==, format);
  g_assert_cmpstr (r.problem, ==, "");
  gesso_recognised_clear (&r);
  g_free (path);
}

static void
test_library_recognises_kinds (Fixture *f, gconstpointer data)
{
  const char *const control[] = { "controlnet_cond_embedding.conv_in.weight:F16:16,3,3,3",
                                  "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k."
                                  "weight:F16:320,768",
                                  NULL };
  const char *const upscaler[] = { "model.0.weight:F32:64,3,3,3",
                                   "model.1.sub.0.RDB1.conv1.0.weight:F32:32,64,3,3", NULL };
  const char *const tiny[] = { "decoder.layers.0.weight:F16:64,4,3,3",
                               "encoder.layers.0.weight:F16:64,3,3,3", NULL };
  const char *const xl_embedding[] = { "clip_l:F32:2,768", "clip_g:F32:2,1280", NULL };
  const char *const one_vector[] = { "<cat>:F32:768", NULL };
  check (tree_checkpoint (f->dir, "model.safetensors"), GESSO_FILE_CHECKPOINT, "SD 1.5",
         "safetensors, f16");
  check (tree_lora (f->dir, "a.safetensors", 768), GESSO_FILE_LORA, "SD 1.5", "safetensors, f16");
  check (tree_lora (f->dir, "b.safetensors", 2048), GESSO_FILE_LORA, "SDXL", "safetensors, f16");
  check (tree_embedding (f->dir, "e.safetensors"), GESSO_FILE_EMBEDDING, "SD 1.5",
         "safetensors, f32");
  check (tree_safetensors (f->dir, "x.safetensors", xl_embedding), GESSO_FILE_EMBEDDING, "SDXL",
         "safetensors, f32");
  check (tree_safetensors (f->dir, "1.safetensors", one_vector), GESSO_FILE_EMBEDDING, "SD 1.5",
         "safetensors, f32");
  check (tree_vae (f->dir, "v.safetensors"), GESSO_FILE_VAE, "", "safetensors, f16");
  check (tree_safetensors (f->dir, "c.safetensors", control), GESSO_FILE_CONTROLNET, "SD 1.5",
         "safetensors, f16");
  check (tree_safetensors (f->dir, "u.safetensors", upscaler), GESSO_FILE_UPSCALER, "",
         "safetensors, f32");
  check (tree_safetensors (f->dir, "t.safetensors", tiny), GESSO_FILE_TINY_VAE, "",
         "safetensors, f16");
  check (tree_clip_l (f->dir, "te.safetensors"), GESSO_FILE_TEXT_ENCODER, "", "safetensors, f16");
}

/* The video model that ships stood in the list as damaged: it has no CLIP, and needs none. */
static void
test_library_recognises_shipped_models (Fixture *f, gconstpointer data)
{
  const char *models = g_getenv ("GESSO_DATA");
  check (g_build_filename (models, "models", "gesso-mini", NULL), GESSO_FILE_CHECKPOINT, "SDXL",
         "diffusers, f16");
  check (g_build_filename (models, "models", "gesso-mini-video", NULL), GESSO_FILE_CHECKPOINT,
         "Wan", "diffusers, f16");
}

static void
check_problem (char *path, GessoFileKind hint, GessoFileKind kind, const char *word)
{
  GessoRecognised r;
  gesso_recognise (&r, path, hint);
  g_test_message ("%s: %s: %s", path, gesso_file_kind_nick (r.kind), r.problem);
  g_assert_cmpint (r.kind, ==, kind);
  g_assert_nonnull (strstr (r.problem, word));
  g_assert_true (g_utf8_validate (r.problem, -1, NULL));
  gesso_recognised_clear (&r);
  g_free (path);
}

static void
test_library_says_what_is_wrong (Fixture *f, gconstpointer data)
{
  const char *const flux[] = { "double_blocks.0.img_attn.norm.key_norm.scale:F16:128", NULL };
  const char *const vae[] = { "decoder.conv_in.weight:F16:512,4,3,3",
                              "decoder.mid.block_1.norm1.weight:F16:512", NULL };
  const char *const odd[] = { "something.weight:F16:3,3,3", NULL };
  char *cut = tree_checkpoint (f->dir, "cut.safetensors");
  tree_cut (cut, 1000);
  check_problem (cut, GESSO_FILE_UNKNOWN, GESSO_FILE_CHECKPOINT, "cut short");
  char *header = tree_checkpoint (f->dir, "header.safetensors");
  g_assert_cmpint (truncate (header, 5000), ==, 0);
  check_problem (header, GESSO_FILE_UNKNOWN, GESSO_FILE_CHECKPOINT, "cut short");
  check_problem (tree_write (f->dir, "empty.safetensors", ""), GESSO_FILE_LORA, GESSO_FILE_LORA,
                 "empty");
  check_problem (tree_write (f->dir, "seven.safetensors", "1234567"), GESSO_FILE_VAE,
                 GESSO_FILE_VAE, "damaged");
  check_problem (tree_write (f->dir, "page.safetensors", "<!DOCTYPE html>"), GESSO_FILE_LORA,
                 GESSO_FILE_LORA, "web page");
  check_problem (tree_write (f->dir, "q.gguf", "GGUF and more"), GESSO_FILE_UNKNOWN,
                 GESSO_FILE_CHECKPOINT, "GGUF");
  check_problem (tree_safetensors (f->dir, "flux.safetensors", flux), GESSO_FILE_UNKNOWN,
                 GESSO_FILE_CHECKPOINT, "a part of a FLUX.1 transformer");
  check_problem (tree_safetensors (f->dir, "vae.safetensors", vae), GESSO_FILE_UNKNOWN,
                 GESSO_FILE_VAE, "lacks layers");
  check_problem (tree_safetensors (f->dir, "odd.safetensors", odd), GESSO_FILE_UNKNOWN,
                 GESSO_FILE_UNKNOWN, "kind");
  check_problem (g_build_filename (f->dir, "nowhere.safetensors", NULL), GESSO_FILE_LORA,
                 GESSO_FILE_LORA, "nowhere");
  check_problem (tree_mkdir (f->dir, "folder.safetensors"), GESSO_FILE_UNKNOWN,
                 GESSO_FILE_CHECKPOINT, "folder");
}

/* Every length that a download can stop at, and random damage: never a crash, always a sentence. */
static void
test_library_survives_damage (Fixture *f, gconstpointer data)
{
  g_autofree char *path = tree_lora (f->dir, "l.safetensors", 768), *bytes = NULL;
  g_autoptr (GRand) random = g_rand_new_with_seed (7);
  gsize n = 0;
  g_assert_true (g_file_get_contents (path, &bytes, &n, NULL));
  for (int i = 0; i < 400; i++)
    {
      g_autofree char *copy = g_memdup2 (bytes, n);
      gsize length = i < 200 ? (gsize) i * 3 : n;
      for (int k = 0; i >= 200 && k < 4; k++)
        copy[g_rand_int_range (random, 0, 600)] = (char) g_rand_int_range (random, 0, 256);
      g_file_set_contents (path, copy, (gssize) MIN (length, n), NULL);
      GessoRecognised r;
      gesso_recognise (&r, path, GESSO_FILE_LORA);
      g_assert_true (g_utf8_validate (r.problem, -1, NULL));
      g_assert_true (g_utf8_validate (r.family, -1, NULL));
      if (i < 200)
        g_assert_cmpstr (r.problem, !=, "");
      gesso_recognised_clear (&r);
    }
}

static void
test_library_names_models (void)
{
  static const char *const cases[][2] = {
    { "/m/realistic.v5.safetensors", "realistic.v5" },
    { "/m/sdxl-vae/diffusion_pytorch_model.safetensors", "sdxl-vae" },
    { "/m/sdxl-vae/diffusion_pytorch_model.fp16.safetensors", "sdxl-vae" },
    { "/m/t5/model-00001-of-00002.safetensors", "t5" },
    { "/m/big-00001-of-00003.safetensors", "big" },
    { "/c/models--org--tiny-sd/snapshots/0123", "tiny-sd" },
    { "/m/a pipeline", "a pipeline" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *name = gesso_walk_dup_model_name (cases[i][0]);
      g_assert_cmpstr (name, ==, cases[i][1]);
    }
  g_autofree char *odd = gesso_walk_dup_model_name ("/m/caf\xe9.safetensors");
  g_assert_true (g_utf8_validate (odd, -1, NULL));
}

static void
test_library_reads_picture_headers (Fixture *f, gconstpointer data)
{
  GessoPictureRow row = { 0 };
  g_autofree char *path = tree_picture (f->dir, "p.png", 40, 30, 1,
                                        "a fox\nNegative prompt: blurry\nSteps: 5, Sampler: Euler, "
                                        "Seed: 1, Size: 40x30, Model: foxes");
  g_assert_true (gesso_picture_read_header (&row, path));
  g_assert_cmpint (row.width, ==, 40);
  g_assert_cmpint (row.height, ==, 30);
  g_assert_cmpstr (row.prompt, ==, "a fox");
  g_assert_cmpstr (row.negative, ==, "blurry");
  g_assert_cmpstr (row.model, ==, "foxes");
  g_free (row.prompt);
  g_free (row.negative);
  g_free (row.model);
  for (int i = 0; i < 2; i++)
    {
      GessoPictureRow none = { 0 };
      g_autofree char *bad = tree_write (f->dir, "bad.png", i ? "\x89PNG\r\n\x1a\n" : "");
      g_assert_false (gesso_picture_read_header (&none, bad));
    }
}

static void
test_library_reads_webp_headers (Fixture *f, gconstpointer data)
{
  uint8_t rgb[40 * 30 * 3] = { 0 };
  const Image image = { 40, 30, rgb };
  const WebpOptions kinds[] = {
    { .lossless = true },
    { .quality = 80 },
    { .quality = 80, .parameters = "a fox\nSteps: 20, Sampler: Euler, Seed: 1, Size: 40x30" }
  };
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      Status status = { 0 };
      GessoPictureRow row = { 0 };
      g_autofree char *name = g_strdup_printf ("%u.webp", i);
      g_autofree char *path = g_build_filename (f->dir, name, NULL);
      g_assert_true (gesso_walk_is_picture (name));
      g_assert_true (webp_write_file (path, &image, &kinds[i], &status));
      g_assert_true (gesso_picture_read_header (&row, path));
      g_assert_cmpint (row.width, ==, 40);
      g_assert_cmpint (row.height, ==, 30);
      g_assert_cmpstr (row.prompt, ==, i == 2 ? "a fox" : "");
      g_free (row.prompt);
      g_free (row.negative);
      g_free (row.model);
    }
}

/* -- layouts */

static void
assert_folders (const char *root, const char *const *expected)
{
  g_autoptr (GPtrArray) folders = gesso_layouts_resolve (root);
  guint n = 0;
  for (; expected[n]; n++)
    {
      g_auto (GStrv) parts = g_strsplit (expected[n], " ", 2); /* "kind path" */
      g_autofree char *path = g_build_filename (root, parts[1], NULL);
      gboolean found = FALSE;
      for (guint i = 0; i < folders->len; i++)
        {
          GessoScanFolder *folder = folders->pdata[i];
          if (g_str_equal (folder->path, path))
            {
              found = TRUE;
              g_assert_cmpstr (gesso_file_kind_nick (folder->hint), ==, parts[0]);
            }
        }
      if (!found)
        g_error ("%s is not among the folders of %s", path, root);
    }
  g_assert_cmpint (folders->len, ==, n);
}

static void
mkdirs (const char *dir, const char *const *names)
{
  for (; *names; names++)
    g_free (tree_mkdir (dir, *names));
}

static void
test_library_knows_layouts (Fixture *f, gconstpointer data)
{
  const char *const comfy[] = { "models/checkpoints",
                                "models/loras",
                                "models/clip_vision",
                                "models/style_models",
                                "models/vae_approx",
                                "models/custom",
                                "output",
                                NULL };
  const char *const comfy_found[] = { "checkpoint models/checkpoints", "lora models/loras",
                                      "image-encoder models/clip_vision",
                                      "tiny-vae models/vae_approx", NULL };
  const char *const forge[] = {
    "models/Stable-diffusion", "models/Lora", "embeddings", "models/ESRGAN",
    "models/text_encoder",     "models/DAT",  "outputs",    NULL
  };
  const char *const forge_found[] = { "checkpoint models/Stable-diffusion",
                                      "lora models/Lora",
                                      "embedding embeddings",
                                      "upscaler models/ESRGAN",
                                      "text-encoder models/text_encoder",
                                      "upscaler models/DAT",
                                      NULL };
  const char *const swarm[] = { "Models/Stable-Diffusion",
                                "Models/Lora",
                                "Models/VAE",
                                "Models/clip_vision",
                                "dlbackend/ComfyUI/models/checkpoints",
                                NULL };
  const char *const swarm_found[] = { "checkpoint Models/Stable-Diffusion",
                                      "lora Models/Lora",
                                      "vae Models/VAE",
                                      "image-encoder Models/clip_vision",
                                      "checkpoint dlbackend/ComfyUI/models/checkpoints",
                                      NULL };
  const char *const plain_found[] = { "unknown .", NULL };
  g_autofree char *c = tree_mkdir (f->dir, "ComfyUI"), *w = tree_mkdir (f->dir, "forge"),
                  *s = tree_mkdir (f->dir, "SwarmUI"), *p = tree_mkdir (f->dir, "plain");
  mkdirs (c, comfy);
  mkdirs (w, forge);
  mkdirs (s, swarm);
  assert_folders (c, comfy_found);
  assert_folders (w, forge_found);
  assert_folders (s, swarm_found);
  g_autoptr (GPtrArray) plain = gesso_layouts_resolve (p);
  g_assert_cmpint (plain->len, ==, 1);
  g_assert_cmpstr (((GessoScanFolder *) plain->pdata[0])->path, ==, p);
  (void) plain_found;
  /* naming the models folder itself, or one kind's folder, is as good */
  g_autofree char *models = g_build_filename (c, "models", NULL);
  g_autofree char *loras = g_build_filename (models, "loras", NULL);
  g_autoptr (GPtrArray) inside = gesso_layouts_resolve (models);
  g_assert_cmpint (inside->len, ==, 4);
  g_autoptr (GPtrArray) one = gesso_layouts_resolve (loras);
  g_assert_cmpint (one->len, ==, 1);
  g_assert_cmpint (((GessoScanFolder *) one->pdata[0])->hint, ==, GESSO_FILE_LORA);
}

static void
test_library_follows_extra_model_paths (Fixture *f, gconstpointer data)
{
  const char *const dirs[] = { "ComfyUI/models/checkpoints",
                               "web/models/Stable-diffusion",
                               "web/models/Lora",
                               "web/models/LyCORIS",
                               "elsewhere/vae",
                               "ComfyUI/near/emb",
                               "listed/a",
                               "listed/b",
                               NULL };
  mkdirs (f->dir, dirs);
  g_autofree char *yaml = g_strdup_printf ("# a comment\n"
                                           "a111:\n"
                                           "    checkpoints: models/Stable-diffusion\n"
                                           "    base_path: ${GESSO_TEST_ROOT}/web/\n"
                                           "    is_default: true\n"
                                           "    loras: |\n"
                                           "         models/Lora\n"
                                           "         models/LyCORIS\n"
                                           "         models/not-there\n"
                                           "    custom_nodes: nodes\n"
                                           "other:\n"
                                           "    vae: %s/elsewhere/vae\n"
                                           "    embeddings: near/emb\n"
                                           "third:\n"
                                           "    base_path: ../listed\n"
                                           "    loras: [a, b]\n"
                                           "    nested:\n"
                                           "        checkpoints: never\n",
                                           f->dir);
  g_setenv ("GESSO_TEST_ROOT", f->dir, TRUE);
  g_autofree char *root = g_build_filename (f->dir, "ComfyUI", NULL);
  g_free (tree_write (root, "extra_model_paths.yaml", yaml));
  const char *const expected[] = { "checkpoint models/checkpoints",
                                   "checkpoint ../web/models/Stable-diffusion",
                                   "lora ../web/models/Lora",
                                   "lora ../web/models/LyCORIS",
                                   "vae ../elsewhere/vae",
                                   "embedding near/emb",
                                   "lora ../listed/a",
                                   "lora ../listed/b",
                                   NULL };
  g_autoptr (GPtrArray) folders = gesso_layouts_resolve (root);
  for (guint i = 0; expected[i]; i++)
    {
      g_auto (GStrv) parts = g_strsplit (expected[i], " ", 2);
      g_autofree char *joined = g_build_filename (root, parts[1], NULL);
      g_autofree char *path = g_canonicalize_filename (joined, NULL);
      g_assert_cmpint (i, <, folders->len);
      g_assert_cmpstr (((GessoScanFolder *) folders->pdata[i])->path, ==, path);
      g_assert_cmpstr (gesso_file_kind_nick (((GessoScanFolder *) folders->pdata[i])->hint), ==,
                       parts[0]);
    }
  g_assert_cmpint (folders->len, ==, 8);
}

static void
test_library_survives_a_damaged_yaml (Fixture *f, gconstpointer data)
{
  static const char *const texts[] = { "",
                                       "\t",
                                       "a: [",
                                       "a:\n  loras: x\n b: {",
                                       "- - -",
                                       "&a *b",
                                       "a: &x\n  <<: *x\n",
                                       "\xff\xfe\x00",
                                       "{{{{{{{{{{{{{{{{" };
  g_free (tree_mkdir (f->dir, "models/checkpoints"));
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_free (tree_write (f->dir, "extra_model_paths.yaml", texts[i]));
      g_autoptr (GPtrArray) folders = gesso_layouts_resolve (f->dir);
      g_assert_cmpint (folders->len, ==, 1);
    }
}

/* -- differences of lists */

static void
apply_cb (GListModel *model, guint position, guint n_removed, guint n_added, GArray *mirror)
{
  GArray *items = g_object_get_data (G_OBJECT (model), "items");
  if (n_removed)
    g_array_remove_range (mirror, position, n_removed);
  if (n_added)
    g_array_insert_vals (mirror, position, &g_array_index (items, guint64, position), n_added);
  g_assert_cmpmem (mirror->data, mirror->len * 8, items->data, items->len * 8);
}

static void
test_library_diff_is_followed_step_by_step (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (3);
  g_autoptr (GListStore) model = g_list_store_new (G_TYPE_OBJECT); /* only emits */
  g_autoptr (GArray) items = g_array_new (FALSE, FALSE, 8), mirror = g_array_new (FALSE, FALSE, 8);
  g_object_set_data (G_OBJECT (model), "items", items);
  g_signal_connect (model, "items-changed", G_CALLBACK (apply_cb), mirror);
  for (int round = 0; round < 500; round++)
    {
      g_autoptr (GArray) wanted = g_array_new (FALSE, FALSE, 8);
      int every = g_rand_int_range (random, 1, 5);
      for (guint64 key = 0; key < 300; key++)
        if (g_rand_int_range (random, 0, every) == 0)
          g_array_append_val (wanted, key);
      if (round % 50 == 0 && wanted->len > 2) /* out of order */
        {
          guint64 first = g_array_index (wanted, guint64, 0);
          g_array_remove_index (wanted, 0);
          g_array_append_val (wanted, first);
        }
      gesso_list_diff (G_LIST_MODEL (model), items, (guint64 *) (gpointer) wanted->data,
                       wanted->len);
      g_assert_cmpmem (items->data, items->len * 8, wanted->data, wanted->len * 8);
      g_assert_cmpmem (mirror->data, mirror->len * 8, wanted->data, wanted->len * 8);
    }
}

static void
count_cb (GListModel *model, guint position, guint n_removed, guint n_added, guint *sum)
{
  *sum += n_removed + n_added;
}

static void
test_library_diff_is_small (void)
{
  guint sum = 0;
  g_autoptr (GListStore) model = g_list_store_new (G_TYPE_OBJECT);
  g_autoptr (GArray) items = g_array_new (FALSE, FALSE, 8);
  guint64 wanted[1000];
  for (guint64 i = 0; i < 1000; i++)
    wanted[i] = i;
  g_array_append_vals (items, wanted, 1000);
  g_signal_connect (model, "items-changed", G_CALLBACK (count_cb), &sum);
  wanted[100] = 5000;
  wanted[900] = 6000;
  gesso_list_diff (G_LIST_MODEL (model), items, wanted, 1000);
  g_assert_cmpint (sum, ==, 4);
}

static void
test_library_diff_at_once_shows_the_beginning_first (void)
{
  guint64 wanted[1000];
  g_autoptr (GListStore) model = g_list_store_new (G_TYPE_OBJECT);
  g_autoptr (GArray) items = g_array_new (FALSE, FALSE, 8);
  for (guint64 i = 0; i < 1000; i++)
    wanted[i] = i;
  g_array_append_vals (items, wanted + 3, 1);
  g_array_append_vals (items, wanted + 700, 2);
  g_autoptr (GArray) runs = gesso_list_diff_find (items, wanted, 1000, TRUE);
  gesso_list_diff_apply_last (G_LIST_MODEL (model), items, runs, wanted);
  g_assert_cmpuint (items->len, >, 10);
  g_assert_cmpuint (items->len, <, 200);
  g_assert_cmpmem (items->data, items->len * 8, wanted, items->len * 8);
  while (runs->len)
    gesso_list_diff_apply_last (G_LIST_MODEL (model), items, runs, wanted);
  g_assert_cmpmem (items->data, items->len * 8, wanted, sizeof wanted);
}

/* A grid makes a widget for each row that comes into sight: many rows at once were a stall. */
static void
test_library_diff_of_many_new_rows_comes_in_pieces (void)
{
  guint64 wanted[1000];
  g_autoptr (GListStore) model = g_list_store_new (G_TYPE_OBJECT);
  g_autoptr (GArray) items = g_array_new (FALSE, FALSE, 8);
  for (guint64 i = 0; i < 1000; i++)
    wanted[i] = i;
  g_array_append_vals (items, wanted, 1);
  g_array_append_vals (items, wanted + 900, 1);
  g_autoptr (GArray) runs = gesso_list_diff_find (items, wanted, 1000, FALSE);
  for (guint before = items->len; items->len < 400; before = items->len)
    {
      gesso_list_diff_apply_last (G_LIST_MODEL (model), items, runs, wanted);
      g_assert_cmpuint (items->len - before, <, 100);
    }
  while (runs->len)
    gesso_list_diff_apply_last (G_LIST_MODEL (model), items, runs, wanted);
  g_assert_cmpmem (items->data, items->len * 8, wanted, sizeof wanted);
}

/* -- searching */

static void
test_library_makes_matches (void)
{
  static const char *const cases[][2] = { { "red fox", "\"red\"* \"fox\"*" },
                                          { " \"AND\" OR* -x ", "\"AND\"* \"OR*\"* \"-x\"*" },
                                          { "été", "\"été\"*" },
                                          { "-- \"\" *", NULL },
                                          { "", NULL } };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *match = gesso_picture_query_dup_match (cases[i][0]);
      g_assert_cmpstr (match, ==, cases[i][1]);
    }
}

/* -- trash */

static void
test_library_trash_brings_back (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *own = g_build_filename (f->dir, "trash", NULL);
  for (int round = 0; round < 3; round++)
    {
      g_autofree char *path = tree_write (f->dir, "sub/it is.txt", "precious");
      g_autofree char *trashed = gesso_trash_file (path, own, NULL, &error), *text = NULL;
      g_assert_no_error (error);
      g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
      g_assert_cmpstr (trashed, !=, "");
      g_assert_true (g_file_get_contents (trashed, &text, NULL, NULL));
      g_assert_cmpstr (text, ==, "precious");
      g_autofree char *blocker = round == 2 ? tree_write (f->dir, "sub/it is.txt", "new") : NULL;
      if (round == 1)
        {
          g_autofree char *dir = g_path_get_dirname (path);
          g_rmdir (dir); /* it is made again */
        }
      g_autofree char *back = gesso_untrash_file (trashed, path, &error), *again = NULL;
      g_assert_no_error (error);
      g_assert_cmpint (g_str_equal (back, path), ==, round != 2);
      g_assert_true (g_file_get_contents (back, &again, NULL, NULL));
      g_assert_cmpstr (again, ==, "precious");
      g_assert_cmpint (g_file_test (path, G_FILE_TEST_EXISTS), ==, TRUE);
      (void) blocker;
    }
}

static void
test_library_trash_of_its_own_where_there_is_none (void)
{
  g_autoptr (GError) error = NULL;
  if (g_access ("/dev/shm", W_OK) != 0)
    {
      g_test_skip ("no memory file system here");
      return;
    }
  g_autofree char *dir = g_strdup ("/dev/shm/gesso-trash-XXXXXX");
  g_assert_nonnull (g_mkdtemp (dir));
  char *home = tree_new ();
  g_autofree char *path = tree_write (dir, "a.txt", "precious"), *text = NULL;
  g_autofree char *trashed = gesso_trash_file (path, home, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (g_str_has_prefix (trashed, home));
  g_assert_true (g_file_get_contents (trashed, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "precious");
  g_autofree char *back = gesso_untrash_file (trashed, path, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (back, ==, path);
  tree_remove (home);
  tree_remove (g_steal_pointer (&dir));
}

static void
test_library_trash_says_what_is_gone (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (f->dir, "nothing.png", NULL);
  g_assert_null (gesso_trash_file (path, f->dir, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (gesso_untrash_file ("", path, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
}

/* -- thumbnails */

static void
test_library_thumbnail_cache (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *cache_dir = g_build_filename (f->dir, "cache", NULL);
  g_autofree char *path = tree_picture (f->dir, "p.png", 400, 200, 1, NULL);
  GessoThumbnailCache *cache = gesso_thumbnail_cache_new (cache_dir, 1 << 20);
  g_autoptr (GessoThumbnail) t = gesso_thumbnail_cache_get (cache, path, 128, &error);
  g_assert_no_error (error);
  g_assert_cmpint (t->width, ==, 128);
  g_assert_cmpint (t->height, ==, 64);
  g_assert_cmpuint (g_bytes_get_size (t->rgb), ==, 128 * 64 * 3);
  gesso_thumbnail_cache_free (cache);
  /* from the disk, nearly the same */
  cache = gesso_thumbnail_cache_new (cache_dir, 1 << 20);
  g_autoptr (GessoThumbnail) again = gesso_thumbnail_cache_get (cache, path, 128, &error);
  g_assert_no_error (error);
  const guint8 *a = g_bytes_get_data (t->rgb, NULL), *b = g_bytes_get_data (again->rgb, NULL);
  for (int i = 0; i < 3; i++)
    g_assert_cmpint (ABS (a[i] - b[i]), <=, 3); /* JPEG of a plain colour */
  /* a picture that changed is made again */
  g_free (tree_picture (f->dir, "p.png", 100, 200, 4, NULL));
  g_autoptr (GessoThumbnail) changed = gesso_thumbnail_cache_get (cache, path, 128, &error);
  g_assert_no_error (error);
  g_assert_cmpint (changed->width, ==, 64);
  g_assert_cmpint (changed->height, ==, 128);
  gesso_thumbnail_cache_free (cache);
}

static void
test_library_thumbnail_of_a_damaged_picture (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  GessoThumbnailCache *cache = gesso_thumbnail_cache_new (f->dir, 1 << 20);
  g_autofree char *path = tree_picture (f->dir, "p.png", 40, 40, 1, NULL);
  tree_cut (path, 30);
  g_assert_null (gesso_thumbnail_cache_get (cache, path, 128, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_clear_error (&error);
  g_remove (path);
  g_assert_null (gesso_thumbnail_cache_get (cache, path, 128, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  gesso_thumbnail_cache_free (cache);
}

static gint64
bytes_in (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;
  gint64 sum = 0;
  while (dir && (name = g_dir_read_name (dir)))
    {
      GStatBuf info;
      g_autofree char *child = g_build_filename (path, name, NULL);
      if (g_stat (child, &info) == 0)
        sum += info.st_size;
    }
  return sum;
}

static void
test_library_thumbnail_cache_is_bounded (Fixture *f, gconstpointer data)
{
  const gint64 bound = 20000;
  g_autofree char *cache_dir = g_build_filename (f->dir, "cache", NULL);
  GessoThumbnailCache *cache = gesso_thumbnail_cache_new (cache_dir, bound);
  for (int i = 0; i < 60; i++)
    {
      g_autofree char *name = g_strdup_printf ("%d.png", i);
      g_autofree char *path = tree_picture (f->dir, name, 130, 130, i, NULL);
      g_autoptr (GessoThumbnail) t = gesso_thumbnail_cache_get (cache, path, 128, NULL);
      g_assert_nonnull (t);
    }
  g_assert_cmpint (bytes_in (cache_dir), >, bound);
  gesso_thumbnail_cache_trim (cache);
  g_assert_cmpint (bytes_in (cache_dir), <=, bound);
  g_assert_cmpint (bytes_in (cache_dir), >, 0);
  gesso_thumbnail_cache_free (cache);
}

typedef struct
{
  int n_done, n_cancelled;
} Counts;

static void
counted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  Counts *counts = user_data;
  g_autoptr (GessoThumbnail) t = g_task_propagate_pointer (G_TASK (result), &error);
  counts->n_done++;
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    counts->n_cancelled++;
}

static gboolean
all_done (gpointer data)
{
  return ((Counts *) data)->n_done == 200;
}

static void
test_library_thumbnail_requests_that_are_cancelled_cost_nothing (Fixture *f, gconstpointer data)
{
  Counts counts = { 0 };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autofree char *path = tree_picture (f->dir, "p.png", 2000, 2000, 1, NULL);
  g_autoptr (GessoThumbnails) thumbnails = gesso_thumbnails_new (f->dir, 1 << 20);
  g_cancellable_cancel (cancellable);
  for (int i = 0; i < 200; i++)
    gesso_thumbnails_request (thumbnails, path, 96,
                              g_task_new (NULL, i ? cancellable : NULL, counted_cb, &counts));
  tree_wait (all_done, &counts);
  g_assert_cmpint (counts.n_cancelled, ==, 199);
  g_assert_cmpint (gesso_thumbnails_count (thumbnails), ==, 1);
  gesso_thumbnails_stop (thumbnails);
  gesso_thumbnails_request (thumbnails, path, 96, g_task_new (NULL, NULL, counted_cb, &counts));
  while (counts.n_done < 201)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (counts.n_cancelled, ==, 200);
}

static void
add (const char *path, void (*test) (Fixture *, gconstpointer))
{
  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  char *home = tree_new ();
  g_setenv ("XDG_DATA_HOME", home, TRUE); /* the desktop's trash lies there */
  g_test_init (&argc, &argv, NULL);
  add ("/library/recognise/kinds", test_library_recognises_kinds);
  add ("/library/recognise/shipped", test_library_recognises_shipped_models);
  add ("/library/recognise/problems", test_library_says_what_is_wrong);
  add ("/library/recognise/damage", test_library_survives_damage);
  g_test_add_func ("/library/walk/names", test_library_names_models);
  add ("/library/picture/header", test_library_reads_picture_headers);
  add ("/library/pictures/webp-header", test_library_reads_webp_headers);
  add ("/library/layouts/known", test_library_knows_layouts);
  add ("/library/layouts/yaml", test_library_follows_extra_model_paths);
  add ("/library/layouts/damaged-yaml", test_library_survives_a_damaged_yaml);
  g_test_add_func ("/library/diff/step-by-step", test_library_diff_is_followed_step_by_step);
  g_test_add_func ("/library/diff/small", test_library_diff_is_small);
  g_test_add_func ("/library/diff/at-once", test_library_diff_at_once_shows_the_beginning_first);
  g_test_add_func ("/library/diff/in-pieces", test_library_diff_of_many_new_rows_comes_in_pieces);
  g_test_add_func ("/library/search/match", test_library_makes_matches);
  add ("/library/trash/back", test_library_trash_brings_back);
  g_test_add_func ("/library/trash/own", test_library_trash_of_its_own_where_there_is_none);
  add ("/library/trash/gone", test_library_trash_says_what_is_gone);
  add ("/library/thumbnails/cache", test_library_thumbnail_cache);
  add ("/library/thumbnails/damaged", test_library_thumbnail_of_a_damaged_picture);
  add ("/library/thumbnails/bounded", test_library_thumbnail_cache_is_bounded);
  add ("/library/thumbnails/cancelled",
       test_library_thumbnail_requests_that_are_cancelled_cost_nothing);
  int result = g_test_run ();
  tree_remove (home);
  return result;
}
