"""Tokenizers by ranks for tokenizer_cases.py: Tekken and Mistral's SentencePiece files of mistral-common, and tiktoken's files. The ranks of the
real ones are those of the vocabularies in ../shared/data: Qwen 1's are Qwen 2's, others stand in for Kimi's and Llama 3's."""
import json
import os
import sys
import tempfile
import unicodedata
from pathlib import Path

sys.path += filter(None, [os.environ.get("CLIENT_SITE")])

import make_checkpoint  # noqa: F401: it loads the files of cases
from cases_mistral import tekken as write_tekken
from cases_tiktoken import CODE, tokenizer_files

LLAMA3_NAMES = dict(enumerate("<|begin_of_text|> <|end_of_text|> . . . . <|start_header_id|> <|end_header_id|> . <|eot_id|>".split()))
LLAMA31_NAMES = {**LLAMA3_NAMES, 4: "<|finetune_right_pad_id|>", 8: "<|eom_id|>", 10: "<|python_tag|>"}
LATENT = dict(qk_rope_head_dim=16, qk_nope_head_dim=16, v_head_dim=16)
SCALED = dict(rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192))


def ranks_of(folder):
    """The byte strings of a byte-level tokenizer.json, those that are made of others alone."""
    import gzip
    from transformers.convert_slow_tokenizer import bytes_to_unicode
    f = folder / "tokenizer.json"
    vocab = json.loads(f.read_bytes() if f.exists() else gzip.open(str(f) + ".gz").read())["model"]["vocab"]
    back = {c: b for b, c in bytes_to_unicode().items()}
    return [bytes(back[c] for c in t) for t, _ in sorted(vocab.items(), key=lambda x: x[1])]


def llama3(ranks, names):
    """Meta's file, and Hugging Face's of the same."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import TikTokenConverter
    files = tokenizer_files("tokenizer.model", ranks)
    special, reserved = [], 0
    for i in range(256):
        name = names.get(i, ".")
        special.append(name if name != "." else f"<|reserved_special_token_{reserved}|>")
        reserved += name == "."
    with tempfile.TemporaryDirectory() as d:
        (Path(d) / "tokenizer.model").write_bytes(files["tokenizer.model"])
        t = TikTokenConverter(d + "/tokenizer.model", extra_special_tokens=special).converted()
        bos = special[0]
        t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B:1", special_tokens=[(bos, len(ranks))])])
        PreTrainedTokenizerFast(tokenizer_object=t, bos_token=bos, eos_token=special[1], clean_up_tokenization_spaces=False).save_pretrained(d)
        hf = {n: (Path(d) / n).read_bytes() for n in ("tokenizer.json", "tokenizer_config.json")}
    return {"tokenizer.model": files["tokenizer.model"]}, hf


def ranked_cases(data):
    """name, kind, files, rows, configuration; the files that the reference has in their place go by the name of "reference"."""
    import mistral_common
    own = Path(mistral_common.__file__).parent / "data"
    for f in sorted(own.glob("tekken_*.json")):
        yield f"tekken-{f.stem[7:]}", "tekken", {"tekken.json": f.read_bytes()}, 131072, {}
        yield f"mistral-format-{f.stem[7:]}", "mistral-format", {"tekken.json": f.read_bytes()}, 131072, {}
    for f in sorted([*own.glob("*.model.v*")]):
        name = "tokenizer" + f.name[f.name.index(".model"):]
        if not name.endswith(".v2"):  # a version that the converter has no template for
            yield f"mistral-format-spm-{f.name.rsplit('.', 1)[1]}-{f.stat().st_size}", "mistral-format", {name: f.read_bytes()}, 32768, {}
    with tempfile.TemporaryDirectory() as d:
        size = write_tekken(d)
        small = {"tekken.json": (Path(d) / "tekken.json").read_bytes()}
    yield "mistral-format-template", "mistral-format", dict(small, **{"chat_template.jinja": "a\r\nb ü"}), size, {}
    yield "tekken-template", "tekken", dict(small, **{"chat_template.jinja": "a\r\nb ü", "tokenizer_config.json": dict(add_prefix_space=True)}), size, {}
    qwen, glm = ranks_of(data / "qwen2"), ranks_of(data / "glm-4.6")
    yield "tiktoken-qwen", "qwen", tokenizer_files("qwen.tiktoken", qwen), 151936, {}
    yield "tiktoken-qwen-ids", "qwen", tokenizer_files("qwen.tiktoken", qwen[:9000]), 9216, dict(eos_token_id=9001)
    yield "tiktoken-kimi", "kimi", tokenizer_files("tiktoken.model", glm), len(glm) + 256, LATENT
    yield "tiktoken-kimi-small", "kimi", tokenizer_files("tiktoken.model", qwen[:9000]), 9300, dict(LATENT, eos_token_id=9002)
    for name, names, more in (("", LLAMA3_NAMES, {}), ("1", LLAMA31_NAMES, SCALED)):
        meta, hf = llama3(glm[:128000], names)
        yield f"tiktoken-llama3{name}", "llama3", dict(meta, reference=hf), 128256, more


def encoder_of(kind, where, files):
    """As the library that the vocabulary was made for encodes."""
    if kind in ("tekken", "mistral-format"):
        from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
        name = next(f for f in files if f.startswith(("tekken.json", "tokenizer.model")))
        t = MistralTokenizer.from_file(str(where / name)).instruct_tokenizer.tokenizer
        return lambda text: t.encode(text, bos=name == "tekken.json", eos=False)
    own = {}
    name = next(f for f in files if f.endswith((".tiktoken", ".model")))
    exec(compile(CODE, "tokenization_own.py", "exec"), own)
    if kind == "llama3":
        import tiktoken
        ranks = own["ranks_of"](where / name)
        hf = json.loads(files["reference"]["tokenizer.json"])
        t = tiktoken.Encoding("llama3", pat_str=own["WORD"] + r"\p{N}{1,3}" + own["REST"], mergeable_ranks=ranks,
                              special_tokens={a["content"]: a["id"] for a in hf["added_tokens"]})
        return lambda text: [len(ranks), *t.encode(text, allowed_special="all")]
    t = own["encoding"](str(where / name), files["tokenizer_config.json"].get("added_tokens_decoder"))
    normal = (lambda text: unicodedata.normalize("NFC", text)) if kind == "qwen" else (lambda text: text)
    return lambda text: t.encode(normal(text), allowed_special="all")


def special_of(kind, files):
    """Texts of special tokens, to be put into others."""
    if kind == "qwen":
        return ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|extra_204|>"]
    if kind == "kimi":
        return ["[BOS]", "[EOS]", "<|im_end|>", "<|im_user|>"]
    if kind == "llama3":
        return ["<|begin_of_text|>", "<|eot_id|>", "<|eom_id|>", "<|reserved_special_token_0|>", "<|reserved_special_token_247|>"]
    return ["<s>", "</s>", "[INST]", "[/INST]", "<SPECIAL_20>"]
