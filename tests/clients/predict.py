"""The line that scripts for Gradio 3 have: requests.post(".../api/predict", json={"data": [...]}).
Usage: predict.py URL PICTURE QUESTION. Prints the answers: without a picture, with a data URI, with base64, uploaded."""
import base64
import json
import sys
import urllib.request

url, picture, question = sys.argv[1:]
try:
    import requests

    def post(address, data):
        return requests.post(address, json={"data": data}).json()["data"][0]
except ImportError:  # the same bytes, without the package

    def post(address, data):
        body = json.dumps({"data": data}).encode()
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request))["data"][0]


def upload(path):
    body = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n' + open(path, "rb").read() + b"\r\n--b--\r\n"
    request = urllib.request.Request(url + "/upload", body, {"Content-Type": "multipart/form-data; boundary=b"})
    return json.load(urllib.request.urlopen(request))[0]


text = base64.b64encode(open(picture, "rb").read()).decode()
address = url + "/api/predict"
print(json.dumps([
    post(address, ["Hello", None, "instruct"]),
    post(address, [question, "data:image/png;base64," + text, "instruct"]),
    post(address, [question, text]),
    post(address, [question, {"path": upload(picture)}, "instruct"]),
]))
