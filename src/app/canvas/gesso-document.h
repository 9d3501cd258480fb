/* SPDX-License-Identifier: MPL-2.0
 * gesso-document.h - what is on the canvas: a picture, a mask, the generation frame, their history.
 *
 * All coordinates are document pixels; they may be negative, because the document grows to every
 * side.  Its bounds are the rectangle that is shown.  Picture and mask are sparse tiles that are
 * shared copy-on-write: a copy, an undo step or a job for another thread costs no pixels.
 *
 * A GessoDocument belongs to the main thread.  The _async functions copy the tiles' references and
 * work on a thread; everything else takes well under a frame for a picture of any size, unless it
 * says otherwise.
 */
#pragma once

#include "app/canvas/gesso-rect.h"

#include <gio/gio.h>

G_BEGIN_DECLS

enum
{
  GESSO_FRAME_GRID = 8,      /* the frame's position and size are multiples of it */
  GESSO_FRAME_MIN_SIDE = 64, /* pixels */
  GESSO_FRAME_MAX_SIDE = 16384,
  GESSO_DOCUMENT_MAX_COORDINATE = 1 << 20
};

#define GESSO_TYPE_DOCUMENT (gesso_document_get_type ())
G_DECLARE_FINAL_TYPE (GessoDocument, gesso_document, GESSO, DOCUMENT, GObject)

/* What a job needs of the frame.  Free with gesso_frame_pixels_free. */
typedef struct
{
  GessoRect frame;   /* document pixels, as it was when it was asked for */
  int width, height; /* of @rgb and @mask: the size that was asked for */
  GBytes *rgb;       /* (height, width, 3) sRGB; NULL when the frame holds no pixel */
  GBytes *mask;      /* (height, width): 255 = paint anew, 0 = keep; NULL when nothing is masked */
  gboolean has_picture; /* some pixel of the frame is painted */
  gboolean has_holes; /* but not all: those are in @mask, too, and @rgb repeats the nearest edge */
} GessoFramePixels;

void gesso_frame_pixels_free (GessoFramePixels *pixels);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoFramePixels, gesso_frame_pixels_free)

/* Signals
 *   "picture-changed" (int x, y, width, height)   pixels to draw again
 *   "mask-changed"    (int x, y, width, height)
 *   "frame-changed"   ()
 *   "bounds-changed"  ()
 *   "changed"         ()                          whatever a draft has to keep; after the others
 * Properties  "can-undo", "can-redo", "has-picture", "has-mask" (boolean, read-only, notify) */

/* Empty: no picture, a frame of 512 x 512. */
GessoDocument *gesso_document_new (void);

/* What the canvas shows and fits: the picture's rectangle united with what was painted since; the
 * frame's rectangle while there is no picture. */
GessoRect gesso_document_get_bounds (GessoDocument *self);
gboolean gesso_document_has_picture (GessoDocument *self);
gboolean gesso_document_has_mask (GessoDocument *self);
/* Some pixel of the frame is painted: "Change" makes sense.  Exact to a tile. */
gboolean gesso_document_frame_has_picture (GessoDocument *self);
gboolean gesso_document_frame_has_mask (GessoDocument *self);

/* The generation frame.  Snapped to the grid (nearest) and kept between the least and largest side;
 * it may stick out of the bounds.  Not an undo step. */
GessoRect gesso_document_get_frame (GessoDocument *self);
void gesso_document_set_frame (GessoDocument *self, const GessoRect *frame);
/* The same centre, another size; for a shape that was chosen in the form. */
void gesso_document_set_frame_size (GessoDocument *self, int width, int height);

/* gesso_document_extract_frame_async:
 * @width, @height: of the job; 0 for the frame's own size.  Anything else is resampled
 *
 * The frame's pixels and mask for a job, made on a thread from the state at the time of the call.
 */
void gesso_document_extract_frame_async (GessoDocument *self,
                                         int width,
                                         int height,
                                         GCancellable *cancellable,
                                         GAsyncReadyCallback callback,
                                         gpointer user_data);
GessoFramePixels *
gesso_document_extract_frame_finish (GessoDocument *self, GAsyncResult *result, GError **error);
/* The same, on this thread: 5 to 20 ms for 1024 x 1024. */
GessoFramePixels *
gesso_document_extract_frame (GessoDocument *self, int width, int height, GError **error);

/* The whole picture.  Free with gesso_picture_pixels_free. */
typedef struct
{
  int width, height; /* of the bounds */
  GBytes *bgra;      /* (height, width, 4), premultiplied; transparent where nothing was painted */
} GessoPicturePixels;

void gesso_picture_pixels_free (GessoPicturePixels *pixels);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoPicturePixels, gesso_picture_pixels_free)

/* On a thread, from the state at the time of the call.  Fails when there is no picture. */
void gesso_document_extract_picture_async (GessoDocument *self,
                                           GCancellable *cancellable,
                                           GAsyncReadyCallback callback,
                                           gpointer user_data);
GessoPicturePixels *
gesso_document_extract_picture_finish (GessoDocument *self, GAsyncResult *result, GError **error);

/* gesso_document_put_async:
 * @rgb: (height, width, 3) sRGB
 * @where: document rectangle to fill, mostly GessoFramePixels.frame; another size is resampled
 *
 * Puts a result into the picture as one undo step, and remembers what was there for Compare.  The
 * bounds grow, except by the less than GESSO_FRAME_GRID pixels of a frame that was rounded up.
 */
void gesso_document_put_async (GessoDocument *self,
                               GBytes *rgb,
                               int width,
                               int height,
                               const GessoRect *where,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
gboolean gesso_document_put_finish (GessoDocument *self, GAsyncResult *result, GError **error);
/* The same, on this thread. */
gboolean gesso_document_put (GessoDocument *self,
                             GBytes *rgb,
                             int width,
                             int height,
                             const GessoRect *where,
                             GError **error);

/* gesso_document_load_async:
 * @file: a PNG or JPEG file with a local path
 *
 * A new picture in place of the old one and of the mask, as one undo step; decoded and tiled on a
 * thread.  The frame then covers the picture, its sides rounded up to the grid.
 * gesso_document_load_bytes_async takes the bytes of such a file, or with @width > 0 (height,
 * width, 3) sRGB pixels.  gesso_document_load_mask_async lays the picture's brightness over the
 * frame as the mask (white = paint anew).
 */
void gesso_document_load_async (GessoDocument *self,
                                GFile *file,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer user_data);
void gesso_document_load_bytes_async (GessoDocument *self,
                                      GBytes *bytes,
                                      int width,
                                      int height,
                                      gboolean as_mask,
                                      GCancellable *cancellable,
                                      GAsyncReadyCallback callback,
                                      gpointer user_data);
void gesso_document_load_mask_async (GessoDocument *self,
                                     GFile *file,
                                     GCancellable *cancellable,
                                     GAsyncReadyCallback callback,
                                     gpointer user_data);
/* For all three. */
gboolean gesso_document_load_finish (GessoDocument *self, GAsyncResult *result, GError **error);

/* Everything away as one undo step; the frame stays. */
void gesso_document_clear (GessoDocument *self);
void gesso_document_clear_mask (GessoDocument *self);
/* Within the bounds. */
void gesso_document_invert_mask (GessoDocument *self);

gboolean gesso_document_can_undo (GessoDocument *self);
gboolean gesso_document_can_redo (GessoDocument *self);
/* Returns: FALSE when there was nothing to do, or, with @error, when a step that lay in the
 * temporary file could not be read back */
gboolean gesso_document_undo (GessoDocument *self, GError **error);
gboolean gesso_document_redo (GessoDocument *self, GError **error);

/* The document as one block of bytes with checksums (a draft, a .gesso file), without its history.
 * Tiles that did not change since the last time are not compressed again. */
void gesso_document_serialise_async (GessoDocument *self,
                                     GCancellable *cancellable,
                                     GAsyncReadyCallback callback,
                                     gpointer user_data);
GBytes *gesso_document_serialise_finish (GessoDocument *self, GAsyncResult *result, GError **error);
GBytes *gesso_document_serialise (GessoDocument *self);
/* Replaces everything and forgets the history.  Damaged bytes: FALSE, @error, and @self is as it
 * was. */
void gesso_document_restore_async (GessoDocument *self,
                                   GBytes *bytes,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data);
gboolean gesso_document_restore_finish (GessoDocument *self, GAsyncResult *result, GError **error);
gboolean gesso_document_restore (GessoDocument *self, GBytes *bytes, GError **error);
/* Whether the signals that come now tell of that, and of nothing that a user did. */
gboolean gesso_document_is_restoring (GessoDocument *self);

G_END_DECLS
