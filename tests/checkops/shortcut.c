/* SPDX-License-Identifier: MPL-2.0
 * shortcut.c - cases of the avg_down and dup_up slots.
 */
#include "checkops.h"

enum
{
  MAX_FRAMES = 2
};

static void
run_avg_down (Backend *b, const void *args, float *y)
{
  AvgDownArgs a = *(const AvgDownArgs *) args;
  a.y = y;
  b->ops.avg_down (b, &a);
}

static void
run_avg_down_in_place (Backend *b, const void *args, float *y)
{
  AvgDownArgs a = *(const AvgDownArgs *) args;
  a.add = a.y = y;
  b->ops.avg_down (b, &a);
}

static void
run_dup_up (Backend *b, const void *args, float *y)
{
  DupUpArgs a = *(const DupUpArgs *) args;
  a.y = y;
  b->ops.dup_up (b, &a);
}

static void
run_dup_up_in_place (Backend *b, const void *args, float *y)
{
  DupUpArgs a = *(const DupUpArgs *) args;
  a.add = a.y = y;
  b->ops.dup_up (b, &a);
}

/* As the reference builds it: (channel, frame, row, column) one after the other, then runs. */
static void
expect_mean (const Outputs *o, const AvgDownArgs *a, int64_t i)
{
  int64_t out = i % a->c_out, x = i / a->c_out % a->w, y = i / a->c_out / a->w % a->h;
  int64_t image = i / a->c_out / a->w / a->h, f = a->factor, first, at = 0;
  int64_t run = a->c_in * a->n_frames * f * f / a->c_out;
  double sum = 0, size = 0;
  float plain = 0, add = a->add ? a->add[i] : 0;
  first = out * run;
  for (int64_t c = 0; c < a->c_in; c++)
    for (int t = 0; t < a->n_frames; t++)
      for (int64_t iy = y * f; iy < (y + 1) * f; iy++)
        for (int64_t ix = x * f; ix < (x + 1) * f; ix++, at++)
          if (at >= first && at < first + run && a->x[t])
            {
              float v = a->x[t][((image * a->h * f + iy) * a->w * f + ix) * a->c_in + c];
              sum += v;
              plain += v;
              size += fabs (v);
            }
  o->exact[i] = sum / (double) run + add;
  o->plain[i] = plain / (float) run + add;
  o->scale[i] = size / (double) run + fabs (add);
}

static void
check_avg_down (Checker *c, const AvgDownArgs *t, bool older, bool has_add, bool in_place)
{
  if (!check_begin (c, "avg_down/%lldx%lldx%lldx%lld-%lld+t%d%s+s%d%s", (long long) t->n,
                    (long long) t->h, (long long) t->w, (long long) t->c_in, (long long) t->c_out,
                    t->n_frames, older ? "" : "+first", t->factor,
                    !has_add   ? ""
                    : in_place ? "+add=y"
                               : "+add"))
    return;
  AvgDownArgs a = *t;
  int64_t n = a.n * a.h * a.w * a.c_out;
  int64_t n_in = a.n * a.h * a.w * a.factor * a.factor * a.c_in;
  for (int i = 0; i < a.n_frames; i++)
    a.x[i] = i + 1 < a.n_frames && !older ? NULL : check_input (c, n_in, VALUES_NORMAL);
  a.add = has_add ? check_input (c, n, VALUES_NORMAL) : NULL;
  Outputs o = check_outputs (c, n);
  for (int64_t i = 0; i < n; i++)
    expect_mean (&o, &a, i);
  bool alias = has_add && in_place;
  check_end (c, &(Case){ .outputs = o,
                         .initial = alias ? a.add : NULL,
                         .args = &a,
                         .run = alias ? run_avg_down_in_place : run_avg_down });
}

/* As the reference builds it: channels repeated, then dealt out to (channel, frame, row, column).
 * A copy, and one sum: exact. */
static void
expect_copy (const Outputs *o, const DupUpArgs *a, int64_t i)
{
  int64_t f = a->factor, h = a->h * f, w = a->w * f, repeats;
  int64_t out = i % a->c_out, x = i / a->c_out % w, y = i / a->c_out / w % h;
  int64_t image = i / a->c_out / w / h;
  repeats = a->c_out * a->n_frames * f * f / a->c_in;
  int64_t repeated = ((out * a->n_frames + a->frame) * f + y % f) * f + x % f;
  int64_t pixel = (image * a->h + y / f) * a->w + x / f;
  float value = a->x[pixel * a->c_in + repeated / repeats];
  o->exact[i] = o->plain[i] = a->add ? value + a->add[i] : value;
}

static void
check_dup_up (Checker *c, const DupUpArgs *t, bool has_add, bool in_place)
{
  if (!check_begin (c, "dup_up/%lldx%lldx%lldx%lld-%lld+t%d.%d+s%d%s", (long long) t->n,
                    (long long) t->h, (long long) t->w, (long long) t->c_in, (long long) t->c_out,
                    t->n_frames, t->frame, t->factor,
                    !has_add   ? ""
                    : in_place ? "+add=y"
                               : "+add"))
    return;
  DupUpArgs a = *t;
  int64_t n = a.n * a.h * a.w * a.factor * a.factor * a.c_out;
  a.x = check_input (c, a.n * a.h * a.w * a.c_in, VALUES_NORMAL);
  a.add = has_add ? check_input (c, n, VALUES_NORMAL) : NULL;
  Outputs o = check_outputs (c, n);
  for (int64_t i = 0; i < n; i++)
    expect_copy (&o, &a, i);
  bool alias = has_add && in_place;
  check_end (c, &(Case){ .outputs = o,
                         .initial = alias ? a.add : NULL,
                         .args = &a,
                         .run = alias ? run_dup_up_in_place : run_dup_up });
}

/* Wan 2.2's divisions, and some that no vector serves. */
void
check_shortcuts (Checker *c)
{
  static const struct
  {
    int64_t few, many; /* channels below a level, above it */
    int n_frames, factor;
  } kinds[] = {
    { 24, 24, 1, 2 }, { 20, 40, 2, 2 }, { 33, 66, 2, 2 }, { 37, 37, 1, 1 }, { 12, 6, 1, 2 },
    { 5, 10, 2, 1 },  { 3, 12, 1, 2 },  { 6, 16, 2, 2 },  { 64, 64, 2, 2 }, { 8, 64, 2, 2 },
  };
  for (int i = 0; i < COUNT (kinds); i++)
    for (int k = 0; k < 6; k++)
      {
        AvgDownArgs down = { .n = 1 + k % 2,
                             .h = 1 + k,
                             .w = 1 + (k + i) % 5,
                             .c_in = kinds[i].few,
                             .c_out = kinds[i].many,
                             .n_frames = kinds[i].n_frames,
                             .factor = kinds[i].factor };
        DupUpArgs up = { .n = down.n,
                         .h = down.h,
                         .w = down.w,
                         .c_in = kinds[i].many,
                         .c_out = kinds[i].few,
                         .n_frames = kinds[i].n_frames,
                         .frame = k % kinds[i].n_frames,
                         .factor = kinds[i].factor };
        check_avg_down (c, &down, k<4, k % 3> 0, k % 3 > 1);
        check_dup_up (c, &up, k % 3 > 0, k % 3 > 1);
      }
}
