# Every architecture learns what logistic regression cannot: pipelines/zoo.mk on a log in which only pairs of fields matter.
load setup

# The click depends on whether a and b, c and e are of one kind; each of them alone says nothing. A list, a further label and
# two domains, which say nothing, are for the architectures that read such.
setup_suite_data() {
  D=$BATS_FILE_TMPDIR/data
  [[ ! -d $D ]] || return 0
  mkdir "$D"
  awk 'BEGIN { srand(7); print "y,buy,place,a,b,c,e,past"
    for (i = 0; i < 24000; i++) {
      a = int(rand() * 20); b = int(rand() * 20); c = int(rand() * 20); e = int(rand() * 20)
      s = a % 2 == b % 2 ? 1 : -1; t = int(c / 2) % 2 == int(e / 2) % 2 ? 1 : -1
      y = rand() < 1 / (1 + exp(-1.5 * s - 0.8 * t))
      print y "," (y && i % 3) ",p" i % 2 ",a" a ",b" b ",c" c ",e" e ",a" int(rand() * 20) } }' > "$D/pairs.csv"
  printf 'format = csv\nmin-count = 1\ny label\nbuy task\nplace domain\na categorical\nb categorical\nc categorical
e categorical\npast list separator=| like=a\n' > "$D/pairs.schema"
}

# zoo OUT SETTING=VALUE...: small and fast, and a fixed number of epochs
zoo() {
  local out=$1
  shift
  make -s -f "$TOP/pipelines/zoo.mk" OUT="$out" DATA="$D/pairs.csv" SCHEMA="$D/pairs.schema" SEEDS=1 BATCH=256 EPOCHS=12 \
    PATIENCE=12 LENGTH=2 JOBS=2 THREADS=1 "$@" > said 2>&1 || { cat said; return 1; }
}

# What may stay at its start for all of twelve epochs with the family's rate of 0.001, and learns with 0.01: tables start at
# 0.0001, and where a logit is a product of several of them, or small beside interests of size 1, gradients begin at next to
# nothing.
SLOW='dagfm dagfm-outer dmin dmin-multitask fibinet-all fibinet-each'
# And what also needs batch norm, as the published runs of edcn have it.
NORMED='edcn dmin-multidomain'

@test "each beats logistic regression by 20 points of AUC where only pairs matter" {
  # cl4ctr encodes every row twice, which takes a minute here: with a small encoder, below
  archs=$(ca-train -q --list-archs | awk 'NR > 1 && $1 !~ /^cl4ctr/ { print $1 }' | paste -sd ' ')
  zoo all ARCHS="$archs" MORE='--lr-decay 1'
  zoo slow ARCHS="lr $SLOW" MORE='--lr-decay 1 --lr 0.01'
  for arch in edcn:8:bn=1 dmin-multidomain:8:64,32:bn=1 cl4ctr:8:layers=1,feedforward=8 cl4ctr-deepfm:8:64,32:layers=1,feedforward=8; do
    ca-train -q --arch "$arch" --lr 0.01 --epochs 12 --batch 256 --sequence-length 2 -o m.safetensors all/data/past.car
    printf '%s\t%s\n' "${arch%%:*}" "$(ca-eval -q --model m.safetensors all/data/test.car | tail -n 1 | cut -f 1)" >> normed.tsv
  done
  [[ $(wc -l < all/zoo.tsv) == $(( $(wc -w <<< "$archs") + 1 )) ]]
  awk -F '\t' '
    FILENAME == "normed.tsv" { held[$1] = 100 * $2; next }
    FNR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    $at["architecture"] == "lr" { lr = $at["auc_pct"]; if (lr < 47 || lr > 53) bad = bad " lr:" lr; next }
    $at["auc_pct"] > held[$at["architecture"]] { held[$at["architecture"]] = $at["auc_pct"] }
    END {
      for (a in held) if (!(held[a] > lr + 20)) bad = bad " " a ":" held[a]
      if (bad) { print "no better than lr:" bad; exit 1 }
    }' all/zoo.tsv slow/zoo.tsv normed.tsv
}

@test "the table says what a log does not have, and is made again only where a setting changed" {
  cut -d , -f 1,4-7 "$D/pairs.csv" | head -n 2000 > short.csv
  grep -vE '^(buy|place|past) ' "$D/pairs.schema" > short.schema
  zoo few DATA=short.csv SCHEMA=short.schema EPOCHS=1 ARCHS='lr multidomain fm' SEEDS=2
  [[ $(cut -f 1,10 few/zoo.tsv | tail -n +2 | paste -sd ' ') == $'fm\t2 lr\t2 multidomain\t0' ]]
  grep -q '^| multidomain | - |' few/zoo.md
  grep -q '^- `multidomain`: .*no domain column' few/zoo.md
  awk -F '\t' 'NR > 1 && $10 == 2 && !($4 > 0 && $7 > 0 && $8 > 0 && $9 > 0) { print; exit 1 }' few/zoo.tsv
  touch mark
  sleep 0.1
  zoo few DATA=short.csv SCHEMA=short.schema EPOCHS=1 ARCHS='lr multidomain fm' SEEDS=2
  [[ -z $(find few -name '*.tsv' -newer mark) ]]
  zoo few DATA=short.csv SCHEMA=short.schema EPOCHS=1 ARCHS='lr multidomain fm' SEEDS=2 WIDTH=4
  [[ -n $(find few -name 'fm.eval.tsv' -newer mark) ]]
}
