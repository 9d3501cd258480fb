/* SPDX-License-Identifier: MPL-2.0
 * gesso-job-actions.h - actions about one job, with its id (int64) as their parameter.
 *
 * job-cancel, job-remove, job-retry, job-duplicate, job-first, job-up, job-down, job-show.  Whoever
 * adds them adds job-edit itself, because only the window knows where a recipe is edited.
 */
#pragma once

#include "session/gesso-queue.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* @map: a window; its actions live as long as @queue */
void gesso_job_actions_add (GActionMap *map, GessoQueue *queue);
/* Opens the folder of @path in the file manager with the file selected. */
void gesso_job_actions_show_file (const char *path);

G_END_DECLS
