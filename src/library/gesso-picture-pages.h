/* SPDX-License-Identifier: MPL-2.0
 * gesso-picture-pages.h - objects for those pictures of a list that are looked at.
 *
 * Rows are read a page at a time, the page looked at last first; the latest objects are kept, so
 * that scrolling back is free.
 */
#pragma once

#include "library/gesso-library.h"

G_BEGIN_DECLS

typedef struct _GessoPicturePages GessoPicturePages;

/* @ids: (element-type guint64): numbers by position; shared, and changed by its owner as it likes
 */
GessoPicturePages *gesso_picture_pages_new (GessoLibrary *library, GArray *ids);
void gesso_picture_pages_unref (GessoPicturePages *self);
/* Reads no more. */
void gesso_picture_pages_close (GessoPicturePages *self);

/* Returns: (transfer full): maybe with its number only; then its page is read, and it notifies */
GessoPicture *gesso_picture_pages_ref_picture (GessoPicturePages *self, guint position);
/* @rows: (element-type GessoPictureRow): read by somebody else; what is in them is taken */
void gesso_picture_pages_fill (GessoPicturePages *self, GPtrArray *rows);

G_END_DECLS
