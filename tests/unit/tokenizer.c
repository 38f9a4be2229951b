/* Tokenizers against samples: what opens, what is refused with which code, rows, special tokens and ids of small
 * ones. */
#include "src/tokenizer/tokenizer.h"
#include "tests/tap.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/heft-tokenizer-XXXXXX";

static void put_file(const char *name, const char *text, size_t n)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (!f || fwrite(text, 1, n, f) != n || fclose(f))
		exit(99);
}

static void put(const char *name, const char *text)
{
	put_file(name, text, strlen(text));
}

static void put_copy(const char *name, const char *from)
{
	char *text = xmalloc(1 << 20);
	FILE *f = fopen(from, "rb");
	size_t n = f ? fread(text, 1, 1 << 20, f) : 0;

	if (f)
		fclose(f);
	put_file(name, text, n);
	free(text);
}

static void clear(void)
{
	static const char *const name[] = {
		"tokenizer.json",    "tokenizer.model",	  "tokenizer_config.json",   "vocab.json",
		"merges.txt",	     "added_tokens.json", "special_tokens_map.json", "chat_template.jinja",
		"chat_template.json", "vocab.txt", "sentencepiece.bpe.model", "spiece.model",
		"tekken.json", "qwen.tiktoken", "tiktoken.model", "tokenizer.model.v3", "tokenizer.model.v7"
	};
	char path[256];

	for (size_t i = 0; i < sizeof(name) / sizeof(*name); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, name[i]);
		unlink(path);
	}
}

static struct tokenizer *open_with(const char *strategy, const char *pre, int64_t rows, const char *config,
				   struct heft_err *err)
{
	struct json_doc *doc = json_parse(config, strlen(config), "config.json", false, err);
	struct tokenizer_options o = { .strategy = strategy, .pre = pre, .vocab_size = rows, .config = json_root(doc) };
	struct tokenizer *t = NULL;

	memset(err, 0, sizeof(*err));
	if (tokenizer_open(&t, dir, &o, err))
		t = NULL;
	json_free(doc);
	return t;
}

/* One key as text: "1", "true", "text", or "[n] first ... " where at says which element. */
static const char *value(const struct tokenizer *t, const char *key, size_t at)
{
	static char out[256];
	struct arena *a = arena_new();
	struct heft_kv *kv;
	size_t n;

	strcpy(out, "none");
	if (tokenizer_metadata(t, &kv, &n, a, NULL))
		strcpy(out, "error");
	else
		for (size_t i = 0; i < n; i++) {
			const struct heft_value *v = &kv[i].value;
			if (strcmp(kv[i].key, key))
				continue;
			if (v->array && at >= v->count)
				strcpy(out, "beyond");
			else if (v->type == HEFT_STRING)
				snprintf(out, sizeof(out), "%s",
					 v->array ? ((const struct heft_str *)v->data)[at].p : v->s.p);
			else if (v->type == HEFT_U8)
				snprintf(out, sizeof(out), "%u", ((const uint8_t *)v->data)[at]);
			else if (v->type == HEFT_I32)
				snprintf(out, sizeof(out), "%d", ((const int32_t *)v->data)[at]);
			else if (v->type == HEFT_F32)
				snprintf(out, sizeof(out), "%g", ((const float *)v->data)[at]);
			else if (v->type == HEFT_BOOL)
				snprintf(out, sizeof(out), "%s", v->b ? "true" : "false");
			else
				snprintf(out, sizeof(out), "%llu", (unsigned long long)v->u);
		}
	arena_free(a);
	return out;
}

#define GGML "tokenizer.ggml."

static const char *ids_of(const struct tokenizer *t, const char *text)
{
	static char out[512];
	struct heft_err err;
	int32_t *ids;
	int64_t n = tokenizer_encode(t, text, strlen(text), &ids, &err);

	*out = 0;
	if (n < 0)
		return "error";
	for (int64_t i = 0; i < n; i++)
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%d", i ? " " : "", ids[i]);
	free(ids);
	return out;
}

/* Every sample of a folder under the name that the tokenizer wants; its own name says what must come of it. */
static void samples(const char *folder, const char *as, const char *strategy)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d))) {
		const char *code = strstr(e->d_name, "-E");
		char path[512];
		struct heft_err err;
		struct tokenizer *t;
		if (*e->d_name == '.')
			continue;
		n++;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		clear();
		put_copy(as, path);
		t = open_with(strategy, code ? NULL : "given", -1, "{}", &err);
		if (code)
			is_int(err.code, atoi(code + 2), "%s: %s", e->d_name, err.text);
		else
			ok(t, "%s opens: %s", e->d_name, err.text);
		tokenizer_close(t);
	}
	if (d)
		closedir(d);
	ok(n > 10, "%s has samples", folder);
}

static void bpe_rows(void)
{
	struct heft_err err;
	struct tokenizer *t;

	clear();
	put_copy("tokenizer.json", "testdata/tokenizer_json/good-bytelevel.json");
	put("tokenizer_config.json",
	    "{\"bos_token\":\"<s>\",\"eos_token\":{\"content\":\"</s>\"},\"pad_token\":null,\"add_eos_token\":false,"
	    "\"chat_template\":[{\"name\":\"default\",\"template\":\"D\"},{\"name\":\"a b\",\"template\":\"E\"}]}");
	ok(tokenizer_has(dir, "bpe") && !tokenizer_has(dir, "spm") && !tokenizer_has(dir, "spm_hf"),
	   "which strategies have their files");
	is_str(tokenizer_kind(dir), "bpe", "kind");
	t = open_with("bpe", "qwen2", 32, "{\"pad_token_id\":31,\"eos_token_id\":[1,2]}", &err);
	ok(t, "opens: %s", err.text);
	if (!t)
		return;
	is_int(tokenizer_count(t), 30, "count");
	is_int(tokenizer_id(t, "hello"), 13, "id of a token");
	is_int(tokenizer_id(t, "absent"), -1, "id of no token");
	is_str(value(t, GGML "model", 0), "gpt2", "model");
	is_str(value(t, GGML "pre", 0), "qwen2", "pre as given");
	is_str(value(t, GGML "tokens", 28), "<|x|>", "an added token");
	is_str(value(t, GGML "token_type", 28), "3", "that looks special");
	is_str(value(t, GGML "tokens", 29), " y", "marks of a user's token become spaces");
	is_str(value(t, GGML "token_type", 29), "4", "user-defined");
	is_str(value(t, GGML "token_type", 0), "1", "normal");
	is_str(value(t, GGML "tokens", 31), "[PAD31]", "padding");
	is_str(value(t, GGML "token_type", 31), "5", "unused");
	is_str(value(t, GGML "scores", 0), "none", "no scores");
	is_str(value(t, GGML "merges", 3), "hell o", "merges");
	is_str(value(t, GGML "bos_token_id", 0), "24", "bos by its text");
	is_str(value(t, GGML "eos_token_id", 0), "25", "eos by its object");
	is_str(value(t, GGML "padding_token_id", 0), "31", "pad by config.json");
	is_str(value(t, GGML "add_bos_token", 0), "true", "the template adds bos");
	is_str(value(t, GGML "add_eos_token", 0), "false", "tokenizer_config.json says about eos");
	is_str(value(t, "tokenizer.chat_template", 0), "D", "the default chat template");
	is_str(value(t, "tokenizer.chat_template.a_b", 0), "E", "a named one");
	is_str(value(t, "tokenizer.chat_templates", 0), "a_b", "their names");
	is_str(ids_of(t, "hello world"), "24 13 18", "ids");
	is_str(ids_of(t, "h\xc3\xa9llo"), "24 0 23 11 3", "ids of a character of two bytes");
	is_str(ids_of(t, "hero  <tool>  heroes<s>"), "24 27 26 10 5 3 1 24",
	       "added tokens: single word, spaces around");
	is_str(ids_of(t, "\xff"), "error", "a text that is not UTF-8");
	tokenizer_close(t);
	t = open_with("bpe", NULL, 32, "{}", &err);
	is_int(err.code, HEFT_E_PRETOKENIZER, "an unknown pre-tokenizer: %s", err.text);
	ok(strstr(err.text, "--pre NAME") && strstr(err.text, "gpt-2"), "says what to do, and what splits alike");
	tokenizer_close(t);
	t = open_with("bpe", "x", 29, "{}", &err);
	is_int(err.code, HEFT_E_VOCAB_SIZE, "more tokens than rows: %s", err.text);
	tokenizer_close(t);
}

static void files_of_a_class(void)
{
	struct heft_err err;
	struct tokenizer *t;

	clear();
	put("vocab.json", "{\"a\":0,\"b\":1,\"ab\":2,\"\xc4\xa0\":3,\"\xc4\xa0"
			  "a\":4}");
	put("merges.txt", "#version: 0.2\r\na b\r\n\xc4\xa0 a\r\n");
	put("tokenizer_config.json",
	    "{\"tokenizer_class\":\"GPT2Tokenizer\",\"bos_token\":\"<b>\",\"add_bos_token\":true,\"unk_token\":null,"
	    "\"eos_token\":null}");
	t = open_with("bpe", "gpt-2", -1, "{\"model_type\":\"llama\"}", &err);
	ok(t, "vocab.json and merges.txt: %s", err.text);
	if (!t)
		return;
	is_int(tokenizer_count(t), 6, "a named token that is in no vocabulary comes behind it");
	is_str(ids_of(t, "ab ab"), "5 2 3 2", "bos in front");
	is_str(value(t, GGML "merges", 0), "a b", "merges without line ends");
	tokenizer_close(t);
	put("tokenizer_config.json", "{}");
	t = open_with("bpe", NULL, -1, "{\"model_type\":\"llama\"}", &err);
	is_int(err.code, HEFT_E_TOKENIZER, "without a class: %s", err.text);
}

static void spm_rows(void)
{
	struct heft_err err;
	struct tokenizer *t;

	clear();
	put_copy("tokenizer.model", "testdata/spm/good-bpe.model");
	put("added_tokens.json", "{\"<late>\":276,\"<out>\":999}");
	put("tokenizer_config.json", "{\"added_tokens_decoder\":{\"277\":{\"content\":\"a\xe2\x96\x81"
				     "b\"},\"276\":{\"content\":\"<|q|>\"}}}");
	is_str(tokenizer_kind(dir), "spm", "kind");
	t = open_with("spm", NULL, 280, "{\"bos_token_id\":1,\"eos_token_id\":280}", &err);
	ok(t, "a SentencePiece model: %s", err.text);
	if (!t)
		return;
	is_str(value(t, GGML "model", 0), "llama", "model");
	is_str(value(t, GGML "token_type", 0), "2", "unknown");
	is_str(value(t, GGML "token_type", 3), "6", "byte");
	is_str(value(t, GGML "token_type", 271), "1", "a user-defined piece is normal, as the reference has it");
	is_str(value(t, GGML "scores", 264), "-1", "score");
	is_str(value(t, GGML "tokens", 276), "<|q|>", "tokenizer_config.json comes after added_tokens.json");
	is_str(value(t, GGML "token_type", 276), "3", "control by its look");
	is_str(value(t, GGML "tokens", 277), "a b", "spaces for marks");
	is_str(value(t, GGML "scores", 277), "-1000", "score of an added token");
	is_str(value(t, GGML "scores", 279), "-10000", "score of padding");
	is_str(value(t, GGML "bos_token_id", 0), "1", "bos");
	is_str(value(t, GGML "eos_token_id", 0), "none", "an id beyond the rows is left out");
	is_str(ids_of(t, "hello"), "268", "a word");
	is_str(ids_of(t, "  hello   hello "), "268 268", "spaces");
	is_str(ids_of(t, "w\xc3\xa9"), "270 198 172", "bytes for a character that is no piece");
	is_str(ids_of(t, "h<user>h"), "259 260 271 260", "a user-defined piece");
	is_str(ids_of(t, "un"), "259 273 274", "an unused piece is taken apart");
	is_str(ids_of(t, ""), "", "no text");
	tokenizer_close(t);
}

static void wordpiece_rows(void)
{
	struct heft_err err;
	struct tokenizer *t;

	clear();
	put("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able \nable\nable\n\xe4\xb8\xad\n");
	put("tokenizer_config.json", "{}");
	is_str(tokenizer_kind(dir), "wordpiece", "kind");
	t = open_with("wordpiece", "x", 12, "{\"model_type\":\"bert\"}", &err);
	ok(t, "vocab.txt: %s", err.text);
	if (!t)
		return;
	is_str(value(t, GGML "model", 0), "bert", "model");
	is_str(value(t, GGML "tokens", 2), "[CLS]", "a control token stays");
	is_str(value(t, GGML "tokens", 5), "\xe2\x96\x81un", "what begins a word is marked");
	is_str(value(t, GGML "tokens", 7), "able", "what goes on in one is not, and line ends are trimmed");
	is_str(value(t, GGML "token_type", 8), "5", "a token that stands there twice counts where it is last");
	is_str(value(t, GGML "tokens", 11), "\xe2\x96\x81[PAD11]", "padding is marked, too");
	is_str(value(t, GGML "merges", 0), "none", "no merges");
	is_str(ids_of(t, "UnAffABLE able"), "2 5 6 7 9 3", "small letters, longest tokens first");
	is_str(ids_of(t, "un\xe4\xb8\xad" "ableX\xc3\xbcn"), "2 5 10 1 3", "an ideograph stands alone; a word with an unknown part is unknown");
	tokenizer_close(t);
}

static void unigram_rows(void)
{
	static const char json[] = "{\"model\":{\"type\":\"Unigram\",\"unk_id\":3,\"vocab\":[[\"<s>\",0],[\"<pad>\",0],[\"</s>\",0],[\"<unk>\",0],"
				   "[\"\xe2\x96\x81\",-2],[\"a\",-3],[\"b\",-3],[\"ab\",-5],[\"\xe2\x96\x81" "a\",-4.5]]},"
				   "\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true}],"
				   "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"%s\"}}";
	struct heft_err err;
	struct tokenizer *t;
	char text[1024];

	clear();
	put_copy("spiece.model", "testdata/spm/good-unigram.model");
	is_str(tokenizer_kind(dir), "unigram", "kind");
	t = open_with("t5", NULL, -1, "{}", &err);
	ok(t, "T5's model: %s", err.text);
	if (t) {
		is_str(value(t, GGML "model", 0), "t5", "model");
		is_str(value(t, GGML "remove_extra_whitespaces", 0), "true", "what its normalizer does");
	}
	tokenizer_close(t);
	t = open_with("t5", NULL, 2, "{}", &err);
	is_int(err.code, HEFT_E_VOCAB_SIZE, "more pieces than rows: %s", err.text);
	clear();
	snprintf(text, sizeof(text), json, "AAAAAA==");
	put("tokenizer.json", text);
	put("tokenizer_config.json", "{}");
	t = open_with("xlmr", NULL, 10, "{\"model_type\":\"xlm-roberta\"}", &err);
	ok(t, "XLM-RoBERTa's tokenizer.json: %s", err.text);
	if (t) {
		is_str(value(t, GGML "token_type", 3), "2", "unknown");
		is_str(value(t, GGML "token_type", 0), "3", "control");
		is_str(value(t, GGML "scores", 8), "-4.5", "score");
		is_str(value(t, GGML "scores", 9), "-10000", "score of padding");
		is_str(value(t, GGML "add_space_prefix", 0), "true", "as the class does");
		is_str(value(t, GGML "precompiled_charsmap", 3), "0", "rules as bytes");
		is_str(ids_of(t, "ab"), "0 4 7 2", "the greatest sum: -7 before -7.5");
		is_str(ids_of(t, "a??b"), "0 8 3 6 2", "a run of unknown characters is one token");
	}
	tokenizer_close(t);
	snprintf(text, sizeof(text), json, "AA*A");
	put("tokenizer.json", text);
	t = open_with("xlmr", NULL, -1, "{\"model_type\":\"xlm-roberta\"}", &err);
	is_int(err.code, HEFT_E_TOKENIZER, "rules that are no base64: %s", err.text);
}

static void tekken_rows(void)
{
	struct heft_err err;
	struct tokenizer *t;

	clear();
	put_copy("tekken.json", "testdata/tekken/good-v3.json");
	put("chat_template.jinja", "x\r\n");
	is_str(tokenizer_kind(dir), "tekken", "kind");
	ok(tokenizer_has(dir, "tekken") && tokenizer_has(dir, "mistral"), "tekken.json alone is both");
	t = open_with("tekken", NULL, 400, "{}", &err);
	ok(t, "tekken.json: %s", err.text);
	if (!t)
		return;
	is_int(tokenizer_count(t), 289, "as many rows as the file says, whatever the embedding has");
	is_str(value(t, GGML "pre", 0), "tekken", "pre-tokenizer");
	is_str(value(t, GGML "tokens", 1), "<s>", "special tokens of old versions have names");
	is_str(value(t, GGML "tokens", 20), "<SPECIAL_20>", "others are numbered");
	is_str(value(t, GGML "tokens", 24 + 257), "\xc4\xa0t", "a token as bytes are written");
	is_str(value(t, GGML "token_type", 20), "3", "control");
	is_str(value(t, GGML "scores", 1), "0", "scores");
	is_str(value(t, GGML "merges", 3), "t he", "each way to cut a token in two,");
	is_str(value(t, GGML "merges", 4), "th e", "by the rank of the left part");
	is_str(value(t, GGML "padding_token_id", 0), "11", "pad");
	is_str(value(t, GGML "add_bos_token", 0), "true", "bos is added");
	is_str(value(t, "tokenizer.chat_template", 0), "mistral-v3-tekken", "the template by its name");
	is_str(ids_of(t, "the in"), "1 283 56 285", "ids; a space that begins no token stands alone");
	is_str(ids_of(t, "aaaaa"), "1 287 288", "the lowest rank first, and of equals the leftmost");
	tokenizer_close(t);
	t = open_with("mistral", NULL, -1, "{}", &err);
	is_str(t ? value(t, "tokenizer.chat_template", 0) : "", "x\n", "in Mistral's own layout the template beside it");
	tokenizer_close(t);
	clear();
	put_copy("tokenizer.model.v3", "testdata/spm/good-bpe.model");
	put_copy("tokenizer.model.v7", "testdata/spm/good-bpe.model");
	t = open_with("mistral", NULL, 400, "{}", &err);
	ok(t, "a SentencePiece model: %s", err.text);
	is_str(t ? value(t, "tokenizer.chat_template", 0) : "", "mistral-v7", "the last one counts");
	is_str(t ? value(t, GGML "pre", 0) : "", "none", "no pre-tokenizer");
	tokenizer_close(t);
}

static void tiktoken_rows(void)
{
	struct heft_err err;
	struct tokenizer *t;

	clear();
	put_copy("qwen.tiktoken", "testdata/tiktoken/good-order.tiktoken");
	is_str(tokenizer_kind(dir), "tiktoken", "kind");
	t = open_with("qwen", "qwen2", 500, "{}", &err);
	ok(t, "qwen.tiktoken: %s", err.text);
	if (!t)
		return;
	is_int(tokenizer_count(t), 258 + 208, "ranks and special tokens");
	is_str(value(t, GGML "merges", 0), "\xc4\xa0 t", "merges in the order of the lines");
	is_str(value(t, GGML "tokens", 258), "<|endoftext|>", "the first special token");
	is_str(value(t, GGML "tokens", 465), "<|extra_204|>", "the last one");
	is_str(value(t, GGML "token_type", 466), "5", "padding");
	is_str(value(t, GGML "eos_token_id", 0), "258", "eos where the files name none");
	is_str(ids_of(t, "th<|im_end|>"), "256 260", "special tokens in a text count");
	tokenizer_close(t);
	t = open_with("qwen", NULL, 500, "{}", &err);
	is_int(err.code, HEFT_E_PRETOKENIZER, "a vocabulary that is not known: %s", err.text);
	clear();
	put_copy("tiktoken.model", "testdata/tiktoken/good-ranks.tiktoken");
	put("tokenizer_config.json", "{\"added_tokens_decoder\":{\"267\":{\"content\":\"[EOS]\",\"special\":true}}}");
	t = open_with("kimi", "kimi-k2", 300, "{\"eos_token_id\":267}", &err);
	ok(t, "tiktoken.model: %s", err.text);
	is_str(t ? value(t, GGML "tokens", 267) : "", "[EOS]", "a token that tokenizer_config.json names");
	is_str(t ? value(t, GGML "tokens", 299) : "", "<|reserved_token_299|>", "a reserved one, up to the last row");
	tokenizer_close(t);
	clear();
	put_copy("tokenizer.model", "testdata/tiktoken/good-ranks.tiktoken");
	t = open_with("llama3", "llama-bpe", -1, "{}", &err);
	ok(t, "Meta's tokenizer.model: %s", err.text);
	is_str(t ? value(t, GGML "tokens", 266 + 9) : "", "<|eot_id|>", "Llama 3's names");
	is_str(t ? ids_of(t, "the<|eot_id|>") : "", "266 259 275", "bos before the text");
	tokenizer_close(t);
	t = open_with("llama3", "llama-bpe", 100, "{}", &err);
	is_int(err.code, HEFT_E_VOCAB_SIZE, "more tokens than rows: %s", err.text);
}

static void templates(void)
{
	struct arena *a = arena_new();

	clear();
	put("tokenizer_config.json", "{}");
	put("chat_template.jinja", "a\r\nb\rc\n");
	is_str(tokenizer_chat_template(dir, a).p, "a\nb\nc\n", "line ends of a template file");
	put("tokenizer_config.json", "{\"chat_template\":\"own\\r\\n\"}");
	is_str(tokenizer_chat_template(dir, a).p, "own\r\n", "tokenizer_config.json's template counts first, as it is");
	put("tokenizer_config.json", "{\"chat_template\":null}");
	is_str(tokenizer_chat_template(dir, a).p, NULL, "null is none");
	arena_free(a);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 99;
	samples("testdata/tokenizer_json", "tokenizer.json", "bpe");
	samples("testdata/spm", "tokenizer.model", "spm");
	samples("testdata/tekken", "tekken.json", "tekken");
	samples("testdata/tiktoken", "qwen.tiktoken", "qwen");
	bpe_rows();
	files_of_a_class();
	spm_rows();
	wordpiece_rows();
	unigram_rows();
	tekken_rows();
	tiktoken_rows();
	templates();
	clear();
	rmdir(dir);
	return done();
}
