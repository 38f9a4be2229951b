#!/usr/bin/env python3
"""Adapters with random factors, the weights that they give by torch's float32, and the comparison.

usage: lora.py make DIR BASE | values DIR | products DIR | real GGUF ADAPTER"""
import json
import math
import os
import shutil
import sys

import torch
from safetensors.torch import load_file, save_file

MODULES = ["model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.k_proj", "model.layers.1.self_attn.o_proj",
           "model.layers.2.mlp.down_proj", "model.layers.3.mlp.gate_proj", "lm_head"]
EMBEDDING = "model.embed_tokens"


def random(*shape):
    return torch.randn(*shape) * 0.02


class Adapter:
    """One adapter over weights W (changed in place); product: what it adds alone, no magnitudes."""

    def __init__(self, weights, modules, r=4, alpha=8.0, rslora=False, dora=False, mlx=False, turned=False, alphas=None, embed=False):
        self.tensors, self.product, self.mlx = {}, {}, mlx
        self.config = dict(peft_type="LORA", r=r, lora_alpha=alpha, use_rslora=rslora, use_dora=dora, fan_in_fan_out=turned,
                           alpha_pattern=alphas or {}, rank_pattern={}, base_model_name_or_path="nobody/nothing")
        if mlx:
            self.config = dict(fine_tune_type="dora" if dora else "lora", lora_parameters=dict(rank=r, scale=alpha / r, dropout=0.0))
        for m in modules:
            a = next((v for k, v in (alphas or {}).items() if m.endswith("." + k)), alpha)
            self.module(weights, m, r, a / (math.sqrt(r) if rslora else r), dora, turned)
        if embed:
            self.embedding(weights, EMBEDDING, r, alpha / r)

    def module(self, weights, m, r, s, dora, turned):
        w = weights[m + ".weight"]
        w = w.T if turned else w
        a, b = random(r, w.shape[1]), random(w.shape[0], r)
        p = "" if self.mlx else "base_model.model."
        self.tensors[p + m + (".lora_a" if self.mlx else ".lora_A.weight")] = (a.T if self.mlx else a).contiguous()
        self.tensors[p + m + (".lora_b" if self.mlx else ".lora_B.weight")] = (b.T if self.mlx else b).contiguous()
        self.product[m + ".weight"] = b @ a
        w = w + b @ a * s
        if dora:
            g = torch.rand(w.shape[0]) + 0.5
            self.tensors[p + m + (".m" if self.mlx else ".lora_magnitude_vector")] = g
            w = (g / torch.linalg.norm(w, dim=1)).view(-1, 1) * w
        weights[m + ".weight"] = (w.T if turned else w).contiguous()

    def embedding(self, weights, m, r, s):
        w = weights[m + ".weight"]
        a, b = random(r, w.shape[0]), random(w.shape[1], r)
        self.tensors[f"base_model.model.{m}.lora_embedding_A"], self.tensors[f"base_model.model.{m}.lora_embedding_B"] = a, b
        self.product[m + ".weight"] = (b @ a).T
        weights[m + ".weight"] = w + (b @ a).T * s

    def save(self, d):
        os.makedirs(d, exist_ok=True)
        save_file(self.tensors, os.path.join(d, "adapters.safetensors" if self.mlx else "adapter_model.safetensors"))
        json.dump(self.config, open(os.path.join(d, "adapter_config.json"), "w"))


def product_checkpoint(base, w, product, out):
    os.makedirs(out)
    for f in os.listdir(base):
        if f.startswith("tokenizer") or f == "config.json":
            shutil.copy(os.path.join(base, f), out)
    save_file({k: product.get(k, torch.zeros_like(v)).contiguous() for k, v in w.items()}, os.path.join(out, "model.safetensors"))


def make(out, base):
    torch.manual_seed(7)
    start = {k: v.float() for k, v in load_file(os.path.join(base, "model.safetensors")).items()}
    made = {}
    for name, kind in dict(plain={}, rslora=dict(rslora=True, r=3), patterns=dict(alphas={"k_proj": 3.0, "down_proj": 32.0}), dora=dict(dora=True),
                           embedding=dict(embed=True), mlx=dict(mlx=True), **{"mlx-dora": dict(mlx=True, dora=True)}).items():
        w = dict(start)
        made[name] = x = Adapter(w, MODULES, **kind)
        x.save(os.path.join(out, name))
        save_file(w, os.path.join(out, name + "-want"))
        if name in ("plain", "embedding", "mlx"):
            product_checkpoint(base, start, x.product, os.path.join(out, name + "-product"))
    w = dict(start)
    whole = Adapter(w, MODULES[:1])
    for k in ("lm_head.weight", "model.norm.weight"):
        whole.tensors["base_model.model." + k] = w[k] = torch.randn_like(w[k])
    whole.save(os.path.join(out, "whole"))
    save_file(w, os.path.join(out, "whole-want"))
    several(out, start, made)
    conv1d(out)


def several(out, start, made):
    w = dict(start)
    for name, weight in (("plain", 0.5), ("rslora", -2.0)):
        c = made[name].config
        s = c["lora_alpha"] / (math.sqrt(c["r"]) if c["use_rslora"] else c["r"])
        for k, p in made[name].product.items():
            w[k] = w[k] + p * (s * weight)
    t = made["dora"].tensors
    for k, p in made["dora"].product.items():
        v = w[k] + p * 2.0
        w[k] = (t["base_model.model." + k[:-7] + ".lora_magnitude_vector"] / torch.linalg.norm(v, dim=1)).view(-1, 1) * v
    save_file(w, os.path.join(out, "several-want"))


def conv1d(out):
    """GPT-2's layers: [in, out], one of them square."""
    base = {"h.0.attn.c_attn.weight": torch.randn(64, 192), "h.0.attn.c_proj.weight": torch.randn(64, 64)}
    os.makedirs(os.path.join(out, "conv1d-base"))
    save_file(base, os.path.join(out, "conv1d-base", "model.safetensors"))
    for name, dora in (("conv1d", False), ("conv1d-dora", True)):
        w = dict(base)
        Adapter(w, [k[:-7] for k in base], turned=True, dora=dora).save(os.path.join(out, name))
        save_file(w, os.path.join(out, name + "-want"))


def tell(ok, label, why=""):
    print(("ok" if ok else "not ok") + " 1 - " + label + ("" if ok else f"\n# {why}"))


def near(a, b, tolerance=1e-6):
    """Largest difference in units of the largest value."""
    return a.shape == b.shape and ((a - b).abs().max() <= tolerance * b.abs().max()).item()


def values(d):
    for f in sorted(os.listdir(d)):
        if f.endswith("-want"):
            name, got = f[:-5], os.path.join(d, f[:-5] + ".safetensors")
            want, got = load_file(os.path.join(d, f)), load_file(got) if os.path.exists(got) else {}
            bad = [k for k in want if k not in got or not near(got[k], want[k])]
            tell(not bad and len(got) == len(want), f"lora/{name}: merged values are torch's", bad)


def tensors(path):
    from gguf import GGUFReader, dequantize
    r = GGUFReader(path)
    return r, {t.name: torch.from_numpy(dequantize(t.data, t.tensor_type).copy()) for t in r.tensors}


def multiplied(t):
    out = {}
    for k in t:
        if k.endswith(".lora_a"):
            n, a, b = k[:-7], t[k], t[k[:-1] + "b"]
            out[n] = a @ b.T if n == "token_embd.weight" else b @ a
    return out


def products(d):
    for name in ("plain", "embedding", "mlx"):
        want, got = tensors(os.path.join(d, name + "-product.gguf"))[1], multiplied(tensors(os.path.join(d, name + ".gguf"))[1])
        changed = {k for k, v in want.items() if v.abs().max() > 0}
        bad = [k for k in changed | set(got) if k not in got or k not in want or not near(got[k], want[k])]
        tell(not bad and len(got) >= 6, f"lora/{name}: B * A is what the converter makes of the product", bad)


def real(path, adapter):
    r, t = tensors(path)
    want = load_file(os.path.join(adapter, "adapter_model.safetensors"))
    alpha = r.fields["adapter.lora.alpha"].contents()
    tell(len(t) == len(want) and alpha == json.load(open(os.path.join(adapter, "adapter_config.json")))["lora_alpha"], "lora/real: all factors, alpha", len(t))
    tell(r.fields["general.type"].contents() == "adapter" and r.fields["adapter.type"].contents() == "lora" and
         r.fields["general.architecture"].contents() == "qwen2", "lora/real: metadata", list(r.fields))
    same = torch.equal(t["blk.35.attn_v.weight.lora_a"], want["base_model.model.model.layers.35.self_attn.v_proj.lora_A.weight"].float())
    tell(same, "lora/real: numbers", "blk.35.attn_v.weight.lora_a")


globals()[sys.argv[1]](*sys.argv[2:])
