/* SPDX-License-Identifier: MPL-2.0
 * gif-palette.c - 256 colours for a whole film.
 */
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "media/gif.h"

enum
{
  BIN_BITS = 6,
  N_BINS = 1 << (3 * BIN_BITS),
  SET_SLOTS = 1024, /* of the exact colours; a power of two well above GIF_COLOURS */
  N_REFINEMENTS = 4,
  BAYER_SIDE = 8
};

static const int weights[3] = { 2, 4, 3 };

typedef struct
{
  uint64_t n, sum[3];
} Bin;

struct GifColours
{
  Bin *bins;               /* N_BINS */
  uint32_t set[SET_SLOTS]; /* colour + 1, 0 for free */
  int n_exact;             /* GIF_COLOURS + 1: more than fit */
};

struct GifMap
{
  GifPalette palette;
  uint32_t set[SET_SLOTS];      /* exact: colour + 1 */
  uint8_t set_index[SET_SLOTS]; /* exact: its entry */
  int16_t *nearest;             /* N_BINS; -1: not looked up yet */
  float move[BAYER_SIDE][BAYER_SIDE];
};

static uint32_t
bin_of (const uint8_t *rgb)
{
  enum
  {
    SHIFT = 8 - BIN_BITS
  };
  return (uint32_t) (rgb[0] >> SHIFT) << (2 * BIN_BITS) | (uint32_t) (rgb[1] >> SHIFT) << BIN_BITS |
         (uint32_t) (rgb[2] >> SHIFT);
}

/* Returns: the slot that holds @rgb, or the free one where it belongs */
static uint32_t
find_slot (const uint32_t *set, const uint8_t *rgb)
{
  uint32_t key = ((uint32_t) rgb[0] << 16 | (uint32_t) rgb[1] << 8 | rgb[2]) + 1;
  uint32_t slot = key * 2654435761u >> 22;
  while (set[slot] && set[slot] != key)
    slot = (slot + 1) % SET_SLOTS;
  return slot;
}

static void
put_slot (uint32_t *set, uint32_t slot, const uint8_t *rgb)
{
  set[slot] = ((uint32_t) rgb[0] << 16 | (uint32_t) rgb[1] << 8 | rgb[2]) + 1;
}

GifColours *
gif_colours_new (Status *status)
{
  GifColours *c = mem_calloc (1, sizeof *c);
  if (c)
    c->bins = mem_calloc (N_BINS, sizeof *c->bins);
  if (c && c->bins)
    return c;
  gif_colours_free (c);
  status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  return NULL;
}

void
gif_colours_free (GifColours *colours)
{
  if (colours)
    mem_free (colours->bins);
  mem_free (colours);
}

void
gif_colours_add (GifColours *colours, const uint8_t *rgb, size_t n_pixels)
{
  for (size_t i = 0; i < n_pixels; i++, rgb += 3)
    {
      Bin *bin = &colours->bins[bin_of (rgb)];
      bin->n++;
      for (int c = 0; c < 3; c++)
        bin->sum[c] += rgb[c];
      if (colours->n_exact > GIF_COLOURS)
        continue;
      uint32_t slot = find_slot (colours->set, rgb);
      if (colours->set[slot])
        continue;
      if (++colours->n_exact <= GIF_COLOURS)
        put_slot (colours->set, slot, rgb);
    }
}

/* ---- boxes ---- */

/* A bin that holds something, as its mean. */
typedef struct
{
  float rgb[3];
  double n;
} Point;

typedef struct
{
  size_t start, end; /* of the points */
  double mean[3], variance[3];
} Box;

static void
measure_box (Box *box, const Point *points)
{
  double n = 0, sum[3] = { 0 }, squares[3] = { 0 };
  for (size_t i = box->start; i < box->end; i++)
    {
      n += points[i].n;
      for (int c = 0; c < 3; c++)
        {
          double v = (double) points[i].rgb[c];
          sum[c] += points[i].n * v;
          squares[c] += points[i].n * v * v;
        }
    }
  for (int c = 0; c < 3; c++)
    {
      box->mean[c] = sum[c] / n;
      box->variance[c] = weights[c] * fmax (0, squares[c] - sum[c] * sum[c] / n);
    }
}

static int
widest_axis (const Box *box)
{
  int axis = 0;
  for (int c = 1; c < 3; c++)
    if (box->variance[c] > box->variance[axis])
      axis = c;
  return axis;
}

/* Points below the mean to the front.  Returns: where the others begin */
static size_t
partition (const Box *box, Point *points, int axis)
{
  size_t middle = box->start;
  for (size_t i = box->start; i < box->end; i++)
    if ((double) points[i].rgb[axis] < box->mean[axis])
      {
        Point swapped = points[i];
        points[i] = points[middle];
        points[middle++] = swapped;
      }
  return middle;
}

/* Returns: how many boxes */
static int
split_boxes (Box *boxes, Point *points, size_t n_points)
{
  int n = 1;
  boxes[0] = (Box){ .end = n_points };
  measure_box (&boxes[0], points);
  while (n < GIF_COLOURS)
    {
      int widest = 0;
      for (int i = 1; i < n; i++)
        if (boxes[i].variance[widest_axis (&boxes[i])] >
            boxes[widest].variance[widest_axis (&boxes[widest])])
          widest = i;
      Box *box = &boxes[widest];
      size_t middle = partition (box, points, widest_axis (box));
      if (middle == box->start || middle == box->end)
        break; /* nothing left that differs */
      boxes[n] = (Box){ .start = middle, .end = box->end };
      box->end = middle;
      measure_box (box, points);
      measure_box (&boxes[n++], points);
    }
  return n;
}

/* ---- the palette ---- */

static int
nearest_mean (const double (*means)[3], int n, const float *rgb, double *distance)
{
  int best = 0;
  *distance = INFINITY;
  for (int i = 0; i < n; i++)
    {
      double d = 0;
      for (int c = 0; c < 3; c++)
        {
          double difference = (double) rgb[c] - means[i][c];
          d += weights[c] * difference * difference;
        }
      if (d < *distance)
        {
          *distance = d;
          best = i;
        }
    }
  return best;
}

/* One step of k-means.  Returns: the mean squared weighted distance before it */
static double
refine (double (*means)[3], int n, const Point *points, size_t n_points)
{
  double sum[GIF_COLOURS][4] = { 0 }, total = 0, n_total = 0;
  for (size_t i = 0; i < n_points; i++)
    {
      double distance;
      int at = nearest_mean ((const double (*)[3]) means, n, points[i].rgb, &distance);
      for (int c = 0; c < 3; c++)
        sum[at][c] += points[i].n * (double) points[i].rgb[c];
      sum[at][3] += points[i].n;
      total += points[i].n * distance;
      n_total += points[i].n;
    }
  for (int i = 0; i < n; i++)
    for (int c = 0; c < 3 && sum[i][3] > 0; c++)
      means[i][c] = sum[i][c] / sum[i][3];
  return total / n_total;
}

static Point *
list_points (const GifColours *colours, size_t *n_points)
{
  size_t n = 0;
  for (int i = 0; i < N_BINS; i++)
    n += colours->bins[i].n > 0;
  Point *points = mem_calloc (n + 1, sizeof *points);
  *n_points = 0;
  for (int i = 0; points && i < N_BINS; i++)
    if (colours->bins[i].n > 0)
      {
        const Bin *bin = &colours->bins[i];
        Point *p = &points[(*n_points)++];
        p->n = (double) bin->n;
        for (int c = 0; c < 3; c++)
          p->rgb[c] = (float) ((double) bin->sum[c] / (double) bin->n);
      }
  return points;
}

static void
take_exact (GifPalette *palette, const GifColours *colours)
{
  palette->exact = true;
  for (int i = 0; i < SET_SLOTS; i++)
    if (colours->set[i])
      {
        uint32_t rgb = colours->set[i] - 1;
        uint8_t *entry = palette->rgb[palette->n++];
        entry[0] = (uint8_t) (rgb >> 16);
        entry[1] = (uint8_t) (rgb >> 8);
        entry[2] = (uint8_t) rgb;
      }
}

bool
gif_palette_make (GifPalette *palette, const GifColours *colours, Status *status)
{
  static const double mean_weight = 3; /* of a channel, in a distance of all three */
  *palette = (GifPalette){ 0 };
  if (colours->n_exact <= GIF_COLOURS)
    {
      take_exact (palette, colours);
      return true;
    }
  size_t n_points;
  Point *points = list_points (colours, &n_points);
  if (!points)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  Box boxes[GIF_COLOURS];
  double means[GIF_COLOURS][3], distance = 0;
  palette->n = split_boxes (boxes, points, n_points);
  for (int i = 0; i < palette->n; i++)
    memcpy (means[i], boxes[i].mean, sizeof means[i]);
  for (int i = 0; i < N_REFINEMENTS; i++)
    distance = refine (means, palette->n, points, n_points);
  for (int i = 0; i < palette->n; i++)
    for (int c = 0; c < 3; c++)
      palette->rgb[i][c] = (uint8_t) lround (fmin (fmax (means[i][c], 0), 255));
  palette->spread = sqrt (distance / (3 * mean_weight));
  mem_free (points);
  return true;
}

/* ---- looking up ---- */

/* Bayer's pattern by its recursion: 0 to 63, as -0.5 to 0.5. */
static void
make_pattern (GifMap *map)
{
  /* A step between neighbouring entries is about this many times the root mean square distance. */
  static const double step_per_spread = 2;
  for (int y = 0; y < BAYER_SIDE; y++)
    for (int x = 0; x < BAYER_SIDE; x++)
      {
        int v = 0;
        for (int bit = 0; bit < 3; bit++)
          {
            int bx = x >> bit & 1, by = y >> bit & 1;
            v |= (bx ^ by) << (5 - 2 * bit) | by << (4 - 2 * bit);
          }
        map->move[y][x] = (float) (((v + 0.5) / (BAYER_SIDE * BAYER_SIDE) - 0.5) * step_per_spread *
                                   map->palette.spread);
      }
}

GifMap *
gif_map_new (const GifPalette *palette, Status *status)
{
  GifMap *map = mem_calloc (1, sizeof *map);
  if (map)
    map->nearest = mem_calloc (N_BINS, sizeof *map->nearest);
  if (!map || !map->nearest)
    {
      gif_map_free (map);
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return NULL;
    }
  map->palette = *palette;
  memset (map->nearest, 0xff, N_BINS * sizeof *map->nearest);
  for (int i = 0; palette->exact && i < palette->n; i++)
    {
      uint32_t slot = find_slot (map->set, palette->rgb[i]);
      put_slot (map->set, slot, palette->rgb[i]);
      map->set_index[slot] = (uint8_t) i;
    }
  make_pattern (map);
  return map;
}

void
gif_map_free (GifMap *map)
{
  if (map)
    mem_free (map->nearest);
  mem_free (map);
}

static int16_t
search_nearest (const GifPalette *palette, const uint8_t *rgb)
{
  int best = 0, best_distance = INT32_MAX;
  for (int i = 0; i < palette->n; i++)
    {
      int distance = 0;
      for (int c = 0; c < 3; c++)
        distance += weights[c] * (rgb[c] - palette->rgb[i][c]) * (rgb[c] - palette->rgb[i][c]);
      if (distance < best_distance)
        {
          best_distance = distance;
          best = i;
        }
    }
  return (int16_t) best;
}

/* All colours of a bin get what is nearest to its centre. */
static uint8_t
look_up (GifMap *map, const uint8_t *rgb, float move)
{
  uint8_t moved[3], centre[3];
  for (int c = 0; c < 3; c++)
    {
      float v = (float) rgb[c] + move;
      moved[c] = (uint8_t) (v < 0 ? 0 : v > 255 ? 255 : v + 0.5f);
      centre[c] = (uint8_t) ((moved[c] & 0xfc) | 2);
    }
  int16_t *nearest = &map->nearest[bin_of (moved)];
  if (*nearest < 0)
    *nearest = search_nearest (&map->palette, centre);
  return (uint8_t) *nearest;
}

void
gif_map_rows (GifMap *map, const uint8_t *rgb, int width, int height, uint8_t *indices)
{
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++, rgb += 3)
      *indices++ = map->palette.exact
                       ? map->set_index[find_slot (map->set, rgb)]
                       : look_up (map, rgb, map->move[y % BAYER_SIDE][x % BAYER_SIDE]);
}
