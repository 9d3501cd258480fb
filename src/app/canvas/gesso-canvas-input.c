/* SPDX-License-Identifier: MPL-2.0
 * gesso-canvas-input.c - mouse, touchpad, pen and finger.
 *
 * Every device that paints goes through gesso_canvas_stroke_*.  A drag is one of GessoDragKind,
 * decided when it begins.  A pen's painting comes from GtkGestureStylus, which knows its pressure;
 * the drag gesture leaves it alone and only pans with the pen's side buttons.
 */
#include "app/canvas/gesso-canvas-private.h"

#include <math.h>

#define WHEEL_ZOOM 1.2      /* for each notch */
#define SCROLL_ZOOM 0.01    /* for each pixel of a touchpad with Ctrl */
#define WHEEL_PAN 60        /* pixels for each notch with Shift */
#define GRAB 9              /* pixels around the frame's edge and the divider */
#define PEN_REST_US 5000000 /* fingers do not paint so long after a pen was seen */
#define RADIUS_SPEED 0.5    /* document pixels for each pixel that Alt + right button moves */
#define SOFTNESS_SPEED 0.005

static gboolean
tool_paints (const GessoCanvas *self)
{
  return self->tool == GESSO_TOOL_MASK || self->tool == GESSO_TOOL_ERASE;
}

static void
set_pointer (GessoCanvas *self, double x, double y)
{
  self->pointer_x = x;
  self->pointer_y = y;
  self->has_pointer = TRUE;
  self->key_cursor = FALSE;
  if (tool_paints (self))
    gesso_canvas_wake_mask (self);
  if (tool_paints (self) || self->drag != GESSO_DRAG_NONE)
    gtk_widget_queue_draw (GTK_WIDGET (self));
}

GessoEdges
gesso_canvas_frame_edges_at (GessoCanvas *self, double x, double y)
{
  GessoRect f = gesso_document_get_frame (self->document);
  double x0, y0, x1, y1;
  gesso_canvas_to_widget (self, f.x, f.y, &x0, &y0);
  gesso_canvas_to_widget (self, f.x + f.width, f.y + f.height, &x1, &y1);
  if (x < x0 - GRAB || x > x1 + GRAB || y < y0 - GRAB || y > y1 + GRAB)
    return GESSO_EDGE_NONE;
  GessoEdges edges = GESSO_EDGE_NONE;
  if (fabs (x - x0) <= GRAB)
    edges |= GESSO_EDGE_LEFT;
  else if (fabs (x - x1) <= GRAB)
    edges |= GESSO_EDGE_RIGHT;
  if (fabs (y - y0) <= GRAB)
    edges |= GESSO_EDGE_TOP;
  else if (fabs (y - y1) <= GRAB)
    edges |= GESSO_EDGE_BOTTOM;
  return edges == GESSO_EDGE_NONE ? GESSO_EDGE_ALL : edges;
}

static const char *
frame_cursor (GessoEdges edges)
{
  switch ((guint) edges)
    {
    case GESSO_EDGE_LEFT:
    case GESSO_EDGE_RIGHT:
      return "ew-resize";
    case GESSO_EDGE_TOP:
    case GESSO_EDGE_BOTTOM:
      return "ns-resize";
    case GESSO_EDGE_LEFT | GESSO_EDGE_TOP:
    case GESSO_EDGE_RIGHT | GESSO_EDGE_BOTTOM:
      return "nwse-resize";
    case GESSO_EDGE_RIGHT | GESSO_EDGE_TOP:
    case GESSO_EDGE_LEFT | GESSO_EDGE_BOTTOM:
      return "nesw-resize";
    case GESSO_EDGE_ALL:
      return "move";
    default:
      return "default";
    }
}

static const char *
cursor_name (GessoCanvas *self)
{
  if (self->drag == GESSO_DRAG_PAN)
    return "grabbing";
  if (self->space_held && !self->key_cursor)
    return "grab";
  switch (self->tool)
    {
    case GESSO_TOOL_MASK:
    case GESSO_TOOL_ERASE:
      return "crosshair";
    case GESSO_TOOL_FRAME:
      return frame_cursor (gesso_canvas_frame_edges_at (self, self->pointer_x, self->pointer_y));
    case GESSO_TOOL_COMPARE:
      return fabs (self->pointer_x - gesso_canvas_divider_x (self)) <= GRAB ? "col-resize" : "grab";
    case GESSO_TOOL_MOVE:
    case GESSO_N_TOOLS:
    default:
      return "grab";
    }
}

void
gesso_canvas_update_cursor (GessoCanvas *self)
{
  gtk_widget_set_cursor_from_name (GTK_WIDGET (self), cursor_name (self));
}

static void
begin_stroke (GessoCanvas *self, double x, double y, double pressure, gboolean eraser)
{
  double doc_x, doc_y;
  gesso_canvas_to_document (self, x, y, &doc_x, &doc_y);
  gesso_canvas_stroke_begin (self, doc_x, doc_y, pressure,
                             eraser || self->tool == GESSO_TOOL_ERASE);
}

static void
move_stroke (GessoCanvas *self, double x, double y, double pressure)
{
  double doc_x, doc_y;
  gesso_canvas_to_document (self, x, y, &doc_x, &doc_y);
  gesso_canvas_stroke_move (self, doc_x, doc_y, pressure);
}

static gboolean
is_pen (GdkEvent *event)
{
  GdkDeviceTool *tool = event ? gdk_event_get_device_tool (event) : NULL;
  if (!tool)
    return FALSE;
  GdkDeviceToolType type = gdk_device_tool_get_tool_type (tool);
  return type != GDK_DEVICE_TOOL_TYPE_MOUSE && type != GDK_DEVICE_TOOL_TYPE_UNKNOWN;
}

static gboolean
is_finger (GtkGesture *gesture)
{
  GdkDevice *device =
      gtk_event_controller_get_current_event_device (GTK_EVENT_CONTROLLER (gesture));
  return device && gdk_device_get_source (device) == GDK_SOURCE_TOUCHSCREEN;
}

/* A hand that holds a pen rests on the screen. */
static gboolean
finger_may_paint (const GessoCanvas *self)
{
  return self->finger_paints &&
         (self->pen_seen_us == 0 || g_get_monotonic_time () - self->pen_seen_us > PEN_REST_US);
}

static GessoDragKind
kind_of_drag (GessoCanvas *self, GtkGesture *gesture, double x, double y)
{
  guint button = gtk_gesture_single_get_current_button (GTK_GESTURE_SINGLE (gesture));
  GdkModifierType state =
      gtk_event_controller_get_current_event_state (GTK_EVENT_CONTROLLER (gesture));
  gboolean pen = is_pen (gtk_event_controller_get_current_event (GTK_EVENT_CONTROLLER (gesture)));
  if (button == GDK_BUTTON_SECONDARY && (state & GDK_ALT_MASK))
    return GESSO_DRAG_BRUSH;
  if (button == GDK_BUTTON_MIDDLE || (button == GDK_BUTTON_SECONDARY && pen))
    return GESSO_DRAG_PAN;
  if (button > GDK_BUTTON_PRIMARY)
    return GESSO_DRAG_NONE;
  if ((self->space_held && !self->key_cursor) || (state & GDK_CONTROL_MASK))
    return GESSO_DRAG_PAN;
  if (is_finger (gesture) && tool_paints (self) && !finger_may_paint (self))
    return GESSO_DRAG_PAN;
  if (tool_paints (self))
    return pen ? GESSO_DRAG_NONE : GESSO_DRAG_PAINT;
  if (self->tool == GESSO_TOOL_COMPARE && gesso_canvas_can_compare (self))
    return GESSO_DRAG_DIVIDER;
  if (self->tool == GESSO_TOOL_FRAME)
    return gesso_canvas_frame_edges_at (self, x, y) ? GESSO_DRAG_FRAME : GESSO_DRAG_PAN;
  return GESSO_DRAG_PAN;
}

static void
drag_begin_cb (GtkGestureDrag *gesture, double x, double y, GessoCanvas *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self));
  self->drag = kind_of_drag (self, GTK_GESTURE (gesture), x, y);
  if (self->drag == GESSO_DRAG_NONE)
    {
      gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_DENIED);
      return;
    }
  gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  self->drag_x = x;
  self->drag_y = y;
  self->drag_radius = self->brush.radius;
  self->drag_softness = self->brush.softness;
  self->drag_divider = self->divider;
  self->drag_frame = gesso_document_get_frame (self->document);
  self->drag_edges = gesso_canvas_frame_edges_at (self, x, y);
  /* A stroke of the key cursor ends where the pointer takes over. */
  gesso_canvas_stroke_end (self);
  if (self->drag == GESSO_DRAG_PAINT)
    begin_stroke (self, x, y, 1, FALSE);
  set_pointer (self, x, y);
  gesso_canvas_update_cursor (self);
}

/* @dx, @dy: widget pixels since the drag began; the frame itself snaps. */
static void
drag_frame (GessoCanvas *self, double dx, double dy)
{
  double to_doc = gesso_canvas_scale (self) / self->view.zoom;
  int x = (int) round (dx * to_doc), y = (int) round (dy * to_doc);
  GessoRect f = self->drag_frame;
  if (self->drag_edges == GESSO_EDGE_ALL)
    {
      f.x += x;
      f.y += y;
    }
  else
    {
      int right = f.x + f.width, bottom = f.y + f.height;
      if (self->drag_edges & GESSO_EDGE_LEFT)
        f.x = MIN (f.x + x, right - GESSO_FRAME_MIN_SIDE);
      if (self->drag_edges & GESSO_EDGE_TOP)
        f.y = MIN (f.y + y, bottom - GESSO_FRAME_MIN_SIDE);
      /* Left and top are put on the grid first, or the other side would move with rounding. */
      f.x = gesso_floor_div (f.x + GESSO_FRAME_GRID / 2, GESSO_FRAME_GRID) * GESSO_FRAME_GRID;
      f.y = gesso_floor_div (f.y + GESSO_FRAME_GRID / 2, GESSO_FRAME_GRID) * GESSO_FRAME_GRID;
      f.width = right - f.x + (self->drag_edges & GESSO_EDGE_RIGHT ? x : 0);
      f.height = bottom - f.y + (self->drag_edges & GESSO_EDGE_BOTTOM ? y : 0);
    }
  /* The view must not jump under the hand. */
  self->fitted = FALSE;
  gesso_document_set_frame (self->document, &f);
}

static void
drag_update_cb (GtkGestureDrag *gesture, double dx, double dy, GessoCanvas *self)
{
  double x0, y0;
  gtk_gesture_drag_get_start_point (gesture, &x0, &y0);
  double x = x0 + dx, y = y0 + dy;
  switch (self->drag)
    {
    case GESSO_DRAG_PAN:
      gesso_canvas_pan (self, x - self->drag_x, y - self->drag_y);
      self->drag_x = x;
      self->drag_y = y;
      break;
    case GESSO_DRAG_PAINT:
      move_stroke (self, x, y, 1);
      break;
    case GESSO_DRAG_FRAME:
      drag_frame (self, dx, dy);
      break;
    case GESSO_DRAG_DIVIDER:
      gesso_canvas_set_divider (self, x / MAX (gtk_widget_get_width (GTK_WIDGET (self)), 1));
      break;
    case GESSO_DRAG_BRUSH:
      gesso_canvas_set_brush_radius (self, self->drag_radius + dx * RADIUS_SPEED);
      gesso_canvas_set_brush_softness (self, self->drag_softness - dy * SOFTNESS_SPEED);
      return; /* the outline stays where the drag began */
    case GESSO_DRAG_NONE:
    default:
      return;
    }
  set_pointer (self, x, y);
}

static void
drag_end_cb (GtkGestureDrag *gesture, double dx, double dy, GessoCanvas *self)
{
  if (self->drag == GESSO_DRAG_PAINT)
    gesso_canvas_stroke_end (self);
  self->drag = GESSO_DRAG_NONE;
  gesso_canvas_update_cursor (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

/* A second finger came, or another gesture took over. */
static void
drag_cancel_cb (GtkGesture *gesture, GdkEventSequence *sequence, GessoCanvas *self)
{
  if (self->drag == GESSO_DRAG_PAINT)
    gesso_canvas_stroke_cancel (self);
  self->drag = GESSO_DRAG_NONE;
  gesso_canvas_update_cursor (self);
}

static double
pen_pressure (GtkGestureStylus *gesture)
{
  double pressure;
  return gtk_gesture_stylus_get_axis (gesture, GDK_AXIS_PRESSURE, &pressure) ? pressure : 1;
}

static void
pen_down_cb (GtkGestureStylus *gesture, double x, double y, GessoCanvas *self)
{
  GdkDeviceTool *tool = gtk_gesture_stylus_get_device_tool (gesture);
  gboolean eraser = tool && gdk_device_tool_get_tool_type (tool) == GDK_DEVICE_TOOL_TYPE_ERASER;
  self->pen_seen_us = g_get_monotonic_time ();
  if (!tool_paints (self) ||
      gtk_gesture_single_get_current_button (GTK_GESTURE_SINGLE (gesture)) > GDK_BUTTON_PRIMARY)
    return;
  gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  gtk_widget_grab_focus (GTK_WIDGET (self));
  begin_stroke (self, x, y, pen_pressure (gesture), eraser);
}

static void
pen_motion_cb (GtkGestureStylus *gesture, double x, double y, GessoCanvas *self)
{
  self->pen_seen_us = g_get_monotonic_time ();
  set_pointer (self, x, y);
  if (self->drag == GESSO_DRAG_NONE)
    move_stroke (self, x, y, pen_pressure (gesture));
}

static void
pen_up_cb (GtkGestureStylus *gesture, double x, double y, GessoCanvas *self)
{
  if (self->drag == GESSO_DRAG_NONE)
    gesso_canvas_stroke_end (self);
}

static void
pen_near_cb (GtkGestureStylus *gesture, double x, double y, GessoCanvas *self)
{
  self->pen_seen_us = g_get_monotonic_time ();
  set_pointer (self, x, y);
}

static gboolean
scroll_cb (GtkEventControllerScroll *scroll, double dx, double dy, GessoCanvas *self)
{
  GdkModifierType state =
      gtk_event_controller_get_current_event_state (GTK_EVENT_CONTROLLER (scroll));
  gboolean wheel = gtk_event_controller_scroll_get_unit (scroll) == GDK_SCROLL_UNIT_WHEEL;
  double step = wheel ? WHEEL_PAN : 1;
  if (state & GDK_CONTROL_MASK || (wheel && !(state & GDK_SHIFT_MASK) && dx == 0))
    {
      double factor = wheel ? pow (WHEEL_ZOOM, -dy) : exp (-dy * SCROLL_ZOOM);
      double x = self->pointer_x, y = self->pointer_y;
      if (!self->has_pointer)
        {
          x = gtk_widget_get_width (GTK_WIDGET (self)) / 2.0;
          y = gtk_widget_get_height (GTK_WIDGET (self)) / 2.0;
        }
      gesso_canvas_zoom_at (self, self->view.zoom * factor, x, y);
    }
  else if (wheel && state & GDK_SHIFT_MASK && dx == 0)
    gesso_canvas_pan (self, -dy * step, 0);
  else
    gesso_canvas_pan (self, -dx * step, -dy * step);
  return TRUE;
}

static void
motion_cb (GtkEventControllerMotion *motion, double x, double y, GessoCanvas *self)
{
  /* GTK reports a motion when the widget moved under a pointer that rests, too. */
  if (self->has_pointer && x == self->pointer_x && y == self->pointer_y)
    return;
  if (is_pen (gtk_event_controller_get_current_event (GTK_EVENT_CONTROLLER (motion))))
    self->pen_seen_us = g_get_monotonic_time ();
  set_pointer (self, x, y);
  if (self->drag == GESSO_DRAG_NONE)
    gesso_canvas_update_cursor (self);
}

static void
leave_cb (GtkEventControllerMotion *motion, GessoCanvas *self)
{
  self->has_pointer = FALSE;
  if (tool_paints (self))
    gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
pinch_begin_cb (GtkGesture *gesture, GdkEventSequence *sequence, GessoCanvas *self)
{
  self->pinch_zoom = self->view.zoom;
  gtk_gesture_get_bounding_box_center (gesture, &self->pinch_x, &self->pinch_y);
  gtk_gesture_set_state (gesture, GTK_EVENT_SEQUENCE_CLAIMED);
}

/* Two fingers move and zoom at once: the point between them stays between them. */
static void
pinch_cb (GtkGestureZoom *gesture, double factor, GessoCanvas *self)
{
  double x, y;
  if (!gtk_gesture_get_bounding_box_center (GTK_GESTURE (gesture), &x, &y))
    {
      x = self->pinch_x;
      y = self->pinch_y;
    }
  gesso_canvas_pan (self, x - self->pinch_x, y - self->pinch_y);
  gesso_canvas_zoom_at (self, self->pinch_zoom * factor, x, y);
  self->pinch_x = x;
  self->pinch_y = y;
}

static void
add_drag (GessoCanvas *self)
{
  GtkGesture *drag = gtk_gesture_drag_new ();
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (drag), 0);
  g_signal_connect (drag, "drag-begin", G_CALLBACK (drag_begin_cb), self);
  g_signal_connect (drag, "drag-update", G_CALLBACK (drag_update_cb), self);
  g_signal_connect (drag, "drag-end", G_CALLBACK (drag_end_cb), self);
  g_signal_connect (drag, "cancel", G_CALLBACK (drag_cancel_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (drag));
}

static void
add_pen (GessoCanvas *self)
{
  GtkGesture *pen = gtk_gesture_stylus_new ();
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (pen), 0);
  g_signal_connect (pen, "down", G_CALLBACK (pen_down_cb), self);
  g_signal_connect (pen, "motion", G_CALLBACK (pen_motion_cb), self);
  g_signal_connect (pen, "up", G_CALLBACK (pen_up_cb), self);
  g_signal_connect (pen, "proximity", G_CALLBACK (pen_near_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (pen));
}

static void
add_pinch (GessoCanvas *self)
{
  GtkGesture *pinch = gtk_gesture_zoom_new ();
  g_signal_connect (pinch, "begin", G_CALLBACK (pinch_begin_cb), self);
  g_signal_connect (pinch, "scale-changed", G_CALLBACK (pinch_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (pinch));
}

void
gesso_canvas_init_input (GessoCanvas *self)
{
  add_drag (self);
  add_pen (self);
  add_pinch (self);
  GtkEventController *scroll =
      gtk_event_controller_scroll_new (GTK_EVENT_CONTROLLER_SCROLL_BOTH_AXES);
  g_signal_connect (scroll, "scroll", G_CALLBACK (scroll_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), scroll);
  GtkEventController *motion = gtk_event_controller_motion_new ();
  g_signal_connect (motion, "motion", G_CALLBACK (motion_cb), self);
  g_signal_connect (motion, "enter", G_CALLBACK (motion_cb), self);
  g_signal_connect (motion, "leave", G_CALLBACK (leave_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), motion);
}
