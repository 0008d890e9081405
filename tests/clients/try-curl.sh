#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A program that calls OpenAI with curl, as its documentation shows. It knows nothing of Tollgate.
curl -sS https://api.openai.com/v1/chat/completions -H "Authorization: Bearer $OPENAI_API_KEY" \
    -H "Content-Type: application/json" \
    -d "{\"model\": \"$openai_model\", \"messages\": [{\"role\": \"user\", \"content\": \"Say hello in one short sentence.\"}]}" |
    python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["choices"][0]["message"]["content"] if "choices" in d else d)'
