/* SPDX-License-Identifier: MPL-2.0
 * test-clip-vae.c - clips in chunks and tiles: memory that does not grow, seams that do not show,
 * ends that leave nothing behind.
 *
 * The model is the small Wan 2.1 VAE of tests/golden.
 */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "pipelines/clip-frames.h"
#include "pipelines/clip-vae.h"

typedef struct
{
  Checkpoint *checkpoint;
  Arena arena;
  Backend *backend;
  ClipVae v;
} Model;

static void
model_open (Model *m, const char *name)
{
  Status status = { 0 };
  const char *root = g_getenv ("GESSO_SOURCE");
  g_autofree char *path =
      g_build_filename (root ? root : ".", "tests/golden/fixtures/wan-vae", name, NULL);
  *m = (Model){ .checkpoint = checkpoint_open (path, false, &status) };
  g_assert_cmpstr (status.message, ==, "");
  m->backend = backend_cpu_new (NULL, 1, &status);
  Binder b = { m->checkpoint->weights, &m->arena, &status };
  m->v = (ClipVae){ .config = &m->checkpoint->config.wan_vae, .backend = m->backend };
  m->v.vae = wan_vae_bind (&b, m->v.config, VAE_DECODER | VAE_ENCODER);
  g_assert_cmpstr (status.message, ==, "");
}

static void
model_close (Model *m)
{
  arena_clear (&m->arena);
  checkpoint_free (m->checkpoint);
  backend_free (m->backend);
}

/* Smooth latents, as real ones mostly are: a few slow waves a channel. */
static float *
latents_new (const Model *m, ClipSize s)
{
  int64_t n = s.t * s.h * s.w;
  float *z = g_new (float, (gsize) (n * m->v.config->latent_channels));
  for (int64_t i = 0; i < n * m->v.config->latent_channels; i++)
    {
      double x = (double) (i % s.w), y = (double) (i / s.w % s.h),
             t = (double) (i / s.w / s.h % s.t);
      double k = (double) (i / n);
      z[i] = (float) (sin (0.35 * x + k) * cos (0.27 * y - 2 * k + 0.4 * t));
    }
  return z;
}

typedef struct
{
  GByteArray *frames; /* NULL: frames are only counted */
  gint64 n_bytes;     /* of a frame */
  gint64 n, stop_at;  /* -1: never */
  atomic_bool *cancel;
} Taken;

static bool
take_frame (void *data, int64_t index, const uint8_t *rgb, Status *status)
{
  Taken *t = data;
  g_assert_cmpint (index, ==, t->n++);
  if (t->frames)
    g_byte_array_append (t->frames, rgb, (guint) t->n_bytes);
  if (t->cancel)
    atomic_store (t->cancel, true);
  if (index == t->stop_at)
    return status_fail (status, STATUS_IO, "The disk is full.");
  return true;
}

static GByteArray *
decode (Model *m, ClipSize size, const float *latents, int tile_px)
{
  Status status = { 0 };
  int f = wan_vae_factor (m->v.config);
  Taken film = { .frames = g_byte_array_new (),
                 .n_bytes = size.h * size.w * f * f * CLIP_COLOURS,
                 .stop_at = -1 };
  m->v.tile_px = tile_px;
  g_assert_true (clip_vae_decode (&m->v, size, latents, take_frame, &film, &status));
  g_assert_cmpint (film.n, ==, wan_vae_frames (size.t));
  return film.frames;
}

static void
test_clip_vae_shares_sum_to_one (void)
{
  static const TileAxis axes[] = {
    { 7, 7, 0, 1 }, { 9, 6, 3, 2 }, { 20, 9, 4, 4 }, { 64, 20, 5, 4 }
  };
  for (gsize a = 0; a < G_N_ELEMENTS (axes); a++)
    {
      g_autofree float *sum = g_new0 (float, (gsize) axes[a].total);
      for (int i = 0; i < axes[a].n; i++)
        for (int64_t p = 0; p < axes[a].size; p++)
          sum[tile_start (&axes[a], i) + p] += tile_share (&axes[a], i, p);
      for (int64_t p = 0; p < axes[a].total; p++)
        g_assert_cmpfloat_with_epsilon (sum[p], 1, 1e-6);
    }
}

/* Through patches, tiles and 16 bits a byte comes back as it was. */
static void
test_clip_vae_canvas_keeps_bytes (void)
{
  enum
  {
    H = 24,
    W = 40
  };
  TileAxis y = { 3, 2, 1, 2 }, x = { 5, 3, 1, 2 };
  Status status = { 0 };
  uint8_t bytes[H * W * CLIP_COLOURS], back[sizeof bytes];
  float frame[H * W * CLIP_COLOURS], patches[16 * 24 * CLIP_COLOURS];
  ClipCanvas canvas;
  for (gsize i = 0; i < sizeof bytes; i++)
    {
      bytes[i] = (uint8_t) (i * 7 + i / 11);
      frame[i] = (float) bytes[i] / 127.5f - 1;
    }
  g_assert_true (clip_canvas_init (&canvas, 2, H, W, &status));
  for (int round = 0; round < 2; round++)
    {
      for (int i = 0; i < 4; i++)
        {
          ClipTile tile;
          g_assert_true (clip_tile_init (&tile, &y, i / 2, &x, i % 2, 8, &status));
          clip_tile_cut (&tile, 2, frame, W, patches);
          clip_canvas_add (&canvas, 1, &tile, 2, patches);
          clip_tile_clear (&tile);
        }
      clip_canvas_take (&canvas, 1, back);
      g_assert_cmpmem (back, sizeof back, bytes, sizeof bytes);
    }
  clip_canvas_clear (&canvas);
}

static void
test_clip_vae_memory_does_not_grow (void)
{
  Model m;
  Status status = { 0 };
  PhasePlan shorter, longer;
  model_open (&m, "wan21");
  for (int direction = CLIP_DECODE; direction <= CLIP_ENCODE; direction++)
    {
      g_assert_true (clip_vae_plan (&m.v, (ClipSize){ 5, 6, 8 }, direction, &shorter, &status));
      g_assert_true (clip_vae_plan (&m.v, (ClipSize){ 21, 6, 8 }, direction, &longer, &status));
      g_assert_cmpuint (shorter.activation_bytes, ==, longer.activation_bytes);
      g_assert_cmpint (shorter.n_passes, ==, 5);
      g_assert_cmpint (longer.n_passes, ==, 21);
    }
  model_close (&m);
}

/* A clip's beginning does not depend on what follows. */
static void
test_clip_vae_is_causal (void)
{
  Model m;
  model_open (&m, "wan21");
  ClipSize longer = { 3, 3, 4 }, shorter = { 2, 3, 4 };
  g_autofree float *z = latents_new (&m, longer), *head = g_new (float, 16 * 2 * 12);
  for (int k = 0; k < 16; k++)
    memcpy (head + k * 24, z + k * 36, 24 * sizeof *head);
  g_autoptr (GByteArray) all = decode (&m, longer, z, 0), begin = decode (&m, shorter, head, 0);
  g_assert_cmpmem (all->data, begin->len, begin->data, begin->len);
  model_close (&m);
}

/* How much the pictures' difference steps from column @x - 1 to @x, on average. */
static double
step_at (const GByteArray *a, const GByteArray *b, gint64 side, gint64 x)
{
  gint64 n_rows = a->len / CLIP_COLOURS / side;
  double sum = 0;
  for (gint64 row = 0; row < n_rows; row++)
    for (int c = 0; c < CLIP_COLOURS; c++)
      {
        gint64 i = (row * side + x) * CLIP_COLOURS + c;
        int here = a->data[i] - b->data[i];
        sum += ABS (here - (a->data[i - CLIP_COLOURS] - b->data[i - CLIP_COLOURS]));
      }
  return sum / (double) (n_rows * CLIP_COLOURS);
}

/* A tile does not see what lies beside it, so tiles differ from the whole clip, with random weights
 * much.  But where a tile begins or ends the difference steps no more than it does elsewhere. */
static void
test_clip_vae_shows_no_seams (void)
{
  enum
  {
    LATENTS = 20,
    SIDE = 8 * LATENTS,
    TILE = 112, /* two tiles, of which 64 pixels are common */
    FIRST_BORDER = SIDE - TILE
  };
  Model m;
  ClipSize size = { 2, LATENTS, LATENTS };
  model_open (&m, "wan21");
  g_autofree float *z = latents_new (&m, size);
  g_autoptr (GByteArray) whole = decode (&m, size, z, 0), tiled = decode (&m, size, z, TILE);
  double common = 0;
  for (gint64 x = FIRST_BORDER; x < TILE; x++)
    common += step_at (whole, tiled, SIDE, x) / (TILE - FIRST_BORDER);
  double begin = step_at (whole, tiled, SIDE, FIRST_BORDER);
  double end = step_at (whole, tiled, SIDE, TILE);
  g_test_message ("steps of %.2f, at the borders %.2f and %.2f", common, begin, end);
  g_assert_cmpfloat (common, >, 0);
  g_assert_cmpfloat (begin, <, 1.2 * common);
  g_assert_cmpfloat (end, <, 1.2 * common);
  model_close (&m);
}

/* Frames behind skipped ones are those of the whole clip, to the bit, though of what lies far
 * before them nothing is decoded, and of what lies nearer only the coarse levels. */
static void
test_clip_vae_skips (void)
{
  static const struct
  {
    const char *model;
    int tile_px;
  } cases[] = { { "wan21", 0 }, { "wan21", 16 }, { "wan22", 0 } };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Model m;
      PhasePlan all, some;
      Status status = { 0 };
      model_open (&m, cases[i].model);
      int64_t reach = 1;
      while (wan_vae_decode_levels (m.v.config, reach) > 0)
        reach++;
      ClipSize size = { reach + 4, 2, 3 };
      g_autofree float *z = latents_new (&m, size);
      g_autoptr (GByteArray) whole = decode (&m, size, z, cases[i].tile_px);
      g_assert_true (clip_vae_plan (&m.v, size, CLIP_DECODE, &all, &status));
      const int64_t skips[] = { 5, wan_vae_frames (reach + 2), wan_vae_frames (size.t) - 1 };
      for (gsize k = 0; k < G_N_ELEMENTS (skips); k++)
        {
          gint64 n_bytes = (gint64) whole->len / wan_vae_frames (size.t);
          g_autoptr (GByteArray) frames = g_byte_array_new ();
          Taken film = { .frames = frames, .n_bytes = n_bytes, .n = skips[k], .stop_at = -1 };
          m.v.n_skip = skips[k];
          g_assert_true (clip_vae_decode (&m.v, size, z, take_frame, &film, &status));
          g_assert_cmpmem (frames->data, frames->len, whole->data + skips[k] * n_bytes,
                           (gsize) (whole->len - skips[k] * n_bytes));
        }
      g_assert_true (clip_vae_plan (&m.v, size, CLIP_DECODE, &some, &status));
      g_test_message ("%s: %lld latents reach ahead; %.0f and %.0f MFLOP", cases[i].model,
                      (long long) reach - 1, 1e-6 * all.flops * all.n_passes,
                      1e-6 * some.flops * some.n_passes);
      g_assert_cmpint (some.n_passes, <, all.n_passes);
      g_assert_cmpfloat (some.flops * some.n_passes, <, 0.5 * all.flops * all.n_passes);
      model_close (&m);
    }
}

static void
test_clip_vae_stops (void)
{
  Model m;
  atomic_bool cancel = false;
  ClipSize size = { 3, 2, 2 };
  Status status = { 0 };
  model_open (&m, "wan21");
  g_autofree float *z = latents_new (&m, size);
  Taken full = { .stop_at = 1 };
  g_assert_false (clip_vae_decode (&m.v, size, z, take_frame, &full, &status));
  g_assert_cmpint (status.code, ==, STATUS_IO);
  g_assert_cmpint (full.n, ==, 2);
  Taken cancelled = { .stop_at = -1, .cancel = &cancel };
  Status second = { 0 };
  m.v.cancel = &cancel;
  g_assert_false (clip_vae_decode (&m.v, size, z, take_frame, &cancelled, &second));
  g_assert_cmpint (second.code, ==, STATUS_CANCELLED);
  g_assert_cmpint (cancelled.n, ==, 1);
  model_close (&m);
}

static void
test_clip_vae_survives_failing_memory (void)
{
  Model m;
  ClipSize size = { 2, 2, 2 };
  model_open (&m, "wan21");
  g_autofree float *z = latents_new (&m, size);
  int64_t live = mem_live ();
  bool ok = false;
  for (int64_t nth = 1; !ok; nth++)
    {
      Status status = { 0 };
      Taken taken = { .stop_at = -1 };
      mem_fail_at (nth);
      ok = clip_vae_decode (&m.v, size, z, take_frame, &taken, &status);
      mem_fail_at (0);
      g_assert_true (ok || status.code == STATUS_NO_MEMORY);
      g_assert_cmpint (mem_live (), ==, live);
    }
  model_close (&m);
}

static void
test_clip_vae_refuses_nonsense (void)
{
  Model m;
  Status tile = { 0 }, none = { 0 };
  PhasePlan plan;
  model_open (&m, "wan21");
  m.v.tile_px = 100;
  g_assert_false (clip_vae_plan (&m.v, (ClipSize){ 2, 2, 2 }, CLIP_DECODE, &plan, &tile));
  g_assert_cmpint (tile.code, ==, STATUS_ARGUMENT);
  m.v.tile_px = 0;
  g_assert_false (clip_vae_plan (&m.v, (ClipSize){ 0, 2, 2 }, CLIP_DECODE, &plan, &none));
  g_assert_cmpint (none.code, ==, STATUS_ARGUMENT);
  model_close (&m);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/clip-vae/shares-sum-to-one", test_clip_vae_shares_sum_to_one);
  g_test_add_func ("/clip-vae/canvas-keeps-bytes", test_clip_vae_canvas_keeps_bytes);
  g_test_add_func ("/clip-vae/memory-does-not-grow", test_clip_vae_memory_does_not_grow);
  g_test_add_func ("/clip-vae/is-causal", test_clip_vae_is_causal);
  g_test_add_func ("/clip-vae/shows-no-seams", test_clip_vae_shows_no_seams);
  g_test_add_func ("/clip-vae/skips", test_clip_vae_skips);
  g_test_add_func ("/clip-vae/stops", test_clip_vae_stops);
  g_test_add_func ("/clip-vae/survives-failing-memory", test_clip_vae_survives_failing_memory);
  g_test_add_func ("/clip-vae/refuses-nonsense", test_clip_vae_refuses_nonsense);
  return g_test_run ();
}
