/* SPDX-License-Identifier: MPL-2.0
 * gesso-canvas-private.h - the canvas widget's insides, shared by its files:
 * gesso-canvas.c (object, view), -draw.c, -input.c (mouse, pen, touch), -keys.c (actions, keys),
 * -drop.c (pictures from outside).
 */
#pragma once

#include "app/canvas/gesso-canvas.h"
#include "app/canvas/gesso-document-private.h"
#include "app/canvas/gesso-tile-cache.h"

G_BEGIN_DECLS

/* A picture that lies over the document without being part of it. */
typedef struct
{
  GdkTexture *texture; /* NULL: none */
  GessoRect where;     /* empty: the frame */
} GessoOverlay;

typedef enum
{
  GESSO_DRAG_NONE,
  GESSO_DRAG_PAN,
  GESSO_DRAG_PAINT,
  GESSO_DRAG_FRAME,
  GESSO_DRAG_DIVIDER,
  GESSO_DRAG_BRUSH /* Alt + right button: size and softness */
} GessoDragKind;

/* Which sides of the frame a drag moves; all four move the frame. */
typedef enum
{
  GESSO_EDGE_NONE = 0,
  GESSO_EDGE_LEFT = 1,
  GESSO_EDGE_RIGHT = 2,
  GESSO_EDGE_TOP = 4,
  GESSO_EDGE_BOTTOM = 8,
  GESSO_EDGE_ALL = 15
} GessoEdges;

struct _GessoCanvas
{
  GtkWidget parent_instance;

  GessoDocument *document;
  GessoTileCache *picture, *mask, *before;
  GessoOverlay preview, result;

  GessoViewport view;    /* width and height are the widget's, in device pixels */
  double described_zoom; /* what screen readers were told */
  gboolean fitted;       /* follow the widget's size until the user pans or zooms */
  gboolean software;     /* drawn without a GPU */
  guint again_id;        /* tick: some textures were not ready */

  GessoTool tool;
  GessoBrushShape brush;
  double proposed_radius; /* as long as the brush has it, nobody has chosen another */
  gboolean show_mask, finger_paints;
  gboolean mask_rests; /* while a result shows, until the brush comes back */
  gboolean peeking; /* X is held: the picture of before */
  double divider;   /* of the compare tool, 0..1 of the width */

  double pointer_x, pointer_y; /* widget coordinates */
  gboolean has_pointer;
  gboolean key_cursor; /* shown instead of the pointer's outline */
  double key_x, key_y; /* document coordinates */

  GessoDragKind drag;
  double drag_x, drag_y; /* last point of a pan; start of the others; widget coordinates */
  double drag_radius, drag_softness, drag_divider, pinch_zoom;
  double pinch_x, pinch_y;
  GessoEdges drag_edges;
  GessoRect drag_frame;
  gboolean space_held;
  gint64 pen_seen_us; /* monotonic; 0: never */

  GSimpleActionGroup *actions;
  GtkWidget *menu;
  GMenu *menu_model;
  GMenuModel *result_menu; /* on top of it while a result is shown; NULL: none */
  gboolean menu_has_result;
  GCancellable *loading; /* the latest picture wins */
  gboolean drop_hover;
  GessoDropZone drop_zone;
};

int gesso_canvas_scale (GessoCanvas *self);
void gesso_canvas_view_changed (GessoCanvas *self, gboolean by_user);
void gesso_canvas_update_cursor (GessoCanvas *self);
/* What Compare can show: a result over the picture, or what was there before the last one. */
gboolean gesso_canvas_can_compare (GessoCanvas *self);
GessoRect gesso_canvas_overlay_rect (GessoCanvas *self, const GessoOverlay *overlay);
/* The divider's place in widget coordinates. */
double gesso_canvas_divider_x (GessoCanvas *self);
/* Which part of the frame is under a point; GESSO_EDGE_NONE outside. */
GessoEdges gesso_canvas_frame_edges_at (GessoCanvas *self, double x, double y);
void gesso_canvas_fail (GessoCanvas *self, const char *message);
void gesso_canvas_set_peeking (GessoCanvas *self, gboolean peeking);
void gesso_canvas_set_divider (GessoCanvas *self, double divider);

void gesso_canvas_snapshot (GtkWidget *widget, GtkSnapshot *snapshot);
void gesso_canvas_init_input (GessoCanvas *self);
void gesso_canvas_init_actions (GessoCanvas *self);
void gesso_canvas_init_keys (GessoCanvas *self);
void gesso_canvas_init_drop (GessoCanvas *self);
void gesso_canvas_init_menu (GessoCanvas *self);
/* A brush is at work again: the mask lies over the result, too. */
void gesso_canvas_wake_mask (GessoCanvas *self);
gboolean gesso_canvas_shows_mask (GessoCanvas *self);
void gesso_canvas_update_actions (GessoCanvas *self);
/* Emits "picture-dropped" and loads when nobody takes it. */
void gesso_canvas_offer (GessoCanvas *self, GFile *file, GdkTexture *texture, GessoDropZone zone);
GessoDropZone gesso_canvas_zone_at (GessoCanvas *self, double y);
double gesso_canvas_mask_zone_top (GessoCanvas *self);

G_END_DECLS
