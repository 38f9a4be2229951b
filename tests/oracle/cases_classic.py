"""The families of 2019 to 2024 that are neither Llama nor Qwen: GPT-2 and its kin, Phi, Falcon, StarCoder, StableLM, OLMo, Granite, Command-R, MPT, BLOOM."""
import json

from make_checkpoint import NARROW, case

TINY = dict(NARROW, hidden_size=32, intermediate_size=64, num_hidden_layers=2)
GPT2ISH = dict(n_embd=32, n_layer=2, n_head=4, n_positions=128)
YARN = dict(rope_type="yarn", factor=8.0, attention_factor=1.2079441541679836, beta_fast=32.0, beta_slow=1.0,
            original_max_position_embeddings=64, rope_theta=500000.0)


def config(drop=(), **keys):
    """Keys of config.json, changed as no release of transformers writes them any more."""
    def change(out):
        c = {k: v for k, v in json.load(open(out + "/config.json")).items() if k not in drop}
        c.update(keys)
        json.dump(c, open(out + "/config.json", "w"), indent=1)
    return change


def plain(family, size, tok="gpt2", types="plain", **rest):
    return case((family, {}), size, tok=tok, types=types, **rest)


TIED = dict(tie_word_embeddings=True)
CASES = {
    "gpt2": plain("GPT2", dict(GPT2ISH, n_ctx=128), model="LMHeadModel", types="few"),
    "gpt2-minimal": plain("GPT2", dict(GPT2ISH, n_ctx=64), model="LMHeadModel", spell="minimal", dtype="float32"),
    "gpt2-no-ctx": plain("GPT2", GPT2ISH, model="LMHeadModel", dtype="float16", fails="KeyError: 'n_ctx'"),
    "gpt2-untied": plain("GPT2", dict(GPT2ISH, n_ctx=128), model="LMHeadModel", tie_word_embeddings=False),
    # transformers takes rotary_pct away, so that only a configuration that it does not know converts
    "gptneox": plain("GPTNeoX", TINY, tok="gpt_neox", after=config(model_type="pythia", rotary_pct=0.5), types="few"),
    "gptneox-f32": plain("GPTNeoX", TINY, tok="gpt_neox", after=config(model_type="pythia", rotary_pct=0.25), dtype="float32",
                         use_parallel_residual=False),
    "gptneox-class": plain("GPTNeoX", TINY, tok="gpt_neox", dtype="float16", fails="KeyError: 'rotary_pct'"),
    "gptneox-minimal": plain("GPTNeoX", TINY, tok="gpt_neox", spell="minimal", fails="KeyError: 'rotary_pct'"),
    "bloom": plain("Bloom", dict(hidden_size=32, n_layer=2, n_head=4)),
    "bloom-old": plain("Bloom", dict(hidden_size=32, n_layer=2, n_head=4), spell="old", dtype="float16",
                       after=config(drop=["hidden_size", "n_head"], n_embed=32, num_attention_heads=4, seq_length=64)),
    "bloom-minimal": plain("Bloom", dict(hidden_size=32, n_layer=2, n_head=4), spell="minimal", dtype="float32"),
    "falcon": plain("Falcon", TINY, num_kv_heads=1, types="few"),
    "falcon-new": plain("Falcon", TINY, num_kv_heads=2, new_decoder_architecture=True, dtype="float16"),
    "falcon-11b": plain("Falcon", TINY, num_kv_heads=2, new_decoder_architecture=True, num_ln_in_parallel_attn=1, dtype="float32",
                        spell="old"),
    "falcon-minimal": plain("Falcon", dict(TINY, num_kv_heads=1), spell="minimal"),
    "falcon-rw": plain("Falcon", TINY, num_kv_heads=1, after=config(["num_kv_heads", "num_attention_heads", "num_hidden_layers"],
                       model_type="RefinedWebModel", architectures=["RWForCausalLM"], n_head=4, n_layer=2)),
    "falcon-no-kv": plain("Falcon", TINY, after=config(["num_kv_heads"]), fails="is invalid for input of size"),
    "starcoder": plain("GPTBigCode", GPT2ISH),
    "starcoder-minimal": plain("GPTBigCode", GPT2ISH, spell="minimal", dtype="float16"),
    "starcoder2": plain("Starcoder2", TINY, spell="old"),
    "starcoder2-minimal": plain("Starcoder2", TINY, spell="minimal", dtype="float16", **TIED),
    "starcoder2-window": plain("Starcoder2", TINY, dtype="float32", sliding_window=64),
    "stablelm": plain("StableLm", TINY, tok="gpt_neox", **TIED),
    "stablelm-12b": plain("StableLm", TINY, tok="gpt_neox", qk_layernorm=True, use_parallel_residual=True, dtype="float16", **TIED),
    "stablelm-bias": plain("StableLm", TINY, tok="gpt_neox", use_qkv_bias=True, spell="old", dtype="float32"),
    "stablelm-minimal": plain("StableLm", TINY, tok="gpt_neox", spell="minimal", **TIED),
    "stablelm-epoch": plain("StableLm", TINY, tok="gpt_neox", after=config(["layer_norm_eps", "use_parallel_residual", "rope_parameters",
                            "partial_rotary_factor"], model_type="stablelm_epoch", architectures=["StableLMEpochForCausalLM"], norm_eps=1e-5,
                            rope_pct=0.25, rope_theta=10000), **TIED),
    "olmo": plain("Olmo", TINY, tok="gpt_neox", clip_qkv=8.0, **TIED),
    "olmo-old": plain("Olmo", TINY, tok="gpt_neox", spell="old", dtype="float32"),
    "olmo-minimal": plain("Olmo", {k: v for k, v in TINY.items() if k != "num_key_value_heads"}, tok="gpt_neox", spell="minimal", dtype="float16"),
    "olmo2": plain("Olmo2", TINY, tok="gpt_neox"),
    "olmo2-old": plain("Olmo2", TINY, tok="gpt_neox", spell="old", dtype="float16", **TIED),
    "olmo2-minimal": plain("Olmo2", TINY, tok="gpt_neox", spell="minimal", dtype="float32", **TIED),
    "olmo3": plain("Olmo3", dict(TINY, num_hidden_layers=5), tok="gpt_neox", types="few", sliding_window=64, rope_parameters=YARN, **TIED),
    "olmo3-old": plain("Olmo3", dict(TINY, num_hidden_layers=5), tok="gpt_neox", spell="old", rope_parameters=YARN, **TIED,
                       layer_types=["full_attention", "sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]),
    "olmo3-minimal": plain("Olmo3", dict(TINY, num_hidden_layers=5), tok="gpt_neox", spell="minimal", dtype="float16", **TIED),
    "olmoe": plain("Olmoe", TINY, tok="gpt_neox", types="few", num_experts=4, num_experts_per_tok=2, **TIED),
    "olmoe-minimal": plain("Olmoe", dict(TINY, num_experts=8), tok="gpt_neox", spell="minimal", dtype="float16", **TIED),
    "olmoe-old": plain("Olmoe", TINY, tok="gpt_neox", spell="old", num_experts=4, num_experts_per_tok=2, dtype="float32", **TIED),
    "olmoe-fused": plain("Olmoe", dict(TINY, num_key_value_heads=4), tok="gpt_neox", num_experts=4, num_experts_per_tok=2, extras=("fused",),
                         fails="ValueError: Unprocessed experts"),
    "command-r": plain("Cohere", TINY),
    "command-r-plus": plain("Cohere", TINY, use_qk_norm=True, dtype="float16", spell="old", model_max_length=1024),
    "command-r-minimal": plain("Cohere", TINY, spell="minimal", dtype="float32"),
    "cohere2": plain("Cohere2", TINY, rotary_pct=1.0),
    "cohere2-minimal": plain("Cohere2", dict(TINY, rotary_pct=0.5), spell="minimal", dtype="float16"),
    "cohere2-no-pct": plain("Cohere2", TINY, dtype="float32", fails="KeyError: 'rotary_pct'"),
    "mpt": plain("Mpt", dict(d_model=32, n_heads=4, n_layers=2, max_seq_len=128), after=config(architectures=["MPTForCausalLM"])),
    "mpt-clip": plain("Mpt", dict(d_model=32, n_heads=4, n_layers=2), dtype="float16", spell="minimal",
                      after=config(architectures=["MPTForCausalLM"], attn_config=dict(alibi=False, clip_qkv=6.0))),
    "mpt-class": plain("Mpt", dict(d_model=32, n_heads=4, n_layers=2, max_seq_len=128), fails="Model MptForCausalLM is not supported"),
    "phi2": plain("Phi", TINY, types="few", num_key_value_heads=4),
    "phi2-minimal": plain("Phi", dict(TINY, num_key_value_heads=4, intermediate_size=128), spell="minimal", dtype="float16"),
    "phi2-old": plain("Phi", dict(TINY, num_key_value_heads=4, intermediate_size=128), spell="old", dtype="float32", partial_rotary_factor=0.25),
    "granite": plain("Granite", TINY, tok="granite31", attention_multiplier=0.0078125, embedding_multiplier=12.0,
                     logits_scaling=16.0, residual_multiplier=0.22, **TIED),
    "granite-minimal": plain("Granite", TINY, tok="granite31", spell="minimal", dtype="float16", **TIED),
    "granite-spm": plain("Granite", NARROW, tok="kjv-llama", spell="old", dtype="float32", head_dim=32, attention_multiplier=0, mlp_bias=True),
    "granitemoe": plain("GraniteMoe", TINY, tok="granite31", types="few", num_local_experts=4, attention_multiplier=0.015625,
                        embedding_multiplier=12.0, logits_scaling=6.0, residual_multiplier=0.22, **TIED),
    "granitemoe-minimal": plain("GraniteMoe", TINY, tok="granite31", spell="minimal", dtype="float16", **TIED),
    "granitemoe-shared": plain("GraniteMoeShared", TINY, tok="granite31", spell="old", num_local_experts=4, shared_intermediate_size=96,
                               dtype="float32", **TIED),
}
