# Tables 4 and 5 from what ca-eval said and stages took:
#
#     awk -v methods='A B' -v seeds=N -v days=N -f stats.awk -f conversion.awk PUBLISHED.csv OUT/seed-K/METHOD.KIND.tsv... \
#         OUT/seed-K/STAGE.time...
#
# One line a number: table, method, measure, published (without a deviation, as they were), ours, its sample standard deviation
# over the seeds, difference; p, that of a t-test over the seeds that a change is none; reference, and the gain over it, its
# deviation, the p of a paired t-test, the published gain. What there is not is nan.
# Table 4 holds changes relative to the production model of the same seed, (x - x_production) / x_production; its reference, and
# that of table 5, is vanilla-kd. Beside the two tables come the values themselves, over the clicked exposures, over all
# against production, and against the truth; the AUC of each day; and the cost of each method's own stages.
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
  for (i = 1; i <= NF; i++) { name[i] = $i; name[$i] = i }
  n_parts = split(FILENAME, part, "/")
  seed = part[n_parts - 1]
  n_words = split(part[n_parts], word, ".")
  method = word[1]
  kind = word[2]
  if (!(seed in seen)) { seen[seed] = ++n_seeds; label[n_seeds] = seed }
  next
}
word[n_words] == "time" { seconds[method, seed] += $name["core_s"]; trained[method, seed] += $name["rows"]; next }
{ for (i = 1; i <= NF; i++) value[kind, method, name[i], seed] = $i }

# a line, from v[1..n_seeds]; for changes, how surely they are none's work; and against u[1..n_seeds], those of the reference
function put(table, method, measure, v, change, reference, u,    k, x, line, said, other, centre) {
  centre = mean(v, n_seeds)
  said = of_paper(table, method, measure)
  line = table OFS method OFS measure OFS said OFS number(centre) OFS number(sd) OFS number(less(centre, said))
  change = change ? tested(v, n_seeds) : "nan"
  sub(/.*\t/, "", change)
  for (k = 1; k <= n_seeds && reference != "-"; k++) x[k] = less(v[k], u[k])
  print line, change, reference, reference == "-" ? "nan" OFS "nan" OFS "nan" OFS "nan" : \
    tested(x, n_seeds) OFS number(less(said, of_paper(table, reference, measure)))
}
function of_paper(table, method, measure,    said) {
  said = (table, method) in title ? title[table, method] : title[method]
  return (table, said, measure) in published ? published[table, said, measure] : "nan"
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
# of one method with every seed, into v
function all_seeds(kind, method, measure, v,    k) {
  for (k = 1; k <= n_seeds; k++) v[k] = get(kind, method, measure, k)
}
# relative to production
function changes(method, measure, v,    k, base, x) {
  for (k = 1; k <= n_seeds; k++) {
    base = get("clicked", "production", measure, k)
    x = get("clicked", method, measure, k)
    v[k] = base == "nan" || x == "nan" || base == 0 ? "nan" : (x - base) / base
  }
}
function reference_of(method) { return method ~ /^(daily|vanilla-kd)$/ ? "-" : "vanilla-kd" }
# of every method, and of the truth where it was measured
function absolute(kind, measure,    i, v) {
  for (i = 1; i <= n_methods; i++) {
    all_seeds(kind, list[i], measure, v)
    put(kind, list[i], measure, v, 0, "-")
  }
  if (!((kind, "truth", measure, label[1]) in value)) return
  all_seeds(kind, "truth", measure, v)
  put(kind, "truth", measure, v, 0, "-")
}
END {
  if (failed) exit 1
  if (n_seeds != seeds) lacking("results of " seeds " seeds, but of " n_seeds + 0)
  n_methods = split(methods, list, " ")
  print "table", "method", "measure", "published", "ours", "ours_sd", "difference", "p", "reference", "gain", "gain_sd", "gain_p",
    "published_gain"
  n_changes = split("auc logloss item_bias", change, " ")
  for (c = 1; c <= n_changes; c++) {
    changes("vanilla-kd", change[c], u)
    for (i = 1; i <= n_methods; i++) {
      if (list[i] == "production") continue
      changes(list[i], change[c], v)
      put("4", list[i], "delta_" change[c], v, 1, reference_of(list[i]), u)
    }
  }
  n_ranks = split("spearman ndcg5 ndcg10", rank, " ")
  for (c = 1; c <= n_ranks; c++) {
    all_seeds("exposed", "vanilla-kd", rank[c], u)
    for (i = 1; i <= n_methods; i++) {
      if (list[i] == "production") continue
      all_seeds("exposed", list[i], rank[c], v)
      put("5", list[i], rank[c], v, 0, reference_of(list[i]), u)
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
  for (i = 1; i <= n_methods; i++)
    for (d = 1; d <= days; d++) {
      all_seeds("day-" d, list[i], "auc", v)
      put("days", list[i], "day-" d, v, 0, "-")
    }
  for (i = 1; i <= n_methods; i++) {
    for (k = 1; k <= n_seeds; k++) { v[k] = seconds[list[i], label[k]] + 0; u[k] = trained[list[i], label[k]] + 0 }
    put("cost", list[i], "core_s", v, 0, "-")
    put("cost", list[i], "rows", u, 0, "-")
  }
}
