# The report of ca-drift as Markdown, the features that drift most by Jensen-Shannon divergence first
BEGIN { FS = "\t" }
NR == 1 { print "Drift of train, mean over nine pairs of adjacent windows (natural logarithms):\n"; print "| feature | JS | KL | Wasserstein |\n|:--|--:|--:|--:|"; next }
$2 == "overall" { overall = sprintf("| mean of all (equation 13) | %.4f | %.4f | %.4f |", $3, $4, $5); next }
$2 == "ratio" { ratio = sprintf("| replay ratio by equation 14 | %.4f | %.4f | %.4f |", $3, $4, $5); next }
{ n++; js[n] = $3; text[n] = sprintf("| %s | %.4f | %.4f | %.4f |", $1, $3, $4, $5) }
END {
  print overall; print ratio
  for (i = 1; i <= n; i++) { best = 0; for (j = 1; j <= n; j++) if (!done[j] && (!best || js[j] > js[best])) best = j; done[best] = 1; print text[best] }
  print "\nThe thresholds of equation 14 are made for JS; for the other distances the paper gives none, and those of JS are used."
}
