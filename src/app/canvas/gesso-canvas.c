/* SPDX-License-Identifier: MPL-2.0
 * gesso-canvas.c - the widget that shows a GessoDocument: object, properties, what is visible.
 */
#include "app/canvas/gesso-canvas-private.h"

#include <glib/gi18n.h>
#include <math.h>

#include "app/canvas/gesso-canvas-style.h"
#include "app/gesso-refresh.h"

#define BRUSHES_OF_SIDE 16.0 /* radii beside each other along the frame's shorter side */
#define LEAST_PROPOSED_RADIUS 4.0
#define LARGEST_PROPOSED_RADIUS 32.0
/* Logical pixels around the picture; beside it there is room for the tools. */
#define FIT_MARGIN_X 64
#define FIT_MARGIN_Y 24

G_DEFINE_FINAL_TYPE (GessoCanvas, gesso_canvas, GTK_TYPE_WIDGET)

enum
{
  PROP_0,
  PROP_DOCUMENT,
  PROP_TOOL,
  PROP_BRUSH_RADIUS,
  PROP_BRUSH_SOFTNESS,
  PROP_PRESSURE_SOFTNESS,
  PROP_FINGER_PAINTS,
  PROP_ZOOM,
  PROP_SHOW_MASK,
  PROP_COMPARING,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

int
gesso_canvas_scale (GessoCanvas *self)
{
  return gtk_widget_get_scale_factor (GTK_WIDGET (self));
}

/* Where this is and how it is shown, for those who cannot see it. */
static void
describe (GessoCanvas *self)
{
  if (!self->document)
    return;
  GessoRect b = gesso_document_get_bounds (self->document);
  GessoRect f = gesso_document_get_frame (self->document);
  self->described_zoom = self->view.zoom;
  g_autoptr (GString) text = g_string_new (NULL);
  if (gesso_document_has_picture (self->document))
    g_string_append_printf (text, _ ("Picture %d × %d. "), b.width, b.height);
  else
    g_string_append (text, _ ("No picture yet. "));
  g_string_append_printf (text, _ ("Frame %d × %d at %d, %d. "), f.width, f.height, f.x, f.y);
  if (gesso_document_has_mask (self->document))
    g_string_append (text, _ ("Part of it is masked. "));
  g_string_append_printf (text, _ ("Zoom %d %%."), (int) lrint (self->view.zoom * 100));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _ ("Canvas"), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, text->str, -1);
}

void
gesso_canvas_view_changed (GessoCanvas *self, gboolean by_user)
{
  if (by_user)
    self->fitted = FALSE;
  /* Panning says nothing new, and says it sixty times a second. */
  if (self->view.zoom != self->described_zoom)
    describe (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_ZOOM]);
}

gboolean
gesso_canvas_can_compare (GessoCanvas *self)
{
  return self->result.texture || gesso_document_peek_before (self->document);
}

GessoRect
gesso_canvas_overlay_rect (GessoCanvas *self, const GessoOverlay *overlay)
{
  return gesso_rect_is_empty (&overlay->where) ? gesso_document_get_frame (self->document)
                                               : overlay->where;
}

double
gesso_canvas_divider_x (GessoCanvas *self)
{
  return round (self->divider * gtk_widget_get_width (GTK_WIDGET (self)));
}

void
gesso_canvas_fail (GessoCanvas *self, const char *message)
{
  g_signal_emit_by_name (self, "failed", message);
}

GessoDocument *
gesso_canvas_get_document (GessoCanvas *self)
{
  g_return_val_if_fail (GESSO_IS_CANVAS (self), NULL);
  return self->document;
}

GActionGroup *
gesso_canvas_get_actions (GessoCanvas *self)
{
  g_return_val_if_fail (GESSO_IS_CANVAS (self), NULL);
  return G_ACTION_GROUP (self->actions);
}

GessoTool
gesso_canvas_get_tool (GessoCanvas *self)
{
  g_return_val_if_fail (GESSO_IS_CANVAS (self), GESSO_TOOL_MOVE);
  return self->tool;
}

void
gesso_canvas_set_tool (GessoCanvas *self, GessoTool tool)
{
  g_return_if_fail (GESSO_IS_CANVAS (self));
  g_return_if_fail (tool < GESSO_N_TOOLS);
  if (tool == self->tool)
    return;
  gesso_canvas_stroke_end (self);
  self->tool = tool;
  gesso_canvas_update_actions (self);
  gesso_canvas_update_cursor (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_TOOL]);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_COMPARING]);
}

double
gesso_canvas_get_brush_radius (GessoCanvas *self)
{
  g_return_val_if_fail (GESSO_IS_CANVAS (self), 0);
  return self->brush.radius;
}

void
gesso_canvas_set_brush_radius (GessoCanvas *self, double radius)
{
  g_return_if_fail (GESSO_IS_CANVAS (self));
  radius = CLAMP (radius, 1, GESSO_BRUSH_MAX_RADIUS);
  if (radius == self->brush.radius)
    return;
  self->brush.radius = radius;
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_BRUSH_RADIUS]);
}

double
gesso_canvas_get_brush_softness (GessoCanvas *self)
{
  g_return_val_if_fail (GESSO_IS_CANVAS (self), 0);
  return self->brush.softness;
}

void
gesso_canvas_set_brush_softness (GessoCanvas *self, double softness)
{
  g_return_if_fail (GESSO_IS_CANVAS (self));
  softness = CLAMP (softness, 0, 1);
  if (softness == self->brush.softness)
    return;
  self->brush.softness = softness;
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_BRUSH_SOFTNESS]);
}

static void
set_show_mask (GessoCanvas *self, gboolean show)
{
  if (show == self->show_mask)
    return;
  self->show_mask = show;
  self->mask_rests = FALSE;
  gesso_canvas_update_actions (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_SHOW_MASK]);
}

void
gesso_canvas_set_peeking (GessoCanvas *self, gboolean peeking)
{
  if (peeking == self->peeking)
    return;
  self->peeking = peeking;
  gesso_canvas_update_actions (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_COMPARING]);
}

void
gesso_canvas_set_divider (GessoCanvas *self, double divider)
{
  self->divider = CLAMP (divider, 0, 1);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

double
gesso_canvas_get_zoom (GessoCanvas *self)
{
  g_return_val_if_fail (GESSO_IS_CANVAS (self), 1);
  return self->view.zoom;
}

void
gesso_canvas_zoom_at (GessoCanvas *self, double zoom, double x, double y)
{
  g_return_if_fail (GESSO_IS_CANVAS (self));
  int scale = gesso_canvas_scale (self);
  gesso_viewport_zoom_at (&self->view, zoom, x * scale, y * scale);
  /* At whole zooms the document's pixels are the device's: exact, not smoothed. */
  if (self->view.zoom == floor (self->view.zoom))
    {
      self->view.x = round (self->view.x);
      self->view.y = round (self->view.y);
    }
  gesso_canvas_view_changed (self, TRUE);
}

static void
fit_now (GessoCanvas *self)
{
  GessoRect bounds = gesso_document_get_bounds (self->document);
  GessoRect frame = gesso_document_get_frame (self->document);
  GessoRect all = gesso_rect_union (&bounds, &frame);
  int scale = gesso_canvas_scale (self);
  gesso_viewport_fit (&self->view, &all, FIT_MARGIN_X * scale, FIT_MARGIN_Y * scale);
}

void
gesso_canvas_fit (GessoCanvas *self)
{
  g_return_if_fail (GESSO_IS_CANVAS (self));
  self->fitted = TRUE;
  fit_now (self);
  gesso_canvas_view_changed (self, FALSE);
}

void
gesso_canvas_pan (GessoCanvas *self, double dx, double dy)
{
  g_return_if_fail (GESSO_IS_CANVAS (self));
  int scale = gesso_canvas_scale (self);
  self->view.x += dx * scale;
  self->view.y += dy * scale;
  gesso_canvas_view_changed (self, TRUE);
}

void
gesso_canvas_to_document (GessoCanvas *self, double x, double y, double *doc_x, double *doc_y)
{
  int scale = gesso_canvas_scale (self);
  *doc_x = (x * scale - self->view.x) / self->view.zoom;
  *doc_y = (y * scale - self->view.y) / self->view.zoom;
}

void
gesso_canvas_to_widget (GessoCanvas *self, double doc_x, double doc_y, double *x, double *y)
{
  int scale = gesso_canvas_scale (self);
  *x = (doc_x * self->view.zoom + self->view.x) / scale;
  *y = (doc_y * self->view.zoom + self->view.y) / scale;
}

static void
set_overlay (GessoCanvas *self, GessoOverlay *overlay, GdkTexture *texture, const GessoRect *where)
{
  g_set_object (&overlay->texture, texture);
  overlay->where = where ? *where : (GessoRect){ 0 };
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

void
gesso_canvas_wake_mask (GessoCanvas *self)
{
  if (self->mask_rests)
    gtk_widget_queue_draw (GTK_WIDGET (self));
  self->mask_rests = FALSE;
}

gboolean
gesso_canvas_shows_mask (GessoCanvas *self)
{
  gboolean covers = self->mask_rests && (self->result.texture || self->preview.texture);
  return self->show_mask && !covers && !self->peeking && self->tool != GESSO_TOOL_COMPARE;
}

void
gesso_canvas_set_preview (
    GessoCanvas *self, GBytes *rgb, int width, int height, const GessoRect *where)
{
  g_return_if_fail (GESSO_IS_CANVAS (self));
  g_return_if_fail (rgb != NULL && width > 0 && height > 0);
  g_return_if_fail (g_bytes_get_size (rgb) >= (gsize) width * (gsize) height * 3);
  g_autoptr (GdkTexture) texture =
      gdk_memory_texture_new (width, height, GDK_MEMORY_R8G8B8, rgb, (gsize) width * 3);
  self->mask_rests |= !self->preview.texture;
  set_overlay (self, &self->preview, texture, where);
}

void
gesso_canvas_clear_preview (GessoCanvas *self)
{
  g_return_if_fail (GESSO_IS_CANVAS (self));
  set_overlay (self, &self->preview, NULL, NULL);
}

void
gesso_canvas_set_result (GessoCanvas *self, GdkTexture *result, const GessoRect *where)
{
  g_return_if_fail (GESSO_IS_CANVAS (self));
  g_return_if_fail (!result || GDK_IS_TEXTURE (result));
  self->mask_rests |= result != self->result.texture;
  set_overlay (self, &self->result, result, where);
  gesso_canvas_update_actions (self);
}

void
gesso_canvas_stroke_begin (GessoCanvas *self, double x, double y, double pressure, gboolean eraser)
{
  g_return_if_fail (GESSO_IS_CANVAS (self));
  gesso_canvas_wake_mask (self);
  gesso_document_stroke_begin (self->document, &self->brush, eraser, x, y, pressure);
}

void
gesso_canvas_stroke_move (GessoCanvas *self, double x, double y, double pressure)
{
  g_return_if_fail (GESSO_IS_CANVAS (self));
  gesso_document_stroke_move (self->document, x, y, pressure);
}

void
gesso_canvas_stroke_end (GessoCanvas *self)
{
  g_return_if_fail (GESSO_IS_CANVAS (self));
  gesso_document_stroke_end (self->document);
}

void
gesso_canvas_stroke_cancel (GessoCanvas *self)
{
  g_return_if_fail (GESSO_IS_CANVAS (self));
  gesso_document_stroke_cancel (self->document);
}

static void
picture_changed_cb (GessoDocument *document, int x, int y, int width, int height, GessoCanvas *self)
{
  GessoRect rect = { x, y, width, height };
  gesso_tile_cache_invalidate (self->picture, &rect);
  gesso_tile_cache_invalidate (self->before, NULL);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
mask_changed_cb (GessoDocument *document, int x, int y, int width, int height, GessoCanvas *self)
{
  gesso_tile_cache_invalidate (self->mask, &(GessoRect){ x, y, width, height });
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

/* 64 px across are half of a small model's picture. */
static void
propose_brush (GessoCanvas *self)
{
  GessoRect frame = gesso_document_get_frame (self->document);
  double radius = CLAMP (MIN (frame.width, frame.height) / BRUSHES_OF_SIDE, LEAST_PROPOSED_RADIUS,
                         LARGEST_PROPOSED_RADIUS);
  gboolean chosen = self->brush.radius != self->proposed_radius;
  self->proposed_radius = radius;
  if (!chosen)
    gesso_canvas_set_brush_radius (self, radius);
}

static void
shape_changed_cb (GessoDocument *document, GessoCanvas *self)
{
  propose_brush (self);
  describe (self);
  if (self->fitted)
    fit_now (self);
  gesso_canvas_view_changed (self, FALSE);
}

static void
changed_cb (GessoDocument *document, GessoCanvas *self)
{
  describe (self);
  gesso_canvas_update_actions (self);
}

static void
set_document (GessoCanvas *self, GessoDocument *document)
{
  self->document = g_object_ref (document);
  g_signal_connect_object (document, "picture-changed", G_CALLBACK (picture_changed_cb), self, 0);
  g_signal_connect_object (document, "mask-changed", G_CALLBACK (mask_changed_cb), self, 0);
  g_signal_connect_object (document, "bounds-changed", G_CALLBACK (shape_changed_cb), self, 0);
  g_signal_connect_object (document, "frame-changed", G_CALLBACK (shape_changed_cb), self, 0);
  g_signal_connect_object (document, "changed", G_CALLBACK (changed_cb), self, 0);
}

static void
gesso_canvas_constructed (GObject *object)
{
  GessoCanvas *self = GESSO_CANVAS (object);
  G_OBJECT_CLASS (gesso_canvas_parent_class)->constructed (object);
  if (!self->document)
    {
      g_autoptr (GessoDocument) document = gesso_document_new ();
      set_document (self, document);
    }
  gesso_canvas_update_actions (self);
  gesso_canvas_update_cursor (self);
  describe (self);
}

static void
tell_view (GtkWidget *widget)
{
  gesso_canvas_view_changed (GESSO_CANVAS (widget), FALSE);
}

static void
gesso_canvas_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  GessoCanvas *self = GESSO_CANVAS (widget);
  int scale = gesso_canvas_scale (self);
  double dx = (width * scale - self->view.width) / 2.0;
  double dy = (height * scale - self->view.height) / 2.0;
  self->view.width = width * scale;
  self->view.height = height * scale;
  double zoom = self->view.zoom;
  if (self->fitted)
    fit_now (self);
  else
    {
      /* What was in the middle stays there. */
      self->view.x = round (self->view.x + dx);
      self->view.y = round (self->view.y + dy);
    }
  /* Who shows the zoom may not ask for another size while sizes are given out. */
  if (self->view.zoom != zoom)
    gesso_refresh_queue (widget, tell_view);
  gtk_popover_present (GTK_POPOVER (self->menu));
}

static void
gesso_canvas_measure (GtkWidget *widget,
                      GtkOrientation orientation,
                      int for_size,
                      int *minimum,
                      int *natural,
                      int *minimum_baseline,
                      int *natural_baseline)
{
  *minimum = 64;
  *natural = 512;
}

static void
gesso_canvas_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GessoCanvas *self = GESSO_CANVAS (object);
  switch (id)
    {
    case PROP_DOCUMENT:
      g_value_set_object (value, self->document);
      break;
    case PROP_TOOL:
      g_value_set_uint (value, self->tool);
      break;
    case PROP_BRUSH_RADIUS:
      g_value_set_double (value, self->brush.radius);
      break;
    case PROP_BRUSH_SOFTNESS:
      g_value_set_double (value, self->brush.softness);
      break;
    case PROP_PRESSURE_SOFTNESS:
      g_value_set_boolean (value, self->brush.pressure_softness);
      break;
    case PROP_FINGER_PAINTS:
      g_value_set_boolean (value, self->finger_paints);
      break;
    case PROP_ZOOM:
      g_value_set_double (value, self->view.zoom);
      break;
    case PROP_SHOW_MASK:
      g_value_set_boolean (value, self->show_mask);
      break;
    case PROP_COMPARING:
      g_value_set_boolean (value, self->peeking || self->tool == GESSO_TOOL_COMPARE);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gesso_canvas_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GessoCanvas *self = GESSO_CANVAS (object);
  switch (id)
    {
    case PROP_DOCUMENT:
      if (g_value_get_object (value))
        set_document (self, g_value_get_object (value));
      break;
    case PROP_TOOL:
      gesso_canvas_set_tool (self, (GessoTool) g_value_get_uint (value));
      break;
    case PROP_BRUSH_RADIUS:
      gesso_canvas_set_brush_radius (self, g_value_get_double (value));
      break;
    case PROP_BRUSH_SOFTNESS:
      gesso_canvas_set_brush_softness (self, g_value_get_double (value));
      break;
    case PROP_PRESSURE_SOFTNESS:
      self->brush.pressure_softness = g_value_get_boolean (value);
      break;
    case PROP_FINGER_PAINTS:
      self->finger_paints = g_value_get_boolean (value);
      break;
    case PROP_SHOW_MASK:
      set_show_mask (self, g_value_get_boolean (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gesso_canvas_dispose (GObject *object)
{
  GessoCanvas *self = GESSO_CANVAS (object);
  g_cancellable_cancel (self->loading);
  g_clear_object (&self->loading);
  if (self->again_id)
    gtk_widget_remove_tick_callback (GTK_WIDGET (self), self->again_id);
  self->again_id = 0;
  if (self->document)
    gesso_document_stroke_end (self->document);
  g_clear_object (&self->preview.texture);
  g_clear_object (&self->result.texture);
  g_clear_pointer (&self->menu, gtk_widget_unparent);
  g_clear_object (&self->menu_model);
  g_clear_object (&self->result_menu);
  G_OBJECT_CLASS (gesso_canvas_parent_class)->dispose (object);
}

static void
gesso_canvas_finalize (GObject *object)
{
  GessoCanvas *self = GESSO_CANVAS (object);
  g_clear_object (&self->actions);
  g_clear_object (&self->document);
  gesso_tile_cache_free (self->picture);
  gesso_tile_cache_free (self->before);
  gesso_tile_cache_free (self->mask);
  G_OBJECT_CLASS (gesso_canvas_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass *object_class)
{
  const GParamFlags rw = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  const GParamFlags r = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  props[PROP_DOCUMENT] =
      g_param_spec_object ("document", NULL, NULL, GESSO_TYPE_DOCUMENT,
                           G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);
  props[PROP_TOOL] =
      g_param_spec_uint ("tool", NULL, NULL, 0, GESSO_N_TOOLS - 1, GESSO_TOOL_MOVE, rw);
  props[PROP_BRUSH_RADIUS] =
      g_param_spec_double ("brush-radius", NULL, NULL, 1, GESSO_BRUSH_MAX_RADIUS, 32, rw);
  props[PROP_BRUSH_SOFTNESS] = g_param_spec_double ("brush-softness", NULL, NULL, 0, 1, 0.3, rw);
  props[PROP_PRESSURE_SOFTNESS] = g_param_spec_boolean ("pressure-softness", NULL, NULL, FALSE,
                                                        G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  props[PROP_FINGER_PAINTS] = g_param_spec_boolean ("finger-paints", NULL, NULL, FALSE,
                                                    G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  props[PROP_ZOOM] = g_param_spec_double ("zoom", NULL, NULL, GESSO_ZOOM_MIN, GESSO_ZOOM_MAX, 1, r);
  props[PROP_SHOW_MASK] = g_param_spec_boolean ("show-mask", NULL, NULL, TRUE, rw);
  props[PROP_COMPARING] = g_param_spec_boolean ("comparing", NULL, NULL, FALSE, r);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
install_signals (void)
{
  static const char *const plain[] = { "keep-result",     "discard-result", "star-result",
                                       "previous-result", "next-result",    "toggle-panes" };
  for (gsize i = 0; i < G_N_ELEMENTS (plain); i++)
    g_signal_new (plain[i], GESSO_TYPE_CANVAS, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                  0);
  g_signal_new ("failed", GESSO_TYPE_CANVAS, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                G_TYPE_STRING);
  g_signal_new ("picture-dropped", GESSO_TYPE_CANVAS, G_SIGNAL_RUN_LAST, 0,
                g_signal_accumulator_true_handled, NULL, NULL, G_TYPE_BOOLEAN, 3, G_TYPE_FILE,
                GDK_TYPE_TEXTURE, G_TYPE_UINT);
  g_signal_new ("picture-loaded", GESSO_TYPE_CANVAS, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 0);
  g_signal_new ("files-dropped", GESSO_TYPE_CANVAS, G_SIGNAL_RUN_LAST, 0,
                g_signal_accumulator_true_handled, NULL, NULL, G_TYPE_BOOLEAN, 1,
                GDK_TYPE_FILE_LIST);
}

static void
gesso_canvas_class_init (GessoCanvasClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  object_class->constructed = gesso_canvas_constructed;
  object_class->get_property = gesso_canvas_get_property;
  object_class->set_property = gesso_canvas_set_property;
  object_class->dispose = gesso_canvas_dispose;
  object_class->finalize = gesso_canvas_finalize;
  widget_class->snapshot = gesso_canvas_snapshot;
  widget_class->size_allocate = gesso_canvas_size_allocate;
  widget_class->measure = gesso_canvas_measure;
  gtk_widget_class_set_css_name (widget_class, "gessocanvas");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
  install_properties (object_class);
  install_signals ();
}

static void
gesso_canvas_init (GessoCanvas *self)
{
  gesso_canvas_style_ensure ();
  self->view = (GessoViewport){ .zoom = 1 };
  self->fitted = TRUE;
  self->proposed_radius = LARGEST_PROPOSED_RADIUS;
  self->brush = (GessoBrushShape){ .radius = LARGEST_PROPOSED_RADIUS, .softness = 0.3 };
  self->show_mask = TRUE;
  self->divider = 0.5;
  self->picture = gesso_tile_cache_new (GESSO_LAYER_PICTURE);
  self->before = gesso_tile_cache_new (GESSO_LAYER_PICTURE);
  self->mask = gesso_tile_cache_new (GESSO_LAYER_MASK);
  gtk_widget_set_focusable (GTK_WIDGET (self), TRUE);
  gtk_widget_set_hexpand (GTK_WIDGET (self), TRUE);
  gtk_widget_set_vexpand (GTK_WIDGET (self), TRUE);
  gtk_widget_set_overflow (GTK_WIDGET (self), GTK_OVERFLOW_HIDDEN);
  gesso_canvas_init_input (self);
  gesso_canvas_init_actions (self);
  gesso_canvas_init_keys (self);
  gesso_canvas_init_drop (self);
  gesso_canvas_init_menu (self);
}

GtkWidget *
gesso_canvas_new (GessoDocument *document)
{
  return g_object_new (GESSO_TYPE_CANVAS, "document", document, NULL);
}
