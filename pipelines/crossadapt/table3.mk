# Table 3: from an MLP of one width to a FiBiNET of another, with and without the projection of the tables.
include $(dir $(lastword $(MAKEFILE_LIST)))study.mk
TITLE_table3 := Table 3: widths
$(call section,table3)
# $(call widths,SCENARIO,OF THE TEACHER,OF THE STUDENT)
widths = $(foreach g,$1-$2-to-$3,$(call row,$g,teacher,$(call run,teacher,,mlp$2),,table3/$2-$3/teacher)$(call \
	row,$g,scratch,$(call run,scratch,fibinet$3,$(SOURCE_MODEL)),,table3/$2-$3/scratch)$(call \
	row,$g,without projection,$(call run,crossadapt-sample,fibinet$3,mlp$2,projection=none),scratch,table3/$2-$3/no-etp)$(call \
	row,$g,with projection,$(call run,crossadapt-sample,fibinet$3,mlp$2),scratch,table3/$2-$3/etp)$(call \
	row,$g,the projection itself,$(call run,crossadapt-sample,fibinet$3,mlp$2),without projection))
$(call widths,preservation,8,8)
$(call widths,preservation,16,16)
$(call widths,expansion,8,16)
$(call widths,expansion,16,32)
$(call widths,reduction,32,16)
$(call widths,reduction,16,8)
include $(STUDY)/report.mk
