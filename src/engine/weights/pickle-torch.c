/* SPDX-License-Identifier: MPL-2.0
 * pickle-torch.c - torch's tensors and storages as they appear in pickles.
 *
 * Source: argument lists of torch._utils._rebuild_tensor_v2, _rebuild_tensor_v3, _rebuild_parameter
 * and torch._tensor._rebuild_from_type_v2, and the persistent ids of torch.serialization.
 */
#include "weights/pickle-torch.h"

#include <string.h>

#include "weights/tensor-table.h"

typedef struct
{
  const char *name;
  DType dtype;
} TypeRow;

/* Classes of storages, and element types as globals. */
static const TypeRow storage_types[] = {
  { "FloatStorage", DTYPE_F32 },  { "HalfStorage", DTYPE_F16 }, { "BFloat16Storage", DTYPE_BF16 },
  { "DoubleStorage", DTYPE_F64 }, { "LongStorage", DTYPE_I64 }, { "IntStorage", DTYPE_I32 },
  { "ShortStorage", DTYPE_I16 },  { "CharStorage", DTYPE_I8 },  { "ByteStorage", DTYPE_U8 },
  { "BoolStorage", DTYPE_BOOL },
};

static const TypeRow element_types[] = {
  { "torch.float32", DTYPE_F32 },
  { "torch.float16", DTYPE_F16 },
  { "torch.bfloat16", DTYPE_BF16 },
  { "torch.float64", DTYPE_F64 },
  { "torch.int64", DTYPE_I64 },
  { "torch.int32", DTYPE_I32 },
  { "torch.int16", DTYPE_I16 },
  { "torch.int8", DTYPE_I8 },
  { "torch.uint8", DTYPE_U8 },
  { "torch.bool", DTYPE_BOOL },
  { "torch.float8_e4m3fn", DTYPE_F8_E4M3 },
  { "torch.float8_e5m2", DTYPE_F8_E5M2 },
};

/* DTYPE_COUNT when unknown */
static DType
find_type (const TypeRow *rows, size_t n, const char *name)
{
  for (size_t i = 0; i < n; i++)
    if (strcmp (rows[i].name, name) == 0)
      return rows[i].dtype;
  return DTYPE_COUNT;
}

static PickleValue *
new_value (Pool *pool, PickleKind kind, Status *status)
{
  PickleValue *v = pool_alloc (pool, 1, sizeof *v, status);
  if (v)
    v->kind = kind;
  return v;
}

static const PickleValue *
item (const PickleValue *list, size_t i)
{
  return i < list->list.n ? list->list.items[i] : NULL;
}

static bool
is (const PickleValue *v, PickleKind kind)
{
  return v && v->kind == kind;
}

static bool
is_sequence (const PickleValue *v)
{
  return is (v, PICKLE_TUPLE) || is (v, PICKLE_LIST);
}

static PickleValue *
bad_tensor (const char *label, Status *status)
{
  damaged (status, label, "a tensor in it is described in a way that makes no sense");
  return NULL;
}

static bool
read_counts (const PickleValue *list, int64_t *out)
{
  for (size_t i = 0; i < list->list.n; i++)
    {
      if (!is (list->list.items[i], PICKLE_INT) || list->list.items[i]->integer < 0)
        return false;
      out[i] = list->list.items[i]->integer;
    }
  return true;
}

/* (storage, offset, size, stride, requires_grad, hooks[, dtype]) */
static PickleValue *
rebuild_tensor (
    Pool *pool, const PickleValue *args, bool has_dtype, const char *label, Status *status)
{
  const PickleValue *storage = item (args, 0), *offset = item (args, 1);
  const PickleValue *size = item (args, 2), *stride = item (args, 3), *dtype = item (args, 6);
  if (!is (storage, PICKLE_STORAGE)) /* numpy or another library's buffer */
    return new_value (pool, PICKLE_OPAQUE, status);
  if (!is (offset, PICKLE_INT) || offset->integer < 0 || !is_sequence (size) ||
      !is_sequence (stride) || size->list.n != stride->list.n || size->list.n > PICKLE_MAX_RANK ||
      (has_dtype && !is (dtype, PICKLE_GLOBAL)))
    return bad_tensor (label, status);
  PickleTensor *t = pool_alloc (pool, 1, sizeof *t, status);
  PickleValue *v = t ? new_value (pool, PICKLE_TENSOR, status) : NULL;
  if (!v)
    return NULL;
  v->tensor = t;
  *t = (PickleTensor){ .storage = storage,
                       .dtype = storage->storage->dtype,
                       .type_name = storage->storage->type_name,
                       .rank = (int) size->list.n,
                       .offset = offset->integer };
  if (has_dtype)
    {
      t->type_name = dtype->text.bytes;
      t->dtype =
          find_type (element_types, sizeof element_types / sizeof *element_types, t->type_name);
    }
  return read_counts (size, t->ne) && read_counts (stride, t->stride) ? v
                                                                      : bad_tensor (label, status);
}

/* OrderedDict () or OrderedDict ([[key, value], ...]) */
static PickleValue *
build_dict (Pool *pool, const PickleValue *args, Status *status)
{
  PickleValue *dict = new_value (pool, PICKLE_DICT, status);
  const PickleValue *pairs = item (args, 0);
  if (!dict || !is_sequence (pairs))
    return dict;
  for (size_t i = 0; i < pairs->list.n; i++)
    {
      const PickleValue *pair = pairs->list.items[i];
      if (!is_sequence (pair) || pair->list.n != 2)
        continue;
      if (!pool_grow (pool, &dict->list.items, &dict->list.capacity, dict->list.n + 2,
                      sizeof *dict->list.items, status))
        return NULL;
      dict->list.items[dict->list.n++] = pair->list.items[0];
      dict->list.items[dict->list.n++] = pair->list.items[1];
    }
  return dict;
}

/* (function, type, args, state): a tensor subclass; rebuilt as the plain tensor. */
static PickleValue *
rebuild_from_type (Pool *pool, const PickleValue *args, const char *label, Status *status)
{
  const PickleValue *inner = item (args, 2);
  const PickleValue *function = item (args, 0);
  if (!is (function, PICKLE_GLOBAL) || !is (inner, PICKLE_TUPLE))
    return bad_tensor (label, status);
  if (strcmp (function->text.bytes, "torch._utils._rebuild_tensor_v2") == 0)
    return rebuild_tensor (pool, inner, false, label, status);
  return new_value (pool, PICKLE_OPAQUE, status);
}

PickleValue *
pickle_torch_call (
    Pool *pool, PickleValue *callable, PickleValue *args, const char *label, Status *status)
{
  if (!is (callable, PICKLE_GLOBAL) || !is (args, PICKLE_TUPLE))
    return new_value (pool, PICKLE_OPAQUE, status);
  const char *name = callable->text.bytes;
  if (!strcmp (name, "collections.OrderedDict") || !strcmp (name, "builtins.dict") ||
      !strcmp (name, "collections.defaultdict"))
    return build_dict (pool, args, status);
  if (!strcmp (name, "torch._utils._rebuild_tensor_v2") ||
      !strcmp (name, "torch._utils._rebuild_tensor"))
    return rebuild_tensor (pool, args, false, label, status);
  if (!strcmp (name, "torch._utils._rebuild_tensor_v3"))
    return rebuild_tensor (pool, args, true, label, status);
  bool is_parameter = !strcmp (name, "torch._utils._rebuild_parameter") ||
                      !strcmp (name, "torch._utils._rebuild_parameter_with_state");
  if ((is_parameter || !strcmp (name, "torch.Size")) && args->list.n)
    return args->list.items[0];
  if (!strcmp (name, "torch._tensor._rebuild_from_type_v2"))
    return rebuild_from_type (pool, args, label, status);
  return new_value (pool, PICKLE_OPAQUE, status);
}

static const char *
storage_class (const PickleValue *type)
{
  if (!is (type, PICKLE_GLOBAL))
    return NULL;
  const char *dot = strrchr (type->text.bytes, '.');
  return dot ? dot + 1 : type->text.bytes;
}

PickleValue *
pickle_torch_storage (Pool *pool, const PickleValue *id, const char *label, Status *status)
{
  bool is_tuple = is (id, PICKLE_TUPLE);
  const PickleValue *kind = is_tuple ? item (id, 0) : NULL;
  if (is (kind, PICKLE_TEXT) && strcmp (kind->text.bytes, "module") == 0)
    return new_value (pool, PICKLE_OPAQUE, status); /* source text of a pickled network: not ours */
  const PickleValue *key = is_tuple ? item (id, 2) : NULL, *count = is_tuple ? item (id, 4) : NULL;
  const PickleValue *view = is_tuple ? item (id, 5) : NULL;
  const char *type = is_tuple ? storage_class (item (id, 1)) : NULL;
  if (!is (kind, PICKLE_TEXT) || strcmp (kind->text.bytes, "storage") != 0 || !type ||
      !is (key, PICKLE_TEXT) || !is (count, PICKLE_INT) || count->integer < 0 ||
      count->integer > INT64_MAX / 16)
    return bad_tensor (label, status);
  if (view && view->kind != PICKLE_NONE)
    {
      status_fail (status, STATUS_UNSUPPORTED,
                   "\"%.100s\" was saved by a very old torch with shared storages; save it again "
                   "with a newer one.",
                   label);
      return NULL;
    }
  PickleStorage *s = pool_alloc (pool, 1, sizeof *s, status);
  PickleValue *v = s ? new_value (pool, PICKLE_STORAGE, status) : NULL;
  if (!v)
    return NULL;
  *s = (PickleStorage){ .key = key->text.bytes,
                        .type_name = type,
                        .n_elements = (uint64_t) count->integer,
                        .is_untyped = strcmp (type, "UntypedStorage") == 0,
                        .dtype = find_type (storage_types,
                                            sizeof storage_types / sizeof *storage_types, type) };
  v->storage = s;
  return v;
}
