/* SPDX-License-Identifier: MPL-2.0
 * gesso-document-frame.c - what a job needs of the frame: RGB, mask, and what to do about holes.
 *
 * A hole is a pixel of the frame that nothing was painted on.  The encoder wants some colour there,
 * so it gets the nearest painted one of its row (rows without any: of the nearest row); and a job
 * has to paint it anew, so it is in the mask.  The less than GESSO_FRAME_GRID pixels by which a
 * frame was rounded up are not worth an outpainting: they get a colour but are not in the mask.
 */
#include "app/canvas/gesso-state.h"

#include <glib/gi18n.h>
#include <string.h>

#include "core/mem.h"
#include "media/resize.h"

void
gesso_frame_pixels_free (GessoFramePixels *pixels)
{
  g_clear_pointer (&pixels->rgb, g_bytes_unref);
  g_clear_pointer (&pixels->mask, g_bytes_unref);
  g_free (pixels);
}

/* Fills the holes of one row of premultiplied pixels.  Returns: FALSE when it is all holes. */
static gboolean
fill_row (guint32 *row, const guint8 *painted, int width)
{
  int first = 0;
  while (first < width && !painted[first])
    first++;
  if (first == width)
    return FALSE;
  for (int x = 0; x < first; x++)
    row[x] = row[first];
  for (int x = first + 1; x < width; x++)
    {
      int next = x;
      while (next < width && !painted[next])
        next++;
      /* Half of a gap from the left, half from the right; a gap at the end all from the left. */
      int half = next < width ? (x + next) / 2 : next;
      for (int i = x; i < next; i++)
        row[i] = row[i < half ? x - 1 : next];
      x = next;
    }
  return TRUE;
}

static void
fill_holes (guint32 *pixels, const guint8 *painted, int width, int height)
{
  g_autofree guint8 *full = g_new (guint8, (gsize) height);
  for (int y = 0; y < height; y++)
    full[y] = fill_row (pixels + (gsize) y * width, painted + (gsize) y * width, width);
  int last = -1;
  for (int y = 0; y < height; y++)
    {
      if (full[y])
        {
          last = y;
          continue;
        }
      int next = y;
      while (next < height && !full[next])
        next++;
      int from = last < 0 || (next < height && next - y < y - last) ? next : last;
      if (from < height)
        memcpy (pixels + (gsize) y * width, pixels + (gsize) from * width, (gsize) width * 4);
    }
}

/* Returns: (height, width), 1 where the picture's pixels are not fully transparent; NULL when out
 * of memory */
static guint8 *
find_painted (const guint32 *pixels, gsize n, gsize *n_painted)
{
  guint8 *painted = g_try_malloc (n);
  *n_painted = 0;
  for (gsize i = 0; painted && i < n; i++)
    *n_painted += painted[i] = ((const guint8 *) &pixels[i])[3] != 0;
  return painted;
}

/* The rectangle in which a hole counts as one: the frame less what rounding added. */
static GessoRect
hole_area (const GessoState *state)
{
  const GessoRect *f = &state->frame, *b = &state->bounds;
  int right = f->x + f->width, bottom = f->y + f->height;
  int over_x = right - (b->x + b->width), over_y = bottom - (b->y + b->height);
  if (over_x > 0 && over_x < GESSO_FRAME_GRID)
    right -= over_x;
  if (over_y > 0 && over_y < GESSO_FRAME_GRID)
    bottom -= over_y;
  int left = b->x - f->x > 0 && b->x - f->x < GESSO_FRAME_GRID ? b->x : f->x;
  int top = b->y - f->y > 0 && b->y - f->y < GESSO_FRAME_GRID ? b->y : f->y;
  return (GessoRect){ left, top, right - left, bottom - top };
}

/* Adds the holes to @mask.  Returns: whether there are any */
static gboolean
mask_holes (const GessoState *state, const guint8 *painted, guint8 *mask)
{
  GessoRect area = hole_area (state);
  const GessoRect *f = &state->frame;
  gboolean any = FALSE;
  for (int y = area.y - f->y; y < area.y - f->y + area.height; y++)
    for (int x = area.x - f->x; x < area.x - f->x + area.width; x++)
      {
        gsize i = (gsize) y * f->width + x;
        if (!painted[i])
          {
            mask[i] = 255;
            any = TRUE;
          }
      }
  return any;
}

/* What is left of transparency is laid over white, as reading a picture does. */
static void
to_rgb (const guint32 *pixels, gsize n, guint8 *rgb)
{
  for (gsize i = 0; i < n; i++, rgb += 3)
    {
      const guint8 *p = (const guint8 *) &pixels[i];
      int white = 255 - p[3];
      rgb[0] = (guint8) (p[2] + white);
      rgb[1] = (guint8) (p[1] + white);
      rgb[2] = (guint8) (p[0] + white);
    }
}

static gboolean
resize (Image *image, int width, int height, GError **error)
{
  Status status = { 0 };
  if ((image->width == width && image->height == height) ||
      image_resize (image, width, height, &status))
    return TRUE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, status.message);
  return FALSE;
}

static void
free_rgb (gpointer rgb)
{
  Image image = { .rgb = rgb };
  image_clear (&image);
}

static GBytes *
take_rgb (Image *image)
{
  gsize n = (gsize) image->width * image->height * IMAGE_CHANNELS;
  GBytes *bytes = g_bytes_new_with_free_func (image->rgb, n, free_rgb, image->rgb);
  *image = (Image){ 0 };
  return bytes;
}

static gboolean
no_memory (GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                       _ ("There is not enough memory for a frame of this size: make it smaller."));
  return FALSE;
}

/* @image: empty.  Returns: FALSE when out of memory */
static gboolean
new_image (Image *image, int width, int height, GError **error)
{
  *image = (Image){ width, height, mem_calloc ((gsize) width * height, IMAGE_CHANNELS) };
  return image->rgb != NULL || no_memory (error);
}

static GBytes *
make_rgb (const GessoState *state, const guint32 *pixels, int width, int height, GError **error)
{
  Image image;
  if (!new_image (&image, state->frame.width, state->frame.height, error))
    return NULL;
  to_rgb (pixels, (gsize) image.width * image.height, image.rgb);
  GBytes *bytes = resize (&image, width, height, error) ? take_rgb (&image) : NULL;
  image_clear (&image);
  return bytes;
}

/* The mask goes through the picture's filter in one of three equal channels. */
static GBytes *
make_mask (const GessoState *state, const guint8 *mask, int width, int height, GError **error)
{
  gsize n = (gsize) width * height;
  if (state->frame.width == width && state->frame.height == height)
    return g_bytes_new (mask, n);
  Image image;
  if (!new_image (&image, state->frame.width, state->frame.height, error))
    return NULL;
  for (gsize i = 0; i < (gsize) image.width * image.height; i++)
    memset (image.rgb + i * IMAGE_CHANNELS, mask[i], IMAGE_CHANNELS);
  GBytes *bytes = NULL;
  if (resize (&image, width, height, error))
    {
      guint8 *out = g_malloc (n);
      for (gsize i = 0; i < n; i++)
        out[i] = image.rgb[i * IMAGE_CHANNELS];
      bytes = g_bytes_new_take (out, n);
    }
  image_clear (&image);
  return bytes;
}

static gboolean
is_any (const guint8 *mask, gsize n)
{
  return n > 0 && (mask[0] != 0 || memcmp (mask, mask + 1, n - 1) != 0);
}

static gboolean
extract_into (const GessoState *state, GessoFramePixels *out, guint32 *pixels, GError **error)
{
  const GessoRect *f = &state->frame;
  gsize n = (gsize) f->width * f->height, n_painted;
  gesso_plane_read (state->layers[GESSO_LAYER_PICTURE], f, (guint8 *) pixels);
  g_autofree guint8 *painted = find_painted (pixels, n, &n_painted);
  out->has_picture = n_painted > 0;
  if (painted && !out->has_picture)
    return TRUE;
  g_autofree guint8 *mask = g_try_malloc (n);
  if (!painted || !mask)
    return no_memory (error);
  gesso_plane_read (state->layers[GESSO_LAYER_MASK], f, mask);
  if (n_painted < n)
    {
      fill_holes (pixels, painted, f->width, f->height);
      out->has_holes = mask_holes (state, painted, mask);
    }
  out->rgb = make_rgb (state, pixels, out->width, out->height, error);
  if (out->rgb && is_any (mask, n))
    out->mask = make_mask (state, mask, out->width, out->height, error);
  return out->rgb && (out->mask || !is_any (mask, n));
}

GessoFramePixels *
gesso_state_extract (const GessoState *self, int width, int height, GError **error)
{
  g_autoptr (GessoFramePixels) out = g_new0 (GessoFramePixels, 1);
  out->frame = self->frame;
  out->width = width > 0 ? width : self->frame.width;
  out->height = height > 0 ? height : self->frame.height;
  g_autofree guint32 *pixels =
      g_try_malloc ((gsize) self->frame.width * self->frame.height * GESSO_PICTURE_BPP);
  gboolean ok = pixels ? extract_into (self, out, pixels, error) : no_memory (error);
  return ok ? g_steal_pointer (&out) : NULL;
}
