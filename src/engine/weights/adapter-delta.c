/* SPDX-License-Identifier: MPL-2.0
 * adapter-delta.c - deltas that are sums and products: LoRA, LoHa, LoKr, GLoRA, (IA)3, DoRA.
 */
#include "weights/adapter-delta.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "weights/adapter-delta-private.h"

int64_t
file_tensor_elements (const FileTensor *t)
{
  int64_t n = 1;
  for (int i = 0; i < t->rank; i++)
    n *= t->ne[i]; /* the parser has checked the product */
  return n;
}

float *
file_tensor_f32 (const FileTensor *t, Status *status)
{
  int64_t n = file_tensor_elements (t);
  float *out = mem_calloc ((size_t) n + 1, sizeof *out);
  if (!out)
    out_of_memory (status);
  else
    file_tensor_read (out, t, 0, n);
  return out;
}

/* c (m, n) += s a (m, k) b (k, n) */
static void
add_product (float *c, const float *a, const float *b, int64_t m, int64_t k, int64_t n, float s)
{
  for (int64_t i = 0; i < m; i++)
    for (int64_t p = 0; p < k; p++)
      {
        const float f = s * a[i * k + p], *row = b + p * n;
        float *out = c + i * n;
        for (int64_t j = 0; j < n; j++)
          out[j] += f * row[j];
      }
}

/* @d (out, in, area) += s a1 b1: of tensors (out, r) and (r, in * area) */
static bool
add_pair (float *d,
          const FileTensor *up,
          const FileTensor *down,
          int64_t n_out,
          int64_t n_columns,
          float s,
          Status *status)
{
  float *a = file_tensor_f32 (up, status), *b = a ? file_tensor_f32 (down, status) : NULL;
  if (b)
    add_product (d, a, b, n_out, down->ne[0], n_columns, s);
  mem_free (a);
  mem_free (b);
  return b != NULL;
}

/* Tucker: d[p, q, .] += sum t[i, j, .] a[i, p] b[j, q]; a and b are (r, p) and (r, q). */
static bool
add_tucker (float *d,
            const FileTensor *core,
            const FileTensor *left,
            const FileTensor *right,
            Status *status)
{
  int64_t r1 = core->ne[0], r2 = core->ne[1], n_p = left->ne[1], n_q = right->ne[1];
  int64_t area = core->ne[2] * core->ne[3];
  float *t = file_tensor_f32 (core, status), *a = file_tensor_f32 (left, status),
        *b = file_tensor_f32 (right, status);
  float *half = mem_calloc ((size_t) (r1 * n_q * area) + 1, sizeof *half); /* (i, q, area) */
  bool ok = (t && a && b && half) || out_of_memory (status);
  for (int64_t i = 0; ok && i < r1; i++)
    for (int64_t j = 0; j < r2; j++)
      for (int64_t q = 0; q < n_q; q++)
        for (int64_t k = 0; k < area; k++)
          half[(i * n_q + q) * area + k] += t[(i * r2 + j) * area + k] * b[j * n_q + q];
  for (int64_t i = 0; ok && i < r1; i++)
    for (int64_t p = 0; p < n_p; p++)
      for (int64_t c = 0; c < n_q * area; c++)
        d[p * n_q * area + c] += a[i * n_p + p] * half[i * n_q * area + c];
  mem_free (t);
  mem_free (a);
  mem_free (b);
  mem_free (half);
  return ok;
}

bool
adapter_delta_down (const AdapterModule *m, const AdapterShape *s, float *out, Status *status)
{
  const FileTensor *down = m->tensors[ROLE_DOWN], *mid = m->tensors[ROLE_MID];
  if (!mid)
    {
      file_tensor_read (out, down, 0, file_tensor_elements (down));
      return true;
    }
  /* out[a, i, .] = sum_b mid[a, b, .] down[b, i] */
  int64_t r = mid->ne[0], n_inner = mid->ne[1];
  float *t = file_tensor_f32 (mid, status), *b = t ? file_tensor_f32 (down, status) : NULL;
  memset (out, 0, (size_t) (r * s->n_in * s->area) * sizeof *out);
  for (int64_t a = 0; b && a < r; a++)
    for (int64_t j = 0; j < n_inner; j++)
      for (int64_t i = 0; i < s->n_in; i++)
        for (int64_t k = 0; k < s->area; k++)
          out[(a * s->n_in + i) * s->area + k] +=
              t[(a * n_inner + j) * s->area + k] * b[j * s->n_in + i];
  mem_free (t);
  mem_free (b);
  return b != NULL;
}

static int64_t
elements (const AdapterShape *s)
{
  return s->n_out * s->n_in * s->area;
}

static bool
lora (const AdapterModule *m, const AdapterShape *s, float *d, Status *status)
{
  const FileTensor *up = m->tensors[ROLE_UP], *mid = m->tensors[ROLE_MID];
  int64_t r = mid ? mid->ne[0] : m->tensors[ROLE_DOWN]->ne[0], n_columns = s->n_in * s->area;
  float *a = file_tensor_f32 (up, status);
  float *b = a ? mem_calloc ((size_t) (r * n_columns) + 1, sizeof *b) : NULL;
  bool ok = (a && b) || out_of_memory (status);
  ok = ok && adapter_delta_down (m, s, b, status);
  if (ok)
    add_product (d, a, b, s->n_out, r, n_columns, (float) m->scale);
  mem_free (a);
  mem_free (b);
  return ok;
}

/* One of LoHa's two factors. */
static bool
hada_factor (const AdapterModule *m, const AdapterShape *s, bool second, float *d, Status *status)
{
  const FileTensor *a = m->tensors[second ? ROLE_HADA_W2_A : ROLE_HADA_W1_A];
  const FileTensor *b = m->tensors[second ? ROLE_HADA_W2_B : ROLE_HADA_W1_B];
  const FileTensor *core = m->tensors[second ? ROLE_HADA_T2 : ROLE_HADA_T1];
  if (core)
    return add_tucker (d, core, a, b, status);
  return add_pair (d, a, b, s->n_out, s->n_in * s->area, 1, status);
}

static bool
loha (const AdapterModule *m, const AdapterShape *s, float *d, Status *status)
{
  int64_t n = elements (s);
  float *other = mem_calloc ((size_t) n + 1, sizeof *other);
  bool ok = (other || out_of_memory (status)) && hada_factor (m, s, false, d, status) &&
            hada_factor (m, s, true, other, status);
  for (int64_t i = 0; ok && i < n; i++)
    d[i] *= (float) m->scale * other[i];
  mem_free (other);
  return ok;
}

/* One of LoKr's factors as a whole matrix (rows, columns, area); NULL and NO_MEMORY */
static float *
kron_factor (const FileTensor *whole,
             const FileTensor *a,
             const FileTensor *b,
             const FileTensor *core,
             const KronSide *side,
             Status *status)
{
  if (whole)
    return file_tensor_f32 (whole, status);
  size_t n = (size_t) (side->n_rows * side->n_columns * side->area);
  float *out = mem_calloc (n + 1, sizeof *out);
  bool ok = out || out_of_memory (status);
  if (ok)
    ok = core ? add_tucker (out, core, a, b, status)
              : add_pair (out, a, b, side->n_rows, side->n_columns * side->area, 1, status);
  if (ok)
    return out;
  mem_free (out);
  return NULL;
}

static bool
lokr (const AdapterModule *m, const AdapterShape *s, float *d, Status *status)
{
  KronSide one, two;
  adapter_kron_sides (m, &one, &two);
  const FileTensor *const *t = m->tensors;
  float *w1 =
      kron_factor (t[ROLE_LOKR_W1], t[ROLE_LOKR_W1_A], t[ROLE_LOKR_W1_B], NULL, &one, status);
  float *w2 = kron_factor (t[ROLE_LOKR_W2], t[ROLE_LOKR_W2_A], t[ROLE_LOKR_W2_B], t[ROLE_LOKR_T2],
                           &two, status);
  int64_t n_run = two.n_columns * two.area;
  for (int64_t row = 0; w1 && w2 && row < s->n_out; row++)
    for (int64_t b = 0; b < one.n_columns; b++)
      {
        float f = (float) m->scale * w1[row / two.n_rows * one.n_columns + b];
        float *out = d + (row * one.n_columns + b) * n_run;
        const float *in = w2 + row % two.n_rows * n_run;
        for (int64_t i = 0; i < n_run; i++)
          out[i] += f * in[i];
      }
  bool ok = w1 && w2;
  mem_free (w1);
  mem_free (w2);
  return ok;
}

/* d[o, j, .] += s sum_i,p w[o, i, .] first[i, p] second[p, j] */
static void
add_right_product (float *d,
                   const float *w,
                   const float *first,
                   const float *second,
                   const AdapterShape *s,
                   int64_t r,
                   float scale,
                   float *row)
{
  for (int64_t o = 0; o < s->n_out; o++)
    for (int64_t k = 0; k < s->area; k++)
      {
        memset (row, 0, (size_t) r * sizeof *row);
        for (int64_t i = 0; i < s->n_in; i++)
          for (int64_t p = 0; p < r; p++)
            row[p] += w[(o * s->n_in + i) * s->area + k] * first[i * r + p];
        for (int64_t p = 0; p < r; p++)
          for (int64_t j = 0; j < s->n_in; j++)
            d[(o * s->n_in + j) * s->area + k] += scale * row[p] * second[p * s->n_in + j];
      }
}

static bool
glora (const AdapterModule *m, const AdapterShape *s, const float *w, float *d, Status *status)
{
  const FileTensor *a[2], *b[2];
  adapter_glora_order (m, s, a, b);
  int64_t r = a[1]->ne[0];
  float *first = file_tensor_f32 (a[0], status), *second = file_tensor_f32 (a[1], status);
  float *row = mem_calloc ((size_t) r + 1, sizeof *row);
  bool ok = (first && second && row) || out_of_memory (status);
  ok = ok && add_pair (d, b[0], b[1], s->n_out, s->n_in * s->area, (float) m->scale, status);
  if (ok)
    add_right_product (d, w, first, second, s, r, (float) m->scale, row);
  mem_free (first);
  mem_free (second);
  mem_free (row);
  return ok;
}

static bool
ia3 (const AdapterModule *m, const AdapterShape *s, const float *w, float *d, Status *status)
{
  float *v = file_tensor_f32 (m->tensors[ROLE_IA3_WEIGHT], status);
  bool on_input = adapter_scalar (m->tensors[ROLE_ON_INPUT], 0) != 0;
  for (int64_t i = 0; v && i < elements (s); i++)
    d[i] = w[i] * v[on_input ? i / s->area % s->n_in : i / (s->area * s->n_in)];
  mem_free (v);
  return v != NULL;
}

static bool
difference (const AdapterModule *m, const AdapterShape *s, float *d, Status *status)
{
  const FileTensor *t =
      m->tensors[ROLE_DIFF] ? m->tensors[ROLE_DIFF] : m->tensors[ROLE_NORM_WEIGHT];
  float *v = file_tensor_f32 (t, status);
  for (int64_t i = 0; v && i < elements (s); i++)
    d[i] = (float) m->scale * v[i];
  mem_free (v);
  return v != NULL;
}

static bool
replace (const AdapterModule *m, const AdapterShape *s, float *w, Status *status)
{
  float *v = file_tensor_f32 (m->tensors[ROLE_SET], status);
  if (v)
    memcpy (w, v, (size_t) elements (s) * sizeof *w);
  mem_free (v);
  return v != NULL;
}

/* The delta for weight 1. */
static bool
make_delta (const AdapterModule *m, const AdapterShape *s, const float *w, float *d, Status *status)
{
  switch (m->kind)
    {
    case ADAPTER_LORA:
      return lora (m, s, d, status);
    case ADAPTER_LOHA:
      return loha (m, s, d, status);
    case ADAPTER_LOKR:
      return lokr (m, s, d, status);
    case ADAPTER_GLORA:
      return glora (m, s, w, d, status);
    case ADAPTER_OFT:
      return adapter_delta_oft (m, s, w, d, status);
    case ADAPTER_IA3:
      return ia3 (m, s, w, d, status);
    case ADAPTER_DIFF:
      return difference (m, s, d, status);
    case ADAPTER_SET:
    case ADAPTER_BOFT:
    case ADAPTER_NONE:
    case ADAPTER_KIND_COUNT:
      break;
    }
  return true;
}

/* ---- DoRA ---- */

/* Norms of an output row, or of an input column over all outputs and kernel positions. */
static void
norms (const float *w, const AdapterShape *s, bool by_output, double *out)
{
  memset (out, 0, (size_t) (by_output ? s->n_out : s->n_in) * sizeof *out);
  for (int64_t i = 0; i < elements (s); i++)
    {
      int64_t at = by_output ? i / (s->n_in * s->area) : i / s->area % s->n_in;
      out[at] += (double) w[i] * (double) w[i];
    }
}

/* @d: the delta becomes W' - W.  The norm is ComfyUI's: that of W itself over output rows, of
 * W + delta over input columns. */
static bool
decompose (const AdapterModule *m, const AdapterShape *s, const float *w, float *d, Status *status)
{
  const FileTensor *t = m->tensors[ROLE_DORA_SCALE];
  bool by_output = adapter_dora_by_output (t, s);
  int64_t n = by_output ? s->n_out : s->n_in;
  float *magnitude = file_tensor_f32 (t, status);
  double *norm = magnitude ? mem_calloc ((size_t) n + 1, sizeof *norm) : NULL;
  bool ok = (magnitude && norm) || out_of_memory (status);
  for (int64_t i = 0; ok && i < elements (s); i++)
    d[i] += w[i];
  if (ok)
    norms (by_output ? w : d, s, by_output, norm);
  for (int64_t i = 0; ok && i < elements (s); i++)
    {
      int64_t at = by_output ? i / (s->n_in * s->area) : i / s->area % s->n_in;
      double factor = (double) magnitude[at] / (sqrt (norm[at]) + (double) FLT_EPSILON);
      d[i] = (float) (factor * (double) d[i]) - w[i];
    }
  mem_free (magnitude);
  mem_free (norm);
  return ok;
}

bool
adapter_delta_apply (
    const AdapterModule *m, const AdapterShape *s, double weight, float *w, Status *status)
{
  if (weight == 0)
    return true;
  if (m->kind == ADAPTER_BOFT)
    return adapter_delta_boft (m, s, weight, w, status);
  if (m->kind == ADAPTER_SET)
    return replace (m, s, w, status);
  int64_t n = elements (s);
  float *d = mem_calloc ((size_t) n + 1, sizeof *d);
  bool ok = (d || out_of_memory (status)) && make_delta (m, s, w, d, status) &&
            (!m->tensors[ROLE_DORA_SCALE] || decompose (m, s, w, d, status));
  for (int64_t i = 0; ok && i < n; i++)
    w[i] += (float) weight * d[i];
  mem_free (d);
  return ok;
}
