/* SPDX-License-Identifier: MPL-2.0
 * gif.h - parts of the GIF writer: the palette of a whole film, and LZW.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

enum
{
  GIF_COLOURS = 256
};

/* Which colours a film has: 64 x 64 x 64 bins, and each one while there are at most GIF_COLOURS. */
typedef struct GifColours GifColours;

/* Returns: to gif_colours_free; NULL and NO_MEMORY */
GifColours *gif_colours_new (Status *status);
void gif_colours_add (GifColours *colours, const uint8_t *rgb, size_t n_pixels);
void gif_colours_free (GifColours *colours);

typedef struct
{
  int n;
  uint8_t rgb[GIF_COLOURS][3];
  bool exact;    /* every colour of the film is in it */
  double spread; /* root of the mean squared distance of a channel to the nearest entry */
} GifPalette;

/* gif_palette_make:
 *
 * Splits the colours at the mean of the axis of greatest variance until there are GIF_COLOURS
 * boxes (after Wan, Wong and Prusinkiewicz, ACM TOMS 14, 1988), then moves each entry to the mean
 * of what is nearest to it.  Distances weigh red, green and blue by 2, 4 and 3.
 * Fails: NO_MEMORY
 */
bool gif_palette_make (GifPalette *palette, const GifColours *colours, Status *status);

/* Looks colours up in a palette.  Returns: to gif_map_free; NULL and NO_MEMORY */
typedef struct GifMap GifMap;
GifMap *gif_map_new (const GifPalette *palette, Status *status);
void gif_map_free (GifMap *map);
/* gif_map_rows:
 * @indices: receives (height, width)
 *
 * Unless the palette is exact, colours are first moved by an 8 x 8 Bayer pattern of the palette's
 * spread: unlike diffused errors it stands still from frame to frame.
 */
void gif_map_rows (GifMap *map, const uint8_t *rgb, int width, int height, uint8_t *indices);

typedef struct
{
  uint8_t *data; /* mem_free */
  size_t n, capacity;
} GifBytes;

bool gif_bytes_put (GifBytes *out, const void *data, size_t n_bytes, Status *status);
/* @data in sub-blocks of at most 255 bytes, and the empty one that ends them. */
bool gif_bytes_put_blocks (GifBytes *out, const void *data, size_t n_bytes, Status *status);

/* gif_lzw:
 * @indices: rows of @width, @stride apart
 * @n_bits: of an index, 2 to 8
 *
 * Appends the compressed image (GIF89a, appendix F) to @out.  Fails: NO_MEMORY
 */
bool gif_lzw (GifBytes *out,
              const uint8_t *indices,
              int width,
              int height,
              int stride,
              int n_bits,
              Status *status);
