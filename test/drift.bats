# ca-drift
load setup

setup_suite_data() {
  local data=$BATS_FILE_TMPDIR/data
  if [[ ! -d $data ]]; then
    mkdir "$data"
    ca-gen -q --rows 9001 --preset small --seed 5 --drift 1 -o "$data/in.car"
  fi
  IN=$data/in.car
}

# Everything anew from the text of the rows: windows, bins, distances, means, eq 14.
by_hand() {
  cat > by_hand.py << 'PYTHON'
import sys, numpy as np
windows, bins, low, high, k = int(sys.argv[1]), int(sys.argv[2]), 0.01, 0.05, 0.1
names = sys.stdin.readline().rstrip('\n').split('\t')
data = np.array([[float(x) for x in line.split('\t')] for line in sys.stdin])
cuts = [len(data) * i // windows for i in range(windows + 1)]
def kl(p, q):
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.where(p > 0, p * np.log(p / q), 0.0).sum()
total = []
print('feature\trole\tjs\tkl\twasserstein')
for j, name in enumerate(names):
    if name[0] not in 'IC':
        continue
    x = data[:, j]
    if name[0] == 'I':
        at = np.minimum(((x - x.min()) / (x.max() - x.min()) * bins).astype(int), bins - 1)
        size = bins
    else:
        at = x.astype(int)
        size = at.max() + 1
    count = [np.bincount(at[cuts[i]:cuts[i + 1]], minlength=size) for i in range(windows)]
    d = []
    for a, b in zip(count, count[1:]):
        p, q = a / a.sum(), b / b.sum()
        m = (p + q) / 2
        on = (a + b) > 0
        ps, qs = p[on] + 1e-10, q[on] + 1e-10
        w = np.abs(np.cumsum(p - q))[:-1].sum() / bins if name[0] == 'I' else np.abs(p - q).sum() / 2
        d.append((0.5 * kl(p, m) + 0.5 * kl(q, m), kl(ps / ps.sum(), qs / qs.sum()), w))
    mean = np.mean(d, axis=0)
    total.append(mean)
    print(name, 'numeric' if name[0] == 'I' else 'categorical', *mean, sep='\t')
delta = np.mean(total, axis=0)
print('overall\toverall', *delta, sep='\t')
print('replay_ratio\tratio', *[0 if x > high else k * (1 - x / high) if x > low else k for x in delta], sep='\t')
PYTHON
  ca-view -q "$1" | /usr/bin/python3 by_hand.py "$2" "$3"
}

# same A B: equal text, numbers within 1e-9
same() {
  paste "$1" "$2" | awk -F '\t' '{
    if (NF != 10) { print "columns differ: " $0; exit 1 }
    for (i = 1; i <= 5; i++) {
      if (FNR == 1 || i < 3) { if ($i != $(i + 5)) { print "line " FNR ": " $i " and " $(i + 5); exit 1 } continue }
      d = $i - $(i + 5)
      if (d > 1e-9 || d < -1e-9) { print "line " FNR " column " i ": " $i " and " $(i + 5); exit 1 } } }'
}

@test "every number is that of a computation by hand" {
  for shape in '10 50' '3 7' '40 200'; do
    read -r windows bins <<< "$shape"
    by_hand "$IN" "$windows" "$bins" > want
    [[ $(wc -l < want) == 15 ]]
    run -0 ca-drift -q --metric all -w "$windows" -b "$bins" "$IN" -o got
    same got want
  done
}

@test "one metric, in text and as JSON, says what all say" {
  ca-drift -q -m all "$IN" > all
  ca-drift -q "$IN" | cmp - <(cut -f 1-3 all)
  ca-drift -q -m kl "$IN" | cmp - <(cut -f 1,2,4 all)
  ca-drift -q -m wasserstein "$IN" | cmp - <(cut -f 1,2,5 all)
  ca-drift -q -m all --format json "$IN" > all.json
  /usr/bin/python3 -c '
import json
print("feature\trole\tjs\tkl\twasserstein")
for line in open("all.json"):
    r = json.loads(line)
    print(r["feature"], r["role"], *["%.17g" % r[k] for k in ("js", "kl", "wasserstein")], sep="\t")' | cmp - all
}

@test "a drifting stream shifts more than a stationary one" {
  for strength in 0 1 4; do
    ca-gen -q --rows 20k --preset small --seed 3 --drift $strength | ca-drift -q -w 5 -m all |
      awk '$1 == "overall"' > overall.$strength
  done
  paste overall.0 overall.1 overall.4 | tee /dev/stderr |
    awk '{ exit !($3 < $8 && $8 < $13 && $4 < $9 && $9 < $14 && $5 < $10 && $10 < $15) }'
}

@test "the replay ratio alone, and equation 14 around its thresholds" {
  shift=$(ca-drift -q "$IN" | awk '$1 == "overall" { print $3 }')
  run -0 --separate-stderr ca-drift -q --ratio-only "$IN"
  awk -v s="$shift" -v r="$output" 'BEGIN { want = s > 0.05 ? 0 : s > 0.01 ? 0.1 * (1 - s / 0.05) : 0.1; d = r - want
    exit !(d < 1e-8 && d > -1e-8) }'
  [[ $(ca-drift -q --ratio-only --low "$shift" --high 1 -k 0.25 "$IN") == 0.25 ]]
  [[ $(ca-drift -q --ratio-only --low 0 --high 1e-9 "$IN") == 0 ]]
  run -0 ca-drift -q --ratio-only --low 0 --high "$(awk -v s="$shift" 'BEGIN { printf "%.17g", 2 * s }')" "$IN"
  [[ $output == 0.05 ]]
}

@test "a pipe, other blocks, compression and threads give the same bytes" {
  ca-drift -q -m all --histograms want.hist "$IN" > want
  cat "$IN" | ca-drift -q -m all | cmp - want
  ca-drift -q -m all - < "$IN" | cmp - want
  ca-cat -q --block-rows 77 -z 1 "$IN" -o z.car
  ca-drift -q -m all --threads 1 --histograms z.hist z.car | cmp - want
  ca-drift -q -m all --threads 4 z.car | cmp - want
  cmp want.hist z.hist
}

@test "histograms of parts add up to those of the whole" {
  cuts=1500,4000,7000
  ca-drift -q --boundaries $cuts --histograms whole.hist -m all "$IN" > whole
  first=0
  for last in 1000 5000 9001; do
    ca-gen -q --preset small --seed 5 --drift 1 --start $first --rows $((last - first)) --of 9001 -o part.car
    run -0 ca-drift -q --boundaries $cuts --first-row $first --edges whole.hist --no-report --histograms $last.hist part.car
    [[ -z $output ]]
    first=$last
  done
  run -0 ca-drift -q --merge 9001.hist 1000.hist 5000.hist --histograms sum.hist -m all -o sum
  cmp sum whole
  cmp sum.hist whole.hist
}

@test "windows by time, where the rows have one" {
  # the stream's time never decreases: cut where a tenth of the rows ends
  mid=$(ca-view -q -c time -r 4000:4001 "$IN" | tail -n 1)
  ca-drift -q --by time --boundaries "$mid" "$IN" > by_time
  ca-drift -q --boundaries 4000 "$IN" | cmp - by_time
}

@test "a stream against a reference" {
  ca-drift -q --histograms own.hist "$IN" -o report
  run -0 ca-drift -q --reference own.hist -m all "$IN"
  [[ $output == *"overall	overall	0	0	0"* ]]
  ca-gen -q --rows 3k --preset small --seed 5 --drift 9 -o far.car
  ca-gen -q --rows 3k --preset small --seed 5 --drift 1 -o near.car
  near=$(ca-drift -q --reference own.hist near.car | awk '$1 == "overall" { print $3 }')
  far=$(cat far.car | ca-drift -q --reference own.hist 2> said | awk '$1 == "overall" { print $3 }')
  awk -v n="$near" -v f="$far" 'BEGIN { print n, f; exit !(n > 0 && f > n) }'
  # a saved day is measured like the day itself
  ca-drift -q --boundaries 1000 --edges own.hist --histograms near.hist near.car -o report
  ca-drift -q --merge near.hist --reference own.hist | awk -v n="$near" '$1 == "overall" { exit $3 != n }'
}

@test "histograms that do not fit are refused: exit 3, with the cure" {
  ca-drift -q --boundaries 4000 --histograms a.hist "$IN" -o report
  ca-drift -q --boundaries 5000 --histograms b.hist "$IN" -o report
  run -3 --separate-stderr ca-drift --merge a.hist b.hist
  [[ $stderr == *b.hist* && $stderr == *--boundaries* ]]
  ca-gen -q --rows 9k --preset small --seed 6 | ca-drift -q --boundaries 4000 --histograms c.hist -o report
  run -3 --separate-stderr ca-drift --merge a.hist c.hist
  [[ $stderr == *c.hist* && $stderr == *--edges* ]]
  ca-gen -q --rows 100 -o wide.car
  run -3 --separate-stderr ca-drift --reference a.hist wide.car
  run -3 --separate-stderr ca-drift --reference "$IN" "$IN"
  head -c 5000 a.hist > half.hist
  run -3 --separate-stderr ca-drift --merge half.hist
  [[ $stderr == *half.hist* ]]
}

@test "bad input: nothing, half a stream, too few rows, an empty window: exit 3" {
  run -3 --separate-stderr ca-drift /dev/null
  head -c 100000 "$IN" > half.car
  run -3 --separate-stderr ca-drift half.car
  run -3 --separate-stderr bash -c "cat half.car | ca-drift"
  [[ -z $output ]]
  ca-gen -q --rows 9 -o few.car
  run -3 --separate-stderr ca-drift few.car
  [[ $stderr == *"9 rows"*"10 windows"* ]]
  run -3 --separate-stderr ca-drift --boundaries 5,20 few.car
  [[ $stderr == *"window 3 has no rows"* ]]
  run -4 --separate-stderr ca-drift no-such.car
}

@test "options that make no sense together: exit 2" {
  run -2 --separate-stderr ca-drift --no-such
  run -2 --separate-stderr ca-drift -w 1 "$IN"
  run -2 --separate-stderr ca-drift --boundaries 5,5 "$IN"
  run -2 --separate-stderr ca-drift --boundaries 5, "$IN"
  run -2 --separate-stderr ca-drift --boundaries 5 -w 3 "$IN"
  run -2 --separate-stderr ca-drift --low 0.1 "$IN"
  run -2 --separate-stderr ca-drift --by time "$IN"
  run -2 --separate-stderr ca-drift --no-report "$IN"
  run -2 --separate-stderr ca-drift --merge
  run -2 --separate-stderr ca-drift "$IN" "$IN"
}

@test "output that cannot be written: exit 4" {
  run -4 --separate-stderr bash -c "ca-drift '$IN' > /dev/full"
  run -4 --separate-stderr ca-drift "$IN" -o no/such/dir.tsv
  run -4 --separate-stderr ca-drift "$IN" --histograms no/such/dir.hist
}

@test "names with a space, and with a dash in front" {
  cp "$IN" 'a b.car'
  cp "$IN" ./-w.car
  ca-drift -q 'a b.car' -o '-o p.tsv'
  ca-drift -q -- -w.car | cmp - ./'-o p.tsv'
}

@test "--help and --version" {
  run -0 --separate-stderr ca-drift --help
  [[ $output == *wasserstein* && -z $stderr ]]
  run -0 --separate-stderr ca-drift --version
  [[ $output == ca-drift\ * && -z $stderr ]]
}
