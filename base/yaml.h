/*
 * yaml.h - the one door to libyaml: reads the front matter of model cards into a tree as json.h has it.
 *
 * Plain scalars mean what they mean to PyYAML's safe_load: null, yes/no/on/off/true/false, integers in four bases,
 * floats with a point; all else, and whatever stands in quotes, is a string (dates too). Keys become strings. Aliases
 * are copies. One document, at most 1 MiB, 4 MiB with its aliases, 100 levels; merge keys ("<<") and other tags than
 * the core ones are refused.
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "json.h"

/* Parses n bytes; an empty text is null. `name` is for messages. Free with json_free(). */
struct json_doc *yaml_parse(const char *text, size_t n, const char *name, struct heft_err *err);

#endif
