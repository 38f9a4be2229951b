/*
 * pattern.c - patterns take tensor names apart, templates make them.
 *
 *   model.layers.{l}.mlp.{w:gate|up}_proj.{s}  ->  blk.{l}.ffn_{w}.{s}
 *
 * Numbers match greedily and are not tried again; words and {*} are tried in order, every try costs a step of the
 * budget.
 */
#include "pattern.h"

#include <inttypes.h>
#include <string.h>

enum { NAME_LIMIT = 4096 };

static int add_text(struct scan *s, struct pattern *p, const char *text, size_t n)
{
	if (!n)
		return 0;
	if (p->n == PATTERN_PARTS)
		return scan_fail(s, "a pattern has more than %d parts", PATTERN_PARTS);
	p->part[p->n++] =
		(struct part){ .kind = PART_TEXT, .text = { arena_memdup(s->arena, text, n), n }, .symbol = -1 };
	return 0;
}

static int parse_words(struct scan *s, struct part *part, const char *end)
{
	struct heft_str word[ALTERNATIVES];
	int n = 0;
	part->kind = PART_WORD;
	for (;;) {
		size_t len = strcspn(s->p, "|}");
		if (n == ALTERNATIVES)
			return scan_fail(s, "more than %d words to choose from", ALTERNATIVES);
		word[n++] = (struct heft_str){ arena_memdup(s->arena, s->p, len), len };
		s->p += len;
		if (s->p >= end)
			break;
		s->p++;
	}
	part->word = (struct heft_str *)arena_memdup(s->arena, word, (size_t)n * sizeof(*word));
	part->n_words = n;
	return 0;
}

/* {l} {s} {*} {w:a|b}: s->p stands behind the brace. */
static int parse_capture(struct scan *s, struct part *part, const char *end)
{
	static const struct heft_str kinds[] = { { "weight", 6 }, { "bias", 4 } };
	struct heft_str name;
	*part = (struct part){ .kind = PART_ANY, .symbol = -1 };
	if (scan_mark(s, "*"))
		return 0;
	if (!scan_name(s, &name))
		return scan_fail(s, "expected {name}, {name:a|b} or {*}");
	part->symbol = symbols_add(s->symbols, name.p, name.n);
	if (scan_mark(s, ":"))
		return parse_words(s, part, end);
	part->kind = PART_NUMBER;
	if (name.n == 1 && *name.p == 's') {
		part->kind = PART_WORD;
		part->word = kinds;
		part->n_words = 2;
	}
	return 0;
}

/* {E} or {k in LIST} of a template. */
static int parse_hole(struct scan *s, struct part *part, const char *end)
{
	struct heft_str name;
	const char *begin = s->p;
	*part = (struct part){ .kind = PART_EXPR, .symbol = -1 };
	if (scan_name(s, &name) && scan_word(s, "in")) {
		part->kind = PART_REPEAT;
		part->symbol = symbols_add(s->symbols, name.p, name.n);
	} else {
		s->p = begin;
	}
	part->expr = expr_parse(s);
	return part->expr ? 0 : -1;
}

static int parse_parts(struct scan *s, struct pattern *p, bool is_template)
{
	while (*s->p && *s->p != ' ' && *s->p != '\t') {
		size_t n = strcspn(s->p, " \t{");
		if (add_text(s, p, s->p, n))
			return -1;
		s->p += n;
		if (*s->p != '{')
			break;
		const char *end = strchr(s->p, '}');
		if (!end)
			return scan_fail(s, "'{' without '}'");
		if (p->n == PATTERN_PARTS)
			return scan_fail(s, "a pattern has more than %d parts", PATTERN_PARTS);
		s->p++;
		if (is_template ? parse_hole(s, &p->part[p->n], end) : parse_capture(s, &p->part[p->n], end))
			return -1;
		p->n++;
		if (!scan_mark(s, "}"))
			return scan_fail(s, "expected '}' before '%.20s'", s->p);
	}
	return 0;
}

static int parse_word(struct scan *s, struct pattern *p, bool is_template)
{
	struct heft_str text;
	*p = (struct pattern){ 0 };
	scan_blank(s);
	const char *begin = s->p;
	int quoted = scan_string(s, &text);
	if (quoted < 0)
		return -1;
	p->literal = quoted;
	if (!quoted && *s->p == '^' && !is_template) {
		p->from_start = true;
		s->p++;
	}
	if (quoted ? add_text(s, p, text.p, text.n) : parse_parts(s, p, is_template))
		return -1;
	p->text = arena_memdup(s->arena, begin, (size_t)(s->p - begin));
	if (s->p == begin)
		return scan_fail(s, "expected a tensor name or pattern");
	return 0;
}

int pattern_parse(struct scan *s, struct pattern *p)
{
	if (parse_word(s, p, false))
		return -1;
	struct part *last = p->n ? &p->part[p->n - 1] : NULL;
	if (!p->literal && last && last->kind == PART_TEXT && last->text.p[last->text.n - 1] == '$') {
		p->to_end = true;
		last->text =
			(struct heft_str){ arena_memdup(s->arena, last->text.p, last->text.n - 1), last->text.n - 1 };
		p->n -= !last->text.n;
	}
	return 0;
}

int template_parse(struct scan *s, struct pattern *p)
{
	return parse_word(s, p, true);
}

bool pattern_has(const struct pattern *p, int symbol)
{
	for (int i = 0; i < p->n; i++)
		if (p->part[i].kind != PART_TEXT && p->part[i].kind != PART_ANY && p->part[i].symbol == symbol)
			return true;
	return false;
}

/* A decimal number at *s; false where there is none, where it has a leading zero or does not fit. */
static bool take_number(const char **s, int64_t *out)
{
	const char *p = *s;
	int64_t v = 0;
	if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *p - '0', &v))
			return false;
	*s = p;
	*out = v;
	return true;
}

/* A name that occurs twice must match the same again. */
static int bind_capture(struct env *e, int symbol, struct value v)
{
	for (int i = e->bind_base; i < e->n_bind; i++)
		if (e->bind[i].symbol == symbol)
			return v_equal(&e->bind[i].value, &v);
	return env_bind(e, symbol, v) ? -1 : 1;
}

struct match {
	struct env *env;
	const struct pattern *pattern;
	bool whole; /* the name must end where the pattern ends */
	const char *end; /* where it ended */
};

/* Recursion over the parts of the pattern, which are at most PATTERN_PARTS. */
static int match_from(struct match *m, int at, const char *name)
{
	struct env *e = m->env;
	int64_t number;
	if (at == m->pattern->n) {
		m->end = name;
		return !m->whole || !*name;
	}
	const struct part *part = &m->pattern->part[at];
	int bound = e->n_bind, rc = 0;
	switch (part->kind) {
	case PART_TEXT:
		return strncmp(name, part->text.p, part->text.n) ? 0 : match_from(m, at + 1, name + part->text.n);
	case PART_NUMBER:
		rc = take_number(&name, &number) ? bind_capture(e, part->symbol, v_int(number)) : 0;
		return rc == 1 ? match_from(m, at + 1, name) : rc;
	case PART_WORD:
		for (int i = 0; i < part->n_words && !rc; i++) {
			const struct heft_str *w = &part->word[i];
			e->n_bind = bound;
			if (strncmp(name, w->p, w->n))
				continue;
			rc = env_charge(e, 1) ? -1 :
						bind_capture(e, part->symbol, (struct value){ .kind = V_STR, .s = *w });
			if (rc == 1)
				rc = match_from(m, at + 1, name + w->n);
		}
		return rc;
	default: /* PART_ANY */
		if (at + 1 == m->pattern->n && m->whole) {
			m->end = name + strlen(name);
			return 1;
		}
		for (; !rc; name++) {
			e->n_bind = bound;
			rc = env_charge(e, 1) ? -1 : match_from(m, at + 1, name);
			if (!*name)
				break;
		}
		return rc;
	}
}

static int try_match(struct match *m, const char *name)
{
	int bound = m->env->n_bind;
	int rc = match_from(m, 0, name);
	if (rc != 1)
		m->env->n_bind = bound;
	return rc;
}

int pattern_match(struct env *e, const struct pattern *p, const char *name)
{
	struct match m = { e, p, true, NULL };
	return try_match(&m, name);
}

/* Names must not grow without bound: a rewrite may be repeated by every row. */
static bool name_fits(struct env *e, size_t n)
{
	if (n > NAME_LIMIT)
		env_fail(e, "a tensor's name of more than %d bytes", NAME_LIMIT);
	return n <= NAME_LIMIT && !env_charge(e, n);
}

static const char *show_hole(struct env *e, const struct part *part)
{
	struct value v = v_null();
	const struct expr *outer = e->at;
	if (expr_eval(e, part->expr, &v))
		return NULL;
	if (v.kind == V_STR || v.kind == V_INT)
		return v_show(&v, e->arena);
	e->at = part->expr;
	env_fail(e, "%s in a tensor's name", v_kind_name(v.kind));
	e->at = outer;
	return NULL;
}

const char *template_make(struct env *e, const struct pattern *t)
{
	struct jbuf b = { 0 };
	bool good = true;
	for (int i = 0; i < t->n && good; i++) {
		const struct part *part = &t->part[i];
		const char *text = part->text.p;
		struct value v = v_null();
		if (part->kind == PART_EXPR) {
			text = show_hole(e, part);
		} else if (part->kind == PART_REPEAT) {
			for (int k = e->bind_base; k < e->n_bind; k++)
				if (e->bind[k].symbol == part->symbol)
					v = e->bind[k].value;
			text = v_show(&v, e->arena);
		}
		good = text && name_fits(e, b.n + strlen(text));
		if (good)
			jbuf_raw(&b, text, strlen(text));
	}
	const char *name = good ? arena_memdup(e->arena, b.n ? b.p : "", b.n) : NULL;
	jbuf_release(&b);
	return name;
}

static struct value bound_value(const struct env *e, const struct part *part)
{
	struct value v = part->n_words ? (struct value){ .kind = V_STR, .s = part->word[0] } : v_null();
	for (int k = e->bind_base; k < e->n_bind; k++)
		if (e->bind[k].symbol == part->symbol)
			v = e->bind[k].value;
	return v;
}

const char *pattern_make(struct env *e, const struct pattern *p)
{
	const char *name = "";
	for (int i = 0; i < p->n; i++) {
		const struct part *part = &p->part[i];
		struct value v = part->kind == PART_TEXT ? (struct value){ .kind = V_STR, .s = part->text } :
							   bound_value(e, part);
		const char *text = v_show(&v, e->arena);
		if (!name_fits(e, strlen(name) + strlen(text)))
			return NULL;
		name = arena_printf(e->arena, "%s%s", name, text);
	}
	return name;
}

/* name with bytes begin..end replaced by what the template makes */
static const char *splice(struct env *e, const char *name, const char *begin, const char *end, const struct pattern *to)
{
	const char *middle = template_make(e, to);
	if (!middle || !name_fits(e, strlen(name) + strlen(middle)))
		return NULL;
	return arena_printf(e->arena, "%.*s%s%s", (int)(begin - name), name, middle, end);
}

static const char *replace_all(struct env *e, const char *what, const struct pattern *to, const char *name)
{
	size_t n = strlen(what);
	const char *middle = template_make(e, to), *hit = n ? strstr(name, what) : NULL;
	if (!middle || !hit)
		return middle ? name : NULL;
	struct jbuf b = { 0 };
	for (; hit && b.n <= NAME_LIMIT; hit = strstr(name, what)) {
		jbuf_raw(&b, name, (size_t)(hit - name));
		jbuf_raw(&b, middle, strlen(middle));
		name = hit + n;
	}
	jbuf_raw(&b, name, strlen(name));
	name = name_fits(e, b.n) ? arena_memdup(e->arena, b.p, b.n) : NULL;
	jbuf_release(&b);
	return name;
}

const char *pattern_rewrite(struct env *e, const struct pattern *p, const struct pattern *to, const char *name)
{
	int bound = e->n_bind, rc = 0;
	const char *at = name, *out = name;
	if (p->literal)
		return replace_all(e, p->n ? p->part[0].text.p : "", to, name);
	struct match m = { e, p, p->to_end, NULL };
	for (; !rc; at++) {
		if (env_charge(e, 1))
			return NULL;
		rc = try_match(&m, at);
		if (rc || p->from_start || !*at)
			break;
	}
	if (rc == 1)
		out = splice(e, name, at, m.end, to);
	e->n_bind = bound;
	return rc < 0 ? NULL : out;
}
