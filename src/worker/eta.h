/* SPDX-License-Identifier: MPL-2.0
 * eta.h - when a batch will be done, from its own times.
 */
#pragma once

enum
{
  ETA_RECENT = 9 /* steps looked at */
};

/* Zero-initialise; times in seconds on one clock. */
typedef struct
{
  double recent[ETA_RECENT]; /* the last steps, @n of them */
  int n, next;
  double decode;        /* of one picture, measured; 0 while not known */
  double decode_effort; /* of one picture's decoding, in steps, as planned; used until then */
} Eta;

void eta_add_step (Eta *eta, double seconds);
/* Median of the recent steps, so that one that was disturbed does not count; 0 when there is none.
 */
double eta_step (const Eta *eta);

/* Returns: seconds; -1 when not known */
double eta_left (const Eta *eta, int n_steps, double n_pictures);

double clock_seconds (void);
