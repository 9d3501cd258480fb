/* SPDX-License-Identifier: MPL-2.0
 * adapter-shape.c - whether the tensors of a module agree with a layer and with each other.
 *
 * Everything that the arithmetic relies on is checked here, against files that nobody vouches for.
 */
#include "weights/adapter-delta-private.h"

static const FileTensor *
tensor (const AdapterModule *m, AdapterRole role)
{
  return m->tensors[role];
}

/* @t has @rows rows of @columns elements, however its trailing dimensions are cut. */
static bool
is_matrix (const FileTensor *t, int64_t rows, int64_t columns)
{
  return t && t->data && t->rank >= 1 && rows > 0 && columns > 0 && t->ne[0] == rows &&
         file_tensor_elements (t) == rows * columns;
}

static bool
is_core (const FileTensor *t, int64_t rows, int64_t columns, int64_t area)
{
  return t->data && t->rank == 4 && t->ne[0] == rows && t->ne[1] == columns && rows > 0 &&
         columns > 0 && t->ne[2] * t->ne[3] == area;
}

static int64_t
rows_of (const FileTensor *t)
{
  return t && t->rank >= 1 ? t->ne[0] : 0;
}

static int64_t
columns_of (const FileTensor *t)
{
  return t && t->rank >= 2 ? t->ne[1] : 0;
}

static bool
lora_fits (const AdapterModule *m, const AdapterShape *s)
{
  const FileTensor *up = tensor (m, ROLE_UP), *down = tensor (m, ROLE_DOWN);
  const FileTensor *mid = tensor (m, ROLE_MID);
  int64_t r = rows_of (down);
  if (!mid)
    return is_matrix (down, r, s->n_in * s->area) && is_matrix (up, s->n_out, r);
  return is_core (mid, rows_of (mid), r, s->area) && is_matrix (down, r, s->n_in) &&
         is_matrix (up, s->n_out, rows_of (mid));
}

/* (out, r) and (r, in * area); around a core (r, out) and (r, in) */
static bool
factors_fit (const FileTensor *a,
             const FileTensor *b,
             const FileTensor *core,
             int64_t n_out,
             int64_t n_in,
             int64_t area)
{
  if (core)
    return is_core (core, rows_of (a), rows_of (b), area) && a->rank == 2 && b->rank == 2 &&
           is_matrix (a, rows_of (a), n_out) && is_matrix (b, rows_of (b), n_in);
  return is_matrix (b, rows_of (b), n_in * area) && is_matrix (a, n_out, rows_of (b));
}

static bool
loha_fits (const AdapterModule *m, const AdapterShape *s)
{
  return factors_fit (tensor (m, ROLE_HADA_W1_A), tensor (m, ROLE_HADA_W1_B),
                      tensor (m, ROLE_HADA_T1), s->n_out, s->n_in, s->area) &&
         factors_fit (tensor (m, ROLE_HADA_W2_A), tensor (m, ROLE_HADA_W2_B),
                      tensor (m, ROLE_HADA_T2), s->n_out, s->n_in, s->area);
}

static KronSide
kron_side (const FileTensor *whole,
           const FileTensor *a,
           const FileTensor *b,
           const FileTensor *core)
{
  KronSide side = { 0, 0, 1 };
  const FileTensor *last = whole ? whole : core ? core : b;
  side.n_rows = whole || !core ? rows_of (whole ? whole : a) : columns_of (a);
  side.n_columns = columns_of (whole ? whole : b);
  if (last && last->rank == 4)
    side.area = last->ne[2] * last->ne[3];
  return side;
}

void
adapter_kron_sides (const AdapterModule *m, KronSide *one, KronSide *two)
{
  *one = kron_side (tensor (m, ROLE_LOKR_W1), tensor (m, ROLE_LOKR_W1_A),
                    tensor (m, ROLE_LOKR_W1_B), NULL);
  *two = kron_side (tensor (m, ROLE_LOKR_W2), tensor (m, ROLE_LOKR_W2_A),
                    tensor (m, ROLE_LOKR_W2_B), tensor (m, ROLE_LOKR_T2));
}

static bool
lokr_fits (const AdapterModule *m, const AdapterShape *s)
{
  KronSide one, two;
  adapter_kron_sides (m, &one, &two);
  if (one.area != 1 || one.n_rows <= 0 || one.n_columns <= 0 || s->n_out % one.n_rows ||
      s->n_in % one.n_columns)
    return false;
  int64_t n_rows = s->n_out / one.n_rows, n_columns = s->n_in / one.n_columns;
  /* A factorised second side of a convolution has its kernel flattened into the columns. */
  if (!tensor (m, ROLE_LOKR_W2) && !tensor (m, ROLE_LOKR_T2) && two.area == 1)
    two.n_columns /= s->area, two.area = s->area;
  if (two.n_rows != n_rows || two.n_columns != n_columns || two.area != s->area)
    return false;
  const FileTensor *w1 = tensor (m, ROLE_LOKR_W1), *w2 = tensor (m, ROLE_LOKR_W2);
  bool first = w1 ? is_matrix (w1, one.n_rows, one.n_columns)
                  : factors_fit (tensor (m, ROLE_LOKR_W1_A), tensor (m, ROLE_LOKR_W1_B), NULL,
                                 one.n_rows, one.n_columns, 1);
  bool second = w2 ? is_matrix (w2, n_rows, n_columns * s->area)
                   : factors_fit (tensor (m, ROLE_LOKR_W2_A), tensor (m, ROLE_LOKR_W2_B),
                                  tensor (m, ROLE_LOKR_T2), n_rows, n_columns, s->area);
  return first && second;
}

void
adapter_glora_order (const AdapterModule *m,
                     const AdapterShape *s,
                     const FileTensor *a[2],
                     const FileTensor *b[2])
{
  const FileTensor *a1 = tensor (m, ROLE_A1), *a2 = tensor (m, ROLE_A2);
  const FileTensor *b1 = tensor (m, ROLE_B1), *b2 = tensor (m, ROLE_B2);
  bool is_new = rows_of (b1) == s->n_out && rows_of (b2) == columns_of (b1) &&
                rows_of (a1) == s->n_in && rows_of (a2) == columns_of (a1);
  a[0] = is_new ? a1 : a2;
  a[1] = is_new ? a2 : a1;
  b[0] = is_new ? b1 : b2;
  b[1] = is_new ? b2 : b1;
}

static bool
glora_fits (const AdapterModule *m, const AdapterShape *s)
{
  const FileTensor *a[2], *b[2];
  adapter_glora_order (m, s, a, b);
  return !tensor (m, ROLE_BM) && factors_fit (a[0], a[1], NULL, s->n_in, s->n_in, 1) &&
         factors_fit (b[0], b[1], NULL, s->n_out, s->n_in, s->area);
}

static bool
rescale_fits (const AdapterModule *m, const AdapterShape *s)
{
  const FileTensor *t = tensor (m, ROLE_RESCALE);
  return !t || is_matrix (t, s->n_out, 1);
}

static bool
oft_fits (const AdapterModule *m, const AdapterShape *s)
{
  const FileTensor *t = tensor (m, ROLE_OFT_BLOCKS);
  return t->data && t->rank == 3 && t->ne[1] == t->ne[2] && t->ne[1] > 0 &&
         s->n_out % t->ne[1] == 0 && t->ne[0] == s->n_out / t->ne[1] && rescale_fits (m, s);
}

/* Stage i mixes groups of 2^i * b rows: they must come out even. */
static bool
boft_fits (const AdapterModule *m, const AdapterShape *s)
{
  const FileTensor *t = tensor (m, ROLE_OFT_BLOCKS);
  if (!t->data || t->rank != 4 || t->ne[2] != t->ne[3] || t->ne[2] < 2 || t->ne[2] % 2 ||
      t->ne[0] < 1 || t->ne[0] > 30 || s->n_out % t->ne[2] || t->ne[1] != s->n_out / t->ne[2])
    return false;
  return s->n_out % (t->ne[2] << (t->ne[0] - 1)) == 0 && rescale_fits (m, s);
}

static bool
ia3_fits (const AdapterModule *m, const AdapterShape *s)
{
  const FileTensor *t = tensor (m, ROLE_IA3_WEIGHT);
  bool on_input = adapter_scalar (tensor (m, ROLE_ON_INPUT), 0) != 0;
  return t->data && file_tensor_elements (t) == (on_input ? s->n_in : s->n_out);
}

static bool
whole_fits (const FileTensor *t, const AdapterShape *s)
{
  return t && is_matrix (t, s->n_out, s->n_in * s->area);
}

bool
adapter_dora_by_output (const FileTensor *t, const AdapterShape *s)
{
  return t->rank >= 1 && t->ne[0] == s->n_out;
}

static bool
dora_fits (const AdapterModule *m, const AdapterShape *s)
{
  const FileTensor *t = tensor (m, ROLE_DORA_SCALE);
  if (!t)
    return true;
  return t->data &&
         file_tensor_elements (t) == (adapter_dora_by_output (t, s) ? s->n_out : s->n_in);
}

bool
adapter_delta_has_weight (const AdapterModule *m)
{
  return m->kind != ADAPTER_NONE &&
         (m->kind != ADAPTER_DIFF || tensor (m, ROLE_DIFF) || tensor (m, ROLE_NORM_WEIGHT));
}

bool
adapter_delta_fits (const AdapterModule *m, const AdapterShape *s)
{
  if (s->n_out <= 0 || s->n_in <= 0 || s->area <= 0 || !dora_fits (m, s))
    return false;
  switch (m->kind)
    {
    case ADAPTER_LORA:
      return lora_fits (m, s);
    case ADAPTER_LOHA:
      return loha_fits (m, s);
    case ADAPTER_LOKR:
      return lokr_fits (m, s);
    case ADAPTER_GLORA:
      return glora_fits (m, s);
    case ADAPTER_OFT:
      return oft_fits (m, s);
    case ADAPTER_BOFT:
      return boft_fits (m, s);
    case ADAPTER_IA3:
      return ia3_fits (m, s);
    case ADAPTER_DIFF:
      return whole_fits (
          tensor (m, ROLE_DIFF) ? tensor (m, ROLE_DIFF) : tensor (m, ROLE_NORM_WEIGHT), s);
    case ADAPTER_SET:
      return whole_fits (tensor (m, ROLE_SET), s);
    case ADAPTER_NONE:
    case ADAPTER_KIND_COUNT:
      break;
    }
  return false;
}
