/* SPDX-License-Identifier: MPL-2.0
 * tap.h - results as the Test Anything Protocol, for tests that are plain programs.
 *
 * One plan a program, so the count is kept here and not by each test.
 */
#pragma once

#include <stdbool.h>

#include "core/status.h"

/* One result, on a line of its own.  @name: what was tried, words joined by / and -
 * @format: figures behind the name; "%s", "" for none */
void tap_ok (bool ok, const char *name, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* What this machine cannot try.  @why: a few words */
void tap_skip (const char *name, const char *why);

/* Without this nothing is left to test: says so and exits. */
_Noreturn void tap_bail_out (const Status *status);

/* Ends the plan.  Returns: the program's exit status */
int tap_end (void);
