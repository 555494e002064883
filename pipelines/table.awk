# The table of an experiment: awk -v methods='A B' -f table.awk MEASURES.tsv
# Means and sample standard deviations (n - 1; nan for one seed) over the seeds. The cost of the switch is that of
# CrossAdapt, equations 1 and 2: computation C_iter * N, time per trained row times rows, and performance, the logloss
# on test above that of the teacher of the same seed. The teacher itself is no switch and has no cost.
BEGIN { FS = OFS = "\t" }
NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
{
  m = $column["run"]
  k = ++seeds[m]
  for (c in column) value[c, m, k] = $column[c]
  if ($column["rows"] > 0) value["cost_iter_s", m, k] = $column["train_s"] / $column["rows"]
}
# mean of a measure over the seeds; leaves the standard deviation in sd
function mean(name, m,    k, sum, squares, centre) {
  for (k = 1; k <= seeds[m]; k++) sum += value[name, m, k]
  centre = sum / seeds[m]
  for (k = 1; k <= seeds[m]; k++) squares += (value[name, m, k] - centre) ^ 2
  sd = seeds[m] > 1 ? sprintf("%.9g", sqrt(squares / (seeds[m] - 1))) : "nan"
  return sprintf("%.9g", centre)
}
END {
  print "method", "seeds", "auc_pct", "auc_pct_sd", "logloss", "logloss_sd", "train_s", "train_s_sd", "rows",
    "cost_iter_s", "cost_comp_s", "cost_perf", "cost_perf_sd"
  n_methods = split(methods, list, " ")
  for (i = 1; i <= n_methods; i++) {
    m = list[i]
    if (!seeds[m]) {
      printf "table.awk: nothing measured of %s\n", m > "/dev/stderr"
      exit 1
    }
    line = m OFS seeds[m]
    line = line OFS mean("auc_pct", m); line = line OFS sd
    line = line OFS mean("logloss", m); line = line OFS sd
    comp = mean("train_s", m)
    line = line OFS comp; line = line OFS sd
    line = line OFS mean("rows", m)
    iter = mean("cost_iter_s", m)
    if (m == "teacher") { iter = comp = "nan"; line = line OFS iter OFS comp OFS "nan" OFS "nan" }
    else { line = line OFS iter OFS comp OFS mean("cost_perf", m); line = line OFS sd }
    print line
  }
}
