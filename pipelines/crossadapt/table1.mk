# Table 1: every method, for a student of the teacher's own architecture (MLP) and for another one (FiBiNET).
include $(dir $(lastword $(MAKEFILE_LIST)))study.mk
TITLE_table1 := Table 1: methods
$(call section,table1)
TABLE1_METHODS ?= full-retrain scratch scratch-online vanilla-kd hint-kd rkd crossadapt-full crossadapt-sample
$(call row,teacher,teacher,$(call run,teacher,,$(SOURCE_MODEL)),,table1/teacher)
TABLE1_STUDENTS ?= $(MATCHED) $(MISMATCHED)
SAID += TABLE1_METHODS TABLE1_STUDENTS
$(foreach s,$(TABLE1_STUDENTS),$(foreach m,$(TABLE1_METHODS),$(call row,$s,$m,$(call run,$m,$s,$(SOURCE_MODEL)),$(if $(filter \
	scratch,$m),,scratch),table1/$s/$m)))
$(call figure,table1,points,AUC on test against training time; mean over seeds)
include $(STUDY)/report.mk
