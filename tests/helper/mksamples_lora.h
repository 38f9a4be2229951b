/* mksamples_lora.h - adapters. Rows for mksamples.c. */

/* An adapter: the line of adapter_config.json, then its tensors. */
#define PEFT(more) "j:{\"r\":1,\"lora_alpha\":2" more "}%0a "
#define MLX_CONFIG "j:{\"fine_tune_type\":\"lora\",\"lora_parameters\":{\"rank\":1,\"scale\":2.0}}%0a "
#define LORA_A T("m.lora_A.weight", "F32", "[1,2]", "[0,8]")
#define LORA_B T("m.lora_B.weight", "F32", "[3,1]", "[8,20]")
#define PAIR "J:{" LORA_A "," LORA_B "} f5"

static const struct sample lora_samples[] = {
	{ "good-pair.lora", "two factors", PEFT("") PAIR },
	{ "good-rslora.lora", "a rank-stabilised scale", PEFT(",\"use_rslora\":true") PAIR },
	{ "good-alphas.lora", "alphas by name and by expression", PEFT(",\"alpha_pattern\":{\"x\":3,\"^(m|n)$\":4}") PAIR },
	{ "good-dora.lora", "magnitudes", PEFT("") "J:{" LORA_A "," LORA_B "," T("m.lora_magnitude_vector", "F32", "[3]", "[20,32]") "} f8" },
	{ "good-embedding.lora", "an adapter of embeddings", PEFT("") "J:{" T("m.lora_embedding_A", "F32", "[1,2]", "[0,8]") "," T("m.lora_embedding_B", "F32", "[3,1]", "[8,20]") "} f5" },
	{ "good-experts.lora", "two matrices in each factor", PEFT("") "J:{" T("m.lora_A.weight", "F32", "[2,1,2]", "[0,16]") "," T("m.lora_B.weight", "F32", "[2,3,1]", "[16,40]") "} f10" },
	{ "good-whole.lora", "a tensor that takes another's place", PEFT("") "J:{" LORA_A "," LORA_B "," T("norm.weight", "F32", "[1]", "[20,24]") "} f6" },
	{ "good-mlx.lora", "factors as MLX stores them", MLX_CONFIG "J:{" T("m.lora_a", "F32", "[2,1]", "[0,8]") "," T("m.lora_b", "F32", "[1,3]", "[8,20]") "} f5" },
	{ "good-mlx-embedding.lora", "magnitudes of MLX's embeddings", MLX_CONFIG "J:{" T("embed_tokens.lora_a", "F32", "[3,1]", "[0,12]") ","
	  T("embed_tokens.lora_b", "F32", "[1,2]", "[12,20]") "," T("embed_tokens.m", "F32", "[3]", "[20,32]") "} f8" },
	{ "good-mlx-full.lora", "whole tensors alone", "j:{\"fine_tune_type\":\"full\"}%0a J:{" T("m.weight", "F32", "[2]", "[0,8]") "} f2" },
	{ "bad-E205-default.lora", "one factor under two names", PEFT("") "J:{" LORA_A "," T("m.lora_A.default.weight", "F32", "[1,2]", "[8,16]") "} f4" },
	{ "bad-E206-integers.lora", "factors of whole numbers", PEFT("") "J:{" T("m.lora_A.weight", "I32", "[1,2]", "[0,8]") "," LORA_B "} f5" },
	{ "bad-E207-rank.lora", "factors of ranks 1 and 2", PEFT("") "J:{" LORA_A "," T("m.lora_B.weight", "F32", "[3,2]", "[8,32]") "} f8" },
	{ "bad-E207-vector.lora", "a factor that is a vector", PEFT("") "J:{" T("m.lora_A.weight", "F32", "[2]", "[0,8]") "," LORA_B "} f5" },
	{ "bad-E207-empty.lora", "a factor of no rank", PEFT("") "J:{" T("m.lora_A.weight", "F32", "[0,2]", "[0,0]") "," T("m.lora_B.weight", "F32", "[3,0]", "[0,0]") "}" },
	{ "bad-E207-experts.lora", "two matrices in one factor, three in the other", PEFT("") "J:{" T("m.lora_A.weight", "F32", "[2,1,2]", "[0,16]") ","
	  T("m.lora_B.weight", "F32", "[3,1,1]", "[16,28]") "} f7" },
	{ "bad-E207-magnitudes.lora", "two magnitudes for three outputs", PEFT("") "J:{" LORA_A "," LORA_B "," T("m.lora_magnitude_vector", "F32", "[2]", "[20,28]") "} f7" },
	{ "bad-E216-config.lora", "a configuration that is no JSON", "j:{\"r\":%0a " PAIR },
	{ "bad-E302-no-alpha.lora", "no lora_alpha", "j:{\"r\":1}%0a " PAIR },
	{ "bad-E302-alpha-0.lora", "an alpha of 0 for one module", PEFT(",\"alpha_pattern\":{\"m\":0}") PAIR },
	{ "bad-E302-no-scale.lora", "MLX without a scale", "j:{\"lora_parameters\":{}}%0a J:{" T("m.lora_a", "F32", "[2,1]", "[0,8]") "," T("m.lora_b", "F32", "[1,3]", "[8,20]") "} f5" },
	{ "bad-E302-ia3.lora", "another kind of adapter", PEFT(",\"peft_type\":\"IA3\"") PAIR },
	{ "bad-E302-pissa.lora", "factors taken from the base model's weights", PEFT(",\"init_lora_weights\":\"pissa_niter_4\"") PAIR },
	{ "bad-E302-replicated.lora", "layers that are not the base model's", PEFT(",\"layer_replication\":[[0,1],[0,1]]") PAIR },
	{ "bad-E304-no-b.lora", "a factor alone", PEFT("") "J:{" LORA_A "} f2" },
	{ "bad-E304-no-a.lora", "the other one alone", PEFT("") "J:{" T("m.lora_B.weight", "F32", "[3,1]", "[0,12]") "} f3" },
	{ "bad-E304-magnitude.lora", "magnitudes alone", PEFT("") "J:{" T("m.lora_magnitude_vector", "F32", "[3]", "[0,12]") "} f3" },
	{ "bad-E304-nothing.lora", "no tensors", PEFT("") "J:{}" },
	{ "bad-E504-expression.lora", "an alpha for no expression", PEFT(",\"alpha_pattern\":{\"(m\":4}") PAIR },
};
