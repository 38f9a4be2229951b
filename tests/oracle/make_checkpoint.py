#!/usr/bin/env python3
"""Writes small checkpoints of heft's families with transformers' own classes, each with a real tokenizer beside it.

usage: make_checkpoint.py NAME OUTDIR TOKENIZERS        TOKENIZERS: folder of tokenizer folders, gzipped files allowed
       make_checkpoint.py --list | --short      --short: of the plain cases the first of each family, by the first word of their names
reference.py imports this file and makes all in one process. The weights are random with the tails of trained ones; names,
shapes, dtypes and config are what save_pretrained writes, and then respelled as older releases spelt them (row `spell`)."""
import glob
import gzip
import importlib
import json
import os
import shutil
import sys

NARROW = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
              max_position_embeddings=512)
WIDE = dict(NARROW, hidden_size=256, intermediate_size=512, num_hidden_layers=8)
SPM = dict(bos_token_id=1, eos_token_id=2)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=256,
              rope_theta=500000.0)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=128, rope_theta=1000000.0)
LLAMA, MISTRAL, MIXTRAL = ("Llama", SPM), ("Mistral", SPM), ("Mixtral", dict(SPM, num_experts_per_tok=2))
QWEN2, QWEN3 = ("Qwen2", {}), ("Qwen3", {})
QWEN3MOE = ("Qwen3Moe", dict(moe_intermediate_size=64, num_experts=4, num_experts_per_tok=2))


def case(family, size, tok="kjv-llama", dtype="bfloat16", spell="new", shard="1GB", types="few", extras=(), model="ForCausalLM", make=None,
         after=None, fails=None, args=(), pre=None, **config):
    """types: 'all' or 'few' of the reference's types, 'plain' for its 16- and 32-bit files and Q4_K_M, 'bare' for these files alone, 'each' for
    every type that the converter writes by itself; extras: model card and
    the like; model: how the class of the model ends; make: a function of the folder instead, where transformers has no such class, or none that can
    be made small; after: one that changes what was written; fails: the error of the reference, which cannot convert it: heft's file must load; args:
    options of the conversion, which the reference and heft spell alike; pre: the pre-tokenizer's name, where the reference does not know it."""
    cls, own = family
    return dict(cls=cls, config={**size, **own, **config}, tok=tok, dtype=dtype, spell=spell, shard=shard, types=types, extras=extras, model=model,
                make=make, after=after, fails=fails, args=list(args), pre=pre)


CASES = {
    # llama: heads, ties, biases, rope scaling, head sizes
    "llama": case(LLAMA, WIDE, types="all", spell="old", shard="2MB"),
    "llama-narrow": case(LLAMA, NARROW, types="all"),
    "llama-mha": case(LLAMA, WIDE, num_key_value_heads=4, dtype="float16"),
    "llama-f32": case(LLAMA, WIDE, dtype="float32", shard="3MB", types="all"),
    "llama-mixed": case(LLAMA, WIDE, dtype="mixed"),
    "llama-rope3": case(LLAMA, WIDE, rope_parameters=LLAMA3, tie_word_embeddings=True, types="all", head_dim=64),
    "llama-rope3-old": case(LLAMA, NARROW, rope_parameters=LLAMA3, tie_word_embeddings=True, spell="old"),
    "llama-bias": case(LLAMA, WIDE, attention_bias=True, mlp_bias=True),
    "llama-linear": case(LLAMA, NARROW, rope_parameters=dict(rope_type="linear", factor=2.0, rope_theta=10000.0), spell="old"),
    "llama-yarn": case(LLAMA, NARROW, rope_parameters=YARN),
    "llama-yarn-old": case(LLAMA, NARROW, rope_parameters=YARN, spell="old"),
    "llama-dynamic": case(LLAMA, NARROW, rope_parameters=dict(rope_type="dynamic", factor=2.0, rope_theta=10000.0), spell="old"),
    "llama-headdim": case(LLAMA, NARROW, head_dim=24),
    "llama-odd": case(LLAMA, dict(NARROW, hidden_size=80, intermediate_size=200), types="all"),
    "llama-rows": case(LLAMA, dict(WIDE, intermediate_size=320, num_hidden_layers=7), types="all"),
    "llama-70b": case(LLAMA, dict(WIDE, intermediate_size=256, num_hidden_layers=80)),
    "llama-minimal": case(LLAMA, WIDE, spell="minimal"),
    "llama-card": case(LLAMA, NARROW, extras=("card", "generation", "template")),
    "llama-added": case(LLAMA, NARROW, extras=("added",), vocab_pad=64),
    # tokenizers of other families under a llama
    "llama-mistral-spm": case(LLAMA, NARROW, tok="mistral-spm"),
    "llama-mistral03": case(LLAMA, NARROW, tok="mistral03"),
    "llama-phi3": case(LLAMA, NARROW, tok="phi-3"),
    "llama-deepseek": case(LLAMA, NARROW, tok="deepseek", tie_word_embeddings=True),
    "llama-granite": case(LLAMA, NARROW, tok="granite31", tie_word_embeddings=True),
    "llama-glm": case(LLAMA, NARROW, tok="glm-4.6", tie_word_embeddings=True),
    "llama-neox": case(LLAMA, NARROW, tok="gpt_neox", tie_word_embeddings=True),
    # mistral
    "mistral": case(MISTRAL, WIDE, types="all", shard="4MB", sliding_window=256),
    "mistral-narrow": case(MISTRAL, NARROW, tok="mistral03", spell="old", sliding_window=None, head_dim=32),
    "mistral-minimal": case(MISTRAL, WIDE, spell="minimal"),
    # mixtral
    "mixtral": case(MIXTRAL, WIDE, types="all", num_local_experts=8, shard="8MB"),
    "mixtral-narrow": case(MIXTRAL, NARROW, num_local_experts=4, spell="old", dtype="float16"),
    "mixtral-minimal": case(MIXTRAL, NARROW, num_local_experts=8, spell="minimal"),
    # qwen2
    "qwen2": case(QWEN2, WIDE, tie_word_embeddings=True, types="all"),
    "qwen2-narrow": case(QWEN2, NARROW, tok="qwen2", spell="old", extras=("generation",)),
    "qwen2-yarn": case(QWEN2, NARROW, tok="qwen2", tie_word_embeddings=True, rope_parameters=YARN),
    "qwen2-minimal": case(QWEN2, NARROW, tok="qwen2", tie_word_embeddings=True, spell="minimal"),
    "qwen2-window": case(QWEN2, NARROW, use_sliding_window=True, sliding_window=128, max_window_layers=2),
    # qwen3
    "qwen3": case(QWEN3, WIDE, tok="gpt2", tie_word_embeddings=True, types="all", head_dim=64, shard="20MB"),
    "qwen3-narrow": case(QWEN3, NARROW, tok="qwen3", spell="old", head_dim=32),
    "qwen3-minimal": case(QWEN3, NARROW, tok="qwen3", tie_word_embeddings=True, spell="minimal", head_dim=128),
    "qwen3-f32": case(QWEN3, WIDE, tok="gpt2", tie_word_embeddings=True, dtype="float32", rope_parameters=YARN),
    # qwen3moe
    "qwen3moe": case(QWEN3MOE, WIDE, tok="gpt2", tie_word_embeddings=True, types="all", moe_intermediate_size=256, num_experts=8,
                     head_dim=64, shard="20MB"),
    "qwen3moe-narrow": case(QWEN3MOE, NARROW, tok="qwen3", tie_word_embeddings=True, spell="old", head_dim=32),
    "qwen3moe-fused": case(QWEN3MOE, WIDE, tok="gpt2", tie_word_embeddings=True, moe_intermediate_size=256, head_dim=64,
                           extras=("fused",)),
    "qwen3moe-minimal": case(QWEN3MOE, NARROW, tok="gpt2", tie_word_embeddings=True, spell="minimal", head_dim=32),
}

CARD = """---
license: apache-2.0
license_name: my-license
license_link: https://example.org/LICENSE
base_model:
- meta-llama/Llama-3.1-8B
- example/Other-Model-2B-v2
datasets:
- wikimedia/wikipedia
- example/some_set
language:
- en
- fr
tags:
- text-generation
- llama
pipeline_tag: text-generation
author: Somebody Else
library_name: transformers
---
# Example
"""
GENERATION = dict(bos_token_id=1, eos_token_id=[2, 3], do_sample=True, temperature=0.6, top_p=0.95, top_k=20, min_p=0.05,
                  repetition_penalty=1.05, transformers_version="4.41.0")
TEMPLATE = "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] }}{% endfor %}{# ünïcode \\u00e9 #}\n"


def copy_tokenizer(folder, out):
    for f in glob.glob(folder + "/*"):
        b = os.path.basename(f)
        if b.endswith(".gz"):
            with gzip.open(f) as g, open(os.path.join(out, b[:-3]), "wb") as o:
                o.write(g.read())
        elif b.startswith(("tokenizer", "vocab", "merges", "special_tokens", "added_tokens")):
            shutil.copyfile(f, os.path.join(out, b))


def vocabulary(d):
    """How many ids the tokenizer of a folder gives."""
    def load(name):
        p = os.path.join(d, name)
        return json.load(open(p, encoding="utf-8")) if os.path.exists(p) else None
    ids = [a for a in map(int, ((load("tokenizer_config.json") or {}).get("added_tokens_decoder") or {}))]
    j = load("tokenizer.json")
    if j:
        m = j["model"]["vocab"]
        ids += [len(m) - 1] if isinstance(m, list) else list(m.values())
        ids += [a["id"] for a in j.get("added_tokens", [])]
    elif load("vocab.json"):
        ids += list(load("vocab.json").values())
    if os.path.exists(d + "/tokenizer.model"):
        import sentencepiece
        ids.append(sentencepiece.SentencePieceProcessor(model_file=d + "/tokenizer.model").vocab_size() - 1)
    return max(ids) + 1


def respell(config, spell, given, dtype):
    """config.json as an older transformers wrote it ('old'), or with what was asked for only ('minimal')."""
    if spell == "minimal":
        keep = {"architectures", "model_type", "vocab_size", "num_local_experts", *given}
        config = {k: v for k, v in config.items() if k in keep}
    if spell == "old":
        rope = dict(config.pop("rope_parameters", None) or {})
        config["rope_theta"] = rope.pop("rope_theta", 10000.0)
        config["rope_scaling"] = None if rope.get("rope_type", "default") == "default" else rope
        config["torch_dtype"] = config.pop("dtype", dtype)
        config["transformers_version"] = "4.41.0"
    return config


def fuse_experts(out):
    """Stacks the experts of each layer into gate_up_proj and down_proj, the layout of the model in memory."""
    import torch
    from safetensors.torch import load_file, save_file
    files = glob.glob(out + "/*.safetensors")
    t = {k: v for f in files for k, v in load_file(f).items()}
    for f in files + glob.glob(out + "/*.index.json"):
        os.remove(f)
    groups = {}
    for name in [n for n in t if ".experts." in n]:
        head, rest = name.split(".experts.")
        e, w, _ = rest.split(".")
        groups.setdefault(head, {})[int(e), w] = t.pop(name)
    for head, g in groups.items():
        n = 1 + max(e for e, _ in g)
        t[head + ".experts.gate_up_proj"] = torch.stack([torch.cat([g[e, "gate_proj"], g[e, "up_proj"]]) for e in range(n)])
        t[head + ".experts.down_proj"] = torch.stack([g[e, "down_proj"] for e in range(n)])
    save_file(t, out + "/model.safetensors", metadata={"format": "pt"})


def extra_files(c, out):
    if "card" in c["extras"]:
        open(out + "/README.md", "w").write(CARD)
    if "generation" in c["extras"]:
        json.dump(GENERATION, open(out + "/generation_config.json", "w"))
    if "template" in c["extras"]:
        open(out + "/chat_template.jinja", "w").write(TEMPLATE)
    if "added" in c["extras"]:
        n = vocabulary(out)
        json.dump({"<|im_start|>": n, "<|im_end|>": n + 1, "plain word": n + 2}, open(out + "/added_tokens.json", "w"))
        p = out + "/tokenizer_config.json"
        t = json.load(open(p))
        t["added_tokens_decoder"] = {str(n + i): dict(content=s, special=special, lstrip=False, rstrip=False, normalized=False,
                                                      single_word=False)
                                     for i, (s, special) in enumerate([("<|im_start|>", True), ("<|im_end|>", True), ("plain word", False)])}
        json.dump(t, open(p, "w"))
    if "fused" in c["extras"]:
        fuse_experts(out)


def randomize(model, seed):
    """Heavy-tailed weights; norms and biases that are not all ones and zeros, since a lost +1 would hide."""
    import torch
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, p in model.named_parameters():
            if p.ndim > 1:
                p.copy_(torch.randn(p.shape, generator=g) * 0.02 * (1 + 4 * (torch.rand(p.shape, generator=g) < 0.002)))
            else:
                p.add_(torch.randn(p.shape, generator=g) * 0.05)


def build(name, out, tokenizers):
    import torch
    import transformers as T
    c = CASES[name]
    os.makedirs(out, exist_ok=True)
    if c["tok"]:
        copy_tokenizer(os.path.join(tokenizers, c["tok"]), out)
    if c["make"]:
        c["make"](out)
        return
    kw = dict(c["config"])
    pad = kw.pop("vocab_pad", 0)
    vocab = (vocabulary(out) + pad + 63) // 64 * 64 if c["tok"] != "kjv-llama" else vocabulary(out) + pad
    config = getattr(T, c["cls"] + "Config")(vocab_size=vocab, **kw)
    model = getattr(T, c["cls"] + c["model"])(config)
    randomize(model, sum(map(ord, name)))
    dtype = "bfloat16" if c["dtype"] == "mixed" else c["dtype"]
    model = model.to(getattr(torch, dtype))
    if c["dtype"] == "mixed":
        for n, p in model.named_parameters():
            if "norm" in n or "lm_head" in n:
                p.data = p.data.to(torch.float32)
            if "k_proj" in n:
                p.data = p.data.to(torch.float16)
    model.save_pretrained(out, max_shard_size=c["shard"])
    for f in glob.glob(out + "/generation_config.json"):
        os.remove(f)
    p = out + "/config.json"
    j = respell(json.load(open(p)), c["spell"], c["config"], dtype)
    json.dump(j, open(p, "w"), indent=1)
    extra_files(c, out)
    if c["after"]:
        c["after"](out)


def rename(*pairs):
    """For `after`: prefixes of tensors' names, (before, after) each, in turn."""
    def apply(out):
        from safetensors.torch import load_file, save_file
        t = load_file(out + "/model.safetensors")
        for a, b in pairs:
            t = {b + k[len(a):] if k.startswith(a) else k: v for k, v in t.items()}
        save_file(t, out + "/model.safetensors", metadata={"format": "pt"})
    return apply


def load_cases():
    """Families of their own files: cases_NAME.py beside this one, each with CASES."""
    sys.modules.setdefault("make_checkpoint", sys.modules[__name__])
    for f in sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases_*.py"))):
        CASES.update(importlib.import_module(os.path.basename(f)[:-3]).CASES)


load_cases()

def short():
    """Of each family one case, and of those that the reference fails on each second."""
    seen, failing = set(), 0
    for name, c in CASES.items():
        family = name.split("-")[0]
        failing += bool(c["fails"])
        if family not in seen or (c["fails"] and failing % 2):
            yield name
        seen.add(family)


def preload():
    """What each case's forked child would import again, which takes seconds: these packages load lazily."""
    import sentencepiece, tokenizers  # noqa: F401, E401
    import transformers.generation, transformers.models.auto.tokenization_auto, transformers.models.llama.modeling_llama  # noqa: F401, E401
    import transformers.tokenization_utils_tokenizers  # noqa: F401


if __name__ == "__main__":
    if sys.argv[1:] in (["--list"], ["--short"]):
        print("\n".join(CASES if sys.argv[1] == "--list" else short()))
    elif len(sys.argv) == 4:
        build(*sys.argv[1:])
    else:
        raise SystemExit(__doc__)
