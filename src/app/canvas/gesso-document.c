/* SPDX-License-Identifier: MPL-2.0
 * gesso-document.c - what is on the canvas: a picture, a mask, the generation frame, their history.
 *
 * Every change of pixels goes the same way: end the stroke, make a step, exchange tiles, push the
 * step, tell.  Slow work (decoding, scaling, packing) happens in gesso-document-async.c on copies
 * of the state and arrives here as a patch of finished tiles.
 */
#include "app/canvas/gesso-document-private.h"

enum
{
  SPILL_BYTES = 4 << 20 /* for each idle call: about 2 ms */
};

struct _GessoDocument
{
  GObject parent_instance;

  GessoState state;
  GessoPlane *before; /* the picture before the last result came */
  GessoHistory *history;
  gsize history_bytes; /* construct-time bound */
  guint spill_id;

  GessoMaskBrush *stroke;
  gboolean restoring;                                 /* while its signals are emitted */
  gboolean can_undo, can_redo, has_picture, has_mask; /* as last notified */
};

G_DEFINE_FINAL_TYPE (GessoDocument, gesso_document, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_CAN_UNDO,
  PROP_CAN_REDO,
  PROP_HAS_PICTURE,
  PROP_HAS_MASK,
  N_PROPS
};

enum
{
  PICTURE_CHANGED,
  MASK_CHANGED,
  FRAME_CHANGED,
  BOUNDS_CHANGED,
  CHANGED,
  N_SIGNALS
};

static GParamSpec *props[N_PROPS];
static guint signals[N_SIGNALS];

static void
notify_if (GessoDocument *self, gboolean *kept, gboolean now, int prop)
{
  if (*kept == now)
    return;
  *kept = now;
  g_object_notify_by_pspec (G_OBJECT (self), props[prop]);
}

static gboolean
spill_cb (gpointer user_data)
{
  GessoDocument *self = user_data;
  if (gesso_history_spill (self->history, SPILL_BYTES))
    return G_SOURCE_CONTINUE;
  self->spill_id = 0;
  return G_SOURCE_REMOVE;
}

/* After every change, when the state is whole again. */
static void
tell_changed (GessoDocument *self)
{
  if (!self->spill_id && gesso_history_is_over (self->history))
    self->spill_id = g_idle_add_full (G_PRIORITY_LOW, spill_cb, self, NULL);
  notify_if (self, &self->can_undo, gesso_document_can_undo (self), PROP_CAN_UNDO);
  notify_if (self, &self->can_redo, gesso_document_can_redo (self), PROP_CAN_REDO);
  notify_if (self, &self->has_picture, gesso_document_has_picture (self), PROP_HAS_PICTURE);
  notify_if (self, &self->has_mask, gesso_document_has_mask (self), PROP_HAS_MASK);
  g_signal_emit (self, signals[CHANGED], 0);
}

static void
tell_rect (GessoDocument *self, guint signal, const GessoRect *rect)
{
  if (!gesso_rect_is_empty (rect))
    g_signal_emit (self, signals[signal], 0, rect->x, rect->y, rect->width, rect->height);
}

static void
tell (GessoDocument *self, const GessoChanges *changes)
{
  if (changes->bounds)
    g_signal_emit (self, signals[BOUNDS_CHANGED], 0);
  if (changes->frame)
    g_signal_emit (self, signals[FRAME_CHANGED], 0);
  tell_rect (self, PICTURE_CHANGED, &changes->layers[GESSO_LAYER_PICTURE]);
  tell_rect (self, MASK_CHANGED, &changes->layers[GESSO_LAYER_MASK]);
  tell_changed (self);
}

GessoRect
gesso_document_get_bounds (GessoDocument *self)
{
  g_return_val_if_fail (GESSO_IS_DOCUMENT (self), (GessoRect){ 0 });
  return gesso_rect_is_empty (&self->state.bounds) ? self->state.frame : self->state.bounds;
}

gboolean
gesso_document_has_picture (GessoDocument *self)
{
  g_return_val_if_fail (GESSO_IS_DOCUMENT (self), FALSE);
  return gesso_plane_get_n_tiles (self->state.layers[GESSO_LAYER_PICTURE]) > 0;
}

gboolean
gesso_document_has_mask (GessoDocument *self)
{
  g_return_val_if_fail (GESSO_IS_DOCUMENT (self), FALSE);
  return gesso_plane_get_n_tiles (self->state.layers[GESSO_LAYER_MASK]) > 0;
}

gboolean
gesso_document_frame_has_picture (GessoDocument *self)
{
  g_return_val_if_fail (GESSO_IS_DOCUMENT (self), FALSE);
  GessoRect shown = gesso_rect_intersect (&self->state.frame, &self->state.bounds);
  return gesso_plane_has_tile_in (self->state.layers[GESSO_LAYER_PICTURE], &shown);
}

gboolean
gesso_document_frame_has_mask (GessoDocument *self)
{
  g_return_val_if_fail (GESSO_IS_DOCUMENT (self), FALSE);
  return gesso_plane_has_tile_in (self->state.layers[GESSO_LAYER_MASK], &self->state.frame);
}

GessoRect
gesso_document_get_frame (GessoDocument *self)
{
  g_return_val_if_fail (GESSO_IS_DOCUMENT (self), (GessoRect){ 0 });
  return self->state.frame;
}

void
gesso_document_set_frame (GessoDocument *self, const GessoRect *frame)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  g_return_if_fail (frame != NULL);
  GessoRect snapped = gesso_frame_snap (frame);
  if (gesso_rect_equal (&snapped, &self->state.frame))
    return;
  self->state.frame = snapped;
  tell (self,
        &(GessoChanges){ .frame = TRUE, .bounds = gesso_rect_is_empty (&self->state.bounds) });
}

void
gesso_document_set_frame_size (GessoDocument *self, int width, int height)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  const GessoRect *old = &self->state.frame;
  GessoRect f = gesso_frame_snap (&(GessoRect){ old->x, old->y, width, height });
  /* Halves are cut towards zero, or the frame would creep when sizes change back and forth. */
  f.x += (old->width - f.width) / (2 * GESSO_FRAME_GRID) * GESSO_FRAME_GRID;
  f.y += (old->height - f.height) / (2 * GESSO_FRAME_GRID) * GESSO_FRAME_GRID;
  gesso_document_set_frame (self, &f);
}

static void
add_before_cb (int tx, int ty, GessoTile *before, gpointer user_data)
{
  gesso_step_add_tile (user_data, GESSO_LAYER_MASK, tx, ty, before);
}

void
gesso_document_stroke_begin (GessoDocument *self,
                             const GessoBrushShape *shape,
                             gboolean eraser,
                             double x,
                             double y,
                             double pressure)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  gesso_document_stroke_end (self);
  GessoRect clip = gesso_rect_union (&self->state.bounds, &self->state.frame), dirty;
  self->stroke = gesso_mask_brush_begin (self->state.layers[GESSO_LAYER_MASK], &clip, shape, eraser,
                                         x, y, pressure, &dirty);
  tell_rect (self, MASK_CHANGED, &dirty);
}

void
gesso_document_stroke_move (GessoDocument *self, double x, double y, double pressure)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  GessoRect dirty;
  if (!self->stroke)
    return;
  gesso_mask_brush_move (self->stroke, x, y, pressure, &dirty);
  tell_rect (self, MASK_CHANGED, &dirty);
}

void
gesso_document_stroke_end (GessoDocument *self)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  if (!self->stroke)
    return;
  g_autoptr (GessoStep) step = gesso_step_new ();
  g_autoptr (GessoMaskBrush) stroke = g_steal_pointer (&self->stroke);
  gesso_mask_brush_finish (stroke, add_before_cb, step);
  if (gesso_step_is_empty (step))
    return;
  gesso_history_push (self->history, g_steal_pointer (&step));
  tell_changed (self);
}

void
gesso_document_stroke_cancel (GessoDocument *self)
{
  g_return_if_fail (GESSO_IS_DOCUMENT (self));
  GessoRect dirty;
  if (!self->stroke)
    return;
  gesso_mask_brush_cancel (self->stroke, &dirty);
  g_clear_pointer (&self->stroke, gesso_mask_brush_free);
  tell_rect (self, MASK_CHANGED, &dirty);
}

gboolean
gesso_document_is_stroking (GessoDocument *self)
{
  g_return_val_if_fail (GESSO_IS_DOCUMENT (self), FALSE);
  return self->stroke != NULL;
}

GessoState *
gesso_document_begin_edit (GessoDocument *self)
{
  gesso_document_stroke_end (self);
  return &self->state;
}

void
gesso_document_end_edit (GessoDocument *self, GessoStep *step, const GessoChanges *changes)
{
  gesso_history_push (self->history, step);
  tell (self, changes);
}

void
gesso_document_set_before (GessoDocument *self, const GessoPlane *picture)
{
  g_clear_pointer (&self->before, gesso_plane_free);
  self->before = picture ? gesso_plane_copy (picture) : NULL;
}

gboolean
gesso_document_can_undo (GessoDocument *self)
{
  g_return_val_if_fail (GESSO_IS_DOCUMENT (self), FALSE);
  return gesso_history_get_n_undo (self->history) > 0;
}

gboolean
gesso_document_can_redo (GessoDocument *self)
{
  g_return_val_if_fail (GESSO_IS_DOCUMENT (self), FALSE);
  return gesso_history_get_n_redo (self->history) > 0;
}

gboolean
gesso_document_undo (GessoDocument *self, GError **error)
{
  g_return_val_if_fail (GESSO_IS_DOCUMENT (self), FALSE);
  GessoChanges changes;
  gesso_document_stroke_end (self);
  if (!gesso_history_undo (self->history, &self->state, &changes, error))
    return FALSE;
  tell (self, &changes);
  return TRUE;
}

gboolean
gesso_document_redo (GessoDocument *self, GError **error)
{
  g_return_val_if_fail (GESSO_IS_DOCUMENT (self), FALSE);
  GessoChanges changes;
  gesso_document_stroke_end (self);
  if (!gesso_history_redo (self->history, &self->state, &changes, error))
    return FALSE;
  tell (self, &changes);
  return TRUE;
}

void
gesso_document_take_state (GessoDocument *self, GessoState *state)
{
  gesso_document_stroke_cancel (self);
  GessoRect all = gesso_rect_union (&self->state.bounds, &state->bounds);
  all = gesso_rect_union (&all, &self->state.frame);
  all = gesso_rect_union (&all, &state->frame);
  gesso_state_clear (&self->state);
  self->state = *state;
  g_free (state);
  gesso_history_clear (self->history);
  g_clear_pointer (&self->before, gesso_plane_free);
  self->restoring = TRUE;
  tell (self, &(GessoChanges){ { all, all }, TRUE, TRUE });
  self->restoring = FALSE;
}

gboolean
gesso_document_is_restoring (GessoDocument *self)
{
  g_return_val_if_fail (GESSO_IS_DOCUMENT (self), FALSE);
  return self->restoring;
}

const GessoState *
gesso_document_peek_state (GessoDocument *self)
{
  return &self->state;
}

const GessoPlane *
gesso_document_peek_before (GessoDocument *self)
{
  return self->before;
}

const GessoHistory *
gesso_document_peek_history (GessoDocument *self)
{
  return self->history;
}

static void
gesso_document_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GessoDocument *self = GESSO_DOCUMENT (object);
  switch (id)
    {
    case PROP_CAN_UNDO:
      g_value_set_boolean (value, self->can_undo);
      break;
    case PROP_CAN_REDO:
      g_value_set_boolean (value, self->can_redo);
      break;
    case PROP_HAS_PICTURE:
      g_value_set_boolean (value, self->has_picture);
      break;
    case PROP_HAS_MASK:
      g_value_set_boolean (value, self->has_mask);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gesso_document_finalize (GObject *object)
{
  GessoDocument *self = GESSO_DOCUMENT (object);
  g_clear_handle_id (&self->spill_id, g_source_remove);
  g_clear_pointer (&self->stroke, gesso_mask_brush_free);
  g_clear_pointer (&self->before, gesso_plane_free);
  g_clear_pointer (&self->history, gesso_history_free);
  gesso_state_clear (&self->state);
  G_OBJECT_CLASS (gesso_document_parent_class)->finalize (object);
}

static guint
new_signal (const char *name, guint n_params)
{
  return g_signal_new (name, GESSO_TYPE_DOCUMENT, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                       G_TYPE_NONE, n_params, G_TYPE_INT, G_TYPE_INT, G_TYPE_INT, G_TYPE_INT);
}

static void
gesso_document_class_init (GessoDocumentClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  object_class->get_property = gesso_document_get_property;
  object_class->finalize = gesso_document_finalize;
  static const char *const names[N_PROPS] = { NULL, "can-undo", "can-redo", "has-picture",
                                              "has-mask" };
  for (int i = 1; i < N_PROPS; i++)
    props[i] = g_param_spec_boolean (names[i], NULL, NULL, FALSE,
                                     G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, props);
  signals[PICTURE_CHANGED] = new_signal ("picture-changed", 4);
  signals[MASK_CHANGED] = new_signal ("mask-changed", 4);
  signals[FRAME_CHANGED] = new_signal ("frame-changed", 0);
  signals[BOUNDS_CHANGED] = new_signal ("bounds-changed", 0);
  signals[CHANGED] = new_signal ("changed", 0);
}

static void
gesso_document_init (GessoDocument *self)
{
  gesso_state_init (&self->state);
}

GessoDocument *
gesso_document_new_with_memory (gsize history_bytes)
{
  GessoDocument *self = g_object_new (GESSO_TYPE_DOCUMENT, NULL);
  self->history = gesso_history_new (history_bytes);
  return self;
}

GessoDocument *
gesso_document_new (void)
{
  return gesso_document_new_with_memory ((gsize) GESSO_HISTORY_MEMORY_MIB << 20);
}
