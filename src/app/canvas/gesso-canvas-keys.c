/* SPDX-License-Identifier: MPL-2.0
 * gesso-canvas-keys.c - the canvas's keys: one table for what an action does, and what is held.
 *
 * The key cursor paints without a pointer: arrows show and move it, Space is the pen on the paper.
 */
#include "app/canvas/gesso-canvas-private.h"

#include <glib/gi18n.h>

#define KEY_STEP 8 /* logical pixels for an arrow key */
#define KEY_FAST 8 /* times as much with Shift */
#define DIVIDER_STEP 0.02

static const GessoCanvasKey keys[] = {
  { "v", "canvas.tool", "move", N_ ("Move") },
  { "b", "canvas.tool", "mask", N_ ("Paint the mask") },
  { "e", "canvas.tool", "erase", N_ ("Erase the mask") },
  { "c", "canvas.tool", "frame", N_ ("Move and resize the frame") },
  { "<Shift>x", "canvas.tool", "compare", N_ ("Compare with a divider") },
  { "x", NULL, NULL, N_ ("Show what was before (hold)") },
  { "m", "canvas.show-mask", NULL, N_ ("Show or hide the mask") },
  { "i", "canvas.invert-mask", NULL, N_ ("Invert the mask") },
  { "<Shift>Delete", "canvas.clear-mask", NULL, N_ ("Clear the mask") },
  { "<Control>Delete", "canvas.clear", NULL, N_ ("Take the picture off the canvas") },
  { "bracketright", "canvas.brush-larger", NULL, N_ ("Larger brush") },
  { "bracketleft", "canvas.brush-smaller", NULL, N_ ("Smaller brush") },
  { "braceright", "canvas.brush-softer", NULL, N_ ("Softer brush") },
  { "braceleft", "canvas.brush-harder", NULL, N_ ("Harder brush") },
  { "<Control>z", "canvas.undo", NULL, N_ ("Undo") },
  { "<Control><Shift>z", "canvas.redo", NULL, N_ ("Redo") },
  { "<Control>v", "canvas.paste", NULL, N_ ("Paste a picture") },
  { "0 KP_0", "canvas.fit", NULL, N_ ("Fit") },
  { "1 KP_1", "canvas.actual-size", NULL, N_ ("100 %") },
  { "plus equal KP_Add", "canvas.zoom-in", NULL, N_ ("Zoom in") },
  { "minus KP_Subtract", "canvas.zoom-out", NULL, N_ ("Zoom out") },
  { "space", NULL, NULL, N_ ("Pan (hold and drag), or paint at the key cursor") },
  { "Left Right Up Down", NULL, NULL,
    N_ ("Move the key cursor, the frame, the divider or the view") },
  { "Return KP_Enter", NULL, NULL, N_ ("Keep the result") },
  { "Delete", NULL, NULL, N_ ("Discard the result") },
  { "s", NULL, NULL, N_ ("Star the result") },
  { "<Control>Left", NULL, NULL, N_ ("Newer result") },
  { "<Control>Right", NULL, NULL, N_ ("Older result") },
  { "Tab", NULL, NULL, N_ ("Hide or show all panes") },
  { "Escape", NULL, NULL, N_ ("Cancel the stroke, or back to Move") },
  { "<Shift>F10 Menu", NULL, NULL, N_ ("All actions") },
};

const GessoCanvasKey *
gesso_canvas_keys (guint *n_keys)
{
  *n_keys = G_N_ELEMENTS (keys);
  return keys;
}

static gboolean
tool_paints (const GessoCanvas *self)
{
  return self->tool == GESSO_TOOL_MASK || self->tool == GESSO_TOOL_ERASE;
}

/* What can be painted on. */
static GessoRect
paper (GessoCanvas *self)
{
  GessoRect bounds = gesso_document_get_bounds (self->document);
  GessoRect frame = gesso_document_get_frame (self->document);
  return gesso_rect_union (&bounds, &frame);
}

/* At the pointer when that is over the picture, else in the middle of what is seen. */
static void
show_key_cursor (GessoCanvas *self)
{
  double w = gtk_widget_get_width (GTK_WIDGET (self)),
         h = gtk_widget_get_height (GTK_WIDGET (self));
  GessoRect all = paper (self);
  self->key_cursor = TRUE;
  gesso_canvas_to_document (self, self->pointer_x, self->pointer_y, &self->key_x, &self->key_y);
  if (!self->has_pointer || self->key_x < all.x || self->key_y < all.y ||
      self->key_x > all.x + all.width || self->key_y > all.y + all.height)
    gesso_canvas_to_document (self, w / 2, h / 2, &self->key_x, &self->key_y);
}

/* The view follows the cursor. */
static void
reveal_key_cursor (GessoCanvas *self)
{
  double x, y, dx = 0, dy = 0;
  double w = gtk_widget_get_width (GTK_WIDGET (self)),
         h = gtk_widget_get_height (GTK_WIDGET (self));
  gesso_canvas_to_widget (self, self->key_x, self->key_y, &x, &y);
  if (x < 0 || x > w)
    dx = w / 2 - x;
  if (y < 0 || y > h)
    dy = h / 2 - y;
  if (dx != 0 || dy != 0)
    gesso_canvas_pan (self, dx, dy);
}

static void
move_key_cursor (GessoCanvas *self, int dx, int dy, int times)
{
  double step = KEY_STEP * times * gesso_canvas_scale (self) / self->view.zoom;
  if (!self->key_cursor)
    show_key_cursor (self);
  GessoRect all = paper (self);
  self->key_x = CLAMP (self->key_x + dx * step, all.x, all.x + all.width);
  self->key_y = CLAMP (self->key_y + dy * step, all.y, all.y + all.height);
  gesso_canvas_stroke_move (self, self->key_x, self->key_y, 1);
  reveal_key_cursor (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
move_frame (GessoCanvas *self, int dx, int dy, int times)
{
  GessoRect f = gesso_document_get_frame (self->document);
  f.x += dx * times * GESSO_FRAME_GRID;
  f.y += dy * times * GESSO_FRAME_GRID;
  self->fitted = FALSE;
  gesso_document_set_frame (self->document, &f);
}

static void
arrow (GessoCanvas *self, int dx, int dy, int times)
{
  switch (self->tool)
    {
    case GESSO_TOOL_MASK:
    case GESSO_TOOL_ERASE:
      move_key_cursor (self, dx, dy, times);
      break;
    case GESSO_TOOL_FRAME:
      move_frame (self, dx, dy, times);
      break;
    case GESSO_TOOL_COMPARE:
      gesso_canvas_set_divider (self, self->divider + dx * times * DIVIDER_STEP);
      break;
    case GESSO_TOOL_MOVE:
    case GESSO_N_TOOLS:
    default:
      gesso_canvas_pan (self, -dx * times * 2 * KEY_STEP, -dy * times * 2 * KEY_STEP);
    }
}

static void
press_space (GessoCanvas *self)
{
  if (self->space_held)
    return;
  self->space_held = TRUE;
  if (self->key_cursor && tool_paints (self))
    gesso_canvas_stroke_begin (self, self->key_x, self->key_y, 1, self->tool == GESSO_TOOL_ERASE);
  gesso_canvas_update_cursor (self);
}

static void
escape (GessoCanvas *self)
{
  if (gesso_document_is_stroking (self->document))
    gesso_canvas_stroke_cancel (self);
  else
    gesso_canvas_set_tool (self, GESSO_TOOL_MOVE);
}

/* Returns: whether it was one of the keys that are not actions */
static gboolean
plain_key (GessoCanvas *self, guint keyval, int times)
{
  switch (keyval)
    {
    case GDK_KEY_Left:
      arrow (self, -1, 0, times);
      return TRUE;
    case GDK_KEY_Right:
      arrow (self, 1, 0, times);
      return TRUE;
    case GDK_KEY_Up:
      arrow (self, 0, -1, times);
      return TRUE;
    case GDK_KEY_Down:
      arrow (self, 0, 1, times);
      return TRUE;
    case GDK_KEY_space:
      press_space (self);
      return TRUE;
    case GDK_KEY_x:
      gesso_canvas_set_peeking (self, TRUE);
      return TRUE;
    case GDK_KEY_Escape:
      escape (self);
      return TRUE;
    default:
      return FALSE;
    }
}

static const char *
signal_of_key (guint keyval, GdkModifierType state)
{
  if (state & GDK_CONTROL_MASK)
    return keyval == GDK_KEY_Left    ? "previous-result"
           : keyval == GDK_KEY_Right ? "next-result"
                                     : NULL;
  switch (keyval)
    {
    case GDK_KEY_Return:
    case GDK_KEY_KP_Enter:
      return "keep-result";
    case GDK_KEY_Delete:
      return "discard-result";
    case GDK_KEY_s:
      return "star-result";
    case GDK_KEY_Tab:
      return "toggle-panes";
    default:
      return NULL;
    }
}

/* Tab only hides the panes when somebody listens; else it moves the focus on. */
static gboolean
emit_key (GessoCanvas *self, const char *name)
{
  guint id = g_signal_lookup (name, GESSO_TYPE_CANVAS);
  if (!g_signal_has_handler_pending (self, id, 0, FALSE))
    return FALSE;
  g_signal_emit (self, id, 0);
  return TRUE;
}

static gboolean
key_pressed_cb (GtkEventControllerKey *controller,
                guint keyval,
                guint keycode,
                GdkModifierType state,
                GessoCanvas *self)
{
  GdkModifierType held = state & (GDK_CONTROL_MASK | GDK_ALT_MASK | GDK_SUPER_MASK | GDK_META_MASK);
  gboolean shift = (state & GDK_SHIFT_MASK) != 0;
  if (held == 0 && plain_key (self, keyval, shift ? KEY_FAST : 1))
    return TRUE;
  if ((held != 0 && held != GDK_CONTROL_MASK) || shift)
    return FALSE;
  const char *name = signal_of_key (keyval, held);
  return name && emit_key (self, name);
}

static void
release_held (GessoCanvas *self)
{
  if (self->space_held && self->drag == GESSO_DRAG_NONE)
    gesso_canvas_stroke_end (self);
  self->space_held = FALSE;
  gesso_canvas_update_cursor (self);
}

static void
key_released_cb (GtkEventControllerKey *controller,
                 guint keyval,
                 guint keycode,
                 GdkModifierType state,
                 GessoCanvas *self)
{
  if (keyval == GDK_KEY_space)
    release_held (self);
  else if (keyval == GDK_KEY_x || keyval == GDK_KEY_X)
    gesso_canvas_set_peeking (self, FALSE);
}

static void
focus_left_cb (GtkEventControllerFocus *controller, GessoCanvas *self)
{
  release_held (self);
  gesso_canvas_set_peeking (self, FALSE);
}

/* The first last: menus show the one that was added last. */
static void
add_shortcuts (GtkEventController *controller, const GessoCanvasKey *key)
{
  g_auto (GStrv) accels = g_strsplit (key->accel, " ", -1);
  for (int i = (int) g_strv_length (accels) - 1; i >= 0; i--)
    {
      guint keyval;
      GdkModifierType modifiers;
      gboolean known = gtk_accelerator_parse (accels[i], &keyval, &modifiers);
      g_assert (known);
      GtkShortcut *shortcut = gtk_shortcut_new (gtk_keyval_trigger_new (keyval, modifiers),
                                                gtk_named_action_new (key->action));
      if (key->target)
        gtk_shortcut_set_arguments (shortcut, g_variant_new_string (key->target));
      gtk_shortcut_controller_add_shortcut (GTK_SHORTCUT_CONTROLLER (controller), shortcut);
    }
}

void
gesso_canvas_init_keys (GessoCanvas *self)
{
  GtkEventController *shortcuts = gtk_shortcut_controller_new ();
  gtk_shortcut_controller_set_scope (GTK_SHORTCUT_CONTROLLER (shortcuts), GTK_SHORTCUT_SCOPE_LOCAL);
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    if (keys[i].action)
      add_shortcuts (shortcuts, &keys[i]);
  gtk_widget_add_controller (GTK_WIDGET (self), shortcuts);
  GtkEventController *key = gtk_event_controller_key_new ();
  g_signal_connect (key, "key-pressed", G_CALLBACK (key_pressed_cb), self);
  g_signal_connect (key, "key-released", G_CALLBACK (key_released_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), key);
  GtkEventController *focus = gtk_event_controller_focus_new ();
  g_signal_connect (focus, "leave", G_CALLBACK (focus_left_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), focus);
}
