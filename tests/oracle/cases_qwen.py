"""Checkpoints of Qwen's mixtures and their like, of Llama 4, gpt-oss and Mistral's later models."""
from make_checkpoint import NARROW, case

SLIM = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            max_position_embeddings=512, tie_word_embeddings=True)
MOE = dict(moe_intermediate_size=32, shared_expert_intermediate_size=64, num_experts=4, num_experts_per_tok=2)
LINEAR = dict(SLIM, num_hidden_layers=4, head_dim=16, linear_key_head_dim=8, linear_value_head_dim=8, linear_num_key_heads=2,
              linear_num_value_heads=4)
QWEN2MOE, QWEN3NEXT = ("Qwen2Moe", MOE), ("Qwen3Next", MOE)


def plain(family, size, tok="gpt2", types="plain", **config):
    return case(family, size, tok=tok, types=types, **config)


def with_mtp(n=1, prefix=""):
    """Blocks that predict further tokens: transformers' classes drop them, checkpoints have them. Of the last block, which has attention."""
    def add(out):
        import re
        import torch
        from safetensors.torch import load_file, save_file
        t = load_file(out + "/model.safetensors")
        last = max(int(m[1]) for m in map(re.compile(r"model\.layers\.(\d+)\.").match, t) if m)
        block = {k.split(".", 3)[3]: v for k, v in t.items() if k.startswith(f"model.layers.{last}.")}
        for i in range(n):
            t.update({f"{prefix}mtp.layers.{i}.{k}": v.clone().flip(0) for k, v in block.items()})
        norm = t["model.norm.weight"]
        for k in ["norm", "pre_fc_norm_embedding", "pre_fc_norm_hidden"]:
            t[f"{prefix}mtp.{k}.weight"] = norm.clone().flip(0)
        t[f"{prefix}mtp.fc.weight"] = torch.randn(norm.numel(), 2 * norm.numel()).to(norm.dtype)
        save_file(t, out + "/model.safetensors", metadata={"format": "pt"})
    return add


def set_config(**change):
    def change_config(out):
        import json
        j = json.load(open(out + "/config.json"))
        j.update(change)
        json.dump({k: v for k, v in j.items() if v != "gone"}, open(out + "/config.json", "w"), indent=1)
    return change_config


CASES = {
    "qwen2moe": plain(QWEN2MOE, SLIM, types="few", spell="old"),
    "qwen2moe-fused": plain(QWEN2MOE, SLIM, extras=("fused",), dtype="float16"),
    "qwen2moe-minimal": plain(QWEN2MOE, SLIM, spell="minimal", dtype="float32"),
    "qwen3next": plain(QWEN3NEXT, LINEAR, types="few", spell="old", after=with_mtp()),
    "qwen3next-f16": plain(QWEN3NEXT, LINEAR, dtype="float16", after=with_mtp(prefix="model.")),
    "qwen3next-no-mtp": plain(QWEN3NEXT, LINEAR, after=with_mtp(), args=["--no-mtp"]),
    "qwen3next-mtp": plain(QWEN3NEXT, LINEAR, after=with_mtp(), args=["--mtp"]),
    "qwen3next-none": plain(QWEN3NEXT, LINEAR, args=["--no-mtp"]),
    "qwen3next-lost": plain(QWEN3NEXT, LINEAR, fails="AssertionError"),
    "qwen3next-fused": plain(QWEN3NEXT, LINEAR, extras=("fused",), args=["--no-mtp"]),
    "qwen3next-minimal": plain(QWEN3NEXT, LINEAR, spell="minimal", dtype="float32", full_attention_interval=2, args=["--no-mtp"]),
}
