/* SPDX-License-Identifier: MPL-2.0 */
#define _GNU_SOURCE
#include "worker/hasher.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/mem.h"

enum
{
  POLL_MS = 20,
  NICENESS = 5 /* less than the denoising beside it, but not starved by it */
};

struct Hasher
{
  pthread_t thread;
  char *path;
  atomic_bool cancel, done; /* what follows is read after done */
  char hash[MODEL_HASH_SIZE];
  Status status;
};

/* On Linux a priority belongs to the thread. */
static void *
run (void *data)
{
  Hasher *h = data;
  setpriority (PRIO_PROCESS, (id_t) gettid (), NICENESS);
  model_hash (h->path, h->hash, &h->cancel, &h->status);
  atomic_store (&h->done, true);
  return NULL;
}

Hasher *
hasher_new (const char *path, Status *status)
{
  Hasher *h = mem_calloc (1, sizeof *h);
  if (h && (h->path = mem_strdup (path)) && pthread_create (&h->thread, NULL, run, h) == 0)
    return h;
  if (h)
    mem_free (h->path);
  mem_free (h);
  status_fail (status, STATUS_NO_MEMORY, "Out of memory: close other programs and retry.");
  return NULL;
}

void
hasher_free (Hasher *h)
{
  if (!h)
    return;
  atomic_store (&h->cancel, true);
  pthread_join (h->thread, NULL);
  mem_free (h->path);
  mem_free (h);
}

/* A batch asks once or twice, mostly when the hash has long been ready. */
const char *
hasher_wait (Hasher *h, const BatchControl *control, Status *status)
{
  while (!atomic_load (&h->done) && control_get (control) == WISH_NONE)
    control_sleep (control, POLL_MS);
  if (!atomic_load (&h->done))
    {
      status_fail (status, STATUS_CANCELLED, "Cancelled.");
      return NULL;
    }
  if (!status_ok (&h->status))
    {
      status_fail (status, h->status.code, "%s", h->status.message);
      return NULL;
    }
  return h->hash;
}
