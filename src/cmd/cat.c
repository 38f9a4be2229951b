/*
 * cat.c owns the tool that writes the values of tensors to standard output: for pipes, other programs, and a look.
 *
 * A form is how they are written; a kind is a type of number that a form can hold as it is. What is no such number (codes with scales, 8-bit
 * floats, and BF16 unless it is asked for) is written as f32. A range is of elements (--head) or of the outermost dimension (--rows).
 */
#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cmd.h"

struct options {
	const char *as, *type, *rows, *config, *key;
	uint64_t head;
	bool stored, json;
};

#define FIELD(name) offsetof(struct options, name)

static const struct opt rows[] = {
	{ OPT_STRING, 0, "as", "FORM", "text|raw|npy",
	  "text: a row of the tensor per line; raw: the bytes as they are stored, or of --type; npy: an array of NumPy (default: text)", FIELD(as) },
	{ OPT_STRING, 't', "type", "TYPE", "f32|f16|bf16", "write the values in this type (default: the tensor's own, f32 where it is quantized)",
	  FIELD(type) },
	{ OPT_COUNT, 0, "head", "N", NULL, "only the first N elements of each tensor, as one row (default: all)", FIELD(head) },
	{ OPT_STRING, 0, "rows", "LO:HI", NULL, "only LO to HI-1 of the outermost dimension; one of them may be missing (default: all)", FIELD(rows) },
	{ OPT_FLAG, 0, "stored", NULL, NULL,
	  "take the tensors of a quantized module apart, as the files have them (default: one weight; raw without --type does so)", FIELD(stored) },
	{ OPT_STRING, 0, "config", "DIR", "dir", "where config.json is, for a lone file or a stream (default: beside SRC)", FIELD(config) },
	{ OPT_STRING, 0, "key", "PATH", NULL,
	  "which of a PyTorch training checkpoint's nested dicts holds the weights, as in model.module (default: the usual one)", FIELD(key) },
	{ OPT_FLAG, 0, "json", NULL, NULL, "print the values as JSON", FIELD(json) },
	{ OPT_END, 0, NULL, NULL, NULL, NULL, 0 },
};

/* ---- numbers ---- */

union number {
	double f;
	int64_t i;
	uint64_t u;
};

/* Numbers of a type that lie as a computer has them. */
struct kind {
	const char *name, *numpy;
	size_t size;
	char of; /* f, i or u: which member of the union */
	union number (*get)(const uint8_t *p);
};

#define GET(name, type, member)                                                                                        \
	static union number get_##name(const uint8_t *p)                                                               \
	{                                                                                                              \
		type v;                                                                                                \
		memcpy(&v, p, sizeof v);                                                                               \
		return (union number){ .member = v };                                                                  \
	}
GET(f64, double, f)
GET(f32, float, f)
GET(i8, int8_t, i)
GET(i16, int16_t, i)
GET(i32, int32_t, i)
GET(i64, int64_t, i)
GET(u8, uint8_t, u)
GET(u16, uint16_t, u)
GET(u32, uint32_t, u)
GET(u64, uint64_t, u)

static union number get_bf16(const uint8_t *p)
{
	uint8_t wide[4] = { 0, 0, p[0], p[1] };

	return get_f32(wide);
}

static union number get_f16(const uint8_t *p)
{
	unsigned h = (unsigned)get_u16(p).u, exponent = h >> 10 & 31, m = h & 1023;
	double f = exponent == 31 ? (m ? NAN : INFINITY) : exponent ? ldexp(m + 1024, (int)exponent - 25) : ldexp(m, -24);

	return (union number){ .f = h >> 15 ? -f : f };
}

static const struct kind kinds[] = {
	{ "f32", "<f4", 4, 'f', get_f32 }, { "f16", "<f2", 2, 'f', get_f16 }, { "bf16", "<V2", 2, 'f', get_bf16 }, { "f64", "<f8", 8, 'f', get_f64 },
	{ "i8", "|i1", 1, 'i', get_i8 },   { "i16", "<i2", 2, 'i', get_i16 }, { "i32", "<i4", 4, 'i', get_i32 },   { "i64", "<i8", 8, 'i', get_i64 },
	{ "u8", "|u1", 1, 'u', get_u8 },   { "u16", "<u2", 2, 'u', get_u16 }, { "u32", "<u4", 4, 'u', get_u32 },   { "u64", "<u8", 8, 'u', get_u64 },
	{ "bool", "|b1", 1, 'u', get_u8 },
};

static const struct kind *kind_named(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

/* Floats as the shortest decimal that reads back as the same one; those of at most 32 bits as that float. */
static void put_float(FILE *f, double x, bool wide)
{
	char text[40];
	int digits = 5;

	do
		snprintf(text, sizeof text, "%.*g", ++digits, x);
	while (isfinite(x) && digits < (wide ? 17 : 9) && (wide ? strtod(text, NULL) != x : strtof(text, NULL) != (float)x));
	fputs(text, f);
}

/* ---- forms ---- */

struct piece { /* one tensor on its way out */
	const struct heft_tensor *t;
	const struct kind *kind; /* NULL: bytes */
	uint64_t first, count;
	int rank;
	uint64_t dim[HEFT_MAX_RANK]; /* of what is written */
	uint64_t done;
	struct emitter *json;
	bool several; /* other tensors are written too */
};

struct form {
	const char *name;
	void (*begin)(struct piece *p); /* each may be NULL */
	void (*put)(struct piece *p, const uint8_t *bytes, size_t n);
	void (*end)(struct piece *p);
};

static void put_raw(struct piece *p, const uint8_t *bytes, size_t n)
{
	fwrite(bytes, 1, n, stdout);
}

/* Version 1.0: text up to a multiple of 64 bytes. */
static void begin_npy(struct piece *p)
{
	char text[512];
	int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (", p->kind->numpy), pad;

	for (int i = 0; i < p->rank; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, "%s%" PRIu64, i ? ", " : "", p->dim[i]);
	n += snprintf(text + n, sizeof text - (size_t)n, "%s), }", p->rank == 1 ? "," : "");
	pad = 63 - (10 + n) % 64;
	fwrite("\x93NUMPY\x01", 1, 8, stdout); /* the 0 that ends the text is the minor version */
	putchar((n + pad + 1) & 255);
	putchar((n + pad + 1) >> 8);
	printf("%s%*s\n", text, pad, "");
}

static void begin_text(struct piece *p)
{
	if (!p->several)
		return;
	fputs("# ", stdout);
	safe_puts(stdout, p->t->name);
	printf(" %s %s\n", heft_encoding_name(p->t->enc), p->rank ? human_dims(p->dim, p->rank).s : "scalar");
}

static void put_text(struct piece *p, const uint8_t *bytes, size_t n)
{
	uint64_t row = p->rank ? p->dim[p->rank - 1] : 1;

	for (size_t i = 0; i < n; i += p->kind->size) {
		union number x = p->kind->get(bytes + i);

		if (p->kind->of == 'f')
			put_float(stdout, x.f, p->kind->size == 8);
		else if (p->kind->of == 'i')
			printf("%" PRId64, x.i);
		else
			printf("%" PRIu64, x.u);
		putchar(++p->done % row ? ' ' : '\n');
	}
}

static void begin_json(struct piece *p)
{
	emit_open(p->json, NULL, '{');
	emit_text(p->json, "name", p->t->name);
	emit_text(p->json, "type", heft_encoding_name(p->t->enc));
	emit_dims(p->json, "shape", p->dim, p->rank);
	emit_open(p->json, "values", '[');
}

static void put_json(struct piece *p, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i += p->kind->size) {
		union number x = p->kind->get(bytes + i);

		if (p->kind->of == 'f')
			emit_real(p->json, NULL, x.f);
		else if (p->kind->of == 'i')
			emit_integer(p->json, NULL, x.i);
		else
			emit_number(p->json, NULL, x.u);
	}
}

static void end_json(struct piece *p)
{
	emit_close(p->json, ']');
	emit_close(p->json, '}');
}

static const struct form forms[] = {
	{ "text", begin_text, put_text, NULL },
	{ "raw", NULL, put_raw, NULL },
	{ "npy", begin_npy, put_raw, NULL },
	{ "json", begin_json, put_json, end_json },
};

static const struct form *form_of(const struct options *o)
{
	const char *name = o->json ? "json" : o->as ? o->as : "text";
	const struct form *f = forms;

	while (strcasecmp(f->name, name))
		f++;
	return f;
}

/* ---- ranges ---- */

struct range {
	uint64_t lo, hi; /* hi UINT64_MAX: the end */
};

static bool take_end(const char **s, uint64_t *out)
{
	char *end;

	if (**s < '0' || **s > '9')
		return **s == ':' || !**s;
	*out = strtoull(*s, &end, 10);
	*s = end;
	return true;
}

static bool take_range(const char *s, struct range *r)
{
	*r = (struct range){ 0, UINT64_MAX };
	return !s || (take_end(&s, &r->lo) && *s++ == ':' && take_end(&s, &r->hi) && !*s && r->lo <= r->hi);
}

static int refuse(struct heft_err *err, enum heft_code code, const char *tensor, const char *what)
{
	err->code = code;
	snprintf(err->text, sizeof err->text, "tensor '%s': %s", tensor, what);
	return fail(err);
}

static int cut(struct piece *p, const struct options *o, const struct range *r, struct heft_err *err)
{
	uint64_t all = heft_tensor_count(p->t);

	p->count = all;
	p->rank = p->t->rank;
	memcpy(p->dim, p->t->dim, sizeof p->dim);
	if (o->head) {
		p->count = o->head < all ? o->head : all;
		p->rank = 1;
		p->dim[0] = p->count;
	} else if (o->rows) {
		uint64_t hi = r->hi == UINT64_MAX && p->rank ? p->dim[0] : r->hi;

		if (!p->rank || hi > p->dim[0] || r->lo > hi)
			return refuse(err, HEFT_E_SHAPE, p->t->name, "has no such rows");
		p->first = p->dim[0] ? all / p->dim[0] * r->lo : 0;
		p->count = p->dim[0] ? all / p->dim[0] * (hi - r->lo) : 0;
		p->dim[0] = hi - r->lo;
	}
	return EXIT_DONE;
}

/* ---- tensors ---- */

static bool matches(const struct heft_model *m, const char *pattern, bool *chosen)
{
	bool found = false;

	for (size_t i = 0; i < m->n_tensors && !found; i++)
		if (!strcmp(m->tensor[i].name, pattern))
			chosen[i] = found = true;
	for (size_t i = 0; i < m->n_tensors && !(found && !strpbrk(pattern, "*?[")); i++)
		if (!fnmatch(pattern, m->tensor[i].name, 0))
			chosen[i] = found = true;
	return found;
}

static int no_match(const struct heft_model *m, const char *pattern)
{
	struct heft_err err = { .code = HEFT_E_PATTERN };
	const char *near = NULL;
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < m->n_tensors; i++)
		if (word_nearer(pattern, m->tensor[i].name, &best))
			near = m->tensor[i].name;
	if (near)
		snprintf(err.text, sizeof err.text, "no tensor is called '%s', did you mean '%s'?", pattern, near);
	else
		snprintf(err.text, sizeof err.text, "no tensor is called '%s'; 'heft info --tensors' lists them", pattern);
	return fail(&err);
}

/* The type that values are read in; NULL: as they are stored. */
static const char *type_for(const struct heft_tensor *t, const struct form *f, const struct options *o)
{
	const char *own = heft_encoding_name(t->enc);

	if (o->type || !strcmp(f->name, "raw"))
		return o->type;
	return !t->packed && kind_named(own) && strcmp(own, "bf16") ? NULL : "f32";
}

static int write_tensor(struct heft_model *m, const struct form *f, struct piece *p, const struct options *o, const struct range *r)
{
	const char *type = type_for(p->t, f, o);
	struct heft_err err = { 0 };
	struct heft_reader *reader = NULL;
	const void *bytes;
	int status = cut(p, o, r, &err);
	int64_t n = 0;

	if (status)
		return status;
	p->kind = kind_named(type ? type : heft_encoding_name(p->t->enc));
	if (heft_reader_new(&reader, m, p->t, type, p->first, p->count, &err))
		return fail(&err);
	if (f->begin)
		f->begin(p);
	while (!ferror(stdout) && (n = heft_reader_next(reader, &bytes, &err)) > 0)
		f->put(p, bytes, (size_t)n);
	if (f->end)
		f->end(p);
	heft_reader_free(reader);
	return n < 0 ? fail(&err) : EXIT_DONE;
}

static int write_all(struct heft_model *m, const struct options *o, const bool *chosen, const struct range *r)
{
	const struct form *f = form_of(o);
	size_t n = 0;
	struct emitter w;
	int status = EXIT_DONE;

	for (size_t i = 0; i < m->n_tensors; i++)
		n += chosen[i];
	if (o->json) {
		emit_report(&w, "cat");
		emit_open(&w, "tensors", '[');
	}
	for (size_t i = 0; i < m->n_tensors && !status; i++) {
		struct piece p = { .t = &m->tensor[i], .json = &w, .several = n > 1 };

		if (chosen[i])
			status = write_tensor(m, f, &p, o, r);
	}
	if (o->json) {
		emit_close(&w, ']');
		emit_report_end(&w);
	}
	return status;
}

static int choose_and_write(struct heft_model *m, const struct options *o, const struct list *args, const struct range *r)
{
	bool *chosen = need(calloc(m->n_tensors + 1, sizeof *chosen));
	struct heft_err err = { 0 };
	int status = EXIT_DONE;

	for (size_t i = 1; i < args->n && !status; i++)
		if (!matches(m, args->v[i], chosen))
			status = no_match(m, args->v[i]);
	if (!status)
		status = write_all(m, o, chosen, r);
	if (!status && !ferror(stdout) && heft_drain(m, &err))
		status = fail(&err);
	free(chosen);
	return status;
}

static int run(void *options, const struct list *args)
{
	const struct options *o = options;
	bool raw = o->as && !strcasecmp(o->as, "raw"), binary = raw || (o->as && !strcasecmp(o->as, "npy"));
	struct heft_open_options open = { .config_dir = o->config, .key = o->key, .as_stored = o->stored || (raw && !o->type) };
	struct heft_err err = { 0 };
	struct heft_model *m;
	struct range r;
	int status;

	if (o->json && o->as)
		return misuse("--json and --as do not go together");
	if (o->head && o->rows)
		return misuse("--head and --rows do not go together");
	if (!take_range(o->rows, &r))
		return misuse("'%s' is not LO:HI for --rows, write it like 0:4", o->rows);
	if (binary && isatty(STDOUT_FILENO))
		return misuse("standard output is a terminal, --as %s is for a pipe or a file", o->as);
	if (heft_open(&m, args->v[0], &open, &err))
		return fail(&err);
	status = choose_and_write(m, o, args, &r);
	heft_close(m);
	return status;
}

const struct tool tool_cat = {
	.name = "cat",
	.about = "write the values of tensors to standard output, as text, bytes or NumPy arrays",
	.usage = "SRC TENSOR... [--as FORM] [-t TYPE] [OPTION]...",
	.details = "SRC is all that 'heft info' reads. TENSOR is a name, or a pattern in the way of file names: * ? [ ]; what several match is "
		   "written in the order of the files.\n\n"
		   "heft cat model.gguf output_norm.weight --head 8\n"
		   "heft cat model.gguf 'blk.0.attn_*.weight' --as npy > layer0.npy",
	.operand = "file|dir",
	.min_args = 2,
	.max_args = ANY_ARGS,
	.opt = rows,
	.size = sizeof(struct options),
	.run = run,
};
