/* SPDX-License-Identifier: MPL-2.0
 * gesso-pixels.c - a decoded picture in tiles and halved levels.
 *
 * Each level's pixels are one buffer; its tiles are textures that look into it, without a copy.
 * The level that is drawn has between one and two pixels for each of the screen, because GTK 4.8
 * samples linearly, which would alias below one half.
 */
#include "app/gallery/gesso-pixels.h"

#include "app/gesso-compat.h"
#include "media/frames.h"

enum
{
  TILE = 512,     /* px */
  OVERLAP = 4,    /* px that a tile begins earlier: the filter fades at a texture's edge */
  SMALLEST = 512, /* px; a level whose longer side is at most this is the last one */
  MAX_LEVELS = 8
};

typedef struct
{
  int width, height, columns, rows;
  GPtrArray *tiles; /* GdkTexture, row by row */
} Level;

struct _GessoPixels
{
  gatomicrefcount refs;
  int width, height;
  gboolean stand_in;
  int n_levels;
  Level levels[MAX_LEVELS];
};

/* ---- making ---- */

/* Where the texture of the tile at @at begins, on one axis. */
static int
begin_of (int at)
{
  return MAX (0, at - OVERLAP);
}

static void
add_level (GessoPixels *self, GBytes *rgb, int width, int height)
{
  Level *level = &self->levels[self->n_levels++];
  gsize stride = (gsize) width * IMAGE_CHANNELS;
  *level = (Level){ width, height, (width + TILE - 1) / TILE, (height + TILE - 1) / TILE, NULL };
  level->tiles = g_ptr_array_new_with_free_func (g_object_unref);
  for (int row = 0; row < height; row += TILE)
    for (int column = 0; column < width; column += TILE)
      {
        int x = begin_of (column), y = begin_of (row);
        int w = MIN (column + TILE, width) - x, h = MIN (row + TILE, height) - y;
        gsize offset = (gsize) y * stride + (gsize) x * IMAGE_CHANNELS;
        gsize size = (gsize) (h - 1) * stride + (gsize) w * IMAGE_CHANNELS;
        g_autoptr (GBytes) part = g_bytes_new_from_bytes (rgb, offset, size);
        g_ptr_array_add (level->tiles,
                         gdk_memory_texture_new (w, h, GDK_MEMORY_R8G8B8, part, stride));
      }
}

/* Mean of 2 x 2; the last row or column of an odd size counts twice. */
static GBytes *
halve (GBytes *rgb, int width, int height)
{
  const guint8 *from = g_bytes_get_data (rgb, NULL);
  int w = (width + 1) / 2, h = (height + 1) / 2;
  guint8 *to = g_malloc ((gsize) w * (gsize) h * IMAGE_CHANNELS), *p = to;
  for (int y = 0; y < h; y++)
    {
      const guint8 *a = from + (gsize) (2 * y) * (gsize) width * IMAGE_CHANNELS;
      const guint8 *b = 2 * y + 1 < height ? a + (gsize) width * IMAGE_CHANNELS : a;
      for (int x = 0; x < w; x++)
        {
          int l = 2 * x * IMAGE_CHANNELS, r = 2 * x + 1 < width ? l + IMAGE_CHANNELS : l;
          for (int c = 0; c < IMAGE_CHANNELS; c++)
            *p++ = (guint8) ((a[l + c] + a[r + c] + b[l + c] + b[r + c] + 2) / 4);
        }
    }
  return g_bytes_new_take (to, (gsize) w * (gsize) h * IMAGE_CHANNELS);
}

static GessoPixels *
new_empty (int width, int height, gboolean stand_in)
{
  GessoPixels *self = g_new0 (GessoPixels, 1);
  g_atomic_ref_count_init (&self->refs);
  self->width = width;
  self->height = height;
  self->stand_in = stand_in;
  return self;
}

static void
free_image (gpointer data)
{
  image_clear (data);
  g_free (data);
}

static GessoPixels *
new_take (Image *image, GCancellable *cancellable)
{
  int width = image->width, height = image->height;
  GessoPixels *self = new_empty (width, height, FALSE);
  g_autoptr (GBytes) rgb = g_bytes_new_with_free_func (
      image->rgb, (gsize) width * (gsize) height * IMAGE_CHANNELS, free_image, image);
  add_level (self, rgb, width, height);
  while (MAX (width, height) > SMALLEST && self->n_levels < MAX_LEVELS &&
         !g_cancellable_is_cancelled (cancellable))
    {
      GBytes *half = halve (rgb, width, height);
      g_bytes_unref (rgb);
      rgb = half;
      width = (width + 1) / 2;
      height = (height + 1) / 2;
      add_level (self, rgb, width, height);
    }
  return self;
}

GessoPixels *
gesso_pixels_new_stand_in (GdkTexture *texture, int width, int height)
{
  g_return_val_if_fail (GDK_IS_TEXTURE (texture) && width > 0 && height > 0, NULL);
  GessoPixels *self = new_empty (width, height, TRUE);
  Level *level = &self->levels[self->n_levels++];
  *level = (Level){ gdk_texture_get_width (texture), gdk_texture_get_height (texture), 1, 1,
                    g_ptr_array_new_with_free_func (g_object_unref) };
  g_ptr_array_add (level->tiles, g_object_ref (texture));
  return self;
}

GessoPixels *
gesso_pixels_ref (GessoPixels *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
gesso_pixels_unref (GessoPixels *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  for (int i = 0; i < self->n_levels; i++)
    g_ptr_array_unref (self->levels[i].tiles);
  g_free (self);
}

/* ---- loading ---- */

static void
load_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  if (g_task_return_error_if_cancelled (task))
    return;
  Image *image = g_new0 (Image, 1);
  Status status = { 0 };
  if (frames_read_picture (image, data, NULL, &status))
    {
      g_task_return_pointer (task, new_take (image, cancellable),
                             (GDestroyNotify) gesso_pixels_unref);
      return;
    }
  g_free (image);
  g_autofree char *message = g_utf8_make_valid (status.message, -1);
  g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_FAILED, "%s", message);
}

void
gesso_pixels_load_async (const char *path,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_return_if_fail (path != NULL);
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  g_task_set_source_tag (task, gesso_pixels_load_async);
  g_task_set_task_data (task, g_strdup (path), g_free);
  g_task_run_in_thread (task, load_thread);
}

GessoPixels *
gesso_pixels_load_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (G_IS_TASK (result), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

int
gesso_pixels_get_width (GessoPixels *self)
{
  return self->width;
}

int
gesso_pixels_get_height (GessoPixels *self)
{
  return self->height;
}

gboolean
gesso_pixels_is_stand_in (GessoPixels *self)
{
  return self->stand_in;
}

/* ---- drawing ---- */

static const Level *
choose_level (GessoPixels *self, double device_width)
{
  int i = 0;
  while (i + 1 < self->n_levels && self->levels[i + 1].width >= device_width)
    i++;
  return &self->levels[i];
}

/* The part of @where that pixels @from to @to of @size cover, on one axis. */
static void
span (float origin, float length, int from, int to, int size, float *at, float *extent)
{
  float unit = length / (float) size;
  *at = origin + unit * (float) from;
  *extent = unit * (float) (MIN (to, size) - from);
}

void
gesso_pixels_snapshot (GessoPixels *self,
                       GtkSnapshot *snapshot,
                       const graphene_rect_t *where,
                       const graphene_rect_t *visible,
                       GtkWidget *widget)
{
  g_return_if_fail (self && where && visible && GTK_IS_WIDGET (widget));
  double width = (double) where->size.width * gtk_widget_get_scale_factor (widget);
  gboolean software = gesso_compat_is_software (widget);
  const Level *level = choose_level (self, width);
  double zoom = self->stand_in ? 1 : width / level->width;
  int across = self->stand_in ? level->width : TILE, down = self->stand_in ? level->height : TILE;
  for (int row = 0; row < level->rows; row++)
    for (int column = 0; column < level->columns; column++)
      {
        graphene_rect_t r;
        span (where->origin.x, where->size.width, begin_of (column * across), (column + 1) * across,
              level->width, &r.origin.x, &r.size.width);
        span (where->origin.y, where->size.height, begin_of (row * down), (row + 1) * down,
              level->height, &r.origin.y, &r.size.height);
        if (graphene_rect_intersection (&r, visible, NULL))
          gesso_compat_append_texture (snapshot, level->tiles->pdata[row * level->columns + column],
                                       &r, visible, zoom, software);
      }
}
