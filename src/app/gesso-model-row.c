/* SPDX-License-Identifier: MPL-2.0
 * gesso-model-row.c - how a list shows a file of the library, and what a search finds of it.
 */
#include "app/gesso-model-row.h"

#include <glib/gi18n.h>
#include <string.h>

#include "app/gesso-name.h"
#include "app/gesso-tooltip.h"

enum
{
  WIDTH_CHARS = 36,  /* of the longest line before it is broken or cut */
  PROBLEM_LINES = 4, /* of a sentence about what is wrong with a file */
  TOLD_FOLDERS = 3   /* how many tell files of one name apart */
};

static gboolean
has_name_at (GListModel *files, guint position, GessoModelFile *file)
{
  g_autoptr (GessoModelFile) other = g_list_model_get_item (files, position);
  return other && g_ascii_strcasecmp (gesso_model_file_get_name (other),
                                      gesso_model_file_get_name (file)) == 0;
}

/* The last folders of the path: "ComfyUI/models/loras". */
static char *
dup_last_folders (GessoModelFile *file)
{
  g_autofree char *folder = g_path_get_dirname (gesso_model_file_get_path (file));
  g_autofree char *shown = g_filename_display_name (folder);
  const char *from = shown + strlen (shown);
  for (int i = 0; i < TOLD_FOLDERS && from; i++)
    from = g_strrstr_len (shown, from - shown, G_DIR_SEPARATOR_S);
  return g_strdup (from && from != shown ? from + 1 : shown);
}

char *
gesso_model_row_dup_details (GListModel *files, guint position)
{
  g_return_val_if_fail (G_IS_LIST_MODEL (files), NULL);
  g_autoptr (GessoModelFile) file = g_list_model_get_item (files, position);
  g_return_val_if_fail (file != NULL, NULL);
  const char *problem = gesso_model_file_get_problem (file);
  if (problem[0])
    return g_strdup_printf ("⚠ %s", problem);
  const char *family = gesso_model_file_get_family (file);
  g_autofree char *size = g_format_size ((guint64) gesso_model_file_get_size (file));
  gboolean twice = has_name_at (files, position + 1, file) ||
                   (position > 0 && has_name_at (files, position - 1, file));
  g_autofree char *place = twice ? dup_last_folders (file) : gesso_model_file_dup_place (file);
  return g_strdup_printf ("%s · %s%s%s", family[0] ? family : _ ("Unknown"), size,
                          place[0] ? " · " : "", place);
}

gboolean
gesso_model_row_matches (GessoModelFile *file, const char *folded)
{
  g_return_val_if_fail (GESSO_IS_MODEL_FILE (file) && folded, FALSE);
  if (!folded[0])
    return TRUE;
  const char *all = gesso_model_file_peek_search_text (file);
  g_auto (GStrv) words = g_strsplit_set (folded, " \t", -1);
  for (int i = 0; words[i]; i++)
    if (!strstr (all, words[i]))
      return FALSE;
  return TRUE;
}

static GtkWidget *
new_label (const char *css_class)
{
  GtkWidget *label = gtk_label_new (NULL);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_max_width_chars (GTK_LABEL (label), WIDTH_CHARS);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_MIDDLE);
  if (css_class)
    gtk_widget_add_css_class (label, css_class);
  return label;
}

static void
setup_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer unused)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 2);
  gtk_widget_add_css_class (box, "model-row");
  gtk_box_append (GTK_BOX (box), new_label (NULL));
  gtk_box_append (GTK_BOX (box), new_label ("caption"));
  GtkWidget *words = new_label ("caption");
  gtk_label_set_ellipsize (GTK_LABEL (words), PANGO_ELLIPSIZE_END);
  gtk_label_set_single_line_mode (GTK_LABEL (words), TRUE);
  gtk_widget_add_css_class (words, "dim-label");
  gtk_box_append (GTK_BOX (box), words);
  gtk_list_item_set_child (item, box);
}

/* What a LoRA was trained on, as much as one line has room for: it may be found by that. */
static void
set_words (GtkWidget *label, const char *words)
{
  g_autofree char *text = g_strdup_printf (_ ("Trained on: %s"), words);
  gtk_label_set_label (GTK_LABEL (label), text);
  gtk_widget_set_visible (label, words[0] != '\0');
}

/* A sentence is read as a whole; the end of the other line tells files apart. */
static void
set_details (GtkLabel *label, const char *text, gboolean problem)
{
  gtk_label_set_wrap (label, problem);
  gtk_label_set_lines (label, problem ? PROBLEM_LINES : -1);
  gtk_label_set_ellipsize (label, problem ? PANGO_ELLIPSIZE_END : PANGO_ELLIPSIZE_MIDDLE);
  gtk_label_set_label (label, text);
  if (problem)
    gtk_widget_add_css_class (GTK_WIDGET (label), "error");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (label), "error");
}

static void
bind_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer user_data)
{
  GessoModelFile *file = gtk_list_item_get_item (item);
  GtkWidget *box = gtk_list_item_get_child (item), *name = gtk_widget_get_first_child (box);
  const char *problem = gesso_model_file_get_problem (file);
  g_autofree char *text =
      gesso_model_row_dup_details (user_data, gtk_list_item_get_position (item));
  gtk_label_set_label (GTK_LABEL (name), gesso_model_file_get_name (file));
  set_details (GTK_LABEL (gtk_widget_get_next_sibling (name)), text, problem[0] != '\0');
  set_words (gtk_widget_get_last_child (box), gesso_model_file_get_words (file));
  g_autofree char *spoken = g_strdup_printf ("%s, %s", gesso_model_file_get_name (file), text);
  gesso_name_list_item (box, spoken);
  g_autofree char *path = g_filename_display_name (gesso_model_file_get_path (file));
  gesso_tooltip_set (box, path);
}

GtkListItemFactory *
gesso_model_row_new_factory (GListModel *files)
{
  g_return_val_if_fail (G_IS_LIST_MODEL (files), NULL);
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
  g_signal_connect (factory, "setup", G_CALLBACK (setup_cb), NULL);
  g_signal_connect (factory, "bind", G_CALLBACK (bind_cb), files);
  return factory;
}
