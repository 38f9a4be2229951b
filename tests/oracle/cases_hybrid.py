"""State-space models, hybrids of these with attention, and relatives of Llama that are published under names of their own."""
import json

from make_checkpoint import LLAMA, LLAMA3, NARROW, SPM, WIDE, YARN, case, vocabulary

SMALL = dict(NARROW, num_hidden_layers=2)
SMOLLM3 = ("SmolLM3", dict(SPM, pad_token_id=0))
STATE = dict(hidden_size=64, num_hidden_layers=2, state_size=16, **SPM)
MAMBA, FALCON_MAMBA = ("Mamba", {}), ("FalconMamba", {})
MAMBA2 = ("Mamba2", dict(num_heads=8, head_dim=16, n_groups=2))

INTERNLM2 = dict(architectures=["InternLM2ForCausalLM"], model_type="internlm2", hidden_size=64, intermediate_size=128, num_hidden_layers=2,
                 num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512, rms_norm_eps=1e-5, rope_theta=1000000,
                 rope_scaling=dict(type="dynamic", factor=2.0), bias=False, tie_word_embeddings=False, torch_dtype="bfloat16", **SPM)
INTERNLM3 = dict(architectures=["InternLM3ForCausalLM"], model_type="internlm3", hidden_size=64, intermediate_size=128, num_hidden_layers=2,
                 num_attention_heads=4, num_key_value_heads=2, head_dim=24, max_position_embeddings=512, rms_norm_eps=1e-5, rope_theta=50000000,
                 rope_scaling=dict(rope_type="dynamic", factor=6.0), bias=False, qkv_bias=True, torch_dtype="bfloat16", **SPM)
EXAONE = dict(architectures=["ExaoneForCausalLM"], model_type="exaone", activation_function="silu", hidden_size=32, intermediate_size=64, rms_norm_eps=1e-5,
              num_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=512, layer_norm_epsilon=1e-5,
              rope_theta=1000000, rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                                    original_max_position_embeddings=8192), torch_dtype="bfloat16", tie_word_embeddings=True)


def written(config, shapes, dtype="bfloat16", tokens=None):
    """A make= for a model that transformers has no class of. shapes: of a vocabulary's size, the tensors' shapes by name, {l} of each layer;
    tokens: added tokens with ids before the vocabulary's end."""
    def make(out):
        import torch
        from safetensors.torch import save_file
        n = vocabulary(out)
        if tokens:
            json.dump(dict(json.load(open(out + "/tokenizer_config.json")), **tokens), open(out + "/tokenizer_config.json", "w"))
        g = torch.Generator().manual_seed(len(out))
        layers = next(config[k] for k in ("num_hidden_layers", "num_layers", "n_layers", "num_transformer_layers") if k in config)
        t = {}
        for name, shape in shapes(n).items():
            for l in range(layers if "{l}" in name else 1):
                noise = torch.randn(shape, generator=g)
                t[name.replace("{l}", str(l))] = (1 + 0.05 * noise if len(shape) == 1 else 0.02 * noise).to(getattr(torch, dtype))
        save_file(t, out + "/model.safetensors", metadata={"format": "pt"})
        json.dump(dict(config, vocab_size=n), open(out + "/config.json", "w"), indent=1)
    return make


def internlm2(n):
    return {"model.tok_embeddings.weight": (n, 64), "model.norm.weight": (64,), "output.weight": (n, 64),
            "model.layers.{l}.attention_norm.weight": (64,), "model.layers.{l}.ffn_norm.weight": (64,),
            "model.layers.{l}.attention.wqkv.weight": (128, 64), "model.layers.{l}.attention.wo.weight": (64, 64),
            "model.layers.{l}.feed_forward.w1.weight": (128, 64), "model.layers.{l}.feed_forward.w2.weight": (64, 128),
            "model.layers.{l}.feed_forward.w3.weight": (128, 64)}


def internlm3(n):
    a = "model.layers.{l}.self_attn."
    return {"model.embed_tokens.weight": (n, 64), "model.norm.weight": (64,), "lm_head.weight": (n, 64),
            "model.layers.{l}.input_layernorm.weight": (64,), "model.layers.{l}.post_attention_layernorm.weight": (64,),
            a + "q_proj.weight": (96, 64), a + "q_proj.bias": (96,), a + "k_proj.weight": (48, 64), a + "k_proj.bias": (48,),
            a + "v_proj.weight": (48, 64), a + "v_proj.bias": (48,), a + "o_proj.weight": (64, 96),
            "model.layers.{l}.mlp.gate_proj.weight": (128, 64), "model.layers.{l}.mlp.up_proj.weight": (128, 64),
            "model.layers.{l}.mlp.down_proj.weight": (64, 128)}


def exaone(n):
    h = "transformer.h.{l}."
    return {"transformer.wte.weight": (n, 32), "transformer.ln_f.weight": (32,), h + "ln_1.weight": (32,), h + "ln_2.weight": (32,),
            h + "attn.attention.q_proj.weight": (32, 32), h + "attn.attention.k_proj.weight": (16, 32),
            h + "attn.attention.v_proj.weight": (16, 32), h + "attn.attention.out_proj.weight": (32, 32),
            h + "mlp.c_fc_0.weight": (64, 32), h + "mlp.c_fc_1.weight": (64, 32), h + "mlp.c_proj.weight": (32, 64)}


def drop(*keys):
    """An after= that leaves keys out of config.json."""
    def after(out):
        c = json.load(open(out + "/config.json"))
        json.dump({k: v for k, v in c.items() if k not in keys}, open(out + "/config.json", "w"))
    return after


CHAT = dict(added_tokens_decoder={str(i): dict(content=t, special=s) for i, t, s in
                                  [(0, "<unk>", True), (1, "<s>", True), (2, "</s>", True), (200, "<|im_end|>", True), (201, "<|plugin|>", True),
                                   (202, "\u2581word", False)]}, add_prefix_space=False)
TINY = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512)
GPT2 = dict(tok="gpt2", types="plain", tie_word_embeddings=True, pad_token_id=None)
LFM2, LFM2MOE = ("Lfm2", dict(layer_types=["conv", "full_attention", "conv"])), ("Lfm2Moe", dict(
    layer_types=["conv", "full_attention", "conv"], moe_intermediate_size=32, num_experts=4, num_experts_per_tok=2, num_dense_layers=1))
NEMOTRON = ("Nemotron", dict(SPM, pad_token_id=None))
EXAONE4 = ("Exaone4", dict(sliding_window=64, bos_token_id=1, eos_token_id=2))

GRANITE = ("GraniteMoeHybrid", dict(SPM, mamba_n_heads=8, mamba_d_state=16, mamba_n_groups=2, shared_intermediate_size=96, num_local_experts=4,
                                    layer_types=["mamba", "attention", "mamba"], embedding_multiplier=12.0, attention_multiplier=0.0156,
                                    residual_multiplier=0.22, logits_scaling=6.0))
JAMBA = ("Jamba", dict(SPM, pad_token_id=0, num_experts=4, num_experts_per_tok=2, attn_layer_period=3, attn_layer_offset=1, expert_layer_period=2,
                       expert_layer_offset=1, use_mamba_kernels=False, mamba_d_state=16))
FALCON_H1 = ("FalconH1", dict(mamba_d_ssm=64, mamba_n_heads=4, mamba_d_head=16, mamba_d_state=16, mamba_n_groups=2, head_dim=16, mamba_expand=2,
                              mlp_multipliers=[0.88, 0.37], ssm_multipliers=[0.35, 0.25, 0.18, 0.5, 0.31], ssm_in_multiplier=1.25,
                              ssm_out_multiplier=0.0833, attention_in_multiplier=1.1, attention_out_multiplier=0.9375, key_multiplier=0.39,
                              embedding_multiplier=5.656, lm_head_multiplier=0.039))
NEMOTRON_H = ("NemotronH", dict(layers_block_type=["mamba", "moe", "attention", "moe"], mamba_num_heads=8, mamba_head_dim=16, n_groups=2,
                                ssm_state_size=16, head_dim=16, n_routed_experts=4, moe_intermediate_size=48, pad_token_id=None,
                                moe_shared_expert_intermediate_size=64, num_experts_per_tok=2))
HYBRID = dict(hidden_size=32, num_attention_heads=4, num_key_value_heads=2, intermediate_size=64, max_position_embeddings=512)


def add_mtp(out):
    """The layers behind Nemotron-H's last one, which transformers does not write."""
    import torch
    from safetensors.torch import load_file, save_file
    t = load_file(out + "/model.safetensors")
    c = json.load(open(out + "/config.json"))
    like = {n.split(".", 3)[3]: v for n, v in t.items() if ".layers.2." in n or ".layers.3.mixer." in n}
    g = torch.Generator().manual_seed(7)
    new = {"mtp.layers.0.eh_proj.weight": (32, 64), "mtp.layers.1.final_layernorm.weight": (32,)}
    new.update({f"mtp.layers.0.{n}.weight": (32,) for n in ("enorm", "hnorm", "norm")}, **{"mtp.layers.1.norm.weight": (32,)})
    for n, v in like.items():
        if n.startswith("mixer."):
            new[f"mtp.layers.{0 if n[6:8] in ('q_', 'k_', 'v_', 'o_') else 1}.{n}"] = v.shape
    t.update({n: torch.randn(s, generator=g).to(torch.bfloat16) for n, s in new.items()})
    save_file(t, out + "/model.safetensors", metadata={"format": "pt"})
    json.dump(dict(c, num_nextn_predict_layers=1), open(out + "/config.json", "w"))


def letters(pattern, *gone):
    """An after= that says in letters what the blocks are, as published checkpoints of Nemotron-H do."""
    def after(out):
        drop("layers_block_type", "layer_types", *gone)(out)
        c = json.load(open(out + "/config.json"))
        json.dump(dict(c, hybrid_override_pattern=pattern), open(out + "/config.json", "w"))
    return after


SPARSE = ("num_experts_per_tok", "n_routed_experts", "n_shared_experts", "moe_intermediate_size", "moe_shared_expert_intermediate_size", "n_group",
          "topk_group", "norm_topk_prob", "routed_scaling_factor")


def yi(out):
    """Yi's tokenizer_config.json: nothing is added, turns end the text."""
    c = json.load(open(out + "/tokenizer_config.json"))
    c.update(add_bos_token=False, add_eos_token=False, added_tokens_decoder={str(i): dict(content=t, special=True) for i, t in
             enumerate(["<unk>", "<|startoftext|>", "<|endoftext|>"])}, bos_token="<|startoftext|>", eos_token="<|endoftext|>",
             unk_token="<unk>", pad_token="<unk>", legacy=True, sp_model_kwargs={}, tokenizer_class="LlamaTokenizer")
    json.dump(c, open(out + "/tokenizer_config.json", "w"))


CASES = {
    "smollm3": case(SMOLLM3, WIDE, num_hidden_layers=4),
    "smollm3-old": case(SMOLLM3, SMALL, spell="old", types="plain", tie_word_embeddings=False),
    "smollm3-minimal": case(SMOLLM3, NARROW, spell="minimal", types="plain", num_key_value_heads=4),
    "smollm3-yarn": case(SMOLLM3, SMALL, types="plain", rope_parameters=YARN, dtype="float16"),
    "smollm3-rope3": case(SMOLLM3, SMALL, types="plain", rope_parameters=LLAMA3, spell="old", dtype="float32"),
    "mamba": case(MAMBA, STATE, hidden_size=256, types="few"),
    "mamba-untied": case(MAMBA, STATE, types="plain", tie_word_embeddings=False, dtype="float16", spell="old"),
    "mamba-minimal": case(MAMBA, STATE, types="plain", dtype="float32", spell="minimal", state_size=16, conv_kernel=3),
    "mamba-bias": case(MAMBA, STATE, types="plain", use_bias=True, intermediate_size=128),
    "mamba-bpe": case(MAMBA, dict(STATE, hidden_size=32), types="plain", tok="gpt_neox", time_step_rank=5),
    "falcon-mamba": case(FALCON_MAMBA, STATE, types="plain"),
    "mamba2": case(MAMBA2, dict(STATE, hidden_size=256), num_heads=32),
    "mamba2-tied": case(MAMBA2, STATE, types="plain", tie_word_embeddings=True, dtype="float16"),
    "mamba2-f32": case(MAMBA2, STATE, types="plain", dtype="float32", spell="old", n_groups=1),
    "mamba2-minimal": case(MAMBA2, STATE, types="plain", spell="minimal", num_heads=2, head_dim=64),
    "internlm2": case(("", {}), {}, types="plain", make=written(INTERNLM2, internlm2)),
    "internlm2-chat": case(("", {}), {}, types="plain", make=written(INTERNLM2, internlm2, "float16", CHAT)),
    "internlm2-mistral": case(("", {}), {}, types="plain", tok="mistral-spm", make=written(INTERNLM2, internlm2, "float32")),
    "internlm3": case(("", {}), {}, types="plain", make=written(INTERNLM3, internlm3)),
    "internlm3-chat": case(("", {}), {}, types="plain", make=written(INTERNLM3, internlm3, "float16", CHAT)),
    "lfm2": case(LFM2, TINY, **{**GPT2, "types": "few"}, hidden_size=256, intermediate_size=384, block_multiple_of=64),
    "lfm2-old": case(LFM2, TINY, **GPT2, spell="old", block_auto_adjust_ff_dim=False, dtype="float16"),
    "lfm2-minimal": case(LFM2, TINY, **GPT2, spell="minimal", dtype="float32", num_key_value_heads=4, rope_parameters=YARN),
    "lfm2-indexes": case(("Lfm2", {}), TINY, **GPT2, full_attn_idxs=[2], block_ffn_dim_multiplier=1.3, after=drop("layer_types")),
    "lfm2-untied": case(LFM2, TINY, **{**GPT2, "tie_word_embeddings": False}),
    "lfm2moe": case(LFM2MOE, TINY, **{**GPT2, "types": "few"}, hidden_size=256, moe_intermediate_size=64),
    "lfm2moe-old": case(LFM2MOE, TINY, **GPT2, spell="old", dtype="float16"),
    "lfm2moe-minimal": case(LFM2MOE, TINY, **GPT2, spell="minimal", dtype="float32", num_dense_layers=2),
    "nemotron": case(NEMOTRON, WIDE, num_hidden_layers=4),
    "nemotron-old": case(NEMOTRON, SMALL, types="plain", spell="old", dtype="float16", attention_bias=True, mlp_bias=True),
    "nemotron-minimal": case(NEMOTRON, SMALL, types="plain", spell="minimal", dtype="float32"),
    "nemotron-linear": case(NEMOTRON, SMALL, types="plain", rope_parameters=dict(rope_type="linear", factor=2.0, rope_theta=10000.0)),
    "exaone": case(("", {}), {}, types="bare", tok="gpt2", make=written(dict(EXAONE, rope_scaling=None), exaone)),
    "exaone4": case(EXAONE4, TINY, **{**GPT2, "types": "few"}, hidden_size=256, intermediate_size=512, sliding_window_pattern=3),
    "exaone4-old": case(EXAONE4, TINY, **GPT2, spell="old", dtype="float16", rope_parameters=LLAMA3),
    "exaone4-minimal": case(EXAONE4, TINY, **GPT2, spell="minimal", dtype="float32"),
    "exaone4-letters": case(EXAONE4, TINY, **GPT2, spell="minimal", layer_types=["full_attention"] * 3, sliding_window_pattern="LLG",
                            after=drop("layer_types"), fails="unsupported operand type(s) for %"),
    "exaone4-full": case(EXAONE4, TINY, **GPT2, sliding_window=None, layer_types=["full_attention"] * 3),
    "exaone4-raw": case(EXAONE4, TINY, **GPT2, sliding_window=None, layer_types=["full_attention"] * 3, after=drop("layer_types"),
                        fails="division by zero"),
    "granitehybrid": case(GRANITE, dict(WIDE, num_hidden_layers=3), mamba_n_heads=16, shared_intermediate_size=256),
    "granitehybrid-old": case(GRANITE, NARROW, types="plain", spell="old", dtype="float16", tie_word_embeddings=True),
    "granitehybrid-dense": case(GRANITE, NARROW, types="plain", shared_intermediate_size=128, num_local_experts=0, num_experts_per_tok=0, dtype="float32"),
    "granitehybrid-attention": case(GRANITE, NARROW, types="plain", layer_types=["attention"] * 3, num_local_experts=0, num_experts_per_tok=0),
    "granitehybrid-moe": case(GRANITE, NARROW, types="plain", layer_types=["attention"] * 3),
    "jamba": case(JAMBA, dict(WIDE, num_hidden_layers=4)),
    "jamba-old": case(JAMBA, NARROW, types="plain", spell="old", dtype="float16", mamba_dt_rank=6),
    "jamba-minimal": case(JAMBA, dict(NARROW, num_hidden_layers=5), types="plain", spell="minimal", dtype="float32"),
    "jamba-hf": case(JAMBA, dict(NARROW, hidden_size=32), types="plain", tok="mistral03"),
    "falcon-h1": case(FALCON_H1, TINY, **GPT2),
    "falcon-h1-old": case(FALCON_H1, TINY, **GPT2, spell="old", dtype="float16"),
    "falcon-h1-untied": case(FALCON_H1, TINY, **{**GPT2, "tie_word_embeddings": False}, dtype="float32"),
    "nemotron_h": case(NEMOTRON_H, HYBRID, tok="gpt2", types="plain"),
    "nemotron_h-latent": case(NEMOTRON_H, HYBRID, tok="gpt2", types="plain", dtype="float16", spell="old", moe_latent_size=16),
    "nemotron_h-mtp": case(NEMOTRON_H, HYBRID, tok="gpt2", types="plain", after=add_mtp),
    "nemotron_h-minimal": case(NEMOTRON_H, HYBRID, tok="gpt2", types="plain", spell="minimal", dtype="float32"),
    # transformers' class always has num_experts_per_tok, and the reference takes it for a mixture then
    "nemotron_h-dense": case(NEMOTRON_H, HYBRID, tok="gpt2", layers_block_type=["mamba", "mlp", "attention", "mlp"],
                             fails="tensor 'blk.1.ssm_in.weight' not found"),
    "nemotron_h-letters": case(NEMOTRON_H, HYBRID, tok="gpt2", types="bare", after=letters("ME*E")),
    "nemotron_h-dense-letters": case(NEMOTRON_H, HYBRID, tok="gpt2", layers_block_type=["mamba", "mlp", "attention", "mlp"],
                                     after=letters("M-*-", *SPARSE), fails="tensor 'blk.1.ssm_in.weight' not found"),
    "yi": case(LLAMA, SMALL, types="plain", rope_theta=5000000.0, after=yi, pad_token_id=0),
}
