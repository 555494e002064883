# Convergence: gnuplot -e "input='curves.tsv'; figure='fig4-time'" curves.gp > fig4-time.svg
set terminal svg size 760,480 dynamic font 'sans-serif,12' name 'crossadapt'
set datafile separator tab
set key outside right
set grid
set colorsequence podo
x = figure eq 'fig4-rows' ? 'rows' : 'seconds'
y = figure eq 'fig4-loss' ? 'logloss' : 'auc'
set xlabel x eq 'rows' ? 'rows trained' : 'core seconds of training'
set ylabel y eq 'auc' ? 'AUC on test (%)' : 'log loss on test'
stats input using 2 nooutput
# the first block has the line of names, which every block's columns are called by
col(name) = name eq 'rows' ? 2 : name eq 'seconds' ? 3 : name eq 'auc' ? 4 : 5
names = system(sprintf("awk -F '\t' 'NR > 1 && $1 != \"\" && $1 != last { print last = $1 }' %s", input))
plot for [i=0:STATS_blocks-1] input index i using col(x):col(y) with linespoints pt 7 ps 0.3 title word(names, i + 1)
