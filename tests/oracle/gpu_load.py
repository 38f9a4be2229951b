#!/usr/bin/env python3
"""Checkpoints for GPU runtimes loaded by their clients on the CPU: transformers, compressed-tensors, safetensors.

usage: gpu_load.py sources WORK                WORK/MODEL/: tiny models by transformers' own classes, no dimension under 256
       gpu_load.py compare WORK                WORK/out/MODEL.TARGET.GROUP.METHOD/: heft's; WORK/decoded/...: what heft decodes of it again; TAP

Numbers are computed here anew from the codes as the files hold them, in the arithmetic of the library that reads them, and must be the client's bit for
bit; no tensor may be missing or left over. A model whose experts stand apart goes through compressed-tensors' own dequantizer first, since
transformers 5.12 leaves packed experts as random numbers. Every model computes: logits and 16 tokens of text as those of the decoded one."""
import json
import os
import re
import sys

import torch
from gpu import Tap, load
from gpu_models import apart, blocks, write
from safetensors import safe_open

BF16, F32 = torch.bfloat16, torch.float32
BASE = dict(vocab_size=512, hidden_size=256, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4, head_dim=64,
            max_position_embeddings=128, tie_word_embeddings=False, bos_token_id=None, eos_token_id=None, pad_token_id=None)
MOE = dict(num_experts_per_tok=2, moe_intermediate_size=256)
DEEPSEEK = dict(n_routed_experts=4, first_k_dense_replace=1, n_group=1, topk_group=1, q_lora_rank=256, kv_lora_rank=512, qk_nope_head_dim=64,
                qk_rope_head_dim=64, v_head_dim=64, head_dim=64, n_shared_experts=1, **MOE)
MODELS = { # class of the configuration, what it has besides
    "llama": ("LlamaConfig", {}),
    "tied": ("LlamaConfig", dict(tie_word_embeddings=True)),
    "qwen2": ("Qwen2Config", {}),
    "qwen3_moe": ("Qwen3MoeConfig", dict(num_experts=4, mlp_only_layers=[], **MOE)),
    "mixtral": ("MixtralConfig", dict(num_local_experts=4, num_experts_per_tok=2)),
    "deepseek_v3": ("DeepseekV3Config", DEEPSEEK),
    "mtp": ("Qwen3_5TextConfig", dict(layer_types=["linear_attention", "full_attention"], linear_num_value_heads=4, linear_num_key_heads=4,
                                      linear_key_head_dim=64, linear_value_head_dim=64)),
}
APART = ("qwen3_moe", "mixtral", "deepseek_v3")
E2M1 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])
IDS = torch.arange(7, 39)[None]


# ---- sources ----

def sources(work):
    import transformers
    for i, (name, (kind, more)) in enumerate(MODELS.items()):
        torch.manual_seed(i)
        model = transformers.AutoModelForCausalLM.from_config(getattr(transformers, kind)(**{**BASE, **more}), dtype=BF16)
        with torch.no_grad():
            for k, p in model.named_parameters():
                p.copy_(1 + torch.randn(p.shape) * 0.1 if "norm" in k else torch.randn(p.shape) * 0.06)
        model.save_pretrained(os.path.join(work, name))
    mtp(os.path.join(work, "mtp"))
    ragged(work)


def mtp(d):
    """A layer that predicts further tokens, as Qwen's files have it; transformers does not load it."""
    from safetensors.torch import save_file
    t = load(d)
    last = max(int(k.split("layers.")[1].split(".")[0]) for k in t if "layers." in k)
    t.update({k.replace(f"model.layers.{last}.", "mtp.layers.0."): v.clone() for k, v in t.items() if f"layers.{last}." in k})
    t["mtp.fc.weight"] = torch.randn(256, 512).to(BF16)
    save_file(t, os.path.join(d, "model.safetensors"), metadata={"format": "pt"})


def ragged(work):
    """DeepSeek's files as they are published: FP8, and kv_a_proj_with_mqa of 576 rows with a block of 64."""
    config, out = json.load(open(os.path.join(work, "deepseek_v3", "config.json"))), {}
    for k, v in load(os.path.join(work, "deepseek_v3")).items():
        if v.ndim == 2 and k.endswith(("_proj.weight", "with_mqa.weight")):
            out[k], out[k + "_scale_inv"] = blocks(v)
        else:
            out[k] = v
    config["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}
    write(os.path.join(work, "deepseek_fp8"), out, config)


# ---- numbers of the codes ----

def wide(scale, shape):
    """Each number's own scale, whatever it is shared by."""
    if scale.ndim == 1:
        scale = scale[:, None]
    for d in (0, 1):
        each = 128 if 1 < scale.shape[d] != shape[d] and shape[d] % scale.shape[d] else -(-shape[d] // scale.shape[d])
        scale = scale.repeat_interleave(each, d).narrow(d, 0, shape[d])
    return scale


def unpack(words, bits, n, along):
    """Codes of 32-bit words, the first at the low end."""
    shift = torch.arange(0, 32, bits)
    if along == 0:
        return unpack(words.T, bits, n, 1).T
    return ((words.to(torch.int64)[:, :, None] >> shift) & (2 ** bits - 1)).flatten(1)[:, :n]


def packed_integers(p):
    rows, cols = p["weight_shape"].tolist()
    bits = 32 * p["weight_packed"].shape[1] // cols
    code, middle = unpack(p["weight_packed"], bits, cols, 1), 2 ** (bits - 1)
    if "weight_zero_point" in p:
        middle = wide(unpack(p["weight_zero_point"], bits, rows, 0), code.shape)
    return (code - middle).float() * wide(p["weight_scale"].float(), code.shape)


def pairs(code):
    return E2M1[torch.stack((code & 15, code >> 4), -1).flatten(1).long()]


def value(p):
    """A module's weight in BF16, of its tensors: products in F32, rounded once."""
    if "weight_packed" in p and p["weight_packed"].dtype == torch.int32:
        return packed_integers(p).to(BF16)
    code = pairs(p["weight_packed"]) if "weight_packed" in p else p["weight"].float()
    scale = p.get("weight_scale", p.get("weight_scale_inv"))
    scale = torch.pow(2.0, scale.float() - 127) if scale.dtype == torch.uint8 else scale.float()
    if "weight_global_scale" in p:
        whole = p["weight_global_scale"]
        scale = scale / whole if whole.ndim else (scale.to(BF16) / whole).float()  # torch: a number without dimensions does not make BF16 F32
    return (code * wide(scale, code.shape)).to(BF16)


def modules(t):
    """name of a weight: the tensors that it is stored as, for those that are quantized"""
    out = {}
    for k in t:
        base, leaf = k.rsplit(".", 1)
        if leaf in ("weight_scale", "weight_scale_inv"):
            out[base + ".weight"] = {x[len(base) + 1:]: t[x] for x in t if x.rsplit(".", 1)[0] == base}
    return out


def plain(t):
    """All of a directory's weights in 16 bits."""
    parts = modules(t)
    of = {f"{w.rsplit('.', 1)[0]}.{x}" for w, p in parts.items() for x in p if x.startswith("weight")}
    return {**{k: v for k, v in t.items() if k not in of}, **{k: value(p) for k, p in parts.items()}}


# ---- clients ----

def opened(t, d, who, **more):
    from transformers import AutoModelForCausalLM
    model, info = AutoModelForCausalLM.from_pretrained(d, dtype=BF16, output_loading_info=True, **more)
    bad = {k: list(v)[:3] for k, v in info.items() if v}
    t.ok(not bad, f"transformers loads {who}, nothing missing, left over or of another shape", str(bad))
    return model


def said(model):
    """Logits, and the text of the likeliest tokens."""
    with torch.no_grad():
        logits = model(IDS).logits
        return logits, model.generate(IDS[:, :8], max_new_tokens=16, do_sample=False)


def agree(t, a, b):
    """Activations are not rounded where the two are compared; with them rounded, as the layout asks for, logits stay near."""
    from compressed_tensors.quantization import disable_quantization
    whole = said(a)[0]
    a.apply(disable_quantization)
    (x, m), (y, n) = said(a), said(b)
    t.ok(bool(torch.isfinite(whole).all()) and torch.cosine_similarity(whole.float(), y.float(), -1).min() > 0.9, "its logits are finite, and near")
    t.ok(torch.equal(x, y), "logits are those of the decoded model", f"{(x - y).abs().max()}")
    t.ok(m.shape[1] == 24 and torch.equal(m, n), "and so is the text of 16 tokens", f"{m.tolist()} {n.tolist()}")


def differ(a, b):
    return [k for k in b if k not in a or a[k].dtype != b[k].dtype or not torch.equal(a[k], b[k])]


def check_dense(t, name, case, ours, decoded, more):
    model, plainly = opened(t, case, "it", **more), opened(t, decoded, "what heft decodes")
    theirs = apart(name, model.state_dict()) if name in APART else model.state_dict()
    want = {k: v for k, v in plain(ours).items() if not k.startswith("mtp.")}
    diff = differ(theirs, want)
    t.ok(not diff, f"state dict: the numbers of {len(modules(ours))} modules' codes, all else as stored", str(diff[:4]))
    agree(t, model, plainly)


def dequantized(case, out):
    """compressed-tensors' own way from packed to plain."""
    from compressed_tensors.entrypoints.convert import CompressedTensorsDequantizer, convert_checkpoint
    convert_checkpoint(case, out, CompressedTensorsDequantizer(case, ignore=["re:.*norm$", "re:.*embed_tokens$"]))
    return load(out)


def by_modelopt_converter(ours, ignore):
    """ModelOpt's names turned into compressed-tensors', then its decompressor."""
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.entrypoints.convert import ModelOptNvfp4Converter
    from gpu import scheme
    out = ModelOptNvfp4Converter(targets=["re:.*"], ignore=ignore).validate(dict(ours))
    got = BaseCompressor.get_value_from_registry("nvfp4-pack-quantized")
    theirs = {k: got.decompress(p, scheme("nvfp4a16", ""))["weight"] for k, p in modules(out).items()}
    return theirs, {k: value(p) for k, p in modules(out).items()}


def by_block_dequantizer(case, ours):
    from compressed_tensors.entrypoints.convert import FP8BlockDequantizer
    return FP8BlockDequantizer.from_pretrained(case).process(dict(ours))


def check_apart(t, case, ours, decoded, scratch):
    theirs, want = dequantized(case, scratch), plain(ours)
    diff = differ(theirs, want)
    t.ok(not diff and set(theirs) == set(want), f"compressed-tensors dequantizes {len(modules(ours))} modules to the numbers of their codes", str(diff[:4]))
    agree(t, opened(t, scratch, "that"), opened(t, decoded, "what heft decodes"))


def check_blocks(t, case, ours, decoded):
    theirs, want = by_block_dequantizer(case, ours), plain(ours)
    diff = differ(theirs, want)
    t.ok(not diff and set(theirs) == set(want), f"compressed-tensors dequantizes {len(modules(ours))} modules of blocks to the numbers of their codes", str(diff[:4]))
    t.ok(not differ(load(decoded), want), "and heft decodes the same")


def check_modelopt(t, ours, decoded, ignore):
    theirs, want = by_modelopt_converter(ours, ignore)
    t.ok(set(theirs) == set(want) and not differ(theirs, want), f"compressed-tensors converts {len(want)} modules of ModelOpt's", str(differ(theirs, want)[:4]))
    own = load(decoded)
    far = [k for k in want if ((own[k].float() - want[k].float()).abs() > want[k].float().abs() / 128).any()]  # three roundings to BF16
    t.ok(not far, "heft decodes the same, but for the scales that torch rounds to BF16", str(far[:4]))


# ---- files ----

def header(path):
    """The header, and whether it and the data lie as the format has them."""
    raw = open(path, "rb").read()
    n = int.from_bytes(raw[:8], "little")
    h = json.loads(raw[8:8 + n])
    end, good = 0, n % 8 == 0 and raw[8:9] == b"{"
    for k, v in sorted(((k, v) for k, v in h.items() if k != "__metadata__"), key=lambda x: x[1]["data_offsets"]):
        good, end = good and v["data_offsets"][0] == end, v["data_offsets"][1]
    return h, good and 8 + n + end == len(raw), end


def check_files(t, d):
    files = sorted(f for f in os.listdir(d) if f.endswith(".safetensors"))
    heads = {f: header(os.path.join(d, f)) for f in files}
    t.ok(all(h[1] and h[0]["__metadata__"]["format"] == "pt" for h in heads.values()), "headers: no gap, no overlap, whole words, of torch's format")
    for f in files:
        with safe_open(os.path.join(d, f), "pt") as s:
            good = set(s.keys()) == set(heads[f][0]) - {"__metadata__"} and all(s.get_tensor(k).shape == torch.Size(heads[f][0][k]["shape"]) for k in s.keys())
        good or t.ok(False, f"safetensors reads all of {f}")
    index = os.path.join(d, "model.safetensors.index.json")
    if len(files) == 1:
        return t.ok(not os.path.exists(index) and files == ["model.safetensors"], "one file, no index")
    told, have = json.load(open(index)), {k: f for f in files for k in heads[f][0] if k != "__metadata__"}
    t.ok(told["weight_map"] == have, f"the index has every tensor where it is, in {len(files)} files")
    t.ok(told["metadata"]["total_size"] == sum(h[2] for h in heads.values()), "total_size is the sum", str(told["metadata"]))


FUSED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}


def asked_by_vllm(module):
    """As vLLM names it: several in one; of a layer's experts the first, by names of its own."""
    if ".experts." in module:
        return [module.split(".experts.")[0] + f".experts.0.{x}_proj" for x in ("gate", "up", "down")]
    stem, _, leaf = module.rpartition(".")
    return [f"{stem}.{next((f for f, parts in FUSED.items() if leaf in parts), leaf)}"]


def scheme_of(q, name):
    """As vLLM looks it up: what is ignored; the name among the targets; of several in one all their names among them."""
    def among(targets, n):
        return any(re.match(x[3:], n) if x.startswith("re:") else x == n for x in targets)
    stem, _, leaf = name.rpartition(".")
    names = [f"{stem}.{x}" for x in FUSED.get(leaf, (leaf,))]
    for g in q["config_groups"].values():
        if all(among(g["targets"], n) for n in names) and not any(among(q["ignore"], n) for n in names):
            return g["format"], g["weights"]["num_bits"], g["weights"]["group_size"] if g["weights"]["strategy"] == "group" else None
    return None


def stored_as(ours, weight):
    p = modules_of(ours, weight)
    code, cols = p.get("weight_packed", p.get("weight")), 0
    if code.dtype == torch.int32:
        cols = int(p["weight_shape"][1])
        return "pack-quantized", 32 * code.shape[1] // cols, cols // p["weight_scale"].shape[1] if p["weight_scale"].shape[1] > 1 else None
    if "weight_global_scale" in p:
        return "nvfp4-pack-quantized", 4, None
    if p["weight_scale"].dtype == torch.uint8:
        return ("mxfp4-pack-quantized", 4, 32) if code.dtype == torch.uint8 else ("mxfp8-quantized", 8, 32)
    return "float-quantized", 8, None


def modules_of(ours, weight):
    stem = weight[:-len("weight")]
    return {k[len(stem):]: v for k, v in ours.items() if k.startswith(stem)}


def compare(work, case):
    from transformers import CompressedTensorsConfig
    name, target, group, method = case.split(".")
    t, d, decoded = Tap(f"{name} {target} {group} {method}"), os.path.join(work, "out", case), os.path.join(work, "decoded", case)
    ours = load(d)
    q = json.load(open(os.path.join(d, "config.json"))).get("quantization_config", {})
    check_files(t, d)
    if group == "solved":
        wrong = [m for m in modules(ours) if {scheme_of(q, n) for n in asked_by_vllm(m[:-len(".weight")])} != {stored_as(ours, m)}]
        t.ok(not wrong, "by the names that vLLM has for them modules are found in the group of what they are stored as", str(wrong[:4]))
        t.ok(len(q["config_groups"]) > 1 and q["format"] == "mixed-precision", "several layouts in one directory", str(list(q["config_groups"])))
    if target.startswith("modelopt"):
        check_modelopt(t, ours, decoded, q["ignore"])
    elif name == "deepseek_fp8" or (target == "fp8" and name == "deepseek_v3"):
        check_blocks(t, d, ours, decoded)
    elif target != "fp8" and name in APART:
        check_apart(t, d, ours, decoded, os.path.join(work, "scratch", case))
    else:
        check_dense(t, name, d, ours, decoded, {} if target == "fp8" else {"quantization_config": CompressedTensorsConfig(run_compressed=False)})
    return t.bad


if __name__ == "__main__":
    if sys.argv[1] == "sources":
        sources(sys.argv[2])
    else:
        wrong = 0
        for case in sorted(os.listdir(os.path.join(sys.argv[2], "out"))):
            try:
                wrong += compare(sys.argv[2], case)
            except Exception as e:  # a client that gives up is a failed test of this case, and the others go on
                wrong += 1
                print(f"not ok 1 - gpu/{case}: no client gives up\n# {type(e).__name__}: {str(e).splitlines()[:1]}", flush=True)
        sys.exit(wrong > 0)
