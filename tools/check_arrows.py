#!/usr/bin/env python3
"""Which folder may include which, and which folder alone may include a library's headers.

Run from anywhere; looks at the folders beside this one. Prints one line per wrong #include and
exits 1 if there are any.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# folder: what it may include besides itself
ARROWS = {
    "src/base": [],
    "src/nn": ["base"],
    "src/model": ["nn", "base"],
    "src/cpu": ["nn", "base"],
    "cuda": ["nn", "base"],
    "src/comm": ["base"],
    "src/data": ["base"],
    "src/train": ["nn", "data", "comm", "tiles", "base"],
    "tiles": ["data", "comm", "base"],
    "jobs": ["train", "tiles", "model", "nn", "data", "comm", "base"],
}

# What may be included across an arrow that is narrower than a whole folder.
DOORS = {"jobs": ["cpu/cpu.h", "cuda/cuda.h"]}

# library: (its headers, the only folder that may include them)
LIBRARIES = {
    "MPI": (r"mpi\.h|mpi-ext\.h", ["src/comm", "tools/scaling"]),
    "NCCL": (r"nccl\.h", ["src/comm"]),
    "GDAL": (r"(gdal|ogr|cpl|vrt)\w*\.h", ["src/data"]),
    "HDF5": (r"hdf5\w*\.h|H5\w*\.h", ["src/data"]),
    "json-c": (r"json-c/.*", ["src/data"]),
    "zlib": (r"zlib\.h", ["src/data"]),
    "zstd": (r"zstd\.h", ["src/data"]),
    "oneDNN": (r"(oneapi/dnnl/)?dnnl\w*\.h", ["src/cpu"]),
    "libyaml": (r"c?yaml\.h|cyaml/.*", ["src/base"]),
    "CUDA": (r"(cuda|cudnn|cublas|curand)\w*\.h", ["cuda"]),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def sources(folder):
    for path, folders, files in os.walk(os.path.join(ROOT, folder)):
        folders.sort()
        for name in sorted(files):
            if name.endswith((".c", ".h", ".cu", ".cuh", ".def")):
                yield os.path.relpath(os.path.join(path, name), ROOT)


def includes(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            found = INCLUDE.match(line)
            if found:
                yield number, found.group(1), found.group(2)


def library_error(path, header):
    """The unit tests of a folder may use what the folder may."""
    for library, (pattern, homes) in LIBRARIES.items():
        allowed = homes + ["tests/unit/" + os.path.basename(home) for home in homes]
        if re.fullmatch(pattern, header) and not path.startswith(tuple(a + "/" for a in allowed)):
            return f"{library}'s headers belong into {homes[0]} only"
    return None


def arrow_error(folder, header):
    own = os.path.basename(folder)
    target = header.split("/")[0]
    if "/" not in header:
        return None if folder in ("tests", "tools") else f'name it with its folder: "{own}/{header}"'
    if folder not in ARROWS or target == own or header in DOORS.get(folder, []):
        return None
    known = [os.path.basename(name) for name in ARROWS]
    if target not in known:
        return f"there is no folder {target}"
    if target not in ARROWS[folder]:
        return f"{own} must not include {target}; it may include {', '.join(ARROWS[folder]) or 'nothing'}"
    return None


def check(folder):
    errors = 0
    for path in sources(folder):
        for number, bracket, header in includes(path):
            error = library_error(path, header) if bracket == "<" else arrow_error(folder, header)
            if error:
                print(f"{path}:{number}: {header}: {error}")
                errors += 1
    return errors


def main():
    folders = list(ARROWS) + ["tests", "tools"]
    errors = sum(check(f) for f in folders if os.path.isdir(os.path.join(ROOT, f)))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
