/* mksamples_imatrix.h - importance matrices, of both formats. Rows for mksamples.c. */
#define ENTRY(n, name, calls) "i" #n " j:" name " i" #calls " i2 "
#define END " i10 i5 j:a.txt" /* 10 chunks of a.txt */
#define IM_KV "s:general.type i8 s:imatrix s:imatrix.datasets i9 i8 q1 s:a.txt s:imatrix.chunk_count i4 i10 s:imatrix.chunk_size i4 i512 "
#define IM(tensors) "GGUF i3 q" #tensors " q4 " IM_KV
#define SUMS(name, at) "s:" name ".in_sum2 i1 q2 i0 q" #at " "
#define COUNTS(name, at) "s:" name ".counts i1 q1 i0 q" #at " "

static const struct sample imatrix_samples[] = {
	/* ---- legacy ---- */
	{ "good-one.dat", "one entry of two columns", "i1 " ENTRY(1, "a", 4) F1 F2 END },
	{ "good-two.dat", "two entries", "i2 " ENTRY(1, "a", 4) F1 F2 ENTRY(8, "b.weight", 1) F0 F4 END },
	{ "good-no-trailer.dat", "an early file: neither chunks nor dataset", "i1 " ENTRY(1, "a", 4) F1 F2 },
	{ "good-no-dataset.dat", "an early file: no dataset", "i1 " ENTRY(1, "a", 4) F1 F2 " i10" },
	{ "good-empty-dataset.dat", "a dataset without a name", "i1 " ENTRY(1, "a", 4) F1 F2 " i10 i0" },
	{ "good-no-calls.dat", "no calls: the values are means already", "i1 " ENTRY(1, "a", 0) F1 F2 END },
	{ "bad-E510-empty.dat", "no bytes", "" },
	{ "bad-E510-no-entries.dat", "no entries", "i0" },
	{ "bad-E510-minus-entries.dat", "-1 entries", "i4294967295" },
	{ "bad-E510-entries.dat", "2^31-1 entries in one", "i2147483647 " ENTRY(1, "a", 4) F1 F2 },
	{ "bad-E510-name-length.dat", "a name of 2^31-1 bytes", "i1 i2147483647 j:a" },
	{ "bad-E510-name-minus.dat", "a name of -1 bytes", "i1 i4294967295 j:a i1 i1 " F1 },
	{ "bad-E510-name-empty.dat", "a name of no bytes", "i1 i0 i4 i2 " F1 F2 END },
	{ "bad-E510-name-nul.dat", "a NUL inside a name", "i1 i3 j:a%00b i4 i2 " F1 F2 END },
	{ "bad-E510-name-utf8.dat", "a name that is not UTF-8", "i1 i2 j:%c3%28 i4 i2 " F1 F2 END },
	{ "bad-E510-values-count.dat", "2^31-1 values", "i1 i1 j:a i4 i2147483647 " F1 F2 },
	{ "bad-E510-values-minus.dat", "-2 values", "i1 i1 j:a i4 i4294967294 " F1 F2 },
	{ "bad-E510-values-none.dat", "no values", "i1 i1 j:a i4 i0" END },
	{ "bad-E510-calls-minus.dat", "-4 calls", "i1 i1 j:a i4294967292 i2 " F1 F2 END },
	{ "bad-E510-cut.dat", "ends inside the values", "i1 " ENTRY(1, "a", 4) F1 "w0" },
	{ "bad-E510-cut-trailer.dat", "ends inside the dataset's name", "i1 " ENTRY(1, "a", 4) F1 F2 " i10 i5 j:a.t" },
	{ "bad-E510-dataset-minus.dat", "a dataset's name of -1 bytes", "i1 " ENTRY(1, "a", 4) F1 F2 " i10 i4294967295" },
	{ "bad-E510-behind.dat", "bytes behind the end", "i1 " ENTRY(1, "a", 4) F1 F2 END " b0" },
	{ "bad-E510-nan.dat", "a NaN", "i1 " ENTRY(1, "a", 4) F1 F_NAN END },
	{ "bad-E510-infinite.dat", "an infinite value", "i1 " ENTRY(1, "a", 4) F_INF F2 END },
	{ "bad-E510-negative.dat", "a negative sum of squares", "i1 " ENTRY(1, "a", 4) F1 F_MINUS_1 END },
	{ "bad-E510-twice.dat", "one name for two entries", "i2 " ENTRY(1, "a", 4) F1 F2 ENTRY(1, "a", 4) F1 F2 END },
	{ "bad-E510-text.dat", "a text", "j:the%20quick%20brown%20fox" },

	/* ---- GGUF ---- */
	{ "good-one.gguf", "one entry of two columns", IM(2) SUMS("a", 0) COUNTS("a", 32) "p32 " F2 F4 "p32 " F2 "p32" },
	{ "good-experts.gguf", "two experts, the second never called",
	  IM(2) "s:a.in_sum2 i2 q2 q2 i0 q0 s:a.counts i2 q1 q2 i0 q32 p32 " F2 F4 F0 F0 "p32 " F2 F0 "p32" },
	{ "good-plain-sums.gguf", "sums of the values themselves, negative ones too, and a tensor that nobody knows",
	  IM(4) SUMS("a", 0) COUNTS("a", 32) "s:a.in_sum i1 q2 i0 q64 s:a.stats i1 q1 i0 q96 p32 " F2 F4 "p32 " F2 "p32 " F1 F_MINUS_1 "p32 " F_MINUS_1 "p32" },
	{ "bad-E510-model.gguf", "a model", "GGUF i3 q1 q1 s:general.type i8 s:model s:a.in_sum2 i1 q8 i0 q0 p32 z32" },
	{ "bad-E510-no-keys.gguf", "none of its keys", "GGUF i3 q2 q0 " SUMS("a", 0) COUNTS("a", 32) "p32 " F2 F4 "p32 " F2 "p32" },
	{ "bad-E510-no-tensors.gguf", "no entries", IM(0) },
	{ "bad-E510-no-counts.gguf", "sums without counts", IM(1) SUMS("a", 0) "p32 " F2 F4 "p32" },
	{ "bad-E510-no-sums.gguf", "counts without sums", IM(1) COUNTS("a", 0) "p32 " F2 "p32" },
	{ "bad-E510-sizes.gguf", "two sums for three counts", IM(2) SUMS("a", 0) "s:a.counts i1 q3 i0 q32 p32 " F2 F4 "p32 " F2 F2 F2 "p32" },
	{ "bad-E510-plain-sums.gguf", "another number of plain sums than of squares",
	  IM(3) SUMS("a", 0) COUNTS("a", 32) "s:a.in_sum i1 q1 i0 q64 p32 " F2 F4 "p32 " F2 "p32 " F1 "p32" },
	{ "bad-E510-no-columns.gguf", "an entry of no columns", IM(2) "s:a.in_sum2 i1 q0 i0 q0 " COUNTS("a", 0) "p32 " F2 "p32" },
	{ "bad-E510-f16.gguf", "sums that are F16", IM(2) "s:a.in_sum2 i1 q2 i1 q0 " COUNTS("a", 32) "p32 z32 " F2 "p32" },
	{ "bad-E510-nan.gguf", "a NaN", IM(2) SUMS("a", 0) COUNTS("a", 32) "p32 " F2 F_NAN "p32 " F2 "p32" },
	{ "bad-E510-negative-count.gguf", "a negative count", IM(2) SUMS("a", 0) COUNTS("a", 32) "p32 " F2 F4 "p32 " F_MINUS_1 "p32" },
	{ "bad-E510-infinite-count.gguf", "an infinite count", IM(2) SUMS("a", 0) COUNTS("a", 32) "p32 " F2 F4 "p32 " F_INF "p32" },
	{ "bad-E510-cut.gguf", "ends before the sums do", IM(2) SUMS("a", 0) COUNTS("a", 32) "p32 " F2 },
	{ "bad-E510-twice.gguf", "one name for two tensors", IM(2) SUMS("a", 0) SUMS("a", 32) "p32 " F2 F4 "p32 " F2 F4 "p32" },
};
