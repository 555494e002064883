# ca-eval: bats test/eval.bats
load setup

setup_suite_data() {
  [[ -e $BATS_FILE_TMPDIR/p.car ]] && return
  ca-gen -q --rows 6000 --seed 3 --probability -o "$BATS_FILE_TMPDIR/p.car"
  ca-gen -q --rows 6000 --seed 3 --probability --block-rows 77 --compress 1 -o "$BATS_FILE_TMPDIR/blocks.car"
  ca-gen -q --rows 0 --seed 3 --probability -o "$BATS_FILE_TMPDIR/none.car"
  printf 'row\tlabel\tlogit\n0\t1\t0.5\n1\t0\t-2\n2\t0\t1\n3\t1\t1\n' > "$BATS_FILE_TMPDIR/t.tsv"
}
data() { echo "$BATS_FILE_TMPDIR/$1"; }

# field NAME: of the second line of a table on standard input
field() { awk -F '\t' -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i } NR == 2 { print $c }'; }

@test "auc, logloss and rows come first" {
  run -0 --separate-stderr ca-eval -q --score probability "$(data p.car)"
  [[ ${lines[0]} == auc$'\t'logloss$'\t'rows$'\t'positives* ]]
  (( ${#lines[@]} == 2 ))
  [[ $(field rows <<< "$output") == 6000 ]]
}

@test "the truth is calibrated and beats guessing" {
  ca-eval -q --score probability "$(data p.car)" > out
  awk -v c="$(field calibration < out)" -v n="$(field ne < out)" -v a="$(field auc < out)" \
    'BEGIN { exit !(c > 0.9 && c < 1.1 && n < 1 && a > 0.6) }'
}

@test "numbers of a table by hand" {
  ca-eval -q --scored "$(data t.tsv)" > out
  [[ $(field auc < out) == 0.625 ]]
  awk -v l="$(field logloss < out)" 'BEGIN {
    want = (log(1 + exp(-0.5)) + log(1 + exp(-2)) + log(1 + exp(1)) + log(1 + exp(-1))) / 4
    d = l - want; exit !(d < 1e-12 && d > -1e-12) }'
  [[ $(field positives < out) == 2 ]]
}

@test "a table ending without a line feed, with CR LF, from a pipe" {
  printf 'label\tlogit\r\n1\t1\r\n0\t0' | ca-eval -q --scored > out
  [[ $(field rows < out) == 2 && $(field auc < out) == 1 ]]
}

@test "a table of probabilities, and of scores by another name" {
  printf 'probability\tclick\n1\t1\n0.5\t0\n' > t
  ca-eval -q --scored --label click t > out
  awk -v l="$(field logloss < out)" 'BEGIN { d = l - log(2) / 2; exit !(d < 1e-12 && d > -1e-12) }'
  ca-eval -q --scored --label click --score probability --score-kind logit t > out2
  [[ $(field logloss < out) != "$(field logloss < out2)" ]]
}

@test "weights" {
  printf 'label\tlogit\tw\n1\t1\t2\n0\t0\t1\n0\t5\t0\n' > t
  printf 'label\tlogit\n1\t1\n1\t1\n0\t0\n' > u
  ca-eval -q --scored --weights w t > a
  ca-eval -q --scored u > b
  for name in auc logloss calibration rmse weight_sum; do
    [[ $(field $name < a) == "$(field $name < b)" ]]
  done
  [[ $(field rows < a) == 3 ]]
}

@test "exact and clipped log loss part at extreme scores" {
  printf 'label\tlogit\n0\t50\n1\t-1\n' > t
  exact=$(ca-eval -q --scored t | field logloss)
  clipped=$(ca-eval -q --scored --logloss clipped t | field logloss)
  awk -v e="$exact" -v c="$clipped" 'BEGIN { exit !(e > 25.6 && e < 25.7 && c > 18.6 && c < 18.7) }'
}

@test "JSON, one object a line, null and a flag where nothing is defined" {
  printf 'label\tlogit\n0\t50\n' | ca-eval -q --scored --format json > out
  [[ $(cat out) == '{"auc":null,"logloss":'*'"one_class":true}' ]]
  [[ $(wc -l < out) == 1 ]]
}

@test "one class: a warning, exit 0" {
  printf 'label\tlogit\n0\t1\n' > t
  run -0 --separate-stderr ca-eval --scored t
  [[ $stderr == *"one class"* && ${lines[1]} == nan$'\t'* ]]
}

@test "no rows: a warning, exit 0" {
  run -0 --separate-stderr ca-eval --score probability "$(data none.car)"
  [[ $stderr == *"no rows"* && ${lines[1]} == nan$'\t'nan$'\t'0* ]]
}

@test "slices by rows add up" {
  ca-eval -q --score probability --by-rows 1k "$(data p.car)" > out
  [[ $(wc -l < out) == 8 && $(head -1 out) == *$'\t'slice ]]
  [[ $(sed -n 2p out) == *$'\t'total && $(sed -n 4p out) == *$'\t'1000 ]]
  awk -F '\t' 'NR > 2 { rows += $3; pos += $4 } NR == 2 { r = $3; p = $4 } END { exit !(rows == r && pos == p) }' out
}

@test "the total of slices is the whole" {
  ca-eval -q --score probability "$(data p.car)" | sed -n 2p > whole
  ca-eval -q --score probability --by-rows 7 --max-slices 900 "$(data p.car)" | sed -n 2p | sed 's/\ttotal$//' > total
  cmp whole total
}

@test "slices by time and by a categorical column" {
  ca-eval -q --score probability --by-time 3600 "$(data p.car)" > out
  awk -F '\t' 'NR > 2 { rows += $3; if ($NF % 3600) bad = 1 } END { exit !(rows == 6000 && !bad) }' out
  ca-eval -q --score probability --by C1 --format json "$(data p.car)" > out
  [[ $(head -1 out) == *'"slice":null}' && $(sed -n 2p out) == *'"slice":'[0-9]* ]]
}

@test "too many slices are refused with the cure: exit 2" {
  run -2 --separate-stderr ca-eval --score probability --by-rows 7 --max-slices 10 "$(data p.car)"
  [[ $stderr == *"more than 10 slices"*--max-slices* && -z $output ]]
}

@test "a slice alone is the slice among others" {
  ca-eval -q --score probability --by-rows 3k "$(data p.car)" | sed -n 3p | cut -f 1-12 > among
  ca-gen -q --rows 3000 --seed 3 --probability --of 6000 | ca-eval -q --score probability | sed -n 2p > alone
  cmp among alone
}

@test "blocks, compression and threads change nothing" {
  ca-eval -q --score probability --by C2 -j 1 "$(data p.car)" > a
  ca-eval -q --score probability --by C2 -j 4 "$(data blocks.car)" > b
  cmp a b
}

@test "a model's logits are those that ca-predict writes" {
  ca-train -q --arch mlp:4:8 -o m.safetensors "$(data p.car)"
  ca-eval -q --model m.safetensors -j 1 "$(data p.car)" > a
  ca-eval -q --model m.safetensors -j 4 "$(data blocks.car)" > b
  cmp a b
  ca-predict -q --model m.safetensors --column teacher "$(data p.car)" | ca-eval -q > c
  cmp a c
  ca-predict -q --model m.safetensors "$(data p.car)" | ca-eval -q --scored > d
  cmp a d
}

@test "more rows than the buffer holds: spilled, and the same numbers as sklearn when it is there" {
  awk 'BEGIN { print "label\tlogit"; x = 1; for (i = 0; i < 1100000; i++) {
    x = (x * 16807) % 2147483647; print (x % 1000 < 300) + 0 "\t" int(x / 1000) % 4001 / 500 - 4 } }' > t
  ca-eval --scored t > out 2> log
  [[ $(field rows < out) == 1100000 && $(< log) =~ ([0-9]+)\ MB\ peak ]]
  (( BASH_REMATCH[1] < 100 ))
  /usr/bin/python3 -c 'import sklearn' 2> /dev/null || skip "python3-sklearn is not installed"
  /usr/bin/python3 - "$(field auc < out)" "$(field logloss < out)" <<'PY'
import sys
import numpy as np
from sklearn.metrics import roc_auc_score
y, s = np.loadtxt("t", skiprows=1, unpack=True)
assert abs(roc_auc_score(y, s.astype(np.float32)) - float(sys.argv[1])) < 1e-12
assert abs(np.mean(np.logaddexp(0, s) - y * s) - float(sys.argv[2])) < 1e-6
PY
}

@test "the stored numbers are what scikit-learn says" {
  /usr/bin/python3 -c 'import sklearn, scipy' 2> /dev/null || skip "python3-sklearn is not installed"
  /usr/bin/python3 "$TOP/test/oracle/metrics.py" > out
  awk -F '\t' 'NR == FNR { for (i = 1; i <= NF; i++) w[FNR, i] = $i; n = FNR; next }
    { for (i = 1; i <= NF; i++) { d = $i - w[FNR, i]; if ($i + 0 != $i ? $i != w[FNR, i] : d > 1e-9 || d < -1e-9) exit bad = 1 } }
    END { exit bad || FNR != n }' "$TOP/test/golden/metrics.tsv" out
}

# exposures: a table in which scores, teachers and requests are mixed, with many equal scores
exposures() {
  awk 'BEGIN { print "label\tlogit\tteacher\titem\trequest\tweight"; x = 7
    for (i = 0; i < 1200; i++) {
      for (k = 0; k < 6; k++) { x = (x * 16807) % 2147483647; u[k] = int(x / 64) }
      printf "%d\t%.9g\t%.9g\t%d\t%d\t%d\n", u[0] % 7 < 3 && u[3] % 5, (u[1] % 40) / 8 - 3, (u[1] % 40 + u[2] % 30) / 16 - 4,
        u[3] % 37 - 9, u[4] % 90 - 30, u[5] % 3 } }' > e
}

@test "item bias, Spearman and NDCG are what plain loops say" {
  exposures
  /usr/bin/python3 "$TOP/test/oracle/agree.py" e > want
  ca-eval -q --scored --item item --weights weight e > bias
  ca-eval -q --scored --against teacher --request request e > agreement
  for name in item_bias item_bias_signed items; do echo "$name $(field $name < bias) $(field $name < want)"; done > pairs
  for name in spearman ndcg5 ndcg10; do echo "$name $(field $name < agreement) $(field $name < want)"; done >> pairs
  cat pairs
  # what a row is worth is kept in single precision
  awk '{ d = $2 - $3; if (d < 0) d = -d; if (NF != 3 || d > ($1 ~ /ndcg/ ? 1e-8 : 1e-12) || $3 == 0) exit 1; n++; is[$1] = $3 }
    END { exit n != 6 || is["item_bias_signed"] > 0.9 * is["item_bias"] }' pairs
  # the measures that were there before are what they are without
  cmp <(cut -f 1-12 agreement) <(ca-eval -q --scored e)
  ca-eval -q --scored --against teacher --request request --format json e > json
  [[ $(cat json) == *'"spearman":0.'*'"ndcg5":0.'*'"ndcg10":0.'*'}' ]]
  ca-eval -q --scored --item item --format json e | grep -q '"items":[0-9]*}'
  # one that judges itself agrees
  ca-eval -q --scored --against logit --request request e > self
  [[ $(field spearman < self) == 1 && $(field ndcg5 < self) == 1 ]]
}

@test "the same measures from records: columns, a model, blocks and threads" {
  ca-gen -q --rows 4000 --seed 3 --preset small --requests 16 --conversions --probability -o x.car
  ca-cat -q --block-rows 77 x.car -o y.car
  ca-train -q --arch mlp:4:8 -b 200 -o m.safetensors x.car
  ca-train -q --arch mlp:4:8 -b 100 --seed 2 -o t.safetensors x.car
  ca-predict -q -m t.safetensors --column teacher x.car -o xt.car
  ca-predict -q -m t.safetensors --column teacher y.car -o yt.car
  ca-eval -q -m m.safetensors --against teacher --request request -j 1 xt.car > a
  ca-eval -q -m m.safetensors --against teacher --request request -j 3 - < yt.car > b
  cmp a b
  # by way of text
  paste <(ca-predict -q -m m.safetensors x.car) <(ca-view -q -c request,C2 x.car) \
    <(ca-predict -q -m t.safetensors x.car | cut -f 3 | sed 1s/logit/teacher/) | awk '{ print $0 "\t" (NR == 1 ? "weight" : 1) }' |
    sed 1s/C2/item/ > e
  ca-eval -q --scored --against teacher --request request e | cmp - a
  /usr/bin/python3 "$TOP/test/oracle/agree.py" <(cut -f 2,3,5- e) > want
  ca-eval -q -m m.safetensors --item C2 x.car > c
  for name in item_bias item_bias_signed; do echo "$(field $name < c) $(field $name < want)"; done |
    awk '{ d = $1 - $2; if (NF != 2 || d > 1e-9 || d < -1e-9) exit 1 }'
  awk -v s="$(field ndcg5 < a)" -v w="$(field ndcg5 < want)" 'BEGIN { d = s - w; exit !(d < 1e-7 && d > -1e-7) }'
  # an auxiliary column holds probabilities: the truth is closer to itself than the model
  ca-eval -q --score probability --against probability --request request x.car > self
  [[ $(field ndcg10 < self) == 1 ]]
}

@test "which of the new measures go together: exit 2; wrong columns: exit 3" {
  exposures
  run -2 --separate-stderr ca-eval --scored --request request e
  [[ $stderr == *--against* ]]
  run -2 ca-eval --scored --against teacher --weights weight e
  run -2 ca-eval --scored --item item --by-rows 10 e
  run -2 ca-eval --scored --against teacher --by item e
  run -3 --separate-stderr ca-eval --scored --item logit e
  [[ $stderr == *"'logit' does not hold whole numbers"*"record 0"* ]]
  run -3 ca-eval --scored --item nothing e
  run -3 --separate-stderr ca-eval --score probability --item I1 "$(data p.car)"
  [[ $stderr == *"'I1'"* ]]
  printf 'label\tlogit\tteacher\n0\t1\t2\n1\t1\tnan\n' > t
  run -3 --separate-stderr ca-eval --scored --against teacher t
  [[ $stderr == *"record 1"* && -z $output ]]
}

@test "a score that is not a number is bad input, with its row: exit 3" {
  printf 'label\tlogit\n0\t1\n1\tnan\n' > 'a table'
  run -3 --separate-stderr ca-eval --scored 'a table'
  [[ $stderr == *"'a table'"*"record 1"* && -z $output ]]
}

@test "a table with the wrong columns, fields or text: exit 3" {
  printf 'label\tscore\n0\t1\n' > t
  run -3 --separate-stderr ca-eval --scored t
  [[ $stderr == *"no column 'logit'"* ]]
  printf 'label\tlogit\n0\n' > t
  run -3 --separate-stderr ca-eval --scored t
  [[ $stderr == *"fewer fields"*2* ]]
  printf 'label\tlogit\n0\t1x\n' > t
  run -3 --separate-stderr ca-eval --scored t
  [[ $stderr == *"'1x' is not a number"* ]]
  run -3 --separate-stderr ca-eval --scored /dev/null
  [[ $stderr == *empty* ]]
}

@test "labels out of range: exit 3" {
  printf 'label\tlogit\n2\t1\n' > t
  run -3 --separate-stderr ca-eval --scored t
  [[ $stderr == *"label 2"* ]]
}

@test "records without what is needed: exit 3, with the cure" {
  run -3 --separate-stderr ca-eval "$(data p.car)"
  [[ $stderr == *teacher*--score* ]]
  run -3 --separate-stderr ca-eval --score nothing "$(data p.car)"
  [[ $stderr == *nothing* ]]
  run -3 --separate-stderr ca-eval --score probability --by I1 "$(data p.car)"
  [[ $stderr == *"whole numbers"* ]]
}

@test "empty and truncated input: exit 3" {
  run -3 --separate-stderr ca-eval --score probability /dev/null
  head -c 100000 "$(data p.car)" > half.car
  run -3 --separate-stderr ca-eval --score probability half.car
  [[ -z $output ]]
  head -c 100000 "$(data p.car)" | { run -3 --separate-stderr ca-eval --score probability; [[ -z $output ]]; }
}

@test "a flipped byte: exit 3" {
  cp -- "$(data p.car)" bad.car
  printf '\377\377' | dd of=bad.car bs=1 seek=70000 conv=notrunc status=none
  run -3 --separate-stderr ca-eval --score probability bad.car
  [[ -z $output ]]
}

@test "a missing model, a broken one: exit 4, 3" {
  run -4 ca-eval --model nowhere.safetensors "$(data p.car)"
  echo broken > broken.safetensors
  run -3 ca-eval --model broken.safetensors "$(data p.car)"
}

@test "options that exclude each other: exit 2" {
  run -2 ca-eval --by C1 --by-rows 5 "$(data p.car)"
  run -2 ca-eval --model m --score probability "$(data p.car)"
  run -2 ca-eval --model - "$(data p.car)"
  run -2 ca-eval --scored --by-time 5 "$(data t.tsv)"
  run -2 ca-eval --bins 0 "$(data p.car)"
  run -2 ca-eval a b
}

@test "a full device, an unwritable place: exit 4" {
  run -4 bash -c "ca-eval -q --scored '$(data t.tsv)' > /dev/full"
  run -4 ca-eval -q --scored -o nowhere/out "$(data t.tsv)"
}

@test "a pipe, a FIFO, names with a space and with a dash" {
  ca-eval -q --score probability "$(data p.car)" > want
  ca-eval -q --score probability < "$(data p.car)" | cmp - want
  ca-eval -q --score probability - < "$(data p.car)" | cmp - want
  mkfifo pipe
  cat "$(data p.car)" > pipe &
  ca-eval -q --score probability pipe | cmp - want
  cp -- "$(data p.car)" '-a b.car'
  ca-eval -q --score probability -o '-o ut' -- '-a b.car'
  cmp -- './-o ut' want
}
