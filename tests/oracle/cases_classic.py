"""The families of 2019 to 2024 that are neither Llama nor Qwen: GPT-2 and its kin, Phi, Falcon, StarCoder, StableLM, OLMo, Granite, Command-R, MPT, BLOOM."""
import json

from make_checkpoint import NARROW, case

TINY = dict(NARROW, hidden_size=32, intermediate_size=64, num_hidden_layers=2)
GPT2ISH = dict(n_embd=32, n_layer=2, n_head=4, n_positions=128)
GPT2, = (("GPT2", {}),)


def config(**keys):
    """Keys of config.json, changed as no release of transformers writes them any more; None removes one."""
    def change(out):
        c = json.load(open(out + "/config.json"))
        c.update(keys)
        json.dump({k: v for k, v in c.items() if v is not None}, open(out + "/config.json", "w"), indent=1)
    return change


CASES = {
    "gpt2": case(GPT2, dict(GPT2ISH, n_ctx=128), tok="gpt2", model="LMHeadModel"),
    "gpt2-minimal": case(GPT2, dict(GPT2ISH, n_ctx=64), tok="gpt2", model="LMHeadModel", types="plain", spell="minimal", dtype="float32"),
    "gpt2-no-ctx": case(GPT2, GPT2ISH, tok="gpt2", model="LMHeadModel", types="plain", dtype="float16", fails="KeyError: 'n_ctx'"),
    "gpt2-untied": case(GPT2, dict(GPT2ISH, n_ctx=128), tok="gpt2", model="LMHeadModel", types="plain", tie_word_embeddings=False),
}
