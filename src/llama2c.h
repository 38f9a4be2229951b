/* llama2c.h - what a model of llama2.c lacks to be a GGUF: its tokenizer. */
#ifndef LLAMA2C_H
#define LLAMA2C_H

#include "../base/err.h"
#include "kv.h"
#include "model.h"

/* Adds tokenizer.* keys from tokenizer.bin or tokenizer.model in `dir`; as many tokens as llama.vocab_size says. */
int llama2c_tokenizer(struct kv_list *kv, const char *dir, struct heft_err *err);

#endif
