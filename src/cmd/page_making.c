/*
 * page_making.c owns what a report's page says of how a model was made, and the digests of what was written.
 */
#include <inttypes.h>

#include "page.h"

enum { MAX_ROWS = 5000 };

static void list_files(FILE *f, const struct heft_model *m)
{
	size_t n = m->n_files < PAGE_LISTED ? m->n_files : PAGE_LISTED;

	html_element(f, "dt", "files");
	fputs("<dd>", f);
	for (size_t i = 0; i < n; i++) {
		html_said(f, "%s%s", i ? ", " : "", page_base(m->file[i].path));
		if (m->file[i].size != UINT64_MAX)
			html_said(f, " (%" PRIu64 " bytes)", m->file[i].size);
	}
	if (n < m->n_files)
		html_said(f, " and %zu more", m->n_files - n);
	fputs("</dd>\n", f);
}

void page_making(FILE *f, const struct heft_model *m, const struct tool *tool, const void *options)
{
	html_element(f, "dt", "made by");
	html_element(f, "dd", "heft %s", HEFT_VERSION);
	html_element(f, "dt", "source");
	html_element(f, "dd", "%s, %s%s%s", page_base(m->path), m->format, m->name ? ", " : "", m->name ? m->name : "");
	list_files(f, m);
	page_given(f, tool, options);
}

/* ---- digests ---- */

static void head(FILE *f, const char *what)
{
	fputs("<div class=\"wide\"><table>\n<thead><tr>", f);
	html_element(f, "th scope=\"col\"", "%s", what);
	fputs("<th scope=\"col\" class=\"r\">bytes</th><th scope=\"col\">SHA-256</th></tr></thead>\n<tbody>\n", f);
}

static void row(FILE *f, const char *name, uint64_t size, const char *sha256)
{
	fputs("<tr>", f);
	html_element(f, "th scope=\"row\" class=\"name\"", "%s", name);
	html_element(f, "td class=\"r\"", "%" PRIu64, size);
	fputs("<td>", f);
	html_element(f, "code", "%s", sha256);
	fputs("</td></tr>\n", f);
}

static void foot(FILE *f)
{
	fputs("</tbody>\n</table></div>\n", f);
}

void page_digests(FILE *f, const struct heft_manifest *m)
{
	size_t n = m->n_tensors < MAX_ROWS ? m->n_tensors : MAX_ROWS;

	html_element(f, "h3", "Digests");
	html_element(f, "p class=\"lead\"", "Of each file as sha256sum prints it, and of each tensor's bytes; heft check --manifest proves them.");
	head(f, "file");
	for (size_t i = 0; i < m->n_files; i++)
		row(f, m->file[i].name, m->file[i].size, m->file[i].sha256);
	foot(f);
	fprintf(f, "<details><summary>%s %zu tensors</summary>\n", n < m->n_tensors ? "The first" : "All", n);
	head(f, "tensor");
	for (size_t i = 0; i < n; i++)
		row(f, m->tensor[i].name, m->tensor[i].size, m->tensor[i].sha256);
	foot(f);
	if (n < m->n_tensors)
		html_element(f, "p class=\"lead\"", "%zu more are in the manifest.", m->n_tensors - n);
	fputs("</details>\n", f);
}
