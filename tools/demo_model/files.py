"""Files written aside and renamed, so that whoever reads one finds the old or the new, never a half."""
import json
import os


def replace(path, data):
    with open(path + ".new", "wb") as f:
        f.write(data)
    os.replace(path + ".new", path)


def write_json(path, data):
    replace(path, json.dumps(data, ensure_ascii=False).encode())
