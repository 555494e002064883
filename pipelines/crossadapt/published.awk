# The published numbers of CrossAdapt in one form: awk -v dataset=Criteo -f published.awk CSV...
# One line a number: key, measure (auc in percent, logloss, time_s), value, deviation or nothing, mark. Keys are
# TABLE/ROW/COLUMN, as in table1/fibinet16/scratch. Tables 1 and 2 are those of the data set; the others were published for
# Criteo alone. Lines 'note MARK - - TEXT' explain the marks, lines 'said FIGURE PARAMETER...' are what the text says of a figure.
BEGIN { OFS = "\t"; print "key", "measure", "value", "sd", "mark" }
# a line of CSV into cell[], quotes taken off
function cells(line,    n, field) {
  split("", cell)
  while (1) {
    if (line ~ /^"/) { match(line, /^"[^"]*"/); field = substr(line, 2, RLENGTH - 2) }
    else { match(line, /^[^,]*/); field = substr(line, 1, RLENGTH) }
    cell[name[++n]] = field
    line = substr(line, RLENGTH + 1)
    if (line == "") return
    line = substr(line, 2)
  }
}
function put(key, measure, value, sd) {
  if (value == "") return
  ++n_put
  key_of[n_put] = key; measure_of[n_put] = measure; value_of[n_put] = value; sd_of[n_put] = sd
}
FNR == 1 {
  table = FILENAME
  sub(/.*crossadapt_/, "", table); sub(/\.csv$/, "", table)
  split("", name)
  n_names = split($0, header, ",")
  for (i = 1; i <= n_names; i++) name[i] = header[i]
  next
}
{ cells($0) }
table ~ /^table[12]$/ && cell["dataset"] != dataset { next }
table == "table1" {
  key = tolower(cell["method"])
  gsub(/ /, "-", key)
  key = key == "teacher-model" ? "teacher" : (cell["student"] ~ /FiBiNET/ ? "fibinet16" : "mlp8") "/" key
}
table == "table2" {
  key = cell["configuration"]
  key = key ~ /Projection/ ? "no-projection" : key ~ /Progressive/ ? "not-progressive" : key ~ /Selection/ ? "no-selection" : \
    key ~ /Offline Stage/ ? "not-offline" : key ~ /Asymmetric/ ? "no-asymmetry" : key ~ /Co-evolution/ ? "no-co-evolution" : \
    key ~ /Preservation/ ? "no-replay" : key ~ /Online Stage/ ? "not-online" : "full"
}
table ~ /^table[12]$/ {
  put(table "/" key, "auc", cell["auc"], cell["auc_std"])
  put(table "/" key, "logloss", cell["logloss"], cell["logloss_std"])
  if (table == "table1") put(table "/" key, "time_s", cell["time_s"], "")
}
table == "table3" {
  key = "table3/" cell["d_teacher"] "-" cell["d_student"]
  put(key "/teacher", "auc", cell["teacher_auc"], cell["teacher_std"])
  put(key "/scratch", "auc", cell["scratch_auc"], cell["scratch_std"])
  put(key "/no-etp", "auc", cell["no_etp_auc"], cell["no_etp_std"])
  put(key "/etp", "auc", cell["etp_auc"], cell["etp_std"])
}
table == "table7" {
  key = "table7/" tolower(cell["teacher"]) "-" tolower(cell["student"])
  put(key "/teacher", "auc", cell["teacher_auc"], cell["teacher_std"])
  put(key "/scratch", "auc", cell["scratch_auc"], cell["scratch_std"])
  put(key "/crossadapt-full", "auc", cell["crossadapt_full_auc"], cell["crossadapt_full_std"])
}
table == "sweeps" {
  figure = "fig" (cell["figure"] == "5" ? "4" : cell["figure"] == "6f" ? "6f" : cell["figure"])
  if (figure == "fig6f") figure = "drift"
  said[++n_said] = "said" OFS figure OFS cell["parameter"] OFS cell["value"] OFS cell["stage"] OFS cell["metric"] OFS \
    cell["result"] OFS cell["note"]
  if (figure ~ /^fig6/ && cell["value"] ~ /^[0-9.]+$/ && cell["metric"] ~ /^(auc|logloss|time_s)$/)
    put(figure "/" cell["value"] "/" (cell["stage"] == "offline" ? "offline" : "online"), cell["metric"], cell["result"], "")
}
table == "anomalies" && (cell["dataset"] == "*" || cell["dataset"] == dataset) {
  n_odd++
  odd_key[n_odd] = cell["key"]; odd_measures[n_odd] = " " cell["measures"] " "; odd_mark[n_odd] = cell["mark"]
  note[cell["mark"]] = cell["note"]
}
# does the key match the pattern, in which one * stands for anything but a slash?
function matches(key, pattern,    at, tail) {
  at = index(pattern, "*")
  if (!at) return key == pattern
  tail = substr(pattern, at + 1)
  return substr(key, 1, at - 1) == substr(pattern, 1, at - 1) && length(key) >= length(pattern) &&
    substr(key, length(key) - length(tail) + 1) == tail &&
    index(substr(key, at, length(key) - length(tail) - at + 1), "/") == 0
}
END {
  for (i = 1; i <= n_put; i++) {
    mark = ""
    for (j = 1; j <= n_odd; j++)
      if (matches(key_of[i], odd_key[j]) && index(odd_measures[j], " " measure_of[i] " ")) {
        mark = mark odd_mark[j]
        used[odd_mark[j]] = 1
      }
    print key_of[i], measure_of[i], value_of[i], sd_of[i], mark
  }
  for (i = 1; i <= n_said; i++) print said[i]
  for (i = 97; i <= 122; i++) if ((c = sprintf("%c", i)) in used) print "note", c, "", "", note[c]
}
