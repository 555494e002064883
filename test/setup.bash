# Loaded by every suite: the tools on PATH, a scratch directory, quiet logs.
bats_require_minimum_version 1.5.0
setup() {
  TOP=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
  export PATH="${CA_BIN:-$TOP/bin}:$PATH" LC_ALL=C
  cd "$BATS_TEST_TMPDIR" || return 1
  if declare -F setup_suite_data >/dev/null; then setup_suite_data; fi
}

# wait_written FILE: until a writer has put something into the temporary beside FILE, however slow the machine is
wait_written() {
  for _ in {1..400}; do
    [[ -z $(find . -name ".$1.tmp.*" -size +0) ]] || return 0
    sleep 0.05
  done
  echo "nothing is written beside $1"
  return 1
}
