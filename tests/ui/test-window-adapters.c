/* SPDX-License-Identifier: MPL-2.0
 * test-window-adapters.c - the LoRAs of the recipe on the Create page.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window-adapters, with GESSO_DATA and
 * GESSO_TEST_WORKER set.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "app/gesso-adapter-list.h"
#include "app/gesso-few-steps.h"
#include "app/gesso-model-picker.h"
#include "app/gesso-open.h"
#include "recipe/adapters.h"
#include "window-fixture.h"

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

static GtkWidget *
button_called (Fixture *f, const char *tooltip)
{
  for (int i = 0;; i++)
    {
      GtkWidget *button = nth (GTK_WIDGET (list_of (f)), GTK_TYPE_BUTTON, i);
      if (!button || g_strcmp0 (gtk_widget_get_tooltip_text (button), tooltip) == 0)
        return button;
    }
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
  g_signal_emit_by_name (button_called (f, "Take film grain off the list"), "clicked");
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

static gboolean
missing_is_said (Fixture *f)
{
  return find_label (GTK_WIDGET (list_of (f)), "not there any more") != NULL;
}

/* A model and its LoRA are where a job looks for them; one that is gone is said on its row. */
static void
test_missing_file_is_said (Fixture *f, gconstpointer unused)
{
  gesso_adapter_list_add (list_of (f), "/nowhere/gone.safetensors");
  WAIT (f, missing_is_said);
}

static gboolean
ink_is_first (Fixture *f)
{
  RecipeAdapters list;
  read_adapters (f, &list);
  gboolean is = list.n == 2 && g_str_equal (list.items[0].name, "ink");
  recipe_adapters_clear (&list);
  return is;
}

static gboolean
ink_is_last (Fixture *f)
{
  return !ink_is_first (f);
}

static void
test_rows_move (Fixture *f, gconstpointer unused)
{
  add_two (f);
  gtk_range_set_value (GTK_RANGE (nth (GTK_WIDGET (list_of (f)), GTK_TYPE_SCALE, 2)), 0.4);
  g_assert_false (gtk_widget_get_sensitive (button_called (f, "Move film grain up")));
  g_assert_false (gtk_widget_get_sensitive (button_called (f, "Move ink down")));
  g_signal_emit_by_name (button_called (f, "Move ink up"), "clicked");
  WAIT (f, ink_is_first);
  assert_adapter (f, 0, "ink", 0.4, 0.4, FALSE);
  g_signal_emit_by_name (button_called (f, "Move ink down"), "clicked");
  WAIT (f, ink_is_last);
}

/* A LoRA of one @layer whose author says what it was trained on.  Returns: (transfer full) */
static char *
write_lora_of (const char *folder, const char *name, const char *layer, const char *words)
{
  g_autofree char *header = g_strdup_printf (
      "{\"__metadata__\":{\"modelspec.trigger_phrase\":\"%s\"},"
      "\"%s.lora_down.weight\":{\"dtype\":\"F16\",\"shape\":[1,4],\"data_offsets\":[0,8]},"
      "\"%s.lora_up.weight\":{\"dtype\":\"F16\",\"shape\":[4,1],\"data_offsets\":[8,16]}}",
      words, layer, layer);
  char *path = g_build_filename (folder, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  guint64 n = GUINT64_TO_LE ((guint64) strlen (header));
  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_byte_array_append (bytes, (const guint8 *) &n, sizeof n);
  g_byte_array_append (bytes, (const guint8 *) header, (guint) strlen (header));
  g_byte_array_set_size (bytes, bytes->len + 16);
  g_assert_true (g_file_set_contents (path, (const char *) bytes->data, bytes->len, NULL));
  return path;
}

static char *
write_lora_in (const char *folder, const char *name, const char *layer)
{
  return write_lora_of (folder, name, layer, "ink style");
}

static char *
write_lora (void)
{
  g_autofree char *folder = g_dir_make_tmp ("gesso-lora-XXXXXX", NULL);
  return write_lora_in (folder, "ink.safetensors",
                        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q");
}

static gboolean
has_words (Fixture *f)
{
  return button_called (f, "Add these words to the prompt") != NULL;
}

/* Dropped on the window it became the model. */
static void
test_opened_lora_is_no_model (Fixture *f, gconstpointer unused)
{
  g_autofree char *path = write_lora (), *folder = g_path_get_dirname (path);
  g_autofree char *model = g_strdup (gesso_form_peek (f->form)->model);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GSList) files = g_slist_append (NULL, file);
  gesso_open_files (f->window, files);
  WAIT (f, has_one);
  assert_adapter (f, 0, "ink", 1, 1, FALSE);
  g_assert_cmpstr (gesso_form_peek (f->form)->model, ==, model);
  WAIT (f, has_words);
  gesso_form_set_text (f->form, "prompt", "a fox", NULL);
  g_signal_emit_by_name (button_called (f, "Add these words to the prompt"), "clicked");
  g_assert_cmpstr (gesso_form_peek (f->form)->prompt, ==, "a fox, ink style");
  g_unlink (path);
  g_rmdir (folder);
}

/* ---- distilled models ---- */

static GtkWidget *
offer_of (Fixture *f)
{
  return nth (GTK_WIDGET (f->window), GESSO_TYPE_FEW_STEPS, 0);
}

static void
assert_value (Fixture *f, const char *key, const char *text)
{
  g_autofree char *value = gesso_form_dup_text (f->form, key);
  g_assert_cmpstr (value, ==, text);
}

/* Nothing changes before the button is pressed; then there is no more to offer. */
static void
test_few_steps_are_offered (Fixture *f, gconstpointer unused)
{
  gesso_form_set_text (f->form, "steps", "28", NULL);
  gesso_form_set_text (f->form, "guidance_scale", "7", NULL);
  g_assert_false (gtk_widget_get_visible (offer_of (f)));
  gesso_adapter_list_add (list_of (f), "/loras/dmd2_sdxl_4step_lora.safetensors");
  g_assert_true (gtk_widget_get_visible (offer_of (f)));
  GtkWidget *row = nth (offer_of (f), ADW_TYPE_ACTION_ROW, 0);
  g_assert_cmpstr (adw_preferences_row_get_title (ADW_PREFERENCES_ROW (row)), ==,
                   "DMD2 is made for few steps");
  g_assert_cmpstr (adw_action_row_get_subtitle (ADW_ACTION_ROW (row)), ==,
                   "Steps: 4, Guidance: 1, Sampler: LCM, Schedule: SGM uniform");
  assert_value (f, "steps", "28");
  g_signal_emit_by_name (nth (offer_of (f), GTK_TYPE_BUTTON, 0), "clicked");
  assert_value (f, "steps", "4");
  assert_value (f, "guidance_scale", "1");
  assert_value (f, "sampler", "lcm");
  assert_value (f, "schedule", "sgm_uniform");
  g_assert_false (gtk_widget_get_visible (offer_of (f)));
  gesso_form_set_text (f->form, "steps", "30", NULL);
  g_assert_true (gtk_widget_get_visible (offer_of (f)));
  gtk_switch_set_active (GTK_SWITCH (nth (GTK_WIDGET (list_of (f)), GTK_TYPE_SWITCH, 0)), FALSE);
  g_assert_false (gtk_widget_get_visible (offer_of (f))); /* a LoRA that is off changes nothing */
}

static GessoModelFile *
tiny_flux (Fixture *f)
{
  return gesso_library_find_model (gesso_window_get_library (f->window), GESSO_FILE_CHECKPOINT,
                                   "flux-tiny", NULL);
}

static gboolean
has_tiny_flux (Fixture *f)
{
  return tiny_flux (f) != NULL;
}

/* The weight is that of the LoRA that was found, whatever its file is called, and of no other. */
static void
test_few_steps_set_the_weight (Fixture *f, gconstpointer unused)
{
  g_autofree char *folder = g_build_filename (f->dir, "models", NULL);
  g_autofree char *link = g_build_filename (folder, "flux-tiny", NULL);
  g_autofree char *fixture =
      g_build_filename (g_getenv ("GESSO_SOURCE"), "tests/golden/fixtures/flux-tiny", NULL);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_cmpint (symlink (fixture, link), ==, 0);
  gesso_library_add_folder (gesso_window_get_library (f->window), folder);
  WAIT (f, has_tiny_flux);
  gesso_form_set_text (f->form, "model", gesso_model_file_get_path (tiny_flux (f)), NULL);
  gesso_form_set_text (f->form, "steps", "28", NULL);
  gesso_adapter_list_add (list_of (f), "/loras/a-style.safetensors");
  gesso_adapter_list_add (list_of (f), "/loras/Hyper-FLUX.1-dev-8steps-lora.safetensors");
  gesso_adapter_list_add (list_of (f), "/loras/FLUX.1-Turbo-Alpha.safetensors");
  g_assert_true (gtk_widget_get_visible (offer_of (f)));
  GtkWidget *row = nth (offer_of (f), ADW_TYPE_ACTION_ROW, 0);
  g_assert_nonnull (strstr (adw_action_row_get_subtitle (ADW_ACTION_ROW (row)), "Weight: 0.125"));
  g_signal_emit_by_name (nth (offer_of (f), GTK_TYPE_BUTTON, 0), "clicked");
  assert_value (f, "steps", "8");
  assert_adapter (f, 0, "a-style", 1, 1, FALSE);
  assert_adapter (f, 1, "Hyper-FLUX.1-dev-8steps-lora", 0.125, 0.125, FALSE);
  assert_adapter (f, 2, "FLUX.1-Turbo-Alpha", 1, 1, FALSE);
}

/* ---- for other models ---- */

static GListModel *
loras_of (Fixture *f)
{
  return gesso_library_get_models (gesso_window_get_library (f->window), GESSO_FILE_LORA);
}

static gboolean
has_three_loras (Fixture *f)
{
  return g_list_model_get_n_items (loras_of (f)) == 3;
}

/* Two of one name for SDXL, one for FLUX.1.  Returns: the last one's path, (transfer full) */
static char *
add_loras (Fixture *f)
{
  static const char sdxl[] = "lora_te2_text_model_encoder_layers_0_self_attn_q_proj";
  g_autofree char *folder = g_build_filename (f->dir, "loras", NULL);
  g_free (write_lora_in (folder, "one/paint.safetensors", sdxl));
  g_free (write_lora_in (folder, "two/paint.safetensors", sdxl));
  char *flux = write_lora_in (folder, "flux.safetensors", "lora_unet_double_blocks_0_img_attn_qkv");
  gesso_library_add_folder (gesso_window_get_library (f->window), folder);
  WAIT (f, has_three_loras);
  return flux;
}

static gboolean
one_job (Fixture *f)
{
  return n_jobs (f) == 1;
}

/* It stood in the list as if it were used, and no picture could be made. */
static void
test_lora_of_another_family_is_off (Fixture *f, gconstpointer unused)
{
  g_autofree char *flux = add_loras (f);
  gesso_adapter_list_add (list_of (f), flux);
  GtkWidget *on = nth (GTK_WIDGET (list_of (f)), GTK_TYPE_SWITCH, 0);
  g_assert_true (says (GTK_WIDGET (list_of (f)), "For FLUX.1, not used with SDXL"));
  g_assert_false (gtk_switch_get_active (GTK_SWITCH (on)));
  g_assert_false (gtk_widget_get_sensitive (on));
  assert_adapter (f, 0, "flux", 1, 1, FALSE); /* nobody has muted it */
  WAIT (f, allowed);
  act (f, "win.generate");
  WAIT (f, one_job);
  g_assert_null (strstr (gesso_job_get_recipe (job_at (f, 0)), "flux.safetensors"));
  g_assert_cmpuint (n_adapters (f), ==, 1);
  /* a file elsewhere of that name is another one, of a family that nobody knows */
  gesso_adapter_list_add (list_of (f), "/elsewhere/flux.safetensors");
  g_assert_false (
      gtk_switch_get_active (GTK_SWITCH (nth (GTK_WIDGET (list_of (f)), GTK_TYPE_SWITCH, 0))));
  g_assert_true (
      gtk_switch_get_active (GTK_SWITCH (nth (GTK_WIDGET (list_of (f)), GTK_TYPE_SWITCH, 1))));
  /* of a model that is not known the engine decides */
  gesso_form_set_text (f->form, "model", "/nowhere/x.safetensors", NULL);
  g_assert_false (says (GTK_WIDGET (list_of (f)), "For FLUX.1"));
  g_assert_true (
      gtk_switch_get_active (GTK_SWITCH (nth (GTK_WIDGET (list_of (f)), GTK_TYPE_SWITCH, 0))));
}

static GessoModelPicker *
picker_of (Fixture *f)
{
  return GESSO_MODEL_PICKER (nth (GTK_WIDGET (list_of (f)), GESSO_TYPE_MODEL_PICKER, 0));
}

static gboolean
picker_shows_two (Fixture *f)
{
  return g_list_model_get_n_items (gesso_model_picker_get_list (picker_of (f))) == 2;
}

static void
test_picker_lists_what_fits_first (Fixture *f, gconstpointer unused)
{
  g_free (add_loras (f));
  GessoModelPicker *picker = picker_of (f);
  GListModel *shown = gesso_model_picker_get_list (picker);
  WAIT (f, picker_shows_two);
  gesso_model_picker_set_show_others (picker, TRUE);
  g_assert_cmpuint (g_list_model_get_n_items (shown), ==, 3);
  gesso_model_picker_set_show_others (picker, FALSE);
  gesso_form_set_text (f->form, "model", "/nowhere/x.safetensors", NULL);
  g_assert_cmpuint (g_list_model_get_n_items (shown), ==, 3); /* who knows what that is */
}

/* Two rows of one name could not be told apart. */
static void
test_names_that_are_shared_get_folders (Fixture *f, gconstpointer unused)
{
  g_free (add_loras (f));
  GessoLibrary *library = gesso_window_get_library (f->window);
  const char *const titles[] = { "flux", "one/paint", "two/paint" };
  for (guint i = 0; i < G_N_ELEMENTS (titles); i++)
    {
      g_autoptr (GessoModelFile) file = g_list_model_get_item (loras_of (f), i);
      g_autofree char *title = gesso_library_dup_title (library, file);
      g_assert_cmpstr (title, ==, titles[i]);
    }
  gesso_model_picker_set_search (picker_of (f), "two");
  GListModel *found = gesso_model_picker_get_list (picker_of (f));
  g_assert_cmpuint (g_list_model_get_n_items (found), ==, 1);
  g_autoptr (GessoModelFile) file = g_list_model_get_item (found, 0);
  gesso_adapter_list_add (list_of (f), gesso_model_file_get_path (file));
  g_assert_true (says (GTK_WIDGET (list_of (f)), "two/paint"));
}

static gboolean
is_adapter_two (Fixture *f)
{
  RecipeAdapters list;
  read_adapters (f, &list);
  gboolean is = list.n == 1 && g_str_equal (list.items[0].name, "two");
  recipe_adapters_clear (&list);
  return is;
}

/* People remember what a LoRA is called in the prompt, not its file.  Enter takes the first hit of
 * what was typed, at once: it took the first of all. */
static void
test_trigger_words_are_searched (Fixture *f, gconstpointer unused)
{
  static const char sdxl[] = "lora_te2_text_model_encoder_layers_0_self_attn_q_proj";
  g_autofree char *folder = g_build_filename (f->dir, "loras", NULL);
  g_free (write_lora_of (folder, "one.safetensors", sdxl, "ink style"));
  g_free (write_lora_of (folder, "two.safetensors", sdxl, "Zebra\\u00c9 coat"));
  g_free (write_lora_of (folder, "three.safetensors", sdxl, ""));
  gesso_library_add_folder (gesso_window_get_library (f->window), folder);
  WAIT (f, has_three_loras);
  GtkMenuButton *button =
      GTK_MENU_BUTTON (nth (GTK_WIDGET (picker_of (f)), GTK_TYPE_MENU_BUTTON, 0));
  gtk_menu_button_popup (button);
  GtkWidget *entry = nth (GTK_WIDGET (button), GTK_TYPE_SEARCH_ENTRY, 0);
  gtk_editable_set_text (GTK_EDITABLE (entry), "coat zebra\u00e9");
  g_signal_emit_by_name (entry, "activate");
  WAIT (f, is_adapter_two);
}

static gboolean
says_what_was_found (Fixture *f)
{
  return says (GTK_WIDGET (f->window), "loras: 0 models · 3 LoRAs");
}

/* A folder was added, and nothing was said of it. */
static void
test_new_folder_says_what_is_in_it (Fixture *f, gconstpointer unused)
{
  g_free (add_loras (f));
  WAIT (f, says_what_was_found);
}

static GtkWidget *
list_of_picker (Fixture *f)
{
  return nth (GTK_WIDGET (picker_of (f)), GTK_TYPE_LIST_VIEW, 0);
}

static gboolean
picker_is_open (Fixture *f)
{
  return gtk_widget_get_mapped (list_of_picker (f)) &&
         gtk_widget_get_height (list_of_picker (f)) > 0;
}

static gboolean
picker_shows_one (Fixture *f)
{
  return g_list_model_get_n_items (gesso_model_picker_get_list (picker_of (f))) == 1;
}

/* Its popover jumped from above the button to below it while one typed. */
static void
test_picker_stays_as_high_while_one_types (Fixture *f, gconstpointer unused)
{
  g_free (add_loras (f));
  gesso_model_picker_set_show_others (picker_of (f), TRUE);
  GtkWidget *button = nth (GTK_WIDGET (picker_of (f)), GTK_TYPE_MENU_BUTTON, 0);
  gtk_menu_button_popup (GTK_MENU_BUTTON (button));
  WAIT (f, picker_is_open);
  draw (f, GTK_WIDGET (f->window));
  GtkWidget *popover = gtk_widget_get_ancestor (list_of_picker (f), GTK_TYPE_POPOVER);
  int before = gtk_widget_get_height (popover);
  gtk_editable_set_text (GTK_EDITABLE (nth (button, GTK_TYPE_SEARCH_ENTRY, 0)), "flux");
  WAIT (f, picker_shows_one);
  draw (f, GTK_WIDGET (f->window));
  g_assert_cmpint (gtk_widget_get_height (popover), ==, before);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  ADD ("adapters/weights-mute-and-remove", test_weights_mute_and_remove);
  ADD ("adapters/rows-follow-the-form", test_rows_follow_the_form);
  ADD ("adapters/missing-file-is-said", test_missing_file_is_said);
  ADD ("adapters/rows-move", test_rows_move);
  ADD ("adapters/opened-lora-is-no-model", test_opened_lora_is_no_model);
  ADD ("adapters/few-steps-are-offered", test_few_steps_are_offered);
  ADD ("adapters/few-steps-set-the-weight", test_few_steps_set_the_weight);
  ADD ("adapters/of-another-family", test_lora_of_another_family_is_off);
  ADD ("adapters/picker-lists-what-fits", test_picker_lists_what_fits_first);
  ADD ("adapters/shared-names", test_names_that_are_shared_get_folders);
  ADD ("adapters/trigger-words-are-searched", test_trigger_words_are_searched);
  ADD ("adapters/new-folder-says-what-is-in-it", test_new_folder_says_what_is_in_it);
  ADD ("adapters/picker-stays-as-high", test_picker_stays_as_high_while_one_types);
  return g_test_run ();
}
