/* SPDX-License-Identifier: MPL-2.0
 * adapter-rotation.c - OFT and BOFT: output rows turned by small orthogonal matrices.
 *
 * R = (I + Q) (I - Q)^-1 with Q = B - B^T: Cayley's form of a rotation.  alpha is no scale here but
 * the largest norm that all of Q may have.
 */
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "weights/adapter-delta-private.h"

/* Q = B - B^T of every block, cut to the norm that alpha allows. */
static void
skew (const AdapterModule *m, const float *blocks, int64_t n_blocks, int64_t n, double *q)
{
  double norm = 0;
  for (int64_t k = 0; k < n_blocks; k++)
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < n; j++)
        {
          double v = (double) blocks[(k * n + i) * n + j] - (double) blocks[(k * n + j) * n + i];
          q[(k * n + i) * n + j] = v;
          norm += v * v;
        }
  norm = sqrt (norm) + 1e-8; /* LyCORIS' guard, kept for its values */
  if (m->alpha > 0 && norm > m->alpha)
    for (int64_t i = 0; i < n_blocks * n * n; i++)
      q[i] *= m->alpha / norm;
}

/* Solves X (I - Q) = I + Q by elimination on columns; I - Q has no zero pivot that partial pivoting
 * meets, because x^T (I - Q) x = x^T x. @work: (2 n, n). */
static void
cayley (const double *q, int64_t n, double *work, float *r)
{
  double *a = work, *b = work + n * n; /* rows: (I - Q)^T and (I + Q)^T */
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++)
      {
        a[i * n + j] = (i == j) - q[j * n + i];
        b[i * n + j] = (i == j) + q[j * n + i];
      }
  for (int64_t p = 0; p < n; p++)
    {
      int64_t best = p;
      for (int64_t i = p + 1; i < n; i++)
        if (fabs (a[i * n + p]) > fabs (a[best * n + p]))
          best = i;
      for (int64_t j = 0; j < n && best != p; j++)
        {
          double t = a[p * n + j], u = b[p * n + j];
          a[p * n + j] = a[best * n + j];
          a[best * n + j] = t;
          b[p * n + j] = b[best * n + j];
          b[best * n + j] = u;
        }
      double inverse = 1 / a[p * n + p];
      for (int64_t j = 0; j < n; j++)
        {
          a[p * n + j] *= inverse;
          b[p * n + j] *= inverse;
        }
      for (int64_t i = 0; i < n; i++)
        {
          double f = a[i * n + p];
          for (int64_t j = 0; i != p && f != 0 && j < n; j++)
            {
              a[i * n + j] -= f * a[p * n + j];
              b[i * n + j] -= f * b[p * n + j];
            }
        }
    }
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++)
      r[i * n + j] = (float) b[j * n + i];
}

/* The rotations (n_blocks, n, n) of a module; NULL and NO_MEMORY */
static float *
rotations (const AdapterModule *m, int64_t n_blocks, int64_t n, Status *status)
{
  float *r = file_tensor_f32 (m->tensors[ROLE_OFT_BLOCKS], status);
  double *q = mem_calloc ((size_t) (n_blocks * n * n), sizeof *q);
  double *work = mem_calloc ((size_t) (2 * n * n), sizeof *work);
  bool ok = (r && q && work) || out_of_memory (status);
  if (ok)
    skew (m, r, n_blocks, n, q);
  for (int64_t k = 0; ok && k < n_blocks; k++)
    cayley (q + k * n * n, n, work, r + k * n * n);
  mem_free (q);
  mem_free (work);
  if (ok)
    return r;
  mem_free (r);
  return NULL;
}

/* The file's factor for each output row; NULL without one (@ok) or when out of memory */
static float *
rescale_of (const AdapterModule *m, bool *ok, Status *status)
{
  const FileTensor *t = m->tensors[ROLE_RESCALE];
  float *rescale = t ? file_tensor_f32 (t, status) : NULL;
  *ok = !t || rescale;
  return rescale;
}

bool
adapter_delta_oft (
    const AdapterModule *m, const AdapterShape *s, const float *w, float *d, Status *status)
{
  const FileTensor *t = m->tensors[ROLE_OFT_BLOCKS];
  int64_t n = t->ne[1], n_columns = s->n_in * s->area;
  bool ok;
  float *rescale = rescale_of (m, &ok, status);
  float *r = ok ? rotations (m, t->ne[0], n, status) : NULL;
  for (int64_t row = 0; r && row < s->n_out; row++)
    {
      const float *block = r + row / n * n * n, *in = w + row / n * n * n_columns;
      float *out = d + row * n_columns, f = rescale ? rescale[row] : 1;
      for (int64_t k = 0; k < n; k++)
        for (int64_t j = 0; j < n_columns; j++)
          out[j] += f * block[k * n + row % n] * in[k * n_columns + j];
      for (int64_t j = 0; j < n_columns; j++)
        out[j] -= w[row * n_columns + j];
    }
  ok = r != NULL;
  mem_free (r);
  mem_free (rescale);
  return ok;
}

/* Where row @row of stage @stage's order lies in the weight: within groups of 2 * half rows, the
 * halves are interleaved. */
static int64_t
butterfly_row (int64_t row, int64_t half)
{
  int64_t group = row / (2 * half), at = row % (2 * half);
  return group * 2 * half + at % 2 * half + at / 2;
}

/* One stage: out = R in on the reordered rows, each rotation taken as far as @weight. */
static void
butterfly (const float *r,
           int64_t b,
           int64_t half,
           double weight,
           int64_t n_out,
           int64_t n_columns,
           const float *in,
           float *out)
{
  for (int64_t row = 0; row < n_out; row++)
    {
      float *to = out + butterfly_row (row, half) * n_columns;
      memset (to, 0, (size_t) n_columns * sizeof *to);
      for (int64_t k = 0; k < b; k++)
        {
          bool on_diagonal = k == row % b;
          double f = weight * (double) r[row / b * b * b + row % b * b + k] +
                     (on_diagonal ? 1 - weight : 0);
          const float *from = in + butterfly_row (row / b * b + k, half) * n_columns;
          for (int64_t j = 0; j < n_columns; j++)
            to[j] += (float) f * from[j];
        }
    }
}

bool
adapter_delta_boft (
    const AdapterModule *m, const AdapterShape *s, double weight, float *w, Status *status)
{
  const FileTensor *t = m->tensors[ROLE_OFT_BLOCKS];
  int64_t n_stages = t->ne[0], n_blocks = t->ne[1], b = t->ne[2], n_columns = s->n_in * s->area;
  size_t n_bytes = (size_t) (s->n_out * n_columns) * sizeof *w;
  bool ok;
  float *rescale = rescale_of (m, &ok, status);
  float *r = ok ? rotations (m, n_stages * n_blocks, b, status) : NULL;
  float *other = r ? mem_calloc (1, n_bytes) : NULL;
  ok = other || (r && out_of_memory (status));
  for (int64_t i = 0; ok && i < n_stages; i++)
    {
      butterfly (r + i * n_blocks * b * b, b, (b / 2) << i, weight, s->n_out, n_columns, w, other);
      memcpy (w, other, n_bytes);
    }
  for (int64_t i = 0; ok && rescale && i < s->n_out * n_columns; i++)
    w[i] *= (float) (1 + weight * ((double) rescale[i / n_columns] - 1));
  mem_free (other);
  mem_free (r);
  mem_free (rescale);
  return ok;
}
