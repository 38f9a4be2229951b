/*
 * llama2c.c - lists a model of llama2.c (.bin), export versions 0, 1 and 2. Owns the names: those that GGUF has for a llama, whose
 * order of rows in q and k these files share.
 *
 *   version 0        version 1        version 2
 *   7 x i32          "24ka", 1        "24ka", 2        dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, max_seq_len
 *                    7 x i32          7 x i32
 *                    u8 shared        u8 shared        is the classifier the embedding? version 0: where vocab_size is positive
 *                                     i32 group
 *   from 28          from 256         from 256
 *   f32 each         f32 each         norms f32; then i8 codes of all others; then their f32 scales, one per group of codes
 *
 * No version has lengths or names: the header gives all of them, and the file must end where they say. Version 0 has no magic number, so
 * that its header must be a likely one too. Its tables of sines and cosines are left out.
 * Layout: export.py of github.com/karpathy/llama2.c.
 */
#include "format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../base/source_class.h"
#include "../quant/quant.h"

enum { MAGIC = 0x616b3432, HEAD_0 = 28, HEAD = 256, LAYERS_MAX = 1024, SIDE_MAX = 1 << 24, TENSORS_PER_LAYER = 9 };

enum side { ONE, DIM, KV, HIDDEN, VOCAB, SEQUENCE, HALF, SIDES };

static const struct part {
	const char *name; /* %u: of each layer; NULL: not listed */
	enum side rows, cols;
	bool per_layer, coded; /* coded: not f32 in version 2 */
} parts_0[] = {
	{ "token_embd.weight", VOCAB, DIM, false, true },
	{ "blk.%u.attn_norm.weight", ONE, DIM, true, false },
	{ "blk.%u.attn_q.weight", DIM, DIM, true, true },
	{ "blk.%u.attn_k.weight", KV, DIM, true, true },
	{ "blk.%u.attn_v.weight", KV, DIM, true, true },
	{ "blk.%u.attn_output.weight", DIM, DIM, true, true },
	{ "blk.%u.ffn_norm.weight", ONE, DIM, true, false },
	{ "blk.%u.ffn_gate.weight", HIDDEN, DIM, true, true },
	{ "blk.%u.ffn_down.weight", DIM, HIDDEN, true, true },
	{ "blk.%u.ffn_up.weight", HIDDEN, DIM, true, true },
	{ "output_norm.weight", ONE, DIM, false, false },
	{ NULL, SEQUENCE, HALF, false, false },
	{ NULL, SEQUENCE, HALF, false, false },
	{ "output.weight", VOCAB, DIM, false, true }, /* last: absent where it is shared */
}, parts_1[] = {
	{ "blk.%u.attn_norm.weight", ONE, DIM, true, false },
	{ "blk.%u.ffn_norm.weight", ONE, DIM, true, false },
	{ "output_norm.weight", ONE, DIM, false, false },
	{ "token_embd.weight", VOCAB, DIM, false, true },
	{ "blk.%u.attn_q.weight", DIM, DIM, true, true },
	{ "blk.%u.attn_k.weight", KV, DIM, true, true },
	{ "blk.%u.attn_v.weight", KV, DIM, true, true },
	{ "blk.%u.attn_output.weight", DIM, DIM, true, true },
	{ "blk.%u.ffn_gate.weight", HIDDEN, DIM, true, true },
	{ "blk.%u.ffn_down.weight", DIM, HIDDEN, true, true },
	{ "blk.%u.ffn_up.weight", HIDDEN, DIM, true, true },
	{ "output.weight", VOCAB, DIM, false, true },
};

struct header {
	int version;
	uint32_t dim, hidden, layers, heads, kv_heads, vocab, sequence, group;
	bool shared;
	uint64_t side[SIDES];
};

static int32_t get32(const uint8_t *p)
{
	int32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static bool within(int32_t v, int32_t most)
{
	return v >= 1 && v <= most;
}

/* The seven numbers; false where no model has such. */
static bool read_numbers(struct header *h, const uint8_t *p)
{
	int32_t dim = get32(p), hidden = get32(p + 4), layers = get32(p + 8), heads = get32(p + 12), kv_heads = get32(p + 16);
	int32_t vocab = get32(p + 20), sequence = get32(p + 24);

	if (!h->version) {
		h->shared = vocab > 0;
		vocab = vocab < -SIDE_MAX ? 0 : vocab < 0 ? -vocab : vocab;
	}
	if (!within(dim, SIDE_MAX) || !within(hidden, SIDE_MAX) || !within(layers, LAYERS_MAX) || !within(heads, dim) ||
	    !within(kv_heads, heads) || !within(vocab, SIDE_MAX) || !within(sequence, SIDE_MAX) || dim % heads || heads % kv_heads ||
	    dim / heads % 2)
		return false;
	*h = (struct header){ .version = h->version, .dim = (uint32_t)dim, .hidden = (uint32_t)hidden, .layers = (uint32_t)layers,
			      .heads = (uint32_t)heads, .kv_heads = (uint32_t)kv_heads, .vocab = (uint32_t)vocab,
			      .sequence = (uint32_t)sequence, .shared = h->shared };
	h->side[ONE] = 1;
	h->side[DIM] = h->dim;
	h->side[KV] = h->dim / h->heads * h->kv_heads;
	h->side[HIDDEN] = h->hidden;
	h->side[VOCAB] = h->vocab;
	h->side[SEQUENCE] = h->sequence;
	h->side[HALF] = h->dim / h->heads / 2;
	return true;
}

static int probe(const uint8_t *head, size_t n)
{
	struct header h = { 0 };

	if (n >= 8 && (uint32_t)get32(head) == MAGIC)
		return 100;
	return n >= HEAD_0 && read_numbers(&h, head) && h.sequence <= 1 << 20 && h.vocab > 1 && h.dim >= 8 ? 5 : 0;
}

static int read_header(struct header *h, struct source *src, struct heft_err *err)
{
	uint8_t head[HEAD];
	const char *file = source_name(src);

	*h = (struct header){ 0 };
	if (source_read(src, 0, head, HEAD_0, err))
		return -1;
	if ((uint32_t)get32(head) != MAGIC)
		return read_numbers(h, head) ? 0 : heft_fail(err, HEFT_E_HEADER, "%s: no model of llama2.c has such numbers", file);
	if (source_read(src, 0, head, HEAD, err))
		return -1;
	h->version = get32(head + 4);
	if (h->version < 1 || h->version > 2)
		return heft_fail(err, HEFT_E_VERSION, "%s: version %d of llama2.c's files, versions 0 to 2 are known", file, h->version);
	if (!read_numbers(h, head + 8))
		return heft_fail(err, HEFT_E_HEADER, "%s: no model of llama2.c has such numbers", file);
	h->shared = head[36] != 0;
	if (h->version == 2 && !within(get32(head + 37), SIDE_MAX))
		return heft_fail(err, HEFT_E_HEADER, "%s: groups of %d codes", file, get32(head + 37));
	h->group = h->version == 2 ? (uint32_t)get32(head + 37) : 0;
	return 0;
}

/* ---- codes and scales, as floats ---- */

struct coded {
	struct source base;
	struct source *of;
	uint64_t codes, scales; /* where they begin */
	uint32_t group;
};

enum { BATCH = 4096 };

/* Floats first .. first + n, which lie in at most two groups' worth of a batch */
static int read_floats(const struct coded *c, uint64_t first, size_t n, float *out, struct heft_err *err)
{
	int8_t code[BATCH];
	float scale[BATCH + 1];
	uint64_t group = first / c->group, last = (first + n - 1) / c->group;

	if (source_read(c->of, c->codes + first, code, n, err) ||
	    source_read(c->of, c->scales + group * sizeof *scale, scale, (size_t)(last - group + 1) * sizeof *scale, err))
		return -1;
	for (size_t i = 0; i < n; i++)
		out[i] = (float)code[i] * scale[(first + i) / c->group - group];
	return 0;
}

static int64_t coded_read(struct source *s, uint64_t offset, void *buf, size_t n, struct heft_err *err)
{
	const struct coded *c = (const struct coded *)s;
	float value[BATCH];

	if (offset >= s->size)
		return 0;
	if (n > s->size - offset)
		n = (size_t)(s->size - offset);
	for (size_t done = 0, k; done < n; done += k) {
		uint64_t at = offset + done, left = (s->size - at / sizeof *value * sizeof *value) / sizeof *value;

		if (read_floats(c, at / sizeof *value, left < BATCH ? (size_t)left : BATCH, value, err))
			return -1;
		k = sizeof value - (size_t)(at % sizeof *value);
		k = k < n - done ? k : n - done;
		memcpy((char *)buf + done, (char *)value + at % sizeof *value, k);
	}
	return (int64_t)n;
}

static const struct source_class coded_class = { .read = coded_read };

static struct source *coded_source(struct source *of, uint64_t codes, uint64_t scales, uint64_t count, uint32_t group)
{
	struct coded *c = source_new(sizeof *c, &coded_class, source_name(of), count * sizeof(float));

	c->of = of;
	c->codes = codes;
	c->scales = scales;
	c->group = group;
	source_adopt(of, &c->base);
	return &c->base;
}

/* ---- the tensors ---- */

struct placing {
	const struct header *h;
	struct format_listing *out;
	struct source *src;
	struct arena *arena;
	uint64_t at, scales; /* the next bytes; the next scales */
	bool measure;        /* only counts */
};

static uint64_t count_of(const struct header *h, const struct part *p)
{
	return h->side[p->rows] * h->side[p->cols]; /* each below 2^25 */
}

/* One tensor; false where it cannot be. */
static bool place_one(struct placing *g, const struct part *p, uint32_t layer)
{
	uint64_t count = count_of(g->h, p), begin = g->at;
	bool coded = g->h->version == 2 && p->coded;
	struct heft_tensor *t;

	if (coded && count % g->h->group)
		return false;
	g->at += coded ? count : count * sizeof(float);
	if (g->measure) {
		g->scales += coded ? count / g->h->group * sizeof(float) : 0;
		return g->at <= INT64_MAX / 2;
	}
	if (!p->name)
		return true;
	t = &g->out->tensor[g->out->n_tensors++];
	*t = (struct heft_tensor){ .name = p->per_layer ? arena_printf(g->arena, "blk.%u%s", layer, strchr(p->name, 'u') + 1) : p->name,
				   .enc = quant_find("f32"), .rank = p->rows == ONE ? 1 : 2, .n_planes = 1,
				   .plane = { { .offset = begin, .size = count * sizeof(float) } } };
	t->dim[0] = g->h->side[p->rows == ONE ? p->cols : p->rows];
	t->dim[1] = p->rows == ONE ? 0 : g->h->side[p->cols];
	if (coded) {
		t->plane[0].made = coded_source(g->src, begin, g->scales, count, g->h->group);
		g->scales += count / g->h->group * sizeof(float);
	}
	return true;
}

static bool place_all(struct placing *g)
{
	const struct part *parts = g->h->version ? parts_1 : parts_0;
	size_t n = g->h->version ? sizeof parts_1 / sizeof *parts_1 : sizeof parts_0 / sizeof *parts_0;

	g->at = g->h->version ? HEAD : HEAD_0;
	for (size_t i = 0; i + g->h->shared < n; i++)
		for (uint32_t l = 0; l < (parts[i].per_layer ? g->h->layers : 1); l++)
			if (!place_one(g, &parts[i], l))
				return false;
	return true;
}

static int check_size(const struct header *h, uint64_t end, struct source *src, struct sink *sink)
{
	uint64_t size = source_size(src);

	if (size == UINT64_MAX || size == end)
		return 0;
	if (size < end)
		return sink_tellf(sink, HEFT_E_TRUNCATED, source_name(src), NULL, "the download did not finish: download the file again",
				  "the file has %" PRIu64 " bytes, its header speaks of %" PRIu64, size, end);
	return sink_tellf(sink, h->version ? HEFT_E_OVERLAP : HEFT_E_MAGIC, source_name(src), NULL, "download the file again",
			  "the file has %" PRIu64 " bytes, a model of llama2.c with its header has %" PRIu64, size, end);
}

static void set_keys(struct format_listing *out, const struct header *h, struct arena *a)
{
	const struct {
		const char *key;
		uint32_t value;
	} rows[] = {
		{ "llama.vocab_size", h->vocab }, { "llama.context_length", h->sequence }, { "llama.embedding_length", h->dim },
		{ "llama.block_count", h->layers }, { "llama.feed_forward_length", h->hidden }, { "llama.rope.dimension_count", h->dim / h->heads },
		{ "llama.attention.head_count", h->heads }, { "llama.attention.head_count_kv", h->kv_heads },
	};
	size_t n = sizeof rows / sizeof *rows;

	out->kv = arena_array(a, n + 2, sizeof *out->kv);
	out->kv[out->n_kv++] = (struct heft_kv){ "general.architecture", { .type = HEFT_STRING, .count = 1, .s = { "llama", 5 } } };
	for (size_t i = 0; i < n; i++)
		out->kv[out->n_kv++] = (struct heft_kv){ rows[i].key, { .type = HEFT_U32, .count = 1, .u = rows[i].value } };
	out->kv[out->n_kv++] = (struct heft_kv){ "llama.attention.layer_norm_rms_epsilon", { .type = HEFT_F32, .count = 1, .f = 1e-5f } };
}

static int list(struct format_listing *out, struct source *src, struct arena *a, struct sink *sink, struct heft_err *err)
{
	struct header h;
	struct placing g = { .h = &h, .out = out, .src = src, .arena = a, .measure = true };

	if (read_header(&h, src, err))
		return -1;
	if (!place_all(&g))
		return heft_fail(err, HEFT_E_SHAPE, "%s: its tensors are no whole groups, or too large", source_name(src));
	if (h.version == 2 && source_is_stream(src))
		return heft_fail(err, HEFT_E_OPTION, "%s: version 2 has its scales at the end: a stream cannot be read, give a file", source_name(src));
	if (check_size(&h, g.at + g.scales, src, sink))
		return -1;
	*out = (struct format_listing){ .data_offset = h.version ? HEAD : HEAD_0 };
	out->tensor = arena_array(a, 3 + (size_t)TENSORS_PER_LAYER * h.layers, sizeof *out->tensor);
	g.scales = g.at;
	g.measure = false;
	place_all(&g);
	set_keys(out, &h, a);
	return 0;
}

const struct format format_llama2c = {
	.name = "llama2c",
	.about = "models of llama2.c, versions 0 to 2; the tokenizer beside it",
	.extension = ".bin",
	.probe = probe,
	.list = list,
};
