# ca-view, ca-cat and ca-check: what they show, keep and refuse, through files and pipes.
load setup

setup_suite_data() {
  ca-gen --rows 20k --seed 1 -o clicks.car
  ca-gen --rows 300 --seed 2 -o few.car
}

digest() { ca-check --digest "$@" | cut -f 1; }
shape() { ca-view --totals "$1" | awk -v key="$2" '$1 == key { print $2 }'; }

@test "ca-check is silent when all is well, and --digest names every file" {
  run -0 ca-check clicks.car few.car
  [[ -z $output ]]
  run -0 --separate-stderr ca-check --digest clicks.car few.car
  [[ ${#lines[@]} == 2 && ${lines[0]} =~ ^[0-9a-f]{32}$'\t'clicks.car$ && ${lines[1]} =~ $'\t'few.car$ && -z $stderr ]]
}

@test "ca-check and the others refuse what is cut short, at the byte where it ends" {
  size=$(stat -c %s clicks.car)
  for n in 1 7 63 64 65 200 1000 65537 $((size / 2)) $((size - 65)) $((size - 64)) $((size - 1)); do
    head -c "$n" clicks.car > cut.car
    run -3 --separate-stderr ca-check cut.car
    [[ -z $output && $stderr == *"ca-check: "*"'cut.car' at byte $n"* ]]
    run -3 ca-check < cut.car
    run -3 bash -c 'set -o pipefail; cat cut.car | ca-check'
    run -3 ca-view --stats cut.car
    run -3 ca-cat cut.car -o out.car
    [[ ! -e out.car ]]
  done
}

@test "a flipped bit is found, wherever it is" {
  size=$(stat -c %s clicks.car)
  for n in 0 9 30 70 $((size / 3)) $((size / 2)) $((size - 200)) $((size - 60)) $((size - 1)); do
    cp clicks.car bad.car
    byte=$(od -A n -t u1 -j "$n" -N 1 clicks.car)
    printf "\\x$(printf %02x $((byte ^ 16)))" | dd of=bad.car bs=1 seek="$n" conv=notrunc status=none
    run -3 ca-check bad.car
    [[ $output == *"'bad.car' at byte "* ]]
    run -3 bash -c 'cat bad.car | ca-cat > out.car'
    run -3 ca-check out.car
  done
}

@test "bytes behind the end, and streams joined by cat, are refused with the cure" {
  { cat few.car; printf x; } > more.car
  run -3 ca-check more.car
  [[ $output == *"follow the end"*"at byte $(stat -c %s few.car)"*"ca-cat"* ]]
  run -3 bash -c 'cat few.car few.car | ca-check'
  run -3 ca-view --totals more.car
}

@test "empty input, text and another version are told apart" {
  run -3 ca-check /dev/null
  [[ $output == *empty* ]]
  run -3 ca-cat < /dev/null
  run -3 ca-view < /dev/null
  printf 'label\tC1\n0\t1\n' > text.tsv
  run -3 ca-view text.tsv
  [[ $output == *"not a record stream"*ca-import* ]]
  cp few.car next.car
  printf '\x02' | dd of=next.car bs=1 seek=8 conv=notrunc status=none
  run -3 ca-check next.car
  [[ $output == *"version 2.0"* ]]
  run -4 ca-check no-such.car
  [[ $output == *"no-such.car"* ]]
}

@test "ca-check tells every fault and still gives the digests of sound streams" {
  head -c 500 few.car > cut.car
  run -3 --separate-stderr ca-check --digest cut.car few.car /dev/null clicks.car
  [[ ${#lines[@]} == 2 && $stderr == *cut.car* && $stderr == */dev/null* ]]
}

@test "the content digest depends on neither blocks, compression, pipes nor provenance" {
  want=$(digest clicks.car)
  for options in "--block-rows 1" "--block-rows 777" "--block-rows 1M" "--compress 1" "--compress 9 --block-rows 100"; do
    ca-cat $options clicks.car -o other.car
    [[ $(digest other.car) == "$want" ]]
    [[ $(cat other.car | ca-cat --no-provenance | digest -) == "$want" ]]
  done
  [[ $(digest few.car) != "$want" ]]
}

@test "ca-cat writes the same bytes from a file, a pipe and standard input, for any number of threads" {
  ca-cat --rows 100:9k --compress 3 clicks.car -o a.car
  ca-cat --rows 100:9k --compress 3 --threads 1 < clicks.car > b.car
  cat clicks.car | ca-cat --rows 100:9k --compress 3 --threads 4 - > c.car
  ca-cat --rows 100:9k --compress 3 <(cat clicks.car) > d.car
  ca-view --format json b.car | cmp - <(ca-view --format json a.car)
  [[ $(digest a.car b.car c.car d.car | uniq | wc -l) == 1 ]]
  cmp b.car d.car
  cmp b.car c.car
}

@test "ca-cat: the parts of a stream join to the whole" {
  ca-cat --rows :7001 clicks.car -o a.car
  ca-cat --rows 7001:7001 clicks.car -o none.car
  ca-cat --rows 7001: --compress 1 clicks.car -o b.car
  [[ $(shape a.car rows) == 7001 && $(shape none.car rows) == 0 && $(shape b.car rows) == 12999 ]]
  ca-cat a.car none.car b.car -o joined.car
  [[ $(digest joined.car) == "$(digest clicks.car)" ]]
  ca-view clicks.car > want.tsv
  ca-view joined.car | cmp - want.tsv
  [[ $(ca-view --totals joined.car | grep -c '^input:records') == 3 ]]
  # a range across the join
  ca-cat --rows 7000:7003 a.car none.car b.car | ca-view | cmp - <(ca-view --rows 7000:7003 clicks.car)
  ca-cat --rows 7000: --limit 3 a.car - < b.car | ca-view | cmp - <(ca-view --rows 7000:7003 clicks.car)
}

@test "ca-cat: columns are kept, reordered and dropped" {
  mapfile -t names < <(ca-view --header few.car | tail -n +2 | cut -f 1)
  ca-cat --columns "${names[2]},${names[0]}" few.car | ca-view > two.tsv
  [[ $(head -n 1 two.tsv) == "${names[2]}"$'\t'"${names[0]}" ]]
  cmp two.tsv <(ca-view --columns "${names[2]},${names[0]}" few.car)
  ca-cat --drop "${names[1]}" few.car | ca-view | cmp - <(ca-view few.car | cut -f 2 --complement)
  run -3 ca-cat --columns nobody few.car
  [[ $output == *"'nobody'"* ]]
  run -2 ca-cat --columns "${names[0]},${names[0]}" few.car
  run -2 ca-cat --columns "${names[0]}" --drop "${names[0]}" few.car
}

@test "ca-cat: streams of other columns or another vocabulary are not joined" {
  name=$(ca-view --header few.car | sed -n 2p | cut -f 1)
  ca-cat --drop "$name" few.car -o other.car
  run -3 ca-cat few.car other.car -o out.car
  [[ $output == *"other.car"*"ca-view --header"* && ! -e out.car ]]
}

@test "ca-view: rows by index and through a pipe are the same, TSV and JSON" {
  for range in 0:3 4095:4098 19999: :2 20000: 50k:60k 8000:8000; do
    ca-view --rows "$range" clicks.car > a.tsv
    cat clicks.car | ca-view --rows "$range" | cmp - a.tsv
    ca-view --rows "$range" --format json clicks.car > a.json
    [[ $(($(wc -l < a.tsv) - 1)) == "$(wc -l < a.json)" ]]
  done
  ca-view --limit 0 clicks.car > a.tsv
  [[ $(wc -l < a.tsv) == 1 ]]
  ca-cat --compress 1 clicks.car -o small.car
  ca-view --rows 12345:12400 small.car | cmp - <(ca-view clicks.car | sed -n '1p;12347,12401p')
  ca-view --format json --limit 50 clicks.car > rows.json
  /usr/bin/python3 - rows.json <<'PY'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
assert len(rows) == 50 and len({tuple(r) for r in rows}) == 1
PY
  for bad in 3:2 3 a:b 1:2:3 -1:2 :1e30; do run -2 ca-view --rows "$bad" clicks.car; done
}

@test "ca-view: header, provenance, totals and stats" {
  ca-cat --rows 10:20 clicks.car | ca-cat --seed 9 --drop "$(ca-view -H few.car | tail -n 1 | cut -f 1)" -o last.car
  run -0 ca-view --provenance last.car
  [[ ${#lines[@]} == 4 && ${lines[1]} == ca-gen* && ${lines[2]} == *"--rows 10:20" && ${lines[3]} == ca-cat*9*--drop* ]]
  ca-view --header --format json last.car | /usr/bin/python3 -c '
import json, sys
h = json.load(sys.stdin)
assert [p["tool"] for p in h["provenance"]] == ["ca-gen", "ca-cat", "ca-cat"]
assert {"name", "role", "type", "list", "vocab"} == set(h["columns"][0])'
  [[ $(shape last.car rows) == 10 ]]
  cmp <(ca-view --totals clicks.car) <(cat clicks.car | ca-view --totals)
  label=$(ca-view --header clicks.car | awk '$2 == "label" { print $1 }')
  positives=$(ca-view --columns "$label" clicks.car | awk 'NR > 1 { s += $1 } END { print s }')
  [[ $(shape clicks.car positives) == "$positives" ]]
  # mean of the label, and no id outside its table
  ca-view --stats clicks.car > stats.tsv
  awk -F '\t' -v p="$positives" '$2 == "label" && ($9 * 20000 - p) ^ 2 < 1e-9 { n++ } NR > 1 && $12 > 0 { bad++ }
    END { exit n != 1 || bad > 0 }' stats.tsv
  [[ $(awk -F '\t' 'NR > 1 && $2 != "sequence" && $6 != 20000' stats.tsv | wc -l) == 0 ]]
  run -2 ca-view --header --stats clicks.car
  run -2 ca-view --header --limit 3 clicks.car
  run -3 ca-view --attachment nothing clicks.car
}

@test "--no-provenance leaves a run out" {
  ca-cat --no-provenance few.car -o same.car
  cmp <(ca-view --provenance few.car) <(ca-view --provenance same.car)
}

@test "a producer that is killed makes its consumer fail, and nothing takes the final name" {
  mkfifo pipe
  ca-gen --rows 100M --seed 1 > pipe 2> /dev/null &
  producer=$!
  ca-cat pipe -o out.car 2> log &
  consumer=$!
  wait_written out.car
  kill -KILL "$producer"
  status=0
  wait "$consumer" || status=$?
  [[ $status == 3 && ! -e out.car ]]
  grep -q 'ends before its end frame' log
  [[ -z $(find . -name '.out.car*') ]]
}

@test "SIGTERM in the middle of writing leaves no file" {
  ca-gen --rows 100M --seed 1 2> /dev/null | ca-cat -o out.car &
  wait_written out.car
  kill -TERM $!
  status=0
  wait $! || status=$?
  [[ $status == 143 && ! -e out.car && -z $(find . -name '.out.car*') ]]
}

@test "a reader that leaves ends the writer with SIGPIPE" {
  ca-cat --block-rows 1k clicks.car clicks.car clicks.car -o big.car
  run -0 bash -c 'ca-cat big.car big.car 2> /dev/null | head -c 1 > /dev/null; echo "${PIPESTATUS[0]}"'
  [[ $output == 141 ]]
  run -0 bash -c 'ca-view big.car | head -c 1 > /dev/null; echo "${PIPESTATUS[0]}"'
  [[ $output == 141 ]]
}

@test "a full device is exit 4, an output that cannot be made too" {
  for command in "ca-cat clicks.car" "ca-view clicks.car" "ca-view --header clicks.car" "ca-check --digest clicks.car"; do
    run -4 bash -c "$command > /dev/full"
    run -4 bash -c "$command -o no/such/directory/file"
  done
}

@test "names with spaces and names that begin with a dash" {
  cp few.car './a b.car'
  cp few.car ./-x.car
  run -0 ca-check 'a b.car' -- -x.car
  run -0 ca-cat -o '-y z.car' -- -x.car 'a b.car'
  [[ $(shape './-y z.car' rows) == 600 ]]
  run -0 ca-view -n 1 -- -x.car
}

@test "no two operands for ca-view, no records on a terminal" {
  run -2 ca-view few.car clicks.car
  # script gives its command a terminal
  run -2 script -qec 'ca-cat few.car' /dev/null
  [[ $output == *terminal* ]]
  run -2 script -qec 'ca-check' /dev/null
  run -0 script -qec 'ca-view --limit 1 few.car' /dev/null
}

@test "memory does not grow with the stream" {
  ca-cat --compress 1 clicks.car -o small.car
  ca-cat clicks.car clicks.car clicks.car clicks.car clicks.car clicks.car clicks.car clicks.car -o big.car
  peak() { "$@" 2>&1 > /dev/null | grep -oE '[0-9]+ MB peak' | cut -d ' ' -f 1; }
  one=$(peak ca-cat clicks.car)
  eight=$(peak ca-cat big.car)
  ((eight <= one + 12))
}
