/* SPDX-License-Identifier: MPL-2.0
 * test-window-controls.c - the ControlNets of the recipe on the Create page.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-controls, with GESSO_DATA and
 * GESSO_TEST_WORKER set.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "app/gesso-control-list.h"
#include "recipe/controls.h"
#include "window-fixture.h"

static GtkWidget *
find_nth (GtkWidget *widget, GType type, int *n)
{
  if (g_type_is_a (G_OBJECT_TYPE (widget), type) && (*n)-- == 0)
    return widget;
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child;
       child = gtk_widget_get_next_sibling (child))
    {
      GtkWidget *found = find_nth (child, type, n);
      if (found)
        return found;
    }
  return NULL;
}

static GtkWidget *
nth (GtkWidget *widget, GType type, int n)
{
  return find_nth (widget, type, &n);
}

static GessoControlList *
list_of (Fixture *f)
{
  GtkWidget *list = nth (GTK_WIDGET (f->window), GESSO_TYPE_CONTROL_LIST, 0);
  g_assert_nonnull (list);
  return GESSO_CONTROL_LIST (list);
}

/* The caller clears @out. */
static void
read_controls (Fixture *f, RecipeControls *out)
{
  Status status = { 0 };
  *out = (RecipeControls){ .n = 0 };
  recipe_controls_read (out, gesso_form_peek (f->form), &status);
  g_assert_cmpstr (status.message, ==, "");
}

static gboolean
says (Fixture *f, const char *part)
{
  for (int i = 0;; i++)
    {
      GtkWidget *label = nth (GTK_WIDGET (list_of (f)), GTK_TYPE_LABEL, i);
      if (!label)
        return FALSE;
      if (strstr (gtk_label_get_text (GTK_LABEL (label)), part) && gtk_widget_get_visible (label))
        return TRUE;
    }
}

static char *
dup_picture (void)
{
  return g_build_filename (g_getenv ("GESSO_SOURCE"), "tests/golden/fixtures/init-48x32.png", NULL);
}

static gboolean
has_none (Fixture *f)
{
  RecipeControls list;
  read_controls (f, &list);
  gboolean none = list.n == 0;
  recipe_controls_clear (&list);
  return none;
}

static gboolean
shows_preview (Fixture *f)
{
  GtkWidget *picture = nth (GTK_WIDGET (list_of (f)), GTK_TYPE_PICTURE, 0);
  return picture && gtk_widget_get_visible (picture) &&
         gtk_picture_get_paintable (GTK_PICTURE (picture));
}

static void
test_slot_is_filled_and_removed (Fixture *f, gconstpointer unused)
{
  GtkWidget *list = GTK_WIDGET (list_of (f));
  g_autofree char *picture = dup_picture ();
  RecipeControls controls;
  g_assert_true (says (f, "None. A ControlNet makes"));
  gesso_control_list_add (list_of (f), "/nets/canny.pth");
  g_assert_true (says (f, "not there any more"));
  gesso_control_list_set_image (list_of (f), 0, picture);
  WAIT (f, shows_preview);
  gtk_range_set_value (GTK_RANGE (nth (list, GTK_TYPE_SCALE, 0)), 0.7);
  gtk_drop_down_set_selected (GTK_DROP_DOWN (nth (list, GTK_TYPE_DROP_DOWN, 0)), 1);
  gtk_drop_down_set_selected (GTK_DROP_DOWN (nth (list, GTK_TYPE_DROP_DOWN, 1)), 2);
  gtk_spin_button_set_value (GTK_SPIN_BUTTON (nth (list, GTK_TYPE_SPIN_BUTTON, 1)), 0.2);
  gtk_spin_button_set_value (GTK_SPIN_BUTTON (nth (list, GTK_TYPE_SPIN_BUTTON, 2)), 0.8);
  gtk_switch_set_active (GTK_SWITCH (nth (list, GTK_TYPE_SWITCH, 0)), FALSE);
  read_controls (f, &controls);
  g_assert_cmpint (controls.n, ==, 1);
  const RecipeControl *c = &controls.items[0];
  g_assert_cmpstr (c->model, ==, "/nets/canny.pth");
  g_assert_cmpstr (c->image, ==, picture);
  g_assert_cmpfloat_with_epsilon (c->weight, 0.7, 1e-9);
  g_assert_cmpfloat_with_epsilon (c->start, 0.2, 1e-9);
  g_assert_cmpfloat_with_epsilon (c->end, 0.8, 1e-9);
  g_assert_cmpint (c->preprocess, ==, RECIPE_PREPROCESS_CANNY);
  g_assert_cmpint (c->resize, ==, RECIPE_RESIZE_STRETCH);
  g_assert_true (c->off);
  recipe_controls_clear (&controls);
  for (int i = 0;; i++)
    {
      GtkWidget *button = nth (list, GTK_TYPE_BUTTON, i);
      const char *tip = gtk_widget_get_tooltip_text (button);
      if (g_strcmp0 (tip, "Take canny.pth off the list") != 0)
        continue;
      g_signal_emit_by_name (button, "clicked");
      break;
    }
  WAIT (f, has_none);
}

/* The end is moved along, and the start: there is always a range. */
static void
test_range_stays_one (Fixture *f, gconstpointer unused)
{
  GtkWidget *list = GTK_WIDGET (list_of (f));
  RecipeControls controls;
  gesso_control_list_add (list_of (f), "/nets/canny.pth");
  GtkSpinButton *start = GTK_SPIN_BUTTON (nth (list, GTK_TYPE_SPIN_BUTTON, 1));
  GtkSpinButton *end = GTK_SPIN_BUTTON (nth (list, GTK_TYPE_SPIN_BUTTON, 2));
  gtk_spin_button_set_value (end, 0.3);
  gtk_spin_button_set_value (start, 0.6);
  read_controls (f, &controls);
  g_assert_cmpfloat_with_epsilon (controls.items[0].start, 0.6, 1e-9);
  g_assert_cmpfloat_with_epsilon (controls.items[0].end, 0.65, 1e-9);
  recipe_controls_clear (&controls);
  gtk_spin_button_set_value (end, 0.1);
  read_controls (f, &controls);
  g_assert_cmpfloat_with_epsilon (controls.items[0].start, 0.05, 1e-9);
  g_assert_cmpfloat_with_epsilon (controls.items[0].end, 0.1, 1e-9);
  recipe_controls_clear (&controls);
}

static void
test_list_follows_the_recipe (Fixture *f, gconstpointer unused)
{
  static const char json[] =
      "{\"version\": 7, \"controls\": [{\"model\": \"a\"}, {\"model\": \"b\", \"off\": true}]}";
  g_assert_true (gesso_form_load (f->form, json, NULL));
  g_assert_true (says (f, "It needs a picture"));
  GtkWidget *list = GTK_WIDGET (list_of (f));
  g_assert_true (gtk_switch_get_active (GTK_SWITCH (nth (list, GTK_TYPE_SWITCH, 0))));
  g_assert_false (gtk_switch_get_active (GTK_SWITCH (nth (list, GTK_TYPE_SWITCH, 1))));
  g_assert_null (nth (list, GTK_TYPE_SWITCH, 2));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  ADD ("controls/slot-is-filled-and-removed", test_slot_is_filled_and_removed);
  ADD ("controls/range-stays-one", test_range_stays_one);
  ADD ("controls/list-follows-the-recipe", test_list_follows_the_recipe);
  return g_test_run ();
}
