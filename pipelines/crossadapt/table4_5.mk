# The conversion setting, Tables 4 and 5: a model of conversions after a click is switched to another architecture and
# then serves beside the old one, day by day. See README-conversion.md.
#
#     make -f pipelines/crossadapt/table4_5.mk SEEDS=3 JOBS=2 OUT=build/conversion
#
# DATA=embedded, the default, generates the exposures; otherwise DATA is a record stream with columns CLICK,
# CONVERSION, REQUEST and ITEM, in the order of time. The tables are OUT/conversion.md and OUT/conversion.tsv. SCALE=tiny
# is for a first look. A run that was stopped goes on when it is started again.
OUT ?= build/conversion
FOLDER := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
SELF := $(FOLDER)/table4_5.mk
include $(FOLDER)/../common.mk
.DEFAULT_GOAL := results

# ---- settings --------------------------------------------------------------

SCALE ?= full
ifeq ($(SCALE),tiny)
ROWS ?= 40k
VOCAB ?= 2000
TEACHER ?= mlp:4:16
STUDENT ?= fibinet:6:16
BATCH ?= 64
DAYS ?= 2
SEEDS ?= 2
endif
DATA ?= embedded
PRESET ?= small
ROWS ?= 2M
VOCAB ?= 20000
DATA_SEED ?= 1
REQUEST_ROWS ?= 16
CLICK ?= click
CONVERSION ?= conversion
REQUEST ?= request
# a column with so many values that most items convert in the days of service
ITEM ?= C2
# a month of history, a month of train, 12 days online, then as many days of service (5.1 of the paper)
RATIOS ?= 30:30:12
DAYS ?= 5
TEACHER ?= mlp:8:64,32
STUDENT ?= fibinet:16:64,32
BATCH ?= 256
LOSS ?= published
SAMPLE_RATIO ?= 0.2
POSITIVE_RATIO ?= 0.5
UNCLICKED ?= 1
REPLAY_RATIO ?= 0
INTERVAL ?= 10
SEED0 ?= 0
SEEDS ?= 5
SETTINGS := DATA PRESET ROWS VOCAB DATA_SEED REQUEST_ROWS CLICK CONVERSION REQUEST ITEM RATIOS DAYS TEACHER STUDENT BATCH LOSS \
	SAMPLE_RATIO POSITIVE_RATIO UNCLICKED REPLAY_RATIO INTERVAL SEED0
$(call keep,$(SETTINGS) SEEDS)

# ---- data: exposures, and the clicked ones alone, whose conversion is known ---

DAY_LIST := $(shell seq $(DAYS))
empty :=
space := $(empty) $(empty)
PARTS := hist train online $(DAY_LIST:%=day-%)
D := $(OUT)/data
$D/all.car: $(filter-out embedded,$(DATA)) $(call uses,DATA PRESET ROWS VOCAB DATA_SEED REQUEST_ROWS)
	@mkdir -p $D
ifeq ($(DATA),embedded)
	$(Q)ca-gen $(QUIET) --preset $(PRESET) --rows $(ROWS) --seed $(DATA_SEED) $(if $(VOCAB),--vocab $(VOCAB)) --requests $(REQUEST_ROWS) --conversions --probability -o $@
else
	$(Q)ca-cat $(QUIET) -o $@ -- $(call quote,$(DATA))
endif
$(PARTS:%=$D/%.car) &: $D/all.car $(call uses,RATIOS DAYS)
	$(Q)ca-split $(QUIET) --ratios $(RATIOS)$(subst $(space),,$(DAY_LIST:%=:1)) --names $(subst $(space),:,$(PARTS)) --out-dir $D $<
$(PARTS:%=$D/%.clicked.car): %.clicked.car: %.car $(call uses,CLICK CONVERSION)
	$(Q)ca-sample $(QUIET) --method all --label $(CONVERSION) --click $(CLICK) --no-weight -o $@ $<

# ---- one seed: OUT/seed-K, where every tool is given the seed SEED0 + K -----

S := $(OUT)/seed-%
HERE = $(OUT)/seed-$*
SEED_OF = $$(( $(SEED0) + $* ))
COMMON = --seed $(SEED_OF) --threads $(THREADS)
TRAIN_NEW = ca-train $(COMMON) --batch $(BATCH) --arch $1
TRAIN_ON = ca-train $(COMMON) --batch $(BATCH) --init $(HERE)/$1.safetensors
DISTILL = --teacher-column teacher --loss $(LOSS)
# a frozen model's logit as a column; and as the label of the rows that nobody clicked
JUDGE = ca-predict --quiet --threads $(THREADS) --model $(HERE)/$1.safetensors --column teacher
LABEL = ca-sample --quiet --seed $(SEED_OF) --label $(CONVERSION) --click $(CLICK) --no-weight
AUGMENTED = $(if $(filter $1,plain),,--unclicked $(UNCLICKED))
SOFTLY = $(if $(filter $1,plain),,--soft-label $(CLICK))
ANY := $(call uses,BATCH SEED0)
STUDENTS := $(call uses,STUDENT LOSS)
# the states of a model over the days: METHOD.day-1 serves on the first day, and what it learns there gives METHOD.day-2
NIGHTS := $(filter-out $(DAYS),$(join $(DAY_LIST),$(addprefix :,$(wordlist 2,$(DAYS),$(DAY_LIST)))))

# $(call made,NAME): a model and the time it took
made = $S/$1.safetensors $S/$1.time
# $(call daily,METHOD,COMMAND,NEEDS): what is learned every night; COMMAND says DAY and NEXT for the model before and
# after, EXPOSED and CLICKED for the day's records
define daily
$(foreach p,$(NIGHTS),$(call one_day,$1,$2,$3,$(firstword $(subst :, ,$p)),$(lastword $(subst :, ,$p))))
endef
define one_day
$(call made,$1.day-$5): $D/day-$4.car $D/day-$4.clicked.car $S/$1.day-$4.safetensors $3 $(ANY)
	$$(call stage,$$(HERE)/$1.day-$5,$(subst NEXT,$$(HERE)/$1.day-$5,$(subst EXPOSED,$D/day-$4.car,$(subst CLICKED,$D/day-$4.clicked.car,$(subst DAY,$1.day-$4,$2)))))

endef

# The old model: what the students learn from is as old as the end of train, what serves has learned online too.
$(call made,backup): $D/hist.clicked.car $D/train.clicked.car $(ANY) $(call uses,TEACHER)
	$(call stage,$(HERE)/backup,ca-cat --quiet $D/hist.clicked.car $D/train.clicked.car | $(call TRAIN_NEW,$(TEACHER)) -o $(HERE)/backup.safetensors)
$(call made,production): $D/online.clicked.car $S/backup.safetensors $(ANY)
	$(call stage,$(HERE)/production,$(call TRAIN_ON,backup) -o $(HERE)/production.safetensors $D/online.clicked.car)
# It serves as it is, and, for comparison, learning from day to day.
$S/daily.day-1.safetensors: $S/production.safetensors
	$(Q)cp $< $@
$(eval $(call daily,daily,$$(call TRAIN_ON,DAY) -o NEXT.safetensors CLICKED,))

# Distillation into a random student, from the newest part of train, then online, then day by day, the teacher frozen;
# plain from clicked rows, augmented also from unclicked ones that have the teacher's label.
# $(call vanilla,METHOD,plain|augmented,SETTINGS)
define vanilla
$(call made,$1.offline): $D/train.car $S/backup.safetensors $(ANY) $(STUDENTS) $(call uses,SAMPLE_RATIO $3)
	$$(call stage,$$(HERE)/$1.offline,ca-sample --quiet --method recent --ratio $$(SAMPLE_RATIO) --no-weight $D/train.car | $$(LABEL) --method all $$(call AUGMENTED,$2) | $$(call JUDGE,backup) $$(call SOFTLY,$2) | $$(call TRAIN_NEW,$$(STUDENT)) $$(DISTILL) -o $$(HERE)/$1.offline.safetensors)
$(call made,$1.day-1): $D/online.car $S/$1.offline.safetensors $S/backup.safetensors $(ANY) $(STUDENTS) $(call uses,$3)
	$$(call stage,$$(HERE)/$1.day-1,$$(LABEL) --method all $$(call AUGMENTED,$2) $D/online.car | $$(call JUDGE,backup) $$(call SOFTLY,$2) | $$(call TRAIN_ON,$1.offline) $$(DISTILL) -o $$(HERE)/$1.day-1.safetensors)
$(call daily,$1,$$(LABEL) --method all $$(call AUGMENTED,$2) EXPOSED | $$(call JUDGE,production) $$(call SOFTLY,$2) | $$(call TRAIN_ON,DAY) $$(DISTILL) -o NEXT.safetensors,$S/production.safetensors $(STUDENTS) $(call uses,$3))
endef
$(eval $(call vanilla,vanilla-kd,plain,))
$(eval $(call vanilla,vanilla-kd-usaug,augmented,UNCLICKED))

# CrossAdapt: projection, two phases over samples of train with unclicked rows, then with its teacher online and day by day.
PHASE = $(LABEL) --phase $1 --batch $(BATCH) --method balanced --ratio $(SAMPLE_RATIO) --positive-ratio $(POSITIVE_RATIO) --unclicked $(UNCLICKED) $D/train.car | $(call JUDGE,backup) --soft-label $(CLICK)
TOGETHER = ca-codistill $(COMMON) --batch $(BATCH) --loss $(LOSS) --interval $(INTERVAL) --replay-ratio $(REPLAY_RATIO) $(if $(filter-out 0,$(REPLAY_RATIO)),--replay $D/train.clicked.car) --teacher $(HERE)/$1.safetensors --student $(HERE)/$2.safetensors
OFFLINE := $(call uses,SAMPLE_RATIO POSITIVE_RATIO UNCLICKED)
ONLINE := $(call uses,REPLAY_RATIO INTERVAL) $D/train.clicked.car
$(call made,crossadapt.projected): $S/backup.safetensors $(call uses,STUDENT SEED0)
	$(call stage,$(HERE)/crossadapt.projected,ca-project $(COMMON) --arch $(STUDENT) -o $(HERE)/crossadapt.projected.safetensors $(HERE)/backup.safetensors)
$(call made,crossadapt.phase1): $D/train.car $S/crossadapt.projected.safetensors $S/backup.safetensors $(ANY) $(STUDENTS) $(OFFLINE)
	$(call stage,$(HERE)/crossadapt.phase1,$(call PHASE,1) | $(call TRAIN_ON,crossadapt.projected) --freeze embeddings $(DISTILL) -o $(HERE)/crossadapt.phase1.safetensors)
$(call made,crossadapt.phase2): $D/train.car $S/crossadapt.phase1.safetensors $S/backup.safetensors $(ANY) $(STUDENTS) $(OFFLINE)
	$(call stage,$(HERE)/crossadapt.phase2,$(call PHASE,2) | $(call TRAIN_ON,crossadapt.phase1) $(DISTILL) -o $(HERE)/crossadapt.phase2.safetensors)
$(call made,crossadapt.day-1) $S/crossadapt-teacher.day-1.safetensors &: $D/online.clicked.car $S/crossadapt.phase2.safetensors $S/backup.safetensors $(ANY) $(STUDENTS) $(ONLINE)
	$(call stage,$(HERE)/crossadapt.day-1,$(call TOGETHER,backup,crossadapt.phase2) --teacher-out $(HERE)/crossadapt-teacher.day-1.safetensors -o $(HERE)/crossadapt.day-1.safetensors $D/online.clicked.car)
define together
$(call made,crossadapt.day-$2) $S/crossadapt-teacher.day-$2.safetensors &: $D/day-$1.clicked.car $S/crossadapt.day-$1.safetensors $S/crossadapt-teacher.day-$1.safetensors $(ANY) $(STUDENTS) $(ONLINE)
	$$(call stage,$$(HERE)/crossadapt.day-$2,$$(call TOGETHER,crossadapt-teacher.day-$1,crossadapt.day-$1) --teacher-out $$(HERE)/crossadapt-teacher.day-$2.safetensors -o $$(HERE)/crossadapt.day-$2.safetensors $D/day-$1.clicked.car)
endef
$(foreach p,$(NIGHTS),$(eval $(call together,$(firstword $(subst :, ,$p)),$(lastword $(subst :, ,$p)))))

# ---- the days of service ---------------------------------------------------

METHODS := production daily vanilla-kd vanilla-kd-usaug crossadapt
# the model of a method on a day
state = $(HERE)/$(if $(filter production,$1),production,$1.day-$2)
# every model scores what was exposed on the day, before it learns from it: a column of logits each
define serve
$S/day-$1.served.car: $D/day-$1.car $S/production.safetensors $(patsubst %,$$S/%.day-$1.safetensors,$(filter-out production,$(METHODS)))
	$$(Q)cat $D/day-$1.car $(foreach m,$(METHODS),| ca-predict --quiet --threads $$(THREADS) --model $$(call state,$m,$1).safetensors --column $m) > $$@
endef
$(foreach d,$(DAY_LIST),$(eval $(call serve,$d)))
$S/served.car: $(foreach d,$(DAY_LIST),$S/day-$d.served.car)
	$(Q)ca-cat --quiet -o $@ $^

# What a method is worth: over the clicked exposures and their conversions, against production over all exposures, and,
# where the truth is known, against that.
EVAL = ca-eval $(QUIET) --threads $(THREADS) --score-kind logit --score $1
TRUTH := $(if $(filter embedded,$(DATA)),conversion_probability)
define measure
$S/$1.clicked.tsv: $S/served.car $(call uses,ITEM)
	$$(Q)$$(call EVAL,$1) --label $$(CONVERSION) --weights $$(CLICK) --item $$(ITEM) -o $$@ $$<
$S/$1.exposed.tsv: $S/served.car
	$$(Q)$$(call EVAL,$1) --label $$(CONVERSION) --against production --request $$(REQUEST) -o $$@ $$<
$S/$1.truth.tsv: $S/served.car
	$$(Q)$$(call EVAL,$1) --label $$(TRUTH) --against $$(TRUTH) --request $$(REQUEST) -o $$@ $$<
endef
$(foreach m,$(METHODS),$(eval $(call measure,$m)))
# the same from day to day
define measure_day
$S/$1.day-$2.tsv: $S/day-$2.served.car
	$$(Q)$$(call EVAL,$1) --label $$(CONVERSION) --weights $$(CLICK) -o $$@ $$<
endef
$(foreach m,$(METHODS),$(foreach d,$(DAY_LIST),$(eval $(call measure_day,$m,$d))))
# how far the truth itself is from what was observed
$S/truth.clicked.tsv: $S/served.car $(call uses,ITEM CLICK)
	$(Q)ca-eval $(QUIET) --threads $(THREADS) --score $(TRUTH) --label $(CONVERSION) --weights $(CLICK) --item $(ITEM) -o $@ $<
KINDS := clicked exposed $(if $(TRUTH),truth)
MEASURES := $(foreach m,$(METHODS),$(KINDS:%=$m.%.tsv) $(DAY_LIST:%=$m.day-%.tsv)) $(if $(TRUTH),truth.clicked.tsv)
# the stages of its own that each method costs
LATER := $(wordlist 2,$(DAYS),$(DAY_LIST))
TIMES := production.time $(LATER:%=daily.day-%.time) $(foreach m,vanilla-kd.offline vanilla-kd-usaug.offline crossadapt.projected \
	crossadapt.phase1 crossadapt.phase2 $(foreach d,$(DAY_LIST),$(foreach n,vanilla-kd vanilla-kd-usaug crossadapt,$n.day-$d)),$m.time)

# ---- the tables ------------------------------------------------------------

SEED_LIST := $(shell seq 0 $$(( $(SEEDS) - 1 )))
PUBLISHED := $(PIPELINES)/../data/published/crossadapt_table4_5.csv
FILES := $(foreach k,$(SEED_LIST),$(MEASURES:%=$(OUT)/seed-$k/%) $(TIMES:%=$(OUT)/seed-$k/%))
$(OUT)/conversion.tsv: $(PUBLISHED) $(FILES) $(call uses,SEEDS) $(PIPELINES)/stats.awk $(FOLDER)/conversion.awk
	$(Q)awk -v methods='$(METHODS)' -v seeds=$(SEEDS) -v days=$(DAYS) -f $(PIPELINES)/stats.awk -f $(FOLDER)/conversion.awk $(PUBLISHED) $(FILES) > $@.tmp
	$(Q)mv $@.tmp $@
$(OUT)/days.svg: $(OUT)/conversion.tsv $(FOLDER)/days.gp
	$(Q)gnuplot -e "input='$<'; methods='$(METHODS)'" $(FOLDER)/days.gp > $@.tmp
	$(Q)mv $@.tmp $@
SHOWN := $(filter-out $(if $(TRUTH),CLICK CONVERSION REQUEST,PRESET ROWS VOCAB DATA_SEED REQUEST_ROWS),$(SETTINGS)) SEEDS
$(OUT)/conversion.md: $(OUT)/conversion.tsv $(OUT)/days.svg $(FOLDER)/conversion-md.awk
	$(Q)awk -v figure=days.svg -v settings=$(call quote,$(foreach s,$(SHOWN),$s=$($s))) -f $(FOLDER)/conversion-md.awk $< > $@.tmp
	$(Q)mv $@.tmp $@
TABLES := $(addprefix $(OUT)/,conversion.tsv days.svg conversion.md)

# A job is one seed. Its command spells out all settings, so that a line of the job list can be run by hand.
JOB = $(MAKE) --no-print-directory -f $(SELF) OUT=$(OUT) THREADS=$(THREADS) V=$V SCALE=$(SCALE) $(foreach s,$(SETTINGS),$s=$(call quote,$($s)))
ifdef SEED
.PHONY: seed
seed: $(foreach f,$(MEASURES) $(TIMES),$(OUT)/seed-$(SEED)/$f)
endif
# the seeds that something is left to do for
stale = $(shell $(JOB) SEED=$1 -q seed > /dev/null 2>&1 || echo $1)
.PHONY: seed-jobs
seed-jobs:
	$(foreach k,$(SEED_LIST),$(if $(call stale,$k),$(JOB) SEED=$k seed$(newline)))

.PHONY: data seeds tables results
data: $(PARTS:%=$D/%.car) $(PARTS:%=$D/%.clicked.car) ## the exposures of each period, and the clicked ones
seeds: data ## every method with every seed, and its days of service
	@$(PIPELINES)/jobs $(OUT)/seeds.log $(JOBS) $(call quote,$(SSHLOGIN)) $(call quote,$(JOB) SEEDS=$(SEEDS)) seed-jobs
ifeq ($(DRY),)
tables: seeds ## Tables 4 and 5 in OUT/conversion.tsv and OUT/conversion.md
	@$(JOB) SEEDS=$(SEEDS) JOBS=$(JOBS) -s $(TABLES)
else
tables: $(TABLES)
endif
results: tables ## and shown
	@cat $(OUT)/conversion.md
