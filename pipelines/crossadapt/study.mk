# What the tables and figures of the paper share: settings, architectures, and words to build a section of the page from.
# Each table or figure is a makefile that includes this one, declares its runs and rows, and ends with report.mk. Two that
# are read together, as paper.mk does, share the runs they have in common.
ifndef STUDY
OUT ?= build/paper
STUDY := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
SELF := $(firstword $(MAKEFILE_LIST))
NAME := $(basename $(notdir $(SELF)))
include $(dir $(STUDY))common.mk
.DEFAULT_GOAL := page

# ---- settings --------------------------------------------------------------

# SCALE=tiny: everything in a few minutes, to see that the parts work together; the numbers mean nothing
SCALE ?= full
ifeq ($(SCALE),tiny)
ifeq ($(filter-out embedded,$(DATA)),)
SCHEMA ?= small
ROWS ?= 4k
endif
BATCH ?= 128
SEEDS ?= 3
SEEDS_REST ?= 2
TEACHER_HIDDEN ?= 8
STUDENT_HIDDEN ?= 8
CURVE_STEPS ?= 4
GRID_RATIO ?= 0.1 0.5
GRID_POSITIVE ?= 0.3 0.5
GRID_TEMPERATURE ?= 1 4
GRID_ALPHA ?= 0 0.7
GRID_REPLAY ?= 0 0.1
else ifneq ($(SCALE),full)
$(error SCALE is tiny or full)
endif
ifeq ($(filter-out embedded,$(DATA)),)
ROWS ?= 500k
endif
# hidden widths of the source model and of the matched student (an MLP), and of all other students
TEACHER_HIDDEN ?= 64,32,4
STUDENT_HIDDEN ?= 256,128,16
LOGLOSS ?= clipped
# whose published numbers stand beside ours, and what the published vocabulary was counted over
PUBLISHED ?= $(or $(PUBLISHED_$(notdir $(SCHEMA))),Criteo)
PUBLISHED_criteo := Criteo
PUBLISHED_avazu := Avazu
PUBLISHED_criteo1t := Criteo1T
FULL_SET := $(if $(filter-out embedded,$(DATA)),$(PUBLISHED_$(notdir $(SCHEMA))))
RATIOS ?= $(if $(filter Criteo1T,$(FULL_SET)),10:8:1:1,4:4:1:1)
VOCAB_SCOPE ?= $(if $(FULL_SET),all,past)
# the grids of figure 6; where the paper shows no number, the points are ours
GRID_RATIO ?= 0.01 0.05 0.1 0.2 0.5 1
GRID_POSITIVE ?= 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8
GRID_TEMPERATURE ?= 0.1 0.5 1 2 4 10 100
GRID_ALPHA ?= 0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1
GRID_REPLAY ?= 0 0.1 0.2 0.3 0.4 0.5
$(call keep,TEACHER_HIDDEN STUDENT_HIDDEN PUBLISHED)
include $(PIPELINES)/data.mk
include $(PIPELINES)/runs.mk
SHOWN_SETTINGS := DATA SCHEMA $(if $(DATA_FILE),VOCAB_SCOPE $(if $(WITH),WITH),ROWS VOCAB DATA_SEED) RATIOS TEACHER_HIDDEN STUDENT_HIDDEN $(filter-out \
	SEED0 SEEDS SEEDS_REST,$(RUN_SETTINGS)) SEED0 SEEDS SEEDS_REST CURVE_SEEDS
SAID = DATA SCHEMA ROWS VOCAB DATA_SEED RATIOS VOCAB_SCOPE WITH SCALE PUBLISHED TEACHER_HIDDEN STUDENT_HIDDEN CURVE_SEEDS \
	$(GRIDS) $(RUN_SETTINGS)
GRIDS := GRID_RATIO GRID_POSITIVE GRID_TEMPERATURE GRID_ALPHA GRID_REPLAY

# ---- architectures, by labels like fibinet16: family and width of the tables ---------------------------------------

FAMILIES := mlp afm dcn autoint fibinet
WIDTHS := 8 16 32
hidden_of_student = $(if $(filter mlp,$1),$(TEACHER_HIDDEN),$(STUDENT_HIDDEN))
define architecture
TEACHER_$1$2 := $1:$2:$(TEACHER_HIDDEN)
STUDENT_$1$2 := $1:$2:$(call hidden_of_student,$1)
endef
$(foreach f,$(FAMILIES),$(foreach w,$(WIDTHS),$(eval $(call architecture,$f,$w))))
$(call keep,$(foreach w,$(WIDTHS),$(FAMILIES:%=TEACHER_%$w) $(FAMILIES:%=STUDENT_%$w)))
# the teacher of all tables but 3 and 7, and the student of tables 2 and 3 and all sweeps
SOURCE_MODEL := mlp8
MISMATCHED := fibinet16
MATCHED := mlp8
# the run that all ablations and sweeps change one thing of
BASE = $(call run,crossadapt-sample,$(MISMATCHED),$(SOURCE_MODEL))

# ---- sections --------------------------------------------------------------

# $(call section,ID) begins a section. Its text is ID.md; TITLE_ID its title. Rows follow:
# $(call row,GROUP,NAME,RUN,REFERENCE,KEY): the results of RUN (empty: not run) beside what published.awk has under KEY, and
# its gain over the row of the same group called REFERENCE
tab := $(empty)	$(empty)
section = $(eval SECTIONS += $1)$(eval SECTION := $1)$(eval FEW := $(FEW_$1))
# tables 1 to 3 take SEEDS seeds, the rest SEEDS_REST
$(foreach s,table7 fig4 fig6a fig6b fig6c fig6d fig6e drift cost,$(eval FEW_$s := yes))
row = $(eval ROWS_$(SECTION) := $$(ROWS_$(SECTION))$$(newline)$1$(tab)$2$(tab)$(or $3,-)$(tab)$(or $4,-)$(tab)$(or $5,-))
# $(call figure,FILE,SCRIPT,CAPTION): FILE.svg, drawn by SCRIPT.gp from the section's rows
figure = $(eval FIGURES_$(SECTION) += $1)$(eval SCRIPT_$1 := $2)$(eval CAPTION_$1 := $3)
endif
