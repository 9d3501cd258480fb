/* SPDX-License-Identifier: MPL-2.0
 * gesso-queue-store.h - jobs and their pictures in session.db.
 *
 * Every function runs within a GessoDatabaseFunc, in a transaction.  The database is the authority:
 * the list in memory repeats what a transaction has done.
 *
 * jobs.position orders the live jobs.  It is a real number, so that a job that moves is one row
 * that changes; when two neighbours have no number left between them all live jobs are numbered
 * anew.
 *
 * pictures has a row for each picture whose name was chosen: see gesso-result.h for the order in
 * which name, file and mark are written.
 */
#pragma once

#include "session/gesso-job-private.h"
#include "session/gesso-queue.h"
#include "session/gesso-sql.h"

G_BEGIN_DECLS

extern const char *const gesso_store_migrations[];
extern const int gesso_store_n_migrations;

typedef struct
{
  gint64 id;
  double position;
} GessoPosition;

/* Jobs that were running are parked from now on. */
gboolean gesso_store_recover (sqlite3 *db, GError **error);
/* Appends GessoJobRow: all live jobs in order, then the newest @max_ended ended ones. */
gboolean gesso_store_load (sqlite3 *db, int max_ended, GPtrArray *rows, GError **error);

/* gesso_store_add:
 * @recipes: each is checked; nothing is added when one is not valid
 * @running: id of the job that runs, 0 for none
 * @rows: receives GessoJobRow
 * @positions: receives GessoPosition of other jobs that were numbered anew
 */
gboolean gesso_store_add (sqlite3 *db,
                          const char *const *recipes,
                          GessoQueuePlace place,
                          gint64 running,
                          GPtrArray *rows,
                          GArray *positions,
                          GError **error);
/* Waiting jobs only.  Returns: the job's row; NULL with @error */
GessoJobRow *gesso_store_edit (sqlite3 *db, gint64 id, const char *recipe, GError **error);
/* @before: a live job, 0 for the end.  @positions: receives every position that changed. */
gboolean
gesso_store_move (sqlite3 *db, gint64 id, gint64 before, GArray *positions, GError **error);
/* Before all other jobs. */
gboolean gesso_store_move_first (sqlite3 *db, gint64 id, GArray *positions, GError **error);
/* @finished: Unix time in us, 0 for live states.  Returns: the row as it is afterwards */
GessoJobRow *gesso_store_set_state (sqlite3 *db,
                                    gint64 id,
                                    GessoJobState state,
                                    const char *code,
                                    const char *sentence,
                                    gint64 finished,
                                    GError **error);
gboolean gesso_store_set_note (sqlite3 *db, gint64 id, const char *note, GError **error);
gboolean gesso_store_cancel_all (sqlite3 *db, gint64 finished, GError **error);
/* An ended job waits again, at the end of the queue; one that has pictures already is parked. */
GessoJobRow *gesso_store_retry (sqlite3 *db, gint64 id, GError **error);
gboolean gesso_store_remove (sqlite3 *db, gint64 id, GError **error);
gboolean gesso_store_remove_ended (sqlite3 *db, GError **error);

/* What the worker is to do next for a job. */
typedef struct
{
  int batch;    /* -1: all pictures are there; the job is done */
  char *recipe; /* of this batch */
  GArray *skip; /* of guint32: indices within the batch that are done already */
  GessoJobRow *row;
} GessoBatch;
void gesso_batch_free (GessoBatch *batch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GessoBatch, gesso_batch_free)
/* Marks the job as running, or as done when no picture is missing.  NULL without @error: it is not
 * live. */
GessoBatch *gesso_store_begin_batch (sqlite3 *db, gint64 id, gint64 now, GError **error);

/* gesso_store_find_name:
 * @folder, @stem, @ending: the name will be "@folder/@stem-00001@ending" with a number that the
 *   database does not have
 * @n: 0, or the last number that did not serve; receives this one
 * @path: receives the name
 * @known: receives whether this picture has it already
 */
gboolean gesso_store_find_name (sqlite3 *db,
                                gint64 job,
                                int index,
                                const char *folder,
                                const char *stem,
                                const char *ending,
                                int *n,
                                char **path,
                                gboolean *known,
                                GError **error);
/* gesso_store_reserve:
 * @path: as gesso_store_find_name has found it
 * @is_there: a file of that name
 * @of_file: receives the recipe that a file of that name has if it is this picture's: @recipe, or
 *   an earlier one when there is such a file already
 * @done: receives whether the picture is complete already
 */
gboolean gesso_store_reserve (sqlite3 *db,
                              gint64 job,
                              int index,
                              const char *recipe,
                              const char *path,
                              gboolean is_there,
                              char **of_file,
                              gboolean *done,
                              GError **error);
/* Gives up the name of a picture that is not done. */
gboolean gesso_store_release (sqlite3 *db, gint64 job, int index, GError **error);
/* The file is on the disk.  The job's last picture makes it done.  @n_done: receives the job's
 * count */
gboolean
gesso_store_mark_done (sqlite3 *db, gint64 job, int index, gint64 now, int *n_done, GError **error);

/* Names of settings: "paused". */
gboolean gesso_store_set_setting (sqlite3 *db, const char *key, const char *value, GError **error);
char *gesso_store_dup_setting (sqlite3 *db, const char *key, GError **error); /* "" when absent */

G_END_DECLS
