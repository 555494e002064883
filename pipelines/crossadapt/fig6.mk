# Figure 6, a to e: one setting of CrossAdapt-Sample changed at a time; figure 6 f is drift.mk.
include $(dir $(lastword $(MAKEFILE_LIST)))study.mk
# $(call sweep,LETTER,SWITCH,GRID): after the offline stage, where the setting matters there, and after the online one
sweep = $(call section,fig6$1)$(foreach v,$3,$(foreach r,$(call run,crossadapt-sample,$(MISMATCHED),$(SOURCE_MODEL),$2=$v),$(if $(filter \
	e,$1),,$(call row,$v,offline,$(call offline,$r),,fig6$1/$v/offline))$(call row,$v,online,$r,,fig6$1/$v/online)))$(call \
	figure,fig6$1,sweep,AUC and log loss on test against the $(AXIS_$1); bars are sample deviations)
TITLE_fig6a := Figure 6 a: sampling ratio
TITLE_fig6b := Figure 6 b: share of positives in the sample
TITLE_fig6c := Figure 6 c: temperature
TITLE_fig6d := Figure 6 d: share of the teacher in the loss
TITLE_fig6e := Figure 6 e: replay ratio
AXIS_a := sampling ratio
AXIS_b := share of positives
AXIS_c := temperature
AXIS_d := share of the teacher
AXIS_e := replay ratio
$(call sweep,a,ratio,$(GRID_RATIO))
$(call sweep,b,positive,$(GRID_POSITIVE))
$(call sweep,c,temperature,$(GRID_TEMPERATURE))
$(call sweep,d,alpha,$(GRID_ALPHA))
$(call sweep,e,replay,$(GRID_REPLAY))
include $(STUDY)/report.mk
