/* SPDX-License-Identifier: MPL-2.0
 * test-window-projects.c - .gesso files in the window, and several files at once.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-projects, with GESSO_DATA and
 * GESSO_TEST_WORKER set.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "window-fixture.h"

enum
{
  SIDE = 64
};

static GessoDocument *
document_of (Fixture *f)
{
  return gesso_create_page_get_document (f->page);
}

static GessoProject *
project_of (Fixture *f)
{
  return gesso_window_get_project (f->window);
}

static char *
path_in (Fixture *f, const char *name)
{
  return g_build_filename (f->dir, name, NULL);
}

static void
paint (Fixture *f, guint8 value)
{
  guint8 *rgb = g_malloc (SIDE * SIDE * 3);
  memset (rgb, value, SIDE * SIDE * 3);
  g_autoptr (GBytes) bytes = g_bytes_new_take (rgb, SIDE * SIDE * 3);
  GessoRect frame = gesso_document_get_frame (document_of (f));
  GessoRect where = { frame.x, frame.y, SIDE, SIDE };
  g_assert_true (gesso_document_put (document_of (f), bytes, SIDE, SIDE, &where, NULL));
}

static guint8
painted_value (Fixture *f)
{
  g_autoptr (GessoFramePixels) pixels = gesso_document_extract_frame (document_of (f), 0, 0, NULL);
  return pixels->rgb ? *(const guint8 *) g_bytes_get_data (pixels->rgb, NULL) : 0;
}

static void
set_prompt (Fixture *f, const char *prompt)
{
  g_assert_true (gesso_form_set_text (f->form, "prompt", prompt, NULL));
}

static void
assert_prompt (Fixture *f, const char *prompt)
{
  g_autofree char *text = gesso_form_dup_text (f->form, "prompt");
  g_assert_cmpstr (text, ==, prompt);
}

static gboolean
is_saved (Fixture *f)
{
  return gesso_project_get_path (project_of (f)) && !gesso_project_get_modified (project_of (f)) &&
         !gesso_project_is_declined (project_of (f));
}

static gboolean
is_restored (Fixture *f)
{
  return !gesso_create_page_is_restoring (f->page);
}

static void
save_to (Fixture *f, const char *path)
{
  g_assert_true (gtk_widget_activate_action_variant (GTK_WIDGET (f->window), "win.save-to",
                                                     g_variant_new_bytestring (path)));
  WAIT (f, is_saved);
  g_assert_cmpstr (gesso_project_get_path (project_of (f)), ==, path);
}

/* As the desktop hands files over: command line, double click, D-Bus. */
static void
open_files (Fixture *f, const char *const *paths)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_object_unref);
  for (int i = 0; paths[i]; i++)
    g_ptr_array_add (files, g_file_new_for_path (paths[i]));
  g_application_open (G_APPLICATION (f->app), (GFile **) files->pdata, (int) files->len, "");
}

static void
open_file (Fixture *f, const char *path)
{
  open_files (f, (const char *const[]){ path, NULL });
}

static void
answer (const char *button)
{
  GtkWidget *widget = find_button_anywhere (button);
  g_assert_nonnull (widget);
  g_signal_emit_by_name (widget, "clicked");
}

/* Of the question that has a button @known: @button; another part of the window may have such one,
 * too. */
static void
answer_beside (const char *known, const char *button)
{
  GtkWidget *other =
      gtk_widget_get_first_child (gtk_widget_get_parent (find_button_anywhere (known)));
  while (g_strcmp0 (gtk_button_get_label (GTK_BUTTON (other)), button) != 0)
    other = gtk_widget_get_next_sibling (other);
  g_signal_emit_by_name (other, "clicked");
}

/* ---- saving and opening ---- */

static void
test_comes_back (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = path_in (f, "apple.gesso");
  WAIT (f, planned);
  set_prompt (f, "a red apple");
  paint (f, 200);
  save_to (f, path);
  g_assert_cmpstr (gtk_window_get_title (GTK_WINDOW (f->window)), ==, "apple — Gesso");
  set_prompt (f, "something else");
  g_assert_true (gesso_project_get_modified (project_of (f)));
  g_assert_cmpstr (gtk_window_get_title (GTK_WINDOW (f->window)), ==, "• apple — Gesso");
  paint (f, 10);
  act (f, "win.save");
  WAIT (f, is_saved);
  act (f, "win.new");
  g_assert_null (gesso_project_get_path (project_of (f)));
  g_assert_false (gesso_document_has_picture (document_of (f)));
  g_assert_cmpstr (gtk_window_get_title (GTK_WINDOW (f->window)), ==, "Gesso");
  set_prompt (f, "a third");
  open_file (f, path);
  WAIT (f, is_saved);
  assert_prompt (f, "something else");
  g_assert_cmpint (painted_value (f), ==, 10);
  g_assert_false (gesso_document_can_undo (document_of (f)));
}

/* What follows from opening it, the plan above all, is no change. */
static void
test_opening_is_no_change (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = path_in (f, "apple.gesso");
  WAIT (f, planned);
  paint (f, 200);
  save_to (f, path);
  act (f, "win.new");
  WAIT (f, allowed);
  open_file (f, path);
  WAIT (f, is_saved);
  gesso_form_set_filled (f->form, NULL);
  WAIT (f, allowed);
  act (f, "win.new-seed");
  g_assert_false (gesso_project_get_modified (project_of (f)));
}

static void
test_restart_knows_the_file (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = path_in (f, "apple.gesso");
  WAIT (f, planned);
  paint (f, 77);
  save_to (f, path);
  stop (f);
  start_in (f, f->dir);
  WAIT (f, is_restored);
  g_assert_true (is_saved (f));
  g_assert_cmpstr (gesso_project_get_path (project_of (f)), ==, path);
  set_prompt (f, "changed");
  stop (f);
  start_in (f, f->dir);
  WAIT (f, is_restored);
  g_assert_cmpstr (gesso_project_get_path (project_of (f)), ==, path);
  g_assert_true (gesso_project_get_modified (project_of (f)));
  assert_prompt (f, "changed");
}

/* ---- asking ---- */

static gboolean
asks_to_save (Fixture *f)
{
  return find_button_anywhere ("_Don’t Save") != NULL;
}

static gboolean
asks_nothing (Fixture *f)
{
  return !asks_to_save (f);
}

static gboolean
is_closed (Fixture *f)
{
  return gesso_application_get_window (f->app) == NULL;
}

static void
test_close_asks_and_declining_forgets (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = path_in (f, "apple.gesso");
  WAIT (f, planned);
  set_prompt (f, "as saved");
  paint (f, 50);
  save_to (f, path);
  set_prompt (f, "not to be kept");
  paint (f, 60);
  gtk_window_close (GTK_WINDOW (f->window));
  WAIT (f, asks_to_save);
  answer_beside ("_Don’t Save", "_Cancel");
  WAIT (f, asks_nothing);
  g_assert_false (is_closed (f));
  gtk_window_close (GTK_WINDOW (f->window));
  WAIT (f, asks_to_save);
  answer ("_Don’t Save");
  WAIT (f, is_closed);
  stop (f);
  start_in (f, f->dir);
  WAIT (f, is_saved);
  assert_prompt (f, "as saved");
  g_assert_cmpint (painted_value (f), ==, 50);
}

static void
test_close_asks_and_saving_saves (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = path_in (f, "apple.gesso");
  WAIT (f, planned);
  save_to (f, path);
  set_prompt (f, "to be kept");
  gtk_window_close (GTK_WINDOW (f->window));
  WAIT (f, asks_to_save);
  answer_beside ("_Don’t Save", "_Save");
  WAIT (f, is_closed);
  stop (f);
  start_in (f, f->dir);
  act (f, "win.new");
  set_prompt (f, "another");
  open_file (f, path);
  WAIT (f, is_saved);
  assert_prompt (f, "to be kept");
}

/* A canvas without a name is kept by itself when the window closes, but not when another project
 * takes its place. */
static void
test_nameless_canvas_is_asked_about (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = path_in (f, "other.gesso");
  WAIT (f, planned);
  save_to (f, path);
  act (f, "win.new");
  paint (f, 123);
  open_file (f, path);
  WAIT (f, asks_to_save);
  answer_beside ("_Don’t Save", "_Cancel");
  WAIT (f, asks_nothing);
  g_assert_cmpint (painted_value (f), ==, 123);
  open_file (f, path);
  WAIT (f, asks_to_save);
  answer ("_Don’t Save");
  WAIT (f, is_saved);
  g_assert_false (gesso_document_has_picture (document_of (f)));
}

/* ---- what cannot be opened ---- */

static gboolean
says_cannot_open (Fixture *f)
{
  return find_button_anywhere ("_Close") != NULL;
}

static void
refuse (Fixture *f, const char *path)
{
  open_file (f, path);
  WAIT (f, says_cannot_open);
  answer ("_Close");
  g_assert_cmpint (painted_value (f), ==, 99);
  assert_prompt (f, "mine");
}

static gboolean
says_nothing (Fixture *f)
{
  return !says_cannot_open (f);
}

static void
test_damaged_changes_nothing (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = path_in (f, "apple.gesso"), *bad = path_in (f, "bad.gesso"), *data = NULL;
  gsize n;
  WAIT (f, planned);
  set_prompt (f, "mine");
  paint (f, 99);
  save_to (f, path);
  g_assert_true (g_file_get_contents (path, &data, &n, NULL));
  g_assert_true (g_file_set_contents (bad, data, (gssize) n / 2, NULL));
  refuse (f, bad);
  WAIT (f, says_nothing);
  g_assert_true (g_file_set_contents (bad, "no project at all", -1, NULL));
  refuse (f, bad);
  g_assert_cmpstr (gesso_project_get_path (project_of (f)), ==, path);
}

static void
test_save_that_fails_says_so (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = path_in (f, "missing-folder/apple.gesso");
  WAIT (f, planned);
  g_assert_true (gtk_widget_activate_action_variant (GTK_WIDGET (f->window), "win.save-to",
                                                     g_variant_new_bytestring (path)));
  WAIT (f, says_cannot_open);
  answer ("_Close");
  g_assert_null (gesso_project_get_path (project_of (f)));
}

/* ---- the canvas as a picture ---- */

static void
save_picture_to (Fixture *f, const char *path)
{
  g_assert_true (gtk_widget_activate_action_variant (GTK_WIDGET (f->window), "win.save-picture-to",
                                                     g_variant_new_bytestring (path)));
}

static gboolean
picture_is_there (Fixture *f)
{
  g_autofree char *path = path_in (f, "whole.png");
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* Blue, green, red, opacity; premultiplied. */
static void
assert_pixel (GdkTexture *texture, int x, int y, const guint8 expected[4])
{
  gsize stride = (gsize) gdk_texture_get_width (texture) * 4;
  g_autofree guint8 *pixels = g_malloc (stride * (gsize) gdk_texture_get_height (texture));
  gdk_texture_download (texture, pixels, stride);
  g_assert_cmpmem (pixels + (gsize) y * stride + x * 4, 4, expected, 4);
}

/* More than the frame, and nothing where nothing was painted. */
static void
test_canvas_becomes_a_picture (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = path_in (f, "whole.png");
  WAIT (f, planned);
  g_assert_false (g_action_group_get_action_enabled (G_ACTION_GROUP (f->window), "save-picture"));
  paint (f, 50);
  GessoRect frame = gesso_document_get_frame (document_of (f));
  frame.x += 2 * SIDE;
  gesso_document_set_frame (document_of (f), &frame);
  paint (f, 200);
  g_assert_true (g_action_group_get_action_enabled (G_ACTION_GROUP (f->window), "save-picture"));
  save_picture_to (f, path);
  WAIT (f, picture_is_there);
  g_autoptr (GdkTexture) texture = gdk_texture_new_from_filename (path, NULL);
  g_assert_nonnull (texture);
  g_assert_cmpint (gdk_texture_get_width (texture), ==, 3 * SIDE);
  g_assert_cmpint (gdk_texture_get_height (texture), ==, SIDE);
  assert_pixel (texture, 0, 0, (guint8[4]){ 50, 50, 50, 255 });
  assert_pixel (texture, SIDE + SIDE / 2, 1, (guint8[4]){ 0 });
  assert_pixel (texture, 3 * SIDE - 1, SIDE - 1, (guint8[4]){ 200, 200, 200, 255 });
}

static void
test_picture_that_fails_says_so (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = path_in (f, "missing-folder/whole.png");
  WAIT (f, planned);
  paint (f, 50);
  save_picture_to (f, path);
  WAIT (f, says_cannot_open);
  answer ("_Close");
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

/* ---- recent ---- */

static gboolean
menu_has (GMenuModel *menu, const char *label)
{
  for (int i = 0; i < g_menu_model_get_n_items (menu); i++)
    {
      g_autofree char *text = NULL;
      g_menu_model_get_item_attribute (menu, i, G_MENU_ATTRIBUTE_LABEL, "s", &text);
      static const char *const links[] = { G_MENU_LINK_SECTION, G_MENU_LINK_SUBMENU };
      gboolean below = FALSE;
      for (gsize k = 0; k < G_N_ELEMENTS (links); k++)
        {
          g_autoptr (GMenuModel) link = g_menu_model_get_item_link (menu, i, links[k]);
          below |= link && menu_has (link, label);
        }
      if (below || g_strcmp0 (text, label) == 0)
        return TRUE;
    }
  return FALSE;
}

static GtkWidget *
find_menu_button (GtkWidget *widget)
{
  if (GTK_IS_MENU_BUTTON (widget) && gtk_menu_button_get_menu_model (GTK_MENU_BUTTON (widget)))
    {
      GMenuModel *model = gtk_menu_button_get_menu_model (GTK_MENU_BUTTON (widget));
      if (menu_has (model, "_Save"))
        return widget;
    }
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child;
       child = gtk_widget_get_next_sibling (child))
    {
      GtkWidget *found = find_menu_button (child);
      if (found)
        return found;
    }
  return NULL;
}

static gboolean
recent_has_it (Fixture *f)
{
  GtkWidget *button = find_menu_button (GTK_WIDGET (f->window));
  return menu_has (gtk_menu_button_get_menu_model (GTK_MENU_BUTTON (button)), "my__apple.gesso");
}

static void
test_recent_lists_it (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = path_in (f, "my_apple.gesso");
  WAIT (f, planned);
  save_to (f, path);
  WAIT (f, recent_has_it);
}

/* ---- several files ---- */

static gboolean
has_two_jobs (Fixture *f)
{
  return n_jobs (f) == 2;
}

static gboolean
asks_about_pictures (Fixture *f)
{
  return find_button_anywhere ("Add 2 _Jobs") != NULL;
}

static void
copy_picture (const char *from, const char *to)
{
  g_autofree char *data = NULL;
  gsize n;
  g_assert_true (g_file_get_contents (from, &data, &n, NULL));
  g_assert_true (g_file_set_contents (to, data, (gssize) n, NULL));
}

static void
test_several_pictures_become_jobs (Fixture *f, gconstpointer unused)
{
  g_autofree char *one = path_in (f, "one, really.png"), *two = path_in (f, "two.png");
  g_settings_set_boolean (gesso_window_get_settings (f->window), "notify", FALSE);
  WAIT (f, planned);
  WAIT (f, can_generate);
  act (f, "win.generate");
  WAIT (f, has_one_picture);
  copy_picture (gesso_job_get_last_picture (job_at (f, 0)), one);
  copy_picture (gesso_job_get_last_picture (job_at (f, 0)), two);
  act (f, "win.clear-ended");
  set_prompt (f, "a fox");
  open_files (f, (const char *const[]){ one, two, NULL });
  WAIT (f, asks_about_pictures);
  answer ("Add 2 _Jobs");
  WAIT (f, has_two_jobs);
  const char *const paths[] = { one, two };
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GessoForm) form = gesso_form_new ();
      g_assert_true (gesso_form_load (form, gesso_job_get_recipe (job_at (f, i)), NULL));
      const Recipe *recipe = gesso_form_peek (form);
      g_assert_cmpstr (recipe_str (recipe->init_image), ==, paths[i]);
      g_assert_cmpstr (recipe_str (recipe->prompt), ==, "a fox");
      g_assert_cmpfloat_with_epsilon (recipe->denoise, 0.6, 1e-6);
    }
  WAIT (f, nothing_waits);
  for (guint i = 0; i < 2; i++)
    g_assert_cmpint (gesso_job_get_state (job_at (f, i)), ==, GESSO_JOB_DONE);
}

static gboolean
asks_about_models (Fixture *f)
{
  return find_button_anywhere ("_Search From Now On") != NULL;
}

static gboolean
searches_folder (Fixture *f)
{
  g_auto (GStrv) folders = gesso_library_dup_folders (gesso_window_get_library (f->window));
  g_autofree char *wanted = path_in (f, "models");
  return folders && g_strv_contains ((const char *const *) folders, wanted);
}

static void
test_several_models_offer_their_folder (Fixture *f, gconstpointer unused)
{
  g_autofree char *folder = path_in (f, "models");
  g_autofree char *one = g_build_filename (folder, "one.safetensors", NULL);
  g_autofree char *two = g_build_filename (folder, "two.SafeTensors", NULL);
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (one, "x", 1, NULL));
  g_assert_true (g_file_set_contents (two, "x", 1, NULL));
  WAIT (f, planned);
  open_files (f, (const char *const[]){ one, two, NULL });
  WAIT (f, asks_about_models);
  answer ("_Search From Now On");
  WAIT (f, searches_folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  ADD ("project/comes-back", test_comes_back);
  ADD ("project/opening-is-no-change", test_opening_is_no_change);
  ADD ("project/restart-knows-the-file", test_restart_knows_the_file);
  ADD ("project/close-asks-declining-forgets", test_close_asks_and_declining_forgets);
  ADD ("project/close-asks-saving-saves", test_close_asks_and_saving_saves);
  ADD ("project/nameless-canvas-is-asked-about", test_nameless_canvas_is_asked_about);
  ADD ("project/damaged-changes-nothing", test_damaged_changes_nothing);
  ADD ("project/save-that-fails-says-so", test_save_that_fails_says_so);
  ADD ("project/canvas-becomes-a-picture", test_canvas_becomes_a_picture);
  ADD ("project/picture-that-fails-says-so", test_picture_that_fails_says_so);
  ADD ("project/recent-lists-it", test_recent_lists_it);
  ADD ("several/pictures-become-jobs", test_several_pictures_become_jobs);
  ADD ("several/models-offer-their-folder", test_several_models_offer_their_folder);
  return g_test_run ();
}
