# Tables 4 and 5 from what ca-eval said: awk -v methods='A B' -v seeds=N -f conversion.awk PUBLISHED.csv OUT/seed-K/METHOD.KIND.tsv...
# One line a number: table, method, measure, published, ours, its sample standard deviation over the seeds (nan for one), difference.
# Table 4 holds changes relative to the production model of the same seed, (x - x_production) / x_production. Beside
# the two tables come the values themselves: over the clicked exposures, over all against production, and against the truth.
BEGIN {
  FS = OFS = "\t"
  title["vanilla-kd"] = "Vanilla-KD"
  title["crossadapt"] = "CrossAdapt"
  title["5", "vanilla-kd"] = "w/o USAug"
  title["5", "vanilla-kd-usaug"] = "w/ USAug"
}
FILENAME ~ /\.csv$/ {
  split($0, cell, ",")
  if (FNR > 1) {
    measure = cell[3]
    gsub(/@/, "", measure)
    sub(/pcvr/, "item", measure)
    published[cell[1], cell[2], measure] = cell[4] + 0
  }
  next
}
FNR == 1 {
  split("", name)
  for (i = 1; i <= NF; i++) name[i] = $i
  n_parts = split(FILENAME, part, "/")
  seed = part[n_parts - 1]
  split(part[n_parts], word, ".")
  method = word[1]
  kind = word[2]
  if (!(seed in seen)) { seen[seed] = ++n_seeds; label[n_seeds] = seed }
  next
}
{ for (i = 1; i <= NF; i++) value[kind, method, name[i], seed] = $i }

# a line, from v[1..n_seeds]
function put(table, method, measure, v,    k, sum, squares, centre, sd, said, difference) {
  for (k = 1; k <= n_seeds; k++) {
    if (v[k] == "nan") sum = "nan"
    if (sum != "nan") sum += v[k]
  }
  if (sum == "nan") centre = sd = "nan"
  else {
    centre = sum / n_seeds
    for (k = 1; k <= n_seeds; k++) squares += (v[k] - centre) ^ 2
    sd = n_seeds > 1 ? sprintf("%.9g", sqrt(squares / (n_seeds - 1))) : "nan"
    centre = sprintf("%.9g", centre)
  }
  said = (table, method) in title ? title[table, method] : title[method]
  said = (table, said, measure) in published ? published[table, said, measure] : "nan"
  difference = said == "nan" || centre == "nan" ? "nan" : sprintf("%.9g", centre - said)
  print table, method, measure, said, centre, sd, difference
}
function lacking(what) {
  printf "conversion.awk: no %s\n", what > "/dev/stderr"
  failed = 1
  exit 1
}
function get(kind, method, measure, k) {
  if (!((kind, method, measure, label[k]) in value)) lacking(measure " of " method " on " kind " in " label[k])
  return value[kind, method, measure, label[k]]
}
# of every method, and of the truth where it was measured
function absolute(kind, measure,    i, k, v) {
  for (i = 1; i <= n_methods; i++) {
    for (k = 1; k <= n_seeds; k++) v[k] = get(kind, list[i], measure, k)
    put(kind, list[i], measure, v)
  }
  if (!((kind, "truth", measure, label[1]) in value)) return
  for (k = 1; k <= n_seeds; k++) v[k] = get(kind, "truth", measure, k)
  put(kind, "truth", measure, v)
}
END {
  if (failed) exit 1
  if (n_seeds != seeds) lacking("results of " seeds " seeds, but of " n_seeds + 0)
  n_methods = split(methods, list, " ")
  print "table", "method", "measure", "published", "ours", "ours_sd", "difference"
  n_changes = split("auc logloss item_bias", change, " ")
  for (i = 1; i <= n_methods; i++) {
    if (list[i] == "production") continue
    for (c = 1; c <= n_changes; c++) {
      for (k = 1; k <= n_seeds; k++) {
        base = get("clicked", "production", change[c], k)
        x = get("clicked", list[i], change[c], k)
        v[k] = base == "nan" || x == "nan" || base == 0 ? "nan" : (x - base) / base
      }
      put("4", list[i], "delta_" change[c], v)
    }
  }
  n_ranks = split("spearman ndcg5 ndcg10", rank, " ")
  for (i = 1; i <= n_methods; i++) {
    if (list[i] == "production") continue
    for (c = 1; c <= n_ranks; c++) {
      for (k = 1; k <= n_seeds; k++) v[k] = get("exposed", list[i], rank[c], k)
      put("5", list[i], rank[c], v)
    }
  }
  absolute("clicked", "auc")
  absolute("clicked", "logloss")
  absolute("clicked", "item_bias")
  absolute("clicked", "item_bias_signed")
  absolute("clicked", "calibration")
  if (("truth", "production", "logloss", label[1]) in value) {
    absolute("truth", "spearman")
    absolute("truth", "ndcg5")
    absolute("truth", "logloss")
    absolute("truth", "calibration")
  }
}
