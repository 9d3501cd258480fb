/* SPDX-License-Identifier: MPL-2.0
 * gesso-result.h - a finished picture on its way to the disk.
 *
 * The worker keeps a picture's latent in its journal until the client has answered Picture, and
 * asks the journal again after a crash.  The window and the worker may die at any moment, also
 * together.  So that no picture is lost and none is there twice, a picture goes through these
 * states, each of which is on the disk before the next begins:
 *
 *   1  no row           nothing has happened; a worker that goes on sends the picture (again)
 *   2  row, done = 0    the name is chosen and belongs to (job, picture): UNIQUE (path) in the
 * database; so does the folder in temp_folders, where a temporary file may lie from now on 3  file
 * the temporary file was synced and then renamed, never over another file; so a file of that name
 * is complete 4  row, done = 1    begin_batch does not ask for this picture any more; the last one
 * makes the job done in the same transaction 5  answered         the worker may forget the latent
 *
 * Died after 1 or 2: the picture comes again and takes the reserved name; the temporary file is
 * removed at the next start (gesso-recover.h).  Died after 3: then, or when the picture comes
 * again, the file is recognised by the recipe that stands in it, which is the row's, and only the
 * mark is made. A file of another recipe under the reserved name is another program's: the name is
 * given up and the next one reserved.  Died after 4: the worker is told in Run to skip the picture.
 *
 * Both recipes come from the worker, which makes the same one for the same picture, and a job has a
 * row for each of its pictures; so two jobs of the same recipe never take each other's files.
 */
#pragma once

#include "library/gesso-database.h"
#include "session/gesso-job.h"

G_BEGIN_DECLS

typedef struct _GessoResultWriter GessoResultWriter;

/* Writes one picture after the other on a thread of its own, in folders "YYYY-MM-DD" of
 * @pictures_dir. */
GessoResultWriter *gesso_result_writer_new (GessoDatabase *database, const char *pictures_dir);
/* For pictures handed over from now on. */
void gesso_result_writer_set_folder (GessoResultWriter *self, const char *pictures_dir);
/* Waits until the pictures handed over are written. */
void gesso_result_writer_free (GessoResultWriter *self);

/* gesso_result_save_async:
 * @index: of the picture within @job
 * @recipe: of this one picture, complete
 * @clip: NULL; or the file of a clip, whose first frame @frame is: it is moved, not written
 */
void gesso_result_save_async (GessoResultWriter *self,
                              gint64 job,
                              int index,
                              const GessoFrame *frame,
                              const char *recipe,
                              const char *clip,
                              GAsyncReadyCallback callback,
                              gpointer user_data);
/* Returns: the picture's path; @n_done: pictures of the job that are complete */
char *gesso_result_save_finish (GAsyncResult *result, int *n_done, GError **error);

/* Whether the file at @path is complete and made from @recipe.  Reads it. */
gboolean gesso_result_file_is_of (const char *path, const char *recipe);

G_END_DECLS
