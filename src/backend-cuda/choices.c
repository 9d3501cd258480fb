/* SPDX-License-Identifier: MPL-2.0
 * choices.c - who computes a product or a convolution: our kernel or a library's.
 */
#include "choices.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

enum
{
  ROUNDS = 4,     /* of both, of which the fastest counts */
  ALIGNMENT = 16, /* bytes; of what libraries read by vectors */
  CHANNELS = 8,   /* the same in elements */
  LEAST_ROWS = 16 /* of a product: less is bound by reading its weights, whoever does it */
};

/* Where ours takes that and more, each is timed once: a few ms a shape are spent, or a few runs of
 * a long one. */
static const float LONG_MS = 1;
/* A library has to be that much faster: below, noise would decide. */
static const float ADVANTAGE = 0.97f;

bool
library_load (const char *name, const CudaSymbol *symbols, size_t n, void *functions)
{
  void *library = dlopen (name, RTLD_NOW | RTLD_LOCAL);
  for (size_t i = 0; library && i < n; i++)
    {
      void *function = dlsym (library, symbols[i].name);
      if (!function)
        return dlclose (library), false;
      memcpy ((char *) functions + symbols[i].offset, &function, sizeof function);
    }
  return library != NULL; /* stays: it cannot be unloaded safely once it has started */
}

/* ---- what a library can do ---- */

static bool
is_aligned (const void *p)
{
  return (uintptr_t) p % ALIGNMENT == 0;
}

static bool
is_plain_gemm (const GkGemm *g)
{
  const GkEpilogue *e = &g->epilogue;
  return g->type != GK_TYPE_F32 && g->format == GK_WEIGHT_16 && e->activation == GK_ACT_NONE &&
         !e->gate && !e->entry_add && !e->row_scale && !e->column_scale &&
         g->n_rows >= LEAST_ROWS && g->n_out % CHANNELS == 0 && g->n_in % CHANNELS == 0 &&
         g->x_stride % CHANNELS == 0 && e->y_stride % CHANNELS == 0 && is_aligned (g->x) &&
         is_aligned (g->w) && is_aligned (e->y) && is_aligned (e->add);
}

static int64_t
size_out (int64_t in, const GkConv *g)
{
  return (in + 2 * g->pad_top - g->kernel) / g->stride + 1;
}

/* cuDNN pads both sides alike, adds a residual only with a bias, counts elements in 31 bits. */
static bool
is_plain_conv (const GkConv *g)
{
  int64_t largest = g->n * (g->h_in * g->w_in * g->c_in > g->h_out * g->w_out * g->c_out
                                ? g->h_in * g->w_in * g->c_in
                                : g->h_out * g->w_out * g->c_out);
  return g->type != GK_TYPE_F32 && !g->over_time && !g->upsample2 && !g->affine &&
         g->c_in % CHANNELS == 0 && g->c_out % CHANNELS == 0 && g->pad_top == g->pad_left &&
         size_out (g->h_in, g) == g->h_out && size_out (g->w_in, g) == g->w_out &&
         g->epilogue.activation == GK_ACT_NONE && !g->epilogue.gate && !g->epilogue.column_scale &&
         (g->epilogue.bias || !g->epilogue.add) && g->epilogue.y_stride == g->c_out &&
         largest < INT32_MAX && is_aligned (g->x) && is_aligned (g->epilogue.y) &&
         is_aligned (g->epilogue.add);
}

static void
describe (const CudaCall *c, int64_t key[CHOICE_KEY])
{
  memset (key, 0, CHOICE_KEY * sizeof *key);
  const GkGemm *g = &c->gemm;
  const GkConv *v = &c->conv;
  const GkEpilogue *e = c->kind == CUDA_CALL_GEMM ? &g->epilogue : &v->epilogue;
  int64_t parts = (e->bias != NULL) | (e->add != NULL) << 1 | (e->add == e->y) << 2 |
                  (e->entry_add != NULL) << 3;
  const int64_t gemm[] = {
    1, g->type, g->n_rows, g->n_out, g->n_in, g->x_stride, e->y_stride, parts
  };
  const int64_t conv[] = { 2,        v->type,  v->n,      v->h_in,   v->w_in,    v->c_in, v->h_out,
                           v->w_out, v->c_out, v->kernel, v->stride, v->pad_top, parts };
  if (c->kind == CUDA_CALL_GEMM)
    memcpy (key, gemm, sizeof gemm);
  else
    memcpy (key, conv, sizeof conv);
}

CudaChoice *
choices_find (CudaChoices *c, const int64_t key[CHOICE_KEY])
{
  uint64_t h = 0xcbf29ce484222325u; /* FNV-1a, by whole numbers */
  for (int i = 0; i < CHOICE_KEY; i++)
    h = (h ^ (uint64_t) key[i]) * 0x100000001b3u;
  size_t i = (size_t) (h ^ h >> 32) & (CHOICE_TABLE - 1);
  while (c->table[i].key[0] && memcmp (c->table[i].key, key, sizeof c->table[i].key) != 0)
    i = (i + 1) & (CHOICE_TABLE - 1);
  return &c->table[i];
}

/* ---- running ---- */

static int
run_own (CudaBackend *b, const CudaCall *call, void *y)
{
  CudaCall c = *call;
  c.gemm.epilogue.y = c.conv.epilogue.y = y;
  return c.kind == CUDA_CALL_GEMM ? cuda_own_gemm (b, &c.gemm) : cuda_own_conv (b, &c.conv);
}

/* Our kernels go on; said once. */
static void
give_up (CudaBackend *b, CudaLibrary *library, int error)
{
  library->is_broken = true;
  snprintf (b->remark, sizeof b->remark,
            status_text ("NVIDIA's library %s failed (error %d); Gesso's own kernels compute "
                         "instead."),
            library->name, error);
}

/* Returns: false when the library cannot, with nothing queued by it */
static bool
run_library (CudaBackend *b, const CudaCall *call, CudaChoice *choice, void *y)
{
  CudaLibrary *library = &b->choices->libraries[call->kind];
  int error = choice->plan ? 0 : library->plan (b, call, &choice->plan);
  size_t size_bytes = error ? 0 : library->workspace (choice->plan);
  void *workspace = size_bytes ? cuda_scratch (b, size_bytes) : NULL;
  if (!error && !cuda_failed (b))
    error = library->run (b, call, choice->plan, y, workspace);
  if (error == NOT_THIS_SHAPE)
    choice->winner = CHOICE_OWN;
  else if (error)
    give_up (b, library, error);
  return !error;
}

/* ---- measuring ---- */

/* Milliseconds of one run; negative after a failure. */
static float
time_once (CudaBackend *b, const CudaCall *call, CudaChoice *choice, bool own, void *y)
{
  const Driver *d = b->driver;
  float ms = -1;
  if (!cuda_works (b, d->event_record (b->choices->begin, b->compute), STATUS_MARK ("it computed")))
    return -1;
  if (own)
    cuda_works (b, run_own (b, call, y), STATUS_MARK ("it computed"));
  else if (!run_library (b, call, choice, y))
    return -1;
  if (cuda_failed (b))
    return -1;
  int error = d->event_record (b->choices->end, b->compute);
  error = error ? error : d->event_wait (b->choices->end);
  error = error ? error : d->event_elapsed (&ms, b->choices->begin, b->choices->end);
  return cuda_works (b, error, STATUS_MARK ("it computed")) ? ms : -1;
}

static bool
time_both (CudaBackend *b, const CudaCall *call, CudaChoice *choice, void *y)
{
  float best[2] = { -1, -1 };
  for (int round = -1; round < ROUNDS; round++)
    for (int own = 0; own < 2; own++)
      {
        float ms = time_once (b, call, choice, own, y);
        if (ms < 0)
          return false;
        /* the first of each loads its kernel */
        if (round >= 0 && (best[own] < 0 || ms < best[own]))
          best[own] = ms;
        if (round >= 0 && own && best[1] >= LONG_MS)
          round = ROUNDS;
      }
  choice->library_ms = best[0];
  choice->own_ms = best[1];
  return true;
}

/* Times both on the call's own operands; where the result would overwrite what is added to it, it
 * goes elsewhere.  Without room for that the question stays open. */
static void
measure (CudaBackend *b, const CudaCall *call, CudaChoice *choice, const int64_t *key)
{
  const GkGemm *g = &call->gemm;
  const GkEpilogue *e = call->kind == CUDA_CALL_GEMM ? &g->epilogue : &call->conv.epilogue;
  int64_t n_rows =
      call->kind == CUDA_CALL_GEMM ? g->n_rows : call->conv.n * call->conv.h_out * call->conv.w_out;
  size_t y_bytes = (size_t) (n_rows * e->y_stride) * sizeof (uint16_t);
  cuda_graph_moved (b);
  CudaBlock elsewhere = { 0 };
  CudaChoice found = { 0 };
  memcpy (found.key, key, sizeof found.key);
  bool in_place = e->add && e->add == e->y;
  if (in_place &&
      (!cuda_has_room (b, y_bytes) || !cuda_map (b, &elsewhere, y_bytes, &(Status){ 0 })))
    return;
  void *y = in_place ? (void *) (uintptr_t) elsewhere.address : e->y;
  bool timed = time_both (b, call, &found, y);
  if (timed)
    found.winner = found.library_ms < ADVANTAGE * found.own_ms ? CHOICE_LIBRARY : CHOICE_OWN;
  if (found.winner)
    {
      *choice = found;
      b->choices->n++;
      b->choices->n_unsaved++;
    }
  else if (found.plan)
    b->choices->libraries[call->kind].plan_free (b, found.plan);
  if (in_place)
    cuda_unmap (b, &elsewhere);
}

/* Whether there is, or could be, memory for what the library wants to write on. */
static bool
has_workspace (const CudaBackend *b)
{
  return b->scratch_bytes >= CUDA_WORKSPACE_BYTES || cuda_has_room (b, CUDA_WORKSPACE_BYTES);
}

int
cuda_call (CudaBackend *b, const CudaCall *call)
{
  CudaChoices *c = b->choices;
  void *y = call->kind == CUDA_CALL_GEMM ? call->gemm.epilogue.y : call->conv.epilogue.y;
  bool plain =
      c && c->libraries[call->kind].name && !c->libraries[call->kind].is_broken &&
      (call->kind == CUDA_CALL_GEMM ? is_plain_gemm (&call->gemm) : is_plain_conv (&call->conv));
  if (c)
    c->last = NULL;
  if (!plain || !has_workspace (b))
    return run_own (b, call, y);
  int64_t key[CHOICE_KEY];
  describe (call, key);
  CudaChoice *choice = choices_find (c, key);
  if (!choice->key[0] && c->n < MAX_CHOICES)
    measure (b, call, choice, key);
  if (choice->key[0])
    c->last = choice;
  if (choice->winner == CHOICE_LIBRARY && !c->libraries[call->kind].is_broken &&
      run_library (b, call, choice, y))
    return DRIVER_OK;
  return cuda_failed (b) ? DRIVER_OK : run_own (b, call, y);
}

/* ---- beginning and end ---- */

void
cuda_choices_open (CudaBackend *b, bool is_limited)
{
  const char *mode = getenv ("GESSO_CUDA_LIBRARIES");
  if (is_limited || (mode && !strcmp (mode, "off")))
    return;
  CudaChoices *c = b->choices = mem_calloc (1, sizeof *c);
  if (!c)
    return;
  bool any = cublaslt_open (b, &c->libraries[CUDA_CALL_GEMM]);
  any = cudnn_open (b, &c->libraries[CUDA_CALL_CONV]) || any;
  if (!any || b->driver->event_new (&c->begin, 0) || b->driver->event_new (&c->end, 0))
    {
      cuda_choices_close (b);
      return;
    }
  if (!mode || strcmp (mode, "measure") != 0)
    choices_read (b, c);
}

void
cuda_choices_save (CudaBackend *b)
{
  if (b->choices && b->choices->n_unsaved && *b->choices->path)
    choices_write (b->choices);
}

void
cuda_choices_close (CudaBackend *b)
{
  CudaChoices *c = b->choices;
  if (!c)
    return;
  cuda_choices_save (b);
  for (int i = 0; i < CHOICE_TABLE; i++)
    if (c->table[i].plan)
      c->libraries[c->table[i].key[0] - 1].plan_free (b, c->table[i].plan);
  for (int i = 0; i < CUDA_CALL_KINDS; i++)
    if (c->libraries[i].name)
      c->libraries[i].close (b);
  if (c->begin)
    b->driver->event_free (c->begin);
  if (c->end)
    b->driver->event_free (c->end);
  mem_free (c);
  b->choices = NULL;
}

bool
cuda_compared (const Backend *base, BackendTimes *times)
{
  const CudaChoices *c = ((const CudaBackend *) base)->choices;
  if (!c || !c->last || c->last->library_ms <= 0)
    return false;
  *times = (BackendTimes){ .library = c->libraries[c->last->key[0] - 1].name,
                           .own_ms = (double) c->last->own_ms,
                           .library_ms = (double) c->last->library_ms };
  return true;
}
