/* SPDX-License-Identifier: MPL-2.0
 * gesso-compat.h - what newer GTK and libadwaita do better; the only place with version checks.
 */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

typedef enum
{
  GESSO_CHOOSE_FILE,
  GESSO_CHOOSE_FOLDER,
  GESSO_CHOOSE_SAVE
} GessoChooseMode;

/* @file: NULL when the user thought better of it */
typedef void (*GessoChosen) (GFile *file, gpointer user_data);

/* gesso_compat_choose:
 * @filter: NULL for every file
 * @name: proposed for GESSO_CHOOSE_SAVE, else NULL
 *
 * GtkFileDialog from 4.10, GtkFileChooserNative before.  @callback is called once.
 */
void gesso_compat_choose (GtkWindow *parent,
                          GessoChooseMode mode,
                          const char *title,
                          GtkFileFilter *filter,
                          const char *name,
                          GessoChosen callback,
                          gpointer user_data);
/* Says @text through the screen reader; nothing before GTK 4.14. */
void gesso_compat_announce (GtkWidget *widget, const char *text);
/* The colour of @widget's text. */
void gesso_compat_get_color (GtkWidget *widget, GdkRGBA *color);
/* Shows the item of a GtkListView at @position, from where the arrow keys then go on; the focus is
 * taken from nobody. */
void gesso_compat_list_scroll_to (GtkWidget *list, guint position);
/* The widget is drawn by cairo, without a GPU. */
gboolean gesso_compat_is_software (GtkWidget *widget);

/* gesso_compat_append_texture:
 * @bounds: where the whole texture goes
 * @visible: what of it can be seen
 * @zoom: device pixels a pixel of the document
 * @software: gesso_compat_is_software
 *
 * Squares from 2:1 upwards, smooth below.
 */
void gesso_compat_append_texture (GtkSnapshot *snapshot,
                                  GdkTexture *texture,
                                  const graphene_rect_t *bounds,
                                  const graphene_rect_t *visible,
                                  double zoom,
                                  gboolean software);
void gesso_compat_show_about (GtkWindow *parent,
                              const char *version,
                              const char *comments,
                              const char *debug_info);

G_END_DECLS
