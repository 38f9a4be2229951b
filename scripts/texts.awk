# Writes the families and recipes given as files as one C table: { "arch/llama.arch", "text" }.
BEGIN {
	print "/* made by scripts/texts.awk */\n#include \"src/texts.h\"\nconst struct text texts[] = {"
}
FNR == 1 {
	if (NR > 1)
		print "\t},"
	name = FILENAME
	sub(/^.*src\//, "", name)
	printf "\t{ \"%s\",\n", name
}
{
	line = $0
	gsub(/\\/, "\\\\", line)
	gsub(/"/, "\\\"", line)
	gsub(/\?/, "\\?", line)
	printf "\t  \"%s\\n\"\n", line
}
END {
	if (NR > 0)
		print "\t},"
	print "\t{ 0, 0 },\n};"
}
