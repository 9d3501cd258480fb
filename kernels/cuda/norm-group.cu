// SPDX-License-Identifier: MPL-2.0
// norm-group.cu - GroupNorm in three: sums of pieces, the pieces joined, the norm applied.
//
// Shapes   x, y (n, n_pixels, n_channels) 16-bit; weight, bias (n_channels) f32.
// Numbers  each piece in two walks, mean then squares about it, f32; pieces joined by Chan's
//          formula (Chan, Golub, LeVeque, Updating formulae and a pairwise algorithm for computing
//          sample variances, 1979), so no difference of large sums anywhere.
// Limit    memory: 2 bytes an element for statistics (the second walk hits the cache), 4 to apply.
// Aliases  y may equal x.
#include "common/gk.cuh"

enum
{
  N_THREADS = 256,
  PIECE_VALUES = 16 << 10, // 32 KB: what a block walks over twice stays in its cache
  MAX_GROUPS = 128
};

struct Pieces
{
  GkGroupStatistics u;
  int64_t n_pieces, piece_pixels;
};

// cells[slice][channel] = the sum of f (x, channel) over the piece's pixels slice, slice + n, ...
template <class T, class F>
GK_DEV void
channel_sums (const Pieces &a, const typename T::Element *x, int64_t n_pixels, float *cells, F f)
{
  int64_t channels = a.u.n_channels, width = gk_min (channels, N_THREADS);
  int64_t n_slices = N_THREADS / width, slice = gk_thread () / width;
  if (slice >= n_slices)
    return;
  for (int64_t c = gk_thread () % width; c < channels; c += width)
    {
      float sum = 0;
      for (int64_t p = slice; gk_within (p < n_pixels); p += n_slices)
        sum += f (T::value (x[p * channels + c]), c);
      cells[slice * channels + c] = sum;
    }
}

GK_DEV float
group_sum (const Pieces &a, const float *cells, int group)
{
  int64_t channels = a.u.n_channels, width = gk_min (channels, N_THREADS);
  int64_t n_slices = N_THREADS / width, size = channels / a.u.n_groups;
  float sum = 0;
  for (int64_t slice = 0; slice < n_slices; slice++)
    for (int64_t c = group * size; c < (group + 1) * size; c++)
      sum += cells[slice * channels + c];
  return sum;
}

// A block for each piece of each image: mean and squares about it for every group.
template <class T> GK_KERNEL (N_THREADS, 1) sum_pieces (const GK_CONST Pieces a)
{
  GK_DYNAMIC_SHARED (memory);
  GK_SHARED (float, means, MAX_GROUPS);
  float *cells = (float *) memory;
  int64_t first = gk_block_x () * a.piece_pixels, image = gk_block_y ();
  int64_t n_pixels = gk_min (a.u.n_pixels - first, a.piece_pixels);
  int64_t size = a.u.n_channels / a.u.n_groups;
  const typename T::Element *x =
      gk_input<T> (a.u.x) + (image * a.u.n_pixels + first) * a.u.n_channels;
  float *partial = a.u.partial + (image * a.n_pieces + gk_block_x ()) * a.u.n_groups * 2;
  channel_sums<T> (a, x, n_pixels, cells, [] (float f, int64_t) { return f; });
  gk_sync ();
  for (int g = gk_thread (); g < a.u.n_groups; g += N_THREADS)
    means[g] = group_sum (a, cells, g) / (float) (n_pixels * size);
  gk_sync ();
  const float *mean = means;
  channel_sums<T> (a, x, n_pixels, cells, [mean, size] (float f, int64_t c) {
    float d = f - mean[c / size];
    return d * d;
  });
  gk_sync ();
  for (int g = gk_thread (); g < a.u.n_groups; g += N_THREADS)
    {
      partial[g * 2] = means[g];
      partial[g * 2 + 1] = group_sum (a, cells, g);
    }
}

// A warp for each group of each image.
GK_KERNEL (GK_WARP, 1)
join_pieces (const GK_CONST Pieces a)
{
  int group = gk_block_x (), lane = gk_thread ();
  int64_t image = gk_block_y (), size = a.u.n_channels / a.u.n_groups;
  const float *partial = a.u.partial + (image * a.n_pieces * a.u.n_groups + group) * 2;
  float count = (float) (a.u.n_pixels * size), sum = 0, squares = 0;
  for (int64_t i = lane; i < a.n_pieces; i += GK_WARP)
    {
      float n = (float) (gk_min (a.u.n_pixels - i * a.piece_pixels, a.piece_pixels) * size);
      sum += partial[i * a.u.n_groups * 2] * n;
    }
  float mean = gk_warp_sum (sum) / count;
  for (int64_t i = lane; i < a.n_pieces; i += GK_WARP)
    {
      float n = (float) (gk_min (a.u.n_pixels - i * a.piece_pixels, a.piece_pixels) * size);
      float d = partial[i * a.u.n_groups * 2] - mean;
      squares += partial[i * a.u.n_groups * 2 + 1] + n * d * d;
    }
  float inverse = gk_rsqrt (gk_warp_sum (squares) / count + a.u.eps);
  for (int64_t c = group * size + lane; gk_within (c < (group + 1) * size); c += GK_WARP)
    {
      float weight = inverse * (a.u.weight ? a.u.weight[c] : 1);
      a.u.affine[(image * a.u.n_channels + c) * 2] = weight;
      a.u.affine[(image * a.u.n_channels + c) * 2 + 1] =
          (a.u.bias ? a.u.bias[c] : 0) - mean * weight;
    }
}

extern "C" int
gk_group_statistics (const GkGroupStatistics *u, void *stream)
{
  GkStream s = (GkStream) stream;
  if (u->n_groups > MAX_GROUPS || u->n_channels % u->n_groups || u->n_pixels <= 0)
    return GK_INVALID;
  int64_t n = gk_ceil_div (u->n_pixels * u->n_channels, PIECE_VALUES);
  int64_t piece_pixels = gk_ceil_div (u->n_pixels, gk_min (n, GK_GROUP_CHUNKS));
  Pieces a = { *u, gk_ceil_div (u->n_pixels, piece_pixels), piece_pixels };
  size_t cells_bytes = sizeof (float) * (size_t) gk_max (u->n_channels, N_THREADS);
  dim3 grid ((uint32_t) a.n_pieces, (uint32_t) u->n);
  auto kernel = GK_INSTANCE (u->type, sum_pieces);
  int error = GK_LAUNCH (kernel, grid, dim3 (N_THREADS), cells_bytes, s, a);
  if (error)
    return error;
  dim3 groups ((uint32_t) u->n_groups, (uint32_t) u->n);
  return GK_LAUNCH (join_pieces, groups, dim3 (GK_WARP), 0, s, a);
}

// --- the norm applied ---

struct Apply
{
  GkGroupApply u;
  bool wide;
};

template <class T> GK_KERNEL (N_THREADS, 1) apply_norm (const GK_CONST Apply a)
{
  int64_t channels = a.u.n_channels, per_row = (channels + 7) / 8;
  int64_t piece = (int64_t) gk_block_x () * N_THREADS + gk_thread ();
  if (!gk_within (piece < a.u.n * a.u.n_pixels * per_row))
    return;
  int64_t row = piece / per_row, c = piece % per_row * 8, at = row * channels + c;
  const float *affine = a.u.affine + (row / a.u.n_pixels * channels + c) * 2;
  float v[8];
  gk_read8<T> (v, gk_input<T> (a.u.x) + at, channels - c, a.wide);
  GK_UNROLL
  for (int i = 0; i < 8; i++)
    if (gk_within (c + i < channels))
      {
        v[i] = v[i] * affine[2 * i] + affine[2 * i + 1];
        v[i] = a.u.silu ? gk_silu (v[i]) : v[i];
      }
  gk_write8<T> (gk_output<T> (a.u.y) + at, v, channels - c, a.wide);
}

extern "C" int
gk_group_apply (const GkGroupApply *u, void *stream)
{
  Apply a = { *u, gk_is_wide (u->x, u->n_channels) && gk_is_wide (u->y, u->n_channels) };
  int64_t n_pieces = u->n * u->n_pixels * gk_ceil_div (u->n_channels, 8);
  dim3 grid ((uint32_t) gk_ceil_div (n_pieces, N_THREADS));
  if (n_pieces <= 0)
    return GK_OK;
  auto kernel = GK_INSTANCE (u->type, apply_norm);
  return GK_LAUNCH (kernel, grid, dim3 (N_THREADS), 0, (GkStream) stream, a);
}
