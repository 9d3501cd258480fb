/* SPDX-License-Identifier: MPL-2.0
 * gesso-few-steps.h - the offer to sample a distilled model as its makers do.
 */
#pragma once

#include <adwaita.h>

#include "app/gesso-form.h"
#include "library/gesso-library.h"

G_BEGIN_DECLS

#define GESSO_TYPE_FEW_STEPS (gesso_few_steps_get_type ())
G_DECLARE_FINAL_TYPE (GessoFewSteps, gesso_few_steps, GESSO, FEW_STEPS, AdwBin)

/* A row that is there while the model or a LoRA of @form was made for few steps and @form asks for
 * far more, or for guidance that it does not take.  It changes nothing before its button is
 * pressed. */
GtkWidget *gesso_few_steps_new (GessoForm *form, GessoLibrary *library);

G_END_DECLS
