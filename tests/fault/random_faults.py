#!/usr/bin/env python3
"""random_faults.py SEGTILES [options]: faults at random moments of jobs on 4 ranks, and what comes of them.

Every try begins a job in a folder of its own, inflicts one fault at a moment that is drawn as a share of the
undisturbed run's time, and sees: the job ends, or goes on and finishes, within --limit seconds; its status; one line
that names a file where it failed; no half-written file under a final name; no process left. Then the same command is
given again, predictions and tile stores on another number of ranks: it goes on from what was finished, and every file is the
undisturbed run's. A fault that finds its job over is inflicted once more, earlier.

Kinds and subjects take turns; everything else of try I is drawn from (seed, I), so that --seed S --first I --tries 1
repeats it, but for the clock's whims.
"""
import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

from fault_jobs import Job
from fault_kinds import FAILED, KILLED, KINDS, STOPPED, UNHURT
from fault_subjects import RANKS, SUBJECTS, make_inputs

DISK = "size=64m"
TAKEN = {0: UNHURT, 1: FAILED, 2: FAILED, 75: STOPPED}  # status of a job, else killed; 2: a job that names no file


class Complaint(Exception):
    """What was not as promised."""


class Lab:
    """Where tries happen: the inputs, the undisturbed runs, a small disk."""

    def __init__(self, words):
        self.program, self.keep, self.limit = os.path.realpath(words.program), words.keep, words.limit
        self.stays = words.lab is not None
        self.work = os.path.realpath(words.lab) if self.stays else tempfile.mkdtemp(prefix="segtiles_test_")
        self.inputs, self.disk = os.path.join(self.work, "inputs"), os.path.join(self.work, "disk")
        os.makedirs(self.disk, exist_ok=True)
        self.mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", self.disk], check=False,
                                      stderr=subprocess.DEVNULL).returncode == 0
        self.undisturbed, self.jobs = {}, 0

    def prepare(self):
        """Inputs and undisturbed runs, those of before where the lab stays."""
        known = os.path.join(self.work, "undisturbed.json")
        if os.path.exists(known):
            with open(known, encoding="utf-8") as file:
                self.undisturbed = json.load(file)
        if not os.path.isdir(self.inputs):
            made = self.inputs + ".made"
            shutil.rmtree(made, ignore_errors=True)
            os.mkdir(made)
            make_inputs(self, made)
            os.rename(made, self.inputs)

    def remember(self, subject, folder, seconds):
        self.undisturbed[subject.name] = folder, seconds
        with open(os.path.join(self.work, "undisturbed.json"), "w", encoding="utf-8") as file:
            json.dump(self.undisturbed, file)

    def close(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.disk], check=False)
        if not self.stays:
            shutil.rmtree(self.work, ignore_errors=True)

    def beside(self, name):
        return os.path.join(os.path.dirname(self.program), name)

    def tell(self, path):
        """What info says of a file, or None when it refuses it."""
        told = subprocess.run([self.program, "info", path, "--json"], capture_output=True, text=True, check=False)
        return told.stdout if told.returncode == 0 else None

    def fresh(self):
        self.jobs = 0
        shutil.rmtree(os.path.join(self.work, "said"), ignore_errors=True)
        folder = os.path.join(self.disk, "try")
        for name in os.listdir(self.disk):  # a ballast, too, where the try before did not end well
            path = os.path.join(self.disk, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        shutil.copytree(self.inputs, folder)
        return folder

    def begin(self, subject, ranks, folder, more=()):
        said = os.path.join(self.work, "said", str(self.jobs))
        self.jobs += 1
        os.makedirs(said)
        return Job(self.program, ranks, subject.words + list(more), folder, said)

    def reference(self, subject):
        """The folder of an undisturbed run, and the seconds it took."""
        if subject.name not in self.undisturbed:
            for _ in range(2):  # what the first one brings into memory, all others find there
                job = self.begin(subject, RANKS, self.fresh())
                if not job.wait(self.limit) or job.status() != 0:
                    job.end()
                    raise SystemExit(f"{subject.name}, without any fault: {job.words()}")
            folder = os.path.join(self.work, f"whole.{len(self.undisturbed)}")
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(os.path.join(self.disk, "try"), folder)
            self.remember(subject, folder, job.ended - job.began)
        return self.undisturbed[subject.name]


def turns(seed, kinds, subjects):
    """Endless (kind, subject): every kind once before any comes again, with another subject each time."""
    draw = random.Random(f"{seed}")
    own = {kind: random.Random(f"{seed}/{kind}").sample(subjects, len(subjects)) for kind in kinds}
    round_ = 0
    while True:
        for kind in draw.sample(kinds, len(kinds)):
            yield kind, own[kind][round_ % len(subjects)]
        round_ += 1


def expect(holds, complaint):
    if not holds:
        raise Complaint(complaint)


class Try:
    """One fault, with all that is drawn for it."""

    def __init__(self, seed, number, kind, subject):
        draw = random.Random(f"{seed}/{number}")
        self.number, self.kind, self.subject = number, kind, subject
        self.ranks = draw.randint(1, RANKS) if subject.other_ranks else RANKS
        self.moment = draw.uniform(*KINDS[kind].window)
        self.fault = KINDS[kind](draw, subject)
        self.acted, self.seconds, self.lost, self.end, self.complaint = False, 0.0, 0, "", ""

    def run(self, lab):
        """Earlier and earlier, until it finds the job running."""
        while not self.complaint and not self.acted and self.moment > 0.01:
            self.attempt(lab)
            self.moment *= 0.7

    def attempt(self, lab):
        self.whole, span = lab.reference(self.subject)
        self.folder, self.limit = lab.fresh(), lab.limit
        self.job = lab.begin(self.subject, RANKS, self.folder)
        try:
            self.inflict(span)
            self.check_end(lab)
            self.check_again(lab)
        except Complaint as complaint:
            self.complaint = str(complaint)
            self.save_evidence(lab)
        finally:
            self.job.end()

    def inflict(self, span):
        job, fault = self.job, self.fault
        due = job.began + self.moment * span
        expect(job.wait(self.limit, lambda: time.monotonic() >= due and fault.ready(job)), "the job did not begin")
        struck = time.monotonic()
        self.acted = not job.over()
        self.done = self.subject.progress(self.folder)
        if self.acted:
            fault.strike(job)
        while not job.over() and time.monotonic() < struck + self.limit:
            fault.go_on(job)
            time.sleep(0.003)
        self.seconds = max(0.0, (job.ended or time.monotonic()) - struck) if self.acted else 0.0
        expect(job.over(), f"no end within {self.limit} s")

    def check_end(self, lab):
        """What a user finds when the job has ended."""
        job, fault = self.job, self.fault
        self.end = TAKEN.get(job.status(), KILLED)
        expect(self.end in fault.ends or (KILLED in fault.ends and self.end != UNHURT), f"status {job.status()}")
        expect(not job.noise(), f"noise: {job.noise()}")
        left = time.monotonic() + 5
        while job.left() and time.monotonic() < left:
            time.sleep(0.01)
        expect(not job.left(), f"processes are left: {job.left()}")
        if self.end in (FAILED, STOPPED) and KILLED not in fault.ends:
            lines = job.errors()
            expect(len(lines) == 1, f"not one line: {lines}")
            expect(self.end == STOPPED or any(name in lines[0] for name in fault.names), f"names no file: {lines[0]}")
            temporary = [name for _, _, names in os.walk(self.folder) for name in names if ".tmp." in name]
            expect(not temporary, f"temporary files stay: {temporary}")
        half = self.subject.halves(lab, self.folder, self.whole)
        expect(not half, f"not whole under its final name: {half}")

    def check_again(self, lab):
        """The same command does the rest."""
        if lab.keep:
            shutil.copytree(self.folder, os.path.join(lab.work, "said", "found"))
        more = self.fault.heal(self.folder) if self.acted else []
        damaged = self.fault.struck
        kept = self.subject.kept(lab, self.folder)
        unfinished = self.end != UNHURT
        complete = self.subject.complete(self.folder)
        stays = self.subject.stays_damaged(self.folder, self.whole, self.fault)
        if unfinished:
            self.again(lab, more)
            more = self.subject.cure(self.folder, self.fault) if self.job.status() in (1, 2) else None
            if more is not None:
                expect(len(self.job.errors()) == 1, f"not one line: {self.job.errors()}")
                self.again(lab, more)
            status = self.job.status()
            expect(status == 0, f"again, on {self.ranks} ranks: status {status}: {self.job.errors()}")
            expect(not self.job.noise(), f"again: noise: {self.job.noise()}")
        if unfinished and not damaged and more is None:
            kept = self.subject.taken_up(self.job.words()) if kept is None else kept
            self.lost = 0 if complete else max(0, self.done - kept)
            most = 0 if self.end == STOPPED else self.subject.may_lose()
            expect(self.lost <= most, f"{self.lost} of {self.done} steps or chunks are lost")
        if stays:
            shutil.copy(os.path.join(self.whole, damaged), os.path.join(self.folder, damaged))
        different = self.subject.differs(self.folder, self.whole)
        expect(not different, f"not the undisturbed run's: {different}")

    def again(self, lab, more):
        self.job = lab.begin(self.subject, self.ranks, self.folder, more)
        expect(self.job.wait(self.limit), f"again: no end within {self.limit} s")

    def save_evidence(self, lab):
        if lab.keep:
            to = os.path.join(lab.keep, str(self.number))
            shutil.rmtree(to, ignore_errors=True)
            shutil.copytree(self.folder, os.path.join(to, "files"), dirs_exist_ok=True)
            shutil.copytree(os.path.join(lab.work, "said"), os.path.join(to, "said"),
                            ignore=shutil.ignore_patterns("ompi*", "vader*"))

    def row(self):
        what = f"{self.fault.what} at {self.moment / 0.7:.2f}"
        return [self.number, self.kind, self.subject.name, what, self.end, f"{self.seconds:.2f}", self.lost,
                self.complaint]


def table(rows):
    """Of each kind and subject: tries passed of all, and the longest time from fault to end."""
    kinds = [kind for kind in KINDS if any(row[1] == kind for row in rows)]
    subjects = [s.name for s in SUBJECTS if any(row[2] == s.name for row in rows)]
    lines = ["| fault | " + " | ".join(subjects) + " | all |", "|---" * (len(subjects) + 2) + "|"]
    for kind in kinds + ["all"]:
        cells = []
        for subject in subjects + ["all"]:
            mine = [row for row in rows if kind in ("all", row[1]) and subject in ("all", row[2])]
            passed = sum(row[7] == "" for row in mine)
            cells.append(f"{passed}/{len(mine)}, {max(float(row[5]) for row in mine):.1f} s" if mine else "")
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def read_words():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("program", help="segtiles; make_scene lies beside it")
    words.add_argument("--seed", type=int, default=int(time.time()), help="else the time")
    words.add_argument("--first", type=int, default=0, help="number of the first try")
    words.add_argument("--tries", type=int, default=8)
    words.add_argument("--kinds", help="only these, separated by ;", default=";".join(KINDS))
    words.add_argument("--subjects", help="only these, separated by ;", default=";".join(s.name for s in SUBJECTS))
    words.add_argument("--results", help="CSV that rows are added to; the table is that of all in it")
    words.add_argument("--limit", type=int, default=60, help="seconds from a fault to the end of the job (60)")
    words.add_argument("--lab", help="folder for inputs and undisturbed runs, which stay there for the next time")
    words.add_argument("--keep", help="folder for the files of tries that did not pass")
    return words.parse_args()


def main():
    words = read_words()
    lab = Lab(words)
    kinds = [kind for kind in words.kinds.split(";") if lab.mounted or not KINDS[kind].wants_disk]
    if not lab.mounted:
        print("no file system can be mounted here: no full disks")
    subjects = [s for s in SUBJECTS if s.name in words.subjects.split(";")]
    order = turns(words.seed, kinds, subjects)
    results = os.path.realpath(words.results) if words.results else os.path.join(lab.work, "results.csv")
    failed = 0
    print(f"seed {words.seed}", flush=True)
    try:
        lab.prepare()
        for number in range(words.first + words.tries):
            kind, subject = next(order)
            if number < words.first:
                continue
            one = Try(words.seed, number, kind, subject)
            one.run(lab)
            with open(results, "a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(one.row())
            print(*one.row(), sep=", ", flush=True)
            failed += one.complaint != ""
        with open(results, newline="", encoding="utf-8") as file:
            print(table(list(csv.reader(file))))
    finally:
        lab.close()
    if failed:
        print(f"FAILED: {failed} of {words.tries} with seed {words.seed}", file=sys.stderr)
    sys.exit(1 if failed else 0)


main()
