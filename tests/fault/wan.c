/* SPDX-License-Identifier: MPL-2.0
 * wan.c - what is wrong with clips: parts that are missing or belong to another model, sizes that
 * cannot be, files that somebody changed.  Each ends in a sentence that says what to do.
 *
 * fault-wan; GESSO_SOURCE names the source tree.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "pipelines/pipeline.h"
#include "support/tap.h"

enum
{
  PATH_SIZE = 4096,
  SIDE = 32,
  N_MUTATIONS = 150, /* a file */
  HEADER_BYTES = 4096
};

typedef struct
{
  char fixtures[PATH_SIZE / 4], temp[PATH_SIZE / 4];
} Suite;

static bool
is_sentence (const char *text)
{
  size_t n = strlen (text);
  return n >= 10 && text[n - 1] == '.' && !strchr (text, '\n') && !strstr (text, "(null)");
}

/* ---- one clip ---- */

typedef struct
{
  const char *name;
  const char *model, *vae, *expert; /* in the fixtures; NULL: none */
  bool first, last;
  int width, height, n_frames, steps; /* 0: as usual */
  const char *says;
} Wrong;

static const uint8_t frame[SIDE * SIDE * 3];

static void
fill_job (PipelineJob *job, const Wrong *w)
{
  job->prompt = "a fox";
  job->negative_prompt = "";
  job->width = w->width ? w->width : SIDE;
  job->height = w->height ? w->height : SIDE;
  job->n_frames = w->n_frames ? w->n_frames : 5;
  job->n_frames = job->n_frames == -1 ? 0 : job->n_frames;
  job->steps = w->steps ? w->steps : 2;
  job->max_tokens = 16;
  job->first_rgb = w->first ? frame : NULL;
  job->last_rgb = w->last ? frame : NULL;
}

static bool
make_clip (const PipelineSource *source, const Wrong *w, Status *status)
{
  PipelineJob job;
  PipelineResult result = { 0 };
  Backend *backend = backend_cpu_new (NULL, 1, status);
  Pipeline *pipeline = backend ? pipeline_open (source, backend, status) : NULL;
  bool ok = false;
  if (pipeline)
    {
      pipeline_job_defaults (pipeline_checkpoint (pipeline), &job);
      fill_job (&job, w);
      ok = pipeline_generate (pipeline, &job, &result, status);
    }
  pipeline_result_clear (&result);
  pipeline_free (pipeline);
  if (backend)
    backend_free (backend);
  return ok;
}

static const char *
in_fixtures (const Suite *s, const char *name, char *path)
{
  if (!name)
    return NULL;
  snprintf (path, PATH_SIZE, "%s/%s", s->fixtures, name);
  return path;
}

static const Wrong wrongs[] = {
  { .name = "vae-of-2.1-with-5b-latents",
    .model = "wan/ti2v",
    .vae = "wan-vae/wan21",
    .says = "latents of 16 channels" },
  { .name = "vae-of-pictures",
    .model = "wan-tiny",
    .vae = "sd15-tiny/vae",
    .says = "a model of pictures" },
  { .name = "expert-that-is-none", .model = "wan-tiny", .expert = "wan-vae/wan21", .says = "kind" },
  { .name = "no-frames", .model = "wan-tiny", .n_frames = -1, .says = "choose 1 frames, not 0" },
  { .name = "4-frames", .model = "wan-tiny", .n_frames = 4, .says = "choose 5 frames, not 4" },
  { .name = "6-frames", .model = "wan-tiny", .n_frames = 6, .says = "choose 5 frames, not 6" },
  { .name = "minus-frames", .model = "wan-tiny", .n_frames = -7, .says = "not -7" },
  { .name = "too-many-frames",
    .model = "wan-tiny",
    .n_frames = 400001,
    .says = "fewer or smaller" },
  { .name = "width", .model = "wan-tiny", .width = 40, .says = "multiples of 16" },
  { .name = "height", .model = "wan-tiny", .height = 8, .says = "multiples of 16" },
  { .name = "no-steps", .model = "wan-tiny", .steps = -1, .says = "steps" },
  { .name = "first-frame-of-t2v", .model = "wan-tiny", .first = true, .says = "words alone" },
  { .name = "i2v-without-frame", .model = "wan-tiny-i2v", .says = "give it a first frame" },
  { .name = "i2v-2.1-without-frame", .model = "wan-tiny-i2v21", .says = "give it a first frame" },
  { .name = "flf-with-one", .model = "wan-tiny-flf", .first = true, .says = "give it both" },
  { .name = "last-of-ti2v", .model = "wan-tiny-ti2v", .last = true, .says = "no last one" },
  { .name = "last-of-one-frame",
    .model = "wan-tiny-i2v",
    .first = true,
    .last = true,
    .n_frames = 1,
    .says = "has no last one" },
};

static void
test_wrong (Suite *s, const Wrong *w)
{
  char model[PATH_SIZE], vae[PATH_SIZE], expert[PATH_SIZE], name[64];
  Status status = { 0 };
  const PipelineSource source = { .model_path = in_fixtures (s, w->model, model),
                                  .vae_path = in_fixtures (s, w->vae, vae),
                                  .expert_path = in_fixtures (s, w->expert, expert),
                                  .tokenizers_dir = "" };
  int64_t live = mem_live ();
  bool ok = make_clip (&source, w, &status);
  snprintf (name, sizeof name, "refused/%s", w->name);
  tap_ok (!ok && is_sentence (status.message) && strstr (status.message, w->says) &&
              mem_live () == live,
          name, "%s", ok ? "was made" : status.message);
}

/* ---- folders with parts missing ---- */

static void
link_part (const Suite *s, const char *model, const char *part)
{
  char from[PATH_SIZE], to[PATH_SIZE];
  snprintf (from, sizeof from, "%s/%s/%s", s->fixtures, model, part);
  snprintf (to, sizeof to, "%s/model/%s", s->temp, part);
  if (symlink (from, to) != 0)
    tap_ok (false, "missing", "%s cannot be linked", part);
}

static const char *const parts[] = {
  "model_index.json", "scheduler",     "text_encoder", "tokenizer",
  "transformer",      "transformer_2", "vae",          "image_encoder"
};

static void
clear_model (const Suite *s)
{
  char path[PATH_SIZE];
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    {
      snprintf (path, sizeof path, "%s/model/%s", s->temp, parts[i]);
      unlink (path);
    }
  snprintf (path, sizeof path, "%s/model", s->temp);
  rmdir (path);
}

/* @model without @missing */
static void
test_missing (Suite *s, const char *model, const char *missing, const char *says)
{
  char path[PATH_SIZE], name[128], there[PATH_SIZE];
  Status status = { 0 };
  snprintf (path, sizeof path, "%s/model", s->temp);
  mkdir (path, 0777);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    {
      snprintf (there, sizeof there, "%s/%s/%s", s->fixtures, model, parts[i]);
      if (strcmp (parts[i], missing) != 0 && access (there, F_OK) == 0)
        link_part (s, model, parts[i]);
    }
  const Wrong w = { .first = strstr (model, "i2v") != NULL };
  bool ok = make_clip (&(PipelineSource){ .model_path = path, .tokenizers_dir = "" }, &w, &status);
  snprintf (name, sizeof name, "missing/%s/%s", model, missing);
  tap_ok (!ok && is_sentence (status.message) && strstr (status.message, says), name, "%s",
          ok ? "was made" : status.message);
  clear_model (s);
}

/* ---- files that somebody changed ---- */

static uint32_t
next (uint32_t *x)
{
  *x = *x * 1664525u + 1013904223u;
  return *x >> 8;
}

typedef struct
{
  uint8_t *bytes;
  size_t size;
} File;

static bool
read_file (const char *path, File *f)
{
  FILE *in = fopen (path, "rb");
  struct stat st;
  *f = (File){ NULL, 0 };
  if (in && stat (path, &st) == 0 && st.st_size > 0)
    {
      f->size = (size_t) st.st_size;
      f->bytes = mem_calloc (f->size, 1);
      if (f->bytes && fread (f->bytes, 1, f->size, in) != f->size)
        f->size = 0;
    }
  if (in)
    fclose (in);
  return f->bytes && f->size > 0;
}

static bool
write_mutant (const char *path, const File *f, uint32_t seed)
{
  uint32_t x = seed;
  size_t near = f->size < HEADER_BYTES ? f->size : HEADER_BYTES, n = f->size;
  uint8_t *copy = mem_calloc (f->size, 1);
  if (!copy)
    return false;
  memcpy (copy, f->bytes, f->size);
  for (uint32_t i = 0, k = 1 + next (&x) % 6; i < k; i++)
    copy[next (&x) % near] = (uint8_t) next (&x);
  if (seed % 4 == 0)
    n = next (&x) % f->size;
  FILE *out = fopen (path, "wb");
  bool ok = out && fwrite (copy, 1, n, out) == n;
  if (out)
    ok = fclose (out) == 0 && ok;
  mem_free (copy);
  return ok;
}

/* Opens and computes, or says what is wrong: with which values does not matter here. */
static void
test_mutants (Suite *s, const char *file)
{
  char from[PATH_SIZE], path[PATH_SIZE], name[128], worst[STATUS_MESSAGE_SIZE] = "";
  File f;
  int n_opened = 0, n_wrong = 0;
  snprintf (from, sizeof from, "%s/%s", s->fixtures, file);
  snprintf (path, sizeof path, "%s/mutant%s", s->temp, strrchr (file, '.'));
  bool ok = read_file (from, &f);
  int64_t live = mem_live ();
  for (uint32_t seed = 1; ok && seed <= N_MUTATIONS; seed++)
    {
      Status status = { 0 };
      ok = write_mutant (path, &f, seed);
      Checkpoint *c = checkpoint_open (path, false, &status);
      if (c)
        pipeline_bind_report (c);
      n_opened += c != NULL;
      if ((!c && !is_sentence (status.message)) || (c && !status_ok (&status)))
        {
          n_wrong++;
          snprintf (worst, sizeof worst, "%s", status.message);
        }
      checkpoint_free (c);
    }
  bool leaks = mem_live () != live;
  mem_free (f.bytes);
  unlink (path);
  snprintf (name, sizeof name, "mutants/%s", file);
  tap_ok (ok && n_wrong == 0 && !leaks && n_opened < N_MUTATIONS, name,
          "%d of %d open, %d wrong %s%s", n_opened, N_MUTATIONS, n_wrong, worst,
          leaks ? ", and leaks" : "");
}

int
main (void)
{
  const char *source = getenv ("GESSO_SOURCE"), *temp = getenv ("TMPDIR");
  Suite s = { 0 };
  snprintf (s.fixtures, sizeof s.fixtures, "%.900s/tests/golden/fixtures", source ? source : ".");
  snprintf (s.temp, sizeof s.temp, "%.900s/gesso-fault-XXXXXX", temp ? temp : "/tmp");
  if (!mkdtemp (s.temp))
    {
      printf ("Bail out! no temporary folder: %s\n", strerror (errno));
      return EXIT_FAILURE;
    }
  for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++)
    test_wrong (&s, &wrongs[i]);
  test_missing (&s, "wan-tiny", "transformer", "no Wan transformer");
  test_missing (&s, "wan-tiny", "transformer_2", "--model-2");
  test_missing (&s, "wan-tiny", "vae", "lacks the VAE");
  test_missing (&s, "wan-tiny", "text_encoder", "lacks umT5-XXL");
  test_missing (&s, "wan-tiny", "tokenizer", "tokenizer");
  test_missing (&s, "wan-tiny-i2v21", "image_encoder", "lacks CLIP-H");
  static const char *const files[] = {
    "wan/plain.safetensors",
    "wan/plain-q8.gguf",
    "wan/plain-fp8.safetensors",
    "wan/flf.safetensors",
    "vision/wan.safetensors",
    "vision/openclip.safetensors",
    "wan-tiny/vae/diffusion_pytorch_model.safetensors",
  };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    test_mutants (&s, files[i]);
  rmdir (s.temp);
  return tap_end ();
}
