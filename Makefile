# CrossAdapt: composable Unix tools for switching click models to a new architecture.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
export LC_ALL := C

CC ?= gcc
BUILD ?= build
V ?= 0
Q := $(if $(filter 0,$(V)),@,)

WARN := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith -Wcast-qual -pedantic
CFLAGS ?= -O2 -g
BLAS_CFLAGS := $(addprefix -isystem ,$(firstword $(wildcard /usr/include/*/openblas-serial)))
CPPFLAGS_ALL := -Ilib $(BLAS_CFLAGS) -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE $(CPPFLAGS)
CFLAGS_ALL := -std=c11 $(WARN) $(CFLAGS) -ffp-contract=off -pthread $(EXTRA_CFLAGS)
# the serial flavour of OpenBLAS: threads are ours
BLAS_DIR := $(dir $(firstword $(wildcard /usr/lib/*/openblas-serial/libopenblas.so)))
LDLIBS_ALL := -L$(BLAS_DIR) -Wl,-rpath,$(patsubst %/,%,$(BLAS_DIR)) -lopenblas -ljansson -lxxhash -lz -lm $(LDLIBS)

LIB_SRC := $(sort $(wildcard lib/*/*.c lib/*/*/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
TOOLS := $(patsubst bin/%.c,%,$(sort $(wildcard bin/ca-*.c)))
LIB := $(BUILD)/libcrossadapt.a

.PHONY: all
all: $(LIB) $(TOOLS:%=bin/%)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@
$(BUILD)/obj/lib/cli/page.o: CPPFLAGS_ALL += -DCA_COMMIT='"dev"' -DCA_FLAGS='"$(CFLAGS)"'
$(LIB): $(LIB_OBJ)
	$(Q)rm -f $@; ar rcsD $@ $^
bin/ca-%: $(BUILD)/obj/bin/ca-%.o $(LIB)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $< $(LIB) $(LDLIBS_ALL)
-include $(LIB_OBJ:.o=.d) $(TOOLS:%=$(BUILD)/obj/bin/%.d)

# C tests: one program each, TAP on stdout. grad_*.c run against the library built in double.
UNIT := $(patsubst test/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard test/unit/test_*.c)))
GRAD := $(patsubst test/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard test/unit/grad_*.c)))
NUM_SRC := $(sort $(wildcard lib/base/*.c lib/cli/*.c lib/record/*.c lib/nn/*.c lib/model/*.c lib/transfer/*.c))
DOUBLE_OBJ := $(NUM_SRC:%.c=$(BUILD)/double/%.o)
$(BUILD)/double/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -DCA_DOUBLE $(CFLAGS_ALL) -MMD -MP -c $< -o $@
$(BUILD)/double/lib/cli/page.o: CPPFLAGS_ALL += -DCA_COMMIT='"dev"' -DCA_FLAGS='"$(CFLAGS)"'
$(BUILD)/libdouble.a: $(DOUBLE_OBJ)
	$(Q)rm -f $@; ar rcsD $@ $^
$(BUILD)/unit/test_%: test/unit/test_%.c $(LIB)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -Itest/unit $(CFLAGS_ALL) -MMD -MP -o $@ $< $(LIB) $(LDLIBS_ALL)
$(BUILD)/unit/grad_%: test/unit/grad_%.c $(BUILD)/libdouble.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -DCA_DOUBLE -Itest/unit $(CFLAGS_ALL) -MMD -MP -o $@ $< $(BUILD)/libdouble.a $(LDLIBS_ALL)
-include $(UNIT:=.d) $(GRAD:=.d) $(DOUBLE_OBJ:.o=.d)

.PHONY: check-unit check-bats
check-unit: $(UNIT) $(GRAD)
	prove --exec '' $(UNIT) $(GRAD)
check-bats: all
	bats test/*.bats

.PHONY: clean
clean:
	rm -rf $(BUILD) $(TOOLS:%=bin/%)
