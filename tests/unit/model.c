/* Opening checkpoints: what a path means, names, the Hub cache, streams, problems told one by one; and checking one. */
#include "base/sha256.h"
#include "heft.h"
#include "tests/tap.h"

#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAMPLES "testdata/samples/"

static char root[PATH_MAX];

static const char *at(const char *fmt, ...)
{
	static char path[4][PATH_MAX];
	static int turn;
	char *p = path[turn++ % 4];
	int n = snprintf(p, PATH_MAX, "%s/", root);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p + n, PATH_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	return p;
}

static void run(const char *fmt, ...)
{
	char command[4 * PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof command, fmt, ap);
	va_end(ap);
	if (system(command))
		printf("# failed: %s\n", command);
}

static struct heft_model *opened(const char *path)
{
	struct heft_model *m = NULL;
	struct heft_err err = { 0 };

	if (heft_open(&m, path, NULL, &err))
		printf("# %s: E%d %s\n", path, err.code, err.text);
	return m;
}

static int code_of(const char *path)
{
	struct heft_model *m = NULL;
	struct heft_err err = { 0 };

	heft_open(&m, path, NULL, &err);
	heft_close(m);
	return err.code;
}

struct told {
	int n, warnings, of[1000];
};

static void note(void *ctx, const struct heft_problem *p)
{
	struct told *t = ctx;

	t->n += !p->warning;
	t->warnings += p->warning;
	t->of[p->code]++;
	printf("# E%d %s %s: %s\n", p->code, p->file ? p->file : "", p->tensor ? p->tensor : "", p->text);
}

/* ---- what a path means ---- */

static void directories(void)
{
	struct heft_model *m = opened("testdata/kjv-llama");

	ok(m && m->n_tensors == 39 && m->n_files == 1, "a directory opens");
	is_str(m ? m->name : NULL, "kjv-llama", "it is named by its own name");
	is_str(m ? m->dir : NULL, "testdata/kjv-llama", "config.json lies there");
	heft_close(m);
	m = opened("testdata/kjv-llama/model.safetensors");
	is_str(m ? m->dir : NULL, "testdata/kjv-llama", "beside a lone file too");
	is_str(m ? m->name : NULL, "kjv-llama", "a file called model is named by its folder");
	heft_close(m);
	m = opened(SAMPLES "good-one.safetensors");
	ok(m && !m->dir, "a lone file without config.json has no directory");
	is_str(m ? m->name : NULL, "good-one", "and is named by itself");
	heft_close(m);
}

static void sets(void)
{
	static const char *const ways[] = {
	    "good-sharded",
	    "good-sharded/model.safetensors.index.json",
	    "good-sharded/model-00002-of-00002.safetensors",
	    "good-no-index",
	    "good-no-index/model-00001-of-00002.safetensors",
	    "good-split",
	    "good-split/m-00002-of-00002.gguf",
	};

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		char path[256];
		struct heft_model *m;

		snprintf(path, sizeof path, SAMPLES "%s", ways[i]);
		m = opened(path);
		ok(m && m->n_files == 2 && m->n_tensors == 2 && !strcmp(m->tensor[0].name, "a") &&
		       m->tensor[1].plane[0].file == 1,
		   "%s leads to both files", ways[i]);
		if (m && !strcmp(m->format, "gguf"))
			ok(heft_model_find(m, "k") && !heft_model_find(m, "split.count"),
			   "metadata is the first part's, without split.*");
		heft_close(m);
	}
}

static void hub_cache(void)
{
	const char *repo = at("models--org--My-Model"), *rev = "0123456789abcdef0123456789abcdef01234567";
	char hex[65], data[4096];
	FILE *fp = fopen(SAMPLES "good-one.safetensors", "rb");
	size_t n = fread(data, 1, sizeof data, fp);
	struct heft_check_options deep = { .deep = true, .arch = "none" };
	struct told t = { 0 };
	struct heft_model *m;
	struct heft_err err;

	fclose(fp);
	sha256_hex(data, n, hex);
	run("mkdir -p '%s/blobs' '%s/snapshots/%s' '%s/refs'", repo, repo, rev, repo);
	run("cp " SAMPLES "good-one.safetensors '%s/blobs/%s'", repo, hex);
	run("ln -s ../../blobs/%s '%s/snapshots/%s/model.safetensors'", hex, repo, rev);
	run("printf %s >'%s/refs/main'", rev, repo);
	m = opened(repo);
	is_str(m ? m->name : NULL, "My-Model", "a folder of the Hub cache leads to its snapshot");
	heft_close(m);
	m = opened(at("models--org--My-Model/snapshots/%s", rev));
	is_str(m ? m->name : NULL, "My-Model", "a snapshot is named by its repository");
	heft_close(m);
	deep.ctx = &t;
	ok(!heft_check(repo, &deep, note, NULL, &err) && !t.of[HEFT_E_CHECKSUM], "its sha256 is right");
	run("printf x | dd of='%s/blobs/%s' bs=1 seek=%zu conv=notrunc 2>/dev/null", repo, hex, n - 1);
	ok(!heft_check(repo, &deep, note, NULL, &err) && t.of[HEFT_E_CHECKSUM] == 1, "and wrong, when a byte changes");
	run("rm '%s/blobs/%s'", repo, hex);
	ok(code_of(repo) == HEFT_E_SHARD_MISSING || code_of(repo) == HEFT_E_OPEN, "a link to nowhere is told");
	run("mkdir '%s/snapshots/other' && rm '%s/refs/main'", repo, repo);
	is_int(code_of(repo), HEFT_E_OPEN, "one of two snapshots must be named");
}

/* ---- streams ---- */

static struct heft_model *from_stdin(const char *path, const char *config_dir, struct heft_err *err)
{
	struct heft_open_options o = { .config_dir = config_dir, .spool = 1 << 16 };
	struct heft_model *m = NULL;
	char command[PATH_MAX];
	FILE *fp;

	snprintf(command, sizeof command, "cat '%s'", path);
	fp = popen(command, "r");
	dup2(fileno(fp), 0);
	heft_open(&m, "-", &o, err);
	return m; /* the pipe stays open: the model reads from it */
}

static void streams(void)
{
	struct heft_err err = { 0 };
	struct heft_model *m = from_stdin("testdata/kjv-llama/model.safetensors", "testdata/kjv-llama", &err);

	ok(m && m->n_tensors == 39 && m->file[0].size == UINT64_MAX, "a safetensors stream is listed");
	is_str(m ? m->dir : NULL, "testdata/kjv-llama", "its configuration lies where it was said");
	heft_close(m);
	m = from_stdin(SAMPLES "good-every-value.gguf", NULL, &err);
	ok(m && m->n_kv == 16 && !m->dir, "a GGUF stream is listed");
	heft_close(m);
	m = from_stdin(SAMPLES "bad-E202-kv-count.gguf", NULL, &err);
	ok(!m && err.code, "2^61 keys of a stream are refused");
	m = from_stdin(SAMPLES "bad-E202-string-length.gguf", NULL, &err);
	ok(!m && err.code, "so is a string of 2^63 bytes");
	m = from_stdin(SAMPLES "bad-E203-header-length-100mb.safetensors", NULL, &err);
	ok(!m && err.code == HEFT_E_HEADER, "and a header above 100 MB");
	m = from_stdin(SAMPLES "bad-E201-html.gguf", NULL, &err);
	ok(!m && err.code == HEFT_E_MAGIC && strstr(err.text, "HTML"), "a web page is called so");
	m = from_stdin(SAMPLES "good-split/m-00001-of-00002.gguf", NULL, &err);
	ok(!m && err.code == HEFT_E_OPTION, "a part of a set cannot be streamed");
}

/* ---- problems ---- */

static void problems_are_listed(void)
{
	struct told t = { 0 };
	struct heft_open_options o = { .problem = note, .ctx = &t };
	struct heft_model *m = NULL;
	struct heft_err err = { 0 };

	run("mkdir '%s'", at("ill"));
	run("cp " SAMPLES "good-sharded/model-00001* '%s/model-00001-of-00004.safetensors'", at("ill"));
	run("cp " SAMPLES "bad-E213-lfs.safetensors '%s/model-00002-of-00004.safetensors'", at("ill"));
	run("cp " SAMPLES "good-one.safetensors '%s/model-00004-of-00005.safetensors'", at("ill"));
	run("printf "
	    "'{\"metadata\":{\"total_size\":99},\"weight_map\":{\"x\":\"model-00001-of-00004.safetensors\",\"b\":"
	    "\"model-00002-of-00004.safetensors\","
	    "\"c\":\"model-00003-of-00004.safetensors\"}}' >'%s/model.safetensors.index.json'",
	    at("ill"));
	ok(!heft_open(&m, at("ill"), &o, &err), "with a problem function, opening goes on");
	is_int(t.of[HEFT_E_SHARD_MISSING], 1, "a missing shard is told");
	is_int(t.of[HEFT_E_LFS_POINTER], 1, "a Git LFS pointer too");
	is_int(t.of[HEFT_E_SHARD_EXTRA], 1, "and a shard too many");
	is_int(t.of[HEFT_E_INDEX_MISMATCH], 2,
	       "a is not in the index, x not in the shard; nothing is said of shards that were not read");
	ok(m && m->missing_shards == 1 && m->n_files == 1 && m->index_total_size == 99, "the model says what it lacks");
	heft_close(m);
	is_int(code_of(at("ill")), HEFT_E_SHARD_MISSING, "without one, the first is the error");
	is_int(code_of(at("nothing-here")), HEFT_E_OPEN, "a path that is not there is told");
}

/* ---- modules beside a model ---- */

static void list_modules(const char *folder)
{
	run("printf '[{\"type\": \"x.Pooling\", \"path\": \"1_Pooling\"}, {\"type\": \"x.Dense\", \"path\": \"%s\"},"
	    " {\"type\": \"x.Dense\", \"path\": \"3_Dense\"}]' >'%s'", folder, at("st/modules.json"));
}

static size_t tensors_of(const char *path, const struct heft_open_options *o, const char *last)
{
	struct heft_model *m = NULL;
	struct heft_err err = { 0 };
	size_t n = 0;

	if (!heft_open(&m, path, o, &err) && (!last || !strcmp(m->tensor[m->n_tensors - 1].name, last)))
		n = m->n_tensors;
	heft_close(m);
	return n;
}

static void modules_are_read_on_request(void)
{
	struct heft_open_options o = { .modules = true };
	struct heft_model *m = NULL;
	struct heft_err err = { 0 };
	char name[200];
	size_t n;

	run("mkdir '%s' '%s'", at("st"), at("st/2_Dense"));
	run("cp " SAMPLES "good-one.safetensors '%s'", at("st/model.safetensors"));
	run("cp " SAMPLES "good-one.safetensors '%s'", at("st/2_Dense/model.safetensors"));
	list_modules("2_Dense");
	n = tensors_of(at("st"), NULL, NULL);
	ok(n > 0, "without the option, modules are not read");
	if (!heft_open(&m, at("st"), NULL, &err))
		snprintf(name, sizeof name, "2_Dense/%s", m->tensor[m->n_tensors - 1].name);
	heft_close(m);
	is_int(tensors_of(at("st"), &o, name), 2 * (int64_t)n, "with it, their tensors stand behind the model's, under the folder's name");
	list_modules("../st");
	ok(heft_open(&m, at("st"), &o, &err) && err.code == HEFT_E_CONFIG, "a folder elsewhere is refused: %s", err.text);
	run("printf '[' >'%s'", at("st/modules.json"));
	ok(heft_open(&m, at("st"), &o, &err), "a list that is no JSON is refused: %s", err.text);
}

/* ---- heft_check ---- */

static void write_floats(const char *path, const char *header, const float *v, size_t n)
{
	uint64_t length = strlen(header);
	FILE *fp = fopen(path, "wb");

	fwrite(&length, 8, 1, fp);
	fwrite(header, 1, length, fp);
	fwrite(v, 4, n, fp);
	fclose(fp);
}

/* Mistral's own layout beside Hugging Face's, or alone. */
static void mistral_layout(void)
{
	const struct heft_open_options own = { .mistral_format = true };
	struct heft_model *m;
	struct heft_err err;

	run("mkdir '%s'", at("own"));
	run("cp " SAMPLES "good-one.safetensors '%s'", at("own/consolidated.safetensors"));
	run("printf '{\"dim\": 64, \"architectures\": 1}\n' >'%s'", at("own/params.json"));
	m = opened(at("own"));
	ok(m && m->config && strstr(m->config, "\"dim\": 64, \"architectures\": 1,\"architectures\":[\"MistralConsolidated\"]}"), "params.json becomes the configuration");
	heft_close(m);
	m = opened(at("own/consolidated.safetensors"));
	ok(m && m->config, "the file stands for its directory");
	heft_close(m);
	run("printf '{\"moe\":{},\"qk_rope_head_dim\":8}' >'%s'", at("own/params.json"));
	m = opened(at("own"));
	ok(m && m->config && strstr(m->config, "MistralMoeConsolidated"), "with experts and latent attention another class");
	heft_close(m);
	run("printf '[]' >'%s'", at("own/params.json"));
	ok(heft_open(&m, at("own"), NULL, &err) && err.code == HEFT_E_CONFIG, "params.json is no object");
	run("printf '{}' >'%s'", at("own/params.json"));
	run("cp " SAMPLES "good-one.safetensors '%s'", at("own/model.safetensors"));
	run("printf '{}' >'%s'", at("own/config.json"));
	m = opened(at("own"));
	ok(m && !m->config, "of both layouts Hugging Face's");
	heft_close(m);
	ok(!heft_open(&m, at("own"), &own, &err) && m->config && strstr(m->config, "{\"architectures\""), "or Mistral's, where it is asked for");
	heft_close(m);
	run("rm '%s'", at("own/params.json"));
	ok(heft_open(&m, at("own"), &own, &err) && err.code == HEFT_E_OPEN, "which must be there then: %s", err.text);
}

static void checks_values(void)
{
	static float v[70000];
	struct heft_check_options o = { .deep = true, .threads = 3 };
	struct told t = { 0 };
	struct heft_err err = { 0 };
	size_t errors = 0;

	v[0] = 1;
	v[69000] = (float)0x7fffffffffffff; /* becomes NaN below */
	memcpy(&v[69000], "\0\0\xc0\x7f", 4);
	run("mkdir '%s'", at("values"));
	write_floats(at("values/model.safetensors"),
		     "{\"a\":{\"dtype\":\"F32\",\"shape\":[7,9990],\"data_offsets\":[0,279720]},"
		     "\"zero\":{\"dtype\":\"F32\",\"shape\":[7,10],\"data_offsets\":[279720,280000]}}", v, 70000);
	run("printf '<html>' >'%s'", at("values/config.json"));
	run("printf 'version https://git-lfs.github.com/spec/v1\\n' >'%s'", at("values/tokenizer.model"));
	o.ctx = &t;
	ok(!heft_check(at("values"), &o, note, &errors, &err), "a directory is checked");
	is_int(t.of[HEFT_E_NONFINITE], 1, "one tensor holds a NaN");
	is_int(t.of[HEFT_E_ZERO], 1, "one is all zeros");
	is_int(t.of[HEFT_E_MAGIC], 1, "config.json is a web page");
	is_int(t.of[HEFT_E_LFS_POINTER], 1, "tokenizer.model is a Git LFS pointer");
	is_int(errors, t.n, "the errors are counted");
	ok(heft_check(at("nothing-here"), &o, note, &errors, &err) && err.code == HEFT_E_OPEN,
	   "what is not there cannot be checked");
}

static void counts_progress(void *ctx, const struct heft_progress *p)
{
	if (p->done == p->total)
		++*(int *)ctx;
}

static void ignore(void *ctx, const struct heft_problem *p)
{
}

static void checks_a_good_model(void)
{
	int finished = 0, stop = 1;
	struct heft_check_options o = { .deep = true, .arch = "none", .progress = counts_progress, .ctx = &finished };
	struct heft_err err = { 0 };
	size_t errors = 1;

	ok(!heft_check("testdata/kjv-llama", &o, ignore, &errors, &err) && !errors,
	   "nothing is wrong with a good model");
	ok(finished > 0, "progress came to its end");
	o.stop = &stop;
	ok(heft_check("testdata/kjv-llama", &o, ignore, &errors, &err) && err.code == HEFT_E_KILLED,
	   "a signal stops it");
}

int main(void)
{
	strcpy(root, "/tmp/heft-model-XXXXXX");
	if (!mkdtemp(root))
		return 1;
	directories();
	sets();
	hub_cache();
	problems_are_listed();
	modules_are_read_on_request();
	mistral_layout();
	checks_values();
	checks_a_good_model();
	streams();
	run("rm -rf '%s'", root);
	return done();
}
