/* SPDX-License-Identifier: MPL-2.0
 * pickle.c - from a torch.save file to a table of tensors.
 *
 * ZIP form: NAME/data.pkl, one member NAME/data/KEY for each storage, NAME/byteorder.
 * Legacy form: pickles of a magic number, a protocol number, facts about the machine, the object
 * and the list of storage keys; then for each key a 64-bit element count and the raw elements.
 */
#include "weights/pickle.h"

#include <stdio.h>
#include <string.h>

#include "weights/pickle-machine.h"
#include "weights/zip.h"

enum
{
  MAX_PICKLE_BYTES = 64 << 20, /* the description of a model takes a few MB */
  MAX_NESTING = 4,
  MAX_VISITS = 1 << 22,
  COUNT_BYTES = 8,
};

/* The magic number as torch's first pickle: PROTO 2, LONG1, 10 bytes, 0x1950a86a20f9469cfc6c, STOP.
 */
static const uint8_t legacy_magic[] = { 0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                        0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e };

/* Where the bytes of one storage lie. */
typedef struct
{
  const uint8_t *data;
  uint64_t size;
} Span;

typedef struct
{
  TensorTable *table;
  Pool *pool;
  const uint8_t *data, *end;
  bool header_only;
  const char *label;
  Status *status;
  Zip zip; /* ZIP form */
  char root[256];
  Span *spans;     /* legacy form, by position in keys */
  NameIndex index; /* of members, or of legacy keys */
  uint64_t n_visits, owned_bytes;
} Reader;

PickleContainer
pickle_sniff (const void *data, size_t size)
{
  if (zip_sniff (data, size))
    return PICKLE_ZIP;
  if (size >= sizeof legacy_magic && memcmp (data, legacy_magic, sizeof legacy_magic) == 0)
    return PICKLE_LEGACY;
  return PICKLE_NOT;
}

static uint64_t
storage_bytes (const PickleStorage *s)
{
  return s->dtype == DTYPE_COUNT ? s->n_elements : s->n_elements * dtype_size (s->dtype);
}

static bool
find_zip_span (Reader *r, const PickleStorage *s, Span *span)
{
  char name[512];
  snprintf (name, sizeof name, "%sdata/%s", r->root, s->key);
  int32_t i = name_index_find (&r->index, name);
  if (i < 0)
    return damaged (r->status, r->label, "member \"%.100s\" is missing", name);
  const ZipEntry *entry = &r->zip.entries[i];
  span->size = entry->size;
  if (r->header_only)
    return true;
  span->data = zip_entry_data (&r->zip, entry, r->status);
  return span->data != NULL;
}

static bool
find_span (Reader *r, const PickleStorage *s, Span *span)
{
  *span = (Span){ 0 };
  if (!r->spans)
    {
      if (!find_zip_span (r, s, span))
        return false;
    }
  else
    {
      int32_t i = name_index_find (&r->index, s->key);
      if (i < 0)
        return damaged (r->status, r->label, "storage \"%.100s\" is missing", s->key);
      *span = r->spans[i];
    }
  if (span->size < storage_bytes (s))
    return damaged (r->status, r->label, "storage \"%.100s\" is shorter than it should be", s->key);
  return true;
}

/* Elements from the first to one behind the last that a view touches; false on overflow. */
static bool
view_extent (const PickleTensor *t, uint64_t *extent)
{
  uint64_t last = 0, step;
  for (int i = 0; i < t->rank; i++)
    if (__builtin_mul_overflow ((uint64_t) t->ne[i] - 1, (uint64_t) t->stride[i], &step) ||
        __builtin_add_overflow (last, step, &last))
      return false;
  return !__builtin_add_overflow (last, 1, extent) &&
         !__builtin_add_overflow (*extent, (uint64_t) t->offset, extent);
}

static bool
is_contiguous (const PickleTensor *t)
{
  int64_t expected = 1;
  for (int i = t->rank - 1; i >= 0; i--)
    {
      if (t->ne[i] != 1 && t->stride[i] != expected)
        return false;
      expected *= t->ne[i]; /* cannot overflow: shape_elements was asked before */
    }
  return true;
}

/* Copies a strided view into row-major order. */
static uint8_t *
materialise (Reader *r, const PickleTensor *t, const uint8_t *first, uint64_t n)
{
  size_t size = dtype_size (t->dtype);
  uint8_t *out = pool_alloc (r->pool, n, size, r->status);
  int64_t at[PICKLE_MAX_RANK] = { 0 };
  uint64_t from = 0; /* wraps like the strides of dimensions of 1 may */
  for (uint64_t i = 0; out && i < n; i++)
    {
      memcpy (out + i * size, first + from * size, size);
      for (int d = t->rank - 1; d >= 0; d--)
        {
          from += (uint64_t) t->stride[d];
          if (++at[d] < t->ne[d])
            break;
          from -= (uint64_t) t->stride[d] * (uint64_t) t->ne[d];
          at[d] = 0;
        }
    }
  return out;
}

/* Data of a view with @n > 0 elements. */
static bool
locate (Reader *r, const PickleTensor *t, uint64_t n, FileTensor *out)
{
  const PickleStorage *s = t->storage->storage;
  size_t size = dtype_size (t->dtype);
  Span span;
  uint64_t extent, last;
  if (!find_span (r, s, &span))
    return false;
  if (!view_extent (t, &extent) || __builtin_mul_overflow (extent, size, &last) ||
      last > span.size || last > storage_bytes (s))
    return damaged (r->status, r->label, "tensor \"%.100s\" reaches beyond its storage", out->name);
  if (n > span.size / size)
    {
      /* More elements than numbers: an expanded view, which no weight is. */
      out->dtype = DTYPE_COUNT;
      out->type_name = "expanded view";
      return true;
    }
  if (r->header_only)
    return true;
  out->data = span.data + (uint64_t) t->offset * size;
  if (is_contiguous (t))
    return true;
  r->owned_bytes += out->n_bytes;
  if (r->owned_bytes > (uint64_t) (r->end - r->data))
    return damaged (r->status, r->label, "its tensors overlap each other without end");
  out->data = materialise (r, t, out->data, n);
  return out->data != NULL;
}

static bool
add_tensor (Reader *r, const char *name, const PickleTensor *t)
{
  FileTensor out = { .name = name, .dtype = t->dtype, .rank = t->rank };
  out.type_name = t->dtype == DTYPE_COUNT ? t->type_name : dtype_name (t->dtype);
  memcpy (out.ne, t->ne, sizeof t->ne);
  uint64_t n;
  if (!shape_elements (t->ne, t->rank, &n))
    return damaged (r->status, r->label, "the shape of tensor \"%.100s\" is too large", name);
  if (t->dtype != DTYPE_COUNT && n)
    {
      if (__builtin_mul_overflow (n, dtype_size (t->dtype), &out.n_bytes))
        return damaged (r->status, r->label, "the shape of tensor \"%.100s\" is too large", name);
      if (!locate (r, t, n, &out))
        return false;
    }
  return table_add (r->table, &out, r->label, r->status);
}

/* Python keeps the last value of a key that is set twice. */
static bool
is_overwritten (const PickleValue *dict, size_t i, NameIndex *last)
{
  return name_index_find (last, dict->list.items[i]->text.bytes) != (int32_t) i;
}

static bool add_dict (Reader *r, const PickleValue *dict, const char *prefix, int depth);

static bool
add_member (Reader *r, const PickleValue *value, const char *prefix, const char *key, int depth)
{
  if (value->kind != PICKLE_TENSOR && value->kind != PICKLE_DICT)
    return true;
  char *name = pool_printf (r->pool, r->status, "%s%s", prefix, key);
  if (!name)
    return false;
  if (value->kind == PICKLE_TENSOR)
    return add_tensor (r, name, value->tensor);
  char *inner = depth < MAX_NESTING ? pool_printf (r->pool, r->status, "%s.", name) : NULL;
  if (!inner)
    return depth >= MAX_NESTING;
  return add_dict (r, value, inner, depth + 1);
}

static bool
add_members (Reader *r, const PickleValue *dict, const char *prefix, int depth, NameIndex *last)
{
  for (size_t i = 0; i + 1 < dict->list.n; i += 2)
    if (dict->list.items[i]->kind == PICKLE_TEXT &&
        !name_index_set (last, dict->list.items[i]->text.bytes, (int32_t) i, r->status))
      return false;
  for (size_t i = 0; i + 1 < dict->list.n; i += 2)
    {
      if (++r->n_visits > MAX_VISITS)
        return damaged (r->status, r->label, "it contains itself again and again");
      const PickleValue *key = dict->list.items[i];
      if (key->kind == PICKLE_TEXT && !is_overwritten (dict, i, last) &&
          !add_member (r, dict->list.items[i + 1], prefix, key->text.bytes, depth))
        return false;
    }
  return true;
}

/* Tensors of nested dicts get dotted names: "string_to_param.*". */
static bool
add_dict (Reader *r, const PickleValue *dict, const char *prefix, int depth)
{
  NameIndex last = { 0 };
  bool ok = add_members (r, dict, prefix, depth, &last);
  name_index_clear (&last);
  return ok;
}

/* Trainers wrap the weights in their own state. */
static const PickleValue *
unwrap (const PickleValue *v)
{
  static const char *const wrappers[] = { "state_dict", "params_ema", "params", "model", "module" };
  for (int depth = 0; depth < MAX_NESTING; depth++)
    {
      const PickleValue *inner = NULL;
      for (size_t i = 0; !inner && i < sizeof wrappers / sizeof *wrappers; i++)
        {
          inner = pickle_member (v, wrappers[i]);
          if (inner && inner->kind != PICKLE_DICT)
            inner = NULL;
        }
      if (!inner && v->kind == PICKLE_DICT && v->list.n == 2 &&
          v->list.items[1]->kind == PICKLE_DICT && v->list.items[0]->kind == PICKLE_TEXT &&
          strcmp (v->list.items[0]->text.bytes, "string_to_param") != 0)
        inner = v->list.items[1];
      if (!inner)
        break;
      v = inner;
    }
  return v;
}

/* A list of tensors, or of dictionaries of them, as textual inversions come: named by their
 * places. */
static bool
add_list (Reader *r, const PickleValue *list)
{
  enum
  {
    KEY_SIZE = 24
  };
  for (size_t i = 0; i < list->list.n; i++)
    {
      char key[KEY_SIZE];
      snprintf (key, sizeof key, "%zu", i);
      if (!add_member (r, list->list.items[i], "", key, 0))
        return false;
    }
  return true;
}

static bool
read_object (Reader *r, const PickleValue *object)
{
  bool is_list = object->kind == PICKLE_LIST || object->kind == PICKLE_TUPLE;
  if (is_list && !add_list (r, object))
    return false;
  if (object->kind == PICKLE_TENSOR && !add_member (r, object, "", "0", 0))
    return false;
  if (r->table->n_items > 0)
    return true;
  object = unwrap (object);
  if (object->kind != PICKLE_DICT)
    return status_fail (r->status, STATUS_UNSUPPORTED,
                        "\"%.100s\" holds a Python object, not a dictionary of weights; open the "
                        "safetensors form of this model instead.",
                        r->label);
  if (!add_dict (r, object, "", 0))
    return false;
  return r->table->n_items || damaged (r->status, r->label, "it holds no tensors");
}

static PickleValue *
run_pickle (Reader *r, const uint8_t **p, const uint8_t *end)
{
  if (end - *p > MAX_PICKLE_BYTES)
    end = *p + MAX_PICKLE_BYTES;
  return pickle_run (r->pool, p, end, r->label, r->status);
}

/* Finds ROOT/data.pkl, sets the root and files all members under their names. */
static const ZipEntry *
index_members (Reader *r)
{
  const ZipEntry *found = NULL;
  for (size_t i = 0; i < r->zip.n_entries; i++)
    {
      const char *name = r->zip.entries[i].name;
      size_t n = strlen (name), tail = strlen ("data.pkl");
      if (!name_index_set (&r->index, name, (int32_t) i, r->status))
        return NULL;
      if (!found && n >= tail && n - tail < sizeof r->root &&
          !strcmp (name + n - tail, "data.pkl") && (n == tail || name[n - tail - 1] == '/'))
        {
          found = &r->zip.entries[i];
          memcpy (r->root, name, n - tail);
        }
    }
  if (!found)
    status_fail (r->status, STATUS_UNSUPPORTED,
                 "\"%.100s\" is a ZIP archive but not a torch file; extract it first and open the "
                 "model inside.",
                 r->label);
  return found;
}

static bool
check_byte_order (Reader *r)
{
  char name[sizeof r->root + 16];
  snprintf (name, sizeof name, "%sbyteorder", r->root);
  int32_t i = name_index_find (&r->index, name);
  if (i < 0)
    return true;
  const uint8_t *p = zip_entry_data (&r->zip, &r->zip.entries[i], r->status);
  if (!p)
    return false;
  if (r->zip.entries[i].size == 3 && memcmp (p, "big", 3) == 0)
    return status_fail (r->status, STATUS_UNSUPPORTED,
                        "\"%.100s\" was saved on a big-endian machine; save it again on another.",
                        r->label);
  return true;
}

static bool
parse_zip (Reader *r)
{
  if (!zip_open (&r->zip, r->pool, r->data, (size_t) (r->end - r->data), r->label, r->status))
    return false;
  const ZipEntry *entry = index_members (r);
  if (!entry || !check_byte_order (r))
    return false;
  const uint8_t *p = zip_entry_data (&r->zip, entry, r->status);
  const PickleValue *object = p ? run_pickle (r, &p, p + entry->size) : NULL;
  return object && read_object (r, object);
}

/* Sizes come from the storages' descriptions, so that @header_only need not visit the counts. */
static bool
place_legacy_storage (
    Reader *r, const char *key, const PickleStorage *s, const uint8_t **p, Span *span)
{
  uint64_t left = (uint64_t) (r->end - *p), n = s ? storage_bytes (s) : 0;
  if (!s)
    return damaged (r->status, r->label, "storage \"%.100s\" belongs to no tensor", key);
  if (left < COUNT_BYTES || n > left - COUNT_BYTES)
    return damaged (r->status, r->label, "storage \"%.100s\" was cut short", key);
  if (!r->header_only)
    {
      uint64_t count = 0;
      for (int i = COUNT_BYTES - 1; i >= 0; i--)
        count = count << 8 | (*p)[i];
      if (count != s->n_elements)
        return damaged (r->status, r->label, "storage \"%.100s\" has an unexpected size", key);
    }
  *span = (Span){ *p + COUNT_BYTES, n };
  *p += COUNT_BYTES + n;
  return true;
}

/* Collects the storages that tensors anywhere in @v refer to. */
static bool
collect_storages (Reader *r,
                  const PickleValue *v,
                  int depth,
                  NameIndex *keys,
                  const PickleStorage **found,
                  size_t n)
{
  if (++r->n_visits > MAX_VISITS)
    return damaged (r->status, r->label, "it contains itself again and again");
  if (v->kind == PICKLE_TENSOR)
    v = v->tensor->storage;
  if (v->kind == PICKLE_STORAGE)
    {
      int32_t i = name_index_find (keys, v->storage->key);
      if (i >= 0 && (size_t) i < n)
        found[i] = v->storage;
      return true;
    }
  bool is_container = v->kind == PICKLE_DICT || v->kind == PICKLE_LIST || v->kind == PICKLE_TUPLE;
  if (!is_container || depth > 2 * MAX_NESTING)
    return true;
  for (size_t i = 0; i < v->list.n; i++)
    if (!collect_storages (r, v->list.items[i], depth + 1, keys, found, n))
      return false;
  return true;
}

static bool
index_legacy_keys (Reader *r, const PickleValue *keys)
{
  if (keys->kind != PICKLE_LIST)
    return damaged (r->status, r->label, "its list of storages is missing");
  for (size_t i = 0; i < keys->list.n; i++)
    {
      const PickleValue *key = keys->list.items[i];
      if (key->kind != PICKLE_TEXT || name_index_find (&r->index, key->text.bytes) >= 0)
        return damaged (r->status, r->label, "its list of storages is broken");
      if (!name_index_set (&r->index, key->text.bytes, (int32_t) i, r->status))
        return false;
    }
  return true;
}

static bool
place_legacy (Reader *r, const PickleValue *object, const PickleValue *keys, const uint8_t *p)
{
  if (!index_legacy_keys (r, keys))
    return false;
  size_t n = keys->list.n;
  r->spans = pool_alloc (r->pool, n, sizeof *r->spans, r->status);
  const PickleStorage **found = pool_alloc (r->pool, n, sizeof *found, r->status);
  if (!r->spans || !found || !collect_storages (r, object, 0, &r->index, found, n))
    return false;
  for (size_t i = 0; i < n; i++)
    if (!place_legacy_storage (r, keys->list.items[i]->text.bytes, found[i], &p, &r->spans[i]))
      return false;
  return true;
}

static bool
check_machine (Reader *r, const PickleValue *facts)
{
  const PickleValue *little = pickle_member (facts, "little_endian");
  if (little && little->kind == PICKLE_BOOL && !little->integer)
    return status_fail (r->status, STATUS_UNSUPPORTED,
                        "\"%.100s\" was saved on a big-endian machine; save it again on another.",
                        r->label);
  return true;
}

static bool
parse_legacy (Reader *r)
{
  enum
  {
    MAGIC,
    PROTOCOL,
    FACTS,
    OBJECT,
    KEYS,
    N_PICKLES
  };
  PickleValue *values[N_PICKLES];
  const uint8_t *p = r->data;
  for (int i = 0; i < N_PICKLES; i++)
    if (!(values[i] = run_pickle (r, &p, r->end)))
      return false;
  return check_machine (r, values[FACTS]) && place_legacy (r, values[OBJECT], values[KEYS], p) &&
         read_object (r, values[OBJECT]);
}

bool
pickle_parse (TensorTable *table,
              const void *data,
              size_t size,
              bool header_only,
              const char *label,
              Status *status)
{
  Reader r = { .table = table,
               .pool = table->pool,
               .data = data,
               .end = (const uint8_t *) data + size,
               .header_only = header_only,
               .label = label,
               .status = status };
  bool ok = false;
  switch (pickle_sniff (data, size))
    {
    case PICKLE_ZIP:
      ok = parse_zip (&r);
      break;
    case PICKLE_LEGACY:
      ok = parse_legacy (&r);
      break;
    case PICKLE_NOT:
      status_fail (status, STATUS_FORMAT, "\"%.100s\" is not a torch file.", label);
      break;
    }
  name_index_clear (&r.index);
  return ok;
}
