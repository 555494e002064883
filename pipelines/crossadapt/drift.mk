# Figure 6 f and section 3.2.2: how far train drifts by three distances, the replay ratio that follows from each (equation
# 14, whose thresholds are made for the Jensen-Shannon divergence), and constant against adaptive replay.
include $(dir $(lastword $(MAKEFILE_LIST)))study.mk
TITLE_drift := Figure 6 f: drift, and replay that adapts to it
$(call section,drift)
$(call row,$(MISMATCHED),constant,$(BASE))
$(call row,$(MISMATCHED),none,$(call run,crossadapt-sample,$(MISMATCHED),$(SOURCE_MODEL),replay=0),constant)
$(foreach m,js kl wasserstein,$(call row,$(MISMATCHED),adaptive by $m,$(call run,crossadapt-sample,$(MISMATCHED),$(SOURCE_MODEL),replay=adaptive-$m),constant))
$(call figure,drift,drift,drift of train by each distance: features as bars and their mean as a line; AUC by replay with sample deviations)
include $(STUDY)/report.mk
