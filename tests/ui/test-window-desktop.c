/* SPDX-License-Identifier: MPL-2.0
 * test-window-desktop.c - the window and the desktop around it: keyboard, notifications, suspend,
 * what is restored.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-desktop, with GESSO_DATA and
 * GESSO_TEST_WORKER set.
 */
#include <string.h>

#include "window-fixture.h"

/* ---- keyboard ---- */

static gboolean
is_control (GtkWidget *widget)
{
  return GTK_IS_BUTTON (widget) || GTK_IS_TEXT (widget) || GTK_IS_TEXT_VIEW (widget) ||
         GTK_IS_SWITCH (widget) || GTK_IS_SCALE (widget) || GESSO_IS_CANVAS (widget);
}

/* Of the header bar, whose buttons for the window are the desktop's. */
static gboolean
is_the_desktops (GtkWidget *widget)
{
  return gtk_widget_get_ancestor (widget, GTK_TYPE_WINDOW_CONTROLS) != NULL;
}

/* A number's plus and minus are its Up and Down keys, and what is in a list has the arrows; so have
 * the pages' buttons of a newer libadwaita (1.7, not 1.2). */
static gboolean
has_other_keys (GtkWidget *widget)
{
  return gtk_widget_get_ancestor (widget, GTK_TYPE_LIST_VIEW) ||
         (adw_get_minor_version () >= 7 &&
          gtk_widget_get_ancestor (widget, ADW_TYPE_VIEW_SWITCHER)) ||
         (GTK_IS_BUTTON (widget) && gtk_widget_get_ancestor (widget, GTK_TYPE_SPIN_BUTTON));
}

static void
collect (GtkWidget *widget, GHashTable *out)
{
  if (!gtk_widget_get_mapped (widget) || !gtk_widget_get_sensitive (widget) ||
      GTK_IS_POPOVER (widget))
    return;
  if (is_control (widget) && gtk_widget_get_focusable (widget) && !is_the_desktops (widget) &&
      !has_other_keys (widget))
    g_hash_table_add (out, widget);
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child;
       child = gtk_widget_get_next_sibling (child))
    collect (child, out);
}

/* Returns: how many controls Tab never came to; names them */
static guint
tab_through (Fixture *f)
{
  g_autoptr (GHashTable) wanted = g_hash_table_new (NULL, NULL);
  collect (GTK_WIDGET (f->window), wanted);
  guint n_wanted = g_hash_table_size (wanted);
  /* on the gallery ten with a newer libadwaita, whose pages' buttons have other keys */
  g_assert_cmpuint (n_wanted, >, adw_get_minor_version () >= 7 ? 9 : 10);
  for (guint i = 0; i < 6 * n_wanted && g_hash_table_size (wanted) > 0; i++)
    {
      g_signal_emit_by_name (f->window, "move-focus", GTK_DIR_TAB_FORWARD);
      g_hash_table_remove (wanted, gtk_window_get_focus (GTK_WINDOW (f->window)));
    }
  GHashTableIter iter;
  gpointer left;
  g_hash_table_iter_init (&iter, wanted);
  while (g_hash_table_iter_next (&iter, &left, NULL))
    {
      GtkWidget *parent = gtk_widget_get_parent (left);
      g_test_message ("not reached: %s %s in %s", G_OBJECT_TYPE_NAME (left),
                      GTK_IS_BUTTON (left) ? gtk_button_get_icon_name (left) : "",
                      G_OBJECT_TYPE_NAME (parent));
    }
  g_test_message ("%u controls", n_wanted);
  return g_hash_table_size (wanted);
}

/* Where nothing has a place yet, Tab has no order. */
static gboolean
gallery_is_laid_out (Fixture *f)
{
  g_autoptr (GHashTable) controls = g_hash_table_new (NULL, NULL);
  collect (GTK_WIDGET (f->window), controls);
  GHashTableIter iter;
  gpointer control;
  g_hash_table_iter_init (&iter, controls);
  while (g_hash_table_iter_next (&iter, &control, NULL))
    if (gtk_widget_get_width (control) == 0)
      return FALSE;
  return TRUE;
}

static void
test_tab_comes_to_every_control (Fixture *f, gconstpointer unused)
{
  g_settings_set_boolean (gesso_window_get_settings (f->window), "show-queue", TRUE);
  WAIT (f, planned);
  WAIT (f, can_generate);
  act (f, "win.generate");
  WAIT (f, has_one_picture);
  WAIT (f, has_result);
  g_assert_cmpuint (tab_through (f), ==, 0);
  gesso_window_show_page (f->window, "gallery");
  WAIT (f, gallery_is_laid_out);
  g_assert_cmpuint (tab_through (f), ==, 0);
}

/* ---- the desktop's services, as far as the program uses them ---- */

static const char services_xml[] =
    "<node>"
    "<interface name='org.freedesktop.Notifications'>"
    "<method name='Notify'><arg type='s' direction='in'/><arg type='u' direction='in'/>"
    "<arg type='s' direction='in'/><arg type='s' direction='in'/><arg type='s' direction='in'/>"
    "<arg type='as' direction='in'/><arg type='a{sv}' direction='in'/><arg type='i' "
    "direction='in'/>"
    "<arg type='u' direction='out'/></method>"
    "<method name='CloseNotification'><arg type='u' direction='in'/></method>"
    "</interface>"
    "<interface name='org.gnome.SessionManager'>"
    "<method name='RegisterClient'><arg type='s' direction='in'/><arg type='s' direction='in'/>"
    "<arg type='o' direction='out'/></method>"
    "<method name='Inhibit'><arg type='s' direction='in'/><arg type='u' direction='in'/>"
    "<arg type='s' direction='in'/><arg type='u' direction='in'/><arg type='u' direction='out'/>"
    "</method>"
    "<method name='Uninhibit'><arg type='u' direction='in'/></method>"
    "</interface>"
    "</node>";

enum
{
  INHIBIT_SUSPEND = 4, /* GNOME's flag */
  COOKIE = 7
};

/* On a thread of their own: GTK waits for some of their answers. */
typedef struct
{
  GMutex lock;
  GThread *thread;
  GMainLoop *loop;
  GMainContext *context;
  gboolean ready;
  char *picture; /* of the last notification */
  char *summary, *body;
  guint inhibited; /* flags */
  int n_uninhibited;
} Desktop;

static Desktop desktop;

static void
note_notification (GVariant *parameters)
{
  g_autoptr (GVariant) hints = g_variant_get_child_value (parameters, 6);
  const char *icon = NULL, *summary, *body, *path = NULL;
  g_variant_get_child (parameters, 2, "&s", &icon);
  g_variant_get_child (parameters, 3, "&s", &summary);
  g_variant_get_child (parameters, 4, "&s", &body);
  g_variant_lookup (hints, "image-path", "&s", &path);
  desktop.picture = g_strdup (path ? path : icon);
  desktop.summary = g_strdup (summary);
  desktop.body = g_strdup (body);
}

static void
called_cb (GDBusConnection *connection,
           const char *sender,
           const char *path,
           const char *interface,
           const char *method,
           GVariant *parameters,
           GDBusMethodInvocation *invocation,
           gpointer unused)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&desktop.lock);
  GVariant *answer = NULL;
  if (g_str_equal (method, "Notify"))
    {
      note_notification (parameters);
      answer = g_variant_new ("(u)", 1);
    }
  else if (g_str_equal (method, "RegisterClient"))
    answer = g_variant_new ("(o)", "/org/gnome/SessionManager/Client1");
  else if (g_str_equal (method, "Inhibit"))
    {
      g_variant_get_child (parameters, 3, "u", &desktop.inhibited);
      answer = g_variant_new ("(u)", COOKIE);
    }
  else if (g_str_equal (method, "Uninhibit"))
    desktop.n_uninhibited++;
  g_dbus_method_invocation_return_value (invocation, answer);
}

static gpointer
desktop_thread (gpointer unused)
{
  static const struct
  {
    const char *name, *path;
  } services[] = { { "org.freedesktop.Notifications", "/org/freedesktop/Notifications" },
                   { "org.gnome.SessionManager", "/org/gnome/SessionManager" } };
  static const GDBusInterfaceVTable vtable = { called_cb, NULL, NULL, { 0 } };
  g_main_context_push_thread_default (desktop.context);
  g_autofree char *address = g_dbus_address_get_for_bus_sync (G_BUS_TYPE_SESSION, NULL, NULL);
  g_autoptr (GDBusConnection) bus =
      g_dbus_connection_new_for_address_sync (address,
                                              G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                  G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                              NULL, NULL, NULL);
  g_assert_nonnull (bus);
  g_autoptr (GDBusNodeInfo) info = g_dbus_node_info_new_for_xml (services_xml, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (services); i++)
    {
      g_autoptr (GError) error = NULL;
      g_dbus_connection_register_object (bus, services[i].path, info->interfaces[i], &vtable, NULL,
                                         NULL, &error);
      g_assert_no_error (error);
      g_autoptr (GVariant) owned =
          g_dbus_connection_call_sync (bus, "org.freedesktop.DBus", "/", "org.freedesktop.DBus",
                                       "RequestName", g_variant_new ("(su)", services[i].name, 0),
                                       NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);
      g_assert_no_error (error);
    }
  g_mutex_lock (&desktop.lock);
  desktop.ready = TRUE;
  g_mutex_unlock (&desktop.lock);
  g_main_loop_run (desktop.loop);
  g_main_context_pop_thread_default (desktop.context);
  return NULL;
}

static gboolean
desktop_is_ready (Fixture *f)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&desktop.lock);
  return desktop.ready;
}

/* Before the window, which looks once whether they are there. */
static void
setup_with_desktop (Fixture *f, gconstpointer unused)
{
  memset (&desktop, 0, sizeof desktop);
  g_mutex_init (&desktop.lock);
  desktop.context = g_main_context_new ();
  desktop.loop = g_main_loop_new (desktop.context, FALSE);
  desktop.thread = g_thread_new ("desktop", desktop_thread, NULL);
  WAIT (f, desktop_is_ready);
  setup (f, NULL);
}

static void
teardown_with_desktop (Fixture *f, gconstpointer unused)
{
  teardown (f, NULL);
  g_main_loop_quit (desktop.loop);
  g_thread_join (desktop.thread);
  g_main_loop_unref (desktop.loop);
  g_main_context_unref (desktop.context);
  g_free (desktop.picture);
  g_free (desktop.summary);
  g_free (desktop.body);
  g_mutex_clear (&desktop.lock);
}

static gboolean
was_notified (Fixture *f)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&desktop.lock);
  return desktop.summary != NULL;
}

static gboolean
is_inhibited (Fixture *f)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&desktop.lock);
  return desktop.inhibited != 0;
}

static gboolean
is_free_again (Fixture *f)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&desktop.lock);
  return desktop.n_uninhibited > 0;
}

/* GLib 2.74 has to hear the answer to Notify before the program ends: calls are answered in order.
 */
static void
hear_the_answer (Fixture *f)
{
  GDBusConnection *bus = g_application_get_dbus_connection (G_APPLICATION (f->app));
  g_autoptr (GVariant) answer = g_dbus_connection_call_sync (
      bus, "org.freedesktop.Notifications", "/org/freedesktop/Notifications",
      "org.freedesktop.Notifications", "CloseNotification", g_variant_new ("(u)", 99), NULL,
      G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);
  g_assert_nonnull (answer);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static gboolean
looks_elsewhere (Fixture *f)
{
  return !gtk_window_is_active (GTK_WINDOW (f->window));
}

static void
test_end_is_notified_with_the_picture (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  WAIT (f, can_generate);
  GtkWidget *other = gtk_window_new (); /* who looks at ours needs no notification */
  gtk_window_present (GTK_WINDOW (other));
  WAIT (f, looks_elsewhere);
  act (f, "win.generate");
  WAIT (f, has_one_picture);
  WAIT (f, was_notified);
  g_assert_cmpstr (desktop.summary, ==, "The queue is done");
  g_assert_cmpstr (desktop.body, ==, "1 picture was made");
  g_assert_nonnull (desktop.picture);
  g_assert_nonnull (strstr (desktop.picture, gesso_job_get_last_picture (job_at (f, 0))));
  gtk_window_destroy (GTK_WINDOW (other));
  hear_the_answer (f);
}

static void
test_suspend_waits_for_the_queue (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  WAIT (f, can_generate);
  g_assert_false (is_inhibited (f));
  act (f, "win.generate");
  WAIT (f, is_inhibited);
  g_assert_cmpuint (desktop.inhibited & INHIBIT_SUSPEND, ==, INHIBIT_SUSPEND);
  WAIT (f, is_free_again);
  g_assert_true (nothing_waits (f));
}

/* ---- what is restored ---- */

static int wanted_width;

static gboolean
has_wanted_width (Fixture *f)
{
  int width, height;
  gtk_window_get_default_size (GTK_WINDOW (f->window), &width, &height);
  return width == wanted_width;
}

static void
test_window_state_is_restored (Fixture *f, gconstpointer unused)
{
  GSettings *settings = gesso_window_get_settings (f->window);
  gtk_window_set_default_size (GTK_WINDOW (f->window), 1111, 700);
  wanted_width = 1111;
  WAIT (f, has_wanted_width);
  gesso_window_show_page (f->window, "gallery");
  g_settings_set_boolean (settings, "show-queue", TRUE);
  stop (f);
  start_in (f, f->dir);
  int width, height;
  gtk_window_get_default_size (GTK_WINDOW (f->window), &width, &height);
  g_assert_cmpint (width, ==, 1111);
  g_assert_cmpint (height, ==, 700);
  g_autofree char *page = g_settings_get_string (gesso_window_get_settings (f->window), "page");
  g_assert_cmpstr (page, ==, "gallery");
  g_assert_true (gtk_widget_get_mapped (GTK_WIDGET (gesso_window_get_queue_pane (f->window))));
}

static char *crashed_dir;

/* What lies on the disk while the program runs is what a crash leaves: tried until the canvas is in
 * it, since it is written a moment after each change. */
static gboolean
crash_has_canvas (Fixture *f)
{
  g_autofree char *from = g_build_filename (f->dir, "data", NULL);
  g_autofree char *to = g_build_filename (crashed_dir, "data", NULL);
  copy_database (from, to);
  GessoSessionOptions options = { to, to, g_getenv ("GESSO_TEST_WORKER"), "null", 0 };
  g_autoptr (GessoSession) session = gesso_session_new (&options, NULL);
  g_autoptr (GBytes) canvas = session ? gesso_session_dup_draft (session, "canvas") : NULL;
  g_autoptr (GessoDocument) document = gesso_document_new ();
  gboolean ok = canvas && gesso_document_restore (document, canvas, NULL) &&
                gesso_document_has_picture (document) && gesso_document_has_mask (document);
  if (session)
    gesso_session_close (session);
  return ok;
}

static gboolean
is_restored (Fixture *f)
{
  return !gesso_create_page_is_restoring (f->page);
}

static void
test_canvas_survives_a_crash (Fixture *f, gconstpointer unused)
{
  enum
  {
    SIDE = 64
  };
  GessoDocument *document = gesso_create_page_get_document (f->page);
  WAIT (f, planned);
  guint8 *rgb = g_malloc (SIDE * SIDE * 3);
  memset (rgb, 40, SIDE * SIDE * 3);
  g_autoptr (GBytes) bytes = g_bytes_new_take (rgb, SIDE * SIDE * 3);
  GessoRect frame = gesso_document_get_frame (document);
  GessoRect where = { frame.x, frame.y, SIDE, SIDE };
  g_assert_true (gesso_document_put (document, bytes, SIDE, SIDE, &where, NULL));
  gesso_document_invert_mask (document);
  crashed_dir = g_build_filename (f->dir, "crashed", NULL);
  WAIT (f, crash_has_canvas);
  g_autoptr (GBytes) before = gesso_document_serialise (document);
  stop (f);
  start_in (f, crashed_dir);
  WAIT (f, is_restored);
  g_autoptr (GBytes) after = gesso_document_serialise (gesso_create_page_get_document (f->page));
  g_assert_true (g_bytes_equal (before, after));
  g_clear_pointer (&crashed_dir, g_free);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  ADD ("keyboard/tab-comes-to-every-control", test_tab_comes_to_every_control);
  g_test_add ("/ui/desktop/end-is-notified-with-the-picture", Fixture, NULL, setup_with_desktop,
              test_end_is_notified_with_the_picture, teardown_with_desktop);
  g_test_add ("/ui/desktop/suspend-waits-for-the-queue", Fixture, NULL, setup_with_desktop,
              test_suspend_waits_for_the_queue, teardown_with_desktop);
  ADD ("restart/window-state", test_window_state_is_restored);
  ADD ("restart/canvas-after-a-crash", test_canvas_survives_a_crash);
  return g_test_run ();
}
