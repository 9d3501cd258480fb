/* SPDX-License-Identifier: MPL-2.0
 * choices-file.c - what was measured, kept in $XDG_CACHE_HOME/gesso/kernels-KEY.
 *
 * Text: a line that says of what card, driver, libraries and build; a line for each shape; a last
 * line with a check sum of all before it.  KEY is a hash of the first line, so cards have a file
 * each.
 */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "choices.h"

#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char END[] = "end ";

static uint64_t
hash_text (uint64_t h, const char *text) /* FNV-1a */
{
  for (; *text; text++)
    h = (h ^ (unsigned char) *text) * 0x100000001b3u;
  return h;
}

static const uint64_t HASH_START = 0xcbf29ce484222325u;

/* ---- of what ---- */

typedef struct
{
  char *out; /* hexadecimal */
  size_t size;
} BuildId;

/* The linker's build id (ELF note NT_GNU_BUILD_ID) of the object that this code is in. */
static int
find_build_id (struct dl_phdr_info *info, size_t info_bytes, void *data)
{
  BuildId *id = data;
  uintptr_t here = (uintptr_t) find_build_id;
  bool is_ours = false;
  for (int i = 0; i < info->dlpi_phnum; i++)
    {
      uintptr_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
      is_ours |= info->dlpi_phdr[i].p_type == PT_LOAD && here >= from &&
                 here < from + info->dlpi_phdr[i].p_memsz;
    }
  for (int i = 0; is_ours && i < info->dlpi_phnum; i++)
    {
      const ElfW (Phdr) *p = &info->dlpi_phdr[i];
      const char *at = (const char *) (info->dlpi_addr + p->p_vaddr), *end = at + p->p_memsz;
      while (p->p_type == PT_NOTE && at + sizeof (ElfW (Nhdr)) < end)
        {
          const ElfW (Nhdr) *note = (const void *) at;
          const unsigned char *value =
              (const void *) (at + sizeof *note + ((note->n_namesz + 3) & ~3u));
          if (note->n_type == NT_GNU_BUILD_ID)
            for (unsigned k = 0; k < note->n_descsz && 2 * k + 2 < id->size; k++)
              snprintf (id->out + (size_t) 2 * k, 3, "%02x", value[k]);
          at = (const char *) value + ((note->n_descsz + 3) & ~3u);
        }
    }
  return is_ours;
}

static bool
name_file (CudaBackend *b, CudaChoices *c)
{
  const char *cache = getenv ("XDG_CACHE_HOME"), *home = getenv ("HOME");
  char build[64] = "unknown", folder[sizeof c->path - 32];
  int driver = 0;
  BuildId id = { build, sizeof build };
  dl_iterate_phdr (find_build_id, &id);
  b->driver->version (&driver);
  snprintf (c->card, sizeof c->card,
            "gesso kernels 1: %s, %s, driver %d, cuBLASLt %ld, cuDNN %ld, build %s", b->name,
            b->level, driver, c->libraries[CUDA_CALL_GEMM].version,
            c->libraries[CUDA_CALL_CONV].version, build);
  bool named = (cache && *cache) || (home && *home);
  int n = cache && *cache ? snprintf (folder, sizeof folder, "%s", cache)
                          : snprintf (folder, sizeof folder, "%s/.cache", home ? home : "");
  if (!named || n >= (int) (sizeof folder - sizeof "/gesso"))
    return false;
  mkdir (folder, 0700);
  strcat (folder, "/gesso");
  mkdir (folder, 0700);
  snprintf (c->path, sizeof c->path, "%s/kernels-%016" PRIx64, folder,
            hash_text (HASH_START, c->card));
  return true;
}

/* ---- reading ---- */

static bool
parse_line (const char *line, CudaChoice *choice)
{
  const char *at = line;
  int n = 0, winner;
  for (int i = 0; i < CHOICE_KEY; i++, at += n)
    if (sscanf (at, "%" SCNd64 "%n", &choice->key[i], &n) != 1)
      return false;
  if (sscanf (at, "%d %f %f", &winner, &choice->own_ms, &choice->library_ms) != 3)
    return false;
  choice->winner = (CudaWinner) winner;
  return (winner == CHOICE_OWN || winner == CHOICE_LIBRARY) && choice->key[0] >= 1 &&
         choice->key[0] <= CUDA_CALL_KINDS;
}

/* Returns: whether it is whole and of this card */
static bool
read_lines (CudaChoices *c, FILE *f)
{
  char line[1024];
  uint64_t sum = HASH_START, said;
  if (!fgets (line, sizeof line, f))
    return false;
  sum = hash_text (sum, line);
  line[strcspn (line, "\n")] = '\0';
  if (strcmp (line, c->card) != 0)
    return false;
  while (fgets (line, sizeof line, f))
    {
      CudaChoice choice = { 0 };
      if (!strncmp (line, END, sizeof END - 1))
        return sscanf (line + sizeof END - 1, "%" SCNx64, &said) == 1 && said == sum;
      sum = hash_text (sum, line);
      if (!parse_line (line, &choice) || c->n >= MAX_CHOICES)
        return false;
      CudaChoice *place = choices_find (c, choice.key);
      c->n += place->key[0] == 0;
      *place = choice;
    }
  return false;
}

void
choices_read (CudaBackend *b, CudaChoices *c)
{
  FILE *f = name_file (b, c) ? fopen (c->path, "r") : NULL;
  if (!f)
    return;
  if (!read_lines (c, f))
    {
      memset (c->table, 0, sizeof c->table);
      c->n = 0;
    }
  fclose (f);
}

/* ---- writing ---- */

static void
write_line (FILE *f, uint64_t *sum, const CudaChoice *choice)
{
  char line[1024];
  int n = 0;
  for (int i = 0; i < CHOICE_KEY; i++)
    n += snprintf (line + n, sizeof line - (size_t) n, "%" PRId64 " ", choice->key[i]);
  snprintf (line + n, sizeof line - (size_t) n, "%d %.5f %.5f\n", (int) choice->winner,
            (double) choice->own_ms, (double) choice->library_ms);
  *sum = hash_text (*sum, line);
  fputs (line, f);
}

void
choices_write (CudaChoices *c)
{
  char path[sizeof c->path + 16], last[64];
  uint64_t sum = hash_text (hash_text (HASH_START, c->card), "\n");
  snprintf (path, sizeof path, "%s.%d", c->path, (int) getpid ());
  c->n_unsaved = 0;
  FILE *f = fopen (path, "w");
  if (!f)
    return;
  fputs (c->card, f);
  fputs ("\n", f);
  for (int i = 0; i < CHOICE_TABLE; i++)
    if (c->table[i].key[0])
      write_line (f, &sum, &c->table[i]);
  snprintf (last, sizeof last, "%s%016" PRIx64 "\n", END, sum);
  fputs (last, f);
  bool ok = fflush (f) == 0 && fsync (fileno (f)) == 0 && !ferror (f);
  ok = fclose (f) == 0 && ok;
  if (!ok || rename (path, c->path) != 0)
    unlink (path);
}
