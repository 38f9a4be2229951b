"""Encoders: BERT and DistilBERT, RoBERTa, XLM-RoBERTa, ModernBERT, Nomic's and Jina's, with pooling and classification heads. Their tokenizers
are trained on a little text, so that the checkpoints are small."""
import functools
import glob
import json
import os

from make_checkpoint import case, randomize, respell

SIZE = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=130)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BERT_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def text():
    return open(ROOT + "/testdata/kjv-llama/calibration.txt", encoding="utf-8").read().split(". ")[:600] + ["Héllo wörld 日本語 ﬁne"] * 4


@functools.cache
def wordpiece():
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.train_from_iterator(text(), trainers.WordPieceTrainer(vocab_size=500, special_tokens=BERT_TOKENS, show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return t.to_str()


@functools.cache
def byte_bpe():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(text(), trainers.BpeTrainer(vocab_size=500, special_tokens=ROBERTA_TOKENS, show_progress=False,
                                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return t.to_str()


@functools.cache
def unigram():
    import io
    import sentencepiece
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(text()), model_writer=out, vocab_size=500, model_type="unigram", minloglevel=2)
    return out.getvalue()


@functools.cache
def unigram_json():
    import tempfile
    from transformers import AutoTokenizer
    with tempfile.TemporaryDirectory() as d:
        open(d + "/sentencepiece.bpe.model", "wb").write(unigram())
        json.dump(dict(model_type="xlm-roberta"), open(d + "/config.json", "w"))
        AutoTokenizer.from_pretrained(d).save_pretrained(d)
        return {f: open(f"{d}/{f}").read() for f in ("tokenizer.json", "tokenizer_config.json")}


def vocab_txt():
    v = json.loads(wordpiece())["model"]["vocab"]
    return "\n".join(sorted(v, key=v.get)) + "\n"


NAMED = dict(unk_token="[UNK]", sep_token="[SEP]", pad_token="[PAD]", cls_token="[CLS]", mask_token="[MASK]", tokenizer_class="BertTokenizer")
BERT = lambda: {"tokenizer.json": wordpiece(), "tokenizer_config.json": json.dumps(NAMED)}  # noqa: E731
LINES = lambda: {"vocab.txt": vocab_txt(), "tokenizer_config.json": json.dumps(NAMED)}  # noqa: E731
ROBERTA = lambda cls="PreTrainedTokenizerFast": {"tokenizer.json": byte_bpe(), "tokenizer_config.json": json.dumps(dict(  # noqa: E731
    tokenizer_class=cls, bos_token="<s>", eos_token="</s>", sep_token="</s>", cls_token="<s>", unk_token="<unk>", pad_token="<pad>",
    mask_token=dict(content="<mask>", lstrip=True, __type="AddedToken")))}
CLASS = lambda: ROBERTA("RobertaTokenizer")  # noqa: E731
SPM = lambda: {"sentencepiece.bpe.model": unigram(), "tokenizer_config.json": json.dumps(dict(bos_token="<s>", eos_token="</s>"))}  # noqa: E731
JSON = unigram_json


def write(out, files):
    for name, what in files.items():
        os.makedirs(os.path.dirname(f"{out}/{name}"), exist_ok=True)
        open(f"{out}/{name}", "wb").write(what if isinstance(what, bytes) else what.encode())


def pooling(mode, **own):
    return {"modules.json": json.dumps([dict(idx=0, path="", type="sentence_transformers.models.Transformer"),
                                        dict(idx=1, path="1_Pooling", type="sentence_transformers.models.Pooling")]),
            "1_Pooling/config.json": json.dumps({"word_embedding_dimension": 64, "pooling_mode_cls_token": mode == "cls",
                                                 "pooling_mode_mean_tokens": mode == "mean", "pooling_mode_max_tokens": False, **own})}


def model(cls, tokenizer, dtype="float32", spell="new", files={}, drop=(), change={}, rename=None, seed=1, minimal=(), **config):
    """A function that makes a checkpoint of a class of transformers; rename: of its tensors."""
    def make(out):
        import torch
        import transformers as T
        from safetensors.torch import load_file, save_file
        write(out, {**tokenizer(), **files})
        own = {**SIZE, "vocab_size": 512, **config}
        m = getattr(T, cls)(getattr(T, cls).config_class(**own))
        randomize(m, seed)
        m.to(getattr(torch, dtype)).save_pretrained(out)
        c = respell(json.load(open(out + "/config.json")), spell, {**own, **{k: 0 for k in minimal}}, dtype)
        c = {**{k: v for k, v in c.items() if k not in drop}, **change}
        json.dump(c, open(out + "/config.json", "w"), indent=1)
        if rename:
            f, = glob.glob(out + "/*.safetensors")
            save_file({rename(k): v for k, v in load_file(f).items()}, f, metadata={"format": "pt"})
    return make


def tensors(tokenizer, config, shapes, dtype="float32", files={}):
    """A function that makes a checkpoint whose class comes with its files."""
    def make(out):
        import torch
        from safetensors.torch import save_file
        write(out, {**tokenizer(), **files})
        g = torch.Generator().manual_seed(3)
        save_file({k: (torch.randn(v, generator=g) * 0.05).to(getattr(torch, dtype)) for k, v in shapes.items()}, out + "/model.safetensors",
                  metadata={"format": "pt"})
        json.dump(config, open(out + "/config.json", "w"), indent=1)
    return make


NOMIC = dict(architectures=["NomicBertModel"], model_type="nomic_bert", activation_function="swiglu", causal=False, qkv_proj_bias=False, mlp_fc1_bias=False,
             mlp_fc2_bias=False, prenorm=False, rotary_emb_fraction=1.0, rotary_emb_base=1000, rotary_emb_interleaved=False, rotary_emb_scale_base=None,
             n_embd=64, n_head=4, n_inner=128, n_layer=2, n_positions=8192, layer_norm_epsilon=1e-12, type_vocab_size=2, vocab_size=512)
SIZES = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128, max_position_embeddings=256)


def nomic(moe=False):
    t = {"embeddings.word_embeddings.weight": (512, 64), "embeddings.token_type_embeddings.weight": (2, 64), "emb_ln.weight": (64,), "emb_ln.bias": (64,)}
    for i in range(2):
        b, bias = f"encoder.layers.{i}.", moe
        names = {"attn.Wqkv": (192, 64), "attn.out_proj": (64, 64)}
        if not moe:
            names |= {"mlp.fc11": (128, 64), "mlp.fc12": (128, 64), "mlp.fc2": (64, 128)}
        elif i == 0:
            names |= {"mlp.fc1": (128, 64), "mlp.fc2": (64, 128)}
        else:
            t |= {b + "mlp.router.layer.weight": (4, 64), b + "mlp.experts.mlp.w1": (512, 64), b + "mlp.experts.mlp.w2": (512, 64), b + "mlp.experts.bias": (64,)}
        for n, shape in names.items():
            t[b + n + ".weight"] = shape
            if bias:
                t[b + n + ".bias"] = shape[:1]
        t |= {f"{b}norm{k}.{s}": (64,) for k in (1, 2) for s in ("weight", "bias")}
    return t


def jina(gated="gated_layers", norms=False):
    t = {"embeddings.word_embeddings.weight": (512, 64), "embeddings.token_type_embeddings.weight": (2, 64), "embeddings.LayerNorm.weight": (64,),
         "embeddings.LayerNorm.bias": (64,), "pooler.dense.weight": (64, 64), "pooler.dense.bias": (64,)}
    for i in range(2):
        b = f"encoder.layer.{i}."
        for n in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            t |= {b + n + ".weight": (64, 64), b + n + ".bias": (64,)}
        down = "mlp.down_layer" if gated == "up_gated_layer" else "mlp.wo"
        t |= {b + down + ".weight": (64, 128), b + down + ".bias": (64,)}
        if gated == "split":
            t |= {b + "mlp.gated_layers_v.weight": (128, 64), b + "mlp.gated_layers_w.weight": (128, 64)}
        else:
            t[f"{b}mlp.{gated}.weight"] = (256, 64)
        lns = ["attention.output.LayerNorm", "layer_norm_2" if norms else "mlp.layernorm"]
        if norms:
            lns += ["attention.self.layer_norm_q", "attention.self.layer_norm_k", "layer_norm_1"]
        t |= {f"{b}{n}.{s}": (64,) for n in lns for s in ("weight", "bias")}
    return t


JINA = dict(architectures=["JinaBertForMaskedLM"], model_type="bert", hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
            max_position_embeddings=8192, vocab_size=512, type_vocab_size=2, layer_norm_eps=1e-12, position_embedding_type="alibi", feed_forward_type="geglu")


def bert(name="", pre="jina-v2-en", types="plain", fails=None, **how):
    cls, tokenizer = how.pop("cls", "BertModel"), how.pop("tokenizer", BERT)
    return case(("", {}), {}, tok=None, types=types, make=model(cls, tokenizer, **how), pre=pre, fails=fails)


def raw(*args, pre=None, types="plain", fails=None, **how):
    return case(("", {}), {}, tok=None, types=types, make=tensors(*args, **how), pre=pre, fails=fails)


def gammas(name):
    return "bert." + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")


WIDE = dict(hidden_size=256, intermediate_size=512)
EPS = dict(layer_norm_eps=1e-5)  # as the published one has it; the runtime wants it
CASES = {
    "bert": bert(types="few", files=pooling("cls"), **WIDE),
    "bert-f16": bert(dtype="float16", files=pooling("mean"), spell="old"),
    "bert-bf16": bert(dtype="bfloat16", tokenizer=LINES, files=pooling("", pooling_mode="lasttoken")),
    "bert-gamma": bert(rename=gammas, cls="BertModel", tokenizer=LINES),
    "bert-minimal": bert(spell="minimal"),
    "bert-bare": bert(drop=["type_vocab_size", "layer_norm_eps", "id2label", "label2id", "pad_token_id", "hidden_act"]),
    "bert-masked": bert(cls="BertForMaskedLM", dtype="bfloat16"),
    "bert-labels": bert(cls="BertForSequenceClassification", id2label={i: f"name {i * 7 % 12}" for i in range(12)}, label2id={}),
    "bert-dummy-labels": bert(cls="BertForSequenceClassification"),
    "bert-one-label": bert(cls="BertForSequenceClassification", num_labels=1, dtype="float16"),
    "bert-num-labels": bert(cls="BertForSequenceClassification", num_labels=3, drop=["id2label", "label2id"], change=dict(num_labels=3)),
    "bert-unknown": bert(fails="BPE pre-tokenizer was not recognized"),
    "distilbert": bert(cls="DistilBertModel", dim=64, n_layers=2, n_heads=4, hidden_dim=128),
    "distilbert-masked": bert(cls="DistilBertForMaskedLM", dim=64, n_layers=2, n_heads=4, hidden_dim=128, dtype="float16", spell="minimal"),
    "roberta": bert(pre="roberta-bpe", cls="RobertaModel", tokenizer=ROBERTA, files=pooling("mean"), type_vocab_size=1),
    "roberta-labels": bert(pre="roberta-bpe", cls="RobertaForSequenceClassification", tokenizer=ROBERTA, dtype="bfloat16", id2label={0: "no", 1: "yes"}, label2id={}),
    "roberta-minimal": bert(pre="roberta-bpe", cls="RobertaModel", tokenizer=ROBERTA, spell="minimal", dtype="float16"),
    "roberta-no-pad": bert(pre="roberta-bpe", cls="RobertaModel", tokenizer=ROBERTA, change=dict(pad_token_id=None)),
    # the reference's transformers and its tokenizers do not fit together here
    "roberta-class": bert(pre="roberta-bpe", cls="RobertaModel", tokenizer=CLASS, fails="unexpected keyword argument 'cls'"),
    "xlm-roberta": bert(pre=None, cls="XLMRobertaModel", tokenizer=SPM, types="few", files=pooling("cls"), **WIDE),
    "xlm-roberta-json": bert(pre=None, cls="XLMRobertaModel", tokenizer=JSON, dtype="bfloat16"),
    "xlm-roberta-rerank": bert(pre=None, cls="XLMRobertaForSequenceClassification", tokenizer=JSON, num_labels=1, dtype="float16"),
    "xlm-roberta-minimal": bert(pre=None, cls="XLMRobertaModel", tokenizer=SPM, spell="minimal", type_vocab_size=1),
    "modernbert": bert(pre="modern-bert", change=EPS, cls="ModernBertModel", tokenizer=ROBERTA, types="few", files=pooling("cls"), pad_token_id=1, **WIDE),
    "modernbert-labels": bert(pre="modern-bert", change=EPS, cls="ModernBertForSequenceClassification", tokenizer=ROBERTA, pad_token_id=1, dtype="bfloat16",
                              classifier_pooling="mean", id2label={0: "a", 1: "b", 2: "c"}, label2id={}),
    "modernbert-rerank": bert(pre="modern-bert", change=EPS, cls="ModernBertForSequenceClassification", tokenizer=ROBERTA, pad_token_id=1, num_labels=1, dtype="float16"),
    "modernbert-old": bert(pre="modern-bert", cls="ModernBertModel", tokenizer=ROBERTA, pad_token_id=1, dtype="float16",
                           drop=["rope_parameters", "layer_types"], change=dict(EPS, global_rope_theta=80000.0, local_rope_theta=5000.0, global_attn_every_n_layers=3)),
    "modernbert-masked": bert(pre="modern-bert", change=EPS, cls="ModernBertForMaskedLM", tokenizer=ROBERTA, pad_token_id=1, dtype="bfloat16", fails="ValueError"),
    "modernbert-minimal": bert(pre="modern-bert", change=EPS, cls="ModernBertModel", tokenizer=ROBERTA, pad_token_id=1, spell="minimal"),
    "nomic-bert": raw(BERT, {**NOMIC, **SIZES}, nomic(), pre="jina-v2-en", files=pooling("mean")),
    "nomic-bert-own-keys": raw(BERT, {**NOMIC, "model_type": "nomic_bert_raw"}, nomic(), pre="jina-v2-en", dtype="float16"),
    "nomic-bert-moe": raw(JSON, {**NOMIC, **SIZES, "activation_function": "gelu", "qkv_proj_bias": True, "mlp_fc1_bias": True, "mlp_fc2_bias": True,
                                 "moe_every_n_layers": 2, "moe_top_k": 2, "num_experts": 4, "n_positions": 2048, "pad_token_id": 1}, nomic(True),
                          files=pooling("mean"), dtype="bfloat16"),
    "jina-bert-v2": raw(BERT, JINA, jina(), pre="jina-v2-en", files=pooling("mean")),
    "jina-bert-v2-split": raw(BERT, {**JINA, "architectures": ["JinaBertModel"]}, jina("split"), pre="jina-v2-en", dtype="bfloat16"),
    "jina-bert-v2-code": raw(CLASS, {**JINA, "type_vocab_size": 1}, jina("up_gated_layer", True), pre="jina-v2-code", dtype="float16",
                             fails="unexpected keyword argument 'cls'"),
}
