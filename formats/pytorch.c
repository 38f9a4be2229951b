/*
 * pytorch.c - lists PyTorch's checkpoints: what torch.save and torch.jit.save write. Reads their structure as data; never runs any of it.
 *
 *	zip archive (1.6 on), all members stored:
 *	NAME/data.pkl        the values: tensors name their storages by key
 *	NAME/data/KEY        the bytes of a storage
 *	NAME/byteorder       "little" or "big"; little where it is missing
 *	NAME/version, ...    and for TorchScript NAME/code/..., NAME/constants.pkl, NAME/constants/KEY
 *
 * The other layouts: torch_legacy.c, torch_tar.c. Refuses archives that readers may disagree about (zip.c), pickles that name what is no
 * part of a checkpoint (torch_names.c), tensors that do not fit their storage (torch_tensor.c).
 */
#include "torch.h"

#include <inttypes.h>
#include <string.h>

#include "zip.h"

#define PICKLE_NAME "/data.pkl"
enum { TAR_MAGIC_AT = 257 };

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && !strcmp(s + n - k, end);
}

/* The one member that holds the values: the folder that it lies in is the checkpoint's. */
static const struct zip_member *find_pickle(struct torch *t, const struct zip *z)
{
	const struct zip_member *found = NULL;

	for (size_t i = 0; i < z->n; i++) {
		const char *name = z->member[i].name;

		if (!ends_with(name, PICKLE_NAME) || strchr(name, '/') != name + strlen(name) - strlen(PICKLE_NAME))
			continue;
		if (found) {
			heft_fail(t->err, HEFT_E_DUPLICATE, "%s: the archive holds two checkpoints, '%s' and '%s'", t->file, found->name, name);
			return NULL;
		}
		found = &z->member[i];
	}
	if (!found)
		heft_fail(t->err, HEFT_E_MAGIC, "%s: a zip archive without a data.pkl: no PyTorch checkpoint", t->file);
	return found;
}

static int take_byte_order(struct torch *t, const struct zip_member *m)
{
	char order[8] = "";

	if (!m)
		return 0;
	if (m->size > 6 || zip_verify(m, t->src, t->err) || source_read(t->src, m->offset, order, (size_t)m->size, t->err))
		return heft_fail(t->err, HEFT_E_HEADER, "%s: its byteorder cannot be read", t->file);
	t->turned = !strcmp(order, "big");
	return t->turned || !strcmp(order, "little") ? 0 : heft_fail(t->err, HEFT_E_HEADER, "%s: its byteorder is neither little nor big", t->file);
}

static int add_storages(struct torch *t, const struct zip *z, const char *folder)
{
	size_t n = strlen(folder);

	for (size_t i = 0; i < z->n; i++) {
		const struct zip_member *m = &z->member[i];

		if (strncmp(m->name, folder, n))
			continue;
		if (m->method)
			return zip_verify(m, t->src, t->err);
		torch_add_storage(t, m->name + n, &(struct torch_storage){ .offset = m->offset, .size = m->size });
	}
	return 0;
}

/* Whoever looks for all that is wrong wants to know what such a pickle names too. */
static int verify_pickle(struct torch *t, const struct zip_member *m)
{
	struct heft_err why = { 0 };
	struct heft_problem p = { .file = t->file, .text = why.text, .hint = "download the file again" };

	if (!zip_verify(m, t->src, &why))
		return 0;
	if (m->method || !t->sink->fn)
		return heft_fail(t->err, why.code, "%s", why.text);
	p.code = why.code;
	return sink_tell(t->sink, &p);
}

static int list_zip(struct torch *t)
{
	const struct zip_member *m;
	const char *folder;
	struct pickle p;
	struct zip z;

	if (zip_list(&z, t->src, t->arena, t->err) || !(m = find_pickle(t, &z)))
		return -1;
	folder = arena_memdup(t->arena, m->name, strlen(m->name) - strlen(PICKLE_NAME) + 1);
	if (verify_pickle(t, m) || take_byte_order(t, zip_find(&z, arena_printf(t->arena, "%sbyteorder", folder))) ||
	    add_storages(t, &z, arena_printf(t->arena, "%sdata/", folder)))
		return -1;
	if (torch_read(t, &p, m->offset, m->offset + m->size, m->name))
		return -1;
	return torch_add_tree(t, p.root);
}

static bool is_tar(const uint8_t *head, size_t n)
{
	return n > TAR_MAGIC_AT + 5 && !memcmp(head + TAR_MAGIC_AT, "ustar", 5);
}

static int list_layout(struct torch *t)
{
	uint8_t head[TAR_MAGIC_AT + 8] = { 0 };
	int64_t n;

	if (source_size(t->src) == UINT64_MAX)
		return heft_fail(t->err, HEFT_E_SPOOL, "%s: a PyTorch checkpoint cannot be read as a stream: save it to a file first", t->file);
	n = source_peek(t->src, head, sizeof head, t->err);
	if (n < 0)
		return -1;
	if (!memcmp(head, "PK", 2))
		return list_zip(t);
	return is_tar(head, (size_t)n) ? torch_list_tar(t) : torch_list_legacy(t);
}

static int list(struct format_listing *out, struct source *src, struct arena *a, struct sink *sink, struct heft_err *err)
{
	struct torch t = { .out = out, .src = src, .file = source_name(src), .key = out->key, .arena = a, .sink = sink, .err = err };
	int rc;

	*out = (struct format_listing){ .key = out->key };
	map_init(&t.storage);
	map_init(&t.record);
	map_init(&t.names);
	rc = list_layout(&t);
	map_release(&t.names);
	map_release(&t.record);
	map_release(&t.storage);
	return rc;
}

/* Members that only these archives begin with */
static bool first_member_fits(const uint8_t *head, size_t n)
{
	static const char *const ends[] = { PICKLE_NAME, "/version", "/byteorder", "/.format_version", "/constants.pkl", "/data/0" };
	size_t name = n > 30 ? (size_t)(head[26] | head[27] << 8) : 0;

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		size_t k = strlen(ends[i]);

		if (name >= k && 30 + name <= n && !memcmp(head + 30 + name - k, ends[i], k))
			return true;
	}
	return false;
}

static int probe(const uint8_t *head, size_t n)
{
	static const char *const tar_members[] = { "sys_info", "pickle", "storages", "tensors" };

	if (n > 30 && !memcmp(head, "PK\3\4", 4))
		return first_member_fits(head, n) ? 95 : 20;
	for (size_t i = 0; i < 4 && is_tar(head, n); i++)
		if (!strcmp((const char *)head, tar_members[i]) || (!memcmp(head, "./", 2) && !strcmp((const char *)head + 2, tar_members[i])))
			return 95;
	return n > 2 && head[0] == 0x80 && head[1] >= 1 && head[1] <= 5 ? 60 : 0;
}

const struct format format_pytorch = {
	.name = "pytorch",
	.about = "PyTorch: .bin, .pt, .pth (pickles; read, never run)",
	.extension = ".pt",
	.probe = probe,
	.list = list,
};
