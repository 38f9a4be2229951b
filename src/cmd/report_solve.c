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

void report_solution_json(const struct heft_solution *s, struct emitter *w)
{
	if (!s)
		return;
	emit_open(w, "solution", '{');
	emit_number(w, "target", s->target);
	emit_number(w, "size", s->size);
	emit_real(w, "bits_per_weight", s->bits);
	emit_real(w, "cost", s->cost);
	emit_real(w, "uncertainty", s->doubt);
	emit_real(w, "sample", s->sample);
	emit_open(w, "candidates", '[');
	for (size_t k = 0; k < s->n_types; k++) {
		emit_open(w, NULL, '{');
		emit_text(w, "type", s->type_list[k].name);
		emit_number(w, "size", s->type_list[k].size);
		emit_real(w, "cost", s->type_list[k].cost);
		emit_number(w, "tensors", s->type_list[k].tensors);
		emit_close(w, '}');
	}
	emit_close(w, ']');
	emit_text(w, "recipe", s->recipe);
	emit_text(w, "note", s->note);
	emit_close(w, '}');
}

void report_solution(const struct heft_solution *s, bool recipe, FILE *f)
{
	static const char *const head[] = { "candidate", "alone: size", "loss", "tensors" };
	struct table t;

	if (!s)
		return;
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
	if (recipe && s->recipe) {
		putc('\n', f);
		fputs(s->recipe, f);
		putc('\n', f);
	}
}
