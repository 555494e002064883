# Every table and figure of CrossAdapt (arXiv 2602.01775) on one page, ours beside the published numbers:
#
#     make -f pipelines/crossadapt/paper.mk DATA=ml1m.csv.gz SCHEMA=ml1m BATCH=512 OUT=build/paper-ml1m
#
# OUT/paper.html is self-contained; OUT/paper.md is the same with its figures beside it. README.md here has the rest.
PAPER := yes
include $(dir $(lastword $(MAKEFILE_LIST)))study.mk
include $(addprefix $(STUDY)/,table1.mk table2.mk table3.mk table7.mk fig4.mk fig6.mk drift.mk cost.mk)
PAPER :=
include $(STUDY)/report.mk
