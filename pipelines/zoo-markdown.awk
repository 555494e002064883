# zoo.tsv as a Markdown table for people.
BEGIN { FS = "\t" }
NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
NR == 2 {
  print "| architecture | AUC (%) | LogLoss | parameters: tables + others | operations a row | rows a second |"
  print "|:--|--:|--:|--:|--:|--:|"
}
{
  seeds = $at["seeds"]
  printf "| %s | %.2f%s | %.4f%s | %d + %d | %d | %d |\n", $at["arch"], $at["auc_pct"],
    (seeds > 1 ? sprintf(" ± %.2f", $at["auc_pct_sd"]) : ""), $at["logloss"], (seeds > 1 ? sprintf(" ± %.4f", $at["logloss_sd"]) : ""),
    $at["table_parameters"], $at["dense_parameters"], $at["flops_per_row"], $at["rows_per_s"]
}
END { printf "\n%d seed%s; ± is the sample standard deviation. Operations are those of a prediction; rows a second of training, the best seed, on one thread beside other jobs.\n", seeds, seeds == 1 ? "" : "s" }
