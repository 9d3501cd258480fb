/* SPDX-License-Identifier: MPL-2.0
 * gesso-document-format.c - a document as bytes.
 *
 *   "GESSODOC"  u32 version
 *   i32 bounds[4]  i32 frame[4]                       x, y, width, height
 *   u32 n_layers, for each:
 *     u32 kind (GessoLayer)  u32 tile side  u32 bytes a pixel  u32 n_tiles, for each:
 *       i32 tx  i32 ty  u32 n_bytes  zlib stream of the tile's pixels
 *   u32 CRC-32 of everything before
 *
 * All numbers are little-endian.  Readers check every number against what a document may be, so
 * that a damaged or made-up file cannot take more memory than GESSO_PICTURE_MAX_TILES allows.
 */
#include "app/canvas/gesso-state.h"

#include <glib/gi18n.h>
#include <string.h>
#include <zlib.h>

#define MAGIC "GESSODOC"

enum
{
  VERSION = 1,
  MAGIC_BYTES = 8
};

static void
put_u32 (GByteArray *out, guint32 value)
{
  value = GUINT32_TO_LE (value);
  g_byte_array_append (out, (const guint8 *) &value, sizeof value);
}

static void
put_rect (GByteArray *out, const GessoRect *rect)
{
  const int fields[] = { rect->x, rect->y, rect->width, rect->height };
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    put_u32 (out, (guint32) fields[i]);
}

static int
layer_bpp (GessoLayer layer)
{
  return layer == GESSO_LAYER_MASK ? GESSO_MASK_BPP : GESSO_PICTURE_BPP;
}

typedef struct
{
  int tx, ty;
  GessoTile *tile; /* borrowed */
} PlacedTile;

static int
compare_placed (gconstpointer a, gconstpointer b)
{
  const PlacedTile *p = a, *q = b;
  return p->ty != q->ty ? p->ty - q->ty : p->tx - q->tx;
}

/* Row by row, so that equal documents are equal bytes. */
static GArray *
list_tiles (const GessoPlane *plane)
{
  GArray *list = g_array_new (FALSE, FALSE, sizeof (PlacedTile));
  GessoPlaneIter iter;
  PlacedTile item;
  gesso_plane_iter_init (&iter, plane);
  while (gesso_plane_iter_next (&iter, &item.tx, &item.ty, &item.tile))
    g_array_append_val (list, item);
  g_array_sort (list, compare_placed);
  return list;
}

static void
put_layer (GByteArray *out, const GessoState *state, GessoLayer layer)
{
  g_autoptr (GArray) list = list_tiles (state->layers[layer]);
  put_u32 (out, layer);
  put_u32 (out, (guint32) gesso_plane_get_tile_side (state->layers[layer]));
  put_u32 (out, (guint32) layer_bpp (layer));
  put_u32 (out, list->len);
  for (guint i = 0; i < list->len; i++)
    {
      const PlacedTile *item = &g_array_index (list, PlacedTile, i);
      g_autoptr (GBytes) packed = gesso_tile_dup_packed (item->tile);
      put_u32 (out, (guint32) item->tx);
      put_u32 (out, (guint32) item->ty);
      put_u32 (out, (guint32) g_bytes_get_size (packed));
      g_byte_array_append (out, g_bytes_get_data (packed, NULL), (guint) g_bytes_get_size (packed));
    }
}

GBytes *
gesso_state_serialise (const GessoState *self)
{
  GByteArray *out = g_byte_array_new ();
  g_byte_array_append (out, (const guint8 *) MAGIC, MAGIC_BYTES);
  put_u32 (out, VERSION);
  put_rect (out, &self->bounds);
  put_rect (out, &self->frame);
  put_u32 (out, GESSO_N_LAYERS);
  for (int i = 0; i < GESSO_N_LAYERS; i++)
    put_layer (out, self, (GessoLayer) i);
  put_u32 (out, (guint32) crc32_z (0, out->data, out->len));
  return g_byte_array_free_to_bytes (out);
}

typedef struct
{
  const guint8 *at;
  gsize n_left;
  gboolean failed;
} Reader;

static guint32
get_u32 (Reader *r)
{
  guint32 value = 0;
  if (r->n_left < sizeof value)
    {
      r->failed = TRUE;
      return 0;
    }
  memcpy (&value, r->at, sizeof value);
  r->at += sizeof value;
  r->n_left -= sizeof value;
  return GUINT32_FROM_LE (value);
}

static int
get_i32 (Reader *r)
{
  return (int) get_u32 (r);
}

static GessoRect
get_rect (Reader *r)
{
  GessoRect rect;
  rect.x = get_i32 (r);
  rect.y = get_i32 (r);
  rect.width = get_i32 (r);
  rect.height = get_i32 (r);
  return rect;
}

static gboolean
rect_is_sane (const GessoRect *rect)
{
  const int most = GESSO_DOCUMENT_MAX_COORDINATE;
  return rect->width >= 0 && rect->height >= 0 && rect->width <= most && rect->height <= most &&
         rect->x >= -most && rect->y >= -most && rect->x <= most - rect->width &&
         rect->y <= most - rect->height && gesso_bounds_are_allowed (rect);
}

static gboolean
get_tile (Reader *r, GessoPlane *plane, GessoLayer layer)
{
  int tx = get_i32 (r), ty = get_i32 (r);
  guint32 n_bytes = get_u32 (r);
  const int most = GESSO_PLANE_MAX_TILE;
  if (r->failed || n_bytes > r->n_left || tx < -most || tx >= most || ty < -most || ty >= most)
    return FALSE;
  g_autoptr (GessoTile) tile = gesso_tile_new_unpacked (gesso_plane_get_tile_side (plane),
                                                        layer_bpp (layer), r->at, n_bytes);
  r->at += n_bytes;
  r->n_left -= n_bytes;
  if (tile)
    gesso_plane_set (plane, tx, ty, tile);
  return tile != NULL;
}

static gboolean
get_layer (Reader *r, GessoState *state)
{
  guint32 kind = get_u32 (r), side = get_u32 (r), bpp = get_u32 (r), n_tiles = get_u32 (r);
  if (r->failed || kind >= GESSO_N_LAYERS)
    return FALSE;
  GessoPlane *plane = state->layers[kind];
  guint32 most = kind == GESSO_LAYER_MASK ? GESSO_MASK_MAX_TILES : GESSO_PICTURE_MAX_TILES;
  if ((int) side != gesso_plane_get_tile_side (plane) ||
      (int) bpp != layer_bpp ((GessoLayer) kind) || n_tiles > most)
    return FALSE;
  for (guint32 i = 0; i < n_tiles; i++)
    if (!get_tile (r, plane, (GessoLayer) kind))
      return FALSE;
  return TRUE;
}

static gboolean
get_state (Reader *r, GessoState *state)
{
  state->bounds = get_rect (r);
  GessoRect frame = get_rect (r);
  guint32 n_layers = get_u32 (r);
  if (r->failed || !rect_is_sane (&state->bounds) || !rect_is_sane (&frame) ||
      n_layers > GESSO_N_LAYERS)
    return FALSE;
  state->frame = gesso_frame_snap (&frame);
  for (guint32 i = 0; i < n_layers; i++)
    if (!get_layer (r, state))
      return FALSE;
  return r->n_left == 0;
}

static gboolean
check_ends (Reader *r, GError **error)
{
  const gsize trailer = sizeof (guint32);
  if (r->n_left < MAGIC_BYTES + 2 * trailer || memcmp (r->at, MAGIC, MAGIC_BYTES) != 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                           _ ("This is not a Gesso canvas."));
      return FALSE;
    }
  Reader end = { r->at + r->n_left - trailer, trailer, FALSE };
  gboolean whole = get_u32 (&end) == (guint32) crc32_z (0, r->at, r->n_left - trailer);
  r->n_left -= trailer + MAGIC_BYTES;
  r->at += MAGIC_BYTES;
  guint32 version = get_u32 (r);
  if (whole && version == VERSION)
    return TRUE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                       whole ? _ ("This canvas was made by a newer Gesso: update to open it.")
                             : _ ("The canvas is damaged or cut short and cannot be opened."));
  return FALSE;
}

GessoState *
gesso_state_new_from_bytes (GBytes *bytes, GError **error)
{
  Reader r = { 0 };
  r.at = g_bytes_get_data (bytes, &r.n_left);
  if (!check_ends (&r, error))
    return NULL;
  g_autoptr (GessoState) state = g_new0 (GessoState, 1);
  gesso_state_init (state);
  if (get_state (&r, state))
    return g_steal_pointer (&state);
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                       _ ("The canvas is damaged and cannot be opened."));
  return NULL;
}
