/* SPDX-License-Identifier: MPL-2.0
 * trace.h - what a Ctx's operators took, for whoever wants them faster.
 */
#pragma once

#include "core/ctx.h"

/* trace_write:
 * @phase: "denoise"; names the lines
 *
 * Call it before a Ctx goes.  Does nothing unless the environment asks:
 *   GESSO_TRACE=FILE  adds a JSON object a line for each operator to FILE, in the order of the run
 *   GESSO_DEBUG=ops   prints them as a table on standard error, the dearest first, with sums
 * Times are means over the runs; GFLOP/s are of CPU time, so one thread's share.  A file that
 * cannot be written is no reason to lose a picture: it is left out.
 */
void trace_write (const Ctx *ctx, const char *phase);
