/* SPDX-License-Identifier: MPL-2.0
 * test-formats.c - quantised formats against what their own programs decode
 * (tests/golden/format_cases.py), to the bit, and every CPU level against the scalar decoders.
 */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "core/blocks.h"
#include "weights/encode.h"
#include "weights/gguf.h"
#include "weights/quantised.h"
#include "weights/source.h"
#include "weights/token-pieces.h"

typedef struct
{
  WeightSet *set;
  Source source;
} File;

static void
file_open (File *f, const char *name)
{
  Status status = { 0 };
  g_autofree char *path = g_build_filename (g_getenv ("GESSO_SOURCE"), "tests", "golden",
                                            "fixtures", "formats", name, NULL);
  f->set = weights_new (&status);
  if (!source_read (&f->source, f->set, path, false, &status))
    g_error ("%s", status.message);
}

static void
file_close (File *f)
{
  source_clear (&f->source);
  weights_free (f->set);
}

static int64_t
elements (const FileTensor *t)
{
  uint64_t n = 0;
  g_assert_true (shape_elements (t->ne, t->rank, &n));
  return (int64_t) n;
}

/* To the bit, but for the bits of NaNs and the sign of zeros, which no program promises. */
static void
assert_same (const float *have, const float *want, int64_t n, const char *what)
{
  for (int64_t i = 0; i < n; i++)
    if (have[i] != want[i] && !(isnan (have[i]) && isnan (want[i])))
      g_error ("%s: element %lld is %.9g, not %.9g", what, (long long) i, (double) have[i],
               (double) want[i]);
}

/* @f's tensor NAME.blocks as a parameter and NAME.values. */
static Param
blocks_of (const File *f, DType dtype, const float **values, int64_t *n)
{
  char name[32];
  g_snprintf (name, sizeof name, "%s.blocks", dtype_name (dtype));
  const FileTensor *blocks = table_find (&f->source.table, name);
  g_snprintf (name, sizeof name, "%s.values", dtype_name (dtype));
  const FileTensor *t = table_find (&f->source.table, name);
  g_assert_nonnull (blocks);
  g_assert_nonnull (t);
  *n = elements (t);
  g_assert_cmpint (dtype_bytes (dtype, *n), ==, (gint64) blocks->n_bytes);
  *values = (const float *) (const void *) t->data;
  return (Param){ .data = blocks->data, .dtype = dtype };
}

static bool
has_blocks (DType dtype)
{
  return dtype >= DTYPE_F8_E4M3 && dtype < DTYPE_NF4;
}

static void
test_formats_blocks_as_their_programs (void)
{
  File f;
  file_open (&f, "blocks.safetensors");
  for (DType dtype = 0; dtype < DTYPE_COUNT; dtype++)
    {
      const float *want;
      int64_t n;
      if (!has_blocks (dtype))
        continue;
      Param p = blocks_of (&f, dtype, &want, &n);
      g_autofree float *have = g_new (float, n);
      param_to_f32 (have, &p, 0, n);
      assert_same (have, want, n, dtype_name (dtype));
    }
  file_close (&f);
}

static void
test_formats_any_range (void)
{
  File f;
  file_open (&f, "blocks.safetensors");
  for (DType dtype = 0; dtype < DTYPE_COUNT; dtype++)
    {
      const float *want;
      int64_t n;
      if (!has_blocks (dtype))
        continue;
      Param p = blocks_of (&f, dtype, &want, &n);
      for (int64_t first = 0; first < n; first += 37)
        for (int64_t count = 1; first + count <= n && count < 600; count += 71)
          {
            float have[600];
            Param part = param_from (p, first / 2);
            param_to_f32 (have, &part, first - first / 2, count);
            assert_same (have, want + first, count, dtype_name (dtype));
          }
    }
  file_close (&f);
}

/* y = I W^T: what a level's decoders make of W.  Infinities and NaNs would spread. */
static void
check_level (Backend *b, const Param *p, const float *want, int64_t n, int64_t n_in)
{
  int64_t n_out = n / n_in;
  g_autofree float *x = g_new0 (float, n_in *n_in), *y = g_new (float, n_in *n_out);
  for (int64_t i = 0; i < n_in; i++)
    x[i * n_in + i] = 1;
  LinearArgs a = { .n_rows = n_in,
                   .n_out = n_out,
                   .n_in = n_in,
                   .x = x,
                   .x_stride = n_in,
                   .w = *p,
                   .y = y,
                   .y_stride = n_out,
                   .compute = COMPUTE_F32 };
  b->ops.linear (b, &a);
  for (int64_t i = 0; i < n_in; i++)
    for (int64_t o = 0; o < n_out; o++)
      g_assert_cmpfloat (y[i * n_out + o], ==, want[o * n_in + i]);
}

static void
test_formats_levels_agree (void)
{
  static const char *const levels[] = { "ref", "sse2", "avx2", "avx512", "avx512bf16", "amx" };
  static const int64_t widths[] = { 3, 32, 96, 256 };
  File f;
  file_open (&f, "blocks.safetensors");
  for (size_t l = 0; l < G_N_ELEMENTS (levels); l++)
    {
      Status status = { 0 };
      Backend *b = backend_cpu_new (levels[l], 1, &status);
      for (DType dtype = 0; b && dtype < DTYPE_COUNT; dtype++)
        {
          const float *want;
          int64_t n;
          if (!has_blocks (dtype))
            continue;
          Param p = blocks_of (&f, dtype, &want, &n);
          g_autofree float *finite = g_memdup2 (want, (size_t) n * sizeof *want);
          g_autofree uint8_t *bytes = g_memdup2 (p.data, (size_t) dtype_bytes (dtype, n));
          p.data = bytes;
          for (int64_t i = 0; dtype_size (dtype) == 1 && i < n; i++)
            if (!isfinite (finite[i]))
              finite[i] = bytes[i] = 0;
          for (size_t i = 0; i < G_N_ELEMENTS (widths); i++)
            check_level (b, &p, finite, n, widths[i]);
        }
      if (b)
        backend_free (b);
      else
        g_test_message ("this processor has no %s", levels[l]);
    }
  file_close (&f);
}

/* ---- encoders ---- */

static void
test_formats_encode_as_their_programs (void)
{
  static const DType types[] = { DTYPE_Q8_0, DTYPE_F8_E4M3 };
  File f;
  file_open (&f, "blocks.safetensors");
  const FileTensor *values = table_find (&f.source.table, "encode.values");
  g_assert_nonnull (values);
  int64_t n = elements (values);
  for (size_t i = 0; i < G_N_ELEMENTS (types); i++)
    {
      char name[32];
      g_snprintf (name, sizeof name, "encode.%s", dtype_name (types[i]));
      const FileTensor *want = table_find (&f.source.table, name);
      g_assert_nonnull (want);
      g_autofree uint8_t *have = g_malloc0 (want->n_bytes);
      encode (have, types[i], (const float *) (const void *) values->data, n);
      g_assert_cmpmem (have, want->n_bytes, want->data, want->n_bytes);
    }
  file_close (&f);
}

static double
relative_rms (const float *x, int64_t n, DType dtype)
{
  g_autofree uint8_t *bytes = g_malloc ((gsize) dtype_bytes (dtype, n));
  g_autofree float *again = g_new (float, n);
  Param p = { .data = bytes, .dtype = dtype };
  double squares = 0, errors = 0;
  encode (bytes, dtype, x, n);
  param_to_f32 (again, &p, 0, n);
  for (int64_t i = 0; i < n; i++)
    {
      squares += (double) x[i] * x[i];
      errors += ((double) again[i] - x[i]) * ((double) again[i] - x[i]);
    }
  return squares > 0 ? sqrt (errors / squares) : errors;
}

/* Of 16 steps over the range of 32 normal numbers (4.1 deviations) an even grid's error is
 * 4.1 / 15 / sqrt (12) = 0.079; fitting has to be better than that. */
static void
test_formats_encode_q4_k (void)
{
  enum
  {
    N = 256 * 64
  };
  g_autofree float *x = g_new (float, N);
  GRand *rand = g_rand_new_with_seed (7);
  for (int i = 0; i < N; i++)
    {
      double u = g_rand_double (rand), v = g_rand_double (rand);
      x[i] = (float) (0.03 * sqrt (-2 * log (1 - u)) * cos (2 * G_PI * v));
    }
  g_test_message ("normal numbers: %g", relative_rms (x, N, DTYPE_Q4_K));
  g_assert_cmpfloat (relative_rms (x, N, DTYPE_Q4_K), <, 0.076);
  for (int i = 0; i < N; i++)
    x[i] = (float) (i % 16) * 0.5f; /* a grid of 16 steps: only the scales' six bits are lost */
  g_assert_cmpfloat (relative_rms (x, N, DTYPE_Q4_K), <, 1e-3);
  for (int i = 0; i < N; i++)
    x[i] = 0;
  g_assert_cmpfloat (relative_rms (x, N, DTYPE_Q4_K), ==, 0);
  for (int i = 0; i < N; i++)
    x[i] = 5; /* no range at all */
  g_assert_cmpfloat (relative_rms (x, N, DTYPE_Q4_K), <, 1e-3);
  g_rand_free (rand);
}

/* ---- files ---- */

static void
assert_tensor (const FileTensor *t, const FileTensor *want)
{
  g_assert_cmpint (t->rank, ==, want->rank);
  for (int d = 0; d < t->rank; d++)
    g_assert_cmpint (t->ne[d], ==, want->ne[d]);
  int64_t n = elements (t);
  Param p = { .data = t->data, .dtype = t->dtype, .quant = t->quant };
  g_autofree float *have = g_new (float, n);
  param_to_f32 (have, &p, 0, n);
  assert_same (have, (const float *) (const void *) want->data, n, want->name);
}

/* Every tensor of fixture @name has the values that its own program reads, and none is left over.
 */
static void
check_file (const char *name)
{
  File f, expect;
  size_t n_checked = 0, n_expected = 0;
  file_open (&f, name);
  file_open (&expect, "expect.safetensors");
  g_autofree char *prefix = g_strconcat (name, ":", NULL);
  for (size_t i = 0; i < expect.source.table.n_items; i++)
    n_expected += g_str_has_prefix (expect.source.table.items[i].name, prefix);
  for (size_t i = 0; i < f.source.table.n_items; i++)
    {
      const FileTensor *t = &f.source.table.items[i];
      if (t->is_companion)
        continue;
      const FileTensor *want = table_find_under (&expect.source.table, prefix, t->name);
      if (!want)
        g_error ("%s: nobody expects %s", name, t->name);
      assert_tensor (t, want);
      n_checked++;
    }
  g_assert_cmpuint (n_checked, ==, n_expected);
  g_assert_cmpuint (n_checked, >, 0);
  file_close (&expect);
  file_close (&f);
}

static void
test_formats_files_as_their_programs (void)
{
  check_file ("layers.gguf");
  check_file ("t5.gguf");
  check_file ("bnb-nf4.safetensors");
  check_file ("bnb-nf4-nested.safetensors");
  check_file ("bnb-fp4.safetensors");
  check_file ("fp8-scaled.safetensors");
}

/* A part of a fused tensor, as names that split q, k and v make it, from any row on. */
static void
check_rows (const char *name, const char *tensor)
{
  File f;
  file_open (&f, name);
  const FileTensor *t = table_find (&f.source.table, tensor);
  g_assert_nonnull (t);
  int64_t n = elements (t), row = t->ne[1];
  Param whole = { .data = t->data, .dtype = t->dtype, .quant = t->quant };
  g_autofree float *want = g_new (float, n), *have = g_new (float, n);
  param_to_f32 (want, &whole, 0, n);
  for (int64_t first = 0; first < t->ne[0]; first += 5)
    {
      Param part = param_from (whole, first * row);
      param_to_f32 (have, &part, 0, n - first * row);
      assert_same (have, want + first * row, n - first * row, tensor);
    }
  file_close (&f);
}

static void
test_formats_rows_of_fused (void)
{
  check_rows ("layers.gguf", "fused.weight"); /* rows of 80 in blocks of 256 */
  check_rows ("bnb-nf4-nested.safetensors", "layer.weight");
  check_rows ("fp8-scaled.safetensors", "row.weight");
}

/* A quantised layer through the CPU's levels: the scales and codes of bitsandbytes and fp8. */
static void
test_formats_scales_on_every_level (void)
{
  static const char *const files[] = { "bnb-nf4.safetensors", "bnb-nf4-nested.safetensors",
                                       "bnb-fp4.safetensors", "fp8-scaled.safetensors" };
  static const char *const levels[] = { "sse2", "avx2", "avx512", "avx512bf16", "amx" };
  for (size_t i = 0; i < G_N_ELEMENTS (files); i++)
    for (size_t l = 0; l < G_N_ELEMENTS (levels); l++)
      {
        File f;
        Status status = { 0 };
        Backend *b = backend_cpu_new (levels[l], 1, &status);
        file_open (&f, files[i]);
        for (size_t k = 0; b && k < f.source.table.n_items; k++)
          {
            const FileTensor *t = &f.source.table.items[k];
            if (t->is_companion || t->rank != 2)
              continue;
            int64_t n = elements (t);
            Param p = { .data = t->data, .dtype = t->dtype, .quant = t->quant };
            g_autofree float *want = g_new (float, n);
            param_to_f32 (want, &p, 0, n);
            check_level (b, &p, want, n, t->ne[1]);
          }
        if (b)
          backend_free (b);
        file_close (&f);
      }
}

static void
test_formats_tokenizer_in_metadata (void)
{
  File f;
  const TokenPieces *p;
  Status status = { 0 };
  file_open (&f, "t5.gguf");
  g_assert_true (token_pieces_read (&p, &f.source.table, "t5.gguf", &status));
  g_assert_nonnull (p);
  g_assert_cmpint (p->n, ==, 7);
  g_assert_cmpstr (p->pieces[4], ==, "▁a");
  g_assert_cmpuint (p->lengths[4], ==, 4);
  g_assert_cmpfloat (p->scores[4], ==, -3.25f);
  g_assert_cmpint (p->kinds[2], ==, 2);
  g_assert_cmpint (p->eos_id, ==, -1);
  file_close (&f);
}

/* ---- what is known by name only, and what is damaged ---- */

typedef struct
{
  WeightSet *set;
  TensorTable table;
  Status status;
} Made;

static void
made_init (Made *m)
{
  *m = (Made){ 0 };
  m->set = weights_new (&m->status);
  table_init (&m->table, &m->set->pool);
}

static void
made_clear (Made *m)
{
  table_clear (&m->table);
  weights_free (m->set);
}

static void
made_add (Made *m, const char *name, DType dtype, int64_t n0, int64_t n1, const void *data)
{
  FileTensor t = { .name = name, .dtype = dtype, .rank = 2, .ne = { n0, n1 }, .data = data };
  t.type_name = dtype < DTYPE_COUNT ? dtype_name (dtype) : "?";
  t.n_bytes = dtype < DTYPE_COUNT ? (uint64_t) dtype_bytes (dtype, n0 * n1) : 0;
  g_assert_true (table_add (&m->table, &t, "made", &m->status));
}

static void
assert_resolve_fails (Made *m, StatusCode code, const char *sentence)
{
  g_assert_false (quantised_resolve (&m->table, "made", &m->status));
  g_test_message ("%s", m->status.message);
  g_assert_cmpint (m->status.code, ==, code);
  g_assert_nonnull (strstr (m->status.message, sentence));
  made_clear (m);
}

static void
assert_marker_refused (const char *json, const char *sentence)
{
  static const uint8_t weight[64];
  Made m;
  made_init (&m);
  made_add (&m, "a.weight", DTYPE_I8, 8, 8, weight);
  made_add (&m, "a.comfy_quant", DTYPE_U8, (int64_t) strlen (json), 1, json);
  assert_resolve_fails (&m, STATUS_UNSUPPORTED, sentence);
}

static void
test_formats_named_refusals (void)
{
  static const uint8_t zeros[4096];
  Made m;
  assert_marker_refused ("{\"format\": \"int8_tensorwise\", \"convrot\": true}", "ConvRot");
  assert_marker_refused ("{\"format\": \"mxfp8\"}", "MXFP8");
  assert_marker_refused ("{\"format\": \"nvfp4\"}", "NVFP4");
  assert_marker_refused ("{\"format\": \"brandnew\"}", "brandnew");
  made_init (&m);
  made_add (&m, "a.qweight", DTYPE_I8, 8, 8, zeros);
  assert_resolve_fails (&m, STATUS_UNSUPPORTED, "SVDQuant");
  made_init (&m);
  made_add (&m, "a.weight", DTYPE_I8, 8, 8, zeros);
  made_add (&m, "a.SCB", DTYPE_F32, 8, 1, zeros);
  assert_resolve_fails (&m, STATUS_UNSUPPORTED, "bitsandbytes");
  made_init (&m);
  made_add (&m, "a.weight", DTYPE_U8, 8, 8, zeros);
  made_add (&m, "a.weight_scale", DTYPE_F8_E4M3, 8, 1, zeros);
  assert_resolve_fails (&m, STATUS_UNSUPPORTED, "NVFP4");
  made_init (&m);
  made_add (&m, "a.weight", DTYPE_F8_E4M3, 8, 64, zeros);
  made_add (&m, "a.weight_scale", DTYPE_U8, 8, 2, zeros);
  assert_resolve_fails (&m, STATUS_UNSUPPORTED, "MXFP8");
  made_init (&m);
  made_add (&m, "a.weight", DTYPE_F8_E4M3, 8, 64, zeros);
  made_add (&m, "a.weight_scale", DTYPE_F32, 4, 2, zeros);
  m.table.items[1].ne[0] = 2;
  assert_resolve_fails (&m, STATUS_UNSUPPORTED, "blocks");
}

static void
test_formats_parts_that_do_not_fit (void)
{
  static const uint8_t zeros[4096];
  static const float nan_scale = NAN, two = 2;
  static const char state[] = "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"shape\": [8, 16]}";
  Made m;
  made_init (&m);
  made_add (&m, "a.weight", DTYPE_F8_E4M3, 8, 8, zeros);
  made_add (&m, "a.scale_weight", DTYPE_F32, 1, 1, &nan_scale);
  assert_resolve_fails (&m, STATUS_FORMAT, "not a number");
  made_init (&m);
  made_add (&m, "a.weight", DTYPE_BF16, 8, 8, zeros);
  made_add (&m, "a.scale_weight", DTYPE_F32, 1, 1, &two);
  assert_resolve_fails (&m, STATUS_FORMAT, "stored as bf16");
  for (int missing = 0; missing < 3; missing++)
    {
      made_init (&m);
      made_add (&m, "a.weight", DTYPE_U8, missing == 0 ? 63 : 64, 1, zeros);
      made_add (&m, "a.weight.absmax", DTYPE_F32, missing == 1 ? 3 : 2, 1, zeros);
      made_add (&m, "a.weight.quant_map", DTYPE_F32, missing == 2 ? 8 : 16, 1, zeros);
      made_add (&m, "a.weight.quant_state.bitsandbytes__nf4", DTYPE_U8, (int64_t) strlen (state), 1,
                state);
      assert_resolve_fails (&m, STATUS_FORMAT, "do not fit");
    }
  made_init (&m);
  made_add (&m, "a.weight.quant_state.bitsandbytes__nf4", DTYPE_U8, 2, 1, "{}");
  assert_resolve_fails (&m, STATUS_FORMAT, "describes no tensor");
}

/* @size bytes of fixture @name, changed by @change, are refused with @sentence. */
static void
assert_gguf_refused (size_t cut, size_t at, uint8_t byte, StatusCode code, const char *sentence)
{
  g_autofree char *path = g_build_filename (g_getenv ("GESSO_SOURCE"), "tests", "golden",
                                            "fixtures", "formats", "layers.gguf", NULL);
  g_autofree char *bytes = NULL;
  gsize size;
  Made m;
  g_assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  if (at)
    bytes[at] = (char) byte;
  size = cut ? cut : size;
  g_autofree char *exact = g_memdup2 (bytes, size);
  made_init (&m);
  g_assert_false (gguf_parse (&m.table, exact, size, "layers.gguf", &m.status));
  g_test_message ("%s", m.status.message);
  g_assert_cmpint (m.status.code, ==, code);
  g_assert_nonnull (strstr (m.status.message, sentence));
  made_clear (&m);
}

static void
test_formats_damaged_gguf (void)
{
  assert_gguf_refused (6, 0, 0, STATUS_FORMAT, "cut short");
  assert_gguf_refused (24, 0, 0, STATUS_FORMAT, "more tensors than it has room for");
  assert_gguf_refused (700, 0, 0, STATUS_FORMAT, "cut short");
  assert_gguf_refused (14000, 0, 0, STATUS_FORMAT, "cut short");
  assert_gguf_refused (0, 4, 1, STATUS_UNSUPPORTED, "version 1");
  assert_gguf_refused (0, 4, 9, STATUS_UNSUPPORTED, "version 9");
  assert_gguf_refused (0, 15, 0x7f, STATUS_FORMAT, "more tensors");
  assert_gguf_refused (0, 23, 0x80, STATUS_FORMAT, "more tensors");
  assert_gguf_refused (0, 31, 0xff, STATUS_FORMAT, "cut short"); /* length of the first key */
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/formats/blocks-as-their-programs", test_formats_blocks_as_their_programs);
  g_test_add_func ("/formats/any-range", test_formats_any_range);
  g_test_add_func ("/formats/levels-agree", test_formats_levels_agree);
  g_test_add_func ("/formats/encode-as-their-programs", test_formats_encode_as_their_programs);
  g_test_add_func ("/formats/encode-q4-k", test_formats_encode_q4_k);
  g_test_add_func ("/formats/files-as-their-programs", test_formats_files_as_their_programs);
  g_test_add_func ("/formats/rows-of-fused", test_formats_rows_of_fused);
  g_test_add_func ("/formats/scales-on-every-level", test_formats_scales_on_every_level);
  g_test_add_func ("/formats/tokenizer-in-metadata", test_formats_tokenizer_in_metadata);
  g_test_add_func ("/formats/named-refusals", test_formats_named_refusals);
  g_test_add_func ("/formats/parts-that-do-not-fit", test_formats_parts_that_do_not_fit);
  g_test_add_func ("/formats/damaged-gguf", test_formats_damaged_gguf);
  return g_test_run ();
}
