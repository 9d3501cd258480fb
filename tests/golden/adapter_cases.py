# SPDX-License-Identifier: MPL-2.0
"""Adapters of every kind and naming on the small models, and what the networks give with them.

The reference is LyCORIS' own modules, diffusers' and PEFT's own loader, or plain products in torch,
never code of ours.  Merged weights, but for biases and norms, are rounded to float16 as the program stores them;
low-rank adapters run beside the layer there, so they are not.
"""

import torch
from safetensors.torch import load_file

import adapter_files
import common
import tiny_models

SD15_LAYERS = [
    "time_embedding.linear_1", "down_blocks.0.attentions.0.proj_in", "down_blocks.0.resnets.0.conv1",
    "down_blocks.0.resnets.0.time_emb_proj", "down_blocks.0.downsamplers.0.conv",
    "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
    "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0",
    "down_blocks.0.attentions.1.transformer_blocks.0.ff.net.0.proj",
    "mid_block.attentions.0.transformer_blocks.0.attn2.to_v", "up_blocks.1.upsamplers.0.conv",
    "up_blocks.2.attentions.2.transformer_blocks.0.attn2.to_k", "up_blocks.1.attentions.0.proj_out",
]
SDXL_LAYERS = [
    "down_blocks.1.attentions.0.proj_in", "down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k",
    "down_blocks.0.downsamplers.0.conv", "mid_block.attentions.0.transformer_blocks.1.attn1.to_out.0",
    "mid_block.resnets.1.conv2", "up_blocks.0.attentions.1.transformer_blocks.0.ff.net.2",
    "up_blocks.0.upsamplers.0.conv", "up_blocks.1.resnets.0.conv_shortcut", "add_embedding.linear_1",
]
ATTENTION = [k for k in SD15_LAYERS if "attn" in k]
TEXT_LAYERS = [
    "text_model.encoder.layers.0.self_attn.q_proj", "text_model.encoder.layers.1.self_attn.out_proj",
    "text_model.encoder.layers.2.mlp.fc1",
]
RANK, ALPHA, HALF = 3, 1.5, torch.float16


class Model:
    """A model's networks and the outputs that adapters change."""

    def __init__(self, folder):
        self.folder = folder
        self.parts = {"unet": tiny_models.load(folder + "/unet"), "text_encoder": tiny_models.load(folder + "/text_encoder")}
        if folder.startswith("sdxl"):
            self.parts["text_encoder_2"] = tiny_models.load(folder + "/text_encoder_2")
        self.inputs = load_file(str(common.FIXTURES / "networks.safetensors"))
        self.state = {p: {k: v.clone() for k, v in m.state_dict().items()} for p, m in self.parts.items()}

    def layer(self, part, name):
        return self.parts[part].get_submodule(name if part == "unet" else self.text_name(part, name))

    def text_name(self, part, name):
        """transformers 5 has no `text_model.`; the projection stands outside of it."""
        has = any(k.startswith("text_model.") for k in self.state[part])
        return name if has else name.removeprefix("text_model.")

    def reset(self):
        for part, module in self.parts.items():
            module.load_state_dict(self.state[part])

    def outputs(self, parts):
        """The U-Net's output, the text encoders' last layer."""
        out = {}
        for part in parts:
            folder = f"{self.folder}/{part}" if part != "text_encoder" else "sd15-tiny/text_encoder"
            get = lambda key: self.inputs[f"{folder}.{key}"]  # noqa: E731, B023
            if part == "unet":
                more = None
                if "sdxl" in folder:
                    more = dict(text_embeds=get("pooled"), time_ids=get("time_ids"))
                out[part] = self.parts[part](get("x"), get("t")[0], get("context"), added_cond_kwargs=more).sample
            else:
                out[part] = self.parts[part](get("ids").long()).last_hidden_state
        return out


class Cases:
    def __init__(self):
        self.cases, self.tensors, self.models = [], {}, {}

    def model(self, folder):
        if folder not in self.models:
            self.models[folder] = Model(folder)
        self.models[folder].reset()
        return self.models[folder]

    def add(self, name, folder, files, parts=("unet",), weights=((1.0, 1.0),), same_as=None, unmatched=0, **more):
        """Records a case; the model's weights are by now what the adapters make of them."""
        expect = same_as or name
        got = self.models[folder].outputs(parts)
        for part, value in got.items():
            key = f"{expect}.{part}"
            if same_as:
                worst = (self.tensors[key] - value).abs().max() / value.abs().max()
                assert worst < 1e-4, (name, part, worst)
            else:
                plain = self.plain(folder, part)
                assert (plain - value).abs().max() > 0.02 * value.abs().max(), f"{name}: {part} hardly changes"
                self.tensors[key] = value
        self.cases.append(dict(name=name, model=folder, files=files, weights=[list(w) for w in weights], expect=expect,
                               parts=list(parts), unmatched=unmatched, **more))

    def plain(self, folder, part):
        model = Model(folder)
        return model.outputs([part])[part]


def lora_values(model, part, layers, name, rank=RANK):
    """up, down of each layer, large enough to matter."""
    values = {}
    for layer in layers:
        w = model.layer(part, layer).weight
        n_in = w[0].numel()
        down = common.normal(f"{name}/{layer}/down", rank, n_in).reshape(rank, *w.shape[1:]) / n_in**0.5
        up = common.normal(f"{name}/{layer}/up", w.shape[0], rank).reshape(w.shape[0], rank, *[1] * (w.dim() - 2))
        values[layer] = ((up * 0.5).half(), down.half())
    return values


def product(up, down):
    return (up.float().flatten(1) @ down.float().flatten(1)).reshape(up.shape[0], *down.shape[1:])


def change(model, part, layer, weight=None, bias=None, rounds=True):
    """Puts what @weight makes of the layer's weight in its place."""
    module = model.layer(part, layer)
    if weight is not None:
        value = weight.reshape(module.weight.shape)
        module.weight.copy_(value.half().float() if rounds and value.dim() > 1 else value)
    if bias is not None:
        module.bias.copy_(bias)


def add_lora(model, part, values, factor):
    for layer, (up, down) in values.items():
        module = model.layer(part, layer)
        change(model, part, layer, module.weight + factor * product(up, down).reshape(module.weight.shape), rounds=False)


# ---- one LoRA under every name ----


def sd15_namings(cases):
    model = cases.model("sd15-tiny")
    unet = lora_values(model, "unet", SD15_LAYERS, "sd15")
    text = lora_values(model, "text_encoder", TEXT_LAYERS, "sd15-te")
    namings = adapter_files.sd15_namings(unet, text, ALPHA)
    for name, tensors in namings.items():
        scale = ALPHA / RANK if any(k.endswith(".alpha") for k in tensors) else 1
        model = cases.model("sd15-tiny")
        parts = ["unet"] if not any("text" in k for k in tensors) else ["unet", "text_encoder"]
        used = {k: v for k, v in unet.items() if k in ATTENTION} if "old" in name else unet
        add_lora(model, "unet", used, scale)
        if "text_encoder" in parts:
            add_lora(model, "text_encoder", text, scale)
        adapter_files.write(name, tensors)
        cases.add(f"naming/{name}", "sd15-tiny", [name], parts)
    check_with_diffusers(cases, "sd15-tiny", ["sd15-kohya", "sd15-peft"])


def sdxl_namings(cases):
    model = cases.model("sdxl-tiny")
    unet = lora_values(model, "unet", SDXL_LAYERS, "sdxl")
    one = lora_values(model, "text_encoder", TEXT_LAYERS, "sdxl-te1")
    two = lora_values(model, "text_encoder_2", TEXT_LAYERS, "sdxl-te2")
    first = None
    for name, tensors in adapter_files.sdxl_namings(unet, one, two, ALPHA).items():
        model = cases.model("sdxl-tiny")
        add_lora(model, "unet", unet, ALPHA / RANK)
        add_lora(model, "text_encoder", one, ALPHA / RANK)
        add_lora(model, "text_encoder_2", two, ALPHA / RANK)
        adapter_files.write(name, tensors)
        cases.add(f"naming/{name}", "sdxl-tiny", [name], ["unet", "text_encoder", "text_encoder_2"], same_as=first)
        first = first or f"naming/{name}"
    check_with_diffusers(cases, "sdxl-tiny", ["sdxl-kohya"])


def check_with_diffusers(cases, folder, names):
    """diffusers' and PEFT's own loader gives the same for the U-Net."""
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    for name in names:
        model = cases.model(folder)
        cls = StableDiffusionXLPipeline if folder.startswith("sdxl") else StableDiffusionPipeline
        state, alphas = cls.lora_state_dict(str(adapter_files.path(name)), unet_config=model.parts["unet"].config)[:2]
        fresh = Model(folder)
        cls.load_lora_into_unet(state, network_alphas=alphas, unet=fresh.parts["unet"])
        got = fresh.outputs(["unet"])["unet"]
        want = cases.tensors[f"naming/{name}.unet"]
        worst = (got - want).abs().max() / want.abs().max()
        print(f"  diffusers on {name}: {worst:.1e}")
        assert worst < 1e-4, name


# ---- LyCORIS ----


def lycoris_module(kind, model, layer, part="unet", **options):
    import lycoris.modules as kinds

    cls = {
        "locon": kinds.LoConModule, "loha": kinds.LohaModule, "lokr": kinds.LokrModule, "glora": kinds.GLoRAModule,
        "oft": kinds.DiagOFTModule, "boft": kinds.ButterflyOFTModule, "ia3": kinds.IA3Module,
    }[kind]
    module = cls("x", model.layer(part, layer), 1.0, **options)
    for key, value in module.named_parameters():
        noise = common.normal(f"{kind}{sorted(options.items())}/{layer}/{key}", *value.shape)
        if key == "dora_scale":
            value.copy_(value * (1 + 0.3 * noise))
        elif key == "rescale":
            value.copy_(1 + 0.3 * noise)
        else:
            value.copy_((noise * {"oft": 0.3, "boft": 0.2, "ia3": 0.6}.get(kind, value.shape[-1] ** -0.5 if value.dim() == 2 else 0.4)))
        value.copy_(value.half().float())
    return module


def lycoris_merged(kind, module, w, weight):
    """W'.  LoHa's and LoKr's get_diff_weight multiplies by alpha / r a second time, their forward pass does not."""
    if kind not in ("loha", "lokr"):
        return module.get_merged_weight(weight, shape=w.shape)[0]
    delta = module.get_weight(w.shape)
    return module.apply_weight_decompose(w + delta, weight) if module.wd else w + weight * delta


def lycoris_case(cases, name, kind, layers, weight=1.0, **options):
    model = cases.model("sd15-tiny")
    tensors, merged = {}, {}
    for layer in layers:
        module = lycoris_module(kind, model, layer, **options)
        state = module.custom_state_dict() if hasattr(module, "custom_state_dict") and kind not in ("oft", "boft", "ia3") else None
        if state is None:
            state = {k: v for k, v in module.state_dict().items() if k in module.weight_list}
        assert set(state) <= set(module.weight_list), set(state)
        for key, value in state.items():
            tensors[f"lycoris_{layer.replace('.', '_')}.{key}"] = torch.as_tensor(value).detach()
        merged[layer] = lycoris_merged(kind, module, model.layer("unet", layer).weight, weight).detach()
    for layer, value in merged.items():
        change(model, "unet", layer, value, rounds=kind != "locon" or options.get("weight_decompose", False))
    adapter_files.write(name, tensors)
    cases.add(f"lycoris/{name}", "sd15-tiny", [name], weights=[(weight, weight)])


def lycoris_cases(cases):
    convs = [k for k in SD15_LAYERS if "conv" in k]
    linears = [k for k in SD15_LAYERS if "conv" not in k and "proj_" not in k]
    few = linears[:3] + convs[:2]
    lycoris_case(cases, "locon", "locon", SD15_LAYERS, 0.8, lora_dim=3, alpha=2)
    lycoris_case(cases, "locon-tucker", "locon", convs, lora_dim=3, alpha=2, use_tucker=True)
    lycoris_case(cases, "dora-in", "locon", few, lora_dim=3, alpha=2, weight_decompose=True, wd_on_out=False)
    lycoris_case(cases, "loha", "loha", few, -0.7, lora_dim=3, alpha=2)
    lycoris_case(cases, "loha-tucker", "loha", convs, lora_dim=3, alpha=2, use_tucker=True)
    lycoris_case(cases, "loha-dora-in", "loha", few, lora_dim=3, alpha=2, weight_decompose=True, wd_on_out=False)
    lycoris_case(cases, "lokr-full", "lokr", few, 0.6, lora_dim=10000, alpha=1, factor=4, full_matrix=True)
    lycoris_case(cases, "lokr-w2", "lokr", few, lora_dim=1, alpha=3, factor=4)
    lycoris_case(cases, "lokr-both", "lokr", linears, lora_dim=1, alpha=1, factor=4, decompose_both=True)
    lycoris_case(cases, "lokr-tucker", "lokr", convs, lora_dim=1, alpha=1, factor=4, use_tucker=True)
    lycoris_case(cases, "lokr-dora-in", "lokr", few, lora_dim=1, alpha=1, factor=4, weight_decompose=True, wd_on_out=False)
    lycoris_case(cases, "glora", "glora", few, 0.5, lora_dim=3, alpha=2)
    lycoris_case(cases, "oft", "oft", few, 0.8, lora_dim=4)
    lycoris_case(cases, "oft-rescaled", "oft", few, lora_dim=4, rescaled=True)
    lycoris_case(cases, "boft", "boft", few, 0.8, lora_dim=4)
    lycoris_case(cases, "boft-rescaled", "boft", few, lora_dim=4, rescaled=True)
    lycoris_case(cases, "ia3", "ia3", few, 0.7)
    lycoris_case(cases, "ia3-in", "ia3", few, 0.7, train_on_input=True)


# ---- the rest, by formula ----


def dora_comfyui(w, delta, magnitude, weight):
    """Over output rows the norm is that of W itself."""
    norm = w.flatten(1).norm(dim=1).reshape(-1, *[1] * (w.dim() - 1))
    return w + weight * ((w + delta) * magnitude.reshape(norm.shape) / norm - w)


def formula_cases(cases):
    model = cases.model("sd15-tiny")
    values = lora_values(model, "unet", SD15_LAYERS[:7], "dora")
    tensors = {}
    for layer, (up, down) in values.items():
        w, key = model.layer("unet", layer).weight, "unet." + layer
        magnitude = (w.flatten(1).norm(dim=1) * (1 + 0.3 * common.normal("m" + layer, w.shape[0]))).half()
        tensors.update({f"{key}.lora_A.weight": down, f"{key}.lora_B.weight": up, f"{key}.lora_magnitude_vector": magnitude})
        change(model, "unet", layer, dora_comfyui(w.clone(), product(up, down).reshape(w.shape), magnitude.float(), 0.8))
    adapter_files.write("dora-out", tensors)
    cases.add("formula/dora-out", "sd15-tiny", ["dora-out"], weights=[(0.8, 0.8)])

    model, tensors = cases.model("sd15-tiny"), {}
    for layer in SD15_LAYERS[:4] + ["conv_norm_out", "down_blocks.0.resnets.0.norm1"]:
        module = model.layer("unet", layer)
        diff = (0.4 * module.weight.std() * common.normal("d" + layer, *module.weight.shape)).half()
        bias = (0.3 * common.normal("b" + layer, module.weight.shape[0])).half()
        names = ("w_norm", "b_norm") if "norm1" in layer else ("diff", "diff_b")
        tensors.update({f"diffusion_model.{layer}.{names[0]}": diff, f"diffusion_model.{layer}.{names[1]}": bias})
        change(model, "unet", layer, module.weight + 0.7 * diff.float(), module.bias + 0.7 * bias.float())
    adapter_files.write("full", tensors)
    cases.add("formula/full", "sd15-tiny", ["full"], weights=[(0.7, 0.7)])

    model, tensors = cases.model("sd15-tiny"), {}
    for layer in SD15_LAYERS[5:7]:
        value = (common.normal("s" + layer, *model.layer("unet", layer).weight.shape) / 4).half()
        tensors[f"diffusion_model.{layer}.set_weight"] = value
        change(model, "unet", layer, value.float())
    adapter_files.write("set", tensors)
    cases.add("formula/set", "sd15-tiny", ["set"])

    model, tensors = cases.model("sd15-tiny"), {}
    linear = [k for k in SD15_LAYERS if "conv" not in k and "proj_" not in k]
    for layer, (up, down) in lora_values(model, "unet", linear, "bias").items():
        module, key = model.layer("unet", layer), "unet." + layer
        extra = (0.3 * common.normal("lb" + layer, up.shape[0])).half()
        tensors.update({f"{key}.lora_A.weight": down, f"{key}.lora_B.weight": up, f"{key}.lora_B.bias": extra})
        change(model, "unet", layer, module.weight + 0.9 * product(up, down), rounds=False)
        if module.bias is None:
            module.bias = torch.nn.Parameter(0.9 * extra.float())
        else:
            change(model, "unet", layer, bias=module.bias + 0.9 * extra.float())
    adapter_files.write("lora-bias", tensors)
    cases.add("formula/lora-bias", "sd15-tiny", ["lora-bias"], weights=[(0.9, 0.9)])
    cases.models.pop("sd15-tiny")  # it has biases now

    model, tensors = cases.model("sd15-tiny"), {}
    for layer in SD15_LAYERS[5:8]:
        w, key = model.layer("unet", layer).weight, layer.replace(".", "_")
        n = 4
        blocks = common.normal("o" + layer, w.shape[0] // n, n, n).half()
        q = blocks.float() - blocks.float().transpose(1, 2)
        q = q * 1.5 / (q.norm() + 1e-8)
        r = (torch.eye(n) + q) @ torch.linalg.inv(torch.eye(n) - q)
        turned = torch.einsum("knm,kni->kmi", r, w.reshape(-1, n, w.shape[1])).reshape(w.shape)
        tensors.update({f"lora_unet_{key}.oft_blocks": blocks, f"lora_unet_{key}.alpha": torch.tensor(1.5)})
        change(model, "unet", layer, turned)
    adapter_files.write("oft-constrained", tensors)
    cases.add("formula/oft-constrained", "sd15-tiny", ["oft-constrained"])

    rank_stabilised(cases)
    stacks(cases)


def rank_stabilised(cases):
    """alpha / sqrt (r), by diffusers' metadata and by PEFT's file beside the adapter."""
    import json

    model = cases.model("sd15-tiny")
    values = lora_values(model, "unet", ATTENTION, "rs", 4)
    add_lora(model, "unet", values, 2 / 4**0.5)
    tensors = {f"unet.{k}.lora_{n}.weight": t for k, v in values.items() for n, t in zip("BA", v)}
    config = {"unet.r": 4, "unet.lora_alpha": 2, "unet.use_rslora": True}
    adapter_files.write("rslora", tensors, {"lora_adapter_metadata": json.dumps(config)})
    cases.add("formula/rslora", "sd15-tiny", ["rslora"])
    bare = {"base_model.model." + k.removeprefix("unet."): v for k, v in tensors.items()}
    adapter_files.write("peft-folder/adapter_model", bare)
    config = dict(peft_type="LORA", r=4, lora_alpha=2, use_rslora=True, alpha_pattern={}, rank_pattern={})
    common.save_json("adapters/peft-folder/adapter_config.json", config)
    cases.add("formula/peft-folder", "sd15-tiny", ["peft-folder"], same_as="formula/rslora")


def stacks(cases):
    """Several adapters at once: two beside the layer, one merged, one that reads the weight last."""
    model = cases.model("sd15-tiny")
    one = lora_values(model, "unet", SD15_LAYERS, "sd15")
    add_lora(model, "unet", one, 0.7 * ALPHA / RANK)
    two = lora_values(model, "unet", ATTENTION, "rs", 4)
    add_lora(model, "unet", two, -0.5)
    cases.add("stack/two", "sd15-tiny", ["sd15-kohya", "rslora"], weights=[(0.7, 0.7), (-0.5, 0)])

    model = cases.model("sd15-tiny")
    layer = ATTENTION[0]
    w = model.layer("unet", layer).weight
    add_lora(model, "unet", {k: v for k, v in two.items() if k != layer}, 1)
    before = w + product(*two[layer])
    dora = load_file(str(adapter_files.path("dora-out")))
    for name in SD15_LAYERS[:7]:
        key, now = "unet." + name, model.layer("unet", name).weight.clone()
        now = before if name == layer else now
        magnitude = dora[key + ".lora_magnitude_vector"].float()
        delta = product(dora[key + ".lora_B.weight"], dora[key + ".lora_A.weight"]).reshape(now.shape)
        change(model, "unet", name, dora_comfyui(now, delta, magnitude, 0.5))
    cases.add("stack/dora-last", "sd15-tiny", ["rslora", "dora-out"], weights=[(1, 1), (0.5, 0.5)])


def export():
    cases = Cases()
    sd15_namings(cases)
    sdxl_namings(cases)
    lycoris_cases(cases)
    formula_cases(cases)
    adapter_files.embeddings()
    adapter_files.flux()
    common.save_tensors("adapters.safetensors", cases.tensors)
    common.save_json("adapters.json", dict(cases=cases.cases))
    print(f"adapters: {len(cases.cases)} cases, {len(cases.tensors)} outputs")
