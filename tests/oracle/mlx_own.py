"""Small checkpoints of models that transformers has no class for, out of mlx-lm's own: its parameters with random numbers, under the names that the
publishers' files have. The way from there is what mlx-lm's `sanitize` does."""
import dataclasses
import importlib
import json
import re

import numpy as np

COMMON = dict(vocab_size=256, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=32,
              max_position_embeddings=256, rms_norm_eps=1e-5, norm_eps=1e-5, layer_norm_epsilon=1e-5, layernorm_epsilon=1e-5, rope_theta=10000.0,
              tie_word_embeddings=False, num_experts=4, n_routed_experts=4, num_local_experts=4, num_experts_per_tok=2, moe_intermediate_size=64,
              first_k_dense_replace=1, n_group=1, topk_group=1, num_shared_experts=1, n_shared_experts=1, routed_scaling_factor=1.0, norm_topk_prob=True,
              kv_lora_rank=64, q_lora_rank=64, qk_nope_head_dim=64, qk_rope_head_dim=16, v_head_dim=64, num_layers=2, n_embd=128, n_head=4, n_layer=2,
              n_positions=256, rotary_dim=16, n_inner=256, moe_topk=2, ffn_hidden_size=256, expert_ffn_hidden_size=64, zero_expert_num=1,
              mla_scale_q_lora=True, mla_scale_kv_lora=True, attention_bias=False, mlp_bias=False, partial_rotary_factor=0.5, sliding_window=64)


# ---- names and shapes as they are published ----

def renamed(pattern, by):
    return lambda state: {re.sub(pattern, by, k): v for k, v in state.items()}


def unstacked(pattern, by):
    def step(state):
        parts = {}
        for k, v in state.items():
            m = re.fullmatch(pattern, k)
            parts.update({m.expand(by.format(e=e)): v[e] for e in range(v.shape[0])} if m else {k: v})
        return parts
    return step


def turned(pattern):
    return lambda state: {k: v.transpose(0, 2, 1) if re.search(pattern, k) else v for k, v in state.items()}


def reshaped(pattern, *shape):
    return lambda state: {k: v.reshape(shape) if re.search(pattern, k) else v for k, v in state.items()}


def joined(state):
    """One matrix for keys and values."""
    whole = {k: v for k, v in state.items() if not k.endswith(("embed_q.weight", "unembed_out.weight"))}
    for k, v in state.items():
        if k.endswith("embed_q.weight"):
            both = np.concatenate([v.transpose(0, 2, 1), state[k.replace("embed_q", "unembed_out")]], 1)
            whole[k.replace("embed_q", "kv_b_proj")] = both.reshape(-1, both.shape[-1])
    return whole


EXPERTS = unstacked(r"(.*)\.switch_mlp\.(\w+)\.weight", r"\1.experts.{e}.\2.weight")
NUMBERED = [renamed(r"switch_mlp\.gate_proj", "switch_mlp.w1"), renamed(r"switch_mlp\.down_proj", "switch_mlp.w2"), renamed(r"switch_mlp\.up_proj", "switch_mlp.w3")]
ROUTER = renamed(r"gate\.gate_proj", "gate")


def case(kind, architecture, *steps, **config):
    return kind, architecture, steps, config


LINEAR = dict(layer_group_size=2, group_norm_size=2, num_key_value_heads=4)
CASES = { # mlx-lm's module, the class that config.json names, steps to what is published, configuration
    "minicpm": case("minicpm", "MiniCPMForCausalLM", dim_model_base=64, scale_depth=1.4, scale_emb=12),
    "minicpm3": case("minicpm3", "MiniCPM3ForCausalLM", dim_model_base=64, scale_depth=1.4, scale_emb=12, num_key_value_heads=4, qk_nope_head_dim=32, v_head_dim=32,
                     rope_scaling=dict(type="longrope", short_factor=[1.0] * 8, long_factor=[1.0] * 8, original_max_position_embeddings=64)),
    "kimi-linear": case("kimi_linear", "KimiLinearForCausalLM", joined, *NUMBERED, EXPERTS, renamed(r"\.mlp\.", ".block_sparse_moe."),
                        renamed(r"moe\.e_score", "moe.gate.e_score"), turned(r"_conv\.conv"), renamed(r"_conv\.conv", "_conv1d"), num_key_value_heads=4,
                        num_experts_per_token=2, model_max_length=256, qk_nope_head_dim=64, qk_rope_head_dim=16, v_head_dim=64, kv_lora_rank=64, moe_layer_freq=1, first_k_dense_replace=0,
                        linear_attn_config=dict(full_attn_layers=[2], kda_layers=[1], num_heads=4, head_dim=32, short_conv_kernel_size=4)),
    "bailing": case("bailing_moe", "BailingMoeForCausalLM", EXPERTS, ROUTER, norm_softmax=False, use_bias=False, use_qkv_bias=False, norm_head=False, max_window_layers=2),
    "bailing2": case("bailing_moe", "BailingMoeV2ForCausalLM", EXPERTS, ROUTER, norm_softmax=False, use_bias=False, use_qkv_bias=False, norm_head=False, max_window_layers=2,
                     use_qk_norm=True, moe_router_enable_expert_bias=True),
    "bailing-linear": case("bailing_moe_linear", "BailingMoeLinearForCausalLM", EXPERTS, ROUTER, **LINEAR),
    "bailing-hybrid": case("bailing_hybrid", "BailingHybridForCausalLM", EXPERTS, joined, ROUTER, **LINEAR),
    "bailing3": case("bailing_moe_v3", "BailingMoeV3ForCausalLM", EXPERTS, joined, model_type="bailing_hybrid", layer_group_size=2, num_key_value_heads=4,
                     n_group=1, topk_group=1),
    "internlm2": case("internlm2", "InternLM2ForCausalLM"),
    "internlm3": case("internlm3", "InternLM3ForCausalLM"),
    "qwen": case("qwen", "QWenLMHeadModel", kv_channels=32),
    "openelm": case("openelm", "OpenELMForCausalLM", num_transformer_layers=2, model_dim=128, ffn_dim_divisor=64, num_query_heads=[4, 4], num_kv_heads=[2, 2],
                    ffn_multipliers=[1.0, 2.0]),
    "exaone": case("exaone", "ExaoneForCausalLM"),
    "deepseek": case("deepseek", "DeepseekForCausalLM", EXPERTS),
    "nanbeige": case("nanbeige", "NanbeigeForCausalLM"),
    "llama4-text": case("llama4_text", "Llama4ForCausalLM", intermediate_size_mlp=256, no_rope_layers=[1, 0], use_qk_norm=True),
    "youtu": case("youtu_llm", "YoutuForCausalLM"),
    "klear": case("Klear", "KlearMoeForCausalLM", unstacked(r"(.*mlp\.experts)\.(\w+)\.weight", r"\1.{e}.\2.weight"), mlp_only_layers=[], decoder_sparse_step=1),
    "laguna": case("laguna", "LagunaForCausalLM", EXPERTS, renamed(r"gate\.proj\.", "gate."), renamed(r"gate\.e_score", "experts.e_score")),
    "longcat": case("longcat_flash", "LongcatFlashForCausalLM", EXPERTS, joined, attention_method="MLA", zero_expert_type="identity"),
    "longcat-ngram": case("longcat_flash_ngram", "LongcatFlashNgramForCausalLM", EXPERTS, joined, renamed(r"ngram_embeddings\.word_embeddings", "embed_tokens"),
                          ngram_vocab_size_ratio=2, hidden_size=192),
    "mimo": case("mimo", "MiMoForCausalLM"),
    "mimo2": case("mimo_v2_flash", "MiMoV2FlashForCausalLM", EXPERTS, hybrid_layer_pattern=[0, 1], moe_layer_freq=[0, 1], add_swa_attention_sink_bias=True,
                  add_full_attention_sink_bias=False, sliding_window_size=64, topk_method="noaux_tc", scoring_func="sigmoid", swa_rope_theta=10000.0,
                  swa_num_attention_heads=4, swa_num_key_value_heads=2, swa_head_dim=32, swa_v_head_dim=32, n_shared_experts=None),
    "rwkv7": case("rwkv7", "RWKV7ForCausalLM", reshaped("k_k|k_a|g_norm", -1), a_low_rank_dim=32, v_low_rank_dim=32, gate_low_rank_dim=32,
                  decay_low_rank_dim=32),
    "step3p5": case("step3p5", "Step3p5ForCausalLM", renamed(r"\.mlp\.switch_mlp\.", ".moe."), renamed(r"\.mlp\.gate\.gate\.", ".moe.gate."),
                    renamed(r"\.mlp\.gate\.router_bias", ".moe.router_bias"), renamed(r"\.mlp\.share_expert", ".share_expert"), num_attention_groups=2, moe_num_experts=4,
                    moe_top_k=2),
    "olmo-hybrid": case("olmo_hybrid", "OlmoHybridForCausalLM", turned("conv1d.weight"), linear_num_key_heads=2, linear_num_value_heads=2, linear_key_head_dim=32,
                        linear_value_head_dim=32, linear_conv_kernel_dim=4, linear_allow_neg_eigval=True, layer_types=["linear_attention", "full_attention"]),
    "plamo2": case("plamo2", "Plamo2ForCausalLM", turned("conv1d.weight")),
    "recurrent-gemma": case("recurrent_gemma", "RecurrentGemmaForCausalLM", turned("conv_1d.weight"), conv1d_width=4, logits_soft_cap=30.0, attention_window_size=64,
                            _block_types=["recurrent", "attention"]),
    "gptj": case("gptj", "GPTJForCausalLM", renamed("^model[.]", "transformer.")),
    "phixtral": case("phixtral", "PhiForCausalLM", unstacked(r"(.*moe)\.switch_mlp\.(\w+)\.(weight|bias)", r"\1.mlp.{e}.\2.\3"), num_vocab=256, model_dim=128, num_heads=4),
    "spark": case("spark2_5", "Spark2_5ForCausalLM", renamed("model.embedding", "model.embed_tokens"),
                  rope_parameters={k: dict(rope_type="default", rope_theta=10000.0) for k in ("sliding_attention", "full_attention")}),
    "muse": case("muse_glimmer", "MuseGlimmerForCausalLM", renamed("^(model|lm_head)[.]", r"language_model.\1.")),
}
LONG = ("e_score_correction_bias", "expert_bias", "router_bias", "A_log", "dt_bias")  # published in 32 bits


def arguments(module, kind, config):
    """What the model's class asks for, and has no default of its own for that is small."""
    fields = dataclasses.fields(module.ModelArgs)
    asked = {f.name for f in fields if f.default is f.default_factory is dataclasses.MISSING}
    large = {f.name for f in fields if f.name in COMMON and isinstance(f.default, int) and not isinstance(f.default, bool) and f.default > COMMON[f.name] > 1}
    return {"model_type": kind, **{k: COMMON[k] for k in (asked | large) & COMMON.keys()}, **config}


def save(name, out):
    import mlx.core as mx
    from mlx.utils import tree_flatten
    mx.set_default_device(mx.cpu)
    kind, architecture, steps, config = CASES[name]
    module = importlib.import_module(f"mlx_lm.models.{kind}")
    config = arguments(module, kind, config)
    rng = np.random.default_rng(sum(map(ord, name)))
    shapes = {k: v.shape for k, v in tree_flatten(module.Model(module.ModelArgs.from_dict(dict(config))).parameters())}
    state = {k: (rng.standard_normal(s) * 0.05 + (len(s) == 1 and "norm" in k)).astype(np.float32) for k, s in shapes.items()}
    for step in steps:
        state = step(state)
    arrays = {k: mx.array(np.ascontiguousarray(v)).astype(mx.float32 if k.endswith(LONG) else mx.bfloat16) for k, v in state.items()}
    mx.save_safetensors(f"{out}/model.safetensors", arrays, metadata={"format": "pt"})
    with open(f"{out}/config.json", "w") as f:
        json.dump({**config, "architectures": [architecture], "torch_dtype": "bfloat16"}, f, indent=2)
