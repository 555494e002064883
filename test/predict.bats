# ca-predict
load setup

setup_suite_data() {
  D=$BATS_FILE_TMPDIR/data
  if [[ ! -d $D ]]; then
    mkdir "$D"
    ca-gen -q --rows 10k --preset small --seed 5 -o "$D/in.car"
    ca-train -q --arch fibinet:4:8,4 --batch 40 -o "$D/m.safetensors" "$D/in.car"
    ca-predict -q -m "$D/m.safetensors" "$D/in.car" -o "$D/scores.tsv"
  fi
  IN=$D/in.car M=$D/m.safetensors SCORES=$D/scores.tsv
}

@test "text: row, label, logit and probability of every row" {
  [[ $(head -n 1 "$SCORES") == row$'\t'label$'\t'logit$'\t'probability && $(wc -l < "$SCORES") == 10001 ]]
  awk -F '\t' 'NR > 1 { d = $4 - 1 / (1 + exp(-$3)); if (d * d > 1e-12 || $1 != NR - 2) { print; exit 1 } }' "$SCORES"
  diff <(tail -n +2 "$SCORES" | cut -f 2) <(ca-view -q --columns click "$IN" | tail -n +2)
  # it has learned: clicked rows score higher
  awk -F '\t' 'NR > 1 { s[$2] += $3; n[$2]++ } END { exit !(s[1] / n[1] > s[0] / n[0] + 0.05) }' "$SCORES"
}

@test "the same bits for any threads, blocks, compression, file or pipe" {
  for layout in '--block-rows 7' '--block-rows 100000 --compress 1'; do
    ca-cat -q $layout "$IN" -o layout.car
    for j in 1 4; do
      ca-predict -q -j $j -m "$M" layout.car | cmp - "$SCORES"
      ca-predict -q -j $j -m "$M" < <(cat layout.car) | cmp - "$SCORES"
    done
  done
}

@test "a column: the rows as they were, the logits beside them" {
  run -0 ca-predict -q -m "$M" --column 'my teacher' --block-rows 1000 "$IN" -o out.car
  diff <(ca-view -q out.car | sed 's/\t[^\t]*$//') <(ca-view -q "$IN")
  diff <(ca-view -q --columns 'my teacher' out.car | tail -n +2) <(tail -n +2 "$SCORES" | cut -f 3)
  ca-view -q --header out.car | tail -n 1 | grep -q 'teacher.*f32'
  # attachments go along, and the digest does not depend on blocks
  ca-predict -q -m "$M" --column 'my teacher' --compress 6 -j 1 "$IN" | ca-cat -q --no-provenance --block-rows 1000 -o b.car
  ca-cat -q --no-provenance --block-rows 1000 out.car | cmp - b.car
  run -3 --separate-stderr ca-predict -q -m "$M" --column click "$IN" -o x.car
  [[ $stderr == *"click"* && ! -e x.car ]]
}

@test "soft labels: the model's probability where the label is not known, the label elsewhere" {
  ca-gen -q --rows 3000 --preset small --seed 5 --conversions | ca-sample -q -m all --label conversion --no-weight -o x.car
  for j in 1 3; do
    ca-predict -q -j $j -m "$M" --column teacher --soft-label click x.car | ca-view -q -c click,conversion,teacher > soft$j
  done
  cmp soft1 soft3
  paste <(ca-view -q -c conversion x.car) soft1 | awk 'NR > 1 { want = $2 ? $1 : 1 / (1 + exp(-$4)); d = $3 - want
    if (d > 1e-7 || d < -1e-7) { print; exit bad = 1 }; n[$2]++ } END { exit bad || !n[0] || !n[1] }'
  # everything else is as it was
  ca-predict -q -m "$M" --column teacher --soft-label click x.car | ca-cat -q --drop conversion,teacher | ca-view -q |
    cmp - <(ca-cat -q --drop conversion x.car | ca-view -q)
  ca-predict -q -m "$M" --column teacher --soft-label click x.car | ca-view -q --provenance | grep -q -- '--soft-label click'
  run -2 ca-predict -q -m "$M" --soft-label click x.car
  run -3 ca-predict -q -m "$M" --column teacher --soft-label C1 x.car -o y.car
  run -3 ca-predict -q -m "$M" --column teacher --soft-label conversion x.car -o y.car
  run -3 ca-predict -q -m "$M" --column teacher --soft-label nothing x.car -o y.car
  [[ ! -e y.car ]]
}

@test "the vocabulary travels with the column" {
  printf 'format = csv\nmin-count = 1\nlabel label\nc categorical\n' > t.schema
  printf 'label,c\n1,a\n0,b\n1,a\n' > t.csv
  ca-import -q --schema ./t.schema --vocab-scope all t.csv -o t.car
  ca-train -q --arch mlp:2:2 -o t.safetensors t.car
  ca-model --vocabulary t.safetensors > kept
  ca-view -q --attachment vocabulary t.car | cmp - kept
  ca-predict -q -m t.safetensors --column k t.car | ca-view -q --attachment vocabulary | cmp - kept
  # and records made with another one are not scored
  printf 'label,c\n1,z\n0,y\n1,z\n' > u.csv
  ca-import -q --schema ./t.schema --vocab-scope all u.csv -o u.car
  run -3 --separate-stderr ca-predict -q -m t.safetensors u.car
  [[ $stderr == *vocabulary* && $stderr == *hint:* ]]
}

@test "provenance: the run and the digests of records and model" {
  ca-predict -q -m "$M" --column k "$IN" -o out.car
  ca-view -q --provenance out.car | grep -q ca-predict
  ca-view -q --totals out.car | grep -q "$(ca-model --digest "$M")"
  ! grep -q "$D" out.car
}

@test "bad input: exit 3; nothing is written" {
  head -c 30000 "$IN" > cut.car
  run -3 ca-predict -q -m "$M" --column k cut.car -o x.car
  run -3 ca-predict -q -m "$M" cut.car -o x.tsv
  run -3 ca-predict -q -m "$M" /dev/null -o x.tsv
  head -c 3000 "$M" > cut.safetensors
  run -3 ca-predict -q -m cut.safetensors "$IN" -o x.tsv
  ca-gen -q --rows 100 --preset small --vocab 5000 -o wide.car
  run -3 --separate-stderr ca-predict -m "$M" wide.car -o x.tsv
  [[ $stderr == *"'C1'"* ]]
  [[ ! -e x.car && ! -e x.tsv ]]
}

@test "usage: exit 2" {
  run -2 --separate-stderr ca-predict "$IN"
  [[ $stderr == *--model* ]]
  run -2 ca-predict -m - < "$M"
  run -2 ca-predict -m "$M" "$IN" "$IN"
}

@test "outputs that cannot be written: exit 4" {
  run -4 ca-predict -q -m "$M" "$IN" -o /no/such/place
  run -4 bash -c "ca-predict -q -m '$M' '$IN' > /dev/full"
  run -4 bash -c "ca-predict -q -m '$M' --column k '$IN' > /dev/full"
  run -4 ca-predict -q -m no-such-model "$IN"
}

@test "a reader that leaves ends it by SIGPIPE" {
  ca-gen -q --rows 100k --preset small -o big.car
  run -0 bash -c "ca-predict -q -m '$M' big.car | head -c 1 > /dev/null; echo \${PIPESTATUS[0]}"
  [[ $output == 141 ]]
}

@test "a model on standard input, a FIFO, odd names, an empty stream" {
  ca-predict -q -m - "$IN" < "$M" | cmp - "$SCORES"
  ca-predict -q -m <(cat "$M") "$IN" | cmp - "$SCORES"
  cp "$IN" './-in put.car'
  cp "$M" './-a model'
  ca-predict -q -m './-a model' -- '-in put.car' | cmp - "$SCORES"
  ca-cat -q --limit 0 "$IN" -o empty.car
  run -0 ca-predict -q -m "$M" empty.car
  [[ ${#lines[@]} == 1 ]]
  ca-predict -q -m "$M" --column k empty.car | ca-check -q
}
