/* SPDX-License-Identifier: MPL-2.0
 * gesso-job-text.h - a job's state in words.
 */
#pragma once

#include "session/gesso-job.h"

G_BEGIN_DECLS

/* "Step 14 of 28 · 0:09 left", "4 pictures · starts in 2 min"; the caller's to g_free. */
char *gesso_job_text_dup_details (GessoJob *job);
/* "Step 14 of 28 · 0:09 left" of a running job; no time before its model is loaded. */
char *gesso_job_text_dup_progress (GessoJob *job);
/* The same, and how many others run beside it: "Step 14 of 28 · 1 more runs". */
char *gesso_job_text_dup_progress_of (GessoJob *job, int n_others);
/* "0:09", "1:02:10"; at least a second. */
char *gesso_job_text_dup_clock (double seconds);
/* Running, parked or waiting. */
gboolean gesso_job_text_is_active (GessoJob *job);
/* Translated heading of the part of the queue that @job stands in. */
const char *gesso_job_text_get_section (GessoJob *job);

G_END_DECLS
