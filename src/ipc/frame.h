/* SPDX-License-Identifier: MPL-2.0
 * frame.h - pictures that travel between two processes without a copy: sealed memfds.
 *
 * A frame is width * height * 3 bytes of sRGB in a memfd sealed against writing and resizing, so
 * that the reader may map it: the writer can neither change what is shown nor cut it off.
 */
#pragma once

#include <gio/gio.h>
#include <gio/gunixfdlist.h>

G_BEGIN_DECLS

enum
{
  GESSO_IPC_FRAME_MAX_SIDE = 32768 /* pixels */
};

/* gesso_ipc_frame_send:
 * @rgb: (height, width, 3), copied once into the memfd
 * @fds: (out): for the message; the caller's
 *
 * Returns: (transfer floating): the message's "h" argument, NULL and @error when out of memory or
 * file descriptors
 */
GVariant *
gesso_ipc_frame_send (const guint8 *rgb, int width, int height, GUnixFDList **fds, GError **error);

/* gesso_ipc_frame_receive:
 * @fds: (nullable): of the message
 * @handle: its "h" argument
 *
 * Returns: (height, width, 3), mapped read-only as long as the bytes live; NULL and @error
 * (INVALID_DATA) for a size out of range, no descriptor, one without all seals, or too small a one
 */
GBytes *
gesso_ipc_frame_receive (GUnixFDList *fds, GVariant *handle, int width, int height, GError **error);

G_END_DECLS
