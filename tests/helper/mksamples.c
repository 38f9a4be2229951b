/*
 * mksamples.c - writes the samples of testdata/samples and its like and their README.md, so that every byte of them has its reason here.
 *
 * usage: mksamples DIR [samples|imatrix|lora|manifest]
 *
 * A sample's name says what opening it must give: good-*: it opens; bad-E203-*, unsupported-E206-*: error 203, 206. A row whose path has a
 * slash is one file of a directory sample. The bytes are told in words, separated by blanks:
 *
 *   GGUF       these letters              s:TEXT   a GGUF string: length u64, bytes     j:TEXT   bytes
 *   b1 w1 i1 q1  u8 u16 u32 u64           J:TEXT   a safetensors header: length u64, bytes
 *   z8         8 zero bytes               p32      zero bytes up to a multiple of 32
 *   f8         8 times the f32 1                   o8         8 bytes of 1
 *   t:NAME;TYPE;LINK;SIZE  a tar header (ustar): type 0 a file, 1 hard link, 2 symbolic link, 3 device, 5 folder, 6 pipe
 *   %HH in a TEXT: that byte
 */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct sample {
	const char *path, *about, *bytes;
};

#define A4 "\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":"
#define ST_A "\"a\":{" A4 "[0,4]}"
#define ST_B "\"b\":{" A4 "[4,8]}"
#define ONE "GGUF i3 q1 q0 s:a i1 q8 i0 q0 p32 z32" /* tensor a: 8 x f32 */
#define INDEX(map) "j:{\"metadata\":{\"total_size\":8},\"weight_map\":{" map "}}"
#define SHARD_1 "model-00001-of-00002.safetensors"
#define SHARD_2 "model-00002-of-00002.safetensors"
#define IN_1(name) "\"" name "\":\"" SHARD_1 "\""
#define IN_2(name) "\"" name "\":\"" SHARD_2 "\""
#define LFS "j:version%20https://git-lfs.github.com/spec/v1%0aoid%20sha256:4665076e6d5c0b2d%0asize%20123%0a"
#define FILE_A "J:{" ST_A "} z4"
#define FILE_B "J:{\"b\":{" A4 "[0,4]}} z4"
#define SPLIT(no, count, total) "s:split.no i2 w" #no " s:split.count i2 w" #count " s:split.tensors.count i5 i" #total

#define T(name, dtype, shape, range) "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" range "}"
#define FP8(range) T("m.weight", "F8_E4M3", "[2,2]", range)
#define NVFP4 T("m.weight", "U8", "[1,8]", "[0,8]") "," T("m.weight_scale", "F8_E4M3", "[1,1]", "[8,9]")
#define ONE_F32 "i1065353216"
#define GPTQ T("m.qweight", "I32", "[1,8]", "[0,32]") "," T("m.qzeros", "I32", "[1,1]", "[32,36]") "," T("m.scales", "F16", "[1,8]", "[36,52]")
#define MLX T("m.weight", "U32", "[1,8]", "[0,32]") "," T("m.scales", "BF16", "[1,1]", "[32,34]")
#define NF4 T("m.weight", "U8", "[4,1]", "[0,4]") "," T("m.weight.absmax", "F32", "[2]", "[4,12]")
#define NF4_STATE "m.weight.quant_state.bitsandbytes__nf4"
#define ONES_F8 "b56 b56 b56 b56"
#define EIGHT "j:%12%34%56%71%12%34%56%71"

static const struct sample samples[] = {
	/* ---- GGUF ---- */
	{ "good-v3.gguf", "version 3, one tensor", ONE },
	{ "good-v2.gguf", "version 2, one tensor", "GGUF i2 q1 q0 s:a i1 q8 i0 q0 p32 z32" },
	{ "good-empty.gguf", "neither metadata nor tensors", "GGUF i3 q0 q0" },
	{ "good-zero-size.gguf", "a tensor of no elements beside one with", "GGUF i3 q2 q0 s:a i2 q0 q8 i0 q0 s:b i1 q8 i0 q0 p32 z32" },
	{ "good-scalar.gguf", "a tensor without dimensions", "GGUF i3 q1 q0 s:a i0 i0 q0 p32 z32" },
	{ "good-alignment-64.gguf", "general.alignment 64", "GGUF i3 q2 q1 s:general.alignment i4 i64 s:a i1 q8 i0 q0 s:b i1 q1 i0 q64 p64 z128" },
	{ "good-unpadded-end.gguf", "the last tensor is not filled up to the alignment", "GGUF i3 q1 q0 s:a i1 q1 i0 q0 p32 z4" },
	{ "good-any-order.gguf", "the tensor list is not in the order of the bytes", "GGUF i3 q2 q0 s:b i1 q8 i0 q32 s:a i1 q8 i0 q0 p32 z64" },
	{ "good-trailing.gguf", "bytes behind the last tensor: a warning", ONE " z64" },
	{ "good-every-value.gguf", "metadata of every type",
	  "GGUF i3 q0 q16 s:u8 i0 b255 s:i8 i1 b255 s:u16 i2 w65535 s:i16 i3 w65535 s:u32 i4 i4294967295 s:i32 i5 i4294967295 s:f32 i6 i1069547520 "
	  "s:bool i7 b1 s:string i8 s:text s:u64 i10 q18446744073709551615 s:i64 i11 q18446744073709551615 s:f64 i12 q4609434218613702656 "
	  "s:u16s i9 i2 q2 w1 w2 s:strings i9 i8 q2 s:x s: s:bools i9 i7 q3 b0 b1 b2 s:none i9 i5 q0" },
	{ "bad-E201-html.gguf", "a web page", "j:<!DOCTYPE%20html><html>Sign%20in</html>" },
	{ "bad-E201-ggjt.gguf", "the format before GGUF", "j:tjgg i3 z64" },
	{ "bad-E202-empty.gguf", "no bytes", "" },
	{ "bad-E202-magic-only.gguf", "ends behind the magic number", "GGUF" },
	{ "bad-E202-header-cut.gguf", "ends inside a key", "GGUF i3 q0 q1 q20 j:general.arch" },
	{ "bad-E202-data-missing.gguf", "ends before the tensor's bytes do", "GGUF i3 q1 q0 s:a i1 q9 i0 q0 p32 z32" },
	{ "bad-E202-kv-count.gguf", "2^61 keys in 24 bytes", "GGUF i3 q0 q2305843009213693952" },
	{ "bad-E202-tensor-count.gguf", "2^61 tensors in 24 bytes", "GGUF i3 q2305843009213693952 q0" },
	{ "bad-E202-key-length.gguf", "a key of 2^64-1 bytes", "GGUF i3 q0 q1 q18446744073709551615 j:aaaaaaaaaaaaaaaaaaaa" },
	{ "bad-E202-string-length.gguf", "a value of 2^63 bytes", "GGUF i3 q0 q1 s:k i8 q9223372036854775808 j:x" },
	{ "bad-E202-token-length.gguf", "a token of 2^32+1 bytes", "GGUF i3 q0 q1 s:tokenizer.ggml.tokens i9 i8 q1 q4294967297 j:x" },
	{ "bad-E202-strings-count.gguf", "an array of 2^62 strings", "GGUF i3 q0 q1 s:k i9 i8 q4611686018427387904 z32" },
	{ "bad-E202-array-overflow.gguf", "an array of 2^61+1 u64: its size overflows to 8", "GGUF i3 q0 q1 s:k i9 i10 q2305843009213693953 z8" },
	{ "bad-E202-offset-beyond.gguf", "a tensor at offset 2^63", "GGUF i3 q1 q0 s:a i1 q8 i0 q9223372036854775808 p32 z32" },
	{ "bad-E203-nested-array.gguf", "an array of arrays", "GGUF i3 q0 q1 s:k i9 i9 q1 i9 q1 i9 q0" },
	{ "bad-E203-value-type.gguf", "a value of type 13", "GGUF i3 q0 q1 s:k i13 z16" },
	{ "bad-E203-array-type.gguf", "an array of type 4294967295", "GGUF i3 q0 q1 s:k i9 i4294967295 q1 z16" },
	{ "bad-E203-alignment-0.gguf", "general.alignment 0", "GGUF i3 q1 q1 s:general.alignment i4 i0 s:a i1 q8 i0 q0 p32 z32" },
	{ "bad-E203-alignment-24.gguf", "general.alignment no power of two", "GGUF i3 q1 q1 s:general.alignment i4 i24 s:a i1 q8 i0 q0 p32 z32" },
	{ "bad-E203-alignment-huge.gguf", "general.alignment 2^31", "GGUF i3 q1 q1 s:general.alignment i4 i2147483648 s:a i1 q8 i0 q0 p32 z32" },
	{ "bad-E203-alignment-type.gguf", "general.alignment is a string", "GGUF i3 q1 q1 s:general.alignment i8 s:32 s:a i1 q8 i0 q0 p32 z32" },
	{ "bad-E203-offset-unaligned.gguf", "a tensor at offset 4", "GGUF i3 q1 q0 s:a i1 q1 i0 q4 p32 z32" },
	{ "bad-E203-name-empty.gguf", "a tensor without a name", "GGUF i3 q1 q0 s: i1 q8 i0 q0 p32 z32" },
	{ "bad-E203-name-nul.gguf", "a NUL inside a name", "GGUF i3 q1 q0 s:a%00b i1 q8 i0 q0 p32 z32" },
	{ "bad-E204-overlap.gguf", "two tensors share bytes", "GGUF i3 q2 q0 s:a i1 q16 i0 q0 s:b i1 q8 i0 q32 p32 z64" },
	{ "bad-E204-same-bytes.gguf", "two tensors at one offset", "GGUF i3 q2 q0 s:a i1 q8 i0 q0 s:b i1 q8 i0 q0 p32 z32" },
	{ "bad-E204-hole.gguf", "bytes between tensors that belong to none", "GGUF i3 q2 q0 s:a i1 q8 i0 q0 s:b i1 q8 i0 q96 p32 z128" },
	{ "bad-E205-key-twice.gguf", "one key twice", "GGUF i3 q0 q2 s:k i0 b1 s:k i0 b2" },
	{ "bad-E205-tensor-twice.gguf", "one name for two tensors", "GGUF i3 q2 q0 s:a i1 q8 i0 q0 s:a i1 q8 i0 q32 p32 z64" },
	{ "good-iq2_xxs.gguf", "points of a grid", "GGUF i3 q1 q0 s:a i1 q256 i16 q0 p32 z96" },
	{ "bad-E206-type-99.gguf", "a type number that nobody gave out", "GGUF i3 q1 q0 s:a i1 q8 i99 q0 p32 z32" },
	{ "bad-E206-type-4.gguf", "a type number that was taken back", "GGUF i3 q1 q0 s:a i1 q32 i4 q0 p32 z32" },
	{ "bad-E207-dims-5.gguf", "5 dimensions", "GGUF i3 q1 q0 s:a i5 q1 q1 q1 q1 q1 i0 q0 p32 z32" },
	{ "bad-E207-dims-many.gguf", "2^32-1 dimensions", "GGUF i3 q1 q0 s:a i4294967295 q1 i0 q0 p32 z32" },
	{ "bad-E207-product-overflow.gguf", "2^32 x 2^32 elements: 0 in 64 bits", "GGUF i3 q1 q0 s:a i2 q4294967296 q4294967296 i0 q0 p32 z32" },
	{ "bad-E207-bytes-overflow.gguf", "2^62 f32: their bytes are 0 in 64 bits", "GGUF i3 q1 q0 s:a i1 q4611686018427387904 i0 q0 p32 z32" },
	{ "bad-E207-row-of-100.gguf", "Q4_K with rows of 100", "GGUF i3 q1 q0 s:a i1 q100 i12 q0 p32 z64" },
	{ "bad-E207-zero-and-huge.gguf", "2^40 x 2^40 x 0 elements", "GGUF i3 q1 q0 s:a i3 q1099511627776 q1099511627776 q0 i0 q0 p32 z32" },
	{ "bad-E208-key.gguf", "a key that is not UTF-8", "GGUF i3 q0 q1 s:k%ff i0 b1" },
	{ "bad-E208-tensor-name.gguf", "an overlong UTF-8 form in a name", "GGUF i3 q1 q0 s:a%c0%af i1 q8 i0 q0 p32 z32" },
	{ "bad-E217-version-1.gguf", "version 1", "GGUF i1 i0 i0" },
	{ "bad-E217-version-4.gguf", "version 4", "GGUF i4 q0 q0" },
	{ "unsupported-E217-big-endian.gguf", "big-endian", "GGUF b0 b0 b0 b3 z16" },

	/* ---- safetensors ---- */
	{ "good-one.safetensors", "one tensor", FILE_A },
	{ "good-none.safetensors", "no tensor", "J:{}" },
	{ "good-metadata.safetensors", "metadata and white space", "J:%20 j:" }, /* replaced below */
	{ "good-metadata-null.safetensors", "no metadata, as MLX says it", "J:{\"__metadata__\":null," ST_A "} z4" },
	{ "bad-E216-metadata-nul.safetensors", "a word that is none", "J:{\"__metadata__\":nul," ST_A "} z4" },
	{ "good-zero-size.safetensors", "a tensor of no elements", "J:{\"e\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[0,0]}," ST_A "} z4" },
	{ "good-scalar.safetensors", "a tensor without dimensions", "J:{\"a\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[0,2]}} z2" },
	{ "good-escapes.safetensors", "escapes in names, an unknown member", "J:{\"\\u00e9\\ud83d\\ude00\\n\":{\"x\":[{}],\"\\u0064type\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]}} z2" },
	{ "good-any-order.safetensors", "the list is not in the order of the bytes", "J:{" ST_B "," ST_A "} z8" },
	{ "good-trailing.safetensors", "bytes behind the last tensor: a warning", FILE_A " z3" },
	{ "bad-E201-json.safetensors", "a server's answer", "j:{\"error\":\"Access%20to%20this%20model%20is%20restricted\"}" },
	{ "bad-E201-html.safetensors", "a web page", "j:%0a%20%20<HTML><body>404</body></html>" },
	{ "bad-E201-zip.safetensors", "a zip archive", "j:PK%03%04 z60" },
	{ "bad-E201-pickle.safetensors", "a Python pickle", "j:%80%02}q%00." },
	{ "bad-E202-empty.safetensors", "no bytes", "" },
	{ "bad-E202-three-bytes.safetensors", "three bytes", "b8 b0 b0" },
	{ "bad-E202-zeros.safetensors", "a download that reserved its space and never filled it", "z128" },
	{ "bad-E202-header-cut.safetensors", "ends inside the header", "q200 j:{" ST_A "," },
	{ "bad-E202-data-cut.safetensors", "ends inside a tensor", "J:{" ST_A "," ST_B "} z7" },
	{ "bad-E203-header-length-2e63.safetensors", "a header of 2^63-1 bytes", "q9223372036854775807 j:{" ST_A "} z4" },
	{ "bad-E203-header-length-100mb.safetensors", "a header of 100 MB and one byte", "q100000001 j:{" ST_A "} z4" },
	{ "bad-E203-header-length-1.safetensors", "a header of one byte", "q1 j:{" },
	{ "bad-E203-array.safetensors", "the header is an array", "J:[1,2] z8" },
	{ "bad-E203-leading-space.safetensors", "the header begins with a blank", "J:%20{" ST_A "} z4" },
	{ "bad-E203-backwards.safetensors", "a range that ends before it begins", "J:{\"a\":{" A4 "[4,0]}} z4" },
	{ "bad-E203-one-offset.safetensors", "one offset", "J:{\"a\":{" A4 "[4]}} z4" },
	{ "bad-E203-three-offsets.safetensors", "three offsets", "J:{\"a\":{" A4 "[0,4,8]}} z4" },
	{ "bad-E203-no-dtype.safetensors", "no dtype", "J:{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}} z4" },
	{ "bad-E203-no-shape.safetensors", "no shape", "J:{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}} z4" },
	{ "bad-E203-no-offsets.safetensors", "no data_offsets", "J:{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}} z4" },
	{ "bad-E203-metadata-number.safetensors", "a number in __metadata__", "J:{\"__metadata__\":{\"x\":1}," ST_A "} z4" },
	{ "bad-E203-name-empty.safetensors", "a tensor without a name", "J:{\"\":{" A4 "[0,4]}} z4" },
	{ "bad-E203-name-nul.safetensors", "a NUL inside a name", "J:{\"a\\u0000b\":{" A4 "[0,4]}} z4" },
	{ "bad-E203-end-beyond.safetensors", "a range up to 2^64-1", "J:{\"a\":{" A4 "[0,18446744073709551615]}} z4" },
	{ "bad-E204-overlap.safetensors", "two tensors share bytes", "J:{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}," ST_B "} z8" },
	{ "bad-E204-same-bytes.safetensors", "two tensors are the same bytes", "J:{" ST_A ",\"b\":{" A4 "[0,4]}} z4" },
	{ "bad-E204-hole.safetensors", "bytes between tensors that belong to none", "J:{" ST_A ",\"b\":{" A4 "[8,12]}} z12" },
	{ "bad-E204-hole-first.safetensors", "bytes before the first tensor", "J:{\"b\":{" A4 "[4,8]}} z8" },
	{ "bad-E205-name-twice.safetensors", "one name for two tensors", "J:{" ST_A ",\"a\":{" A4 "[4,8]}} z8" },
	{ "bad-E205-name-twice-escaped.safetensors", "the same, the second spelt with an escape", "J:{" ST_A ",\"\\u0061\":{" A4 "[4,8]}} z8" },
	{ "bad-E205-shape-twice.safetensors", "two shapes for one tensor", "J:{\"a\":{\"shape\":[9]," A4 "[0,4]}} z4" },
	{ "bad-E206-dtype.safetensors", "a dtype that nobody gave out", "J:{\"a\":{\"dtype\":\"Q9\",\"shape\":[1],\"data_offsets\":[0,4]}} z4" },
	{ "unsupported-E206-c64.safetensors", "complex numbers", "J:{\"a\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,8]}} z8" },
	{ "bad-E207-shape.safetensors", "the shape needs more bytes than the range has", "J:{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,4]}} z4" },
	{ "bad-E207-overflow.safetensors", "2^32 x 2^32 elements in no bytes", "J:{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}" },
	{ "bad-E207-overflow-bits.safetensors", "2^61 elements: their bits overflow", "J:{\"a\":{\"dtype\":\"F32\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}" },
	{ "bad-E207-dims-9.safetensors", "9 dimensions", "J:{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}} z4" },
	{ "bad-E208-name.safetensors", "a name that is not UTF-8", "J:{\"a%ff\":{" A4 "[0,4]}} z4" },
	{ "bad-E213-lfs.safetensors", "a Git LFS pointer", LFS },
	{ "bad-E216-open.safetensors", "the object does not end", "J:{" ST_A " z4" },
	{ "bad-E216-comma.safetensors", "a comma too many", "J:{" ST_A ",} z4" },
	{ "bad-E216-behind.safetensors", "text behind the object", "J:{" ST_A "}x z4" },
	{ "bad-E216-two-objects.safetensors", "two objects", "J:{" ST_A "}{} z4" },
	{ "bad-E216-negative.safetensors", "a negative offset", "J:{\"a\":{" A4 "[-4,0]}} z4" },
	{ "bad-E216-float.safetensors", "an offset with a point", "J:{\"a\":{" A4 "[0.0,4]}} z4" },
	{ "bad-E216-exponent.safetensors", "an offset with an exponent", "J:{\"a\":{" A4 "[0,1e99]}} z4" },
	{ "bad-E216-65-bits.safetensors", "an offset of 65 bits", "J:{\"a\":{" A4 "[0,18446744073709551616]}} z4" },
	{ "bad-E216-dtype-number.safetensors", "a dtype that is a number", "J:{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}} z4" },
	{ "bad-E216-surrogate.safetensors", "half a surrogate pair in a name", "J:{\"\\ud83d\":{" A4 "[0,4]}} z4" },
	{ "bad-E216-deep.safetensors", "250 brackets", "" }, /* replaced below */

	/* ---- quantized modules ---- */
	{ "good-packed-fp8-block.safetensors", "8-bit floats and the scale of their block", "J:{" FP8("[0,4]") "," T("m.weight_scale_inv", "F32", "[1,1]", "[4,8]") "} " ONES_F8 " " ONE_F32 },
	{ "good-packed-nvfp4.safetensors", "4-bit floats, a scale, a factor", "J:{" NVFP4 "," T("m.weight_scale_2", "F32", "[]", "[9,13]") "} " EIGHT " b56 " ONE_F32 },
	{ "good-packed-mxfp4-blocks.safetensors", "4-bit floats of experts", "J:{" T("e_blocks", "U8", "[1,1,1,16]", "[0,16]") "," T("e_scales", "U8", "[1,1,1]", "[16,17]") "} " EIGHT " " EIGHT " b127" },
	{ "bad-E304-packed-fp8-lone-scale.safetensors", "a scale without its weight", "J:{" T("m.weight_scale_inv", "F32", "[1,1]", "[0,4]") "} " ONE_F32 },
	{ "bad-E304-packed-fp8-no-scale.safetensors", "a weight of 8-bit floats without its scale, beside one that has it",
	  "J:{" FP8("[0,4]") "," T("m.weight_scale_inv", "F32", "[1,1]", "[4,8]") "," T("n.weight", "F8_E4M3", "[2,2]", "[8,12]") "} " ONES_F8 " " ONE_F32 " " ONES_F8 },
	{ "bad-E304-packed-nvfp4-no-factor.safetensors", "4-bit floats without the factor of their scales", "J:{" NVFP4 "} " EIGHT " b56" },
	{ "bad-E304-packed-mxfp4-no-scales.safetensors", "blocks without scales", "J:{" T("e_blocks", "U8", "[1,1,1,16]", "[0,16]") "} " EIGHT " " EIGHT },
	{ "bad-E206-packed-fp8-scaled-f32.safetensors", "a scale whose weight is no 8-bit float", "J:{" T("m.weight", "F32", "[1]", "[0,4]") "," T("m.weight_scale", "F32", "[]", "[4,8]") "} " ONE_F32 " " ONE_F32 },
	{ "bad-E207-packed-fp8-scale-shape.safetensors", "scales of 3 x 3 for a weight of 2 x 2", "J:{" FP8("[0,4]") "," T("m.weight_scale_inv", "F32", "[3,3]", "[4,40]") "} " ONES_F8 " z36" },
	{ "bad-E207-packed-fp8-empty.safetensors", "a weight of no rows with a scale", "J:{" T("m.weight", "F8_E4M3", "[0,2]", "[0,0]") "," T("m.weight_scale_inv", "F32", "[0,1]", "[0,0]") "}" },
	{ "bad-E207-packed-nvfp4-scale-shape.safetensors", "one scale for 32 numbers of a kind that has one for 16",
	  "J:{" T("m.weight", "U8", "[1,16]", "[0,16]") "," T("m.weight_scale", "F8_E4M3", "[1,1]", "[16,17]") "," T("m.weight_scale_2", "F32", "[]", "[17,21]") "} " EIGHT " " EIGHT " b56 " ONE_F32 },

	{ "good-packed-gptq4.safetensors", "GPTQ", "J:{" GPTQ "," T("m.g_idx", "I32", "[8]", "[52,84]") "} " EIGHT " z28 w15360 z46" },
	{ "good-packed-gptq3.safetensors", "GPTQ of 3 bits, act-order", "J:{" T("m.qweight", "I32", "[3,32]", "[0,384]") "," T("m.qzeros", "I32", "[2,3]", "[384,408]") ","
	  T("m.scales", "F16", "[2,32]", "[408,536]") "," T("m.g_idx", "I32", "[32]", "[536,664]") "} " EIGHT " z400 w15360 z126 i1 z124" },
	{ "good-packed-awq4.safetensors", "AWQ", "J:{" T("m.qweight", "I32", "[2,1]", "[0,8]") "," T("m.qzeros", "I32", "[1,1]", "[8,12]") "," T("m.scales", "F16", "[1,8]", "[12,28]") "} " EIGHT " z4 w15360 z14" },
	{ "good-packed-ct8.safetensors", "8-bit integers of compressed-tensors with zero points",
	  "J:{" T("m.weight", "I8", "[2,4]", "[0,8]") "," T("m.weight_scale", "F32", "[2,1]", "[8,16]") "," T("m.weight_zero_point", "I8", "[2,1]", "[16,18]") "} " EIGHT " " ONE_F32 " " ONE_F32 " b1 b2" },
	{ "bad-E302-packed-mlx-no-config.safetensors", "MLX, and no word of bits and groups", "J:{" MLX "," T("m.biases", "BF16", "[1,1]", "[34,36]") "} " EIGHT " z24 w16256 w0" },
	{ "good-packed-nf4.safetensors", "bitsandbytes", "J:{" NF4 "," T(NF4_STATE, "U8", "[29]", "[12,41]") "} j:%12%34%56%71 " ONE_F32 " " ONE_F32 " j:{\"blocksize\":4,\"shape\":[4,2]}" },
	{ "good-packed-nf4-nested.safetensors", "bitsandbytes with quantized scales",
	  "J:{" T("m.weight", "U8", "[4,1]", "[0,4]") "," T("m.weight.absmax", "U8", "[2]", "[4,6]") "," T("m.weight.nested_absmax", "F32", "[1]", "[6,10]") ","
	  T("m.weight.nested_quant_map", "F32", "[256]", "[10,1034]") "," T(NF4_STATE, "U8", "[68]", "[1034,1102]")
	  "} j:%12%34%56%71 b1 b2 " ONE_F32 " z1024 j:{\"blocksize\":4,\"shape\":[4,2],\"nested_blocksize\":4,\"nested_offset\":1}" },
	{ "good-packed-int8.safetensors", "LLM.int8", "J:{" T("m.weight", "I8", "[2,4]", "[0,8]") "," T("m.SCB", "F32", "[2]", "[8,16]") "} " EIGHT " " ONE_F32 " " ONE_F32 },
	{ "bad-E304-packed-gptq-no-scales.safetensors", "GPTQ without scales", "J:{" T("m.qweight", "I32", "[1,8]", "[0,32]") "," T("m.qzeros", "I32", "[1,1]", "[32,36]") "} z36" },
	{ "bad-E304-packed-mlx-no-biases.safetensors", "MLX without biases", "J:{" MLX "} z34" },
	{ "bad-E304-packed-mlx-no-scales.safetensors", "MLX without scales", "J:{" T("m.weight", "U32", "[1,8]", "[0,32]") "," T("m.biases", "BF16", "[1,1]", "[32,34]") "} z34" },
	{ "bad-E304-packed-int8-no-scale.safetensors", "a weight of integers without its scale, beside one that has it",
	  "J:{" T("m.weight", "I8", "[1,4]", "[0,4]") "," T("m.SCB", "F32", "[1]", "[4,8]") "," T("n.weight", "I8", "[1,4]", "[8,12]") "} z12" },
	{ "bad-E304-packed-nf4-no-scales.safetensors", "bitsandbytes without scales", "J:{" T("m.weight", "U8", "[4,1]", "[0,4]") "," T(NF4_STATE, "U8", "[29]", "[4,33]") "} z4 j:{\"blocksize\":4,\"shape\":[4,2]}" },
	{ "bad-E302-packed-ct-no-bits.safetensors", "codes of compressed-tensors, and no configuration", "J:{" T("m.weight_packed", "I32", "[1,1]", "[0,4]") "," T("m.weight_scale", "F16", "[1,1]", "[4,6]") "} z6" },
	{ "bad-E207-packed-gptq-index.safetensors", "a column in group 7 of one", "J:{" GPTQ "," T("m.g_idx", "I32", "[8]", "[52,84]") "} z52 i7 z28" },
	{ "bad-E207-packed-gptq-shape.safetensors", "zero points of 5 bits", "J:{" T("m.qweight", "I32", "[5,32]", "[0,640]") "," T("m.qzeros", "I32", "[1,5]", "[640,660]") "," T("m.scales", "F16", "[1,32]", "[660,724]") "} z724" },
	{ "bad-E207-packed-mlx-group.safetensors", "two scales for a row that has one group", "J:{" T("m.weight", "U32", "[1,8]", "[0,32]") "," T("m.scales", "BF16", "[1,2]", "[32,36]") "," T("m.biases", "BF16", "[1,2]", "[36,40]") "} z40" },
	{ "bad-E207-packed-mlx-biases.safetensors", "biases that are as many as scales, in another shape",
	  "J:{" T("m.weight", "U32", "[2,8]", "[0,64]") "," T("m.scales", "BF16", "[2,1]", "[64,68]") "," T("m.biases", "BF16", "[1,2]", "[68,72]") "} z72" },
	{ "bad-E207-packed-mlx-codes.safetensors", "codes of MLX as signed integers",
	  "J:{" T("m.weight", "I32", "[1,8]", "[0,32]") "," T("m.scales", "BF16", "[1,1]", "[32,34]") "," T("m.biases", "BF16", "[1,1]", "[34,36]") "} z36" },
	{ "bad-E207-packed-nf4-shape.safetensors", "a state of more numbers than there are codes", "J:{" NF4 "," T(NF4_STATE, "U8", "[29]", "[12,41]") "} z12 j:{\"blocksize\":4,\"shape\":[4,4]}" },
	{ "bad-E216-packed-nf4-state.safetensors", "a state that is no JSON", "J:{" NF4 "," T(NF4_STATE, "U8", "[4]", "[12,16]") "} z12 j:{{{{" },
	{ "bad-E216-packed-nf4-block.safetensors", "a state with blocks of no numbers", "J:{" NF4 "," T(NF4_STATE, "U8", "[29]", "[12,41]") "} z12 j:{\"blocksize\":0,\"shape\":[4,2]}" },

	/* ---- directories ---- */
	{ "good-single/model.safetensors", "a directory with one file", FILE_A },
	{ "good-sharded/model.safetensors.index.json", "an index and two shards", INDEX(IN_1("a") "," IN_2("b")) },
	{ "good-sharded/" SHARD_1, NULL, FILE_A },
	{ "good-sharded/" SHARD_2, NULL, FILE_B },
	{ "good-no-index/" SHARD_1, "two shards without an index", FILE_A },
	{ "good-no-index/" SHARD_2, NULL, FILE_B },
	{ "good-split/m-00001-of-00002.gguf", "a GGUF in two parts", "GGUF i3 q1 q4 s:k i0 b7 " SPLIT(0, 2, 2) " s:a i1 q8 i0 q0 p32 z32" },
	{ "good-split/m-00002-of-00002.gguf", NULL, "GGUF i3 q1 q3 " SPLIT(1, 2, 2) " s:b i1 q8 i0 q0 p32 z32" },
	{ "bad-E202-pytorch/pytorch_model.bin", "the beginning of PyTorch's file", "j:PK%03%04 z60" },
	{ "bad-E101-two-models/a.gguf", "two GGUF models", ONE },
	{ "bad-E101-two-models/b.gguf", NULL, ONE },
	{ "bad-E202-shard-cut/model.safetensors.index.json", "a shard that ends early", INDEX(IN_1("a") "," IN_2("b")) },
	{ "bad-E202-shard-cut/" SHARD_1, NULL, FILE_A },
	{ "bad-E202-shard-cut/" SHARD_2, NULL, "J:{\"b\":{" A4 "[0,4]}} z3" },
	{ "bad-E205-two-shards/" SHARD_1, "one tensor in two shards", FILE_A },
	{ "bad-E205-two-shards/" SHARD_2, NULL, FILE_A },
	{ "bad-E205-index/model.safetensors.index.json", "a tensor twice in the index", INDEX(IN_1("a") "," IN_2("a")) },
	{ "bad-E209-dotdot/model.safetensors.index.json", "an index that names ../x", INDEX("\"a\":\"../x.safetensors\"") },
	{ "bad-E209-absolute/model.safetensors.index.json", "an index that names /etc/passwd", INDEX("\"a\":\"/etc/passwd\"") },
	{ "bad-E209-nul/model.safetensors.index.json", "a file name with a NUL", INDEX("\"a\":\"m.safetensors\\u0000x\"") },
	{ "bad-E209-number/model.safetensors.index.json", "a number for a file name", INDEX("\"a\":1") },
	{ "bad-E209-no-map/model.safetensors.index.json", "no weight_map", "j:{\"metadata\":{}}" },
	{ "bad-E216-cut/model.safetensors.index.json", "an index that ends in a number", "j:{\"metadata\":{\"total_size\":12" },
	{ "bad-E209-list/model.safetensors.index.json", "weight_map is a list", "j:{\"weight_map\":[\"a\"]}" },
	{ "bad-E210-shard/model.safetensors.index.json", "a shard is missing", INDEX(IN_1("a") "," IN_2("b")) },
	{ "bad-E210-shard/" SHARD_1, NULL, FILE_A },
	{ "bad-E210-no-index/" SHARD_2, "a shard is missing and there is no index", FILE_B },
	{ "bad-E210-part/m-00001-of-00002.gguf", "a part of a GGUF is missing", "GGUF i3 q1 q3 " SPLIT(0, 2, 2) " s:a i1 q8 i0 q0 p32 z32" },
	{ "bad-E211-extra/model.safetensors.index.json", "a shard that the index does not name", INDEX(IN_1("a")) },
	{ "bad-E211-extra/" SHARD_1, NULL, FILE_A },
	{ "bad-E211-extra/" SHARD_2, NULL, FILE_B },
	{ "bad-E211-two-sets/" SHARD_1, "shards of two sets and no index", FILE_A },
	{ "bad-E211-two-sets/model-00002-of-00003.safetensors", NULL, FILE_B },
	{ "bad-E212-not-in-index/model.safetensors.index.json", "a tensor that the index does not name", INDEX(IN_1("a")) },
	{ "bad-E212-not-in-index/" SHARD_1, NULL, "J:{" ST_A "," ST_B "} z8" },
	{ "bad-E212-not-in-shard/model.safetensors.index.json", "a tensor that only the index names", INDEX(IN_1("a") "," IN_1("b")) },
	{ "bad-E212-not-in-shard/" SHARD_1, NULL, FILE_A },
	{ "bad-E212-other-shard/model.safetensors.index.json", "two tensors change places", INDEX(IN_2("a") "," IN_1("b")) },
	{ "bad-E212-other-shard/" SHARD_1, NULL, FILE_A },
	{ "bad-E212-other-shard/" SHARD_2, NULL, FILE_B },
	{ "bad-E212-two-formats/" SHARD_1, "a shard that is a GGUF", FILE_A },
	{ "bad-E212-two-formats/" SHARD_2, NULL, ONE },
	{ "bad-E212-part-count/m-00001-of-00002.gguf", "name and header tell different numbers of parts", "GGUF i3 q1 q3 " SPLIT(0, 3, 2) " s:a i1 q8 i0 q0 p32 z32" },
	{ "bad-E212-part-count/m-00002-of-00002.gguf", NULL, "GGUF i3 q1 q3 " SPLIT(1, 3, 2) " s:b i1 q8 i0 q0 p32 z32" },
	{ "bad-E212-part-total/m-00001-of-00002.gguf", "the parts hold fewer tensors than they say", "GGUF i3 q1 q3 " SPLIT(0, 2, 3) " s:a i1 q8 i0 q0 p32 z32" },
	{ "bad-E212-part-total/m-00002-of-00002.gguf", NULL, "GGUF i3 q1 q3 " SPLIT(1, 2, 3) " s:b i1 q8 i0 q0 p32 z32" },
	{ "bad-E212-lone-part.gguf", "one part whose name does not say so", "GGUF i3 q1 q3 " SPLIT(0, 2, 2) " s:a i1 q8 i0 q0 p32 z32" },
	{ "bad-E213-lfs/model.safetensors.index.json", "shards are Git LFS pointers", INDEX(IN_1("a")) },
	{ "bad-E213-lfs/" SHARD_1, NULL, LFS },
	{ "bad-E216-index/model.safetensors.index.json", "an index that is cut off", "j:{\"weight_map\":{\"a\":\"" SHARD_1 "\"" },

	/* ---- other layouts ---- */
	{ "good-one.npy", "two numbers",
	  "j:%93NUMPY b1 b0 w57 j:{'descr':%20'<f4',%20'fortran_order':%20False,%20'shape':%20(2,),%20} z8" },
	{ "good-turned.npy", "columns first, the other byte order, version 2",
	  "j:%93NUMPY b2 b0 i58 j:{'descr':%20'>f4',%20'fortran_order':%20True,%20'shape':%20(2,%202),%20} b63 b128 b0 b0 b63 b128 b0 b0 z8" },
	{ "good-scalar.npy", "an array without dimensions, version 3",
	  "j:%93NUMPY b3 b0 i55 j:{'descr':%20'|i1',%20'fortran_order':%20False,%20'shape':%20(),%20} b7" },
	{ "good-trailing.npy", "bytes behind the numbers: a warning",
	  "j:%93NUMPY b1 b0 w57 j:{'descr':%20'<f4',%20'fortran_order':%20False,%20'shape':%20(2,),%20} z9" },
	{ "bad-E202-cut.npy", "ends before the numbers do",
	  "j:%93NUMPY b1 b0 w57 j:{'descr':%20'<f4',%20'fortran_order':%20False,%20'shape':%20(3,),%20} z8" },
	{ "bad-E202-header-cut.npy", "a header of 65535 bytes in 40",
	  "j:%93NUMPY b1 b0 w65535 j:{'descr':%20'<f4',%20'fortran_order':%20False,%20'shape':%20(2,),%20}" },
	{ "bad-E203-header-2e31.npy", "a header of 2^31 bytes",
	  "j:%93NUMPY b2 b0 i2147483648 j:{'descr':%20'<f4',%20'fortran_order':%20False,%20'shape':%20(2,),%20}" },
	{ "bad-E203-code.npy", "an expression in place of a shape",
	  "j:%93NUMPY b1 b0 w72 j:{'descr':%20'<f4',%20'fortran_order':%20False,%20'shape':%20(__import__('os'),),%20} z8" },
	{ "bad-E203-twice.npy", "one key twice",
	  "j:%93NUMPY b1 b0 w73 j:{'descr':%20'<f4',%20'descr':%20'<f4',%20'fortran_order':%20False,%20'shape':%20(2,),%20} z8" },
	{ "bad-E203-no-order.npy", "a key is missing",
	  "j:%93NUMPY b1 b0 w33 j:{'descr':%20'<f4',%20'shape':%20(2,),%20} z8" },
	{ "bad-E203-negative.npy", "a dimension of -1",
	  "j:%93NUMPY b1 b0 w58 j:{'descr':%20'<f4',%20'fortran_order':%20False,%20'shape':%20(-1,),%20} z8" },
	{ "bad-E203-behind.npy", "a call behind the table",
	  "j:%93NUMPY b1 b0 w63 j:{'descr':%20'<f4',%20'fortran_order':%20False,%20'shape':%20(2,),%20}.pop() z8" },
	{ "bad-E206-objects.npy", "Python objects: a pickle",
	  "j:%93NUMPY b1 b0 w56 j:{'descr':%20'|O',%20'fortran_order':%20False,%20'shape':%20(1,),%20} j:%80%04." },
	{ "bad-E206-structure.npy", "structures",
	  "j:%93NUMPY b1 b0 w80 j:{'descr':%20[('a',%20'<f4'),%20('b',%20'<i4')],%20'fortran_order':%20False,%20'shape':%20(1,),%20} z8" },
	{ "bad-E206-text.npy", "texts",
	  "j:%93NUMPY b1 b0 w57 j:{'descr':%20'<U2',%20'fortran_order':%20False,%20'shape':%20(1,),%20} z8" },
	{ "bad-E207-overflow.npy", "2^32 x 2^32 numbers: 0 in 64 bits",
	  "j:%93NUMPY b1 b0 w77 j:{'descr':%20'<f4',%20'fortran_order':%20False,%20'shape':%20(4294967296,%204294967296),%20} z8" },
	{ "bad-E207-dims-9.npy", "9 dimensions",
	  "j:%93NUMPY b1 b0 w80 j:{'descr':%20'<f4',%20'fortran_order':%20False,%20'shape':%20(1,%201,%201,%201,%201,%201,%201,%201,%202),%20} z8" },
	{ "bad-E217-version-9.npy", "version 9",
	  "j:%93NUMPY b9 b0 i57 j:{'descr':%20'<f4',%20'fortran_order':%20False,%20'shape':%20(2,),%20} z8" },
	{ "good-v1.bin", "llama2.c version 1", "j:24ka i1 i8 i4 i1 i2 i1 i3 i2 b1 p256 f336" },
	{ "good-v2.bin", "llama2.c version 2, groups of 4", "j:24ka i2 i8 i4 i1 i2 i1 i3 i2 b1 i4 p256 f24 o312 f78" },
	{ "bad-E202-v1-cut.bin", "llama2.c version 1, ends inside the last tensor", "j:24ka i1 i8 i4 i1 i2 i1 i3 i2 b1 p256 z1343" },
	{ "bad-E202-head-cut.bin", "llama2.c version 1, ends inside its header", "j:24ka i1 i8 i4 i1 i2 i1 i3 i2 b1" },
	{ "bad-E202-layers.bin", "2^10 layers in 256 bytes", "j:24ka i1 i8 i4 i1024 i2 i1 i3 i2 b1 p256" },
	{ "bad-E203-zero.bin", "llama2.c, no heads", "j:24ka i1 i8 i4 i1 i0 i1 i3 i2 b1 p256 z64" },
	{ "bad-E203-negative.bin", "llama2.c, -1 layers", "j:24ka i1 i8 i4 i4294967295 i2 i1 i3 i2 b1 p256 z64" },
	{ "bad-E203-group-0.bin", "llama2.c version 2, groups of none", "j:24ka i2 i8 i4 i1 i2 i1 i3 i2 b1 i0 p256 z64" },
	{ "bad-E204-behind.bin", "llama2.c version 1, bytes behind the last tensor", "j:24ka i1 i8 i4 i1 i2 i1 i3 i2 b1 p256 z1348" },
	{ "bad-E207-group.bin", "llama2.c version 2, groups that do not divide a tensor", "j:24ka i2 i8 i4 i1 i2 i1 i3 i2 b1 i7 p256 z64" },
	{ "bad-E217-version-3.bin", "llama2.c version 3", "j:24ka i3 i8 i4 i1 i2 i1 i3 i2 b1 p256 z64" },
	{ "good-archive.tar", "one tensor in a folder in an archive",
	  "t:m/;5;;0 t:m/model.safetensors;0;;66 " FILE_A " p512 z1024" },
	{ "good-flat.tar", "an archive without a folder", "t:./model.safetensors;0;;66 " FILE_A " p512 z1024" },
	{ "good-link.tar", "a link inside the tree",
	  "t:m/a.safetensors;0;;66 " FILE_A " p512 t:m/model.safetensors;2;a.safetensors;0 z1024" },
	{ "bad-E225-absolute.tar", "an absolute name",
	  "t:m/model.safetensors;0;;66 " FILE_A " p512 t:/etc/x.json;0;;0 z1024" },
	{ "bad-E225-dotdot.tar", "a name above the folder",
	  "t:m/model.safetensors;0;;66 " FILE_A " p512 t:m/../../x.json;0;;0 z1024" },
	{ "bad-E225-drive.tar", "a name with a drive letter",
	  "t:m/model.safetensors;0;;66 " FILE_A " p512 t:c:/x.json;0;;0 z1024" },
	{ "bad-E225-control.tar", "an escape sequence in a name",
	  "t:m/model.safetensors;0;;66 " FILE_A " p512 t:m/%1b[2J.json;0;;0 z1024" },
	{ "bad-E225-symlink.tar", "a symbolic link out of the tree",
	  "t:m/model.safetensors;0;;66 " FILE_A " p512 t:m/config.json;2;../../etc/passwd;0 z1024" },
	{ "bad-E225-symlink-absolute.tar", "a symbolic link to an absolute path",
	  "t:m/model.safetensors;0;;66 " FILE_A " p512 t:m/config.json;2;/etc/passwd;0 z1024" },
	{ "bad-E225-hardlink.tar", "a hard link out of the tree",
	  "t:m/model.safetensors;0;;66 " FILE_A " p512 t:m/config.json;1;../x;0 z1024" },
	{ "bad-E225-device.tar", "a device",
	  "t:m/model.safetensors;0;;66 " FILE_A " p512 t:m/null;3;;0 z1024" },
	{ "bad-E225-fifo.tar", "a pipe",
	  "t:m/model.safetensors;0;;66 " FILE_A " p512 t:m/pipe;6;;0 z1024" },
	{ "bad-E225-twice.tar", "one name twice",
	  "t:m/model.safetensors;0;;66 " FILE_A " p512 t:m/model.safetensors;0;;66 " FILE_A " p512 z1024" },
	{ "bad-E225-nested.tar", "an archive in an archive", "t:m.tar;0;;0 z1024" },
	{ "bad-E225-cut.tar", "ends inside a member", "t:m/model.safetensors;0;;66 z60" },
	{ "bad-E225-size.tar", "a member of 8 GB in 512 bytes", "t:m/config.json;0;;8589934591" },
	{ "bad-E201-no-weights.tar", "no weights", "t:m/config.json;0;;0 z1024" },
	{ "bad-E101-two-models.tar", "two models",
	  "t:a/model.safetensors;0;;66 " FILE_A " p512 t:b/model.safetensors;0;;66 " FILE_A " p512 z1024" },
};

/* f32 as u32 */
#define F0 "i0 "
#define F1 "i1065353216 "
#define F2 "i1073741824 "
#define F4 "i1082130432 "
#define F_MINUS_1 "i3212836864 "
#define F_NAN "i2143289344 "
#define F_INF "i2139095040 "

#include "mksamples_imatrix.h"
#include "mksamples_lora.h"
#include "mksamples_manifest.h"

static const struct set {
	const char *name, *unit; /* the test that tries them all */
	const struct sample *sample;
	size_t n;
} sets[] = {
	{ "samples", "tests/unit/samples.c", samples, sizeof samples / sizeof *samples },
	{ "imatrix", "tests/unit/imatrix.c", imatrix_samples, sizeof imatrix_samples / sizeof *imatrix_samples },
	{ "manifest", "tests/unit/manifest.c", manifest_samples, sizeof manifest_samples / sizeof *manifest_samples },
	{ "lora", "tests/unit/lora.c", lora_samples, sizeof lora_samples / sizeof *lora_samples },
};

struct bytes {
	unsigned char p[4096];
	size_t n;
};

static void put(struct bytes *b, const void *p, size_t n)
{
	if (b->n + n > sizeof b->p) {
		fprintf(stderr, "mksamples: a sample is too large\n");
		exit(1);
	}
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void put_number(struct bytes *b, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++, v >>= 8)
		put(b, &(unsigned char){ v & 0xff }, 1);
}

static size_t unescape(const char *word, size_t n, unsigned char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		char hex[3] = "";

		if (word[i] == '%') {
			memcpy(hex, word + i + 1, 2);
			i += 2;
			out[len++] = (unsigned char)strtoul(hex, NULL, 16);
		} else {
			out[len++] = (unsigned char)word[i];
		}
	}
	return len;
}

static void put_zeros(struct bytes *b, size_t n)
{
	while (n--)
		put(b, "", 1);
}

/* NAME;TYPE;LINK;SIZE */
static void put_tar(struct bytes *b, char *text)
{
	char h[512] = { 0 }, *type = strchr(text, ';'), *link = strchr(type + 1, ';'), *size = strchr(link + 1, ';');
	unsigned sum = 0;

	*type = *link = *size = 0;
	memcpy(h, text, strnlen(text, 99));
	snprintf(h + 100, 24, "%07o", 0644);
	snprintf(h + 108, 8, "%07o", 0);
	snprintf(h + 116, 8, "%07o", 0);
	snprintf(h + 124, 12, "%011llo", strtoull(size + 1, NULL, 10));
	snprintf(h + 136, 12, "%011o", 0);
	memset(h + 148, ' ', 8);
	h[156] = type[1];
	memcpy(h + 157, link + 1, strnlen(link + 1, 99));
	memcpy(h + 257, "ustar\00000", 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	put(b, h, sizeof h);
}

static void put_word(struct bytes *b, const char *w, size_t n)
{
	uint64_t v = n > 1 && isdigit((unsigned char)w[1]) ? strtoull(w + 1, NULL, 10) : 0;
	unsigned char text[2048];
	size_t len;

	if (n > 1 && w[1] == ':') {
		len = unescape(w + 2, n - 2, text);
		if (w[0] == 't') {
			text[len] = 0;
			put_tar(b, (char *)text);
			return;
		}
		if (w[0] != 'j')
			put_number(b, len, 8);
		put(b, text, len);
	} else if (w[0] == 'G') {
		put(b, "GGUF", 4);
	} else if (w[0] == 'z') {
		put_zeros(b, v);
	} else if (w[0] == 'f' || w[0] == 'o') {
		while (v-- > 0)
			put_number(b, w[0] == 'f' ? 0x3f800000 : 1, w[0] == 'f' ? 4 : 1);
	} else if (w[0] == 'p' && v) {
		put_zeros(b, (v - b->n % v) % v);
	} else {
		put_number(b, v, w[0] == 'b' ? 1 : w[0] == 'w' ? 2 : w[0] == 'i' ? 4 : 8);
	}
}

static void translate(const char *words, struct bytes *b)
{
	b->n = 0;
	for (size_t n; words += strspn(words, " "), *words; words += n) {
		n = strcspn(words, " ");
		put_word(b, words, n);
	}
}

/* What words cannot say. */
static void special(const char *path, struct bytes *b)
{
	static const char metadata[] = "{ \"__metadata__\" : { \"format\" : \"pt\", \"\\u00e9\" : \"\\\"x\\\"\" },\n " ST_A " }      ";

	if (!strcmp(path, "good-metadata.safetensors")) {
		b->n = 0;
		put_number(b, sizeof metadata - 1, 8);
		put(b, metadata, sizeof metadata - 1);
		put_zeros(b, 4);
	} else if (!strcmp(path, "bad-E216-deep.safetensors")) {
		b->n = 0;
		put_number(b, 11 + 250, 8);
		put(b, "{\"a\":{\"x\": ", 11);
		for (int i = 0; i < 250; i++)
			put(b, "[", 1);
	}
}

static FILE *create(const char *dir, const char *path)
{
	char name[1024];
	FILE *fp;

	snprintf(name, sizeof name, "%s/%s", dir, path);
	for (char *p = name + strlen(dir) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = 0;
		mkdir(name, 0777);
	}
	fp = fopen(name, "wb");
	if (!fp) {
		perror(name);
		exit(1);
	}
	return fp;
}

static void finish(FILE *fp, const char *path)
{
	if (fclose(fp)) {
		perror(path);
		exit(1);
	}
}

static void write_set(const struct set *set, const char *dir)
{
	static struct bytes b;
	FILE *readme;

	mkdir(dir, 0777);
	readme = create(dir, "README.md");
	fprintf(readme, "# Samples\n\nWritten by tests/helper/mksamples.c. The name says what opening a sample gives: `good-*` opens, `bad-E203-*` and\n"
			"`unsupported-E206-*` end with error 203, 206. %s tries them all.\n\n", set->unit);
	for (size_t i = 0; i < set->n; i++) {
		const struct sample *s = &set->sample[i];
		FILE *fp = create(dir, s->path);

		translate(s->bytes, &b);
		special(s->path, &b);
		fwrite(b.p, 1, b.n, fp);
		finish(fp, s->path);
		if (s->about)
			fprintf(readme, "- `%.*s`: %s\n", (int)strcspn(s->path, "/"), s->path, s->about);
	}
	finish(readme, "README.md");
}

int main(int argc, char **argv)
{
	const char *name = argc == 3 ? argv[2] : "samples";

	for (size_t i = 0; (argc == 2 || argc == 3) && i < sizeof sets / sizeof *sets; i++)
		if (!strcmp(name, sets[i].name)) {
			write_set(&sets[i], argv[1]);
			return 0;
		}
	fprintf(stderr, "usage: mksamples DIR [samples|imatrix|lora|manifest]\n");
	return 2;
}
