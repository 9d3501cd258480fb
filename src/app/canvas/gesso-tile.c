/* SPDX-License-Identifier: MPL-2.0
 * gesso-tile.c - a square of pixels that is shared by reference and never changed while shared.
 *
 * What is derived from the pixels (smaller levels, the packed form) is made lazily by whichever
 * thread needs it first and published with a compare-and-exchange; the loser's work is dropped.
 */
#include "app/canvas/gesso-tile.h"

#include <string.h>
#include <zlib.h>

struct _GessoTile
{
  gatomicrefcount refs;
  int side, bpp;
  guint8 *levels; /* (atomic) level 1, 2, ... one after the other */
  GBytes *packed; /* (atomic) */
  guint8 *pixels;
};

GessoTile *
gesso_tile_new (int side, int bpp)
{
  guint8 *pixels = g_try_malloc0 ((gsize) side * side * bpp);
  if (!pixels)
    return NULL;
  GessoTile *self = g_new0 (GessoTile, 1);
  g_atomic_ref_count_init (&self->refs);
  self->side = side;
  self->bpp = bpp;
  self->pixels = pixels;
  return self;
}

GessoTile *
gesso_tile_copy (const GessoTile *self)
{
  GessoTile *copy = gesso_tile_new (self->side, self->bpp);
  if (copy)
    memcpy (copy->pixels, self->pixels, gesso_tile_get_size_bytes (self));
  return copy;
}

GessoTile *
gesso_tile_ref (GessoTile *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
gesso_tile_unref (GessoTile *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_clear_pointer (&self->levels, g_free);
  g_clear_pointer (&self->packed, g_bytes_unref);
  g_free (self->pixels);
  g_free (self);
}

gboolean
gesso_tile_is_shared (const GessoTile *self)
{
  return !g_atomic_ref_count_compare ((gatomicrefcount *) &self->refs, 1);
}

int
gesso_tile_get_side (const GessoTile *self)
{
  return self->side;
}

gsize
gesso_tile_get_size_bytes (const GessoTile *self)
{
  return (gsize) self->side * self->side * self->bpp;
}

const guint8 *
gesso_tile_peek (const GessoTile *self)
{
  return self->pixels;
}

guint8 *
gesso_tile_begin_write (GessoTile *self)
{
  g_return_val_if_fail (!gesso_tile_is_shared (self), NULL);
  g_clear_pointer (&self->levels, g_free);
  g_clear_pointer (&self->packed, g_bytes_unref);
  return self->pixels;
}

gboolean
gesso_tile_is_filled_with (const GessoTile *self, guint8 value)
{
  gsize n = gesso_tile_get_size_bytes (self);
  return self->pixels[0] == value && memcmp (self->pixels, self->pixels + 1, n - 1) == 0;
}

gboolean
gesso_tile_equal (const GessoTile *a, const GessoTile *b)
{
  if (a == b)
    return TRUE;
  return a && b && a->side == b->side && a->bpp == b->bpp &&
         memcmp (a->pixels, b->pixels, gesso_tile_get_size_bytes (a)) == 0;
}

/* @in: (2 side, 2 side, 4); the mean of four premultiplied pixels is exact about transparency. */
static void
halve (const guint8 *in, guint8 *out, int side)
{
  gsize stride = (gsize) side * 2 * GESSO_PICTURE_BPP;
  for (int y = 0; y < side; y++, in += 2 * stride)
    for (int x = 0; x < side * GESSO_PICTURE_BPP; x++)
      {
        const guint8 *p =
            in + (x / GESSO_PICTURE_BPP) * 2 * GESSO_PICTURE_BPP + x % GESSO_PICTURE_BPP;
        int sum = p[0] + p[GESSO_PICTURE_BPP] + p[stride] + p[stride + GESSO_PICTURE_BPP];
        *out++ = (guint8) ((sum + 2) / 4);
      }
}

static gsize
level_bytes (const GessoTile *self, int level)
{
  gsize side = (gsize) self->side >> level;
  return side * side * GESSO_PICTURE_BPP;
}

static guint8 *
make_levels (const GessoTile *self)
{
  gsize n = 0;
  for (int level = 1; level < GESSO_TILE_N_LEVELS; level++)
    n += level_bytes (self, level);
  guint8 *levels = g_try_malloc (n), *out = levels;
  const guint8 *in = self->pixels;
  for (int level = 1; levels && level < GESSO_TILE_N_LEVELS; level++)
    {
      halve (in, out, self->side >> level);
      in = out;
      out += level_bytes (self, level);
    }
  return levels;
}

const guint8 *
gesso_tile_peek_level (GessoTile *self, int level)
{
  g_return_val_if_fail (self->bpp == GESSO_PICTURE_BPP, NULL);
  g_return_val_if_fail (level >= 0 && level < GESSO_TILE_N_LEVELS, NULL);
  if (level == 0)
    return self->pixels;
  const guint8 *at = g_atomic_pointer_get (&self->levels);
  if (!at)
    {
      guint8 *made = make_levels (self);
      if (!made)
        return NULL;
      if (!g_atomic_pointer_compare_and_exchange (&self->levels, NULL, made))
        g_free (made);
      at = g_atomic_pointer_get (&self->levels);
    }
  for (int i = 1; i < level; i++)
    at += level_bytes (self, i);
  return at;
}

GBytes *
gesso_tile_dup_packed (GessoTile *self)
{
  GBytes *packed = g_atomic_pointer_get (&self->packed);
  if (!packed)
    {
      uLong n = gesso_tile_get_size_bytes (self);
      uLongf n_packed = compressBound (n);
      guint8 *data = g_malloc (n_packed);
      /* Cannot fail: the buffer is large enough by definition. */
      int result = compress2 (data, &n_packed, self->pixels, n, Z_BEST_SPEED);
      g_assert (result == Z_OK);
      GBytes *made = g_bytes_new_take (g_realloc (data, n_packed), n_packed);
      if (!g_atomic_pointer_compare_and_exchange (&self->packed, NULL, made))
        g_bytes_unref (made);
      packed = g_atomic_pointer_get (&self->packed);
    }
  return g_bytes_ref (packed);
}

GessoTile *
gesso_tile_new_unpacked (int side, int bpp, const guint8 *data, gsize n_bytes)
{
  g_autoptr (GessoTile) tile = gesso_tile_new (side, bpp);
  if (!tile)
    return NULL;
  uLongf n = gesso_tile_get_size_bytes (tile);
  uLong n_read = n_bytes;
  if (uncompress2 (tile->pixels, &n, data, &n_read) != Z_OK || n_read != n_bytes ||
      n != gesso_tile_get_size_bytes (tile))
    return NULL;
  return g_steal_pointer (&tile);
}
