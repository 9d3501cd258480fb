/* SPDX-License-Identifier: MPL-2.0
 * prompt-networks-note.c - what becomes of <lora:...> in a prompt.
 */
#include <stdio.h>
#include <string.h>

#include "pipelines/pipeline-private.h"

bool
prompt_networks_leave (const PipelineJob *job,
                       const char *text,
                       PromptNetworks *networks,
                       Status *status)
{
  if (!prompt_take_networks (text, networks, status))
    return false;
  for (int i = 0; i < networks->n && job->note; i++)
    {
      const PromptNetwork *network = &networks->items[i];
      char note[STATUS_MESSAGE_SIZE];
      if (!strcmp (network->kind, "lora") || !strcmp (network->kind, "lyco"))
        continue; /* whoever made the job has put it among its adapters */
      snprintf (
          note, sizeof note,
          status_text (
              "<%.40s:%.200s> in the prompt has no effect: networks of this kind are not known."),
          network->kind, network->name);
      job->note (job->data, note);
    }
  return true;
}
