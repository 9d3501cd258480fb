/* SPDX-License-Identifier: MPL-2.0
 * plan.c - `gesso-cli plan`: what a picture needs, before it is made.
 */
#include <stdio.h>

#include "cli/engine.h"
#include "worker/estimate.h"

static const double MIB = 1 << 20;

static void
print_table (const Engine *e, const PipelinePlan *plan, const Estimate *estimate)
{
  char frames[32] = "";
  if (e->job.n_frames > 1)
    snprintf (frames, sizeof frames, "%d frames, ", e->job.n_frames);
  printf ("%s, %s, %d x %d, %s%d steps, %s on %s\n\n", e->model_path,
          family_name (pipeline_checkpoint (e->pipeline)->config.family), e->job.width,
          e->job.height, frames, e->job.steps,
          e->job.compute == COMPUTE_FP8    ? "fp8"
          : e->job.compute == COMPUTE_BF16 ? "bf16"
                                           : "f32",
          e->backend->level);
  printf ("%-8s %8s %10s %12s %10s %8s %9s\n", "phase", "passes", "operators", "activations",
          "weights", "TFLOP", "seconds");
  for (int i = 0; i < PHASE_COUNT; i++)
    {
      const PhasePlan *p = &plan->phases[i];
      if (p->n_passes > 0)
        printf ("%-8s %8d %10d %8.1f MiB %6.0f MiB %8.3f %9.1f\n", phase_name ((PipelinePhase) i),
                p->n_passes, p->n_ops, (double) p->activation_bytes / MIB,
                (double) p->weight_bytes / MIB, p->flops * p->n_passes / 1e12,
                estimate->seconds[i]);
      if (p->once_weight_bytes > 0)
        printf ("%41s %6.0f MiB, read once before the first step and not again\n", "",
                (double) p->once_weight_bytes / MIB);
    }
  if (plan->n_windows > 1)
    printf ("\nwindows  %d of %d frames, one after the other", plan->n_windows,
            plan->window_frames);
  if (e->job.n_before > 0)
    printf ("\nextends  %s, from %d latent frames that %s", e->inputs.extend.path, e->job.n_before,
            e->job.before ? "were kept" : "are encoded");
  printf (
      "\nmemory   %.0f MiB of its own (%.0f MiB of it scratch), and %.0f MiB of weights that stay "
      "mapped in the file\n",
      (double) plan->peak_bytes / MIB, (double) plan->scratch_bytes / MIB,
      (double) plan->weight_bytes / MIB);
  if (plan->adapter_bytes > 0)
    printf ("adapters %.0f MiB of the first, for %d of them\n", (double) plan->adapter_bytes / MIB,
            e->job.n_adapters);
  for (int i = 0; i < e->job.n_controls; i++)
    {
      const PipelineControl *c = &e->job.controls[i];
      printf ("control  %s at %g, from %g to %g of the steps\n", c->path, c->weight, c->start,
              c->end);
    }
  if (plan->vae_tile > 0)
    printf ("decoded in tiles of %d px\n", plan->vae_tile);
  printf ("time     about %.0f s (%.0f GFLOP/s measured just now)\n", estimate->total_seconds,
          estimate->gflops);
}

static void
print_json (const Engine *e, const PipelinePlan *plan, const Estimate *estimate)
{
  printf ("{\"model\": ");
  json_print_string (e->model_path);
  printf (", \"family\": \"%s\", \"width\": %d, \"height\": %d, \"frames\": %d, \"steps\": %d, "
          "\"level\": \"%s\", "
          "\"phases\": {",
          family_name (pipeline_checkpoint (e->pipeline)->config.family), e->job.width,
          e->job.height, e->job.n_frames, e->job.steps, e->backend->level);
  for (int i = 0; i < PHASE_COUNT; i++)
    {
      const PhasePlan *p = &plan->phases[i];
      printf ("%s\"%s\": {\"passes\": %d, \"operators\": %d, \"activation_bytes\": %zu, "
              "\"bound_bytes\": %zu, \"weight_bytes\": %lld, \"once_weight_bytes\": %lld, "
              "\"flops_a_pass\": %.0f, \"seconds\": %.3f}",
              i ? ", " : "", phase_name ((PipelinePhase) i), p->n_passes, p->n_ops,
              p->activation_bytes, p->bound_bytes, (long long) p->weight_bytes,
              (long long) p->once_weight_bytes, p->flops, estimate->seconds[i]);
    }
  printf ("}, \"peak_bytes\": %zu, \"scratch_bytes\": %zu, \"weight_bytes\": %lld, "
          "\"adapter_bytes\": %lld, \"controls\": %d, \"vae_tile\": %d, \"windows\": %d, "
          "\"window_frames\": %d, "
          "\"frames_before\": %d, \"seconds\": %.3f, \"gflops\": %.1f}\n",
          plan->peak_bytes, plan->scratch_bytes, (long long) plan->weight_bytes,
          (long long) plan->adapter_bytes, e->job.n_controls, plan->vae_tile, plan->n_windows,
          plan->window_frames, e->job.n_before > 0 ? e->inputs.extend.info.n_frames : 0,
          estimate->total_seconds, estimate->gflops);
}

int
command_plan (Options *o)
{
  Engine e;
  PipelinePlan plan;
  Estimate estimate;
  Status status = { 0 };
  bool ok = engine_open (&e, o, true, &status) &&
            pipeline_plan (e.pipeline, &e.job, &plan, &status) &&
            estimate_job (e.backend, e.job.compute, &plan, &estimate, &status);
  if (ok)
    (o->json ? print_json : print_table) (&e, &plan, &estimate);
  int code = ok ? EXIT_DONE : cli_fail (&status, o->json);
  engine_close (&e);
  return code;
}
