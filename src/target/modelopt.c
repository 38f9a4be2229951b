/*
 * modelopt.c - what the targets of ModelOpt share: the two places where its library (0.47) says how a checkpoint is quantized.
 *
 *   hf_quant_config.json   {"producer": ..., "quantization": {"quant_algo", "kv_cache_quant_algo", "group_size", "exclude_modules"}}
 *   config.json            {"quant_algo", "ignore", "config_groups", "producer", "quant_method": "modelopt"}
 *
 * Runtimes look for either, and for the producer's name.
 */
#include "scheme.h"

static const char producer[] = "{\"name\": \"modelopt\", \"version\": \"0.47.0\"}";

void modelopt_config(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays)
{
	jbuf_printf(b, "{\n    \"quant_method\": \"modelopt\",\n    \"quant_algo\": \"%s\",\n    \"producer\": %s,\n", s->algorithm, producer);
	if (s->algorithm_groups)
		jbuf_printf(b, "    \"config_groups\": %s,\n", s->algorithm_groups);
	jbuf_printf(b, "    \"ignore\": ");
	scheme_list(b, stays);
	jbuf_printf(b, "\n  }");
}

void modelopt_file(struct jbuf *b, const struct scheme *s, const struct scheme_names *stays)
{
	jbuf_printf(b, "{\n  \"producer\": %s,\n  \"quantization\": {\n    \"quant_algo\": \"%s\",\n    \"kv_cache_quant_algo\": null,\n", producer,
		    s->algorithm);
	if (s->group)
		jbuf_printf(b, "    \"group_size\": %u,\n", (unsigned)s->group);
	jbuf_printf(b, "    \"exclude_modules\": ");
	scheme_list(b, stays);
	jbuf_printf(b, "\n  }\n}\n");
}
