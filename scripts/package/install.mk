# SPDX-License-Identifier: Apache-2.0
# make install, make uninstall; included by the Makefile.
#   PREFIX   /usr/local; the programs find their files relative to their own place, so that the tree may be moved
#   DESTDIR  put before every path, for packages
#   libdir   PREFIX/lib (default), PREFIX/lib64 or PREFIX/lib/MULTIARCH: where shim/launch/locate.c looks
PREFIX ?= /usr/local
DESTDIR ?=
bindir := $(PREFIX)/bin
sbindir := $(PREFIX)/sbin
libdir ?= $(PREFIX)/lib
datadir := $(PREFIX)/share
mandir := $(datadir)/man
docdir := $(datadir)/doc/tollgate
# Debian's zsh looks into vendor-completions instead.
zshdir ?= $(datadir)/zsh/site-functions
# A prefix of its own keeps its configuration to itself; /usr and /usr/local share the machine's.
sysconfdir ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc,$(PREFIX)/etc)

# Units, sed and lists of make name these places: a blank, a quote or a % would mean something there.
INSTALL_PLACES := $(PREFIX) $(bindir) $(sbindir) $(libdir) $(zshdir) $(sysconfdir)
INSTALL_ODD := $(filter-out /%,$(INSTALL_PLACES))$(filter-out 1,$(words $(PREFIX)))
INSTALL_ODD += $(shell printf %s '$(subst ','\'',$(INSTALL_PLACES))' | LC_ALL=C tr -d 'A-Za-z0-9/._+:@,=~ \200-\377-')
ifneq ($(and $(strip $(INSTALL_ODD)$(filter-out 6,$(words $(INSTALL_PLACES)))),$(filter install uninstall package-files,$(MAKECMDGOALS))),)
$(error PREFIX and the other places are absolute paths of letters, digits and /._+:@,=~-; a tree may be moved afterwards)
endif

# systemd looks for its files in /usr/lib and /usr/local/lib, whatever libdir is.
unitdir := $(PREFIX)/lib/systemd
PACKAGE_UNITS := system/tollgated@.service system/tollgated@.socket user/tollgated.service
PACKAGE_POLICIES := providers.yaml prices.yaml policy-config.dev.yaml policy-config.prod.yaml policy.schema.json
PACKAGE_PAGES := tollgate.1 tollgate-policy.5 tollgated.8
PACKAGE_COMPLETIONS := bash:$(datadir)/bash-completion/completions/tollgate zsh:$(zshdir)/_tollgate \
                       fish:$(datadir)/fish/vendor_completions.d/tollgate.fish
SCDOC := $(shell command -v scdoc)

# What is generated for an installation: units that name its places, completions, pages.
PACKAGE ?= $(BUILD)/package
$(PACKAGE)/%: scripts/package/%.in FORCE
	@mkdir -p $(@D)
	sed -e 's|@bindir@|$(bindir)|g' -e 's|@sbindir@|$(sbindir)|g' -e 's|@sysconfdir@|$(sysconfdir)|g' $< >$@
$(PACKAGE)/completion.%: $(BUILD)/tollgate
	@mkdir -p $(@D)
	$(BUILD)/tollgate completion $* >$@
$(PACKAGE)/%: scripts/package/man/%.scd
	@mkdir -p $(@D)
	$(SCDOC) <$< >$@

INSTALLED_PROGRAMS := $(BUILD)/libtollgate.so $(BUILD)/tollgate $(BUILD)/tollgated
.PHONY: install uninstall package-files deb FORCE
package-files: $(PACKAGE_UNITS:%=$(PACKAGE)/systemd/%) $(PACKAGE)/systemd/sysusers.conf $(PACKAGE)/systemd/tmpfiles.conf \
               $(foreach shell,bash zsh fish,$(PACKAGE)/completion.$(shell)) $(if $(SCDOC),$(PACKAGE_PAGES:%=$(PACKAGE)/%))
	$(if $(SCDOC),,@echo 'SKIP: scdoc is not installed: no man pages')

MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
LIBDIRS := $(PREFIX)/lib $(PREFIX)/lib64 $(if $(MULTIARCH),$(PREFIX)/lib/$(MULTIARCH))
$(BUILD)/shim/launch/locate.o: CPPFLAGS += -DLAUNCH_MULTIARCH='"$(MULTIARCH)"'

INSTALL := install
# By rename: programs start, and load the library, while an installation is under way.
put = { { $(INSTALL) -D -m $(1) $(2) '$(DESTDIR)$(3).new' && mv -fT '$(DESTDIR)$(3).new' '$(DESTDIR)$(3)'; } || \
        { rm -f '$(DESTDIR)$(3).new'; false; }; }
define NEWLINE


endef
install: $(INSTALLED_PROGRAMS) package-files
	$(if $(filter $(libdir),$(LIBDIRS)),,$(error libdir is one of $(LIBDIRS)))
	$(call put,755,$(BUILD)/tollgate,$(bindir)/tollgate)
	$(call put,755,$(BUILD)/tollgated,$(sbindir)/tollgated)
	$(call put,644,$(BUILD)/libtollgate.so,$(libdir)/tollgate/libtollgate.so)
	$(foreach file,$(PACKAGE_POLICIES),$(call put,644,policies/$(file),$(datadir)/tollgate/policies/$(file))$(NEWLINE))
	test -e '$(DESTDIR)$(sysconfdir)/tollgate/policy-config.prod.yaml' || \
	    $(call put,644,policies/policy-config.prod.yaml,$(sysconfdir)/tollgate/policy-config.prod.yaml)
	$(foreach unit,$(PACKAGE_UNITS),$(call put,644,$(PACKAGE)/systemd/$(unit),$(unitdir)/$(unit))$(NEWLINE))
	$(call put,644,$(PACKAGE)/systemd/sysusers.conf,$(PREFIX)/lib/sysusers.d/tollgate.conf)
	$(call put,644,$(PACKAGE)/systemd/tmpfiles.conf,$(PREFIX)/lib/tmpfiles.d/tollgate.conf)
	$(foreach row,$(PACKAGE_COMPLETIONS),$(call put,644,$(PACKAGE)/completion.$(word 1,$(subst :, ,$(row))),$(word 2,$(subst :, ,$(row))))$(NEWLINE))
	$(if $(SCDOC),$(foreach page,$(PACKAGE_PAGES),$(call put,644,$(PACKAGE)/$(page),$(mandir)/man$(subst .,,$(suffix $(page)))/$(page))$(NEWLINE)))
	$(foreach file,README.md LICENSE policies/REFERENCE.md,$(call put,644,$(file),$(docdir)/$(notdir $(file)))$(NEWLINE))
	$(foreach file,$(wildcard policies/examples/*),$(call put,644,$(file),$(docdir)/examples/$(notdir $(file)))$(NEWLINE))

# The machine's configuration and what agents have written stay; services that start by the program that goes are named.
uninstall:
	@grep -ls '^# Written by tollgate systemd enable' '$(DESTDIR)'/etc/systemd/system/*.service.d/tollgate.conf | \
	    sed 's|^|its service cannot start without tollgate: rm |' || true
	cd '$(DESTDIR)/' && rm -f '.$(bindir)/tollgate' '.$(sbindir)/tollgated' $(PACKAGE_UNITS:%='.$(unitdir)/%') \
	    '.$(PREFIX)/lib/sysusers.d/tollgate.conf' '.$(PREFIX)/lib/tmpfiles.d/tollgate.conf' \
	    $(foreach row,$(PACKAGE_COMPLETIONS),'.$(word 2,$(subst :, ,$(row)))') \
	    $(foreach page,$(PACKAGE_PAGES),'.$(mandir)/man$(subst .,,$(suffix $(page)))/$(page)')
	rm -rf '$(DESTDIR)$(libdir)/tollgate' '$(DESTDIR)$(datadir)/tollgate' '$(DESTDIR)$(docdir)'

# DEB=FILE: somewhere else than BUILD/tollgate_VERSION_ARCH.deb
deb: $(INSTALLED_PROGRAMS)
	+DEB='$(DEB)' scripts/package/deb '$(VERSION)' '$(BUILD)' '$(CURDIR)'
