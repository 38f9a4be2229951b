#!/usr/bin/env python3
"""Small checkpoints that each differ in one thing (a key of the configuration, a tokenizer file, a dtype, a shape), and the reference's file of each.

usage: variants.py WORK [PART PATTERN...]      PATTERN: shell patterns on case names (default: all); PART: 0/2 or 1/2, every second of them
       variants.py WORK --list
Makes WORK/CASE/src, WORK/CASE/ref.gguf (none where the reference fails, see WORK/CASE/log) and WORK/CASE/args, heft's arguments, one per line.
The weights are written by this file alone, without a model class, so that a case takes a second. Python starts once; each case runs in a child."""
import fnmatch
import io
import json
import os
import random
import struct
import subprocess
import sys

import reference

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "I64": 8, "I32": 4, "I8": 1, "U8": 1, "BOOL": 1}
ROPE3 = dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=256)

COMMON = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, vocab_size=320,
              hidden_act="silu", initializer_range=0.02, max_position_embeddings=512, rms_norm_eps=1e-5, rope_theta=10000.0,
              tie_word_embeddings=False, torch_dtype="bfloat16", transformers_version="4.38.2", use_cache=True)
SPM = dict(bos_token_id=1, eos_token_id=2)
BASE = {
    "llama": dict(COMMON, **SPM, architectures=["LlamaForCausalLM"], model_type="llama", rope_scaling=None, attention_bias=False),
    "mistral": dict(COMMON, **SPM, architectures=["MistralForCausalLM"], model_type="mistral", sliding_window=4096),
    "mixtral": dict(COMMON, **SPM, architectures=["MixtralForCausalLM"], model_type="mixtral", num_local_experts=4, num_experts_per_tok=2,
                    output_router_logits=False, router_aux_loss_coef=0.02, sliding_window=None),
    "qwen2": dict(COMMON, architectures=["Qwen2ForCausalLM"], model_type="qwen2", use_sliding_window=False, sliding_window=32768,
                  max_window_layers=28, bos_token_id=1, eos_token_id=2),
    "qwen3": dict(COMMON, architectures=["Qwen3ForCausalLM"], model_type="qwen3", head_dim=32, attention_bias=False, rope_scaling=None,
                  use_sliding_window=False, sliding_window=None, max_window_layers=2),
    "qwen3moe": dict(COMMON, architectures=["Qwen3MoeForCausalLM"], model_type="qwen3_moe", head_dim=32, num_experts=4,
                     num_experts_per_tok=2, moe_intermediate_size=32, norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[],
                     router_aux_loss_coef=0.001, use_sliding_window=False),
}


# ---- weights ----------------------------------------------------------------------------------------------------------

def linear(out, name, rows, cols, bias=False):
    out[name + ".weight"] = ["BF16", (rows, cols)]
    if bias:
        out[name + ".bias"] = ["BF16", (rows,)]


def tensors_of(c, family, qkv_bias=None, mlp_bias=False, head=True):
    """name -> [dtype, shape] as the family names them, for sizes of the complete configuration c."""
    d, ff, t = c["hidden_size"], c["intermediate_size"], {}
    hd = c.get("head_dim") or d // c["num_attention_heads"]
    kv = c.get("num_key_value_heads") or c["num_attention_heads"]
    qkv_bias = family == "qwen2" if qkv_bias is None else qkv_bias
    t["model.embed_tokens.weight"] = ["BF16", (c["vocab_size"], d)]
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        t[p + "input_layernorm.weight"] = ["BF16", (d,)]
        for w, rows in (("q", c["num_attention_heads"] * hd), ("k", kv * hd), ("v", kv * hd)):
            linear(t, p + f"self_attn.{w}_proj", rows, d, qkv_bias)
        linear(t, p + "self_attn.o_proj", d, c["num_attention_heads"] * hd, qkv_bias and family == "llama")
        t[p + "post_attention_layernorm.weight"] = ["BF16", (d,)]
        if family.startswith("qwen3"):
            t[p + "self_attn.q_norm.weight"] = ["BF16", (hd,)]
            t[p + "self_attn.k_norm.weight"] = ["BF16", (hd,)]
        if family == "mixtral":
            linear(t, p + "block_sparse_moe.gate", c["num_local_experts"], d)
            for e in range(c["num_local_experts"]):
                for w, rows, cols in (("w1", ff, d), ("w2", d, ff), ("w3", ff, d)):
                    linear(t, p + f"block_sparse_moe.experts.{e}.{w}", rows, cols)
        elif family == "qwen3moe":
            linear(t, p + "mlp.gate", c["num_experts"], d)
            m = c["moe_intermediate_size"]
            for e in range(c["num_experts"]):
                for w, rows, cols in (("gate", m, d), ("up", m, d), ("down", d, m)):
                    linear(t, p + f"mlp.experts.{e}.{w}_proj", rows, cols)
        else:
            for w, rows, cols in (("gate", ff, d), ("up", ff, d), ("down", d, ff)):
                linear(t, p + f"mlp.{w}_proj", rows, cols, mlp_bias)
    t["model.norm.weight"] = ["BF16", (d,)]
    if head:
        linear(t, "lm_head", c["vocab_size"], d)
    return t


def numbers(dtype, count, rnd):
    """Bytes of heavy-tailed random values."""
    import numpy as np
    x = (rnd.standard_normal(count) * 0.02 * (1 + 4 * (rnd.random(count) < 0.002))).astype(np.float32)
    if dtype == "BF16":
        return (x.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    if dtype in ("F16", "F32", "F64"):
        return x.astype(dtype.replace("F", "float")).tobytes()
    return rnd.integers(0, 100, count * SIZES[dtype], dtype=np.uint8).tobytes() if dtype in ("F8_E4M3", "U8", "I8", "BOOL") else \
        rnd.integers(-1000, 1000, count).astype(dtype.replace("I", "int")).tobytes()


def write_shards(d, tensors, seed, names, index=True):
    """Tensors in turn over several files, with the index that says where each is."""
    parts = {n: {} for n in names}
    for i, (k, v) in enumerate(tensors.items()):
        parts[names[i % len(names)]][k] = v
    for i, n in enumerate(names):
        write_safetensors(f"{d}/{n}", parts[n], seed + i)
    if index:
        json.dump(dict(metadata=dict(total_size=1), weight_map={k: n for n, p in parts.items() for k in p}), open(d + "/model.safetensors.index.json", "w"))


def write_safetensors(path, tensors, seed):
    import numpy as np
    rnd, header, at, body = np.random.default_rng(seed), {"__metadata__": {"format": "pt"}}, 0, io.BytesIO()
    for name, (dtype, shape) in tensors.items():
        count = 1
        for n in shape:
            count *= n
        b = numbers(dtype, count, rnd)
        header[name] = dict(dtype=dtype, shape=list(shape), data_offsets=[at, at + len(b)])
        at += len(b)
        body.write(b)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + body.getvalue())


# ---- tokenizers -------------------------------------------------------------------------------------------------------

def corpus():
    """A text that is the same everywhere, with digits, punctuation and several scripts."""
    rnd = random.Random(7)
    words = [w + s for w in "the of and light river stone mountain water house king people earth heaven walk speak great small morning evening".split()
             for s in ("", "s", "ing", "ed")] + ["don't", "it's", "I'll", "été", "größe", "привет", "мир", "你好", "世界", "🦙", "1995", "3.14"]
    return [" ".join(rnd.choice(words) for _ in range(12)) + rnd.choice(".!?,") for _ in range(2000)]


def train_spm(out, **kw):
    import sentencepiece
    model = io.BytesIO()
    args = dict(model_type="bpe", vocab_size=320, byte_fallback=True, character_coverage=0.98, unk_surface=" \u2047 ", num_threads=1, minloglevel=2)
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(corpus()), model_writer=model, **{**args, **kw})
    open(out, "wb").write(model.getvalue())


SPMS = {
    "spm": {},
    "spm-nofallback": dict(byte_fallback=False),
    "spm-symbols": dict(user_defined_symbols=["<user>", "▁big▁word", "<|im_start|>"], control_symbols=["<ctl>", "[INST]"]),
    "spm-noprefix": dict(add_dummy_prefix=False),
    "spm-identity": dict(normalization_rule_name="identity", remove_extra_whitespaces=False),
    "spm-pad": dict(pad_id=3),
    "spm-order": dict(unk_id=2, bos_id=0, eos_id=1),
    "spm-nobos": dict(bos_id=-1, eos_id=-1),
    "spm-digits": dict(split_digits=True, allow_whitespace_only_pieces=True),
    "spm-unigram": dict(model_type="unigram", vocab_size=350),
}
LLAMA3_RE = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN_RE = LLAMA3_RE.replace("{1,3}", "")


def train_bpe(out, pattern, specials, normalizer=None):
    """A byte-level BPE tokenizer.json as the families of today have."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    t = Tokenizer(models.BPE(ignore_merges=pattern == LLAMA3_RE))
    t.normalizer = normalizers.NFC() if normalizer == "NFC" else None
    byte = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    t.pre_tokenizer = byte if pattern is None else pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=310 - len(specials), show_progress=False,
                                                        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.add_special_tokens(specials)
    t.save(out)


def spm_as_json(model, out):
    """The tokenizer.json of a SentencePiece BPE model, as transformers' LlamaTokenizerFast saves it."""
    import sentencepiece
    sp = sentencepiece.SentencePieceProcessor(model_file=model)
    vocab = {sp.id_to_piece(i): i for i in range(sp.vocab_size())}
    merges = []
    for piece, i in vocab.items():
        if not (sp.is_control(i) or sp.is_byte(i) or sp.is_unknown(i)):
            merges += sorted([(vocab[piece[:k]], vocab[piece[k:]], piece[:k], piece[k:], i) for k in range(1, len(piece))
                              if piece[:k] in vocab and piece[k:] in vocab])
    merges = [[a, b] for _, _, a, b, _ in sorted(merges, key=lambda m: m[4])]
    added = [dict(id=i, content=sp.id_to_piece(i), single_word=False, lstrip=False, rstrip=False, normalized=False, special=True) for i in range(3)]
    json.dump(dict(
        version="1.0", truncation=None, padding=None, added_tokens=added,
        normalizer=dict(type="Sequence", normalizers=[dict(type="Prepend", prepend="▁"),
                                                      dict(type="Replace", pattern=dict(String=" "), content="▁")]),
        pre_tokenizer=None, post_processor=template("<s>"),
        decoder=dict(type="Sequence", decoders=[dict(type="Replace", pattern=dict(String="▁"), content=" "), dict(type="ByteFallback"),
                                                dict(type="Fuse"), dict(type="Strip", content=" ", start=1, stop=0)]),
        model=dict(type="BPE", dropout=None, unk_token="<unk>", continuing_subword_prefix=None, end_of_word_suffix=None, fuse_unk=True,
                   byte_fallback=True, ignore_merges=False, vocab=vocab, merges=merges)), open(out, "w"), ensure_ascii=False)


def template(first=None, last=None, ids=None):
    def token(t):
        return [dict(SpecialToken=dict(id=t, type_id=0))] if t else []
    ids = ids or {"<s>": 1, "</s>": 2}
    return dict(type="TemplateProcessing", single=token(first) + [dict(Sequence=dict(id="A", type_id=0))] + token(last),
                pair=token(first) + [dict(Sequence=dict(id="A", type_id=0))] + token(last) + token(first) +
                [dict(Sequence=dict(id="B", type_id=1))] + token(last),
                special_tokens={t: dict(id=t, ids=[ids[t]], tokens=[t]) for t in (first, last) if t})


LLAMA3_SPECIALS = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|finetune_right_pad_id|>"]
QWEN_SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def make_tokenizers(d):
    if os.path.exists(d + "/ready"):
        return
    os.makedirs(d, exist_ok=True)
    for name, kw in SPMS.items():
        train_spm(f"{d}/{name}.model", **kw)
    spm_as_json(f"{d}/spm.model", f"{d}/spm.json")
    train_bpe(f"{d}/llama3.json", LLAMA3_RE, LLAMA3_SPECIALS)
    train_bpe(f"{d}/qwen.json", QWEN_RE, QWEN_SPECIALS, "NFC")
    train_bpe(f"{d}/gpt2.json", None, ["<|endoftext|>"])
    open(d + "/ready", "w").close()


# ---- cases ------------------------------------------------------------------------------------------------------------

def edit(config, change):
    """Sets keys; DROP removes one."""
    c = dict(config)
    for k, v in change.items():
        if v is DROP:
            c.pop(k, None)
        else:
            c[k] = v
    return c


DROP = object()
CASES = {}


def case(name, family="llama", config={}, base={}, tok="spm", files={}, tensors=None, outtype="auto", types=(), args=(), heft=(), pre=None,
         shards=None, beside=(), **shape):
    """base: sizes that tensors follow as well; config: what config.json says only; tensors: a function that edits name -> [dtype, shape]."""
    if family == "qwen3moe" and tok == "spm":  # read as byte-level BPE alone
        tok, pre, base = "qwen.json", "qwen2", dict(dict(vocab_size=336), **base)
    complete = edit(BASE[family], base)
    assert name not in CASES, name
    CASES[name] = dict(family=family, config=edit(complete, config), sizes=complete, tok=tok, files=files, edit=tensors, outtype=outtype,
                       types=types, args=list(args), heft=list(heft), pre=pre, shards=shards, beside=beside, shape=shape)


def write_files(d, c, toks):
    files = dict(c["files"])
    if c["tok"]:
        for one in c["tok"].split("+"):
            name = one if "." in one else one + ".model"
            out = "tokenizer.model" if name.endswith(".model") else "tokenizer.json"
            b = open(f"{toks}/{name}", "rb").read()
            change = files.pop("~" + out, None)
            if change:
                j = json.loads(b)
                change(j)
                b = json.dumps(j, ensure_ascii=False).encode()
            open(f"{d}/{out}", "wb").write(b)
    for name, text in files.items():
        os.makedirs(os.path.dirname(f"{d}/{name}"), exist_ok=True)
        with open(f"{d}/{name}", "wb") as f:
            f.write(text if isinstance(text, bytes) else (text if isinstance(text, str) else json.dumps(text)).encode())


def build(name, src, toks):
    c = CASES[name]
    os.makedirs(src)
    json.dump(c["config"], open(src + "/config.json", "w"), indent=2)
    t = tensors_of(c["sizes"], c["family"], **c["shape"])
    if c["edit"]:
        t = c["edit"](t) or t
    seed = sum(map(ord, name))
    if c["shards"]:
        write_shards(src, t, seed, **c["shards"])
    else:
        write_safetensors(src + "/model.safetensors", t, seed)
    for n in c["beside"]:
        os.makedirs(os.path.dirname(f"{src}/{n}"), exist_ok=True)
        write_safetensors(f"{src}/{n}", {"stray.weight": ["BF16", (4, 4)], "model.norm.weight": ["BF16", (64,)]}, seed)
    write_files(src, c, toks)


def convert(converter, c, src, out):
    if c["pre"]:
        from conversion.base import TextModel
        TextModel.get_vocab_base_pre = lambda self, tokenizer: c["pre"]
    sys.argv = ["convert_hf_to_gguf", src, "--outtype", c["outtype"], "--outfile", out, *[a.replace("SRC", src) for a in c["args"]]]
    converter.main()


def one(converter, work, name, toks):
    d, c = f"{work}/{name}", CASES[name]
    if os.path.exists(d + "/ready"):
        return
    subprocess.run(["rm", "-rf", d])
    os.makedirs(d)
    src, log = d + "/src", d + "/log"
    if not reference.in_child(lambda: build(name, src, toks), log):
        raise SystemExit(f"{name}: cannot be built, see {log}")
    ok = reference.in_child(lambda: convert(converter, c, src, d + "/plain.gguf"), log)
    pairs = []
    if c["outtype"] in ("auto", "f16", "bf16", "f32"):
        pairs = [("", c["outtype"])] + [("-" + t, t) for t in c["types"]]
    for suffix, kind in pairs:
        ref = f"{d}/ref{suffix}.gguf"
        if suffix and ok:
            reference.quantize(log, d + "/plain.gguf", ref, kind)
        with open(f"{d}/args{suffix}", "w") as f:
            pre = ["--pre", c["pre"]] if c["pre"] else []
            args = [a.replace("SRC", src) for a in c["heft"]]
            f.write("\n".join([src, "-t", kind.lower(), "--via", c["outtype"], *pre, *args]) + "\n")
    if ok:
        os.rename(d + "/plain.gguf", d + "/ref.gguf")
    open(d + "/ready", "w").close()


def warm_up(converter, work, toks):
    """Converts once in this process, so that the children find every module loaded."""
    import conversion
    import torch
    torch.set_num_threads(1)
    conversion.load_all_models()
    for name in ("warm-up", "warm-up-qwen2"):
        d = f"{work}/{name}.{os.getpid()}"
        subprocess.run(["rm", "-rf", d])
        build(name, d, toks)
        kept = conversion.base.TextModel.get_vocab_base_pre
        convert(converter, CASES[name], d, d + "/out.gguf")
        conversion.base.TextModel.get_vocab_base_pre = kept
        subprocess.run(["rm", "-rf", d])


def chosen():
    """All cases; with SHORT in the environment every third one."""
    return list(CASES)[::3] if os.environ.get("SHORT") else list(CASES)


def main():
    import variant_cases
    variant_cases.fill()
    work = sys.argv[1]
    if sys.argv[2:] == ["--list"]:
        print("\n".join(chosen()))
        return
    part, parts = map(int, sys.argv[2].split("/")) if sys.argv[2:] else (0, 1)
    names = [n for n in chosen() if any(fnmatch.fnmatch(n, p) for p in sys.argv[3:] or ["*"])][part::parts]
    converter = reference.load_converter()
    os.makedirs(work, exist_ok=True)
    toks = f"{work}/tok{part}"
    make_tokenizers(toks)
    warm_up(converter, work, toks)
    for name in names:
        one(converter, work, name, toks)


if __name__ == "__main__":
    sys.modules["variants"] = sys.modules["__main__"]
    main()
