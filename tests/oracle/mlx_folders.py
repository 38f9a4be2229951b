"""Checkpoints for MLX: sources, what mlx_lm.convert makes of them, and heft's folders compared with that.

usage: mlx_folders.py sources DIR TOKENIZER    DIR/MODEL: tiny checkpoints of random weights
       mlx_folders.py convert DIR              DIR/ref/CASE by mlx_lm.convert, of the cases on standard input, "MODEL TYPE GROUP" each
       mlx_folders.py compare DIR              TAP: DIR/out/CASE (--method mlx) and DIR/search/CASE (the default) against DIR/ref/CASE
"""
import contextlib
import io
import json
import pathlib
import shutil
import sys

import mlx.core as mx
import numpy as np

mx.set_default_device(mx.cpu)
REALS = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}
MODES = {"mxfp4": 32, "mxfp8": 32, "nvfp4": 16}

BASE = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
        "vocab_size": 2048, "rms_norm_eps": 1e-5, "max_position_embeddings": 512, "rope_theta": 10000.0, "tie_word_embeddings": False,
        "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2}
# what the configuration has besides, the type that weights are stored in, and that of norms
MODELS = {
    "dense": ({"model_type": "llama", "num_hidden_layers": 9, "torch_dtype": "bfloat16"}, "bf16", "bf16"),
    "tied": ({"model_type": "llama", "tie_word_embeddings": True, "torch_dtype": "float16"}, "f16", "f16"),
    "biased": ({"model_type": "qwen2", "torch_dtype": "bfloat16"}, "f32", "f32"),
    "single": ({"model_type": "llama", "torch_dtype": "float32"}, "f32", "f32"),
    "leaks": ({"model_type": "llama", "dtype": "bfloat16"}, "bf16", "f32"),
    "odd": ({"model_type": "llama", "hidden_size": 96, "head_dim": 24, "torch_dtype": "bfloat16"}, "bf16", "bf16"),
    "qwen3_moe": ({"model_type": "qwen3_moe", "num_experts": 4, "num_experts_per_tok": 2, "decoder_sparse_step": 1, "moe_intermediate_size": 128,
                   "mlp_only_layers": [], "norm_topk_prob": True, "torch_dtype": "bfloat16"}, "bf16", "bf16"),
    "mixtral": ({"model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2, "torch_dtype": "bfloat16"}, "bf16", "bf16"),
}


def matrices(c):
    """Names and shapes of a checkpoint's matrices."""
    h, kind = c["hidden_size"], c["model_type"]
    q, kv = c["num_attention_heads"] * c["head_dim"], c["num_key_value_heads"] * c["head_dim"]
    yield "model.embed_tokens", (c["vocab_size"], h)
    if not c["tie_word_embeddings"]:
        yield "lm_head", (c["vocab_size"], h)
    for i in range(c["num_hidden_layers"]):
        at = f"model.layers.{i}"
        for name, shape in (("q", (q, h)), ("k", (kv, h)), ("v", (kv, h)), ("o", (h, q))):
            yield f"{at}.self_attn.{name}_proj", shape
        if kind == "qwen3_moe":
            yield f"{at}.mlp.gate", (c["num_experts"], h)
            moe, wide, n, names = f"{at}.mlp.experts", c["moe_intermediate_size"], c["num_experts"], ("gate_proj", "up_proj", "down_proj")
        elif kind == "mixtral":
            yield f"{at}.block_sparse_moe.gate", (c["num_local_experts"], h)
            moe, wide, n, names = f"{at}.block_sparse_moe.experts", c["intermediate_size"], c["num_local_experts"], ("w1", "w3", "w2")
        else:
            moe, wide, n, names = f"{at}.mlp", c["intermediate_size"], 0, ("gate_proj", "up_proj", "down_proj")
        for e in [f".{e}" for e in range(n)] or [""]:
            for name, shape in zip(names, ((wide, h), (wide, h), (h, wide))):
                yield f"{moe}{e}.{name}", shape


def vectors(c):
    h = c["hidden_size"]
    yield "model.norm.weight", h
    for i in range(c["num_hidden_layers"]):
        at = f"model.layers.{i}"
        yield f"{at}.input_layernorm.weight", h
        yield f"{at}.post_attention_layernorm.weight", h
        if c["model_type"] == "qwen3_moe":
            yield f"{at}.self_attn.q_norm.weight", c["head_dim"]
            yield f"{at}.self_attn.k_norm.weight", c["head_dim"]
        if c["model_type"] == "qwen2":
            for name, heads in (("q", "num_attention_heads"), ("k", "num_key_value_heads"), ("v", "num_key_value_heads")):
                yield f"{at}.self_attn.{name}_proj.bias", c[heads] * c["head_dim"]


def numbers(rng, shape):
    """Rows of several sizes, some numbers far out, groups of zeros, of one sign, and of ties."""
    w = rng.standard_normal(shape) * rng.lognormal(-3, 0.7, (shape[0], 1))
    w[rng.random(shape) < 0.002] *= 8
    w[0] = 0
    w[1] = np.abs(w[1])
    w[2] = -np.abs(w[2])
    w[3] = rng.integers(-12, 13, shape[1]) / 64
    return w.astype(np.float32)


def sources(root, tokenizer):
    for model, (extra, real, norm) in MODELS.items():
        c = {**BASE, **extra}
        rng = np.random.default_rng(sum(map(ord, model)))
        at = root / model
        at.mkdir(parents=True)
        t = {f"{n}.weight": mx.array(numbers(rng, s)).astype(getattr(mx, REALS[real])) for n, s in matrices(c)}
        t |= {n: mx.array((1 + 0.1 * rng.standard_normal(s)).astype(np.float32)).astype(getattr(mx, REALS[norm])) for n, s in vectors(c)}
        mx.save_safetensors(str(at / "model.safetensors"), t, metadata={"format": "pt"})
        (at / "config.json").write_text(json.dumps(c, indent=2))
        for f in tokenizer.glob("tokenizer*"):
            shutil.copy(f, at)


def convert(root):
    from mlx_lm import convert as mlx_convert
    for line in sys.stdin:
        model, kind, group = line.split()
        name, _, real = kind.partition("-")
        real = real or (name if name in REALS else "")
        args = {"dtype": REALS[real]} if real else {}
        if name.startswith("mixed"):
            args |= {"quantize": True, "quant_predicate": name, "q_group_size": int(group)}
        elif name in MODES:
            args |= {"quantize": True, "q_mode": name}
        elif name not in REALS:
            args |= {"quantize": True, "q_bits": int(name[0]), "q_group_size": int(group)}
        with contextlib.redirect_stdout(io.StringIO()):
            mlx_convert(str(root / model), mlx_path=str(root / "ref" / line.strip().replace(" ", ".")), **args)


def tensors(at):
    all = {}
    for f in sorted(at.glob("model*.safetensors")):
        all |= mx.load(str(f))
    return all


def raw(a):
    return a.dtype, tuple(a.shape), bytes(np.array(a.view(mx.uint8)))


def quantization(at):
    """Modules as they are stored, whether an entry says so or the default."""
    q = json.loads((at / "config.json").read_text()).get("quantization")
    if not q:
        return None
    rest = {k: q.get(k, "affine") for k in ("group_size", "bits", "mode")}
    modules = [n[: -len(".scales")] for n in tensors(at) if n.endswith(".scales")]
    return {m: {**rest, "mode": "affine", **q[m]} if isinstance(q.get(m), dict) else rest for m in modules}


def logits(at):
    from mlx_lm.utils import load_model
    model, _ = load_model(at, strict=True)
    return np.array(model(mx.array([list(range(3, 19))])).astype(mx.float32))


def plain_config(at):
    """The loader for Swift takes nothing else beside an entry's bits and group size."""
    q = json.loads((at / "config.json").read_text())
    return all(isinstance(v, dict) and isinstance(v["bits"], int) and isinstance(v["group_size"], int)
               for k, v in q.get("quantization", {}).items() if k not in ("bits", "group_size", "mode")) and q.get("quantization") == q.get("quantization_config")


def values(at):
    """Numbers of each quantized module, calculated in F32."""
    t, q = tensors(at), quantization(at)
    return {m: np.array(mx.dequantize(t[f"{m}.weight"], t[f"{m}.scales"].astype(mx.float32) if s["mode"] == "affine" else t[f"{m}.scales"],
                                      t[f"{m}.biases"].astype(mx.float32) if s["mode"] == "affine" else None, s["group_size"], s["bits"], s["mode"],
                                      dtype=mx.float32)) for m, s in (q or {}).items()}


def worse(root, case):
    """Modules in which the search lost; the sum of squared errors that is left, of mlx-lm's."""
    plain = root / "ref" / (case.split(".")[0] + ".f32.64")
    want, ours, theirs = tensors(plain), values(root / "search" / case), values(root / "ref" / case)
    bad, sums = [], [0.0, 0.0]
    for m, v in theirs.items():
        w = np.array(want[f"{m}.weight"]).astype(np.float64)
        a, b = ((ours[m] - w) ** 2).sum(), ((v - w) ** 2).sum()
        sums = [sums[0] + a, sums[1] + b]
        if a > b * (1 + 1e-6):
            bad.append(m)
    return bad, sums[0] / sums[1] if sums[1] else 1


tap = 0


def ok(good, label, why=""):
    global tap
    tap += 1
    print(f"{'ok' if good else 'not ok'} {tap} - {label}", flush=True)
    if not good and why:
        print(f"# {why}", flush=True)


def compare_case(root, case):
    ref, out, search = (root / d / case for d in ("ref", "out", "search"))
    a, b = tensors(out), tensors(ref)
    ok(a.keys() == b.keys(), f"mlx/{case}: names", f"{sorted(a.keys() ^ b.keys())[:4]}")
    bad = [n for n in a.keys() & b.keys() if raw(a[n]) != raw(b[n])]
    ok(not bad, f"mlx/{case}: every tensor to the byte", f"{bad[:4]}")
    ok(quantization(out) == quantization(ref), f"mlx/{case}: config.json stores each module alike")
    ok(plain_config(out), f"mlx/{case}: entries are whole, the same under both names")
    kind = case.split(".")[1]
    if kind in REALS and kind != "f32" and case.startswith(("qwen3_moe", "mixtral")):
        return # experts of 16 bits do not run on a processor
    want = logits(ref)
    ok(np.array_equal(logits(out), want, equal_nan=True), f"mlx/{case}: mlx-lm loads it, with the logits of its own")
    if kind in REALS:
        return
    got = logits(search)
    ok(got.shape == want.shape and np.isfinite(got).all(), f"mlx/{case}: mlx-lm loads what was searched for")
    bad, left = worse(root, case)
    ok(not bad, f"mlx/{case}: no tensor is worse; {left:.3f} of mlx-lm's squared error", f"{bad[:4]}")


def compare_awq(root):
    """mlx-lm's own loader of AWQ against what heft made of the same checkpoint: scales alike, but of zeros alone, and numbers but for the bias, which
    both round. All in F32: in F16 the processor rounds each sum."""
    import mlx.nn as nn
    from mlx_lm.utils import load_model
    theirs, ours = (load_model(root / "search" / d, strict=True)[0] for d in ("awq", "awq-mlx"))
    a, b = (dict(m.named_modules()) for m in (theirs, ours))
    names = [k for k, m in a.items() if isinstance(m, nn.QuantizedLinear)]
    number = lambda m: np.array(mx.dequantize(m.weight, m.scales, m.biases, m.group_size, m.bits))
    for m in (theirs, ours):
        m.set_dtype(mx.float32)
    other = [k for k in names if np.any((np.array(a[k].scales) != np.array(b[k].scales)) & (number(a[k]).reshape(*a[k].scales.shape, -1) != 0).any(-1))]
    ok(names and not other, "mlx/awq: scales are those that mlx-lm takes over", f"{other[:4]}")
    far = [k for k in names if np.abs(number(a[k]) - number(b[k])).max() > np.abs(np.array(a[k].biases)).max() * 2 ** -11]
    ok(not far, "mlx/awq: numbers are, but for the rounding of a bias", f"{far[:4]}")
    tokens = mx.array([list(range(3, 19))])
    x, y = (np.array(m(tokens).astype(mx.float32)) for m in (theirs, ours))
    ok(np.abs(x - y).max() <= 0.002 * np.abs(x).max(), "mlx/awq: so are the logits", f"{np.abs(x - y).max():g} of {np.abs(x).max():g}")


def compare(root):
    if (root / "search" / "awq-mlx").exists():
        compare_awq(root)
    for at in sorted((root / "out").iterdir()):
        try:
            compare_case(root, at.name)
        except Exception as e: # pylint: disable=broad-except
            ok(False, f"mlx/{at.name}: can be compared", f"{type(e).__name__}: {e}".replace("\n", " ")[:300])


if __name__ == "__main__":
    what, root = sys.argv[1], pathlib.Path(sys.argv[2])
    if what == "sources":
        sources(root, pathlib.Path(sys.argv[3]))
    else:
        (convert if what == "convert" else compare)(root)
