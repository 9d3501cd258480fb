/* SPDX-License-Identifier: MPL-2.0
 * fake-memory.c - the rest of the fake driver: contexts, streams, and memory in pages.
 *
 * The card's memory is private copies of a file without a name that has every bit set, a NaN in
 * every format: what was never written costs nothing.  Between calls all of it is unreadable, so
 * that a program that takes the card's addresses for its own stops at once.  Streams do their work
 * when it is queued.  Linked with the emulator, kernels run on this memory.
 *
 * FAKE_CUDA_CHECK: the emulator checks, too.  FAKE_CUDA_MEMORY (24 GiB), FAKE_CUDA_PAGE (65536
 * bytes), FAKE_CUDA_FAIL_AT (number of a call, from 1) and FAKE_CUDA_ERROR (700), FAKE_CUDA_TIMES
 * (kernel_ms and library_ms, "0 0"); with FAKE_CUDA_REPORT the counts go to stderr at the end.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake-driver.h"

#define EXPORT __attribute__ ((visibility ("default")))

enum
{
  OK = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  ILLEGAL_ADDRESS = 700,
  MAX_RANGES = 4096,
  MAX_PAGES = 1 << 16,
  HEAD_BYTES = 4096, /* before memory of the host: its size */
  EVENT_TIMES = 1 << 16
};

static const size_t ADDRESSES = (size_t) 1 << 40;
static const size_t FRESH_BYTES =
    8 << 20; /* a multiple of a page; neighbours' mappings join within it */

typedef struct
{
  char *from;
  size_t size_bytes;
} Range;

static FakeCuda fake;
static char *space; /* all addresses that the card has */
static size_t space_used;
static int fresh = -1; /* the file */
static bool page_used[MAX_PAGES];
static Range mapped[MAX_RANGES];
static int n_mapped;
static void *captured;              /* a stream */
static float event_ms[EVENT_TIMES]; /* by the last bits of the event's number */
static int64_t event_launches[EVENT_TIMES], all_launches, done_launches;

/* The emulator, when it is there. */
__attribute__ ((weak)) void emu_adopt (void *p, size_t size_bytes, const char *name);
__attribute__ ((weak)) void emu_abandon (void *p);
__attribute__ ((weak)) void emu_host_wrote (void *p, size_t size_bytes);
__attribute__ ((weak)) void emu_set_around (int (*around) (int begins));
__attribute__ ((weak)) void emu_check (int on);
__attribute__ ((weak)) bool emu_tensor_map (void *map,
                                            int element_bytes,
                                            const void *base,
                                            int rank,
                                            const int64_t *dims,
                                            const int64_t *strides,
                                            const int *box);
__attribute__ ((weak)) bool emu_pixel_map (void *map,
                                           const void *base,
                                           const int64_t *dims,
                                           const int *lower,
                                           const int *upper,
                                           const int *step,
                                           int n_channels,
                                           int n_pixels);
__attribute__ ((weak)) void emu_record_begin (void);
__attribute__ ((weak)) void *emu_record_end (void);
__attribute__ ((weak)) int emu_record_run (const void *record);
__attribute__ ((weak)) void emu_record_free (void *record);
__attribute__ ((weak)) const char *emu_first_report (void);
__attribute__ ((weak)) unsigned emu_take_reports (void);

static size_t
setting (const char *name, size_t otherwise)
{
  const char *text = getenv (name);
  return text && *text ? strtoull (text, NULL, 10) : otherwise;
}

static void
report (void)
{
  fprintf (stderr,
           "fake driver: %lld calls, %lld launches, most %zu KiB; left: %d contexts, %d streams, "
           "%d events, %d "
           "pages, %d ranges, %d mapped, %d host, %d misuses\n",
           (long long) fake.n_calls, (long long) fake.n_launches, fake.most_used_bytes >> 10,
           fake.n_contexts, fake.n_streams, fake.n_events, fake.n_pages, fake.n_ranges,
           fake.n_mapped, fake.n_host, fake.n_misuses);
}

static void
open_all (bool readable)
{
  for (int i = 0, next; i < n_mapped; i = next)
    {
      size_t size_bytes = 0;
      for (next = i; next < n_mapped && mapped[next].from == mapped[i].from + size_bytes; next++)
        size_bytes += mapped[next].size_bytes;
      mprotect (mapped[i].from, size_bytes, readable ? PROT_READ | PROT_WRITE : PROT_NONE);
    }
}

/* Only what a copy touches: to open all takes as long as there is memory. */
static void
open_some (uint64_t address, size_t size_bytes, bool readable)
{
  uint64_t from = address & ~(uint64_t) 4095;
  mprotect ((void *) (uintptr_t) from, address + size_bytes - from,
            readable ? PROT_READ | PROT_WRITE : PROT_NONE);
}

void
fake_open_memory (int readable)
{
  open_all (readable);
}

void
fake_wrote (void *p, size_t size_bytes)
{
  if (emu_host_wrote)
    emu_host_wrote (p, size_bytes);
}

static int
call (void)
{
  return ++fake.n_calls == fake.fail_at ? fake.error : OK;
}

static int
misuse (void)
{
  fake.n_misuses++;
  return INVALID_VALUE;
}

static int
around_launch (int begins)
{
  int error = begins ? call () : OK;
  fake.n_launches += begins != 0;
  fake.clock_ms += begins ? fake.kernel_ms : 0;
  all_launches += begins != 0;
  if (all_launches - done_launches > fake.most_ahead)
    fake.most_ahead = all_launches - done_launches;
  if (begins && fake.cancel && fake.n_launches == fake.cancel_at)
    atomic_store (fake.cancel, true);
  if (!error && fake.is_idle)
    return -1;
  if (!error)
    open_all (begins);
  return error;
}

static int
fresh_memory (void)
{
  int file = memfd_create ("fake-cuda", 0);
  char *all = NULL;
  if (file < 0 || ftruncate (file, (off_t) FRESH_BYTES) != 0 ||
      (all = mmap (NULL, FRESH_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)) == MAP_FAILED)
    abort (); /* a machine that cannot is no place for these tests */
  memset (all, 0xff, FRESH_BYTES);
  munmap (all, FRESH_BYTES);
  return file;
}

static void
start (void)
{
  fake.memory_bytes = setting ("FAKE_CUDA_MEMORY", (size_t) 24 << 30);
  fake.fail_at = (int64_t) setting ("FAKE_CUDA_FAIL_AT", 0);
  fake.error = (int) setting ("FAKE_CUDA_ERROR", ILLEGAL_ADDRESS);
  const char *times = getenv ("FAKE_CUDA_TIMES");
  if (times)
    sscanf (times, "%f %f", &fake.kernel_ms, &fake.library_ms);
  fresh = fresh_memory ();
  space = mmap (NULL, ADDRESSES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (emu_set_around)
    emu_set_around (around_launch);
  if (emu_check)
    emu_check (getenv ("FAKE_CUDA_CHECK") != NULL);
  if (getenv ("FAKE_CUDA_REPORT"))
    atexit (report);
}

FakeCuda *fake_cuda (void);

EXPORT FakeCuda *
fake_cuda (void)
{
  if (fresh < 0)
    start ();
  return &fake;
}

static size_t
page_bytes (void)
{
  return setting ("FAKE_CUDA_PAGE", 65536);
}

/* ---- contexts, streams, events: numbers ---- */

static int
new_thing (void **out, int *n_left)
{
  static uintptr_t last;
  int error = call ();
  if (error)
    return error;
  *out = (void *) ++last;
  ++*n_left;
  return OK;
}

/* Freeing is counted as a call that may fail, and frees all the same, as the driver does. */
static int
free_thing (void *thing, int *n_left)
{
  if (!thing || *n_left <= 0)
    return misuse ();
  --*n_left;
  return call ();
}

int cuDevicePrimaryCtxRetain (void **context, int device);
int cuDevicePrimaryCtxRelease_v2 (int device);
int cuCtxSetCurrent (void *context);
int cuMemGetInfo_v2 (size_t *free_bytes, size_t *total_bytes);
int cuStreamCreate (void **stream, unsigned flags);
int cuStreamDestroy_v2 (void *stream);
int cuStreamSynchronize (void *stream);
int cuStreamWaitEvent (void *stream, void *event, unsigned flags);
int cuStreamBeginCapture_v2 (void *stream, int mode);
int cuStreamEndCapture (void *stream, void **graph);
int cuGraphDestroy (void *graph);
int cuGraphInstantiateWithFlags (void **exec, void *graph, unsigned long long flags);
int cuGraphExecDestroy (void *exec);
int cuGraphLaunch (void *exec, void *stream);
int cuEventCreate (void **event, unsigned flags);
int cuEventDestroy_v2 (void *event);
int cuEventRecord (void *event, void *stream);
int cuEventSynchronize (void *event);
int cuEventElapsedTime (float *ms, void *from, void *to);
int cuMemGetAllocationGranularity (size_t *size_bytes, const void *memory, int option);
int cuMemCreate (uint64_t *page, size_t size_bytes, const void *memory, unsigned long long flags);
int cuMemRelease (uint64_t page);
int cuMemAddressReserve (uint64_t *address,
                         size_t size_bytes,
                         size_t alignment,
                         uint64_t hint,
                         unsigned long long flags);
int cuMemAddressFree (uint64_t address, size_t size_bytes);
int cuMemMap (
    uint64_t address, size_t size_bytes, size_t offset, uint64_t page, unsigned long long flags);
int cuMemUnmap (uint64_t address, size_t size_bytes);
int cuMemSetAccess (uint64_t address, size_t size_bytes, const void *access, size_t n);
int cuMemHostAlloc (void **memory, size_t size_bytes, unsigned flags);
int cuMemFreeHost (void *memory);
int cuTensorMapEncodeTiled (void *map,
                            int type,
                            uint32_t rank,
                            void *address,
                            const uint64_t *dims,
                            const uint64_t *stride_bytes,
                            const uint32_t *box,
                            const uint32_t *element_strides,
                            int interleave,
                            int swizzle,
                            int l2_promotion,
                            int fill);
int cuTensorMapEncodeIm2col (void *map,
                             int type,
                             uint32_t rank,
                             void *address,
                             const uint64_t *dims,
                             const uint64_t *stride_bytes,
                             const int *lower,
                             const int *upper,
                             uint32_t n_channels,
                             uint32_t n_pixels,
                             const uint32_t *element_strides,
                             int interleave,
                             int swizzle,
                             int l2_promotion,
                             int fill);
int cuMemcpyHtoDAsync_v2 (uint64_t to, const void *from, size_t size_bytes, void *stream);
int cuMemsetD8Async (uint64_t to, unsigned char value, size_t size_bytes, void *stream);
int cuMemcpyDtoHAsync_v2 (void *to, uint64_t from, size_t size_bytes, void *stream);

EXPORT int
cuDevicePrimaryCtxRetain (void **context, int device)
{
  fake_cuda ();
  return new_thing (context, &fake.n_contexts);
}

EXPORT int
cuDevicePrimaryCtxRelease_v2 (int device)
{
  return free_thing (&fake, &fake.n_contexts);
}

EXPORT int
cuCtxSetCurrent (void *context)
{
  return context ? call () : misuse ();
}

EXPORT int
cuMemGetInfo_v2 (size_t *free_bytes, size_t *total_bytes)
{
  *free_bytes = fake.memory_bytes - fake.used_bytes;
  *total_bytes = fake.memory_bytes;
  return call ();
}

EXPORT int
cuStreamCreate (void **stream, unsigned flags)
{
  return new_thing (stream, &fake.n_streams);
}

EXPORT int
cuStreamDestroy_v2 (void *stream)
{
  return free_thing (stream, &fake.n_streams);
}

/* What a kernel did wrong is told here, as on a card. */
EXPORT int
cuStreamSynchronize (void *stream)
{
  if (captured && captured == stream)
    return misuse ();
  done_launches = all_launches;
  int error = stream ? call () : misuse ();
  if (error || !emu_take_reports)
    return error;
  const char *text = emu_first_report ();
  if (!emu_take_reports ())
    return OK;
  fprintf (stderr, "emulator: %s\n", text);
  return ILLEGAL_ADDRESS;
}

EXPORT int
cuStreamWaitEvent (void *stream, void *event, unsigned flags)
{
  return stream && event && stream != captured ? call () : misuse ();
}

/* ---- graphs: what the emulator has recorded; an instance is a reference to it ---- */

typedef struct
{
  void *record;
  int n_references;
} Graph;

static bool
is_captured (const void *stream)
{
  return captured && captured == stream;
}

EXPORT int
cuStreamBeginCapture_v2 (void *stream, int mode)
{
  int error = stream && !captured && emu_record_begin ? call () : misuse ();
  if (error)
    return error;
  captured = stream;
  emu_record_begin ();
  return OK;
}

static void
release (Graph *g)
{
  if (--g->n_references)
    return;
  emu_record_free (g->record);
  free (g);
}

/* A capture that fails is over, too. */
EXPORT int
cuStreamEndCapture (void *stream, void **graph)
{
  if (!is_captured (stream))
    return misuse ();
  Graph *g = malloc (sizeof *g);
  *g = (Graph){ emu_record_end (), 1 };
  captured = NULL;
  int error = call ();
  if (error)
    release (g);
  else
    *graph = g;
  fake.n_graphs += !error;
  return error;
}

EXPORT int
cuGraphDestroy (void *graph)
{
  fake.n_graphs--;
  release (graph);
  return call ();
}

EXPORT int
cuGraphInstantiateWithFlags (void **exec, void *graph, unsigned long long flags)
{
  int error = call ();
  if (error)
    return error;
  ((Graph *) graph)->n_references++;
  fake.n_graphs++;
  *exec = graph;
  return OK;
}

EXPORT int
cuGraphExecDestroy (void *exec)
{
  return cuGraphDestroy (exec);
}

EXPORT int
cuGraphLaunch (void *exec, void *stream)
{
  int error = stream && !captured ? call () : misuse ();
  fake.n_graph_launches++;
  return error ? error : emu_record_run (((const Graph *) exec)->record);
}

EXPORT int
cuEventCreate (void **event, unsigned flags)
{
  return new_thing (event, &fake.n_events);
}

EXPORT int
cuEventDestroy_v2 (void *event)
{
  return free_thing (event, &fake.n_events);
}

EXPORT int
cuEventRecord (void *event, void *stream)
{
  if (!stream || !event || stream == captured)
    return misuse ();
  event_ms[(uintptr_t) event % EVENT_TIMES] = fake.clock_ms;
  event_launches[(uintptr_t) event % EVENT_TIMES] = all_launches;
  return call ();
}

EXPORT int
cuEventElapsedTime (float *ms, void *from, void *to)
{
  *ms = event_ms[(uintptr_t) to % EVENT_TIMES] - event_ms[(uintptr_t) from % EVENT_TIMES];
  return from && to ? call () : misuse ();
}

EXPORT int
cuEventSynchronize (void *event)
{
  int64_t n = event_launches[(uintptr_t) event % EVENT_TIMES];
  done_launches = n > done_launches ? n : done_launches;
  return event ? call () : misuse ();
}

/* ---- memory ---- */

EXPORT int
cuMemGetAllocationGranularity (size_t *size_bytes, const void *memory, int option)
{
  *size_bytes = page_bytes ();
  return call ();
}

EXPORT int
cuMemCreate (uint64_t *page, size_t size_bytes, const void *memory, unsigned long long flags)
{
  int error = call (), i = 0;
  if (error)
    return error;
  while (i < MAX_PAGES && page_used[i])
    i++;
  if (size_bytes != page_bytes ())
    return misuse ();
  if (fake.used_bytes + size_bytes > fake.memory_bytes || i == MAX_PAGES)
    return OUT_OF_MEMORY;
  page_used[i] = true;
  *page = (uint64_t) i + 1;
  fake.n_pages++;
  fake.used_bytes += size_bytes;
  if (fake.used_bytes > fake.most_used_bytes)
    fake.most_used_bytes = fake.used_bytes;
  return OK;
}

EXPORT int
cuMemRelease (uint64_t page)
{
  if (page < 1 || page > MAX_PAGES || !page_used[page - 1])
    return misuse ();
  page_used[page - 1] = false;
  fake.n_pages--;
  fake.used_bytes -= page_bytes ();
  return call ();
}

/* Addresses are used once: what points to freed ones finds nothing there. */
EXPORT int
cuMemAddressReserve (
    uint64_t *address, size_t size_bytes, size_t alignment, uint64_t hint, unsigned long long flags)
{
  int error = call ();
  if (error)
    return error;
  if (size_bytes % page_bytes () || space_used + size_bytes + page_bytes () > ADDRESSES)
    return misuse ();
  *address = (uint64_t) (uintptr_t) (space + space_used);
  space_used += size_bytes + page_bytes (); /* one that is never there */
  fake.n_ranges++;
  return OK;
}

EXPORT int
cuMemAddressFree (uint64_t address, size_t size_bytes)
{
  fake.n_ranges--;
  return call ();
}

EXPORT int
cuMemMap (
    uint64_t address, size_t size_bytes, size_t offset, uint64_t page, unsigned long long flags)
{
  int error = call ();
  char *from = (char *) (uintptr_t) address;
  if (error)
    return error;
  if (page < 1 || page > MAX_PAGES || !page_used[page - 1] || n_mapped == MAX_RANGES)
    return misuse ();
  if (mmap (from, size_bytes, PROT_NONE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fresh,
            (from - space) % (off_t) FRESH_BYTES) == MAP_FAILED)
    return OUT_OF_MEMORY;
  mapped[n_mapped++] = (Range){ from, size_bytes };
  fake.n_mapped++;
  return OK;
}

static void
unmap_one (int i)
{
  mmap (mapped[i].from, mapped[i].size_bytes, PROT_NONE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  mapped[i] = mapped[--n_mapped];
  fake.n_mapped--;
}

EXPORT int
cuMemUnmap (uint64_t address, size_t size_bytes)
{
  char *from = (char *) (uintptr_t) address;
  if (emu_abandon)
    emu_abandon (from);
  for (int i = n_mapped - 1; i >= 0; i--)
    if (mapped[i].from >= from && mapped[i].from < from + size_bytes)
      unmap_one (i);
  return call ();
}

/* A block is whole now. */
EXPORT int
cuMemSetAccess (uint64_t address, size_t size_bytes, const void *access, size_t n)
{
  char *from = (char *) (uintptr_t) address;
  int error = call ();
  if (error)
    return error;
  if (emu_adopt)
    emu_adopt (from, size_bytes, "the card's memory");
  return OK;
}

/* Most of it is never touched: malloc would fill it, where MALLOC_PERTURB_ is set. */
EXPORT int
cuMemHostAlloc (void **memory, size_t size_bytes, unsigned flags)
{
  int error = call ();
  if (error)
    return error;
  size_t *head = mmap (NULL, HEAD_BYTES + size_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (head == MAP_FAILED)
    return OUT_OF_MEMORY;
  *head = HEAD_BYTES + size_bytes;
  *memory = (char *) head + HEAD_BYTES;
  fake.n_host++;
  return OK;
}

EXPORT int
cuMemFreeHost (void *memory)
{
  if (!memory)
    return misuse ();
  size_t *head = (size_t *) ((char *) memory - HEAD_BYTES);
  munmap (head, *head);
  fake.n_host--;
  return call ();
}

/* Whether pages are under all of it. */
static bool
is_mapped (uint64_t address, size_t size_bytes)
{
  char *at = (char *) (uintptr_t) address, *end = at + size_bytes;
  for (bool found = true; at < end && found;)
    {
      found = false;
      for (int i = 0; i < n_mapped && !found; i++)
        if (at >= mapped[i].from && at < mapped[i].from + mapped[i].size_bytes)
          {
            at = mapped[i].from + mapped[i].size_bytes;
            found = true;
          }
      if (!found)
        return false;
    }
  return true;
}

/* What the driver refuses, too: cuTensorMapEncodeTiled in the CUDA driver API. */
static bool
is_tiled (const void *address, uint32_t rank, const uint64_t *stride_bytes, const uint32_t *box)
{
  enum
  {
    ALIGNMENT = 16,
    MOST_RANK = 5,
    MOST_BOX = 256
  };
  bool ok = rank >= 1 && rank <= MOST_RANK && (uintptr_t) address % ALIGNMENT == 0;
  for (uint32_t i = 0; ok && i < rank; i++)
    ok = box[i] >= 1 && box[i] <= MOST_BOX && (i + 1 >= rank || stride_bytes[i] % ALIGNMENT == 0);
  return ok;
}

enum
{
  MAP_U8 = 0,
  MAP_F16 = 6,
  MAP_BF16 = 9,
  MAP_SWIZZLE_128B = 3
};

/* Of what the driver takes. */
static bool
is_emulated (int type, int swizzle)
{
  return (type == MAP_F16 || type == MAP_BF16) && swizzle == MAP_SWIZZLE_128B;
}

EXPORT int
cuTensorMapEncodeTiled (void *map,
                        int type,
                        uint32_t rank,
                        void *address,
                        const uint64_t *dims,
                        const uint64_t *stride_bytes,
                        const uint32_t *box,
                        const uint32_t *element_strides,
                        int interleave,
                        int swizzle,
                        int l2_promotion,
                        int fill)
{
  size_t element_bytes = type == MAP_U8 ? 1 : sizeof (uint16_t);
  int64_t sizes[5], strides[5];
  int boxes[5], error = call ();
  if (error)
    return error;
  if (!is_tiled (address, rank, stride_bytes, box) ||
      !is_emulated (type == MAP_U8 ? MAP_F16 : type, swizzle) || interleave || fill)
    return misuse ();
  for (uint32_t i = 0; i < rank; i++)
    {
      sizes[i] = (int64_t) dims[i];
      boxes[i] = (int) box[i];
      strides[i] = i + 1 < rank ? (int64_t) (stride_bytes[i] / element_bytes) : 0;
    }
  fake.n_tensor_maps++;
  return emu_tensor_map && emu_tensor_map (map, (int) element_bytes, address, (int) rank, sizes,
                                           strides, boxes)
             ? OK
             : INVALID_VALUE;
}

EXPORT int
cuTensorMapEncodeIm2col (void *map,
                         int type,
                         uint32_t rank,
                         void *address,
                         const uint64_t *dims,
                         const uint64_t *stride_bytes,
                         const int *lower,
                         const int *upper,
                         uint32_t n_channels,
                         uint32_t n_pixels,
                         const uint32_t *element_strides,
                         int interleave,
                         int swizzle,
                         int l2_promotion,
                         int fill)
{
  enum
  {
    RANK = 4,
    FARTHEST = 128, /* a corner from the picture's */
    MOST_CHANNELS = 256,
    MOST_PIXELS = 1024
  };
  int64_t sizes[RANK];
  const int steps[] = { (int) element_strides[1], (int) element_strides[2] };
  const uint32_t box[RANK] = { n_channels, 1, 1, 1 };
  int error = call ();
  if (error)
    return error;
  bool near = true;
  for (int i = 0; i < 2; i++)
    near = near && lower[i] >= -FARTHEST && lower[i] < FARTHEST && upper[i] >= -FARTHEST &&
           upper[i] < FARTHEST;
  if (rank != RANK || !is_tiled (address, rank, stride_bytes, box) ||
      !is_emulated (type, swizzle) || interleave || fill || !near || n_channels > MOST_CHANNELS ||
      n_pixels > MOST_PIXELS)
    return misuse ();
  for (int i = 0; i < RANK; i++)
    sizes[i] = (int64_t) dims[i];
  fake.n_tensor_maps++;
  return emu_pixel_map && emu_pixel_map (map, address, sizes, lower, upper, steps, (int) n_channels,
                                         (int) n_pixels)
             ? OK
             : INVALID_VALUE;
}

EXPORT int
cuMemcpyHtoDAsync_v2 (uint64_t to, const void *from, size_t size_bytes, void *stream)
{
  int error = captured && captured == stream ? misuse () : call ();
  if (error)
    return error;
  if (!is_mapped (to, size_bytes))
    return misuse ();
  open_some (to, size_bytes, true);
  memcpy ((void *) (uintptr_t) to, from, size_bytes);
  fake.copied_bytes += size_bytes;
  open_some (to, size_bytes, false);
  if (emu_host_wrote)
    emu_host_wrote ((void *) (uintptr_t) to, size_bytes);
  return OK;
}

EXPORT int
cuMemsetD8Async (uint64_t to, unsigned char value, size_t size_bytes, void *stream)
{
  int error = captured && captured == stream ? misuse () : call ();
  if (error)
    return error;
  if (!is_mapped (to, size_bytes))
    return misuse ();
  open_some (to, size_bytes, true);
  memset ((void *) (uintptr_t) to, value, size_bytes);
  open_some (to, size_bytes, false);
  if (emu_host_wrote)
    emu_host_wrote ((void *) (uintptr_t) to, size_bytes);
  return OK;
}

EXPORT int
cuMemcpyDtoHAsync_v2 (void *to, uint64_t from, size_t size_bytes, void *stream)
{
  int error = captured && captured == stream ? misuse () : call ();
  if (error)
    return error;
  if (!is_mapped (from, size_bytes))
    return misuse ();
  open_some (from, size_bytes, true);
  memcpy (to, (const void *) (uintptr_t) from, size_bytes);
  open_some (from, size_bytes, false);
  return OK;
}
