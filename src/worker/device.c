/* SPDX-License-Identifier: MPL-2.0 */
#define _GNU_SOURCE
#include "worker/device.h"

#include <sched.h>
#include <string.h>

/* Processors' names are full of what nobody needs to read. */
static char *
plain_name (const char *text)
{
  static const char *const noise[] = { "(R)", "(TM)", "(tm)", " CPU", " Processor" };
  g_autoptr (GString) name = g_string_new (text);
  for (gsize i = 0; i < G_N_ELEMENTS (noise); i++)
    g_string_replace (name, noise[i], "", 0);
  char *at = strstr (name->str, " @ ");
  if (at)
    g_string_truncate (name, (gsize) (at - name->str));
  return g_strstrip (g_string_free (g_steal_pointer (&name), FALSE));
}

static char *
processor_name (void)
{
  g_autofree char *info = NULL;
  static const char key[] = "model name";
  if (!g_file_get_contents ("/proc/cpuinfo", &info, NULL, NULL))
    return g_strdup ("CPU");
  const char *line = strstr (info, key), *colon = line ? strchr (line, ':') : NULL;
  if (!colon)
    return g_strdup ("CPU");
  g_autofree char *value = g_strndup (colon + 1, strcspn (colon + 1, "\n"));
  return plain_name (value);
}

static const char *
level_name (const char *level)
{
  static const char *const names[][2] = { { "ref", "reference" },
                                          { "sse2", "SSE2" },
                                          { "avx2", "AVX2" },
                                          { "avx512", "AVX-512" },
                                          { "avx512bf16", "AVX-512 BF16" },
                                          { "amx", "AMX" } };
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_equal (level, names[i][0]))
      return names[i][1];
  return level;
}

static int
usable_processors (void)
{
  cpu_set_t set;
  return sched_getaffinity (0, sizeof set, &set) == 0 ? CPU_COUNT (&set) : 1;
}

char *
device_describe (const Backend *backend, int n_threads)
{
  if (g_str_equal (backend->name, "null"))
    return g_strdup (status_text ("No device: nothing is computed"));
  if (backend->device_name)
    return g_strdup_printf ("%s, %s", backend->device_name, backend->level);
  g_autofree char *processor = processor_name ();
  int n = n_threads > 0 ? n_threads : usable_processors ();
  return g_strdup_printf ("%s, %d %s, %s", processor, n,
                          n == 1 ? status_text ("thread") : status_text ("threads"),
                          level_name (backend->level));
}
