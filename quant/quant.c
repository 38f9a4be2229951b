/*
 * quant.c - the table of encodings, the table of kernels, and the choice between them. Knows no encoding by name.
 */
#include "quant.h"
#include "heft.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

_Static_assert(QUANT_MAX_PLANES == HEFT_MAX_PLANES, "one bound, told in two headers");

#define ENCODING(name) extern const struct heft_encoding quant_##name;
#include "list.h"
#undef ENCODING
static const struct heft_encoding *const encodings[] = {
#define ENCODING(name) &quant_##name,
#include "list.h"
#undef ENCODING
};

#define KERNEL(name) extern const struct quant_kernel kernel_##name;
#include "kernels.h"
#undef KERNEL
static const struct quant_kernel *const kernels[] = {
#define KERNEL(name) &kernel_##name,
#include "kernels.h"
#undef KERNEL
	NULL, /* a machine without kernels still has a table */
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

const struct heft_encoding *quant_at(size_t i)
{
	return i < COUNT(encodings) ? encodings[i] : NULL;
}

const struct heft_encoding *quant_find(const char *name)
{
	for (size_t i = 0; i < COUNT(encodings); i++)
		if (!strcasecmp(encodings[i]->name, name))
			return encodings[i];
	return NULL;
}

bool quant_plane_size(const struct heft_encoding *e, int p, uint64_t rows, uint64_t cols, uint64_t *out)
{
	const struct quant_plane *g = &e->plane[p];
	uint64_t units;
	if (cols % e->block)
		return false;
	rows = rows / g->rows + (rows % g->rows != 0);
	cols = cols / g->cols + (cols % g->cols != 0);
	return !__builtin_mul_overflow(rows, cols, &units) && !__builtin_mul_overflow(units, (uint64_t)g->bytes, out);
}

/* ---- instruction sets ------------------------------------------------------------------------------------------ */

static const char *const isa_names[] = {
	[QUANT_SCALAR] = "scalar",
	[QUANT_NEON] = "neon",
	[QUANT_AVX2] = "avx2",
	[QUANT_AVX512] = "avx512",
};
enum { NO_LIMIT = COUNT(isa_names), UNKNOWN_WORD };

const char *quant_isa_name(enum quant_isa isa)
{
	return isa_names[isa];
}

#if defined(__x86_64__)
/* Not a word that every compiler's __builtin_cpu_supports() knows. */
static bool has_f16c(void)
{
	unsigned a, b, c, d;
	return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

static bool ask_processor(enum quant_isa isa)
{
	switch (isa) {
	case QUANT_SCALAR:
		return true;
#if defined(__x86_64__) /* the compiler's run time asks the processor and the operating system (XGETBV) */
	case QUANT_AVX2:
		return __builtin_cpu_supports("avx2") && has_f16c();
	case QUANT_AVX512:
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
		       __builtin_cpu_supports("avx2") && has_f16c();
#endif
#if defined(__aarch64__)
	case QUANT_NEON:
		return true;
#endif
	default:
		return false;
	}
}

/* Asked once: under a hypervisor CPUID costs as much as encoding a kilobyte. Bit 2*isa: asked, the next one: usable. */
bool quant_isa_usable(enum quant_isa isa)
{
	static atomic_uint answers;
	unsigned bit = 1u << (2 * isa), known = atomic_load_explicit(&answers, memory_order_relaxed);

	if (!(known & bit)) {
		known = bit | (ask_processor(isa) ? bit << 1 : 0);
		atomic_fetch_or_explicit(&answers, known, memory_order_relaxed);
	}
	return known & bit << 1;
}

static int read_limit(void)
{
	const char *word = getenv("HEFT_CPU");
	if (!word || !*word)
		return NO_LIMIT;
	for (size_t i = 0; i < COUNT(isa_names); i++)
		if (!strcmp(word, isa_names[i]))
			return (int)i;
	return UNKNOWN_WORD;
}

/* Read once: two threads of one run must not see different answers. */
static int limit(void)
{
	static atomic_int known = -1;
	int l = atomic_load_explicit(&known, memory_order_relaxed);
	if (l < 0) {
		l = read_limit();
		atomic_store_explicit(&known, l, memory_order_relaxed);
	}
	return l;
}

bool quant_isa_allowed(enum quant_isa isa)
{
	return (int)isa <= limit() && quant_isa_usable(isa);
}

bool quant_limit_known(void)
{
	return limit() != UNKNOWN_WORD;
}

/* ---- choice ---------------------------------------------------------------------------------------------------- */

const struct quant_kernel *quant_kernel_at(size_t i)
{
	return i < COUNT(kernels) ? kernels[i] : NULL;
}

static bool allowed(const struct quant_kernel *k, const struct heft_encoding *e)
{
	return !strcmp(k->encoding, e->name) && quant_isa_allowed(k->isa);
}

quant_decode_fn *quant_decoder(const struct heft_encoding *e)
{
	quant_decode_fn *best = e->decode;
	for (size_t i = 0; kernels[i]; i++)
		if (kernels[i]->decode && allowed(kernels[i], e))
			best = kernels[i]->decode;
	return best;
}

quant_encode_fn *quant_encoder(const struct heft_encoding *e)
{
	quant_encode_fn *best = e->encode;
	for (size_t i = 0; kernels[i]; i++)
		if (kernels[i]->encode && allowed(kernels[i], e))
			best = kernels[i]->encode;
	return best;
}

quant_refine_fn *quant_refiner(const struct heft_encoding *e)
{
	quant_refine_fn *best = e->refine;
	for (size_t i = 0; kernels[i]; i++)
		if (kernels[i]->refine && allowed(kernels[i], e))
			best = kernels[i]->refine;
	return best;
}

/* ---- the public names ------------------------------------------------------------------------------------------ */

const struct heft_encoding *heft_encoding_at(size_t i)
{
	return quant_at(i);
}

const struct heft_encoding *heft_encoding_find(const char *name)
{
	return quant_find(name);
}

const char *heft_encoding_name(const struct heft_encoding *e)
{
	return e->name;
}

const char *heft_encoding_about(const struct heft_encoding *e)
{
	return e->about;
}

double heft_encoding_bits(const struct heft_encoding *e)
{
	double bits = 0;
	for (int p = 0; p < e->n_planes; p++)
		bits += 8.0 * e->plane[p].bytes / ((double)e->plane[p].rows * e->plane[p].cols);
	return bits;
}

uint32_t heft_encoding_block(const struct heft_encoding *e)
{
	return e->block;
}

bool heft_encoding_lossy(const struct heft_encoding *e)
{
	return e->class == QUANT_BLOCK;
}

bool heft_encoding_can_encode(const struct heft_encoding *e)
{
	return e->encode && !e->not_for_weights;
}
