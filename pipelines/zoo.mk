# Every architecture of ca-train --list-archs on one log, side by side.
#
#     make -f pipelines/zoo.mk
#     make -f pipelines/zoo.mk DATA=ml1m.csv.gz SCHEMA=ml1m OUT=build/zoo-ml1m
#
# One rule for all: tables of WIDTH, hidden widths HIDDEN, every further size as it is when it is not given, and the
# family's own learning rates. Training goes over hist and train in the order of time, up to EPOCHS times, and stops when
# PATIENCE epochs in a row were not better on online; the best one is measured on test. Of a list a model sees LENGTH
# entries. LR_FX is another learning rate for the FuxiCTR family, whose 0.001 needs many epochs of a small log. MORE are further
# options of ca-train.
# The table is OUT/zoo.tsv and OUT/zoo.md. The generated log has lists, further labels and domains, for the architectures
# that read them; what a log does not have is said in the place of the numbers.
# Rows a second are those of one run at a time: JOBS=1, with all threads.
OUT ?= build/zoo
JOBS ?= 1
SCHEMA ?= small
ROWS ?= 100k
WIDTH ?= 8
HIDDEN ?= 64,32
BATCH ?= 512
EPOCHS ?= 10
SEED0 ?= 0
SEEDS ?= 3
LENGTH ?= 10
PATIENCE ?= 1
LR_FX ?=
MORE ?=
include $(dir $(lastword $(MAKEFILE_LIST)))common.mk
.DEFAULT_GOAL := table
# generated numeric features are not scaled, which models that multiply features with each other do not bear
DATA ?= embedded
ifeq ($(DATA),embedded)
DROP ?= I1,I2,I3,I4
GEN ?= --conversions --domains 3 --history 10
endif
DROP ?=
include $(PIPELINES)/data.mk
ifeq ($(DATA),embedded)
SOURCE += $(if $(DROP),| ca-cat $(QUIET) --drop $(DROP))
$D/all.car: $(call uses,DROP)
endif
ARCHS ?= $(shell PATH=$(call quote,$(PATH)) ca-train --quiet --list-archs | awk 'NR > 1 { print $$1 }')
$(call keep,DROP WIDTH HIDDEN LENGTH BATCH EPOCHS PATIENCE SEED0 LR_FX MORE)
HOW := $(call uses,WIDTH HIDDEN LENGTH BATCH EPOCHS PATIENCE SEED0 LR_FX MORE)
SEED_LIST := $(shell seq 0 $$(( $(SEEDS) - 1 )))

PAST := $D/past.car
$(PAST): $(HIST) $(TRAIN)
	$(Q)ca-cat $(QUIET) -o $@ $(HIST) $(TRAIN)

# NAME.plan: what ca-train --dry-run says of it, or one line: refused, and why
spellings := $(shell PATH=$(call quote,$(PATH)) ca-train --quiet --list-archs | awk -F '\t' 'NR > 1 { sub(/:[^:]*=.*/, "", $$4); \
	sub(/WIDTH/, "$(WIDTH)", $$4); sub(/HIDDEN,\.\.\./, "$(HIDDEN)", $$4); print $$1 "=" $$4 }')
FX := $(shell PATH=$(call quote,$(PATH)) ca-train --quiet --list-archs | awk -F '\t' '$$5 == "FX" { print $$1 }')
spelling = $(patsubst $1=%,%,$(filter $1=%,$(spellings)))
$(OUT)/%.plan: $(PAST) $(HOW)
	$(Q)if ! ca-train --quiet --dry-run --sequence-length $(LENGTH) --arch $(call spelling,$*) $(PAST) > $@.tmp 2> $@.why; then \
	awk 'NR == 1 { sub(/^ca-train: /, ""); print "refused\t" $$0 }' $@.why > $@.tmp; fi
	$(Q)rm $@.why; mv $@.tmp $@

# seed-K/NAME.eval.tsv: AUC and LogLoss on test, empty when it is refused; NAME.steps.tsv: the time that steps took
define run
$(OUT)/seed-$1/$2.eval.tsv: $(OUT)/$2.plan $(PAST) $(ONLINE) $(TEST) $(HOW)
	@mkdir -p $$(@D)
	$(Q)if grep -q '^refused' $(OUT)/$2.plan; then : > $$@.tmp; else \
	$(PIPELINES)/stage $(OUT)/seed-$1/$2 'ca-train --arch $(call spelling,$2) --batch $(BATCH) --epochs $(EPOCHS) --patience $(PATIENCE) \
	--sequence-length $(LENGTH) --valid $(ONLINE) --seed $(shell echo $$(( $(SEED0) + $1 ))) -j $(THREADS) --log $(OUT)/seed-$1/$2.steps.tsv $(if $(filter $2,$(FX)),$(LR_FX:%=--lr %)) $(MORE) \
	-o $(OUT)/seed-$1/$2.safetensors $(PAST)'; \
	ca-eval $(QUIET) --model $(OUT)/seed-$1/$2.safetensors $(TEST) > $$@.tmp; fi
	$(Q)mv $$@.tmp $$@
endef
$(foreach k,$(SEED_LIST),$(foreach a,$(ARCHS),$(eval $(call run,$k,$a))))
EVALS := $(foreach k,$(SEED_LIST),$(ARCHS:%=$(OUT)/seed-$k/%.eval.tsv))

$(OUT)/zoo.tsv $(OUT)/zoo.md &: $(EVALS) $(PIPELINES)/zoo.awk
	$(Q)ca-train --quiet --list-archs | awk -v out=$(OUT) -v seeds=$(SEEDS) -v names='$(ARCHS)' -v md=$(OUT)/zoo.md.tmp \
	-f $(PIPELINES)/zoo.awk > $(OUT)/zoo.tsv.tmp
	$(Q)mv $(OUT)/zoo.md.tmp $(OUT)/zoo.md; mv $(OUT)/zoo.tsv.tmp $(OUT)/zoo.tsv

.PHONY: table
table: ## every architecture with every seed, and the table
	@$(MAKE) --no-print-directory -f $(firstword $(MAKEFILE_LIST)) -j$(JOBS) $(OUT)/zoo.tsv
	@cat $(OUT)/zoo.md
