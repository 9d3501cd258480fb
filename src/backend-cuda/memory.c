/* SPDX-License-Identifier: MPL-2.0
 * memory.c - the card's memory in pages that are put under addresses where they are needed.
 *
 * All pages have one size, so any free one serves any block and nothing is ever too scattered.
 * There are never more than max_pages, which is what --vram-limit means.  When another program has
 * taken memory meanwhile, the driver refuses a page: from then on max_pages is what there is, and
 * parameters make room.
 */
#include "core/mem.h"
#include "cuda.h"

static const size_t MIB = (size_t) 1 << 20;

enum
{
  /* What is left to other programs and to the driver's own needs when no limit is given. */
  RESERVE_MIB = 512,
  LEAST_PAGES = 8
};

static DriverMemory
memory_kind (const CudaBackend *b)
{
  return (DriverMemory){ .type = DRIVER_PINNED, .location = { DRIVER_ON_DEVICE, b->device } };
}

bool
cuda_memory_open (CudaBackend *b, int64_t limit_bytes, Status *status)
{
  DriverMemory kind = memory_kind (b);
  size_t free_bytes = 0, total_bytes = 0, reserve = RESERVE_MIB * MIB;
  int error = b->driver->page_size (&b->page_bytes, &kind, 0);
  error = error ? error : b->driver->memory_info (&free_bytes, &total_bytes);
  if (error || b->page_bytes == 0)
    return status_fail (status, STATUS_UNSUPPORTED,
                        "The NVIDIA card does not tell its memory (%s, error %d): restarting the "
                        "machine often helps.",
                        driver_error (b->driver, error), error);
  size_t usable = free_bytes > 2 * reserve ? free_bytes - reserve : free_bytes / 2;
  if (limit_bytes > 0 && (size_t) limit_bytes > free_bytes)
    return status_fail (status, STATUS_NO_MEMORY,
                        "The NVIDIA card has %.0f MiB free, not the %.0f that it may take: lower "
                        "the limit, or close programs that use the card.",
                        (double) free_bytes / (double) MIB, (double) limit_bytes / (double) MIB);
  b->max_pages = (limit_bytes > 0 ? (size_t) limit_bytes : usable) / b->page_bytes;
  if (b->max_pages < LEAST_PAGES)
    return status_fail (
        status, STATUS_NO_MEMORY,
        "The NVIDIA card may give %.0f MiB of memory, which is too little: raise the "
        "limit, or close programs that use the card.",
        (double) (b->max_pages * b->page_bytes) / (double) MIB);
  return true;
}

static void
free_page (CudaBackend *b, DriverPage page)
{
  b->driver->page_free (page);
  b->n_pages--;
}

void
cuda_memory_close (CudaBackend *b)
{
  for (int i = 0; i < MAX_ARENAS; i++)
    cuda_unmap (b, &b->arenas[i]);
  cuda_unmap (b, &b->scratch);
  cuda_narrow_close (b);
  while (b->n_free)
    free_page (b, b->free_pages[--b->n_free]);
  mem_free (b->free_pages);
}

bool
cuda_has_room (const CudaBackend *b, size_t size_bytes)
{
  return (size_bytes + b->page_bytes - 1) / b->page_bytes <= b->n_free + b->max_pages - b->n_pages;
}

/* A page that no block has; more of them as long as there may be. */
static bool
take_page (CudaBackend *b, DriverPage *page)
{
  DriverMemory kind = memory_kind (b);
  if (b->n_free)
    {
      *page = b->free_pages[--b->n_free];
      return true;
    }
  if (b->n_pages >= b->max_pages)
    return false;
  int error = b->driver->page_new (page, b->page_bytes, &kind, 0);
  if (error == DRIVER_OUT_OF_MEMORY)
    b->max_pages = b->n_pages;
  else
    cuda_works (b, error, STATUS_MARK ("it was asked for memory"));
  b->n_pages += error == DRIVER_OK;
  return error == DRIVER_OK;
}

static void
give_page (CudaBackend *b, DriverPage page)
{
  if (mem_grow (&b->free_pages, &b->free_capacity, b->n_free + 1, sizeof page, &(Status){ 0 }))
    b->free_pages[b->n_free++] = page;
  else
    free_page (b, page);
}

void
cuda_unmap (CudaBackend *b, CudaBlock *block)
{
  if (block->n_mapped)
    b->driver->unmap (block->address, block->n_mapped * b->page_bytes);
  for (size_t i = 0; i < block->n_mapped; i++)
    give_page (b, block->pages[i]);
  if (block->address)
    b->driver->unreserve (block->address, block->n_pages * b->page_bytes);
  mem_free (block->pages);
  *block = (CudaBlock){ 0 };
}

static bool
map_pages (CudaBackend *b, CudaBlock *block)
{
  const DriverAccess access = { { DRIVER_ON_DEVICE, b->device }, DRIVER_READ_WRITE };
  while (block->n_mapped < block->n_pages)
    {
      DriverPage page;
      if (!take_page (b, &page))
        {
          if (cuda_failed (b) || !cuda_weights_make_room (b))
            return false;
          continue;
        }
      int error = b->driver->map (block->address + block->n_mapped * b->page_bytes, b->page_bytes,
                                  0, page, 0);
      if (!cuda_works (b, error, STATUS_MARK ("memory was put in its place")))
        {
          give_page (b, page);
          return false;
        }
      block->pages[block->n_mapped++] = page;
    }
  return cuda_works (
      b, b->driver->set_access (block->address, block->n_pages * b->page_bytes, &access, 1),
      STATUS_MARK ("memory was put in its place"));
}

static bool
reserve (CudaBackend *b, CudaBlock *block, size_t size_bytes)
{
  block->n_pages = (size_bytes + b->page_bytes - 1) / b->page_bytes;
  block->pages = mem_calloc (block->n_pages, sizeof *block->pages);
  return block->pages &&
         cuda_works (b,
                     b->driver->reserve (&block->address, block->n_pages * b->page_bytes, 0, 0, 0),
                     STATUS_MARK ("addresses were reserved"));
}

bool
cuda_map (CudaBackend *b, CudaBlock *block, size_t size_bytes, Status *status)
{
  if (!cuda_failed (b) && reserve (b, block, size_bytes) && map_pages (b, block))
    return true;
  cuda_unmap (b, block);
  if (cuda_failed (b))
    return status_fail (status, b->status.code, "%s", b->status.message);
  return status_fail (status, STATUS_NO_MEMORY,
                      "The graphics card's memory is too small: %.0f MiB in one piece are needed "
                      "and it may give %.0f in all; choose a smaller size, raise the limit, or "
                      "let the CPU compute.",
                      (double) size_bytes / (double) MIB,
                      (double) (b->max_pages * b->page_bytes) / (double) MIB);
}

void *
cuda_scratch (CudaBackend *b, size_t size_bytes)
{
  if (size_bytes > b->scratch_bytes && !cuda_failed (b))
    {
      cuda_graph_moved (b);
      b->scratch_bytes = 0;
      cuda_works (b, b->driver->stream_wait (b->compute), STATUS_MARK ("it computed"));
      cuda_unmap (b, &b->scratch);
      if (cuda_map (b, &b->scratch, size_bytes, &b->status))
        b->scratch_bytes = size_bytes;
    }
  return cuda_failed (b) ? NULL : (void *) (uintptr_t) b->scratch.address;
}
