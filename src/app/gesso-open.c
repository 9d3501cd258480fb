/* SPDX-License-Identifier: MPL-2.0
 * gesso-open.c - files came from outside: projects, pictures, models, folders of models?
 */
#include "app/gesso-open.h"

#include <glib/gi18n.h>
#include <string.h>

#include "app/gesso-adapter-list.h"
#include "app/gesso-clip-offer.h"
#include "app/gesso-dialog.h"
#include "app/gesso-project-actions.h"
#include "app/gesso-recipe-offer.h"
#include "library/gesso-recognise.h"
#include "media/frames.h"
#include "session/gesso-project-file.h"

typedef enum
{
  KIND_PROJECT,
  KIND_FOLDER,
  KIND_MODEL,
  KIND_ADAPTER,
  KIND_CLIP,    /* or a film, or a picture that moves */
  KIND_PICTURE, /* or something that reading it as one will name */
  N_KINDS
} Kind;

/* The files of one call, until all were looked at; in their order whatever comes back first. */
typedef struct
{
  GessoWindow *window;
  GPtrArray *files;          /* of GFile */
  Kind *kind_of;             /* N_KINDS for what cannot be used */
  guint n_open;              /* not looked at yet */
  GPtrArray *kinds[N_KINDS]; /* of GFile, at the end */
  char *problem;             /* of the first that cannot be used */
} Errand;

static void
errand_free (Errand *errand)
{
  for (int i = 0; i < N_KINDS; i++)
    g_ptr_array_unref (errand->kinds[i]);
  g_ptr_array_unref (errand->files);
  g_object_unref (errand->window);
  g_free (errand->kind_of);
  g_free (errand->problem);
  g_free (errand);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Errand, errand_free)

/* ---- saying ---- */

static char *
dup_name (GFile *file)
{
  return g_filename_display_basename (g_file_peek_path (file));
}

static void
say_of_file (GessoWindow *window, const char *format, GFile *file)
{
  g_autofree char *name = dup_name (file);
  g_autoptr (GString) text = g_string_new (format);
  g_string_replace (text, "%s", name, 1);
  gesso_window_say (window, text->str);
}

/* @format: of a translation, with one "%u" */
static char *
dup_count (const char *format, guint n)
{
  g_autofree char *number = g_strdup_printf ("%u", n);
  GString *text = g_string_new (format);
  g_string_replace (text, "%u", number, 1);
  return g_string_free (text, FALSE);
}

/* ---- folders and models ---- */

static void
add_folders (GessoWindow *window, const GPtrArray *folders)
{
  for (guint i = 0; i < folders->len; i++)
    {
      const char *problem = gesso_library_add_folder (
          gesso_window_get_library (window), g_file_peek_path (g_ptr_array_index (folders, i)));
      if (problem)
        {
          gesso_window_say (window, problem);
          return;
        }
    }
  if (folders->len == 1)
    {
      say_of_file (window, _ ("Looking for models in “%s”; its files stay there"),
                   g_ptr_array_index (folders, 0));
      return;
    }
  g_autofree char *text =
      dup_count (_ ("Looking for models in %u folders; their files stay there"), folders->len);
  gesso_window_say (window, text);
}

static gboolean
is_model (const char *path)
{
  static const char *const endings[] = { ".safetensors", ".sft", ".gguf", ".ckpt", ".pt", ".pth" };
  g_autofree char *folded = g_ascii_strdown (path, -1);
  for (gsize i = 0; i < G_N_ELEMENTS (endings); i++)
    if (g_str_has_suffix (folded, endings[i]))
      return TRUE;
  return FALSE;
}

/* Whether it can be used is said by the plan, above the Generate button. */
static void
use_model (GessoWindow *window, GFile *file)
{
  GessoForm *form = gesso_create_page_get_form (gesso_window_get_create_page (window));
  g_autoptr (GError) error = NULL;
  if (!gesso_form_set_text (form, "model", g_file_peek_path (file), &error))
    {
      gesso_window_say (window, error->message);
      return;
    }
  gesso_window_show_page (window, "create");
  say_of_file (window, _ ("“%s” is the model now"), file);
}

static gboolean
is_searched (GessoLibrary *library, GFile *folder)
{
  g_auto (GStrv) folders = gesso_library_dup_folders (library);
  for (int i = 0; folders && folders[i]; i++)
    {
      g_autoptr (GFile) known = g_file_new_for_path (folders[i]);
      if (g_file_equal (folder, known) || g_file_has_prefix (folder, known))
        return TRUE;
    }
  return FALSE;
}

/* Returns: (transfer full): of GFile, the folders of @models that the library does not search, each
 * once */
static GPtrArray *
find_new_folders (GessoWindow *window, const GPtrArray *models)
{
  GPtrArray *folders = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < models->len; i++)
    {
      g_autoptr (GFile) folder = g_file_get_parent (g_ptr_array_index (models, i));
      if (folder && !is_searched (gesso_window_get_library (window), folder) &&
          !g_ptr_array_find_with_equal_func (folders, folder, (GEqualFunc) g_file_equal, NULL))
        g_ptr_array_add (folders, g_steal_pointer (&folder));
    }
  return folders;
}

typedef struct
{
  GessoWindow *window;
  GPtrArray *files; /* of GFile */
} Offer;

static void
offer_free (gpointer data)
{
  Offer *offer = data;
  g_object_unref (offer->window);
  g_ptr_array_unref (offer->files);
  g_free (offer);
}

static Offer *
offer_new (GessoWindow *window, GPtrArray *files)
{
  Offer *offer = g_new (Offer, 1);
  *offer = (Offer){ g_object_ref (window), g_ptr_array_ref (files) };
  return offer;
}

static void
folders_answered_cb (int answer, gpointer user_data)
{
  const Offer *offer = user_data;
  if (answer == 1 && gesso_window_get_library (offer->window))
    add_folders (offer->window, offer->files);
}

static void
offer_folders (GessoWindow *window, const GPtrArray *models)
{
  g_autoptr (GPtrArray) folders = find_new_folders (window, models);
  if (folders->len == 0)
    {
      gesso_window_say (window, _ ("These models are in the library: choose one as the model"));
      return;
    }
  GString *body = g_string_new (
      _ ("Models are used where they are. Their files are found when their folder is searched:"));
  for (guint i = 0; i < folders->len; i++)
    {
      g_autofree char *shown =
          g_filename_display_name (g_file_peek_path (g_ptr_array_index (folders, i)));
      g_string_append_printf (body, "%s• %s", i ? "\n" : "\n\n", shown);
    }
  g_autofree char *heading =
      dup_count (g_dngettext (NULL, "Add %u Model?", "Add %u Models?", models->len), models->len);
  const char *buttons[] = { _ ("_Cancel"), _ ("_Search From Now On"), NULL };
  gesso_ask (GTK_WINDOW (window), heading, body->str, buttons, GESSO_ASK_SUGGESTED,
             folders_answered_cb, offer_new (window, folders), offer_free);
  g_string_free (body, TRUE);
}

static void
take_models (GessoWindow *window, const GPtrArray *models)
{
  if (models->len == 1)
    use_model (window, g_ptr_array_index (models, 0));
  else
    offer_folders (window, models);
}

/* ---- LoRAs ---- */

/* They join those of the recipe, where each can be weighed or taken off again. */
static void
use_adapters (GessoWindow *window, const GPtrArray *files)
{
  GessoForm *form = gesso_create_page_get_form (gesso_window_get_create_page (window));
  g_autoptr (GError) error = NULL;
  for (guint i = 0; i < files->len; i++)
    if (!gesso_adapters_add (form, g_file_peek_path (g_ptr_array_index (files, i)), &error))
      {
        gesso_window_say (window, error->message);
        return;
      }
  gesso_window_show_page (window, "create");
  if (files->len == 1)
    say_of_file (window, _ ("“%s” is used as a LoRA now"), g_ptr_array_index (files, 0));
  else
    {
      g_autofree char *text = dup_count (_ ("%u LoRAs are used now"), files->len);
      gesso_window_say (window, text);
    }
}

/* ---- pictures ---- */

enum
{
  ANSWER_FIRST = 1,
  ANSWER_EACH
};

static void
add_jobs (GessoWindow *window, const GPtrArray *pictures)
{
  GessoCreatePage *page = gesso_window_get_create_page (window);
  const char *problem = gesso_planner_get_problem (gesso_create_page_get_planner (page));
  if (problem)
    {
      gesso_window_say (window, problem);
      return;
    }
  g_autoptr (GPtrArray) paths = g_ptr_array_new ();
  for (guint i = 0; i < pictures->len; i++)
    g_ptr_array_add (paths, (char *) g_file_peek_path (g_ptr_array_index (pictures, i)));
  g_ptr_array_add (paths, NULL);
  GessoGenerateOptions options = { .pictures = (const char *const *) paths->pdata };
  gesso_create_page_generate (page, &options);
}

static void
pictures_answered_cb (int answer, gpointer user_data)
{
  const Offer *offer = user_data;
  if (!gesso_window_get_library (offer->window)) /* closed meanwhile */
    return;
  if (answer == ANSWER_FIRST)
    gesso_recipe_offer (offer->window, g_ptr_array_index (offer->files, 0));
  else if (answer == ANSWER_EACH)
    add_jobs (offer->window, offer->files);
}

static void
take_pictures (GessoWindow *window, GPtrArray *pictures)
{
  if (pictures->len == 1)
    {
      gesso_recipe_offer (window, g_ptr_array_index (pictures, 0));
      return;
    }
  g_autofree char *heading = dup_count (
      g_dngettext (NULL, "What About %u Picture?", "What About %u Pictures?", pictures->len),
      pictures->len);
  g_autofree char *each =
      dup_count (g_dngettext (NULL, "Add %u _Job", "Add %u _Jobs", pictures->len), pictures->len);
  const char *buttons[] = { _ ("_Cancel"), _ ("_Open the First"), each, NULL };
  gesso_ask (GTK_WINDOW (window), heading,
             _ ("One picture at a time can be opened. Or each becomes the start picture of a job "
                "of its own, with the prompt and the parameters as they are now."),
             buttons, GESSO_ASK_SUGGESTED, pictures_answered_cb, offer_new (window, pictures),
             offer_free);
}

/* ---- clips ---- */

static void
take_clip (GessoWindow *window, const GPtrArray *clips, guint n_files)
{
  GFile *file = g_ptr_array_index (clips, 0);
  gesso_clip_offer (window, file);
  if (n_files > 1)
    say_of_file (window, _ ("Only the clip “%s” is opened: one at a time"), file);
}

/* ---- looking at files ---- */

/* A project takes the place of everything else. */
static void
open_project (const Errand *errand, guint n_files)
{
  GFile *file = g_ptr_array_index (errand->kinds[KIND_PROJECT], 0);
  gesso_project_actions_open (errand->window, g_file_peek_path (file));
  if (n_files > 1)
    say_of_file (errand->window, _ ("Only the project “%s” is opened: one at a time"), file);
}

static void
act (const Errand *errand)
{
  if (errand->problem)
    gesso_window_say (errand->window, errand->problem);
  if (errand->kinds[KIND_PROJECT]->len > 0)
    {
      open_project (errand, errand->files->len);
      return;
    }
  if (errand->kinds[KIND_FOLDER]->len > 0)
    add_folders (errand->window, errand->kinds[KIND_FOLDER]);
  if (errand->kinds[KIND_MODEL]->len > 0)
    take_models (errand->window, errand->kinds[KIND_MODEL]);
  if (errand->kinds[KIND_ADAPTER]->len > 0)
    use_adapters (errand->window, errand->kinds[KIND_ADAPTER]);
  const GPtrArray *clips = errand->kinds[KIND_CLIP];
  GPtrArray *pictures = errand->kinds[KIND_PICTURE];
  if (clips->len > 0)
    take_clip (errand->window, clips, clips->len + pictures->len);
  else if (pictures->len > 0)
    take_pictures (errand->window, pictures);
}

/* One more file was looked at; with the last one @errand ends. */
static void
look_done (Errand *errand)
{
  if (--errand->n_open > 0)
    return;
  g_autoptr (Errand) done = errand;
  if (!gesso_window_get_library (done->window)) /* closed meanwhile */
    return;
  for (guint i = 0; i < done->files->len; i++)
    if (done->kind_of[i] < N_KINDS)
      g_ptr_array_add (done->kinds[done->kind_of[i]],
                       g_object_ref (g_ptr_array_index (done->files, i)));
  act (done);
}

static Kind
find_kind (GFile *file, GFileType type)
{
  const char *path = g_file_peek_path (file);
  g_autofree char *folded = g_ascii_strdown (path, -1);
  if (type == G_FILE_TYPE_DIRECTORY)
    return KIND_FOLDER;
  if (g_str_has_suffix (folded, GESSO_PROJECT_SUFFIX))
    return KIND_PROJECT;
  if (gesso_clip_offer_is_for (path))
    return KIND_CLIP;
  return is_model (path) ? KIND_MODEL : KIND_PICTURE;
}

static void
fail (Errand *errand, guint i, const char *sentence)
{
  errand->kind_of[i] = N_KINDS;
  if (!errand->problem)
    errand->problem = g_strdup (sentence);
}

typedef struct
{
  Errand *errand;
  guint i;
} Look;

static Kind
recognise_model (const char *path)
{
  GessoRecognised found = { 0 };
  gesso_recognise (&found, path, GESSO_FILE_CHECKPOINT);
  Kind kind = found.kind == GESSO_FILE_LORA ? KIND_ADAPTER : KIND_MODEL;
  gesso_recognised_clear (&found);
  return kind;
}

static void
recognise_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const char *path = data;
  if (is_model (path))
    g_task_return_int (task, recognise_model (path));
  else
    g_task_return_int (task, gesso_clip_offer_moves (path) ? KIND_CLIP : KIND_PICTURE);
}

static void
recognised_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Look *look = user_data;
  look->errand->kind_of[look->i] = (Kind) g_task_propagate_int (G_TASK (result), NULL);
  look_done (look->errand);
}

/* Which kind of model its header says, and whether a picture moves: files of one ending differ. */
static gboolean
has_to_be_read (GFile *file, Kind kind)
{
  return kind == KIND_MODEL || (kind == KIND_PICTURE && frames_may_move (g_file_peek_path (file)));
}

static void
type_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Look *look = user_data;
  GFile *file = G_FILE (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (GFileInfo) info = g_file_query_info_finish (file, result, &error);
  if (info)
    look->errand->kind_of[look->i] = find_kind (file, g_file_info_get_file_type (info));
  else
    fail (look->errand, look->i, error->message);
  if (has_to_be_read (file, look->errand->kind_of[look->i]))
    {
      g_autoptr (GTask) task = g_task_new (NULL, NULL, recognised_cb, g_steal_pointer (&look));
      g_task_set_task_data (task, g_file_get_path (file), g_free);
      g_task_run_in_thread (task, recognise_in_thread);
      return;
    }
  look_done (look->errand);
}

static void
look_at (Errand *errand, guint i)
{
  GFile *file = g_ptr_array_index (errand->files, i);
  if (!g_file_peek_path (file))
    {
      fail (errand, i, _ ("This file is not on this computer: save it first."));
      look_done (errand);
      return;
    }
  Look *look = g_new (Look, 1);
  *look = (Look){ errand, i };
  g_file_query_info_async (file, G_FILE_ATTRIBUTE_STANDARD_TYPE, G_FILE_QUERY_INFO_NONE,
                           G_PRIORITY_DEFAULT, NULL, type_cb, look);
}

void
gesso_open_files (GessoWindow *window, GSList *files)
{
  g_return_if_fail (GESSO_IS_WINDOW (window));
  Errand *errand = g_new0 (Errand, 1);
  errand->window = g_object_ref (window);
  errand->files = g_ptr_array_new_with_free_func (g_object_unref);
  for (GSList *l = files; l; l = l->next)
    g_ptr_array_add (errand->files, g_object_ref (l->data));
  for (int i = 0; i < N_KINDS; i++)
    errand->kinds[i] = g_ptr_array_new_with_free_func (g_object_unref);
  guint n = errand->files->len;
  errand->kind_of = g_new (Kind, n);
  errand->n_open = n + 1; /* so that it lasts as long as this function */
  for (guint i = 0; i < n; i++)
    look_at (errand, i);
  look_done (errand);
}
