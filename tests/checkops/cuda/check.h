/* SPDX-License-Identifier: MPL-2.0
 * check.h - runs CUDA kernels on cases and judges them against the scalar reference.
 *
 * The list of cases is one; it runs on the emulator (tests/emu) and on a device, by what the
 * program is linked with.  Inputs are rounded to the kernel's 16-bit format first, so the reference
 * (f64 sums, kernels/cpu/ref) sees what the kernel sees and the difference is the kernel's own.
 *
 * A result is right when
 *   its relative root mean square error is at most 4e-3 in bf16 (5e-4 in f16: 8 times finer).
 *       Rounding a result once costs 2^-9 / sqrt 3 of its size at most and 1.7e-3 on average;
 *       the rest is what a factor rounded to 16 bits on the way (attention's weights) adds;
 *   and each element is within 1/64 (1/512) of its magnitude: the sum of the absolute products of
 *       a dot product, so that cancellation is no error and a single bad element shows.
 * Elements that no kernel may write (gaps) have to stay as they were.
 */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dtype.h"
#include "kernels/cpu/ref/ref.h"
#include "kernels/cuda/launch.h"

#define COUNT(array) ((int) (sizeof (array) / sizeof *(array)))

typedef struct Check Check;

/* The same values for the kernel and for the reference. */
typedef struct
{
  void *device;
  float *host;
} Values;

typedef enum
{
  OUT_BF16 = GK_TYPE_BF16,
  OUT_F16 = GK_TYPE_F16,
  OUT_F32 = GK_TYPE_F32,
  OUT_BYTES,
  OUT_E4M3
} OutType;

/* What is expected; check_output makes it. */
typedef struct
{
  void *device;
  OutType type;
  int64_t n;
  float *exact;     /* the reference's answer, or GAP */
  float *magnitude; /* 0: taken from exact */
} Output;

#define GAP 0x1.7p126f

typedef int (*Launch) (const void *args, void *stream);

/* Starts a case; false when it is not wanted. */
bool check_begin (Check *c, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
/* Launches @launch (@args) under several schedules and judges @o; frees the case's memory. */
void check_end (Check *c, Launch launch, const void *args, const Output *o);
/* More than one launch a case: the others run first, in order. */
void check_before (Check *c, Launch launch, const void *args, size_t args_bytes);

double check_uniform (Check *c); /* 0 .. 1 */
bool check_is_full (const Check *c);

/* @n values of @type, normal, with a few outliers and zeros; times @scale, plus @offset. */
Values check_values (Check *c, GkType type, int64_t n, float scale, float offset);
/* Rows @stride apart, NaN between them. */
Values check_rows (Check *c, GkType type, int64_t n_rows, int64_t width, int64_t stride);
Values check_floats (Check *c, int64_t n, float scale, float offset);
/* The values of @host, on the device. */
void *check_upload (Check *c, const void *host, size_t size_bytes, const char *name);
/* Memory that kernels write before they read it. */
void *check_scratch (Check *c, size_t size_bytes);
/* @device: NULL for memory of its own, or an input that the output may equal. */
Output check_output (Check *c, OutType type, int64_t n, void *device);
float *check_host (Check *c, int64_t n); /* zeros */

const char *check_type_name (GkType type);
/* Element @i of values of @type. */
const void *check_at (GkType type, const void *p, int64_t i);
/* 16-bit parameters as the reference takes them. */
Param check_param (const Values *v);

/* (c_out, taps, ceil8 (c_in)) on the device, from (c_out, c_in, taps). */
void *check_conv_weights (
    Check *c, GkType type, int64_t c_out, int64_t c_in, int64_t taps, const float *w);

/* @wgmma: by conv-wgmma.cu rather than conv.cu or product-f32.cu. */
void check_conv_end (Check *c, bool wgmma, const GkConv *args, const Output *y);
/* check_end for gk_gemm_wgmma, with the maps that launch.h asks for. */
void check_end_wgmma (Check *c, const GkGemm *g, const Output *o);

void check_pointwise (Check *c);
void check_rows_kernels (Check *c);
void check_norms (Check *c);
void check_gemm (Check *c);
void check_gemm_formats (Check *c);
void check_conv (Check *c);
void check_conv_wgmma (Check *c);
void check_conv3d (Check *c);
void check_shortcuts (Check *c);
void check_attention (Check *c);
void check_hopper (Check *c);

/* --- the machine: device-emulated.c or device-cuda.c --- */

/* NULL, or why there is none, as a sentence. */
const char *device_open (void);
const char *device_name (void);
void *device_alloc (size_t size_bytes, const char *name, int granule_bytes);
void device_free (void *p);
/* @initial NULL: 0xff everywhere, nothing written yet. */
void device_write (void *p, const void *initial, size_t size_bytes);
void device_read (void *host, const void *p, size_t size_bytes);
/* A TMA map of elements of 2 bytes or 1, swizzled by 128 bytes: @map has DEVICE_MAP_BYTES, aligned
 * to 64. Strides in elements, of dimensions 1 and up.  False where there is no TMA. */
enum
{
  DEVICE_MAP_BYTES = 256
};
bool device_tensor_map (void *map,
                        int element_bytes,
                        const void *base,
                        int rank,
                        const int64_t *dims,
                        const int64_t *strides,
                        const int *box);
/* The same for loads of pixels under a tap (im2col): columns of n_pixels with n_channels each.
 * Pixels begin in a box: from @lower, on each line and from line to line by @step, to @upper beyond
 * the last one (x, then y).  @dims: channels, width, height, pictures. */
typedef struct
{
  int lower[2], upper[2], step[2];
  int n_channels, n_pixels;
} DevicePixels;
bool device_pixel_map (
    void *map, GkType type, const void *base, const int64_t *dims, const DevicePixels *pixels);
/* Compute capability: 90 for 9.0; the emulator has all of them. */
bool device_has_capability (int capability);
/* Waits.  Returns: NULL, or what went wrong since the last call. */
const char *device_finish (void);
/* The next launches run under schedule @i of device_schedule_count. */
int device_schedule_count (void);
void device_schedule (int i, uint32_t seed);
