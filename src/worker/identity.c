/* SPDX-License-Identifier: MPL-2.0 */
#include "worker/identity.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "worker/paths.h"

enum
{
  FOLDER_DEPTH = 3 /* a diffusers folder has two */
};

void
identity_init (Identity *id)
{
  sha256_init (&id->hash);
}

/* With its length, so that two texts cannot be taken for one. */
void
identity_add_text (Identity *id, const char *text)
{
  uint64_t n = strlen (text);
  sha256_update (&id->hash, sizeof n, (const uint8_t *) &n);
  sha256_update (&id->hash, n, (const uint8_t *) text);
}

static void
add_file (Identity *id, const struct stat *st)
{
  const int64_t facts[] = { (int64_t) st->st_size, (int64_t) st->st_mtim.tv_sec,
                            (int64_t) st->st_mtim.tv_nsec };
  sha256_update (&id->hash, sizeof facts, (const uint8_t *) facts);
}

static void
add_folder (Identity *id, const char *folder, int depth)
{
  struct dirent **entries;
  int n = scandir (folder, &entries, NULL, alphasort);
  for (int i = 0; i < n; i++)
    {
      char path[GESSO_PATH_SIZE];
      struct stat st;
      const char *name = entries[i]->d_name;
      if (name[0] != '.' && snprintf (path, sizeof path, "%s/%s", folder, name) < GESSO_PATH_SIZE &&
          stat (path, &st) == 0)
        {
          identity_add_text (id, name);
          if (S_ISREG (st.st_mode))
            add_file (id, &st);
          else if (S_ISDIR (st.st_mode) && depth > 1)
            add_folder (id, path, depth - 1);
        }
      (free) (entries[i]); /* scandir's memory is the C library's */
    }
  if (n >= 0)
    (free) (entries);
}

void
identity_add_path (Identity *id, const char *path)
{
  struct stat st;
  char *resolved = realpath (path, NULL);
  identity_add_text (id, resolved ? resolved : "");
  if (resolved && stat (resolved, &st) == 0)
    {
      if (S_ISDIR (st.st_mode))
        add_folder (id, resolved, FOLDER_DEPTH);
      else
        add_file (id, &st);
    }
  (free) (resolved); /* realpath's memory is the C library's */
}

void
identity_end (Identity *id, char out[IDENTITY_SIZE])
{
  uint8_t digest[SHA256_DIGEST_SIZE];
  sha256_digest (&id->hash, sizeof digest, digest);
  for (size_t i = 0; i < sizeof digest; i++)
    snprintf (out + 2 * i, 3, "%02x", digest[i]);
}
