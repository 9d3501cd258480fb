/* SPDX-License-Identifier: MPL-2.0
 * gesso-picture.h - how the library makes and fills a GessoPicture.
 */
#pragma once

#include "library/gesso-library.h"

G_BEGIN_DECLS

/* A row of the table of pictures. */
typedef struct
{
  gint64 id, created_s;
  int width, height; /* px */
  int duration_ms;   /* of a clip; 0 for what does not move */
  gboolean starred;
  char *path, *prompt, *negative, *model;
} GessoPictureRow;

void gesso_picture_row_free (GessoPictureRow *row);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoPictureRow, gesso_picture_row_free)

/* Known by its number only; its page has yet to be read. */
GessoPicture *gesso_picture_new (gint64 id);
/* Takes what is in @row, and notifies of what is different now. */
void gesso_picture_fill (GessoPicture *self, GessoPictureRow *row);
gboolean gesso_picture_is_filled (GessoPicture *self);
void gesso_picture_set_starred (GessoPicture *self, gboolean starred);

G_END_DECLS
