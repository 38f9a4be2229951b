/*
 * report_solve.c owns what is said of a size that was asked for: what the candidates would have made of it, and what was chosen.
 */
#include <inttypes.h>
#include <math.h>

#include "report.h"

static void add_type(struct table *t, const struct heft_solved_type *type, double cost)
{
	table_add(t, "%s", type->name);
	table_add(t, "%s", human_bytes(type->size).s);
	if (isnan(type->cost) || cost <= 0)
		table_add(t, "-");
	else
		table_add(t, "%.3g", type->cost / cost);
	table_add(t, "%zu", type->tensors);
}

void report_solution(const struct heft_solution *s, FILE *f)
{
	static const char *const head[] = { "candidate", "alone: size", "loss", "tensors" };
	struct table t;

	fprintf(f, "%ssize asked for: %s (%" PRIu64 " bytes); chosen: %" PRIu64 " bytes, %.3f %% less, %.3f bits per weight%s\n", style(f, BOLD),
		human_bytes(s->target).s, s->target, s->size, 100 * (1 - (double)s->size / (double)s->target), s->bits, style(f, PLAIN));
	table_init(&t, "lrrr", head);
	for (size_t k = 0; k < s->n_types; k++)
		add_type(&t, &s->type_list[k], s->cost);
	table_print(&t, f, 2);
	fprintf(f, "loss: of the whole file in one type, relative to that of the choice");
	if (s->sample < 1)
		fprintf(f, "; from %.3g %% of the rows, which makes the choice's uncertain by %.2g %%", 100 * s->sample, s->cost > 0 ? 100 * s->doubt / s->cost : 0);
	putc('\n', f);
	if (s->note)
		fprintf(f, "%s%s%s\n", style(f, YELLOW), s->note, style(f, PLAIN));
}
