# CrossAdapt: composable Unix tools for switching click models to a new architecture.
# 'make help' lists the targets. Experiments are in pipelines/, not here.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
export LC_ALL := C

ifeq ($(origin CC),default)
CC := gcc
endif
AR ?= ar
PYTHON ?= /usr/bin/python3
BUILD ?= build
BIN ?= bin
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
export JOBS
V ?= 0
Q := $(if $(filter 0,$(V)),@,)

VERSION := $(shell sed -n 's/^.define CA_VERSION "\(.*\)"/\1/p' lib/cli/cli.h)
COMMIT := $(or $(shell git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null),unknown)

# ---- flags ----------------------------------------------------------------

WARN := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith \
	-Wcast-qual -pedantic
CFLAGS ?= -O2 -g
# The flavour of OpenBLAS with threads, of which we use one: threads are ours, and Debian's serial
# flavour is built without the locks that two callers need (lib/nn/blas.c then lets one in at a time).
BLAS_INC := $(firstword $(wildcard /usr/include/*/openblas-pthread /usr/include/*/openblas-serial))
BLAS_DIR := $(patsubst %/,%,$(dir $(firstword $(wildcard /usr/lib/*/openblas-pthread/libopenblas.so \
	/usr/lib/*/openblas-serial/libopenblas.so))))
# Debian's libdeflate-dev, where it is there: blocks are then unpacked in less than half the time, to the same bytes
LIBDEFLATE ?= $(if $(wildcard /usr/include/libdeflate.h),$(firstword $(wildcard /usr/lib/*/libdeflate.so)))
CPPFLAGS_ALL = -Ilib $(if $(LIBDEFLATE),-DCA_LIBDEFLATE) $(addprefix -isystem ,$(BLAS_INC)) -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE $(CPPFLAGS)
CFLAGS_ALL = -std=c11 $(WARN) $(CFLAGS) $(SPEED) -ffp-contract=off -pthread $(EXTRA_CFLAGS)
comma := ,
LDLIBS_ALL := $(if $(BLAS_DIR),-L$(BLAS_DIR) -Wl$(comma)-rpath$(comma)$(BLAS_DIR)) -lopenblas -ljansson -lxxhash -lz $(if $(LIBDEFLATE),-ldeflate) -lm \
	$(LDLIBS)

LIB_SRC := $(sort $(wildcard lib/*/*.c lib/*/*/*.c))
LIB_HDR := $(sort $(wildcard lib/*/*.h lib/*/*/*.h))
GEN_OBJ := $(BUILD)/obj/gen/presets.o $(BUILD)/obj/gen/configs.o
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/obj/%.o) $(GEN_OBJ)
TOOLS := $(patsubst bin/%.c,%,$(sort $(wildcard bin/ca-*.c)))
TOOL_BIN := $(TOOLS:%=$(BIN)/%)
LIB := $(BUILD)/libcrossadapt.a
MAN := $(patsubst man/%,$(BUILD)/man/%,$(sort $(wildcard man/*.[1-9])))

# compute loops are written for the vectoriser: it wakes up at -O3, and a square root that may set errno
# or a comparison that may trap stops it; no result changes with these
$(BUILD)/obj/lib/nn/%.o $(BUILD)/double/lib/nn/%.o $(BUILD)/obj/lib/record/block.o: SPEED = $(patsubst -O2,-O3,$(filter -O2,$(CFLAGS))) -fno-math-errno -fno-trapping-math

# what objects depend on besides their sources
include pipelines/settle.mk
ifeq ($(filter clean distclean help deps deps-test,$(MAKECMDGOALS)),)
$(call settle,$(BUILD)/flags,$(CC) $(shell $(CC) -dumpfullversion 2>/dev/null) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS) $(LDLIBS_ALL))
$(call settle,$(BUILD)/commit,$(COMMIT))
$(call settle,$(BUILD)/lib.list,$(LIB_SRC))
$(call settle,$(BUILD)/data.list,$(sort $(wildcard data/schemas/*.schema data/configs/*/*/*.conf)))
endif
.PHONY: blas
blas:
	@$(if $(BLAS_DIR),:,echo "make: no OpenBLAS here: run 'make deps' first" >&2; exit 1)

# ---- build ----------------------------------------------------------------

.PHONY: all
all: $(LIB) $(TOOL_BIN) $(MAN) ## build the library, the tools and their manual

$(BUILD)/obj/%.o: %.c $(BUILD)/flags | $(if $(BLAS_DIR),,blas)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@
# schema presets and published configs are part of the library, so that an installed tool needs no path
SCHEMAS := $(sort $(wildcard data/schemas/*.schema))
CONFIGS := $(sort $(wildcard data/configs/*/*/*.conf))
$(BUILD)/gen/presets.c: data/embed.awk $(SCHEMAS) $(BUILD)/data.list
	@mkdir -p $(@D)
	$(Q)awk -v header=data/schema_file.h -v type=ca_preset -v array=ca_presets -v top=data/schemas/ -v suffix=.schema \
	-f data/embed.awk $(SCHEMAS) > $@.tmp; mv $@.tmp $@
$(BUILD)/gen/configs.c: data/embed.awk $(CONFIGS) $(BUILD)/data.list
	@mkdir -p $(@D)
	$(Q)awk -v header=model/configs.h -v type=ca_config -v array=ca_train_configs -v top=data/configs/ -v suffix=.conf \
	-f data/embed.awk $(CONFIGS) > $@.tmp; mv $@.tmp $@
$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@
PAGE_OBJ := $(BUILD)/obj/lib/cli/page.o $(BUILD)/double/lib/cli/page.o
$(PAGE_OBJ): $(BUILD)/commit
$(PAGE_OBJ): CPPFLAGS_ALL += -DCA_COMMIT='"$(COMMIT)"' -DCA_FLAGS='"$(strip $(CFLAGS) $(EXTRA_CFLAGS))"'
$(LIB): $(LIB_OBJ) $(BUILD)/lib.list
	$(Q)rm -f $@; $(AR) rcsD $@ $(LIB_OBJ)
$(BIN)/ca-%: $(BUILD)/obj/bin/ca-%.o $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $< $(LIB) $(LDLIBS_ALL)
-include $(LIB_OBJ:.o=.d) $(TOOLS:%=$(BUILD)/obj/bin/%.d)

# what pipelines/zoo.mk measured of all architectures, by log
ZOO := $(sort $(wildcard man/zoo/*.tsv))
# A page's OPTIONS come from the table of its tool, the catalogue of architectures from theirs.
$(BUILD)/man/%: man/%
	@mkdir -p $(@D)
	$(Q)if grep -q '^\.\\" @OPTIONS@' $<; then $(BIN)/$(basename $*) --print-man-options > $@.made; \
	elif grep -q '^\.\\" @CATALOGUE@' $<; then $(BIN)/ca-train --list-archs --quiet | awk -f man/catalogue.awk - $(ZOO) > $@.made; \
	else : > $@.made; fi; \
	sed -e '/^\.\\" @[A-Z]*@/{r $@.made' -e 'd}' $< > $@.tmp; rm $@.made; mv $@.tmp $@
$(foreach t,$(TOOLS),$(eval $(BUILD)/man/$t.1: $(BIN)/$t))
$(BUILD)/man/ca-architectures.7: $(BIN)/ca-train man/catalogue.awk $(ZOO)

# ---- what must be installed -----------------------------------------------

PACKAGES := gcc make zlib1g-dev libopenblas-pthread-dev libjansson-dev libxxhash-dev pkg-config parallel bats gnuplot-nox
PACKAGES_TEST := clang mandoc valgrind shellcheck python3-numpy python3-sklearn python3-torch
# $(call install,PACKAGES): nothing happens, and no network is asked, when all are there.
install_packages = missing=(); \
	if ! command -v dpkg-query > /dev/null; then \
	echo "make: not a Debian system; what must be there: $1" >&2; exit 0; fi; \
	for p in $1; do \
	status=$$(dpkg-query -W -f='$${Status}' "$$p" 2> /dev/null || true); \
	[[ $$status == 'install ok installed' || $$status == 'hold ok installed' ]] || missing+=("$$p"); done; \
	if (( $${\#missing[@]} )); then \
	sudo=(); [[ $$(id -u) == 0 ]] || sudo=(sudo); \
	echo "installing $${missing[*]}" >&2; \
	"$${sudo[@]}" apt-get update -qq >&2; \
	"$${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}" >&2; fi

.PHONY: deps deps-test
deps: ## install what the build and the pipelines need (apt-get; nothing when all is there)
	@$(call install_packages,$(PACKAGES))
deps-test: ## the same and what the tests need
	@$(call install_packages,$(PACKAGES) $(PACKAGES_TEST))

# ---- tests ----------------------------------------------------------------

# C tests: one program each, TAP on stdout. grad_*.c run against the library built in double.
UNIT := $(patsubst test/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard test/unit/test_*.c)))
GRAD := $(patsubst test/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard test/unit/grad_*.c)))
DOUBLE_OBJ := $(LIB_SRC:%.c=$(BUILD)/double/%.o) $(GEN_OBJ)
$(BUILD)/double/%.o: %.c $(BUILD)/flags | $(if $(BLAS_DIR),,blas)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -DCA_DOUBLE $(CFLAGS_ALL) -MMD -MP -c $< -o $@
$(BUILD)/libdouble.a: $(DOUBLE_OBJ) $(BUILD)/lib.list
	$(Q)rm -f $@; $(AR) rcsD $@ $(DOUBLE_OBJ)
# programs of the bench, optimised as compute loops of the library are
BENCH := $(patsubst test/bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard test/bench/*.c)))
$(BUILD)/bench/%: SPEED = $(patsubst -O2,-O3,$(filter -O2,$(CFLAGS))) -fno-math-errno -fno-trapping-math
$(BUILD)/bench/%: test/bench/%.c $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -Itest -Itest/unit $(CFLAGS_ALL) -MMD -MP -o $@ $< $(LIB) $(LDLIBS_ALL)
$(BUILD)/unit/test_%: test/unit/test_%.c $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -Itest/unit $(CFLAGS_ALL) -MMD -MP -o $@ $< $(LIB) $(LDLIBS_ALL)
$(BUILD)/unit/grad_%: test/unit/grad_%.c $(BUILD)/libdouble.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -DCA_DOUBLE -Itest/unit $(CFLAGS_ALL) -MMD -MP -o $@ $< $(BUILD)/libdouble.a $(LDLIBS_ALL)
# the architecture that lib/README.md shows is compiled as it stands there
$(BUILD)/gen/example.c: lib/README.md
	@mkdir -p $(@D)
	$(Q)awk '/^```$$/ { on = 0 } on; /^```c$$/ { on = 1 }' $< > $@.tmp; mv $@.tmp $@
$(BUILD)/unit/grad_example: $(BUILD)/gen/example.c
$(BUILD)/unit/grad_example: CPPFLAGS_ALL += -I$(BUILD)/gen
-include $(BENCH:=.d) $(UNIT:=.d) $(GRAD:=.d) $(DOUBLE_OBJ:.o=.d)

# Each tap-PART prints TAP on stdout; test/run counts what they print.
PARTS := unit bats examples lint headers rooms
PARTS_LONG := asan clang valgrind
ASAN_FLAGS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ASAN := EXTRA_CFLAGS=-Werror BUILD=$(BUILD)/asan BIN=$(BUILD)/asan/bin CFLAGS='$(ASAN_FLAGS)'
# suites whose tests walk over broken and hostile input, where a sanitizer sees most
ASAN_BATS := $(wildcard $(addprefix test/,cli.bats records.bats gen.bats import.bats model.bats))

.PHONY: check check-all $(PARTS:%=check-%) $(PARTS_LONG:%=check-%)
check: ## all tests but the slow ones: units, tools, pipelines, manual examples, lint, headers, rooms
	@$(MAKE) --no-print-directory deps-test
	+@test/run $(PARTS)
check-all: ## check, and check-asan, check-clang, check-valgrind
	@$(MAKE) --no-print-directory deps-test
	+@test/run $(PARTS) $(PARTS_LONG)
$(PARTS:%=check-%) $(PARTS_LONG:%=check-%): check-%:
	+@test/run $*

.PHONY: $(PARTS:%=tap-%) $(PARTS_LONG:%=tap-%) unit
unit: $(UNIT) $(GRAD) ## build the C tests
tap-unit: unit
	@test/programs $(UNIT) $(GRAD)
BATS ?= $(sort $(wildcard test/*.bats))
tap-bats: all $(BENCH)
	@CA_BIN=$(abspath $(BIN)) CA_BENCH=$(abspath $(BUILD)/bench) test/programs --under 'bats --tap' $(BATS)
# the method on real data, which is not part of the project: a check of its own
.PHONY: check-method-data tap-method-data
check-method-data: ## does the method work on MovieLens-1M: CA_DATA/ml1m.csv.gz, five seeds, some minutes
	+@test/run method-data
tap-method-data: all
	@CA_BIN=$(abspath $(BIN)) bats --tap test/data/method.bats
tap-examples: all
	@CA_BIN=$(abspath $(BIN)) test/examples $(sort $(wildcard man/*.[1-9]))
tap-lint: all
	@test/lint $(BUILD)
tap-headers:
	@test/headers $(CC) $(CPPFLAGS_ALL) -std=c11 $(WARN)
tap-rooms:
	@test/rooms $(LIB_SRC) $(LIB_HDR)
tap-asan:
	@$(MAKE) $(ASAN) all unit >&2
	@export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1; \
	status=0; \
	$(MAKE) -s --no-print-directory $(ASAN) tap-unit || status=1; \
	$(MAKE) -s --no-print-directory $(ASAN) BATS='$(ASAN_BATS)' tap-bats || status=1; \
	exit $$status
tap-clang:
	@$(MAKE) BUILD=$(BUILD)/clang BIN=$(BUILD)/clang/bin CC=clang EXTRA_CFLAGS=-Werror all unit >&2; \
	echo 'ok 1 - builds with clang without warnings'; echo 1..1
# a few programs, and every tool once; what takes long here has the sanitizers, which are faster
VALGRIND := $(filter $(addprefix $(BUILD)/unit/test_,base metric split),$(UNIT))
tap-valgrind: all unit
	@status=0; test/programs --under 'valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite' $(VALGRIND) || status=1; \
	CA_BIN=$(abspath $(BIN)) test/memory || status=1; exit $$status

.PHONY: golden
golden: ## compute the golden numbers anew: test/golden/NAME.tsv is what the independent test/oracle/NAME.py prints
	@for f in $(sort $(wildcard test/golden/*.tsv)); do oracle=test/oracle/$$(basename "$$f" .tsv).py; \
	[[ -e $$oracle ]] || continue; echo "$$f" >&2; OPENBLAS_NUM_THREADS=1 $(PYTHON) "$$oracle" > "$$f.tmp"; mv "$$f.tmp" "$$f"; done

# ---- experiments ----------------------------------------------------------

QUICK := $(BUILD)/quickstart$(if $(SCHEMA),-$(notdir $(SCHEMA)))
# settings are in test/bench/bench: BENCH_SCALE=tiny is over in seconds; README.md says what the whole takes
.PHONY: bench bench-peer bench-all bench-programs
bench-programs: $(BENCH)
bench: all $(BENCH) ## measure the machine, every architecture and every stage: build/bench/out/page.md (BENCH_SCALE=tiny|full)
	@CA_BIN=$(abspath $(BIN)) test/bench/bench $(BUILD)/bench $(BUILD)/bench/out
bench-peer: all $(BENCH) ## the architectures beside PyTorch in the same rounds, and the ratios to its best settings
	@$(call install_packages,python3-torch libopenblas0-openmp)
	@BENCH_PARTS="$${BENCH_PARTS:-machine archs peer}" BENCH_ARCHS="$${BENCH_ARCHS:-mlp fibinet dcn autoint afm}" \
	BENCH_PYTHON=$(PYTHON) CA_BIN=$(abspath $(BIN)) test/bench/bench $(BUILD)/bench $(BUILD)/bench/peer
bench-all: all $(BENCH) ## both on one page, and whole jobs at the published size: every target has its answer
	@$(call install_packages,python3-torch libopenblas0-openmp parallel)
	@BENCH_PARTS=all BENCH_PYTHON=$(PYTHON) CA_BIN=$(abspath $(BIN)) test/bench/bench $(BUILD)/bench $(BUILD)/bench/all

.PHONY: quickstart
quickstart: ## build, then switch a small model and print the table; DATA=FILE SCHEMA=NAME for your own log
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@$(MAKE) --no-print-directory -f pipelines/quickstart.mk OUT=$(QUICK) $(if $(DATA),DATA='$(DATA)') \
	$(if $(SCHEMA),SCHEMA='$(SCHEMA)')

# ---- install --------------------------------------------------------------

prefix ?= $(or $(PREFIX),/usr/local)
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
libdir ?= $(exec_prefix)/lib
includedir ?= $(prefix)/include
datarootdir ?= $(prefix)/share
mandir ?= $(datarootdir)/man
completiondir ?= $(datarootdir)/bash-completion/completions
INSTALL ?= install
D := $(DESTDIR)

define PC
prefix=$(prefix)
libdir=$(libdir)
includedir=$(includedir)/crossadapt

Name: crossadapt
Description: record streams, click models and the switch between their architectures
Version: $(VERSION)
Requires: jansson
Libs: -L$${libdir} -lcrossadapt
Libs.private: -L$(BLAS_DIR) -lopenblas -lxxhash -lz $(if $(LIBDEFLATE),-ldeflate) -lm -pthread
Cflags: -I$${includedir}
endef
export PC

.PHONY: install uninstall
install: all ## install under $(DESTDIR)$(prefix), default /usr/local
	$(Q)$(INSTALL) -d '$(D)$(bindir)' '$(D)$(libdir)/pkgconfig' '$(D)$(completiondir)'
	$(Q)$(if $(TOOLS),$(INSTALL) -m 755 $(TOOL_BIN) '$(D)$(bindir)')
	$(Q)$(INSTALL) -m 644 $(LIB) '$(D)$(libdir)'
	$(Q)printf '%s\n' "$$PC" > $(BUILD)/crossadapt.pc
	$(Q)$(INSTALL) -m 644 $(BUILD)/crossadapt.pc '$(D)$(libdir)/pkgconfig'
	$(Q)for h in $(LIB_HDR:lib/%=%); do $(INSTALL) -D -m 644 "lib/$$h" '$(D)$(includedir)'"/crossadapt/$$h"; done
	$(Q)for m in $(MAN:$(BUILD)/man/%=%); do $(INSTALL) -D -m 644 "$(BUILD)/man/$$m" '$(D)$(mandir)'"/man$${m##*.}/$$m"; done
	$(Q)mkdir -p $(BUILD)/completions; for t in $(TOOLS); do \
	$(BIN)/$$t --print-completion > "$(BUILD)/completions/$$t"; \
	$(INSTALL) -m 644 "$(BUILD)/completions/$$t" '$(D)$(completiondir)'; done
uninstall: ## remove what install put there
	$(Q)for t in $(TOOLS); do rm -f '$(D)$(bindir)'"/$$t" '$(D)$(completiondir)'"/$$t"; done
	$(Q)for m in $(MAN:$(BUILD)/man/%=%); do rm -f '$(D)$(mandir)'"/man$${m##*.}/$$m"; done
	$(Q)rm -f '$(D)$(libdir)/$(notdir $(LIB))' '$(D)$(libdir)/pkgconfig/crossadapt.pc'
	$(Q)rm -rf '$(D)$(includedir)/crossadapt'

.PHONY: clean distclean help
clean: ## remove what was built, not the results of pipelines
	rm -rf $(addprefix $(BUILD)/,obj double unit bench man completions check asan clang flags commit lib.list data.list \
	crossadapt.pc libcrossadapt.a libdouble.a) $(TOOLS:%=bin/%)
distclean: ## remove everything that is not a source
	rm -rf $(BUILD) $(filter-out %.c,$(wildcard bin/ca-*))
help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
