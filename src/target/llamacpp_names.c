/*
 * llamacpp_names.c - reads what a model's name says: organization, base name, size, fine-tune, version. Follows the
 * reference's heuristics part by part, since people search and group files by the keys that come of them. A guess that
 * is wrong is a wrong label and never an error.
 *
 *	Meta/Llama-3.1-8B-Instruct-v2-GGUF
 *	org  base      size finetune version finetune
 */
#include "target.h"
#include "llamacpp_names.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ID_LIMIT 1024 /* a longer name is taken whole */

enum { BASENAME = 1, SIZE_LABEL = 2, FINETUNE = 4, VERSION = 8, TYPE = 16 };

struct part {
	char *s;
	unsigned is; /* bits from above */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

/* Bytes of other scripts count as letters, which nearly all of them are. */
static bool is_alpha(char c)
{
	return is_lower(c) || is_upper(c) || (unsigned char)c >= 0x80;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}

static char lower(char c)
{
	return is_upper(c) ? c + 32 : c;
}

static char upper(char c)
{
	return is_lower(c) ? c - 32 : c;
}

static size_t digits(const char *s)
{
	return strspn(s, "0123456789");
}

/* N[.N]... to the end */
static bool is_dotted(const char *s)
{
	for (;;) {
		size_t n = digits(s);
		if (!n)
			return false;
		s += n;
		if (!*s)
			return true;
		if (*s++ != '.')
			return false;
	}
}

/* "3", "v1.2", "iter3" */
static bool is_version(const char *s)
{
	if (!strncasecmp(s, "iter", 4))
		s += 4;
	else if (lower(*s) == 'v')
		s++;
	return is_dotted(s);
}

/* "Q4_K_M", "iq2_x" */
static bool is_quant_type(const char *s)
{
	s += lower(*s) == 'i';
	if (lower(s[0]) != 'q' || !is_digit(s[1]))
		return false;
	for (s += 2; *s; s += 2)
		if (s[0] != '_' || !(is_alpha(s[1]) || is_digit(s[1]) || s[1] == '_'))
			return false;
	return true;
}

/* "bf16", "fp32", "f16" */
static bool is_float_type(const char *s)
{
	s += lower(*s) == 'b';
	if (lower(*s++) != 'f')
		return false;
	s += lower(*s) == 'p';
	return !strcmp(s, "16") || !strcmp(s, "32");
}

static bool is_word_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (!strcasecmp(s, *words))
			return true;
	return false;
}

/* "7B", "8x7b", "A3B", "1_5b", "7b1" */
static bool is_size(const char *s)
{
	static const char *const words[] = { "small", "mini", "medium", "large", "xl", "xxl", NULL };
	if (is_word_of(s, words))
		return true;
	size_t n = digits(s);
	if (lower(*s) == 'a')
		s++;
	else if (n && lower(s[n]) == 'x')
		s += n + 1;
	n = digits(s);
	if (!n)
		return false;
	s += n;
	if ((*s == '.' || *s == '_') && is_digit(s[1]))
		s += 1 + digits(s + 1);
	if (!*s || !strchr("kmbt", lower(*s)))
		return false;
	s++;
	return !*s || (is_digit(*s) && !s[1]);
}

/* One spelling for sizes: "1_5b" is 1.5B, BLOOM's "7b1" is 7.1B. */
static char *size_normal(const char *s, struct arena *a)
{
	char *t = arena_printf(a, "%s ", s); /* room for the point that "7b1" gets */
	size_t n = strlen(s);
	t[n] = 0;
	for (char *p = t; *p; p++)
		if (*p == '_')
			*p = '.';
	if (is_digit(t[n - 1])) {
		char unit = t[n - 2], digit = t[n - 1];
		t[n - 2] = '.';
		t[n - 1] = digit;
		t[n++] = unit;
		t[n] = 0;
	}
	if (n > 1 && is_digit(t[n - 2]))
		t[n - 1] = upper(t[n - 1]);
	return t;
}

/* "7.1" of "7.1B" as a number: false where more than a number stands before the unit. */
static bool size_number(const char *s, double *out)
{
	double v = 0, unit = 1;
	for (; is_digit(*s); s++)
		v = v * 10 + (*s - '0');
	if (*s == '.')
		for (s++; is_digit(*s); s++)
			v += (*s - '0') * (unit /= 10);
	*out = v;
	return s[0] && !s[1];
}

/* Is the number far from this model's parameters? Then it is likely a context length. */
static bool size_is_context(const char *s, int64_t total)
{
	static const char units[] = "KMBT";
	static const double scale[] = { 1e3, 1e6, 1e9, 1e12 };
	const char *unit = strchr(units, s[strlen(s) - 1]);
	int64_t far = 7 * total / 8, eighth = -total / 8;
	double v;
	if (!total || !unit || !is_digit(s[0]) || !size_number(s, &v))
		return false;
	v *= scale[unit - units];
	if (total < 0)
		return v < (double)eighth;
	return fabs(v - (double)total) > (double)far;
}

static void mark_size(struct part *p, int64_t total, struct arena *a)
{
	p->s = size_normal(p->s, a);
	p->is = SIZE_LABEL;
	if (size_is_context(p->s, total)) {
		size_t n = strlen(p->s);
		p->s[n - 1] = lower(p->s[n - 1]);
		p->is = FINETUNE;
	}
}

/* What each part is by itself; the first part is never a size or fine-tune. */
static void mark(struct part *p, size_t n, int64_t total, struct arena *a)
{
	static const char *const tunes[] = { "chat", "instruct", "vision", "lora", NULL };
	for (size_t i = 0; i < n; i++) {
		if (is_version(p[i].s)) {
			p[i].is = VERSION;
		} else if (is_quant_type(p[i].s) || is_float_type(p[i].s)) {
			p[i].is = TYPE;
			for (char *c = p[i].s; *c; c++)
				*c = upper(*c);
		} else if (i && is_size(p[i].s)) {
			mark_size(&p[i], total, a);
		} else if (i && is_word_of(p[i].s, tunes)) {
			p[i].is = total < 0 && !strcasecmp(p[i].s, "lora") ? TYPE : FINETUNE; /* an adapter's name need not say it */
		}
	}
}

static bool has_digit(const char *s)
{
	return s[strcspn(s, "0123456789")];
}

static bool all_alpha(const char *s)
{
	while (is_alpha(*s))
		s++;
	return !*s;
}

/* "large" is no size where a number says it. */
static void drop_word_sizes(struct part *p, size_t n)
{
	bool numbers = false;
	for (size_t i = 0; i < n; i++)
		numbers |= (p[i].is & SIZE_LABEL) && has_digit(p[i].s);
	for (size_t i = 0; numbers && i < n; i++)
		if ((p[i].is & SIZE_LABEL) && all_alpha(p[i].s))
			p[i].is &= ~SIZE_LABEL;
}

/* The base name is the words and versions at the beginning, less the versions at its end; other words are the
 * fine-tune. */
static void mark_base(struct part *p, size_t n)
{
	bool at_start = true;
	for (size_t i = 0; i < n; i++) {
		at_start &= (!p[i].is && is_alpha(p[i].s[0])) || (p[i].is & VERSION);
		if (at_start)
			p[i].is |= BASENAME;
		else if (!p[i].is)
			p[i].is = FINETUNE;
	}
	for (size_t i = n; i-- && (p[i].is & BASENAME) && p[i].is != BASENAME; )
		p[i].is &= ~BASENAME;
}

static bool seen_before(const struct part *p, size_t i, unsigned kind)
{
	for (size_t k = 0; k < i; k++)
		if ((p[k].is & kind) && !strcmp(p[k].s, p[i].s))
			return true;
	return false;
}

/* The parts of one kind with "-" between; NULL where there are none. */
static const char *join(const struct part *p, size_t n, unsigned kind, unsigned but, bool once, struct arena *a)
{
	size_t room = 1;
	for (size_t i = 0; i < n; i++)
		room += strlen(p[i].s) + 1;
	char *s = arena_alloc(a, room), *o = s;
	for (size_t i = 0; i < n; i++) {
		if (!(p[i].is & kind) || (p[i].is & but) || (once && seen_before(p, i, kind)))
			continue;
		if (o != s)
			*o++ = '-';
		o = stpcpy(o, p[i].s);
	}
	return o != s ? s : NULL;
}

static size_t split(char *s, struct part *p)
{
	size_t n = 0;
	char *save;
	for (char *t = strtok_r(s, "-", &save); t; t = strtok_r(NULL, "-", &save))
		p[n++] = (struct part){ .s = t };
	return n;
}

void model_id_parse(struct model_id *out, const char *id, int64_t total, struct arena *a)
{
	*out = (struct model_id){ .part[ID_NAME] = id };
	if (strchr(id, ' ') || strlen(id) > ID_LIMIT)
		return; /* a sentence of a person */
	const char *slash = strchr(id, '/');
	if (slash) {
		out->part[ID_NAME] = slash + 1;
		if (id[0] != '.') /* "./" and "../" are no organizations */
			out->part[ID_ORGANIZATION] = arena_memdup(a, id, (size_t)(slash - id));
	}
	char *copy = arena_strdup(a, out->part[ID_NAME]);
	struct part *p = arena_array(a, strlen(copy) / 2 + 1, sizeof(*p));
	size_t n = split(copy, p);
	mark(p, n, total, a);
	drop_word_sizes(p, n);
	mark_base(p, n);
	out->part[ID_SIZE_LABEL] = join(p, n, SIZE_LABEL, 0, true, a);
	out->part[ID_FINETUNE] = join(p, n, FINETUNE, 0, false, a);
	out->part[ID_VERSION] = join(p, n, VERSION, BASENAME, false, a);
	if (out->part[ID_SIZE_LABEL] || out->part[ID_FINETUNE] || out->part[ID_VERSION]) /* else too ambiguous */
		out->part[ID_BASENAME] = join(p, n, BASENAME, 0, false, a);
}

/* All cased letters are small, and it is not "v1.2" or "7b". */
static bool wants_capitals(const char *w, size_t n)
{
	bool small = false;
	for (size_t i = 0; i < n; i++) {
		if (is_upper(w[i]))
			return false;
		small |= is_lower(w[i]);
	}
	char version[32];
	if (w[0] == 'v' && n > 1 && n < sizeof(version)) {
		memcpy(version, w + 1, n - 1);
		version[n - 1] = 0;
		if (is_dotted(version))
			return false;
	}
	return small && !is_digit(w[0]);
}

const char *model_id_title(const char *id, struct arena *a)
{
	char *s = arena_strdup(a, id), *o = s;
	for (const char *w = id; *w; ) {
		size_t n = 0;
		while (w[n] && w[n] != '-' && !is_space(w[n]))
			n++;
		if (!n) {
			w++;
			continue;
		}
		if (o != s)
			*o++ = ' ';
		bool capitals = wants_capitals(w, n);
		for (size_t i = 0; i < n; i++)
			*o++ = capitals && (!i || !is_alpha(w[i - 1])) ? upper(w[i]) : w[i];
		w += n;
	}
	*o = 0;
	return s;
}

/* ---- paths ----------------------------------------------------------------------------------------------------- */

enum { DEPTH = 4 };

/* The last components of a path, c[0] the very last; "" where there are fewer. */
static void components(char *path, const char *c[DEPTH])
{
	char *save;
	for (int i = 0; i < DEPTH; i++)
		c[i] = "";
	for (char *t = strtok_r(path, "/", &save); t; t = strtok_r(NULL, "/", &save)) {
		if (!strcmp(t, "."))
			continue;
		memmove(c + 1, c, (DEPTH - 1) * sizeof(*c));
		c[0] = t;
	}
}

/* models--ORG--NAME/snapshots/COMMIT is ORG/NAME. */
static const char *directory_id(const char *const *c, struct arena *a)
{
	static const char cache[] = "models--";
	if (strcmp(c[1], "snapshots") || strncmp(c[2], cache, sizeof(cache) - 1))
		return c[0];
	const char *repo = c[2] + sizeof(cache) - 1, *cut = strstr(repo, "--");
	return cut ? arena_printf(a, "%.*s/%s", (int)(cut - repo), repo, cut + 2) : repo;
}

/* A file's name without extension and shard number. */
static char *stem_of(const char *file, struct arena *a)
{
	char *s = arena_strdup(a, file), *dot = strrchr(s, '.');
	if (dot && dot != s)
		*dot = 0;
	char *of = strstr(s, "-of-");
	if (of && of - s > 6 && of[-6] == '-' && digits(of - 5) == 5 && digits(of + 4) == 5 && !of[9])
		of[-6] = 0;
	return s;
}

const char *model_id_of_path(const char *path, bool is_file, struct arena *a)
{
	static const char *const no_names[] = {"model", "pytorch_model", "diffusion_pytorch_model", "consolidated",
					       NULL};
	const char *c[DEPTH];
	components(arena_strdup(a, path), c);
	if (!c[0][0] || !strcmp(c[0], "..") || (is_file && !c[1][0])) {
		char *real = realpath(path, NULL);
		components(arena_strdup(a, real ? real : path), c);
		free(real);
	}
	if (!is_file)
		return directory_id(c, a);
	const char *stem = stem_of(c[0], a);
	return is_word_of(stem, no_names) && c[1][0] ? directory_id(c + 1, a) : stem;
}

/* ---- sizes and file names -------------------------------------------------------------------------------------- */

void llamacpp_count(struct param_count *c, const char *name, const struct shape *s)
{
	uint64_t n = 1;
	for (int i = 0; i < s->rank; i++)
		n *= s->dim[i];
	c->total += n;
	if (!strstr(name, "_exps.") || s->rank < 3) {
		c->shared += n;
		return;
	}
	uint64_t experts = s->dim[s->rank - (strstr(name, ".bias") ? 2 : 3)];
	c->expert += experts ? n / experts : 0;
	c->expert_sum += experts;
	c->expert_tensors++;
}

uint64_t llamacpp_experts(const struct param_count *c)
{
	return c->expert_tensors ? c->expert_sum / c->expert_tensors : 0;
}

/* Two digits or more: "1.2B", "46.7B" is "47B". */
static const char *rounded(uint64_t n, struct arena *a)
{
	static const struct { double above, scale; char unit; } steps[] = {
		{ 1e12, 1e-12, 'T' }, { 1e9, 1e-9, 'B' }, { 1e6, 1e-6, 'M' }, { -1, 1e-3, 'K' },
	};
	int i = 0;
	while ((double)n <= steps[i].above)
		i++;
	double v = (double)n * steps[i].scale, whole = rint(v);
	int decimals = whole >= 10 ? 0 : whole >= 1 ? 1 : 2;
	char *s = arena_printf(a, "%.*f%c", decimals, v, steps[i].unit);
	char *point = s + digits(s);
	if (decimals)
		*point = '.'; /* whatever the locale says */
	return s;
}

const char *llamacpp_size_label(const struct param_count *c, struct arena *a)
{
	uint64_t experts = llamacpp_experts(c);
	if (!experts)
		return rounded(c->total, a);
	return arena_printf(a, "%llux%s", (unsigned long long)experts, rounded(c->shared + c->expert, a));
}

static const char *text_of(const struct heft_kv *kv, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(kv[i].key, key) && kv[i].value.type == HEFT_STRING && !kv[i].value.array)
			return kv[i].value.s.p;
	return NULL;
}

/* Text from a model card as a part of a file name: no separators, no control bytes, at most `room` bytes of whole
 * characters. */
static char *file_part(const char *text, size_t room, struct arena *a)
{
	while (is_space(*text))
		text++;
	char *s = arena_strdup(a, text);
	size_t n = strlen(s);
	while (n && is_space(s[n - 1]))
		n--;
	if (n > room)
		for (n = room; n && ((unsigned char)s[n] & 0xc0) == 0x80; )
			n--;
	s[n] = 0;
	for (char *p = s; *p; p++)
		if (*p == ' ' || *p == '/' || *p == '\\' || (unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '-';
	return s;
}

const char *llamacpp_file_name(const struct heft_kv *kv, size_t n, const char *model_path, const char *type,
			       struct arena *a)
{
	static const struct { const char *key; size_t room; } parts[] = {
		{ "general.size_label", 32 }, { "general.finetune", 60 }, { "general.version", 32 },
	};
	const char *base = text_of(kv, n, "general.basename"), *kind = text_of(kv, n, "general.type");
	bool projector = kind && !strcmp(kind, "mmproj"); /* its size is not the model's */
	if (!base)
		base = text_of(kv, n, "general.name");
	if (!base || !base[0])
		base = model_path ? model_id_of_path(model_path, false, a) : "";
	char *name = file_part(base, 80, a);
	while (*name == '-' || *name == '.') /* neither an option nor hidden */
		name++;
	if (!*name)
		name = arena_strdup(a, "model");
	if (projector)
		name = arena_printf(a, "mmproj-%s", name);
	for (size_t i = projector; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *text = text_of(kv, n, parts[i].key);
		if (text)
			name = arena_printf(a, "%s-%s", name, file_part(text, parts[i].room, a));
	}
	char *t = file_part(type ? type : "", 24, a);
	for (char *p = t; *p; p++)
		*p = upper(*p);
	return *t ? arena_printf(a, "%s-%s.gguf", name, t) : arena_printf(a, "%s.gguf", name);
}
