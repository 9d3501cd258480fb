/* SPDX-License-Identifier: MPL-2.0
 * test-window-keys.c - the key that generates makes what the fields say, and every key is listed.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-keys, with GESSO_DATA and GESSO_TEST_WORKER
 * set.
 */
#include <string.h>

#include "app/gallery/gesso-gallery-page.h"
#include "app/gesso-commands.h"
#include "app/gesso-parameter-row.h"
#include "window-fixture.h"

enum
{
  SIDE = 128 /* px, of a start picture */
};

/* ---- the key that generates ---- */

static gboolean
prompt_is_sharp (Fixture *f)
{
  return g_str_has_suffix (recipe_str (gesso_form_peek (f->form)->prompt), "#");
}

static GtkWidget *
find_toast (Fixture *f)
{
  GType type = g_type_from_name ("AdwToastWidget");
  return type ? nth (GTK_WIDGET (f->window), type, 0) : NULL;
}

static gboolean
line_is_pointed_out (Fixture *f)
{
  GtkWidget *line = find_label (GTK_WIDGET (gesso_create_page_get_generate_bar (f->page)), "⚠");
  return line && gtk_widget_has_css_class (line, "asked");
}

static gboolean
refused_for_the_last_keys (Fixture *f)
{
  return refused (f) && !gesso_planner_is_old (gesso_create_page_get_planner (f->page));
}

/* Where the line cannot be seen. */
static gboolean
toast_says_why_not (Fixture *f)
{
  const char *problem = gesso_planner_get_problem (gesso_create_page_get_planner (f->page));
  return find_toast (f) && problem && says (find_toast (f), problem);
}

/* Pressed while the job before was still being written down, it broke the prompt into lines. */
static void
test_generate_key_takes_no_line (Fixture *f, gconstpointer unused)
{
  if (!has_input ())
    return;
  gesso_form_set_text (f->form, "model", "/models/gone.safetensors", NULL);
  WAIT (f, refused);
  g_assert_false (action_enabled (f, "generate"));
  focus_prompt (f);
  press (f, "xdotool key ctrl+End key ctrl+Return key ctrl+KP_Enter key numbersign");
  WAIT (f, prompt_is_sharp);
  WAIT (f, line_is_pointed_out);
  g_assert_null (find_toast (f));
  g_settings_set_boolean (gesso_window_get_settings (f->window), "show-parameters", FALSE);
  WAIT (f, refused_for_the_last_keys);
  press (f, "xdotool key ctrl+Return");
  WAIT (f, toast_says_why_not);
  g_assert_cmpuint (n_jobs (f), ==, 0);
  g_assert_null (strchr (recipe_str (gesso_form_peek (f->form)->prompt), '\n'));
}

static gboolean
says_second (Fixture *f)
{
  return says (GTK_WIDGET (f->window), "second answer");
}

static gboolean
says_removed (Fixture *f)
{
  return says (GTK_WIDGET (f->window), "removed");
}

static gboolean
says_news (Fixture *f)
{
  return says (GTK_WIDGET (f->window), "news");
}

/* Its last button. */
static void
close_toast (Fixture *f, guint n_buttons)
{
  GtkWidget *button = nth (find_toast (f), GTK_TYPE_BUTTON, n_buttons - 1);
  g_signal_emit_by_name (button, "clicked");
}

/* Each is shown for five seconds; the way back must not be lost behind it. */
static void
test_answers_wait_for_nothing (Fixture *f, gconstpointer unused)
{
  gesso_window_tell_news (f->window, "news");
  WAIT (f, says_news);
  gesso_window_say_with_action (f->window, "removed", "_Undo", "win.undo-discard");
  WAIT (f, says_removed);
  gesso_window_say (f->window, "first answer");
  gesso_window_say (f->window, "second answer");
  WAIT (f, says_second);
  close_toast (f, 1);
  WAIT (f, says_removed);
  close_toast (f, 2);
  WAIT (f, says_news);
}

static gboolean
has_two_jobs (Fixture *f)
{
  return n_jobs (f) == 2;
}

static gboolean
has_a_job (Fixture *f)
{
  return n_jobs (f) > 0;
}

/* Returns: (transfer full) */
static GessoForm *
read_job (Fixture *f, guint position)
{
  GessoForm *form = gesso_form_new ();
  g_assert_true (gesso_form_load (form, gesso_job_get_recipe (job_at (f, position)), NULL));
  return form;
}

/* The prompt was wrong before the last keys, and its plan was not made anew yet: nothing happened
 * at all. */
static void
test_generate_key_follows_the_last_keys (Fixture *f, gconstpointer unused)
{
  if (!has_input ())
    return;
  WAIT (f, planned);
  gesso_queue_set_paused (f->queue, TRUE);
  gesso_form_set_text (f->form, "prompt", "an apple<lora:no:1>", NULL);
  WAIT (f, refused);
  focus_prompt (f);
  press (f, "xdotool key ctrl+End key --delay 1 --repeat 11 BackSpace key ctrl+Return "
            "key numbersign");
  WAIT (f, prompt_is_sharp);
  WAIT (f, has_a_job);
  g_autoptr (GessoForm) job = read_job (f, 0);
  g_assert_cmpstr (gesso_form_peek (job)->prompt, ==, "an apple");
}

/* A number was the field's only after Enter: the job had the one of before. */
static void
test_generate_key_takes_a_typed_number (Fixture *f, gconstpointer unused)
{
  if (!has_input ())
    return;
  WAIT (f, planned);
  gesso_queue_set_paused (f->queue, TRUE);
  focus_prompt (f);
  GessoParameterList *parameters = gesso_create_page_get_parameter_list (f->page);
  GtkWidget *steps = gesso_parameter_list_get_row (parameters, "steps");
  gtk_widget_grab_focus (gesso_parameter_row_get_editor (GESSO_PARAMETER_ROW (steps)));
  press (f, "xdotool key ctrl+a key 7 key ctrl+Return");
  WAIT (f, has_a_job);
  g_autoptr (GessoForm) job = read_job (f, 0);
  g_assert_cmpint (gesso_form_peek (job)->steps, ==, 7);
}

/* The second press was lost while the first one's job was being written down; the picture of the
 * first takes longer than the second, which has none. */
static void
test_generate_twice_makes_two_jobs_in_order (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  gesso_queue_set_paused (f->queue, TRUE);
  const gsize n_bytes = (gsize) SIDE * SIDE * 3;
  g_autoptr (GBytes) rgb = g_bytes_new_take (g_malloc0 (n_bytes), n_bytes);
  GessoDocument *document = gesso_create_page_get_document (f->page);
  GessoRect frame = gesso_document_get_frame (document);
  g_assert_true (gesso_document_put (document, rgb, SIDE, SIDE, &frame, NULL));
  gesso_form_set_text (f->form, "prompt", "first", NULL);
  act (f, "win.generate");
  gesso_document_clear (document);
  gesso_form_set_text (f->form, "prompt", "second", NULL);
  act (f, "win.generate");
  gesso_form_set_text (f->form, "prompt", "third", NULL);
  WAIT (f, has_two_jobs);
  g_autoptr (GessoForm) first = read_job (f, 0);
  g_autoptr (GessoForm) second = read_job (f, 1);
  g_assert_cmpstr (gesso_form_peek (first)->prompt, ==, "first");
  g_assert_nonnull (gesso_form_peek (first)->init_image);
  g_assert_cmpstr (gesso_form_peek (second)->prompt, ==, "second");
  g_assert_null (gesso_form_peek (second)->init_image);
}
/* ---- the lists of keys ---- */

/* Canonical, as gtk_accelerator_name() writes it. */
static void
add_accel (GHashTable *keys, const char *accel)
{
  guint key;
  GdkModifierType modifiers;
  g_assert_true (gtk_accelerator_parse (accel, &key, &modifiers));
  g_hash_table_add (keys, gtk_accelerator_name (key, modifiers));
}

/* The keys that stand under @group, "Canvas" too, and the general ones; the caller's to unref */
static GHashTable *
listed_keys (const char *group)
{
  GHashTable *keys = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  guint n_commands, n_canvas;
  const GessoCommand *commands = gesso_commands (&n_commands);
  const GessoCanvasKey *canvas = gesso_canvas_keys (&n_canvas);
  for (guint i = 0; i < n_commands; i++)
    for (int j = 0; commands[i].accels[j]; j++)
      if (commands[i].action || g_str_equal (commands[i].group, group))
        add_accel (keys, commands[i].accels[j]);
  for (guint i = 0; i < n_canvas && g_str_equal (group, "Canvas"); i++)
    {
      g_auto (GStrv) accels = g_strsplit (canvas[i].accel, " ", -1);
      for (int j = 0; accels[j]; j++)
        add_accel (keys, accels[j]);
    }
  return keys;
}

/* Keys of the keypad do what their twins do, and so does "=", the "+" without Shift. */
static guint
twin_of (guint key)
{
  static const guint twins[][2] = {
    { GDK_KEY_KP_Delete, GDK_KEY_Delete },
    { GDK_KEY_KP_Enter, GDK_KEY_Return },
    { GDK_KEY_KP_Add, GDK_KEY_plus },
    { GDK_KEY_equal, GDK_KEY_plus },
    { GDK_KEY_KP_Subtract, GDK_KEY_minus },
    { GDK_KEY_KP_0, GDK_KEY_0 },
    { GDK_KEY_KP_1, GDK_KEY_1 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (twins); i++)
    if (twins[i][0] == key)
      return twins[i][1];
  return key;
}

static void
assert_listed (GHashTable *listed, GtkShortcutTrigger *trigger, GtkWidget *widget)
{
  if (GTK_IS_ALTERNATIVE_TRIGGER (trigger))
    {
      GtkAlternativeTrigger *both = GTK_ALTERNATIVE_TRIGGER (trigger);
      assert_listed (listed, gtk_alternative_trigger_get_first (both), widget);
      assert_listed (listed, gtk_alternative_trigger_get_second (both), widget);
    }
  if (!GTK_IS_KEYVAL_TRIGGER (trigger)) /* mnemonics stand on their labels */
    return;
  GtkKeyvalTrigger *key = GTK_KEYVAL_TRIGGER (trigger);
  guint keyval = gtk_keyval_trigger_get_keyval (key);
  GdkModifierType modifiers = gtk_keyval_trigger_get_modifiers (key);
  g_autofree char *name = gtk_accelerator_name (keyval, modifiers);
  g_autofree char *twin = gtk_accelerator_name (twin_of (keyval), modifiers);
  if (!g_hash_table_contains (listed, twin) && !g_hash_table_contains (listed, name))
    {
      g_test_message ("%s of %s is in no list", name, G_OBJECT_TYPE_NAME (widget));
      g_test_fail ();
    }
}

/* Those that this program gives to @widget and to all inside of it; GTK's own have names. */
static void
assert_keys_listed (GHashTable *listed, GtkWidget *widget)
{
  g_autoptr (GListModel) controllers = gtk_widget_observe_controllers (widget);
  for (guint i = 0; i < g_list_model_get_n_items (controllers); i++)
    {
      g_autoptr (GtkEventController) controller = g_list_model_get_item (controllers, i);
      const char *name = gtk_event_controller_get_name (controller);
      if (!GTK_IS_SHORTCUT_CONTROLLER (controller) || (name && g_str_has_prefix (name, "gtk-")))
        continue;
      for (guint j = 0; j < g_list_model_get_n_items (G_LIST_MODEL (controller)); j++)
        {
          g_autoptr (GtkShortcut) shortcut = g_list_model_get_item (G_LIST_MODEL (controller), j);
          assert_listed (listed, gtk_shortcut_get_trigger (shortcut), widget);
        }
    }
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child;
       child = gtk_widget_get_next_sibling (child))
    assert_keys_listed (listed, child);
}

/* A key that stands in no list is found by nobody. */
static void
test_every_key_is_listed (Fixture *f, gconstpointer unused)
{
  GessoStage *stage = gesso_create_page_get_stage (f->page);
  const struct
  {
    const char *group;
    GtkWidget *widget;
  } parts[] = {
    { "Prompt", GTK_WIDGET (gesso_create_page_get_prompt_view (f->page)) },
    { "Parameters", GTK_WIDGET (gesso_create_page_get_parameter_list (f->page)) },
    { "Queue", GTK_WIDGET (gesso_window_get_queue_pane (f->window)) },
    { "Results below the canvas", GTK_WIDGET (gesso_stage_get_filmstrip (stage)) },
    { "Gallery", nth (GTK_WIDGET (f->window), GESSO_TYPE_GALLERY_PAGE, 0) },
    { "Canvas", GTK_WIDGET (gesso_stage_get_canvas (stage)) },
  };
  g_autoptr (GHashTable) listed = listed_keys ("General");
  GtkApplication *app = GTK_APPLICATION (f->app);
  g_auto (GStrv) actions = gtk_application_list_action_descriptions (app);
  make_picture (f);
  for (int i = 0; actions[i]; i++)
    {
      g_auto (GStrv) accels = gtk_application_get_accels_for_action (app, actions[i]);
      for (int j = 0; accels[j]; j++)
        g_assert_true (g_hash_table_contains (listed, accels[j]));
    }
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      g_autoptr (GHashTable) keys = listed_keys (parts[i].group);
      assert_keys_listed (keys, parts[i].widget);
    }
}

static GtkWindow *
window_called (const char *title)
{
  GListModel *windows = gtk_window_get_toplevels ();
  for (guint i = 0; i < g_list_model_get_n_items (windows); i++)
    {
      g_autoptr (GtkWindow) window = g_list_model_get_item (windows, i);
      if (g_strcmp0 (gtk_window_get_title (window), title) == 0)
        return window;
    }
  return NULL;
}

static gboolean
help_is_open (Fixture *f)
{
  return window_called ("Help") != NULL;
}

static gboolean
shortcuts_are_open (Fixture *f)
{
  return window_called ("Keyboard Shortcuts") && !help_is_open (f);
}

/* F1 did nothing. */
static void
test_f1_helps (Fixture *f, gconstpointer unused)
{
  if (!has_input ())
    return;
  focus_prompt (f);
  press (f, "xdotool key F1");
  WAIT (f, help_is_open);
  GtkWidget *help = GTK_WIDGET (window_called ("Help"));
  GtkWidget *row =
      gtk_widget_get_ancestor (find_label (help, "Keyboard shortcuts"), ADW_TYPE_ACTION_ROW);
  g_assert_nonnull (find_label (help, gesso_session_get_pictures_dir (f->session)));
  adw_action_row_activate (ADW_ACTION_ROW (row));
  WAIT (f, shortcuts_are_open);
  GtkWidget *shortcuts = GTK_WIDGET (window_called ("Keyboard Shortcuts"));
  g_assert_nonnull (find_label (shortcuts, "F1"));
}
int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  ADD ("keys/generate-takes-no-line", test_generate_key_takes_no_line);
  ADD ("keys/generate-follows-the-last-keys", test_generate_key_follows_the_last_keys);
  ADD ("keys/generate-takes-a-typed-number", test_generate_key_takes_a_typed_number);
  ADD ("keys/generate-twice-makes-two-jobs-in-order", test_generate_twice_makes_two_jobs_in_order);
  ADD ("keys/answers-wait-for-nothing", test_answers_wait_for_nothing);
  ADD ("keys/every-key-is-listed", test_every_key_is_listed);
  ADD ("keys/f1-helps", test_f1_helps);
  return g_test_run ();
}
