/* SPDX-License-Identifier: MPL-2.0
 * gesso-history.h - undo and redo without limit, by the tiles that each step replaced.
 */
#pragma once

#include "app/canvas/gesso-state.h"

G_BEGIN_DECLS

/* What a step changed, as it was before; after an undo, as it was after. */
typedef struct _GessoStep GessoStep;

GessoStep *gesso_step_new (void);
void gesso_step_free (GessoStep *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoStep, gesso_step_free)
/* @tile: (nullable): as it was; shared */
void gesso_step_add_tile (GessoStep *self, GessoLayer layer, int tx, int ty, GessoTile *tile);
/* The tiles of @plane that the step does not have yet, as empty ones. */
void gesso_step_add_missing (GessoStep *self, GessoLayer layer, const GessoPlane *plane);
gboolean gesso_step_is_empty (const GessoStep *self);
void gesso_step_set_bounds (GessoStep *self, const GessoRect *bounds);
void gesso_step_set_frame (GessoStep *self, const GessoRect *frame);

/* What an undo or redo changed. */
typedef struct
{
  GessoRect layers[GESSO_N_LAYERS]; /* empty: untouched */
  gboolean bounds, frame;
} GessoChanges;

typedef struct _GessoHistory GessoHistory;

enum
{
  GESSO_HISTORY_MEMORY_MIB = 256 /* beyond it the oldest steps go to the temporary file */
};

GessoHistory *gesso_history_new (gsize memory_bytes);
void gesso_history_free (GessoHistory *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoHistory, gesso_history_free)

/* @step: (transfer full); forgets what could be redone */
void gesso_history_push (GessoHistory *self, GessoStep *step);
void gesso_history_clear (GessoHistory *self);
guint gesso_history_get_n_undo (const GessoHistory *self);
guint gesso_history_get_n_redo (const GessoHistory *self);
/* gesso_history_undo, gesso_history_redo:
 *
 * Exchanges the step's tiles with those of @state.
 *
 * Returns: FALSE without an error when there is no step, with one when its tiles could not be read
 * back; @state is unchanged in both cases
 */
gboolean
gesso_history_undo (GessoHistory *self, GessoState *state, GessoChanges *changes, GError **error);
gboolean
gesso_history_redo (GessoHistory *self, GessoState *state, GessoChanges *changes, GError **error);

/* Bytes that only history holds; 0 once everything is spilled. */
gsize gesso_history_get_memory_bytes (const GessoHistory *self);
gboolean gesso_history_is_over (const GessoHistory *self);
/* gesso_history_spill:
 * @max_bytes: stop after so many
 *
 * Moves tiles of the oldest steps to the file while memory is over the bound.  Call it when idle.
 *
 * Returns: TRUE when there is more to do and the file took what there was
 */
gboolean gesso_history_spill (GessoHistory *self, gsize max_bytes);

G_END_DECLS
