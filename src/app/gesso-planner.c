/* SPDX-License-Identifier: MPL-2.0
 * gesso-planner.c - what the form's recipe needs and takes.
 *
 * Two questions are asked, never both at once because a newer one replaces an older: the form's own
 * recipe, and, once for each model, the same with no size, which tells the model's own.
 */
#include "app/gesso-planner.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "app/gesso-fit.h"
#include "app/gesso-generate.h"
#include "app/gesso-paths.h"

enum
{
  DELAY_MS = 200
};

struct _GessoPlanner
{
  GObject parent_instance;
  GessoSession *session;
  GessoLibrary *library;
  GessoForm *form;
  GCancellable *cancellable;
  guint timeout;
  char *text, *problem;
  char *native_model; /* whose own size is known */
  char *asked_model;  /* of which it was asked after a plan had failed: once */
  int native, size_step;
  gboolean tight;
  gboolean is_old;                /* what is told is of the form before a change */
  gboolean has_picture, has_mask; /* Generate adds the canvas's */
  gboolean makes_clips;           /* the picture is what a clip begins with */
};

G_DEFINE_FINAL_TYPE (GessoPlanner, gesso_planner, G_TYPE_OBJECT)

static guint changed_signal;

static void
set_result (GessoPlanner *self, const char *text, const char *problem, gboolean tight)
{
  g_free (self->text);
  self->text = g_strdup (text);
  g_free (self->problem);
  self->problem = g_strdup (problem);
  self->tight = tight;
  self->is_old = self->timeout != 0;
  g_signal_emit (self, changed_signal, 0);
}

char *
gesso_planner_format_seconds (double seconds)
{
  if (seconds < 1)
    return g_strdup (_ ("1 s"));
  if (seconds < 100)
    return g_strdup_printf (_ ("%.0f s"), seconds);
  if (seconds < 100 * 60)
    return g_strdup_printf (_ ("%.0f min"), seconds / 60);
  return g_strdup_printf (_ ("%.1f h"), seconds / 3600);
}

static void
show_plan (GessoPlanner *self, const GessoPlan *plan)
{
  g_autofree char *need = g_format_size (plan->peak_bytes + plan->weight_bytes);
  if (!plan->fits)
    {
      g_autofree char *available = g_format_size (plan->available_bytes);
      g_autofree char *text = g_strdup_printf (_ ("Needs about %s, %s are free"), need, available);
      set_result (self, text, NULL, TRUE);
    }
  else if (plan->seconds > 0)
    {
      g_autofree char *time = gesso_planner_format_seconds (plan->seconds);
      g_autofree char *text = g_strdup_printf (_ ("About %s · %s"), time, need);
      set_result (self, text, NULL, FALSE);
    }
  else
    {
      g_autofree char *text = g_strdup_printf (_ ("Needs %s of memory"), need);
      set_result (self, text, NULL, FALSE);
    }
}

/* What Generate would queue.  A white file stands in for the canvas's start picture and mask: only
 * that they are there, and the size they are drawn at, matter to a plan.
 *
 * Returns: transfer full
 */
static GessoForm *
new_planned_form (GessoPlanner *self)
{
  GessoForm *form = gesso_form_new ();
  g_autofree char *written = gesso_form_to_json (self->form);
  g_autofree char *json = gesso_fit_dup_recipe (self->library, written);
  g_autofree char *data = self->has_picture ? gesso_paths_dup_data_dir (NULL) : NULL;
  gesso_form_load (form, json, NULL);
  if (self->makes_clips)
    gesso_form_reset (form, "denoise"); /* a clip begins with the picture as it is */
  if (!data)
    return form;
  g_autofree char *blank = g_build_filename (data, "blank.png", NULL);
  const char *mask_key = gesso_generate_get_mask_key ();
  int width, height;
  gesso_generate_get_size (self->form, &width, &height);
  g_autofree char *width_text = g_strdup_printf ("%d", width);
  g_autofree char *height_text = g_strdup_printf ("%d", height);
  gesso_form_set_text (form, self->makes_clips ? "first_frame" : "init_image", blank, NULL);
  gesso_form_set_text (form, "width", width_text, NULL);
  gesso_form_set_text (form, "height", height_text, NULL);
  if (self->has_mask && mask_key)
    gesso_form_set_text (form, mask_key, blank, NULL);
  return form;
}

/* What a plan of the sizeless recipe filled in. */
static void
learn_native (GessoPlanner *self, const GessoPlan *plan)
{
  g_autoptr (GessoForm) form = gesso_form_new ();
  if (!plan->recipe || !gesso_form_load (form, plan->recipe, NULL))
    return;
  const Recipe *recipe = gesso_form_peek (form);
  self->native = plan->native_side > 0
                     ? plan->native_side
                     : (int) lround (sqrt ((double) recipe->width * recipe->height));
  self->size_step = plan->size_step;
  g_free (self->native_model);
  self->native_model = gesso_form_dup_text (self->form, "model");
}

static void
native_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoPlanner) self = user_data;
  g_autoptr (GessoPlan) plan = gesso_session_plan_finish (GESSO_SESSION (source), result, NULL);
  if (!plan)
    return;
  learn_native (self, plan);
  g_signal_emit (self, changed_signal, 0);
}

/* A clip's recipe may be none without its picture, and is planned at the picture's shape. */
static GessoForm *
new_sizeless_form (GessoPlanner *self)
{
  GessoForm *form = self->makes_clips ? new_planned_form (self) : gesso_form_new ();
  g_autofree char *model = gesso_form_dup_text (self->form, "model");
  gesso_form_set_text (form, "model", model, NULL);
  gesso_form_set_text (form, "prompt", "x", NULL);
  gesso_form_reset (form, "width");
  gesso_form_reset (form, "height");
  return form;
}

static void
ask_native (GessoPlanner *self)
{
  g_autoptr (GessoForm) form = new_sizeless_form (self);
  g_autofree char *json = gesso_form_to_json (form);
  gesso_session_plan_async (self->session, json, self->cancellable, native_cb, g_object_ref (self));
}

/* The size may be what is wrong: of another model, or of the picture. */
static void
ask_native_after_failure (GessoPlanner *self)
{
  g_autofree char *model = gesso_form_dup_text (self->form, "model");
  if (!self->makes_clips || g_strcmp0 (model, self->native_model) == 0 ||
      g_strcmp0 (model, self->asked_model) == 0)
    return;
  g_free (self->asked_model);
  self->asked_model = g_steal_pointer (&model);
  ask_native (self);
}

static void
planned_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GessoPlanner) self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GessoPlan) plan = gesso_session_plan_finish (GESSO_SESSION (source), result, &error);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  if (!plan)
    {
      /* a dead worker is the banner's business; jobs wait for the next one */
      gboolean ready = gesso_session_get_worker_state (self->session) == GESSO_WORKER_READY;
      g_dbus_error_strip_remote_error (error);
      set_result (self, "", ready ? error->message : NULL, FALSE);
      if (ready)
        ask_native_after_failure (self);
      return;
    }
  gesso_form_set_filled (self->form, plan->recipe);
  show_plan (self, plan);
  g_autofree char *model = gesso_form_dup_text (self->form, "model");
  if (g_strcmp0 (model, self->native_model) != 0)
    ask_native (self);
}

static gboolean
is_complete (GessoPlanner *self, GessoForm *form)
{
  const Recipe *recipe = gesso_form_peek (form);
  Status status = { 0 };
  if (!recipe->model)
    set_result (self, "", _ ("Choose a model first."), FALSE);
  else if (!recipe_validate (recipe, &status))
    set_result (self, "", status.message, FALSE);
  else
    return TRUE;
  return FALSE;
}

static gboolean
plan_cb (gpointer user_data)
{
  GessoPlanner *self = user_data;
  self->timeout = 0;
  g_cancellable_cancel (self->cancellable);
  g_set_object (&self->cancellable, NULL);
  self->cancellable = g_cancellable_new ();
  g_autoptr (GessoForm) form = new_planned_form (self);
  if (!is_complete (self, form))
    return G_SOURCE_REMOVE;
  if (gesso_session_get_worker_state (self->session) != GESSO_WORKER_READY)
    {
      gboolean stopped = gesso_session_get_worker_state (self->session) == GESSO_WORKER_STOPPED;
      set_result (self, stopped ? _ ("The engine is stopped.") : _ ("The engine is starting…"),
                  NULL, FALSE);
      return G_SOURCE_REMOVE;
    }
  g_autofree char *json = gesso_form_to_json (form);
  gesso_session_plan_async (self->session, json, self->cancellable, planned_cb,
                            g_object_ref (self));
  return G_SOURCE_REMOVE;
}

static void
schedule (GessoPlanner *self)
{
  g_clear_handle_id (&self->timeout, g_source_remove);
  self->timeout = g_timeout_add (DELAY_MS, plan_cb, self);
  self->is_old = TRUE;
}

/* A scan may have found out for which models the LoRAs are. */
static void
library_changed_cb (GessoPlanner *self)
{
  if (!gesso_form_is_default (self->form, "adapters"))
    schedule (self);
}

static void
form_changed_cb (GessoForm *form, const char *key, gpointer user_data)
{
  GessoPlanner *self = user_data;
  /* Words and seeds change nothing of what is needed; only that there is a prompt may matter. */
  if (g_str_equal (key, "seed") || g_str_equal (key, "negative_prompt"))
    return;
  if (g_str_equal (key, "model"))
    gesso_form_set_filled (form, NULL);
  schedule (self);
}

static void
gesso_planner_dispose (GObject *object)
{
  GessoPlanner *self = GESSO_PLANNER (object);
  g_clear_handle_id (&self->timeout, g_source_remove);
  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->session);
  g_clear_object (&self->library);
  g_clear_object (&self->form);
  G_OBJECT_CLASS (gesso_planner_parent_class)->dispose (object);
}

static void
gesso_planner_finalize (GObject *object)
{
  GessoPlanner *self = GESSO_PLANNER (object);
  g_free (self->text);
  g_free (self->problem);
  g_free (self->native_model);
  g_free (self->asked_model);
  G_OBJECT_CLASS (gesso_planner_parent_class)->finalize (object);
}

static void
gesso_planner_class_init (GessoPlannerClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = gesso_planner_dispose;
  G_OBJECT_CLASS (klass)->finalize = gesso_planner_finalize;
  changed_signal = g_signal_new ("changed", GESSO_TYPE_PLANNER, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 0);
}

static void
gesso_planner_init (GessoPlanner *self)
{
  self->text = g_strdup ("");
}

GessoPlanner *
gesso_planner_new (GessoSession *session, GessoLibrary *library, GessoForm *form)
{
  g_return_val_if_fail (GESSO_IS_SESSION (session) && GESSO_IS_FORM (form), NULL);
  g_return_val_if_fail (GESSO_IS_LIBRARY (library), NULL);
  GessoPlanner *self = g_object_new (GESSO_TYPE_PLANNER, NULL);
  self->session = g_object_ref (session);
  self->library = g_object_ref (library);
  self->form = g_object_ref (form);
  g_signal_connect_object (form, "changed", G_CALLBACK (form_changed_cb), self, 0);
  g_signal_connect_object (library, "changed", G_CALLBACK (library_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (session, "notify::worker-state", G_CALLBACK (schedule), self,
                           G_CONNECT_SWAPPED);
  schedule (self);
  return self;
}

void
gesso_planner_set_inputs (GessoPlanner *self, gboolean picture, gboolean mask, gboolean clips)
{
  g_return_if_fail (GESSO_IS_PLANNER (self));
  if (picture == self->has_picture && mask == self->has_mask && clips == self->makes_clips)
    return;
  self->has_picture = picture;
  self->has_mask = mask;
  self->makes_clips = clips;
  schedule (self);
}

const char *
gesso_planner_get_text (GessoPlanner *self)
{
  g_return_val_if_fail (GESSO_IS_PLANNER (self), NULL);
  return self->text;
}

const char *
gesso_planner_get_problem (GessoPlanner *self)
{
  g_return_val_if_fail (GESSO_IS_PLANNER (self), NULL);
  return self->problem;
}

gboolean
gesso_planner_is_old (GessoPlanner *self)
{
  g_return_val_if_fail (GESSO_IS_PLANNER (self), FALSE);
  return self->is_old;
}

gboolean
gesso_planner_is_tight (GessoPlanner *self)
{
  g_return_val_if_fail (GESSO_IS_PLANNER (self), FALSE);
  return self->tight;
}

int
gesso_planner_get_native (GessoPlanner *self)
{
  g_return_val_if_fail (GESSO_IS_PLANNER (self), 0);
  g_autofree char *model = gesso_form_dup_text (self->form, "model");
  return g_strcmp0 (model, self->native_model) == 0 ? self->native : 0;
}

int
gesso_planner_get_size_step (GessoPlanner *self)
{
  return gesso_planner_get_native (self) > 0 ? self->size_step : 0;
}
