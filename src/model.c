/*
 * model.c - opens a checkpoint: its files become one list of tensors. Reads headers only.
 *
 * Owns the model. Refuses tensors that heft cannot use, names that stand for two tensors, parts that do not belong
 * together.
 */
#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../base/mount.h"
#include "../base/unpack.h"
#include "../formats/format.h"
#include "archive.h"
#include "coreml/coreml.h"
#include "kv.h"
#include "lora.h"
#include "ollama.h"
#include "packed.h"

#define DEFAULT_SPOOL ((uint64_t)256 << 20)
enum { HEAD = 4096, HEAD_PAD = 16 };

struct opening {
	struct heft_model *model;
	const struct heft_open_options *options;
	struct file_set set;
	const struct format *format;
	bool *shard_listed;      /* of the index */
	bool arrays;             /* of an .npz */
	size_t tensor_cap, file_cap;
	struct sink sink;
	struct heft_err *err;
};

uint64_t heft_tensor_count(const struct heft_tensor *t)
{
	uint64_t n = 1;

	for (int i = 0; i < t->rank; i++)
		n *= t->dim[i];
	return n;
}

const struct heft_value *heft_model_find(const struct heft_model *m, const char *key)
{
	for (size_t i = 0; i < m->n_kv; i++)
		if (!strcmp(m->kv[i].key, key))
			return &m->kv[i].value;
	return NULL;
}

struct source *model_extent(const struct heft_model *m, const struct heft_extent *x, uint64_t *begin)
{
	*begin = x->made ? 0 : x->offset;
	return x->made ? x->made : m->file[x->file].source;
}

bool model_speaks_gguf(const struct heft_model *m)
{
	return !strcmp(m->format, "gguf") || !strcmp(m->format, "llama2c");
}

struct source *model_stream(const struct heft_model *m)
{
	struct source *stream = NULL;
	uint64_t begin;

	for (size_t i = 0; i < m->n_files; i++) {
		struct source *s = source_stream_of(m->file[i].source, &begin);

		if (!s || (stream && s != stream))
			return NULL;
		stream = s;
	}
	return stream;
}

int heft_drain(struct heft_model *m, struct heft_err *err)
{
	struct source *stream = model_stream(m);

	return stream && source_drain(stream, err) < 0 ? -1 : 0;
}

void heft_close(struct heft_model *m)
{
	struct arena *a;

	if (!m)
		return;
	for (size_t i = 0; i < m->n_files; i++)
		source_close(m->file[i].source);
	archive_close(m->archive);
	if (m->adapter)
		lora_release(m->adapter);
	a = m->arena;
	arena_free(a);
}

/* ---- one file ---- */

/* A name's extension decides where the bytes say nothing, so that the message says what is wrong with such a file. */
static const struct format *format_by_extension(const char *path)
{
	const char *dot = strrchr(path_base(path), '.');
	const struct format *f;

	for (size_t i = 0; dot && (f = format_at(i)); i++)
		if (!strcmp(f->extension, dot))
			return f;
	return NULL;
}

static const struct format *recognise(struct source *src, struct heft_err *err)
{
	uint8_t head[HEAD + HEAD_PAD] = { 0 };
	const struct format *f;
	int64_t n = source_peek(src, head, HEAD, err);

	if (n < 0)
		return NULL;
	f = format_probe(head, (size_t)n);
	if (f)
		return f;
	if (model_impostor(source_name(src), head, (size_t)n, false, err))
		return NULL;
	f = format_by_extension(source_name(src));
	if (!f)
		heft_fail(err, HEFT_E_MAGIC, "%s: no known container begins with these bytes", source_name(src));
	return f;
}

/* Moves a file's tensors to those of the model. */
static void add_tensors(struct opening *o, struct format_listing *l, uint32_t file)
{
	struct heft_model *m = o->model;
	size_t need = m->n_tensors + l->n_tensors, all = o->set.index.n_entries; /* room for all at once, where an index counts them */

	m->tensor = arena_grow(m->arena, m->tensor, &o->tensor_cap, !m->tensor && all > need ? all : need, sizeof *m->tensor);
	for (size_t i = 0; i < l->n_tensors; i++) {
		struct heft_tensor *t = &m->tensor[m->n_tensors++];

		*t = l->tensor[i];
		for (int p = 0; p < HEFT_MAX_PLANES; p++)
			t->plane[p].file = file;
	}
	arena_drop(m->arena, l->tensor);
	l->tensor = NULL;
}

/* Lists a file and adds it to the model, which then owns the source. */
static int add_file(struct opening *o, struct source *src, const char *path, struct format_listing *l)
{
	struct heft_model *m = o->model;
	const struct format *f = recognise(src, o->err);

	*l = (struct format_listing){ .key = o->options->key };
	if (!f)
		return -1;
	if (o->format && f != o->format)
		return heft_fail(o->err, HEFT_E_INDEX_MISMATCH, "%s: is %s, but the files before it are %s", path,
				 f->name, o->format->name);
	if (f->list(l, src, m->arena, &o->sink, o->err))
		return -1;
	o->format = f;
	m->file = arena_grow(m->arena, m->file, &o->file_cap, m->n_files + 1, sizeof *m->file);
	m->file[m->n_files++] =
	    (struct heft_file){.path = path, .format = f->name, .size = source_size(src), .source = src};
	add_tensors(o, l, (uint32_t)(m->n_files - 1));
	return 0;
}

/* ---- the parts of one GGUF ---- */

static bool listed_uint(const struct format_listing *l, const char *key, uint64_t *out)
{
	for (size_t i = 0; i < l->n_kv; i++) {
		const struct heft_value *v = &l->kv[i].value;

		if (!strcmp(l->kv[i].key, key) && !v->array && v->type != HEFT_STRING && v->type != HEFT_F32 &&
		    v->type != HEFT_F64) {
			*out = v->u;
			return true;
		}
	}
	return false;
}

static int check_part(struct opening *o, const char *path, const struct format_listing *l)
{
	struct part_name name = { .no = 1, .count = 1 };
	uint64_t no = 0, count = 1;

	listed_uint(l, "split.no", &no);
	listed_uint(l, "split.count", &count);
	part_name_parse(path_base(path), &name);
	if (count > 1 && name.count == 1)
		return sink_tellf(&o->sink, HEFT_E_INDEX_MISMATCH, path, NULL,
				  "give the parts the names that they were published under",
				  "is part %" PRIu64 " of %" PRIu64 ", but not named like X-%05" PRIu64 "-of-%05" PRIu64
				  ".gguf: the other "
				  "parts cannot be found",
				  no + 1, count, no + 1, count);
	if (count != name.count || (count > 1 && no + 1 != name.no))
		return sink_tellf(&o->sink, HEFT_E_INDEX_MISMATCH, path, NULL,
				  "give the parts the names that they were published under",
				  "its header says part %" PRIu64 " of %" PRIu64 ", its name part %u of %u", no + 1,
				  count, name.no, name.count);
	return 0;
}

static int check_part_total(struct opening *o)
{
	const struct heft_value *v = heft_model_find(o->model, "split.tensors.count");
	uint64_t want = v && !v->array ? v->u : 0, have = o->model->n_tensors;

	if (!v || want == have || o->model->missing_shards)
		return 0;
	return sink_tellf(&o->sink, HEFT_E_INDEX_MISMATCH, o->model->path, NULL,
			  "download all parts again, from one revision",
			  "the parts hold %" PRIu64 " tensors together, their headers say %" PRIu64, have, want);
}

static void forget_split_keys(struct heft_model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_kv; i++)
		if (strncmp(m->kv[i].key, "split.", 6))
			m->kv[n++] = m->kv[i];
	m->n_kv = n;
}

/* ---- all files ---- */

static uint64_t spool_of(const struct opening *o)
{
	return o->options->spool ? o->options->spool : DEFAULT_SPOOL;
}

/* A compressed file is read as what is in it. Takes over src. */
static struct source *unpacked(struct opening *o, struct source *src)
{
	uint8_t head[16];
	int64_t n;

	if (src && source_is_packed(src))
		return src;
	src = source_seekable(src);
	n = src ? source_peek(src, head, sizeof head, o->err) : -1;

	if (n >= 0)
		return packing_of(head, (size_t)n) == PACKING_FILE ? archive_unpack(src, spool_of(o), o->err) : src;
	source_close(src);
	return NULL;
}

static int open_path(struct opening *o, const char *path)
{
	struct source *src = unpacked(o, source_unpacked(source_open(path, o->err), o->err));
	struct format_listing l;
	struct heft_model *m = o->model;

	if (!src)
		return -1;
	if (o->options->headers && !source_is_stream(src))
		source_open_ended(src);
	if (add_file(o, src, path, &l)) {
		source_close(src);
		return -1;
	}
	if (o->arrays)
		m->tensor[m->n_tensors - 1].name = archive_array_name(m->archive, path);
	if (m->n_files == 1) {
		m->kv = l.kv;
		m->n_kv = l.n_kv;
	}
	return !strcmp(o->format->name, "gguf") ? check_part(o, path, &l) : 0;
}

static void note_listed(struct opening *o, const char *path)
{
	for (size_t i = 0; i < o->set.index.n_shards; i++)
		if (path_is_of(path, o->set.index.shard[i]))
			o->shard_listed[i] = true;
}

/* One of several files that cannot be read is a finding, where findings are asked for; a lone one is the error. */
static int open_files(struct opening *o)
{
	struct file_set *set = &o->set;
	bool go_on = o->sink.fn && (set->n > 1 || set->indexed);

	for (size_t i = 0; i < set->n; i++) {
		if (!open_path(o, set->path[i])) {
			note_listed(o, set->path[i]);
			continue;
		}
		if (!go_on)
			return -1;
		model_tell_error(&o->sink, o->err, set->path[i]);
	}
	if (!o->model->n_files && !set->indexed && !o->model->missing_shards)
		return heft_fail(o->err, HEFT_E_OPEN, "%s: none of its files can be read", o->model->path);
	return 0;
}

static int open_stream(struct opening *o, struct source *src)
{
	uint64_t count = 1;
	struct format_listing l;

	src = unpacked(o, src);
	if (!src)
		return -1;
	o->set.single = "-";
	if (add_file(o, src, "-", &l)) {
		source_close(src);
		return -1;
	}
	o->model->kv = l.kv;
	o->model->n_kv = l.n_kv;
	if (listed_uint(&l, "split.count", &count) && count > 1)
		return heft_fail(o->err, HEFT_E_OPTION,
				 "-: is one of %" PRIu64 " parts; a stream must be a whole model", count);
	return 0;
}

/* ---- the model ---- */

static int compare_index(struct opening *o)
{
	struct heft_model *m = o->model;
	struct model_index *x = &o->set.index;

	m->index_total_size = x->total_size;
	for (size_t i = 0; i < m->n_tensors; i++) {
		struct heft_tensor *t = &m->tensor[i];
		bool again;

		if (index_see(x, t->name, m->file[t->plane[0].file].path, &again, &o->sink))
			return -1;
		if (again)
			t->enc = NULL;
	}
	return index_unseen(x, o->shard_listed, &o->sink);
}

static int warn_total_size(struct opening *o)
{
	struct heft_model *m = o->model;
	struct heft_problem p = { .code = HEFT_E_INDEX_MISMATCH, .warning = true, .file = o->set.index.path };
	uint64_t sum = 0;
	char text[160];

	for (size_t i = 0; i < m->n_tensors; i++)
		sum += m->tensor[i].plane[0].size;
	if (!m->index_total_size || m->index_total_size == sum || m->n_files < o->set.index.n_shards)
		return 0;
	snprintf(text, sizeof text, "total_size says %" PRIu64 " bytes, the tensors have %" PRIu64, m->index_total_size,
		 sum);
	p.text = text;
	return sink_tell(&o->sink, &p);
}

/* Within a file its reader has told of duplicates already, and left their encoding NULL. */
static int tell_duplicates(struct opening *o, struct map *names)
{
	struct heft_model *m = o->model;

	for (size_t i = 0; i < m->n_tensors; i++) {
		struct heft_tensor *t = &m->tensor[i];
		bool found;
		struct map_slot *slot = map_put(names, t->name, strlen(t->name), &found);
		const struct heft_tensor *other;

		if (!found) {
			slot->value.i = (int64_t)i;
			continue;
		}
		t->enc = NULL;
		other = &m->tensor[slot->value.i];
		if (other->plane[0].file != t->plane[0].file &&
		    sink_tellf(&o->sink, HEFT_E_DUPLICATE, m->file[t->plane[0].file].path, t->name, NULL,
			       "stands in %s too", path_base(m->file[other->plane[0].file].path)))
			return -1;
	}
	return 0;
}

/* Tensors that the sink was told of and that nothing can be done with. */
static void forget_unusable(struct heft_model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_tensors; i++)
		if (m->tensor[i].enc)
			m->tensor[n++] = m->tensor[i];
	m->n_tensors = n;
}

static int check_names(struct opening *o)
{
	struct map names;
	int rc;

	if (o->set.indexed)
		return compare_index(o) || warn_total_size(o) ? -1 : 0;
	if (o->model->n_files < 2)
		return 0;
	map_init(&names);
	rc = tell_duplicates(o, &names);
	map_release(&names);
	return rc;
}

static int join(struct opening *o)
{
	const char *params = o->set.params;

	if (params && o->set.mistral && mistral_config(o->model, params, o->err))
		return -1;
	if (params && !o->set.mistral && !o->model->missing_shards && meta_join(o->model, params, o->err))
		return -1;
	if (check_names(o) || check_part_total(o))
		return -1;
	forget_unusable(o->model);
	forget_split_keys(o->model);
	return 0;
}

static void name_model(struct opening *o)
{
	struct heft_model *m = o->model;
	const struct heft_value *name = heft_model_find(m, "general.name");

	m->format = o->format ? o->format->name : "safetensors";
	m->name = model_name_of(o->set.dir, o->set.single, m->arena);
	if (name && !name->array && name->type == HEFT_STRING && name->s.n)
		m->name = name->s.p;
	m->dir = o->options->config_dir ? arena_strdup(m->arena, o->options->config_dir) : o->set.dir;
}

static int read_header(struct source *src, struct heft_err *err)
{
	struct arena *a = arena_new();
	struct sink sink = { .err = err };
	struct format_listing l;
	const struct format *f = recognise(src, err);
	int rc = f ? f->list(&l, src, a, &sink, err) : -1;

	arena_free(a);
	return rc;
}

/* Where the path is an archive with a model in it, o->model->archive. Else *src is the stream, for standard input. */
static int open_archive(struct opening *o, struct source **src)
{
	struct heft_model *m = o->model;
	struct archive_options options = { spool_of(o), o->options->config_dir != NULL, read_header };
	bool stream = !strcmp(m->path, "-");
	int is;

	*src = NULL;
	if (!stream && path_kind(m->path) != PATH_FILE)
		return 0;
	*src = stream ? source_stream(STDIN_FILENO, "-", spool_of(o), o->err) : source_seekable(source_unpacked(source_open(m->path, o->err), o->err));
	if (!*src)
		return -1;
	is = source_is_packed(*src) ? 0 : archive_probe(*src, o->err);
	if (is > 0)
		return archive_open(&m->archive, *src, m->path, &options, o->err);
	if (is < 0 || !stream) {
		source_close(*src);
		*src = NULL;
	}
	return is;
}

static int open_set(struct opening *o, const char *path)
{
	struct heft_model *m = o->model;
	const char *const *arrays = archive_arrays(m->archive, &o->set.n);

	if (arrays) {
		o->arrays = true;
		o->set.path = (const char **)arrays;
		o->set.single = m->path;
		return open_files(o);
	}
	if (file_set_find(&o->set, path, o->options->mistral_format, &m->missing_shards, m->arena, &o->sink, o->err))
		return -1;
	o->shard_listed = arena_array(m->arena, o->set.index.n_shards + 1, sizeof *o->shard_listed);
	return open_files(o);
}

/* The GGUF of a store's model, and what the store says besides: what its own keys say, they say. */
static int open_ollama(struct opening *o, const struct ollama *store)
{
	struct heft_model *m = o->model;
	struct kv_list kv = { .arena = m->arena };

	if (open_set(o, store->model))
		return -1;
	kv_set_all(&kv, m->kv, m->n_kv);
	for (size_t i = 0; i < store->n_kv; i++)
		if (!kv_find(kv.v, kv.n, store->kv[i].key))
			kv_set(&kv, store->kv[i].key, store->kv[i].value);
	m->kv = kv.v;
	m->n_kv = kv.n;
	o->set.single = m->path;
	return 0;
}

/* Tensors of the modules beside the model, under the name of their folder: 2_Dense/linear.weight. */
static int open_modules(struct opening *o)
{
	struct heft_model *m = o->model;
	struct model_modules modules = { 0 };

	if (o->options->modules && m->dir && modules_find(&modules, m->dir, m->arena, o->err))
		return -1;
	for (size_t i = 0; i < modules.n; i++) {
		size_t first = m->n_tensors;

		if (open_path(o, modules.module[i].path))
			return -1;
		for (size_t k = first; k < m->n_tensors; k++)
			m->tensor[k].name = arena_printf(m->arena, "%s/%s", modules.module[i].folder, m->tensor[k].name);
	}
	return 0;
}

static int open_all(struct opening *o)
{
	struct heft_model *m = o->model;
	struct source *stream;
	struct ollama store;
	int rc;

	if (coreml_is_package(m->path))
		return coreml_open(m, &o->sink, o->err);
	rc = strcmp(m->path, "-") ? ollama_resolve(&store, m->path, m->arena, o->err) : 0;

	if (rc < 0 || (!rc && open_archive(o, &stream)))
		return -1;
	if (rc ? open_ollama(o, &store) : m->archive ? open_set(o, archive_dir(m->archive)) : stream ? open_stream(o, stream) : open_set(o, m->path)) {
		if (o->err->code == HEFT_E_SHARD_MISSING && archive_ended_early(m->archive))
			return heft_fail(o->err, HEFT_E_SPOOL,
					 "%s: further parts come behind more bytes of the first ones than --spool allows: raise --spool, or save the archive to a file first", m->path);
		return -1;
	}
	if (join(o))
		return -1;
	name_model(o);
	if (open_modules(o))
		return -1;
	return o->options->as_stored ? 0 : packed_join(m, &o->sink, o->err);
}

int heft_open(struct heft_model **out, const char *path, const struct heft_open_options *options, struct heft_err *err)
{
	static const struct heft_open_options defaults;
	struct heft_err ignored = { 0 };
	struct opening o = { .options = options ? options : &defaults, .err = err ? err : &ignored };
	struct arena *a = arena_new();
	int rc;

	o.sink = (struct sink){ .fn = o.options->problem, .ctx = o.options->ctx, .err = o.err };
	o.model = arena_alloc(a, sizeof *o.model);
	o.model->arena = a;
	o.model->path = arena_strdup(a, path);
	rc = open_all(&o);
	file_set_release(&o.set);
	if (rc) {
		heft_close(o.model);
		return -1;
	}
	*out = o.model;
	return 0;
}
