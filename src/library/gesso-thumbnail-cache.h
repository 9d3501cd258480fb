/* SPDX-License-Identifier: MPL-2.0
 * gesso-thumbnail-cache.h - small pictures on the disk and the latest ones in memory.  Any thread.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct
{
  int width, height; /* px */
  GBytes *rgb;       /* (height, width, 3) */
} GessoThumbnail;

void gesso_thumbnail_free (GessoThumbnail *thumbnail);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoThumbnail, gesso_thumbnail_free)

typedef struct _GessoThumbnailCache GessoThumbnailCache;

/* @dir: made when needed; @max_bytes: of all files in it, about */
GessoThumbnailCache *gesso_thumbnail_cache_new (const char *dir, gint64 max_bytes);
void gesso_thumbnail_cache_free (GessoThumbnailCache *cache);

/* gesso_thumbnail_cache_get:
 * @size: longest side in px
 *
 * From memory, from the disk, or made from @path; a picture that changed is made again.
 * Returns: NULL and @error: the picture is gone, damaged, or of another format
 */
GessoThumbnail *
gesso_thumbnail_cache_get (GessoThumbnailCache *cache, const char *path, int size, GError **error);
/* Deletes the longest unused files until the rest is below the bound. */
void gesso_thumbnail_cache_trim (GessoThumbnailCache *cache);

G_END_DECLS
