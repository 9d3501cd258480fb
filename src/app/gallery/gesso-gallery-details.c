/* SPDX-License-Identifier: MPL-2.0
 * gesso-gallery-details.c - the side pane: everything that is known of one picture.
 */
#include "app/gallery/gesso-gallery-details.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#include "app/gallery/gesso-gallery-recipe.h"
#include "app/gallery/gesso-gallery-style.h"
#include "app/gallery/gesso-gallery-text.h"
#include "app/gesso-name.h"

enum
{
  PANE_WIDTH = 320,   /* px */
  TEXT_DROP = 5,      /* px; a copy button is higher than the line beside it by twice that */
  READ_DELAY_MS = 80, /* arrow keys held down read no recipes */
  SHOWN_CHARS = 4000  /* of a text; it is copied whole */
};

struct _GessoGalleryDetails
{
  GtkWidget parent_instance;
  GessoLibrary *library;
  GessoPicture *picture;
  gulong picture_handler;
  GCancellable *cancellable;
  guint read_timeout;
  gboolean complete;
  GtkWidget *stack, *none, *name, *facts, *star, *recipe_box;
  GString *text; /* of everything in @recipe_box, for tests */
};

G_DEFINE_FINAL_TYPE (GessoGalleryDetails, gesso_gallery_details, GTK_TYPE_WIDGET)

/* ---- small parts ---- */

static void
copy_clicked_cb (GtkButton *button, gpointer user_data)
{
  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (button)), user_data);
}

static void
free_text (gpointer data, GClosure *closure)
{
  g_free (data);
}

static GtkWidget *
new_copy_button (const char *what, const char *text)
{
  g_autofree char *label = g_strdup_printf (_ ("Copy %s"), what);
  GtkWidget *button = gesso_gallery_icon_button ("edit-copy-symbolic", NULL, label);
  gtk_widget_add_css_class (button, "gallery-copy");
  gtk_widget_set_valign (button, GTK_ALIGN_START);
  g_signal_connect_data (button, "clicked", G_CALLBACK (copy_clicked_cb), g_strdup (text),
                         free_text, 0);
  return button;
}

static GtkWidget *
new_text (const char *text)
{
  g_autofree char *shown = gesso_gallery_shorten (text, SHOWN_CHARS);
  GtkWidget *label = gtk_label_new (shown);
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_wrap_mode (GTK_LABEL (label), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_selectable (GTK_LABEL (label), TRUE);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_yalign (GTK_LABEL (label), 0);
  gtk_widget_set_hexpand (label, TRUE);
  return label;
}

static GtkWidget *
new_caption (const char *text)
{
  GtkWidget *label = gtk_label_new (text);
  gtk_widget_add_css_class (label, "dim-label");
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_widget_set_valign (label, GTK_ALIGN_START);
  return label;
}

static void
add (GessoGalleryDetails *self, GtkWidget *child)
{
  gtk_box_append (GTK_BOX (self->recipe_box), child);
}

static void
add_prompt (GessoGalleryDetails *self, const char *title, const char *text)
{
  if (!*text)
    return;
  GtkWidget *head = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  GtkWidget *label = gtk_label_new (title);
  gtk_widget_add_css_class (label, "heading");
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_widget_set_hexpand (label, TRUE);
  gtk_box_append (GTK_BOX (head), label);
  gtk_box_append (GTK_BOX (head), new_copy_button (title, text));
  add (self, head);
  add (self, new_text (text));
  g_string_append_printf (self->text, "%s: %s\n", title, text);
}

static void
add_note (GessoGalleryDetails *self, const char *note)
{
  GtkWidget *row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 8);
  gtk_widget_add_css_class (row, "gallery-note");
  GtkWidget *icon = gtk_image_new_from_icon_name ("dialog-warning-symbolic");
  gtk_widget_set_valign (icon, GTK_ALIGN_START);
  gtk_box_append (GTK_BOX (row), icon);
  gtk_box_append (GTK_BOX (row), new_text (note));
  add (self, row);
  g_string_append_printf (self->text, "! %s\n", note);
}

static void
add_values (GessoGalleryDetails *self, GPtrArray *rows)
{
  GtkWidget *grid = gtk_grid_new ();
  gtk_grid_set_column_spacing (GTK_GRID (grid), 10);
  gtk_grid_set_row_spacing (GTK_GRID (grid), 4);
  for (guint i = 0; i < rows->len; i++)
    {
      GessoRecipeRow *row = rows->pdata[i];
      GtkWidget *caption = new_caption (row->label), *value = new_text (row->value);
      gtk_widget_set_margin_top (caption, TEXT_DROP);
      gtk_widget_set_margin_top (value, TEXT_DROP);
      gtk_grid_attach (GTK_GRID (grid), caption, 0, (int) i, 1, 1);
      gtk_grid_attach (GTK_GRID (grid), value, 1, (int) i, 1, 1);
      gtk_grid_attach (GTK_GRID (grid), new_copy_button (row->label, row->value), 2, (int) i, 1, 1);
      g_string_append_printf (self->text, "%s: %s\n", row->label, row->value);
    }
  add (self, grid);
}

static void
add_plain (GessoGalleryDetails *self, const char *text)
{
  GtkWidget *label = new_text (text);
  gtk_widget_add_css_class (label, "dim-label");
  add (self, label);
  g_string_append_printf (self->text, "%s\n", text);
}

static void
clear_recipe (GessoGalleryDetails *self)
{
  GtkWidget *child;
  while ((child = gtk_widget_get_first_child (self->recipe_box)))
    gtk_box_remove (GTK_BOX (self->recipe_box), child);
  g_string_truncate (self->text, 0);
  self->complete = FALSE;
}

/* ---- reading ---- */

static void
show_recipe (GessoGalleryDetails *self, const char *json, const char *source, char **notes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GessoRecipeText) recipe = gesso_recipe_text_new (json, self->library, &error);
  if (!recipe)
    {
      add_note (self, error->message);
      return;
    }
  if (source && *source)
    {
      g_autofree char *line = g_strdup_printf (_ ("Made with %s"), source);
      add_plain (self, line);
    }
  for (int i = 0; notes && notes[i]; i++)
    add_note (self, notes[i]);
  add_prompt (self, _ ("Prompt"), recipe->prompt);
  add_prompt (self, _ ("Negative prompt"), recipe->negative);
  add_values (self, recipe->rows);
}

static void
read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoGalleryDetails) self = user_data;
  g_autofree char *program = NULL;
  g_auto (GStrv) notes = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *json =
      gesso_library_read_recipe_finish (GESSO_LIBRARY (source), result, &program, &notes, &error);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) || !self->picture)
    return;
  clear_recipe (self);
  if (json)
    show_recipe (self, json, program, notes);
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    add_plain (self, _ ("This picture does not say how it was made."));
  else
    add_note (self, error->message);
  self->complete = TRUE;
}

static gboolean
read_timeout_cb (gpointer user_data)
{
  GessoGalleryDetails *self = user_data;
  const char *path = self->picture ? gesso_picture_get_path (self->picture) : "";
  self->read_timeout = 0;
  if (!*path)
    return G_SOURCE_REMOVE;
  self->cancellable = g_cancellable_new ();
  gesso_library_read_recipe_async (self->library, path, self->cancellable, read_cb,
                                   g_object_ref (self));
  return G_SOURCE_REMOVE;
}

/* ---- the picture ---- */

static void
cancel (GessoGalleryDetails *self)
{
  g_clear_handle_id (&self->read_timeout, g_source_remove);
  if (self->cancellable)
    g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
}

static void
update_facts (GessoGalleryDetails *self)
{
  gboolean starred = gesso_picture_get_starred (self->picture);
  g_autofree char *name = gesso_gallery_picture_name (self->picture);
  g_autofree char *time = gesso_gallery_time_text (gesso_picture_get_created (self->picture),
                                                   g_get_real_time () / G_USEC_PER_SEC);
  g_autofree char *facts =
      g_strdup_printf ("%d × %d px · %s", gesso_picture_get_width (self->picture),
                       gesso_picture_get_height (self->picture), time);
  gtk_label_set_label (GTK_LABEL (self->name), name);
  gtk_label_set_label (GTK_LABEL (self->facts), facts);
  gtk_button_set_icon_name (GTK_BUTTON (self->star),
                            starred ? "gesso-starred-symbolic" : "gesso-star-symbolic");
}

static void
picture_notify_cb (GessoGalleryDetails *self, GParamSpec *pspec)
{
  update_facts (self);
  if (g_strcmp0 (pspec->name, "path") == 0 && !self->read_timeout)
    self->read_timeout = g_timeout_add (READ_DELAY_MS, read_timeout_cb, self);
}

void
gesso_gallery_details_show (GessoGalleryDetails *self, GessoPicture *picture, guint n_selected)
{
  g_return_if_fail (GESSO_IS_GALLERY_DETAILS (self));
  g_autofree char *many = g_strdup_printf (
      ngettext ("%u picture is selected.", "%u pictures are selected.", n_selected), n_selected);
  gtk_label_set_label (GTK_LABEL (self->none),
                       n_selected > 1 ? many : _ ("Select a picture to see how it was made."));
  gtk_stack_set_visible_child_name (GTK_STACK (self->stack), picture ? "picture" : "none");
  if (picture == self->picture)
    return;
  cancel (self);
  g_clear_signal_handler (&self->picture_handler, self->picture);
  g_set_object (&self->picture, picture);
  clear_recipe (self);
  if (!picture)
    return;
  self->picture_handler =
      g_signal_connect_swapped (picture, "notify", G_CALLBACK (picture_notify_cb), self);
  update_facts (self);
  self->read_timeout = g_timeout_add (READ_DELAY_MS, read_timeout_cb, self);
}

char *
gesso_gallery_details_dup_text (GessoGalleryDetails *self)
{
  g_return_val_if_fail (GESSO_IS_GALLERY_DETAILS (self), NULL);
  return self->complete ? g_strdup (self->text->str) : NULL;
}

/* ---- building ---- */

static GtkWidget *
new_action_button (const char *label, const char *action, const char *css_class)
{
  GtkWidget *button = gesso_name_new_button (label);
  gtk_actionable_set_detailed_action_name (GTK_ACTIONABLE (button), action);
  gtk_widget_set_hexpand (button, TRUE);
  if (css_class)
    gtk_widget_add_css_class (button, css_class);
  return button;
}

static GtkWidget *
new_head (GessoGalleryDetails *self)
{
  GtkWidget *head = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 2);
  self->name = gtk_label_new ("");
  gtk_widget_add_css_class (self->name, "heading");
  gtk_label_set_ellipsize (GTK_LABEL (self->name), PANGO_ELLIPSIZE_MIDDLE);
  gtk_label_set_xalign (GTK_LABEL (self->name), 0);
  gtk_widget_set_hexpand (self->name, TRUE);
  gtk_box_append (GTK_BOX (head), self->name);
  self->star = gesso_gallery_icon_button ("gesso-star-symbolic", "gallery.star", _ ("Star"));
  gtk_box_append (GTK_BOX (head), self->star);
  gtk_box_append (
      GTK_BOX (head),
      gesso_gallery_icon_button ("folder-symbolic", "gallery.show-in-files", _ ("Show in Files")));
  gtk_box_append (GTK_BOX (head), gesso_gallery_icon_button ("user-trash-symbolic", "gallery.trash",
                                                             _ ("Move to Trash")));
  return head;
}

static GtkWidget *
new_uses (void)
{
  GtkWidget *grid = gtk_grid_new ();
  gtk_grid_set_column_spacing (GTK_GRID (grid), 6);
  gtk_grid_set_row_spacing (GTK_GRID (grid), 6);
  gtk_grid_set_column_homogeneous (GTK_GRID (grid), TRUE);
  gtk_grid_attach (GTK_GRID (grid),
                   new_action_button (_ ("_Use Recipe"), "gallery.use-recipe", "suggested-action"),
                   0, 0, 2, 1);
  gtk_grid_attach (GTK_GRID (grid), new_action_button (_ ("Use S_eed"), "gallery.use-seed", NULL),
                   0, 1, 1, 1);
  gtk_grid_attach (GTK_GRID (grid),
                   new_action_button (_ ("To Can_vas"), "gallery.send-to-canvas", NULL), 1, 1, 1,
                   1);
  return grid;
}

static GtkWidget *
new_picture_page (GessoGalleryDetails *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 10);
  gtk_widget_add_css_class (box, "gallery-details");
  gtk_box_append (GTK_BOX (box), new_head (self));
  self->facts = new_caption ("");
  gtk_label_set_wrap (GTK_LABEL (self->facts), TRUE);
  gtk_box_append (GTK_BOX (box), self->facts);
  gtk_box_append (GTK_BOX (box), new_uses ());
  self->recipe_box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 10);
  gtk_box_append (GTK_BOX (box), self->recipe_box);
  GtkWidget *scroller = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroller), GTK_POLICY_NEVER,
                                  GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scroller), box);
  return scroller;
}

static void
build (GessoGalleryDetails *self)
{
  self->stack = gtk_stack_new ();
  gtk_widget_set_size_request (self->stack, PANE_WIDTH, -1);
  gtk_widget_set_parent (self->stack, GTK_WIDGET (self));
  self->none = gtk_label_new ("");
  gtk_label_set_wrap (GTK_LABEL (self->none), TRUE);
  gtk_label_set_justify (GTK_LABEL (self->none), GTK_JUSTIFY_CENTER);
  gtk_label_set_max_width_chars (GTK_LABEL (self->none), 24);
  gtk_widget_add_css_class (self->none, "dim-label");
  gtk_stack_add_named (GTK_STACK (self->stack), self->none, "none");
  gtk_stack_add_named (GTK_STACK (self->stack), new_picture_page (self), "picture");
}

static void
gesso_gallery_details_dispose (GObject *object)
{
  GessoGalleryDetails *self = GESSO_GALLERY_DETAILS (object);
  cancel (self);
  g_clear_signal_handler (&self->picture_handler, self->picture);
  g_clear_object (&self->picture);
  g_clear_pointer (&self->stack, gtk_widget_unparent);
  g_clear_object (&self->library);
  G_OBJECT_CLASS (gesso_gallery_details_parent_class)->dispose (object);
}

static void
gesso_gallery_details_finalize (GObject *object)
{
  g_string_free (GESSO_GALLERY_DETAILS (object)->text, TRUE);
  G_OBJECT_CLASS (gesso_gallery_details_parent_class)->finalize (object);
}

static void
gesso_gallery_details_class_init (GessoGalleryDetailsClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_gallery_details_dispose;
  G_OBJECT_CLASS (klass)->finalize = gesso_gallery_details_finalize;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
}

static void
gesso_gallery_details_init (GessoGalleryDetails *self)
{
  self->text = g_string_new (NULL);
}

GtkWidget *
gesso_gallery_details_new (GessoLibrary *library)
{
  g_return_val_if_fail (GESSO_IS_LIBRARY (library), NULL);
  GessoGalleryDetails *self = g_object_new (GESSO_TYPE_GALLERY_DETAILS, NULL);
  self->library = g_object_ref (library);
  build (self);
  gesso_gallery_details_show (self, NULL, 0);
  return GTK_WIDGET (self);
}
