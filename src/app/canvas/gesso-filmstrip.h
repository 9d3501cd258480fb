/* SPDX-License-Identifier: MPL-2.0
 * gesso-filmstrip.h - the latest results in a row: newest first, the running one in front.
 */
#pragma once

#include "app/canvas/gesso-result.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define GESSO_TYPE_FILMSTRIP (gesso_filmstrip_get_type ())
G_DECLARE_FINAL_TYPE (GessoFilmstrip, gesso_filmstrip, GESSO, FILMSTRIP, GtkWidget)

/* Property "selected" (GessoResult, nullable, notify): the user's choice; nothing is selected at
 * first, and a new result does not change it unless the newest (or the live one) was selected.
 *
 * Signals, all with the GessoResult they are about:
 *   "keep"      Enter, double click, the button: put it into the picture
 *   "star"      S, the button: the handler sets GessoResult:starred
 *   "discard"   Delete, the button: the handler removes it (and can undo that)
 *   "shown"     a tile for it was made: the handler sets GessoResult:paintable
 *   "hidden"    and is gone: the handler may take the paintable away
 *
 * Actions inside the widget: filmstrip.keep, filmstrip.star, filmstrip.discard,
 * filmstrip.show-in-files, filmstrip.copy; of clips filmstrip.extend, which activates win.extend
 * with the file's path; about the selected result. */

GtkWidget *gesso_filmstrip_new (void);
/* The results in order, GessoResult; the strip's own, to read and watch. */
GListModel *gesso_filmstrip_get_model (GessoFilmstrip *self);

/* Behind the live tile, in front of the others. */
void gesso_filmstrip_add (GessoFilmstrip *self, GessoResult *result);
/* At @position among the finished ones, for the undo of a removal. */
void gesso_filmstrip_insert (GessoFilmstrip *self, guint position, GessoResult *result);
/* Returns: its position among the finished ones, -1 when it is not there */
int gesso_filmstrip_remove (GessoFilmstrip *self, GessoResult *result);
void gesso_filmstrip_clear (GessoFilmstrip *self);

/* gesso_filmstrip_set_live:
 * @preview: (nullable)
 * @fraction: 0..1
 * @label: for screen readers and the tooltip: "Step 14 of 28"
 *
 * The tile of the running job; made when it is not there.
 */
void gesso_filmstrip_set_live (GessoFilmstrip *self,
                               GdkPaintable *preview,
                               double fraction,
                               const char *label);
void gesso_filmstrip_clear_live (GessoFilmstrip *self);

/* Returns: (nullable) (transfer none): the result whose file is @path */
GessoResult *gesso_filmstrip_find (GessoFilmstrip *self, const char *path);
GessoResult *gesso_filmstrip_get_selected (GessoFilmstrip *self);
/* @result: NULL for none */
void gesso_filmstrip_set_selected (GessoFilmstrip *self, GessoResult *result);
/* -1: newer, 1: older */
void gesso_filmstrip_step (GessoFilmstrip *self, int direction);
/* Entries of the window ("Use Recipe", "Send to ...") for the context menu. */
void gesso_filmstrip_set_extra_menu (GessoFilmstrip *self, GMenuModel *menu);

G_END_DECLS
