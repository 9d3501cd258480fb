/* SPDX-License-Identifier: MPL-2.0
 * adapter-file.c - sorts the tensors of an adapter into modules and reads their ranks and scales.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "weights/adapter-private.h"
#include "weights/embedding.h"
#include "weights/refuse.h"

static const char peft_file[] = "adapter_model.safetensors";

void
adapter_flatten (char *out, size_t size, const char *name)
{
  snprintf (out, size, "%s", name);
  for (char *p = out; *p; p++)
    if (*p == '.')
      *p = '_';
}

double
adapter_scalar (const FileTensor *t, double fallback)
{
  uint64_t n;
  float value;
  if (!t || !t->data || t->dtype == DTYPE_COUNT || !shape_elements (t->ne, t->rank, &n) || n == 0)
    return fallback;
  file_tensor_read (&value, t, 0, 1);
  return (double) value;
}

/* ---- tensors to modules ---- */

/* The module of @layer, made when new; NULL when out of memory */
static AdapterModule *
module_of (AdapterFile *a, NameIndex *index, const char *layer, Status *status)
{
  int32_t i = name_index_find (index, layer);
  if (i >= 0)
    return &a->modules[i];
  const char *name = pool_strdup (a->source.table.pool, layer, status);
  if (!name ||
      !mem_grow (&a->modules, &a->module_capacity, a->n_modules + 1, sizeof *a->modules, status) ||
      !name_index_set (index, name, (int32_t) a->n_modules, status))
    return NULL;
  AdapterModule *m = &a->modules[a->n_modules++];
  *m = (AdapterModule){ .layer = name, .alpha = (double) NAN, .scale = 1 };
  return m;
}

static bool
add_strange (AdapterFile *a, const char *name, Status *status)
{
  if (!mem_grow (&a->strange, &a->strange_capacity, a->n_strange + 1, sizeof *a->strange, status))
    return false;
  a->strange[a->n_strange++] = name;
  return true;
}

/* (IA)3 calls its vector plainly "weight": known by the flag beside it. */
static bool
add_plain (AdapterFile *a, const NameIndex *index, const FileTensor *t, Status *status)
{
  static const char tail[] = ".weight";
  char layer[ADAPTER_KEY_SIZE];
  if (embedding_bundled (t->name, layer, sizeof layer))
    return true; /* embedding.c reads it */
  int n = snprintf (layer, sizeof layer, "%s", t->name) - (int) sizeof tail + 1;
  if (n > 0 && strcmp (layer + n, tail) == 0)
    {
      layer[n] = 0;
      int32_t i = name_index_find (index, layer);
      if (i >= 0 && a->modules[i].tensors[ROLE_ON_INPUT])
        {
          a->modules[i].tensors[ROLE_IA3_WEIGHT] = t;
          return true;
        }
    }
  return add_strange (a, t->name, status);
}

static bool
add_tensor (AdapterFile *a, NameIndex *index, const FileTensor *t, Status *status)
{
  char layer[ADAPTER_KEY_SIZE];
  AdapterRole role = adapter_role (t->name, layer, sizeof layer);
  if (role == ROLE_COUNT)
    return true; /* looked at once more when all modules are known */
  AdapterModule *m = module_of (a, index, layer, status);
  if (!m)
    return false;
  if (m->tensors[role])
    return damaged (status, a->label, "\"%.120s\" and \"%.120s\" are the same", t->name,
                    m->tensors[role]->name);
  m->tensors[role] = t;
  return true;
}

static bool
sort_tensors (AdapterFile *a, Status *status)
{
  NameIndex index = { 0 };
  char layer[ADAPTER_KEY_SIZE];
  const TensorTable *table = &a->source.table;
  bool ok = true;
  for (size_t i = 0; ok && i < table->n_items; i++)
    ok = add_tensor (a, &index, &table->items[i], status);
  for (size_t i = 0; ok && i < table->n_items; i++)
    if (adapter_role (table->items[i].name, layer, sizeof layer) == ROLE_COUNT)
      ok = add_plain (a, &index, &table->items[i], status);
  name_index_clear (&index);
  return ok;
}

/* ---- kinds, ranks, scales ---- */

static bool
has (const AdapterModule *m, AdapterRole role)
{
  return m->tensors[role] != NULL;
}

static int64_t
extent (const AdapterModule *m, AdapterRole role, int axis)
{
  const FileTensor *t = m->tensors[role];
  return t && axis >= 0 && axis < t->rank ? t->ne[axis] : 0;
}

static bool
is_lokr (const AdapterModule *m)
{
  return (has (m, ROLE_LOKR_W1) || (has (m, ROLE_LOKR_W1_A) && has (m, ROLE_LOKR_W1_B))) &&
         (has (m, ROLE_LOKR_W2) || (has (m, ROLE_LOKR_W2_A) && has (m, ROLE_LOKR_W2_B)));
}

static AdapterKind
kind_of (const AdapterModule *m)
{
  if (has (m, ROLE_UP) && has (m, ROLE_DOWN))
    return ADAPTER_LORA;
  if (has (m, ROLE_HADA_W1_A) && has (m, ROLE_HADA_W1_B) && has (m, ROLE_HADA_W2_A) &&
      has (m, ROLE_HADA_W2_B))
    return ADAPTER_LOHA;
  if (is_lokr (m))
    return ADAPTER_LOKR;
  if (has (m, ROLE_A1) && has (m, ROLE_A2) && has (m, ROLE_B1) && has (m, ROLE_B2))
    return ADAPTER_GLORA;
  if (has (m, ROLE_OFT_BLOCKS))
    return m->tensors[ROLE_OFT_BLOCKS]->rank == 4 ? ADAPTER_BOFT : ADAPTER_OFT;
  if (has (m, ROLE_IA3_WEIGHT))
    return ADAPTER_IA3;
  if (has (m, ROLE_SET))
    return ADAPTER_SET;
  bool differs = has (m, ROLE_DIFF) || has (m, ROLE_DIFF_BIAS) || has (m, ROLE_NORM_WEIGHT) ||
                 has (m, ROLE_NORM_BIAS);
  return differs ? ADAPTER_DIFF : ADAPTER_NONE;
}

static int64_t
rank_of (const AdapterModule *m)
{
  switch (m->kind)
    {
    case ADAPTER_LORA:
      return extent (m, ROLE_DOWN, 0);
    case ADAPTER_LOHA:
      return extent (m, ROLE_HADA_W1_B, 0);
    case ADAPTER_LOKR: /* 0: both sides are whole, and alpha means nothing */
      return has (m, ROLE_LOKR_W2) ? has (m, ROLE_LOKR_W1) ? 0 : extent (m, ROLE_LOKR_W1_B, 0)
                                   : extent (m, ROLE_LOKR_W2_B, 0);
    case ADAPTER_GLORA:
      return extent (m, ROLE_A2, 0) == extent (m, ROLE_B2, 0) ? extent (m, ROLE_A2, 0)
                                                              : extent (m, ROLE_A1, 0);
    case ADAPTER_OFT:
    case ADAPTER_BOFT:
      return extent (m, ROLE_OFT_BLOCKS, m->tensors[ROLE_OFT_BLOCKS]->rank - 1);
    case ADAPTER_IA3:
    case ADAPTER_DIFF:
    case ADAPTER_SET:
    case ADAPTER_NONE:
    case ADAPTER_KIND_COUNT:
      break;
    }
  return 0;
}

static bool
alpha_is_a_scale (const AdapterModule *m)
{
  return m->kind == ADAPTER_LORA || m->kind == ADAPTER_LOHA || m->kind == ADAPTER_GLORA ||
         (m->kind == ADAPTER_LOKR && m->rank > 0);
}

static void
classify (AdapterModule *m)
{
  m->kind = kind_of (m);
  m->rank = rank_of (m);
  m->alpha = adapter_scalar (m->tensors[ROLE_ALPHA], (double) NAN);
  if (alpha_is_a_scale (m) && isfinite (m->alpha) && m->rank > 0)
    m->scale = m->alpha / (double) m->rank;
  m->scale *= adapter_scalar (m->tensors[ROLE_SCALAR], 1);
  m->is_low_rank = m->kind == ADAPTER_LORA && !has (m, ROLE_DORA_SCALE);
  m->reads_weight = has (m, ROLE_DORA_SCALE) || m->kind == ADAPTER_GLORA ||
                    m->kind == ADAPTER_OFT || m->kind == ADAPTER_BOFT || m->kind == ADAPTER_IA3 ||
                    m->kind == ADAPTER_SET;
}

static void
summarise (AdapterFile *a, const AdapterModule *m)
{
  const FileTensor *down = m->tensors[ROLE_DOWN];
  a->kinds |= 1u << m->kind;
  a->has_dora |= has (m, ROLE_DORA_SCALE);
  a->has_conv |= down && down->rank == 4 && (down->ne[2] > 1 || has (m, ROLE_MID));
  if (m->rank > 0)
    {
      a->rank_min = a->rank_min == 0 || m->rank < a->rank_min ? m->rank : a->rank_min;
      a->rank_max = m->rank > a->rank_max ? m->rank : a->rank_max;
    }
  if (isfinite (m->alpha))
    {
      a->alpha_min = fmin (a->alpha_min, m->alpha); /* fmin and fmax pass NAN over */
      a->alpha_max = fmax (a->alpha_max, m->alpha);
    }
}

static bool
classify_all (AdapterFile *a, Status *status)
{
  size_t n = 0;
  for (size_t i = 0; i < a->n_modules; i++)
    {
      AdapterModule *m = &a->modules[i];
      classify (m);
      if (m->kind == ADAPTER_NONE)
        {
          for (int r = 0; r < ROLE_COUNT; r++)
            if (m->tensors[r] && !add_strange (a, m->tensors[r]->name, status))
              return false;
          continue;
        }
      a->modules[n++] = *m;
    }
  a->n_modules = n;
  return true;
}

static bool
check_types (const AdapterFile *a, Status *status)
{
  for (size_t i = 0; i < a->n_modules; i++)
    for (int r = 0; r < ROLE_COUNT; r++)
      {
        const FileTensor *t = a->modules[i].tensors[r];
        if (t && t->dtype == DTYPE_COUNT)
          return status_fail (status, STATUS_UNSUPPORTED,
                              "\"%.100s\" stores \"%.120s\" as %.20s, which this version cannot "
                              "compute with.",
                              a->label, t->name, t->type_name);
      }
  return true;
}

/* What it is when it is no adapter: a model, a ControlNet, an embedding, ... */
static bool
refuse_other (const AdapterFile *a, Status *status)
{
  return refuse_known (&a->source.table, a->label, status) &&
         status_fail (status, STATUS_UNSUPPORTED,
                      "\"%.100s\" is no LoRA or relative of one (its first tensor is \"%.120s\"): "
                      "choose an adapter file.",
                      a->label, a->source.table.n_items ? a->source.table.items[0].name : "");
}

/* FLUX checkpoints have norms that are called as some adapters call replaced ones. */
static bool
has_own_modules (const AdapterFile *a)
{
  for (size_t i = 0; i < a->n_modules; i++)
    {
      const FileTensor *set = a->modules[i].tensors[ROLE_SET];
      if (a->modules[i].kind != ADAPTER_SET || strstr (set->name, ".set_weight"))
        return true;
    }
  return false;
}

static bool
read_adapter (AdapterFile *a, Status *status)
{
  if (!source_read (&a->source, a->set, a->path, false, status) || !sort_tensors (a, status) ||
      !classify_all (a, status))
    return false;
  if (!has_own_modules (a))
    return refuse_other (a, status);
  if (!check_types (a, status) || !adapter_apply_peft (a, status))
    return false;
  for (size_t i = 0; i < a->n_modules; i++)
    summarise (a, &a->modules[i]);
  adapter_recognise (a);
  return true;
}

const char *
adapter_made_for (const TensorTable *table, const char *label, Status *status)
{
  AdapterFile a = { .label = label, .source.table = *table }; /* borrowed */
  const char *name = NULL;
  if (sort_tensors (&a, status) && classify_all (&a, status))
    {
      adapter_recognise (&a);
      name = a.base == BASE_UNKNOWN ? "" : a.base_name;
    }
  mem_free (a.modules);
  mem_free (a.strange);
  return name;
}

/* PEFT saves folders. */
static char *
file_of (const char *path, Status *status)
{
  struct stat info;
  bool is_folder = stat (path, &info) == 0 && S_ISDIR (info.st_mode);
  size_t n = strlen (path) + sizeof peft_file + 1;
  char *file = mem_calloc (n, 1);
  if (!file)
    out_of_memory (status);
  else
    snprintf (file, n, is_folder ? "%s/%s" : "%s", path, peft_file);
  return file;
}

AdapterFile *
adapter_open (const char *path, Status *status)
{
  AdapterFile *a = mem_calloc (1, sizeof *a);
  if (!a)
    {
      out_of_memory (status);
      return NULL;
    }
  a->alpha_min = a->alpha_max = (double) NAN;
  a->set = weights_new (status);
  a->path = a->set ? file_of (path, status) : NULL;
  if (a->path)
    a->label = path_base (a->path);
  if (a->path && read_adapter (a, status))
    return a;
  adapter_close (a);
  return NULL;
}

void
adapter_close (AdapterFile *a)
{
  if (!a)
    return;
  source_clear (&a->source);
  weights_free (a->set);
  mem_free (a->modules);
  mem_free (a->strange);
  mem_free (a->path);
  mem_free (a);
}
