# The table of an experiment: awk -v methods='A B' -f table.awk OUT/seed-K/METHOD.eval.tsv... OUT/seed-K/STAGE.time...
# A stage belongs to the method whose name it is, up to the first point. Means and sample standard deviations
# (n - 1; nan for one seed) over the seeds. The cost of the switch is that of CrossAdapt, equations 1 and 2:
# computation C_iter * N, time per trained row times rows, and performance, the logloss on test above that of the
# teacher of the same seed. The teacher itself is no switch and has no cost.
BEGIN { FS = OFS = "\t" }
FNR == 1 {
  split("", column)
  for (i = 1; i <= NF; i++) column[$i] = i
  n_parts = split(FILENAME, part, "/")
  seed = part[n_parts - 1]
  method = part[n_parts]
  sub(/\..*/, "", method)
  timing = FILENAME ~ /\.time$/
  if (!(seed in seen)) { seen[seed] = ++n_seeds; name[n_seeds] = seed }
  next
}
timing {
  train_s[method, seed] += $column["train_s"]
  rows[method, seed] += $column["rows"]
}
!timing {
  auc_pct[method, seed] = 100 * $column["auc"]
  logloss[method, seed] = $column["logloss"]
  found[method, seed] = 1
}
# mean of a measure over the seeds; leaves the standard deviation in sd
function mean(value, m,    k, sum, squares, centre) {
  for (k = 1; k <= n_seeds; k++) sum += value[m, name[k]]
  centre = sum / n_seeds
  for (k = 1; k <= n_seeds; k++) squares += (value[m, name[k]] - centre) ^ 2
  sd = n_seeds > 1 ? sprintf("%.9g", sqrt(squares / (n_seeds - 1))) : "nan"
  return sprintf("%.9g", centre)
}
END {
  print "method", "seeds", "auc_pct", "auc_pct_sd", "logloss", "logloss_sd", "train_s", "train_s_sd", "rows",
    "cost_iter_s", "cost_comp_s", "cost_perf", "cost_perf_sd"
  n_methods = split(methods, list, " ")
  for (i = 1; i <= n_methods; i++) {
    m = list[i]
    for (k = 1; k <= n_seeds; k++) {
      s = name[k]
      if (!((m, s) in found) || !(rows[m, s] > 0)) {
        printf "table.awk: no result or no rows of %s in %s\n", m, s > "/dev/stderr"
        failed = 1
        exit 1
      }
      cost_iter[m, s] = train_s[m, s] / rows[m, s]
      cost_perf[m, s] = logloss[m, s] - logloss["teacher", s]
    }
    line = m OFS n_seeds
    line = line OFS mean(auc_pct, m); line = line OFS sd
    line = line OFS mean(logloss, m); line = line OFS sd
    comp = mean(train_s, m)
    line = line OFS comp; line = line OFS sd
    line = line OFS mean(rows, m)
    iter = mean(cost_iter, m)
    if (m == "teacher") { iter = comp = "nan"; line = line OFS iter OFS comp OFS "nan" OFS "nan" }
    else { line = line OFS iter OFS comp OFS mean(cost_perf, m); line = line OFS sd }
    print line
  }
}
