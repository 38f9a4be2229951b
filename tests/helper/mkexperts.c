/*
 * mkexperts.c - a tiny checkpoint whose experts are one tensor for each projection, and its twin whose experts stand apart, in the order in
 * which they are taken apart.
 *
 * usage: mkexperts DIR KIND      DIR/fused/ and DIR/split/: model.safetensors, config.json
 *        KIND: concat (Qwen3.5-MoE), turned (Llama 4), alternate (gpt-oss, with biases), granite, mixtral
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { EXPERTS = 3, HIDDEN = 256, WIDE = 384, NAMES = 64 };

static const struct kind {
	const char *name, *type, *fused_moe, *split_moe; /* modules around the experts */
	const char *gate_up, *down;                      /* of the fused tensors */
	const char *part[3];
	int turned, alternate, nested;
} kinds[] = {
	{ "concat", "qwen3_5_moe_text", "mlp", "mlp", "experts.gate_up_proj", "experts.down_proj", { "gate_proj", "up_proj", "down_proj" }, 0, 0, 1 },
	{ "turned", "llama4_text", "feed_forward", "feed_forward", "experts.gate_up_proj", "experts.down_proj", { "gate_proj", "up_proj", "down_proj" }, 1, 0, 1 },
	{ "alternate", "gpt_oss", "mlp", "mlp", "experts.gate_up_proj", "experts.down_proj", { "gate_proj", "up_proj", "down_proj" }, 1, 1, 0 },
	{ "granite", "granitemoe", "block_sparse_moe", "block_sparse_moe", "input_linear.weight", "output_linear.weight", { "w1", "w3", "w2" }, 0, 0, 0 },
	{ "mixtral", "mixtral", "mlp", "block_sparse_moe", "experts.gate_up_proj", "experts.down_proj", { "w1", "w3", "w2" }, 0, 0, 0 },
};

struct tensor {
	char name[96];
	int rank;
	long dim[3];
	uint16_t *data;
};

static struct tensor list[NAMES];
static int n;

static uint32_t seed = 1;

static uint16_t number(void)
{
	float v = 0;
	uint32_t bits;

	for (int i = 0; i < 4; i++) {
		seed = seed * 1664525 + 1013904223;
		v += (float)(seed >> 8) / (1 << 24) - 0.5f;
	}
	v *= 0.1f;
	memcpy(&bits, &v, sizeof bits);
	return (uint16_t)(bits >> 16);
}

static struct tensor *add(const char *name, int rank, long a, long b, long c)
{
	struct tensor *t = &list[n++];

	snprintf(t->name, sizeof t->name, "%s", name);
	*t = (struct tensor){ .rank = rank, .dim = { a, b, c } };
	snprintf(t->name, sizeof t->name, "%s", name);
	t->data = calloc((size_t)(a * (rank > 1 ? b : 1) * (rank > 2 ? c : 1)), 2);
	if (!t->data)
		exit(1);
	return t;
}

static void plain(const char *name, int rank, long a, long b)
{
	struct tensor *t = add(name, rank, a, b, 1);

	for (long i = 0; i < a * (rank > 1 ? b : 1); i++)
		t->data[i] = number();
}

/* Expert e's matrix `part` (gate, up, down) and bias, as numbers that depend on nothing else. */
static void expert(uint16_t *matrix, uint16_t *bias, int e, int part)
{
	seed = (uint32_t)(e * 3 + part + 7);
	for (long i = 0; i < HIDDEN * WIDE; i++)
		matrix[i] = number();
	for (long i = 0; i < (part == 2 ? HIDDEN : WIDE); i++)
		bias[i] = number();
}

static uint16_t matrix[HIDDEN * WIDE], bias[WIDE];

static void fuse(const struct kind *k, struct tensor *t, struct tensor *b, int first, int parts)
{
	long in = first == 2 ? WIDE : HIDDEN, out = first == 2 ? HIDDEN : WIDE;

	for (int e = 0; e < EXPERTS; e++)
		for (int p = 0; p < parts; p++) {
			expert(matrix, bias, e, first + p);
			for (long r = 0; r < out; r++) {
				long row = k->alternate && parts > 1 ? r * 2 + p : p * out + r, rows = parts * out;

				for (long c = 0; c < in; c++)
					t->data[k->turned ? (e * in + c) * rows + row : (e * rows + row) * in + c] = matrix[r * in + c];
				if (b)
					b->data[e * rows + row] = bias[r];
			}
		}
}

static void fused(const struct kind *k, const char *what, int first, int parts)
{
	long in = first == 2 ? WIDE : HIDDEN, rows = (first == 2 ? HIDDEN : WIDE) * parts;
	char name[96], bias_name[110];
	struct tensor *t, *b = NULL;

	snprintf(name, sizeof name, "model.layers.0.%s.%s", k->fused_moe, what);
	t = k->turned ? add(name, 3, EXPERTS, in, rows) : add(name, 3, EXPERTS, rows, in);
	if (k->alternate) {
		snprintf(bias_name, sizeof bias_name, "%s_bias", name);
		b = add(bias_name, 2, EXPERTS, rows, 1);
	}
	fuse(k, t, b, first, parts);
}

static void apart(const struct kind *k, int first, int parts)
{
	char name[96];

	for (int pass = 0; pass < 1 + k->alternate; pass++) /* matrices, then biases */
		for (int e = 0; e < EXPERTS; e++)
			for (int p = first; p < first + parts; p++) {
				long in = p == 2 ? WIDE : HIDDEN, out = p == 2 ? HIDDEN : WIDE;
				struct tensor *t;

				snprintf(name, sizeof name, "model.layers.0.%s.experts.%d.%s.%s", k->split_moe, e, k->part[p], pass ? "bias" : "weight");
				t = pass ? add(name, 1, out, 1, 1) : add(name, 2, out, in, 1);
				expert(matrix, bias, e, p);
				memcpy(t->data, pass ? bias : matrix, 2 * (size_t)(pass ? out : in * out));
			}
}

static int write_all(const char *dir, const struct kind *k)
{
	char path[4200], head[16384];
	long at = 0, size[NAMES];
	uint64_t length;
	int len = 0;
	FILE *f;

	snprintf(path, sizeof path, "%s/config.json", dir);
	if (!(f = fopen(path, "wb")))
		return 1;
	fprintf(f, "{\"model_type\": \"%s\", \"architectures\": [\"X\"], %s\"model_type\": \"%s\", \"hidden_size\": %d, \"num_hidden_layers\": 1%s}\n", k->type,
		k->nested ? "\"text_config\": {" : "", k->type, HIDDEN, k->nested ? "}" : "");
	if (fclose(f))
		return 1;
	for (int i = 0; i < n; i++) {
		size[i] = 2;
		len += snprintf(head + len, sizeof head - (size_t)len, "%s\"%s\":{\"dtype\":\"BF16\",\"shape\":[", i ? "," : "{", list[i].name);
		for (int d = 0; d < list[i].rank; d++) {
			len += snprintf(head + len, sizeof head - (size_t)len, "%s%ld", d ? "," : "", list[i].dim[d]);
			size[i] *= list[i].dim[d];
		}
		len += snprintf(head + len, sizeof head - (size_t)len, "],\"data_offsets\":[%ld,%ld]}", at, at + size[i]);
		at += size[i];
	}
	len += snprintf(head + len, sizeof head - (size_t)len, "}");
	length = (uint64_t)len;
	snprintf(path, sizeof path, "%s/model.safetensors", dir);
	if (!(f = fopen(path, "wb")))
		return 1;
	fwrite(&length, 8, 1, f);
	fwrite(head, 1, (size_t)len, f);
	for (int i = 0; i < n; i++)
		fwrite(list[i].data, 1, (size_t)size[i], f);
	return fclose(f) != 0;
}

static int make(const char *dir, const struct kind *k, int is_fused)
{
	int failed;
	char path[4096], name[96];

	n = 0;
	seed = 1;
	plain("model.embed_tokens.weight", 2, 64, HIDDEN);
	plain("model.layers.0.self_attn.q_proj.weight", 2, HIDDEN, HIDDEN);
	snprintf(name, sizeof name, "model.layers.0.%s.%s.weight", is_fused ? k->fused_moe : k->split_moe, k->alternate ? "router" : "gate");
	plain(name, 2, EXPERTS, HIDDEN);
	if (is_fused) {
		fused(k, k->gate_up, 0, 2);
		fused(k, k->down, 2, 1);
	} else {
		apart(k, 0, 2);
		apart(k, 2, 1);
	}
	plain("model.norm.weight", 1, HIDDEN, 1);
	snprintf(path, sizeof path, "%s/%s", dir, is_fused ? "fused" : "split");
	mkdir(dir, 0777);
	mkdir(path, 0777);
	failed = write_all(path, k);
	while (n)
		free(list[--n].data);
	return failed;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(argv[2], kinds[i].name))
			return make(argv[1], &kinds[i], 1) || make(argv[1], &kinds[i], 0);
	fprintf(stderr, "usage: mkexperts DIR concat|turned|alternate|granite|mixtral\n");
	return 2;
}
