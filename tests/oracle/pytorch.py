"""Files that the real torch writes, in every layout and dtype, and what it reads back from them.

usage: pytorch.py make DIR      writes DIR/CASE.pt, DIR/CASE.args (of heft) and DIR/CASE.want (the values)
       pytorch.py compare DIR   CASE.want against CASE.have, heft's safetensors; TAP
"""
import collections
import glob
import io
import json
import os
import pickle
import struct
import sys
import tarfile
import warnings
import zipfile

import torch

warnings.filterwarnings("ignore")
SAFE = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32",
    torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.uint16: "U16", torch.uint32: "U32", torch.uint64: "U64",
    torch.bool: "BOOL", torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.float8_e4m3fnuz: "F8_E4M3FNUZ",
    torch.float8_e5m2fnuz: "F8_E5M2FNUZ", torch.float8_e8m0fnu: "F8_E8M0",
}


def bits(t):
    t = t.detach().cpu()
    if t.is_quantized:
        t = t.int_repr()
    t = t.contiguous().clone()
    return SAFE[t.dtype], list(t.shape), bytes(t.untyped_storage())[: t.numel() * t.element_size()]


def any_values(dtype, n=24):
    g = torch.Generator().manual_seed(n)
    raw = torch.randint(0, 256, (n * torch.empty(0, dtype=dtype).element_size(),), dtype=torch.uint8, generator=g)
    if dtype == torch.bool:
        raw = raw & 1
    return raw.view(dtype) if dtype != torch.bool else raw.to(torch.bool)


def tensors_of(o, prefix=""):
    found = {}
    items = o.items() if isinstance(o, dict) else enumerate(o) if isinstance(o, (list, tuple)) else []
    for k, v in items:
        name = f"{prefix}.{k}" if prefix else str(k)
        if isinstance(v, torch.Tensor):
            found[name] = v
        else:
            found.update(tensors_of(v, name))
    return found


def views():
    a = torch.arange(4 * 6, dtype=torch.float32).reshape(4, 6)
    b = torch.arange(2 * 3 * 4 * 5, dtype=torch.float16).reshape(2, 3, 4, 5)
    big = torch.arange(700 * 300, dtype=torch.float32).reshape(700, 300)
    return {
        "whole": a, "transposed": a.t(), "rows": a[1:3], "columns": a[:, 2:5], "stepped": a[::2, ::3], "last": a[3], "one": a[2, 4],
        "expanded": a[:1].expand(4, 6), "shared": a.view(6, 4), "b.whole": b, "permuted": b.permute(3, 1, 0, 2), "swapped": b.transpose(0, 3),
        "channels_last": b.contiguous(memory_format=torch.channels_last), "deep": b[1, :, 1:3, ::2], "empty": a[:0], "empty.wide": a[:, 6:],
        "scalar": torch.tensor(3.5), "ones": b[:1, :1].transpose(0, 1), "big": big, "big.transposed": big.t(), "big.stepped": big[::7, 1::2].t(),
        "int": torch.arange(10)[1::3], "parameter": torch.nn.Parameter(a.t()),
    }


def quantized():
    x = torch.randn(6, 8)
    return {
        "tensor": torch.quantize_per_tensor(x, 0.1, 3, torch.quint8),
        "signed": torch.quantize_per_tensor(x, 0.1, 0, torch.qint8),
        "wide": torch.quantize_per_tensor(x, 0.001, 0, torch.qint32),
        "channel": torch.quantize_per_channel(x, torch.rand(6) + 0.1, torch.zeros(6, dtype=torch.int64), 0, torch.qint8),
    }


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList([torch.nn.Linear(3, 5), torch.nn.Linear(5, 2)])
        self.norm = torch.nn.BatchNorm1d(2)
        self.register_buffer("table", torch.arange(12, dtype=torch.int64).reshape(3, 4).t())

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


def big_endian(path):
    """The archive as a big-endian machine would have written it."""
    src = zipfile.ZipFile(path)
    items = [(i.filename, src.read(i)) for i in src.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as z:
        for name, data in items:
            if name.endswith("/byteorder"):
                data = b"big"
            elif "/data/" in name:
                width = {"0": 4, "1": 2, "2": 8, "3": 1}[name.rsplit("/", 1)[1]]
                data = b"".join(data[i : i + width][::-1] for i in range(0, len(data), width))
            z.writestr(name, data)


def old_tar(path, values):
    """The layout before 0.2, as torch.serialization still reads it."""
    storages, tensors, ids = io.BytesIO(), io.BytesIO(), {}
    pickle.dump(len(values), storages, 2)
    pickle.dump(len(values), tensors, 2)
    for k, (name, t) in enumerate(values.items()):
        flat = torch.as_strided(t, (t.untyped_storage().nbytes() // t.element_size(),), (1,), 0)
        pickle.dump((100 + k, "cpu", getattr(torch, {torch.float32: "FloatStorage", torch.int64: "LongStorage"}[t.dtype])), storages, 2)
        storages.write(struct.pack("<q", flat.numel()) + bytes(flat.untyped_storage()))
        pickle.dump((k, 100 + k, type(t)), tensors, 2)
        tensors.write(struct.pack("<ii", t.dim(), 0) + struct.pack(f"<{t.dim()}q", *t.shape) + struct.pack(f"<{t.dim()}q", *t.stride()))
        tensors.write(struct.pack("<q", t.storage_offset()))
        ids[id(t)] = k
    pickle.dump([], storages, 2)
    out = io.BytesIO()

    class Pickler(pickle._Pickler):
        def persistent_id(self, o):
            return ids.get(id(o))

    Pickler(out, 2).dump(collections.OrderedDict(values))
    with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as tar:
        for name, data in (("sys_info", pickle.dumps({}, 2)), ("pickle", out.getvalue()), ("tensors", tensors.getvalue()), ("storages", storages.getvalue())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def write_want(path, want):
    """safetensors, without its library: some dtypes are newer than it."""
    header, data = {}, b""
    for name, t in want.items():
        dtype, shape, raw = t if isinstance(t, tuple) else bits(t)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    with open(path, "rb") as f:
        data = f.read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + n])
    header.pop("__metadata__", None)
    return {k: (v["dtype"], v["shape"], data[8 + n + v["data_offsets"][0] : 8 + n + v["data_offsets"][1]]) for k, v in header.items()}


def real_files():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../shared/data/models")
    for path in sorted(glob.glob(folder + "/*/*.pt") + glob.glob(folder + "/*/*.pth")):
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        yield path, tensors_of(loaded.get("model", loaded))
    for path in sorted(glob.glob(folder + "/*/*.jit")):
        yield path, dict(torch.jit.load(path, map_location="cpu").state_dict())


def make(folder):
    def put(name, values, want=None, args="", **options):
        path = f"{folder}/{name}.pt"
        torch.save(values, path, **options)
        done(name, want or tensors_of(torch.load(path, weights_only=False, map_location="cpu")), args)

    def done(name, want, args=""):
        write_want(f"{folder}/{name}.want", want)
        with open(f"{folder}/{name}.args", "w") as f:
            f.write(args)

    dtypes = {str(t).removeprefix("torch."): any_values(t) for t in SAFE}
    for layout, options in (("zip", {}), ("legacy", {"_use_new_zipfile_serialization": False})):
        untyped = ("float8", "uint16", "uint32", "uint64")  # torch cannot read these from its own legacy files
        put(f"{layout}-dtypes", {k: v for k, v in dtypes.items() if layout == "zip" or not k.startswith(untyped)}, **options)
        put(f"{layout}-views", views(), **options)
        put(f"{layout}-quantized", quantized(), **options)
        put(f"{layout}-module", Net().state_dict(), **options)
        net = Net().state_dict()
        nested = {"epoch": 3, "best": torch.tensor(0.5), "model": {"module": net}, "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}},
                  "args": {"lr": 1e-3, "betas": (0.9, 0.999), "tags": {"a", "b"}, "big": 2**80}}
        put(f"{layout}-nested", nested, net, **options)
        put(f"{layout}-key", nested, {"exp_avg": torch.ones(3)}, "--key optimizer.state.0", **options)
        put(f"{layout}-several", {"encoder": net, "decoder": [torch.ones(2), torch.zeros(3)], "step": 7}, **options)
        for protocol in (2, 3, 4, 5):
            put(f"{layout}-protocol-{protocol}", views(), pickle_protocol=protocol, **options)
    torch.serialization.set_crc32_options(False)
    put("zip-no-crc", views())
    torch.serialization.set_crc32_options(True)
    four = {"f": torch.randn(5, 4), "h": torch.randn(3, 4).half().t(), "l": torch.arange(6), "b": torch.arange(5, dtype=torch.uint8)}
    path = f"{folder}/zip-big-endian.pt"
    torch.save(four, path)
    big_endian(path)
    done("zip-big-endian", tensors_of(torch.load(path, weights_only=True)))
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    old_tar(f"{folder}/tar.pt", {"a": base, "t": base.t(), "row": base[2], "n": torch.arange(5)})
    done("tar", tensors_of(torch.load(f"{folder}/tar.pt", weights_only=False)))
    net = Net().eval()
    for name, script in (("script", torch.jit.script(net)), ("trace", torch.jit.trace(net, torch.randn(2, 3)))):
        torch.jit.save(script, f"{folder}/jit-{name}.pt")
        done(f"jit-{name}", dict(torch.jit.load(f"{folder}/jit-{name}.pt").state_dict()))
    for path, want in real_files():
        name = "real-" + os.path.basename(path)
        if not os.path.lexists(f"{folder}/{name}.pt"):
            os.symlink(path, f"{folder}/{name}.pt")
        done(name, want)
    refused(folder)
    directories(folder)
    meta(folder)


def refused(folder):
    """Files that heft must refuse, and with which code"""
    os.makedirs(f"{folder}/refused", exist_ok=True)

    def put(name, values, **options):
        torch.save(values, f"{folder}/refused/{name}.pt", **options)

    for t in (torch.complex64, torch.complex128, torch.complex32):
        put(f"E206-{str(t)[6:]}", {"a": torch.zeros(3, dtype=t)})
    put("E206-sparse", {"a": torch.eye(4).to_sparse()})
    put("E207-negated", {"a": torch.view_as_complex(torch.randn(4, 2)).conj().imag})
    put("E218-module", Net())
    put("E218-function", {"a": torch.ones(2), "f": os.getcwd})
    put("E203-no-tensors", {"a": 1})


def directories(folder):
    """kjv-llama as PyTorch files, one and several"""
    from safetensors.torch import load_file

    kjv = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../testdata/kjv-llama")
    values = load_file(kjv + "/model.safetensors")
    order = [k for k, v in sorted(read_header(kjv + "/model.safetensors").items(), key=lambda kv: kv[1]["data_offsets"])]
    values = collections.OrderedDict((k, values[k]) for k in order)
    os.makedirs(f"{folder}/dir-one", exist_ok=True)
    os.makedirs(f"{folder}/dir-shards", exist_ok=True)
    torch.save(values, f"{folder}/dir-one/pytorch_model.bin")
    half = len(order) // 2
    names = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    for name, part in zip(names, (order[:half], order[half:])):
        torch.save(collections.OrderedDict((k, values[k]) for k in part), f"{folder}/dir-shards/{name}")
    index = {"metadata": {"total_size": sum(v.nbytes for v in values.values())}, "weight_map": {k: names[i >= half] for i, k in enumerate(order)}}
    with open(f"{folder}/dir-shards/pytorch_model.bin.index.json", "w") as f:
        json.dump(index, f)


def meta(folder):
    """kjv-llama as Meta publishes Llama: names, interleaved heads, parts for tensor-parallel inference, params.json"""
    from safetensors.torch import load_file

    kjv = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../testdata/kjv-llama")
    config = json.load(open(kjv + "/config.json"))
    heads, kv_heads, dim = config["num_attention_heads"], config["num_key_value_heads"], config["hidden_size"]
    names = {"self_attn.q_proj": "attention.wq", "self_attn.k_proj": "attention.wk", "self_attn.v_proj": "attention.wv", "self_attn.o_proj": "attention.wo",
             "mlp.gate_proj": "feed_forward.w1", "mlp.down_proj": "feed_forward.w2", "mlp.up_proj": "feed_forward.w3",
             "input_layernorm": "attention_norm", "post_attention_layernorm": "ffn_norm", "model.embed_tokens": "tok_embeddings", "lm_head": "output"}
    whole = {}
    for name, t in load_file(kjv + "/model.safetensors").items():
        n = heads if "q_proj" in name else kv_heads
        if "q_proj" in name or "k_proj" in name:  # halves of each head become neighbours
            t = t.view(n, 2, t.shape[0] // n // 2, t.shape[1]).transpose(1, 2).reshape(t.shape)
        for a, b in names.items():
            name = name.replace(a, b)
        whole[name.removeprefix("model.")] = t
    whole["rope.freqs"] = torch.ones(4)
    by_rows = ("wq", "wk", "wv", "w1", "w3", "output")
    params = {"dim": dim, "n_layers": config["num_hidden_layers"], "n_heads": heads, "n_kv_heads": kv_heads, "norm_eps": config["rms_norm_eps"],
              "rope_theta": config.get("rope_theta", 10000.0), "vocab_size": -1, "multiple_of": 256}
    for name, parts, columns in (("meta-one", 1, True), ("meta-two", 2, True), ("meta-rows", 2, False), ("meta-four", 4, True)):
        os.makedirs(f"{folder}/{name}", exist_ok=True)
        json.dump(params, open(f"{folder}/{name}/params.json", "w"))
        for k in range(parts):
            part = {}
            for key, t in whole.items():
                stem = key.removesuffix(".weight").rsplit(".", 1)[-1]
                axis = 0 if stem in by_rows else 1 if stem in ("wo", "w2") else None
                axis = (1 if columns else 0) if stem == "tok_embeddings" else axis
                part[key] = t if axis is None else t.chunk(parts, axis)[k].clone()
            torch.save(part, f"{folder}/{name}/consolidated.{k:02}.pth", _use_new_zipfile_serialization=k % 2 == 0)


def read_header(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
    header.pop("__metadata__", None)
    return header


def compare(folder):
    n = 0
    for path in sorted(glob.glob(folder + "/*.want")):
        name = os.path.basename(path)[:-5]
        want = read_safetensors(path)
        try:
            have = read_safetensors(path[:-5] + ".have")
        except (OSError, struct.error) as e:
            have = {}
        if name.startswith(("jit", "real-silero")):  # a module has attributes beside its state dict
            have = {k: v for k, v in have.items() if k in want}
        bad = [k for k in want.keys() | have.keys() if want.get(k) != have.get(k)]
        n += 1
        print(f"{'not ok' if bad or not want else 'ok'} {n} - pytorch/{name}: {len(want)} tensors")
        for k in sorted(bad)[:5]:
            print(f"# {k}: want {str(want.get(k))[:80]}, have {str(have.get(k))[:80]}")


if __name__ == "__main__":
    {"make": make, "compare": compare}[sys.argv[1]](sys.argv[2])
