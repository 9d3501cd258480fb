/* SPDX-License-Identifier: MPL-2.0
 * runner-decode.c - from the last latent to pictures: what hours of denoising must not be lost to.
 */
#include <stdio.h>
#include <string.h>

#include "core/available.h"
#include "core/mem.h"
#include "worker/runner-private.h"

enum
{
  MAX_OPEN_PICTURES = 2, /* given away but not safe yet, while the next is decoded */
  LARGE_SHARE = 3,       /* a third of what is free */
  MAX_STARTS = 2         /* a decoding that began so often and never ended killed the program */
};

/* Sides of the tiles that are tried where memory is short, pixels. */
static const int smaller_tiles[] = { 1024, 768, 512, 384, 256, 192, 128 };

/* Returns: the next tile size below the present one; 0 when there is none */
static int
smaller_tile (const Batch *b)
{
  int width = b->job.width, height = b->job.height, whole = width > height ? width : height;
  int now = b->tile_px > 0 ? b->tile_px : b->job.vae_tile > 0 ? b->job.vae_tile : whole;
  if (now > whole)
    now = whole;
  for (size_t i = 0; i < sizeof smaller_tiles / sizeof *smaller_tiles; i++)
    if (smaller_tiles[i] < now)
      return smaller_tiles[i];
  return 0;
}

static bool
use_smaller_tiles (Batch *b, const char *why)
{
  char sentence[STATUS_MESSAGE_SIZE];
  int tile = smaller_tile (b);
  if (tile == 0)
    return false;
  b->tile_px = tile;
  snprintf (sentence, sizeof sentence,
            status_text ("%s: the picture is decoded in tiles of %d pixels."), status_text (why),
            tile);
  batch_note (b, sentence);
  return true;
}

/* Returns: bytes that programs may still take; 0 when not known */
static size_t
free_bytes (const Runner *r)
{
  return r->free_mib > 0 ? (size_t) r->free_mib << 20 : available_bytes ();
}

/* The system ends a program that takes too much memory without a word; that the journal says how
 * often this picture's decoding began is all there is to know it by.  A decoding that needs little
 * of what is free was ended by something else, and keeps its tiles. */
static void
begin_decoding (Batch *b, int index)
{
  bool again = b->old.recipe && b->old.decode_picture == index;
  int before = again ? b->old.decode_started : 0;
  b->journal.decode_picture = index;
  b->journal.decode_started = before + 1;
  bool large = b->decode_bytes > free_bytes (b->runner) / LARGE_SHARE;
  for (int i = MAX_STARTS; large && i <= before; i++)
    if (!use_smaller_tiles (b,
                            STATUS_MARK ("Decoding ended the program more than once, it may need "
                                         "too much memory")))
      break;
  batch_write_journal (b);
}

bool
batch_decode_one (Batch *b, int index, BatchDecode decode, void *data, Status *status)
{
  const BatchControl *control = b->spec->control;
  begin_decoding (b, index);
  for (;;)
    {
      Status one = { 0 };
      control_sleep (control, b->runner->null_step_ms);
      if (control_get (control) != WISH_NONE)
        return status_fail (status, STATUS_CANCELLED, "Cancelled.");
      if (decode (b, index, data, &one))
        return true;
      if (one.code != STATUS_NO_MEMORY || !use_smaller_tiles (b, STATUS_MARK ("Memory is short")))
        return status_fail (status, one.code, "%s", one.message);
    }
}

/* A picture without its adapters' hashes is better than none. */
static bool
take_adapter_hashes (const Batch *b, Recipe *recipe, Status *status)
{
  Status one = { 0 };
  char note[STATUS_MESSAGE_SIZE];
  bool ok = job_adapters_hash (recipe, &b->spec->control->cancel, note, &one);
  if (ok && *note)
    batch_note (b, note);
  if (ok || one.code == STATUS_CANCELLED)
    return ok || status_fail (status, one.code, "%s", one.message);
  batch_note (b, one.message);
  return true;
}

/* A picture without its model's hash is better than none. */
static bool
take_hash (Batch *b, Recipe *recipe, Status *status)
{
  Status one = { 0 };
  if (!take_adapter_hashes (b, recipe, status))
    return false;
  const char *hash = hasher_wait (b->runner->hasher, b->spec->control, &one);
  if (hash)
    return !*hash || recipe_set (recipe, "model_hash", hash, status);
  if (one.code == STATUS_CANCELLED)
    return status_fail (status, one.code, "%s", one.message);
  batch_note (b, one.message);
  return true;
}

char *
batch_picture_recipe (Batch *b, int index, Status *status)
{
  Recipe one;
  recipe_init (&one);
  char *json = NULL;
  if (recipe_copy (&one, &b->recipe, status) && take_hash (b, &one, status))
    {
      one.seed += (uint64_t) index;
      one.batch_size = one.batch_count = 1;
      if (b->tile_px > 0)
        one.vae_tile = b->tile_px;
      json = recipe_to_json (&one, status);
    }
  recipe_clear (&one);
  return json;
}

/* Laid over the start picture where only a masked part was drawn. */
static bool
give_picture (Batch *b, int index, const uint8_t *rgb, Status *status)
{
  Image whole = { 0 };
  char *recipe = batch_picture_recipe (b, index, status);
  bool ok = recipe &&
            job_inputs_finish (&b->inputs, rgb, b->job.width, b->job.height, &whole, status) &&
            b->events->picture (b->events->data, index, whole.rgb, whole.width, whole.height,
                                recipe, status);
  image_clear (&whole);
  mem_free (recipe);
  return ok;
}

static bool
decode_picture (Batch *b, int index, void *rgb, Status *status)
{
  return pipeline_run_decode (b->run, index, b->tile_px, rgb, status);
}

static bool
make_picture (Batch *b, int index, uint8_t *rgb, Status *status)
{
  double began = clock_seconds ();
  if (b->job.n_frames > 1)
    return batch_make_clip (b, index, status);
  if (!batch_decode_one (b, index, decode_picture, rgb, status))
    return false;
  b->runner->eta.decode = clock_seconds () - began;
  b->n_decoded++;
  return give_picture (b, index, rgb, status);
}

bool
batch_decode (Batch *b, Status *status)
{
  size_t n_bytes = (size_t) b->job.width * (size_t) b->job.height * 3;
  uint8_t *rgb = mem_calloc (n_bytes, 1);
  b->journal.decode_picture = -1;
  batch_write_journal (b);
  bool ok = rgb || status_fail (status, STATUS_NO_MEMORY,
                                "There is no memory for the picture: close other programs and "
                                "retry, the batch goes on from its last step.");
  b->events->progress (b->events->data, phase_name (PHASE_DECODE), 0, b->n_wanted,
                       eta_left (&b->runner->eta, 0, b->n_wanted));
  for (int i = 0; ok && i < b->job.batch_size; i++)
    if (!batch_skips (b, i))
      ok = b->events->settle (b->events->data, MAX_OPEN_PICTURES - 1, status) &&
           make_picture (b, i, rgb, status);
  mem_free (rgb);
  return ok;
}
