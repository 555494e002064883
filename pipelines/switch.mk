# The main experiment: switch a click model from one architecture to another, by several methods, over several seeds.
#
#     make -f pipelines/switch.mk DATA=ml1m.csv.gz SCHEMA=ml1m TEACHER=mlp:8:64,32,4 STUDENT=fibinet:16:256,128,16 \
#         SEEDS=5 BATCH=512 JOBS=2 OUT=build/ml1m
#
# DATA=embedded, the default, generates data. The table is OUT/results.tsv and OUT/results.md. A run that was
# stopped goes on when it is started again; a changed setting repeats what depends on it and nothing else.
# Settings are explained in data.mk and runs.mk. CrossAdapt, sections 3 and 4.1; Table 1.
OUT ?= build/switch
include $(dir $(lastword $(MAKEFILE_LIST)))common.mk
SELF := $(PIPELINES)/switch.mk
.DEFAULT_GOAL := results
TEACHER ?= mlp:8:64,32,4
STUDENT ?= fibinet:16:256,128,16
# any of those of runs.mk, hint-kd and rkd too; the teacher is always made
METHODS ?= full-retrain scratch scratch-online vanilla-kd crossadapt-full crossadapt-sample
$(call keep,TEACHER STUDENT)
include $(PIPELINES)/data.mk
include $(PIPELINES)/runs.mk
SAID := DATA SCHEMA ROWS VOCAB DATA_SEED RATIOS VOCAB_SCOPE WITH TEACHER STUDENT METHODS $(RUN_SETTINGS)

ALL := $(foreach m,teacher $(METHODS),$(call run,$m,,))
NAME := results
include $(PIPELINES)/measure.mk

$(OUT)/results.tsv: $(MEASURES) $(PIPELINES)/stats.awk $(PIPELINES)/table.awk
	$(Q)awk -v methods='$(ALL)' -f $(PIPELINES)/stats.awk -f $(PIPELINES)/table.awk $< > $@.tmp
	$(Q)mv $@.tmp $@
$(OUT)/results.md: $(OUT)/results.tsv $(PIPELINES)/markdown.awk
	$(Q)awk -f $(PIPELINES)/markdown.awk $< > $@.tmp
	$(Q)mv $@.tmp $@
$(OUT)/results.svg: $(OUT)/results.tsv $(PIPELINES)/plot.gp
	$(Q)gnuplot -e "input='$<'" $(PIPELINES)/plot.gp > $@.tmp
	$(Q)mv $@.tmp $@
RESULTS := $(addprefix $(OUT)/results.,tsv md svg)

.PHONY: results
ifeq ($(DRY),)
results: run ## the table, shown and in OUT/results.tsv and OUT/results.md, and a plot in OUT/results.svg
	@$(AGAIN) -s $(RESULTS)
	@cat $(OUT)/results.md
else
results: $(RESULTS)
endif
