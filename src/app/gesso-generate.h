/* SPDX-License-Identifier: MPL-2.0
 * gesso-generate.h - from the form and the canvas to jobs in the queue.
 */
#pragma once

#include "app/canvas/gesso-document.h"
#include "app/gesso-form.h"
#include "library/gesso-library.h"
#include "session/gesso-expand.h"
#include "session/gesso-session.h"

G_BEGIN_DECLS

/* Strength of a job with a start picture whose form says nothing else. */
#define GESSO_DEFAULT_STRENGTH "0.6"

typedef struct
{
  GessoQueuePlace place;
  const GessoAxis *axes; /* @n_axes, copied */
  int n_axes;
  const char *const *prompts; /* NULL, or one job for each, copied */
  /* NULL, or paths of start pictures, copied: one job for each, of its own shape, in place of the
   * canvas; no @axes then */
  const char *const *pictures;
  /* A video model is asked: the canvas's picture is the clip's first frame, without a mask. */
  gboolean animate;
  gint64 edit; /* job whose recipe is replaced in place of adding one; 0 for none */
} GessoGenerateOptions;

/* gesso_generate_async:
 * @document: whose frame is the start picture and mask when it holds pixels
 *
 * The frame is taken out, written as PNG files under the data folder, wildcards and axes expanded,
 * all on threads; then the jobs are added, without LoRAs that are for another model than theirs.
 * What is edited afterwards does not change them.
 */
void gesso_generate_async (GessoSession *session,
                           GessoLibrary *library,
                           GessoForm *form,
                           GessoDocument *document,
                           const GessoGenerateOptions *options,
                           GAsyncReadyCallback callback,
                           gpointer user_data);
/* @where: receives the frame that the jobs are for; empty for jobs of @pictures.
 * Returns: ids of the jobs (gint64), NULL with @error */
GArray *gesso_generate_finish (GAsyncResult *result, GessoRect *where, GError **error);

/* Key of the recipe that takes the mask's path; NULL when this version has none. */
const char *gesso_generate_get_mask_key (void);
/* Width and height of the picture the form asks for: its own, else the model's, else 512 px. */
void gesso_generate_get_size (GessoForm *form, int *width, int *height);

G_END_DECLS
