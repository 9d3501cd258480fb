/* SPDX-License-Identifier: MPL-2.0 */
#include "weights/embedding.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "weights/adapter-private.h"
#include "weights/refuse.h"

static int64_t
width (const FileTensor *t)
{
  return t->ne[t->rank - 1];
}

static int64_t
rows (const FileTensor *t)
{
  return t->rank == 2 ? t->ne[0] : 1;
}

/* Vectors, not a step count or a model's matrix. */
static bool
is_vectors (const EmbeddingFile *e, const FileTensor *t)
{
  return strncmp (t->name, e->prefix, strlen (e->prefix)) == 0 && t->data &&
         t->dtype != DTYPE_COUNT && t->dtype != DTYPE_I64 && (t->rank == 1 || t->rank == 2) &&
         width (t) > 1 && rows (t) >= 1;
}

/* -1: the name does not say for which encoder */
static int
encoder_of (const char *name)
{
  size_t n = strlen (name);
  if (n >= 6 && strcmp (name + n - 6, "clip_l") == 0)
    return 0;
  return n >= 6 && strcmp (name + n - 6, "clip_g") == 0 ? 1 : -1;
}

static bool
read_file (EmbeddingFile *e, Status *status)
{
  if (!source_read (&e->source, e->set, e->path, false, status))
    return false;
  int64_t n = 0;
  for (size_t i = 0; i < e->source.table.n_items; i++)
    if (is_vectors (e, &e->source.table.items[i]))
      n += rows (&e->source.table.items[i]);
  if (n > 0 && n <= 2 * EMBEDDING_MAX_VECTORS)
    return true;
  return status_fail (status, STATUS_UNSUPPORTED,
                      n ? STATUS_MARK ("\"%.100s\" has more vectors than a prompt takes. Choose "
                                       "another embedding.")
                        : STATUS_MARK ("\"%.100s\" is no textual inversion: it has no vectors. "
                                       "Choose an embedding file."),
                      e->label);
}

static const char bundle_head[] = "bundle_emb.";

bool
embedding_bundled (const char *name, char *out, size_t size)
{
  size_t head = sizeof bundle_head - 1;
  const char *tail = NULL;
  if (strncmp (name, bundle_head, head) != 0)
    return false;
  name += head;
  for (const char *p = name; *p; p++) /* a name may have dots */
    if (strncmp (p, ".string_to_param.", strlen (".string_to_param.")) == 0 ||
        strcmp (p, ".clip_l") == 0 || strcmp (p, ".clip_g") == 0)
      tail = p;
  return tail && tail > name &&
         (size_t) snprintf (out, size, "%.*s", (int) (tail - name), name) < size;
}

EmbeddingFile *
embedding_open (const char *path, const char *bundle, Status *status)
{
  EmbeddingFile *e = mem_calloc (1, sizeof *e);
  if (!e)
    {
      out_of_memory (status);
      return NULL;
    }
  if (bundle)
    snprintf (e->prefix, sizeof e->prefix, "%s%s.", bundle_head, bundle);
  e->set = weights_new (status);
  e->path = e->set ? mem_strdup (path) : NULL;
  if (e->set && !e->path)
    out_of_memory (status);
  if (e->path)
    e->label = path_base (e->path);
  if (e->path && read_file (e, status))
    return e;
  embedding_close (e);
  return NULL;
}

void
embedding_close (EmbeddingFile *e)
{
  if (!e)
    return;
  source_clear (&e->source);
  weights_free (e->set);
  mem_free (e->path);
  mem_free (e);
}

int64_t
embedding_vectors (const EmbeddingFile *e, int encoder, int64_t dim, float *out)
{
  int64_t n = 0;
  for (size_t i = 0; i < e->source.table.n_items; i++)
    {
      const FileTensor *t = &e->source.table.items[i];
      int named = encoder_of (t->name);
      if (!is_vectors (e, t) || width (t) != dim || (named >= 0 && named != encoder))
        continue;
      if (out)
        file_tensor_read (out + n * dim, t, 0, rows (t) * dim);
      n += rows (t);
    }
  return n;
}

void
embedding_widths (const EmbeddingFile *e, char *out, size_t size)
{
  size_t n = 0;
  out[0] = '\0';
  for (size_t i = 0; i < e->source.table.n_items && n < size; i++)
    if (is_vectors (e, &e->source.table.items[i]))
      n += (size_t) snprintf (out + n, size - n, "%s%lld", n ? " and " : "",
                              (long long) width (&e->source.table.items[i]));
}

bool
embedding_is_alone (const EmbeddingFile *e)
{
  for (size_t i = 0; i < e->source.table.n_items; i++)
    {
      const FileTensor *t = &e->source.table.items[i];
      uint64_t n;
      bool single = shape_elements (t->ne, t->rank, &n) && n <= 1;
      if (!single && !is_vectors (e, t))
        return false;
    }
  return true;
}
