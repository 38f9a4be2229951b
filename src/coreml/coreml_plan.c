/*
 * coreml_plan.c - which constants of a package change, to what, and in which parts.
 *
 * A constant stays as it is where the operations behind it, its numbers or the program's age do not allow the type, and where nothing would be
 * saved: a package that is compressed is never larger than it was. What may be compressed is what coremltools 9 compresses: floats of two
 * dimensions and more, more than 2048 numbers (weight_threshold).
 */
#include "coreml_write.h"

#include "../../quant/quant.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LEAST = 2048, OP_BYTES = 600, DEFAULT_BLOCK = 32, DEFAULT_GROUP = 32 };

static const struct coreml_scheme schemes[] = {
	{ "int8", COREML_INTEGERS, COREML_I8, 8, true, 6 },    { "uint8", COREML_INTEGERS, COREML_U8, 8, false, 6 },
	{ "int4", COREML_INTEGERS, COREML_I4, 4, true, 8 },    { "uint4", COREML_INTEGERS, COREML_U4, 4, false, 8 },
	{ "palette1", COREML_TABLE, COREML_U1, 1, false, 6 },  { "palette2", COREML_TABLE, COREML_U2, 2, false, 6 },
	{ "palette3", COREML_TABLE, COREML_U3, 3, false, 8 },  { "palette4", COREML_TABLE, COREML_U4, 4, false, 6 },
	{ "palette6", COREML_TABLE, COREML_U6, 6, false, 6 },  { "palette8", COREML_TABLE, COREML_U8, 8, false, 6 },
	{ "f16", COREML_FLOATS, COREML_F16, 16, true, 5 },     { "f32", COREML_FLOATS, COREML_F32, 32, true, 5 },
};

const struct coreml_scheme *coreml_scheme_find(const char *name)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (!strcasecmp(schemes[i].name, name))
			return &schemes[i];
	return NULL;
}

const char *heft_coreml_type_at(size_t i)
{
	return i < sizeof schemes / sizeof *schemes ? schemes[i].name : NULL;
}

/* ---- what becomes of a constant ---- */

static int opset_of(const struct coreml_plan *p, const struct coreml_op *op)
{
	const char *s = p->m->coreml->program.scope[op->scope].opset;

	return strncmp(s, "CoreML", 6) ? 0 : (int)strtoul(s + 6, NULL, 10);
}

static void add_operand(struct coreml_change *c, const char *param, uint32_t dtype, int rank, const uint64_t *dim)
{
	struct coreml_operand_out *o = &c->operand[c->n_operands++];

	*o = (struct coreml_operand_out){ .param = param, .dtype = dtype, .rank = rank, .count = 1 };
	for (int d = 0; d < rank; d++) {
		o->dim[d] = dim[d];
		o->count *= dim[d];
	}
	o->size = (o->count * coreml_dtype(dtype)->bits + 7) / 8;
}

static uint32_t out_dtype(const struct coreml_change *c)
{
	return c->op->out.dtype;
}

static void make_integers(struct coreml_change *c)
{
	const struct heft_tensor *t = c->tensor;

	if (c->attributes) {
		c->type = "constexpr_affine_dequantize";
		add_operand(c, "quantized_data", c->scheme->dtype, t->rank, t->dim);
		add_operand(c, "scale", out_dtype(c), 1, &t->dim[c->axis]);
		add_operand(c, "zero_point", c->scheme->dtype, 1, &t->dim[c->axis]);
		return;
	}
	c->type = "constexpr_blockwise_shift_scale";
	add_operand(c, "data", c->scheme->dtype, t->rank, t->dim);
	add_operand(c, "scale", out_dtype(c), t->rank, c->n);
	if (!c->scheme->is_signed)
		add_operand(c, "offset", c->scheme->dtype, t->rank, c->n);
}

static void make_table(struct coreml_change *c)
{
	const struct heft_tensor *t = c->tensor;
	uint64_t dim[COREML_RANK + 2], k = 1ull << c->scheme->bits, flat = (heft_tensor_count(t) * c->scheme->bits + 7) / 8;

	c->type = "constexpr_lut_to_dense";
	if (c->attributes) {
		add_operand(c, "indices", COREML_U8, 1, &flat);
		add_operand(c, "lut", out_dtype(c), 1, &k);
		return;
	}
	memcpy(dim, c->n, (size_t)t->rank * sizeof *dim);
	dim[t->rank] = k;
	dim[t->rank + 1] = 1;
	add_operand(c, "indices", c->scheme->dtype, t->rank, t->dim);
	add_operand(c, "lut", out_dtype(c), t->rank + 2, dim);
}

/* Numbers of an axis that share a scale or a table: what the user asks for, else the usual, where it divides. */
static uint64_t group_of(const struct coreml_change *c, int in)
{
	bool table = c->scheme->grid == COREML_TABLE;
	uint64_t group = c->group;

	if (group == UINT32_MAX && table)
		return 1;
	if (group)
		return group;
	if (table)
		return c->attributes || c->tensor->dim[c->axis] % DEFAULT_GROUP ? HEFT_GROUP_TENSOR : DEFAULT_GROUP;
	return c->scheme->bits == 8 || c->tensor->dim[in] % DEFAULT_BLOCK ? UINT32_MAX : DEFAULT_BLOCK;
}

/* How the constant is divided: into c->n, and in words. NULL: it is; else why it cannot be. */
static const char *divide(struct coreml_plan *p, struct coreml_change *c, int in, const char **how)
{
	const struct heft_tensor *t = c->tensor;
	bool table = c->scheme->grid == COREML_TABLE;
	uint64_t group = group_of(c, in);

	for (int d = 0; d < t->rank; d++)
		c->n[d] = 1;
	*how = group == HEFT_GROUP_TENSOR ? "per tensor" : group == UINT32_MAX || (table && group == 1) ? "per channel" :
	       arena_printf(p->arena, "per %" PRIu64 " %s", group, table ? "channels" : "columns");
	if (group == HEFT_GROUP_TENSOR)
		return NULL;
	if (c->attributes && (table || group != UINT32_MAX))
		return "groups need CoreML8 (iOS 18): convert the model for that, or write --group-size tensor or channel";
	if (group == UINT32_MAX) {
		c->n[c->axis] = t->dim[c->axis];
		return NULL;
	}
	if (t->dim[table ? c->axis : in] % group)
		return "its channels are no multiple of the group";
	c->n[c->axis] = table ? t->dim[c->axis] / group : t->dim[c->axis];
	if (!table)
		c->n[in] = t->dim[in] / group;
	return NULL;
}

/* NULL: compress it; else why not. *how: in which parts. */
static const char *compress(struct coreml_plan *p, struct coreml_change *c, const char **how)
{
	const struct heft_tensor *t = c->tensor;
	int opset = opset_of(p, c->op), in;

	if (t->packed)
		return "is compressed already";
	if (strcmp(t->enc->name, "f16") && strcmp(t->enc->name, "f32"))
		return "is no f16 or f32";
	if (c->out != t->enc)
		return "is another type to the program than its numbers are";
	if (t->rank < 2 || t->rank > COREML_RANK - 2 || heft_tensor_count(t) <= LEAST)
		return "is small, or no matrix";
	if (opset < c->scheme->least_opset)
		return arena_printf(p->arena, "needs CoreML%d (iOS %d), the program is made for CoreML%d", c->scheme->least_opset,
				    c->scheme->least_opset + 10, opset);
	c->attributes = opset < 8;
	if (!coreml_axes(&p->users, c->op, t->rank, &c->axis, &in))
		return "is used along different axes";
	return divide(p, c, in, how);
}

static const char *decompress(struct coreml_plan *p, struct coreml_change *c, const char **how)
{
	*how = "decompressed";
	c->attributes = true;
	c->type = "const";
	for (int d = 0; d < c->tensor->rank; d++)
		c->n[d] = 1;
	if (!c->tensor->packed)
		return "is not compressed";
	if (strcmp(c->out->name, c->scheme->name))
		return arena_printf(p->arena, "the program computes with %s", c->out->name);
	add_operand(c, "val", out_dtype(c), c->tensor->rank, c->tensor->dim);
	return NULL;
}

static uint64_t operand_bytes(const struct coreml_change *c, bool padded)
{
	uint64_t n = 0;

	for (int i = 0; i < c->n_operands; i++)
		n += padded ? coreml_room(c->operand[i].size) : c->operand[i].size;
	return n;
}

/* NULL: it changes; else why it stays. *how: in which parts. */
static const char *decide(struct coreml_plan *p, struct coreml_change *c, const char **how)
{
	const char *why;

	if (!coreml_rules_find(p, c->tensor->name, c))
		return "is left out by --ignore or --targets";
	if (out_dtype(c) != COREML_F16 && out_dtype(c) != COREML_F32)
		return "is no f16 or f32 to the program";
	if (c->scheme->grid == COREML_FLOATS)
		return decompress(p, c, how);
	if ((why = compress(p, c, how)))
		return why;
	(c->scheme->grid == COREML_TABLE ? make_table : make_integers)(c);
	return operand_bytes(c, true) + OP_BYTES > coreml_room(c->tensor->plane[0].size) ? "would not be smaller" : NULL;
}

static void stay(struct coreml_plan *p, size_t i, const char *why)
{
	struct heft_coreml_item *it = &p->pub.item[i];

	it->to = NULL;
	it->why = why;
	it->size_out = it->size_in;
	p->change[i].scheme = NULL;
}

static void decide_all(struct coreml_plan *p)
{
	struct heft_model *m = p->m;

	p->pub.n_items = m->n_tensors;
	p->pub.item = arena_array(p->arena, m->n_tensors + 1, sizeof *p->pub.item);
	p->change = arena_array(p->arena, m->n_tensors + 1, sizeof *p->change);
	for (size_t i = 0; i < m->n_tensors; i++) {
		struct heft_coreml_item *it = &p->pub.item[i];
		struct coreml_change *c = &p->change[i];
		const char *why, *how = NULL;
		const struct coreml_dtype_info *out = coreml_dtype(m->coreml->op[i]->out.dtype);

		*c = (struct coreml_change){ .tensor = &m->tensor[i], .op = m->coreml->op[i] };
		c->out = out && out->encoding ? quant_find(out->encoding) : m->tensor[i].enc;
		*it = (struct heft_coreml_item){ .name = m->tensor[i].name, .from = m->tensor[i].enc };
		for (int k = 0; k < m->tensor[i].n_planes; k++)
			it->size_in += m->tensor[i].plane[k].size;
		if ((why = decide(p, c, &how))) {
			stay(p, i, why);
			continue;
		}
		it->to = c->scheme->name;
		it->why = how;
		it->size_out = operand_bytes(c, false);
		p->pub.n_changed++;
	}
}

/* ---- the plan ---- */

/* A copy in which nothing is smaller is not what was asked for: the largest constant says why. */
static int check_changes(const struct coreml_plan *p, struct heft_err *err)
{
	const struct heft_coreml_item *most = NULL;

	for (size_t i = 0; i < p->pub.n_items; i++)
		if (!most || p->pub.item[i].size_in > most->size_in)
			most = &p->pub.item[i];
	if (p->pub.n_changed || p->scheme->grid == COREML_FLOATS)
		return 0;
	if (!most)
		return heft_fail(err, HEFT_E_TYPE, "%s: has no constants to write as %s", p->m->path, p->scheme->name);
	return heft_fail(err, HEFT_E_TYPE, "%s: no constant can become %s; the largest, '%s', %s", p->m->path, p->scheme->name, most->name, most->why);
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n > k && !strcmp(s + n - k, end);
}

static int find_scheme(struct coreml_plan *p, struct heft_err *err)
{
	const struct heft_job *job = p->job;

	if (job->n_outputs != 1 || !job->output[0].path || !job->output[0].type || !strcmp(job->output[0].path, "-"))
		return heft_fail(err, HEFT_E_OPTION, "--to coreml: say what to write with -t TYPE, and one folder with -o OUT.mlpackage");
	if (!ends_with(job->output[0].path, ".mlpackage"))
		return heft_fail(err, HEFT_E_OPTION, "--to coreml writes a folder that ends in .mlpackage, not '%s'", job->output[0].path);
	p->pub.type = arena_strdup(p->arena, job->output[0].type);
	p->pub.path = arena_strdup(p->arena, job->output[0].path);
	p->scheme = coreml_scheme_find(p->pub.type);
	if (!p->scheme)
		return heft_fail(err, HEFT_E_TYPE, "--to coreml does not write '%s': int8, uint8, int4, uint4, palette1, palette2, palette3, palette4, palette6, "
				 "palette8, and f16 or f32 to decompress", p->pub.type);
	if (p->scheme->grid == COREML_FLOATS && job->group_size)
		return heft_fail(err, HEFT_E_OPTION, "--group-size: %s has no groups", p->scheme->name);
	return 0;
}

/* Constants that share bytes and change in different ways could need more room than before. */
static int check_size(const struct coreml_plan *p, struct heft_err *err)
{
	for (size_t i = 0; i < p->pub.n_items; i++)
		if (p->change[i].scheme && p->change[i].scheme->grid == COREML_FLOATS) /* that is what was asked for */
			return 0;
	if (p->pub.size_out <= p->pub.size_in)
		return 0;
	return heft_fail(err, HEFT_E_TYPE, "%s: would become larger as %s, since its constants share bytes; choose some with --targets", p->m->path,
			 p->scheme->name);
}

static int settle(struct coreml_plan *p, struct heft_err *err)
{
	decide_all(p);
	return coreml_rules_check(p, err) || check_changes(p, err) || coreml_place(p, err) || check_size(p, err) ? -1 : 0;
}

int heft_coreml_plan_check(struct heft_coreml_plan *pub, struct heft_err *err)
{
	struct coreml_plan *p = (struct coreml_plan *)(void *)pub;
	size_t odd = 0;

	for (size_t i = 0; i < pub->n_items; i++) {
		const struct coreml_scheme *s = p->change[i].scheme;
		int finite = s && s->grid != COREML_FLOATS ? coreml_finite(p->m, p->change[i].tensor, s->grid == COREML_TABLE, err) : 1;

		if (finite < 0)
			return -1;
		if (finite)
			continue;
		stay(p, i, "holds NaN, infinity or what f16 cannot hold");
		pub->n_changed--;
		odd++;
	}
	return odd && (check_changes(p, err) || coreml_place(p, err) || check_size(p, err)) ? -1 : 0;
}

int heft_coreml_plan_new(struct heft_coreml_plan **out, struct heft_model *m, const struct heft_job *job, struct heft_err *err)
{
	struct arena *a = arena_new();
	struct coreml_plan *p = arena_alloc(a, sizeof *p);

	*p = (struct coreml_plan){ .arena = a, .m = m, .job = job, .force = job->force };
	p->threads = job->threads > 0 ? job->threads : heft_default_threads();
	map_init(&p->by_offset);
	map_init(&p->users.map);
	if (!m->coreml) {
		heft_coreml_plan_free(&p->pub);
		return heft_fail(err, HEFT_E_OPTION, "%s: is no ML Program (X.mlpackage), the only source of --to coreml", m->path);
	}
	coreml_users_find(&p->users, &m->coreml->program, p->arena);
	if (find_scheme(p, err) || coreml_rules_open(p, err) || settle(p, err)) {
		heft_coreml_plan_free(&p->pub);
		return -1;
	}
	p->job = NULL; /* borrowed until here */
	*out = &p->pub;
	return 0;
}

void heft_coreml_plan_free(struct heft_coreml_plan *pub)
{
	struct coreml_plan *p = (struct coreml_plan *)(void *)pub;

	if (!p)
		return;
	map_release(&p->by_offset);
	map_release(&p->users.map);
	arena_free(p->arena);
}
