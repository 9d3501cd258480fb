/* SPDX-License-Identifier: MPL-2.0
 * test-window-controls.c - the ControlNets of the recipe on the Create page.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-controls, with GESSO_DATA and
 * GESSO_TEST_WORKER set.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "app/gesso-control-list.h"
#include "app/gesso-model-picker.h"
#include "recipe/controls.h"
#include "window-fixture.h"

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
list_says (Fixture *f, const char *part)
{
  return says (GTK_WIDGET (list_of (f)), part);
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

static gboolean
missing_is_said (Fixture *f)
{
  return list_says (f, "not there any more");
}

static void
test_slot_is_filled_and_removed (Fixture *f, gconstpointer unused)
{
  GtkWidget *list = GTK_WIDGET (list_of (f));
  g_autofree char *picture = dup_picture ();
  RecipeControls controls;
  g_assert_true (list_says (f, "None. A ControlNet makes"));
  gesso_control_list_add (list_of (f), "/nets/canny.pth");
  WAIT (f, missing_is_said);
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
      if (g_strcmp0 (tip, "Take canny off the list") != 0)
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
  g_assert_true (list_says (f, "It needs a picture"));
  GtkWidget *list = GTK_WIDGET (list_of (f));
  g_assert_true (gtk_switch_get_active (GTK_SWITCH (nth (list, GTK_TYPE_SWITCH, 0))));
  g_assert_false (gtk_switch_get_active (GTK_SWITCH (nth (list, GTK_TYPE_SWITCH, 1))));
  g_assert_null (nth (list, GTK_TYPE_SWITCH, 2));
}

/* ---- what comes from elsewhere while somebody is at a row ---- */

static GtkWidget *
entry_of (GtkWidget *list)
{
  return nth (nth (list, GTK_TYPE_SPIN_BUTTON, 0), GTK_TYPE_TEXT, 0);
}

/* Each batch of a scan made all rows anew. */
static void
test_scan_leaves_rows_alone (Fixture *f, gconstpointer unused)
{
  GtkWidget *list = GTK_WIDGET (list_of (f));
  g_autofree char *picture = dup_picture ();
  gesso_control_list_add (list_of (f), "/nets/canny.pth");
  gesso_control_list_set_image (list_of (f), 0, picture);
  WAIT (f, shows_preview);
  GtkWidget *entry = entry_of (list);
  GObject *preview = G_OBJECT (nth (list, GTK_TYPE_PICTURE, 0));
  gpointer work = g_object_get_data (preview, "control-preview");
  g_assert_nonnull (work);
  gtk_widget_grab_focus (entry);
  gtk_editable_set_text (GTK_EDITABLE (entry), "0.");
  g_signal_emit_by_name (gesso_window_get_library (f->window), "changed");
  gesso_form_set_text (f->form, "model", "/nowhere/x.safetensors", NULL);
  gesso_control_list_add (list_of (f), "/nets/depth.pth");
  g_assert_true (g_object_get_data (preview, "control-preview") == work); /* computed once */
  gesso_control_list_set_image (list_of (f), 0, "/nowhere/x.png");
  g_assert_true (g_object_get_data (preview, "control-preview") != work);
  g_assert_true (entry_of (list) == entry);
  /* without a window manager the window need not be active */
  g_assert_true (gtk_window_get_focus (GTK_WINDOW (f->window)) == entry);
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (entry)), ==, "0.");
}

/* The thread that made its preview kept the picture, and was the last to let it go. */
static void
test_removed_row_goes_at_once (Fixture *f, gconstpointer unused)
{
  g_autofree char *picture = dup_picture ();
  gesso_control_list_add (list_of (f), "/nets/canny.pth");
  gesso_control_list_set_image (list_of (f), 0, picture);
  gpointer preview = nth (GTK_WIDGET (list_of (f)), GTK_TYPE_PICTURE, 0);
  g_object_add_weak_pointer (preview, &preview);
  gesso_form_reset (f->form, "controls");
  g_assert_null (preview);
}

/* ---- files ---- */

/* A ControlNet whose cross attention reads texts of @width.  Returns: (transfer full) */
static char *
write_net (Fixture *f, const char *name, int width)
{
  g_autofree char *header =
      g_strdup_printf ("{\"controlnet_cond_embedding.conv_in.weight\":"
                       "{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]},"
                       "\"down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight\":"
                       "{\"dtype\":\"F16\",\"shape\":[1,%d],\"data_offsets\":[2,%d]}}",
                       width, 2 + 2 * width);
  char *path = g_build_filename (f->dir, "controlnet", name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  guint64 n = GUINT64_TO_LE ((guint64) strlen (header));
  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_byte_array_append (bytes, (const guint8 *) &n, sizeof n);
  g_byte_array_append (bytes, (const guint8 *) header, (guint) strlen (header));
  guint n_header = bytes->len;
  g_byte_array_set_size (bytes, n_header + 2 + 2 * (guint) width);
  memset (bytes->data + n_header, 0, bytes->len - n_header);
  g_assert_true (g_file_set_contents (path, (const char *) bytes->data, bytes->len, NULL));
  return path;
}

static GListModel *
picker_list (Fixture *f)
{
  GtkWidget *picker = nth (GTK_WIDGET (list_of (f)), GESSO_TYPE_MODEL_PICKER, 0);
  return gesso_model_picker_get_list (GESSO_MODEL_PICKER (picker));
}

static gboolean
misfit_is_said (Fixture *f)
{
  return list_says (f, "⚠ It is for SD 1.5, and the model is one of SDXL");
}

static gboolean
picker_shows_two (Fixture *f)
{
  return g_list_model_get_n_items (picker_list (f)) == 2;
}

/* Only a checkpoint that was found brought the sentence up to date. */
static void
test_net_found_later_is_known (Fixture *f, gconstpointer unused)
{
  static const char diffusers[] = "diffusion_pytorch_model.safetensors";
  g_autofree char *canny_name = g_build_filename ("canny", diffusers, NULL);
  g_autofree char *depth_name = g_build_filename ("depth", diffusers, NULL);
  g_autofree char *canny = write_net (f, canny_name, 768), *folder = g_path_get_dirname (canny);
  g_autofree char *parent = g_path_get_dirname (folder), *depth = write_net (f, depth_name, 2048);
  g_free (write_net (f, "edges.safetensors", 2048));
  gesso_control_list_add (list_of (f), canny);
  gesso_control_list_add (list_of (f), depth);
  /* not twice what all files of diffusers are called */
  g_assert_true (list_says (f, "canny") && list_says (f, "depth"));
  g_assert_false (misfit_is_said (f));
  gesso_library_add_folder (gesso_window_get_library (f->window), parent);
  WAIT (f, misfit_is_said);
  g_assert_true (list_says (f, "canny") && list_says (f, "depth"));
  /* those of the other family are asked for */
  WAIT (f, picker_shows_two);
  gesso_model_picker_set_show_others (
      GESSO_MODEL_PICKER (nth (GTK_WIDGET (list_of (f)), GESSO_TYPE_MODEL_PICKER, 0)), TRUE);
  g_assert_cmpuint (g_list_model_get_n_items (picker_list (f)), ==, 3);
}

static gboolean
too_many_is_said (Fixture *f)
{
  return says (GTK_WIDGET (f->window), "At most 8 ControlNets");
}

static void
test_one_too_many_is_said (Fixture *f, gconstpointer unused)
{
  for (int i = 0; i < RECIPE_MAX_CONTROLS; i++)
    gesso_control_list_add (list_of (f), "/nets/canny.pth");
  g_assert_false (too_many_is_said (f));
  gesso_control_list_add (list_of (f), "/nets/canny.pth");
  WAIT (f, too_many_is_said);
}

/* ---- drops ---- */

/* Returns: whether the row at @index took @file */
static gboolean
drop (Fixture *f, int index, GFile *file)
{
  GtkWidget *row = gtk_widget_get_ancestor (nth (GTK_WIDGET (list_of (f)), GTK_TYPE_PICTURE, index),
                                            GTK_TYPE_BOX);
  g_autoptr (GListModel) controllers = gtk_widget_observe_controllers (row);
  gboolean taken = FALSE, found = FALSE;
  for (guint i = 0; i < g_list_model_get_n_items (controllers); i++)
    {
      g_autoptr (GObject) controller = g_list_model_get_item (controllers, i);
      if (!GTK_IS_DROP_TARGET (controller))
        continue;
      g_auto (GValue) value = G_VALUE_INIT;
      g_autoptr (GSList) files = g_slist_append (NULL, file);
      g_value_init (&value, GDK_TYPE_FILE_LIST);
      g_value_take_boxed (&value, gdk_file_list_new_from_list (files));
      g_signal_emit_by_name (controller, "drop", &value, 1.0, 1.0, &taken);
      found = TRUE;
    }
  g_assert_true (found);
  return taken;
}

static gboolean
drop_is_refused (Fixture *f)
{
  return list_says (f, "⚠ ") && list_says (f, "is neither PNG, JPEG nor WebP") &&
         !shows_preview (f);
}

static gboolean
place_is_said (Fixture *f)
{
  return says (GTK_WIDGET (f->window), "This file is not on this computer");
}

/* A drop that cannot be used was taken without a word. */
static void
test_drop_says_what_is_wrong (Fixture *f, gconstpointer unused)
{
  static const char gif[] = "GIF89a\1\0\1\0\200\0\0\377\377\377\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;";
  g_autofree char *model = write_net (f, "canny.safetensors", 768);
  g_autofree char *moving = g_build_filename (f->dir, "a.gif", NULL);
  g_autoptr (GFile) wrong = g_file_new_for_path (model);
  g_autoptr (GFile) right = g_file_new_for_path (moving);
  g_autoptr (GFile) far = g_file_new_for_uri ("nowhere://host/far.png");
  RecipeControls controls;
  g_assert_true (g_file_set_contents (moving, gif, sizeof gif - 1, NULL));
  gesso_control_list_add (list_of (f), model);
  g_assert_true (list_says (f, "⚠ It needs a picture"));
  g_assert_true (drop (f, 0, wrong));
  WAIT (f, drop_is_refused);
  g_assert_true (drop (f, 0, right)); /* its first frame */
  WAIT (f, shows_preview);
  g_assert_false (list_says (f, "⚠"));
  g_assert_false (drop (f, 0, far));
  WAIT (f, place_is_said);
  read_controls (f, &controls);
  g_assert_cmpstr (controls.items[0].image, ==, moving); /* not cleared */
  recipe_controls_clear (&controls);
}

static gboolean
cannot_be_read (Fixture *f)
{
  return list_says (f, "neither PNG, JPEG nor WebP");
}

/* Whoever mends a file and chooses it again has chosen the same path. */
static void
test_mended_file_is_read_again (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = g_build_filename (f->dir, "a.png", NULL), *picture = dup_picture ();
  g_autofree char *bytes = NULL;
  gsize n;
  g_assert_true (g_file_set_contents (path, "no picture", -1, NULL));
  gesso_control_list_add (list_of (f), "/nets/canny.pth");
  gesso_control_list_set_image (list_of (f), 0, path);
  WAIT (f, cannot_be_read);
  g_assert_true (g_file_get_contents (picture, &bytes, &n, NULL));
  g_assert_true (g_file_set_contents (path, bytes, (gssize) n, NULL));
  gesso_control_list_set_image (list_of (f), 0, path);
  WAIT (f, shows_preview);
  g_assert_false (cannot_be_read (f));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  ADD ("controls/slot-is-filled-and-removed", test_slot_is_filled_and_removed);
  ADD ("controls/range-stays-one", test_range_stays_one);
  ADD ("controls/list-follows-the-recipe", test_list_follows_the_recipe);
  ADD ("controls/scan-leaves-rows-alone", test_scan_leaves_rows_alone);
  ADD ("controls/removed-row-goes-at-once", test_removed_row_goes_at_once);
  ADD ("controls/net-found-later-is-known", test_net_found_later_is_known);
  ADD ("controls/one-too-many-is-said", test_one_too_many_is_said);
  ADD ("controls/drop-says-what-is-wrong", test_drop_says_what_is_wrong);
  ADD ("controls/mended-file-is-read-again", test_mended_file_is_read_again);
  return g_test_run ();
}
