# ca-split
load setup

setup_suite_data() {
  IN=$BATS_FILE_TMPDIR/in.car
  [[ -e $IN ]] || ca-gen -q --rows 10007 --preset small --seed 5 -o "$IN"
}

# joined FILE...: all their rows as one text
joined() { for f in "$@"; do ca-view -q "$f" | sed 1d; done; }
count() { ca-view -q "$1" | sed 1d | wc -l; }

@test "ratios: sizes by rounding down, the last takes the rest, rows in order" {
  run -0 --separate-stderr ca-split --ratios 4:4:1:1 --out-dir d "$IN"
  [[ -z $output && $stderr == *4002:4002:1000:1003* ]]
  [[ $(ls d) == $'hist.car\nonline.car\ntest.car\ntrain.car' ]]
  [[ $(count d/hist.car) == 4002 && $(count d/test.car) == 1003 ]]
  cmp <(joined "$IN") <(joined d/{hist,train,online,test}.car)
}

@test "a pipe gives the bytes a file gives, at any block size of the input" {
  ca-split -q --ratios 4:4:1:1 --out-dir file "$IN"
  ca-split -q --ratios 4:4:1:1 --out-dir pipe < <(cat "$IN")
  ca-cat -q --block-rows 77 -z 2 "$IN" --no-provenance | ca-split -q --ratios 4:4:1:1 --out-dir blocks -
  for part in hist train online test; do
    cmp file/$part.car pipe/$part.car
    cmp file/$part.car blocks/$part.car
  done
  ca-split -q --threads 1 --ratios 4:4:1:1 --out-dir one "$IN"
  ca-split -q --threads 4 --ratios 4:4:1:1 --out-dir four "$IN"
  for part in hist train online test; do cmp one/$part.car four/$part.car; done
}

@test "counts" {
  ca-split -q --counts '3:0:*' --names a:none:b "$IN"
  [[ $(count a.car) == 3 && $(count none.car) == 0 && $(count b.car) == 10004 ]]
  ca-check -q none.car
  cmp <(joined "$IN") <(joined a.car none.car b.car)
  run -3 ca-split -q --counts 3:4 --names x:y "$IN"
  [[ $output == *"10007 rows"* && $output == *"hint:"* && ! -e x.car && ! -e y.car ]]
  run -3 ca-split -q --counts '20k:*' --names x:y "$IN"
}

@test "times: each part begins at its time" {
  ca-split -q --times 86400:259200 --names day1:day23:rest "$IN"
  cmp <(joined "$IN") <(joined day1.car day23.car rest.car)
  [[ $(ca-view -q -c time day1.car | tail -n 1) -lt 86400 ]]
  [[ $(ca-view -q -c time day23.car | sed -n 2p) -ge 86400 && $(ca-view -q -c time day23.car | tail -n 1) -lt 259200 ]]
  [[ $(ca-view -q -c time rest.car | sed -n 2p) -ge 259200 ]]
  cat "$IN" | ca-split -q --times 86400:259200 --names p1:p23:prest
  cmp day23.car p23.car
}

@test "times that run backwards are an error, with the row, and nothing appears" {
  ca-split -q --counts 100:200:* --names a:b:c "$IN"
  ca-cat -q b.car a.car c.car -o mixed.car
  run -3 ca-split -q --times 5:10000 --names x:y:z mixed.car
  [[ $output == *backwards* && $output == *mixed.car* && $output == *"record 200"* ]]
  [[ ! -e x.car && ! -e y.car && ! -e z.car ]]
  run -1 compgen -G '.*.tmp.*'
}

@test "a stream without time has nothing to cut by time" {
  ca-import -q --schema criteo -o notime.car < <(ca-gen -q --rows 50 --format tsv)
  run -3 ca-split -q --times 5 --names x:y notime.car
  [[ $output == *"no time column"* ]]
}

@test "malformed cuts: exit 2 before anything is read" {
  for bad in '' 4 4:0 4:-1 4: a:b 1e3:1 nan:1; do
    run -2 ca-split --ratios "$bad" --names a:b no-such-file
    [[ $output == *--ratios* && $output != *no-such-file* ]]
  done
  run -2 ca-split --ratios 1:1 no-such-file
  [[ $output == *--names* ]]
  run -2 ca-split no-such-file
  [[ $output == *--times* ]]
  run -2 ca-split --ratios 1:1:1:1 --counts '1:*' no-such-file
  run -2 ca-split --times 5:4 --names a:b:c no-such-file
  for names in a a:b:c a:a ../a:b :b a: .a:b; do run -2 ca-split --ratios 1:1 --names "$names" no-such-file; done
  run -2 ca-split --ratios 4:4:1:1 -o x.car no-such-file
  [[ $output == *--out-dir* ]]
  run -2 ca-split --ratios 4:4:1:1 a.car b.car
}

@test "broken input: exit 3, naming it, and nothing appears" {
  head -c 100000 "$IN" > short.car
  for cut in '--ratios 4:4:1:1' '--times 5:6:7'; do
    run -3 ca-split -q $cut --out-dir d short.car
    [[ $output == *short.car* ]]
    run -3 bash -c "cat short.car | ca-split -q $cut --out-dir d"
    run -3 ca-split -q $cut --out-dir d /dev/null
  done
  [[ ! -e d ]] || [[ -z $(ls -A d) ]]
  run -4 ca-split -q --ratios 4:4:1:1 no-such-file
  [[ $output == *no-such-file* ]]
}

@test "a block damaged late takes back every part" {
  size=$(stat -c %s "$IN")
  cp "$IN" bad.car
  printf 'XXXX' | dd of=bad.car bs=1 seek=$((size * 3 / 4)) conv=notrunc status=none
  run -3 ca-split -q --ratios 4:4:1:1 --out-dir d bad.car
  [[ -z $(ls -A d) ]]
}

@test "an output that cannot be made: exit 4, and the others do not appear" {
  mkdir -p d/online.car
  run -4 ca-split -q --ratios 4:4:1:1 --out-dir d "$IN"
  [[ $output == *online.car* ]]
  [[ $(ls -A d) == online.car ]]
  run -4 ca-split -q --ratios 4:4:1:1 --out-dir no/such/dir "$IN"
  touch plain
  run -4 ca-split -q --ratios 4:4:1:1 --out-dir plain "$IN"
}

@test "an empty stream splits into empty streams" {
  ca-gen -q --rows 0 --preset small -o empty.car
  ca-split -q --ratios 4:4:1:1 empty.car
  for part in hist train online test; do ca-check -q $part.car; done
}

@test "parts keep columns and provenance and say what they were cut from" {
  ca-split -q --ratios 4:4:1:1 "$IN"
  cmp <(ca-view -q -H hist.car) <(ca-view -q -H "$IN")
  run -0 ca-view -q -p train.car
  [[ $output == *ca-gen* && $output == *ca-split* && $output == *"--ratios 4:4:1:1"* ]]
  digest=$(ca-view -q -t "$IN" | awk -F '\t' '/digest/ { print $2; exit }')
  [[ -n $digest ]]
  run -0 ca-view -q -t train.car
  [[ $output == *"$digest"* ]]
}

@test "the vocabulary travels with every part" {
  ca-gen -q --rows 500 --vocab 300 --format tsv | ca-import -q --schema criteo -o v.car
  ca-split -q --ratios 4:4:1:1 v.car
  ca-view -q --attachment vocabulary v.car > want
  [[ -s want ]]
  for part in hist train online test; do cmp want <(ca-view -q --attachment vocabulary $part.car); done
}

@test "names with a space or a dash" {
  cp "$IN" "a name.car"
  cp "$IN" -- -n.car
  ca-split -q --ratios 1:1 --names "part one:-two" --out-dir "a dir" "a name.car"
  ca-split -q --ratios 1:1 --names x:y -- -n.car
  cmp <(joined "a dir/part one.car") <(joined x.car)
  cmp <(joined "a dir/-two.car") <(joined y.car)
}

@test "old parts are replaced, and kept when the run fails" {
  ca-split -q --ratios 4:4:1:1 "$IN"
  cp hist.car before
  head -c 100000 "$IN" > short.car
  run -3 ca-split -q --ratios 1:1:1:1 short.car
  cmp hist.car before
  ca-split -q --ratios 1:1:1:1 "$IN"
  [[ $(count hist.car) == 2501 ]]
}

@test "a disk that fills up at the very end takes back the parts that were done" {
  ca-gen -q --rows 3010 --preset small -o in.car
  mkdir d
  # the second part is one block, written when it is closed, after the first has been
  run -4 bash -c "trap '' XFSZ; ulimit -f 100; ca-split -q --counts '10:*' --names a:b --out-dir d in.car"
  [[ $output == *d/b.car* && -z $(ls -A d) ]]
}
