/* SPDX-License-Identifier: MPL-2.0
 * gesso-job.c - one recipe in the queue: its row in the database and its progress.
 */
#include "session/gesso-job-private.h"

#include <string.h>

struct _GessoJob
{
  GObject parent_instance;
  GessoJobRow row;
  char *phase;
  int step, n_steps;
  double batch_fraction; /* of the running batch */
  double eta, wait_before;
  GessoFrame *preview;
};

G_DEFINE_FINAL_TYPE (GessoJob, gesso_job, G_TYPE_OBJECT)

enum
{
  PROP_ID = 1,
  PROP_STATE,
  PROP_TITLE,
  PROP_RECIPE,
  PROP_N_PICTURES,
  PROP_N_DONE,
  PROP_PHASE,
  PROP_STEP,
  PROP_N_STEPS,
  PROP_FRACTION,
  PROP_ETA,
  PROP_PREVIEW,
  PROP_ERROR_CODE,
  PROP_ERROR,
  PROP_NOTE,
  PROP_LAST_PICTURE,
  PROP_CREATED,
  PROP_FINISHED,
  PROP_WAIT_BEFORE,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

/* In the order of GessoJobState; the names stand in the database and never change. */
static const char *const state_names[] = { "waiting", "running", "parked",
                                           "done",    "failed",  "cancelled" };

GType
gesso_job_state_get_type (void)
{
  static gsize type;
  static const GEnumValue values[] = {
    { GESSO_JOB_WAITING, "GESSO_JOB_WAITING", "waiting" },
    { GESSO_JOB_RUNNING, "GESSO_JOB_RUNNING", "running" },
    { GESSO_JOB_PARKED, "GESSO_JOB_PARKED", "parked" },
    { GESSO_JOB_DONE, "GESSO_JOB_DONE", "done" },
    { GESSO_JOB_FAILED, "GESSO_JOB_FAILED", "failed" },
    { GESSO_JOB_CANCELLED, "GESSO_JOB_CANCELLED", "cancelled" },
    { 0, NULL, NULL },
  };
  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GessoJobState", values));
  return (GType) type;
}

const char *
gesso_job_state_name (GessoJobState state)
{
  g_return_val_if_fail ((guint) state < G_N_ELEMENTS (state_names), "failed");
  return state_names[state];
}

GessoJobState
gesso_job_state_from_name (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (state_names); i++)
    if (g_strcmp0 (name, state_names[i]) == 0)
      return (GessoJobState) i;
  return GESSO_JOB_FAILED;
}

gboolean
gesso_job_state_is_ended (GessoJobState state)
{
  return state == GESSO_JOB_DONE || state == GESSO_JOB_FAILED || state == GESSO_JOB_CANCELLED;
}

static void
row_clear (GessoJobRow *row)
{
  g_free (row->recipe);
  g_free (row->title);
  g_free (row->error_code);
  g_free (row->error);
  g_free (row->note);
  g_free (row->last_picture);
  g_free (row->work);
  *row = (GessoJobRow){ 0 };
}

void
gesso_job_row_free (GessoJobRow *row)
{
  row_clear (row);
  g_free (row);
}

static void
row_copy (GessoJobRow *to, const GessoJobRow *from)
{
  row_clear (to);
  *to = *from;
  to->recipe = g_strdup (from->recipe);
  to->title = g_strdup (from->title);
  to->error_code = g_strdup (from->error_code ? from->error_code : "");
  to->error = g_strdup (from->error ? from->error : "");
  to->note = g_strdup (from->note ? from->note : "");
  to->last_picture = g_strdup (from->last_picture ? from->last_picture : "");
  to->work = g_strdup (from->work ? from->work : "");
}

static void
notify (GessoJob *self, int property)
{
  g_object_notify_by_pspec (G_OBJECT (self), properties[property]);
}

static gboolean
replace_string (char **field, const char *value)
{
  if (g_strcmp0 (*field, value) == 0)
    return FALSE;
  g_free (*field);
  *field = g_strdup (value);
  return TRUE;
}

static double
get_fraction (GessoJob *self)
{
  const GessoJobRow *row = &self->row;
  if (row->n_pictures <= 0)
    return 0;
  /* pictures of the running batch that are saved already are part of its fraction, too */
  double batch = row->batch_size * self->batch_fraction;
  double done = row->n_done - row->n_done % MAX (row->batch_size, 1) + batch;
  return CLAMP (MAX (done, row->n_done) / row->n_pictures, 0, 1);
}

static void
gesso_job_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GessoJob *self = GESSO_JOB (object);
  const GessoJobRow *row = &self->row;
  switch (id)
    {
    case PROP_ID:
      return g_value_set_int64 (value, row->id);
    case PROP_STATE:
      return g_value_set_enum (value, (int) row->state);
    case PROP_TITLE:
      return g_value_set_string (value, row->title);
    case PROP_RECIPE:
      return g_value_set_string (value, row->recipe);
    case PROP_N_PICTURES:
      return g_value_set_int (value, row->n_pictures);
    case PROP_N_DONE:
      return g_value_set_int (value, row->n_done);
    case PROP_PHASE:
      return g_value_set_string (value, self->phase);
    case PROP_STEP:
      return g_value_set_int (value, self->step);
    case PROP_N_STEPS:
      return g_value_set_int (value, self->n_steps);
    case PROP_FRACTION:
      return g_value_set_double (value, get_fraction (self));
    case PROP_ETA:
      return g_value_set_double (value, self->eta);
    case PROP_PREVIEW:
      return g_value_set_boxed (value, self->preview);
    case PROP_ERROR_CODE:
      return g_value_set_string (value, row->error_code);
    case PROP_ERROR:
      return g_value_set_string (value, row->error);
    case PROP_NOTE:
      return g_value_set_string (value, row->note);
    case PROP_LAST_PICTURE:
      return g_value_set_string (value, row->last_picture);
    case PROP_CREATED:
      return g_value_set_int64 (value, row->created);
    case PROP_FINISHED:
      return g_value_set_int64 (value, row->finished);
    case PROP_WAIT_BEFORE:
      return g_value_set_double (value, self->wait_before);
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gesso_job_finalize (GObject *object)
{
  GessoJob *self = GESSO_JOB (object);
  row_clear (&self->row);
  g_free (self->phase);
  g_clear_pointer (&self->preview, gesso_frame_free);
  G_OBJECT_CLASS (gesso_job_parent_class)->finalize (object);
}

static GParamSpec *
string_property (const char *name)
{
  return g_param_spec_string (name, NULL, NULL, "", G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
}

static GParamSpec *
int_property (const char *name)
{
  return g_param_spec_int (name, NULL, NULL, 0, G_MAXINT, 0,
                           G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
}

static GParamSpec *
int64_property (const char *name)
{
  return g_param_spec_int64 (name, NULL, NULL, 0, G_MAXINT64, 0,
                             G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
}

static GParamSpec *
double_property (const char *name)
{
  return g_param_spec_double (name, NULL, NULL, -1, G_MAXDOUBLE, -1,
                              G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
}

static void
gesso_job_class_init (GessoJobClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->get_property = gesso_job_get_property;
  object_class->finalize = gesso_job_finalize;
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  properties[PROP_ID] = int64_property ("id");
  properties[PROP_STATE] =
      g_param_spec_enum ("state", NULL, NULL, GESSO_TYPE_JOB_STATE, GESSO_JOB_WAITING, flags);
  properties[PROP_TITLE] = string_property ("title");
  properties[PROP_RECIPE] = string_property ("recipe");
  properties[PROP_N_PICTURES] = int_property ("n-pictures");
  properties[PROP_N_DONE] = int_property ("n-done");
  properties[PROP_PHASE] = string_property ("phase");
  properties[PROP_STEP] = int_property ("step");
  properties[PROP_N_STEPS] = int_property ("n-steps");
  properties[PROP_FRACTION] = double_property ("fraction");
  properties[PROP_ETA] = double_property ("eta");
  properties[PROP_PREVIEW] = g_param_spec_boxed ("preview", NULL, NULL, GESSO_TYPE_FRAME, flags);
  properties[PROP_ERROR_CODE] = string_property ("error-code");
  properties[PROP_ERROR] = string_property ("error");
  properties[PROP_NOTE] = string_property ("note");
  properties[PROP_LAST_PICTURE] = string_property ("last-picture");
  properties[PROP_CREATED] = int64_property ("created");
  properties[PROP_FINISHED] = int64_property ("finished");
  properties[PROP_WAIT_BEFORE] = double_property ("wait-before");
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
gesso_job_init (GessoJob *self)
{
  self->phase = g_strdup ("");
  self->eta = self->wait_before = -1;
}

GessoJob *
gesso_job_new (const GessoJobRow *row)
{
  GessoJob *self = g_object_new (GESSO_TYPE_JOB, NULL);
  row_copy (&self->row, row);
  return self;
}

void
gesso_job_set_row (GessoJob *self, const GessoJobRow *row)
{
  static const int changed[] = { PROP_STATE,      PROP_TITLE,  PROP_RECIPE,
                                 PROP_N_PICTURES, PROP_N_DONE, PROP_FRACTION,
                                 PROP_ERROR_CODE, PROP_ERROR,  PROP_NOTE };
  g_return_if_fail (GESSO_IS_JOB (self));
  row_copy (&self->row, row);
  for (guint i = 0; i < G_N_ELEMENTS (changed); i++)
    notify (self, changed[i]);
}

double
gesso_job_get_position (GessoJob *self)
{
  return self->row.position;
}

void
gesso_job_set_position (GessoJob *self, double position)
{
  self->row.position = position;
}

int
gesso_job_get_batch_size (GessoJob *self)
{
  return self->row.batch_size;
}

const GessoJobRow *
gesso_job_peek_row (GessoJob *self)
{
  return &self->row;
}

double
gesso_job_get_batch_fraction (GessoJob *self)
{
  return self->batch_fraction;
}

gint64
gesso_job_get_finished (GessoJob *self)
{
  return self->row.finished;
}

void
gesso_job_set_progress (
    GessoJob *self, const char *phase, int step, int n_steps, double batch_fraction)
{
  g_return_if_fail (GESSO_IS_JOB (self) && phase);
  if (replace_string (&self->phase, phase))
    notify (self, PROP_PHASE);
  if (self->step != step)
    {
      self->step = step;
      notify (self, PROP_STEP);
    }
  if (self->n_steps != n_steps)
    {
      self->n_steps = n_steps;
      notify (self, PROP_N_STEPS);
    }
  if (self->batch_fraction != batch_fraction)
    {
      self->batch_fraction = batch_fraction;
      notify (self, PROP_FRACTION);
    }
}

void
gesso_job_set_preview (GessoJob *self, const GessoFrame *frame)
{
  g_return_if_fail (GESSO_IS_JOB (self));
  if (!frame && !self->preview)
    return;
  g_clear_pointer (&self->preview, gesso_frame_free);
  self->preview = frame ? gesso_frame_copy (frame) : NULL;
  notify (self, PROP_PREVIEW);
}

void
gesso_job_set_eta (GessoJob *self, double eta, double wait_before)
{
  g_return_if_fail (GESSO_IS_JOB (self));
  if (self->eta != eta)
    {
      self->eta = eta;
      notify (self, PROP_ETA);
    }
  if (self->wait_before != wait_before)
    {
      self->wait_before = wait_before;
      notify (self, PROP_WAIT_BEFORE);
    }
}

void
gesso_job_set_state (GessoJob *self, GessoJobState state, gint64 finished)
{
  g_return_if_fail (GESSO_IS_JOB (self));
  if (state != GESSO_JOB_RUNNING)
    {
      /* a parked batch keeps its place in the bar */
      double kept = state == GESSO_JOB_PARKED ? self->batch_fraction : 0;
      gesso_job_set_progress (self, "", self->step, self->n_steps, kept);
      gesso_job_set_preview (self, NULL);
    }
  if (gesso_job_state_is_ended (state))
    gesso_job_set_eta (self, -1, -1);
  if (self->row.finished != finished)
    {
      self->row.finished = finished;
      notify (self, PROP_FINISHED);
    }
  if (self->row.state != state)
    {
      self->row.state = state;
      notify (self, PROP_STATE);
    }
}

void
gesso_job_set_failure (GessoJob *self, const char *code, const char *sentence)
{
  g_return_if_fail (GESSO_IS_JOB (self));
  if (replace_string (&self->row.error_code, code))
    notify (self, PROP_ERROR_CODE);
  if (replace_string (&self->row.error, sentence))
    notify (self, PROP_ERROR);
}

void
gesso_job_set_note (GessoJob *self, const char *sentence)
{
  g_return_if_fail (GESSO_IS_JOB (self));
  if (replace_string (&self->row.note, sentence))
    notify (self, PROP_NOTE);
}

void
gesso_job_add_picture (GessoJob *self, const char *path, int n_done)
{
  g_return_if_fail (GESSO_IS_JOB (self));
  self->row.n_done = n_done;
  notify (self, PROP_N_DONE);
  notify (self, PROP_FRACTION);
  if (replace_string (&self->row.last_picture, path))
    notify (self, PROP_LAST_PICTURE);
}

gint64
gesso_job_get_id (GessoJob *self)
{
  g_return_val_if_fail (GESSO_IS_JOB (self), 0);
  return self->row.id;
}

GessoJobState
gesso_job_get_state (GessoJob *self)
{
  g_return_val_if_fail (GESSO_IS_JOB (self), GESSO_JOB_FAILED);
  return self->row.state;
}

const char *
gesso_job_get_title (GessoJob *self)
{
  g_return_val_if_fail (GESSO_IS_JOB (self), NULL);
  return self->row.title;
}

const char *
gesso_job_get_recipe (GessoJob *self)
{
  g_return_val_if_fail (GESSO_IS_JOB (self), NULL);
  return self->row.recipe;
}

int
gesso_job_get_n_pictures (GessoJob *self)
{
  g_return_val_if_fail (GESSO_IS_JOB (self), 0);
  return self->row.n_pictures;
}

int
gesso_job_get_n_done (GessoJob *self)
{
  g_return_val_if_fail (GESSO_IS_JOB (self), 0);
  return self->row.n_done;
}

const char *
gesso_job_get_phase (GessoJob *self)
{
  g_return_val_if_fail (GESSO_IS_JOB (self), NULL);
  return self->phase;
}

int
gesso_job_get_step (GessoJob *self)
{
  g_return_val_if_fail (GESSO_IS_JOB (self), 0);
  return self->step;
}

int
gesso_job_get_n_steps (GessoJob *self)
{
  g_return_val_if_fail (GESSO_IS_JOB (self), 0);
  return self->n_steps;
}

double
gesso_job_get_fraction (GessoJob *self)
{
  g_return_val_if_fail (GESSO_IS_JOB (self), 0);
  return get_fraction (self);
}

double
gesso_job_get_eta (GessoJob *self)
{
  g_return_val_if_fail (GESSO_IS_JOB (self), -1);
  return self->eta;
}

const GessoFrame *
gesso_job_get_preview (GessoJob *self)
{
  g_return_val_if_fail (GESSO_IS_JOB (self), NULL);
  return self->preview;
}

const char *
gesso_job_get_error (GessoJob *self)
{
  g_return_val_if_fail (GESSO_IS_JOB (self), NULL);
  return self->row.error;
}

const char *
gesso_job_get_error_code (GessoJob *self)
{
  g_return_val_if_fail (GESSO_IS_JOB (self), NULL);
  return self->row.error_code;
}

const char *
gesso_job_get_last_picture (GessoJob *self)
{
  g_return_val_if_fail (GESSO_IS_JOB (self), NULL);
  return self->row.last_picture;
}
