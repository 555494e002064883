# ca-model, and model files against PyTorch
load setup

setup_suite_data() {
  D=$BATS_FILE_TMPDIR/data
  ORACLE=$TOP/test/oracle/models.py PYTHON=${PYTHON:-/usr/bin/python3}
  if [[ ! -d $D ]]; then
    mkdir "$D"
    ca-gen -q --rows 2k --preset small --seed 5 -o "$D/in.car"
    ca-train -q --arch fibinet:4:8,4 --batch 500 -o "$D/m.safetensors" "$D/in.car"
    ca-train -q --arch mlp:4:8,4 --batch 500 -o "$D/mlp.safetensors" "$D/in.car"
  fi
  IN=$D/in.car M=$D/m.safetensors MLP=$D/mlp.safetensors
}

need_torch() { "$PYTHON" -c 'import torch' 2> /dev/null || skip "no torch for $PYTHON"; }

@test "the summary tells architecture, sizes, steps and features" {
  run -0 ca-model "$M"
  [[ ${lines[0]} == key$'\t'value && ${lines[1]} == architecture$'\t'fibinet:4:8,4 ]]
  [[ $output == *$'\ndense_steps\t4\n'* && $output == *$'\nnumeric.0\tI1\n'* && $output == *$'\nfield.0\tC1 '* ]]
  ca-model --format json "$M" | jq -e '.architecture == "fibinet:4:8,4" and (.features | length) > 3'
  [[ $(ca-model --digest "$M") == $(ca-model --format json "$M" | jq -r .digest) ]]
  [[ $(ca-model < "$M") == "$output" ]]
}

@test "tensors: names, shapes, and counts that add up" {
  ca-model --tensors "$M" > t.tsv
  [[ $(head -n 1 t.tsv) == tensor$'\t'kind$'\t'shape$'\t'count$'\t'l2_norm$'\t'min$'\t'max ]]
  want=$(ca-model "$M" | awk -F '\t' '/_parameters/ { n += $2 } END { print n }')
  [[ $(awk -F '\t' '{ n += $4 } END { print n }' t.tsv) == "$want" ]]
  grep -q $'^dense.bilinear_interaction.bilinear.weight\tdense\t4x4\t16\t' t.tsv
  awk -F '\t' 'NR > 1 && !($5 > 0 && $6 <= $7) { exit 1 }' t.tsv
  ca-model --tensors --format json "$M" | jq -es 'map(.count) | add == '"$want"
}

@test "diff: silent and 0 for equal bits, 1 with the greatest difference otherwise" {
  run -0 ca-model --diff "$M" "$M"
  [[ ${#lines[@]} == 1 ]]
  ca-train -q --arch fibinet:4:8,4 --batch 400 -o other.safetensors "$IN"
  run -1 ca-model --diff other.safetensors "$M"
  [[ ${#lines[@]} -gt 5 ]]
  awk -F '\t' 'NR > 1 && !($3 > 0) { exit 1 }' <<< "$output"
  run -1 ca-model --diff "$MLP" "$M"
  [[ $output == *"dense.senet"* && $output == *"another shape"* ]]
  run -1 ca-model --format json --diff "$MLP" "$M"
  jq -es 'map(select(.max_abs == null)) | length > 0' <<< "$output"
}

@test "weights alone are the same model without optimizer and vocabulary" {
  ca-train -q --arch fibinet:4:8,4 --batch 500 --weights-only -o w.safetensors "$IN"
  run -0 ca-model --diff w.safetensors "$M"
  [[ $(stat -c %s w.safetensors) -lt $(($(stat -c %s "$M") / 2)) ]]
  [[ $(ca-model w.safetensors | grep dense_steps) == $'dense_steps\t0' ]]
  diff <(ca-predict -q -m w.safetensors "$IN") <(ca-predict -q -m "$M" "$IN")
  # the same out of the whole model
  ca-model --weights-only --no-provenance "$M" -o v.safetensors
  run -0 ca-model --diff v.safetensors w.safetensors
  [[ $(stat -c %s v.safetensors) -lt $(($(stat -c %s "$M") / 2)) ]]
}

@test "PyTorch takes our file strictly, and computes our logits" {
  need_torch
  ca-view -q "$IN" > rows.tsv
  for arch in fibinet:4:8,4 mlp:4:8,4; do
    ca-train -q --arch $arch --batch 500 --weights-only -o w.safetensors "$IN"
    "$PYTHON" "$ORACLE" check w.safetensors rows.tsv > theirs
    ca-predict -q -m w.safetensors "$IN" | tail -n +2 | cut -f 3 > ours
    [[ $(wc -l < theirs) == 2000 ]]
    paste ours theirs | awk '{ d = $1 - $2; a = $2 < 0 ? -$2 : $2; if (d * d > 1e-10 * (1 + a) ^ 2) { print; exit 1 } }'
  done
  # not so with the optimizer's state in it
  run -1 "$PYTHON" "$ORACLE" check "$M" rows.tsv
}

@test "we take PyTorch's file, and learn on from it" {
  need_torch
  for arch in mlp:4:8,4 fibinet:4:8; do
    "$PYTHON" "$ORACLE" write $arch theirs.safetensors
    [[ $(ca-model theirs.safetensors | grep architecture) == architecture$'\t'$arch ]]
    [[ $(ca-model theirs.safetensors | grep -c '^field') == 5 ]]
  done
  printf 'format = csv\nmin-count = 1\nlabel label\n' > p.schema
  for i in 1 2 3; do printf 'x%d numeric missing=0 transform=none\n' $i; done >> p.schema
  for i in 1 2 3 4 5; do printf 'c%d categorical\n' $i; done >> p.schema
  # as many values a column as PyTorch's tables have rows, less the one for unknown ones
  awk 'BEGIN { OFS = ","; print "label", "x1", "x2", "x3", "c1", "c2", "c3", "c4", "c5"
    for (i = 0; i < 200; i++) print i % 2, i / 100, 1, -1, "a" i % 39, "b" i % 24, "c" i % 11, "d" i % 5, "e" i % 2 }' > p.csv
  ca-import -q --schema ./p.schema --vocab-scope all p.csv -o p.car
  run -0 ca-train -q --init theirs.safetensors --batch 50 -o on.safetensors p.car
  # from now on it has the names of the records
  [[ $(ca-model on.safetensors | grep '^field.4') == field.4$'\t''c5 3' ]]
  ca-model --vocabulary on.safetensors > v && [[ -s v ]]
}

@test "damage: exit 3 with the place, for each of them" {
  size=$(stat -c %s "$M")
  for n in 0 5 100 4000 $((size / 2)) $((size - 1)); do
    head -c $n "$M" > cut.safetensors
    run -3 --separate-stderr ca-model cut.safetensors
    [[ -z $output && $stderr == *"at byte"* ]]
    run -3 ca-model < cut.safetensors
  done
  for at in 3 20 4000 $((size / 2)) $((size - 1)); do
    { head -c $at "$M"; tail -c +$((at + 1)) "$M" | head -c 1 | tr '\0-\377' '\1-\377\0'; tail -c +$((at + 2)) "$M"; } > bad.safetensors
    [[ $(stat -c %s bad.safetensors) == "$size" ]]
    run -3 ca-model bad.safetensors
  done
  { cat "$M"; echo; } > long.safetensors
  run -3 ca-model long.safetensors
  run -3 ca-model - < <(cat long.safetensors)
  run -3 ca-model "$IN"
  run -3 ca-model /dev/null
}

@test "a fresh model's parameters follow their laws: N(0,1) rows, uniform layers, LayerNorm of one and zero, attention" {
  "$PYTHON" -c 'import scipy.stats' 2> /dev/null || skip "no scipy for $PYTHON"
  ca-gen -q --rows 0 --preset small --vocab 20k -o none.car
  cat > laws.py << 'PYTHON'
import json, struct, sys
import numpy as np
from scipy import stats
data = open(sys.argv[1], 'rb').read()
n, = struct.unpack('<Q', data[:8])
head = json.loads(data[8:8 + n])
head.pop('__metadata__')
get = lambda t: np.frombuffer(data, '<f4', offset=8 + n + t['data_offsets'][0],
    count=(t['data_offsets'][1] - t['data_offsets'][0]) // 4).reshape(t['shape']).astype(float)
tensor = {name: get(t) for name, t in head.items() if t['dtype'] == 'F32'}
normal, unit = [], []
for name, x in tensor.items():
    base = name.rpartition('.')[0]
    w = tensor.get(base + '.weight', x)
    if name.startswith('sparse_embedding'):
        normal.append(x.ravel())
    elif name.endswith(('in_proj_bias', 'out_proj.bias')):
        assert (x == 0).all(), name
    elif name.endswith('in_proj_weight'):  # Xavier over the fused matrix
        unit.append((x / np.sqrt(6 / (4 * x.shape[1]))).ravel())
        assert 0.98 < np.abs(unit[-1]).max() <= 1 + 1e-6, name
    elif w.ndim == 1:  # LayerNorm
        assert (x == name.endswith('weight')).all(), name
    else:  # Linear: weight and bias within 1/sqrt(in), in the columns of the weight
        bound = 1 / np.sqrt(w.shape[1])
        assert np.abs(x).max() <= bound * (1 + 1e-6), (name, np.abs(x).max(), bound)
        unit.append((x / bound).ravel())
assert len(normal) == 8 and len(unit) >= 4, (len(normal), len(unit))
for law, parts, variance in (('norm', normal, 1), ('uniform', unit, 1 / 3)):
    shape = () if law == 'norm' else (-1, 2)
    for x in parts:
        assert x.size < 8 or stats.kstest(x, law, shape).pvalue > 1e-4, (law, x.size)
    x = np.concatenate(parts)
    assert x.size > 2000 and stats.kstest(x, law, shape).pvalue > 1e-3
    assert abs(x.mean()) < 4 * np.sqrt(variance / x.size), (law, x.mean())
    spread = np.sqrt(((x ** 2) ** 2).mean() - variance ** 2) / np.sqrt(x.size)
    assert abs((x ** 2).mean() - variance) < 4 * spread, (law, (x ** 2).mean())
    # neighbours, rows and tensors are independent
    for lag in (1, 2, 3, 4, 16):
        assert abs(np.corrcoef(x[:-lag], x[lag:])[0, 1]) < 4 / np.sqrt(x.size), (law, lag)
    assert len({float(p[0]) for p in parts}) == len(parts)
PYTHON
  for arch in $(ca-train --list-archs | awk -F '\t' '$5 == "CA" { print $1 }'); do
    ca-train -q --arch "$arch:16:256,16" --seed 11 -o fresh.safetensors none.car
    run -0 "$PYTHON" laws.py fresh.safetensors
  done
}

@test "a file that claims more optimizer steps than can be counted is refused" {
  for steps in '4 4294967301' '4 4611686018427387904' '4611686018427387904 4' '4 -1'; do
    "$PYTHON" - "$M" $steps > many.safetensors << 'PYTHON'
import json, struct, sys
data = open(sys.argv[1], 'rb').read()
n, = struct.unpack('<Q', data[:8])
head = json.loads(data[8:8 + n])
meta = {k: v for k, v in head['__metadata__'].items() if not k.startswith('xxh3.')}
meta['steps'] = json.dumps({'dense': int(sys.argv[2]), 'tables': int(sys.argv[3])})
head['__metadata__'] = meta
text = json.dumps(head).encode()
text += b' ' * (-(8 + len(text)) % 64)
sys.stdout.buffer.write(struct.pack('<Q', len(text)) + text + data[8 + n:])
PYTHON
    run -3 ca-train --init many.safetensors -o trained.safetensors "$IN"
    [[ $output == *steps* || $output == *tables* || $output == *dense* ]]
    [[ ! -e trained.safetensors ]]
  done
}

@test "usage and environment" {
  run -2 ca-model --tensors --digest "$M"
  run -2 ca-model "$M" "$M"
  run -3 ca-model --vocabulary "$M"
  run -4 ca-model no-such-file
  run -4 ca-model "$M" -o /no/such/place
  run -4 bash -c "ca-model '$M' > /dev/full"
  run -4 ca-model --diff no-such-file "$M"
  cp "$M" './-odd name'
  run -0 ca-model -- '-odd name'
}
