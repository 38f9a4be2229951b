/* Regular expressions for names: what matches, what is refused, and that no pattern takes long. */
#include "src/regex.h"
#include "tests/tap.h"

static struct regex r;

static const struct {
	const char *pattern, *text;
	bool found;
} rows[] = {
	{ "attn_q", "blk.0.attn_q.weight", true },
	{ "attn_q", "blk.0.attn_k.weight", false },
	{ "", "x", true },
	{ "a", "", false },
	{ "^blk", "blk.0", true },
	{ "^lk", "blk.0", false },
	{ "weight$", "a.weight", true },
	{ "weigh$", "a.weight", false },
	{ "^$", "", true },
	{ "a.c", "abc", true },
	{ "a\\.c", "abc", false },
	{ "ffn_(up|down)", "ffn_down", true },
	{ "ffn_(?:up|down|gate)_exps", "ffn_gate_exps", true },
	{ "up|down", "xxdown", true },
	{ "(a|b|c|d)e", "ce", true },
	{ "ab*c", "ac", true },
	{ "ab*c", "abbbc", true },
	{ "ab+c", "ac", false },
	{ "ab?c", "abbc", false },
	{ "ab?c", "abc", true },
	{ "a{2}", "caat", true },
	{ "^a{2}$", "aaa", false },
	{ "^a{2,3}$", "aaa", true },
	{ "^a{2,3}$", "aaaa", false },
	{ "^a{2,}$", "aaaaa", true },
	{ "^a{0,2}$", "", true },
	{ "^a{0,2}$", "aa", true },
	{ "^a{0,2}$", "aaa", false },
	{ "^a{0}b$", "b", true },
	{ "^(ab){2}$", "abab", true },
	{ "blk\\.(1[0-9]|2[0-3])\\.", "blk.17.x", true },
	{ "blk\\.(1[0-9]|2[0-3])\\.", "blk.24.x", false },
	{ "[^a-c]", "abc", false },
	{ "[^a-c]", "abcd", true },
	{ "[]a]", "x", false },
	{ "[a-]", "-", true },
	{ "[\\d_]x", "_x", true },
	{ "\\d+", "a12", true },
	{ "\\D", "12", false },
	{ "\\w\\W", "a.", true },
	{ "\\s", "a b", true },
	{ "\\bq\\b", "a.q.b", true },
	{ "\\bq\\b", "aqb", false },
	{ "\\Bq", "aq", true },
	{ ".*?x", "aax", true },
	{ "(a*)*b", "aaab", true },
	{ "(a*)*b", "aaac", false },
	{ "(|a)b", "b", true },
	{ "a(b|)c", "ac", true },
	{ "\\.", ".", true },
	{ "a.b", "a\nb", false },
};

static const char *const refused[] = { "(", ")", "a)", "[a", "*a", "a**", "a{", "a{2", "a{3,2}", "a{300}", "(a)\\1",
	"(?=a)", "(?<n>a)", "a\\", "[z-a]", "(((((((((((((((((((((((((((((((((a)))))))))))))))))))))))))))))))))" };

int main(void)
{
	char text[4001];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *wrong = regex_compile(&r, rows[i].pattern, strlen(rows[i].pattern));
		ok(!wrong && regex_search(&r, rows[i].text) == rows[i].found, "'%s' %s '%s'", rows[i].pattern,
		   rows[i].found ? "is in" : "is not in", rows[i].text);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		ok(regex_compile(&r, refused[i], strlen(refused[i])), "'%s' is refused", refused[i]);
	ok(regex_compile(&r, "((a{200}){200})", 15), "a pattern that would be large");
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	ok(!regex_compile(&r, "((a*)*)*(a?){20}b", 17) && !regex_search(&r, text), "what takes others for ever");
	return done();
}
