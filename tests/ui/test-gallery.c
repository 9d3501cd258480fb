/* SPDX-License-Identifier: MPL-2.0
 * test-gallery.c - the gallery's grid, its search and its details, driven by actions and by keys.
 *
 * Needs a display of its own: tests/ui/xvfb.sh build/tests/ui/test-gallery
 * With GESSO_SCREENSHOTS=FOLDER it leaves a picture of each stage there.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "app/gallery/gesso-gallery-cell.h"
#include "app/gallery/gesso-gallery-text.h"
#include "gallery-fixture.h"

static char *details_wanted;

static gboolean
details_say (Fixture *f)
{
  g_autofree char *text = gesso_gallery_details_dup_text (GESSO_GALLERY_DETAILS (f->self->details));
  return text && strstr (text, details_wanted);
}

static void
test_gallery_empty (Fixture *f, gconstpointer data)
{
  WAIT (f, is_loaded);
  screenshot (f, "empty");
  act (f, "go-to-create");
  g_assert_cmpuint (f->n_create, ==, 1);
  act (f, "quick-look"); /* with nothing there */
  act (f, "trash");
  act (f, "compare");
  g_assert_cmpint (gesso_gallery_get_mode (f->self), ==, GESSO_GALLERY_BROWSE);
}

static gboolean
is_lighthouse_only (Fixture *f)
{
  return is_loaded (f) && n_listed (f) == 1;
}

static gboolean
is_none (Fixture *f)
{
  return is_loaded (f) && n_listed (f) == 0;
}

static void
test_gallery_search (Fixture *f, gconstpointer data)
{
  screenshot (f, "grid");
  act (f, "search");
  input ("xdotool type --delay 15 'lightho storm'");
  WAIT (f, is_lighthouse_only);
  g_assert_cmpstr (gesso_picture_get_prompt (at (f, 0)), ==,
                   "a lighthouse in a storm, oil painting");
  input ("xdotool type ' nowhere'");
  WAIT (f, is_none);
  screenshot (f, "no-results");
  act (f, "clear-search");
  WAIT (f, has_all);
}

static gboolean
is_two (Fixture *f)
{
  return is_loaded (f) && n_listed (f) == 2;
}

static gboolean
are_starred (Fixture *f)
{
  return gesso_picture_get_starred (at (f, 2)) && gesso_picture_get_starred (at (f, 5));
}

static gboolean
is_first_starred (Fixture *f)
{
  return gesso_picture_get_starred (at (f, 0));
}

static void
test_gallery_stars (Fixture *f, gconstpointer data)
{
  pick (f, 2, TRUE);
  pick (f, 5, FALSE);
  act (f, "star");
  WAIT (f, are_starred);
  screenshot (f, "selected");
  g_action_group_change_action_state (G_ACTION_GROUP (f->self->actions), "starred-only",
                                      g_variant_new_boolean (TRUE));
  WAIT (f, is_two);
  screenshot (f, "starred");
  act (f, "select-all");
  act (f, "star"); /* all have one: takes them away */
  WAIT (f, is_none);
  screenshot (f, "no-stars");
  act (f, "show-all");
  WAIT (f, has_all);
}

static gboolean
is_three_less (Fixture *f)
{
  return is_loaded (f) && n_listed (f) == N_PICTURES - 3;
}

static void
test_gallery_trash_and_undo (Fixture *f, gconstpointer data)
{
  g_autofree char *path = g_strdup (gesso_picture_get_path (at (f, 4)));
  pick (f, 4, TRUE);
  pick (f, 5, FALSE);
  pick (f, 6, FALSE);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  act (f, "trash");
  WAIT (f, is_three_less);
  WAIT (f, can_undo);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_true (
      gtk_selection_model_is_selected (selection (f), 4)); /* the next one: press again */
  screenshot (f, "undo");
  act (f, "undo");
  WAIT (f, has_all);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_cmpstr (gesso_picture_get_path (at (f, 4)), ==, path);
}

static void
test_gallery_details (Fixture *f, gconstpointer data)
{
  pick (f, OWN_PICTURE, TRUE);
  details_wanted = "Prompt: a lighthouse in a storm, oil painting";
  WAIT (f, details_say);
  g_autofree char *text = gesso_gallery_details_dup_text (GESSO_GALLERY_DETAILS (f->self->details));
  g_assert_nonnull (strstr (text, "Made with Gesso"));
  g_assert_nonnull (strstr (text, "Negative prompt: blurry"));
  g_assert_nonnull (strstr (text, "Seed: 1003"));
  g_assert_nonnull (strstr (text, "Steps: 27"));
  g_assert_nonnull (strstr (text, "Sampler: DPM++ 2M"));
  g_assert_nonnull (strstr (text, "Prompt weighting: A1111"));
  g_assert_nonnull (strstr (text, "Adapters: gouache 0.75, ink 1"));
  g_assert_nonnull (strstr (text, "! ")); /* the model is missed */
  g_assert_nonnull (strstr (text, "unheard-of-model"));
  screenshot (f, "details");
  pick (f, A1111_PICTURE, TRUE);
  details_wanted = "Prompt: a red fox in the snow";
  WAIT (f, details_say);
  pick (f, 4, TRUE);
  details_wanted = "does not say how it was made";
  WAIT (f, details_say);
  screenshot (f, "details-none");
}

static gboolean
is_viewing (Fixture *f)
{
  return gesso_gallery_get_mode (f->self) == GESSO_GALLERY_VIEW;
}

static gboolean
is_browsing (Fixture *f)
{
  return gesso_gallery_get_mode (f->self) == GESSO_GALLERY_BROWSE;
}

static gboolean
is_first_selected (Fixture *f)
{
  return gtk_selection_model_is_selected (selection (f), 0);
}

/* The keyboard is with a picture of the grid. */
static gboolean
has_keyboard (Fixture *f)
{
  GtkWidget *focus = gtk_root_get_focus (GTK_ROOT (f->window));
  GtkWidget *view = gesso_gallery_grid_get_view (GESSO_GALLERY_GRID (f->self->grid));
  return focus && gtk_widget_get_parent (focus) == view;
}

/* Without results Escape cleared the field and stayed in it: the next letter was searched for. */
static void
test_gallery_escape_leaves_empty_search (Fixture *f, gconstpointer data)
{
  gesso_gallery_page_focus_search (f->self);
  input ("xdotool type --delay 15 'nowhere'");
  WAIT (f, is_none);
  input ("xdotool key Escape");
  WAIT (f, has_all);
  WAIT (f, has_keyboard);
}

/* From the search to stars, a quick look, the recipe and the trash. */
static void
test_gallery_by_keyboard (Fixture *f, gconstpointer data)
{
  gesso_gallery_page_focus_search (f->self);
  input ("xdotool type --delay 15 lighthouse");
  WAIT (f, is_lighthouse_only);
  input ("xdotool key Down");
  WAIT (f, has_keyboard);
  WAIT (f, is_first_selected); /* the details show it without another key */
  gtk_selection_model_unselect_all (selection (f));
  input ("xdotool key ctrl+a");
  WAIT (f, is_first_selected);
  input ("xdotool key s");
  WAIT (f, is_first_starred);
  input ("xdotool key space");
  WAIT (f, is_viewing);
  input ("xdotool key space");
  WAIT (f, is_browsing);
  WAIT (f, has_keyboard);
  input ("xdotool key Return");
  WAIT (f, is_viewing);
  input ("xdotool key u");
  WAIT (f, got_recipe);
  input ("xdotool key Escape");
  WAIT (f, is_browsing);
  WAIT (f, has_keyboard);
  input ("xdotool key Delete");
  WAIT (f, is_none);
  WAIT (f, can_undo);
  input ("xdotool key ctrl+z");
  WAIT (f, is_lighthouse_only);
  WAIT (f, is_first_starred);
  input ("xdotool key ctrl+f");
  input ("xdotool key Escape");
  WAIT (f, has_all);
}

static gboolean
is_250_focused (Fixture *f)
{
  GtkWidget *focus = gtk_root_get_focus (GTK_ROOT (f->window));
  GtkWidget *cell = focus ? gtk_widget_get_first_child (focus) : NULL;
  return cell && GESSO_IS_GALLERY_CELL (cell) &&
         gesso_gallery_cell_get_picture (GESSO_GALLERY_CELL (cell)) == at (f, 250);
}

static gboolean
has_menu (Fixture *f)
{
  GtkWidget *child = gtk_widget_get_last_child (f->self->grid);
  return GTK_IS_POPOVER (child) && gtk_widget_get_mapped (child);
}

static gboolean
has_no_menu (Fixture *f)
{
  return !has_menu (f);
}

static void
test_gallery_keys_select_and_open (Fixture *f, gconstpointer data)
{
  GessoGalleryViewer *viewer = GESSO_GALLERY_VIEWER (f->self->viewer);
  gesso_gallery_select_position (f->self, 0);
  WAIT (f, has_keyboard);
  input ("xdotool key Right Right");
  g_assert_true (gtk_selection_model_is_selected (selection (f), 2));
  input ("xdotool key shift+Right x");
  g_assert_cmpint (gesso_gallery_get_mode (f->self), ==, GESSO_GALLERY_COMPARE);
  input ("xdotool key Escape");
  WAIT (f, is_browsing);
  WAIT (f, has_keyboard);
  gesso_gallery_select_position (f->self, 250); /* far beyond what has widgets now */
  WAIT (f, is_250_focused);
  input ("xdotool key Return");
  WAIT (f, is_viewing);
  g_assert_true (gesso_gallery_viewer_get_picture (viewer, 0) == at (f, 250));
  input ("xdotool key Left");
  g_assert_true (gesso_gallery_viewer_get_picture (viewer, 0) == at (f, 249));
  input ("xdotool key Escape");
  WAIT (f, is_browsing);
  WAIT (f, has_keyboard);
  input ("xdotool key plus plus minus");
  input ("xdotool key shift+F10");
  WAIT (f, has_menu);
  if (g_getenv ("GESSO_SCREENSHOTS")) /* a menu is a surface of its own */
    input ("sleep 0.3; import -window root $GESSO_SCREENSHOTS/gallery-menu.png");
  input ("xdotool key Escape");
  WAIT (f, has_no_menu);
}

static char *dropped;

static gboolean
is_dropped (Fixture *f)
{
  return dropped != NULL;
}

static gboolean
drop_cb (GtkDropTarget *target, const GValue *value, double x, double y, gpointer user_data)
{
  g_autoptr (GSList) files = gdk_file_list_get_files (g_value_get_boxed (value));
  g_assert_cmpuint (g_slist_length (files), ==, 2);
  dropped = g_file_get_path (files->data);
  return TRUE;
}

static void
test_gallery_drags_files (Fixture *f, gconstpointer data)
{
  GtkDropTarget *target = gtk_drop_target_new (GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);
  g_signal_connect (target, "drop", G_CALLBACK (drop_cb), NULL);
  gtk_widget_add_controller (f->self->details, GTK_EVENT_CONTROLLER (target));
  g_clear_pointer (&dropped, g_free);
  pick (f, 0, TRUE);
  pick (f, 1, FALSE);
  input ("xdotool mousemove 90 150 mousedown 1 && sleep 0.15 && for x in 110 200 400 600 800 950 "
         "1000 1010; do "
         "xdotool mousemove $x 300 && sleep 0.05; done && sleep 0.1 && xdotool mouseup 1");
  WAIT (f, is_dropped);
  g_assert_cmpstr (dropped, ==, gesso_picture_get_path (at (f, 0)));
  g_clear_pointer (&dropped, g_free);
}

static void
test_gallery_labels (Fixture *f, gconstpointer data)
{
  g_autofree char *label =
      gesso_gallery_picture_label (at (f, OWN_PICTURE), g_get_real_time () / G_USEC_PER_SEC);
  g_assert_true (g_str_has_prefix (label, "a lighthouse in a storm, oil painting, "));
  const gint64 day = 86400, now = 1700000000;
  g_autofree char *today = gesso_gallery_day_text (now, now);
  g_autofree char *yesterday = gesso_gallery_day_text (now - day, now);
  g_autofree char *long_ago = gesso_gallery_day_text (now - 400 * day, now);
  g_assert_cmpstr (today, ==, "Today");
  g_assert_cmpstr (yesterday, ==, "Yesterday");
  g_assert_nonnull (strstr (long_ago, "2022"));
}

static int
row_height (Fixture *f)
{
  return gtk_widget_get_height (gtk_widget_get_first_child (
      gesso_gallery_grid_get_view (GESSO_GALLERY_GRID (f->self->grid))));
}

static int height_before;

static gboolean
is_larger (Fixture *f)
{
  return row_height (f) > height_before;
}

static void
test_gallery_click_and_wheel (Fixture *f, gconstpointer data)
{
  input ("xdotool mousemove 90 150 click 1");
  WAIT (f, is_first_selected);
  height_before = row_height (f);
  input ("xdotool keydown ctrl click 4 keyup ctrl");
  WAIT (f, is_larger);
  screenshot (f, "large");
  input ("xdotool mousemove 90 150 click --repeat 2 --delay 60 1");
  WAIT (f, is_viewing);
  WAIT (f, viewer_is_complete);
  GessoPictureView *view = gesso_gallery_viewer_get_view (GESSO_GALLERY_VIEWER (f->self->viewer));
  double fit = gesso_picture_view_get_zoom (view);
  input ("xdotool mousemove 300 300 click 4 click 4");
  g_assert_cmpfloat_with_epsilon (gesso_picture_view_get_zoom (view), fit * 1.44, 0.01 * fit);
}

static void
check_labels (GtkWidget *widget)
{
  gboolean named =
      gtk_test_accessible_has_property (GTK_ACCESSIBLE (widget), GTK_ACCESSIBLE_PROPERTY_LABEL);
  gboolean icon = GTK_IS_BUTTON (widget) && gtk_button_get_icon_name (GTK_BUTTON (widget));
  if (icon && !named && !gtk_widget_get_tooltip_text (widget))
    g_error ("a button with the icon %s has no label",
             gtk_button_get_icon_name (GTK_BUTTON (widget)));
  if (GESSO_IS_GALLERY_CELL (widget) &&
      gesso_gallery_cell_get_picture (GESSO_GALLERY_CELL (widget)))
    g_assert_true (named);
  for (GtkWidget *c = gtk_widget_get_first_child (widget); c; c = gtk_widget_get_next_sibling (c))
    check_labels (c);
}

static void
test_gallery_everything_is_labelled (Fixture *f, gconstpointer data)
{
  pick (f, OWN_PICTURE, TRUE);
  details_wanted = "lighthouse";
  WAIT (f, details_say);
  check_labels (f->page);
}

static gboolean
is_narrow (Fixture *f)
{
  return f->self->narrow;
}

static int
minimum_width (GtkWidget *widget)
{
  int minimum;
  gtk_widget_measure (widget, GTK_ORIENTATION_HORIZONTAL, -1, &minimum, NULL, NULL, NULL);
  return minimum;
}

/* For the eye, but for the width: what is too wide would be cut off. */
static void
test_gallery_looks (Fixture *f, gconstpointer data)
{
  pick (f, OWN_PICTURE, TRUE);
  adw_style_manager_set_color_scheme (adw_style_manager_get_default (),
                                      ADW_COLOR_SCHEME_FORCE_DARK);
  details_wanted = "lighthouse";
  WAIT (f, details_say);
  screenshot (f, "dark");
  gtk_window_set_default_size (GTK_WINDOW (f->window), 560, 760);
  WAIT (f, is_narrow);
  g_test_message ("at least %d px wide: grid %d, details %d", minimum_width (f->page),
                  minimum_width (f->self->grid), minimum_width (f->self->details));
  g_assert_cmpint (minimum_width (f->page), <=, 460);
  gtk_window_set_default_size (GTK_WINDOW (f->window), 560, 760);
  screenshot (f, "narrow");
  adw_style_manager_set_color_scheme (adw_style_manager_get_default (), ADW_COLOR_SCHEME_DEFAULT);
}

static gboolean
is_wide (Fixture *f)
{
  return gtk_widget_get_width (f->page) >= 1000 && !f->self->narrow;
}

static gboolean
is_as_narrow_as_asked (Fixture *f)
{
  return f->self->narrow && gtk_widget_get_width (f->page) <= 600;
}

/* Pictures and details side by side held the window open, and made a narrow one wide. */
static void
test_gallery_can_be_made_narrow (Fixture *f, gconstpointer data)
{
  pick (f, OWN_PICTURE, TRUE);
  details_wanted = "lighthouse";
  WAIT (f, details_say);
  gtk_window_set_default_size (GTK_WINDOW (f->window), 1200, 760);
  WAIT (f, is_wide);
  int beside = minimum_width (f->self->stack) + minimum_width (f->self->details_revealer);
  g_assert_cmpint (minimum_width (f->page), <, beside);
  gtk_window_set_default_size (GTK_WINDOW (f->window), 560, 760);
  WAIT (f, is_as_narrow_as_asked);
}

/* Rubbish in the search field is words that nothing has, or no words. */
static void
test_gallery_hostile_search (Fixture *f, gconstpointer data)
{
  static const char *const texts[] = { "\"",   "*) OR (", "NEAR(a b", "prompt:x AND",
                                       "';--", "日本 \\", "^",        "-" };
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      gesso_picture_list_set_search (f->self->list, texts[i]);
      WAIT (f, is_loaded);
    }
  act (f, "clear-search");
  WAIT (f, has_all);
}

int
main (int argc, char **argv)
{
  init_tests (&argc, &argv);
  g_test_add ("/gallery/empty/invites", Fixture, NULL, set_up_empty, test_gallery_empty, tear_down);
  TEST ("search/while-typing", search);
  TEST ("stars/and-filter", stars);
  TEST ("trash/and-undo", trash_and_undo);
  TEST ("details/show-recipe", details);
  TEST ("keyboard/alone", by_keyboard);
  TEST ("keyboard/escape-leaves-empty-search", escape_leaves_empty_search);
  TEST ("keyboard/select-and-open", keys_select_and_open);
  TEST ("drag/two-files", drags_files);
  TEST ("labels/prompt-and-date", labels);
  TEST ("labels/everything", everything_is_labelled);
  TEST ("mouse/click-and-wheel", click_and_wheel);
  TEST ("search/hostile", hostile_search);
  TEST ("looks/dark-and-narrow", looks);
  TEST ("looks/can-be-made-narrow", can_be_made_narrow);
  return run_tests ();
}
