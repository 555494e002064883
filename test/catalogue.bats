# The catalogue of architectures: what ca-train --list-archs says of each, and the page that is made from it.
load setup

setup_suite_data() {
  D=$BATS_FILE_TMPDIR/data PYTHON=${PYTHON:-/usr/bin/python3}
  [[ ! -d $D ]] || return 0
  mkdir "$D"
  awk 'BEGIN { print "y,buy,x1,x2,a,b,c,place,words,shops,past"
    for (i = 0; i < 200; i++) print i % 2 "," (i % 4 > 2) "," i / 7 "," i % 5 ",a" i % 4 ",b" i % 6 ",c" i % 3 ",p" i % 3 \
      ",w" i % 5 "|w" i % 2 ",s" i % 3 "|s" i % 7 ",c" i % 2 "|c0" }' > "$D/all.csv"
  cut -d , -f 1,5-7 "$D/all.csv" > "$D/plain.csv"
  cut -d , -f 1,3-7 "$D/all.csv" > "$D/numeric.csv"
  printf 'format = csv\nmin-count = 1\ny label\nbuy task\nx1 numeric\nx2 numeric\na categorical\nb categorical\nc categorical
place domain\nwords list separator=|\nshops list separator=|\npast list separator=| like=c\n' > "$D/all.schema"
  grep -vE '^(buy|x1|x2|place|words|shops|past) ' "$D/all.schema" > "$D/plain.schema"
  grep -vE '^(buy|place|words|shops|past) ' "$D/all.schema" > "$D/numeric.schema"
  for s in all plain numeric; do ca-import -q --schema "$D/$s.schema" -o "$D/$s.car" "$D/$s.csv"; done
}

@test "the formulas give the parameters and operations of every architecture, whatever its keys" {
  cd "$D"
  # numeric and categorical columns, lists, those that share a vocabulary, further tasks, and rows of the domain's vocabulary with that of the unknown
  run "$PYTHON" "$TOP/test/formulas.py" all.car 2 3 3 1 1 4 plain.car 0 3 0 0 0 0 numeric.car 2 3 0 0 0 0
  echo "$output"
  [[ $output == "$(ca-train -q --list-archs | tail -n +2 | wc -l) architectures, "* ]]
}

@test "a formula that is wrong by one is found" {
  mkdir bin
  cat > bin/ca-train <<SH
#!/bin/sh
case "\$*" in *--list-archs*) "$(command -v ca-train)" "\$@" | sed 's/M(D + P)/M(D + P) + 1/';; *) exec "$(command -v ca-train)" "\$@";; esac
SH
  chmod +x bin/ca-train
  PATH=$PWD/bin:$PATH run -1 "$PYTHON" "$TOP/test/formulas.py" "$D/plain.car" 0 3 0 0 0 0 "$D/all.car" 2 3 3 1 1 4
  echo "$output"
  [[ $output == pnn:8:16,4*parameters* ]]
}

@test "the page has an entry for each, with what the list says" {
  page=$TOP/build/man/ca-architectures.7
  [[ -e $page ]] || skip "the manual is not built"
  sed -n '/^\.Ss Catalogue/,/^\.Sh/p' "$page" > catalogue
  while IFS=$'\t' read -r name _ source _ _ used parameters operations; do
    grep -A 7 -x ".It Cm $name" catalogue > entry
    for line in "$source." "used: $used" "parameters: $parameters" "operations: $operations"; do grep -qFx -- "$line" entry; done
  done < <(ca-train -q --list-archs | tail -n +2)
  [[ $(grep -c '^\.It Cm ' catalogue) == "$(ca-train -q --list-archs | tail -n +2 | wc -l)" ]]
}
