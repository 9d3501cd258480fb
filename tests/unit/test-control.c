/* SPDX-License-Identifier: MPL-2.0
 * test-control.c - ControlNets: files, what is refused and how, when they act, what they leave
 * alone.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "core/mem.h"
#include "pipelines/sd-private.h"
#include "weights/checkpoint.h"

enum
{
  WIDTH = 48,
  HEIGHT = 32,
  STEPS = 5
};

static char *
fixture (const char *name)
{
  return g_build_filename (g_getenv ("GESSO_SOURCE"), "tests/golden/fixtures", name, NULL);
}

/* ---- files ---- */

static Checkpoint *
open_fixture (const char *name)
{
  g_autofree char *path = fixture (name);
  Status status = { 0 };
  Checkpoint *c = checkpoint_open (path, false, &status);
  g_assert_cmpstr (status.message, ==, "");
  g_assert_cmpint (c->n_unknown, ==, 0);
  g_assert_true (c->config.has_control && !c->config.has_unet);
  return c;
}

static void
test_layouts_agree (void)
{
  Checkpoint *a = open_fixture ("control-sd15-eighth");
  Checkpoint *b = open_fixture ("control-sd15-eighth-ldm.safetensors");
  Checkpoint *file = open_fixture ("control-sd15-eighth/diffusion_pytorch_model.safetensors");
  g_assert_cmpint (a->layout, ==, LAYOUT_DIFFUSERS);
  g_assert_cmpint (b->layout, ==, LAYOUT_LDM);
  g_assert_cmpint (weights_count (a->weights), ==, weights_count (b->weights));
  for (int i = 0; i < weights_count (a->weights); i++)
    {
      const Weight *x = weights_at (a->weights, i), *y = weights_find (b->weights, x->name);
      g_test_message ("%s", x->name);
      g_assert_nonnull (y);
      g_assert_cmpmem (x->data, weight_bytes (x), y->data, weight_bytes (y));
    }
  g_assert_cmpint (controlnet_factor (&b->config.control), ==, 8);
  g_assert_cmpint (b->config.family, ==, FAMILY_SD15);
  g_assert_cmpint (a->config.control.unet.heads[0], ==, 2); /* its config.json says so */
  g_assert_cmpmem (&a->config.control, sizeof a->config.control, &file->config.control,
                   sizeof file->config.control);
  checkpoint_free (a);
  checkpoint_free (b);
  checkpoint_free (file);
}

static void
test_sdxl_is_told_from_sd15 (void)
{
  Checkpoint *c = open_fixture ("control-sdxl-tiny");
  g_assert_cmpint (c->config.family, ==, FAMILY_SDXL);
  g_assert_cmpint (c->config.control.unet.depth_down[1], ==, 2);
  pipeline_bind_report (c);
  g_assert_cmpint (weights_problem_count (c->weights), ==, 0);
  g_assert_cmpint (weights_unused_count (c->weights, ""), ==, 0);
  checkpoint_free (c);
}

/* A file with one number under each name. */
static char *
write_names (const char *names)
{
  g_auto (GStrv) each = g_strsplit (names, " ", -1);
  g_autoptr (GString) header = g_string_new ("{");
  gsize n = g_strv_length (each);
  for (gsize i = 0; i < n; i++)
    g_string_append_printf (header,
                            "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}",
                            i ? "," : "", each[i], 4 * i, 4 * i + 4);
  g_string_append_c (header, '}');
  guint64 length = GUINT64_TO_LE (header->len);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_byte_array_append (bytes, (const guint8 *) &length, sizeof length);
  g_byte_array_append (bytes, (const guint8 *) header->str, (guint) header->len);
  for (gsize i = 0; i < 4 * n; i++)
    g_byte_array_append (bytes, (const guint8 *) "\0", 1);
  g_autofree char *dir = g_dir_make_tmp ("gesso-XXXXXX", NULL);
  char *path = g_build_filename (dir, "file.safetensors", NULL);
  g_assert_true (g_file_set_contents (path, (const char *) bytes->data, bytes->len, NULL));
  return path;
}

static void
remove_file (const char *path)
{
  g_autofree char *dir = g_path_get_dirname (path);
  g_unlink (path);
  g_rmdir (dir);
}

static void
test_others_are_refused_by_name (void)
{
  static const struct
  {
    const char *names, *sentence;
  } rows[] = {
    { "lllite_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.down.0.weight",
      "is a ControlNet-LLLite" },
    { "lora_controlnet input_hint_block.0.weight zero_convs.0.0.weight", "is a Control-LoRA" },
    { "controlnet_blocks.0.weight controlnet_x_embedder.weight", "is a ControlNet for FLUX.1" },
    { "adapter.body.0.resnets.0.block1.weight", "is a T2I adapter" },
    { "body.0.in_conv.weight", "is a T2I adapter" },
    { "control_model.zero_convs.0.0.weight difference", "as a difference to its base model" },
    { "control_model.zero_convs.0.0.weight", "is a part of a ControlNet" },
    { "controlnet_cond_embedding.conv_in.weight controlnet_down_blocks.0.weight conv_in.weight "
      "control_add_embedding.linear_1.weight",
      "is a ControlNet Union" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *path = write_names (rows[i].names);
      Status status = { 0 };
      g_test_message ("%s", rows[i].names);
      g_assert_null (checkpoint_open (path, true, &status));
      g_assert_cmpint (status.code, ==, STATUS_UNSUPPORTED);
      if (!strstr (status.message, rows[i].sentence))
        g_error ("\"%s\" lacks \"%s\"", status.message, rows[i].sentence);
      remove_file (path);
    }
}

/* ---- when they act ---- */

static void
test_steps_are_counted_as_diffusers_does (void)
{
  PipelineJob job = { .convention = CONVENTION_DIFFUSERS, .n_controls = 2 };
  job.controls[0] = (PipelineControl){ .weight = 0.7, .start = 0.2, .end = 0.8 };
  job.controls[1] = (PipelineControl){ .weight = 0, .start = 0, .end = 1 };
  const unsigned wanted[STEPS] = { 0, 1, 1, 1, 0 };
  for (int i = 0; i < STEPS; i++)
    g_assert_cmpuint (sd_controls_active (&job, NULL, i, STEPS, 1), ==, wanted[i]);
}

/* percent_to_sigma of 0.25 is the level at timestep 999 * 0.75. */
static void
test_noise_is_measured_as_comfyui_does (void)
{
  NoiseTable table;
  Status status = { 0 };
  NoiseTableParams params = noise_table_params_default (CONVENTION_COMFYUI);
  g_assert_true (noise_table_init (&table, &params, &status));
  PipelineJob job = { .convention = CONVENTION_COMFYUI, .n_controls = 2 };
  job.controls[0] = (PipelineControl){ .weight = 1, .start = 0.25, .end = 0.75 };
  job.controls[1] = (PipelineControl){ .weight = 1, .start = 0, .end = 1 };
  double first = noise_table_sigma_log_linear (&table, 0.75 * 999);
  double last = noise_table_sigma_log_linear (&table, 0.25 * 999);
  g_assert_cmpuint (sd_controls_active (&job, &table, 0, 1, first), ==, 3);
  g_assert_cmpuint (sd_controls_active (&job, &table, 0, 1, nextafter (first, 100)), ==, 2);
  g_assert_cmpuint (sd_controls_active (&job, &table, 0, 1, last), ==, 3);
  g_assert_cmpuint (sd_controls_active (&job, &table, 0, 1, nextafter (last, 0)), ==, 2);
  g_assert_cmpuint (sd_controls_active (&job, &table, 0, 1, noise_table_sigma_max (&table)), ==, 2);
}

/* ---- whole jobs ---- */

typedef struct
{
  Backend *backend;
  Pipeline *pipeline;
  PipelineJob job;
  char *path;
  uint8_t rgb[HEIGHT * WIDTH * 3];
} Setup;

static void
setup_init (Setup *s, const char *control)
{
  Status status = { 0 };
  g_autofree char *model = fixture ("sd15-tiny");
  s->path = fixture (control);
  s->backend = backend_cpu_new (NULL, 1, &status);
  s->pipeline = pipeline_open (&(PipelineSource){ .model_path = model, .tokenizers_dir = "" },
                               s->backend, &status);
  g_assert_cmpstr (status.message, ==, "");
  for (gsize i = 0; i < sizeof s->rgb; i++)
    s->rgb[i] = (uint8_t) (i * i * 7 + i / WIDTH * 31);
  pipeline_job_defaults (pipeline_checkpoint (s->pipeline), &s->job);
  s->job.prompt = "a red fox";
  s->job.width = WIDTH;
  s->job.height = HEIGHT;
  s->job.steps = STEPS;
  s->job.guidance_scale = 3;
  s->job.seed = 7;
  s->job.n_controls = 1;
  s->job.controls[0] =
      (PipelineControl){ .path = s->path, .rgb = s->rgb, .weight = 0.8, .start = 0.2, .end = 0.8 };
}

static void
setup_clear (Setup *s)
{
  pipeline_free (s->pipeline);
  backend_free (s->backend);
  g_free (s->path);
}

static PipelineResult
generate (Setup *s)
{
  Status status = { 0 };
  PipelineResult r;
  pipeline_generate (s->pipeline, &s->job, &r, &status);
  g_assert_cmpstr (status.message, ==, "");
  return r;
}

static size_t
latent_bytes (const PipelineResult *r)
{
  return (size_t) (r->n * r->latent_channels * r->latent_width * r->latent_height) * sizeof (float);
}

static bool
is_same (const PipelineResult *a, const PipelineResult *b)
{
  return latent_bytes (a) == latent_bytes (b) &&
         memcmp (a->latents, b->latents, latent_bytes (a)) == 0;
}

/* A control that acts on no step, and one of weight 0, leave every bit as it is. */
static void
test_idle_controls_change_nothing (void)
{
  Setup s;
  setup_init (&s, "control-sd15-tiny");
  s.job.convention = CONVENTION_DIFFUSERS;
  PipelineResult acting = generate (&s);
  s.job.controls[0].end = 0.21;
  PipelineResult late = generate (&s);
  s.job.controls[0].end = 1;
  s.job.controls[0].weight = 0;
  PipelineResult weightless = generate (&s);
  s.job.n_controls = 0;
  PipelineResult plain = generate (&s);
  g_assert_false (is_same (&acting, &plain));
  g_assert_true (is_same (&late, &plain));
  g_assert_true (is_same (&weightless, &plain));
  pipeline_result_clear (&acting);
  pipeline_result_clear (&late);
  pipeline_result_clear (&weightless);
  pipeline_result_clear (&plain);
  setup_clear (&s);
}

static void
test_batch_is_its_pictures (void)
{
  Setup s;
  setup_init (&s, "control-sd15-tiny");
  s.job.batch_size = 2;
  PipelineResult both = generate (&s);
  s.job.batch_size = 1;
  s.job.seed++;
  PipelineResult second = generate (&s);
  size_t n = latent_bytes (&second);
  g_assert_cmpmem (both.latents + n / sizeof (float), n, second.latents, n);
  pipeline_result_clear (&both);
  pipeline_result_clear (&second);
  setup_clear (&s);
}

static PipelineRun *
run_for (Setup *s, int n_steps)
{
  Status status = { 0 };
  PipelineRun *run = pipeline_run_new (s->pipeline, &s->job, &status);
  for (int i = 0; run && i < n_steps; i++)
    pipeline_run_advance (run, &status);
  g_assert_cmpstr (status.message, ==, "");
  return run;
}

/* Saved while the control acts, restored in a run of its own, whose picture it needs again. */
static void
test_resumed_is_uninterrupted (void)
{
  Setup s;
  Status status = { 0 };
  setup_init (&s, "control-sd15-tiny");
  PipelineResult whole = generate (&s);
  PipelineRun *first = run_for (&s, 2);
  size_t n = pipeline_run_save_size (first);
  g_autofree uint8_t *saved = g_malloc (n);
  pipeline_run_save (first, saved);
  pipeline_run_free (first);
  PipelineRun *second = run_for (&s, 0);
  g_assert_true (pipeline_run_restore (second, saved, n, &status));
  while (pipeline_run_step (second) < pipeline_run_n_steps (second))
    g_assert_true (pipeline_run_advance (second, &status));
  g_assert_cmpmem (pipeline_run_latents (second), latent_bytes (&whole), whole.latents,
                   latent_bytes (&whole));
  pipeline_run_free (second);
  s.rgb[0] ^= 1; /* another picture is another job */
  PipelineRun *other = run_for (&s, 0);
  g_assert_false (pipeline_run_restore (other, saved, n, &status));
  pipeline_run_free (other);
  pipeline_result_clear (&whole);
  setup_clear (&s);
}

/* The plan's memory is what the costliest step takes: more with the network than without. */
static void
test_plan_holds_the_network (void)
{
  Setup s;
  PipelinePlan with, without, idle;
  Status status = { 0 };
  setup_init (&s, "control-sd15-tiny");
  s.job.convention = CONVENTION_DIFFUSERS;
  g_assert_true (pipeline_plan (s.pipeline, &s.job, &with, &status));
  s.job.controls[0].end = 0.21;
  g_assert_true (pipeline_plan (s.pipeline, &s.job, &idle, &status));
  s.job.n_controls = 0;
  g_assert_true (pipeline_plan (s.pipeline, &s.job, &without, &status));
  const PhasePlan *a = &with.phases[PHASE_DENOISE], *b = &without.phases[PHASE_DENOISE];
  const PhasePlan *c = &idle.phases[PHASE_DENOISE];
  g_assert_cmpuint (a->activation_bytes, >, b->activation_bytes);
  g_assert_cmpuint (a->activation_bytes, <, 2 * b->activation_bytes);
  g_assert_cmpint (a->weight_bytes, >, b->weight_bytes);
  g_assert_cmpint (a->n_passes, ==, b->n_passes);
  g_assert_cmpfloat (a->flops, >, b->flops);
  g_assert_cmpint (c->n_ops, ==, b->n_ops);
  setup_clear (&s);
}

static void
assert_refused (Setup *s, StatusCode code, const char *sentence)
{
  Status status = { 0 };
  g_assert_null (pipeline_run_new (s->pipeline, &s->job, &status));
  g_assert_cmpint (status.code, ==, code);
  if (!strstr (status.message, sentence))
    g_error ("\"%s\" lacks \"%s\"", status.message, sentence);
}

static void
test_what_does_not_fit_is_refused (void)
{
  Setup s;
  setup_init (&s, "control-sdxl-tiny");
  assert_refused (&s, STATUS_UNSUPPORTED,
                  "is a ControlNet for SDXL, and the model is one of SD 1.5");
  g_autofree char *eighth = fixture ("control-sd15-eighth"), *model = fixture ("sd15-tiny");
  s.job.controls[0].path = eighth;
  assert_refused (&s, STATUS_SHAPE, "it belongs to another model");
  s.job.controls[0].path = model;
  assert_refused (&s, STATUS_UNSUPPORTED, "is no ControlNet");
  s.job.controls[0].path = "/nowhere/control.safetensors";
  assert_refused (&s, STATUS_NOT_FOUND, "control.safetensors");
  s.job.controls[0].end = 0.1;
  assert_refused (&s, STATUS_ARGUMENT, "not from 0.2 to 0.1");
  s.job.controls[0].end = 1;
  s.job.controls[0].weight = 11;
  assert_refused (&s, STATUS_ARGUMENT, "not 11");
  setup_clear (&s);
}

/* Every failing allocation is a sentence, and nothing is lost. */
static void
test_memory_may_run_out (void)
{
  Setup s;
  setup_init (&s, "control-sd15-tiny");
  s.job.steps = 1;
  s.job.controls[0].start = 0;
  s.job.controls[0].end = 1;
  bool done = false;
  for (int n = 1; !done; n += 1 + n / 8)
    {
      Status status = { 0 };
      PipelineResult r;
      mem_fail_at (n);
      done = pipeline_generate (s.pipeline, &s.job, &r, &status);
      mem_fail_at (0);
      if (!done)
        g_assert_cmpint (status.code, ==, STATUS_NO_MEMORY);
      pipeline_result_clear (&r);
    }
  setup_clear (&s);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/control/files/layouts-agree", test_layouts_agree);
  g_test_add_func ("/control/files/sdxl-is-told-from-sd15", test_sdxl_is_told_from_sd15);
  g_test_add_func ("/control/files/others-are-refused-by-name", test_others_are_refused_by_name);
  g_test_add_func ("/control/steps-are-counted-as-diffusers-does",
                   test_steps_are_counted_as_diffusers_does);
  g_test_add_func ("/control/noise-is-measured-as-comfyui-does",
                   test_noise_is_measured_as_comfyui_does);
  g_test_add_func ("/control/idle-controls-change-nothing", test_idle_controls_change_nothing);
  g_test_add_func ("/control/batch-is-its-pictures", test_batch_is_its_pictures);
  g_test_add_func ("/control/resumed-is-uninterrupted", test_resumed_is_uninterrupted);
  g_test_add_func ("/control/plan-holds-the-network", test_plan_holds_the_network);
  g_test_add_func ("/control/what-does-not-fit-is-refused", test_what_does_not_fit_is_refused);
  g_test_add_func ("/control/memory-may-run-out", test_memory_may_run_out);
  return g_test_run ();
}
