/* SPDX-License-Identifier: MPL-2.0
 * gesso-export-choices.c - what kind of film is wanted: format, quality, colour resolution, rate.
 */
#include "app/gesso-export-choices.h"

#include <glib/gi18n.h>

#include "app/gesso-name.h"

#define KEY_FORMAT "export-format"
#define KEY_QUALITY "export-quality"
#define KEY_FULL_CHROMA "export-full-chroma"

struct _GessoExportChoices
{
  AdwPreferencesGroup parent_instance;
  GSettings *settings;
  GtkWidget *format, *quality, *chroma, *chroma_switch, *rate;
};

G_DEFINE_FINAL_TYPE (GessoExportChoices, gesso_export_choices, ADW_TYPE_PREFERENCES_GROUP)

static guint changed_signal;

static const char *const format_labels[FILM_N_FORMATS] = {
  [FILM_H264] = N_ ("MP4, H.264 (plays everywhere)"),
  [FILM_H265] = N_ ("MP4, H.265"),
  [FILM_AV1] = N_ ("MP4, AV1"),
  [FILM_VP9] = N_ ("WebM, VP9"),
  [FILM_WEBM] = N_ ("WebM, AV1"),
  [FILM_FFV1] = N_ ("MKV, FFV1 (lossless)"),
  [FILM_PRORES] = N_ ("MOV, ProRes (for editing)"),
  [FILM_WEBP] = N_ ("Moving WebP"),
  [FILM_GIF] = N_ ("GIF"),
  [FILM_PNG] = N_ ("Folder of PNG pictures"),
  [FILM_CLIP] = N_ ("Clip of Gesso (lossless)"),
};
static const char *const quality_labels[FILM_N_QUALITIES] = { N_ ("Draft"), N_ ("Standard"),
                                                              N_ ("High") };

static gboolean
has_quality (FilmFormat format)
{
  return format != FILM_FFV1 && format != FILM_GIF && format != FILM_PNG && format != FILM_CLIP;
}

static gboolean
has_chroma (FilmFormat format)
{
  return film_format_info (format)->needs_gstreamer && format != FILM_FFV1;
}

/* ---- what was chosen ---- */

FilmFormat
gesso_export_choices_get_format (GessoExportChoices *self)
{
  g_return_val_if_fail (GESSO_IS_EXPORT_CHOICES (self), FILM_H264);
  return (FilmFormat) adw_combo_row_get_selected (ADW_COMBO_ROW (self->format));
}

static FilmQuality
chosen_quality (GessoExportChoices *self)
{
  return (FilmQuality) adw_combo_row_get_selected (ADW_COMBO_ROW (self->quality));
}

static gboolean
wants_full_chroma (GessoExportChoices *self)
{
  return gtk_switch_get_active (GTK_SWITCH (self->chroma_switch));
}

char *
gesso_export_choices_read (GessoExportChoices *self, FilmCopyOptions *options)
{
  g_return_val_if_fail (GESSO_IS_EXPORT_CHOICES (self), NULL);
  FilmFormat format = gesso_export_choices_get_format (self);
  Status status = { 0 };
  const char *package = NULL;
  if (!film_can_write (format, &package))
    return g_strdup_printf (_ ("This format needs the package %s."), package);
  if (!frame_rate_parse (&options->rate, gtk_editable_get_text (GTK_EDITABLE (self->rate)),
                         &status))
    return g_strdup (status.message);
  options->film.format = format;
  options->film.quality = chosen_quality (self);
  options->film.full_chroma = has_chroma (format) && wants_full_chroma (self);
  return NULL;
}

void
gesso_export_choices_set_format (GessoExportChoices *self, FilmFormat format)
{
  g_return_if_fail (GESSO_IS_EXPORT_CHOICES (self));
  adw_combo_row_set_selected (ADW_COMBO_ROW (self->format), format);
}

void
gesso_export_choices_set_rate (GessoExportChoices *self, const char *text)
{
  g_return_if_fail (GESSO_IS_EXPORT_CHOICES (self));
  gtk_editable_set_text (GTK_EDITABLE (self->rate), text);
}

/* "30000/1001" or "16". */
void
gesso_export_choices_propose_rate (GessoExportChoices *self, FrameRate rate)
{
  FrameRate r = frame_rate_is_valid (rate) ? rate : (FrameRate){ 16, 1 };
  g_autofree char *text =
      r.den == 1 ? g_strdup_printf ("%d", r.num) : g_strdup_printf ("%d/%d", r.num, r.den);
  gesso_export_choices_set_rate (self, text);
}

/* ---- settings ---- */

void
gesso_export_choices_keep (GessoExportChoices *self)
{
  g_return_if_fail (GESSO_IS_EXPORT_CHOICES (self));
  FilmFormat format = gesso_export_choices_get_format (self);
  g_settings_set_string (self->settings, KEY_FORMAT, film_format_info (format)->name);
  g_settings_set_string (self->settings, KEY_QUALITY, film_quality_name (chosen_quality (self)));
  g_settings_set_boolean (self->settings, KEY_FULL_CHROMA, wants_full_chroma (self));
}

/* Names that another version wrote are passed over. */
static void
recall (GessoExportChoices *self)
{
  Status status = { 0 }, other = { 0 };
  FilmFormat format;
  FilmQuality quality;
  g_autofree char *format_name = g_settings_get_string (self->settings, KEY_FORMAT);
  g_autofree char *quality_name = g_settings_get_string (self->settings, KEY_QUALITY);
  if (!film_format_parse (&format, format_name, &status))
    format = FILM_H264;
  if (!film_quality_parse (&quality, quality_name, &other))
    quality = FILM_STANDARD;
  adw_combo_row_set_selected (ADW_COMBO_ROW (self->format), format);
  adw_combo_row_set_selected (ADW_COMBO_ROW (self->quality), quality);
  gtk_switch_set_active (GTK_SWITCH (self->chroma_switch),
                         g_settings_get_boolean (self->settings, KEY_FULL_CHROMA));
}

/* ---- building ---- */

static void
changed_cb (GessoExportChoices *self)
{
  FilmFormat format = gesso_export_choices_get_format (self);
  gtk_widget_set_visible (self->quality, has_quality (format));
  gtk_widget_set_visible (self->chroma, has_chroma (format));
  g_signal_emit (self, changed_signal, 0);
}

static GtkWidget *
new_combo (const char *title, const char *const *labels, int n)
{
  GtkWidget *row = adw_combo_row_new ();
  g_autoptr (GtkStringList) model = gtk_string_list_new (NULL);
  for (int i = 0; i < n; i++)
    gtk_string_list_append (model, _ (labels[i]));
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_combo_row_set_model (ADW_COMBO_ROW (row), G_LIST_MODEL (model));
  return row;
}

static GtkWidget *
new_row (const char *title, const char *subtitle, GtkWidget *suffix)
{
  GtkWidget *row = adw_action_row_new ();
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), subtitle);
  gtk_widget_set_valign (suffix, GTK_ALIGN_CENTER);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), suffix);
  adw_action_row_set_activatable_widget (ADW_ACTION_ROW (row), suffix);
  gesso_name (suffix, title);
  return row;
}

static void
gesso_export_choices_finalize (GObject *object)
{
  g_clear_object (&GESSO_EXPORT_CHOICES (object)->settings);
  G_OBJECT_CLASS (gesso_export_choices_parent_class)->finalize (object);
}

static void
gesso_export_choices_class_init (GessoExportChoicesClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gesso_export_choices_finalize;
  changed_signal = g_signal_new ("changed", GESSO_TYPE_EXPORT_CHOICES, G_SIGNAL_RUN_LAST, 0, NULL,
                                 NULL, NULL, G_TYPE_NONE, 0);
}

static void
gesso_export_choices_init (GessoExportChoices *self)
{
  self->format = new_combo (_ ("Format"), format_labels, FILM_N_FORMATS);
  self->quality = new_combo (_ ("Quality"), quality_labels, FILM_N_QUALITIES);
  self->chroma_switch = gtk_switch_new ();
  self->chroma = new_row (_ ("Full colour resolution"),
                          _ ("Keeps fine coloured lines (4:4:4); fewer programs play it."),
                          self->chroma_switch);
  self->rate = gtk_entry_new ();
  gtk_entry_set_activates_default (GTK_ENTRY (self->rate), TRUE);
  gtk_editable_set_max_width_chars (GTK_EDITABLE (self->rate), 10);
  gtk_editable_set_width_chars (GTK_EDITABLE (self->rate), 10);
  GtkWidget *const rows[] = { self->format, self->quality, self->chroma,
                              new_row (_ ("Frames per second"), "", self->rate) };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    adw_preferences_group_add (ADW_PREFERENCES_GROUP (self), rows[i]);
  g_signal_connect_swapped (self->format, "notify::selected", G_CALLBACK (changed_cb), self);
  g_signal_connect_swapped (self->rate, "changed", G_CALLBACK (changed_cb), self);
}

GtkWidget *
gesso_export_choices_new (GSettings *settings)
{
  g_return_val_if_fail (G_IS_SETTINGS (settings), NULL);
  GessoExportChoices *self = g_object_new (GESSO_TYPE_EXPORT_CHOICES, NULL);
  self->settings = g_object_ref (settings);
  recall (self);
  changed_cb (self);
  return GTK_WIDGET (self);
}
