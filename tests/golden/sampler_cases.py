# SPDX-License-Identifier: MPL-2.0
"""Step by step trajectories of the diffusers schedulers on a fixed analytic "model".

No network is involved: out = tanh (0.7 x_in) + 0.1 sin (t / 100), element by element, where x_in is
the scaled model input and t the time step handed to the model. Every random draw is recorded.
"""

import torch
from diffusers import schedulers as S
from diffusers.schedulers import AysSchedules

import common

N = 24
STEPS = (6, 10)
BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000)
SPACINGS = ("leading", "trailing", "linspace")

# sampler: (class, fixed options, kinds of schedule it offers beside the plain spacings)
CURVES = ("karras", "exponential", "beta")
SAMPLERS = {
    "euler": (S.EulerDiscreteScheduler, {}, CURVES + ("ays-timesteps", "ays-sigmas")),
    "euler_a": (S.EulerAncestralDiscreteScheduler, {}, ()),
    "heun": (S.HeunDiscreteScheduler, {}, CURVES + ("ays-timesteps",)),
    "dpm_2": (S.KDPM2DiscreteScheduler, {}, CURVES),
    "dpm_2_ancestral": (S.KDPM2AncestralDiscreteScheduler, {}, CURVES),
    "lms": (S.LMSDiscreteScheduler, {}, CURVES),
    "ddpm": (S.DDPMScheduler, dict(clip_sample=False), ()),
    "ddim": (S.DDIMScheduler, dict(clip_sample=False, set_alpha_to_one=False), ()),
    "dpmpp_2m": (
        S.DPMSolverMultistepScheduler,
        dict(algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint"),
        CURVES + ("ays-timesteps",),
    ),
    "dpmpp_2m_sde": (
        S.DPMSolverMultistepScheduler,
        dict(algorithm_type="sde-dpmsolver++", solver_order=2, solver_type="midpoint"),
        CURVES + ("ays-timesteps",),
    ),
    "dpmpp_sde": (S.DPMSolverSDEScheduler, {}, CURVES),
    "unipc": (S.UniPCMultistepScheduler, dict(solver_order=2, solver_type="bh2"), CURVES),
    "lcm": (S.LCMScheduler, dict(clip_sample=False), ()),
    "tcd": (S.TCDScheduler, dict(clip_sample=False), ()),
}
# Samplers whose latent is x / sqrt (1 + sigma^2) of the sigma form ("vp"); the others step in "ve".
VP_SPACE = {"ddpm", "ddim", "dpmpp_2m", "dpmpp_2m_sde", "unipc", "lcm", "tcd"}
NO_ZERO_SNR = {"heun", "dpmpp_sde", "dpm_2", "dpm_2_ancestral", "lms"}
ORIGIN_GRID = {"lcm", "tcd"}  # take their steps from the 50 distillation steps, whatever the spacing


class Recorder:
    """Stands in for randn_tensor and for the Brownian noise sampler; keeps what it gave."""

    def __init__(self, name):
        self.generator = common.generator(name + ".noise")
        self.drawn = []

    def draw(self, *_args, **_kw):
        self.drawn.append(torch.randn(N, generator=self.generator))
        return self.drawn[-1].reshape(1, 1, 1, N).clone()


def make_scheduler(sampler, schedule, prediction="epsilon", zero_snr=False, **extra):
    """Scheduler object for one sampler and schedule; the option names are those of diffusers."""
    cls, fixed, _ = SAMPLERS[sampler]
    config = dict(BETAS, prediction_type=prediction, steps_offset=1, **fixed)
    spacing, _, curve = schedule.partition("+")
    if spacing in SPACINGS:
        config["timestep_spacing"] = spacing
    if curve in CURVES:
        config[f"use_{curve}_sigmas"] = True
    if zero_snr:
        config["rescale_betas_zero_snr"] = True
    config.update(extra)
    return cls(**config), config


def set_steps(scheduler, schedule, n_steps, table="StableDiffusion"):
    """Prepare @n_steps; AYS tables are handed over as diffusers' users do."""
    if schedule.endswith("ays-timesteps"):
        scheduler.set_timesteps(timesteps=AysSchedules[table + "Timesteps"])
    elif schedule.endswith("ays-sigmas"):
        scheduler.set_timesteps(sigmas=AysSchedules[table + "Sigmas"])
    else:
        scheduler.set_timesteps(n_steps)


def model(x, t):
    return torch.tanh(0.7 * x) + 0.1 * torch.sin(torch.as_tensor(t, dtype=torch.float32) / 100)


def step_options(sampler, eta):
    return {"eta": eta} if sampler in ("ddim", "tcd") else {}


def run_case(name, sampler, schedule, n_steps, prediction="epsilon", zero_snr=False, eta=None, **extra):
    """One trajectory. Returns the manifest entry and the tensors of the case."""
    scheduler, config = make_scheduler(sampler, schedule, prediction, zero_snr, **extra)
    set_steps(scheduler, schedule, n_steps)
    recorder = Recorder(name)
    module = __import__(type(scheduler).__module__, fromlist=["randn_tensor"])
    original = getattr(module, "randn_tensor", None)
    if original is not None:
        module.randn_tensor = recorder.draw
    if sampler == "dpmpp_sde":
        scheduler.noise_sampler = recorder.draw
    x = (common.normal("samplers.start", N) * scheduler.init_noise_sigma).reshape(1, 1, 1, N)
    xs, ins, outs, drawn_at = [x], [], [], []
    for i, t in enumerate(scheduler.timesteps):
        x_in = scheduler.scale_model_input(x, t)
        out = model(x_in, t)
        before = len(recorder.drawn)
        x = scheduler.step(out, t, x, return_dict=False, **step_options(sampler, eta))[0]
        drawn_at += [i] * (len(recorder.drawn) - before)
        xs.append(x), ins.append(x_in), outs.append(out)
    if original is not None:
        module.randn_tensor = original

    def rows(values):
        return torch.stack([v.reshape(-1).float() for v in values])

    tensors = {
        f"{name}.timesteps": scheduler.timesteps.float(),
        f"{name}.x": rows(xs),
        f"{name}.in": rows(ins),
        f"{name}.out": rows(outs),
    }
    if hasattr(scheduler, "sigmas"):
        tensors[f"{name}.sigmas"] = scheduler.sigmas.float()
    if recorder.drawn:
        tensors[f"{name}.noise"] = rows(recorder.drawn)
    entry = dict(
        name=name,
        sampler=sampler,
        schedule=schedule,
        steps=n_steps,
        calls=len(outs),
        prediction=prediction,
        zero_snr=zero_snr,
        eta=eta,
        space="vp" if sampler in VP_SPACE else "ve",
        init_noise_sigma=float(scheduler.init_noise_sigma),
        noise_at_call=drawn_at,
        scheduler=type(scheduler).__name__,
        config=config,
    )
    return entry, tensors


def schedules_of(sampler):
    """Plain spacings, then the curves over the whole range (linspace) and as SD files set them (leading)."""
    if sampler in ORIGIN_GRID:
        return ["origin"]
    kinds = SAMPLERS[sampler][2]
    curves = [c for c in kinds if c in CURVES]
    tables = [k for k in kinds if k.startswith("ays")]
    return (
        list(SPACINGS)
        + [f"linspace+{c}" for c in curves]
        + [f"leading+{c}" for c in curves]
        + [f"linspace+{k}" for k in tables]
    )


def cases():
    """Arguments of every case: name, sampler, schedule, steps, options."""
    for sampler in SAMPLERS:
        etas = {"ddim": (0.0, 0.5, 1.0), "tcd": (0.0, 0.3, 1.0)}.get(sampler, (None,))
        for schedule in schedules_of(sampler):
            for n_steps in (10,) if "ays" in schedule else STEPS:
                for eta in etas:
                    mark = "" if eta is None else f"/eta{eta:g}"
                    yield f"{sampler}/{schedule}/{n_steps}{mark}", sampler, schedule, n_steps, dict(eta=eta)
        plain = schedules_of(sampler)[-1] if sampler in ORIGIN_GRID else "trailing"
        eta = etas[-1]
        yield f"{sampler}/{plain}/6/v", sampler, plain, 6, dict(eta=eta, prediction="v_prediction")
        if sampler not in NO_ZERO_SNR:
            yield (
                f"{sampler}/{plain}/6/v-zsnr", sampler, plain, 6,
                # DDIM with eta 1 takes the root of a negative rounding error at alpha-bar 0.
                dict(eta=0.5 if sampler == "ddim" else eta, prediction="v_prediction", zero_snr=True),
            )
    yield "ddim/leading/6/alpha-one", "ddim", "leading", 6, dict(eta=0.0, set_alpha_to_one=True)
    for sampler in ("euler", "dpmpp_2m", "dpmpp_2m_sde", "unipc"):
        yield (
            f"{sampler}/linspace+karras/6/end-sigma-min", sampler, "linspace+karras", 6,
            dict(final_sigmas_type="sigma_min"),
        )
    yield "dpmpp_2m/linspace+karras/6/euler-last", "dpmpp_2m", "linspace+karras", 6, dict(euler_at_final=True)
    yield "dpmpp_2m/linspace+karras/6/heun", "dpmpp_2m", "linspace+karras", 6, dict(solver_type="heun")
    yield "dpmpp_2m_sde/linspace+karras/6/heun", "dpmpp_2m_sde", "linspace+karras", 6, dict(solver_type="heun")
    yield "dpmpp_2m/linspace+karras/20", "dpmpp_2m", "linspace+karras", 20, {}
    # bh1 divides infinity by infinity when the last sigma is 0.
    yield (
        "unipc/linspace+karras/6/bh1", "unipc", "linspace+karras", 6,
        dict(solver_type="bh1", final_sigmas_type="sigma_min"),
    )
    yield "unipc/linspace+karras/6/order3", "unipc", "linspace+karras", 6, dict(solver_order=3)


def tables():
    """The alpha-bar tables of the training schedule, plain and with zero terminal SNR."""
    plain, _ = make_scheduler("ddim", "leading")
    zero, _ = make_scheduler("ddim", "leading", zero_snr=True)
    euler_zero, _ = make_scheduler("euler", "leading", zero_snr=True)
    return {
        "table.alphas_cumprod": plain.alphas_cumprod,
        "table.alphas_cumprod_zsnr": zero.alphas_cumprod,
        # Euler, DPM-Solver and UniPC lift the last entry to 2^-24 so that sigma stays finite.
        "table.alphas_cumprod_zsnr_finite": euler_zero.alphas_cumprod,
    }


def export():
    entries, tensors = [], {"start": common.normal("samplers.start", N), **tables()}
    for name, sampler, schedule, n_steps, options in cases():
        entry, more = run_case(name, sampler, schedule, n_steps, **options)
        assert all(torch.isfinite(v).all() for k, v in more.items()), name
        entries.append(entry)
        tensors.update(more)
    common.save_tensors("samplers.safetensors", tensors)
    common.save_json(
        "samplers.json",
        dict(
            n=N,
            model="out = tanh (0.7 * in) + 0.1 * sin (t / 100)",
            cases=entries,
        ),
    )
    print(f"samplers: {len(entries)} cases")
