/* SPDX-License-Identifier: MPL-2.0
 * emu.h - what a test sees of the emulator: memory, options, reports, disabled lines.
 *
 * A kernel's .cu file is compiled by the host's C++ compiler against wrappers.h and runs here, one
 * fiber a CUDA thread, one block at a time, in one OS thread.  Every load and store of the kernel
 * is seen (it is compiled with -fsanitize=thread, whose callbacks hooks.cpp defines), so races,
 * missing waits, accesses out of bounds and reads of memory that nothing wrote are reported by
 * source line.  Nothing of this is in the program that ships.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#  define EMU_C_BEGIN                                                                              \
    extern "C"                                                                                     \
    {
#  define EMU_C_END }
#else
#  define EMU_C_BEGIN
#  define EMU_C_END
#endif

EMU_C_BEGIN

typedef enum
{
  EMU_RACE = 1 << 0,   /* shared memory: two threads, nothing orders them */
  EMU_UNINIT = 1 << 1, /* read before anything was written there */
  EMU_ASYNC = 1 << 2,  /* touched while a copy or a product in flight still uses it */
  EMU_BOUNDS = 1 << 3,
  EMU_ALIGN = 1 << 4,
  EMU_STUCK = 1 << 5,  /* deadlock, or lanes of a warp at different collectives */
  EMU_BLOCKS = 1 << 6, /* global memory: a block depends on another of the same launch */
  EMU_LEAK = 1 << 7,   /* a thread ends with copies that it never waited for */
  EMU_LIMIT = 1 << 8   /* the launch asks for more than the architecture has */
} EmuReport;

/* When asynchronous copies land: at the wait (the default: a missing wait shows), at once, or
 * either. */
typedef enum
{
  EMU_COPIES_LATE,
  EMU_COPIES_EARLY,
  EMU_COPIES_RANDOM
} EmuCopies;

typedef struct
{
  bool check;       /* false: compute only, three times as fast */
  uint32_t seed;    /* 0: lanes in order; else lanes and warps take turns at random */
  EmuCopies copies; /* cp.async; TMA and wgmma always take their time */
  bool quiet;       /* reports are counted, not printed */
} EmuOptions;

extern EmuOptions emu_options;

typedef struct
{
  uint64_t n_mma, n_ldmatrix, n_bank_conflicts, n_copies, n_switches, n_barriers, n_wgmma, n_tma;
} EmuCounts;

extern EmuCounts emu_counts;

/* emu_alloc:
 * @name: for reports; borrowed
 * @granule_bytes: 2, or 1 where neighbouring blocks write neighbouring bytes
 * @initialised: false: reading it before a kernel wrote it is reported
 *
 * Global memory for kernels: filled with 0xff (a NaN in every float format), 256-byte aligned, an
 * unreadable page right behind it.  Returns: freed by emu_free
 */
void *emu_alloc (size_t size_bytes, const char *name, int granule_bytes, bool initialised);
void emu_free (void *p);
/* Back to what emu_alloc gave (@initial NULL), or to these bytes, written by the host. */
void emu_reset (void *p, const void *initial);

/* Memory that somebody else has made and unmakes, which nothing has written yet, as part of what
 * kernels may use; and bytes of it that did not come from a kernel. */
void emu_adopt (void *p, size_t size_bytes, const char *name);
void emu_abandon (void *p);
void emu_host_wrote (void *p, size_t size_bytes);

/* Sets emu_options.check and quiet, from programs that do not see them; before the first launch. */
void emu_check (int on);

/* Called before each launch (1), whose error it may answer in its place (-1: none, and nothing
 * runs), and after it (0). */
void emu_set_around (int (*around) (int begins));

/* From begin to end launches are kept with their arguments instead of run; then run together, as
 * often as wanted.  As a stream that is captured. */
typedef struct EmuRecord EmuRecord;
void emu_record_begin (void);
EmuRecord *emu_record_end (void);
int emu_record_run (const EmuRecord *record);
void emu_record_free (EmuRecord *record);

/* Fills a GkTensorMap (wrappers.h; less than 256 bytes) with a swizzle of 128 bytes.  Strides in
 * elements, of dimensions 1 and up. */
bool emu_tensor_map (void *map,
                     int element_bytes,
                     const void *base,
                     int rank,
                     const int64_t *dims,
                     const int64_t *strides,
                     const int *box);

/* The same for loads of pixels under a tap (im2col): columns of @n_pixels with @n_channels each.
 * Pixels begin in a box: from @lower, on each line and from line to line by @step, to @upper beyond
 * the last one (x, then y).  @dims: channels, width, height, pictures. */
bool emu_pixel_map (void *map,
                    const void *base,
                    const int64_t *dims,
                    const int *lower,
                    const int *upper,
                    const int *step,
                    int n_channels,
                    int n_pixels);

/* The kinds reported since the last call, and the text of the first ("" when there is none). */
unsigned emu_take_reports (void);
const char *emu_first_report (void);

/* A line of a kernel that orders or bounds something; a test disables it to see that the checks
 * notice. */
typedef struct
{
  const char *kind; /* "barrier", "copy wait", "bound", ... */
  const char *file;
  int line;
} EmuSite;

/* Collect the sites that run from now on; false also forgets those collected. */
void emu_record_sites (bool on);
int emu_site_count (void);
const EmuSite *emu_site (int i);
/* @site does nothing from now on (a bound is always kept); NULL: all do. */
void emu_disable_site (const EmuSite *site);

EMU_C_END
