/* SPDX-License-Identifier: MPL-2.0
 * control-args.h - ControlNets on the command line.
 */
#pragma once

#include "recipe/recipe.h"

/* Adds "FILE:IMAGE[:WEIGHT[:START[:END]]]".  Fails: ARGUMENT */
bool take_control (Recipe *recipe, const char *text, Status *status);

/* Changes the one added last: "NAME[:A[:B]]", and a way to resize.  Fails: ARGUMENT */
bool take_control_preprocessor (Recipe *recipe, const char *text, Status *status);
bool take_control_resize (Recipe *recipe, const char *text, Status *status);
