/*
 * archive_members.c - walks an archive: which members count, and the bytes of the small ones. Refuses names and links that lead out, devices,
 * one name twice, and more members or small bytes than any model has.
 */
#include "archive_members.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *label(const struct archive *ar)
{
	return ar->path;
}

static int refuse(const struct archive *ar, const char *name, const char *why, struct heft_err *err)
{
	return heft_fail(err, HEFT_E_ARCHIVE, "%s: '%s' %s: an archive like this was made to do harm, heft reads no part of it", label(ar), name, why);
}

static int note_name(struct archive *ar, const char *name, struct heft_err *err)
{
	bool found;

	if (ar->names.count >= MEMBERS_MAX)
		return heft_fail(err, HEFT_E_ARCHIVE, "%s: has more than %d members: no model has, unpack it yourself if you trust it", label(ar),
				 MEMBERS_MAX);
	map_put(&ar->names, name, strlen(name), &found);
	return found ? refuse(ar, name, "stands there twice", err) : 0;
}

static struct entry *add_entry(struct archive *ar, const char *name, enum member_role role)
{
	struct entry *e = arena_alloc(ar->arena, sizeof *e);

	e->name = e->file.name = name;
	e->role = role;
	ar->file = arena_grow(ar->arena, ar->file, &ar->cap, ar->n + 1, sizeof *ar->file);
	ar->file[ar->n++] = &e->file;
	return e;
}

/* Grows by as much as really came: what a header says of a member's size is not believed. */
static int keep_bytes(struct archive *ar, struct entry *e, struct heft_err *err)
{
	enum { PIECE = 64 << 10 };
	int64_t got;

	do {
		if (e->cap - e->n_bytes < PIECE) {
			e->cap = e->cap ? 2 * e->cap : 2 * PIECE;
			e->bytes = xrealloc(e->bytes, e->cap);
		}
		got = unpacker_read(ar->unpacker, e->bytes + e->n_bytes, PIECE, err);
		e->n_bytes += got > 0 ? (size_t)got : 0;
		if (e->n_bytes > SMALL_MAX || ar->small + e->n_bytes > SMALL_TOTAL)
			return heft_fail(err, HEFT_E_BOMB, "%s: '%s' and its like have more bytes than a model's small files do", label(ar), e->name);
	} while (got > 0);
	ar->small += e->n_bytes;
	e->file.size = e->n_bytes;
	return got < 0 ? -1 : 0;
}

static int add_link(struct archive *ar, const struct member *m, const char *name, struct heft_err *err)
{
	const char *to = member_link(name, m->link, m->kind == MEMBER_SYMLINK, ar->arena);

	if (!to)
		return refuse(ar, name, "is a link that leads out of the archive", err);
	add_entry(ar, name, member_role(name))->link = to;
	return 0;
}

static int add_weights(struct archive *ar, const struct member *m, const char *name, struct heft_err *err)
{
	struct entry *e = add_entry(ar, name, ROLE_WEIGHTS);

	e->file.size = m->size;
	e->stored = m->at != UINT64_MAX;
	e->begin = e->stored ? m->at : ar->stream_size;
	ar->current = e;
	ar->n_weights++;
	if (e->stored)
		return 0;
	if (m->size != UINT64_MAX && __builtin_add_overflow(ar->stream_size, m->size, &ar->stream_size))
		return refuse(ar, name, "has more bytes than any file", err);
	return 0;
}

/* 1: it holds weights */
static int add_member(struct archive *ar, const struct member *m, struct heft_err *err)
{
	const char *name = member_name(m->name, ar->arena);
	enum member_role role;

	if (!name)
		return refuse(ar, m->name, "is no plain name below the archive's folder", err);
	if (m->kind == MEMBER_FOLDER)
		return 0;
	if (m->kind == MEMBER_OTHER)
		return refuse(ar, name, "is a device, pipe or socket", err);
	if (note_name(ar, name, err))
		return -1;
	if (m->kind == MEMBER_SYMLINK || m->kind == MEMBER_HARDLINK)
		return add_link(ar, m, name, err);
	role = member_role(name);
	if (role == ROLE_SMALL)
		return keep_bytes(ar, add_entry(ar, name, role), err);
	if (role == ROLE_NESTED && !ar->nested)
		ar->nested = name;
	return role != ROLE_WEIGHTS ? 0 : add_weights(ar, m, name, err) ? -1 : 1;
}

int archive_walk(struct archive *ar, struct heft_err *err)
{
	struct member m;
	int rc;

	ar->current = NULL;
	while ((rc = unpacker_next(ar->unpacker, &m, err)) > 0 && !(rc = add_member(ar, &m, err)))
		;
	return rc;
}
