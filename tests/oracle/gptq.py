#!/usr/bin/env python3
"""GPTQ, AWQ and bitsandbytes checkpoints that heft writes, against the libraries that own the layouts. Sources: gpu.py.

usage: gptq.py compare WORK                     WORK/out/MODEL.TARGET.GROUP/: every tensor with what the library makes of MODEL, bit by bit,
                                                and WORK/decoded/MODEL.TARGET.GROUP.safetensors: what heft reads of it again; TAP

       gptq.py sources WORK                     WORK/odd: a source beside those of gpu.py

GPTQModel and AutoAWQ need a graphics card's kernels to be imported: what they compute for round to nearest (GPTQModel 5: RTN, Quantizer,
TorchLinear.pack_block and dequantize_weight; AutoAWQ 0.2.9: pseudo_quantize_tensor, WQLinear_GEMM.from_linear, dequantize_gemm) is said here
in torch, operation by operation. compressed-tensors reads AWQ, and its packed words are GPTQ's turned. bitsandbytes runs itself."""
import json
import os
import re
import sys

import torch

from gpu import F16, F32, Tap, by_compressed_tensors, fitting, load, load_file, model, same, scheme, stays, tiles

BITS = {"gptq": 4, "gptq-8bit": 8, "awq": 4}
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]


# ---- layouts ----

def words(codes, bits, order=None):
    """The last dimension's codes, some to a word of 32 bits, the first at the low end."""
    n = 32 // bits
    c = codes.to(torch.int64).unflatten(-1, (-1, n))
    c = c[..., order] if order else c
    return (c << torch.arange(0, 32, bits)).sum(-1).to(torch.int32)


def codes(packed, bits, order=None):
    c = (packed.to(torch.int64)[..., None] >> torch.arange(0, 32, bits)) & (2 ** bits - 1)
    if order:
        c = c[..., torch.tensor(order).argsort()]
    return c.flatten(-2)


# ---- what the libraries make ----

def by_gptqmodel(w, bits, group):
    """clone.float(); per group: find_params, quantize; pack_block; convert_gptq_v2_to_v1_format."""
    maxq, zero = 2 ** bits - 1, 2 ** (bits - 1)
    x = w.float().unflatten(1, (-1, group or w.shape[1]))
    lo, hi = x.amin(2).clamp(max=0), x.amax(2).clamp(min=0)
    hi = torch.maximum(lo.abs(), hi)
    lo = torch.where(lo < 0, -hi, lo)
    none = (lo == 0) & (hi == 0)
    lo, hi = torch.where(none, -1.0, lo), torch.where(none, 1.0, hi)
    scale = (hi - lo) / maxq
    s = scale[:, :, None]
    rounded = (s * (torch.clamp(torch.round(x / s) + zero, 0, maxq) - zero)).to(w.dtype)  # the module's weight is replaced by it
    q = torch.round((rounded + zero * s) / s).clamp(0, maxq).flatten(1)
    g = torch.arange(w.shape[1], dtype=torch.int32) // (group or w.shape[1])
    zeros = torch.full((scale.shape[1], w.shape[0]), zero - 1)
    return {"qweight": words(q, bits).t().contiguous(), "scales": scale.t().contiguous().to(F16), "qzeros": words(zeros, bits), "g_idx": g}


def by_autoawq(w, group):
    x = w.to(F16).reshape(-1, group or w.shape[1])
    hi, lo = x.amax(1, keepdim=True), x.amin(1, keepdim=True)
    scale = (hi - lo).clamp(min=1e-5) / 15
    zero = (-torch.round(lo / scale)).clamp_(0, 15)
    rounded = (torch.clamp(torch.round(x / scale) + zero, 0, 15) - zero) * scale
    assert not rounded.isnan().any()
    q = torch.round((rounded + zero * scale) / scale).to(torch.int).reshape(w.shape)
    zero, scale = zero.reshape(w.shape[0], -1), scale.reshape(w.shape[0], -1)
    return {"qweight": words(q.t(), 4, AWQ_ORDER), "scales": scale.t().contiguous(), "qzeros": words(zero.t(), 4, AWQ_ORDER)}


def by_bitsandbytes(w, target):
    import bitsandbytes as bnb
    if target == "bnb-int8":
        p = bnb.nn.Int8Params(w.clone(), requires_grad=False)._quantize("cpu")
        return {"weight": p.CB, "SCB": p.SCB, "weight_format": torch.tensor(0, dtype=torch.uint8)}
    p = bnb.nn.Params4bit(w.clone(), requires_grad=False, quant_type=target[4:7], compress_statistics=target.endswith("double"))._quantize("cpu")
    return {"weight": p.data, **{f"weight.{k}": v for k, v in p.quant_state.as_dict(packed=True).items()}}


def make(w, target, group):
    if target.startswith("bnb"):
        return by_bitsandbytes(w, target)
    if target == "awq":
        return by_autoawq(w, group)
    return by_gptqmodel(w, BITS[target], group)


def fits(module, w, target, group):
    if target.startswith("bnb"):
        return w.shape[1] % (64 if target.endswith("double") else 2) == 0 or target == "bnb-int8"
    return w.shape[0] % 32 == 0 and w.shape[1] % (group or 32) == 0 and tiles(module, w)


# ---- what they read ----

def by_torch_linear(p, bits):
    """v1 becomes v2 by adding one to each zero point; TorchLinear.dequantize_weight, in F32."""
    q = codes(p["qweight"].t(), bits).t()
    zero = codes(p["qzeros"], bits) + 1
    g = p["g_idx"].long()
    return (p["scales"].float()[g] * (q - zero[g])).t().contiguous()


def by_dequantize_gemm(p, group):
    q, zero = codes(p["qweight"], 4, AWQ_ORDER), codes(p["qzeros"], 4, AWQ_ORDER)
    each = q.shape[0] // zero.shape[0]
    return ((q - zero.repeat_interleave(each, 0)) * p["scales"].float().repeat_interleave(each, 0)).t().contiguous()


def by_awq_converter(module, p, group):
    """compressed-tensors: AWQ to its own packed integers, decompressed by itself."""
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.entrypoints.convert import AutoAWQConverter
    out = AutoAWQConverter(group_size=group, targets=["re:.*"]).process({f"{module}.{k}": v for k, v in p.items()})
    part = {k[len(module) + 1:]: v for k, v in out.items()}
    part["weight_scale"] = part["weight_scale"].float()
    return BaseCompressor.get_value_from_registry("pack-quantized").decompress(part, scheme("w4a16-asym", str(group)))["weight"].float()


def by_dequantize(p, target):
    import bitsandbytes as bnb
    if target == "bnb-int8":
        return torch.ops.bitsandbytes.int8_vectorwise_dequant(p["weight"], p["SCB"])
    state = bnb.functional.QuantState.from_dict({k[len("weight."):]: v for k, v in p.items() if k.startswith("weight.")}, device="cpu")
    state.dtype = F32
    return bnb.functional.dequantize_4bit(p["weight"], state)


def value(p, target, group):
    if target.startswith("bnb"):
        return by_dequantize(p, target)
    return by_dequantize_gemm(p, group) if target == "awq" else by_torch_linear(p, BITS[target])


# ---- the comparison ----

FUSED = {"q_proj": "qkv_proj", "k_proj": "qkv_proj", "v_proj": "qkv_proj", "gate_proj": "gate_up_proj", "up_proj": "gate_up_proj"}


def asked(module):
    """Names by which a module is looked for: GPTQModel's, its own; vLLM's and SGLang's, that of what they put it together into."""
    stem, _, leaf = module.rpartition(".")
    if ".experts." in module:
        return [module, module.split(".experts.")[0] + ".experts"]
    return [module, f"{stem}.{FUSED.get(leaf, leaf)}"]


def found(q, name):
    """`dynamic` as these read it: the first pattern that matches from the name's beginning; False: it stays, None: as all, else what it has instead."""
    for pattern, more in q.get("dynamic", {}).items():
        if re.match(pattern[2:], name):
            return False if pattern.startswith("-:") else more
    return None


def check_config(t, out, target, group, kept, linear):
    config = json.load(open(os.path.join(out, "config.json")))
    q = config.pop("quantization_config")
    from transformers import AwqConfig, BitsAndBytesConfig, GPTQConfig
    if target.startswith("bnb"):
        four, c = target != "bnb-int8", BitsAndBytesConfig.from_dict(dict(q))
        t.ok((q["quant_method"], c.load_in_4bit, c.load_in_8bit) == ("bitsandbytes", four, not four) and set(c.llm_int8_skip_modules) == kept and
             (not four or (c.bnb_4bit_quant_type, c.bnb_4bit_use_double_quant) == (target[4:7], target.endswith("double"))) and
             set(q) == set(c.to_dict()), "transformers takes the configuration; all that stays is listed", str(q))
    elif target == "awq":
        c = AwqConfig(**{k: v for k, v in q.items() if k != "quant_method"})
        t.ok((q["quant_method"], c.bits, c.group_size, c.zero_point, str(c.format)) == ("awq", 4, group or -1, True, "gemm") and
             set(q["modules_to_not_convert"]) == kept, "transformers takes the configuration; all that stays is listed", str(q))
    else:
        c = GPTQConfig.from_dict(dict(q))
        rules = [(found(q, m), name in kept) for name in (kept | linear) - {"lm_head"} for m in asked(name)]
        t.ok((q["quant_method"], c.bits, c.group_size, c.desc_act, c.sym, c.format) == ("gptq", BITS[target], group or -1, False, True, "gptq") and
             all((r is False) == stay for r, stay in rules), "transformers takes the configuration; all that stays has a rule", str(q))
        t.ok(json.load(open(os.path.join(out, "quantize_config.json"))) == q, "quantize_config.json is the same")
    return config


def check_layout(t, ours, source, linear, target, group):
    part = {m: {k[len(m) + 1:]: v for k, v in ours.items() if k.startswith(m + ".")} for m in linear}
    if target == "awq" and group:
        bad = [m for m, p in part.items() if not torch.equal(by_awq_converter(m, p, group), value(p, target, group))]
        t.ok(not bad, "compressed-tensors reads the same", "; ".join(bad[:4]))
    if target.startswith("gptq"):
        t.ok(all((p["qzeros"] == (0x77777777 if target == "gptq" else 0x7F7F7F7F)).all() for p in part.values()), "zero points")
        if group and all(source[m + ".weight"].dtype == F32 for m in linear):
            bad = []
            for m, p in part.items():
                kind, w = "w4a16" if target == "gptq" else "w8a16", source[m + ".weight"]
                ct = by_compressed_tensors(w, kind, scheme(kind, str(group)), [w])
                agree = ((ct["weight_scale"].to(F16) == p["scales"].t()) & (p["scales"].t() > 2 ** -14)).t().repeat_interleave(group * BITS[target] // 32, 0)
                if agree.float().mean() < 0.7 or not torch.equal(ct["weight_packed"].t()[agree], p["qweight"][agree]):
                    bad.append(m)
            t.ok(not bad, "compressed-tensors' words, turned, where scales agree", "; ".join(bad[:4]))


def compare(src, out, target, group, decoded):
    t = Tap(f"{os.path.basename(src)} {target} {group or 'channel'}")
    source, ours = load(src), load(out)
    want, linear, kept = {}, set(), {"lm_head"}
    served = fitting({k[:-len(".weight")]: w for k, w in source.items() if k.endswith(".weight") and w.ndim == 2 and not stays(k, 2) and not k.endswith("embed_tokens.weight")},
                     lambda m, w: fits(m, w, target, group))
    for name, w in source.items():
        module = name[:-len(".weight")] if name.endswith(".weight") else None
        is_linear = module and w.ndim == 2 and not module.endswith("embed_tokens")
        if not is_linear or module not in served:
            want[name] = w
            kept |= {module} if is_linear else set()
            continue
        linear.add(module)
        want.update({f"{module}.{k}": v for k, v in make(w, target, group).items()})
    t.ok(set(want) == set(ours), "names", str(sorted(set(want) ^ set(ours))[:4]))
    diff = [k for k in want if k in ours and not same(want[k], ours[k])]
    t.ok(not diff, f"bytes of {len(want)} tensors, {len(linear)} modules", "; ".join(
        f"{k} {want[k].dtype} {tuple(want[k].shape)}, not {ours[k].dtype} {tuple(ours[k].shape)}" for k in diff[:4]) + f" ({len(diff)})")
    config = check_config(t, out, target, group, kept, linear)
    t.ok(config == json.load(open(os.path.join(src, "config.json"))), "config.json has all else")
    t.ok(open(os.path.join(src, "tokenizer.json"), "rb").read() == open(os.path.join(out, "tokenizer.json"), "rb").read(), "other files are copies")
    check_layout(t, ours, source, linear, target, group)
    own = load_file(decoded)
    bad = [m for m in linear if not torch.equal(own[m + ".weight"], value({k[len(m) + 1:]: v for k, v in ours.items() if k.startswith(m + ".")}, target, group))]
    t.ok(not bad, "heft reads what the library decompresses", "; ".join(bad[:4]))
    if target.startswith("bnb") and os.path.basename(src) in ("dense", "single", "tied"):
        run(src, out, target, t)
    return t.bad


def compare_solved(src, out, target):
    """Modules of several widths and groups, for a size: whatever name it is asked by, a module's rule is that of what is stored."""
    t = Tap(f"{os.path.basename(src)} {target} solved")
    source, ours, q = load(src), load(out), json.load(open(os.path.join(out, "config.json")))["quantization_config"]
    bad, kinds = [], set()
    for w in source:
        m, cols = w[:-len(".weight")], source[w].shape[-1]
        if not w.endswith("_proj.weight") and not w.endswith((".w1.weight", ".w2.weight", ".w3.weight")):
            continue
        for name in asked(m):
            rule = found(q, name)
            if m + ".qweight" not in ours:
                bad += [name] if rule is not False else []
                kinds.add(None)
                continue
            bits, group = ({**q, **(rule or {})}[k] for k in ("bits", "group_size"))
            kinds.add((bits, group))
            fit = rule is not False and ours[m + ".qweight"].shape[0] * 32 == cols * bits and ours[m + ".scales"].shape[0] == (cols // group if group > 0 else 1)
            bad += [] if fit else [name]
    t.ok(not bad, "each module's rule is that of its tensors, by its own name and by that of the whole", str(bad[:4]))
    t.ok(len(kinds) > 1, f"several kinds: {kinds}")
    return t.bad


def run(src, out, target, t):
    """transformers loads ours as it loads the source and quantizes it itself."""
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    config = BitsAndBytesConfig(load_in_8bit=True) if target == "bnb-int8" else BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type=target[4:7], bnb_4bit_use_double_quant=target.endswith("double"),
        bnb_4bit_compute_dtype=json.load(open(os.path.join(out, "config.json")))["quantization_config"]["bnb_4bit_compute_dtype"])
    ids = torch.arange(40)[None]
    logits = []
    for d, c in ((src, {"quantization_config": config}), (out, {})):
        model, info = AutoModelForCausalLM.from_pretrained(d, **c, dtype="auto", device_map="cpu", output_loading_info=True)
        bad = [k for k in ("missing_keys", "unexpected_keys", "mismatched_keys") if info[k]]
        with torch.no_grad():
            logits.append(model(ids).logits)
    t.ok(not bad and torch.equal(*logits), "transformers loads it, with the logits of its own", f"{bad} {(logits[0] - logits[1]).abs().max()}")


if __name__ == "__main__" and sys.argv[1] == "sources":
    model(sys.argv[2], "odd", more={"model.layers.0.self_attn.few.weight": (37, 50), "model.layers.0.self_attn.single.weight": (64, 33)})
elif __name__ == "__main__":
    work, wrong = sys.argv[2], 0
    for case in sorted(os.listdir(os.path.join(work, "out"))):
        name, kind, size = case.split(".")
        if size == "solved":
            wrong += compare_solved(os.path.join(work, name), os.path.join(work, "out", case), kind)
            continue
        wrong += compare(os.path.join(work, name), os.path.join(work, "out", case), kind, {"default": 128, "channel": 0}.get(size) if not size.isdigit() else int(size),
                         os.path.join(work, "decoded", case + ".safetensors"))
    sys.exit(wrong > 0)
