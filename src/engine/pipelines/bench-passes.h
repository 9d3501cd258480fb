/* SPDX-License-Identifier: MPL-2.0
 * bench-passes.h - whole passes through networks of real size, for `gesso-cli bench`.
 *
 * Nothing is read: weights are declared by the models themselves and made up.  A few MiB of random
 * numbers stand under all their addresses, so that the largest model takes no memory of the host,
 * and a card gets as many bytes as it would from a file.
 */
#pragma once

#include "backend/backend.h"

typedef struct BenchPass BenchPass;

typedef struct
{
  double flops;
  int64_t n_parameters, weight_bytes; /* that a pass reads */
  size_t activation_bytes;            /* planned */
} BenchPassCosts;

int bench_n_passes (void);
const char *bench_pass_name (int i);

/* bench_pass_new:
 * @cancel: borrowed, may be NULL
 * @small: the same networks with few channels and layers, to see that it works
 *
 * Plans pass @i; nothing is computed.  Returns: NULL and @status
 */
BenchPass *
bench_pass_new (int i, bool small, Backend *backend, const atomic_bool *cancel, Status *status);
void bench_pass_free (BenchPass *pass);
BenchPassCosts bench_pass_costs (const BenchPass *pass);
/* One pass, to the end.  The first brings the weights to the device. */
bool bench_pass_run (BenchPass *pass, Status *status);
