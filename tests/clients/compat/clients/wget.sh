#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
for mode; do
    [ -z "$asked" ] || cat "$COMPAT_PAUSE"
    asked=1
    wget -nv -t 1 -T 60 ${COMPAT_IPV6:+-6} -O- --header="authorization: Bearer $OPENAI_API_KEY" --header='content-type: application/json' \
        --post-file="$COMPAT_BODIES/$mode.json" "$COMPAT_URL" || exit 1
done
