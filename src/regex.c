/*
 * regex.c - a pattern becomes a program of byte sets and jumps; all ways through it are followed at once, byte by byte.
 *
 * Jumps are relative, so that a piece of program may be moved and copied: X* is  split(+1, behind) X jump(back), X{2,3}
 * is X X X?.
 */
#include "regex.h"

#include <string.h>

enum op { R_SET, R_SPLIT, R_JUMP, R_BEGIN, R_END, R_BOUNDARY, R_MATCH };
enum { DEPTH = 32, COUNT = 255 };

struct parse {
	struct regex *r;
	const char *p, *end;
	const char *wrong;
	int depth;
};

static bool fail(struct parse *s, const char *wrong)
{
	if (!s->wrong)
		s->wrong = wrong;
	return false;
}

/* ---- the program ---- */

static bool add(struct parse *s, enum op op, int x, int y)
{
	struct regex *r = s->r;
	if (r->n == REGEX_SIZE)
		return fail(s, "the pattern is too large");
	r->insn[r->n++] = (struct regex_insn){ (uint8_t)op, 0, (int16_t)x, (int16_t)y };
	return true;
}

static bool insert(struct parse *s, int at, enum op op, int x, int y)
{
	struct regex *r = s->r;
	if (!add(s, op, x, y))
		return false;
	struct regex_insn last = r->insn[r->n - 1];
	memmove(&r->insn[at + 1], &r->insn[at], (size_t)(r->n - 1 - at) * sizeof(last));
	r->insn[at] = last;
	return true;
}

/* Once more the len instructions at from. */
static bool copy(struct parse *s, int from, int len)
{
	struct regex *r = s->r;
	if (r->n + len > REGEX_SIZE)
		return fail(s, "the pattern is too large");
	memcpy(&r->insn[r->n], &r->insn[from], (size_t)len * sizeof(r->insn[0]));
	r->n += len;
	return true;
}

static bool optional(struct parse *s, int at)
{
	int len = s->r->n - at;
	return insert(s, at, R_SPLIT, 1, len + 1);
}

static bool star(struct parse *s, int at)
{
	int len = s->r->n - at;
	return insert(s, at, R_SPLIT, 1, len + 2) && add(s, R_JUMP, -(len + 1), 0);
}

static bool repeat(struct parse *s, int at, int min, int max)
{
	int len = s->r->n - at;
	if (!min && max < 0)
		return star(s, at);
	if (!max) {
		s->r->n = at;
		return true;
	}
	for (int i = 1; i < min; i++)
		if (!copy(s, at, len))
			return false;
	if (max < 0)
		return add(s, R_SPLIT, -len, 1);
	if (!min && !optional(s, at))
		return false;
	for (int i = min ? min : 1; i < max; i++) {
		int copied = s->r->n;
		if (!copy(s, min ? at : at + 1, len) || !optional(s, copied))
			return false;
	}
	return true;
}

/* ---- sets of bytes ---- */

typedef uint32_t byte_set[8];

static void put(uint32_t *set, unsigned char c)
{
	set[c / 32] |= 1u << (c % 32);
}

static bool holds(const uint32_t *set, unsigned char c)
{
	return set[c / 32] >> (c % 32) & 1;
}

static void put_range(uint32_t *set, unsigned char from, unsigned char to)
{
	for (int c = from; c <= to; c++)
		put(set, (unsigned char)c);
}

static void invert(uint32_t *set)
{
	for (int i = 0; i < 8; i++)
		set[i] = ~set[i];
}

/* \d \w \s and their opposites; false where c is none of them. */
static bool put_class(uint32_t *set, char c)
{
	byte_set own = { 0 };
	switch (c | 0x20) {
	case 'd':
		put_range(own, '0', '9');
		break;
	case 'w':
		put_range(own, '0', '9');
		put_range(own, 'a', 'z');
		put_range(own, 'A', 'Z');
		put(own, '_');
		break;
	case 's':
		put_range(own, '\t', '\r');
		put(own, ' ');
		break;
	default:
		return false;
	}
	if (!(c & 0x20))
		invert(own);
	for (int i = 0; i < 8; i++)
		set[i] |= own[i];
	return true;
}

static bool add_set(struct parse *s, const uint32_t *set)
{
	struct regex *r = s->r;
	if (r->n_sets == REGEX_SETS)
		return fail(s, "the pattern is too large");
	memcpy(r->sets[r->n_sets], set, sizeof(r->sets[0]));
	if (!add(s, R_SET, 0, 0))
		return false;
	r->insn[r->n - 1].set = (uint8_t)r->n_sets++;
	return true;
}

static unsigned char escaped(char c)
{
	return (unsigned char)(c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c);
}

/* One member of [...]: a byte, or a class that is put at once (*single false). */
static bool take_member(struct parse *s, uint32_t *set, unsigned char *c, bool *single)
{
	*single = true;
	*c = (unsigned char)*s->p++;
	if (*c != '\\')
		return true;
	if (s->p == s->end)
		return fail(s, "'\\' at the end");
	char e = *s->p++;
	*single = !put_class(set, e);
	*c = escaped(e);
	return true;
}

/* s->p stands behind the bracket. */
static bool take_bracket(struct parse *s)
{
	byte_set set = { 0 };
	unsigned char from, to;
	bool negative = s->p < s->end && *s->p == '^', single;
	s->p += negative;
	while (s->p < s->end && *s->p != ']') {
		if (!take_member(s, set, &from, &single))
			return false;
		to = from;
		if (single && s->end - s->p > 1 && s->p[0] == '-' && s->p[1] != ']') {
			s->p++;
			if (!take_member(s, set, &to, &single) || !single || to < from)
				return fail(s, "a range in [] is not one");
		}
		if (single)
			put_range(set, from, to);
	}
	if (s->p == s->end)
		return fail(s, "'[' without ']'");
	s->p++;
	if (negative)
		invert(set);
	return add_set(s, set);
}

/* ---- the grammar ---- */

static bool take_alternatives(struct parse *s); /* brackets nest: counted by depth */

static bool take_group(struct parse *s)
{
	if (s->end - s->p > 1 && s->p[0] == '?') {
		if (s->p[1] != ':')
			return fail(s, "look-ahead is not supported");
		s->p += 2;
	}
	if (++s->depth > DEPTH)
		return fail(s, "too many levels of ()");
	if (!take_alternatives(s))
		return false;
	if (s->p == s->end)
		return fail(s, "'(' without ')'");
	s->p++;
	s->depth--;
	return true;
}

static bool take_escape(struct parse *s)
{
	byte_set set = { 0 };
	if (s->p == s->end)
		return fail(s, "'\\' at the end");
	char c = *s->p++;
	if (c == 'b' || c == 'B')
		return add(s, R_BOUNDARY, c == 'b', 0);
	if (c >= '1' && c <= '9')
		return fail(s, "back references are not supported");
	if (!put_class(set, c))
		put(set, escaped(c));
	return add_set(s, set);
}

static bool take_atom(struct parse *s)
{
	byte_set set = { 0 };
	char c = *s->p++;
	switch (c) {
	case '(': return take_group(s);
	case '[': return take_bracket(s);
	case '\\': return take_escape(s);
	case '^': return add(s, R_BEGIN, 0, 0);
	case '$': return add(s, R_END, 0, 0);
	case '*': case '+': case '?': case '{': return fail(s, "nothing stands before a repetition");
	case '.':
		put(set, '\n');
		put(set, '\r');
		invert(set);
		return add_set(s, set);
	default:
		put(set, (unsigned char)c);
		return add_set(s, set);
	}
}

static bool take_count(struct parse *s, int *n)
{
	*n = -1;
	for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++) {
		*n = (*n < 0 ? 0 : *n * 10) + *s->p - '0';
		if (*n > COUNT)
			return fail(s, "a count is larger than 255");
	}
	return true;
}

/* {n} {n,} {n,m}; s->p stands behind the brace. max -1: without end. */
static bool take_counts(struct parse *s, int *min, int *max)
{
	if (!take_count(s, min))
		return false;
	*max = *min;
	if (s->p < s->end && *s->p == ',') {
		s->p++;
		if (!take_count(s, max))
			return false;
	}
	if (*min < 0 || s->p == s->end || *s->p != '}' || (*max >= 0 && *max < *min))
		return fail(s, "'{' without a count and '}'");
	s->p++;
	return true;
}

static bool take_repeated(struct parse *s)
{
	int at = s->r->n, min = 0, max = -1;
	if (!take_atom(s))
		return false;
	if (s->p == s->end || !strchr("*+?{", *s->p))
		return true;
	char c = *s->p++;
	if (c == '+')
		min = 1;
	else if (c == '?')
		max = 1;
	else if (c == '{' && !take_counts(s, &min, &max))
		return false;
	if (s->p < s->end && *s->p == '?') /* lazy: finds the same names */
		s->p++;
	return repeat(s, at, min, max);
}

static bool take_sequence(struct parse *s)
{
	while (s->p < s->end && *s->p != '|' && *s->p != ')')
		if (!take_repeated(s))
			return false;
	return true;
}

static bool take_alternatives(struct parse *s)
{
	int at = s->r->n;
	if (!take_sequence(s))
		return false;
	while (s->p < s->end && *s->p == '|') {
		s->p++;
		if (!insert(s, at, R_SPLIT, 1, s->r->n - at + 2) || !add(s, R_JUMP, 0, 0))
			return false;
		int jump = s->r->n - 1;
		if (!take_sequence(s))
			return false;
		s->r->insn[jump].x = (int16_t)(s->r->n - jump);
	}
	return true;
}

const char *regex_compile(struct regex *r, const char *pattern, size_t n)
{
	struct parse s = { .r = r, .p = pattern, .end = pattern + n };
	r->n = r->n_sets = 0;
	if (memchr(pattern, 0, n))
		return "it holds a zero byte";
	if (take_alternatives(&s) && s.p < s.end)
		fail(&s, "')' without '('");
	if (!s.wrong)
		add(&s, R_MATCH, 0, 0);
	return s.wrong;
}

/* ---- matching ---- */

struct threads { /* instructions that wait for the next byte; each at most once */
	int16_t at[REGEX_SIZE];
	int n;
	uint32_t seen[REGEX_SIZE / 32];
};

static bool is_word(const char *text, const char *p)
{
	byte_set set = { 0 };
	put_class(set, 'w');
	return p >= text && *p && holds(set, (unsigned char)*p);
}

static bool here(const struct regex_insn *in, const char *text, const char *p)
{
	switch ((enum op)in->op) {
	case R_BEGIN: return p == text;
	case R_END: return !*p;
	default: return (is_word(text, p - 1) != is_word(text, p)) == in->x;
	}
}

/* Follows jumps from one instruction; the ways still to go are kept on a stack of our own. */
static bool follow(const struct regex *r, struct threads *t, int from, const char *text, const char *p)
{
	int16_t todo[REGEX_SIZE + 1];
	int n = 0;
	todo[n++] = (int16_t)from;
	while (n) {
		int pc = todo[--n];
		const struct regex_insn *in = &r->insn[pc];
		if (t->seen[pc / 32] >> (pc % 32) & 1)
			continue;
		t->seen[pc / 32] |= 1u << (pc % 32);
		if (in->op == R_MATCH)
			return true;
		if (in->op == R_SET)
			t->at[t->n++] = (int16_t)pc;
		else if (in->op == R_SPLIT)
			todo[n++] = (int16_t)(pc + in->y);
		if (in->op == R_SPLIT || in->op == R_JUMP)
			todo[n++] = (int16_t)(pc + in->x);
		else if (in->op != R_SET && here(in, text, p))
			todo[n++] = (int16_t)(pc + 1);
	}
	return false;
}

bool regex_search(const struct regex *r, const char *text)
{
	struct threads a, b, *now = &a, *next = &b;
	memset(now, 0, sizeof(*now));
	for (const char *p = text;; p++) {
		if (follow(r, now, 0, text, p))
			return true;
		if (!*p)
			return false;
		next->n = 0;
		memset(next->seen, 0, sizeof(next->seen));
		for (int i = 0; i < now->n; i++)
			if (holds(r->sets[r->insn[now->at[i]].set], (unsigned char)*p) &&
				follow(r, next, now->at[i] + 1, text, p + 1))
				return true;
		struct threads *t = now;
		now = next;
		next = t;
	}
}
