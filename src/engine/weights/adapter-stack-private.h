/* SPDX-License-Identifier: MPL-2.0
 * adapter-stack-private.h - a stack's bookkeeping, for the files that build and merge it.
 */
#pragma once

#include "weights/adapter-stack.h"
#include "weights/weight-set.h"

/* A weight that some adapter changes.  Pointers into `touched` hold once all are known. */
typedef struct
{
  Weight *weight;  /* in the model's set */
  Weight bare;     /* as the model has it */
  Weight original; /* the same, or with columns of zeros behind its own */
  void *wide;      /* the second's data, where it differs */
  size_t wide_bytes;
  int last_reader; /* the last adapter that reads it, -1: none */
  int group;       /* weights of one number are merged together */
  bool is_merged;  /* some use changes a copy */
  bool is_active;  /* the copy differs from the original at these strengths */
  Weight copy;
  void *merged;
  size_t merged_bytes;
  float *work; /* f32 while merging */
  /* the side path */
  bool has_side, has_side_bias;
  int64_t rank;
  DType a_type, b_type;
  SidePath side;
  Weight a, b, bias;
  float *scale;
} Touched;

/* A module at work. */
typedef struct
{
  int adapter;
  const FitModule *module;
  bool is_beside;
  int64_t rank, offset[ADAPTER_MAX_TARGETS]; /* where its columns stand in each target's path */
  double weight, merged_weight;              /* as set; as of the last merge */
} Use;

struct AdapterStack
{
  bool header_only, is_mounted, touches_text, was_merged;
  int n_threads; /* that merge; 0: one a core */
  Touched *touched;
  size_t n_touched, touched_capacity;
  NameIndex index; /* of touched, by the weight's name */
  Use *uses;       /* by adapter */
  size_t n_uses, use_capacity;
  void *side_data;
  size_t side_bytes;
};

/* NULL when no adapter changes @w */
Touched *adapter_stack_touched (AdapterStack *stack, const Weight *w);

double adapter_use_weight (const Use *use, const AdapterStrength *strengths);

/* ---- merging (adapter-merge.c) ---- */

/* How large the copies are.  Nothing is allocated yet. */
bool adapter_stack_prepare_merges (AdapterStack *stack, Status *status);

/* Brings the copies up to the uses' weights; those that did not move are left alone. */
bool adapter_stack_merge (AdapterStack *stack, Status *status);
