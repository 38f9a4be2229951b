/*
 * tokenizer_dump - prints what a tokenizer becomes, for the comparison with the reference.
 *
 *	tokenizer_dump DIR STRATEGY[,STRATEGY...] VOCAB_SIZE [OPTION=VALUE | pre=NAME]...   one JSON line per key
 *	tokenizer_dump ids ... as above: reads texts from standard input, each a JSON string on its line; prints ids
 */
#include "base/json.h"
#include "src/tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_number(struct jbuf *b, const struct heft_value *v, size_t i)
{
	switch (v->type) {
	case HEFT_F32:
		jbuf_printf(b, "%.9g", v->array ? (double)((const float *)v->data)[i] : v->f);
		break;
	case HEFT_I32:
		jbuf_printf(b, "%lld", v->array ? (long long)((const int32_t *)v->data)[i] : (long long)v->i);
		break;
	case HEFT_U8:
		jbuf_printf(b, "%u", ((const uint8_t *)v->data)[i]);
		break;
	case HEFT_BOOL:
		jbuf_printf(b, "%s", v->b ? "true" : "false");
		break;
	default:
		jbuf_printf(b, "%llu", (unsigned long long)v->u);
	}
}

static void put_value(struct jbuf *b, const struct heft_value *v, size_t i)
{
	if (v->type == HEFT_STRING) {
		struct heft_str s = v->array ? ((const struct heft_str *)v->data)[i] : v->s;
		jbuf_string(b, s.p, s.n);
	} else {
		put_number(b, v, i);
	}
}

static void print_kv(const struct heft_kv *kv)
{
	static const char *const name[] = { "UINT8", "INT8",   "UINT16", "INT16",  "UINT32", "INT32",  "FLOAT32",
					    "BOOL",  "STRING", "ARRAY",	 "UINT64", "INT64",  "FLOAT64" };
	struct jbuf b = { 0 };

	jbuf_printf(&b, "{\"key\":\"%s\",\"type\":\"%s\",\"array\":%s,\"value\":%s", kv->key, name[kv->value.type],
		    kv->value.array ? "true" : "false", kv->value.array ? "[" : "");
	for (uint64_t i = 0; i < kv->value.count; i++) {
		if (i)
			jbuf_raw(&b, ",", 1);
		put_value(&b, &kv->value, i);
	}
	jbuf_printf(&b, "%s}\n", kv->value.array ? "]" : "");
	fwrite(b.p, 1, b.n, stdout);
	jbuf_release(&b);
}

static int print_ids(const struct tokenizer *t, struct heft_err *err)
{
	static char line[1 << 20];

	while (fgets(line, sizeof(line), stdin)) {
		struct json_doc *doc = json_parse(line, strlen(line), "stdin", false, err);
		struct heft_str s;
		int32_t *ids = NULL;
		int64_t n;
		if (!doc || !json_str(json_root(doc), &s))
			return -1;
		n = tokenizer_encode(t, s.p, s.n, &ids, err);
		json_free(doc);
		if (n < 0)
			printf("error %s\n", err->text);
		for (int64_t i = 0; i < n; i++)
			printf("%s%d", i ? " " : "", ids[i]);
		if (n >= 0)
			printf("\n");
		free(ids);
	}
	return 0;
}

int main(int argc, char **argv)
{
	bool ids = argc > 1 && !strcmp(argv[1], "ids");
	char **arg = argv + 1 + ids;
	const char *option[33] = { NULL };
	struct tokenizer_options o = { .option = option };
	struct heft_err err = { 0 };
	struct json_doc *config;
	struct tokenizer *t = NULL;
	struct arena *a = arena_new();
	struct heft_kv *kv;
	size_t n = 0;
	int rc = -1;

	if (argc < 4 + ids)
		return 2;
	for (char **p = arg + 3; *p && n < 32; p++) {
		char *eq = strchr(*p, '=');
		if (!eq)
			return 2;
		*eq = 0;
		if (!strcmp(*p, "pre")) {
			o.pre = eq + 1;
			continue;
		}
		option[n++] = *p;
		option[n++] = eq + 1;
	}
	o.vocab_size = atoll(arg[2]);
	config = json_read_file(arena_printf(a, "%s/config.json", arg[0]), 1 << 24, &err);
	o.config = json_root(config);
	for (char *s = strtok(arg[1], ","); s; s = strtok(NULL, ","))
		if (tokenizer_has(arg[0], s)) {
			o.strategy = s;
			printf("# strategy %s\n", s);
			break;
		}
	if (!o.strategy)
		heft_fail(&err, HEFT_E_TOKENIZER, "no strategy fits");
	else
		rc = tokenizer_open(&t, arg[0], &o, &err);
	json_free(config);
	if (!rc && ids) {
		rc = print_ids(t, &err);
	} else if (!rc) {
		printf("# count %lld\n", (long long)tokenizer_count(t));
		rc = tokenizer_metadata(t, &kv, &n, a, &err);
		for (size_t i = 0; !rc && i < n; i++)
			print_kv(&kv[i]);
	}
	if (rc)
		printf("# error E%d %s\n", err.code, err.text);
	tokenizer_close(t);
	arena_free(a);
	return rc ? 1 : 0;
}
