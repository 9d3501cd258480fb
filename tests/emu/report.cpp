// SPDX-License-Identifier: MPL-2.0
// report.cpp - one line for each kind of fault at each line of a kernel; the sites a test disables.
#include <dlfcn.h>
#include <set>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum
{
  MAX_PRINTED = 12,
  TEXT_BYTES = 600
};

static std::set<std::pair<int, uintptr_t>> seen;
static std::set<std::pair<int, std::string>> lines;
static unsigned kinds;
static std::string first;

static uintptr_t
image_base ()
{
  static uintptr_t base;
  Dl_info info;
  if (!base && dladdr ((void *) &machine, &info))
    base = (uintptr_t) info.dli_fbase;
  return base;
}

uint32_t
report_short_pc (uintptr_t pc)
{
  return (uint32_t) (pc - image_base ());
}

// The innermost line that is not a wrapper's.
static std::string
ask_addr2line (uintptr_t pc)
{
  Dl_info info;
  char line[512] = "";
  if (!dladdr ((void *) pc, &info) || !info.dli_fname)
    return "?";
  snprintf (line, sizeof line,
            "addr2line -s -i -e %s %#lx 2>/dev/null | grep -v '^wrappers.h' | head -1",
            info.dli_fname, (unsigned long) (pc - (uintptr_t) info.dli_fbase - 1));
  FILE *pipe = popen (line, "r");
  std::string text = pipe && fgets (line, sizeof line, pipe) ? line : "?";
  if (pipe)
    pclose (pipe);
  return text.substr (0, text.find_first_of (" \n"));
}

std::string
report_line (uintptr_t pc)
{
  static std::map<uintptr_t, std::string> known;
  if (pc && pc < UINT32_MAX)
    pc += image_base ();
  auto found = known.find (pc);
  if (found == known.end ())
    found = known.insert ({ pc, pc ? ask_addr2line (pc) : "?" }).first;
  return found->second;
}

bool
report_is_new (EmuReport kind, uintptr_t pc)
{
  kinds |= kind;
  return seen.insert ({ kind, pc }).second;
}

void
report_add (EmuReport kind, uintptr_t pc, const char *format, ...)
{
  char message[TEXT_BYTES], text[2 * TEXT_BYTES];
  if (emu_options.quiet && !first.empty ())
    return;
  std::string where = report_line (pc);
  if (!lines.insert ({ kind, where }).second)
    return;
  va_list arguments;
  va_start (arguments, format);
  vsnprintf (message, sizeof message, format, arguments);
  va_end (arguments);
  snprintf (text, sizeof text, "%s block (%u, %u, %u) thread %u at %s: %s", machine.launch->name,
            machine.block_x, machine.block_y, machine.block_z, current ? current->thread : 0,
            where.c_str (), message);
  if (first.empty ())
    first = text;
  if (!emu_options.quiet && lines.size () <= MAX_PRINTED)
    printf ("# emulator: %s\n", text);
}

extern "C" unsigned
emu_take_reports (void)
{
  unsigned taken = kinds;
  kinds = 0;
  seen.clear ();
  lines.clear ();
  return taken;
}

extern "C" const char *
emu_first_report (void)
{
  static std::string shown;
  shown = first;
  first.clear ();
  return shown.c_str ();
}

// --- sites ---

extern "C" bool emu_sites_watched;
bool emu_sites_watched;
static bool recording;
static std::vector<EmuSite> sites;
static EmuSite disabled;

// Each source has words of its own for what several of them include, mostly the same ones.
static bool
is_same (const char *a, const char *b)
{
  return a == b || strcmp (a, b) == 0;
}

static bool
is_site (const EmuSite &s, const char *kind, const char *file, int line)
{
  return s.line == line && s.kind && is_same (s.kind, kind) && is_same (s.file, file);
}

extern "C" bool
emu_site_runs (const char *kind, const char *file, int line)
{
  if (disabled.line == line && is_site (disabled, kind, file, line))
    return false;
  if (!recording)
    return true;
  for (const EmuSite &s : sites)
    if (is_site (s, kind, file, line))
      return true;
  sites.push_back ({ kind, file, line });
  return true;
}

extern "C" void
emu_record_sites (bool on)
{
  recording = on;
  if (!on)
    sites.clear ();
  emu_sites_watched = recording || disabled.line;
}

extern "C" int
emu_site_count (void)
{
  return (int) sites.size ();
}

extern "C" const EmuSite *
emu_site (int i)
{
  return &sites[(size_t) i];
}

extern "C" void
emu_disable_site (const EmuSite *site)
{
  disabled = site ? *site : EmuSite{};
  emu_sites_watched = recording || disabled.line;
}

extern "C" void
emu_check (int on)
{
  emu_options.check = emu_options.quiet = on;
}
