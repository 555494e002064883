# The main experiment in small, for a first look: 'make quickstart'. The architectures of the paper with narrower layers,
# a log with fewer columns, and small batches, so that the optimizers take enough steps.
OUT ?= build/quickstart
ifeq ($(filter-out embedded,$(DATA)),)
SCHEMA ?= small
ROWS ?= 400k
VOCAB ?= 20000
endif
BATCH ?= 256
SEEDS ?= 3
TEACHER ?= mlp:8:64,32
STUDENT ?= fibinet:16:64,32
include $(dir $(lastword $(MAKEFILE_LIST)))switch.mk
