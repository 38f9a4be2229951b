/*
 * command.c owns the first operand of tools that do several things: which command it names, what the command takes, and which options go with it.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"

/* Is a word one of a list with spaces between? */
static bool lists(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *s = list ? list : ""; *s; s += strcspn(s, " "), s += *s == ' ')
		if (strcspn(s, " ") == n && !memcmp(s, word, n))
			return true;
	return false;
}

static bool given(const struct opt *o, const void *options)
{
	const void *at = (const char *)options + o->offset;

	switch (o->kind) {
	case OPT_FLAG: return *(const bool *)at;
	case OPT_STRING: return *(const char *const *)at != NULL;
	case OPT_LIST: return ((const struct list *)at)->n != 0;
	case OPT_SIZE:
	case OPT_COUNT: return *(const uint64_t *)at != 0;
	case OPT_REAL: return !isnan(*(const double *)at);
	default: return false;
	}
}

/* The names of the commands that have an option, or of all (NULL), each behind `between`. */
static struct words {
	char s[128];
} names(const struct command *c, const char *option, const char *between)
{
	struct words w = { "" };

	for (; c->name; c++)
		if (!option || lists(c->options, option))
			snprintf(w.s + strlen(w.s), sizeof w.s - strlen(w.s), "%s%s", *w.s ? between : "", c->name);
	return w;
}

/* Options that a row names are for those commands that name them. */
static int check_options(const struct tool *t, const struct command *c, const void *options)
{
	for (const struct opt *o = t->opt; o->kind != OPT_END; o++) {
		struct words with = names(t->command, o->name, ", ");

		if (*with.s && !lists(c->options, o->name) && given(o, options))
			return misuse("--%s goes with %s %s; not with %s", o->name, t->name, with.s, c->name);
	}
	return -1;
}

int command_run(const struct tool *t, void *options, const struct list *args)
{
	const struct command *c = t->command;
	int status;

	while (c->name && strcmp(c->name, args->v[0]))
		c++;
	if (!c->name)
		return unknown_word("", names(t->command, NULL, "|").s, args->v[0]);
	if (args->n - 1 < c->least || args->n - 1 > c->most)
		return misuse("%s %s takes %s", t->name, c->name, c->takes);
	status = check_options(t, c, options);
	return status < 0 ? c->run(options, args) : status;
}
