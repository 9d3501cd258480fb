/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/controlnets.h"

#include <string.h>

#include "core/mem.h"
#include "media/frames.h"
#include "media/preprocess.h"
#include "media/resize.h"
#include "worker/adapter-find.h"
#include "worker/reference.h"

static bool
find_model (RecipeControl *c, size_t i, Status *status)
{
  char path[GESSO_PATH_SIZE];
  if (!c->model)
    return status_fail (status, STATUS_ARGUMENT,
                        "ControlNet %zu has no model: choose one, or remove it.", i + 1);
  if (!adapter_find (FIND_CONTROLNET, c->model, "", path))
    return status_fail (status, STATUS_NOT_FOUND,
                        "There is no ControlNet \"%.300s\": give its file, or put it into the "
                        "folder controlnet beside your models.",
                        c->model);
  return text_replace (&c->model, path, status);
}

static bool
read_picture (JobControls *controls, size_t i, Status *status)
{
  const RecipeControl *c = &controls->list.items[i];
  if (!c->image)
    return status_fail (status, STATUS_ARGUMENT,
                        "ControlNet %zu has no picture to follow: choose one, or remove it.",
                        i + 1);
  return frames_read_picture (&controls->images[i], c->image, NULL, status);
}

static void
drop_idle (RecipeControls *list)
{
  for (size_t i = list->n; i-- > 0;)
    if (list->items[i].off)
      recipe_controls_remove (list, i);
}

/* The recipe keeps those that are off, too. */
static bool
find_all (RecipeControls *all, Recipe *recipe, Status *status)
{
  bool ok = recipe_controls_read (all, recipe, status);
  for (size_t i = 0; ok && i < all->n; i++)
    ok = all->items[i].off || find_model (&all->items[i], i, status);
  return ok && (all->n == 0 || recipe_controls_write (all, recipe, status));
}

bool
job_controls_load (JobControls *controls, Recipe *recipe, Status *status)
{
  bool ok = find_all (&controls->list, recipe, status);
  drop_idle (&controls->list);
  for (size_t i = 0; ok && i < controls->list.n; i++)
    ok = read_picture (controls, i, status);
  if (!ok)
    job_controls_clear (controls);
  return ok;
}

/* The largest size of @image's shape in the frame, in the middle of black. */
static bool
fit_inside (Image *image, int width, int height, Status *status)
{
  int64_t w = image->width, h = image->height;
  bool wide = w * height > h * width;
  int fit_w = wide ? width : (int) (w * height / h), fit_h = wide ? (int) (h * width / w) : height;
  fit_w = fit_w > 0 ? fit_w : 1;
  fit_h = fit_h > 0 ? fit_h : 1;
  if (!image_resize (image, fit_w, fit_h, status))
    return false;
  size_t row = (size_t) width * IMAGE_CHANNELS, inner = (size_t) fit_w * IMAGE_CHANNELS;
  uint8_t *whole = mem_calloc ((size_t) height, row);
  if (!whole)
    return status_fail (status, STATUS_NO_MEMORY, "Out of memory: choose a smaller picture.");
  uint8_t *at = whole + (size_t) ((height - fit_h) / 2) * row +
                (size_t) ((width - fit_w) / 2) * IMAGE_CHANNELS;
  for (int y = 0; y < fit_h; y++)
    memcpy (at + (size_t) y * row, image->rgb + (size_t) y * inner, inner);
  image_clear (image);
  *image = (Image){ width, height, whole };
  return true;
}

bool
control_fit (Image *image, RecipeResize resize, int width, int height, Status *status)
{
  switch (resize)
    {
    case RECIPE_RESIZE_CROP:
      return reference_fit (image, width, height, status);
    case RECIPE_RESIZE_FILL:
      return fit_inside (image, width, height, status);
    case RECIPE_RESIZE_STRETCH:
      break;
    }
  return image_resize (image, width, height, status);
}

/* As the start picture is cut, where only its masked part is drawn. */
static bool
cut (Image *image, const ControlFrame *frame, const PipelineJob *job, Status *status)
{
  Image part = { 0 };
  if (frame->width == 0)
    return true;
  if (!image_crop (&part, image, frame->box, status))
    return false;
  image_clear (image);
  *image = part;
  return image_resize (image, job->width, job->height, status);
}

static Preprocess
preprocess_of (RecipePreprocess kind)
{
  static const Preprocess kinds[] = { [RECIPE_PREPROCESS_NONE] = PREPROCESS_NONE,
                                      [RECIPE_PREPROCESS_CANNY] = PREPROCESS_CANNY,
                                      [RECIPE_PREPROCESS_INVERT] = PREPROCESS_INVERT,
                                      [RECIPE_PREPROCESS_BLUR] = PREPROCESS_BLUR,
                                      [RECIPE_PREPROCESS_THRESHOLD] = PREPROCESS_THRESHOLD };
  return kinds[kind];
}

void
job_controls_name (const JobControls *controls, PipelineJob *job)
{
  job->n_controls = 0;
  for (size_t i = 0; i < controls->list.n; i++)
    {
      const RecipeControl *c = &controls->list.items[i];
      job->controls[job->n_controls++] = (PipelineControl){
        .path = c->model, .weight = c->weight, .start = c->start, .end = c->end
      };
    }
}

bool
job_controls_give (JobControls *controls,
                   const ControlFrame *frame,
                   PipelineJob *job,
                   Status *status)
{
  int width = frame->width > 0 ? frame->width : job->width;
  int height = frame->height > 0 ? frame->height : job->height;
  job_controls_name (controls, job);
  for (size_t i = 0; i < controls->list.n; i++)
    {
      const RecipeControl *c = &controls->list.items[i];
      Image *image = &controls->images[i];
      if (!control_fit (image, c->resize, width, height, status) ||
          !cut (image, frame, job, status) ||
          !image_preprocess (image, preprocess_of (c->preprocess), c->a, c->b, status))
        return false;
      job->controls[i].rgb = image->rgb;
    }
  return true;
}

void
job_controls_clear (JobControls *controls)
{
  recipe_controls_clear (&controls->list);
  for (int i = 0; i < RECIPE_MAX_CONTROLS; i++)
    image_clear (&controls->images[i]);
}

void
job_controls_paths (const Recipe *recipe, void (*func) (void *data, const char *path), void *data)
{
  RecipeControls list = { .n = 0 };
  Status ignored = { 0 }; /* a list that cannot be read has been refused before */
  recipe_controls_read (&list, recipe, &ignored);
  for (size_t i = 0; i < list.n; i++)
    {
      func (data, recipe_str (list.items[i].model));
      func (data, recipe_str (list.items[i].image));
    }
  recipe_controls_clear (&list);
}
