# SPDX-License-Identifier: Apache-2.0
"""The Python SDKs surface a refusal as their typed exception, with the rule in its message, and do not retry it."""
import time
import anthropic, openai

# What the seed policy's wallet cannot pay, and the clamp must not shorten: a prediction bounds the output from below, and
# so do thinking tokens.
start = time.monotonic()
try:
    openai.OpenAI().chat.completions.create(model="gpt-5.4-mini-mini", n=128, max_tokens=100000,
                                            prediction={"type": "content", "content": "refuse me"},
                                            messages=[{"role": "user", "content": "refuse me"}])
    raise SystemExit("not refused")
except openai.RateLimitError as error:
    assert error.code == "project_spend_limit_exceeded" and "team_product_dev" in str(error), error
    assert error.response.headers["x-should-retry"] == "false"
    assert error.response.request.headers["x-stainless-retry-count"] == "0", "it was retried"
try:
    anthropic.Anthropic(max_retries=2, timeout=60).messages.create(
        model="claude-haiku", max_tokens=10_000_000, thinking={"type": "enabled", "budget_tokens": 9_000_000}, messages=[{"role": "user", "content": "refuse me"}])
    raise SystemExit("not refused")
except anthropic.APIStatusError as error:
    assert error.status_code == 402 and error.body["error"]["type"] == "billing_error", error
    assert error.response.request.headers["x-stainless-retry-count"] == "0", "it was retried"
print("ANSWER refused in", round(time.monotonic() - start, 1), "s")
