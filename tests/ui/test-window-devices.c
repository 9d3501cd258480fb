/* SPDX-License-Identifier: MPL-2.0
 * test-window-devices.c - several devices: jobs that run at once, and which devices are used.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-devices build/tests/session/fake-worker, with
 * GESSO_DATA and GESSO_TEST_WORKER set.
 */
#include <string.h>

#include "app/gesso-preferences.h"
#include "app/gesso-queue-row.h"
#include "window-fixture.h"

static const char *fake_worker;

static void
setup_with (Fixture *f, const char *backends)
{
  g_autofree char *real = g_strdup (g_getenv ("GESSO_TEST_WORKER"));
  g_setenv ("GESSO_TEST_WORKER", fake_worker, TRUE);
  g_setenv ("GESSO_TEST_BACKENDS", backends, TRUE);
  setup (f, NULL);
  g_setenv ("GESSO_TEST_WORKER", real, TRUE);
}

static void
setup_two (Fixture *f, gconstpointer unused)
{
  setup_with (f, "a,b");
}

static void
setup_cards (Fixture *f, gconstpointer unused)
{
  g_setenv ("GESSO_FAKE_CARDS", "2", TRUE);
  setup_with (f, "settings");
}

static void
setup_gone (Fixture *f, gconstpointer unused)
{
  g_setenv ("GESSO_FAKE_FAILS", "auto", TRUE);
  setup_with (f, "settings");
}

static void
teardown_gone (Fixture *f, gconstpointer unused)
{
  teardown (f, NULL);
  g_unsetenv ("GESSO_FAKE_FAILS");
}

static void
teardown_cards (Fixture *f, gconstpointer unused)
{
  teardown (f, NULL);
  g_unsetenv ("GESSO_FAKE_CARDS");
}

static GtkWidget *
stage (Fixture *f)
{
  return GTK_WIDGET (gesso_create_page_get_stage (f->page));
}

/* ---- two jobs at once ---- */

static void
add_holding (Fixture *f)
{
  static const char *const recipes[] = {
    "{\"version\": 1, \"model\": \"m\", \"prompt\": \"hold 1\", \"width\": 64, \"height\": 64}",
    "{\"version\": 1, \"model\": \"m\", \"prompt\": \"hold 2\", \"width\": 64, \"height\": 64}",
    NULL
  };
  gesso_queue_add_async (f->queue, recipes, GESSO_QUEUE_LAST, NULL, NULL, NULL);
}

static gboolean
both_run (Fixture *f)
{
  return gesso_queue_get_n_running (f->queue) == 2 && gesso_job_get_preview (job_at (f, 0)) &&
         gesso_job_get_preview (job_at (f, 1)) && gesso_job_get_step (job_at (f, 0)) == 1 &&
         gesso_job_get_step (job_at (f, 1)) == 1;
}

static gboolean
other_is_counted (Fixture *f)
{
  return find_label (stage (f), "1 more runs") != NULL;
}

static gboolean
none_is_counted (Fixture *f)
{
  return !other_is_counted (f) && find_label (stage (f), "Step 1 of 4");
}

static gboolean
one_runs (Fixture *f)
{
  return gesso_queue_get_n_running (f->queue) == 1;
}

static gboolean
none_runs (Fixture *f)
{
  return gesso_queue_get_n_running (f->queue) == 0;
}

static gboolean
both_rows_show_steps (Fixture *f)
{
  GtkWidget *pane = GTK_WIDGET (gesso_window_get_queue_pane (f->window));
  GtkWidget *first = find_label (pane, "hold 1"), *second = find_label (pane, "hold 2");
  GtkWidget *rows[] = { first ? gtk_widget_get_ancestor (first, GESSO_TYPE_QUEUE_ROW) : NULL,
                        second ? gtk_widget_get_ancestor (second, GESSO_TYPE_QUEUE_ROW) : NULL };
  return rows[0] && rows[1] && find_label (rows[0], "Step 1 of 4") &&
         find_label (rows[1], "Step 1 of 4");
}

static void
test_two_at_once (Fixture *f, gconstpointer unused)
{
  add_holding (f);
  WAIT (f, both_run);
  act (f, "win.show-queue");
  WAIT (f, both_rows_show_steps);
  WAIT (f, other_is_counted);
  GessoJob *first = job_at (f, 0), *second = job_at (f, 1);
  gesso_queue_pane_select (gesso_window_get_queue_pane (f->window), 0);
  g_assert_true (gesso_queue_get_running (f->queue) == first);
  gesso_queue_pane_select (gesso_window_get_queue_pane (f->window), 1);
  g_assert_true (gesso_queue_get_running (f->queue) == second);
  act (f, "win.stop"); /* the one that is looked at */
  WAIT (f, one_runs);
  g_assert_cmpint (gesso_job_get_state (first), ==, GESSO_JOB_RUNNING);
  WAIT (f, none_is_counted);
  act (f, "win.cancel-all");
  WAIT (f, none_runs);
}

/* ---- which are used ---- */

static GtkWidget *preferences;

static GtkWidget *
find_row (GtkWidget *widget, const char *title)
{
  if (ADW_IS_ACTION_ROW (widget) &&
      g_str_equal (adw_preferences_row_get_title (ADW_PREFERENCES_ROW (widget)), title))
    return widget;
  GtkWidget *found = NULL;
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child && !found;
       child = gtk_widget_get_next_sibling (child))
    found = find_row (child, title);
  return found;
}

static GtkSwitch *
switch_of (const char *title)
{
  GtkWidget *row = find_row (preferences, title);
  GtkWidget *widget = row ? adw_action_row_get_activatable_widget (ADW_ACTION_ROW (row)) : NULL;
  return widget ? GTK_SWITCH (widget) : NULL;
}

static gboolean
devices_are_listed (Fixture *f)
{
  return switch_of ("Fake processor") != NULL;
}

static gboolean
two_work (Fixture *f)
{
  return g_str_equal (gesso_session_get_device (f->session), "Fake device\nFake device");
}

static gboolean
one_works (Fixture *f)
{
  return g_str_equal (gesso_session_get_device (f->session), "Fake device");
}

static void
assert_setting (Fixture *f, const char *expected)
{
  g_autofree char *value = g_settings_get_string (gesso_window_get_settings (f->window), "devices");
  g_assert_cmpstr (value, ==, expected);
}

static void
open_preferences (Fixture *f)
{
  preferences = GTK_WIDGET (gesso_preferences_new (f->window));
  gtk_window_present (GTK_WINDOW (preferences));
  WAIT (f, devices_are_listed);
}

/* Until kernels have run on a card, one is used only when it is chosen. */
static void
assert_processor_is_the_default (Fixture *f)
{
  g_autoptr (GVariant) value =
      g_settings_get_default_value (gesso_window_get_settings (f->window), "devices");
  g_assert_cmpstr (g_variant_get_string (value, NULL), ==, "cpu");
}

static void
test_choosing_devices (Fixture *f, gconstpointer unused)
{
  assert_processor_is_the_default (f);
  WAIT (f, two_work);
  open_preferences (f);
  GtkSwitch *first = switch_of ("Fake card 0"), *second = switch_of ("Fake card 1"),
            *cpu = switch_of ("Fake processor");
  g_assert_true (gtk_switch_get_active (first) && gtk_switch_get_active (second));
  g_assert_false (gtk_switch_get_active (cpu));
  gtk_switch_set_active (second, FALSE);
  assert_setting (f, "cuda:0");
  WAIT (f, one_works);
  g_assert_false (gtk_widget_get_sensitive (GTK_WIDGET (first))); /* the last one */
  gtk_switch_set_active (cpu, TRUE);
  assert_setting (f, "cuda:0,cpu");
  g_assert_true (gtk_widget_get_sensitive (GTK_WIDGET (first)));
  WAIT (f, two_work);
  gtk_switch_set_active (first, FALSE);
  assert_setting (f, "cpu");
  gtk_window_destroy (GTK_WINDOW (preferences));
  open_preferences (f);
  g_assert_false (gtk_switch_get_active (switch_of ("Fake card 0")));
  g_assert_true (gtk_switch_get_active (switch_of ("Fake processor")));
  gtk_switch_set_active (switch_of ("Fake card 0"), TRUE);
  gtk_switch_set_active (switch_of ("Fake card 1"), TRUE);
  gtk_switch_set_active (switch_of ("Fake processor"), FALSE);
  assert_setting (f, ""); /* all cards, also later ones */
  WAIT (f, two_work);
  gtk_window_destroy (GTK_WINDOW (preferences));
}

/* ---- the memory limit ---- */

static gboolean
both_are_limited (Fixture *f)
{
  return g_str_equal (gesso_session_get_device (f->session),
                      "Fake device, at most 512 MiB\nFake device, at most 512 MiB");
}

static GtkSpinButton *
limit_spin (void)
{
  GtkWidget *row = find_row (preferences, "Memory limit of each card, GiB");
  return GTK_SPIN_BUTTON (adw_action_row_get_activatable_widget (ADW_ACTION_ROW (row)));
}

static void
restart (Fixture *f)
{
  g_autofree char *real = g_strdup (g_getenv ("GESSO_TEST_WORKER"));
  stop (f);
  g_setenv ("GESSO_TEST_WORKER", fake_worker, TRUE);
  start_in (f, f->dir);
  g_setenv ("GESSO_TEST_WORKER", real, TRUE);
}

static void
test_memory_limit (Fixture *f, gconstpointer unused)
{
  WAIT (f, two_work);
  open_preferences (f);
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (limit_spin ())), ==, "No limit");
  gtk_spin_button_set_value (limit_spin (), 0.5);
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (limit_spin ())), ==, "0.5");
  WAIT (f, both_are_limited);
  gtk_window_destroy (GTK_WINDOW (preferences));
  restart (f);
  WAIT (f, both_are_limited);
  open_preferences (f);
  g_assert_cmpfloat (gtk_spin_button_get_value (limit_spin ()), ==, 0.5);
  gtk_editable_set_text (GTK_EDITABLE (limit_spin ()), "no number");
  gtk_spin_button_update (limit_spin ());
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (limit_spin ())), ==, "No limit");
  gtk_window_destroy (GTK_WINDOW (preferences)); /* what was not kept yet is */
  WAIT (f, two_work);
}

/* ---- a card that cannot be used ---- */

static gboolean
reason_is_on_the_banner (Fixture *f)
{
  const char *text = gesso_banner_get_text (gesso_window_get_banner (f->window));
  return g_strcmp0 (text, "The engine cannot start: There is no such card.") == 0;
}

static gboolean
nothing_is_on_the_banner (Fixture *f)
{
  return !gesso_banner_get_text (gesso_window_get_banner (f->window));
}

static gboolean
waits (Fixture *f)
{
  return n_jobs (f) == 1 && gesso_job_get_state (job_at (f, 0)) == GESSO_JOB_WAITING;
}

static void
test_cpu_is_offered (Fixture *f, gconstpointer unused)
{
  static const char *const recipes[] = {
    "{\"version\": 1, \"model\": \"m\", \"prompt\": \"a\", \"width\": 64, \"height\": 64}", NULL
  };
  WAIT (f, reason_is_on_the_banner);
  gesso_queue_add_async (f->queue, recipes, GESSO_QUEUE_LAST, NULL, NULL, NULL);
  WAIT (f, waits);
  GtkWidget *button = find_button_anywhere ("_Use the CPU");
  g_assert_true (gtk_widget_get_mapped (button));
  g_signal_emit_by_name (button, "clicked");
  WAIT (f, has_one_picture);
  WAIT (f, nothing_is_on_the_banner);
  g_assert_false (gesso_session_offers_cpu (f->session));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  g_assert_cmpint (argc, ==, 2);
  fake_worker = argv[1];
  g_test_add ("/ui/devices/two-at-once", Fixture, NULL, setup_two, test_two_at_once, teardown);
  g_test_add ("/ui/devices/choosing", Fixture, NULL, setup_cards, test_choosing_devices,
              teardown_cards);
  g_test_add ("/ui/devices/memory-limit", Fixture, NULL, setup_cards, test_memory_limit,
              teardown_cards);
  g_test_add ("/ui/devices/cpu-is-offered", Fixture, NULL, setup_gone, test_cpu_is_offered,
              teardown_gone);
  return g_test_run ();
}
