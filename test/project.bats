# ca-project: bats test/project.bats
load setup

setup_suite_data() {
  [[ -e $BATS_FILE_TMPDIR/t.safetensors ]] && return
  ca-gen -q --rows 4000 --seed 3 --preset small -o "$BATS_FILE_TMPDIR/c.car"
  ca-train -q --arch mlp:8:16,4 --seed 1 -o "$BATS_FILE_TMPDIR/t.safetensors" "$BATS_FILE_TMPDIR/c.car"
}
data() { echo "$BATS_FILE_TMPDIR/$1"; }

# column NAME: of a report on standard input, without its header
column() { awk -F '\t' -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } { print $c }'; }
# all EXPRESSION: holds for every line, the number in x
all() { awk "{ x = \$1; n++; if (!($1)) bad = 1 } END { exit bad || !n }"; }

@test "a copy, an expansion, principal components" {
  for width in 8 12 5; do
    ca-project -q --arch fibinet:$width:16,8 --report $width.tsv -o $width.safetensors "$(data t.safetensors)"
  done
  column method < 8.tsv | sort -u | grep -qx copy
  column reconstruction_error < 8.tsv | all 'x == 0'
  column method < 12.tsv | sort -u | grep -qx expand
  column reconstruction_error < 12.tsv | all 'x < 1e-6'
  column inner_product_distortion < 12.tsv | all 'x < 1e-6'
  column method < 5.tsv | sort -u | grep -qx pca
  column retained_variance < 5.tsv | all 'x > 0.5 && x < 1.0000001'
}

@test "the theorem's Gram distortion is what is measured" {
  ca-project -q --arch mlp:5:16,8 --report r.tsv -o m.safetensors "$(data t.safetensors)"
  paste <(column gram_distortion_theory < r.tsv) <(column gram_distortion_measured < r.tsv) |
    awk '{ d = ($1 - $2) / ($1 + 1e-3); if (d > 1e-4 || d < -1e-4) bad = 1; n++ } END { exit bad || n < 5 }'
}

@test "a shared basis keeps products across fields" {
  ca-project -q --arch fibinet:12:8 --scope shared --report r.tsv -o m.safetensors "$(data t.safetensors)"
  column cross_field_distortion < r.tsv | all 'x < 1e-6'
  ca-project -q --arch fibinet:12:8 --report r.tsv -o m.safetensors "$(data t.safetensors)"
  column cross_field_distortion < r.tsv | all 'x > 0.01'
}

@test "the student works, and an expanded one learns on" {
  ca-project -q --arch fibinet:12:8 -o s.safetensors "$(data t.safetensors)"
  ca-eval -q --model s.safetensors "$(data c.car)" > out
  [[ $(column rows < out) == 4000 ]]
  ca-train -q --init s.safetensors -o s2.safetensors "$(data c.car)"
  ! cmp -s s.safetensors s2.safetensors || false
}

@test "the same command, the same bytes, whatever the threads; another seed, others" {
  ca-project -q --arch mlp:12:8 -j 1 -o a "$(data t.safetensors)"
  ca-project -q --arch mlp:12:8 -j 4 < "$(data t.safetensors)" > b
  cmp a b
  ca-project -q --arch mlp:12:8 --seed 2 -o c "$(data t.safetensors)"
  run -1 cmp -s a c
}

@test "auto takes the least width that keeps the share" {
  ca-project -q --arch mlp:auto:8 --retain 0.7 --report a.tsv -o a "$(data t.safetensors)"
  width=$(column width_to < a.tsv | sort -u)
  column retained_variance < a.tsv | all 'x >= 0.7'
  (( width > 1 && width < 8 ))
  ca-project -q --arch mlp:$((width - 1)):8 --report b.tsv -o b "$(data t.safetensors)"
  column retained_variance < b.tsv | awk '$1 < 0.7 { less = 1 } END { exit !less }'
}

@test "keeping the mean loses fewer inner products than dropping it" {
  ca-project -q --arch mlp:4:8 --mean drop --report drop.tsv -o a "$(data t.safetensors)"
  ca-project -q --arch mlp:4:8 --mean keep --report keep.tsv -o b "$(data t.safetensors)"
  paste <(column inner_product_distortion < drop.tsv) <(column inner_product_distortion < keep.tsv) |
    awk '{ a += $1; b += $2 } END { exit !(b < a) }'
  run -1 cmp -s a b
}

@test "no projection: fresh tables, nothing to reconstruct" {
  ca-project -q --arch mlp:8:8 --method none --report r.tsv -o m.safetensors "$(data t.safetensors)"
  column method < r.tsv | sort -u | grep -qx none
  column reconstruction_error < r.tsv | sort -u | grep -qx nan
}

@test "the optimizer state can be mapped, but not out of nothing" {
  ca-project -q --arch mlp:12:8 --optimizer map -o m.safetensors "$(data t.safetensors)"
  ca-project -q --arch mlp:12:8 -o n.safetensors "$(data t.safetensors)"
  run -1 cmp -s m.safetensors n.safetensors
  ca-train -q --arch mlp:8:8 --weights-only -o bare.safetensors "$(data c.car)"
  run -3 --separate-stderr ca-project --arch mlp:12:8 --optimizer map -o x bare.safetensors
  [[ $stderr == *"optimizer state"* && ! -e x ]]
}

@test "the report goes to standard output, or is JSON" {
  run -0 --separate-stderr ca-project -q --arch mlp:5:8 --report - -o m "$(data t.safetensors)"
  [[ ${lines[0]} == field$'\t'rows$'\t'width_from* && ${#lines[@]} -gt 5 ]]
  run -0 --separate-stderr ca-project -q --arch mlp:5:8 --report - --format json -o m "$(data t.safetensors)"
  [[ ${lines[0]} == '{"field":"'*'"method":"pca"'* ]]
}

@test "bad usage: exit 2, nothing written" {
  run -2 ca-project -o x "$(data t.safetensors)"
  run -2 ca-project --arch nothing:8:8 -o x "$(data t.safetensors)"
  run -2 ca-project --arch mlp:0:8 -o x "$(data t.safetensors)"
  run -2 ca-project --arch mlp:8:8 --retain 0.9 -o x "$(data t.safetensors)"
  run -2 ca-project --arch mlp:auto:8 --retain 1.1 -o x "$(data t.safetensors)"
  run -2 ca-project --arch mlp:8:8 --method none --optimizer map -o x "$(data t.safetensors)"
  run -2 --separate-stderr ca-project --arch mlp:8:8 --report - "$(data t.safetensors)"
  [[ -z $output && $stderr == *"standard output"* ]]
  [[ ! -e x ]]
}

@test "empty, truncated and damaged models: exit 3, nothing written" {
  run -3 ca-project --arch mlp:5:8 -o x /dev/null
  for size in 4 100 5000; do
    head -c $size "$(data t.safetensors)" > cut
    run -3 ca-project --arch mlp:5:8 -o x cut
    run -3 ca-project --arch mlp:5:8 -o x < cut
  done
  cp "$(data t.safetensors)" bad
  header=$(od -An -t u8 -N 8 bad)
  printf '\377\377' | dd of=bad bs=1 seek=$((8 + header + 100)) conv=notrunc status=none
  run -3 ca-project --arch mlp:5:8 -o x bad
  [[ ! -e x ]]
}

@test "first-order tables are copied, unless all stay fresh, and the main tables are projected" {
  ca-gen -q --rows 4k --seed 1 --preset small -o fx.car
  ca-train -q --arch deepfm-fx:4:8 --batch 256 -o narrow.safetensors fx.car
  ca-project -q --arch deepfm-fx:6:8 -o wide.safetensors narrow.safetensors
  first_order() { ca-model -q --tensors "$1" | grep 'lr_layer.*table'; }
  [[ $(first_order narrow.safetensors | wc -l) == 8 ]]
  diff <(first_order narrow.safetensors) <(first_order wide.safetensors)
  # an expansion keeps norms: those of the main tables agree, and only the first-order ones are copies
  norms() { ca-model -q --tensors "$1" | grep '^embedding_layer.*table' | cut -f5; }
  paste <(norms narrow.safetensors) <(norms wide.safetensors) |
    awk '{ d = $1 / $2 - 1; if (d > 1e-5 || d < -1e-5) exit 1; n++ } END { exit n != 8 }'
  run -0 ca-project -q --method none --arch deepfm-fx:6:8 -o fresh.safetensors narrow.safetensors
  run -1 diff <(first_order narrow.safetensors) <(first_order fresh.safetensors)
}

@test "a missing model, a full device, an unwritable place: exit 4" {
  run -4 ca-project --arch mlp:5:8 -o x nowhere.safetensors
  run -4 bash -c "ca-project -q --arch mlp:5:8 '$(data t.safetensors)' > /dev/full"
  run -4 ca-project -q --arch mlp:5:8 -o nowhere/x "$(data t.safetensors)"
  run -4 ca-project -q --arch mlp:5:8 --report nowhere/r -o x "$(data t.safetensors)"
  [[ ! -e x ]]
}

@test "a reader that leaves: 141" {
  run -0 bash -c "set +o pipefail; ca-project -q --arch mlp:64:8 '$(data t.safetensors)' | head -c 1 > /dev/null
    echo \${PIPESTATUS[0]}"
  [[ $output == 141 ]]
}

@test "names with a space and with a dash" {
  cp -- "$(data t.safetensors)" '-t 1'
  ca-project -q --arch mlp:5:8 -o '-s 1' -- '-t 1'
  ca-project -q --arch mlp:5:8 "$(data t.safetensors)" | cmp - ./'-s 1'
}
