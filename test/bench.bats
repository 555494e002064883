# The bench at tiny scale: that it runs, that its page has everything, and that nothing has become half as fast beside
# its plain twin. Times are never asserted.
load setup

# at_least RATIO FLOOR
at_least() { awk -v ratio="$1" -v floor="$2" 'BEGIN { exit !(ratio >= floor) }'; }

@test "every architecture, every stage and every sweep is on the page, and no ratio to a plain twin has halved" {
  BENCH_SCALE=tiny BENCH_QUIET=1 "$TOP/test/bench/bench" "${CA_BENCH:-$TOP/build/bench}" out
  while IFS=$'\t' read -r name _; do
    for what in train infer; do
      grep -qE "^\| $name(:[^|]*)? \| $what \|( [0-9.]+( [kMG])? \|)" out/page.md || { echo "no $name, $what"; return 1; }
    done
  done < <(ca-train -q --list-archs | sed 1d)
  for section in 'The machine' Architectures Stages 'From records on disk to a model' 'Cost by rows' 'Cost by vocabulary' \
    'Cost by batch' 'Cost by width' 'Against plain twins'; do
    grep -qx "## $section" out/page.md || { echo "no section '$section'"; return 1; }
  done
  for stage in import split sample drift eval predict codec scan auc vocabulary gen; do
    grep -qE "^\| $stage \|" out/page.md || { echo "no stage $stage"; return 1; }
  done
  # every line of results has its sixteen columns, and a speed
  run -0 awk -F '\t' 'NF != 16 || (NR > 1 && !($8 > 0))' out/summary.tsv
  [[ -z $output ]]
  while IFS=$'\t' read -r name ratio; do
    got=$(awk -F '\t' -v name="$name" '$1 == "ratio" && $2 == name { print $8 }' out/summary.tsv)
    at_least "$got" "$(awk -v r="$ratio" 'BEGIN { print r / 2 }')" || { echo "$name: $got, was $ratio"; return 1; }
  done < <(sed 1d "$TOP/test/bench/ratios.tsv")
}

@test "medians and spread" {
  {
    echo header
    printf 'arch\ta:4\ttrain\t1\t-\t%d\t100\t0\t2000\t%s\t0.5\t2048\n' 1 1 2 4 3 2
    printf 'machine\tfma\tfloat32\t1\t-\t1\t0\t0\t1000000\t0.5\t0.5\t1024\n'
  } > raw.tsv
  run -0 awk -f "$TOP/test/bench/summary.awk" raw.tsv
  # rates 100, 25 and 50: the median is 50; 50 rows of 20 operations against 2 million a second
  [[ ${lines[1]} == $'arch\ta:4\ttrain\t1\t-\t3\trows\t50\t25\t100\t200\t0.0\t0.00\t0.001\t20000000.0\t2' ]]
  awk -f "$TOP/test/bench/summary.awk" raw.tsv | awk -f "$TOP/test/bench/page.awk" -v tiny=1 > page.md
  grep -qF '| a:4 | train | 50 [25 to 100] |' page.md
}

@test "the peer computes, in every setting" {
  run -0 --separate-stderr env BENCH_PYTHON=/usr/bin/python3 "$TOP/test/bench/peer" tiny fibinet train 1
  (( ${#lines[@]} == 3 ))
  for i in 0 1 2; do
    awk -F '\t' 'NF != 12 || !($7 > 0 && $10 > 0) { exit 1 }' <<< "${lines[i]}"
  done
  [[ ${lines[0]} == $'peer\tfibinet\ttrain\t1\tdefault\t'* && ${lines[2]} == $'peer\tfibinet\ttrain\t1\trewritten\t'* ]]
}
