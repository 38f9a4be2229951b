/*
 * machine.c owns what "mac 16G ctx=8k" means, and `heft info --for`: weights, cache and computing beside what the GPU may hold, and what that assumes.
 */
#include "machine.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

enum { WORDS = 256, USUAL_CONTEXT = 8192, CONTEXT_STEP = 256, ALLOWANCE = 512 << 20 };

__attribute__((format(printf, 2, 3))) static void assume(struct machine_fit *f, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (f->n_assumptions < MACHINE_ASSUMPTIONS)
		vsnprintf(f->assumption[f->n_assumptions++], sizeof f->assumption[0], fmt, args);
	va_end(args);
}

/* The machine is what stands before the first word with "=". */
int machine_parse(struct heft_mac *mac, struct heft_memory_options *o, const char *words, struct heft_err *err)
{
	const char *equals = strchr(words, '=');
	size_t n = equals ? (size_t)(equals - words) : strlen(words);
	char machine[WORDS], rest[WORDS + 8];
	uint64_t size;

	while (equals && n && words[n - 1] != ' ' && words[n - 1] != ',')
		n--;
	snprintf(rest, sizeof rest, "1M %.*s", WORDS, words + n);
	while (n && (words[n - 1] == ' ' || words[n - 1] == ','))
		n--;
	snprintf(machine, sizeof machine, "%.*s", (int)(n < WORDS ? n : WORDS - 1), words);
	return heft_mac_parse(mac, machine, err) || heft_memory_parse(rest, &size, o, err) ? -1 : 0;
}

/* Cache and computing for so many tokens. */
static int memory_for(const struct heft_facts *facts, const struct heft_memory_options *o, uint64_t context, struct heft_memory *m, struct heft_err *err)
{
	struct heft_memory_options with = *o;

	with.context = context;
	return heft_memory_of(m, facts->kv, facts->n_kv, &with, err);
}

static bool fits_with(const struct machine_fit *f, const struct heft_facts *facts, const struct heft_memory_options *o, uint64_t context)
{
	struct heft_memory m;
	struct heft_err err;
	bool fits = !memory_for(facts, o, context, &m, &err) && f->weights + m.cache_bytes + m.compute_most <= f->mac.working_set;

	heft_memory_release(&m);
	return fits;
}

/* Memory grows with the context, so the longest is found by halves. */
static uint64_t longest(const struct machine_fit *f, const struct heft_facts *facts, const struct heft_memory_options *o, uint64_t trained)
{
	uint64_t low = 0, high = trained / CONTEXT_STEP + 1; /* in steps; low fits, high does not */

	if (trained && fits_with(f, facts, o, trained))
		return trained;
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		*(fits_with(f, facts, o, middle * CONTEXT_STEP) ? &low : &high) = middle;
	}
	return low * CONTEXT_STEP;
}

static const char *cache_type(const struct heft_encoding *e)
{
	return e ? heft_encoding_name(e) : "f16";
}

static void look(struct machine_fit *f, const struct heft_facts *facts, const struct heft_memory_options *o, struct heft_memory *m)
{
	f->context = m->context;
	f->cache = m->cache_bytes;
	f->compute = m->compute_most;
	f->most_context = longest(f, facts, o, m->trained);
	assume(f, "cache of %" PRIu64 " tokens, keys in %s, values in %s; ctx=N and kv=TYPE behind the machine say others", m->context, cache_type(o->k),
	       cache_type(o->v));
	assume(f, "computing as llama.cpp does it: %s", m->assumes);
}

/* What the model's family is not known for. */
static void allow(struct machine_fit *f, const char *why)
{
	f->compute = f->weights / 8 > ALLOWANCE ? f->weights / 8 : ALLOWANCE;
	assume(f, "cache and computing are not known (%.80s): an eighth of the weights, and no less than %s", why, human_bytes(ALLOWANCE).s);
}

int machine_fit(struct machine_fit *out, const char *words, uint64_t weights, const struct heft_facts *facts, struct heft_err *err)
{
	struct heft_memory_options o = { 0 };
	struct heft_memory m;
	struct heft_err unknown = { 0 };
	uint64_t usual = facts->context && facts->context < USUAL_CONTEXT ? facts->context : USUAL_CONTEXT;
	int rc;

	*out = (struct machine_fit){ .weights = weights };
	if (machine_parse(&out->mac, &o, words, err))
		return -1;
	assume(out, "weights are held as they are stored");
	rc = memory_for(facts, &o, o.context ? o.context : usual, &m, &unknown);
	if (!rc)
		look(out, facts, &o, &m);
	else if (unknown.code == HEFT_E_OPTION)
		*err = unknown;
	else
		allow(out, facts->family ? unknown.text : "no family");
	heft_memory_release(&m);
	if (rc && unknown.code == HEFT_E_OPTION)
		return -1;
	for (size_t i = 0; i < HEFT_MAC_ASSUMPTIONS && out->mac.assumption[i]; i++)
		assume(out, "%s", out->mac.assumption[i]);
	out->needed = out->weights + out->cache + out->compute;
	out->fits = out->needed <= out->mac.working_set;
	return 0;
}

/* ---- text and JSON ---- */

static void row(const char *label)
{
	printf("  %s%-12s%s  ", style(stdout, DIM), label, style(stdout, PLAIN));
}

void machine_print(const struct machine_fit *f)
{
	row("for");
	printf("%s: %s%s%s, %s of %s\n", f->mac.name, style(stdout, f->fits ? GREEN : RED), f->fits ? "fits" : "does not fit", style(stdout, PLAIN),
	       human_bytes(f->needed).s, human_bytes(f->mac.working_set).s);
	row("");
	printf("weights %s", human_bytes(f->weights).s);
	if (f->context)
		printf(", cache %s", human_bytes(f->cache).s);
	printf(", %s %s\n", f->context ? "computing up to" : "the rest", human_bytes(f->compute).s);
	if (f->context) {
		row("");
		if (f->most_context)
			printf("the longest context that fits: %" PRIu64 " tokens\n", f->most_context);
		else
			puts("no context fits");
	}
	for (size_t i = 0; i < f->n_assumptions; i++) {
		row(i ? "" : "assumes");
		puts(f->assumption[i]);
	}
	if (*f->mac.advice) {
		row("");
		puts(f->mac.advice);
	}
}

void machine_json(struct emitter *w, const struct machine_fit *f)
{
	emit_open(w, "for", '{');
	emit_text(w, "machine", f->mac.name);
	emit_number(w, "memory", f->mac.memory);
	emit_number(w, "working_set", f->mac.working_set);
	emit_flag(w, "fits", f->fits);
	emit_number(w, "needed", f->needed);
	emit_number(w, "weights", f->weights);
	emit_number(w, "cache", f->cache);
	emit_number(w, "compute", f->compute);
	emit_number(w, "context", f->context);
	emit_number(w, "most_context", f->most_context);
	emit_open(w, "assumptions", '[');
	for (size_t i = 0; i < f->n_assumptions; i++)
		emit_text(w, NULL, f->assumption[i]);
	emit_close(w, ']');
	emit_text(w, "advice", *f->mac.advice ? f->mac.advice : NULL);
	emit_close(w, '}');
}
