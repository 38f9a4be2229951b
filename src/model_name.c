/*
 * model_name.c - paths and what they tell a person about a model.
 */
#include "model.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool path_is_of(const char *path, const char *name)
{
	const char *base = path_base(path);
	size_t n = strlen(name);

	return !strncmp(base, name, n) && (!base[n] || !strcmp(base + n, PACKED_SUFFIX));
}

/* A name's length without the ending of a packed file. */
static size_t unpacked_length(const char *name)
{
	size_t n = strlen(name), x = strlen(PACKED_SUFFIX);

	return n > x && !strcmp(name + n - x, PACKED_SUFFIX) ? n - x : n;
}

char *path_join(struct arena *a, const char *dir, const char *name)
{
	size_t n = strlen(dir);

	return arena_printf(a, "%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name);
}

char *path_dir(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return arena_strdup(a, ".");
	return arena_memdup(a, path, slash == path ? 1 : (size_t)(slash - path));
}

static bool five_digits(const char *s, unsigned *v)
{
	*v = 0;
	for (int i = 0; i < 5; i++) {
		if (!isdigit((unsigned char)s[i]))
			return false;
		*v = 10 * *v + (unsigned)(s[i] - '0');
	}
	return true;
}

bool part_name_parse(const char *name, struct part_name *out)
{
	static const char *const extensions[] = { ".safetensors", ".gguf", ".bin" };
	enum { TAIL = sizeof "-00001-of-00002" - 1 };
	size_t n = unpacked_length(name);

	for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
		size_t x = strlen(extensions[i]);
		struct part_name p = { .extension = extensions[i] };
		const char *tail;

		if (n <= x + TAIL || strncmp(name + n - x, extensions[i], x))
			continue;
		tail = name + n - x - TAIL;
		p.prefix = (int)(tail - name);
		if (tail[0] != '-' || !five_digits(tail + 1, &p.no) || strncmp(tail + 6, "-of-", 4) ||
		    !five_digits(tail + 10, &p.count) || p.no < 1 || p.no > p.count)
			return false;
		*out = p;
		return true;
	}
	return false;
}

/* models--ORG--NAME/snapshots/REVISION -> NAME; NULL where the path is none. */
static const char *hub_name(const char *path, struct arena *a)
{
	const char *hub = strstr(path, "/models--"), *end, *org;
	char *name;

	while (hub && strstr(hub + 1, "/models--"))
		hub = strstr(hub + 1, "/models--");
	if (!hub)
		return NULL;
	hub += strlen("/models--");
	end = strchr(hub, '/');
	name = arena_memdup(a, hub, end ? (size_t)(end - hub) : strlen(hub));
	org = strstr(name, "--");
	return org ? org + 2 : name;
}

/* The file's name without extension and part number; NULL where it says nothing ("model"). */
static const char *stem_of(const char *path, struct arena *a)
{
	static const char *const empty[] = { "model", "consolidated", "pytorch_model", "diffusion_pytorch_model", "-" };
	const char *base = arena_memdup(a, path_base(path), unpacked_length(path_base(path))), *dot = strrchr(base, '.');
	struct part_name part;
	char *stem;

	if (part_name_parse(base, &part))
		stem = arena_memdup(a, base, (size_t)part.prefix);
	else
		stem = arena_memdup(a, base, dot && dot > base ? (size_t)(dot - base) : strlen(base));
	for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
		if (!strcmp(stem, empty[i]))
			return NULL;
	return stem;
}

const char *model_name_of(const char *dir, const char *single, struct arena *a)
{
	const char *name = single ? stem_of(single, a) : NULL;
	char real[PATH_MAX];

	if (name)
		return name;
	if (!dir && single && strcmp(single, "-"))
		dir = path_dir(a, single);
	if (!dir || !realpath(dir, real))
		return "model";
	name = hub_name(real, a);
	if (!name)
		name = arena_strdup(a, path_base(real));
	return *name ? name : "model";
}
