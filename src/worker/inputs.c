/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/inputs.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "media/frames.h"
#include "media/resize.h"
#include "worker/reference.h"

enum
{
  SIZE_STEP_PX = 8 /* sizes are multiples of what the VAE shrinks by */
};

/* One more sentence, of at most STATUS_MESSAGE_SIZE. */
static void __attribute__ ((format (printf, 2, 3)))
add_note (JobInputs *inputs, const char *format, ...)
{
  char sentence[STATUS_MESSAGE_SIZE];
  size_t n = strlen (inputs->note);
  va_list args;
  va_start (args, format);
  vsnprintf (sentence, sizeof sentence, format, args);
  va_end (args);
  snprintf (inputs->note + n, sizeof inputs->note - n, "%s%s", n > 0 ? " " : "", sentence);
}

static void
take_size (Recipe *recipe, const Image *image)
{
  if (recipe->width == 0 && recipe->height == 0)
    {
      recipe->width = image->width / SIZE_STEP_PX * SIZE_STEP_PX;
      recipe->height = image->height / SIZE_STEP_PX * SIZE_STEP_PX;
    }
  if (recipe->width == 0)
    recipe->width = (int) ((int64_t) image->width * recipe->height / image->height) / SIZE_STEP_PX *
                    SIZE_STEP_PX;
  if (recipe->height == 0)
    recipe->height = (int) ((int64_t) image->height * recipe->width / image->width) / SIZE_STEP_PX *
                     SIZE_STEP_PX;
}

static bool
draws_masked_part (const Recipe *recipe)
{
  return recipe->mask_image && recipe->inpaint_area == RECIPE_INPAINT_MASKED;
}

static bool
has_white (const Image *mask)
{
  size_t n = (size_t) mask->width * (size_t) mask->height * IMAGE_CHANNELS;
  for (size_t i = 0; i < n; i++)
    if (mask->rgb[i] > 127)
      return true;
  return false;
}

static bool
load_mask (JobInputs *inputs, const Recipe *recipe, Status *status)
{
  Image *m = &inputs->drawn_mask;
  const Image *source = &inputs->source;
  if (!mask_read (m, recipe->mask_image, status))
    return false;
  if (!has_white (m))
    return status_fail (status, STATUS_ARGUMENT,
                        "The mask \"%.300s\" is all black: paint white over what is to be drawn "
                        "anew.",
                        recipe->mask_image);
  if (m->width != source->width || m->height != source->height)
    add_note (inputs,
              status_text (
                  "The mask has %d x %d pixels, the initial image %d x %d: the mask was resized."),
              m->width, m->height, source->width, source->height);
  return true;
}

/* One that moves, too: what is taken of it is said. */
static bool
read_picture (JobInputs *inputs, Image *image, const char *path, Status *status)
{
  FilmInfo info = { 0 };
  if (!frames_read_picture (image, path, &info, status))
    return false;
  if (info.n_frames != 1)
    add_note (inputs, status_text ("\"%.300s\" moves: its first frame is taken."), path);
  return true;
}

static bool
load_start (JobInputs *inputs, Recipe *recipe, Status *status)
{
  if (!recipe->init_image)
    return true;
  bool ok = read_picture (inputs, &inputs->source, recipe->init_image, status) &&
            (!recipe->mask_image || load_mask (inputs, recipe, status));
  if (ok && !draws_masked_part (recipe))
    take_size (recipe, &inputs->source);
  return ok;
}

_Static_assert((int) RECIPE_MAX_REFERENCES == PIPELINE_MAX_REFERENCES, "as many in both");

/* One may be empty in front of another. */
static bool
load_references (JobInputs *inputs, const Recipe *recipe, Status *status)
{
  for (int i = 0; i < RECIPE_MAX_REFERENCES; i++)
    {
      const RecipeParam *p = recipe_find_param (recipe_reference_keys[i]);
      const char *path = param_peek_string (p, recipe);
      if (*path &&
          !read_picture (inputs, &inputs->references[inputs->n_references++], path, status))
        return false;
    }
  return true;
}

static bool
has_reference (const Recipe *recipe)
{
  return recipe->reference_image || recipe->reference_image_2 || recipe->reference_image_3 ||
         recipe->reference_image_4;
}

/* FLUX's own pictures; another family's recipe may still name them. */
static bool
load_guides (JobInputs *inputs, Recipe *recipe, const Checkpoint *model, Status *status)
{
  const char *control = recipe->control_image;
  const Image *first = &inputs->references[0];
  if (model->config.family != FAMILY_FLUX)
    {
      if (has_reference (recipe) || control)
        add_note (inputs, "%s",
                  status_text ("A reference or control image has no effect: only FLUX.1 models "
                               "read one."));
      return true;
    }
  if (!load_references (inputs, recipe, status) ||
      (control && !read_picture (inputs, &inputs->control, control, status)))
    return false;
  if (inputs->n_references > 0 && recipe->width == 0 && recipe->height == 0)
    reference_size (first->width, first->height, &recipe->width, &recipe->height);
  else if (control)
    take_size (recipe, &inputs->control);
  return true;
}

static int
nearest (double side, int step)
{
  int n = (int) lround (side / step);
  return (n > 1 ? n : 1) * step;
}

/* As many pixels as the model's own size has, in the picture's shape. */
static void
take_shape (Recipe *recipe, const Image *image, const Checkpoint *model)
{
  PipelineJob job;
  int step = pipeline_size_step (model);
  double shape = (double) image->width / image->height;
  pipeline_job_defaults (model, &job);
  double area = (double) job.width * job.height;
  if (recipe->width == 0 && recipe->height == 0)
    recipe->width = nearest (sqrt (area * shape), step);
  if (recipe->height == 0)
    recipe->height = nearest (recipe->width / shape, step);
  if (recipe->width == 0)
    recipe->width = nearest (recipe->height * shape, step);
}

/* Wan's own pictures and clip; another family's recipe may still name them. */
static bool
load_ends (JobInputs *inputs, Recipe *recipe, const Checkpoint *model, Status *status)
{
  const char *first = recipe->first_frame, *last = recipe->last_frame;
  char note[STATUS_MESSAGE_SIZE] = "";
  if (model->config.family != FAMILY_WAN)
    {
      if (first || last || recipe->extend)
        add_note (inputs, "%s",
                  status_text ("A first or last frame, or a clip to extend, has no effect: only "
                               "video models take one."));
      return true;
    }
  if (!extend_load (&inputs->extend, recipe, model, note, status))
    return false;
  if (*note)
    add_note (inputs, "%s", note);
  if ((first && !read_picture (inputs, &inputs->first, first, status)) ||
      (last && !read_picture (inputs, &inputs->last, last, status)))
    return false;
  if (first || last)
    take_shape (recipe, first ? &inputs->first : &inputs->last, model);
  return true;
}

static bool
takes_controls (const Checkpoint *model)
{
  return model->config.family == FAMILY_SD15 || model->config.family == FAMILY_SDXL;
}

/* Another family's recipe may still name them. */
static bool
load_controls (JobInputs *inputs, Recipe *recipe, const Checkpoint *model, Status *status)
{
  if (takes_controls (model))
    return job_controls_load (&inputs->controls, recipe, status);
  if (recipe->controls)
    add_note (inputs, "%s",
              status_text ("ControlNets have no effect: they are for models of SD 1.5 and SDXL."));
  return true;
}

bool
job_inputs_load (JobInputs *inputs, Recipe *recipe, const Checkpoint *model, Status *status)
{
  *inputs = (JobInputs){ 0 };
  bool ok = job_adapters_load (&inputs->adapters, recipe, model->config.family, status) &&
            load_start (inputs, recipe, status) && load_guides (inputs, recipe, model, status) &&
            load_ends (inputs, recipe, model, status) &&
            load_controls (inputs, recipe, model, status);
  if (ok && *inputs->adapters.note)
    add_note (inputs, "%s", inputs->adapters.note);
  if (ok)
    return true;
  job_inputs_clear (inputs);
  return false;
}

/* The part in @box of the job's size. */
static bool
take_picture (JobInputs *inputs, const PipelineJob *job, Status *status)
{
  Image part = { 0 };
  bool ok = image_crop (&part, &inputs->source, inputs->box, status) &&
            image_resize (&part, job->width, job->height, status);
  inputs->init_rgb = ok ? part.rgb : NULL;
  if (!ok)
    image_clear (&part);
  return ok;
}

/* The blurred mask's part in @box of the job's size. */
static bool
take_mask (JobInputs *inputs, const PipelineJob *job, Status *status)
{
  Image part = { 0 };
  bool ok = image_crop (&part, &inputs->drawn_mask, inputs->box, status) &&
            image_resize (&part, job->width, job->height, status) &&
            (inputs->mask = mask_from_image (&part, status));
  image_clear (&part);
  return ok;
}

static void
spread_grey (Image *image, const uint8_t *grey)
{
  size_t n = (size_t) image->width * (size_t) image->height;
  for (size_t i = 0; i < n; i++)
    memset (image->rgb + i * IMAGE_CHANNELS, grey[i], IMAGE_CHANNELS);
}

/* The picture that the mask lies on: drawn whole it has the job's size, else its own. */
static bool
make_edge (JobInputs *inputs, const Recipe *recipe, const PipelineJob *job, Status *status)
{
  Image *source = &inputs->source, *mask = &inputs->drawn_mask;
  bool part = draws_masked_part (recipe);
  if (!part && !image_resize (source, job->width, job->height, status))
    return false;
  int w = source->width, h = source->height;
  if (!image_resize (mask, w, h, status) || !(inputs->edge = mask_from_image (mask, status)) ||
      !mask_blur (inputs->edge, w, h, recipe->mask_blur, status))
    return false;
  spread_grey (mask, inputs->edge);
  inputs->box = (MaskBox){ 0, 0, w, h };
  if (part)
    inputs->box = mask_box_fit (mask_box (inputs->edge, w, h), recipe->inpaint_padding, job->width,
                                job->height, w, h);
  return true;
}

/* diffusers' inpainting begins from noise alone at full strength. */
static void
note_unused_fill (JobInputs *inputs, const Recipe *recipe, const PipelineJob *job)
{
  if (recipe->inpaint_fill != RECIPE_INPAINT_ORIGINAL && job->denoise >= 1 &&
      job->convention == CONVENTION_DIFFUSERS)
    add_note (inputs,
              status_text ("%s has no effect at %s 1 under diffusers' convention: set the latter "
                           "below 1, or %s to comfyui."),
              recipe_param_name ("inpaint_fill"), recipe_param_name ("denoise"),
              recipe_param_name ("convention"));
}

static bool
give_masked (JobInputs *inputs, const Recipe *recipe, PipelineJob *job, Status *status)
{
  if (!make_edge (inputs, recipe, job, status) || !take_mask (inputs, job, status) ||
      !take_picture (inputs, job, status))
    return false;
  image_clear (&inputs->drawn_mask);
  Image init = { job->width, job->height, inputs->init_rgb };
  if (recipe->inpaint_fill == RECIPE_INPAINT_FILL && !mask_fill (&init, inputs->mask, status))
    return false;
  job->mask = inputs->mask;
  note_unused_fill (inputs, recipe, job);
  return true;
}

static bool
give_guides (JobInputs *inputs, const Recipe *recipe, PipelineJob *job, Status *status)
{
  Image *control = &inputs->control;
  for (int i = 0; i < inputs->n_references; i++)
    {
      int w = 0, h = 0;
      Image *reference = &inputs->references[i];
      reference_size (reference->width, reference->height, &w, &h);
      if (!reference_fit (reference, w, h, status))
        return false;
      job->references[job->n_references++] = (PipelineReference){ reference->rgb, w, h };
    }
  if (control->rgb && !image_resize (control, job->width, job->height, status))
    return false;
  job->control_rgb = control->rgb;
  job->reference_places = (ReferencePlaces) recipe->reference_places;
  return true;
}

/* Cut to the clip's shape rather than stretched. */
static bool
give_ends (JobInputs *inputs, PipelineJob *job, Status *status)
{
  Image *first = &inputs->first, *last = &inputs->last;
  if ((first->rgb && !reference_fit (first, job->width, job->height, status)) ||
      (last->rgb && !reference_fit (last, job->width, job->height, status)))
    return false;
  job->first_rgb = first->rgb;
  job->last_rgb = last->rgb;
  extend_give (&inputs->extend, job);
  return true;
}

static bool
give_start (JobInputs *inputs, const Recipe *recipe, PipelineJob *job, Status *status)
{
  if (!inputs->source.rgb)
    return true;
  if (inputs->drawn_mask.rgb)
    {
      if (!give_masked (inputs, recipe, job, status))
        return false;
    }
  else
    {
      if (!image_resize (&inputs->source, job->width, job->height, status))
        return false;
      inputs->init_rgb = inputs->source.rgb;
      inputs->source = (Image){ 0 };
    }
  job->init_rgb = inputs->init_rgb;
  return true;
}

/* Where a masked part is drawn alone, its part of them is seen. */
static bool
give_controls (JobInputs *inputs, const Recipe *recipe, PipelineJob *job, Status *status)
{
  ControlFrame frame = { .width = 0 };
  if (inputs->edge && draws_masked_part (recipe))
    frame = (ControlFrame){ inputs->source.width, inputs->source.height, inputs->box };
  return job_controls_give (&inputs->controls, &frame, job, status);
}

static bool
give_all_but_controls (JobInputs *inputs, const Recipe *recipe, PipelineJob *job, Status *status)
{
  return job_adapters_give (&inputs->adapters, job, status) &&
         give_guides (inputs, recipe, job, status) && give_ends (inputs, job, status) &&
         give_start (inputs, recipe, job, status);
}

bool
job_inputs_give (JobInputs *inputs, const Recipe *recipe, PipelineJob *job, Status *status)
{
  return give_all_but_controls (inputs, recipe, job, status) &&
         give_controls (inputs, recipe, job, status);
}

bool
job_inputs_plan (JobInputs *inputs, const Recipe *recipe, PipelineJob *job, Status *status)
{
  job_controls_name (&inputs->controls, job);
  return give_all_but_controls (inputs, recipe, job, status);
}

bool
job_inputs_finish (
    const JobInputs *inputs, const uint8_t *rgb, int width, int height, Image *out, Status *status)
{
  const Image drawn = { width, height, (uint8_t *) rgb };
  if (!inputs->edge)
    return image_crop (out, &drawn, (MaskBox){ 0, 0, width, height }, status);
  Image part = { 0 };
  const MaskBox *b = &inputs->box;
  bool ok = image_crop (&part, &drawn, (MaskBox){ 0, 0, width, height }, status) &&
            image_resize (&part, b->width, b->height, status) &&
            image_crop (out, &inputs->source,
                        (MaskBox){ 0, 0, inputs->source.width, inputs->source.height }, status);
  if (ok)
    mask_overlay (out, &part, *b, inputs->edge);
  image_clear (&part);
  return ok;
}

void
job_inputs_clear (JobInputs *inputs)
{
  job_adapters_clear (&inputs->adapters);
  job_controls_clear (&inputs->controls);
  image_clear (&inputs->source);
  image_clear (&inputs->drawn_mask);
  mem_free (inputs->init_rgb);
  mem_free (inputs->mask);
  mem_free (inputs->edge);
  for (int i = 0; i < inputs->n_references; i++)
    image_clear (&inputs->references[i]);
  image_clear (&inputs->control);
  image_clear (&inputs->first);
  image_clear (&inputs->last);
  extend_clear (&inputs->extend);
  *inputs = (JobInputs){ 0 };
}
