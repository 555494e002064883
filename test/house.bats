# The checks themselves: each must be able to fail. And what install puts where.
load setup

@test "rooms: an include of a later room is found, an honest file passes" {
  mkdir -p lib/base lib/nn lib/record
  printf '#include "base/err.h"\n#include "base/banned.h"\n' > lib/base/good.c
  printf '#include "nn/net.h"\n\n#include "base/banned.h"\n' > lib/record/bad.c
  printf '#include "cli/cli.h"\n#include "base/banned.h"\n' > lib/nn/bad.c
  printf '#include "base/banned.h"\n#include <stdio.h>\n' > lib/base/late.c
  run -0 "$TOP/test/rooms" lib/base/good.c
  run -1 "$TOP/test/rooms" lib/base/good.c lib/record/bad.c lib/nn/bad.c lib/base/late.c
  [[ ${lines[0]} == "ok 1 - lib/base/good.c" ]]
  [[ $output == *"not ok 2 - lib/record/bad.c"*"record includes nn/net.h, of a later room"* ]]
  [[ $output == *"not ok 3 - lib/nn/bad.c"*"base only"* ]]
  [[ $output == *"not ok 4 - lib/base/late.c"*"the last include is not base/banned.h"* ]]
}

@test "programs: a crash and a missing plan are failures, a sound program passes" {
  printf '#!/bin/sh\necho ok 1 - fine\necho 1..1\n' > sound
  printf '#!/bin/sh\necho ok 1 - fine\nkill -SEGV $$\n' > crash
  printf '#!/bin/sh\necho ok 1 - fine\necho 1..2\n' > short
  chmod +x sound crash short
  run -0 "$TOP/test/programs" ./sound
  run -1 "$TOP/test/programs" ./sound ./crash ./short
  [[ $output == *"not ok - ./crash: status 139"* && $output == *"not ok - ./short: status 0, 1 tests of 2 planned"* ]]
}

@test "run: adds up parts, and a part that dies or prints nothing has failed" {
  mkdir test && cp "$TOP/test/run" test/
  printf '%s\n' 'tap-a:' $'\t@echo "ok 1 - x"; echo "ok 2 - y # SKIP no z"; echo 1..2' \
    'tap-b:' $'\t@echo "not ok 1 - x"; echo "# why"; echo 1..1; exit 1' 'tap-c:' $'\t@exit 1' 'tap-d:' $'\t@:' \
    'tap-e:' $'\t@echo "ok 1 - x"; echo 1..3' > Makefile
  run -0 --separate-stderr env -u MAKEFLAGS test/run a
  [[ ${lines[-1]} == "1 passed, 0 failed, 1 skipped" ]]
  run -1 --separate-stderr env -u MAKEFLAGS test/run a b c d e
  [[ ${lines[-1]} == "2 passed, 4 failed, 1 skipped" ]]
  [[ $output == *"b: not ok 1 - x"*"b: # why"*"c: not ok"*"d: not ok"*"e: not ok"* ]]
}

@test "examples: commands run in order, joined at a backslash; a failing one fails the page" {
  printf '.Sh EXAMPLES\n.Bd -literal\n$ printf a | \\e\n    cat > x\nnot a command\n$ test -s x\n.Ed\n' > good.1
  printf '.Sh EXAMPLES\n.Bd -literal\n$ false | cat\n$ true\n.Ed\n' > bad.1
  printf '.Sh NAME\n' > none.1
  run -0 "$TOP/test/examples" good.1
  run -1 "$TOP/test/examples" good.1 bad.1 none.1
  [[ $output == *"ok 1 - examples of good.1"*"not ok 2 - examples of bad.1"*"not ok 3 - none.1: no example to run"* ]]
}

@test "deps: asks apt for what is missing and for nothing else" {
  mkdir fake
  printf '#!/bin/sh\neval p=\\$$#\n[ "$p" = "${MISSING-}" ] || echo "install ok installed"\n' > fake/dpkg-query
  printf '#!/bin/sh\necho "apt-get $DEBIAN_FRONTEND $*" >> "%s/asked"\n' "$PWD" > fake/apt-get
  printf '#!/bin/sh\nexec "$@"\n' > fake/sudo
  chmod +x fake/*
  PATH="$PWD/fake:$PATH" run -0 env -u MAKEFLAGS make -s -C "$TOP" deps deps-test
  [[ ! -e asked ]]
  MISSING=libjansson-dev PATH="$PWD/fake:$PATH" run -0 env -u MAKEFLAGS make -s -C "$TOP" deps
  run -0 cat asked
  [[ ${lines[0]} == "apt-get "*" update"* && ${lines[1]} == "apt-get noninteractive install "*" libjansson-dev" ]]
}

@test "install: staged, complete, and gone after uninstall" {
  local stage=(DESTDIR="$PWD/stage" prefix=/opt/ca BIN="${CA_BIN:-bin}")
  [[ -z ${CA_BIN-} ]] || stage+=(BUILD="$(dirname "$CA_BIN" | sed 's|/$||')")
  [[ ${CA_BIN-} != "$TOP/bin" ]] || stage=("${stage[@]:0:2}")
  run -0 env -u MAKEFLAGS make -s -C "$TOP" install "${stage[@]}"
  for source in "$TOP"/bin/ca-*.c; do
    tool=$(basename "$source" .c)
    run -0 "stage/opt/ca/bin/$tool" --version
    [[ -s stage/opt/ca/share/bash-completion/completions/$tool ]]
    [[ ! -e $TOP/man/$tool.1 || -s stage/opt/ca/share/man/man1/$tool.1 ]]
  done
  [[ -s stage/opt/ca/share/man/man7/crossadapt.7 ]]
  run -1 grep -rlF "$PWD" stage
  printf '#include "base/err.h"\n#include "record/schema.h"\n#include <stdio.h>\nint main(void)\n{\n    return puts(ca_type_name(CA_TYPE_U32)) < 0;\n}\n' > use.c
  export PKG_CONFIG_PATH=$PWD/stage/opt/ca/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=
  run -0 pkg-config --define-variable=libdir="$PWD/stage/opt/ca/lib" \
    --define-variable=includedir="$PWD/stage/opt/ca/include/crossadapt" --static --cflags --libs crossadapt
  # shellcheck disable=SC2086
  gcc -o use use.c $output
  run -0 ./use
  [[ $output == u32 ]]
  run -0 env -u MAKEFLAGS make -s -C "$TOP" uninstall "${stage[@]}"
  run -0 find stage -type f
  [[ -z $output ]]
}
