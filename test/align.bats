# --hint and --rkd of ca-train and ca-codistill: against PyTorch, their modes, their faults, their bits.
load setup

setup_file() {
  TOP=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
  export PATH="${CA_BIN:-$TOP/bin}:$PATH" W="$BATS_FILE_TMPDIR"
  cd "$W" || return 1
  ca-gen -q --rows 20k --seed 1 --preset small -o clicks.car
  ca-split -q --ratios 4:4:1:1 --out-dir . clicks.car
  ca-cat -q hist.car train.car | ca-train -q --arch mlp:8:64,32,4 --batch 256 -o teacher.safetensors
  # students of another width and of the same, with maps that have learned
  ca-train -q --arch fibinet:16:32,16 --batch 256 --teacher teacher.safetensors --hint 1 -o wide.safetensors train.car
  ca-train -q --arch fibinet:8:32,16 --batch 256 --teacher teacher.safetensors --hint 1 -o equal.safetensors train.car
  # a pool of one row many times: whichever rows are drawn, they are these
  ca-cat -q --limit 1 -o one.car train.car
  # shellcheck disable=SC2046
  ca-cat -q -o pool.car $(yes one.car | head -n 50)
  ca-view -q -o online.txt online.car
  ca-view -q -o pool.txt pool.car
}

codistill() { ca-codistill -q --teacher "$W/teacher.safetensors" "$@"; }
train() { ca-train -q --arch fibinet:16:32,16 --batch 256 --teacher "$W/teacher.safetensors" "$@"; }
digest() { ca-model -q --digest "$1" | cut -f1; }

# STUDENT OURS THEIRS: one step a line, 6 replayed rows a step, held against PyTorch in double
against_torch() {
  # shellcheck disable=SC2086
  codistill --student "$W/$1" --replay "$W/pool.car" --batch 64 --replay-ratio 0.1 $2 --log log.tsv --log-interval 1 -o new.safetensors "$W/online.car"
  # shellcheck disable=SC2086
  /usr/bin/python3 "$TOP/test/oracle/codistill.py" "$W/teacher.safetensors" "$W/$1" "$W/online.txt" "$W/pool.txt" log.tsv \
    --batch 64 --replay 6 --interval 10 $3
}

@test "align: PyTorch gives the same losses, step by step, with a hint whose maps go on from the offline stage" {
  run -0 against_torch wide.safetensors "--hint 0.5" "--hint 0.5"
}
@test "align: PyTorch agrees with relations, as they are and through the maps" {
  run -0 against_torch wide.safetensors "--rkd 1" "--rkd 1"
  run -0 against_torch wide.safetensors "--hint 0.5 --rkd 2 --rkd-mismatch project" "--hint 0.5 --rkd 2 --mismatch project"
  run -0 against_torch wide.safetensors "--hint 0.5 --rkd 2 --seed 9" "--hint 0.5 --rkd 2 --seed 9"
}
@test "align: where the widths are equal, all modes are the same" {
  for mode in zero native project; do
    run -0 against_torch equal.safetensors "--hint 1 --rkd 1 --rkd-mismatch $mode" "--hint 1 --rkd 1 --mismatch $mode"
    mv new.safetensors $mode.safetensors
  done
  [ "$(digest zero.safetensors)" = "$(digest native.safetensors)" ]
  [ "$(digest zero.safetensors)" = "$(digest project.safetensors)" ]
}
@test "align: the comparison with PyTorch notices another weight, mode or seed" {
  run -1 against_torch wide.safetensors "--hint 0.5" "--hint 0.6"
  run -1 against_torch wide.safetensors "--rkd 1" ""
  run -1 against_torch wide.safetensors "--rkd 1" "--rkd 1 --seed 9"
  run -1 against_torch wide.safetensors "--hint 0.5 --rkd 1 --rkd-mismatch project" "--hint 0.5 --rkd 1"
}
@test "align: offline and online give the same losses for the same batch" {
  ca-train -q --init "$W/wide.safetensors" --teacher "$W/teacher.safetensors" --batch 64 --hint 1 --rkd 1 \
    --log train.tsv --log-interval 1 -o a.safetensors "$W/online.car"
  codistill --student "$W/wide.safetensors" --interval 0 --replay-ratio 0 --batch 64 --hint 1 --rkd 1 \
    --log codistill.tsv --log-interval 1 -o b.safetensors "$W/online.car"
  cmp <(cut -f1-3 train.tsv) <(cut -f1-3 codistill.tsv)
  [ "$(digest a.safetensors)" = "$(digest b.safetensors)" ]
}
@test "align: as published, relations between different widths are plain distillation" {
  train --rkd 1 --rkd-mismatch zero -o zero.safetensors "$W/train.car"
  train --rkd 1 -o native.safetensors "$W/train.car"
  train -o plain.safetensors "$W/train.car"
  [ "$(digest zero.safetensors)" = "$(digest plain.safetensors)" ]
  [ "$(digest native.safetensors)" != "$(digest plain.safetensors)" ]
}
@test "align: same model for any number of threads, block size, file or pipe; another for another seed" {
  local args=(--hint 1 --rkd 1 --rkd-mismatch project)
  train "${args[@]}" -j1 -o 1.safetensors "$W/train.car"
  train "${args[@]}" -j3 -o 3.safetensors "$W/train.car"
  ca-cat -q --block-rows 777 "$W/train.car" | train "${args[@]}" -o p.safetensors
  cmp 1.safetensors 3.safetensors
  [ "$(digest 1.safetensors)" = "$(digest p.safetensors)" ]
  ca-train -q --init "$W/wide.safetensors" --teacher "$W/teacher.safetensors" --rkd 1 --seed 1 -o a.safetensors "$W/online.car"
  ca-train -q --init "$W/wide.safetensors" --teacher "$W/teacher.safetensors" --rkd 1 --seed 2 -o b.safetensors "$W/online.car"
  [ "$(digest a.safetensors)" != "$(digest b.safetensors)" ]
}
@test "align: the maps travel with the model, also through a run that does not use them" {
  maps() { /usr/bin/python3 -c '
import json, struct, sys
raw = open(sys.argv[1], "rb").read()
(n,) = struct.unpack("<Q", raw[:8])
head = json.loads(raw[8 : 8 + n])
for k, t in sorted(head.items()):
    if k.startswith("extra."):
        a, b = t["data_offsets"]
        print(k, t["dtype"], *t["shape"], raw[8 + n + a : 8 + n + b].hex())' "$1"; }
  [ "$(maps "$W/wide.safetensors" | cut -d' ' -f1-5 | cut -c1-40)" = "extra.hint.m F32 8 8 16
extra.hint.steps U64 1 2000000000000000
extra.hint.v F32 8 8 16
extra.hint.weight F32 8 8 16" ]
  ca-train -q --init "$W/wide.safetensors" -o later.safetensors "$W/online.car"
  cmp <(maps "$W/wide.safetensors") <(maps later.safetensors)
  # a fresh optimizer is fresh for them too
  ca-train -q --init "$W/wide.safetensors" --reset-optimizer --teacher "$W/teacher.safetensors" --hint 1 -o reset.safetensors "$W/online.car"
  maps reset.safetensors | grep -q '^extra.hint.steps U64 1 0100000000000000$'
  ca-model -q --weights-only -o bare.safetensors "$W/wide.safetensors"
  ca-project -q --arch mlp:16:8 -o other.safetensors "$W/wide.safetensors"
  [ -z "$(maps bare.safetensors)$(maps other.safetensors)" ]
}
@test "align: options that would be obeyed in part only are usage errors" {
  ca-predict -q --model "$W/teacher.safetensors" --column teacher -o taught.car "$W/online.car"
  run -2 ca-train -q --arch mlp:8:4 --teacher-column teacher --hint 1 -o x taught.car
  [[ $output == *"need --teacher"* ]]
  run -2 ca-train -q --arch mlp:8:4 --rkd 1 -o x "$W/online.car"
  [[ $output == *"need --teacher"* ]]
  run -2 train --freeze embeddings --hint 1 -o x "$W/online.car"
  [[ $output == *"--freeze"* ]]
  run -2 train --hint 1 --valid "$W/online.car" --patience 1 -o x "$W/online.car"
  [[ $output == *"--patience"* ]]
  run -2 train --rkd-mismatch zero -o x "$W/online.car"
  [[ $output == *"belongs to --rkd"* ]]
  run -2 train --rkd 1 --rkd-mismatch project -o x "$W/online.car"
  [[ $output == *"needs --hint"* ]]
  run -2 codistill --student "$W/wide.safetensors" --replay-ratio 0 --rkd-mismatch zero -o x "$W/online.car"
  run -2 codistill --student "$W/wide.safetensors" --replay-ratio 0 --rkd 1 --rkd-mismatch project -o x "$W/online.car"
  run -2 train --hint -1 -o x "$W/online.car"
  [ ! -e x ]
}
@test "align: maps of another teacher, and other fields, are refused" {
  ca-train -q --arch mlp:4:8 -o narrow.safetensors "$W/hist.car"
  run -3 ca-train -q --init "$W/wide.safetensors" --teacher narrow.safetensors --hint 1 -o x "$W/online.car"
  [[ $output == *"extra.hint.weight"*"another teacher"* ]]
  run -0 ca-train -q --init "$W/wide.safetensors" --teacher narrow.safetensors --rkd 1 -o y "$W/online.car"
  ca-cat -q --drop C1 "$W/hist.car" | ca-train -q --arch mlp:8:8 -o fewer.safetensors
  run -3 ca-train -q --arch mlp:8:8 --teacher fewer.safetensors --hint 1 -o x "$W/online.car"
  [[ $output == *"same fields"* ]]
  run -0 ca-train -q --arch mlp:8:8 --teacher fewer.safetensors --rkd 1 -o y "$W/online.car"
  [ ! -e x ]
}
@test "align: a loss on embeddings that is not finite is exit 5 and no model" {
  /usr/bin/python3 - "$TOP/test/oracle" "$W/wide.safetensors" bad.safetensors << 'PY'
import sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import models
tensors, _ = models.read(sys.argv[2])
tensors = {k: t for k, t in tensors.items() if not k.startswith(("optimizer.", "extra."))}
tensors["sparse_embedding.embedding_layers.0.weight"][:] = float("inf")
models.write(sys.argv[3], tensors)
PY
  for loss in --hint --rkd; do
    run -5 ca-train -q --init bad.safetensors --teacher "$W/teacher.safetensors" $loss 1 -o x "$W/online.car"
    [[ $output == *"the loss on embeddings is not finite"* ]]
    run -5 codistill --student bad.safetensors --replay-ratio 0 $loss 1 -o x "$W/online.car"
    [[ $output == *"the loss on embeddings is not finite"*"student diverged"* ]]
  done
  [ ! -e x ]
}
