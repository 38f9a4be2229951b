/*
 * pack.c owns the tool that packs model files without loss, and what it shares with the one that unpacks them.
 */
#include "pack.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct pack_options, name)

const struct opt pack_rows[] = {
	{ OPT_STRING, 'o', "output", "OUT", "file", "where to write, - is standard output (default: SRC with .zst added, or taken away)",
	  FIELD(output) },
	{ OPT_FLAG, 'f', "force", NULL, NULL, "replace outputs that exist (default: refuse)", FIELD(force) },
	{ OPT_COUNT, 'j', "threads", "N", NULL, "threads (default: the processors that this process may use)", FIELD(threads) },
	{ OPT_STRING, 0, "progress", "HOW", "auto|json|none",
	  "auto: a line on a terminal; json: one object per line on standard error; none (default: auto)", FIELD(progress) },
	{ OPT_FLAG, 0, "json", NULL, NULL, "print what was written as JSON", FIELD(json) },
	{ OPT_FLAG, 'q', "quiet", NULL, NULL, "print nothing but errors", FIELD(quiet) },
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

static void print_line(const struct heft_pack_summary *s, bool packs)
{
	double rate = s->seconds > 0 ? (double)s->bytes / s->seconds : 0;

	safe_puts(stderr, s->output);
	fprintf(stderr, ": %s %s %s, %.1f %%, %.1f s, %s/s\n", human_bytes(packs ? s->bytes : s->packed_bytes).s, packs ? "packed to" : "unpacked to",
		human_bytes(packs ? s->packed_bytes : s->bytes).s, s->bytes ? 100 * (double)s->packed_bytes / (double)s->bytes : 100.0, s->seconds,
		human_bytes((uint64_t)rate).s);
}

static void emit_one(struct emitter *w, const char *source, const struct heft_pack_summary *s)
{
	emit_open(w, NULL, '{');
	emit_text(w, "source", source);
	emit_text(w, "output", s->output);
	emit_number(w, "bytes", s->bytes);
	emit_number(w, "packed_bytes", s->packed_bytes);
	emit_real(w, "seconds", s->seconds);
	emit_close(w, '}');
}

static int one_file(const struct pack_options *o, const char *path, pack_fn *work, struct heft_pack_summary *out)
{
	struct progress p;
	struct heft_pack_options job = { .output = o->output, .force = o->force, .threads = (int)o->threads, .ctx = &p,
					 .stop = stop_on_signals() };
	struct heft_err err = { 0 };
	int rc;

	progress_begin(&p, o->progress, o->quiet);
	if (p.mode != PROGRESS_NONE)
		job.progress = progress_step;
	rc = work(path, &job, out, &err);
	progress_end(&p);
	return rc ? fail(&err) : EXIT_DONE;
}

int pack_files(const struct pack_options *o, const struct list *args, pack_fn *work, const char *tool)
{
	struct heft_pack_summary sum;
	struct emitter w;
	int status = EXIT_DONE;

	if (o->threads > 1024)
		return misuse("--threads takes 1 to 1024");
	if (o->output && args->n > 1)
		return misuse("--output goes with one file");
	if (o->json && o->output && !strcmp(o->output, "-"))
		return misuse("--json and the file cannot both go to standard output");
	signal(SIGPIPE, SIG_IGN);
	if (o->json) {
		emit_report(&w, tool);
		emit_open(&w, "files", '[');
	}
	for (size_t i = 0; i < args->n && !status; i++) {
		status = one_file(o, args->v[i], work, &sum);
		if (status)
			break;
		if (o->json)
			emit_one(&w, args->v[i], &sum);
		else if (!o->quiet)
			print_line(&sum, work == heft_pack);
		free(sum.output);
	}
	if (o->json) {
		emit_close(&w, ']');
		emit_report_end(&w);
	}
	return status;
}

static int run(void *options, const struct list *args)
{
	return pack_files(options, args, heft_pack, "pack");
}

const struct tool tool_pack = {
	.name = "pack",
	.about = "pack model files without loss, for caches and artifacts",
	.usage = "FILE... [-o OUT] [OPTION]...",
	.details = "FILE is a safetensors or GGUF file. All tools of heft read what this writes as the file itself; 'heft unpack' gives it "
		   "back, bit by bit.",
	.operand = "file",
	.min_args = 1,
	.max_args = ANY_ARGS,
	.opt = pack_rows,
	.size = sizeof(struct pack_options),
	.run = run,
};
