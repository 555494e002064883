# Figure 6 f: gnuplot -e "input='drift.tsv'; features='drift-features.tsv'" drift.gp > drift.svg
# Above, the drift of every feature by each distance, each with an axis of its own, and their mean; below, AUC by replay.
set terminal svg size 760,640 dynamic font 'sans-serif,12' name 'crossadapt'
set datafile separator tab
set datafile missing NaN
set grid y
set colorsequence podo
set key off
# the values of two lines of the report that are no feature's: the mean, and the ratio that follows
report(d, line) = real(system(sprintf("awk -F '\t' -v d=%s -v line=%s 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i } $1 == line { print $c[d] }' %s", d, line, features)))
of(d) = stringcolumn('role') eq 'numeric' || stringcolumn('role') eq 'categorical' ? column(d) : NaN
set multiplot
set style fill solid 0.5 noborder
set boxwidth 0.8
unset xtics
set yrange [0:*]
do for [i=0:2] {
  d = word('js kl wasserstein', i + 1)
  m = report(d, 'overall')
  set size 0.333, 0.5
  set origin 0.333 * i, 0.5
  set title sprintf("%s\nmean %.3g\nasks for replay of %.3g", d, m, report(d, 'replay_ratio'))
  set xlabel 'features'
  plot features using ($0 + 1):(of(d)) with boxes, m with lines lw 2 lc rgb 'black'
}
set yrange [*:*]
set size 1, 0.5
set bmargin 3
set xtics scale 0
set origin 0, 0
set title 'replay'
unset xlabel
set ylabel 'AUC on test (%)'
set offsets 0.5, 0.5, graph 0.1, graph 0.1
spread(y) = stringcolumn(y) eq 'nan' ? 0 : column(y)
by(name) = name[1:9] eq 'adaptive ' ? "adaptive\n".name[10:*] : name
plot input using 0:(column('auc')):(spread('auc_sd')):xtic(by(stringcolumn('name'))) with yerrorbars pt 7 ps 0.8
unset multiplot
