"""T5 and its kind: checkpoints by transformers' classes, with a small Unigram model such as T5's."""
import glob
import io
import json
import os

from make_checkpoint import case, randomize, respell

SIZES = dict(d_model=64, d_kv=16, d_ff=128, num_layers=3, num_decoder_layers=2, num_heads=4, decoder_start_token_id=0)
EXTRA = 6


def tokenizer(out, name, **options):
    """<pad> </s> <unk> first, no beginning of a text; the extra ids stand behind the model."""
    import sentencepiece
    words = "the and of a in that he shall unto for i his lord they be is him not them it with all thou thy was god which my me said but ye".split()
    text = [" ".join(words[(i * k + k * k) % len(words)] for k in range(1, 14)) for i in range(400)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_writer=model, **{**dict(
            model_type="unigram", vocab_size=90, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False, num_threads=1, minloglevel=2), **options})
    open(f"{out}/{name}", "wb").write(model.getvalue())
    n = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()).vocab_size()
    json.dump({f"<extra_id_{EXTRA - 1 - i}>": n + i for i in range(EXTRA)}, open(out + "/added_tokens.json", "w"))
    json.dump(dict(eos_token="</s>", unk_token="<unk>", pad_token="<pad>", extra_ids=EXTRA, tokenizer_class="T5Tokenizer"),
              open(out + "/tokenizer_config.json", "w"))
    return n + EXTRA


def made(cls, model="ForConditionalGeneration", name="spiece.model", dtype="bfloat16", spell="new", then=None, options=None, **config):
    def make(out):
        import torch
        import transformers as T
        values = {**SIZES, **config}
        values["vocab_size"] = tokenizer(out, name, **(options or {})) + 10
        m = getattr(T, cls + model)(getattr(T, cls + "Config")(**values))
        randomize(m, sum(map(ord, cls)))
        m.to(getattr(torch, dtype)).save_pretrained(out, max_shard_size="1GB")
        for f in glob.glob(out + "/generation_config.json"):
            os.remove(f)
        j = respell(json.load(open(out + "/config.json")), spell, values, dtype)
        json.dump(j, open(out + "/config.json", "w"), indent=1)
        if then:
            then(out)
    return case(("", {}), {}, tok=None, make=make, types="plain")


def shared_thrice(out):
    """As older releases saved it: the embeddings under all three names."""
    from safetensors.torch import load_file, save_file
    t = load_file(out + "/model.safetensors")
    for name in ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"):
        t[name] = t["shared.weight"].clone()
    save_file(t, out + "/model.safetensors", metadata={"format": "pt"})


CASES = {
    "t5": made("T5", d_model=256, d_kv=64, d_ff=512),
    "t5-gated": made("T5", feed_forward_proj="gated-gelu", name="tokenizer.model", dtype="float16", n_positions=512),
    "t5-old": made("T5", spell="old", dtype="float32", then=shared_thrice),
    "t5-minimal": made("T5", spell="minimal", num_decoder_layers=3),
    "t5-bpe": made("T5", name="tokenizer.model", options=dict(model_type="bpe", vocab_size=160)),
    "t5-encoder": made("T5", model="EncoderModel"),
    "t5-mt5": made("MT5", feed_forward_proj="gated-gelu"),
    "t5-umt5": made("UMT5", feed_forward_proj="gated-gelu"),
}
