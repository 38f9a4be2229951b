/*
 * plan_files.c - the small files beside an output's parts: a set's index, and what makes a directory of weights a
 * checkpoint.
 */
#include "plan.h"

#include "../quant/quant.h"
#include "model.h"

#include <string.h>
#include <sys/stat.h>

bool plan_is_directory(const char *path)
{
	struct stat st;

	return path[strlen(path) - 1] == '/' || (!stat(path, &st) && S_ISDIR(st.st_mode));
}

bool plan_names_checkpoint(const char *path)
{
	static const char ending[] = ".safetensors";
	size_t n = path ? strlen(path) : 0, e = strlen(ending);

	if (!n || !strcmp(path, "-"))
		return false;
	return plan_is_directory(path) || n <= e || strcmp(path + n - e, ending) != 0;
}

bool plan_wants_files(const struct heft_job *job)
{
	for (size_t i = 0; i < job->n_outputs; i++)
		if (plan_names_checkpoint(job->output[i].path))
			return true;
	return false;
}

void plan_add_side(struct plan_output *o, const char *path, struct heft_str text, struct arena *a)
{
	o->side = arena_grow(a, o->side, &o->cap_sides, o->n_sides + 1, sizeof *o->side);
	o->side[o->n_sides++] = (struct plan_side){ .path = path, .text = text };
}

const char *const *plan_side_paths(const struct plan_output *o, struct arena *a)
{
	const char **path = arena_array(a, o->n_sides, sizeof *path);

	for (size_t i = 0; i < o->n_sides; i++)
		path[i] = o->side[i].path;
	return path;
}

/* The type of most elements, as torch calls it. */
static const char *torch_dtype(const struct plan_output *o)
{
	static const char *const names[][2] = { { "f32", "float32" }, { "f16", "float16" }, { "bf16", "bfloat16" } };
	uint64_t most = 0, bytes[3] = { 0 };
	const char *best = names[0][1];

	for (size_t i = 0; i < o->pub.n_items; i++)
		for (size_t k = 0; k < 3; k++)
			bytes[k] += strcmp(o->item[i].to->name, names[k][0]) ? 0 : o->item[i].size;
	for (size_t k = 0; k < 3; k++)
		if (bytes[k] > most) {
			most = bytes[k];
			best = names[k][1];
		}
	return best;
}

static struct heft_str with_dtype(const struct family_file *f, const struct plan_output *o, struct arena *a)
{
	const char *dtype = torch_dtype(o);
	size_t n = strlen(dtype);
	char *text;

	if (f->dtype_at > f->text.n)
		return f->text;
	text = arena_alloc(a, f->text.n + n + 1);
	memcpy(text, f->text.p, f->dtype_at);
	memcpy(text + f->dtype_at, dtype, n);
	memcpy(text + f->dtype_at + n, f->text.p + f->dtype_at, f->text.n - f->dtype_at);
	return (struct heft_str){ text, f->text.n + n };
}

/* A licence and what belongs to it travel with a checkpoint that is made of a GGUF, from beside that. Links are not followed. */
static void add_licence(struct heft_plan *p, struct plan_output *o)
{
	static const char *const names[] = { "LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "NOTICE", "NOTICE.txt", "Notice.txt", "USE_POLICY.md" };
	const char *from = p->model->n_files ? p->model->file[0].path : "-";

	for (size_t i = 0; strcmp(from, "-") != 0 && i < sizeof names / sizeof *names; i++) {
		const char *path = path_join(p->arena, path_dir(p->arena, from), names[i]);
		struct stat st;

		if (lstat(path, &st) || !S_ISREG(st.st_mode))
			continue;
		plan_add_side(o, path_join(p->arena, o->directory, names[i]), (struct heft_str){ 0 }, p->arena);
		o->side[o->n_sides - 1].from = path;
		o->side[o->n_sides - 1].size = (uint64_t)st.st_size;
	}
}

void plan_files(struct heft_plan *p, struct plan_output *o)
{
	const char *dir = o->directory;

	for (size_t i = 0; dir && i < p->family.n_files; i++) {
		const struct family_file *f = &p->family.file[i];

		plan_add_side(o, arena_printf(p->arena, "%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", f->name),
			      with_dtype(f, o, p->arena), p->arena);
	}
	if (dir && p->family.n_files)
		add_licence(p, o);
}

int plan_checkpoint(struct heft_plan *p, struct plan_output *o, const char *type, struct heft_err *err)
{
	const char *dtype = plan_torch_name(quant_find(type));
	struct config_edit edit = { .dtype = dtype };

	if (!o->directory || p->family.n_files)
		return 0;
	return (dtype && plan_config(p, o, &edit, err)) || plan_copies(p, o, !dtype, err) ? -1 : 0;
}
