"""The Python package `openai`: chat, streams, pictures, tools, responses, errors. Run by run.py."""
import asyncio
import os

import openai

url, key, picture = (os.environ[name] for name in ("QVL_URL", "QVL_KEY", "QVL_PICTURE"))
client = openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0)
hello = [{"role": "user", "content": "Hello"}]
tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
data_uri = "data:image/png;base64," + picture


def rejects(error, call):
    try:
        call()
    except error as found:
        return found
    raise AssertionError(f"expected {error.__name__}")


assert "demo" in [model.id for model in client.models.list()]
greeting = client.chat.completions.create(model="demo", messages=hello).choices[0].message.content
assert greeting.startswith("Hello!"), greeting

with client.chat.completions.stream(model="demo", messages=hello) as stream:
    assert "".join(event.delta for event in stream if event.type == "content.delta") == greeting

content = [{"type": "image_url", "image_url": {"url": data_uri}}, {"type": "text", "text": "How many objects can you see in the picture?"}]
answer = client.chat.completions.create(model="demo", messages=[{"role": "user", "content": content}], tools=[tool])
assert answer.choices[0].message.content, answer
answer = client.chat.completions.create(model="demo", messages=[{"role": "user", "content": content}])
assert answer.choices[0].message.content == "There are 3 objects.", answer

assert client.responses.create(model="demo", input="Hello").output_text == greeting
with client.responses.stream(model="demo", input="Hello") as stream:
    kinds = [event.type for event in stream]
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
    assert stream.get_final_response().output_text == greeting


async def at_once():
    own = openai.AsyncOpenAI(base_url=url + "/v1", api_key=key, max_retries=0)
    return await asyncio.gather(*(own.chat.completions.create(model="demo", messages=hello) for _ in range(8)))


assert {answer.choices[0].message.content for answer in asyncio.run(at_once())} == {greeting}

rejects(openai.AuthenticationError, lambda: openai.OpenAI(base_url=url + "/v1", api_key="wrong").models.list())
rejects(openai.NotFoundError, lambda: client.chat.completions.create(model="gpt-4o", messages=hello))
assert rejects(openai.BadRequestError, lambda: client.chat.completions.create(model="demo", messages=hello, temperature=9)).param == "temperature"
print("openai", openai.__version__, "passed")
