/* SPDX-License-Identifier: MPL-2.0
 * test-window-habits.c - what hands do without thinking: the wheel over the parameters, long
 * prompts, the way back to the prompt, to the picture and to what was made.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-habits, with GESSO_DATA and GESSO_TEST_WORKER
 * set.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "app/canvas/gesso-canvas-private.h"
#include "app/gallery/gesso-gallery-private.h"
#include "app/gesso-adapter-list.h"
#include "app/gesso-parameter-row.h"
#include "app/gesso-queue-row.h"
#include "recipe/adapters.h"
#include "window-fixture.h"

enum
{
  LONG_PROMPT_PX = 120, /* more than an empty prompt has */
  SMALL_HEIGHT_PX = 600
};

static GtkAdjustment *
scrolled (Fixture *f)
{
  GtkWidget *prompt = GTK_WIDGET (gesso_create_page_get_prompt_view (f->page));
  GtkWidget *page = gtk_widget_get_ancestor (prompt, GTK_TYPE_VIEWPORT);
  return gtk_scrollable_get_vadjustment (GTK_SCROLLABLE (page));
}

static gboolean
is_small (Fixture *f)
{
  return gtk_widget_get_height (GTK_WIDGET (f->window)) <= SMALL_HEIGHT_PX &&
         gtk_adjustment_get_upper (scrolled (f)) > gtk_adjustment_get_page_size (scrolled (f));
}

static gboolean
is_at_the_top (Fixture *f)
{
  return gtk_adjustment_get_value (scrolled (f)) == 0;
}

static gboolean
is_scrolled (Fixture *f)
{
  return !is_at_the_top (f);
}

/* So small that the parameters scroll. */
static void
make_small (Fixture *f)
{
  gtk_window_set_default_size (GTK_WINDOW (f->window), 1100, SMALL_HEIGHT_PX);
  press (f, "xdotool search --sync --onlyvisible --name Gesso windowmove 0 0 windowfocus --sync");
  WAIT (f, is_active);
  WAIT (f, is_small);
}

static GtkWidget *target; /* of the wheel */
static double scrolled_before;

/* Where its middle is. */
static graphene_point_t
place_in (GtkWidget *widget)
{
  graphene_point_t at;
  graphene_point_t middle = GRAPHENE_POINT_INIT ((float) gtk_widget_get_width (target) / 2,
                                                 (float) gtk_widget_get_height (target) / 2);
  g_assert_true (gtk_widget_compute_point (target, widget, &middle, &at));
  return at;
}

/* Else it is scrolled to where it will be. */
static gboolean
can_be_reached (Fixture *f)
{
  GtkWidget *window = GTK_WIDGET (f->window);
  graphene_point_t at = place_in (window);
  GtkWidget *there = gtk_widget_pick (window, at.x, at.y, GTK_PICK_DEFAULT);
  if (there && (there == target || gtk_widget_is_ancestor (there, target)))
    return TRUE;
  at = place_in (gtk_widget_get_ancestor (target, GTK_TYPE_VIEWPORT));
  gtk_adjustment_set_value (scrolled (f), gtk_adjustment_get_value (scrolled (f)) + at.y -
                                              gtk_adjustment_get_page_size (scrolled (f)) / 2);
  return FALSE;
}

static gboolean
has_scrolled (Fixture *f)
{
  return gtk_adjustment_get_value (scrolled (f)) != scrolled_before;
}

/* Up, or down where the page begins. */
static void
turn_wheel_over (Fixture *f, GtkWidget *widget)
{
  double shadow_x, shadow_y;
  target = widget;
  WAIT (f, can_be_reached);
  graphene_point_t at = place_in (GTK_WIDGET (f->window));
  gtk_native_get_surface_transform (GTK_NATIVE (f->window), &shadow_x, &shadow_y);
  scrolled_before = gtk_adjustment_get_value (scrolled (f));
  g_autofree char *line = g_strdup_printf ("xdotool mousemove %.0f %.0f click %d", at.x + shadow_x,
                                           at.y + shadow_y, is_at_the_top (f) ? 5 : 4);
  press (f, line);
  WAIT (f, has_scrolled);
}

static double
weight_of_first (Fixture *f)
{
  Status status = { 0 };
  RecipeAdapters list = { 0 };
  recipe_adapters_read (&list, gesso_form_peek (f->form), &status);
  g_assert_cmpuint (list.n, ==, 1);
  double weight = list.items[0].weight;
  recipe_adapters_clear (&list);
  return weight;
}

/* Scrolling down to the LoRAs set the weight under the pointer to -0.4. */
static void
test_wheel_scrolls_and_changes_nothing (Fixture *f, gconstpointer unused)
{
  if (!has_input ())
    return;
  WAIT (f, planned);
  make_small (f);
  GessoParameterList *parameters = gesso_create_page_get_parameter_list (f->page);
  GtkWidget *steps = gesso_parameter_list_get_row (parameters, "steps");
  turn_wheel_over (f, gesso_parameter_row_get_editor (GESSO_PARAMETER_ROW (steps)));
  g_assert_true (gesso_form_is_default (f->form, "steps"));
  GtkWidget *list = nth (GTK_WIDGET (f->window), GESSO_TYPE_ADAPTER_LIST, 0);
  gesso_adapter_list_add (GESSO_ADAPTER_LIST (list), "/loras/ink.safetensors");
  turn_wheel_over (f, nth (list, GTK_TYPE_SCALE, 0));
  turn_wheel_over (f, nth (list, GTK_TYPE_SPIN_BUTTON, 0));
  g_assert_cmpfloat (weight_of_first (f), ==, 1);
}

static gboolean
prompt_is_tall (Fixture *f)
{
  GtkTextView *text =
      gesso_prompt_view_get_text_view (gesso_create_page_get_prompt_view (f->page), FALSE);
  return gtk_widget_get_height (GTK_WIDGET (text)) > LONG_PROMPT_PX;
}

static void
test_prompt_grows_with_its_text (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  g_assert_false (prompt_is_tall (f));
  gesso_form_set_text (f->form, "prompt", "a\nb\nc\nd\ne\nf\ng\nh\ni", NULL);
  WAIT (f, prompt_is_tall);
}

static gboolean
prompt_is_in_sight (Fixture *f)
{
  GtkWidget *prompt = GTK_WIDGET (gesso_create_page_get_prompt_view (f->page));
  GtkWidget *page = gtk_widget_get_ancestor (prompt, GTK_TYPE_VIEWPORT);
  graphene_rect_t at;
  return gtk_widget_compute_bounds (prompt, page, &at) && at.origin.y >= 0;
}

/* The text had the focus already, so that nothing showed it to who had scrolled on. */
static void
test_prompt_key_shows_the_prompt (Fixture *f, gconstpointer unused)
{
  if (!has_input ())
    return;
  WAIT (f, planned);
  make_small (f);
  act (f, "win.focus-prompt");
  gtk_adjustment_set_value (scrolled (f), gtk_adjustment_get_upper (scrolled (f)));
  WAIT (f, is_scrolled);
  act (f, "win.focus-prompt");
  WAIT (f, prompt_is_in_sight);
}

static gboolean
is_medium (Fixture *f)
{
  int width = gtk_widget_get_width (GTK_WIDGET (f->window));
  return width >= 850 && width <= 950;
}

static gboolean
queue_shows (Fixture *f)
{
  return gtk_widget_get_mapped (GTK_WIDGET (gesso_window_get_queue_pane (f->window)));
}

/* F8 made the window wider than a small screen. */
static void
test_panes_take_turns_in_a_small_window (Fixture *f, gconstpointer unused)
{
  GSettings *settings = gesso_window_get_settings (f->window);
  WAIT (f, planned);
  gtk_window_set_default_size (GTK_WINDOW (f->window), 900, 700);
  WAIT (f, is_medium);
  g_settings_set_boolean (settings, "show-queue", TRUE);
  WAIT (f, queue_shows);
  g_assert_false (g_settings_get_boolean (settings, "show-parameters"));
  draw (f, GTK_WIDGET (f->window));
  g_assert_cmpint (gtk_widget_get_width (GTK_WIDGET (f->window)), <, 950);
  g_settings_set_boolean (settings, "show-parameters", TRUE);
  g_assert_false (g_settings_get_boolean (settings, "show-queue"));
}

static gboolean
is_narrow (Fixture *f)
{
  return gtk_widget_get_width (GTK_WIDGET (f->window)) < 750;
}

static gboolean
canvas_shows (Fixture *f)
{
  GessoStage *stage = gesso_create_page_get_stage (f->page);
  return gtk_widget_get_mapped (GTK_WIDGET (gesso_stage_get_canvas (stage)));
}

static gboolean
prompt_shows (Fixture *f)
{
  return gtk_widget_get_mapped (GTK_WIDGET (gesso_create_page_get_prompt_view (f->page)));
}

static gboolean
only_prompt_shows (Fixture *f)
{
  return prompt_shows (f) && !canvas_shows (f);
}

static gboolean
only_canvas_shows (Fixture *f)
{
  return !prompt_shows (f) && canvas_shows (f);
}

static gboolean
both_show (Fixture *f)
{
  return prompt_shows (f) && canvas_shows (f);
}

static gboolean
can_be_pressed (GtkWidget *button)
{
  return button && gtk_widget_get_mapped (button) && gtk_widget_get_sensitive (button);
}

static void
assert_generate_is_there (Fixture *f)
{
  GtkWidget *bar = GTK_WIDGET (gesso_create_page_get_generate_bar (f->page));
  g_assert_true (can_be_pressed (nth (bar, ADW_TYPE_SPLIT_BUTTON, 0)));
}

/* The picture was behind a button called Parameters, and Generate not beside it. */
static void
test_narrow_window_leads_to_the_picture (Fixture *f, gconstpointer unused)
{
  GtkWidget *picture = find_button (GTK_WIDGET (f->page), "Picture");
  GtkWidget *prompt = find_button (GTK_WIDGET (f->page), "Prompt");
  WAIT (f, planned);
  WAIT (f, both_show);
  g_assert_false (gtk_widget_get_mapped (picture));
  gtk_window_set_default_size (GTK_WINDOW (f->window), 700, 700);
  WAIT (f, is_narrow);
  WAIT (f, only_prompt_shows);
  assert_generate_is_there (f);
  g_assert_true (can_be_pressed (picture));
  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (picture), TRUE);
  WAIT (f, only_canvas_shows);
  assert_generate_is_there (f);
  g_assert_true (can_be_pressed (prompt));
  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (prompt), TRUE);
  WAIT (f, only_prompt_shows);
  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (picture), TRUE);
  WAIT (f, only_canvas_shows);
  gtk_window_set_default_size (GTK_WINDOW (f->window), 1200, 700);
  WAIT (f, both_show);
  assert_generate_is_there (f);
  g_assert_false (gtk_widget_get_mapped (picture));
}

static gboolean
only_queue_shows (Fixture *f)
{
  return queue_shows (f) && !canvas_shows (f) && !prompt_shows (f);
}

static gboolean
gallery_shows (Fixture *f)
{
  return gtk_widget_get_mapped (nth (GTK_WIDGET (f->window), GESSO_TYPE_GALLERY_PAGE, 0)) &&
         !queue_shows (f);
}

/* The queue stayed in front of what one had turned to. */
static void
test_narrow_queue_gives_way (Fixture *f, gconstpointer unused)
{
  GSettings *settings = gesso_window_get_settings (f->window);
  WAIT (f, planned);
  gtk_window_set_default_size (GTK_WINDOW (f->window), 700, 700);
  WAIT (f, is_narrow);
  WAIT (f, only_prompt_shows);
  g_settings_set_boolean (settings, "show-queue", TRUE);
  WAIT (f, only_queue_shows);
  gesso_window_show_page (f->window, "gallery");
  WAIT (f, gallery_shows);
  g_settings_set_boolean (settings, "show-queue", TRUE);
  gesso_window_show_page (f->window, "create");
  WAIT (f, only_prompt_shows);
  g_settings_set_boolean (settings, "show-queue", TRUE);
  WAIT (f, only_queue_shows);
  g_settings_set_boolean (settings, "show-parameters", FALSE);
  WAIT (f, only_canvas_shows);
}

enum
{
  MANY_JOBS = 40
};

static gboolean
many_wait (Fixture *f)
{
  return gesso_queue_get_n_waiting (f->queue) >= MANY_JOBS;
}

static gboolean
one_more_waits (Fixture *f)
{
  return gesso_queue_get_n_waiting (f->queue) > MANY_JOBS;
}

static GtkAdjustment *
scroll_of_queue (Fixture *f)
{
  GtkWidget *pane = GTK_WIDGET (gesso_window_get_queue_pane (f->window));
  return gtk_scrollable_get_vadjustment (GTK_SCROLLABLE (nth (pane, GTK_TYPE_LIST_VIEW, 0)));
}

static gboolean
queue_is_longer_than_its_pane (Fixture *f)
{
  GtkAdjustment *scroll = scroll_of_queue (f);
  return queue_shows (f) && gtk_adjustment_get_page_size (scroll) > 0 &&
         gtk_adjustment_get_upper (scroll) > gtk_adjustment_get_page_size (scroll);
}

/* With a full list of ended jobs the one that had just begun was out of sight. */
static void
test_queue_shows_a_new_first_job (Fixture *f, gconstpointer unused)
{
  static const char job[] = "{\"version\": 1, \"model\": \"m\", \"prompt\": \"a\", \"seed\": 3}";
  const char *many[MANY_JOBS + 1] = { NULL }, *one[] = { job, NULL };
  for (int i = 0; i < MANY_JOBS; i++)
    many[i] = job;
  gesso_queue_set_paused (f->queue, TRUE);
  g_settings_set_boolean (gesso_window_get_settings (f->window), "show-queue", TRUE);
  gesso_queue_add_async (f->queue, many, GESSO_QUEUE_LAST, NULL, NULL, NULL);
  WAIT (f, many_wait);
  WAIT (f, queue_is_longer_than_its_pane);
  g_assert_cmpfloat (gtk_adjustment_get_value (scroll_of_queue (f)), ==, 0);
  gesso_queue_add_async (f->queue, one, GESSO_QUEUE_NEXT, NULL, NULL, NULL);
  WAIT (f, one_more_waits);
  draw (f, GTK_WIDGET (f->window));
  g_assert_cmpfloat (gtk_adjustment_get_value (scroll_of_queue (f)), ==, 0);
}

/* ---- what can be seen and what is at hand ---- */

/* Who typed at once, as the canvas asks for, wrote "a red applea cat". */
static void
test_first_words_replace_the_example (Fixture *f, gconstpointer unused)
{
  GtkTextView *text =
      gesso_prompt_view_get_text_view (gesso_create_page_get_prompt_view (f->page), FALSE);
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (text);
  g_assert_true (prompt_is_apple (f));
  gtk_text_buffer_delete_selection (buffer, TRUE, TRUE);
  g_assert_cmpstr (recipe_str (gesso_form_peek (f->form)->prompt), ==, "");
  gesso_form_set_text (f->form, "prompt", "a cat", NULL);
  stop (f);
  start_in (f, f->dir);
  text = gesso_prompt_view_get_text_view (gesso_create_page_get_prompt_view (f->page), FALSE);
  g_assert_false (gtk_text_buffer_get_has_selection (gtk_text_view_get_buffer (text)));
}

static GtkWidget *
button_for (Fixture *f, const char *action)
{
  GtkWidget *button;
  for (int i = 0; (button = nth (GTK_WIDGET (f->window), GTK_TYPE_TOGGLE_BUTTON, i)); i++)
    if (g_strcmp0 (gtk_actionable_get_action_name (GTK_ACTIONABLE (button)), action) == 0)
      return button;
  return NULL;
}

/* In the gallery the button hid something that was not in sight. */
static void
test_parameters_button_is_where_they_are (Fixture *f, gconstpointer unused)
{
  GtkWidget *button = button_for (f, "win.show-parameters");
  g_assert_true (gtk_widget_get_visible (button));
  gesso_window_show_page (f->window, "gallery");
  g_assert_false (gtk_widget_get_visible (button));
  gesso_window_show_page (f->window, "create");
  g_assert_true (gtk_widget_get_visible (button));
}

/* It was shut whether the seed was locked or not. */
static void
test_lock_of_the_seed_opens (Fixture *f, gconstpointer unused)
{
  GtkButton *lock = GTK_BUTTON (button_for (f, "win.seed-locked"));
  g_assert_cmpstr (gtk_button_get_icon_name (lock), ==, "gesso-unlock-symbolic");
  act (f, "win.seed-locked");
  g_assert_cmpstr (gtk_button_get_icon_name (lock), ==, "gesso-lock-symbolic");
  act (f, "win.seed-locked");
  g_assert_cmpstr (gtk_button_get_icon_name (lock), ==, "gesso-unlock-symbolic");
}

static GessoFilmstrip *
strip_of (Fixture *f)
{
  return gesso_stage_get_filmstrip (gesso_create_page_get_stage (f->page));
}

/* In the strip; (transfer full) (nullable) */
static GessoResult *
result_at (Fixture *f, guint position)
{
  return g_list_model_get_item (gesso_filmstrip_get_model (strip_of (f)), position);
}

/* Finished ones; 0 while one is being made. */
static guint
n_results (Fixture *f)
{
  g_autoptr (GessoResult) first = result_at (f, 0);
  guint n = g_list_model_get_n_items (gesso_filmstrip_get_model (strip_of (f)));
  return first && !gesso_result_get_live (first) && nothing_waits (f) ? n : 0;
}

static gboolean
has_two_results (Fixture *f)
{
  return n_results (f) == 2;
}

static gboolean
has_three_results (Fixture *f)
{
  return n_results (f) == 3;
}

static gboolean
second_is_starred (Fixture *f)
{
  g_autoptr (GessoResult) second = result_at (f, 1);
  return gesso_result_get_starred (second);
}

static gboolean
both_show_their_pictures (Fixture *f)
{
  g_autoptr (GessoResult) first = result_at (f, 0);
  g_autoptr (GessoResult) second = result_at (f, 1);
  return gesso_result_get_paintable (first) && gesso_result_get_paintable (second);
}

static GtkWidget *
queue_row (Fixture *f, int position)
{
  GtkWidget *pane = GTK_WIDGET (gesso_window_get_queue_pane (f->window));
  return nth (pane, GESSO_TYPE_QUEUE_ROW, position);
}

static gboolean
queue_shows_its_picture (Fixture *f)
{
  GtkWidget *row = queue_row (f, 1), *picture = row ? nth (row, GTK_TYPE_PICTURE, 0) : NULL;
  return queue_shows (f) && picture && gtk_widget_get_height (picture) > 0 &&
         gtk_picture_get_paintable (GTK_PICTURE (picture));
}

static gboolean
has_two_done (Fixture *f)
{
  return n_jobs (f) == 2 && nothing_waits (f) && n_results (f) == 2;
}

static const char *wanted_path;

static gboolean
wanted_is_selected (Fixture *f)
{
  GessoResult *selected = gesso_filmstrip_get_selected (strip_of (f));
  return selected && g_strcmp0 (gesso_result_get_path (selected), wanted_path) == 0;
}

/* Nothing lies over it, and it is where it will be. */
static gboolean
target_can_be_clicked (Fixture *f)
{
  draw (f, GTK_WIDGET (f->window));
  graphene_point_t at = place_in (GTK_WIDGET (f->window));
  return gtk_widget_pick (GTK_WIDGET (f->window), at.x, at.y, GTK_PICK_DEFAULT) == target;
}

static void
click_target (Fixture *f)
{
  double shadow_x, shadow_y;
  WAIT (f, target_can_be_clicked);
  graphene_point_t at = place_in (GTK_WIDGET (f->window));
  gtk_native_get_surface_transform (GTK_NATIVE (f->window), &shadow_x, &shadow_y);
  g_autofree char *line =
      g_strdup_printf ("xdotool mousemove %.0f %.0f click 1", at.x + shadow_x, at.y + shadow_y);
  press (f, line);
}

/* A click on the picture of a job that had ended did nothing. */
static void
test_queue_leads_to_its_pictures (Fixture *f, gconstpointer unused)
{
  if (!has_input ())
    return;
  WAIT (f, planned);
  act (f, "win.generate");
  act (f, "win.generate");
  WAIT (f, has_two_done);
  g_settings_set_boolean (gesso_window_get_settings (f->window), "show-queue", TRUE);
  focus_prompt (f);
  WAIT (f, queue_shows_its_picture);
  GessoJob *job = gesso_queue_row_get_job (GESSO_QUEUE_ROW (queue_row (f, 1)));
  wanted_path = gesso_job_get_last_picture (job);
  target = nth (queue_row (f, 1), GTK_TYPE_PICTURE, 0);
  gesso_filmstrip_set_selected (strip_of (f), NULL);
  click_target (f);
  WAIT (f, wanted_is_selected);
  gesso_window_show_page (f->window, "gallery");
  act_on (f, "win.job-view", job);
  WAIT (f, canvas_shows);
  gesso_filmstrip_clear (strip_of (f));
  act_on (f, "win.job-view", job);
  g_assert_true (says (GTK_WIDGET (f->window), "not below the canvas any more"));
}

static gboolean
has_one_result (Fixture *f)
{
  return n_results (f) == 1;
}

static gboolean
canvas_shows_the_result (Fixture *f)
{
  GessoStage *stage = gesso_create_page_get_stage (f->page);
  return gesso_stage_get_canvas (stage)->result.texture != NULL;
}

static gboolean
menu_is_open (Fixture *f)
{
  GtkWidget *canvas = GTK_WIDGET (gesso_stage_get_canvas (gesso_create_page_get_stage (f->page)));
  return says (canvas, "Paste Picture");
}

static gboolean
menu_is_shut (Fixture *f)
{
  return !menu_is_open (f);
}

static gboolean
first_is_starred (Fixture *f)
{
  g_autoptr (GessoResult) first = result_at (f, 0);
  return gesso_result_get_starred (first);
}

/* What Shift+F10 and the menu key do. */
static void
open_menu (GtkWidget *widget)
{
  g_autoptr (GListModel) controllers = gtk_widget_observe_controllers (widget);
  for (guint i = 0; i < g_list_model_get_n_items (controllers); i++)
    {
      g_autoptr (GtkEventController) controller = g_list_model_get_item (controllers, i);
      guint n = GTK_IS_SHORTCUT_CONTROLLER (controller)
                    ? g_list_model_get_n_items (G_LIST_MODEL (controller))
                    : 0;
      for (guint j = 0; j < n; j++)
        {
          g_autoptr (GtkShortcut) shortcut = g_list_model_get_item (G_LIST_MODEL (controller), j);
          if (GTK_IS_ALTERNATIVE_TRIGGER (gtk_shortcut_get_trigger (shortcut)))
            gtk_shortcut_action_activate (gtk_shortcut_get_action (shortcut), 0, widget, NULL);
        }
    }
}

/* The picture that one sees has been made, and its menu was that of the canvas behind it. */
static void
test_canvas_menu_is_the_results (Fixture *f, gconstpointer unused)
{
  GtkWidget *canvas = GTK_WIDGET (gesso_stage_get_canvas (gesso_create_page_get_stage (f->page)));
  GtkPopover *menu = GTK_POPOVER (nth (canvas, GTK_TYPE_POPOVER_MENU, 0));
  make_picture (f);
  WAIT (f, has_one_result);
  WAIT (f, canvas_shows_the_result);
  open_menu (canvas);
  WAIT (f, menu_is_open);
  g_assert_true (says (canvas, "Keep") && says (canvas, "Discard"));
  gtk_popover_popdown (menu);
  WAIT (f, menu_is_shut);
  g_assert_true (gtk_widget_activate_action (canvas, "result.star", NULL));
  WAIT (f, first_is_starred);
  act (f, "win.new");
  g_assert_null (gesso_filmstrip_get_selected (strip_of (f)));
  open_menu (canvas);
  WAIT (f, menu_is_open);
  g_assert_false (says (canvas, "Keep"));
  gtk_popover_popdown (menu);
  WAIT (f, menu_is_shut);
}

static GtkWidget *
gallery_of (Fixture *f)
{
  return nth (GTK_WIDGET (f->window), GESSO_TYPE_GALLERY_PAGE, 0);
}

static gboolean
gallery_shows_the_first (Fixture *f)
{
  g_autoptr (GessoResult) first = result_at (f, 0);
  GessoGalleryPage *gallery = GESSO_GALLERY_PAGE (gallery_of (f));
  gesso_gallery_page_show_picture (gallery, gesso_result_get_path (first));
  g_autoptr (GessoPicture) picture = gesso_gallery_ref_picture (gallery);
  return picture && g_str_equal (gesso_picture_get_path (picture), gesso_result_get_path (first));
}

static gboolean
first_has_no_star (Fixture *f)
{
  return !first_is_starred (f);
}

static gboolean
can_star (Fixture *f)
{
  GActionGroup *actions = G_ACTION_GROUP (GESSO_GALLERY_PAGE (gallery_of (f))->actions);
  return g_action_group_get_action_enabled (actions, "star");
}

/* A star is the picture's, wherever it is given and taken. */
static void
test_strip_follows_the_gallerys_stars (Fixture *f, gconstpointer unused)
{
  make_picture (f);
  WAIT (f, has_one_result);
  gesso_window_show_page (f->window, "gallery");
  WAIT (f, gallery_shows_the_first);
  WAIT (f, can_star);
  gtk_widget_activate_action (gallery_of (f), "gallery.star", NULL);
  WAIT (f, first_is_starred);
  gtk_widget_activate_action (gallery_of (f), "gallery.star", NULL);
  WAIT (f, first_has_no_star);
}

/* The strip was empty after each start, as if nothing had been made. */
static void
test_strip_comes_back_with_the_window (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  gesso_form_set_text (f->form, "batch_count", "3", NULL);
  act (f, "win.generate");
  WAIT (f, has_three_results);
  g_autoptr (GessoResult) newest = result_at (f, 0);
  g_autoptr (GessoResult) second = result_at (f, 1);
  g_autoptr (GessoResult) oldest = result_at (f, 2);
  gesso_filmstrip_set_selected (strip_of (f), second);
  g_assert_true (gtk_widget_activate_action (GTK_WIDGET (strip_of (f)), "filmstrip.star", NULL));
  WAIT (f, second_is_starred);
  g_assert_cmpint (g_unlink (gesso_result_get_path (oldest)), ==, 0);
  stop (f);
  start_in (f, f->dir);
  WAIT (f, has_two_results);
  g_autoptr (GessoResult) first_again = result_at (f, 0);
  g_autoptr (GessoResult) second_again = result_at (f, 1);
  g_assert_cmpstr (gesso_result_get_path (first_again), ==, gesso_result_get_path (newest));
  g_assert_cmpstr (gesso_result_get_path (second_again), ==, gesso_result_get_path (second));
  g_assert_cmpstr (gesso_result_get_label (second_again), ==, gesso_result_get_label (second));
  g_assert_false (gesso_result_get_starred (first_again));
  g_assert_true (gesso_result_get_starred (second_again));
  g_assert_null (gesso_filmstrip_get_selected (strip_of (f)));
  WAIT (f, both_show_their_pictures);
  gesso_form_set_text (f->form, "batch_count", "1", NULL);
  act (f, "win.generate");
  WAIT (f, has_three_results);
  g_autoptr (GessoResult) behind = result_at (f, 1);
  g_assert_cmpstr (gesso_result_get_path (behind), ==, gesso_result_get_path (newest));
}

static gboolean
has_steps_of_the_text (Fixture *f)
{
  return gesso_form_peek (f->form)->steps == 28;
}

static void
paste (Fixture *f, const char *text)
{
  GtkTextView *view =
      gesso_prompt_view_get_text_view (gesso_create_page_get_prompt_view (f->page), FALSE);
  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (view)), text);
  g_signal_emit_by_name (view, "paste-clipboard");
}

/* They stayed in the prompt, "Negative prompt:" and "Steps: 28" as words to draw. */
static void
test_pasted_settings_are_taken_over (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  paste (f, "a castle, (tower:1.2)\nNegative prompt: fog\nSteps: 28, Sampler: Euler a, "
            "CFG scale: 6.5, Seed: 123456, Size: 128x128, Model: gesso-mini");
  WAIT (f, settings_are_offered);
  g_signal_emit_by_name (find_button_anywhere ("_Use Settings"), "clicked");
  WAIT (f, has_steps_of_the_text);
  const Recipe *recipe = gesso_form_peek (f->form);
  g_assert_cmpstr (recipe_str (recipe->prompt), ==, "a castle, (tower:1.2)");
  g_assert_cmpstr (recipe_str (recipe->negative_prompt), ==, "fog");
  g_assert_cmpuint (recipe->seed, ==, 123456);
}

static void
test_pasted_settings_are_told_from_words (void)
{
  static const char *const settings[] = { "a castle\nSteps: 28, Sampler: Euler a",
                                          "Steps: 28, Seed: 1",
                                          " {\"3\": {\"class_type\": \"KSampler\"}}", NULL };
  static const char *const words[] = { "",
                                       "a castle",
                                       "three steps: 28, up the stairs",
                                       "stairs, Steps: many",
                                       "the \"class_type\" of it",
                                       "{a|b}",
                                       NULL };
  for (int i = 0; settings[i]; i++)
    g_assert_true (gesso_library_text_has_settings (settings[i]));
  for (int i = 0; words[i]; i++)
    g_assert_false (gesso_library_text_has_settings (words[i]));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  ADD ("habits/wheel-scrolls-and-changes-nothing", test_wheel_scrolls_and_changes_nothing);
  ADD ("habits/prompt-grows-with-its-text", test_prompt_grows_with_its_text);
  ADD ("habits/prompt-key-shows-the-prompt", test_prompt_key_shows_the_prompt);
  ADD ("habits/panes-take-turns-in-a-small-window", test_panes_take_turns_in_a_small_window);
  ADD ("habits/narrow-window-leads-to-the-picture", test_narrow_window_leads_to_the_picture);
  ADD ("habits/narrow-queue-gives-way", test_narrow_queue_gives_way);
  ADD ("habits/queue-shows-a-new-first-job", test_queue_shows_a_new_first_job);
  ADD ("habits/first-words-replace-the-example", test_first_words_replace_the_example);
  ADD ("habits/parameters-button-is-where-they-are", test_parameters_button_is_where_they_are);
  ADD ("habits/lock-of-the-seed-opens", test_lock_of_the_seed_opens);
  ADD ("habits/queue-leads-to-its-pictures", test_queue_leads_to_its_pictures);
  ADD ("habits/canvas-menu-is-the-results", test_canvas_menu_is_the_results);
  ADD ("habits/strip-follows-the-gallerys-stars", test_strip_follows_the_gallerys_stars);
  ADD ("habits/strip-comes-back-with-the-window", test_strip_comes_back_with_the_window);
  ADD ("habits/pasted-settings-are-taken-over", test_pasted_settings_are_taken_over);
  g_test_add_func ("/ui/habits/pasted-settings-are-told-from-words",
                   test_pasted_settings_are_told_from_words);
  return g_test_run ();
}
