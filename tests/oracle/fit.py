#!/usr/bin/env python3
"""Checkpoints for tests/oracle/fit, and its comparison.

usage: fit.py make WORK TOKENIZERS CASE...     WORK/CASE/src and WORK/CASE/args, where they are not there
       fit.py compare WORK CONTEXT             lines "CASE TAB TYPE" on standard input: WORK/CASE/fit.gguf against WORK/CASE/fit-TYPE.json; TAP"""
import json
import os
import re
import subprocess
import sys

sys.path += filter(None, [os.environ.get("CLIENT_SITE")])
sys.dont_write_bytecode = True
MIB = 1 << 20


def make(work, tokenizers, names):
    import make_checkpoint
    import torch, sentencepiece, tokenizers as _, transformers.models.llama  # noqa: F401, E401
    failed = 0
    for name in names:
        d = os.path.join(work, name)
        if os.path.exists(d + "/args") and os.path.exists(d + "/src"):
            continue
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            try:
                make_checkpoint.build(name, d + "/src", tokenizers)
                case = make_checkpoint.CASES[name]
                open(d + "/args", "w").write("".join(a + "\n" for a in case["args"] + (["--pre", case["pre"]] if case["pre"] else [])))
                os._exit(0)
            except BaseException as e:
                print(f"{name}: {e!r}", flush=True)
                os._exit(1)
        failed += os.waitpid(pid, 0)[1] != 0
    return failed != 0


def layout(path, context, kv):
    """What the runtime logs; None and its error where it does not load the file. It is asked again where the log is cut off."""
    for _ in range(12):
        r = subprocess.run(["llama-fit-params", "-m", path, "-fitp", "on", "-v", "-c", context, "-fa", "on", "-ctk", kv, "-ctv", kv], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        log = r.stdout.decode(errors="replace")
        if "failed to load model" in log or re.search(r"^Host \d+ \d+ \d+", log, re.M) and "compute buffer size" in log:
            break
        if r.returncode < 0:
            return log + "\n E llama_model_load: llama-fit-params crashes\nfailed to load model"
    return log


def sizes(log, pattern):
    return [float(x) for x in re.findall(pattern + r" += +([\d.]+) MiB", log)]


def near(ours, theirs):
    """Within 2 %, and within what two digits of a MiB say."""
    return abs(ours / MIB - theirs) <= max(0.02 * theirs, 0.011)


def compare(work, context):
    n = 0
    for line in sys.stdin:
        name, kv = line.split()
        n += 1
        j = json.load(open(f"{work}/{name}/fit-{kv}.json"))
        if kv != "f16" and not j["cache"]["bytes"] - j["cache"]["state_bytes"]:
            print(f"ok {n} - {name}/{kv} # SKIP it keeps neither keys nor values", flush=True)
            continue
        log = layout(f"{work}/{name}/fit.gguf", context, kv)
        error = re.search(r" E llama_model_load: (.*)", log)
        if "failed to load model" in log:
            print(f"ok {n} - {name}/{kv} # SKIP the runtime: {error.group(1) if error else 'failed to load'}", flush=True)
            continue
        if not sizes(log, "file size") or not sizes(log, "compute buffer size"):
            print(f"not ok {n} - {name}/{kv}: llama-fit-params ends early", *log.splitlines()[-3:], sep="\n# ", flush=True)
            continue
        weights = next(r["weight_bytes"] for r in j["recipes"] if r["name"] == "f16")
        host = re.search(r"^Host \d+ (\d+) \d+", log, re.M)
        cache = sum(sizes(log, r"llama_kv_cache[a-z_0-9]*: size") + sizes(log, r"llama_memory_recurrent: size"))
        if "llama_kv_cache" not in log and "llama_memory_recurrent" not in log:
            cache = float(host.group(1)) if host else -1
        wrong = []
        for what, ours, theirs in [("weights", weights, sizes(log, "file size")[0]), ("cache", j["cache"]["bytes"], cache)]:
            if not near(ours, theirs):
                wrong.append(f"{what}: heft {ours / MIB:.2f} MiB, llama.cpp {theirs:.2f} MiB")
        compute = sum(sizes(log, "compute buffer size"))
        if not j["compute"]["least"] <= compute * MIB * 1.001 or not compute * MIB <= j["compute"]["most"] * 1.001:
            wrong.append(f"computing: heft {j['compute']['least'] / MIB:.2f} to {j['compute']['most'] / MIB:.2f} MiB, llama.cpp {compute:.2f} MiB")
        print(f"{'not ok' if wrong else 'ok'} {n} - {name}/{kv}: {cache:.2f} MiB of cache", flush=True)
        for w in wrong:
            print("# " + w, flush=True)


def main():
    if sys.argv[1] == "make":
        return make(sys.argv[2], sys.argv[3], sys.argv[4:])
    return compare(sys.argv[2], sys.argv[3])


if __name__ == "__main__":
    sys.exit(main())
