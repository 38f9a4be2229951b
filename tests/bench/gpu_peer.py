#!/usr/bin/env python3
"""What a user of the libraries of GPU runtimes would run: each Linear of a checkpoint rounded to nearest by the library that owns the layout,
shard by shard, on a processor. The libraries' parts are those that tests/oracle compares heft's bytes with. For scripts/bench.

usage: gpu_peer.py TARGET THREADS [SRC OUT]     without SRC only what is needed is imported, and told by the exit status"""
import os
import sys

import torch

sys.path.insert(1, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "oracle"))
import gptq
import gpu
from safetensors import safe_open
from safetensors.torch import save_file


def quantize(shard, name, target):
    """The tensors of a Linear. A scale that a set of Linears shares is of those in the shard."""
    module, w = name[:-len(".weight")], shard[name]
    if target in gptq.BITS or target.startswith("bnb"):
        return {f"{module}.{k}": v for k, v in gptq.make(w, target, 128).items()}
    return {f"{module}.{k}": v for k, v in gpu.library(shard, module, w, target, "").items()}


def is_linear(name, w):
    return name.endswith(".weight") and w.ndim == 2 and "embed_tokens" not in name and not gpu.stays(name, 1 << 30)


def convert(src, out, target):
    for f in sorted(os.listdir(src)):
        if not f.endswith(".safetensors"):
            continue
        made = {}
        with safe_open(os.path.join(src, f), "pt") as s:
            shard = {k: s.get_tensor(k) for k in s.keys()}
        for name, w in shard.items():
            made.update(quantize(shard, name, target) if is_linear(name, w) else {name: w})
        save_file({k: v.contiguous() for k, v in made.items()}, os.path.join(out, f), metadata={"format": "pt"})


def imports(target):
    """As quantize() needs them."""
    if target.startswith("bnb"):
        import bitsandbytes  # noqa: F401
    elif target == "fp8":
        import transformers.integrations.finegrained_fp8  # noqa: F401
    elif target not in gptq.BITS:
        gpu.scheme(target, "")


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    imports(sys.argv[1])
    if len(sys.argv) > 3:
        os.makedirs(sys.argv[4], exist_ok=True)
        with torch.no_grad():
            convert(sys.argv[3], sys.argv[4], sys.argv[1])
