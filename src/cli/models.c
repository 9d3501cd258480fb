/* SPDX-License-Identifier: MPL-2.0
 * models.c - `gesso-cli models`: what was found, and what it is.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "weights/checkpoint.h"

typedef struct
{
  bool json;
  int n;
} Listing;

static bool
list_one (void *data, const char *path, const char *name)
{
  Listing *l = data;
  Status status = { 0 };
  Checkpoint *c = checkpoint_open (path, true, &status);
  l->n++;
  if (l->json)
    {
      printf ("{\"name\": ");
      json_print_string (name);
      printf (", \"path\": ");
      json_print_string (path);
      if (c)
        printf (", \"family\": \"%s\", \"bytes\": %lld}\n", family_name (c->config.family),
                (long long) c->file_bytes);
      else
        {
          printf (", \"error\": ");
          json_print_string (status.message);
          printf ("}\n");
        }
    }
  else if (c)
    printf ("%-40s %-8s %8.1f MB  %s\n", name, family_name (c->config.family),
            (double) c->file_bytes / 1e6, path);
  else
    printf ("%-40s %s\n", name, status.message);
  checkpoint_free (c);
  return !atomic_load (&cli_cancel);
}

int
command_models (Options *o)
{
  Listing l = { .json = o->json };
  models_walk (list_one, &l);
  if (l.n == 0 && !o->json)
    printf ("No models found; name folders to search in GESSO_MODELS.\n");
  return EXIT_DONE;
}
