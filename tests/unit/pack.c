/* pack.c - planes of tiles there and back; a packed file read in pieces, and what is refused of a broken one. */
#include "base/pack.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/source.h"
#include "heft.h"
#include "tests/tap.h"

static uint32_t state = 1;

static uint8_t next_byte(void)
{
	state = state * 1664525 + 1013904223;
	return (uint8_t)(state >> 24);
}

static void test_planes(void)
{
	static const uint32_t widths[] = { 0, 1, 2, 4, 8 };
	static const size_t sizes[] = { 8, 16, 24, 4096, 65536 + 8 };

	for (size_t i = 0; i < 5; i++)
		for (size_t k = 0; k < 5; k++) {
			size_t n = sizes[k] - (widths[i] <= 1 && k == 2); /* an odd number of bytes, where there may be one */
			uint8_t *in = malloc(n), *planes = calloc(n + 8, 1), *out = malloc(n);

			for (size_t b = 0; b < n; b++)
				in[b] = next_byte();
			pack_split(widths[i], planes, in, n);
			pack_join(widths[i], out, planes, n);
			ok(!memcmp(in, out, n), "width %u: %zu bytes return", widths[i], n);
			free(in);
			free(planes);
			free(out);
		}
}

static void test_layout(void)
{
	const uint16_t bf16[] = { 0x3f80, 0xbf81 }; /* 1, -1.0078125: exponent 127 */
	const uint8_t fp8[] = { 0x38, 0xbd };       /* E4M3 1, -1.625 */
	uint8_t planes[4];

	pack_split(2, planes, (const uint8_t *)bf16, 4);
	ok(planes[0] == 127 && planes[1] == 127, "BF16: plane 0 is the exponents");
	ok(planes[2] == 0 && planes[3] == 3, "BF16: plane 1 is mantissa and sign");
	pack_split(1, planes, fp8, 2);
	ok(planes[0] == 0x77 && planes[1] == 0x0b, "FP8: plane 0 is two exponents, plane 1 what is left");
	ok(!pack_planes(3) && !pack_planes(16), "there are no other widths");
}

/* ---- a file ---- */

static char dir[] = "/tmp/heft-pack-XXXXXX";
static char plain[64], packed[64], broken[64];

static uint8_t *slurp(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p;

	fseek(f, 0, SEEK_END);
	*n = (size_t)ftell(f);
	rewind(f);
	p = malloc(*n);
	*n = fread(p, 1, *n, f);
	fclose(f);
	return p;
}

static void spill(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "wb");

	fwrite(p, 1, n, f);
	fclose(f);
}

/* BF16 of more than two tiles, an odd number of FP8 bytes, integers. */
static void write_model(void)
{
	static const char head[] = "{\"w\":{\"dtype\":\"BF16\",\"shape\":[600000],\"data_offsets\":[0,1200000]},"
				   "\"f\":{\"dtype\":\"F8_E4M3\",\"shape\":[4097],\"data_offsets\":[1200000,1204097]},"
				   "\"i\":{\"dtype\":\"I8\",\"shape\":[999],\"data_offsets\":[1204097,1205096]}}";
	uint64_t n = sizeof head - 1;
	size_t size = 8 + n + 1205096;
	uint8_t *p = malloc(size);

	memcpy(p, &n, 8);
	memcpy(p + 8, head, n);
	for (size_t i = 8 + n; i < size; i++)
		p[i] = i % 2 ? 0x3c : next_byte();
	spill(plain, p, size);
	free(p);
}

static bool reads_as(struct source *s, const uint8_t *want, size_t n)
{
	uint8_t *buf = malloc(n);
	struct heft_err err;
	bool same = source_size(s) == n && !source_read(s, 0, buf, n, &err) && !memcmp(buf, want, n);

	for (size_t at = n, some; same && at > 0; at -= some) { /* backwards, in pieces that cut tiles and segments */
		some = at < 77777 ? at : 77777;
		same = !source_read(s, at - some, buf, some, &err) && !memcmp(buf, want + at - some, some);
	}
	free(buf);
	return same;
}

static void test_file(void)
{
	struct heft_pack_options o = { .threads = 2 };
	struct heft_pack_summary sum;
	struct heft_err err;
	size_t n;
	uint8_t *want = slurp(plain, &n), beyond;
	struct source *s;

	ok(!heft_pack(plain, &o, &sum, &err) && !strcmp(sum.output, packed), "packs");
	ok(sum.bytes == n && sum.packed_bytes < n, "it is smaller");
	free(sum.output);
	s = source_unpacked(source_open(packed, &err), &err);
	ok(s && source_is_packed(s), "it is known as packed");
	ok(s && reads_as(s, want, n), "reads as the file, in any order");
	ok(s && source_read_some(s, n, &beyond, 1, &err) == 0, "and ends where it ends");
	source_close(s);
	ok(heft_pack(packed, &o, &sum, &err) && err.code == HEFT_E_OPTION, "what is packed is not packed again");
	ok(heft_unpack(plain, &o, &sum, &err) && err.code == HEFT_E_MAGIC, "what is not packed is not unpacked");
	ok(heft_pack(plain, &o, &sum, &err) && err.code == HEFT_E_EXISTS, "an output that is there stays");
	o.output = broken;
	o.force = true;
	o.threads = 1;
	ok(!heft_pack(plain, &o, &sum, &err), "one thread packs, too");
	free(sum.output);
	free(want);
}

static void test_same_bytes(void)
{
	size_t n, m;
	uint8_t *a = slurp(packed, &n), *b = slurp(broken, &m);

	ok(n == m && !memcmp(a, b, n), "to the same bytes");
	free(a);
	free(b);
}

/* Opens and reads it all: the code of what is wrong. */
static enum heft_code fault(void)
{
	struct heft_err err = { 0 };
	struct source *s = source_unpacked(source_open(broken, &err), &err);
	uint8_t *buf = s ? malloc(source_size(s) + 1) : NULL;
	int rc = s ? source_read(s, 0, buf, source_size(s), &err) : -1;

	free(buf);
	source_close(s);
	return rc ? err.code : HEFT_OK;
}

static void test_broken(void)
{
	size_t n, wrong = 0, tried = 0;
	uint8_t *p = slurp(packed, &n);

	for (size_t cut = n - 1; cut > 64; cut = cut * 2 / 3) {
		spill(broken, p, cut);
		wrong += fault() == HEFT_OK;
		tried++;
	}
	ok(tried > 10 && !wrong, "cut off anywhere it is refused");
	p[n / 2] ^= 1;
	spill(broken, p, n);
	ok(fault() == HEFT_E_CHECKSUM, "a changed bit in a frame is noticed");
	p[n / 2] ^= 1;
	p[16] = 2;
	spill(broken, p, n);
	ok(fault() == HEFT_E_VERSION, "a later version is told");
	p[16] = 1;
	p[31] ^= 0x40; /* the size's highest byte */
	spill(broken, p, n);
	ok(fault() == HEFT_E_HEADER, "segments that do not fill the size are refused");
	p[31] ^= 0x40;
	p[40] ^= 3; /* the first segment's width */
	spill(broken, p, n);
	ok(fault() == HEFT_E_HEADER, "a width that is none is refused");
	p[40] ^= 3;
	p[n - 9 - 8] ^= 1; /* a packed size in the seek table */
	p[n - 9 - 16] ^= 1;
	spill(broken, p, n);
	ok(fault() != HEFT_OK, "a seek table that does not fit is refused");
	free(p);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	snprintf(plain, sizeof plain, "%s/m.safetensors", dir);
	snprintf(packed, sizeof packed, "%s/m.safetensors.zst", dir);
	snprintf(broken, sizeof broken, "%s/broken", dir);
	test_planes();
	test_layout();
	write_model();
	test_file();
	test_same_bytes();
	test_broken();
	unlink(plain);
	unlink(packed);
	unlink(broken);
	rmdir(dir);
	return done();
}
