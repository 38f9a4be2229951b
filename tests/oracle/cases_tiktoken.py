"""Models whose vocabulary is a file of tiktoken's: Qwen 1 and Kimi. The code that published ones bring along is put in their place by CODE."""
import base64
import json

import torch
from safetensors.torch import save_file

from cases_mistral import train
from make_checkpoint import NARROW, case

CODE = r'''
import base64
import unicodedata
import tiktoken
from transformers import PreTrainedTokenizer

WORD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
HAN = r"&&[^\p{Han}]]"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}" + HAN, r"[\p{Ll}\p{Lm}\p{Lo}\p{M}" + HAN
CASED, SHORT = r"[^\r\n\p{L}\p{N}]?", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
PATTERN = {"qwen.tiktoken": WORD + r"\p{N}" + REST,
           "tiktoken.model": r"[\p{Han}]+|" + CASED + UPPER + "*" + LOWER + "+" + SHORT + "|" + CASED + UPPER + "+" + LOWER + "*" + SHORT + r"|\p{N}{1,3}" + REST}


def ranks_of(path):
    return {base64.b64decode(t): int(r) for t, r in (line.split() for line in open(path, "rb") if line.strip())}


def specials(name, n, decoder):
    if name == "qwen.tiktoken":
        texts = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + [f"<|extra_{i}|>" for i in range(205)]
        return {t: n + i for i, t in enumerate(texts)}
    named = {int(i): getattr(t, "content", None) or t["content"] for i, t in decoder.items()}
    return {named.get(i, f"<|reserved_token_{i}|>"): i for i in range(n, n + 258)}


def encoding(path, decoder=None):
    name = path.rsplit("/", 1)[-1]
    ranks = ranks_of(path)
    return tiktoken.Encoding(name, pat_str=PATTERN[name], mergeable_ranks=ranks, special_tokens=specials(name, len(ranks), decoder or {}))


class Tokenizer(PreTrainedTokenizer):
    vocab_files_names = {"vocab_file": "NAME"}

    def __init__(self, vocab_file, added_tokens_decoder=None, **kwargs):
        self.model = encoding(vocab_file, added_tokens_decoder)
        self.mergeable_ranks = self.model._mergeable_ranks
        self.special_tokens = self.model._special_tokens
        super().__init__(**kwargs)

    @property
    def vocab_size(self):
        return self.model.n_vocab

    def get_vocab(self):
        return {**{i: r for i, r in self.mergeable_ranks.items()}, **self.special_tokens}

    def _tokenize(self, text, **kwargs):
        return self.model.decode_tokens_bytes(self.encode(text))

    def _convert_token_to_id(self, token):
        return self.special_tokens.get(token, 0)

    def _convert_id_to_token(self, i):
        return str(i)

    def encode(self, text, *args, **kwargs):
        if "NAME" == "qwen.tiktoken":
            text = unicodedata.normalize("NFC", text)
        return self.model.encode(text, allowed_special="all")
'''
DECODER = {"1": "[BOS]", "2": "[EOS]", "4": "<|im_end|>", "9": "<|im_user|>"}


def tokenizer_files(name, ranks):
    """File names and contents of such a tokenizer."""
    text = b"".join(base64.b64encode(b) + b" %d\n" % i for i, b in enumerate(ranks))
    config = dict(tokenizer_class="Tokenizer", auto_map={"AutoTokenizer": ["tokenization_own.Tokenizer", None]})
    if name == "tiktoken.model":
        config["added_tokens_decoder"] = {str(len(ranks) + int(i)): dict(content=t, special=True, lstrip=False, rstrip=False, normalized=False, single_word=False)
                                          for i, t in DECODER.items()}
        config.update(bos_token="[BOS]", eos_token="[EOS]")
    return {name: text, "tokenization_own.py": CODE.replace("NAME", name), "tokenizer_config.json": config}


def write(out, files):
    for name, what in files.items():
        with open(f"{out}/{name}", "wb") as f:
            f.write(what if isinstance(what, bytes) else (what if isinstance(what, str) else json.dumps(what)).encode())


def qwen(dtype="bfloat16", **more):
    def make(out):
        ranks = train(400)
        write(out, tokenizer_files("qwen.tiktoken", ranks))
        d, ff, vocab = 64, 256, 640
        c = dict(architectures=["QWenLMHeadModel"], model_type="qwen", vocab_size=vocab, hidden_size=d, num_hidden_layers=2, num_attention_heads=4,
                 intermediate_size=ff, layer_norm_epsilon=1e-6, max_position_embeddings=512, seq_length=256, rotary_emb_base=10000, rotary_pct=1.0,
                 kv_channels=16, no_bias=True, use_dynamic_ntk=True, use_logn_attn=True, tie_word_embeddings=False, torch_dtype=dtype, **more)
        shapes = {"transformer.wte.weight": (vocab, d), "transformer.ln_f.weight": (d,), "lm_head.weight": (vocab, d)}
        for i in range(2):
            at = f"transformer.h.{i}."
            shapes |= {at + "ln_1.weight": (d,), at + "ln_2.weight": (d,), at + "attn.c_attn.weight": (3 * d, d), at + "attn.c_attn.bias": (3 * d,),
                       at + "attn.c_proj.weight": (d, d), at + "mlp.w1.weight": (ff // 2, d), at + "mlp.w2.weight": (ff // 2, d),
                       at + "mlp.c_proj.weight": (d, ff // 2)}
        g = torch.Generator().manual_seed(3)
        t = {n: (torch.randn(s, generator=g) * 0.05 + (1 if "ln_" in n else 0)).to(getattr(torch, dtype)) for n, s in shapes.items()}
        save_file(t, out + "/model.safetensors", metadata={"format": "pt"})
        write(out, {"config.json": c})
    return make


def kimi(out):
    import transformers as T
    ranks = train(400)
    config = T.DeepseekV3Config(vocab_size=704, q_lora_rank=32, kv_lora_rank=32, qk_rope_head_dim=16, qk_nope_head_dim=16, v_head_dim=16, n_routed_experts=4,
                                num_experts_per_tok=2, n_shared_experts=1, n_group=1, topk_group=1, moe_intermediate_size=32, first_k_dense_replace=1,
                                **dict(NARROW, num_key_value_heads=4))
    torch.manual_seed(2)
    T.DeepseekV3ForCausalLM(config).to(torch.bfloat16).save_pretrained(out)
    write(out, tokenizer_files("tiktoken.model", ranks))


def plain(make, **kw):
    return case(("Qwen2", {}), NARROW, tok=None, types=kw.pop("types", "plain"), make=make, **kw)


CASES = {
    # a configuration as it was published has no rms_norm_eps: the converter leaves out what the runtime wants
    "tiktoken-qwen": plain(qwen("float16"), pre="qwen2", fails="layer_norm_rms_epsilon"),
    "tiktoken-qwen-eps": plain(qwen(rms_norm_eps=1e-6), pre="qwen2", types="few"),
    "tiktoken-qwen-ids": plain(qwen("float32", rms_norm_eps=1e-6, eos_token_id=402, pad_token_id=403), pre="qwen2", types="bare"),
    "tiktoken-kimi": plain(kimi, pre="kimi-k2"),
}
