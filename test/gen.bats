# ca-gen
load setup

@test "the same seed gives the same bytes at any number of threads; another seed others" {
  ca-gen -q --rows 30k --preset small --seed 1 --threads 1 -o one.car
  ca-gen -q --rows 30k --preset small --seed 1 --threads 4 > four.car
  cmp one.car four.car
  ca-gen -q --rows 30k --preset small --seed 2 -o other.car
  run -1 cmp -s one.car other.car
  ca-gen -q --rows 30k --preset small --seed 1 --format tsv --threads 1 -o one.tsv
  ca-gen -q --rows 30k --preset small --seed 1 --format tsv --threads 3 > three.tsv
  cmp one.tsv three.tsv
}

@test "block size and compression change no row" {
  ca-gen -q --rows 9999 --preset small -o a.car
  ca-gen -q --rows 9999 --preset small --block-rows 100 -z 1 -o b.car
  cmp <(ca-view -q a.car) <(ca-view -q b.car)
  [[ $(ca-view -q -t a.car | awk -F '\t' '/digest/ { print $2 }') == $(ca-view -q -t b.car | awk -F '\t' '/digest/ { print $2 }') ]]
}

@test "parts of a stream are the stream" {
  ca-gen -q --rows 5000 --preset small | ca-view -q > whole
  {
    ca-gen -q --rows 2049 --preset small --of 5000 | ca-view -q
    ca-gen -q --rows 2951 --preset small --of 5000 --start 2049 | ca-view -q | sed 1d
  } > parts
  cmp whole parts
  run -2 ca-gen -q --rows 10 --start 5 --of 14 -o x.car
  [[ $output == *"row 14"*--of* && ! -e x.car ]]
}

@test "golden digests: the stream is what it was" {
  digest() { ca-gen -q --no-provenance "$@" | ca-view -q -t | awk -F '\t' '/digest/ { print $2 }'; }
  # a change of the planted model changes them, and every number measured on generated data
  run -0 cat "$BATS_TEST_DIRNAME/golden/gen.digests"
  want=$output
  run -0 echo "criteo $(digest --rows 3000 --seed 7)
small $(digest --rows 3000 --seed 7 --preset small --conversions --probability --drift 2)
still $(digest --rows 3000 --seed 7 --drift 0 --vocab 1M)"
  [[ $output == "$want" ]]
}

@test "tsv is Criteo's layout" {
  ca-gen -q --rows 2000 --format tsv > c.tsv
  [[ $(wc -l < c.tsv) == 2000 ]]
  run -1 grep -vP '^[01](\t(-?[0-9]+)?){13}(\t([0-9a-f]{8})?){26}$' c.tsv
  grep -qP '\t\t' c.tsv
  run -2 ca-gen --rows 10 --format tsv --conversions
  [[ $output == *--conversions* ]]
}

@test "tsv imported with Criteo's rules has the labels and numerics of the records, and as many ids" {
  ca-gen -q --rows 3000 --vocab 300 --format tsv | ca-import -q --schema criteo --vocab-scope all -o imported.car
  ca-gen -q --rows 3000 --vocab 300 -o generated.car
  numbers=$(echo I{1..13} | tr ' ' ,)
  cmp <(ca-view -q -c "$numbers" imported.car) <(ca-view -q -c "$numbers" generated.car)
  cmp <(ca-view -q -c label imported.car | sed 1d) <(ca-view -q -c click generated.car | sed 1d)
  # every field has as many rows without an id as there are missing or rare values, so never fewer than missing ones
  for c in C1 C4 C22; do
    (( $(ca-view -q -c $c imported.car | grep -cx 0) >= $(ca-view -q -c $c generated.car | grep -cx 0) ))
  done
}

@test "the options change the columns they say" {
  columns() { ca-gen -q --rows 5 "$@" | ca-view -q | head -n 1 | tr '\t' ' '; }
  run -0 columns --preset small
  [[ $output == "time click I1 I2 I3 I4 C1 C2 C3 C4 C5 C6 C7 C8" ]]
  run -0 columns --preset small --conversions --probability
  [[ $output == "time click conversion probability conversion_probability I1 "* ]]
  run -0 columns
  [[ $output == *" I13 C1 "*" C26" ]]
}

@test "histories and domains: threads and parts change nothing, lists are parallel and name their columns" {
  gen() { ca-gen -q --preset small --history 20 --domains 2 --seed 9 "$@"; }
  gen --no-provenance --rows 30k --threads 1 -o one.car
  gen --no-provenance --rows 30k --threads 4 | cmp one.car -
  cmp <(ca-view -q one.car) <(gen --rows 10001 --of 30k | ca-view -q; gen --rows 19999 --start 10001 --of 30k | ca-view -q | sed 1d)
  ca-check -q one.car
  ca-view -q one.car --stats | awk -F '\t' 'NR > 1 && $NF > 0 { exit 1 }'
  ca-view -q --header one.car > header
  grep -q '^item_his	sequence	u32	1	201	item$' header
  grep -q '^domain	domain	u32	0	3	$' header
  ca-view -q -c cate,cate_his one.car |
    awk -F '\t' 'NR > 1 { n = split($2, h, ","); for (k = 1; k <= n; k++) hit += h[k] == $1; all += n; if (n > 20) exit 1 }
                 END { exit !(hit / all > 0.1 && all / NR > 9.5 && all / NR < 10.5) }'
  run -2 ca-gen --history 101
  run -2 ca-gen --domains 0
  run -2 ca-gen --rows 10 --format tsv --history 3
  [[ $output == *--history* ]]
}

@test "the true probabilities are calibrated in every tenth, and rank as promised" {
  ca-gen -q --rows 40k --preset small --seed 3 --probability | ca-view -q -c click,probability | sed 1d | sort -k 2,2g > s
  awk '{ b = int((NR - 1) / 4000); y[b] += $1; p[b] += $2; v[b] += $2 * (1 - $2)
         if ($1 > 0.5) { pairs += below; pos++ } else below++ }
       END { for (b = 0; b < 10; b++) { d = y[b] - p[b]; if (d * d > 25 * v[b]) { print "tenth " b, y[b], p[b]; exit 1 } }
             auc = pairs / (pos * below); print auc; exit !(auc > 0.80 && auc < 0.84) }' s
}

@test "conversions happen only after clicks" {
  ca-gen -q --rows 20k --preset small --conversions | ca-view -q -c click,conversion | sed 1d > s
  awk '$2 > $1 { exit 1 } { c += $1; v += $2 } END { r = v / c; print r; exit !(r > 0.07 && r < 0.13) }' s
}

@test "a request shows its rows to one user at one time; the items differ" {
  ca-gen -q --rows 4800 --preset small --requests 16 --conversions --probability -o r.car
  ca-view -q -c time,request,I1,I2,C1,C6,C7,C8,I3,C2,C3,C5 r.car | awk 'NR > 1 {
    user = $1 " " $3 " " $4 " " $5 " " $6 " " $7 " " $8; item = $9 " " $10 " " $11 " " $12
    if ($2 != int((NR - 2) / 16)) { print "row " NR ": request " $2; exit 1 }
    if ($2 in is && is[$2] != user) { print "two users in request " $2; exit 1 }
    if (!($2 in is)) { n++; users[user] }
    is[$2] = user; if (!(($2, item) in seen)) items++; seen[$2, item] }
    END { for (u in users) distinct++; print n, distinct, items; exit !(n == 300 && distinct == 300 && items > 4700) }'
  # what was clicked has a higher conversion probability than what was not
  ca-view -q -c click,conversion_probability r.car | awk 'NR > 1 { s[$1] += $2; n[$1]++ }
    END { print s[1] / n[1], s[0] / n[0]; exit !(s[1] / n[1] > 1.1 * s[0] / n[0]) }'
  # parts and threads as ever
  { ca-gen -q --rows 2457 --of 4800 --preset small --requests 16 --conversions --probability --threads 3 | ca-view -q
    ca-gen -q --rows 2343 --start 2457 --of 4800 --preset small --requests 16 --conversions --probability | ca-view -q | sed 1d
  } | cmp - <(ca-view -q r.car)
  run -2 ca-gen --rows 10 --requests 12
  [[ $output == *"power of two"* ]]
  run -2 ca-gen --rows 10 --requests 512
  run -2 ca-gen --rows 10 --requests 4 --format tsv
  [[ $output == *--requests*tsv* ]]
}

@test "the true conversion probabilities are calibrated in every tenth of the clicked rows" {
  ca-gen -q --rows 80k --preset small --seed 3 --requests 16 --conversions --probability |
    ca-view -q -c click,conversion,conversion_probability | awk 'NR > 1 && $1 > 0.5 { print $2 "\t" $3 }' | sort -k 2,2g > s
  awk -v n="$(wc -l < s)" '{ b = int((NR - 1) * 10 / n); y[b] += $1; p[b] += $2; v[b] += $2 * (1 - $2) }
    END { for (b = 0; b < 10; b++) { d = y[b] - p[b]; if (d * d > 16 * v[b]) { print "tenth " b, y[b], p[b]; exit 1 } } }' s
}

@test "later ids are absent at the start, and without drift there are none" {
  late() {
    ca-gen -q --rows 40k --preset small --seed 4 --drift "$1" | ca-view -q -c C1 | sed 1d |
      awk 'NR <= 10000 { early[$1] = 1 } NR > 20000 { n[$1]++ }
           END { for (i in n) if (n[i] > 100 && !(i in early)) late++; print late + 0 }'
  }
  run -0 late 1
  (( output >= 3 ))
  run -0 late 0
  [[ $output == 0 ]]
}

@test "no rows are a sound empty stream" {
  run -0 ca-gen -q --rows 0 -o empty.car
  [[ $(ca-view -q empty.car | wc -l) == 1 ]]
  ca-check -q empty.car
}

@test "no input is read, and operands are refused" {
  run -0 ca-gen -q --rows 10 -o x.car < /dev/null
  run -2 --separate-stderr ca-gen file.car
  [[ $stderr == *"file.car"* ]]
}

@test "numbers out of range: exit 2, naming option and range" {
  run -2 ca-gen --vocab 10
  [[ $output == *--vocab*200* ]]
  run -2 ca-gen --drift -1
  run -2 ca-gen --drift nan
  run -2 ca-gen --rows 1.5k
  run -2 ca-gen --preset avazu
  [[ $output == *avazu*criteo* ]]
}

@test "a full device and an unwritable output: exit 4, and nothing is left" {
  run -4 bash -c "ca-gen -q --rows 1000 > /dev/full"
  run -4 bash -c "ca-gen -q --rows 1000 --format tsv > /dev/full"
  run -4 ca-gen -q --rows 10 -o no/such/dir.car
  [[ $output == *no/such/dir.car* ]]
}

@test "a reader that leaves ends it by SIGPIPE" {
  run -0 bash -c 'ca-gen -q --rows 1M | head -c 1 > /dev/null; echo "${PIPESTATUS[0]}"'
  [[ $output == 141 ]]
  run -0 bash -c 'ca-gen -q --rows 1M --format tsv | head -c 1 > /dev/null; echo "${PIPESTATUS[0]}"'
  [[ $output == 141 ]]
}

@test "a signal leaves no output" {
  ca-gen -q --rows 1G -o gone.car &
  pid=$!
  for _ in {1..100}; do compgen -G '.gone.car.tmp.*' > /dev/null && break; sleep 0.05; done
  compgen -G '.gone.car.tmp.*'
  kill -TERM $pid
  wait $pid || status=$?
  [[ $status == 143 && ! -e gone.car ]]
  run -1 compgen -G '.gone.car*'
}

@test "names with a space or a dash" {
  ca-gen -q --rows 10 --output="a name.car"
  ca-gen -q --rows 10 -o ./-n.car
  cmp "a name.car" ./-n.car
}

@test "memory does not grow with rows" {
  peak() { ca-gen --threads 1 --rows "$1" 2>&1 > /dev/null | grep -o '[0-9]* MB'; }
  run -0 peak 20k
  small=${output% MB}
  run -0 peak 1M
  (( ${output% MB} <= small + 4 ))
}

@test "the run is in the provenance" {
  ca-gen -q --rows 10 --seed 5 --preset small --drift 0.5 -o p.car
  run -0 ca-view -q -p p.car
  [[ $output == *ca-gen* && $output == *"--rows 10"* && $output == *"--drift 0.5"* && $output == *5* ]]
}
