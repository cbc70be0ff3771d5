#!/usr/bin/env python3
"""platform.py NODES [key=value ...] FILE: a cluster for SimGrid.

A fat tree of two levels, leaf switches of 32 nodes (one switch up to 32 nodes), and what is
computed on a node goes through its memory.
"""
import sys

DEFAULTS = {
    "link": 25e9,         # bytes/s of a node's link, each way
    "latency": 0.5e-6,    # seconds of one cable and switch; a message passes 2 or 4
    "taper": 1,           # how many times fewer links leave a leaf switch than enter it
    "local": 100e9,       # bytes/s within a node
    "local_latency": 1e-6,
}
LEAF = 32


def fat_tree(hosts, taper):
    if hosts <= LEAF:
        return f"1;{hosts};1;1"
    leaves = (hosts + LEAF - 1) // LEAF
    return f"2;{LEAF},{leaves};1,{max(1, int(LEAF // taper))};1,1"


def platform(nodes, values):
    hosts = nodes if nodes <= LEAF else (nodes + LEAF - 1) // LEAF * LEAF
    return f"""<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="cluster" prefix="n" suffix="" radical="0-{hosts - 1}" speed="1Gf"
    bw="{values['link']:.0f}Bps" lat="{values['latency']:g}s" sharing_policy="SPLITDUPLEX"
    loopback_bw="{values['local']:.0f}Bps" loopback_lat="{values['local_latency']:g}s"
    topology="FAT_TREE" topo_parameters="{fat_tree(hosts, values['taper'])}"/>
</platform>
"""


def main():
    values = dict(DEFAULTS)
    for word in sys.argv[2:-1]:
        key, _, value = word.partition("=")
        if key not in values:
            sys.exit(f"platform.py: {key} is unknown; allowed: {', '.join(values)}")
        values[key] = float(value)
    with open(sys.argv[-1], "w", encoding="utf-8") as file:
        file.write(platform(int(sys.argv[1]), values))


if __name__ == "__main__":
    main()
