/* SPDX-License-Identifier: MPL-2.0
 * gesso-picture-view.c - a picture with zoom and pan, or two with a divider between them.
 *
 * The view is (fit) or (zoom, centre), the centre as a fraction of the picture, so that both
 * pictures of a comparison show the same place whatever their sizes are.
 */
#include "app/gallery/gesso-picture-view.h"

#include <math.h>

#include "app/gesso-compat.h"

#define ZOOM_MAX 32.0
#define ZOOM_MIN 0.01
#define ZOOM_FIT_MAX 4.0 /* device px a px of the picture, whole ones: as on the canvas */
#define WHEEL_FACTOR 1.2
#define GRAB_WIDTH 12 /* px on either side of the divider */

struct _GessoPictureView
{
  GtkWidget parent_instance;
  GessoPictureSlot *slots[2];
  GessoViewMode mode;
  gboolean fit;
  double zoom;    /* widget px a px of the first picture, unless @fit */
  double cx, cy;  /* fraction of the picture in the middle of the area */
  double divider; /* fraction of the width */
  double pointer_x, pointer_y;
  double drag_cx, drag_cy, drag_divider, pinch_zoom;
  gboolean drags_divider;
  guint resized_idle;
};

G_DEFINE_FINAL_TYPE (GessoPictureView, gesso_picture_view, GTK_TYPE_WIDGET)

static guint view_changed_signal;

/* ---- geometry ---- */

static void
changed (GessoPictureView *self)
{
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_signal_emit (self, view_changed_signal, 0);
}

static GessoPixels *
pixels_of (GessoPictureView *self, int i)
{
  return self->slots[i] ? gesso_picture_slot_get_pixels (self->slots[i]) : NULL;
}

/* The part of the widget that belongs to picture @i. */
static graphene_rect_t
area_of (GessoPictureView *self, int i)
{
  float width = (float) gtk_widget_get_width (GTK_WIDGET (self));
  float height = (float) gtk_widget_get_height (GTK_WIDGET (self));
  float at = width * (float) self->divider;
  if (self->mode != GESSO_VIEW_SIDES)
    return GRAPHENE_RECT_INIT (0, 0, width, height);
  return i == 0 ? GRAPHENE_RECT_INIT (0, 0, at, height)
                : GRAPHENE_RECT_INIT (at, 0, width - at, height);
}

static double
fit_zoom (GessoPictureView *self, const graphene_rect_t *area, int width, int height)
{
  double scale = gtk_widget_get_scale_factor (GTK_WIDGET (self));
  double zoom =
      scale * MIN ((double) area->size.width / width, (double) area->size.height / height);
  return (zoom < 1 ? zoom : floor (MIN (zoom, ZOOM_FIT_MAX))) / scale;
}

/* Widget px a px of the first picture.  Side by side both fit into the smaller half. */
static double
current_zoom (GessoPictureView *self)
{
  GessoPixels *pixels = pixels_of (self, 0);
  if (!self->fit || !pixels)
    return self->zoom;
  graphene_rect_t a = area_of (self, 0), b = area_of (self, 1);
  graphene_rect_t *area = b.size.width < a.size.width ? &b : &a;
  return MAX (
      fit_zoom (self, area, gesso_pixels_get_width (pixels), gesso_pixels_get_height (pixels)),
      ZOOM_MIN / 10);
}

/* Keeps the picture from being pushed out of sight; centred while it is smaller than the area. */
static double
clamp_centre (double centre, double length, double area)
{
  if (length <= area)
    return 0.5;
  double margin = area / length / 2;
  return CLAMP (centre, margin, 1 - margin);
}

/* Where the first picture goes in its area, or the second so that it covers the same place. */
static graphene_rect_t
place (GessoPictureView *self, int i)
{
  graphene_rect_t area = area_of (self, i);
  GessoPixels *first = pixels_of (self, 0), *pixels = pixels_of (self, i);
  GessoPixels *size = first ? first : pixels;
  double zoom = current_zoom (self);
  double w = gesso_pixels_get_width (size) * zoom, h = gesso_pixels_get_height (size) * zoom;
  double own_w = gesso_pixels_get_width (pixels), own_h = gesso_pixels_get_height (pixels);
  double own = MIN (w / own_w, h / own_h);
  w = own_w * own;
  h = own_h * own;
  double cx = clamp_centre (self->cx, w, (double) area.size.width);
  double cy = clamp_centre (self->cy, h, (double) area.size.height);
  return GRAPHENE_RECT_INIT (
      (float) ((double) area.origin.x + (double) area.size.width / 2 - cx * w),
      (float) ((double) area.origin.y + (double) area.size.height / 2 - cy * h), (float) w,
      (float) h);
}

static void
zoom_at (GessoPictureView *self, double factor, double x, double y)
{
  GessoPixels *pixels = pixels_of (self, 0);
  if (!pixels)
    return;
  gboolean second = self->mode == GESSO_VIEW_SIDES &&
                    x > self->divider * gtk_widget_get_width (GTK_WIDGET (self)) &&
                    pixels_of (self, 1);
  graphene_rect_t area = area_of (self, second), at = place (self, second);
  double fx = (x - (double) at.origin.x) / (double) at.size.width;
  double fy = (y - (double) at.origin.y) / (double) at.size.height;
  self->zoom = CLAMP (current_zoom (self) * factor, ZOOM_MIN, ZOOM_MAX);
  self->fit = FALSE;
  at = place (self, second); /* for its new size */
  double mx = (double) area.origin.x + (double) area.size.width / 2;
  double my = (double) area.origin.y + (double) area.size.height / 2;
  self->cx = clamp_centre (fx + (mx - x) / (double) at.size.width, (double) at.size.width,
                           (double) area.size.width);
  self->cy = clamp_centre (fy + (my - y) / (double) at.size.height, (double) at.size.height,
                           (double) area.size.height);
  changed (self);
}

/* From (cx, cy) by (dx, dy) widget px. */
static void
pan_from (GessoPictureView *self, double cx, double cy, double dx, double dy)
{
  if (!pixels_of (self, 0))
    return;
  graphene_rect_t area = area_of (self, 0), at = place (self, 0);
  self->cx = clamp_centre (cx - dx / (double) at.size.width, (double) at.size.width,
                           (double) area.size.width);
  self->cy = clamp_centre (cy - dy / (double) at.size.height, (double) at.size.height,
                           (double) area.size.height);
  changed (self);
}

/* ---- drawing ---- */

/* Device pixels a pixel of the frame. */
static double
frame_zoom (GessoPictureView *self, GdkTexture *frame, const graphene_rect_t *where)
{
  return (double) where->size.width * gtk_widget_get_scale_factor (GTK_WIDGET (self)) /
         gdk_texture_get_width (frame);
}

static void
draw_picture (GessoPictureView *self, GtkSnapshot *snapshot, int i, const graphene_rect_t *clip)
{
  GessoPixels *pixels = pixels_of (self, i);
  if (!pixels || clip->size.width <= 0)
    return;
  graphene_rect_t where = place (self, i);
  GdkTexture *frame = gesso_picture_slot_get_frame (self->slots[i]);
  gtk_snapshot_push_clip (snapshot, clip);
  if (frame)
    gesso_compat_append_texture (snapshot, frame, &where, clip, frame_zoom (self, frame, &where),
                                 gesso_compat_is_software (GTK_WIDGET (self)));
  else
    gesso_pixels_snapshot (pixels, snapshot, &where, clip, GTK_WIDGET (self));
  gtk_snapshot_pop (snapshot);
}

static void
draw_divider (GtkSnapshot *snapshot, float x, float height)
{
  const GdkRGBA white = { 1, 1, 1, 1 }, black = { 0, 0, 0, 1 };
  gtk_snapshot_append_color (snapshot, &black, &GRAPHENE_RECT_INIT (x - 2, 0, 4, height));
  gtk_snapshot_append_color (snapshot, &white, &GRAPHENE_RECT_INIT (x - 1, 0, 2, height));
  GskRoundedRect handle;
  graphene_rect_t bounds = GRAPHENE_RECT_INIT (x - 6, height / 2 - 24, 12, 48);
  gsk_rounded_rect_init_from_rect (&handle, &bounds, 6);
  gtk_snapshot_push_rounded_clip (snapshot, &handle);
  gtk_snapshot_append_color (snapshot, &white, &bounds);
  gtk_snapshot_append_color (snapshot, &black, &GRAPHENE_RECT_INIT (x - 3, height / 2 - 14, 2, 28));
  gtk_snapshot_append_color (snapshot, &black, &GRAPHENE_RECT_INIT (x + 1, height / 2 - 14, 2, 28));
  gtk_snapshot_pop (snapshot);
}

static void
gesso_picture_view_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  GessoPictureView *self = GESSO_PICTURE_VIEW (widget);
  float width = (float) gtk_widget_get_width (widget),
        height = (float) gtk_widget_get_height (widget);
  float at = floorf (width * (float) self->divider);
  graphene_rect_t all = GRAPHENE_RECT_INIT (0, 0, width, height);
  if (self->mode == GESSO_VIEW_ONE)
    {
      draw_picture (self, snapshot, 0, &all);
      return;
    }
  graphene_rect_t left = GRAPHENE_RECT_INIT (0, 0, at, height);
  graphene_rect_t right = GRAPHENE_RECT_INIT (at, 0, width - at, height);
  draw_picture (self, snapshot, 0, &left);
  draw_picture (self, snapshot, 1, &right);
  draw_divider (snapshot, at, height);
}

/* ---- input ---- */

static gboolean
is_on_divider (GessoPictureView *self, double x)
{
  return self->mode != GESSO_VIEW_ONE &&
         fabs (x - self->divider * gtk_widget_get_width (GTK_WIDGET (self))) <= GRAB_WIDTH;
}

static gboolean
scroll_cb (GtkEventControllerScroll *scroll, double dx, double dy, gpointer user_data)
{
  GessoPictureView *self = user_data;
  GdkModifierType state =
      gtk_event_controller_get_current_event_state (GTK_EVENT_CONTROLLER (scroll));
  gboolean wheel = gtk_event_controller_scroll_get_unit (scroll) == GDK_SCROLL_UNIT_WHEEL;
  if (wheel || (state & GDK_CONTROL_MASK))
    zoom_at (self, pow (WHEEL_FACTOR, wheel ? -dy : -dy / 20), self->pointer_x, self->pointer_y);
  else
    pan_from (self, self->cx, self->cy, -dx, -dy);
  return TRUE;
}

static void
motion_cb (GtkEventControllerMotion *motion, double x, double y, gpointer user_data)
{
  GessoPictureView *self = user_data;
  self->pointer_x = x;
  self->pointer_y = y;
  gtk_widget_set_cursor_from_name (GTK_WIDGET (self),
                                   is_on_divider (self, x) ? "col-resize" : NULL);
}

static void
drag_begin_cb (GtkGestureDrag *drag, double x, double y, gpointer user_data)
{
  GessoPictureView *self = user_data;
  gtk_widget_grab_focus (GTK_WIDGET (self));
  self->drags_divider = is_on_divider (self, x);
  self->drag_divider = self->divider;
  self->drag_cx = self->cx;
  self->drag_cy = self->cy;
}

static void
drag_update_cb (GtkGestureDrag *drag, double dx, double dy, gpointer user_data)
{
  GessoPictureView *self = user_data;
  int width = MAX (1, gtk_widget_get_width (GTK_WIDGET (self)));
  if (self->drags_divider)
    gesso_picture_view_set_divider (self, self->drag_divider + dx / width);
  else
    pan_from (self, self->drag_cx, self->drag_cy, dx, dy);
}

static void
pinch_begin_cb (GtkGesture *gesture, GdkEventSequence *sequence, gpointer user_data)
{
  GessoPictureView *self = user_data;
  self->pinch_zoom = current_zoom (self);
}

static void
pinch_cb (GtkGestureZoom *gesture, double scale, gpointer user_data)
{
  GessoPictureView *self = user_data;
  double x = self->pointer_x, y = self->pointer_y;
  gtk_gesture_get_bounding_box_center (GTK_GESTURE (gesture), &x, &y);
  zoom_at (self, self->pinch_zoom * scale / current_zoom (self), x, y);
}

static void
add_controllers (GessoPictureView *self)
{
  GtkWidget *widget = GTK_WIDGET (self);
  GtkEventController *scroll =
      gtk_event_controller_scroll_new (GTK_EVENT_CONTROLLER_SCROLL_BOTH_AXES);
  g_signal_connect (scroll, "scroll", G_CALLBACK (scroll_cb), self);
  gtk_widget_add_controller (widget, scroll);
  GtkEventController *motion = gtk_event_controller_motion_new ();
  g_signal_connect (motion, "motion", G_CALLBACK (motion_cb), self);
  gtk_widget_add_controller (widget, motion);
  GtkGesture *drag = gtk_gesture_drag_new ();
  g_signal_connect (drag, "drag-begin", G_CALLBACK (drag_begin_cb), self);
  g_signal_connect (drag, "drag-update", G_CALLBACK (drag_update_cb), self);
  gtk_widget_add_controller (widget, GTK_EVENT_CONTROLLER (drag));
  GtkGesture *pinch = gtk_gesture_zoom_new ();
  g_signal_connect (pinch, "begin", G_CALLBACK (pinch_begin_cb), self);
  g_signal_connect (pinch, "scale-changed", G_CALLBACK (pinch_cb), self);
  gtk_widget_add_controller (widget, GTK_EVENT_CONTROLLER (pinch));
}

/* ---- the widget ---- */

static gboolean
resized_cb (gpointer data)
{
  GessoPictureView *self = data;
  self->resized_idle = 0;
  changed (self);
  return G_SOURCE_REMOVE;
}

/* What fits has another zoom then; who shows it may want room, which is not to be asked for here.
 */
static void
gesso_picture_view_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  GessoPictureView *self = GESSO_PICTURE_VIEW (widget);
  if (self->fit && !self->resized_idle)
    self->resized_idle = g_idle_add_full (G_PRIORITY_DEFAULT, resized_cb, self, NULL);
}

static void
gesso_picture_view_dispose (GObject *object)
{
  GessoPictureView *self = GESSO_PICTURE_VIEW (object);
  g_clear_handle_id (&self->resized_idle, g_source_remove);
  g_clear_object (&self->slots[0]);
  g_clear_object (&self->slots[1]);
  G_OBJECT_CLASS (gesso_picture_view_parent_class)->dispose (object);
}

static void
gesso_picture_view_class_init (GessoPictureViewClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = gesso_picture_view_dispose;
  widget_class->snapshot = gesso_picture_view_snapshot;
  widget_class->size_allocate = gesso_picture_view_size_allocate;
  gtk_widget_class_set_css_name (widget_class, "pictureview");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
  view_changed_signal = g_signal_new ("view-changed", GESSO_TYPE_PICTURE_VIEW, G_SIGNAL_RUN_LAST, 0,
                                      NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
gesso_picture_view_init (GessoPictureView *self)
{
  GtkWidget *widget = GTK_WIDGET (self);
  self->fit = TRUE;
  self->zoom = 1;
  self->cx = self->cy = self->divider = 0.5;
  gtk_widget_set_focusable (widget, TRUE);
  gtk_widget_set_overflow (widget, GTK_OVERFLOW_HIDDEN);
  gtk_widget_set_hexpand (widget, TRUE);
  gtk_widget_set_vexpand (widget, TRUE);
  add_controllers (self);
}

GtkWidget *
gesso_picture_view_new (GessoPictureSlot *first, GessoPictureSlot *second)
{
  g_return_val_if_fail (GESSO_IS_PICTURE_SLOT (first), NULL);
  GessoPictureView *self = g_object_new (GESSO_TYPE_PICTURE_VIEW, NULL);
  self->slots[0] = g_object_ref (first);
  self->slots[1] = second ? g_object_ref (second) : NULL;
  self->mode = second ? GESSO_VIEW_SIDES : GESSO_VIEW_ONE;
  for (int i = 0; i < 2 && self->slots[i]; i++)
    g_signal_connect_object (self->slots[i], "changed", G_CALLBACK (changed), self,
                             G_CONNECT_SWAPPED);
  return GTK_WIDGET (self);
}

void
gesso_picture_view_set_mode (GessoPictureView *self, GessoViewMode mode)
{
  g_return_if_fail (GESSO_IS_PICTURE_VIEW (self));
  g_return_if_fail (mode == GESSO_VIEW_ONE || self->slots[1]);
  self->mode = mode;
  changed (self);
}

GessoViewMode
gesso_picture_view_get_mode (GessoPictureView *self)
{
  g_return_val_if_fail (GESSO_IS_PICTURE_VIEW (self), GESSO_VIEW_ONE);
  return self->mode;
}

void
gesso_picture_view_fit (GessoPictureView *self)
{
  g_return_if_fail (GESSO_IS_PICTURE_VIEW (self));
  self->fit = TRUE;
  self->cx = self->cy = 0.5;
  changed (self);
}

gboolean
gesso_picture_view_is_fit (GessoPictureView *self)
{
  g_return_val_if_fail (GESSO_IS_PICTURE_VIEW (self), TRUE);
  return self->fit;
}

void
gesso_picture_view_set_original (GessoPictureView *self)
{
  g_return_if_fail (GESSO_IS_PICTURE_VIEW (self));
  self->fit = FALSE;
  self->zoom = 1.0 / gtk_widget_get_scale_factor (GTK_WIDGET (self));
  changed (self);
}

void
gesso_picture_view_zoom_by (GessoPictureView *self, double factor)
{
  g_return_if_fail (GESSO_IS_PICTURE_VIEW (self) && factor > 0);
  graphene_rect_t area = area_of (self, 0);
  zoom_at (self, factor, (double) (area.origin.x + area.size.width / 2),
           (double) (area.origin.y + area.size.height / 2));
}

double
gesso_picture_view_get_zoom (GessoPictureView *self)
{
  g_return_val_if_fail (GESSO_IS_PICTURE_VIEW (self), 0);
  return pixels_of (self, 0) ? current_zoom (self) * gtk_widget_get_scale_factor (GTK_WIDGET (self))
                             : 0;
}

void
gesso_picture_view_set_divider (GessoPictureView *self, double divider)
{
  g_return_if_fail (GESSO_IS_PICTURE_VIEW (self));
  self->divider = CLAMP (divider, 0, 1);
  changed (self);
}

double
gesso_picture_view_get_divider (GessoPictureView *self)
{
  g_return_val_if_fail (GESSO_IS_PICTURE_VIEW (self), 0.5);
  return self->divider;
}
