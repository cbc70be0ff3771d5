#!/usr/bin/env python3
"""check_headers.py BUILD_FOLDER: each header compiles alone, so that it includes what it needs.

A header is compiled with the flags of a C file of its folder (or of the folders above), taken from
the build folder's compile_commands.json.
"""
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDERS = ["src", "tiles", "jobs", "tests", "tools"]


def flags_by_folder(build):
    """Folder of the sources -> the command without input and output."""
    flags = {}
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        for entry in json.load(file):
            if not entry["file"].endswith(".c") or re.search(r"emulated\.dir|/fuzz_\w+\.dir", entry["command"]):
                continue
            words = shlex.split(entry["command"])
            kept, skip = [], False
            for word in words:
                if skip or word in ("-c", "-MD", entry["file"]):
                    skip = False
                elif word in ("-o", "-MT", "-MF"):
                    skip = True
                else:
                    kept.append(word)
            flags.setdefault(os.path.dirname(entry["file"]), kept)
    return flags


def headers(flags):
    built = [os.path.join(ROOT, "cuda")] if os.path.join(ROOT, "cuda") in flags else []
    for folder in FOLDERS + built:  # cuda is there in builds with CUDA only
        for path, _, files in os.walk(os.path.join(ROOT, folder)):
            for name in sorted(files):
                if name.endswith(".h"):
                    yield os.path.join(path, name)


def command_for(header, flags):
    folder = os.path.dirname(header)
    while folder not in flags and folder != ROOT:
        inside = [f for f in flags if f.startswith(folder + "/")]
        if inside:
            return flags[inside[0]]
        folder = os.path.dirname(folder)
    return flags.get(folder)


def compile_alone(header, flags):
    command = command_for(header, flags)
    if command is None:
        return f"{header}: no C file near it is built"
    extra = ["-I" + os.path.join(ROOT, "src"), "-I" + ROOT, "-I" + os.path.join(ROOT, "tests")]
    result = subprocess.run(command + extra + ["-fsyntax-only", "-x", "c", header],
                            capture_output=True, text=True, check=False)
    return result.stderr if result.returncode else None


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    flags = flags_by_folder(sys.argv[1])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda header: compile_alone(header, flags), headers(flags)))
    errors = [result for result in results if result]
    for error in errors:
        print(error)
    if not results:
        sys.exit("no headers were found")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
