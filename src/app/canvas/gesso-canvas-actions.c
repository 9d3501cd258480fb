/* SPDX-License-Identifier: MPL-2.0
 * gesso-canvas-actions.c - what the canvas can do, as actions: for keys, menus, tools and tests.
 */
#include "app/canvas/gesso-canvas-private.h"

#include <math.h>

#define BRUSH_STEP 1.2 /* for each press */
#define SOFTNESS_STEP 0.1

static const char *const tool_names[GESSO_N_TOOLS] = { "move", "mask", "erase", "frame",
                                                       "compare" };

static void
undo_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoCanvas *self = user_data;
  g_autoptr (GError) error = NULL;
  if (!gesso_document_undo (self->document, &error) && error)
    gesso_canvas_fail (self, error->message);
}

static void
redo_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoCanvas *self = user_data;
  g_autoptr (GError) error = NULL;
  if (!gesso_document_redo (self->document, &error) && error)
    gesso_canvas_fail (self, error->message);
}

static void
fit_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_canvas_fit (user_data);
}

/* The pointer when it is over the canvas, else the middle. */
static void
zoom_to (GessoCanvas *self, double zoom)
{
  double x = gtk_widget_get_width (GTK_WIDGET (self)) / 2.0;
  double y = gtk_widget_get_height (GTK_WIDGET (self)) / 2.0;
  if (self->has_pointer && !self->key_cursor)
    {
      x = self->pointer_x;
      y = self->pointer_y;
    }
  gesso_canvas_zoom_at (self, zoom, x, y);
}

static void
actual_size_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  zoom_to (user_data, 1);
}

static void
zoom_in_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoCanvas *self = user_data;
  zoom_to (self, gesso_viewport_next_zoom (&self->view, 1));
}

static void
zoom_out_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoCanvas *self = user_data;
  zoom_to (self, gesso_viewport_next_zoom (&self->view, -1));
}

static void
invert_mask_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_document_invert_mask (((GessoCanvas *) user_data)->document);
}

static void
clear_mask_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_document_clear_mask (((GessoCanvas *) user_data)->document);
}

static void
clear_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_document_clear (((GessoCanvas *) user_data)->document);
}

static void
frame_to_picture_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoCanvas *self = user_data;
  GessoRect bounds = gesso_document_get_bounds (self->document);
  GessoRect frame = gesso_frame_around (&bounds);
  gesso_document_set_frame (self->document, &frame);
}

static void
larger_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoCanvas *self = user_data;
  gesso_canvas_set_brush_radius (self,
                                 MAX (self->brush.radius * BRUSH_STEP, self->brush.radius + 1));
}

static void
smaller_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoCanvas *self = user_data;
  gesso_canvas_set_brush_radius (self,
                                 MIN (self->brush.radius / BRUSH_STEP, self->brush.radius - 1));
}

static void
softer_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoCanvas *self = user_data;
  gesso_canvas_set_brush_softness (self, self->brush.softness + SOFTNESS_STEP);
}

static void
harder_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GessoCanvas *self = user_data;
  gesso_canvas_set_brush_softness (self, self->brush.softness - SOFTNESS_STEP);
}

static void
paste_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gesso_canvas_paste (user_data);
}

static void
change_tool_cb (GSimpleAction *action, GVariant *value, gpointer user_data)
{
  for (int i = 0; i < GESSO_N_TOOLS; i++)
    if (g_str_equal (g_variant_get_string (value, NULL), tool_names[i]))
      gesso_canvas_set_tool (user_data, (GessoTool) i);
}

static void
change_show_mask_cb (GSimpleAction *action, GVariant *value, gpointer user_data)
{
  g_object_set (user_data, "show-mask", g_variant_get_boolean (value), NULL);
}

static void
change_compare_cb (GSimpleAction *action, GVariant *value, gpointer user_data)
{
  gesso_canvas_set_peeking (user_data, g_variant_get_boolean (value));
}

static void
set_enabled (GessoCanvas *self, const char *name, gboolean enabled)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self->actions), name);
  g_simple_action_set_enabled (G_SIMPLE_ACTION (action), enabled);
}

static void
set_state (GessoCanvas *self, const char *name, GVariant *state)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self->actions), name);
  g_simple_action_set_state (G_SIMPLE_ACTION (action), state);
}

void
gesso_canvas_update_actions (GessoCanvas *self)
{
  if (!self->document)
    return;
  gboolean picture = gesso_document_has_picture (self->document);
  gboolean mask = gesso_document_has_mask (self->document);
  set_enabled (self, "undo", gesso_document_can_undo (self->document));
  set_enabled (self, "redo", gesso_document_can_redo (self->document));
  set_enabled (self, "clear-mask", mask);
  set_enabled (self, "clear", picture || mask);
  set_enabled (self, "frame-to-picture", picture);
  set_state (self, "tool", g_variant_new_string (tool_names[self->tool]));
  set_state (self, "show-mask", g_variant_new_boolean (self->show_mask));
  set_state (self, "compare", g_variant_new_boolean (self->peeking));
}

void
gesso_canvas_init_actions (GessoCanvas *self)
{
  static const GActionEntry entries[] = {
    { "undo", undo_cb, NULL, NULL, NULL, { 0 } },
    { "redo", redo_cb, NULL, NULL, NULL, { 0 } },
    { "fit", fit_cb, NULL, NULL, NULL, { 0 } },
    { "actual-size", actual_size_cb, NULL, NULL, NULL, { 0 } },
    { "zoom-in", zoom_in_cb, NULL, NULL, NULL, { 0 } },
    { "zoom-out", zoom_out_cb, NULL, NULL, NULL, { 0 } },
    { "invert-mask", invert_mask_cb, NULL, NULL, NULL, { 0 } },
    { "clear-mask", clear_mask_cb, NULL, NULL, NULL, { 0 } },
    { "clear", clear_cb, NULL, NULL, NULL, { 0 } },
    { "frame-to-picture", frame_to_picture_cb, NULL, NULL, NULL, { 0 } },
    { "brush-larger", larger_cb, NULL, NULL, NULL, { 0 } },
    { "brush-smaller", smaller_cb, NULL, NULL, NULL, { 0 } },
    { "brush-softer", softer_cb, NULL, NULL, NULL, { 0 } },
    { "brush-harder", harder_cb, NULL, NULL, NULL, { 0 } },
    { "paste", paste_cb, NULL, NULL, NULL, { 0 } },
    { "tool", NULL, "s", "'move'", change_tool_cb, { 0 } },
    { "show-mask", NULL, NULL, "true", change_show_mask_cb, { 0 } },
    { "compare", NULL, NULL, "false", change_compare_cb, { 0 } },
  };
  self->actions = g_simple_action_group_new ();
  g_action_map_add_action_entries (G_ACTION_MAP (self->actions), entries, G_N_ELEMENTS (entries),
                                   self);
  gtk_widget_insert_action_group (GTK_WIDGET (self), "canvas", G_ACTION_GROUP (self->actions));
}
