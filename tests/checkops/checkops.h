/* SPDX-License-Identifier: MPL-2.0
 * checkops.h - runs backend slots on cases and judges their outputs against an f64 reference.
 *
 * A case file makes inputs, computes two answers of its own, and hands both over:
 *
 * exact   f64 throughout (with factors rounded where COMPUTE_BF16 says so): what is right
 * plain   the obvious loops in the compute type's own arithmetic: what is reasonable
 * scale   the magnitude that an element's rounding errors are relative to, such as sum |x w| for a
 *         dot product, so that cancellation does not count as an error
 *
 * With P the largest |plain - exact| / scale of the case (at least half an ulp), every element has
 * to satisfy |y - exact| <= 2 P scale + ulp (scale).  Infinities and NaN have to be the same.
 */
#pragma once

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "backend/backend.h"
#include "backend/cpu.h"
#include "core/dtype.h"

enum
{
  NAME_SIZE = 160,
  MAX_LEVELS = CPU_LEVEL_COUNT
};

/* In exact: an element between rows, which has to stay as it was. */
#define GAP DBL_MAX
#define COUNT(array) ((int) (sizeof (array) / sizeof *(array)))

typedef enum
{
  VALUES_NORMAL,  /* standard normal */
  VALUES_OFFSET,  /* 1000 + standard normal: a large mean */
  VALUES_HUGE,    /* 1e15 */
  VALUES_TINY,    /* denormal */
  VALUES_ZEROS,   /* mostly zeros of both signs */
  VALUES_ONE_NAN, /* normal with a NaN among them */
  VALUES_CONSTANT /* 3.1 everywhere */
} Values;

typedef struct Checker Checker;

/* What is expected of y, element by element; zero at first. */
typedef struct
{
  int64_t n;     /* elements of y, gaps included */
  double *exact; /* GAP: must stay untouched */
  double *scale; /* 0: has to be exact to the bit */
  double *slack; /* an absolute allowance with a reason of its own */
  float *plain;
} Outputs;

typedef struct
{
  Outputs outputs;
  const float *initial; /* what y holds before the call (an input that y may equal); NULL: NaN */
  const void *args;
  void (*run) (Backend *b, const void *args, float *y);
  bool (*takes) (const Backend *b, const void *args); /* NULL: every level has to */
} Case;

/* Starts a case; @name is "linear/bf16/33x65x77".  False when it is not wanted (or only listed). */
bool check_begin (Checker *c, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
/* Runs the case on every level, reports, and frees what the case allocated. */
void check_end (Checker *c, const Case *k);
bool check_is_long (const Checker *c);

/* Memory of the case.  Inputs end right before an unreadable page. */
Outputs check_outputs (Checker *c, int64_t n);
double *check_doubles (Checker *c, int64_t n);
float *check_floats (Checker *c, int64_t n);
float *check_input (Checker *c, int64_t n, Values values);
/* @n_rows of @width values each @stride apart, NaN between them. */
float *check_rows (Checker *c, int64_t n_rows, int64_t width, int64_t stride, Values values);
int32_t *check_ids (Checker *c, int64_t n, int32_t limit);
/* A parameter of @n elements of @dtype at an odd address; *@floats receives its values. */
Param check_param (Checker *c, DType dtype, int64_t n, Values values, const float **floats);
/* The same of a quantised format: random bytes, with scales and codes of some kind where it has
 * them, beginning at any element of a block.  check_param calls it. */
Param check_format (Checker *c, DType dtype, int64_t n, const float **floats);
void *check_bytes (Checker *c, int64_t n_bytes); /* at an odd address, behind it nothing */
void *check_memory (Checker *c, size_t n_bytes); /* aligned */
double check_uniform (Checker *c);               /* 0 .. 1 */

/* A factor as the compute type sees it. */
static inline float
check_factor (float f, Compute compute)
{
  return compute == COMPUTE_BF16 ? bf16_to_f32 (f32_to_bf16 (f)) : f;
}

const char *check_compute_name (Compute compute);
const char *check_values_name (Values values); /* "" or "/huge" */

/* Sums of products of a row and the columns of a weight, for the slots that make them: products.c.
 */
typedef struct
{
  int64_t n_in, n_out;
  Compute compute;
  float *x;              /* n_in: the case writes a row, check_products_row rounds it */
  double x_size;         /* sum |x| */
  float *weights;        /* (n_out / 8, n_in, 8) as the compute type sees them */
  double *sizes;         /* n_out: sum |w| */
  double *exact, *scale; /* n_out, of the last row */
  float *plain;
} Products;

Products check_products (Checker *c, int64_t n_in, int64_t n_out, Compute compute);
void check_products_weight (Products *p, int64_t out, int64_t in, float w); /* once each */
void check_products_row (Products *p);
/* Element @i is the row's sum @out and the @n values @added. */
void check_products_expect (
    const Outputs *o, const Products *p, int64_t i, int64_t out, const float *added, int n);

/* Buffers behind the above: guarded.c. */
typedef struct Guarded Guarded;
void *guarded_new (Guarded **list, size_t size_bytes);
void guarded_free_all (Guarded **list);
void guarded_unmap (void);

/* One for each family of slots. */
void check_linear (Checker *c);
void check_fold (Checker *c);
void check_conv2d (Checker *c);
void check_conv3d (Checker *c);
void check_attention (Checker *c);
void check_norms (Checker *c);
void check_rope (Checker *c);
void check_elementwise (Checker *c);
void check_rows_ops (Checker *c);
void check_shortcuts (Checker *c);
void check_alone (Checker *c);

/* Times the shapes that matter on every level. */
void bench_all (Backend *const *backends, int n_backends, const char *op);
