/* SPDX-License-Identifier: MPL-2.0
 * gesso-parameter-editor.c - the widget that edits one recipe key.
 *
 * Each editor is a plain GTK widget with an Editor attached: the form's value goes in through
 * update(), out through the widget's own signal.  While update() runs, the widget's signal is not
 * an edit.
 */
#include "app/gesso-parameter-editor.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "app/gesso-compat.h"
#include "app/gesso-model-picker.h"
#include "app/gesso-seed-editor.h"
#include "app/gesso-wheel.h"
#include "session/gesso-choice.h"

enum
{
  SHARE_WIDTH = 170, /* px, with the number */
  FILE_CHARS = 16    /* of a file's name, which may be long; the tooltip has all of it */
};

#define AUTO "auto"

typedef struct Editor Editor;
struct Editor
{
  GessoForm *form;
  const RecipeParam *param;
  GtkWidget *widget;
  void (*update) (Editor *editor);
  double shown; /* of a spin button: its value before the change */
  gboolean updating;
};

/* Whose default means "as the model likes it". */
static gboolean
is_left_to_model (const RecipeParam *param)
{
  static const char *const keys[] = { "width",      "height",
                                      "steps",      "guidance_scale",
                                      "eta",        "clip_skip",
                                      "vae_tile",   "distilled_guidance",
                                      "flow_shift", "max_tokens",
                                      "frames",     "fps",
                                      "shift",      "guidance_scale_2",
                                      "boundary",   "overlap",
                                      "window",     NULL };
  return g_strv_contains (keys, param->key);
}

static void
store (Editor *e, const char *text)
{
  if (!e->updating)
    gesso_form_set_text (e->form, e->param->key, text, NULL);
}

static void
update_editor (Editor *e)
{
  e->updating = TRUE;
  e->update (e);
  e->updating = FALSE;
}

static void
update_widget (GtkWidget *widget)
{
  update_editor (g_object_get_data (G_OBJECT (widget), "editor"));
}

static double
default_number (const RecipeParam *param)
{
  return g_ascii_strtod (param->default_text, NULL);
}

/* ---- numbers ---- */

static void
spin_update (Editor *e)
{
  g_autofree char *text = gesso_form_dup_text (e->form, e->param->key);
  e->shown = g_ascii_strtod (text, NULL);
  gtk_spin_button_set_value (GTK_SPIN_BUTTON (e->widget), e->shown);
  gtk_spin_button_update (GTK_SPIN_BUTTON (e->widget));
}

/* From "Auto" one step leads to the neighbour of what the model would take, not to 1. */
static gboolean
step_from_auto (Editor *e, double value)
{
  if (!is_left_to_model (e->param) || e->shown != default_number (e->param) ||
      fabs (value - e->shown - e->param->step) > 1e-9)
    return FALSE;
  g_autofree char *filled = gesso_form_dup_filled (e->form, e->param->key);
  if (!filled)
    return FALSE;
  store (e, filled);
  return TRUE;
}

static void
spin_changed_cb (GtkSpinButton *spin, gpointer user_data)
{
  Editor *e = user_data;
  double value = gtk_spin_button_get_value (spin);
  if (e->updating || step_from_auto (e, value))
    return;
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  g_ascii_formatd (text, sizeof text, e->param->type == PARAM_INT ? "%.0f" : "%.4g", value);
  e->shown = value;
  store (e, text);
}

/* Without trailing zeros: 7 and 7.5 rather than 7.00 and 7.50; in the user's locale. */
static char *
number_text (const RecipeParam *param, double value)
{
  return param->type == PARAM_INT ? g_strdup_printf ("%.0f", value) : g_strdup_printf ("%g", value);
}

static gboolean
spin_output_cb (GtkSpinButton *spin, gpointer user_data)
{
  Editor *e = user_data;
  double value = gtk_adjustment_get_value (gtk_spin_button_get_adjustment (spin));
  g_autofree char *text = NULL;
  if (is_left_to_model (e->param) && value == default_number (e->param))
    {
      g_autofree char *filled = gesso_form_dup_filled (e->form, e->param->key);
      text = filled ? g_strdup_printf (_ ("Auto · %s"), filled) : g_strdup (_ ("Auto"));
    }
  else
    text = number_text (e->param, round (value * 1e4) / 1e4);
  if (strcmp (text, gtk_editable_get_text (GTK_EDITABLE (spin))) != 0)
    gtk_editable_set_text (GTK_EDITABLE (spin), text);
  return TRUE;
}

static int
spin_input_cb (GtkSpinButton *spin, double *value, gpointer user_data)
{
  Editor *e = user_data;
  const char *text = gtk_editable_get_text (GTK_EDITABLE (spin));
  g_autofree char *known = g_strdup (_ ("Auto"));
  if (is_left_to_model (e->param) && (!*text || g_str_has_prefix (text, known)))
    {
      *value = default_number (e->param);
      return TRUE;
    }
  char *end = NULL;
  g_autofree char *dotted = g_strdelimit (g_strdup (text), ",", '.');
  *value = g_ascii_strtod (dotted, &end);
  return end != dotted && isfinite (*value) ? TRUE : GTK_INPUT_ERROR;
}

static GtkWidget *
new_spin (Editor *e)
{
  const RecipeParam *p = e->param;
  double page = p->type == PARAM_INT ? p->step * 10 : p->step * 4;
  GtkWidget *spin = gtk_spin_button_new_with_range (p->min, p->max, p->step);
  gtk_spin_button_set_increments (GTK_SPIN_BUTTON (spin), p->step, page);
  gtk_spin_button_set_digits (GTK_SPIN_BUTTON (spin), p->type == PARAM_INT ? 0 : 4);
  gtk_spin_button_set_numeric (GTK_SPIN_BUTTON (spin), FALSE); /* "Auto" */
  gtk_spin_button_set_snap_to_ticks (GTK_SPIN_BUTTON (spin), FALSE);
  gtk_editable_set_width_chars (GTK_EDITABLE (spin), 9);
  gtk_editable_set_max_width_chars (GTK_EDITABLE (spin), 9);
  gesso_wheel_leave_to_page (spin);
  g_signal_connect (spin, "output", G_CALLBACK (spin_output_cb), e);
  g_signal_connect (spin, "input", G_CALLBACK (spin_input_cb), e);
  g_signal_connect (spin, "value-changed", G_CALLBACK (spin_changed_cb), e);
  e->update = spin_update;
  return spin;
}

/* ---- shares ---- */

static void
share_update (Editor *e)
{
  g_autofree char *text = gesso_form_dup_text (e->form, e->param->key);
  gtk_range_set_value (GTK_RANGE (e->widget), g_ascii_strtod (text, NULL));
}

static void
share_changed_cb (GtkRange *range, gpointer user_data)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  store (user_data, g_ascii_formatd (text, sizeof text, "%.2f", gtk_range_get_value (range)));
}

static char *
share_text (GtkScale *scale, double value, gpointer user_data)
{
  return g_strdup_printf (_ ("%.0f %%"), value * 100);
}

/* From nothing to all of it; nothing itself would be no job. */
static GtkWidget *
new_share (Editor *e)
{
  const RecipeParam *p = e->param;
  GtkWidget *scale =
      gtk_scale_new_with_range (GTK_ORIENTATION_HORIZONTAL, p->min + 0.01, p->max, 0.01);
  gtk_range_set_increments (GTK_RANGE (scale), 0.01, p->step * 2);
  gtk_widget_set_size_request (scale, SHARE_WIDTH, -1);
  gtk_scale_set_value_pos (GTK_SCALE (scale), GTK_POS_RIGHT);
  gtk_scale_set_draw_value (GTK_SCALE (scale), TRUE);
  gtk_scale_set_format_value_func (GTK_SCALE (scale), share_text, NULL, NULL);
  gesso_wheel_leave_to_page (scale);
  g_signal_connect (scale, "value-changed", G_CALLBACK (share_changed_cb), e);
  e->update = share_update;
  return scale;
}

/* ---- switches ---- */

static void
switch_update (Editor *e)
{
  g_autofree char *text = gesso_form_dup_text (e->form, e->param->key);
  gtk_switch_set_active (GTK_SWITCH (e->widget), g_str_equal (text, "true"));
}

static void
switch_cb (GtkSwitch *widget, GParamSpec *pspec, gpointer user_data)
{
  store (user_data, gtk_switch_get_active (widget) ? "true" : "false");
}

static GtkWidget *
new_switch (Editor *e)
{
  GtkWidget *widget = gtk_switch_new ();
  g_signal_connect (widget, "notify::active", G_CALLBACK (switch_cb), e);
  e->update = switch_update;
  return widget;
}

/* ---- choices ---- */

/* What "auto" comes to with the chosen model, once that is known. */
static char *
dup_auto_label (const Editor *e)
{
  g_autofree char *filled = gesso_form_dup_filled (e->form, e->param->key);
  if (!filled || !*filled || g_str_equal (filled, AUTO))
    return gesso_choice_dup_label (AUTO);
  g_autofree char *label = gesso_choice_dup_label (filled);
  return g_strdup_printf (_ ("Auto · %s"), label);
}

static void
name_auto (Editor *e)
{
  GtkStringList *labels = GTK_STRING_LIST (gtk_drop_down_get_model (GTK_DROP_DOWN (e->widget)));
  g_autofree char *label = dup_auto_label (e);
  if (!g_str_equal (label, gtk_string_list_get_string (labels, 0)))
    gtk_string_list_splice (labels, 0, 1, (const char *const[]){ label, NULL });
}

static void
choice_update (Editor *e)
{
  if (g_str_equal (e->param->choices[0], AUTO))
    name_auto (e);
  g_autofree char *text = gesso_form_dup_text (e->form, e->param->key);
  for (guint i = 0; e->param->choices[i]; i++)
    if (g_str_equal (e->param->choices[i], text))
      gtk_drop_down_set_selected (GTK_DROP_DOWN (e->widget), i);
}

static void
choice_cb (GtkDropDown *drop_down, GParamSpec *pspec, gpointer user_data)
{
  Editor *e = user_data;
  guint i = gtk_drop_down_get_selected (drop_down);
  if (i != GTK_INVALID_LIST_POSITION)
    store (e, e->param->choices[i]);
}

static GtkWidget *
new_choice (Editor *e)
{
  g_autoptr (GtkStringList) labels = gtk_string_list_new (NULL);
  for (int i = 0; e->param->choices[i]; i++)
    gtk_string_list_take (labels, gesso_choice_dup_label (e->param->choices[i]));
  GtkWidget *widget = gtk_drop_down_new (G_LIST_MODEL (g_steal_pointer (&labels)), NULL);
  g_signal_connect (widget, "notify::selected", G_CALLBACK (choice_cb), e);
  e->update = choice_update;
  return widget;
}

/* ---- texts ---- */

static void
text_update (Editor *e)
{
  g_autofree char *text = gesso_form_dup_text (e->form, e->param->key);
  if (strcmp (text, gtk_editable_get_text (GTK_EDITABLE (e->widget))) != 0)
    gtk_editable_set_text (GTK_EDITABLE (e->widget), text);
}

static void
text_cb (GtkEditable *editable, gpointer user_data)
{
  store (user_data, gtk_editable_get_text (editable));
}

static GtkWidget *
new_text (Editor *e)
{
  GtkWidget *entry = gtk_entry_new ();
  gtk_editable_set_width_chars (GTK_EDITABLE (entry), 14);
  g_signal_connect (entry, "changed", G_CALLBACK (text_cb), e);
  e->update = text_update;
  return entry;
}

/* ---- files other than models ---- */

static void
file_update (Editor *e)
{
  g_autofree char *path = gesso_form_dup_text (e->form, e->param->key);
  g_autofree char *base = path[0] ? g_filename_display_basename (path) : g_strdup (_ ("None"));
  gtk_label_set_label (GTK_LABEL (gtk_button_get_child (GTK_BUTTON (e->widget))), base);
  g_autofree char *whole = g_filename_display_name (path);
  gtk_widget_set_tooltip_text (e->widget, path[0] ? whole : NULL);
}

static void
file_chosen_cb (GFile *file, gpointer user_data)
{
  g_autoptr (GtkWidget) button = user_data;
  Editor *e = g_object_get_data (G_OBJECT (button), "editor");
  if (file && e)
    store (e, g_file_peek_path (file));
}

static void
file_clicked_cb (GtkButton *button, gpointer user_data)
{
  Editor *e = user_data;
  GtkWindow *window = GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (button)));
  gesso_compat_choose (window, GESSO_CHOOSE_FILE, _ (e->param->label), NULL, NULL, file_chosen_cb,
                       g_object_ref (button));
}

static GtkWidget *
new_file (Editor *e)
{
  GtkWidget *button = gtk_button_new (), *name = gtk_label_new (NULL);
  gtk_label_set_ellipsize (GTK_LABEL (name), PANGO_ELLIPSIZE_MIDDLE);
  gtk_label_set_max_width_chars (GTK_LABEL (name), FILE_CHARS);
  gtk_button_set_child (GTK_BUTTON (button), name);
  g_signal_connect (button, "clicked", G_CALLBACK (file_clicked_cb), e);
  e->update = file_update;
  return button;
}

/* ---- which editor ---- */

/* Returns: NULL for a path that is no model's */
static GtkWidget *
new_picker (Editor *e, GessoLibrary *library)
{
  static const struct
  {
    const char *key;
    GessoFileKind kind;
  } kinds[] = { { "model", GESSO_FILE_CHECKPOINT },
                { "model_2", GESSO_FILE_CHECKPOINT },
                { "vae", GESSO_FILE_VAE },
                { "text_encoder", GESSO_FILE_TEXT_ENCODER },
                { "text_encoder_2", GESSO_FILE_TEXT_ENCODER },
                { "image_encoder", GESSO_FILE_IMAGE_ENCODER },
                { "tiny_vae", GESSO_FILE_TINY_VAE } };
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (g_str_equal (kinds[i].key, e->param->key))
      return gesso_model_picker_new (e->form, e->param->key, library, kinds[i].kind);
  return NULL;
}

static GtkWidget *
new_widget (Editor *e, GessoLibrary *library)
{
  switch (e->param->type)
    {
    case PARAM_INT:
    case PARAM_FLOAT:
      return g_str_equal (e->param->key, "denoise") ? new_share (e) : new_spin (e);
    case PARAM_BOOL:
      return new_switch (e);
    case PARAM_ENUM:
      return new_choice (e);
    case PARAM_U64:
      return gesso_seed_editor_new (e->form, e->param->key);
    case PARAM_STRING:
    case PARAM_LIST:
      return new_text (e);
    case PARAM_PATH:
      break;
    }
  GtkWidget *picker = new_picker (e, library);
  return picker ? picker : new_file (e);
}

static void
editor_free (gpointer data)
{
  Editor *e = data;
  g_object_unref (e->form);
  g_free (e);
}

const char *
gesso_parameter_editor_get_label (const RecipeParam *param)
{
  g_return_val_if_fail (param != NULL, NULL);
  /* Denoise of a start picture reads better as how much it may change. */
  return g_str_equal (param->key, "denoise") ? _ ("Change") : _ (param->label);
}

GtkWidget *
gesso_parameter_editor_new (GessoForm *form, const RecipeParam *param, GessoLibrary *library)
{
  g_return_val_if_fail (GESSO_IS_FORM (form) && param, NULL);
  Editor *e = g_new0 (Editor, 1);
  e->form = g_object_ref (form);
  e->param = param;
  e->updating = TRUE;
  e->widget = new_widget (e, library);
  e->updating = FALSE;
  GtkWidget *widget = e->widget;
  g_object_set_data_full (G_OBJECT (widget), "editor", e, editor_free);
  gtk_accessible_update_property (GTK_ACCESSIBLE (widget), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  gesso_parameter_editor_get_label (param),
                                  GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, _ (param->help), -1);
  if (!e->update) /* pickers and seeds follow the form themselves */
    return widget;
  g_autofree char *detail = g_strconcat ("changed::", param->key, NULL);
  g_signal_connect_object (form, detail, G_CALLBACK (update_widget), widget, G_CONNECT_SWAPPED);
  g_signal_connect_object (form, "filled", G_CALLBACK (update_widget), widget, G_CONNECT_SWAPPED);
  update_editor (e);
  return widget;
}
