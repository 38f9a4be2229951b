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


def added(out):
    """Tokens that Phi-3 takes as its files call them: one that looks special, one with SentencePiece's space, one in tokenizer.json alone."""
    from make_checkpoint import vocabulary
    n = vocabulary(out)
    json.dump({"<|user|>": n, "plain\u2581word": n + 1}, open(out + "/added_tokens.json", "w"))
    p = out + "/tokenizer_config.json"
    t = json.load(open(p))
    t["added_tokens_decoder"] = {str(n + i): dict(content=c, special=s) for i, (c, s) in
                                 enumerate([("<|user|>", False), ("other\u2581word", False), ("<|end|>", True)])}
    json.dump(t, open(p, "w"))
    json.dump(dict(model=dict(type="BPE", vocab={}, merges=[]), added_tokens=[dict(id=n + 3, content="<|system|>", special=False),
              dict(id=n + 4, content="last", special=True)]), open(out + "/tokenizer.json", "w"))


def made(config, tensors):
    """A checkpoint of a model that transformers has no class for."""
    def make(out):
        import torch
        from safetensors.torch import save_file
        g = torch.Generator().manual_seed(len(tensors))
        json.dump(dict(config, torch_dtype="float32"), open(out + "/config.json", "w"))
        save_file({k: torch.randn(v, generator=g) * 0.02 for k, v in tensors.items()}, out + "/model.safetensors", metadata={"format": "pt"})
    return make


def gpt_tensors(rest, vocab=50304, layers=2):
    """Names of GPT-2's blocks; rest: what is in each block besides."""
    t = {"transformer.wte.weight": (vocab, 32), "transformer.ln_f.weight": (32,), "lm_head.weight": (vocab, 32)}
    for i in range(layers):
        for k, v in {"ln_1.weight": (32,), "ln_2.weight": (32,), "attn.c_proj.weight": (32, 32), **rest}.items():
            t[f"transformer.h.{i}.{k}"] = v
    return t


REFACT = made(dict(architectures=["GPTRefactForCausalLM"], model_type="gpt_refact", vocab_size=50304, n_embd=32, n_layer=2, n_head=4, n_positions=128,
                   layer_norm_epsilon=1e-5), gpt_tensors({"attn.q.weight": (32, 32), "attn.kv.weight": (16, 32), "mlp.gate_up_proj.weight": (512, 32),
                                                          "mlp.c_proj.weight": (32, 256)}))
CODESHELL = made(dict(architectures=["CodeShellForCausalLM"], model_type="kclgpt", vocab_size=50304, n_embd=32, n_layer=2, n_head=4, n_positions=128,
                      num_query_groups=2, layer_norm_epsilon=1e-5),
                 dict(gpt_tensors({"ln_1.bias": (32,), "ln_2.bias": (32,), "attn.c_proj.bias": (32,), "attn.c_attn.weight": (64, 32), "attn.c_attn.bias": (64,),
                                   "mlp.c_fc.weight": (128, 32), "mlp.c_fc.bias": (128,), "mlp.c_proj.weight": (32, 128), "mlp.c_proj.bias": (32,),
                                   "attn.rotary_emb.inv_freq": (4,)}), **{"transformer.ln_f.bias": (32,)}))


def plain(family, size, tok="gpt2", types="plain", **rest):
    return case((family, {}), size, tok=tok, types=types, **rest)


FACTORS = [[1.0 + i / 3 for i in range(8)], [1.0 + i / 50 for i in range(8)]]
LONGROPE = dict(rope_type="longrope", rope_theta=10000.0, long_factor=FACTORS[0], short_factor=FACTORS[1])
PHI3 = dict(NARROW, pad_token_id=0, bos_token_id=1, eos_token_id=2)
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
    "stablelm-12b": plain("StableLm", TINY, tok="gpt_neox", qk_layernorm=True, use_parallel_residual=True, dtype="float16", fails="ValueError"),
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
    "phi3": plain("Phi3", PHI3, tok="kjv-llama", types="few", sliding_window=64),
    "phi3-long": plain("Phi3", PHI3, tok="kjv-llama", dtype="float16", rope_parameters=LONGROPE, original_max_position_embeddings=128),
    "phi3-long-old": plain("Phi3", PHI3, tok="kjv-llama", spell="old", rope_parameters=LONGROPE, original_max_position_embeddings=128,
                           after=config(rope_theta=10000.0, rope_scaling=dict(type="su", long_factor=FACTORS[0], short_factor=FACTORS[1]))),
    "phi3-partial": plain("Phi3", dict(PHI3, num_attention_heads=2), tok="kjv-llama", dtype="float32", rope_parameters=dict(LONGROPE, partial_rotary_factor=0.5),
                          original_max_position_embeddings=512, **TIED),
    "phi3-minimal": plain("Phi3", {k: v for k, v in PHI3.items() if k != "num_key_value_heads"}, tok="kjv-llama", spell="minimal"),
    "phi3-added": plain("Phi3", PHI3, tok="kjv-llama", vocab_pad=8, after=added),
    "phi4": plain("Phi3", dict(PHI3, hidden_size=32), tok="gpt2", **TIED, after=lambda out: json.dump(
        dict(json.load(open(out + "/tokenizer_config.json")), tokenizer_class="GPT2Tokenizer"), open(out + "/tokenizer_config.json", "w"))),
    "phimoe": plain("Phimoe", PHI3, tok="kjv-llama", num_local_experts=4, types="few",
                    after=config(architectures=["PhiMoEForCausalLM"], original_max_position_embeddings=128)),
    "phimoe-long": plain("Phimoe", PHI3, tok="kjv-llama", num_local_experts=4, dtype="float16", after=config(
        ["rope_parameters"], architectures=["PhiMoEForCausalLM"], rope_theta=10000.0, rope_scaling=dict(type="longrope", long_factor=FACTORS[0], short_factor=FACTORS[1],
        short_mscale=1.2, long_mscale=1.2, original_max_position_embeddings=128))),
    "phimoe-minimal": plain("Phimoe", dict(PHI3, num_local_experts=4, lm_head_bias=True, attention_bias=True), tok="kjv-llama", spell="minimal", dtype="float32",
                            after=config(architectures=["PhiMoEForCausalLM"]), fails="KeyError: 'original_max_position_embeddings'"),
    "refact": case((None, {}), {}, tok="gpt2", make=REFACT, types="plain"),
    "codeshell": case((None, {}), {}, tok="gpt2", make=CODESHELL, types="plain"),
}
