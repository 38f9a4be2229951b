#!/usr/bin/env python3
"""GGUF files of families that heft has no rows for, and what llama-quantize makes of them: its rules name fused attention, Falcon and experts.

usage: foreign.py WORK TOKENIZERS       WORK/FAMILY/OUTTYPE.gguf and WORK/FAMILY/OUTTYPE-TYPE.gguf; a family that is ready is kept
TOKENIZERS: where variants.py's tokenizers are, or are to be made."""
import json
import os
import shutil
import subprocess
import sys

import reference
import variants

SIZE = dict(hidden_size=256, intermediate_size=512, num_hidden_layers=9, num_attention_heads=4, vocab_size=336)
FAMILIES = {
    "falcon": ("Falcon", "qwen.json", dict(hidden_size=256, num_hidden_layers=17, num_attention_heads=4, num_kv_heads=2, vocab_size=336,
                                           new_decoder_architecture=True, tie_word_embeddings=False)),
    "phi3": ("Phi3", "spm.model", dict(SIZE, num_key_value_heads=2, pad_token_id=0)),
    "gemma2": ("Gemma2", "spm.model", dict(SIZE, num_key_value_heads=1, head_dim=64)),
    "deepseek2": ("DeepseekV2", "qwen.json", dict(
        SIZE, num_key_value_heads=4, kv_lora_rank=256, q_lora_rank=256, qk_nope_head_dim=64, qk_rope_head_dim=64, v_head_dim=64,
        n_routed_experts=8, num_experts_per_tok=2, n_shared_experts=1, moe_intermediate_size=256, first_k_dense_replace=1)),
    "qwen2moe": ("Qwen2Moe", "qwen.json", dict(SIZE, num_key_value_heads=2, moe_intermediate_size=256, shared_expert_intermediate_size=256,
                                               num_experts=8, num_experts_per_tok=2)),
    "stablelm": ("StableLm", "qwen.json", dict(SIZE, num_key_value_heads=4)),
}
AGAIN = ["Q2_K", "Q4_K_M", "Q5_K_M", "F16"]


def build(name, src, toks):
    import torch
    import transformers as T
    cls, tok, config = FAMILIES[name]
    model = getattr(T, cls + "ForCausalLM")(getattr(T, cls + "Config")(**config))
    g = torch.Generator().manual_seed(len(name))
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=g) * 0.02)
    model.to(torch.bfloat16).save_pretrained(src)
    shutil.copyfile(f"{toks}/{tok}", src + ("/tokenizer.json" if tok.endswith(".json") else "/tokenizer.model"))
    if tok.endswith(".json"):
        json.dump(dict(tokenizer_class="PreTrainedTokenizerFast"), open(src + "/tokenizer_config.json", "w"))


def one(converter, d, name, toks):
    src, log = d + "/src", d + "/log"
    subprocess.run(["rm", "-rf", d])
    os.makedirs(d)
    ok = reference.in_child(lambda: build(name, src, toks), log)
    for outtype in ("bf16", "f16", "f32"):
        ok = ok and reference.in_child(lambda: reference.convert(converter, src, f"{d}/{outtype}.gguf", outtype), log)
    for i, kind in enumerate(reference.ALL):
        outtype = ("bf16", "f16", "f32")[i % 3]
        ok = ok and reference.quantize(log, f"{d}/{outtype}.gguf", f"{d}/{outtype}-{kind}.gguf", kind)
    ok = ok and reference.quantize(log, f"{d}/bf16.gguf", f"{d}/q8_0.gguf", "Q8_0")
    for kind in AGAIN:
        ok = ok and not subprocess.run(["llama-quantize", "--allow-requantize", f"{d}/q8_0.gguf", f"{d}/q8_0-{kind}.gguf", kind, "2"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    shutil.rmtree(src, ignore_errors=True)
    if ok:
        open(d + "/ready", "w").close()
    else:
        print(f"{name}: the reference failed, see {log}")


def main():
    work, toks = sys.argv[1:]
    converter = reference.load_converter()
    from conversion.base import TextModel
    TextModel.get_vocab_base_pre = lambda self, tokenizer: "gpt-2"
    variants.make_tokenizers(toks)
    for name in list(FAMILIES)[::2 if os.environ.get("SHORT") else 1]:
        if not os.path.exists(f"{work}/{name}/ready"):
            one(converter, f"{work}/{name}", name, toks)


if __name__ == "__main__":
    main()
