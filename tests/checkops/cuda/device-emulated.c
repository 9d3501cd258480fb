/* SPDX-License-Identifier: MPL-2.0
 * device-emulated.c - the emulator as the machine that cases run on.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "emu.h"
#include "mutate.h"

enum
{
  MAX_SITES = 400,
  SITE_NAME_SIZE = 160
};

const char *
device_open (void)
{
  emu_options.quiet = true;
  return NULL;
}

const char *
device_name (void)
{
  return "the emulator";
}

void *
device_alloc (size_t size_bytes, const char *name, int granule_bytes)
{
  return emu_alloc (size_bytes, name, granule_bytes, false);
}

void
device_free (void *p)
{
  emu_free (p);
}

void
device_write (void *p, const void *initial, size_t size_bytes)
{
  emu_reset (p, initial);
}

void
device_read (void *host, const void *p, size_t size_bytes)
{
  memcpy (host, p, size_bytes);
}

bool
device_tensor_map (void *map,
                   int element_bytes,
                   const void *base,
                   int rank,
                   const int64_t *dims,
                   const int64_t *strides,
                   const int *box)
{
  return emu_tensor_map (map, element_bytes, base, rank, dims, strides, box);
}

bool
device_pixel_map (
    void *map, GkType type, const void *base, const int64_t *dims, const DevicePixels *p)
{
  return emu_pixel_map (map, base, dims, p->lower, p->upper, p->step, p->n_channels, p->n_pixels);
}

bool
device_has_capability (int capability)
{
  return true;
}

const char *
device_finish (void)
{
  const char *text = emu_first_report ();
  return emu_take_reports () ? text : NULL;
}

/* In order with late copies; at random with copies that land at once; all at random. */
int
device_schedule_count (void)
{
  return 3;
}

void
device_schedule (int i, uint32_t seed)
{
  static const EmuCopies copies[] = { EMU_COPIES_LATE, EMU_COPIES_EARLY, EMU_COPIES_RANDOM };
  emu_options.seed = i ? seed : 0;
  emu_options.copies = copies[i];
}

/* --- lines taken away --- */

typedef struct
{
  EmuSite site;
  bool passed, needed;
} Known;

static Known known[MAX_SITES];
static int n_known;

static Known *
find_known (const EmuSite *s)
{
  for (int i = 0; i < n_known; i++)
    if (known[i].site.line == s->line && !strcmp (known[i].site.file, s->file) &&
        !strcmp (known[i].site.kind, s->kind))
      return &known[i];
  if (n_known == MAX_SITES)
    return NULL;
  known[n_known].site = *s;
  return &known[n_known++];
}

void
mutate_record (bool on)
{
  if (!on)
    {
      for (int i = 0; i < n_known; i++)
        known[i].passed = false;
      for (int i = 0; i < emu_site_count (); i++)
        {
          Known *k = find_known (emu_site (i));
          if (k)
            k->passed = true;
        }
    }
  emu_record_sites (on);
}

bool
mutate_next (int *i)
{
  while (*i < n_known && (!known[*i].passed || known[*i].needed))
    ++*i;
  emu_disable_site (*i < n_known ? &known[*i].site : NULL);
  return *i < n_known;
}

void
mutate_was_needed (int i)
{
  known[i].needed = true;
}

const char *
mutate_site_name (int i)
{
  static char name[SITE_NAME_SIZE];
  const char *slash = strrchr (known[i].site.file, '/');
  snprintf (name, sizeof name, "the %s at %s:%d", known[i].site.kind,
            slash ? slash + 1 : known[i].site.file, known[i].site.line);
  return name;
}

int
mutate_report (void)
{
  int n_uncovered = 0;
  for (int i = 0; i < n_known; i++)
    if (!known[i].needed)
      {
        printf ("FAIL: no case notices when %s is gone\n", mutate_site_name (i));
        n_uncovered++;
      }
  printf ("%d lines taken away, %d of them noticed\n", n_known, n_known - n_uncovered);
  return n_uncovered;
}
