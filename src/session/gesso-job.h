/* SPDX-License-Identifier: MPL-2.0
 * gesso-job.h - one recipe in the queue, as the window shows it.
 *
 * A job makes batch_count batches of batch_size pictures.  All properties are read-only, change on
 * the main thread and notify; GessoQueue changes them.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef enum
{
  GESSO_JOB_WAITING,
  GESSO_JOB_RUNNING,
  GESSO_JOB_PARKED, /* stopped between two steps, goes on later */
  GESSO_JOB_DONE,
  GESSO_JOB_FAILED,
  GESSO_JOB_CANCELLED
} GessoJobState;
GType gesso_job_state_get_type (void);
#define GESSO_TYPE_JOB_STATE (gesso_job_state_get_type ())

/* sRGB pixels that may be mapped from a worker: wrap @bytes in a texture, never copy. */
typedef struct
{
  int width, height;
  GBytes *rgb;  /* (n_frames, height, width, 3) */
  int n_frames; /* above 1 of a clip's preview */
  double rate;  /* of these, a second */
} GessoFrame;
GessoFrame *gesso_frame_new (int width, int height, GBytes *rgb);
GessoFrame *gesso_frame_copy (const GessoFrame *frame);
/* Frame @n alone, (height, width, 3), without a copy; g_bytes_unref() */
GBytes *gesso_frame_dup_rgb (const GessoFrame *frame, int n);
void gesso_frame_free (GessoFrame *frame);
GType gesso_frame_get_type (void);
#define GESSO_TYPE_FRAME (gesso_frame_get_type ())
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoFrame, gesso_frame_free)

/* Properties:
 *   id (int64), state (GessoJobState), title (string: the prompt's beginning),
 *   recipe (string: JSON), n-pictures, n-done (int), phase (string: "", "loading", "text",
 * "encode", "denoise", "decode"), step, n-steps (int, of the running batch), fraction (double, 0 ..
 * 1, of the whole job), eta (double: seconds, -1 when not known), preview (GessoFrame, the newest;
 * NULL when not running), error-code, error (string: why it failed), note (string), last-picture
 * (string: path of the newest picture), created, finished (int64: Unix time in microseconds, 0 when
 * not yet), wait-before (double: seconds until it begins, -1 when not known)
 */
#define GESSO_TYPE_JOB (gesso_job_get_type ())
G_DECLARE_FINAL_TYPE (GessoJob, gesso_job, GESSO, JOB, GObject)

gint64 gesso_job_get_id (GessoJob *self);
GessoJobState gesso_job_get_state (GessoJob *self);
const char *gesso_job_get_title (GessoJob *self);
const char *gesso_job_get_recipe (GessoJob *self);
int gesso_job_get_n_pictures (GessoJob *self);
int gesso_job_get_n_done (GessoJob *self);
const char *gesso_job_get_phase (GessoJob *self);
int gesso_job_get_step (GessoJob *self);
int gesso_job_get_n_steps (GessoJob *self);
double gesso_job_get_fraction (GessoJob *self);
double gesso_job_get_eta (GessoJob *self);
const GessoFrame *gesso_job_get_preview (GessoJob *self);
const char *gesso_job_get_error (GessoJob *self);
const char *gesso_job_get_error_code (GessoJob *self);
const char *gesso_job_get_last_picture (GessoJob *self);

G_END_DECLS
