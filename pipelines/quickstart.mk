# The main experiment in small, for a first look: 'make quickstart'. The paper's architectures with narrower layers, one
# seed and few rows; small batches, so that the optimizers take enough steps.
OUT ?= build/quickstart
ROWS ?= 100k
BATCH ?= 512
SEEDS ?= 1
TEACHER ?= mlp:8:64,32,4
STUDENT ?= fibinet:16:64,32
include $(dir $(lastword $(MAKEFILE_LIST)))switch.mk
