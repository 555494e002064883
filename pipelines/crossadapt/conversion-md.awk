# conversion.tsv as Markdown for people: awk -v figure=days.svg -v settings='A=1 B=2' -f conversion-md.awk conversion.tsv
BEGIN {
  FS = "\t"
  heading["4"] = "Table 4: change relative to the production model, over the clicked exposures of all days of service"
  heading["5"] = "Table 5: agreement with the production model, over all exposures of these days"
  heading["clicked"] = "The values behind Table 4"
  heading["truth"] = "Against the true conversion probability, over all exposures"
  heading["days"] = "The days of service: AUC over the clicked exposures of each"
  heading["cost"] = "What each method's own stages cost"
}
NR == 1 { next }
{
  if (!(($1, "seen") in table)) { order[++n_tables] = $1; table[$1, "seen"] = 1 }
  if (!(($1, $2) in row)) { methods[$1] = methods[$1] " " $2; row[$1, $2] = 1 }
  if (!(($1, $3) in column)) { measures[$1] = measures[$1] " " $3; column[$1, $3] = 1 }
  k = $1 SUBSEP $2 SUBSEP $3
  said[k] = $4; ours[k] = $5; sd[k] = $6; off[k] = $7; p[k] = $8; gain[k] = $10; gain_sd[k] = $11; gain_p[k] = $12; said_gain[k] = $13
}
function value(x, format) { return x == "nan" ? "-" : sprintf(format, x) }
function both(x, deviation, format,    plain) {
  plain = format
  sub(/\+/, "", plain)
  return value(x, format) (deviation == "nan" ? "" : " ± " value(deviation, plain))
}
function significance(x) { return x == "nan" ? "-" : x < 0.001 ? "< 0.001" : sprintf("%.3f", x) }
# published beside ours, a line for each measure of each method
function compared(n, format,    c, m, k) {
  printf "| measure | method | published | ours | ours less published |%s", n == "4" ? " p |" : ""
  print " gain over vanilla-kd, published | gain over vanilla-kd | p of the gain |"
  printf "|:--|:--|--:|--:|--:|%s--:|--:|--:|\n", n == "4" ? "--:|" : ""
  for (c = 1; c <= n_measures; c++)
    for (m = 1; m <= n_methods; m++) {
      k = n SUBSEP method[m] SUBSEP measure[c]
      printf "| %s | %s | %s | %s | %s |", measure[c], method[m], value(said[k], format), both(ours[k], sd[k], format), value(off[k], "%+.4f")
      if (n == "4") printf " %s |", significance(p[k])
      printf " %s | %s | %s |\n", value(said_gain[k], "%+.4f"), both(gain[k], gain_sd[k], "%+.4f"), significance(gain_p[k])
    }
}
function format_of(measure) { return measure == "rows" ? "%d" : measure == "core_s" ? "%.2f" : "%.4f" }
# ours alone, a line for each method
function alone(n,    c, m, k) {
  printf "| method |"
  for (c = 1; c <= n_measures; c++) printf " %s |", measure[c] == "core_s" ? "core seconds" : measure[c]
  printf "\n|:--|"
  for (c = 1; c <= n_measures; c++) printf "--:|"
  print ""
  for (m = 1; m <= n_methods; m++) {
    printf "| %s |", method[m]
    for (c = 1; c <= n_measures; c++) {
      k = n SUBSEP method[m] SUBSEP measure[c]
      printf " %s |", both(ours[k], sd[k], format_of(measure[c]))
    }
    print ""
  }
}
END {
  for (t = 1; t <= n_tables; t++) {
    n = order[t]
    n_methods = split(methods[n], method, " ")
    n_measures = split(measures[n], measure, " ")
    printf "%s## %s\n\n", (t == 1 ? "" : "\n"), heading[n]
    if (n == "4" || n == "5") compared(n, n == "4" ? "%+.4f" : "%.4f")
    else alone(n)
    if (n == "days") printf "\n![%s](%s)\n", "AUC over the clicked exposures of each day of service; bars are sample deviations", figure
  }
  print "\n± is the sample standard deviation over the seeds; no deviation was published. p is that of a two-sided t-test over the"
  print "seeds, that a change from production is none; that of a gain, of a paired one between the two methods. Published: WeChat"
  print "Channels, whose data are not public. Its pCVR bias has the absolute value inside, so its change says nothing of the"
  print "direction; item_bias_signed does. Core seconds and rows are those of a method's stages from its first to its last night,"
  print "without the training of its teachers: of production those of the online part, of daily those of its nights."
  print "\nThe settings of these tables: `" settings "`."
}
