"""Checkpoints of models that see, converted with --mmproj: towers of one or two blocks by transformers' own classes."""
import json
import struct
import zlib

from make_checkpoint import case, rename

TEXT = dict(hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2, vocab_size=64,
            tie_word_embeddings=True)
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
PRE = {"preprocessor_config.json": dict(image_mean=MEAN, image_std=STD, do_resize=True)}
PROCESSOR = {"preprocessor_config.json": dict(image_mean=[0.1] * 3, media_proc_cfg=dict(image_mean=[0.2] * 3, image_std=[0.3] * 3)),
             "processor_config.json": dict(image_processor=dict(image_mean=[0.5, 0.25, 1.0], image_std=[0.5] * 3, image_seq_length=4))}
BREAK = {"tokenizer_config.json": dict(added_tokens_decoder={"12": dict(content="[IMG]"), "7": dict(content="[IMG_BREAK]")})}
ADDED = {"tokenizer_config.json": {}, "tokenizer.json": dict(added_tokens=[dict(id=3, content="x"), dict(id=9, content="[IMG_BREAK]")])}


def minimal(config, given):
    """What was asked for, and what says which class it is."""
    return {k: v for k, v in config.items() if k in {*given, "model_type", "architectures"}}


def seen(config_class, model_class, vision, text=None, files=PRE, dtype="bfloat16", types="bare", spell="new", after=None, fails=None, **config):
    """A checkpoint of two parts. files: what lies beside, by name. One that the reference fails on has a tokenizer and an image."""
    text = {**TEXT, **(text or {})}

    def make(out):
        import torch
        import transformers as T
        from make_checkpoint import randomize, vocabulary
        if fails:
            parts["text_config"][1]["vocab_size"] = vocabulary(out)
            picture(out + "/eye.png")
        sub = {k: getattr(T, c)(**v) if c else v for k, (c, v) in parts.items()}
        model = getattr(T, model_class)(getattr(T, config_class)(**sub, **config))
        randomize(model, len(out))
        model.to(getattr(torch, dtype)).save_pretrained(out)
        j = json.load(open(out + "/config.json"))
        if spell == "minimal":
            j = minimal(j, {**config, "text_config": 0, "vision_config": 0})
            for k, (_, given) in parts.items():
                j[k] = minimal(j[k], given)
        json.dump(j, open(out + "/config.json", "w"), indent=1)
        for name, content in files.items():
            json.dump(content, open(f"{out}/{name}", "w"), indent=1)
        if after:
            after(out)
    parts = {"text_config": text.pop("cls", None), "vision_config": vision.get("cls")}
    parts = {k: (c, {a: b for a, b in v.items() if a != "cls"}) for (k, c), v in zip(parts.items(), [text, vision])}
    return case(("", {}), {}, tok="kjv-llama" if fails else None, types=types, make=make, fails=fails, args=["--mmproj"])


def picture(path, side=56):
    """A PNG of three colours that run into each other."""
    rows = b"".join(b"\0" + bytes(v % 256 for x in range(side) for v in (4 * x, 4 * y, x * y)) for y in range(side))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    open(path, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def change(edit):
    """Changes config.json."""
    def after(out):
        j = json.load(open(out + "/config.json"))
        edit(j)
        json.dump(j, open(out + "/config.json", "w"), indent=1)
    return after


def nothing(out):
    """As transformers writes it."""


def no_kind(j):
    """What older ones left to the class."""
    j["vision_config"].pop("layer_norm_eps")


def flat(j):
    """The text part's keys outside, as transformers 4 wrote them."""
    text = j.pop("text_config")
    for k, v in text.items():
        j.setdefault(k, v)


def mixed(out):
    """The part that reads in another type than the part that sees."""
    import torch
    from safetensors.torch import load_file, save_file
    t = load_file(out + "/model.safetensors")
    t = {k: v.to(torch.float16 if "visual" in k else torch.float32 if "bias" in k else v.dtype) for k, v in t.items()}
    save_file(t, out + "/model.safetensors", metadata={"format": "pt"})


EYE = dict(depth=3, num_heads=2, patch_size=14)
QWEN2 = dict(EYE, embed_dim=32, hidden_size=64)
QWEN25 = dict(EYE, hidden_size=32, intermediate_size=64, out_hidden_size=64, fullatt_block_indexes=[1])
QWEN3 = dict(EYE, hidden_size=32, intermediate_size=64, out_hidden_size=64, deepstack_visual_indexes=[1], num_position_embeddings=16)
TOWER = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2, image_size=56, patch_size=14)
HEAD = dict(head_dim=32)
EYE4 = dict(TOWER, vision_output_dim=32, projector_input_dim=32, projector_output_dim=32)


def qwen2(vision=QWEN2, **more):
    return seen("Qwen2VLConfig", "Qwen2VLForConditionalGeneration", vision, **more)


def qwen25(vision=QWEN25, **more):
    return seen("Qwen2_5_VLConfig", "Qwen2_5_VLForConditionalGeneration", vision, **more)


def qwen3(vision=QWEN3, **more):
    return seen("Qwen3VLConfig", "Qwen3VLForConditionalGeneration", vision, text=HEAD, **more)


def gemma3(vision=TOWER, after=None, **more):
    return seen("Gemma3Config", "Gemma3ForConditionalGeneration", vision, text=HEAD, after=after or PUBLISHED, **more)


def pixtral(vision=None, after=rename(("language_model.model.", "model.")), files={**PRE, **BREAK}, **more):
    return seen("LlavaConfig", "LlavaForConditionalGeneration", vision or PIXTRAL, text=dict(cls="MistralConfig"), after=after, files=files, **more)


def mistral3(vision=None, after=rename(("language_model.model.", "model.")), files={**PRE, **BREAK}, **more):
    return seen("Mistral3Config", "Mistral3ForConditionalGeneration", vision or PIXTRAL, text=dict(cls="MistralConfig"), after=after, files=files, **more)


MOE = dict(moe_intermediate_size=32, shared_expert_intermediate_size=32, num_experts=2, num_experts_per_tok=1)
QWEN35 = {k: v for k, v in QWEN3.items() if k != "deepstack_visual_indexes"}
PIXTRAL = dict(TOWER, cls="PixtralVisionConfig")
NO_BREAK = "unable to find tensor v.token_embd.img_break"  # looked for under a name that published ones do not have
PUBLISHED = rename(("vision_tower.", "vision_tower.vision_model."))  # transformers 5 leaves the class's name out

def llama4(vision=None, **more):
    return seen("Llama4Config", "Llama4ForConditionalGeneration", vision or EYE4, text=dict(HEAD, intermediate_size_mlp=64, num_local_experts=2), **more)


def as_listed(out):
    """The class by the name that the reference has it under."""
    change(lambda j: j.update(architectures=["LightOnOCRForConditionalGeneration"]))(out)


def made(write, dtype="bfloat16", types="bare", **options):
    """A checkpoint for which transformers has no class. write: (config, tensors' shapes, what lies beside) of the options."""
    def make(out):
        import torch
        from safetensors.torch import save_file
        name, config, shapes, files = write(**options)
        g = torch.Generator().manual_seed(len(shapes))
        t = {k: (torch.randn(s, generator=g) * 0.05 + (len(s) == 1)).to(getattr(torch, dtype)) for k, s in shapes.items()}
        save_file(t, f"{out}/{name}.safetensors", metadata={"format": "pt"})
        for f, content in files.items():
            json.dump(content, open(f"{out}/{f}", "w"), indent=1)
        json.dump(config, open(out + ("/config.json" if name == "model" else "/params.json"), "w"), indent=1)
    return case(("", {}), {}, tok=None, types=types, make=make, args=["--mmproj"])


def internvl(norms=False):
    config = dict(architectures=["InternVLChatModel"], model_type="internvl_chat", downsample_ratio=0.5, min_dynamic_patch=1, max_dynamic_patch=12,
                  llm_config=dict(architectures=["Qwen2ForCausalLM"], model_type="qwen2", hidden_size=64),
                  vision_config=dict(architectures=["InternVisionModel"], model_type="intern_vit_6b", hidden_size=32, intermediate_size=64, num_hidden_layers=4,
                                     num_attention_heads=2, image_size=[56, 56] if norms else 56, patch_size=14, layer_norm_eps=1e-6,
                                     hidden_act="silu" if norms else "gelu", qk_normalization=norms))
    if norms:
        config.pop("min_dynamic_patch")
    e = "vision_model.embeddings."
    t = {e + "class_embedding": (1, 1, 32), e + "position_embedding": (1, 17, 32), e + "patch_embedding.weight": (32, 3, 14, 14), e + "patch_embedding.bias": (32,),
         "mlp1.0.weight": (128,), "mlp1.0.bias": (128,), "mlp1.1.weight": (64, 128), "mlp1.1.bias": (64,), "mlp1.3.weight": (64, 64), "mlp1.3.bias": (64,),
         "language_model.model.norm.weight": (64,), "language_model.lm_head.weight": (64, 64)}
    for i in range(4):
        b = f"vision_model.encoder.layers.{i}."
        t |= {b + "ls1": (32,), b + "ls2": (32,), b + "norm1.weight": (32,), b + "norm2.weight": (32,), b + "attn.qkv.weight": (96, 32),
              b + "attn.proj.weight": (32, 32), b + "attn.proj.bias": (32,), b + "mlp.fc1.weight": (64, 32), b + "mlp.fc1.bias": (64,),
              b + "mlp.fc2.weight": (32, 64), b + "mlp.fc2.bias": (32,)}
        t |= {b + "attn.q_norm.weight": (32,), b + "attn.k_norm.weight": (32,)} if norms else {b + "attn.qkv.bias": (96,), b + "norm1.bias": (32,), b + "norm2.bias": (32,)}
    return "model", config, t, PRE


def mistral(merge=False):
    v = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2, image_size=56, patch_size=14, rope_theta=10000.0, num_channels=3,
             max_image_size=56, image_token_id=10, image_break_token_id=12, image_end_token_id=13, adapter_bias=not merge)
    files = {}
    if merge:
        v |= dict(mm_projector_id="patch_merge", spatial_merge_size=2, add_pre_mm_projector_layer_norm=True, image_break_token_id=-1)
        files = {"tekken.json": dict(special_tokens=[dict(rank=0, token_str="<unk>"), dict(rank=12, token_str="[IMG_BREAK]")])}
    config = dict(dim=64, n_layers=1, n_heads=2, n_kv_heads=2, head_dim=32, hidden_dim=64, vocab_size=64, norm_eps=1e-5, rope_theta=1e6, vision_encoder=v)
    t = {"tok_embeddings.weight": (64, 64), "norm.weight": (64,), "output.weight": (64, 64), "layers.0.attention.wq.weight": (64, 64),
         "vision_encoder.patch_conv.weight": (32, 3, 14, 14), "vision_encoder.ln_pre.weight": (32,), "vision_language_adapter.w_in.weight": (64, 32),
         "vision_language_adapter.w_out.weight": (64, 64)}
    t |= {"patch_merger.merging_layer.weight": (32, 128), "pre_mm_projector_norm.weight": (32,)} if merge else \
        {"vision_language_adapter.w_in.bias": (64,), "vision_language_adapter.w_out.bias": (64,)}
    for i in range(3):
        b = f"vision_encoder.transformer.layers.{i}."
        t |= {b + f"attention.w{k}.weight": (32, 32) for k in "qkvo"}
        t |= {b + "feed_forward.w1.weight": (64, 32), b + "feed_forward.w2.weight": (32, 64), b + "feed_forward.w3.weight": (64, 32),
              b + "attention_norm.weight": (32,), b + "ffn_norm.weight": (32,)}
    return "consolidated", config, t, files


CASES = {
    "mmproj-qwen2vl": qwen2(types="each"),
    "mmproj-qwen2vl-f32": qwen2(dtype="float32"),
    "mmproj-qwen2vl-f16": qwen2(dtype="float16", types="each"),
    "mmproj-qwen2vl-old": qwen2(after=change(flat)),
    "mmproj-qwen2vl-minimal": qwen2(dict(depth=3, num_heads=2, embed_dim=32, hidden_size=64), spell="minimal"),
    "mmproj-qwen2vl-mixed": qwen2(after=mixed),
    "mmproj-qwen25vl": qwen25(types="each", dtype="float32"),
    "mmproj-qwen25vl-processor": qwen25(dict(QWEN25, depth=4, fullatt_block_indexes=[1, 3]), files=PROCESSOR, rms_norm_eps=1e-5),
    "mmproj-qwen25vl-minimal": qwen25(dict(QWEN25, depth=32, fullatt_block_indexes=[7, 15, 23, 31]), spell="minimal"),
    "mmproj-qwen25vl-old": qwen25(after=change(flat)),
    "mmproj-qwen3vl": qwen3(types="each", dtype="float16"),
    "mmproj-qwen3vl-f32": qwen3(dtype="float32"),
    "mmproj-qwen3vl-minimal": qwen3(dict(depth=27, hidden_size=32, num_heads=2), spell="minimal"),
    "mmproj-qwen3vl-processor": qwen3(dict(QWEN3, depth=4, deepstack_visual_indexes=[2, 0], image_size=64), files=PROCESSOR),
    "mmproj-qwen3vlmoe": seen("Qwen3VLMoeConfig", "Qwen3VLMoeForConditionalGeneration", QWEN3, text=dict(HEAD, **MOE)),
    "mmproj-qwen35": seen("Qwen3_5Config", "Qwen3_5ForConditionalGeneration", QWEN35, text=HEAD),
    "mmproj-qwen35moe": seen("Qwen3_5MoeConfig", "Qwen3_5MoeForConditionalGeneration", QWEN35, text=dict(HEAD, **MOE)),
    "mmproj-qwen3vl-wide": qwen3(dict(QWEN3, hidden_size=256, intermediate_size=512, out_hidden_size=256, num_heads=4), types="plain"),
    "mmproj-gemma3": gemma3(types="each"),
    "mmproj-gemma3-f32": gemma3(dtype="float32", types="each"),
    "mmproj-gemma3-processor": gemma3(dict(TOWER, image_size=28), files=PROCESSOR),
    "mmproj-gemma3-minimal": gemma3(dict(hidden_size=32, num_attention_heads=2), spell="minimal"),
    "mmproj-pixtral": pixtral(types="each"),
    "mmproj-pixtral-f32": pixtral(dict(PIXTRAL, hidden_act="silu"), dtype="float32", types="each"),
    "mmproj-pixtral-minimal": pixtral(dict(cls="PixtralVisionConfig", hidden_size=64), spell="minimal"),
    "mmproj-pixtral-wide": pixtral(dict(PIXTRAL, hidden_size=256, intermediate_size=512), types="plain"),
    "mmproj-mistral3": mistral3(types="each"),
    "mmproj-mistral3-minimal": mistral3(dict(cls="PixtralVisionConfig", hidden_size=64), spell="minimal", dtype="float16"),
    "mmproj-idefics3": seen("Idefics3Config", "Idefics3ForConditionalGeneration", TOWER, text=dict(cls="LlamaConfig"), types="each"),
    "mmproj-smolvlm": seen("SmolVLMConfig", "SmolVLMForConditionalGeneration", TOWER, text=dict(cls="LlamaConfig"), dtype="float32",
                           scale_factor=4, files={"preprocessor_config.json": dict(image_mean=MEAN, image_std=STD, size=dict(longest_edge=123))}),
    "mmproj-smolvlm-minimal": seen("SmolVLMConfig", "SmolVLMForConditionalGeneration", dict(hidden_size=32), text=dict(cls="LlamaConfig"), spell="minimal"),
    "mmproj-pixtral-published": pixtral(after=nothing, fails=NO_BREAK),
    "mmproj-mistral3-published": mistral3(after=nothing, fails=NO_BREAK),
    "mmproj-mistral3-added": mistral3(files={**PRE, **ADDED}),
    "mmproj-gemma3-new": gemma3(after=nothing, fails="Can not map tensor 'vision_tower.embeddings.patch_embedding.bias'"),
    "mmproj-smolvlm-published": seen("SmolVLMConfig", "SmolVLMForConditionalGeneration", TOWER, text=dict(cls="LlamaConfig"), after=change(no_kind)),
    "mmproj-internvl": made(internvl, types="each"),
    "mmproj-internvl-norms": made(internvl, norms=True, dtype="float32"),
    "mmproj-llama4": llama4(types="each"),
    "mmproj-llama4-minimal": llama4(dict(hidden_size=32, num_attention_heads=2, vision_output_dim=32, projector_input_dim=32, projector_output_dim=32), spell="minimal", dtype="float32"),
    "mmproj-lightonocr": seen("LightOnOcrConfig", "LightOnOcrForConditionalGeneration", PIXTRAL, text=dict(cls="Qwen3Config", **HEAD), after=as_listed),
    "mistral-mmproj": dict(made(mistral, types="each"), args=["--mmproj", "--mistral-format"]),
    "mistral-mmproj-merge": dict(made(mistral, merge=True), args=["--mmproj", "--mistral-format"]),
}
