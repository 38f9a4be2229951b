#!/usr/bin/env python3
"""Small models with adapters of random numbers, each merged by the library that makes such.

usage: lora_makers.py make DIR | compare DIR
DIR/CASE: base, adapter, want.safetensors; refused: the error that heft gives instead."""
import json
import os
import sys

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
CONV1D = dict(fan_in_fan_out=True, target_modules=["c_attn", "c_proj", "c_fc"])
SIZES = dict(hidden_size=32, num_hidden_layers=3, intermediate_size=64, num_attention_heads=4, num_key_value_heads=2, vocab_size=48)
RANKS = {"layers.1.self_attn.q_proj": 8, "^model.layers.0.mlp.up_proj": 2}
ALPHAS = {"layers.1.self_attn.q_proj": 32, "down_proj": 3, "^layers.2.self_attn.k_proj": 77, "^model.layers.2.self_attn.v_proj": 5, ".*2.*o_proj": 6,
          "(gate|up)_proj": 7}
PEFT = {
    "plain": {}, "rslora": dict(r=8, use_rslora=True), "all-linear": dict(target_modules="all-linear"),
    "patterns": dict(rank_pattern=RANKS, alpha_pattern=ALPHAS),
    "patterns-rslora": dict(use_rslora=True, rank_pattern={"k_proj": 2}, alpha_pattern={"k_proj": 5}),
    "dora": dict(use_dora=True), "dora-rslora": dict(use_dora=True, use_rslora=True),
    "embedding": dict(target_modules=["embed_tokens", "q_proj", "lm_head"]),
    "embedding-dora": dict(use_dora=True, target_modules=["embed_tokens", "q_proj"]),
    "saved": dict(target_modules=["q_proj"], modules_to_save=["lm_head"]),
    "conv1d": CONV1D, "conv1d-dora": dict(CONV1D, use_dora=True),
    "replicated": dict(target_modules=["q_proj"], layer_replication=[(0, 2), (1, 3)]),
    "shortened": dict(target_modules=["q_proj"], layer_replication=[(1, 3)]),
    "tokens": dict(target_modules=["q_proj"], trainable_token_indices=[1, 5]),
    "pissa": dict(init_lora_weights="pissa", target_modules=["q_proj"]),
}
KEYS = ["self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj"]
MLX = {"mlx": KEYS, "mlx-dora": KEYS, "mlx-embedding": KEYS + ["model.embed_tokens", "lm_head"], "mlx-embedding-dora": ["model.embed_tokens"], "mlx-full": []}
REFUSED = {"replicated": "layer_replication", "shortened": "layer_replication", "tokens": "trainable_tokens_delta", "pissa": "init_lora_weights"}


def by_peft(name, options, d):
    import torch
    from peft import LoraConfig, get_peft_model
    from safetensors.torch import save_file
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
    if name.startswith("conv1d"):
        model = GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=40, n_positions=32, bos_token_id=0, eos_token_id=0))
    else:
        model = LlamaForCausalLM(LlamaConfig(tie_word_embeddings=False, **SIZES))
    model.save_pretrained(d + "/base")
    p = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **dict(dict(r=4, lora_alpha=8, target_modules=LINEAR), **options)))
    for n, t in p.named_parameters():
        if "lora_" in n or "modules_to_save" in n:
            t.data = torch.randn_like(t) * 0.1 + ("magnitude" in n)
    p.save_pretrained(d + "/adapter")
    tied = {"lm_head.weight"} if name.startswith("conv1d") else set()
    w = {k: v.contiguous().clone() for k, v in p.merge_and_unload().state_dict().items() if k not in tied}
    save_file(w, d + "/want.safetensors")


def by_mlx(name, keys, d):
    import mlx.core as mx
    from mlx.utils import tree_flatten, tree_unflatten
    from mlx_lm.models import llama
    from mlx_lm.tuner.utils import linear_to_lora_layers
    for folder in ("base", "adapter"):
        os.makedirs(f"{d}/{folder}")
    model = llama.Model(llama.ModelArgs(model_type="llama", rms_norm_eps=1e-6, rope_theta=10000.0, tie_word_embeddings=False, **SIZES))
    mx.save_safetensors(d + "/base/model.safetensors", dict(tree_flatten(model.parameters())))
    json.dump(dict(SIZES, architectures=["LlamaForCausalLM"], model_type="llama"), open(d + "/base/config.json", "w"))
    kind = {"full": "full", "dora": "dora"}.get(name.split("-")[-1], "lora")
    given = dict(keys=keys, rank=4, scale=3.0, dropout=0.0)
    if kind == "full":
        new = {f"model.layers.2.{k}": mx.random.normal(v.shape) for k, v in tree_flatten(model.layers[2].parameters())}
    else:
        model.freeze()
        linear_to_lora_layers(model, 2, given, use_dora=kind == "dora")
        new = {k: mx.random.normal(v.shape) * 0.1 + k.endswith(".m") for k, v in tree_flatten(model.trainable_parameters())}
    model.load_weights(list(new.items()), strict=False)
    mx.save_safetensors(d + "/adapter/adapters.safetensors", new)
    json.dump(dict(fine_tune_type=kind, num_layers=2, lora_parameters=given, model="nobody/nothing"), open(d + "/adapter/adapter_config.json", "w"))
    merged = [(n, m.fuse()) for n, m in model.named_modules() if hasattr(m, "fuse")]
    if merged:
        model.update_modules(tree_unflatten(merged))
    mx.save_safetensors(d + "/want.safetensors", dict(tree_flatten(model.parameters())))


def make(out):
    import mlx.core as mx
    import torch
    torch.manual_seed(1)
    mx.random.seed(1)
    for make_one, cases in ((by_peft, PEFT), (by_mlx, MLX)):
        for name, what in cases.items():
            make_one(name, what, os.path.join(out, name))
            if name in REFUSED:
                open(os.path.join(out, name, "refused"), "w").write(REFUSED[name])


def compare(out):
    from safetensors.torch import load_file
    for name in sorted(os.listdir(out)):
        if name in REFUSED:
            continue
        want, ours = (os.path.join(out, name, f + ".safetensors") for f in ("want", "our"))
        want, ours = load_file(want), load_file(ours) if os.path.exists(ours) else {}
        bad = [k for k, v in want.items() if k not in ours or ours[k].shape != v.shape or (ours[k] - v).abs().max() > 1e-6 * v.abs().max()]
        ok = not bad and set(want) == set(ours)
        print(f"{'ok' if ok else 'not ok'} 1 - lora_makers/{name}: {len(want)} tensors as {'mlx-lm' if name in MLX else 'peft'} merges them")
        if not ok:
            print("#", open(os.path.join(out, name, "log")).read().strip(), bad[:4], sorted(set(ours) ^ set(want))[:4])


globals()[sys.argv[1]](*sys.argv[2:])
