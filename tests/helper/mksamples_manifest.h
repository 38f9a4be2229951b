/* mksamples_manifest.h - manifests of model.safetensors, which has one tensor, a, of 4 zero bytes. Rows for mksamples.c. */
#define SHA_FILE "2063b4cc6b0e7999729ed21d38b27852430815ed4e09bd0deed9c31ca8586870"
#define SHA_ZEROS "df3f619804a92fdb4057192dc43dd748ea778adc52bc498ce80524c014b81119"
#define SHA_OTHER "0000000000000000000000000000000000000000000000000000000000000000"
#define MANIFEST(files, tensors) "j:{\"schema\":1,\"tool\":\"manifest\",\"files\":[" files "],\"tensors\":[" tensors "]}"
#define M_FILE(name, size, sha) "{\"name\":\"" name "\",\"size\":" size ",\"sha256\":\"" sha "\"}"
#define M_TENSOR(name, type, shape, size, sha) "{\"name\":\"" name "\",\"type\":\"" type "\",\"shape\":" shape ",\"size\":" size ",\"sha256\":\"" sha "\"}"
#define M_MODEL M_FILE("model.safetensors", "66", SHA_FILE)
#define M_A M_TENSOR("a", "f32", "[1]", "4", SHA_ZEROS)

static const struct sample manifest_samples[] = {
	{ "model.safetensors", NULL, FILE_A },
	{ "good-one.json", "what the file is", MANIFEST(M_MODEL, M_A) },
	{ "good-more.json", "members that nobody knows", "j:{\"schema\":1,\"tool\":\"manifest\",\"x\":{\"y\":[null]},\"files\":[" M_MODEL "],\"tensors\":[" M_A "],\"z\":1e999}" },
	{ "bad-E214-file-hash.json", "another digest of the file", MANIFEST(M_FILE("model.safetensors", "66", SHA_OTHER), M_A) },
	{ "bad-E214-file-size.json", "another size of the file", MANIFEST(M_FILE("model.safetensors", "67", SHA_FILE), M_A) },
	{ "bad-E214-tensor-hash.json", "another digest of the tensor", MANIFEST(M_MODEL, M_TENSOR("a", "f32", "[1]", "4", SHA_OTHER)) },
	{ "bad-E214-tensor-type.json", "another type", MANIFEST(M_MODEL, M_TENSOR("a", "i32", "[1]", "4", SHA_ZEROS)) },
	{ "bad-E214-tensor-shape.json", "another shape", MANIFEST(M_MODEL, M_TENSOR("a", "f32", "[1,1]", "4", SHA_ZEROS)) },
	{ "bad-E214-tensor-size.json", "another size", MANIFEST(M_MODEL, M_TENSOR("a", "f32", "[1]", "5", SHA_ZEROS)) },
	{ "bad-E214-tensor-missing.json", "a tensor that the file lacks", MANIFEST(M_MODEL, M_A "," M_TENSOR("b", "f32", "[1]", "4", SHA_ZEROS)) },
	{ "bad-E214-tensor-extra.json", "the file has a tensor that it lacks", MANIFEST(M_MODEL, "") },
	{ "bad-E101-file-missing.json", "a file that is not there", MANIFEST(M_MODEL "," M_FILE("config.json", "2", SHA_OTHER), M_A) },
	{ "bad-E205-key.json", "a member twice", "j:{\"tool\":\"manifest\",\"files\":[" M_MODEL "],\"files\":[],\"tensors\":[" M_A "]}" },
	{ "bad-E205-file.json", "a file twice", MANIFEST(M_MODEL "," M_MODEL, M_A) },
	{ "bad-E205-tensor.json", "a tensor twice", MANIFEST(M_MODEL, M_A "," M_A) },
	{ "bad-E207-shape-overflow.json", "2^53 x 2^53 elements", MANIFEST(M_MODEL, M_TENSOR("a", "f32", "[9007199254740992,9007199254740992]", "4", SHA_ZEROS)) },
	{ "bad-E216-size-huge.json", "2^64 bytes", MANIFEST(M_MODEL, M_TENSOR("a", "f32", "[1]", "18446744073709551616", SHA_ZEROS)) },
	{ "bad-E216-size-negative.json", "-4 bytes", MANIFEST(M_MODEL, M_TENSOR("a", "f32", "[1]", "-4", SHA_ZEROS)) },
	{ "bad-E216-size-half.json", "4.5 bytes", MANIFEST(M_MODEL, M_TENSOR("a", "f32", "[1]", "4.5", SHA_ZEROS)) },
	{ "bad-E216-shape-negative.json", "a dimension of -1", MANIFEST(M_MODEL, M_TENSOR("a", "f32", "[-1]", "4", SHA_ZEROS)) },
	{ "bad-E216-shape-many.json", "nine dimensions", MANIFEST(M_MODEL, M_TENSOR("a", "f32", "[1,1,1,1,1,1,1,1,1]", "4", SHA_ZEROS)) },
	{ "bad-E216-shape-number.json", "a shape that is no list", MANIFEST(M_MODEL, M_TENSOR("a", "f32", "1", "4", SHA_ZEROS)) },
	{ "bad-E216-climbs.json", "a path that climbs out", MANIFEST(M_FILE("../model.safetensors", "66", SHA_FILE), M_A) },
	{ "bad-E216-climbs-later.json", "the same in the middle", MANIFEST(M_FILE("x/../../model.safetensors", "66", SHA_FILE), M_A) },
	{ "bad-E216-absolute.json", "a path from the root", MANIFEST(M_FILE("/etc/passwd", "66", SHA_FILE), M_A) },
	{ "bad-E216-name-empty.json", "a file without a name", MANIFEST(M_FILE("", "66", SHA_FILE), M_A) },
	{ "bad-E216-name-nul.json", "a NUL in a name", MANIFEST(M_FILE("model%5cu0000.safetensors", "66", SHA_FILE), M_A) },
	{ "bad-E216-hash-short.json", "a digest of 63 digits", MANIFEST(M_FILE("model.safetensors", "66", "063b4cc6b0e7999729ed21d38b27852430815ed4e09bd0deed9c31ca8586870"), M_A) },
	{ "bad-E216-hash-letters.json", "a digest that is no number", MANIFEST(M_FILE("model.safetensors", "66", "g063b4cc6b0e7999729ed21d38b27852430815ed4e09bd0deed9c31ca8586870"), M_A) },
	{ "bad-E216-no-hash.json", "a tensor without a digest", MANIFEST(M_MODEL, "{\"name\":\"a\",\"type\":\"f32\",\"shape\":[1],\"size\":4}") },
	{ "bad-E216-no-type.json", "a tensor without a type", MANIFEST(M_MODEL, "{\"name\":\"a\",\"shape\":[1],\"size\":4,\"sha256\":\"" SHA_ZEROS "\"}") },
	{ "bad-E216-no-tensors.json", "neither tensors nor a list of none", "j:{\"tool\":\"manifest\",\"files\":[" M_MODEL "]}" },
	{ "bad-E216-report.json", "a report of another tool", "j:{\"schema\":1,\"tool\":\"convert\",\"files\":[],\"tensors\":[]}" },
	{ "bad-E216-list.json", "a list", "j:[]" },
	{ "bad-E216-empty.json", "no bytes", "" },
	{ "bad-E216-cut.json", "ends in the middle", "j:{\"schema\":1,\"tool\":\"manifest\",\"files\":[" M_MODEL "],\"tensors\":[{\"name\":\"a\",\"ty" },
};
