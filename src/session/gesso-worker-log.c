/* SPDX-License-Identifier: MPL-2.0
 * gesso-worker-log.c - what a worker process writes to stderr, and what it leaves behind.
 */
#define G_LOG_DOMAIN "gesso-worker"

#include "session/gesso-worker-log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum
{
  MAX_LOG_BYTES = 1 << 20,
  READ_BYTES = 4096,
  MAX_LINE_BYTES = 8192, /* a line without an end is cut here */
  MAX_WORDS = 500        /* characters that are quoted: a sentence of the engine */
};

struct _GessoWorkerLog
{
  GInputStream *stream;
  char *data_dir, *path;
  int number;
  gint64 pid;
  int fd; /* of the file; -1 when it cannot be written, which is no reason to stop */
  gsize n_bytes;
  GThread *thread;
  char *last_words; /* the thread's */
};

static void
open_file (GessoWorkerLog *self)
{
  struct stat st;
  self->fd = g_open (self->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  self->n_bytes = self->fd >= 0 && fstat (self->fd, &st) == 0 ? (gsize) st.st_size : 0;
}

static void
rotate (GessoWorkerLog *self)
{
  g_autofree char *old = g_strconcat (self->path, ".old", NULL);
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
  if (g_rename (self->path, old) == 0)
    open_file (self);
}

static void
write_line (GessoWorkerLog *self, const char *line)
{
  g_debug ("[%" G_GINT64_FORMAT "] %s", self->pid, line);
  if (self->fd < 0)
    return;
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *time = g_date_time_format (now, "%Y-%m-%d %H:%M:%S");
  g_autofree char *text = g_strdup_printf ("%s [%" G_GINT64_FORMAT "] %s\n", time, self->pid, line);
  gssize n = write (self->fd, text, strlen (text));
  self->n_bytes += n > 0 ? (gsize) n : 0;
  if (self->n_bytes > MAX_LOG_BYTES)
    rotate (self);
}

/* What stands behind GLib's "(gesso-worker:12): G-LOG-DOMAIN-WARNING **: 12:34:56.789: ";
 * everything of a line that GLib did not write.  Returns: NULL for what is said in passing */
static char *
words_of (const char *line)
{
  static const char *const in_passing[] = { "Message: ", "-Message **: ", "INFO: ",
                                            "DEBUG: ",   "-INFO **: ",    "-DEBUG **: " };
  for (gsize i = 0; i < G_N_ELEMENTS (in_passing); i++)
    if (strstr (line, in_passing[i]))
      return NULL;
  const char *mark = strstr (line, " **: "), *colon = mark ? strstr (mark + 5, ": ") : NULL;
  g_autofree char *words = g_strdup (colon ? colon + 2 : line);
  g_strstrip (words);
  if (!*words || strcmp (words, "**") == 0)
    return NULL;
  return g_utf8_substring (words, 0, MIN (MAX_WORDS, g_utf8_strlen (words, -1)));
}

static void
take_line (GessoWorkerLog *self, const char *line)
{
  char *words = words_of (line);
  write_line (self, line);
  if (!words)
    return;
  g_free (self->last_words);
  self->last_words = words;
}

/* Takes whole lines out of @pending. */
static void
write_lines (GessoWorkerLog *self, GString *pending)
{
  char *end;
  while ((end = memchr (pending->str, '\n', pending->len)))
    {
      *end = '\0';
      g_autofree char *line = g_utf8_make_valid (pending->str, -1);
      take_line (self, line);
      g_string_erase (pending, 0, end - pending->str + 1);
    }
  if (pending->len > MAX_LINE_BYTES)
    {
      g_autofree char *line = g_utf8_make_valid (pending->str, (gssize) pending->len);
      take_line (self, line);
      g_string_truncate (pending, 0);
    }
}

/* "worker.pid", "worker-1.pid" */
static char *
own_path (const char *data_dir, int number, const char *ending)
{
  g_autofree char *name = number > 0 ? g_strdup_printf ("worker-%d.%s", number, ending)
                                     : g_strdup_printf ("worker.%s", ending);
  return g_build_filename (data_dir, name, NULL);
}

static gpointer
log_thread (gpointer data)
{
  GessoWorkerLog *self = data;
  g_autoptr (GString) pending = g_string_new (NULL);
  g_autofree char *pid_file = own_path (self->data_dir, self->number, "pid");
  g_autofree char *pid = g_strdup_printf ("%" G_GINT64_FORMAT "\n", self->pid);
  char buffer[READ_BYTES];
  gssize n;
  g_file_set_contents_full (pid_file, pid, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL);
  open_file (self);
  while ((n = g_input_stream_read (self->stream, buffer, sizeof buffer, NULL, NULL)) > 0)
    {
      g_string_append_len (pending, buffer, n);
      write_lines (self, pending);
    }
  if (pending->len > 0)
    {
      g_string_append_c (pending, '\n');
      write_lines (self, pending);
    }
  if (self->fd >= 0)
    close (self->fd);
  gesso_worker_remove_temp_files (self->data_dir, self->pid);
  return NULL;
}

GessoWorkerLog *
gesso_worker_log_new (GInputStream *stream, const char *data_dir, int number, gint64 pid)
{
  g_return_val_if_fail (G_IS_INPUT_STREAM (stream) && data_dir && pid > 0, NULL);
  GessoWorkerLog *self = g_new0 (GessoWorkerLog, 1);
  self->stream = g_object_ref (stream);
  self->data_dir = g_strdup (data_dir);
  self->path = own_path (data_dir, number, "log");
  self->number = number;
  self->pid = pid;
  self->fd = -1;
  self->thread = g_thread_new ("worker-log", log_thread, self);
  return self;
}

char *
gesso_worker_log_end (GessoWorkerLog *self)
{
  g_return_val_if_fail (self, NULL);
  g_thread_join (self->thread);
  char *words = g_steal_pointer (&self->last_words);
  g_object_unref (self->stream);
  g_free (self->data_dir);
  g_free (self->path);
  g_free (self);
  return words;
}

char *
gesso_worker_log_dup_path (const char *data_dir, int number)
{
  return own_path (data_dir, number, "log");
}

void
gesso_worker_log_free (GessoWorkerLog *self)
{
  if (self)
    g_free (gesso_worker_log_end (self));
}

void
gesso_worker_remove_temp_files (const char *data_dir, gint64 pid)
{
  g_autofree char *folder = g_build_filename (data_dir, "journals", NULL);
  g_autofree char *prefix =
      pid ? g_strdup_printf (".gesso-%" G_GINT64_FORMAT "-", pid) : g_strdup (".gesso-");
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir)))
    if (g_str_has_prefix (name, prefix) && g_str_has_suffix (name, ".part"))
      {
        g_autofree char *path = g_build_filename (folder, name, NULL);
        g_unlink (path);
      }
}

void
gesso_worker_sweep (const char *data_dir)
{
  g_autofree char *path = g_build_filename (data_dir, "worker.lock", NULL);
  int fd = g_open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return;
  if (flock (fd, LOCK_EX | LOCK_NB) == 0)
    gesso_worker_remove_temp_files (data_dir, 0);
  close (fd);
}

/* Returns: 0 unless the process in that file is one of @program */
static gint64
find_old (const char *path, const char *program)
{
  g_autofree char *text = NULL;
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return 0;
  gint64 pid = g_ascii_strtoll (text, NULL, 10);
  g_autofree char *link = g_strdup_printf ("/proc/%" G_GINT64_FORMAT "/exe", pid);
  g_autofree char *exe = pid > 1 ? g_file_read_link (link, NULL) : NULL;
  g_autofree char *exe_name = exe ? g_path_get_basename (exe) : NULL;
  g_autofree char *our_name = g_path_get_basename (program);
  return exe_name && g_str_has_prefix (exe_name, our_name) ? pid : 0;
}

void
gesso_worker_kill_old (const char *data_dir, const char *program)
{
  g_autoptr (GDir) dir = g_dir_open (data_dir, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir)))
    {
      if (!g_str_has_prefix (name, "worker") || !g_str_has_suffix (name, ".pid"))
        continue;
      g_autofree char *path = g_build_filename (data_dir, name, NULL);
      gint64 pid = find_old (path, program);
      if (pid <= 0)
        continue;
      g_message ("The worker of an earlier window does not end: killing %" G_GINT64_FORMAT ".",
                 pid);
      kill ((pid_t) pid, SIGKILL);
    }
}
