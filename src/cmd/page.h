/*
 * page.h - the sections of a report's page; report_page.c and diff.c put them together. All take finished surveys.
 */
#ifndef PAGE_H
#define PAGE_H

#include "heft_manifest.h"
#include "html.h"
#include "survey.h"

enum { PAGE_LISTED = 50 }; /* at most so many of what may be many */

struct tile {
	const char *what;
	struct text value;
	const char *note; /* below the value; NULL: nothing */
};
void page_tiles(FILE *f, const struct tile *t, size_t n);
void page_sizes(FILE *f, const struct survey *s);      /* size by part */
void page_errors(FILE *f, const struct survey *s);     /* by layer, and by layer of each kind */
void page_map(FILE *f, const struct survey *s);        /* which type where */
void page_histograms(FILE *f, const struct survey *s); /* of the worst tensors: page_histograms.c */
void page_types(FILE *f, const struct survey *s);      /* a table: the types with their numbers */
void page_tensors(FILE *f, const struct survey *s);    /* all of them, folded */

int page_colour(const struct survey *s, const struct heft_encoding *enc); /* 0 to 9: --c0 ... */
void page_type(FILE *f, const struct survey *s, const struct heft_encoding *enc); /* a chip and the name */
bool page_wanted(const char *path); /* is it called .html or .htm? */

/* Calls f for each option that was given and has a say in what is written; a path is its last component. */
void opt_given(const struct tool *t, const void *options, void (*f)(void *ctx, const char *name, const char *value), void *ctx);
void page_given(FILE *f, const struct tool *t, const void *options); /* as a row of facts; nothing where t is NULL */
void page_making(FILE *f, const struct heft_model *source, const struct tool *t, const void *options); /* page_making.c: facts: heft, source, options */
void page_digests(FILE *f, const struct heft_manifest *m);
const char *page_base(const char *path); /* last component: pages say no one's folders */

void diff_html(const struct heft_diff *d, const struct heft_model *a, const struct heft_model *b, const struct tool *tool, const void *options, FILE *f);

#endif
