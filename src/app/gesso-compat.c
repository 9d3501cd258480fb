/* SPDX-License-Identifier: MPL-2.0
 * gesso-compat.c - what newer GTK and libadwaita do better, each with its form on the floor
 * version.
 */
#undef GDK_VERSION_MAX_ALLOWED
#include "app/gesso-compat.h"

#include <glib/gi18n.h>
#include <gsk/gskcairorenderer.h>

#define NEAREST_FROM 2.0 /* zoom */

typedef struct
{
  GessoChosen callback;
  gpointer user_data;
  GessoChooseMode mode;
} Choice;

#if GTK_CHECK_VERSION(4, 10, 0)
static void
chosen_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Choice *choice = user_data;
  GtkFileDialog *dialog = GTK_FILE_DIALOG (source);
  g_autoptr (GFile) file = NULL;
  switch (choice->mode)
    {
    case GESSO_CHOOSE_FILE:
      file = gtk_file_dialog_open_finish (dialog, result, NULL);
      break;
    case GESSO_CHOOSE_FOLDER:
      file = gtk_file_dialog_select_folder_finish (dialog, result, NULL);
      break;
    case GESSO_CHOOSE_SAVE:
      file = gtk_file_dialog_save_finish (dialog, result, NULL);
      break;
    }
  choice->callback (file, choice->user_data);
}

static void
choose (
    Choice *choice, GtkWindow *parent, const char *title, GtkFileFilter *filter, const char *name)
{
  g_autoptr (GtkFileDialog) dialog = gtk_file_dialog_new ();
  gtk_file_dialog_set_title (dialog, title);
  gtk_file_dialog_set_default_filter (dialog, filter);
  if (name)
    gtk_file_dialog_set_initial_name (dialog, name);
  if (choice->mode == GESSO_CHOOSE_FILE)
    gtk_file_dialog_open (dialog, parent, NULL, chosen_cb, choice);
  else if (choice->mode == GESSO_CHOOSE_FOLDER)
    gtk_file_dialog_select_folder (dialog, parent, NULL, chosen_cb, choice);
  else
    gtk_file_dialog_save (dialog, parent, NULL, chosen_cb, choice);
}
#else
static void
response_cb (GtkNativeDialog *dialog, int response, gpointer user_data)
{
  g_autofree Choice *choice = user_data;
  g_autoptr (GFile) file = response == GTK_RESPONSE_ACCEPT
                               ? gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog))
                               : NULL;
  choice->callback (file, choice->user_data);
  g_object_unref (dialog);
}

static void
choose (
    Choice *choice, GtkWindow *parent, const char *title, GtkFileFilter *filter, const char *name)
{
  static const GtkFileChooserAction actions[] = { GTK_FILE_CHOOSER_ACTION_OPEN,
                                                  GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER,
                                                  GTK_FILE_CHOOSER_ACTION_SAVE };
  GtkFileChooserNative *dialog =
      gtk_file_chooser_native_new (title, parent, actions[choice->mode], NULL, NULL);
  if (filter)
    gtk_file_chooser_add_filter (GTK_FILE_CHOOSER (dialog), filter);
  if (name)
    gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (dialog), name);
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (dialog), TRUE);
  g_signal_connect (dialog, "response", G_CALLBACK (response_cb), choice);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}
#endif

void
gesso_compat_choose (GtkWindow *parent,
                     GessoChooseMode mode,
                     const char *title,
                     GtkFileFilter *filter,
                     const char *name,
                     GessoChosen callback,
                     gpointer user_data)
{
  g_return_if_fail (callback != NULL);
  Choice *choice = g_new (Choice, 1);
  *choice = (Choice){ callback, user_data, mode };
  choose (choice, parent, title, filter, name);
}

void
gesso_compat_announce (GtkWidget *widget, const char *text)
{
#if GTK_CHECK_VERSION(4, 14, 0)
  gtk_accessible_announce (GTK_ACCESSIBLE (widget), text,
                           GTK_ACCESSIBLE_ANNOUNCEMENT_PRIORITY_MEDIUM);
#else
  (void) widget, (void) text;
#endif
}

void
gesso_compat_get_color (GtkWidget *widget, GdkRGBA *color)
{
#if GTK_CHECK_VERSION(4, 10, 0)
  gtk_widget_get_color (widget, color);
#else
  gtk_style_context_get_color (gtk_widget_get_style_context (widget), color);
#endif
}

/* Until 4.12 the list's own action moves the place of the keyboard, too; since then it only
 * scrolls, and the first arrow key went on from the first item. */
void
gesso_compat_list_scroll_to (GtkWidget *list, guint position)
{
#if GTK_CHECK_VERSION(4, 12, 0)
  gtk_list_view_scroll_to (GTK_LIST_VIEW (list), position, GTK_LIST_SCROLL_FOCUS, NULL);
#else
  gtk_widget_activate_action (list, "list.scroll-to-item", "u", position);
#endif
}

gboolean
gesso_compat_is_software (GtkWidget *widget)
{
  GtkNative *native = gtk_widget_get_native (widget);
  return native && GSK_IS_CAIRO_RENDERER (gtk_native_get_renderer (native));
}

#if GTK_CHECK_VERSION(4, 10, 0)
void
gesso_compat_append_texture (GtkSnapshot *snapshot,
                             GdkTexture *texture,
                             const graphene_rect_t *bounds,
                             const graphene_rect_t *visible,
                             double zoom,
                             gboolean software)
{
  GskScalingFilter filter =
      zoom >= NEAREST_FROM ? GSK_SCALING_FILTER_NEAREST : GSK_SCALING_FILTER_LINEAR;
  gtk_snapshot_append_scaled_texture (snapshot, texture, filter, bounds);
}
#else
static void
free_surface (gpointer surface)
{
  cairo_surface_destroy (surface);
}

/* The texture's pixels for cairo, kept with it. */
static cairo_surface_t *
surface_of (GdkTexture *texture)
{
  cairo_surface_t *surface = g_object_get_data (G_OBJECT (texture), "gesso-surface");
  if (surface)
    return surface;
  surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, gdk_texture_get_width (texture),
                                        gdk_texture_get_height (texture));
  /* Out of memory: a surface in error, which draws nothing. */
  if (cairo_surface_status (surface) == CAIRO_STATUS_SUCCESS)
    gdk_texture_download (texture, cairo_image_surface_get_data (surface),
                          (gsize) cairo_image_surface_get_stride (surface));
  cairo_surface_mark_dirty (surface);
  g_object_set_data_full (G_OBJECT (texture), "gesso-surface", surface, free_surface);
  return surface;
}

/* The visible part by cairo, with a filter that can be chosen: GSK 4.8 always smooths, copies the
 * whole texture for each frame when it draws by cairo itself, and then shrinks at a third of the
 * speed. */
static void
append_by_cairo (GtkSnapshot *snapshot,
                 GdkTexture *texture,
                 const graphene_rect_t *bounds,
                 const graphene_rect_t *visible,
                 cairo_filter_t filter)
{
  graphene_rect_t part;
  if (!graphene_rect_intersection (bounds, visible, &part))
    return;
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, &part);
  cairo_rectangle (cr, part.origin.x, part.origin.y, part.size.width, part.size.height);
  cairo_clip (cr);
  cairo_translate (cr, bounds->origin.x, bounds->origin.y);
  cairo_scale (cr, (double) bounds->size.width / gdk_texture_get_width (texture),
               (double) bounds->size.height / gdk_texture_get_height (texture));
  cairo_set_source_surface (cr, surface_of (texture), 0, 0);
  cairo_pattern_set_filter (cairo_get_source (cr), filter);
  cairo_pattern_set_extend (cairo_get_source (cr), CAIRO_EXTEND_PAD);
  cairo_paint (cr);
  cairo_destroy (cr);
}

void
gesso_compat_append_texture (GtkSnapshot *snapshot,
                             GdkTexture *texture,
                             const graphene_rect_t *bounds,
                             const graphene_rect_t *visible,
                             double zoom,
                             gboolean software)
{
  if (zoom >= NEAREST_FROM)
    append_by_cairo (snapshot, texture, bounds, visible, CAIRO_FILTER_NEAREST);
  else if (software)
    append_by_cairo (snapshot, texture, bounds, visible, CAIRO_FILTER_BILINEAR);
  else
    gtk_snapshot_append_texture (snapshot, texture, bounds);
}
#endif

/* AdwAboutWindow and AdwAboutDialog have the same properties. */
static GObject *
new_about (const char *version, const char *comments, const char *debug_info)
{
#if ADW_CHECK_VERSION(1, 5, 0)
  GType type = ADW_TYPE_ABOUT_DIALOG;
#else
  GType type = ADW_TYPE_ABOUT_WINDOW;
#endif
  return g_object_new (type, "application-name", "Gesso", "application-icon",
                       "io.github.gesso_studio.Gesso", "developer-name", _ ("The Gesso founders"),
                       "version", version, "comments", comments, "license-type",
                       GTK_LICENSE_MPL_2_0, "website", "https://github.com/gesso-studio/gesso",
                       "debug-info", debug_info, NULL);
}

void
gesso_compat_show_about (GtkWindow *parent,
                         const char *version,
                         const char *comments,
                         const char *debug_info)
{
  GObject *about = new_about (version, comments, debug_info);
#if ADW_CHECK_VERSION(1, 5, 0)
  adw_dialog_present (ADW_DIALOG (about), GTK_WIDGET (parent));
#else
  gtk_window_set_transient_for (GTK_WINDOW (about), parent);
  gtk_window_set_modal (GTK_WINDOW (about), TRUE);
  gtk_window_present (GTK_WINDOW (about));
#endif
}
