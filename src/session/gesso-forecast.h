/* SPDX-License-Identifier: MPL-2.0
 * gesso-forecast.h - when each job of the queue will be done, kept up to date while it runs.
 *
 * Main thread only.
 */
#pragma once

#include "session/gesso-batch-clock.h"
#include "session/gesso-eta.h"
#include "session/gesso-queue-private.h"
#include "session/gesso-supervisor.h"

G_BEGIN_DECLS

#define GESSO_TYPE_FORECAST (gesso_forecast_get_type ())
G_DECLARE_FINAL_TYPE (GessoForecast, gesso_forecast, GESSO, FORECAST, GObject)

/* @eta: borrowed */
GessoForecast *gesso_forecast_new (GessoQueue *queue, GessoDatabase *database, GessoEta *eta);
void gesso_forecast_set_supervisor (GessoForecast *self, GessoSupervisor *supervisor);
/* @job: NULL when none runs; @left: seconds for its batch as the worker says, -1 when it does not
 */
void gesso_forecast_set_running (GessoForecast *self, GessoJob *job, double left);
/* At most five times a second. */
void gesso_forecast_update_later (GessoForecast *self);
/* Asks the worker about the first job whose kind was never measured; each kind once. */
void gesso_forecast_ask (GessoForecast *self);
/* A whole batch of @job was done. */
void gesso_forecast_learn (GessoForecast *self, GessoJob *job, const GessoBatchClock *clock);
void gesso_forecast_close (GessoForecast *self);

G_END_DECLS
