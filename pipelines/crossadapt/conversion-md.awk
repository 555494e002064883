# conversion.tsv as Markdown for people: awk -f conversion-md.awk conversion.tsv
BEGIN {
  FS = "\t"
  heading["4"] = "Table 4: change relative to the production model, over the clicked exposures of all days of service"
  heading["5"] = "Table 5: agreement with the production model, over all exposures of these days"
  heading["clicked"] = "The values behind Table 4"
  heading["truth"] = "Against the true conversion probability, over all exposures"
}
NR == 1 { next }
{
  if (!(($1, "seen") in table)) { order[++n_tables] = $1; table[$1, "seen"] = 1 }
  if (!(($1, $2) in row)) { methods[$1] = methods[$1] " " $2; row[$1, $2] = 1 }
  if (!(($1, $3) in column)) { measures[$1] = measures[$1] " " $3; column[$1, $3] = 1 }
  said[$1, $2, $3] = $4; ours[$1, $2, $3] = $5; sd[$1, $2, $3] = $6; off[$1, $2, $3] = $7
}
function number(x, format) { return x == "nan" ? "-" : sprintf(format, x) }
END {
  for (t = 1; t <= n_tables; t++) {
    n = order[t]
    wanted = n == "4" || n == "5"
    n_methods = split(methods[n], method, " ")
    n_measures = split(measures[n], measure, " ")
    format = n == "4" ? "%+.4f" : "%.4f"
    printf "%s## %s\n\n| method |", (t == 1 ? "" : "\n"), heading[n]
    for (c = 1; c <= n_measures; c++)
      printf " %s |", wanted ? measure[c] ", published | ours | difference" : measure[c]
    printf "\n|:--|"
    for (c = 1; c <= n_measures * (wanted ? 3 : 1); c++) printf "--:|"
    print ""
    for (m = 1; m <= n_methods; m++) {
      printf "| %s |", method[m]
      for (c = 1; c <= n_measures; c++) {
        k = n SUBSEP method[m] SUBSEP measure[c]
        cell = number(ours[k], format) (sd[k] == "nan" ? "" : sprintf(" ± %.4f", sd[k]))
        if (wanted) printf " %s | %s | %s |", number(said[k], format), cell, number(off[k], "%+.4f")
        else printf " %s |", cell
      }
      print ""
    }
  }
  print "\n± is the sample standard deviation over the seeds. Published: WeChat Channels, whose data are not public. Its pCVR bias has"
  print "the absolute value inside, so its change says nothing of the direction; item_bias_signed does."
}
