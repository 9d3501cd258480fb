/* SPDX-License-Identifier: MPL-2.0
 * gesso-canvas-draw.c - what the canvas looks like.
 *
 * The snapshot is scaled back to device pixels, so that every edge can be put on a whole one.
 */
#include "app/canvas/gesso-canvas-private.h"

#include <glib/gi18n.h>
#include <math.h>

#include "app/gesso-compat.h"

#define TEXTURE_BUDGET_US 6000 /* for each frame, of 16 ms */

enum
{
  HANDLE = 9, /* device pixels, of the frame's corners */
  ZONE_INSET = 12,
  PLATE_HEIGHT = 34 /* logical pixels, of the frame's label with its distance */
};

/* The ground is dark in the light scheme, too: pictures are judged against it. */
static const GdkRGBA ground = { 0.1225f, 0.1225f, 0.1304f, 1 };
static const GdkRGBA light = { 1, 1, 1, 0.85f };
static const GdkRGBA dark = { 0, 0, 0, 0.6f };
static const GdkRGBA faint = { 1, 1, 1, 0.62f };
static const GdkRGBA veil = { 0.1f, 0.1f, 0.12f, 0.72f };
static const GdkRGBA veil_hot = { 0.11f, 0.33f, 0.62f, 0.85f };

static gboolean
again_cb (GtkWidget *widget, GdkFrameClock *clock, gpointer user_data)
{
  GESSO_CANVAS (widget)->again_id = 0;
  gtk_widget_queue_draw (widget);
  return G_SOURCE_REMOVE;
}

/* A line of one pixel, dark beside light, to be seen on everything. */
static void
append_outline (GtkSnapshot *snapshot, const graphene_rect_t *rect, float radius, float width)
{
  const GdkRGBA *colors[] = { &dark, &light };
  for (int i = 0; i < 2; i++)
    {
      graphene_rect_t r = *rect;
      float out = i == 0 ? width : 0;
      graphene_rect_inset (&r, -out, -out);
      GskRoundedRect rounded;
      gsk_rounded_rect_init_from_rect (&rounded, &r, radius > 0 ? radius + out : 0);
      const float widths[] = { width, width, width, width };
      const GdkRGBA all[] = { *colors[i], *colors[i], *colors[i], *colors[i] };
      gtk_snapshot_append_border (snapshot, &rounded, widths, all);
    }
}

static graphene_rect_t
device_rect (const GessoCanvas *self, const GessoRect *r)
{
  const GessoViewport *v = &self->view;
  int x0 = gesso_viewport_edge_x (v, r->x),
      x1 = gesso_viewport_edge_x (v, (double) r->x + r->width);
  int y0 = gesso_viewport_edge_y (v, r->y),
      y1 = gesso_viewport_edge_y (v, (double) r->y + r->height);
  return GRAPHENE_RECT_INIT (x0, y0, x1 - x0, y1 - y0);
}

static PangoLayout *
new_text (GessoCanvas *self, const char *text, int points, gboolean bold)
{
  PangoLayout *layout = gtk_widget_create_pango_layout (GTK_WIDGET (self), text);
  PangoAttrList *attrs = pango_attr_list_new ();
  /* The snapshot is in device pixels; text is given its size there. */
  pango_attr_list_insert (attrs, pango_attr_scale_new (points / 11.0 * gesso_canvas_scale (self)));
  if (bold)
    pango_attr_list_insert (attrs, pango_attr_weight_new (PANGO_WEIGHT_BOLD));
  pango_layout_set_attributes (layout, attrs);
  pango_attr_list_unref (attrs);
  pango_layout_set_alignment (layout, PANGO_ALIGN_CENTER);
  return layout;
}

static void
append_text (GtkSnapshot *snapshot, PangoLayout *layout, double x, double y, const GdkRGBA *color)
{
  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT ((float) round (x), (float) round (y)));
  gtk_snapshot_append_layout (snapshot, layout, color);
  gtk_snapshot_restore (snapshot);
}

static void
append_centred (GessoCanvas *self,
                GtkSnapshot *snapshot,
                const char *text,
                const graphene_rect_t *area,
                int points,
                const GdkRGBA *color)
{
  g_autoptr (PangoLayout) layout = new_text (self, text, points, FALSE);
  int width, height;
  pango_layout_set_width (layout, (int) (area->size.width * 0.9f) * PANGO_SCALE);
  pango_layout_set_wrap (layout, PANGO_WRAP_WORD);
  pango_layout_get_pixel_size (layout, &width, &height);
  append_text (snapshot, layout, area->origin.x + area->size.width * 0.05,
               area->origin.y + (area->size.height - height) / 2, color);
}

/* A label on a dark plate; @x is its left edge, or with @to_left its right one. */
static void
append_plate (GessoCanvas *self,
              GtkSnapshot *snapshot,
              const char *text,
              double x,
              double y,
              gboolean to_left)
{
  g_autoptr (PangoLayout) layout = new_text (self, text, 9, TRUE);
  int scale = gesso_canvas_scale (self), pad = 5 * scale, width, height;
  pango_layout_get_pixel_size (layout, &width, &height);
  double left = to_left ? x - width - 2 * pad : x;
  GskRoundedRect plate;
  gsk_rounded_rect_init_from_rect (&plate,
                                   &GRAPHENE_RECT_INIT ((float) left, (float) y,
                                                        (float) width + 2.0f * pad,
                                                        (float) height + pad),
                                   4.0f * scale);
  gtk_snapshot_push_rounded_clip (snapshot, &plate);
  gtk_snapshot_append_color (snapshot, &veil, &plate.bounds);
  gtk_snapshot_pop (snapshot);
  append_text (snapshot, layout, left + pad, y + pad / 2.0, &light);
}

static void
append_overlay (GessoCanvas *self, GtkSnapshot *snapshot, const GessoOverlay *overlay)
{
  if (!overlay->texture)
    return;
  GessoRect where = gesso_canvas_overlay_rect (self, overlay);
  graphene_rect_t rect = device_rect (self, &where);
  /* A preview is small and is made smooth; only a result of the document's size shows squares. */
  double zoom = (double) rect.size.width / gdk_texture_get_width (overlay->texture);
  gtk_snapshot_push_clip (snapshot, &rect);
  gesso_compat_append_texture (snapshot, overlay->texture, &rect,
                               &GRAPHENE_RECT_INIT (0, 0, self->view.width, self->view.height),
                               gdk_texture_get_width (overlay->texture) < where.width ? 1 : zoom,
                               self->software);
  gtk_snapshot_pop (snapshot);
}

/* Returns: FALSE when not everything was ready */
static gboolean
append_picture (GessoCanvas *self, GtkSnapshot *snapshot, gboolean before)
{
  const GessoState *state = gesso_document_peek_state (self->document);
  const GessoPlane *plane = state->layers[GESSO_LAYER_PICTURE];
  GessoTileCache *cache = self->picture;
  /* With a result over it, "before" is the picture itself. */
  if (before && !self->result.texture && gesso_document_peek_before (self->document))
    {
      plane = gesso_document_peek_before (self->document);
      cache = self->before;
    }
  GessoRect bounds = gesso_document_get_bounds (self->document);
  graphene_rect_t shown = device_rect (self, &bounds);
  gtk_snapshot_push_clip (snapshot, &shown);
  gboolean complete = gesso_tile_cache_draw (cache, plane, snapshot, &self->view, &bounds,
                                             self->software, TEXTURE_BUDGET_US);
  gtk_snapshot_pop (snapshot);
  if (!before)
    {
      append_overlay (self, snapshot, &self->result);
      append_overlay (self, snapshot, &self->preview);
    }
  return complete;
}

static gboolean
append_compared (GessoCanvas *self, GtkSnapshot *snapshot)
{
  if (self->peeking)
    return append_picture (self, snapshot, TRUE);
  if (self->tool != GESSO_TOOL_COMPARE || !gesso_canvas_can_compare (self))
    return append_picture (self, snapshot, FALSE);
  float x = (float) (gesso_canvas_divider_x (self) * gesso_canvas_scale (self));
  float w = (float) self->view.width, h = (float) self->view.height;
  gtk_snapshot_push_clip (snapshot, &GRAPHENE_RECT_INIT (0, 0, x, h));
  gboolean complete = append_picture (self, snapshot, TRUE);
  gtk_snapshot_pop (snapshot);
  gtk_snapshot_push_clip (snapshot, &GRAPHENE_RECT_INIT (x, 0, w - x, h));
  complete &= append_picture (self, snapshot, FALSE);
  gtk_snapshot_pop (snapshot);
  return complete;
}

static gboolean
append_mask (GessoCanvas *self, GtkSnapshot *snapshot)
{
  if (!gesso_canvas_shows_mask (self))
    return TRUE;
  const GessoState *state = gesso_document_peek_state (self->document);
  GessoRect bounds = gesso_document_get_bounds (self->document);
  GessoRect shown = gesso_rect_union (&bounds, &state->frame);
  graphene_rect_t rect = device_rect (self, &shown);
  gtk_snapshot_push_clip (snapshot, &rect);
  gboolean complete =
      gesso_tile_cache_draw (self->mask, state->layers[GESSO_LAYER_MASK], snapshot, &self->view,
                             &shown, self->software, TEXTURE_BUDGET_US);
  gtk_snapshot_pop (snapshot);
  return complete;
}

static void
append_handles (GtkSnapshot *snapshot, const graphene_rect_t *r, int scale)
{
  float half = (float) (HANDLE / 2 * scale), side = 2 * half + 1;
  const float xs[] = { r->origin.x, r->origin.x + r->size.width };
  const float ys[] = { r->origin.y, r->origin.y + r->size.height };
  for (int i = 0; i < 4; i++)
    {
      graphene_rect_t box = GRAPHENE_RECT_INIT (xs[i % 2] - half, ys[i / 2] - half, side, side);
      gtk_snapshot_append_color (snapshot, &light, &box);
      append_outline (snapshot, &box, 0, 1);
    }
}

static void
append_frame (GessoCanvas *self, GtkSnapshot *snapshot)
{
  GessoRect frame = gesso_document_get_frame (self->document);
  GessoRect bounds = gesso_document_get_bounds (self->document);
  graphene_rect_t rect = device_rect (self, &frame);
  int scale = gesso_canvas_scale (self);
  gboolean active = self->tool == GESSO_TOOL_FRAME;
  append_outline (snapshot, &rect, 0, (float) (active ? 2 * scale : scale));
  gboolean covered = self->result.texture || self->preview.texture;
  gboolean whole =
      gesso_rect_equal (&frame, &bounds) && gesso_document_has_picture (self->document);
  if (!active && (whole || covered)) /* no label on a picture */
    return;
  g_autofree char *text = g_strdup_printf ("%d × %d", frame.width, frame.height);
  append_plate (self, snapshot, text, rect.origin.x + 6 * scale, rect.origin.y + 6 * scale, FALSE);
  if (active)
    append_handles (snapshot, &rect, scale);
}

static void
append_divider (GessoCanvas *self, GtkSnapshot *snapshot)
{
  if (self->tool != GESSO_TOOL_COMPARE)
    return;
  int scale = gesso_canvas_scale (self);
  double x = gesso_canvas_divider_x (self) * scale, y = 12.0 * scale;
  if (!gesso_canvas_can_compare (self))
    {
      append_plate (self, snapshot, _ ("Nothing to compare yet: make a picture first"), x, y,
                    FALSE);
      return;
    }
  graphene_rect_t line =
      GRAPHENE_RECT_INIT ((float) x - (float) scale, 0, 2.0f * scale, (float) self->view.height);
  append_outline (snapshot, &line, 0, (float) scale);
  append_plate (self, snapshot, _ ("Before"), x - 8 * scale, y, TRUE);
  append_plate (self, snapshot, _ ("After"), x + 8 * scale, y, FALSE);
  float half = 14.0f * scale;
  graphene_rect_t knob =
      GRAPHENE_RECT_INIT ((float) x - half, self->view.height / 2.0f - half, 2 * half, 2 * half);
  GskRoundedRect round_knob;
  gsk_rounded_rect_init_from_rect (&round_knob, &knob, half);
  gtk_snapshot_push_rounded_clip (snapshot, &round_knob);
  gtk_snapshot_append_color (snapshot, &veil, &knob);
  gtk_snapshot_pop (snapshot);
  append_outline (snapshot, &knob, half, 2.0f * scale);
  append_centred (self, snapshot, "⇆", &knob, 13, &light);
}

static void
append_brush (GessoCanvas *self, GtkSnapshot *snapshot)
{
  gboolean paints = self->tool == GESSO_TOOL_MASK || self->tool == GESSO_TOOL_ERASE;
  double x = self->pointer_x, y = self->pointer_y;
  int scale = gesso_canvas_scale (self);
  if (!paints || (!self->key_cursor && !self->has_pointer) || self->drag == GESSO_DRAG_PAN)
    return;
  if (self->key_cursor)
    gesso_canvas_to_widget (self, self->key_x, self->key_y, &x, &y);
  float cx = (float) x * scale, cy = (float) y * scale;
  float r = MAX ((float) (self->brush.radius * self->view.zoom), 1.5f);
  append_outline (snapshot, &GRAPHENE_RECT_INIT (cx - r, cy - r, 2 * r, 2 * r), r, (float) scale);
  float inner = r * (float) (1 - self->brush.softness);
  if (self->brush.softness > 0.05 && inner > 3)
    {
      GskRoundedRect ring;
      gsk_rounded_rect_init_from_rect (
          &ring, &GRAPHENE_RECT_INIT (cx - inner, cy - inner, 2 * inner, 2 * inner), inner);
      gtk_snapshot_append_border (snapshot, &ring, (const float[4]){ 1, 1, 1, 1 },
                                  (const GdkRGBA[4]){ faint, faint, faint, faint });
    }
  if (!self->key_cursor)
    return;
  float arm = 9.0f * scale, w = (float) scale;
  append_outline (snapshot, &GRAPHENE_RECT_INIT (cx - arm, cy - w / 2, 2 * arm, w), 0, w);
  append_outline (snapshot, &GRAPHENE_RECT_INIT (cx - w / 2, cy - arm, w, 2 * arm), 0, w);
}

static void
append_zone (GessoCanvas *self,
             GtkSnapshot *snapshot,
             double y,
             double height,
             const char *text,
             gboolean hot)
{
  int scale = gesso_canvas_scale (self), inset = ZONE_INSET * scale;
  graphene_rect_t r =
      GRAPHENE_RECT_INIT ((float) inset, (float) y + (float) inset / 2,
                          (float) (self->view.width - 2 * inset), (float) height - (float) inset);
  GskRoundedRect rounded;
  gsk_rounded_rect_init_from_rect (&rounded, &r, 10.0f * scale);
  gtk_snapshot_push_rounded_clip (snapshot, &rounded);
  gtk_snapshot_append_color (snapshot, hot ? &veil_hot : &veil, &r);
  gtk_snapshot_pop (snapshot);
  append_outline (snapshot, &r, 10.0f * scale, (float) ((hot ? 3 : 1) * scale));
  append_centred (self, snapshot, text, &r, hot ? 15 : 13, &light);
}

static void
append_zones (GessoCanvas *self, GtkSnapshot *snapshot)
{
  if (!self->drop_hover)
    return;
  double top = gesso_canvas_mask_zone_top (self) * gesso_canvas_scale (self);
  append_zone (self, snapshot, 0, top, _ ("New Image Here"), self->drop_zone == GESSO_DROP_PICTURE);
  append_zone (self, snapshot, top, self->view.height - top, _ ("Mask From Image"),
               self->drop_zone == GESSO_DROP_MASK);
}

/* In the middle of the widget; below a frame that is too narrow for it, and below the frame's label
 * where they would meet. */
static void
append_invitation (GessoCanvas *self, GtkSnapshot *snapshot)
{
  if (gesso_document_has_picture (self->document) || self->preview.texture ||
      self->result.texture || self->drop_hover)
    return;
  int scale = gesso_canvas_scale (self), plate = PLATE_HEIGHT * scale, width, height;
  g_autoptr (PangoLayout) layout =
      new_text (self, _ ("Type what you want to see, or drop a picture"), 15, FALSE);
  pango_layout_set_width (layout, (int) (self->view.width * 0.8) * PANGO_SCALE);
  pango_layout_set_wrap (layout, PANGO_WRAP_WORD);
  pango_layout_get_pixel_size (layout, &width, &height);
  double x = self->view.width * 0.1, y = (self->view.height - height) / 2.0;
  GessoRect frame = gesso_document_get_frame (self->document);
  graphene_rect_t rect = device_rect (self, &frame);
  double label_top = rect.origin.y, below = label_top + rect.size.height + plate / 2.0;
  if (rect.size.width < width + plate && below + height < self->view.height)
    y = below;
  else if (label_top < y + height && label_top + plate > y)
    y = label_top + plate;
  append_text (snapshot, layout, x, y, &faint);
}

void
gesso_canvas_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  GessoCanvas *self = GESSO_CANVAS (widget);
  float scale = (float) gesso_canvas_scale (self);
  self->software = gesso_compat_is_software (widget);
  gtk_snapshot_save (snapshot);
  gtk_snapshot_scale (snapshot, 1 / scale, 1 / scale);
  gtk_snapshot_append_color (snapshot, &ground,
                             &GRAPHENE_RECT_INIT (0, 0, self->view.width, self->view.height));
  gboolean complete = append_compared (self, snapshot);
  complete &= append_mask (self, snapshot);
  append_invitation (self, snapshot);
  append_frame (self, snapshot);
  append_divider (self, snapshot);
  append_brush (self, snapshot);
  append_zones (self, snapshot);
  gtk_snapshot_restore (snapshot);
  if (!complete && !self->again_id)
    self->again_id = gtk_widget_add_tick_callback (widget, again_cb, NULL, NULL);
}
