/* SPDX-License-Identifier: MPL-2.0
 * cpu-winograd.c - 3 x 3 convolutions in f32 with 16 multiplications where 36 are written.
 *
 * The picture is cut into tiles of 2 x 2 output pixels.  A task transforms some tiles' input (4 x 4
 * pixels each) into 16 matrices (tile, channel), multiplies each with a matrix of transformed
 * weights, and transforms the 16 products back: see gemm-winograd.h.  Weights are transformed once,
 * by all threads, into shared scratch, in passes of as many columns as fit.
 *
 * Three frames of a convolution over time are so many more channels of a product: a frame is
 * transformed in space only, and one that is all zeros is left out.
 *
 * Rounding: differences of up to four inputs are multiplied, so the error is relative to the
 * largest of 4 x 4 pixels rather than of 3 x 3, and two to three times that of the plain sum; an
 * infinity or NaN reaches all four pixels of its tiles.  bf16 does without: transformed factors
 * would be rounded, not those that were asked for.
 */
#include "backend/cpu-gemm.h"

enum
{
  ELEMENTS = 16, /* of a transformed tile */
  TAPS = 9,
  WHOLE_CHANNELS = 16, /* what channels have to be multiples of: the widest vector */
  LEAST_CHANNELS = 32,
  MOST_CHANNELS = 8192, /* of all frames: a tile register's rows still fit a thread's scratch */
  LEAST_TILES = 256,    /* of a picture; fewer do not pay for transforming the weights */
  MOST_TILES = 144,     /* of a task */
  NEAR_TILES = 48,      /* so few rather, if all they need then stays in the second level cache */
  GROUP_COLUMNS = 256,  /* whose 16 products are made before they are transformed back */
  SUM_STRIDE = GROUP_COLUMNS + 16,
  FILTER_UNITS = GEMM_BLOCK_UNITS /* taps of channels whose weights are transformed at once */
};

typedef struct
{
  GemmJob gemm; /* kernels, weights, bias, columns of the pass; channels of all frames */
  const ConvArgs *args;
  int n_present;                             /* frames that are not all zeros */
  int index[MAX_FRAMES];                     /* of those present, among all */
  const float *frames[MAX_FRAMES];           /* those present */
  int64_t tiles_down, tiles_across, n_tiles; /* of one picture; of all */
  int64_t task_tiles;
  int64_t n_blocks, block_channels;
  int64_t panel_bytes; /* of one element's panel of transformed weights */
} Job;

/* The tiles of one task and its scratch: A's blocks [element][block][tile], and the sums of a group
 * of columns [element][tile]. */
typedef struct
{
  const Job *job;
  int64_t first;
  int n;
  char *a;
  float *sums;
} Task;

bool
winograd_applies (const GemmKernels *k, const ConvSum *s)
{
  const ConvArgs *a = &s->args;
  if (a->fold.rank > FOLD_MOST_RANK) /* transformed weights cannot be added to a second time */
    return false;
  return k->winograd && a->kernel == 3 && a->stride == 1 && a->c_in % WHOLE_CHANNELS == 0 &&
         a->c_out % WHOLE_CHANNELS == 0 && a->c_in >= LEAST_CHANNELS &&
         a->c_in * s->n_frames <= MOST_CHANNELS && a->c_out >= LEAST_CHANNELS &&
         ceil_div (a->h_out, 2) * ceil_div (a->w_out, 2) >= LEAST_TILES;
}

static char *
weights_of (const Job *job, int element, int64_t panel)
{
  return job->gemm.cpu->gemm->shared + (element * job->gemm.n_panels + panel) * job->panel_bytes;
}

static int
panel_width (const GemmJob *g, int64_t panel)
{
  const GemmKernels *k = g->kernels;
  return g->n_cols - panel * k->nr <= k->narrow ? k->narrow : k->nr;
}

static void
filter_task (void *data, int64_t panel, int thread)
{
  const Job *job = data;
  const GemmJob *g = &job->gemm;
  const GemmKernels *k = g->kernels;
  float *taps = (float *) thread_scratch (g->cpu, thread);
  float *up = taps + GEMM_BLOCK_UNITS * GEMM_MAX_NR;
  int width = panel_width (g, panel);
  int64_t n0 = panel * k->nr, step = g->n_panels * job->panel_bytes, c_in = job->args->c_in;
  int64_t most = FILTER_UNITS / g->w.taps;
  if (g->fold.low_rank)
    gemm_fold_up (g, up, width, n0, width);
  for (int64_t c = 0; c < c_in; c += most)
    {
      int n = (int) min_i64 (most, c_in - c);
      k->pack_b (taps, width, &g->w, g->col0 + n0, width, c, n, n * g->w.taps);
      if (g->fold.low_rank)
        gemm_fold_add (g, taps, width, up, c * g->w.taps, n * g->w.taps);
      for (int f = 0; f < job->n_present; f++)
        k->winograd->filter (weights_of (job, 0, panel) + (f * c_in + c) * width * 4, step,
                             taps + (int64_t) job->index[f] * TAPS * n * width, n * width);
    }
}

static char *
a_block (const Task *t, int element, int64_t block)
{
  int64_t index = (element * t->job->n_blocks + block) * t->job->task_tiles;
  return t->a + index * GEMM_A_STRIDE;
}

/* Picture, and place of the upper left pixel of the output. */
typedef struct
{
  int64_t picture, y, x;
} TilePlace;

static TilePlace
place_of (const Job *job, int64_t tile)
{
  int64_t of_picture = job->tiles_down * job->tiles_across, i = tile % of_picture;
  return (TilePlace){ tile / of_picture, i / job->tiles_across * 2, i % job->tiles_across * 2 };
}

/* One tile of one frame.  A block of channels may end within the frame, or hold several. */
static void
transform_tile (const Task *t, int r, int frame, const float *const pixels[ELEMENTS])
{
  const Job *job = t->job;
  int64_t step = job->n_blocks * job->task_tiles * GEMM_A_STRIDE, c_in = job->args->c_in;
  for (int64_t c = 0, n; c < c_in; c += n)
    {
      int64_t at = frame * c_in + c, in_block = at % job->block_channels;
      char *dst = a_block (t, 0, at / job->block_channels) + r * GEMM_A_STRIDE + in_block * 4;
      n = min_i64 (job->block_channels - in_block, c_in - c);
      job->gemm.kernels->winograd->input (dst, step, pixels, c, (int) n);
    }
}

static void
transform_input (const Task *t)
{
  const Job *job = t->job;
  const ConvArgs *a = job->args;
  for (int r = 0; r < t->n; r++)
    for (int f = 0; f < job->n_present; f++)
      {
        TilePlace p = place_of (job, t->first + r);
        const float *pixels[ELEMENTS];
        for (int i = 0; i < ELEMENTS; i++)
          pixels[i] = conv_pixel (a, job->frames[f], p.picture, p.y - a->pad_top + i / 4,
                                  p.x - a->pad_left + i % 4);
        transform_tile (t, r, f, pixels);
      }
}

/* All tiles of the task against one panel of one element; c: its sums. */
static void
multiply_panel (const Task *t, int element, int64_t panel, float *c)
{
  const Job *job = t->job;
  const GemmKernels *k = job->gemm.kernels;
  int width = panel_width (&job->gemm, panel);
  const char *b = weights_of (job, element, panel), *next = b + job->panel_bytes;
  for (int64_t i = 0; i < job->n_blocks; i++)
    {
      int64_t left = job->gemm.n_channels - i * job->block_channels;
      int units = (int) min_i64 (job->block_channels, left);
      const char *a = a_block (t, element, i);
      for (int r = 0; r < t->n; r += k->mr)
        {
          int rows = (int) min_i64 (k->mr, t->n - r);
          float *sums = c + r * SUM_STRIDE;
          k->tile (rows, width == k->nr, units, a + r * GEMM_A_STRIDE, b, sums, SUM_STRIDE,
                   i > 0 ? sums : NULL, NULL, next);
          next += units * GEMM_FETCH_BYTES;
        }
      b += (int64_t) units * width * 4;
    }
}

/* Columns first .. first + n - 1 of the pass. */
static void
transform_output (const Task *t, int64_t first, int64_t n)
{
  const Job *job = t->job;
  const ConvArgs *a = job->args;
  const GemmJob *g = &job->gemm;
  for (int r = 0; r < t->n; r++)
    {
      TilePlace p = place_of (job, t->first + r);
      const float *add[4];
      float *y[4];
      for (int i = 0; i < 4; i++)
        {
          int64_t oy = p.y + i / 2, ox = p.x + i % 2;
          int64_t at = ((p.picture * a->h_out + oy) * a->w_out + ox) * a->c_out + g->col0 + first;
          bool inside = oy < a->h_out && ox < a->w_out;
          y[i] = inside ? a->y + at : NULL;
          add[i] = inside && a->add ? a->add + at : NULL;
        }
      int64_t picture = a->channel_add ? p.picture : 0;
      const float *bias = g->pass_biases ? g->pass_biases + picture * g->n_cols + first : NULL;
      g->kernels->winograd->output (y, t->sums + r * SUM_STRIDE, job->task_tiles * SUM_STRIDE, n,
                                    bias, a->add ? add : NULL);
    }
}

static void
tiles_task (void *data, int64_t index, int thread)
{
  const Job *job = data;
  const GemmJob *g = &job->gemm;
  Task t = { .job = job, .first = index * job->task_tiles, .a = thread_scratch (g->cpu, thread) };
  t.n = (int) min_i64 (job->task_tiles, job->n_tiles - t.first);
  t.sums = (float *) a_block (&t, ELEMENTS, 0);
  transform_input (&t);
  int64_t panels = GROUP_COLUMNS / g->kernels->nr;
  for (int64_t p0 = 0; p0 < g->n_panels; p0 += panels)
    {
      int64_t p1 = min_i64 (p0 + panels, g->n_panels);
      for (int e = 0; e < ELEMENTS; e++)
        for (int64_t p = p0; p < p1; p++)
          multiply_panel (&t, e, p,
                          t.sums + e * job->task_tiles * SUM_STRIDE + (p - p0) * g->kernels->nr);
      int64_t first = p0 * g->kernels->nr;
      transform_output (&t, first, min_i64 (GROUP_COLUMNS, g->n_cols - first));
    }
}

/* Tiles of a task, by what it touches while it multiplies. */
static int64_t
most_tiles (const Job *job)
{
  const ConvArgs *a = job->args;
  int64_t scratch = ELEMENTS * (job->n_blocks * GEMM_A_STRIDE + SUM_STRIDE * 4);
  int64_t touched = ELEMENTS * (job->gemm.n_channels + min_i64 (a->c_out, GROUP_COLUMNS)) * 4;
  int64_t near = A_BYTES / touched;
  return min_i64 (near >= NEAR_TILES ? min_i64 (near, MOST_TILES) : MOST_TILES,
                  THREAD_BYTES / scratch);
}

static void
cut (Job *job)
{
  const GemmJob *g = &job->gemm;
  const ConvArgs *a = job->args;
  int64_t n_threads = threads_count (g->cpu->threads);
  job->n_blocks = ceil_div (g->n_channels, GEMM_BLOCK_UNITS);
  job->block_channels = round_up (ceil_div (g->n_channels, job->n_blocks), WHOLE_CHANNELS);
  job->n_blocks = ceil_div (g->n_channels, job->block_channels);
  job->tiles_down = ceil_div (a->h_out, 2);
  job->tiles_across = ceil_div (a->w_out, 2);
  job->n_tiles = a->n * job->tiles_down * job->tiles_across;
  int64_t most = most_tiles (job) / g->kernels->mr * g->kernels->mr;
  if (n_threads > 1) /* several tasks a thread, so that all end together */
    most = min_i64 (most, max_i64 (4 * g->kernels->mr, ceil_div (job->n_tiles, 4 * n_threads)));
  int64_t n_tasks = ceil_div (job->n_tiles, most);
  job->task_tiles = round_up (ceil_div (job->n_tiles, n_tasks), g->kernels->mr);
  job->panel_bytes = g->n_channels * g->kernels->nr * 4;
}

void
winograd_convolve (CpuBackend *b, const ConvSum *s)
{
  const atomic_bool *cancel = b->base.cancel;
  const ConvArgs *a = &s->args;
  int64_t pixels = a->h_out * a->w_out;
  int taps = s->n_frames * TAPS;
  Job job = { .gemm = { .cpu = b,
                        .kernels = gemm_kernels (b, a->compute),
                        .w = { a->w, a->c_in * taps, taps },
                        .bias = a->bias,
                        .n_rows = a->n * pixels,
                        .n_out = a->c_out,
                        .rows_per_picture = a->channel_add ? pixels : a->n * pixels,
                        .channel_add = a->channel_add },
              .args = a };
  GemmJob *g = &job.gemm;
  for (int i = 0; i < s->n_frames; i++)
    if (s->frames[i])
      {
        job.index[job.n_present] = i;
        job.frames[job.n_present++] = s->frames[i];
      }
  g->n_channels = job.n_present * a->c_in;
  int nr = g->kernels->nr;
  if (g->n_rows <= 0)
    return;
  gemm_fold_init (g, &a->fold);
  cut (&job);
  int64_t panels = (SHARED_BYTES - fold_bytes (g)) / (ELEMENTS * job.panel_bytes);
  if (g->fold.low_rank)
    gemm_fold_begin (g, 0, FILTER_UNITS / taps);
  panels = max_i64 (1, min_i64 (panels, BIAS_FLOATS / a->n / nr));
  for (g->col0 = 0; g->col0 < a->c_out; g->col0 += panels * nr)
    {
      g->n_cols = min_i64 (panels * nr, a->c_out - g->col0);
      g->n_panels = ceil_div (g->n_cols, nr);
      gemm_gather_biases (g);
      threads_run (b->threads, g->n_panels, filter_task, &job, cancel);
      threads_run (b->threads, ceil_div (job.n_tiles, job.task_tiles), tiles_task, &job, cancel);
    }
}
