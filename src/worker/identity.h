/* SPDX-License-Identifier: MPL-2.0
 * identity.h - whether files are still those that they were, without reading them.
 */
#pragma once

#include <nettle/sha2.h>

enum
{
  IDENTITY_SIZE = 65 /* 64 hexadecimal digits and a NUL */
};

/* A SHA-256 over texts and over what the system says of files. */
typedef struct
{
  struct sha256_ctx hash;
} Identity;

void identity_init (Identity *id);
void identity_add_text (Identity *id, const char *text);
/* The file's place, size and time of change; of a folder those of every file in it, three levels
 * deep.  A path that leads nowhere counts, too. */
void identity_add_path (Identity *id, const char *path);
void identity_end (Identity *id, char out[IDENTITY_SIZE]);
