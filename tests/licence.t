#!/bin/bash
# The licence: heft info names it and says what to look at, a checkpoint's directory and a GGUF's metadata carry it.
. "$(dirname "$0")/lib.sh"
cp -R "$kjv" "$dir/m"
rm -f "$dir/m/README.md" "$dir/m"/LICENSE*
card() { printf -- '---\n%s\n---\n# a model\n' "$1" >"$dir/m/README.md"; }
names() { # WORDS CONDITION LABEL
	"$heft" info "$dir/m" >"$dir/log" 2>&1 && tr -s ' \n' ' ' <"$dir/log" | grep -qF "$1" && tr -s ' \n' ' ' <"$dir/log" | grep -qF "$2"; pass $? "$3"
}
while IFS='|' read -r id name condition; do
	card "license: $id"; names "license $id: $name" "$condition" "license: $id"
done <<'ROWS'
llama2|Llama 2 Community License|700 million monthly users
llama3|Llama 3 Community License|Built with Meta Llama 3
llama3.1|Llama 3.1 Community License|names of models trained with it begin with Llama
llama3.2|Llama 3.2 Community License|companies in the EU
llama3.3|Llama 3.3 Community License|acceptable use policy
llama4|Llama 4 Community License|companies in the EU
gemma|Gemma Terms of Use|prohibited use policy
cc-by-nc-4.0|CC-BY-NC|no commercial use; credit is given
cc-by-nc-sa-4.0|CC-BY-NC-SA|go under the same licence
bigscience-openrail-m|OpenRAIL|uses are restricted
apache-2.0|Apache-2.0|the licence and the NOTICE
mit|MIT|copyright notice
ROWS
while IFS='|' read -r id name condition; do
	card "license: other
license_name: $id
license_link: LICENSE"
	names "license other: $name" "$condition" "license_name: $id"
done <<'ROWS'
qwen|Tongyi Qianwen / Qwen License|100 million monthly users
tongyi-qianwen|Tongyi Qianwen / Qwen License|100 million monthly users
qwen-research|Qwen Research License|no commercial use
deepseek|DeepSeek Model License|uses are restricted
mrl|Mistral Research License|no commercial use
mnpl|Mistral Non-Production License|no use in production
ROWS
card "license: other
license_link: https://ai.google.dev/gemma/terms"; names "other: Gemma Terms of Use" "prohibited use policy" "by its link alone"
card "license: other
license_name: my-own"; "$heft" info "$dir/m" >"$dir/log" 2>&1 && grep -q "license  *other" "$dir/log" && ! grep -q "look at" "$dir/log"; pass $? "one that is not known is only said"
rm "$dir/m/README.md"
printf '\n   LLAMA 3.1 COMMUNITY\n   LICENSE AGREEMENT\nLlama 3.1 Version Release Date: July 23, 2024\n' >"$dir/m/LICENSE"; names "license Llama 3.1 Community License" "700 million" "by its text beside the model"
printf '                                 Apache License\n                           Version 2.0, January 2004\n' >"$dir/m/LICENSE"; names "license Apache-2.0" "NOTICE" "Apache's text"
head -c 4000 /dev/urandom >"$dir/m/LICENSE"; "$heft" info "$dir/m" >"$dir/log" 2>&1; pass $? "a text of any bytes"
card "license: llama3.1"
"$heft" info "$dir/m" --json 2>"$dir/log" | perl -MJSON::PP -0777 -ne 'my $j = decode_json($_); exit !($j->{license} eq "llama3.1" && $j->{license_known}{name} eq "Llama 3.1 Community License" &&
	$j->{license_known}{conditions} =~ /700 million/ && $j->{license_known}{link} =~ /^https:/)'
pass $? "--json"

# it travels
for f in LICENSE LICENSE.txt NOTICE Notice.txt USE_POLICY.md; do echo "the text of $f" >"$dir/m/$f"; done
for to in safetensors w4a16 mlx awq bnb-nf4 fp8-dynamic modelopt-nvfp4; do
	"$heft" convert "$dir/m" --to $to -q -o "$dir/$to" 2>"$dir/log" && for f in LICENSE LICENSE.txt NOTICE Notice.txt USE_POLICY.md README.md; do cmp "$dir/m/$f" "$dir/$to/$f" >>"$dir/log" 2>&1 || break; done && cmp -s "$dir/m/README.md" "$dir/$to/README.md"
	pass $? "with a directory of --to $to"
done
card "license: other
license_name: qwen
license_link: https://example.org/LICENSE"
"$heft" convert "$dir/m" -t q8_0 -q -o "$dir/m.gguf" 2>"$dir/log" && "$heft" meta get "$dir/m.gguf" general.license general.license.name general.license.link >"$dir/log" 2>&1 &&
	grep -q other "$dir/log" && grep -q qwen "$dir/log" && grep -q 'https://example.org/LICENSE' "$dir/log"
pass $? "in a GGUF's metadata"
"$heft" info "$dir/m.gguf" >"$dir/log" 2>&1 && grep -q "other: Tongyi Qianwen / Qwen License" "$dir/log"; pass $? "and heft info reads it there"
cp "$dir/m"/LICENSE "$dir/m"/NOTICE "$dir/m"/USE_POLICY.md "$dir/" && "$heft" convert "$dir/m.gguf" --to safetensors -q -o "$dir/back" 2>"$dir/log" && cmp "$dir/LICENSE" "$dir/back/LICENSE" >"$dir/log" 2>&1 &&
	cmp "$dir/NOTICE" "$dir/back/NOTICE" >"$dir/log" 2>&1 && cmp -s "$dir/USE_POLICY.md" "$dir/back/USE_POLICY.md" && grep -q 'license_name: "qwen"' "$dir/back/README.md" && [ ! -e "$dir/back/log" ]
pass $? "from beside a GGUF into the checkpoint that is made of it"
finish
