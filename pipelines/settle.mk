# $(call settle,FILE,TEXT): FILE holds TEXT from here on, and is written only when it did not before. What depends
# on FILE is thus made again when a setting changes and at no other time. It happens while make reads its
# makefiles, so that 'make -n' tells the truth. Bytes have the last word: equal ones leave the file as it is.
settle = $(if $(and $(wildcard $1),$(call same,$(file <$1),$2)),,$(shell mkdir -p '$(dir $1)')$(file >$1.new,$2)$(shell cmp -s '$1.new' '$1' && rm '$1.new' || mv '$1.new' '$1'))
same = $(and $(findstring x$1,x$2),$(findstring x$2,x$1))
define newline


endef
