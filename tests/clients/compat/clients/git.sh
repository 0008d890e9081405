#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# git speaks no AI dialect: that the provider answers it 404, through us, shows that it trusts us.
for mode; do
    [ -z "$asked" ] || cat "$COMPAT_PAUSE"
    asked=1
    git -c http.extraHeader="authorization: Bearer $OPENAI_API_KEY" ls-remote "${COMPAT_URL%/v1/*}/nothing.git" 2>&1 |
        grep -i 'not found' || exit 1
    echo "ANSWER not found"
done
