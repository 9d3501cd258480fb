/* SPDX-License-Identifier: MPL-2.0
 * test-window-adapters.c - the LoRAs of the recipe on the Create page.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-adapters, with GESSO_DATA and
 * GESSO_TEST_WORKER set.
 */
#include <string.h>

#include "app/gesso-adapter-list.h"
#include "recipe/adapters.h"
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

static GessoAdapterList *
list_of (Fixture *f)
{
  GtkWidget *list = nth (GTK_WIDGET (f->window), GESSO_TYPE_ADAPTER_LIST, 0);
  g_assert_nonnull (list);
  return GESSO_ADAPTER_LIST (list);
}

/* The caller clears @out. */
static void
read_adapters (Fixture *f, RecipeAdapters *out)
{
  Status status = { 0 };
  *out = (RecipeAdapters){ 0 };
  recipe_adapters_read (out, gesso_form_peek (f->form), &status);
  g_assert_cmpstr (status.message, ==, "");
}

static void
assert_adapter (
    Fixture *f, gsize i, const char *name, double weight, double text_weight, gboolean muted)
{
  RecipeAdapters list;
  read_adapters (f, &list);
  g_assert_cmpuint (list.n, >, i);
  g_assert_cmpstr (list.items[i].name, ==, name);
  g_assert_cmpfloat_with_epsilon (list.items[i].weight, weight, 1e-9);
  g_assert_cmpfloat_with_epsilon (list.items[i].text_weight, text_weight, 1e-9);
  g_assert_cmpint (list.items[i].muted, ==, muted);
  recipe_adapters_clear (&list);
}

static gsize
n_adapters (Fixture *f)
{
  RecipeAdapters list;
  read_adapters (f, &list);
  gsize n = list.n;
  recipe_adapters_clear (&list);
  return n;
}

static gboolean
has_one (Fixture *f)
{
  return n_adapters (f) == 1;
}

static void
add_two (Fixture *f)
{
  gesso_adapter_list_add (list_of (f), "/loras/film grain.safetensors");
  gesso_adapter_list_add (list_of (f), "/loras/ink.safetensors");
  gesso_adapter_list_add (list_of (f), "/loras/ink.safetensors"); /* is there already */
  g_assert_cmpuint (n_adapters (f), ==, 2);
}

static void
test_weights_mute_and_remove (Fixture *f, gconstpointer unused)
{
  GtkWidget *list = GTK_WIDGET (list_of (f));
  add_two (f);
  assert_adapter (f, 0, "film grain", 1, 1, FALSE);
  gtk_range_set_value (GTK_RANGE (nth (list, GTK_TYPE_SCALE, 0)), 0.6);
  assert_adapter (f, 0, "film grain", 0.6, 0.6, FALSE); /* the text encoder's follows */
  gtk_range_set_value (GTK_RANGE (nth (list, GTK_TYPE_SCALE, 1)), 0.2);
  gtk_range_set_value (GTK_RANGE (nth (list, GTK_TYPE_SCALE, 0)), 0.8);
  assert_adapter (f, 0, "film grain", 0.8, 0.2, FALSE); /* until it is told apart */
  gtk_switch_set_active (GTK_SWITCH (nth (list, GTK_TYPE_SWITCH, 1)), FALSE);
  assert_adapter (f, 1, "ink", 1, 1, TRUE);
  GtkWidget *row = gtk_widget_get_parent (nth (list, GTK_TYPE_SWITCH, 0));
  g_signal_emit_by_name (nth (row, GTK_TYPE_BUTTON, 0), "clicked");
  WAIT (f, has_one);
  assert_adapter (f, 0, "ink", 1, 1, TRUE);
}

static void
test_rows_follow_the_form (Fixture *f, gconstpointer unused)
{
  GtkWidget *list = GTK_WIDGET (list_of (f));
  add_two (f);
  g_autofree char *json = gesso_form_to_json (f->form);
  gesso_form_reset (f->form, "adapters");
  g_assert_null (nth (list, GTK_TYPE_SCALE, 0));
  g_assert_true (gesso_form_load (f->form, json, NULL));
  g_assert_nonnull (nth (list, GTK_TYPE_SCALE, 3));
  g_assert_null (nth (list, GTK_TYPE_SCALE, 4));
}

/* A model and its LoRA are where a job looks for them; one that is gone is said on its row. */
static void
test_missing_file_is_said (Fixture *f, gconstpointer unused)
{
  gesso_adapter_list_add (list_of (f), "/nowhere/gone.safetensors");
  GtkWidget *list = GTK_WIDGET (list_of (f));
  gboolean said = FALSE;
  for (int i = 0;; i++)
    {
      GtkWidget *label = nth (list, GTK_TYPE_LABEL, i);
      if (!label)
        break;
      said |= strstr (gtk_label_get_text (GTK_LABEL (label)), "not there any more") != NULL;
    }
  g_assert_true (said);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  ADD ("adapters/weights-mute-and-remove", test_weights_mute_and_remove);
  ADD ("adapters/rows-follow-the-form", test_rows_follow_the_form);
  ADD ("adapters/missing-file-is-said", test_missing_file_is_said);
  return g_test_run ();
}
