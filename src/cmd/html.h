/*
 * html.h - writes HTML. Text from files goes through html_text() or html_said(), which let none of it be markup; everything else that is
 * written is this program's own words. A page needs nothing but itself: no script, no reference, and it forbids both to what opens it.
 */
#ifndef HTML_H
#define HTML_H

#include "cmd.h"

void html_begin(FILE *f, const char *title);
void html_end(FILE *f);

void html_text(FILE *f, const char *s); /* for text and for attributes in double quotes; what would steer or is no UTF-8 is spelled out */
__attribute__((format(printf, 2, 3)))
void html_said(FILE *f, const char *fmt, ...); /* the same of what printf makes */
__attribute__((format(printf, 3, 4)))
void html_element(FILE *f, const char *element, const char *fmt, ...); /* <td class="r">...</td> of "td class=\"r\"" and text */
void html_name(FILE *f, const char *element, const char *name); /* which may be broken after its points and lines */
void html_section(FILE *f, const char *title, const char *lead); /* lead: a sentence below the title, or NULL */

#endif
