/* SPDX-License-Identifier: MPL-2.0
 * cpu-gemm.c - cuts a product into passes, tasks, blocks and register tiles.
 *
 * Two ways to get at the packed weights.  With many rows they are packed once, by all threads, into
 * shared scratch (in passes of as many columns as fit), then tiles of rows share them.  With few
 * rows (one tile) every panel is used by one task only: the task packs it block by block into its
 * own cache and the packed form never sees memory.
 *
 * Inside a task: for each block of K, pack A (second level cache); for each panel, its B block
 * (first level cache) meets all rows.  Where A of all blocks fits the second level cache, panels go
 * outside and blocks inside: C is then finished while it is near.  Bias and residual enter with the
 * first block, later blocks add to C, so a residual that is C itself needs no copy.
 */
#include "backend/cpu-gemm.h"

#include <string.h>

#include "core/blocks.h"

enum
{
  ROWS_OF_A_TASK = 144,      /* A block 175 KiB */
  ROWS_OF_A_TILE_TASK = 256, /* with AMX, whose products outrun the third level cache */
  COLUMNS_OF_A_TASK = 1280,  /* C of a task stays in the second level cache between blocks */
  TASKS_A_THREAD = 4,
  LEAST_COLUMNS = 128,     /* of a task, so that packing A pays */
  LEAST_TILE_COLUMNS = 512 /* the same with AMX */
};

enum
{
  KEPT_BYTES = 11 << 17, /* A of all blocks, in a second level cache of 2 MiB */
  ROWS_ALIGN = 4,
  LEAST_KEPT_ROWS = 64,      /* for which panels come from the third level cache */
  A_SCRATCH_BYTES = 3 << 20, /* blocks of A lie further apart than they are long */
  AHEAD_PANELS = 8           /* before the end of a task the next one's rows are fetched */
};

/* Scratch of a thread while it works on a product. */
typedef struct
{
  _Alignas(64) char a[A_SCRATCH_BYTES];
  _Alignas(64) uint32_t b[GEMM_BLOCK_UNITS * GEMM_MAX_NR];
  _Alignas(64) float edge[GEMM_MAX_MR * GEMM_MAX_NR];
  const float *rows[MAX_TILE_ROWS * MAX_TAPS_OF_A_ROW];
} ProductScratch;

_Static_assert(sizeof (ProductScratch) <= THREAD_BYTES, "a thread's scratch holds a product");

/* Channels and units of block @b. */
typedef struct
{
  int64_t c0;
  int nc, units;
} Block;

static Block
block_at (const GemmJob *job, int64_t b)
{
  int per_unit = elements_per_unit (job->kernels);
  int64_t c0 = b * job->block_channels;
  int64_t nc = min_i64 (job->block_channels, job->n_channels - c0);
  int64_t units = round_up (job->w.taps * ceil_div (nc, per_unit), job->kernels->unit_align);
  return (Block){ c0, (int) nc, (int) units };
}

/* Blocks hold 9 or 27 taps of a few channels, or equal parts of a plain row. */
static void
cut_blocks (GemmJob *job)
{
  int per_unit = elements_per_unit (job->kernels);
  enum
  {
    PART = 8,  /* elements: of 27 taps no more fit that vectors and pairs divide */
    ALIGN = 32 /* elements: whole vectors, and whole tiles of AMX */
  };
  int64_t most = GEMM_BLOCK_UNITS * per_unit / job->w.taps / PART * PART;
  int64_t n = ceil_div (job->n_channels, most);
  job->block_channels = min_i64 (most, round_up (ceil_div (job->n_channels, n), ALIGN));
  job->n_blocks = ceil_div (job->n_channels, job->block_channels);
  job->block_units = block_at (job, 0).units;
  job->panel_units =
      (job->n_blocks - 1) * job->block_units + block_at (job, job->n_blocks - 1).units;
}

typedef struct
{
  int rows, cols; /* of C */
  int width;      /* of the panel */
  int units;
  const void *a, *b;
  float *c;
  int64_t c_stride;
  const float *init, *bias;
  const char *next;
} Tile;

static void
call_tile (const GemmKernels *k, const Tile *t, float *c, int64_t c_stride, bool add)
{
  const float *init = add ? t->init : NULL, *bias = add ? t->bias : NULL;
  if (t->width == k->broad)
    k->tile_broad (t->rows, t->units, t->a, t->b, c, c_stride, init, bias, t->next);
  else
    k->tile (t->rows, t->width == k->nr, t->units, t->a, t->b, c, c_stride, init, bias, t->next);
}

/* A tile that C cuts off on the right is made aside. */
static void
make_tile (const GemmKernels *k, const Tile *t, float *edge)
{
  if (t->cols == t->width)
    {
      call_tile (k, t, t->c, t->c_stride, true);
      return;
    }
  call_tile (k, t, edge, t->width, false);
  for (int r = 0; r < t->rows; r++)
    for (int j = 0; j < t->cols; j++)
      {
        float x = edge[r * t->width + j] + (t->bias ? t->bias[j] : 0.0f);
        t->c[r * t->c_stride + j] = x + (t->init ? t->init[r * t->c_stride + j] : 0.0f);
      }
}

typedef struct
{
  const GemmJob *job;
  ProductScratch *s;
  int64_t row0, n_rows;   /* of C */
  int64_t panel0, panel1; /* of this pass */
  int64_t block_index;
  Block block;
  const char *ahead, *ahead_end; /* what is fetched for later besides the next panel */
  const char *rows_ahead;        /* A of the task that probably follows, or NULL */
} Task;

/* Broad panels come first. */
static int64_t
panel_col (const GemmJob *job, int64_t panel)
{
  int64_t n_broad = min_i64 (panel, job->n_broad);
  return n_broad * job->kernels->broad + (panel - n_broad) * job->kernels->nr;
}

static int
panel_width (const GemmJob *job, int64_t panel)
{
  const GemmKernels *k = job->kernels;
  if (panel < job->n_broad)
    return k->broad;
  return job->n_cols - panel_col (job, panel) <= k->narrow ? k->narrow : k->nr;
}

static int
panel_cols (const GemmJob *job, int64_t panel)
{
  return (int) min_i64 (panel_width (job, panel), job->n_cols - panel_col (job, panel));
}

static char *
shared_block (const GemmJob *job, int64_t panel, int64_t block)
{
  int64_t units = panel_col (job, panel) * job->panel_units +
                  block * job->block_units * panel_width (job, panel);
  return job->cpu->gemm->shared + units * 4;
}

static void
pack_panel_block (const GemmJob *job, void *dst, int64_t panel, const Block *block)
{
  /* what is folded is added before any rounding */
  const GemmKernels *k = job->fold.low_rank ? job->cpu->gemm->f32 : job->kernels;
  k->pack_b (dst, panel_width (job, panel), &job->w, job->col0 + panel_col (job, panel),
             panel_cols (job, panel), block->c0, block->nc, block->units);
}

static char *
a_of_block (const Task *t)
{
  return t->s->a + (t->job->keep_a ? t->block_index * t->n_rows * GEMM_A_STRIDE : 0);
}

/* Rows of the next tile: equal parts rather than a small rest, except where tiles are of 16. */
static int
rows_of_tile (const GemmKernels *k, int width, int64_t left)
{
  int mr = width == k->broad ? k->broad_mr : k->mr;
  return (int) (k->begin ? min_i64 (mr, left) : ceil_div (left, ceil_div (left, mr)));
}

/* What a tile fetches: the next panel's block, @n_bytes of it left; then what is wanted later. */
static const char *
to_fetch (Task *t, const char **next, int64_t *n_bytes, int64_t step, const char *otherwise)
{
  const char *p = otherwise;
  if (*n_bytes > 0)
    {
      p = *next;
      *next += step;
      *n_bytes -= step;
    }
  else if (t->ahead < t->ahead_end)
    {
      p = t->ahead;
      t->ahead += step;
    }
  return p;
}

/* All rows of the task against one block of one panel.  Meanwhile @next, as large, is fetched,
 * unless it is NULL. */
static void
multiply_panel (Task *t, int64_t panel, const char *b, const char *next)
{
  const GemmJob *job = t->job;
  const GemmKernels *k = job->kernels;
  int64_t col = panel_col (job, panel);
  Tile tile = { .cols = panel_cols (job, panel),
                .width = panel_width (job, panel),
                .units = t->block.units,
                .b = b,
                .c_stride = job->c_stride };
  const char *a = a_of_block (t);
  int64_t n_bytes = next ? (int64_t) tile.units * tile.width * 4 : 0;
  int64_t step = tile.units * (tile.width == k->broad ? GEMM_BROAD_FETCH_BYTES : GEMM_FETCH_BYTES);
  for (int64_t r = 0; r < t->n_rows; r += tile.rows)
    {
      int64_t row = t->row0 + r, picture = row / job->rows_per_picture;
      int64_t left = min_i64 (t->n_rows - r, (picture + 1) * job->rows_per_picture - row);
      int64_t offset = row * job->c_stride + job->col0 + col;
      tile.next = to_fetch (t, &next, &n_bytes, step, b);
      tile.rows = rows_of_tile (k, tile.width, left);
      tile.a = a + r * GEMM_A_STRIDE;
      tile.c = job->c + offset;
      if (t->block_index == 0)
        {
          tile.init = job->add ? job->add + offset : NULL;
          tile.bias = job->pass_biases ? job->pass_biases + picture * job->n_cols + col : NULL;
        }
      else
        tile.init = tile.c;
      make_tile (k, &tile, t->s->edge);
    }
}

static void
pack_a_block (const Task *t)
{
  t->job->kernels->pack_a (a_of_block (t), t->s->rows, (int) t->n_rows, t->job->w.taps, t->block.c0,
                           t->block.nc, t->block.units);
}

/* One block of one panel; @next_panel, @next_block: what follows, or the same again. */
static void
multiply (Task *t, int64_t panel, int64_t next_panel, int64_t next_block)
{
  const GemmJob *job = t->job;
  if (job->pack_in_task)
    {
      pack_panel_block (job, t->s->b, panel, &t->block);
      multiply_panel (t, panel, (char *) t->s->b, NULL);
      return;
    }
  multiply_panel (t, panel, shared_block (job, panel, t->block_index),
                  shared_block (job, next_panel, next_block));
}

static void
blocks_outside (Task *t)
{
  const GemmJob *job = t->job;
  for (t->block_index = 0; t->block_index < job->n_blocks; t->block_index++)
    {
      t->block = block_at (job, t->block_index);
      pack_a_block (t);
      for (int64_t p = t->panel0; p < t->panel1; p++)
        multiply (t, p, min_i64 (p + 1, t->panel1 - 1), t->block_index);
    }
}

/* Chooses what to fetch besides packed panels while panel @p is used: the weights that are packed
 * next, or near the end the rows of the next task. */
static void
look_ahead (Task *t, int64_t p)
{
  const GemmJob *job = t->job;
  if (job->pack_in_task)
    {
      int64_t row = job->col0 + panel_col (job, p + 1);
      int64_t n = p + 1 < t->panel1 ? panel_cols (job, p + 1) : 0;
      t->ahead = param_at (&job->w.param, row * job->w.row_stride);
      t->ahead_end = param_at (&job->w.param, (row + n) * job->w.row_stride);
    }
  else if (t->rows_ahead && p == max_i64 (t->panel0, t->panel1 - AHEAD_PANELS))
    {
      t->ahead = t->rows_ahead;
      t->ahead_end = t->ahead + t->n_rows * job->n_channels * (int64_t) sizeof (float);
    }
}

static void
panels_outside (Task *t)
{
  const GemmJob *job = t->job;
  for (int64_t p = t->panel0; p < t->panel1; p++)
    {
      look_ahead (t, p);
      for (t->block_index = 0; t->block_index < job->n_blocks; t->block_index++)
        {
          t->block = block_at (job, t->block_index);
          if (p == t->panel0)
            pack_a_block (t);
          bool last = t->block_index + 1 == job->n_blocks;
          multiply (t, p, last ? min_i64 (p + 1, t->panel1 - 1) : p, last ? 0 : t->block_index + 1);
        }
    }
}

static void
run_task (void *data, int64_t index, int thread)
{
  const GemmJob *job = data;
  const GemmKernels *k = job->kernels;
  int64_t slice = index / job->n_tiles, tile = index % job->n_tiles;
  Task t = { .job = job, .s = (ProductScratch *) thread_scratch (job->cpu, thread) };
  t.row0 = tile * job->tile_rows;
  t.n_rows = min_i64 (job->tile_rows, job->n_rows - t.row0);
  /* Tasks are alike, so threads take turns. */
  int64_t later = t.row0 + job->tile_rows * threads_count (job->cpu->threads);
  if (job->dense_rows && later + t.n_rows <= job->n_rows)
    t.rows_ahead = (const char *) (job->dense_rows + later * job->n_channels);
  t.panel0 = slice * job->slice_panels;
  t.panel1 = min_i64 (t.panel0 + job->slice_panels, job->n_panels);
  job->row_pointers (job, t.row0, (int) t.n_rows, t.s->rows);
  if (k->begin)
    k->begin ();
  if (job->keep_a)
    panels_outside (&t);
  else
    blocks_outside (&t);
  if (k->end)
    k->end ();
}

static void
pack_task (void *data, int64_t panel, int thread)
{
  const GemmJob *job = data;
  const Fold *f = &job->fold;
  int width = panel_width (job, panel);
  float *up = (float *) thread_scratch (job->cpu, thread);
  if (f->low_rank)
    gemm_fold_up (job, up, width, panel_col (job, panel), panel_cols (job, panel));
  for (int64_t b = 0; b < job->n_blocks; b++)
    {
      Block block = block_at (job, b);
      char *out = shared_block (job, panel, b);
      if (f->rank0 == 0)
        pack_panel_block (job, out, panel, &block);
      if (f->low_rank)
        gemm_fold_add (job, (float *) (void *) out, width, up, block.c0 * job->w.taps, block.units);
    }
}

/* Packs the pass's panels and adds what is folded into them, as many ranks at a time as fit. */
static void
pack_shared (GemmJob *job)
{
  int64_t n_ranks = job->fold.low_rank ? job->fold.low_rank->rank : 1;
  for (int64_t r = 0; r < n_ranks; r = gemm_fold_next (job))
    {
      if (job->fold.low_rank)
        gemm_fold_begin (job, r, job->block_channels);
      threads_run (job->cpu->threads, job->n_panels, pack_task, job, job->cpu->base.cancel);
    }
}

/* One row of floats a picture. */
void
gemm_gather_biases (GemmJob *job)
{
  job->pass_biases = NULL;
  if (!job->bias.data && !job->more_bias.data && !job->channel_add)
    return;
  float *out = job->cpu->gemm->biases;
  int64_t n_pictures = job->n_rows / job->rows_per_picture;
  for (int64_t p = 0; p < n_pictures; p++, out += job->n_cols)
    {
      if (job->bias.data)
        param_to_f32 (out, &job->bias, job->col0, job->n_cols);
      else
        memset (out, 0, (size_t) job->n_cols * sizeof *out);
      for (int64_t j = 0; job->more_bias.data && j < job->n_cols; j++)
        {
          float more;
          param_to_f32 (&more, &job->more_bias, job->col0 + j, 1);
          out[j] += more;
        }
      if (job->channel_add)
        for (int64_t j = 0; j < job->n_cols; j++)
          out[j] += job->channel_add[p * job->n_out + job->col0 + j];
    }
  job->pass_biases = job->cpu->gemm->biases;
}

static int64_t
rows_of_a_task (const GemmJob *job)
{
  return job->kernels->begin ? ROWS_OF_A_TILE_TASK : ROWS_OF_A_TASK;
}

/* Rows of a task and whether it keeps A of all blocks: rather fewer rows than A more than once. */
static void
cut_rows (GemmJob *job)
{
  const GemmKernels *k = job->kernels;
  int64_t rows = rows_of_a_task (job), row_bytes = job->panel_units * 4;
  int64_t most_kept = (A_SCRATCH_BYTES / GEMM_A_STRIDE - GEMM_MAX_MR) / job->n_blocks;
  most_kept = min_i64 (most_kept, (k->begin ? A_BYTES : KEPT_BYTES) / row_bytes);
  most_kept -= most_kept % ROWS_ALIGN;
  if (job->n_rows <= 2 * rows)
    rows = job->n_rows;
  else if (most_kept >= LEAST_KEPT_ROWS && !k->begin)
    rows = min_i64 (rows, most_kept);
  job->n_tiles = ceil_div (job->n_rows, rows);
  job->tile_rows = round_up (ceil_div (job->n_rows, job->n_tiles), k->begin ? k->mr : ROWS_ALIGN);
  job->n_tiles = ceil_div (job->n_rows, job->tile_rows);
  job->keep_a = job->tile_rows <= most_kept;
}

static void
cut_tasks (GemmJob *job)
{
  const GemmKernels *k = job->kernels;
  int width = job->broad ? k->broad : k->nr;
  int64_t least = (k->begin ? LEAST_TILE_COLUMNS : LEAST_COLUMNS) / width;
  int64_t most = COLUMNS_OF_A_TASK / width, n_threads = threads_count (job->cpu->threads);
  cut_rows (job);
  int64_t n_slices = ceil_div (n_threads * (n_threads > 1 ? TASKS_A_THREAD : 1), job->n_tiles);
  int64_t slice = max_i64 (ceil_div (job->n_panels, n_slices), least);
  /* Few columns: rather pack A again than let threads rest. */
  slice = min_i64 (slice, ceil_div (job->n_panels, ceil_div (n_threads, job->n_tiles)));
  /* Several threads rather pack A again than wait for the last task. */
  job->slice_panels = job->keep_a && n_threads == 1 ? slice : min_i64 (slice, most);
}

/* Whatever remains behind broad panels fills one or two others. */
static void
cut_panels (GemmJob *job)
{
  const GemmKernels *k = job->kernels;
  job->n_broad = job->broad ? job->n_cols / k->broad : 0;
  int64_t left = job->n_cols - job->n_broad * k->broad;
  if (job->n_broad > 0 && left > 0 && left <= k->narrow)
    job->n_broad--;
  job->n_panels = job->n_broad + ceil_div (job->n_cols - job->n_broad * k->broad, k->nr);
}

static void
run_pass (GemmJob *job)
{
  const atomic_bool *cancel = job->cpu->base.cancel;
  gemm_gather_biases (job);
  cut_tasks (job);
  if (!job->pack_in_task)
    pack_shared (job);
  int64_t n_slices = ceil_div (job->n_panels, job->slice_panels);
  threads_run (job->cpu->threads, job->n_tiles * n_slices, run_task, job, cancel);
}

void
gemm_run (GemmJob *job)
{
  const GemmKernels *k = job->kernels;
  if (job->n_rows <= 0 || job->n_out <= 0)
    return;
  job->broad = k->broad > 0 && job->n_out >= k->broad;
  int width = job->broad ? k->broad : k->nr;
  cut_blocks (job);
  int64_t panels = (SHARED_BYTES - fold_bytes (job)) / (job->panel_units * width * 4);
  int64_t n_pictures = job->n_rows / job->rows_per_picture;
  job->pack_in_task =
      !job->fold.low_rank && (job->n_rows <= 2 * rows_of_a_task (job) || panels == 0);
  if (job->pack_in_task)
    panels = job->n_out;
  panels = max_i64 (1, min_i64 (panels, BIAS_FLOATS / n_pictures / width));
  for (job->col0 = 0; job->col0 < job->n_out; job->col0 += panels * width)
    {
      job->n_cols = min_i64 (panels * width, job->n_out - job->col0);
      cut_panels (job);
      run_pass (job);
    }
}
