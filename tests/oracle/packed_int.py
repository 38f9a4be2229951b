#!/usr/bin/env python3
"""Checkpoints whose modules are stored as integer codes: writes them, the numbers that they stand for, and the reference's files.

usage: packed_int.py sources WORK MODEL [CASE...]  WORK/CASE/src: the checkpoint; WORK/CASE/values.safetensors: every weight as F32
       packed_int.py refer WORK [CASE...]          WORK/CASE/ref/OUTTYPE[-TYPE].gguf where the reference's converter takes such a checkpoint
       packed_int.py compare WORK [CASE...]        WORK/CASE/our.safetensors with values.safetensors, bit by bit; TAP
       packed_int.py folders ROOT OURS             OURS/FOLDER.safetensors with what MLX makes of ROOT/FOLDER; TAP

The numbers come from the library that owns the layout (compressed-tensors, bitsandbytes, MLX; PYTHONPATH leads to them) where it runs on a
processor; GPTQ's and AWQ's from torch in the order of their operations, and the reference's converter is a second witness for GPTQ."""
import json
import os
import shutil
import sys

import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import packed
import reference

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


# ---- compressed-tensors ----

def ct_scheme(**weights):
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    return QuantizationScheme(targets=["Linear"], weights=QuantizationArgs(**weights))


def ct_pack(bits, group, sym=True, dtype=BF16, order=False, tensor=False):
    def quantize(base, x):
        from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor as library
        from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
        g = group or x.shape[1]
        q, s, z = rtn(x, g, bits, sym, dtype)
        half = 2 ** (bits - 1)
        out = {"weight_packed": pack_to_int32((q - half).to(torch.int8), bits), "weight_scale": s, "weight_shape": torch.tensor(x.shape)}
        if not sym:
            out["weight_zero_point"] = pack_to_int32((z - half).to(torch.int8), bits, packed_dim=0).contiguous()
        index = torch.arange(x.shape[1]) // g
        if order:
            index = index[torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(7))]
            out["weight_g_idx"] = index.to(torch.int32)
        value = numbers(q, s[:, index], z[:, index])
        if not order:
            scheme = ct_scheme(num_bits=bits, type="int", symmetric=sym, strategy="group" if group else "channel", group_size=group or None)
            theirs = library.decompress(dict(out), scheme)["weight"]
            assert theirs.dtype == dtype and torch.equal(theirs, value.to(dtype))
        return {f"{base}.{k}": v for k, v in out.items()}, value
    return quantize


def ct_old(bits, group):
    """Before 0.18 a word held 32 / bits codes."""
    def quantize(base, x):
        q, s, z = rtn(x, group, bits, True, BF16)
        each = 32 // bits
        c = torch.nn.functional.pad(q, (0, -q.shape[1] % each)).reshape(q.shape[0], -1, each) << (bits * torch.arange(each))
        return {base + ".weight_packed": c.sum(2).to(torch.uint32).view(torch.int32), base + ".weight_scale": s,
                base + ".weight_shape": torch.tensor(x.shape)}, numbers(q, spread(s, group), spread(z, group))
    return quantize


def ct_int8(sym=True, dtype=F32, group=0):
    def quantize(base, x):
        from compressed_tensors.compressors.naive_quantized.base import NaiveQuantizationCompressor as library
        g = group or x.shape[1]
        q, s, z = rtn(x, g, 8, sym, dtype)
        out = {"weight": (q - 128).to(torch.int8), "weight_scale": s}
        if not sym:
            out["weight_zero_point"] = (z - 128).to(torch.int8)
        scheme = ct_scheme(num_bits=8, type="int", symmetric=sym, strategy="group" if group else "channel", group_size=group or None)
        value = numbers(q, spread(s, g), spread(z, g))
        assert torch.equal(library.decompress(dict(out), scheme)["weight"], value.to(dtype))
        return {f"{base}.{k}": v for k, v in out.items()}, value
    return quantize


# ---- bitsandbytes ----

def bnb4(kind, nested, dtype=BF16, block=64):
    def quantize(base, x):
        import bitsandbytes.functional as library
        codes, state = library.quantize_4bit(x.to(dtype), blocksize=block, quant_type=kind, compress_statistics=nested)
        out = {base + ".weight": codes, **{f"{base}.weight.{k}": v for k, v in state.as_dict(packed=True).items()}}
        if x.shape[1] % block:  # the C code for processors takes the blocks of each row by themselves then, and so differs from all else
            from bitsandbytes.backends.default.ops import _dequantize_4bit_compute as plain
            scales = library.dequantize_blockwise(state.absmax, state.state2) + state.offset
            return out, plain(codes.reshape(-1), scales, state.code, block, x.shape, F32)
        theirs = library.dequantize_4bit(codes, state)
        state.dtype = F32
        value = library.dequantize_4bit(codes, state)
        assert torch.equal(value.to(dtype), theirs)
        return out, value + 0.0 if kind == "fp4" else value  # code 8 is a zero whose sign depends on the processor's instructions
    return quantize


def bnb8(base, x):
    import bitsandbytes.functional as library
    q, scale, _ = library.int8_vectorwise_quant(x.half())
    return {base + ".weight": q, base + ".SCB": scale, base + ".weight_format": torch.tensor(0, dtype=torch.uint8)}, \
        library.int8_vectorwise_dequant(q, scale)


# ---- MLX ----

def mlx(bits, group, dtype="bfloat16", mode="affine"):
    def quantize(base, x):
        import mlx.core as mx
        import numpy as np
        w = mx.array(x.numpy()).astype(getattr(mx, dtype))
        parts = mx.quantize(w, group_size=group, bits=bits, mode=mode)
        out = {}
        for name, p in zip((".weight", ".scales", ".biases"), parts):
            wide = p.dtype in (mx.float16, mx.bfloat16)
            t = torch.from_numpy(np.array(p.astype(mx.float32) if wide else p))
            out[base + name] = t.to(getattr(torch, str(p.dtype).split(".")[-1])) if wide else t
        value = mx.dequantize(*parts, group_size=group, bits=bits, mode=mode)
        return out, torch.from_numpy(np.array(value.astype(mx.float32)))
    return quantize


def mlx_mixed(base, x):
    """Another width for one module, as the configuration says."""
    return (mlx(8, 32) if base.endswith("v_proj") else mlx(4, 64))(base, x)


GPTQ = {"quant_method": "gptq", "desc_act": False, "sym": True, "checkpoint_format": "gptq", "lm_head": False}
AUTO = {"quant_method": "auto-round", "bits": 4, "group_size": 32, "sym": True, "data_type": "int"}
CT = dict(type="int", symmetric=True)
BNB = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": "bfloat16"}
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
    "kimi": (ct_pack(4, 32), packed.ct("pack-quantized", {**CT, "num_bits": 4, "strategy": "group", "group_size": 32}), True),
    "ct4-asym": (ct_pack(4, 128, sym=False), packed.ct("pack-quantized", {**CT, "num_bits": 4, "strategy": "group", "group_size": 128, "symmetric": False}), True),
    "ct4-f16": (ct_pack(4, 64, dtype=F16), packed.ct("pack-quantized", {**CT, "num_bits": 4, "strategy": "group", "group_size": 64}), True),
    "ct8": (ct_pack(8, 128), packed.ct("pack-quantized", {**CT, "num_bits": 8, "strategy": "group", "group_size": 128}), True),
    "ct8-channel": (ct_pack(8, 0, sym=False, dtype=F32), packed.ct("pack-quantized", {**CT, "num_bits": 8, "strategy": "channel", "group_size": None, "symmetric": False}), False),
    "ct2": (ct_pack(2, 32), packed.ct("pack-quantized", {**CT, "num_bits": 2, "strategy": "group", "group_size": 32}), True),
    "ct3": (ct_pack(3, 64), packed.ct("pack-quantized", {**CT, "num_bits": 3, "strategy": "group", "group_size": 64}), False),
    "ct3-old": (ct_old(3, 64), packed.ct("pack-quantized", {**CT, "num_bits": 3, "strategy": "group", "group_size": 64}), False),
    "ct4-order": (ct_pack(4, 32, order=True), packed.ct("pack-quantized", {**CT, "num_bits": 4, "strategy": "group", "group_size": 32, "actorder": "group"}), False),
    "ct4-order-asym": (ct_pack(4, 32, sym=False, order=True), packed.ct("pack-quantized", {**CT, "num_bits": 4, "strategy": "group", "group_size": 32, "symmetric": False}), False),
    "ct-int8": (ct_int8(), packed.ct("int-quantized", {**CT, "num_bits": 8, "strategy": "channel"}), True),
    "ct-int8-asym": (ct_int8(sym=False, dtype=BF16), packed.ct("int-quantized", {**CT, "num_bits": 8, "strategy": "channel", "symmetric": False}), False),
    "nf4": (bnb4("nf4", False), BNB, False),
    "nf4-nested": (bnb4("nf4", True), {**BNB, "bnb_4bit_use_double_quant": True}, False),
    "nf4-f16-128": (bnb4("nf4", True, F16, 128), BNB, False),
    "nf4-512": (bnb4("nf4", True, BF16, 512), BNB, False),
    "fp4": (bnb4("fp4", True), {**BNB, "bnb_4bit_quant_type": "fp4"}, False),
    "bnb-int8": (bnb8, {"quant_method": "bitsandbytes", "load_in_8bit": True}, False),
    "awq": (awq(128), {**AWQ_CONFIG, "group_size": 128}, False),
    "awq-32": (awq(32), {**AWQ_CONFIG, "group_size": 32}, False),
    "awq-gemv": (awq(64, gemv=True), {**AWQ_CONFIG, "group_size": 64, "version": "gemv"}, False),
}

for n, g in ((2, 32), (3, 64), (4, 32), (4, 64), (5, 128), (6, 64), (8, 128)):
    CASES[f"mlx{n}-{g}"] = (mlx(n, g), {"group_size": g, "bits": n}, False)
CASES |= {
    "mlx4-f16": (mlx(4, 64, "float16"), {"group_size": 64, "bits": 4, "mode": "affine"}, False),
    "mlx3-f32": (mlx(3, 32, "float32"), {"group_size": 32, "bits": 3}, False),
    "mlx-mixed": (mlx_mixed, {"group_size": 64, "bits": 4, "model.layers.0.self_attn.v_proj": {"group_size": 32, "bits": 8}}, False),
    "mlx-mxfp4": (mlx(4, 32, mode="mxfp4"), {"group_size": 32, "bits": 4, "mode": "mxfp4"}, False),
    "mlx-mxfp8": (mlx(8, 32, mode="mxfp8"), {"group_size": 32, "bits": 8, "mode": "mxfp8"}, False),
    "mlx-nvfp4": (mlx(4, 16, mode="nvfp4"), {"group_size": 16, "bits": 4, "mode": "nvfp4"}, False),
}
CASES = {k: (q, {"quantization": c, "quantization_config": c} if k[:3] == "mlx" else {"quantization_config": c}, taken) for k, (q, c, taken) in CASES.items()}



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


def refer(work, names):
    """WORK/CASE/ref/OUTTYPE[-TYPE].gguf of the cases that the reference's converter takes."""
    converter = reference.load_converter()
    for name in names:
        d = f"{work}/{name}"
        if not CASES[name][2]:
            continue
        os.makedirs(d + "/ref")
        for outtype in ("auto", "f32") if name == "gptq4" else ("auto",):
            out = f"{d}/ref/{outtype}.gguf"
            done = reference.in_child(lambda: reference.convert(converter, d + "/src", out, outtype), d + "/log")
            if done and name in ("gptq4", "kimi"):
                done = reference.quantize(d + "/log", out, f"{d}/ref/{outtype}-Q4_K_M.gguf", "Q4_K_M")
            if not done:
                raise SystemExit(open(d + "/log").read()[-2000:])


def compare(work, names):
    for name in names:
        ours = f"{work}/{name}/our.safetensors"
        if os.path.exists(ours):
            packed.values(work, name, ours)
        else:
            print(f"not ok 1 - packed/{name}: heft made nothing")


def folders(root, ours):
    """Folders that mlx-lm made: OURS/FOLDER.safetensors, F32, with what MLX makes of ROOT/FOLDER's modules."""
    import mlx.core as mx
    import numpy as np
    for name in sorted(os.listdir(root)):
        path = f"{ours}/{name}.safetensors"
        have, stored, wrong = mx.load(path) if os.path.exists(path) else {}, {}, []
        for f in packed.glob.glob(f"{root}/{name}/*.safetensors"):
            stored.update(mx.load(f))
        said = json.load(open(f"{root}/{name}/config.json")).get("quantization", {})
        modules = [k.removesuffix(".scales") for k in stored if k.endswith(".scales")]
        for m in modules:
            own = said[m] if isinstance(said.get(m), dict) else said
            kw = {k: own[k] for k in ("group_size", "bits", "mode") if own.get(k)}
            want = np.array(mx.dequantize(stored[m + ".weight"], stored[m + ".scales"], stored.get(m + ".biases"), **kw).astype(mx.float32))
            got = np.array(have[m + ".weight"]) if m + ".weight" in have else want[:0]
            if want.shape != got.shape or not np.array_equal(want.view(np.uint32), got.view(np.uint32)):
                wrong.append(m)
        print(f"{'not ok' if wrong or not have else 'ok'} 1 - packed/{name}: {len(modules)} modules of MLX")
        for m in wrong[:5]:
            print("# " + m)


if __name__ == "__main__":
    if sys.argv[1] == "sources":
        sources(sys.argv[2], sys.argv[3], sys.argv[4:] or CASES)
    elif sys.argv[1] == "refer":
        refer(sys.argv[2], sys.argv[3:] or CASES)
    elif sys.argv[1] == "folders":
        folders(*sys.argv[2:])
    elif sys.argv[1] == "compare":
        compare(sys.argv[2], sys.argv[3:] or CASES)
