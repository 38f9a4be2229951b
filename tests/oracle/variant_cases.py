"""The cases of variants.py, by what they change. DROP removes a key of config.json."""
from variants import BASE, DROP, LLAMA3_SPECIALS, QWEN_SPECIALS, ROPE3, case, template


def said(change):
    """A short name for a change of config.json."""
    kind = next((v.get("rope_type") or v.get("type") for v in change.values() if isinstance(v, dict)), None)
    if kind:
        return str(kind)
    return "-".join(list(change)[:2]) + ("-text" if any(isinstance(v, str) and v[:1].isdigit() for v in change.values()) else "")


def configs():
    for family, base in BASE.items():
        for key in base:
            case(f"{family}-no-{key}", family, {key: DROP})
        case(f"{family}-bare", family, {k: DROP for k in base if k not in ("architectures", "model_type", "vocab_size")})
        for key in ("num_key_value_heads", "head_dim", "rope_theta", "rms_norm_eps", "max_position_embeddings", "rope_scaling", "rope_parameters",
                    "bos_token_id", "tie_word_embeddings", "vocab_size", "hidden_size", "intermediate_size", "sliding_window", "pad_token_id",
                    "num_attention_heads", "num_hidden_layers", "num_experts", "num_local_experts", "num_experts_per_tok", "mlp_only_layers",
                    "moe_intermediate_size", "model_type"):
            case(f"{family}-null-{key}", family, {key: None})
        for n, change in enumerate(ROPES):
            case(f"{family}-rope-{n}-{said(change)}", family, {"rope_theta": DROP, **change} if "rope_parameters" in change else change)
        for n, change in enumerate(VALUES):
            case(f"{family}-value-{n}-{said(change)}", family, change)


ROPES = [
    dict(rope_scaling=dict(type="linear", factor=2.0)),
    dict(rope_scaling=dict(type="linear", factor=4)),
    dict(rope_scaling=dict(type="dynamic", factor=2.0)),
    dict(rope_scaling=dict(type="yarn", factor=4.0)),
    dict(rope_scaling=dict(type="yarn", factor=4.0, original_max_position_embeddings=128)),
    dict(rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=128, attention_factor=0.7, beta_fast=16, beta_slow=2)),
    dict(rope_scaling=dict(rope_type="yarn", type="yarn", factor=40, original_max_position_embeddings=128, mscale=0.7, mscale_all_dim=0.7, beta_fast=32.0)),
    dict(rope_scaling=dict(rope_type="yarn", factor=4.0, attn_factor=1.2, finetuned=True, extrapolation_factor=1.5, truncate=False)),
    dict(rope_scaling=dict(rope_type="llama3", **ROPE3)),
    dict(rope_scaling=dict(type="llama3", **ROPE3), rope_theta=500000),
    dict(rope_scaling=dict(rope_type="llama3", factor=32.0)),
    dict(rope_scaling=dict(rope_type="llama3", **{**ROPE3, "factor": 32, "low_freq_factor": 1, "high_freq_factor": 4})),
    dict(rope_scaling=dict(rope_type="longrope", short_factor=[1.0] * 8, long_factor=[2.0] * 8, original_max_position_embeddings=128)),
    dict(rope_scaling=dict(type="su", short_factor=[1.0] * 8, long_factor=[2.0] * 8)),
    dict(rope_scaling=dict(rope_type="default")),
    dict(rope_scaling=dict(type="default"), rope_theta=1e6),
    dict(rope_scaling={}),
    dict(rope_scaling=dict(factor=2.0)),
    dict(rope_scaling=dict(type="mrope", mrope_section=[2, 3, 3])),
    dict(rope_scaling=dict(type="ntk", factor=2.0)),
    dict(rope_parameters=dict(rope_type="default", rope_theta=1234567.0)),
    dict(rope_parameters=dict(rope_type="default", rope_theta=1000000)),
    dict(rope_parameters=dict(rope_theta=50000.0)),
    dict(rope_parameters=dict(rope_type="linear", factor=3.0)),
    dict(rope_parameters=dict(rope_type="yarn", factor=4.0, rope_theta=1e6, original_max_position_embeddings=100)),
    dict(rope_parameters=dict(rope_type="llama3", rope_theta=500000.0, **ROPE3), rope_scaling=dict(type="linear", factor=2.0)),
    dict(rope_parameters=None),
    dict(rope_parameters={}),
    dict(rope_parameters=dict(full_attention=dict(rope_type="yarn", factor=2.0, rope_theta=5e5, original_max_position_embeddings=64),
                              sliding_attention=dict(rope_type="default", rope_theta=1e4))),
    dict(rope_scaling=dict(type="yarn", factor=4.0), original_max_position_embeddings=64),
    dict(rope_scaling=dict(rope_type="linear", factor=2.0, rope_theta=77777.0)),
    dict(rope_theta=1000000),
    dict(rope_theta=1),
    dict(rope_theta=10000),
    dict(rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=128.0)),
    dict(rope_scaling=dict(type="linear", factor=None)),
    dict(rope_scaling=dict(rope_type="LLAMA3", **ROPE3)),
    dict(rope_scaling=dict(rope_type="yarn")),
    dict(rope_scaling=dict(rope_type=None, factor=2.0)),
    dict(rope_scaling=dict(type="linear", rope_type="dynamic", factor=2.0)),
]
VALUES = [
    dict(rms_norm_eps=1),
    dict(rms_norm_eps=1e-12),
    dict(rms_norm_eps="1e-5"),
    dict(norm_eps=1e-3),
    dict(layer_norm_eps=1e-3),
    dict(layer_norm_epsilon=2e-3),
    dict(max_position_embeddings=1048576),
    dict(max_position_embeddings=512.0),
    dict(n_ctx=77, n_positions=99),
    dict(max_position_embeddings=DROP, n_ctx=77),
    dict(max_position_embeddings=DROP, max_sequence_length=4096),
    dict(max_position_embeddings=DROP, model_max_length=4096),
    dict(max_position_embeddings=DROP, max_length=4096),
    dict(eos_token_id=[2, 3]),
    dict(eos_token_id=[]),
    dict(pad_token_id=-1),
    dict(pad_token_id=0, unk_token_id=0, sep_token_id=3, cls_token_id=4, mask_token_id=5),
    dict(pad_token_id=99999),
    dict(pad_token_id=[0]),
    dict(bos_token_id=True),
    dict(bos_token_id="1"),
    dict(bos_token_id=1.0),
    dict(partial_rotary_factor=0.5),
    dict(partial_rotary_factor=1.0),
    dict(rope_pct=0.25),
    dict(sliding_window=256, use_sliding_window=True, max_window_layers=1),
    dict(sliding_window=256, use_sliding_window=True, max_window_layers=1, layer_types=["full_attention", "sliding_attention"]),
    dict(layer_types=["full_attention", "full_attention"]),
    dict(layer_types=["full_attention"]),
    dict(head_dim=16),
    dict(attention_bias=True),
    dict(mlp_bias=True),
    dict(is_causal=False),
    dict(is_causal=True),
    dict(quantization_config=None),
    dict(tie_word_embeddings=True),
    dict(dtype="float32"),
    dict(torch_dtype=None),
    dict(torch_dtype="float16"),
    dict(torch_dtype="nonsense"),
    dict(architectures=["X", "LlamaForCausalLM"]),
    dict(architectures=[]),
    dict(architectures=None),
    dict(architectures=["LlamaForCausalLM", "Other"]),
    dict(model_type="llama"),
    dict(model_type="mistral"),
    dict(model_type="qwen2"),
    dict(model_type="unheard_of"),
    dict(model_type="phi3"),
    dict(auto_map={"AutoConfig": "configuration_x.XConfig"}, model_type="custom"),
    dict(_name_or_path="org/some-model-7b"),
    dict(n_head=7, n_embd=9, n_layer=5),
    dict(num_experts=0),
    dict(num_experts=4, num_experts_per_tok=2),
    dict(num_local_experts=8),
    dict(n_routed_experts=4, n_group=2, topk_group=1),
    dict(scoring_func="softmax"),
    dict(scoring_func="sigmoid"),
    dict(norm_topk_prob=False, decoder_sparse_step=2),
    dict(mlp_only_layers=[0]),
    dict(shared_expert_intermediate_size=96),
    dict(intermediate_size=128.0),
    dict(num_attention_heads="4"),
    dict(text_config=dict(hidden_size=64)),
    dict(max_window_layers=None),
    dict(use_sliding_window=None),
    dict(pretraining_tp=2),
    dict(local_rope_theta=1000.0),
    dict(rope_local_base_freq=1000.0),
    dict(rotary_emb_base=4000.0),
    dict(logit_scale=0.5, final_logit_softcapping=30.0),
    dict(vocab_size=300),
    dict(vocab_size=337),
    dict(hidden_act="gelu"),
    dict(temperature=0.5, top_p=0.9, do_sample=True),
    dict(original_max_position_embeddings=64),
    dict(classifier_pooling="mean"),
    dict(classifier_pooling="cls", classifier_activation="tanh"),
]



def dtypes():
    def every(dtype, only=lambda n: True):
        def change(t):
            for n in t:
                if only(n):
                    t[n][0] = dtype
        return change
    for dtype in ("F64", "F32", "F16", "I8", "I32", "I64", "U8", "F8_E4M3"):
        case(f"dtype-{dtype.lower()}", tensors=every(dtype), types=["Q8_0", "F16"])
        case(f"dtype-norms-{dtype.lower()}", tensors=every(dtype, lambda n: "norm" in n), types=["Q4_0"])
        case(f"dtype-one-{dtype.lower()}", tensors=every(dtype, lambda n: "layers.1.mlp.down" in n), types=["Q4_0"])
        case(f"dtype-embed-{dtype.lower()}", tensors=every(dtype, lambda n: "embed" in n), types=["Q4_0"])
    for extra in ((
            {"model.layers.0.self_attn.rotary_emb.inv_freq": ["F32", (8,)]},
            {"model.rotary_emb.inv_freq": ["F32", (8,)]},
            {"model.layers.0.self_attn.attention.bias": ["F32", (8,)]},
            {"model.layers.0.self_attn.masked_bias": ["F32", ()]},
            {"model.unknown.weight": ["BF16", (8, 8)]},
            {"lm_head.bias": ["BF16", (320,)]},
            {"model.norm.bias": ["BF16", (64,)]},
            {"model.layers.0.mlp.gate_proj.bias": ["BF16", (128,)]},
            {"model.layers.0.self_attn.q_proj.bias": ["BF16", (64,)]},
            {"model.layers.0.self_attn.k_proj.bias": ["F32", (32,)]},
            {"model.layers.2.input_layernorm.weight": ["BF16", (64,)]},
            {"model.vision_tower.weight": ["BF16", (64, 4)]},
            {"multi_modal_projector.linear.weight": ["BF16", (64, 4)]},
            {"model.empty.weight": ["BF16", (0, 4)]},
            {"scalar": ["F32", ()]},
            {"model.layers.0.self_attn.q_norm.weight": ["BF16", (16,)]},
            {"rope_freqs.weight": ["F32", (8,)]},
            {"model.layers.0.self_attn.rotary_emb.cos_cached": ["F32", (8, 8)]},
            {"blk.0.attn_q.weight": ["BF16", (64, 64)]},
            {"model.layers.0.mlp.up_proj.weight_scale": ["F32", ()]},
    )):
        case(f"extra-{next(iter(extra))}", tensors=lambda t, extra=extra: t.update(extra), types=["Q4_0"])
    case("extra-qwen2-lm-bias", "qwen2", tensors=lambda t: t.update({"lm_head.bias": ["BF16", (320,)]}))
    for lost in (("lm_head", "model.norm", "layers.1.self_attn.q_proj", "layers.0.input_layernorm", "layers.1.", "embed_tokens")):
        case(f"lost-{lost.rstrip('.')}", tensors=lambda t, lost=lost: {k: v for k, v in t.items() if lost not in k})
    for family in BASE:
        case(f"{family}-tied", family, base=dict(tie_word_embeddings=True), head=False, types=["Q4_K_M", "Q6_K"])
        case(f"{family}-tied-stored", family, base=dict(tie_word_embeddings=True), types=["Q4_K_M", "Q5_K_S"])
        case(f"{family}-untied-headless", family, head=False, types=["Q4_0"])
        case(f"{family}-biases", family, qkv_bias=True, mlp_bias=True, base=dict(attention_bias=True))
        case(f"{family}-noprefix", family, tensors=lambda t: {k.removeprefix("model."): v for k, v in t.items()})
    case("llama-model", config=dict(architectures=["LlamaModel"]), head=False, tensors=lambda t: {k.removeprefix("model."): v for k, v in t.items()})
    case("qwen2-model", "qwen2", config=dict(architectures=["Qwen2Model"]), head=False,
         tensors=lambda t: {k.removeprefix("model."): v for k, v in t.items()})
    case("qwen3-model", "qwen3", config=dict(architectures=["Qwen3Model"]), head=False,
         tensors=lambda t: {k.removeprefix("model."): v for k, v in t.items()})
    case("llama-textmodel", tensors=lambda t: {k.replace("model.", "model.text_model."): v for k, v in t.items()})


SIZES_TRIED = {
    "wide": dict(hidden_size=256, intermediate_size=512, head_dim=64, num_hidden_layers=3),
    "kv1": dict(num_key_value_heads=1),
    "kv4": dict(num_key_value_heads=4),
    "one-layer": dict(num_hidden_layers=1),
    "deep": dict(num_hidden_layers=33, hidden_size=256, intermediate_size=256, num_key_value_heads=1),
    "gqa8": dict(num_attention_heads=8, num_key_value_heads=1, hidden_size=256, intermediate_size=256, num_hidden_layers=9),
    "ff288": dict(intermediate_size=288, hidden_size=256, num_hidden_layers=4),
    "ff33": dict(intermediate_size=33, hidden_size=256),
    "d96": dict(hidden_size=96, intermediate_size=256),
    "d36": dict(hidden_size=36, intermediate_size=100, num_attention_heads=2, head_dim=18, num_key_value_heads=1),
    "d32": dict(hidden_size=32, intermediate_size=32, num_attention_heads=1, num_key_value_heads=1, head_dim=32),
    "hd128": dict(head_dim=128, hidden_size=256, intermediate_size=768),
}
EXPERTS_TRIED = {"e8": 8, "e60": 60, "e128": 128}
ALL = """Q2_K Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K Q8_0 Q4_0 Q4_1 Q5_0 Q5_1""".split()


def some(n):
    """A few of the types, others for each n."""
    return [ALL[(5 * n + k) % len(ALL)] for k in range(5)]


def shapes():
    for i, family in enumerate(BASE):
        for k, (name, base) in enumerate(SIZES_TRIED.items()):
            case(f"{family}-size-{name}", family, base=base, types=some(i + k))
    for i, (name, n) in enumerate(EXPERTS_TRIED.items()):
        case(f"mixtral-{name}", "mixtral", types=ALL if n == 8 else some(i),
             base=dict(num_local_experts=n, hidden_size=256, intermediate_size=256 if n == 8 else 32, num_key_value_heads=1))
        case(f"qwen3moe-{name}", "qwen3moe", types=ALL if n == 8 else some(i + 1),
             base=dict(num_experts=n, hidden_size=256, moe_intermediate_size=32 if n > 8 else 256, vocab_size=336))
    case("mixtral-one-expert", "mixtral", base=dict(num_local_experts=1), config=dict(num_experts_per_tok=1), types=["Q4_K_M", "F16"])
    case("qwen3moe-one-expert", "qwen3moe", base=dict(num_experts=1, vocab_size=336), config=dict(num_experts_per_tok=1), types=["Q4_K_M", "F16"])
    case("llama-one-wide", base=dict(intermediate_size=1), types=["Q4_K_M"])
    case("llama-vocab-32016", base=dict(vocab_size=32016), types=["Q4_K_M"])
    case("llama-vocab-32016-config", base=dict(vocab_size=32016), files={"tokenizer_config.json": dict(
        prefix_token="▁<PRE>", suffix_token="▁<SUF>", middle_token="▁<MID>", eot_token="▁<EOT>", chat_template="C", add_bos_token=True, add_eos_token=False)})
    case("llama-vocab-32016-ids", base=dict(vocab_size=32016), config=dict(prefix_token_id=7, eot_token_id=9))
    case("llama-vocab-49152", base=dict(vocab_size=49152), types=["Q4_K_M"])
    case("llama-vocab-49152-config", base=dict(vocab_size=49152), files={"tokenizer_config.json": dict(add_bos_token=True)})
    case("llama-vocab-rows-more", config=dict(vocab_size=319))
    case("llama-vocab-padded", base=dict(vocab_size=384))
    case("qwen2-vocab-padded", "qwen2", base=dict(vocab_size=384), tok="qwen.json", pre="qwen2")
    case("qwen2-vocab-short", "qwen2", base=dict(vocab_size=300), tok="qwen.json", pre="qwen2")
    case("llama-vocab-short", base=dict(vocab_size=300))


def layouts():
    three = [f"model-{i:05d}-of-00003.safetensors" for i in (1, 2, 3)]
    case("layout-shards", shards=dict(names=three))
    case("layout-shards-noindex", shards=dict(names=three, index=False))
    case("layout-names", shards=dict(names=["model_a.safetensors", "model_b.safetensors"], index=False))
    case("layout-other-names", shards=dict(names=["part1.safetensors", "part2.safetensors"]))
    case("layout-consolidated", beside=["consolidated.safetensors"])
    case("layout-shards-consolidated", shards=dict(names=three), beside=["consolidated.safetensors"])
    case("layout-adapter", beside=["adapter_model.safetensors", "optimizer.safetensors", "original/consolidated.safetensors"])
    case("layout-stray-model", beside=["model-extra.safetensors"])
    case("layout-shards-stray", shards=dict(names=three), beside=["model-extra.safetensors"])
    case("layout-bin", files={"pytorch_model.bin": b"x" * 100, "tf_model.h5": b"x", "model.onnx": b"y"})
    case("layout-fp16", beside=["model.fp16.safetensors"])


def token(text, **kw):
    return dict(dict(content=text, lstrip=False, rstrip=False, normalized=False, single_word=False, special=True), **kw)


def spm_tokenizers():
    for name in ("spm", "spm-nofallback", "spm-symbols", "spm-noprefix", "spm-identity", "spm-pad", "spm-order", "spm-nobos", "spm-digits", "spm-unigram"):
        case(f"tok-{name}", tok=name, base=dict(vocab_size=352))
        case(f"tok-qwen2-{name}", "qwen2", tok=name, base=dict(vocab_size=352))
    V = dict(vocab_size=336)
    configs = [
        {}, dict(add_bos_token=True, add_eos_token=False), dict(add_bos_token=False, add_eos_token=True), dict(add_bos_token=None),
        dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token=None), dict(bos_token=token("<s>"), eos_token=token("</s>")),
        dict(add_prefix_space=False), dict(add_prefix_space=True), dict(add_prefix_space=None), dict(legacy=False, tokenizer_class="LlamaTokenizer"),
        dict(added_tokens_decoder={"0": token("<unk>"), "1": token("<s>"), "2": token("</s>")}),
        dict(added_tokens_decoder={"320": token("<|im_start|>", special=False), "321": token("<x>", special=False), "322": token("▁a b▁", special=False)}),
        dict(added_tokens_decoder={"5": token("<five>"), "400": token("<out>"), "335": token("<pad>", special=False)}),
        dict(added_tokens_decoder={"3": token("<unused3>", special=False), "4": token("<mask>", special=False), "6": token("[@BOS@]", special=False)}),
        dict(added_tokens_decoder={"7": dict(content="bare")}), 
        dict(chat_template="{{ bos_token }}é"), dict(chat_template=None), dict(chat_template=""), dict(chat_template={"a": 1}),
        dict(chat_template=[dict(name="default", template="A"), dict(name="tool_use", template="B"), dict(name="rag-1 x", template="C")]),
        dict(chat_template=[dict(name="tool_use", template="B")]), dict(chat_template=[]),
        dict(chat_template=[dict(name="default", template="A"), dict(name="default", template="Z"), dict(name="", template="Q")]),
        dict(model_max_length=1000000000000000019884624838656, clean_up_tokenization_spaces=False),
        dict(tokenizer_class="HybridDNATokenizer"), dict(add_sep_token=True, add_pad_token=False, add_cls_token=True, add_mask_token=True),
    ]
    for n, c in enumerate(configs):
        case(f"tc-{n}", base=V, files={"tokenizer_config.json": c})
    case("tc-negative-id", base=V, files={"tokenizer_config.json": dict(added_tokens_decoder={"-1": token("minus")})})
    more = {
        "added": {"added_tokens.json": {"<a>": 320, "<b>": 321, "<|c|>": 322, "▁d": 330, "far": 999}},
        "added-over": {"added_tokens.json": {"<a>": 4}},
        "added-both": {"added_tokens.json": {"<a>": 320, "<b>": 321}, "tokenizer_config.json": dict(added_tokens_decoder={"321": token("<B>")})},
        "map": {"special_tokens_map.json": dict(bos_token="<s>", eos_token=token("</s>"), pad_token="</s>", additional_special_tokens=["<x>"])},
        "jinja": {"chat_template.jinja": "J\r\nünï\n"},
        "jinja-crlf": {"chat_template.jinja": b"a\r\nb\rc\n\xef\xbb\xbfd"},
        "jinja-bom": {"chat_template.jinja": b"\xef\xbb\xbfd"},
        "jinja-config": {"chat_template.jinja": "J", "tokenizer_config.json": dict(chat_template="T")},
        "jinja-confignull": {"chat_template.jinja": "J", "tokenizer_config.json": dict(chat_template=None)},
        "jinja-noconf": {"chat_template.jinja": "J", "tokenizer_config.json": {}},
        "json-template": {"chat_template.json": dict(chat_template="X"), "tokenizer_config.json": {"a": 1}},
        "json-template-list": {"chat_template.json": dict(chat_template=[dict(name="default", template="X")]), "tokenizer_config.json": {"a": 1}},
        "json-both": {"chat_template.json": dict(chat_template="X"), "chat_template.jinja": "Y", "tokenizer_config.json": {"a": 1}},
        "additional": {"chat_template.jinja": "Y", "additional_chat_templates/tool use.jinja": "Z", "tokenizer_config.json": {"a": 1}},
        "additional-alone": {"additional_chat_templates/tool.jinja": "Z", "tokenizer_config.json": {"a": 1}},
        "generation": {"generation_config.json": dict(eos_token_id=[2, 3], temperature=0.6, top_k=50, top_p=0.9, min_p=0.01, typical_p=0.9,
                                                      repetition_penalty=1.1, do_sample=True, max_length=4096)},
        "generation-ints": {"generation_config.json": dict(temperature=1, top_k=20.0, top_p=1, repetition_penalty=1)},
        "generation-text": {"generation_config.json": dict(temperature="0.6", top_k="20")},
        "generation-nosample": {"generation_config.json": dict(temperature=0.6, do_sample=False, _from_model_config=True)},
        "generation-list": {"generation_config.json": []},
    }
    for n, f in more.items():
        case(f"spmfile-{n}", base=V, files=f)
        case(f"qwenfile-{n}", "qwen2", base=V, files=f, tok="qwen.json", pre="qwen2")


def set_post(post):
    def change(j):
        j["post_processor"] = post
    return change


def set_member(**kw):
    def change(j):
        j.update(kw)
    return change


def add_tokens(*tokens):
    def change(j):
        at = 1 + max([*j["model"]["vocab"].values()] + [a["id"] for a in j["added_tokens"]])
        for i, t in enumerate(tokens):
            j["added_tokens"].append(dict(token(*t[:1], **t[1]), id=t[1].get("id", at + i)))
    return change


BYTELEVEL = dict(type="ByteLevel", add_prefix_space=True, trim_offsets=False, use_regex=True)


def json_tokenizers():
    V = dict(vocab_size=336)
    l3 = {t: 305 + i for i, t in enumerate(LLAMA3_SPECIALS)}
    first = template("<|begin_of_text|>", None, l3)
    both = template("<|begin_of_text|>", "<|end_of_text|>", l3)
    last = template(None, "<|eot_id|>", l3)
    posts = {"none": None, "byte": BYTELEVEL, "first": first, "both": both, "last": last,
             "sequence": dict(type="Sequence", processors=[BYTELEVEL, first]), "sequence2": dict(type="Sequence", processors=[first, BYTELEVEL])}
    tcs = {"none": None, "empty": {}, "named": dict(bos_token="<|begin_of_text|>", eos_token="<|end_of_text|>"),
           "eot": dict(bos_token=token("<|begin_of_text|>"), eos_token="<|eot_id|>", pad_token="<|finetune_right_pad_id|>", add_bos_token=False),
           "flags": dict(add_bos_token=True, add_eos_token=True, bos_token=None, eos_token="nowhere")}
    for p, post in posts.items():
        for t, tc in tcs.items():
            files = {"~tokenizer.json": set_post(post)}
            if tc is not None:
                files["tokenizer_config.json"] = tc
            case(f"l3-{p}-{t}", base=V, tok="llama3.json", pre="llama-bpe", files=files, config=dict(bos_token_id=305, eos_token_id=[306, 307]))
    added = [("<|tool|>", {}), ("plain", dict(special=False)), (" lead", dict(special=False, normalized=True)), ("▁sp", dict(special=False)),
             ("<tag>", dict(special=False, lstrip=True, rstrip=True)), ("é", dict(special=False, normalized=True)), ("a  b", dict(special=False))]
    for fam, tok, pre in (("llama", "llama3.json", "llama-bpe"), ("qwen2", "qwen.json", "qwen2"), ("qwen3", "gpt2.json", "gpt-2"),
                          ("mistral", "llama3.json", "tekken"), ("qwen3moe", "qwen.json", "qwen2"), ("mixtral", "llama3.json", "llama-bpe")):
        case(f"bpe-{fam}", fam, base=V, tok=tok, pre=pre)
        case(f"bpe-{fam}-added", fam, base=V, tok=tok, pre=pre, files={"~tokenizer.json": add_tokens(*added)})
        case(f"bpe-{fam}-hole", fam, base=V, tok=tok, pre=pre, files={"~tokenizer.json": add_tokens(("<h>", dict(id=320)), ("<j>", dict(id=330, special=False)))})
        case(f"bpe-{fam}-class", fam, base=V, tok=tok, pre=pre, files={"tokenizer_config.json": dict(tokenizer_class="PreTrainedTokenizerFast")})
        case(f"bpe-{fam}-gpt2class", fam, base=V, tok=tok, pre=pre, files={"tokenizer_config.json": dict(tokenizer_class="GPT2Tokenizer")})
        case(f"bpe-{fam}-qwenclass", fam, base=V, tok=tok, pre=pre, files={"tokenizer_config.json": dict(tokenizer_class="Qwen2Tokenizer")})
        case(f"bpe-{fam}-llamaclass", fam, base=V, tok=tok, pre=pre, files={"tokenizer_config.json": dict(tokenizer_class="LlamaTokenizerFast")})
        case(f"bpe-{fam}-decoder", fam, base=V, tok=tok, pre=pre, files={"tokenizer_config.json": dict(
            tokenizer_class="PreTrainedTokenizerFast", added_tokens_decoder={"322": token("<more>"), "323": token("soft", special=False)})})
        case(f"bpe-{fam}-extra", fam, base=V, tok=tok, pre=pre, files={"tokenizer_config.json": dict(
            tokenizer_class="PreTrainedTokenizerFast", additional_special_tokens=["<one>", "<two>"], pad_token="<padding>", bos_token="<newbos>")})
        case(f"bpe-{fam}-map", fam, base=V, tok=tok, pre=pre, files={"special_tokens_map.json": dict(pad_token="<padding>", eos_token="<neweos>")})
        case(f"bpe-{fam}-addedfile", fam, base=V, tok=tok, pre=pre, files={"added_tokens.json": {"<one>": 320, "<two>": 321}})
        case(f"bpe-{fam}-prefix", fam, base=V, tok=tok, pre=pre, files={"tokenizer_config.json": dict(add_prefix_space=True)})
        case(f"bpe-{fam}-nfc", fam, base=V, tok=tok, pre=pre, files={"~tokenizer.json": set_member(normalizer=dict(type="Sequence", normalizers=[
            dict(type="NFC"), dict(type="Lowercase"), dict(type="StripAccents")]))})
        case(f"bpe-{fam}-spm", fam, base=V, tok=tok + "+spm", pre=pre)
    hf = dict(base=V, tok="spm.json")
    for fam in ("llama", "mistral", "mixtral", "qwen2", "qwen3"):
        case(f"hf-{fam}", fam, **hf, pre="default")
    case("hf-both", base=V, tok="spm+spm.json")
    case("hf-both-config", base=V, tok="spm+spm.json", files={"tokenizer_config.json": dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>",
                                                                                            add_bos_token=True, add_eos_token=False)})
    for n, c in enumerate((
            {}, dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>"), dict(tokenizer_class="LlamaTokenizer", bos_token="<s>", eos_token="</s>", unk_token="<unk>"),
            dict(tokenizer_class="PreTrainedTokenizerFast", pad_token="<pad>"), dict(add_prefix_space=False, tokenizer_class="LlamaTokenizerFast"),
            dict(added_tokens_decoder={"320": token("<new>"), "321": token("soft", special=False)}, tokenizer_class="PreTrainedTokenizerFast"),
            dict(additional_special_tokens=["<|im_start|>", "<|im_end|>"], tokenizer_class="PreTrainedTokenizerFast"))):
        case(f"hf-config-{n}", **hf, files={"tokenizer_config.json": c})
    case("hf-added", **hf, files={"~tokenizer.json": add_tokens(*added)})
    case("hf-added-file", **hf, files={"added_tokens.json": {"<one>": 320}})
    case("hf-map", **hf, files={"special_tokens_map.json": dict(bos_token="<s>", pad_token="<padx>")})
    case("hf-nopost", **hf, files={"~tokenizer.json": set_post(None)})
    case("hf-metaspace", **hf, files={"~tokenizer.json": set_member(normalizer=None, pre_tokenizer=dict(type="Metaspace", replacement="▁", prepend_scheme="first", split=False))})
    case("no-tokenizer", tok=None)
    case("no-tokenizer-qwen2", "qwen2", tok=None)


def cards():
    heads = ["license: mit", "license: [mit]", "license:\n- apache-2.0\n- mit", "license: other\nlicense_name: x\nlicense_link: LICENSE", "license: null", "license: 3",
             "language: en", "language:\n  - en\n  - no", "language: [en, fr]", "languages: [de]", "tags: one", "tags: [a, 1, true]", "tags:\n- a\n- a",
             "base_model: org/Name-7B", "base_model: [org/A-1B, org/B-2B-v2]", "base_model:\n- https://huggingface.co/org/Name", "base_model: ./local",
             "datasets: org/set", "datasets:\n- org/set-v1.0\n- plain", "pipeline_tag: text-generation\ntags: [text-generation]", "base_model: null",
             "model_name: Given-Name-3B\nmodel_creator: Me", "author: A\nversion: v3\norganization: O\ndescription: d", "model-index:\n- name: X\n  results: []",
             "license: !!str mit", "license: 'mit'\nlibrary_name: &a transformers\ntags: [*a]", "date: 2024-01-01\nlicense: mit", "license: mit\r", "quantized_by: q",
             "base_model_relation: finetune\nbase_model: org/Name-7B", "tags: []", "tags: {a: b}", "url: http://x\nrepo_url: y\ndoi: 10.1/2\nuuid: u",
             "license: yes", "license: 1e3", "language: [en, NO, yes, 12]", "license: |\n  multi\n  line", "license: >\n  folded\n  line\n"]
    for n, head in enumerate(heads):
        case(f"card-{n}", files={"README.md": f"---\n{head}\n---\n# T\n"})
    case("card-none", files={"README.md": "# T\n"})
    case("card-open", files={"README.md": "---\nlicense: mit\n"})
    case("opt-vocab-only", args=["--vocab-only"], heft=["--vocab-only"])
    case("opt-vocab-only-bpe", "qwen2", base=dict(vocab_size=336), tok="qwen.json", pre="qwen2", args=["--vocab-only"], heft=["--vocab-only"])
    case("opt-name", args=["--model-name", "Llama-3.1-8B-Instruct"], heft=["--model-name", "Llama-3.1-8B-Instruct"])


def fill():
    case("warm-up")
    case("warm-up-qwen2", "qwen2", base=dict(vocab_size=336), tok="qwen.json", pre="qwen2")
    configs()
    dtypes()
    shapes()
    layouts()
    spm_tokenizers()
    json_tokenizers()
    cards()
