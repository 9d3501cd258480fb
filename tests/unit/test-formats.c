/* SPDX-License-Identifier: MPL-2.0
 * test-formats.c - quantised formats against what their own programs decode
 * (tests/golden/format_cases.py), to the bit, and every CPU level against the scalar decoders.
 */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "core/blocks.h"
#include "weights/source.h"

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

/* To the bit, but for the bits of NaNs, which no program promises. */
static void
assert_same (const float *have, const float *want, int64_t n, const char *what)
{
  for (int64_t i = 0; i < n; i++)
    if (memcmp (&have[i], &want[i], sizeof *have) != 0 && !(isnan (have[i]) && isnan (want[i])))
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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/formats/blocks-as-their-programs", test_formats_blocks_as_their_programs);
  g_test_add_func ("/formats/any-range", test_formats_any_range);
  g_test_add_func ("/formats/levels-agree", test_formats_levels_agree);
  return g_test_run ();
}
