/* SPDX-License-Identifier: MPL-2.0
 * gesso-canvas.h - the widget that shows a GessoDocument and paints on its mask.
 */
#pragma once

#include "app/canvas/gesso-document.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef enum
{
  GESSO_TOOL_MOVE,    /* drag pans */
  GESSO_TOOL_MASK,    /* drag paints the mask */
  GESSO_TOOL_ERASE,   /* drag takes mask away */
  GESSO_TOOL_FRAME,   /* drag moves the generation frame, its corners and edges resize it */
  GESSO_TOOL_COMPARE, /* a divider between before and after */
  GESSO_N_TOOLS
} GessoTool;

typedef enum
{
  GESSO_DROP_PICTURE, /* "New Image Here" */
  GESSO_DROP_MASK     /* "Mask From Image" */
} GessoDropZone;

#define GESSO_TYPE_CANVAS (gesso_canvas_get_type ())
G_DECLARE_FINAL_TYPE (GessoCanvas, gesso_canvas, GESSO, CANVAS, GtkWidget)

/* Properties (all notify): "document" (object), "tool" (uint, GessoTool), "brush-radius" (double,
 * document pixels), "brush-softness" (double, 0..1), "pressure-softness" (boolean: the pen's
 * pressure sets softness in place of size), "finger-paints" (boolean), "zoom" (double, read-only,
 * device pixels a document pixel), "show-mask" (boolean), "comparing" (boolean: the divider or the
 * picture of before is shown).
 *
 * Signals
 *   "picture-dropped" (GFile *file, GdkTexture *texture, uint zone) -> gboolean
 *        Dropped or pasted; one of @file and @texture is NULL.  A handler that returns TRUE has
 *        taken it (to read the recipe in it, say, and to call gesso_canvas_load_file itself); else
 *        the canvas loads it.
 *   "files-dropped" (GdkFileList *files) -> gboolean
 *        Several at once, not over the mask's zone; if nobody takes them, the first is loaded.
 *   "picture-loaded" ()               a picture from outside is the document's now
 *   "failed" (string message)         a sentence for a toast
 *   "keep-result", "discard-result", "star-result" ()   Enter, Delete, S: about the filmstrip's
 *   "previous-result", "next-result" ()                 Ctrl+Left, Ctrl+Right
 *   "toggle-panes" ()                 Tab
 *
 * Actions: gesso_canvas_get_actions, under the prefix "canvas" inside the widget; insert them into
 * the window under the same prefix for menus, the tool bar and tests:
 *   tool (state string: move, mask, erase, frame, compare), undo, redo, fit, actual-size, zoom-in,
 *   zoom-out, invert-mask, clear-mask, clear, show-mask (state boolean), compare (state boolean:
 *   shows what was before), brush-larger, brush-smaller, brush-harder, brush-softer, paste,
 *   frame-to-picture */

GtkWidget *gesso_canvas_new (GessoDocument *document);
GessoDocument *gesso_canvas_get_document (GessoCanvas *self);
GActionGroup *gesso_canvas_get_actions (GessoCanvas *self);

GessoTool gesso_canvas_get_tool (GessoCanvas *self);
void gesso_canvas_set_tool (GessoCanvas *self, GessoTool tool);
double gesso_canvas_get_brush_radius (GessoCanvas *self);
void gesso_canvas_set_brush_radius (GessoCanvas *self, double radius);
double gesso_canvas_get_brush_softness (GessoCanvas *self);
void gesso_canvas_set_brush_softness (GessoCanvas *self, double softness);

/* Device pixels a document pixel. */
double gesso_canvas_get_zoom (GessoCanvas *self);
/* gesso_canvas_zoom_at:
 * @x, @y: widget coordinates of the point that stays where it is
 */
void gesso_canvas_zoom_at (GessoCanvas *self, double zoom, double x, double y);
/* Bounds and frame in the middle, as large as they fit, at most 1:1.  Kept while the widget's size
 * changes, until the user pans or zooms. */
void gesso_canvas_fit (GessoCanvas *self);
void gesso_canvas_pan (GessoCanvas *self, double dx, double dy);
void gesso_canvas_to_document (GessoCanvas *self, double x, double y, double *doc_x, double *doc_y);
void gesso_canvas_to_widget (GessoCanvas *self, double doc_x, double doc_y, double *x, double *y);

/* gesso_canvas_set_preview:
 * @rgb: (height, width, 3) sRGB, small (1/8 of the job's size mostly); kept, not copied
 * @where: document rectangle of the job; NULL for the frame
 *
 * Shown over the picture until gesso_canvas_clear_preview; scaled when drawn.
 */
void gesso_canvas_set_preview (
    GessoCanvas *self, GBytes *rgb, int width, int height, const GessoRect *where);
void gesso_canvas_clear_preview (GessoCanvas *self);

/* gesso_canvas_set_result:
 * @result: the filmstrip's selected picture; NULL for none
 * @where: document rectangle of its job; NULL for the frame
 *
 * Shown over the picture without being part of it, until it is kept (gesso_document_put_async) or
 * taken away.  A preview covers it; Compare shows what lies under it.
 */
void gesso_canvas_set_result (GessoCanvas *self, GdkTexture *result, const GessoRect *where);

/* Loads a picture into the document on a thread; failures come as "failed". */
void gesso_canvas_load_file (GessoCanvas *self, GFile *file, GessoDropZone zone);
void gesso_canvas_load_texture (GessoCanvas *self, GdkTexture *texture, GessoDropZone zone);
/* The clipboard's picture or picture file, as if dropped; a sentence by "failed" when it has none.
 */
void gesso_canvas_paste (GessoCanvas *self);

/* The one door for mouse, pen, finger, keys and tests.  Document coordinates; @pressure 0..1. */
void
gesso_canvas_stroke_begin (GessoCanvas *self, double x, double y, double pressure, gboolean eraser);
void gesso_canvas_stroke_move (GessoCanvas *self, double x, double y, double pressure);
void gesso_canvas_stroke_end (GessoCanvas *self);
/* As if it had not begun; no undo step. */
void gesso_canvas_stroke_cancel (GessoCanvas *self);

/* What the context menu has on top while a result lies over the canvas. */
void gesso_canvas_set_result_menu (GessoCanvas *self, GMenuModel *menu);

/* The keys of the canvas, for the shortcuts window and the manual. */
typedef struct
{
  const char *accel;  /* gtk_accelerator_parse; several are separated by a space */
  const char *action; /* "canvas.undo"; NULL for keys that are held or handled by the widget */
  const char *target; /* string parameter of the action; NULL for none */
  const char *title;  /* untranslated, marked with N_() */
} GessoCanvasKey;

const GessoCanvasKey *gesso_canvas_keys (guint *n_keys);

G_END_DECLS
