/* SPDX-License-Identifier: MPL-2.0
 * adapters.c - networks with adapters of every kind and naming against the reference loaders.
 *
 * adapters [--level NAME]; GESSO_SOURCE names the source tree.  What the files mean stands in
 * README.md beside this one.
 */
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "core/mem.h"
#include "models/clip.h"
#include "models/unet.h"
#include "weights/adapter-stack.h"
#include "weights/checkpoint.h"
#include "weights/mapped.h"
#include "weights/safetensors.h"

/* Of the largest value.  As in networks.c; the low-rank sums add a rounding or two. */
static const double TOLERANCE = 1e-4;
/* Merged weights are rounded to f16 like the reference's, but a value halfway between two of them
 * may go the other way: 2^-11 of one weight.  Measured worst 1.3e-4. */
static const double TOLERANCE_MERGED = 5e-4;

enum
{
  N_SIZES = 6,
  CLIP_LENGTH = 77,
  MAX_FILES = 4,
  PATH_SIZE = 2304
};

typedef struct
{
  char fixtures[2048];
  Pool pool;
  TensorTable inputs, expected;
  Backend *backend;
  int n, n_failed;
} Suite;

typedef struct
{
  Checkpoint *checkpoint;
  Arena arena;
  AdapterMap *map;
  AdapterFile *files[MAX_FILES];
  AdapterFit fits[MAX_FILES];
  AdapterStack *stack;
  AdapterStrength strengths[MAX_FILES];
  int n;
  Status status;
} Model;

static void
report (Suite *s, bool ok, const char *name, const char *detail)
{
  printf ("%s %d - %s: %s\n", ok ? "ok" : "not ok", ++s->n, name, detail);
  s->n_failed += !ok;
}

static json_object *
get (json_object *o, const char *key)
{
  return json_object_object_get (o, key);
}

static const char *
text (json_object *o, const char *key)
{
  return json_object_get_string (get (o, key));
}

static const FileTensor *
input (const Suite *s, const char *folder, const char *key)
{
  char name[256];
  snprintf (name, sizeof name, "%s.%s", folder, key);
  return table_find (&s->inputs, name);
}

static int64_t
elements (const FileTensor *t)
{
  int64_t n = 1;
  for (int i = 0; i < t->rank; i++)
    n *= t->ne[i];
  return n;
}

static const float *
floats (const FileTensor *t)
{
  return (const float *) (const void *) t->data;
}

/* ---- a network's pass ---- */

typedef struct
{
  const Unet *unet;
  const Clip *clip;
  const FileTensor *shape, *context;
  float *x, *t, *vector;
  int64_t vector_dim;
  const int32_t *ids;
} Pass;

static Tensor *
unet_pass (Ctx *ctx, const Pass *p)
{
  const FileTensor *s = p->shape;
  int64_t n = s->ne[0], ne[4] = { n, s->ne[2], s->ne[3], s->ne[1] };
  Tensor *x = ctx_input (ctx, DTYPE_F32, 4, ne, p->x);
  Tensor *t = ctx_input (ctx, DTYPE_F32, 1, &n, p->t);
  Tensor *context =
      ctx_input (ctx, DTYPE_F32, 3, p->context->ne, (void *) (uintptr_t) p->context->data);
  Tensor *vector = NULL;
  if (p->vector)
    vector = ctx_input (ctx, DTYPE_F32, 2, (int64_t[]){ n, p->vector_dim }, p->vector);
  return unet_forward (ctx, p->unet, x, t, context, vector);
}

static Tensor *
forward (Ctx *ctx, const Pass *p)
{
  if (p->unet)
    return unet_pass (ctx, p);
  return clip_forward (ctx, p->clip, p->ids, p->shape->ne[0], CLIP_LENGTH,
                       (ClipOptions){ .final_norm = true })
      .hidden;
}

static void
fill_vector (Pass *p, const FileTensor *pooled, const FileTensor *sizes, int64_t dim)
{
  int64_t n_pooled = pooled->ne[1], half = dim / 2;
  for (int64_t n = 0; n < p->shape->ne[0]; n++)
    {
      float *row = p->vector + n * p->vector_dim;
      memcpy (row, floats (pooled) + n * n_pooled, (size_t) n_pooled * sizeof *row);
      for (int64_t i = 0; i < N_SIZES * half; i++)
        {
          double angle = (double) floats (sizes)[n * N_SIZES + i / half] *
                         exp (-log (10000.0) * (double) (i % half) / (double) half);
          float *at = row + n_pooled + i / half * dim + i % half;
          at[0] = (float) cos (angle);
          at[half] = (float) sin (angle);
        }
    }
}

static void
make_unet_pass (Suite *s, Model *m, Pass *p, const char *folder)
{
  const UnetConfig *config = &m->checkpoint->config.unet;
  Binder b = { m->checkpoint->weights, &m->arena, &m->status };
  p->shape = input (s, folder, "x");
  p->context = input (s, folder, "context");
  p->unet = unet_bind (&b, config);
  p->x = mem_calloc ((size_t) elements (p->shape), sizeof *p->x);
  int64_t c = p->shape->ne[1], hw = p->shape->ne[2] * p->shape->ne[3];
  for (int64_t i = 0; i < elements (p->shape); i++)
    p->x[(i / (c * hw) * hw + i % hw) * c + i / hw % c] = floats (p->shape)[i];
  p->t = mem_calloc ((size_t) p->shape->ne[0], sizeof *p->t);
  for (int64_t i = 0; i < p->shape->ne[0]; i++)
    p->t[i] = floats (input (s, folder, "t"))[0];
  p->vector_dim = config->adm_dim;
  if (p->vector_dim == 0)
    return;
  p->vector = mem_calloc ((size_t) (p->shape->ne[0] * p->vector_dim), sizeof *p->vector);
  fill_vector (p, input (s, folder, "pooled"), input (s, folder, "time_ids"), config->adm_time_dim);
}

static void
make_text_pass (Suite *s, Model *m, Pass *p, const char *folder, const char *part)
{
  Binder b = { m->checkpoint->weights, &m->arena, &m->status };
  int encoder = strcmp (part, "text_encoder_2") == 0;
  p->shape = input (s, folder, "ids");
  p->ids = (const int32_t *) (const void *) p->shape->data;
  p->clip = clip_bind (&b, &m->checkpoint->config.clip[encoder], part);
}

/* Whether @got, channels last where @want is an image, is @want.  Returns: the error relative to
 * its largest value */
static double
distance (const FileTensor *want, const Tensor *got)
{
  const float *have = got->data;
  double largest = 0, worst = 0;
  int64_t c = want->rank == 4 ? want->ne[1] : 1;
  int64_t hw = want->rank == 4 ? want->ne[2] * want->ne[3] : 1;
  for (int64_t i = 0; i < elements (want); i++)
    {
      int64_t at = want->rank == 4 ? (i / (c * hw) * hw + i % hw) * c + i / hw % c : i;
      double w = (double) floats (want)[i], error = fabs ((double) have[at] - w);
      largest = fmax (largest, fabs (w));
      worst = error > worst || isnan (error) ? error : worst;
    }
  return worst / largest;
}

/* ---- a case ---- */

/* Text encoders of both models share one CLIP-L, and its inputs. */
static const char *
input_folder (const char *model, const char *part, char *out, size_t size)
{
  bool is_first = strcmp (part, "text_encoder") == 0;
  snprintf (out, size, "%s/%s", is_first ? "sd15-tiny" : model, part);
  return out;
}

static void
check_part (Suite *s, Model *m, json_object *c, const char *part)
{
  char folder[64], name[160], detail[160];
  Pass p = { 0 };
  input_folder (text (c, "model"), part, folder, sizeof folder);
  if (strcmp (part, "unet") == 0)
    make_unet_pass (s, m, &p, folder);
  else
    make_text_pass (s, m, &p, folder, part);
  adapter_stack_mount (m->stack);
  Ctx *ctx = ctx_new (s->backend, COMPUTE_F32, NULL, &m->status);
  forward (ctx, &p);
  Tensor *got = ctx_plan (ctx) && ctx_begin_run (ctx) ? forward (ctx, &p) : NULL;
  got = ctx_end_run (ctx) ? got : NULL;
  adapter_stack_unmount (m->stack);
  snprintf (name, sizeof name, "%s.%s", text (c, "expect"), part);
  const FileTensor *want = table_find (&s->expected, name);
  snprintf (name, sizeof name, "%s/%s", text (c, "name"), part);
  bool merges = adapter_stack_merged_bytes (m->stack) > 0;
  double error = got && want ? distance (want, got) : NAN;
  snprintf (detail, sizeof detail, "%s, off by %.1e of its largest value",
            merges ? "merged" : "beside", error);
  report (s, error <= (merges ? TOLERANCE_MERGED : TOLERANCE), name,
          got ? detail : ctx_status (ctx)->message);
  ctx_free (ctx);
  mem_free (p.x);
  mem_free (p.t);
  mem_free (p.vector);
}

static bool
open_files (Suite *s, Model *m, json_object *c)
{
  char path[PATH_SIZE];
  json_object *files = get (c, "files"), *weights = get (c, "weights");
  m->n = (int) json_object_array_length (files);
  for (int i = 0; i < m->n; i++)
    {
      const char *name = json_object_get_string (json_object_array_get_idx (files, (size_t) i));
      json_object *pair = json_object_array_get_idx (weights, (size_t) i);
      bool is_folder = strstr (name, "folder") != NULL;
      snprintf (path, sizeof path, "%s/adapters/%s%s", s->fixtures, name,
                is_folder ? "" : ".safetensors");
      m->strengths[i].network = json_object_get_double (json_object_array_get_idx (pair, 0));
      m->strengths[i].text = json_object_get_double (json_object_array_get_idx (pair, 1));
      if (!(m->files[i] = adapter_open (path, &m->status)) ||
          !adapter_fit_init (&m->fits[i], m->files[i], m->checkpoint->weights, m->map,
                             &m->checkpoint->config, &m->status))
        return false;
    }
  return true;
}

static bool
open_case (Suite *s, Model *m, json_object *c)
{
  char path[PATH_SIZE];
  const AdapterFit *fits[MAX_FILES];
  snprintf (path, sizeof path, "%s/%s", s->fixtures, text (c, "model"));
  if (!(m->checkpoint = checkpoint_open (path, false, &m->status)) ||
      !(m->map = adapter_map_new (m->checkpoint->weights, &m->checkpoint->config, &m->status)) ||
      !open_files (s, m, c))
    return false;
  for (int i = 0; i < m->n; i++)
    fits[i] = &m->fits[i];
  m->stack = adapter_stack_new (fits, m->n, false, &m->status);
  return m->stack && adapter_stack_set (m->stack, m->strengths, &m->status);
}

static void
close_case (Model *m)
{
  adapter_stack_free (m->stack);
  for (int i = 0; i < m->n; i++)
    {
      adapter_fit_clear (&m->fits[i]);
      adapter_close (m->files[i]);
    }
  adapter_map_free (m->map);
  arena_clear (&m->arena);
  checkpoint_free (m->checkpoint);
}

static void
check_case (Suite *s, json_object *c)
{
  Model m = { 0 };
  if (!open_case (s, &m, c))
    report (s, false, text (c, "name"), m.status.message);
  else
    {
      size_t unmatched = 0;
      for (int i = 0; i < m.n; i++)
        unmatched += m.fits[i].n_unmatched;
      report (s, (int) unmatched == json_object_get_int (get (c, "unmatched")), text (c, "name"),
              unmatched ? m.fits[0].unmatched[0] : "every layer is placed");
      json_object *parts = get (c, "parts");
      for (size_t i = 0; i < json_object_array_length (parts); i++)
        check_part (s, &m, c, json_object_get_string (json_object_array_get_idx (parts, i)));
    }
  close_case (&m);
}

static bool
read_table (Suite *s, MappedFile *file, TensorTable *table, const char *name, Status *status)
{
  char path[PATH_SIZE];
  snprintf (path, sizeof path, "%s/%s", s->fixtures, name);
  table_init (table, &s->pool);
  return mapped_open (file, path, status) &&
         safetensors_parse (table, file->data, file->size, name, status);
}

int
main (int argc, char **argv)
{
  Suite s = { 0 };
  Status status = { 0 };
  MappedFile files[2] = { 0 };
  const char *level = argc == 3 && strcmp (argv[1], "--level") == 0 ? argv[2] : NULL;
  const char *source = getenv ("GESSO_SOURCE");
  char path[PATH_SIZE];
  snprintf (s.fixtures, sizeof s.fixtures, "%s/tests/golden/fixtures", source ? source : ".");
  s.backend = backend_cpu_new (level, 0, &status);
  if (!s.backend && status.code == STATUS_UNSUPPORTED)
    {
      printf ("1..0 # SKIP %s\n", status.message);
      return EXIT_SUCCESS;
    }
  snprintf (path, sizeof path, "%s/adapters.json", s.fixtures);
  json_object *root = json_object_from_file (path);
  if (!s.backend || !root ||
      !read_table (&s, &files[0], &s.inputs, "networks.safetensors", &status) ||
      !read_table (&s, &files[1], &s.expected, "adapters.safetensors", &status))
    {
      printf ("Bail out! %s\n", root ? status.message : "no adapters.json");
      return EXIT_FAILURE;
    }
  json_object *cases = get (root, "cases");
  for (size_t i = 0; i < json_object_array_length (cases); i++)
    check_case (&s, json_object_array_get_idx (cases, i));
  printf ("1..%d\n", s.n);
  json_object_put (root);
  table_clear (&s.inputs);
  table_clear (&s.expected);
  mapped_close (&files[0]);
  mapped_close (&files[1]);
  pool_clear (&s.pool);
  backend_free (s.backend);
  return s.n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
