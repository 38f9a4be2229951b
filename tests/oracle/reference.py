#!/usr/bin/env python3
"""Makes checkpoints and the reference's files for them: convert_hf_to_gguf --outtype O, then llama-quantize TYPE.

usage: reference.py WORK TOKENIZERS CASE...     WORK/CASE/src: the checkpoint; WORK/CASE/ref: OUTTYPE.gguf, OUTTYPE-TYPE.gguf
       reference.py --made WORK CASE...         the checkpoints stand in WORK/CASE/src already; every type
PRE=NAME in the environment: the pre-tokenizer of a BPE tokenizer that the converter's hashes do not know.
A case that stands already (WORK/CASE/ready) is kept. Python starts once; each case runs in a forked child."""
import importlib.util
import os
import pkgutil
import subprocess
import sys
import traceback

sys.path += filter(None, [os.environ.get("CLIENT_SITE")])  # mistral-common, where a case needs it
import make_checkpoint

sys.dont_write_bytecode = True
SCRIPT = "/usr/share/doc/llama.cpp-tools/scripts/convert_hf_to_gguf.py"
ALL = """Q2_K Q2_K_S Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 F16 BF16 F32""".split()
FEW = "Q2_K Q3_K_M Q4_K_M Q5_K_M Q6_K Q8_0 Q4_0 F16".split()
PLAIN = {"auto": ["Q4_K_M"], "f32": []}
BARE = {"auto": [], "f32": []}
EACH = {**BARE, "f16": [], "bf16": [], "q8_0": []}
SHORT = bool(os.environ.get("SHORT"))  # of all cases but two the file that users make most; another run makes the rest
WHOLE = ("llama", "mixtral")
VIA = {"bf16": ["Q4_K_M", "Q8_0", "F16"], "f16": ["Q4_K_M", "Q5_1", "BF16"], "f32": ["Q4_K_M", "Q4_0", "F16", "Q6_K"]}


def load_converter():
    spec = importlib.util.spec_from_file_location("convert_hf_to_gguf", SCRIPT)
    m = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(m)
    import conversion
    for family in pkgutil.iter_modules(conversion.__path__):  # each case's child would import them
        importlib.import_module("conversion." + family.name)
    if os.environ.get("PRE"):
        from conversion.base import TextModel
        TextModel.get_vocab_base_pre = lambda self, tokenizer: os.environ["PRE"]
    return m


def in_child(f, log):
    """Runs f in a forked child whose output goes to a file. True where it worked."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        try:
            f()
            sys.stdout.flush()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def name_pre(tokenizer, pre):
    """Kimi's name is that of its own class: what transformers makes of the file without the code beside it splits in another way."""
    if pre == "kimi-k2" and not hasattr(tokenizer, "mergeable_ranks"):
        raise NotImplementedError(pre)
    return pre


def convert(converter, src, out, outtype, args=(), pre=None):
    if pre:
        from conversion.base import TextModel
        TextModel.get_vocab_base_pre = lambda self, tokenizer: name_pre(tokenizer, pre)
    sys.argv = ["convert_hf_to_gguf", src, "--outtype", outtype, "--outfile", out, *args]
    converter.main()


def kinds_of(name, types, big):
    """Of a case, the converter's outtypes, and what llama-quantize makes of each."""
    if SHORT and name not in WHOLE:
        return {"auto": [], "q8_0": []} if types == "each" else {"auto": [] if types == "bare" else ["Q4_K_M"]}
    kinds = {"plain": PLAIN, "bare": BARE, "each": EACH}.get(types) or {"auto": ALL if types == "all" else FEW, **VIA}
    return {outtype: of for outtype, of in kinds.items() if not (big and outtype == "f32")}


def trust_bos():
    """transformers 5 reads no add_bos_token of a tokenizer of DeepSeek's, on which the converter of V3.2 insists: one case has it say so, for
    all others it is what tokenizer_config.json says."""
    from conversion.deepseek import DeepseekV32Model
    DeepseekV32Model.set_vocab = lambda self: self._set_vocab_gpt2()


def quantize(log, src, out, kind, *options):
    """False where the tool failed for another reason than that it will not make this type without an importance matrix (Q2_K_S)."""
    r = subprocess.run(["llama-quantize", *options, src, out, kind, "2"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with open(log, "ab") as f:
        f.write(r.stdout)
    if r.returncode and os.path.exists(out):
        os.remove(out)
    return r.returncode == 0 or b"requires an importance matrix" in r.stdout


def loading(d, args):
    """What reads WORK/CASE/ref/fails.gguf; a projector file beside the language model in text.gguf."""
    if "--mmproj" in args:
        return [["llama-mtmd-cli", "-m", d + "/ref/text.gguf", "--mmproj", d + "/ref/fails.gguf", "--image", d + "/src/eye.png", "-p", "x", "-n", "1",
                 "--chat-template", "vicuna"]]
    return [["llama-completion", "-m", d + "/ref/fails.gguf", "-p", "x", "-n", "1", "-no-cnv"],
            ["llama-bench", "-m", d + "/ref/fails.gguf", "-p", "1", "-n", "0", "-r", "1"]]


def fails_so(f, log, why, d, args):
    """A checkpoint that the reference cannot convert, or to a file that its runtime cannot load: its error must be the one that the case names.
    Leaves WORK/CASE/fails."""
    def said():
        return why in open(log, errors="replace").read()
    tools = loading(d, args) * 20 if in_child(f, log) else []
    while tools and not said():  # a tool may end before its log is written: it is asked again
        with open(log, "ab") as out:
            subprocess.run(tools.pop(0), stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    if not said():
        return False
    for mark in ["fails", "ready"]:
        open(f"{d}/{mark}", "w").write(why + "\n")
    return True


def reference(converter, name, work, tokenizers):
    d = os.path.join(work, name)
    src, ref, log = d + "/src", d + "/ref", d + "/log"
    if os.path.exists(d + "/ready") and (SHORT or open(d + "/ready").read() != "short"):
        return True
    for old in [ref, log] + ([src] if tokenizers else []):
        subprocess.run(["rm", "-rf", old])
    os.makedirs(ref)
    if tokenizers and not in_child(lambda: make_checkpoint.build(name, src, tokenizers), log):
        return False
    case = make_checkpoint.CASES[name] if tokenizers else dict(types="all", fails=None, args=[], pre=None)
    types = case["types"]
    open(d + "/args", "w").write("".join(a + "\n" for a in case["args"] + (["--pre", case["pre"]] if case["pre"] else [])))
    if case["fails"]:
        if "--mmproj" in case["args"]:
            in_child(lambda: convert(converter, src, ref + "/text.gguf", "f16"), log)
        pre = None if "pre-tokenizer" in case["fails"] else case["pre"]  # where that is what it fails on, nobody helps it
        return fails_so(lambda: convert(converter, src, ref + "/fails.gguf", "auto", case["args"], pre), log, case["fails"], d, case["args"])
    big = types in ("plain", "bare") and case["tok"] not in (None, "kjv-llama")  # a large vocabulary takes seconds each time
    for outtype, kinds in kinds_of(name, types, big).items():
        plain = f"{ref}/{outtype}.gguf"
        if not in_child(lambda: (trust_bos(), convert(converter, src, plain, outtype, case["args"], case["pre"])), log):
            return False
        for kind in kinds:
            if not quantize(log, plain, f"{ref}/{outtype}-{kind}.gguf", kind):
                return False
    open(d + "/ready", "w").write("short" if SHORT else "")
    return True


def main():
    made = sys.argv[1] == "--made"
    work, tokenizers, names = (sys.argv[2], None, sys.argv[3:]) if made else (sys.argv[1], sys.argv[2], sys.argv[3:])
    converter = load_converter()
    make_checkpoint.preload()
    failed = 0
    for name in names:
        ok = reference(converter, name, work, tokenizers)
        failed += not ok
        print(f"{name}: {'ready' if ok else 'the reference failed, see its log'}", flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
