/* SPDX-License-Identifier: MPL-2.0
 * rope.c - cases of the rope slot.
 */
#include "checkops.h"

typedef struct
{
  int64_t n, len, n_heads, head_dim;
  bool has_norm, has_table;
  DType dtype;
  Values values;
} RopeCase;

static void
run_rope (Backend *b, const void *args, float *y)
{
  RopeArgs a = *(const RopeArgs *) args;
  a.y = y;
  b->ops.rope (b, &a);
}

/* One head of one token. */
static void
expect_head (const Outputs *o,
             const RopeArgs *a,
             const float *norm,
             int64_t from,
             int64_t at,
             const float *table)
{
  double squares = 0;
  float plain_squares = 0;
  for (int64_t i = 0; i < a->head_dim; i++)
    {
      squares += (double) a->x[from + i] * a->x[from + i];
      plain_squares += a->x[from + i] * a->x[from + i];
    }
  double inverse = norm ? 1 / sqrt (squares / (double) a->head_dim + a->eps) : 1;
  float plain_inverse = norm ? 1 / sqrtf (plain_squares / (float) a->head_dim + a->eps) : 1;
  for (int64_t i = 0; i < a->head_dim; i++)
    {
      int64_t j = i ^ 1; /* the other of the pair */
      double x = a->x[from + i] * inverse * (norm ? norm[i] : 1);
      double other = a->x[from + j] * inverse * (norm ? norm[j] : 1);
      float plain = a->x[from + i] * plain_inverse * (norm ? norm[i] : 1);
      float plain_other = a->x[from + j] * plain_inverse * (norm ? norm[j] : 1);
      float c = table ? table[i - i % 2] : 1, s = table ? table[i - i % 2 + 1] : 0;
      s = i % 2 ? s : -s;
      o->exact[at + i] = table ? x * c + other * s : x;
      o->plain[at + i] = table ? plain * c + plain_other * s : plain;
      o->scale[at + i] = table ? fabs (x * c) + fabs (other * s) : fabs (x);
    }
}

static void
check_one (Checker *c, const RopeCase *t)
{
  if (!check_begin (c, "rope/%lldx%lldx%lldx%lld%s%s+w=%s%s", (long long) t->n, (long long) t->len,
                    (long long) t->n_heads, (long long) t->head_dim, t->has_norm ? "+norm" : "",
                    t->has_table ? "+table" : "", dtype_name (t->dtype),
                    check_values_name (t->values)))
    return;
  const float *norm = NULL;
  int64_t width = t->n_heads * t->head_dim;
  RopeArgs a = { .n = t->n,
                 .len = t->len,
                 .n_heads = t->n_heads,
                 .head_dim = t->head_dim,
                 .x_stride = width + 3,
                 .eps = 1e-6f,
                 .y_entry = (t->len + 2) * width };
  a.x = check_rows (c, t->n * t->len, width, a.x_stride, t->values);
  if (t->has_norm)
    a.norm = check_param (c, t->dtype, t->head_dim, VALUES_NORMAL, &norm);
  if (t->has_table)
    a.table = check_input (c, t->len * t->head_dim, VALUES_NORMAL);
  Outputs o = check_outputs (c, (t->n - 1) * a.y_entry + t->len * width);
  for (int64_t i = 0; i < o.n; i++)
    o.exact[i] = GAP;
  for (int64_t token = 0; token < t->n * t->len; token++)
    for (int64_t column = 0; column < width; column += t->head_dim)
      expect_head (&o, &a, norm, token * a.x_stride + column,
                   token / t->len * a.y_entry + token % t->len * width + column,
                   a.table ? a.table + token % t->len * t->head_dim : NULL);
  check_end (c, &(Case){ .outputs = o, .args = &a, .run = run_rope });
}

void
check_rope (Checker *c)
{
  static const int64_t dims[] = { 2, 4, 6, 10, 16, 22, 44, 64, 128, 130, 514 };
  static const int64_t lens[] = { 1, 2, 5, 33 };
  static const Values values[] = { VALUES_NORMAL, VALUES_TINY, VALUES_ZEROS, VALUES_ONE_NAN };
  for (int i = 0; i < COUNT (dims) * COUNT (lens) * COUNT (values); i++)
    {
      unsigned mix = (unsigned) i * 2654435761u >> 16;
      check_one (c, &(RopeCase){ .n = 1 + mix % 3,
                                 .len = lens[i / COUNT (dims) % COUNT (lens)],
                                 .n_heads = 1 + mix / 4 % 3,
                                 .head_dim = dims[i % COUNT (dims)],
                                 .has_norm = mix / 16 % 4 != 0,
                                 .has_table = mix / 64 % 4 != 0,
                                 .dtype = (DType) (mix / 256 % 3),
                                 .values = values[i / COUNT (dims) / COUNT (lens)] });
    }
  /* FLUX's heads; tasks that begin and end inside entries */
  check_one (c, &(RopeCase){ .n = 3,
                             .len = 37,
                             .n_heads = 24,
                             .head_dim = 128,
                             .has_norm = true,
                             .has_table = true,
                             .dtype = DTYPE_BF16 });
}
