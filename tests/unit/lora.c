/* Adapters: the samples by their names, and the scale of each pair by the rules of those who made it. */
#include "quant/quant.h"
#include "tests/adapter.h"
#include "tests/tap.h"

#include <glob.h>
#include <math.h>

/* 0: the sample is good */
static int expected_code(const char *name)
{
	const char *e = strstr(name, "/bad-E");

	return e ? atoi(e + 6) : 0;
}

static void sample(const char *path)
{
	static uint8_t bytes[4096];
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
	struct heft_err err = { 0 };
	struct adapter t;
	int rc = adapter_read(&t, bytes, n, &err);

	is_int(err.code, expected_code(path), "%s", path);
	if (rc)
		printf("# %s\n", err.text);
	ok(!rc == !expected_code(path) && !strchr(err.text, '\n'), "%s: in one line", path);
	adapter_release(&t);
	if (f)
		fclose(f);
}

static void samples(void)
{
	glob_t g = { 0 };

	glob("testdata/lora/*.lora", 0, NULL, &g);
	ok(g.gl_pathc > 20, "samples are there");
	for (size_t i = 0; i < g.gl_pathc; i++)
		sample(g.gl_pathv[i]);
	globfree(&g);
}

/* ---- scales ---- */

enum { MODULES = 4 };

/* Scales of q_proj and k_proj of layer 0, and of those of layer 11 with ranks 4, 4, 9, 9; NULL where a configuration is refused. */
static const double *scales(const char *config, enum lora_kind kind)
{
	static const char *const module[MODULES] = { "model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.k_proj",
						     "model.layers.11.self_attn.q_proj", "model.layers.11.self_attn.k_proj" };
	static double out[MODULES];
	struct arena *a = arena_new();
	struct heft_tensor *t = arena_array(a, 2 * MODULES, sizeof *t);
	struct heft_model m = { .path = "adapter", .format = "safetensors", .tensor = t, .n_tensors = 2 * MODULES };
	struct lora_adapter x = { .dir = ".", .config = json_parse(config, strlen(config), "config", false, NULL) };
	struct heft_err err;
	bool mlx = kind == LORA_MLX;

	for (uint64_t i = 0; i < 2 * MODULES; i++) {
		uint64_t rank = i < MODULES ? 4 : 9;
		bool b = i & 1, down = b != mlx; /* the rank comes last */

		t[i] = (struct heft_tensor){ .enc = quant_find("f32"), .rank = 2, .n_planes = 1, .dim = { down ? 8 : rank, down ? rank : 8 } };
		t[i].name = arena_printf(a, "%s%s%s", mlx ? "" : "base_model.model.", module[i / 2], mlx ? b ? ".lora_b" : ".lora_a" : b ? ".lora_B.weight" : ".lora_A.weight");
	}
	if (!x.config || lora_understand(&x, &m, a, &err))
		x.n_pairs = 0;
	for (size_t i = 0; i < x.n_pairs; i++)
		out[i] = x.pair[i].scale;
	if (x.n_pairs && x.kind != kind)
		out[0] = NAN;
	mlx = x.n_pairs == MODULES;
	lora_release(&x);
	arena_free(a);
	return mlx ? out : NULL;
}

static void are(const char *label, const double *got, double a, double b, double c, double d)
{
	ok(got && got[0] == a && got[1] == b && got[2] == c && got[3] == d, "%s", label);
	if (got)
		printf("# %g %g %g %g\n", got[0], got[1], got[2], got[3]);
}

static void rules(void)
{
#define S(more) scales("{\"r\": 4, \"lora_alpha\": 36" more "}", LORA_PEFT)
#define ALPHAS(list) ", \"alpha_pattern\": {" list "}"
	are("alpha / r, r being the pair's own", S(""), 9, 9, 4, 4);
	are("alpha / sqrt(r)", S(", \"use_rslora\": true"), 18, 18, 12, 12);
	are("rank_pattern says nothing that the tensors do not", S(", \"rank_pattern\": {\"q_proj\": 1}"), 9, 9, 4, 4);
	are("alpha_pattern, the end of a name", S(ALPHAS("\"q_proj\": 18")), 4.5, 9, 2, 4);
	are("from a point on", S(ALPHAS("\"proj\": 18, \"_proj\": 18, \"1.self_attn.q_proj\": 18")), 9, 9, 4, 4);
	are("of one layer", S(ALPHAS("\"11.self_attn.q_proj\": 18")), 9, 9, 2, 4);
	are("a point stands for any character", S(ALPHAS("\"self.attn.q.proj\": 18")), 4.5, 9, 2, 4);
	are("the first that matches", S(ALPHAS("\"0.self_attn.q_proj\": 72, \"q_proj\": 18")), 18, 9, 2, 4);
	are("an expression", S(ALPHAS("\"1+\\\\.self_attn\\\\.[qk]_proj\": 18")), 9, 9, 2, 2);
	are("an expression for the whole name", S(ALPHAS("\"^model.*k_proj\": 18, \"^layers.*q_proj\": 18")), 9, 4.5, 4, 2);
	are("with rank-stabilised scales", S(", \"use_rslora\": true" ALPHAS("\"k_proj\": 18")), 18, 9, 12, 6);
	ok(!S(ALPHAS("\"q_proj(\": 18")), "no expression is refused");
	ok(!scales("{\"r\": 4}", LORA_PEFT), "no alpha is refused");
	ok(!scales("{\"r\": 4, \"lora_alpha\": 1e999}", LORA_PEFT), "an infinite alpha is refused");
	are("MLX says the scale", scales("{\"lora_parameters\": {\"rank\": 4, \"scale\": 2.5}}", LORA_MLX), 2.5, 2.5, 2.5, 2.5);
	are("and no alpha beside it counts", scales("{\"lora_parameters\": {\"rank\": 4, \"scale\": 2.5, \"alpha\": 16}}", LORA_MLX), 2.5, 2.5, 2.5, 2.5);
}

/* A thousand expressions for a few modules are compiled, millions of steps are not taken. */
static void limit(void)
{
	struct jbuf b = { 0 };

	jbuf_printf(&b, "{\"lora_alpha\": 1, \"alpha_pattern\": {\"x\": 1");
	for (int i = 0; i < 1000; i++)
		jbuf_printf(&b, ", \"a*%d\": 1", i);
	jbuf_printf(&b, "}}");
	jbuf_raw(&b, "", 1);
	ok(scales(b.p, LORA_PEFT) != NULL, "a thousand expressions");
	b.n -= 3;
	for (int i = 0; i < 1000; i++)
		jbuf_printf(&b, ", \"(a{255}){7}%d\": 1", i);
	jbuf_printf(&b, "}}");
	jbuf_raw(&b, "", 1);
	ok(scales(b.p, LORA_PEFT) == NULL, "a thousand that are long to follow are refused");
	jbuf_release(&b);
}

int main(void)
{
	samples();
	rules();
	limit();
	return done();
}
