/* SPDX-License-Identifier: MPL-2.0 */
#include "bench/lora.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const UnetConfig bench_sdxl = {
  .in_channels = 4,
  .out_channels = 4,
  .n_levels = 3,
  .channels = { 320, 640, 1280 },
  .res_blocks = { 2, 2, 2 },
  .depth_down = { 0, 2, 10 },
  .depth_up = { 10, 2, 0 },
  .depth_mid = 10,
  .heads = { 5, 10, 20 },
  .context_dim = 2048,
  .time_dim = 1280,
  .norm_groups = 32,
  .adm_dim = 2816,
  .adm_time_dim = 256,
  .linear_projection = true,
};

/* The layers of the blocks: attention and what follows it. */
static bool
is_adapted (const Weight *w)
{
  return w->rank == 2 && strstr (w->name, ".weight") && !strstr (w->name, "norm") &&
         (strstr (w->name, "attentions") || strstr (w->name, "transformer_blocks"));
}

int
bench_write_lora (const WeightSet *set, const char *path, int rank)
{
  char *text = NULL;
  size_t size = 0;
  FILE *header = open_memstream (&text, &size);
  uint64_t at = 0;
  int n = 0;
  fputc ('{', header);
  for (int i = 0; i < weights_count (set); i++)
    {
      const Weight *w = weights_at (set, i);
      if (!is_adapted (w))
        continue;
      int length = (int) strlen (w->name) - (int) sizeof ".weight" + 1;
      for (int up = 0; up < 2; up++)
        {
          int64_t a = up ? w->ne[0] : rank, b = up ? rank : w->ne[1];
          uint64_t end = at + (uint64_t) (2 * a * b);
          fprintf (header,
                   "%s\"%.*s.lora_%s.weight\":{\"dtype\":\"F16\",\"shape\":[%lld,%lld],"
                   "\"data_offsets\":[%llu,%llu]}",
                   n || up ? "," : "", length, w->name, up ? "B" : "A", (long long) a,
                   (long long) b, (unsigned long long) at, (unsigned long long) end);
          at = end;
        }
      n++;
    }
  fputc ('}', header);
  fclose (header);
  FILE *f = fopen (path, "wb");
  uint64_t length = size;
  if (!f || fwrite (&length, 1, sizeof length, f) != sizeof length ||
      fwrite (text, 1, size, f) != size || fflush (f) != 0 ||
      ftruncate (fileno (f), (off_t) (sizeof length + size + at)) != 0)
    exit (EXIT_FAILURE);
  fclose (f);
  free (text);
  return n;
}
