/*
 * heft_codes.h - the table of error codes, a part of heft.h.
 */
#ifndef HEFT_CODES_H
#define HEFT_CODES_H

/* Stable codes for scripts: name, number (printed as E101 ...), what it says. Numbers are never reused. */
#define HEFT_CODES(X)                                                                                                  \
	X(OPEN, 101, "a file cannot be opened")                                                                        \
	X(READ, 102, "a file cannot be read")                                                                          \
	X(WRITE, 103, "a file cannot be written")                                                                      \
	X(SPACE, 104, "the disk does not have room for the output")                                                    \
	X(EXISTS, 105, "the output exists already")                                                                    \
	X(SAME_FILE, 106, "the output is also an input")                                                               \
	X(KILLED, 107, "a signal stopped the run")                                                                     \
	X(MAGIC, 201, "no known container begins with these bytes")                                                    \
	X(TRUNCATED, 202, "a file is shorter than its header says")                                                    \
	X(HEADER, 203, "a header breaks its format's rules")                                                           \
	X(OVERLAP, 204, "two tensors share bytes, or bytes belong to none")                                            \
	X(DUPLICATE, 205, "one name stands for two tensors or keys")                                                   \
	X(DTYPE, 206, "a tensor has a type that heft does not know")                                                   \
	X(SHAPE, 207, "a shape does not fit its bytes")                                                                \
	X(UTF8, 208, "a name is not UTF-8")                                                                            \
	X(INDEX, 209, "the shard index is not usable")                                                                 \
	X(SHARD_MISSING, 210, "a shard is missing")                                                                    \
	X(SHARD_EXTRA, 211, "a shard belongs to no index")                                                             \
	X(INDEX_MISMATCH, 212, "index and shards disagree")                                                            \
	X(LFS_POINTER, 213, "a Git LFS pointer stands in place of the file")                                           \
	X(CHECKSUM, 214, "a file is not what its name or checksum says")                                               \
	X(TRAILING, 215, "bytes follow the end of the data")                                                           \
	X(JSON, 216, "a JSON text cannot be read")                                                                     \
	X(VERSION, 217, "a version of the format that heft does not know")                                             \
	X(PICKLE, 218, "a pickle names code that is no part of a checkpoint")                                          \
	X(ARCHIVE, 225, "an archive cannot be read, or holds what it must not")                                        \
	X(BOMB, 226, "packed data unpack to more than any model's do")                                                 \
	X(FAMILY, 301, "the model's family is not known")                                                              \
	X(CONFIG, 302, "the model's configuration lacks a key or holds a wrong value")                                 \
	X(UNMAPPED, 303, "a tensor has no row in its family")                                                          \
	X(TENSOR_MISSING, 304, "a tensor that the family needs is missing")                                            \
	X(NEED, 305, "the family refuses this model")                                                                  \
	X(ARCH_FILE, 306, "a family file cannot be read")                                                              \
	X(RECIPE, 307, "a recipe cannot be read")                                                                      \
	X(TOKENIZER, 401, "the tokenizer cannot be read")                                                              \
	X(PRETOKENIZER, 402, "the pre-tokenizer is not known")                                                         \
	X(VOCAB_SIZE, 403, "vocabulary and embedding do not fit")                                                      \
	X(TYPE, 501, "no such type, or not for this container")                                                        \
	X(REQUANTIZE, 502, "the source is quantized already")                                                          \
	X(FALLBACK, 503, "a tensor does not fit the asked type")                                                       \
	X(PATTERN, 504, "a pattern matches nothing or cannot be read")                                                 \
	X(SPOOL, 505, "the order of a stream needs more memory than --spool allows")                                   \
	X(OPTION, 506, "options do not go together")                                                                   \
	X(NONFINITE, 507, "a tensor holds NaN or infinity")                                                            \
	X(ZERO, 508, "a tensor is all zeros")                                                                          \
	X(LIMIT, 509, "a limit of the output format is passed")                                                        \
	X(IMATRIX, 510, "an importance matrix cannot be read, or is not this model's")                                 \
	X(NEEDS_IMATRIX, 511, "a type needs an importance matrix")                                                     \
	X(DIFFERS, 601, "two models differ by more than allowed")                                                      \
	X(UNMATCHED, 602, "a tensor has no counterpart")                                                               \
	X(INTERNAL, 901, "heft itself is at fault")

#endif
