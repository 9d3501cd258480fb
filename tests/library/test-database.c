/* SPDX-License-Identifier: MPL-2.0
 * test-database.c - the database's thread, its migrations, and what it does with broken files.
 *
 * Run alone: build/tests/library/test-database.  With "--count FILE N" it is the second process of
 * a test: it adds 1 to a number in the file N times.
 */
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/gesso-database.h"

static const char *const scripts[] = {
  "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
  "ALTER TABLE t ADD COLUMN text TEXT NOT NULL DEFAULT ''; INSERT INTO t (id, n) VALUES (1, 0)",
  "CREATE TABLE broken (",
};

static const char *program;

typedef struct
{
  char *dir, *path;
  GessoDatabase *db;
} Fixture;

static GessoDatabase *
open_db (const char *path, int n_migrations, GError **error)
{
  return gesso_database_new (path, GESSO_DATABASE_DURABLE, scripts, n_migrations, error);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  f->dir = g_dir_make_tmp ("gesso-database-XXXXXX", &error);
  g_assert_no_error (error);
  f->path = g_build_filename (f->dir, "new", "folder", "some.db", NULL);
  f->db = open_db (f->path, 2, &error);
  g_assert_no_error (error);
}

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *child = g_build_filename (path, name, NULL);
      remove_tree (child);
    }
  g_remove (path);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_clear_object (&f->db);
  remove_tree (f->dir);
  g_free (f->dir);
  g_free (f->path);
}

/* -- functions that run on the thread */

static gboolean
insert (sqlite3 *db, gpointer data, GError **error)
{
  gboolean row;
  sqlite3_stmt *s = gesso_sql_prepare (db, "INSERT INTO t (n) VALUES (?)", error);
  if (!s)
    return FALSE;
  sqlite3_bind_int (s, 1, GPOINTER_TO_INT (data));
  return gesso_sql_step (s, &row, error);
}

static gboolean
insert_and_fail (sqlite3 *db, gpointer data, GError **error)
{
  if (!insert (db, data, error))
    return FALSE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS, "no");
  return FALSE;
}

typedef struct
{
  const char *sql;
  int value;
} Query;

static gboolean
query (sqlite3 *db, gpointer data, GError **error)
{
  Query *q = data;
  gboolean row = FALSE;
  sqlite3_stmt *s = gesso_sql_prepare (db, q->sql, error);
  if (!s || !gesso_sql_step (s, &row, error))
    return FALSE;
  q->value = row ? sqlite3_column_int (s, 0) : -1; /* left unfinished on purpose */
  return TRUE;
}

static int
ask (GessoDatabase *db, const char *sql)
{
  g_autoptr (GError) error = NULL;
  Query q = { .sql = sql };
  g_assert_true (gesso_database_run (db, FALSE, query, &q, &error));
  g_assert_no_error (error);
  return q.value;
}

/* -- tests */

static void
test_database_migrates_and_keeps (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (ask (f->db, "PRAGMA user_version"), ==, 2);
  g_assert_true (gesso_database_run (f->db, TRUE, insert, GINT_TO_POINTER (42), &error));
  g_clear_object (&f->db);
  f->db = open_db (f->path, 2, &error);
  g_assert_no_error (error);
  g_assert_cmpint (ask (f->db, "SELECT max (n) FROM t"), ==, 42);
  g_assert_cmpint (ask (f->db, "SELECT count (*) FROM t"), ==, 2);
}

static void
test_database_migrates_an_older_file (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (f->dir, "old.db", NULL);
  GessoDatabase *old = open_db (path, 1, &error);
  g_assert_no_error (error);
  g_assert_true (gesso_database_run (old, TRUE, insert, GINT_TO_POINTER (7), &error) == TRUE);
  g_assert_true (gesso_database_run (old, FALSE, insert, GINT_TO_POINTER (8), &error) == TRUE);
  g_object_unref (old);
  old = open_db (path, 2, &error);
  /* row 1 exists already: the second script cannot be run, and nothing of it stays */
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  g_assert_null (old);
  g_clear_error (&error);
  old = open_db (path, 1, &error);
  g_assert_no_error (error);
  g_assert_cmpint (ask (old, "PRAGMA user_version"), ==, 1);
  g_assert_cmpint (ask (old, "SELECT count (*) FROM pragma_table_info ('t')"), ==, 2);
  g_object_unref (old);
}

static void
test_database_refuses_a_newer_file (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_clear_object (&f->db);
  g_assert_null (open_db (f->path, 1, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  g_assert_nonnull (strstr (error->message, f->path));
  g_clear_error (&error);
  f->db = open_db (f->path, 2, &error); /* and has not touched it */
  g_assert_no_error (error);
}

static void
test_database_stops_at_a_bad_script (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_clear_object (&f->db);
  g_assert_null (open_db (f->path, 3, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
}

static void
test_database_rolls_back (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (gesso_database_run (f->db, TRUE, insert_and_fail, GINT_TO_POINTER (5), &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS);
  g_assert_cmpint (ask (f->db, "SELECT count (*) FROM t WHERE n = 5"), ==, 0);
  g_clear_error (&error);
  g_assert_false (gesso_database_run (f->db, FALSE, insert_and_fail, GINT_TO_POINTER (5), &error));
  g_assert_cmpint (ask (f->db, "SELECT count (*) FROM t WHERE n = 5"), ==, 1);
}

static gboolean
nested_query (sqlite3 *db, gpointer data, GError **error)
{
  gboolean row;
  sqlite3_stmt *outer = gesso_sql_prepare (db, "SELECT n FROM t ORDER BY id", error);
  g_assert_true (gesso_sql_step (outer, &row, error) && row);
  sqlite3_stmt *inner = gesso_sql_prepare (db, "SELECT n FROM t ORDER BY id", error);
  g_assert_true (inner != outer);
  g_assert_true (gesso_sql_step (inner, &row, error) && row);
  g_assert_true (gesso_sql_step (outer, &row, error) && !row);
  sqlite3_stmt *again = gesso_sql_prepare (db, "SELECT n FROM t ORDER BY id", error);
  g_assert_true (again == outer);
  return TRUE;
}

static void
test_database_caches_statements_and_lends_none_twice (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  for (int i = 0; i < 3; i++)
    g_assert_true (gesso_database_run (f->db, i == 1, nested_query, NULL, &error));
}

typedef struct
{
  GMainLoop *loop;
  GString *order;
  int pending;
} Order;

static gboolean
note_order (sqlite3 *db, gpointer data, GError **error)
{
  return insert (db, data, error);
}

static void
ordered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  Order *o = user_data;
  g_assert_true (gesso_database_run_finish (GESSO_DATABASE (source), result, &error));
  if (--o->pending == 0)
    g_main_loop_quit (o->loop);
}

static void
test_database_runs_in_order (Fixture *f, gconstpointer data)
{
  Order o = { .loop = g_main_loop_new (NULL, FALSE), .pending = 500 };
  for (int i = 0; i < 500; i++)
    gesso_database_run_async (f->db, i % 3 == 0, note_order, GINT_TO_POINTER (i + 1), NULL, NULL,
                              ordered_cb, &o);
  g_main_loop_run (o.loop);
  g_main_loop_unref (o.loop);
  g_assert_cmpint (ask (f->db, "SELECT count (*) FROM t WHERE id = n + 1"), ==, 501);
}

static void
test_database_flush_waits_for_everything (Fixture *f, gconstpointer data)
{
  for (int i = 0; i < 50; i++)
    gesso_database_run_async (f->db, TRUE, insert, GINT_TO_POINTER (9), NULL, NULL, NULL, NULL);
  gesso_database_flush (f->db);
  g_autoptr (GError) error = NULL;
  g_autoptr (GessoDatabase) other = open_db (f->path, 2, &error);
  g_assert_no_error (error);
  g_assert_cmpint (ask (other, "SELECT count (*) FROM t WHERE n = 9"), ==, 50);
}

static void
test_database_finishes_what_was_asked_before_it_goes (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  for (int i = 0; i < 20; i++)
    gesso_database_run_async (f->db, TRUE, insert, GINT_TO_POINTER (9), NULL, NULL, NULL, NULL);
  g_clear_object (&f->db); /* the last reference may now be the thread's */
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  f->db = open_db (f->path, 2, &error);
  g_assert_no_error (error);
  int n = 0;
  /* the old connection may still be at work: this one's writes queue behind it */
  while (n < 20)
    {
      n = ask (f->db, "SELECT count (*) FROM t WHERE n = 9");
      g_main_context_iteration (NULL, FALSE);
    }
  g_assert_cmpint (n, ==, 20);
}

typedef struct
{
  GMutex mutex;
  GCond cond;
  gboolean open;
  int n_freed;
} Gate;

static gboolean
wait_at_gate (sqlite3 *db, gpointer data, GError **error)
{
  Gate *gate = data;
  g_mutex_lock (&gate->mutex);
  while (!gate->open)
    g_cond_wait (&gate->cond, &gate->mutex);
  g_mutex_unlock (&gate->mutex);
  return TRUE;
}

static gboolean
endless (sqlite3 *db, gpointer data, GError **error)
{
  gboolean row;
  Gate *gate = data;
  g_mutex_lock (&gate->mutex);
  gate->open = TRUE;
  g_cond_signal (&gate->cond);
  g_mutex_unlock (&gate->mutex);
  sqlite3_stmt *s = gesso_sql_prepare (db,
                                       "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 "
                                       "FROM c) INSERT INTO t (n) SELECT x FROM c WHERE x < 0",
                                       error);
  return s && gesso_sql_step (s, &row, error);
}

static void
free_gate (gpointer data)
{
  g_atomic_int_inc (&((Gate *) data)->n_freed);
}

static void
cancelled_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (gesso_database_run_finish (GESSO_DATABASE (source), result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_main_loop_quit (user_data);
}

static void
test_database_cancels_what_waits (Fixture *f, gconstpointer data)
{
  Gate gate = { .open = FALSE };
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  gesso_database_run_async (f->db, FALSE, wait_at_gate, &gate, NULL, NULL, NULL, NULL);
  gesso_database_run_async (f->db, TRUE, endless, &gate, free_gate, cancellable, cancelled_cb,
                            loop);
  g_cancellable_cancel (cancellable);
  g_mutex_lock (&gate.mutex);
  gate.open = TRUE;
  g_cond_signal (&gate.cond);
  g_mutex_unlock (&gate.mutex);
  g_main_loop_run (loop);
  g_assert_cmpint (gate.n_freed, ==, 1);
}

static void
test_database_cancels_what_runs (Fixture *f, gconstpointer data)
{
  Gate gate = { .open = FALSE };
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  gesso_database_run_async (f->db, TRUE, endless, &gate, free_gate, cancellable, cancelled_cb,
                            loop);
  wait_at_gate (NULL, &gate, NULL);
  g_cancellable_cancel (cancellable);
  g_main_loop_run (loop);
  g_assert_cmpint (ask (f->db, "SELECT count (*) FROM t"), ==, 1);
}

static void
damage (const char *path)
{
  g_autofree char *contents = NULL;
  gsize length = 0;
  g_assert_true (g_file_get_contents (path, &contents, &length, NULL));
  for (gsize i = 100; i < length; i++) /* the header stays: SQLite has to look to find it */
    contents[i] = (char) (i * 31);
  g_assert_true (g_file_set_contents (path, contents, (gssize) length, NULL));
}

static void
test_database_puts_a_damaged_file_aside (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  for (int i = 1; i <= 2; i++)
    {
      g_autofree char *aside = g_strdup_printf ("%s.damaged-%d", f->path, i);
      g_clear_object (&f->db);
      if (i == 1)
        damage (f->path);
      else
        g_assert_true (g_file_set_contents (f->path, "this is no database, never was", -1, NULL));
      g_test_expect_message ("gesso-library", G_LOG_LEVEL_WARNING, "*put aside*");
      f->db = open_db (f->path, 2, &error);
      g_test_assert_expected_messages ();
      g_assert_no_error (error);
      g_assert_true (g_file_test (aside, G_FILE_TEST_EXISTS));
      g_assert_cmpint (ask (f->db, "SELECT count (*) FROM t"), ==, 1);
    }
}

static void
test_database_checks_a_fast_file_that_failed (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  Query q = { .sql = "SELECT sum (n) FROM t" };
  for (int i = 0; i < 5000; i++)
    g_assert_true (gesso_database_run (f->db, FALSE, insert, GINT_TO_POINTER (i), &error));
  g_clear_object (&f->db);
  g_autofree char *contents = NULL;
  gsize length = 0;
  g_assert_true (g_file_get_contents (f->path, &contents, &length, NULL));
  g_assert_cmpint (length, >, 16384);
  memset (contents + 8192, 0x55, length - 8192); /* the schema is whole, the rows are not */
  g_assert_true (g_file_set_contents (f->path, contents, (gssize) length, NULL));
  f->db = gesso_database_new (f->path, GESSO_DATABASE_FAST, scripts, 2, &error);
  g_assert_no_error (error);
  g_test_expect_message ("gesso-library", G_LOG_LEVEL_WARNING, "*checked at the next start*");
  g_assert_false (gesso_database_run (f->db, FALSE, query, &q, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_clear_error (&error);
  g_clear_object (&f->db);
  g_test_assert_expected_messages ();
  g_test_expect_message ("gesso-library", G_LOG_LEVEL_WARNING, "*put aside*");
  f->db = gesso_database_new (f->path, GESSO_DATABASE_FAST, scripts, 2, &error);
  g_test_assert_expected_messages ();
  g_assert_no_error (error);
  g_assert_cmpint (ask (f->db, "SELECT count (*) FROM t"), ==, 1);
}

static void
test_database_survives_a_cut_file (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_clear_object (&f->db);
  g_autofree char *contents = NULL;
  gsize length = 0;
  g_assert_true (g_file_get_contents (f->path, &contents, &length, NULL));
  for (gsize cut = 0; cut < length; cut += 1000)
    {
      g_autofree char *path = g_strdup_printf ("%s/cut-%u.db", f->dir, (guint) cut);
      g_assert_true (g_file_set_contents (path, contents, (gssize) cut, NULL));
      if (cut > 0) /* an empty file is a new database */
        g_test_expect_message ("gesso-library", G_LOG_LEVEL_WARNING, "*put aside*");
      g_autoptr (GessoDatabase) db = open_db (path, 2, &error);
      g_test_assert_expected_messages ();
      g_assert_no_error (error);
      g_assert_cmpint (ask (db, "SELECT count (*) FROM t"), ==, 1);
    }
}

static void
test_database_says_why_it_cannot_open (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (open_db ("/proc/nowhere/some.db", 2, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_null (open_db (f->dir, 2, &error));
  g_assert_nonnull (error);
}

static gboolean
add_one (sqlite3 *db, gpointer data, GError **error)
{
  Query q = { .sql = "SELECT n FROM t WHERE id = 1" };
  gboolean row;
  if (!query (db, &q, error))
    return FALSE;
  sqlite3_stmt *s = gesso_sql_prepare (db, "UPDATE t SET n = ? WHERE id = 1", error);
  if (!s)
    return FALSE;
  sqlite3_bind_int (s, 1, q.value + 1);
  return gesso_sql_step (s, &row, error);
}

static int
count_up (const char *path, int n)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GessoDatabase) db = open_db (path, 2, &error);
  for (int i = 0; db && i < n; i++)
    if (!gesso_database_run (db, TRUE, add_one, NULL, &error))
      break;
  if (error)
    g_printerr ("%s\n", error->message);
  return error != NULL;
}

static void
test_database_serves_two_processes (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (f->dir, "shared.db", NULL); /* both may make it */
  g_autoptr (GSubprocess) child =
      g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, &error, program, "--count", path, "200", NULL);
  g_assert_no_error (error);
  g_assert_cmpint (count_up (path, 200), ==, 0);
  g_assert_true (g_subprocess_wait_check (child, NULL, &error));
  g_autoptr (GessoDatabase) db = open_db (path, 2, &error);
  g_assert_no_error (error);
  g_assert_cmpint (ask (db, "SELECT n FROM t WHERE id = 1"), ==, 400);
}

static void
test_database_keeps_what_was_committed_when_killed (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  for (int i = 1; i <= 5; i++)
    {
      int before = ask (f->db, "SELECT n FROM t WHERE id = 1"), now = before;
      g_autoptr (GSubprocess) child = g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, &error, program,
                                                        "--count", f->path, "100000000", NULL);
      g_assert_no_error (error);
      while (now < before + 10 * i)
        now = ask (f->db, "SELECT n FROM t WHERE id = 1");
      g_subprocess_force_exit (child);
      g_subprocess_wait (child, NULL, NULL);
      g_clear_object (&f->db);
      f->db = open_db (f->path, 2, &error);
      g_assert_no_error (error);
      g_assert_cmpint (ask (f->db, "SELECT n FROM t WHERE id = 1"), >=, now);
    }
}

static void
add (const char *path, void (*test) (Fixture *, gconstpointer))
{
  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  program = argv[0];
  if (argc == 4 && !strcmp (argv[1], "--count"))
    return count_up (argv[2], atoi (argv[3]));
  g_test_init (&argc, &argv, NULL);
  add ("/library/database/migrates-and-keeps", test_database_migrates_and_keeps);
  add ("/library/database/migrates-an-older-file", test_database_migrates_an_older_file);
  add ("/library/database/refuses-a-newer-file", test_database_refuses_a_newer_file);
  add ("/library/database/stops-at-a-bad-script", test_database_stops_at_a_bad_script);
  add ("/library/database/rolls-back", test_database_rolls_back);
  add ("/library/database/caches-statements", test_database_caches_statements_and_lends_none_twice);
  add ("/library/database/runs-in-order", test_database_runs_in_order);
  add ("/library/database/flush", test_database_flush_waits_for_everything);
  add ("/library/database/finishes-before-it-goes",
       test_database_finishes_what_was_asked_before_it_goes);
  add ("/library/database/cancels-what-waits", test_database_cancels_what_waits);
  add ("/library/database/cancels-what-runs", test_database_cancels_what_runs);
  add ("/library/database/puts-damage-aside", test_database_puts_a_damaged_file_aside);
  add ("/library/database/checks-a-fast-file", test_database_checks_a_fast_file_that_failed);
  add ("/library/database/survives-a-cut-file", test_database_survives_a_cut_file);
  add ("/library/database/says-why-it-cannot-open", test_database_says_why_it_cannot_open);
  add ("/library/database/two-processes", test_database_serves_two_processes);
  add ("/library/database/killed", test_database_keeps_what_was_committed_when_killed);
  return g_test_run ();
}
