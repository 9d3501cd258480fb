/* SPDX-License-Identifier: MPL-2.0
 * gesso-device-group.c - the part of the preferences that says what computes.
 *
 * The setting "devices" names what is switched on; it is empty while that is what one gets without
 * a choice, so that a card that comes later is used.
 */
#include "app/gesso-device-group.h"

#include <glib/gi18n.h>
#include <math.h>

#include "app/gesso-application.h"
#include "app/gesso-name.h"
#include "app/gesso-wheel.h"

#define KEY "devices"
#define LIMIT_KEY "vram-limit-mib"

static const double GIB = 1 << 30, MIB_OF_GIB = 1024;

enum
{
  LIMIT_DELAY_MS = 700 /* after the last press of a button: each limit starts workers anew */
};

/* Lives as long as the group. */
typedef struct
{
  GessoWindow *window;
  AdwPreferencesGroup *group;
  GtkWidget *searching;
  GPtrArray *devices;  /* of GessoDevice; NULL until they are known */
  GPtrArray *switches; /* of GtkSwitch, borrowed: one for each device, NULL for those without */
  GCancellable *cancellable;
  GtkAdjustment *limit; /* GiB; 0 for none; NULL without a card */
  guint limit_timer;
} Devices;

static gboolean
keep_limit_cb (gpointer data)
{
  Devices *d = data;
  g_clear_handle_id (&d->limit_timer, g_source_remove);
  g_settings_set_int (gesso_window_get_settings (d->window), LIMIT_KEY,
                      (int) lround (gtk_adjustment_get_value (d->limit) * MIB_OF_GIB));
  return G_SOURCE_REMOVE;
}

static void
devices_free (gpointer data)
{
  Devices *d = data;
  if (d->limit_timer)
    keep_limit_cb (d);
  g_clear_object (&d->limit);
  g_cancellable_cancel (d->cancellable);
  g_object_unref (d->cancellable);
  g_object_unref (d->window);
  g_clear_pointer (&d->devices, g_ptr_array_unref);
  g_ptr_array_unref (d->switches);
  g_free (d);
}

static Devices *
devices_of (gpointer group)
{
  return g_object_get_data (G_OBJECT (group), "devices");
}

/* ---- what is chosen ---- */

static gboolean
has_card (Devices *d)
{
  for (guint i = 0; i < d->devices->len; i++)
    if (gesso_device_is_card (((GessoDevice *) g_ptr_array_index (d->devices, i))->name))
      return TRUE;
  return FALSE;
}

/* With an empty setting: all cards, or the processor where there is none. */
static gboolean
is_default (Devices *d, const GessoDevice *device)
{
  return device->name && gesso_device_is_card (device->name) == has_card (d);
}

static gboolean
is_chosen (Devices *d, const GessoDevice *device)
{
  g_autofree char *setting = g_settings_get_string (gesso_window_get_settings (d->window), KEY);
  g_auto (GStrv) names = g_strsplit (setting, ",", -1);
  if (!*setting)
    return is_default (d, device);
  return device->name && g_strv_contains ((const char *const *) names, device->name);
}

/* The last one stays: something has to compute. */
static void
hold_last (Devices *d)
{
  int n = 0;
  for (guint i = 0; i < d->switches->len; i++)
    {
      GtkSwitch *widget = g_ptr_array_index (d->switches, i);
      n += widget && gtk_switch_get_active (widget);
    }
  for (guint i = 0; i < d->switches->len; i++)
    {
      GtkSwitch *widget = g_ptr_array_index (d->switches, i);
      if (widget)
        gtk_widget_set_sensitive (GTK_WIDGET (widget), n > 1 || !gtk_switch_get_active (widget));
    }
}

static void
switched_cb (GtkSwitch *widget, GParamSpec *pspec, gpointer group)
{
  Devices *d = devices_of (group);
  g_autoptr (GString) names = g_string_new (NULL);
  gboolean as_default = TRUE;
  for (guint i = 0; i < d->switches->len; i++)
    {
      const GessoDevice *device = g_ptr_array_index (d->devices, i);
      GtkSwitch *own = g_ptr_array_index (d->switches, i);
      gboolean active = own && gtk_switch_get_active (own);
      as_default &= active == is_default (d, device);
      if (active)
        g_string_append_printf (names, "%s%s", names->len > 0 ? "," : "", device->name);
    }
  hold_last (d);
  g_settings_set_string (gesso_window_get_settings (d->window), KEY, as_default ? "" : names->str);
}

/* ---- rows ---- */

static GtkWidget *
new_row (const char *title, const char *subtitle)
{
  GtkWidget *row = adw_action_row_new ();
  g_autofree char *escaped = g_markup_escape_text (title, -1);
  g_autofree char *below = g_markup_escape_text (subtitle, -1);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), escaped);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), below);
  adw_action_row_set_title_lines (ADW_ACTION_ROW (row), 2);
  return row;
}

static GtkWidget *
new_device_row (const GessoDevice *device)
{
  if (!device->name)
    return new_row (_ ("NVIDIA card"), device->title);
  if (device->memory_bytes == 0)
    return new_row (device->title, "");
  /* Translators: of a card: its memory, and its name on the command line */
  g_autofree char *subtitle =
      g_strdup_printf (_ ("%.1f GiB · %s"), (double) device->memory_bytes / GIB, device->name);
  return new_row (device->title, subtitle);
}

static GtkSwitch *
add_switch (Devices *d, GtkWidget *row, const GessoDevice *device)
{
  GtkWidget *widget = gtk_switch_new ();
  gtk_switch_set_active (GTK_SWITCH (widget), is_chosen (d, device));
  gtk_widget_set_valign (widget, GTK_ALIGN_CENTER);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), widget);
  adw_action_row_set_activatable_widget (ADW_ACTION_ROW (row), widget);
  g_signal_connect_object (widget, "notify::active", G_CALLBACK (switched_cb), d->group, 0);
  return GTK_SWITCH (widget);
}

/* ---- how much of a card's memory ---- */

static void
limit_cb (Devices *d)
{
  g_clear_handle_id (&d->limit_timer, g_source_remove);
  d->limit_timer = g_timeout_add (LIMIT_DELAY_MS, keep_limit_cb, d);
}

/* "No limit" for 0. */
static gboolean
show_limit_cb (GtkSpinButton *spin, gpointer user_data)
{
  double gib = gtk_spin_button_get_value (spin);
  g_autofree char *text = gib > 0 ? g_strdup_printf ("%.1f", gib) : g_strdup (_ ("No limit"));
  if (g_strcmp0 (text, gtk_editable_get_text (GTK_EDITABLE (spin))) != 0)
    gtk_editable_set_text (GTK_EDITABLE (spin), text);
  return TRUE;
}

/* "No limit", and whatever is no number, is 0. */
static int
read_limit_cb (GtkSpinButton *spin, double *gib, gpointer user_data)
{
  g_autofree char *text = g_strdup (gtk_editable_get_text (GTK_EDITABLE (spin)));
  *gib = MAX (0, g_strtod (g_strstrip (text), NULL));
  return TRUE;
}

static double
largest_card_gib (Devices *d)
{
  guint64 bytes = 0;
  for (guint i = 0; i < d->devices->len; i++)
    bytes = MAX (bytes, ((GessoDevice *) g_ptr_array_index (d->devices, i))->memory_bytes);
  return (double) bytes / GIB;
}

static void
add_limit (Devices *d)
{
  double now = g_settings_get_int (gesso_window_get_settings (d->window), LIMIT_KEY) / MIB_OF_GIB;
  double most = largest_card_gib (d);
  if (most <= 0)
    return;
  d->limit = g_object_ref_sink (gtk_adjustment_new (now, 0, MAX (most, now), 0.1, 1, 0));
  GtkWidget *spin = gtk_spin_button_new (d->limit, 0.1, 1);
  GtkWidget *row = new_row (_ ("Memory limit of each card, GiB"),
                            _ ("Leaves the rest to other programs. From the next job on."));
  gtk_widget_set_valign (spin, GTK_ALIGN_CENTER);
  gesso_wheel_leave_to_page (spin);
  gtk_editable_set_width_chars (GTK_EDITABLE (spin), (int) g_utf8_strlen (_ ("No limit"), -1));
  g_signal_connect (spin, "output", G_CALLBACK (show_limit_cb), NULL);
  g_signal_connect (spin, "input", G_CALLBACK (read_limit_cb), NULL);
  gtk_spin_button_update (GTK_SPIN_BUTTON (spin));
  gesso_name (spin, _ ("Memory limit of each card, GiB"));
  g_signal_connect_swapped (d->limit, "value-changed", G_CALLBACK (limit_cb), d);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), spin);
  adw_action_row_set_activatable_widget (ADW_ACTION_ROW (row), spin);
  adw_preferences_group_add (d->group, row);
}

/* With one device there is nothing to choose. */
static void
list_devices (Devices *d)
{
  guint n_usable = 0;
  for (guint i = 0; i < d->devices->len; i++)
    n_usable += ((GessoDevice *) g_ptr_array_index (d->devices, i))->name != NULL;
  for (guint i = 0; i < d->devices->len; i++)
    {
      const GessoDevice *device = g_ptr_array_index (d->devices, i);
      GtkWidget *row = new_device_row (device);
      adw_preferences_group_add (d->group, row);
      g_ptr_array_add (d->switches,
                       n_usable > 1 && device->name ? add_switch (d, row, device) : NULL);
    }
  hold_last (d);
  add_limit (d);
}

/* What the session computes on, when nobody may choose. */
static void
list_used (Devices *d)
{
  const char *text = gesso_session_get_device (gesso_window_get_session (d->window));
  g_auto (GStrv) lines = g_strsplit (*text ? text : _ ("Starting…"), "\n", -1);
  for (int i = 0; lines[i]; i++)
    adw_preferences_group_add (d->group, new_row (lines[i], ""));
}

static void
listed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GtkWidget) group = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) devices = gesso_session_list_devices_finish (result, &error);
  Devices *d = devices_of (group);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  adw_preferences_group_remove (d->group, d->searching);
  if (!devices || devices->len == 0)
    {
      list_used (d);
      return;
    }
  d->devices = g_steal_pointer (&devices);
  list_devices (d);
}

GtkWidget *
gesso_device_group_new (GessoWindow *window)
{
  g_return_val_if_fail (GESSO_IS_WINDOW (window), NULL);
  GtkApplication *app = gtk_window_get_application (GTK_WINDOW (window));
  GtkWidget *group = adw_preferences_group_new ();
  Devices *d = g_new0 (Devices, 1);
  *d = (Devices){ .window = g_object_ref (window),
                  .group = ADW_PREFERENCES_GROUP (group),
                  .switches = g_ptr_array_new (),
                  .cancellable = g_cancellable_new () };
  g_object_set_data_full (G_OBJECT (group), "devices", d, devices_free);
  adw_preferences_group_set_title (d->group, _ ("Devices"));
  if (gesso_application_has_backends (GESSO_APPLICATION (app)))
    {
      list_used (d);
      return group;
    }
  adw_preferences_group_set_description (d->group,
                                         _ ("Each takes the next job as soon as it is free."));
  d->searching = new_row (_ ("Looking for devices…"), "");
  adw_preferences_group_add (d->group, d->searching);
  gesso_session_list_devices_async (gesso_window_get_session (window), d->cancellable, listed_cb,
                                    g_object_ref (group));
  return group;
}
