/* SPDX-License-Identifier: MPL-2.0
 * gesso-resolve.h - the model that a recipe means, where it does not lie where the recipe says.
 */
#pragma once

#include "app/gesso-form.h"
#include "library/gesso-library.h"

G_BEGIN_DECLS

/* gesso_resolve_model:
 * @form: just filled in
 * @before: the model that was chosen until then
 *
 * Another program's name for a model, or a path at which there is nothing, becomes the path of the
 * library's file of that name or hash; where there is none, @before stays chosen.  Whether there is
 * something at a path is asked without waiting for its disk, so that the form has it meanwhile.
 */
void gesso_resolve_model (GessoForm *form, GessoLibrary *library, const char *before);

G_END_DECLS
