/* SPDX-License-Identifier: MPL-2.0
 * make-full-size.c - checkpoints of real size with synthetic weights, for benchmarks, memory tests
 * and loaders, where there is no real one.
 *
 *   make-full-size --family sd15|sdxl --layout ldm|diffusers [--dtype f16|bf16|f32] [--seed N]
 *                  [--tokenizer FOLDER] OUTPUT
 *
 * Every value is a function of seed, canonical name and index: the same model in every layout, and
 * the same file each time.  Weights are normal with deviation 0.7 / sqrt (fan in), so that
 * activations stay of order one through the depth of these networks; norms are near 1, biases near
 * 0, but not equal to them, so that a mistaken name changes the picture.  Nothing appears under
 * OUTPUT before it is complete.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "media/file.h"
#include "tools/full-size.h"

enum
{
  CHUNK_ELEMENTS = 1 << 20,
  HEADER_ALIGNMENT = 8,
  PATH_SIZE = 4096
};

static const double WEIGHT_GAIN = 0.7;
static const double EMBEDDING_DEVIATION = 0.02, AFFINE_DEVIATION = 0.02;

typedef struct
{
  const char *family, *layout, *tokenizer, *output;
  DType dtype;
  uint64_t seed;
} Options;

typedef struct
{
  const Options *options;
  const FullSize *model;
  WeightSet *set;
  AtomicFile file;
  float *values, *matrix; /* CHUNK_ELEMENTS; the biggest transposed tensor */
  void *encoded;
  int64_t n_done, n_total; /* elements of the model */
  int percent_told;
  Status *status;
} Maker;

/* ---- values ---- */

/* Steele, Lea, Flood 2014: SplitMix64's output function. */
static inline uint64_t
mix (uint64_t z)
{
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

static uint64_t
stream_of (uint64_t seed, const char *name)
{
  uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
  for (; *name; name++)
    h = (h ^ (uint8_t) *name) * 0x100000001b3u;
  return mix (h ^ mix (seed));
}

/* Sums of four 16-bit uniforms: close to normal, and a second a billion. */
static void
draw (float *out, uint64_t stream, int64_t first, int64_t n, float mean, float deviation)
{
  const float scale = deviation * (float) (sqrt (3.0) / 65536);
  for (int64_t i = 0; i < n; i++)
    {
      uint64_t r = mix (stream + (uint64_t) (first + i) * 0x9e3779b97f4a7c15u);
      int sum = (int) (r & 0xffff) + (int) (r >> 16 & 0xffff) + (int) (r >> 32 & 0xffff) +
                (int) (r >> 48);
      out[i] = mean + scale * (float) (sum - 2 * 65535);
    }
}

static bool
ends_with (const char *text, const char *end)
{
  size_t n = strlen (text), m = strlen (end);
  return n >= m && strcmp (text + n - m, end) == 0;
}

static int64_t
count_elements (int rank, const int64_t *ne)
{
  int64_t n = 1;
  for (int i = 0; i < rank; i++)
    n *= ne[i];
  return n;
}

static void
draw_weight (const Maker *m, const Weight *w, float *out, int64_t first, int64_t n)
{
  bool is_bias = ends_with (w->name, ".bias"), is_norm = !is_bias && w->rank == 1;
  bool is_embedding = strstr (w->name, ".embeddings.") != NULL;
  double fan_in = w->rank > 1 ? (double) (count_elements (w->rank, w->ne) / w->ne[0]) : 1;
  double deviation = is_bias || is_norm ? AFFINE_DEVIATION
                     : is_embedding     ? EMBEDDING_DEVIATION
                                        : WEIGHT_GAIN / sqrt (fan_in);
  draw (out, stream_of (m->options->seed, w->name), first, n, is_norm ? 1 : 0, (float) deviation);
}

/* ---- one safetensors file ---- */

static void
tell (Maker *m, int64_t n)
{
  m->n_done += n;
  int percent = (int) (100 * m->n_done / m->n_total);
  if (percent / 10 > m->percent_told / 10)
    fprintf (stderr, "%s %s: %d %%\n", m->options->family, m->options->layout, percent);
  m->percent_told = percent;
}

static bool
write_values (Maker *m, const float *values, int64_t n)
{
  DType dtype = m->options->dtype;
  uint16_t *half = m->encoded;
  const void *bytes = dtype == DTYPE_F32 ? (const void *) values : half;
  for (int64_t i = 0; dtype != DTYPE_F32 && i < n; i++)
    half[i] = dtype == DTYPE_F16 ? f32_to_f16 (values[i]) : f32_to_bf16 (values[i]);
  tell (m, n);
  return atomic_file_write (&m->file, bytes, (size_t) n * dtype_size (dtype), m->status);
}

static bool
write_rows (Maker *m, const Weight *w)
{
  int64_t total = count_elements (w->rank, w->ne);
  for (int64_t first = 0; first < total; first += CHUNK_ELEMENTS)
    {
      int64_t n = total - first < CHUNK_ELEMENTS ? total - first : CHUNK_ELEMENTS;
      draw_weight (m, w, m->values, first, n);
      if (!write_values (m, m->values, n))
        return false;
    }
  return true;
}

/* The file's (in, out) of the model's (out, in). */
static bool
write_transposed (Maker *m, const Weight *w)
{
  int64_t rows = w->ne[0], columns = w->ne[1];
  m->matrix = mem_calloc ((size_t) (rows * columns), sizeof *m->matrix);
  if (!m->matrix)
    return status_fail (m->status, STATUS_NO_MEMORY, "Out of memory.");
  draw_weight (m, w, m->matrix, 0, rows * columns);
  bool ok = rows <= CHUNK_ELEMENTS;
  for (int64_t j = 0; ok && j < columns; j++)
    {
      for (int64_t i = 0; i < rows; i++)
        m->values[i] = m->matrix[i * columns + j];
      ok = write_values (m, m->values, rows);
    }
  mem_free (m->matrix);
  return ok;
}

static bool
is_ldm (const Maker *m)
{
  return strcmp (m->options->layout, "ldm") == 0;
}

/* The @i-th weight's tensor in the file of @part.  Returns: false when it has none of its own */
static bool
tensor_at (const Maker *m, int i, const char *part, StoredTensor *out)
{
  const Weight *w = weights_at (m->set, i);
  if (is_ldm (m))
    return ldm_tensor (m->model, m->set, w, out);
  if (strncmp (w->name, part, strlen (part)) != 0)
    return false;
  diffusers_tensor (m->model, w, out);
  return true;
}

static bool
write_header (Maker *m, const char *part)
{
  static const char *const type_names[] = {
    [DTYPE_F32] = "F32", [DTYPE_F16] = "F16", [DTYPE_BF16] = "BF16"
  };
  char *text = NULL;
  size_t n_text = 0;
  FILE *out = open_memstream (&text, &n_text);
  if (!out)
    return status_fail (m->status, STATUS_NO_MEMORY, "Out of memory.");
  fprintf (out, "{\"__metadata__\":{\"format\":\"pt\"}");
  int64_t offset = 0;
  for (int i = 0; i < weights_count (m->set); i++)
    {
      StoredTensor t;
      if (!tensor_at (m, i, part, &t))
        continue;
      fprintf (out, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", t.name, type_names[m->options->dtype]);
      for (int d = 0; d < t.rank; d++)
        fprintf (out, "%s%" PRId64, d ? "," : "", t.ne[d]);
      int64_t end =
          offset + count_elements (t.rank, t.ne) * (int64_t) dtype_size (m->options->dtype);
      fprintf (out, "],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}", offset, end);
      offset = end;
    }
  fputc ('}', out);
  while (ftell (out) % HEADER_ALIGNMENT)
    fputc (' ', out);
  bool ok = fclose (out) == 0 || status_fail (m->status, STATUS_NO_MEMORY, "Out of memory.");
  uint64_t length = n_text; /* little endian, as this program's processors are */
  ok = ok && atomic_file_write (&m->file, &length, sizeof length, m->status) &&
       atomic_file_write (&m->file, text, n_text, m->status);
  free (text);
  return ok;
}

static bool
write_weights (Maker *m, const char *path, const char *part)
{
  bool ok = atomic_file_open (&m->file, path, m->status) && write_header (m, part);
  for (int i = 0; ok && i < weights_count (m->set); i++)
    {
      StoredTensor t;
      if (!tensor_at (m, i, part, &t))
        continue;
      for (int s = 0; ok && s < t.n_sources; s++)
        ok = t.transpose ? write_transposed (m, t.source[s]) : write_rows (m, t.source[s]);
    }
  ok = ok && atomic_file_commit (&m->file, false, m->status);
  atomic_file_discard (&m->file);
  return ok;
}

/* ---- the folder ---- */

static bool
make_folder (const char *path, Status *status)
{
  return mkdir (path, 0777) == 0 ||
         status_fail (status, STATUS_IO, "%s cannot be made: %s.", path, strerror (errno));
}

static FILE *
create (const char *root, const char *name, Status *status)
{
  char path[PATH_SIZE];
  snprintf (path, sizeof path, "%s/%s", root, name);
  FILE *out = fopen (path, "w");
  if (!out)
    status_fail (status, STATUS_IO, "%s cannot be written: %s.", path, strerror (errno));
  return out;
}

static bool
close_written (FILE *out, Status *status)
{
  bool failed = ferror (out);
  return (fclose (out) == 0 && !failed) ||
         status_fail (status, STATUS_IO, "The disk is full, or a small file cannot be written.");
}

static bool
copy_merges (FILE *merges, FILE *out)
{
  for (int c; (c = fgetc (merges)) != EOF;)
    fputc (c, out);
  rewind (merges);
  return !ferror (merges);
}

static bool
write_tokenizer (const Maker *m, const char *root, const char *folder)
{
  char path[PATH_SIZE], name[64];
  snprintf (path, sizeof path, "%s/merges.txt", m->options->tokenizer);
  FILE *merges = fopen (path, "r");
  if (!merges)
    return status_fail (m->status, STATUS_IO,
                        "%s cannot be read: name its folder with --tokenizer.", path);
  snprintf (name, sizeof name, "%s/merges.txt", folder);
  FILE *out = create (root, name, m->status);
  bool ok = out && copy_merges (merges, out) && close_written (out, m->status);
  snprintf (name, sizeof name, "%s/vocab.json", folder);
  out = ok ? create (root, name, m->status) : NULL;
  ok = out && full_size_write_vocab (merges, out) && close_written (out, m->status);
  fclose (merges);
  return ok;
}

static bool
write_configs (const Maker *m, const char *root)
{
  for (const ConfigFile *c = full_size_configs; c->path; c++)
    {
      if (c->xl_only && !m->model->is_xl)
        continue;
      FILE *out = create (root, c->path, m->status);
      if (!out)
        return false;
      c->write (m->model, out);
      if (!close_written (out, m->status))
        return false;
    }
  return write_tokenizer (m, root, "tokenizer") &&
         (!m->model->is_xl || write_tokenizer (m, root, "tokenizer_2"));
}

static const struct
{
  const char *folder, *prefix, *file; /* @file NULL: no weights */
  bool xl_only;
} parts[] = {
  { "scheduler", NULL, NULL, false },
  { "tokenizer", NULL, NULL, false },
  { "tokenizer_2", NULL, NULL, true },
  { "text_encoder", "text_encoder.", "model.safetensors", false },
  { "text_encoder_2", "text_encoder_2.", "model.safetensors", true },
  { "unet", "unet.", "diffusion_pytorch_model.safetensors", false },
  { "vae", "vae.", "diffusion_pytorch_model.safetensors", false },
};

/* A run that was cut short leaves OUTPUT.part, which has to be removed by hand. */
static bool
write_folder (Maker *m)
{
  char root[PATH_SIZE - 128], path[PATH_SIZE];
  snprintf (root, sizeof root, "%s.part", m->options->output);
  bool ok = make_folder (root, m->status);
  for (size_t i = 0; ok && i < sizeof parts / sizeof *parts; i++)
    {
      if (parts[i].xl_only && !m->model->is_xl)
        continue;
      snprintf (path, sizeof path, "%s/%s", root, parts[i].folder);
      ok = make_folder (path, m->status);
      snprintf (path, sizeof path, "%s/%s/%s", root, parts[i].folder, parts[i].file);
      if (ok && parts[i].file)
        ok = write_weights (m, path, parts[i].prefix);
    }
  ok = ok && write_configs (m, root);
  if (ok && rename (root, m->options->output) != 0)
    ok = status_fail (m->status, STATUS_IO, "%s cannot be renamed: %s.", root, strerror (errno));
  return ok;
}

static bool
make (Maker *m)
{
  const Options *o = m->options;
  if (access (o->output, F_OK) == 0)
    return status_fail (m->status, STATUS_ARGUMENT, "%s exists: remove it first.", o->output);
  m->set = full_size_declare (m->model, m->status);
  m->values = mem_calloc (CHUNK_ELEMENTS, sizeof (float));
  m->encoded = mem_calloc (CHUNK_ELEMENTS, sizeof (uint16_t));
  if (!m->set || !m->values || !m->encoded)
    return status_fail (m->status, STATUS_NO_MEMORY, "Out of memory.");
  m->n_total = weights_parameters (m->set, "");
  return is_ldm (m) ? write_weights (m, o->output, "") : write_folder (m);
}

/* ---- command line ---- */

static bool
parse (Options *o, int argc, char **argv, Status *status)
{
  *o = (Options){ .family = "sd15", .layout = "ldm", .tokenizer = ".", .dtype = DTYPE_F16 };
  for (int i = 1; i < argc; i++)
    {
      const char *value = i + 1 < argc ? argv[i + 1] : "";
      if (argv[i][0] != '-')
        {
          o->output = argv[i];
          continue;
        }
      if (!strcmp (argv[i], "--family"))
        o->family = value;
      else if (!strcmp (argv[i], "--layout"))
        o->layout = value;
      else if (!strcmp (argv[i], "--tokenizer"))
        o->tokenizer = value;
      else if (!strcmp (argv[i], "--seed"))
        o->seed = strtoull (value, NULL, 10);
      else if (!strcmp (argv[i], "--dtype"))
        for (o->dtype = DTYPE_F32; o->dtype < DTYPE_F64 && strcmp (dtype_name (o->dtype), value);)
          o->dtype++;
      else
        return status_fail (status, STATUS_ARGUMENT, "There is no flag %s.", argv[i]);
      i++;
    }
  bool layout = !strcmp (o->layout, "ldm") || !strcmp (o->layout, "diffusers");
  if (!o->output || !layout || !dtype_is_real (o->dtype) || !full_size_find (o->family))
    return status_fail (status, STATUS_ARGUMENT,
                        "usage: make-full-size --family sd15|sdxl --layout ldm|diffusers "
                        "[--dtype f16|bf16|f32] [--seed N] [--tokenizer FOLDER] OUTPUT");
  return true;
}

int
main (int argc, char **argv)
{
  Options options;
  Status status = { 0 };
  Maker m = { .options = &options, .status = &status };
  bool ok = parse (&options, argc, argv, &status);
  if (ok)
    {
      m.model = full_size_find (options.family);
      ok = make (&m);
    }
  if (!ok)
    fprintf (stderr, "make-full-size: %s\n", status.message);
  mem_free (m.values);
  mem_free (m.encoded);
  if (m.set)
    weights_free (m.set);
  return ok ? 0 : 1;
}
