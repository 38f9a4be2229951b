/*
 * arch_set.c - which families there are: the texts that are compiled in, and at most one file of the user's. A family
 * is parsed when it is first asked for; before, only its first words are looked at.
 */
#include "arch_rows.h"

#include "texts.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { FILE_LIMIT = 64 << 10, BASE_LEVELS = 16, NEAR_MATCHES = 3 };

struct family { /* one text */
	const char *file, *text;
	size_t n;
	const char *name;        /* of its arch or abstract row */
	bool abstract, projector;
	const char **from;       /* of its from or projector rows, NULL-terminated */
	size_t n_from, cap_from;
	struct arch *arch;       /* parsed */
	const struct family **lineage; /* when parsed: itself, then its bases */
	size_t n_lineage;
};

struct arch_set {
	struct arena *arena;
	struct family *family;
	size_t n, cap;
	struct family *user;   /* the user's file, or NULL */
	const char *target;    /* whose rows are read; NULL: llamacpp's */
	struct arch_set *next; /* of those that heft_families() keeps */
};

/* ---- first words ---- */

static const char *next_word(const char *p, const char *end, const char **word, size_t *n)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
		p++;
	*word = p;
	while (p < end && *p != ' ' && *p != '\t' && *p != '\r' && *p != '#')
		p++;
	*n = (size_t)(p - *word);
	return p;
}

static void note_class(struct arch_set *s, struct family *f, const char *word, size_t n)
{
	f->from = arena_grow(s->arena, f->from, &f->cap_from, f->n_from + 2, sizeof(*f->from));
	f->from[f->n_from++] = arena_memdup(s->arena, word, n);
	f->from[f->n_from] = NULL;
}

static void note_line(struct arch_set *s, struct family *f, const char *p, const char *end, bool *in_from)
{
	const char *word;
	size_t n;
	bool more = p < end && (*p == ' ' || *p == '\t');
	if (!more) {
		p = next_word(p, end, &word, &n);
		bool projector = n == 9 && !memcmp(word, "projector", 9);
		*in_from = projector || (n == 4 && !memcmp(word, "from", 4));
		f->projector |= projector;
		bool abstract = n == 8 && !memcmp(word, "abstract", 8);
		if (!f->name && (abstract || (n == 4 && !memcmp(word, "arch", 4)))) {
			next_word(p, end, &word, &n);
			f->name = arena_memdup(s->arena, word, n);
			f->abstract = abstract;
		}
	}
	while (*in_from) {
		p = next_word(p, end, &word, &n);
		if (!n)
			break;
		note_class(s, f, word, n);
	}
}

static struct family *add_text(struct arch_set *s, const char *file, const char *text, size_t n)
{
	bool in_from = false;
	if (s->n == s->cap)
		s->family = arena_grow(s->arena, s->family, &s->cap, s->n + 1, sizeof(*s->family));
	struct family *f = &s->family[s->n++];
	*f = (struct family){ .file = file, .text = text, .n = n };
	for (const char *p = text; p < text + n;) {
		const char *end = memchr(p, '\n', (size_t)(text + n - p));
		end = end ? end : text + n;
		note_line(s, f, p, end, &in_from);
		p = end + 1;
	}
	if (!f->from)
		f->from = arena_alloc(s->arena, sizeof(*f->from));
	if (f->projector && !strncmp(file, "arch/", 5)) /* their architecture is one for all: the file's name tells them apart */
		f->name = arena_printf(s->arena, "%.*s", (int)strcspn(file + 5, "."), file + 5);
	return f;
}

/* Several texts may make files of one architecture; that of the architecture's name is what others call so. */
static bool is_namesake(const struct family *f)
{
	size_t n = f->name ? strlen(f->name) : 0;
	return !strncmp(f->file, "arch/", 5) && n && !strncmp(f->file + 5, f->name, n) && !strcmp(f->file + 5 + n, ".arch");
}

static int by_name(const void *a, const void *b)
{
	const struct family *x = a, *y = b;
	int c = strcmp(x->name ? x->name : "", y->name ? y->name : "");
	if (!c)
		c = is_namesake(y) - is_namesake(x);
	return c ? c : strcmp(x->file, y->file);
}

static int check_user_text(struct arch_set *s, struct heft_err *err)
{
	if (!s->user->name || s->user->abstract)
		return heft_fail(err, HEFT_E_ARCH_FILE, "'%s' has no 'arch NAME' row", s->user->file);
	return 0;
}

static int add_user_file(struct arch_set *s, const char *path, struct heft_err *err)
{
	struct stat st;
	FILE *f = fopen(path, "rb");
	if (!f)
		return heft_fail_errno(err, HEFT_E_OPEN, "cannot open '%s'", path);
	char *text = arena_alloc(s->arena, FILE_LIMIT + 1);
	bool readable = !fstat(fileno(f), &st) && !S_ISDIR(st.st_mode);
	size_t n = readable ? fread(text, 1, FILE_LIMIT + 1, f) : 0;
	bool failed = !readable || ferror(f);
	fclose(f);
	if (failed)
		return heft_fail(err, HEFT_E_READ, "cannot read '%s'", path);
	if (n > FILE_LIMIT)
		return heft_fail(err, HEFT_E_ARCH_FILE, "'%s' has more than %d bytes", path, FILE_LIMIT);
	s->user = add_text(s, arena_strdup(s->arena, path), text, n);
	return check_user_text(s, err);
}

static void release(struct arch_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!s->family[i].arch)
			continue;
		symbols_release(&s->family[i].arch->symbols);
		arena_free(s->family[i].arch->arena);
	}
}

void arch_set_close(struct arch_set *s)
{
	if (!s)
		return;
	release(s);
	arena_free(s->arena);
	free(s);
}

static struct arch_set *open_built_in(void)
{
	struct arch_set *s = xmalloc(sizeof(*s));
	*s = (struct arch_set){ .arena = arena_new() };
	for (const struct text *t = texts; t->name; t++)
		if (!strncmp(t->name, "arch/", 5))
			add_text(s, t->name, t->text, strlen(t->text));
	if (s->n)
		qsort(s->family, s->n, sizeof(*s->family), by_name);
	return s;
}

struct arch_set *arch_set_open_text(const char *file, const char *text, size_t n, struct heft_err *err)
{
	struct arch_set *s = open_built_in();
	s->user = add_text(s, arena_strdup(s->arena, file), arena_memdup(s->arena, text, n), n);
	if (check_user_text(s, err)) {
		arch_set_close(s);
		return NULL;
	}
	return s;
}

struct arch_set *arch_set_open(const char *arch_file, struct heft_err *err)
{
	struct arch_set *s = open_built_in();
	if (arch_file && add_user_file(s, arch_file, err)) {
		arch_set_close(s);
		return NULL;
	}
	return s;
}

void arch_set_aim(struct arch_set *s, const char *target)
{
	s->target = target;
}

struct arch_set *arch_set_open_target(const char *arch_file, const char *target, struct heft_err *err)
{
	struct arch_set *s = arch_set_open(arch_file, err);
	if (s)
		arch_set_aim(s, target);
	return s;
}

size_t arch_set_list(struct arch_set *s, struct heft_family *out, size_t cap)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++) {
		const struct family *f = &s->family[i];
		if (f->abstract || !f->name)
			continue;
		if (n < cap)
			out[n] = (struct heft_family){ .name = f->name, .from = f->from, .origin = f == s->user ? f->file : "built in",
						       .projector = f->projector };
		n++;
	}
	return n;
}

/* ---- parsing ---- */

static struct family *family_named(struct arch_set *s, const char *name, const struct family *not_this)
{
	for (size_t i = 0; i < s->n; i++)
		if (&s->family[i] != not_this && s->family[i].name && !strcmp(s->family[i].name, name))
			return &s->family[i];
	return NULL;
}

/* Texts of a family: itself, then its bases, each behind the one that names it and once only. */
struct lineage {
	const struct family *text[64];
	int level[64];
	size_t n;
};

static bool in_lineage(const struct lineage *l, const struct family *f)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->text[i] == f)
			return true;
	return false;
}

static void add_base(struct lineage *l, const struct family *f, size_t of)
{
	if (!f || in_lineage(l, f) || l->n == sizeof(l->text) / sizeof(l->text[0]))
		return;
	l->text[l->n] = f;
	l->level[l->n++] = l->level[of] + 1;
}

static int add_bases(
	struct arch_set *s, struct arch *a, struct lineage *l, size_t of, size_t first_row, struct heft_err *err)
{
	const struct rows *bases = &a->rows[ROW_BASE];
	for (size_t i = first_row; i < bases->n; i++) {
		const struct row *r = bases->row[i];
		const struct family *f = family_named(s, r->name, l->text[of]);
		if (!f)
			return heft_fail(err, HEFT_E_ARCH_FILE, "%s:%d: there is no family or fragment '%s'", r->file,
				r->line, r->name);
		if (in_lineage(l, f))
			continue;
		if (l->level[of] == BASE_LEVELS || l->n == sizeof(l->text) / sizeof(l->text[0]))
			return heft_fail(err, HEFT_E_ARCH_FILE, "%s:%d: more than %d levels of bases", r->file, r->line,
				BASE_LEVELS);
		add_base(l, f, of);
	}
	return 0;
}

/* Of a base count neither its name nor the classes that it is for. */
static int parse_lineage(struct arch_set *s, struct arch *a, struct family *f, struct heft_err *err)
{
	struct lineage l = { { f }, { 0 }, 1 };
	for (size_t i = 0; i < l.n; i++) {
		size_t names = a->rows[ROW_ARCH].n, classes = a->rows[ROW_FROM].n, bases = a->rows[ROW_BASE].n;
		size_t projectors = a->rows[ROW_PROJECTOR].n;
		if (arch_parse(a, l.text[i]->file, l.text[i]->text, l.text[i]->n, err) ||
			add_bases(s, a, &l, i, bases, err))
			return -1;
		if (i) {
			a->rows[ROW_ARCH].n = names;
			a->rows[ROW_FROM].n = classes;
			a->rows[ROW_PROJECTOR].n = projectors;
		}
		if (i + 1 == l.n && a->target) /* last of all, what the target has of every model */
			add_base(&l, family_named(s, a->target, NULL), i);
	}
	f->lineage = arena_array(s->arena, l.n, sizeof(*f->lineage));
	memcpy(f->lineage, l.text, l.n * sizeof(*f->lineage));
	f->n_lineage = l.n;
	return 0;
}

static int symbol(struct arch *a, const char *name)
{
	return symbols_add(&a->symbols, name, strlen(name));
}

static const struct arch *parse_family(struct arch_set *s, struct family *f, struct heft_err *err)
{
	if (f->arch)
		return f->arch;
	struct arena *arena = arena_new();
	struct arch *a = arena_alloc(arena, sizeof(*a));
	a->arena = arena;
	a->file = f->file;
	a->target = s->target;
	symbols_init(&a->symbols, arena);
	a->sym = (struct arch_symbols){ .e = symbol(a, "e"), .shape = symbol(a, "shape"), .rope = symbol(a, "rope"),
					.pooling = symbol(a, "pooling"), .layers = symbol(a, "layers"),
					.vocab_size = symbol(a, "vocab_size"), .directory = symbol(a, "directory"),
					.config = symbol(a, "config"), .option = symbol(a, "option") };
	if (parse_lineage(s, a, f, err)) {
		symbols_release(&a->symbols);
		arena_free(arena);
		return NULL;
	}
	f->arch = a;
	return a;
}

const struct arch *arch_built_in(struct arch_set *s, size_t i, const char **name)
{
	struct heft_err err;
	for (size_t k = 0; k < s->n; k++) {
		struct family *f = &s->family[k];
		if (f->abstract || !f->name || f == s->user || i--)
			continue;
		*name = f->name;
		return parse_family(s, f, &err);
	}
	return NULL;
}

bool arch_is_projector(const struct arch *a)
{
	return a->rows[ROW_PROJECTOR].n > 0;
}

static bool is_candidate(const struct family *f, bool projector)
{
	return !f->abstract && f->projector == projector;
}

static struct family *family_for(struct arch_set *s, const char *class_name, bool projector)
{
	for (size_t i = 0; i < s->n; i++)
		for (const char *const *c = s->family[i].from; is_candidate(&s->family[i], projector) && *c; c++)
			if (!strcmp(*c, class_name))
				return &s->family[i];
	return NULL;
}

const struct arch *arch_built_in_for(struct arch_set *s, const char *class_name, const char **name)
{
	struct family *f = family_for(s, class_name, false);
	struct heft_err err;
	if (!f)
		return NULL;
	*name = f->name;
	return parse_family(s, f, &err);
}

static size_t alike(const char *a, const char *b)
{
	size_t n = 0;
	while (a[n] && b[n] && !strncasecmp(a + n, b + n, 1))
		n++;
	return n;
}

/* Up to three known classes that begin like the unknown one. */
static const char *near_matches(struct arch_set *s, const char *class_name, bool projector, struct arena *a)
{
	const char *text = "";
	int found = 0;
	for (size_t i = 0; i < s->n; i++)
		for (const char *const *c = s->family[i].from; is_candidate(&s->family[i], projector) && *c && found < NEAR_MATCHES; c++)
			if (alike(*c, class_name) >= 4)
				text = arena_printf(a, "%s%s%s", text, found++ ? ", " : "", *c);
	return text;
}

const struct arch *arch_find_named(struct arch_set *s, const char *name, struct heft_err *err)
{
	struct family *f = s->user;
	for (size_t i = 0; i < s->n && !f; i++)
		if (s->family[i].name && !s->family[i].abstract && !strcmp(s->family[i].name, name))
			f = &s->family[i];
	if (f)
		return parse_family(s, f, err);
	heft_fail(err, HEFT_E_FAMILY, "no family '%s'; 'heft arch list' prints those that heft knows", name);
	return NULL;
}

/* Has the family's text this name in an `arch` row behind the first? */
static bool may_be(const struct family *f, const char *name)
{
	size_t n = strlen(name);
	for (const char *line = f->text; line && n; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, "arch ", 5) && !strncmp(line + 5, name, n) && (line[5 + n] == ' ' || line[5 + n] == '\n'))
			return true;
	}
	return false;
}

const struct arch *arch_find_way_back(struct arch_set *s, const char *name, size_t n, struct heft_err *err)
{
	size_t ways = 0;
	for (size_t i = 0; i < s->n && !s->user; i++) {
		struct family *f = &s->family[i];
		if (!f->name || f->abstract || strcmp(f->name, name))
			continue;
		const struct arch *a = parse_family(s, f, err);
		if (!a || (!arch_no_way_back(a) && ways++ == n))
			return a;
	}
	if (n) {
		heft_fail(err, HEFT_E_FAMILY, "no further family '%s'", name);
		return NULL;
	}
	for (size_t i = 0; i < s->n && !s->user && !family_named(s, name, NULL); i++)
		if (s->family[i].name && !s->family[i].abstract && may_be(&s->family[i], name))
			return parse_family(s, &s->family[i], err);
	return arch_find_named(s, name, err);
}

char *arch_set_text(struct arch_set *s, const char *name, struct heft_err *err)
{
	const struct arch *a = arch_find_named(s, name, err);
	const struct family *f = s->family;
	struct jbuf text = { 0 };
	if (!a)
		return NULL;
	while (f->arch != a)
		f++;
	for (size_t i = 0; i < f->n_lineage; i++) {
		const struct family *from = f->lineage[i];
		bool section = i && strstr(f->lineage[i - 1]->text, "\ntarget ") != NULL; /* it ends where the text does */
		jbuf_printf(&text, "%s# ---- %s ----\n%s", i ? "\n" : "", from->file, section ? "target llamacpp\n" : "");
		jbuf_raw(&text, from->text, from->n);
	}
	jbuf_raw(&text, "", 1);
	return text.p;
}

static const struct arch *find(struct arch_set *s, const char *class_name, bool projector, struct heft_err *err)
{
	struct family *f = s->user;
	if (!f && !class_name) {
		heft_fail(
			err, HEFT_E_FAMILY, "the configuration names no architecture: use --arch FILE, or --arch none");
		return NULL;
	}
	if (!f)
		f = family_for(s, class_name, projector);
	if (f && projector && !f->projector) {
		heft_fail(err, HEFT_E_FAMILY, "'%s' has no 'projector' row: --mmproj takes a family that has one", f->file);
		return NULL;
	}
	if (f)
		return parse_family(s, f, err);
	struct arena *a = arena_new();
	const char *near = near_matches(s, class_name, projector, a);
	heft_fail(err, HEFT_E_FAMILY,
		  "no %sfamily for architecture '%.100s'%s%s: see 'heft arch list'; --arch FILE reads one, --arch none carries the tensors as they are",
		  projector ? "projector's " : "", class_name, *near ? "; known are " : "", near);
	arena_free(a);
	return NULL;
}

const struct arch *arch_find(struct arch_set *s, const char *class_name, struct heft_err *err)
{
	return find(s, class_name, false, err);
}

/* Is a class called like a model_type: Qwen3MoeForCausalLM like qwen3_moe? */
static bool is_called(const char *class_name, const char *type)
{
	for (; *type; type++)
		if (*type != '_' && tolower((unsigned char)*class_name++) != tolower((unsigned char)*type))
			return false;
	return !strcmp(class_name, "ForCausalLM");
}

static struct family *family_called(struct arch_set *s, const char *type)
{
	for (size_t i = 0; i < s->n; i++)
		for (const char *const *c = s->family[i].from; is_candidate(&s->family[i], false) && *c; c++)
			if (is_called(*c, type))
				return &s->family[i];
	return NULL;
}

/* A fragment for a type that only this runtime has, or has otherwise than the family: mlx_step3p5. */
static struct family *family_of_target(struct arch_set *s, const char *type)
{
	char name[96];
	int n = snprintf(name, sizeof(name), "%s_%s", s->target, type);
	return n > 0 && (size_t)n < sizeof(name) ? family_named(s, name, NULL) : NULL;
}

/* Runtimes that have no classes go by the type alone. */
const struct arch *arch_find_target(struct arch_set *s, const struct json *config, struct heft_err *err)
{
	const char *class_name = arch_class_of(config), *type = json_cstr(json_get(config, "model_type"));
	struct family *f = s->user;
	if (!f && type)
		f = family_of_target(s, type);
	if (!f && class_name)
		f = family_for(s, class_name, false);
	if (!f && type)
		f = family_called(s, type);
	return parse_family(s, f ? f : family_named(s, s->target, NULL), err);
}

const struct arch *arch_find_projector(struct arch_set *s, const char *class_name, struct heft_err *err)
{
	return find(s, class_name, true, err);
}

/* In the order of arch_set_list. */
static int describe(struct arch_set *s, struct heft_family *out, struct heft_err *err)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++) {
		struct family *f = &s->family[i];
		if (f->abstract || !f->name)
			continue;
		const struct arch *a = parse_family(s, f, err);
		if (!a)
			return -1;
		out[n].functions = arch_needs(a);
		out[n++].no_way_back = arch_no_way_back(a);
	}
	return 0;
}

int heft_families(const char *arch_file, struct heft_family **out, size_t *n, struct heft_err *err)
{
	static struct arch_set *kept; /* what is handed out lasts until the process ends */
	struct arch_set *s = arch_set_open(arch_file, err);
	if (!s || (arch_file && !arch_find(s, NULL, err))) { /* a file that is listed can be read */
		arch_set_close(s);
		return -1;
	}
	s->next = kept;
	kept = s;
	*n = arch_set_list(s, NULL, 0);
	*out = xmalloc(*n * sizeof(**out));
	arch_set_list(s, *out, *n);
	return describe(s, *out, err);
}

char *heft_family_text(const char *name, const char *arch_file, struct heft_err *err)
{
	struct arch_set *s = arch_set_open(arch_file, err);
	char *text = s ? arch_set_text(s, name, err) : NULL;
	arch_set_close(s);
	return text;
}
