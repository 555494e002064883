# Ours beside the published numbers: awk -v seeds=5 -f compare.awk PUBLISHED.tsv MEASURES.tsv ROWS.tsv
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

function number(x) { return sprintf("%.9g", x) }
# mean of x[1..n]; leaves the sample deviation in sd
function mean(x, n,    k, sum, squares, centre) {
  for (k = 1; k <= n; k++) sum += x[k]
  sd = "nan"
  if (!n) return "nan"
  centre = sum / n
  for (k = 1; k <= n; k++) squares += (x[k] - centre) ^ 2
  if (n > 1) sd = sqrt(squares / (n - 1))
  return centre
}
function mean_of(r, what,    k, x) {
  for (k = 1; k <= n_seeds[r]; k++) {
    if (measured[r, what, k] == "nan") { sd = "nan"; return "nan" }
    x[k] = measured[r, what, k]
  }
  return mean(x, n_seeds[r])
}
function spread() { return sd == "nan" ? sd : number(sd) }
# ln of the gamma function for x > 0 (Lanczos)
function lgamma(x,    t) {
  t = 1.000000000190015 + 76.18009172947146 / (x + 1) - 86.50532032941677 / (x + 2) + 24.01409824083091 / (x + 3) - \
    1.231739572450155 / (x + 4) + 0.1208650973866179e-2 / (x + 5) - 0.5395239384953e-5 / (x + 6)
  return -(x + 5.5) + (x + 0.5) * log(x + 5.5) + log(2.5066282746310005 * t / x)
}
# regularised incomplete beta function by its continued fraction (modified Lentz)
function ibeta(a, b, x,    front, c, d, h, m, e, step) {
  if (x <= 0) return 0
  if (x >= 1) return 1
  if (x > (a + 1) / (a + b + 2)) return 1 - ibeta(b, a, 1 - x)
  front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x)) / a
  c = 1; d = 1 - (a + b) * x / (a + 1)
  if (d == 0) d = 1e-300
  d = 1 / d; h = d
  for (m = 1; m <= 300; m++) {
    e = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 + e * d; if (d == 0) d = 1e-300
    c = 1 + e / c; if (c == 0) c = 1e-300
    d = 1 / d; h *= d * c
    e = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 + e * d; if (d == 0) d = 1e-300
    c = 1 + e / c; if (c == 0) c = 1e-300
    d = 1 / d; step = d * c; h *= step
    if (step - 1 < 1e-14 && step - 1 > -1e-14) break
  }
  return front * h
}
# of a measure of run r less that of run q, seed by seed: "mean, deviation, p"
function paired(r, q, what,    k, x, m, t, n) {
  if (!n_seeds[r] || n_seeds[q] != n_seeds[r]) return "nan" OFS "nan" OFS "nan"
  n = n_seeds[r]
  for (k = 1; k <= n; k++) x[k] = measured[r, what, k] - measured[q, what, k]
  m = mean(x, n)
  if (n < 2) return number(m) OFS "nan" OFS "nan"
  # no spread: equal runs differ by nothing, surely
  if (sd == 0) return number(m) OFS 0 OFS (m == 0 ? 1 : 0)
  t = m / (sd / sqrt(n))
  return number(m) OFS number(sd) OFS number(ibeta((n - 1) / 2, 0.5, (n - 1) / (n - 1 + t * t)))
}
function known(k, what) { return (k, what) in published }
function less(a, b) { return a == "nan" || b == "nan" ? "nan" : number(a - b) }
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
      line = line OFS (ours == "nan" ? ours : number(ours)) OFS spread()
      line = line OFS print_published(key[i], what) OFS deviation(key[i], what) OFS less(ours, print_published(key[i], what)) OFS \
        mark[key[i], what]
      if (m == 1) line = line OFS reference[i]
      line = line OFS (q ? paired(r, run[q], column_of) : "nan" OFS "nan" OFS "nan") OFS \
        (q ? less(print_published(key[i], what), print_published(key[q], what)) : "nan")
    }
    s = mean_of(r, "core_s"); deviation_s = spread(); rows = mean_of(r, "rows")
    line = line OFS (s == "nan" ? s : number(s)) OFS deviation_s OFS print_published(key[i], "time_s") OFS mark[key[i], "time_s"]
    line = line OFS (rows == "nan" ? rows : number(rows)) OFS (rows == "nan" || rows == 0 ? "nan" : number(1e6 * s / rows))
    perf = n_seeds[r] ? mean_of(r, "cost_perf") : "nan"
    print line OFS (perf == "nan" ? perf : number(perf)) OFS (perf == "nan" ? perf : spread())
  }
}
