/* SPDX-License-Identifier: MPL-2.0 */
#define _GNU_SOURCE
#include "worker/device.h"

#include <sched.h>
#include <string.h>

#include "backend/cuda.h"

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

/* Tabs and ends of lines are what keeps the fields apart. */
static void
add_line (GString *list, const char *name, const char *text, guint64 memory_bytes)
{
  g_autofree char *title = g_utf8_make_valid (text, -1);
  g_string_append_printf (list, "%s\t%s\t%" G_GUINT64_FORMAT "\n", name,
                          g_strdelimit (title, "\t\r\n", ' '), memory_bytes);
}

static void
add_cards (GString *list)
{
  Status status = { 0 };
  const CudaModule *module = cuda_module_load (&status);
  int n = module ? module->count_devices (&status) : 0;
  if (n == 0)
    add_line (list, "", status.message, 0);
  for (int i = 0; i < n; i++)
    {
      CudaDevice card;
      status = (Status){ 0 };
      g_autofree char *name = g_strdup_printf ("cuda:%d", i);
      if (module->describe_device (i, &card, &status))
        add_line (list, name, card.name, (guint64) card.memory_bytes);
      else
        add_line (list, "", status.message, 0);
    }
}

static void
add_processor (GString *list)
{
  Status status = { 0 };
  Backend *backend = backend_cpu_new (NULL, 0, &status);
  g_autofree char *title = backend ? device_describe (backend, 0) : g_strdup (status.message);
  add_line (list, backend ? "cpu" : "", title, 0);
  backend_free (backend);
}

char *
device_dup_list (void)
{
  g_autoptr (GString) list = g_string_new (NULL);
  add_cards (list);
  add_processor (list);
  return g_strdup (list->str);
}
