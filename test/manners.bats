# What users of pipelines expect of any program, asked of every tool: bats test/manners.bats
# A line of the table says how a tool is run and on what; a tool without a line fails the first test.
load setup

setup_file() {
  TOP=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
  export PATH="${CA_BIN:-$TOP/bin}:$PATH" LC_ALL=C D="$BATS_FILE_TMPDIR"
  cd "$D" || return 1
  ca-gen -q --rows 3k --preset small --seed 1 --block-rows 200 -o records
  ca-gen -q --rows 2k --seed 2 --format tsv -o text
  ca-train -q --arch mlp:4:8,4 --batch 256 -o model records
  ca-train -q --arch fibinet:4:8 --batch 256 -o student records
  ca-cat -q --limit 0 records -o none
}

# tool, its input (records, text, model or nothing), what it writes (binary, a report or files), options
TABLE='ca-cat records binary
ca-check records report --digest
ca-codistill records binary --teacher D/model --student D/student --replay D/records --batch 64
ca-drift records report --windows 3
ca-eval records report --model D/model
ca-gen nothing binary --rows 3k --preset small
ca-import text binary --schema criteo
ca-model model report
ca-predict records report --model D/model
ca-project model binary --arch mlp:6:8
ca-sample records binary --ratio 0.5
ca-split records files --counts 1k:* --names a:b
ca-train records binary --arch mlp:4:8,4 --batch 256
ca-view records report'

# each COMMAND [KIND...]: runs it for every tool of these kinds of input or output (all without one), with its
# name in $tool, options in $options, input in $input and what it writes in $writes; the last name shown has failed
each() {
  local command=$1 kind line
  shift
  while read -r tool kind writes line; do
    [[ $# == 0 || " $* " == *" $kind "* || " $* " == *" $writes "* ]] || continue
    echo "$tool"
    cd "$BATS_TEST_TMPDIR" && rm -rf -- work && mkdir work && cd work || return 1
    read -r -a options <<< "${line//D\//$D/}"
    input=$D/$kind operands=("$D/$kind")
    [[ $kind != nothing ]] || operands=()
    "$command"
  done <<< "$TABLE"
}
INPUT='records text model'
OUTPUT='binary report'
nothing_left() { [[ -z $(find . -mindepth 1) ]]; }
tool() { "$tool" -q "${options[@]}" "$@"; }
# what a run has written to standard output, kept in FILE, or else beside it
written() { if [[ $writes == files ]]; then cat a.car b.car > "$1"; fi; }

@test "the table knows every tool" {
  for source in "$TOP"/bin/ca-*.c; do grep -q "^$(basename "$source" .c) " <<< "$TABLE"; done
}

empty() { run -3 --separate-stderr tool < /dev/null; [[ -z $output && $stderr == "$tool: "* ]]; nothing_left; }
@test "empty input is bad input: 3" { each empty $INPUT; }

no_rows() {
  case $tool in
  ca-codistill | ca-drift | ca-split)
    run -3 --separate-stderr tool "$D/none"
    [[ $stderr == "$tool: "*"rows"* && -z $output ]] ;;
  *) run -0 bash -c '"$@" > out' - "$tool" "${options[@]}" "$D/none"; [[ -s out ]] ;;
  esac
}
@test "a stream without rows is a stream, and refused only by who needs rows" { each no_rows records; }

cut_short() {
  [[ $input != */nothing ]] || return 0
  head -c $(($(stat -c %s "$input") * 2 / 3)) "$input" > 'cut short'
  run -3 --separate-stderr tool -o out 'cut short'
  [[ $stderr == "$tool: "*"'cut short"* ]]
  # its output are the sound ones
  [[ $tool != ca-check ]] || rm out
  [[ ! -e out ]]
  run -3 bash -c 'cat "cut short" | "$@" -o out' - "$tool" "${options[@]}"
  [[ ! -s out ]]
}
cut_short_files() {
  head -c $(($(stat -c %s "$input") * 2 / 3)) "$input" > 'cut short'
  run -3 --separate-stderr tool 'cut short'
  [[ $stderr == "$tool: "*"'cut short' at byte "* && ! -e a.car && ! -e b.car ]]
}
@test "truncated input is named and bad: 3, and no output" { each cut_short $OUTPUT; }
@test "the same of many outputs" { each cut_short_files files; }

flipped() {
  local at=$(($(stat -c %s "$input") / 2))
  [[ $tool != ca-project ]] || at=4000 # in a table: the optimizer's state is not read
  cp "$input" bad
  byte=$(od -A n -t u1 -j $at -N 1 bad)
  printf "\\x$(printf %02x $((byte ^ 64)))" | dd of=bad bs=1 seek=$at conv=notrunc status=none
  run -3 --separate-stderr tool bad
  [[ $stderr == "$tool: "*"'bad' at byte "* ]]
  rm bad
  [[ $writes != files ]] || nothing_left
}
@test "a flipped bit is bad input, with file and byte: 3" { each flipped records model; }

missing() { run -4 --separate-stderr tool no-such; [[ $stderr == "$tool: cannot open 'no-such': No such file"* ]]; }
@test "a file that is not there: 4" { each missing $INPUT; }
directory() { run -4 --separate-stderr tool /; [[ $stderr == "$tool: "*"'/'"*directory* && -z $output ]]; }
@test "a directory as input: 4" { each directory $INPUT; }

same_bytes() {
  local way
  tool "${operands[@]}" > want
  written want
  for way in '- < "$input"' '< "$input"' '/dev/stdin < "$input"' '/dev/fd/7 7< "$input"' '<(cat "$input")' \
    '< <(cat "$input")' 'fifo' '-- "-x y"' './-x\ y'; do
    echo "$way"
    rm -f fifo -- '-x y'
    if [[ $way == fifo ]]; then
      mkfifo fifo
      cat "$input" > fifo &
    fi
    cp -- "$input" './-x y'
    eval "tool $way" > got
    written got
    if [[ $tool == ca-check ]]; then cmp <(cut -f 1 got) <(cut -f 1 want); else cmp got want; fi
  done
}
@test "any way to pass an input is the same: -, nothing, /dev/stdin, /dev/fd, FIFO, odd names" { each same_bytes $INPUT; }

threads() {
  tool --threads 1 "${operands[@]}" > one
  written one
  tool --threads 4 "${operands[@]}" > four
  written four
  cmp one four
  CA_THREADS=3 tool "${operands[@]}" > three
  written three
  cmp one three
}
@test "--threads changes nothing" { each threads; }

full() {
  run -4 bash -c '"$@" > /dev/full' - "$tool" "${options[@]}" "${operands[@]}"
  [[ ${#lines[@]} == 1 && $output == "$tool: write failed: 'standard output' at byte "*": No space left on device" ]]
}
@test "a full device is an error: 4" { each full $OUTPUT; }

closed_output() {
  run -4 bash -c '"$@" >&-' - "$tool" "${options[@]}" "${operands[@]}"
  [[ ${#lines[@]} == 1 && $output == "$tool: write failed: 'standard output'"* ]]
}
@test "a closed standard output is an error where there is output: 4" { each closed_output $OUTPUT; }

closed_input() { run -4 bash -c '"$@" <&-' - "$tool" "${options[@]}"; [[ $output == "$tool: read failed: 'standard input'"* ]]; }
@test "a closed standard input is an error where it is wanted: 4" { each closed_input $INPUT; }

closed_all() {
  if [[ $writes != files ]]; then
    bash -c '"$@" <&- >&- 2>&-' - "$tool" "${options[@]}" "${operands[@]}" -o got
    tool "${operands[@]}" -o want
    cmp got want
  else
    bash -c '"$@" <&- >&- 2>&-' - "$tool" "${options[@]}" "${operands[@]}"
    ca-check a.car b.car
  fi
}
@test "all standard streams closed: files come out right" { each closed_all; }

unwritable() {
  run -4 --separate-stderr tool -o no-such/out "${operands[@]}"
  [[ -z $output && $stderr == "$tool: cannot create 'no-such/out': No such file or directory"* ]]
  run -4 --separate-stderr tool -o . "${operands[@]}"
  [[ $stderr == "$tool: cannot create '.': Is a directory" ]]
  nothing_left
}
@test "an output that cannot be made: 4" { each unwritable $OUTPUT; }

early() {
  # the stream does not end: who reads it first never gets to say it
  [[ $tool != ca-gen && $tool != ca-import && $tool != ca-project ]] || return 0
  mkfifo fifo
  exec 8<> fifo
  head -c 30000 "$input" >&8
  run -4 timeout 10 "$tool" "${options[@]}" -o no-such/out fifo 8>&-
  exec 8>&-
}
@test "that an output cannot be made is said before the work" { each early binary; }

no_name() { run -2 --separate-stderr tool -o '' "${operands[@]}"; [[ $stderr == *"--output needs the name of a file"* ]]; }
@test "an empty name of an output is a mistake: 2" { each no_name; }

odd_output() {
  tool "${operands[@]}" > want
  for name in 'a b' -x 'é'; do
    rm -f ./*.out
    tool -o "$name" "${operands[@]}"
    cmp -- "$name" want
    tool --output="$name" "${operands[@]}"
    tool "-o$name" "${operands[@]}"
    cmp -- "$name" want
  done
  tool -o - "${operands[@]}" | cmp - want
  # and a device or FIFO is written as it is
  mkfifo fifo
  tool -o fifo "${operands[@]}" &
  cmp want fifo
  wait $!
  tool -o /dev/null "${operands[@]}"
  [[ -c /dev/null ]]
}
@test "outputs of any name, and to FIFO and device" { each odd_output $OUTPUT; }

interrupted() {
  # half of the input comes, then nothing: the run is stopped where it waits
  mkfifo fifo
  echo old > out
  exec 8<> fifo
  if [[ $tool == ca-gen ]]; then
    ca-gen -q --rows 100M -o out 8>&- &
  else
    head -c 30000 "$input" >&8
    "$tool" -q "${options[@]}" -o out fifo 8>&- &
  fi
  local pid=$!
  for _ in {1..200}; do
    [[ -z $(find . -name '.out.tmp.*') ]] || break
    [[ $tool != ca-project && $tool != ca-import ]] || { sleep 0.2; break; } # these make it when they have read all
    sleep 0.02
  done
  kill -"$1" $pid
  local status=0
  wait $pid || status=$?
  exec 8>&-
  [[ $status == $((128 + $(kill -l "$1"))) ]]
  [[ $(cat out) == old && -z $(find . -name '.*.tmp.*') ]]
}
terminated() { interrupted TERM; }
hung_up() { interrupted HUP; }
@test "SIGTERM and SIGHUP leave the old file and no temporary" {
  each terminated binary
  each hung_up binary
}

# the temporary is there for a moment that no signal may fall into
@test "a signal as soon as there is a temporary" {
  for _ in {1..100}; do
    ca-gen -q --rows 100M -o out &
    until [[ -e .out.tmp.$! ]] || ! kill -0 $!; do :; done
    kill -TERM $!
    wait $! || true
    [[ ! -e .out.tmp.$! ]]
  done
}

cut_by_head() {
  run -0 bash -c 'trap "" PIPE; "$@" 2> err | head -c 1 > /dev/null; echo ${PIPESTATUS[0]}; cat err' - \
    "$tool" -q "${options[@]}" "${operands[@]}"
  if (( $(tool "${operands[@]}" | wc -c) > 70000 )); then [[ $output == 141 ]]; else [[ $output == 0 || $output == 141 ]]; fi
}
@test "a reader that leaves ends the run quietly by SIGPIPE, even where the parent ignores it" { each cut_by_head $OUTPUT; }

# on_terminal STREAM COMMAND...: runs it with a terminal as this stream (0, 1 or 2), its status after its errors
on_terminal() {
  /usr/bin/python3 - "$@" << 'PYTHON'
import os, pty, subprocess, sys, threading
master, slave = pty.openpty()
stream, command = int(sys.argv[1]), sys.argv[2:]
shown = b''
def drain():
    global shown
    try:
        while chunk := os.read(master, 1 << 16):
            shown += chunk
    except OSError:
        pass
files = [subprocess.DEVNULL, subprocess.DEVNULL, subprocess.PIPE]
files[stream] = slave
p = subprocess.Popen(command, stdin=files[0], stdout=files[1], stderr=files[2])
os.close(slave)
reader = threading.Thread(target=drain, daemon=True)
reader.start()
errors = p.communicate(timeout=30)[1]
reader.join(1)
sys.stdout.buffer.write((errors or b'') + b'\n%d\n' % p.returncode)
sys.stdout.buffer.write(b'shown: %r\n' % shown)
PYTHON
}

from_terminal() {
  run -0 on_terminal 0 "$tool" "${options[@]}"
  [[ $output == "$tool: "*terminal*hint*$'\n'2$'\n'* ]]
  nothing_left
}
@test "nothing is read from a terminal: 2, with the cure" { each from_terminal $INPUT; }

to_terminal() {
  run -0 on_terminal 1 "$tool" "${options[@]}" "${operands[@]}"
  [[ $output == "$tool: "*terminal*hint*$'\n'2$'\n'"shown: b''" ]]
  tool "${operands[@]}" > want
  run -0 on_terminal 1 "$tool" -q --force "${options[@]}" "${operands[@]}"
  [[ $output == *$'\n'0$'\n'"shown: b'"?* ]]
}
@test "binary is not written to a terminal: 2, with the cure; --force does" { each to_terminal binary; }

text_to_terminal() { run -0 on_terminal 1 "$tool" -q "${options[@]}" "${operands[@]}"; [[ $output == *0$'\n'"shown: b'"?* ]]; }
@test "text is" { each text_to_terminal report; }

no_escape() {
  run -0 on_terminal 2 env NO_COLOR=1 "$tool" --progress never "${options[@]}" -o out "${operands[@]}"
  [[ $output == *0$'\n'"shown: b'"* && $output != *x1b* ]]
  run -0 bash -c '"$@" 2>&1 > /dev/null' - "$tool" -v "${options[@]}" "${operands[@]}"
  [[ $output != *$'\r'* && $output != *$'\033'* ]]
}
@test "no escape sequences: in a log, and on a terminal that wants none" { each no_escape $OUTPUT; }

# slow output: half a second passes, and a line is drawn and cleared
@test "progress is drawn on a terminal, and cleared" {
  ca-gen -q --rows 400k --preset small -o big
  run -0 on_terminal 2 bash -c 'ca-cat big | (sleep 1; cat > /dev/null)'
  [[ $output == *'rows, '*'/s\x1b[K\r\x1b[K'*'ca-cat: '* ]]
  run -0 on_terminal 2 bash -c 'ca-cat -q big | (sleep 1; cat > /dev/null)'
  [[ $output == *$'\n'"shown: b''" ]]
  run -0 bash -c '(ca-cat big | (sleep 1; cat > /dev/null)) 2>&1'
  [[ ${#lines[@]} == 1 && $output == "ca-cat: "* ]]
  run -0 bash -c '(ca-cat --progress always big | (sleep 1; cat > /dev/null)) 2>&1'
  [[ $output == *$'\033[K'* ]]
}

words() {
  run -2 --separate-stderr "$tool" --seed 1e-3x; [[ $stderr == *"'1e-3x' is not a value of --seed"* && -z $output ]]
  for bad in '' ' 1' 1.5 -1 0x10 1kk 99999999999999999999 k; do
    echo "--threads '$bad'"
    run -2 "$tool" --threads "$bad"
    run -2 "$tool" --threads="$bad"
  done
  run -2 "$tool" --seed; [[ $output == *"--seed needs a value"* ]]
  run -2 "$tool" -o; [[ $output == *"-o needs a value"* ]]
  run -2 "$tool" --quiet=1; [[ $output == *"--quiet takes no value"* ]]
  run -2 "$tool" --progress sometimes; [[ $output == *"auto|always|never"* ]]
  run -2 "$tool" -qq; [[ $output == *"--quiet is given twice"* ]]
}
@test "values are read whole and in range, in any spelling: 2" { each words; }

talk() {
  if (( $# )); then tool "$@" "${operands[@]}" > /dev/null; return; fi
  run -0 bash -c '"$@" 2>&1 > /dev/null' - "$tool" -q "${options[@]}" "${operands[@]}"
  [[ -z $output ]]
  run -0 bash -c '"$@" 2>&1 > /dev/null' - "$tool" "${options[@]}" "${operands[@]}"
  [[ -z $output || ( ${#lines[@]} == 1 && $output == "$tool: "[0-9]*" MB peak"* ) ]]
  run -0 bash -c '"$@" > loud' - "$tool" -vv --verbose -v "${options[@]}" "${operands[@]}"
  tool "${operands[@]}" > soft
  cmp loud soft
}
@test "one closing line or none; -q silences it, -v may repeat and never touches the output" { each talk; }

first_option() {
  "$tool" "${operands[@]}" --seed 3 "${options[@]}" -q > one
  written one
  tool --seed 3 "${operands[@]}" > other
  written other
  cmp one other
}
@test "the order of options and operands does not matter" { each first_option; }

@test "two outputs never share a target: 2, and nothing is read" {
  shared() {
    run -2 --separate-stderr "$@" < /dev/null
    [[ $stderr == *"two outputs of this run go to"*hint* && -z $output && ! -e same ]]
  }
  for target in '--log - -o -' '--log same -o ./same'; do
    shared ca-train --arch mlp:4:4 $target
    shared ca-codistill --teacher "$D/model" --student "$D/student" --replay-ratio 0 $target
    shared ca-codistill --teacher "$D/model" --student "$D/student" --replay-ratio 0 ${target/log/teacher-out}
    shared ca-drift ${target/log/histograms}
    shared ca-import --schema criteo ${target/log/vocab-out}
    shared ca-import --schema criteo --skip-bad 1 ${target/log/reject}
    shared ca-project --arch mlp:4:4 ${target/log/report}
  done
  shared ca-train --arch mlp:4:4 --log -
  run -0 ca-drift -q --no-report --histograms - "$D/records"
}

limited() {
  tool "${operands[@]}" > want
  written want
  rm -f ./*.car
  local size=$(stat -c %s want) left
  for n in 0 $((size / 2)) $((size - 1)); do
    echo "at most $n of $size bytes"
    echo old > out
    if [[ $writes == files ]]; then
      n=$((n / 2))
      run -4 prlimit --fsize=$n "$tool" -q "${options[@]}" "${operands[@]}"
    else
      run -4 prlimit --fsize=$n "$tool" -q "${options[@]}" -o out "${operands[@]}"
    fi
    [[ ${#lines[@]} == 1 && $output == "$tool: write failed: "*": File too large" ]]
    left=$(find . -type f ! -name want)
    [[ $left == ./out && $(cat out) == old ]]
  done
}
@test "a limit of file size is a failed write: 4, a message, the old file" { each limited; }

@test "a split that cannot end takes its parts back, and leaves the old file of the part that failed" {
  echo old > b.car
  run -4 prlimit --fsize=80000 ca-split -q --counts '1k:*' --names a:b "$D/records"
  [[ $(cat b.car) == old && ! -e a.car && $output == *"write failed: './b.car'"* ]]
  run -0 ca-split -q --counts '1k:*' --names a:b "$D/records"
}

@test "bulk scratch goes to TMPDIR, and where it cannot: 4, with the cure" {
  scratch() {
    TMPDIR=$PWD/no-such run -4 --separate-stderr bash -c 'cat "$1" | "${@:2}"' - "$@"
    [[ $stderr == *"cannot create a temporary file in '$PWD/no-such'"*"hint: "*TMPDIR* && -z $output ]]
    run -4 bash -c 'cat "$1" | prlimit --fsize=9000 "${@:2}"' - "$@"
    [[ ${#lines[@]} == 1 && $output == *"write failed: "*"File too large" ]]
    [[ -z $(ls) ]]
    mkdir tmp
    TMPDIR=$PWD/tmp run -0 bash -c 'cat "$1" | "${@:2}" > /dev/null' - "$@"
    [[ -z $(ls tmp) ]]
    rm -rf tmp ./*.car
  }
  mkdir work
  cd work || return 1
  scratch "$D/records" ca-split -q --ratios 4:4:1:1
  scratch "$D/records" ca-drift -q
  scratch "$D/text" ca-import -q --schema criteo
}

# The others hold OpenBLAS, which waits for ever where it gets no memory: crossadapt(7).
starved() {
  case $tool in ca-cat | ca-check | ca-drift | ca-gen | ca-import | ca-sample | ca-split | ca-view) ;; *) return 0 ;; esac
  local done=0
  for kb in $(seq 3000 300 9000) 20000 80000 400000; do
    rm -f out ./*.car
    target=(-o out)
    [[ $writes != files ]] || target=()
    status=0
    output=$(prlimit --as=$((kb * 1024)) "$tool" -q -j 2 "${options[@]}" "${target[@]}" "${operands[@]}" 2>&1) || status=$?
    echo "$kb KB: status $status, '$output'"
    case $status in
    0) done=1; [[ -z $output ]] || return 1 ;;
    4) [[ $output == "$tool: "*"out of memory"* || $output == "$tool: "*"cannot start thread"* ||
          $output == "$tool: "*"Cannot allocate memory" ]] && nothing_left || return 1 ;;
    127) [[ $output == *"shared librar"* || $output == "cannot allocate TLS data"* ]] || return 1 ;; # not even loaded
    *) return 1 ;;
    esac
  done
  (( done ))
}
@test "out of memory: 4, a message, and nothing half done" { each starved; }
