/* SPDX-License-Identifier: MPL-2.0
 * fake-driver.c - a libcuda.so.1 that answers what the environment says.
 *
 * FAKE_CUDA_VERSION (13000), FAKE_CUDA_INIT (the result of cuInit),
 * FAKE_CUDA_CARDS ("8.9 12.0": capabilities), FAKE_CUDA_SICK (the result of
 * every question about a card).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__ ((visibility ("default")))

static int
number (const char *name, int otherwise)
{
  const char *text = getenv (name);
  return text && *text ? atoi (text) : otherwise;
}

/* The @i-th capability; 0 when there are fewer cards. */
static int
capability (int i)
{
  const char *text = getenv ("FAKE_CUDA_CARDS");
  int major, minor, n_read;
  for (; text && sscanf (text, "%d.%d%n", &major, &minor, &n_read) == 2; text += n_read)
    if (i-- == 0)
      return major * 10 + minor;
  return 0;
}

int cuInit (unsigned flags);
int cuDriverGetVersion (int *version);
int cuGetErrorString (int error, const char **text);
int cuDeviceGetCount (int *n);
int cuDeviceGet (int *device, int i);
int cuDeviceGetName (char *name, int size, int device);
int cuDeviceGetAttribute (int *value, int attribute, int device);
int cuDeviceTotalMem_v2 (size_t *size_bytes, int device);

EXPORT int
cuInit (unsigned flags)
{
  return number ("FAKE_CUDA_INIT", 0);
}

EXPORT int
cuDriverGetVersion (int *version)
{
  *version = number ("FAKE_CUDA_VERSION", 13000);
  return 0;
}

EXPORT int
cuGetErrorString (int error, const char **text)
{
  *text = "a fault that the test wants";
  return 0;
}

EXPORT int
cuDeviceGetCount (int *n)
{
  for (*n = 0; capability (*n);)
    ++*n;
  return 0;
}

EXPORT int
cuDeviceGet (int *device, int i)
{
  *device = i;
  return 0;
}

EXPORT int
cuDeviceGetName (char *name, int size, int device)
{
  snprintf (name, (size_t) size, "Test Card %d", device);
  return number ("FAKE_CUDA_SICK", 0);
}

EXPORT int
cuDeviceGetAttribute (int *value, int attribute, int device)
{
  *value = attribute == 75 ? capability (device) / 10 : capability (device) % 10;
  return 0;
}

EXPORT int
cuDeviceTotalMem_v2 (size_t *size_bytes, int device)
{
  *size_bytes = (size_t) 24 << 30;
  return 0;
}
