"""The work of tests/oracle/tokenizers under the reference's Python. "make": checkpoints that hold a tokenizer and a config, the converter's
vocabulary of each, texts, and the ids that Hugging Face's or SentencePiece's encoder gives them. "compare": that with what tokenizer_dump
printed, as TAP."""
import copy
import fnmatch
import gzip
import hashlib
import json
import os
import pickle
import random
import runpy
import shutil
import struct
import sys
import types
import unicodedata
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, "/usr/share/llama.cpp/llama.cpp-tools")

import tokenizer_ranked  # first of all: it says where mistral-common is
import conversion.base
from gguf import GGUFReader, GGUFValueType
from transformers import AutoTokenizer

SCRIPT = "/usr/share/doc/llama.cpp-tools/scripts/convert_hf_to_gguf.py"
CONFIG = dict(hidden_size=64, intermediate_size=128, num_attention_heads=4, num_key_value_heads=4, num_hidden_layers=1, rms_norm_eps=1e-5,
              max_position_embeddings=512)
CLASSES = dict(llama="LlamaForCausalLM", mistral="MistralForCausalLM", qwen2="Qwen2ForCausalLM", qwen3="Qwen3ForCausalLM", bert="BertModel",
               roberta="RobertaModel", **{"xlm-roberta": "XLMRobertaModel"}, t5="T5ForConditionalGeneration", camembert="CamembertModel",
               tekken="LlamaForCausalLM", qwen="QWenLMHeadModel", kimi="DeepseekV3ForCausalLM", llama3="LlamaForCausalLM", **{"mistral-format": None})
RANKED = "tekken mistral-format qwen kimi llama3".split()
STRATEGY = dict(bert="wordpiece", roberta="bpe", t5="t5", qwen2="spm,bpe", qwen3="spm,bpe", **{"xlm-roberta": "xlmr"},
                tekken="tekken", qwen="qwen", kimi="kimi", llama3="llama3", **{"mistral-format": "mistral"})

# ---- the reference ----

known = conversion.base.TextModel.get_vocab_base_pre
seen = {}


def lenient(self, tokenizer):
    """Remembers the hash; an unknown one goes by the name of "default"."""
    text = next(c for c in known.__code__.co_consts if isinstance(c, str) and c.startswith("\n \n\n"))
    seen["hash"] = hashlib.sha256(str(tokenizer.encode(text)).encode()).hexdigest()
    if "deepseek" in type(self).__module__ and os.path.exists(self.dir_model / "tiktoken.model"):
        # Kimi's: what transformers makes of the file without the code beside it splits in another way
        seen["pre"] = None
        if not hasattr(tokenizer, "mergeable_ranks"):
            raise NotImplementedError
        return "kimi-k2"
    try:
        seen["pre"] = known(self, tokenizer)
    except NotImplementedError:
        seen["pre"] = None
    return seen["pre"] or "default"


conversion.base.TextModel.get_vocab_base_pre = lenient


def reference(directory, out, *options):
    seen.clear()
    sys.argv = [SCRIPT, "--vocab-only", "--outfile", str(out), *options, str(directory)]
    try:
        runpy.run_path(SCRIPT, run_name="__main__")
    except SystemExit as e:
        if e.code:
            raise
    keys = {}
    for f in GGUFReader(out).fields.values():
        if f.name.startswith("tokenizer."):
            kind = f.types[-1]
            value = [bytes(f.parts[i]) if kind == GGUFValueType.STRING else f.parts[i].tolist()[0] for i in f.data]
            keys[f.name] = (kind.name, f.types[0] == GGUFValueType.ARRAY, value)
    return keys


# ---- heft ----


def parse(text):
    keys, error = {}, None
    for line in text.split("\n"):
        if line.startswith("# error"):
            error = line[8:]
        elif line.startswith("{"):
            kv = json.loads(line, parse_int=lambda s: -0.0 if s == "-0" else int(s))
            value = kv["value"] if kv["array"] else [kv["value"]]
            if kv["type"] == "STRING":
                value = [v.encode() for v in value]
            keys[kv["key"]] = (kv["type"], kv["array"], value)
    return keys, error


def differences(want, got):
    for key in sorted(set(want) | set(got)):
        if key not in got or key not in want:
            yield f"{key}: " + ("heft lacks it" if key not in got else f"only heft has it: {str(got[key])[:100]}")
            continue
        (kind, array, a), (kind2, array2, b) = want[key], got[key]
        if (kind, array) != (kind2, array2):
            yield f"{key}: {kind} {array}, heft has {kind2} {array2}"
            continue
        if key == "tokenizer.chat_templates":
            a, b = sorted(a), sorted(b)
        if kind == "FLOAT32":
            a, b = ([struct.pack("<f", v) for v in x] for x in (a, b))
        if a != b:
            i = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            yield f"{key}: {len(a)} and {len(b)} elements, at {i}: {str(a[i:i + 1])[:150]}, heft has {str(b[i:i + 1])[:150]}"


# ---- texts ----

TEXTS = ["", " ", "a", "Hello world", " Hello  world ", "  two   three    ", "\n", "\n\n\n", "\t\ttabs\t", " \n \n\n \t x", "x\r\ny\r\nz\r",
         "I'm you're HE'LL they'd We've 'tis it's ''s", "3 33 333 3333 33333 1,234.56 0x1F ١٢٣ ４５ ½ Ⅳ", "naïve café résumé", "Å Å Å ﬁ ﬂ ① ㎏",
         "e\u0301 n\u0303 \u1100\u1161\u11a8 한국어 각", "Ελληνικά Кириллица עברית العربية हिन्दी ไทย ភាសាខ្មែរ", "我想在apple工作1314151天～ 日本語テキスト ｶﾀｶﾅ",
         "🚀 😶\u200d🌫️ 👩\u200d👩\u200d👧\u200d👦 🇩🇪 ✅", "int main(void) { return x[0] != NULL ? -1 : 0; } // comment", "def f(x):\n    return x**2\n\n\n# end",
         "------======= ...... !!!!!!?????? ```` \"\"\"\"", "<s> </s> <unk> <|endoftext|> <|im_start|>user\nhi<|im_end|>", "<s></s><s>", "a<|endoftext|>b", "a <s> b </s> c",
         "\u2581already\u2581marked \u2581 x", "\u00a0nbsp\u2003em\u3000ideographic\u200bzero", "\x00\x01\x7f\u0085\u2028\u2029", "İstanbul ẞ ǅ", "\ufeffbom \ufffd",
         "a" * 300, "ab " * 200, " " * 100, "\n" * 50, "word" + " " * 20 + "end", "https://example.org/a/b?c=d&e=%20f#g", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \U0010ffff \U000e0001",
         "[PAD] [UNK] [CLS] [INST] hi [/INST]", "<pad><mask>", "In the beginning God created the heaven and the earth."]


def old(r, lo, hi):
    """A character that every version of Unicode in use knows."""
    while True:
        c = chr(r.randrange(lo, hi))
        if unicodedata.ucd_3_2_0.category(c) not in ("Cn", "Cs"):
            return c


def random_texts(seed, extra, n=300):
    r = random.Random(seed)
    ranges = [(32, 127)] * 6 + [(0xa0, 0x250), (0x300, 0x370), (0x370, 0x600), (0x900, 0xe80), (0x1100, 0x1200), (0x2000, 0x2c00), (0x3000, 0x3100),
              (0x4e00, 0x9fff), (0xac00, 0xd7a3), (0xf900, 0xfb50), (0x1d400, 0x1d7ff), (0, 32)]
    out = []
    for _ in range(n):
        parts = []
        for _ in range(r.randrange(1, 12)):
            lo, hi = r.choice(ranges)
            parts.append(r.choice([" ", "", "  ", "\n", "'s"]) + "".join(old(r, lo, hi) for _ in range(r.randrange(1, 8))))
            if extra and r.random() < 0.15:
                parts.append(r.choice(extra))
        out.append("".join(parts))
    return out


# ---- checkpoints ----


def checkpoint(where, kind, files, vocab_size=None, **config):
    """files: name -> bytes, text or something for JSON."""
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    for name, what in files.items():
        (where / name).parent.mkdir(exist_ok=True)
        (where / name).write_bytes(what if isinstance(what, bytes) else what.encode() if isinstance(what, str) else json.dumps(what).encode())
    c = dict(CONFIG, architectures=[CLASSES[kind]], model_type=kind, **config)
    if vocab_size:
        c["vocab_size"] = vocab_size
    if kind == "mistral-format":
        (where / "params.json").write_text(json.dumps(dict(dim=64, n_layers=1, head_dim=16, hidden_dim=128, n_heads=4, n_kv_heads=4, norm_eps=1e-5, vocab_size=vocab_size)))
        (where / "consolidated.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    (where / "config.json").write_text(json.dumps(c))
    (where / "model.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    return where


def highest(files):
    j = files.get("tokenizer.json")
    if isinstance(j, bytes):
        j = json.loads(j)
    if not j:
        return 151936
    return max(max(j["model"]["vocab"].values()), *(t["id"] for t in j["added_tokens"]), len(j["model"]["vocab"]) + len(j["added_tokens"]))


def bert_cases(name, files, j):
    """A WordPiece vocabulary under BERT's class, which brings its own normalizer, and as it stands; as a list of lines, too."""
    n = len(j["model"]["vocab"])
    lines = "\n".join(sorted(j["model"]["vocab"], key=j["model"]["vocab"].get)) + "\n"
    bare = dict(tokenizer_class="PreTrainedTokenizerFast", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]", pad_token="[PAD]", mask_token="[MASK]")
    options = dict(plain={}, cased=dict(do_lower_case=False), cased_bare=dict(do_lower_case=False, strip_accents=True, tokenize_chinese_chars=False),
                   accents=dict(strip_accents=False), nulls=dict(strip_accents=None, mask_token="[NEW]", cls_token="[SEP]"),
                   file=dict(bare), added=dict(do_lower_case=False, additional_special_tokens=["<x>", "the"], added_tokens_decoder={
                       str(n): added(n, "##tail"), str(n + 1): added(n + 1, "Word", normalized=True), "100": added(100, "[UNK]", special=True)}))
    for k, tc in options.items():
        yield f"{name}-{k}", "bert", dict(files, **{"tokenizer_config.json": tc}), n + 8, {}
        if k != "file":
            yield f"{name}-{k}-txt", "bert", {"vocab.txt": lines, "tokenizer_config.json": tc}, n + 8, {}
    yield f"{name}-none", "bert", {"tokenizer.json": j}, n, {}
    yield f"{name}-lines", "bert", {"vocab.txt": lines.replace("\nthe\n", "\nthe \n").replace("\nworld\n", "\nhello\n"), "tokenizer_config.json": {}}, n, {}
    for k, norm in dict(lower=dict(lowercase=True, strip_accents=None), accents=dict(lowercase=False, strip_accents=True), dirty=dict(clean_text=False, lowercase=True, handle_chinese_chars=False)).items():
        normalizer = dict(dict(type="BertNormalizer", clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=False), **norm)
        yield f"{name}-file-{k}", "bert", {"tokenizer.json": dict(j, normalizer=normalizer, model=dict(j["model"], max_input_chars_per_word=12)), "tokenizer_config.json": bare}, n, {}


def real_cases(data, short=False):
    """short: of each tokenizer the model type that it comes with, or one that does nothing of its own."""
    for d in sorted(data.iterdir()):
        files = {f.name.removesuffix(".gz"): gzip.decompress(f.read_bytes()) if f.suffix == ".gz" else f.read_bytes() for f in d.iterdir() if f.is_file()}
        if "tokenizer.json" in files:
            j = json.loads(files["tokenizer.json"])
            if "merges" not in j["model"]:
                yield from bert_cases(d.name, files, j)
                continue
            if "type" not in j["model"]:  # older files leave it out, the converter wants it
                j["model"] = dict(type="BPE", **j["model"])
                files["tokenizer.json"] = json.dumps(j).encode()
        for kind in ("llama", "mistral", "qwen2", "qwen3", "roberta"):
            if kind == "qwen3" and d.name not in ("qwen3", "gpt2", "phi-3") or kind == "roberta" and d.name not in ("gpt2", "granite31"):
                continue
            if short and kind != {"qwen2": "mistral", "qwen3": "qwen3", "granite31": "roberta", "mistral03": "mistral"}.get(d.name, "llama"):
                continue
            n = 32768 if "tokenizer.model" in files else highest(files)
            yield f"{d.name}-{kind}", kind, files, n + 17, {}
            if d.name == "qwen2" and kind in ("llama", "mistral"):
                for name, config in dict(fixed={}, fixed4=dict(transformers_version="4.50.1"), fixed5=dict(transformers_version="5.1.0")).items():
                    tc = dict(json.loads(files["tokenizer_config.json"]), fix_mistral_regex=True)
                    yield f"{d.name}-{kind}-{name}", kind, dict(files, **{"tokenizer_config.json": tc}), n + 17, config
            if d.name == "gpt2" and kind == "llama":
                for name in ("GPT2Tokenizer", "GPTNeoXTokenizerFast", "Qwen2TokenizerFast", "LlamaTokenizerFast", "Unheard"):
                    tc = dict(json.loads(files["tokenizer_config.json"]), tokenizer_class=name)
                    yield f"{d.name}-{kind}-{name}", kind, dict(files, **{"tokenizer_config.json": tc}), n + 17, {}


def small_bpe(kjv):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(open(kjv / "calibration.txt").read().split(". ")[:400],
                          trainers.BpeTrainer(vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return json.loads(t.to_str())


def added(i, text, **flags):
    return dict(dict(id=i, content=text, single_word=False, lstrip=False, rstrip=False, normalized=False, special=False), **flags)


def made_cases(kjv):
    base = small_bpe(kjv)
    n = len(base["model"]["vocab"])

    def variant(**parts):
        j = copy.deepcopy(base)
        model = parts.pop("model", {})
        j.update(parts)
        j["model"].update(model)
        return j

    def case(name, files, kind="llama", size=n + 40, **config):
        return "made-" + name, kind, files, size, config

    bare = dict(tokenizer_class="PreTrainedTokenizerFast", bos_token="<s>", eos_token="</s>")
    tokens = [added(n, "<s>", special=True), added(n + 1, "</s>", special=True), added(n + 2, "<|sep|>"), added(n + 3, "<tool>", normalized=True),
              added(n + 4, "\u2581x y\u2581"), added(n + 5, "  ", rstrip=True), added(n + 6, "<mask>", lstrip=True), added(n + 7, "God", single_word=True, normalized=True),
              added(n + 8, "<\uff5cu\uff5c>"), added(n + 9, "\u0120"), added(n + 10, "é"), added(n + 11, "the", normalized=True), added(n + 12, "<unused7>", normalized=True)]
    yield case("plain", {"tokenizer.json": base})
    yield case("added", {"tokenizer.json": variant(added_tokens=tokens), "tokenizer_config.json": bare})
    yield case("added-nfc", {"tokenizer.json": variant(added_tokens=tokens, normalizer=dict(type="Sequence", normalizers=[dict(type="NFKC"), dict(type="Lowercase")])),
                             "tokenizer_config.json": bare})
    yield case("added-gap", {"tokenizer.json": variant(added_tokens=[added(n + 20, "<far>"), added(n + 5, "<near>", special=True), added(n + 20, "<s>")]),
                             "tokenizer_config.json": bare})
    yield case("decoder-config", {"tokenizer.json": variant(added_tokens=tokens), "tokenizer_config.json": dict(bare, added_tokens_decoder={
        str(n): dict(content="<s>", special=False), str(n + 2): dict(content="<|sep|>", special=True, lstrip=True), str(n + 30): dict(content="<new>", special=True)})})
    yield case("named", {"tokenizer.json": variant(added_tokens=tokens[:2]), "tokenizer_config.json": dict(
        bare, pad_token="<pad>", unk_token={"__type": "AddedToken", "content": "<unk>", "lstrip": False, "rstrip": False, "single_word": False, "normalized": False},
        image_token="<image>", additional_special_tokens=["<x1>", "the"], add_bos_token=True)})
    yield case("extra-dict", {"tokenizer.json": variant(added_tokens=tokens[:2]), "tokenizer_config.json": dict(bare, extra_special_tokens=dict(boi_token="<boi>"))})
    yield case("map", {"tokenizer.json": variant(added_tokens=tokens[:2]), "special_tokens_map.json": dict(
        bos_token=dict(content="<bos>", lstrip=False, rstrip=False, single_word=False, normalized=True), eos_token="</s>", additional_special_tokens=["<m1>"]),
        "tokenizer_config.json": bare})
    yield case("added-json", {"tokenizer.json": variant(added_tokens=tokens[:2]), "added_tokens.json": {"<late>": n + 2, "</s>": n + 1}, "tokenizer_config.json": bare})
    yield case("split-special", {"tokenizer.json": variant(added_tokens=tokens), "tokenizer_config.json": dict(bare, split_special_tokens=True)})

    def special(x):
        return {"SpecialToken": {"id": x, "type_id": 0}}
    a, b = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}
    ids = {t["content"]: dict(id=t["content"], ids=[t["id"]], tokens=[t["content"]]) for t in tokens[:3]}

    def template(single, pair):
        return dict(type="TemplateProcessing", single=single, pair=pair, special_tokens=ids)
    bos = template([special("<s>"), a], [special("<s>"), a, special("<s>"), b])
    both = template([special("<s>"), a, special("</s>")], [special("<s>"), a, special("</s>"), b, special("</s>")])
    sep = template([special("<s>"), a, special("<|sep|>")], [special("<s>"), a, special("<|sep|>"), b])
    ab = template([a, special("</s>")], [a, special("</s>"), special("</s>"), b])
    level = dict(type="ByteLevel", add_prefix_space=True, trim_offsets=False, use_regex=True)
    roberta = dict(type="RobertaProcessing", sep=["</s>", n + 1], cls=["<s>", n], trim_offsets=True, add_prefix_space=False)
    for name, post in dict(bos=bos, both=both, sep=sep, ab=ab, roberta=roberta, sequence=dict(type="Sequence", processors=[level, bos])).items():
        j = variant(added_tokens=tokens, post_processor=post)
        for config_name, config in dict(none=None, plain=bare, dict=dict(bare, bos_token={"__type": "AddedToken", **{k: v for k, v in tokens[0].items() if k != "id"}}),
                                        cls=dict(tokenizer_class="PreTrainedTokenizerFast", cls_token="<s>", sep_token="</s>", add_bos_token=False, add_eos_token=True),
                                        nulls=dict(bare, bos_token=None, eos_token=None)).items():
            yield case(f"post-{name}-{config_name}", {"tokenizer.json": j, **({"tokenizer_config.json": config} if config else {})}, bos_token_id=n, eos_token_id=n + 1)

    level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=False)

    def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
        return dict(type="Split", pattern={kind: pattern}, behavior=behavior, invert=invert)
    pres = {f"split-{b.lower()}{'-invert' if i else ''}": [split(r"\p{N}|\s+", b, i), level]
            for b in ("Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext") for i in (False, True)}
    pres |= {"string": [split(" ", "MergedWithNext", kind="String"), level], "digits": [dict(type="Digits", individual_digits=True), level],
             "digits-run": [dict(type="Digits", individual_digits=False), level], "punctuation": [dict(type="Punctuation", behavior="Isolated"), level],
             "punctuation-next": [dict(type="Punctuation", behavior="MergedWithNext"), level], "whitespace": [dict(type="Whitespace"), level],
             "whitespace-split": [dict(type="WhitespaceSplit"), level], "bert": [dict(type="BertPreTokenizer"), level],
             "delimiter": [dict(type="CharDelimiterSplit", delimiter="e"), level], "prefix": [dict(level, add_prefix_space=True, use_regex=True)],
             "metaspace-always": [dict(type="Metaspace", replacement="▁", prepend_scheme="always", split=True)],
             "metaspace-first": [dict(type="Metaspace", replacement="▁", prepend_scheme="first", split=False)],
             "metaspace-never": [dict(type="Metaspace", replacement="▁", prepend_scheme="never", split=True)],
             "look": [split(r"(?<=[a-z])(?=[A-Z])|\s+(?!\S)|(?i:god)"), level], "empty": [split(r"x*"), level], "fixed": [dict(type="FixedLength", length=3), level]}
    for name, list_ in pres.items():
        yield case(f"pre-{name}", {"tokenizer.json": variant(added_tokens=tokens, pre_tokenizer=dict(type="Sequence", pretokenizers=list_)), "tokenizer_config.json": bare})
    norms = {k: dict(type=k) for k in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel")}
    norms |= dict(strip=dict(type="Strip", strip_left=True, strip_right=True), lstrip=dict(type="Strip", strip_left=True, strip_right=False),
                  replace=dict(type="Replace", pattern={"Regex": "[0-9]+"}, content="#"), string=dict(type="Replace", pattern={"String": "the"}, content="THE"),
                  prepend=dict(type="Prepend", prepend="_"), accents=dict(type="Sequence", normalizers=[dict(type="NFD"), dict(type="StripAccents"), dict(type="Lowercase")]))
    for name, norm in norms.items():
        pre = None if name == "ByteLevel" else base["pre_tokenizer"]
        yield case(f"norm-{name}", {"tokenizer.json": variant(added_tokens=tokens, normalizer=norm, pre_tokenizer=pre), "tokenizer_config.json": bare})
    decoders = dict(none=None, metaspace=dict(type="Metaspace", replacement="▁", prepend_scheme="always", split=True), bpe=dict(type="BPEDecoder", suffix="x"),
                    sequence=dict(type="Sequence", decoders=[dict(type="Replace", pattern={"String": "▁"}, content=" "), dict(type="ByteFallback"), dict(type="Fuse"),
                                                             dict(type="Strip", content=" ", start=1, stop=0)]))
    for name, decoder in decoders.items():
        yield case(f"decoder-{name}", {"tokenizer.json": variant(added_tokens=tokens + [added(n + 13, "<0xE9>"), added(n + 14, " z ")], decoder=decoder),
                                       "tokenizer_config.json": bare})
    unk = {"model": dict(unk_token="<unk>", fuse_unk=True, vocab=dict(list(base["model"]["vocab"].items())[:-1] + [("<unk>", n - 1)]))}
    last = list(base["model"]["vocab"])[-1]
    unk["model"]["merges"] = [m for m in base["model"]["merges"] if "".join(m) != last and last not in m]
    yield case("unk-fused", {"tokenizer.json": variant(**copy.deepcopy(unk), pre_tokenizer=dict(type="WhitespaceSplit"))})
    unk["model"]["fuse_unk"] = False
    yield case("unk", {"tokenizer.json": variant(**copy.deepcopy(unk), pre_tokenizer=dict(type="WhitespaceSplit"))})
    yield case("ignore-merges", {"tokenizer.json": variant(model=dict(ignore_merges=True, merges=base["model"]["merges"][:100]))})
    yield case("merges-text", {"tokenizer.json": variant(model=dict(merges=[" ".join(m) for m in base["model"]["merges"]]))})
    parts = {"vocab.json": base["model"]["vocab"], "merges.txt": "#version: 0.2\n" + "\n".join(" ".join(m) for m in base["model"]["merges"]) + "\n"}
    for name, kind in (("GPT2Tokenizer", "llama"), ("GPTNeoXTokenizer", "llama"), ("Qwen2Tokenizer", "qwen2"), ("Qwen2Tokenizer", "qwen3")):
        for add in ({}, dict(add_bos_token=True, bos_token="<|b|>"), dict(add_prefix_space=True)):
            tc = dict(tokenizer_class=name, **add)
            yield case(f"files-{name}-{kind}-{len(json.dumps(add))}", dict(parts, **{"tokenizer_config.json": tc}), kind)
    templates = {"text": dict(bare, chat_template="{{ x }}\r\n"), "list": dict(bare, chat_template=[dict(name="default", template="D"), dict(name="tool use!", template="T"), dict(name="rag", template="")])}
    for name, tc in templates.items():
        yield case(f"chat-{name}", {"tokenizer.json": variant(added_tokens=tokens), "tokenizer_config.json": tc, "chat_template.jinja": "J\r\nJ\rJ"})
    yield case("chat-jinja", {"tokenizer.json": variant(added_tokens=tokens), "tokenizer_config.json": bare, "chat_template.jinja": "J\r\nJ\rJ", "chat_template.json": dict(chat_template="no")})
    yield case("chat-more", {"tokenizer.json": variant(added_tokens=tokens), "tokenizer_config.json": bare, "chat_template.jinja": "J",
                             "additional_chat_templates/tools.jinja": "T\r\n", "additional_chat_templates/rag-x.jinja": "R"})
    yield case("chat-json", {"tokenizer.json": variant(added_tokens=tokens), "tokenizer_config.json": bare, "chat_template.json": dict(chat_template="from json")})
    for flag in (True, False):
        yield case(f"prefix-{flag}", {"tokenizer.json": base, "tokenizer_config.json": dict(bare, add_prefix_space=flag)})


def spm_cases(kjv):
    model = (kjv / "tokenizer.model").read_bytes()
    files = {"tokenizer.model": model, "tokenizer_config.json": (kjv / "tokenizer_config.json").read_bytes()}
    yield "kjv-llama", "llama", files, 2048, {}
    yield "kjv-qwen2", "qwen2", files, 2048, {}
    yield "kjv-padded", "llama", files, 2100, dict(bos_token_id=1, eos_token_id=[2, 3], pad_token_id=2099)
    yield "kjv-truncated", "llama", files, 2000, dict(bos_token_id=1, eos_token_id=2, pad_token_id=2000)
    tc = dict(add_prefix_space=False, bos_token=dict(content="<s>"), eos_token="</s>", added_tokens_decoder={
        "2049": dict(content="<|im\u2581end|>", special=False), "2050": dict(content="a\u2581b"), "5": dict(content="five", special=True), "4000": dict(content="x")})
    yield "kjv-added", "llama", {"tokenizer.model": model, "tokenizer_config.json": tc, "added_tokens.json": {"<zz>": 2060, "<yy>": 2049}}, 2080, {}


def spm_trained(kjv):
    """Models of each normalization and option, trained on a little text."""
    import io
    import sentencepiece
    text = open(kjv / "calibration.txt").read().split(". ")[:800] + ["héllo wörld ﬁne ① 日本語"]
    for name, options in dict(nmt=dict(normalization_rule_name="nmt_nfkc"), cf=dict(normalization_rule_name="nfkc_cf", byte_fallback=True),
                              identity=dict(normalization_rule_name="identity", byte_fallback=True, remove_extra_whitespaces=False),
                              user=dict(user_defined_symbols=["<u>", "God", "  "], byte_fallback=True, split_digits=True),
                              suffix=dict(treat_whitespace_as_suffix=True), nodummy=dict(add_dummy_prefix=False, byte_fallback=True)).items():
        out = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(text), model_writer=out, vocab_size=700, model_type="bpe", minloglevel=2, **options)
        yield f"spm-{name}", "llama", {"tokenizer.model": out.getvalue()}, 700, {}


def unigram_cases(kjv):
    """Unigram models of each normalization and option as XLM-RoBERTa's and T5's files, and what transformers makes of them."""
    import io
    import tempfile
    import sentencepiece
    import transformers
    text = open(kjv / "calibration.txt").read().split(". ")[:800] + ["héllo wörld ﬁne ① 日本語"] * 4
    kinds = dict(nmt={}, cf=dict(normalization_rule_name="nmt_nfkc_cf"), nfkc=dict(normalization_rule_name="nfkc", byte_fallback=True),
                 identity=dict(normalization_rule_name="identity", remove_extra_whitespaces=False), user=dict(user_defined_symbols=["<u>", "God", "thee"]),
                 nodummy=dict(add_dummy_prefix=False, split_by_whitespace=False, byte_fallback=True), suffix=dict(treat_whitespace_as_suffix=True))
    for name, options in kinds.items():
        out = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(text), model_writer=out, vocab_size=900, model_type="unigram", minloglevel=2, **options)
        m = out.getvalue()
        yield f"uni-{name}-spm", "llama", {"tokenizer.model": m}, 910, {}
        yield f"uni-{name}-t5", "t5", {"spiece.model": m, "added_tokens.json": {"<extra_id_0>": 903, "<far>": 2000}, "tokenizer_config.json": dict(eos_token="</s>", add_eos_token=True)}, 910, dict(eos_token_id=2, decoder_start_token_id=0)
        yield f"uni-{name}-xlmr", "xlm-roberta", {"sentencepiece.bpe.model": m, "tokenizer_config.json": dict(bos_token="<s>", mask_token="<mask>")}, 910, dict(bos_token_id=0)
        if name == "identity":
            continue  # no precompiled rules: the converter wants some
        with tempfile.TemporaryDirectory() as d:
            (Path(d) / "sentencepiece.bpe.model").write_bytes(m)
            (Path(d) / "config.json").write_text(json.dumps(dict(model_type="xlm-roberta")))
            AutoTokenizer.from_pretrained(d).save_pretrained(d)
            j = {f: json.loads((Path(d) / f).read_text()) for f in ("tokenizer.json", "tokenizer_config.json")}
        yield f"uni-{name}-json", "xlm-roberta", j, 900, {}
        if name == "nmt":
            yield f"uni-{name}-padded", "xlm-roberta", j, 950, dict(bos_token_id=0, eos_token_id=2, pad_token_id=1)
            for k, tc in dict(none=None, bare=dict(tokenizer_class="PreTrainedTokenizerFast", unk_token="<unk>", mask_token="God", add_prefix_space=True, clean_up_tokenization_spaces=True),
                              class_=dict(tokenizer_class="XLMRobertaTokenizer", add_prefix_space=False), extra=dict(tokenizer_class="XLMRobertaTokenizer", additional_special_tokens=["thee", "<new>"])).items():
                yield f"uni-{name}-json-{k}", "xlm-roberta", {"tokenizer.json": j["tokenizer.json"], **({"tokenizer_config.json": tc} if tc else {})}, 900, {}


# ---- making ----


def special_texts(files):
    j = files.get("tokenizer.json")
    if isinstance(j, bytes):
        j = json.loads(j)
    return [t["content"] for t in j["added_tokens"]][:40] if j else []


def make_case(name, kind, files, size, config, work):
    instead = files.pop("reference", None)
    where = checkpoint(work / name, kind, files, size, **config)
    args = [STRATEGY.get(kind, "spm,spm_hf,bpe"), str(size)]
    if kind in ("llama", "mistral"):
        args.append("add_space_prefix=config")
    (where / "args").write_text("\n".join(args) + "\n")
    theirs = checkpoint(work / ("." + name), "llama", instead, size, **config) if instead else where
    want = reference(theirs, where / "reference.gguf", *["--mistral-format"] * (kind == "mistral-format"))
    (where / "reference.gguf").unlink()
    if kind == "kimi":  # what it had to be called above
        want["tokenizer.ggml.pre"] = ("STRING", False, [b"default"])
    if instead:
        shutil.rmtree(theirs)
        files["reference"] = instead
    texts = TEXTS + random_texts(name, tokenizer_ranked.special_of(kind, files) if kind in RANKED else special_texts(files))
    (where / "texts").write_text("".join(json.dumps(t) + "\n" for t in texts))
    model = [f for f in files if f.endswith(".model")]
    if kind in RANKED:
        encoder = types.SimpleNamespace(encode=tokenizer_ranked.encoder_of(kind, where, files))
    elif model:
        import sentencepiece
        encoder = sentencepiece.SentencePieceProcessor(str(where / model[0]))
        if kind == "xlm-roberta":  # ids as the model counts them
            encoder.encode = lambda t, own=encoder.encode: [i + 1 if i > 2 else (3, 0, 2)[i] for i in own(t)]
    else:
        encoder = AutoTokenizer.from_pretrained(where)
    with open(where / "reference", "wb") as f:
        pickle.dump(dict(keys=want, seen=dict(seen), size=size, texts=texts, ids=[list(encoder.encode(t)) for t in texts]), f)


SLOW = ("tiktoken-qwen qwen2-mistral-fixed qwen2-mistral-fixed5 tiktoken-kimi tiktoken-llama31 tekken-240718 tekken-240911 mistral-format-240718 "
        "gpt2-llama-GPTNeoXTokenizerFast gpt2-llama-Qwen2TokenizerFast gpt2-llama-Unheard").split()  # another case of the same kind is in the short run


def make(data, kjv, work, part, parts, short="", pattern="*"):
    cases = [*spm_cases(kjv), *spm_trained(kjv), *unigram_cases(kjv), *made_cases(kjv), *real_cases(data, bool(short)), *tokenizer_ranked.ranked_cases(data)]
    left_out = {*SLOW, *[c[0] for c in cases if c[0].startswith("uni-")][1::2]} if short else ()
    for case in [c for c in cases if fnmatch.fnmatch(c[0], pattern) and c[0] not in left_out][part::parts]:
        try:
            make_case(*case, work)
        except BaseException as e:  # the reference refuses (or panics): heft may do as it likes
            print(f"{case[0]}: the reference fails: {type(e).__name__} {str(e)[:200]}", file=sys.stderr)
            shutil.rmtree(work / case[0])


# ---- comparing ----

count = 0


def ok(good, name, notes=()):
    global count
    count += 1
    print(f"{'' if good else 'not '}ok {count} - {name}")
    for note in notes:
        print("# " + note.replace("\n", "\\n"))


def compare_case(where):
    name = where.name
    with open(where / "reference", "rb") as f:
        r = pickle.load(f)
    want, pre = r["keys"], r["seen"].get("pre", "")
    if r["size"] == 32016:
        want.pop("tokenizer.ggml.eot_token_id", None)  # a row of the family
    want.pop("tokenizer.ggml.token_type_count", None)  # and so is this
    text = (where / "heft").read_text()
    got, error = parse(text)
    if pre is None:
        fallback = error is None or r["seen"]["hash"] in error
        ok(fallback, f"{name}: unknown pre-tokenizer", [] if fallback else [f"hash {r['seen']['hash']}, heft says {error}"])
        got, error = parse((where / "heft-pre").read_text())
    notes = [error] if error else list(differences(want, got))
    ok(not notes, f"{name}: {len(want)} keys", notes[:12])
    lines = [line for line in (where / "heft-ids").read_text().split("\n") if not line.startswith("#")]
    lines += [""] * len(r["texts"])
    bad = [(t, w, g) for t, w, g in zip(r["texts"], r["ids"], lines) if " ".join(map(str, w)) != g]
    ok(not bad, f"{name}: ids of {len(r['texts'])} texts", [f"{len(bad)} differ"] * bool(bad) + [f"{t!r}: {w} heft {g}" for t, w, g in bad[:3]])


def compare(work, pattern):
    for where in sorted(work.iterdir()):
        if (where / "reference").exists() and fnmatch.fnmatch(where.name, pattern):
            try:
                compare_case(where)
            except Exception as e:
                ok(False, where.name, [f"{type(e).__name__}: {e}"])
    print(f"1..{count}")


if sys.argv[1] == "make":
    make(*map(Path, sys.argv[2:5]), *map(int, sys.argv[5:7]), *sys.argv[7:])
else:
    compare(Path(sys.argv[2]), sys.argv[3])
