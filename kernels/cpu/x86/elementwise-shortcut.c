/* SPDX-License-Identifier: MPL-2.0
 * elementwise-shortcut.c - one row of pixels of the ways around levels that halve or double.
 *
 * Shapes   a block: the n_frames x factor x factor input pixels of one output pixel (avg_down), or
 * the other way round (dup_up). Numbers  f32. Limit    memory.  Vectors serve the divisions that
 * Wan 2.2's VAE has: as many channels out as in, or twice as many from pairs of frames, or half of
 * them. Aliases  add may equal y.
 */
#include "elementwise-isa.h"

enum
{
  MAX_CELLS = 8
};

/* Where the pixels of a block lie, frame by frame, row by row; NULL reads as zeros. */
typedef struct
{
  const float *cells[MAX_CELLS];
  int n;
} Block;

static Block
block_under (const AvgDownArgs *a, int64_t row, int64_t x)
{
  Block b = { .n = a->n_frames * a->factor * a->factor };
  for (int i = 0; i < b.n; i++)
    {
      const float *frame = a->x[i / (a->factor * a->factor)];
      int64_t y = row * a->factor + i / a->factor % a->factor;
      int64_t at = (y * a->w + x) * a->factor + i % a->factor;
      b.cells[i] = frame ? frame + at * a->c_in : NULL;
    }
  return b;
}

/* The mean of channels c .. c + VEC_WIDTH - 1 over @n cells. */
static inline Vec
mean_of (const float *const *cells, int n, int64_t c)
{
  Vec sum = { 0 };
  for (int i = 0; i < n; i++)
    if (cells[i])
      sum += vec_load (cells[i] + c);
  return sum * (1.0f / (float) n);
}

static float
mean_of_run (const Block *b, int64_t first, int64_t run)
{
  float sum = 0;
  for (int64_t j = first; j < first + run; j++)
    sum += b->cells[j % b->n] ? b->cells[j % b->n][j / b->n] : 0;
  return sum / (float) run;
}

/* Channels that whole vectors serve.  Returns: how many outputs are done */
static int64_t
means_of_block (const AvgDownArgs *a, const Block *b, const float *add, float *y)
{
  int per_frame = b->n / a->n_frames;
  int64_t c = 0;
  if (a->c_out == a->c_in)
    for (; c + VEC_WIDTH <= a->c_out; c += VEC_WIDTH)
      {
        Vec mean = mean_of (b->cells, b->n, c);
        vec_store (y + c, add ? mean + vec_load (add + c) : mean);
      }
  else if (a->n_frames == 2 && a->c_out == 2 * a->c_in)
    for (; 2 * (c + VEC_WIDTH) <= a->c_out; c += VEC_WIDTH)
      {
        Vec older = mean_of (b->cells, per_frame, c);
        Vec newer = mean_of (b->cells + per_frame, per_frame, c);
        for (int i = 0; i < VEC_WIDTH; i++)
          {
            int64_t at = 2 * (c + i);
            y[at] = add ? older[i] + add[at] : older[i];
            y[at + 1] = add ? newer[i] + add[at + 1] : newer[i];
          }
      }
  return c * a->c_out / a->c_in;
}

void
KERNEL (avg_down) (const AvgDownArgs *a, int64_t row)
{
  int64_t cells = a->n_frames * a->factor * a->factor, run = a->c_in * cells / a->c_out;
  for (int64_t x = 0; x < a->w; x++)
    {
      int64_t at = (row * a->w + x) * a->c_out;
      const float *add = a->add ? a->add + at : NULL;
      Block b = block_under (a, row, x);
      for (int64_t o = means_of_block (a, &b, add, a->y + at); o < a->c_out; o++)
        {
          float mean = mean_of_run (&b, o * run, run);
          a->y[at + o] = add ? mean + add[o] : mean;
        }
    }
}

void
KERNEL (dup_up) (const DupUpArgs *a, int64_t row)
{
  int64_t f = a->factor, cells = a->n_frames * f * f, run = a->c_out * cells / a->c_in;
  for (int64_t x = 0; x < a->w * f; x++)
    {
      int64_t at = (row * a->w * f + x) * a->c_out, o = 0;
      int64_t cell = (a->frame * f + row % f) * f + x % f;
      const float *from = a->x + (row / f * a->w + x / f) * a->c_in;
      const float *add = a->add ? a->add + at : NULL;
      float *y = a->y + at;
      if (a->c_in == a->c_out)
        for (; o + VEC_WIDTH <= a->c_out; o += VEC_WIDTH)
          vec_store (y + o, add ? vec_load (from + o) + vec_load (add + o) : vec_load (from + o));
      else if (a->c_in == 2 * a->c_out)
        for (from += cell / run; o < a->c_out; o++)
          y[o] = add ? from[2 * o] + add[o] : from[2 * o];
      for (; o < a->c_out; o++)
        {
          float value = from[(o * cells + cell) / run];
          y[o] = add ? value + add[o] : value;
        }
    }
}
