/* SPDX-License-Identifier: MPL-2.0
 * elementwise-norm.c - LayerNorm and GroupNorm on whole vectors.
 *
 * Shapes   layer_norm, norm_modulate x, y (n_rows, dim); group_norm x, y (n, n_pixels, n_channels),
 * a part at a time. Numbers  mean first, then squared deviations from it, in f32 over pieces that
 * fit the L1 or L2 cache.  The deviations' own sum corrects the rounding of the mean (Chan et al.,
 * 1979), and pieces are joined in f64, so a large mean costs no digits. Limit    memory: group_norm
 * reads x twice and writes y once; layer_norm reads and writes once. Aliases  y may equal x: a
 * row's, or group's, moments are known before it is written.
 */
#include <math.h>

#include "elementwise-isa.h"

enum
{
  CHUNK = 512,      /* channels whose parameters are held as f32 */
  ROWS = 16,        /* rows that share a converted chunk */
  TILE = 16 * 1024, /* elements of group_norm's inner piece: 64 KiB */
  UNROLL = 4        /* independent sums hide the adder's latency */
};

static inline int64_t
min64 (int64_t a, int64_t b)
{
  return a < b ? a : b;
}

/* The sum of x - mean, and of its square in *@squares. */
static float
deviations (const float *x, int64_t n, float mean, float *squares)
{
  Vec sum[UNROLL] = { 0 }, square[UNROLL] = { 0 };
  int64_t i = 0;
  for (; i + UNROLL * VEC_WIDTH <= n; i += UNROLL * VEC_WIDTH)
    for (int u = 0; u < UNROLL; u++)
      {
        Vec d = vec_load (x + i + u * VEC_WIDTH) - mean;
        sum[u] += d;
        square[u] = vec_fma (d, d, square[u]);
      }
  for (; i + VEC_WIDTH <= n; i += VEC_WIDTH)
    {
      Vec d = vec_load (x + i) - mean;
      sum[0] += d;
      square[0] = vec_fma (d, d, square[0]);
    }
  float tail = 0, tail_square = 0;
  for (; i < n; i++)
    {
      float d = x[i] - mean;
      tail += d;
      tail_square = float_fma (d, d, tail_square);
    }
  *squares = tail_square + vec_sum ((square[0] + square[1]) + (square[2] + square[3]));
  return tail + vec_sum ((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

/* What turns x into a normalised value: (x - mean - rest) * inverse. */
typedef struct
{
  float mean, rest, inverse;
} RowScale;

static RowScale
row_scale (const float *x, int64_t n, float eps)
{
  float squares, count = (float) n;
  float mean = deviations (x, n, 0, &squares) / count;
  float rest = deviations (x, n, mean, &squares) / count;
  float variance = squares / count - rest * rest;
  return (RowScale){ mean, rest, 1 / sqrtf (variance + eps) };
}

static void
scale_row (float *y, const float *x, RowScale s, const float *weight, const float *bias, int64_t n)
{
  int64_t i = 0;
  for (; i + VEC_WIDTH <= n; i += VEC_WIDTH)
    {
      Vec normal = (vec_load (x + i) - s.mean - s.rest) * s.inverse;
      vec_store (y + i, vec_fma (normal, vec_load (weight + i), vec_load (bias + i)));
    }
  for (; i < n; i++)
    y[i] = float_fma ((x[i] - s.mean - s.rest) * s.inverse, weight[i], bias[i]);
}

void
KERNEL (layer_norm) (const LayerNormArgs *a)
{
  float weight[CHUNK], bias[CHUNK];
  RowScale scales[ROWS];
  for (int64_t first = 0; first < a->n_rows; first += ROWS)
    {
      int64_t n_rows = min64 (ROWS, a->n_rows - first);
      for (int64_t r = 0; r < n_rows; r++)
        scales[r] = row_scale (a->x + (first + r) * a->dim, a->dim, a->eps);
      for (int64_t c = 0; c < a->dim; c += CHUNK)
        {
          int64_t n = min64 (CHUNK, a->dim - c);
          vec_param (weight, &a->weight, c, n, 1);
          vec_param (bias, &a->bias, c, n, 0);
          for (int64_t r = 0; r < n_rows; r++)
            {
              int64_t at = (first + r) * a->dim + c;
              scale_row (a->y + at, a->x + at, scales[r], weight, bias, n);
            }
        }
    }
}

static void
modulate_row (
    float *y, const float *x, RowScale s, const float *scale, const float *shift, int64_t n)
{
  int64_t i = 0;
  for (; i + VEC_WIDTH <= n; i += VEC_WIDTH)
    {
      Vec normal = (vec_load (x + i) - s.mean - s.rest) * s.inverse;
      vec_store (y + i, vec_fma (normal, 1 + vec_load (scale + i), vec_load (shift + i)));
    }
  for (; i < n; i++)
    y[i] = float_fma ((x[i] - s.mean - s.rest) * s.inverse, 1 + scale[i], shift[i]);
}

void
KERNEL (norm_modulate) (const NormModulateArgs *a)
{
  for (int64_t r = 0; r < a->n_rows; r++)
    {
      const float *x = a->x + r * a->dim;
      modulate_row (a->y + r * a->dim, x, row_scale (x, a->dim, a->eps), a->scale, a->shift,
                    a->dim);
    }
}

/* A rectangle of an image: @n_pixels by @n channels, pixels @stride apart. */
typedef struct
{
  const float *x;
  int64_t n_pixels, stride, n;
} Tile;

/* sums[c] += x over the tile's pixels */
static void
column_sums (const Tile *t, float *sums)
{
  int64_t p = 0, s = t->stride;
  for (; p + UNROLL <= t->n_pixels; p += UNROLL)
    {
      const float *x = t->x + p * s;
      int64_t c = 0;
      for (; c + VEC_WIDTH <= t->n; c += VEC_WIDTH)
        {
          Vec low = vec_load (x + c) + vec_load (x + c + s);
          Vec high = vec_load (x + c + 2 * s) + vec_load (x + c + 3 * s);
          vec_store (sums + c, vec_load (sums + c) + (low + high));
        }
      for (; c < t->n; c++)
        sums[c] += (x[c] + x[c + s]) + (x[c + 2 * s] + x[c + 3 * s]);
    }
  for (; p < t->n_pixels; p++)
    for (int64_t c = 0; c < t->n; c++)
      sums[c] += t->x[p * s + c];
}

/* sums[c] += x - means[c] and squares[c] += (x - means[c])^2 over the tile's pixels, in pairs */
static void
column_deviations (const Tile *t, const float *means, float *sums, float *squares)
{
  for (int64_t p = 0; p < t->n_pixels; p += 2)
    {
      /* Without a second pixel its deviation is made zero. */
      bool pair = p + 1 < t->n_pixels;
      const float *x = t->x + p * t->stride, *other = pair ? x + t->stride : means;
      int64_t c = 0;
      for (; c + VEC_WIDTH <= t->n; c += VEC_WIDTH)
        {
          Vec mean = vec_load (means + c);
          Vec d = vec_load (x + c) - mean, e = vec_load (other + c) - mean;
          vec_store (sums + c, vec_load (sums + c) + (d + e));
          vec_store (squares + c, vec_load (squares + c) + vec_fma (d, d, e * e));
        }
      for (; c < t->n; c++)
        {
          float d = x[c] - means[c], e = other[c] - means[c];
          sums[c] += d + e;
          squares[c] += float_fma (d, d, e * e);
        }
    }
}

/* In f64: many channels alike would be rounded the same way each time. */
static double
sum_of (const float *values, int64_t n)
{
  double sum = 0;
  for (int64_t i = 0; i < n; i++)
    sum += values[i];
  return sum;
}

/* The channels of one group within a chunk that starts at channel @first. */
typedef struct
{
  int64_t begin, end; /* counted from the chunk's start */
  int64_t group;
} Piece;

static Piece
piece_at (int64_t begin, int64_t first, int64_t n, int64_t width)
{
  int64_t group = (first + begin) / width;
  return (Piece){ begin, min64 (n, (group + 1) * width - first), group };
}

/* Adds a tile, whose first channel is @first of the part's, to the moments of its groups.  @width:
 * channels of a group. */
static void
add_tile (const Tile *t, int64_t first, int64_t width, Moments *out)
{
  float sums[CHUNK] = { 0 }, squares[CHUNK] = { 0 }, means[CHUNK];
  column_sums (t, sums);
  for (Piece p = piece_at (0, first, t->n, width); p.begin < t->n;
       p = piece_at (p.end, first, t->n, width))
    {
      double count = (double) ((p.end - p.begin) * t->n_pixels);
      float mean = (float) (sum_of (sums + p.begin, p.end - p.begin) / count);
      for (int64_t c = p.begin; c < p.end; c++)
        {
          means[c] = mean;
          sums[c] = 0;
        }
    }
  column_deviations (t, means, sums, squares);
  for (Piece p = piece_at (0, first, t->n, width); p.begin < t->n;
       p = piece_at (p.end, first, t->n, width))
    {
      double count = (double) ((p.end - p.begin) * t->n_pixels);
      double rest = sum_of (sums + p.begin, p.end - p.begin) / count;
      double square = sum_of (squares + p.begin, p.end - p.begin) - rest * rest * count;
      moments_merge (&out[p.group], (Moments){ count, means[p.begin] + rest, fmax (square, 0) });
    }
}

static const float *
part_begin (const GroupNormArgs *a, const GroupPart *part)
{
  int64_t width = a->n_channels / a->n_groups;
  int64_t pixel = part->image * a->n_pixels + part->first_pixel;
  return a->x + pixel * a->n_channels + part->first_group * width;
}

void
KERNEL (group_moments) (const GroupNormArgs *a, const GroupPart *part, Moments *out)
{
  int64_t width = a->n_channels / a->n_groups, n_channels = part->n_groups * width;
  const float *x = part_begin (a, part);
  for (int g = 0; g < part->n_groups; g++)
    out[g] = (Moments){ 0 };
  for (int64_t c = 0; c < n_channels; c += CHUNK)
    {
      int64_t n = min64 (CHUNK, n_channels - c), height = TILE / n;
      for (int64_t p = 0; p < part->n_pixels; p += height)
        add_tile (&(Tile){ .x = x + p * a->n_channels + c,
                           .n_pixels = min64 (height, part->n_pixels - p),
                           .stride = a->n_channels,
                           .n = n },
                  c, width, out);
    }
}

/* y = (x - mean) * scale + shift, channel by channel. */
typedef struct
{
  float mean[CHUNK], scale[CHUNK], shift[CHUNK];
} Affine;

/* Channels @first .. @first + @n - 1 of the part.  What rounding takes from the mean goes into the
 * shift. */
static void
affine_of (Affine *out,
           const GroupNormArgs *a,
           const GroupPart *part,
           const Moments *moments,
           int64_t first,
           int64_t n)
{
  int64_t width = a->n_channels / a->n_groups, channel = part->first_group * width + first;
  vec_param (out->scale, &a->weight, channel, n, 1);
  vec_param (out->shift, &a->bias, channel, n, 0);
  for (Piece p = piece_at (0, first, n, width); p.begin < n; p = piece_at (p.end, first, n, width))
    {
      const Moments *m = &moments[p.group];
      double inverse = 1 / sqrt (m->squares / m->count + a->eps);
      double rest = m->mean - (double) (float) m->mean;
      for (int64_t c = p.begin; c < p.end; c++)
        {
          double scale = inverse * out->scale[c];
          out->mean[c] = (float) m->mean;
          out->scale[c] = (float) scale;
          out->shift[c] = (float) (out->shift[c] - rest * scale);
        }
    }
}

/* Called with a constant @silu, so that the loop has no branch. */
static inline __attribute__ ((always_inline)) void
apply_affine (float *y, const Tile *t, const Affine *f, bool silu)
{
  for (int64_t p = 0; p < t->n_pixels; p++)
    for (int64_t c = 0; c < t->n; c += VEC_WIDTH)
      {
        int64_t at = p * t->stride + c, n = t->n - c;
        bool whole = n >= VEC_WIDTH;
        Vec v = whole ? vec_load (t->x + at) : vec_load_n (t->x + at, n);
        v = vec_fma (v - vec_load (f->mean + c), vec_load (f->scale + c), vec_load (f->shift + c));
        if (silu)
          v = vec_swish (v, 1);
        if (whole)
          vec_store (y + at, v);
        else
          vec_store_n (y + at, v, n);
      }
}

void
KERNEL (group_apply) (const GroupNormArgs *a, const GroupPart *part, const Moments *moments)
{
  int64_t n_channels = part->n_groups * (a->n_channels / a->n_groups);
  const float *x = part_begin (a, part);
  Affine affine = { 0 };
  for (int64_t c = 0; c < n_channels; c += CHUNK)
    {
      Tile t = { .x = x + c,
                 .n_pixels = part->n_pixels,
                 .stride = a->n_channels,
                 .n = min64 (CHUNK, n_channels - c) };
      affine_of (&affine, a, part, moments, c, t.n);
      if (a->silu)
        apply_affine (a->y + (t.x - a->x), &t, &affine, true);
      else
        apply_affine (a->y + (t.x - a->x), &t, &affine, false);
    }
}
