#!/usr/bin/env python3
"""Checkpoints of the size and with the names of published models, without weights: config.json and shard index are the real ones, shapes follow
from the configuration, and the shards are holes of the right length, so that 280 GB take no room.

usage: configs.py CONFIGS TOKENIZERS OUT NAME TOKENIZER     CONFIGS/NAME: config.json and index; TOKENIZERS/TOKENIZER: files; OUT: a new folder
       configs.py --account OUT JSON        is every tensor of the index in heft's plan, once? prints the counts, or what is wrong"""
import collections
import json
import os
import re
import shutil
import struct
import sys

import make_checkpoint

SIZES = {"BF16": 2, "F32": 4, "U8": 1, "U32": 4, "I32": 4, "I64": 8}


class Sizes:
    """What the rules below need of a configuration."""

    def __init__(self, config):
        c = self.c = config.get("text_config") or config
        self.v, self.h, self.i = c["vocab_size"], c["hidden_size"], c["intermediate_size"]
        self.heads, self.kv = c["num_attention_heads"], c["num_key_value_heads"]
        self.d = c.get("head_dim") or self.h // self.heads
        self.e = c.get("num_local_experts") or c.get("num_experts") or 0
        self.ei = c.get("moe_intermediate_size") or c.get("expert_intermediate_size") or self.i
        self.types = c.get("layer_types") or []

    def attention(self, layer):
        """Heads of keys, size of a head: Gemma 4 has others where attention is full."""
        if "global_head_dim" in self.c and self.types[layer] == "full_attention":
            return self.c.get("num_global_key_value_heads") or self.kv, self.c["global_head_dim"]
        return self.kv, self.d


def linear(s, name):
    """Rows and columns of a module's matrix; None where it is none."""
    layer = int((re.search(r"layers\.(\d+)\.", name) or [0, 0])[1])
    kv, d = s.attention(layer)
    inner = s.ei if ".experts." in name else s.i
    for word, shape in (("embed_tokens", (s.v, s.h)), ("lm_head", (s.v, s.h)), ("q_proj", (s.heads * d, s.h)), ("k_proj", (kv * d, s.h)),
                        ("v_proj", (kv * d, s.h)), ("o_proj", (s.h, s.heads * d)), ("gate_proj", (inner, s.h)), ("up_proj", (inner, s.h)),
                        ("down_proj", (s.h, inner)), ("w1", (inner, s.h)), ("w3", (inner, s.h)), ("w2", (s.h, inner)),
                        ("block_sparse_moe.gate", (s.e, s.h)), ("router", (s.e, s.h)), ("router.proj", (s.e, s.h))):
        if name.endswith("." + word) or name == word:
            return shape
    return None


def dense(s, name):
    module, _, leaf = name.rpartition(".")
    layer = int((re.search(r"layers\.(\d+)\.", name) or [0, 0])[1])
    m = linear(s, module)
    if leaf == "bias" and m:
        return m[:1]
    if leaf == "weight" and m:
        return m
    if module.endswith(("q_norm", "k_norm")):
        return (s.attention(layer)[1],)
    return {"sinks": (s.heads,), "layer_scalar": (1,), "per_expert_scale": (s.e,), "scale": (s.h,),
            "gate_up_proj_bias": (s.e, 2 * s.ei), "down_proj_bias": (s.e, s.h)}.get(leaf, (s.h,))


def mxfp4(s, name):
    out, inner = (2 * s.ei, s.h) if "gate_up" in name else (s.h, s.ei)
    if name.endswith("_blocks"):
        return "U8", (s.e, out, inner // 32, 16)
    if name.endswith("_scales"):
        return "U8", (s.e, out, inner // 32)
    return "BF16", dense(s, name)


def mlx(q):
    def shape(s, name, names):
        module, _, leaf = name.rpartition(".")
        m = linear(s, module)
        if not m or module + ".scales" not in names:
            return "BF16", dense(s, name)
        return ("U32", (m[0], m[1] * q["bits"] // 32)) if leaf == "weight" else ("BF16", (m[0], m[1] // q["group_size"]))
    return shape


def compressed(q):
    w = next(iter(q["config_groups"].values()))["weights"]

    def shape(s, name, names):
        module, _, leaf = name.rpartition(".")
        m = linear(s, module)
        if leaf == "weight_packed":
            return "I32", (m[0], m[1] * w["num_bits"] // 32)
        if leaf == "weight_scale":
            return "BF16", (m[0], m[1] // w["group_size"] if w["group_size"] else 1)
        return ("I64", (2,)) if leaf == "weight_shape" else ("BF16", dense(s, name))
    return shape


def rule(config):
    q = config.get("quantization_config") or config.get("quantization") or {}
    if q.get("quant_method") == "mxfp4":
        return lambda s, name, names: mxfp4(s, name)
    if q.get("quant_method") == "compressed-tensors":
        return compressed(q)
    return mlx(q) if q.get("group_size") else lambda s, name, names: ("BF16", dense(s, name))


def write_shard(path, tensors):
    header, at = {}, 0
    for name, (dtype, shape) in tensors.items():
        n = SIZES[dtype]
        for d in shape:
            n *= d
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.truncate(8 + len(text) + at)


def main(configs, tokenizers, out, name, tokenizer):
    src = os.path.join(configs, name)
    os.makedirs(out)
    make_checkpoint.copy_tokenizer(os.path.join(tokenizers, tokenizer), out)
    for f in os.listdir(src):
        if f.endswith((".json", ".jinja")) and not os.path.exists(os.path.join(out, f)):
            shutil.copyfile(os.path.join(src, f), os.path.join(out, f))
    config = json.load(open(src + "/config.json"))
    names = json.load(open(src + "/model.safetensors.index.json"))["weight_map"]
    shards = collections.defaultdict(dict)
    sizes, shape = Sizes(config), rule(config)
    for tensor, shard in names.items():
        shards[shard][tensor] = shape(sizes, tensor, names)
    for shard, tensors in shards.items():
        write_shard(os.path.join(out, shard), tensors)


PARTS = re.compile(r"\.(weight_packed|weight_scale|weight_shape|scales|biases)$|_(blocks|scales)$")


def account(out, plan):
    """Parts of a quantized module are one input, of the module's name."""
    names = json.load(open(out + "/model.safetensors.index.json"))["weight_map"]
    plan = json.load(open(plan))
    tensors = [t for o in plan["outputs"] for t in o["tensors"]]
    left_out = {t["name"] for t in plan.get("left_out", [])}
    used = {n for t in tensors for n in t["inputs"]}
    lost = [n for n in names if n not in used and n not in left_out and not PARTS.search(n)]
    both = used & left_out
    if lost or both:
        raise SystemExit(f"lost: {lost[:3]}; used and left out: {sorted(both)[:3]}")
    print(f"{len(names)} tensors become {len(tensors)}, {len(left_out)} left out")


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "--account":
        sys.exit(account(*sys.argv[2:]))
    if len(sys.argv) != 6:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
