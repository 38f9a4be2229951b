/*
 * spm.c - SentencePiece models: the fields of tokenizer.model that a vocabulary and its encoder need, and the rows they
 * become. Refuses what is no SentencePiece model: unknown wire types, lengths beyond the file, empty or repeated
 * pieces, no or two unknown pieces.
 *
 *	ModelProto       1 pieces { 1 piece: string, 2 score: float, 3 type: enum }   repeated
 *	                 2 trainer_spec { 3 model_type: enum (1 unigram, 2 bpe, 3 word, 4 char),
 *	                                 24 treat_whitespace_as_suffix: bool,
 *	                                 35 byte_fallback: bool }
 *	                 3 normalizer_spec { 2 precompiled_charsmap: bytes, 3 add_dummy_prefix: bool,
 *	                                     4 remove_extra_whitespaces: bool, 5 escape_whitespaces: bool }
 *	A field on the wire: varint (number << 3 | wire type), then by wire type
 *	                 0 varint | 1 eight bytes | 2 varint length, bytes | 5 four bytes
 */
#include "spm.h"

#include <stdlib.h>
#include <string.h>

struct wire {
	const uint8_t *p, *end;
};

struct field {
	uint32_t number;
	uint8_t type;	   /* wire type */
	uint64_t value;	   /* of a varint, or the four or eight bytes */
	struct wire bytes; /* of wire type 2 */
};

static bool get_varint(struct wire *w, uint64_t *out)
{
	uint64_t v = 0;

	for (int shift = 0; shift < 64 && w->p < w->end; shift += 7) {
		uint8_t byte = *w->p++;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*out = v;
			return true;
		}
	}
	return false;
}

static bool get_fixed(struct wire *w, size_t n, uint64_t *out)
{
	if ((size_t)(w->end - w->p) < n)
		return false;
	*out = 0;
	memcpy(out, w->p, n);
	w->p += n;
	return true;
}

/* The next field: 1, or 0 at the end, or -1 where the bytes are no message. */
static int get_field(struct wire *w, struct field *f)
{
	uint64_t key, size;

	if (w->p == w->end)
		return 0;
	if (!get_varint(w, &key) || key >> 3 == 0 || key >> 3 > (1 << 29) - 1)
		return -1;
	*f = (struct field){ .number = (uint32_t)(key >> 3), .type = key & 7 };
	switch (f->type) {
	case 0:
		return get_varint(w, &f->value) ? 1 : -1;
	case 1:
		return get_fixed(w, 8, &f->value) ? 1 : -1;
	case 2:
		if (!get_varint(w, &size) || size > (uint64_t)(w->end - w->p))
			return -1;
		f->bytes = (struct wire){ w->p, w->p + size };
		w->p += size;
		return 1;
	case 5:
		return get_fixed(w, 4, &f->value) ? 1 : -1;
	default:
		return -1;
	}
}

static struct heft_str text_of(struct wire w)
{
	return (struct heft_str){ (const char *)w.p, (size_t)(w.end - w.p) };
}

static int read_piece(struct wire w, struct spm_piece *piece)
{
	struct field f;
	int more;

	*piece = (struct spm_piece){ .type = TOKEN_NORMAL };
	while ((more = get_field(&w, &f)) > 0) {
		uint32_t bits = (uint32_t)f.value;
		if (f.number == 1 && f.type == 2)
			piece->text = text_of(f.bytes);
		else if (f.number == 2 && f.type == 5)
			memcpy(&piece->score, &bits, sizeof(bits));
		else if (f.number == 3 && f.type == 0 && f.value >= TOKEN_NORMAL && f.value <= TOKEN_BYTE)
			piece->type = (enum token_type)f.value;
		else if (f.number <= 3)
			return -1;
	}
	return more;
}

static int read_trainer(struct wire w, struct spm *m)
{
	struct field f;
	int more;

	while ((more = get_field(&w, &f)) > 0) {
		if (f.number == 3 && f.type == 0)
			m->model_type = (int)f.value;
		else if (f.number == 24 && f.type == 0)
			m->space_is_suffix = f.value != 0;
		else if (f.number == 35 && f.type == 0)
			m->byte_fallback = f.value != 0;
	}
	return more;
}

static int read_normalizer(struct wire w, struct spm *m)
{
	struct field f;
	int more;

	while ((more = get_field(&w, &f)) > 0) {
		if (f.number == 2 && f.type == 2)
			m->charsmap = text_of(f.bytes);
		else if (f.number == 3 && f.type == 0)
			m->add_dummy_prefix = f.value != 0;
		else if (f.number == 4 && f.type == 0)
			m->remove_extra_whitespaces = f.value != 0;
		else if (f.number == 5 && f.type == 0)
			m->escape_whitespaces = f.value != 0;
	}
	return more;
}

/* How many pieces there are, so that they are allocated once; -1 where the file is no message. */
static int64_t count_pieces(struct wire w)
{
	struct field f;
	int64_t n = 0;
	int more;

	while ((more = get_field(&w, &f)) > 0)
		n += f.number == 1 && f.type == 2;
	return more < 0 ? -1 : n;
}

static int index_pieces(struct spm *m, const char *name, struct heft_err *err)
{
	size_t unknown = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct spm_piece *p = &m->piece[i];
		bool found = false;
		if (!p->text.n)
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: piece %zu has no text", name, i);
		map_put(&m->by_text, p->text.p, p->text.n, &found)->value.i = (int64_t)i;
		if (found)
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: piece %zu stands there twice: '%.*s'", name, i,
					 (int)(p->text.n < 100 ? p->text.n : 100), p->text.p);
		if (p->type == TOKEN_UNKNOWN) {
			m->unknown = (int32_t)i;
			unknown++;
		}
		if (p->type == TOKEN_USER_DEFINED && p->text.n > m->longest_user)
			m->longest_user = p->text.n;
	}
	if (unknown != 1)
		return heft_fail(err, HEFT_E_TOKENIZER, "%s: %zu pieces of type unknown; there must be one", name,
				 unknown);
	return 0;
}

void spm_release(struct spm *m)
{
	map_release(&m->by_text);
}

int spm_read(struct spm *m, struct heft_str data, const char *name, struct arena *a, struct heft_err *err)
{
	struct wire w = { (const uint8_t *)data.p, (const uint8_t *)data.p + data.n };
	int64_t n = count_pieces(w);
	struct field f;
	int rc = 0;

	*m = (struct spm){ .model_type = SPM_UNIGRAM,
			   .add_dummy_prefix = true,
			   .remove_extra_whitespaces = true,
			   .escape_whitespaces = true };
	map_init(&m->by_text);
	if (n <= 0)
		return heft_fail(err, HEFT_E_TOKENIZER, "'%s' is not a SentencePiece model", name);
	m->piece = arena_array(a, (size_t)n, sizeof(*m->piece));
	while (!rc && get_field(&w, &f) > 0)
		if (f.type == 2 && f.number == 1)
			rc = read_piece(f.bytes, &m->piece[m->n++]);
		else if (f.type == 2 && f.number == 2)
			rc = read_trainer(f.bytes, m);
		else if (f.type == 2 && f.number == 3)
			rc = read_normalizer(f.bytes, m);
	if (rc)
		return heft_fail(err, HEFT_E_TOKENIZER,
				 "'%s' is not a SentencePiece model: a field of it cannot be read", name);
	return index_pieces(m, name, err);
}

/* ---- the rows that the reference writes ------------------------------------------------------------------------- */

static int set_added(struct rows *r, int64_t id, struct heft_str text, enum token_type type, const char *where,
		     struct heft_err *err)
{
	if (id < 0)
		return heft_fail(err, HEFT_E_TOKENIZER, "%s gives a token the negative id %lld", where, (long long)id);
	if ((uint64_t)id >= r->n)
		return 0; /* beyond the embedding: the reference drops it too */
	r->text[id] = text;
	r->score[id] = -1000.0f;
	r->type[id] = type;
	return 0;
}

static struct heft_str keep(struct heft_str s, struct arena *a)
{
	return (struct heft_str){ arena_memdup(a, s.p, s.n), s.n };
}

/* added_tokens.json: { text: id } */
int rows_of_added_json(struct rows *r, const char *dir, struct arena *a, struct heft_err *err)
{
	struct json_doc *doc;
	int rc = file_json(dir, "added_tokens.json", CONFIG_FILE_LIMIT, &doc, err);

	if (rc || !doc)
		return rc;
	for (const struct json *j = json_first(json_root(doc)); j && !rc; j = json_next(j)) {
		int64_t id;
		if (!json_int(j, &id))
			rc = heft_fail(err, HEFT_E_TOKENIZER, "added_tokens.json: '%s' has no id", json_key(j).p);
		else
			rc = set_added(r, id, keep(json_key(j), a), TOKEN_USER_DEFINED, "added_tokens.json", err);
	}
	json_free(doc);
	return rc;
}

/* { content, special }; plain: neither look nor spaces of the text count */
static int add_token(struct rows *r, int64_t id, const struct json *j, bool plain, const char *where, struct arena *a, struct heft_err *err)
{
	struct heft_str text;
	bool special;

	if (!json_str(json_get(j, "content"), &text))
		return heft_fail(err, HEFT_E_TOKENIZER, "%s: token %lld has no content", where, (long long)id);
	special = json_bool(json_get(j, "special"), &special) && special;
	special = special || (!plain && looks_special(text));
	text = keep(text, a);
	return set_added(r, id, special || plain ? text : spaces_for_marks(text, a), special ? TOKEN_CONTROL : TOKEN_USER_DEFINED, where, err);
}

/* tokenizer_config.json: added_tokens_decoder: { "id": { content, special } } */
static int add_from_config(struct rows *r, const struct json *config, bool plain, struct arena *a, struct heft_err *err)
{
	const char *where = "tokenizer_config.json: added_tokens_decoder";

	for (const struct json *j = json_first(json_get(config, "added_tokens_decoder")); j; j = json_next(j)) {
		char *end;
		long long id = strtoll(json_key(j).p, &end, 10);

		if (*end || end == json_key(j).p)
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: '%s' is no id", where, json_key(j).p);
		if (add_token(r, id, j, plain, where, a, err))
			return -1;
	}
	return 0;
}

/* tokenizer.json: added_tokens: [ { id, content, special } ] */
static int add_from_json(struct rows *r, const struct json *tokenizer, struct arena *a, struct heft_err *err)
{
	const char *where = "tokenizer.json: added_tokens";

	for (const struct json *j = json_first(json_get(tokenizer, "added_tokens")); j; j = json_next(j)) {
		int64_t id;

		if (!json_int(json_get(j, "id"), &id))
			return heft_fail(err, HEFT_E_TOKENIZER, "%s: a token has no id", where);
		if (add_token(r, id, j, true, where, a, err))
			return -1;
	}
	return 0;
}

void rows_of_pieces(struct rows *r, const struct spm *m)
{
	for (size_t i = 0; i < m->n && i < r->n; i++) {
		r->text[i] = m->piece[i].text;
		r->score[i] = m->piece[i].score;
		r->type[i] = m->piece[i].type == TOKEN_USER_DEFINED ? TOKEN_NORMAL : (int32_t)m->piece[i].type;
	}
}

int spm_open_file(struct tokenizer *t, const char *dir, const char *name, struct heft_err *err)
{
	struct heft_str data;
	struct spm *m = arena_alloc(t->arena, sizeof(*m));

	if (file_read(dir, name, TOKENIZER_FILE_LIMIT, &data, t->arena, err))
		return -1;
	t->spm = m;
	if (spm_read(m, data, arena_printf(t->arena, "%s/%s", dir, name), t->arena, err))
		return -1;
	t->count = m->n;
	return 0;
}

int spm_rows(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	const char *added = tokenizer_option(o, "added");
	bool plain = added && !strcmp(added, "plain");

	t->model = "llama";
	t->pre = "default";
	rows_init(&t->rows, o->vocab_size > 0 ? (size_t)o->vocab_size : t->spm->n, true, -10000.0f, t->arena);
	rows_of_pieces(&t->rows, t->spm);
	if (rows_of_added_json(&t->rows, f->dir, t->arena, err) ||
	    add_from_config(&t->rows, json_root(f->tokenizer_config), plain, t->arena, err) ||
	    (plain && add_from_json(&t->rows, json_root(f->tokenizer), t->arena, err)))
		return -1;
	rows_pad(&t->rows, t->arena);
	return 0;
}

int spm_open(struct tokenizer *t, const struct files *f, const struct tokenizer_options *o, struct heft_err *err)
{
	return spm_open_file(t, f->dir, "tokenizer.model", err) ? -1 : spm_rows(t, f, o, err);
}
