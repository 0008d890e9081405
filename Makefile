# SPDX-License-Identifier: Apache-2.0
# make                    everything: libtollgate.so, tollgate, tollgated, the stand-in provider (test double)
# make unit               the CUnit suites (found by name: tests/unit/test_*.c)
# make SAN=asan|tsan …    sanitizer builds, in their own directory
# make SAN=fuzz fuzz-programs   the fuzz targets (scripts/fuzz): ASan, UBSan, and who was called from where
# make BUILD=DIR …        another build directory
# make install, uninstall, deb    see scripts/package/install.mk: PREFIX, DESTDIR, libdir
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

SAN ?=
BUILD ?= build$(if $(SAN),-$(SAN))
# One spelling of it, whoever calls: the dependency files name their targets, and `build` is not `/…/build`.
override BUILD := $(abspath $(BUILD))
CC := gcc
VERSION := 0.1.0

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
            -Wwrite-strings -Wvla -Wformat=2 -Wno-missing-braces -Werror
HARDEN := -fstack-protector-strong -fPIE -fno-omit-frame-pointer
ifeq ($(SAN),asan)
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -DTOLLGATE_SANITIZED=1
else ifeq ($(SAN),fuzz)
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fsanitize-coverage=trace-pc -DTOLLGATE_SANITIZED=1
else ifeq ($(SAN),tsan)
SANFLAGS := -fsanitize=thread -DTOLLGATE_SANITIZED=1
else
SANFLAGS :=
HARDEN += $(if $(findstring -O0,$(OPT)),,-D_FORTIFY_SOURCE=2)
endif
OPT ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -DTOLLGATE_VERSION='"$(VERSION)"' -DLLHTTP_STRICT_MODE=1 -Iagent -I. $(PLANTFLAGS)
CFLAGS += -std=c11 $(OPT) $(WARNINGS) $(HARDEN) $(SANFLAGS) -pthread
LDFLAGS += $(SANFLAGS) -pie -Wl,-z,relro,-z,now -pthread

# The agent: every .c below agent/ except cli/ (the client program) and main.c (so that tests can link the rest).
AGENT_SRC := $(filter-out agent/cli/% agent/main.c,$(wildcard agent/*.c agent/*/*.c))
CLI_SRC := $(wildcard agent/cli/*.c shim/launch/*.c)
SHIM_SRC := $(wildcard shim/preload/*.c)
PROVIDER_SRC := $(wildcard tests/provider/*.c)
LLHTTP_SRC := /usr/share/llhttp/llhttp.c /usr/share/llhttp/api.c /usr/share/llhttp/http.c

AGENT_OBJ := $(AGENT_SRC:%.c=$(BUILD)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD)/%.o)
PROVIDER_OBJ := $(PROVIDER_SRC:%.c=$(BUILD)/%.o)
LLHTTP_OBJ := $(LLHTTP_SRC:/usr/share/llhttp/%.c=$(BUILD)/llhttp/%.o)
# What tests link besides their own files.
AGENT_LIB := $(BUILD)/libagent.a

AGENT_LIBS := -lcurl -lssl -lcrypto -lyaml -ljansson -lpcre2-8 -ldb-5.3 -lzstd -lseccomp -lm
CLI_LIBS := -ljansson
PROVIDER_LIBS := -lssl -lcrypto -ljansson

ALL := $(BUILD)/libtollgate.so $(BUILD)/tollgate $(BUILD)/tollgated $(BUILD)/provider
.PHONY: all unit unit-programs clean bench-tools crash-programs fuzz-programs
all: $(ALL)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# llhttp is Debian's source, built strict; its warnings are not ours.
$(BUILD)/llhttp/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	$(CC) -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp -I/usr/share/llhttp -std=gnu11 $(OPT) -fPIE $(SANFLAGS) -w -c $< -o $@
$(BUILD)/agent/http/%.o: CPPFLAGS += -I/usr/share/include
$(BUILD)/tests/%.o: CPPFLAGS += -I/usr/share/include

$(AGENT_LIB): $(AGENT_OBJ) $(LLHTTP_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/tollgated: $(BUILD)/agent/main.o $(AGENT_LIB)
	$(CC) $(LDFLAGS) -o $@ $(BUILD)/agent/main.o $(AGENT_LIB) $(AGENT_LIBS)

# The dashboard's page: its files, gzipped, become part of the program (agent/cli/dashboard_assets.c).
DASHBOARD_GZ := $(patsubst %,$(BUILD)/%.gz,$(wildcard agent/cli/dashboard/*))
$(BUILD)/agent/cli/dashboard/%.gz: agent/cli/dashboard/%
	@mkdir -p $(@D)
	gzip -9nc $< >$@
$(BUILD)/agent/cli/dashboard_assets.o: $(DASHBOARD_GZ)
$(BUILD)/agent/cli/dashboard_assets.o: CFLAGS += -Wa,-I$(BUILD)/agent/cli/dashboard

$(BUILD)/tollgate: $(CLI_OBJ)
	$(CC) $(LDFLAGS) -o $@ $^ $(CLI_LIBS)

$(BUILD)/provider: $(PROVIDER_OBJ) $(LLHTTP_OBJ)
	$(CC) $(LDFLAGS) -o $@ $^ $(PROVIDER_LIBS)

# The shim: freestanding, no DT_NEEDED, never sanitized (it lives in other people's processes).
SHIM_CFLAGS := -std=c11 -O2 -g -fPIC -fvisibility=hidden -fno-stack-protector -U_FORTIFY_SOURCE -ffreestanding \
               -fno-builtin -fno-tree-loop-distribute-patterns -ftls-model=initial-exec \
               $(filter-out -Wmissing-prototypes,$(WARNINGS))
$(BUILD)/libtollgate.so: $(SHIM_SRC) $(wildcard shim/preload/*.h shim/*.h shim/preload/exports.map)
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -I. $(SHIM_CFLAGS) -shared -nostdlib -Wl,-Bsymbolic,--no-undefined-version,-z,relro,-z,now,-z,noexecstack,-z,noseparate-code,--hash-style=gnu \
	    -Wl,--version-script=shim/preload/exports.map -Wl,-soname,libtollgate.so -o $@ $(SHIM_SRC)

# Unit tests: one CUnit program per tests/unit/test_*.c; suites inside are found by name (tests/unit/suite.h).
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(AGENT_LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(AGENT_LIB) $(AGENT_LIBS) -lcunit
$(BUILD)/unit/test_swap: $(BUILD)/agent/cli/swap.o
unit-programs: $(UNIT_BIN)
unit: $(UNIT_BIN)
	@set -e; for test in $(UNIT_BIN); do echo "== $$test"; $$test; done

# Helper programs of the bench and the tests, one .c each.
TOOL_SRC := $(wildcard tests/bench/*.c tests/clients/*.c)
TOOL_BIN := $(TOOL_SRC:tests/%.c=$(BUILD)/tests/%)
$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(AGENT_LIB)
	$(CC) $(LDFLAGS) -o $@ $< $(AGENT_LIB) $(AGENT_LIBS)
$(BUILD)/tests/clients/%: $(BUILD)/tests/clients/%.o
	$(CC) $(LDFLAGS) -o $@ $< -ldl
bench-tools: $(TOOL_BIN)

# The crash tests (scripts/crash): three programs, and the preload library that plays the disk.
CRASH_BIN := $(patsubst %,$(BUILD)/crash/%,kill power sweep)
CRASH_OBJ := $(patsubst %,$(BUILD)/tests/crash/%.o,history child work inspect cut)
CRASH_SO_SRC := tests/crash/powercut.c tests/crash/disk.c tests/crash/allocate.c
$(BUILD)/crash/%: $(BUILD)/tests/crash/%.o $(CRASH_OBJ) $(AGENT_LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -Wl,--as-needed -o $@ $< $(CRASH_OBJ) $(AGENT_LIB) $(AGENT_LIBS)
$(BUILD)/crash/powercut.so: $(CRASH_SO_SRC) tests/crash/disk.h
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -I. -std=c11 -O2 -g $(filter-out -Wmissing-prototypes,$(WARNINGS)) -fPIC -fvisibility=hidden -shared -o $@ $(CRASH_SO_SRC)
crash-programs: $(CRASH_BIN) $(BUILD)/crash/powercut.so

# The fuzz targets, one .c each (tests/fuzz/README.md); built with SAN=fuzz. The driver is not part of what it watches.
# A target that needs more than the agent says so here.
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/fuzz_%.c=$(BUILD)/fuzz/%)
FUZZ_DRIVER := $(patsubst %,$(BUILD)/tests/fuzz/%.o,driver mutate coverage support)
FUZZ_SHIM := $(patsubst %,$(BUILD)/fuzz/shim/%.o,shim/preload/map shim/preload/elf shim/preload/bytes tests/fuzz/shim_side)
FUZZ_LAUNCH := $(patsubst %,$(BUILD)/shim/launch/%.o,map elf text)
$(FUZZ_DRIVER): SANFLAGS := -DTOLLGATE_SANITIZED=1
$(BUILD)/fuzz/shim/%.o: %.c tests/fuzz/shim_names.h
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -I. -include tests/fuzz/shim_names.h -std=c11 $(OPT) $(filter-out -Wmissing-prototypes,$(WARNINGS)) \
	    $(SANFLAGS) -fPIE -MMD -MP -c $< -o $@
$(BUILD)/fuzz/map $(BUILD)/fuzz/elf $(BUILD)/unit/test_badinput_sides: $(FUZZ_SHIM) $(FUZZ_LAUNCH)
$(BUILD)/fuzz/cli_http: $(BUILD)/agent/cli/http.o $(BUILD)/shim/launch/clock.o $(BUILD)/shim/launch/text.o
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/fuzz_%.o $(FUZZ_DRIVER) $(AGENT_LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $(filter-out $(AGENT_LIB),$^) $(AGENT_LIB) $(AGENT_LIBS)
fuzz-programs: $(FUZZ_BIN)

# make build/tollgate: people type the short spelling.
$(notdir $(BUILD))/%: $(BUILD)/% ;

clean:
	rm -rf $(BUILD)

include scripts/package/install.mk

.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
