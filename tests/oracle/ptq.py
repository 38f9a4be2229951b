#!/usr/bin/env python3
"""WORK/out/MODEL.SCHEME/, which heft wrote, with what llm-compressor's model_free_ptq makes of WORK/MODEL: tensors by name, type, shape and bytes,
and the members of quantization_config that say how they are stored. TAP on standard output.

usage: ptq.py WORK"""
import contextlib
import glob
import json
import os
import sys
import tempfile

import torch
from llmcompressor import model_free_ptq
from loguru import logger
from safetensors.torch import load_file

STAYS = ["lm_head", "re:.*embed_tokens.*", "re:.*mlp.gate$"]


def tensors(d):
    return {k: v for f in sorted(glob.glob(os.path.join(d, "*.safetensors"))) for k, v in load_file(f).items()}


def bits(x):
    return x.contiguous().view(torch.uint8) if x.ndim else x.reshape(1).view(torch.uint8)


def differing(ours, theirs):
    for k in sorted(set(ours) | set(theirs)):
        if k not in ours or k not in theirs:
            yield f"{k} is only in {'ours' if k in ours else 'theirs'}"
        elif (ours[k].dtype, ours[k].shape) != (theirs[k].dtype, theirs[k].shape):
            yield f"{k} is {ours[k].dtype} {tuple(ours[k].shape)}, theirs {theirs[k].dtype} {tuple(theirs[k].shape)}"
        elif not torch.equal(bits(ours[k]), bits(theirs[k])):
            yield f"{k} has other bytes"


def groups(d):
    """What a runtime reads: format, and weights and activations of the group, without members that have no say where weights are loaded."""
    q = json.load(open(os.path.join(d, "config.json")))["quantization_config"]
    group = next(iter(q["config_groups"].values()))
    says = {k: {m: v for m, v in (group[k] or {}).items() if v is not None and not m.startswith(("observer", "actorder", "zp_dtype", "scale_dtype"))}
            for k in ("weights", "input_activations")}
    return q["quant_method"], q["format"], q["quantization_status"], says


def told(passed, name, why):
    print(f"{'ok' if passed else 'not ok'} 1 - ptq/{name}")
    for line in ([] if passed else why[:4]):
        print("#", line)


def compare(work, case):
    model, scheme = case.split(".")
    with tempfile.TemporaryDirectory() as d, contextlib.redirect_stdout(sys.stderr):
        model_free_ptq(os.path.join(work, model), d, scheme=scheme, ignore=STAYS, device="cpu")
        theirs, said = tensors(d), groups(d)
    out = os.path.join(work, "out", case)
    why = list(differing(tensors(out), theirs))
    told(not why, f"{case}: {len(theirs)} tensors are those of model_free_ptq", why)
    told(groups(out) == said, f"{case}: the configuration says the same", [str(groups(out)), str(said)])


if __name__ == "__main__":
    logger.remove()
    for each in sorted(os.listdir(os.path.join(sys.argv[1], "out"))):
        compare(sys.argv[1], each)
