/* SPDX-License-Identifier: MPL-2.0
 * gesso-history.c - undo and redo without limit, by the tiles that each step replaced.
 *
 * A step holds references to tiles as they were.  Undo exchanges them with those of the document,
 * after which the same step is its own redo, bit for bit.  Steps nearest to now stay in memory; the
 * farthest ones are written to a file first (of the undo stack its bottom, then of the redo stack).
 */
#include "app/canvas/gesso-history.h"

#include "app/canvas/gesso-spill.h"

typedef struct
{
  GessoLayer layer;
  int tx, ty;
  GessoTile *tile; /* NULL: empty, or lying in the file */
  GessoSpillExtent extent;
  gsize counted_bytes; /* in the history's memory_bytes */
} StepTile;

struct _GessoStep
{
  GArray *tiles; /* StepTile */
  gsize memory_bytes;
  GessoRect bounds, frame;
  gboolean has_bounds, has_frame;
};

struct _GessoHistory
{
  GPtrArray *undo, *redo; /* GessoStep, the next one to be taken last */
  GessoSpill *spill;
  gsize memory_bytes, max_bytes;
};

static void
step_tile_clear (gpointer data)
{
  g_clear_pointer (&((StepTile *) data)->tile, gesso_tile_unref);
}

GessoStep *
gesso_step_new (void)
{
  GessoStep *self = g_new0 (GessoStep, 1);
  self->tiles = g_array_new (FALSE, FALSE, sizeof (StepTile));
  g_array_set_clear_func (self->tiles, step_tile_clear);
  return self;
}

void
gesso_step_free (GessoStep *self)
{
  g_array_unref (self->tiles);
  g_free (self);
}

void
gesso_step_add_tile (GessoStep *self, GessoLayer layer, int tx, int ty, GessoTile *tile)
{
  StepTile item = { layer, tx, ty, tile ? gesso_tile_ref (tile) : NULL, { 0 }, 0 };
  g_array_append_val (self->tiles, item);
}

gboolean
gesso_step_is_empty (const GessoStep *self)
{
  return self->tiles->len == 0;
}

void
gesso_step_add_missing (GessoStep *self, GessoLayer layer, const GessoPlane *plane)
{
  g_autoptr (GessoPlane) known =
      gesso_plane_new (gesso_plane_get_tile_side (plane), GESSO_MASK_BPP);
  for (guint i = 0; i < self->tiles->len; i++)
    {
      const StepTile *item = &g_array_index (self->tiles, StepTile, i);
      if (item->layer == layer && item->tile)
        gesso_plane_set (known, item->tx, item->ty, item->tile);
    }
  GessoPlaneIter iter;
  int tx, ty;
  GessoTile *tile;
  gesso_plane_iter_init (&iter, plane);
  while (gesso_plane_iter_next (&iter, &tx, &ty, &tile))
    if (!gesso_plane_peek (known, tx, ty))
      gesso_step_add_tile (self, layer, tx, ty, NULL);
}

void
gesso_step_set_bounds (GessoStep *self, const GessoRect *bounds)
{
  self->bounds = *bounds;
  self->has_bounds = TRUE;
}

void
gesso_step_set_frame (GessoStep *self, const GessoRect *frame)
{
  self->frame = *frame;
  self->has_frame = TRUE;
}

GessoHistory *
gesso_history_new (gsize memory_bytes)
{
  GessoHistory *self = g_new0 (GessoHistory, 1);
  self->undo = g_ptr_array_new_with_free_func ((GDestroyNotify) gesso_step_free);
  self->redo = g_ptr_array_new_with_free_func ((GDestroyNotify) gesso_step_free);
  self->spill = gesso_spill_new ();
  self->max_bytes = memory_bytes;
  return self;
}

void
gesso_history_free (GessoHistory *self)
{
  g_ptr_array_unref (self->undo);
  g_ptr_array_unref (self->redo);
  gesso_spill_free (self->spill);
  g_free (self);
}

static StepTile *
step_tile (GessoStep *step, guint i)
{
  return &g_array_index (step->tiles, StepTile, i);
}

/* The step's tiles are in memory (again). */
static void
count_step (GessoHistory *self, GessoStep *step)
{
  self->memory_bytes -= step->memory_bytes;
  step->memory_bytes = 0;
  for (guint i = 0; i < step->tiles->len; i++)
    {
      StepTile *item = step_tile (step, i);
      item->counted_bytes = item->tile ? gesso_tile_get_size_bytes (item->tile) : 0;
      step->memory_bytes += item->counted_bytes;
    }
  self->memory_bytes += step->memory_bytes;
}

static void
forget_steps (GessoHistory *self, GPtrArray *steps)
{
  for (guint i = 0; i < steps->len; i++)
    {
      GessoStep *step = steps->pdata[i];
      self->memory_bytes -= step->memory_bytes;
      for (guint j = 0; j < step->tiles->len; j++)
        gesso_spill_forget (self->spill, &step_tile (step, j)->extent);
    }
  g_ptr_array_set_size (steps, 0);
}

void
gesso_history_push (GessoHistory *self, GessoStep *step)
{
  forget_steps (self, self->redo);
  g_ptr_array_add (self->undo, step);
  count_step (self, step);
}

void
gesso_history_clear (GessoHistory *self)
{
  forget_steps (self, self->undo);
  forget_steps (self, self->redo);
}

guint
gesso_history_get_n_undo (const GessoHistory *self)
{
  return self->undo->len;
}

guint
gesso_history_get_n_redo (const GessoHistory *self)
{
  return self->redo->len;
}

/* All of a step's tiles into memory, before anything is changed. */
static gboolean
fetch_step (GessoHistory *self, GessoStep *step, const GessoState *state, GError **error)
{
  for (guint i = 0; i < step->tiles->len; i++)
    {
      StepTile *item = step_tile (step, i);
      if (item->extent.n_bytes == 0)
        continue;
      int bpp = item->layer == GESSO_LAYER_MASK ? GESSO_MASK_BPP : GESSO_PICTURE_BPP;
      item->tile =
          gesso_spill_read (self->spill, &item->extent,
                            gesso_plane_get_tile_side (state->layers[item->layer]), bpp, error);
      if (!item->tile)
        return FALSE;
      gesso_spill_forget (self->spill, &item->extent);
    }
  return TRUE;
}

static void
swap_rects (GessoRect *a, GessoRect *b)
{
  GessoRect kept = *a;
  *a = *b;
  *b = kept;
}

static void
exchange (GessoStep *step, GessoState *state, GessoChanges *changes)
{
  *changes = (GessoChanges){ 0 };
  for (guint i = 0; i < step->tiles->len; i++)
    {
      StepTile *item = step_tile (step, i);
      GessoPlane *plane = state->layers[item->layer];
      GessoTile *now = gesso_plane_peek (plane, item->tx, item->ty);
      g_autoptr (GessoTile) then = g_steal_pointer (&item->tile);
      item->tile = now ? gesso_tile_ref (now) : NULL;
      gesso_plane_set (plane, item->tx, item->ty, then);
      GessoRect area = gesso_plane_tile_rect (plane, item->tx, item->ty);
      changes->layers[item->layer] = gesso_rect_union (&changes->layers[item->layer], &area);
    }
  if (step->has_bounds)
    swap_rects (&step->bounds, &state->bounds);
  if (step->has_frame)
    swap_rects (&step->frame, &state->frame);
  changes->bounds = step->has_bounds;
  changes->frame = step->has_frame;
}

static gboolean
take_step (GessoHistory *self,
           GPtrArray *from,
           GPtrArray *to,
           GessoState *state,
           GessoChanges *changes,
           GError **error)
{
  if (from->len == 0)
    return FALSE;
  GessoStep *step = from->pdata[from->len - 1];
  gboolean ok = fetch_step (self, step, state, error);
  if (ok)
    {
      exchange (step, state, changes);
      g_ptr_array_add (to, g_ptr_array_steal_index (from, from->len - 1));
    }
  count_step (self, step);
  return ok;
}

gboolean
gesso_history_undo (GessoHistory *self, GessoState *state, GessoChanges *changes, GError **error)
{
  return take_step (self, self->undo, self->redo, state, changes, error);
}

gboolean
gesso_history_redo (GessoHistory *self, GessoState *state, GessoChanges *changes, GError **error)
{
  return take_step (self, self->redo, self->undo, state, changes, error);
}

gsize
gesso_history_get_memory_bytes (const GessoHistory *self)
{
  return self->memory_bytes;
}

gboolean
gesso_history_is_over (const GessoHistory *self)
{
  return self->memory_bytes > self->max_bytes;
}

/* Returns: FALSE when the file does not take more */
static gboolean
spill_step (GessoHistory *self, GessoStep *step, gsize *budget_bytes)
{
  for (guint i = 0; i<step->tiles->len && * budget_bytes> 0; i++)
    {
      StepTile *item = step_tile (step, i);
      if (!item->tile)
        continue;
      gsize n = item->counted_bytes;
      /* One that the document or another step still holds would not free anything. */
      if (!gesso_tile_is_shared (item->tile))
        {
          if (!gesso_spill_write (self->spill, item->tile, &item->extent))
            return FALSE;
          g_clear_pointer (&item->tile, gesso_tile_unref);
          *budget_bytes -= MIN (*budget_bytes, n);
        }
      item->counted_bytes = 0;
      step->memory_bytes -= n;
      self->memory_bytes -= n;
    }
  return TRUE;
}

gboolean
gesso_history_spill (GessoHistory *self, gsize max_bytes)
{
  GPtrArray *stacks[] = { self->undo, self->redo };
  for (int s = 0; s < 2; s++)
    for (guint i = 0; i < stacks[s]->len && gesso_history_is_over (self); i++)
      {
        GessoStep *step = stacks[s]->pdata[i];
        if (step->memory_bytes > 0 && !spill_step (self, step, &max_bytes))
          return FALSE;
        if (max_bytes == 0)
          return gesso_history_is_over (self);
      }
  return FALSE;
}
