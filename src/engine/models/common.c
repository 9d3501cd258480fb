/* SPDX-License-Identifier: MPL-2.0 */
#include "models/common.h"

#include <stdarg.h>
#include <stdio.h>

Name
name_of (const char *format, ...)
{
  Name name;
  va_list args;
  va_start (args, format);
  vsnprintf (name.text, sizeof name.text, format, args);
  va_end (args);
  return name;
}

static Layer
bind_pair (const Binder *b, int rank, const int64_t *ne, bool bias, const char *name)
{
  return (Layer){ .weight = weights_bind (b->weights, rank, ne, "%s.weight", name),
                  .bias = bias ? weights_bind (b->weights, 1, ne, "%s.bias", name) : NULL };
}

Layer
bind_linear (const Binder *b, int64_t n_out, int64_t n_in, bool bias, const char *name)
{
  return bind_pair (b, 2, (int64_t[]){ n_out, n_in }, bias, name);
}

Layer
bind_conv (const Binder *b, int64_t n_out, int64_t n_in, int k, const char *name)
{
  return bind_pair (b, 4, (int64_t[]){ n_out, n_in, k, k }, true, name);
}

Layer
bind_conv_no_bias (const Binder *b, int64_t n_out, int64_t n_in, int k, const char *name)
{
  return bind_pair (b, 4, (int64_t[]){ n_out, n_in, k, k }, false, name);
}

Layer
bind_conv3d (const Binder *b, int64_t n_out, int64_t n_in, int k, const char *name)
{
  return bind_pair (b, 5, (int64_t[]){ n_out, n_in, 3, k, k }, true, name);
}

Layer
bind_norm (const Binder *b, int64_t n, const char *name)
{
  return bind_pair (b, 1, &n, true, name);
}

const Weight *
bind_scale (const Binder *b, int64_t n, const char *name)
{
  return weights_bind (b->weights, 1, &n, "%s.weight", name);
}

bool
bind_has (const Binder *b, const char *name)
{
  return weights_find (b->weights, name) != NULL;
}
