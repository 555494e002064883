# Convergence curves: awk -v out=OUT -v seeds='0' -f curves.awk RUNS.tsv ROWS.tsv
# Reads OUT/seed-K/STAGE.curve.tsv of every stage of the runs in ROWS.tsv that was evaluated on the way. Seconds and rows go
# on from stage to stage: those of the stages before are taken from their .time files. Seconds are core seconds of training,
# evaluations left out: those that the stage took without them, shared out as the clock of its curve ran. Rows count replayed ones. A line is the mean over the seeds.
BEGIN { FS = OFS = "\t" }
function stop(what) { print "curves.awk: " what > "/dev/stderr"; failed = 1; exit 1 }
function took(stage, seed,    file, line, cells) {
  file = out "/seed-" seed "/" stage ".time"
  if ((getline line < file) <= 0 || (getline line < file) <= 0) stop(file " cannot be read")
  close(file)
  split(line, cells, "\t")
  stage_s = cells[3]
  stage_rows = cells[2]
}
function curve(stage, seed, method,    file, line, cells, at, i, n, steps, rows, loss, auc, s, replayed) {
  file = out "/seed-" seed "/" stage ".curve.tsv"
  if ((getline line < file) <= 0) return 0
  n = split(line, cells, "\t")
  for (i = 1; i <= n; i++) at[cells[i]] = i
  auc = "valid_auc" in at ? at["valid_auc"] : at["auc"]
  loss = "valid_logloss" in at ? at["valid_logloss"] : at["logloss"]
  n = 0
  while ((getline line < file) > 0) {
    split(line, cells, "\t")
    if (cells[auc] == "") continue
    n++
    steps[n] = cells[at["step"]]; rows[n] = cells[at["rows"]]; s[n] = cells[at["train_s"]]
    aucs[n] = cells[auc]; losses[n] = cells[loss]
  }
  close(file)
  if (!n) stop(file " has no evaluation")
  replayed = (stage_rows - rows[n]) / steps[n]
  for (i = 1; i <= n; i++) {
    point = method OFS before_rows + rows[i] + replayed * steps[i]
    if (!(point in count)) order[++n_points] = point
    count[point]++
    seconds[point] += before_s + stage_s * s[i] / s[n]
    sum_auc[point] += 100 * aucs[i]
    sum_loss[point] += losses[i]
  }
  return 1
}
FNR == 1 { file++; next }
file == 1 { stages[$1] = $3; next }
$3 != "-" {
  n = split(stages[$3], stage, " ")
  n_seeds = split(seeds, seed, " ")
  for (k = 1; k <= n_seeds; k++) {
    before_s = 0; before_rows = 0
    for (i = 1; i <= n; i++) {
      took(stage[i], seed[k])
      if (!curve(stage[i], seed[k], $2) && stage[i] !~ /projected/) stop("no curve of " stage[i])
      before_s += stage_s
      before_rows += stage_rows
    }
  }
}
END {
  if (failed) exit 1
  print "method", "rows", "seconds", "auc", "logloss"
  for (i = 1; i <= n_points; i++) {
    p = order[i]
    split(p, part, OFS)
    # gnuplot draws a line for each block
    if (part[1] != last && last != "") print "\n"
    last = part[1]
    printf "%s\t%d\t%.6f\t%.9g\t%.9g\n", part[1], part[2], seconds[p] / count[p], sum_auc[p] / count[p], sum_loss[p] / count[p]
  }
}
