/* SPDX-License-Identifier: MPL-2.0
 * gesso-schema.h - the tables of library.db.
 */
#pragma once

/* For gesso_database_new(): one script a version; never changed once released, only added to. */
extern const char *const gesso_schema_migrations[];
extern const int gesso_schema_version;

/* files.state */
enum
{
  GESSO_STATE_PRESENT = 0,
  GESSO_STATE_ABSENT = 1, /* its folder cannot be read now: a disk that is not plugged in */
  GESSO_STATE_TRASHED = 2 /* can be brought back; files.trashed says from where */
};
