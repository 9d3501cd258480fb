/* SPDX-License-Identifier: MPL-2.0
 * test-loading.c - a model's weights are read ahead when its first job begins, and then only.
 *
 * The model is one of the golden tests' with 96 MiB more in its U-Net, which no network uses: what
 * of them gets into memory was read ahead.
 */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/blocks.h"
#include "pipelines/pipeline-private.h"

#define MORE_NAME "down_blocks.9.more.weight"

static const gsize MORE_BYTES = 96 << 20; /* read ahead is what has 64 MiB */

typedef struct
{
  char *folder;
  Backend *backend;
  Pipeline *pipeline;
  PipelineJob job;
} Model;

static char *
source_path (const char *path)
{
  const char *root = g_getenv ("GESSO_SOURCE");
  g_autofree char *absolute = g_canonicalize_filename (root ? root : ".", NULL);
  return g_build_filename (absolute, path, NULL);
}

static void
put (int fd, gconstpointer data, gsize n)
{
  g_assert_cmpint (write (fd, data, n), ==, (gssize) n);
}

/* @from, a safetensors file, with one tensor more at its end: a hole, which is nowhere in memory.
 */
static void
write_larger (const char *from, const char *to)
{
  g_autofree char *file = NULL;
  gsize n_bytes;
  guint64 n_header;
  g_assert_true (g_file_get_contents (from, &file, &n_bytes, NULL));
  memcpy (&n_header, file, sizeof n_header);
  const gsize n_data = n_bytes - sizeof n_header - n_header;
  g_autoptr (GString) header = g_string_new_len (file + sizeof n_header, (gssize) n_header);
  g_string_truncate (header, (gsize) (strrchr (header->str, '}') - header->str));
  g_string_append_printf (header,
                          ",\"" MORE_NAME "\":{\"dtype\":\"F16\",\"shape\":[%" G_GSIZE_FORMAT
                          "],\"data_offsets\":[%" G_GSIZE_FORMAT ",%" G_GSIZE_FORMAT "]}}",
                          MORE_BYTES / 2, n_data, n_data + MORE_BYTES);
  while (header->len % 8)
    g_string_append_c (header, ' ');
  const guint64 length = header->len;
  int fd = g_open (to, O_CREAT | O_WRONLY | O_EXCL, 0600);
  g_assert_cmpint (fd, >=, 0);
  put (fd, &length, sizeof length);
  put (fd, header->str, header->len);
  put (fd, file + sizeof n_header + n_header, n_data);
  g_assert_cmpint (ftruncate (fd, (off_t) (sizeof length + header->len + n_data + MORE_BYTES)), ==,
                   0);
  close (fd);
}

static void
link_part (Model *m, const char *part)
{
  g_autofree char *source = source_path ("tests/golden/fixtures/sd15-tiny");
  g_autofree char *from = g_build_filename (source, part, NULL);
  g_autofree char *to = g_build_filename (m->folder, part, NULL);
  g_assert_cmpint (symlink (from, to), ==, 0);
}

static const char *const links[] = { "model_index.json", "scheduler", "text_encoder",
                                     "tokenizer",        "vae",       "unet/config.json" };

static void
make_folder (Model *m)
{
  g_autofree char *from =
      source_path ("tests/golden/fixtures/sd15-tiny/unet/diffusion_pytorch_model.safetensors");
  m->folder = g_dir_make_tmp ("gesso-loading-XXXXXX", NULL);
  g_autofree char *unet = g_build_filename (m->folder, "unet", NULL);
  g_autofree char *to = g_build_filename (unet, "diffusion_pytorch_model.safetensors", NULL);
  g_assert_cmpint (g_mkdir (unet, 0700), ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (links); i++)
    link_part (m, links[i]);
  write_larger (from, to);
}

static void
open_model (Model *m, const char *folder, const char *backend)
{
  Status status = { 0 };
  g_autofree char *data = source_path ("data");
  m->backend = backend_new (&(BackendChoice){ .name = backend, .n_threads = 1 }, &status);
  g_assert_nonnull (m->backend);
  m->pipeline = pipeline_open (&(PipelineSource){ .model_path = folder, .tokenizers_dir = data },
                               m->backend, &status);
  g_assert_cmpstr (status.message, ==, "");
  pipeline_job_defaults (pipeline_checkpoint (m->pipeline), &m->job);
  m->job.prompt = "a red apple";
  m->job.width = m->job.height = 64;
  m->job.steps = 1;
}

static void
close_model (Model *m)
{
  pipeline_free (m->pipeline);
  backend_free (m->backend);
}

static void
remove_folder (Model *m)
{
  for (gsize i = 0; i < G_N_ELEMENTS (links); i++)
    {
      g_autofree char *path = g_build_filename (m->folder, links[i], NULL);
      g_unlink (path);
    }
  g_autofree char *unet = g_build_filename (m->folder, "unet", NULL);
  g_autofree char *file = g_build_filename (unet, "diffusion_pytorch_model.safetensors", NULL);
  g_unlink (file);
  g_rmdir (unet);
  g_assert_cmpint (g_rmdir (m->folder), ==, 0);
  g_free (m->folder);
}

static PipelineRun *
begin (Model *m)
{
  Status status = { 0 };
  PipelineRun *run = pipeline_run_new (m->pipeline, &m->job, &status);
  g_assert_cmpstr (status.message, ==, "");
  return run;
}

/* Of the tensor that nobody uses, without the pages at its ends, which it shares. */
static gsize
bytes_in_memory (const Model *m)
{
  const gsize page = (gsize) sysconf (_SC_PAGESIZE), n_pages = MORE_BYTES / page - 1;
  const WeightSet *set = pipeline_checkpoint (m->pipeline)->weights;
  const Weight *w = weights_find (set, "unet." MORE_NAME);
  g_assert_nonnull (w);
  Param param = weight_param (w);
  gsize begin = ((gsize) param_at (&param, 0) + page - 1) / page * page, n = 0;
  g_autofree unsigned char *in_memory = g_malloc (n_pages);
  g_assert_cmpint (mincore ((void *) begin, n_pages * page, in_memory), ==, 0);
  for (gsize i = 0; i < n_pages; i++)
    n += in_memory[i] & 1;
  return n * page;
}

static gboolean
has_room (const Model *m)
{
  if (prefetch_room (pipeline_checkpoint (m->pipeline)->weights, NULL) > 2 * MORE_BYTES)
    return TRUE;
  g_test_skip ("too little memory is free for anything to be read ahead");
  return FALSE;
}

static void
test_loading_begins_with_the_first_job (void)
{
  Model m;
  make_folder (&m);
  open_model (&m, m.folder, "cpu");
  g_assert_cmpuint (bytes_in_memory (&m), <, MORE_BYTES / 2); /* the system reads on a little */
  if (has_room (&m))
    {
      PipelineRun *run = begin (&m);
      g_assert_nonnull (m.pipeline->loading);
      prefetch_wait (m.pipeline->loading);
      g_assert_cmpuint (bytes_in_memory (&m), >, MORE_BYTES - (MORE_BYTES >> 10));
      pipeline_run_free (run);
      g_assert_null (m.pipeline->loading);
      run = begin (&m); /* what is there already is not read again */
      g_assert_null (m.pipeline->loading);
      pipeline_run_free (run);
    }
  close_model (&m);
  remove_folder (&m);
}

static void
test_loading_is_not_for_what_computes_nothing (void)
{
  Model m;
  make_folder (&m);
  open_model (&m, m.folder, "null");
  PipelineRun *run = begin (&m);
  g_assert_null (m.pipeline->loading);
  g_assert_cmpuint (bytes_in_memory (&m), <, MORE_BYTES / 2);
  pipeline_run_free (run);
  close_model (&m);
  remove_folder (&m);
}

static void
test_loading_is_not_for_small_models (void)
{
  Model m;
  g_autofree char *folder = source_path ("tests/golden/fixtures/sd15-tiny");
  open_model (&m, folder, "cpu");
  PipelineRun *run = begin (&m);
  g_assert_null (m.pipeline->loading);
  pipeline_run_free (run);
  close_model (&m);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/loading/begins-with-the-first-job", test_loading_begins_with_the_first_job);
  g_test_add_func ("/loading/is-not-for-what-computes-nothing",
                   test_loading_is_not_for_what_computes_nothing);
  g_test_add_func ("/loading/is-not-for-small-models", test_loading_is_not_for_small_models);
  return g_test_run ();
}
