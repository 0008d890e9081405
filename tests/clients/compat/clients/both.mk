# SPDX-License-Identifier: Apache-2.0
# make -j: dynamic and Go programs at once, two of each.
HERE := $(dir $(lastword $(MAKEFILE_LIST)))
json: dynamic-1 static-1 dynamic-2 static-2
dynamic-%: ; sh $(HERE)curl.sh json
static-%: ; $(GO) json
.PHONY: json
