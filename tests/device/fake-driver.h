/* SPDX-License-Identifier: MPL-2.0
 * fake-driver.h - what a test sees of the driver that is none.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef struct
{
  int64_t n_calls; /* of the driver, launches among them, since a test set it to 0 */
  int64_t n_launches, n_tensor_maps;
  int64_t fail_at;    /* the call of that number fails, once; 0: none */
  int error;          /* with this */
  int is_idle;        /* kernels are launched and do nothing */
  int64_t most_ahead; /* launches that nobody had waited for, at most */
  /* Set at the launch of that number. */
  atomic_bool *cancel;
  int64_t cancel_at;
  size_t memory_bytes, used_bytes, most_used_bytes;
  size_t copied_bytes; /* to the card */
  /* Made and not freed. */
  int n_contexts, n_streams, n_events, n_pages, n_ranges, n_mapped, n_host;
  int n_graphs; /* and instances */
  int64_t n_graph_launches;
  int n_misuses; /* of memory that is not mapped, handles that are none */
  /* What events tell of: each launch takes kernel_ms, each product of a library library_ms. */
  float clock_ms, kernel_ms, library_ms;
  /* Of cuBLASLt and cuDNN, as n_calls, fail_at and error are of the driver. */
  int64_t n_library_calls, n_library_products, fail_library_at;
  int library_error, n_library_things; /* descriptors, made and not freed */
} FakeCuda;

/* For fake-libraries.c: between calls the card's memory is unreadable. */
void fake_open_memory (int readable);
void fake_wrote (void *p, size_t size_bytes);

/* Exported by the fake libcuda.so.1. */
typedef FakeCuda *(*FakeCudaEntry) (void);
#define FAKE_CUDA_ENTRY "fake_cuda"
