/*
 * archive_name.c - names in an archive: plain relative paths, spelled one way. Refuses those that a careless program would write outside of
 * its folder: absolute ones, "..", control bytes, drive letters.
 */
#include "archive_members.h"

#include <string.h>

static bool plain_part(const char *s, size_t n)
{
	if (n == 2 && s[0] == '.' && s[1] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return true;
}

char *member_name(const char *name, struct arena *a)
{
	char *out, *to;
	size_t n;

	if (name[0] == '/' || name[0] == '\\' || (name[0] && name[1] == ':'))
		return NULL;
	to = out = arena_alloc(a, strlen(name) + 2);
	for (; *name; name += n + (name[n] == '/')) {
		n = strcspn(name, "/");
		if (!plain_part(name, n))
			return NULL;
		if (!n || (n == 1 && name[0] == '.'))
			continue;
		if (to > out)
			*to++ = '/';
		memcpy(to, name, n);
		to += n;
	}
	*to = 0;
	return out;
}

/* "a/b/../c" -> "a/c"; NULL where it leads out. */
char *member_link(const char *from, const char *target, bool symbolic, struct arena *a)
{
	const char *slash = symbolic ? strrchr(from, '/') : NULL;
	char *out = arena_printf(a, "%.*s", slash ? (int)(slash - from) : 0, from);
	size_t n;

	if (target[0] == '/')
		return NULL;
	for (; *target; target += n + (target[n] == '/')) {
		n = strcspn(target, "/");
		if (n == 2 && !strncmp(target, "..", 2)) {
			char *cut = strrchr(out, '/');

			if (!*out)
				return NULL;
			*(cut ? cut : out) = 0;
		} else if (n && !(n == 1 && *target == '.')) {
			if (!plain_part(target, n))
				return NULL;
			out = arena_printf(a, "%s%s%.*s", out, *out ? "/" : "", (int)n, target);
		}
	}
	return out;
}

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), x = strlen(suffix);

	return n > x && !strcmp(s + n - x, suffix);
}

enum member_role member_role(const char *name)
{
	static const struct {
		const char *suffix;
		enum member_role role;
	} rows[] = {
		{ ".safetensors", ROLE_WEIGHTS }, { ".gguf", ROLE_WEIGHTS }, { ".npy", ROLE_WEIGHTS },
		{ ".bin", ROLE_WEIGHTS }, { ".pt", ROLE_WEIGHTS }, { ".pth", ROLE_WEIGHTS }, { ".ckpt", ROLE_WEIGHTS },
		{ ".json", ROLE_SMALL }, { ".model", ROLE_SMALL }, { ".txt", ROLE_SMALL }, { ".jinja", ROLE_SMALL },
		{ ".md", ROLE_SMALL }, { ".py", ROLE_SMALL }, { ".yaml", ROLE_SMALL }, { ".yml", ROLE_SMALL }, { ".tiktoken", ROLE_SMALL },
		{ ".tar", ROLE_NESTED }, { ".zip", ROLE_NESTED }, { ".tgz", ROLE_NESTED }, { ".gz", ROLE_NESTED },
		{ ".zst", ROLE_NESTED }, { ".xz", ROLE_NESTED }, { ".7z", ROLE_NESTED }, { ".nemo", ROLE_NESTED },
		{ ".npz", ROLE_NESTED },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (has_suffix(name, rows[i].suffix))
			return rows[i].role;
	return ROLE_OTHER;
}
