# Methods, and the runs they are made of: include it after data.mk.
#
#     $(call run,METHOD,STUDENT,TEACHER,SWITCHES)
#
# declares that METHOD be run with every seed and evaluated on test, and expands to the run's name. SWITCHES, words like
# ratio=0.2, change single settings for this run. A run is a chain of stages. A stage is named after the method and the
# switches it depends on, so that two runs which begin alike share the stages they begin with: with seed K they
# are OUT/seed-K/NAME.safetensors, and NAME.time and NAME.log beside it. A switch that says what is the default anyway is none.
#
# STUDENT and TEACHER are labels, which may be empty: STUDENT_x and TEACHER_x (or STUDENT and TEACHER) hold the architectures.

# ---- settings (defaults: the paper, section 4.1) ---------------------------

BATCH ?= 4096
LOSS ?= published
ALPHA ?= 0.7
TEMPERATURE ?= 4
PROJECTION ?= project
SAMPLE_METHOD ?= balanced
SAMPLE_RATIO ?= 0.1
POSITIVE_RATIO ?= 0.5
REPLAY_RATIO ?= 0.1
INTERVAL ?= 10
HINT_LAMBDA ?= 1
RKD_LAMBDA ?= 1
RKD_MISMATCH ?= native
LOGLOSS ?= exact
CURVE_STEPS ?= 100
SEED0 ?= 0
SEEDS ?= 5
SEEDS_REST ?= $(SEEDS)
RUN_SETTINGS := BATCH LOSS ALPHA TEMPERATURE PROJECTION SAMPLE_METHOD SAMPLE_RATIO POSITIVE_RATIO REPLAY_RATIO INTERVAL \
	HINT_LAMBDA RKD_LAMBDA RKD_MISMATCH LOGLOSS CURVE_STEPS SEED0 SEEDS SEEDS_REST
# asking for the batch by rule changes nothing
ifneq ($(MAKECMDGOALS),batch)
$(call keep,$(RUN_SETTINGS))
endif
# The published batch is far too large for a small log: its optimizers would take too few steps.
.PHONY: batch
batch: $(TRAIN) ## the power of two that is nearest, by ratio, to rows of train / 500, at most 4096
	@ca-view --quiet --totals $< | awk -F '\t' '$$1 == "rows" { b = 1; while (b < 4096 && sqrt(2) * b <= $$2 / 500) b *= 2; print b }'

# the switches, in the order in which they stand in names, and the settings they change
SWITCHES := projection sampler ratio positive loss alpha temperature replay interval
SETTING_projection := PROJECTION
SETTING_sampler := SAMPLE_METHOD
SETTING_ratio := SAMPLE_RATIO
SETTING_positive := POSITIVE_RATIO
SETTING_loss := LOSS
SETTING_alpha := ALPHA
SETTING_temperature := TEMPERATURE
SETTING_replay := REPLAY_RATIO
SETTING_interval := INTERVAL

# ---- what a method is ------------------------------------------------------

# Those without a teacher: the parts of the log they see, once, in order. The teacher has seen what a student may not.
SEES_teacher := $(HIST) $(TRAIN)
SEES_full-retrain := $(HIST) $(TRAIN) $(ONLINE)
SEES_scratch := $(TRAIN) $(ONLINE)
SEES_scratch-online := $(ONLINE)

# The others: their stages, and the switches that make the method what it is.
# CrossAdapt: projection (3.1.1), the student's dense part alone, then all of it (3.1.2), each over its own draw of
# train (3.1.3), then teacher and student together on the stream, with replay (3.2).
CHAIN_crossadapt-sample := projected phase1 phase2 online
CHAIN_crossadapt-full := $(CHAIN_crossadapt-sample)
FIXED_crossadapt-full := sampler=all
# without the frozen phase, in one joint phase or, at the same number of rows, in two
CHAIN_not-progressive := projected phase2 online
CHAIN_twice-joint := projected phase2 phase3 online
# a random student enters the stream
CHAIN_not-offline := projected online
FIXED_not-offline := projection=none
# Distillation into a random student: one pass over train, then online, the teacher frozen throughout; with hints or
# relations between embeddings besides.
CHAIN_vanilla-kd := offline online-frozen
CHAIN_hint-kd := $(CHAIN_vanilla-kd)
CHAIN_rkd := $(CHAIN_vanilla-kd)
BESIDES_hint-kd = --hint $(HINT_LAMBDA)
BESIDES_rkd = --rkd $(RKD_LAMBDA) --rkd-mismatch $(RKD_MISMATCH)
USES_hint-kd := HINT_LAMBDA
USES_rkd := RKD_LAMBDA RKD_MISMATCH
# methods that the installed ca-train does not know; whoever asks for them gets an empty name
TRAIN_HELP := $(shell PATH=$(call quote,$(PATH)) ca-train --help 2>&1)
UNKNOWN_METHODS := $(if $(findstring --hint ,$(TRAIN_HELP)),,hint-kd) $(if $(findstring --rkd ,$(TRAIN_HELP)),,rkd)

# the switches that a stage reads itself, and those it depends on through the stages before
OF_LOSS := loss alpha temperature
READS_projected := projection
READS_phase1 := sampler ratio positive $(OF_LOSS)
READS_phase2 := $(READS_phase1)
READS_phase3 := $(READS_phase1)
READS_online := $(OF_LOSS) replay interval
READS_offline := $(OF_LOSS)
READS_online-frozen := $(OF_LOSS)
FROM_projected := projection
FROM_phase1 := projection $(READS_phase1)
FROM_phase2 := $(FROM_phase1)
FROM_phase3 := $(FROM_phase1)
FROM_online := $(FROM_phase1) $(READS_online)
FROM_offline := $(OF_LOSS)
FROM_online-frozen := $(OF_LOSS)

# ---- names -----------------------------------------------------------------

# $(call given,SWITCH,SWITCHES): its value there, the last one counting; empty when it is not there
given = $(patsubst $1=%,%,$(lastword $(filter $1=%,$2)))
# $(call chosen,SWITCH,SWITCHES): the value in force
chosen = $(or $(call given,$1,$2),$($(SETTING_$1)))
# $(call changed,SWITCHES): without those that say what is so anyway
changed = $(foreach k,$(SWITCHES),$(foreach v,$(call given,$k,$1),$(if $(filter-out $($(SETTING_$k)),$v),$k=$v)))
unknown = $(foreach s,$1,$(if $(filter $(firstword $(subst =, ,$s)),$(SWITCHES)),,$(error no such switch: $s)))
folder = $(1:%=%/)$(2:%=from-%/)
teacher_name = teacher$(1:%=-%)
student_arch = $(STUDENT$(1:%=_%))
teacher_arch = $(TEACHER$(1:%=_%))
# $(call stage_name,STAGE,METHOD,STUDENT,TEACHER,SWITCHES): the last stage has the name of the run; the projection belongs
# to no method, so that what a method fixes about it is part of its name
stage_name = $(call folder,$3,$4)$(if $(filter projected,$1),projected,$2)$(subst =,-,$(addprefix \
	+,$(filter $(addsuffix =%,$(FROM_$1)),$(if $(filter projected,$1),$(call changed,$(FIXED_$2) $5),$5))))$(if $(filter projected online online-frozen,$1),,.$1)
# words of a name, joined
joined = $(subst $(space)+,+,$1)
empty :=
space := $(empty) $(empty)

run = $(if $(SEES_$1)$(CHAIN_$1),,$(error no such method: $1))$(if $(filter $1,$(UNKNOWN_METHODS)),,$(call evaluated,$(if $(SEES_$1),$(call alone,$1,$2,$3),$(call \
	chain,$1,$2,$3,$(call unknown,$4)$(call changed,$4),$(CHAIN_$1),))))
# $(call offline,RUN): the run as it is before its last stage, evaluated too
offline = $(call evaluated,$(lastword $(filter-out $1,$(STAGES_$1))))
# runs that are declared while FEW is set take the first SEEDS_REST seeds, unless they are declared elsewhere too
evaluated = $1$(if $(FEW)$(filter $1,$(MANY)),,$(eval MANY += $1 $(filter-out $(MANY),$(TEACHER_OF_$1))))$(if $(filter $1,$(RUNS)),,$(if $(TEACHER_OF_$1),$(call ignore,$(call \
	evaluated,$(TEACHER_OF_$1))))$(eval RUNS += $1)$(eval EVAL_AT_$(words $(DEPTH_$1) x) += $1)$(eval \
	DEPTHS := $(sort $(DEPTHS) $(words $(DEPTH_$1) x))))
# curves of these runs are drawn: every stage again, from the same start, with the student on test every CURVE_STEPS steps
curved = $1$(call ignore,$(foreach s,$(STAGES_$1),$(if $(filter projected%,$(notdir $s)),,$(if $(filter \
	$s,$(CURVED)),,$(eval CURVED += $s)))))

# a method without a teacher is held against one all the same: its cost counts from the teacher's log loss
alone = $(if $(filter teacher,$1),$(call declare_alone,$(call teacher_name,$3),$1,$$(call \
	teacher_arch,$3),TEACHER$(3:%=_%),),$(call ignore,$(call alone,teacher,,$3))$(call declare_alone,$(call \
	folder,$2)$1,$1,$$(call student_arch,$2),STUDENT$(2:%=_%),$(call teacher_name,$3)))
declare_alone = $1$(if $(DEPTH_$1),,$(eval $(call known,$1,,x,$5))$(eval $(call rule_alone,$1,$2,$3,$4)))
ignore = $(if $1,)

# $(call chain,METHOD,STUDENT,TEACHER,SWITCHES,STAGES,NAME OF THE STAGE BEFORE)
chain = $(if $5,$(call chain,$1,$2,$3,$4,$(wordlist 2,99,$5),$(call declare,$(call joined,$(call stage_name,$(firstword \
	$5),$1,$2,$3,$4)),$(firstword $5),$1,$2,$3,$(FIXED_$1) $4,$6)),$6)
# $(call declare,NAME,STAGE,METHOD,STUDENT,TEACHER,SWITCHES,BEFORE)
declare = $1$(if $(DEPTH_$1),,$(eval $(call known,$1,$7,$(or $(DEPTH_$7),$(DEPTH_$(call alone,teacher,,$5))) x,$(call \
	teacher_name,$5)))$(eval $(call rule,$1,$2,$3,$4,$5,$6,$7))$(eval DRIFTS := $(sort $(DRIFTS) $(call \
	adaptive,$(call given,replay,$6)))))
# $(call known,NAME,BEFORE,DEPTH,TEACHER): depths are words, one for each stage that must come first, and one
define known
DEPTH_$1 := $3
STAGES_$1 := $$(strip $$(STAGES_$2) $1)
TEACHER_OF_$1 := $4
STAGES_AT_$(words $3) += $1
DEPTHS := $$(sort $$(DEPTHS) $(words $3))
endef

# ---- rules of stages -------------------------------------------------------

# One seed is OUT/seed-K, where every tool is given the seed SEED0 + K.
S := $(OUT)/seed-%
HERE = $(OUT)/seed-$*
SEED_OF = $$(( $(SEED0) + $* ))
COMMON = --seed $(SEED_OF) --threads $(THREADS)
ANY := $(call uses,BATCH SEED0)
# the frozen teacher's logit, as a column of the stream
JUDGE = ca-predict --quiet --threads $(THREADS) --model $1 --column teacher
DISTIL = --loss $(call chosen,loss,$1)$(if $(filter paper,$(call chosen,loss,$1)),, --alpha $(call \
	chosen,alpha,$1) --temperature $(call chosen,temperature,$1))
SAMPLER = --method $(call chosen,sampler,$1)$(if $(filter all,$(call chosen,sampler,$1)),, --ratio $(call \
	chosen,ratio,$1) --positive-ratio $(call chosen,positive,$1))
# replay=adaptive-METRIC: as the drift of train by this metric asks for (equation 14)
adaptive = $(patsubst adaptive-%,%,$(filter adaptive-%,$1))
REPLAY = $(if $(call adaptive,$1),"$$(< $D/replay-$(call adaptive,$1))",$1)
$D/replay-%: $(TRAIN)
	$(Q)ca-drift --quiet --ratio-only --metric $* -o $@ $<

# Commands: $1 is what ends them, the output and, for curves, more; $2 SWITCHES, $3 model before, $4 teacher, $5 method
RUN_phase = ca-sample --quiet --seed $(SEED_OF) --phase $6 --batch $(BATCH) $(call SAMPLER,$2) $(TRAIN) | $(call JUDGE,$4) | \
	ca-train $(COMMON) --batch $(BATCH) --init $3 $7 --teacher-column teacher $(call DISTIL,$2) $1
RUN_phase1 = $(call RUN_phase,$1,$2,$3,$4,$5,1,--freeze embeddings)
RUN_phase2 = $(call RUN_phase,$1,$2,$3,$4,$5,2,)
RUN_phase3 = $(call RUN_phase,$1,$2,$3,$4,$5,3,)
RUN_online = ca-codistill $(COMMON) --batch $(BATCH) --teacher $4 --student $3 --replay $(TRAIN) --replay-ratio $(call \
	REPLAY,$(call chosen,replay,$2)) --interval $(call chosen,interval,$2) $(call DISTIL,$2) $1 $(ONLINE)
# hints and relations need the teacher itself; otherwise its logits will do
RUN_frozen = $(if $(BESIDES_$5),ca-train $(COMMON) --batch $(BATCH) $3 --teacher $4 $(BESIDES_$5) $(call \
	DISTIL,$2) $1 $6,$(call JUDGE,$4) $6 | ca-train $(COMMON) --batch $(BATCH) $3 --teacher-column teacher $(call DISTIL,$2) $1)
RUN_offline = $(call RUN_frozen,$1,$2,--arch $3,$4,$5,$(TRAIN))
RUN_online-frozen = $(call RUN_frozen,$1,$2,--init $3,$4,$5,$(ONLINE))
CURVE_train = --valid $(TEST) --valid-interval $(CURVE_STEPS) --log $1.tsv --log-interval $(CURVE_STEPS)
CURVE_codistill = --valid $(TEST) --log $1.tsv --log-interval $(CURVE_STEPS)
NEEDS_phase1 := $(TRAIN)
NEEDS_phase2 := $(TRAIN)
NEEDS_phase3 := $(TRAIN)
NEEDS_online := $(TRAIN) $(ONLINE)
NEEDS_offline := $(TRAIN)
NEEDS_online-frozen := $(ONLINE)
TOOL_online := codistill

# $(call rule_alone,NAME,METHOD,ARCHITECTURE,ITS SETTING)
define rule_alone
$S/$1.safetensors $S/$1.time: $(SEES_$2) $(ANY) $(call uses,$4)
	$$(call stage,$$(HERE)/$1,$(call all_of,$(SEES_$2)) ca-train $$(COMMON) --batch $$(BATCH) --arch $3 -o $$(HERE)/$1.safetensors $(call one_of,$(SEES_$2)))
$S/$1.curve.tsv $S/$1.curve.time: $(SEES_$2) $(TEST) $(ANY) $(call uses,$4 CURVE_STEPS)
	$$(call stage,$$(HERE)/$1.curve,$(call all_of,$(SEES_$2)) ca-train $$(COMMON) --batch $$(BATCH) --arch $3 $$(call CURVE_train,$$(HERE)/$1.curve) -o $$(HERE)/$1.curve.safetensors $(call one_of,$(SEES_$2)) && rm $$(HERE)/$1.curve.safetensors)
endef
# one part is read as a file, several are joined
all_of = $(if $(word 2,$1),ca-cat --quiet $1 |)
one_of = $(if $(word 2,$1),,$1)

# $(call rule,NAME,STAGE,METHOD,STUDENT,TEACHER,SWITCHES,BEFORE)
define rule
$(if $(filter projected,$2),$(rule_projected),$(rule_trained))
endef
define rule_projected
$S/$1.safetensors $S/$1.time: $S/$(call teacher_name,$5).safetensors $(call uses,STUDENT$(4:%=_%) SEED0 $(call settings_of,$2,$6))
	$$(call stage,$$(HERE)/$1,ca-project $$(COMMON) --arch $$(call student_arch,$4) --method $(call chosen,projection,$6) -o $$(HERE)/$1.safetensors $$(HERE)/$(call teacher_name,$5).safetensors)
endef
define rule_trained
$S/$1.safetensors $S/$1.time: $(prerequisites)
	$$(call stage,$$(HERE)/$1,$$(call RUN_$2,-o $$(HERE)/$1.safetensors,$6,$(before),$$(HERE)/$(call teacher_name,$5).safetensors,$3))
$S/$1.curve.tsv $S/$1.curve.time: $(prerequisites) $(TEST) $(call uses,CURVE_STEPS)
	$$(call stage,$$(HERE)/$1.curve,$$(call RUN_$2,$$(call CURVE_$(or $(TOOL_$2),train),$$(HERE)/$1.curve) -o $$(HERE)/$1.curve.safetensors,$6,$(before),$$(HERE)/$(call teacher_name,$5).safetensors,$3) && rm $$(HERE)/$1.curve.safetensors)
endef
before = $(if $7,$$(HERE)/$7.safetensors,$$(call student_arch,$4))
prerequisites = $(NEEDS_$2) $(if $7,$S/$7.safetensors,$(call uses,STUDENT$(4:%=_%))) $S/$(call \
	teacher_name,$5).safetensors $(ANY) $(call uses,$(call settings_of,$2,$6) $(USES_$3)) $(addprefix \
	$D/replay-,$(if $(filter online,$2),$(call adaptive,$(call chosen,replay,$6))))
# the settings a stage reads where no switch has changed them; all rows have no ratio
settings_of = $(foreach k,$(filter-out $(if $(filter all,$(call chosen,sampler,$2)),ratio positive),$(READS_$1)),$(if $(call \
	given,$k,$2),,$(SETTING_$k)))

$(OUT)/seed-%.eval.tsv: $(OUT)/seed-%.safetensors $(TEST) $(call uses,LOGLOSS)
	$(Q)ca-eval $(QUIET) --threads $(THREADS) --model $< --logloss $(LOGLOSS) --format tsv -o $@ $(TEST)
