/* SPDX-License-Identifier: MPL-2.0
 * film-tags.h - colour written into streams whose encoders do not say it.
 *
 * Without it a player guesses, and takes small AV1 films for BT.601.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum
{
  AV1_TAG_BYTES = 3 /* by how much av1_add_colour makes a temporal unit longer */
};

/* av1_add_colour:
 * @unit: @n_bytes, a temporal unit of OBUs with sizes (AV1 specification, 5.5)
 * @out: receives @n_bytes + AV1_TAG_BYTES
 *
 * Writes BT.709 and, of 4:2:0, chroma sited left into the sequence header.
 * Returns: false, with @out undefined, when there is no sequence header, it says its colours
 * already, or it is of a kind that libaom does not write
 */
bool av1_add_colour (uint8_t *out, const uint8_t *unit, size_t n_bytes);

/* prores_add_colour:
 * @frame: @n_bytes, changed in place (SMPTE RDD 36, 5.1)
 *
 * Writes BT.709 into the frame header.  Returns: false when it is none
 */
bool prores_add_colour (uint8_t *frame, size_t n_bytes);
