/* SPDX-License-Identifier: MPL-2.0
 * devices.c - `gesso-cli devices`: what can compute on this machine, and why
 * the rest cannot.
 */
#include <stdio.h>

#include "backend/backend.h"
#include "backend/cuda.h"
#include "cli/cli.h"

static void
print_problem (const char *kind, const Status *status, bool json)
{
  if (!json)
    {
      printf ("%-5s none: %s\n", kind, status->message);
      return;
    }
  printf ("{\"kind\": \"%s\", \"error\": ", kind);
  json_print_string (status->message);
  printf ("}\n");
}

static void
print_cpu (bool json)
{
  Status status = { 0 };
  Backend *b = backend_cpu_new (NULL, 0, &status);
  if (!b)
    print_problem ("cpu", &status, json);
  else if (json)
    printf ("{\"kind\": \"cpu\", \"level\": \"%s\"}\n", b->level);
  else
    printf ("%-5s level %s\n", "cpu", b->level);
  backend_free (b);
}

static void
print_cuda_device (const CudaDevice *d, bool json)
{
  if (!json)
    {
      printf ("%-5s %s, %.1f GiB, compute capability %d.%d\n", "cuda", d->name,
              (double) d->memory_bytes / (1 << 30), d->capability / 10, d->capability % 10);
      return;
    }
  printf ("{\"kind\": \"cuda\", \"name\": ");
  json_print_string (d->name);
  printf (", \"memory_bytes\": %lld, \"capability\": %d, \"usable\": true}\n",
          (long long) d->memory_bytes, d->capability);
}

static void
print_cuda (bool json)
{
  Status status = { 0 };
  const CudaModule *module = cuda_module_load (&status);
  int n = module ? module->count_devices (&status) : 0;
  if (n == 0)
    print_problem ("cuda", &status, json);
  for (int i = 0; i < n; i++)
    {
      CudaDevice device;
      status = (Status){ 0 };
      if (module->describe_device (i, &device, &status))
        print_cuda_device (&device, json);
      else
        print_problem ("cuda", &status, json);
    }
}

int
command_devices (Options *o)
{
  Status status = { 0 };
  if (o->n_operands > 0)
    {
      status_fail (&status, STATUS_ARGUMENT, "devices takes no names: %s", o->operands[0]);
      return cli_usage_error (&status);
    }
  print_cpu (o->json);
  print_cuda (o->json);
  return EXIT_DONE;
}
