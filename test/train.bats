# ca-train
load setup

setup_suite_data() {
  D=$BATS_FILE_TMPDIR/data
  if [[ ! -d $D ]]; then
    mkdir "$D"
    ca-gen -q --rows 6k --preset small --seed 5 -o "$D/in.car"
    ca-gen -q --rows 2k --preset small --seed 5 --start 6000 -o "$D/valid.car"
    ca-train -q --arch mlp:4:8,4 --batch 500 -o "$D/mlp.safetensors" "$D/in.car"
    ca-predict -q -m "$D/mlp.safetensors" --column teacher "$D/in.car" -o "$D/taught.car"
  fi
  IN=$D/in.car TAUGHT=$D/taught.car MLP=$D/mlp.safetensors
}

@test "equal bytes for any threads, blocks, compression, file or pipe" {
  for arch in mlp:4:8,4 fibinet:4:8; do
    ca-train -q --arch $arch --batch 700 -j 1 -o one.safetensors "$IN"
    for j in 2 4; do ca-train -q --arch $arch --batch 700 -j $j -o other.safetensors "$IN"; cmp one.safetensors other.safetensors; done
    for layout in '--block-rows 17' '--block-rows 100000 --compress 6'; do
      ca-cat -q --no-provenance $layout "$IN" > layout.car
      ca-train -q --arch $arch --batch 700 -o other.safetensors layout.car
      cmp one.safetensors other.safetensors
      ca-train -q --arch $arch --batch 700 - < <(cat layout.car) > other.safetensors
      cmp one.safetensors other.safetensors
    done
  done
}

@test "equal bytes at batches that fill no chunk, no lane and no thread evenly" {
  ca-gen -q --rows 700 --preset small --seed 5 -o few.car
  for batch in 1 33 64 129 257 699 5000; do
    ca-train -q --arch fibinet:5:33,7 --batch $batch -j 1 -o one.safetensors few.car
    for j in 3 7; do
      ca-train -q --arch fibinet:5:33,7 --batch $batch -j $j -o other.safetensors few.car
      cmp one.safetensors other.safetensors
    done
    OPENBLAS_NUM_THREADS=4 ca-train -q --arch fibinet:5:33,7 --batch $batch -j 2 -o other.safetensors few.car
    cmp one.safetensors other.safetensors
  done
}

@test "another seed, batch or rate is another model" {
  ca-train -q --arch mlp:4:8,4 --batch 500 -o same.safetensors "$IN"
  cmp same.safetensors "$MLP"
  for change in '--seed 2' '--batch 501' '--lr-table 0.09' '--lr-dense 0.002' '--beta1 0.8' '--beta2 0.99' '--eps 1e-4'; do
    [[ $change == --batch* ]] || change="--batch 500 $change"
    ca-train -q --arch mlp:4:8,4 $change -o other.safetensors "$IN"
    run -1 ca-model --diff other.safetensors "$MLP"
  done
}

@test "the last batch may be short, and every row counts" {
  run -0 --separate-stderr ca-train --arch mlp:4:8,4 --batch 999 --log log.tsv --log-interval 1 -o m.safetensors "$IN"
  [[ $stderr == *"6000 records"*"7 steps"* ]]
  [[ $(head -n 1 log.tsv) == step$'\t'rows$'\t'loss$'\t'train_s ]]
  [[ $(cut -f 1,2 log.tsv | tail -n 1) == 7$'\t'6000 && $(wc -l < log.tsv) == 8 ]]
  awk -F '\t' 'NR > 1 && !($3 > 0 && $3 < 2) { exit 1 }' log.tsv
}

@test "training goes on from a file as if it had not stopped" {
  ca-cat -q --rows :3000 "$IN" -o half.0.car
  ca-cat -q --rows 3000: "$IN" -o half.1.car
  ca-train -q --arch fibinet:4:8 --batch 500 -o whole.safetensors "$IN"
  ca-train -q --arch fibinet:4:8 --batch 500 -o first.safetensors half.0.car
  ca-train -q --init first.safetensors --batch 500 -o both.safetensors half.1.car
  [[ $(ca-model both.safetensors | grep _steps) == $'dense_steps\t12\ntable_steps\t12' ]]
  # rows that rest are brought up to date where a run ends, which may change last digits
  ca-model --diff both.safetensors whole.safetensors > diff.tsv || true
  awk -F '\t' 'NR > 1 && $3 > 1e-4 { print; bad = 1 } END { exit bad }' diff.tsv
  # while a fresh optimizer goes elsewhere
  ca-train -q --init first.safetensors --reset-optimizer --batch 500 -o reset.safetensors half.1.car
  run -1 ca-model --diff reset.safetensors whole.safetensors
  awk -F '\t' 'NR > 1 && $3 > 1e-3 { big = 1 } END { exit !big }' <<< "$output"
}

@test "frozen embeddings stay bit for bit, the rest learns" {
  run -0 ca-train -q --init "$MLP" --freeze embeddings -o frozen.safetensors "$IN"
  run -1 ca-model --diff frozen.safetensors "$MLP"
  [[ $output == *dense.mlp.0.weight* && $output != *embedding_layers* ]]
  [[ $(ca-model frozen.safetensors | grep table_steps) == $'table_steps\t12' ]]
  [[ $(ca-model frozen.safetensors | grep dense_steps) == $'dense_steps\t14' ]]
}

@test "two epochs over a file are the file twice; a pipe is refused with the cure" {
  ca-train -q --arch mlp:4:8,4 --batch 500 --epochs 2 --no-provenance -o two.safetensors "$IN"
  ca-cat -q "$IN" "$IN" | ca-train -q --arch mlp:4:8,4 --batch 500 --no-provenance -o joined.safetensors
  run -0 ca-model --diff two.safetensors joined.safetensors
  run -2 --separate-stderr ca-train -q --arch mlp:4:8,4 --epochs 2 -o x.safetensors - < <(cat "$IN")
  [[ $stderr == *hint:* && ! -e x.safetensors ]]
}

@test "a teacher column and the teacher itself teach the same" {
  for loss in published paper huber; do
    ca-train -q --arch fibinet:4:8 --loss $loss -o column.safetensors "$TAUGHT"
    ca-train -q --arch fibinet:4:8 --loss $loss --teacher "$MLP" -o live.safetensors "$IN"
    run -0 ca-model --diff column.safetensors live.safetensors
    run -1 ca-model --diff column.safetensors "$MLP"
  done
  ca-train -q --arch fibinet:4:8 --teacher-column teacher -o named.safetensors "$TAUGHT"
  ca-train -q --arch fibinet:4:8 --loss published -o default.safetensors "$TAUGHT"
  run -0 ca-model --diff named.safetensors default.safetensors
}

@test "alpha 0 is the task alone; alpha, temperature and lambda count" {
  ca-train -q --arch mlp:4:8 -o plain.safetensors "$TAUGHT"
  ca-train -q --arch mlp:4:8 --loss published --alpha 0 -o alone.safetensors "$TAUGHT"
  ca-model --diff plain.safetensors alone.safetensors > diff.tsv || true
  awk -F '\t' 'NR > 1 && $3 > 1e-4 { exit 1 }' diff.tsv
  ca-train -q --arch mlp:4:8 --loss published -o base.safetensors "$TAUGHT"
  for change in '--loss published --alpha 0.5' '--loss published --temperature 1' '--loss huber' '--loss paper'; do
    ca-train -q --arch mlp:4:8 $change -o other.safetensors "$TAUGHT"
    run -1 ca-model --diff other.safetensors base.safetensors
  done
}

@test "weights count where they are asked for" {
  ca-sample -q --chunk 1000 -r 0.5 "$IN" -o sample.car
  ca-train -q --arch mlp:4:8 -o plain.safetensors sample.car
  ca-train -q --arch mlp:4:8 --weights -o weighed.safetensors sample.car
  run -1 ca-model --diff plain.safetensors weighed.safetensors
  run -3 --separate-stderr ca-train -q --arch mlp:4:8 --weights -o x.safetensors "$IN"
  [[ $stderr == *weight* && ! -e x.safetensors ]]
}

@test "an evaluation is logged, costs no training time and changes no bit" {
  run -0 --separate-stderr ca-train --arch mlp:4:8,4 --batch 500 --valid "$D/valid.car" --valid-interval 5 \
    --log-interval 3 --log log.tsv -o m.safetensors "$IN"
  [[ $stderr == *"valid auc 0."* ]]
  [[ $(head -n 1 log.tsv) == *auc$'\t'logloss ]]
  [[ $(awk -F '\t' 'NR > 1 && $5 != "" { print $1 }' log.tsv | paste -sd ' ') == '5 10 12' ]]
  run -0 ca-model --diff m.safetensors "$MLP"
  # the last evaluation is of the model that was written
  last=$(tail -n 1 log.tsv | cut -f 6)
  ca-predict -q -m m.safetensors "$D/valid.car" | awk -F '\t' -v want="$last" '
    NR > 1 { s = $3; a = s < 0 ? -s : s; sum += (s > 0 ? s : 0) - s * $2 + log(1 + exp(-a)); n++ }
    END { d = sum / n - want; exit !(d < 1e-6 && d > -1e-6) }'
}

@test "records that are not the model's are refused: exit 3" {
  ca-gen -q --rows 100 --preset small --vocab 5000 -o wide.car
  run -3 --separate-stderr ca-train --init "$MLP" -o x.safetensors wide.car
  [[ $stderr == *"'C1'"* && $stderr == *hint:* && ! -e x.safetensors ]]
  run -3 --separate-stderr ca-train --arch mlp:4:8 --loss published -o x.safetensors "$IN"
  [[ $stderr == *"teacher column"* && $stderr == *ca-predict* ]]
  run -3 --separate-stderr ca-train --arch mlp:4:8 --teacher-column I1 -o x.safetensors "$IN"
  [[ $stderr == *"'I1'"* ]]
}

@test "damaged and cut input is refused: exit 3, no model" {
  head -c 20000 "$IN" > cut.car
  run -3 ca-train -q --arch mlp:4:8 -o x.safetensors cut.car
  run -3 ca-train -q --arch mlp:4:8 -o x.safetensors < <(head -c 20000 "$IN")
  run -3 ca-train -q --arch mlp:4:8 -o x.safetensors /dev/null
  head -c 2000 "$MLP" > cut.safetensors
  run -3 ca-train -q --init cut.safetensors -o x.safetensors "$IN"
  run -3 ca-train -q --arch mlp:4:8 --teacher cut.safetensors -o x.safetensors "$IN"
  [[ ! -e x.safetensors && -z $(find . -name '.*.tmp.*') ]]
}

@test "a loss that is not finite: exit 5 with step and record, the old model stays" {
  printf 'format = csv\nmin-count = 1\nlabel label\nx numeric missing=0 transform=none\nc categorical\n' > huge.schema
  { echo label,x,c; for i in {0..49}; do echo $((i % 2)),1.5,a; done; echo 1,-3e38,b; } > huge.csv
  ca-import -q --schema ./huge.schema --vocab-scope all huge.csv -o huge.car
  echo old > m.safetensors
  run -5 --separate-stderr ca-train -q --arch mlp:4:8 --batch 20 --log log.tsv --log-interval 1 -o m.safetensors huge.car
  [[ $stderr == *"record 50"* && $stderr == *"step 3"* ]]
  [[ $(cat m.safetensors) == old && $(wc -l < log.tsv) == 3 ]]
  run -5 bash -c 'ca-train -q --arch mlp:4:8 -o - huge.car > out'
  [[ ! -s out && -z $(find . -name ".*.tmp.*") ]]
}

@test "combinations that make no sense are refused: exit 2" {
  while read -r words; do
    run -2 --separate-stderr ca-train -q $words -o x.safetensors "$IN"
    [[ $stderr == ca-train:* && ! -e x.safetensors ]] || { echo "$words"; return 1; }
  done <<WORDS
--batch 10
--arch mlp
--arch nope:4:8
--arch mlp:4:8 --batch 0
--arch mlp:4:8 --epochs 0
--arch mlp:4:8 --alpha 2
--arch mlp:4:8 --alpha 0.5
--arch mlp:4:8 --lambda 1
--arch mlp:4:8 --loss paper --temperature 2
--arch mlp:4:8 --loss bce --teacher $MLP
--arch mlp:4:8 --teacher $MLP --teacher-column teacher
--arch mlp:4:8 --reset-optimizer
--arch mlp:4:8 --valid-interval 5
--arch mlp:4:8 --valid -
--arch mlp:4:8 --lr-dense 1e-3x
--arch fibinet:4:8,4 --init $MLP
--init - --teacher -
WORDS
  run -2 ca-train -q --init - -o x.safetensors - < "$MLP"
}

@test "--arch may be repeated with --init when it agrees" {
  run -0 ca-train -q --arch mlp:4:8,4 --init "$MLP" -o m.safetensors "$IN"
}

@test "outputs that cannot be written: exit 4, known before training" {
  run -4 ca-train -q --arch mlp:4:8 -o /no/such/place "$IN"
  run -4 ca-train -q --arch mlp:4:8 --log /no/such/place -o x.safetensors "$IN"
  run -4 bash -c "ca-train -q --arch mlp:4:8 '$IN' > /dev/full"
  run -4 ca-train -q --arch mlp:4:8 -o x.safetensors no-such-file
  [[ ! -e x.safetensors ]]
}

@test "SIGTERM ends it with that signal and leaves nothing" {
  mkfifo in
  ca-train -q --arch mlp:4:8 --batch 100 -o m.safetensors --log log.tsv in &
  pid=$!
  exec 7> in
  cat "$IN" >&7 &
  # it has opened its outputs once the first rows are through
  for _ in {1..100}; do [[ -n $(find . -name '.m.safetensors.tmp.*') ]] && break; sleep 0.1; done
  [[ -n $(find . -name '.m.safetensors.tmp.*') ]]
  kill -TERM $pid
  status=0; wait $pid || status=$?
  exec 7>&-
  [[ $status == 143 && ! -e m.safetensors && -z $(find . -name '.*.tmp.*') ]]
}

@test "names with a space and names that begin with a dash" {
  cp "$IN" './-in put.car'
  run -0 ca-train -q --arch mlp:4:8 -o '-o ut.safetensors' -- '-in put.car'
  run -0 ca-train -q --init '-o ut.safetensors' -o ./-again.safetensors -- '-in put.car'
  [[ -s './-o ut.safetensors' && -s ./-again.safetensors ]]
}

@test "a plan needs no output, a list no input" {
  run -0 --separate-stderr ca-train -q --arch fibinet:16:256,128,16 --dry-run "$IN"
  [[ $output == *$'dense_parameters\t'* && $output == *$'optimizer_bytes\t'* ]]
  run -0 ca-train -q --list-archs
  [[ $output == *$'\n'mlp$'\t'* && $output == *fibinet* ]]
}

@test "provenance says what was run on what, and no path, clock or thread count" {
  ca-train -q --arch fibinet:4:8 -j 3 --teacher "$MLP" --log log.tsv -o m.safetensors "$IN"
  ca-model --provenance m.safetensors > p.json
  [[ $(jq -r .tool p.json | paste -sd ' ') == 'ca-gen ca-train' ]]
  tail -n 1 p.json | jq -e '.options == "--arch fibinet:4:8" and (.inputs | map(.kind)) == ["teacher", "records"]'
  ! grep -q -e "$D" -e log.tsv -e threads m.safetensors
  ca-train -q --arch fibinet:4:8 --no-provenance -o n.safetensors "$IN"
  [[ $(ca-model --provenance n.safetensors | jq -r .tool) == ca-gen ]]
}
