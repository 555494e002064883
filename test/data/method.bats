# The same claim on real clicks: MovieLens-1M in the order of time, the architectures of the paper, five seeds, batches of
# 512. 'make check-method-data'; some minutes. The data is CA_DATA/ml1m.csv.gz (columns of data/schemas/ml1m.schema).
bats_require_minimum_version 1.5.0

@test "MovieLens-1M: crossadapt-sample beats scratch and scratch-online by more than two standard errors" {
  TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  cd "$BATS_TEST_TMPDIR"
  log=${CA_DATA:-$TOP/../shared/data}/ml1m.csv.gz
  [[ -e $log ]] || skip "no $log: name its folder with CA_DATA"
  env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$TOP" -f pipelines/switch.mk OUT="$PWD/switch" DATA="$(realpath "$log")" \
    SCHEMA=ml1m TEACHER=mlp:8:64,32,4 STUDENT=fibinet:16:256,128,16 BATCH=512 SEEDS=5 \
    METHODS='scratch scratch-online crossadapt-sample' > shown 2> said || { cat said; return 1; }
  # twice 38 batches of 512 and 50 rows of train, 48,765 online, 51 replayed in each of 96 steps
  run -0 "${PYTHON:-/usr/bin/python3}" "$TOP/test/oracle/method.py" switch 5 "${ROWS:-92673}"
  echo "$output"
}
