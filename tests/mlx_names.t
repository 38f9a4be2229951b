#!/bin/bash
# Models under the names that MLX has for them, and back: names, transforms, config.json, other files; folders that are damaged. That all is as
# mlx-lm has it is compared in tests/mlx_vectors.t and tests/oracle/mlx_families.
. "$(dirname "$0")/lib.sh"
digest=$build/tests/helper/st_digest

mlx() { # LABEL SOURCE OUT ARGS...: a directory for MLX
	local label=$1 from=$2 to=$3
	shift 3
	"$heft" convert "$from" --to mlx -o "$to" -q "$@" >"$dir/log" 2>&1
	ok $? "$label" || shown "$dir/log"
}
same() { # LABEL A B: the same tensors, bytes and all
	diff <("$digest" "$2") <("$digest" "$3") >"$dir/diff" && [ -s "$2/config.json" ]
	ok $? "$1" || shown "$dir/diff"
}
has() { # LABEL FILE PERL: the JSON in FILE, $_, holds
	perl -MJSON::PP -0777 -ne '$_ = decode_json($_); exit !('"$3"')' "$2"
	ok $? "$1"
}

for preset in mixtral qwen3moe llama3; do
	model "$dir/$preset" $preset layers=2
	pre=
	[ $preset = qwen3moe ] && rm "$dir/$preset"/tokenizer* && cp testdata/kjv-bpe/tokenizer* "$dir/$preset/" && pre='--pre qwen2'
	mlx "$preset" "$dir/$preset" "$dir/$preset-mlx" -t bf16
	"$heft" convert "$dir/$preset-mlx" --to safetensors -t bf16 -o "$dir/$preset-back" -q 2>"$dir/log"
	same "$preset: comes back" "$dir/$preset" "$dir/$preset-back"
	"$heft" convert "$dir/$preset" -t bf16 -o "$dir/one.gguf" -q -f $pre && "$heft" convert "$dir/$preset-mlx" -t bf16 -o "$dir/two.gguf" -q -f $pre 2>"$dir/log"
	"$heft" diff "$dir/one.gguf" "$dir/two.gguf" --max-abs 0 -q >"$dir/log" 2>&1
	ok $? "$preset: the GGUF of either is the same" || shown "$dir/log"
	mlx "$preset: from the GGUF" "$dir/one.gguf" "$dir/$preset-gguf" -t bf16
	diff <("$digest" "$dir/$preset-mlx") <("$digest" "$dir/$preset-gguf") >"$dir/diff"
	ok $? "$preset: names and bytes are those from the checkpoint" || shown "$dir/diff"
	mlx "$preset: again" "$dir/$preset-mlx" "$dir/$preset-again" -t bf16
	same "$preset: what is MLX's already stays" "$dir/$preset-mlx" "$dir/$preset-again"
	(for f in "$dir/$preset"/tokenizer*; do cmp "$f" "$dir/$preset-mlx/${f##*/}" || exit 1; done) >"$dir/log" 2>&1
	ok $? "$preset: the tokenizer's files, byte for byte"
done
"$digest" "$dir/mixtral-mlx" | grep -q '^model.layers.1.block_sparse_moe.switch_mlp.down_proj.weight BF16 \[[0-9]*,[0-9]*,[0-9]*,\]'
ok $? 'experts are one tensor for each projection'
mlx 'a mixture in 4 bits' "$dir/qwen3moe" "$dir/q4" -t 4bit
has 'the routers have 8' "$dir/q4/config.json" '$_->{quantization}{"model.layers.1.mlp.gate"}{bits} == 8 && $_->{quantization}{bits} == 4'
mlx 'another in 4 bits' "$dir/mixtral" "$dir/m4" -t 4bit
has 'where the routers have 4' "$dir/m4/config.json" '!$_->{quantization}{"model.layers.1.block_sparse_moe.gate"}'
"$heft" convert "$dir/m4" --to safetensors -t bf16 -o "$dir/m4-back" -q && "$heft" convert "$dir/m4-back" -t q8_0 -o "$dir/one.gguf" -q -f &&
	"$heft" convert "$dir/m4" -t q8_0 -o "$dir/two.gguf" -q -f && "$heft" diff "$dir/one.gguf" "$dir/two.gguf" --max-abs 0 -q >"$dir/log" 2>&1
ok $? 'codes come back' || shown "$dir/log"

# ---- folders that are damaged ----
refused() { # LABEL CODE TEXT: the folder $dir/bad, in one line; nothing is written
	"$heft" convert "$dir/bad" --to safetensors -t bf16 -o "$dir/no/" >"$dir/log" 2>&1
	[ $? = 1 ] && [ "$(wc -l <"$dir/log")" -eq 1 ] && grep -q "$3.*\[$2\]" "$dir/log" && [ ! -e "$dir/no" ]
	ok $? "$1" || shown "$dir/log"
	cp "$dir/q4/config.json" "$dir/bad/"
}
cp -R "$dir/q4" "$dir/bad"
rm "$dir/bad/model.safetensors.index.json"
sed 's/"group_size": 64/"group_size": 32/' "$dir/q4/config.json" >"$dir/bad/config.json"
refused 'another size of groups' E207 'groups of 32, as the configuration says'
sed 's/"bits": 4/"bits": 8/' "$dir/q4/config.json" >"$dir/bad/config.json"
refused 'other bits' E207 'codes of 8 bits'
sed 's/"mode": "affine"/"mode": "nf4"/' "$dir/q4/config.json" >"$dir/bad/config.json"
refused 'a mode that MLX has not' E302 'no mode, bits and group_size'
sed 's/"group_size": 64/"group_size": -64/' "$dir/q4/config.json" >"$dir/bad/config.json"
refused 'groups of less than nothing' E302 'no mode, bits and group_size'

sed -e '/"quantization": {/,/^  }/d' -e '/"quantization_config": {/,/^  }/d' "$dir/q4/config.json" >"$dir/bad/config.json"
refused 'no word of bits and groups' E302 'no config.json beside it says'
perl -MJSON::PP -0777 -ne '$_ = decode_json($_); for my $k ("quantization", "quantization_config") { $_->{$k}{"model.layers.0.self_attn.q_proj"} = JSON::PP::false } print encode_json($_)' \
	"$dir/q4/config.json" >"$dir/bad/config.json"
refused 'a module with codes that is said to have none' E302 'is not quantized'
rm "$dir/bad/config.json"
refused 'no configuration at all' E302 'no config.json beside it says'

# edit PERL: the folder $dir/bad is $dir/q4, whose header, $h, is another; a tensor that is taken out of it takes its bytes along
edit() {
	perl -MJSON::PP -0777 -e 'my ($from, $to, $do) = @ARGV; open my $f, "<:raw", $from; my $all = <$f>; my $n = unpack "Q<", $all; my $h = decode_json(substr $all, 8, $n); my $data = substr $all, 8 + $n;
		my $m = "model.layers.0.self_attn.q_proj"; eval $do; die $@ if $@; my ($out, $at) = ("", 0);
		for (sort grep { $_ ne "__metadata__" } keys %$h) { my $o = $h->{$_}{data_offsets}; my $d = substr $data, $o->[0], $o->[1] - $o->[0]; $out .= $d; $h->{$_}{data_offsets} = [$at, $at + length $d]; $at += length $d }
		my $j = JSON::PP->new->canonical->encode($h); open my $g, ">:raw", $to; print $g pack("Q<", length $j), $j, $out' "$dir/q4/model.safetensors" "$dir/bad/model.safetensors" "$1"
}
edit 'delete $h->{"$m.scales"}'
refused 'scales are missing' E304 "q_proj.scales' is missing"
edit 'delete $h->{"$m.biases"}'
refused 'biases are missing' E304 "q_proj.biases', which affine codes need"
edit 'delete $h->{"$m.weight"}'
refused 'codes are missing' E304 'is part of a quantized weight'
edit '$h->{"$m.scales"}{dtype} = "F16"'
refused 'scales of another type than biases' E207 'are no affine codes'
edit 'my $t = $h->{"$m.scales"}; $t->{dtype} = "U8"; $t->{shape}[-1] *= 2'
refused 'scales that are bytes' E207 'are no affine codes'
edit 'my $t = $h->{"$m.biases"}; $t->{shape} = [$t->{shape}[0] / 2, 2 * $t->{shape}[1]]'
refused 'biases of another shape' E207 'is not of the shape'
edit ''
{ echo '{"metadata":{},"weight_map":{'; "$digest" "$dir/q4" | sed 's/ .*//; s/.*/"&": "model.safetensors",/'; echo '"model.layers.9.self_attn.q_proj.scales":"model.safetensors"}}'; } >"$dir/bad/model.safetensors.index.json"
refused 'an index that names what is not there' E212 'should be in model.safetensors, but is not'
printf '{"metadata":{},"weight_map":{"lm_head.scales":"model-00002-of-00002.safetensors"}}' >"$dir/bad/model.safetensors.index.json"
refused 'an index that names a file that is not there' E210 'the file is missing'

# ---- config.json ----
model "$dir/v5" mistral layers=1
mlx 'a configuration of transformers 5' "$dir/v5" "$dir/v5-mlx" -t 4bit
has 'has rope_theta and keeps its own' "$dir/v5-mlx/config.json" '$_->{rope_theta} == 1000000 && $_->{rope_parameters}{rope_theta} == 1000000'
sed -i.bak 's/"rope_parameters": {[^}]*}/"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 7.0}, "vision_config": {"a": {"b": 1}}, "dtype": "bfloat16"/; s/"torch_dtype": "[a-z0-9]*",//' "$dir/v5/config.json"
mlx 'one that scales' "$dir/v5" "$dir/v5-scaled" -t bf16
has 'has rope_scaling' "$dir/v5-scaled/config.json" '$_->{rope_theta} == 7 && $_->{rope_scaling}{factor} == 4 && $_->{rope_scaling}{rope_type} eq "yarn" && !exists $_->{rope_scaling}{rope_theta}'
has 'torch_dtype, and no vision_config' "$dir/v5-scaled/config.json" '$_->{torch_dtype} eq "bfloat16" && !exists $_->{vision_config}'

finish
