/* Arithmetic on slices of a weight, read in pieces whose ends are not the slices' ends. */
#include "src/tile.h"
#include "heft.h"
#include "quant/quant.h"
#include "tests/tap.h"

#include <unistd.h>

enum { LONG = 50001, N = 3 * LONG };
#define ARGS(...) .arg = (const int64_t[]){ __VA_ARGS__ }, .n_args = sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)

static char path[] = "/tmp/heft-tile-XXXXXX.safetensors";

/* "t" of so many rows and columns. */
static struct heft_model *write_model(const char *dtype, int size, int rows, int cols, const void *data)
{
	char header[128];
	uint64_t length = (uint64_t)snprintf(header, sizeof(header), "{\"t\":{\"dtype\":\"%s\",\"shape\":[%d,%d],\"data_offsets\":[0,%d]}}", dtype,
					     rows, cols, N * size);
	struct heft_model *m;
	struct heft_err err;
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(&length, 8, 1, f) != 1 || fwrite(header, length, 1, f) != 1 || fwrite(data, (size_t)size, N, f) != N || fclose(f) ||
	    heft_open(&m, path, NULL, &err))
		abort();
	return m;
}

static float *read_all(struct heft_model *m, const struct op *op, int n_ops, size_t piece)
{
	const struct heft_tensor *source[] = { &m->tensor[0] };
	struct weight w = { .name = "w", .source = source, .n_sources = 1, .op = op, .n_ops = n_ops };
	struct tile_plan p;
	struct tile_scratch s = { 0 };
	struct heft_err err;
	float *v = malloc(N * sizeof(*v));

	if (!v || weight_shape(&w, &err) || tile_plan_init(&p, &w, &err))
		abort();
	for (size_t first = 0; first < N; first += piece)
		if (tile_read(&p, m, first, piece < N - first ? piece : N - first, v + first, &s, &err))
			abort();
	tile_scratch_release(&s);
	return v;
}

/* What covers the weight in slices is what covers it at once; what covers a part leaves the rest. */
static void slices(struct heft_model *m, const char *what, int axis, int at, size_t piece)
{
	static const struct op twice[] = { { .kind = OP_MUL, .x = 2 }, { .kind = OP_ADD, .x = 0.1 } };
	const struct op parts[] = { { .kind = OP_AT, ARGS(axis, 0, at), .sub = twice, .n_sub = 2 },
				    { .kind = OP_AT, ARGS(axis, at, -1), .sub = twice, .n_sub = 2 } };
	float *plain = read_all(m, NULL, 0, N), *whole = read_all(m, twice, 2, N), *both = read_all(m, parts, 2, piece),
	      *low = read_all(m, parts, 1, piece);
	int cols = (int)m->tensor[0].dim[1], wrong = 0;

	ok(!memcmp(whole, both, N * sizeof(*whole)) && memcmp(whole, plain, N * sizeof(*whole)), "%s, axis %d at %d, by %zu", what, axis, at, piece);
	for (int i = 0; i < N; i++)
		wrong += !!memcmp(&low[i], (axis ? i % cols : i / cols) < at ? &whole[i] : &plain[i], sizeof(*low));
	is_int(wrong, 0, "and the first alone");
	free(plain);
	free(whole);
	free(both);
	free(low);
}

static void each_shape(const char *dtype, int size, const void *data)
{
	for (int wide = 0; wide < 2; wide++) {
		struct heft_model *m = write_model(dtype, size, wide ? 3 : LONG, wide ? LONG : 3, data);

		slices(m, dtype, 0, wide ? 1 : 30000, TILE_ELEMENTS);
		slices(m, dtype, 1, wide ? 30000 : 1, TILE_ELEMENTS);
		slices(m, dtype, 1, wide ? LONG : 2, 1000);
		heft_close(m);
	}
}

int main(void)
{
	float *v = malloc(N * sizeof(*v));
	uint16_t *h = malloc(N * sizeof(*h));
	void *plane[1] = { h };
	int fd = mkstemps(path, 12);

	for (int i = 0; i < N; i++)
		v[i] = (float)(i % 997) / 31;
	quant_encoder(quant_find("f16"))(v, plane, N, NULL);
	each_shape("F32", 4, v);
	each_shape("F16", 2, h);
	free(v);
	free(h);
	close(fd);
	unlink(path);
	return done();
}
