"""Families that few checkpoints are of: Llamas and mixtures of experts with keys and names of their own. One or two cases each."""
import json

from cases_hybrid import written
from make_checkpoint import LLAMA3, NARROW, SPM, case

SMALL = dict(NARROW, num_hidden_layers=2)
SLIM = dict(SMALL, hidden_size=32, intermediate_size=64)
GPT2 = dict(tok="gpt2", tie_word_embeddings=True, pad_token_id=None)
WHOLE = dict(GPT2, tie_word_embeddings=False)  # where the runtime insists on an output matrix
BIASED = dict(SPM, attention_bias=True, mlp_bias=True)
MOE = dict(moe_intermediate_size=32, num_experts_per_tok=2)
BASE = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
            rms_norm_eps=1e-5, rope_theta=10000.0, torch_dtype="bfloat16", **SPM)


OWN = dict(torch_dtype="bfloat16")  # nothing that Llama's configuration has


def blocks(n, width=64, ff=128, kv=32, head=16, names=("input_layernorm", "post_attention_layernorm"), bias=(), norms=False, tied=False):
    """Shapes of Llama's blocks for written(); bias: the norms that have one."""
    m, a = "model.layers.{l}.", "model.layers.{l}.self_attn."
    t = {"model.embed_tokens.weight": (n, width), "model.norm.weight": (width,), a + "q_proj.weight": (width, width), a + "k_proj.weight": (kv, width),
         a + "v_proj.weight": (kv, width), a + "o_proj.weight": (width, width), m + "mlp.gate_proj.weight": (ff, width),
         m + "mlp.up_proj.weight": (ff, width), m + "mlp.down_proj.weight": (width, ff)}
    t.update({m + x + ".weight": (width,) for x in names})
    t.update({x + ".bias": (width,) for x in bias})
    if norms:
        t.update({a + "q_norm.weight": (head,), a + "k_norm.weight": (head,)})
    return t if tied else dict(t, **{"lm_head.weight": (n, width)})


def without(shapes, *parts):
    return {k: v for k, v in shapes.items() if not any(p in k for p in parts)}


def made(cls, shapes, dtype="bfloat16", tok="kjv-llama", types="plain", fails=None, base=BASE, **config):
    return case(("", {}), {}, types=types, tok=tok, fails=fails, make=written({**base, "architectures": [cls], "model_type": "own", **config}, shapes, dtype))


def baichuan(n):
    return dict(without(blocks(n), "q_proj", "k_proj", "v_proj"), **{"model.layers.{l}.self_attn.W_pack.weight": (192, 64)})


def orion(n):
    b = ("model.norm", "model.layers.{l}.input_layernorm", "model.layers.{l}.post_attention_layernorm")
    return blocks(n, bias=b)


def experts(prefix, n, width, ff):
    return {f"{prefix}.{e}.{w}.weight": (width, ff) if w.startswith("down") else (ff, width) for e in range(n) for w in ("gate_proj", "up_proj", "down_proj")}


def by_layer(shapes, layers, dense, only_dense, only_sparse):
    """The shapes with {l} written out, those of dense layers and of others where they belong."""
    t = {}
    for k, v in shapes.items():
        for l in range(layers) if "{l}" in k else [0]:
            if not any(x in k for x in (only_sparse if l < dense else only_dense)):
                t[k.replace("{l}", str(l))] = v
    return t


def bailing2(nextn):
    def shapes(n):
        m = "model.layers.{l}."
        t = {"model.word_embeddings.weight": (n, 32), "model.norm.weight": (32,), m + "input_layernorm.weight": (32,),
             m + "post_attention_layernorm.weight": (32,), m + "attention.query_key_value.weight": (64, 32), m + "attention.dense.weight": (32, 32),
             m + "attention.query_layernorm.weight": (8,), m + "attention.key_layernorm.weight": (8,), m + "mlp.gate.weight": (4, 32),
             m + "mlp.gate.expert_bias": (4,), m + "mlp.gate_proj.weight": (64, 32), m + "mlp.up_proj.weight": (64, 32), m + "mlp.down_proj.weight": (32, 64),
             **experts(m + "mlp.shared_experts", 1, 32, 48), **experts(m + "mlp.experts", 4, 32, 48)}
        t = {k.replace("shared_experts.0.", "shared_experts."): v for k, v in t.items()}
        t = by_layer(t, 2 + nextn, 1, [".mlp.gate_proj", ".mlp.up_proj", ".mlp.down_proj"], ["mlp.gate.", "experts"])
        for l in range(2, 2 + nextn):
            t.update({f"model.layers.{l}.{x}.weight": (32,) for x in ("enorm", "hnorm", "final_layernorm")}, **{f"model.layers.{l}.eh_proj.weight": (32, 64)})
        return t
    return shapes


BAILING2 = dict(hidden_size=32, intermediate_size=64, num_experts=4, num_experts_per_tok=2, num_shared_experts=1, first_k_dense_replace=1,
                moe_intermediate_size=48, routed_scaling_factor=2.5, norm_topk_prob=True, n_group=2, topk_group=1, score_function="sigmoid",
                partial_rotary_factor=0.5, head_dim=8, tie_word_embeddings=True)


def chatglm(n):
    m = "transformer.encoder.layers.{l}."
    return {"transformer.embedding.word_embeddings.weight": (n, 16), "transformer.encoder.final_layernorm.weight": (16,),
            "transformer.rotary_pos_emb.inv_freq": (2,), m + "input_layernorm.weight": (16,), m + "post_attention_layernorm.weight": (16,),
            m + "self_attention.query_key_value.weight": (32, 16), m + "self_attention.query_key_value.bias": (32,),
            m + "self_attention.dense.weight": (16, 16), m + "mlp.dense_h_to_4h.weight": (96, 16), m + "mlp.dense_4h_to_h.weight": (16, 48)}


CHATGLM = dict(hidden_size=16, num_attention_heads=4, ffn_hidden_size=48, num_layers=2, seq_length=1024, multi_query_group_num=2, layernorm_epsilon=1.5625e-7, rope_ratio=500,
               kv_channels=4)
MINICPM = dict(scale_emb=12, scale_depth=1.4, dim_model_base=32)


def mixture(prefix, names, n, width, ff, **more):
    """Llama's blocks with experts instead of their feed-forward layers."""
    def shapes(v):
        m = "model.layers.{l}."
        t = without(blocks(v, width, ff, width // 2, width // 4, norms="norms" in more, tied=True), "mlp.")
        t.update({f"{m}{prefix}.{e}.{w}.weight": (width, ff) if w.startswith("down") else (ff, width) for e in range(n) for w in names})
        return dict(t, **{m + k: s for k, s in more.items() if k != "norms"})
    return shapes


PROJ = ("gate_proj", "up_proj", "down_proj")


def headed(shapes, width=32):
    """With an output matrix, which the runtime insists on."""
    return lambda n: {**shapes(n), "lm_head.weight": (n, width)}


def grove(n):
    t = mixture("mlp.experts", PROJ, 4, 32, 48, norms=True, **{"mlp.gate.weight": (4, 32), "mlp.gate.expert_bias": (4,)})(n)
    return {**t, **experts("model.layers.{l}.mlp.chunk_experts", 2, 32, 8)}


def dbrx(n):
    b = "transformer.blocks.{l}."
    return {"transformer.wte.weight": (n, 32), "transformer.norm_f.weight": (32,), b + "norm_attn_norm.norm_1.weight": (32,),
            b + "norm_attn_norm.norm_2.weight": (32,), b + "norm_attn_norm.attn.Wqkv.weight": (64, 32), b + "norm_attn_norm.attn.out_proj.weight": (32, 32),
            b + "ffn.router.layer.weight": (4, 32), **{b + "ffn.experts.mlp." + w: (4 * 48, 32) for w in ("w1", "v1", "w2")}}


def bailing(n):
    m = "model.layers.{l}."
    t = {"model.word_embeddings.weight": (n, 32), "model.norm.weight": (32,), m + "input_layernorm.weight": (32,), m + "post_attention_layernorm.weight": (32,),
         m + "attention.query_key_value.weight": (64, 32), m + "attention.dense.weight": (32, 32), m + "mlp.gate.weight": (4, 32),
         **experts(m + "mlp.experts", 4, 32, 48), **experts(m + "mlp.shared_experts", 1, 32, 96)}
    return {k.replace("shared_experts.0.", "shared_experts."): v for k, v in t.items()}


def plm(n):
    a = "model.layers.{l}.self_attn."
    t = without(blocks(n, 32, 64, tied=True), "gate_proj", "q_proj", "k_proj", "v_proj")
    return {**t, a + "q_proj.weight": (4 * 12, 32), a + "kv_a_proj_with_mqa.weight": (20, 32), a + "kv_a_layernorm.weight": (16,),
            a + "kv_b_proj.weight": (4 * 16, 16), a + "o_proj.weight": (32, 32)}


def pangu(n):
    return dict(blocks(n), **{f"model.layers.{{l}}.self_attn.{w}_proj.bias": (s,) for w, s in (("q", 64), ("k", 32), ("v", 32), ("o", 64))})


OPENELM = dict(num_transformer_layers=2, model_dim=64, head_dim=16, max_context_length=512, rope_freq_constant=10000, ffn_multipliers=[0.5, 1.3],
               ffn_dim_divisor=32, num_query_heads=[2, 4], num_kv_heads=[1, 2])


def openelm(n):
    t = {"transformer.token_embeddings.weight": (n, 64), "transformer.norm.weight": (64,)}
    for l, (h, ff) in enumerate(((4, 32), (8, 96))):
        m = f"transformer.layers.{l}."
        t.update({m + "attn_norm.weight": (64,), m + "ffn_norm.weight": (64,), m + "attn.qkv_proj.weight": (16 * h, 64), m + "attn.q_norm.weight": (16,),
                  m + "attn.k_norm.weight": (16,), m + "attn.out_proj.weight": (64, 8 * h), m + "ffn.proj_1.weight": (2 * ff, 64),
                  m + "ffn.proj_2.weight": (64, ff)})
    return t


def deci(n):
    """Blocks as Llama's, one with a linear layer for attention, one without, one with nothing, and again as Llama's: the runtime wants that of the last."""
    t = by_layer(blocks(n, ff=256), 5, 5, [], [])
    gone = {1: (".self_attn.",), 2: (".self_attn.", "input_layernorm"), 3: (".",)}
    t = {k: v for k, v in t.items() if not any(k.startswith(f"model.layers.{l}.") and any(p in k for p in ps) for l, ps in gone.items())}
    return {**t, "model.layers.1.self_attn.linear_attn.weight": (64, 64)}


def llada(n):
    names = {"self_attn.o_proj": "attn_out", "self_attn.": "", "mlp.gate_proj": "ff_proj", "mlp.up_proj": "up_proj", "mlp.down_proj": "ff_out", "input_layernorm": "attn_norm",
             "post_attention_layernorm": "ff_norm", "model.layers": "model.transformer.blocks", "lm_head": "model.transformer.ff_out",
             "model.embed_tokens": "model.transformer.wte", "model.norm": "model.transformer.ln_f"}
    t = {}
    for k, v in blocks(n, 16, 32, 16).items():
        for a, b in names.items():
            k = k.replace(a, b)
        t[k] = v
    return t


def minicpm3(n):
    a = "model.layers.{l}.self_attn."
    t = without(blocks(n), "q_proj", "k_proj", "v_proj")
    return {**t, a + "q_a_proj.weight": (24, 64), a + "q_a_layernorm.weight": (24,), a + "q_b_proj.weight": (4 * 12, 24),
            a + "kv_a_proj_with_mqa.weight": (20, 64), a + "kv_a_layernorm.weight": (16,), a + "kv_b_proj.weight": (4 * 24, 16)}


def kimi(n):
    m, a, x = "model.layers.{l}.", "model.layers.{l}.self_attn.", "model.layers.{l}.block_sparse_moe."
    t = without(blocks(n, 32, 64), "self_attn.")
    t.update({a + "o_proj.weight": (32, 32), a + "q_proj.weight": (48, 32), a + "kv_a_proj_with_mqa.weight": (20, 32), a + "kv_a_layernorm.weight": (16,),
              a + "kv_b_proj.weight": (64, 16)})
    t.update({f"{a}{w}_conv1d.weight": (32, 4) for w in "qkv"}, **{f"{a}{w}_proj.weight": (32, 32) for w in "kv"})
    t.update({f"{a}{w}_a_proj.weight": (8, 32) for w in "fg"}, **{f"{a}{w}_b_proj.weight": (32, 8) for w in "fg"})
    t.update({a + "b_proj.weight": (4, 32), a + "A_log": (1, 1, 4, 1), a + "dt_bias": (32,), a + "o_norm.weight": (8,), x + "gate.weight": (4, 32),
              x + "gate.e_score_correction_bias": (4,)})
    t.update({f"{x}experts.{e}.{w}.weight": (32, 48) if w == "w2" else (48, 32) for e in range(4) for w in ("w1", "w2", "w3")})
    t.update({k.replace("shared_experts.0", "shared_experts"): v for k, v in experts(x + "shared_experts", 1, 32, 48).items()})
    t = by_layer(t, 3, 1, [".mlp."], ["block_sparse"])
    delta = ("conv1d", "_a_proj.", "_b_proj.", ".k_proj", ".v_proj", ".b_proj", "A_log", "dt_bias", "o_norm")
    t = {k: v for k, v in t.items() if not (".1.self" in k and any(d in k for d in delta) and "kv_" not in k or ".1.self" not in k and ".kv_" in k)}
    return {k: (32, 32) if k.endswith("q_proj.weight") and ".1." not in k else v for k, v in t.items()}


KIMI = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_key_value_heads=4, head_dim=12, kv_lora_rank=16, q_lora_rank=None,
            qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=8, num_experts=4, num_experts_per_token=2, num_shared_experts=1, moe_intermediate_size=48,
            first_k_dense_replace=1, routed_scaling_factor=2.446, moe_router_activation_func="sigmoid", model_max_length=512,
            linear_attn_config=dict(full_attn_layers=[2], kda_layers=[1, 3], head_dim=8, num_heads=4, short_conv_kernel_size=4))


def hunyuan(n):
    m = "model.layers.{l}."
    t = mixture("mlp.experts", PROJ, 4, 32, 64, **{"mlp.gate.wg.weight": (4, 32), "self_attn.query_layernorm.weight": (8,),
                                                   "self_attn.key_layernorm.weight": (8,)})(n)
    return {**t, m + "mlp.shared_mlp.gate_proj.weight": (64, 32), m + "mlp.shared_mlp.up_proj.weight": (64, 32), m + "mlp.shared_mlp.down_proj.weight": (32, 64)}


def block(n_heads_in_group, linear, mult):
    return dict(attention=dict(n_heads_in_group=n_heads_in_group, replace_with_linear=linear), ffn=dict(ffn_mult=mult))


DECI = dict(num_hidden_layers=5, num_key_value_heads=None,
            block_configs=[block(2, False, 5.25), block(None, True, 5.25), block(None, False, 5.25), block(None, False, None), block(2, False, 5.25)])
HYV3 = ("HYV3", dict(MOE, num_experts=4, head_dim=8))
COHERE = ("Cohere2Moe", dict(num_experts=4, num_experts_per_tok=2, head_dim=8, sliding_window=64))


def mtp(out):
    """K-EXAONE's block behind the last one, which transformers does not write."""
    import torch
    from safetensors.torch import load_file, save_file
    t, c = load_file(out + "/model.safetensors"), json.load(open(out + "/config.json"))
    w = c["hidden_size"]
    t.update({"mtp.layers.0." + n.split(".", 3)[3]: v.clone() for n, v in t.items() if n.startswith("model.layers.0.")})
    t.update({"mtp.fc.weight": torch.randn(w, 2 * w).to(torch.bfloat16)}, **{f"mtp.{n}.weight": torch.ones(w, dtype=torch.bfloat16) for n in
             ("norm", "pre_fc_norm_embedding", "pre_fc_norm_hidden")})
    save_file(t, out + "/model.safetensors", metadata={"format": "pt"})
    json.dump(dict(c, num_nextn_predict_layers=1), open(out + "/config.json", "w"))


def jina3(out):
    """Jina's embedding model, version 3: its adapters are parametrizations of the matrices."""
    import torch
    from cases_bert import SPM as files, pooling, write
    from safetensors.torch import save_file
    write(out, {**files(), **pooling("mean")})
    w, n, tasks = 64, 512, ["retrieval.query", "separation"]
    shapes = {"roberta.emb_ln.weight": (w,), "roberta.emb_ln.bias": (w,), "roberta.pooler.dense.bias": (w,)}
    adapted = {"roberta.embeddings.word_embeddings": (n, w), "roberta.embeddings.token_type_embeddings": (1, w), "roberta.pooler.dense": (w, w)}
    for l in range(2):
        b = f"roberta.encoder.layers.{l}."
        adapted.update({b + "mixer.Wqkv": (3 * w, w), b + "mixer.out_proj": (w, w), b + "mlp.fc1": (128, w), b + "mlp.fc2": (w, 128)})
        shapes.update({b + "mixer.Wqkv.bias": (3 * w,), b + "mixer.out_proj.bias": (w,), b + "mlp.fc1.bias": (128,), b + "mlp.fc2.bias": (w,)})
        shapes.update({b + x: (w,) for x in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias")})
    for k, (r, c) in adapted.items():
        k += ".parametrizations.weight."
        wide, tall = ("B", "A") if "embeddings" in k else ("A", "B")
        shapes.update({k + "original": (r, c), k + "0.lora_" + wide: (2, 4, c), k + "0.lora_" + tall: (2, r, 4)})
    g = torch.Generator().manual_seed(3)
    save_file({k: torch.randn(v, generator=g).to(torch.bfloat16) for k, v in shapes.items()}, out + "/model.safetensors", metadata={"format": "pt"})
    json.dump(dict(architectures=["XLMRobertaModel"], model_type="xlm-roberta", hidden_size=w, intermediate_size=128, num_hidden_layers=2,
                   num_attention_heads=4, max_position_embeddings=8194, layer_norm_eps=1e-5, pad_token_id=1, type_vocab_size=1, vocab_size=n,
                   rotary_emb_base=20000.0, position_embedding_type="rotary", lora_adaptations=tasks, lora_alpha=1, lora_rank=4,
                   task_instructions={t: t + ": " for t in tasks}, torch_dtype="bfloat16"), open(out + "/config.json", "w"))


CASES = {
    "jina-bert-v3": case(("", {}), {}, types="plain", tok=None, make=jina3),
    "arcee": case(("Arcee", BIASED), SMALL),
    "arcee-old": case(("Arcee", SPM), SMALL, types="bare", spell="old", dtype="float16", rope_parameters=LLAMA3),
    "arcee-minimal": case(("Arcee", SPM), SMALL, types="bare", spell="minimal", dtype="float32"),
    "jais2": case(("Jais2", {}), SLIM, **GPT2, types="bare"),
    "jais2-minimal": case(("Jais2", {}), SLIM, **GPT2, types="bare", spell="minimal", dtype="float16"),
    "mellum": case(("Mellum", MOE), SLIM, **WHOLE, types="bare", num_local_experts=4, head_dim=16, sliding_window=64,
                   layer_types=["full_attention", "sliding_attention"]),
    "mellum-minimal": case(("Mellum", MOE), SLIM, **GPT2, types="bare", num_local_experts=4, spell="minimal", dtype="float16"),
    "afmoe": case(("Afmoe", dict(MOE, **SPM)), dict(SMALL, num_hidden_layers=4), types="plain", num_experts=4, head_dim=16),
    "afmoe-minimal": case(("Afmoe", dict(MOE, **SPM)), SMALL, types="bare", num_experts=4, spell="minimal", dtype="float32"),
    "exaone-moe": case(("ExaoneMoe", MOE), dict(SLIM, num_hidden_layers=4), **GPT2, types="bare", num_experts=4, scoring_func="sigmoid"),
    "exaone-moe-mtp": case(("ExaoneMoe", MOE), SLIM, **GPT2, types="bare", num_experts=4, after=mtp),
    "exaone-moe-minimal": case(("ExaoneMoe", MOE), SLIM, **GPT2, types="bare", num_experts=4, spell="minimal", dtype="float16"),
    "baichuan": made("BaichuanForCausalLM", baichuan, num_key_value_heads=4, fails="maximum recursion depth exceeded"),
    "orion": made("OrionForCausalLM", orion, max_sequence_length=256, rms_norm_eps=1e-6),
    "nanbeige": made("NanbeigeForCausalLM", blocks, num_loops=2, skip_loop_final_norm=True),
    "nanbeige-once": made("NanbeigeForCausalLM", blocks, "float16", types="bare", head_dim=16),
    "maincoder": made("MaincoderForCausalLM", lambda n: blocks(n, 32, 64, 16, 8, norms=True, tied=True), tok="gpt2", types="bare", hidden_size=32,
                      intermediate_size=64, head_dim=8, tie_word_embeddings=True),
    "minicpm": made("MiniCPMForCausalLM", blocks, **MINICPM),
    "minicpm-long": made("MiniCPMForCausalLM", blocks, "float16", types="bare", rope_scaling=dict(rope_type="longrope", long_factor=[1.5] * 8,
                         short_factor=[1.0] * 8, original_max_position_embeddings=128), **MINICPM),
    "bailingmoe2": made("BailingMoeV2ForCausalLM", headed(bailing2(0)), tok="gpt2", types="bare", **dict(BAILING2, tie_word_embeddings=False)),
    "bailingmoe2-mtp": made("BailingMoeV2ForCausalLM", bailing2(1), "float16", tok="gpt2", types="bare", **BAILING2, num_nextn_predict_layers=1),
    "chatglm-old": made("ChatGLMModel", chatglm, tok="glm-4.6", types="bare", base=OWN, **CHATGLM),
    "hy_v3": case(HYV3, SLIM, **GPT2, types="bare", num_nextn_predict_layers=0),
    "hy_v3-minimal": case(HYV3, SLIM, **GPT2, types="bare", spell="minimal", dtype="float16"),
    "cohere2moe": case(COHERE, dict(SLIM, num_hidden_layers=4), **GPT2, types="bare", num_shared_experts=1),
    "cohere2moe-minimal": case(COHERE, SLIM, **GPT2, types="bare", spell="minimal", dtype="float16"),
    "smallthinker": made("SmallThinkerForCausalLM", mixture("block_sparse_moe.experts", ("gate", "up", "down"), 4, 32, 48,
                         **{"block_sparse_moe.primary_router.weight": (4, 32)}), tok="gpt2", types="bare", hidden_size=32, moe_ffn_hidden_size=48,
                         moe_num_primary_experts=4, moe_num_active_primary_experts=2, sliding_window_size=64, sliding_window_layout=[0, 1],
                         moe_primary_router_apply_softmax=False, tie_word_embeddings=True),
    "grovemoe": made("GroveMoeForCausalLM", grove, tok="gpt2", types="bare", hidden_size=32, moe_intermediate_size=48, num_experts=4,
                     num_experts_per_tok=2, head_dim=8, tie_word_embeddings=True),
    "dbrx": made("DbrxForCausalLM", headed(dbrx), tok="gpt2", types="bare", base=OWN, d_model=32, n_heads=4, n_layers=2, max_seq_len=512,
                 attn_config=dict(clip_qkv=8, kv_n_heads=2, rope_theta=500000.0), ffn_config=dict(moe_num_experts=4, moe_top_k=2, ffn_hidden_size=48)),
    "bailingmoe": made("BailingMoeForCausalLM", headed(bailing), tok="gpt2", types="bare", hidden_size=32, num_experts=4, num_experts_per_tok=2,
                       num_shared_experts=2, first_k_dense_replace=0, moe_intermediate_size=48, norm_topk_prob=True, head_dim=8,
                       tie_word_embeddings=False),
    # the runtime loads this family, of any size, without flash attention only
    "plm": made("PLMForCausalLM", plm, tok="gpt2", types="bare", hidden_size=32, intermediate_size=64, kv_lora_rank=16, qk_nope_head_dim=8,
                qk_rope_head_dim=4, v_head_dim=8, num_key_value_heads=4, tie_word_embeddings=True),
    "pangu-embedded": made("PanguEmbeddedForCausalLM", pangu),
    "openelm": made("OpenELMForCausalLM", openelm, base=OWN, **OPENELM),
    "deci": made("DeciLMForCausalLM", deci, tok="mistral03", types="bare", **DECI),
    "deci-7b": made("DeciLMForCausalLM", blocks, tok="phi-3", types="bare", num_key_value_heads_per_layer=[2, 2]),
    "eurobert": case(("EuroBert", {}), SLIM, **GPT2, types="bare", model="Model", classifier_pooling="mean"),
    "eurobert-minimal": case(("EuroBert", {}), SLIM, **GPT2, types="bare", model="Model", spell="minimal", dtype="float16",
                             fails="Unsupported classifier_pooling: late"),
    "llama-embed": made("LlamaBidirectionalModel", lambda n: {k.removeprefix("model."): v for k, v in blocks(n, tied=True).items()}),
    "llada-moe": made("LLaDAMoEModelLM", headed(mixture("mlp.experts", PROJ, 4, 32, 48, norms=True, **{"mlp.gate.weight": (4, 32)})), tok="gpt2", types="bare",
                      hidden_size=32, num_experts=4, num_experts_per_tok=2, expert_intermediate_size=48, tie_word_embeddings=False),
    "apertus": case(("Apertus", SPM), SMALL, types="plain"),
    "apertus-old": case(("Apertus", SPM), SMALL, types="bare", spell="old", dtype="float16", rope_parameters=LLAMA3),
    "apertus-minimal": case(("Apertus", SPM), SMALL, types="bare", spell="minimal", dtype="float32", rope_parameters=LLAMA3),
    "dream": made("DreamModel", lambda n: {**blocks(n, 16, 32, 8, tied=True), **{f"model.layers.{{l}}.self_attn.{w}_proj.bias": (z,) for w, z in
                  (("q", 16), ("k", 8), ("v", 8))}}, tok="qwen2", types="bare", hidden_size=16, intermediate_size=32, mask_token_id=151666,
                  tie_word_embeddings=True),
    "llada": made("LLaDAModelLM", llada, tok="qwen2", types="bare", base=OWN, d_model=16, n_heads=4, n_kv_heads=4, n_layers=2, mlp_hidden_size=32,
                  max_sequence_length=256, rms_norm_eps=1e-5, rope_theta=500000.0),
    "minicpm3": made("MiniCPM3ForCausalLM", minicpm3, q_lora_rank=24, kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=16,
                     num_key_value_heads=4, rope_scaling=dict(type="longrope", long_factor=[2.0, 3.0], short_factor=[1.0, 1.5],
                                                              original_max_position_embeddings=128)),
    "dbrx-class": made("DbrxForCausalLM", dbrx, "float16", tok="gpt2", types="bare", base=OWN, model_type="dbrx", d_model=32, n_heads=4, n_layers=2,
                       max_seq_len=512, attn_config=dict(clip_qkv=8, kv_n_heads=2, rope_theta=500000.0),
                       ffn_config=dict(moe_num_experts=4, moe_top_k=2, ffn_hidden_size=48)),
    "kimi-linear": made("KimiLinearForCausalLM", kimi, tok="gpt2", types="bare", **KIMI),
    "hunyuan-moe": made("HunYuanMoEV1ForCausalLM", hunyuan, tok="gpt2", hidden_size=32, intermediate_size=64, num_experts=4, moe_topk=[2, 2],
                        moe_intermediate_size=[64, 64], num_shared_expert=[1, 1], tie_word_embeddings=True, fails="has no attribute mergeable_ranks"),
}
