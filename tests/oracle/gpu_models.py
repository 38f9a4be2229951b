#!/usr/bin/env python3
"""Models whose experts transformers holds in one tensor, and quantized checkpoints as plain ones again, against transformers and compressed-tensors.

usage: gpu_models.py sources WORK              WORK/NAME/: tiny models by transformers' own classes, as their modules hold them
       gpu_models.py compare WORK              WORK/out/NAME.WHAT/: what heft made of them; TAP

Experts: every matrix of every expert, cut out as the class's forward() does, must be stored with the library's bytes. mxfp4: what transformers
dequantizes, and what heft decodes, bit for bit. plain: transformers loads it with nothing missing or left over. mixed: compressed-tensors
decompresses each module by the group that names it."""
import json
import os
import shutil
import sys

import torch
from gpu import Tap, by_compressed_tensors, by_transformers, fitting, load, same, scheme, tiles
from safetensors.torch import save_file

BF16 = torch.bfloat16
BASE = dict(vocab_size=256, hidden_size=256, intermediate_size=384, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=64,
            max_position_embeddings=128, tie_word_embeddings=False, torch_dtype="bfloat16")
MODELS = { # class of the configuration, what it has besides, names of an expert's matrices, the folder around the experts
    "qwen3_moe": ("Qwen3MoeConfig", dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=128, mlp_only_layers=[]), "gud", "mlp"),
    "mixtral": ("MixtralConfig", dict(num_local_experts=4, num_experts_per_tok=2), "w", "block_sparse_moe"),
    "deepseek_v3": ("DeepseekV3Config", dict(n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=128, first_k_dense_replace=1, n_group=1, topk_group=1,
                                             q_lora_rank=128, kv_lora_rank=160, qk_nope_head_dim=32, qk_rope_head_dim=16, v_head_dim=64, head_dim=16, n_shared_experts=1), "gud", "mlp"),
    "llama4": ("Llama4TextConfig", dict(num_local_experts=4, intermediate_size_mlp=384, interleave_moe_layer_step=1), "gud", "feed_forward"),
    "gpt_oss": ("GptOssConfig", dict(num_local_experts=4, num_experts_per_tok=2, layer_types=["full_attention"] * 2), "gud", "mlp"),
    "granitemoe": ("GraniteMoeConfig", dict(num_local_experts=4, num_experts_per_tok=2), "w", "block_sparse_moe"),
}
PARTS = {"gud": ("gate_proj", "up_proj", "down_proj"), "w": ("w1", "w3", "w2")}


# ---- sources ----

def sources(work):
    import transformers
    for i, (name, (kind, more, _, _)) in enumerate(MODELS.items()):
        torch.manual_seed(i)
        config = getattr(transformers, kind)(**{**BASE, **more})
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=BF16)
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(torch.randn(p.shape) * 0.05)
        write(os.path.join(work, name), model.state_dict(), json.loads(config.to_json_string(use_diff=False)), [type(model).__name__])
    ragged(work)
    dense(work)


def write(d, state, config, architectures=None):
    os.makedirs(d, exist_ok=True)
    save_file({k: v.detach().clone().contiguous() for k, v in state.items()}, os.path.join(d, "model.safetensors"), metadata={"format": "pt"})
    config = {**config, **({"architectures": architectures} if architectures else {})}
    config["torch_dtype"] = "bfloat16"
    config.pop("dtype", None)
    with open(os.path.join(d, "config.json"), "w") as f:
        json.dump(config, f, indent=2)


def blocks(w):
    """8-bit floats with a scale per 128 x 128, the last ones ragged, as DeepSeek's own files have kv_a_proj_with_mqa."""
    rows, cols = w.shape
    pad = torch.nn.functional.pad(w.float(), (0, -cols % 128, 0, -rows % 128))
    v = pad.unflatten(0, (-1, 128)).unflatten(2, (-1, 128))
    scale = v.abs().amax((1, 3)) / 448
    code = (v / scale[:, None, :, None]).flatten(2, 3).flatten(0, 1)[:rows, :cols].to(torch.float8_e4m3fn)
    return code, scale


def unblocked(code, scale):
    wide = scale.repeat_interleave(128, 0).repeat_interleave(128, 1)[:code.shape[0], :code.shape[1]]
    return (code.float() * wide).to(BF16)


def ragged(work):
    """DeepSeek's checkpoint: experts apart, FP8, ragged."""
    state, config, out = load(os.path.join(work, "deepseek_v3")), json.load(open(os.path.join(work, "deepseek_v3", "config.json"))), {}
    for k, v in apart("deepseek_v3", state).items():
        if v.ndim == 2 and k.endswith("_proj.weight") or k.endswith("with_mqa.weight"):
            out[k], out[k + "_scale_inv"] = blocks(v)
        else:
            out[k] = v
    config["quantization_config"] = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}
    write(os.path.join(work, "deepseek_fp8"), out, config)


def dense(work):
    import transformers
    torch.manual_seed(99)
    config = transformers.LlamaConfig(**BASE)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=BF16)
    write(os.path.join(work, "llama"), model.state_dict(), json.loads(config.to_json_string(use_diff=False)), ["LlamaForCausalLM"])
    os.makedirs(os.path.join(work, "llama_bin"), exist_ok=True)
    torch.save(model.state_dict(), os.path.join(work, "llama_bin", "pytorch_model.bin"))
    shutil.copy(os.path.join(work, "llama", "config.json"), os.path.join(work, "llama_bin"))


# ---- experts ----

def matrices(name, key, w):
    """The pieces of one fused tensor: (projection 0 1 2, expert, matrix or bias), as the class computes with them."""
    bias, turned = key.endswith("_bias"), name in ("llama4", "gpt_oss")
    for e in range(w.shape[0]):
        x = w[e].T if turned and not bias else w[e]
        if "down" in key or "output_linear" in key:
            yield 2, e, x
        elif name == "gpt_oss":
            yield 0, e, x[0::2]
            yield 1, e, x[1::2]
        else:
            yield from ((p, e, half) for p, half in enumerate(x.chunk(2)))


def is_fused(k, v):
    return ("experts." in k and v.ndim == 3) or k.endswith("_proj_bias") or ("block_sparse_moe." in k and v.ndim == 3)


def apart(name, state):
    style, moe = MODELS[name][2:]
    out = {}
    for k, v in state.items():
        if is_fused(k, v):
            base = k[:k.index(".experts." if ".experts." in k else ".input_linear" if "input" in k else ".output_linear")]
            for p, e, x in matrices(name, k, v):
                out[f"{base.replace('.mlp', '.' + moe)}.experts.{e}.{PARTS[style][p]}.{'bias' if 'bias' in k else 'weight'}"] = x.contiguous()
        else:
            out[k.replace(".mlp.", f".{moe}.") if name == "mixtral" else k] = v
    return out


def quantized(module, w, target):
    parts = by_transformers(w) if target == "fp8" else by_compressed_tensors(w, target, scheme(target, ""), None)
    return {f"{module}.{k}": v for k, v in parts.items()}


def stays(k, v):
    leaf = k.split(".")[-2]
    return v.ndim != 2 or not k.endswith(".weight") or leaf in ("lm_head", "gate", "router", "embed_tokens") or ".router." in k


def fits(module, v, target):
    return v.shape[1] % 128 == 0 and (v.shape[0] % 128 == 0 if target == "fp8" else tiles(module, v))


def compare_experts(t, source, ours, target):
    want, n = {}, 0
    served = fitting({k[:-len(".weight")]: v for k, v in source.items() if not stays(k, v)}, lambda m, v: fits(m, v, target))
    for k, v in source.items():
        if not k.endswith(".weight") or k[:-len(".weight")] not in served:
            want[k] = v
        else:
            want.update(quantized(k[:-len(".weight")], v, target))
            n += 1
    t.ok(set(want) == set(ours), "names", str(sorted(set(want) ^ set(ours))[:6]))
    diff = [k for k in want if k in ours and not same(want[k], ours[k])]
    t.ok(not diff, f"bytes of {len(want)} tensors, {n} modules", str(diff[:4]))


# ---- clients ----

def opened(t, d, **more):
    from transformers import AutoModelForCausalLM
    model, info = AutoModelForCausalLM.from_pretrained(d, dtype=BF16, output_loading_info=True, **more)
    bad = {k: list(v)[:3] for k, v in info.items() if v and k != "error_msgs"}
    t.ok(not bad, "transformers loads it, nothing missing or left over", str(bad))
    with torch.no_grad():
        t.ok(bool(torch.isfinite(model(torch.arange(8)[None]).logits).all()), "and computes")
    return model.state_dict()


def compare_mxfp4(t, source, out, plain):
    from transformers import Mxfp4Config
    theirs = opened(t, out, quantization_config=Mxfp4Config(dequantize=True))
    ours = load(plain)
    diff = [k for k in ours if not torch.equal(theirs[k], ours[k])]
    t.ok(not diff and set(ours) <= set(theirs), "transformers dequantizes what heft decodes", str(diff[:4]))
    rest = [k for k, v in source.items() if not is_fused(k, v) or k.endswith("_bias")]
    t.ok(all(same(source[k], ours[k]) for k in rest), "all else is as it was")


def compare_plain(t, name, out):
    theirs, ours = opened(t, out), apart(name, load(out))
    diff = [k for k, v in apart(name, theirs).items() if k in ours and not torch.equal(v, ours[k])]
    t.ok(not diff, "with the numbers of its tensors", str(diff[:4]))


def compare_ragged(t, work, out, what):
    src, ours = load(os.path.join(work, "deepseek_fp8")), load(out)
    want = {k: unblocked(v, src[k + "_scale_inv"]) if k + "_scale_inv" in src else v for k, v in src.items() if not k.endswith("_scale_inv")}
    if what == "plain":
        diff = [k for k in want if k not in ours or not torch.equal(want[k].to(BF16), ours[k])]
        t.ok(not diff and set(want) == set(ours), "numbers of ragged blocks", str(diff[:4]))
        opened(t, out)
    else:
        compare_experts(t, want, ours, what)


def compare_mixed(t, out, decoded):
    from transformers import CompressedTensorsConfig
    theirs, ours = opened(t, out, quantization_config=CompressedTensorsConfig(run_compressed=False)), load(decoded)
    diff = [k for k in ours if not torch.equal(theirs[k].to(BF16), ours[k])]
    t.ok(not diff, "transformers decompresses what heft decodes", str(diff[:4]))


def compare(work):
    bad = 0
    for case in sorted(os.listdir(os.path.join(work, "out"))):
        name, what = case.split(".")
        t, out, src = Tap(f"{name} {what}"), os.path.join(work, "out", case), os.path.join(work, name)
        if name == "llama":
            if what == "mixed":
                compare_mixed(t, out, os.path.join(work, "out", "llama.decoded"))
        elif name == "llama_bin":
            compare_experts(t, load(os.path.join(work, "llama")), load(out), what)
        elif name == "deepseek_fp8":
            compare_ragged(t, work, out, what)
        elif what == "mxfp4":
            compare_mxfp4(t, load(src), out, os.path.join(work, "out", "gpt_oss.plain"))
        elif what == "plain":
            compare_plain(t, name, out)
        else:
            compare_experts(t, apart(name, load(src)), load(out), what)
        bad += t.bad
    return bad


if __name__ == "__main__":
    if sys.argv[1] == "sources":
        sources(sys.argv[2])
    else:
        sys.exit(compare(sys.argv[2]) > 0)
