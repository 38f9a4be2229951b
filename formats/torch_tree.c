/*
 * torch_tree.c - finds the tensors among the values of a checkpoint and names them.
 *
 *	{'model': {'embed.weight': T, 'layers': [T, T]}, 'optimizer': {...}, 'step': 7}
 *	    -> embed.weight, layers.0, layers.1
 *
 * A name is the path to the tensor. Of nested dicts, the one that --key names is taken, or the one that training scripts usually put
 * weights under. The parts of a pickled module that hold its tensors have no share in names, as in its state dict.
 * No recursion: the path is a stack of its own. Each container is entered once, wherever else it is mentioned; nesting is bounded.
 */
#include "torch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 200, SELECT_MAX = 16, NAMES_FACTOR = 16 };

/* How a frame's list is to be read */
enum how { PAIRS, STATE, INDEXED, PAIR_LISTS };

struct frame {
	const struct pickle_list *list;
	enum how how;
	size_t i;
	const char *key; /* in its parent; "" has no share in names */
	size_t parent;   /* its number in the stack, plus one */
	unsigned depth;
};

struct walk {
	struct torch *t;
	struct frame *frame;
	size_t n, cap;
	bool only_look; /* end with 1 at the first tensor */
	uint64_t names; /* bytes */
};

static void enter_list(struct walk *w, const struct pickle_list *l, enum how how, const char *key, size_t parent)
{
	if (!l || !l->n)
		return;
	w->frame = arena_grow(w->t->arena, w->frame, &w->cap, w->n + 1, sizeof *w->frame);
	w->frame[w->n] = (struct frame){ .list = l, .how = how, .key = key, .parent = parent };
	w->frame[w->n].depth = parent ? w->frame[parent - 1].depth + 1 : 0;
	w->n++;
}

static const struct pickle_list *dict_of(const struct pickle_value *v)
{
	return v && v->kind == PICKLE_DICT ? v->list : NULL;
}

/* The last list that is entered is read first. */
static void enter_object(struct walk *w, const struct pickle_value *v, const char *key, size_t parent)
{
	const struct pickle_object *o = v->object;
	const struct pickle_value *pairs = torch_role_of(o->callee) == TORCH_ORDERED ? pickle_at(o->args, 0) : NULL;

	enter_list(w, dict_of(o->state), STATE, key, parent);
	enter_list(w, dict_of(pickle_at(o->state, 1)), STATE, key, parent);
	enter_list(w, dict_of(pickle_at(o->state, 0)), STATE, key, parent);
	enter_list(w, &o->appended, INDEXED, key, parent);
	enter_list(w, &o->items, PAIRS, key, parent);
	if (pairs && (pairs->kind == PICKLE_LIST || pairs->kind == PICKLE_TUPLE)) /* as Python 2 writes an OrderedDict */
		enter_list(w, pairs->list, PAIR_LISTS, key, parent);
}

static int enter(struct walk *w, struct pickle_value *v, const char *key, size_t parent)
{
	bool has_items = v->kind == PICKLE_DICT || v->kind == PICKLE_LIST || v->kind == PICKLE_TUPLE;

	if ((!has_items && v->kind != PICKLE_OBJECT) || v->seen == w->t->round)
		return 0;
	v->seen = w->t->round;
	if (parent && w->frame[parent - 1].depth >= DEPTH_MAX)
		return heft_fail(w->t->err, HEFT_E_HEADER, "%s: its values are nested more than %d deep", w->t->file, DEPTH_MAX);
	if (has_items)
		enter_list(w, v->list, v->kind == PICKLE_DICT ? PAIRS : INDEXED, key, parent);
	else
		enter_object(w, v, key, parent);
	return 0;
}

/* The frame's next item; false where there is none. *key is NULL for keys that are no names. */
static bool next_item(struct walk *w, struct frame *f, const char **key, struct pickle_value **v)
{
	size_t width = f->how == PAIRS || f->how == STATE ? 2 : 1;
	struct pickle_value *const *item = f->list->v + f->i;

	if (f->list->n - f->i < width)
		return false;
	f->i += width;
	*v = item[width - 1];
	if (f->how == INDEXED) {
		*key = arena_printf(w->t->arena, "%zu", f->i - 1);
	} else if (f->how == PAIR_LISTS) {
		*key = torch_key(w->t, pickle_at(item[0], 0));
		*v = (struct pickle_value *)pickle_at(item[0], 1);
	} else {
		*key = torch_key(w->t, item[0]);
	}
	if (*key && f->how == STATE && (!strcmp(*key, "_modules") || !strcmp(*key, "_parameters") || !strcmp(*key, "_buffers")))
		*key = "";
	return true;
}

/* "layers.0": from the outermost frame's key to this one */
static char *name_of(struct walk *w, size_t frame, const char *key)
{
	const char *part[DEPTH_MAX + 2];
	size_t n = 0, length = 0;
	char *name, *p;

	for (part[n++] = key; frame; frame = w->frame[frame - 1].parent)
		part[n++] = w->frame[frame - 1].key;
	for (size_t i = 0; i < n; i++)
		length += strlen(part[i]) + 1;
	w->names += length;
	if (w->names / NAMES_FACTOR > source_size(w->t->src)) {
		heft_fail(w->t->err, HEFT_E_HEADER, "%s: the names of its tensors are longer than the file", w->t->file);
		return NULL;
	}
	p = name = arena_alloc(w->t->arena, length + 1);
	while (n--) {
		if (p > name && *part[n])
			*p++ = '.';
		p = stpcpy(p, part[n]);
	}
	return name;
}

static int take_item(struct walk *w, size_t frame, const char *key, struct pickle_value *v)
{
	char *name;

	v = (struct pickle_value *)torch_unwrap(v);
	if (!torch_is_tensor(w->t, v))
		return enter(w, v, key, frame);
	if (w->only_look)
		return 1;
	name = name_of(w, frame, key);
	return name ? torch_add_tensor(w->t, name, v) : -1;
}

static int walk(struct walk *w, struct pickle_value *root)
{
	int rc = enter(w, (struct pickle_value *)torch_unwrap(root), "", 0);

	while (!rc && w->n) {
		size_t frame = w->n;
		struct pickle_value *v;
		const char *key;

		if (!next_item(w, &w->frame[frame - 1], &key, &v))
			w->n--;
		else if (key && v)
			rc = take_item(w, frame, key, v);
	}
	return rc;
}

static bool holds_tensors(struct torch *t, struct pickle_value *v)
{
	struct walk w = { .t = t, .only_look = true };

	t->round++;
	return walk(&w, v) == 1;
}

/* ---- which dict is meant ---- */

static const struct pickle_list *items_of(const struct pickle_value *v)
{
	return v->kind == PICKLE_DICT ? v->list : v->kind == PICKLE_OBJECT ? &v->object->items : NULL;
}

static bool has_weight(const struct torch *t, const struct pickle_value *dict)
{
	const struct pickle_list *l = items_of(dict);

	for (size_t i = 0; l && i + 1 < l->n; i += 2)
		if (torch_is_tensor(t, l->v[i + 1]) && !torch_is_scalar(t, l->v[i + 1]))
			return true;
	return false;
}

/* Where training scripts put the weights, beside what is no weight. A dict that has weights itself is meant itself. */
static struct pickle_value *usual_place(struct torch *t, struct pickle_value *v)
{
	static const char *const names[] = { "state_dict", "model_state_dict", "model", "module", "net", "params", "weights", "ema" };

	for (int depth = 0; depth < SELECT_MAX && !has_weight(t, v); depth++) {
		struct pickle_value *inner = NULL;

		for (size_t i = 0; i < sizeof names / sizeof *names && !inner; i++) {
			inner = pickle_get(v, names[i]);
			inner = inner && holds_tensors(t, inner) ? inner : NULL;
		}
		if (!inner)
			break;
		v = inner;
	}
	return v;
}

/* The longest key that the path begins with, up to a point or its end; *path moves behind it. */
static struct pickle_value *step_down(const struct torch *t, const struct pickle_value *v, const char **path)
{
	const struct pickle_list *l = items_of(v);
	struct pickle_value *best = NULL;
	size_t longest = 0;

	for (size_t i = 0; l && i + 1 < l->n; i += 2) {
		const char *key = torch_key(t, l->v[i]);
		size_t n = key ? strlen(key) : 0;

		if (n >= longest && n && !strncmp(*path, key, n) && (!(*path)[n] || (*path)[n] == '.')) {
			longest = n;
			best = l->v[i + 1];
		}
	}
	*path += longest;
	*path += best && **path == '.';
	return best;
}

static struct pickle_value *named_place(struct torch *t, struct pickle_value *v)
{
	const char *path = t->key;

	while (v && *path)
		v = step_down(t, v, &path);
	if (!v)
		heft_fail(t->err, HEFT_E_OPTION, "%s: has nothing under --key '%s'", t->file, t->key);
	return v;
}

int torch_add_tree(struct torch *t, struct pickle_value *root)
{
	struct walk w = { .t = t };

	root = t->key ? named_place(t, root) : usual_place(t, root);
	if (!root)
		return -1;
	t->round++;
	if (walk(&w, root))
		return -1;
	if (t->out->n_tensors)
		return 0;
	return sink_tellf(t->sink, HEFT_E_HEADER, t->file, NULL, NULL, "holds no tensors%s%s", t->key ? " under --key " : "", t->key ? t->key : "");
}
