# The parts of a log held against the published ones: awk -v dataset=Criteo -v ratios=4:4:1:1 -f expect.awk TABLE6.csv
# VOCABULARY.csv HERE.tsv. HERE.tsv has lines NAME, VALUE: hist, train, online and test with their rows, and column.C1 and so on with
# table rows. Prints what was published, what is here, and whether they agree. Exits 1 when a log of the published number of rows differs
# in anything, since then it is not cut or read as it should be; a log of another size is another log.
BEGIN { FS = ","; OFS = "\t" }
FNR == 1 { file++; FS = file == 1 ? "," : "\t"; if (file < 3) next }
file == 1 && $1 == dataset { rows = $2 }
file == 2 { split($0, c, ","); if (c[1] == dataset) { want["column." c[2]] = c[3]; order[++n] = "column." c[2] }; next }
file == 3 { here[$1] = $2; if ($1 ~ /^(hist|train|online|test)$/) all += $2 }
END {
  if (!rows) { print "expect.awk: nothing is published of " dataset > "/dev/stderr"; exit 2 }
  split(ratios, r, ":")
  whole = r[1] + r[2] + r[3] + r[4]
  want["hist"] = int(rows * r[1] / whole)
  want["train"] = int(rows * r[2] / whole)
  want["online"] = int(rows * r[3] / whole)
  want["test"] = rows - want["hist"] - want["train"] - want["online"]
  print "| | published | here | |\n|:--|--:|--:|:--|"
  printf "| rows | %d | %d | %s |\n", rows, all, rows == all ? "same" : "another log"
  m = split("hist train online test", part, " ")
  for (i = 1; i <= m + n; i++) {
    key = i <= m ? part[i] : order[i - m]
    same = want[key] == here[key]
    if (!same) bad++
    name = key
    sub(/^column\./, "table rows of ", name)
    printf "| %s | %d | %d | %s |\n", name, want[key], here[key], same ? "same" : "differs"
  }
  exit rows == all && bad
}
