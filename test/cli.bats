# What every tool shares: bats test/cli.bats
# Tools are taken from their sources, so that a new one is held to the same rules. Those that must be here are
# ca-gen ca-import ca-split ca-view ca-cat ca-check ca-sample ca-project ca-train ca-predict ca-drift ca-codistill
# ca-eval ca-model.
load setup

setup_suite_data() {
  TOOLS=()
  for source in "$TOP"/bin/ca-*.c; do TOOLS+=("$(basename "$source" .c)"); done
  [[ -x ${CA_BIN:-$TOP/bin}/${TOOLS[0]} ]]
}

# each COMMAND: runs it for every tool, the tool's name in $tool; the last name shown is the one that failed
each() {
  for tool in "${TOOLS[@]}"; do
    echo "$tool"
    "$@"
  done
}

@test "no tool is missing" {
  for tool in $(sed -n '3,5p' "$BATS_TEST_FILENAME" | grep -o 'ca-[a-z]*'); do
    [[ " ${TOOLS[*]} " == *" $tool "* ]] || { echo "no bin/$tool.c"; return 1; }
  done
}

help() {
  run -0 --separate-stderr "$tool" --help
  [[ ${lines[0]} == "$tool: "* && $output == *"Usage: $tool"* && $output == *Examples:* && $output == *--seed* ]]
  [[ -z $stderr ]]
}
@test "--help goes to standard output, with examples" { each help; }

short_help() { run -0 --separate-stderr "$tool" -h; [[ ${lines[0]} == "$tool: "* ]]; }
@test "-h is --help" { each short_help; }

help_is_checked() { run -4 bash -c "$tool --help > /dev/full"; }
@test "--help to a full device is a failure" { each help_is_checked; }

version() {
  run -0 --separate-stderr "$tool" --version
  [[ ${lines[0]} =~ ^$tool\ [0-9]+\.[0-9]+\.[0-9]+\ \(.+\)$ && -z $stderr ]]
}
@test "--version begins with name, version and commit" { each version; }

unknown() {
  run -2 --separate-stderr "$tool" --no-such-option
  [[ -z $output && $stderr == *"$tool: "*no-such-option* && $stderr == *"$tool --help"* ]]
}
@test "an unknown option is named, with the cure, on standard error: exit 2" { each unknown; }

unknown_letter() { run -2 --separate-stderr "$tool" -Z; [[ $stderr == *"unknown option -Z"* ]]; }
@test "an unknown letter is named: exit 2" { each unknown_letter; }

abbreviated() { run -2 --separate-stderr "$tool" --verb; [[ $stderr == *--verb* ]]; }
@test "options cannot be abbreviated" { each abbreviated; }

repeated() { run -2 --separate-stderr "$tool" --seed 1 --seed 2; [[ $stderr == *--seed*twice* ]]; }
@test "a repeated option is refused: exit 2" { each repeated; }

malformed() { run -2 --separate-stderr "$tool" --threads 1x; [[ $stderr == *1x*--threads* ]]; }
@test "numbers are read whole: exit 2" { each malformed; }

environment() { CA_THREADS=many run -2 --separate-stderr "$tool"; [[ $stderr == *CA_THREADS* ]]; }
@test "a malformed CA_THREADS is named: exit 2" { each environment; }

completion() {
  run -0 --separate-stderr "$tool" --print-completion
  [[ $output == *"complete -F _${tool//-/_} $tool"* && $output == *--no-provenance* ]]
  bash -n <<< "$output"
}
@test "completion is printed and is bash" { each completion; }

completes() {
  eval "$("$tool" --print-completion)"
  COMP_WORDS=("$tool" --progr) COMP_CWORD=1 COMPREPLY=()
  "_${tool//-/_}"
  [[ ${COMPREPLY[*]} == --progress ]]
}
@test "completion completes an option" { each completes; }

manual() {
  [[ -e $TOP/man/$tool.1 ]]
  "$tool" --print-man-options > options
  { printf '.Dd November 22, 2026\n.Dt X 1\n.Os\n.Sh NAME\n.Nm x\n.Nd x\n.Sh OPTIONS\n'; cat options; } > page.1
  run -0 mandoc -Tlint -Wwarning page.1
  for section in NAME SYNOPSIS DESCRIPTION OPTIONS 'EXIT STATUS' ENVIRONMENT NOTES EXAMPLES 'SEE ALSO'; do
    echo "section $section"
    grep -qx ".Sh $section" "$TOP/man/$tool.1"
  done
  grep -qF '.\" @OPTIONS@' "$TOP/man/$tool.1"
}
@test "each tool has its manual page, with all sections, and its options are sound mdoc" { each manual; }

@test "overview and README name every tool" {
  named() {
    grep -qw -- "$tool" "$TOP/README.md"
    grep -qw -- "$tool" "$TOP/man/crossadapt.7"
  }
  each named
}
