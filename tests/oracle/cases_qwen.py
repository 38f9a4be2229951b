"""Checkpoints of Qwen's mixtures and their like, of Llama 4, gpt-oss and Mistral's later models."""
from make_checkpoint import NARROW, case, rename

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


def made(config_class, model_class, tok="gpt2", dtype="bfloat16", types="plain", spell="new", after=None, **config):
    """By classes that have no common name. VOCAB in a configuration becomes how many ids the tokenizer has."""
    def make(out):
        import json
        import torch
        import transformers as T
        from make_checkpoint import randomize, respell, vocabulary
        n = (vocabulary(out) + 63) // 64 * 64 if tok == "gpt2" else vocabulary(out)
        model = getattr(T, model_class)(getattr(T, config_class)(**fill(config, n)))
        randomize(model, len(out))
        model.to(getattr(torch, dtype)).save_pretrained(out)
        j = json.load(open(out + "/config.json"))
        if "text_config" in j:
            j["text_config"] = respell(j["text_config"], spell, config["text_config"], dtype)
        else:
            j = respell(j, spell, config, dtype)
        json.dump(j, open(out + "/config.json", "w"), indent=1)
        if after:
            after(out)
    return case(("", {}), {}, tok=tok, types=types, make=make)


def fill(config, n):
    return {k: fill(v, n) if isinstance(v, dict) else n if v == "VOCAB" else v for k, v in config.items()}


def flat(out):
    """One object, as transformers 4 wrote it."""
    import json
    j = json.load(open(out + "/config.json"))
    text = j.pop("text_config")
    text.pop("model_type", None)
    json.dump({**text, **j}, open(out + "/config.json", "w"), indent=1)


def both(*steps):
    def apply(out):
        for s in steps:
            s(out)
    return apply


def turn_experts(out):
    """Fused experts as they were published; transformers 5 writes what it has in memory."""
    from safetensors.torch import load_file, save_file
    t = load_file(out + "/model.safetensors")
    t = {k: v.transpose(1, 2).contiguous() if ".experts." in k else v for k, v in t.items()}
    save_file(t, out + "/model.safetensors", metadata={"format": "pt"})


def mxfp4(out):
    """The experts as 4-bit floats with a scale for each 32: any bytes are some."""
    import json
    import torch
    from safetensors.torch import load_file, save_file
    t = load_file(out + "/model.safetensors")
    g = torch.Generator().manual_seed(7)
    for k in [k for k in t if k.endswith(("experts.gate_up_proj", "experts.down_proj"))]:
        e, cols, rows = t.pop(k).shape
        t[k + "_blocks"] = torch.randint(0, 256, (e, rows, cols // 32, 16), generator=g, dtype=torch.uint8)
        t[k + "_scales"] = torch.randint(115, 130, (e, rows, cols // 32), generator=g, dtype=torch.uint8)
    save_file(t, out + "/model.safetensors", metadata={"format": "pt"})
    j = json.load(open(out + "/config.json"))
    j["quantization_config"] = dict(quant_method="mxfp4", modules_to_not_convert=["model.layers.*.self_attn", "lm_head"])
    json.dump(j, open(out + "/config.json", "w"), indent=1)


def fp8(out):
    """Matrices of attention and experts as 8-bit floats with a scale for each 128 by 128."""
    import json
    import torch
    from safetensors.torch import load_file, save_file
    t = load_file(out + "/model.safetensors")
    for k in [k for k in t if k.endswith("_proj.weight")]:
        scale = t[k].float().abs().amax() / 448
        t[k] = (t[k].float() / scale).to(torch.float8_e4m3fn)
        t[k + "_scale_inv"] = scale.reshape(1, 1)
    save_file(t, out + "/model.safetensors", metadata={"format": "pt"})
    j = json.load(open(out + "/config.json"))
    j["quantization_config"] = dict(quant_method="fp8", weight_block_size=[128, 128], activation_scheme="dynamic", fmt="e4m3")
    json.dump(j, open(out + "/config.json", "w"), indent=1)


TEXT = dict(SLIM, vocab_size="VOCAB")
EYES = dict(depth=1, hidden_size=16, embed_dim=16, intermediate_size=32, num_heads=2, out_hidden_size=32, deepstack_visual_indexes=[0], num_position_embeddings=16,
            patch_size=4)
LLAMA4 = dict(TEXT, num_hidden_layers=4, intermediate_size=32, intermediate_size_mlp=64, head_dim=8, num_local_experts=4, interleave_moe_layer_step=2,
              rope_parameters=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                   original_max_position_embeddings=256, rope_theta=500000.0))
LLAMA4_EYES = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, vision_output_dim=16, image_size=28,
                   projector_input_dim=16, projector_output_dim=16)
VLMOE = dict(text_config={**TEXT, **MOE, "moe_intermediate_size": 48, "rope_parameters": dict(rope_type="default", mrope_section=[1, 2, 1], rope_theta=1000000.0)},
             vision_config=EYES)
PIXTRAL = dict(model_type="pixtral", hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, head_dim=8, image_size=28, patch_size=14)
LINEAR35 = dict(LINEAR, head_dim=256)  # the runtime rotates 32 pairs in three sections, a quarter of a head
QWEN35 = dict(LINEAR35, vocab_size="VOCAB")
QWEN35MOE = {k: v for k, v in {**LINEAR35, **MOE, "vocab_size": "VOCAB"}.items() if k != "intermediate_size"}
MROPE = dict(rope_type="default", mrope_section=[1, 2, 1], rope_theta=1000000.0)
OSS = ("GptOss", dict(num_local_experts=4, num_experts_per_tok=2, head_dim=8, sliding_window=128))
SPM = dict(TEXT, bos_token_id=1, eos_token_id=2, hidden_size=64, intermediate_size=128)
MINISTRAL = dict(rope_type="yarn", rope_theta=1e6, factor=16.0, original_max_position_embeddings=32, beta_fast=32.0, beta_slow=1.0, mscale=1.0,
                 mscale_all_dim=1.0, llama_4_scaling_beta=0.1)


CASES = {
    "qwen2moe": plain(QWEN2MOE, SLIM, types="few", spell="old"),
    "qwen2moe-fused": plain(QWEN2MOE, SLIM, extras=("fused",), dtype="float16"),
    "qwen2moe-minimal": plain(QWEN2MOE, SLIM, spell="minimal", dtype="float32"),
    "qwen2moe-fp8": plain(QWEN2MOE, SLIM, types="bare", after=fp8),
    "qwen2moe-fp8-as-q8": plain(QWEN2MOE, SLIM, types="bare", after=fp8, args=["--fp8-as-q8"]),
    "qwen3next": plain(QWEN3NEXT, LINEAR, types="few", spell="old", after=with_mtp()),
    "qwen3next-f16": plain(QWEN3NEXT, LINEAR, dtype="float16", after=with_mtp(prefix="model.")),
    "qwen3next-no-mtp": plain(QWEN3NEXT, LINEAR, after=with_mtp(), args=["--no-mtp"]),
    "qwen3next-mtp": plain(QWEN3NEXT, LINEAR, after=with_mtp(), args=["--mtp"]),
    "qwen3next-none": plain(QWEN3NEXT, LINEAR, args=["--no-mtp"]),
    "qwen3next-lost": plain(QWEN3NEXT, LINEAR, fails="AssertionError"),
    "qwen3next-fused": plain(QWEN3NEXT, LINEAR, extras=("fused",), args=["--no-mtp"]),
    "qwen3next-minimal": plain(QWEN3NEXT, LINEAR, spell="minimal", dtype="float32", args=["--no-mtp"]),
    "llama4": made("Llama4TextConfig", "Llama4ForCausalLM", types="few", **LLAMA4),
    "llama4-eyes": made("Llama4Config", "Llama4ForConditionalGeneration", dtype="float16", spell="old",
                        text_config=dict(LLAMA4, no_rope_layers=[0, 0, 0, 0]), vision_config=LLAMA4_EYES),
    "llama4-minimal": made("Llama4TextConfig", "Llama4ForCausalLM", dtype="float32", spell="minimal", **{**LLAMA4, "interleave_moe_layer_step": 1}),
    "gptoss": plain(OSS, SLIM, types="few"),
    "gptoss-minimal": plain(OSS, SLIM, spell="minimal", dtype="float16"),
    "gptoss-mxfp4": plain(OSS, SLIM, types="bare", spell="old", after=mxfp4,
                          rope_parameters=dict(rope_type="yarn", factor=32.0, beta_fast=32.0, beta_slow=1.0, truncate=False,
                                               original_max_position_embeddings=64, rope_theta=150000.0)),
    "qwen35": made("Qwen3_5TextConfig", "Qwen3_5ForCausalLM", types="few", after=with_mtp(), **QWEN35),
    "qwen35-even": made("Qwen3_5TextConfig", "Qwen3_5ForCausalLM", dtype="float16", after=with_mtp(), **{**QWEN35, "linear_num_value_heads": 2}),
    "qwen35-eyes": made("Qwen3_5Config", "Qwen3_5ForConditionalGeneration", dtype="float32", after=both(
        rename(("model.language_model.", "model.")), with_mtp(), rename(("model.layers.", "model.language_model.layers."))),
        text_config=dict(QWEN35, rope_parameters=MROPE), vision_config=EYES),
    "qwen35-minimal": dict(made("Qwen3_5TextConfig", "Qwen3_5ForCausalLM", spell="minimal", **QWEN35), args=["--no-mtp"]),
    "qwen35moe": made("Qwen3_5MoeTextConfig", "Qwen3_5MoeForCausalLM", after=with_mtp(), **QWEN35MOE),
    "qwen35moe-fused": dict(made("Qwen3_5MoeTextConfig", "Qwen3_5MoeForCausalLM", after=with_mtp(), spell="minimal", **QWEN35MOE), args=["--mtp"]),
    "qwen2vl": made("Qwen2VLConfig", "Qwen2VLForConditionalGeneration", types="few", text_config=dict(TEXT, rope_parameters=MROPE), vision_config=EYES),
    "qwen2vl-old": made("Qwen2VLConfig", "Qwen2VLForConditionalGeneration", spell="old", after=both(flat, set_config(
                        rope_scaling=dict(type="mrope", mrope_section=[1, 2, 1])), rename(("model.language_model.", "model."),
                        ("model.visual.", "visual."))), text_config=dict(TEXT, rope_parameters=MROPE), vision_config=EYES),
    "qwen25vl-minimal": made("Qwen2_5_VLConfig", "Qwen2_5_VLForConditionalGeneration", spell="minimal", types="bare", dtype="float16", text_config=TEXT,
                             vision_config=EYES),
    "qwen3vl": made("Qwen3VLConfig", "Qwen3VLForConditionalGeneration", text_config=dict(TEXT, head_dim=16, rope_parameters=MROPE), vision_config=EYES),
    "qwen3vlmoe": made("Qwen3VLMoeConfig", "Qwen3VLMoeForConditionalGeneration", after=turn_experts, **VLMOE),
    "qwen3vlmoe-minimal": made("Qwen3VLMoeConfig", "Qwen3VLMoeForConditionalGeneration", after=turn_experts, spell="minimal", types="bare", dtype="float32", **VLMOE),
    "qwen3vlmoe-straight": dict(made("Qwen3VLMoeConfig", "Qwen3VLMoeForConditionalGeneration", **VLMOE),
                                fails="tensor 'blk.0.ffn_gate_exps.weight' has wrong shape"),
    "mistral3": made("Mistral3Config", "Mistral3ForConditionalGeneration", tok="kjv-llama", types="few", text_config=dict(SPM, model_type="mistral", head_dim=16),
                     vision_config=PIXTRAL),
    "mistral3-old": made("Mistral3Config", "Mistral3ForConditionalGeneration", tok="kjv-llama", spell="old", text_config=dict(SPM, model_type="mistral"),
                         vision_config=PIXTRAL, after=rename(("model.language_model.", "language_model.model."), ("model.vision_tower.", "vision_tower."))),
    "mistral3-small": made("Mistral3Config", "Mistral3ForConditionalGeneration", tok="kjv-llama", dtype="float16",
                           text_config=dict(SPM, model_type="ministral3", head_dim=16, rope_parameters=MINISTRAL), vision_config=PIXTRAL),
    "ministral3": made("Ministral3Config", "Ministral3ForCausalLM", tok="kjv-llama", **dict(SPM, head_dim=16, rope_parameters=MINISTRAL)),
    "ministral3-minimal": made("Ministral3Config", "Ministral3ForCausalLM", tok="kjv-llama", dtype="float32", spell="minimal", **SPM),
}
