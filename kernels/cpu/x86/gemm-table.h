/* SPDX-License-Identifier: MPL-2.0
 * gemm-table.h - turns the inline bodies into one table of a format.  Included once a table, with
 * NAME (suffix of the functions), TABLE, FORMAT, ROUNDED, TILE, TILE_BROAD, MR, BROAD_MR, NR,
 * UNIT_ALIGN, BEGIN, END and WINOGRAD (its kernels or NULL).
 */
#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_ (a, b)

static void
JOIN (pack_a, NAME) (
    void *dst, const float *const *rows, int n_rows, int taps, int64_t c0, int nc, int units)
{
  pack_a_any (dst, rows, n_rows, taps, c0, nc, units, ROUNDED);
}

static void
JOIN (pack_b, NAME) (void *dst,
                     int width,
                     const GemmWeights *w,
                     int64_t n0,
                     int n_cols,
                     int64_t c0,
                     int nc,
                     int units)
{
  pack_b_any (dst, width, w, n0, n_cols, c0, nc, units, ROUNDED);
}

static void
JOIN (pack_v, NAME) (
    void *dst, int width, const float *v, int64_t stride, int n_cols, int n_keys, int units)
{
  pack_v_any (dst, width, v, stride, n_cols, n_keys, units, ROUNDED);
}

static float
JOIN (softmax, NAME) (float *row, int n, int n_padded, float c, float *max, float *sum)
{
  return softmax_any (row, n, n_padded, c, max, sum, ROUNDED);
}

static void
JOIN (scale, NAME) (float *dst, const float *src, int64_t n, float factor)
{
  scale_any (dst, src, n, factor);
}

const GemmKernels TABLE = {
  .format = FORMAT,
  .mr = MR,
  .nr = NR,
  .narrow = VW,
  .broad_mr = BROAD_MR,
  .broad = BROAD_MR ? 3 * VW : 0,
  .unit_align = UNIT_ALIGN,
  .begin = BEGIN,
  .end = END,
  .tile = TILE,
  .tile_broad = TILE_BROAD,
  .pack_a = JOIN (pack_a, NAME),
  .pack_b = JOIN (pack_b, NAME),
  .pack_v = JOIN (pack_v, NAME),
  .softmax = JOIN (softmax, NAME),
  .scale = JOIN (scale, NAME),
  .winograd = WINOGRAD,
};

#undef NAME
#undef TABLE
#undef FORMAT
#undef ROUNDED
#undef WINOGRAD
