# Table 2: CrossAdapt-Sample without one of its parts at a time. The paper does not say whether the rows of the frozen phase
# are to be made up for where it is left out; 'two joint phases' does so.
include $(dir $(lastword $(MAKEFILE_LIST)))study.mk
TITLE_table2 := Table 2: without one part at a time
$(call section,table2)
ablation = $(call row,$(MISMATCHED),$1,$2,full,$3)
switched = $(call run,crossadapt-sample,$(MISMATCHED),$(SOURCE_MODEL),$1)
$(call row,$(MISMATCHED),full,$(BASE),,table2/full)
$(call ablation,without projection,$(call switched,projection=none),table2/no-projection)
$(call ablation,without the frozen phase,$(call run,not-progressive,$(MISMATCHED),$(SOURCE_MODEL)),table2/not-progressive)
$(call ablation,two joint phases,$(call run,twice-joint,$(MISMATCHED),$(SOURCE_MODEL)))
$(call ablation,without sample selection,$(call switched,sampler=random),table2/no-selection)
$(call ablation,without the offline stage,$(call run,not-offline,$(MISMATCHED),$(SOURCE_MODEL)),table2/not-offline)
$(call ablation,teacher frozen online,$(call switched,interval=0),table2/no-co-evolution)
$(call ablation,teacher moves every step,$(call switched,interval=1),table2/no-asymmetry)
$(call ablation,without replay,$(call switched,replay=0),table2/no-replay)
$(call ablation,without the online stage,$(call offline,$(BASE)),table2/not-online)
include $(STUDY)/report.mk
