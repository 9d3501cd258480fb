/* SPDX-License-Identifier: MPL-2.0
 * gesso-inputs.h - start pictures and masks of jobs, kept beside the queue.
 *
 * A job's recipe names them by path; a file is named by its pixels, so that many jobs share one.
 */
#pragma once

#include "session/gesso-queue.h"

G_BEGIN_DECLS

/* gesso_inputs_store: any thread, blocking
 * @pixels: (@height, @width, 3) sRGB, or with @mask (@height, @width) grey
 *
 * Returns: the file's path; freed with g_free()
 */
char *gesso_inputs_store (
    const char *folder, GBytes *pixels, int width, int height, gboolean mask, GError **error);

/* gesso_inputs_sweep: at the start
 *
 * Removes the files of @folder that no job of @queue, ended ones included, names; on a thread,
 * without an answer.  Files stored since the program began stay.
 */
void gesso_inputs_sweep (const char *folder, GessoQueue *queue);

G_END_DECLS
