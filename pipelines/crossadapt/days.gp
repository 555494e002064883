# The days of service: gnuplot -e "input='conversion.tsv'; methods='production daily'" days.gp > days.svg
set terminal svg size 760,480 dynamic font 'sans-serif,12' name 'crossadapt'
set datafile separator tab
set datafile missing NaN
set key outside right
set grid
set colorsequence podo
set xlabel 'day of service'
set ylabel 'AUC over clicked exposures'
set xtics 1
set autoscale noextend
set offsets 0.2, 0.2, graph 0.1, graph 0.1
day(m) = stringcolumn('table') eq 'days' && stringcolumn('method') eq m && stringcolumn('ours') ne 'nan' ? \
  real(substr(stringcolumn('measure'), 5, 9)) : NaN
spread(y) = stringcolumn(y) eq 'nan' ? 0 : column(y)
plot for [m in methods] input using (day(m)):(column('ours')):(spread('ours_sd')) with yerrorlines pt 7 ps 0.5 title m
