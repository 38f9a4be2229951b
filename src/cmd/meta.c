/*
 * meta.c owns the tool that looks at metadata and changes it: in the file where one write does it, else by a new file in its place.
 */
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heft_meta.h"
#include "manifest.h"
#include "page.h"

struct options {
	struct list only;
	const char *output;
	bool dry_run, force, json, quiet, manifest;
};

#define FIELD(name) offsetof(struct options, name)

static const struct opt rows[] = {
	{ OPT_STRING, 'o', "output", "OUT", "file", "write a new file, FILE stays (default: change FILE)", FIELD(output) },
	{ OPT_FLAG, 'n', "dry-run", NULL, NULL, "print what would change and how, write nothing", FIELD(dry_run) },
	{ OPT_FLAG, 'f', "force", NULL, NULL, "change also keys that say what the tensors mean; replace OUT where it exists (default: refuse)",
	  FIELD(force) },
	{ OPT_LIST, 0, "only", "PATTERN", NULL,
	  "import these keys alone; may be repeated (default: all but those about the tensors)", FIELD(only) },
	{ OPT_FLAG, 0, "manifest", NULL, NULL,
	  "write the file's manifest anew: OUT.manifest.json, or heft-manifest.json of its directory; reads the whole file (default: a manifest stays as it is)",
	  FIELD(manifest) },
	{ OPT_FLAG, 0, "json", NULL, NULL, "print keys or changes as JSON", FIELD(json) },
	{ OPT_FLAG, 'q', "quiet", NULL, NULL, "print nothing but errors and warnings", FIELD(quiet) },
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

/* ---- get ---- */

/* Whether the key is asked for by one of the patterns; *found: those that did. */
static bool asked(const struct list *args, const char *key, bool *found)
{
	bool any = args->n == 2;

	for (size_t i = 2; i < args->n; i++)
		if (!fnmatch(args->v[i], key, 0))
			any = found[i] = true;
	return any;
}

/* A text by itself as it is, so that a chat template can go into a file. */
static void print_key(const struct heft_kv *kv, bool alone)
{
	if (!alone) {
		safe_puts(stdout, kv->key);
		printf(" %s%s = ", show_type(&kv->value), kv->value.array ? "[]" : "");
	}
	if (alone && !kv->value.array && kv->value.type == HEFT_STRING)
		fwrite(kv->value.s.p, 1, kv->value.s.n, stdout);
	else
		show_value(stdout, &kv->value, SIZE_MAX);
	putchar('\n');
}

static int no_key(const struct heft_model *m, const char *key)
{
	struct heft_err err = { .code = HEFT_E_PATTERN };
	const char *near = NULL;
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < m->n_kv; i++)
		if (word_nearer(key, m->kv[i].key, &best))
			near = m->kv[i].key;
	if (near)
		snprintf(err.text, sizeof err.text, "%s: has no key '%s', did you mean '%s'?", m->path, key, near);
	else
		snprintf(err.text, sizeof err.text, "%s: has no key '%s'; 'heft meta get' lists them", m->path, key);
	return fail(&err);
}

static void print_found(const struct heft_kv *kv, size_t n, bool alone, bool json)
{
	struct emitter w;

	if (json) {
		emit_report(&w, "meta");
		emit_metadata(&w, kv, n, true);
		emit_report_end(&w);
		return;
	}
	for (size_t i = 0; i < n; i++)
		print_key(&kv[i], alone && n == 1);
}

static int print_keys(const struct heft_model *m, const struct options *o, const struct list *args)
{
	struct heft_kv *kv = need(malloc((m->n_kv + 1) * sizeof *kv));
	bool *found = need(calloc(args->n, sizeof *found));
	int status = EXIT_DONE;
	size_t n = 0;

	for (size_t i = 0; i < m->n_kv; i++)
		if (asked(args, m->kv[i].key, found))
			kv[n++] = m->kv[i];
	for (size_t i = 2; i < args->n && !status; i++)
		if (!found[i])
			status = no_key(m, args->v[i]);
	if (!status)
		print_found(kv, n, args->n == 3, o->json);
	free(found);
	free(kv);
	return status;
}

static int get(void *options, const struct list *args)
{
	const struct options *o = options;
	struct heft_open_options as_stored = { .as_stored = true };
	struct heft_err err = { 0 };
	struct heft_model *m;
	int status;

	if (heft_open(&m, args->v[1], &as_stored, &err))
		return fail(&err);
	status = print_keys(m, o, args);
	heft_close(m);
	return status;
}

/* ---- changes ---- */

static const char *const ways[] = { "nothing changes", "changed in place", "rewritten" };

static void print_changes(const struct heft_meta_summary *s, bool dry_run)
{
	for (size_t i = 0; i < s->n_changes; i++) {
		const struct heft_meta_change *c = &s->change[i];

		safe_puts(stderr, c->key);
		fputs(": ", stderr);
		if (c->before)
			show_value(stderr, c->before, 4);
		fputs(!c->before ? "new, " : c->after ? " -> " : " is removed", stderr);
		if (c->after)
			show_value(stderr, c->after, 4);
		putc('\n', stderr);
	}
	safe_puts(stderr, s->path);
	fprintf(stderr, ": %s%s", dry_run && s->way ? "would be " : "", ways[s->way]);
	if (s->bytes)
		fprintf(stderr, ", %s written", human_bytes(s->bytes).s);
	if (s->bytes_shared)
		fprintf(stderr, ", %s shared with the old file", human_bytes(s->bytes_shared).s);
	putc('\n', stderr);
}

static void json_changes(const struct heft_meta_summary *s)
{
	static const char *const words[] = { "none", "in place", "rewrite" };
	struct emitter w;

	emit_report(&w, "meta");
	emit_text(&w, "file", s->path);
	emit_number(&w, "files", s->n_files);
	emit_text(&w, "way", words[s->way]);
	emit_number(&w, "bytes_written", s->bytes);
	emit_number(&w, "bytes_shared", s->bytes_shared);
	emit_open(&w, "changes", '[');
	for (size_t i = 0; i < s->n_changes; i++) {
		const struct heft_meta_change *c = &s->change[i];

		emit_open(&w, NULL, '{');
		emit_text(&w, "key", c->key);
		emit_flag(&w, "was_there", c->before != NULL);
		if (c->after)
			emit_metadata(&w, &(struct heft_kv){ c->key, *c->after }, 1, true);
		emit_close(&w, '}');
	}
	emit_close(&w, ']');
	emit_report_end(&w);
}

static void warn(void *ctx, const char *text)
{
	fprintf(stderr, "heft %s: warning: ", said_name());
	safe_puts(stderr, text);
	putc('\n', stderr);
}

/* The keys that were to be removed, with the one that was meant. */
static int no_removed(const char *path, const struct heft_meta_edit *e, const struct heft_err *why)
{
	struct heft_open_options as_stored = { .as_stored = true };
	struct heft_err err = { 0 };
	struct heft_model *m;
	int status = EXIT_DONE;

	if (heft_open(&m, path, &as_stored, &err))
		return fail(why);
	for (size_t i = 0; i < e->n_remove && !status; i++) {
		bool found = false;

		for (size_t k = 0; k < m->n_kv && !found; k++)
			found = !fnmatch(e->remove[i], m->kv[k].key, 0);
		if (!found)
			status = no_key(m, e->remove[i]);
	}
	heft_close(m);
	return status ? status : fail(why);
}

static int change(const struct options *o, const char *path, struct heft_meta_edit *e)
{
	struct heft_meta_summary s;
	struct heft_err err = { 0 };
	int status = EXIT_DONE;

	e->output = o->output;
	e->force = o->force;
	e->dry_run = o->dry_run;
	e->warn = warn;
	if (heft_meta_edit(path, e, &s, &err))
		status = err.code == HEFT_E_PATTERN ? no_removed(path, e, &err) : fail(&err);
	else if (o->json)
		json_changes(&s);
	else if (!o->quiet)
		print_changes(&s, o->dry_run);
	heft_meta_release(&s);
	return status;
}

/* What the command said, without the file. */
static struct list edits_of(const struct list *args)
{
	struct list l = { .v = need(calloc(args->n, sizeof *l.v)) };

	l.v[l.n++] = args->v[0];
	for (size_t i = 2; i < args->n; i++)
		l.v[l.n++] = strcmp(args->v[0], "import") ? args->v[i] : page_base(args->v[i]);
	return l;
}

static int write_manifest(const struct options *o, const char *path, const struct heft_model *source, const struct list *args)
{
	struct list edits = edits_of(args);
	struct manifest_making how = { .tool = &tool_meta, .options = o, .source = source, .bits = NAN, .edits = &edits };
	struct progress p;
	struct heft_manifest_options run = { .ctx = &p, .stop = stop_on_signals() };
	struct heft_err err = { 0 };
	int rc;

	progress_begin(&p, NULL, o->quiet);
	run.progress = p.mode == PROGRESS_NONE ? NULL : progress_step;
	rc = manifest_of_edit(path, &how, &run, o->quiet || o->json, &err);
	progress_end(&p);
	free(edits.v);
	return rc ? fail(&err) : EXIT_DONE;
}

/* A manifest that speaks of the file as it was. */
static void warn_of_manifest(const char *path)
{
	char *at = manifest_at(path), *text;

	if (!access(at, F_OK)) {
		if (asprintf(&text, "%s speaks of the file as it was, --manifest writes it anew", at) < 0)
			need(NULL);
		warn(NULL, text);
		free(text);
	}
	free(at);
}

/* The change and what --manifest says of it; the source is opened before, to be named as it was. */
static int edit(const struct options *o, const struct list *args, struct heft_meta_edit *e)
{
	struct heft_open_options as_stored = { .as_stored = true };
	struct heft_model *source = NULL;
	struct heft_err err = { 0 };
	int status;

	if (o->manifest && heft_open(&source, args->v[1], &as_stored, &err))
		return fail(&err);
	status = change(o, args->v[1], e);
	if (!status && !o->dry_run && source)
		status = write_manifest(o, o->output ? o->output : source->file[0].path, source, args);
	else if (!status && !o->dry_run && !o->quiet)
		warn_of_manifest(o->output ? o->output : args->v[1]);
	heft_close(source);
	return status;
}

static int set(void *options, const struct list *args)
{
	const struct options *o = options;
	struct heft_meta_edit e = { .set = args->v + 2, .n_set = args->n - 2 };

	return edit(o, args, &e);
}

static int rm(void *options, const struct list *args)
{
	const struct options *o = options;
	struct heft_meta_edit e = { .remove = args->v + 2, .n_remove = args->n - 2 };

	return edit(o, args, &e);
}

static int import(void *options, const struct list *args)
{
	const struct options *o = options;
	struct heft_meta_edit e = { .import = args->v[2], .only = o->only.v, .n_only = o->only.n };

	return edit(o, args, &e);
}

static const struct command commands[] = {
	{ "get", 1, ANY_ARGS, "FILE and any number of KEYs", NULL, get },
	{ "set", 2, ANY_ARGS, "FILE and KEY=TYPE:VALUE...", "output dry-run force manifest", set },
	{ "rm", 2, ANY_ARGS, "FILE and KEY...", "output dry-run force manifest", rm },
	{ "import", 2, 2, "FILE and the file to take keys from", "output dry-run force manifest only", import },
	{ NULL, 0, 0, NULL, NULL, NULL },
};

const struct tool tool_meta = {
	.name = "meta",
	.about = "print metadata, set, remove and import keys, in place where that is safe",
	.usage = "COMMAND FILE [KEY...] [-o OUT] [-n] [-f] [--json] [OPTION]...",
	.details = "get FILE [KEY]... prints keys, KEY may be a pattern. set FILE KEY=TYPE:VALUE... sets them: TYPE int, float, bool, str, json "
		   "for arrays, or one of GGUF's own, as in u64. rm FILE KEY... removes them. import FILE FROM takes keys from another GGUF or "
		   "a .json file. FILE is GGUF or safetensors, or one part of a set.\n\n"
		   "heft meta set model.gguf general.name=str:Mine",
	.operand = "get|set|rm|import|file",
	.min_args = 2,
	.max_args = ANY_ARGS,
	.opt = rows,
	.size = sizeof(struct options),
	.command = commands,
};
