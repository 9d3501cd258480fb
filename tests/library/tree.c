/* SPDX-License-Identifier: MPL-2.0 */
#include "tree.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "library/gesso-library-private.h"
#include "media/clip.h"
#include "media/png.h"
#include "tools/full-size.h"

enum
{
  LENGTH_BYTES = 8,
  DEADLINE_S = 240 /* a bound for failures only; sanitizers on a busy machine are slow */
};

char *
tree_new (void)
{
  g_autoptr (GError) error = NULL;
  char *path = g_dir_make_tmp ("gesso-library-XXXXXX", &error);
  g_assert_no_error (error);
  return path;
}

static void
remove_below (const char *path)
{
  g_autoptr (GDir) dir = NULL;
  const char *name;
  if (!g_file_test (path, G_FILE_TEST_IS_SYMLINK) && g_file_test (path, G_FILE_TEST_IS_DIR))
    {
      g_chmod (path, 0700);
      dir = g_dir_open (path, 0, NULL);
    }
  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *child = g_build_filename (path, name, NULL);
      remove_below (child);
    }
  g_remove (path);
}

void
tree_remove (char *path)
{
  remove_below (path);
  g_free (path);
}

static char *
prepare (const char *dir, const char *name)
{
  char *path = g_build_filename (dir, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  return path;
}

char *
tree_write (const char *dir, const char *name, const char *text)
{
  g_autoptr (GError) error = NULL;
  char *path = prepare (dir, name);
  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
  return path;
}

char *
tree_mkdir (const char *dir, const char *name)
{
  char *path = prepare (dir, name);
  g_assert_cmpint (g_mkdir_with_parents (path, 0700), ==, 0);
  return path;
}

static char *
write_header (const char *dir, const char *name, const char *header, gint64 n_bytes)
{
  char *path = prepare (dir, name);
  guint64 n = GUINT64_TO_LE ((guint64) strlen (header));
  FILE *file = fopen (path, "wb");
  g_assert_nonnull (file);
  g_assert_cmpuint (fwrite (&n, 1, LENGTH_BYTES, file), ==, LENGTH_BYTES);
  g_assert_cmpuint (fwrite (header, 1, strlen (header), file), ==, strlen (header));
  g_assert_cmpint (fflush (file), ==, 0);
  g_assert_cmpint (ftruncate (fileno (file), LENGTH_BYTES + (gint64) strlen (header) + n_bytes), ==,
                   0);
  fclose (file);
  return path;
}

char *
tree_safetensors_with_metadata (const char *dir,
                                const char *name,
                                const char *metadata,
                                const char *const *tensors)
{
  g_autoptr (GString) header = g_string_new ("{");
  gint64 offset = 0;
  if (metadata)
    g_string_append_printf (header, "\"__metadata__\":%s,", metadata);
  for (int t = 0; tensors[t]; t++)
    {
      g_auto (GStrv) fields = g_strsplit (tensors[t], ":", 3);
      g_auto (GStrv) sides = g_strsplit (fields[2], ",", -1);
      gint64 n = g_str_equal (fields[1], "F32") ? 4 : 2;
      for (char **side = sides; *side; side++)
        n *= g_ascii_strtoll (*side, NULL, 10);
      g_string_append_printf (
          header,
          "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%" G_GINT64_FORMAT
          ",%" G_GINT64_FORMAT "]}",
          t ? "," : "", fields[0], fields[1], fields[2], offset, offset + n);
      offset += n;
    }
  g_string_append (header, "}");
  return write_header (dir, name, header->str, offset);
}

char *
tree_safetensors (const char *dir, const char *name, const char *const *tensors)
{
  return tree_safetensors_with_metadata (dir, name, NULL, tensors);
}

char *
tree_lora (const char *dir, const char *name, int width)
{
  g_autofree char *down = g_strdup_printf (
      "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight:F16:"
      "8,%d",
      width);
  const char *tensors[] = {
    down,
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight:F16:320,8",
    NULL
  };
  return tree_safetensors_with_metadata (dir, name,
                                         "{\"ss_output_name\":\"trained-as\","
                                         "\"modelspec.trigger_phrase\":\"zebra coat\"}",
                                         tensors);
}

char *
tree_embedding (const char *dir, const char *name)
{
  const char *const tensors[] = { "emb_params:F32:4,768", NULL };
  return tree_safetensors (dir, name, tensors);
}

/* What SD 1.5's file holds below @prefix, without it. */
static char *
write_part (const char *dir, const char *name, const char *prefix)
{
  Status status = { 0 };
  const FullSize *model = full_size_find ("sd15");
  WeightSet *set = full_size_declare (model, &status);
  g_autoptr (GString) header = g_string_new ("{");
  gint64 offset = 0;
  g_assert_nonnull (set);
  for (int i = 0; i < weights_count (set); i++)
    {
      StoredTensor t;
      gint64 n = 2;
      if (!ldm_tensor (model, set, weights_at (set, i), &t) || !g_str_has_prefix (t.name, prefix))
        continue;
      g_string_append_printf (header, "%s\"%s\":{\"dtype\":\"F16\",\"shape\":[",
                              header->len > 1 ? "," : "", t.name + strlen (prefix));
      for (int d = 0; d < t.rank; d++)
        {
          g_string_append_printf (header, "%s%" G_GINT64_FORMAT, d ? "," : "", t.ne[d]);
          n *= t.ne[d];
        }
      g_string_append_printf (header,
                              "],\"data_offsets\":[%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT "]}",
                              offset, offset + n);
      offset += n;
    }
  weights_free (set);
  g_string_append (header, "}");
  return write_header (dir, name, header->str, offset);
}

char *
tree_checkpoint (const char *dir, const char *name)
{
  return write_part (dir, name, "");
}

char *
tree_vae (const char *dir, const char *name)
{
  return write_part (dir, name, "first_stage_model.");
}

char *
tree_clip_l (const char *dir, const char *name)
{
  return write_part (dir, name, "cond_stage_model.transformer.");
}

void
tree_cut (const char *path, gint64 n_bytes)
{
  GStatBuf info;
  g_assert_cmpint (g_stat (path, &info), ==, 0);
  g_assert_cmpint (truncate (path, info.st_size - n_bytes), ==, 0);
}

char *
tree_picture (
    const char *dir, const char *name, int width, int height, int seed, const char *parameters)
{
  g_autoptr (GError) error = NULL;
  Status status = { 0 };
  char *path = prepare (dir, name);
  gsize n = (gsize) width * (gsize) height * IMAGE_CHANNELS;
  g_autofree guint8 *rgb = g_malloc (n);
  for (gsize i = 0; i < n; i++)
    rgb[i] = (guint8) (seed * 40 + (int) (i % 3) * 50);
  Image image = { width, height, rgb };
  PngText text = { "parameters", parameters };
  PngOptions options = { .texts = &text, .n_texts = parameters ? 1 : 0 };
  guint8 *png;
  gsize n_bytes;
  if (!png_write_memory (&png, &n_bytes, &image, &options, &status))
    g_error ("%s", status.message);
  /* Whole or not at all, as our own writer's, but without waiting for the disk. */
  g_file_set_contents (path, (const char *) png, (gssize) n_bytes, &error);
  g_assert_no_error (error);
  mem_free (png);
  return path;
}

char *
tree_clip (const char *dir, const char *name, const char *recipe)
{
  enum
  {
    SIDE = 8,
    FPS = 8
  };
  Status status = { 0 };
  ClipWriter clip = { 0 };
  const FilmInfo info = { SIDE, SIDE, { FPS, 1 }, 1 };
  guint8 rgb[SIDE * SIDE * IMAGE_CHANNELS] = { 0 };
  char *path = prepare (dir, name);
  if (!clip_writer_open (&clip, path, &info, &status) || !clip_writer_add (&clip, rgb, &status) ||
      !clip_writer_add_recipe (&clip, recipe, &status) ||
      !clip_writer_commit (&clip, true, &status))
    g_error ("%s", status.message);
  return path;
}

/* @inner in a box of an MP4 file, which takes its place. */
static void
put_in_box (GByteArray *inner, const char *type)
{
  guint8 head[LENGTH_BYTES];
  guint32 size = GUINT32_TO_BE (inner->len + LENGTH_BYTES);
  memcpy (head, &size, sizeof size);
  memcpy (head + sizeof size, type, sizeof size);
  g_byte_array_prepend (inner, head, sizeof head);
}

char *
tree_film (const char *dir, const char *name, const char *recipe)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) film = g_byte_array_new ();
  g_autofree char *comment = g_strconcat ("gesso:", recipe, NULL);
  char *path = prepare (dir, name);
  const guint8 head[] = { 0, (guint8) strlen (comment), 0, 0 }; /* length and language */
  g_byte_array_append (film, head, sizeof head);
  g_byte_array_append (film, (const guint8 *) comment, (guint) strlen (comment));
  put_in_box (film, "\251cmt");
  put_in_box (film, "udta");
  put_in_box (film, "moov");
  g_file_set_contents (path, (const char *) film->data, film->len, &error);
  g_assert_no_error (error);
  return path;
}

static gboolean
wake_cb (gpointer data)
{
  return G_SOURCE_CONTINUE; /* so that conditions which no source tells of are looked at */
}

void
tree_wait (TreeDone done, gpointer data)
{
  const guint look_every_ms = 5;
  gint64 deadline_us = g_get_monotonic_time () + (gint64) DEADLINE_S * G_USEC_PER_SEC;
  guint id = g_timeout_add (look_every_ms, wake_cb, NULL);
  while (!done (data))
    {
      g_main_context_iteration (NULL, TRUE);
      g_assert_cmpint (g_get_monotonic_time (), <, deadline_us);
    }
  g_source_remove (id);
}

static gboolean
is_settled (gpointer data)
{
  return !gesso_library_is_busy (data);
}

void
tree_settle (GessoLibrary *library)
{
  tree_wait (is_settled, library);
}

GessoModelFile *
tree_find (GessoLibrary *library, GessoFileKind kind, const char *name)
{
  GListModel *models = gesso_library_get_models (library, kind);
  for (guint i = 0; i < g_list_model_get_n_items (models); i++)
    {
      g_autoptr (GessoModelFile) file = g_list_model_get_item (models, i);
      if (g_str_equal (gesso_model_file_get_name (file), name))
        return file; /* the list holds it */
    }
  return NULL;
}
