"""Whoever answers the questions of an evaluation set: a server that speaks the OpenAI chat API, or transformers.

A `shown` is what stands before the first question: None, a list of pictures' paths, or with `fps` a list of a video's frames.
"""
import base64
import json
import os
import re
import urllib.error
import urllib.request

MAX_TOKENS = 160
CLOSE = re.compile(r"\s*</think>\s*")
MIME = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}


class Unusable(Exception):
    """The evaluation set or the server cannot be used; the message says why."""


def rejoin(message):
    """One text from a server's message, in the form of reference.jsonl."""
    reasoning, content = message.get("reasoning_content"), message.get("content") or ""
    if reasoning is None:
        return content
    return f"{reasoning}\n</think>\n\n{content}" if content else reasoning


def normal(text):
    """The form that both sides can give: `</think>` with its usual blank lines, nothing after the end."""
    return CLOSE.sub("\n</think>\n\n", text, count=1).strip() if "</think>" in text else text.strip()


def data_uri(path):
    with open(path, "rb") as f:
        return f"data:{MIME[os.path.splitext(path)[1].lower()]};base64," + base64.b64encode(f.read()).decode()


class Server:
    """Answers of a server that speaks the OpenAI chat API."""

    def __init__(self, url, model, thinking_model, api_key, max_tokens=MAX_TOKENS):
        self.url = url.rstrip("/") + "/chat/completions"
        self.model, self.thinking_model, self.max_tokens = model, thinking_model, max_tokens
        self.headers = {"Content-Type": "application/json"}
        if api_key:
            self.headers["Authorization"] = "Bearer " + api_key

    def converse(self, row, shown, fps=None):
        """The answers to all turns of one conversation."""
        history, answers = [], []
        for turn, question in enumerate(row["questions"]):
            content = question
            if turn == 0 and shown:
                content = self._parts([data_uri(path) for path in shown], fps) + [{"type": "text", "text": question}]
            history.append({"role": "user", "content": content})
            message = self._complete(history, row["thinking"])
            answers.append(rejoin(message))
            # Earlier reasoning never goes back into a prompt: the Thinking template drops it.
            history.append({"role": "assistant", "content": message.get("content") or ""})
        return answers

    def _parts(self, uris, fps):
        if fps:
            return [{"type": "video", "video": uris, "fps": fps}]
        return [{"type": "image_url", "image_url": {"url": uri}} for uri in uris]

    def _complete(self, messages, thinking):
        body = {
            "model": self.thinking_model if thinking else self.model,
            "messages": messages,
            "temperature": 0,
            "max_tokens": self.max_tokens,
        }
        request = urllib.request.Request(self.url, json.dumps(body).encode(), self.headers)
        try:
            with urllib.request.urlopen(request, timeout=600) as reply:
                return json.load(reply)["choices"][0]["message"]
        except urllib.error.HTTPError as e:
            raise Unusable(f"{self.url}: {e.code}: {e.read(2000).decode(errors='replace')}") from e
        except (OSError, ValueError, KeyError, IndexError) as e:
            raise Unusable(f"{self.url}: {e!r}") from e


class Transformers:
    """Answers of a checkpoint in transformers: float32 and eager attention, the reference's arithmetic."""

    def __init__(self, folder, max_tokens=MAX_TOKENS):
        import torch
        from PIL import Image
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self.torch, self.image, self.max_tokens = torch, Image, max_tokens
        self.processor = AutoProcessor.from_pretrained(folder)
        self.model = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        ).eval()

    def converse(self, row, shown, fps=None):
        history, answers = [], []
        for turn, question in enumerate(row["questions"]):
            content = [{"type": "text", "text": question}]
            if turn == 0 and shown:
                content = self._parts([self.image.open(path).convert("RGB") for path in shown], fps) + content
            history.append({"role": "user", "content": content})
            frames = dict(do_sample_frames=False, video_metadata=[self._metadata(len(shown), fps)]) if fps else {}
            inputs = self.processor.apply_chat_template(
                history,
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                enable_thinking=row["thinking"],
                processor_kwargs=frames,
            )
            with self.torch.no_grad():
                out = self.model.generate(**inputs, max_new_tokens=self.max_tokens, do_sample=False)
            text = self.processor.tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
            answers.append(text)
            spoken = CLOSE.split(text, 1)[-1] if row["thinking"] else text
            history.append({"role": "assistant", "content": [{"type": "text", "text": spoken}]})
        return answers

    def _parts(self, images, fps):
        return [{"type": "video", "video": images}] if fps else [{"type": "image", "image": x} for x in images]

    def _metadata(self, frames, fps):
        return {"fps": fps, "total_num_frames": frames, "frames_indices": list(range(frames)), "duration": frames / fps}
