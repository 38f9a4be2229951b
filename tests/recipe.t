#!/bin/bash
# Recipes as texts: the tool that lists, shows and checks them, files that must be taken or refused, decisions that are saved and replayed to the same
# bytes, what a recipe and other options say of the same tensor.
. "$(dirname "$0")/lib.sh"
tool=recipe
samples=testdata/recipe

# ---- list, show, check ----

says 0 '^q4_k_m  *q4_k  *gguf  *4.5 ' "list names recipes with their bits" list
"$heft" recipe list --json >"$dir/list.json" && perl -MJSON::PP -0777 -ne 'my $j = decode_json($_); exit !($j->{schema} == 1 && @{$j->{recipes}} > 30)' "$dir/list.json" 2>"$dir/log"
pass $? "list --json"
says 0 'base head' "show prints a recipe" show Q4_K_M
says 0 '^keep .*_norm.weight' "show prints what it inherits, too" show q4_k
says 0 'let gqa' "show prints a fragment" show counts
says 1 "there is no recipe 'q4_k_xl'" "show of one that is not there" show q4_k_xl
says 2 'takes one NAME' "show without a name" show
says 2 'takes FILE' "check without a file" check
says 2 'flat goes with' "list --flat" list --flat
says 2 'imatrix and --arch go with' "check --imatrix without a model" check $samples/good-plain.recipe --imatrix x
says 2 'only: list, show, check' "another word" zzz
says 1 'cannot open' "check of a file that is not there" check "$dir/none"
says 0 '^mixed_3_6  *mlx ' "list names those of other targets" list
while read -r r to; do
	"$heft" recipe show "$r" --flat >"$dir/flat.recipe" 2>"$dir/log" && ! grep -q '^base' "$dir/flat.recipe" &&
		"$heft" convert "$kjv" --to "$to" -n -o x --recipe "$dir/flat.recipe" 2>"$dir/log" | sed 's/  */ /g' | cut -d ' ' -f -7 >"$dir/flat" &&
		"$heft" convert "$kjv" --to "$to" -n -o x -t "$r" 2>"$dir/log" | sed 's/  */ /g' | cut -d ' ' -f -7 >"$dir/plain" && [ "$(wc -l <"$dir/plain")" -gt 38 ] && diff "$dir/plain" "$dir/flat" >"$dir/log"
	pass $? "$r: its flat text decides what it decides"
done < <("$heft" recipe list --json | perl -MJSON::PP -0777 -ne 'print "$_->{name} $_->{to}\n" for @{decode_json($_)->{recipes}}')
printf 'recipe x\nbase mixed_3_6\ntype q4_k\n' >"$dir/x.recipe"
says 1 "base 'mixed_3_6' is for --to mlx" "a base that is another target's" check "$dir/x.recipe"
for f in $samples/good-*.recipe; do
	says 0 'can be read' "${f##*/}" check "$f"
	says 0 ' fits: 39 tensors' "${f##*/} on a model" check "$f" "$kjv"
	"$heft" recipe check "$f" "$kjv" --json >"$dir/json" 2>"$dir/log" &&
		perl -MJSON::PP -0777 -ne 'my $j = decode_json($_); exit !(@{$j->{tensors}} == 39 && ref $j->{rows})' "$dir/json" 2>"$dir/log"
	pass $? "${f##*/}: --json"
done
while IFS=$'\t' read -r f text; do
	"$heft" recipe check "$samples/$f" >"$dir/out" 2>"$dir/log"
	[ $? = 1 ] && [ ! -s "$dir/out" ] && [ "$(wc -l <"$dir/log")" = 1 ] && grep -qF -e "$text" "$dir/log"
	pass $? "$f: $text"
done <$samples/expected.txt
[ "$(ls $samples/bad-*.recipe | wc -l)" = "$(wc -l <$samples/expected.txt)" ]; ok $? "every bad sample says what it is refused for"

awk -v d="$dir" '/^\.Bd -literal/ { f = d "/page-" ++n ".recipe"; next } /^\.Ed/ { f = "" } f { print >f }' man/heft-recipe.5
for f in "$dir"/page-*.recipe; do
	says 0 ' fits: 39 tensors' "heft-recipe(5): $(sed -n 1p "$f")" check "$f" "$kjv"
done
says 0 '^ *2 .*blk.{l}.attn_v.weight -> q8_0' "check counts what rows decide" check "$dir/page-1.recipe" "$kjv"

# ---- what rows decide ----

recipe() { printf '%b' "$1" >"$dir/r.recipe"; }
decides() { # LABEL TENSOR TYPE WHY ARGUMENT...: of the plan with r.recipe
	local label=$1 tensor=$2 type=$3 why=$4
	shift 4
	"$heft" convert "$kjv" -n -o "$dir/x" --recipe "$dir/r.recipe" "$@" >"$dir/log" 2>&1 && grep -E "^ *$tensor " "$dir/log" | grep -E " $type .*$why" >/dev/null
	pass $? "$label"
}
recipe 'base q4_k_m\nblk.{l}.attn_v.weight -> q5_k when l == 1\nblk.{l}.attn_v.weight -> q8_0\n'
decides "the first row that holds decides" blk.1.attn_v.weight q5_k r.recipe:2
decides "the next one takes the rest" blk.2.attn_v.weight q8_0 r.recipe:3
decides "the base's rows stand behind" blk.3.ffn_down.weight q6_k 'recipe r'
decides "norms stay" blk.0.attn_norm.weight f32 'norms stay'
decides "a rule of the command line comes before rows" blk.1.attn_v.weight q3_k "rule 'blk.1.attn_v=q3_k'" --tensor-type blk.1.attn_v=q3_k
decides "so does the type of the output matrix" output.weight q5_1 output-tensor-type --output-tensor-type q5_1
decides "and of the embeddings" token_embd.weight q5_1 token-embedding-type --token-embedding-type q5_1
decides "and leaving the output matrix" output.weight bf16 'left as it is' --leave-output-tensor
recipe 'base q4_k_m\nkeep blk.{l}.attn_v.weight "sensitive" when l == 1\nblk.{l}.attn_v.weight -> q8_0\n'
decides "a row that keeps comes before all" blk.1.attn_v.weight bf16 sensitive --tensor-type attn_v=q3_k
recipe 'type q4_k\n{*}attn_v.weight -> q6_k when more_bits and gqa == 2 and layers == 4 and kv_heads == 4 and not tied and not imatrix and arch == "llama"\n{*} -> q5_0 when width > 256\n'
decides "names of facts" blk.3.attn_v.weight q6_k r.recipe:2
decides "the width of rows" blk.0.ffn_down.weight q5_0 r.recipe:3
decides "what no row takes has the type" blk.0.ffn_up.weight q4_k 'recipe r'

unused() { # LABEL TEXT ARGUMENT...
	local label=$1 text=$2
	shift 2
	refused 1 "$text" "$label" "$kjv" --recipe "$dir/r.recipe" -o "$dir/no" "$@"
}
recipe 'base q4_k_m\nblk.{l}.attn_w.weight -> q8_0\n'
unused "a row that matches nothing" "r.recipe:2: 'blk.{l}.attn_w.weight' matches no tensor"
recipe 'base q4_k_m\nblk.{l}.attn_v.weight -> q8_0 when l > 9\n'
unused "a row whose condition never holds" "or its condition holds for none"
recipe 'base q4_k_m\nkeep blk.9.attn_v.weight "x"\n'
unused "a row that keeps nothing" "r.recipe:2: 'blk.9.attn_v.weight' matches no tensor"
recipe 'base q4_k_m\n{*}_norm.weight -> q8_0\n'
unused "a row on what always stays" "matches no tensor that can be stored in another type"
recipe 'base q4_k_m\n{*}exps{*} -> q8_0 when experts\n'
"$heft" convert "$kjv" --recipe "$dir/r.recipe" -n >"$dir/log" 2>&1; pass $? "a row for models of another kind is excused by its condition on the model"
recipe 'base q4_k_m\noptional\nblk.{l}.attn_w.weight -> q8_0\n'
"$heft" convert "$kjv" --recipe "$dir/r.recipe" -n >"$dir/log" 2>&1; pass $? "so is one behind the row optional"
recipe 'base q4_k_m\nblk.{l}.attn_v.weight -> q8_0 when l < name\n'
unused "an expression that has no value" "[E"
recipe 'base q4_k_m\n{*}attn_v.weight -> iq2_xxs\n'
unused "a type that needs an importance matrix" "E511"
recipe 'to w4a16\n{*}q_proj -> w8a16\n'
unused "a recipe for another target" "is a recipe for --to w4a16" --to gguf
unused "half of what runtimes read as one" "patterns must take both or neither"
recipe 'to w4a16\n{*}z_proj -> w8a16\n'
unused "a row that matches no module" "matches no module"
recipe 'type q4_k\n'
refused 2 "in place of --type" "--recipe and -t" "$kjv" --recipe "$dir/r.recipe" -t q4_k_m -o "$dir/no"
refused 2 "--pure and --recipe" "--recipe and --pure" "$kjv" --recipe "$dir/r.recipe" --pure -o "$dir/no"
refused 2 "is not for Core ML" "--recipe and Core ML" "$kjv" --recipe "$dir/r.recipe" --to coreml -o "$dir/no"
refused 2 "goes with one output" "--save-recipe and two outputs" "$kjv" -t f16 -o "$dir/no" -t q8_0 -o "$dir/no2" --save-recipe "$dir/no.recipe"
refused 1 "no types of their own" "--recipe and safetensors" "$kjv" --recipe "$dir/r.recipe" --to safetensors -o "$dir/no"
refused 1 "no types to choose" "--save-recipe and safetensors" "$kjv" --to safetensors -t f16 --save-recipe "$dir/no.recipe" -o "$dir/no"
refused 1 "cannot create" "--save-recipe in a folder that is not there" "$kjv" -t q8_0 --save-recipe "$dir/none/x" -o "$dir/no"

# ---- saved and replayed ----

replays() { # LABEL SOURCE TYPE-OPTIONS OTHER-OPTIONS: what a type decides, saved, makes the same bytes; saved again it is the same text
	local source=$2
	rm -rf "$dir/a.gguf" "$dir/b.gguf"
	# shellcheck disable=SC2086
	"$heft" convert "$source" $3 $4 -q -o "$dir/a.gguf" --save-recipe "$dir/a.recipe" 2>"$dir/log" &&
		"$heft" convert "$source" --recipe "$dir/a.recipe" $4 --strict -q -o "$dir/b.gguf" --save-recipe "$dir/b.recipe" 2>"$dir/log" &&
		diff -r "$dir/a.gguf" "$dir/b.gguf" >"$dir/log" && diff "$dir/a.recipe" "$dir/b.recipe" >"$dir/log" && ! grep -q "$dir\|$source" "$dir/a.recipe"
	pass $? "replayed: $1"
}
model "$dir/moe" mixtral; model "$dir/odd" mixtral-narrow; model "$dir/tied" llama3
for t in q4_k_m q3_k_l q2_k iq4_xs q5_0 f16 bf16 q8_0 mxfp4_moe; do
	replays "$t" "$kjv" "-t $t" ""
	replays "$t, experts" "$dir/moe" "-t $t" ""
done
for t in q4_k_m iq4_nl q6_k; do
	replays "$t, tied head" "$dir/tied" "-t $t" ""
	replays "$t, rows that fall back" "$dir/odd" "-t $t" ""
done
for t in iq2_xxs iq1_m q2_k_s iq3_xxs; do
	replays "$t with an importance matrix" "$kjv" "-t $t" "--imatrix $kjv/imatrix.dat"
done
grep -q 'importance matrix of 28 entries' "$dir/a.recipe"; ok $? "the importance matrix is noted"
replays "--effort high" "$kjv" "-t q4_k_s" "--effort high"
grep -q -e '--effort high' "$dir/a.recipe"; ok $? "--effort is noted"
replays "--via f32" "$kjv" "-t q4_k_s" "--via f32"
replays "rules and options" "$kjv" "-t q3_k_m --tensor-type ffn_up=q5_1 --tensor-type blk.2.*=iq4_nl --output-tensor-type q8_0 --token-embedding-type f16" ""
replays "--pure" "$kjv" "-t q4_0 --pure" ""
replays "--leave-output-tensor" "$kjv" "-t q5_k_s --leave-output-tensor" ""
replays "a float with a rule" "$kjv" "-t f16 --tensor-type ffn_down=q8_0" ""
replays "own recipes" "$kjv" "--recipe $samples/good-mix.recipe" ""
"$heft" convert "$kjv" -t bf16 -q -o "$dir/bf16.gguf" 2>"$dir/log"
replays "keep, of a GGUF" "$dir/bf16.gguf" "-t keep --tensor-type ffn_down=q4_k" ""
replays "of a GGUF" "$dir/bf16.gguf" "-t q4_k_m" ""
"$heft" quantize "$dir/bf16.gguf" "$dir/q.gguf" Q3_K_M --save-recipe "$dir/q.recipe" -q 2>"$dir/log" &&
	"$heft" quantize "$dir/bf16.gguf" "$dir/q2.gguf" --recipe "$dir/q.recipe" 2 -q 2>"$dir/log" && cmp "$dir/q.gguf" "$dir/q2.gguf" >"$dir/log"
pass $? "replayed: heft quantize"
tool=quantize
says 2 "in place of TYPE" "quantize --recipe without OUT" "$dir/bf16.gguf" --recipe "$dir/q.recipe"
says 1 'no types to choose' "quantize copy has no recipe" "$dir/bf16.gguf" "$dir/no" copy --save-recipe "$dir/no.recipe"
for t in "w4a16 --tensor-type down_proj=w8a16:64 --tensor-type o_proj=bf16 --ignore layers.1.mlp" gptq fp8-dynamic "nvfp4a16 -t f16" bnb-nf4 "mlx -t mixed_3_6" \
	"mlx -t 4bit --tensor-type q_proj=8bit:32 --ignore layers.0.self_attn.k_proj" "mlx -t mxfp4-f16" "mlx -t keep" "mlx -t f16"; do
	replays "--to $t" "$kjv" "--to $t" ""
done
replays "--to w4a16, groups of a size" "$kjv" "--to w4a16" "--group-size 32"
replays "--to w4a16, most layers keep theirs" "$kjv" "--to w4a16 --ignore layers.[012].mlp" ""
replays "--to w4a16, experts" "$dir/moe" "--to w4a16 --tensor-type layers.1.block_sparse_moe=w8a16" ""
replays "--to mlx, experts" "$dir/moe" "--to mlx -t mixed_2_6" ""
finish
