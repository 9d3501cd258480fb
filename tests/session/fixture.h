/* SPDX-License-Identifier: MPL-2.0
 * fixture.h - a session in folders of its own, with a fake worker or the real one.
 */
#pragma once

#include "session/gesso-session.h"

/* A session in folders of its own, and what it told. */
typedef struct
{
  const char *worker;   /* program */
  const char *backends; /* NULL: one worker */
  char *folder, *data, *pictures;
  GessoSession *session;
  GessoQueue *queue;
  int n_failed, n_drained, n_ended, n_pictures, n_died, n_previews;
  char *sentence; /* of the last failure or death */
} Fixture;

#define WAIT_FOR(condition)                                                                        \
  G_STMT_START                                                                                     \
  {                                                                                                \
    guint guard_ = guard_new (#condition);                                                         \
    while (!(condition))                                                                           \
      g_main_context_iteration (NULL, TRUE);                                                       \
    g_source_remove (guard_);                                                                      \
  }                                                                                                \
  G_STMT_END

/* Ends the program when it is not removed in time. */
guint guard_new (const char *what);

void set_up (Fixture *f, gconstpointer worker);
void tear_down (Fixture *f, gconstpointer unused);
void open_with (Fixture *f, const char *worker);
void close_session (Fixture *f);
void reopen (Fixture *f);

char *recipe (const char *prompt, int batch_count, int batch_size);
/* GAsyncReadyCallback of gesso_queue_add_async(); @data: GArray ** for the ids */
void on_added_cb (GObject *source, GAsyncResult *result, gpointer data);
/* Prompts separated by commas, one job each.  Returns: the last job, the queue's */
GessoJob *add_at (Fixture *f, const char *prompts, GessoQueuePlace place);
GessoJob *add (Fixture *f, const char *prompts);
GessoJob *add_batches (Fixture *f, const char *prompt, int count, int size);
GessoJob *find (Fixture *f, const char *title);
gboolean is_in (GessoJob *job, GessoJobState state);

/* Titles of the live jobs, in order; the ended ones after a "/". */
char *titles (Fixture *f);
gboolean titles_are (Fixture *f, const char *expected);
void assert_titles (Fixture *f, const char *expected);
guint count_files (const char *folder);
/* Returns: the process of worker @number, 0 when it never ran */
int worker_pid (Fixture *f, int number);
