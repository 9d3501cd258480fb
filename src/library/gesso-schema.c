/* SPDX-License-Identifier: MPL-2.0
 * gesso-schema.c - library.db, version by version.
 *
 * Paths are stored as the bytes that the file system uses, which need not be UTF-8; SQLite compares
 * them byte by byte.  Everything that is searched or shown is valid UTF-8.
 */
#include "library/gesso-schema.h"

#include <glib.h>

const char *const gesso_schema_migrations[] = {
  /* 1 */
  /* role: "models", "pictures" or "own" */
  "CREATE TABLE folders (path TEXT PRIMARY KEY, role TEXT NOT NULL) WITHOUT ROWID;"

  /* (size, mtime_ns, inode) say whether a file has to be read again */
  "CREATE TABLE files ("
  "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
  "  path TEXT NOT NULL UNIQUE,"
  "  size INTEGER NOT NULL,"
  "  mtime_ns INTEGER NOT NULL,"
  "  inode INTEGER NOT NULL,"
  "  kind TEXT NOT NULL,"
  "  state INTEGER NOT NULL DEFAULT 0,"
  "  trashed TEXT,"
  "  trash_batch INTEGER);"
  "CREATE INDEX files_inode ON files (inode, size);"
  "CREATE INDEX files_trash ON files (trash_batch) WHERE trash_batch IS NOT NULL;"

  "CREATE TABLE models ("
  "  id INTEGER PRIMARY KEY REFERENCES files ON DELETE CASCADE,"
  "  name TEXT NOT NULL,"
  "  alias TEXT NOT NULL,"
  "  family TEXT NOT NULL,"
  "  format TEXT NOT NULL,"
  "  problem TEXT NOT NULL,"
  "  thumbnail TEXT NOT NULL);"

  /* outlives the file's row: hashing takes minutes, and disks come back */
  "CREATE TABLE hashes ("
  "  path TEXT PRIMARY KEY,"
  "  size INTEGER NOT NULL,"
  "  mtime_ns INTEGER NOT NULL,"
  "  sha256 TEXT NOT NULL) WITHOUT ROWID;"

  "CREATE TABLE pictures ("
  "  id INTEGER PRIMARY KEY REFERENCES files ON DELETE CASCADE,"
  "  created INTEGER NOT NULL,"
  "  starred INTEGER NOT NULL DEFAULT 0,"
  "  hidden INTEGER NOT NULL DEFAULT 0," /* files.state is not PRESENT: here for the index */
  "  width INTEGER NOT NULL,"
  "  height INTEGER NOT NULL,"
  "  prompt TEXT NOT NULL,"
  "  negative TEXT NOT NULL,"
  "  model TEXT NOT NULL,"
  "  name TEXT NOT NULL);"
  /* all that a list without a search needs, in its order */
  "CREATE INDEX pictures_newest ON pictures (created DESC, id DESC, starred, hidden);"
  "CREATE TRIGGER files_hide AFTER UPDATE OF state ON files BEGIN"
  "  UPDATE pictures SET hidden = new.state <> 0 WHERE id = new.id; END;"

  "CREATE VIRTUAL TABLE words USING fts5 (prompt, negative, model, name,"
  "  content = 'pictures', content_rowid = 'id',"
  "  tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3');"
  "CREATE TRIGGER pictures_add AFTER INSERT ON pictures BEGIN"
  "  INSERT INTO words (rowid, prompt, negative, model, name)"
  "    VALUES (new.id, new.prompt, new.negative, new.model, new.name); END;"
  "CREATE TRIGGER pictures_remove AFTER DELETE ON pictures BEGIN"
  "  INSERT INTO words (words, rowid, prompt, negative, model, name)"
  "    VALUES ('delete', old.id, old.prompt, old.negative, old.model, old.name); END;"
  "CREATE TRIGGER pictures_change AFTER UPDATE OF prompt, negative, model, name ON pictures BEGIN"
  "  INSERT INTO words (words, rowid, prompt, negative, model, name)"
  "    VALUES ('delete', old.id, old.prompt, old.negative, old.model, old.name);"
  "  INSERT INTO words (rowid, prompt, negative, model, name)"
  "    VALUES (new.id, new.prompt, new.negative, new.model, new.name); END;",

  /* 2: clips; what may move is read again */
  "ALTER TABLE pictures ADD COLUMN duration INTEGER NOT NULL DEFAULT 0;" /* ms */
  "UPDATE files SET mtime_ns = 0 WHERE kind = 'picture' AND path LIKE '%.webp';",

  /* 3: films that are in the trash with their clip; trashed is from where, as in files */
  "CREATE TABLE films ("
  "  id INTEGER NOT NULL REFERENCES files ON DELETE CASCADE,"
  "  path TEXT NOT NULL,"
  "  trashed TEXT NOT NULL,"
  "  PRIMARY KEY (id, trashed)) WITHOUT ROWID;",

  /* 4: with which GESSO_RECOGNISE_VERSION a model was looked at */
  "ALTER TABLE models ADD COLUMN recognised INTEGER NOT NULL DEFAULT 0;",

  /* 5: what LoRAs were trained on; they are looked at again for it */
  "ALTER TABLE models ADD COLUMN words TEXT NOT NULL DEFAULT '';"
  "UPDATE models SET recognised = 0 WHERE id IN (SELECT id FROM files WHERE kind = 'lora');",
};

const int gesso_schema_version = G_N_ELEMENTS (gesso_schema_migrations);
