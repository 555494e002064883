# raw.tsv to summary.tsv: a line for what was measured once or in several rounds, with median, least and most.
# clock cpu: rates are by processor time of all threads together instead of time by the wall.
function median(list, n,    i, j, t, v) {
  split(list, v, " ")
  for (i = 2; i <= n; i++) {
    t = v[i] + 0
    for (j = i - 1; j >= 1 && v[j] + 0 > t; j--) v[j + 1] = v[j]
    v[j + 1] = t
  }
  least = v[1] + 0; most = v[n] + 0
  return n % 2 ? v[(n + 1) / 2] + 0 : (v[n / 2] + v[n / 2 + 1]) / 2
}
BEGIN { FS = OFS = "\t" }
NR == 1 { next }
{
  key = $1 FS $2 FS $3 FS $4 FS $5
  if (!(key in n)) order[++keys] = key
  n[key]++
  # of a ratio, the figure itself; of all else what was done in a second: rows, else bytes, else operations
  if (clock == "cpu" && $1 != "ratio") $10 = $11
  done = $1 == "ratio" ? $10 * $10 : $7 > 0 ? $7 : $8 > 0 ? $8 : $9
  rate[key] = rate[key] " " ($10 > 0 ? done / $10 : 0)
  cpu[key] = cpu[key] " " ($11 > 0 ? done / $11 : 0)
  per_done_bytes[key] = $7 > 0 ? $8 / $7 : $8 > 0 ? 1 : 0
  per_done_flop[key] = $7 > 0 ? $9 / $7 : $8 > 0 ? 0 : 1
  unit[key] = $1 == "ratio" ? "ratio" : $7 > 0 ? "rows" : $8 > 0 ? "bytes" : "flop"
  took[key] = took[key] " " $10
  if ($12 > rss[key]) rss[key] = $12
}
END {
  print "section", "case", "what", "threads", "x", "rounds", "unit", "per_s", "least", "most", "per_cpu_s", "mb_per_s",
    "gflop_per_s", "of_peak", "ns_per_row", "rss_mb", "seconds"
  for (i = 1; i <= keys; i++) {
    split(order[i], k, FS)
    if (k[1] == "machine" && k[2] == "fma") peak[k[4]] = median(rate[order[i]], n[order[i]]) / 1e9
  }
  for (i = 1; i <= keys; i++) {
    key = order[i]
    split(key, k, FS)
    c = median(cpu[key], n[key])
    seconds = median(took[key], n[key])
    m = median(rate[key], n[key])
    gf = unit[key] == "ratio" ? 0 : m * per_done_flop[key] / 1e9
    print k[1], k[2], k[3], k[4], k[5], n[key], unit[key], sprintf("%.6g", m), sprintf("%.6g", least),
      sprintf("%.6g", most), sprintf("%.6g", c), sprintf("%.1f", m * per_done_bytes[key] / 1e6), sprintf("%.2f", gf),
      (peak[k[4]] > 0 && gf > 0 ? sprintf("%.3f", gf / peak[k[4]]) : "-"),
      (unit[key] == "rows" && m > 0 ? sprintf("%.1f", 1e9 / m) : "-"), sprintf("%.0f", rss[key] / 1024), sprintf("%.6g", seconds)
  }
}
