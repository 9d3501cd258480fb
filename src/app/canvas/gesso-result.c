/* SPDX-License-Identifier: MPL-2.0
 * gesso-result.c - one picture of the filmstrip.
 */
#include "app/canvas/gesso-result.h"

struct _GessoResult
{
  GObject parent_instance;

  char *path, *label;
  GdkPaintable *paintable;
  gboolean starred, kept, live;
  double progress;
  GessoRect where;
};

G_DEFINE_FINAL_TYPE (GessoResult, gesso_result, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_PATH,
  PROP_LABEL,
  PROP_PAINTABLE,
  PROP_STARRED,
  PROP_KEPT,
  PROP_LIVE,
  PROP_PROGRESS,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

static void
set_text (GessoResult *self, char **field, const char *text, int prop)
{
  if (g_strcmp0 (*field, text) == 0)
    return;
  g_free (*field);
  *field = g_strdup (text);
  g_object_notify_by_pspec (G_OBJECT (self), props[prop]);
}

static void
set_flag (GessoResult *self, gboolean *field, gboolean value, int prop)
{
  if (*field == !!value)
    return;
  *field = !!value;
  g_object_notify_by_pspec (G_OBJECT (self), props[prop]);
}

const char *
gesso_result_get_path (GessoResult *self)
{
  g_return_val_if_fail (GESSO_IS_RESULT (self), NULL);
  return self->path;
}

GdkPaintable *
gesso_result_get_paintable (GessoResult *self)
{
  g_return_val_if_fail (GESSO_IS_RESULT (self), NULL);
  return self->paintable;
}

const char *
gesso_result_get_label (GessoResult *self)
{
  g_return_val_if_fail (GESSO_IS_RESULT (self), NULL);
  return self->label;
}

gboolean
gesso_result_get_starred (GessoResult *self)
{
  g_return_val_if_fail (GESSO_IS_RESULT (self), FALSE);
  return self->starred;
}

gboolean
gesso_result_get_kept (GessoResult *self)
{
  g_return_val_if_fail (GESSO_IS_RESULT (self), FALSE);
  return self->kept;
}

gboolean
gesso_result_get_live (GessoResult *self)
{
  g_return_val_if_fail (GESSO_IS_RESULT (self), FALSE);
  return self->live;
}

double
gesso_result_get_progress (GessoResult *self)
{
  g_return_val_if_fail (GESSO_IS_RESULT (self), 0);
  return self->progress;
}

void
gesso_result_set_path (GessoResult *self, const char *path)
{
  g_return_if_fail (GESSO_IS_RESULT (self));
  set_text (self, &self->path, path, PROP_PATH);
}

void
gesso_result_set_label (GessoResult *self, const char *label)
{
  g_return_if_fail (GESSO_IS_RESULT (self));
  set_text (self, &self->label, label, PROP_LABEL);
}

void
gesso_result_set_paintable (GessoResult *self, GdkPaintable *paintable)
{
  g_return_if_fail (GESSO_IS_RESULT (self));
  g_return_if_fail (!paintable || GDK_IS_PAINTABLE (paintable));
  if (g_set_object (&self->paintable, paintable))
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_PAINTABLE]);
}

void
gesso_result_set_starred (GessoResult *self, gboolean starred)
{
  g_return_if_fail (GESSO_IS_RESULT (self));
  set_flag (self, &self->starred, starred, PROP_STARRED);
}

void
gesso_result_set_kept (GessoResult *self, gboolean kept)
{
  g_return_if_fail (GESSO_IS_RESULT (self));
  set_flag (self, &self->kept, kept, PROP_KEPT);
}

void
gesso_result_set_live (GessoResult *self, gboolean live)
{
  g_return_if_fail (GESSO_IS_RESULT (self));
  set_flag (self, &self->live, live, PROP_LIVE);
}

void
gesso_result_set_progress (GessoResult *self, double progress)
{
  g_return_if_fail (GESSO_IS_RESULT (self));
  progress = CLAMP (progress, 0, 1);
  if (progress == self->progress)
    return;
  self->progress = progress;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_PROGRESS]);
}

GessoRect
gesso_result_get_where (GessoResult *self)
{
  g_return_val_if_fail (GESSO_IS_RESULT (self), (GessoRect){ 0 });
  return self->where;
}

void
gesso_result_set_where (GessoResult *self, const GessoRect *where)
{
  g_return_if_fail (GESSO_IS_RESULT (self));
  self->where = where ? *where : (GessoRect){ 0 };
}

static void
gesso_result_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GessoResult *self = GESSO_RESULT (object);
  switch (id)
    {
    case PROP_PATH:
      g_value_set_string (value, self->path);
      break;
    case PROP_LABEL:
      g_value_set_string (value, self->label);
      break;
    case PROP_PAINTABLE:
      g_value_set_object (value, self->paintable);
      break;
    case PROP_STARRED:
      g_value_set_boolean (value, self->starred);
      break;
    case PROP_KEPT:
      g_value_set_boolean (value, self->kept);
      break;
    case PROP_LIVE:
      g_value_set_boolean (value, self->live);
      break;
    case PROP_PROGRESS:
      g_value_set_double (value, self->progress);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gesso_result_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GessoResult *self = GESSO_RESULT (object);
  switch (id)
    {
    case PROP_PATH:
      gesso_result_set_path (self, g_value_get_string (value));
      break;
    case PROP_LABEL:
      gesso_result_set_label (self, g_value_get_string (value));
      break;
    case PROP_PAINTABLE:
      gesso_result_set_paintable (self, g_value_get_object (value));
      break;
    case PROP_STARRED:
      gesso_result_set_starred (self, g_value_get_boolean (value));
      break;
    case PROP_KEPT:
      gesso_result_set_kept (self, g_value_get_boolean (value));
      break;
    case PROP_LIVE:
      gesso_result_set_live (self, g_value_get_boolean (value));
      break;
    case PROP_PROGRESS:
      gesso_result_set_progress (self, g_value_get_double (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gesso_result_finalize (GObject *object)
{
  GessoResult *self = GESSO_RESULT (object);
  g_free (self->path);
  g_free (self->label);
  g_clear_object (&self->paintable);
  G_OBJECT_CLASS (gesso_result_parent_class)->finalize (object);
}

static void
gesso_result_class_init (GessoResultClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  object_class->get_property = gesso_result_get_property;
  object_class->set_property = gesso_result_set_property;
  object_class->finalize = gesso_result_finalize;
  props[PROP_PATH] = g_param_spec_string ("path", NULL, NULL, NULL, flags);
  props[PROP_LABEL] = g_param_spec_string ("label", NULL, NULL, NULL, flags);
  props[PROP_PAINTABLE] = g_param_spec_object ("paintable", NULL, NULL, GDK_TYPE_PAINTABLE, flags);
  props[PROP_STARRED] = g_param_spec_boolean ("starred", NULL, NULL, FALSE, flags);
  props[PROP_KEPT] = g_param_spec_boolean ("kept", NULL, NULL, FALSE, flags);
  props[PROP_LIVE] = g_param_spec_boolean ("live", NULL, NULL, FALSE, flags);
  props[PROP_PROGRESS] = g_param_spec_double ("progress", NULL, NULL, 0, 1, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
gesso_result_init (GessoResult *self)
{
}

GessoResult *
gesso_result_new (const char *path, GdkPaintable *paintable, const char *label)
{
  return g_object_new (GESSO_TYPE_RESULT, "path", path, "paintable", paintable, "label", label,
                       NULL);
}
