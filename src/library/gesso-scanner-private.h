/* SPDX-License-Identifier: MPL-2.0
 * gesso-scanner-private.h - what the scanner and its threads share.
 */
#pragma once

#include "library/gesso-scanner.h"

G_BEGIN_DECLS

/* What a folder that was read belongs to. */
typedef struct
{
  gboolean pictures;
  GessoFileKind hint;
  char *root; /* the folder that the user named */
} GessoScanRole;

typedef struct
{
  gboolean quit;
  gboolean is_again; /* by another thread, as the first waits for a disk */
  char **folders;    /* NULL: all */
} GessoScanJob;

typedef struct
{
  GessoScanner *scanner; /* borrowed: it outlives its threads */
  GThread *thread;
  GCancellable *cancellable;
  int n_steps;    /* atomic: what it has looked at; @n_seen of them the main thread knows */
  int n_seen;     /* of the main thread, as the next */
  gint64 seen_us; /* when they were as many for the first time */
  /* under the scanner's mutex */
  GessoScanJob *job;  /* being done, or NULL */
  char *root;         /* the named folder that it looks at, "" for pictures outside, or NULL */
  gboolean is_lost;   /* its disk does not answer: the next thread does its job */
  gboolean is_missed; /* and meanwhile @root was to be looked at once more */
  gboolean has_left;  /* its disk has answered, and it has ended */
} GessoScanWorker;

struct _GessoScanner
{
  GObject parent_instance;
  GessoDatabase *database;
  char *bundled_dir;
  GMainContext *context;
  GAsyncQueue *jobs;
  int n_jobs; /* atomic */

  /* of the main thread */
  GessoScanWorker *worker; /* NULL: stopped */
  GSource *watch;          /* while there are jobs: whether @worker moves */
  int patience_ms;

  GMutex mutex;
  /* under @mutex */
  GPtrArray *lost;           /* workers that wait for a disk; written by the main thread only */
  GHashTable *roles;         /* folder -> GessoScanRole */
  GHashTable *fresh_folders; /* for the watcher */
  gboolean fresh_all;
  GArray *fresh_pictures;
};

/* Of gesso-scan-jobs.c, on the worker's thread. */
void gesso_scan_job_run (GessoScanWorker *worker, const GessoScanJob *job);
void gesso_scan_role_free (gpointer role);

/* Of gesso-scanner.c, on any thread: rows were written. */
void gesso_scanner_tell_written (GessoScanner *self);

G_END_DECLS
