// SPDX-License-Identifier: MPL-2.0
// pointwise.cu - an element of y from the same element of x: activations, sums, gates, conversion.
//
// Shapes   rows of dim; a thread takes eight consecutive values of a row.
// Numbers  f32, rounded once.
// Limit    memory: 4 bytes an element for one source, 6 for two.
// Aliases  y may equal x (and b): eight values are read before they are written.
#include "common/gk.cuh"

enum
{
  N_THREADS = 256
};

GK_DEV float
activation (UnaryKind kind, float x)
{
  switch (kind)
    {
    case UNARY_SILU:
      return gk_silu (x);
    case UNARY_GELU:
      return gk_gelu (x);
    case UNARY_GELU_TANH:
      return gk_gelu_tanh (x);
    case UNARY_QUICK_GELU:
      return gk_quick_gelu (x);
    case UNARY_RELU:
      return x < 0 ? 0 : x; // NaN stays
    case UNARY_TANH3:
      return 3 * tanhf (x * (1.0f / 3));
    case UNARY_COUNT:
      break;
    }
  return x;
}

// What stands beside x, and how the two are joined.
enum Join
{
  JOIN_NONE,
  JOIN_ADD,  // x + b
  JOIN_GATE, // x + gate b
  JOIN_TIMES // x f (b)
};

struct Pointwise
{
  Join join;
  UnaryKind kind;
  int64_t n_rows, dim, x_stride, b_stride, y_stride, rows_per_entry, gate_stride;
  const void *x, *b, *gate;
  void *y;
  bool wide;
};

template <class T>
GK_DEV void
join8 (const Pointwise &a, float (&v)[8], int64_t row, int64_t column, int64_t n_valid)
{
  float b[8], gate[8];
  if (a.join != JOIN_NONE)
    gk_read8<T> (b, gk_input<T> (a.b) + row * a.b_stride + column, n_valid, a.wide);
  if (a.join == JOIN_GATE)
    gk_read8<T> (gate, gk_input<T> (a.gate) + row / a.rows_per_entry * a.gate_stride + column,
                 n_valid, a.wide);
  GK_UNROLL
  for (int i = 0; i < 8; i++)
    switch (a.join)
      {
      case JOIN_NONE:
        v[i] = activation (a.kind, v[i]);
        break;
      case JOIN_ADD:
        v[i] += b[i];
        break;
      case JOIN_GATE:
        v[i] += gate[i] * b[i];
        break;
      case JOIN_TIMES:
        v[i] *= activation (a.kind, b[i]);
        break;
      }
}

template <class T> GK_KERNEL (N_THREADS, 1) pointwise (const GK_CONST Pointwise a)
{
  int64_t per_row = (a.dim + 7) / 8;
  int64_t piece = (int64_t) gk_block_x () * N_THREADS + gk_thread ();
  if (!gk_within (piece < a.n_rows * per_row))
    return;
  int64_t row = piece / per_row, column = piece % per_row * 8;
  float v[8];
  gk_read8<T> (v, gk_input<T> (a.x) + row * a.x_stride + column, a.dim - column, a.wide);
  join8<T> (a, v, row, column, a.dim - column);
  gk_write8<T> (gk_output<T> (a.y) + row * a.y_stride + column, v, a.dim - column, a.wide);
}

static int
launch (GkType type, const Pointwise &a, void *stream)
{
  dim3 grid ((uint32_t) gk_ceil_div (a.n_rows * gk_ceil_div (a.dim, 8), N_THREADS));
  GkStream s = (GkStream) stream;
  if (a.n_rows <= 0 || a.dim <= 0)
    return GK_OK;
  auto kernel = GK_INSTANCE (type, pointwise);
  return GK_LAUNCH (kernel, grid, dim3 (N_THREADS), 0, s, a);
}

extern "C" int
gk_unary (const GkUnary *u, void *stream)
{
  Pointwise a = {};
  a.join = JOIN_NONE;
  a.kind = u->kind;
  a.n_rows = 1;
  a.dim = u->n;
  a.x = u->x;
  a.y = u->y;
  a.wide = gk_is_wide (u->x, 0) && gk_is_wide (u->y, 0);
  return launch (u->type, a, stream);
}

extern "C" int
gk_add (const GkAdd *u, void *stream)
{
  Pointwise a = {};
  a.join = JOIN_ADD;
  a.n_rows = u->n / u->n_b;
  a.dim = a.x_stride = a.y_stride = u->n_b;
  a.x = u->x;
  a.b = u->b;
  a.y = u->y;
  a.wide = gk_is_wide (u->x, u->n_b) && gk_is_wide (u->b, 0) && gk_is_wide (u->y, 0);
  return u->n % u->n_b ? GK_INVALID : launch (u->type, a, stream);
}

extern "C" int
gk_add_gated (const GkAddGated *u, void *stream)
{
  Pointwise a = {};
  a.join = JOIN_GATE;
  a.n_rows = u->n * u->n_rows;
  a.dim = a.x_stride = a.b_stride = a.y_stride = u->dim;
  a.rows_per_entry = u->n_rows;
  a.gate_stride = u->gate_stride;
  a.x = u->x;
  a.b = u->b;
  a.gate = u->gate;
  a.y = u->y;
  a.wide = gk_is_wide (u->x, u->dim) && gk_is_wide (u->b, 0) && gk_is_wide (u->y, 0) &&
           gk_is_wide (u->gate, u->gate_stride);
  return launch (u->type, a, stream);
}

extern "C" int
gk_gated (const GkGated *u, void *stream)
{
  Pointwise a = {};
  a.join = JOIN_TIMES;
  a.kind = u->kind;
  a.n_rows = u->n_rows;
  a.dim = a.y_stride = u->dim;
  a.x_stride = a.b_stride = u->x_stride;
  a.x = u->x;
  a.b = u->gate;
  a.y = u->y;
  a.wide = gk_is_wide (u->x, u->x_stride) && gk_is_wide (u->gate, u->dim) && gk_is_wide (u->y, 0);
  return launch (u->type, a, stream);
}

// --- rows times a row of f32 ---

struct Scale
{
  GkScale u;
  bool wide;
};

template <class T> GK_KERNEL (N_THREADS, 1) scale (const GK_CONST Scale a)
{
  int64_t per_row = (a.u.n_s + 7) / 8;
  int64_t piece = (int64_t) gk_block_x () * N_THREADS + gk_thread ();
  if (!gk_within (piece < a.u.n / a.u.n_s * per_row))
    return;
  int64_t column = piece % per_row * 8, at = piece / per_row * a.u.n_s + column;
  float v[8];
  gk_read8<T> (v, gk_input<T> (a.u.x) + at, a.u.n_s - column, a.wide);
  GK_UNROLL
  for (int i = 0; i < 8; i++)
    {
      float s = gk_within (column + i < a.u.n_s) ? a.u.s[column + i] : 0;
      v[i] = s == 0 ? 0 : v[i] * s;
    }
  gk_write8<T> (gk_output<T> (a.u.y) + at, v, a.u.n_s - column, a.wide);
}

extern "C" int
gk_scale (const GkScale *u, void *stream)
{
  Scale a = { *u, gk_is_wide (u->x, u->n_s) && gk_is_wide (u->y, u->n_s) };
  if (u->n_s <= 0 || u->n % u->n_s)
    return GK_INVALID;
  dim3 grid ((uint32_t) gk_ceil_div (u->n / u->n_s * gk_ceil_div (u->n_s, 8), N_THREADS));
  if (u->n <= 0)
    return GK_OK;
  auto kernel = GK_INSTANCE (u->type, scale);
  return GK_LAUNCH (kernel, grid, dim3 (N_THREADS), 0, (GkStream) stream, a);
}

// --- conversion ---

GK_KERNEL (N_THREADS, 1)
convert (const GK_CONST GkConvert a)
{
  int64_t i = (int64_t) gk_block_x () * N_THREADS + gk_thread ();
  if (!gk_within (i < a.n))
    return;
  gk_store_as (a.to, a.y, i, gk_load_as (a.from, a.x, i));
}

extern "C" int
gk_convert (const GkConvert *u, void *stream)
{
  dim3 grid ((uint32_t) gk_ceil_div (u->n, N_THREADS));
  GkConvert a = *u;
  return a.n > 0 ? GK_LAUNCH (convert, grid, dim3 (N_THREADS), 0, (GkStream) stream, a) : GK_OK;
}
