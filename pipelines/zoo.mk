# Every architecture of ca-train --list-archs on one log, by one rule for all: how well each ranks, what it has and how
# fast it learns. Width 8, hidden layers 64 and 32, further sizes as they are; one pass over hist and train in the order of
# time, batches of 256, the newest 10 entries of a list; AUC and LogLoss on test. The CrossAdapt family learns at its own rates, the FuxiCTR family at
# LR_FX, since a single pass over a small log is too short for the 0.001 of its many-epoch runs.
#
#   make -f pipelines/zoo.mk                                                generated data, with histories, domains and tasks
#   make -f pipelines/zoo.mk DATA=ml1m.csv.gz SCHEMA=ml1m OUT=build/zoo-ml1m
#
# An architecture that reads something which the log does not have, behaviour, tasks or domains, has no line.
OUT ?= build/zoo
include $(dir $(lastword $(MAKEFILE_LIST)))common.mk
.DEFAULT_GOAL := show
ifeq ($(filter-out embedded,$(DATA)),)
SCHEMA ?= small
VOCAB ?= 2000
GEN ?= --history 10 --domains 3 --conversions
HAS ?= behaviour tasks domains
endif
HAS ?=
include $(PIPELINES)/data.mk

WIDTH ?= 8
HIDDEN ?= 64,32
BATCH ?= 256
EPOCHS ?= 1
LR_FX ?= 0.01
LENGTH ?= 10
SEEDS ?= 3
SEED_LIST := $(shell seq 0 $$(( $(SEEDS) - 1 )))
$(call keep,WIDTH HIDDEN BATCH EPOCHS LR_FX LENGTH)

# NAME=FAMILY=SPELLING, as words
LISTED := $(shell PATH=$(call quote,$(PATH)) ca-train --list-archs 2> /dev/null | awk -F '\t' ' \
	NR == 1 { for (i = 1; i <= NF; i++) at[$$i] = i; next } \
	{ n = split($$at["spelling"], part, ":"); s = part[1]; if (n > 1 && part[2] == "WIDTH") s = s ":WIDTH"; \
	if (n > 2 && part[3] ~ /HIDDEN/) s = s ":HIDDEN"; print $$at["name"] "=" $$at["family"] "=" s }')
ifeq ($(LISTED),)
$(error ca-train lists no architectures: build it first)
endif
NEEDS := $(if $(filter behaviour,$(HAS)),,dmin%) $(if $(filter tasks,$(HAS)),,%multitask) $(if $(filter domains,$(HAS)),,%multidomain)
name_of = $(word 1,$(subst =, ,$1))
ARCHS ?= $(filter-out $(NEEDS),$(foreach l,$(LISTED),$(call name_of,$l)))
line_of = $(firstword $(filter $1=%,$(LISTED)))
family_of = $(word 2,$(subst =, ,$(call line_of,$1)))
spelling_of = $(subst HIDDEN,$(HIDDEN),$(subst WIDTH,$(WIDTH),$(word 3,$(subst =, ,$(call line_of,$1)))))

PAST := $D/past.car
$(PAST): $(HIST) $(TRAIN)
	$(Q)ca-cat $(QUIET) -o $@ $^

# a variable of its own: a comma in a call would part its words
$(foreach a,$(ARCHS),$(eval SPELLING_$a := $(call spelling_of,$a)))

# $(call run,ARCH,SEED): a model, what it took, its measures, its size
define run
$(OUT)/seed-$2/$1.time: $(PAST) $(call uses,WIDTH HIDDEN BATCH EPOCHS LR_FX LENGTH)
	$$(call stage,$(OUT)/seed-$2/$1,ca-train --arch $$(SPELLING_$1) --seed $2 --threads $(THREADS) --batch $(BATCH) \
	--epochs $(EPOCHS) --sequence-length $(LENGTH) $(if $(filter FX,$(call family_of,$1)),--lr $(LR_FX)) -o $(OUT)/seed-$2/$1.safetensors $(PAST))
$(OUT)/seed-$2/$1.eval.tsv: $(OUT)/seed-$2/$1.time $(TEST)
	$$(Q)ca-eval $(QUIET) --threads $(THREADS) --model $(OUT)/seed-$2/$1.safetensors $(TEST) > $$@
$(OUT)/seed-$2/$1.model.tsv: $(OUT)/seed-$2/$1.time
	$$(Q)ca-model $(QUIET) $(OUT)/seed-$2/$1.safetensors > $$@
endef
$(foreach a,$(ARCHS),$(foreach k,$(SEED_LIST),$(eval $(call run,$a,$k))))

RUNS := $(foreach a,$(ARCHS),$(foreach k,$(SEED_LIST),$(OUT)/seed-$k/$a))
.PHONY: run-train run-measure run show
run-train: $(RUNS:%=%.time)
run-measure: $(RUNS:%=%.eval.tsv) $(RUNS:%=%.model.tsv)
SAID := DATA SCHEMA ROWS VOCAB GEN HAS DATA_SEED RATIOS WIDTH HIDDEN BATCH EPOCHS LR_FX LENGTH SEEDS ARCHS
AGAIN := $(MAKE) --no-print-directory -f $(firstword $(MAKEFILE_LIST)) OUT=$(OUT) THREADS=$(THREADS) JOBS=$(JOBS) V=$V \
	$(foreach s,$(SAID),$s=$(call quote,$($s)))
run: data $(PAST) ## every architecture with every seed
	@$(PIPELINES)/jobs $(OUT)/zoo.jobs.log $(JOBS) $(call quote,$(SSHLOGIN)) $(call quote,$(AGAIN)) run-train run-measure

$(OUT)/zoo.tsv: run $(PIPELINES)/zoo.awk
	$(Q)awk -f $(PIPELINES)/zoo.awk $(RUNS) > $@.tmp; mv $@.tmp $@
$(OUT)/zoo.md: $(OUT)/zoo.tsv $(PIPELINES)/zoo-markdown.awk
	$(Q)awk -f $(PIPELINES)/zoo-markdown.awk $< > $@.tmp; mv $@.tmp $@
show: $(OUT)/zoo.md ## the table
	@cat $<
