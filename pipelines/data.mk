# The log of an experiment and its four parts, OUT/data/{hist,train,online,test}.car, in the order of time.
# DATA=embedded generates ROWS rows with the columns of SCHEMA, criteo or small, with VOCAB values in all (ca-gen chooses
# when it is empty) and further columns as the options in GEN say; any other DATA is a file that ca-import reads by SCHEMA,
# with the schema lines WITH in the place of its own ("unknown = last"; ca-schema(5)). CrossAdapt, section 4.1.
DATA ?= embedded
SCHEMA ?= criteo
ROWS ?= 200k
VOCAB ?=
GEN ?=
DATA_SEED ?= 1
RATIOS ?= 4:4:1:1
VOCAB_SCOPE ?= past
WITH ?=
$(call keep,DATA SCHEMA ROWS VOCAB GEN DATA_SEED RATIOS VOCAB_SCOPE WITH)

D := $(OUT)/data
HIST := $D/hist.car
TRAIN := $D/train.car
ONLINE := $D/online.car
TEST := $D/test.car
LOG_PARTS := $(HIST) $(TRAIN) $(ONLINE) $(TEST)
ifeq ($(DATA),embedded)
SOURCE = ca-gen $(QUIET) --preset $(SCHEMA) --rows $(ROWS) --seed $(DATA_SEED) $(if $(VOCAB),--vocab $(VOCAB)) $(GEN)
DATA_FILE :=
else
SOURCE = ca-import $(QUIET) --schema $(call quote,$(SCHEMA)) --ratios $(RATIOS) --vocab-scope $(VOCAB_SCOPE) \
	$(if $(WITH),--with $(call quote,$(WITH)))
DATA_FILE := $(DATA)
endif
$D/all.car: $(DATA_FILE) $(call uses,DATA SCHEMA ROWS VOCAB GEN DATA_SEED $(if $(DATA_FILE),RATIOS VOCAB_SCOPE WITH))
	@mkdir -p $D
	$(Q)$(SOURCE) -o $@ $(DATA_FILE:%=-- %)
$(LOG_PARTS) &: $D/all.car $(call uses,RATIOS)
	$(Q)ca-split $(QUIET) --ratios $(RATIOS) --out-dir $D $<

.PHONY: data
data: $(LOG_PARTS) ## hist, train, online and test
