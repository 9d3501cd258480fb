/* SPDX-License-Identifier: MPL-2.0
 * gesso-choice.h - what a recipe's fixed choices are called.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Returns: (transfer full): "dpmpp_2m" -> "DPM++ 2M", in the user's language where it is a word */
char *gesso_choice_dup_label (const char *choice);

G_END_DECLS
