/* mac.c - the working set of a GPU by what a machine is called: shares, edges between them, what is no machine. */
#include "heft_mac.h"
#include "tests/tap.h"

#include <string.h>

static void holds(const char *words, const char *name, uint64_t mib)
{
	struct heft_mac m;

	ok(!heft_mac_parse(&m, words, NULL) && !strcmp(m.name, name) && m.working_set >> 20 == mib && m.assumption[0] && m.assumption[1],
	   "%s: %llu MiB", words, (unsigned long long)mib);
}

static void shares(void)
{
	holds("mac 8G", "mac 8G", 5461); /* as Metal says it on such machines, to the MiB */
	holds("mac 16G", "mac 16G", 10922);
	holds("mac 32G", "mac 32G", 21845);
	holds("mac 36G", "mac 36G", 27648);
	holds("mac 64G", "mac 64G", 49152);
	holds("mac 96G", "mac 96G", 73728);
	holds("mac 128G", "mac 128G", 110100);
	holds("mac 512G", "mac 512G", 440401);
	holds("iphone 6G", "iphone 6G", 2048);
	holds("iphone 8G", "iphone 8G", 3072);
}

static void spellings(void)
{
	holds("Mac 16", "mac 16G", 10922);
	holds("mac16gb", "mac 16G", 10922);
	holds("MAC  16GiB", "mac 16G", 10922);
	holds("iPhone 8GB", "iphone 8G", 3072);
}

static void refusals(void)
{
	static const char *const bad[] = { "", "mac", "mac 0G", "mac G", "mac -8G", "mac 16T", "mac 16.5G", "mac 16G x", "mac 99999999999999999999G", "mac 65537G",
					   "macs 16G", "pc 16G", "16G", " mac 16G" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct heft_err err = { 0 };
		struct heft_mac m;

		ok(heft_mac_parse(&m, bad[i], &err) && err.code == HEFT_E_OPTION && strstr(err.text, "mac 16G"), "'%s' is refused", bad[i]);
	}
}

static void advice(void)
{
	struct heft_mac m;

	ok(!heft_mac_parse(&m, "mac 64G", NULL) && strstr(m.advice, "iogpu.wired_limit_mb=57344"), "a Mac's limit can be raised");
	ok(!heft_mac_parse(&m, "mac 8G", NULL) && !*m.advice, "not where the system needs the rest");
	ok(!heft_mac_parse(&m, "iphone 8G", NULL) && !*m.advice, "nor a phone's");
}

int main(void)
{
	shares();
	spellings();
	refusals();
	advice();
	return done();
}
