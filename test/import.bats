# ca-import: text to records, vocabularies, malformed rows.
load setup

setup_suite_data() {
  cat > toy.schema << 'S'
format = csv
min-count = 1
click  label
price  numeric      missing=0 transform=log2
shop   categorical
tags   list
S
  cat > toy.csv << 'S'
click,price,shop,tags
1,8,a,x|y
0,,b,
0,2,a,y
1,-4,"c, ""the"" shop",z|x|x
S
}

# import ARGUMENT...: quietly, under the schema of this suite
import() { ca-import -q --schema ./toy.schema "$@"; }

@test "help and version on stdout, unknown option and missing schema are usage errors" {
  run -0 --separate-stderr ca-import --help
  [[ $output == *--vocab-scope* && -z $stderr ]]
  run -0 --separate-stderr ca-import --version
  [[ $output == ca-import* && -z $stderr ]]
  run -2 --separate-stderr ca-import --no-such-option
  [[ -z $output && $stderr == *no-such-option* ]]
  run -2 ca-import toy.csv
  run -2 import --vocab v --min-count 3 toy.csv
  run -2 import --vocab-rows 3 --ratios 1:1:1:1 toy.csv
  run -2 import --reject r toy.csv
  run -2 import --ratios 1:1 toy.csv
  run -2 import --with 'price nonsense' toy.csv
}

@test "vocabulary: order of first appearance, counts, escapes" {
  import --vocab-scope all --vocab-out v toy.csv -o toy.car
  diff v - << 'S'
#ca-vocabulary 1
column	index	count	value
shop	0	0	
shop	1	2	a
shop	2	1	b
shop	3	1	c, "the" shop
tags	0	0	
tags	1	3	x
tags	2	2	y
tags	3	1	z
S
}

@test "scope: past counts the rows before the online part, all counts all, --vocab-rows the first N" {
  printf 'click,shop\n' > n.csv
  printf '0,%s\n' a b a b c d c d e f >> n.csv
  printf 'click label\nshop categorical min-count=2\n' > n.schema
  ca-import -q -s ./n.schema --vocab-out past n.csv -o past.car
  [ "$(cut -f4 past | tail -n +3 | tr '\n' ' ')" = ' a b c d ' ]
  ca-import -q -s ./n.schema --ratios 1:1:1:7 --vocab-out past n.csv -o past.car
  [ "$(tail -n 1 past)" = "$(printf 'shop\t0\t2\t')" ]
  ca-import -q -s ./n.schema --vocab-rows 4 --vocab-out rows n.csv -o rows.car
  [ "$(cut -f4 rows | tail -n +3 | tr '\n' ' ')" = ' a b ' ]
  printf '0,e\n' >> n.csv
  ca-import -q -s ./n.schema --vocab-scope all --vocab-out all n.csv -o all.car
  [ "$(cut -f4 all | tail -n +3 | tr '\n' ' ')" = ' a b c d e ' ]
  [ "$(sed -n 3p all)" = "$(printf 'shop\t0\t1\t')" ]
  run -0 ca-import -q -s ./n.schema --vocab-scope all --with 'shop categorical' --min-count 3 --vocab-out all n.csv -o all.car
  [ "$(wc -l < all)" = 3 ]
}

@test "pipe, file and gzip give the same bytes; so do threads; blocks change no content" {
  gzip -c toy.csv > toy.csv.gz
  import --no-provenance toy.csv -o file.car
  import --no-provenance toy.csv.gz -o gz.car
  cat toy.csv | import --no-provenance > pipe.car
  cat toy.csv.gz | import --no-provenance - > gzpipe.car
  import --no-provenance --threads 4 toy.csv -o four.car
  import --no-provenance --threads 1 toy.csv -o one.car
  for f in gz pipe gzpipe four one; do cmp file.car $f.car; done
  import --no-provenance <(cat toy.csv) -o fifo.car
  cmp file.car fifo.car
}

@test "several files in a row, each with its header; CR LF; no final line end; a byte order mark" {
  import --no-provenance --vocab-out v1 toy.csv toy.csv -o two.car
  head -n 3 toy.csv | sed 's/$/\r/' > part1.csv
  { printf '\xef\xbb\xbf'; head -n 1 toy.csv; tail -n +4 toy.csv; tail -n +2 toy.csv; } | head -c -1 > 'part 2.csv'
  import --no-provenance --vocab-out v2 part1.csv 'part 2.csv' -o parts.car
  cmp v1 v2
}

@test "a header may order the columns otherwise, and must have them all" {
  printf 'shop,tags,click,price\nb,x,0,1\n' > other.csv
  import other.csv -o other.car
  printf 'shop,tags,click\nb,x,0\n' > other.csv
  run -3 --separate-stderr import other.csv -o other.car
  [[ $stderr == *"'price'"*"'other.csv:1'"* ]]
  printf 'shop,tags,click,price,more\nb,x,0,1,7\n' > other.csv
  run -3 --separate-stderr import other.csv -o other.car
  [[ $stderr == *"'more'"* ]]
  import --with 'undeclared = drop' other.csv -o other.car
}

@test "the first malformed row stops the run, with file and line; nothing is left behind" {
  while IFS='|' read -r row fault; do
    { cat toy.csv; printf '%b\n' "$row"; echo '0,1,a,x'; } > bad.csv
    run -3 --separate-stderr import bad.csv -o bad.car
    [[ $stderr == *"$fault"*"'bad.csv:6'"* ]] || { echo "$row: $stderr"; return 1; }
    [ ! -e bad.car ]
  done << 'S'
1,2,a|3 fields, expected 4
1,2,a,x,y|5 fields, expected 4
2,2,a,x|label outside 0 to 1 '2' in column 'click'
,2,a,x|missing value in column 'click'
1,two,a,x|bad number 'two' in column 'price'
1,0x10,a,x|bad number
1,nan,a,x|bad number
1,-1e39,a,x|number out of range
1,2,a"b,x|a quote inside an unquoted field
1,2,"a"b,x|text behind a closing quote
1,2,"a,x|a quote is never closed
1,2,a\0000b,x|a NUL byte
S
}

@test "--skip-bad leaves out up to N rows, --reject keeps them as they stood" {
  { cat toy.csv; printf '1,2\r\n'; echo '0,1,a,x'; echo '1,"x"y,"z'; } > bad.csv
  run -3 import --skip-bad 1 --reject r bad.csv -o bad.car
  [ ! -e bad.car ] && [ ! -e r ]
  run -0 --separate-stderr ca-import -s ./toy.schema --skip-bad 2 --reject r bad.csv -o bad.car
  [[ $stderr == *"2 malformed rows left out"* && $stderr == *"5 records"* ]]
  cmp r <(printf '1,2\r\n1,"x"y,"z\n')
  { cat toy.csv; echo '0,1,a,x'; } > good.csv
  import --vocab-out vg good.csv -o good.car
  import --skip-bad 2 --vocab-out vb bad.csv -o bad.car
  cmp vg vb
}

@test "rows without a label are malformed, or dropped when asked" {
  { cat toy.csv; echo ',1,a,x'; } > bad.csv
  run -3 import bad.csv -o bad.car
  run -0 --separate-stderr ca-import -s ./toy.schema --drop-unlabelled bad.csv -o bad.car
  [[ $stderr == *"1 rows without a label"* && $stderr == *"4 records"* ]]
}

@test "--vocab streams with a vocabulary that stands" {
  import --vocab-scope all --no-provenance --vocab-out v toy.csv -o made.car
  import --vocab v --no-provenance --vocab-out w toy.csv -o used.car
  cmp v w
  cmp made.car used.car
  sed 's/^tags/tigs/' v > other
  run -3 --separate-stderr import --vocab other toy.csv -o x.car
  [[ $stderr == *"no column 'tags'"* ]]
  for edit in '1s/1/2/' '1s/vocab/volcab/' '$d' '4s/1/2/' '5s/b$/a/' '4s/a/\\q/'; do
    sed "$edit" v > other
    [ "$edit" = '$d' ] && head -c -1 v > other
    run -3 import --vocab other toy.csv -o x.car
  done
  run -4 import --vocab nosuch toy.csv -o x.car
}

@test "empty input and broken gzip are errors" {
  run -3 --separate-stderr import /dev/null -o x.car
  [[ $stderr == *"no rows"* ]]
  head -n 1 toy.csv > head.csv
  run -3 import head.csv -o x.car
  gzip -c toy.csv > toy.csv.gz
  head -c -5 toy.csv.gz > short.gz
  run -3 --separate-stderr import short.gz -o x.car
  [[ $stderr == *"ends early"*short.gz* ]]
  { cat toy.csv.gz; echo more; } > long.gz
  run -3 import long.gz -o x.car
  cat toy.csv.gz toy.csv.gz > twice.gz
  run -3 --separate-stderr import twice.gz -o x.car
  [[ $stderr == *"'twice.gz:6'"* ]]
}

@test "outputs that cannot be written" {
  run -4 bash -c 'ca-import -q --schema ./toy.schema toy.csv > /dev/full'
  run -4 import toy.csv -o nosuch/x.car
  run -4 import toy.csv -o x.car --vocab-out nosuch/v
  [ ! -e x.car ]
  run -4 import nosuch.csv -o x.car
  run -4 ca-import -s ./nosuch.schema toy.csv -o x.car
}

@test "a reader that leaves ends the run as SIGPIPE does" {
  seq 200000 | sed 's/.*/1,&,a&,x/' | cat <(head -n 1 toy.csv) - > long.csv
  run bash -c 'ca-import -q --schema ./toy.schema long.csv | head -c 1 > /dev/null; echo "${PIPESTATUS[0]}"'
  [ "$output" = 141 ]
}

@test "names with a space and names that begin with a dash" {
  cp toy.csv ' a b.csv'
  cp toy.csv ./-c.csv
  import -o -o.car ' a b.csv' -- -c.csv
  [ -s ./-o.car ]
}

@test "schema files: what is wrong is said with the line" {
  check() { # LINES FAULT
    printf '%b' "$1" > s.schema
    run -3 --separate-stderr ca-import -s ./s.schema toy.csv -o x.car
    [[ $stderr == *"$2"* ]] || { echo "$1: $stderr"; return 1; }
  }
  check 'click label\nclick numeric\n' "column is there twice: 'click'"
  check 'click label\nprice number\n' "'./s.schema:2'"
  check 'click label\nother label\n' 'more than one label'
  check 'price numeric\n' 'no label'
  check 'click label\nprice numeric min-count=3\n' "bad column option"
  check 'click label\nC{3..1} numeric\n' 'bad range'
  check 'colour = red\n' "unknown setting 'colour'"
  check 'min-count = 0\n' "bad value of 'min-count'"
  check 'click label\n"a numeric\n' 'a quote is never closed'
  check 'header = no\nclick label\nprice numeric from=nosuch\n' "'nosuch'"
}

@test "records: ids, transforms, time and lists as the schema says" {
  import --vocab-scope all toy.csv -o toy.car
  diff <(ca-view toy.car) - << 'S'
click	price	shop	tags
1	3	1	1,2
0	0	2	
0	2	1	2
1	-4	3	3,1,1
S
  ca-view --header toy.car > header
  grep -q "^shop	categorical	u32.*	4" header
  [ "$(ca-view --format json --header toy.car | jq -r .text_schema.name)" = file ]
  ca-view --attachment vocabulary toy.car > v1
  import --vocab-scope all --vocab-out v2 toy.csv -o toy.car
  cmp v1 v2
}

# long_csv: rows for many parts of the text; some fields are in quotes, with line ends, separators and quotes inside
long_csv() {
  awk 'BEGIN { print "click,price,shop,tags"
               for (r = 0; r < 60000; r++)
                 printf "%d,%s,%s,t%d|%s\n", r % 3 == 0, r % 11 ? r % 1000 : "",
                        r % 13 ? "shop" (r * 7919 % 5000) : "\"a, \"\"b" r % 50 "\"\"\n" (r % 26 ? "" : "\n1,2,c,d\n") "\"", r % 9, r % 700 }' > long.csv
}

@test "threads share the text: the same bytes for any number, from a file, a pipe and gzip, however lines end" {
  long_csv
  for text in "cat long.csv" "sed s/\$/\\r/ long.csv" "head -c -1 long.csv"; do
    for scope in past all; do
      $text > text.csv
      import --no-provenance -j 1 --vocab-scope $scope --vocab-out v1 text.csv -o one.car
      gzip -1 -c text.csv > text.csv.gz
      for j in 2 4; do
        import --no-provenance -j $j --vocab-scope $scope --vocab-out v text.csv -o file.car
        cmp v1 v
        import --no-provenance -j $j --vocab-scope $scope text.csv.gz -o gz.car
        cat text.csv | import --no-provenance -j $j --vocab-scope $scope > pipe.car
        for f in file gz pipe; do cmp one.car $f.car; done
      done
    done
    # a vocabulary that stands, of half of the values
    grep -v 'shop[0-9]*[02468]$' v1 | awk -F '\t' -v OFS='\t' '$1 in n { n[$1]++ } NR > 2 { $2 = n[$1] + 0; n[$1] += 0 } 1' > half
    for j in 1 2 4; do import --no-provenance -j $j --vocab half text.csv text.csv -o half$j.car; done
    cmp half1.car half2.car
    cmp half1.car half4.car
  done
}

@test "threads share the text: the first malformed row is the one that is named, and those left out are the same" {
  long_csv
  # far into the text, in the order of lines: two rows that break off, a quote that never closes
  sed -e '30000s/.*/1,2/' -e '30001s/.*/0,x,a,b/' -e '55000s/.*/1,"2,a,b/' long.csv > bad.csv
  for j in 1 2 4; do
    run -3 --separate-stderr import -j $j bad.csv -o bad.car
    echo "$stderr" > stderr$j
    [[ $stderr == *"2 fields, expected 4"*"'bad.csv:30000'"* ]]
    [ ! -e bad.car ]
    run -3 --separate-stderr import -j $j --skip-bad 1 bad.csv -o bad.car
    [[ $stderr == *"bad number 'x'"*"'bad.csv:30001'"* ]]
    import --no-provenance -j $j --skip-bad 60000 --reject reject$j bad.csv -o skipped$j.car
    [ "$(head -n 2 reject$j)" = "$(printf '1,2\n0,x,a,b')" ]
    cat bad.csv | import --no-provenance -j $j --skip-bad 60000 - | cmp - skipped1.car
    for f in stderr reject; do cmp ${f}1 $f$j; done
  done
  # a fault of the text behind a malformed row does not hide it, nor the other way round
  gzip -c bad.csv | head -c -9 > bad.csv.gz
  gzip -c long.csv | head -c -9 > long.csv.gz
  for j in 1 2 4; do
    run -3 --separate-stderr import -j $j bad.csv.gz -o bad.car
    [[ $stderr == *"'bad.csv.gz:30000'"* ]]
    run -3 --separate-stderr import -j $j long.csv.gz -o bad.car
    [[ $stderr == *"gzip"* ]]
  done
}

@test "--block-rows and --compress change no content" {
  seq 3000 | awk 'BEGIN { print "click,price,shop,tags" } { print $1 % 2 "," $1 "," $1 % 77 ",t" $1 % 5 "|u" }' > long.csv
  for o in '--block-rows 1' '--block-rows 1000' '--block-rows 1M' '--compress 1' '--threads 3'; do
    # shellcheck disable=SC2086
    import $o long.csv | ca-view --totals | grep '^digest' >> digests
  done
  [ "$(sort -u digests | wc -l)" = 1 ]
}

# Real data, never part of the project: in CA_DATA, beside the sources by default.
real() {
  data=${CA_DATA:-$TOP/../shared/data}
  [ -r "$data/$1" ] || skip "LOUDLY: no $data/$1: set CA_DATA to where the real data are"
}

# reference FILE THRESHOLD ROWS PYTHON-COLUMNS: the vocabulary counted by someone else
reference() {
  /usr/bin/python3 - "$@" << 'P'
import csv, gzip, sys
path, least, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with gzip.open(path, 'rt', newline='') as f:
    if path.endswith('.tsv.gz'):
        rows = [line.rstrip('\n').split('\t') for line in f]
        names = ['label'] + ['I%d' % i for i in range(1, 14)] + ['C%d' % i for i in range(1, 27)]
    else:
        rows = list(csv.reader(f))
        names = rows.pop(0)
print('#ca-vocabulary 1')
print('column\tindex\tcount\tvalue')
for name in sys.argv[4].split(','):
    at = names.index(name)
    count = {}
    for row in rows[:n]:
        if row[at]:
            count[row[at]] = count.get(row[at], 0) + 1
    kept = [v for v in count if count[v] >= least]
    print('%s\t0\t%d\t' % (name, min(n, len(rows)) - sum(count[v] for v in kept)))
    for i, v in enumerate(kept):
        print('%s\t%d\t%d\t%s' % (name, i + 1, count[v], v))
P
}

@test "real data: the first 10000 rows of Criteo against an independent count" {
  real criteo_first10k.tsv.gz
  columns=$(seq -s, -f C%g 26)
  import_real() { ca-import -q -s criteo --vocab-out v "$@" "$data/criteo_first10k.tsv.gz" -o r.car; }
  import_real
  reference "$data/criteo_first10k.tsv.gz" 10 8000 "$columns" > want
  cmp v want
  import_real --vocab-scope all
  reference "$data/criteo_first10k.tsv.gz" 10 10000 "$columns" > want
  cmp v want
  # the numeric columns: log2 above 2, 0 for missing
  diff <(ca-view --columns label,I1,I2,I5 --limit 3 r.car | tail -n +2) - << 'S'
0	1	1	10.4325418
0	2	0	6.67242527
0	2	0	9.58308315
S
}

@test "real data: the first rows of Avazu against an independent count" {
  real avazu_first10k.csv.gz
  columns=hour,C1,banner_pos,site_id,site_domain,site_category,app_id,app_domain,app_category,device_id,device_ip
  columns+=,device_model,device_type,device_conn_type,$(seq -s, -f C%g 14 21)
  ca-import -q -s avazu --vocab-out v "$data/avazu_first10k.csv.gz" -o a.car
  reference "$data/avazu_first10k.csv.gz" 5 7998 "$columns" > want
  cmp v want
  [ "$(ca-view --columns click,time,hour,C1 --limit 1 a.car | tail -n 1)" = "$(printf '0\t392736\t1\t1')" ]
  ca-import -q -s avazu --with 'hour drop' "$data/avazu_first10k.csv.gz" -o b.car
  [ "$(ca-view --header b.car | grep -c categorical)" = 21 ]
}

@test "real data: ml1m, hotel, globo, criteo_attribution have the rows they should" {
  while read -r name rows; do
    real "$name.csv.gz"
    ca-import -q -s "$name" "$data/$name.csv.gz" -o r.car
    [ "$(ca-view --totals r.car | sed -n 's/^rows\t//p')" = "$rows" ]
  done << 'S'
ml1m 487650
hotel 119390
globo 600000
criteo_attribution 165152
S
}

@test "libsvm and libffm" {
  printf 'format = libsvm\ny label\n3 numeric missing=0\n* list\n' > svm.schema
  printf '1 3:0.5 7:1 9:1\n0 9:1\n' | ca-import -q -s ./svm.schema --vocab-scope all | ca-view > got
  diff got <(printf 'y\t3\t*\n1\t0.5\t1,2\n0\t0\t2\n')
  printf 'format = libffm\ny label\n{0..1} categorical\nprice numeric from=2 missing=0\n' > ffm.schema
  printf '1 0:17:1 1:99:1 2:5:0.25\n0 1:99:1 0:18:1\n' | ca-import -q -s ./ffm.schema --vocab-scope all | ca-view > got
  diff got <(printf 'y\t0\t1\tprice\n1\t1\t1\t0.25\n0\t2\t1\t0\n')
  run -3 --separate-stderr bash -c "echo '1 5:1:1' | ca-import -q -s ./ffm.schema -o x.car"
  [[ $stderr == *"a field the schema does not have: '5:1:1'"*:1\'* ]]
}

@test "text from ca-gen comes in as the Criteo layout" {
  ca-gen -q --rows 3000 --seed 5 --format tsv | ca-import -q -s criteo -o gen.car
  [ "$(ca-view --header gen.car | grep -c numeric)" = 13 ]
  [ "$(ca-view --header gen.car | grep -c categorical)" = 26 ]
  [ "$(ca-view --totals gen.car | sed -n 's/^rows\t//p')" = 3000 ]
}

@test "no room to wait for the vocabulary, a run that is stopped: no output" {
  TMPDIR=$PWD/nosuch run -4 import toy.csv -o x.car
  mkfifo slow
  ca-import -q -s ./toy.schema slow -o x.car &
  exec 9> slow
  cat toy.csv >&9
  sleep 0.3
  kill -TERM $!
  wait $! && return 1
  exec 9>&-
  [ ! -e x.car ]
  [ -z "$(find . -name '.x.car*')" ]
}

# histories: items and categories in columns of their own and in lists, some rare, some missing, some only in lists
setup_histories() {
  cat > his.schema << 'S'
min-count = 3
click     label
item_his  list  like=item max=5
item      categorical
cate      categorical
cate_his  list  like=cate
S
  awk 'function item() { return rand() < 0.1 ? "" : "i" int(300 * rand() ^ 2) }
       function list(n, kind,   s, k) { for (k = 0; k < n; k++) s = s (k ? "|" : "") kind int(400 * rand() ^ 2); return s }
       BEGIN { srand(1); print "click,item_his,item,cate,cate_his"
               for (r = 0; r < 3000; r++)
                 printf "%d,%s,%s,c%d,%s\n", rand() < 0.3, list(int(9 * rand()), "i"), item(), int(20 * rand()), list(int(3 * rand()), "c") }' > his.csv
}

@test "a list that is like a column: counts, numbers and sizes are those of an independent reading" {
  setup_histories
  ca-import -q -s ./his.schema --vocab-out v his.csv -o his.car
  # first appearance and counts of both columns together, over the first eight tenths of the rows
  /usr/bin/python3 - > want << 'S'
import csv
rows = list(csv.DictReader(open('his.csv')))
order = ['item_his', 'item', 'cate', 'cate_his']
of = {'item_his': 'item', 'cate_his': 'cate', 'item': 'item', 'cate': 'cate'}
def values(r, c):
    if not c.endswith('_his'):
        return [r[c]]
    v = r[c].split('|') if r[c] else []
    return v[-5:] if c == 'item_his' else v
seen, count = {'item': {}, 'cate': {}}, {'item': {}, 'cate': {}}
for n, r in enumerate(rows):
    for c in order:
        for v in values(r, c):
            if v:
                seen[of[c]].setdefault(v, len(seen[of[c]]))
            if n < 2400:
                count[of[c]][v] = count[of[c]].get(v, 0) + 1
kept = {c: [v for v in seen[c] if count[c].get(v, 0) >= 3] for c in seen}
ids = {c: {v: i + 1 for i, v in enumerate(kept[c])} for c in kept}
print('click', *order, sep='\t')
for r in rows:
    print(r['click'], *(','.join(str(ids[of[c]].get(v, 0)) for v in values(r, c)) for c in order), sep='\t')
with open('want.v', 'w') as f:
    print('#ca-vocabulary 1\ncolumn\tindex\tcount\tvalue', file=f)
    for c in ('item', 'cate'):
        print(c, 0, sum(n for v, n in count[c].items() if v not in ids[c]), '', sep='\t', file=f)
        for v in kept[c]:
            print(c, ids[c][v], count[c][v], v, sep='\t', file=f)
S
  diff <(ca-view his.car) want
  diff v want.v
  run -0 ca-view -q --header his.car
  size=$(awk -F '\t' '$1 == "item" { n++ } END { print n }' v)
  [[ $output == *"item_his	sequence	u32	1	$size	item"* && $output == *"item	categorical	u32	0	$size	"* ]]
  ca-view --stats his.car | awk -F '\t' 'NR > 1 && $NF > 0 { exit 1 }'
}

@test "shared vocabularies: threads, pipes, and a vocabulary that stands give the same rows" {
  setup_histories
  ca-import -q --no-provenance -s ./his.schema --threads 1 --vocab-out v his.csv -o one.car
  for t in 2 5; do
    ca-import -q --no-provenance -s ./his.schema --threads $t < his.csv | cmp one.car -
    ca-import -q --no-provenance -s ./his.schema --threads $t --vocab v his.csv | cmp <(ca-view one.car) <(ca-view -q)
  done
  # through other tools: what is passed on keeps its column, what loses it has ids of its own
  ca-cat -q one.car | ca-view -q --header | grep -q '^item_his	sequence	.*	item$'
  ca-cat -q --drop item one.car | ca-view -q --header | grep -q '^item_his	sequence	.*	$'
  run -2 ca-import -q -s ./his.schema --with 'cate drop' his.csv
  [[ $output == *"no categorical column"*"'cate'"* ]]
}

# unknown_ids WORD: the rows of his.csv and their vocabulary by an independent reading, to rows.WORD and v.WORD
unknown_ids() {
  /usr/bin/python3 - "$1" << 'S'
import csv, sys
word = sys.argv[1]
rows = list(csv.DictReader(open('his.csv')))
order = ['item_his', 'item', 'cate', 'cate_his']
items = {c: [[v for v in ([r[c]] if not c.endswith('_his') else r[c].split('|') if r[c] else [])] for r in rows] for c in order}
items['item_his'] = [x[-5:] for x in items['item_his']]
ids, unknown = {}, {}
v = open('v.' + word, 'w')
print('#ca-vocabulary 1\ncolumn\tindex\tcount\tvalue', file=v)
for c in ('item', 'cate'):
    both = [k for k in order if k.startswith(c)]
    seen, count, empty = {}, {}, 0
    for n in range(len(rows)):
        for k in both:
            for x in items[k][n]:
                seen.setdefault(x, 0)
                if n < 2400:
                    count[x] = count.get(x, 0) + 1
    empty, kept = count.pop('', 0), [x for x in seen if x and count.get(x, 0) >= 3]
    rest = sum(n for x, n in count.items() if n < 3)
    ids[c] = {x: i + 1 for i, x in enumerate(kept)}
    unknown[c] = 0 if word == 'zero' else len(kept) + 1
    ids[c][''] = 0
    print(c, 0, empty + (rest if word == 'zero' else 0), '', sep='\t', file=v)
    for x in kept:
        print(c, ids[c][x], count[x], x, sep='\t', file=v)
    if unknown[c]:
        print(c, unknown[c], rest, '', sep='\t', file=v)
with open('rows.' + word, 'w') as f:
    print('click', *order, sep='\t', file=f)
    for n, r in enumerate(rows):
        field = []
        for k in order:
            c = k[:4]
            got = [ids[c].get(x, unknown[c]) for x in items[k][n]]
            if word == 'last-and-missing' and k == c:
                got = [x or unknown[c] for x in got]
            field.append(','.join(map(str, got)))
        print(r['click'], *field, sep='\t', file=f)
S
}

@test "ids of unknown values: zero, last and last-and-missing are those of an independent reading, lists alike" {
  setup_histories
  awk 'BEGIN { print "click,item_his,item,cate,cate_his"; print "1,never||i1,new,,|c1|strange"; print "0,,,c0," }' > new.csv
  ca-import -q -s ./his.schema --vocab-out default.v --no-provenance his.csv -o default.car
  for word in zero last last-and-missing; do
    unknown_ids $word
    ca-import -q -s ./his.schema --with "unknown = $word" --no-provenance --vocab-out v his.csv -o $word.car
    diff v v.$word
    diff <(ca-view $word.car) rows.$word
    ca-view -q --attachment vocabulary $word.car | cmp v -
    size=$(awk -F '\t' '$1 == "item" { n++ } END { print n }' v)
    [[ $(ca-view -q --header $word.car) == *"item	categorical	u32	0	$size	"* ]]
    ca-view --stats $word.car | awk -F '\t' 'NR > 1 && $NF > 0 { exit 1 }'
    for t in 1 5; do
      ca-import -q -s ./his.schema --with "unknown = $word" --no-provenance --threads $t < his.csv | cmp $word.car -
      ca-import -q -s ./his.schema --with "unknown = $word" --vocab v --threads $t his.csv | ca-view -q | diff rows.$word -
    done
    last=$(( $(awk -F '\t' '$1 == "item" { n++ } END { print n }' v) - 1 )) cate=$(( $(awk -F '\t' '$1 == "cate" { n++ } END { print n }' v) - 1 ))
    i1=$(awk -F '\t' '$4 == "i1" { print $2 }' v) c0=$(awk -F '\t' '$4 == "c0" { print $2 }' v) c1=$(awk -F '\t' '$4 == "c1" { print $2 }' v)
    case $word in
      zero) want="1 0,0,$i1 0 0 0,$c1,0/0  0 $c0 /" ;;
      last) want="1 $last,0,$i1 $last 0 0,$c1,$cate/0  0 $c0 /" ;;
      *) want="1 $last,0,$i1 $last $cate 0,$c1,$cate/0  $last $c0 /" ;;
    esac
    ca-import -q -s ./his.schema --with "unknown = $word" --vocab v new.csv -o new.car
    [[ $(ca-view -q new.car | tail -n +2 | tr '\t\n' ' /') == "$want" ]]
  done
  # zero is the default, and what is said of missing values changes no vocabulary
  cmp default.v v.zero
  diff <(ca-view default.car) rows.zero
  cmp v.last v.last-and-missing
}

@test "a vocabulary that stands knows the id of unknown values; a schema that says otherwise is refused" {
  setup_histories
  ca-import -q -s ./his.schema --vocab-out zero.v his.csv -o zero.car
  ca-import -q -s ./his.schema --with 'unknown = last' --vocab-out last.v his.csv -o last.car
  ca-import -q -s ./his.schema --vocab last.v his.csv | cmp <(ca-view last.car) <(ca-view -q)
  run -3 --separate-stderr ca-import -q -s ./his.schema --with 'unknown = last' --vocab zero.v his.csv -o x.car
  [[ $stderr == *"no id for unknown values of 'item'"*"'zero.v'"*'unknown = zero'* && ! -e x.car ]]
  run -3 --separate-stderr ca-import -q -s ./his.schema --with 'unknown = last-and-missing' --vocab zero.v his.csv -o x.car
  [[ $stderr == *"no id for unknown values of 'item'"* ]]
  run -3 --separate-stderr ca-import -q -s ./his.schema --with 'unknown = zero' --vocab last.v his.csv -o x.car
  [[ $stderr == *"an id for unknown values of 'item'"*"'last.v'"*'unknown = last'* ]]
  run -2 ca-import -q -s ./his.schema --with 'unknown = first' his.csv
  # a value behind the last id is damage
  printf 'cate\t%d\t9\tafter\n' "$(wc -l < last.v)" >> last.v
  run -3 ca-import -q -s ./his.schema --vocab last.v his.csv -o x.car
}

@test "criteo-kdef: 39 categories, counts of zero and missing values at the last id" {
  awk 'BEGIN { OFS = "\t"; srand(8)
    for (r = 0; r < 400; r++) {
      printf "%d", rand() < 0.3
      for (i = 0; i < 13; i++) printf "\t%s", rand() < 0.2 ? "" : int(exp(6 * rand()) - 1)
      for (i = 0; i < 26; i++) printf "\t%s", rand() < 0.2 ? "" : sprintf("%08x", 40 * rand() ^ 3)
      print "" } }' > c.tsv
  ca-import -q -s criteo-kdef --vocab-out v c.tsv -o c.car
  /usr/bin/python3 - > want << 'S'
import math
rows = [l.rstrip('\n').split('\t') for l in open('c.tsv')]
for r in rows:
    for i in range(1, 14):
        x = int(r[i] or 0)
        x = math.floor(math.log(x) ** 2) if x > 2 else x
        r[i] = str(x) if x else ''
for c in range(1, 40):
    count, seen = {}, []
    for n, r in enumerate(rows):
        if r[c] and r[c] not in count:
            count[r[c]] = 0
            seen.append(r[c])
        if r[c] and n < 320:
            count[r[c]] += 1
    kept = [v for v in seen if count[v] >= 10]
    for r in rows:
        r[c] = str(kept.index(r[c]) + 1 if r[c] in kept else len(kept) + 1)
print(*['label'] + ['I%d' % i for i in range(1, 14)] + ['C%d' % i for i in range(1, 27)], sep='\t')
for r in rows:
    print(*r, sep='\t')
S
  diff <(ca-view c.car) want
  [[ $(ca-view -q --header c.car | grep -c '	categorical	') == 39 ]]
}

@test "data/histories.awk: the last 50 earlier likes of the user, as an independent reading has them" {
  awk 'BEGIN { srand(3); print "like,time,user,item,genre1"
               for (r = 0; r < 4000; r++) printf "%d,%d,%d,%d,g%d\n", rand() < 0.6, t += rand() < 0.3, 12 * rand(), 200 * rand(), 9 * rand() }' > log.csv
  awk -f "$TOP/data/histories.awk" log.csv > got.csv
  /usr/bin/python3 - > want.csv << 'S'
import csv
rows = list(csv.DictReader(open('log.csv')))
print(*rows[0].keys(), 'item_his', 'genre_his', sep=',')
for n, r in enumerate(rows):
    past = [q for q in rows[:n] if q['user'] == r['user'] and int(q['time']) < int(r['time']) and q['like'] == '1'][-50:]
    print(*r.values(), '|'.join(q['item'] for q in past), '|'.join(q['genre1'] for q in past), sep=',')
S
  cmp got.csv want.csv
  [ "$(awk -F , '{ n = split($6, x, "|"); if (n > most) most = n } END { print most }' got.csv)" = 50 ]
  run -3 awk -f "$TOP/data/histories.awk" <<< 'like,time,user,item'
  [[ $output == *"no column 'genre1'"* ]]
}
