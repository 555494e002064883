# The main experiment: switch a click model from one architecture to another, by seven methods, over several seeds.
#
#     make -f pipelines/switch.mk DATA=ml1m.csv.gz SCHEMA=ml1m TEACHER=mlp:8:64,32,4 STUDENT=fibinet:16:256,128,16 \
#         SEEDS=5 BATCH=512 JOBS=2 OUT=build/ml1m
#
# DATA=embedded, the default, generates ROWS rows with the columns of SCHEMA, criteo or small, and with VOCAB values in all
# (ca-gen chooses when it is empty). The table is OUT/results.tsv and OUT/results.md. A run that was
# stopped goes on when it is started again; a changed setting repeats what depends on it and nothing else.
# CrossAdapt, sections 3 and 4.1; Table 1.
OUT ?= build/switch
include $(dir $(lastword $(MAKEFILE_LIST)))common.mk
SELF := $(PIPELINES)/switch.mk
.DEFAULT_GOAL := results

# ---- settings (defaults: the paper, section 4.1) ---------------------------

DATA ?= embedded
SCHEMA ?= criteo
ROWS ?= 200k
VOCAB ?=
DATA_SEED ?= 1
RATIOS ?= 4:4:1:1
TEACHER ?= mlp:8:64,32,4
STUDENT ?= fibinet:16:256,128,16
BATCH ?= 4096
LOSS ?= published
SAMPLE_METHOD ?= balanced
SAMPLE_RATIO ?= 0.1
POSITIVE_RATIO ?= 0.5
REPLAY_RATIO ?= 0.1
INTERVAL ?= 10
SEED0 ?= 0
SEEDS ?= 5
METHODS := full-retrain scratch scratch-online vanilla-kd crossadapt-full crossadapt-sample

SETTINGS := DATA SCHEMA ROWS VOCAB DATA_SEED RATIOS TEACHER STUDENT BATCH LOSS SAMPLE_METHOD SAMPLE_RATIO POSITIVE_RATIO \
	REPLAY_RATIO INTERVAL SEED0
$(call keep,$(SETTINGS))

# ---- data ------------------------------------------------------------------

D := $(OUT)/data
HIST := $D/hist.car
TRAIN := $D/train.car
ONLINE := $D/online.car
TEST := $D/test.car
ifeq ($(DATA),embedded)
SOURCE = ca-gen $(QUIET) --preset $(SCHEMA) --rows $(ROWS) --seed $(DATA_SEED) $(if $(VOCAB),--vocab $(VOCAB))
DATA_FILE :=
else
SOURCE = ca-import $(QUIET) --schema $(call quote,$(SCHEMA)) --ratios $(RATIOS)
DATA_FILE := $(DATA)
endif
$D/all.car: $(DATA_FILE) $(call uses,DATA SCHEMA ROWS VOCAB DATA_SEED $(if $(DATA_FILE),RATIOS))
	@mkdir -p $D
	$(Q)$(SOURCE) -o $@ $(DATA_FILE:%=-- %)
$(HIST) $(TRAIN) $(ONLINE) $(TEST) &: $D/all.car $(call uses,RATIOS)
	$(Q)ca-split $(QUIET) --ratios $(RATIOS) --out-dir $D $<

# ---- one seed: OUT/seed-K, where every tool is given the seed SEED0 + K -----

S := $(OUT)/seed-%
HERE = $(OUT)/seed-$*
SEED_OF = $$(( $(SEED0) + $* ))
COMMON = --seed $(SEED_OF) --threads $(THREADS)
TRAIN_NEW = ca-train $(COMMON) --batch $(BATCH) --arch $1
TRAIN_ON = ca-train $(COMMON) --batch $(BATCH) --init $1
DISTILL = --teacher-column teacher --loss $(LOSS)
# the frozen teacher's logit, as a column of the stream
JUDGE = ca-predict --quiet --threads $(THREADS) --model $(HERE)/teacher.safetensors --column teacher
ANY := $(call uses,BATCH SEED0)
TAUGHT := $S/teacher.safetensors $(call uses,LOSS)

# The teacher has seen what the student may not: hist, then train. Its optimizer state is kept for co-distillation.
$S/teacher.safetensors $S/teacher.time: $(HIST) $(TRAIN) $(ANY) $(call uses,TEACHER)
	$(call stage,$(HERE)/teacher,ca-cat --quiet $(HIST) $(TRAIN) | $(call TRAIN_NEW,$(TEACHER)) -o $(HERE)/teacher.safetensors)

# Three without a teacher.
$S/full-retrain.safetensors $S/full-retrain.time: $(HIST) $(TRAIN) $(ONLINE) $(ANY) $(call uses,STUDENT)
	$(call stage,$(HERE)/full-retrain,ca-cat --quiet $(HIST) $(TRAIN) $(ONLINE) | $(call TRAIN_NEW,$(STUDENT)) -o $(HERE)/full-retrain.safetensors)
$S/scratch.safetensors $S/scratch.time: $(TRAIN) $(ONLINE) $(ANY) $(call uses,STUDENT)
	$(call stage,$(HERE)/scratch,ca-cat --quiet $(TRAIN) $(ONLINE) | $(call TRAIN_NEW,$(STUDENT)) -o $(HERE)/scratch.safetensors)
$S/scratch-online.safetensors $S/scratch-online.time: $(ONLINE) $(ANY) $(call uses,STUDENT)
	$(call stage,$(HERE)/scratch-online,$(call TRAIN_NEW,$(STUDENT)) -o $(HERE)/scratch-online.safetensors $(ONLINE))

# Distillation into a random student: one pass over train, then online, the teacher frozen throughout.
$S/vanilla-kd.offline.safetensors $S/vanilla-kd.offline.time: $(TRAIN) $(ANY) $(TAUGHT) $(call uses,STUDENT)
	$(call stage,$(HERE)/vanilla-kd.offline,$(JUDGE) $(TRAIN) | $(call TRAIN_NEW,$(STUDENT)) $(DISTILL) -o $(HERE)/vanilla-kd.offline.safetensors)
$S/vanilla-kd.safetensors $S/vanilla-kd.online.time: $(ONLINE) $S/vanilla-kd.offline.safetensors $(ANY) $(TAUGHT)
	$(call stage,$(HERE)/vanilla-kd.online,$(JUDGE) $(ONLINE) | $(call TRAIN_ON,$(HERE)/vanilla-kd.offline.safetensors) $(DISTILL) -o $(HERE)/vanilla-kd.safetensors)

# CrossAdapt: projection (3.1.1), the student's dense part alone, then all of it (3.1.2), each over its own draw of
# train (3.1.3), then teacher and student together on the stream, with replay (3.2).
# $(call crossadapt,METHOD,SAMPLER,SETTINGS)
define crossadapt
$S/$1.projected.safetensors $S/$1.projected.time: $S/teacher.safetensors $(call uses,STUDENT SEED0)
	$$(call stage,$$(HERE)/$1.projected,ca-project $$(COMMON) --arch $$(STUDENT) -o $$(HERE)/$1.projected.safetensors $$(HERE)/teacher.safetensors)
$S/$1.phase1.safetensors $S/$1.phase1.time: $(TRAIN) $S/$1.projected.safetensors $(ANY) $(TAUGHT) $(call uses,$3)
	$$(call stage,$$(HERE)/$1.phase1,ca-sample --quiet --seed $$(SEED_OF) --phase 1 --batch $$(BATCH) $2 $(TRAIN) | $$(JUDGE) | $$(call TRAIN_ON,$$(HERE)/$1.projected.safetensors) --freeze embeddings $$(DISTILL) -o $$(HERE)/$1.phase1.safetensors)
$S/$1.phase2.safetensors $S/$1.phase2.time: $(TRAIN) $S/$1.phase1.safetensors $(ANY) $(TAUGHT) $(call uses,$3)
	$$(call stage,$$(HERE)/$1.phase2,ca-sample --quiet --seed $$(SEED_OF) --phase 2 --batch $$(BATCH) $2 $(TRAIN) | $$(JUDGE) | $$(call TRAIN_ON,$$(HERE)/$1.phase1.safetensors) $$(DISTILL) -o $$(HERE)/$1.phase2.safetensors)
$S/$1.safetensors $S/$1.online.time: $(ONLINE) $(TRAIN) $S/$1.phase2.safetensors $(ANY) $(TAUGHT) $(call uses,REPLAY_RATIO INTERVAL)
	$$(call stage,$$(HERE)/$1.online,ca-codistill $$(COMMON) --batch $$(BATCH) --teacher $$(HERE)/teacher.safetensors --student $$(HERE)/$1.phase2.safetensors --replay $(TRAIN) --replay-ratio $$(REPLAY_RATIO) --interval $$(INTERVAL) -o $$(HERE)/$1.safetensors $(ONLINE))
endef
$(eval $(call crossadapt,crossadapt-full,--method all,))
$(eval $(call crossadapt,crossadapt-sample,--method $$(SAMPLE_METHOD) --ratio $$(SAMPLE_RATIO) --positive-ratio $$(POSITIVE_RATIO),SAMPLE_METHOD SAMPLE_RATIO POSITIVE_RATIO))

%.eval.tsv: %.safetensors $(TEST)
	$(Q)ca-eval $(QUIET) --threads $(THREADS) --model $< --format tsv -o $@ $(TEST)

# ---- many seeds, through GNU parallel --------------------------------------

ALL := teacher $(METHODS)
SEED_LIST := $(shell seq 0 $$(( $(SEEDS) - 1 )))
# the stages whose times make up the time of a method
STAGES_teacher := teacher
STAGES_full-retrain := full-retrain
STAGES_scratch := scratch
STAGES_scratch-online := scratch-online
STAGES_vanilla-kd := $(addprefix vanilla-kd.,offline online)
STAGES_crossadapt-full := $(addprefix crossadapt-full.,projected phase1 phase2 online)
STAGES_crossadapt-sample := $(addprefix crossadapt-sample.,projected phase1 phase2 online)
EVALS := $(foreach k,$(SEED_LIST),$(ALL:%=$(OUT)/seed-$k/%.eval.tsv))
TIMES := $(foreach k,$(SEED_LIST),$(foreach m,$(ALL),$(STAGES_$m:%=$(OUT)/seed-$k/%.time)))
$(call settle,$(OUT)/settings/SEEDS,$(SEEDS))

$(OUT)/results.tsv: $(EVALS) $(TIMES) $(call uses,SEEDS) $(PIPELINES)/table.awk
	$(Q)awk -v methods='$(ALL)' -f $(PIPELINES)/table.awk $(EVALS) $(TIMES) > $@.tmp
	$(Q)mv $@.tmp $@
$(OUT)/results.md: $(OUT)/results.tsv $(PIPELINES)/markdown.awk
	$(Q)awk -f $(PIPELINES)/markdown.awk $< > $@.tmp
	$(Q)mv $@.tmp $@
$(OUT)/results.svg: $(OUT)/results.tsv $(PIPELINES)/plot.gp
	$(Q)gnuplot -e "input='$<'" $(PIPELINES)/plot.gp > $@.tmp
	$(Q)mv $@.tmp $@

# A job is one method with one seed. Its command spells out all settings, so that a line of a job list can be run by
# hand; SEED=3 crossadapt-full is its last part.
JOB = $(MAKE) --no-print-directory -f $(SELF) OUT=$(OUT) THREADS=$(THREADS) V=$V $(foreach s,$(SETTINGS),$s=$(call quote,$($s)))
ifdef SEED
.PHONY: $(ALL)
$(ALL): %: $(OUT)/seed-$(SEED)/%.eval.tsv
else
jobs = $(subst $(newline) ,$(newline),$(foreach k,$(SEED_LIST),$(foreach m,$1,$(JOB) SEED=$k $m$(newline))))
$(call settle,$(OUT)/teachers.jobs,$(call jobs,teacher))
$(call settle,$(OUT)/students.jobs,$(call jobs,$(METHODS)))
endif

.PHONY: data teachers students results
data: $(HIST) $(TRAIN) $(ONLINE) $(TEST) ## hist, train, online and test
teachers: data ## the teacher of each seed; before the methods, which share it
	@$(PIPELINES)/jobs $(OUT)/teachers $(JOBS)
students: teachers ## every method with every seed
	@$(PIPELINES)/jobs $(OUT)/students $(JOBS)
results: students ## the table, shown and in OUT/results.tsv and OUT/results.md, and a plot in OUT/results.svg
	@$(JOB) SEEDS=$(SEEDS) JOBS=$(JOBS) $(addprefix $(OUT)/results.,tsv md svg)
	@cat $(OUT)/results.md
