"""Runs inside the oracle: the reference's bytes for the files that tests/oracle/encodings made, compared and digested."""
import ctypes, glob, sys
import numpy as np

COLS, PER_KIND = 512, 8
IDS = dict(f16=1, bf16=30, q4_0=2, q4_1=3, q5_0=6, q5_1=7, q8_0=8, q2_k=10, q3_k=11, q4_k=12, q5_k=13, q6_k=14, iq4_nl=20,
           iq1_s=19, iq1_m=29, iq2_xxs=16, iq2_xs=17, iq2_s=22, iq3_xxs=18, iq3_s=21,
           q8_1=9, q8_k=15, iq4_xs=23, tq1_0=34, tq2_0=35, mxfp4=39, nvfp4=40, q1_0=41, q2_0=42)
NEEDS_WEIGHTS = {"iq1_s", "iq2_xxs", "iq2_xs"}  # without, ours takes 1 for each column
ROW = {9: "quantize_row_q8_1_ref", 15: "quantize_row_q8_K_ref"}  # types that files may hold but llama-quantize does not make

base = ctypes.CDLL(glob.glob("/usr/lib/*/libggml-base.so.0")[0])
base.ggml_row_size.restype = base.ggml_quantize_chunk.restype = ctypes.c_size_t
base.ggml_version.restype = ctypes.c_char_p


def quantize(kind, x, weights):
    rows = x.size // COLS
    size = base.ggml_row_size(kind, ctypes.c_int64(COLS))
    out = np.zeros((rows, size), np.uint8)
    if kind in ROW:
        getattr(base, ROW[kind])(x.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(x.size))
        return out
    w = weights.ctypes.data_as(ctypes.c_void_p) if weights is not None else None
    for r in range(rows):  # a row at a time: nothing of one may reach another
        base.ggml_quantize_chunk(kind, x[r].ctypes.data_as(ctypes.c_void_p), out[r].ctypes.data_as(ctypes.c_void_p),
                                 ctypes.c_int64(0), ctypes.c_int64(1), ctypes.c_int64(COLS), w)
    return out


def dequantize(name, data):
    out = np.zeros((data.shape[0], COLS), np.float32)
    if name == "f16":
        return data.view(np.float16).astype(np.float32)
    if name == "bf16":
        return (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    if name == "q8_1":
        blocks = data.reshape(-1, 36)
        d = blocks[:, :2].copy().view(np.float16).astype(np.float32)
        return (d * blocks[:, 4:].view(np.int8).astype(np.float32)).reshape(out.shape)
    function = getattr(base, "dequantize_row_" + name.replace("_k", "_K"))
    function(data.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(out.size))
    return out


def refined(name, want):
    """Rows of --effort high that the reference reads otherwise than we do, or with more error than its own."""
    bad = 0
    for what, ours, w in ("plain", "refined", 1.0), ("weighted", "refined-weighted", importance.astype(np.float64)):
        data = np.fromfile("%s/%s.%s" % (folder, name, ours), np.uint8).reshape(want[what].shape)
        numbers = dequantize(name, data)
        if what == "plain":
            back = np.fromfile("%s/%s.refined-back" % (folder, name), np.float32).reshape(numbers.shape)
            bad += int((numbers != back).any(axis=1).sum())
        with np.errstate(all="ignore"):
            errors = [(w * (rows.astype(np.float64) - y) ** 2).sum(axis=1) for y in (dequantize(name, want[what]), numbers)]
        worse = np.nonzero(errors[1] > errors[0] * (1 + 1e-12))[0]
        for r in worse[:4]:
            print("%s %s: %s row %d is worse: %g, was %g" % (name, ours, kinds[r // PER_KIND], r % PER_KIND, errors[1][r], errors[0][r]))
        bad += len(worse)
    return bad


def fnv(data):
    h = 0xcbf29ce484222325
    for b in data.tobytes():
        h = (h ^ b) * 0x100000001b3 & 0xffffffffffffffff
    return h


folder, types = sys.argv[1], sys.argv[2:]
rows = np.fromfile(folder + "/rows", np.float32).reshape(-1, COLS)
noise = np.fromfile(folder + "/noise", np.float32).reshape(-1, COLS)
importance = np.fromfile(folder + "/importance", np.float32)
kinds = open(folder + "/kinds").read().split()
failures = compared = 0
with open(folder + "/digests", "w") as digests:
    digests.write("# ggml %s: type, kind of rows, digests of plain bytes, of weighted bytes, of the plain bytes decoded\n"
                  % base.ggml_version().decode())
    for name in types:
        none = np.ones(COLS, np.float32) if name in NEEDS_WEIGHTS else None
        plain = quantize(IDS[name], rows, none)
        want = {"plain": plain, "weighted": quantize(IDS[name], rows, importance), "back": dequantize(name, plain),
                "noise": quantize(IDS[name], noise, none), "noise-weighted": quantize(IDS[name], noise, importance)}
        for what, ref in want.items():
            ref = ref.view(np.uint8).reshape(len(ref), -1)
            got = np.fromfile("%s/%s.%s" % (folder, name, what), np.uint8).reshape(len(ref), -1)
            want[what] = ref
            bad = np.nonzero((ref != got).any(axis=1))[0]
            compared += ref.size
            for r in bad[:4]:
                at = np.nonzero(ref[r] != got[r])[0]
                print("%s %s: %s row %d differs at %d bytes, first %d: got %d, want %d" %
                      (name, what, "noise" if "noise" in what else kinds[r // PER_KIND], r % PER_KIND, len(at), at[0], got[r][at[0]], ref[r][at[0]]))
            failures += len(bad)
        failures += refined(name, want)
        for k, kind in enumerate(kinds):
            part = slice(k * PER_KIND, (k + 1) * PER_KIND)
            digests.write("%s %s %016x %016x %016x\n" % (name, kind, *(fnv(want[w][part]) for w in ("plain", "weighted", "back"))))
print("%d bytes of %d types compared with ggml %s, %d rows differ" %
      (compared, len(types), base.ggml_version().decode(), failures))
sys.exit(failures != 0)
