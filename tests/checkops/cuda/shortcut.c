/* SPDX-License-Identifier: MPL-2.0
 * shortcut.c - cases of kernels/cuda/shortcut.cu.
 */
#include "check.h"

typedef struct
{
  int64_t few, many; /* channels below a level, above it */
  int n_frames, factor;
  bool older, add, in_place;
} Shape;

/* Wan 2.2's divisions, and some that no vector serves. */
static const Shape shapes[] = {
  { 24, 24, 1, 2, false, true, true },  { 20, 40, 2, 2, true, true, false },
  { 33, 66, 2, 2, false, true, false }, { 37, 37, 1, 1, false, false, false },
  { 5, 10, 2, 1, true, true, true },    { 8, 64, 2, 2, true, true, false },
};

static int
run_avg_down (const void *args, void *stream)
{
  return gk_avg_down (args, stream);
}

static int
run_dup_up (const void *args, void *stream)
{
  return gk_dup_up (args, stream);
}

static bool
begin (Check *c, const char *name, GkType type, const Shape *s)
{
  return check_begin (c, "%s/%s/%lld-%lld/t%d%s/s%d%s", name, check_type_name (type),
                      (long long) s->few, (long long) s->many, s->n_frames,
                      s->older ? "" : "/first", s->factor,
                      !s->add       ? ""
                      : s->in_place ? "/add=y"
                                    : "/add");
}

/* Cancellation is no error: a mean's magnitude is that of its values. */
static void
set_magnitude (const Output *y)
{
  for (int64_t i = 0; i < y->n; i++)
    y->magnitude[i] = fabsf (y->exact[i]) + 1;
}

static void
check_down (Check *c, GkType type, const Shape *s)
{
  int64_t n = 2, h = 3, w = 5, f = s->factor;
  if (!begin (c, "avg_down", type, s))
    return;
  Values newest = check_values (c, type, n * h * w * f * f * s->few, 1, 0);
  Values older = check_values (c, type, n * h * w * f * f * s->few, 1, 0);
  Values add = check_values (c, type, n * h * w * s->many, 1, 0);
  Output y = check_output (c, (OutType) type, n * h * w * s->many, s->in_place ? add.device : NULL);
  AvgDownArgs exact = { .n = n,
                        .h = h,
                        .w = w,
                        .c_in = s->few,
                        .c_out = s->many,
                        .n_frames = s->n_frames,
                        .factor = s->factor,
                        .x = { s->n_frames == 1 ? newest.host
                               : s->older       ? older.host
                                                : NULL,
                               s->n_frames == 1 ? NULL : newest.host },
                        .add = s->add ? add.host : NULL,
                        .y = y.exact };
  ref_avg_down (&exact);
  set_magnitude (&y);
  GkAvgDown args = { type,
                     n,
                     h,
                     w,
                     s->few,
                     s->many,
                     s->n_frames,
                     s->factor,
                     { s->n_frames == 1 ? newest.device
                       : s->older       ? older.device
                                        : NULL,
                       s->n_frames == 1 ? NULL : newest.device },
                     s->add ? add.device : NULL,
                     y.device };
  check_end (c, run_avg_down, &args, &y);
}

static void
check_up (Check *c, GkType type, const Shape *s)
{
  int64_t n = 2, h = 3, w = 5, f = s->factor;
  if (!begin (c, "dup_up", type, s))
    return;
  Values x = check_values (c, type, n * h * w * s->many, 1, 0);
  Values add = check_values (c, type, n * h * w * f * f * s->few, 1, 0);
  Output y =
      check_output (c, (OutType) type, n * h * w * f * f * s->few, s->in_place ? add.device : NULL);
  int frame = s->n_frames - 1;
  DupUpArgs exact = { .n = n,
                      .h = h,
                      .w = w,
                      .c_in = s->many,
                      .c_out = s->few,
                      .n_frames = s->n_frames,
                      .frame = frame,
                      .factor = s->factor,
                      .x = x.host,
                      .add = s->add ? add.host : NULL,
                      .y = y.exact };
  ref_dup_up (&exact);
  set_magnitude (&y);
  GkDupUp args = { type,
                   n,
                   h,
                   w,
                   s->many,
                   s->few,
                   s->n_frames,
                   frame,
                   s->factor,
                   x.device,
                   s->add ? add.device : NULL,
                   y.device };
  check_end (c, run_dup_up, &args, &y);
}

void
check_shortcuts (Check *c)
{
  for (int type = 0; type <= GK_TYPE_F32; type++)
    for (int i = 0; i < COUNT (shapes); i++)
      {
        check_down (c, (GkType) type, &shapes[i]);
        check_up (c, (GkType) type, &shapes[i]);
      }
}
