#!/bin/bash
# What the real MLX and mlx-lm made, where their vectors are at hand: codes and what they stand for, whole directories, config.json. The
# acceptance tests of ../shared/reference/apple-formats.md, section 6, by their numbers:
#
#   A1  affine codes, scales and biases, byte for byte        tests/unit/mlx.c
#   A2  what codes of all kinds are read as                   here
#   A3  8-bit floats; mx modes lose no more than MLX's own    tests/unit/mlx.c; here
#   A4  no tensor is worse than mlx-lm's, most are better     tests/mlx.t; tests/unit/mlx.c
#   A5  directories of every family and recipe                here
#   A6  configurations of transformers 5                      here
#   A7  mixed recipes: bits of every module                   tests/unit/mlx.c; here
#   A8  memory, threads                                       tests/memory.t, tests/mlx.t
#   A9  GGUF's codes                                          tests/mlx.t
#   A10 entries that the loader for Swift takes               here
#   A11 packages of Core ML                                   tests/coreml.t, tests/coreml_write.t, tests/unit/coreml_write.c
#   A12 headers of safetensors, good and hostile              tests/unit/formats.c, tests/bad.t
#   A13 strict loading and logits in mlx-lm                   tests/oracle/mlx, tests/oracle/mlx_families
. "$(dirname "$0")/lib.sh"
digest=$build/tests/helper/st_digest vectors=../shared/data/vectors/mlx e2e=../shared/data/vectors/mlx/e2e
[ -d "$vectors" ] || { skip 'the vectors of MLX and mlx-lm' "no $vectors"; finish; }

# ---- codes are read as MLX reads them ----

# Of every file of quant/: DIR has its codes as modules, each with an entry of its own, and WANT what MLX says that they stand for.
modules() {
	perl -MJSON::PP -e '
		my ($quant, $dir, $want) = @ARGV;
		my (%in, %out, %said);
		sub slurp { open my $f, "<:raw", shift or die; local $/; <$f> }
		sub load {
			my $all = slurp(shift);
			my $n = unpack "Q<", $all;
			my $head = decode_json(substr $all, 8, $n);
			delete $head->{__metadata__};
			return { map { my ($from, $to) = @{$head->{$_}{data_offsets}}; $_ => [$head->{$_}{dtype}, $head->{$_}{shape}, substr $all, 8 + $n + $from, $to - $from] } keys %$head };
		}
		sub store {
			my ($path, $t) = @_;
			my ($head, $at) = ({}, 0);
			for (sort keys %$t) {
				my $n = length $t->{$_}[2];
				$head->{$_} = { dtype => $t->{$_}[0], shape => $t->{$_}[1], data_offsets => [$at, $at + $n] };
				$at += $n;
			}
			my $text = encode_json($head);
			open my $f, ">:raw", $path or die;
			print $f pack("Q<", length $text), $text, map { $t->{$_}[2] } sort keys %$t;
			close $f or die;
		}
		sub module {
			my ($name, $t, $codes, $scales, $biases, $values, $how) = @_;
			$in{"$name.weight"} = $t->{$codes};
			$in{"$name.scales"} = $t->{$scales};
			$in{"$name.biases"} = $t->{$biases} if $t->{$biases};
			$out{"$name.weight"} = $t->{$values};
			$said{$name} = $how;
		}
		my $files = decode_json(slurp("$quant/manifest.json"))->{files};
		for my $file (sort keys %$files) {
			my ($m, $t, $name) = ($files->{$file}, load("$quant/$file"), $file =~ s/\..*//r);
			my $how = { mode => $m->{mode}, bits => 0 + ($m->{bits} // ($name =~ /_b(\d)/ ? $1 : $m->{mode} eq "mxfp8" ? 8 : 4)),
				group_size => 0 + ($m->{group_size} // ($name =~ /gs(\d+)/ ? $1 : $m->{mode} eq "nvfp4" ? 16 : 32)) } if $m->{mode};
			if ($name =~ /^affine/) {
				module($name, $t, "wq", "scales", "biases", "deq", $how);
				module("$name.stack", $t, "w3q", "scales3", "biases3", "deq3", $how);
			} elsif ($name =~ /^dequant/) {
				$how = { mode => "affine", bits => 0 + ($name =~ /_b(\d)/)[0], group_size => 64 };
				module("$name.$_->[0]", $t, "wq", "scales$_->[1]", "biases$_->[1]", "deq_$_->[0]", $how) for ["f32", ""], ["f16", "_f16"], ["bf16", "_bf16"];
			} elsif ($name =~ /^(mxfp4|mxfp8|nvfp4)_(f32|f16|bf16)$/) {
				module($name, $t, "wq", "scales", "", "deq_f32", $how);
				module("$name.stack", $t, "w3q", "scales3", "", "deq3_f32", $how);
			}
		}
		store("$dir/model.safetensors", \%in);
		store($want, \%out);
		open my $f, ">", "$dir/config.json" or die;
		print $f encode_json({ quantization => { group_size => 64, bits => 4, mode => "affine", %said } });
		for (qw(mxfp4 mxfp8 nvfp4)) {
			my $t = load("$quant/${_}_f32.safetensors");
			store("$dir/../$_.safetensors", { "m.weight" => $t->{w} });
			store("$dir/../$_.theirs.safetensors", { "m.weight" => $t->{deq_f32} });
		}' "$vectors/quant" "$1" "$2"
}
mkdir "$dir/codes"
modules "$dir/codes" "$dir/want.safetensors" >"$dir/log" 2>&1 &&
	"$heft" convert "$dir/codes" --arch none --to safetensors -t f32 -o "$dir/read.safetensors" -q >"$dir/log" 2>&1 &&
	"$heft" diff "$dir/want.safetensors" "$dir/read.safetensors" --arch none --max-abs 0 -q >"$dir/log" 2>&1
ok $? "codes of all kinds stand for the numbers that MLX says" || shown "$dir/log"

# ---- mx modes: 4-bit ones are searched for, 8-bit ones have scales that nothing exceeds ----

# no_worse A B OF: no tensor of A is farther from OF's than B's is
no_worse() {
	"$heft" diff "$3" "$1" --arch none --json >"$dir/a.json" 2>"$dir/log"
	"$heft" diff "$3" "$2" --arch none --json >"$dir/b.json" 2>>"$dir/log"
	perl -MJSON::PP -e 'my ($a, $b) = map { open my $f, "<", $_ or die; local $/; my $t = decode_json(<$f>); +{ map { $_->{name}, $_->{error}{rmse} } @{$t->{tensors}} } } @ARGV;
		%$a or die "no tensors\n"; $a->{$_} <= $b->{$_} * 1.000001 or die "$_: $a->{$_}, $b->{$_}\n" for keys %$b' "$dir/a.json" "$dir/b.json" >"$dir/log" 2>&1
}
for t in mxfp4 mxfp8 nvfp4; do
	"$heft" convert "$dir/$t.safetensors" --arch none --to mlx -t $t -q -o "$dir/$t" >"$dir/log" 2>&1 &&
		"$heft" convert "$dir/$t" --arch none --to safetensors -t f32 -q -o "$dir/$t.ours.safetensors" >"$dir/log" 2>&1 &&
		no_worse "$dir/$t.ours.safetensors" "$dir/$t.theirs.safetensors" "$dir/$t.safetensors"
	ok $? "$t: loses no more than MLX's own codes" || shown "$dir/log"
done

# ---- directories ----

# same_config OURS THEIRS TENSORS: each module of TENSORS (a digest) is stored alike, and ours has nothing that the loader for Swift would not take
same_config() {
	perl -MJSON::PP -e 'my ($ours, $theirs) = map { open my $f, "<", "$_/config.json" or die; local $/; decode_json(<$f>) } splice @ARGV, 0, 2;
		my $json = JSON::PP->new->canonical;
		sub how {
			my ($q, $module) = @_;
			my $own = $q->{$module} // $q;
			my $mode = $own->{mode} // "affine";
			return join " ", $mode, $own->{bits} // 4, $own->{group_size} // 64;
		}
		for (map { /^(\S+)\.scales / } <STDIN>) {
			my ($a, $b) = (how($ours->{quantization}, $_), how($theirs->{quantization}, $_));
			$a eq $b or die "$_: $a, not $b\n";
		}
		my $q = $ours->{quantization} // {};
		$json->encode($q) eq $json->encode($ours->{quantization_config} // {}) or die "quantization_config says something else\n";
		for (grep { !/^(group_size|bits|mode)$/ } keys %$q) {
			my $text = ref $q->{$_} ? $json->encode($q->{$_}) : "";
			$text =~ /^\{"bits":\d+,"group_size":\d+,"mode":"\w+"\}$/ or die "$_: $text\n";
		}' "$1" "$2" <"$3" 2>"$dir/log"
}
for theirs in "$e2e"/mlx/*; do
	name=${theirs##*/} model=${name%__*} recipe=${name##*__} size=
	case $recipe in
	none) t=keep ;;
	q?_g*) t=${recipe:1:1}bit size="--group-size ${recipe#*g}" ;;
	f16_q4) t=4bit-f16 ;;
	*) t=${recipe%_nogs} ;;
	esac
	# shellcheck disable=SC2086
	"$heft" convert "$e2e/hf/$model" --to mlx -t "$t" $size --method mlx -o "$dir/out" -q -f >"$dir/log" 2>&1
	"$digest" "$theirs" >"$dir/theirs" && "$digest" "$dir/out" >"$dir/ours"
	case $recipe in
	mxfp[48]) # scales as this release made them may be half of what holds the largest number
		for f in ours theirs; do cut -d' ' -f1-3 "$dir/$f" >"$dir/names" && mv "$dir/names" "$dir/$f"; done
		diff "$dir/theirs" "$dir/ours" >"$dir/log"; pass $? "$name: names, types and shapes are mlx-lm's" ;;
	*) diff "$dir/theirs" "$dir/ours" >"$dir/log"; pass $? "$name: names, types, shapes and bytes are mlx-lm's" ;;
	esac
	same_config "$dir/out" "$theirs" "$dir/theirs"; pass $? "$name: config.json stores every module alike, and says so in whole numbers"
done

# ---- and back; configurations of transformers 5 ----

for hf in "$e2e"/hf/*; do
	name=${hf##*/}
	[ "$name" != gpt_oss_mxfp4 ] || continue # comes back as numbers, under other names; its newer configuration does not say that it has codes
	"$heft" convert "$e2e/mlx/${name}__q4_g64" --to safetensors -t bf16 -o "$dir/back" -q -f 2>"$dir/log"
	diff <("$digest" "$hf" | grep -v _scale_inv | cut -d' ' -f1,3) <("$digest" "$dir/back" | cut -d' ' -f1,3) >"$dir/log"
	pass $? "$name: comes back, names and shapes"
	mkdir "$dir/v5" && cp "$hf"/*.safetensors "$hf"/tokenizer* "$dir/v5/" && cp "$hf/config.json.v5" "$dir/v5/config.json"
	"$heft" convert "$dir/v5" --to mlx -t 4bit -o "$dir/out" -q -f >"$dir/log" 2>&1
	perl -MJSON::PP -e 'local $/; my ($a, $b) = map { open my $f, "<", $_ or die; decode_json(<$f>) } @ARGV; delete @$_{qw(quantization quantization_config)} for $a, $b;
		my $j = JSON::PP->new->canonical->allow_nonref; $j->encode($a->{$_}) eq $j->encode($b->{$_}) or die "$_\n" for keys %$a' "$hf/config.json" "$dir/out/config.json" 2>"$dir/log"
	pass $? "$name: the configuration of transformers 5 says what the old one did"
	rm -rf "$dir/v5"
done
finish
