/* SPDX-License-Identifier: MPL-2.0
 * gesso-spill.c - tiles that history keeps in a temporary file when memory is bounded.
 *
 * The file only grows at its end; space that is not needed any more is punched out, so that it
 * takes as many blocks as it holds tiles.  Mask tiles are deflated (they are mostly flat, 0.2 ms);
 * picture tiles go as they are, because deflating one takes longer than a frame.
 */
#define _GNU_SOURCE /* fallocate */
#include "app/canvas/gesso-spill.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <unistd.h>

struct _GessoSpill
{
  int fd;
  goffset end;
};

GessoSpill *
gesso_spill_new (void)
{
  GessoSpill *self = g_new0 (GessoSpill, 1);
  self->fd = -1;
  return self;
}

void
gesso_spill_free (GessoSpill *self)
{
  if (self->fd >= 0)
    close (self->fd);
  g_free (self);
}

static gboolean
open_file (GessoSpill *self)
{
  if (self->fd >= 0)
    return TRUE;
  g_autofree char *folder = g_build_filename (g_get_user_cache_dir (), "gesso", NULL);
  g_autofree char *path = g_build_filename (folder, "undo-XXXXXX", NULL);
  if (g_mkdir_with_parents (folder, 0700) == 0)
    self->fd = g_mkstemp_full (path, O_RDWR | O_CLOEXEC, 0600);
  if (self->fd >= 0)
    g_unlink (path);
  return self->fd >= 0;
}

static gboolean
write_all (int fd, const guint8 *data, gsize n_bytes, goffset offset)
{
  while (n_bytes > 0)
    {
      ssize_t n = pwrite (fd, data, n_bytes, offset);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return FALSE;
      data += n;
      offset += n;
      n_bytes -= (gsize) n;
    }
  return TRUE;
}

static gboolean
read_all (int fd, guint8 *data, gsize n_bytes, goffset offset)
{
  while (n_bytes > 0)
    {
      ssize_t n = pread (fd, data, n_bytes, offset);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return FALSE;
      data += n;
      offset += n;
      n_bytes -= (gsize) n;
    }
  return TRUE;
}

gboolean
gesso_spill_write (GessoSpill *self, GessoTile *tile, GessoSpillExtent *extent)
{
  gboolean is_mask = gesso_tile_get_side (tile) == GESSO_MASK_TILE;
  g_autoptr (GBytes) packed = is_mask ? gesso_tile_dup_packed (tile) : NULL;
  gsize n_bytes = gesso_tile_get_size_bytes (tile);
  const guint8 *data = packed ? g_bytes_get_data (packed, &n_bytes) : gesso_tile_peek (tile);
  if (!open_file (self) || !write_all (self->fd, data, n_bytes, self->end))
    return FALSE;
  *extent = (GessoSpillExtent){ self->end, n_bytes };
  self->end += (goffset) n_bytes;
  return TRUE;
}

GessoTile *
gesso_spill_read (
    GessoSpill *self, const GessoSpillExtent *extent, int side, int bpp, GError **error)
{
  g_autofree guint8 *packed = NULL;
  g_autoptr (GessoTile) tile = NULL;
  if (side == GESSO_MASK_TILE)
    {
      packed = g_malloc (extent->n_bytes);
      if (read_all (self->fd, packed, extent->n_bytes, extent->offset))
        tile = gesso_tile_new_unpacked (side, bpp, packed, extent->n_bytes);
    }
  else
    {
      tile = gesso_tile_new (side, bpp);
      if (tile &&
          !read_all (self->fd, gesso_tile_begin_write (tile), extent->n_bytes, extent->offset))
        g_clear_pointer (&tile, gesso_tile_unref);
    }
  if (!tile)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                         _ ("This step cannot be undone: its pixels could not be read back from "
                            "the temporary file."));
  return g_steal_pointer (&tile);
}

void
gesso_spill_forget (GessoSpill *self, GessoSpillExtent *extent)
{
  if (extent->n_bytes == 0)
    return;
  /* A file system that cannot do it keeps the space until the program ends. */
  if (fallocate (self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, extent->offset,
                 (off_t) extent->n_bytes) != 0)
    g_debug ("Space of the undo file is not given back: %s", g_strerror (errno));
  *extent = (GessoSpillExtent){ 0 };
}
