/* SPDX-License-Identifier: MPL-2.0
 * adapter-info.h - what an adapter's metadata say to people: words it was trained on, settings.
 *
 * Source of the keys: kohya's train_network.py (ss_*), Stability's model specification
 * (modelspec.*), ai-toolkit.
 */
#pragma once

#include "weights/adapter.h"

typedef struct
{
  const char *text;
  int64_t count;
} AdapterTag;

typedef struct
{
  const char *label, *value; /* label is the program's, value the file's */
} AdapterSetting;

/* Zero-initialise; end with adapter_info_clear.  Texts live as long as the info. */
typedef struct
{
  const char *trigger; /* the author's own words; NULL: none are given */
  AdapterTag *tags;    /* of the training captions, the most frequent first */
  size_t n_tags, tag_capacity;
  AdapterSetting *settings;
  size_t n_settings, setting_capacity;
  Pool pool;
} AdapterInfo;

/* @table: of the adapter's file; @label: the file's name
 *
 * Damaged entries count as absent.  Texts of settings and trigger are the table's.
 * Fails: NO_MEMORY */
bool
adapter_info_read (AdapterInfo *info, const TensorTable *table, const char *label, Status *status);
void adapter_info_clear (AdapterInfo *info);

/* "LoRA, LoHa" in @out, with "DoRA" where magnitudes are learned, "convolutions" where they are
 * changed. */
void adapter_kinds_text (const AdapterFile *adapter, char *out, size_t size);
