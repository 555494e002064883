# AUC against training time, a point a method: gnuplot -e "input='table1.tsv'" points.gp > table1.svg
set terminal svg size 760,480 dynamic font 'sans-serif,12' name 'crossadapt'
set datafile separator tab
set datafile missing 'nan'
set key outside right
set xlabel 'core seconds of training'
set ylabel 'AUC on test (%)'
set logscale x
set grid
set colorsequence podo
set offsets graph 0.15, graph 0.2, graph 0.1, graph 0.1
of(g) = stringcolumn('group') eq g && stringcolumn('auc') ne 'nan' && stringcolumn('name') ne 'teacher' ? column('auc') : 1/0
plot for [g in 'mlp8 fibinet16'] input using (column('core_s')):(of(g)) with points pt 7 ps 0.8 title g, \
     for [g in 'mlp8 fibinet16'] input using (column('core_s')):(of(g)):(stringcolumn('name')) with labels left offset 0.8,0.4 notitle
