# The jobs of the runs that were declared, and what they measured: include it after the runs.
#
# The goals run-1, run-2, ... are the stages and evaluations that need 0, 1, ... others; 'run' does them all, through
# GNU parallel. OUT/$(NAME).runs.tsv lists the runs and their stages, OUT/$(NAME).measures.tsv what each measured with each
# seed, and OUT/$(NAME).total.tsv what all of it cost.
CURVE_SEEDS ?= 1
$(call keep,CURVE_SEEDS)
SEED_LIST := $(shell seq 0 $$(( $(SEEDS) - 1 )))
FEW_LIST := $(wordlist 1,$(SEEDS_REST),$(SEED_LIST))
CURVE_SEED_LIST := $(wordlist 1,$(CURVE_SEEDS),$(FEW_LIST))
with_seeds = $(foreach k,$1,$(2:%=$(OUT)/seed-$k/%))
# $(call files,NAMES,THOSE OF THEM WITH ALL SEEDS,SUFFIX)
files = $(call with_seeds,$(SEED_LIST),$(addsuffix $3,$(filter $2,$1))) $(call \
	with_seeds,$(FEW_LIST),$(addsuffix $3,$(filter-out $2,$1)))
STAGES := $(sort $(foreach r,$(RUNS),$(STAGES_$r)))
STAGES_MANY := $(sort $(foreach r,$(MANY),$(STAGES_$r)))
EVALS := $(call files,$(RUNS),$(MANY),.eval.tsv)
TIMES := $(call files,$(STAGES),$(STAGES_MANY),.time)
CURVES := $(call with_seeds,$(CURVE_SEED_LIST),$(CURVED:%=%.curve.tsv))

tab := $(empty)	$(empty)
manifest_line = $(newline)$1$(tab)$(TEACHER_OF_$1)$(tab)$(STAGES_$1)$(tab)$(words $(if $(filter $1,$(MANY)),$(SEED_LIST),$(FEW_LIST)))
MANIFEST := $(OUT)/$(NAME).runs.tsv
$(call settle,$(MANIFEST),run$(tab)teacher$(tab)stages$(tab)seeds$(subst $(space)$(newline),$(newline),$(foreach r,$(RUNS),$(call manifest_line,$r))))

MEASURES := $(OUT)/$(NAME).measures.tsv
$(MEASURES) $(OUT)/$(NAME).total.tsv &: $(EVALS) $(TIMES) $(MANIFEST) $(PIPELINES)/measures.awk
	$(Q)awk -v out=$(OUT) -v total=$(OUT)/$(NAME).total.tsv.tmp -f $(PIPELINES)/measures.awk $(MANIFEST) > $(MEASURES).tmp
	$(Q)mv $(OUT)/$(NAME).total.tsv.tmp $(OUT)/$(NAME).total.tsv; mv $(MEASURES).tmp $(MEASURES)

RUN_GOALS := $(DEPTHS:%=run-%) $(if $(CURVES),run-curves)
.PHONY: $(RUN_GOALS) run
$(foreach n,$(DEPTHS),$(eval run-$n: $(call files,$(STAGES_AT_$n),$(STAGES_MANY),.time) $(call \
	files,$(EVAL_AT_$n),$(MANY),.eval.tsv)))
run-curves: $(CURVES)

# make, with all that was said to it
variables = $(foreach s,$1,$s=$(call quote,$($s)))
AGAIN := $(MAKE) --no-print-directory -f $(SELF) OUT=$(OUT) THREADS=$(THREADS) JOBS=$(JOBS) V=$V $(call variables,$(SAID))
run: data $(DRIFTS:%=$D/replay-%) ## every method with every seed
	@$(PIPELINES)/jobs $(OUT)/$(NAME).jobs.log $(JOBS) $(call quote,$(SSHLOGIN)) $(call quote,$(AGAIN)) $(RUN_GOALS)
