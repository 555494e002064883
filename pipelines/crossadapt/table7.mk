# Table 7: CrossAdapt-Full between all pairs of five architectures. The paper gives no sizes: teachers have width 8 and the
# hidden layers of the source model; students other than the MLP have width 16.
include $(dir $(lastword $(MAKEFILE_LIST)))study.mk
TITLE_table7 := Table 7: pairs of architectures
$(call section,table7)
student_of = $(if $(filter mlp,$1),$(MATCHED),$116)
# $(call pair,TEACHER,STUDENT)
pair = $(foreach g,$1-to-$2,$(call row,$g,teacher,$(call run,teacher,,$18),,table7/$1-$2/teacher)$(call \
	row,$g,scratch,$(call run,scratch,$(call student_of,$2),$(SOURCE_MODEL)),,table7/$1-$2/scratch)$(call \
	row,$g,crossadapt-full,$(call run,crossadapt-full,$(call student_of,$2),$18),scratch,table7/$1-$2/crossadapt-full))
$(foreach t,$(FAMILIES),$(foreach s,$(FAMILIES),$(call pair,$t,$s)))
include $(STUDY)/report.mk
