#!/usr/bin/env python3
"""Checkpoints whose modules are stored quantized: writes them, the numbers that they stand for, and the reference's files.

usage: packed.py make WORK TOKENIZERS      WORK/CASE/src: the checkpoint; WORK/CASE/values.safetensors: every weight as F32;
                                           WORK/CASE/ref/OUTTYPE[-TYPE].gguf where the reference's converter takes such a checkpoint
       packed.py values WORK CASE OURS...  compares safetensors files with CASE's values.safetensors, bit by bit; TAP
       packed.py list
Weights are quantized plainly here: how well does not matter, what the codes stand for does."""
import glob
import json
import os
import shutil
import sys

import torch
from safetensors import safe_open
from safetensors.torch import save_file

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_checkpoint
import reference

torch.set_num_threads(1)  # what forked children can live with
F8, E8M0 = torch.float8_e4m3fn, torch.float8_e8m0fnu
# rows and columns that no block of 128 divides
BASE = make_checkpoint.case(make_checkpoint.LLAMA, dict(make_checkpoint.NARROW, hidden_size=320, intermediate_size=448, head_dim=80),
                            tok="kjv-llama", types="few")


def grow(s, shape, h, w):
    """One scale per block of h x w, as a matrix of that shape."""
    return s.repeat_interleave(h, 0).repeat_interleave(w, 1)[:shape[0], :shape[1]]


def amax_of_blocks(w, h, b):
    rows, cols = -(-w.shape[0] // h), -(-w.shape[1] // b)
    p = torch.zeros(rows * h, cols * b)
    p[:w.shape[0], :w.shape[1]] = w.abs()
    return p.reshape(rows, h, cols, b).amax((1, 3)).clamp(min=1e-12)


def fp8(h, w, scale=torch.float32, name=".weight_scale_inv", code=F8, more=None):
    """h, w: block; 0: all. more: tensors beside."""
    def quantize(base, x):
        hh, ww = h or x.shape[0], w or x.shape[1]
        s = amax_of_blocks(x, hh, ww) / (448 if code == F8 else 57344)
        if scale == E8M0:
            s = torch.exp2(torch.ceil(torch.log2(s)))
        s = s.to(scale)
        big = grow(s.float(), x.shape, hh, ww)
        q = (x / big).clamp(-448, 448).to(code)
        stored = s.view(torch.uint8) if scale == E8M0 and name == ".weight_scale" else s
        if not h and not w:
            stored = stored.reshape(())
        extra = {base + k: v.clone() for k, v in (more or {}).items()}
        return {base + ".weight": q, base + name: stored, **extra}, q.float() * big
    return quantize


E2M1 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])


def fp4_codes(x):
    return (x.unsqueeze(-1) - E2M1).abs().argmin(-1).to(torch.uint8)


def pack(codes):
    return codes[..., ::2] | codes[..., 1::2] << 4


def mxfp4(names):
    """names: of codes and scales, and the types of their bytes."""
    def quantize(base, x):
        b = x.reshape(*x.shape[:-1], -1, 32)
        e = (torch.floor(torch.log2(b.abs().amax(-1).clamp(min=1e-12))) - 2 + 127).to(torch.uint8)
        s = torch.exp2(e.float() - 127).unsqueeze(-1)
        c = fp4_codes(b / s)
        value = (E2M1[c.long()] * s).reshape(x.shape)
        return {base + names[0]: pack(c.reshape(x.shape)).view(names[2]), base + names[1]: e.view(names[3])}, value
    return quantize


def nvfp4(codes, factor, input_scale, divides):
    def quantize(base, x):
        b = x.reshape(*x.shape[:-1], -1, 16)
        f = x.abs().amax() / 2688
        s8 = (b.abs().amax(-1) / 6 / f).clamp(min=2 ** -9).to(F8)
        g = 1 / f
        s = ((s8.float() / g) if divides else (s8.float() * f)).unsqueeze(-1)
        c = fp4_codes(b / s)
        value = (E2M1[c.long()] * s).reshape(x.shape)
        stored = g.reshape(1) if divides else f
        return {base + codes: pack(c.reshape(x.shape)), base + ".weight_scale": s8, base + factor: stored,
                **({base + input_scale: torch.tensor([0.25]) if divides else torch.tensor(0.25)} if input_scale else {})}, value
    return quantize


def ct(fmt, weights, **more):
    group = {"targets": ["Linear"], "weights": weights, "input_activations": None, "output_activations": None}
    return {"quant_method": "compressed-tensors", "format": fmt, "ignore": ["lm_head"], "config_groups": {"group_0": group}, **more}


CT8 = {"num_bits": 8, "type": "float", "symmetric": True}
CT4 = {"num_bits": 4, "type": "float", "symmetric": True, "strategy": "tensor_group", "group_size": 16}
INPUT = {".input_scale": torch.tensor(0.5)}
# name: (how a weight is quantized, quantization_config, does the converter take it)
MOE = make_checkpoint.case(make_checkpoint.QWEN3MOE, dict(make_checkpoint.NARROW, hidden_size=192, head_dim=32, moe_intermediate_size=64,
                                                          num_hidden_layers=2), tok="kjv-bpe", types="few")
FP8_BLOCKS = {"quant_method": "fp8", "weight_block_size": [128, 128]}
CASES = {
    "moe-fp8": (fp8(128, 128), FP8_BLOCKS, True),
    "moe-nvfp4": (nvfp4(".weight", ".weight_scale_2", ".input_scale", False), {"quant_method": "modelopt", "quant_algo": "NVFP4"}, True),
    "fp8-block": (fp8(128, 128), {"quant_method": "fp8", "weight_block_size": [128, 128]}, True),
    "fp8-block-bf16": (fp8(128, 128, torch.bfloat16), {"quant_method": "fp8", "weight_block_size": [128, 128]}, True),
    "fp8-block-e8m0": (fp8(128, 128, E8M0), {"quant_method": "fp8", "weight_block_size": [128, 128], "scale_fmt": "ue8m0"}, True),
    "fp8-block-64": (fp8(64, 32), {"quant_method": "fp8", "weight_block_size": [64, 32]}, True),
    "fp8-e5m2": (fp8(128, 128, code=torch.float8_e5m2), {"quant_method": "fp8", "weight_block_size": [128, 128]}, True),
    "fp8-tensor": (fp8(0, 0, more={".activation_scale": torch.tensor(2.0)}), {"quant_method": "fp8", "weight_block_size": None}, True),
    "ct-fp8-channel": (fp8(1, 0, torch.bfloat16, ".weight_scale"), ct("float-quantized", {**CT8, "strategy": "channel"}), True),
    "ct-fp8-block": (fp8(128, 128, name=".weight_scale"),
                     ct("float-quantized", {**CT8, "strategy": "block", "block_structure": [128, 128]}), True),
    "ct-fp8-tensor": (fp8(0, 0, name=".weight_scale", more=INPUT), ct("float-quantized", {**CT8, "strategy": "tensor"}), False),
    "ct-mxfp8": (fp8(1, 32, E8M0, ".weight_scale"), ct("mxfp8-quantized", {**CT8, "strategy": "group", "group_size": 32}), False),
    "fp8-v4": (fp8(128, 128, E8M0, ".scale"), {"quant_method": "fp8", "weight_block_size": [128, 128]}, False),
    "fp4-v4": (mxfp4((".weight", ".scale", torch.int8, E8M0)), {"quant_method": "fp8", "expert_dtype": "fp4"}, False),
    "ct-mxfp4": (mxfp4((".weight_packed", ".weight_scale", torch.uint8, torch.uint8)), ct("mxfp4-pack-quantized", CT4), False),
    "ct-nvfp4": (nvfp4(".weight_packed", ".weight_global_scale", ".input_global_scale", True), ct("nvfp4-pack-quantized", CT4), True),
    "ct-nvfp4a16": (nvfp4(".weight_packed", ".weight_global_scale", None, True), ct("nvfp4-pack-quantized", CT4), True),
    "modelopt-nvfp4": (nvfp4(".weight", ".weight_scale_2", ".input_scale", False), {"quant_method": "modelopt", "quant_algo": "NVFP4"}, True),
    "modelopt-fp8": (fp8(0, 0, name=".weight_scale", more=INPUT), {"quant_method": "modelopt", "quant_algo": "FP8"}, True),
}


def read(folder):
    out = {}
    for f in sorted(glob.glob(folder + "/*.safetensors")):
        with safe_open(f, "pt") as s:
            out.update({k: s.get_tensor(k) for k in s.keys()})
    return out


def write(folder, tensors, shards):
    """Dealt out in turn, so that a scale does not lie beside its weight."""
    parts = [dict(list(tensors.items())[i::shards]) for i in range(shards)]
    where = {}
    for i, p in enumerate(parts):
        name = f"model-{i + 1:05d}-of-{shards:05d}.safetensors" if shards > 1 else "model.safetensors"
        save_file({k: v.contiguous() for k, v in p.items()}, f"{folder}/{name}", metadata={"format": "pt"})
        where.update({k: name for k in p})
    if shards > 1:
        total = sum(v.numel() * v.element_size() for v in tensors.values())
        json.dump({"metadata": {"total_size": total}, "weight_map": where}, open(folder + "/model.safetensors.index.json", "w"))


def is_linear(name):
    return name.endswith("_proj.weight")


def make_case(work, name, base):
    quantize, config, _ = CASES[name]
    d = f"{work}/{name}/src"
    os.makedirs(d)
    for f in glob.glob(base + "/*"):
        if not f.endswith(".safetensors"):
            shutil.copy(f, d)
    j = json.load(open(d + "/config.json"))
    j["quantization_config"] = config
    json.dump(j, open(d + "/config.json", "w"), indent=1)
    tensors, values = {}, {}
    for k, x in read(base).items():
        if is_linear(k):
            parts, values[k] = quantize(k.removesuffix(".weight"), x.float())
            tensors.update(parts)
        else:
            tensors[k], values[k] = x, x.float()
    write(d, tensors, 3 if name in ("fp8-block", "modelopt-fp8") else 1)
    save_file({k: v.contiguous() for k, v in values.items()}, f"{work}/{name}/values.safetensors")


def refer(converter, work, name):
    """What the reference makes of it; only the first case is carried on to every type."""
    d = f"{work}/{name}"
    os.makedirs(d + "/ref")
    for outtype in ("auto", "f32") if name == "fp8-block" else ("auto",):
        out = f"{d}/ref/{outtype}.gguf"
        if not reference.in_child(lambda: reference.convert(converter, d + "/src", out, outtype), d + "/log"):
            raise SystemExit(open(d + "/log").read()[-2000:])
        kinds = ("Q4_K_M", "Q8_0", "Q4_0", "F16") if name == "fp8-block" else ("Q4_K_M",)
        for kind in kinds:
            if not reference.quantize(d + "/log", out, f"{d}/ref/{outtype}-{kind}.gguf", kind, "--allow-requantize"):
                raise SystemExit(open(d + "/log").read()[-2000:])


def gpt_oss(work):
    """Experts as gpt-oss stores them; transformers' own function says what they are in its model."""
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors
    g = torch.Generator().manual_seed(7)
    d = work + "/gpt-oss/src"
    os.makedirs(d)
    tensors, values = {}, {}
    for name, rows, cols in (("gate_up_proj", 192, 96), ("down_proj", 96, 192), ("wide", 64, 2880)):
        base = "model.layers.0.mlp.experts." + name
        blocks = torch.randint(0, 256, (3, rows, cols // 32, 16), generator=g).to(torch.uint8)
        scales = torch.randint(100, 140, (3, rows, cols // 32), generator=g).to(torch.uint8)
        tensors.update({base + "_blocks": blocks, base + "_scales": scales})
        values[base] = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
    write(d, tensors, 1)
    save_file({k: v.contiguous() for k, v in values.items()}, work + "/gpt-oss/values.safetensors")


def make(work, tokenizers):
    make_checkpoint.CASES.update({"packed": BASE, "packed-moe": MOE})
    base, moe = work + "/base", work + "/moe"
    make_checkpoint.build("packed", base, tokenizers)
    make_checkpoint.build("packed-moe", moe, tokenizers)
    os.environ["PRE"] = "qwen2"  # the small BPE tokenizer is nobody's
    converter = reference.load_converter()
    gpt_oss(work)
    for name, (_, _, taken) in CASES.items():
        make_case(work, name, moe if name.startswith("moe") else base)
        if taken:
            refer(converter, work, name)


def bits(t):
    return t.contiguous().view(torch.int32)


def values(work, name, ours):
    want, have = read_file(f"{work}/{name}/values.safetensors"), read_file(ours)
    wrong = sorted(set(want) ^ set(have))
    wrong += [k for k in want if k in have and (want[k].shape != have[k].shape or not torch.equal(bits(want[k]), bits(have[k])))]
    print(f"{'not ok' if wrong else 'ok'} 1 - packed/{name}: values")
    for k in wrong[:5]:
        print("# " + k)


def read_file(path):
    with safe_open(path, "pt") as s:
        return {k: s.get_tensor(k) for k in s.keys()}


if __name__ == "__main__":
    if sys.argv[1:2] == ["make"] and len(sys.argv) == 4:
        make(*sys.argv[2:])
    elif sys.argv[1:2] == ["values"] and len(sys.argv) % 2 == 1 and len(sys.argv) > 4:
        for name, ours in zip(sys.argv[3::2], sys.argv[4::2]):
            values(sys.argv[2], name, ours)
    elif sys.argv[1:] == ["list"]:
        print("\n".join([*CASES, "gpt-oss"]))
    else:
        raise SystemExit(__doc__)
