/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "worker/paths.h"

/* The file: Head, recipe, state, SHA-256 of them. */
typedef struct
{
  char magic[8];
  uint32_t version;
  int32_t step, decode_picture, decode_started;
  char batch[JOURNAL_BATCH_SIZE + 3], identity[IDENTITY_SIZE + 3]; /* multiples of 4: no gaps */
  uint64_t recipe_bytes, state_bytes;
} Head;

_Static_assert(sizeof (Head) == 24 + 68 + 68 + 16, "the head has no gaps");

enum
{
  VERSION = 1,
  NAME_SIZE = GESSO_PATH_SIZE + 16
};

static const char magic[8] = "GESSO-J\n";
static const uint64_t MAX_BYTES = (uint64_t) 4 << 30; /* 64 SDXL latents of 2048 px need 0.2 GB */

void
journal_clear (Journal *journal)
{
  mem_free (journal->recipe);
  mem_free (journal->state);
  *journal = (Journal){ 0 };
}

static bool
fail_io (Status *status, const char *verb, const char *path)
{
  int error = errno;
  const char *what = error == ENOSPC || error == EDQUOT || error == EFBIG
                         ? STATUS_MARK ("the disk is full")
                         : strerror (error);
  return status_fail (status, STATUS_IO, "The journal \"%.300s\" could not be %s: %s.", path,
                      status_text (verb), status_text (what));
}

/* ---- reading ---- */

static bool
read_all (int fd, uint8_t *out, size_t n_bytes)
{
  for (size_t done = 0; done < n_bytes;)
    {
      ssize_t n = read (fd, out + done, n_bytes - done);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return false;
      done += (size_t) n;
    }
  return true;
}

static bool
checksum_fits (const uint8_t *data, size_t n_bytes)
{
  struct sha256_ctx hash;
  uint8_t digest[SHA256_DIGEST_SIZE];
  sha256_init (&hash);
  sha256_update (&hash, n_bytes - sizeof digest, data);
  sha256_digest (&hash, sizeof digest, digest);
  return !memcmp (digest, data + n_bytes - sizeof digest, sizeof digest);
}

/* @data: a whole file, larger than head and checksum */
static JournalResult
parse (Journal *journal, const uint8_t *data, size_t n_bytes, Status *status)
{
  Head head;
  memcpy (&head, data, sizeof head);
  size_t body = n_bytes - sizeof head - SHA256_DIGEST_SIZE;
  if (memcmp (head.magic, magic, sizeof magic) != 0 || head.version != VERSION ||
      head.recipe_bytes > body || head.state_bytes != body - head.recipe_bytes ||
      !checksum_fits (data, n_bytes))
    return JOURNAL_DAMAGED;
  journal->recipe = mem_calloc (head.recipe_bytes + 1, 1);
  journal->state = mem_calloc (head.state_bytes, 1);
  if (!journal->recipe || !journal->state)
    {
      journal_clear (journal);
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return JOURNAL_FAILED;
    }
  memcpy (journal->recipe, data + sizeof head, head.recipe_bytes);
  memcpy (journal->state, data + sizeof head + head.recipe_bytes, head.state_bytes);
  memcpy (journal->batch, head.batch, sizeof journal->batch - 1);
  memcpy (journal->identity, head.identity, sizeof journal->identity - 1);
  journal->step = head.step;
  journal->decode_picture = head.decode_picture;
  journal->decode_started = head.decode_started;
  journal->state_bytes = head.state_bytes;
  return JOURNAL_READ;
}

static JournalResult
read_open (Journal *journal, int fd, const char *path, Status *status)
{
  struct stat st;
  if (fstat (fd, &st) != 0)
    {
      fail_io (status, STATUS_MARK ("read"), path);
      return JOURNAL_FAILED;
    }
  if (!S_ISREG (st.st_mode) || st.st_size < (off_t) (sizeof (Head) + SHA256_DIGEST_SIZE) ||
      (uint64_t) st.st_size > MAX_BYTES)
    return JOURNAL_DAMAGED;
  size_t n = (size_t) st.st_size;
  uint8_t *data = mem_calloc (n, 1);
  if (!data)
    {
      status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
      return JOURNAL_FAILED;
    }
  JournalResult result = JOURNAL_DAMAGED; /* a disk that cannot read it is no better */
  if (read_all (fd, data, n))
    result = parse (journal, data, n, status);
  mem_free (data);
  return result;
}

JournalResult
journal_read (Journal *journal, const char *path, Status *status)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
    return JOURNAL_NONE;
  if (fd < 0)
    {
      fail_io (status, STATUS_MARK ("opened"), path);
      return JOURNAL_FAILED;
    }
  JournalResult result = read_open (journal, fd, path, status);
  close (fd);
  return result;
}

/* ---- writing ---- */

/* Everything goes through the checksum on its way. */
typedef struct
{
  int fd;
  struct sha256_ctx hash;
} Writer;

static bool
write_all (Writer *w, const void *data, size_t n_bytes)
{
  const uint8_t *p = data;
  sha256_update (&w->hash, n_bytes, p);
  for (size_t done = 0; done < n_bytes;)
    {
      ssize_t n = write (w->fd, p + done, n_bytes - done);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return false;
      done += (size_t) n;
    }
  return true;
}

static bool
write_body (Writer *w, const Journal *journal)
{
  Head head = { .version = VERSION,
                .step = journal->step,
                .decode_picture = journal->decode_picture,
                .decode_started = journal->decode_started,
                .recipe_bytes = strlen (journal->recipe),
                .state_bytes = journal->state_bytes };
  uint8_t digest[SHA256_DIGEST_SIZE];
  memcpy (head.magic, magic, sizeof magic);
  memcpy (head.batch, journal->batch, sizeof journal->batch);
  memcpy (head.identity, journal->identity, sizeof journal->identity);
  sha256_init (&w->hash);
  if (!write_all (w, &head, sizeof head) ||
      !write_all (w, journal->recipe, (size_t) head.recipe_bytes) ||
      !write_all (w, journal->state, journal->state_bytes))
    return false;
  sha256_digest (&w->hash, sizeof digest, digest);
  return write_all (w, digest, sizeof digest);
}

/* So that the new name, too, survives a power cut.  Some file systems refuse it: no harm. */
static void
sync_folder (const char *path)
{
  char folder[GESSO_PATH_SIZE];
  snprintf (folder, sizeof folder, "%s", path);
  char *slash = strrchr (folder, '/');
  if (slash)
    slash[slash == folder] = '\0';
  int fd = open (slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0)
    {
      fsync (fd);
      close (fd);
    }
}

/* One name, not a new one each time: a program that dies while writing leaves one file behind,
 * which the next write takes over. */
static bool
new_name (char out[NAME_SIZE], const char *path)
{
  return strlen (path) < GESSO_PATH_SIZE && snprintf (out, NAME_SIZE, "%s.new", path) < NAME_SIZE;
}

bool
journal_write (const Journal *journal, const char *path, Status *status)
{
  char temp[NAME_SIZE];
  if (!new_name (temp, path))
    return status_fail (status, STATUS_ARGUMENT, "The journal's path is too long.");
  Writer w = { .fd = open (temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) };
  if (w.fd < 0)
    return fail_io (status, STATUS_MARK ("written"), path);
  bool ok = write_body (&w, journal) && fsync (w.fd) == 0;
  ok = (ok || fail_io (status, STATUS_MARK ("written"), path));
  if (close (w.fd) != 0 && ok)
    ok = fail_io (status, STATUS_MARK ("written"), path);
  if (ok && rename (temp, path) != 0)
    ok = fail_io (status, STATUS_MARK ("written"), path);
  if (ok)
    sync_folder (path);
  else
    unlink (temp);
  return ok;
}

bool
journal_put_aside (const char *path, Status *status)
{
  char aside[NAME_SIZE];
  if (strlen (path) >= GESSO_PATH_SIZE)
    return status_fail (status, STATUS_ARGUMENT, "The journal's path is too long.");
  snprintf (aside, sizeof aside, "%s.aside", path);
  return rename (path, aside) == 0 || fail_io (status, STATUS_MARK ("put aside"), path);
}

/* Not brought to the disk: a journal that a power cut brings back is of a batch that nobody asks
 * for any more. */
void
journal_remove (const char *path)
{
  char temp[NAME_SIZE];
  unlink (path);
  if (new_name (temp, path))
    unlink (temp);
}
