/* SPDX-License-Identifier: MPL-2.0
 * room.c - whether a card's memory is enough for a plan, before anything runs.
 *
 * Activations have to be there at once; parameters come and go, but those that an operator reads
 * have to be there beside them.
 */
#include "pipelines/pipeline-private.h"

#include "backend/backend.h"

static const double MIB = 1 << 20;

enum
{
  /* Segments that hold what one operator reads, and a copy in 16 bits of what a file has in 8. */
  WEIGHTS_AT_ONCE = 2,
  GROWTH = 2,
  SEGMENTS = 24 /* that all of the memory would hold: cuda's weights.c */
};

static size_t
needed_beside (size_t room, const PhasePlan *phase)
{
  size_t largest = GROWTH * (size_t) phase->largest_weight_bytes, segment = room / SEGMENTS;
  return WEIGHTS_AT_ONCE * (largest > segment ? largest : segment);
}

bool
room_is_enough (const Backend *backend, const PhasePlan *phase)
{
  const Device *d = &backend->device;
  size_t room = d->memory ? d->memory->room (d) : 0;
  return !d->memory || phase->activation_bytes + needed_beside (room, phase) <= room;
}

bool
room_check (const Backend *backend, const PhasePlan *phase, PipelinePhase which, Status *status)
{
  static const char *const doing[PHASE_COUNT] = {
    [PHASE_TEXT] = STATUS_MARK ("the prompt is encoded"),
    [PHASE_ENCODE] = STATUS_MARK ("pictures are encoded"),
    [PHASE_DENOISE] = STATUS_MARK ("noise is removed"),
    [PHASE_DECODE] = STATUS_MARK ("the result is decoded"),
  };
  if (phase->n_passes <= 0 || room_is_enough (backend, phase))
    return true;
  const Device *d = &backend->device;
  size_t room = d->memory->room (d);
  return status_fail (status, STATUS_NO_MEMORY,
                      "The graphics card would need %.0f MiB of memory while %s, and it may give "
                      "%.0f: choose a smaller size or batch, close programs that use the card, "
                      "raise its limit or let the CPU compute (%s).",
                      (double) (phase->activation_bytes + needed_beside (room, phase)) / MIB,
                      status_text (doing[which]), (double) room / MIB,
                      status_here ("--vram-limit, --backend cpu",
                                   STATUS_MARK ("both in the Preferences, under Devices")));
}
