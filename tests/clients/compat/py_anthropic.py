# SPDX-License-Identifier: Apache-2.0
import sys
from anthropic import Anthropic
ask = {"model": "claude-haiku", "max_tokens": 100, "messages": [{"role": "user", "content": "hello from the anthropic SDK"}]}
if sys.argv[1] == "stream":
    with Anthropic().messages.stream(**ask) as stream:
        text = "".join(stream.text_stream)
else:
    text = Anthropic().messages.create(**ask).content[0].text
print("ANSWER", text.replace("\n", " "))
