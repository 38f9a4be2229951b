/*
 * mklora.c - writes LoRA adapters for tests, without Python.
 *
 * usage: mklora DIR [KEY=VALUE ...] MODULE:OUTxIN ...
 *
 *   r=4 alpha=8    rank and lora_alpha        mlx=1          as mlx-lm stores it: turned factors, scale 2
 *   dora=1         magnitudes                 more='"use_rslora": true'   members of adapter_config.json
 *   whole=NAME:AxB (or :A) a tensor that is stored whole          embed=MODULE:ROWSxDIM an adapter of embeddings
 *
 * Numbers are F32 of -1/32 to 1/32, magnitudes lie near 1; they depend on the tensor's name alone.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST = 256 };

struct tensor {
	char name[256];
	unsigned long rows, cols; /* cols 0: a vector */
	bool positive;
};

static struct tensor tensor[MOST];
static size_t n_tensors;
static unsigned long rank = 4;
static double alpha = 8;
static bool mlx, dora;
static const char *more = "";

static void add(const char *module, const char *ending, unsigned long rows, unsigned long cols, bool positive)
{
	struct tensor *t = &tensor[n_tensors++];

	if (n_tensors == MOST)
		exit(2);
	snprintf(t->name, sizeof t->name, "%s%s%s", mlx ? "" : "base_model.model.", module, ending);
	t->rows = rows;
	t->cols = cols;
	t->positive = positive;
}

static void add_module(const char *arg, const char *kind)
{
	char module[200];
	unsigned long out, in = 0;
	bool whole = !strcmp(kind, "whole");

	if (sscanf(arg, "%199[^:]:%lux%lu", module, &out, &in) < (whole ? 2 : 3))
		exit(2);
	if (whole) {
		add(module, "", out, in, false);
	} else if (!strcmp(kind, "embed")) {
		add(module, ".lora_embedding_A", rank, out, false);
		add(module, ".lora_embedding_B", in, rank, false);
	} else {
		add(module, mlx ? ".lora_a" : ".lora_A.weight", mlx ? in : rank, mlx ? rank : in, false);
		add(module, mlx ? ".lora_b" : ".lora_B.weight", mlx ? rank : out, mlx ? out : rank, false);
		if (dora)
			add(module, mlx ? ".m" : ".lora_magnitude_vector", out, 0, true);
	}
}

static size_t count(const struct tensor *t)
{
	return t->rows * (t->cols ? t->cols : 1);
}

static void write_numbers(const struct tensor *t, FILE *f)
{
	uint64_t x = 1469598103934665603u;

	for (const char *p = t->name; *p; p++)
		x = (x ^ (unsigned char)*p) * 1099511628211u;
	for (size_t i = 0; i < count(t); i++) {
		float v;

		x = x * 6364136223846793005u + 1442695040888963407u;
		v = (float)((int64_t)(x >> 40) - (1 << 23)) / (float)(1 << 28);
		if (t->positive)
			v += 1;
		fwrite(&v, sizeof v, 1, f);
	}
}

static void write_tensors(FILE *f)
{
	static char header[MOST * 400];
	size_t n = 0, at = 0;
	uint64_t length;

	n += (size_t)sprintf(header + n, "{");
	for (size_t i = 0; i < n_tensors; i++) {
		const struct tensor *t = &tensor[i];
		char shape[64];

		snprintf(shape, sizeof shape, t->cols ? "%lu, %lu" : "%lu", t->rows, t->cols);
		n += (size_t)sprintf(header + n, "%s\"%s\": {\"dtype\": \"F32\", \"shape\": [%s], \"data_offsets\": [%zu, %zu]}", i ? ", " : "", t->name,
				     shape, at, at + count(t) * 4);
		at += count(t) * 4;
	}
	n += (size_t)sprintf(header + n, "}");
	while (n % 8)
		header[n++] = ' ';
	length = n;
	fwrite(&length, sizeof length, 1, f);
	fwrite(header, 1, n, f);
	for (size_t i = 0; i < n_tensors; i++)
		write_numbers(&tensor[i], f);
}

static FILE *create(const char *dir, const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (!f) {
		perror(path);
		exit(1);
	}
	return f;
}

static void write_config(FILE *f)
{
	if (mlx)
		fprintf(f, "{\"fine_tune_type\": \"%s\", \"num_layers\": 4, \"lora_parameters\": {\"rank\": %lu, \"scale\": 2.0, \"dropout\": 0.0}%s%s}\n",
			dora ? "dora" : "lora", rank, *more ? ", " : "", more);
	else
		fprintf(f, "{\"peft_type\": \"LORA\", \"r\": %lu, \"lora_alpha\": %g, \"use_dora\": %s%s%s}\n", rank, alpha, dora ? "true" : "false",
			*more ? ", " : "", more);
}

static void option(const char *arg)
{
	const char *value = strchr(arg, '=');

	if (!value)
		add_module(arg, "");
	else if (!strncmp(arg, "r=", 2))
		rank = strtoul(value + 1, NULL, 10);
	else if (!strncmp(arg, "alpha=", 6))
		alpha = strtod(value + 1, NULL);
	else if (!strncmp(arg, "mlx=", 4))
		mlx = value[1] == '1';
	else if (!strncmp(arg, "dora=", 5))
		dora = value[1] == '1';
	else if (!strncmp(arg, "more=", 5))
		more = value + 1;
	else if (!strncmp(arg, "whole=", 6))
		add_module(value + 1, "whole");
	else if (!strncmp(arg, "embed=", 6))
		add_module(value + 1, "embed");
	else
		exit(2);
}

int main(int argc, char **argv)
{
	FILE *f;

	if (argc < 3)
		return 2;
	for (int i = 2; i < argc; i++)
		option(argv[i]);
	mkdir(argv[1], 0777);
	f = create(argv[1], mlx ? "adapters.safetensors" : "adapter_model.safetensors");
	write_tensors(f);
	if (fclose(f))
		return 1;
	f = create(argv[1], "adapter_config.json");
	write_config(f);
	return fclose(f) ? 1 : 0;
}
