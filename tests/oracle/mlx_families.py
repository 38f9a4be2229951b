#!/usr/bin/env python3
"""Small checkpoints of the families that mlx-lm knows, its own conversions of them, and comparisons with heft's.

usage: mlx_families.py make DIR [PATTERN...]     writes DIR/NAME/hf
       mlx_families.py compare DIR/NAME...       makes DIR/NAME/mlx, compares heft's DIR/NAME/our: TAP
Weights are random; every tensor is there, as transformers' classes save it, by the configuration that transformers saves."""
import fnmatch
import json
import os
import shutil
import sys

import mlx_own

SMALL = dict(vocab_size=256, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0)
MOE = dict(SMALL, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=64)
MLA = dict(kv_lora_rank=64, q_lora_rank=64, qk_nope_head_dim=64, qk_rope_head_dim=16, v_head_dim=64, n_routed_experts=4, n_shared_experts=1,
           num_experts_per_tok=2, moe_intermediate_size=64, first_k_dense_replace=1, n_group=1, topk_group=1)


LONG = dict(rope_type="longrope", short_factor=[1.0] * 16, long_factor=[2.0] * 16, short_mscale=1.0, long_mscale=1.0,
            original_max_position_embeddings=128, rope_theta=10000.0)
YARN = dict(rope_type="yarn", factor=4.0, rope_theta=10000.0, mscale=1.0, mscale_all_dim=1.0, beta_fast=32.0, beta_slow=1.0, llama_4_scaling_beta=0.1,
            original_max_position_embeddings=64)
# mlx-lm's packages give some of Granite's matrices 8 bits, against underflow of nvfp4; the vectors of ../shared, of the same version but made before that
# (its pull request 1836), have them as all others in affine codes, and so has heft
ROUTERS_ALONE = {"granite", "granitemoe"}


def case(family, size=SMALL, model="ForCausalLM", **own):
    return family, model, {**size, **own}


CASES = {
    "llama": case("Llama"),
    "llama-tied": case("Llama", tie_word_embeddings=True),
    "llama3": case("Llama", rope_parameters=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                                 original_max_position_embeddings=64, rope_theta=500000.0)),
    "mistral": case("Mistral"),
    "mixtral": case("Mixtral", num_local_experts=4, num_experts_per_tok=2),
    "qwen2": case("Qwen2", rope_parameters=dict(rope_type="default", rope_theta=777.0)),
    "qwen3": case("Qwen3", head_dim=32),
    "qwen2moe": case("Qwen2Moe", MOE, shared_expert_intermediate_size=128),
    "qwen3moe": case("Qwen3Moe", MOE, head_dim=32),
    "qwen3next": case("Qwen3Next", MOE, head_dim=32, shared_expert_intermediate_size=64, linear_num_key_heads=2, linear_num_value_heads=4,
                      linear_key_head_dim=32, linear_value_head_dim=32, num_hidden_layers=4),
    "gemma": case("Gemma", head_dim=32),
    "gemma2": case("Gemma2", head_dim=32, query_pre_attn_scalar=32, layer_types=["sliding_attention", "full_attention"]),
    "gemma3": case("Gemma3", head_dim=32, query_pre_attn_scalar=32, num_hidden_layers=6),
    "phi3": case("Phi3"),
    "phi": case("Phi"),
    "phimoe": case("Phimoe", attention_bias=True, lm_head_bias=True, rope_parameters=LONG, num_local_experts=4, num_experts_per_tok=2),
    "deepseek2": case("DeepseekV2", dict(SMALL, num_key_value_heads=4, **MLA), rope_parameters=dict(rope_type="yarn", factor=4.0, rope_theta=10000.0, mscale=1.0,
                                                    mscale_all_dim=1.0, beta_fast=32, beta_slow=1, original_max_position_embeddings=64)),
    "deepseek3": case("DeepseekV3", dict(SMALL, num_key_value_heads=4, **MLA)),
    "gptoss": case("GptOss", num_local_experts=4, num_experts_per_tok=2, head_dim=32, layer_types=["sliding_attention", "full_attention"]),
    "mamba": case("Mamba", dict(vocab_size=256, hidden_size=128, num_hidden_layers=2, state_size=16)),
    "mamba2": case("Mamba2", dict(vocab_size=256, hidden_size=128, num_hidden_layers=2, state_size=16, num_heads=8, head_dim=32, n_groups=1)),
    "falconmamba": case("FalconMamba", dict(vocab_size=256, hidden_size=128, num_hidden_layers=2, state_size=16)),
    "lfm2": case("Lfm2", layer_types=["conv", "full_attention"]),
    "lfm2moe": case("Lfm2Moe", MOE, layer_types=["conv", "full_attention"], num_dense_layers=1),
    "olmo2": case("Olmo2"),
    "olmo3": case("Olmo3", layer_types=["sliding_attention", "full_attention"]),
    "olmoe": case("Olmoe", MOE),
    "glm": case("Glm", head_dim=32),
    "glm4": case("Glm4", head_dim=32),
    "glm4moe": case("Glm4Moe", MOE, head_dim=32, n_routed_experts=4, first_k_dense_replace=1, n_group=1, topk_group=1),
    "glm4moelite": case("Glm4MoeLite", dict(SMALL, num_key_value_heads=4, **MLA)),
    "ernie45": case("Ernie4_5", head_dim=32),
    "ernie45moe": case("Ernie4_5_Moe", MOE, moe_num_experts=4, moe_k=2, moe_layer_start_index=1, moe_num_shared_experts=1),
    "granite": case("Granite"),
    "granite-nvfp4": case("Granite"),
    "granitemoe-nvfp4": case("GraniteMoe", num_local_experts=4, num_experts_per_tok=2),
    "granitemoe": case("GraniteMoe", num_local_experts=4, num_experts_per_tok=2),
    "granitehybrid": case("GraniteMoeHybrid", num_local_experts=4, num_experts_per_tok=2, shared_intermediate_size=64, mamba_n_heads=8,
                          mamba_d_head=32, mamba_n_groups=1, mamba_d_state=16, layer_types=["mamba", "attention"]),
    "granitehybrid-dense": case("GraniteMoeHybrid", num_local_experts=0, num_experts_per_tok=0, shared_intermediate_size=256, mamba_n_heads=8,
                                mamba_d_head=32, mamba_n_groups=1, mamba_d_state=16, layer_types=["mamba", "attention"]),
    "stablelm": case("StableLm"),
    "starcoder2": case("Starcoder2"),
    "cohere": case("Cohere"),
    "cohere2": case("Cohere2", head_dim=32, num_hidden_layers=4),
    "dots1": case("Dots1", MOE, head_dim=32, n_routed_experts=4, n_shared_experts=1, first_k_dense_replace=1, n_group=1, topk_group=1,
                  layer_types=["full_attention", "full_attention"]),
    "seedoss": case("SeedOss", head_dim=32),
    "smollm3": case("SmolLM3"),
    "exaone4": case("Exaone4", head_dim=32, num_hidden_layers=4, sliding_window=64),
    "nemotron": case("Nemotron"),
    "minimaxm2": case("MiniMaxM2", num_local_experts=4, num_experts_per_tok=2, head_dim=32, rotary_dim=16),
    "jamba": case("Jamba", num_experts=4, num_experts_per_tok=2, attn_layer_period=2, attn_layer_offset=1, expert_layer_period=2,
                  expert_layer_offset=1, mamba_d_state=16, mamba_dt_rank=8, use_mamba_kernels=False),
    "gpt2": case("GPT2", dict(vocab_size=256, n_embd=128, n_layer=2, n_head=4, n_positions=256), model="LMHeadModel"),
    "hunyuan": case("HunYuanDenseV1", head_dim=32),
    "afmoe": case("Afmoe", MOE, head_dim=32, num_dense_layers=1, n_group=1, topk_group=1, layer_types=["sliding_attention", "full_attention"]),
    "helium": case("Helium", head_dim=32),
    "gptneox": case("GPTNeoX", intermediate_size=512),
    "gptbigcode": case("GPTBigCode", dict(vocab_size=256, n_embd=128, n_layer=2, n_head=4, n_positions=256, n_inner=512)),
    "dbrx": case("Dbrx", dict(vocab_size=256, d_model=128, n_heads=4, n_layers=2, max_seq_len=256),
                 attn_config=dict(kv_n_heads=2, clip_qkv=8.0, rope_theta=10000.0),
                 ffn_config=dict(hidden_size=128, ffn_hidden_size=128, moe_num_experts=4, moe_top_k=2)),
    "falconh1": case("FalconH1", head_dim=32, mamba_d_ssm=256, mamba_n_heads=8, mamba_d_head=32, mamba_n_groups=1, mamba_d_state=16, embedding_multiplier=5.656854249492381,
                     lm_head_multiplier=0.0195312, attention_in_multiplier=1.3, attention_out_multiplier=0.9375, key_multiplier=0.390625, mlp_multipliers=[0.88388, 0.55859],
                     ssm_in_multiplier=1.25, ssm_out_multiplier=0.23570226, ssm_multipliers=[0.35355, 0.25, 0.17677, 0.5, 0.354]),
    "exaonemoe": case("ExaoneMoe", MOE, head_dim=32, first_k_dense_replace=1, n_group=1, topk_group=1, num_shared_experts=1),
    "nemotronh": case("NemotronH", dict(SMALL, num_hidden_layers=4), head_dim=32, hybrid_override_pattern="M-*-", mamba_num_heads=8, mamba_head_dim=32, n_groups=1,
                      ssm_state_size=16),
    "ministral3": case("Ministral3", head_dim=32),
    "mistral4": case("Mistral4", dict(SMALL, num_key_value_heads=4, **MLA), rope_parameters=YARN),
    "mistral4-alone": case("Mistral4", dict(SMALL, num_key_value_heads=4, **MLA), rope_parameters=YARN),
    "deepseek32": case("DeepseekV32", dict(SMALL, num_key_value_heads=4, **MLA), num_experts=4, index_n_heads=4),
    "glmdsa": case("GlmMoeDsa", dict(SMALL, num_key_value_heads=4, **MLA), num_experts=4, index_n_heads=4),
    "mellum": case("Mellum", MOE, head_dim=32),
    "gemma4": case("Gemma4", dict(SMALL, num_hidden_layers=6), head_dim=32, global_head_dim=64, hidden_size_per_layer_input=64, vocab_size_per_layer_input=256,
                   num_kv_shared_layers=2, layer_types=["sliding_attention", "full_attention"] * 3),
    "gemma4-alone": case("Gemma4", dict(SMALL, num_hidden_layers=6), head_dim=32, global_head_dim=64, hidden_size_per_layer_input=0, num_kv_shared_layers=0),
    "gemma4-moe": case("Gemma4", dict(SMALL, num_hidden_layers=6), head_dim=32, global_head_dim=64, hidden_size_per_layer_input=0, num_kv_shared_layers=0,
                       enable_moe_block=True, num_experts=4, top_k_experts=2, moe_intermediate_size=64),
    "gemma3n": case("Gemma3n", dict(SMALL, num_hidden_layers=5, intermediate_size=[256] * 5), head_dim=32, vocab_size_per_layer_input=256, hidden_size_per_layer_input=64,
                    num_kv_shared_layers=0, laurel_rank=32, layer_types=(["sliding_attention", "full_attention"] * 3)[:5], activation_sparsity_pattern=[0.95, 0.0, 0.0, 0.0, 0.0]),
    "qwen2vl": case("Qwen2"),
    "qwen3vl": case("Qwen3", head_dim=32),
    "qwen35": case("Qwen3_5", dict(SMALL, num_hidden_layers=4), head_dim=32, linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=32,
                   linear_value_head_dim=32),
    "qwen35moe": case("Qwen3_5Moe", dict(MOE, num_hidden_layers=4), head_dim=32, linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=32,
                      linear_value_head_dim=32, shared_expert_intermediate_size=64),
}

# Models that also see: those of which only the language part is made here get the outer names and configuration.
WRAPPED = { # name: class, types outside and within, the names' beginnings
    "gemma4": ("Gemma4ForConditionalGeneration", "gemma4", "gemma4_text", {"model.": "model.language_model."}),
    "gemma4-moe": ("Gemma4ForConditionalGeneration", "gemma4", "gemma4_text", {"model.": "model.language_model."}),
    "gemma3n": ("Gemma3nForConditionalGeneration", "gemma3n", "gemma3n_text", {"model.": "model.language_model."}),
    "mistral4": ("Mistral3ForConditionalGeneration", "mistral3", "mistral4", {"model.": "model.language_model."}),
    "qwen2vl": ("Qwen2_5_VLForConditionalGeneration", "qwen2_5_vl", "qwen2_5_vl_text", {"model.": "model.language_model."}),
    "qwen3vl": ("Qwen3VLForConditionalGeneration", "qwen3_vl", "qwen3_vl_text", {"model.": "model.language_model."}),
    "qwen35": ("Qwen3_5ForConditionalGeneration", "qwen3_5", "qwen3_5_text", {"model.": "model.language_model."}),
    "qwen35moe": ("Qwen3_5MoeForConditionalGeneration", "qwen3_5_moe", "qwen3_5_moe_text", {"model.": "model.language_model."}),
}
OF_TEXT = {"Gemma3", "Gemma3n", "Gemma4", "Qwen3_5", "Qwen3_5Moe"}  # whose configuration is of the text


def wrap(name, out):
    from safetensors.torch import load_file, save_file
    architecture, outer, inner, begins = WRAPPED[name]
    path = os.path.join(out, "model.safetensors")
    state = {next((b + k[len(a):] for a, b in begins.items() if k.startswith(a)), k): v for k, v in load_file(path).items()}
    save_file(state, path, metadata={"format": "pt"})
    path = os.path.join(out, "config.json")
    with open(path) as f:
        text = json.load(f)
    del text["architectures"]
    whole = dict(architectures=[architecture], model_type=outer, dtype=text["dtype"], tie_word_embeddings=text["tie_word_embeddings"], vocab_size=text["vocab_size"],
                 text_config=dict(text, model_type=inner))
    with open(path, "w") as f:
        json.dump(whole, f, indent=2)


def save(name, out):
    if name in mlx_own.CASES:
        os.makedirs(out)
        mlx_own.save(name, out)
    else:
        save_class(name, out)
    with open(os.path.join(out, "tokenizer.json"), "w") as f:
        json.dump({"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None,
                   "decoder": None, "model": {"type": "WordLevel", "vocab": {f"t{i}": i for i in range(256)}, "unk_token": "t0"}}, f)
    with open(os.path.join(out, "tokenizer_config.json"), "w") as f:
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "t0"}, f)


def save_class(name, out):
    import torch
    import transformers
    family, model, config = CASES[name]
    torch.manual_seed(sum(map(ord, name)))
    made = getattr(transformers, family + model)(getattr(transformers, (family + "Text" if family in OF_TEXT else family) + "Config")(**config))
    state = {k: torch.randn_like(v) * 0.05 + (1 if v.ndim == 1 and "norm" in k and "gemma" not in name else 0) if v.is_floating_point() else v
             for k, v in made.state_dict().items()}
    made.load_state_dict(state, strict=False)
    made.to(torch.bfloat16).save_pretrained(out)
    if name in WRAPPED:
        wrap(name, out)


def make(where, patterns):
    for name in [*CASES, *mlx_own.CASES]:
        if not any(fnmatch.fnmatch(name, p) for p in patterns):
            continue
        out = os.path.join(where, name)
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        try:
            save(name, os.path.join(out, "hf"))
        except Exception as e:  # this transformers has no such class, or wants more
            print(f"Bail out! {name}: {type(e).__name__}: {e}".splitlines()[0])
            shutil.rmtree(out)


def own_conversion(out):
    """mlx-lm's conversion of the source, with heft's configuration: of transformers 5's own it has another RoPE base, or refuses it. What it says."""
    from mlx_lm.convert import convert
    hf, ours, theirs = os.path.join(out, "hf"), os.path.join(out, "our"), os.path.join(out, "mlx")
    with open(os.path.join(ours, "config.json")) as f:
        config = {k: v for k, v in json.load(f).items() if k not in ("quantization", "quantization_config")}
    os.replace(os.path.join(hf, "config.json"), os.path.join(out, "config.json"))
    try:
        with open(os.path.join(hf, "config.json"), "w") as f:
            json.dump(config, f)
        shutil.rmtree(theirs, ignore_errors=True)
        more = {}
        if os.path.basename(out) in ROUTERS_ALONE:
            more["quant_predicate"] = lambda path, module: {"group_size": 64, "bits": 8} if path.endswith("router.layer") else True
        if out.endswith("-nvfp4"):
            more["q_mode"] = "nvfp4"
        convert(hf, theirs, quantize=True, **more)
        return ""
    except (Exception, SystemExit) as e:
        shutil.rmtree(theirs, ignore_errors=True)
        return f"{type(e).__name__}: {e}".splitlines()[0]
    finally:
        os.replace(os.path.join(out, "config.json"), os.path.join(hf, "config.json"))


def tensors(folder):
    import glob
    import mlx.core as mx
    all = {}
    for f in glob.glob(os.path.join(folder, "model*.safetensors")):
        all.update(mx.load(f))
    return all


def logits(folder):
    from pathlib import Path
    import mlx.core as mx
    from mlx_lm.utils import load_model
    model, _ = load_model(Path(folder), lazy=False, strict=True)
    out = model(mx.array([[3, 14, 15, 92, 65, 35]])).astype(mx.float32)
    mx.eval(out)
    return out


def said(condition, what, why=""):
    print(f"{'ok' if condition else 'not ok'} 1 - {what}")
    if not condition and why:
        print(f"# {why}")


def index_is(ours, theirs, what):
    a, b = (open(os.path.join(d, "model.safetensors.index.json")).read() for d in (ours, theirs))
    return a == b, what, f"{json.loads(a)['metadata']}, not {json.loads(b)['metadata']}"


def compare(out):
    import mlx.core as mx
    name = os.path.basename(out)
    why = own_conversion(out)
    ours = tensors(os.path.join(out, "our"))
    try:
        got = logits(os.path.join(out, "our"))
    except (Exception, SystemExit) as e:
        said(False, f"{name}: mlx-lm loads heft's folder", f"{type(e).__name__}: {e}".splitlines()[0])
        got = None
    if not os.path.isdir(os.path.join(out, "mlx")):
        if got is not None:
            said(True, f"{name}: mlx-lm loads heft's folder, where it says of its own: {why}")
        return
    theirs = tensors(os.path.join(out, "mlx"))
    missing, more = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
    said(not missing and not more, f"{name}: the names are mlx-lm's", f"missing {missing[:3]}, more {more[:3]}")
    both = sorted(set(theirs) & set(ours))
    other = [k for k in both if theirs[k].dtype != ours[k].dtype or theirs[k].shape != ours[k].shape]
    said(not other, f"{name}: types and shapes are", ", ".join(f"{k} {theirs[k].dtype}{theirs[k].shape} {ours[k].dtype}{ours[k].shape}" for k in other[:3]))
    bytes_of = lambda a: a.view(mx.uint8) if a.ndim else a
    differ = [k for k in both if k not in other and not mx.array_equal(bytes_of(theirs[k]), bytes_of(ours[k])).item()]
    said(not differ, f"{name}: bytes are", ", ".join(differ[:4]))
    said(*index_is(os.path.join(out, "our"), os.path.join(out, "mlx"), f"{name}: the index is"))
    if got is not None:
        want = logits(os.path.join(out, "mlx"))
        said(mx.array_equal(want, got).item(), f"{name}: it loads strictly, and the logits are equal", f"they differ by {mx.abs(want - got).max().item()}")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], sys.argv[3:] or ["*"])
    else:
        for folder in sys.argv[2:]:
            compare(folder)
