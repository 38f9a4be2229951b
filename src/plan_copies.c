/*
 * plan_copies.c - what lies beside weights and configuration in a checkpoint's directory: copies of the source's files, byte for byte, in
 * their folders.
 *
 * Left out: weights, in any format, and what describes them; the folders of the makers' own layouts; names that begin with a dot. A link is
 * followed to a file in the same folder, or to where the Hub's cache keeps the files of a snapshot:
 *
 *   models--X/snapshots/REVISION/tokenizer.json -> ../../blobs/0a1b2c
 *
 * Refuses every other link, and folders that are nested deeper than any model's.
 */
#include "plan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/mount.h"
#include "model.h"

enum { FOLDERS_MAX = 4096, DEPTH_MAX = 8 };

struct folder {
	const char *name; /* below the model's; "" is that */
	int depth;
};

struct copying {
	struct heft_plan *plan;
	struct plan_output *output;
	char *root;             /* the model's folder without links; NULL: it is mounted */
	struct folder *folder;  /* those that are to be looked into */
	size_t n_folders, cap, at, cap_made;
	bool described;         /* what says how weights are stored is copied, too */
	struct heft_err *err;
	int rc;
};

static bool is_one_of(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, list[i]))
			return true;
	return false;
}

/* Directly in the model's folder: what says how the weights are stored. */
static bool describes(const char *name)
{
	static const char *const names[] = { "config.json", "quantize_config.json", "quant_config.json", "hf_quant_config.json" };

	return is_one_of(name, names, sizeof names / sizeof *names);
}

/* Weights of this or another format, and indexes of their shards. */
static bool is_weights(const char *name)
{
	static const char *const endings[] = { ".safetensors", ".safetensors.zst", ".index.json", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack",
					       ".onnx", ".onnx_data", ".ot" };
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (n > strlen(endings[i]) && !strcmp(name + n - strlen(endings[i]), endings[i]))
			return true;
	return false;
}

/* Folders of the same weights as their makers have them: Meta's, and OpenAI's for another machine. And what is said of the source's own bytes. */
static bool is_left_out(const char *name)
{
	static const char *const names[] = { "original", "consolidated", "metal", "heft-manifest.json" };

	return is_one_of(name, names, sizeof names / sizeof *names);
}

static bool is_same(const char *a, const char *b)
{
	struct stat x, y;

	return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool lies_in(const char *path, const char *folder, size_t n)
{
	return !strncmp(path, folder, n) && path[n] == '/';
}

/* May the link be followed to this file? */
static bool stays_inside(const char *file, const char *root)
{
	static const char snapshots[] = "/snapshots", blobs[] = "/blobs/";
	const char *revision = strrchr(root, '/');
	size_t n = revision ? (size_t)(revision - root) : 0, s = sizeof snapshots - 1;

	if (lies_in(file, root, strlen(root)))
		return true;
	return n > s && !memcmp(root + n - s, snapshots, s) && !strncmp(file, root, n - s) && !strncmp(file + n - s, blobs, sizeof blobs - 1);
}

/* What is there; PATH_NONE also for a link that leads nowhere, as to what was not downloaded. */
static enum path_kind kind_of(struct copying *c, const char *path)
{
	enum path_kind kind = path_kind(path);
	struct stat st;
	char *file;

	if (!c->root || lstat(path, &st) || !S_ISLNK(st.st_mode) || kind == PATH_NONE)
		return kind;
	file = realpath(path, NULL);
	if (!file || kind != PATH_FILE || !stays_inside(file, c->root))
		c->rc = heft_fail(c->err, HEFT_E_OPEN, "'%s' is a link out of the model's folder: put a copy there instead, or remove it", path);
	free(file);
	return kind;
}

static void add_folder(struct copying *c, const char *name, int depth)
{
	if (c->n_folders == FOLDERS_MAX || depth > DEPTH_MAX) {
		c->rc = heft_fail(c->err, HEFT_E_OPEN, "'%s/%s': more folders than a model has; name the one that holds the model alone", c->plan->model->dir, name);
		return;
	}
	c->folder = arena_grow(c->plan->arena, c->folder, &c->cap, c->n_folders + 1, sizeof *c->folder);
	c->folder[c->n_folders++] = (struct folder){ name, depth };
}

static bool is_taken(const struct plan_output *o, const char *path)
{
	for (size_t i = 0; i < o->n_sides; i++)
		if (!strcmp(o->side[i].path, path))
			return true;
	return false;
}

static void add_file(struct copying *c, const char *from, const char *to)
{
	struct source *s = source_open(from, c->err);
	struct plan_side *side;

	c->rc = s ? 0 : -1;
	if (!s)
		return;
	plan_add_side(c->output, arena_strdup(c->plan->arena, to), (struct heft_str){ 0 }, c->plan->arena);
	side = &c->output->side[c->output->n_sides - 1];
	side->from = arena_strdup(c->plan->arena, from);
	side->size = source_size(s);
	source_close(s);
}

static void look_at(void *ctx, const char *name)
{
	struct copying *c = ctx;
	struct arena *a = c->plan->arena;
	const struct folder *in = &c->folder[c->at];
	const char *below = *in->name ? path_join(a, in->name, name) : arena_strdup(a, name);
	const char *from = path_join(a, c->plan->model->dir, below), *to = path_join(a, c->output->directory, below);
	enum path_kind kind;

	if (c->rc || is_weights(name) || is_taken(c->output, to) || (!in->depth && (is_left_out(name) || (describes(name) && !c->described))))
		return;
	kind = kind_of(c, from);
	if (!c->rc && kind == PATH_FILE)
		add_file(c, from, to);
	else if (!c->rc && kind == PATH_FOLDER && !is_same(from, c->output->directory))
		add_folder(c, below, in->depth + 1);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct plan_side *)a)->path, ((const struct plan_side *)b)->path);
}

/* Folders of the output that hold some file; those of others are not made. Sorted: an outer one comes first. */
static void make_folders(struct copying *c, size_t first)
{
	struct plan_output *o = c->output;
	struct arena *a = c->plan->arena;
	size_t base = strlen(o->directory);

	for (size_t i = first; i < o->n_sides; i++) {
		const char *path = o->side[i].path;

		for (const char *end = strchr(path + base + 1, '/'); end; end = strchr(end + 1, '/')) {
			const char *folder = arena_memdup(a, path, (size_t)(end - path));
			bool known = false;

			for (size_t k = o->n_folders; k-- > 0 && !known;)
				known = !strcmp(o->folder[k], folder);
			if (known)
				continue;
			o->folder = arena_grow(a, o->folder, &c->cap_made, o->n_folders + 1, sizeof *o->folder);
			o->folder[o->n_folders++] = folder;
		}
	}
}

int plan_copies(struct heft_plan *p, struct plan_output *o, bool described, struct heft_err *err)
{
	struct copying c = { .plan = p, .output = o, .described = described, .err = err };
	size_t first = o->n_sides;

	if (!p->model->dir || model_speaks_gguf(p->model))
		return 0;
	if (is_same(p->model->dir, o->directory))
		return heft_fail(err, HEFT_E_SAME_FILE, "'%s' is also the input; name another output", o->directory);
	c.root = realpath(p->model->dir, NULL);
	add_folder(&c, "", 0);
	for (; !c.rc && c.at < c.n_folders; c.at++)
		if (path_names(*c.folder[c.at].name ? path_join(p->arena, p->model->dir, c.folder[c.at].name) : p->model->dir, look_at, &c, err))
			c.rc = -1;
	free(c.root);
	if (c.rc)
		return -1;
	qsort(o->side + first, o->n_sides - first, sizeof *o->side, by_path);
	make_folders(&c, first);
	return 0;
}
