/* SPDX-License-Identifier: MPL-2.0
 * fuzz-adapter.c - damaged adapters on a sound model: each is applied or refused with a sentence.
 *
 * fuzz-adapter [--runs N] [--seed S] FIXTURES
 *
 * Goes the whole way of an adapter: parse, sort, fit, stack, merge, mount.  Build with ASan and
 * UBSan.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mutate.h"
#include "weights/adapter-stack.h"
#include "weights/checkpoint.h"

enum
{
  MAX_SEEDS = 64,
  MAX_SEED_BYTES = 64 << 10,
  ROOM = MAX_SEED_BYTES + 4096,
  MAX_MUTATIONS = 4,
  HOT_BYTES = 6 << 10 /* names and shapes */
};

static const char *const words[] = {
  ".alpha",
  ".lora_up.weight",
  ".lora_down.weight",
  ".lora_mid.weight",
  ".hada_w1_a",
  ".lokr_w1",
  ".dora_scale",
  ".oft_blocks",
  ".diff",
  ".diff_b",
  ".set_weight",
  "lora_unet_",
  "lora_te_",
  "[1,1]",
  "[0]",
  "[4294967296]",
  "\"F32\"",
  "\"BF16\"",
  "\"F8_E4M3\"",
  "_0",
};

typedef struct
{
  uint8_t *data;
  size_t size;
} Seed;

typedef struct
{
  Checkpoint *model;
  AdapterMap *map;
  Seed seeds[MAX_SEEDS];
  size_t n_seeds;
  FuzzRandom random;
} Fuzz;

static void
add_seeds (Fuzz *f, const char *folder)
{
  struct dirent **entries;
  int n = scandir (folder, &entries, NULL, alphasort);
  for (int i = 0; i < n; i++)
    {
      char path[1024];
      snprintf (path, sizeof path, "%s/%s", folder, entries[i]->d_name);
      FILE *file = strstr (path, ".safetensors") ? fopen (path, "rb") : NULL;
      free (entries[i]);
      if (!file || f->n_seeds == MAX_SEEDS)
        continue;
      Seed *s = &f->seeds[f->n_seeds++];
      s->data = malloc (MAX_SEED_BYTES);
      s->size = fread (s->data, 1, MAX_SEED_BYTES, file);
      fclose (file);
    }
  if (n >= 0)
    free (entries);
}

/* Half of the changes keep the length, so that the header's own length still fits. */
static size_t
mutate (Fuzz *f, uint8_t *data, size_t size)
{
  size_t n = 1 + fuzz_below (&f->random, MAX_MUTATIONS);
  for (size_t i = 0; i < n && size > 16; i++)
    {
      size_t hot = size < HOT_BYTES ? size : HOT_BYTES, at = 8 + fuzz_below (&f->random, hot - 8);
      if (fuzz_below (&f->random, 2))
        data[at] = (uint8_t) "0123456789_.abABdw12"[fuzz_below (&f->random, 20)];
      else if (fuzz_below (&f->random, 2))
        {
          const char *word = words[fuzz_below (&f->random, sizeof words / sizeof *words)];
          size_t m = strlen (word);
          memcpy (data + at, word, at + m <= size ? m : size - at);
        }
      else
        size = fuzz_mutate (&f->random, data, size, ROOM, words, sizeof words / sizeof *words);
    }
  return size;
}

static bool
apply (Fuzz *f, const char *path, Status *status)
{
  AdapterFit fit = { 0 };
  AdapterFile *file = adapter_open (path, status);
  bool ok =
      file && adapter_fit_init (&fit, file, f->model->weights, f->map, &f->model->config, status);
  const AdapterFit *fits[] = { &fit };
  AdapterStack *stack = ok ? adapter_stack_new (fits, 1, false, status) : NULL;
  ok = stack && adapter_stack_set (stack, &(AdapterStrength){ 0.7, 0.5, NULL }, status);
  if (ok)
    {
      adapter_stack_mount (stack);
      ok = adapter_stack_set (stack, &(AdapterStrength){ -1, 1, NULL }, status);
    }
  adapter_stack_free (stack);
  adapter_fit_clear (&fit);
  adapter_close (file);
  return ok;
}

/* Returns: 1 applied, 0 refused, -1 refused without a sentence */
static int
run_one (Fuzz *f)
{
  static uint8_t data[ROOM];
  const Seed *seed = &f->seeds[fuzz_below (&f->random, f->n_seeds)];
  memcpy (data, seed->data, seed->size);
  size_t size = mutate (f, data, seed->size);
  int fd = memfd_create ("fuzzed", 0);
  char path[64];
  snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  if (fd < 0 || write (fd, data, size) != (ssize_t) size)
    return -1;
  Status status = { 0 };
  bool ok = apply (f, path, &status);
  close (fd);
  if (ok == status_ok (&status) && (ok || status.message[0]))
    return ok;
  printf ("%s but status %s\n", ok ? "applied" : "refused", status_code_name (status.code));
  return -1;
}

static bool
run_all (Fuzz *f, long n_runs)
{
  long count[2] = { 0 };
  for (long i = 0; i < n_runs; i++)
    {
      uint64_t before = f->random.state;
      int result = run_one (f);
      if (result < 0)
        {
          printf ("run %ld fails, state %" PRIu64 "\n", i, before);
          return false;
        }
      count[result]++;
    }
  printf ("%ld runs, %ld applied, %ld refused\n", n_runs, count[1], count[0]);
  return count[0] > 0 && count[1] > 0;
}

/* Adapters in @folder on @model, both below @fixtures. */
static bool
fuzz_model (const char *fixtures, const char *model, const char *folder, FuzzOptions options)
{
  Fuzz f = { .random.state = options.seed };
  char path[1024];
  Status status = { 0 };
  snprintf (path, sizeof path, "%s/%s", fixtures, model);
  f.model = checkpoint_open (path, false, &status);
  f.map = f.model ? adapter_map_new (f.model->weights, &f.model->config, &status) : NULL;
  snprintf (path, sizeof path, "%s/%s", fixtures, folder);
  add_seeds (&f, path);
  if (!f.map || !f.n_seeds)
    printf ("no seeds: %s\n", status.message);
  bool ok = f.map && f.n_seeds && run_all (&f, options.runs);
  for (size_t i = 0; i < f.n_seeds; i++)
    free (f.seeds[i].data);
  adapter_map_free (f.map);
  checkpoint_free (f.model);
  return ok;
}

int
main (int argc, char **argv)
{
  FuzzOptions options;
  const char *fixtures = argc > 1 ? argv[argc - 1] : "";
  if (fuzz_options (&options, argc > 1 ? argc - 1 : argc, argv) != 0)
    return 2;
  bool sd = fuzz_model (fixtures, "sd15-tiny-ldm.safetensors", "adapters", options);
  bool flux = fuzz_model (fixtures, "flux-tiny", "adapters/flux", options);
  return sd && flux ? 0 : 1;
}
