# ca-train as FuxiCTR trains: one rate, clipping, decay, shuffled epochs, early stopping; models that read lists
load setup

setup_suite_data() {
  D=$BATS_FILE_TMPDIR/data
  if [[ ! -d $D ]]; then
    mkdir "$D"
    ca-gen -q --rows 6k --preset small --seed 5 -o "$D/in.car"
    ca-gen -q --rows 2k --preset small --seed 5 --start 6000 -o "$D/valid.car"
    # the click depends on whether the item's word is in the list
    awk 'BEGIN { srand(3); print "y,item,shop,words"
      for (i = 0; i < 4000; i++) {
        item = int(rand() * 12); n = int(rand() * 6); list = ""; hit = 0
        for (k = 0; k < n; k++) { w = int(rand() * 12); hit = hit || w == item; list = list (k ? "|" : "") "w" w }
        print (rand() < (hit ? 0.85 : 0.15)) ",w" item ",s" int(rand() * 5) "," list } }' > "$D/lists.csv"
    printf 'format = csv\nmin-count = 1\ny label\nitem categorical\nshop categorical\nwords list separator=|\n' > "$D/lists.schema"
    ca-import -q --schema "$D/lists.schema" -o "$D/lists.car" "$D/lists.csv"
  fi
  IN=$D/in.car VALID=$D/valid.car LISTS=$D/lists.car
}

# auc MODEL FILE
auc() {
  ca-eval -q --model "$1" "$2" | awk -F '\t' 'NR == 1 && $1 != "auc" { exit 1 } NR == 2 { print $1 }'
}

@test "the rate of the FuxiCTR family is 0.001 for everything, clipped at 10" {
  ca-train -q --arch fm:4 --batch 500 -o default.safetensors "$IN"
  ca-train -q --arch fm:4 --batch 500 --lr 0.001 --clip 10 -o said.safetensors "$IN"
  ca-train -q --arch fm:4 --batch 500 --lr-table 0.001 --lr-dense 0.001 -o parts.safetensors "$IN"
  ca-model -q --diff default.safetensors said.safetensors
  ca-model -q --diff default.safetensors parts.safetensors
  ca-train -q --arch fm:4 --batch 500 --lr-table 0.1 -o other.safetensors "$IN"
  run -1 ca-model --diff default.safetensors other.safetensors
  ca-train -q --arch fm:4 --batch 500 --clip 1e-3 -o other.safetensors "$IN"
  run -1 ca-model --diff default.safetensors other.safetensors
  # CrossAdapt's models do not clip
  ca-train -q --arch mlp:4:8 --batch 500 -o a.safetensors "$IN"
  ca-train -q --arch mlp:4:8 --batch 500 --clip 0 --lr-table 0.1 --lr-dense 0.001 -o b.safetensors "$IN"
  ca-model -q --diff a.safetensors b.safetensors
}

@test "decay makes tables smaller, of rows that never come too" {
  ca-train -q --arch fm:4 --batch 500 --epochs 3 -o plain.safetensors "$IN"
  ca-train -q --arch fm:4 --batch 500 --epochs 3 --l2-table 10 -o decayed.safetensors "$IN"
  norm() { ca-model -q --tensors "$1" | awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } $2 == "table" { s += $at["l2_norm"] ^ 2 } END { print s }'; }
  awk -v a="$(norm plain.safetensors)" -v b="$(norm decayed.safetensors)" 'BEGIN { exit !(a > 0 && b > 0 && b < a / 2) }'
  run -1 ca-model --diff plain.safetensors decayed.safetensors
  for j in 1 4; do
    ca-train -q --arch fm:4 --batch 500 --epochs 3 --l2-table 10 -j $j -o again.safetensors "$IN"
    cmp again.safetensors decayed.safetensors
  done
}

@test "patience keeps the model of the best epoch, slows down and stops" {
  run -0 --separate-stderr ca-train --arch deepfm-fx:8:32 --lr 0.05 --batch 200 --shuffle --epochs 50 --patience 2 --valid "$VALID" \
    --log log.tsv --log-interval 1000000 -o best.safetensors "$IN"
  [[ $stderr =~ best\ epoch\ ([0-9]+)\ of\ ([0-9]+):\ valid\ auc\ ([0-9.]+) ]]
  best=${BASH_REMATCH[1]} epochs=${BASH_REMATCH[2]} said=${BASH_REMATCH[3]}
  (( epochs < 50 && epochs == best + 2 ))
  # the best line of the log is the best epoch's, and the model's own figure
  awk -F '\t' -v best="$best" -v said="$said" 'NR > 1 && $5 != "" { n++; if ($5 > top) { top = $5; at = n } }
    END { exit !(at == best && sprintf("%.6f", top) == said) }' log.tsv
  [[ $(printf '%.6f' "$(auc best.safetensors "$VALID")") == "$said" ]]
  # by LogLoss, with another end
  run -0 --separate-stderr ca-train --arch deepfm-fx:8:32 --lr 0.05 --batch 200 --shuffle --epochs 50 --patience 1 --monitor logloss \
    --valid "$VALID" -o other.safetensors "$IN"
  [[ $stderr =~ best\ epoch\ ([0-9]+)\ of\ ([0-9]+) ]]
  (( BASH_REMATCH[2] == BASH_REMATCH[1] + 1 ))
}

@test "shuffled epochs: every row once, an order of their own, equal bytes for any blocks and threads" {
  ca-train -q --arch fm:4 --batch 700 --shuffle --epochs 2 -o a.safetensors "$IN"
  ca-cat -q --no-provenance --block-rows 333 "$IN" > small.car
  for j in 1 4; do
    ca-train -q --arch fm:4 --batch 700 --shuffle --epochs 2 -j $j -o b.safetensors small.car
    cmp a.safetensors b.safetensors
  done
  for other in '' '--shuffle --seed 9'; do
    ca-train -q --arch lr --batch 700 $other --epochs 2 -o b.safetensors "$IN"
    ca-train -q --arch lr --batch 700 --shuffle --epochs 2 -o c.safetensors "$IN"
    run -1 ca-model --diff b.safetensors c.safetensors
  done
  # one batch of all rows is the same batch in any order: the sum of the losses says that none is lost or twice
  for how in '' --shuffle; do
    ca-train -q --arch lr --batch 6000 $how --log "log$how.tsv" --log-interval 1 -o c.safetensors "$IN"
  done
  paste log.tsv log--shuffle.tsv | awk -F '\t' 'NR > 1 && ($2 != $6 || ($3 - $7) ^ 2 > 1e-24) { exit 1 }'
}

@test "a list makes a difference where it should, and a model with lists goes on from its file" {
  ca-train -q --arch deepfm-fx:8:32 --lr 0.01 --batch 100 --epochs 8 -o lists.safetensors "$LISTS"
  ca-train -q --arch mlp:8:32 --batch 100 --epochs 8 -o none.safetensors "$LISTS"
  awk -v a="$(auc lists.safetensors "$LISTS")" -v b="$(auc none.safetensors "$LISTS")" 'BEGIN { exit !(a > b + 0.05) }'
  ca-model -q --tensors lists.safetensors | grep -q 'embedding_layers.words.weight'
  # a sequence looks at its newest entries only
  ca-train -q --arch deepfm-fx:8:32 --lr 0.01 --batch 100 --sequence-length 1 -o short.safetensors "$LISTS"
  ca-train -q --arch deepfm-fx:8:32 --lr 0.01 --batch 100 --sequence-length 5 -o long.safetensors "$LISTS"
  ca-train -q --arch deepfm-fx:8:32 --lr 0.01 --batch 100 --sequence-length 9 -o longer.safetensors "$LISTS"
  run -1 ca-model --diff short.safetensors long.safetensors
  # no list is longer than 5: further places hold nothing
  [[ $(ca-predict -q -m long.safetensors "$LISTS" | md5sum) == $(ca-predict -q -m longer.safetensors "$LISTS" | md5sum) ]]
  # same bits for any blocks
  ca-cat -q --no-provenance --block-rows 17 "$LISTS" > small.car
  ca-train -q --arch deepfm-fx:8:32 --lr 0.01 --batch 100 --sequence-length 5 -j 4 -o again.safetensors small.car
  ca-model -q --diff long.safetensors again.safetensors
  ca-train -q --init long.safetensors --lr 0.01 --batch 100 -o next.safetensors "$LISTS"
  run -1 ca-model --diff next.safetensors long.safetensors
}

# click_rate MODEL FILE SHOPS: the mean prediction over the rows of shops.csv whose shop the pattern matches
click_rate() {
  paste -d , <(tail -n +2 shops.csv) <(ca-predict -q -m "$1" "$2" | tail -n +2 | tr '\t' ,) |
    awk -F , -v shop="$3" '$2 ~ shop { s += $NF; n++ } END { print s / n }'
}

# shop_rows MODEL: rows of the shops' table, the norm of the first and of the last row over that of rows as they start
shop_rows() {
  /usr/bin/python3 - "$1" << 'S'
import json, struct, sys
b = open(sys.argv[1], 'rb').read()
n = struct.unpack('<Q', b[:8])[0]
t = json.loads(b[8:8 + n])['embedding_layer.embedding_layer.embedding_layers.shop.weight']
(rows, width), (p, q) = t['shape'], t['data_offsets']
w = struct.unpack('<%df' % (rows * width), b[8 + n + p:8 + n + q])
norm = lambda r: sum(x * x for x in w[r * width:(r + 1) * width]) ** 0.5 / (1e-4 * width ** 0.5)
print(rows, norm(0), norm(rows - 1))
S
}

@test "rare values are learned from where they have an id of their own" {
  # common shops click at 0.3, rows without a shop at 0.1, the many shops that are there once or twice at 0.8
  awk 'BEGIN { srand(4); print "y,shop,day"
    for (i = 0; i < 6000; i++) {
      u = rand()
      if (u < 0.5) { shop = "s" int(rand() * 10); p = 0.3 }
      else if (u < 0.75) { shop = ""; p = 0.1 }
      else { shop = "r" int(rand() * 4000); p = 0.8 }
      print (rand() < p) "," shop ",d" int(rand() * 7) } }' > shops.csv
  printf 'min-count = 10\ny label\nshop categorical\nday categorical\n' > shops.schema
  for word in zero last last-and-missing; do
    ca-import -q --schema ./shops.schema --with "unknown = $word" -o $word.car shops.csv
    ca-train -q --arch deepfm-fx:4:16 --lr 0.01 --batch 100 --epochs 6 -o $word.safetensors $word.car
    rare=$(click_rate $word.safetensors $word.car '^r') none=$(click_rate $word.safetensors $word.car '^$')
    echo "$word: rare $rare, missing $none, common $(click_rate $word.safetensors $word.car '^s')"
    case $word in
      last) awk -v r="$rare" -v n="$none" 'BEGIN { exit !(r > 0.75 && r < 0.85 && n > 0.05 && n < 0.15) }' ;;
      *) awk -v r="$rare" -v n="$none" 'BEGIN { exit !((r - n) ^ 2 < 1e-4 && r > 0.35 && r < 0.55) }' ;;
    esac
    # the row of missing values stays zero; that of unknown ones is one more, and moves
    read -r rows first last < <(shop_rows $word.safetensors)
    echo "$rows rows, norms $first and $last"
    [[ $first == 0.0 && $rows == $([[ $word == zero ]] && echo 11 || echo 12) ]]
    awk -v l="$last" 'BEGIN { exit !(l > 100) }'
  done
  awk -v a="$(auc last.safetensors last.car)" -v b="$(auc zero.safetensors zero.car)" 'BEGIN { exit !(a > b + 0.1) }'
}

@test "options that do not go together" {
  for bad in '--lr 0.1 --lr-table 0.1' '--patience 2' '--monitor auc' '--lr-decay 0.5' '--sequence-length 0' '--item-fields nothing'; do
    run -2 --separate-stderr ca-train --arch fm:4 $bad -o m.safetensors "$IN"
    [[ -n $stderr && ! -e m.safetensors ]]
  done
  ca-train -q --arch fm:4 -o m.safetensors "$IN"
  run -2 --separate-stderr ca-train --init m.safetensors --sequence-length 3 -o n.safetensors "$IN"
}

@test "a model that reads lists inherits from one that does not, and the other way" {
  ca-train -q --arch mlp:4:8 --batch 500 -o mlp.safetensors "$LISTS"
  ca-project -q --arch fm:4 -o fm.safetensors mlp.safetensors
  ca-model -q --tensors fm.safetensors | grep -q 'embedding_layers.words.weight'
  ca-train -q --init fm.safetensors --batch 500 -o fm2.safetensors "$LISTS"
  ca-project -q --arch mlp:4:8 --report report.tsv -o back.safetensors fm2.safetensors
  [[ $(cut -f 1 report.tsv | tail -n +2 | tr '\n' ' ') == 'item shop ' ]]
  # between two that read lists the list's own table goes over too
  ca-project -q --arch deepfm-fx:4:8 --report report.tsv -o deepfm.safetensors fm2.safetensors
  [[ $(wc -l < report.tsv) == 4 ]]
  for model in fm2 deepfm; do ca-model -q --tensors $model.safetensors | grep '^embedding_layer.*words.weight' > $model.tsv; done
  cmp fm2.tsv deepfm.tsv
}

@test "a tower for the item: which columns it has can be told, and travels with the model" {
  ca-train -q --arch twotower:4:8,4 --item-fields item --batch 500 --lr 0.01 -o told.safetensors "$LISTS"
  # the user has the shop and the list, the item its own column
  [[ $(ca-model -q --tensors told.safetensors | awk -F '\t' '$1 == "user_tower.mlp.0.weight" { print $3 }') == 8x8 ]]
  [[ $(ca-model -q --tensors told.safetensors | awk -F '\t' '$1 == "item_tower.mlp.0.weight" { print $3 }') == 8x4 ]]
  ca-train -q --init told.safetensors --batch 500 --lr 0.01 -o next.safetensors "$LISTS"
  ca-train -q --arch twotower:4:8,4 --item-fields shop,item --batch 500 -o two.safetensors "$LISTS"
  [[ $(ca-model -q --tensors two.safetensors | awk -F '\t' '$1 == "item_tower.mlp.0.weight" { print $3 }') == 8x8 ]]
  run -2 --separate-stderr ca-train --arch twotower:4:8,4 --item-fields item,nothing -o x.safetensors "$LISTS"
  [[ $stderr == *nothing* && ! -e x.safetensors ]]
}

@test "several tasks and domains: each learns its own, and ca-predict gives the one that is asked for" {
  awk 'BEGIN { srand(3); print "y,like,item,shop,tenant"
    for (i = 0; i < 6000; i++) { item = int(rand() * 12); shop = int(rand() * 6); d = int(rand() * 3)
      print (rand() < ((item + (d == 1)) % 2 ? 0.8 : 0.2)) "," (rand() < (shop % 2 ? 0.8 : 0.2)) ",i" item ",s" shop ",d" d } }' > a.csv
  printf 'format = csv\nmin-count = 1\ny label\nlike task\nitem categorical\nshop categorical\ntenant domain\n' > a.schema
  ca-import -q --schema ./a.schema -o a.car a.csv
  ca-train -q --arch multitask:8:16 --lr 0.01 --batch 100 --epochs 3 -o m.safetensors a.car
  ca-predict -q -m m.safetensors --task like -c p a.car | ca-eval -q --label like - | awk -F '\t' 'NR == 2 { exit !($1 > 0.78) }'
  ca-predict -q -m m.safetensors --task like -c p a.car | ca-eval -q - | awk -F '\t' 'NR == 2 { exit !($1 < 0.55) }'
  run -2 --separate-stderr ca-predict -m m.safetensors --task love a.car
  [[ $stderr == *love* ]]
  # a domain that turns the item's sign: one model for all cannot see it, a tower each can
  ca-train -q --arch mlp-fx:8:16 --lr 0.01 --batch 100 --epochs 3 -o one.safetensors a.car
  ca-train -q --arch multidomain:8:16 --lr 0.01 --batch 100 --epochs 3 -o each.safetensors a.car
  awk -v one="$(auc one.safetensors a.car)" -v each="$(auc each.safetensors a.car)" 'BEGIN { exit !(one < 0.72 && each > 0.78) }'
  # labels are needed to learn, not to predict
  ca-cat -q --drop like -o bare.car a.car
  ca-predict -q -m m.safetensors --task like bare.car > one.tsv
  ca-predict -q -m m.safetensors --task like a.car > other.tsv
  cmp one.tsv other.tsv
  run -3 --separate-stderr ca-train --init m.safetensors -o x.safetensors bare.car
  [[ $stderr == *tasks* && ! -e x.safetensors ]]
}
