# The jobs of the runs that were declared, and what they measured: include it after the runs.
#
# The goals run-1, run-2, ... are the stages and evaluations that need 0, 1, ... others; 'run' does them all, through
# GNU parallel. OUT/$(NAME).runs.tsv lists the runs and their stages, OUT/$(NAME).measures.tsv what each measured with each
# seed, and OUT/$(NAME).total.tsv what all of it cost.
CURVE_SEEDS ?= 1
$(call keep,CURVE_SEEDS)
SEED_LIST := $(shell seq 0 $$(( $(SEEDS) - 1 )))
CURVE_SEED_LIST := $(wordlist 1,$(CURVE_SEEDS),$(SEED_LIST))
with_seeds = $(foreach k,$1,$(2:%=$(OUT)/seed-$k/%))
STAGES := $(sort $(foreach r,$(RUNS),$(STAGES_$r)))
EVALS := $(call with_seeds,$(SEED_LIST),$(RUNS:%=%.eval.tsv))
TIMES := $(call with_seeds,$(SEED_LIST),$(STAGES:%=%.time))
CURVES := $(call with_seeds,$(CURVE_SEED_LIST),$(CURVED:%=%.curve.tsv))

tab := $(empty)	$(empty)
manifest_line = $(newline)$1$(tab)$(TEACHER_OF_$1)$(tab)$(STAGES_$1)
MANIFEST := $(OUT)/$(NAME).runs.tsv
$(call settle,$(MANIFEST),run$(tab)teacher$(tab)stages$(subst $(space)$(newline),$(newline),$(foreach r,$(RUNS),$(call manifest_line,$r))))

MEASURES := $(OUT)/$(NAME).measures.tsv
$(MEASURES) $(OUT)/$(NAME).total.tsv &: $(EVALS) $(TIMES) $(MANIFEST) $(call uses,SEEDS) $(PIPELINES)/measures.awk
	$(Q)awk -v out=$(OUT) -v seeds='$(SEED_LIST)' -v total=$(OUT)/$(NAME).total.tsv.tmp -f $(PIPELINES)/measures.awk $(MANIFEST) > $(MEASURES).tmp
	$(Q)mv $(OUT)/$(NAME).total.tsv.tmp $(OUT)/$(NAME).total.tsv; mv $(MEASURES).tmp $(MEASURES)

RUN_GOALS := $(DEPTHS:%=run-%) $(if $(CURVES),run-curves)
.PHONY: $(RUN_GOALS) run
$(foreach n,$(DEPTHS),$(eval run-$n: $(call with_seeds,$(SEED_LIST),$(STAGES_AT_$n:%=%.time) $(EVAL_AT_$n:%=%.eval.tsv))))
run-curves: $(CURVES)

# make, with all that was said to it
variables = $(foreach s,$1,$s=$(call quote,$($s)))
AGAIN := $(MAKE) --no-print-directory -f $(SELF) OUT=$(OUT) THREADS=$(THREADS) JOBS=$(JOBS) V=$V $(call variables,$(SAID))
run: data ## every method with every seed
	@$(PIPELINES)/jobs $(OUT)/$(NAME).jobs.log $(JOBS) $(call quote,$(SSHLOGIN)) $(call quote,$(AGAIN)) $(RUN_GOALS)
