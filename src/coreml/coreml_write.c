/*
 * coreml_write.c - a package written anew: where every value comes to lie, the program with the new places, the files.
 *
 * Values keep the order of the program; those that share bytes go on doing so. Manifest.json and the other files that it lists go along byte
 * for byte. Refuses a package whose manifest lists folders that heft does not know.
 */
#include "coreml_write.h"

#include "../../base/json.h"
#include "../commit.h"
#include "../model.h"
#include "../pace.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

enum { HEAD = 64, MANIFEST_MAX = 1 << 20 };

uint64_t coreml_room(uint64_t size)
{
	return HEAD + (size + HEAD - 1) / HEAD * HEAD;
}

/* ---- weight.bin and the program ---- */

static struct coreml_piece *add_piece(struct coreml_plan *p, const struct coreml_dtype_info *dtype, uint64_t size, uint64_t count)
{
	struct coreml_piece *x;

	if (p->n_pieces == p->cap_pieces)
		p->piece = arena_grow(p->arena, p->piece, &p->cap_pieces, p->n_pieces + 1, sizeof *p->piece);
	x = &p->piece[p->n_pieces++];
	*x = (struct coreml_piece){ .dtype = dtype, .size = size, .count = count, .offset = p->next };
	p->next += coreml_room(size);
	p->end = x->offset + HEAD + size;
	return x;
}

/* A value that stays: once for all that share it. *offset: of its new metadata. */
static int keep_value(struct coreml_plan *p, const struct coreml_value *v, uint64_t *offset, struct heft_err *err)
{
	uint64_t *key = (uint64_t *)(void *)arena_memdup(p->arena, &v->blob, sizeof v->blob);
	struct coreml_extent e;
	struct map_slot *slot;
	struct coreml_piece *x;
	uint64_t count;
	bool found;

	slot = map_put(&p->by_offset, (const char *)key, sizeof *key, &found);
	if (!found) {
		if (p->m->n_files < 2 || coreml_blob_find(p->m->file[1].source, v, &e, err))
			return p->m->n_files < 2 ? heft_fail(err, HEFT_E_SHARD_MISSING, "%s: has no weight.bin", p->m->path) : -1;
		coreml_count(&v->type, &count);
		x = add_piece(p, coreml_dtype(v->type.dtype), e.size, count);
		x->from = e.offset;
		slot->value.i = (int64_t)x->offset;
	}
	*offset = (uint64_t)slot->value.i;
	return 0;
}

/* Constants that share their bytes and change in the same way go on sharing. */
static const struct coreml_change *twin_of(struct coreml_plan *p, struct coreml_change *c)
{
	struct { uint64_t offset, axis, scheme, n[COREML_RANK]; } key;
	struct map_slot *slot;
	const struct coreml_change *twin;
	bool found;

	memset(&key, 0, sizeof key);
	key.offset = c->tensor->plane[0].offset;
	key.axis = (uint64_t)c->axis << 32 | (uint64_t)c->n_operands << 8 | c->attributes;
	key.scheme = (uintptr_t)c->scheme;
	memcpy(key.n, c->n, (size_t)c->tensor->rank * sizeof *key.n);
	slot = map_put(&p->by_offset, arena_memdup(p->arena, &key, sizeof key), sizeof key, &found);
	if (!found) {
		slot->value.i = c - p->change;
		return NULL;
	}
	twin = &p->change[slot->value.i];
	return twin->tensor->rank == c->tensor->rank && !memcmp(twin->tensor->dim, c->tensor->dim, sizeof c->tensor->dim) ? twin : NULL;
}

static void place_change(struct coreml_plan *p, struct coreml_change *c)
{
	const struct coreml_change *twin = twin_of(p, c);

	for (int i = 0; i < c->n_operands; i++) {
		struct coreml_operand_out *o = &c->operand[i];

		if (!twin) {
			struct coreml_piece *x = add_piece(p, coreml_dtype(o->dtype), o->size, o->count);

			x->change = c;
			x->operand = i;
		}
		o->offset = twin ? twin->operand[i].offset : p->piece[p->n_pieces - 1].offset;
	}
}

/* c: of the operation, where it has one */
static int place_op(struct coreml_plan *p, const struct coreml_op *op, struct coreml_change *c, struct coreml_edit *edit, size_t *n,
		    struct heft_err *err)
{
	const struct coreml_program *program = &p->m->coreml->program;

	if (c && c->scheme) {
		place_change(p, c);
		edit[(*n)++] = coreml_edit_op(program, c, p->arena);
		return 0;
	}
	for (size_t i = 0; i < op->n_params; i++) {
		const struct coreml_value *v = op->param[i].value;
		uint64_t offset;

		if (!v || v->place != COREML_BLOB)
			continue;
		if (keep_value(p, v, &offset, err))
			return -1;
		if (offset != v->blob)
			edit[(*n)++] = coreml_edit_offset(v, offset, p->arena);
	}
	return 0;
}

int coreml_place(struct coreml_plan *p, struct heft_err *err)
{
	const struct coreml_program *program = &p->m->coreml->program;
	struct coreml_edit *edit = arena_array(p->arena, program->n_ops + program->n_blobs + program->n_frames + 1, sizeof *edit);
	size_t n = 0;

	p->next = p->end = HEAD;
	p->n_pieces = 0;
	p->pub.size_in = 0;
	map_release(&p->by_offset);
	map_init(&p->by_offset);
	for (size_t i = 0, k = 0; i < program->n_ops; i++) { /* changes are in the order of operations */
		struct coreml_change *c = k < p->pub.n_items && p->change[k].op == &program->op[i] ? &p->change[k++] : NULL;

		if (place_op(p, &program->op[i], c, edit, &n, err))
			return -1;
	}
	p->program = coreml_edit_all(program, edit, n, p->arena);
	for (size_t i = 0; i < p->m->n_files; i++)
		p->pub.size_in += p->m->file[i].size;
	p->pub.size_out = p->program.n + (p->n_pieces || p->m->n_files > 1 ? p->end : 0);
	return 0;
}

/* ---- writing ---- */

struct writing {
	struct coreml_plan *p;
	struct commit *commit;
	struct coreml_watch watch;
	const struct coreml_piece *piece; /* of operand 0; the others follow */
};

static void put32(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void put64(uint8_t *p, uint64_t v)
{
	put32(p, v);
	put32(p + 4, v >> 32);
}

static int write_metadata(struct writing *w, const struct coreml_piece *x, struct heft_err *err)
{
	uint8_t head[HEAD] = { 0 };

	put32(head, 0xDEADBEEF);
	put32(head + 4, x->dtype->blob);
	put64(head + 8, x->size);
	put64(head + 16, x->offset + HEAD);
	put64(head + 24, x->size * 8 - x->count * x->dtype->bits);
	return commit_write(w->commit, 0, 0, x->offset, head, HEAD, err);
}

static int copy_value(struct writing *w, const struct coreml_piece *x, struct heft_err *err)
{
	uint8_t bytes[1 << 14];

	for (uint64_t at = 0, n; at < x->size; at += n) {
		if (w->watch.stop && *w->watch.stop)
			return heft_fail(err, HEFT_E_KILLED, "stopped by a signal; nothing was written");
		n = x->size - at < sizeof bytes ? x->size - at : sizeof bytes;
		if (source_read(w->p->m->file[1].source, x->from + at, bytes, (size_t)n, err) ||
		    commit_write(w->commit, 0, 0, x->offset + HEAD + at, bytes, (size_t)n, err))
			return -1;
		w->watch.pace->done += n;
		pace_tell(w->watch.pace, "");
	}
	return 0;
}

static int put(void *ctx, int operand, uint64_t at, const void *bytes, size_t n, struct heft_err *err)
{
	const struct writing *w = ctx;

	return commit_write(w->commit, 0, 0, w->piece[operand].offset + HEAD + at, bytes, n, err);
}

/* 1: a constant holds what cannot be compressed. */
static int write_piece(struct writing *w, const struct coreml_piece *x, struct heft_err *err)
{
	const struct coreml_plan *p = w->p;

	if (write_metadata(w, x, err))
		return -1;
	if (!x->change)
		return copy_value(w, x, err);
	w->piece = x;
	return x->operand ? 0 : coreml_encode(p->m, x->change, p->threads, &w->watch, put, w, &p->pub.item[x->change - p->change].error, err);
}

static int write_pieces(struct writing *w, struct heft_err *err)
{
	uint8_t head[HEAD] = { 0 };
	int rc;

	put32(head, w->p->n_pieces);
	put32(head + 4, 2);
	rc = commit_write(w->commit, 0, 0, 0, head, HEAD, err);
	for (size_t i = 0; !rc && i < w->p->n_pieces; i++)
		rc = write_piece(w, &w->p->piece[i], err);
	return rc;
}

/* The folders of a path in the package, outer ones first. */
static void add_folders(struct plan_output *o, const char *root, const char *path, struct arena *a)
{
	size_t cap = o->n_folders;

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		o->folder = arena_grow(a, o->folder, &cap, o->n_folders + 1, sizeof *o->folder);
		o->folder[o->n_folders++] = arena_printf(a, "%s/%.*s", root, (int)(slash - path), path);
	}
}

static int add_copy(struct coreml_plan *p, struct plan_output *o, const char *path, struct heft_err *err)
{
	struct stat st;
	const char *from = path_join(p->arena, p->m->path, path);

	if (stat(from, &st))
		return heft_fail_errno(err, HEFT_E_OPEN, "cannot open '%s'", from);
	if (!S_ISREG(st.st_mode))
		return heft_fail(err, HEFT_E_HEADER, "%s: lists '%s', which is no file: heft does not know what it is", p->m->path, path);
	plan_add_side(o, path_join(p->arena, p->pub.path, path), (struct heft_str){ "", 0 }, p->arena);
	o->side[o->n_sides - 1].from = from;
	o->side[o->n_sides - 1].size = (uint64_t)st.st_size;
	return 0;
}

/* What the manifest lists besides program and weights, then the manifest itself. */
static int add_copies(struct coreml_plan *p, struct plan_output *o, struct heft_err *err)
{
	const struct coreml *c = p->m->coreml;
	const char *slash = strrchr(c->model, '/');
	struct json_doc *doc = json_read_file(path_join(p->arena, p->m->path, "Manifest.json"), MANIFEST_MAX, err);
	const struct json *e = json_first(json_get(json_root(doc), "itemInfoEntries"));
	int rc = doc ? 0 : -1;

	for (; e && !rc; e = json_next(e)) {
		const char *path = json_cstr(json_get(e, "path")), *full = arena_printf(p->arena, "Data/%s", path ? path : "");

		if (!path || !coreml_path_is_inside(path))
			rc = heft_fail(err, HEFT_E_HEADER, "%s: Manifest.json lists what is no file in the package", p->m->path);
		else if (strcmp(full, c->model) && strcmp(full, arena_printf(p->arena, "%.*s/weights", (int)(slash - c->model), c->model)))
			rc = add_copy(p, o, full, err);
		if (!rc && path)
			add_folders(o, p->pub.path, full, p->arena);
	}
	json_free(doc);
	return rc ? rc : add_copy(p, o, "Manifest.json", err);
}

/* Bytes of all that is read, once. */
static uint64_t bytes_read(const struct coreml_plan *p)
{
	uint64_t n = 0;

	for (size_t i = 0; i < p->n_pieces; i++) {
		const struct coreml_piece *x = &p->piece[i];

		n += !x->change ? x->size : x->operand ? 0 : p->pub.item[x->change - p->change].size_in;
	}
	return n;
}

static int write_files(struct coreml_plan *p, struct plan_output *output, const struct heft_run_options *o, struct heft_err *err)
{
	struct heft_plan plan = { .model = p->m, .output = output, .n_outputs = 1, .force = p->force };
	struct pace pace = { .begun = pace_clock(), .total = bytes_read(p) };
	struct writing w = { .p = p, .watch = { o ? o->stop : NULL, &pace } };
	int rc;

	if (o) {
		pace.progress = o->progress;
		pace.ctx = o->ctx;
	}
	if (commit_open(&w.commit, &plan, err))
		return -1;
	rc = output->n_parts ? write_pieces(&w, err) : 0;
	if (!rc)
		return commit_close(w.commit, NULL, err);
	commit_abort(w.commit);
	return rc;
}

static int write_once(struct coreml_plan *p, const struct heft_run_options *o, struct heft_err *err)
{
	const struct coreml *c = p->m->coreml;
	struct heft_item item = { .name = "weight.bin", .size = p->end };
	struct plan_part part = { .layout = { .header = "", .file_size = p->end }, .n_items = 1 };
	struct plan_output output = { .item = &item, .part = &part, .n_parts = c->weights != NULL, .directory = p->pub.path };

	if (c->weights)
		part.path = arena_printf(p->arena, "%s/%s", p->pub.path, c->weights);
	add_folders(&output, p->pub.path, c->weights ? c->weights : c->model, p->arena);
	plan_add_side(&output, path_join(p->arena, p->pub.path, c->model), p->program, p->arena);
	if (add_copies(p, &output, err))
		return -1;
	p->pub.beside = plan_side_paths(&output, p->arena);
	p->pub.n_beside = output.n_sides;
	return write_files(p, &output, o, err);
}

/* Numbers that cannot be compressed are rare, and are found on the way: then those constants are looked for, and all is begun anew. */
int heft_coreml_write(struct heft_coreml_plan *pub, const struct heft_run_options *o, struct heft_err *err)
{
	struct coreml_plan *p = (struct coreml_plan *)(void *)pub;
	int rc = write_once(p, o, err);

	if (rc > 0)
		rc = heft_coreml_plan_check(pub, err) ? -1 : write_once(p, o, err);
	return rc ? -1 : 0;
}
