# Performance against computation: gnuplot -e "input='cost.tsv'" cost.gp > cost.svg
set terminal svg size 760,480 dynamic font 'sans-serif,12' name 'crossadapt'
set datafile separator tab
set datafile missing 'nan'
set grid
set colorsequence podo
set key outside right
set xlabel 'computation: core seconds of training'
set ylabel "performance: log loss above the teacher's"
set logscale x
set offsets graph 0.15, graph 0.2, graph 0.1, graph 0.1
of(g) = stringcolumn('group') eq g && stringcolumn('cost_perf') ne 'nan' ? column('cost_perf') : 1/0
plot for [g in 'mlp8 fibinet16'] input using (column('core_s')):(of(g)) with points pt 7 ps 0.8 title g, \
     for [g in 'mlp8 fibinet16'] input using (column('core_s')):(of(g)):(stringcolumn('name')) with labels left offset 0.8,0.4 notitle, \
     input using (column('core_s')):(of('ratio')) with linespoints pt 6 ps 0.6 title 'CrossAdapt-Sample over the ratio'
