/* SPDX-License-Identifier: MPL-2.0 */
#include "clips-fixture.h"

#include "media/frames.h"

static char *model; /* of the test that runs */

void
set (Fixture *f, const char *key, const char *text)
{
  g_autoptr (GError) error = NULL;
  gesso_form_set_text (f->form, key, text, &error);
  g_assert_no_error (error);
}

char *
value (Fixture *f, const char *key)
{
  return gesso_form_dup_text (f->form, key);
}

const char *
label (Fixture *f)
{
  return gesso_generate_bar_get_label (gesso_create_page_get_generate_bar (f->page));
}

gboolean
animates (Fixture *f)
{
  return g_str_equal (label (f), "Animate");
}

gboolean
extends (Fixture *f)
{
  return g_str_equal (label (f), "Extend");
}

void
choose_video_model (Fixture *f, const char *name)
{
  const char *source = g_getenv ("GESSO_SOURCE");
  g_autofree char *from =
      g_build_filename (source ? source : ".", "tests/golden/fixtures", name, NULL);
  g_autofree char *folder = g_build_filename (f->dir, "models", NULL);
  g_autofree char *line =
      g_strdup_printf ("mkdir -p '%s' && cp -rL '%s' '%s/'", folder, from, folder);
  const char *argv[] = { "sh", "-c", line, NULL };
  int status;
  g_assert_true (g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                               NULL, &status, NULL));
  g_assert_cmpint (status, ==, 0);
  g_free (model);
  model = g_build_filename (folder, name, NULL);
  gesso_library_add_folder (gesso_window_get_library (f->window), folder);
  set (f, "model", model);
  WAIT (f, animates);
}

GessoFilmstrip *
strip_of (Fixture *f)
{
  return gesso_stage_get_filmstrip (gesso_create_page_get_stage (f->page));
}

char *
result_path (Fixture *f)
{
  GessoResult *result = gesso_filmstrip_get_selected (strip_of (f));
  return result ? g_strdup (gesso_result_get_path (result)) : NULL;
}

gboolean
has_results (Fixture *f, guint n)
{
  GListModel *results = gesso_filmstrip_get_model (strip_of (f));
  g_autoptr (GessoResult) newest = g_list_model_get_item (results, 0);
  return g_list_model_get_n_items (results) == n && gesso_result_get_path (newest);
}

int
n_frames_of (const char *path)
{
  FilmInfo info;
  Image first = { 0 };
  Status status = { 0 };
  g_assert_true (frames_read_picture (&first, path, &info, &status));
  image_clear (&first);
  return info.n_frames;
}

void
make_clip (Fixture *f)
{
  choose_video_model (f, "wan-tiny");
  set (f, "frames", "9");
  set (f, "fps", "12");
  set (f, "width", "32");
  set (f, "height", "32");
  set (f, "steps", "3");
  WAIT (f, allowed);
  act (f, "win.generate");
  WAIT (f, has_one_picture);
  WAIT (f, has_result);
}

gboolean
has_picture (Fixture *f)
{
  return gesso_document_has_picture (gesso_create_page_get_document (f->page));
}

gboolean
has_no_picture (Fixture *f)
{
  return !has_picture (f);
}
