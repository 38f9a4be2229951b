/*
 * torch_names.c - the functions and classes that a checkpoint may name, and what each means here. Nothing is looked up or called: the list
 * decides which values are tensors, and which files say more than a checkpoint needs to.
 *
 * The names are PyTorch 2.14's own list for weights_only loading, those that torch.jit writes, and plain values of Python and numpy that
 * training scripts save beside weights.
 */
#include "torch.h"

#include <inttypes.h>
#include <string.h>

static const struct torch_dtype dtypes[] = {
	{ "float32", "FloatStorage", "f32", 4 },
	{ "float64", "DoubleStorage", "f64", 8 },
	{ "float16", "HalfStorage", "f16", 2 },
	{ "bfloat16", "BFloat16Storage", "bf16", 2 },
	{ "int64", "LongStorage", "i64", 8 },
	{ "int32", "IntStorage", "i32", 4 },
	{ "int16", "ShortStorage", "i16", 2 },
	{ "int8", "CharStorage", "i8", 1 },
	{ "uint8", "ByteStorage", "u8", 1 },
	{ "uint16", NULL, "u16", 2 },
	{ "uint32", NULL, "u32", 4 },
	{ "uint64", NULL, "u64", 8 },
	{ "bool", "BoolStorage", "bool", 1 },
	{ "float8_e4m3fn", NULL, "f8_e4m3", 1 },
	{ "float8_e5m2", NULL, "f8_e5m2", 1 },
	{ "float8_e4m3fnuz", NULL, "f8_e4m3fnuz", 1 },
	{ "float8_e5m2fnuz", NULL, "f8_e5m2fnuz", 1 },
	{ "float8_e8m0fnu", NULL, "f8_e8m0", 1 },
	{ "qint8", "QInt8Storage", "i8", 1 },
	{ "quint8", "QUInt8Storage", "u8", 1 },
	{ "qint32", "QInt32Storage", "i32", 4 },
	/* known by size, so that the files that hold them can be read past them */
	{ "complex32", NULL, NULL, 4 },
	{ "bcomplex32", NULL, NULL, 4 },
	{ "complex64", "ComplexFloatStorage", "c64", 8 },
	{ "complex128", "ComplexDoubleStorage", NULL, 16 },
	{ "quint4x2", "QUInt4x2Storage", NULL, 1 },
	{ "quint2x4", "QUInt2x4Storage", NULL, 1 },
	{ "float4_e2m1fn_x2", NULL, NULL, 1 },
	{ "bits8", NULL, NULL, 1 },
	{ "bits16", NULL, NULL, 2 },
	{ "bits1x8", NULL, NULL, 1 },
	{ "bits2x4", NULL, NULL, 1 },
	{ "bits4x2", NULL, NULL, 1 },
	{ "int1", NULL, NULL, 1 }, { "int2", NULL, NULL, 1 }, { "int3", NULL, NULL, 1 }, { "int4", NULL, NULL, 1 },
	{ "int5", NULL, NULL, 1 }, { "int6", NULL, NULL, 1 }, { "int7", NULL, NULL, 1 },
	{ "uint1", NULL, NULL, 1 }, { "uint2", NULL, NULL, 1 }, { "uint3", NULL, NULL, 1 }, { "uint4", NULL, NULL, 1 },
	{ "uint5", NULL, NULL, 1 }, { "uint6", NULL, NULL, 1 }, { "uint7", NULL, NULL, 1 },
};

/* names: separated by blanks; "*": all of the module, and of those below it where its name ends in a point */
static const struct row {
	const char *module, *names;
	enum torch_role role;
} rows[] = {
	{ "torch._utils", "_rebuild_tensor _rebuild_tensor_v2 _rebuild_qtensor", TORCH_PLAIN },
	{ "torch._utils", "_rebuild_tensor_v3", TORCH_TYPED },
	{ "torch._utils", "_rebuild_parameter _rebuild_parameter_with_state", TORCH_WRAP },
	{ "torch._tensor", "_rebuild_from_type_v2", TORCH_CALL },
	{ "torch.tensor", "_rebuild_from_type_v2", TORCH_CALL },
	{ "torch.nn.parameter", "Parameter Buffer", TORCH_WRAP },
	{ "torch._utils", "_rebuild_sparse_tensor _rebuild_nested_tensor _rebuild_meta_tensor_no_storage _rebuild_wrapper_subclass "
			  "_rebuild_device_tensor_from_numpy _rebuild_device_tensor_from_cpu_tensor _rebuild_xla_tensor _rebuild_sparse_csr_tensor",
	  TORCH_UNSUPPORTED },
	{ "collections", "OrderedDict", TORCH_ORDERED },
	{ "torch", "Size device Tensor Generator per_tensor_affine per_tensor_symmetric per_channel_affine per_channel_symmetric "
		   "per_channel_affine_float_qparams strided sparse_coo contiguous_format preserve_format channels_last "
		   "FloatTensor DoubleTensor HalfTensor BFloat16Tensor LongTensor IntTensor ShortTensor CharTensor ByteTensor BoolTensor",
	  TORCH_HARMLESS },
	{ "torch.cuda", "FloatTensor DoubleTensor HalfTensor BFloat16Tensor LongTensor IntTensor ShortTensor CharTensor ByteTensor BoolTensor",
	  TORCH_HARMLESS },
	{ "torch.serialization", "_get_layout", TORCH_HARMLESS },
	{ "torch.jit._pickle", "build_intlist build_doublelist build_boollist build_tensor_from_id", TORCH_HARMLESS },
	{ "torch.jit._pickle", "build_tensorlist restore_type_tag", TORCH_WRAP },
	{ "__torch__", "*", TORCH_HARMLESS },
	{ "__torch__.", "*", TORCH_HARMLESS }, /* classes of TorchScript, whose code lies beside */
	{ "collections", "defaultdict Counter deque", TORCH_HARMLESS },
	{ "builtins", "set frozenset list dict tuple int float bool str bytes bytearray complex slice range object", TORCH_HARMLESS },
	{ "__builtin__", "set frozenset list dict tuple int long float bool str unicode bytearray complex slice xrange object", TORCH_HARMLESS },
	{ "copy_reg", "_reconstructor", TORCH_HARMLESS },
	{ "copyreg", "_reconstructor", TORCH_HARMLESS },
	{ "_codecs", "encode", TORCH_HARMLESS },
	{ "argparse", "Namespace", TORCH_HARMLESS },
	{ "types", "SimpleNamespace", TORCH_HARMLESS },
	{ "pathlib", "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath", TORCH_HARMLESS },
	{ "pathlib._local", "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath", TORCH_HARMLESS },
	{ "datetime", "datetime date time timedelta timezone", TORCH_HARMLESS },
	{ "numpy", "ndarray dtype", TORCH_HARMLESS },
	{ "numpy.core.multiarray", "_reconstruct scalar", TORCH_HARMLESS },
	{ "numpy._core.multiarray", "_reconstruct scalar", TORCH_HARMLESS },
	{ "numpy.core.numeric", "_frombuffer", TORCH_HARMLESS },
	{ "numpy._core.numeric", "_frombuffer", TORCH_HARMLESS },
	{ "numpy.random._pickle", "__randomstate_ctor __generator_ctor __bit_generator_ctor", TORCH_HARMLESS },
};

/* Is the word one of the list? */
static bool listed(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; n && (p = strstr(p, word)); p += n)
		if ((p == list || p[-1] == ' ') && (!p[n] || p[n] == ' '))
			return true;
	return !strcmp(list, "*");
}

static bool in_module(const char *row, const char *module)
{
	size_t n = strlen(row);

	return row[n - 1] == '.' ? !strncmp(module, row, n) : !strcmp(module, row);
}

static const struct torch_dtype *find_dtype(const char *name, bool storage)
{
	for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
		const char *have = storage ? dtypes[i].storage : dtypes[i].name;

		if (have && !strcmp(have, name))
			return &dtypes[i];
	}
	return NULL;
}

enum torch_role torch_role(const struct pickle_global *g, const struct torch_dtype **dtype)
{
	bool in_torch = !strcmp(g->module, "torch"), in_cuda = !strcmp(g->module, "torch.cuda");

	*dtype = in_torch || in_cuda ? find_dtype(g->name, true) : NULL;
	if (*dtype)
		return TORCH_STORAGE;
	if (!strcmp(g->module, "torch.storage") && (!strcmp(g->name, "UntypedStorage") || !strcmp(g->name, "TypedStorage")))
		return TORCH_STORAGE;
	*dtype = in_torch ? find_dtype(g->name, false) : NULL;
	if (*dtype)
		return TORCH_DTYPE;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (in_module(rows[i].module, g->module) && listed(rows[i].names, g->name))
			return rows[i].role;
	return TORCH_FOREIGN;
}

enum torch_role torch_role_of(const struct pickle_value *callee)
{
	const struct torch_dtype *dtype;

	return callee && callee->kind == PICKLE_GLOBAL ? torch_role(callee->global, &dtype) : TORCH_FOREIGN;
}

/* ---- the scanner ---- */

static int tell_foreign(struct torch *t, const struct pickle_global *g, const char *pickle)
{
	struct heft_global global = { pickle, g->module, g->name, g->opcode, g->offset, g->called };
	struct heft_problem p = {
		.code = HEFT_E_PICKLE, .file = t->file, .global = &global,
		.hint = "do not load this file with torch.load; ask whoever made it for safetensors, or for a plain state_dict",
	};

	p.text = arena_printf(t->arena, "%s: %s at byte %" PRIu64 " names %s.%s%s, which is no part of a checkpoint: heft runs nothing, other loaders might",
			      pickle, g->opcode, g->offset, g->module, g->name, g->called ? " and calls it" : "");
	return sink_tell(t->sink, &p);
}

static int scan(struct torch *t, const struct pickle *p, const char *name)
{
	const struct torch_dtype *dtype;

	for (size_t i = 0; i < p->n_globals; i++)
		if (torch_role(p->global[i], &dtype) == TORCH_FOREIGN && tell_foreign(t, p->global[i], name))
			return -1;
	return 0;
}

/* What stands before the place where a pickle breaks is told too. */
int torch_read(struct torch *t, struct pickle *p, uint64_t begin, uint64_t end, const char *name)
{
	struct heft_err why = { 0 };

	if (!pickle_read(p, t->src, begin, end, name, t->arena, &why))
		return scan(t, p, name);
	if (scan(t, p, name))
		return -1;
	return heft_fail(t->err, why.code, "%s: %s", t->file, why.text);
}
