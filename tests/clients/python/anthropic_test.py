"""The Python package `anthropic`: messages, streams, pictures, thinking, token counts, errors. Run by run.py."""
import os

import anthropic

url, key, picture = (os.environ[name] for name in ("QVL_URL", "QVL_KEY", "QVL_PICTURE"))
client = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)
ask = {"model": "demo", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": picture}}
text = {"type": "text", "text": "How many objects can you see in the picture?"}


def rejects(error, call):
    try:
        call()
    except error as found:
        return found
    raise AssertionError(f"expected {error.__name__}")


message = client.messages.create(**ask)
greeting = message.content[0].text
assert greeting.startswith("Hello!") and message.stop_reason == "end_turn", message

with client.messages.stream(**ask) as stream:
    assert "".join(stream.text_stream) == greeting
    assert stream.get_final_message().usage.output_tokens == message.usage.output_tokens

seen = client.messages.create(**{**ask, "messages": [{"role": "user", "content": [image, text]}]})
assert seen.content[0].text == "There are 3 objects.", seen

thinking = {"model": "demo-thinking", "max_tokens": 400, "thinking": {"type": "enabled", "budget_tokens": 200}}
with client.messages.stream(**thinking, messages=[{"role": "user", "content": "What is 2 + 2?"}]) as stream:
    assert [block.type for block in stream.get_final_message().content] == ["thinking", "text"]

count = client.messages.count_tokens(model="demo", messages=ask["messages"]).input_tokens
assert count == message.usage.input_tokens, count

stopped = client.messages.create(**ask, stop_sequences=["demo"])
assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "demo"), stopped

error = rejects(anthropic.AuthenticationError, lambda: anthropic.Anthropic(base_url=url, api_key="wrong").messages.create(**ask))
assert error.body["error"]["type"] == "authentication_error", error.body
rejects(anthropic.NotFoundError, lambda: client.messages.create(**{**ask, "model": "claude-opus-4-1"}))
rejects(anthropic.BadRequestError, lambda: client.messages.create(**{**ask, "max_tokens": 0}))
print("anthropic", anthropic.__version__, "passed")
