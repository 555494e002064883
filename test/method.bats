# The claim itself, on generated data: five seeds of the quickstart through pipelines/switch.mk, without the methods that
# the claim is not about. About a minute of processor time.
load setup

@test "crossadapt-sample beats scratch and scratch-online in mean AUC by more than two standard errors, on fewer rows" {
  env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$TOP" -f pipelines/quickstart.mk OUT="$PWD/switch" SEEDS=5 \
    METHODS='scratch scratch-online crossadapt-sample' > shown 2> said || { cat said; return 1; }
  [[ $(cut -f 1 switch/results.tsv | xargs) == "method teacher scratch scratch-online crossadapt-sample" ]]
  # a tenth of 160,000 rows in each of two phases, 40,000 online, 25 replayed in each of 157 steps
  run -0 "${PYTHON:-/usr/bin/python3}" "$TOP/test/oracle/method.py" switch 5 75925
  echo "$output"
  # the judge can say no: to another count of rows, and to a method that does as well as ours
  run -1 "${PYTHON:-/usr/bin/python3}" "$TOP/test/oracle/method.py" switch 5 75924
  for seed in switch/seed-?; do cp "$seed/crossadapt-sample.eval.tsv" "$seed/scratch.eval.tsv"; done
  run -1 "${PYTHON:-/usr/bin/python3}" "$TOP/test/oracle/method.py" switch 5 75925
}
