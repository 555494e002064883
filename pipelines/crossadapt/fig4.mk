# Figures 4 and 5: how the methods converge; the student on test against seconds of training and against rows.
include $(dir $(lastword $(MAKEFILE_LIST)))study.mk
TITLE_fig4 := Figures 4 and 5: convergence
$(call section,fig4)
FIG4_METHODS := full-retrain scratch scratch-online vanilla-kd hint-kd rkd crossadapt-full crossadapt-sample
$(foreach m,$(FIG4_METHODS),$(call row,$(MISMATCHED),$m,$(call curved,$(call run,$m,$(MISMATCHED),$(SOURCE_MODEL)))))
$(call figure,fig4-time,curves,AUC on test against core seconds of training)
$(call figure,fig4-rows,curves,AUC on test against rows trained)
$(call figure,fig4-loss,curves,log loss on test against core seconds of training)
include $(STUDY)/report.mk
