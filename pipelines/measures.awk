# What every run measured with every seed: awk -v out=OUT -v total=FILE -f measures.awk RUNS.tsv
# Reads OUT/seed-K/RUN.eval.tsv and the .time file of each of the run's stages; a run's seconds (train_s of wall clock, core_s
# of processor time) and rows are the sums over its stages. cost_perf is equation 2 of CrossAdapt, the log loss on test above
# that of the same seed's teacher, nan for a teacher itself. FILE gets the sums over all stages, each counted once however many
# runs share it.
BEGIN { FS = OFS = "\t" }
function stop(what) {
  print "measures.awk: " what > "/dev/stderr"
  failed = 1
  exit 1
}
# the record of a table with a header and one line, into value[NAME]
function read(file,    line, names, cells, n, i) {
  if ((getline line < file) <= 0) stop(file " cannot be read")
  n = split(line, names, "\t")
  if ((getline line < file) <= 0 || split(line, cells, "\t") != n) stop(file " is not a table of one line")
  close(file)
  split("", value)
  for (i = 1; i <= n; i++) value[names[i]] = cells[i]
}
function read_stage(stage, seed) {
  if ((stage, seed) in rows) return
  read(out "/seed-" seed "/" stage ".time")
  total_s += seconds[stage, seed] = value["train_s"]
  total_core_s += core[stage, seed] = value["core_s"]
  total_rows += rows[stage, seed] = value["rows"]
  stages++
}
function read_loss(run, seed) {
  if ((run, seed) in logloss) return
  read(out "/seed-" seed "/" run ".eval.tsv")
  auc[run, seed] = value["auc"]
  logloss[run, seed] = value["logloss"]
}
NR == 1 { print "run", "seed", "auc_pct", "logloss", "train_s", "core_s", "rows", "cost_perf"; next }
{
  n = split($3, stage, " ")
  for (k = 0; k < $4; k++) {
    s = 0; c = 0; r = 0
    for (i = 1; i <= n; i++) {
      read_stage(stage[i], k)
      s += seconds[stage[i], k]
      c += core[stage[i], k]
      r += rows[stage[i], k]
    }
    read_loss($1, k)
    perf = "nan"
    if ($2 != "") {
      read_loss($2, k)
      perf = sprintf("%.17g", logloss[$1, k] - logloss[$2, k])
    }
    if (!(r > 0) && $1 !~ /projected[^\/]*$/) stop("no rows of " $1 " with seed " k)
    printf "%s\t%s\t%.17g\t%s\t%.6f\t%.3f\t%d\t%s\n", $1, k, 100 * auc[$1, k], logloss[$1, k], s, c, r, perf
    runs++
  }
}
END {
  if (failed) exit 1
  printf "runs\tstages\ttrain_s\tcore_s\trows\n%d\t%d\t%.3f\t%.3f\t%d\n", runs, stages, total_s, total_core_s, total_rows > total
}
