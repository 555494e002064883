# Every table and figure of CrossAdapt (arXiv 2602.01775) on one page, ours beside the published numbers:
#
#     make -f pipelines/crossadapt/paper.mk DATA=ml1m.csv.gz SCHEMA=ml1m BATCH=512 OUT=build/paper-ml1m
#
# OUT/paper.html is self-contained; OUT/paper.md is the same with its figures beside it. README.md here has the rest.
PAPER := yes
include $(dir $(lastword $(MAKEFILE_LIST)))study.mk
include $(addprefix $(STUDY)/,table1.mk table2.mk table3.mk table7.mk fig4.mk fig6.mk drift.mk cost.mk)
PAPER :=

# Tables 4 and 5 stand before Table 7. They need exposures, which no log but a generated one has here, and are an experiment of
# its own with settings of its own (table4_5.mk) in OUT/conversion; CONVERSION_SETTINGS='ROWS=500k DAYS=3' changes some.
CONVERSION_SETTINGS ?=
BEFORE_table7 := $(OUT)/$(NAME)/conversion.md
include $(STUDY)/report.mk
ifeq ($(DATA_FILE),)
# a make of its own: what was said to this one is not meant for it
CONVERSION = $(if $(DRY),+)@env $(addprefix -u ,MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES $(SAID)) $(MAKE) $(DRY:n=-n) --no-print-directory \
	-f $(STUDY)/table4_5.mk OUT=$(OUT)/conversion SCALE=$(SCALE) SEEDS=$(SEEDS_REST) SEED0=$(SEED0) JOBS=$(JOBS) THREADS=$(THREADS) \
	SSHLOGIN=$(call quote,$(SSHLOGIN)) V=$V $(CONVERSION_SETTINGS) tables
.PHONY: conversion
conversion: ## Tables 4 and 5, as OUT/conversion
	$(CONVERSION)
page: conversion
$(OUT)/conversion/conversion.md $(OUT)/conversion/days.svg: | conversion ;
$(OUT)/$(NAME)/conversion.md: $(OUT)/conversion/conversion.md $(OUT)/conversion/days.svg
	$(Q)sed 's|](days.svg)|](conversion/days.svg)|' $< > $@.tmp
	$(Q)mv $@.tmp $@
$(OUT)/$(NAME).html: $(OUT)/conversion/days.svg
else
$(OUT)/$(NAME)/conversion.md: $(STUDY)/text/no-exposures.md
	$(Q)cp $< $@
endif
