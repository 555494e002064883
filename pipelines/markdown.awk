# results.tsv as a Markdown table for people: awk -f markdown.awk results.tsv
BEGIN { FS = "\t" }
NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
function plain(format) { sub(/\+/, "", format); return format }
# value and, when there is one, its standard deviation
function cell(name, format) {
  if ($column[name] == "nan") return "-"
  if (!((name "_sd") in column) || $column[name "_sd"] == "nan") return sprintf(format, $column[name])
  return sprintf(format " ± ", $column[name]) sprintf(plain(format), $column[name "_sd"])
}
NR == 2 {
  print "| method | AUC (%) | LogLoss | training (s) | rows trained | cost: core µs a row × rows = core s | cost: LogLoss above the teacher's |"
  print "|:--|--:|--:|--:|--:|--:|--:|"
  seeds = $column["seeds"]
}
{
  comp = $column["cost_comp_s"] == "nan" ? "-" : sprintf("%.1f × %d = %.1f", 1e6 * $column["cost_iter_s"],
    $column["rows"], $column["cost_comp_s"])
  printf "| %s | %s | %s | %s | %d | %s | %s |\n", $column["method"], cell("auc_pct", "%.2f"),
    cell("logloss", "%.4f"), cell("train_s", "%.1f"), $column["rows"], comp, cell("cost_perf", "%+.4f")
}
END { printf "\n%d seed%s; ± is the sample standard deviation. AUC and LogLoss on test.\n", seeds, seeds == 1 ? "" : "s" }
