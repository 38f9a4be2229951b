/*
 * mkcoreml.c - writes packages of Core ML for tests, without coremltools: matrices that follow one another, whole or damaged.
 *
 * usage: mkcoreml DIR.mlpackage [rows=N] [cols=N] [layers=N] [opset=N] [functions=N] [transposed=1] [sparse=1] [damage=NAME]
 *        mkcoreml --damages
 *
 * Layer i is "w<i>", a constant of rows x cols in f16, and linear (or matmul, with transposed=1: its output channels are columns). Functions
 * share the numbers. The bytes depend on the arguments alone. sparse=1 writes true headers and leaves the numbers to truncate().
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/wire.h"
#include "quant/quant.h"

#define WEIGHTS "@model_path/weights/weight.bin"

enum { F16 = 10, I8 = 21, I32 = 23, U4 = 35, HEAD = 64 };

static uint64_t rows = 64, cols = 64, layers = 2, opset = 8, functions = 1;
static bool transposed, sparse;
static const char *damage = "";

static const char *const damages[] = {
	"axis", "cycle", "dangling", "dims", "empty", "group", "kind", "length", "nan", "nesting", "odd", "offset", "scales", "self", "sentinel", "short",
	"size", "table", "twice", "type", "varint", "wire",
};

static bool is(const char *name)
{
	return !strcmp(damage, name);
}

static void die(const char *what)
{
	fprintf(stderr, "mkcoreml: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- messages, from the inside out ---- */

static void put_varint(struct jbuf *b, uint64_t v)
{
	uint8_t bytes[WIRE_VARINT_MAX];

	jbuf_raw(b, (const char *)bytes, wire_put(bytes, v));
}

static void number(struct jbuf *b, uint32_t n, uint64_t v)
{
	put_varint(b, WIRE_NUMBER(n));
	put_varint(b, v);
}

static void bytes(struct jbuf *b, uint32_t n, const void *p, size_t size)
{
	put_varint(b, WIRE_MESSAGE(n));
	put_varint(b, size);
	jbuf_raw(b, p, size);
}

static void text(struct jbuf *b, uint32_t n, const char *s)
{
	bytes(b, n, s, strlen(s));
}

static void message(struct jbuf *b, uint32_t n, struct jbuf *inner)
{
	bytes(b, n, inner->p ? inner->p : "", inner->n);
	jbuf_release(inner);
}

static void entry(struct jbuf *b, uint32_t n, const char *key, struct jbuf *value) /* of a map */
{
	struct jbuf e = { 0 };

	text(&e, 1, key);
	message(&e, 2, value);
	message(b, n, &e);
}

static struct jbuf type_of(uint64_t dtype, int rank, const uint64_t *dim)
{
	struct jbuf t = { 0 }, type = { 0 };

	number(&t, 1, dtype);
	if (rank)
		number(&t, 2, (uint64_t)rank);
	for (int i = 0; i < rank; i++) {
		struct jbuf size = { 0 }, constant = { 0 };

		number(&size, 1, dim[i]);
		message(&constant, 1, &size);
		message(&t, 3, &constant);
	}
	message(&type, 1, &t);
	return type;
}

static struct jbuf blob(uint64_t dtype, int rank, const uint64_t *dim, uint64_t offset)
{
	struct jbuf value = { 0 }, type = type_of(dtype, rank, dim), place = { 0 };

	message(&value, 2, &type);
	text(&place, 1, WEIGHTS);
	number(&place, 2, offset);
	message(&value, 5, &place);
	return value;
}

static struct jbuf integer(uint64_t v)
{
	struct jbuf value = { 0 }, type = type_of(I32, 0, NULL), values = { 0 }, tensor = { 0 }, now = { 0 };
	uint8_t packed[WIRE_VARINT_MAX];

	message(&value, 2, &type);
	bytes(&values, 1, packed, wire_put(packed, v));
	message(&tensor, 2, &values);
	message(&now, 1, &tensor);
	message(&value, 3, &now);
	return value;
}

static void input(struct jbuf *op, const char *name, struct jbuf *binding)
{
	struct jbuf argument = { 0 };

	message(&argument, 1, binding);
	entry(op, 2, name, &argument);
}

static void input_value(struct jbuf *op, const char *name, struct jbuf value)
{
	struct jbuf binding = { 0 };

	message(&binding, 2, &value);
	input(op, name, &binding);
}

static void input_name(struct jbuf *op, const char *name, const char *from)
{
	struct jbuf binding = { 0 };

	text(&binding, 1, from);
	input(op, name, &binding);
}

static void named(struct jbuf *b, uint32_t n, const char *name, uint64_t dtype, int rank, const uint64_t *dim)
{
	struct jbuf out = { 0 }, type = type_of(dtype, rank, dim);

	text(&out, 1, name);
	message(&out, 2, &type);
	message(b, n, &out);
}

/* ---- the program ---- */

static uint64_t room(uint64_t size)
{
	return HEAD + (size + HEAD - 1) / HEAD * HEAD;
}

static uint64_t offset_of(uint64_t layer)
{
	return HEAD + layer * room(rows * cols * 2) + (layer && is("odd"));
}

static void put_layer(struct jbuf *block, uint64_t i)
{
	struct jbuf op = { 0 }, use = { 0 };
	uint64_t dim[2] = { rows, cols }, wide[2] = { 1ull << 40, 1ull << 40 }, out[2] = { 1, transposed ? cols : rows };
	char name[32], from[32], y[32];

	snprintf(name, sizeof name, "w%" PRIu64, is("twice") ? 0 : i);
	snprintf(from, sizeof from, i ? "y%" PRIu64 : "x", i - 1);
	snprintf(y, sizeof y, "y%" PRIu64, i);
	text(&op, 1, "const");
	named(&op, 3, name, F16, 2, is("dims") ? wide : dim);
	{
		struct jbuf value = blob(F16, 2, is("dims") ? wide : dim, offset_of(i));

		entry(&op, 5, "val", &value);
	}
	message(block, 3, &op);
	text(&use, 1, transposed ? "matmul" : "linear");
	input_name(&use, "x", from);
	input_name(&use, transposed ? "y" : "weight", is("dangling") ? "nobody" : name);
	named(&use, 3, y, F16, 2, out);
	message(block, 3, &use);
}

/* Constants that are made of others, which do not fit together: blob 0 holds codes, 1 scales, 2 zero points. */
static const struct wrong {
	const char *damage;
	uint32_t code;        /* weight.bin's number of the codes' type */
	uint32_t bits;
	uint64_t scales;      /* 0: a row's */
} wrongs[] = { { "scales", 4, 8, 3 }, { "table", 11, 4, 5 }, { "axis", 4, 8, 5 }, { "self", 1, 16, 0 }, { "cycle", 1, 16, 0 } };

static const struct wrong *wrong(void)
{
	for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++)
		if (is(wrongs[i].damage))
			return &wrongs[i];
	return NULL;
}

static void put_wrong(struct jbuf *block)
{
	struct jbuf op = { 0 }, other = { 0 };
	uint64_t dim[2] = { rows, cols }, three[2] = { 3, 1 }, five = 5, lut[4] = { 1, 1, 5, 1 };

	if (is("scales")) {
		text(&op, 1, "constexpr_blockwise_shift_scale");
		input_value(&op, "data", blob(I8, 2, dim, offset_of(0)));
		input_value(&op, "scale", blob(F16, 2, three, offset_of(1)));
	} else if (is("table")) {
		text(&op, 1, "constexpr_lut_to_dense");
		input_value(&op, "indices", blob(U4, 2, dim, offset_of(0)));
		input_value(&op, "lut", blob(F16, 4, lut, offset_of(1)));
	} else if (is("axis")) {
		struct jbuf data = blob(I8, 2, dim, offset_of(0)), scale = blob(F16, 1, &five, offset_of(1)), zero = blob(I8, 1, &five, offset_of(2)), axis = integer(9);

		text(&op, 1, "constexpr_affine_dequantize");
		entry(&op, 5, "quantized_data", &data);
		entry(&op, 5, "scale", &scale);
		entry(&op, 5, "zero_point", &zero);
		entry(&op, 5, "axis", &axis);
	} else {
		text(&op, 1, "constexpr_blockwise_shift_scale");
		input_name(&op, "data", is("self") ? "wrong" : "other");
		input_value(&op, "scale", blob(F16, 2, (uint64_t[]){ rows, 1 }, offset_of(1)));
	}
	named(&op, 3, "wrong", F16, 2, dim);
	message(block, 3, &op);
	if (!is("cycle"))
		return;
	text(&other, 1, "constexpr_blockwise_shift_scale");
	input_name(&other, "data", "wrong");
	input_value(&other, "scale", blob(F16, 2, (uint64_t[]){ rows, 1 }, offset_of(1)));
	named(&other, 3, "other", F16, 2, dim);
	message(block, 3, &other);
}

/* Blocks in operations in blocks. */
static void put_deep(struct jbuf *block)
{
	struct jbuf inner = { 0 };

	for (int i = 0; i < 2000; i++) {
		struct jbuf op = { 0 }, outer = { 0 };

		text(&op, 1, "cond");
		message(&op, 4, &inner);
		message(&outer, 3, &op);
		inner = outer;
	}
	jbuf_raw(block, inner.p, inner.n); /* its operations are this block's */
	jbuf_release(&inner);
}

static struct jbuf function(void)
{
	struct jbuf f = { 0 }, block = { 0 };
	char name[32];

	named(&f, 1, "x", F16, 2, (uint64_t[]){ 1, transposed ? rows : cols });
	snprintf(name, sizeof name, "CoreML%" PRIu64, opset);
	text(&f, 2, name);
	for (uint64_t i = 0; i < layers && !wrong(); i++)
		put_layer(&block, i);
	if (wrong())
		put_wrong(&block);
	if (is("nesting"))
		put_deep(&block);
	snprintf(name, sizeof name, wrong() ? "wrong" : "y%" PRIu64, layers - 1);
	text(&block, 2, name);
	snprintf(name, sizeof name, "CoreML%" PRIu64, opset);
	entry(&f, 3, name, &block);
	return f;
}

/* Bytes at the end that break the wire's rules. */
static void put_end(struct jbuf *b)
{
	static const uint8_t length[] = { 0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f };
	static const uint8_t varint[] = { 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 };
	static const uint8_t group[] = { 0x1b, 0x1c }, wire[] = { 0x0f };

	if (is("length"))
		jbuf_raw(b, (const char *)length, sizeof length);
	if (is("varint"))
		jbuf_raw(b, (const char *)varint, sizeof varint);
	if (is("group"))
		jbuf_raw(b, (const char *)group, sizeof group);
	if (is("wire"))
		jbuf_raw(b, (const char *)wire, sizeof wire);
}

static struct jbuf model(void)
{
	struct jbuf m = { 0 }, program = { 0 };

	number(&m, 1, opset + 1);
	number(&program, 1, 1);
	for (uint64_t i = 0; i < functions; i++) {
		struct jbuf f = function();
		char name[32];

		snprintf(name, sizeof name, i ? "other%" PRIu64 : "main", i);
		entry(&program, 2, name, &f);
	}
	if (!is("empty"))
		message(&m, is("kind") ? 500 : 502, &program);
	jbuf_release(&program);
	put_end(&m);
	return m;
}

/* ---- files ---- */

static uint32_t state = 1;
static float next(void) /* a bell around 0, no number twice as likely as another for long */
{
	int sum = 0;

	for (int i = 0; i < 4; i++) {
		state = state * 1664525u + 1013904223u;
		sum += (int)(state >> 20) - 2048;
	}
	return (float)sum / 65536.0f;
}

static void put64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void write_at(int fd, uint64_t at, const void *p, size_t n)
{
	if (pwrite(fd, p, n, (off_t)at) != (ssize_t)n)
		die("weight.bin");
}

/* Type and size of the numbers of a blob. */
static uint64_t blob_type(uint64_t layer, uint64_t *size)
{
	const struct wrong *w = wrong();

	*size = rows * cols * 2;
	if (!w)
		return is("type") ? 2 : 1;
	*size = layer == 0 ? rows * cols * w->bits / 8 : layer == 1 ? (w->scales ? w->scales : rows) * 2 : w->scales;
	return layer == 1 ? 1 : w->code;
}

static void write_layer(int fd, uint64_t layer)
{
	uint64_t size, type = blob_type(layer, &size);
	uint64_t at = HEAD + layer * room(rows * cols * 2);
	uint8_t head[HEAD] = { 0 };
	float *x = malloc(cols * sizeof *x);
	uint16_t *code = malloc(cols * sizeof *code);

	put64(head, (is("sentinel") ? 0xDEADBEEEull : 0xDEADBEEFull) | type << 32);
	put64(head + 8, size + (is("size") ? 2 : 0));
	put64(head + 16, is("offset") ? 1ull << 62 : at + HEAD);
	write_at(fd, at, head, HEAD);
	for (uint64_t r = 0; !sparse && r < rows; r++) {
		void *plane[1] = { code };

		for (uint64_t i = 0; i < cols; i++)
			x[i] = next();
		quant_encoder(quant_find("f16"))(x, plane, (size_t)cols, NULL);
		if (is("nan") && layer == 0 && r == rows / 2)
			code[cols / 2] = 0x7e00;
		write_at(fd, at + HEAD + r * cols * 2, code, (size_t)cols * 2);
	}
	free(x);
	free(code);
}

static void write_weights(const char *dir)
{
	uint64_t size = HEAD + layers * room(rows * cols * 2);
	uint8_t head[HEAD] = { 0 };
	char path[4096];
	int fd;

	snprintf(path, sizeof path, "%s/Data/com.apple.CoreML/weights/weight.bin", dir);
	if ((fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644)) < 0)
		die(path);
	put64(head, layers | 2ull << 32);
	write_at(fd, 0, head, HEAD);
	for (uint64_t i = 0; i < layers; i++)
		write_layer(fd, i);
	if (ftruncate(fd, (off_t)(is("short") ? size / 2 : size)) || close(fd))
		die(path);
}

static void write_text(const char *dir, const char *name, const char *p, size_t n)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	if (!(f = fopen(path, "wb")) || fwrite(p, 1, n, f) != n || fclose(f))
		die(path);
}

static void make_folders(const char *dir)
{
	static const char *const names[] = { "", "/Data", "/Data/com.apple.CoreML", "/Data/com.apple.CoreML/weights" };
	char path[4096];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s%s", dir, names[i]);
		if (mkdir(path, 0755) && errno != EEXIST)
			die(path);
	}
}

static const char manifest[] =
	"{\n    \"fileFormatVersion\": \"1.0.0\",\n    \"itemInfoEntries\": {\n"
	"        \"00000000-0000-0000-0000-000000000001\": {\"author\": \"com.apple.CoreML\", \"description\": \"CoreML Model Specification\", "
	"\"name\": \"model.mlmodel\", \"path\": \"com.apple.CoreML/model.mlmodel\"},\n"
	"        \"00000000-0000-0000-0000-000000000002\": {\"author\": \"com.apple.CoreML\", \"description\": \"CoreML Model Weights\", "
	"\"name\": \"weights\", \"path\": \"com.apple.CoreML/weights\"}\n    },\n"
	"    \"rootModelIdentifier\": \"00000000-0000-0000-0000-000000000001\"\n}\n";

static void take(const char *arg)
{
	const struct {
		const char *name;
		uint64_t *n;
	} numbers[] = { { "rows=", &rows }, { "cols=", &cols }, { "layers=", &layers }, { "opset=", &opset }, { "functions=", &functions } };

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (!strncmp(arg, numbers[i].name, strlen(numbers[i].name)))
			*numbers[i].n = strtoull(arg + strlen(numbers[i].name), NULL, 10);
	transposed |= !strcmp(arg, "transposed=1");
	sparse |= !strcmp(arg, "sparse=1");
	if (!strncmp(arg, "damage=", 7))
		damage = arg + 7;
}

int main(int argc, char **argv)
{
	struct jbuf program;

	if (argc == 2 && !strcmp(argv[1], "--damages")) {
		for (size_t i = 0; i < sizeof damages / sizeof *damages; i++)
			puts(damages[i]);
		return 0;
	}
	if (argc < 2)
		return 2;
	for (int i = 2; i < argc; i++)
		take(argv[i]);
	layers = wrong() ? 3 : layers;
	make_folders(argv[1]);
	program = model();
	write_text(argv[1], "Data/com.apple.CoreML/model.mlmodel", program.p, program.n);
	jbuf_release(&program);
	write_text(argv[1], "Manifest.json", manifest, sizeof manifest - 1);
	write_weights(argv[1]);
	return 0;
}
