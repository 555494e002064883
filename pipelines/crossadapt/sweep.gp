# A sweep: gnuplot -e "input='fig6a.tsv'; figure='fig6a'; axis='sampling ratio'" sweep.gp > fig6a.svg
set terminal svg size 760,640 dynamic font 'sans-serif,12' name 'crossadapt'
set datafile separator tab
# other stages' rows, and what there is not, are passed over by the line
set datafile missing NaN
set grid
set colorsequence podo
if (figure eq 'fig6a' || figure eq 'fig6c') set logscale x
set offsets graph 0.05, graph 0.05, graph 0.1, graph 0.1
set key outside right
at(stage, y) = stringcolumn('name') eq stage && stringcolumn(y) ne 'nan' ? column(y) : NaN
spread(y) = stringcolumn(y) eq 'nan' ? 0 : column(y)
stages = figure eq 'fig6e' ? 'online' : 'offline online'
set multiplot layout 2,1
set ylabel 'AUC on test (%)'
plot for [s in stages] input using (column('group')):(at(s, 'auc')):(spread('auc_sd')) with yerrorlines pt 7 ps 0.5 title 'after '.s
set ylabel 'log loss on test'
set xlabel axis
plot for [s in stages] input using (column('group')):(at(s, 'logloss')):(spread('logloss_sd')) with yerrorlines pt 7 ps 0.5 title 'after '.s
unset multiplot
