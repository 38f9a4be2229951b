#!/usr/bin/env python3
"""Checkpoints for GPU runtimes: tiny sources, and heft's outputs against the libraries that own the layouts.

usage: gpu.py sources WORK                      WORK/MODEL/: a checkpoint of each kind
       gpu.py compare WORK                      WORK/out/MODEL.TARGET.GROUP/: every tensor with what the library makes of MODEL, bit by bit,
                                                and WORK/decoded/MODEL.TARGET.GROUP.safetensors: what heft reads of it again; TAP

compressed-tensors 0.20 makes scales, zero points and codes by itself (calculate_qparams, the compressors), transformers those of fp8
(Fp8Quantize), ModelOpt 0.47 its own (NVFP4QTensor, FP8QTensor), all on a processor. The rest must be the source's bytes, the configuration one that the library takes, every module either
quantized with all its tensors or in the list of those that stay, and decompressing must give what heft's own reader gives."""
import json
import os
import sys

import torch
from safetensors.torch import load_file, save_file

F16, BF16, F32 = torch.float16, torch.bfloat16, torch.float32
PRESETS = {"fp8-dynamic": "FP8_DYNAMIC", "fp8-block": "FP8_BLOCK", "w4a16": "W4A16", "w4a16-asym": "W4A16_ASYM", "w8a16": "W8A16",
           "w8a8": "W8A8", "mxfp4a16": "MXFP4A16", "mxfp8a16": "MXFP8A16", "nvfp4a16": "NVFP4A16"}
FORMATS = {"w8a8": "int-quantized", "mxfp4a16": "mxfp4-pack-quantized", "mxfp8a16": "mxfp8-quantized",
           "nvfp4a16": "nvfp4-pack-quantized"}
GROUPS = {"mxfp4a16": 32, "mxfp8a16": 32, "nvfp4a16": 16, "modelopt-nvfp4": 16}
SETS = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"), ("w1", "w3"), ("q_a_proj", "kv_a_proj_with_mqa"))


# ---- sources ----

def matrix(g, rows, cols, dtype, offset=0.0):
    """Numbers of several sizes; a row and a group of zeros, an outlier, subnormal numbers."""
    x = torch.randn(rows, cols, generator=g) * torch.exp(torch.randn(rows, 1, generator=g)) * 0.05 + offset
    x[1] = 0
    x[2, :32] = 0
    x[3, 5] = 7.5
    x[4] *= 1e-6
    x[5] = torch.arange(cols) / 8
    return x.to(dtype)


def layer(g, t, base, hidden, wide, dtype, bias=False, experts=0):
    for name, rows, cols in (("self_attn.q_proj", hidden, hidden), ("self_attn.k_proj", hidden // 2, hidden), ("self_attn.v_proj", hidden // 2, hidden),
                             ("self_attn.o_proj", hidden, hidden)):
        t[f"{base}.{name}.weight"] = matrix(g, rows, cols, dtype, 0.02)
        if bias and not name.endswith("o_proj"):
            t[f"{base}.{name}.bias"] = torch.randn(rows, generator=g).to(dtype)
    for e in range(max(experts, 1)):
        at = f"{base}.mlp.experts.{e}" if experts else f"{base}.mlp"
        t[f"{at}.gate_proj.weight"] = matrix(g, wide, hidden, dtype)
        t[f"{at}.up_proj.weight"] = matrix(g, wide, hidden, dtype)
        t[f"{at}.down_proj.weight"] = matrix(g, hidden, wide, dtype)
    if experts:
        t[f"{base}.mlp.gate.weight"] = matrix(g, 8, hidden, dtype)
    for name in ("input_layernorm", "post_attention_layernorm"):
        t[f"{base}.{name}.weight"] = torch.randn(hidden, generator=g).to(dtype)


def model(work, name, dtype=BF16, hidden=256, wide=512, tied=False, bias=False, experts=0, mtp=False, more=None, config=None):
    g = torch.Generator().manual_seed(sum(map(ord, name)))
    t = {"model.embed_tokens.weight": matrix(g, 384, hidden, dtype), "model.norm.weight": torch.randn(hidden, generator=g).to(dtype)}
    for i in range(3 if mtp else 2):
        layer(g, t, f"model.layers.{i}", hidden, wide, dtype, bias, experts)
    if mtp:
        t["model.layers.2.eh_proj.weight"] = matrix(g, hidden, 2 * hidden, dtype)
    if not tied:
        t["lm_head.weight"] = matrix(g, 384, hidden, dtype)
    for k, shape in (more or {}).items():
        t[k] = matrix(g, *shape, dtype)
    d = os.path.join(work, name)
    os.makedirs(d, exist_ok=True)
    save_file({k: v.contiguous() for k, v in t.items()}, os.path.join(d, "model.safetensors"), metadata={"format": "pt"})
    c = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden, "intermediate_size": wide, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 384, "tie_word_embeddings": tied, "torch_dtype": str(dtype)[6:],
         "rms_norm_eps": 1e-5, **(config or {})}
    with open(os.path.join(d, "config.json"), "w") as f:
        json.dump(c, f, indent=2)
    with open(os.path.join(d, "tokenizer.json"), "w") as f:
        f.write("{\"not\": \"looked at\"}\n")


def sources(work):
    model(work, "dense")
    model(work, "half", F16)
    model(work, "single", F32)
    model(work, "tied", tied=True)
    model(work, "biased", bias=True)
    model(work, "moe", experts=3, config={"architectures": ["Qwen3MoeForCausalLM"]})
    model(work, "mtp", mtp=True)
    model(work, "ragged", more={"model.layers.0.self_attn.kv_a_proj_with_mqa.weight": (576, 256), "model.layers.0.self_attn.odd.weight": (192, 200)})


# ---- what the libraries make ----

def scheme(target, group):
    from compressed_tensors.quantization import QuantizationArgs, preset_name_to_scheme
    s = preset_name_to_scheme(PRESETS[target], ["Linear"])
    group = group or ("channel" if target == "w8a16" else None)
    if group:
        w = s.weights.model_dump()
        w.update({"strategy": "channel", "group_size": None} if group == "channel" else {"strategy": "group", "group_size": int(group)})
        s.weights = QuantizationArgs(**{k: v for k, v in w.items() if k not in ("zp_dtype",)})
    return s


def limits(w, args):
    """Smallest and largest number of each scale's, as llm-compressor's minmax observer has them."""
    if args.strategy == "channel":
        return w.amin(1, keepdim=True), w.amax(1, keepdim=True)
    if args.strategy in ("group", "tensor_group"):
        v = w.unflatten(1, (-1, args.group_size))
        return v.amin(2), v.amax(2)
    h, b = args.block_structure
    v = w.unflatten(0, (-1, h)).unflatten(2, (-1, b))
    return v.amin((1, 3)), v.amax((1, 3))


def compressor(target, s):
    from compressed_tensors.compressors import BaseCompressor
    kind = FORMATS.get(target, "pack-quantized" if s.weights.type == "int" else "float-quantized")
    return BaseCompressor.get_value_from_registry(kind)


def relatives(source, module):
    """The weights that runtimes fuse with the module's, and it."""
    base, leaf = module.rsplit(".", 1)
    for s in SETS:
        if leaf in s:
            return [source[k] for k in (f"{base}.{x}.weight" for x in s) if k in source]
    return [source[module + ".weight"]]


def global_scale(fused):
    """The smallest of a set's, as llm-compressor has it. Where F16 overflows the library has 1, and every small number is lost: F32 is right."""
    from compressed_tensors.quantization.utils import generate_gparam
    most = max(f.abs().max() for f in fused)
    return generate_gparam(-most, most) if most.dtype != F16 or 2688 / most < float("inf") else generate_gparam(-most.float(), most.float())


def by_compressed_tensors(w, target, s, fused):
    from compressed_tensors.quantization.utils import calculate_qparams
    lo, hi = limits(w, s.weights)
    whole = global_scale(fused) if target == "nvfp4a16" else None
    scale, zero = calculate_qparams(lo, hi, s.weights, global_scale=whole)
    state = {"weight": w, "weight_scale": scale, **({} if s.weights.symmetric else {"weight_zero_point": zero}),
             **({} if whole is None else {"weight_global_scale": whole})}
    return compressor(target, s).compress(state, s)


def modelopt():
    """ModelOpt's number formats and configuration, without the packages around them, which want libraries that are not needed here."""
    import types
    root = next(p for p in sys.path if os.path.isdir(os.path.join(p, "modelopt")))

    class Absent(types.ModuleType):
        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (), {})

    for n in ("omegaconf", "pulp", "pynvml"):
        sys.modules.setdefault(n, Absent(n))
    for n in ("modelopt", "modelopt.torch", "modelopt.torch.quantization", "modelopt.torch.quantization.backends", "modelopt.torch.export"):
        if n not in sys.modules:
            sys.modules[n] = types.ModuleType(n)
            sys.modules[n].__path__ = [os.path.join(root, *n.split("."))]
            sys.modules[n].__version__ = "0.47.0"
    from modelopt.torch.export.convert_hf_config import convert_hf_quant_config_format
    from modelopt.torch.quantization.qtensor.fp8_tensor import FP8QTensor
    from modelopt.torch.quantization.qtensor.nvfp4_tensor import NVFP4QTensor
    return NVFP4QTensor, FP8QTensor, convert_hf_quant_config_format


def by_modelopt(w, target, fused):
    nvfp4, fp8, _ = modelopt()
    if target == "modelopt-nvfp4":
        whole = nvfp4.get_weights_scaling_factor_2(max(fused, key=lambda f: f.abs().max()))
        codes, scale, whole = nvfp4.quantize(w.clone(), 16, weights_scaling_factor_2=whole)
        return {"weight": codes._quantized_data, "weight_scale": scale, "weight_scale_2": whole}
    if target == "modelopt-fp8-channel":
        most = w.abs().amax(1).float()
        scale = torch.where(most == 0, torch.full_like(most, 448.0), most) / 448.0  # get_scaling_factor of export_amax
        return {"weight": (w / scale[:, None]).to(torch.float8_e4m3fn), "weight_scale": scale}  # to_quantized_weight
    most = w.abs().unflatten(0, (-1, 128)).unflatten(2, (-1, 128)).amax((1, 3), keepdim=True).float()
    scale = torch.where(most == 0, torch.full_like(most, 448.0), most) / 448.0
    return {"weight": fp8.quantize(w, scale.squeeze((1, 3)), block_sizes={-1: 128, -2: 128})[0]._quantized_data, "weight_scale": scale}


def library(source, module, w, target, group):
    if target == "fp8":
        return by_transformers(w)
    if target.startswith("modelopt"):
        return by_modelopt(w, target, relatives(source, module))
    return by_compressed_tensors(w, target, scheme(target, group), relatives(source, module))


def by_transformers(w):
    from types import SimpleNamespace
    from transformers.integrations.finegrained_fp8 import Fp8Quantize
    config = SimpleNamespace(weight_block_size=(128, 128), scale_fmt=None)
    out = Fp8Quantize(SimpleNamespace(quantization_config=config)).convert({"m.weight": w})
    return {k[2:]: v for k, v in out.items()}


SETS = [("q_proj", "k_proj", "v_proj"), ("wq", "wk", "wv"), ("gate_proj", "up_proj"), ("w1", "w3"), ("q_a_proj", "kv_a_proj_with_mqa"), ("in_proj_qkv", "in_proj_z")]


def joined(module):
    """What runtimes read as one matrix or one layer of experts; None: the module stands alone."""
    if ".experts." in module:
        return module.split(".experts.")[0]
    before, _, leaf = module.rpartition(".")
    return next((f"{before}.{s[0]}" for s in SETS if leaf in s), None)


def fitting(matrices, fit):
    """The modules that can be quantized: what is joined with one that does not fit stays, too."""
    bad = {joined(m) for m, w in matrices.items() if not fit(m, w)} - {None}
    return {m for m, w in matrices.items() if fit(m, w) and joined(m) not in bad}


def tiles(module, w):
    """Can kernels for packed integers serve it? Rows of what is joined count together."""
    return w.shape[1] % (64 if ".experts." in module else 128) == 0 and (joined(module) or w.shape[0] % 64 == 0)


def fits(module, w, target, group):
    if target in ("fp8", "fp8-block", "modelopt-fp8-block"):
        return w.shape[0] % 128 == 0 and w.shape[1] % 128 == 0
    if target in ("w4a16", "w4a16-asym", "w8a16") and not tiles(module, w):
        return False
    if target in ("fp8-dynamic", "w8a8", "modelopt-fp8-channel") or group == "channel" or (target == "w8a16" and not group):
        return True
    return w.shape[1] % int(group or GROUPS.get(target, 128)) == 0


def stays(name, layers):
    leaf = name.split(".")[-2]
    return leaf in ("lm_head", "gate", "eh_proj") or f"layers.{layers}." in name


# ---- the comparison ----

class Tap:
    def __init__(self, label):
        self.label, self.n, self.bad = label, 0, 0

    def ok(self, good, what, why=""):
        self.n += 1
        self.bad += not good
        print(f"{'ok' if good else 'not ok'} {self.n} - gpu/{self.label}: {what}" + (f"\n# {why}" if why and not good else ""), flush=True)


def load(d):
    out = {}
    for f in sorted(os.listdir(d)):
        if f.endswith(".safetensors"):
            out.update(load_file(os.path.join(d, f)))
    return out


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(raw(a), raw(b))


def raw(t):
    return t.flatten().clone().view(torch.uint8)


def compare(src, out, target, group, decoded):
    t = Tap(f"{os.path.basename(src)} {target}{' ' + group if group else ''}")
    source, ours = load(src), load(out)
    config = json.load(open(os.path.join(out, "config.json")))
    q = config["quantization_config"]
    ignore = q.get("ignore", q.get("modules_to_not_convert"))
    layers = config["num_hidden_layers"]
    want, linear, wrong = {}, set(), []
    served = fitting({k[:-len(".weight")]: w for k, w in source.items() if k.endswith(".weight") and w.ndim == 2 and not stays(k, layers) and not k.endswith("embed_tokens.weight")},
                     lambda m, w: fits(m, w, target, group))
    for name, w in source.items():
        module = name[:-len(".weight")] if name.endswith(".weight") else None
        is_linear = module and w.ndim == 2 and not module.endswith("embed_tokens")
        if not is_linear or module not in served:
            want[name] = w
            if is_linear and module not in ignore:
                wrong.append(module + " is not in the list")
            continue
        linear.add(module)
        want.update({f"{module}.{k}": v for k, v in library(source, module, w, target, group).items()})
    wrong += [f"{m} is in the list" for m in linear if m in ignore]
    t.ok(set(want) == set(ours), "names", str(sorted(set(want) ^ set(ours))[:4]))
    diff = [k for k in want if k in ours and not same(want[k], ours[k])]
    t.ok(not diff, f"bytes of {len(want)} tensors, {len(linear)} modules", "; ".join(
        f"{k} {want[k].dtype} {tuple(want[k].shape)}, not {ours[k].dtype} {tuple(ours[k].shape)}" for k in diff[:4]) + f" ({len(diff)})")
    t.ok(not wrong and "lm_head" in ignore, "every module is quantized or listed", "; ".join(wrong[:4]))
    rest = {k: v for k, v in config.items() if k != "quantization_config"}
    t.ok(rest == json.load(open(os.path.join(src, "config.json"))), "config.json has all else")
    t.ok(open(os.path.join(src, "tokenizer.json"), "rb").read() == open(os.path.join(out, "tokenizer.json"), "rb").read(), "other files are copies")
    if target.startswith("modelopt"):
        told = json.load(open(os.path.join(out, "hf_quant_config.json")))
        t.ok(modelopt()[2](told) == q, "both configurations say the same, as ModelOpt converts the one to the other", f"{modelopt()[2](told)}\n# {q}")
    elif target != "fp8":
        from compressed_tensors.quantization import QuantizationConfig
        known = QuantizationConfig.model_validate(q)
        got, need = known.config_groups["group_0"], scheme(target, group)
        t.ok(got.weights.model_dump(exclude={"observer"}) == need.weights.model_dump(exclude={"observer"}) and got.input_activations == need.input_activations,
             "compressed-tensors takes the configuration", f"{got}\n# {need}")
    own = load_file(decoded)
    plus = 0.0 if target == "modelopt-nvfp4" else -0.0  # its library reads the code of -0 as 0
    worst = [m for m in linear if not same(own[m + ".weight"] + plus, value(m, ours, target, group) + plus)]
    t.ok(not worst, "heft reads what the library decompresses", "; ".join(worst[:4]))
    return t.bad


def value(m, ours, target, group):
    """The weight in the scales' type, decompressed by the library."""
    part = {k[len(m) + 1:]: v for k, v in ours.items() if k.startswith(m + ".")}
    if target == "fp8":
        w = part["weight"].float().unflatten(0, (-1, 128)).unflatten(2, (-1, 128))
        return (w * part["weight_scale_inv"][:, None, :, None]).flatten(2, 3).flatten(0, 1)
    if target == "modelopt-nvfp4":
        q = modelopt()[0]((len(part["weight"]), 2 * part["weight"].shape[1]), F32, part["weight"])
        return q.dequantize(F32, scale=part["weight_scale"], double_scale=part["weight_scale_2"], block_sizes={-1: 16})
    if target == "modelopt-fp8-channel":
        return part["weight"].float() * part["weight_scale"][:, None]
    if target == "modelopt-fp8-block":
        return (part["weight"].float().unflatten(0, (-1, 128)).unflatten(2, (-1, 128)) * part["weight_scale"]).flatten(2, 3).flatten(0, 1)
    s = scheme(target, group)
    if target in ("mxfp4a16", "nvfp4a16"):
        return fp4_value(part, s)
    for k in part:
        if k == "weight_scale" and part[k].dtype != torch.uint8:
            part[k] = part[k].float()  # heft's values are the exact products
    return compressor(target, s).decompress(part, s)["weight"].float()


def fp4_value(part, s):
    """The library's own decompress() rounds to BF16."""
    from compressed_tensors.compressors.mx_utils import decompress_mx_scale
    from compressed_tensors.compressors.nvfp4.helpers import unpack_fp4_from_uint8
    from compressed_tensors.quantization.lifecycle.forward import dequantize
    codes, scale = part["weight_packed"], part["weight_scale"]
    x = unpack_fp4_from_uint8(codes, codes.shape[0], codes.shape[1] * 2, dtype=F32)
    scale = decompress_mx_scale(scale).float() if scale.dtype == torch.uint8 else scale.float()
    return dequantize(x, scale, args=s.weights, global_scale=part.get("weight_global_scale"), dtype=F32)


if __name__ == "__main__":
    if sys.argv[1] == "sources":
        sources(sys.argv[2])
    else:
        work, bad = sys.argv[2], 0
        for case in sorted(os.listdir(os.path.join(work, "out"))):
            name, target, group = case.split(".")
            bad += compare(os.path.join(work, name), os.path.join(work, "out", case), target, "" if group == "default" else group,
                           os.path.join(work, "decoded", case + ".safetensors"))
        sys.exit(bad > 0)
