"""DeepSeek, GLM, and mixtures of experts that are built like them: checkpoints of transformers' own classes."""
import glob
import json
import os

from make_checkpoint import case

SMALL = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=4,
             max_position_embeddings=512)
LARGE = dict(SMALL, hidden_size=256, intermediate_size=512, num_hidden_layers=4)
YARN = dict(rope_type="yarn", factor=40.0, original_max_position_embeddings=64, beta_fast=32.0, beta_slow=1.0, mscale=0.707,
            mscale_all_dim=0.707, rope_theta=10000.0)


def stored(out):
    """The tensors and the configuration of a checkpoint of one file, and how to write them again."""
    from safetensors.torch import load_file, save_file
    f, = glob.glob(out + "/*.safetensors")
    t, j = load_file(f), json.load(open(out + "/config.json"))

    def write():
        save_file({k: v.contiguous() for k, v in t.items()}, f, metadata={"format": "pt"})
        json.dump(j, open(out + "/config.json", "w"), indent=1)
    return t, j, write


def noise(shape, seed, dtype):
    import torch
    return (torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.05).to(dtype)


def biased(out):
    """The router's corrections are zero in a new model: give them values."""
    t, _, write = stored(out)
    for i, n in enumerate(sorted(t)):
        if n.endswith(("e_score_correction_bias", "expert_bias")):
            t[n] = noise(t[n].shape, i, t[n].dtype)
    write()


def predicting(out, count=1):
    """Blocks behind the last one that predict further tokens: a copy of it, and what joins it to the others."""
    t, j, write = stored(out)
    last = j["num_hidden_layers"] - 1
    width, dtype = j["hidden_size"], t["model.norm.weight"].dtype
    for k in range(1, count + 1):
        own, new = f"model.layers.{last}.", f"model.layers.{last + k}."
        t.update({new + n[len(own):]: v.clone() for n, v in t.items() if n.startswith(own)})
        for i, n in enumerate(("enorm", "hnorm", "shared_head.norm")):
            t[new + n + ".weight"] = noise(width, 10 * k + i, dtype)
        t[new + "eh_proj.weight"] = noise((width, 2 * width), k, dtype)
    j["num_nextn_predict_layers"] = count
    write()
    biased(out)


def predicting_with_head(out):
    """The same, with an embedding and a head of its own as DeepSeek's and Zhipu's files have them."""
    predicting(out)
    t, j, write = stored(out)
    for n in ("embed_tokens", "shared_head.head"):
        t[f"model.layers.{j['num_hidden_layers']}.{n}.weight"] = t["model.embed_tokens.weight"].clone()
    write()


def fused(out):
    from make_checkpoint import fuse_experts
    biased(out)
    fuse_experts(out)


MLA = dict(kv_lora_rank=32, q_lora_rank=48, qk_nope_head_dim=24, qk_rope_head_dim=16, v_head_dim=32)
MOE = dict(n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=48, first_k_dense_replace=1, tie_word_embeddings=True)
V2 = ("DeepseekV2", dict(MLA, **MOE, n_shared_experts=2))
V3 = ("DeepseekV3", dict(MLA, **MOE, n_group=2, topk_group=1, n_shared_experts=1))
PLAIN = dict(tok="deepseek", types="plain")
TINY = dict(SMALL, hidden_size=32, num_key_value_heads=2, tie_word_embeddings=True, pad_token_id=None)
GLM = dict(tok="glm-4.6", types="plain")
GLM4, GLM4OLD, GLM4MOE = ("Glm4", {}), ("Glm", {}), ("Glm4Moe", dict(MOE, n_shared_experts=1))

CASES = {
    "deepseek2-v2": case(V2, SMALL, **PLAIN, rope_parameters=YARN, spell="old", topk_method="group_limited_greedy", n_group=2, topk_group=1),
    # the runtime knows V2-Lite by its number of blocks
    "deepseek2-lite": case(V2, dict(SMALL, num_hidden_layers=27), **PLAIN, q_lora_rank=None, dtype="float16"),
    "deepseek2-v2-minimal": case(V2, SMALL, **PLAIN, spell="minimal"),
    "deepseek2-v3": case(V3, SMALL, **PLAIN, after=biased),
    "deepseek2-v3-old": case(V3, SMALL, **PLAIN, rope_parameters=YARN, spell="old", after=predicting_with_head),
    "deepseek2-v3-minimal": case(V3, SMALL, **PLAIN, spell="minimal"),
    "deepseek2-v3-f32": case(V3, SMALL, **PLAIN, dtype="float32", after=biased),
    "deepseek2-v3-wide": case(V3, LARGE, tok="deepseek", moe_intermediate_size=256, kv_lora_rank=256, q_lora_rank=256, v_head_dim=64,
                              first_k_dense_replace=2, after=biased),
    # GLM: one tokenizer, a large one
    "glm4": case(GLM4, TINY, **GLM, head_dim=16),
    "glm4-old": case(GLM4, TINY, **GLM, head_dim=16, spell="old", dtype="float16", attention_bias=False),
    "glm4-minimal": case(GLM4, TINY, **GLM, head_dim=16, spell="minimal", num_key_value_heads=2),
    "glm": case(GLM4OLD, TINY, **GLM, head_dim=8),
    "glm-old": case(GLM4OLD, TINY, **GLM, head_dim=8, spell="old", dtype="float32"),
    "glm-minimal": case(GLM4OLD, TINY, **GLM, head_dim=8, spell="minimal"),
    "glm4moe": case(GLM4MOE, TINY, **GLM, head_dim=16, use_qk_norm=True, after=predicting_with_head),
    "glm4moe-old": case(GLM4MOE, TINY, **GLM, head_dim=16, attention_bias=True, spell="old", dtype="float16", after=predicting),
    "glm4moe-minimal": case(GLM4MOE, TINY, **GLM, spell="minimal"),
    "glm4moe-f32": case(GLM4MOE, TINY, **GLM, dtype="float32", n_shared_experts=2, after=biased),
}
