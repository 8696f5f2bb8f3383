#!/usr/bin/env python3
"""Reads deploy/kubernetes as YAML and holds it together: known kinds with the fields they need, selectors that find pods, ports,
volumes, claims and secret keys that exist, flags that qwen3vl has. Usage: tests/deploy/check.py [--binary build/release/qwen3vl]"""
import argparse
import pathlib
import re
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSIONS = {"Namespace": "v1", "Secret": "v1", "Service": "v1", "PersistentVolumeClaim": "v1", "Deployment": "apps/v1",
            "StatefulSet": "apps/v1", "NetworkPolicy": "networking.k8s.io/v1", "RayCluster": "ray.io/v1",
            "Kustomization": "kustomize.config.k8s.io/v1beta1"}
CONTAINER = {"name", "image", "command", "args", "env", "ports", "startupProbe", "readinessProbe", "livenessProbe", "resources",
             "volumeMounts", "securityContext"}
POD = {"containers", "volumes", "enableServiceLinks", "automountServiceAccountToken", "terminationGracePeriodSeconds",
       "securityContext"}
PROBE = {"httpGet", "periodSeconds", "timeoutSeconds", "failureThreshold", "initialDelaySeconds"}
failures = []


def check(condition, message):
    if not condition:
        failures.append(message)


class Unique(yaml.SafeLoader):
    """A key that stands twice is a mistake that YAML hides."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(k, deep=True) for k, _ in node.value]
        check(len(keys) == len(set(keys)), f"{node.start_mark}: a key stands twice in {keys}")
        return super().construct_mapping(node, deep)


def load(path):
    with open(path, encoding="utf-8") as f:
        return [d for d in yaml.load_all(f, Unique) if d]


def templates(doc):
    """(name, pod template) of whatever makes pods."""
    spec = doc.get("spec", {})
    if doc["kind"] in ("Deployment", "StatefulSet"):
        yield doc["metadata"]["name"], spec["template"]
    if doc["kind"] == "RayCluster":
        yield "head", spec["headGroupSpec"]["template"]
        for group in spec["workerGroupSpecs"]:
            check(group["minReplicas"] <= group["replicas"] <= group["maxReplicas"], "RayCluster: replicas out of range")
            yield group["groupName"], group["template"]


def check_container(where, c, volumes, secrets):
    check(set(c) <= CONTAINER, f"{where}: unknown fields {set(c) - CONTAINER}")
    check(":" in c["image"], f"{where}: an image without a tag")
    ports = {p["name"]: p["containerPort"] for p in c.get("ports", [])}
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = c.get(kind)
        if probe:
            check(set(probe) <= PROBE, f"{where}.{kind}: unknown fields {set(probe) - PROBE}")
            check(probe["httpGet"]["port"] in ports, f"{where}.{kind}: port {probe['httpGet']['port']} is not named")
    for mount in c.get("volumeMounts", []):
        check(mount["name"] in volumes, f"{where}: no volume {mount['name']}")
    for env in c.get("env", []):
        ref = env.get("valueFrom", {}).get("secretKeyRef")
        check(not ref or ref["key"] in secrets.get(ref["name"], ()), f"{where}: {env['name']} asks for a key that no secret has")
        check(("value" in env) != ("valueFrom" in env), f"{where}: {env['name']} has no value or two")
        check(isinstance(env.get("value", ""), str), f"{where}: {env['name']} must be a string")
    check(all(isinstance(a, str) for a in c.get("args", []) + c.get("command", [])), f"{where}: args must be strings")
    shell = c["args"][0] if c.get("command", [""])[0] == "/bin/bash" else None
    if shell:
        done = subprocess.run(["bash", "-n"], input=shell, text=True, capture_output=True)
        check(done.returncode == 0, f"{where}: {done.stderr}")
        python = re.search(r"python3 -c '([^']+)'", shell)
        if python:
            compile(python[1], where, "exec")
        named = set(re.findall(r'"\$([A-Z]+)"', shell)) | set(re.findall(r'environ\["([A-Z_]+)"\]', shell))
        missing = named - {e["name"] for e in c.get("env", [])}
        check(not missing, f"{where}: uses {missing}, which env does not set")
    limits = c["resources"].get("limits", {})
    gpus = limits.get("nvidia.com/gpu", 0)
    return ports, gpus, shell


def check_workload(path, docs, secrets, claims):
    pods, gpus, shell = [], 0, None
    for doc in docs:
        replicas = doc.get("spec", {}).get("replicas", 1)
        for name, template in templates(doc):
            spec, where = template["spec"], f"{path.name}: {name}"
            check(set(spec) <= POD, f"{where}: unknown fields {set(spec) - POD}")
            volumes = {v["name"] for v in spec.get("volumes", [])}
            for v in spec.get("volumes", []):
                claim = v.get("persistentVolumeClaim", {}).get("claimName")
                check(not claim or claim in claims, f"{where}: no claim {claim}")
                secret = v.get("secret")
                check(not secret or all(i["key"] in secrets.get(secret["secretName"], ()) for i in secret["items"]), f"{where}: secret")
            ports = {}
            for c in spec["containers"]:
                p, g, s = check_container(where, c, volumes, secrets)
                ports.update(p)
                gpus += g * replicas
                shell = shell or (s if s and "vllm serve" in s else None)
            labels = template["metadata"]["labels"]
            selector = doc["spec"].get("selector", {}).get("matchLabels", labels)
            check(selector.items() <= labels.items(), f"{where}: the selector does not find its own pods")
            pods.append((labels, ports))
    if shell:
        size = 1
        for flag in ("tensor", "pipeline"):
            size *= int(re.search(rf"--{flag}-parallel-size (\d+)", shell)[1])
        wanted = [e["value"] for d in docs for _, t in templates(d) for c in t["spec"]["containers"] for e in c.get("env", []) if e["name"] == "GPUS"]
        check(gpus == size == int(wanted[0]), f"{path.name}: {gpus} GPUs, parallel size {size}, waits for {wanted}")
    return pods


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--binary", default=str(ROOT / "build/release/qwen3vl"))
    binary = args.parse_args().binary
    folder = ROOT / "deploy/kubernetes"
    files = {p: load(p) for p in sorted(folder.glob("*.yaml"))}
    everything = [d for docs in files.values() for d in docs]
    for path, docs in files.items():
        for doc in docs:
            check(VERSIONS.get(doc["kind"]) == doc["apiVersion"], f"{path.name}: {doc['kind']} {doc['apiVersion']}")
            if doc["kind"] not in ("Namespace", "Kustomization"):
                check(doc["metadata"].get("namespace") == "qwen3vl", f"{path.name}: {doc['kind']} without the namespace")
            if doc["kind"] == "Kustomization":
                check(all((folder / r).is_file() for r in doc["resources"]), "kustomization: a file that is not there")
    secrets = {d["metadata"]["name"]: set(d["stringData"]) for d in everything if d["kind"] == "Secret"}
    for d in everything:
        if d["kind"] == "Secret":
            check(all(len(v) >= 16 for v in d["stringData"].values()), "a key of less than 16 characters")
    claims = {d["metadata"]["name"] for d in everything if d["kind"] == "PersistentVolumeClaim"}
    pods = [pod for path, docs in files.items() for pod in check_workload(path, docs, secrets, claims)]
    services = {}
    for d in everything:
        if d["kind"] != "Service":
            continue
        services[d["metadata"]["name"]] = {p["port"] for p in d["spec"]["ports"]}
        found = [ports for labels, ports in pods if d["spec"]["selector"].items() <= labels.items()]
        check(found, f"service {d['metadata']['name']}: finds no pod")
        for p in d["spec"]["ports"]:
            target = p.get("targetPort", p["port"])
            for ports in found:
                check(target in ports or target in ports.values(), f"service {d['metadata']['name']}: no port {target}")
    known = subprocess.run([binary, "serve", "--help"], capture_output=True, text=True).stdout
    web = next(d for d in everything if d["kind"] == "Deployment")["spec"]["template"]["spec"]["containers"][0]
    for arg in web["args"][1:]:
        check(re.search(rf"{re.escape(arg.split('=')[0])}\b", known), f"qwen3vl has no flag {arg}")
        upstream = re.fullmatch(r"--upstream=http://([a-z-]+):(\d+)", arg)
        check(not upstream or int(upstream[2]) in services.get(upstream[1], ()), f"no service for {arg}")
    for name, ports in services.items():
        check(name not in ("vllm", "ray"), f"a service named {name} sets {name.upper()}_PORT in every pod")
    for message in failures:
        print("FAIL", message)
    print(f"{len(everything)} objects of {len(files)} files, {len(failures)} mistakes")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
