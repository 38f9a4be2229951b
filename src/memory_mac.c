/*
 * memory_mac.c - what the GPU of an Apple machine can hold: Metal's recommendedMaxWorkingSetSize, by the memory of the machine.
 *
 * Reported by machines: 5.33 GiB of 8 (SceneWorks#1552), 10.67 of 16 (exo#1672), 21.33 of 32 (ollama#434), 48 of 64 (llama.cpp#1870), 72 of 96
 * (llama.cpp#3213), 107.5 of 128 with macOS 26 (ds4#893): two thirds, three quarters, 84 %. 11.84 of 16 were seen, too (llmfit#754): the lower
 * figure stands here. Phones: 3.1 to 4.2 GB of 6 were free at launch (pocketpal-ai#651), an app of 3.5 GB was ended on 8 (SwiftMistralCoreML#15).
 */
#include "heft_mac.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/err.h"

struct share { /* of the memory */
	const char *machine;
	uint32_t from;     /* GiB; the last row that applies decides */
	uint32_t part, of;
	const char *text;
};

static const struct share shares[] = {
	{ "mac", 0, 2, 3, "Metal lets the GPU of a Mac with 32 GB or less use two thirds of the memory; newer versions of macOS may allow more" },
	{ "mac", 33, 3, 4, "Metal lets the GPU of a Mac with more than 32 GB use three quarters of the memory" },
	{ "mac", 128, 84, 100, "macOS 26 lets the GPU of a Mac with 128 GB or more use 84 % of the memory; older versions 75 %" },
	{ "iphone", 0, 1, 3, "an app on a phone with less than 8 GB can count on a third of the memory" },
	{ "iphone", 8, 3, 8, "an app on a phone with 8 GB or more can count on three eighths of the memory" },
};

static const char *const alone = "nothing else of size uses the GPU";
static const char *const entitled = "the app has the increased-memory-limit entitlement";

enum { MOST = 1 << 16 }; /* GiB */

static const struct share *find(const char *machine, size_t n, uint64_t gib)
{
	const struct share *found = NULL;

	for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
		if (strlen(shares[i].machine) == n && !strncasecmp(shares[i].machine, machine, n) && gib >= shares[i].from)
			found = &shares[i];
	return found;
}

/* "16", "16G", "16GB", "16GiB"; 0: it is none. */
static uint64_t gib_of(const char *s)
{
	static const char *const unit[] = { "", "g", "gb", "gi", "gib" };
	char *end;
	uint64_t n;

	if (!isdigit((unsigned char)*s))
		return 0;
	n = strtoull(s, &end, 10);
	for (size_t i = 0; i < sizeof unit / sizeof *unit; i++)
		if (!strcasecmp(end, unit[i]) && n <= MOST)
			return n;
	return 0;
}

/* What users leave the system: an eighth, and no less than 4 GiB. */
static void advise(struct heft_mac *m)
{
	uint64_t least = (uint64_t)4 << 30, rest = m->memory / 8 > least ? m->memory / 8 : least;

	if (!m->phone && m->memory > rest && m->memory - rest > m->working_set)
		snprintf(m->advice, sizeof m->advice, "until the next start, 'sudo sysctl iogpu.wired_limit_mb=%llu' raises the limit",
			 (unsigned long long)((m->memory - rest) >> 20));
}

int heft_mac_parse(struct heft_mac *out, const char *words, struct heft_err *err)
{
	size_t n = strcspn(words, " 0123456789");
	uint64_t gib = gib_of(words + n + strspn(words + n, " "));
	const struct share *s = gib ? find(words, n, gib) : NULL;

	if (!s)
		return heft_fail(err, HEFT_E_OPTION, "no machine '%s': name it with its memory, as in \"mac 16G\" or \"iphone 8G\"", words);
	*out = (struct heft_mac){ .phone = !strcmp(s->machine, "iphone"), .memory = gib << 30 };
	out->working_set = out->memory / s->of * s->part + out->memory % s->of * s->part / s->of;
	out->assumption[0] = s->text;
	out->assumption[1] = out->phone ? entitled : alone;
	snprintf(out->name, sizeof out->name, "%s %lluG", s->machine, (unsigned long long)gib);
	advise(out);
	return 0;
}
