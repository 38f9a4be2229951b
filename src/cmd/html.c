/*
 * html.c owns how pages look and how text gets into them.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "html.h"

/*
 * Colours stand for types: --c0 for the fewest bits per weight, --c7 to --c9 for 16 bits and more. Widths are relative, so that one page serves a
 * telephone and a desk; only tables may be wider than the window, and then they alone are moved.
 */
static const char style_text[] =
	":root{--page:#f7f7f5;--card:#fff;--ink:#1c2430;--soft:#5b6675;--line:#e1e4e8;--track:#eef0f2;--accent:#2a6fdb;"
	"--warn:#9a4a00;--c0:#b42348;--c1:#dd5b2a;--c2:#e09a1a;--c3:#8fa31e;--c4:#2f9e58;--c5:#1797a6;--c6:#2f74d0;--c7:#7a5fc9;--c8:#6c7686;--c9:#a7afba}\n"
	"@media(prefers-color-scheme:dark){:root{--page:#12151a;--card:#1a1f26;--ink:#e7eaee;--soft:#9aa5b3;--line:#2c333d;--track:#29303a;"
	"--accent:#6ea8fe;--warn:#f0a35e;--c0:#ee6685;--c1:#f58557;--c2:#f2b84b;--c3:#b5c84a;--c4:#56c47c;--c5:#3fc0ce;--c6:#6ea8fe;--c7:#a793f0;"
	"--c8:#8d97a6;--c9:#626c7a}}\n"
	"*{box-sizing:border-box}\n"
	"html{-webkit-text-size-adjust:100%}\n"
	"body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif}\n"
	"main{max-width:70rem;margin:0 auto;padding:1.5rem 1rem 3rem}\n"
	"h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem;overflow-wrap:anywhere}\n"
	"h2{font-size:1.15rem;line-height:1.3;margin:0 0 .25rem}\n"
	"h2.output{font-size:1.4rem;margin-top:2.5rem;overflow-wrap:anywhere}\n"
	"h3{font-size:1rem;margin:1.25rem 0 .25rem;overflow-wrap:anywhere}\n"
	"p{margin:0 0 .75rem}\n"
	".soft,.lead,caption{color:var(--soft)}\n"
	".lead{max-width:46rem;font-size:.92rem}\n"
	"section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem;margin:1rem 0}\n"
	".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.2rem,1fr));gap:.75rem;margin:1rem 0}\n"
	".tiles div{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.7rem .9rem}\n"
	".tiles dt{color:var(--soft);font-size:.82rem}\n"
	".tiles dd{margin:0;font-size:1.3rem;font-weight:600;line-height:1.3;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}\n"
	".tiles .note{font-size:.8rem;font-weight:400;color:var(--soft)}\n"
	".wide{overflow-x:auto}\n"
	"table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}\n"
	"th,td{text-align:left;padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:baseline}\n"
	"tr:last-child>*{border-bottom:0}\n"
	"thead th{color:var(--soft);font-weight:500;font-size:.82rem;white-space:nowrap}\n"
	"tbody th{font-weight:500}\n"
	".r{text-align:right;white-space:nowrap}\n"
	".name{overflow-wrap:anywhere;min-width:9rem}\n"
	"svg{display:block;width:100%}\n"
	".chip{display:inline-block;width:.75em;height:.75em;border-radius:.2em;margin-right:.4em;vertical-align:-.02em}\n"
	".legend{display:flex;flex-wrap:wrap;gap:.15rem 1rem;list-style:none;margin:0 0 .75rem;padding:0;font-size:.88rem}\n"
	".bars{list-style:none;margin:0;padding:0}\n"
	".bars li{margin:0 0 .6rem}\n"
	".bars .head,.axis{display:flex;justify-content:space-between;gap:1rem;font-size:.9rem}\n"
	".bars .head b{font-weight:500}\n"
	".bars .head span,.axis{color:var(--soft);font-variant-numeric:tabular-nums;text-align:right}\n"
	".bars svg{height:.9rem;background:var(--track);border-radius:.25rem}\n"
	".axis{font-size:.75rem;line-height:1.6}\n"
	".plot{position:relative;padding-left:3.1rem}\n"
	".plot svg{height:11rem;border-bottom:1px solid var(--soft)}\n"
	".plot i{position:absolute;left:3.1rem;right:0;height:0;border-top:1px dashed var(--line);font-style:normal}\n"
	".plot i span{position:absolute;left:-3.1rem;top:-.65em;width:2.7rem;text-align:right;font-size:.75rem;line-height:1.3;color:var(--soft)}\n"
	".plot .area{position:relative;margin-left:-3.1rem}\n"
	".plot .area svg{position:relative;margin-left:3.1rem;width:calc(100% - 3.1rem)}\n"
	".minis{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(15rem,100%),1fr));gap:1rem 1.5rem;margin-top:1.25rem}\n"
	".minis.small{grid-template-columns:repeat(auto-fill,minmax(min(9rem,45%),1fr))}\n"
	".minis+.lead{margin-top:1rem}\n"
	"figure{margin:0;min-width:0}\n"
	"figcaption{font-size:.88rem;line-height:1.35;margin-bottom:.3rem;display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 .75rem}\n"
	"figcaption b{font-weight:500;overflow-wrap:break-word;max-width:100%}\n"
	"figcaption span{color:var(--soft);white-space:nowrap;font-variant-numeric:tabular-nums}\n"
	".minis svg{height:4rem;border-top:1px solid var(--track);border-bottom:1px solid var(--soft)}\n"
	".map{display:grid;grid-template-columns:minmax(5rem,auto) minmax(0,1fr);gap:3px .75rem;align-items:center;font-size:.85rem}\n"
	".map span{overflow-wrap:anywhere;line-height:1.2;max-width:11rem}\n"
	".map svg{height:1.25rem}\n"
	"details{margin-top:.5rem}\n"
	"summary{cursor:pointer;color:var(--accent);font-weight:500}\n"
	"details[open] summary{margin-bottom:.5rem}\n"
	".facts{display:grid;grid-template-columns:minmax(6rem,auto) minmax(0,1fr);gap:.3rem 1rem;margin:0;font-size:.92rem}\n"
	".facts dt{color:var(--soft)}\n"
	".facts dd{margin:0;overflow-wrap:anywhere}\n"
	"code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}\n"
	".warn{color:var(--warn)}\n"
	"footer{color:var(--soft);font-size:.82rem;margin-top:1.5rem}\n"
	"@media(max-width:30rem){main{padding:1rem .6rem 2rem}section{padding:.8rem .7rem}.map{grid-template-columns:5.6rem minmax(0,1fr);gap:3px .5rem;"
	"font-size:.78rem}.facts{grid-template-columns:minmax(0,1fr);gap:0}.facts dd{margin-bottom:.5rem}.plot svg{height:9rem}}\n"
	"@media print{section{break-inside:avoid}body{background:none}}\n";

void html_begin(FILE *f, const char *title)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n"
	      "<meta name=\"generator\" content=\"heft " HEFT_VERSION "\">\n<title>", f);
	html_text(f, title);
	fprintf(f, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n", style_text);
}

void html_end(FILE *f)
{
	fputs("<footer>Made by heft " HEFT_VERSION ". This page needs no network and no script.</footer>\n</main>\n</body>\n</html>\n", f);
}

/* The two last code points of each plane are no characters; HTML forbids them. */
static bool is_character(const char *s, size_t n)
{
	uint32_t c;

	return safe_decode(s, n, &c) && (c & 0xfffe) != 0xfffe && (c < 0xfdd0 || c > 0xfdef);
}

static const char *entity(char c)
{
	switch (c) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	case '\'': return "&#39;";
	}
	return NULL;
}

void html_text(FILE *f, const char *s)
{
	for (size_t n = strlen(s); n;) {
		size_t len = safe_char(s, n);

		if (len && is_character(s, n)) {
			if (entity(*s))
				fputs(entity(*s), f);
			else
				fwrite(s, 1, len, f);
		} else {
			len = 1;
			fprintf(f, "\\x%02x", (unsigned char)*s);
		}
		s += len;
		n -= len;
	}
}

void html_name(FILE *f, const char *element, const char *name)
{
	fprintf(f, "<%s>", element);
	while (*name) {
		size_t n = strcspn(name, "._");
		char *part;

		n += name[n] != 0;
		part = need(strndup(name, n));
		html_text(f, part);
		free(part);
		name += n;
		if (*name)
			fputs("<wbr>", f);
	}
	fprintf(f, "</%.*s>", (int)strcspn(element, " "), element);
}

static void said(FILE *f, const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	html_text(f, need(text));
	free(text);
}

void html_said(FILE *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	said(f, fmt, ap);
	va_end(ap);
}

void html_element(FILE *f, const char *element, const char *fmt, ...)
{
	va_list ap;

	fprintf(f, "<%s>", element);
	va_start(ap, fmt);
	said(f, fmt, ap);
	va_end(ap);
	fprintf(f, "</%.*s>", (int)strcspn(element, " "), element);
}

void html_section(FILE *f, const char *title, const char *lead)
{
	fputs("<section>\n", f);
	html_element(f, "h2", "%s", title);
	if (lead)
		html_element(f, "p class=\"lead\"", "%s", lead);
	putc('\n', f);
}
