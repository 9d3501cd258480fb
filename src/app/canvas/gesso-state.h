/* SPDX-License-Identifier: MPL-2.0
 * gesso-state.h - the contents of a document at one moment, without its history.
 *
 * A copy shares all tiles and is cheap; this is what threads work on.
 */
#pragma once

#include "app/canvas/gesso-document.h"
#include "app/canvas/gesso-plane.h"

G_BEGIN_DECLS

enum
{
  GESSO_PICTURE_MAX_TILES = 2048, /* 2 GiB; 536 megapixels */
  GESSO_MASK_MAX_TILES = 4 * GESSO_PICTURE_MAX_TILES
};

/* One of each today; more picture layers get further numbers. */
typedef enum
{
  GESSO_LAYER_PICTURE,
  GESSO_LAYER_MASK,
  GESSO_N_LAYERS
} GessoLayer;

typedef struct
{
  GessoPlane *layers[GESSO_N_LAYERS];
  GessoRect bounds; /* empty: no picture */
  GessoRect frame;
} GessoState;

GessoPlane *gesso_layer_new_plane (GessoLayer layer);
void gesso_state_init (GessoState *self);
void gesso_state_clear (GessoState *self);
GessoState *gesso_state_copy (const GessoState *self);
void gesso_state_free (GessoState *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoState, gesso_state_free)

/* To the grid, the least and largest side and the coordinates that are allowed. */
GessoRect gesso_frame_snap (const GessoRect *frame);
/* The frame that covers @rect: at least its size, sides rounded up. */
GessoRect gesso_frame_around (const GessoRect *rect);

/* A document of these bounds is not too large: an area of GESSO_PICTURE_MAX_TILES. */
gboolean gesso_bounds_are_allowed (const GessoRect *bounds);

/* gesso_state_extract: from any thread; see gesso_document_extract_frame. */
GessoFramePixels *
gesso_state_extract (const GessoState *self, int width, int height, GError **error);

/* From any thread; see gesso_document_extract_picture_async. */
GessoPicturePixels *gesso_state_extract_picture (const GessoState *self, GError **error);

/* Pixels that were made ready on a thread to be laid over a layer. */
typedef struct
{
  GessoPlane *plane;
  GessoRect area; /* of @plane, what counts */
} GessoPatch;

void gesso_patch_free (GessoPatch *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoPatch, gesso_patch_free)

/* What a patch is made of: a file, its bytes, or with @width > 0 pixels. */
typedef struct
{
  char *path;
  GBytes *bytes;
  int width, height;
} GessoPatchSource;

/* gesso_patch_new:
 * @where: NULL for the picture's own size at the origin; else it is resampled
 * @clip: NULL, or the part of @where that counts
 *
 * For GESSO_LAYER_MASK the brightness of the picture counts.  Slow: from a thread.
 */
GessoPatch *gesso_patch_new (GessoLayer layer,
                             const GessoPatchSource *source,
                             const GessoRect *where,
                             const GessoRect *clip,
                             GCancellable *cancellable,
                             GError **error);

/* See gesso-document-format.c for the format; both from any thread. */
GBytes *gesso_state_serialise (const GessoState *self);
GessoState *gesso_state_new_from_bytes (GBytes *bytes, GError **error);

G_END_DECLS
