# SPDX-License-Identifier: MPL-2.0
"""Step by step trajectories of diffusers' flow-matching schedulers, as Wan's pipelines use them.

The same analytic model as in sampler_cases.py gives the velocity n - x0; x = (1 - sigma) x0 + sigma n, times are 1000 sigma.
"""

import torch
from diffusers import schedulers as S

import common
from sampler_cases import N, model

# name: (class, fixed options, what it calls the shift)
SCHEDULERS = {
    "euler": (S.FlowMatchEulerDiscreteScheduler, {}, "shift"),
    "unipc": (
        S.UniPCMultistepScheduler,
        dict(solver_order=2, solver_type="bh2", prediction_type="flow_prediction", use_flow_sigmas=True),
        "flow_shift",
    ),
    "dpmpp_2m": (
        S.DPMSolverMultistepScheduler,
        dict(
            algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint", prediction_type="flow_prediction",
            use_flow_sigmas=True,
        ),
        "flow_shift",
    ),
}
STEPS, SHIFTS = (1, 2, 4, 9, 20), (1.0, 3.0, 5.0, 12.0)


def run_case(sampler, shift, n_steps):
    """One trajectory."""
    cls, options, key = SCHEDULERS[sampler]
    name = f"{sampler}/{shift:g}/{n_steps}"
    config = dict(options, num_train_timesteps=1000, **{key: shift})
    scheduler = cls(**config)
    scheduler.set_timesteps(n_steps)
    x = common.normal("samplers.start", N).reshape(1, 1, 1, N)
    xs, outs = [x], []
    for t in scheduler.timesteps:
        out = model(x, t)
        x = scheduler.step(out, t, x, return_dict=False)[0]
        xs.append(x), outs.append(out)

    def rows(values):
        return torch.stack([v.reshape(-1).float() for v in values])

    return {
        f"{name}.timesteps": scheduler.timesteps.float(), f"{name}.sigmas": scheduler.sigmas.float(),
        f"{name}.x": rows(xs), f"{name}.out": rows(outs),
    }


def export():
    tensors = {"start": common.normal("samplers.start", N)}
    for sampler in SCHEDULERS:
        for shift in SHIFTS:
            for n_steps in STEPS:
                tensors.update(run_case(sampler, shift, n_steps))
    assert all(torch.isfinite(v).all() for v in tensors.values())
    common.save_tensors("flow-samplers.safetensors", tensors)
    print(f"flow samplers: {len(tensors)} tensors")
