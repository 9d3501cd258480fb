/* SPDX-License-Identifier: MPL-2.0
 * gesso-shape.h - sizes for a ratio, at the area a model was trained on.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  const char *label; /* "3:2" */
  double ratio;      /* width / height */
} GessoRatio;

const GessoRatio *gesso_shape_ratios (guint *n);
/* gesso_shape_fit:
 * @native: side of the square the model was trained on, px
 * @step: what its sides must be multiples of, 0 where that is not known
 *
 * Width and height near @native squared, in steps of 64 px, of 8 px for models of less than 512 px;
 * where @step is more than 8, as of video models, in such steps.  For 1024 px these are SDXL's own
 * training sizes (Podell et al. 2023, appendix I).
 */
void gesso_shape_fit (double ratio, int native, int step, int *width, int *height);
/* The label of the ratio that @width x @height was made for, NULL when it is none of them. */
const char *gesso_shape_find (int width, int height, int native, int step);

G_END_DECLS
