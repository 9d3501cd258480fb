/* SPDX-License-Identifier: MPL-2.0
 * gesso-adapter-list.c - the LoRAs of the recipe: which, how strong, on or off.
 *
 * The form's JSON is the truth.  A change made here is written into it at once; one that comes from
 * elsewhere makes the rows anew.
 */
#include "app/gesso-adapter-list.h"

#include <glib/gi18n.h>
#include <string.h>

#include "app/gesso-fit.h"
#include "app/gesso-list-row.h"
#include "app/gesso-model-picker.h"
#include "app/gesso-name.h"
#include "library/gesso-trigger-words.h"
#include "recipe/adapters.h"

#define KEY "adapters"
#define LEAST_WEIGHT -2.0
#define LARGEST_WEIGHT 2.0

struct _GessoAdapterList
{
  AdwBin parent_instance;
  GessoForm *form;
  GessoLibrary *library;
  GtkWidget *rows, *hint;
  GHashTable *words; /* of files, by path; "" when a file says none, NULL while it is read */
  char *misfits;     /* what the rows say of families */
  gboolean busy;     /* a change that we make ourselves is no news */
};

G_DEFINE_FINAL_TYPE (GessoAdapterList, gesso_adapter_list, ADW_TYPE_BIN)

static guint message_signal;

/* ---- the list in the form ---- */

static void
clear_list (RecipeAdapters *list)
{
  recipe_adapters_clear (list);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RecipeAdapters, clear_list)

static RecipeAdapters
read_form (GessoForm *form)
{
  RecipeAdapters list = { 0 };
  Status status = { 0 };
  recipe_adapters_read (&list, gesso_form_peek (form), &status);
  return list;
}

static RecipeAdapters
read_list (GessoAdapterList *self)
{
  return read_form (self->form);
}

/* The form takes texts: a recipe of its own makes one of the list. */
static bool
write_form (GessoForm *form, const RecipeAdapters *list, Status *status)
{
  Recipe recipe;
  recipe_init (&recipe);
  bool ok = recipe_adapters_write (list, &recipe, status);
  if (ok)
    gesso_form_set_text (form, KEY, recipe_str (recipe.adapters), NULL);
  recipe_clear (&recipe);
  return ok;
}

static void
write_list (GessoAdapterList *self, const RecipeAdapters *list)
{
  Status status = { 0 };
  if (!write_form (self->form, list, &status))
    g_signal_emit (self, message_signal, 0, status.message);
}

/* ---- one row ---- */

static void
change (const GessoListPlace *place, void (*set) (RecipeAdapter *item, double value), double value)
{
  GessoAdapterList *self = GESSO_ADAPTER_LIST (place->list);
  g_auto (RecipeAdapters) list = read_list (self);
  if (self->busy || place->index >= list.n)
    return;
  set (&list.items[place->index], value);
  self->busy = TRUE;
  write_list (self, &list);
  self->busy = FALSE;
}

static void
set_weight (RecipeAdapter *item, double value)
{
  item->weight = value;
}

static void
set_text_weight (RecipeAdapter *item, double value)
{
  item->text_weight = value;
}

static void
set_muted (RecipeAdapter *item, double value)
{
  item->muted = value != 0;
}

/* The text encoder's weight follows until the two are told apart. */
static void
weight_cb (GtkAdjustment *adjustment, gpointer user_data)
{
  const GessoListPlace *place = user_data;
  GtkAdjustment *text = place->row;
  g_auto (RecipeAdapters) list = read_list (GESSO_ADAPTER_LIST (place->list));
  gboolean follows = place->index < list.n &&
                     list.items[place->index].weight == list.items[place->index].text_weight;
  change (place, set_weight, gtk_adjustment_get_value (adjustment));
  if (follows)
    gtk_adjustment_set_value (text, gtk_adjustment_get_value (adjustment));
}

static void
text_weight_cb (GtkAdjustment *adjustment, gpointer user_data)
{
  change (user_data, set_text_weight, gtk_adjustment_get_value (adjustment));
}

static void
on_cb (GObject *toggle, GParamSpec *pspec, gpointer user_data)
{
  change (user_data, set_muted, !gtk_switch_get_active (GTK_SWITCH (toggle)));
}

/* The next shown item before or behind @index; @list->n when there is none. */
static gsize
neighbour (const RecipeAdapters *list, gsize index, int way)
{
  for (gsize i = index + (gsize) way; i < list->n; i += (gsize) way) /* below 0 is beyond n */
    if (!list->items[i].from_prompt)
      return i;
  return list->n;
}

static void
focus_row (GessoAdapterList *self, gsize index, const char *button)
{
  for (GtkWidget *row = gtk_widget_get_first_child (self->rows); row;
       row = gtk_widget_get_next_sibling (row))
    if (GPOINTER_TO_SIZE (g_object_get_data (G_OBJECT (row), "index")) == index)
      {
        GtkWidget *wanted = g_object_get_data (G_OBJECT (row), button);
        if (gtk_widget_get_sensitive (wanted))
          gtk_widget_grab_focus (wanted);
      }
}

static gboolean
remove_cb (gpointer user_data)
{
  const GessoListPlace *place = user_data;
  GessoAdapterList *self = GESSO_ADAPTER_LIST (place->list);
  g_auto (RecipeAdapters) list = read_list (self);
  if (place->index < list.n)
    {
      recipe_adapters_remove (&list, place->index);
      write_list (self, &list);
    }
  return G_SOURCE_REMOVE;
}

static gboolean
move (const GessoListPlace *place, int way, const char *button)
{
  GessoAdapterList *self = GESSO_ADAPTER_LIST (place->list);
  g_auto (RecipeAdapters) list = read_list (self);
  gsize to = place->index < list.n ? neighbour (&list, place->index, way) : list.n;
  if (to < list.n)
    {
      RecipeAdapter moved = list.items[place->index];
      list.items[place->index] = list.items[to];
      list.items[to] = moved;
      write_list (self, &list);
      focus_row (self, to, button);
    }
  return G_SOURCE_REMOVE;
}

static gboolean
up_cb (gpointer user_data)
{
  return move (user_data, -1, "up");
}

static gboolean
down_cb (gpointer user_data)
{
  return move (user_data, 1, "down");
}

/* ---- trigger words ---- */

typedef struct
{
  GessoAdapterList *self; /* which owns the row */
  char *words;
} Words;

static void
words_free (gpointer data, GClosure *closure)
{
  Words *w = data;
  g_free (w->words);
  g_free (w);
}

/* Behind the prompt, with a comma between. */
static void
use_words_cb (GtkButton *button, gpointer user_data)
{
  const Words *w = user_data;
  const char *prompt = gesso_form_peek (w->self->form)->prompt;
  gboolean is_empty = !prompt || !prompt[0];
  g_autofree char *text =
      g_strconcat (is_empty ? "" : prompt, is_empty ? "" : ", ", w->words, NULL);
  gesso_form_set_text (w->self->form, "prompt", text, NULL);
}

static void
show_words (GessoAdapterList *self, GtkWidget *row, const char *words)
{
  if (!words[0])
    return;
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  g_autofree char *text = g_strdup_printf (_ ("Trained on: %s"), words);
  GtkWidget *label = gtk_label_new (text);
  GtkWidget *use = gtk_button_new_from_icon_name ("list-add-symbolic");
  Words *data = g_new (Words, 1);
  *data = (Words){ self, g_strdup (words) };
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_wrap_mode (GTK_LABEL (label), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_widget_set_hexpand (label, TRUE);
  gtk_widget_add_css_class (label, "caption");
  gtk_widget_add_css_class (label, "dim-label");
  gtk_widget_add_css_class (use, "flat");
  gtk_widget_set_tooltip_text (use, _ ("Add these words to the prompt"));
  gesso_name (use, _ ("Add these words to the prompt"));
  g_signal_connect_data (use, "clicked", G_CALLBACK (use_words_cb), data, words_free, 0);
  gtk_box_append (GTK_BOX (box), label);
  gtk_box_append (GTK_BOX (box), use);
  gtk_box_append (GTK_BOX (row), box);
}

static void
read_words_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  char *words = gesso_trigger_words_read (data);
  g_task_return_pointer (task, words ? words : g_strdup (""), g_free);
}

static void
words_read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoAdapterList) self = user_data;
  g_autofree char *words = g_task_propagate_pointer (G_TASK (result), NULL);
  if (!words || !self->words) /* closed meanwhile */
    return;
  const char *path = g_task_get_task_data (G_TASK (result));
  for (GtkWidget *row = gtk_widget_get_first_child (self->rows); row;
       row = gtk_widget_get_next_sibling (row))
    if (g_strcmp0 (g_object_get_data (G_OBJECT (row), "path"), path) == 0)
      show_words (self, row, words);
  g_hash_table_replace (self->words, g_strdup (path), g_steal_pointer (&words));
}

/* A file is read once, however often its row is made anew meanwhile; its words are there for rows
 * that are made later. */
static void
find_words (GessoAdapterList *self, GtkWidget *row, const char *path)
{
  gpointer words;
  if (!path)
    return;
  g_object_set_data_full (G_OBJECT (row), "path", g_strdup (path), g_free);
  if (g_hash_table_lookup_extended (self->words, path, NULL, &words))
    {
      if (words)
        show_words (self, row, words);
      return;
    }
  g_hash_table_insert (self->words, g_strdup (path), NULL);
  /* no source: the thread may be the last to let go of the task */
  g_autoptr (GTask) task = g_task_new (NULL, NULL, words_read_cb, g_object_ref (self));
  g_task_set_task_data (task, g_strdup (path), g_free);
  g_task_run_in_thread (task, read_words_in_thread);
}

static char *
dup_shown_name (GessoAdapterList *self, const RecipeAdapter *item)
{
  char *title = gesso_list_row_dup_title (self->library, GESSO_FILE_LORA, item->path);
  if (title)
    return title;
  const char *name = item->name ? item->name : item->path ? item->path : "";
  return g_filename_display_basename (name);
}

/* Whether another file is used when there is none at its path. */
static gboolean
is_in_library (GessoAdapterList *self, const RecipeAdapter *item)
{
  const char *name = item->name ? item->name : "";
  return gesso_library_find_model (self->library, GESSO_FILE_LORA, name, item->hash) != NULL;
}

/* Says that the file is gone before the job does. */
static GtkWidget *
new_missing (GessoAdapterList *self, const RecipeAdapter *item)
{
  GtkWidget *warning = gesso_list_row_new_warning (NULL);
  gesso_list_row_warn_of_missing (warning, is_in_library (self, item) ? NULL : item->path);
  return warning;
}

/* Why the row is off, though nobody has muted it: the model that is chosen now.  NULL: it is not */
static char *
dup_misfit (GessoAdapterList *self, const RecipeAdapter *item)
{
  const char *model = gesso_fit_family (self->library, gesso_form_peek (self->form));
  const char *family = gesso_fit_adapter_family (self->library, item);
  if (gesso_fit_is_for (family, model))
    return NULL;
  return g_strdup_printf (_ ("For %s, not used with %s. It comes back with a model that it fits."),
                          family, model);
}

/* Their order counts where one reads what another has left (DoRA and its kin). */
static void
add_movers (GessoListPlace place,
            GtkWidget *row,
            GtkWidget *head,
            const char *name,
            const RecipeAdapters *list)
{
  g_autofree char *up_name = g_strdup_printf (_ ("Move %s up"), name);
  g_autofree char *down_name = g_strdup_printf (_ ("Move %s down"), name);
  GtkWidget *up = gesso_list_row_new_button (place, "go-up-symbolic", up_name, up_cb);
  GtkWidget *down = gesso_list_row_new_button (place, "go-down-symbolic", down_name, down_cb);
  gboolean is_first = neighbour (list, place.index, -1) == list->n;
  gboolean is_last = neighbour (list, place.index, 1) == list->n;
  gtk_widget_set_sensitive (up, !is_first);
  gtk_widget_set_sensitive (down, !is_last);
  gtk_widget_set_visible (up, !is_first || !is_last);
  gtk_widget_set_visible (down, !is_first || !is_last);
  GtkWidget *last = gtk_widget_get_last_child (head);
  gtk_box_insert_child_after (GTK_BOX (head), up, gtk_widget_get_prev_sibling (last));
  gtk_box_insert_child_after (GTK_BOX (head), down, up);
  g_object_set_data (G_OBJECT (row), "index", GSIZE_TO_POINTER (place.index));
  g_object_set_data (G_OBJECT (row), "up", up);
  g_object_set_data (G_OBJECT (row), "down", down);
}

static GtkWidget *
new_weight (double value, const char *caption, const char *spoken, GtkAdjustment **adjustment)
{
  return gesso_list_row_new_weight (caption, value, LEAST_WEIGHT, LARGEST_WEIGHT, spoken,
                                    adjustment);
}

static GtkWidget *
new_row (GessoAdapterList *self, const RecipeAdapters *list, guint i)
{
  const RecipeAdapter *item = &list->items[i];
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 2);
  g_autofree char *name = dup_shown_name (self, item);
  g_autofree char *misfit = dup_misfit (self, item);
  g_autofree char *weight_name = g_strdup_printf (_ ("Weight of %s"), name);
  g_autofree char *text_name = g_strdup_printf (_ ("Weight of %s for the text encoder"), name);
  GtkAdjustment *weight, *text;
  GtkWidget *weights = new_weight (item->weight, _ ("Weight"), weight_name, &weight);
  GtkWidget *texts = new_weight (item->text_weight, _ ("Text"), text_name, &text);
  GessoListPlace place = { GTK_WIDGET (self), i, text };
  /* a row for another model is off, and what is chosen here comes back later */
  GessoListHead parts = { name,    item->path,         !item->muted && !misfit,
                          !misfit, G_CALLBACK (on_cb), remove_cb };
  GtkWidget *head = gesso_list_row_new_head (place, &parts);
  gtk_widget_add_css_class (box, "adapter-row");
  add_movers (place, box, head, name, list);
  gtk_box_append (GTK_BOX (box), head);
  gtk_box_append (GTK_BOX (box), weights);
  gtk_box_append (GTK_BOX (box), texts);
  gtk_widget_set_visible (weights, !misfit);
  gtk_widget_set_visible (texts, !misfit);
  gtk_box_append (GTK_BOX (box), new_missing (self, item));
  gtk_box_append (GTK_BOX (box), gesso_list_row_new_warning (misfit));
  find_words (self, box, item->path);
  gesso_list_row_connect (place, weight, "value-changed", G_CALLBACK (weight_cb));
  gesso_list_row_connect (place, text, "value-changed", G_CALLBACK (text_weight_cb));
  return box;
}

/* ---- all rows ---- */

/* All that rows say of families, to see when that changes. */
static char *
dup_misfits (GessoAdapterList *self, const RecipeAdapters *list)
{
  g_autoptr (GString) all = g_string_new (NULL);
  for (guint i = 0; i < list->n; i++)
    {
      g_autofree char *misfit = dup_misfit (self, &list->items[i]);
      g_string_append_printf (all, "%s\n", misfit ? misfit : "");
    }
  return g_strdup (all->str);
}

static void
update (GessoAdapterList *self)
{
  if (self->busy)
    return;
  g_auto (RecipeAdapters) list = read_list (self);
  g_free (self->misfits);
  self->misfits = dup_misfits (self, &list);
  GtkWidget *child;
  while ((child = gtk_widget_get_first_child (self->rows)))
    gtk_box_remove (GTK_BOX (self->rows), child);
  guint n_shown = 0;
  for (guint i = 0; i < list.n; i++)
    if (!list.items[i].from_prompt)
      {
        gtk_box_append (GTK_BOX (self->rows), new_row (self, &list, i));
        n_shown++;
      }
  gtk_widget_set_visible (self->hint, n_shown == 0);
}

/* Another model, or a scan that has found out what something is: rows under somebody's hand stay
 * unless they say something else. */
static void
update_fit (GessoAdapterList *self)
{
  g_auto (RecipeAdapters) list = read_list (self);
  g_autofree char *misfits = dup_misfits (self, &list);
  if (g_strcmp0 (misfits, self->misfits) != 0)
    update (self);
}

gboolean
gesso_adapters_add (GessoForm *form, const char *path, GError **error)
{
  g_return_val_if_fail (GESSO_IS_FORM (form) && path, FALSE);
  g_auto (RecipeAdapters) list = read_form (form);
  for (guint i = 0; i < list.n; i++)
    if (g_strcmp0 (list.items[i].path, path) == 0 && !list.items[i].from_prompt)
      return TRUE;
  g_autofree char *base = g_path_get_basename (path);
  char *dot = strrchr (base, '.');
  if (dot && dot != base)
    *dot = '\0';
  Status status = { 0 };
  RecipeAdapter *item = recipe_adapters_add (&list, base, &status);
  if (item && text_replace (&item->path, path, &status) && write_form (form, &list, &status))
    return TRUE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, status.message);
  return FALSE;
}

void
gesso_adapter_list_add (GessoAdapterList *self, const char *path)
{
  g_return_if_fail (GESSO_IS_ADAPTER_LIST (self));
  g_autoptr (GError) error = NULL;
  if (!gesso_adapters_add (self->form, path, &error))
    g_signal_emit (self, message_signal, 0, error->message);
}

static void
chosen_cb (GessoModelPicker *picker, const char *path, gpointer user_data)
{
  gesso_adapter_list_add (user_data, path);
}

/* ---- making ---- */

static void
gesso_adapter_list_dispose (GObject *object)
{
  GessoAdapterList *self = GESSO_ADAPTER_LIST (object);
  g_clear_object (&self->form);
  g_clear_object (&self->library);
  g_clear_pointer (&self->words, g_hash_table_unref);
  g_clear_pointer (&self->misfits, g_free);
  G_OBJECT_CLASS (gesso_adapter_list_parent_class)->dispose (object);
}

static void
gesso_adapter_list_class_init (GessoAdapterListClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_adapter_list_dispose;
  message_signal = g_signal_new ("message", GESSO_TYPE_ADAPTER_LIST, G_SIGNAL_RUN_LAST, 0, NULL,
                                 NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
gesso_adapter_list_init (GessoAdapterList *self)
{
  self->words = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

GtkWidget *
gesso_adapter_list_new (GessoForm *form, GessoLibrary *library)
{
  g_return_val_if_fail (GESSO_IS_FORM (form) && GESSO_IS_LIBRARY (library), NULL);
  GessoAdapterList *self = g_object_new (GESSO_TYPE_ADAPTER_LIST, NULL);
  self->form = g_object_ref (form);
  self->library = g_object_ref (library);
  GtkWidget *picker =
      gesso_model_picker_new_chooser (form, library, GESSO_FILE_LORA, _ ("Add a LoRA"));
  g_signal_connect_object (picker, "chosen", G_CALLBACK (chosen_cb), self, 0);
  adw_bin_set_child (
      ADW_BIN (self),
      gesso_list_row_new_group (_ ("LoRAs"), picker,
                                _ ("None. Add one here, or write <lora:name:1> in the prompt."),
                                &self->rows, &self->hint));
  g_signal_connect_object (form, "changed::" KEY, G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (form, "changed::model", G_CALLBACK (update_fit), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (library, "changed", G_CALLBACK (update_fit), self, G_CONNECT_SWAPPED);
  update (self);
  return GTK_WIDGET (self);
}
