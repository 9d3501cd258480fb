/* SPDX-License-Identifier: MPL-2.0
 * test-window-far-disk.c - models, pictures and projects on a disk that does not answer.
 *
 * In f->dir the folder "pictures" lies on such a disk; the session's data do not.  A call of the
 * main thread for a file there ends the program (support/far-disk.h).
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-far-disk, with GESSO_DATA, GESSO_SOURCE and
 * GESSO_TEST_WORKER set.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "app/gallery/gesso-gallery-private.h"
#include "app/gesso-adapter-list.h"
#include "app/gesso-control-list.h"
#include "app/gesso-open.h"
#include "library/gesso-library-private.h"
#include "media/clip.h"
#include "support/far-disk.h"
#include "window-fixture.h"

enum
{
  N_WAITING_AT_START = 2, /* scanner, a file that was opened */
  N_WAITING = 6,          /* scanner, thumbnails, files of the recipe, and what was opened */
  PATIENCE_MS = 200       /* with the disk: of the scanner, and of the end of the program */
};

/* ---- what is on the disk ---- */

static char *
far (Fixture *f, const char *name)
{
  return g_build_filename (f->dir, "pictures", name, NULL);
}

static void
make_folder (Fixture *f, const char *name)
{
  g_autofree char *path = far (f, name);
  g_assert_cmpint (g_mkdir_with_parents (path, 0700), ==, 0);
}

static void
write_lora (Fixture *f, const char *name)
{
  static const char header[] =
      "{\"__metadata__\":{\"modelspec.trigger_phrase\":\"ink style\"},"
      "\"lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight\":"
      "{\"dtype\":\"F16\",\"shape\":[1,4],\"data_offsets\":[0,8]},"
      "\"lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q.lora_up.weight\":"
      "{\"dtype\":\"F16\",\"shape\":[4,1],\"data_offsets\":[8,16]}}";
  g_autofree char *path = far (f, name);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  guint64 n = GUINT64_TO_LE ((guint64) strlen (header));
  g_byte_array_append (bytes, (const guint8 *) &n, sizeof n);
  g_byte_array_append (bytes, (const guint8 *) header, (guint) strlen (header));
  g_byte_array_set_size (bytes, bytes->len + 16);
  g_assert_true (g_file_set_contents (path, (const char *) bytes->data, bytes->len, NULL));
}

static void
write_picture (Fixture *f, const char *name)
{
  g_autofree char *from =
      g_build_filename (g_getenv ("GESSO_SOURCE"), "tests/golden/fixtures/init-48x32.png", NULL);
  g_autofree char *bytes = NULL, *path = far (f, name);
  gsize n = 0;
  g_assert_true (g_file_get_contents (from, &bytes, &n, NULL));
  g_assert_true (g_file_set_contents (path, bytes, (gssize) n, NULL));
}

static void
write_clip (Fixture *f, const char *name)
{
  static const guint8 rgb[8 * 8 * 3];
  const FilmInfo info = { .width = 8, .height = 8, .rate = { 16, 1 } };
  g_autofree char *path = far (f, name);
  ClipWriter clip = { 0 };
  Status status = { 0 };
  g_assert_true (clip_writer_open (&clip, path, &info, &status) &&
                 clip_writer_add (&clip, rgb, &status) &&
                 clip_writer_commit (&clip, false, &status));
}

/* A folder of models with a model, which the worker can read, and a LoRA; pictures; ComfyUI. */
static void
fill_disk (Fixture *f)
{
  g_autofree char *model = g_build_filename (g_getenv ("GESSO_DATA"), "models/gesso-mini", NULL);
  g_autofree char *link = far (f, "models/far-mini");
  make_folder (f, "models/loras");
  make_folder (f, "ComfyUI/models/checkpoints");
  make_folder (f, "ComfyUI/output");
  g_assert_cmpint (symlink (model, link), ==, 0);
  write_lora (f, "models/loras/ink.safetensors");
  write_picture (f, "ComfyUI/output/other.png");
  write_picture (f, "start.png");
  write_clip (f, "boat.gclip");
}

static void
set_up (Fixture *f, gconstpointer unused)
{
  setup (f, unused);
  WAIT (f, planned);
  fill_disk (f);
  g_autofree char *disk = far (f, "");
  far_disk_begin (disk);
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  far_disk_end ();
  teardown (f, unused);
}

/* ---- what the user does ---- */

static void
open_far (Fixture *f, const char *name)
{
  g_autofree char *path = far (f, name);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  GSList files = { file, NULL };
  gesso_open_files (f->window, &files);
}

static void
act_with (Fixture *f, const char *action, GVariant *parameter)
{
  g_assert_true (gtk_widget_activate_action_variant (GTK_WIDGET (f->window), action, parameter));
}

static gboolean
window_says (Fixture *f, const char *part)
{
  return find_label (GTK_WIDGET (f->window), part) != NULL;
}

static gboolean
lora_is_listed (Fixture *f)
{
  GListModel *loras =
      gesso_library_get_models (gesso_window_get_library (f->window), GESSO_FILE_LORA);
  return g_list_model_get_n_items (loras) == 1;
}

static gboolean
model_is_shown (Fixture *f)
{
  return says (GTK_WIDGET (f->window), "far-mini") && allowed (f);
}

static GtkWidget *
adapters_of (Fixture *f)
{
  return nth (GTK_WIDGET (f->window), GESSO_TYPE_ADAPTER_LIST, 0);
}

static gboolean
words_are_read (Fixture *f)
{
  GtkWidget *button;
  for (int i = 0; (button = nth (adapters_of (f), GTK_TYPE_BUTTON, i)); i++)
    if (g_strcmp0 (gtk_widget_get_tooltip_text (button), "Add these words to the prompt") == 0)
      return TRUE;
  return FALSE;
}

static gboolean
missing_lora_is_said (Fixture *f)
{
  return find_label (adapters_of (f), "not there any more") != NULL;
}

static GessoControlList *
controls_of (Fixture *f)
{
  return GESSO_CONTROL_LIST (nth (GTK_WIDGET (f->window), GESSO_TYPE_CONTROL_LIST, 0));
}

static gboolean
missing_net_is_said (Fixture *f)
{
  return find_label (GTK_WIDGET (controls_of (f)), "not there any more") != NULL;
}

static gboolean
preview_is_shown (Fixture *f)
{
  GtkWidget *picture = nth (GTK_WIDGET (controls_of (f)), GTK_TYPE_PICTURE, 0);
  return picture && gtk_picture_get_paintable (GTK_PICTURE (picture));
}

static gboolean
canvas_has_picture (Fixture *f)
{
  return gesso_document_has_picture (gesso_create_page_get_document (f->page));
}

static void
use_far_models (Fixture *f)
{
  g_autofree char *model = far (f, "models/far-mini");
  open_far (f, "models");
  WAIT (f, lora_is_listed);
  gesso_form_set_text (f->form, "model", model, NULL);
  WAIT (f, model_is_shown);
}

/* What is not there is said; the files that are there are read. */
static void
add_to_recipe (Fixture *f)
{
  g_autofree char *gone = far (f, "models/loras/gone.safetensors");
  g_autofree char *net = far (f, "models/gone.pth"), *picture = far (f, "start.png");
  open_far (f, "models/loras/ink.safetensors");
  gesso_adapters_add (f->form, gone, NULL);
  gesso_control_list_add (controls_of (f), net);
  gesso_control_list_set_image (controls_of (f), 0, picture);
}

static void
wait_for_recipe (Fixture *f)
{
  WAIT (f, words_are_read);
  WAIT (f, missing_lora_is_said);
  WAIT (f, missing_net_is_said);
  WAIT (f, preview_is_shown);
}

/* ---- the gallery ---- */

static GtkWidget *
gallery_of (Fixture *f)
{
  return nth (GTK_WIDGET (f->window), GESSO_TYPE_GALLERY_PAGE, 0);
}

static gboolean
gallery_has_it (Fixture *f)
{
  g_autoptr (GessoPicture) picture =
      gesso_gallery_ref_picture (GESSO_GALLERY_PAGE (gallery_of (f)));
  return picture &&
         g_str_equal (gesso_picture_get_path (picture), gesso_job_get_last_picture (job_at (f, 0)));
}

static gboolean
details_are_read (Fixture *f)
{
  return says (gallery_of (f), "Sampler");
}

static gboolean
trash_is_said (Fixture *f)
{
  return window_says (f, "moved to the trash");
}

static gboolean
picture_is_shown (Fixture *f)
{
  gesso_gallery_page_show_picture (GESSO_GALLERY_PAGE (gallery_of (f)),
                                   gesso_job_get_last_picture (job_at (f, 0)));
  return gallery_has_it (f);
}

static void
trash_picture (Fixture *f)
{
  gesso_window_show_page (f->window, "gallery");
  WAIT (f, picture_is_shown);
  WAIT (f, details_are_read);
  gtk_widget_activate_action (gallery_of (f), "gallery.trash", NULL);
  WAIT (f, trash_is_said);
}

static void
look_at_picture (Fixture *f)
{
  trash_picture (f);
  gtk_widget_activate_action (gallery_of (f), "gallery.undo", NULL);
  WAIT (f, picture_is_shown);
  gtk_widget_activate_action (gallery_of (f), "gallery.show-in-files", NULL);
  gesso_window_show_page (f->window, "create");
}

/* ---- projects and recipes ---- */

static gboolean
has_file (Fixture *f)
{
  return gesso_project_get_path (gesso_window_get_project (f->window)) != NULL;
}

static gboolean
is_saved (Fixture *f)
{
  return has_file (f) && !gesso_project_get_modified (gesso_window_get_project (f->window));
}

static gboolean
is_opened (Fixture *f)
{
  return is_saved (f) && prompt_is_apple (f);
}

static gboolean
is_new (Fixture *f)
{
  return !has_file (f);
}

static void
save_project (Fixture *f)
{
  g_autofree char *path = far (f, "apple.gesso");
  gesso_form_set_text (f->form, "prompt", "a red apple", NULL);
  act_with (f, "win.save-to", g_variant_new_bytestring (path));
  WAIT (f, has_file);
}

static void
open_project (Fixture *f)
{
  WAIT (f, is_saved);
  act (f, "win.new");
  WAIT (f, is_new);
  gesso_form_set_text (f->form, "prompt", "a pear", NULL);
  open_far (f, "apple.gesso");
  WAIT (f, is_opened);
}

static char *model_before;

static gboolean
model_is_as_before (Fixture *f)
{
  return g_str_equal (recipe_str (gesso_form_peek (f->form)->model), model_before);
}

/* A model that is gone does not take the place of the one that was chosen. */
static void
use_recipe_of_gone_model (Fixture *f)
{
  g_autofree char *gone = far (f, "models/gone.safetensors");
  g_autofree char *json = g_strdup_printf ("{\"version\": 7, \"model\": \"%s\"}", gone);
  model_before = gesso_form_dup_text (f->form, "model");
  g_assert_true (gesso_window_use_recipe (f->window, json, 0));
  WAIT (f, model_is_as_before);
  g_clear_pointer (&model_before, g_free);
}

/* ---- Preferences ---- */

static gboolean output_is_named;

static void
pictures_added_cb (GObject *source, GAsyncResult *result, gpointer unused)
{
  g_assert_null (gesso_library_add_pictures_finish (GESSO_LIBRARY (source), result));
  output_is_named = TRUE;
}

static gboolean
outputs_are_named (Fixture *f)
{
  return output_is_named;
}

static void
show_pictures_of_comfyui (Fixture *f)
{
  g_autofree char *comfy = far (f, "ComfyUI"), *output = far (f, "ComfyUI/output");
  output_is_named = FALSE;
  g_action_group_activate_action (G_ACTION_GROUP (f->app), "preferences", NULL);
  gesso_library_add_pictures_async (gesso_window_get_library (f->window), comfy, pictures_added_cb,
                                    NULL);
  WAIT (f, outputs_are_named);
  g_auto (GStrv) named = gesso_library_dup_picture_folders (gesso_window_get_library (f->window));
  g_assert_true (g_strv_contains ((const char *const *) named, output));
}

/* ---- films ---- */

static GtkWidget *
find_dialog (const char *title)
{
  GListModel *windows = gtk_window_get_toplevels ();
  for (guint i = 0; i < g_list_model_get_n_items (windows); i++)
    {
      g_autoptr (GtkWindow) window = g_list_model_get_item (windows, i);
      if (g_strcmp0 (gtk_window_get_title (window), title) == 0)
        return GTK_WIDGET (window);
    }
  return NULL;
}

static gboolean
can_export (Fixture *f)
{
  return gtk_widget_get_sensitive (find_button (find_dialog ("Export Film"), "_Export"));
}

static void
begin_export (Fixture *f)
{
  g_autofree char *clip = far (f, "boat.gclip");
  act_with (f, "win.export", g_variant_new_string (clip));
  WAIT (f, can_export);
  gtk_window_destroy (GTK_WINDOW (find_dialog ("Export Film")));
}

/* ---- tests ---- */

static void
start_again (Fixture *f)
{
  stop (f);
  start_in (f, f->dir);
}

static void
test_main_thread_asks_no_disk (Fixture *f, gconstpointer unused)
{
  use_far_models (f);
  make_picture (f);
  look_at_picture (f);
  add_to_recipe (f);
  wait_for_recipe (f);
  open_far (f, "start.png");
  WAIT (f, canvas_has_picture);
  save_project (f);
  open_project (f);
  show_pictures_of_comfyui (f);
  use_recipe_of_gone_model (f);
  if (GESSO_VIDEO)
    begin_export (f);
  act (f, "win.open-pictures-folder");
  start_again (f);
  WAIT (f, lora_is_listed);
  g_assert_cmpint (far_disk_n_calls (), >, 0);
}

static gboolean
disk_is_asked (Fixture *f)
{
  return far_disk_n_waiting () >= N_WAITING;
}

static gboolean
silence_is_said (Fixture *f)
{
  return find_label (find_dialog ("Preferences"), "does not answer") != NULL;
}

static gboolean
silence_is_over (Fixture *f)
{
  return !silence_is_said (f);
}

/* What waits for the disk is not shown yet, and all else goes on. */
static void
test_window_lives_while_the_disk_is_dead (Fixture *f, gconstpointer unused)
{
  use_far_models (f);
  make_picture (f);
  add_to_recipe (f);
  wait_for_recipe (f);
  save_project (f);
  trash_picture (f);
  stop (f);
  far_disk_hold (true);
  start_in (f, f->dir);
  add_to_recipe (f);
  open_far (f, "start.png");
  g_action_group_activate_action (G_ACTION_GROUP (f->app), "preferences", NULL);
  gesso_window_show_page (f->window, "gallery");
  gesso_scanner_set_patience (gesso_window_get_library (f->window)->scanner, PATIENCE_MS);
  WAIT (f, disk_is_asked);
  WAIT (f, silence_is_said);
  draw (f, GTK_WIDGET (f->window));
  g_assert_false (words_are_read (f) || missing_lora_is_said (f) || preview_is_shown (f));
  far_disk_hold (false);
  wait_for_recipe (f);
  WAIT (f, silence_is_over);
  WAIT (f, canvas_has_picture); /* no answer is to come when the window is gone */
  WAIT (f, lora_is_listed);
}

static gboolean
picture_waits (Fixture *f)
{
  return far_disk_n_waiting () > 0;
}

static gboolean
job_is_added (Fixture *f)
{
  return n_jobs (f) == 3;
}

/* Jobs can be added while a picture waits for its disk, and come to their end afterwards. */
static void
test_queue_goes_on_while_the_disk_is_dead (Fixture *f, gconstpointer unused)
{
  make_picture (f);
  far_disk_hold (true);
  act (f, "win.generate");
  WAIT (f, picture_waits);
  WAIT (f, can_generate);
  act (f, "win.generate");
  WAIT (f, job_is_added);
  far_disk_hold (false);
  WAIT (f, nothing_waits);
}

static gboolean
scanner_waits (Fixture *f)
{
  return far_disk_n_waiting () >= N_WAITING_AT_START;
}

static void
end_while_the_disk_is_dead (const char *dir)
{
  Fixture f = { .dir = (char *) dir };
  start_in (&f, dir);
  WAIT (&f, planned);
  fill_disk (&f);
  g_autofree char *disk = far (&f, "");
  far_disk_begin (disk);
  far_disk_hold (true);
  open_far (&f, "start.png");
  gesso_library_rescan (gesso_window_get_library (f.window));
  WAIT (&f, scanner_waits);
  gesso_application_set_patience (f.app, PATIENCE_MS);
  stop (&f);
  g_assert_not_reached ();
}

/* The next start took the program for one that still runs. */
static void
test_program_ends_while_the_disk_is_dead (void)
{
  static const char variable[] = "GESSO_TEST_FAR_FOLDER";
  if (g_test_subprocess ())
    {
      end_while_the_disk_is_dead (g_getenv (variable));
      return;
    }
  g_autofree char *dir = g_dir_make_tmp ("gesso-ui-XXXXXX", NULL);
  g_setenv (variable, dir, TRUE);
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr ("*A disk does not answer*");
  remove_tree (dir);
}

/* ---- the test itself ---- */

static void
test_far_disk_ends_who_asks (void)
{
  if (g_test_subprocess ())
    {
      far_disk_begin ("/nowhere");
      g_assert_false (g_file_test ("/nowherelse/a", G_FILE_TEST_EXISTS)); /* another folder */
      g_file_test ("/nowhere/a", G_FILE_TEST_EXISTS);
      return;
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr ("*access (\"/nowhere/a\") on the main thread*");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  alarm (2 *
         DEADLINE_S); /* nothing else ends a main thread that waits for another, which is held */
  g_test_add_func ("/ui/far-disk/ends-who-asks", test_far_disk_ends_who_asks);
  g_test_add ("/ui/far-disk/main-thread-asks-no-disk", Fixture, NULL, set_up,
              test_main_thread_asks_no_disk, tear_down);
  g_test_add ("/ui/far-disk/window-lives-while-it-is-dead", Fixture, NULL, set_up,
              test_window_lives_while_the_disk_is_dead, tear_down);
  g_test_add ("/ui/far-disk/queue-goes-on-while-it-is-dead", Fixture, NULL, set_up,
              test_queue_goes_on_while_the_disk_is_dead, tear_down);
  g_test_add_func ("/ui/far-disk/program-ends-while-it-is-dead",
                   test_program_ends_while_the_disk_is_dead);
  return g_test_run ();
}
