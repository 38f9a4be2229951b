# heft: one Makefile. `make demo` and `make check` need only git, make and a shell: they install what is missing.
#   make            ./heft, libheft.a, libheft.so, completions
#   make demo       install missing packages (after saying so), build, convert a small real checkpoint
#   make check      build and run every test that needs no reference tools
#   make bench      whole commands against the reference tools, in turn
#   make fuzz       build the libFuzzer targets (clang) and run each for FUZZ_SECONDS
#   make install PREFIX=/usr/local DESTDIR=
# BUILD=dir puts objects elsewhere; SANITIZE=address,undefined; CC=clang; WERROR=1.

CC ?= cc
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
PKG_CONFIG ?= pkg-config
PROVE ?= prove
PROVE_FLAGS ?= -j2
FUZZ_SECONDS ?= 30
BENCH_PARTS ?= types threads steps kernels
VERSION := $(shell sed -n 's/^\#define HEFT_VERSION "\(.*\)"/\1/p' include/heft.h)

OWN_PACKAGES := libcjson oniguruma libutf8proc yaml-0.1 libcrypto libzstd
PACKAGES := $(OWN_PACKAGES) libarchive
UNAME := $(shell uname -s)

# flags: the product is bytes, so nothing that lets a compiler reorder arithmetic
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wundef \
	-Wno-unused-parameter $(if $(WERROR),-Werror)
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 -ffp-contract=off -fno-fast-math -fno-strict-aliasing -fPIC -fvisibility=hidden $(WARN) $(CFLAGS) \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer) $(OPENMP_CFLAGS)
ALL_CPPFLAGS = -Iinclude -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(PKG_CFLAGS) $(CPPFLAGS)
ALL_LDFLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)
ifeq ($(UNAME),Darwin)
OPENMP_CFLAGS ?= -Xpreprocessor -fopenmp -I$(shell brew --prefix libomp 2>/dev/null)/include
OPENMP_LIBS ?= -L$(shell brew --prefix libomp 2>/dev/null)/lib -lomp
SHARED_EXT := dylib
export PKG_CONFIG_PATH := $(shell brew --prefix libarchive 2>/dev/null)/lib/pkgconfig:$(PKG_CONFIG_PATH) # Homebrew keeps it apart
SHARED_FLAGS = -dynamiclib -install_name $(PREFIX)/lib/libheft.dylib
else
OPENMP_CFLAGS ?= -fopenmp
OPENMP_LIBS ?= -fopenmp
SHARED_EXT := so
SHARED_FLAGS = -shared -Wl,-soname,libheft.so.0
endif
PKG_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS = $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null)
# for heft.pc: libarchive is linked shared, so that what it is made of need not be installed for developers
ARCHIVE_LIBS = $(shell $(PKG_CONFIG) --libs libarchive 2>/dev/null)
LIBS = $(PKG_LIBS) $(OPENMP_LIBS) -lpthread -lm

# sources: a new file is found by itself
LIB_SRC := $(wildcard base/*.c quant/*.c quant/x86/*.c quant/arm/*.c formats/*.c src/*.c src/packed/*.c src/coreml/*.c src/target/*.c src/tokenizer/*.c)
CMD_SRC := $(wildcard src/cmd/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(BUILD)/texts.o
CMD_OBJ := $(CMD_SRC:%.c=$(BUILD)/%.o)
UNIT_SRC := $(wildcard tests/unit/*.c)
UNIT := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%)
HELPER_SRC := $(wildcard tests/helper/*.c)
HELPER := $(HELPER_SRC:tests/helper/%.c=$(BUILD)/tests/helper/%)
BENCH := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(wildcard tests/bench/*.c))
FUZZ_SRC := $(wildcard tests/fuzz/*.c)
HEADERS := $(sort $(wildcard include/*.h))
TEXTS := $(sort $(wildcard src/arch/*.arch src/recipe/*.recipe))

.PHONY: all demo check test bench fuzz fuzz-targets install uninstall clean deps deps-test units helpers
all: $(if $(filter build,$(BUILD)),heft,$(BUILD)/heft) $(BUILD)/libheft.a $(BUILD)/libheft.$(SHARED_EXT) # other builds leave ./heft alone

heft: $(BUILD)/heft
	cp $(BUILD)/heft $@.new && mv $@.new $@

$(BUILD)/heft: $(CMD_OBJ) $(BUILD)/libheft.a
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(CMD_OBJ) $(BUILD)/libheft.a $(LIBS)

$(BUILD)/libheft.a: $(LIB_OBJ)
	rm -f $@ && $(AR) rcs $@ $(LIB_OBJ)

$(BUILD)/libheft.$(SHARED_EXT): $(LIB_OBJ)
	$(CC) $(ALL_CFLAGS) $(SHARED_FLAGS) $(ALL_LDFLAGS) -o $@ $(LIB_OBJ) $(LIBS)

# families and recipes are text; they are compiled in as strings
$(BUILD)/texts.c: scripts/texts.awk $(TEXTS)
	@mkdir -p $(@D)
	awk -f scripts/texts.awk $(TEXTS) >$@.tmp && mv $@.tmp $@

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/texts.o: $(BUILD)/texts.c
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -I. -c -o $@ $<

units: $(UNIT) $(HELPER) $(BENCH)
helpers: $(HELPER)

$(BUILD)/tests/%: tests/unit/%.c $(BUILD)/libheft.a tests/tap.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -I. $(ALL_LDFLAGS) -o $@ $< $(BUILD)/libheft.a $(LIBS)

$(BUILD)/tests/helper/%: tests/helper/%.c $(wildcard tests/helper/*.h) $(BUILD)/libheft.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -I. $(ALL_LDFLAGS) -o $@ $< $(BUILD)/libheft.a $(LIBS)

$(BUILD)/tests/bench/%: tests/bench/%.c $(BUILD)/libheft.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -I. $(ALL_LDFLAGS) -o $@ $< $(BUILD)/libheft.a $(LIBS)

# Make reads the compiler's flags from pkg-config while it runs, so what is missing is installed before the second make begins.
check: deps-test
	$(MAKE) all
	$(MAKE) test

# with $(BUILD)'s own program, so that other builds (SANITIZE=, CC=) leave ./heft alone
test: $(BUILD)/heft $(BUILD)/libheft.$(SHARED_EXT) units
	BUILD=$(BUILD) HEFT=$(abspath $(BUILD)/heft) CC="$(CC)" $(PROVE) $(PROVE_FLAGS) $(UNIT) tests/*.t

demo: deps
	$(MAKE) all
	HEFT=$(CURDIR)/heft scripts/demo $(BUILD)/demo

deps:
	@CC="$(CC)" sh scripts/deps

deps-test:
	@CC="$(CC)" sh scripts/deps --test

# the reference tools take part where ../shared/oracle stands
bench: deps-test
	$(MAKE) all units
	BUILD=$(BUILD) HEFT=$(CURDIR)/heft scripts/bench $(BENCH_PARTS)

# a library of its own, with coverage for the fuzzer; targets and corpora stay in $(BUILD)/fuzz
fuzz:
	$(MAKE) CC=clang BUILD=$(BUILD)/fuzz SANITIZE=address,undefined CFLAGS="-O1 -g -fsanitize=fuzzer-no-link" fuzz-targets
	FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz $(BUILD)/fuzz

fuzz-targets: $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/target/%)

$(BUILD)/target/%: tests/fuzz/%.c $(BUILD)/libheft.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -fsanitize=fuzzer -Wno-missing-prototypes -I. $(ALL_LDFLAGS) -o $@ $< $(BUILD)/libheft.a $(LIBS)

# install: BSD and GNU install agree on -d and -m. Cross builds set RUN (qemu-aarch64) to make the completions.
INSTALL ?= install
RUN ?=
TOOLS := $(shell sed -n 's/^TOOL(\(.*\))/\1/p' src/cmd/list.h)
BINDIR = $(DESTDIR)$(PREFIX)/bin
LIBDIR = $(DESTDIR)$(PREFIX)/lib
INCDIR = $(DESTDIR)$(PREFIX)/include
SHARE = $(DESTDIR)$(PREFIX)/share
COMPLETIONS := $(BUILD)/completions/heft.bash $(BUILD)/completions/_heft $(BUILD)/completions/heft.fish
$(BUILD)/completions/heft.bash: SHELL_NAME = bash
$(BUILD)/completions/_heft: SHELL_NAME = zsh
$(BUILD)/completions/heft.fish: SHELL_NAME = fish

$(COMPLETIONS): $(BUILD)/heft
	@mkdir -p $(@D)
	$(RUN) $(BUILD)/heft completion $(SHELL_NAME) >$@.tmp && mv $@.tmp $@

# PREFIX may differ from the last run, so this file is always made again
.PHONY: $(BUILD)/heft.pc
$(BUILD)/heft.pc:
	@mkdir -p $(@D)
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' 'Name: heft' \
		'Description: converts and quantizes open-weight checkpoints' 'Version: $(VERSION)' \
		'Requires.private: $(OWN_PACKAGES)' 'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lheft' \
		'Libs.private: $(ARCHIVE_LIBS) $(OPENMP_LIBS) -lpthread -lm' >$@

install: all $(COMPLETIONS) $(BUILD)/heft.pc
	$(INSTALL) -d $(BINDIR) $(LIBDIR)/pkgconfig $(INCDIR) $(SHARE)/man/man1 $(SHARE)/man/man5
	$(INSTALL) -d $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions $(SHARE)/fish/vendor_completions.d
	$(INSTALL) -m 755 $(BUILD)/heft $(BINDIR)/heft
	for t in $(TOOLS); do ln -sf heft $(BINDIR)/heft-$$t || exit 1; done
	$(INSTALL) -m 644 $(HEADERS) $(INCDIR)/
	$(INSTALL) -m 644 $(BUILD)/libheft.a $(LIBDIR)/libheft.a
ifeq ($(UNAME),Darwin)
	$(INSTALL) -m 755 $(BUILD)/libheft.dylib $(LIBDIR)/libheft.dylib
else
	$(INSTALL) -m 755 $(BUILD)/libheft.so $(LIBDIR)/libheft.so.$(VERSION)
	ln -sf libheft.so.$(VERSION) $(LIBDIR)/libheft.so.0
	ln -sf libheft.so.0 $(LIBDIR)/libheft.so
endif
	$(INSTALL) -m 644 $(BUILD)/heft.pc $(LIBDIR)/pkgconfig/heft.pc
	for m in man/*.[15]; do $(INSTALL) -m 644 $$m $(SHARE)/man/man$${m##*.}/ || exit 1; done
	$(INSTALL) -m 644 $(BUILD)/completions/heft.bash $(SHARE)/bash-completion/completions/heft
	for t in $(TOOLS); do ln -sf heft $(SHARE)/bash-completion/completions/heft-$$t || exit 1; done
	$(INSTALL) -m 644 $(BUILD)/completions/_heft $(SHARE)/zsh/site-functions/_heft
	$(INSTALL) -m 644 $(BUILD)/completions/heft.fish $(SHARE)/fish/vendor_completions.d/heft.fish
	for t in $(TOOLS); do ln -sf heft.fish $(SHARE)/fish/vendor_completions.d/heft-$$t.fish || exit 1; done

uninstall:
	rm -f $(BINDIR)/heft $(TOOLS:%=$(BINDIR)/heft-%) $(HEADERS:include/%=$(INCDIR)/%) $(LIBDIR)/libheft.* $(LIBDIR)/pkgconfig/heft.pc
	for m in man/*.[15]; do rm -f $(SHARE)/man/man$${m##*.}/$${m#man/}; done
	rm -f $(SHARE)/bash-completion/completions/heft $(TOOLS:%=$(SHARE)/bash-completion/completions/heft-%)
	rm -f $(SHARE)/zsh/site-functions/_heft $(SHARE)/fish/vendor_completions.d/heft.fish
	rm -f $(TOOLS:%=$(SHARE)/fish/vendor_completions.d/heft-%.fish)

clean:
	rm -rf build heft

-include $(LIB_OBJ:.o=.d) $(CMD_OBJ:.o=.d)
