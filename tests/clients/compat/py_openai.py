# SPDX-License-Identifier: Apache-2.0
import sys
from openai import OpenAI
stream = sys.argv[1] == "stream"
answer = OpenAI().chat.completions.create(model="gpt-5.4-mini-mini", stream=stream,
                                          messages=[{"role": "user", "content": "hello from the openai SDK"}])
text = "".join(c.choices[0].delta.content or "" for c in answer) if stream else answer.choices[0].message.content
print("ANSWER", text.replace("\n", " "))
