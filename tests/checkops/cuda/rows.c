/* SPDX-License-Identifier: MPL-2.0
 * rows.c - cases of kernels/cuda/rows.cu.
 */
#include "check.h"

static int
run_copy (const void *args, void *stream)
{
  return gk_copy (args, stream);
}

static int
run_embed (const void *args, void *stream)
{
  return gk_embed (args, stream);
}

static int
run_resize (const void *args, void *stream)
{
  return gk_resize (args, stream);
}

static int
run_sinusoid (const void *args, void *stream)
{
  return gk_sinusoid (args, stream);
}

static int
run_pixels (const void *args, void *stream)
{
  return gk_pixels (args, stream);
}

/* Into the middle of wider rows: what a concatenation does. */
static void
check_copy (
    Check *c, int64_t n_rows, int64_t width, int64_t x_stride, int64_t y_stride, int64_t first)
{
  if (!check_begin (c, "copy/%lldx%lld/from%lldto%lldat%lld", (long long) n_rows, (long long) width,
                    (long long) x_stride, (long long) y_stride, (long long) first))
    return;
  Values x = check_rows (c, GK_TYPE_BF16, n_rows, width, x_stride);
  Output y = check_output (c, OUT_BF16, n_rows * y_stride, NULL);
  for (int64_t i = 0; i < y.n; i++)
    y.exact[i] = GAP;
  ref_copy (&(CopyArgs){ .n_rows = n_rows,
                         .width = width,
                         .x = x.host,
                         .x_stride = x_stride,
                         .y = y.exact + first,
                         .y_stride = y_stride });
  GkCopy args = { n_rows, width, x.device, x_stride, (uint16_t *) y.device + first, y_stride };
  check_end (c, run_copy, &args, &y);
}

static void
check_embed (Check *c, GkType type, int64_t n_rows, int64_t dim, bool positions)
{
  enum
  {
    N_TABLE = 40,
    N_POSITIONS = 7
  };
  int32_t ids[64];
  if (!check_begin (c, "embed/%s/%lldx%lld%s", check_type_name (type), (long long) n_rows,
                    (long long) dim, positions ? "/positions" : ""))
    return;
  Values table = check_values (c, type, N_TABLE * dim, 1, 0);
  Values places = check_values (c, type, N_POSITIONS * dim, 1, 0);
  for (int64_t i = 0; i < n_rows; i++)
    ids[i] = i == 0 ? N_TABLE - 1 : (int32_t) (check_uniform (c) * N_TABLE);
  Output y = check_output (c, (OutType) type, n_rows * dim, NULL);
  ref_embed (&(EmbedArgs){ .n_rows = n_rows,
                           .dim = dim,
                           .n_positions = N_POSITIONS,
                           .ids = ids,
                           .table = check_param (&table),
                           .positions = positions ? check_param (&places) : (Param){ 0 },
                           .y = y.exact });
  for (int64_t i = 0; i < y.n; i++)
    y.magnitude[i] = fabsf (y.exact[i]) + 1;
  GkEmbed args = { .type = type,
                   .n_rows = n_rows,
                   .dim = dim,
                   .n_positions = N_POSITIONS,
                   .ids = check_upload (c, ids, (size_t) n_rows * sizeof *ids, "ids"),
                   .table = table.device,
                   .positions = positions ? places.device : NULL,
                   .y = y.device };
  check_end (c, run_embed, &args, &y);
}

static void
check_resize (Check *c, int64_t h_in, int64_t w_in, int64_t h_out, int64_t w_out, int64_t channels)
{
  int64_t n = 2;
  if (!check_begin (c, "resize/%lldx%lld-%lldx%lldx%lld", (long long) h_in, (long long) w_in,
                    (long long) h_out, (long long) w_out, (long long) channels))
    return;
  Values x = check_values (c, GK_TYPE_F16, n * h_in * w_in * channels, 1, 0);
  Output y = check_output (c, OUT_F16, n * h_out * w_out * channels, NULL);
  ref_resize (&(ResizeArgs){ .n = n,
                             .h_in = h_in,
                             .w_in = w_in,
                             .h_out = h_out,
                             .w_out = w_out,
                             .n_channels = channels,
                             .x = x.host,
                             .y = y.exact });
  GkResize args = { n, h_in, w_in, h_out, w_out, channels, x.device, y.device };
  check_end (c, run_resize, &args, &y);
}

static void
check_sinusoid (Check *c, GkType type, int64_t n, int64_t dim, float times)
{
  if (!check_begin (c, "sinusoid/%s/%lldx%lld/times%g", check_type_name (type), (long long) n,
                    (long long) dim, (double) times))
    return;
  Values t = check_floats (c, n, 300, 500);
  Output y = check_output (c, (OutType) type, n * dim, NULL);
  ref_sinusoid (&(SinusoidArgs){ .n = n, .dim = dim, .t = t.host, .times = times, .y = y.exact });
  for (int64_t i = 0; i < y.n; i++)
    y.magnitude[i] = 1;
  GkSinusoid args = { type, n, dim, t.device, times, y.device };
  check_end (c, run_sinusoid, &args, &y);
}

static void
check_pixels (Check *c, GkType type, int64_t n_pixels, int n_channels)
{
  if (!check_begin (c, "pixels/%s/%lldx%d", check_type_name (type), (long long) n_pixels,
                    n_channels))
    return;
  Values x = check_values (c, type, n_pixels * n_channels, 1, 0);
  Values w = check_floats (c, 3 * n_channels, 0.3f, 0), bias = check_floats (c, 3, 0.1f, 0.5f);
  Output y = check_output (c, OUT_BYTES, n_pixels * 3, NULL);
  for (int64_t i = 0; i < y.n; i++)
    {
      double v = bias.host[i % 3];
      for (int k = 0; k < n_channels; k++)
        v += (double) x.host[i / 3 * n_channels + k] * w.host[i % 3 * n_channels + k];
      y.exact[i] = (float) rint (fmin (fmax (v, 0), 1) * 255);
    }
  GkPixels args = { type, n_pixels, n_channels, x.device, w.device, bias.device, y.device };
  check_end (c, run_pixels, &args, &y);
}

void
check_rows_kernels (Check *c)
{
  check_copy (c, 9, 40, 40, 104, 64);
  check_copy (c, 5, 33, 35, 70, 3);
  check_copy (c, 300, 12, 16, 24, 8);
  check_resize (c, 5, 7, 10, 14, 16);
  check_resize (c, 9, 8, 4, 13, 3);
  for (int type = 0; type <= GK_TYPE_F32; type++)
    {
      check_embed (c, (GkType) type, 9, 64, true);
      check_embed (c, (GkType) type, 5, 37, false);
      check_sinusoid (c, (GkType) type, 3, 320, 0);
      check_sinusoid (c, (GkType) type, 2, 257, 1000);
      check_pixels (c, (GkType) type, 301, 3);
      check_pixels (c, (GkType) type, 70, 16);
    }
}
