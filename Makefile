# mtls-shim. `make help` lists the targets.
#
# CFLAGS and LDFLAGS belong to the user; what the code itself needs is in the
# variables with a leading underscore (_LAST: what must come after the user's).
# Output goes to build/ and nowhere else.

CFLAGS ?= -O2 -g
LDFLAGS ?=
VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build
WOLFSSL_SRC ?=
INIH_SRC ?=
SANITIZE ?=
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy

ifeq ($(V),1)
Q :=
else
Q := @
endif

# A sanitizer build has its own objects, so that neither build spoils the other.
comma := ,
OUT := $(BUILD)$(if $(SANITIZE),/sanitize-$(subst $(comma),-,$(SANITIZE)))

WOLFSSL := $(BUILD)/wolfssl/install
WOLFSSL_A := $(WOLFSSL)/lib/libwolfssl.a
INIH_A = $(firstword $(wildcard /usr/lib/*/libinih.a /usr/lib/libinih.a) libinih.a-is-missing)

YAJL_A = $(firstword $(wildcard /usr/lib/*/libyajl_s.a /usr/lib/libyajl_s.a) -lyajl)

# The loader of the C library that is compiled for; of what the compiler would link.
loader = $(shell $(1) -\#\#\# -o x -x c /dev/null 2>&1 | tr -d '"' | \
    sed -n 's/.*-dynamic-linker \([^ ]*\).*/\1/p' | head -n 1)

_CPPFLAGS := -D_GNU_SOURCE -I. -isystem $(WOLFSSL)/include -DMTLS_SHIM_VERSION='"$(VERSION)"' \
    -DMTLS_SHIM_LOADER='"$(call loader,$(CC))"'
_CFLAGS := -std=gnu17 -fPIC -fvisibility=hidden -fexceptions -fno-strict-aliasing \
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
    -Wvla -Werror -MMD -MP $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer)
_LDFLAGS := $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -Wl,-z,relro,-z,now
LIBS = $(WOLFSSL_A) $(INIH_A) -lpthread -ldl
# For the library: the same in versions that older systems have, too (shim/libc).
STUBS := $(addprefix $(OUT)/stubs/,libpthread.so.0 libdl.so.2)

# The layers, lowest first; a layer may include from itself and those before it. What is of
# one C library alone says so in its name.
CONFIG_SRC := $(wildcard config/*.c)
RECORD_SRC := $(wildcard shim/record/*.c)
SESSION_SRC := $(wildcard shim/session/*.c)
TARGET_SRC := $(wildcard shim/target/*.c)
INTERPOSE_ALL_SRC := $(wildcard shim/interpose/*.c shim/libc/*.c)
INTERPOSE_SRC := $(filter-out %_musl.c,$(INTERPOSE_ALL_SRC))
INTERPOSE_MUSL_SRC := $(filter-out %_glibc.c,$(INTERPOSE_ALL_SRC))
RUN_SRC := $(wildcard tools/run/*.c)
CTL_SRC := $(wildcard tools/ctl/*.c)
UNIT_SRC := $(wildcard tests/unit/*.c)
HELPER_SRC := $(wildcard tests/helpers/*.c)
BENCH_SRC := $(wildcard tests/bench/*.c)
FUZZ_SRC := $(wildcard tests/fuzz/*.c)
FIDELITY_SRC := $(wildcard tests/fidelity/*.c)

objs = $(patsubst %.c,$(OUT)/obj/%.o,$(1))
LOWER_OBJ := $(call objs,$(CONFIG_SRC) $(RECORD_SRC) $(SESSION_SRC))
SHIM := $(OUT)/lib/libmtls_shim.so
RUN := $(OUT)/bin/mtls-run
CTL := $(OUT)/bin/mtlsctl
UNIT_BIN := $(patsubst tests/unit/%.c,$(OUT)/tests/unit/%,$(UNIT_SRC))
HELPER_BIN := $(patsubst tests/helpers/%.c,$(OUT)/tests/helpers/%,$(HELPER_SRC))
BENCH_BIN := $(patsubst tests/bench/%.c,$(OUT)/tests/bench/%,$(BENCH_SRC))
REPLAY_BIN := $(patsubst tests/fuzz/%.c,$(OUT)/tests/fuzz/%,$(FUZZ_SRC))
FIDELITY := $(OUT)/tests/fidelity/fidelity

.DELETE_ON_ERROR:
.SUFFIXES:
# No object is intermediate: nothing is removed, and said so, after the closing line.
.SECONDARY:
.PHONY: all help check check-compat check-container check-cpython check-suites container deb check-deb soak programs memcheck test unit demo demo-ops bench install uninstall lint format sanitize fuzz \
    clean distclean test-setup

all: $(SHIM) $(RUN) $(CTL)  ## build the library and the tools (the default)

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables: PREFIX DESTDIR CFLAGS LDFLAGS V=1 SANITIZE=address,undefined WOLFSSL_SRC=/path"
	@echo "           RUNS=10 SOAK='fidelity compat pairs' CONNECTIONS=10000 FUZZ_SECONDS=30"

# ---- what the build needs --------------------------------------------------------

$(BUILD)/setup.stamp: tools/setup.sh
	$(Q)mkdir -p $(@D)
	$(Q)tools/setup.sh build
	$(Q)touch $@

$(WOLFSSL_A): tools/build-wolfssl.sh tools/wolfssl-random.c tools/wolfssl-random.h | $(BUILD)/setup.stamp
	$(Q)WOLFSSL_SRC='$(WOLFSSL_SRC)' tools/build-wolfssl.sh $(BUILD)/wolfssl
	$(Q)touch $@

# ---- objects ----------------------------------------------------------------------

$(OUT)/obj/%.o: %.c $(WOLFSSL_A) Makefile
	@echo "  CC    $<"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(_CPPFLAGS) $(CPPFLAGS) $(_CFLAGS) $(CFLAGS) $(_LAST) -c -o $@ $<

# Fortified headers would define the very functions that we do, and libc's promise that its
# own do not come back to the file that has called them (leaf) is not kept by ours.
$(call objs,$(INTERPOSE_SRC)) $(patsubst %.c,$(BUILD)/musl/obj/%.o,$(INTERPOSE_MUSL_SRC)): \
    private _LAST := -U_FORTIFY_SOURCE -D__leaf__=
# The runtime of a sanitizer calls these before it is ready itself.
$(call objs,$(addprefix shim/interpose/,symbol.c symbol_glibc.c elf_symbol.c)): \
    private _LAST += -fno-sanitize=all

# ---- products ---------------------------------------------------------------------

$(STUBS) &: shim/libc/older tools/stubs.sh
	@echo "  STUB  $(@D)"
	$(Q)CC='$(CC)' tools/stubs.sh $< $(OUT)/stubs

SHIM_LDFLAGS := -shared -Wl,-soname,libmtls_shim.so -Wl,--exclude-libs,ALL \
    -Wl,-z,nodelete -Wl,-z,defs

$(SHIM): $(LOWER_OBJ) $(call objs,$(TARGET_SRC) $(INTERPOSE_SRC)) $(STUBS)
	@echo "  LD    $@"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SHIM_LDFLAGS) $(_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(WOLFSSL_A) \
	    $(INIH_A) $(STUBS)

# The library looks for this name, and leaves programs that have it alone.
TOOL_LDFLAGS := -Wl,--export-dynamic-symbol=mtls_shim_is_tool

$(RUN): $(call objs,$(RUN_SRC) $(TARGET_SRC) $(CONFIG_SRC))
	@echo "  LD    $@"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TOOL_LDFLAGS) $(_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS)

$(CTL): $(call objs,$(CTL_SRC) $(TARGET_SRC) tools/run/preload.c) $(LOWER_OBJ)
	@echo "  LD    $@"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(TOOL_LDFLAGS) $(_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS) $(YAJL_A)

# ---- for containers ---------------------------------------------------------------

# A folder that holds all that an image needs: a library for each C library, of which
# mtls-run takes the one that the program is linked with. mtls-run is static there, so that
# it runs in any image, and linked with musl: glibc cannot do without its own shared
# libraries.
CONTAINER := $(BUILD)/container/mtls-shim
MUSL := $(BUILD)/musl
MUSL_CC ?= musl-gcc
MUSL_LIBS := $(MUSL)/wolfssl/install/lib/libwolfssl.a $(MUSL)/inih/install/lib/libinih.a
musl_objs = $(patsubst %.c,$(MUSL)/obj/%.o,$(1))
MUSL_RUN_OBJ := $(call musl_objs,$(RUN_SRC) $(TARGET_SRC) $(CONFIG_SRC))
MUSL_LOWER_OBJ := $(call musl_objs,$(CONFIG_SRC) $(RECORD_SRC) $(SESSION_SRC))
MUSL_SHIM_OBJ := $(MUSL_LOWER_OBJ) $(call musl_objs,$(TARGET_SRC) $(INTERPOSE_MUSL_SRC))
MUSL_SHIM := $(MUSL)/libmtls_shim.so
STRIP ?= strip

CONTAINER_FILES := $(addprefix $(CONTAINER)/,mtls-run entrypoint glibc/libmtls_shim.so \
    musl/libmtls_shim.so LICENSE)

container: $(CONTAINER_FILES)  ## fill build/container/mtls-shim, which is all that an image needs

$(MUSL)/wolfssl/install/lib/libwolfssl.a: $(WOLFSSL_A) | $(BUILD)/setup-container.stamp
	$(Q)CC='$(MUSL_CC)' WOLFSSL_SRC='$(or $(WOLFSSL_SRC),$(BUILD)/wolfssl/src)' \
	    tools/build-wolfssl.sh $(MUSL)/wolfssl
	$(Q)touch $@

$(MUSL)/inih/install/lib/libinih.a: tools/build-inih.sh | $(BUILD)/setup-container.stamp
	$(Q)CC='$(MUSL_CC)' INIH_SRC='$(INIH_SRC)' tools/build-inih.sh $(MUSL)/inih

# The kernel's own headers, which musl-gcc does not look for, and nothing else of glibc's.
KERNEL_HEADERS := $(addprefix $(MUSL)/kernel/,linux asm asm-generic)

$(KERNEL_HEADERS): | $(BUILD)/setup-container.stamp
	$(Q)mkdir -p $(@D)
	$(Q)ln -sfn "$$(dirname "$$(echo '#include <$(@F)/errno.h>' | $(CC) -E - | \
	    sed -n 's/^# 1 "\(.*\/$(@F)\/errno.h\)".*/\1/p' | head -n 1)")" $@

# musl runs no clean-up of a scope when it cancels a thread, so that there is no need for
# what unwinds. Its CMSG_NXTHDR changes signs.
$(MUSL)/obj/%.o: %.c $(MUSL_LIBS) Makefile | $(KERNEL_HEADERS)
	@echo "  MUSL  $<"
	$(Q)mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(addprefix -isystem $(MUSL)/,wolfssl/install/include inih/install/include kernel) \
	    $(subst $(call loader,$(CC)),$(call loader,$(MUSL_CC)),$(_CPPFLAGS)) $(CPPFLAGS) \
	    $(_CFLAGS) -fno-exceptions -Wno-sign-conversion $(CFLAGS) $(_LAST) -c -o $@ $<

$(MUSL_SHIM): $(MUSL_SHIM_OBJ)
	@echo "  LD    $@"
	$(Q)mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(SHIM_LDFLAGS) $(_LDFLAGS) $(LDFLAGS) -o $@ $^ $(MUSL_LIBS)

$(CONTAINER)/mtls-run: $(MUSL_RUN_OBJ)
	@echo "  LD    $@"
	$(Q)mkdir -p $(@D)
	$(Q)$(MUSL_CC) -static -s $(_LDFLAGS) $(LDFLAGS) -o $@ $^ $(MUSL_LIBS)

$(CONTAINER)/glibc/libmtls_shim.so: $(SHIM)
$(CONTAINER)/musl/libmtls_shim.so: $(MUSL_SHIM)
$(CONTAINER)/%/libmtls_shim.so:
	$(Q)mkdir -p $(@D)
	$(Q)$(STRIP) --strip-unneeded -o $@ $<
	$(Q)chmod 644 $@

$(CONTAINER)/entrypoint: tools/container/entrypoint
	$(Q)$(INSTALL) -D -m 755 $< $@

$(CONTAINER)/LICENSE: LICENSE
	$(Q)$(INSTALL) -D -m 644 $< $@

$(BUILD)/container/root: tests/lib/debian_root.sh | $(BUILD)/setup-container.stamp
	@echo "  ROOT  $@"
	$(Q)tests/lib/debian_root.sh $@ bookworm socat

SCHEMAS := $(BUILD)/container/schemas
$(SCHEMAS)/package-lock.json: tests/container/schemas/package-lock.json | $(BUILD)/setup-container.stamp
	@echo "  NPM   $(SCHEMAS)"
	$(Q)mkdir -p $(SCHEMAS)
	$(Q)cp tests/container/schemas/package.json $(SCHEMAS)/
	$(Q)cp $< $@
	$(Q)cd $(SCHEMAS) && timeout 300 npm ci --silent --no-audit --no-fund --ignore-scripts

check-container: container all $(BUILD)/container/root $(SCHEMAS)/package-lock.json $(BUILD)/setup-test.stamp  ## run programs in bare roots with that folder
	$(Q)BUILD=$(OUT) tests/run --container

-include $(patsubst %.o,%.d,$(MUSL_RUN_OBJ) $(MUSL_SHIM_OBJ))

# ---- tests ------------------------------------------------------------------------

$(OUT)/tests/unit/%: $(OUT)/obj/tests/unit/%.o $(LOWER_OBJ)
	@echo "  LD    $@"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -lcmocka $(LIBS)

$(OUT)/tests/helpers/%: $(OUT)/obj/tests/helpers/%.o
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(_LDFLAGS) $(LDFLAGS) -o $@ $^ -lpthread

$(OUT)/tests/bench/%: $(OUT)/obj/tests/bench/%.o
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(_LDFLAGS) $(LDFLAGS) -o $@ $^ $(BENCH_LIBS) -lpthread

$(OUT)/tests/bench/load: private BENCH_LIBS := -lssl -lcrypto
$(OUT)/tests/bench/limits: private BENCH_LIBS := $(LIBS)

# Scenarios make wrong calls on purpose.
$(call objs,$(FIDELITY_SRC)): private _LAST := -Wno-nonnull -Wno-stringop-overflow \
    $(if $(SANITIZE),-fno-sanitize=nonnull-attribute)

$(FIDELITY): $(call objs,$(FIDELITY_SRC))
	@echo "  LD    $@"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(_LDFLAGS) $(LDFLAGS) -o $@ $^ -lpthread

# The same targets as `make fuzz` runs, for the corpus only, with the compiler at hand.
$(OUT)/tests/fuzz/%: $(OUT)/obj/tests/fuzz/%.o $(OUT)/obj/tests/lib/fuzz_replay.o $(LOWER_OBJ)
	@echo "  LD    $@"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -lcmocka $(LIBS)

$(BUILD)/setup-test.stamp: tools/setup.sh
	$(Q)mkdir -p $(@D)
	$(Q)tools/setup.sh test
	$(Q)touch $@

test-setup: $(BUILD)/setup-test.stamp

# Unit tests need cmocka, which the test set-up installs.
$(call objs,$(UNIT_SRC) $(FUZZ_SRC) tests/lib/fuzz_replay.c): | $(BUILD)/setup-test.stamp

unit: $(UNIT_BIN)
	$(Q)tests/run --unit $(UNIT_BIN)

check: all $(BUILD)/setup-test.stamp $(UNIT_BIN) $(HELPER_BIN) $(REPLAY_BIN) $(FIDELITY) $(OUT)/tests/bench/limits  ## run every test
	$(Q)BUILD=$(OUT) tests/run

test: check

$(BUILD)/setup-compat.stamp: tools/setup.sh
	$(Q)mkdir -p $(@D)
	$(Q)BUILD='$(BUILD)' tools/setup.sh compat
	$(Q)touch $@

check-cpython: all $(BUILD)/setup-cpython.stamp  ## run CPython's own network tests under the shim
	$(Q)BUILD=$(OUT) tests/suites/run.py cpython $(MODULES)

SUITES ?= twisted tornado glib

check-suites: all $(BUILD)/setup-suites.stamp  ## run other projects' own tests under the shim, or those in SUITES
	$(Q)for suite in $(SUITES); do BUILD=$(OUT) tests/suites/run.py $$suite || exit; done

check-compat: all $(BUILD)/setup-compat.stamp  ## run the pairs of Debian's programs that need many packages
	$(Q)BUILD=$(OUT) tests/run --pairs $(PAIRS)

RUNS ?= 10

soak: all $(BUILD)/setup-compat.stamp $(HELPER_BIN) $(FIDELITY)  ## run the suite RUNS (10) times in a row, or the parts in SOAK
	$(Q)BUILD=$(OUT) tests/soak.sh $(RUNS) $(SOAK)

-include $(patsubst %.o,%.d,$(call objs,$(CONFIG_SRC) $(RECORD_SRC) $(SESSION_SRC) \
    $(TARGET_SRC) $(INTERPOSE_SRC) $(RUN_SRC) $(CTL_SRC) $(UNIT_SRC) $(HELPER_SRC) $(BENCH_SRC) $(FUZZ_SRC) $(FIDELITY_SRC) tests/lib/fuzz_replay.c))

# ---- showing and measuring ------------------------------------------------------------

SETUPS := demo demo-ops bench cpython suites container
$(SETUPS:%=$(BUILD)/setup-%.stamp): $(BUILD)/setup-%.stamp: tools/setup.sh
	$(Q)mkdir -p $(@D)
	$(Q)tools/setup.sh $*
	$(Q)touch $@

demo: all $(BUILD)/setup-demo.stamp  ## show two unchanged programs talk mutual TLS
	$(Q)BUILD=$(OUT) demo/run

demo-ops: all $(BUILD)/setup-demo-ops.stamp  ## play an operator's week in a minute: roll-out, an alert, renewal, audit
	$(Q)BUILD=$(OUT) demo/ops

bench: all $(BUILD)/setup-bench.stamp $(BENCH_BIN)  ## measure what mutual TLS costs against plain TCP
	$(Q)BUILD=$(OUT) tests/bench/run $(BENCH)

# ---- other builds of the same code ----------------------------------------------------

SAN ?= address,undefined
SANITIZED := fidelity compat trust

# The unit tests by themselves; then the library as it is used, preloaded: in real programs
# and in the scenarios under ASan and under UBSan (two builds, since together they write no
# report of UBSan's), in the scenarios under TSan. Last, many connections under memcheck.
sanitize:  ## run the tests with ASan, UBSan, TSan and memcheck (half an hour)
	$(Q)ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	    $(MAKE) --no-print-directory SANITIZE=$(SAN) unit
	$(Q)$(MAKE) --no-print-directory SANITIZE=address PROGRAMS='$(SANITIZED)' programs
	$(Q)$(MAKE) --no-print-directory SANITIZE=undefined PROGRAMS='$(SANITIZED)' \
	    CFLAGS='$(CFLAGS) -fno-sanitize-recover=undefined' programs
	$(Q)$(MAKE) --no-print-directory SANITIZE=thread PROGRAMS= programs
	$(Q)$(MAKE) --no-print-directory memcheck

programs: all $(BUILD)/setup-test.stamp $(HELPER_BIN) $(FIDELITY)
	$(Q)BUILD=$(OUT) tests/sanitize.sh $(SANITIZE) $(PROGRAMS)

CONNECTIONS ?= 10000

memcheck: all $(BUILD)/setup-test.stamp $(HELPER_BIN)  ## CONNECTIONS (10000) of each kind under valgrind
	$(Q)BUILD=$(OUT) CONNECTIONS=$(CONNECTIONS) TEST_TIMEOUT=7200 tests/run valgrind

FUZZ_SECONDS ?= 30
FUZZ := $(BUILD)/fuzz
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(FUZZ)/%,$(FUZZ_SRC))
FUZZ_LOWER_OBJ := $(patsubst %.c,$(FUZZ)/obj/%.o,$(CONFIG_SRC) $(RECORD_SRC) $(SESSION_SRC))

$(FUZZ)/obj/%.o: %.c $(WOLFSSL_A) $(BUILD)/setup-test.stamp Makefile
	@echo "  FUZZ  $<"
	$(Q)mkdir -p $(@D)
	$(Q)clang $(_CPPFLAGS) $(CPPFLAGS) $(_CFLAGS) -O1 -g \
	    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -c -o $@ $<

$(FUZZ_BIN): $(FUZZ)/%: $(FUZZ)/obj/tests/fuzz/%.o $(FUZZ_LOWER_OBJ)
	@echo "  LD    $@"
	$(Q)clang -fsanitize=fuzzer,address,undefined -o $@ $^ -lcmocka $(LIBS)

fuzz: $(FUZZ_BIN)  ## run every fuzz target for FUZZ_SECONDS (30) from its corpus
	$(Q)tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ_BIN)

# ---- form and rules -----------------------------------------------------------------------

LINT_C := $(wildcard config/*.[ch] shim/*.[ch] shim/*/*.[ch] tools/*/*.[ch] tests/*/*.[ch])
LINT_SH = $(wildcard tests/run tests/fuzz/run tools/*.sh tools/*/*.sh tools/container/entrypoint tests/*.sh tests/*/*.sh)
LINT_TIDY = $(patsubst %,$(BUILD)/lint/%.tidy,$(filter %.c,$(LINT_C)))

$(BUILD)/lint/%.tidy: % $(filter %.h,$(LINT_C)) .clang-tidy $(WOLFSSL_A) | $(BUILD)/setup-test.stamp
	@echo "  TIDY  $<"
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG_TIDY) --quiet $< -- $(_CPPFLAGS) -std=gnu17 2>$@.err || { \
	    grep -v 'warnings\? generated' $@.err >&2; exit 1; }
	$(Q)touch $@

lint: $(LOWER_OBJ) $(LINT_TIDY)  ## check form, layers, symbols, shell and C
	$(Q)CLANG_FORMAT=$(CLANG_FORMAT) tools/lint/format.sh $(LINT_C)
	$(Q)tools/lint/layers.sh
	$(Q)tools/lint/symbols.sh $(LOWER_OBJ) $(WOLFSSL_A) $(INIH_A)
	$(Q)shellcheck -x -e SC2116,SC2317 $(LINT_SH)
	@echo "  LINT  clean"

format:  ## bring the C code into the form of .clang-format
	$(Q)$(CLANG_FORMAT) -i $(LINT_C)

# ---- installing ----------------------------------------------------------------------------

INSTALL ?= install
PACKAGING := tools/packaging
INSTALLING = INSTALL='$(INSTALL)' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' $(PACKAGING)/install.sh

# What goes where is in tools/packaging/files.
install: all  ## install under PREFIX (/usr/local), staged in DESTDIR
	$(Q)$(INSTALLING) install $(OUT)

uninstall:  ## remove what install put there
	$(Q)$(INSTALLING) uninstall $(OUT)

$(BUILD)/setup-deb.stamp: tools/setup.sh
	$(Q)mkdir -p $(@D)
	$(Q)tools/setup.sh deb
	$(Q)touch $@

deb: $(WOLFSSL_A) $(BUILD)/setup-deb.stamp  ## build the Debian package in build/deb, and let lintian judge it
	$(Q)$(PACKAGING)/deb.sh $(BUILD) $(VERSION)

check-deb: deb $(BUILD)/setup-test.stamp  ## install, use, upgrade and purge that package in a root of its own
	$(Q)BUILD=$(OUT) tests/run --deb

clean:  ## remove what was built here, keep wolfSSL
	rm -rf $(BUILD)/obj $(BUILD)/lib $(BUILD)/bin $(BUILD)/tests $(BUILD)/sanitize-* \
	    $(BUILD)/fuzz $(BUILD)/lint $(BUILD)/deb $(CONTAINER) $(MUSL)/obj

distclean:  ## remove everything that was built or fetched
	rm -rf $(BUILD)
