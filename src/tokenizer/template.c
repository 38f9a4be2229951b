/*
 * template.c - chat templates: found, named, carried as bytes. They are never run. Order: tokenizer_config.json's
 * chat_template (a text, or a list of { name, template }), else chat_template.jinja with
 * additional_chat_templates/NAME.jinja, else chat_template.json.
 */
#include "internal.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEMPLATES 64

static struct heft_str keep(struct heft_str s, struct arena *a)
{
	return (struct heft_str){ arena_memdup(a, s.p, s.n), s.n };
}

/* A name as the reference allows it into a key: letters and digits, '_' for the rest (one for each character). */
static struct heft_str clean_name(struct heft_str s, struct arena *a)
{
	char *to = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
			to[n++] = c;
		else if ((c & 0xc0) != 0x80)
			to[n++] = '_';
	}
	return (struct heft_str){ to, n };
}

/* A later template of the same name takes the place of the earlier one. */
static void add(struct special *s, struct heft_str name, struct heft_str text)
{
	for (size_t i = 0; i < s->n_chat; i++)
		if (s->chat[i].name.n == name.n && !memcmp(s->chat[i].name.p, name.p, name.n)) {
			s->chat[i].text = text;
			return;
		}
	if (s->n_chat < MAX_TEMPLATES)
		s->chat[s->n_chat++] = (struct chat_template){ name, text };
}

static void add_default(struct special *s, struct heft_str text)
{
	add(s, (struct heft_str){ "default", 7 }, text);
}

static void add_json(struct special *s, const struct json *value, struct arena *a)
{
	struct heft_str text, name;

	if (json_str(value, &text))
		add_default(s, keep(text, a));
	else if (json_kind(value) == JSON_ARRAY)
		for (const struct json *j = json_first(value); j; j = json_next(j))
			if (json_str(json_get(j, "name"), &name) && name.n && json_str(json_get(j, "template"), &text))
				add(s, clean_name(name, a), keep(text, a));
}

static int add_file(struct special *s, const char *dir, const char *file, struct heft_str name, struct arena *a,
		    struct heft_err *err)
{
	struct heft_str text;

	if (file_read(dir, file, CONFIG_FILE_LIMIT, &text, a, err))
		return -1;
	text_newlines(&text);
	add(s, name, text);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct chat_template *x = a, *y = b;

	return strcmp(x->name.p, y->name.p);
}

/* additional_chat_templates/NAME.jinja, in name order */
static int add_directory(struct special *s, const char *dir, struct arena *a, struct heft_err *err)
{
	char *path = arena_printf(a, "%s/additional_chat_templates", dir);
	DIR *d = opendir(path);
	struct dirent *e;
	size_t first = s->n_chat;
	int rc = 0;

	while (d && !rc && (e = readdir(d))) {
		size_t n = strlen(e->d_name);
		if (n > 6 && !strcmp(e->d_name + n - 6, ".jinja") && file_exists(path, e->d_name))
			rc = add_file(s, path, e->d_name, clean_name((struct heft_str){ e->d_name, n - 6 }, a), a, err);
	}
	if (d)
		closedir(d);
	if (s->n_chat > first)
		qsort(s->chat + first, s->n_chat - first, sizeof(*s->chat), by_name);
	return rc;
}

static int add_from_files(struct special *s, const char *dir, struct arena *a, struct heft_err *err)
{
	struct json_doc *doc = NULL;

	if (file_exists(dir, "chat_template.jinja")) {
		if (add_file(s, dir, "chat_template.jinja", (struct heft_str){ "default", 7 }, a, err))
			return -1;
		return add_directory(s, dir, a, err);
	}
	if (file_json(dir, "chat_template.json", CONFIG_FILE_LIMIT, &doc, err))
		return -1;
	if (doc)
		add_json(s, json_get(json_root(doc), "chat_template"), a);
	json_free(doc);
	return 0;
}

int template_read(struct special *s, const struct files *f, struct arena *a, struct heft_err *err)
{
	const struct json *own = json_get(json_root(f->tokenizer_config), "chat_template");

	s->chat = arena_array(a, MAX_TEMPLATES, sizeof(*s->chat));
	s->n_chat = 0;
	if (!own)
		return add_from_files(s, f->dir, a, err);
	add_json(s, own, a);
	return 0;
}

void template_only(struct special *s, struct heft_str text, struct arena *a)
{
	s->chat = arena_array(a, 1, sizeof(*s->chat));
	s->n_chat = 0;
	add_default(s, text);
}

struct heft_str tokenizer_chat_template(const char *dir, struct arena *a)
{
	struct files f = { .dir = dir };
	struct special s = { 0 };
	struct heft_str none = { NULL, 0 };

	if (file_json(dir, "tokenizer_config.json", CONFIG_FILE_LIMIT, &f.tokenizer_config, NULL) ||
	    template_read(&s, &f, a, NULL))
		s.n_chat = 0;
	json_free(f.tokenizer_config);
	for (size_t i = 0; i < s.n_chat; i++)
		if (str_is(s.chat[i].name, "default"))
			return s.chat[i].text;
	return s.n_chat ? s.chat[0].text : none;
}
