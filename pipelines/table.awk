# The table of an experiment: awk -v methods='A B' -f stats.awk -f table.awk MEASURES.tsv
# Means and sample standard deviations (n - 1; nan for one seed) over the seeds. The cost of the switch is that of
# CrossAdapt, equations 1 and 2: computation C_iter * N, core seconds per trained row times rows, and performance, the logloss
# on test above that of the teacher of the same seed. The teacher itself is no switch and has no cost.
BEGIN { FS = OFS = "\t" }
NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
{
  m = $column["run"]
  k = ++seeds[m]
  for (c in column) value[c, m, k] = $column[c]
  if ($column["rows"] > 0) value["cost_iter_s", m, k] = $column["core_s"] / $column["rows"]
}
# mean of a measure over the seeds
function alone(name, m,    k, x) {
  for (k = 1; k <= seeds[m]; k++) x[k] = value[name, m, k]
  return number(mean(x, seeds[m]))
}
function both(name, m,    centre) {
  centre = alone(name, m)
  return centre OFS number(sd)
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
    line = m OFS seeds[m] OFS both("auc_pct", m) OFS both("logloss", m) OFS both("train_s", m) OFS alone("rows", m)
    if (m == "teacher") line = line OFS "nan" OFS "nan" OFS "nan" OFS "nan"
    else line = line OFS alone("cost_iter_s", m) OFS alone("core_s", m) OFS both("cost_perf", m)
    print line
  }
}
