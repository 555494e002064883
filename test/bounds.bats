# Memory of the tools that stream is that of a block and the model, whatever the length of the log. Asserted with more
# data than the bound: ca-check ca-cat ca-split ca-sample ca-drift ca-view ca-import ca-eval ca-predict ca-gen.
# BOUNDS_ROWS=5M makes the log longer; the bound stays.
load setup

BOUND_KB=100000

# bounded COMMAND...: runs it with standard output thrown away; its peak memory is within the bound
bounded() {
  echo "$*"
  run -0 --separate-stderr /usr/bin/python3 - "$@" << 'PYTHON'
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
PYTHON
  echo "$output KB"
  (( output < BOUND_KB ))
}

@test "memory does not grow with the log" {
  bounded ca-gen -q --rows "${BOUNDS_ROWS:-2M}" --preset small -o log.car
  ca-gen -q --rows 500k --format tsv -o log.txt
  (( $(stat -c %s log.car) > BOUND_KB * 1024 && $(stat -c %s log.txt) > BOUND_KB * 1024 ))
  ca-cat -q --limit 50k log.car | ca-train -q --arch mlp:8:32,4 -o model
  bounded ca-check log.car
  bounded ca-cat -q -z 1 -o log.z.car log.car
  bounded bash -c 'cat log.z.car | ca-split -q --ratios 4:4:1:1'
  for method in random balanced temporal combined all shuffle; do bounded ca-sample -q --method $method --ratio 0.1 log.car; done
  bounded ca-sample -q --click click --unclicked 1 log.car
  bounded ca-drift -q log.car
  bounded bash -c 'cat log.car | ca-drift -q'
  bounded ca-view log.car
  bounded bash -c 'cat log.txt | ca-import -q --schema criteo'
  bounded ca-eval -q --model model log.car
  bounded ca-eval -q --model model --against I1 --request C3 log.car
  bounded ca-eval -q --model model --item C3 log.car
  bounded ca-predict -q --model model log.car
}

@test "the bound notices who keeps the log in memory" {
  run -1 bounded /usr/bin/python3 -c 'x = b"1" * 150000000'
}
