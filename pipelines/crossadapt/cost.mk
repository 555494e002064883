# Equations 1 and 2: what a switch costs, in computation and in log loss above the teacher's, for every method and, for
# CrossAdapt-Sample, over the sampling ratio.
include $(dir $(lastword $(MAKEFILE_LIST)))study.mk
TITLE_cost := The cost of the switch
$(call section,cost)
COST_METHODS := full-retrain scratch scratch-online vanilla-kd hint-kd rkd crossadapt-full crossadapt-sample
$(foreach s,$(MATCHED) $(MISMATCHED),$(foreach m,$(COST_METHODS),$(call row,$s,$m,$(call run,$m,$s,$(SOURCE_MODEL)))))
$(foreach v,$(GRID_RATIO),$(call row,ratio,$v,$(call run,crossadapt-sample,$(MISMATCHED),$(SOURCE_MODEL),ratio=$v)))
$(call figure,cost,cost,log loss above the teacher's against core seconds of computation; the line is CrossAdapt-Sample over the sampling ratio)
include $(STUDY)/report.mk
