#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
for mode; do
    [ -z "$asked" ] || cat "$COMPAT_PAUSE"
    asked=1
    curl -sS --fail -N --max-time 60 "$COMPAT_URL" -H "authorization: Bearer $OPENAI_API_KEY" \
        -H 'content-type: application/json' -d "@$COMPAT_BODIES/$mode.json" || exit 1
done
