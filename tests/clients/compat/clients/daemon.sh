#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The grandchild has a session of its own and calls after its parents have ended.
setsid sh -c 'sleep 0.5; exec "$@"' sh "$@" &
echo started
