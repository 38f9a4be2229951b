"""The work of tests/oracle/back under the reference's Python. "make": random checkpoints of transformers' classes. "compare": what came back
from their GGUF files against them, as TAP."""
import fnmatch
import json
import os
import random
import shutil
import sys
import unicodedata
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers
from safetensors import safe_open
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

SIZE = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
            vocab_size=2048, bos_token_id=1, eos_token_id=2)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=256, rope_theta=500000.0)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=128, rope_theta=1000000.0)
LONGROPE = dict(rope_type="longrope", rope_theta=10000.0, long_factor=[1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.5], short_factor=[1.0, 1.0, 1.1, 1.2, 1.2, 1.3, 1.4, 1.5])
MINISTRAL = dict(rope_type="yarn", rope_theta=1000000.0, factor=4.0, original_max_position_embeddings=128, beta_fast=32.0, beta_slow=1.0,
                 mscale=1.0, mscale_all_dim=1.0, llama_4_scaling_beta=0.1)
MOE = dict(num_experts_per_tok=2)
MLA = dict(MOE, num_key_value_heads=4, kv_lora_rank=32, qk_rope_head_dim=8, qk_nope_head_dim=16, v_head_dim=12, n_routed_experts=4, n_shared_experts=1,
           moe_intermediate_size=32, first_k_dense_replace=1)
GRANITE = dict(layer_types=["mamba", "attention"], mamba_n_heads=8, mamba_d_head=16, mamba_d_state=16, mamba_n_groups=1, shared_intermediate_size=96,
               embedding_multiplier=3.0, attention_multiplier=0.25, residual_multiplier=0.5, logits_scaling=2.0, pad_token_id=0)
LINEAR = dict(num_hidden_layers=4, head_dim=32, linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=16, linear_value_head_dim=32, pad_token_id=0)
CASES = {
    "llama": ("Llama", {}),
    "llama-tied": ("Llama", dict(tie_word_embeddings=True)),
    "llama-bias": ("Llama", dict(attention_bias=True, mlp_bias=True)),
    "llama-headdim": ("Llama", dict(head_dim=24)),
    "llama-rope3": ("Llama", dict(rope_parameters=LLAMA3, head_dim=32)),
    "llama-yarn": ("Llama", dict(rope_parameters=YARN)),
    "llama-linear": ("Llama", dict(rope_parameters=dict(rope_type="linear", factor=2.0, rope_theta=10000.0))),
    "mistral": ("Mistral", dict(sliding_window=None)),
    "mixtral": ("Mixtral", dict(MOE, num_local_experts=4)),
    "qwen2": ("Qwen2", {}),
    "qwen2-yarn": ("Qwen2", dict(rope_parameters=YARN)),
    "qwen3": ("Qwen3", dict(head_dim=32, tie_word_embeddings=True)),
    "qwen2moe": ("Qwen2Moe", dict(MOE, num_experts=4, moe_intermediate_size=64, shared_expert_intermediate_size=96, norm_topk_prob=False)),
    "smollm3": ("SmolLM3", dict(pad_token_id=0)),
    "granite": ("Granite", dict(embedding_multiplier=3.0, attention_multiplier=0.25, residual_multiplier=0.5, logits_scaling=2.0)),
    "granitemoe": ("GraniteMoe", dict(MOE, num_local_experts=4)),
    "granitemoe-shared": ("GraniteMoeShared", dict(MOE, num_local_experts=4, shared_intermediate_size=32)),
    "ministral3": ("Ministral3", dict(head_dim=16, rope_parameters=MINISTRAL)),
    "gemma": ("Gemma", dict(head_dim=16, tie_word_embeddings=True)),
    "gemma2": ("Gemma2", dict(head_dim=16, tie_word_embeddings=True)),
    "gemma3": ("Gemma3", dict(head_dim=16, num_hidden_layers=6, tie_word_embeddings=True)),
    "olmo": ("Olmo", dict(clip_qkv=8.0)),
    "olmo2": ("Olmo2", {}),
    "olmo3": ("Olmo3", dict(num_hidden_layers=4, sliding_window=32)),
    "olmoe": ("Olmoe", dict(MOE, num_experts=4)),
    "phi2": ("Phi", dict(num_key_value_heads=4, intermediate_size=256)),
    "phi3": ("Phi3", dict(pad_token_id=0, sliding_window=64)),
    "phi3-long": ("Phi3", dict(pad_token_id=0, original_max_position_embeddings=64, rope_parameters=LONGROPE)),
    "starcoder2": ("Starcoder2", {}),
    "stablelm": ("StableLm", dict(use_qkv_bias=True)),
    "stablelm-12b": ("StableLm", dict(qk_layernorm=True, use_parallel_residual=True)),
    "command-r": ("Cohere", dict(logit_scale=0.25)),
    "command-r-plus": ("Cohere", dict(use_qk_norm=True)),
    "cohere2": ("Cohere2", dict(sliding_window=32, num_hidden_layers=4)),
    "seed-oss": ("SeedOss", dict(head_dim=24)),
    "exaone4": ("Exaone4", dict(num_hidden_layers=4, sliding_window=32, head_dim=16)),
    "hunyuan": ("HunYuanDenseV1", dict(head_dim=16, pad_token_id=0)),
    "ernie": ("Ernie4_5", dict(head_dim=16)),
    "glm": ("Glm", dict(head_dim=16, pad_token_id=0, rms_norm_eps=1e-5)), # the converter writes no other
    "glm4": ("Glm4", dict(head_dim=16, pad_token_id=0)),
    "glm4moe": ("Glm4Moe", dict(MOE, head_dim=16, n_routed_experts=4, moe_intermediate_size=32, first_k_dense_replace=1, pad_token_id=0)),
    "nemotron": ("Nemotron", dict(head_dim=16)),
    "gptneox": ("GPTNeoX", {}),
    "gpt2": ("GPT2", dict(n_embd=64, n_layer=2, n_head=4, n_positions=512)),
    "bloom": ("Bloom", dict(n_layer=2, n_head=4)),
    "mamba": ("Mamba", dict(state_size=8, intermediate_size=128)),
    "falcon-mamba": ("FalconMamba", dict(state_size=8, intermediate_size=128)),
    "mamba2": ("Mamba2", dict(state_size=8, intermediate_size=128, num_heads=8, head_dim=16, expand=2, n_groups=2)),
    "lfm2": ("Lfm2", dict(layer_types=["conv", "full_attention"], block_auto_adjust_ff_dim=False)),
    "lfm2moe": ("Lfm2Moe", dict(MOE, layer_types=["conv", "full_attention"], num_experts=4, num_dense_layers=1, moe_intermediate_size=32)),
    "arcee": ("Arcee", {}),
    "starcoder": ("GPTBigCode", dict(n_embd=64, n_layer=2, n_head=4, n_positions=512)),
    "dots1": ("Dots1", dict(MOE, head_dim=16, n_routed_experts=4, n_shared_experts=1, moe_intermediate_size=32, first_k_dense_replace=1)),
    "minimax-m2": ("MiniMaxM2", dict(MOE, head_dim=16, num_local_experts=4, rotary_dim=8)),
    "falcon": ("Falcon", dict(num_kv_heads=1)),
    "falcon-mha": ("Falcon", dict(multi_query=False, num_kv_heads=4)),
    "falcon-new": ("Falcon", dict(num_kv_heads=2, new_decoder_architecture=True)),
    "falcon-11b": ("Falcon", dict(num_kv_heads=2, new_decoder_architecture=True, num_ln_in_parallel_attn=1)),
    "ernie4_5-moe": ("Ernie4_5_Moe", dict(MOE, moe_k=2, moe_num_experts=4, moe_num_shared_experts=1, moe_intermediate_size=32)),
    "afmoe": ("Afmoe", dict(MOE, head_dim=16, num_hidden_layers=4, num_experts=4, moe_intermediate_size=32, sliding_window=64)),
    "phimoe": ("Phimoe", dict(MOE, num_local_experts=4, pad_token_id=0)),
    "jais2": ("Jais2", dict(pad_token_id=0)),
    "eurobert": ("EuroBert", dict(pad_token_id=0), "Model"),
    "cohere2moe": ("Cohere2Moe", dict(MOE, num_experts=4, head_dim=16, num_hidden_layers=4, sliding_window=64, num_shared_experts=1, first_k_dense_replace=1, pad_token_id=0)),
    "hy_v3": ("HYV3", dict(MOE, num_experts=4, head_dim=16, moe_intermediate_size=32, pad_token_id=0)),
    "mellum": ("Mellum", dict(MOE, num_local_experts=4, head_dim=16, sliding_window=64, moe_intermediate_size=32, layer_types=["full_attention", "sliding_attention"], pad_token_id=0)),
    "gpt-oss": ("GptOss", dict(MOE, head_dim=16, num_local_experts=4, pad_token_id=0)),
    "scout": ("Llama4", dict(MOE, head_dim=16, num_local_experts=4, intermediate_size_mlp=128, interleave_moe_layer_step=2, num_hidden_layers=4, pad_token_id=0)),
    "deepseek-v2": ("DeepseekV2", dict(MLA, q_lora_rank=48)),
    "deepseek-lite": ("DeepseekV2", dict(MLA, q_lora_rank=None)),
    "deepseek-v3": ("DeepseekV3", dict(MLA, n_group=2, topk_group=1, q_lora_rank=48)),
    "deepseek-v32": ("DeepseekV32", dict(MLA, n_group=2, topk_group=1, q_lora_rank=48, num_experts=4, index_n_heads=2, index_head_dim=32, index_topk=4)),
    "glm-lite": ("Glm4MoeLite", dict(MLA, q_lora_rank=48)),
    "granitehybrid": ("GraniteMoeHybrid", dict(GRANITE, **MOE, num_local_experts=4)),
    "granitehybrid-dense": ("GraniteMoeHybrid", dict(GRANITE, num_local_experts=0, num_experts_per_tok=0)),
    "jamba": ("Jamba", dict(num_hidden_layers=6, attn_layer_period=3, attn_layer_offset=1, expert_layer_period=2, expert_layer_offset=1, num_experts=4, mamba_d_state=8,
                            mamba_dt_rank=4, pad_token_id=0, use_mamba_kernels=False)),
    "qwen3next": ("Qwen3Next", dict(LINEAR, **MOE, linear_value_head_dim=16, num_experts=4, moe_intermediate_size=32, shared_expert_intermediate_size=32)),
    "qwen35": ("Qwen3_5", LINEAR),
    "qwen35moe": ("Qwen3_5Moe", dict(LINEAR, **MOE, num_experts=4, moe_intermediate_size=32, shared_expert_intermediate_size=32)),
    "nemotron_h-moe": ("NemotronH", dict(MOE, layers_block_type=["mamba", "moe", "attention", "moe"], mamba_num_heads=8, mamba_head_dim=16, n_groups=2, ssm_state_size=16,
                                         head_dim=16, n_routed_experts=4, moe_intermediate_size=64, moe_shared_expert_intermediate_size=64, pad_token_id=None)),
    "qwen3moe": ("Qwen3Moe", dict(MOE, num_experts=4, moe_intermediate_size=64, head_dim=32, norm_topk_prob=True)),
}
SPM = ("llama*", "mistral", "mixtral", "ministral3", "smollm3", "granite*", "gemma*", "phi3*", "ernie*", "nemotron", "afmoe", "phimoe", "jamba") # others: byte-level BPE

# cases of the families' own, whose files come back: of models that transformers has no class for, and of layouts besides its own. With what
# --pre says where the tokenizer's own name has no way back, the settings that a GGUF knows otherwise, tensors that the class does not use, whether the
# same GGUF comes of them again, which it does not where a key of the tokenizer's is said in another place, and whether the weights come back alone, for
# want of a way for the tokenizer.
WRITTEN = {
    "mpt": {}, "mpt-clip": {}, "codeshell": {}, "refact": {}, "orion": dict(loose=["max_position_embeddings"]), "maincoder": {}, "minicpm": {},
    "minicpm-long": {}, "minicpm3": {}, "bailingmoe2": {}, "bailingmoe2-mtp": {}, "chatglm-old": dict(pre="llama-bpe", again=False),
    "smallthinker": dict(loose=["intermediate_size"]), "grovemoe": dict(gone=(".expert_bias",)), "plm": {}, "pangu-embedded": {}, "openelm": dict(loose=["ffn_multipliers", "ffn_dim_divisor"]),
    "llada": {}, "llada-moe": {}, "dream": {}, "hunyuan-moe": {}, "tiktoken-qwen-eps": dict(again=False), "exaone": {}, "deepseek": {}, "baichuan": {}, "bailingmoe": {}, "internlm2": dict(again=False), "dbrx": {}, "kimi-linear": {},
    "qwen3next": {}, "qwen35": {}, "nemotron_h-mtp": dict(spelt=("embeddings.", "embedding."), loose=["expand", "intermediate_size", "max_position_embeddings"]),
    "exaone-moe": {}, "exaone-moe-mtp": {}, "glm-dsa-minimal": dict(pre="llama-bpe", again=False),
    "t5": dict(alone=True), "t5-gated": dict(alone=True), "t5-encoder": dict(alone=True), "gemma4": dict(alone=True),
    "gemma4-f16": dict(alone=True), "gemma4-moe": dict(alone=True), "gemma4-all": dict(alone=True),
}
GONE = (".inv_freq", ".masked_bias", ".attn.bias") # what the runtime works out
LOOSE = {"torch_dtype", "dtype", "transformers_version", "use_cache", "model_type", "bos_token_id", "eos_token_id"}

TURNED = ("gpt2", "gpt-oss", "scout", "deepseek-*", "glm-lite") # some of their matrices are stored turned


def add_tokens(path, texts):
    tokenizer = json.loads(path.read_text())
    texts = [t for t in texts if t not in [a["content"] for a in tokenizer["added_tokens"]]]
    first = max([*tokenizer["model"]["vocab"].values(), *(t["id"] for t in tokenizer["added_tokens"])]) + 1
    tokenizer["added_tokens"] += [dict(id=first + i, content=text, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
                                  for i, text in enumerate(texts)]
    path.write_text(json.dumps(tokenizer))


def wanted(name, patterns):
    return any(fnmatch.fnmatch(name, p) for p in patterns)


def write(out, tokenizers, patterns):
    import make_checkpoint
    for name in WRITTEN:
        if not wanted(name, patterns):
            continue
        make_checkpoint.build(name, str(out / name), str(tokenizers))
        c = make_checkpoint.CASES[name]
        with safe_open(next((out / name).glob("*.safetensors")), "pt") as f:
            dtype = f.get_tensor(next(iter(f.keys()))).dtype
        (out / name / "type").write_text({"torch.bfloat16": "bf16", "torch.float16": "f16"}.get(str(dtype), "f32"))
        if WRITTEN[name].get("alone"):
            (out / name / "alone").write_text("")
        pre = WRITTEN[name].get("pre") or c["pre"]
        (out / name / "args").write_text("".join(a + "\n" for a in [*c["args"], *(["--pre", pre] if pre else [])]))


def kind_of(name):
    """How the class of a case's model ends."""
    cls, _, *kind = CASES[name]
    return kind[0] if kind else "LMHeadModel" if cls == "GPT2" else "ForCausalLM"


def make(out, kjv, patterns):
    for name, (cls, more, *kind) in CASES.items():
        if not wanted(name, patterns):
            continue
        torch.manual_seed(len(name))
        config = getattr(transformers, cls + ("TextConfig" if cls in ("Gemma3", "Llama4", "Qwen3_5", "Qwen3_5Moe") else "Config"))(**{**SIZE, **more})
        model = getattr(transformers, cls + kind_of(name))(config)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, 0.0, 0.2) if parameter.dim() > 1 else torch.nn.init.uniform_(parameter, 0.5, 1.5)
        model.to(torch.bfloat16).save_pretrained(out / name)
        bpe = not wanted(name, SPM)
        source = kjv.parent / "kjv-bpe" if bpe else kjv
        for f in source.glob("tokenizer*"):
            shutil.copy(f, out / name)
        if name.startswith("glm"):
            add_tokens(out / name / "tokenizer.json", ["<|endoftext|>", "<|user|>", "<|observation|>", "[gMASK]"])
        (out / name / "args").write_text("--pre\nqwen2\n" if bpe else "")


def old(r, lo, hi):
    """A character that every version of Unicode in use knows."""
    while True:
        c = chr(r.randrange(lo, hi))
        if unicodedata.ucd_3_2_0.category(c) not in ("Cn", "Cs"):
            return c


def texts(extra):
    r = random.Random(7)
    ranges = [(32, 127)] * 6 + [(0xa0, 0x250), (0x300, 0x600), (0x900, 0xe80), (0x2000, 0x2c00), (0x3000, 0x3100), (0x4e00, 0x9fff), (0xac00, 0xd7a3), (0, 32)]
    out = ["", " ", "Hello world", " Hello  World\n\n\tI'm 12345 years, 3.14!", "def f(x):\n    return x  # ok", "naïve café — 東京 🚀👩‍👩‍👧"]
    for _ in range(300):
        parts = []
        for _ in range(r.randrange(1, 12)):
            lo, hi = r.choice(ranges)
            parts.append(r.choice([" ", "", "  ", "\n", "'s"]) + "".join(old(r, lo, hi) for _ in range(r.randrange(1, 8))))
            if extra and r.random() < 0.15:
                parts.append(r.choice(extra))
        out.append("".join(parts))
    return out


# ---- TAP ----

done = 0


def ok(good, name, notes=()):
    global done
    done += 1
    print(f"{'ok' if good else 'not ok'} {done} - {name}")
    for note in notes if not good else ():
        print(f"# {note}")
    sys.stdout.flush()


def attempt(name, f, *args):
    try:
        f(name, *args)
    except Exception as e:
        ok(False, name, [repr(e)[:500]])


def outputs(model, ids):
    more = dict(decoder_input_ids=ids) if model.config.is_encoder_decoder else {}
    out = model(ids, **more)
    return out.logits if "logits" in out else out.last_hidden_state


def compare_model(name, where, back):
    auto = {"Model": AutoModel, "ForConditionalGeneration": AutoModelForSeq2SeqLM}.get(kind_of(where.name), AutoModelForCausalLM)
    a = auto.from_pretrained(where, dtype=torch.bfloat16)
    b, info = auto.from_pretrained(back, dtype=torch.bfloat16, output_loading_info=True)
    ok(not any(info[k] for k in ("missing_keys", "unexpected_keys", "mismatched_keys")), f"{name}: every weight has its place", [str(info)[:500]])
    x, y = a.state_dict(), b.state_dict()
    off = [k for k in x if k not in y or not torch.equal(x[k], y[k])] + [k for k in y if k not in x]
    exact = back.name.endswith(".bf16")
    if exact:
        ok(not off, f"{name}: the state dict", off[:10])
    ids = torch.tensor([[1, 17, 300, 42, 999, 5, 77, 640]])
    with torch.no_grad():
        p, q = outputs(a.float(), ids), outputs(b.float(), ids)
    error = ((p - q).norm() / p.norm()).item()
    limit = 1e-5 if exact else 0.2 if "moe" in name else 0.1 # a router may choose otherwise
    ok(error < limit, f"{name}: logits", [f"relative error {error}"])
    said = json.loads((back / "config.json").read_text())
    ok(said["torch_dtype"] == "bfloat16" and AutoConfig.from_pretrained(back).vocab_size == a.config.vocab_size, f"{name}: config.json")


def compare_tokenizer(name, where, back):
    a, b = AutoTokenizer.from_pretrained(where), AutoTokenizer.from_pretrained(back)
    extra = [t for t in a.added_tokens_decoder.values() if t.content.strip()][:40]
    extra = [t.content for t in extra]
    off = [t for t in texts(extra) if a(t)["input_ids"] != b(t)["input_ids"]]
    ok(not off, f"{name}: token ids", [f"{len(off)} texts"] + [f"{t!r}: {a(t)['input_ids']} {b(t)['input_ids']}"[:400] for t in off[:3]])
    some = [a(t, add_special_tokens=False)["input_ids"] for t in texts([])[:50]]
    off = [i for i in some if a.decode(i) != b.decode(i)]
    ok(not off, f"{name}: texts of ids", [f"{a.decode(i)!r} {b.decode(i)!r}"[:300] for i in off[:3]])
    ok(a.chat_template == b.chat_template, f"{name}: the chat template")
    stop = json.loads((where / "config.json").read_text()).get("eos_token_id")
    ok(a.eos_token_id != stop or a.eos_token_id == b.eos_token_id, f"{name}: the end of a text", [f"{a.eos_token} {b.eos_token}"])


def compare_pieces(name, where, back):
    """Against SentencePiece itself. A text that begins with a space gets no second one from transformers."""
    import sentencepiece
    a, b = sentencepiece.SentencePieceProcessor(str(where / "tokenizer.model")), AutoTokenizer.from_pretrained(back)
    off = [t for t in texts([]) if t and t[0] != " " and a.encode(t) != b.encode(t, add_special_tokens=False)]
    ok(not off, f"{name}: token ids", [f"{len(off)} texts"] + [f"{t!r}: {a.encode(t)} {b.encode(t, add_special_tokens=False)}"[:400] for t in off[:3]])


def tensors(where):
    t = {}
    for path in where.glob("*.safetensors"):
        with safe_open(path, "pt") as f:
            t.update((k, f.get_tensor(k)) for k in f.keys())
    return t


def same_setting(a, b):
    """Where both say it; numbers within the rounding of 32 bits."""
    if isinstance(a, dict) and isinstance(b, dict):
        return all(same_setting(a[k], b[k]) for k in a if k in b)
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return abs(a - b) <= 1e-6 * abs(a)
    return a is None or a == b


def compare_files(name, where):
    back = where.with_name(where.name + ".back")
    a, b = tensors(where), tensors(back)
    if "spelt" in WRITTEN[name]: # published checkpoints and transformers' class call it otherwise
        b = {k.replace(*WRITTEN[name]["spelt"]): v for k, v in b.items()}
    a = {k: v for k, v in a.items() if not k.endswith((*GONE, *WRITTEN[name].get("gone", [])))}
    ok(a.keys() == b.keys(), f"{name}: the tensors' names", [f"lost {sorted(a.keys() - b.keys())[:4]}, new {sorted(b.keys() - a.keys())[:4]}"])
    off = [k for k in a if k in b and (a[k].shape != b[k].shape or not torch.equal(a[k], b[k].to(a[k].dtype)))]
    ok(a and not off, f"{name}: the tensors", off[:8])
    if WRITTEN[name].get("alone"):
        return
    said, says = json.loads((where / "config.json").read_text()), json.loads((back / "config.json").read_text())
    off = [k for k in said if k in says and k not in {*LOOSE, *WRITTEN[name].get("loose", [])} and not same_setting(said[k], says[k])]
    ok(not off, f"{name}: config.json", [f"{k}: {said[k]} {says[k]}" for k in off])
    cmp = where.with_name(where.name + ".cmp").read_text()
    if WRITTEN[name].get("again", True):
        ok(not cmp, f"{name}: the same GGUF again", [cmp])


def compare(work):
    for where in sorted((work / "written").iterdir()):
        if (where / "type").exists():
            attempt(where.name, compare_files, where)
    for where in sorted((work / "models").iterdir()):
        if where.suffix in (".bf16", ".q8_0"):
            continue
        for kind in ("bf16", "q8_0"):
            if kind == "q8_0" and wanted(where.name, TURNED):
                continue # blocks cannot be turned: heft refuses
            attempt(f"{where.name}, {kind}", compare_model, where, where.with_name(f"{where.name}.{kind}"))
        if where.name in ("llama", "qwen2"):
            attempt(f"{where.name}, tokenizer", compare_tokenizer, where, where.with_name(where.name + ".bf16"))
    for where in sorted((work / "tokenizers").iterdir()):
        if where.suffix != ".back":
            attempt(f"{where.name}, tokenizer", compare_tokenizer if (where / "tokenizer.json").exists() or (where / "vocab.json").exists() else compare_pieces, where, where.with_name(where.name + ".back"))
    print(f"1..{done}")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]) / "models", Path(sys.argv[3]), sys.argv[4:])
        write(Path(sys.argv[2]) / "written", Path(sys.argv[2]) / "sources", sys.argv[4:])
    else:
        compare(Path(sys.argv[2])) # TAP says what failed; another end is that of Python itself
