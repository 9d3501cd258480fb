/* SPDX-License-Identifier: MPL-2.0
 * source.c - container sniffing and sharded files.
 */
#include "weights/source.h"

#include <string.h>
#include <unistd.h>

#include "core/guard.h"
#include "weights/gguf.h"
#include "weights/json.h"
#include "weights/pickle.h"
#include "weights/quantised.h"
#include "weights/refuse.h"
#include "weights/safetensors.h"

static bool
ends_with (const char *text, const char *tail)
{
  size_t n = strlen (text), m = strlen (tail);
  return n >= m && strcmp (text + n - m, tail) == 0;
}

static bool
parse (Source *source, const MappedFile *file, bool header_only, const char *label, Status *status)
{
  switch (pickle_sniff (file->data, file->size))
    {
    case PICKLE_ZIP:
      source->container = "pickle";
      return pickle_parse (&source->table, file->data, file->size, header_only, label, status);
    case PICKLE_LEGACY:
      source->container = "pickle (legacy)";
      return pickle_parse (&source->table, file->data, file->size, header_only, label, status);
    case PICKLE_NOT:
      break;
    }
  if (gguf_sniff (file->data, file->size))
    {
      source->container = "GGUF";
      return gguf_parse (&source->table, file->data, file->size, label, status);
    }
  source->container = "safetensors";
  if (safetensors_sniff (file->data, file->size) || ends_with (label, ".safetensors"))
    return safetensors_parse (&source->table, file->data, file->size, label, status);
  return status_fail (status, STATUS_FORMAT,
                      "\"%.100s\" is neither a safetensors or GGUF file nor a torch checkpoint.",
                      label);
}

static bool
read_one (Source *source, WeightSet *set, const char *path, bool header_only, Status *status)
{
  const char *label = path_base (path);
  int i = weights_map_file (set, path, status);
  if (i < 0)
    return false;
  const MappedFile *file = &set->files[i];
  source->file_bytes += (int64_t) file->size;
  return refuse_container (file->data, file->size, label, status) &&
         parse (source, file, header_only, label, status);
}

typedef struct
{
  Source *source;
  WeightSet *set;
  struct json_object *map;
  const char *path, *label;
  bool header_only;
  Status *status;
} Shards;

/* Tensors that the index gives to another shard are left to it. */
static bool
merge_shard (Shards *s, const TensorTable *shard, const char *name)
{
  for (size_t i = 0; i < shard->n_items; i++)
    {
      const char *owner = json_member_string (s->map, shard->items[i].name);
      if ((!owner || strcmp (owner, name) == 0) &&
          !table_add (&s->source->table, &shard->items[i], name, s->status))
        return false;
    }
  for (size_t i = 0; i < shard->n_metadata; i++)
    if (!table_metadata (&s->source->table, shard->metadata_keys[i]) &&
        !table_add_metadata (&s->source->table, shard->metadata_keys[i], shard->metadata_values[i],
                             s->status))
      return false;
  return true;
}

static bool
read_shard (Shards *s, const char *name)
{
  if (!*name || strchr (name, '/') || strcmp (name, "..") == 0 || ends_with (name, ".index.json"))
    return damaged (s->status, s->label, "it names a shard outside of its folder");
  int n_folder = (int) (path_base (s->path) - s->path);
  char *path = pool_printf (&s->set->pool, s->status, "%.*s%s", n_folder, s->path, name);
  if (!path)
    return false;
  Source shard = { .file_bytes = 0 };
  table_init (&shard.table, &s->set->pool);
  bool ok = read_one (&shard, s->set, path, s->header_only, s->status) &&
            merge_shard (s, &shard.table, name);
  s->source->container = shard.container;
  s->source->file_bytes += shard.file_bytes;
  table_clear (&shard.table);
  return ok;
}

static bool
read_shards (Shards *s, NameIndex *done)
{
  json_object_object_foreach (s->map, tensor, value)
  {
    const char *name =
        json_object_is_type (value, json_type_string) ? json_object_get_string (value) : NULL;
    if (!name)
      return damaged (s->status, s->label, "tensor \"%.100s\" has no shard", tensor);
    if (name_index_find (done, name) < 0 &&
        (!name_index_set (done, name, 0, s->status) || !read_shard (s, name)))
      return false;
  }
  json_object_object_foreach (s->map, key, ignored)
  {
    (void) ignored;
    if (!table_find (&s->source->table, key))
      return damaged (s->status, s->label, "tensor \"%.100s\" is not in the shard it should be in",
                      key);
  }
  return s->source->table.n_items || damaged (s->status, s->label, "it names no tensors");
}

static bool
read_index (Source *source, WeightSet *set, const char *path, bool header_only, Status *status)
{
  struct json_object *index = json_read_object (path, status);
  if (!index)
    return false;
  Shards s = {
    source,      set,   json_object_object_get (index, "weight_map"), path, path_base (path),
    header_only, status
  };
  NameIndex done = { 0 };
  bool ok = json_object_is_type (s.map, json_type_object)
                ? read_shards (&s, &done)
                : damaged (status, s.label, "it has no weight_map");
  name_index_clear (&done);
  json_object_put (index);
  return ok;
}

/* Length of NAME in "NAME-00001-of-00003.safetensors"; 0 for other names. */
static size_t
shard_stem (const char *name)
{
  static const char pattern[] = "-#####-of-#####.safetensors";
  size_t n = strlen (name), m = sizeof pattern - 1;
  for (size_t i = 0; n > m && i < m; i++)
    {
      char c = name[n - m + i];
      if (pattern[i] == '#' ? c < '0' || c > '9' : c != pattern[i])
        return 0;
    }
  return n > m ? n - m : 0;
}

/* The index beside @path when that is one shard of several: nobody wants a third of a model. */
static const char *
whole_of_shard (WeightSet *set, const char *path, Status *status)
{
  const char *base = path_base (path);
  size_t n = shard_stem (base);
  if (!n)
    return path;
  const char *index = pool_printf (&set->pool, status, "%.*s.safetensors.index.json",
                                   (int) ((size_t) (base - path) + n), path);
  return index && access (index, F_OK) == 0 ? index : path;
}

/* Scales may be spread over a file of many gigabytes. */
static bool
resolve (Source *source, const WeightSet *set, size_t first_file, const char *label, Status *status)
{
  for (size_t i = first_file; i < set->n_files; i++)
    mapped_read_around (&set->files[i], false);
  bool ok = quantised_resolve (&source->table, label, status);
  for (size_t i = first_file; i < set->n_files; i++)
    mapped_read_around (&set->files[i], true);
  return ok;
}

bool
source_read (Source *source, WeightSet *set, const char *path, bool header_only, Status *status)
{
  *source = (Source){ .container = "" };
  table_init (&source->table, &set->pool);
  path = whole_of_shard (set, path, status);
  size_t n_before = set->n_files;
  bool ok = ends_with (path, ".json") ? read_index (source, set, path, header_only, status)
                                      : read_one (source, set, path, header_only, status);
  return ok && resolve (source, set, n_before, path_base (path), status) && guard_check (status);
}

void
source_clear (Source *source)
{
  table_clear (&source->table);
}
