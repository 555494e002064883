# Rules and words shared by all experiments: include it first.
#
# An experiment lives in one folder, OUT. Every artefact is one rule; a rule whose recipe is a stage of training goes
# through pipelines/stage, which keeps the time and the rows it took in a .time file and what was said in a .log.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:
# is it 'make -n'? Then the goal depends on every file, so that all that would be done is shown
DRY := $(findstring n,$(firstword -$(MAKEFLAGS)))
MAKEFLAGS += --no-builtin-rules
export LC_ALL := C

PIPELINES := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
export PATH := $(or $(CA_BIN),$(abspath $(PIPELINES)/../bin)):$(PATH)
include $(PIPELINES)/settle.mk

# jobs at a time, and threads for each, within the processors of the machine; SSHLOGIN is GNU parallel's: machines that
# share this folder under the same path
# (asked once, not wherever they are used)
ifeq ($(origin JOBS),undefined)
JOBS := $(shell nproc)
endif
ifeq ($(origin THREADS),undefined)
THREADS := $(shell n=$$(( $$(nproc) / $(JOBS) )); echo $$(( n > 0 ? n : 1 )))
endif
SSHLOGIN ?=
# V=1 shows the commands and lets the tools talk
V ?= 0
QUIET := $(if $(filter 0,$(V)),--quiet)
Q := $(if $(filter 0,$(V)),@)
export V

# One file a setting, written when its value changes. $(call uses,A B): the files of settings A and B, to depend on.
# $(call keep,A B) settles them; it stands in the makefile after the settings have their defaults.
uses = $(1:%=$(OUT)/settings/%)
keep = $(foreach s,$1,$(call settle,$(OUT)/settings/$s,$($s)))
quote = '$(subst ','\'',$1)'

# $(call stage,NAME,COMMAND): a stage of training that leaves NAME.time and NAME.log
stage = @mkdir -p $(@D); $(PIPELINES)/stage $1 $(call quote,$2)

ifneq ($(words $(OUT) x),2)
$(error OUT must be one name without spaces)
endif
