/* SPDX-License-Identifier: MPL-2.0
 * gesso-lazy-rows.h - rows of a GtkListView, made for what can be seen and a few a frame.
 *
 * GtkListView binds about 200 rows whether they are in view or not, all of them at once when a
 * list arrives.  Here a bound row is an empty box of the right height at first; in the next frames
 * the boxes in view are filled, for a few milliseconds each.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define GESSO_TYPE_LAZY_ROWS (gesso_lazy_rows_get_type ())
G_DECLARE_FINAL_TYPE (GessoLazyRows, gesso_lazy_rows, GESSO, LAZY_ROWS, GObject)

typedef struct
{
  GtkWidget *(*make) (gpointer user_data);
  void (*show) (GtkWidget *row, GtkListItem *item, gpointer user_data);
  void (*clear) (GtkWidget *row, gpointer user_data); /* the item is gone, the row stays */
} GessoLazyRowsFuncs;

/* gesso_lazy_rows_new:
 * @list: without a factory; set its model afterwards
 * @height: of an empty row, logical pixels
 *
 * Becomes @list's factory.  Unset @list's model before the last reference goes.
 */
GessoLazyRows *gesso_lazy_rows_new (GtkListView *list,
                                    int height,
                                    const GessoLazyRowsFuncs *funcs,
                                    gpointer user_data);
/* Calls show() again for every row that shows something. */
void gesso_lazy_rows_update (GessoLazyRows *self);
/* Returns: the row of @item, filled now if need be; NULL when @item is far out of view */
GtkWidget *gesso_lazy_rows_get_row (GessoLazyRows *self, gpointer item);
/* Rows that show something. */
guint gesso_lazy_rows_get_n_shown (GessoLazyRows *self);

G_END_DECLS
