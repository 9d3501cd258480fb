/* SPDX-License-Identifier: MPL-2.0
 * gesso-generate-bar.h - what it will take, the button that does it, and how many.
 */
#pragma once

#include <adwaita.h>

#include "app/gesso-form.h"

G_BEGIN_DECLS

typedef enum
{
  GESSO_MODE_GENERATE,
  GESSO_MODE_REFINE,
  GESSO_MODE_INPAINT,
  GESSO_MODE_ANIMATE,
  GESSO_MODE_EXTEND
} GessoMode;

#define GESSO_TYPE_GENERATE_BAR (gesso_generate_bar_get_type ())
G_DECLARE_FINAL_TYPE (GessoGenerateBar, gesso_generate_bar, GESSO, GENERATE_BAR, AdwBin)

GtkWidget *gesso_generate_bar_new (GessoForm *form);
/* @problem: why it cannot run, NULL when it can; @warning: @text is a warning */
void gesso_generate_bar_set_plan (GessoGenerateBar *self,
                                  const char *text,
                                  const char *problem,
                                  gboolean warning);
/* Draws the eye to the line: the button was pressed in vain. */
void gesso_generate_bar_point_out (GessoGenerateBar *self);
void gesso_generate_bar_set_mode (GessoGenerateBar *self, GessoMode mode);
/* @path: the clip that the next one goes on from, NULL for none; @again: it was asked for before */
void gesso_generate_bar_set_clip (GessoGenerateBar *self, const char *path, gboolean again);
/* The form holds a waiting job's recipe: the button puts it back. */
void gesso_generate_bar_set_editing (GessoGenerateBar *self, gboolean editing);
const char *gesso_generate_bar_get_label (GessoGenerateBar *self); /* the button's */
const char *gesso_generate_bar_get_line (GessoGenerateBar *self);  /* what stands above it */

G_END_DECLS
