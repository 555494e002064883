# $(call settle,FILE,TEXT): FILE holds TEXT, which ends without a newline, from here on, and is written only when it did
# not before. What depends on FILE is thus made again when a setting changes and at no other time. It happens while make
# reads its makefiles, so that 'make -n' tells the truth.
settle = $(if $(and $(wildcard $1),$(call same,$(file <$1),$2)),,$(shell mkdir -p '$(dir $1)')$(file >$1,$2))
# Is TEXT what was read? GNU make 4.3 leaves the last newline of a file that it reads where its buffer happens to move to
# a lower address on the way (func_file compares with the old one), so with it or without it is the same.
same = $(and $(findstring x$1,x$2$(newline)),$(findstring x$2,x$1))
define newline


endef
