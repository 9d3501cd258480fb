/* SPDX-License-Identifier: MPL-2.0
 * test-window-files.c - the window and files: folders, start pictures and what a restart must find
 * again.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-files, with GESSO_DATA and GESSO_TEST_WORKER
 * set.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <utime.h>

#include "app/gallery/gesso-gallery-private.h"
#include "app/gesso-inputs.h"
#include "app/gesso-model-picker.h"
#include "app/gesso-model-row.h"
#include "app/gesso-open.h"
#include "window-fixture.h"

static GessoDocument *
document_of (Fixture *f)
{
  return gesso_create_page_get_document (f->page);
}

static gboolean
has_one_job (Fixture *f)
{
  return n_jobs (f) == 1;
}

static gboolean
has_picture (Fixture *f)
{
  return gesso_document_has_picture (document_of (f));
}

/* ---- folders ---- */

static void
test_pictures_folder_changes_at_once (Fixture *f, gconstpointer unused)
{
  g_autofree char *other = g_build_filename (f->dir, "other", NULL);
  g_settings_set_string (gesso_window_get_settings (f->window), "pictures-folder", other);
  make_picture (f);
  g_assert_true (g_str_has_prefix (gesso_job_get_last_picture (job_at (f, 0)), other));
  g_settings_reset (gesso_window_get_settings (f->window), "pictures-folder");
}

/* File names are bytes; recipes and labels are UTF-8.  Refused with a sentence, not shown broken.
 */
static void
test_model_name_must_be_utf8 (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  g_autoptr (GError) error = NULL;
  gboolean set = gesso_form_set_text (f->form, "model", "/nowhere/caf\xe9.safetensors", &error);
  g_assert_false (set);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  WAIT (f, allowed);
}

/* ---- start pictures ---- */

static char *
store (const char *folder, guint8 grey)
{
  guint8 pixels[8 * 8 * 3];
  memset (pixels, grey, sizeof pixels);
  g_autoptr (GBytes) rgb = g_bytes_new (pixels, sizeof pixels);
  g_autoptr (GError) error = NULL;
  char *path = gesso_inputs_store (folder, rgb, 8, 8, FALSE, &error);
  g_assert_no_error (error);
  return path;
}

static void
make_old (const char *path)
{
  struct utimbuf long_ago = { 1000000, 1000000 };
  g_assert_cmpint (utime (path, &long_ago), ==, 0);
}

static char *swept;

static gboolean
is_swept (Fixture *f)
{
  return !g_file_test (swept, G_FILE_TEST_EXISTS);
}

static void
test_inputs_are_swept_but_for_jobs (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  gesso_queue_set_paused (f->queue, TRUE);
  g_autofree char *folder = g_build_filename (f->dir, "data", "inputs", NULL);
  g_autofree char *named = store (folder, 10), *fresh = store (folder, 20);
  g_autofree char *foreign = g_build_filename (folder, "notes.png", NULL);
  swept = store (folder, 30);
  g_file_set_contents (foreign, "mine", -1, NULL);
  make_old (named);
  make_old (swept);
  make_old (foreign);
  gesso_form_set_text (f->form, "init_image", named, NULL);
  WAIT (f, allowed);
  WAIT (f, can_generate);
  act (f, "win.generate");
  WAIT (f, has_one_job);
  stop (f);
  start_in (f, f->dir);
  WAIT (f, is_swept);
  g_assert_true (g_file_test (named, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (foreign, G_FILE_TEST_EXISTS));
  (void) fresh; /* may be as old as the second start: only its own second keeps it */
  g_clear_pointer (&swept, g_free);
}

/* ---- a restart ---- */

static void
test_result_goes_to_its_place_after_a_restart (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  gesso_queue_set_paused (f->queue, TRUE);
  gesso_document_set_frame (document_of (f), &(GessoRect){ 40, 24, 128, 128 });
  WAIT (f, can_generate);
  act (f, "win.generate");
  WAIT (f, has_one_job);
  WAIT (f, can_generate);
  stop (f);
  start_in (f, f->dir);
  gesso_document_set_frame (document_of (f), &(GessoRect){ 0, 0, 128, 128 });
  gesso_queue_set_paused (f->queue, FALSE);
  WAIT (f, has_one_picture);
  WAIT (f, has_result);
  GessoFilmstrip *strip = gesso_stage_get_filmstrip (gesso_create_page_get_stage (f->page));
  GListModel *results = gesso_filmstrip_get_model (strip);
  g_autoptr (GessoResult) result =
      g_list_model_get_item (results, g_list_model_get_n_items (results) - 1);
  GessoRect where = gesso_result_get_where (result);
  g_assert_cmpint (where.x, ==, 40);
  g_assert_cmpint (where.y, ==, 24);
  g_assert_cmpint (where.width, ==, 128);
}

static gboolean
has_selected_result (Fixture *f)
{
  GessoStage *stage = gesso_create_page_get_stage (f->page);
  return gesso_filmstrip_get_selected (gesso_stage_get_filmstrip (stage)) != NULL;
}

static gboolean
has_no_selected_result (Fixture *f)
{
  return !has_selected_result (f);
}

/* The last result lay beside a picture that was opened, or over it. */
static void
test_opened_picture_is_not_covered (Fixture *f, gconstpointer unused)
{
  make_picture (f);
  WAIT (f, has_selected_result);
  g_autoptr (GFile) file = g_file_new_for_path (gesso_job_get_last_picture (job_at (f, 0)));
  gesso_create_page_load_picture (f->page, file);
  WAIT (f, has_picture);
  WAIT (f, has_no_selected_result);
  WAIT (f, can_generate);
  act (f, "win.generate");
  WAIT (f, has_selected_result); /* the next one is looked at again */
}

static gboolean
has_no_picture (Fixture *f)
{
  return !has_picture (f);
}

/* "Use Recipe" kept the start picture: the recipe of a picture from words gave another one. */
static void
test_recipe_from_words_starts_from_nothing (Fixture *f, gconstpointer unused)
{
  make_picture (f);
  g_autofree char *recipe = gesso_form_to_json (f->form);
  g_autoptr (GFile) file = g_file_new_for_path (gesso_job_get_last_picture (job_at (f, 0)));
  gesso_create_page_load_picture (f->page, file);
  WAIT (f, has_picture);
  g_assert_true (gesso_window_use_recipe (f->window, recipe, 0));
  WAIT (f, has_no_picture);
  g_assert_true (gesso_form_is_default (f->form, "denoise"));
  g_assert_true (gesso_document_undo (document_of (f), NULL));
  WAIT (f, has_picture);
}

/* ---- pictures of other programs ---- */

/* A picture where another program has put it.  Returns: (transfer full) */
static char *
put_other_picture (Fixture *f, const char *name)
{
  g_autofree char *from =
      g_build_filename (g_getenv ("GESSO_SOURCE"), "tests/golden/fixtures/init-24x16.png", NULL);
  g_autofree char *folder = g_build_filename (f->dir, "ComfyUI", "output", NULL);
  g_autofree char *bytes = NULL;
  char *path = g_build_filename (folder, name, NULL);
  gsize n = 0;
  g_assert_true (g_file_get_contents (from, &bytes, &n, NULL));
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, bytes, (gssize) n, NULL));
  gesso_library_add_pictures_folder (gesso_window_get_library (f->window), folder);
  return path;
}

/* The question over the window; NULL: none is asked */
static GtkWidget *
find_question (void)
{
  GListModel *windows = gtk_window_get_toplevels ();
  for (guint i = 0; i < g_list_model_get_n_items (windows); i++)
    {
      g_autoptr (GtkWindow) window = g_list_model_get_item (windows, i);
      if (gtk_window_get_modal (window) && gtk_widget_get_visible (GTK_WIDGET (window)))
        return GTK_WIDGET (window);
    }
  return NULL;
}

static gboolean
can_trash (Fixture *f)
{
  GtkWidget *page = nth (GTK_WIDGET (f->window), GESSO_TYPE_GALLERY_PAGE, 0);
  gtk_widget_activate_action (page, "gallery.trash", NULL);
  return find_question () != NULL;
}

static gboolean
is_gone (Fixture *f)
{
  g_autofree char *path = g_build_filename (f->dir, "ComfyUI/output/ComfyUI_00001_.png", NULL);
  return !g_file_test (path, G_FILE_TEST_EXISTS);
}

static void
answer (const char *label)
{
  g_signal_emit_by_name (find_button (find_question (), label), "clicked");
}

static gboolean
is_answered (Fixture *f)
{
  return find_question () == NULL;
}

/* They are only shown: nothing there is moved without a question. */
static void
test_trash_asks_for_pictures_of_others (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = put_other_picture (f, "ComfyUI_00001_.png");
  gesso_window_show_page (f->window, "gallery");
  GtkWidget *page = nth (GTK_WIDGET (f->window), GESSO_TYPE_GALLERY_PAGE, 0);
  gesso_gallery_page_show_picture (GESSO_GALLERY_PAGE (page), path);
  WAIT (f, can_trash);
  answer ("_Cancel");
  WAIT (f, is_answered);
  g_assert_false (is_gone (f));
  WAIT (f, can_trash);
  answer ("Move to _Trash");
  WAIT (f, is_gone);
}

static gboolean
shows_the_second (Fixture *f)
{
  GtkWidget *page = nth (GTK_WIDGET (f->window), GESSO_TYPE_GALLERY_PAGE, 0);
  g_autoptr (GessoPicture) picture = gesso_gallery_ref_picture (GESSO_GALLERY_PAGE (page));
  return picture && g_str_has_suffix (gesso_picture_get_path (picture), "ComfyUI_00002_.png");
}

/* What was selected when the answer came went, and not what had been asked about. */
static void
test_trash_moves_what_it_asked_about (Fixture *f, gconstpointer unused)
{
  g_autofree char *first = put_other_picture (f, "ComfyUI_00001_.png");
  g_autofree char *second = put_other_picture (f, "ComfyUI_00002_.png");
  gesso_window_show_page (f->window, "gallery");
  GtkWidget *page = nth (GTK_WIDGET (f->window), GESSO_TYPE_GALLERY_PAGE, 0);
  gesso_gallery_page_show_picture (GESSO_GALLERY_PAGE (page), first);
  WAIT (f, can_trash);
  gesso_gallery_page_show_picture (GESSO_GALLERY_PAGE (page), second);
  WAIT (f, shows_the_second);
  answer ("Move to _Trash");
  WAIT (f, is_gone);
  g_assert_true (g_file_test (second, G_FILE_TEST_EXISTS));
}

static gboolean
says_pictures (Fixture *f)
{
  return find_label (GTK_WIDGET (f->window), "This is a folder of pictures") != NULL;
}

/* Dropped on the window, ComfyUI's output was no folder of pictures any more. */
static void
test_folder_of_pictures_is_not_one_of_models (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = put_other_picture (f, "ComfyUI_00001_.png");
  g_autofree char *folder = g_path_get_dirname (path);
  g_autoptr (GFile) file = g_file_new_for_path (folder);
  WAIT (f, planned);
  GSList files = { file, NULL };
  gesso_open_files (f->window, &files);
  WAIT (f, says_pictures);
  g_auto (GStrv) named = gesso_library_dup_picture_folders (gesso_window_get_library (f->window));
  g_assert_true (g_strv_contains ((const char *const *) named, folder));
}

/* ---- the model picker ---- */

/* GTK keeps a popover for ever that is open when its window goes, and may show a tooltip on it. */
static void
close_picker (GtkWidget *window, GtkWidget *picker)
{
  gtk_menu_button_popdown (GTK_MENU_BUTTON (gtk_widget_get_first_child (picker)));
  gtk_window_destroy (GTK_WINDOW (window));
}

/* What was searched for the last time hid all other models. */
static void
test_picker_opens_with_all_models (Fixture *f, gconstpointer unused)
{
  GessoLibrary *library = gesso_window_get_library (f->window);
  GtkWidget *picker = gesso_model_picker_new (f->form, "model", library, GESSO_FILE_CHECKPOINT);
  GtkWidget *window = gtk_window_new ();
  gtk_window_set_child (GTK_WINDOW (window), picker);
  gtk_window_present (GTK_WINDOW (window));
  WAIT (f, planned);
  guint n = g_list_model_get_n_items (gesso_library_get_models (library, GESSO_FILE_CHECKPOINT));
  GtkWidget *list = nth (picker, GTK_TYPE_LIST_VIEW, 0);
  GListModel *shown = G_LIST_MODEL (gtk_list_view_get_model (GTK_LIST_VIEW (list)));
  gesso_model_picker_set_search (GESSO_MODEL_PICKER (picker), "nothing of this name");
  g_assert_cmpuint (g_list_model_get_n_items (shown), ==, 0);
  gtk_menu_button_popup (GTK_MENU_BUTTON (gtk_widget_get_first_child (picker)));
  g_assert_cmpuint (n, >, 0);
  g_assert_cmpuint (g_list_model_get_n_items (shown), ==, n);
  close_picker (window, picker);
}

static GListModel *loras;

static gboolean
loras_are_read (Fixture *f)
{
  return g_list_model_get_n_items (loras) == 4;
}

static void
add_lora (Fixture *f, const char *folder, const char *name)
{
  const char *top = g_getenv ("GESSO_SOURCE");
  g_autofree char *source =
      g_build_filename (top ? top : ".", "tests/golden/fixtures/wan-loras/kohya.safetensors", NULL);
  g_autofree char *dir = g_build_filename (f->dir, folder, NULL);
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autoptr (GFile) from = g_file_new_for_path (source), to = g_file_new_for_path (path);
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (g_mkdir_with_parents (dir, 0700), ==, 0);
  g_file_copy (from, to, G_FILE_COPY_NONE, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
}

static void
assert_details (guint position, const char *end)
{
  g_autofree char *text = gesso_model_row_dup_details (loras, position);
  g_test_message ("%s", text);
  g_assert_true (g_str_has_suffix (text, end));
}

/* Of @folder of the test's own, which has four. */
static void
read_loras (Fixture *f, const char *folder)
{
  GessoLibrary *library = gesso_window_get_library (f->window);
  g_autofree char *path = g_build_filename (f->dir, folder, NULL);
  loras = gesso_library_get_models (library, GESSO_FILE_LORA);
  gesso_library_add_folder (library, path);
  WAIT (f, loras_are_read);
}

/* Two files of one name looked the same, and nobody found a file by the folder it is kept in. */
static void
test_picker_tells_files_of_one_name_apart (Fixture *f, gconstpointer unused)
{
  GessoLibrary *library = gesso_window_get_library (f->window);
  WAIT (f, planned);
  add_lora (f, "ComfyUI/models/loras", "ink.safetensors");
  add_lora (f, "ComfyUI/models/loras/Old/Styles", "ink.safetensors");
  add_lora (f, "ComfyUI/models/loras/Old/Styles", "oil.safetensors");
  add_lora (f, "ComfyUI/models/loras", "pen.safetensors");
  read_loras (f, "ComfyUI");
  assert_details (0, " · loras/Old/Styles");
  assert_details (1, " · ComfyUI/models/loras");
  assert_details (2, " · Old/Styles");
  assert_details (3, "B");
  g_autoptr (GtkWidget) picker = g_object_ref_sink (
      gesso_model_picker_new_chooser (f->form, library, GESSO_FILE_LORA, "Add a LoRA"));
  gesso_model_picker_set_show_others (GESSO_MODEL_PICKER (picker), TRUE); /* these are Wan's */
  GListModel *shown = gesso_model_picker_get_list (GESSO_MODEL_PICKER (picker));
  gesso_model_picker_set_search (GESSO_MODEL_PICKER (picker), "STYLES");
  g_assert_cmpuint (g_list_model_get_n_items (shown), ==, 2);
  gesso_model_picker_set_search (GESSO_MODEL_PICKER (picker), "oil wan old");
  g_assert_cmpuint (g_list_model_get_n_items (shown), ==, 1);
  gesso_model_picker_set_search (GESSO_MODEL_PICKER (picker), "pen styles");
  g_assert_cmpuint (g_list_model_get_n_items (shown), ==, 0);
}

/* Of those that a search finds: also where the list itself stays as it is. */
static void
test_picker_counts_those_for_other_models (Fixture *f, gconstpointer unused)
{
  GessoLibrary *library = gesso_window_get_library (f->window);
  WAIT (f, planned);
  add_lora (f, "loras/Styles", "ink.safetensors");
  add_lora (f, "loras/Styles", "oil.safetensors");
  add_lora (f, "loras", "pen.safetensors");
  add_lora (f, "loras", "pencil.safetensors");
  read_loras (f, "loras");
  GtkWidget *picker =
      gesso_model_picker_new_chooser (f->form, library, GESSO_FILE_LORA, "Add a LoRA");
  GtkWidget *window = gtk_window_new ();
  gtk_window_set_child (GTK_WINDOW (window), picker);
  GListModel *shown = gesso_model_picker_get_list (GESSO_MODEL_PICKER (picker));
  static const char *const counted[][2] = { { "", "Show 4 for other" },
                                            { "pen", "Show 2 for other" },
                                            { "Oil STYLES", "Show 1 for other" } };
  for (gsize i = 0; i < G_N_ELEMENTS (counted); i++)
    {
      gesso_model_picker_set_search (GESSO_MODEL_PICKER (picker), counted[i][0]);
      g_assert_cmpuint (g_list_model_get_n_items (shown), ==, 0);
      g_assert_nonnull (find_label (picker, counted[i][1]));
    }
  gtk_window_destroy (GTK_WINDOW (window));
}

static GtkWidget *
find_label_anywhere (const char *part)
{
  g_autoptr (GList) windows = gtk_window_list_toplevels ();
  GtkWidget *found = NULL;
  for (GList *at = windows; at && !found; at = at->next)
    found = find_label (at->data, part);
  return found;
}

static gboolean
lora_is_read (Fixture *f)
{
  return g_list_model_get_n_items (loras) == 1;
}

static gboolean
folder_says_one (Fixture *f)
{
  return find_label_anywhere ("0 models · 1 LoRA") != NULL;
}

static gboolean
folder_says_two (Fixture *f)
{
  return find_label_anywhere ("0 models · 2 LoRAs") != NULL;
}

static gboolean
folder_says_away (Fixture *f)
{
  return find_label_anywhere ("Not there now") != NULL;
}

/* Nothing told whether a folder that was added had been understood. */
static void
test_preferences_say_what_a_folder_holds (Fixture *f, gconstpointer unused)
{
  GessoLibrary *library = gesso_window_get_library (f->window);
  add_lora (f, "few/loras", "ink.safetensors");
  g_autofree char *folder = g_build_filename (f->dir, "few", NULL);
  loras = gesso_library_get_models (library, GESSO_FILE_LORA);
  gesso_library_add_folder (library, folder);
  WAIT (f, lora_is_read);
  g_action_group_activate_action (G_ACTION_GROUP (f->app), "preferences", NULL);
  WAIT (f, folder_says_one);
  gesso_library_remove_folder (library, folder);
}

/* Every batch of a scan made all rows anew, and the button under the pointer with them. */
static void
test_preferences_keep_rows_while_a_scan_goes_on (Fixture *f, gconstpointer unused)
{
  GessoLibrary *library = gesso_window_get_library (f->window);
  add_lora (f, "few/loras", "ink.safetensors");
  g_autofree char *folder = g_build_filename (f->dir, "few", NULL);
  g_autofree char *away = g_build_filename (f->dir, "unplugged", NULL);
  gesso_library_add_folder (library, folder);
  g_action_group_activate_action (G_ACTION_GROUP (f->app), "preferences", NULL);
  WAIT (f, folder_says_one);
  GtkWidget *label = find_label_anywhere ("0 models · 1 LoRA");
  add_lora (f, "few/loras", "oil.safetensors");
  gesso_library_rescan (library);
  WAIT (f, folder_says_two);
  g_assert_true (find_label_anywhere ("0 models · 2 LoRAs") == label);
  g_assert_cmpint (g_rename (folder, away), ==, 0);
  gesso_library_rescan (library);
  WAIT (f, folder_says_away);
  g_assert_true (find_label_anywhere ("Not there now") == label);
  g_assert_cmpint (g_rename (away, folder), ==, 0);
  gesso_library_rescan (library);
  WAIT (f, folder_says_two);
  gesso_library_remove_folder (library, folder);
}

/* Another program's, where such programs usually are; taken away at the end, so it must not be
 * somebody's.  Returns: (transfer full) */
static char *
put_installation (const char *const *folders)
{
  char *comfy = g_build_filename (g_get_home_dir (), "ComfyUI", NULL);
  g_assert_false (g_file_test (comfy, G_FILE_TEST_EXISTS));
  for (gsize i = 0; folders[i]; i++)
    {
      g_autofree char *folder = g_build_filename (comfy, folders[i], NULL);
      g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
    }
  return comfy;
}

static gboolean
others_are_found (Fixture *f)
{
  return find_label_anywhere ("Models found") && find_label_anywhere ("Pictures found");
}

static gboolean
output_is_named (Fixture *f)
{
  g_auto (GStrv) named = gesso_library_dup_picture_folders (gesso_window_get_library (f->window));
  g_autofree char *output = g_build_filename (g_get_home_dir (), "ComfyUI", "output", NULL);
  return !find_label_anywhere ("Pictures found") &&
         g_strv_contains ((const char *const *) named, output);
}

static gboolean
is_refused (Fixture *f)
{
  return find_label_anywhere ("The folder was not added") &&
         find_label_anywhere ("This is a folder of pictures");
}

static void
use (const char *found)
{
  GtkWidget *row = gtk_widget_get_ancestor (find_label_anywhere (found), ADW_TYPE_ACTION_ROW);
  g_signal_emit_by_name (find_button (row, "_Use"), "clicked");
}

/* Looking for them on a thread, Preferences may be closed before it has ended. */
static void
test_preferences_offer_what_others_have (Fixture *f, gconstpointer unused)
{
  static const char *const folders[] = { "models/checkpoints", "output", NULL };
  g_autofree char *comfy = put_installation (folders);
  GessoLibrary *library = gesso_window_get_library (f->window);
  g_action_group_activate_action (G_ACTION_GROUP (f->app), "preferences", NULL);
  gtk_window_destroy (GTK_WINDOW (find_question ()));
  g_action_group_activate_action (G_ACTION_GROUP (f->app), "preferences", NULL);
  WAIT (f, others_are_found);
  use ("Pictures found");
  WAIT (f, output_is_named);
  g_assert_null (gesso_library_add_own_folder (library, comfy));
  use ("Models found");
  WAIT (f, is_refused);
  g_auto (GStrv) models = gesso_library_dup_folders (library);
  g_assert_null (models[0]);
  remove_tree (comfy);
}

enum
{
  MANY_LORAS = 500
};

static GtkWidget *picker_list;

static gboolean
many_are_read (Fixture *f)
{
  return g_list_model_get_n_items (loras) == MANY_LORAS;
}

/* A row lies where the list begins, and not on one of the thousand places above it. */
static gboolean
first_row_shows (Fixture *f)
{
  GtkWidget *row = gtk_widget_pick (picker_list, 20, 20, GTK_PICK_DEFAULT);
  return row && row != picker_list;
}

static void
add_many_loras (Fixture *f)
{
  add_lora (f, "many/loras", "0000.safetensors");
  g_autofree char *first = g_build_filename (f->dir, "many/loras/0000.safetensors", NULL);
  for (int i = 1; i < MANY_LORAS; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/many/loras/%04d.safetensors", f->dir, i);
      g_assert_cmpint (link (first, path), ==, 0);
    }
}

/* Of thousands of LoRAs a search that found the last ones left the list empty ever after. */
static void
test_picker_shows_what_a_wider_search_finds (Fixture *f, gconstpointer unused)
{
  GessoLibrary *library = gesso_window_get_library (f->window);
  WAIT (f, planned);
  add_many_loras (f);
  g_autofree char *folder = g_build_filename (f->dir, "many", NULL);
  loras = gesso_library_get_models (library, GESSO_FILE_LORA);
  gesso_library_add_folder (library, folder);
  WAIT (f, many_are_read);
  GtkWidget *picker =
      gesso_model_picker_new_chooser (f->form, library, GESSO_FILE_LORA, "Add a LoRA");
  GtkWidget *window = gtk_window_new ();
  gesso_model_picker_set_show_others (GESSO_MODEL_PICKER (picker), TRUE); /* these are Wan's */
  gtk_window_set_child (GTK_WINDOW (window), picker);
  gtk_window_present (GTK_WINDOW (window));
  picker_list = nth (picker, GTK_TYPE_LIST_VIEW, 0);
  gtk_menu_button_popup (GTK_MENU_BUTTON (gtk_widget_get_first_child (picker)));
  WAIT (f, first_row_shows);
  gesso_model_picker_set_search (GESSO_MODEL_PICKER (picker), "0499");
  draw (f, picker_list);
  gesso_model_picker_set_search (GESSO_MODEL_PICKER (picker), "0");
  draw (f, picker_list);
  WAIT (f, first_row_shows);
  close_picker (window, picker);
}

/* ---- the canvas beside the panes ---- */

static double zoom_before;

static gboolean
zoom_is_other (Fixture *f)
{
  GessoCanvas *canvas = gesso_stage_get_canvas (gesso_create_page_get_stage (f->page));
  return gesso_canvas_get_zoom (canvas) != zoom_before;
}

static gboolean
zoom_is_said (Fixture *f)
{
  GessoCanvas *canvas = gesso_stage_get_canvas (gesso_create_page_get_stage (f->page));
  g_autofree char *text = g_strdup_printf ("%.0f %%", gesso_canvas_get_zoom (canvas) * 100);
  return find_label (GTK_WIDGET (f->window), text) != NULL;
}

/* The label went on saying 400 % after the queue pane had taken room. */
static void
test_zoom_is_said_when_room_changes (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  zoom_before = 1;
  WAIT (f, zoom_is_other);
  WAIT (f, zoom_is_said);
  zoom_before =
      gesso_canvas_get_zoom (gesso_stage_get_canvas (gesso_create_page_get_stage (f->page)));
  gtk_window_set_default_size (GTK_WINDOW (f->window), 800, 600);
  WAIT (f, zoom_is_other);
  WAIT (f, zoom_is_said);
}

/* The list of folders lay where only a worker of the desktop's own session looked for it. */
static void
test_worker_finds_models_of_this_library (Fixture *f, gconstpointer unused)
{
  g_autofree char *folder = g_build_filename (f->dir, "mine", NULL);
  g_autofree char *own = g_build_filename (folder, "my own name", NULL);
  g_autofree char *shipped =
      g_build_filename (g_getenv ("GESSO_DATA"), "models", "gesso-mini", NULL);
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  g_assert_cmpint (symlink (shipped, own), ==, 0);
  gesso_form_set_text (f->form, "model", "my own name", NULL);
  WAIT (f, refused);
  gesso_library_add_folder (gesso_window_get_library (f->window), folder);
  gesso_form_set_text (f->form, "steps", "3", NULL); /* so that it is asked again */
  WAIT (f, allowed);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  ADD ("folders/pictures-change-at-once", test_pictures_folder_changes_at_once);
  ADD ("folders/worker-finds-models-of-this-library", test_worker_finds_models_of_this_library);
  ADD ("folders/model-name-must-be-utf8", test_model_name_must_be_utf8);
  ADD ("inputs/swept-but-for-jobs", test_inputs_are_swept_but_for_jobs);
  ADD ("restart/result-goes-to-its-place", test_result_goes_to_its_place_after_a_restart);
  ADD ("canvas/opened-picture-is-not-covered", test_opened_picture_is_not_covered);
  ADD ("recipe/from-words-starts-from-nothing", test_recipe_from_words_starts_from_nothing);
  ADD ("others/trash-asks", test_trash_asks_for_pictures_of_others);
  ADD ("others/trash-moves-what-it-asked-about", test_trash_moves_what_it_asked_about);
  ADD ("others/folder-is-not-one-of-models", test_folder_of_pictures_is_not_one_of_models);
  ADD ("picker/counts-those-for-other-models", test_picker_counts_those_for_other_models);
  ADD ("preferences/keep-rows-while-a-scan-goes-on",
       test_preferences_keep_rows_while_a_scan_goes_on);
  ADD ("picker/opens-with-all-models", test_picker_opens_with_all_models);
  ADD ("picker/tells-files-of-one-name-apart", test_picker_tells_files_of_one_name_apart);
  ADD ("preferences/offer-what-others-have", test_preferences_offer_what_others_have);
  ADD ("preferences/say-what-a-folder-holds", test_preferences_say_what_a_folder_holds);
  ADD ("picker/shows-what-a-wider-search-finds", test_picker_shows_what_a_wider_search_finds);
  ADD ("canvas/zoom-is-said-when-room-changes", test_zoom_is_said_when_room_changes);
  return g_test_run ();
}
