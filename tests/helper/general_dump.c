/*
 * general_dump.c - prints the general.* metadata of many checkpoints, one JSON object per line, for comparison with the
 * reference. Input on stdin, one checkpoint per line, fields separated by tabs ("-": none): directory, metadata file,
 * model name, weights
 * ("NAME:2x3x4,NAME:8").
 */
#include "src/target/target.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_WEIGHTS = 64 };

static void print_scalar(struct jbuf *b, const struct heft_value *v)
{
	switch (v->type) {
	case HEFT_STRING: jbuf_string(b, v->s.p, v->s.n); break;
	case HEFT_BOOL: jbuf_printf(b, "%s", v->b ? "true" : "false"); break;
	case HEFT_F32: jbuf_printf(b, "%.9g", (double)(float)v->f); break;
	case HEFT_I32: jbuf_printf(b, "%lld", (long long)v->i); break;
	default: jbuf_printf(b, "%llu", (unsigned long long)v->u);
	}
}

static void print_kv(struct jbuf *b, const struct heft_kv *kv)
{
	static const char *const names[] = { "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string" };
	const struct heft_value *v = &kv->value;
	jbuf_string(b, kv->key, strlen(kv->key));
	jbuf_printf(b, ":[\"%s%s\",", names[v->type], v->array ? "[]" : "");
	if (!v->array) {
		print_scalar(b, v);
	} else {
		for (uint64_t i = 0; i < v->count; i++) {
			const struct heft_str *s = (const struct heft_str *)v->data + i;
			jbuf_raw(b, i ? "," : "[", 1);
			jbuf_string(b, s->p, s->n);
		}
		jbuf_raw(b, "]", 1);
	}
	jbuf_raw(b, "]", 1);
}

static size_t parse_weights(char *s, struct weight *w)
{
	size_t n = 0;
	char *save, *inner;
	for (char *t = strtok_r(s, ",", &save); t && n < MAX_WEIGHTS; t = strtok_r(NULL, ",", &save), n++) {
		w[n] = (struct weight){ .name = strtok_r(t, ":", &inner) };
		for (char *d = strtok_r(NULL, "x", &inner); d; d = strtok_r(NULL, "x", &inner))
			w[n].shape.dim[w[n].shape.rank++] = strtoull(d, NULL, 10);
	}
	return n;
}

static char *field(char **line)
{
	char *s = strsep(line, "\t");
	return s && strcmp(s, "-") ? s : NULL;
}

static void dump(char *line)
{
	struct arena *a = arena_new();
	struct weight w[MAX_WEIGHTS];
	struct heft_err err;
	struct general_input in = { .arch = "llama", .weight = w };
	struct heft_kv *kv;
	size_t n;
	in.dir = in.model_path = field(&line);
	in.metadata_file = field(&line);
	in.model_name = field(&line);
	char *weights = field(&line);
	in.n_weights = weights ? parse_weights(weights, w) : 0;
	struct json_doc *config = json_read_file(arena_printf(a, "%s/config.json", in.dir), 1 << 20, NULL);
	in.config = json_root(config);
	struct jbuf b = { 0 };
	if (llamacpp_general(&in, &kv, &n, a, &err)) {
		jbuf_raw(&b, "{\"error\":", 9);
		jbuf_string(&b, err.text, strlen(err.text));
	} else {
		for (size_t i = 0; i < n; i++) {
			jbuf_raw(&b, i ? "," : "{", 1);
			print_kv(&b, &kv[i]);
		}
		const char *file = llamacpp_file_name(kv, n, in.dir, "Q4_K_M", a);
		jbuf_raw(&b, ",\"file\":", 8);
		jbuf_string(&b, file, strlen(file));
	}
	printf("%.*s}\n", (int)b.n, b.p);
	jbuf_release(&b);
	json_free(config);
	arena_free(a);
}

int main(void)
{
	static char line[1 << 16];
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		dump(line);
	}
	return 0;
}
