/*
 * target.c - the table of targets, and of what people ask for that is none.
 */
#include "target.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#define TARGET(name) extern const struct target target_##name;
#include "list.h"
#undef TARGET

static const struct target *const targets[] = {
#define TARGET(name) &target_##name,
#include "list.h"
#undef TARGET
};

static const struct target *target_at(size_t i)
{
	return i < sizeof targets / sizeof *targets ? targets[i] : NULL;
}

const struct target *target_find(const char *name)
{
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		if (!name || !strcasecmp(name, targets[i]->name))
			return targets[i];
	return NULL;
}

#define DATA "needs scales of what passes through the model, which are measured with data; without data there is --to "
#define SAME "would have the same weights and 16-bit numbers made small while the model runs; with those as they are it is --to "
#define LEFT "is read by few runtimes, and fewer every year; many read --to "

const char *heft_target_instead(const char *name)
{
	static const struct { const char *pattern, *text; } rows[] = {
		{ "nvfp4", DATA "nvfp4a16" },
		{ "nvfp4a4", DATA "nvfp4a16" },
		{ "fp8-static", DATA "fp8-dynamic" },
		{ "fp8-tensor", DATA "fp8-dynamic" },
		{ "w8a8-static", DATA "w8a8" },
		{ "smoothquant", DATA "w8a8" },
		{ "modelopt-fp8", DATA "modelopt-fp8-channel" },
		{ "modelopt-*awq", DATA "modelopt-nvfp4" },
		{ "exl[23]", DATA "w4a16" },
		{ "mxfp4a[48]", SAME "mxfp4a16" },
		{ "mxfp8", SAME "mxfp8a16" },
		{ "mxfp8a8", SAME "mxfp8a16" },
		{ "w4a8", SAME "w4a16" },
		{ "w4afp8", SAME "w4a16" },
		{ "mxfp6*", LEFT "mxfp8a16 and mxfp4a16" },
		{ "w[23567]a16*", LEFT "w4a16 and w8a16" },
		{ "gptq-[23567]bit", LEFT "gptq, gptq-8bit and w4a16" },
		{ "gptq-asym", LEFT "w4a16-asym and awq" },
		{ "gptq*v2", LEFT "gptq" },
		{ "awq-8bit", LEFT "w8a16 and gptq-8bit" },
		{ "awq-gem*", LEFT "awq" },
		{ "awq-marlin", LEFT "awq" },
		{ "hqq", LEFT "w4a16-asym" },
		{ "torchao", LEFT "fp8-dynamic and w4a16" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!fnmatch(rows[i].pattern, name, 0))
			return rows[i].text;
	return NULL;
}

uint32_t heft_group_size(const char *name)
{
	static const struct { const char *name; uint32_t columns; } rows[] = { { "32", 32 }, { "64", 64 }, { "128", 128 }, { "channel", SCHEME_ALL } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!strcasecmp(name, rows[i].name))
			return rows[i].columns;
	return 0;
}

const char *heft_target_at(size_t i)
{
	return target_at(i) ? target_at(i)->name : i == sizeof targets / sizeof *targets ? "coreml" : NULL; /* packages have a plan of their own */
}

const char *heft_target_type_at(const char *target, size_t i)
{
	const struct target *t = target_find(target);

	return t && t->type_at ? t->type_at(i) : NULL;
}
