/* SPDX-License-Identifier: MPL-2.0
 * gesso-worker-log.h - what a worker process writes to stderr, kept in a bounded file and in the
 * log.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _GessoWorkerLog GessoWorkerLog;

/* gesso_worker_log_new:
 * @stream: the process's stderr; read on a thread until its end
 * @data_dir: worker.log, at most 1 MiB, the one before it as worker.log.old
 * @number: of the worker, from 0; from 1 on the files are worker-1.log, worker-1.pid and so on
 * @pid: written to worker.pid, so that the next start can end a worker that outlived its window;
 * when the process has ended, its temporary files in journals/ are removed
 */
GessoWorkerLog *
gesso_worker_log_new (GInputStream *stream, const char *data_dir, int number, gint64 pid);
/* Waits for the end of the stream. */
void gesso_worker_log_free (GessoWorkerLog *self);
/* The same.  Returns: the process's last warning or error without the log's own words around it,
 * NULL when it ended in silence */
char *gesso_worker_log_end (GessoWorkerLog *self);

/* Returns: (transfer full): the file of worker @number */
char *gesso_worker_log_dup_path (const char *data_dir, int number);

/* At the start: takes away the temporary files of all workers, unless one still runs. */
void gesso_worker_sweep (const char *data_dir);
/* Removes temporary files of process @pid, of any process when 0, from @data_dir/journals. */
void gesso_worker_remove_temp_files (const char *data_dir, gint64 pid);
/* Kills the processes in worker.pid, worker-1.pid and so on that are of @program. */
void gesso_worker_kill_old (const char *data_dir, const char *program);

G_END_DECLS
