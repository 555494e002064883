# ca-codistill: the online stage against PyTorch, its modes, its faults, its bits.
load setup

setup_file() {
  TOP=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
  export PATH="${CA_BIN:-$TOP/bin}:$PATH" W="$BATS_FILE_TMPDIR"
  cd "$W" || return 1
  ca-gen -q --rows 20k --seed 1 --preset small -o clicks.car
  ca-split -q --ratios 4:4:1:1 --out-dir . clicks.car
  ca-cat -q hist.car train.car | ca-train -q --arch mlp:8:64,32,4 --batch 256 -o teacher.safetensors
  ca-train -q --arch fibinet:16:32,16 --batch 256 -o student.safetensors train.car
  # a pool of one row many times: whichever rows are drawn, they are these
  ca-cat -q --limit 1 -o one.car train.car
  # shellcheck disable=SC2046
  ca-cat -q -o pool.car $(yes one.car | head -n 50)
  ca-view -q -o online.txt online.car
  ca-view -q -o pool.txt pool.car
}

codistill() { ca-codistill --teacher "$W/teacher.safetensors" --student "$W/student.safetensors" "$@"; }

# one step a line, 6 replayed rows a step, held against PyTorch in double
against_torch() {
  local ours=$1 theirs=$2
  # shellcheck disable=SC2086
  codistill -q --replay "$W/pool.car" --batch 64 --replay-ratio 0.1 $ours --log log.tsv --log-interval 1 -o new.safetensors "$W/online.car"
  # shellcheck disable=SC2086
  /usr/bin/python3 "$TOP/test/oracle/codistill.py" "$W/teacher.safetensors" "$W/student.safetensors" "$W/online.txt" "$W/pool.txt" log.tsv \
    --batch 64 --replay 6 $theirs
}

@test "codistill: PyTorch gives the same losses, step by step, as coded" {
  run -0 against_torch "--interval 10" "--interval 10"
}
@test "codistill: PyTorch agrees with the first step 1 and averaged gradients" {
  run -0 against_torch "--interval 10 --first-step 1 --gather mean" "--interval 10 --first 1 --gather mean"
}
@test "codistill: PyTorch agrees as printed, with gradient descent" {
  run -0 against_torch "--interval 3 --mode printed --teacher-sgd 0.05" "--interval 3 --first 1 --sgd 0.05"
}
@test "codistill: PyTorch agrees with a frozen and with a synchronous teacher" {
  run -0 against_torch "--interval 0" "--interval 0"
  run -0 against_torch "--interval 1" "--interval 1"
}
@test "codistill: the comparison with PyTorch notices another interval, offset, sum or pool" {
  run -0 against_torch "--interval 10" "--interval 10"
  run -1 against_torch "--interval 10" "--interval 5"
  run -1 against_torch "--interval 10" "--interval 10 --first 1"
  run -1 against_torch "--interval 10" "--interval 10 --gather mean"
  run -1 against_torch "--interval 10" "--interval 10 --replay 7"
}

@test "codistill: same models and log for any number of threads, block size, compression, file or pipe" {
  local args=(-q --replay "$W/train.car" --batch 256 --log-interval 2)
  codistill "${args[@]}" -j1 --log 1.tsv --teacher-out t1.safetensors -o s1.safetensors "$W/online.car"
  codistill "${args[@]}" -j4 --log 4.tsv --teacher-out t4.safetensors -o s4.safetensors "$W/online.car"
  ca-cat -q --block-rows 777 -z1 "$W/online.car" | codistill "${args[@]}" -j2 --log p.tsv --teacher-out tp.safetensors -o sp.safetensors
  for k in 4 p; do cmp 1.tsv $k.tsv; cmp s1.safetensors s$k.safetensors; cmp t1.safetensors t$k.safetensors; done
  # and a compressed replay pool gives the same rows
  ca-cat -q -z1 -o packed.car "$W/train.car"
  codistill -q --replay packed.car --batch 256 -o s5.safetensors "$W/online.car"
  [ "$(ca-model -q --digest s1.safetensors | cut -f1)" = "$(ca-model -q --digest s5.safetensors | cut -f1)" ]
}
@test "codistill: the seed chooses what is replayed, and nothing is replayed at ratio 0" {
  codistill -q --seed 1 --replay "$W/train.car" --batch 256 -o a.safetensors "$W/online.car"
  codistill -q --seed 2 --replay "$W/train.car" --batch 256 -o b.safetensors "$W/online.car"
  codistill -q --seed 1 --replay-ratio 0 --batch 256 -o c.safetensors "$W/online.car"
  codistill -q --seed 2 --replay-ratio 0 --batch 256 -o d.safetensors "$W/online.car"
  digest() { ca-model -q --digest "$1" | cut -f1; }
  [ "$(digest a.safetensors)" != "$(digest b.safetensors)" ]
  [ "$(digest c.safetensors)" = "$(digest d.safetensors)" ]
}
@test "codistill: a frozen teacher comes out as it went in, a moving one does not" {
  codistill -q --interval 0 --replay-ratio 0 --teacher-out t.safetensors -o s.safetensors "$W/online.car"
  run -0 ca-model -q --diff "$W/teacher.safetensors" t.safetensors
  codistill -q --interval 10 --replay-ratio 0 --teacher-out t.safetensors -o s.safetensors "$W/online.car"
  run -1 ca-model -q --diff "$W/teacher.safetensors" t.safetensors
}
@test "codistill: --valid says how the student does on a file, which is what ca-eval says, and changes no bit" {
  local args=(-q --seed 3 --replay "$W/train.car" --batch 256 --log-interval 3)
  codistill "${args[@]}" --log plain.tsv -o plain.safetensors "$W/online.car"
  codistill "${args[@]}" --log l.tsv --valid "$W/test.car" -o s.safetensors "$W/online.car"
  run -0 ca-model -q --diff plain.safetensors s.safetensors
  cmp plain.tsv <(cut -f 1-7 l.tsv)
  [ "$(head -n 1 l.tsv | cut -f 8-)" = "$(printf 'train_s\tvalid_auc\tvalid_logloss')" ]
  # the seconds grow, and the last line is the student that was written
  awk -F '\t' 'NR > 1 { if (!($8 > last)) exit 1; last = $8 } END { exit NR != 4 }' l.tsv
  ca-eval -q --model s.safetensors "$W/test.car" | awk 'NR == 2 { print $1, $2 }' > measured
  awk -F '\t' 'END { print $9, $10 }' l.tsv > logged
  /usr/bin/python3 -c 'a, b = ([float(x) for x in open(f).read().split()] for f in ("measured", "logged"))
assert all(abs(x - y) < 1e-6 for x, y in zip(a, b)) and len(a) == 2, (a, b)'
  run -2 codistill -q --valid "$W/test.car" --replay-ratio 0 -o s.safetensors "$W/online.car"
  [[ $output == *"--valid needs --log"* ]]
}
@test "codistill: the last line of the log counts every online row once" {
  codistill -q --replay "$W/train.car" --batch 300 --log l.tsv --log-interval 3 -o s.safetensors "$W/online.car"
  [ "$(tail -n 1 l.tsv | cut -f1,2)" = "$(printf '7\t2000')" ]
  [ "$(head -n 1 l.tsv)" = "$(printf 'step\trows\tloss\tstudent_auc\tstudent_logloss\tteacher_auc\tteacher_logloss')" ]
}

@test "codistill: help and version on stdout, usage on stderr" {
  run -0 --separate-stderr ca-codistill --help
  [[ $output == *Examples:* ]] && [ -z "$stderr" ]
  run -0 ca-codistill --version
  [[ $output == "ca-codistill "* ]]
  run -2 --separate-stderr ca-codistill --replai x
  [[ $stderr == *"--replai"* ]] && [ -z "$output" ]
  run -2 ca-codistill --student x -o y
  run -2 codistill -o s.safetensors "$W/online.car"
  [[ $output == *"--replay is missing"* ]]
}
@test "codistill: bad input stops it and leaves no model" {
  run -3 codistill -q --replay "$W/train.car" -o s.safetensors /dev/null
  head -c 50000 "$W/online.car" > cut.car
  run -3 codistill -q --replay "$W/train.car" --batch 64 -o s.safetensors cut.car
  [[ $output == *"cut.car"*byte* ]]
  run -3 codistill -q --replay cut.car -o s.safetensors "$W/online.car"
  ca-cat -q --drop C1 -o other.car "$W/online.car"
  run -3 codistill -q --replay "$W/train.car" -o s.safetensors other.car
  run -3 codistill -q --replay other.car -o s.safetensors "$W/online.car"
  ca-cat -q --limit 0 -o empty.car "$W/online.car"
  run -3 codistill -q --replay-ratio 0 -o s.safetensors empty.car
  [ ! -e s.safetensors ]
}
@test "codistill: a killed producer stops it" {
  run -3 bash -o pipefail -c "(head -c 60000 '$W/online.car'; kill -9 \$BASHPID) | ca-codistill -q --teacher '$W/teacher.safetensors' --student '$W/student.safetensors' --replay-ratio 0 --batch 64 -o s.safetensors"
  [ ! -e s.safetensors ]
}
@test "codistill: outputs that cannot be written are errors" {
  run -4 codistill -q --replay-ratio 0 -o no/such/dir.safetensors "$W/online.car"
  run -4 codistill -q --replay-ratio 0 -o /dev/full "$W/online.car"
  run -4 codistill -q --replay-ratio 0 --log /dev/full -o s.safetensors "$W/online.car"
  [ ! -e s.safetensors ]
}
@test "codistill: a model that diverges is exit 5 and not written" {
  run -5 codistill -q --replay-ratio 0 --batch 64 --interval 1 --teacher-sgd 1e38 --teacher-out t.safetensors -o s.safetensors "$W/online.car"
  [[ $output == *"not finite"*"teacher diverged"* ]]
  [ ! -e s.safetensors ] && [ ! -e t.safetensors ]
}
@test "codistill: a weight that overflows in the last step, whose loss was sound, is exit 5 too" {
  # a teacher with a gain of ten thousand in its last normalisation, so that the gradient behind it is large
  /usr/bin/python3 - "$TOP/test/oracle" "$W/teacher.safetensors" steep.safetensors << 'PY'
import sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import models
tensors, _ = models.read(sys.argv[2])
tensors = {k: t for k, t in tensors.items() if not k.startswith("optimizer.")}
tensors["dense.mlp.7.weight"] *= 1e4
models.write(sys.argv[3], tensors)
PY
  one_step() {
    ca-codistill -q --teacher steep.safetensors --student "$W/student.safetensors" --replay-ratio 0 --batch 10000 \
      --teacher-sgd "$1" --teacher-out t.safetensors -o s.safetensors "$W/online.car"
  }
  run -0 one_step 1e-9
  rm t.safetensors s.safetensors
  run -5 one_step 1e38
  [[ $output == *"has a weight that is not finite"* ]]
  [ ! -e s.safetensors ] && [ ! -e t.safetensors ]
}
@test "codistill: odd names and standard output" {
  cp "$W/online.car" "on line.car"
  cp "$W/online.car" ./-o.car
  codistill -q --replay-ratio 0 -o "a b.safetensors" "on line.car"
  codistill -q --replay-ratio 0 -- -o.car > c.safetensors
  cmp "a b.safetensors" c.safetensors
}
