# The table of a section in Markdown: awk -v published=Criteo -f section.awk PUBLISHED.tsv SECTION.tsv
# A column that no row has anything in is left out. Below the table stand what its marks mean and, for figures, what the
# paper says in words.
BEGIN { FS = "\t" }
FNR == 1 {
  file++
  split("", column)
  for (i = 1; i <= NF; i++) column[$i] = i
  if (file == 2) { section = FILENAME; sub(/.*\//, "", section); sub(/\.tsv$/, "", section) }
  next
}
file == 1 {
  if ($1 == "note") { notes[++n_notes] = $2; note[$2] = $5 }
  if ($1 == "said") said[++n_said] = $0
  next
}
function is(name) { return $column[name] != "nan" && $column[name] != "" }
function value(name, format) { return is(name) ? sprintf(format, $column[name]) : "" }
function both(name, format,    plain) {
  plain = format
  sub(/\+/, "", plain)
  return value(name, format) (is(name) && is(name "_sd") ? " ± " value(name "_sd", plain) : "")
}
function marked(text, name,    i) {
  if (text == "" || !is(name)) return text
  for (i = 1; i <= length($column[name]); i++) seen[substr($column[name], i, 1)] = 1
  return text " [" $column[name] "]"
}
function ours(text) { return $column["seeds"] + 0 == 0 ? "not run" : text }
function significance(name) { return !is(name) ? "" : $column[name] < 0.001 ? "< 0.001" : value(name, "%.3f") }
function cell(title, text) {
  if (!(title in place)) { place[title] = ++n_columns; titles[n_columns] = title }
  body[n_rows, place[title]] = text
  if (text == "" || text == "not run") return
  used[place[title]] = 1
  if (title ~ /published/) compared = 1
  if (title == "p") tested = 1
}
file == 2 {
  n_rows++
  if ($column["seeds"] > seeds) seeds = $column["seeds"]
  cell(section ~ /^fig6/ ? "value" : "of", $column["group"])
  cell(section ~ /^fig6/ ? "after the stage" : "row", $column["name"])
  cell("AUC published", marked(both("published_auc", "%.2f"), "auc_mark"))
  cell("AUC", ours(both("auc", "%.2f")))
  cell("AUC less published", value("auc_difference", "%+.2f"))
  cell("gain over", $column["reference"] == "-" ? "" : $column["reference"])
  cell("AUC gain published", value("published_gain", "%+.2f"))
  cell("AUC gain", both("gain", "%+.2f"))
  cell("p", significance("gain_p"))
  cell("LogLoss published", marked(both("published_logloss", "%.4f"), "logloss_mark"))
  cell("LogLoss", ours(both("logloss", "%.4f")))
  cell("LogLoss less published", value("logloss_difference", "%+.4f"))
  cell("LogLoss gain published", value("published_logloss_gain", "%+.4f"))
  cell("LogLoss gain", both("logloss_gain", "%+.4f"))
  cell("p of LogLoss", significance("logloss_gain_p"))
  cell("GPU seconds published", marked(value("published_time_s", "%.1f"), "time_mark"))
  cell("core seconds", both("core_s", "%.1f"))
  cell("rows", value("rows", "%d"))
  if (section == "cost") {
    cell("µs a row", value("cost_iter_us", "%.1f"))
    cell("LogLoss above the teacher's", both("cost_perf", "%+.4f"))
  }
}
END {
  line = "|"; rule = "|"
  for (c = 1; c <= n_columns; c++) if (used[c]) { line = line " " titles[c] " |"; rule = rule (c <= 2 || titles[c] == "gain over" ? ":--|" : "--:|") }
  print line; print rule
  for (r = 1; r <= n_rows; r++) {
    line = "|"
    for (c = 1; c <= n_columns; c++) if (used[c]) line = line " " (body[r, c] == "" ? "-" : body[r, c]) " |"
    print line
  }
  printf "\n%d seed%s; ± is the sample standard deviation.%s%s\n", seeds, seeds == 1 ? "" : "s",
    tested ? " p is that of a paired two-sided t-test over the seeds." : "",
    compared ? " Published: " (section ~ /^table[12]$/ ? published : "Criteo") "." : ""
  for (i = 1; i <= n_notes; i++) if (notes[i] in seen) printf "\n[%s] %s\n", notes[i], note[notes[i]]
  for (i = 1; i <= n_said; i++) {
    split(said[i], part, "\t")
    if (part[2] != section) continue
    if (!told++) print "\nWhat the paper says of it:\n\n| setting | value | stage | measure | result | |\n|:--|--:|:--|:--|--:|:--|"
    printf "| %s | %s | %s | %s | %s | %s |\n", part[3], part[4], part[5], part[6], part[7], part[8]
  }
}
