"""What the libraries read in files that heft's tools wrote. Called by tests/oracle/tools; the exit status says whether it is so."""
import json
import os
import sys

import numpy as np

TYPES = [  # name of gguf-py, heft's word, value
    ("UINT8", "u8", 255), ("INT8", "i8", -128), ("UINT16", "u16", 65535), ("INT16", "i16", -32768), ("UINT32", "u32", 4294967295),
    ("INT32", "i32", -2147483648), ("UINT64", "u64", 18446744073709551615), ("INT64", "i64", -9223372036854775808),
    ("FLOAT32", "f32", 0.5), ("FLOAT64", "f64", 1e300), ("BOOL", "bool", True), ("STRING", "str", "a=b:c"),
]
ARRAYS = [("STRING", ["a", "", "ü"]), ("INT32", [1, -2]), ("UINT64", [1, 18446744073709551615]), ("FLOAT32", [0.5, 2.0]), ("BOOL", [True, False])]


def words():
    for name, word, value in TYPES:
        print("x.%s=%s:%s" % (name.lower(), word, json.dumps(value) if isinstance(value, bool) else value))
    for name, value in ARRAYS:
        print("x.list.%s=json:%s" % (name.lower(), json.dumps(value, separators=(",", ":"))))


def fields(path):
    from gguf import GGUFReader
    r = GGUFReader(path)
    return r, {f.name: ([t.name for t in f.types], f.contents()) for f in r.fields.values() if not f.name.startswith(("GGUF.", "split."))}


def typed(path):
    _, have = fields(path)
    for name, _, value in TYPES:
        assert have["x." + name.lower()] == ([name], value), have["x." + name.lower()]
    for name, value in ARRAYS:
        types, got = have["x.list." + name.lower()]
        assert types[:2] == ["ARRAY", name] and got == value, (types, got)


def same(path, other, new="-"):
    """Tensors, keys, types and values, but keys of parts and those that begin with `new`."""
    (a, keys_a), (b, keys_b) = fields(path), fields(other)
    keys_a = {k: v for k, v in keys_a.items() if not k.startswith(new)}
    assert keys_a == keys_b, {k for k in keys_a.keys() | keys_b.keys() if keys_a.get(k) != keys_b.get(k)}
    assert [t.name for t in a.tensors] == [t.name for t in b.tensors]
    for s, t in zip(a.tensors, b.tensors):
        assert s.tensor_type == t.tensor_type and list(s.shape) == list(t.shape) and s.data.tobytes() == t.data.tobytes(), s.name


def loaded(path):
    import torch
    from safetensors import safe_open
    with safe_open(path, "pt") as f:
        return {k: f.get_tensor(k).contiguous().view(torch.uint8).numpy().tobytes() for k in f.keys()}, f.metadata()


def noted(path, source, note):
    (have, keys), (want, old) = loaded(path), loaded(source)
    assert have == want and keys == dict(old or {}, note=note), keys


def parts(index, source):
    place = json.load(open(index))["weight_map"]
    have = {}
    for f in sorted(set(place.values())):
        tensors, _ = loaded(os.path.join(os.path.dirname(index), f))
        assert all(place[k] == f for k in tensors)
        have.update(tensors)
    assert have == loaded(source)[0]


def arrays(path, model):
    from gguf import dequantize
    r, _ = fields(model)
    with open(path, "rb") as f:
        for t in sorted(r.tensors, key=lambda t: t.data_offset):
            got = np.load(f)
            want = dequantize(t.data, t.tensor_type).reshape(got.shape)
            assert list(got.shape) == [int(d) for d in reversed(t.shape)] and np.array_equal(got, want.astype(got.dtype)), t.name
        assert not f.read(1)


def stored(path, model):
    r, _ = fields(model)
    assert open(path, "rb").read() == b"".join(t.data.tobytes() for t in sorted(r.tensors, key=lambda t: t.data_offset))


if __name__ == "__main__":
    {"words": words, "typed": typed, "same": same, "noted": noted, "parts": parts, "arrays": arrays, "bytes": stored}[sys.argv[1]](*sys.argv[2:])
