/*
 * info.c owns the tool that says what a checkpoint is, from headers and configuration only: instant on any size.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

struct options {
	const char *arch, *config, *key, *tokenize, *machine;
	bool tensors, metadata, full, json;
};

#define FIELD(name) offsetof(struct options, name)

static const struct opt rows[] = {
	{ OPT_FLAG, 0, "tensors", NULL, NULL, "list every tensor (default: count them)", FIELD(tensors) },
	{ OPT_FLAG, 0, "metadata", NULL, NULL, "list every metadata key (default: count them)", FIELD(metadata) },
	{ OPT_FLAG, 0, "full", NULL, NULL, "long arrays and texts in full (default: their beginning)", FIELD(full) },
	{ OPT_STRING, 0, "arch", "FILE", "none|file",
	  "family file for this model; none asks no family (default: by config.json)", FIELD(arch) },
	{ OPT_STRING, 0, "config", "DIR", "dir",
	  "where config.json and the tokenizer are, for a lone file or a stream (default: beside SRC)", FIELD(config) },
	{ OPT_STRING, 0, "key", "PATH", NULL,
	  "which of a PyTorch training checkpoint's nested dicts holds the weights, as in model.module (default: the usual one)",
	  FIELD(key) },
	{ OPT_STRING, 0, "tokenize", "TEXT", NULL,
	  "print the ids that the checkpoint's tokenizer gives TEXT, and nothing else; - reads standard input (default: none)", FIELD(tokenize) },
	{ OPT_STRING, 0, "for", "MACHINE", NULL,
	  "say whether the model fits what the GPU of a machine may hold, as in \"mac 16G\" or \"iphone 8G ctx=4k kv=q8_0\" (default: no machine)",
	  FIELD(machine) },
	{ OPT_FLAG, 0, "json", NULL, NULL, "print everything as JSON", FIELD(json) },
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

struct type_count {
	const struct heft_encoding *enc;
	uint64_t tensors, weights, bytes;
};

struct view { /* what both the text and the JSON show */
	const struct options *o;
	struct heft_model *m;
	struct heft_facts facts;
	struct heft_err no_family;  /* why the family is not known; code 0 where it is */
	struct type_count type[256]; /* more than there are encodings */
	size_t n_types;
	uint64_t weights, bytes;
	const struct machine_fit *fit; /* or NULL */
};

static uint64_t tensor_bytes(const struct heft_tensor *t)
{
	uint64_t n = 0;

	for (int i = 0; i < t->n_planes; i++)
		n += t->plane[i].size;
	return n;
}

static void count_tensor(struct view *v, const struct heft_tensor *t)
{
	struct type_count *c = v->type;

	while (c < v->type + v->n_types && strcmp(heft_encoding_name(c->enc), heft_encoding_name(t->enc)))
		c++;
	if (c == v->type + sizeof v->type / sizeof *v->type)
		return;
	if (c == v->type + v->n_types)
		v->type[v->n_types++] = (struct type_count){ .enc = t->enc };
	c->tensors++;
	c->weights += heft_tensor_count(t);
	c->bytes += tensor_bytes(t);
	v->weights += heft_tensor_count(t);
	v->bytes += tensor_bytes(t);
}

static int more_bytes(const void *a, const void *b)
{
	const struct type_count *x = a, *y = b;

	return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

static void look(struct view *v)
{
	if (heft_model_facts(v->m, v->o->arch, &v->facts, &v->no_family)) {
		v->facts = (struct heft_facts){ .kv = v->m->kv, .n_kv = v->m->n_kv };
		if (!v->no_family.code)
			v->no_family.code = HEFT_E_FAMILY;
	}
	for (size_t i = 0; i < v->m->n_tensors; i++)
		count_tensor(v, &v->m->tensor[i]);
	qsort(v->type, v->n_types, sizeof *v->type, more_bytes);
	if (!v->facts.parameters)
		v->facts.parameters = v->weights;
	if (!v->facts.name)
		v->facts.name = v->m->name ? v->m->name : v->m->path;
}

/* ---- text ---- */

static void label(const char *name)
{
	printf("  %s%-12s%s  ", style(stdout, DIM), name, style(stdout, PLAIN));
}

static void line(const char *name, const char *value)
{
	if (!value)
		return;
	label(name);
	safe_puts(stdout, value);
	putchar('\n');
}

static void print_family(const struct view *v)
{
	const struct heft_facts *f = &v->facts;

	if (v->no_family.code) {
		label("family");
		printf("%sunknown:%s ", style(stdout, YELLOW), style(stdout, PLAIN));
		safe_puts(stdout, v->no_family.text);
		putchar('\n');
		return;
	}
	line("family", f->family);
	if (!f->layers)
		return;
	label("shape");
	printf("%" PRIu64 " layers, width %" PRIu64 ", feed-forward %" PRIu64 ", %" PRIu64 " heads", f->layers,
	       f->embedding, f->feed_forward, f->heads);
	if (f->kv_heads && f->kv_heads != f->heads)
		printf(" (%" PRIu64 " for keys and values)", f->kv_heads);
	putchar('\n');
	if (!f->experts)
		return;
	label("experts");
	printf("%" PRIu64 ", %" PRIu64 " used per token\n", f->experts, f->experts_used);
}

static void print_parameters(const struct view *v)
{
	const struct heft_facts *f = &v->facts;

	if (!f->parameters && v->m->missing_shards)
		return;
	label("parameters");
	printf("%s", human_count(f->parameters).s);
	if (f->active_parameters && f->active_parameters != f->parameters)
		printf(", %s active per token", human_count(f->active_parameters).s);
	putchar('\n');
}

static void print_size(const struct view *v)
{
	label("size");
	printf("%s (%" PRIu64 " bytes), %s, %zu file%s", human_bytes(v->bytes).s, v->bytes, v->m->format, v->m->n_files,
	       v->m->n_files == 1 ? "" : "s");
	if (v->weights)
		printf(", %.2f bits per weight", 8 * (double)v->bytes / (double)v->weights);
	putchar('\n');
	for (size_t i = 0; i < v->n_types; i++) {
		const struct type_count *c = &v->type[i];
		label(i ? "" : "types");
		printf("%-6s %5.1f%%  %s in %" PRIu64 " tensor%s\n", heft_encoding_name(c->enc),
		       v->bytes ? 100 * (double)c->bytes / (double)v->bytes : 0, human_bytes(c->bytes).s, c->tensors,
		       c->tensors == 1 ? "" : "s");
	}
}

static void print_missing(const struct heft_model *m)
{
	if (!m->missing_shards)
		return;
	label("missing");
	printf("%s%" PRIu64 " file%s%s ('heft check' lists what)", style(stdout, YELLOW),
	       m->missing_shards, m->missing_shards == 1 ? "" : "s", style(stdout, PLAIN));
	if (m->index_total_size)
		printf(", %s when complete", human_bytes(m->index_total_size).s);
	putchar('\n');
}

static void print_tokenizer(const struct heft_facts *f)
{
	if (f->context) {
		label("context");
		printf("%" PRIu64 " tokens\n", f->context);
	}
	if (f->tokenizer) {
		label("tokenizer");
		safe_puts(stdout, f->tokenizer);
		if (f->pre_tokenizer) {
			fputs(", pre-tokenizer ", stdout);
			safe_puts(stdout, f->pre_tokenizer);
		}
		if (f->vocabulary)
			printf(", %" PRIu64 " tokens", f->vocabulary);
		putchar('\n');
	}
	if (f->chat_template) {
		label("chat");
		printf("template of %s\n", human_bytes(strlen(f->chat_template)).s);
	}
}

static void print_tensors(const struct view *v)
{
	static const char *const head[] = { "tensor", "type", "shape", "bytes", "file" };
	struct table t;

	table_init(&t, "lllrl", head);
	for (size_t i = 0; i < v->m->n_tensors; i++) {
		const struct heft_tensor *x = &v->m->tensor[i];
		const char *path = x->n_planes ? v->m->file[x->plane[0].file].path : "-", *slash = strrchr(path, '/');
		table_add(&t, "%s", x->name);
		table_add(&t, "%s", heft_encoding_name(x->enc));
		table_add(&t, "%s", human_dims(x->dim, x->rank).s);
		table_add(&t, "%" PRIu64, tensor_bytes(x));
		table_add(&t, "%s", slash && slash[1] ? slash + 1 : path);
	}
	table_print(&t, stdout, 2);
}

static void print_metadata(const struct view *v)
{
	const struct heft_facts *f = &v->facts;

	for (size_t i = 0; i < f->n_kv; i++) {
		const struct heft_value *x = &f->kv[i].value;
		fputs("  ", stdout);
		safe_puts(stdout, f->kv[i].key);
		printf("%s %s%s%s = ", style(stdout, DIM), show_type(x), x->array ? "[]" : "", style(stdout, PLAIN));
		show_value(stdout, x, v->o->full ? SIZE_MAX : 8);
		putchar('\n');
	}
}

/* What the model says, by its proper name where that is known, and where to look. */
static void print_licence(const struct view *v)
{
	const struct heft_licence *l = heft_model_licence(v->m, &v->facts);
	const char *said = v->facts.license;

	if (!l) {
		line("license", said);
		return;
	}
	label("license");
	if (said) {
		safe_puts(stdout, said);
		fputs(": ", stdout);
	}
	printf("%s\n", l->name);
	label("look at");
	printf("%s\n", l->conditions);
	if (l->link)
		line("", l->link);
}

static void print_view(const struct view *v)
{
	fputs(style(stdout, BOLD), stdout);
	safe_puts(stdout, v->facts.name);
	printf("%s\n", style(stdout, PLAIN));
	print_family(v);
	print_parameters(v);
	print_size(v);
	print_missing(v->m);
	print_tokenizer(&v->facts);
	print_licence(v);
	if (v->fit)
		machine_print(v->fit);
	label("tensors");
	printf("%zu%s\n", v->m->n_tensors, v->o->tensors ? "" : " (--tensors lists them)");
	if (v->o->tensors)
		print_tensors(v);
	label("metadata");
	printf("%zu key%s%s\n", v->facts.n_kv, v->facts.n_kv == 1 ? "" : "s",
	       v->o->metadata ? "" : " (--metadata lists them)");
	if (v->o->metadata)
		print_metadata(v);
}

/* ---- JSON ---- */

static void json_files(struct emitter *w, const struct heft_model *m)
{
	emit_open(w, "files", '[');
	for (size_t i = 0; i < m->n_files; i++) {
		emit_open(w, NULL, '{');
		emit_text(w, "path", m->file[i].path);
		emit_text(w, "format", m->file[i].format);
		if (m->file[i].size == UINT64_MAX)
			emit_text(w, "size", NULL);
		else
			emit_number(w, "size", m->file[i].size);
		emit_close(w, '}');
	}
	emit_close(w, ']');
}

static void json_licence(struct emitter *w, const struct heft_licence *l)
{
	if (!l)
		return;
	emit_open(w, "license_known", '{');
	emit_text(w, "name", l->name);
	emit_text(w, "conditions", l->conditions);
	emit_text(w, "link", l->link);
	emit_close(w, '}');
}

static void json_facts(struct emitter *w, const struct heft_facts *f)
{
	const struct {
		const char *key;
		uint64_t n;
	} count[] = {
		{ "parameters", f->parameters },
		{ "active_parameters", f->active_parameters ? f->active_parameters : f->parameters },
		{ "context", f->context },
		{ "layers", f->layers },
		{ "embedding", f->embedding },
		{ "feed_forward", f->feed_forward },
		{ "heads", f->heads },
		{ "kv_heads", f->kv_heads },
		{ "experts", f->experts },
		{ "experts_used", f->experts_used },
		{ "vocabulary", f->vocabulary },
	};

	emit_text(w, "name", f->name);
	emit_text(w, "family", f->family);
	emit_text(w, "license", f->license);
	emit_text(w, "tokenizer", f->tokenizer);
	emit_text(w, "pre_tokenizer", f->pre_tokenizer);
	emit_text(w, "chat_template", f->chat_template);
	for (size_t i = 0; i < sizeof count / sizeof *count; i++)
		emit_number(w, count[i].key, count[i].n);
}

static void json_types(struct emitter *w, const struct view *v)
{
	emit_open(w, "types", '[');
	for (size_t i = 0; i < v->n_types; i++) {
		emit_open(w, NULL, '{');
		emit_text(w, "type", heft_encoding_name(v->type[i].enc));
		emit_number(w, "tensors", v->type[i].tensors);
		emit_number(w, "weights", v->type[i].weights);
		emit_number(w, "size", v->type[i].bytes);
		emit_close(w, '}');
	}
	emit_close(w, ']');
}

static void json_tensors(struct emitter *w, const struct heft_model *m)
{
	emit_open(w, "tensors", '[');
	for (size_t i = 0; i < m->n_tensors; i++) {
		const struct heft_tensor *t = &m->tensor[i];
		emit_open(w, NULL, '{');
		emit_text(w, "name", t->name);
		emit_text(w, "type", heft_encoding_name(t->enc));
		emit_dims(w, "shape", t->dim, t->rank);
		emit_number(w, "size", tensor_bytes(t));
		emit_open(w, "planes", '[');
		for (int k = 0; k < t->n_planes; k++) {
			emit_open(w, NULL, '{');
			emit_number(w, "file", t->plane[k].file);
			emit_number(w, "offset", t->plane[k].offset);
			emit_number(w, "size", t->plane[k].size);
			emit_close(w, '}');
		}
		emit_close(w, ']');
		emit_close(w, '}');
	}
	emit_close(w, ']');
}

static void json_view(const struct view *v)
{
	struct emitter w;

	emit_report(&w, "info");
	emit_text(&w, "path", v->m->path);
	emit_text(&w, "format", v->m->format);
	json_facts(&w, &v->facts);
	json_licence(&w, heft_model_licence(v->m, &v->facts));
	emit_text(&w, "family_error", v->no_family.code ? v->no_family.text : NULL);
	emit_number(&w, "size", v->bytes);
	emit_number(&w, "missing_shards", v->m->missing_shards);
	if (v->fit)
		machine_json(&w, v->fit);
	json_files(&w, v->m);
	json_types(&w, v);
	emit_metadata(&w, v->facts.kv, v->facts.n_kv, v->o->full);
	json_tensors(&w, v->m);
	emit_report_end(&w);
}

static void pass_over(void *ctx, const struct heft_problem *p)
{
	(void)ctx;
	(void)p;
}

/* A download that is under way is shown as far as it is there; any other fault is the error that it is. */
static int open_model(struct heft_model **m, const char *path, const struct options *o, struct heft_err *err)
{
	struct heft_open_options open = { .config_dir = o->config, .key = o->key };

	if (!heft_open(m, path, &open, err))
		return 0;
	if (err->code != HEFT_E_SHARD_MISSING)
		return -1;
	open.problem = pass_over;
	return heft_open(m, path, &open, err);
}

/* ---- --tokenize ---- */

enum { TEXT_LIMIT = 64 << 20 };

/* All of standard input. */
static char *read_input(size_t *n)
{
	size_t cap = 1 << 16;
	char *text = need(malloc(cap));

	*n = 0;
	while (*n < TEXT_LIMIT && !feof(stdin) && !ferror(stdin)) {
		if (*n == cap)
			text = need(realloc(text, cap *= 2));
		*n += fread(text + *n, 1, cap - *n, stdin);
	}
	return text;
}

static void print_tokens(const struct heft_token *t, size_t n)
{
	static const char *const head[] = { "id", "token" };
	struct table table;

	for (size_t i = 0; i < n; i++)
		printf("%s%d", i ? " " : "", t[i].id);
	puts(n ? "\n" : "");
	table_init(&table, "rl", head);
	for (size_t i = 0; i < n; i++) {
		table_add(&table, "%d", t[i].id);
		table_add(&table, "%s", t[i].text.p);
	}
	table_print(&table, stdout, 0);
}

static void json_tokens(const struct heft_token *t, size_t n)
{
	struct emitter w;

	emit_report(&w, "info");
	emit_open(&w, "ids", '[');
	for (size_t i = 0; i < n; i++)
		emit_integer(&w, NULL, t[i].id);
	emit_close(&w, ']');
	emit_open(&w, "tokens", '[');
	for (size_t i = 0; i < n; i++)
		emit_bytes(&w, NULL, t[i].text);
	emit_close(&w, ']');
	emit_report_end(&w);
}

static int tokenize(struct heft_model *m, const struct options *o)
{
	bool from_input = !strcmp(o->tokenize, "-");
	struct heft_str text = { o->tokenize, strlen(o->tokenize) };
	struct heft_token *t;
	struct heft_err err = { 0 };
	size_t n;
	int rc;

	if (from_input)
		text.p = read_input(&text.n);
	rc = heft_tokenize(m, o->arch, text, &t, &n, &err) ? fail(&err) : EXIT_DONE;
	if (rc == EXIT_DONE && o->json)
		json_tokens(t, n);
	else if (rc == EXIT_DONE)
		print_tokens(t, n);
	if (from_input)
		free((char *)text.p);
	return rc;
}

/* Of a download that is under way, the bytes when it is complete. */
static int look_for(struct view *v, struct machine_fit *fit, struct heft_err *err)
{
	uint64_t bytes = v->m->missing_shards && v->m->index_total_size > v->bytes ? v->m->index_total_size : v->bytes;

	if (!v->o->machine)
		return 0;
	v->fit = fit;
	return machine_fit(fit, v->o->machine, bytes, &v->facts, err);
}

static int run(void *options, const struct list *args)
{
	const struct options *o = options;
	struct heft_err err = { 0 };
	struct view v = { .o = o };
	struct machine_fit fit;
	int rc;

	if (o->tokenize && !strcmp(o->tokenize, "-") && !strcmp(args->v[0], "-"))
		return misuse("standard input is either SRC or TEXT");
	if (open_model(&v.m, args->v[0], o, &err))
		return fail(&err);
	if (o->tokenize) {
		rc = tokenize(v.m, o);
		heft_close(v.m);
		return rc;
	}
	look(&v);
	rc = look_for(&v, &fit, &err) ? fail(&err) : EXIT_DONE;
	if (rc == EXIT_DONE && o->json)
		json_view(&v);
	else if (rc == EXIT_DONE)
		print_view(&v);
	heft_close(v.m);
	return rc;
}

const struct tool tool_info = {
	.name = "info",
	.about = "say what a checkpoint is: family, parameters, types, licence, tensors, metadata",
	.usage = "SRC [--tensors] [--metadata] [--full] [--json] [OPTION]...",
	.details = "SRC is a Hugging Face directory, a Hub cache snapshot, a safetensors, PyTorch or GGUF file, one part of a "
		   "split set, or - for a stream. Only headers and configuration are read, so that this takes no time "
		   "on any size.\n\n"
		   "heft info ~/models/Llama-3.1-8B --tokenize 'In the beginning'",
	.operand = "file|dir",
	.min_args = 1,
	.max_args = 1,
	.opt = rows,
	.size = sizeof(struct options),
	.run = run,
};
