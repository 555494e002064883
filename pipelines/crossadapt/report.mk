# From the runs and rows that were declared to the page: OUT/$(NAME).html and OUT/$(NAME).md. A makefile that reads others
# sets PAPER meanwhile, and this one acts for the last alone.
ifeq ($(PAPER),)
include $(PIPELINES)/measure.mk
P := $(OUT)/$(NAME)
PAGES := $(OUT)/$(NAME).html $(OUT)/$(NAME).md
FIGURES = $(foreach s,$(SECTIONS),$(FIGURES_$s:%=$P/%.svg))

# the published numbers in one form
CSV := $(addprefix $(PIPELINES)/../data/published/crossadapt_,table1.csv table2.csv table3.csv table7.csv sweeps.csv \
	log_criteo.csv anomalies.csv)
$P/published.tsv: $(CSV) $(STUDY)/published.awk $(call uses,PUBLISHED)
	$(Q)awk -v dataset=$(PUBLISHED) -f $(STUDY)/published.awk $(CSV) > $@.tmp
	$(Q)mv $@.tmp $@

# A section: the rows asked for, the comparison (every number of the page is in it), figures, text
$(foreach s,$(SECTIONS),$(call settle,$P/$s.rows.tsv,group$(tab)name$(tab)run$(tab)reference$(tab)key$(ROWS_$s)))
$(SECTIONS:%=$P/%.tsv): %.tsv: %.rows.tsv $P/published.tsv $(MEASURES) $(PIPELINES)/stats.awk $(STUDY)/compare.awk $(call uses,SEEDS SEEDS_REST)
	$(Q)awk -v seeds=$(if $(FEW_$(basename $(notdir $@))),$(SEEDS_REST),$(SEEDS)) -f $(PIPELINES)/stats.awk -f $(STUDY)/compare.awk $P/published.tsv $(MEASURES) $< > $@.tmp
	$(Q)mv $@.tmp $@
# what the distances say of every feature follows the section on drift
EXTRA_drift := $P/features.md
define section_rules
$P/$1.md: $P/$1.tsv $P/published.tsv $(STUDY)/text/$(TEXT_$1).md $(STUDY)/section.awk $(FIGURES_$1:%=$P/%.svg) $(EXTRA_$1)
	$$(Q){ echo '## $(TITLE_$1)'; echo; cat $(STUDY)/text/$(TEXT_$1).md; echo; \
	awk -v published='$(PUBLISHED)' -f $(STUDY)/section.awk $P/published.tsv $P/$1.tsv; \
	$(foreach f,$(FIGURES_$1),echo; echo $(call quote,![$(CAPTION_$f)]($(NAME)/$f.svg));) $(EXTRA_$1:%=echo; cat %;) } > $$@.tmp
	$$(Q)mv $$@.tmp $$@
endef
TEXT_fig6a := fig6
TEXT_fig6b := fig6
TEXT_fig6c := fig6
TEXT_fig6d := fig6
TEXT_fig6e := fig6
$(foreach s,$(SECTIONS),$(eval TEXT_$s := $(or $(TEXT_$s),$s)))
$(foreach s,$(SECTIONS),$(eval $(call section_rules,$s)))

# figures: of the section's comparison, or of the curves; what the features drift is beside it for who asks
define figure_rule
$P/$2.svg: $(if $(filter curves,$(SCRIPT_$2)),$P/curves.tsv,$P/$1.tsv) $(STUDY)/$(SCRIPT_$2).gp $(if $(filter drift,$(SCRIPT_$2)),$P/drift-features.tsv)
	$$(Q)gnuplot -e "input='$$<'; figure='$2'; axis='$(AXIS_$(1:fig6%=%))'; features='$P/drift-features.tsv'" $(STUDY)/$(SCRIPT_$2).gp > $$@.tmp
	$$(Q)mv $$@.tmp $$@
endef
$(foreach s,$(SECTIONS),$(foreach f,$(FIGURES_$s),$(eval $(call figure_rule,$s,$f))))
$P/curves.tsv: $(CURVES) $(TIMES) $P/fig4.rows.tsv $(MANIFEST) $(STUDY)/curves.awk $(call uses,CURVE_SEEDS)
	$(Q)awk -v out=$(OUT) -v seeds='$(CURVE_SEED_LIST)' -f $(STUDY)/curves.awk $(MANIFEST) $P/fig4.rows.tsv > $@.tmp
	$(Q)mv $@.tmp $@

$P/drift-features.tsv: $(TRAIN)
	@mkdir -p $(@D)
	$(Q)ca-drift --quiet --metric all -o $@ $<
$P/features.md: $P/drift-features.tsv $(STUDY)/features.awk
	$(Q)awk -f $(STUDY)/features.awk $< > $@.tmp
	$(Q)mv $@.tmp $@

# the weights of every run, so that two pages can be held against each other
$P/models.tsv: $(EVALS) $(MANIFEST) $(STUDY)/digests
	$(Q)$(STUDY)/digests $(OUT) $(MANIFEST) > $@.tmp
	$(Q)mv $@.tmp $@
setting_line = $(newline)$1$(tab)$($1)
$(call settle,$P/settings.tsv,setting$(tab)value$(subst $(space)$(newline),$(newline),$(foreach s,$(SHOWN_SETTINGS) $(GRIDS),$(call setting_line,$s))))
$P/about.md: $(LOG_PARTS) $P/settings.tsv $P/models.tsv $(MEASURES) $(STUDY)/about $(STUDY)/expect.awk $(call uses,PUBLISHED)
	$(Q)$(STUDY)/about $(OUT) $(NAME) '$(PUBLISHED)' '$(FULL_SET)' > $@.tmp
	$(Q)mv $@.tmp $@

# a full data set that is not what was published stops here, before anything is trained on it
$D/checked: $(LOG_PARTS) $(STUDY)/expect.awk
	$(Q)$(if $(FULL_SET),$(STUDY)/about --check $(OUT) '$(FULL_SET)' > /dev/null)
	@touch $@
data: $D/checked

# BEFORE_x: what stands before section x without being made of rows
BODY := $(foreach s,$(SECTIONS),$(BEFORE_$s) $P/$s.md) $P/about.md
$(OUT)/$(NAME).md: $(BODY) $(STUDY)/text/page.md
	$(Q){ cat $(STUDY)/text/page.md; for f in $(BODY); do echo; cat "$$f"; done; } > $@.tmp
	$(Q)mv $@.tmp $@
$(OUT)/$(NAME).html: $(OUT)/$(NAME).md $(FIGURES) $(STUDY)/html.awk
	$(Q)cd $(OUT) && awk -f $(abspath $(STUDY))/html.awk $(NAME).md > $(NAME).html.tmp
	$(Q)mv $@.tmp $@

.PHONY: page
ifeq ($(DRY),)
page: run ## OUT/NAME.html and OUT/NAME.md
	@$(AGAIN) -s $(PAGES)
	@echo "$(OUT)/$(NAME).html"
else
page: $(PAGES)
endif
endif
