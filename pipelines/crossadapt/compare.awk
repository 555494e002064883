# Ours beside the published numbers: awk -v seeds=5 -f stats.awk -f compare.awk PUBLISHED.tsv MEASURES.tsv ROWS.tsv
# A line for every row asked for: means and sample deviations over the first seeds (n - 1), the published values, differences
# (ours less published), and gains over the row's reference, whose significance is that of a paired two-sided t-test over the
# seeds. What there is not is nan; a row without a run has no seeds.
BEGIN {
  FS = OFS = "\t"
  print "group", "name", "run", "seeds", "auc", "auc_sd", "published_auc", "published_auc_sd", "auc_difference", "auc_mark",
    "reference", "gain", "gain_sd", "gain_p", "published_gain", "logloss", "logloss_sd", "published_logloss",
    "published_logloss_sd", "logloss_difference", "logloss_mark", "logloss_gain", "logloss_gain_sd", "logloss_gain_p",
    "published_logloss_gain", "core_s", "core_s_sd", "published_time_s", "time_mark", "rows", "cost_iter_us", "cost_perf", "cost_perf_sd"
}
FNR == 1 { file++; split("", column); for (i = 1; i <= NF; i++) column[$i] = i; next }
file == 1 {
  if ($1 != "note" && $1 != "said") { published[$1, $2] = $3; published_sd[$1, $2] = $4; mark[$1, $2] = $5 }
  next
}
file == 2 {
  if ($column["seed"] >= seeds) next
  k = ++n_seeds[$column["run"]]
  for (c in column) measured[$column["run"], c, k] = $column[c]
  next
}
{ n++; group[n] = $1; name[n] = $2; run[n] = $3; reference[n] = $4; key[n] = $5; if (!(($1, $2) in at)) at[$1, $2] = n }

function mean_of(r, what,    k, x) {
  for (k = 1; k <= n_seeds[r]; k++) x[k] = measured[r, what, k]
  return mean(x, n_seeds[r])
}
# of a measure of run r less that of run q, seed by seed
function paired(r, q, what,    k, x) {
  if (!n_seeds[r] || n_seeds[q] != n_seeds[r]) return "nan" OFS "nan" OFS "nan"
  for (k = 1; k <= n_seeds[r]; k++) x[k] = less(measured[r, what, k], measured[q, what, k])
  return tested(x, n_seeds[r])
}
function known(k, what) { return (k, what) in published }
function print_published(k, what) { return known(k, what) ? published[k, what] : "nan" }
function deviation(k, what) { return known(k, what) && published_sd[k, what] != "" ? published_sd[k, what] : "nan" }
END {
  for (i = 1; i <= n; i++) {
    r = run[i]
    q = reference[i] == "-" ? 0 : at[group[i], reference[i]]
    if (reference[i] != "-" && !q) { print "compare.awk: no row '" reference[i] "' in " group[i] > "/dev/stderr"; exit 1 }
    if (r != "-" && !n_seeds[r]) { print "compare.awk: nothing was measured of " r > "/dev/stderr"; exit 1 }
    line = group[i] OFS name[i] OFS r OFS n_seeds[r] + 0
    for (m = 1; m <= 2; m++) {
      what = m == 1 ? "auc" : "logloss"
      column_of = m == 1 ? "auc_pct" : "logloss"
      ours = mean_of(r, column_of)
      line = line OFS number(ours) OFS number(sd)
      line = line OFS print_published(key[i], what) OFS deviation(key[i], what) OFS number(less(ours, print_published(key[i], what))) OFS \
        mark[key[i], what]
      if (m == 1) line = line OFS reference[i]
      line = line OFS (q ? paired(r, run[q], column_of) : "nan" OFS "nan" OFS "nan") OFS \
        (q ? number(less(print_published(key[i], what), print_published(key[q], what))) : "nan")
    }
    s = mean_of(r, "core_s"); deviation_s = number(sd); rows = mean_of(r, "rows")
    line = line OFS number(s) OFS deviation_s OFS print_published(key[i], "time_s") OFS mark[key[i], "time_s"]
    line = line OFS number(rows) OFS (rows == "nan" || rows == 0 ? "nan" : number(1e6 * s / rows))
    perf = mean_of(r, "cost_perf")
    print line OFS number(perf) OFS number(sd)
  }
}
