# ca-sample
load setup

setup_suite_data() {
  local data=$BATS_FILE_TMPDIR/data
  if [[ ! -d $data ]]; then
    mkdir "$data"
    ca-gen -q --rows 20k --preset small --seed 5 -o "$data/in.car"
    # the same rows with their own number, in a column that sampling carries along
    number "$data/in.car" > "$data/rows"
  fi
  IN=$data/in.car ROWS=$data/rows
}

# number FILE: its rows as text, each behind its number from 0
number() { ca-view -q "$1" | awk 'NR > 1 { print NR - 2 "\t" $0 }'; }

# rows FILE: its rows as text without header and weight, which is last
rows() { ca-view -q "$1" | awk -F '\t' -v OFS='\t' 'NR > 1 { NF--; print }'; }

@test "balanced: each chunk gives its share of positives, drawn from that chunk" {
  run -0 ca-sample -q --chunk 1000 -r 0.1 -p 0.3 "$IN" -o out.car
  rows out.car > drawn
  [[ $(wc -l < drawn) == 2000 ]]
  # the rows of this stream are all different, so each drawn one names its place
  [[ $(cut -f 2- "$ROWS" | sort -u | wc -l) == 20000 ]]
  awk -F '\t' -v OFS='\t' '
    FNR == NR { n = $1; sub(/^[0-9]+\t/, ""); at[$0] = n; next }
    { if (int(at[$0] / 1000) != int((FNR - 1) / 100)) { print "row " FNR " is from elsewhere"; exit 1 }
      pos[int((FNR - 1) / 100)] += $2 > 0.5 }
    END { for (c = 0; c < 20; c++) if (pos[c] != 30) { print "chunk " c ": " pos[c]; exit 1 } }' "$ROWS" drawn
}

@test "weights undo the balance: the weighted positive rate is the source's" {
  for method in random balanced temporal combined; do
    ca-sample -q -m $method --chunk 2000 -r 0.5 "$IN" | ca-view -q > out.tsv
    awk -F '\t' -v method=$method '
      NR == FNR { y += $3 > 0.5; n++; next }
      FNR == 1 { if ($NF != "weight") exit 1; next }
      { w += $NF; wy += $NF * ($2 > 0.5); m++ }
      END {
        # exact up to rounding for balanced; the others leave the rate or the sum to chance
        rate = method == "balanced" ? 1e-5 : 0.02
        sum = method == "balanced" || method == "random" ? 1e-5 : 0.05
        d = wy / w - y / n; s = w / m - 1
        print method, wy / w, y / n, s
        exit !(d < rate && d > -rate && s < sum && s > -sum) }' "$ROWS" out.tsv
  done
}

@test "a weight column that is there is multiplied; --no-weight adds none" {
  ca-sample -q -m random -r 0.5 "$IN" -o once.car
  run -0 ca-sample -q --chunk 500 -r 0.5 -p 0.5 once.car -o twice.car
  [[ $(ca-view -q twice.car | head -n 1 | tr '\t' '\n' | grep -c weight) == 1 ]]
  ca-view -q twice.car | awk -F '\t' 'NR > 1 { w += $NF; wy += $NF * ($2 > 0.5) } END { print wy / w }' > after
  ca-view -q once.car | awk -F '\t' 'NR > 1 { y += $2 > 0.5; n++ } END { print y / n }' > before
  paste before after | awk '{ d = $1 - $2; exit !(d * d < 1e-10) }'
  run -0 ca-sample -q --no-weight "$IN" -o plain.car
  diff <(ca-view -q -H plain.car) <(ca-view -q -H "$IN")
}

@test "neither blocks, threads nor pipes change what is drawn; seed and phase do" {
  ca-sample -q --threads 1 "$IN" | ca-view -q > want
  ca-cat -q --block-rows 100 "$IN" | ca-sample -q --threads 4 --block-rows 7 -z 1 | ca-view -q | cmp - want
  for other in '--phase 2' '--seed 9'; do
    # shellcheck disable=SC2086
    run -1 cmp <(ca-sample -q $other "$IN" | ca-view -q) want
  done
  ca-sample -q --phase 2 --seed 9 "$IN" -o a.car
  ca-sample -q --phase 2 --seed 9 - < "$IN" > b.car
  cmp a.car b.car
}

@test "recent, recent-as-coded and all: stretches of the stream, from a file and from a pipe" {
  ca-view -q "$IN" > all
  for from in file pipe; do
    input() { if [[ $from == file ]]; then ca-sample -q "$@" "$IN"; else cat "$IN" | ca-sample -q "$@"; fi; }
    input -m recent -r 0.015 --no-weight | ca-view -q | cmp - <(head -n 1 all; tail -n 300 all)
    input -m recent-as-coded -r 0.015 --no-weight | ca-view -q | cmp - <(head -n 301 all)
    input -m all --no-weight | ca-view -q | cmp - all
  done
  run -0 ca-sample -q -m all "$IN" -o all.car
  [[ $(ca-view -q all.car | awk -F '\t' 'NR > 1 && $NF != 1' | wc -l) == 0 ]]
}

@test "shuffle: every row once, in another order; within chunks when told so" {
  ca-sample -q -m shuffle --no-weight "$IN" -o s.car
  number s.car | cut -f 2- > shuffled
  cut -f 2- "$ROWS" > ordered
  cmp <(sort shuffled) <(sort ordered)
  # how far rows moved on average: a third of the stream for a random order
  awk -F '\t' 'FNR == NR { n = $1; sub(/^[0-9]+\t/, ""); at[$0] = n; next }
    { d = at[$0] - FNR + 1; m += d < 0 ? -d : d }
    END { m /= 20000; print m; exit !(m > 6500 && m < 6830) }' "$ROWS" shuffled
  cat "$IN" | ca-sample -q -m shuffle --no-weight --threads 2 | cmp <(ca-view -q) <(ca-view -q s.car)

  ca-sample -q -m shuffle --chunk 100 --no-weight "$IN" -o c.car
  number c.car | awk '{ sub(/^[0-9]+\t/, ""); print int((NR - 1) / 100) "\t" $0 }' | sort > got
  awk '{ n = $1; sub(/^[0-9]+\t/, ""); print int(n / 100) "\t" $0 }' "$ROWS" | sort | cmp - got
  run -1 cmp c.car "$IN"
}

@test "a chunk without positives is drawn from uniformly, and said so once" {
  run -0 --separate-stderr bash -c "ca-sample --chunk 3 -r 1 '$IN' | ca-view -q -c click | wc -l"
  [[ $output == 20001 && $stderr == *"of 6667 chunks lack positives or negatives"* ]]
  [[ $(grep -c lack <<< "$stderr") == 1 ]]
}

@test "the sample says what it was made from, and is sound" {
  ca-sample -q --phase 1 "$IN" -o out.car
  run -0 ca-check out.car
  ca-view -q -p out.car | grep -q -- '--phase 1'
  ca-view -q -t out.car | grep -q "$(ca-view -q -t "$IN" | grep -o '[0-9a-f]\{32\}' | head -n 1)"
}

exposures() { ca-gen -q --rows 20k --preset small --seed 5 --requests 16 --conversions -o x.car; }

@test "another label: the old one becomes a task, nothing else changes" {
  exposures
  ca-sample -q -m all --label conversion --no-weight x.car -o y.car
  cmp <(ca-view -q x.car) <(ca-view -q y.car)
  [[ $(ca-view -q --header x.car | grep -cP '^(click\t.*label|conversion\t.*task)|label.*click|task.*conversion') == 2 ]]
  [[ $(ca-view -q --header y.car | grep -cP 'conversion.*\blabel\b|click.*\btask\b') == 2 ]]
  # back again: the stream that it was
  ca-sample -q -m all --label click --no-weight y.car | ca-view -q --header | cmp - <(ca-view -q --header x.car)
  # and it is what classes are balanced by
  ca-sample -q --label conversion --chunk 1000 -r 0.1 -p 0.3 x.car | ca-view -q -c conversion |
    awk 'NR > 1 { n++; y += $1 } END { exit !(n == 2000 && y == 600) }'
  for m in shuffle recent; do
    run -0 bash -c "ca-sample -q -m $m --label conversion x.car | ca-view -q --header | grep -c 'conversion.*label'"
  done
  run -3 --separate-stderr ca-sample --label I1 x.car -o z.car
  [[ $stderr == *"'I1' cannot be the label"*numeric* && ! -e z.car ]]
  run -3 ca-sample --label nothing x.car -o z.car
  run -3 ca-sample --label request x.car -o z.car
}

@test "clicked rows: all of them in order, or a sample of them alone" {
  exposures
  ca-view -q x.car > all
  ca-sample -q -m all --click click --no-weight x.car | ca-view -q | cmp - <(awk -F '\t' 'NR == 1 || $3 == 1' all)
  ca-sample -q --click click --label conversion --chunk 1000 -r 0.2 -p 0.4 --no-weight x.car | ca-view -q > drawn
  awk -F '\t' 'NR == FNR { if (FNR > 1) { c = int((FNR - 2) / 1000); n[c] += $3; at[$0] = c } next }
    FNR == 1 { for (c = 0; c < 20; c++) { k += int(n[c] * 0.2); y += int(n[c] * 0.2 * 0.4) } next }
    { if ($3 != 1 || !($0 in at)) exit bad = 1; rows++; conversions += $4 }
    END { print rows, k, conversions, y; exit bad || rows != k || conversions != y }' all drawn
}

@test "unclicked rows: as many as were asked for, uniform, weighted, where they stood or mixed" {
  exposures
  ca-view -q x.car > all
  clicks=$(awk -F '\t' 'NR > 1 { n += $3 } END { print n }' all)
  ca-sample -q -m all --click click --unclicked 0.7 x.car -o u.car
  ca-view -q u.car > drawn
  # the clicked ones are all there in order, and all stand in the order of their requests
  cmp <(awk -F '\t' -v OFS='\t' 'NR > 1 && $3 == 1 { NF--; print }' drawn) <(awk -F '\t' 'NR > 1 && $3 == 1' all)
  awk -F '\t' -v clicks="$clicks" 'NR > 1 { if ($2 < last) exit bad = 1; last = $2; n[$3]++; w[$3] += $NF }
    END { print n[0], n[1], w[0], w[1]; d = w[0] / (20000 - clicks) - 1
      exit bad || n[1] != clicks || n[0] != int(0.7 * clicks) || w[1] != clicks || d > 0.01 || d < -0.01 }' drawn
  # uniform: over a thousand requests, early and late alike
  awk -F '\t' 'NR > 1 && $3 == 0 { n++; early += $2 < 625 } END { d = early - n / 2; print n, early; exit !(d * d < 9 * n / 4) }' drawn
  # a balanced sample: mixed, so that every stretch has its share
  ca-sample -q --click click --label conversion --chunk 4000 -r 0.5 --unclicked 2 x.car | ca-view -q > mixed
  awk -F '\t' 'NR > 1 { n[$3]++; if (NR <= 700) first[$3]++; w[$3] += $NF }
    END { print n[0], n[1], first[0], w[0], w[1]; d = w[0] / w[1] - 3; exit !(n[0] == 2 * n[1] && first[0] > 400 && first[0] < 540 && d < 0.4 && d > -0.4) }' mixed
}

@test "clicks: neither blocks, threads nor pipes change what is drawn; seed, phase and ratio do; the clicked ones stay" {
  exposures
  args=(--click click --label conversion --chunk 3000 -r 0.3 --unclicked 1.5)
  ca-sample -q -j 1 "${args[@]}" x.car | ca-view -q > want
  ca-cat -q --block-rows 100 x.car | ca-sample -q -j 4 --block-rows 7 -z 1 "${args[@]}" | ca-view -q | cmp - want
  for other in '--phase 2' '--seed 9'; do
    # shellcheck disable=SC2086
    run -1 cmp -s <(ca-sample -q $other "${args[@]}" x.car | ca-view -q) want
  done
  cmp <(awk -F '\t' 'NR > 1 && $3' want | sort) <(ca-sample -q --click click --label conversion --chunk 3000 -r 0.3 x.car | ca-view -q | sed 1d | sort)
}

@test "clicks: chunks without unclicked rows, none at all, and what does not go together" {
  exposures
  ca-sample -q -m all --click click --no-weight x.car -o clicked.car
  run -0 --separate-stderr ca-sample -m all --click click --unclicked 1 clicked.car -o z.car
  [[ $stderr == *" rows with --click 0 are missing"* ]]
  ca-cat -q --limit 0 x.car | ca-sample -q --click click --unclicked 1 | ca-view -q | wc -l > n
  [[ $(< n) == 1 ]]
  # what one chunk owes the next pays
  ca-cat -q <(ca-cat -q --drop request clicked.car --limit 500) <(ca-cat -q --drop request x.car) -o late.car
  ca-sample -q -m all --click click --unclicked 1 --chunk 250 late.car | ca-view -q -c click |
    awk 'NR > 1 { n[$1]++ } END { print n[0], n[1]; exit n[0] != n[1] }'
  run -2 ca-sample --unclicked 1 x.car
  run -2 ca-sample --click click -m shuffle x.car
  run -2 ca-sample --click click -m recent x.car
  run -3 --separate-stderr ca-sample --click nothing x.car -o z2.car
  [[ $stderr == *nothing* && ! -e z2.car ]]
  run -3 ca-sample --click C1 x.car -o z2.car
}

@test "an empty stream gives an empty sample" {
  ca-gen -q --rows 1 --preset small | ca-sample -q | ca-sample -q -o none.car
  for m in random balanced temporal combined recent recent-as-coded all shuffle; do
    run -0 bash -c "ca-sample -q -m $m none.car | ca-view -q | wc -l"
    [[ $output == 1 ]]
  done
}

@test "bad input: nothing, half a stream, no label: exit 3 and no output" {
  run -3 --separate-stderr ca-sample /dev/null -o out.car
  head -c 100000 "$IN" > half.car
  for m in balanced recent shuffle; do
    run -3 --separate-stderr ca-sample -m $m half.car -o out.car
    [[ $stderr == *half.car* ]]
    run -3 --separate-stderr bash -c "cat half.car | ca-sample -m $m -o out.car"
  done
  [[ ! -e out.car ]]
  run -4 --separate-stderr ca-sample no-such.car
  [[ $stderr == *"'no-such.car'"* ]]
}

@test "bad options: exit 2" {
  run -2 --separate-stderr ca-sample --no-such
  run -2 --separate-stderr ca-sample -m weighted "$IN"
  run -2 --separate-stderr ca-sample -r 0 "$IN"
  run -2 --separate-stderr ca-sample -r 1.5 "$IN"
  run -2 --separate-stderr ca-sample -r 1e-7 "$IN"
  [[ $stderr == *chunk* ]]
  run -2 --separate-stderr ca-sample "$IN" "$IN"
}

@test "output that cannot be written: exit 4; a reader that goes away: 141" {
  run -4 --separate-stderr bash -c "ca-sample '$IN' > /dev/full"
  run -4 --separate-stderr ca-sample "$IN" -o no/such/dir.car
  run -0 bash -c "ca-sample -q -m all '$IN' | head -c 1 > /dev/null; echo \${PIPESTATUS[0]}"
  [[ $output == 141 ]]
}

@test "names with a space, and with a dash in front" {
  cp "$IN" 'a b.car'
  cp "$IN" ./-r.car
  run -0 ca-sample -q -o '-o p.car' -- 'a b.car'
  run -0 ca-sample -q -o want.car -- -r.car
  cmp -- '-o p.car' want.car
}

@test "--help and --version" {
  run -0 --separate-stderr ca-sample --help
  [[ $output == *recent-as-coded* && -z $stderr ]]
  run -0 --separate-stderr ca-sample --version
  [[ $output == ca-sample\ * && -z $stderr ]]
}
