# AUC against training time, a point a method: gnuplot -e "input='results.tsv'" plot.gp > results.svg
set terminal svg size 640,420 dynamic font 'sans-serif,12' name 'crossadapt'
set datafile separator tab
set datafile missing 'nan'
set key off
set xlabel 'training time (s)'
set ylabel 'AUC on test (%)'
set logscale x
set grid
set offsets graph 0.15, graph 0.2, graph 0.1, graph 0.1
plot input using 'train_s':'auc_pct' with points pt 7 ps 0.8 lc rgb '#1f5a8a', \
     input using (column('train_s')):(column('auc_pct')):(stringcolumn('method')) with labels left offset 0.8,0.4
