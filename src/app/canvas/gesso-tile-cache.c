/* SPDX-License-Identifier: MPL-2.0
 * gesso-tile-cache.c - a layer's tiles as textures, made when they are first seen.
 *
 * An entry is a square of "texture tile" side in pixels of its level.  Mask entries keep the 8-bit
 * pixels of their level, too, so that a stroke recomputes only what it touched, and get their
 * hatching in the level's pixels: it looks the same at every zoom.
 */
#include "app/canvas/gesso-tile-cache.h"

#include "app/gesso-compat.h"

#include <string.h>

enum
{
  MAX_UNUSED = 96, /* entries that are kept though not drawn */
  HATCH_PERIOD = 12,
  HATCH_ALPHA = 150, /* of 255, on a stripe */
  GROUND_ALPHA = 85,
  KEY_BITS = 14
};

typedef struct
{
  int level, tx, ty;
  GdkTexture *texture; /* NULL: to be made, or nothing there */
  guint8 *mask;        /* of a mask: (side, side) at the level */
  GessoRect dirty;     /* document pixels to take over again */
  gboolean empty;      /* known to show nothing */
  guint64 last_frame;
} Entry;

struct _GessoTileCache
{
  GessoLayer layer;
  int side;
  GHashTable *entries; /* key_of -> Entry */
  guint64 frame;
  guint n_made;
  gboolean software;
  guint32 ground, stripe; /* premultiplied BGRA of a full mask */
};

static void
entry_free (gpointer data)
{
  Entry *entry = data;
  g_clear_object (&entry->texture);
  g_free (entry->mask);
  g_free (entry);
}

GessoTileCache *
gesso_tile_cache_new (GessoLayer layer)
{
  GessoTileCache *self = g_new0 (GessoTileCache, 1);
  self->layer = layer;
  self->side = layer == GESSO_LAYER_MASK ? GESSO_MASK_TILE : GESSO_PICTURE_TILE;
  self->entries = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, entry_free);
  gesso_tile_cache_set_color (self, &(GdkRGBA){ 1, 0.2f, 0.45f, 1 });
  return self;
}

void
gesso_tile_cache_free (GessoTileCache *self)
{
  g_hash_table_unref (self->entries);
  g_free (self);
}

static guint32
premultiplied (const GdkRGBA *color, int alpha)
{
  guint8 p[4] = { (guint8) (color->blue * alpha + 0.5f), (guint8) (color->green * alpha + 0.5f),
                  (guint8) (color->red * alpha + 0.5f), (guint8) alpha };
  guint32 value;
  memcpy (&value, p, sizeof value);
  return value;
}

void
gesso_tile_cache_set_color (GessoTileCache *self, const GdkRGBA *color)
{
  self->ground = premultiplied (color, GROUND_ALPHA);
  self->stripe = premultiplied (color, HATCH_ALPHA);
  gesso_tile_cache_invalidate (self, NULL);
}

static gint64
key_of (int level, int tx, int ty)
{
  return (gint64) level << 2 * (KEY_BITS + 1) | (gint64) (tx + GESSO_PLANE_MAX_TILE) << KEY_BITS |
         (gint64) (ty + GESSO_PLANE_MAX_TILE);
}

static GessoRect
entry_rect (const GessoTileCache *self, const Entry *entry)
{
  int side = self->side << entry->level;
  return (GessoRect){ entry->tx * side, entry->ty * side, side, side };
}

void
gesso_tile_cache_invalidate (GessoTileCache *self, const GessoRect *rect)
{
  GHashTableIter iter;
  gpointer value;
  if (!rect)
    {
      g_hash_table_remove_all (self->entries);
      return;
    }
  g_hash_table_iter_init (&iter, self->entries);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Entry *entry = value;
      GessoRect area = entry_rect (self, entry), part = gesso_rect_intersect (&area, rect);
      if (gesso_rect_is_empty (&part))
        continue;
      g_clear_object (&entry->texture);
      entry->empty = FALSE;
      entry->dirty = gesso_rect_union (&entry->dirty, &part);
    }
}

static GdkTexture *
texture_of (GBytes *bytes, int side)
{
  GdkTexture *texture = gdk_memory_texture_new (side, side, GDK_MEMORY_B8G8R8A8_PREMULTIPLIED,
                                                bytes, (gsize) side * 4);
  g_bytes_unref (bytes);
  return texture;
}

static void
unref_tile (gpointer tile)
{
  gesso_tile_unref (tile);
}

/* The smaller levels of up to 4^level tiles side by side. */
static GdkTexture *
join_picture (const GessoTileCache *self, const Entry *entry, const GessoPlane *plane)
{
  int n = 1 << entry->level, part = self->side >> entry->level;
  gsize stride = (gsize) self->side * GESSO_PICTURE_BPP, row = (gsize) part * GESSO_PICTURE_BPP;
  guint8 *pixels = NULL;
  for (int j = 0; j < n; j++)
    for (int i = 0; i < n; i++)
      {
        GessoTile *tile = gesso_plane_peek (plane, entry->tx * n + i, entry->ty * n + j);
        const guint8 *in = tile ? gesso_tile_peek_level (tile, entry->level) : NULL;
        if (!in)
          continue;
        if (!pixels)
          pixels = g_malloc0 (stride * (gsize) self->side);
        for (int y = 0; y < part; y++, in += row)
          memcpy (pixels + (gsize) (j * part + y) * stride + (gsize) i * row, in, row);
      }
  if (!pixels)
    return NULL;
  return texture_of (g_bytes_new_take (pixels, stride * (gsize) self->side), self->side);
}

static GdkTexture *
make_picture (const GessoTileCache *self, const Entry *entry, const GessoPlane *plane)
{
  if (entry->level > 0)
    return join_picture (self, entry, plane);
  GessoTile *tile = gesso_plane_peek (plane, entry->tx, entry->ty);
  if (!tile)
    return NULL;
  /* The texture holds the tile; painting on it would copy it first. */
  GBytes *bytes = g_bytes_new_with_free_func (
      gesso_tile_peek (tile), gesso_tile_get_size_bytes (tile), unref_tile, gesso_tile_ref (tile));
  return texture_of (bytes, self->side);
}

/* One mask tile into its place in the entry's plane: of each block the strongest value, because a
 * thin line must not vanish when one zooms out. */
static void
shrink_mask (const GessoTileCache *self, Entry *entry, const GessoTile *tile, int i, int j)
{
  int part = self->side >> entry->level, block = 1 << entry->level;
  const guint8 *in = tile ? gesso_tile_peek (tile) : NULL;
  for (int y = 0; y < part; y++)
    {
      guint8 *out = entry->mask + (gsize) (j * part + y) * self->side + i * part;
      memset (out, 0, (gsize) part);
      for (int k = 0; in && k < block; k++, in += self->side)
        for (int x = 0; x < self->side; x++)
          if (in[x] > out[x >> entry->level])
            out[x >> entry->level] = in[x];
    }
}

static void
update_mask (const GessoTileCache *self, Entry *entry, const GessoPlane *plane)
{
  int n = 1 << entry->level;
  GessoRect area = entry_rect (self, entry);
  if (!entry->mask)
    {
      entry->mask = g_malloc0 ((gsize) self->side * self->side);
      entry->dirty = area;
    }
  GessoRect dirty = gesso_rect_intersect (&entry->dirty, &area);
  GessoRect tiles = gesso_plane_tiles_of (plane, &dirty);
  for (int ty = tiles.y; ty < tiles.y + tiles.height; ty++)
    for (int tx = tiles.x; tx < tiles.x + tiles.width; tx++)
      shrink_mask (self, entry, gesso_plane_peek (plane, tx, ty), tx - entry->tx * n,
                   ty - entry->ty * n);
}

static inline guint32
scale_pixel (guint32 pixel, guint8 value)
{
  /* Two channels at a time; value / 255 with rounding. */
  guint32 a = (pixel & 0xff00ff) * value + 0x800080, b = (pixel >> 8 & 0xff00ff) * value + 0x800080;
  a = (a + (a >> 8 & 0xff00ff)) >> 8 & 0xff00ff;
  b = (b + (b >> 8 & 0xff00ff)) & 0xff00ff00;
  return a | b;
}

/* Colour and hatching: a mask is to be seen without seeing colours, too. */
static GdkTexture *
color_mask (const GessoTileCache *self, const Entry *entry)
{
  gsize n = (gsize) self->side * self->side;
  if (entry->mask[0] == 0 && memcmp (entry->mask, entry->mask + 1, n - 1) == 0)
    return NULL;
  guint32 *out = g_new (guint32, n);
  const guint8 *in = entry->mask;
  for (int y = 0, i = 0; y < self->side; y++)
    {
      /* Stripes go on across entries: their side is no multiple of the period. */
      int phase = (entry->tx + entry->ty) * self->side + y;
      phase = phase - gesso_floor_div (phase, HATCH_PERIOD) * HATCH_PERIOD;
      for (int x = 0; x < self->side; x++, i++)
        {
          out[i] = in[i]
                       ? scale_pixel (phase < HATCH_PERIOD / 3 ? self->stripe : self->ground, in[i])
                       : 0;
          phase = phase + 1 == HATCH_PERIOD ? 0 : phase + 1;
        }
    }
  return texture_of (g_bytes_new_take (out, n * 4), self->side);
}

static void
make_entry (GessoTileCache *self, Entry *entry, const GessoPlane *plane)
{
  if (self->layer == GESSO_LAYER_MASK)
    {
      update_mask (self, entry, plane);
      entry->texture = color_mask (self, entry);
    }
  else
    entry->texture = make_picture (self, entry, plane);
  entry->dirty = (GessoRect){ 0 };
  entry->empty = entry->texture == NULL;
  self->n_made += !entry->empty;
}

static Entry *
get_entry (GessoTileCache *self, int level, int tx, int ty)
{
  gint64 key = key_of (level, tx, ty);
  Entry *entry = g_hash_table_lookup (self->entries, &key);
  if (!entry)
    {
      entry = g_new0 (Entry, 1);
      entry->level = level;
      entry->tx = tx;
      entry->ty = ty;
      g_hash_table_insert (self->entries, g_memdup2 (&key, sizeof key), entry);
    }
  entry->last_frame = self->frame;
  return entry;
}

static void
draw_entry (const GessoTileCache *self,
            const Entry *entry,
            GtkSnapshot *snapshot,
            const GessoViewport *v)
{
  GessoRect r = entry_rect (self, entry);
  int x0 = gesso_viewport_edge_x (v, r.x), x1 = gesso_viewport_edge_x (v, (double) r.x + r.width);
  int y0 = gesso_viewport_edge_y (v, r.y), y1 = gesso_viewport_edge_y (v, (double) r.y + r.height);
  gesso_compat_append_texture (
      snapshot, entry->texture, &GRAPHENE_RECT_INIT (x0, y0, x1 - x0, y1 - y0),
      &GRAPHENE_RECT_INIT (0, 0, v->width, v->height), v->zoom, self->software);
}

/* A coarser entry that is ready and covers this one, clipped to it. */
static void
draw_coarser (GessoTileCache *self,
              const Entry *wanted,
              GtkSnapshot *snapshot,
              const GessoViewport *v)
{
  for (int level = wanted->level + 1; level < GESSO_TILE_N_LEVELS; level++)
    {
      int ratio = 1 << (level - wanted->level);
      gint64 key =
          key_of (level, gesso_floor_div (wanted->tx, ratio), gesso_floor_div (wanted->ty, ratio));
      const Entry *entry = g_hash_table_lookup (self->entries, &key);
      if (!entry || !entry->texture)
        continue;
      GessoRect r = entry_rect (self, wanted);
      int x0 = gesso_viewport_edge_x (v, r.x), y0 = gesso_viewport_edge_y (v, r.y);
      int x1 = gesso_viewport_edge_x (v, (double) r.x + r.width);
      int y1 = gesso_viewport_edge_y (v, (double) r.y + r.height);
      gtk_snapshot_push_clip (snapshot, &GRAPHENE_RECT_INIT (x0, y0, x1 - x0, y1 - y0));
      draw_entry (self, entry, snapshot, v);
      gtk_snapshot_pop (snapshot);
      return;
    }
}

static gboolean
is_old_cb (gpointer key, gpointer value, gpointer frame)
{
  return ((Entry *) value)->last_frame + 1 < *(guint64 *) frame;
}

gboolean
gesso_tile_cache_draw (GessoTileCache *self,
                       const GessoPlane *plane,
                       GtkSnapshot *snapshot,
                       const GessoViewport *viewport,
                       const GessoRect *clip,
                       gboolean software,
                       gint64 budget_us)
{
  int level = gesso_viewport_get_level (viewport, GESSO_TILE_N_LEVELS), side = self->side << level;
  gint64 end = g_get_monotonic_time () + budget_us;
  gboolean complete = TRUE;
  GessoRect area = gesso_viewport_get_visible (viewport);
  area = gesso_rect_intersect (&area, clip);
  self->frame++;
  self->software = software;
  if (gesso_rect_is_empty (&area) || gesso_plane_get_n_tiles (plane) == 0)
    return TRUE;
  int tx1 = gesso_floor_div (area.x + area.width - 1, side);
  int ty1 = gesso_floor_div (area.y + area.height - 1, side);
  for (int ty = gesso_floor_div (area.y, side); ty <= ty1; ty++)
    for (int tx = gesso_floor_div (area.x, side); tx <= tx1; tx++)
      {
        Entry *entry = get_entry (self, level, tx, ty);
        gboolean ready = entry->texture || entry->empty;
        if (!ready && g_get_monotonic_time () < end)
          make_entry (self, entry, plane);
        if (entry->texture)
          draw_entry (self, entry, snapshot, viewport);
        else if (!entry->empty)
          {
            draw_coarser (self, entry, snapshot, viewport);
            complete = FALSE;
          }
      }
  if (g_hash_table_size (self->entries) > MAX_UNUSED)
    g_hash_table_foreach_remove (self->entries, is_old_cb, &self->frame);
  return complete;
}

guint
gesso_tile_cache_get_n_made (const GessoTileCache *self)
{
  return self->n_made;
}
