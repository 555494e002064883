# One line an architecture: awk -f zoo.awk OUT/seed-K/ARCH...; means over seeds and sample standard deviations of what
# ARCH.eval.tsv and ARCH.model.tsv hold, and the rows a second of training that ARCH.log tells.
function table(file, values, line, names, cells, i) {
  delete values
  if ((getline line < file) <= 0) fail(file)
  split(line, names, "\t")
  if ((getline line < file) <= 0) fail(file)
  split(line, cells, "\t")
  for (i in names) values[names[i]] = cells[i]
  close(file)
}
function keys(file, values, line, cells) {
  delete values
  while ((getline line < file) > 0) { split(line, cells, "\t"); values[cells[1]] = cells[2] }
  close(file)
}
function rate(file, line, found, rows) {
  while ((getline line < file) > 0)
    if (line ~ /^ca-train: /) {
      if (match(line, /[0-9]+ records/)) rows = substr(line, RSTART, RLENGTH - 8)
      if (match(line, /[0-9.]+ s training/)) found = substr(line, RSTART, RLENGTH - 11)
    }
  close(file)
  return found > 0 ? rows / found : 0
}
function fail(file) { print "zoo.awk: cannot read " file > "/dev/stderr"; failed = 1; exit 1 }
function sd(sum, squares, n) { return n > 1 ? sqrt(squares > sum * sum / n ? (squares - sum * sum / n) / (n - 1) : 0) : "nan" }
BEGIN {
  for (i = 1; i < ARGC; i++) {
    name = ARGV[i]; sub(/.*\//, "", name)
    if (!(name in seeds)) order[++n] = name
    seeds[name]++
    table(ARGV[i] ".eval.tsv", v)
    auc[name] += v["auc"]; auc2[name] += v["auc"] ^ 2; loss[name] += v["logloss"]; loss2[name] += v["logloss"] ^ 2
    keys(ARGV[i] ".model.tsv", v)
    spelling[name] = v["architecture"]; dense[name] = v["dense_parameters"]; tables[name] = v["table_parameters"]
    flops[name] = v["flops_per_row"]; r = rate(ARGV[i] ".log")
    if (r > best[name]) best[name] = r
  }
  print "arch\tspelling\tseeds\tauc_pct\tauc_pct_sd\tlogloss\tlogloss_sd\tdense_parameters\ttable_parameters\tflops_per_row\trows_per_s"
  for (i = 1; i <= n; i++) {
    a = order[i]; k = seeds[a]
    printf "%s\t%s\t%d\t%.4f\t%s\t%.6f\t%s\t%s\t%s\t%s\t%.0f\n", a, spelling[a], k, 100 * auc[a] / k,
      (k > 1 ? sprintf("%.4f", 100 * sd(auc[a], auc2[a], k)) : "nan"), loss[a] / k,
      (k > 1 ? sprintf("%.6f", sd(loss[a], loss2[a], k)) : "nan"), dense[a], tables[a], flops[a], best[a]
  }
}
