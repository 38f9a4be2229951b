/*
 * classes.c - which of transformers' tokenizer classes (5.12) a model gets, and what the classes that rebuild a
 * tokenizer put in place of what tokenizer.json says. Owns these tables. A class that is not here takes the file as it
 * is.
 */
#include "encoder.h"

#include <stdlib.h>
#include <string.h>

/* In JSON inside C: each backslash of a pattern is four. */
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES "\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define QWEN2 \
	CONTRACTIONS "|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+" \
		     "|\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|" SPACES
#define QWEN35 \
	CONTRACTIONS "|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?[\\\\p{L}\\\\p{M}]+" \
		     "|\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{M}\\\\p{N}]+[\\\\r\\\\n]*|" SPACES
#define SPLIT_THEN_BYTES(pattern) \
	"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern "\"}," \
	"\"behavior\":\"Isolated\",\"invert\":false}," \
	"{\"type\":\"ByteLevel\",\"add_prefix_space\":%P,\"use_regex\":false}]}"
#define BYTE_LEVEL "{\"type\":\"ByteLevel\",\"add_prefix_space\":%P,\"use_regex\":true}"
#define WORDS_WITH_MARKS(unk) \
	"{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"}," \
	"{\"type\":\"Metaspace\",\"replacement\":\"\u2581\",\"prepend_scheme\":\"%W\"}]}," \
	"\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\"\u2581\",\"prepend_scheme\":\"%W\"}," \
	"\"model\":{\"type\":\"Unigram\",\"unk_id\":" #unk ",\"byte_fallback\":false}}"
#define NFC "\"normalizer\":{\"type\":\"NFC\"},"
#define UNBYTES ",\"decoder\":{\"type\":\"ByteLevel\"}"
#define END_OF_TEXT "<|endoftext|>"

/* %P: add_prefix_space, true or false; %N: the same as 1 or 0; %S: Metaspace's prepend_scheme; %L %A %C: do_lower_case, strip_accents and
 * tokenize_chinese_chars; %W: a prepend_scheme that knows no first word */
static const struct tokenizer_class classes[] = {
	{ .name = "TokenizersBackend" }, /* the first: the file as it is */
	{ .name = "LlamaTokenizer", .unk = "<unk>", .bos = "<s>", .eos = "</s>", .prefix_space = true,
	  .json = "{\"normalizer\":null,"
		  "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\u2581\",\"prepend_scheme\":\"%S\",\"split\":false},"
		  "\"decoder\":{\"type\":\"Sequence\",\"decoders\":["
		  "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\u2581\"},\"content\":\" \"},"
		  "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},"
		  "{\"type\":\"Strip\",\"content\":\" \",\"start\":%N,\"stop\":0}]},"
		  "\"model\":{\"fuse_unk\":true,\"byte_fallback\":true}}" },
	{ .name = "Qwen2Tokenizer", .unk = END_OF_TEXT, .eos = END_OF_TEXT, .pad = END_OF_TEXT, .add_named = true,
	  .json = "{" NFC "\"pre_tokenizer\":" SPLIT_THEN_BYTES(QWEN2) UNBYTES "}" },
	{ .name = "Qwen3_5Tokenizer", .unk = END_OF_TEXT, .eos = END_OF_TEXT, .pad = END_OF_TEXT,
	  .json = "{" NFC "\"pre_tokenizer\":" SPLIT_THEN_BYTES(QWEN35) UNBYTES "}" },
	{ .name = "GPT2Tokenizer", .unk = END_OF_TEXT, .bos = END_OF_TEXT, .eos = END_OF_TEXT,
	  .json = "{\"pre_tokenizer\":" BYTE_LEVEL UNBYTES "}" },
	{ .name = "BertTokenizer", .unk = "[UNK]", .sep = "[SEP]", .pad = "[PAD]", .cls = "[CLS]", .mask = "[MASK]",
	  .first = "cls_token", .last = "sep_token",
	  .json = "{\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":%C,"
		  "\"strip_accents\":%A,\"lowercase\":%L},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
		  "\"decoder\":{\"type\":\"WordPiece\"},"
		  "\"model\":{\"type\":\"WordPiece\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100}}" },
	{ .name = "RobertaTokenizer", .unk = "<unk>", .bos = "<s>", .eos = "</s>", .sep = "</s>", .pad = "<pad>", .cls = "<s>",
	  .mask = "<mask>", .first = "cls_token", .last = "sep_token",
	  .json = "{\"pre_tokenizer\":" BYTE_LEVEL UNBYTES "}" },
	{ .name = "XLMRobertaTokenizer", .unk = "<unk>", .bos = "<s>", .eos = "</s>", .sep = "</s>", .pad = "<pad>", .cls = "<s>",
	  .mask = "<mask>", .prefix_space = true, .file_charsmap = true, .first = "bos_token", .last = "eos_token",
	  .json = WORDS_WITH_MARKS(3) },
	{ .name = "T5Tokenizer", .unk = "<unk>", .eos = "</s>", .pad = "<pad>", .file_charsmap = true, .last = "eos_token",
	  .prefix_space = true, .json = WORDS_WITH_MARKS(2) },
	{ .name = "GPTNeoXTokenizer", .unk = END_OF_TEXT, .bos = END_OF_TEXT, .eos = END_OF_TEXT, .pad = "<|padding|>",
	  .json = "{" NFC "\"pre_tokenizer\":" BYTE_LEVEL UNBYTES "}" },
};

/* The class that transformers registers for a model type; model types that are not here have none. */
static const struct {
	const char *name, *types; /* between spaces */
} registered[] = {
	{ "TokenizersBackend",
	  " glm glm4 glm4_moe glm4_moe_lite glm4v glm4v_moe glm_image glmasr got_ocr2 granite granitemoe "
	  "granitemoehybrid granitemoeshared minicpmv4_6 olmo3 olmo_hybrid ministral ministral3 mistral "
	  "mistral3 mixtral pixtral voxtral voxtral_realtime arctic chameleon chatlm deepseek_v2 "
	  "deepseek_v3 deepseek_v32 deepseek_v4 deepseek_vl deepseek_vl_hybrid deepseek_vl_v2 deepseek_ocr "
	  "deepseek_ocr2 fuyu h2ovl_chat hyperclovax_vlm internlm2 jamba janus llava llava_next minicpmv "
	  "minimax_m2 modernbert molmo molmo2 nemotron nvfp4 opencua openvla phi3 phi3_v phimoe step3p5 "
	  "step3_vl vipllava cohere_asr " },
	{ "Qwen2Tokenizer",
	  " audioflamingo3 colqwen2 cosmos3_omni internvl ovis2 qianfan_ocr qwen2 qwen2_5_omni qwen2_5_vl "
	  "qwen2_audio qwen2_moe qwen2_vl qwen3 qwen3_moe qwen3_next qwen3_omni_moe qwen3_vl qwen3_vl_moe "
	  "lighton_ocr " },
	{ "Qwen3_5Tokenizer",
	  " qwen3_5 qwen3_5_moe " },
	{ "GPT2Tokenizer",
	  " blip-2 codegen dbrx emu3 flex_olmo gpt2 gpt_bigcode gpt_neo gptj instructblip instructblipvideo "
	  "jais2 opt phi starcoder2 " },
	{ "GPTNeoXTokenizer",
	  " falcon_mamba gpt_neox mamba mamba2 mpt olmo olmo2 olmoe rwkv stablelm xlstm " },
	{ "BertTokenizer",
	  " align bark bert blip bros chinese_clip convbert distilbert electra ernie flava git megatron-bert nomic_bert qdqbert "
	  "retribert squeezebert visual_bert " },
	{ "RobertaTokenizer",
	  " bart bridgetower clap data2vec-text ibert lilt longformer mega mra roberta roberta-prelayernorm " },
	{ "XLMRobertaTokenizer",
	  " jina_embeddings_v3 kosmos-2 metaclip_2 trocr xlm-roberta xlm-roberta-xl xmod " },
	{ "CamembertTokenizer",
	  " camembert " },
	{ "T5Tokenizer",
	  " mt5 t5 umt5 " },
	{ "CohereTokenizer",
	  " aya_vision cohere cohere2 " },
	{ "GemmaTokenizer",
	  " diffusion_gemma gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text recurrent_gemma "
	  "shieldgemma2 t5gemma " },
	{ "CodeLlamaTokenizer",
	  " code_llama " },
	{ "LlamaTokenizer",
	  " idefics idefics2 " },
};

/* Of the types whose repositories are known to name a wrong class, the one that has a class of its own. */
static const char names_wrong_class[] = "qwen2";

static bool listed(const char *types, const char *type)
{
	size_t n = strlen(type);

	for (const char *p = types; n && (p = strstr(p, type)); p += n)
		if (p > types && p[-1] == ' ' && p[n] == ' ')
			return true;
	return false;
}

static const char *registered_for(const char *model_type)
{
	for (size_t i = 0; i < sizeof(registered) / sizeof(*registered); i++)
		if (listed(registered[i].types, model_type))
			return registered[i].name;
	return NULL;
}

/* Names are compared without the "Fast" that older files put behind them. */
static bool same_name(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);

	na -= na >= 4 && !strcmp(a + na - 4, "Fast") ? 4 : 0;
	nb -= nb >= 4 && !strcmp(b + nb - 4, "Fast") ? 4 : 0;
	return na == nb && !memcmp(a, b, na);
}

static const struct tokenizer_class *by_name(const char *name)
{
	for (size_t i = 1; name && i < sizeof(classes) / sizeof(*classes); i++)
		if (same_name(classes[i].name, name))
			return &classes[i];
	return &classes[0];
}

const struct tokenizer_class *class_of(const struct json *config, const struct json *tokenizer_config)
{
	const char *type = json_cstr(json_get(config, "model_type"));
	const char *own = json_cstr(json_get(tokenizer_config, "tokenizer_class"));
	const char *named = own ? own : json_cstr(json_get(config, "tokenizer_class"));
	const char *usual = type ? registered_for(type) : NULL;
	bool custom = json_kind(json_get(tokenizer_config, "auto_map")) > JSON_NULL;

	if (custom || !named || !usual || same_name(usual, named))
		return by_name(named ? named : usual);
	if (!strcmp(usual, classes[0].name))
		return &classes[0];
	return by_name(strcmp(type, names_wrong_class) ? named : usual);
}

/* A flag of tokenizer_config.json: true, false, or null. */
static const char *flag_text(const struct json *config, const char *key, const char *otherwise)
{
	const struct json *j = json_get(config, key);
	bool b;

	return json_bool(j, &b) ? (b ? "true" : "false") : j ? "null" : otherwise;
}

struct json_doc *class_json(const struct tokenizer_class *c, const struct json *tokenizer_config, struct heft_err *err)
{
	const struct json *prefix = json_get(tokenizer_config, "add_prefix_space");
	bool add = c->prefix_space, legacy = false;
	struct jbuf text = { 0 };
	struct json_doc *doc;

	json_bool(prefix, &add);
	json_bool(json_get(tokenizer_config, "legacy"), &legacy);
	for (const char *p = c->json; *p; p++) {
		const char *put = add ? "true" : "false";
		if (*p != '%') {
			jbuf_raw(&text, p, 1);
			continue;
		}
		if (*++p == 'N')
			put = add ? "1" : "0";
		else if (*p == 'S')
			put = !add ? "never" : legacy ? "always" : "first";
		else if (*p == 'W')
			put = add ? "always" : "never";
		else if (*p == 'L')
			put = flag_text(tokenizer_config, "do_lower_case", "true");
		else if (*p == 'A')
			put = flag_text(tokenizer_config, "strip_accents", "null");
		else if (*p == 'C')
			put = flag_text(tokenizer_config, "tokenize_chinese_chars", "true");
		jbuf_raw(&text, put, strlen(put));
	}
	doc = json_parse(text.p, text.n, c->name, false, err);
	jbuf_release(&text);
	return doc;
}
