/* SPDX-License-Identifier: MPL-2.0
 * adapter-fit.c - finds each module's layer and says which it could not place, and why.
 */
#include "weights/adapter-fit.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "weights/adapter-private.h"
#include "weights/checkpoint.h"
#include "weights/weight-set.h"

typedef struct
{
  AdapterFit *fit;
  WeightSet *set;
  const AdapterMap *map;
  const ModelConfig *config;
  Status *status;
} Fitter;

static bool
unmatched (Fitter *f, const char *layer, const char *why)
{
  AdapterFit *fit = f->fit;
  char *line = pool_printf (&fit->pool, f->status, "%.200s: %s", layer, status_text (why));
  if (!line || !mem_grow (&fit->unmatched, &fit->unmatched_capacity, fit->n_unmatched + 1,
                          sizeof *fit->unmatched, f->status))
    return false;
  fit->unmatched[fit->n_unmatched++] = line;
  return true;
}

/* Tables stand under the layer's own name. */
static Weight *
find (const WeightSet *set, const char *layer, const char *tail)
{
  char name[ADAPTER_KEY_SIZE];
  snprintf (name, sizeof name, "%s%s", layer, tail);
  int32_t i = name_index_find (&set->index, name);
  if (i < 0 && strcmp (tail, ".weight") == 0)
    i = name_index_find (&set->index, layer);
  return i < 0 ? NULL : set->items[i];
}

static AdapterShape
shape_of (const Weight *w)
{
  AdapterShape s = { w->ne[0], w->rank >= 2 ? w->ne[1] : 1, 1 };
  for (int i = 2; i < w->rank; i++)
    s.area *= w->ne[i];
  return s;
}

/* The rows of @place's layers as one tall weight.  Returns: false when they do not go together */
static bool
gather_targets (const WeightSet *set,
                const AdapterPlace *place,
                const char *tail,
                FitTarget *out,
                int *n_out,
                AdapterShape *shape)
{
  *shape = (AdapterShape){ 0 };
  for (int i = 0; i < place->n_targets; i++)
    {
      const AdapterTarget *t = &place->targets[i];
      Weight *w = find (set, t->layer, tail);
      if (!w)
        return false;
      AdapterShape s = shape_of (w);
      int64_t n_rows = t->n_rows ? t->n_rows : s.n_out;
      if (t->row + n_rows > s.n_out || (i && (s.n_in != shape->n_in || s.area != shape->area)))
        return false;
      out[i] = (FitTarget){ w, t->row, n_rows, shape->n_out };
      shape->n_in = s.n_in;
      shape->area = s.area;
      shape->n_out += n_rows;
    }
  *n_out = place->n_targets;
  return true;
}

static const FileTensor *
bias_of (const AdapterModule *m)
{
  const FileTensor *t =
      m->tensors[ROLE_DIFF_BIAS] ? m->tensors[ROLE_DIFF_BIAS] : m->tensors[ROLE_NORM_BIAS];
  return t ? t : m->tensors[ROLE_UP_BIAS];
}

static bool
is_vector (const FileTensor *t, int64_t n)
{
  uint64_t have;
  return t->data && shape_elements (t->ne, t->rank, &have) && have == (uint64_t) n;
}

/* Biases may be missing from the model: a low-rank module then carries its own. */
static bool
fit_bias (Fitter *f, FitModule *m, const AdapterPlace *place)
{
  const FileTensor *t = bias_of (m->module);
  AdapterShape shape;
  if (!t)
    return true;
  if (gather_targets (f->set, place, ".bias", m->biases, &m->n_biases, &shape))
    {
      if (is_vector (t, shape.n_out))
        return true;
      m->n_biases = 0;
      return unmatched (f, t->name, STATUS_MARK ("a bias of another length"));
    }
  m->n_biases = 0;
  m->bias_beside = m->module->kind == ADAPTER_LORA && m->n_weights > 0 &&
                   t == m->module->tensors[ROLE_UP_BIAS] && is_vector (t, m->shape.n_out);
  return m->bias_beside || unmatched (f, t->name, STATUS_MARK ("this layer has no bias"));
}

/* FLUX's control LoRAs make a control model of any other: it reads a picture behind the noise. */
static bool
widens_input (const Fitter *f, FitModule *m)
{
  const FluxConfig *c = &f->config->flux;
  AdapterShape wide = m->shape;
  if (!f->config->has_flux || !m->module->is_low_rank || m->n_weights != 1 ||
      m->shape.n_in != c->out_channels ||
      strcmp (m->weights[0].weight->name, "transformer.x_embedder.weight") != 0)
    return false;
  wide.n_in = 2 * (int64_t) c->out_channels;
  if (!adapter_delta_fits (m->module, &wide))
    return false;
  m->shape = wide;
  return m->widens = true;
}

static bool
fit_module (Fitter *f, const AdapterModule *module)
{
  AdapterFit *fit = f->fit;
  const AdapterPlace *place = adapter_map_find (f->map, module->layer);
  if (!place)
    return unmatched (f, module->layer, STATUS_MARK ("no such layer in this model"));
  FitModule m = { .module = module, .is_text = place->is_text, .block = place->block };
  bool there = gather_targets (f->set, place, ".weight", m.weights, &m.n_weights, &m.shape);
  if (adapter_delta_has_weight (module))
    {
      if (!there || !(adapter_delta_fits (module, &m.shape) || widens_input (f, &m)))
        return unmatched (f, module->layer, STATUS_MARK ("of another shape"));
    }
  else
    m.n_weights = 0;
  if (!fit_bias (f, &m, place))
    return false;
  if (m.n_weights == 0 && m.n_biases == 0)
    return true; /* only a bias, which has been listed */
  if (!mem_grow (&fit->modules, &fit->capacity, fit->n_modules + 1, sizeof m, f->status))
    return false;
  fit->modules[fit->n_modules++] = m;
  return true;
}

/* ---- the wrong model ---- */

static AdapterBase
base_of (Family family)
{
  switch (family)
    {
    case FAMILY_SD15:
      return BASE_SD15;
    case FAMILY_SDXL:
      return BASE_SDXL;
    case FAMILY_FLUX:
      return BASE_FLUX;
    case FAMILY_WAN:
      return BASE_WAN;
    case FAMILY_UNKNOWN:
      break;
    }
  return BASE_UNKNOWN;
}

static bool
check_base (const AdapterFile *file, const ModelConfig *config, Status *status)
{
  AdapterBase base = base_of (config->family);
  if (!file->base_is_certain || base == BASE_UNKNOWN || file->base == base)
    return true;
  return status_fail (status, STATUS_UNSUPPORTED,
                      "\"%.100s\" is an adapter for %s, but the model is %s: choose one for %s.",
                      file->label, file->base_name, family_name (config->family),
                      family_name (config->family));
}

static bool
check_count (const AdapterFit *fit, const ModelConfig *config, Status *status)
{
  const AdapterFile *file = fit->file;
  size_t n_lost = file->n_modules - fit->n_modules;
  if (2 * n_lost <= file->n_modules)
    return true;
  return status_fail (
      status, STATUS_UNSUPPORTED,
      "\"%.100s\" (%s) does not fit this model: %zu of its %zu layers have no place "
      "in it, first %.120s. Choose an adapter for %s.",
      file->label,
      file->base == BASE_UNKNOWN ? status_text (STATUS_MARK ("of unknown family"))
                                 : file->base_name,
      n_lost, file->n_modules, fit->n_unmatched ? fit->unmatched[0] : "",
      family_name (config->family));
}

bool
adapter_fit_init (AdapterFit *fit,
                  const AdapterFile *file,
                  WeightSet *set,
                  const AdapterMap *map,
                  const ModelConfig *config,
                  Status *status)
{
  fit->file = file;
  if (!check_base (file, config, status))
    return false;
  Fitter f = { fit, set, map, config, status };
  for (size_t i = 0; i < file->n_modules; i++)
    if (!fit_module (&f, &file->modules[i]))
      return false;
  for (size_t i = 0; i < file->n_strange; i++)
    if (!unmatched (&f, file->strange[i],
                    STATUS_MARK ("no part of an adapter that this version knows")))
      return false;
  return check_count (fit, config, status);
}

void
adapter_fit_clear (AdapterFit *fit)
{
  mem_free (fit->modules);
  mem_free (fit->unmatched);
  pool_clear (&fit->pool);
  *fit = (AdapterFit){ 0 };
}
