/*
 * Recipes: each text can be read, file types, aliases, places among tensors of a kind, rules of the user's, fallbacks.
 * The types expected here are what llama-quantize --dry-run (0.7.0) prints for such files.
 */
#include "quant/quant.h"
#include "src/recipe.h"
#include "tests/tap.h"

enum { MAX = 1200 };

static struct arena *arena;
static struct heft_err err;

struct model {
	const char *arch;
	int layers, heads, kv_heads, experts, width;
	bool tied;
};

static struct recipe_item item[MAX];
static size_t n_items;
static struct heft_kv kv[5];
static struct recipe_facts asked; /* what a test asks for besides */

static void add(const char *name, int rank, uint64_t width)
{
	item[n_items++] = (struct recipe_item){
		.name = name, .shape = { rank, { 8, 8 } }, .stored = quant_find(rank > 1 ? "f16" : "f32")
	};
	item[n_items - 1].shape.dim[rank - 1] = width;
}

static void add_layer(const struct model *m, int l)
{
	static const char *const dense[] = { "ffn_gate", "ffn_up", "ffn_down" };
	static const char *const attention[] = { "attn_v", "attn_q", "attn_k", "attn_output" };
	add(arena_printf(arena, "blk.%d.attn_norm.weight", l), 1, (uint64_t)m->width);
	for (int i = 0; i < 4; i++)
		add(arena_printf(arena, "blk.%d.%s.weight", l, attention[i]), 2, (uint64_t)m->width);
	for (int i = 0; i < 3; i++)
		add(arena_printf(arena, "blk.%d.%s%s.weight", l, dense[i], m->experts ? "_exps" : ""),
			m->experts ? 3 : 2, (uint64_t)m->width);
	if (m->experts)
		add(arena_printf(arena, "blk.%d.ffn_gate_inp.weight", l), 2, (uint64_t)m->width);
}

static struct heft_kv u32(const struct model *m, const char *key, int value)
{
	struct heft_value v = { .type = HEFT_U32, .count = 1, .u = (uint64_t)value };
	return (struct heft_kv){ arena_printf(arena, "%s.%s", m->arch, key), v };
}

static int decide(const struct model *m, const char *recipe, const char *const *rule, size_t n_rules, bool strict)
{
	struct recipe_facts f = asked;
	f.arch = m->arch;
	f.kv = kv;
	f.n_kv = 4;
	f.rule = rule;
	f.n_rules = n_rules;
	f.strict = strict;
	n_items = 0;
	add("token_embd.weight", 2, (uint64_t)m->width);
	if (!m->tied)
		add("output.weight", 2, (uint64_t)m->width);
	for (int l = m->layers; l-- > 0;) /* the order of the file does not matter */
		add_layer(m, l);
	kv[0] = u32(m, "block_count", m->layers);
	kv[1] = u32(m, "attention.head_count", m->heads);
	kv[2] = u32(m, "attention.head_count_kv", m->kv_heads);
	kv[3] = u32(m, "expert_count", m->experts);
	return recipe_decide(recipe ? recipe_find(recipe) : NULL, item, n_items, &f, arena, &err);
}

static const struct recipe_item *of(const char *name)
{
	for (size_t i = 0; i < n_items; i++)
		if (!strcmp(item[i].name, name))
			return &item[i];
	return NULL;
}

/* The types of one tensor over the layers: a letter each, 2 to 8 for q2_k ... q8_0. */
static const char *types(const struct model *m, const char *name)
{
	char *s = arena_alloc(arena, 100);
	for (int l = 0; l < m->layers; l++)
		s[l] = of(arena_printf(arena, "blk.%d.%s.weight", l, name))->type->name[1];
	return s;
}

static const struct model dense = { "llama", 12, 8, 4, 0, 256, false }, tied = { "llama", 12, 8, 4, 0, 256, true },
			  shared = { "llama", 9, 8, 2, 0, 256, false }, large = { "llama", 80, 64, 8, 0, 256, false },
			  old = { "llama", 80, 64, 64, 0, 256, false }, qwen = { "qwen2", 80, 64, 8, 0, 256, false },
			  eight = { "llama", 9, 8, 4, 8, 256, false }, many = { "qwen3moe", 9, 8, 4, 128, 256, false };

static const struct {
	const struct model *m;
	const char *recipe, *tensor, *want;
} rows[] = {
	{ &dense, "q4_k_m", "attn_v", "644644644666" },
	{ &dense, "q4_k_m", "ffn_down", "644644644666" },
	{ &dense, "q4_k_m", "attn_q", "444444444444" },
	{ &dense, "q4_k_s", "attn_v", "555544444444" },
	{ &dense, "q4_k_s", "ffn_down", "544444444444" },
	{ &dense, "q3_k_m", "attn_v", "554444444444" },
	{ &dense, "q3_k_m", "ffn_down", "444444444444" },
	{ &dense, "q3_k_m", "attn_output", "444444444444" },
	{ &dense, "q3_k_l", "attn_output", "555555555555" },
	{ &dense, "q2_k", "attn_v", "333333333333" },
	{ &dense, "q2_k", "ffn_down", "333333333333" },
	{ &dense, "q2_k_s", "ffn_down", "422222222222" },
	{ &shared, "q2_k", "attn_v", "444444444" },
	{ &shared, "q2_k_s", "attn_v", "444444444" },
	{ &eight, "q4_k_m", "attn_v", "888888888" },
	{ &eight, "q4_k_m", "attn_k", "888888888" },
	{ &eight, "q4_k_m", "attn_output", "555555555" },
	{ &eight, "q3_k_l", "attn_output", "333333333" },
	{ &eight, "q4_0", "attn_k", "888888888" },
	{ &many, "q4_k_m", "attn_k", "444444444" },
};

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is_int(decide(rows[i].m, rows[i].recipe, NULL, 0, false), 0, "%s decides", rows[i].recipe);
		is_str(types(rows[i].m, rows[i].tensor), rows[i].want, "%s: %s of %d layers", rows[i].recipe,
			rows[i].tensor, rows[i].m->layers);
	}
}

static void test_large(void)
{
	decide(&large, "q3_k_s", NULL, 0, false);
	is_str(of("blk.40.attn_v.weight")->type->name, "q5_k", "80 layers with shared values");
	decide(&old, "q3_k_s", NULL, 0, false);
	is_str(of("blk.40.attn_v.weight")->type->name, "q3_k", "80 layers without");
	decide(&qwen, "q4_k_m", NULL, 0, false);
	is_str(of("blk.11.attn_v.weight")->type->name, "q5_k", "80 layers of qwen2");
}

static void test_head(void)
{
	decide(&dense, "q4_0", NULL, 0, false);
	is_str(of("output.weight")->type->name, "q6_k", "the output matrix gets 6 bits");
	is_str(of("token_embd.weight")->type->name, "q4_0", "the embedding does not");
	decide(&tied, "q4_0", NULL, 0, false);
	is_str(of("token_embd.weight")->type->name, "q6_k", "but where it is the output matrix");
	decide(&dense, "q8_0", NULL, 0, false);
	is_str(of("output.weight")->type->name, "q8_0", "8 bits stay 8 bits");
	decide(&eight, "q4_k_m", NULL, 0, false);
	is_str(of("blk.0.ffn_gate_inp.weight")->type->name, "f16", "routers are kept");
	is_str(of("blk.0.attn_norm.weight")->why, "norms stay", "why");
	is_str(of("blk.0.ffn_up_exps.weight")->why, "recipe q4_k_m", "why");
}

/* The type of a tensor where `asked` says more; "" for an error. */
static const char *gets(const struct model *m, const char *recipe, const char *name)
{
	bool failed = decide(m, recipe, NULL, 0, false);
	asked = (struct recipe_facts){ 0 };
	return failed ? "" : of(name)->type->name;
}

static void test_asked(void)
{
	const char *const rule[] = { "token=q5_0" }, *const embedding = "token_embd.weight";
	const struct heft_encoding *q8 = quant_find("q8_0"), *q2 = quant_find("q2_k");
	struct model odd = { "llama", 2, 8, 4, 0, 96, true };
	asked.output_type = q8;
	is_str(gets(&dense, "q4_k_m", "output.weight"), "q8_0", "a type for the output matrix");
	asked.output_type = q8;
	is_str(gets(&tied, "q4_k_m", embedding), "q8_0", "which is the embedding where they are tied");
	asked.output_type = q8;
	asked.pure = true;
	is_str(gets(&tied, "q4_k_m", embedding), "q4_k", "but not to --pure");
	asked.output_type = q2;
	is_str(gets(&odd, "q4_k_m", embedding), "q4_0", "there its rows may fall back");
	asked.embedding_type = q2;
	is_str(gets(&odd, "q4_k_m", embedding), "q2_k", "the embedding's own type does not");
	asked.embedding_type = q8;
	asked.output_type = q2;
	is_str(gets(&tied, "q4_k_m", embedding), "q8_0", "it is the stronger one");
	asked.embedding_type = q8;
	is_str(gets(&dense, "f16", embedding), "q8_0", "with float types, too");
	asked.embedding_type = q8;
	decide(&dense, "q4_k_m", rule, 1, false);
	is_str(of(embedding)->type->name, "q8_0", "and stronger than a rule");
	asked = (struct recipe_facts){ .output_type = q8 };
	decide(&tied, "q4_k_m", rule, 1, false);
	is_str(of(embedding)->type->name, "q5_0", "a rule is stronger than the type of a tied output matrix");
	asked = (struct recipe_facts){ .leave_output = true };
	is_str(gets(&dense, "q4_k_m", "output.weight"), "f16", "the output matrix is left");
	asked.pure = true;
	is_str(gets(&eight, "q4_k_m", "blk.0.attn_v.weight"), "q4_k", "--pure asks no row");
	asked.imatrix = true;
	is_str(gets(&dense, "q4_0", "blk.0.ffn_down.weight"), "q4_1", "a row that asks for an importance matrix");
	is_str(gets(&dense, "q4_0", "blk.0.ffn_down.weight"), "q4_0", "does not hold without");
	is_str(gets(&eight, "mxfp4_moe", "blk.0.ffn_up_exps.weight"), "mxfp4", "experts");
	is_str(gets(&eight, "mxfp4_moe", "blk.0.attn_q.weight"), "q8_0", "no expert");
	ok(recipe_needs_imatrix(recipe_find("q2_k_s")) && !recipe_needs_imatrix(recipe_find("q2_k")), "what needs an importance matrix");
}

static void test_rules(void)
{
	const char *const first[] = { "blk.0.attn_v=q4_k" }, *const two[] = { "ATTN_Q=Q8_0", "attn_.=q3_k" },
			  *const wide[] = { "attn_q=q8_0" };
	const char *const none[] = { "attn_v=q8_0", "nothing=q8_0" }, *const norm[] = { "norm=q8_0" },
			  *const type[] = { "attn=q9" };
	const char *const shape[] = { "attn" }, *const regex[] = { "(=q8_0" };
	struct model odd = { "llama", 2, 8, 4, 0, 80, false };
	decide(&dense, "q4_k_m", first, 1, false);
	is_str(types(&dense, "attn_v"), "464464464466", "what a rule decides is not counted");
	decide(&dense, "q4_k_m", two, 2, false);
	is_str(of("blk.3.attn_q.weight")->type->name, "q8_0", "the first rule that matches, in any case");
	is_str(of("blk.3.attn_k.weight")->type->name, "q3_k", "the second takes the rest");
	is_str(of("blk.3.attn_k.weight")->why, "rule 'attn_.=q3_k'", "why");
	decide(&odd, "q4_k_m", wide, 1, false);
	is_str(of("blk.0.attn_q.weight")->type->name, "f16", "a rule's type falls back, too");
	is_int(decide(&dense, NULL, wide, 1, false), 0, "rules without a recipe");
	is_str(of("blk.0.attn_q.weight")->type->name, "q8_0", "are followed");
	is_str(of("blk.0.attn_k.weight")->type->name, "f16", "the rest is kept");
	ok(decide(&dense, "q4_k_m", none, 2, false) && err.code == HEFT_E_PATTERN, "%s", err.text);
	ok(decide(&dense, "q4_k_m", norm, 1, false) && err.code == HEFT_E_PATTERN, "%s", err.text);
	ok(decide(&dense, "q4_k_m", type, 1, false) && err.code == HEFT_E_TYPE, "%s", err.text);
	ok(decide(&dense, "q4_k_m", shape, 1, false) && err.code == HEFT_E_PATTERN, "%s", err.text);
	ok(decide(&dense, "q4_k_m", regex, 1, false) && err.code == HEFT_E_PATTERN, "%s", err.text);
}

static void test_fallback(void)
{
	static const char *const want[][2] = { { "q2_k", "q4_0" }, { "q3_k_s", "q4_0" }, { "q4_k_s", "q5_1" },
		{ "q5_k_s", "q5_1" }, { "q6_k", "q8_0" }, { "q8_0", "q8_0" }, { "q4_1", "q4_1" } };
	struct model m = { "llama", 1, 8, 8, 0, 320, false };
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		decide(&m, want[i][0], NULL, 0, false);
		is_str(of("blk.0.attn_v.weight")->type->name, want[i][1], "%s with rows of 320", want[i][0]);
	}
	is_str(of("blk.0.attn_v.weight")->why, "recipe q4_1", "no fallback where none is needed");
	decide(&m, "q6_k", NULL, 0, false);
	ok(of("blk.0.attn_q.weight")->fallback, "marked");
	is_str(of("blk.0.attn_q.weight")->why, "fallback: row 320 is no multiple of 256", "why");
	ok(decide(&m, "q6_k", NULL, 0, true) && err.code == HEFT_E_FALLBACK, "strict: %s", err.text);
	m.width = 72;
	decide(&m, "q4_0", NULL, 0, false);
	is_str(of("blk.0.attn_q.weight")->type->name, "f16", "no block fits 72");
}

static void test_table(void)
{
	static const struct { const char *name; uint32_t type;
	} want[] = {
		{ "f32", 0 },
		{ "f16", 1 },
		{ "q4_0", 2 },
		{ "q4_1", 3 },
		{ "q8_0", 7 },
		{ "q5_0", 8 },
		{ "q5_1", 9 },
		{ "q2_k", 10 },
		{ "q3_k_s", 11 },
		{ "q3_k_m", 12 },
		{ "q3_k_l", 13 },
		{ "q4_k_s", 14 },
		{ "q4_k_m", 15 },
		{ "q5_k_s", 16 },
		{ "q5_k_m", 17 },
		{ "q6_k", 18 },
		{ "iq2_xxs", 19 },
		{ "iq2_xs", 20 },
		{ "q2_k_s", 21 },
		{ "iq3_xs", 22 },
		{ "iq3_xxs", 23 },
		{ "iq1_s", 24 },
		{ "iq4_nl", 25 },
		{ "iq3_s", 26 },
		{ "iq3_m", 27 },
		{ "iq2_s", 28 },
		{ "iq2_m", 29 },
		{ "iq4_xs", 30 },
		{ "iq1_m", 31 },
		{ "bf16", 32 },
		{ "tq1_0", 36 },
		{ "tq2_0", 37 },
		{ "mxfp4_moe", 38 },
		{ "q1_0", 40 },
		{ "q2_0", 41 },
	};
	const struct heft_recipe_info *info;
	size_t n = sizeof(want) / sizeof(want[0]);
	is_int(heft_recipes(&info), n, "all recipes can be read");
	for (size_t i = 0; i < n; i++) {
		const struct recipe *r = recipe_find(want[i].name);
		ok(r && recipe_file_type(r) == want[i].type && recipe_about(r), "%s is file type %u", want[i].name,
			want[i].type);
	}
	ok(recipe_find("Q4_K") == recipe_find("q4_k_m") && recipe_find("q3_K") == recipe_find("Q3_K_M"),
		"short names, any case");
	ok(!recipe_find("q4") && !recipe_find("stay") && !recipe_find(""), "names of no recipe");
}

/* ---- a stranger's text ---- */

static const struct recipe *read_text(const char *text, size_t n)
{
	struct heft_err none = { 0 };
	err = none;
	return recipe_read("dir/own.recipe", text, n, arena, &err);
}

static void refused(const char *text, const char *words, const char *what)
{
	ok(!read_text(text, strlen(text)) && err.code == HEFT_E_RECIPE && strstr(err.text, words), "%s: %s", what, err.text);
}

static char *repeated(const char *row, size_t n)
{
	size_t len = strlen(row);
	char *text = arena_alloc(arena, n * len + 1);
	for (size_t i = 0; i < n; i++)
		memcpy(text + i * len, row, len + 1);
	return text;
}

static void limits(void)
{
	char *big = repeated("# a comment that is long\n", (1 << 20) / 25 + 1), *lets = repeated("let a = 1\n", 16385);
	const struct recipe *r = read_text("type q4_k", 9);
	ok(r && !strcmp(recipe_name(r), "own") && recipe_file_type(r) == 15, "a name and a file type where none is said");
	r = read_text("base iq2_m\ntype q5_k\n", 21);
	ok(r && recipe_file_type(r) == 17, "a type of one's own has its own file type");
	r = read_text("base iq2_m\n", 11);
	ok(r && recipe_file_type(r) == 29 && !strcmp(recipe_type(r)->name, "iq2_s"), "a base gives both");
	r = read_text("type q4_k\nfile_type 4294967295", 30);
	ok(r && recipe_file_type(r) == 4294967295, "the largest file type");
	refused("type q4_k\nfile_type 4294967296", "2:", "one more");
	ok(!read_text(big, strlen(big)) && strstr(err.text, "1 MiB"), "more than 1 MiB");
	refused(lets, "more than 16384 rows", "more rows than there may be");
	lets[10 * 16384] = 0;
	refused(lets, "more than 256 rows let", "more lets than there may be");
	ok(!read_text("type\0", 5) && strstr(err.text, "NUL"), "a NUL byte");
	refused("", "a row 'type TYPE' is missing", "nothing");
	refused("type nvfp4\n", "file_type", "a type without a file type");
	r = read_text("type nvfp4\nfile_type 39\n", 24);
	ok(r != NULL, "with one");
	refused("type q4_k\n{a}{b}{c}{d}{e}{f}{g}{h}{i}{j}{k}{l}{m}{n}{o}{p}{q}{r}{s}{t}{u}{v}{w}{x}{y}{z}{aa}{bb}{cc}{dd}{ee}{ff}{gg} -> q8_0\n", "more than 32 parts",
		"more parts than a pattern has");
}

/* Names may begin as rows do. */
static void words(void)
{
	struct recipe_item one = { .name = "keep.base.weight", .shape = { 2, { 8, 256 } }, .stored = quant_find("f16") };
	struct recipe_facts f = { .arch = "llama" };
	const struct recipe *r = read_text("type q4_k\nkeep.base.weight -> q6_k\n", 35);
	ok(r && !recipe_decide(r, &one, 1, &f, arena, &err) && !strcmp(one.type->name, "q6_k") && one.line == 2 && one.by == RECIPE_DECIDED, "a name that begins with a word");
	r = read_text("type q4_k\n\"keep\" -> q6_k\n", 25);
	one.name = "keep";
	ok(r && recipe_decide(r, &one, 1, &f, arena, &err) && strstr(err.text, "\"keep\"") && one.by == RECIPE_STAYS, "a name that is one, in quotes: no weight, so it stays");
}

/* Places are those that columns are counted to: a row of several lines, comments between. */
static void places(void)
{
	refused("type q4_k\n   \nblk -> q8_0 when  # one\n # two\n\tl <\n  # three\n  q(\n", "dir/own.recipe:7:", "a mistake in the fourth line of a row");
	refused("type q4_k\nblk -> q9_0\n", "dir/own.recipe:2:8: there is no type 'q9_0'", "a mistake in a row of one line");
	refused("type q4_k\r\nblk -> q9_0\r\n", "dir/own.recipe:2:8:", "with carriage returns");
	refused("type q4_k\nkeep blk \"a # b\" x\n", "dir/own.recipe:2:18: 'x' is left over", "a # in quotes");
}

int main(void)
{
	arena = arena_new();
	test_table();
	if (recipe_find("q4_k_m")) {
		test_rows();
		test_large();
		test_head();
		test_asked();
		test_rules();
		test_fallback();
		limits();
		places();
		words();
	}
	arena_free(arena);
	return done();
}
