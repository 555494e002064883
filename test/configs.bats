# ca-train --config: the options of published runs, and of files.
load setup

# stream NAME NUMERIC CATEGORICAL LISTS: some rows; the lists share the vocabularies of the last columns, but for ml1m's
stream() {
  awk -v n="$2" -v c="$3" -v l="$4" -v name="$1" 'BEGIN {
    schema = name ".schema"; header = "y,buy,place"; row = "1,0,v"
    print "format = csv\nmin-count = 1\ny label\nbuy task\nplace domain" > schema
    for (i = 1; i <= n; i++) { header = header ",x" i; row = row "," i; print "x" i " numeric" > schema }
    for (i = 1; i <= c; i++) { header = header ",c" i; row = row ",v"; print "c" i " categorical" > schema }
    for (i = 1; i <= l; i++) {
      header = header ",l" i; row = row ",v"
      print "l" i " list separator=|" (name == "ml1m" ? "" : " like=c" (c - l + i)) > schema
    }
    print header > (name ".csv"); for (i = 0; i < 8; i++) { print row > (name ".csv"); sub(/^./, i % 2, row) }
  }'
  ca-import -q --schema "$1.schema" -o "$1.car" "$1.csv"
}

setup_suite_data() {
  D=$BATS_FILE_TMPDIR/data
  [[ ! -d $D ]] || return 0
  mkdir "$D"
  cd "$D"
  stream criteo 0 39 0; stream kdd12 0 13 0; stream ml1m 0 6 1; stream ipinyou 0 16 0; stream kkbox 0 13 0
  stream taobaoad 1 16 3; stream amazonelectronics 0 2 2; stream kuaivideo 0 3 1
  stream numeric 13 26 0; stream avazu 0 22 0
  ca-gen -q --rows 3k --preset small --seed 5 -o in.car
  ca-gen -q --rows 1k --preset small --seed 5 --start 3000 -o valid.car
  cd "$BATS_TEST_TMPDIR"
}

# dense NAME STREAM: parameters besides tables
dense() { ca-train -q --dry-run --config "$1" --valid "$D/$2.car" "$D/$2.car" | awk -F '\t' '$1 == "dense_parameters" { print $2 }'; }
options() { ca-train -q --list-configs | awk -F '\t' -v name="$1" '$1 == name { print $2 }'; }
command_of() { ca-model -q --provenance "$1" | grep -o 'ca-train .*' | tail -n 1; }

@test "every config parses, builds its architecture, and cites a source in every line" {
  n=0
  while IFS=$'\t' read -r name _; do
    n=$((n + 1)) paper=${name%%/*} data=${name#*/} data=${data%/*}
    if [[ $paper == crossadapt ]]; then data=numeric; fi
    [[ -n $(dense "$name" "$data") ]] || { echo "$name"; return 1; }
  done < <(ca-train -q --list-configs | tail -n +2)
  (( n == $(find "$TOP/data/configs" -name '*.conf' | wc -l) ))
  run -1 grep -rvE '^# |  # specification (crossadapt|exfm|kdef|models)[ ,0-9]' "$TOP/data/configs"
}

@test "the published totals: tables, and what the networks have besides" {
  n=0
  # the config, rows of its tables, their width, numbers of first-order tables, the published total
  while read -r name rows width first total; do
    n=$((n + 1)) data=${name#*/} data=${data%/*}
    got=$(( $(dense "$name" "$data") + rows * width + first ))
    (( got == total )) || { echo "$name: $got, published $total"; return 1; }
  done <<'TOTALS'
exfm/taobaoad/dmin 1295075 32 0 42347786
exfm/taobaoad/dcn 1295075 32 0 41938177
exfm/taobaoad/dcnv2 1295075 32 0 43576577
exfm/taobaoad/fm 1295075 32 1615281 43057715
exfm/taobaoad/fmfm 1295075 32 1615281 43063795
exfm/taobaoad/deepfm 1295075 32 1615281 43550260
exfm/amazonelectronics/dmin 63806 64 0 8107401
exfm/amazonelectronics/dcn 63806 64 0 5006465
exfm/amazonelectronics/dcnv2 63806 64 0 5138561
exfm/amazonelectronics/fm 63806 64 127612 4211197
exfm/amazonelectronics/fmfm 63806 64 127612 4235773
exfm/amazonelectronics/deepfm 63806 64 127612 5134334
kdef/criteo/dcnv2 910747 16 0 20382577
kdef/criteo/masknet 910747 16 0 20358077
kdef/criteo/finalmlp 910747 16 0 19524954
kdef/criteo/final-2b 910747 16 0 18153050
kdef/criteo/ecn-alone 910747 16 0 15356321
TOTALS
  (( n == 17 ))
}

@test "the published totals of KDEF's ensembles" {
  # data set, rows, width, MLPs and their total, total of the three students
  while read -r data rows width k mlps latest; do
    (( $(dense "kdef/$data/mlp" "$data") * k + rows * width == mlps )) || { echo "$data: mlp"; return 1; }
    (( $(dense "kdef/$data/pnn" "$data") + $(dense "kdef/$data/final" "$data") + $(dense "kdef/$data/ecn" "$data") +
      rows * width == latest )) || { echo "$data: latest"; return 1; }
  done <<'TOTALS'
criteo 910747 16 10 20307962 17051091
kdd12 4668096 16 5 76725541 75684879
ml1m 9751 16 5 2000021 959983
ipinyou 665765 16 10 14916250 11755817
kkbox 91756 128 10 48484778 24999951
TOTALS
  # and of CrossAdapt's models
  [[ $(dense crossadapt/criteo/teacher numeric) == 16625 && $(dense crossadapt/criteo/student numeric) == 1477763 ]]
  [[ $(dense crossadapt/avazu/teacher avazu) == 13745 && $(dense crossadapt/avazu/student avazu) == 1072914 ]]
}

@test "a config is its options: same model, same provenance" {
  ca-train -q --config crossadapt/criteo/teacher -o named.safetensors "$D/in.car"
  # shellcheck disable=SC2046
  ca-train -q $(options crossadapt/criteo/teacher) -o spelled.safetensors "$D/in.car"
  cmp named.safetensors spelled.safetensors
  ca-model -q --provenance named.safetensors | grep -q -- '--arch mlp:8:64,32,4 '
}

@test "the command line wins" {
  config=exfm/taobaoad/deepfm less="--patience 0 --epochs 1 --batch 500"
  # shellcheck disable=SC2086
  {
    ca-train -q --config $config $less --arch fm:4 -o a.safetensors "$D/in.car"
    [[ $(ca-model -q a.safetensors | awk -F '\t' '$1 == "architecture" { print $2 }') == fm:4 ]]
    # one rate for everything stands for both of the config's
    ca-train -q --config $config $less --arch fm:4 --lr 0.02 -o c.safetensors "$D/in.car"
    ca-train -q --arch fm:4 $less --lr 0.02 --clip 10 --l2-table 5e-6 --shuffle -o d.safetensors "$D/in.car"
    ca-model -q --diff c.safetensors d.safetensors
    run -1 ca-model --diff a.safetensors c.safetensors
    # what belongs to a new model is left out where there is one
    ca-train -q --config $config $less --arch fm:4 --init a.safetensors -o e.safetensors "$D/in.car"
  }
}

@test "a file as a config; what is wrong with one" {
  printf '# mine\n\narch = fm:4  # small\n batch=100\nshuffle\n' > mine.conf
  ca-train -q --config mine.conf -o a.safetensors "$D/in.car"
  ca-train -q --arch fm:4 --batch 100 --shuffle -o b.safetensors "$D/in.car"
  cmp a.safetensors b.safetensors
  check() { # LINE MESSAGE
    printf 'arch = fm:4\n%s\n' "$1" > bad.conf
    run -2 --separate-stderr ca-train -q --config bad.conf -o x.safetensors "$D/in.car"
    [[ $stderr == *"$2"* && $stderr == *bad.conf* && $stderr == *2* && ! -e x.safetensors ]] || { echo "$1: $stderr"; return 1; }
  }
  check 'batches = 3' "no option 'batches'"
  check 'batch = many' "not a value of --batch"
  check 'batch' 'needs a value'
  check 'shuffle = yes' 'takes no value'
  check 'init = m.safetensors' "no option 'init'"
  check 'threads = 1' "no option 'threads'"
  check 'config = other' "no option 'config'"
  check 'arch = lr' 'there twice'
  run -2 --separate-stderr ca-train -q --config kdef/criteo/nothing -o x.safetensors "$D/in.car"
  [[ $stderr == *"neither a known config"* && $stderr == *"known are kdef/criteo/ with "*" pnn"* ]]
  run -2 --separate-stderr ca-train -q --config kdef/nowhere/pnn -o x.safetensors "$D/in.car"
  [[ $stderr == *"known are kdef/ with criteo, ipinyou, kdd12, kkbox, ml1m"* ]]
  run -2 --separate-stderr ca-train -q --config nobody -o x.safetensors "$D/in.car"
  [[ $stderr == *"known are crossadapt, exfm, kdef"* ]]
  run -2 ca-train -q --config kdef/criteo/pnn --config kdef/criteo/ecn -o x.safetensors "$D/in.car"
  # early stopping is part of it
  run -2 --separate-stderr ca-train -q --config kdef/criteo/pnn -o x.safetensors "$D/in.car"
  [[ $stderr == *--valid* ]]
}
