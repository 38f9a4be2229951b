"""Mistral's own layout: params.json, consolidated.safetensors, tekken.json or tokenizer.model.v3; and tekken.json beside a config.json."""
import json
import os

from make_checkpoint import NARROW, case

PARAMS = dict(dim=64, n_layers=2, head_dim=16, hidden_dim=128, n_heads=4, n_kv_heads=2, norm_eps=1e-5, vocab_size=0, rope_theta=1000000.0,
              max_position_embeddings=512)
YARN = dict(factor=16, original_max_position_embeddings=128, alpha=1, beta=32, apply_scale=False)
LARGE = dict(PARAMS, q_lora_rank=32, kv_lora_rank=32, qk_rope_head_dim=16, qk_nope_head_dim=16, v_head_dim=16, n_kv_heads=4, yarn=YARN,
             llama_4_scaling=dict(original_max_position_embeddings=128, beta=0.1),
             moe=dict(first_k_dense_replace=1, num_experts=4, num_experts_per_tok=2, num_shared_experts=1, expert_hidden_dim=64, routed_scale=1.0,
                      num_expert_groups=1, num_expert_groups_per_tok=1, route_every_n=1, expert_parallel=1, expert_model_parallel=1))
PATTERN = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
NAMED = """<unk> <s> </s> [INST] [/INST] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS] [/TOOL_RESULTS] [TOOL_CALLS] [IMG] <pad> [IMG_BREAK]
[IMG_END] [PREFIX] [MIDDLE] [SUFFIX] [SYSTEM_PROMPT] [/SYSTEM_PROMPT] [TOOL_CONTENT] [CALL_ID] [ARGS] [THINK] [/THINK] ünï""".split()
TEXT = """In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness was upon the face of the
deep. And the Spirit of God moved upon the face of the waters. And God said, Let there be light: and there was light. 12345 3.14 \t\tnaïve déjà 日本語 🙂"""


def train(n):
    """Byte strings in the order of their ranks: all bytes, then merges of a little text by their number."""
    words = [[bytes([b]) for b in w.encode()] for w in TEXT.replace(" ", "\0 ").split("\0")]
    ranks = [bytes([i]) for i in range(256)]
    while len(ranks) < n:
        pairs = {}
        for w in words:
            for a, b in zip(w, w[1:]):
                pairs[a + b] = pairs.get(a + b, 0) + 1
        best = max(pairs, key=lambda p: (pairs[p], p)) if pairs else None
        if best is None:
            break
        ranks.append(best)
        for w in words:
            i = 0
            while i + 1 < len(w):
                if w[i] + w[i + 1] == best:
                    w[i:i + 2] = [best]
                i += 1
    return ranks


def tekken(out, n=400, special=32, version="v3", named=None):
    import base64
    ranks = train(n)
    vocab = [dict(rank=i, token_bytes=base64.b64encode(b).decode(), token_str=None) for i, b in enumerate(ranks)]
    size = special + len(ranks) - 10  # the last ones are cut off
    j = dict(config=dict(pattern=PATTERN, num_vocab_tokens=len(ranks), default_vocab_size=size, default_num_special_tokens=special, version=version),
             vocab=vocab)
    if named:
        j["special_tokens"] = [dict(rank=i, token_str=s, is_control=True) for i, s in enumerate(named)]
    with open(out + "/tekken.json", "w") as f:
        json.dump(j, f)
    return size


def spm(out, name="tokenizer.model.v3"):
    import shutil
    import sentencepiece
    here = os.path.dirname(os.path.abspath(__file__))
    shutil.copyfile(here + "/../../testdata/kjv-llama/tokenizer.model", f"{out}/{name}")
    return sentencepiece.SentencePieceProcessor(model_file=f"{out}/{name}").vocab_size()


def shapes(p):
    d, hd, ff, heads, kv = p["dim"], p.get("head_dim", p["dim"] // p["n_heads"]), p["hidden_dim"], p["n_heads"], p["n_kv_heads"]
    moe = p.get("moe")
    yield "tok_embeddings.weight", (p["vocab_size"], d)
    yield "norm.weight", (d,)
    if not p.get("tied_embeddings"):
        yield "output.weight", (p["vocab_size"], d)
    for i in range(p["n_layers"]):
        def at(name, *shape):
            return f"layers.{i}.{name}.weight", shape
        yield at("attention_norm", d)
        yield at("ffn_norm", d)
        if "kv_lora_rank" in p:
            r, nope, v = p["qk_rope_head_dim"], p["qk_nope_head_dim"], p["v_head_dim"]
            yield at("attention.wq_a", p["q_lora_rank"], d)
            yield at("attention.q_a_norm", p["q_lora_rank"])
            yield at("attention.wq_b", heads * (nope + r), p["q_lora_rank"])
            yield at("attention.wkv_a_with_mqa", p["kv_lora_rank"] + r, d)
            yield at("attention.kv_a_norm", p["kv_lora_rank"])
            yield at("attention.wkv_b", heads * (nope + v), p["kv_lora_rank"])
            yield at("attention.wo", d, heads * v)
        else:
            yield at("attention.wq", heads * hd, d)
            yield at("attention.wk", kv * hd, d)
            yield at("attention.wv", kv * hd, d)
            yield at("attention.wo", d, heads * hd)
        where = "feed_forward" if "kv_lora_rank" not in p else ""
        if not moe or i < moe.get("first_k_dense_replace", 0):
            groups = [("feed_forward", ff)]
        else:
            e = moe.get("expert_hidden_dim", ff)
            groups = [(f"{where}.experts.{k}".lstrip("."), e) for k in range(moe["num_experts"])]
            yield at(f"{where}.gate".lstrip("."), moe["num_experts"], d)
            if moe.get("num_shared_experts"):
                groups.append(("shared_experts", e * moe["num_shared_experts"]))
        for g, n in groups:
            yield at(g + ".w1", n, d)
            yield at(g + ".w2", d, n)
            yield at(g + ".w3", n, d)
    if "vision_encoder" in p:
        yield "vision_encoder.patch_conv.weight", (32, 3, 4, 4)
        yield "vision_encoder.transformer.layers.0.attention.wq.weight", (32, 32)
        yield "vision_language_adapter.w_in.weight", (d, 32)
        yield "patch_merger.merging_layer.weight", (32, 128)
        yield "pre_mm_projector_norm.weight", (32,)


def made(params=PARAMS, tokenizer=tekken, dtype="bfloat16", files=1, fp8=False, template=None, config=None, **more):
    """A checkpoint of this layout, as a function of the folder."""
    def make(out):
        import torch
        from safetensors.torch import save_file
        p = dict(params, **more)
        p["vocab_size"] = tokenizer(out)
        p = {k: v for k, v in p.items() if v is not None}
        g = torch.Generator().manual_seed(p["dim"] + p["n_layers"])
        t = {n: (torch.randn(s, generator=g) * 0.05 + (1 if len(s) == 1 else 0)).to(getattr(torch, dtype)) for n, s in shapes(p)}
        if fp8:
            p["quantization"] = dict(qformat_weight="fp8_e4m3")
            for n in [n for n in t if ".attention.w" in n or ".w1." in n or ".w2." in n or ".w3." in n]:
                w = t[n].float()
                scale = w.abs().max() / 448
                t[n] = (w / scale).to(torch.float8_e4m3fn)
                t[n.replace(".weight", ".qscale_weight")] = scale
                t[n.replace(".weight", ".qscale_act")] = torch.tensor(0.5)
        names = sorted(t)
        for i in range(files):
            name = "consolidated" + (f"-{i + 1:05d}-of-{files:05d}" if files > 1 else "")
            save_file({n: t[n] for n in names[i::files]}, f"{out}/{name}.safetensors")
        json.dump(p, open(out + "/params.json", "w"), indent=1)
        if template:
            open(out + "/chat_template.jinja", "w").write(template)
        if config:
            json.dump(config, open(out + "/config.json", "w"))
    return make


def format_case(types="plain", fails=None, **kw):
    return case(("Mistral", {}), NARROW, tok=None, types=types, fails=fails, args=["--mistral-format"], make=made(**kw))


def only_tekken(out):
    """As Hugging Face lays a Mistral out, but for the tokenizer."""
    import torch
    import transformers as T
    vocab = tekken(out)
    config = T.MistralConfig(vocab_size=vocab, sliding_window=None, **NARROW)
    torch.manual_seed(1)
    T.MistralForCausalLM(config).to(torch.bfloat16).save_pretrained(out)


CASES = {
    "mistral-format": format_case(types="few"),
    "mistral-format-f32": format_case(dtype="float32", types="bare"),
    "mistral-format-f16": format_case(dtype="float16", files=2),
    "mistral-format-spm": format_case(tokenizer=spm, tied_embeddings=True),
    "mistral-format-spm1": format_case(tokenizer=lambda out: spm(out, "tokenizer.model"), types="bare"),
    "mistral-format-v7": format_case(tokenizer=lambda out: tekken(out, version="v7"), types="bare"),
    "mistral-format-v13": format_case(tokenizer=lambda out: tekken(out, version="v13", named=NAMED), template="{{ x }}\r\nü", types="bare"),
    "mistral-format-community": format_case(tokenizer=lambda out: tekken(out, version="v11", named=NAMED), fails="Template file not found"),
    "mistral-format-yarn": format_case(yarn=YARN, llama_4_scaling=dict(original_max_position_embeddings=128, beta=0.1), types="bare"),
    "mistral-format-yarn-scaled": format_case(yarn=dict(YARN, apply_scale=True), types="bare"),
    "mistral-format-vision": format_case(vision_encoder=dict(hidden_size=32), types="bare"),
    "mistral-format-fp8": format_case(fp8=True),
    "mistral-format-bare": format_case(max_position_embeddings=None, fails="context_length"),
    "mistral-format-mixtral": format_case(moe=dict(num_experts=4, num_experts_per_tok=2), fails="config.json"),
    "mistral-format-large": format_case(params=LARGE, config=dict(architectures=["MistralLarge3ForCausalLM"], model_type="mistral")),
    "mistral-format-large-alone": format_case(params=LARGE, fails="config.json"),
    "mistral-tekken": case(("Mistral", {}), NARROW, tok=None, types="plain", make=only_tekken),
}
