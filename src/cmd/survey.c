/*
 * survey.c owns the sums that reports are made of. Layers are found by the numbers in names alone, so that it serves a GGUF's names as well
 * as any checkpoint's: the first component that is a number is the layer.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "survey.h"

enum { MAX_LAYER = 4095, MAX_KINDS = 512 }; /* higher numbers count something else; names beyond are no model's */

/* ---- parts of a model ---- */

enum { EMBEDDINGS, ATTENTION, RECURRENT, FEED_FORWARD, EXPERTS, SHARED, ROUTER, NORMS, HEAD, OTHER, PARTS };
static const char *const part_name[PARTS] = {
	"embeddings", "attention", "recurrent", "feed-forward", "experts", "shared experts", "router", "norms and biases", "output head", "other",
};

/* The first word that a name has says its part; the order is that of precedence. */
static const struct {
	const char *word;
	size_t part;
} part_word[] = {
	{ "norm", NORMS }, { ".bias", NORMS }, { "shexp", SHARED }, { "shared_expert", SHARED }, { "exps", EXPERTS }, { "expert", EXPERTS },
	{ "gate_inp", ROUTER }, { "router", ROUTER }, { "mlp.gate.", ROUTER }, { "moe.gate.", ROUTER },
	{ "ssm", RECURRENT }, { "mamba", RECURRENT }, { "mixer", RECURRENT }, { "linear_attn", RECURRENT }, { "time_mix", RECURRENT }, { "shortconv", RECURRENT },
	{ "attn", ATTENTION }, { "attention", ATTENTION }, { "q_proj", ATTENTION }, { "k_proj", ATTENTION }, { "v_proj", ATTENTION }, { "o_proj", ATTENTION },
	{ "ffn", FEED_FORWARD }, { "mlp", FEED_FORWARD }, { "feed_forward", FEED_FORWARD }, { "channel_mix", FEED_FORWARD },
	{ ".fc", FEED_FORWARD }, { ".w1", FEED_FORWARD }, { ".w2", FEED_FORWARD }, { ".w3", FEED_FORWARD },
	{ "embd", EMBEDDINGS }, { "embed", EMBEDDINGS }, { "wte", EMBEDDINGS }, { "wpe", EMBEDDINGS }, { "lm_head", HEAD }, { "output.weight", HEAD },
};

const char *survey_part_name(size_t part)
{
	return part < PARTS ? part_name[part] : NULL;
}

static size_t part_of(const struct survey_row *row)
{
	if (row->dim && row->rank <= 1)
		return NORMS;
	for (size_t i = 0; i < sizeof part_word / sizeof *part_word; i++)
		if (strstr(row->name, part_word[i].word))
			return part_word[i].part;
	return OTHER;
}

/* ---- names ---- */

static bool is_number(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isdigit((unsigned char)s[i]))
			return false;
	return n;
}

/* The kind's name, with # for the layer and * for numbers behind it; the caller's to free. */
static char *kind_name(const char *name, int *layer)
{
	char *kind = need(malloc(strlen(name) + 2)), *to = kind;

	*layer = -1;
	for (const char *s = name;;) {
		size_t n = strcspn(s, ".");
		bool number = s > name && is_number(s, n);
		if (number && *layer < 0 && n < 5 && atoi(s) <= MAX_LAYER && s[n]) {
			*layer = atoi(s);
			*to++ = '#';
		} else if (number) {
			*to++ = '*';
		} else {
			memcpy(to, s, n);
			to += n;
		}
		if (!s[n])
			break;
		*to++ = '.';
		s += n + 1;
	}
	*to = 0;
	if (to - kind > 7 && !strcmp(to - 7, ".weight"))
		to[-7] = 0;
	return kind;
}

static size_t find_kind(struct survey *s, char *name, const struct survey_row *row)
{
	for (size_t i = s->n_kinds; i-- > 0;) /* a layer's tensors stand together */
		if (!strcmp(s->kind[i].name, name)) {
			free(name);
			return i;
		}
	if (s->n_kinds == MAX_KINDS) {
		free(name);
		return MAX_KINDS - 1;
	}
	if (s->n_kinds == s->room_kinds)
		s->kind = need(realloc(s->kind, (s->room_kinds = s->room_kinds * 2 + 32) * sizeof *s->kind));
	s->kind[s->n_kinds] = (struct survey_kind){ .name = name, .layered = row->layer >= 0, .part = part_of(row) };
	return s->n_kinds++;
}

void survey_add(struct survey *s, const struct survey_row *row)
{
	struct survey_row *r;
	char *name;

	if (s->n_rows == s->room_rows)
		s->row = need(realloc(s->row, (s->room_rows = s->room_rows * 2 + 256) * sizeof *s->row));
	r = &s->row[s->n_rows++];
	*r = *row;
	name = kind_name(row->name, &r->layer);
	r->kind = find_kind(s, name, r);
}

/* ---- sums ---- */

static size_t type_index(struct survey *s, const struct heft_encoding *enc)
{
	size_t i = 0;

	while (i < s->n_types && s->type[i].enc != enc)
		i++;
	if (i == s->n_types) {
		s->type = need(realloc(s->type, (s->n_types + 1) * sizeof *s->type));
		s->type[s->n_types++] = (struct survey_type){ .enc = enc };
	}
	return i;
}

static void sum_row(struct survey *s, const struct survey_row *r)
{
	size_t type = type_index(s, r->to); /* may move the array */
	struct survey_type *t = &s->type[type];
	struct survey_kind *k = &s->kind[r->kind];

	t->tensors++, k->tensors++;
	t->weights += r->weights, s->weights += r->weights;
	t->bytes += r->bytes, k->bytes += r->bytes, s->bytes += r->bytes;
	s->layers = r->layer >= s->layers ? r->layer + 1 : s->layers;
	if (!r->error)
		return;
	s->measured = true;
	s->weighted |= r->error->sum_weighted_sq > 0;
	heft_error_add(&t->error, r->error);
	heft_error_add(&k->error, r->error);
	heft_error_add(&s->error, r->error);
}

/* Types in the order of `heft types`, then those that are not in its table. */
static void list_types(struct survey *s)
{
	const struct heft_encoding *enc;

	for (size_t k = 0; (enc = heft_encoding_at(k)); k++)
		for (size_t i = 0; i < s->n_rows; i++)
			if (s->row[i].to == enc) {
				type_index(s, enc);
				break;
			}
}

static void rank_types(struct survey *s)
{
	for (size_t i = 0; i < s->n_types; i++)
		for (size_t k = 0; k < s->n_types; k++) {
			double a = heft_encoding_bits(s->type[i].enc), b = heft_encoding_bits(s->type[k].enc);
			s->type[i].rank += b < a || (b == a && k < i);
		}
}

/* Bytes before the layer's '#', the point behind it among them; 0: none. */
static size_t prefix_of(const struct survey_kind *k)
{
	const char *mark = k->layered ? strstr(k->name, "#.") : NULL;

	return mark ? (size_t)(mark - k->name) + 2 : 0;
}

static bool same_prefix(const struct survey_kind *a, const struct survey_kind *b)
{
	size_t n = prefix_of(a);

	return n == prefix_of(b) && !strncmp(a->name, b->name, n);
}

/* What most layered tensors begin with is left out of what is shown. */
static void label_kinds(struct survey *s)
{
	const struct survey_kind *common = NULL;
	uint64_t most = 0;

	for (size_t i = 0; i < s->n_kinds; i++) {
		uint64_t n = 0;
		for (size_t k = 0; prefix_of(&s->kind[i]) && k < s->n_kinds; k++)
			n += same_prefix(&s->kind[i], &s->kind[k]) ? s->kind[k].tensors : 0;
		if (n > most) {
			most = n;
			common = &s->kind[i];
		}
	}
	for (size_t i = 0; i < s->n_kinds; i++)
		s->kind[i].label = s->kind[i].name + (common && same_prefix(common, &s->kind[i]) ? prefix_of(common) : 0);
}

void survey_finish(struct survey *s)
{
	list_types(s);
	for (size_t i = 0; i < s->n_rows; i++)
		sum_row(s, &s->row[i]);
	rank_types(s);
	label_kinds(s);
}

static uint64_t elements(const struct heft_item *it)
{
	uint64_t n = 1;

	for (int i = 0; i < it->rank; i++)
		n *= it->dim[i];
	return n;
}

void survey_output(struct survey *s, const struct heft_output *o, const struct heft_error *e)
{
	*s = (struct survey){ 0 };
	for (size_t i = 0; i < o->n_items; i++) {
		const struct heft_item *it = &o->item[i];
		struct survey_row row = { .name = it->name, .from = it->from, .to = it->to, .weights = elements(it), .bytes = it->size, .dim = it->dim,
					  .rank = it->rank, .error = e ? &e[i] : NULL, .why = it->why, .fallback = it->fallback };
		survey_add(s, &row);
	}
	survey_finish(s);
}

void survey_release(struct survey *s)
{
	for (size_t i = 0; i < s->n_kinds; i++)
		free(s->kind[i].name);
	free(s->kind);
	free(s->type);
	free(s->row);
	*s = (struct survey){ 0 };
}

/* ---- questions ---- */

const struct survey_type *survey_type_of(const struct survey *s, const struct heft_encoding *enc)
{
	for (size_t i = 0; i < s->n_types; i++)
		if (s->type[i].enc == enc)
			return &s->type[i];
	return NULL;
}

static void add_to_cell(struct survey_cell *c, const struct survey_row *r)
{
	c->tensors++;
	c->bytes += r->bytes;
	c->weights += r->weights;
	if (r->error)
		heft_error_add(&c->error, r->error);
	c->mixed |= c->largest && c->largest->to != r->to;
	if (!c->largest || r->bytes > c->largest->bytes)
		c->largest = r;
}

void survey_cells(const struct survey *s, size_t kind, struct survey_cell *cell)
{
	memset(cell, 0, (size_t)s->layers * sizeof *cell);
	for (size_t i = 0; i < s->n_rows; i++)
		if (s->row[i].kind == kind && s->row[i].layer >= 0)
			add_to_cell(&cell[s->row[i].layer], &s->row[i]);
}

struct survey_part survey_part_at(const struct survey *s, size_t part)
{
	struct survey_part p = { 0 };

	for (size_t i = 0; i < s->n_rows; i++) {
		const struct survey_row *r = &s->row[i];
		if (s->kind[r->kind].part != part)
			continue;
		p.tensors++;
		p.bytes += r->bytes;
		p.weights += r->weights;
		if (r->error)
			heft_error_add(&p.error, r->error);
	}
	return p;
}

double survey_relative(const struct heft_error *e)
{
	double x = heft_error_relative(e);

	return isfinite(x) ? x : 0;
}

size_t survey_worst(const struct survey *s, const struct survey_row **worst, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < s->n_rows; i++) {
		const struct survey_row *r = &s->row[i];
		double x = r->error ? heft_error_sqnr(r->error) : INFINITY;
		size_t at = found;
		if (!isfinite(x))
			continue;
		while (at && x < heft_error_sqnr(worst[at - 1]->error))
			at--;
		if (at == n)
			continue;
		found += found < n;
		memmove(worst + at + 1, worst + at, (found - at - 1) * sizeof *worst);
		worst[at] = r;
	}
	return found;
}
