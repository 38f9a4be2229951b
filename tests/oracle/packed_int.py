#!/usr/bin/env python3
"""Checkpoints whose modules are stored as integer codes: as packed.py, whose commands these are, with cases of its own.

The numbers come from the library that owns the layout (compressed-tensors, bitsandbytes, MLX; PYTHONPATH leads to them) where it runs on a
processor; GPTQ's and AWQ's from torch in the order of their operations, and the reference's converter is a second witness for GPTQ."""
import json
import os
import shutil
import sys

import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import packed

F16, BF16, F32 = torch.float16, torch.bfloat16, torch.float32


def rtn(x, group, bits, sym, dtype, signed=False):
    """Codes [O, I] from 0 on, scales [O, G], zero points [O, G]. signed: scales of both signs, the whole range, as AutoRound has them."""
    o, i = x.shape
    v = x.reshape(o, i // group, group)
    top = 2 ** bits - 1
    if sym:
        big = v.gather(2, v.abs().argmax(2, keepdim=True)) if signed else v.abs().amax(2, keepdim=True) * (2 ** bits / top)
        s = (-big if signed else big) / 2 ** (bits - 1)
        z = torch.full_like(s, 2 ** (bits - 1))
    else:
        lo, hi = v.amin(2, keepdim=True).clamp(max=0), v.amax(2, keepdim=True).clamp(min=0)
        s = (hi - lo) / top
        z = torch.round(-lo / s)
    s = s.to(dtype)
    s = torch.where(s == 0, torch.full_like(s, 1e-3), s)
    q = (torch.round(v / s.float()) + z).clamp(0, top).to(torch.int64).reshape(o, i)
    return q, s.squeeze(2), z.squeeze(2).to(torch.int64)


def spread(t, group):
    return t.repeat_interleave(group, 1)


def stream(codes, bits):
    """Rows of codes as 32-bit words, one dense stream of bits per row."""
    o, n = codes.shape
    b = (codes.unsqueeze(2) >> torch.arange(bits)) & 1
    b = b.reshape(o, n * bits // 32, 32) << torch.arange(32)
    return b.sum(2).to(torch.uint32).view(torch.int32)


def numbers(q, s, z):
    return (q - z).float() * s.float()


# ---- GPTQ, AWQ ----

def gptq(bits, group, sym=True, v2=False, order=False, dtype=F16, signed=False, index=True):
    def quantize(base, x):
        g = group if group > 0 else x.shape[1]
        perm = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(x.shape[1])) if order else torch.arange(x.shape[1])
        q, s, z = rtn(x[:, perm], g, bits, sym, dtype, signed)
        if not sym:
            z = z.clamp(min=1)  # what v1 can store without touching its neighbour
        g_idx = torch.empty(x.shape[1], dtype=torch.int32)
        g_idx[perm] = (torch.arange(x.shape[1]) // g).to(torch.int32)
        q = q[:, torch.argsort(perm)]
        out = {base + ".qweight": stream(q, bits).t(), base + ".scales": s.t(),
               base + ".qzeros": stream((z - (0 if v2 else 1)).t() % 2 ** bits, bits)}
        if index:
            out[base + ".g_idx"] = g_idx
        value = numbers(q, s[:, g_idx], z[:, g_idx])
        assert torch.equal(value.to(dtype), s[:, g_idx] * (q - z[:, g_idx]))  # GPTQModel's expression
        return out, value
    return quantize


AWQ = [0, 2, 4, 6, 1, 3, 5, 7]


def awq_words(codes):
    """[n, O] -> [n, O/8]"""
    c = codes.reshape(codes.shape[0], -1, 8)[:, :, AWQ] << (4 * torch.arange(8))
    return c.sum(2).to(torch.uint32).view(torch.int32)


def awq(group, gemv=False):
    def quantize(base, x):
        q, s, z = rtn(x, group, 4, False, F16)
        value = numbers(q, spread(s, group), spread(z, group))
        if gemv:
            words = -(-s.shape[1] // 8)
            pad = torch.nn.functional.pad
            return {base + ".qweight": stream(q, 4), base + ".qzeros": stream(pad(z, (0, words * 8 - z.shape[1])), 4),
                    base + ".scales": pad(s, (0, words * 8 - s.shape[1]))}, value
        out = {base + ".qweight": awq_words(q.t()), base + ".qzeros": awq_words(z.t()), base + ".scales": s.t()}
        from compressed_tensors.entrypoints.convert.converters.autoawq import AutoAWQConverter
        w, scale, zero = AutoAWQConverter(group_size=group)._convert_gemm_module(out[base + ".qweight"], s.t(), out[base + ".qzeros"])
        theirs = (w.to(F16) - spread(zero, group).to(F16)) * spread(scale, group)
        assert torch.equal(value.to(F16), theirs)
        return out, value
    return quantize


GPTQ = {"quant_method": "gptq", "desc_act": False, "sym": True, "checkpoint_format": "gptq", "lm_head": False}
AUTO = {"quant_method": "auto-round", "bits": 4, "group_size": 32, "sym": True, "data_type": "int"}
AWQ_CONFIG = {"quant_method": "awq", "bits": 4, "zero_point": True, "version": "gemm", "modules_to_not_convert": None}

CASES = {
    "gptq4": (gptq(4, 128), {**GPTQ, "bits": 4, "group_size": 128}, True),
    "gptq4-v2-asym": (gptq(4, 32, sym=False, v2=True), {**GPTQ, "bits": 4, "group_size": 32, "checkpoint_format": "gptq_v2", "sym": False}, True),
    "gptq4-asym": (gptq(4, 64, sym=False), {**GPTQ, "bits": 4, "group_size": 64, "sym": False}, True),
    "gptq4-order": (gptq(4, 32, order=True), {**GPTQ, "bits": 4, "group_size": 32, "desc_act": True}, True),
    "gptq8": (gptq(8, 128, dtype=BF16), {**GPTQ, "bits": 8, "group_size": 128}, True),
    "gptq8-order": (gptq(8, 64, sym=False, order=True), {**GPTQ, "bits": 8, "group_size": 64, "desc_act": True, "sym": False}, True),
    "gptq2": (gptq(2, 32, sym=False), {**GPTQ, "bits": 2, "group_size": 32, "sym": False}, True),
    "gptq3": (gptq(3, 64, sym=False), {**GPTQ, "bits": 3, "group_size": 64, "sym": False}, False),
    "gptq3-order": (gptq(3, 64, order=True), {**GPTQ, "bits": 3, "group_size": 64, "desc_act": True}, False),
    "gptq4-column": (gptq(4, -1, index=False), {**GPTQ, "bits": 4, "group_size": -1}, False),
    "autoround-gptq": (gptq(4, 32, signed=True), {**AUTO, "packing_format": "auto_round:auto_gptq"}, False),
    "autoround": (gptq(4, 32, v2=True, sym=False), {**AUTO, "packing_format": "auto_round", "sym": False}, False),
    "awq": (awq(128), {**AWQ_CONFIG, "group_size": 128}, False),
    "awq-32": (awq(32), {**AWQ_CONFIG, "group_size": 32}, False),
    "awq-gemv": (awq(64, gemv=True), {**AWQ_CONFIG, "group_size": 64, "version": "gemv"}, False),
}
CASES = {k: (q, {"quantization_config": c}, taken) for k, (q, c, taken) in CASES.items()}



def sources(work, kjv, names):
    """Made of the first layer of a small Llama that was trained: transformers need not be asked for one."""
    base = {k: v for k, v in packed.read(kjv).items() if not k.startswith("model.layers.") or k.startswith("model.layers.0.")}
    for name in names:
        quantize, config, _ = CASES[name]
        d = f"{work}/{name}/src"
        os.makedirs(d)
        for f in ("tokenizer.model", "tokenizer_config.json", "generation_config.json", "config.json"):
            shutil.copy(f"{kjv}/{f}", d)
        j = json.load(open(d + "/config.json"))
        json.dump({**j, "num_hidden_layers": 1, **config}, open(d + "/config.json", "w"), indent=1)
        tensors, values = {}, {}
        for k, x in base.items():
            if packed.is_linear(k):
                parts, values[k] = quantize(k.removesuffix(".weight"), x.float())
                tensors.update(parts)
            else:
                tensors[k], values[k] = x, x.float()
        packed.write(d, tensors, 1)
        packed.save_file({k: v.contiguous() for k, v in values.items()}, f"{work}/{name}/values.safetensors")


def compare(work, names):
    """WORK/CASE/our.safetensors with WORK/CASE/values.safetensors."""
    for name in names:
        packed.values(work, name, f"{work}/{name}/our.safetensors")


if __name__ == "__main__":
    if sys.argv[1] == "sources":
        sources(sys.argv[2], sys.argv[3], sys.argv[4:] or CASES)
    elif sys.argv[1] == "compare":
        compare(sys.argv[2], sys.argv[3:] or CASES)
