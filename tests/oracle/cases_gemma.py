"""Gemma 1 to 4 and EmbeddingGemma: checkpoints by transformers' classes, with a small SentencePiece model such as Gemma's: byte fallback, no
prefix, <pad> <eos> <bos> <unk> first, symbols of the user's; as tokenizer.model, or as the tokenizer.json that transformers saves of one."""
import glob
import io
import json
import os

from make_checkpoint import NARROW, case, extra_files, randomize, respell

SIZES = dict(NARROW, head_dim=16)
KJV = dict(bos_token_id=1, eos_token_id=2, pad_token_id=0)
GEMMA, GEMMA2 = ("Gemma", KJV), ("Gemma2", KJV)
SYMBOLS = ["<mask>", "[multimodal]", "<unused0>", "<unused1>", "<start_of_turn>", "<end_of_turn>", "\n", "\n\n", "▁▁", "▁▁▁", "<table>"]
CONTROL = ["<start_of_image>", "<end_of_image>"]
VOCAB = 384


def train():
    """A SentencePiece model with the settings of Gemma's."""
    import sentencepiece
    words = "the and of a in that he shall unto for i his lord they be is him not them it with all thou thy was god which my me said but ye".split()
    text = [" ".join(words[(i * k + k * k) % len(words)] for k in range(1, 14)) for i in range(400)] + ["größe été 12 345"]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_writer=model, model_type="bpe", vocab_size=VOCAB - 8, byte_fallback=True, pad_id=0, eos_id=1, bos_id=2, eos_piece="<eos>", bos_piece="<bos>",
        unk_id=3, user_defined_symbols=SYMBOLS, control_symbols=CONTROL, add_dummy_prefix=False, remove_extra_whitespaces=False,
        normalization_rule_name="identity", split_digits=True, hard_vocab_limit=False, num_threads=1, minloglevel=2)
    return model.getvalue()


def as_json(model, added):
    """What transformers' GemmaTokenizer saves of a SentencePiece model."""
    import sentencepiece
    sp = sentencepiece.SentencePieceProcessor(model_proto=model)
    vocab = {sp.id_to_piece(i): i for i in range(sp.vocab_size())}
    plain = [p for p, i in vocab.items() if not (sp.is_control(i) or sp.is_byte(i) or sp.is_unknown(i)) and p not in SYMBOLS]
    merges = [[p[:k], p[k:]] for p in plain for k in range(1, len(p)) if p[:k] in vocab and p[k:] in vocab]
    return dict(
        version="1.0", truncation=None, padding=None,
        added_tokens=[dict(id=i, content=t, single_word=False, lstrip=False, rstrip=False, normalized=False, special=special)
                      for t, i, special in added],
        normalizer=dict(type="Replace", pattern=dict(String=" "), content="▁"),
        pre_tokenizer=dict(type="Split", pattern=dict(String=" "), behavior="MergedWithPrevious", invert=False),
        post_processor=dict(type="TemplateProcessing",
                            single=[dict(SpecialToken=dict(id="<bos>", type_id=0)), dict(Sequence=dict(id="A", type_id=0))],
                            pair=[dict(SpecialToken=dict(id="<bos>", type_id=0)), dict(Sequence=dict(id="A", type_id=0)),
                                  dict(SpecialToken=dict(id="<bos>", type_id=1)), dict(Sequence=dict(id="B", type_id=1))],
                            special_tokens={"<bos>": dict(id="<bos>", ids=[2], tokens=["<bos>"])}),
        decoder=dict(type="Sequence", decoders=[dict(type="Replace", pattern=dict(String="▁"), content=" "), dict(type="ByteFallback"),
                                                dict(type="Fuse")]),
        model=dict(type="BPE", dropout=None, unk_token="<unk>", continuing_subword_prefix=None, end_of_word_suffix=None, fuse_unk=True,
                   byte_fallback=True, ignore_merges=False, vocab=vocab, merges=merges))


def tokenizer(out, files, extra=()):
    """files: 'model', 'json', or both; extra: texts of special tokens behind the model's."""
    import sentencepiece
    model = train()
    sp = sentencepiece.SentencePieceProcessor(model_proto=model)
    n = sp.vocab_size()
    fixed = [("<pad>", 0, True), ("<eos>", 1, True), ("<bos>", 2, True), ("<unk>", 3, True)]
    added = fixed + [(s, sp.piece_to_id(s), s.startswith("<")) for s in SYMBOLS + CONTROL] + [(t, n + i, True) for i, t in enumerate(extra)]
    if "model" in files:
        open(out + "/tokenizer.model", "wb").write(model)
    if "json" in files:
        json.dump(as_json(model, added), open(out + "/tokenizer.json", "w", encoding="utf-8"), ensure_ascii=False)
    decoder = {str(i): dict(content=t, lstrip=False, normalized=False, rstrip=False, single_word=False, special=special) for t, i, special in added}
    json.dump(dict(tokenizer_class="GemmaTokenizer", add_bos_token=True, add_eos_token=False, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>",
                   unk_token="<unk>", mask_token="<mask>", added_tokens_decoder=decoder, chat_template="{{ bos_token }}{{ messages }}"),
              open(out + "/tokenizer_config.json", "w"))
    return n + len(extra)


def made(config, model, text=None, outer=None, files="model", extra=(), dtype="bfloat16", spell="new", change=None, then=None, extras=(), **options):
    """A case's make function. text: the text configuration's values; outer: the values around it, where the configuration is nested;
    change: a function of config.json's root; then: one of the folder."""
    def make(out):
        import torch
        import transformers as T
        vocab = tokenizer(out, files, extra)
        text_values = {"vocab_size": vocab, **(text or {})}
        values = text_values if outer is None else {**outer, "text_config": text_values}
        m = getattr(T, model)(getattr(T, config)(**values))
        randomize(m, sum(map(ord, model)))
        m.to(getattr(torch, dtype)).save_pretrained(out, max_shard_size="1GB")
        for f in glob.glob(out + "/generation_config.json"):
            os.remove(f)
        j = json.load(open(out + "/config.json"))
        if outer is None:
            j = respell(j, spell, text_values, dtype)
        elif spell != "new":
            j["text_config"] = respell(j["text_config"], spell, text_values, dtype)
        if change:
            change(j)
        json.dump(j, open(out + "/config.json", "w"), indent=1)
        extra_files(dict(extras=extras), out)
        if then:
            then(out)
    return case(("", {}), {}, tok=None, make=make, types="plain", **options)


def old_rope(j):
    """Two sets of rotary parameters as the first releases of Gemma 3 spelt them."""
    for c in (j, j.get("text_config", {})):
        if "layer_types" in c:
            c["rope_theta"], c["rope_local_base_freq"], c["sliding_window_pattern"] = 1000000.0, 10000.0, 6
            c["rope_scaling"] = dict(factor=8.0, rope_type="linear")
            del c["layer_types"]


def given_window(j):
    """As published: the whole window, where transformers saves half of it."""
    j["sliding_window"] = 64


def dense_modules(out):
    """The folders of sentence-transformers: mean pooling, then 64 -> 256 -> 64 features."""
    import torch
    from safetensors.torch import save_file
    parts = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Dense", "Dense"), ("3", "3_Dense", "Dense"), ("4", "4_Normalize", "Normalize")]
    json.dump([dict(idx=int(n), name=n, path=path, type="sentence_transformers.models." + kind) for n, path, kind in parts], open(out + "/modules.json", "w"))
    for _, path, _ in parts[1:]:
        os.makedirs(out + "/" + path)
    json.dump(dict(word_embedding_dimension=64, pooling_mode_cls_token=False, pooling_mode_mean_tokens=True), open(out + "/1_Pooling/config.json", "w"))
    for path, rows, cols in [("2_Dense", 256, 64), ("3_Dense", 64, 256)]:
        json.dump(dict(in_features=cols, out_features=rows, bias=False, activation_function="torch.nn.modules.linear.Identity"),
                  open(f"{out}/{path}/config.json", "w"))
        g = torch.Generator().manual_seed(rows)
        save_file({"linear.weight": torch.randn(rows, cols, generator=g) * 0.02}, f"{out}/{path}/model.safetensors")


def nested(cls, model_type):
    """The same as the text part of a model that sees and hears, whose own class needs more than transformers to be made."""
    def then(out):
        import torch
        from safetensors.torch import load_file, save_file
        text = json.load(open(out + "/config.json"))
        text.pop("architectures")
        json.dump(dict(architectures=[cls], model_type=model_type, text_config=text, image_token_id=5, eos_token_id=[1, 8]), open(out + "/config.json", "w"))
        tensors = {k.replace("model.", "model.language_model.", 1): v for k, v in load_file(out + "/model.safetensors").items()}
        for name in ["vision_tower.encoder.layers.0.self_attn.q_proj.linear.weight", "audio_tower.layers.0.norm_out.weight",
                     "embed_vision.embedding_projection.weight", "embed_audio.embedding_projection.weight"]:
            tensors["model." + name] = torch.ones(4, 4, dtype=torch.bfloat16)
        save_file(tensors, out + "/model.safetensors", metadata={"format": "pt"})
        json.dump(dict(suppress_tokens=[5, 7], top_k=64, top_p=0.95), open(out + "/generation_config.json", "w"))
    return then


TEXT3 = dict(SIZES, sliding_window=64, num_hidden_layers=7)
EMBEDDING = dict(TEXT3, use_bidirectional_attention=True)
VISION3 = dict(vision_config=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14),
               mm_tokens_per_image=4)
TEXT4 = dict(SIZES, head_dim=16, global_head_dim=32, num_hidden_layers=7, sliding_window=64, hidden_size_per_layer_input=16,
             vocab_size_per_layer_input=380)
MOE4 = dict(enable_moe_block=True, num_experts=4, top_k_experts=2, moe_intermediate_size=32)
TEXT3N = dict(SIZES, num_hidden_layers=7, sliding_window=64, num_kv_shared_layers=2, laurel_rank=8, hidden_size_per_layer_input=16,
              vocab_size_per_layer_input=360, activation_sparsity_pattern=[0.95, 0.5, 0.9, 0.0, 0.0, 0.3, 0.7])
MARKS = ["<|channel>", "<channel|>", "<|tool_call>", "<turn|>"]


def gemma4(text=TEXT4, **more):
    return made("Gemma4TextConfig", "Gemma4ForCausalLM", text, files="json", extra=MARKS, **more)


CASES = {
    "gemma": case(GEMMA, SIZES, types="few"),
    "gemma-old": case(GEMMA, SIZES, spell="old", dtype="float16", types="plain", extras=("generation", "template")),
    "gemma-minimal": case(GEMMA, SIZES, spell="minimal", types="plain"),
    "gemma-tokens": made("GemmaConfig", "GemmaForCausalLM", SIZES, files="model json", extras=("card", "generation")),
    "gemma2": case(GEMMA2, SIZES, types="few", sliding_window=64),
    "gemma2-old": case(GEMMA2, SIZES, spell="old", dtype="float32", types="plain"),
    "gemma2-minimal": case(GEMMA2, SIZES, spell="minimal", types="plain", dtype="float16"),
    "gemma3": made("Gemma3TextConfig", "Gemma3ForCausalLM", TEXT3, files="model json"),
    "gemma3-old": made("Gemma3TextConfig", "Gemma3ForCausalLM", TEXT3, spell="old", change=old_rope, dtype="float32"),
    "gemma3-minimal": made("Gemma3TextConfig", "Gemma3ForCausalLM", SIZES, spell="minimal", dtype="float16"),
    "gemma3-linear": made("Gemma3TextConfig", "Gemma3ForCausalLM", dict(
        TEXT3, rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=500000.0),
                                    sliding_attention=dict(rope_type="default", rope_theta=20000.0)), final_logit_softcapping=30.0)),
    "gemma3-padded": made("Gemma3TextConfig", "Gemma3ForCausalLM", dict(TEXT3, vocab_size=448)),
    "gemma3-embedding": made("Gemma3TextConfig", "Gemma3TextModel", EMBEDDING, then=dense_modules, change=given_window),
    "gemma3-embedding-dense": made("Gemma3TextConfig", "Gemma3TextModel", EMBEDDING, then=dense_modules, dtype="float32",
                                   args=["--sentence-transformers-dense-modules"]),
    "gemma3-embedding-plain": made("Gemma3TextConfig", "Gemma3TextModel", EMBEDDING, files="model json", spell="minimal", dtype="float16"),
    "gemma3-vision": made("Gemma3Config", "Gemma3ForConditionalGeneration", TEXT3, outer=VISION3, files="model json"),
    "gemma3-vision-old": made("Gemma3Config", "Gemma3ForConditionalGeneration", TEXT3, outer=VISION3, spell="old", change=old_rope),
    "gemma3-vision-minimal": made("Gemma3Config", "Gemma3ForConditionalGeneration", TEXT3, outer=VISION3, spell="minimal"),
    "gemma4": gemma4(),
    "gemma4-f16": gemma4(dict(TEXT4, num_kv_shared_layers=2, use_double_wide_mlp=True, num_global_key_value_heads=1, final_logit_softcapping=30.0),
                         dtype="float16"),
    "gemma4-moe": gemma4(dict(TEXT4, **MOE4, attention_k_eq_v=True, num_global_key_value_heads=1, hidden_size_per_layer_input=0)),
    "gemma4-all": gemma4(dict(TEXT4, use_bidirectional_attention="all", num_hidden_layers=5), dtype="float32"),
    "gemma4-minimal": gemma4(spell="minimal"),
    "gemma3n": made("Gemma3nTextConfig", "Gemma3nForCausalLM", TEXT3N, files="model json"),
    "gemma3n-old": made("Gemma3nTextConfig", "Gemma3nForCausalLM", dict(TEXT3N, vocab_size=388), dtype="float32", spell="old", change=old_rope),
    "gemma3n-minimal": made("Gemma3nTextConfig", "Gemma3nForCausalLM", dict(SIZES, num_hidden_layers=21, laurel_rank=8, vocab_size_per_layer_input=376),
                            dtype="float16", spell="minimal"),
    "gemma3n-senses": made("Gemma3nTextConfig", "Gemma3nForCausalLM", TEXT3N, then=nested("Gemma3nForConditionalGeneration", "gemma3n")),
    "gemma4-senses": gemma4(then=nested("Gemma4ForConditionalGeneration", "gemma4")),
    "gemma4-unified": gemma4(dict(TEXT4, **MOE4), then=nested("Gemma4UnifiedForConditionalGeneration", "gemma4_unified")),
}
