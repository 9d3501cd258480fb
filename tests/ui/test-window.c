/* SPDX-License-Identifier: MPL-2.0
 * test-window.c - the real window in this process, with a real worker on the null backend.
 *
 * Alone: tests/ui/xvfb.sh build/tests/ui/test-window, with GESSO_DATA and GESSO_TEST_WORKER set.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "app/gesso-grid-dialog.h"
#include "app/gesso-job-text.h"
#include "app/gesso-parameter-row.h"
#include "app/gesso-paths.h"
#include "app/gesso-prompt-weight.h"
#include "app/gesso-shape.h"
#include "app/gesso-watchdog.h"
#include "window-fixture.h"

/* ---- first run ---- */

static void
test_first_run_makes_a_picture (Fixture *f, gconstpointer unused)
{
  g_autofree char *prompt = gesso_form_dup_text (f->form, "prompt");
  g_autofree char *model = gesso_form_dup_text (f->form, "model");
  g_assert_cmpstr (prompt, ==, "a red apple");
  g_assert_true (g_str_has_suffix (model, "gesso-mini"));
  WAIT (f, planned);
  g_assert_cmpstr (gesso_generate_bar_get_label (gesso_create_page_get_generate_bar (f->page)), ==,
                   "Generate");
  g_assert_true (action_enabled (f, "generate"));
  act (f, "win.generate");
  WAIT (f, has_one_picture);
  const char *path = gesso_job_get_last_picture (job_at (f, 0));
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  WAIT (f, has_result);
  g_auto (GStrv) prompts = gesso_session_dup_prompts (f->session, 10);
  g_assert_cmpstr (prompts[0], ==, "a red apple");
}

/* Asked for before the model was known, it lay four times too large around the frame. */
static void
test_first_run_shows_an_early_picture_in_the_frame (Fixture *f, gconstpointer unused)
{
  g_assert_false (planned (f));
  act (f, "win.generate");
  WAIT (f, has_one_picture);
  WAIT (f, has_result);
  WAIT (f, planned);
  GessoFilmstrip *strip = gesso_stage_get_filmstrip (gesso_create_page_get_stage (f->page));
  g_autoptr (GessoResult) result = g_list_model_get_item (gesso_filmstrip_get_model (strip), 0);
  GessoRect where = gesso_result_get_where (result);
  g_assert_true (gesso_rect_is_empty (&where)); /* the frame, whatever that is by then */
}

static gboolean
canvas_has_picture (Fixture *f)
{
  GessoCanvas *canvas = gesso_stage_get_canvas (gesso_create_page_get_stage (f->page));
  return gesso_document_has_picture (gesso_canvas_get_document (canvas));
}

static void
assert_own_shape (Fixture *f)
{
  g_assert_true (gesso_form_is_default (f->form, "width"));
  g_assert_true (gesso_form_is_default (f->form, "height"));
}

/* After a restart its frame came before the model's own size, and passed for the user's choice. */
static void
test_first_run_picture_leaves_the_shape_alone (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  act (f, "win.generate");
  WAIT (f, has_one_picture);
  WAIT (f, has_result);
  GtkWidget *strip = GTK_WIDGET (gesso_stage_get_filmstrip (gesso_create_page_get_stage (f->page)));
  g_assert_true (gtk_widget_activate_action (strip, "filmstrip.keep", NULL));
  WAIT (f, canvas_has_picture);
  assert_own_shape (f);
  stop (f);
  start_in (f, f->dir);
  WAIT (f, canvas_has_picture);
  WAIT (f, planned);
  assert_own_shape (f);
}

/* The window said 5 where the model's own page says 4. */
static void
test_first_run_proposes_what_the_model_is_meant_for (Fixture *f, gconstpointer unused)
{
  g_autofree char *page =
      g_build_filename (g_getenv ("GESSO_DATA"), "models", "gesso-mini", "README.md", NULL);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (page, &text, NULL, NULL));
  g_autoptr (GRegex) pattern =
      g_regex_new ("(\\d+) steps, guidance ([\\d.]+), (\\d+)x", 0, 0, NULL);
  g_autoptr (GMatchInfo) match = NULL;
  g_assert_true (g_regex_match (pattern, text, 0, &match));
  WAIT (f, planned);
  static const char *const keys[] = { "steps", "guidance_scale", "width" };
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_autofree char *said = g_match_info_fetch (match, (int) i + 1);
      g_autofree char *proposed = gesso_form_dup_filled (f->form, keys[i]);
      g_assert_cmpstr (proposed, ==, said);
    }
}

static gboolean
welcome_is_dismissed (Fixture *f)
{
  return g_settings_get_boolean (gesso_window_get_settings (f->window), "welcome-dismissed");
}

static void
test_first_run_card_can_be_closed (Fixture *f, gconstpointer unused)
{
  g_assert_false (welcome_is_dismissed (f));
  gesso_library_add_folder (gesso_window_get_library (f->window), f->dir);
  WAIT (f, welcome_is_dismissed);
}

/* ---- prompt ---- */

static void
check_weight (const char *text, int start, int end, double delta, const char *wanted)
{
  g_autofree char *changed = gesso_prompt_weight (text, &start, &end, delta);
  g_assert_cmpstr (changed, ==, wanted);
}

static void
test_prompt_weight_edits_text (void)
{
  check_weight ("a red apple", 3, 3, 0.1, "a (red:1.1) apple");
  check_weight ("a (red:1.1) apple", 4, 4, 0.1, "a (red:1.2) apple");
  check_weight ("a (red:1.1) apple", 4, 4, -0.1, "a red apple");
  check_weight ("a red apple", 2, 11, 0.1, "a (red apple:1.1)");
  check_weight ("a (red apple:1.1)", 5, 5, -0.1, "a red apple");
  check_weight ("a red apple", 2, 2, -0.1, "a (red:0.9) apple");
  check_weight ("ein süßer Apfel", 5, 5, 0.1, "ein (süßer:1.1) Apfel");
  check_weight ("\\(red\\) apple", 3, 3, 0.1, "\\((red:1.1)\\) apple");
  check_weight ("(a (red:1.2) apple:0.8)", 15, 15, 0.1, "(a (red:1.2) apple:0.9)");
  check_weight ("red:apple)", 1, 1, 0.1, "(red:1.1):apple)");
  check_weight ("(red:5)", 2, 2, 0.1, "(red:5)");
  check_weight ("", 0, 0, 0.1, NULL);
  check_weight ("  ", 1, 1, 0.1, NULL);
}

static void
test_prompt_weight_keeps_the_selection (void)
{
  int start = 2, end = 5;
  g_autofree char *once = gesso_prompt_weight ("a red apple", &start, &end, 0.1);
  g_assert_cmpint (start, ==, 3);
  g_assert_cmpint (end, ==, 6);
  g_autofree char *twice = gesso_prompt_weight (once, &start, &end, 0.1);
  g_assert_cmpstr (twice, ==, "a (red:1.2) apple");
}

static void
test_prompt_view_and_form_agree (Fixture *f, gconstpointer unused)
{
  GessoPromptView *view = gesso_create_page_get_prompt_view (f->page);
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (gesso_prompt_view_get_text_view (view, FALSE));
  gtk_text_buffer_set_text (buffer, "blue house", -1);
  GtkTextIter start;
  gtk_text_buffer_get_start_iter (buffer, &start);
  gtk_text_buffer_place_cursor (buffer, &start);
  gesso_prompt_view_add_weight (view, FALSE, 0.1);
  g_autofree char *text = gesso_form_dup_text (f->form, "prompt");
  g_assert_cmpstr (text, ==, "(blue:1.1) house");
  g_autofree char *appended = gesso_prompt_view_apply_style ("oil painting", "a cat");
  g_autofree char *filled = gesso_prompt_view_apply_style ("photo of {prompt}, 35 mm", "a cat");
  g_assert_cmpstr (appended, ==, "a cat, oil painting");
  g_assert_cmpstr (filled, ==, "photo of a cat, 35 mm");
}

static void
test_prompt_recalls_earlier_ones (Fixture *f, gconstpointer unused)
{
  GessoPromptView *view = gesso_create_page_get_prompt_view (f->page);
  gesso_session_remember_prompt (f->session, "first", "");
  gesso_session_remember_prompt (f->session, "second", "");
  gesso_form_set_text (f->form, "prompt", "unfinished", NULL);
  gesso_prompt_view_recall (view, 1);
  g_autofree char *newest = gesso_form_dup_text (f->form, "prompt");
  gesso_prompt_view_recall (view, 1);
  g_autofree char *older = gesso_form_dup_text (f->form, "prompt");
  gesso_prompt_view_recall (view, -2);
  g_autofree char *back = gesso_form_dup_text (f->form, "prompt");
  g_assert_cmpstr (newest, ==, "second");
  g_assert_cmpstr (older, ==, "first");
  g_assert_cmpstr (back, ==, "unfinished");
}

/* ---- parameters ---- */

static void
test_parameters_have_a_row_for_every_key (Fixture *f, gconstpointer unused)
{
  GessoParameterList *list = gesso_create_page_get_parameter_list (f->page);
  for (int i = 0; i < recipe_table_count (); i++)
    {
      const char *key = recipe_table ()[i].key;
      GtkWidget *row = gesso_parameter_list_get_row (list, key);
      if (gesso_parameter_list_is_elsewhere (key))
        g_assert_null (row);
      else
        g_assert_true (GESSO_IS_PARAMETER_ROW (row));
    }
}

static void
test_parameters_mark_and_reset (Fixture *f, gconstpointer unused)
{
  GessoParameterList *list = gesso_create_page_get_parameter_list (f->page);
  GessoParameterRow *row = GESSO_PARAMETER_ROW (gesso_parameter_list_get_row (list, "steps"));
  g_assert_false (gesso_parameter_row_get_marked (row));
  GtkSpinButton *spin = GTK_SPIN_BUTTON (gesso_parameter_row_get_editor (row));
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (spin)), ==, "Auto");
  gtk_spin_button_set_value (spin, 12);
  g_assert_cmpint (gesso_form_peek (f->form)->steps, ==, 12);
  g_assert_true (gesso_parameter_row_get_marked (row));
  gesso_parameter_row_reset (row);
  g_assert_cmpint (gesso_form_peek (f->form)->steps, ==, 0);
  g_assert_cmpfloat (gtk_spin_button_get_value (spin), ==, 0);
}

/* The strength that a start picture comes with was marked as the user's own. */
static void
test_parameters_leave_a_proposed_strength_unmarked (Fixture *f, gconstpointer unused)
{
  GessoParameterList *list = gesso_create_page_get_parameter_list (f->page);
  GessoParameterRow *row = GESSO_PARAMETER_ROW (gesso_parameter_list_get_row (list, "denoise"));
  gesso_form_set_text (f->form, "denoise", "0.6", NULL);
  g_assert_false (gesso_parameter_row_get_marked (row));
  gesso_form_set_text (f->form, "denoise", "0.3", NULL);
  g_assert_true (gesso_parameter_row_get_marked (row));
  gesso_parameter_row_reset (row);
  g_assert_false (gesso_parameter_row_get_marked (row));
  g_assert_cmpfloat_with_epsilon (gesso_form_peek (f->form)->denoise, 0.6, 1e-6);
}

static void
test_parameters_every_row_edits_its_key (Fixture *f, gconstpointer unused)
{
  GessoParameterList *list = gesso_create_page_get_parameter_list (f->page);
  for (int i = 0; i < recipe_table_count (); i++)
    {
      const RecipeParam *p = &recipe_table ()[i];
      GtkWidget *row = gesso_parameter_list_get_row (list, p->key);
      if (!row)
        continue;
      GtkWidget *editor = gesso_parameter_row_get_editor (GESSO_PARAMETER_ROW (row));
      g_autofree char *before = gesso_form_dup_text (f->form, p->key);
      if (GTK_IS_SPIN_BUTTON (editor))
        gtk_spin_button_set_value (GTK_SPIN_BUTTON (editor),
                                   p->min == 0 ? p->max : p->min + p->step);
      else if (GTK_IS_DROP_DOWN (editor))
        gtk_drop_down_set_selected (GTK_DROP_DOWN (editor), 1);
      else
        continue;
      g_autofree char *after = gesso_form_dup_text (f->form, p->key);
      if (!g_str_equal (p->key, "denoise")) /* its largest value is its default */
        g_assert_cmpstr (after, !=, before);
      gesso_form_reset (f->form, p->key);
      g_assert_true (gesso_form_is_default (f->form, p->key));
    }
}

static gboolean
is_shown (Fixture *f, const char *key)
{
  GessoParameterList *list = gesso_create_page_get_parameter_list (f->page);
  return gtk_widget_get_visible (gesso_parameter_list_get_row (list, key));
}

/* While a model's family is not known, its rows are there, but no more than are of use. */
static void
test_parameters_ask_for_references_one_by_one (Fixture *f, gconstpointer unused)
{
  g_autofree char *model = gesso_form_dup_text (f->form, "model");
  gesso_form_set_text (f->form, "model", "/nowhere/unknown.safetensors", NULL);
  g_assert_true (is_shown (f, "reference_image"));
  g_assert_false (is_shown (f, "reference_image_2"));
  g_assert_false (is_shown (f, "reference_places"));
  gesso_form_set_text (f->form, "reference_image", "/pictures/a.png", NULL);
  g_assert_true (is_shown (f, "reference_image_2"));
  g_assert_false (is_shown (f, "reference_image_3"));
  gesso_form_set_text (f->form, "reference_image_2", "/pictures/b.png", NULL);
  g_assert_true (is_shown (f, "reference_image_3"));
  g_assert_true (is_shown (f, "reference_places"));
  gesso_form_reset (f->form, "reference_image");
  g_assert_true (is_shown (f, "reference_image_2")); /* what has a value can be taken back */
  gesso_form_reset (f->form, "reference_image_2");
  g_assert_false (is_shown (f, "reference_image_2"));
  gesso_form_set_text (f->form, "model", model, NULL);
}

static void
test_shape_fits_the_models_own_area (void)
{
  int w, h;
  gesso_shape_fit (1.5, 1024, 8, &w, &h);
  g_assert_cmpint (w, ==, 1216);
  g_assert_cmpint (h, ==, 832);
  gesso_shape_fit (2.0 / 3, 1024, 0, &w, &h);
  g_assert_cmpint (w, ==, 832);
  guint n;
  const GessoRatio *ratios = gesso_shape_ratios (&n);
  for (guint i = 0; i < n; i++)
    {
      gesso_shape_fit (ratios[i].ratio, 128, 8, &w, &h);
      g_assert_cmpint (w % 8 + h % 8, ==, 0);
      g_assert_cmpstr (gesso_shape_find (w, h, 128, 8), ==, ratios[i].label);
    }
}

/* ---- reasons ---- */

static void
test_generate_says_why_it_cannot (Fixture *f, gconstpointer unused)
{
  GessoGenerateBar *bar = gesso_create_page_get_generate_bar (f->page);
  WAIT (f, planned);
  g_assert_true (action_enabled (f, "generate"));
  g_autofree char *model = gesso_form_dup_text (f->form, "model");
  gesso_form_set_text (f->form, "model", "", NULL);
  WAIT (f, refused);
  g_assert_false (action_enabled (f, "generate"));
  g_assert_nonnull (strstr (gesso_generate_bar_get_line (bar), "model"));
  gesso_form_set_text (f->form, "model", "/nowhere/missing.safetensors", NULL);
  gesso_form_set_text (f->form, "width", "0", NULL);
  WAIT (f, refused);
  gesso_form_set_text (f->form, "model", model, NULL);
  WAIT (f, allowed);
  gesso_form_set_text (f->form, "width", "129", NULL);
  WAIT (f, refused);
  gesso_form_set_text (f->form, "width", "0", NULL);
  WAIT (f, allowed);
  g_assert_true (action_enabled (f, "generate"));
}

/* ---- start picture and mask ---- */

static const char *
button_label (Fixture *f)
{
  return gesso_generate_bar_get_label (gesso_create_page_get_generate_bar (f->page));
}

static gboolean
says_refine (Fixture *f)
{
  return g_str_equal (button_label (f), "Refine");
}

static gboolean
says_inpaint (Fixture *f)
{
  return g_str_equal (button_label (f), "Inpaint");
}

static void
put_grey_picture (Fixture *f)
{
  GessoDocument *document = gesso_create_page_get_document (f->page);
  GessoRect where = gesso_document_get_frame (document);
  gsize n = (gsize) where.width * (gsize) where.height * 3;
  guint8 *pixels = g_malloc (n);
  memset (pixels, 128, n);
  g_autoptr (GBytes) rgb = g_bytes_new_take (pixels, n);
  g_autoptr (GError) error = NULL;
  gesso_document_put (document, rgb, where.width, where.height, &where, &error);
  g_assert_no_error (error);
}

static Recipe
recipe_of (GessoJob *job)
{
  Recipe recipe;
  Status status = { 0 };
  Notes notes = { 0 };
  const char *json = gesso_job_get_recipe (job);
  recipe_init (&recipe);
  g_assert_true (recipe_from_json (&recipe, json, strlen (json), &notes, &status));
  notes_clear (&notes);
  return recipe;
}

static void
test_generate_takes_picture_and_mask (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  GtkWidget *strength =
      gesso_parameter_list_get_row (gesso_create_page_get_parameter_list (f->page), "denoise");
  g_assert_false (gtk_widget_get_visible (strength));
  put_grey_picture (f);
  WAIT (f, says_refine);
  g_assert_true (gtk_widget_get_visible (strength));
  g_assert_cmpfloat (gesso_form_peek (f->form)->denoise, <, 1);
  GessoCanvas *canvas = gesso_stage_get_canvas (gesso_create_page_get_stage (f->page));
  GessoRect frame = gesso_document_get_frame (gesso_create_page_get_document (f->page));
  double x = frame.x + frame.width / 2.0, y = frame.y + frame.height / 2.0;
  gesso_canvas_stroke_begin (canvas, x, y, 1, FALSE);
  gesso_canvas_stroke_move (canvas, x + 8, y, 1);
  gesso_canvas_stroke_end (canvas);
  WAIT (f, says_inpaint);
  WAIT (f, can_generate);
  act (f, "win.generate");
  WAIT (f, has_one_picture);
  Recipe recipe = recipe_of (job_at (f, 0));
  g_assert_true (g_file_test (recipe.init_image, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (recipe.mask_image, G_FILE_TEST_EXISTS));
  recipe_clear (&recipe);
  g_assert_null (gesso_form_peek (f->form)->init_image);
}

/* ---- grid ---- */

static gboolean
has_six_jobs (Fixture *f)
{
  return n_jobs (f) == 6;
}

static void
test_grid_counts_and_adds (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  gesso_queue_set_paused (f->queue, TRUE);
  GessoGridDialog *grid =
      GESSO_GRID_DIALOG (gesso_grid_dialog_new (GTK_WINDOW (f->window), f->page));
  g_assert_cmpint (gesso_grid_dialog_get_n_pictures (grid), ==, 0);
  gesso_grid_dialog_set_axis (grid, 0, "steps", "2, 3, 4");
  g_assert_cmpint (gesso_grid_dialog_get_n_pictures (grid), ==, 3);
  gesso_grid_dialog_set_axis (grid, 1, "sampler", "euler, heun");
  g_assert_cmpint (gesso_grid_dialog_get_n_pictures (grid), ==, 6);
  gesso_grid_dialog_set_axis (grid, 2, "guidance_scale", "many");
  g_assert_cmpint (gesso_grid_dialog_get_n_pictures (grid), ==, 0);
  gesso_grid_dialog_set_axis (grid, 2, "", "");
  g_assert_cmpint (gesso_grid_dialog_get_n_pictures (grid), ==, 6);
  gtk_window_present (GTK_WINDOW (grid));
  GtkWidget *values = nth (GTK_WIDGET (grid), GTK_TYPE_ENTRY, 0);
  gtk_widget_grab_focus (values);
  gtk_widget_activate_default (values); /* as Enter does there */
  WAIT (f, has_six_jobs);
}

/* ---- queue ---- */

static gboolean
has_three_jobs (Fixture *f)
{
  return n_jobs (f) == 3 && can_generate (f);
}

static gboolean
has_four_jobs (Fixture *f)
{
  return n_jobs (f) == 4;
}

static gboolean
has_no_jobs (Fixture *f)
{
  return n_jobs (f) == 0;
}

static void
add_three_jobs (Fixture *f)
{
  static const char *const prompts[] = { "one", "two", "three", NULL };
  WAIT (f, planned);
  gesso_queue_set_paused (f->queue, TRUE);
  GessoGenerateOptions options = { .prompts = prompts };
  gesso_create_page_generate (f->page, &options);
  WAIT (f, has_three_jobs);
}

static gboolean
two_is_first (Fixture *f)
{
  return g_str_equal (gesso_job_get_title (job_at (f, 0)), "two");
}

static gboolean
one_is_first (Fixture *f)
{
  return g_str_equal (gesso_job_get_title (job_at (f, 0)), "one");
}

static gboolean
first_is_changed (Fixture *f)
{
  return strstr (gesso_job_get_recipe (job_at (f, 0)), "changed words") != NULL;
}

static gboolean
last_is_cancelled (Fixture *f)
{
  return gesso_job_get_state (job_at (f, n_jobs (f) - 1)) == GESSO_JOB_CANCELLED;
}

static gboolean
none_is_cancelled (Fixture *f)
{
  for (guint i = 0; i < n_jobs (f); i++)
    if (gesso_job_get_state (job_at (f, i)) == GESSO_JOB_CANCELLED)
      return FALSE;
  return TRUE;
}

static void
test_queue_reorders (Fixture *f, gconstpointer unused)
{
  add_three_jobs (f);
  g_assert_true (one_is_first (f));
  act_on (f, "win.job-up", job_at (f, 1));
  WAIT (f, two_is_first);
  act_on (f, "win.job-down", job_at (f, 0));
  WAIT (f, one_is_first);
  act_on (f, "win.job-first", job_at (f, 1));
  WAIT (f, two_is_first);
}

static void
test_queue_edits_duplicates_cancels (Fixture *f, gconstpointer unused)
{
  GessoGenerateBar *bar = gesso_create_page_get_generate_bar (f->page);
  add_three_jobs (f);
  act_on (f, "win.job-edit", job_at (f, 0));
  g_assert_cmpstr (gesso_generate_bar_get_label (bar), ==, "Update Job");
  g_autofree char *prompt = gesso_form_dup_text (f->form, "prompt");
  g_assert_cmpstr (prompt, ==, "one");
  gesso_form_set_text (f->form, "prompt", "changed words", NULL);
  WAIT (f, can_generate);
  act (f, "win.generate");
  WAIT (f, first_is_changed);
  WAIT (f, can_generate);
  g_assert_cmpstr (gesso_generate_bar_get_label (bar), ==, "Generate");
  g_assert_cmpuint (n_jobs (f), ==, 3);

  act_on (f, "win.job-duplicate", job_at (f, 0));
  WAIT (f, has_four_jobs);
  act_on (f, "win.job-cancel", job_at (f, 3));
  WAIT (f, last_is_cancelled);
  act_on (f, "win.job-retry", job_at (f, 3));
  WAIT (f, none_is_cancelled);
  act (f, "win.cancel-all");
  WAIT (f, nothing_waits);
  act (f, "win.clear-ended");
  WAIT (f, has_no_jobs);
}

static void
test_queue_menu_fits_the_state (Fixture *f, gconstpointer unused)
{
  add_three_jobs (f);
  g_autoptr (GMenuModel) menu = gesso_queue_pane_new_menu (job_at (f, 0));
  g_assert_cmpint (g_menu_model_get_n_items (menu), ==, 3);
  act (f, "win.cancel-all");
  WAIT (f, nothing_waits);
  g_autoptr (GMenuModel) ended = gesso_queue_pane_new_menu (job_at (f, 0));
  g_assert_cmpint (g_menu_model_get_n_items (ended), ==, 2);
}

static gboolean
fifty_are_done (Fixture *f)
{
  return n_jobs (f) == 50 && nothing_waits (f);
}

/* What the main loop did meanwhile is reported, not judged: this machine is not the user's. */
static void
test_queue_runs_fifty_jobs (Fixture *f, gconstpointer unused)
{
  g_autoptr (GPtrArray) prompts = g_ptr_array_new_with_free_func (g_free);
  for (int i = 0; i < 50; i++)
    g_ptr_array_add (prompts, g_strdup_printf ("picture %d", i));
  g_ptr_array_add (prompts, NULL);
  WAIT (f, planned);
  act (f, "win.show-queue");
  gesso_watchdog_start ();
  GessoGenerateOptions options = { .prompts = (const char *const *) prompts->pdata };
  gesso_create_page_generate (f->page, &options);
  WAIT (f, fifty_are_done);
  GessoWatchdogReport report = gesso_watchdog_stop ();
  g_autofree char *line = gesso_watchdog_describe (&report);
  g_test_message ("%s", line);
  g_assert_cmpuint (report.n, >, 50);
  for (guint i = 0; i < n_jobs (f); i++)
    g_assert_cmpint (gesso_job_get_state (job_at (f, i)), ==, GESSO_JOB_DONE);
}

static gboolean
some_rows_are_shown (Fixture *f)
{
  return gesso_queue_pane_get_n_rows (gesso_window_get_queue_pane (f->window)) > 3;
}

static gboolean
has_fifty_jobs (Fixture *f)
{
  return n_jobs (f) == 50;
}

/* Fifty rows at once took 70 ms. */
static void
test_queue_makes_rows_for_the_view (Fixture *f, gconstpointer unused)
{
  g_autoptr (GPtrArray) prompts = g_ptr_array_new_with_free_func (g_free);
  for (int i = 0; i < 50; i++)
    g_ptr_array_add (prompts, g_strdup_printf ("picture %d", i));
  g_ptr_array_add (prompts, NULL);
  WAIT (f, planned);
  gesso_queue_set_paused (f->queue, TRUE);
  act (f, "win.show-queue");
  GessoGenerateOptions options = { .prompts = (const char *const *) prompts->pdata };
  gesso_create_page_generate (f->page, &options);
  WAIT (f, has_fifty_jobs);
  g_assert_cmpuint (gesso_queue_pane_get_n_rows (gesso_window_get_queue_pane (f->window)), ==, 0);
  WAIT (f, some_rows_are_shown);
  g_assert_cmpuint (gesso_queue_pane_get_n_rows (gesso_window_get_queue_pane (f->window)), <, 40);
}

/* ---- drafts ---- */

static gboolean
draft_is_kept (Fixture *f)
{
  g_autoptr (GBytes) draft = gesso_session_dup_draft (f->session, "create");
  g_autofree char *text =
      draft ? g_strndup (g_bytes_get_data (draft, NULL), g_bytes_get_size (draft)) : NULL;
  return text && strstr (text, "before the crash");
}

static void
test_draft_survives_a_crash (Fixture *f, gconstpointer unused)
{
  gesso_form_set_text (f->form, "prompt", "before the crash", NULL);
  gesso_form_set_text (f->form, "steps", "7", NULL);
  WAIT (f, draft_is_kept);
  /* The draft is written after dup_draft knows it: jobs are written in order behind it. */
  gesso_session_remember_prompt (f->session, "behind the draft", "");
  add_three_jobs (f);
  g_autofree char *crashed = g_build_filename (f->dir, "crashed", NULL);
  g_autofree char *from = g_build_filename (f->dir, "data", NULL);
  g_autofree char *to = g_build_filename (crashed, "data", NULL);
  copy_database (from, to);
  stop (f);
  start_in (f, crashed);
  g_autofree char *prompt = gesso_form_dup_text (f->form, "prompt");
  g_assert_cmpstr (prompt, ==, "before the crash");
  g_assert_cmpint (gesso_form_peek (f->form)->steps, ==, 7);
  g_assert_cmpuint (n_jobs (f), ==, 3);
}

/* ---- recipes in pictures ---- */

static void
test_dropped_picture_offers_its_recipe (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  act (f, "win.generate");
  WAIT (f, has_one_picture);
  gesso_form_set_text (f->form, "prompt", "something else", NULL);
  gesso_form_set_text (f->form, "steps", "3", NULL);
  g_autoptr (GFile) file = g_file_new_for_path (gesso_job_get_last_picture (job_at (f, 0)));
  gesso_window_open_picture (f->window, file);
  WAIT (f, settings_are_offered);
  g_signal_emit_by_name (find_button_anywhere ("_Use Settings"), "clicked");
  WAIT (f, prompt_is_apple);
  g_autofree char *model = gesso_form_dup_text (f->form, "model");
  g_assert_true (g_file_test (model, G_FILE_TEST_IS_DIR));
}

/* ---- keyboard only ---- */

static gboolean
prompt_is_typed (Fixture *f)
{
  return g_str_equal (recipe_str (gesso_form_peek (f->form)->prompt), "a (cat:1.1)");
}

static gboolean
prompt_is_plain (Fixture *f)
{
  return g_str_equal (recipe_str (gesso_form_peek (f->form)->prompt), "a cat");
}

static gboolean
queue_is_shown (Fixture *f)
{
  return g_settings_get_boolean (gesso_window_get_settings (f->window), "show-queue");
}

static void
test_keyboard_alone_makes_a_picture (Fixture *f, gconstpointer unused)
{
  g_autofree char *xdotool = g_find_program_in_path ("xdotool");
  if (!xdotool)
    {
      g_test_skip ("xdotool is not installed");
      return;
    }
  press (f, "xdotool search --sync --onlyvisible --name Gesso windowfocus --sync");
  WAIT (f, is_active);
  WAIT (f, planned);
  press (f, "xdotool key ctrl+l");
  press (f, "xdotool key ctrl+a");
  press (f, "xdotool type --delay 20 'a cat'");
  press (f, "xdotool key ctrl+Up");
  WAIT (f, prompt_is_typed);
  press (f, "xdotool key ctrl+Down");
  WAIT (f, prompt_is_plain);
  WAIT (f, can_generate);
  press (f, "xdotool key ctrl+Return");
  WAIT (f, has_one_picture);
  press (f, "xdotool key F8");
  WAIT (f, queue_is_shown);
}

/* ---- layout ---- */

static gboolean
is_collapsed (Fixture *f)
{
  gboolean collapsed;
  g_object_get (f->page, "collapsed", &collapsed, NULL);
  return collapsed;
}

static void
test_window_collapses_when_narrow (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  g_assert_false (is_collapsed (f));
  gtk_window_set_default_size (GTK_WINDOW (f->window), 600, 700);
  WAIT (f, is_collapsed);
}

static gboolean
is_drawn (Fixture *f)
{
  g_autofree char *path = g_build_filename (f->dir, "window.png", NULL);
  return gesso_window_save_screenshot (GTK_WINDOW (f->window), path, NULL);
}

static void
test_window_draws_itself (Fixture *f, gconstpointer unused)
{
  WAIT (f, planned);
  WAIT (f, is_drawn);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init ();
  ADD ("first-run/makes-a-picture", test_first_run_makes_a_picture);
  ADD ("first-run/shows-an-early-picture-in-the-frame",
       test_first_run_shows_an_early_picture_in_the_frame);
  ADD ("first-run/picture-leaves-the-shape-alone", test_first_run_picture_leaves_the_shape_alone);
  ADD ("first-run/proposes-what-the-model-is-meant-for",
       test_first_run_proposes_what_the_model_is_meant_for);
  ADD ("first-run/card-can-be-closed", test_first_run_card_can_be_closed);
  g_test_add_func ("/ui/prompt/weight-edits-text", test_prompt_weight_edits_text);
  g_test_add_func ("/ui/prompt/weight-keeps-the-selection", test_prompt_weight_keeps_the_selection);
  ADD ("prompt/view-and-form-agree", test_prompt_view_and_form_agree);
  ADD ("prompt/recalls-earlier-ones", test_prompt_recalls_earlier_ones);
  ADD ("parameters/a-row-for-every-key", test_parameters_have_a_row_for_every_key);
  ADD ("parameters/mark-and-reset", test_parameters_mark_and_reset);
  ADD ("parameters/leave-a-proposed-strength-unmarked",
       test_parameters_leave_a_proposed_strength_unmarked);
  ADD ("parameters/every-row-edits-its-key", test_parameters_every_row_edits_its_key);
  ADD ("parameters/ask-for-references-one-by-one", test_parameters_ask_for_references_one_by_one);
  g_test_add_func ("/ui/shape/fits-the-models-own-area", test_shape_fits_the_models_own_area);
  ADD ("generate/says-why-it-cannot", test_generate_says_why_it_cannot);
  ADD ("generate/takes-picture-and-mask", test_generate_takes_picture_and_mask);
  ADD ("grid/counts-and-adds", test_grid_counts_and_adds);
  ADD ("queue/reorders", test_queue_reorders);
  ADD ("queue/edits-duplicates-cancels", test_queue_edits_duplicates_cancels);
  ADD ("queue/menu-fits-the-state", test_queue_menu_fits_the_state);
  ADD ("queue/runs-fifty-jobs", test_queue_runs_fifty_jobs);
  ADD ("queue/makes-rows-for-the-view", test_queue_makes_rows_for_the_view);
  ADD ("draft/survives-a-crash", test_draft_survives_a_crash);
  ADD ("recipe/dropped-picture-offers-it", test_dropped_picture_offers_its_recipe);
  ADD ("keyboard/alone-makes-a-picture", test_keyboard_alone_makes_a_picture);
  ADD ("window/collapses-when-narrow", test_window_collapses_when_narrow);
  ADD ("window/draws-itself", test_window_draws_itself);
  return g_test_run ();
}
