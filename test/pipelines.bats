# The main experiment at a tiny scale: what make and GNU parallel do with the tools, and the table's arithmetic.
load setup

setup_file() {
  export ONCE=$BATS_FILE_TMPDIR/once
  export SETTINGS="ROWS=4k TEACHER=mlp:4:8 STUDENT=fibinet:6:8 BATCH=128 SEEDS=2 JOBS=2 THREADS=1"
  TOP=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
  cd "$TOP" && switch OUT="$ONCE" > "$BATS_FILE_TMPDIR/shown" 2> "$BATS_FILE_TMPDIR/said" || {
    cat "$BATS_FILE_TMPDIR/said" >&2
    return 1
  }
}

# make, as from a shell of its own
# shellcheck disable=SC2086
switch() { env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -f "$TOP/pipelines/switch.mk" $SETTINGS "$@"; }

# the stages that make would run, one a line: SEED/STAGE
stages() { grep -o 'stage [^ ]*' | sed 's|.*/seed-|seed-|' | sort; }

@test "the table has all seven methods, and is shown" {
  run -0 cut -f 1 "$ONCE/results.tsv"
  [[ ${lines[*]} == "method teacher full-retrain scratch scratch-online vanilla-kd crossadapt-full crossadapt-sample" ]]
  run -0 cat "$BATS_FILE_TMPDIR/shown"
  for method in teacher full-retrain scratch scratch-online vanilla-kd crossadapt-full crossadapt-sample; do
    grep -q "^| $method |" <<< "$output"
  done
  [[ -s $ONCE/results.svg ]]
}

@test "the table's numbers are those of the runs" {
  run -0 /usr/bin/python3 - "$ONCE" << 'PYTHON'
import csv, glob, math, statistics, sys
out = sys.argv[1]
read = lambda f: next(csv.DictReader(open(f), delimiter='\t'))
table = {r['method']: r for r in csv.DictReader(open(out + '/results.tsv'), delimiter='\t')}
def close(a, b): assert math.isclose(float(a), b, rel_tol=1e-7, abs_tol=1e-9), (a, b)
loss = {}
for m in ['teacher'] + [m for m in table if m != 'teacher']:
    r, per = table[m], []
    for k in range(2):
        d = f'{out}/seed-{k}/{m}'
        e = read(d + '.eval.tsv')
        inherited = [f'{out}/seed-{k}/projected.time'] if m.startswith('crossadapt') else []
        times = [read(f) for f in glob.glob(d + '.time') + glob.glob(d + '.*.time') + inherited]
        assert len(times) == {'vanilla-kd': 2, 'crossadapt-full': 4, 'crossadapt-sample': 4}.get(m, 1), (m, times)
        s, c, n = (sum(float(t[x]) for t in times) for x in ('train_s', 'core_s', 'rows'))
        loss[m, k] = float(e['logloss'])
        per.append((100 * float(e['auc']), loss[m, k], s, c, n, c / n, loss[m, k] - loss['teacher', k]))
    auc, ll, s, c, n, it, perf = zip(*per)
    assert r['seeds'] == '2'
    for name, v in (('auc_pct', auc), ('logloss', ll), ('train_s', s)):
        close(r[name], statistics.mean(v)); close(r[name + '_sd'], statistics.stdev(v))
    close(r['rows'], statistics.mean(n))
    if m == 'teacher':
        assert r['cost_perf'] == r['cost_comp_s'] == 'nan'
    else:
        close(r['cost_iter_s'], statistics.mean(it)); close(r['cost_comp_s'], statistics.mean(c))
        close(r['cost_perf'], statistics.mean(perf)); close(r['cost_perf_sd'], statistics.stdev(perf))
    # 4:4:1:1 of 4000 rows; each of the ceil(400/128) online steps of crossadapt replays int(0.1 * 128) rows, and a
    # tenth of train is one batch of 128 a chunk of 1280, the last of 320 giving 32
    want = {'teacher': 3200, 'full-retrain': 3600, 'scratch': 2000, 'scratch-online': 400, 'vanilla-kd': 2000,
            'crossadapt-full': 2 * 1600 + 400 + 4 * 12, 'crossadapt-sample': 2 * (128 + 32) + 400 + 4 * 12}
    assert set(n) == {want[m]}, (m, n)
PYTHON
}

@test "optimizer state goes from stage to stage: each part counts the steps it took, frozen tables none" {
  steps() { ca-model "$ONCE/seed-0/$1.safetensors" | awk -F '\t' '/_steps\t/ { printf "%s ", $2 }'; }
  # dense and table steps; 3200, 1600 and 400 rows in batches of 128, two batches of sample
  [[ $(steps teacher) == "25 25 " && $(steps scratch) == "16 16 " && $(steps scratch-online) == "4 4 " ]]
  [[ $(steps vanilla-kd.offline) == "13 13 " && $(steps vanilla-kd) == "17 17 " ]]
  [[ $(steps projected) == "0 0 " ]]
  [[ $(steps crossadapt-sample.phase1) == "2 0 " && $(steps crossadapt-full.phase1) == "13 0 " ]]
  [[ $(steps crossadapt-sample.phase2) == "4 2 " && $(steps crossadapt-full.phase2) == "26 13 " ]]
  [[ $(steps crossadapt-sample) == "8 6 " && $(steps crossadapt-full) == "30 17 " ]]
  # frozen tables are the projected ones, bit for bit; the dense part is not
  run -1 ca-model --diff "$ONCE/seed-0/crossadapt-sample.phase1.safetensors" "$ONCE/seed-0/projected.safetensors"
  [[ $output == *dense* && $output != *sparse_embedding* ]]
  # each phase has a draw of its own
  run -1 cmp <(ca-sample -q --seed 0 --phase 1 --batch 128 "$ONCE/data/train.car" | ca-view -q) \
    <(ca-sample -q --seed 0 --phase 2 --batch 128 "$ONCE/data/train.car" | ca-view -q)
}

@test "any methods may be taken, hint-kd and rkd too, and a word that is none is refused" {
  run -0 switch -n OUT=some METHODS='hint-kd rkd not-offline' HINT_LAMBDA=2
  [[ $(stages <<< "$output" | grep seed-0) == "$(printf 'seed-0/%s\n' hint-kd{,.offline} not-offline projected+projection-none rkd{,.offline} teacher)" ]]
  grep -q '/seed-0/hint-kd .*--hint 2 ' <<< "$output"
  grep -q '/seed-0/rkd .*--rkd 1 --rkd-mismatch native ' <<< "$output"
  run -2 switch -n OUT=some METHODS='scratch kd'
  [[ $output == *"no such method: kd"* ]]
}

@test "a second run does nothing" {
  run -0 cksum "$ONCE"/seed-*/*.safetensors "$ONCE"/seed-*/*.time "$ONCE/results.jobs.log" "$ONCE/results.tsv"
  before=$output
  switch OUT="$ONCE" > shown 2> said
  run -0 cksum "$ONCE"/seed-*/*.safetensors "$ONCE"/seed-*/*.time "$ONCE/results.jobs.log" "$ONCE/results.tsv"
  [[ $output == "$before" ]]
  [[ ! -s said ]]
  run -0 switch -n OUT="$ONCE" "$ONCE/results.tsv"
  [[ $output == *"is up to date"* ]] || { echo "$output"; ls -l -t --full-time "$ONCE" "$ONCE"/settings | head -n 60; return 1; }
}

@test "a file whose text is what it was stays as it is, wherever make has its buffers" {
  # values that come, go and grow leave holes in make's memory for what is read from a file to move into
  awk -v lib="$TOP/pipelines/settle.mk" '
  function letters(n,    s) { s = sprintf("%" n "s", ""); gsub(/ /, "b", s); return s }
  BEGIN {
    printf "include %s\ntext := %s\n", lib, letters(1400) "end"
    n = split("10 100 180 190 400 1000 3000 7000", size, " ")
    for (i = 0; i < 1000; i++) {
      r = (r * 1103 + 12345) % 65536
      printf "V%d := %s\n", r % 61, letters(size[int(r / 61) % n + 1])
      if (i % 20 == 19) print "$(call settle,held,$(text))"
    }
    print "all:;@:"
  }' > churn.mk
  make -s -f churn.mk
  touch -d @1000000000 held
  make -s -f churn.mk
  [[ $(stat -c %Y held) == 1000000000 ]]
  make -s -f churn.mk text=other
  [[ $(< held) == other && $(stat -c %Y held) != 1000000000 ]]
}

@test "a changed setting repeats what depends on it and nothing else" {
  cp -a "$ONCE" copy
  run -0 bash -c "$(declare -f switch stages); TOP='$TOP'; switch -n OUT=copy SAMPLE_RATIO=0.2 copy/results.tsv | stages"
  [[ $output == "$(printf '%s\n' seed-{0,1}/crossadapt-sample{,.phase1,.phase2} | sort)" ]]
  rm -r copy && cp -a "$ONCE" copy
  run -0 bash -c "$(declare -f switch stages); TOP='$TOP'; switch -n OUT=copy INTERVAL=5 copy/results.tsv | stages"
  [[ $output == "$(printf '%s\n' seed-{0,1}/crossadapt-{full,sample} | sort)" ]]
  rm -r copy && cp -a "$ONCE" copy
  run -0 bash -c "$(declare -f switch stages); TOP='$TOP'; switch -n OUT=copy STUDENT=mlp:4:8 copy/results.tsv | stages"
  [[ $output != *teacher* && $(wc -l <<< "$output") == 24 ]]
  rm -r copy && cp -a "$ONCE" copy
  run -0 bash -c "$(declare -f switch stages); TOP='$TOP'; switch -n OUT=copy SEEDS=3 copy/results.tsv | stages"
  [[ $output != *seed-0* && $output != *seed-1* && $(wc -l <<< "$output") == 13 ]]
}

@test "another run makes the same models, whatever the threads" {
  switch OUT=again SEEDS=1 THREADS=3 > shown 2> said
  for model in again/seed-0/*.safetensors; do
    run -0 cmp "$model" "$ONCE/seed-0/${model##*/}"
  done
  (( $(ls again/seed-0/*.safetensors | wc -l) == 13 ))
}

@test "a failing stage stops everything, names itself, and the next start goes on from there" {
  mkdir tools
  ln -s "${CA_BIN:-$TOP/bin}"/ca-* tools/
  rm tools/ca-codistill
  printf '#!/bin/sh\necho "ca-codistill: no room here" >&2\nexit 4\n' > tools/ca-codistill
  chmod +x tools/ca-codistill
  CA_BIN=$PWD/tools run -2 switch OUT=broken SEEDS=1 JOBS=1
  [[ $output == *"crossadapt-full failed with status 4"* && $output == *"no room here"* ]]
  [[ ! -e broken/results.tsv && ! -e broken/seed-0/crossadapt-full.safetensors ]]
  [[ ! -e broken/seed-0/crossadapt-sample.safetensors && ! -e broken/seed-0/crossadapt-sample.time ]]
  run -0 stat -c '%n %y' broken/seed-0/{teacher,full-retrain,vanilla-kd,crossadapt-full.phase2}.safetensors
  before=$output
  switch OUT=broken SEEDS=1 JOBS=1 > shown 2> said
  run -0 stat -c '%n %y' broken/seed-0/{teacher,full-retrain,vanilla-kd,crossadapt-full.phase2}.safetensors
  [[ $output == "$before" ]]
  run -0 cmp broken/seed-0/crossadapt-sample.safetensors "$ONCE/seed-0/crossadapt-sample.safetensors"
}

@test "a folder with a space in its name is refused before anything is made" {
  run -2 switch OUT='two words'
  [[ $output == *"OUT must be one name"* ]]
}

@test "schema lines of one's own reach the import, and a change of them repeats it" {
  awk 'BEGIN { srand(2); print "click,shop"; for (i = 0; i < 2000; i++) print (rand() < 0.4) ",s" int(900 * rand() ^ 3) }' > log.csv
  printf 'min-count = 5\nclick label\nshop categorical\n' > log.schema
  rows() { ca-view -q --header own/data/train.car | awk -F '\t' '$1 == "shop" { print $5 }'; }
  data() { env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -f "$TOP/pipelines/switch.mk" OUT=own DATA=log.csv SCHEMA=./log.schema "$@" data; }
  data
  zero=$(rows)
  data WITH='unknown = last; min-count = 5'
  (( $(rows) == zero + 1 ))
  data WITH='unknown = last; min-count = 9'
  (( $(rows) < zero ))
  data
  (( $(rows) == zero ))
}

@test "a stage's seconds are those of the clock, and of all processes behind it" {
  mkdir seed-0
  # at once a grandchild that works, a child that has the kernel work, and one that sleeps
  burn='i=0; while (( i++ < 300000 )); do :; done'
  run -0 /usr/bin/python3 - "$TOP/pipelines/stage" seed-0/x "( ( $burn ) | cat ) & dd if=/dev/zero of=/dev/null bs=64 count=1000000; sleep 0.2; wait" << 'PYTHON'
import csv, resource, subprocess, sys, time
started = time.monotonic()
subprocess.run(["bash", *sys.argv[1:]], check=True, stderr=subprocess.DEVNULL)
clock = time.monotonic() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
assert used.ru_stime > 0.25 * (used.ru_utime + used.ru_stime), used
used = used.ru_utime + used.ru_stime
r = next(csv.DictReader(open(sys.argv[2] + ".time"), delimiter="\t"))
assert list(r) == ["train_s", "rows", "core_s"] and r["rows"] == "0", r
# the stage itself takes some milliseconds of both
assert max(0.2, clock / 2) < float(r["train_s"]) <= clock, (r, clock)
assert 0.8 * used < float(r["core_s"]) <= used and used > 0.5, (r, used)
PYTHON
  [[ ! -e seed-0/x.times ]]
}
