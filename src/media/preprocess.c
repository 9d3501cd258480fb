/* SPDX-License-Identifier: MPL-2.0 */
#include "media/preprocess.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

static const double CANNY_LOW = 100, CANNY_HIGH = 200, BLUR_SIGMA = 9, THRESHOLD = 127;

enum
{
  WHITE = 255,
  MAX_SIGMA = 256
};

double
preprocess_default_a (Preprocess kind)
{
  switch (kind)
    {
    case PREPROCESS_CANNY:
      return CANNY_LOW;
    case PREPROCESS_BLUR:
      return BLUR_SIGMA;
    case PREPROCESS_THRESHOLD:
      return THRESHOLD;
    case PREPROCESS_NONE:
    case PREPROCESS_INVERT:
      break;
    }
  return 0;
}

double
preprocess_default_b (Preprocess kind)
{
  return kind == PREPROCESS_CANNY ? CANNY_HIGH : 0;
}

static bool
no_memory (Status *status)
{
  return status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller picture.");
}

/* ---- Canny, as OpenCV's Canny (image, low, high): what the networks were trained with ---- */

typedef enum
{
  EDGE_NONE,
  EDGE_WEAK, /* counts if a strong one is reached along others */
  EDGE_STRONG
} Edge;

typedef struct
{
  int w, h;
  int *dx, *dy, *size; /* (h, w): Sobel's derivatives and the sum of their magnitudes */
  uint8_t *edge;       /* (h, w) of Edge */
  int *stack;          /* pixels whose neighbours are to be looked at */
  int n_stack;
} Canny;

static int
clamp_to (int v, int n)
{
  return v < 0 ? 0 : v >= n ? n - 1 : v;
}

/* Sobel's 3 x 3 with repeated edges. */
static void
derive (const Image *image, int x, int y, int channel, int *dx, int *dy)
{
  int v[3][3];
  for (int j = 0; j < 3; j++)
    for (int i = 0; i < 3; i++)
      {
        size_t row = (size_t) clamp_to (y + j - 1, image->height);
        size_t column = (size_t) clamp_to (x + i - 1, image->width);
        v[j][i] =
            image->rgb[(row * (size_t) image->width + column) * IMAGE_CHANNELS + (size_t) channel];
      }
  *dx = v[0][2] - v[0][0] + 2 * (v[1][2] - v[1][0]) + v[2][2] - v[2][0];
  *dy = v[2][0] - v[0][0] + 2 * (v[2][1] - v[0][1]) + v[2][2] - v[0][2];
}

/* Of each pixel the channel that changes most, the first of several. */
static void
derive_all (Canny *c, const Image *image)
{
  for (int y = 0; y < c->h; y++)
    for (int x = 0; x < c->w; x++)
      {
        int i = y * c->w + x;
        c->size[i] = -1;
        for (int k = 0; k < IMAGE_CHANNELS; k++)
          {
            int dx, dy;
            derive (image, x, y, k, &dx, &dy);
            if (abs (dx) + abs (dy) <= c->size[i])
              continue;
            c->dx[i] = dx;
            c->dy[i] = dy;
            c->size[i] = abs (dx) + abs (dy);
          }
      }
}

/* Outside of the picture nothing changes. */
static int
size_at (const Canny *c, int x, int y)
{
  return x < 0 || y < 0 || x >= c->w || y >= c->h ? 0 : c->size[y * c->w + x];
}

/* Whether nothing across the edge is larger: along x, along y, or along a diagonal, as the
 * direction is nearest.  Tangents of 22.5 and 67.5 degrees in fixed point, as OpenCV has them. */
static bool
is_ridge (const Canny *c, int x, int y)
{
  enum
  {
    SHIFT = 15,
    TANGENT = 13573 /* tan (22.5 degrees) << SHIFT */
  };
  int i = y * c->w + x, m = c->size[i];
  int64_t ax = abs (c->dx[i]), ay = (int64_t) abs (c->dy[i]) << SHIFT;
  int64_t low = ax * TANGENT, high = low + (ax << (SHIFT + 1));
  if (ay < low)
    return m > size_at (c, x - 1, y) && m >= size_at (c, x + 1, y);
  if (ay > high)
    return m > size_at (c, x, y - 1) && m >= size_at (c, x, y + 1);
  int s = (c->dx[i] ^ c->dy[i]) < 0 ? -1 : 1;
  return m > size_at (c, x - s, y - 1) && m > size_at (c, x + s, y + 1);
}

static void
make_strong (Canny *c, int i)
{
  c->edge[i] = EDGE_STRONG;
  c->stack[c->n_stack++] = i;
}

static void
find_ridges (Canny *c, int low, int high)
{
  for (int y = 0; y < c->h; y++)
    for (int x = 0; x < c->w; x++)
      {
        int i = y * c->w + x;
        c->edge[i] = EDGE_NONE;
        if (c->size[i] <= low || !is_ridge (c, x, y))
          continue;
        if (c->size[i] > high)
          make_strong (c, i);
        else
          c->edge[i] = EDGE_WEAK;
      }
}

/* Weak ones beside strong ones become strong. */
static void
follow (Canny *c)
{
  while (c->n_stack > 0)
    {
      int at = c->stack[--c->n_stack], x = at % c->w, y = at / c->w;
      for (int j = y > 0 ? y - 1 : 0; j <= y + 1 && j < c->h; j++)
        for (int i = x > 0 ? x - 1 : 0; i <= x + 1 && i < c->w; i++)
          if (c->edge[j * c->w + i] == EDGE_WEAK)
            make_strong (c, j * c->w + i);
    }
}

static void
canny_clear (Canny *c)
{
  mem_free (c->dx);
  mem_free (c->dy);
  mem_free (c->size);
  mem_free (c->edge);
  mem_free (c->stack);
}

static bool
canny (Image *image, double low, double high, Status *status)
{
  Canny c = { .w = image->width, .h = image->height };
  size_t n = (size_t) c.w * (size_t) c.h;
  c.dx = mem_calloc (n, sizeof *c.dx);
  c.dy = mem_calloc (n, sizeof *c.dy);
  c.size = mem_calloc (n, sizeof *c.size);
  c.stack = mem_calloc (n, sizeof *c.stack);
  c.edge = mem_calloc (n, 1);
  bool ok = (c.dx && c.dy && c.size && c.stack && c.edge) || no_memory (status);
  if (ok)
    {
      derive_all (&c, image);
      find_ridges (&c, (int) floor (fmin (low, high)), (int) floor (fmax (low, high)));
      follow (&c);
      for (size_t i = 0; i < n; i++)
        memset (image->rgb + i * IMAGE_CHANNELS, c.edge[i] == EDGE_STRONG ? WHITE : 0,
                IMAGE_CHANNELS);
    }
  canny_clear (&c);
  return ok;
}

/* ---- blur ---- */

/* Mirrored at the edge, whose pixel is not repeated. */
static int
mirror (int v, int n)
{
  while (n > 1 && (v < 0 || v >= n))
    v = v < 0 ? -v : 2 * (n - 1) - v;
  return n > 1 ? v : 0;
}

/* @to: (n) values @stride apart, as @from; @padded: room for (n + 2 radius). */
static void
blur_line (float *to,
           const float *from,
           int n,
           size_t stride,
           const float *kernel,
           int radius,
           float *padded)
{
  for (int i = -radius; i < n + radius; i++)
    padded[i + radius] = from[(size_t) mirror (i, n) * stride];
  for (int i = 0; i < n; i++)
    {
      float sum = 0;
      for (int k = 0; k <= 2 * radius; k++)
        sum += kernel[k] * padded[i + k];
      to[(size_t) i * stride] = sum;
    }
}

static void
fill_kernel (float *kernel, int radius, double sigma)
{
  double sum = 0;
  for (int k = -radius; k <= radius; k++)
    sum += exp (-0.5 * k * k / (sigma * sigma));
  for (int k = -radius; k <= radius; k++)
    kernel[k + radius] = (float) (exp (-0.5 * k * k / (sigma * sigma)) / sum);
}

static bool
blur (Image *image, double sigma, Status *status)
{
  if (!(sigma > 0))
    return true;
  sigma = fmin (sigma, MAX_SIGMA);
  int radius = (int) ceil (3 * sigma), w = image->width, h = image->height;
  size_t n = (size_t) w * (size_t) h, row = (size_t) w * IMAGE_CHANNELS;
  float *kernel = mem_calloc ((size_t) (2 * radius + 1), sizeof *kernel);
  float *a = mem_calloc (n * IMAGE_CHANNELS, sizeof *a);
  float *b = mem_calloc (n * IMAGE_CHANNELS, sizeof *b);
  float *padded = mem_calloc ((size_t) ((w > h ? w : h) + 2 * radius), sizeof *padded);
  bool ok = (kernel && a && b && padded) || no_memory (status);
  if (ok)
    {
      fill_kernel (kernel, radius, sigma);
      for (size_t i = 0; i < n * IMAGE_CHANNELS; i++)
        a[i] = image->rgb[i];
      for (int y = 0; y < h; y++)
        for (int k = 0; k < IMAGE_CHANNELS; k++)
          blur_line (b + (size_t) y * row + k, a + (size_t) y * row + k, w, IMAGE_CHANNELS, kernel,
                     radius, padded);
      for (size_t x = 0; x < row; x++)
        blur_line (a + x, b + x, h, row, kernel, radius, padded);
      for (size_t i = 0; i < n * IMAGE_CHANNELS; i++)
        image->rgb[i] = (uint8_t) fminf (fmaxf (rintf (a[i]), 0), WHITE);
    }
  mem_free (kernel);
  mem_free (a);
  mem_free (b);
  mem_free (padded);
  return ok;
}

/* ---- values alone ---- */

static void
invert (Image *image)
{
  size_t n = (size_t) image->width * (size_t) image->height * IMAGE_CHANNELS;
  for (size_t i = 0; i < n; i++)
    image->rgb[i] = (uint8_t) (WHITE - image->rgb[i]);
}

static void
threshold (Image *image, double a)
{
  size_t n = (size_t) image->width * (size_t) image->height;
  for (size_t i = 0; i < n; i++)
    {
      uint8_t *p = image->rgb + i * IMAGE_CHANNELS;
      memset (p, p[0] > a && p[1] > a && p[2] > a ? WHITE : 0, IMAGE_CHANNELS);
    }
}

bool
image_preprocess (Image *image, Preprocess kind, double a, double b, Status *status)
{
  a = a < 0 ? preprocess_default_a (kind) : a;
  b = b < 0 ? preprocess_default_b (kind) : b;
  switch (kind)
    {
    case PREPROCESS_CANNY:
      return canny (image, a, b, status);
    case PREPROCESS_BLUR:
      return blur (image, a, status);
    case PREPROCESS_INVERT:
      invert (image);
      break;
    case PREPROCESS_THRESHOLD:
      threshold (image, a);
      break;
    case PREPROCESS_NONE:
      break;
    }
  return true;
}
