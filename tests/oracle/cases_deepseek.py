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


def in_fp8(out):
    """Blocks of 128 by 128 weights in 8 bits, as DeepSeek ships V3 and R1."""
    import torch
    t, j, write = stored(out)
    for n in [n for n, v in t.items() if n.endswith("_proj.weight") or n.endswith("_mqa.weight")]:
        w = t[n].float()
        blocks = [-(-d // 128) for d in w.shape]
        scale = torch.nn.functional.pad(w.abs(), (0, blocks[1] * 128 - w.shape[1], 0, blocks[0] * 128 - w.shape[0]))
        scale = scale.view(blocks[0], 128, blocks[1], 128).amax((1, 3)) / 448.0
        wide = scale.repeat_interleave(128, 0).repeat_interleave(128, 1)[:w.shape[0], :w.shape[1]]
        t[n], t[n + "_scale_inv"] = (w / wide).to(torch.float8_e4m3fn), scale
    j["quantization_config"] = dict(quant_method="fp8", fmt="e4m3", activation_scheme="dynamic", weight_block_size=[128, 128])
    write()


def fused(out):
    from make_checkpoint import fuse_experts
    biased(out)
    fuse_experts(out)


def named(model_type):
    """The same under a name that transformers does not know, so that the configuration counts as it stands."""
    def after(out):
        _, j, write = stored(out)
        j["model_type"] = model_type
        write()
    return after


def joined(out):
    """Query, key and value in one tensor, gate and up in another, as ERNIE's own training code has them."""
    import torch
    t, _, write = stored(out)
    for q in [n for n in t if n.endswith("self_attn.q_proj.weight")]:
        attn = q[:-len("q_proj.weight")]
        t[attn + "qkv_proj.weight"] = torch.cat([t.pop(attn + w + "_proj.weight") for w in "qkv"])
    for g in [n for n in t if n.endswith("mlp.gate_proj.weight")]:
        mlp = g[:-len("gate_proj.weight")]
        t[mlp + "up_gate_proj.weight"] = torch.cat([t.pop(mlp + w + "_proj.weight") for w in ("gate", "up")])
    for n in list(t):
        t[n.replace("model.", "ernie.", 1)] = t.pop(n)
    write()


def extra_heads(out):
    """ERNIE's blocks that predict further tokens, which the converter leaves out."""
    t, _, write = stored(out)
    for i, n in enumerate(("mtp_block.0.input_layernorm", "mtp_emb_norm.0", "mtp_hidden_norm.0", "mtp_linear_proj.0")):
        t[f"model.{n}.weight"] = noise(64, i, t["model.norm.weight"].dtype)
    biased(out)


def first_deepseek(out):
    """The first DeepSeek MoE; transformers has no class for it."""
    import torch
    from safetensors.torch import save_file
    from make_checkpoint import vocabulary
    h, ff, expert, layers, heads, kv = 64, 96, 48, 3, 4, 2
    t = {"model.embed_tokens": (vocabulary(out), h), "model.norm": (h,), "lm_head": (vocabulary(out), h)}
    for n in range(layers):
        at = f"model.layers.{n}."
        t.update({at + "input_layernorm": (h,), at + "post_attention_layernorm": (h,), at + "self_attn.q_proj": (h, h),
                  at + "self_attn.k_proj": (h // heads * kv, h), at + "self_attn.v_proj": (h // heads * kv, h), at + "self_attn.o_proj": (h, h)})
        groups = {"mlp.": ff} if n == 0 else {**{f"mlp.experts.{e}.": expert for e in range(4)}, "mlp.shared_experts.": 2 * expert}
        for g, width in groups.items():
            t.update({at + g + "gate_proj": (width, h), at + g + "up_proj": (width, h), at + g + "down_proj": (h, width)})
        if n:
            t[at + "mlp.gate"] = (4, h)
    save_file({n + ".weight": noise(s, i, torch.bfloat16) for i, (n, s) in enumerate(t.items())}, out + "/model.safetensors")
    json.dump(dict(architectures=["DeepseekForCausalLM"], model_type="deepseek", vocab_size=vocabulary(out), hidden_size=h, intermediate_size=ff,
                   moe_intermediate_size=expert, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv, n_shared_experts=2,
                   n_routed_experts=4, num_experts_per_tok=2, first_k_dense_replace=1, norm_topk_prob=False, scoring_func="softmax",
                   rms_norm_eps=1e-6, rope_theta=10000, rope_scaling=None, max_position_embeddings=512, torch_dtype="bfloat16",
                   bos_token_id=1, eos_token_id=2), open(out + "/config.json", "w"))


MLA = dict(kv_lora_rank=32, q_lora_rank=48, qk_nope_head_dim=24, qk_rope_head_dim=16, v_head_dim=32)
MOE = dict(n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=48, first_k_dense_replace=1, tie_word_embeddings=True)
V2 = ("DeepseekV2", dict(MLA, **MOE, n_shared_experts=2))
V3 = ("DeepseekV3", dict(MLA, **MOE, n_group=2, topk_group=1, n_shared_experts=1))
PLAIN = dict(tok="deepseek", types="plain")
TINY = dict(SMALL, hidden_size=32, num_key_value_heads=2, tie_word_embeddings=True, pad_token_id=None)
GLM = dict(tok="glm-4.6", types="plain")
DSA = dict(MLA, **MOE, n_shared_experts=1, num_experts=4, index_n_heads=2, index_head_dim=32, index_topk=8, n_group=1, topk_group=1)
GLM5 = ("GlmMoeDsa", DSA)
V32 = ("DeepseekV32", dict(DSA, scoring_func="sigmoid", index_n_heads=4, index_head_dim=64))
BROAD = dict(SMALL, hidden_size=128, num_attention_heads=8, num_key_value_heads=8) # what the runtime's sparse attention can be run with
LITE = ("Glm4MoeLite", dict(MLA, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=48, tie_word_embeddings=True))
SPM = dict(tok="kjv-llama", types="plain")
IDS = dict(bos_token_id=1, eos_token_id=2)
M2 = ("MiniMaxM2", dict(head_dim=16, rotary_dim=8, num_local_experts=4, num_experts_per_tok=2, **IDS))
ERNIE, SEED = ("Ernie4_5", IDS), ("SeedOss", dict(IDS, head_dim=16, tie_word_embeddings=True, pad_token_id=1))
ERNIEMOE = ("Ernie4_5_Moe", dict(IDS, moe_num_experts=4, moe_k=2, moe_intermediate_size=48, moe_layer_start_index=1, moe_layer_end_index=2,
                                 moe_num_shared_experts=2))
HUNYUAN = ("HunYuanDenseV1", dict(IDS, head_dim=16, tie_word_embeddings=True))
DOTS1 = ("Dots1", dict(MOE, n_shared_experts=1, head_dim=16, tie_word_embeddings=False))
ALPHA = dict(rope_type="dynamic", alpha=1000.0, factor=1.0, rope_theta=10000.0)
MROPE = dict(rope_type="default", mrope_section=[2, 1, 1], rope_theta=10000.0, partial_rotary_factor=0.5)
SEES = ("Glm4v", dict(text_config=dict(TINY, num_attention_heads=2, rope_parameters=MROPE),
                      vision_config=dict(depth=1, hidden_size=32, num_heads=2, out_hidden_size=32, intermediate_size=32)))
GLM4, GLM4OLD, GLM4MOE = ("Glm4", {}), ("Glm", {}), ("Glm4Moe", dict(MOE, n_shared_experts=1))

def begins_with_bos(then):
    """As DeepSeek's own tokenizer_config.json has it"""
    def after(out):
        p = out + "/tokenizer_config.json"
        j = json.load(open(p))
        json.dump(dict(j, add_bos_token=True), open(p, "w"))
        then(out)
    return after


CASES = {
    "deepseek2-v2": case(V2, SMALL, **PLAIN, rope_parameters=YARN, spell="old", topk_method="group_limited_greedy", n_group=2, topk_group=1),
    # the runtime knows V2-Lite by its number of blocks
    "deepseek2-lite": case(V2, dict(SMALL, num_hidden_layers=27), **PLAIN, q_lora_rank=None, dtype="float16"),
    "deepseek2-v2-minimal": case(V2, SMALL, **PLAIN, spell="minimal"),
    "deepseek2-v3": case(V3, SMALL, **PLAIN, after=biased),
    "deepseek2-v3-old": case(V3, SMALL, **PLAIN, rope_parameters=YARN, spell="old", after=predicting_with_head),
    "deepseek2-v3-minimal": case(V3, SMALL, **PLAIN, spell="minimal"),
    "deepseek2-v3-f32": case(V3, SMALL, **PLAIN, dtype="float32", after=biased),
    "deepseek2-v3-fp8": case(V3, LARGE, **PLAIN, kv_lora_rank=160, q_lora_rank=200, spell="old", scoring_func="sigmoid", after=in_fp8),
    "deepseek2-v3-fused": case(V3, SMALL, **PLAIN, after=fused, fails="Unprocessed experts"),
    "deepseek2-v3-wide": case(V3, LARGE, tok="deepseek", moe_intermediate_size=256, kv_lora_rank=256, q_lora_rank=256, v_head_dim=64,
                              first_k_dense_replace=2, after=biased),
    # GLM: one tokenizer, a large one
    "glm4": case(GLM4, TINY, **GLM, head_dim=16),
    "glm4-old": case(GLM4, TINY, **GLM, head_dim=16, spell="old", dtype="float16", attention_bias=False),
    "glm4-minimal": case(GLM4, TINY, **GLM, head_dim=16, spell="minimal", num_key_value_heads=2),
    "glm4-sees": case(SEES, {}, **GLM, model="ForConditionalGeneration"),
    "glm": case(GLM4OLD, TINY, **GLM, head_dim=8),
    "glm-old": case(GLM4OLD, TINY, **GLM, head_dim=8, spell="old", dtype="float32"),
    "glm-minimal": case(GLM4OLD, TINY, **GLM, head_dim=8, spell="minimal"),
    "glm4moe": case(GLM4MOE, TINY, **GLM, head_dim=16, use_qk_norm=True, after=predicting_with_head),
    "glm4moe-old": case(GLM4MOE, TINY, **GLM, head_dim=16, attention_bias=True, spell="old", dtype="float16", after=predicting),
    "glm4moe-minimal": case(GLM4MOE, TINY, **GLM, spell="minimal"),
    "glm4moe-f32": case(GLM4MOE, TINY, **GLM, dtype="float32", n_shared_experts=2, after=biased),
    "glm4moe-mtp": case(GLM4MOE, TINY, **GLM, head_dim=16, after=predicting_with_head, args=["--mtp"]),
    "glm4moe-no-mtp": case(GLM4MOE, TINY, **GLM, head_dim=16, after=predicting_with_head, args=["--no-mtp"]),
    "glm4moe-fused": case(GLM4MOE, TINY, **GLM, head_dim=16, after=fused, fails="Unprocessed experts"),
    "glm-dsa": case(GLM5, dict(TINY, num_key_value_heads=4), **GLM, after=predicting_with_head),
    "glm-dsa-minimal": case(GLM5, dict(TINY, num_key_value_heads=4, num_hidden_layers=5), **GLM, spell="minimal"),
    "glm-dsa-no-mtp": case(GLM5, dict(TINY, num_key_value_heads=4), **GLM, after=predicting, args=["--no-mtp"], index_topk_freq=2),
    "glm4lite": case(LITE, dict(TINY, num_key_value_heads=4), **GLM, after=predicting),
    "glm4lite-minimal": case(LITE, dict(TINY, num_key_value_heads=4), **GLM, spell="minimal"),
    # DeepSeek's others
    "deepseek32": case(V32, BROAD, **PLAIN, after=begins_with_bos(predicting_with_head)),
    "deepseek32-old": case(V32, BROAD, **PLAIN, spell="old", rope_parameters=YARN, dtype="float16", after=begins_with_bos(biased)),
    "deepseek32-minimal": case(V32, BROAD, **PLAIN, spell="minimal", dtype="float32", after=begins_with_bos(biased)),
    "deepseek32-mtp": case(V32, BROAD, **PLAIN, after=begins_with_bos(predicting), args=["--mtp"]),
    "deepseek32-no-mtp": case(V32, BROAD, **PLAIN, after=begins_with_bos(predicting), args=["--no-mtp"]),
    "deepseek32-says": case(V32, BROAD, **PLAIN, after=begins_with_bos(biased), fails="Change value of add_bos_token"),
    "deepseek2-kimi": case(V3, SMALL, **PLAIN, fails="AttributeError", spell="old", rope_parameters=YARN, after=named("kimi_k2")),
    "deepseek2-youtu": case(("Youtu", dict(MLA, tie_word_embeddings=True)), SMALL, **PLAIN),
    "deepseek2-youtu-minimal": case(("Youtu", dict(MLA)), SMALL, **PLAIN, spell="minimal"),
    "deepseek": case(("", {}), SMALL, **SPM, make=first_deepseek),
    # relatives
    "minimax-m2": case(M2, SMALL, **PLAIN, after=biased),
    "minimax-m2-old": case(M2, SMALL, **PLAIN, spell="old", dtype="float16"),
    "minimax-m2-minimal": case(M2, SMALL, **PLAIN, spell="minimal"),
    "ernie": case(ERNIE, SMALL, **SPM, head_dim=16),
    "ernie-old": case(ERNIE, SMALL, **SPM, spell="old", head_dim=16, num_key_value_heads=2, after=joined),
    "ernie-minimal": case(ERNIE, SMALL, **SPM, spell="minimal", head_dim=128, dtype="float32", use_bias=True),
    "erniemoe": case(ERNIEMOE, dict(SMALL, intermediate_size=384), **SPM, after=extra_heads),
    "erniemoe-minimal": case(ERNIEMOE, SMALL, **SPM, spell="minimal", dtype="float16"),
    "seed-oss": case(SEED, SMALL, **PLAIN),
    "seed-oss-old": case(SEED, SMALL, **PLAIN, spell="old", dtype="float32", num_key_value_heads=2),
    "seed-oss-minimal": case(SEED, SMALL, **PLAIN, spell="minimal"),
    "hunyuan": case(HUNYUAN, dict(SMALL, max_position_embeddings=32768), **PLAIN, rope_parameters=ALPHA, spell="old"),
    "hunyuan-plain": case(HUNYUAN, SMALL, **PLAIN, dtype="float16", extras=("generation",)),
    "hunyuan-minimal": case(HUNYUAN, SMALL, **PLAIN, spell="minimal"),
    "dots1": case(DOTS1, SMALL, **PLAIN, after=biased),
    "dots1-fused": case(DOTS1, SMALL, **PLAIN, after=fused),
    "dots1-minimal": case(DOTS1, SMALL, **PLAIN, spell="minimal"),
}
